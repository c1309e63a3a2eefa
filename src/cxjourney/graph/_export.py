"""The graph for other programs: GraphML, DOT and Mermaid."""

from __future__ import annotations

import bz2
import gzip
import io
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import networkx as nx

from cxjourney._support.text import brief
from cxjourney._support.validation import check_choice, check_count, check_flag, check_number
from cxjourney._support.writing import write_whole
from cxjourney.exceptions import InputFileError, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Label = Literal["count", "probability", "none"]
Direction = Literal["LR", "TB"]

# XML 1.0 has no such characters, not even escaped, and reads a carriage return as a newline.
_NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_graphml(graph: nx.DiGraph[str], path: str | Path) -> None:
    r"""Write the graph with all that it knows as GraphML.

    Parameters
    ----------
    path
        The file to write; it takes its name once it is complete.

    Raises
    ------
    InvalidValue
        If a name has a character that XML cannot hold, such as "\\x00" or a carriage return:
        changing it in silence could make two names one. Use `JourneyGraph.to_json` there.

    See Also
    --------
    read_graphml : The way back; types are kept.
    """
    for text in _strings(graph):
        if found := _NOT_IN_XML.search(text):
            raise InvalidValue(
                f"GraphML cannot hold the character {found.group()!r} of {brief(text)}; "
                "rename it, or write graph.to_json() instead"
            )
    written = io.BytesIO()
    nx.write_graphml(graph, written)
    content, ending = written.getvalue(), Path(path).suffix
    if ending in {".gz", ".bz2"}:
        content = gzip.compress(content) if ending == ".gz" else bz2.compress(content)
    write_whole(path, content)


def graphml(path: str | Path) -> nx.Graph[Any]:
    """Return the plain graph of a GraphML file; see `JourneyGraph.read_graphml`."""
    try:
        return nx.read_graphml(path)
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # networkx reads what is no GraphML until something breaks
        raise InputFileError(f"{path}: not GraphML: {type(error).__name__}: {error}") from error


def _strings(graph: nx.DiGraph[str]) -> Iterator[str]:
    rows = [graph.graph, *(node for _, node in graph.nodes(data=True))]
    rows += [edge for _, _, edge in graph.edges(data=True)]
    yield from graph
    for row in rows:
        yield from row
        yield from (value for value in row.values() if isinstance(value, str))


def drawing(
    graph: nx.DiGraph[str], *, min_count: int = 0, max_edges: int | None = None
) -> nx.DiGraph[str]:
    """Return the graph with its rare transitions led through one node "other", for drawing only.

    Parameters
    ----------
    min_count
        Transitions that were made less often are rare.
    max_edges
        So many of the most frequent transitions are kept; None keeps all.

    Returns
    -------
    networkx.DiGraph
        A plain graph; "other" keeps what comes in and goes out, and is not there where nothing
        is rare. It is not a `JourneyGraph`, and the chain refuses it: leaving out rare transitions
        bends probabilities and times (van der Aalst 2019).

    Raises
    ------
    InvalidValue
        If `min_count` or `max_edges` is negative.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts(
    ...     {
    ...         (cx.START, "web"): 9,
    ...         ("web", cx.DROPOFF): 8,
    ...         ("web", "help"): 1,
    ...         ("help", cx.CONVERSION): 1,
    ...     }
    ... )
    >>> small = graph.drawing(min_count=2)
    >>> [(u, v, count) for u, v, count in small.edges(data="count") if "__other__" in (u, v)]
    [('web', '__other__', 1), ('__other__', '__conversion__', 1)]
    """
    most = 0 if max_edges is None else max_edges
    for name, value in (("min_count", min_count), ("max_edges", most)):
        if check_number(value, name) < 0:
            raise InvalidValue.of(name, "not be negative", value)
        check_count(value, name, 0)
    edges = sorted(graph.edges(data=True), key=lambda edge: -edge[2].get("count", 0))
    often = [(u, v) for u, v, data in edges if data.get("count", 0) >= min_count][:max_edges]
    kept = set(often)
    small: nx.DiGraph[str] = nx.DiGraph(drawing=True)
    small.add_nodes_from(
        (name, node)
        for name, node in graph.nodes(data=True)
        if node.get("kind") != "touchpoint"
        or graph.degree(name) == 0
        or any(edge in kept for edge in (*graph.in_edges(name), *graph.out_edges(name)))
    )
    small.add_edges_from((u, v, data) for u, v, data in graph.edges(data=True) if (u, v) in kept)
    rare = [edge for edge in graph.edges(data=True) if edge[:2] not in kept]
    if rare:
        _add_other(small, rare, hidden=[n for n in graph if n not in small])
    return small


def _add_other(
    small: nx.DiGraph[str], rare: list[tuple[str, str, dict[str, Any]]], *, hidden: list[str]
) -> None:
    other = "__other__"
    while other in small or other in hidden:
        other = f"_{other}_"
    small.add_node(other, kind="other", n_touchpoints=len(hidden), n_edges=len(rare))
    for u, v, data in rare:
        into, out = (u if u in small else other, other), (other, v if v in small else other)
        for edge in (into, out):
            if edge != (other, other):  # nothing is drawn between two hidden touchpoints
                before = small.edges[edge]["count"] if small.has_edge(*edge) else 0
                small.add_edge(*edge, count=before + data.get("count", 0))


