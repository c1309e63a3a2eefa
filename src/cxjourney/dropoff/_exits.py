"""`exits`: where customers are lost, how sure that is, and what it costs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.result import Result
from cxjourney._support.table import Table, format_value
from cxjourney._support.validation import check_choice, check_count, check_level, check_names
from cxjourney.domain import MISSING
from cxjourney.dropoff._exit_columns import exit_columns, joined
from cxjourney.dropoff._rates import Variance, rates_of_graph, rates_of_journeys
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, UnknownName
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import check_journeys, mean_value, mean_value_of_graph
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from collections.abc import Collection

    from matplotlib.axes import Axes

    from cxjourney.journeys import By, Journeys

__all__ = ["Exits", "exits"]


_CURSE = (
    "the highest of many, picked after looking, is overstated (winner's curse): see shrunken and "
    "the ranks that it leaves open"
)
_LEFT_OUT = (
    "are left out for want of a limit, which understates exits where leaving takes longer to be "
    "seen than going on"
)
_UPPER_BOUND = (
    "lost conversions assume that those who leave would go on like those who stay: an upper "
    "bound, not causal"
)
_SHOWN = (
    "visits",
    "at_risk",
    "exits",
    "pending",
    "exit_probability",
    "low",
    "high",
    "lift",
    "lost_conversions",
)
_INTEGERS = ("visits", "at_risk", "exits", "pending")
_PERCENT = ("exit_probability", "low", "high", "shrunken")


@attrs.frozen(kw_only=True, repr=False)
class Exits(Result):
    """Where customers are lost: one row a node, the costliest first.

    Attributes
    ----------
    table
        The rows; see `exits` for the columns.
    grain
        What a node is: "touchpoint", or two names for a pair.
    segment
        The attribute by which the rows are broken down; None where they are not.
    level
        Confidence level of the intervals.
    method
        How probabilities and intervals were made.
    inactivity
        The silence after which a customer counted as lost; None where no limit was used.
    n_journeys, n_converted, n_dropped, n_in_progress
        The journeys by outcome.
    caveats
        What a reader must know.
    """

    title: ClassVar[str] = "Where customers are lost"

    table: Table
    grain: tuple[str, ...]
    segment: str | None
    level: float
    method: str
    inactivity: timedelta | None
    n_journeys: int
    n_converted: int
    n_dropped: int
    n_in_progress: int
    caveats: tuple[str, ...]

    def estimate(self, *names: str) -> Estimate:
        """Return the exit probability of one row as an `Estimate`.

        Parameters
        ----------
        names
            The segment if there is one, then the node: the values of the leading columns.

        Raises
        ------
        UnknownName
            If there is no such row.
        """
        leading = (*((self.segment,) if self.segment else ()), *self.grain)
        rows = list(zip(*(self.table[column] for column in leading), strict=True))
        if names not in rows:
            known = [", ".join(row) for row in rows]
            raise UnknownName.among("row", ", ".join(map(str, names)), known, where="the result")
        i = rows.index(names)
        return Estimate(
            value=float(self.table["exit_probability"][i]),
            low=float(self.table["low"][i]),
            high=float(self.table["high"][i]),
            level=self.level,
            n=int(self.table["at_risk"][i]),
            n_censored=int(self.table["pending"][i]),
            unit="fraction",
            method=self.method,
            name="exit_probability",
            definition="probability that a visit is the last touch of its journey",
        )

    def plot(
        self, *, max_rows: int | None = None, title: str | None = None, ax: Axes | None = None
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
        nodes = [" @ ".join(row) for row in zip(*(self.table[g] for g in self.grain), strict=True)]
        kept = set(list(dict.fromkeys(nodes))[:max_rows])
        rows = [i for i, node in enumerate(nodes) if node in kept]
        table = self.table.take(rows)
        return plot.forest(
            [nodes[i] for i in rows],
            table["exit_probability"],
            table["low"],
            table["high"],
            group=None if self.segment is None else [str(s) for s in table[self.segment]],
            group_label=self.segment or "",
            n=table["at_risk"],
            percent=True,
            label=f"exit probability, {100 * self.level:g}% interval",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _table(self) -> Table:
        return self.table

    def _shown(self) -> Table:
        shown = (*((self.segment,) if self.segment else ()), *self.grain, *_SHOWN)
        return self.table.select(shown)

    def _notes(self) -> tuple[str, ...]:
        ends = f"{self.n_converted:,} converted, {self.n_dropped:,} dropped"
        facts = [
            f"{100 * self.level:g}% {self.method}",
            f"{self.n_journeys:,} journeys: {ends}, {self.n_in_progress:,} in progress",
        ]
        if self.inactivity is not None:
            facts.append(f"lost means: no touch within {_shown(self.inactivity)}, not: never again")
        return (*facts, *self.caveats)


def exits(
    journeys: Journeys | JourneyGraph,
    *,
    by: By | None = None,
    segment: str | None = None,
    legitimate: Collection[str] = (),
    variance: Variance = "clustered",
    level: float = 0.95,
) -> Exits:
    """Return where customers are lost: exit probabilities and what they cost in conversions.

    Parameters
    ----------
    journeys
        The journeys, or a graph that was built from journeys. A graph knows no customers: its
        visits are taken as independent.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them; None means
        "touchpoint", or the grain of the graph.
    segment
        An attribute of customers or interactions that breaks the rows down.
    legitimate
        Nodes where a journey may well end, such as a confirmation page. They are listed last,
        with their exit probability and nothing else, and no other node is compared with them.
        A goal that does not end its journeys (`after_goal="keep"`) is one by itself.
    variance
        "clustered": a customer's visits are not independent; "greenwood": as if they were.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Exits
        One row a node, by `lost_conversions`. After the segment and the grain come `visits`;
        `at_risk` (visits that came to an end); `exits`; `pending` (visits that are still open);
        `exit_probability` with `low`, `high`; `lift` (its ratio to that of all other nodes);
        `lost_conversions`. Then `lift_low`, `lift_high`; `lost_low`, `lost_high` (only the
        uncertainty of the exit probability); `lost_rate` (per journey); `value_at_stake` where
        values are known; `shrunken` (drawn towards the peers of the same stage, else towards
        all); `rank_low`, `rank_high` (the ranks that the shrunken rates leave open, 1 for the
        highest); `legitimate`. NaN where a number is not defined.

    Raises
    ------
    OutcomeUndetermined
        If nothing tells when a journey without the goal is over.
    NotAFlow
        If the graph is a subgraph or was filtered.
    InvalidValue
        If a graph is asked for another grain or for segments, or an argument breaks its rule.
    UnknownName
        If the log has no such column or attribute, or no node has a name in `legitimate`.

    Notes
    -----
    The exit probability is the Kaplan-Meier survival of the time to the next touch at the
    inactivity limit: `e = 1 - Σ_y P_xy` with Aalen-Johansen probabilities of all that is
    not an exit. Visits still open are censored. To count them as lost overstates drop-off, to
    leave them out understates it. Where there are no times or no limit it is exits/at_risk.

    The variance is the infinitesimal jackknife over customers, times C/(C - 1). The interval is
    Wilson's with `n = e (1 - e) / Var(e)` trials, at most the visits; where all visits ended
    alike, with as many trials as there are customers. The lift has Katz's interval on the same
    trials.

    Lost conversions are `J v_x h_x e_x / (1 - e_x)` with visits v and hitting probabilities h of
    the absorbing chain: what would be gained, to first order, if nobody left at x and those who
    now leave went on like those who stay. They are usually weaker prospects: an upper bound, and
    no causal claim. It is not defined where everybody leaves.

    Open visits must be open for reasons that have nothing to do with leaving; a snapshot is
    fine, a calendar drift of the exit probability is not.

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
    50.0% [40.4%, 59.6%] (95% count, Wilson, visits independent, n=100)
    >>> found.table["lost_conversions"].round(6).tolist()
    [40.0, 10.0]
    """
    if not isinstance(journeys, JourneyGraph):
        check_journeys(journeys)
    check_level(level)
    check_choice(variance, "variance", ("clustered", "greenwood"))
    ends = frozenset(check_names(legitimate, "legitimate"))
    if isinstance(journeys, JourneyGraph):
        return _of_graph(journeys, by, segment, ends, level)
    journeys.require_determined("dropoff.exits()")
    grain: By = "touchpoint" if by is None else by
    if not journeys.rules.absorbing and grain == "touchpoint":
        ends |= set(journeys.rules.goal)
    parts = [("", journeys)]
    if segment is not None:
        coded = journeys.segment(segment)
        names = [*map(str, coded.names), MISSING]
        kept = np.unique(coded.codes).tolist()
        parts = [(names[code], journeys.where(coded.codes == code)) for code in kept]
    tables = []
    ceilings = 0
    for label, part in parts:
        rates = rates_of_journeys(part, grain, variance=variance, legitimate=ends)
        ceilings += int(np.count_nonzero(rates.ceiling))
        columns = exit_columns(
            rates,
            part.graph(by=grain),
            grain=_as_tuple(grain),
            ends=ends,
            worth=mean_value(part),
            level=level,
        )
        leading = {} if segment is None else {segment: (label,) * len(rates.names)}
        tables.append(leading | columns)
    counts = {outcome.value: n for outcome, n in journeys.outcomes.items()}
    return _result(
        tables,
        grain=_as_tuple(grain),
        segment=segment,
        level=level,
        method=_method(journeys, variance),
        inactivity=journeys.rules.inactivity,
        counts=(counts["converted"], counts["dropped"], counts["in_progress"]),
        ends=ends,
        ceilings=ceilings,
        backend=journeys.log.backend,
    )


def _of_graph(
    graph: JourneyGraph,
    by: By | None,
    segment: str | None,
    ends: frozenset[str],
    level: float,
) -> Exits:
    grain = tuple(str(graph.graph.get("grain", "touchpoint")).split(", "))
    if by is not None and check_names(by, "by") != grain:
        raise InvalidValue.of("by", f"be the graph's own grain {', '.join(grain)!r}, or None", by)
    if segment is not None:
        raise InvalidValue.of("segment", "be None for a graph, which knows no segments", segment)
    facts = graph.graph
    if not facts.get("determined", True):
        raise OutcomeUndetermined(
            "dropoff.exits() needs to know when a journey without the goal is over; build the "
            "graph from journeys with inactivity=, exit_touchpoints= or all_closed=True"
        )
    graph.check_flow()
    if not facts.get("absorbing", True) and grain == ("touchpoint",):
        ends |= set(json.loads(facts.get("goal", "[]"))) & set(graph)
    rates = rates_of_graph(graph, legitimate=ends)
    columns = exit_columns(
        rates, graph, grain=grain, ends=ends, worth=mean_value_of_graph(graph), level=level
    )
    limit = facts.get("inactivity_us")
    return _result(
        [columns],
        grain=grain,
        segment=None,
        level=level,
        method=f"{facts.get('estimator', 'count')}, Wilson, visits independent",
        inactivity=None if limit is None else timedelta(microseconds=limit),
        counts=(facts["n_converted"], facts["n_dropped"], facts["n_in_progress"]),
        ends=ends,
        ceilings=0,
        backend=None,
    )


def _shown(limit: timedelta) -> str:
    return format_value(limit.total_seconds(), "duration")


def _as_tuple(by: By) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by)


def _method(journeys: Journeys, variance: Variance) -> str:
    timed = journeys.columns.time is not None and journeys.rules.inactivity is not None
    if not timed:
        estimator = "exits/at_risk"
    elif journeys.rules.exit_touchpoints:
        estimator = "Aalen-Johansen at the limit"
    else:
        estimator = "Kaplan-Meier at the limit"
    spread = "clustered by customer" if variance == "clustered" else "Greenwood"
    return f"{estimator}, Wilson, {spread}"


def _result(
    tables: list[dict[str, Any]],
    *,
    grain: tuple[str, ...],
    segment: str | None,
    level: float,
    method: str,
    inactivity: timedelta | None,
    counts: tuple[int, int, int],
    ends: frozenset[str],
    ceilings: int,
    backend: str | None,
) -> Exits:
    columns = joined(tables)
    nodes = {" @ ".join(row) for row in zip(*(columns[name] for name in grain), strict=True)}
    for name in ends:
        if nodes and name not in nodes:
            raise UnknownName.among("legitimate end", name, nodes, where="the nodes")
    if np.isnan(columns["value_at_stake"]).all():
        del columns["value_at_stake"]
    formats = dict.fromkeys(_PERCENT, "percent") | dict.fromkeys(_INTEGERS, "integer")
    formats |= {"rank_low": "integer", "rank_high": "integer", "value_at_stake": "money"}
    caveats = [
        _CURSE,
        _UPPER_BOUND,
    ]
    pending = int(columns["pending"].sum())
    if pending:
        used = "count as censored" if inactivity is not None else _LEFT_OUT
        caveats.insert(0, f"{pending:,} visits are still open and {used}")
    if ceilings:
        caveats.append(
            f"nodes where no visit was followed up to the limit, so that the exit probability is "
            f"a ceiling: {ceilings:,}"
        )
    return Exits(
        table=Table(columns, formats=formats, backend=backend),
        grain=grain,
        segment=segment,
        level=level,
        method=method,
        inactivity=inactivity,
        n_journeys=sum(counts),
        n_converted=counts[0],
        n_dropped=counts[1],
        n_in_progress=counts[2],
        caveats=tuple(caveats),
    )
