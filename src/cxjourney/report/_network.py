"""Drawing of the journey graph for the page: SVG that a script makes interactive."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.table import format_value
from cxjourney._support.words import counted, in_agreement
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.graph import stage_columns
from cxjourney.plot import layout
from cxjourney.report._render import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cxjourney.graph import JourneyGraph
    from cxjourney.plot import Layout

TERMINALS = {START: "(start)", CONVERSION: "(converted)", DROPOFF: "(dropped)"}
MOST_NODES = 80
MOST_EDGES = 2_000
_FIRST_SEEN = (
    0.9,
    0.8,
)  # share of all transitions that the first view shows, of few and many nodes
_MANY = 30
_EDGES_PER_NODE = 4  # more of them at first, and nothing could be told apart
_COLUMN, _ROW = 206, 58  # distance between nodes
_WIDTH, _HEIGHT = 152, 40  # of a node
_TOP = 46
_LETTERS = 18  # of a name that fit into a node
_SHADES = (0.05, 0.1, 0.2, 0.35)  # exit rates that begin a darker shade


@attrs.frozen(kw_only=True)
class Node:
    """A node of the drawing: its place, its shade from 0 to 4 and what is known of it."""

    number: int
    name: str
    label: str
    kind: str
    x: float
    y: float
    shade: int
    caption: str
    facts: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Edge:
    """A transition of the drawing, the most frequent first."""

    source: int
    target: int
    kind: str
    count: int
    path: str
    width: float
    first_seen: bool
    facts: str


@attrs.frozen(kw_only=True, repr=False)
class Network:
    """A drawing of a journey graph.

    Attributes
    ----------
    nodes, edges
        What is drawn.
    heads
        The stages above the columns: text, and where it begins.
    size
        Width and height [px].
    total
        Count of all transitions of the graph, those that are not drawn included.
    left_out
        What was too much to draw, in words; empty where everything is there.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    heads: tuple[tuple[str, float], ...]
    size: tuple[float, float]
    total: int
    left_out: str

    def to_html(self) -> str:
        """Return the drawing with its controls, escaped; it moves where the page has the script.

        Raises
        ------
        MissingDependency
            If jinja2 is not installed.
        """
        return render(
            "network.html.j2",
            caller="Network.to_html()",
            net=self,
            box=(_WIDTH, _HEIGHT),
            shown=sum(1 for edge in self.edges if edge.first_seen),
            share=self.share_first_seen,
            shades=_SHADES,
        )

    @property
    def share_first_seen(self) -> float:
        """Share of all transitions that the first view shows."""
        seen = sum(edge.count for edge in self.edges if edge.first_seen)
        return seen / self.total if self.total else math.nan

    def to_text(self) -> str:
        """Return what a terminal shows of it: nothing but where to find it."""
        nodes, edges = counted(len(self.nodes), "node"), counted(len(self.edges), "transition")
        return f"drawn on the page: {nodes} and {edges}"


def network(graph: JourneyGraph, *, stages: Sequence[str] = ()) -> Network:
    """Return the drawing of a journey graph: by stage, else by depth.

    Parameters
    ----------
    graph
        The graph; the numbers at its nodes are those of the whole graph, whatever is drawn.
    stages
        The stages in their order; none takes the order that `graph.plot()` takes.
    """
    busiest = sorted(graph.touchpoints, key=lambda x: (-graph.nodes[x]["visits"], x))
    drawn = busiest[:MOST_NODES]
    seen = {*drawn, *TERMINALS}
    names = [x for x in graph if x in seen]
    where = _layout(graph, names, stages)
    middle = _TOP + _ROW * max(3.0, where.rows + 1) / 2
    height = _TOP + _ROW * max(3.0, where.rows + 1)
    places = {
        x: (where.x[i] * _COLUMN, middle - where.y[i] * _ROW)  # y points downwards on the page
        for i, x in enumerate(names)
    }
    numbers = {x: i for i, x in enumerate(sorted(names, key=places.__getitem__))}
    edges = _transitions(graph, numbers)
    left_out = []
    if len(busiest) > len(drawn):
        visits = sum(graph.nodes[x]["visits"] for x in busiest[len(drawn) :])
        left_out.append(f"{len(busiest) - len(drawn):,} touchpoints with {visits:,} visits")
    if len(edges) > MOST_EDGES:
        rest = sum(data["count"] for _, _, data in edges[MOST_EDGES:])
        left_out.append(
            f"{len(edges) - MOST_EDGES:,} rare transitions that were made {rest:,} times"
        )
    return Network(
        nodes=tuple(_node(graph, x, number, places[x]) for x, number in numbers.items()),
        edges=tuple(_edges(graph, edges[:MOST_EDGES], numbers, places, height)),
        heads=tuple((head, first * _COLUMN) for head, first, _ in where.bands),
        size=(where.columns * _COLUMN + _WIDTH, height + _ROW),
        total=sum(data["count"] for _, _, data in graph.edges(data=True)),
        left_out=" and ".join(left_out),
    )


def _layout(graph: JourneyGraph, names: Sequence[str], stages: Sequence[str]) -> Layout:
    """Return the positions of these nodes, those of the picture that `graph.plot()` draws."""
    place = {x: i for i, x in enumerate(names)}
    edges = [(u, v, data) for u, v, data in graph.edges(data=True) if u in place and v in place]
    stage, order = stage_columns(graph, stages or None)
    return layout(
        [str(graph.nodes[x]["kind"]) for x in names],
        np.array([place[u] for u, _, _ in edges], dtype=np.intp),
        np.array([place[v] for _, v, _ in edges], dtype=np.intp),
        np.array([data["count"] for _, _, data in edges], dtype=np.float64),
        stage=None if stage is None else [stage[x] for x in names],
        stages=order,
    )


