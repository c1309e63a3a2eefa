"""Attribution by removal: what share of the conversions would be lost without a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.distinct import distinct
from cxjourney._support.frozen import seal
from cxjourney._support.validation import check_choice, check_count, check_level
from cxjourney.attribution._attribution import Attribution, Credits, Of, attribution
from cxjourney.attribution._touches import grain_name, touch_remarks, within, worth_of
from cxjourney.journeys import (
    By,
    Replicates,
    Tally,
    as_observed,
    check_journeys,
    frequencies,
    grain_codes,
    tally_of,
    units,
    visits_at,
)
from cxjourney.kernels import directly_follows, ranges
from cxjourney.log import Coded
from cxjourney.markov import StackedChains

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys

__all__ = ["markov"]

_MEMORY_GAP = 0.05


def markov(
    journeys: Journeys,
    *,
    by: By = "channel",
    states: By | None = None,
    order: int = 1,
    of: Of = "conversions",
    look_back: timedelta | None = None,
    costs: Mapping[str, float] | None = None,
    level: float = 0.95,
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Attribution:
    """Credit by removal effects of the absorbing Markov chain, exactly.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped, or aggregated paths.
    by
        What is credited: "touchpoint", "channel", "stage", "owner", or a pair of them.
    states
        What a state of the chain is, where it is finer than `by`: with `by="channel"` and
        `states="touchpoint"` all touchpoints of a channel are removed jointly. None means `by`.
    order
        How many touches the chain remembers, at least 1.
    of
        Credit the number of "conversions" or their "value".
    look_back
        Leave out touches older than this before the journey's end; None leaves out none.
    costs
        Money spent by name; adds cost and return to the table.
    level
        Confidence level of the intervals, in (0, 1).
    replicates
        Number of resampled replicates, by customer; 0 gives no intervals.
    rng
        A generator or seed; the same one repeats the intervals exactly.

    Returns
    -------
    Attribution
        With `removal_effect`, and `touch_share` beside it.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    InvalidValue
        If `order` is less than 1.

    Notes
    -----
    The removal effect of k is the share of conversions lost when all who come to k are lost
    there: `RE_k = v_k h_k / (N_kk p)` for one state, `v_K N_KK⁻¹ h_K / p` for a set
    (Anderl et al. 2016, in closed form), from one factorisation for all. Credits are removal
    effects normalised to the conversions; the effects themselves sum to 1 or more.

    With all of the past remembered the removal effect is the share of converting journeys that
    touch the name. Where the two differ much the chain forgets too much: raise `order`, or do not
    believe it. Self-loops change nothing. Open journeys are censored, not lost.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["C1", "C2", "C3"], ["C1"], ["C2", "C3"]],
    ...     converted=[1, 0, 0], dropped=[0, 1, 1], channels=True,
    ... )
    >>> result = cx.attribution.markov(journeys, replicates=0)
    >>> {name: round(credit, 6) for name, credit in result.credit.items()}
    {'C2': 0.4, 'C3': 0.4, 'C1': 0.2}
    """
    check_journeys(journeys)
    check_level(level)
    check_choice(of, "of", ("conversions", "value"))
    check_count(order, "order")
    check_count(replicates, "replicates", least=0)
    journeys.require_determined("attribution.markov()")
    journeys = within(journeys, look_back)
    credited = grain_codes(journeys.columns, by)
    memory, owner = _remembering(credited, journeys, states, order)
    observed = as_observed(journeys, memory)
    owner = owner[np.array(observed.names, dtype=np.int64)]
    codes = np.unique(owner)
    groups = [np.flatnonzero(owner == code) for code in codes]
    names = tuple(credited.names[code] for code in codes.tolist())
    effect, base = _effects(observed, groups)
    worth = worth_of(journeys, of)
    won = journeys.converted & (journeys.lengths > 0)
    scattered, totals = np.zeros((0, len(names))), np.zeros(0)
    if replicates and groups:
        tally = tally_of(journeys, visits_at(journeys, memory))
        unit = units(journeys)[0][won]
        per_unit = np.bincount(unit, worth[won], minlength=len(tally.weight)) / tally.weight
        scattered, totals = _resampled(tally, per_unit, groups, n=replicates, rng=rng)
    credit = _normalised(effect, np.array([worth[won].sum()]))[0]
    share, several = _touched(journeys, credited, codes)
    extra = {"removal_effect": effect[0]} | _bounds(scattered, level, len(names))
    extra["touch_share"] = share
    return attribution(
        Credits(
            names=names,
            credit=credit,
            replicates=_normalised(scattered, totals),
            extra=extra,
        ),
        model=f"Markov chain of order {order}",
        grain=grain_name(by),
        base_rate=float(base[0]),
        unattributed=float(worth[journeys.converted & ~won].sum()),
        of=of,
        level=level,
        costs=costs,
        backend=journeys.log.backend,
        remarks=(
            *touch_remarks(int(np.count_nonzero(won)), several=several),
            *_memory(effect[0], share, order, names),
        ),
    )


def _effects(
    block: Replicates, groups: Sequence[NDArray[np.intp]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return removal effects of groups of states and the conversion, for each replicate."""
    chains = StackedChains.of(block.probability, block.start)
    if all(len(group) == 1 for group in groups):
        effects = chains.removal_effect()
        columns = [effects[:, group[0]] for group in groups]
    else:
        columns = [chains.joint_removal_effect(group.tolist()) for group in groups]
    stacked = np.stack(columns, axis=1) if columns else np.zeros((len(chains.conversion), 0))
    return np.clip(stacked, 0.0, 1.0), chains.conversion


