"""Attribution by removal effects of the Markov chain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Unpack, overload

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney._stats.ratios import ratio_of_sums
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney._support.frozen import seal
from cxjourney._support.validation import check_choice, check_count, check_level, check_names
from cxjourney.attribution._attribution import (
    Attribution,
    Credits,
    Of,
    attribution,
    check_whole_costs,
)
from cxjourney.attribution._touches import (
    at_full_size,
    chosen_touches,
    touch_remarks,
    worth_of,
)
from cxjourney.domain import CONVERSION, START
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import (
    By,
    BySegment,
    JourneyStatistics,
    LeftOut,
    SegmentBy,
    by_segment,
    by_unit,
    check_journeys,
    check_source,
    conversions_of,
    grain_codes,
    grain_name,
    grid_notes,
    left_out,
    left_out_at,
    left_out_of_graph,
    missing_note_of,
    missing_note_of_graph,
    units_of,
    worth_of_conversions,
)
from cxjourney.kernels import first_of_each, ranges
from cxjourney.log import Coded
from cxjourney.markov import StackedChains

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import timedelta

    from cxjourney._stats.units import Units
    from cxjourney.attribution._attribution import RuleOptions
    from cxjourney.journeys import Journeys

_MEMORY_GAP = 0.05
_CHANCE = 0.05  # over all names of a chain
_DENSE = 32  # states up to which inverses of all chains at once cost least
_MOST_STEPS = 100_000
_SETTLED = 1e-13


@overload
def markov(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    states: By | None = None,
    order: int = 1,
    segment: None = None,
    **options: Unpack[RuleOptions],
) -> Attribution: ...
@overload
def markov(
    journeys: Journeys | JourneyStatistics,
    *,
    states: By | None = None,
    order: int = 1,
    segment: SegmentBy,
    **options: Unpack[RuleOptions],
) -> BySegment[Attribution]: ...
def markov(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: By = "channel",
    states: By | None = None,
    order: int = 1,
    of: Of = "conversions",
    look_back: timedelta | str | None = None,
    ignore: Collection[str] = (),
    costs: Mapping[str, float] | None = None,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Attribution | BySegment[Attribution]:
    """Credit by removal effects of the absorbing Markov chain, exactly.

    Parameters
    ----------
    journeys, by, of, look_back, ignore, costs, segment, level
        As for `first_touch`; the journeys need a goal and a way to be dropped. Of statistics that
        add up, the chain is of order 1 and counts all touches; so it is of a whole graph, of which
        `by` is the grain.
    states
        What a state of the chain is, where it is finer than `by`: with `by="channel"` and
        `states="touchpoint"` all touchpoints of a channel are removed jointly. None means `by`.
    order
        How many touches the chain remembers, at least 1.

    Returns
    -------
    Attribution
        With `removal_effect`, and `touch_share` beside it. A graph has no customers: intervals,
        ranks and `touch_share` are NaN.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    InvalidValue
        If `order` is less than 1, or a graph is asked for what needs rows, for another grain than
        its own or for values that it does not carry.
    NotAFlow
        If the graph is a subgraph or was filtered.

    Notes
    -----
    The removal effect of k is the share of conversions lost when all who come to k are lost
    there: `RE_k = v_k h_k / (N_kk p)` for one state, `v_K N_KK⁻¹ h_K / p` for a set
    (Anderl et al. 2016, in closed form), from one factorisation for all. Credits are removal
    effects normalised to the conversions; the effects themselves sum to 1 or more.

    With all of the past remembered the removal effect is the share of converting journeys that
    touch the name. Where the two differ much, and by more than chance, the chain forgets too much:
    raise `order`, or do not believe it. Self-loops change nothing. Journeys in progress are
    censored, not lost.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["C1", "C2", "C3"], ["C1"], ["C2", "C3"]],
    ...     converted=[1, 0, 0], dropped=[0, 1, 1], channels=True,
    ... )
    >>> result = cx.attribution.markov(journeys)
    >>> {name: round(credit, 6) for name, credit in result.credit.items()}
    {'C2': 0.4, 'C3': 0.4, 'C1': 0.2}
    """
    ignore = check_names(ignore, "ignore")
    if segment is not None and not isinstance(journeys, JourneyGraph):
        check_whole_costs(costs)
        options: RuleOptions = {"by": by, "of": of, "look_back": look_back, "ignore": ignore}
        of_part = partial(markov, states=states, order=order, level=level, **options)
        return by_segment(check_journeys(journeys), segment, of_part)
    counted = check_source(
        journeys,
        by,
        segment=segment,
        states=states,
        order=None if check_count(order, "order", most=100) == 1 else order,
        look_back=look_back,
        ignore=ignore or None,
    )
    check_level(level)
    check_choice(of, "of", ("conversions", "value"))
    if isinstance(counted, JourneyGraph):
        base, missing = _base_of_graph(counted, of), missing_note_of_graph(counted)
    else:
        counted.require_determined("attribution.markov()")
        if isinstance(counted, JourneyStatistics):
            base = _base_of_statistics(counted, by, of)
        else:
            counted = chosen_touches(counted, by, look_back, ignore)
            base = _base_of_journeys(counted, by, states, order, of)
        missing = missing_note_of(counted, by)
    left, groups, names = base.left, base.groups, base.names
    if _is_dense(left, groups):
        chain = StackedChains.of(left.whole.matrix[None], left.whole.start[None])
        rate, effects = float(chain.conversion[0]), _effects(chain, groups)[0]
    else:
        rate, effects = _sparse_effects(left, left.whole.probability, left.whole.start, groups)
    effect = _figures(effects, _effects_without(left, groups), left, groups)
    credit = _figures(
        _normalised(effect.whole[None], base.total)[0],
        _normalised(effect.without, at_full_size(base.total - base.own, left.journeys)),
        left,
        groups,
    )
    low, high = effect.wilson(level)
    extra = {
        "removal_effect": effect.whole,
        "removal_low": low,
        "removal_high": high,
        "touch_share": base.share.whole,
    }
    return attribution(
        Credits(
            names=names, figures=credit, extra=extra, certain=not isinstance(counted, JourneyGraph)
        ),
        model=f"Markov chain of order {order}",
        grain=grain_name(by),
        base_rate=rate,
        unattributed=base.unattributed,
        of=of,
        level=level,
        costs=costs,
        backend=None if isinstance(counted, JourneyGraph) else counted.backend,
        remarks=(
            *touch_remarks(base.n_touched, several=base.several),
            *_memory(effect, base.share, order, names),
            *grid_notes(counted, by),
            *missing,
        ),
    )


@attrs.frozen(kw_only=True, eq=False)
class _Base:
    """What removal effects and credits are made of.

    Attributes
    ----------
    left
        The statistics of the states of the chain, and the same without each bucket.
    names, groups
        The names to credit, and the states of each.
    share
        Share of the converting journeys that touch each name.
    several
        Whether any of them touches two.
    n_touched
        Converting journeys that touch any.
    total, own
        What these are worth, one number, and by bucket.
    unattributed
        What the others are worth.
    """

    left: LeftOut
    names: tuple[str, ...]
    groups: Sequence[Ints]
    share: BucketFigures
    several: bool
    n_touched: int
    total: Floats
    own: Floats
    unattributed: float


def _base_of_journeys(journeys: Journeys, by: By, states: By | None, order: int, of: Of) -> _Base:
    credited = grain_codes(journeys.columns, by)
    if states is None and order == 1:
        left = left_out(journeys, by)
        place = {name: code for code, name in enumerate(credited.names)}
        owner = np.array([place[name] for name in left.whole.names], dtype=np.int64)
    else:
        memory, owner = _remembering(credited, journeys, states, order)
        left = left_out_at(journeys, memory)
        owner = owner[np.array(left.whole.names, dtype=np.int64)]
    codes = np.unique(owner)
    units, once = units_of(journeys), worth_of(journeys, of)
    worth = once if journeys.weight is None else once * journeys.weight
    won = journeys.converted & (journeys.lengths > 0)
    share, several = _touched(journeys, credited, codes, units)
    return _Base(
        left=left,
        names=tuple(credited.names[code] for code in codes.tolist()),
        groups=[np.flatnonzero(owner == code) for code in codes],
        share=share,
        several=several,
        n_touched=int(np.count_nonzero(won)),
        total=np.array([worth[won].sum()]),
        own=units.total(item=np.flatnonzero(won), values=once[won]),
        unattributed=float(worth[journeys.converted & ~won].sum()),
    )


def _base_of_statistics(statistics: JourneyStatistics, by: By, of: Of) -> _Base:
    left, (share, several) = left_out(statistics, by), _touched_of_statistics(statistics, by)
    worth = conversions_of(statistics, by).astype(np.float64)
    n_touched = int(worth[:, 1].sum())
    if of == "value":
        _, worth = worth_of_conversions(statistics)
    return _Base(
        left=left,
        names=left.whole.names,
        groups=[np.array([code]) for code in range(len(left.whole.names))],
        share=share,
        several=several,
        n_touched=n_touched,
        total=worth[:, 1].sum(keepdims=True),
        own=worth[:, 1],
        unattributed=float(worth[:, 0].sum()),
    )


def _base_of_graph(graph: JourneyGraph, of: Of) -> _Base:
    if not graph.graph.get("determined", True):
        raise OutcomeUndetermined(
            "attribution.markov() needs to know when a journey without the goal is over; build the "
            "graph from journeys with inactivity=, exit_touchpoints= or all_closed=True"
        )
    found = left_out_of_graph(graph)
    shares = ("probability", "silence", "first", "visits", "at_risk", "journeys")
    one_bucket = {name: getattr(found, name)[:1] for name in shares}  # it has no variance
    k, ends = len(found.whole.names), graph.in_edges(CONVERSION, data=True)
    won = [edge for edge in ends if edge[0] != START]
    if of == "value" and not any("value_sum" in edge for *_, edge in ends):
        rule = "be 'conversions' for a graph that carries no values of its conversions"
        raise InvalidValue.of("of", rule, of)
    key = "count" if of == "conversions" else "value_sum"
    total = sum(edge.get(key, 0) for *_, edge in won)
    return _Base(
        left=attrs.evolve(found, **one_bucket),
        names=found.whole.names,
        groups=[np.array([code]) for code in range(k)],
        share=ratio_of_sums(np.zeros((1, k)), np.zeros((1, k))),
        several=True,
        n_touched=sum(edge["count"] for *_, edge in won),
        total=np.array([float(total)]),
        own=np.zeros(1),
        unattributed=float(sum(edge.get(key, 0) for *_, edge in ends) - total),
    )


def _figures(
    whole: Floats, without: Floats, left: LeftOut, groups: Sequence[Ints]
) -> BucketFigures:
    """Return figures of groups of states, which stand on their visits."""
    visits = np.zeros((len(left.visits), len(groups)))
    for i, group in enumerate(groups):
        visits[:, i] = left.visits[:, group].sum(axis=1)
    return BucketFigures(whole=whole, without=without, units=resting_on(visits, left.used))


def _effects(chains: StackedChains, groups: Sequence[Ints]) -> Floats:
    """Return the removal effects of groups of states, for each chain."""
    if all(len(group) == 1 for group in groups):
        effects = chains.removal_effect()
        columns = [effects[:, group[0]] for group in groups]
    else:
        columns = [chains.joint_removal_effect(group.tolist()) for group in groups]
    stacked = np.stack(columns, axis=1) if columns else np.zeros((len(chains.conversion), 0))
    clipped: Floats = np.clip(stacked, 0.0, 1.0)
    return clipped


def _is_dense(left: LeftOut, groups: Sequence[Ints]) -> bool:
    """Return whether inverses cost least: of few states, or where each is removed alone."""
    return len(left.whole.names) <= _DENSE or all(len(group) == 1 for group in groups)


def _effects_without(left: LeftOut, groups: Sequence[Ints]) -> Floats:
    """Return the removal effects of groups of states without each bucket of customers."""
    if _is_dense(left, groups):
        blocks = (StackedChains.of(*block) for block in left.blocks())
        return np.concatenate([_effects(chains, groups) for chains in blocks])
    chains = zip(np.nan_to_num(left.probability), left.start, strict=True)
    return np.array([_sparse_effects(left, *chain, groups)[1] for chain in chains])


def _sparse_effects(
    left: LeftOut, probability: Floats, start: Floats, groups: Sequence[Ints]
) -> tuple[float, Floats]:
    """Return conversion and removal effects of a chain that remembers more than a touch.

    Its states lead to few others: adding up, step by step, where journeys convert, with each group
    removed in a column of its own, costs less than an inverse, and no factors.
    """
    from scipy.sparse import csr_array

    whole, k = left.whole, len(left.whole.names)
    inner, wins = whole.target < k, whole.target == k + 1
    moves = (probability[inner], (whole.source[inner], whole.target[inner]))
    steps = csr_array(moves, shape=(k, k))
    kept = np.ones((k, len(groups) + 1))
    for column, group in enumerate(groups, start=1):
        kept[group, column] = 0.0
    rest = kept * np.bincount(whole.source[wins], probability[wins], minlength=k)[:, None]
    hitting = rest
    for _ in range(_MOST_STEPS):
        rest = kept * np.asarray(steps @ rest)
        hitting = hitting + rest
        if rest.max(initial=0.0) <= _SETTLED * hitting.max(initial=0.0):
            break
    else:
        return math.nan, np.full(len(groups), np.nan)
    base, *without = (start[:k] @ hitting + start[k + 1]).tolist()
    if not base > 0:
        return base, np.full(len(groups), np.nan)
    clipped: Floats = np.clip(1 - np.array(without) / base, 0.0, 1.0)
    return base, clipped


def _normalised(effects: Floats, totals: Floats) -> Floats:
    """Return credits: each row of effects divides its own total."""
    sums = effects.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        credit: Floats = np.where(sums > 0, effects / sums * totals[:, None], np.nan)
    return credit


def _remembering(
    credited: Coded, journeys: Journeys, states: By | None, order: int
) -> tuple[Coded, Ints]:
    """Return the state of each row, the last `order` touches, and the name that each credits."""
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
    journeys: Journeys, credited: Coded, codes: Ints, units: Units
) -> tuple[BucketFigures, bool]:
    """Return the share of converting journeys that touch each code, and whether any touches two."""
    won = np.flatnonzero(journeys.converted)
    lengths = journeys.lengths[won]
    rows = ranges(journeys.offsets[:-1][won], lengths)
    k = max(len(credited.names), 1)
    journey, code = np.repeat(won, lengths), credited.codes[rows]
    once = first_of_each(journey, code, k)
    journey, code = journey[once], code[once]
    y = units.sums(code, k, item=journey)[:, codes]
    x = units.total(item=won)[:, None]
    several = bool((journey[1:] == journey[:-1]).any())
    return ratio_of_sums(y, np.broadcast_to(x, y.shape)), several


def _touched_of_statistics(statistics: JourneyStatistics, by: By) -> tuple[BucketFigures, bool]:
    """Return what `_touched` does, of all names."""
    touched, won = by_unit(statistics, "touched", by, "node"), conversions_of(statistics, by)
    y = touched.astype(np.float64)
    x = np.broadcast_to(won.sum(axis=1, keepdims=True).astype(np.float64), y.shape)
    return ratio_of_sums(y, x), bool(touched.sum() > won[:, 1].sum())


def _memory(
    effect: BucketFigures, share: BucketFigures, order: int, names: tuple[str, ...]
) -> tuple[str, ...]:
    if not len(names) or np.isnan(effect.whole).all():
        return ("No journey converted, so that removal effects are not defined.",)
    if np.isnan(share.whole).all():
        return ("A graph has no customers: there are no intervals and no shares of touches.",)
    told = _forgotten(effect, share, order, names)
    agree = "Removal effects agree with the shares of journeys touched: the order is enough."
    return tuple(told.values())[:1] or (agree,)


def _forgotten(
    effect: BucketFigures, share: BucketFigures, order: int, names: tuple[str, ...]
) -> dict[str, str]:
    """Return what to say of each name that the chain forgets too much about, the worst first."""
    gap = BucketFigures(
        whole=effect.whole - share.whole,
        without=effect.without - share.without,
        units=effect.units,
    )
    size = np.abs(gap.whole)
    # of many names one lies apart by chance; without intervals the size alone decides
    chance = np.nan_to_num(gap.p_value(), nan=0.0) >= _CHANCE / max(len(names), 1)
    order_of = np.argsort(-np.nan_to_num(size), kind="stable")
    return {
        names[i]: (
            f"The removal effect of {names[i]!r}, {effect.whole[i]:.1%}, is far from the "
            f"{share.whole[i]:.1%} of converting journeys that touch it: a chain of order {order} "
            "forgets too much there."
        )
        for i in order_of.tolist()
        if size[i] >= _MEMORY_GAP and not chance[i]
    }


def forgotten(journeys: Journeys | JourneyStatistics, by: By) -> Mapping[str, str]:
    """Return, by name, where a chain that remembers one touch forgets too much, the worst first.

    It is the check of `markov`: the removal effect lies apart from the share of converting
    journeys that touch the name, by more than chance.
    """

    def compute() -> Mapping[str, str]:
        left = left_out(journeys, by)
        names = left.whole.names
        if isinstance(journeys, JourneyStatistics):
            share, _ = _touched_of_statistics(journeys, by)
        else:
            coded = grain_codes(journeys.columns, by)
            place = {name: code for code, name in enumerate(coded.names)}
            codes = np.array([place[name] for name in names], dtype=np.int64)
            share, _ = _touched(journeys, coded, codes, units_of(journeys))
        groups = [np.array([i]) for i in range(len(names))]
        chain = StackedChains.of(left.whole.matrix[None], left.whole.start[None])
        effect = _figures(_effects(chain, groups)[0], _effects_without(left, groups), left, groups)
        return _forgotten(effect, share, 1, names)

    return journeys.memo.get(("forgotten", by), compute)