def to_dot(
    graph: nx.DiGraph[str],
    *,
    label: Label = "count",
    widths: bool = True,
    min_count: int = 0,
    max_edges: int | None = None,
    direction: Direction = "LR",
) -> str:
    r"""Return the graph in Graphviz's language.

    Parameters
    ----------
    label
        What stands at the edges: their count, their probability, or nothing.
    widths
        Whether frequent transitions are drawn thicker.
    min_count, max_edges
        As in `drawing`.
    direction
        From left to right or from top to bottom.

    Returns
    -------
    str
        The text of a `digraph`. Names from data stand only in quoted labels, escaped; characters
        that cannot be seen, or that turn the direction of writing, are shown by their code.

    Raises
    ------
    InvalidValue
        If an argument breaks its rule.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts({(cx.START, 'a "b"'): 2, ('a "b"', cx.DROPOFF): 2})
    >>> print(graph.to_dot(widths=False))
    digraph journeys {
      rankdir=LR;
      n0 [label="a \"b\"", shape=box];
      n1 [label="START", shape=circle];
      n2 [label="CONVERSION", shape=doublecircle];
      n3 [label="DROPOFF", shape=octagon];
      n0 -> n3 [label="2"];
      n1 -> n0 [label="2"];
    }
    """
    check_flag(widths, "widths")
    check_choice(label, "label", ("count", "probability", "none"))
    check_choice(direction, "direction", ("LR", "TB"))
    picture = drawing(graph, min_count=min_count, max_edges=max_edges)
    ids = {name: f"n{i}" for i, name in enumerate(picture)}
    thickness = _widths(picture)
    lines = ["digraph journeys {", f"  rankdir={direction};"]
    for name, node in picture.nodes(data=True):
        shape = _DOT_SHAPES.get(node.get("kind", ""), "box")
        lines.append(f"  {ids[name]} [label={_dot_quoted(_title(name, node))}, shape={shape}];")
    for u, v, data in picture.edges(data=True):
        shown = [f"label={_dot_quoted(text)}"] if (text := _edge_text(data, label)) else []
        shown += [f"penwidth={thickness(data):.2f}"] if widths else []
        ending = f" [{', '.join(shown)}]" if shown else ""
        lines.append(f"  {ids[u]} -> {ids[v]}{ending};")
    return "\n".join([*lines, "}"])


def to_mermaid(
    graph: nx.DiGraph[str],
    *,
    label: Label = "count",
    widths: bool = True,
    min_count: int = 0,
    max_edges: int | None = None,
    direction: Direction = "LR",
) -> str:
    """Return the graph as a Mermaid flowchart, for Markdown pages and wikis.

    Parameters
    ----------
    label, widths, min_count, max_edges, direction
        As in `to_dot`.

    Returns
    -------
    str
        The text of a `flowchart`. In names from data, everything but letters, digits and a few
        plain marks is written as a character code, so that nothing in them is markup.

    Raises
    ------
    InvalidValue
        If an argument breaks its rule.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts({(cx.START, "web [1]"): 2, ("web [1]", cx.DROPOFF): 2})
    >>> print(graph.to_mermaid(widths=False))
    flowchart LR
      n0["web #91;1#93;"]
      n1(("START"))
      n2((("CONVERSION")))
      n3{{"DROPOFF"}}
      n0 -->|"2"| n3
      n1 -->|"2"| n0
    """
    check_flag(widths, "widths")
    check_choice(label, "label", ("count", "probability", "none"))
    check_choice(direction, "direction", ("LR", "TB"))
    picture = drawing(graph, min_count=min_count, max_edges=max_edges)
    ids = {name: f"n{i}" for i, name in enumerate(picture)}
    thickness = _widths(picture)
    lines = [f"flowchart {direction}"]
    for name, node in picture.nodes(data=True):
        left, right = _MERMAID_SHAPES.get(node.get("kind", ""), ("[", "]"))
        lines.append(f'  {ids[name]}{left}"{_mermaid_text(_title(name, node))}"{right}')
    for i, (u, v, data) in enumerate(picture.edges(data=True)):
        text = _edge_text(data, label)
        arrow = f'-->|"{_mermaid_text(text)}"|' if text else "-->"
        lines.append(f"  {ids[u]} {arrow} {ids[v]}")
        if widths:
            lines.append(f"  linkStyle {i} stroke-width:{thickness(data):.2f}px")
    return "\n".join(lines)


_DOT_SHAPES = {
    "start": "circle",
    "conversion": "doublecircle",
    "dropoff": "octagon",
    "other": "note",
}
_MERMAID_SHAPES = {
    "start": ("((", "))"),
    "conversion": ("(((", ")))"),
    "dropoff": ("{{", "}}"),
    "other": ("[/", "/]"),
}


def _title(name: str, node: Mapping[str, Any]) -> str:
    """Return what stands in a node: one line that shows what cannot be seen."""
    kind = node.get("kind", "touchpoint")
    if kind == "other":
        return f"other: {node['n_touchpoints']:,} touchpoints, {node['n_edges']:,} transitions"
    return kind.upper() if kind != "touchpoint" else "".join(map(_seen, name))


def _seen(char: str) -> str:
    hidden = unicodedata.category(char)[0] == "C" or unicodedata.category(char) in {"Zl", "Zp"}
    return f"<U+{ord(char):04X}>" if hidden else char


def _edge_text(data: Mapping[str, Any], label: str) -> str:
    value = data.get(label)
    if value is None:
        return ""
    return f"{value:,}" if label == "count" else f"{value:.1%}"


def _widths(graph: nx.DiGraph[str]) -> Callable[[Mapping[str, Any]], float]:
    most = max((data.get("count", 0) for _, _, data in graph.edges(data=True)), default=0)
    return lambda data: 1 + 4 * data.get("count", 0) / max(most, 1)


def _dot_quoted(text: str) -> str:
    # Graphviz reads HTML entities even in plain labels.
    for char, escaped in (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;")):
        text = text.replace(char, escaped)
    return f'"{text}"'


def _mermaid_text(text: str) -> str:
    return "".join(c if c.isalnum() or c in " _.,:+-%" else f"#{ord(c)};" for c in text)
