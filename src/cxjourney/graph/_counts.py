"""Counts that people bring, checked and turned into columns."""

from __future__ import annotations

import json
import operator
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.validation import check_mapping
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.graph._columns import MOST, TERMINAL_NODES, Edges, Nodes
from cxjourney.graph._guard import check_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import networkx as nx

FACTS = (
    "estimator",
    "grain",
    "goal",
    "inactivity_us",
    "gaps",
    "observed_until",
    "absorbing",
    "determined",
    "currency",
    "grid_us",
)
"""Attributes of the graph that are given; the numbers of journeys follow from the counts."""


@attrs.frozen(kw_only=True, eq=False)
class CountColumns:
    """Edges and censored visits as columns; codes K, K + 1, K + 2 are the terminals."""

    names: tuple[str, ...]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    count: NDArray[np.int64]
    censored: NDArray[np.int64]

    def can_be_dropped(self, *, inactivity: bool) -> bool:
        """Return whether the counts, without a word about it, leave outcomes determined."""
        dropped = self.count[self.target == len(self.names) + 2].sum() > 0
        return bool(dropped or inactivity or not self.censored.any())


def columns(edges: Mapping[tuple[str, str], int], censored: Mapping[str, int]) -> CountColumns:
    """Return the edges and censored visits as columns."""
    check_mapping(censored, "censored")
    ends = (name for edge in edges for name in edge)
    names = tuple(dict.fromkeys(n for n in (*ends, *censored) if n not in TERMINAL_NODES))
    if set(censored) & set(TERMINAL_NODES):
        raise InvalidValue("censored must be of touchpoints; a terminal has no censored visits")
    for name in names:
        if not isinstance(name, str) or not name:
            raise InvalidValue.of("a touchpoint's name", "be a non-empty str", name)
    code = {name: i for i, name in enumerate((*names, *TERMINAL_NODES))}
    counts = [_whole(n, f"the count of {u!r} -> {v!r}") for (u, v), n in edges.items()]
    waiting = [_whole(censored.get(n, 0), f"censored of {n!r}") for n in names]
    return CountColumns(
        names=names,
        source=np.array([code[u] for u, _ in edges], dtype=np.int64),
        target=np.array([code[v] for _, v in edges], dtype=np.int64),
        count=np.array(counts, dtype=np.int64),
        censored=np.array(waiting, dtype=np.int64),
    )


def known(
    values: Mapping[str, int] | None, names: Sequence[str], what: str
) -> NDArray[np.int64] | None:
    """Return a count per name, -1 where it is not known."""
    if values is None:
        return None
    _check_known(values, names, what)
    return np.array(
        [_whole(values[n], f"{what} of {n!r}") if n in values else -1 for n in names],
        dtype=np.int64,
    )


def sets(
    values: Mapping[str, str] | None, names: Sequence[str], what: str
) -> list[tuple[str, ...]] | None:
    """Return the value of each name as a set of one, empty where it is not known."""
    if values is None:
        return None
    _check_known(values, names, what)
    return [(values[n],) if n in values else () for n in names]


