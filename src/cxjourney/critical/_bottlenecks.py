"""Bottlenecks: the nodes where the time of customers goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import OPEN
from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney._stats.estimates import CLUSTERED, LOGARITHMS, means_without, why_no_interval
from cxjourney._stats.ratios import mean_figures, quotient, share_of_total_figures
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.journeys import (
    IN_PROGRESS,
    By,
    TransitionTimes,
    Visits,
    by_segment,
    chain_figures,
    chain_of,
    check_journeys,
    grain_name,
    missing_note_of,
    statistics_of,
    times_of,
    times_without_buckets,
    units_of,
    visits_of,
)
from cxjourney.markov import UNFOLLOWED
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.journeys import BySegment, Journeys, SegmentBy

_SECOND = 1e6
_ENDS = {
    "seconds": "time to the end",
    "seconds_converted": "time to conversion",
    "steps": "number of transitions to the end",
    "steps_converted": "number of transitions to conversion",
}


@attrs.frozen(kw_only=True, repr=False)
class Bottlenecks(Result):
    """Where the time of customers goes, the largest share first.

    Attributes
    ----------
    table
        One row a node, the largest share first; see `bottlenecks` for the columns.
    seconds, seconds_converted
        Mean time of a journey from its first visit to its end, and of one that converts [s].
    steps, steps_converted
        Mean number of transitions of the same, that to the first visit among them. Where more than
        1% of journeys come to visits that outlast what was followed, all four are restricted to
        waits of at most that, and named "restricted mean …".
    level
        Confidence level of the intervals.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "Bottlenecks"

    table: Table
    seconds: Estimate
    seconds_converted: Estimate
    steps: Estimate
    steps_converted: Estimate
    level: float
    caveats: tuple[str, ...] = ()

    def _shown(self) -> Table:
        names = self.table.column_names
        return self.table.select([n for n in names if n not in {"share_low", "share_high"}])

    def _notes(self) -> tuple[str, ...]:
        return (
            *(f"The {one.name} is {one!r}." for one in (self.seconds, self.seconds_converted)),
            "The waits are those of customers who went on; exits() has those who left.",
            f"The intervals are {100 * self.level:g}% intervals, clustered by customer.",
            "Means and quantiles give visits the weights that make up for censored ones.",
            "A customer may want to wait: a long wait is no fault by itself.",
            *self.caveats,
        )


@overload
def bottlenecks(
    journeys: Journeys, *, by: By = "touchpoint", level: float = 0.95, segment: None = None
) -> Bottlenecks: ...


@overload
def bottlenecks(
    journeys: Journeys, *, by: By = "touchpoint", level: float = 0.95, segment: SegmentBy
) -> BySegment[Bottlenecks]: ...


