"""From visits to the journey graph: counts, times and probabilities in a few array passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.parallel import side_by_side
from cxjourney.graph import JourneyGraph
from cxjourney.graph.life_table import life_table
from cxjourney.graph.sojourn import MOVED, OPEN, move_mass
from cxjourney.kernels import sort_pairs
from cxjourney.log.visits import By, Visits, visits_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime, timedelta

    from cxjourney.domain import Interaction
    from cxjourney.log.columns import Coded
    from cxjourney.log.journeys import Journeys

__all__ = ["build_graph", "journey_graph"]

_DENSE = 4_000_000
_EPSILON = 1e-12


@attrs.frozen
class _Groups:
    """Rows grouped by a key: the distinct keys in order, and the group of each row."""

    keys: NDArray[np.int64]
    group: NDArray[np.int64]

    @classmethod
    def of(cls, key: NDArray[np.int64], size: int) -> _Groups:
        """Group keys below `size`."""
        if size > _DENSE:
            keys, group = np.unique(key, return_inverse=True)
            return cls(keys, group)
        place = np.zeros(size, dtype=np.int64)
        place[key] = 1
        keys = np.flatnonzero(place)
        place[keys] = np.arange(len(keys))
        return cls(keys, place[key])

    def __len__(self) -> int:
        return len(self.keys)

    def count(self, weights: NDArray[Any] | None = None) -> NDArray[np.int64]:
        """Return the number (or total weight) of the rows of each group."""
        return np.bincount(self.group, weights, minlength=len(self)).astype(np.int64)

    def total(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the sum of values over each group."""
        return np.bincount(self.group, values, minlength=len(self)).astype(np.float64)


def journey_graph(
    interactions: Iterable[Interaction],
    *,
    goal: str | Iterable[str] | None = None,
    inactivity: timedelta | None = None,
    exit_touchpoints: str | Iterable[str] = (),
    after_goal: Literal["new_journey", "discard", "keep"] = "new_journey",
    unfinished: Literal["in_progress", "dropped"] = "in_progress",
    observed_until: datetime | None = None,
    by: By = "touchpoint",
) -> JourneyGraph:
    """Return the journey graph of typed interactions: from objects to graph in one line.

    Parameters
    ----------
    interactions
        The interactions, in any order.
    goal, inactivity, exit_touchpoints, after_goal, unfinished
        How journeys end; see `InteractionLog.journeys`.
    observed_until
        Until when the interactions were observed; None means the last stamp.
    by
        What a node is: "touchpoint", "channel", "stage", "owner", or a pair of them.

    Returns
    -------
    JourneyGraph
        A `networkx.DiGraph`.

    Raises
    ------
    UnknownName
        If a goal or exit touchpoint does not occur.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> import cxjourney as cx
    >>> def at(customer, touchpoint, day):
    ...     stamp = datetime(2026, 1, day, tzinfo=timezone.utc)
    ...     return cx.Interaction(customer=customer, touchpoint=touchpoint, timestamp=stamp)
    >>> graph = cx.journey_graph(
    ...     [at("a", "web", 1), at("a", "buy", 2), at("b", "web", 1)],
    ...     goal="buy", inactivity=timedelta(days=7), observed_until=datetime(
    ...         2026, 1, 20, tzinfo=timezone.utc),
    ... )
    >>> graph.edges["web", cx.CONVERSION]["probability"]
    0.5
    """
    from cxjourney.log.interaction_log import InteractionLog

    log = InteractionLog.from_interactions(interactions, observed_until=observed_until)
    journeys = log.journeys(
        goal=goal,
        inactivity=inactivity,
        exit_touchpoints=exit_touchpoints,
        after_goal=after_goal,
        unfinished=unfinished,
    )
    return journeys.graph(by=by)


def build_graph(journeys: Journeys, *, by: By, times: bool) -> JourneyGraph:
    """Return the journey graph at a grain; see `Journeys.graph`."""
    rules = journeys.rules
    if times:
        journeys.require_times("graph(times=True)")
        times = rules.inactivity is not None  # without a limit nothing is censored by it
    visits = visits_of(journeys, by)
    size = len(visits.names) + 3
    moved = np.flatnonzero(visits.following >= 0)
    edges = _Groups.of(visits.node[moved] * size + visits.following[moved], size * size)
    n = size - 3
    (columns, estimator), edge_journeys, node_journeys = side_by_side(
        len(visits),
        lambda: _edge_columns(journeys, visits, edges, moved, times=times),
        lambda: _distinct(visits.journey[moved], edges.group, len(edges), journeys.weight),
        lambda: _distinct(visits.journey, visits.node, n, journeys.weight),
    )
    columns["journeys"][: len(edges)] = edge_journeys
    columns = _with_starts(journeys, visits, columns)
    source, target = np.divmod(columns.pop("key"), size)
    pending = np.bincount(
        visits.node[visits.state == OPEN], weights=_open_weight(visits), minlength=n
    )
    log = journeys.log
    return JourneyGraph.from_arrays(
        visits.names,
        source=source,
        target=target,
        **columns,
        pending=pending.astype(np.int64),
        node_journeys=node_journeys,
        channels=_members(journeys, visits, "channel"),
        stages=_members(journeys, visits, "stage"),
        owners=_members(journeys, visits, "owner"),
        open_histogram=_open_histogram(journeys, visits) if times else None,
        grid_us=_grid_us(journeys) if times else None,
        estimator=estimator,
        grain=by if isinstance(by, str) else ", ".join(by),
        goal=rules.goal,
        inactivity=rules.inactivity,
        observed_until=log.observed_until,
        absorbing=rules.absorbing,
        determined=rules.determined,
        currency=log.currency,
    )


