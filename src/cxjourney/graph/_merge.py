"""Two graphs of disjoint customers become the graph of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney.exceptions import InvalidValue
from cxjourney.graph import _counts
from cxjourney.graph._columns import Edges, Nodes
from cxjourney.graph._life_table import life_table, life_table_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    import networkx as nx
    from numpy.typing import NDArray

_MUST_AGREE = ("grain", "inactivity_us", "gaps", "observed_until", "goal", "absorbing")


def merged(left: nx.DiGraph[str], right: nx.DiGraph[str]) -> tuple[Nodes, Edges, dict[str, Any]]:
    """Return the columns of the graph of both logs, or raise where their counts do not compare."""
    (a_nodes, a_edges, a), (b_nodes, b_edges, b) = map(_counts.from_networkx, (left, right))
    facts = _facts(a, b)
    dropped = sum(
        int(edges.count[edges.target == len(nodes.names) + 2].sum())
        for nodes, edges in ((a_nodes, a_edges), (b_nodes, b_edges))
    )
    # Shards of one log agree here; of two counted graphs the sum may show what neither does.
    facts["determined"] = dropped > 0 or (a["determined"] and b["determined"])
    names = tuple(dict.fromkeys((*a_nodes.names, *b_nodes.names)))
    code = {name: i for i, name in enumerate(names)}
    places = [
        np.array([code[n] for n in side.names], dtype=np.int64) for side in (a_nodes, b_nodes)
    ]
    nodes = _nodes(names, a_nodes, b_nodes, places)
    _check_weights(nodes, facts, (a, b))
    edges = _edges(len(names), a_edges, b_edges, places)
    if "grid_us" in facts:
        facts["estimator"] = "life-table"
        return *_life_table(nodes, edges, str(facts["grid_us"])), facts
    facts["estimator"] = "count"
    return nodes, _some(edges, edges.count > 0), facts


def _facts(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    for key in _MUST_AGREE:
        if a.get(key) != b.get(key):
            raise _differ(key.removesuffix("_us"), a.get(key), b.get(key))
    facts = {**a, **b}
    for key in ("currency", "grid_us"):
        if key in a and key in b and a[key] != b[key]:
            raise _differ(key.removesuffix("_us"), a[key], b[key])
    if not ("grid_us" in a and "grid_us" in b):
        facts.pop("grid_us", None)
    return facts


def _check_weights(nodes: Nodes, facts: dict[str, Any], sides: Sequence[dict[str, Any]]) -> None:
    """Raise InvalidValue if a sum would count visits in progress that its parts had weighed."""
    weighed = any(side["estimator"] != "count" for side in sides)
    if weighed and "grid_us" not in facts and nodes.censored is not None and nodes.censored.any():
        raise InvalidValue(
            "graphs whose probabilities allow for visits in progress add up only with their tables "
            "of times: make each by journeys.graph(times=True), or add journeys.statistics()"
        )


def _differ(what: str, a: object, b: object) -> InvalidValue:
    return InvalidValue(f"graphs must agree in {what} to be added; got {a!r} and {b!r}")


def _nodes(
    names: tuple[str, ...], a: Nodes, b: Nodes, places: Sequence[NDArray[np.int64]]
) -> Nodes:
    size = len(names)
    here = [np.ones(len(side.names), dtype=bool) for side in (a, b)]

    def sets(what: str) -> list[tuple[str, ...]]:
        found: list[set[str]] = [set() for _ in names]
        for side, place in zip((a, b), places, strict=True):
            for i, members in zip(place.tolist(), getattr(side, what) or (), strict=False):
                found[i].update(members)
        return [tuple(sorted(members)) for members in found]

    parts: list[str | None] = [None] * size
    for side, place in zip((a, b), places, strict=True):
        for i, part in zip(place.tolist(), side.touchpoint or (), strict=False):
            parts[i] = parts[i] if part is None else part
    return Nodes(
        names=names,
        censored=_total(size, places, (a.censored, b.censored), here),
        journeys=_total(size, places, (a.journeys, b.journeys), here),
        channels=sets("channels"),
        stages=sets("stages"),
        owners=sets("owners"),
        touchpoint=parts,
        censored_histogram=_histograms(size, places, (a.censored_histogram, b.censored_histogram)),
    )


def _edges(size: int, a: Edges, b: Edges, places: Sequence[NDArray[np.int64]]) -> Edges:
    width = size + 3
    keys = []
    for side, place in zip((a, b), places, strict=True):
        code = np.concatenate([place, np.arange(size, width)])
        keys.append(code[side.source] * width + code[side.target])
    every = np.unique(np.concatenate(keys))
    at = [np.searchsorted(every, key) for key in keys]
    used = [side.count > 0 for side in (a, b)]
    count = _total(every.size, at, (a.count, b.count), used)
    timed = _total(every.size, at, (a.timed, b.timed), used)
    some = [side.timed > 0 for side in (a, b)]
    waited = _total(every.size, at, (a.dwell_sum_us, b.dwell_sum_us), some)
    assert count is not None  # noqa: S101 - every graph has counts
    untimed = (timed == 0) & (count > 0)
    return Edges(
        source=every // width,
        target=every % width,
        count=count,
        journeys=_total(every.size, at, (a.journeys, b.journeys), used),
        dwell_sum_us=None if waited is None else np.where(untimed, -1, waited),
        dwell_m2=_squares(every.size, at, a, b),
        dwell_count=timed,
        value_sum=_values(every.size, at, (a.value_sum, b.value_sum)),
        gap_histogram=_histograms(every.size, at, (a.gap_histogram, b.gap_histogram)),
    )


def _total(
    size: int,
    at: Sequence[NDArray[np.int64]],
    columns: Sequence[NDArray[np.int64] | None],
    used: Sequence[NDArray[np.bool_]],
) -> NDArray[np.int64] | None:
    """Return the sum of both columns; missing (-1) where a side that was used does not know it."""
    if all(column is None for column in columns):
        return None
    total = np.zeros(size, dtype=np.int64)
    missing = np.zeros(size, dtype=bool)
    for where, column, use in zip(at, columns, used, strict=True):
        if column is None:
            missing[where] |= use
        else:
            total[where] += np.maximum(column, 0)
            missing[where] |= use & (column < 0)
            missing |= total < 0  # more than 64 bits hold
    return np.where(missing, -1, total)


def _values(
    size: int, at: Sequence[NDArray[np.int64]], columns: Sequence[NDArray[np.float64] | None]
) -> NDArray[np.float64] | None:
    """Return the sum of the known values: an unknown one adds nothing, as within a log."""
    if all(column is None for column in columns):
        return None
    total = np.zeros(size)
    known = np.zeros(size, dtype=bool)
    for where, column in zip(at, columns, strict=True):
        if column is not None:
            total[where] += np.nan_to_num(column)
            known[where] |= ~np.isnan(column)
    return np.where(known, total, np.nan)


def _squares(
    size: int, at: Sequence[NDArray[np.int64]], a: Edges, b: Edges
) -> NDArray[np.float64] | None:
    """Return sums of squared deviations from the common mean (Chan, Golub & LeVeque 1983)."""
    if a.dwell_m2 is None and b.dwell_m2 is None:
        return None
    squares, count, total = np.zeros((2, size)), np.zeros((2, size)), np.zeros((2, size))
    for row, (where, side) in enumerate(zip(at, (a, b), strict=True)):
        unknown = np.full(side.count.size, np.nan)
        used = side.timed > 0
        sums = unknown if side.dwell_sum_us is None else side.dwell_sum_us
        dwell = np.where(sums >= 0, sums / 1e6, np.nan)
        spread = unknown if side.dwell_m2 is None else side.dwell_m2
        squares[row, where] = np.where(used, spread, 0)
        total[row, where] = np.where(used, dwell, 0)
        count[row, where] = side.timed
    mean = np.divide(total, count, out=np.zeros((2, size)), where=count > 0)
    both = count.sum(axis=0)
    weight = np.divide(count.prod(axis=0), both, out=np.zeros(size), where=both > 0)
    pooled: NDArray[np.float64] = squares.sum(axis=0) + (mean[0] - mean[1]) ** 2 * weight
    return pooled


def _histograms(
    size: int, at: Sequence[NDArray[np.int64]], columns: Sequence[NDArray[np.int64] | None]
) -> NDArray[np.int64] | None:
    first, second = columns
    if first is None or second is None:
        return None
    total = np.zeros((size, first.shape[1]), dtype=np.int64)
    total[at[0]] += first
    total[at[1]] += second
    return total


def _life_table(nodes: Nodes, edges: Edges, grid: str) -> tuple[Nodes, Edges]:
    """Return both with what a life table tells: probabilities, inferred exits, and times."""
    size = len(nodes.names)
    dropoff = size + 2
    edges = _with_exits(edges, size, dropoff)
    inner = np.flatnonzero(edges.source < size)
    into = edges.target == dropoff
    silent_at = np.flatnonzero((edges.source < size) & into)
    inner_probability, silent = life_table(
        edges.arriving(size),
        _known(nodes.censored_histogram),
        _known(edges.gap_histogram)[inner],
        edges.source[inner],
    )
    probability = np.full(edges.count.size, np.nan)
    probability[inner] = inner_probability
    timed = None if edges.dwell_sum_us is None else np.where(into, probability, np.nan)
    probability[silent_at] += silent[edges.source[silent_at]]
    mean, deviation, followed = life_table_times(nodes, edges, [int(x) for x in grid.split(",")])
    keep = (edges.count > 0) | (np.nan_to_num(probability) > 0)
    edges = attrs.evolve(
        edges,
        probability=probability,
        dwell_probability=timed,
        dwell_mean_s=None if edges.dwell_sum_us is None else mean,
        dwell_sd_s=None if edges.dwell_m2 is None else deviation,
    )
    return attrs.evolve(nodes, followed_us=followed), _some(edges, keep)


def _known(histogram: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if histogram is None:  # a grid without histograms is no graph of ours
        raise InvalidValue("a graph with grid_us must carry censored_histogram and gap_histogram")
    return histogram


def _with_exits(edges: Edges, size: int, dropoff: int) -> Edges:
    """Return the edges and one of count 0 into DROPOFF for each node that has none."""
    lacking = np.setdiff1d(np.arange(size), edges.source[edges.target == dropoff])
    grown: dict[str, Any] = {}
    for field in attrs.fields(Edges):
        column = getattr(edges, field.name)
        if column is not None:
            fill = np.zeros((lacking.size, *column.shape[1:]), dtype=column.dtype)
            grown[field.name] = np.concatenate([column, fill])
    grown["source"][edges.count.size :] = lacking
    grown["target"][edges.count.size :] = dropoff
    return Edges(**grown)


def _some(edges: Edges, keep: NDArray[np.bool_]) -> Edges:
    columns = {f.name: getattr(edges, f.name) for f in attrs.fields(Edges)}
    return Edges(**{name: None if c is None else c[keep] for name, c in columns.items()})