def _resampled(
    tally: Tally,
    worth: NDArray[np.float64],
    groups: Sequence[NDArray[np.intp]],
    *,
    n: int,
    rng: np.random.Generator | int | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return removal effects and the worth of all conversions on resampled units."""
    some = np.flatnonzero(worth)
    drawn = [
        (_effects(tally.block(block), groups)[0], worth[some] @ block[some])
        for block in frequencies(tally.weight, n=n, rng=rng, cells=tally.cells())
    ]
    effects, totals = zip(*drawn, strict=True)
    return np.concatenate(effects), np.concatenate(totals)


def _normalised(effects: NDArray[np.float64], totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return credits: each row of effects divides its own total."""
    sums = effects.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        credit: NDArray[np.float64] = np.where(sums > 0, effects / sums * totals[:, None], np.nan)
    return credit


def _bounds(scattered: NDArray[np.float64], level: float, n: int) -> dict[str, NDArray[np.float64]]:
    known = ~np.isnan(scattered).any(axis=1)
    if not known.any():
        return {"removal_low": np.full(n, np.nan), "removal_high": np.full(n, np.nan)}
    tail = (1 - level) / 2
    low, high = np.quantile(scattered[known], [tail, 1 - tail], axis=0)
    return {"removal_low": low, "removal_high": high}


def _remembering(
    credited: Coded, journeys: Journeys, states: By | None, order: int
) -> tuple[Coded, NDArray[np.int64]]:
    """Return the state of each row, the last `order` touches, and which name is credited in each.

    States are numbered; what the row of a goal or exit has does not matter.
    """
    if states is None and order == 1:
        numbers = np.arange(len(credited.names))
        return attrs.evolve(credited, names=tuple(numbers.tolist())), numbers
    key = credited.codes.astype(np.int64)
    if states is not None:
        fine = grain_codes(journeys.columns, states, "states")
        key = distinct(key * len(fine.names) + fine.codes)[1]
    present, width = key, int(key.max(initial=0)) + 2
    before = np.arange(len(key)) - np.repeat(journeys.offsets[:-1], np.diff(journeys.offsets))
    for lag in range(1, order):
        earlier = np.full(len(key), width - 1)
        earlier[lag:] = np.where(before[lag:] < lag, width - 1, present[:-lag])
        key = distinct(key * width + earlier)[1]
    owner = np.zeros(int(key.max(initial=-1)) + 1, dtype=np.int64)
    owner[key] = credited.codes
    return Coded(seal(key), tuple(range(len(owner)))), owner


def _touched(
    journeys: Journeys, credited: Coded, codes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], bool]:
    """Return the share of converting journeys that touch each code, and whether any touches two."""
    won = journeys.converted
    lengths = np.diff(journeys.offsets)
    weight = None if journeys.weight is None else journeys.weight[won]
    k = len(credited.names)
    follows = directly_follows(
        credited.codes[ranges(journeys.offsets[:-1][won], lengths[won])],
        np.append(0, np.cumsum(lengths[won])),
        journeys.absorbed[won],
        journeys.outcome[won],
        k,
        weight,
    )
    source, target = np.divmod(follows.keys, k + 3)
    total = np.count_nonzero(won) if weight is None else weight.sum()
    share = follows.visiting[codes] / total if total else np.full(len(codes), np.nan)
    return share, bool(np.any((source != target) & (target < k)))


def _memory(
    effect: NDArray[np.float64], share: NDArray[np.float64], order: int, names: tuple[str, ...]
) -> tuple[str, ...]:
    if not len(names) or np.isnan(effect).all():
        return ("no journey converted: removal effects are not defined",)
    gap = np.abs(effect - share)
    worst = int(np.nanargmax(gap))
    if gap[worst] < _MEMORY_GAP:
        return ("removal effects agree with the shares of journeys touched: order is enough",)
    return (
        (
            f"at {names[worst]!r} the removal effect {effect[worst]:.1%} is far from the "
            f"{share[worst]:.1%} of converting journeys that touch it: a chain of order {order} "
            "forgets too much there"
        ),
    )