def bottlenecks(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Bottlenecks | BySegment[Bottlenecks]:
    """Return how long customers take from each node to the next, and its share of all their time.

    Parameters
    ----------
    journeys
        The journeys, with times.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    level
        Confidence level, in (0, 1).
    segment
        An attribute that divides journeys; then each segment has a result of its own.

    Returns
    -------
    Bottlenecks
        One row a node, the largest share of the time first. Columns, after that of the node's name:

        - `visits`, `moved`: visits, and those that went on;
        - `wait_s`, `low`, `high`: mean time to the next visit, goal or exit [s];
        - `median_s`, `p90_s`: quantiles of the same [s];
        - `total_s`: its sum over all journeys, those in progress brought to their end [s];
        - `share`, `share_low`, `share_high`: its share of the sum over all nodes [fraction];
        - `working_s`, `queue_s`: mean duration of the interaction and mean rest of the wait [s];
          NaN without durations;
        - `converted_s`: mean time spent there by a journey that converts [s];
        - `followed_s`: NaN, or how long visits were followed where none was up to the limit [s];
          what stands before is then restricted to waits of at most that time.

    Raises
    ------
    TimesRequired
        If the journeys were made of aggregated paths.
    UnknownName
        If the log has no such column.

    Notes
    -----
    The wait at x runs from the visit of x to the next visit, the goal or an explicit exit. A
    transition weighs as much as its Aalen-Johansen mass, so that short waits are not
    over-represented where visits are censored (Satten and Datta 2001); the intervals compute the
    masses anew without each bucket of customers. Where interactions have durations, working time is
    the duration and the queue is what is left of the wait.

    Journeys in progress have not come to the later nodes yet, and the slow ones among those that
    convert have not converted. Where there are any, the visits of a node are those that the chain
    expects, and `converted_s` is that of its journeys that convert. Where more than 1% of journeys
    come to visits that outlast what was followed, `total_s`, `share` and `converted_s` are NaN.

    `seconds` to `steps_converted` are those of `cxjourney.AbsorbingChain`, computed again without
    each bucket for their intervals; where nothing is in progress, plain means of journeys. They
    take for granted that how slow a customer is does not last from visit to visit: where it does,
    the fast ones come further within the window, and times are too short.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> found = cx.critical.bottlenecks(journeys, by="stage")
    >>> found.table["stage"][0]
    'consideration'
    """
    check_journeys(journeys)
    check_level(level)
    if segment is not None:
        return by_segment(journeys, segment, lambda part: bottlenecks(part, by=by, level=level))
    journeys.require_times("critical.bottlenecks()")
    visits, times = visits_of(journeys, by), times_of(journeys, by)
    k = len(visits.names)
    node, wait, mass = visits.node[times.visit], times.wait_s, times.mass
    working, queue = _split(journeys, visits, times)
    median, p90 = _quantiles(node, wait, mass, k, (0.5, 0.9))
    left_s = times_without_buckets(journeys, by, times, times.wait_s)
    mean = _means(journeys, by, times, left_s)
    low, high = mean.means(level)
    if times.weighted and journeys.rules.absorbing:
        total, share, converted, ends = _of_chain(journeys, by, times, left_s)
        restricted = chain_of(journeys, by).restricted
    else:
        total, share, converted, ends = _of_visits(journeys, visits, times)
        restricted = 0.0
    share_low, share_high = share.wilson(level)
    caveats = (*means_without(mean.whole, low), *missing_note_of(journeys, by))
    short = times.followed_us >= 0
    if short.any():
        n = np.count_nonzero(short)
        caveats += (f"Visits at {n:,} nodes were not followed to the limit; see followed_s.",)
    if np.isnan(total).all() and len(node):
        caveats += ("Shares are not known: more than 1% of journeys outlast what was followed.",)
    columns = {
        grain_name(by): visits.names,
        "visits": np.bincount(visits.node, minlength=k),
        "moved": np.bincount(node, minlength=k),
        "wait_s": mean.whole,
        "low": np.maximum(low, 0.0),
        "high": high,
        "median_s": median,
        "p90_s": p90,
        "total_s": total,
        "share": share.whole,
        "share_low": share_low,
        "share_high": share_high,
        "working_s": working,
        "queue_s": queue,
        "converted_s": converted,
        "followed_s": np.where(short, times.followed_us / _SECOND, np.nan),
    }
    formats = {name: "duration" for name in columns if name.endswith("_s")}
    formats |= {"low": "duration", "high": "duration", "share": "percent"}
    table = Table(columns, formats=formats, backend=journeys.log.backend)
    visits_s = np.bincount(visits.node, minlength=k) * np.nan_to_num(mean.whole)
    order = np.lexsort((np.arange(k), -np.where(np.isnan(total), visits_s, total)))
    estimates = {
        field: _estimate(journeys, figure, field, restricted=restricted, level=level)
        for field, figure in zip(_ENDS, ends, strict=True)
    }
    return Bottlenecks(table=table.take(order), level=level, caveats=caveats, **estimates)


def _estimate(
    journeys: Journeys,
    found: BucketFigures,
    field: str,
    *,
    restricted: float,
    level: float,
) -> Estimate:
    """Return the mean of a whole journey, named restricted where the time was not followed."""
    name, converted = _ENDS[field], field.endswith("converted")
    (value,), (low,), (high,) = map(np.atleast_1d, (found.whole, *found.positive(level)))
    notes = why_no_interval(found)
    cut = restricted > UNFOLLOWED
    if cut:
        notes = (f"{restricted:.0%} of journeys outlast what was followed.", *notes)
    if np.isnan(value) and len(journeys):
        notes = ("Journeys in progress are not brought to an end here.",)
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=int(np.count_nonzero(journeys.converted)) if converted else len(journeys),
        n_censored=0 if converted else int(np.count_nonzero(journeys.outcome == IN_PROGRESS)),
        unit=field.removesuffix("_converted"),
        method=f"{LOGARITHMS}, {CLUSTERED}",
        notes=notes,
        name=f"{'restricted mean' if cut else 'mean'} {name}",
    )


