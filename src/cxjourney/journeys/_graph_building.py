"""The journey graph of visits: counts, times and probabilities in a few array passes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import attrs
import networkx as nx
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN
from cxjourney._support.validation import duration_us
from cxjourney.domain import DROPOFF
from cxjourney.exceptions import InvalidValue
from cxjourney.graph import JourneyGraph, life_table
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._sharing import shareable
from cxjourney.journeys._statistics import statistics_of
from cxjourney.journeys._times import times_of
from cxjourney.journeys._visits import By, Visits, grain_codes, grain_name, visits_of
from cxjourney.kernels import Follows, directly_follows, waits_of_transitions, weighted_medians
from cxjourney.markov import AbsorbingChain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from cxjourney.domain import Interaction
    from cxjourney.journeys._adding import JourneyStatistics
    from cxjourney.log import Coded

_DENSE = 4_000_000
_EPSILON = 1e-12
_LARGEST = 2**63 - 1
_MISSING = frozenset(
    {
        "dwell_mean_s",
        "dwell_sd_s",
        "dwell_median_s",
        "dwell_m2",
        "dwell_probability",
        "value_sum",
    }
)


def journey_graph(
    interactions: Iterable[Interaction],
    *,
    goal: str | Iterable[str] | None = None,
    inactivity: timedelta | str | None = None,
    exit_touchpoints: str | Iterable[str] = (),
    after_goal: Literal["new_journey", "discard", "keep"] = "new_journey",
    all_closed: bool = False,
    observed_until: datetime | None = None,
    by: By = "touchpoint",
) -> JourneyGraph:
    """Return the journey graph of typed interactions: from objects to graph in one line.

    Parameters
    ----------
    interactions
        The interactions, in any order.
    goal, inactivity, exit_touchpoints, after_goal, all_closed
        How journeys end; see `InteractionLog.journeys`.
    observed_until
        Until when the interactions were observed; None means the last timestamp.
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
    ...     timestamp = datetime(2026, 1, day, tzinfo=timezone.utc)
    ...     return cx.Interaction(customer=customer, touchpoint=touchpoint, timestamp=timestamp)
    >>> graph = cx.journey_graph(
    ...     [at("a", "web", 1), at("a", "buy", 2), at("b", "web", 1)],
    ...     goal="buy", inactivity=timedelta(days=7), observed_until=datetime(
    ...         2026, 1, 20, tzinfo=timezone.utc),
    ... )
    >>> graph.edges["web", cx.CONVERSION]["probability"]
    0.5
    """
    from cxjourney.log import InteractionLog

    log = InteractionLog.from_interactions(interactions, observed_until=observed_until)
    journeys = log.journeys(
        goal=goal,
        inactivity=inactivity,
        exit_touchpoints=exit_touchpoints,
        after_goal=after_goal,
        all_closed=all_closed,
    )
    return journeys.graph(by=by)


def graph_of(journeys: Journeys | JourneyStatistics, by: By = "touchpoint") -> JourneyGraph:
    """Return the graph that all analyses of these journeys read; it is built once.

    It is frozen, since it is shared: `Journeys.graph` gives people one of their own.
    """
    return journeys.memo.get(("graph", by), lambda: _frozen(journeys, by))


def shared_graph(journeys: Journeys, by: By) -> JourneyGraph:
    """Return a graph of which nothing is about fewer than five customers.

    Left out is what is not a sum of the cells that were made sure of: how many journeys took a
    step, what conversions after it were worth, how drop-offs divide into silences and exits, and
    times of single visits.
    """
    if not isinstance(by, str):
        raise InvalidValue.of("by", "be a single grain, such as 'channel', where share=True", by)
    graph = build_graph(shareable(journeys), by=by, times=False)
    for _, v, edge in graph.edges(data=True):
        for name in list(edge):
            if name in {"journeys", "value_sum"} or (v == DROPOFF and name.startswith("dwell_")):
                del edge[name]
    for _, node in graph.nodes(data=True):
        node.pop("followed_us", None)
    graph.graph.pop("currency", None)
    if "observed_until" in graph.graph:  # the last interaction is that of one customer
        day = datetime.fromisoformat(graph.graph["observed_until"])
        graph.graph["observed_until"] = day.replace(
            hour=0, minute=0, second=0, microsecond=0
        ).isoformat()
    return graph


def _frozen(journeys: Journeys | JourneyStatistics, by: By) -> JourneyGraph:
    if isinstance(journeys, Journeys):
        graph = build_graph(journeys, by=by, times=False)
    else:
        graph = graph_of_statistics(journeys, by)
    nx.freeze(graph)
    return graph


def chain_of(journeys: Journeys | JourneyStatistics, by: By = "touchpoint") -> AbsorbingChain:
    """Return the absorbing chain of the shared graph; where no way out is known, as censored.

    Raises
    ------
    NotAbsorbing
        If the goal does not end a journey (`after_goal="keep"`).
    """
    return journeys.memo.get(
        ("chain", by),
        lambda: AbsorbingChain.from_graph(graph_of(journeys, by), trapped="censored"),
    )


@attrs.frozen(kw_only=True)
class _Edges:
    """The transitions of the journeys at a grain, between the nodes that were visited.

    Attributes
    ----------
    names
        Names of the K nodes.
    columns
        Columns for `JourneyGraph.from_arrays` by name, and "key": source (K + 3) + target.
    """

    names: tuple[str, ...]
    columns: dict[str, Any]

    @property
    def size(self) -> int:
        """Number of nodes with START, CONVERSION and DROPOFF."""
        return len(self.names) + 3

    def ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return source and target of each edge."""
        source, target = np.divmod(self.columns["key"], self.size)
        return source, target

    def places(self, visits: Visits, chosen: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the edge that each of the chosen visits moved along."""
        key = visits.node[chosen] * self.size + visits.following[chosen]
        return np.searchsorted(self.columns["key"], key)


def build_graph(journeys: Journeys, *, by: By, times: bool) -> JourneyGraph:
    """Return the journey graph at a grain; see `Journeys.graph`."""
    rules, log = journeys.rules, journeys.log
    if times:
        journeys.require_times("graph(times=True)")
        times = rules.inactivity is not None  # without a limit nothing is censored by it
    coded = grain_codes(journeys.columns, by)
    follows = directly_follows(
        coded.codes,
        journeys.offsets,
        journeys.absorbed,
        journeys.outcome,
        len(coded.names),
        journeys.weight,
        journeys.columns.time,
    )
    used = np.flatnonzero(follows.visits)
    edges = _edges(coded, follows, used)
    followed = None
    if journeys.columns.time is not None:
        edges.columns.update(_dwell(journeys, coded, follows, journeys.columns.time))
        followed = _add_weighted_times(journeys, by, edges, median_only=times)
    _add_values(journeys, coded, edges)
    estimator: Literal["count", "aalen-johansen", "life-table"] = "count"
    censored_histogram = None
    if journeys.columns.time is not None and rules.inactivity is not None:
        estimator = "life-table" if times else "aalen-johansen"
        at_risk = follows.visits[used] - follows.censored[used]
        censored_histogram = _add_probabilities(journeys, by, edges, at_risk=at_risk, times=times)
    first = np.concatenate([follows.first[used], follows.first[-3:]])
    at_once = journeys.value[(journeys.lengths == 0) & journeys.converted]
    value = np.nan if np.isnan(at_once).all() else float(np.nansum(at_once))
    columns = _with_starts(first, value, edges)
    source, target = np.divmod(columns.pop("key"), edges.size)
    return JourneyGraph.from_arrays(
        edges.names,
        source=source,
        target=target,
        **columns,
        censored=follows.censored[used],
        node_journeys=follows.visiting[used],
        channels=_members(journeys, coded, used, "channel"),
        stages=_members(journeys, coded, used, "stage"),
        owners=_members(journeys, coded, used, "owner"),
        censored_histogram=censored_histogram,
        followed_us=None if times else followed,
        grid_us=_grid_us(rules.inactivity) if times and rules.inactivity else None,
        estimator=estimator,
        grain=grain_name(by),
        goal=rules.goal,
        inactivity=rules.inactivity,
        gaps=None if rules.gaps is None else repr(rules.gaps),
        observed_until=log.observed_until,
        absorbing=rules.absorbing,
        determined=rules.determined,
        currency=log.currency,
    )


def graph_of_statistics(statistics: JourneyStatistics, by: By) -> JourneyGraph:
    """Return the journey graph of statistics that add up."""
    from cxjourney.journeys._adding import edges_of, transitions_of

    whole, found = transitions_of(statistics, by), edges_of(statistics, by)
    rules = statistics.rules
    edges = _Edges(names=whole.names, columns=found.columns)
    estimator: Literal["count", "aalen-johansen"] = "count"
    if rules.inactivity is not None:
        estimator = "aalen-johansen"
        _add_silence(whole.at_risk, edges)
    else:
        edges.columns.pop("probability")
    columns = _with_starts(whole.first, found.value_at_once, edges)
    source, target = np.divmod(columns.pop("key"), edges.size)
    return JourneyGraph.from_arrays(
        edges.names,
        source=source,
        target=target,
        **columns,
        censored=whole.censored,
        node_journeys=found.node_journeys,
        **found.members,
        followed_us=found.followed_us,
        estimator=estimator,
        grain=grain_name(by),
        goal=rules.goal,
        inactivity=rules.inactivity,
        observed_until=statistics.observed_until,
        absorbing=rules.absorbing,
        determined=rules.determined,
        currency=statistics.currency,
    )


def _edges(coded: Coded, follows: Follows, used: NDArray[np.intp]) -> _Edges:
    """Return the transitions with nodes renumbered to those in use."""
    old, k = len(coded.names) + 3, len(used)
    place = np.zeros(old, dtype=np.int64)
    place[used] = np.arange(k)
    place[-3:] = k + np.arange(3)
    source, target = np.divmod(follows.keys, old)
    columns: dict[str, Any] = {
        "key": place[source] * (k + 3) + place[target],
        "count": follows.counts,
        "journeys": follows.journeys,
    }
    return _Edges(names=tuple(coded.names[i] for i in used.tolist()), columns=columns)


def _dwell(
    journeys: Journeys, coded: Coded, follows: Follows, time: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the plain sums of the time that each transition took, and how often it has one."""
    size = len(coded.names) + 3
    untimed = np.flatnonzero(~journeys.absorbed & (journeys.lengths > 0) & (journeys.outcome < 2))
    last = coded.codes[journeys.offsets[1:][untimed] - 1].astype(np.int64)
    key = last * size + len(coded.names) + 1 + journeys.outcome[untimed]
    without = np.bincount(np.searchsorted(follows.keys, key), minlength=len(follows.keys))
    count = follows.counts - without
    waits = waits_of_transitions(
        coded.codes,
        journeys.offsets,
        journeys.absorbed,
        journeys.outcome,
        time,
        len(coded.names),
        follows,
    )
    total, mean, squares = follows.waited, None, waits.squares
    if len(time) and int(np.ptp(time)) * int(follows.counts.max(initial=0)) > _LARGEST:
        total, mean, squares = _large_sums(journeys, coded, follows, time, count)
    columns = {
        "dwell_sum_us": total,
        "dwell_count": count,
        "dwell_median_s": waits.median / 1e6,
        "dwell_m2": squares,
    }
    return columns if mean is None else {**columns, "dwell_mean_s": mean}


def _large_sums(
    journeys: Journeys,
    coded: Coded,
    follows: Follows,
    time: NDArray[np.int64],
    count: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return sums [µs], means [s] and squared deviations of times too long for sums of integers.

    A sum that 64 bits cannot hold is missing (-1); means and squares are those of floats.
    """
    size, n = len(coded.names) + 3, len(follows.keys)
    inner = np.ones(len(time), dtype=np.bool_)
    inner[journeys.offsets[1:] - 1] = False
    row = np.flatnonzero(inner)
    after = coded.codes.astype(np.int64)
    ends = journeys.offsets[1:][journeys.absorbed] - 1
    after[ends] = len(coded.names) + 1 + journeys.outcome[journeys.absorbed]
    move = np.searchsorted(follows.keys, coded.codes[row].astype(np.int64) * size + after[row + 1])
    wait = time[row + 1] - time[row]
    total = np.full(n, -1, dtype=np.int64)
    high, low = np.zeros((2, n), dtype=np.int64)
    np.add.at(high, move, wait >> 32)
    np.add.at(low, move, wait & 0xFFFFFFFF)
    for k in np.flatnonzero(count).tolist():
        exact = (int(high[k]) << 32) + int(low[k])
        total[k] = exact if exact <= _LARGEST else -1
    mean = np.full(n, np.nan)
    np.divide(high * 2.0**32 + low, count * 1e6, out=mean, where=count > 0)
    squares = np.bincount(move, (wait / 1e6 - mean[move]) ** 2, minlength=n)
    return total, mean, np.where(count > 0, squares, np.nan)


def _add_weighted_times(
    journeys: Journeys, by: By, edges: _Edges, *, median_only: bool
) -> NDArray[np.int64]:
    """Weigh the times of transitions by Aalen and Johansen; return how long nodes were followed."""
    times = times_of(journeys, by)
    if times.weighted:
        whole, n = statistics_of(journeys, by), len(edges.columns["key"])
        key = whole.source * edges.size + whole.target
        at = np.searchsorted(edges.columns["key"], key)[times.transition]
        mass, seconds, squares = (
            np.bincount(at, times.mass if power == 0 else times.mass * times.wait_s**power, n)
            for power in range(3)
        )
        some = mass > 0
        mean, square = (
            np.divide(part, mass, out=np.full(n, np.nan), where=some) for part in (seconds, squares)
        )
        edges.columns["dwell_median_s"] = weighted_medians(at, times.wait_s, times.mass, n)
        if not median_only:  # a life table has its own
            edges.columns["dwell_mean_s"] = mean
            edges.columns["dwell_sd_s"] = np.sqrt(np.maximum(square - mean**2, 0.0))
    return times.followed_us


def _add_values(journeys: Journeys, coded: Coded, edges: _Edges) -> None:
    """Add the value of the conversions by each edge, NaN where none is known."""
    if journeys.log.currency is None and np.isnan(journeys.value).all():
        return
    ends = journeys.converted & (journeys.lengths > 0) & ~np.isnan(journeys.value)
    last = journeys.offsets[1:][ends] - 1 - journeys.absorbed[ends]
    place = {name: i for i, name in enumerate(edges.names)}
    renumber = np.array([place.get(name, 0) for name in coded.names], dtype=np.int64)
    key = renumber[coded.codes[last]] * edges.size + len(edges.names) + 1
    at = np.searchsorted(edges.columns["key"], key)
    value = journeys.value[ends]
    if journeys.weight is not None:
        value = value * journeys.weight[ends]
    n_edges = len(edges.columns["key"])
    total = np.bincount(at, value, minlength=n_edges)
    known = np.bincount(at, minlength=n_edges) > 0
    edges.columns["value_sum"] = np.where(known, total, np.nan)


def _add_probabilities(
    journeys: Journeys, by: By, edges: _Edges, *, at_risk: NDArray[np.int64], times: bool
) -> NDArray[np.int64] | None:
    """Add transition probabilities at the limit; return how long censored visits were seen."""
    histogram = None
    if times:
        visits = visits_of(journeys, by)
        moved = np.flatnonzero(visits.state == MOVED)
        at = edges.places(visits, moved)
        histogram = _add_life_table(journeys, visits, edges, at, moved)
    else:
        statistics = statistics_of(journeys, by)
        probability = np.zeros(len(edges.columns["key"]))
        key = statistics.source * edges.size + statistics.target
        probability[np.searchsorted(edges.columns["key"], key)] = statistics.probability
        edges.columns["probability"] = probability
    _add_silence(at_risk, edges)
    return histogram


def _add_life_table(
    journeys: Journeys,
    visits: Visits,
    edges: _Edges,
    at: NDArray[np.int64],
    moved: NDArray[np.intp],
) -> NDArray[np.int64]:
    limit = journeys.rules.inactivity
    assert visits.wait_us is not None and limit is not None  # noqa: S101, PT018 - build_graph has looked
    bounds = np.array(_grid_us(limit), dtype=np.int64)
    n_edges, n = len(edges.columns["key"]), len(visits.names)
    moves = _binned(bounds, at, visits.wait_us[moved], n_edges)
    still = visits.state == OPEN
    open_visits = _binned(bounds, visits.node[still], visits.wait_us[still], n)
    counts = np.bincount(visits.node, minlength=n)
    probability, _ = life_table(counts, open_visits, moves, edges.ends()[0])
    edges.columns["gap_histogram"] = moves
    edges.columns["probability"] = np.nan_to_num(probability)
    return open_visits


def _add_silence(at_risk: NDArray[np.int64], edges: _Edges) -> None:
    """Add what transitions leave over to the edges into DROPOFF, some of which nobody took yet."""
    source, target = edges.ends()
    n = len(edges.names)
    silent = 1.0 - np.bincount(source, edges.columns["probability"], minlength=n)
    inferred = (at_risk > 0) & (silent > _EPSILON)
    inferred[source[target == n + 2]] = False
    keys = np.flatnonzero(inferred) * edges.size + n + 2
    edges.columns.update(_appended(edges.columns, keys))
    source, target = edges.ends()
    into = target == n + 2
    if "dwell_count" in edges.columns:  # silence takes no time of its own
        edges.columns["dwell_probability"] = np.where(into, edges.columns["probability"], np.nan)
    edges.columns["probability"][into] += np.maximum(silent[source[into]], 0.0)


def _appended(columns: dict[str, Any], keys: NDArray[np.int64]) -> dict[str, Any]:
    """Return columns with edges that nobody took: counts 0, everything else missing."""
    added: dict[str, Any] = {"key": keys}
    for name, values in columns.items():
        if name == "key":
            continue
        shape = (len(keys), *values.shape[1:])
        if name in _MISSING:
            added[name] = np.full(shape, np.nan)
        elif name == "dwell_sum_us":
            added[name] = np.full(shape, -1, dtype=np.int64)
        else:
            added[name] = np.zeros(shape, dtype=values.dtype)
    return {name: np.concatenate([values, added[name]]) for name, values in columns.items()}


def _with_starts(first: NDArray[np.int64], value: float, edges: _Edges) -> dict[str, Any]:
    """Add the edges from START, to an end where a journey is its goal or exit alone.

    `first` has journeys by their first visit or end, `value` that of those who convert at once.
    """
    k = len(edges.names)
    targets = np.flatnonzero(first)
    if not len(targets):
        return edges.columns
    n_edges = len(edges.columns["key"])
    columns = _appended(edges.columns, k * edges.size + targets)
    columns["count"][n_edges:] = first[targets]
    columns["journeys"][n_edges:] = first[targets]
    if "dwell_count" in columns:
        columns["dwell_count"][n_edges:] = first[targets]
    if "probability" in columns:
        columns["probability"][n_edges:] = first[targets] / first.sum()
    if "value_sum" in columns and first[k + 1]:
        columns["value_sum"][n_edges + int(np.searchsorted(targets, k + 1))] = value
    return columns


def _members(
    journeys: Journeys, coded: Coded, used: NDArray[np.intp], column: str
) -> list[Collection[str]] | None:
    """Return the distinct names of a column at each node; None where the log has no such column."""
    other: Coded | None = journeys.columns.coded.get(column)
    if other is None:
        return None
    touch = other.codes >= 0
    touch[journeys.offsets[1:][journeys.absorbed] - 1] = False
    width = max(len(other.names), 1)
    key = coded.codes[touch].astype(np.int64) * width + other.codes[touch]
    members: dict[int, list[str]] = {node: [] for node in used.tolist()}
    for pair in _present(key).tolist():
        node, name = divmod(pair, width)
        members[node].append(other.names[name])
    return list(members.values())


def stages_of(journeys: Journeys | JourneyStatistics, by: By) -> tuple[str, ...]:
    """Return the stage of each node of the statistics; "" where it has none of its own.

    Nodes that are stages themselves have none.
    """
    names = statistics_of(journeys, by).names
    if not isinstance(journeys, Journeys):
        return stages_of_graph(graph_of(journeys, by), names)
    if "stage" in ((by,) if isinstance(by, str) else by) or "stage" not in journeys.columns.coded:
        return ("",) * len(names)
    coded = grain_codes(journeys.columns, by)
    place = {name: code for code, name in enumerate(coded.names)}
    nodes = np.array([place[name] for name in names], dtype=np.intp)
    stages = _members(journeys, coded, nodes, "stage") or []
    return tuple(next(iter(some)) if len(some) == 1 else "" for some in stages)


def stages_of_graph(graph: JourneyGraph, names: Sequence[str]) -> tuple[str, ...]:
    """Return the stage of each of some nodes of a graph, as `stages_of` does."""
    if "stage" in str(graph.graph.get("grain", "")).split(", "):
        return ("",) * len(names)
    return tuple(str(graph.nodes[name].get("stage", "")) for name in names)


def _present(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct keys in order, without sorting where they are small."""
    top = int(key.max(initial=0))
    if top > _DENSE:
        return np.unique(key)
    return np.flatnonzero(np.bincount(key, minlength=1))


def _grid_us(limit: timedelta) -> list[int]:
    """Return the bounds of the time bins: finer toward 0, none wide, the limit last."""
    limit_us = duration_us(limit)
    fine = np.geomspace(min(1e6, limit_us / 2), limit_us, 64).astype(np.int64)
    even = np.linspace(0, limit_us, 97).astype(np.int64)
    return [0, *(x for x in np.union1d(fine, even).tolist() if 0 < x < limit_us), limit_us]


def _binned(
    bounds: NDArray[np.int64], group: NDArray[np.int64], wait: NDArray[np.int64], n_groups: int
) -> NDArray[np.int64]:
    n_bins = len(bounds) - 1
    bins = np.minimum(np.searchsorted(bounds, wait, side="right") - 1, n_bins - 1)
    counts = np.bincount(group * n_bins + bins, minlength=n_groups * n_bins)
    return counts.astype(np.int64).reshape(n_groups, n_bins)
