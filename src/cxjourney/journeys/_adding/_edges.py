"""Edges of the journey graph from tables that add up: counts, times, values, members."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._stats.ratios import quotient
from cxjourney._support.array_types import Floats, Ints
from cxjourney.journeys._adding._finishing import (
    MICRO,
    by_unit,
    moves_of,
    table_of,
    target_of,
    transitions_of,
    worth_of_conversions,
)
from cxjourney.journeys._adding._tables import whole_number

if TYPE_CHECKING:
    from cxjourney.journeys._adding._finishing import Moves
    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._statistics import TransitionStatistics
    from cxjourney.journeys._visits import By

_SECOND = 1_000_000
_LARGEST = 2**63 - 1
_LITTLE = 1e-9


@attrs.frozen(kw_only=True, eq=False)
class EdgesFound:
    """What `JourneyGraph.from_arrays` takes, but for silence and the edges from START.

    Attributes
    ----------
    columns
        One entry a transition, and "key": source (K + 3) + target.
    node_journeys
        Journeys that come by each node.
    followed_us
        As `JourneyGraph.from_arrays` has it, down to the width of a bin.
    members
        The channels, stages and owners of each node.
    value_at_once
        Value of the journeys that convert without a visit; NaN where none is known.
    """

    columns: dict[str, Any]
    node_journeys: Ints
    followed_us: Ints
    members: dict[str, Any]
    value_at_once: float


def edges_of(statistics: JourneyStatistics, by: By) -> EdgesFound:
    """Return the edges of the journey graph of a grain."""
    whole, moves = transitions_of(statistics, by), moves_of(statistics, by)
    k = len(whole.names)
    key = whole.source * (k + 3) + whole.target
    axes, counts = table_of(statistics, "edges", by)
    node, place = axes.values()
    at = np.searchsorted(key, node * (k + 3) + target_of(place, k))
    edge = np.zeros((len(key), counts.values.shape[1]), dtype=np.int64)
    edge[at] = counts.values
    # silence takes no time, and who stayed silent moved along no edge of its own
    stayed = whole.visits - whole.censored - np.bincount(whole.source, whole.count, minlength=k)
    silent = np.flatnonzero(stayed > 0)
    columns = {
        "key": key,
        "count": whole.count,
        "journeys": edge[:, 0],
        "probability": whole.probability,
        **_times(statistics, moves, whole, edge),
    }
    paid = whole_number(edge[:, 12:])
    known, value = worth_of_conversions(statistics)
    if statistics.currency is not None or known.any():
        columns["value_sum"] = np.array(
            [
                total / MICRO if n else np.nan
                for total, n in zip(paid, edge[:, 11].tolist(), strict=True)
            ]
        )
    return EdgesFound(
        columns=_with_silence(columns, silent, stayed[silent].astype(np.int64), k),
        node_journeys=by_unit(statistics, "nodes", by, "node").sum(axis=0),
        followed_us=followed_of(moves, statistics.plan.grid.fine),
        members=_members(statistics, by),
        value_at_once=float(value[:, 0].sum()) if known[:, 0].any() else float("nan"),
    )


def _times(
    statistics: JourneyStatistics, moves: Moves, whole: TransitionStatistics, edge: Ints
) -> dict[str, Any]:
    """Return the columns of times: sums as they were, the rest weighed by what is still waiting."""
    n, size = edge[:, 1], len(whole.source)
    total, squares = whole_number(edge[:, 2:5]), whole_number(edge[:, 5:11])
    rows = list(zip(n.tolist(), total, squares, strict=True))
    mean = np.array([a / (m * _SECOND) if m else np.nan for m, a, _ in rows])
    second = np.array([b / (m * _SECOND**2) if m else np.nan for m, _, b in rows])
    spread = [Fraction(b * m - a * a, max(m, 1) * _SECOND**2) for m, a, b in rows]
    columns = {
        "dwell_sum_us": np.array(
            [a if m and a <= _LARGEST else -1 for m, a, _ in rows], dtype=np.int64
        ),
        "dwell_count": n,
        "dwell_m2": np.where(n > 0, np.array([float(x) for x in spread]), np.nan),
    }
    bounds = statistics.plan.grid.coarse / _SECOND
    n_bins = len(bounds) - 1
    place = moves.transition * n_bins + moves.bin
    mass, plain = (
        np.bincount(place, values, minlength=size * n_bins).astype(np.float64).reshape(size, n_bins)
        for values in (moves.mass, moves.total)
    )
    # a middle between two moves is halfway from the bin of one to that of the other
    sides = [quantiles_of(mass, bounds, half) for half in (0.5 - _LITTLE, 0.5 + _LITTLE)]
    certain = (n == 1) | ((n == 2) & ~np.bool_(moves.timed)) | (mean == 0)  # no matter of bins
    median = np.where(certain, mean, (sides[0] + sides[1]) / 2)
    columns["dwell_median_s"] = np.where(n > 0, median, np.nan)
    if moves.timed:
        middle = (bounds[1:] + bounds[:-1]) / 2
        shift, shift2 = (
            quotient(mass @ values, mass.sum(axis=1)) - quotient(plain @ values, plain.sum(axis=1))
            for values in (middle, middle**2)
        )
        mean = mean + shift
        columns["dwell_sd_s"] = np.sqrt(np.maximum(second + shift2 - mean**2, 0.0))
    return columns | {"dwell_mean_s": mean}


def quantiles_of(mass: Floats, bounds: Floats, fraction: float) -> Floats:
    """Return a quantile of each row of masses, even within a bin; NaN where there is no mass."""
    until = np.cumsum(mass, axis=1)
    target = until[:, -1:] * fraction
    at = np.minimum((until < target).sum(axis=1), mass.shape[1] - 1)
    row = np.arange(len(mass))
    before = np.where(at > 0, until[row, at - 1], 0.0)
    within = quotient(target[:, 0] - before, mass[row, at])
    found: Floats = bounds[at] + within * (bounds[at + 1] - bounds[at])
    return found


def _with_silence(columns: dict[str, Any], node: Ints, stayed: Ints, k: int) -> dict[str, Any]:
    """Return the columns with those who stayed silent on the edges into DROPOFF."""
    own = node * (k + 3) + k + 2
    key = np.union1d(columns["key"], own)
    at, silent = np.searchsorted(key, columns["key"]), np.searchsorted(key, own)
    found: dict[str, Any] = {"key": key}
    for name, values in columns.items():
        if name == "key":
            continue
        counts = name in {"count", "journeys"}
        missing = {"dwell_sum_us": -1, "probability": 0.0}.get(name, np.nan)
        integer = values.dtype.kind == "i"
        rest = 0 if integer and name != "dwell_sum_us" else missing
        column = np.full(len(key), rest, dtype=values.dtype)
        column[at] = values
        if counts:
            column[silent] += stayed
        found[name] = column
    return found


def followed_of(moves: Moves, bounds: Ints) -> Ints:
    """Return how long nodes were followed, where none was up to the limit [µs]; -1 elsewhere."""
    ends, k = moves.ends, moves.visits.shape[1]
    if not moves.timed:
        return np.full(k, -1, dtype=np.int64)
    longest = np.full((2, k), -1, dtype=np.int64)
    node = moves.node_of_cell[ends.cell]
    for counts, row in zip((ends.open, ends.ended), longest, strict=True):
        some = counts > 0
        np.maximum.at(row, node[some], ends.bin[some])
    return np.where(longest[0] < longest[1], -1, bounds[longest[0]])


def _members(statistics: JourneyStatistics, by: By) -> dict[str, Any]:
    """Return the names of each column at each node."""
    found = {}
    for member in statistics.plan.members:
        axes, _ = table_of(statistics, f"{member} of", by)
        node, *rest = axes.values()
        other = rest[0] if rest else node
        lists: list[list[str]] = [[] for _ in transitions_of(statistics, by).names]
        for place, code in zip(node.tolist(), other.tolist(), strict=True):
            lists[place].append(statistics.names[member][code])
        found[f"{member}s"] = lists
    return found