def _edge_columns(
    journeys: Journeys,
    visits: Visits,
    edges: _Groups,
    moved: NDArray[np.intp],
    *,
    times: bool,
) -> tuple[dict[str, Any], Literal["count", "aalen-johansen", "life-table"]]:
    """Return the columns of the edges that leave a node, and how probabilities were estimated."""
    weight = None if visits.weight is None else visits.weight[moved]
    columns: dict[str, Any] = {
        "key": edges.keys,
        "count": edges.count(weight),
        "journeys": np.zeros(len(edges), dtype=np.int64),
    }
    if visits.wait_us is not None:
        columns |= _dwell(journeys, visits, edges, moved)
    if journeys.log.currency is not None or not np.isnan(journeys.value).all():
        columns["value_sum"] = _values(journeys, visits, edges, moved)
    if visits.wait_us is None or journeys.rules.inactivity is None:
        return columns, "count"
    if times:
        columns["gap_histogram"] = _gap_histogram(journeys, visits, edges, moved)
        return _with_life_table(journeys, visits, columns), "life-table"
    mass = move_mass(visits.node, visits.wait_us, visits.state, len(visits.names))
    columns["probability"] = edges.total(mass[moved])
    return _with_silence(visits, columns), "aalen-johansen"


def _with_silence(visits: Visits, columns: dict[str, Any]) -> dict[str, Any]:
    """Add what moves leave over to the edges into DROPOFF, some of which nobody took yet."""
    size = len(visits.names) + 3
    source, target = np.divmod(columns["key"], size)
    n = len(visits.names)
    silent = 1.0 - np.bincount(source, columns["probability"], minlength=n)
    known = np.bincount(visits.node[visits.state != OPEN], minlength=n) > 0
    inferred = known & (silent > _EPSILON)
    inferred[source[target == visits.dropoff]] = False
    columns = _append(columns, np.flatnonzero(inferred) * size + visits.dropoff)
    source, target = np.divmod(columns["key"], size)
    into = target == visits.dropoff
    columns["probability"][into] += np.maximum(silent[source[into]], 0.0)
    return columns


def _append(columns: dict[str, Any], keys: NDArray[np.int64]) -> dict[str, Any]:
    """Append edges that nobody took: counts 0, everything else missing."""
    if not len(keys):
        return columns
    added: dict[str, Any] = {"key": keys}
    for name, values in columns.items():
        if name == "key":
            continue
        shape = (len(keys), *values.shape[1:])
        if name in {"dwell_median_s", "dwell_m2", "value_sum"}:
            added[name] = np.full(shape, np.nan)
        elif name == "dwell_sum_us":
            added[name] = np.full(shape, -1, dtype=np.int64)
        else:
            added[name] = np.zeros(shape, dtype=values.dtype)
    return {name: np.concatenate([values, added[name]]) for name, values in columns.items()}


def _with_starts(journeys: Journeys, visits: Visits, columns: dict[str, Any]) -> dict[str, Any]:
    """Add the edges from START, to an end where a journey is its goal or exit alone."""
    size = len(visits.names) + 3
    touched = journeys.lengths > 0
    begins = visits.previous == visits.start
    first = np.empty(len(touched), dtype=np.int64)
    first[touched] = visits.node[begins]
    first[~touched] = np.where(journeys.converted[~touched], visits.conversion, visits.dropoff)
    counts = np.bincount(first, weights=journeys.weight, minlength=size).astype(np.int64)
    targets = np.flatnonzero(counts)
    if not len(targets):
        return columns
    n_edges = len(columns["key"])
    columns = _append(columns, visits.start * size + targets)
    columns["count"][n_edges:] = counts[targets]
    columns["journeys"][n_edges:] = counts[targets]
    if "probability" in columns:
        columns["probability"][n_edges:] = counts[targets] / counts.sum()
    if "value_sum" in columns and visits.conversion in targets:
        value = journeys.value[~touched & journeys.converted]
        at = n_edges + int(np.searchsorted(targets, visits.conversion))
        columns["value_sum"][at] = np.nansum(value) if len(value) else np.nan
    return columns