def _transitions(
    graph: JourneyGraph, numbers: Mapping[str, int]
) -> list[tuple[str, str, Mapping[str, Any]]]:
    edges = [(u, v, d) for u, v, d in graph.edges(data=True) if u in numbers and v in numbers]
    return sorted(edges, key=lambda edge: (-edge[2]["count"], edge[0], edge[1]))


def _node(graph: JourneyGraph, name: str, number: int, place: tuple[float, float]) -> Node:
    data = graph.nodes[name]
    if name in TERMINALS:
        facts = graph.graph
        total, caption = {
            START: (facts["n_journeys"], "journeys"),
            CONVERSION: (facts["n_converted"], "journeys"),
            DROPOFF: (facts["n_dropped"], "journeys"),
        }[name]
        label = TERMINALS[name]
        line = in_agreement(f"{total:,} {caption}")
        return Node(
            number=number,
            name=label,
            label=label,
            kind=str(data["kind"]),
            x=place[0],
            y=place[1],
            shade=0,
            caption=line,
            facts=(line,),
        )
    visits = int(data["visits"])
    rate = _exit_rate(graph, name)
    where = [f"{key}: {data[key]}" for key in ("stage", "channel", "owner") if key in data]
    numbers = [
        f"{visits:,} visits" + (f" in {data['journeys']:,} journeys" if "journeys" in data else ""),
        *(
            f"{data[key]:,} {words}"
            for key, words in (
                ("starts", "journeys begin here"),
                ("conversions", "are followed by the conversion"),
                ("exits", "are exits"),
                ("censored", "are censored"),
            )
            if data.get(key)
        ),
        f"exit probability {format_value(rate, 'percent')}",
    ]
    return Node(
        number=number,
        name=name,
        label=_short(name),
        kind="touchpoint",
        x=place[0],
        y=place[1],
        shade=0 if math.isnan(rate) else sum(rate >= limit for limit in _SHADES),
        caption=f"{visits:,} · {format_value(rate, 'percent')} exit",
        facts=(*where, *numbers),
    )


def _short(name: str) -> str:
    """Return a name that fits into a node: names often differ in their last letters alone."""
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 7]}…{name[-6:]}"


def _exit_rate(graph: JourneyGraph, name: str) -> float:
    """Return the probability of the transition to DROPOFF; 0 where nobody made it."""
    if not graph.graph.get("determined", True):
        return math.nan
    if not graph.has_edge(name, DROPOFF):
        return 0.0
    return float(graph.edges[name, DROPOFF].get("probability", math.nan))


def _edges(
    graph: JourneyGraph,
    edges: Sequence[tuple[str, str, Mapping[str, Any]]],
    numbers: Mapping[str, int],
    places: Mapping[str, tuple[float, float]],
    height: float,
) -> Iterator[Edge]:
    total = sum(data["count"] for _, _, data in graph.edges(data=True))
    most = max((data["count"] for _, _, data in edges), default=1)
    enough = _FIRST_SEEN[len(numbers) > _MANY] * total
    seen = 0
    for rank, (u, v, data) in enumerate(edges):
        first_seen = seen < enough and rank < _EDGES_PER_NODE * len(numbers)
        seen += data["count"]
        yield Edge(
            source=numbers[u],
            target=numbers[v],
            kind="lost" if v == DROPOFF else "won" if v == CONVERSION else "move",
            count=int(data["count"]),
            path=_path(places[u], places[v], height),
            width=round(1 + 9 * math.sqrt(data["count"] / most), 1),
            first_seen=first_seen,
            facts=_edge_facts(data),
        )


def _edge_facts(data: Mapping[str, Any]) -> str:
    facts = [f"{data['count']:,} times"]
    if not math.isnan(float(data.get("probability", math.nan))):
        facts.append(f"probability {format_value(float(data['probability']), 'percent')}")
    if "dwell_median_s" in data:
        facts.append(f"median wait {format_value(float(data['dwell_median_s']), 'duration')}")
    return in_agreement(", ".join(facts))


def _path(source: tuple[float, float], target: tuple[float, float], height: float) -> str:
    """Return the curve of a transition: forward from right to left side, back around below."""
    (x1, y1), (x2, y2) = source, target
    right = x1 + _WIDTH
    if x1 == x2 and y1 == y2:  # a repeat: a loop above the node
        mid, top = x1 + _WIDTH / 2, y1 - _HEIGHT / 2
        a, b, high = mid - 18, mid + 18, top - 22
        return f"M{a:g} {top:g}C{a - 4:g} {high:g} {b + 4:g} {high:g} {b:g} {top:g}"
    if x2 > x1:
        bend = (x2 - right) / 2
        return f"M{right:g} {y1:g}C{right + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    if x1 == x2:
        bend = right + 26 + abs(y2 - y1) / 8
        return f"M{right:g} {y1:g}C{bend:g} {y1:g} {bend:g} {y2:g} {right:g} {y2:g}"
    low = min(max(y1, y2) + _ROW * 0.9, height + _ROW / 2)
    start, end, half = x1 + _WIDTH / 2, x2 + _WIDTH / 2, _HEIGHT / 2
    return f"M{start:g} {y1 + half:g}C{start:g} {low:g} {end:g} {low:g} {end:g} {y2 + half:g}"
