"""Attribution by removal: what share of the conversions would be lost without a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.validation import check_choice, check_level
from cxjourney.attribution.credit import Attribution, Credits, Of, attribution
from cxjourney.attribution.touches import grain_name, touches_of, within
from cxjourney.exceptions import InvalidValue
from cxjourney.graph.stacked import StackedChains
from cxjourney.log.replicates import Tally, frequencies, tally_of
from cxjourney.log.visits import By, Visits, visits_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from cxjourney.log import Journeys

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
    check_level(level)
    check_choice(of, "of", ("conversions", "value"))
    if order < 1:
        raise InvalidValue.of("order", "be at least 1", order)
    if replicates < 0:
        raise InvalidValue.of("replicates", "be at least 0", replicates)
    journeys.require_determined("attribution.markov()")
    journeys = within(journeys, look_back)
    touches, weight = touches_of(journeys, by=by, of=of)
    total = float(touches.worth.sum())
    worth = np.bincount(touches.unit, touches.worth, minlength=len(weight)) / weight
    credited = visits_of(journeys, by)
    visits = _remembering(credited, journeys, states or by, order)
    groups = _groups(credited, visits)
    tally = tally_of(journeys, by, visits=visits)
    effect, base = _effects(tally, tally.weight[:, None], groups)
    scattered, totals = np.zeros((0, len(credited.names))), np.zeros(0)
    if replicates and len(tally.weight) and groups:
        cells = max(len(tally.names) * (len(tally.names) + 3), tally.counts.shape[0])
        drawn = [
            (_effects(tally, block, groups)[0], worth @ block)
            for block in frequencies(tally.weight, n=replicates, rng=rng, cells=cells)
        ]
        scattered = np.concatenate([effects for effects, _ in drawn])
        totals = np.concatenate([won for _, won in drawn])
    credit = _normalised(effect, np.array([total]))[0]
    extra = {"removal_effect": effect[0]} | _bounds(scattered, level, len(credited.names))
    share = _touch_share(touches.journey, touches.code, journeys, len(credited.names))
    extra["touch_share"] = share
    remarks = _memory(effect[0], share, order, credited.names)
    return attribution(
        Credits(
            names=credited.names,
            credit=credit,
            replicates=_normalised(scattered, totals),
            extra=extra,
        ),
        model=f"Markov chain of order {order}",
        grain=grain_name(by),
        base_rate=float(base[0]),
        unattributed=touches.unattributed,
        of=of,
        level=level,
        costs=costs,
        backend=journeys.log.backend,
        remarks=(*touches.remarks, *remarks),
    )


def _effects(
    tally: Tally, frequency: NDArray[np.float64], groups: Sequence[NDArray[np.intp]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return removal effects of groups of states and the conversion, for each column."""
    block = tally.block(frequency)
    chains = StackedChains.of(block.probability, block.start)
    if all(len(group) == 1 for group in groups):
        effects = chains.removal_effect()
        columns = [effects[:, group[0]] for group in groups]
    else:
        columns = [chains.joint_removal_effect(group.tolist()) for group in groups]
    stacked = np.stack(columns, axis=1) if columns else np.zeros((len(chains.conversion), 0))
    return np.clip(stacked, 0.0, 1.0), chains.conversion


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


def _remembering(credited: Visits, journeys: Journeys, states: By, order: int) -> Visits:
    """Return visits whose nodes are states: the last touches at the grain of the states."""
    n = len(credited)
    fine = credited.node
    k = len(credited.names)
    other = visits_of(journeys, states)
    key = fine.astype(np.int64)
    if other.names != credited.names or not np.array_equal(other.node, credited.node):
        key = key * len(other.names) + other.node
        _, key = np.unique(key, return_inverse=True)
    present = key.copy()
    width = int(present.max(initial=0)) + 2
    first = credited.previous == k
    position = np.arange(n) - np.maximum.accumulate(np.where(first, np.arange(n), 0))
    for lag in range(1, order):
        earlier = np.append(np.full(min(lag, n), width - 1), present[: max(n - lag, 0)])
        key = key * width + np.where(position >= lag, earlier, width - 1)
        _, key = np.unique(key, return_inverse=True)
    n_states = int(key.max(initial=-1)) + 1
    following = np.append(key[1:], 0)[:n].astype(np.int64)
    ends = (credited.following > k) | (credited.following < 0)
    following[ends] = np.where(
        credited.following[ends] < 0, -1, credited.following[ends] - k + n_states
    )
    previous = np.append(0, key[:-1])[:n].astype(np.int64)
    previous[first] = n_states
    return attrs.evolve(
        credited,
        names=tuple(str(i) for i in range(n_states)),
        node=key.astype(np.int64),
        previous=previous,
        following=following,
    )


def _groups(credited: Visits, states: Visits) -> list[NDArray[np.intp]]:
    """Return the states whose present touch is each name."""
    owner = np.zeros(len(states.names), dtype=np.int64)
    owner[states.node] = credited.node
    return [np.flatnonzero(owner == code) for code in range(len(credited.names))]


def _touch_share(
    journey: NDArray[np.int64], code: NDArray[np.int64], journeys: Journeys, n: int
) -> NDArray[np.float64]:
    """Return the share of converting journeys that touch each name."""
    weight = np.ones(len(journeys.outcome)) if journeys.weight is None else journeys.weight
    touched = journeys.converted & (journeys.lengths > 0)
    worth = weight[touched].astype(np.float64)
    total = float(weight[journeys.converted].sum())
    pairs = np.unique(journey * max(n, 1) + code)
    counted = np.bincount(pairs % max(n, 1), worth[pairs // max(n, 1)], minlength=n)
    return counted / total if total else np.full(n, np.nan)


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
