"""Drawing of the journey graph for the page: SVG that a script makes interactive."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.text import told_apart
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import MissingDependency
from cxjourney.graph import stage_columns
from cxjourney.plot import NODE_SIZE, arrow_head, layout, leads_back
from cxjourney.report._catalogue import cell, heading, percent, say, say_of
from cxjourney.report._catalogue import number as written
from cxjourney.report._render import asset, fingerprint, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cxjourney._support.array_types import Floats
    from cxjourney.graph import JourneyGraph
    from cxjourney.plot import Layout

TERMINALS = {START: "(start)", CONVERSION: "(converted)", DROPOFF: "(dropped)"}
MOST_NODES = 150
MOST_EDGES = 2_000
_FRAME = 680  # height of the drawing in a notebook
_LETTERS = 19  # of a name that fit into a node
_HEAD_LETTER = 8.8  # width of a letter in the name of a stage [px]
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
    """A transition of the drawing; `target` is None where the journey is dropped."""

    source: int
    target: int | None
    kind: str
    count: int
    path: str
    head: str
    width: float
    facts: str


@attrs.frozen(kw_only=True, repr=False)
class Network:
    """A drawing of a journey graph.

    Attributes
    ----------
    nodes, edges
        What is drawn; edges in the order in which they are to be shown.
    least, few
        How many edges are always shown, so that no node floats, and how many at first.
    heads
        The stages above the columns: text, and where it begins.
    size
        Width and height [px].
    total
        Count of all transitions of the graph, those that are not drawn included.
    dropped
        How many journeys were dropped: what the stubs below the nodes add up to.
    left_out
        What was too much to draw, in words; empty where everything is there.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    least: int
    few: int
    heads: tuple[tuple[str, float], ...]
    size: tuple[float, float]
    total: int
    dropped: int
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
            box=NODE_SIZE,
            share=self.share_first_seen,
            shades=[percent(limit) for limit in _SHADES],
            terminals=[cell(name) for name in TERMINALS.values()],
            lost=say_of("network.lost", self.dropped),
        )

    def to_page(self) -> str:
        """Return a page that holds the drawing alone."""
        script = asset("network.js")
        return render(
            "network_page.html.j2",
            caller="Network.to_page()",
            drawing=self.to_html(),
            style=asset("report.css") + asset("network.css"),
            script=script,
            script_source=fingerprint(script),
        )

    @property
    def share_first_seen(self) -> float:
        """Share of all transitions that the first view shows."""
        seen = sum(edge.count for edge in self.edges[: self.few])
        return seen / self.total if self.total else math.nan

    def to_text(self) -> str:
        """Return what a terminal shows of it: nothing but where to find it."""
        return say("network.brief", nodes=len(self.nodes), transitions=len(self.edges))


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
    seen = {*busiest[:MOST_NODES], *TERMINALS}
    names = [x for x in graph if x in seen]
    edges = [
        (u, v, data)
        for u, v, data in graph.edges(data=True)
        if u in seen and v in seen and u != DROPOFF
    ]
    edges.sort(key=lambda edge: (-edge[2]["count"], edge[0], edge[1]))
    left_out = []
    if rest := busiest[MOST_NODES:]:
        visits = sum(graph.nodes[x]["visits"] for x in rest)
        left_out.append(say("network.rest", n=len(rest), visits=visits))
    if rare := edges[MOST_EDGES:]:
        made = sum(data["count"] for _, _, data in rare)
        left_out.append(say("network.rare", n=len(rare), made=made))
    edges = edges[:MOST_EDGES]
    where = _layout(graph, names, edges, stages)
    drawn = [i for i in range(len(names)) if not math.isnan(where.x[i])]
    drawn.sort(key=lambda i: (where.x[i], where.y[i]))
    numbers = {names[i]: number for number, i in enumerate(drawn)}
    labels = told_apart([cell(TERMINALS[x]) if x in TERMINALS else x for x in names], _LETTERS)
    return Network(
        nodes=tuple(_node(graph, names[i], k, (where, i), labels) for k, i in enumerate(drawn)),
        edges=tuple(_edges(edges, numbers, where)),
        least=where.least,
        few=where.few,
        heads=tuple(_heads(where)),
        size=where.size,
        total=sum(data["count"] for _, _, data in graph.edges(data=True)),
        dropped=int(graph.graph.get("n_dropped", 0)),
        left_out=say("network.both", one=left_out[0], other=left_out[1])
        if len(left_out) > 1
        else "".join(left_out),
    )


def graph_html(graph: JourneyGraph) -> str:
    """Return the drawing for a notebook: in a frame of its own, where no style or script gets out.

    Without jinja2 it is the table of the nodes.
    """
    try:
        page = network(graph).to_page()
    except MissingDependency:
        return graph.nodes_table().to_html(caption=repr(graph))
    return (
        f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" title="The journey graph" '
        f'style="width: 100%; height: {_FRAME}px; border: 0"></iframe>'
    )