def _means(journeys: Journeys, by: By, times: TransitionTimes, left_s: Floats) -> BucketFigures:
    """Return the mean wait of each node, and the same without each bucket."""
    source, k = statistics_of(journeys, by).source, len(times.followed_us)
    one = np.ones(len(times.visit))
    left = times_without_buckets(journeys, by, times, one)
    sums = []
    for values, without in ((times.wait_s, left_s), (one, left)):
        whole = np.bincount(source, times.total(len(source), values), minlength=k)
        sums.append((whole, _by_node(without, source, k)))
    visits = visits_of(journeys, by)
    units = units_of(journeys).sums(
        visits.node[times.visit], k, item=visits.journey[times.visit], values=times.mass
    )
    mean, without = (quotient(part, mass) for part, mass in zip(*sums, strict=True))
    return BucketFigures(whole=mean, without=without, units=units)


def _of_visits(
    journeys: Journeys, visits: Visits, times: TransitionTimes
) -> tuple[Floats, BucketFigures, Floats, list[BucketFigures]]:
    """Return total, share and time of a converted journey, and whole journeys, as seen."""
    k = len(visits.names)
    node, journey = visits.node[times.visit], visits.journey[times.visit]
    spent = times.wait_s
    if times.weighted:  # a goal that ends nothing leaves no chain
        spent = spent * times.mass * np.bincount(visits.node, minlength=k)[node]
    total = np.bincount(node, spent, minlength=k).astype(np.float64)
    share = share_of_total_figures(
        spent, group=node, n_groups=k, units=units_of(journeys), item=journey
    )
    won = journeys.converted[journey]
    n_won = int(np.count_nonzero(journeys.converted))
    converted = np.bincount(node[won], spent[won], minlength=k)
    known = np.nan if np.any(visits.state == OPEN) or not journeys.rules.absorbing else 1.0
    ends = [
        mean_figures((known * values[of]).astype(np.float64), units_of(journeys), of)
        for values in (np.bincount(journey, spent, minlength=len(journeys)), 1 + journeys.lengths)
        for of in (np.arange(len(journeys)), np.flatnonzero(journeys.converted))
    ]
    return total, share, converted / n_won if n_won else np.full(k, np.nan), ends


