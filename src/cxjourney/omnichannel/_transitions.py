"""Matrix of transitions, and first and last channels of journeys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, cast, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.intervals import wilson_ends
from cxjourney._stats.ratios import shares_of_sums
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_flag, check_level, optional_duration
from cxjourney._support.words import how_long
from cxjourney._time.business_hours import BusinessHours
from cxjourney.domain import MISSING
from cxjourney.exceptions import InvalidValue, TimesRequired
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import (
    BySegment,
    JourneyStatistics,
    SegmentBy,
    WithPeople,
    by_segment,
    check_journeys,
    check_source,
    contacts_of_statistics,
    ended,
    left_out_of_graph,
    units_of,
    with_people,
)
from cxjourney.omnichannel._channel_transitions import (
    GRAINS,
    SLOW_MISSING,
    ChannelBy,
    OrderFacts,
    customers_of,
    interactions_of,
    notes_of_order,
    order_notes,
    progress_note,
    transitions_between,
)
from cxjourney.omnichannel._transition_columns import (
    TIMES,
    eventual_pairs,
    times_of_cells,
    waits_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools
    from cxjourney.journeys import By, Ending, Journeys

_SHOWN_AS = {
    "count": "transitions",
    "customers": "customers",
    "probability": "probability of the next {}",
}
_CELLS = ("count", "customers", "probability", "low", "high")


@attrs.frozen(kw_only=True, repr=False)
class Transitions(WithPeople):
    """Transitions between channels, or at another grain.

    `journeys(from, to)` gives the journeys with such a transition.

    Attributes
    ----------
    by
        What a row and a column of the matrix is.
    names
        The channels, sorted; the order of `matrix()`.
    table
        One row an observed transition, most frequent first.

        | column | what it is |
        |---|---|
        | `from_channel`, `to_channel` | of the transition; named after `by` |
        | `count`, `customers` | how often it was made, and by how many (NaN of a graph) |
        | `probability`, `low`, `high` | of the one after the other [fraction], and its interval |
        | `least_between` | fewest interactions between the two; with `follows="eventually"` |
        | `mean_s`, `std_s` | time from one to the other, its sample deviation [s]; with `times=` |
        | `min_s`, `median_s`, `p90_s`, `p95_s`, `max_s` | of transitions only; with `times=` |
    ends
        One row an observed pair of first and last channel of a journey.

        | column | what it is |
        |---|---|
        | `first_channel`, `last_channel` | known of a journey; named after `by` |
        | `journeys` | journeys with this pair |
        | `share`, `low`, `high` | of all journeys [fraction], and its interval |

        A graph does not know the pairs: there are no rows.
    n
        Number of transitions, those within a channel included.
    max_lag
        Longest time between two interactions that still makes a transition; None where any.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Transitions"
    _shared: ClassVar[tuple[str, ...]] = _CELLS

    by: ChannelBy
    names: tuple[str, ...]
    table: Table
    ends: Table
    n: int
    max_lag: timedelta | None
    level: float
    notes: tuple[str, ...]

    def _group(self, names: tuple[Any, ...]) -> str:
        return str(names[0])

    def matrix(
        self,
        values: Literal["count", "customers", "probability", "low", "high", "incoming"] = "count",
    ) -> NDArray[np.float64]:
        """Return the transitions as a square array in the order of `names`.

        Parameters
        ----------
        values
            Which column of `table` fills it; "incoming" is the share of what comes to a channel.

        Returns
        -------
        ndarray of float64
            Row: where from, column: where to. What was not observed is 0 for counts; for the others
            it is 0 in a row with observations, and NaN where nobody ever left that channel.
        """
        check_choice(values, "values", (*_CELLS, "incoming"))
        if values == "incoming":
            whole = self.matrix("count")
            total = whole.sum(axis=0)
            share = np.full(whole.shape, np.nan)
            np.divide(whole, total, out=share, where=total > 0)
            return share
        place = {name: i for i, name in enumerate(self.names)}
        source = [place[str(name)] for name in self.table[f"from_{self.by}"]]
        target = [place[str(name)] for name in self.table[f"to_{self.by}"]]
        square = np.zeros((len(self.names), len(self.names)))
        if values not in {"count", "customers"}:
            square[np.setdiff1d(np.arange(len(self.names)), source)] = np.nan
        square[source, target] = self.table[values]
        return square

    def plot(
        self,
        *,
        values: Literal["count", "customers", "probability"] = "probability",
        max_rows: int | None = 20,
        title: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the matrix as a heat map: row where from, column where to.

        Parameters
        ----------
        values
            What the cells show.
        max_rows
            Only so many of the busiest names are drawn; None draws all.
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        check_choice(values, "values", ("count", "customers", "probability"))
        counts = self.matrix()
        busiest = np.argsort(-(counts.sum(axis=0) + counts.sum(axis=1)), kind="stable")
        drawn = np.sort(busiest[:max_rows])
        names = [self.names[i] for i in drawn]
        caption = "Read along a row where customers go next; darker is more."
        return plot.heat_map(
            self.matrix(values)[np.ix_(drawn, drawn)],
            rows=names,
            columns=names,
            caption=caption + plot.drawn_of(len(drawn), len(self.names), f"{self.by}s"),
            percent=values == "probability",
            row_label=f"from {self.by}",
            column_label=f"to {self.by}",
            label=_SHOWN_AS[values].format(self.by),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        within = "" if self.max_lag is None else f" that are at most {how_long(self.max_lag)} apart"
        known = not np.isnan(np.asarray(self.table["customers"], dtype=np.float64)).any()
        how = "clustered by customer" if known else "with visits taken as independent"
        return (
            f"There are {self.n:,} transitions between consecutive interactions{within}.",
            f"{100 * self.level:g}% intervals are Wilson's, {how}.",
            *self.notes,
        )


@overload
def transitions(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: ChannelBy = "channel",
    max_lag: timedelta | str | None = None,
    closing: bool = True,
    follows: Literal["directly", "eventually"] = "directly",
    times: bool | Literal["queue"] | BusinessHours = False,
    segment: None = None,
    level: float = 0.95,
) -> Transitions: ...


@overload
def transitions(
    journeys: Journeys | JourneyStatistics,
    *,
    by: ChannelBy = "channel",
    max_lag: timedelta | str | None = None,
    closing: bool = True,
    follows: Literal["directly", "eventually"] = "directly",
    times: bool | Literal["queue"] | BusinessHours = False,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[Transitions]: ...


def transitions(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: ChannelBy = "channel",
    max_lag: timedelta | str | None = None,
    closing: bool = True,
    follows: Literal["directly", "eventually"] = "directly",
    times: bool | Literal["queue"] | BusinessHours = False,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Transitions | BySegment[Transitions]:
    """Return how often and how likely one channel follows another.

    Parameters
    ----------
    journeys
        The journeys, statistics that add up, or a whole graph, of which `by` is the grain and
        `closing` is False; aggregated paths count with their weights.
    by
        "channel", "kind" (of the channel: digital, physical, human, automated), "owner", "stage" or
        "touchpoint".
    max_lag
        Longest time between two interactions that still makes a transition; None takes any.
    closing
        Whether the goal or exit that ends a journey counts as an interaction in its channel: a
        purchase in the store after research on the web is a transition. False gives the counts of
        the edges of `journeys.graph(by=…)`.
    follows
        "directly": a transition is to the next interaction. "eventually": every pair of which one
        comes later in the journey counts, each occurrence; `least_between` of a channel and itself
        is then its smallest self-distance.
    times
        Whether the table has columns of times, from the beginning of one interaction to that of the
        next. "queue" leaves out the duration of the first: it is negative where both overlap, and
        an interaction without a duration ends when it begins. Business hours count only while they
        are open.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Transitions
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    InvalidValue
        If statistics or a graph are asked for what they have not counted.
    NotAFlow
        If the graph is a subgraph or was filtered.
    UnknownName
        If the log has no such column.
    TimesRequired
        If `max_lag` is given for aggregated paths.

    Notes
    -----
    p(b|a) = C_ab / Σ_b C_ab over consecutive interactions, repeats within a channel included. It is
    the share among interactions that were followed by another: what never came back is in
    `cxjourney.dropoff`. Counts of disjoint customers add up.

    A graph knows no customers, no ties and no ends of journeys: its visits are taken as
    independent, and a channel in which journeys only end is not among its `names`.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> paths = [["web", "store"], ["web", "web", "app"]]
    >>> journeys = Journeys.from_paths(paths, converted=[3, 1], channels=True)
    >>> found = transitions(journeys)
    >>> found.names
    ('app', 'store', 'web')
    >>> found.matrix().tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 3.0, 1.0]]
    """
    if segment is not None and not isinstance(journeys, JourneyGraph):
        return by_segment(
            check_journeys(journeys),
            segment,
            lambda part: transitions(
                part,
                by=by,
                max_lag=max_lag,
                closing=closing,
                follows=follows,
                times=times,
                level=level,
            ),
        )
    check_choice(follows, "follows", ("directly", "eventually"))
    hours = times if isinstance(times, BusinessHours) else None
    queue = isinstance(times, str) and bool(check_choice(times, "times", ("queue",)))
    timed = True if queue or hours is not None else check_flag(times, "times")  # type: ignore[arg-type]  # checked
    of_rows = {"times": timed or None, "follows": None if follows == "directly" else follows}
    source = check_source(journeys, by, segment=segment, max_lag=max_lag, **of_rows)
    check_level(level)
    lag = optional_duration(max_lag, "max_lag")
    if follows == "eventually":
        rows = check_journeys(source)
        if lag is not None or hours is not None or queue:
            raise InvalidValue(
                "max_lag=, times='queue' and business hours must come with follows='directly'"
            )
        return _eventually(rows, by, closing=closing, timed=timed, level=level)
    found = transitions_counted(source, by, closing=closing, max_lag=lag)
    columns: dict[str, Any] = {}
    if timed:
        rows = check_journeys(source)
        interactions = interactions_of(rows, by, closing=closing)
        made = transitions_between(rows, interactions, max_lag=lag)
        cell = distinct(made.source * max(1, len(interactions.names)) + made.target)[1]
        waits = waits_of(rows, interactions, made, hours, queue=queue)
        columns = times_of_cells(waits, cell, len(found.cells))
    result = _made(source, found, by, level=level, max_lag=lag, columns=columns)
    if isinstance(source, (JourneyStatistics, JourneyGraph)):
        return result

    def members(_place: int, pair: tuple[str, ...], outcome: Ending | None) -> Bools:
        all_of = interactions_of(source, by, closing=closing)  # found again: results are small
        made = transitions_between(source, all_of, max_lag=lag)
        begin, end = map(all_of.names.index, pair)
        mask = np.zeros(len(source.outcome), dtype=np.bool_)
        mask[made.journey[(made.source == begin) & (made.target == end)]] = True
        return mask & ended(source, outcome)

    return with_people(result, source, members)


def _eventually(
    journeys: Journeys, by: ChannelBy, *, closing: bool, timed: bool, level: float
) -> Transitions:
    """Return the pairs of which one follows the other eventually."""
    bucket = units_of(journeys).of
    if bucket is None or (timed and journeys.columns.time is None):
        raise TimesRequired("follows='eventually' needs interactions; aggregated paths have none")
    all_of = interactions_of(journeys, by, closing=closing)
    found = eventual_pairs(journeys, all_of, bucket, times=timed)
    nobody = np.zeros(0, dtype=np.int64)
    counts = _Counted(
        names=all_of.names,
        cells=found.cells,
        own=found.own,
        n=int(found.own.sum()),
        notes=("A pair is of any two interactions of a journey, the one before the other.",),
        rest=lambda: _Rest(found.customers, nobody, np.empty((1, 0))),
    )
    result = _made(journeys, counts, by, level=level, columns=found.columns)

    def members(_place: int, pair: tuple[str, ...], outcome: Ending | None) -> Bools:
        begin, end = map(all_of.names.index, pair)
        n = len(journeys.outcome)
        first, last = np.full(n, len(all_of)), np.full(n, -1)
        at = np.flatnonzero(all_of.node == begin)[::-1]
        first[all_of.journey[at]] = at
        at = np.flatnonzero(all_of.node == end)
        last[all_of.journey[at]] = at
        return (first < last) & ended(journeys, outcome)

    return with_people(result, journeys, members)


@attrs.frozen(kw_only=True, eq=False)
class _Counted:
    """Transitions of journeys: what each bucket has of them.

    Attributes
    ----------
    names
        Names of the nodes.
    cells, own
        Transitions that occur, source (nodes) + target, and how many each bucket has, shape
        (buckets, cells); a graph is one bucket.
    n
        Number of transitions.
    notes
        On their order and spread.
    rest
        What more there is to count, which takes as long as all the others.
    """

    names: tuple[str, ...]
    cells: Ints
    own: Floats
    n: int
    notes: tuple[str, ...]
    rest: Callable[[], _Rest]


class _Rest(NamedTuple):
    """Customers of each transition; pairs of first and last node, and how many each bucket has."""

    customers: Ints | Floats
    pairs: Ints
    own_ends: Floats


def transitions_counted(
    source: Journeys | JourneyStatistics | JourneyGraph,
    by: ChannelBy,
    *,
    closing: bool,
    max_lag: timedelta | None = None,
) -> _Counted:
    """Return the transitions of journeys, of statistics that add up, or of a graph."""
    if isinstance(source, JourneyGraph):
        return _of_graph(source, by, closing=closing)
    if isinstance(source, JourneyStatistics):
        return _of_statistics(source, by, closing=closing)
    return _of_journeys(source, by, closing=closing, max_lag=max_lag)


def _of_journeys(
    journeys: Journeys, by: ChannelBy, *, closing: bool, max_lag: timedelta | None
) -> _Counted:
    interactions = interactions_of(journeys, by, closing=closing)
    made = transitions_between(journeys, interactions, max_lag=max_lag)
    k, units = max(1, len(interactions.names)), units_of(journeys)
    cells, cell = distinct(made.source * k + made.target)

    def rest() -> _Rest:
        first, last = interactions.first, interactions.last
        pairs, pair = distinct(interactions.node[first] * k + interactions.node[last])
        return _Rest(
            customers_of(cell, len(cells), made.customer, made.weight),
            pairs,
            units.sums(pair, len(pairs), item=interactions.journey[first]),
        )

    return _Counted(
        names=interactions.names,
        cells=cells,
        own=units.sums(cell, len(cells), item=made.journey),
        n=made.total,
        notes=order_notes(journeys, by, closing=closing, max_lag=max_lag),
        rest=rest,
    )


def _of_statistics(statistics: JourneyStatistics, by: ChannelBy, *, closing: bool) -> _Counted:
    check_flag(closing, "closing")
    if check_choice(by, "by", GRAINS) == "kind":
        raise InvalidValue.of("by", "be a grain that statistics that add up count", by)
    found = contacts_of_statistics(statistics, cast("By", by), closing=closing)
    k = max(1, len(found.names))
    rows = found.rows
    made = int(found.own.sum())
    facts = OrderFacts(
        n=rows["rows"],
        n_unknown=rows["unknown"],
        n_pairs=rows["pairs"],
        made=made,
        switched=int(found.own[:, found.cells // k != found.cells % k].sum()),
        lost=rows["pairs"] - made,
        late=0,
        tied=rows["tied"],
        dates_only=not rows["within a day"],
        at_end=found.at_end,
        n_names=len(found.names),
        longer=rows["longer"] > 0,
    )
    return _Counted(
        names=found.names,
        cells=found.cells,
        own=found.own.astype(np.float64),
        n=made,
        notes=notes_of_order(facts, by),
        rest=lambda: _Rest(found.customers, found.pairs, found.own_ends.astype(np.float64)),
    )


def _of_graph(graph: JourneyGraph, by: ChannelBy, *, closing: bool) -> _Counted:
    if check_flag(closing, "closing"):
        rule = f"be False for a graph, which does not know the {by} of the goal or exit at the end"
        raise InvalidValue.of("closing", rule, closing)
    whole = left_out_of_graph(graph).whole
    names = tuple(sorted(name for name in whole.names if name != MISSING))
    k, inner = len(names), whole.target < len(whole.names)
    code = {name: i for i, name in enumerate(names)}
    place = np.array([code.get(name, -1) for name in whole.names], dtype=np.int64)
    source, target = place[whole.source[inner]], place[whole.target[inner]]
    known = (source >= 0) & (target >= 0)
    cells, count = (source * k + target)[known], whole.count[inner]
    order, n_pairs, count = np.argsort(cells), int(count.sum()), count[known]
    made = int(count.sum())
    facts = OrderFacts(
        n=int(whole.visits.sum()),
        n_unknown=int(whole.visits[place < 0].sum()),
        n_pairs=n_pairs,
        made=made,
        switched=int(count[(source != target)[known]].sum()),
        lost=n_pairs - made,
        late=0,
        tied=0,
        dates_only=False,
        at_end=0,
        n_names=k,
        longer=True,
    )
    told = (
        "A graph has no customers, and knows neither ties nor which first and last "
        f"{by} belong together. A {by} in which journeys only end is not counted."
    )
    nobody = np.empty(0, dtype=np.int64)
    return _Counted(
        names=names,
        cells=cells[order],
        own=count[None, order].astype(np.float64),
        n=made,
        notes=(*notes_of_order(facts, by), told),
        rest=lambda: _Rest(np.full(len(cells), np.nan), nobody, np.empty((1, 0))),
    )


def _made(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    counts: _Counted,
    by: ChannelBy,
    *,
    level: float,
    columns: dict[str, Any],
    max_lag: timedelta | None = None,
) -> Transitions:
    names, k = np.array([*counts.names, ""], dtype=object), max(1, len(counts.names))
    cells, (customers, pairs, own_ends) = counts.cells, counts.rest()
    found = shares_of_sums(counts.own, cells // k, level=level)
    low, high, backend = found.low, found.high, None
    if isinstance(journeys, JourneyGraph):
        low, high = wilson_ends(found.value, found.base.astype(np.float64), level=level)
    else:
        backend = journeys.backend
    order = np.lexsort((cells, -found.count))
    table = Table(
        {
            f"from_{by}": names[cells[order] // k].tolist(),
            f"to_{by}": names[cells[order] % k].tolist(),
            "count": found.count[order],
            "customers": customers[order],
            "probability": found.value[order],
            "low": low[order],
            "high": high[order],
            **{name: values[order] for name, values in columns.items()},
        },
        formats={"probability": "percent", "low": "percent", "high": "percent"}
        | dict.fromkeys(TIMES, "duration"),
        backend=backend,
    )
    ends = shares_of_sums(own_ends, np.zeros_like(pairs), level=level)
    order = np.lexsort((pairs, -ends.count))
    return Transitions(
        by=by,
        names=counts.names,
        table=table,
        ends=Table(
            {
                f"first_{by}": names[pairs[order] // k].tolist(),
                f"last_{by}": names[pairs[order] % k].tolist(),
                "journeys": ends.count[order],
                "share": ends.value[order],
                "low": ends.low[order],
                "high": ends.high[order],
            },
            formats={"share": "percent", "low": "percent", "high": "percent"},
            backend=backend,
        ),
        n=counts.n,
        max_lag=max_lag,
        level=level,
        notes=(
            *counts.notes,
            *progress_note(journeys, f"{SLOW_MISSING} Nor is their last {by} known yet."),
        ),
    )
