"""Exits of nodes: where customers are lost, how sure that is, and what it costs.

The exit probabilities themselves are computed in `_rates`, from `cxjourney.journeys.statistics_of`.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimates import CLUSTERED
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count, check_level, check_names, optional_duration
from cxjourney._support.words import at_most, counted, how_long
from cxjourney.domain import Outcome
from cxjourney.dropoff._exit_caveats import exit_caveats
from cxjourney.dropoff._exit_columns import exit_columns, name_columns
from cxjourney.dropoff._first_visits import (
    beginnings_of,
    check_reaching,
    later_figures,
    window_of,
)
from cxjourney.dropoff._lost_conversions import loses_nothing, lost_of_graph, lost_of_journeys
from cxjourney.dropoff._rates import rates_of_graph, rates_of_journeys
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, UnknownName
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import (
    BySegment,
    JourneyStatistics,
    WithPeople,
    by_segment,
    check_counted,
    check_own_grain,
    conversion_later,
    days_of,
    grid_notes,
    left_out_of_graph,
    mean_value,
    mean_value_of_graph,
    missing_note,
    statistics_of,
    visited,
    visits_of,
    with_people,
)
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from matplotlib.axes import Axes

    from cxjourney._stats.buckets import BucketFigures
    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.dropoff._rates import NodeRates
    from cxjourney.journeys import By, Ending, Journeys, SegmentBy

_SHOWN = (
    "visits",
    "at_risk",
    "exits",
    "censored",
    "exit_probability",
    "low",
    "high",
    "lift",
    "lost_conversions",
)
_INTEGERS = ("visits", "at_risk", "exits", "censored")
_PERCENT = ("exit_probability", "low", "high", "shrunken")


@attrs.frozen(kw_only=True, repr=False)
class Exits(WithPeople):
    """Where customers are lost: one row a node, the costliest first.

    `journeys(node)` gives the journeys that exited there; with `outcome="converted"` or "in
    progress" those of which it was the last visit, with "any" all that were there.

    Attributes
    ----------
    table
        The rows; see `exits` for the columns.
    grain
        What a node is: "touchpoint", or two names for a pair.
    level
        Confidence level of the intervals.
    method
        How probabilities and intervals were made.
    inactivity
        The silence after which a customer counted as lost; None where no limit was used.
    window
        How long after a first visit conversions count as later on; None where nothing was counted,
        or all of them.
    reaching
        The node that is to be reached later on; None where none was asked for.
    n_journeys, n_converted, n_dropped, n_in_progress
        The journeys by outcome.
    n_dropped_after_goal
        Those that dropped after they had begun after a goal: their customers had been served.
    caveats
        What a reader must know.
    """

    title: ClassVar[str] = "Where customers are lost"
    _shared: ClassVar[tuple[str, ...]] = (
        *("visits", "at_risk", "exits", "censored"),
        *("exit_probability", "low", "high"),
    )

    table: Table
    grain: tuple[str, ...]
    level: float
    method: str
    inactivity: timedelta | None
    window: timedelta | None
    reaching: str | None
    n_journeys: int
    n_converted: int
    n_dropped: int
    n_in_progress: int
    n_dropped_after_goal: int
    caveats: tuple[str, ...]

    def estimate(self, *names: str) -> Estimate:
        """Return the exit probability of one node as an `Estimate`.

        Parameters
        ----------
        names
            The node: the values of the leading columns.

        Raises
        ------
        UnknownName
            If there is no such node.
        """
        i = self._place(names, "node")
        return Estimate(
            value=float(self.table["exit_probability"][i]),
            low=float(self.table["low"][i]),
            high=float(self.table["high"][i]),
            level=self.level,
            n=int(self.table["at_risk"][i]),
            n_censored=int(self.table["censored"][i]),
            unit="fraction",
            method=self.method,
            name="exit_probability",
            definition="probability that a visit is the last one of a journey that drops off",
        )

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the exit probabilities with their intervals, the costliest on top.

        Parameters
        ----------
        max_rows
            Only so many of the costliest nodes are drawn; None draws all.
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        if max_rows is not None:
            check_count(max_rows, "max_rows", 0)
        nodes = plot.joined(*(self.table[g] for g in self.grain), by=" @ ")
        kept = set(list(dict.fromkeys(nodes))[:max_rows])
        rows = [i for i, node in enumerate(nodes) if node in kept]
        table = self.table.take(rows)
        lost = np.asarray(table["lost_conversions"], dtype=np.float64).tolist()
        return plot.forest(
            [nodes[i] for i in rows],
            table["exit_probability"],
            table["low"],
            table["high"],
            n=table["at_risk"],
            beside=[f"{lost:,.{0 if lost >= 10 else 1}f} lost" for lost in lost],
            caption="How likely a visit is the last one (n: visits that show it). Sorted by the "
            "conversions lost there, most on top."
            + plot.drawn_of(len(kept), len(set(nodes)), "nodes"),
            percent=True,
            label=f"exit probability, {100 * self.level:g}% interval",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _apart(self, names: tuple[Any, ...]) -> tuple[Ints, ...]:
        journeys, _ = self._people  # type: ignore[attr-defined]  # asked for where there are some
        by = cast("By", self.grain[0] if len(self.grain) == 1 else self.grain)
        visits = visits_of(journeys, by)
        nodes = list(zip(*name_columns(visits.names, self.grain).values(), strict=True))
        here = visits.node == nodes.index(names)
        onward = (visits.following >= 0) & (visits.following < visits.start)
        return (visits.customer[here & onward],)

    def _shown(self) -> Table:
        later = [n for n in ("conversion_after", "reaching_after") if n in self.table.column_names]
        return self.table.select((*self.grain, *_SHOWN, *later))

    def _notes(self) -> tuple[str, ...]:
        silent = self.n_dropped_after_goal
        ends = f"{self.n_converted:,} converted and {self.n_dropped - silent:,} dropped"
        running = counted(self.n_in_progress, "is", "are")
        facts = [
            f"Exit probabilities have {100 * self.level:g}% intervals ({self.method}).",
            f"Of {self.n_journeys:,} journeys {ends}; {running} in progress.",
        ]
        if silent:
            fell = counted(silent, "more journey", "more journeys")
            facts.append(
                f"{fell} fell silent after a goal: the customers had been served and are not lost, "
                "but the last visits count among the exits."
            )
        if self.inactivity is not None:
            facts.append(
                f"A journey counts as dropped after a silence of {how_long(self.inactivity)}; its "
                "customer may still come back."
            )
        if self.window is not None:
            also = f", and reaching_after that of reaching {self.reaching!r}"
            facts.append(
                "conversion_after is the probability of conversion within "
                f"{how_long(self.window)} of the first visit of a journey"
                f"{also if self.reaching else ''}."
            )
        return (*facts, *self.caveats)


@overload
def exits(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: By | None = None,
    segment: None = None,
    expected_exits: Collection[str] = (),
    window: timedelta | str | None = None,
    reaching: str | None = None,
    level: float = 0.95,
) -> Exits: ...


@overload
def exits(
    journeys: Journeys,
    *,
    by: By | None = None,
    segment: SegmentBy,
    expected_exits: Collection[str] = (),
    window: timedelta | str | None = None,
    reaching: str | None = None,
    level: float = 0.95,
) -> BySegment[Exits]: ...


def exits(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: By | None = None,
    segment: SegmentBy | None = None,
    expected_exits: Collection[str] = (),
    window: timedelta | str | None = None,
    reaching: str | None = None,
    level: float = 0.95,
) -> Exits | BySegment[Exits]:
    """Return where customers are lost: exit probabilities and what they cost in conversions.

    Parameters
    ----------
    journeys
        The journeys, statistics of them that add up, or a graph that was built from journeys. A
        graph knows no customers: its visits are taken as independent.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them; None means
        "touchpoint", or the grain of the graph.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    expected_exits
        Nodes where an exit is no loss, such as a confirmation page; see below.
    window
        How long after the first visit of a journey conversions count as later on; None takes the
        days within which nine of ten conversions come, or a quarter of the observation.
    reaching
        A node, such as the payment page: how often it is reached later on is told too.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Exits
        One row a node, by `lost_conversions`; NaN where a number is not defined. The columns are
        those of the grain, and

        | column | what it is |
        |---|---|
        | `visits` | visits of the node |
        | `at_risk` | visits whose end is known |
        | `exits` | visits that ended in drop-off |
        | `censored` | visits whose end is not known yet |
        | `exit_probability`, `low`, `high` | probability of an exit [fraction], its interval |
        | `lift`, `lift_low`, `lift_high` | its ratio to that of all other nodes |
        | `lost_conversions`, `lost_low`, `lost_high` | conversions that exits cost |
        | `lost_rate` | the same per journey |
        | `value_at_stake` | their mean value [currency]; only where values are known |
        | `shrunken` | the rate drawn towards those of the same stage, else towards all |
        | `rank_low`, `rank_high` | ranks that these leave open, 1 for the highest |
        | `expected_exit` | whether the node is among `expected_exits` |
        | `conversion_after`, `…_low`, `…_high` | conversion within the window after it |
        | `reaching_after`, `…_low`, `…_high` | with `reaching`: that node reached within it |
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    OutcomeUndetermined
        If nothing tells when a journey without the goal is over.
    NotAFlow
        If the graph is a subgraph or was filtered.
    InvalidValue
        If a graph is asked for another grain, for segments or for what comes later, or an argument
        breaks its rule.
    UnknownName
        If the log has no such column or attribute, or no node has a name in `expected_exits` or
        `reaching`.

    Notes
    -----
    `expected_exits=` is not the `exit_touchpoints=` of `log.journeys`. An exit touchpoint says how
    journeys are cut: reaching it *is* dropping off, and it is no node of the graph. An expected
    exit changes no journey, no count and no probability: the node stays, and its row stands last
    with its exit probability and nothing else, because leaving there costs nothing and no other
    node should be compared with it. A goal that does not end its journeys (`after_goal="keep"`)
    is an expected exit by itself.

    The exit probability is the Kaplan-Meier survival of the time to the next visit at the
    inactivity limit: `e = 1 - Σ_y P_xy` with Aalen-Johansen probabilities of all that is
    not an exit. Visits whose end is not known are censored. To count them as lost overstates
    drop-off, to leave them out understates it. Where there are no times or no limit it is
    exits/at_risk.

    Of a channel, stage or owner each touchpoint is corrected by itself and counts with all of its
    visits: one that was launched late does not lend its short follow-up to the others. Those with
    fewer than 5 visits that could be followed up to the limit are taken together, or with the
    busiest of the node where they are fewer than 5 even so.

    Every figure is computed again without each of 64 buckets of customers, and its variance is
    that of these answers (delete-a-group jackknife). The interval of the exit probability is
    Wilson's with `n = e (1 - e) / Var(e)` trials; where all visits ended alike, n is the number of
    buckets that they are worth. Lift and lost conversions have Student's interval on the scale of
    logarithms; it needs exits in more than one bucket.

    Lost conversions are `J v_x h_x e_x / (1 - e_x)` with visits v and hitting probabilities h of
    the absorbing chain: what would be gained, to first order, if nobody left at x and those who
    now leave went on like those who stay. They are usually weaker prospects: an upper bound, and
    no causal claim. It is not defined where everybody leaves.

    `conversion_after` shows a fault whose victims leave later, at another touchpoint. It begins at
    the first visit of a journey to the node, so that nothing before it enters, and is the
    Kaplan-Meier estimate of the time to the conversion. The end of the observation is known for
    every journey: one that dropped off stays at risk until then, and is no competing event (Fine
    and Gray 1999). Its interval is Wilson's, with the same jackknife over buckets. Journeys that
    may have begun before the observation are left out. A graph has no such columns.

    Censoring must have nothing to do with leaving; a snapshot is fine, a calendar drift of the
    exit probability is not.

    Examples
    --------
    >>> import cxjourney as cx
    >>> from cxjourney.dropoff import exits
    >>> graph = cx.JourneyGraph.from_counts(
    ...     {
    ...         (cx.START, "web"): 100,
    ...         ("web", "cart"): 50,
    ...         ("web", cx.DROPOFF): 50,
    ...         ("cart", cx.CONVERSION): 40,
    ...         ("cart", cx.DROPOFF): 10,
    ...     }
    ... )
    >>> found = exits(graph)
    >>> found.estimate("web")
    50.0% [40.3%, 59.7%] (95% count, Wilson, visits independent, n=100)
    >>> found.table["lost_conversions"].round(6).tolist()
    [40.0, 10.0]
    """
    check_level(level)
    ends = frozenset(check_names(expected_exits, "expected_exits"))
    if isinstance(journeys, JourneyGraph):
        for name, given in (("segment", segment), ("window", window), ("reaching", reaching)):
            if given is not None:
                what = "segments" if name == "segment" else "journeys"
                raise InvalidValue.of(name, f"be None for a graph, which knows no {what}", given)
        return _of_graph(journeys, by, ends, level)
    counted = check_counted(journeys, segment=segment, reaching=reaching)
    counted.require_determined("dropoff.exits()")
    grain: By = "touchpoint" if by is None else by
    _check_expected(ends, statistics_of(counted, grain).names)
    if not counted.rules.absorbing and grain == "touchpoint":
        ends |= set(counted.rules.goal)
    if isinstance(counted, JourneyStatistics):
        return _of_statistics(counted, grain, ends, level, window)
    begun = beginnings_of(counted, grain)
    check_reaching(reaching, begun)
    days = window_of(window, begun)
    if segment is not None:
        return by_segment(
            counted, segment, lambda part: _of_journeys(part, grain, ends, level, (days, reaching))
        )
    return _of_journeys(counted, grain, ends, level, (days, reaching))


def _of_journeys(
    journeys: Journeys,
    by: By,
    ends: frozenset[str],
    level: float,
    asked: tuple[float, str | None],
) -> Exits:
    days, reaching = asked
    wanted = ["conversion"] if journeys.rules.goal or journeys.converted.any() else []
    wanted += [] if reaching is None else ["reaching"]
    found = later_figures(journeys, by, wanted, reaching=reaching, window=days)
    later = {f"{one}_after": figures for one, figures in found.items()}
    window = timedelta(days=days) if np.isfinite(days) else None
    result = _of_counted(journeys, by, ends, level, later=later, window=window, reaching=reaching)

    def members(_place: int, names: tuple[str, ...], outcome: Ending | None) -> Bools:
        visits = visits_of(journeys, by)
        grain = (by,) if isinstance(by, str) else tuple(by)
        nodes = list(zip(*name_columns(visits.names, grain).values(), strict=True))
        return visited(visits, visits.node == nodes.index(names), outcome or "dropped")

    return with_people(result, journeys, members)


def _of_statistics(
    statistics: JourneyStatistics,
    by: By,
    ends: frozenset[str],
    level: float,
    window: timedelta | str | None,
) -> Exits:
    optional_duration(window, "window")
    converts = statistics.rules.goal or statistics.outcomes[Outcome.CONVERTED]
    if not converts or not statistics.rules.absorbing:
        return _of_counted(statistics, by, ends, level)
    days = days_of(window, statistics)
    found = conversion_later(statistics, by, days)
    result = _of_counted(
        statistics,
        by,
        ends,
        level,
        later={"conversion_after": found.figures},
        window=timedelta(days=days),
    )
    told = f"Conversions later on lie at most {at_most(found.apart)} from those of raw times."
    return attrs.evolve(result, caveats=(*result.caveats, told))


def _of_counted(
    journeys: Journeys | JourneyStatistics,
    by: By,
    ends: frozenset[str],
    level: float,
    **later: Any,
) -> Exits:
    rates = rates_of_journeys(journeys, by, expected_exits=ends)
    lost = None
    if not loses_nothing(journeys):
        lost = lost_of_journeys(rates, journeys, by)
    counts = {outcome.value: n for outcome, n in journeys.outcomes.items()}
    grain = (by,) if isinstance(by, str) else tuple(by)
    return _result(
        rates,
        lost,
        grain=grain,
        worth=mean_value(journeys),
        level=level,
        method=_method(journeys),
        inactivity=journeys.rules.inactivity,
        timed=_timed(journeys),
        counts=(counts["converted"], counts["dropped"], counts["in_progress"]),
        silent=journeys.n_dropped_after_goal,
        backend=journeys.backend,
        told=grid_notes(journeys, by),
        **later,
    )


def _of_graph(graph: JourneyGraph, by: By | None, ends: frozenset[str], level: float) -> Exits:
    facts = graph.graph
    grain = tuple(str(facts.get("grain", "touchpoint")).split(", "))
    check_own_grain(graph, by)
    if not facts.get("determined", True):
        raise OutcomeUndetermined(
            "dropoff.exits() needs to know when a journey without the goal is over; build the "
            "graph from journeys with inactivity=, exit_touchpoints= or all_closed=True"
        )
    graph.check_flow()
    _check_expected(ends, graph.touchpoints)
    if not facts.get("absorbing", True) and grain == ("touchpoint",):
        ends |= set(json.loads(facts.get("goal", "[]"))) & set(graph)
    left = left_out_of_graph(graph)
    rates = rates_of_graph(graph, left, expected_exits=ends)
    lost = None
    if not loses_nothing(graph):
        lost = lost_of_graph(rates, graph, left)
    limit = facts.get("inactivity_us")
    return _result(
        rates,
        lost,
        grain=grain,
        worth=mean_value_of_graph(graph),
        level=level,
        method=f"{facts.get('estimator', 'count')}, Wilson, visits independent",
        inactivity=None if limit is None else timedelta(microseconds=limit),
        timed=facts.get("estimator", "count") != "count",
        counts=(facts["n_converted"], facts["n_dropped"], facts["n_in_progress"]),
        backend=None,
    )


def _check_expected(ends: frozenset[str], nodes: Collection[str]) -> None:
    for name in sorted(ends):
        if nodes and name not in nodes:
            raise UnknownName.among("expected exit", name, nodes, where="the nodes")


def _timed(journeys: Journeys | JourneyStatistics) -> bool:
    """Return whether censored visits count for as long as they were seen."""
    timed = isinstance(journeys, JourneyStatistics) or journeys.columns.time is not None
    return timed and journeys.rules.inactivity is not None


def _method(journeys: Journeys | JourneyStatistics) -> str:
    if not _timed(journeys):
        estimator = "exits/at_risk"
    elif journeys.rules.exit_touchpoints:
        estimator = "Aalen-Johansen at the limit"
    else:
        estimator = "Kaplan-Meier at the limit"
    return f"{estimator}, Wilson, {CLUSTERED}"


def _result(
    rates: NodeRates,
    lost: BucketFigures | None,
    *,
    grain: tuple[str, ...],
    worth: float,
    level: float,
    method: str,
    inactivity: timedelta | None,
    timed: bool,
    counts: tuple[int, int, int],
    silent: int = 0,
    backend: str | None,
    later: Mapping[str, BucketFigures] | None = None,
    window: timedelta | None = None,
    reaching: str | None = None,
    told: tuple[str, ...] = (),
) -> Exits:
    n_journeys = sum(counts)
    columns = exit_columns(
        rates,
        lost,
        grain=grain,
        n_journeys=n_journeys,
        worth=worth,
        level=level,
        later=later or {},
    )
    if np.isnan(columns["value_at_stake"]).all():
        del columns["value_at_stake"]
    formats = dict.fromkeys(_PERCENT, "percent") | dict.fromkeys(_INTEGERS, "integer")
    formats |= {f"{name}{end}": "percent" for name in later or () for end in ("", "_low", "_high")}
    formats |= {"rank_low": "integer", "rank_high": "integer", "value_at_stake": "money"}
    return Exits(
        table=Table(columns, formats=formats, backend=backend),
        grain=grain,
        level=level,
        method=method,
        inactivity=inactivity,
        window=window,
        reaching=reaching,
        n_journeys=n_journeys,
        n_converted=counts[0],
        n_dropped=counts[1],
        n_in_progress=counts[2],
        n_dropped_after_goal=silent,
        caveats=(
            *exit_caveats(rates, timed=timed, limited=inactivity is not None),
            *told,
            *missing_note(rates.names, rates.visits, ", ".join(grain)),
        ),
    )