def _dwell(
    journeys: Journeys, visits: Visits, edges: _Groups, moved: NDArray[np.intp]
) -> dict[str, Any]:
    """Return sum, median and squared deviations of the time that each move took."""
    assert visits.wait_us is not None  # noqa: S101 - the caller has looked
    timed = visits.state[moved] == MOVED
    kept_goal = journeys.converted & ~journeys.absorbed  # such an end has no moment of its own
    timed &= ~((visits.following[moved] == visits.conversion) & kept_goal[visits.journey[moved]])
    group, wait = edges.group[timed], visits.wait_us[moved][timed]
    group, wait = sort_pairs(group, wait)
    n = np.bincount(group, minlength=len(edges))
    has = np.flatnonzero(n)
    first = np.searchsorted(group, has)
    total = np.full(len(edges), -1, dtype=np.int64)
    median = np.full(len(edges), np.nan)
    squares = np.full(len(edges), np.nan)
    if len(has):
        total[has] = np.add.reduceat(wait, first)
        low, high = wait[first + (n[has] - 1) // 2], wait[first + n[has] // 2]
        median[has] = (low / 2 + high / 2) / 1e6
        mean = total[has] / n[has] / 1e6
        deviation = wait / 1e6 - np.repeat(mean, n[has])
        squares[has] = np.add.reduceat(deviation * deviation, first)
    return {"dwell_sum_us": total, "dwell_median_s": median, "dwell_m2": squares}


def _distinct(
    journey: NDArray[np.int64],
    group: NDArray[np.int64],
    n_groups: int,
    weight: NDArray[np.int64] | None,
) -> NDArray[np.int64]:
    """Return the number of distinct journeys in each group (rows stand journey by journey)."""
    bits = max(n_groups - 1, 0).bit_length()
    key = journey << bits
    key |= group
    key.sort()
    key = key[np.append(True, key[1:] != key[:-1])[: len(key)]]
    weights = None if weight is None else weight[key >> bits]
    group = key & ((1 << bits) - 1)
    return np.bincount(group, weights, minlength=n_groups).astype(np.int64)


def _values(
    journeys: Journeys, visits: Visits, edges: _Groups, moved: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the value of the conversions by each edge, NaN where none is known."""
    into = visits.following[moved] == visits.conversion
    value = np.where(into, journeys.value[visits.journey[moved]], np.nan)
    known = ~np.isnan(value)
    weight = 1 if visits.weight is None else visits.weight[moved]
    total = edges.total(np.where(known, value, 0.0) * weight)
    return np.where(edges.count(known) > 0, total, np.nan)


def _open_weight(visits: Visits) -> NDArray[np.int64] | None:
    return None if visits.weight is None else visits.weight[visits.state == OPEN]


def _members(journeys: Journeys, visits: Visits, column: str) -> list[Collection[str]] | None:
    """Return the distinct names of a column at each node; None where the log has no such column."""
    coded: Coded | None = journeys.columns.coded.get(column)
    if coded is None:
        return None
    codes = coded.codes[visits.row].astype(np.int64)
    known = codes >= 0
    width = len(coded.names)
    pairs = np.unique(visits.node[known] * width + codes[known])
    members: list[Collection[str]] = [[] for _ in visits.names]
    for pair in pairs.tolist():
        node, name = divmod(pair, width)
        members[node] = [*members[node], coded.names[name]]
    return members


def _grid_us(journeys: Journeys) -> list[int]:
    """Return the bounds of the time bins: finer toward 0, the limit last."""
    limit = journeys.rules.inactivity
    assert limit is not None  # noqa: S101 - build_graph has looked
    limit_us = limit // np.timedelta64(1, "us").item()
    inner = np.geomspace(min(1e6, limit_us / 2), limit_us, 96).astype(np.int64)
    return [0, *np.unique(inner[:-1]).tolist(), limit_us]


def _binned(
    journeys: Journeys, group: NDArray[np.int64], wait: NDArray[np.int64], n_groups: int
) -> NDArray[np.int64]:
    bounds = np.array(_grid_us(journeys), dtype=np.int64)
    n_bins = len(bounds) - 1
    bins = np.minimum(np.searchsorted(bounds, wait, side="right") - 1, n_bins - 1)
    counts = np.bincount(group * n_bins + bins, minlength=n_groups * n_bins)
    return counts.astype(np.int64).reshape(n_groups, n_bins)


def _gap_histogram(
    journeys: Journeys, visits: Visits, edges: _Groups, moved: NDArray[np.intp]
) -> NDArray[np.int64]:
    assert visits.wait_us is not None  # noqa: S101 - build_graph has looked
    timed = visits.state[moved] == MOVED
    return _binned(journeys, edges.group[timed], visits.wait_us[moved][timed], len(edges))


def _open_histogram(journeys: Journeys, visits: Visits) -> NDArray[np.int64]:
    assert visits.wait_us is not None  # noqa: S101 - build_graph has looked
    still = visits.state == OPEN
    return _binned(journeys, visits.node[still], visits.wait_us[still], len(visits.names))


def _with_life_table(journeys: Journeys, visits: Visits, columns: dict[str, Any]) -> dict[str, Any]:
    size = len(visits.names) + 3
    n = len(visits.names)
    probability, _ = life_table(
        np.bincount(visits.node, minlength=n),
        _open_histogram(journeys, visits),
        columns["gap_histogram"],
        columns["key"] // size,
    )
    columns["probability"] = np.nan_to_num(probability)
    return _with_silence(visits, columns)
