"""The graph for other programs: GraphML, DOT and Mermaid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import networkx as nx

from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.graph.journey_graph import JourneyGraph

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["read_graphml", "write_graphml"]

# XML 1.0 has no such characters, not even escaped, and reads a carriage return as a newline.
_NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_graphml(graph: JourneyGraph, path: str | Path) -> None:
    r"""Write the graph with all that it knows as GraphML.

    Parameters
    ----------
    graph
        The graph.
    path
        The file to write.

    Raises
    ------
    InvalidValue
        If a name has a character that XML cannot hold, such as "\\x00" or a carriage return:
        changing it in silence could make two names one. Use `JourneyGraph.to_json` there.

    See Also
    --------
    read_graphml : The way back; types are kept.
    """
    for text in _texts(graph):
        if found := _NOT_IN_XML.search(text):
            raise InvalidValue(
                f"GraphML cannot hold the character {found.group()!r} of {text!r}; "
                "rename it, or write graph.to_json() instead"
            )
    nx.write_graphml(graph, path)


def read_graphml(path: str | Path) -> JourneyGraph:
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
    from xml.etree.ElementTree import ParseError

    try:
        graph = nx.read_graphml(path)
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror}") from error
    except (ParseError, nx.NetworkXError) as error:
        raise InputFileError(f"{path}: not GraphML: {error}") from error
    return JourneyGraph.from_networkx(graph)


def _texts(graph: JourneyGraph) -> Iterator[str]:
    rows = [graph.graph, *(node for _, node in graph.nodes(data=True))]
    rows += [edge for _, _, edge in graph.edges(data=True)]
    yield from graph
    for row in rows:
        yield from row
        yield from (value for value in row.values() if isinstance(value, str))
