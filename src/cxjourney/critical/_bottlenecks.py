"""Bottlenecks: the nodes where the time of customers goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney._stats.estimates import CLUSTERED, LOGARITHMS, means_without, why_no_interval
from cxjourney._stats.ratios import quotient, ratio_of_sums
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.domain import Outcome
from cxjourney.journeys import (
    Journeys,
    by_segment,
    chain_figures,
    chain_of,
    check_counted,
    check_journeys,
    grain_name,
    grid_notes,
    missing_note_of,
    statistics_of,
    waits_of,
)
from cxjourney.markov import UNFOLLOWED
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.journeys import By, BySegment, JourneyStatistics, NodeWaits, SegmentBy

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

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the share of all time that is spent at each node, the largest on top.

        Parameters
        ----------
        max_rows
            Only so many of the largest are drawn; None draws all.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        table = self.table.take(range(len(self.table))[:max_rows])
        grain = self.table.column_names[: self.table.column_names.index("visits")]
        return plot.bars(
            plot.joined(*(table[name] for name in grain), by=" @ "),
            table["share"],
            table["share_low"],
            table["share_high"],
            percent=True,
            label=f"share of the time of all journeys, {100 * self.level:g}% interval",
            caption="Where the time of customers goes: between a visit there and the next."
            + plot.drawn_of(len(table), len(self.table), "nodes"),
            title=self.title if title is None else title,
            ax=ax,
        )

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
    journeys: Journeys | JourneyStatistics,
    *,
    by: By = "touchpoint",
    level: float = 0.95,
    segment: None = None,
) -> Bottlenecks: ...


@overload
def bottlenecks(
    journeys: Journeys, *, by: By = "touchpoint", level: float = 0.95, segment: SegmentBy
) -> BySegment[Bottlenecks]: ...


def bottlenecks(
    journeys: Journeys | JourneyStatistics,
    *,
    by: By = "touchpoint",
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Bottlenecks | BySegment[Bottlenecks]:
    """Return how long customers take from each node to the next, and its share of all their time.

    Parameters
    ----------
    journeys
        The journeys, with times, or statistics of them, which know no durations.
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
    check_level(level)
    if segment is not None:
        return by_segment(
            check_journeys(journeys), segment, lambda part: bottlenecks(part, by=by, level=level)
        )
    counted = check_counted(journeys)
    if isinstance(counted, Journeys):
        counted.require_times("critical.bottlenecks()")
    whole, waits = statistics_of(counted, by), waits_of(counted, by)
    k = len(whole.names)
    mean = _means(whole.source, waits)
    low, high = mean.means(level)
    if waits.weighted and counted.rules.absorbing:
        total, share, converted, ends = _of_chain(counted, by, waits)
        restricted = chain_of(counted, by).restricted
    else:
        known = not whole.censored.any() and counted.rules.absorbing
        total, share, converted, ends = _of_visits(waits, known=known)
        restricted = 0.0
    share_low, share_high = share.wilson(level)
    caveats = (*means_without(mean.whole, low), *missing_note_of(counted, by))
    caveats += grid_notes(counted, by)
    short = waits.followed_us >= 0
    if short.any():
        n = np.count_nonzero(short)
        caveats += (f"Visits at {n:,} nodes were not followed to the limit; see followed_s.",)
    if np.isnan(total).all() and waits.moved.any():
        caveats += ("Shares are not known: more than 1% of journeys outlast what was followed.",)
    columns = {
        grain_name(by): whole.names,
        "visits": whole.visits,
        "moved": waits.moved,
        "wait_s": mean.whole,
        "low": np.maximum(low, 0.0),
        "high": high,
        "median_s": waits.median_s,
        "p90_s": waits.p90_s,
        "total_s": total,
        "share": share.whole,
        "share_low": share_low,
        "share_high": share_high,
        "working_s": waits.working_s,
        "queue_s": waits.queue_s,
        "converted_s": converted,
        "followed_s": np.where(short, waits.followed_us / _SECOND, np.nan),
    }
    formats = {name: "duration" for name in columns if name.endswith("_s")}
    formats |= {"low": "duration", "high": "duration", "share": "percent"}
    table = Table(columns, formats=formats, backend=counted.backend)
    visits_s = whole.visits * np.nan_to_num(mean.whole)
    order = np.lexsort((np.arange(k), -np.where(np.isnan(total), visits_s, total)))
    estimates = {
        field: _estimate(counted, figure, field, restricted=restricted, level=level)
        for field, figure in zip(_ENDS, ends, strict=True)
    }
    return Bottlenecks(table=table.take(order), level=level, caveats=caveats, **estimates)


def _estimate(
    journeys: Journeys | JourneyStatistics,
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
        n=journeys.outcomes[Outcome.CONVERTED] if converted else len(journeys),
        n_censored=0 if converted else journeys.outcomes[Outcome.IN_PROGRESS],
        unit=field.removesuffix("_converted"),
        method=f"{LOGARITHMS}, {CLUSTERED}",
        notes=notes,
        name=f"{'restricted mean' if cut else 'mean'} {name}",
    )


def _means(source: Ints, waits: NodeWaits) -> BucketFigures:
    """Return the mean wait of each node, and the same without each bucket."""
    k = len(waits.moved)
    mean, without = (
        quotient(_by_node(seconds, source, k), _by_node(mass, source, k))
        for seconds, mass in (
            (waits.seconds, waits.mass),
            (waits.seconds_without, waits.mass_without),
        )
    )
    return BucketFigures(whole=mean, without=without, units=waits.mass_of)


def _of_visits(
    waits: NodeWaits, *, known: bool
) -> tuple[Floats, BucketFigures, Floats, list[BucketFigures]]:
    """Return total, share and time of a converted journey, and whole journeys, as seen."""
    total = waits.spent.sum(axis=1, keepdims=True)
    share = ratio_of_sums(waits.spent, np.broadcast_to(total, waits.spent.shape))
    n_won = waits.won.sum()
    converted = waits.spent_won.sum(axis=0)
    ends = [
        ratio_of_sums((values if known else values * np.nan)[:, None], base[:, None])
        for values, base in (
            (waits.spent.sum(axis=1), waits.journeys),
            (waits.spent_won.sum(axis=1), waits.won),
            (waits.journeys + waits.steps, waits.journeys),
            (waits.won + waits.steps_won, waits.won),
        )
    ]
    mean = converted / n_won if n_won else np.full(len(converted), np.nan)
    return waits.spent.sum(axis=0), share, mean, ends


def _of_chain(
    journeys: Journeys | JourneyStatistics, by: By, waits: NodeWaits
) -> tuple[Floats, BucketFigures, Floats, list[BucketFigures]]:
    """Return the same as `_of_visits`, journeys in progress brought to their end."""
    statistics, figures = statistics_of(journeys, by), chain_figures(journeys, by)
    k = len(statistics.names)

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

    spent, won, ends = solved("whole", waits.seconds)
    spent_without, _, ends_without = solved("without", waits.seconds_without)
    known = 1.0 if chain_of(journeys, by).restricted <= UNFOLLOWED else np.nan
    share = BucketFigures(
        whole=known * quotient(spent, spent.sum()),
        without=quotient(spent_without, spent_without.sum(axis=1, keepdims=True)),
        units=np.broadcast_to(waits.spent.sum(axis=1, keepdims=True), spent_without.shape),
    )
    everybody = figures.left.journeys
    converting = resting_on(waits.won, everybody > 0)
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