def _layout(
    graph: JourneyGraph,
    names: Sequence[str],
    edges: Sequence[tuple[str, str, Mapping[str, Any]]],
    stages: Sequence[str],
) -> Layout:
    """Return places and routes, those of the picture that `graph.plot()` draws."""
    place = {x: i for i, x in enumerate(names)}
    stage, order = stage_columns(graph, stages or None)
    return layout(
        [str(graph.nodes[x]["kind"]) for x in names],
        np.array([place[u] for u, _, _ in edges], dtype=np.intp),
        np.array([place[v] for _, v, _ in edges], dtype=np.intp),
        np.array([data["count"] for _, _, data in edges], dtype=np.float64),
        stage=None if stage is None else [stage[x] for x in names],
        stages=order,
    )


def _heads(where: Layout) -> Iterator[tuple[str, float]]:
    """Yield the name of each stage, no wider than its columns, and where it begins."""
    names = [name for name, _, _ in where.bands]
    for name, left, right in where.bands:
        yield told_apart(names, (right - left) / _HEAD_LETTER)[name], left


def _node(
    graph: JourneyGraph,
    name: str,
    number: int,
    at: tuple[Layout, int],
    labels: Mapping[str, str],
) -> Node:
    data = graph.nodes[name]
    where, i = at
    x, y = round(float(where.x[i]), 1), round(float(where.y[i]), 1)
    if name in TERMINALS:
        facts = graph.graph
        label = cell(TERMINALS[name])
        line = say_of("count.journeys", facts["n_journeys" if name == START else "n_converted"])
        return Node(
            number=number,
            name=label,
            label=label,
            kind=str(data["kind"]),
            x=x,
            y=y,
            shade=0,
            caption=line,
            facts=(line,),
        )
    visits = int(data["visits"])
    rate = _exit_rate(graph, name)
    belongs = [
        say("network.property", name=heading(key), value=data[key])
        for key in ("stage", "channel", "owner")
        if key in data
    ]
    seen, exits = say_of("network.visits", visits), written(rate, "percent")
    if "journeys" in data:
        within = say_of("count.journeys", data["journeys"])
        seen = say("network.within", visits=seen, journeys=within)
    counts = [x for x in ("starts", "conversions", "exits", "censored") if data.get(x)]
    numbers = [
        seen,
        *(say_of(f"network.{key}", data[key]) for key in counts),
        say("network.rate", rate=exits),
    ]
    return Node(
        number=number,
        name=name,
        label=labels[name],
        kind="touchpoint",
        x=x,
        y=y,
        shade=0 if math.isnan(rate) else sum(rate >= limit for limit in _SHADES),
        caption=say("network.caption", visits=visits, rate=exits),
        facts=(*belongs, *numbers),
    )


def _exit_rate(graph: JourneyGraph, name: str) -> float:
    """Return the probability of the transition to DROPOFF; 0 where nobody made it."""
    if not graph.graph.get("determined", True):
        return math.nan
    if not graph.has_edge(name, DROPOFF):
        return 0.0
    return float(graph.edges[name, DROPOFF].get("probability", math.nan))


def _edges(
    edges: Sequence[tuple[str, str, Mapping[str, Any]]],
    numbers: Mapping[str, int],
    where: Layout,
) -> Iterator[Edge]:
    for i in where.rank.tolist():
        u, v, data = edges[i]
        width = round(float(where.width[i]), 1)
        path, head = _path(where.routes[i], width)
        yield Edge(
            source=numbers[u],
            target=numbers.get(v),
            kind=_kind(v, where.routes[i]),
            count=int(data["count"]),
            path=path,
            head=head,
            width=width,
            facts=_edge_facts(data),
        )


def _kind(target: str, route: Floats) -> str:
    """Return what colours a transition: where it leads, else which way it runs."""
    if target in TERMINALS:
        return "lost" if target == DROPOFF else "won"
    return "back" if leads_back(route) else "move"


def _edge_facts(data: Mapping[str, Any]) -> str:
    facts = [say_of("network.times", data["count"])]
    if not math.isnan(float(data.get("probability", math.nan))):
        rate = written(float(data["probability"]), "percent")
        facts.append(say("network.probability", rate=rate))
    if "dwell_median_s" in data:
        time = written(float(data["dwell_median_s"]), "duration")
        facts.append(say("network.wait", time=time))
    return ", ".join(facts)


def _path(route: Floats, width: float) -> tuple[str, str]:
    """Return a route without its last piece, and the arrow's head in place of that."""
    points = np.round(route, 1).tolist()
    written = "M{:g} {:g}".format(*points[0])
    for k in range(1, len(points) - 3, 3):
        (x1, y1), (x2, y2), (x3, y3) = points[k : k + 3]
        if y1 == y2 == y3 == points[k - 1][1]:
            written += f"H{x3:g}"
        else:
            written += f"C{x1:g} {y1:g} {x2:g} {y2:g} {x3:g} {y3:g}"
    corners = " ".join(f"{x:g} {y:g}" for x, y in arrow_head(route, width).tolist())
    return written, f"M{corners}Z"
