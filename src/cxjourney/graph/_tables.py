"""The graph as two tables: what its picture draws, and what a spreadsheet reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.table import Table
from cxjourney.domain import DROPOFF, stage_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    import networkx as nx

    from cxjourney.domain import StageModel

_NO_STAGE = "several stages"  # or none: such a node has a column of its own
_COUNTS = ("visits", "journeys", "starts", "conversions", "exits", "censored")


def nodes_table(graph: nx.DiGraph[str]) -> Table:
    """Return one row a node: its name, kind, channel, stage, owner and counts.

    Returns
    -------
    Table
        With `exit_probability` [fraction]; NaN and "" where the graph does not say.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts({(cx.START, "web"): 4, ("web", cx.DROPOFF): 4})
    >>> graph.nodes_table().row(0)["exit_probability"]
    1.0
    """
    rows = [(name, node) for name, node in graph.nodes(data=True)]
    columns: dict[str, Any] = {"name": [name for name, _ in rows]}
    for key in ("kind", "channel", "stage", "owner"):
        columns[key] = [str(node.get(key, "")) for _, node in rows]
    for key in _COUNTS:
        columns[key] = np.array([node.get(key, math.nan) for _, node in rows], dtype=np.float64)
    columns["exit_probability"] = np.array([_exit(graph, name, node) for name, node in rows])
    formats = dict.fromkeys(_COUNTS, "integer") | {"exit_probability": "percent"}
    return Table(columns, formats=formats)


def edges_table(graph: nx.DiGraph[str]) -> Table:
    """Return one row an edge: from, to, count, journeys, probability and times.

    Returns
    -------
    Table
        `probability` [fraction]; `dwell_mean_s` and `dwell_median_s` from the one visit to the
        next [seconds]; NaN where the graph does not say.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts({(cx.START, "web"): 4, ("web", cx.DROPOFF): 4})
    >>> graph.edges_table()["count"].tolist()
    [4, 4]
    """
    rows = [(u, v, edge) for u, v, edge in graph.edges(data=True)]
    columns: dict[str, Any] = {
        "from": [source for source, _, _ in rows],
        "to": [target for _, target, _ in rows],
        "count": np.array([edge.get("count", 0) for _, _, edge in rows], dtype=np.int64),
    }
    for key in ("journeys", "probability", "dwell_mean_s", "dwell_median_s"):
        columns[key] = np.array([edge.get(key, math.nan) for _, _, edge in rows], dtype=np.float64)
    formats = {
        "journeys": "integer",
        "probability": "percent",
        "dwell_mean_s": "duration",
        "dwell_median_s": "duration",
    }
    return Table(columns, formats=formats)


def stage_columns(
    graph: nx.DiGraph[str], stages: StageModel | Sequence[str] | None = None
) -> tuple[dict[str, str] | None, tuple[str, ...] | None]:
    """Return the stage of each node for a drawing, and the order of the stages.

    `stages` None takes the standard model that has all stages of the graph. None in place of the
    stages where fewer than half of the touchpoints have one, and in place of an unknown order.
    """
    stage = {name: str(node.get("stage", "")) for name, node in graph.nodes(data=True)}
    order = stage_order(sorted({*stage.values()} - {""}), stages)
    places = sum(node.get("kind") == "touchpoint" for _, node in graph.nodes(data=True))
    if 2 * sum(map(bool, stage.values())) < places or not any(stage.values()):
        return None, order
    named = {name: own or _NO_STAGE for name, own in stage.items()}
    return named, None if order is None else (*order, _NO_STAGE)


def _exit(graph: nx.DiGraph[str], name: str, node: dict[str, Any]) -> float:
    """Return the probability that a visit is the last of its journey."""
    if node.get("kind") != "touchpoint":
        return math.nan
    if graph.has_edge(name, DROPOFF):
        return float(graph.edges[name, DROPOFF].get("probability", math.nan))
    # nobody was seen to leave; with no visit that came to an end, nobody knows
    ended = node.get("visits", 0) - node.get("censored", 0)
    return 0.0 if ended > 0 else math.nan
