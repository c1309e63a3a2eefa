"""`JourneyGraph`: the directly-follows graph of journeys, a `networkx.DiGraph`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs
import networkx as nx
import numpy as np

from cxjourney import plot
from cxjourney._support.validation import check_choice, check_duration, check_flag, duration_us
from cxjourney._support.words import in_agreement
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.graph import _checks, _columns, _counts, _export, _guard, _simulate, _tables
from cxjourney.graph._life_table import life_table_times
from cxjourney.graph._merge import merged

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cxjourney.domain import Touchpoint

    _DiGraph = nx.DiGraph[str]
else:
    _DiGraph = nx.DiGraph

Estimator = Literal["count", "aalen-johansen", "life-table"]

_SCHEMA = 2


class JourneyGraph(_DiGraph):
    """Journeys as a directed graph: touchpoints, transitions between them, and three terminals.

    Every journey leaves `START` and, unless it is still in progress, ends in `CONVERSION` or
    `DROPOFF`. It is a `networkx.DiGraph`: every algorithm of networkx works on it, and `copy`,
    `subgraph`, `reverse`, JSON and GraphML keep all that it knows, because its whole state is
    plain str, int, float and bool in node, edge and graph attributes. What is missing is absent.

    Attributes of a node
        `kind` ("touchpoint", "start", "conversion", "dropoff"); `visits`; `journeys` that come
        by; `starts`, `conversions`, `exits`; `censored` visits of journeys in progress; `channel`,
        `stage`, `owner` where unique at the node, else `n_channels` and `channels` (a JSON list),
        and so on; `followed_us` where no visit was followed up to the limit: what took longer is
        not known, and counts as drop-off. The terminals carry the journeys that start, convert and
        drop as `visits`.

    Attributes of an edge
        `count`; `journeys` that use it; `probability`; `dwell_mean_s`, `dwell_median_s` and
        `dwell_sd_s`: mean, median and standard deviation of the time from the one visit to the
        next; `dwell_sum_us` and `dwell_m2`: sum and squared deviations of the times seen; where
        silence ends journeys too, which takes no time, `dwell_count` and `dwell_probability` are
        of the transitions that have one; into `CONVERSION` also `value_sum`. An edge into `DROPOFF`
        may have count 0 and a probability: no visit was seen to end there, but journeys in progress
        may.

    Attributes of the graph (`graph.graph`)
        `estimator` of the probabilities; `grain`; `goal` (a JSON list); `n_journeys`,
        `n_converted`, `n_dropped`, `n_in_progress`; `inactivity_us`; `gaps`: the rule by which
        gaps cut journeys too, where there was one; `observed_until`;
        `absorbing`: whether the goal ends a journey; `determined`: whether a journey can be
        dropped at all; `currency` of the values.

    Notes
    -----
    At every touchpoint flow is conserved: visits = transitions in + starts = transitions out +
    conversions + exits + censored. A subgraph breaks it on purpose: it is for drawing, not for
    computing.

    Mean and median give each transition its mass of Aalen and Johansen, so that the long waits of
    visits that still wait are not forgotten (Satten and Datta 2001). Graphs of counts
    without histograms cannot: theirs are of the transitions that were seen, `dwell_sum_us` over how
    many, and short where journeys are in progress. A median is not kept when graphs are added.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts(
    ...     {
    ...         (cx.START, "web"): 5,
    ...         ("web", "cart"): 3,
    ...         ("web", cx.DROPOFF): 2,
    ...         ("cart", cx.CONVERSION): 2,
    ...     },
    ...     censored={"cart": 1},
    ... )
    >>> graph
    JourneyGraph(2 touchpoints, 4 edges, 5 journeys, grain 'touchpoint', estimator 'count')
    >>> graph.nodes["cart"]["visits"], graph.edges["web", "cart"]["probability"]
    (3, 0.6)
    """

    @classmethod
    def from_counts(
        cls,
        edges: Mapping[tuple[str, str], int],
        *,
        censored: Mapping[str, int] | None = None,
        journeys: Mapping[str, int] | None = None,
        channel: Mapping[str, str] | None = None,
        stage: Mapping[str, str] | None = None,
        owner: Mapping[str, str] | None = None,
        grain: str = "touchpoint",
        goal: Collection[str] = (),
        inactivity: timedelta | str | None = None,
        observed_until: datetime | None = None,
        determined: bool | None = None,
        currency: str | None = None,
    ) -> Self:
        """Build the graph from how often each visit directly followed another.

        Parameters
        ----------
        edges
            (from, to) to how often. Journeys leave `START`; `CONVERSION` and `DROPOFF` end them,
            at once where the only interaction is a goal or an exit touchpoint.
        censored
            Touchpoint to the number of journeys in progress that stand there.
        journeys
            Touchpoint to the number of journeys that come by, where it is known.
        channel, stage, owner
            Touchpoint to its channel, stage, owner.
        grain
            What a node is: "touchpoint", "channel", a pair such as "touchpoint, channel" …
        goal
            The interactions that `CONVERSION` stands for.
        inactivity
            The silence after which a journey counted as dropped, if one was used.
        observed_until
            When observation ended, with a time zone.
        determined
            Whether a journey could be dropped at all. None decides it by the counts: journeys
            in progress, none dropped and no `inactivity` leave the outcome undetermined.
        currency
            Currency of the values.

        Raises
        ------
        InvalidValue
            If a count is not a whole number from 0, or an edge enters `START` or leaves another
            terminal.
        NotAFlow
            If what comes in at a touchpoint is not what goes out, ends or is censored.
        """
        if not isinstance(edges, Mapping):
            raise InvalidValue.of("edges", "be a dict of counts by (from, to)", edges)
        _counts.check_edges(edges)
        columns = _counts.columns(edges, censored or {})
        names = columns.names
        if determined is None:
            determined = columns.can_be_dropped(inactivity=inactivity is not None)
        return cls.from_arrays(
            names,
            source=columns.source,
            target=columns.target,
            count=columns.count,
            censored=columns.censored,
            node_journeys=_counts.known(journeys, names, "journeys"),
            channels=_counts.sets(channel, names, "channel"),
            stages=_counts.sets(stage, names, "stage"),
            owners=_counts.sets(owner, names, "owner"),
            grain=grain,
            goal=goal,
            inactivity=inactivity,
            observed_until=observed_until,
            determined=determined,
            currency=currency,
        )

    @classmethod
    def from_networkx(cls, graph: nx.Graph[Any], *, count: str = "count") -> Self:
        """Build the graph from any directed networkx graph whose edges carry counts.

        Parameters
        ----------
        graph
            A directed graph, not a multigraph, with the terminals as nodes. What a
            `JourneyGraph` knows is picked up where it is there: `censored`, `journeys`, `channel`,
            `stage`, `owner` of nodes; `journeys`, dwell times and `value_sum` of edges; the
            attributes of the graph. Probabilities are kept if the graph says by which
            `estimator` they came about, and counted otherwise.
        count
            The edge attribute that holds the count.

        Raises
        ------
        InvalidValue
            If the graph is not a directed simple graph or a count is missing or invalid.
        NotAFlow
            If what comes in at a touchpoint is not what goes out, ends or is censored.
        """
        _checks.check_graph(graph)
        _counts.check_edges(graph.edges())
        result = cls()
        result._fill(*_counts.from_networkx(graph, count=count))
        return result

    @classmethod
    def from_arrays(
        cls,
        names: Sequence[str],
        *,
        source: ArrayLike,
        target: ArrayLike,
        count: ArrayLike,
        journeys: ArrayLike | None = None,
        probability: ArrayLike | None = None,
        dwell_sum_us: ArrayLike | None = None,
        dwell_median_s: ArrayLike | None = None,
        dwell_m2: ArrayLike | None = None,
        dwell_count: ArrayLike | None = None,
        dwell_mean_s: ArrayLike | None = None,
        dwell_sd_s: ArrayLike | None = None,
        dwell_probability: ArrayLike | None = None,
        value_sum: ArrayLike | None = None,
        gap_histogram: ArrayLike | None = None,
        censored: ArrayLike | None = None,
        node_journeys: ArrayLike | None = None,
        channels: Sequence[Collection[str]] | None = None,
        stages: Sequence[Collection[str]] | None = None,
        owners: Sequence[Collection[str]] | None = None,
        touchpoint: Sequence[str | None] | None = None,
        censored_histogram: ArrayLike | None = None,
        followed_us: ArrayLike | None = None,
        grid_us: Sequence[int] | None = None,
        estimator: Estimator = "count",
        grain: str = "touchpoint",
        goal: Collection[str] = (),
        inactivity: timedelta | str | None = None,
        gaps: str | None = None,
        observed_until: datetime | None = None,
        absorbing: bool = True,
        determined: bool = True,
        currency: str | None = None,
    ) -> Self:
        """Build the graph from columns, fast: nodes are codes 0 … K - 1.

        K, K + 1 and K + 2 are START, CONVERSION and DROPOFF. In optional columns NaN and
        negative counts mean missing. It is for code that has counted; `from_counts` is for
        people.

        Parameters
        ----------
        names
            The K names of the nodes, unique.
        source, target
            Codes of the edges' ends, each pair once, shape (edges,).
        count, journeys
            How often the edge was used and by how many journeys, shape (edges,).
        probability
            Transition probabilities [fraction]; None counts them. Those that leave START are
            always counted. A node without any has nothing known of its end.
        dwell_sum_us, dwell_median_s, dwell_m2, dwell_count
            Time from visit to visit: sum [µs], median [s], sum of squared deviations from the
            mean [s²], and how many have one, where not all do.
        dwell_mean_s, dwell_sd_s, dwell_probability
            Mean and standard deviation [s] where they are not those of the sums, and the
            probability of the transitions that have a time, where it is not that of all.
        value_sum
            Value of the conversions by the edge.
        gap_histogram, censored_histogram, grid_us
            Times on a grid, for exact merging: transitions of each edge by their time, shape
            (edges, bins); censored visits of each node by the time that they had lasted, shape
            (nodes, bins); bounds of the bins [µs], from 0 to the limit, bins + 1 of them.
        followed_us
            Longest time that a visit of each node was followed, where none was up to the limit
            [µs], shape (nodes,).
        censored, node_journeys
            Censored visits, and journeys that come by, shape (nodes,).
        channels, stages, owners
            The distinct channels, stages, owners of each node.
        touchpoint
            The touchpoint of each node, where the node's name is a pair.
        estimator, grain, goal, inactivity, gaps, observed_until, absorbing, determined, currency
            As in the class.

        Raises
        ------
        InvalidValue
            If columns disagree in length, a node or an edge is there twice, or probabilities do
            not sum to one.
        NotAFlow
            If what comes in at a touchpoint is not what goes out, ends or is censored.
        """
        check_flag(absorbing, "absorbing")
        check_flag(determined, "determined")
        nodes = _columns.Nodes(
            names=names,
            censored=np.zeros(len(names), dtype=np.int64) if censored is None else censored,
            journeys=node_journeys,
            channels=channels,
            stages=stages,
            owners=owners,
            touchpoint=touchpoint,
            censored_histogram=censored_histogram,
            followed_us=followed_us,
        )
        edges = _columns.Edges(
            source=source,
            target=target,
            count=count,
            journeys=journeys,
            probability=probability,
            dwell_sum_us=dwell_sum_us,
            dwell_median_s=dwell_median_s,
            dwell_m2=dwell_m2,
            dwell_count=dwell_count,
            dwell_mean_s=dwell_mean_s,
            dwell_sd_s=dwell_sd_s,
            dwell_probability=dwell_probability,
            value_sum=value_sum,
            gap_histogram=gap_histogram,
        )
        if grid_us is not None and gap_histogram is not None and dwell_mean_s is None:
            mean, deviation, followed = life_table_times(nodes, edges, grid_us)
            edges = attrs.evolve(edges, dwell_mean_s=mean, dwell_sd_s=deviation)
            nodes = attrs.evolve(nodes, followed_us=followed)
        facts: dict[str, Any] = {
            "estimator": check_choice(estimator, "estimator", _guard.ESTIMATORS),
            "grain": grain,
            "goal": _columns.members(goal),
            "absorbing": bool(absorbing),
            "determined": bool(determined),
        }
        if inactivity is not None:
            facts["inactivity_us"] = duration_us(check_duration(inactivity, "inactivity"))
        if gaps is not None:
            facts["gaps"] = gaps
        if observed_until is not None:
            facts["observed_until"] = observed_until.isoformat()
        if currency is not None:
            facts["currency"] = currency
        if grid_us is not None:
            facts["grid_us"] = ",".join(str(int(bound)) for bound in grid_us)
        result = cls()
        result._fill(nodes, edges, facts)
        return result

    def _fill(self, nodes: _columns.Nodes, edges: _columns.Edges, facts: Mapping[str, Any]) -> None:
        _columns.check_columns(nodes, edges)
        size = len(nodes.names)
        terminals = _columns.terminal_records(size, edges)
        self.add_nodes_from(_columns.node_records(nodes, edges))
        self.add_nodes_from(terminals)
        self.add_edges_from(_columns.edge_records(nodes, edges))
        started, converted, dropped = (node["visits"] for _, node in terminals)
        self.graph.update(
            facts,
            n_journeys=started,
            n_converted=converted,
            n_dropped=dropped,
            n_in_progress=int(nodes.censored.sum()),
        )

    @property
    def touchpoints(self) -> tuple[str, ...]:
        """Names of the nodes that are not terminals, sorted."""
        return tuple(sorted(n for n, data in self.nodes(data=True) if _is_touchpoint(data)))

    def touchpoint(self, name: str) -> Touchpoint:
        """Return the typed touchpoint of a node.

        Parameters
        ----------
        name
            The node's name.

        Raises
        ------
        UnknownName
            If no touchpoint of the graph has this name.
        InvalidValue
            If a node of this graph is not a touchpoint, but a channel, a stage, an owner.
        """
        from cxjourney.domain import Touchpoint

        grain = self.graph.get("grain", "touchpoint")
        if "touchpoint" not in grain.split(", "):
            raise InvalidValue(
                f"a node of this graph is a {grain}, not a touchpoint; "
                "build it with by='touchpoint' for typed touchpoints"
            )
        if name not in self or not _is_touchpoint(self.nodes[name]):
            raise UnknownName.among("touchpoint", name, self.touchpoints, where="the graph")
        node = self.nodes[name]
        return Touchpoint(
            node.get("touchpoint", name),
            channel=node.get("channel"),
            stage=node.get("stage"),
            owner=node.get("owner"),
        )

    check_flow = _checks.check_flow
    nodes_table = _tables.nodes_table
    edges_table = _tables.edges_table

    def plot(
        self,
        *,
        shade: Literal["exit_probability"] | Mapping[str, float] | None = "exit_probability",
        shade_label: str | None = None,
        stages: Sequence[str] | None = None,
        max_edges: int | None = None,
        title: str = "",
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the graph from left to right, by stage where at least half of the nodes have one.

        Parameters
        ----------
        shade
            What colours the touchpoints: their exit probability, or a value of each, such as the
            mean emotion; touchpoints without one are grey, and that of the goal is not drawn.
        shade_label
            What that value is.
        stages
            The stages in their order; None takes the standard model that has all stages of the
            graph, else sorts them by how deep their touchpoints lie.
        max_edges
            So many of the busiest edges are drawn; None takes those of the first view of a report.
        title, ax
            The heading, and where to draw (None: a new figure).

        Returns
        -------
        matplotlib.axes.Axes
            Drawn is what `nodes_table` and `edges_table` hold.

        Raises
        ------
        UnknownName
            If `shade` has a value of what is no touchpoint, or `stages` lacks a stage.
        MissingDependency
            If matplotlib is not installed.
        """
        nodes, edges = self.nodes_table(), self.edges_table()
        names = [str(name) for name in nodes["name"]]
        values = None if shade is None else nodes["exit_probability"]
        if not isinstance(shade, str) and shade is not None:
            goals = json.loads(self.graph.get("goal", "[]"))
            for name in shade:
                if name not in self.touchpoints and name not in goals:
                    raise UnknownName.among("touchpoint", name, self.touchpoints, where="the graph")
            values = np.array([shade.get(name, np.nan) for name in names], dtype=np.float64)
            shade_label = shade_label or ""
        stage, order = _tables.stage_columns(self, stages)
        return plot.journey_graph(
            names,
            [str(kind) for kind in nodes["kind"]],
            nodes["visits"],
            source=[str(name) for name in edges["from"]],
            target=[str(name) for name in edges["to"]],
            count=edges["count"],
            stage=None if stage is None else [stage[name] for name in names],
            stages=order,
            shade=values,
            shade_label="exit probability" if shade_label is None else shade_label,
            diverging=values is not None and bool(np.any(np.asarray(values) < 0)),
            max_edges=max_edges,
            caption="From left to right, the wider a line the more customers go there. Numbers are "
            "visits; a stub below a box shows those who leave there.",
            title=title,
            ax=ax,
        )

    def __add__(self, other: object) -> Self:
        """Return the graph of both logs; their customers must not overlap.

        Counts, journeys, dwell sums and values add exactly. Probabilities and means of times are
        computed anew from the added histograms if both graphs carry them, else counted. Medians are
        dropped. A sum that 64 bits cannot hold is missing.

        Raises
        ------
        InvalidValue
            If the graphs differ in grain, limit, window or goal, or if counting would drop what one
            of them allows for visits in progress: `graph(times=True)` or `journeys.statistics()`.
        """
        if not isinstance(other, JourneyGraph):
            return NotImplemented
        result = type(self)()
        result._fill(*merged(self, other))
        return result

    def __radd__(self, other: object) -> Self:
        """Return a copy of the graph when `sum` adds it to 0."""
        if other == 0 and isinstance(other, int):
            return self.copy()
        return NotImplemented

    def to_json(self) -> str:
        """Return the graph as JSON text, with its schema version.

        See Also
        --------
        from_json : The way back.
        """
        data = {
            "schema": _SCHEMA,
            "type": "JourneyGraph",
            "graph": self.graph,
            "nodes": [{"id": name, **node} for name, node in self.nodes(data=True)],
            "edges": [{"source": u, "target": v, **e} for u, v, e in self.edges(data=True)],
        }
        return json.dumps(data, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the graph whose `to_json` is `text`.

        Raises
        ------
        InvalidValue
            If the text is not a journey graph of this schema, or an attribute is not what its
            counts say.
        NotAFlow
            If what comes in at a touchpoint is not what goes out, ends or is censored.
        """
        try:
            data = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidValue(f"text must be JSON: {error}") from error
        if not isinstance(data, dict) or data.get("type") != "JourneyGraph":
            raise InvalidValue("text must be the JSON of a JourneyGraph (see to_json)")
        if data.get("schema") != _SCHEMA:
            raise InvalidValue.of("schema", f"be {_SCHEMA}", data.get("schema"))
        told = _guard.graph_of_json(data)
        return _guard.confirmed(cls.from_networkx(told), told)

    write_graphml = _export.write_graphml

    @classmethod
    def read_graphml(cls, path: str | Path) -> Self:
        """Return the graph of a GraphML file that `write_graphml` wrote.

        Parameters
        ----------
        path
            The file to read.

        Raises
        ------
        InputFileError
            If the file is missing or no GraphML.
        InvalidValue
            If it holds a graph without the counts of a journey graph.
        NotAFlow
            If its counts do not add up.
        """
        return cls.from_networkx(_export.graphml(path))

    to_dot = _export.to_dot
    to_mermaid = _export.to_mermaid
    drawing = _export.drawing
    simulate = _simulate.simulate

    def __repr__(self) -> str:
        facts = self.graph
        parts = [
            f"{len(self.touchpoints):,} touchpoints",
            f"{self.number_of_edges():,} edges",
        ]
        if "n_journeys" in facts:
            parts.append(f"{facts['n_journeys']:,} journeys")
        parts += [f"{key} {facts[key]!r}" for key in ("grain", "estimator") if key in facts]
        return f"{type(self).__name__}({in_agreement(', '.join(parts))})"

    def _repr_html_(self) -> str:
        from cxjourney.report import graph_html  # far above, and asked for by notebooks alone

        return graph_html(self)

    def __str__(self) -> str:
        return repr(self)


def _is_touchpoint(node: Mapping[str, Any]) -> bool:
    return node.get("kind") == "touchpoint"