def _of_chain(
    journeys: Journeys, by: By, times: TransitionTimes, left_s: Floats
) -> tuple[Floats, BucketFigures, Floats, list[BucketFigures]]:
    """Return the same as `_of_visits`, journeys in progress brought to their end."""
    statistics, figures, units = (
        statistics_of(journeys, by),
        chain_figures(journeys, by),
        units_of(journeys),
    )
    visits, k = visits_of(journeys, by), len(statistics.names)

    def solved(which: str, seconds: Floats) -> tuple[Floats, Floats, Floats]:
        """Return what is spent at each node, by a journey that converts too, and whole journeys."""
        v, h, p = (
            np.asarray(getattr(one, which))
            for one in (figures.visits, figures.hitting, figures.conversion)
        )
        to = np.append(h, np.broadcast_to([np.nan, 1.0, 0.0], (*h.shape[:-1], 3)), axis=-1)
        spent = v * _by_node(seconds, statistics.source, k)
        won = quotient(
            v * _by_node(seconds * to[..., statistics.target], statistics.source, k), p[..., None]
        )
        steps = 1 + v.sum(axis=-1), 1 + quotient((v * h).sum(axis=-1), p)
        return spent, won, np.stack([spent.sum(axis=-1), won.sum(axis=-1), *steps], axis=-1)

    spent, won, ends = solved("whole", times.total(len(statistics.source), times.wait_s))
    spent_without, _, ends_without = solved("without", left_s)
    unit = units.total(
        item=visits.journey[times.visit],
        values=statistics.visits[visits.node[times.visit]] * times.mass * times.wait_s,
    )
    known = 1.0 if figures.chain.restricted <= UNFOLLOWED else np.nan
    share = BucketFigures(
        whole=known * quotient(spent, spent.sum()),
        without=quotient(spent_without, spent_without.sum(axis=1, keepdims=True)),
        units=np.broadcast_to(unit[:, None], spent_without.shape),
    )
    everybody = figures.left.journeys
    converting = resting_on(
        units.total(values=journeys.converted.astype(np.float64)), everybody > 0
    )
    return (
        known * statistics.n_journeys * spent,
        share,
        known * won,
        [
            BucketFigures(whole=end, without=without, units=stands_on)
            for end, without, stands_on in zip(
                ends, ends_without.T, (everybody, converting) * 2, strict=True
            )
        ],
    )


def _by_node(values: Floats, source: Ints, k: int) -> Floats:
    """Return the sums over the transitions of each node, along the last axis."""
    sums = np.zeros((*values.shape[:-1], k))
    np.add.at(sums.T, source, np.nan_to_num(values).T)
    return sums


def _split(
    journeys: Journeys, visits: Visits, times: TransitionTimes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean working time and mean queue of each node, NaN without durations."""
    k = len(visits.names)
    duration = journeys.columns.numeric.get("duration_us")
    if duration is None:
        return np.full(k, np.nan), np.full(k, np.nan)
    worked = np.asarray(duration, dtype=np.float64)[visits.row[times.visit]] / _SECOND
    known = ~np.isnan(worked)
    node, mass, worked = visits.node[times.visit][known], times.mass[known], worked[known]
    # an interaction may outlast the time to the next one where timestamps are starts
    queue = np.maximum(times.wait_s[known] - worked, 0.0)
    n = np.bincount(node, mass, minlength=k).astype(np.float64)
    working, rest = (
        quotient(np.bincount(node, mass * part, minlength=k).astype(np.float64), n)
        for part in (worked, queue)
    )
    return working, rest


def _quantiles(
    node: NDArray[np.int64],
    wait: NDArray[np.float64],
    mass: NDArray[np.float64],
    k: int,
    at: tuple[float, ...],
) -> list[NDArray[np.float64]]:
    """Return the weighted quantiles of the waits of each node; NaN where nobody went on."""
    order = np.argsort(wait)
    order = order[np.argsort(node[order].astype(np.min_scalar_type(k)), kind="stable")]
    place, weight = node[order], np.cumsum(mass[order])
    ends = np.searchsorted(place, np.arange(k), side="right")
    begins = np.searchsorted(place, np.arange(k), side="left")
    before = np.append(0.0, weight)[begins]
    total = np.append(0.0, weight)[ends] - before
    some = ends > begins
    found = []
    for fraction in at:
        # rounding of the running sums must not push the quantile past the node's last wait
        target = np.searchsorted(weight, before + fraction * total * (1 - 1e-12))
        quantile = np.full(k, np.nan)
        quantile[some] = wait[order[np.clip(target, begins, ends - 1)[some]]]
        found.append(quantile)
    return found