def _check_known(values: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    check_mapping(values, what)
    all_names = set(names)
    for name in values:
        if name not in all_names:
            raise UnknownName.among(f"touchpoint of {what}", name, names, where="the edges")


def check_edges(edges: Iterable[tuple[str, str]]) -> None:
    """Raise InvalidValue if an edge does not join two names, or runs wrongly at a terminal."""
    for edge in edges:
        if not isinstance(edge, tuple) or len(edge) != 2:
            raise InvalidValue.of("edges", "have pairs (from, to) as keys", edge)
        source, target = edge
        if target == START:
            raise InvalidValue(f"no edge enters START; got {source!r} -> START")
        if source in {CONVERSION, DROPOFF}:
            raise InvalidValue(
                f"no edge leaves CONVERSION or DROPOFF; got {source!r} -> {target!r}"
            )


def _whole(value: object, what: str) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < 0 or isinstance(value, (bool, np.bool_)):
        raise InvalidValue.of(what, "be a whole number from 0", value)
    if number > MOST:
        raise InvalidValue.of(what, f"be at most {MOST:,}, up to which sums are exact", value)
    return number


def from_networkx(
    graph: nx.Graph[Any], *, count: str = "count"
) -> tuple[Nodes, Edges, dict[str, Any]]:
    """Return the columns of any directed graph with counts, and the attributes of the graph."""
    if not graph.is_directed() or graph.is_multigraph():
        raise InvalidValue.of("graph", "be directed and not a multigraph", graph)
    rows = list(graph.edges(data=True))
    for u, v, data in rows:
        if count not in data:
            raise InvalidValue(f"edge {u!r} -> {v!r} has no attribute {count!r}; name it: count=")
    check_attributes(graph, count)
    inner = {n: data for n, data in graph.nodes(data=True) if n not in TERMINAL_NODES}
    censored_visits = {n: data.get("censored", 0) for n, data in inner.items()}
    base = columns({(u, v): data[count] for u, v, data in rows}, censored_visits)
    nodes = [inner[n] for n in base.names]
    edges = [data for _, _, data in rows]
    facts = {key: graph.graph[key] for key in FACTS if key in graph.graph}
    grid = facts.get("grid_us")
    facts = {
        "estimator": "count",
        "grain": "touchpoint",
        "goal": "[]",
        "absorbing": True,
        "determined": base.can_be_dropped(inactivity="inactivity_us" in facts),
        **facts,
    }
    return (
        Nodes(
            names=base.names,
            censored=base.censored,
            journeys=_column(nodes, "journeys", -1),
            channels=[names_of(node, "channel") for node in nodes],
            stages=[names_of(node, "stage") for node in nodes],
            owners=[names_of(node, "owner") for node in nodes],
            touchpoint=[node.get("touchpoint") for node in nodes],
            censored_histogram=_histogram(nodes, "censored_histogram", grid),
            followed_us=_column(nodes, "followed_us", -1),
        ),
        Edges(
            source=base.source,
            target=base.target,
            count=base.count,
            journeys=_column(edges, "journeys", -1),
            probability=(
                _column(edges, "probability", np.nan) if "estimator" in graph.graph else None
            ),
            dwell_sum_us=_column(edges, "dwell_sum_us", -1),
            dwell_median_s=_column(edges, "dwell_median_s", np.nan),
            dwell_m2=_column(edges, "dwell_m2", np.nan),
            dwell_count=_timed(edges, count),
            # of a graph of counts the mean is that of its sums
            **(
                {}
                if facts["estimator"] == "count" and grid is None
                else {
                    name: _column(edges, name, np.nan)
                    for name in ("dwell_mean_s", "dwell_sd_s", "dwell_probability")
                }
            ),
            value_sum=_column(edges, "value_sum", np.nan),
            gap_histogram=_histogram(edges, "gap_histogram", grid),
        ),
        facts,
    )


def _timed(rows: Sequence[Mapping[str, Any]], count: str) -> NDArray[Any] | None:
    if not any("dwell_count" in row for row in rows):
        return None
    return np.array([row.get("dwell_count", row[count]) for row in rows])


def names_of(node: Mapping[str, Any], what: str) -> tuple[str, ...]:
    """Return the distinct channels, stages or owners that a node knows."""
    if what in node:
        return (node[what],)
    return tuple(json.loads(node.get(f"{what}s", "[]")))


def _column(rows: Sequence[Mapping[str, Any]], key: str, missing: float) -> NDArray[Any] | None:
    if not any(key in row for row in rows):
        return None
    return np.array([row.get(key, missing) for row in rows])


def _histogram(
    rows: Sequence[Mapping[str, Any]], key: str, grid: str | None
) -> NDArray[np.int64] | None:
    if grid is None:
        return None
    bins = grid.count(",")
    empty = ",".join("0" * bins)
    strings = [row.get(key, empty).split(",") for row in rows]
    return np.array(strings, dtype=np.int64).reshape(len(rows), bins)
