"""From integer columns to the attributes of nodes and edges: plain values, missing ones absent."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.validation import whole_numbers
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InvalidValue, NotAFlow

if TYPE_CHECKING:
    from collections.abc import Mapping

TERMINAL_NODES = (START, CONVERSION, DROPOFF)
_TOLERANCE = 1e-9
_ROUNDING = 1e-12


def _counts(values: Any) -> NDArray[np.int64]:
    return whole_numbers(values, "counts")


def _floats(values: Any) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


def _optional_counts(values: Any) -> NDArray[np.int64] | None:
    return None if values is None else _counts(values)


def _optional_floats(values: Any) -> NDArray[np.float64] | None:
    return None if values is None else _floats(values)


@attrs.frozen(kw_only=True, eq=False)
class Nodes:
    """Columns of the touchpoints, all of the length of `names`."""

    names: tuple[str, ...] = attrs.field(converter=_names)
    censored: NDArray[np.int64] = attrs.field(converter=_counts)
    journeys: NDArray[np.int64] | None = attrs.field(default=None, converter=_optional_counts)
    channels: Sequence[Collection[str]] | None = None
    stages: Sequence[Collection[str]] | None = None
    owners: Sequence[Collection[str]] | None = None
    touchpoint: Sequence[str | None] | None = None
    censored_histogram: NDArray[np.int64] | None = attrs.field(
        default=None, converter=_optional_counts
    )
    followed_us: NDArray[np.int64] | None = attrs.field(default=None, converter=_optional_counts)


@attrs.frozen(kw_only=True, eq=False)
class Edges:
    """Columns of the edges, all of one length; codes K, K + 1, K + 2 are the terminals."""

    source: NDArray[np.int64] = attrs.field(converter=_counts)
    target: NDArray[np.int64] = attrs.field(converter=_counts)
    count: NDArray[np.int64] = attrs.field(converter=_counts)
    journeys: NDArray[np.int64] | None = attrs.field(default=None, converter=_optional_counts)
    probability: NDArray[np.float64] | None = attrs.field(default=None, converter=_optional_floats)
    dwell_sum_us: NDArray[np.int64] | None = attrs.field(default=None, converter=_optional_counts)
    dwell_median_s: NDArray[np.float64] | None = attrs.field(
        default=None, converter=_optional_floats
    )
    dwell_m2: NDArray[np.float64] | None = attrs.field(default=None, converter=_optional_floats)
    dwell_count: NDArray[np.int64] | None = attrs.field(default=None, converter=_optional_counts)
    dwell_mean_s: NDArray[np.float64] | None = attrs.field(default=None, converter=_optional_floats)
    dwell_sd_s: NDArray[np.float64] | None = attrs.field(default=None, converter=_optional_floats)
    dwell_probability: NDArray[np.float64] | None = attrs.field(
        default=None, converter=_optional_floats
    )
    value_sum: NDArray[np.float64] | None = attrs.field(default=None, converter=_optional_floats)
    gap_histogram: NDArray[np.int64] | None = attrs.field(default=None, converter=_optional_counts)

    @property
    def timed(self) -> NDArray[np.int64]:
        """How many of the transitions have a time."""
        return self.count if self.dwell_count is None else self.dwell_count

    def arriving(self, size: int, origin: int | None = None) -> NDArray[np.int64]:
        """Return the counts that arrive at nodes 0 … size - 1, all or those from `origin`."""
        inner = self.target < size
        return self._total(
            self.target, inner if origin is None else inner & (self.source == origin), size
        )

    def leaving(self, size: int, goal: int | None = None) -> NDArray[np.int64]:
        """Return the counts that leave nodes 0 … size - 1, all or those to `goal`."""
        inner = self.source < size
        return self._total(
            self.source, inner if goal is None else inner & (self.target == goal), size
        )

    def _total(
        self, key: NDArray[np.int64], where: NDArray[np.bool_], size: int
    ) -> NDArray[np.int64]:
        total = np.zeros(size, dtype=np.int64)
        np.add.at(total, key[where], self.count[where])
        return total


MOST = 2**53
"""The most visits of a graph: probabilities are quotients of floats, exact up to here."""


def check_columns(nodes: Nodes, edges: Edges) -> None:
    """Raise InvalidValue if columns disagree in length, or a node or an edge is there twice."""
    for columns, size in ((nodes, len(nodes.names)), (edges, edges.count.size)):
        for field in attrs.fields(type(columns)):
            column = getattr(columns, field.name)
            if column is not None and len(column) != size:
                raise InvalidValue(
                    f"columns of the {type(columns).__name__.lower()} must have {size:,} values; "
                    f"{field.name} has {len(column):,}"
                )
    width = len(nodes.names) + 3
    if len(set(nodes.names)) < width - 3 or set(nodes.names) & set(TERMINAL_NODES):
        raise InvalidValue("names must be unique, and none may be that of a terminal")
    for codes in (edges.source, edges.target):
        if ((codes < 0) | (codes >= width)).any():
            raise InvalidValue(f"codes of edges must lie in 0 … {width - 1}")
    leaving = np.bincount(edges.source, edges.count, minlength=width)
    if max(leaving.max(initial=0), float(edges.count.max(initial=0))) > MOST:
        raise InvalidValue(
            f"the counts of a node come to at most {MOST:,}, up to which sums are exact"
        )
    if np.unique(edges.source * width + edges.target).size < edges.count.size:
        raise InvalidValue("edges must be unique; add the counts of equal ones")


def members(values: Collection[str]) -> str:
    """Return a set of names as a JSON list, sorted, so that equal sets are equal strings."""
    return json.dumps(sorted(values), ensure_ascii=False)


def _plain(values: NDArray[Any] | None) -> list[Any] | None:
    """Return Python values; NaN and negative counts, which mean missing, become None."""
    if values is None:
        return None
    missing = np.isnan(values) if values.dtype.kind == "f" else values < 0
    plain: list[Any] = values.tolist()
    for i in np.flatnonzero(missing).tolist():
        plain[i] = None
    return plain


def _histograms(rows: NDArray[np.int64] | None) -> list[str] | None:
    return None if rows is None else [",".join(map(str, row)) for row in rows.tolist()]


def _records(size: int, columns: Mapping[str, Sequence[Any] | None]) -> list[dict[str, Any]]:
    given = {key: values for key, values in columns.items() if values is not None}
    if not given:
        return [{} for _ in range(size)]
    records = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    for key, values in given.items():
        if None in values:
            for record, value in zip(records, values, strict=True):
                if value is None:
                    del record[key]
    return records


def _add_sets(
    records: list[dict[str, Any]], what: str, sets: Sequence[Collection[str]] | None
) -> None:
    for record, names in zip(records, sets or (), strict=sets is not None):
        if len(names) == 1:
            (record[what],) = names
        elif names:
            record[f"n_{what}s"] = len(names)
            record[f"{what}s"] = members(names)


def node_records(nodes: Nodes, edges: Edges) -> list[tuple[str, dict[str, Any]]]:
    """Return the touchpoints with their attributes; their counts follow from the edges."""
    size = len(nodes.names)
    start, conversion, dropoff = size, size + 1, size + 2
    visits, left = edges.arriving(size), edges.leaving(size)
    wrong = np.flatnonzero(visits != left + nodes.censored)
    if wrong.size:
        x = int(wrong[0])
        name = nodes.names[x]
        raise NotAFlow(
            f"counts do not add up at {name!r}: {int(visits[x])} visits come in, but "
            f"{int(left[x])} go on or end and {int(nodes.censored[x])} are censored",
            node=name,
        )
    records = _records(
        size,
        {
            "kind": ["touchpoint"] * size,
            "visits": visits.tolist(),
            "journeys": _plain(nodes.journeys),
            "starts": edges.arriving(size, start).tolist(),
            "conversions": edges.leaving(size, conversion).tolist(),
            "exits": edges.leaving(size, dropoff).tolist(),
            "censored": nodes.censored.tolist(),
            "touchpoint": nodes.touchpoint,
            "censored_histogram": _histograms(nodes.censored_histogram),
            "followed_us": _plain(nodes.followed_us),
        },
    )
    _add_sets(records, "channel", nodes.channels)
    _add_sets(records, "stage", nodes.stages)
    _add_sets(records, "owner", nodes.owners)
    return list(zip(nodes.names, records, strict=True))


def terminal_records(size: int, edges: Edges) -> list[tuple[str, dict[str, Any]]]:
    """Return START, CONVERSION and DROPOFF with the journeys that start, convert and drop."""
    totals = (
        int(edges.count[edges.source == size].sum()),
        int(edges.count[edges.target == size + 1].sum()),
        int(edges.count[edges.target == size + 2].sum()),
    )
    return [
        (name, {"kind": kind, "visits": total, "journeys": total})
        for name, kind, total in zip(
            TERMINAL_NODES, ("start", "conversion", "dropoff"), totals, strict=True
        )
    ]


def _probabilities(nodes: Nodes, edges: Edges) -> NDArray[np.float64]:
    """Return the probability of each edge; from START, or if none is given, that of its count."""
    size = len(nodes.names)
    out = edges.leaving(size + 1)[edges.source]
    counted: NDArray[np.float64] = np.divide(
        edges.count, out, out=np.full(out.size, np.nan), where=out > 0
    )
    if edges.probability is None:
        return counted
    given: NDArray[np.float64] = np.where(edges.source == size, counted, edges.probability)
    known = ~np.isnan(given)
    if ((given[known] < 0) | (given[known] > 1 + _TOLERANCE)).any():
        raise InvalidValue("probability must lie in [0, 1] at every edge")
    row = np.zeros(size + 1)
    np.add.at(row, edges.source[known], given[known])
    rows = np.unique(edges.source[known])
    off = rows[np.abs(row[rows] - 1) > _TOLERANCE]
    if off.size:
        name = (*nodes.names, START)[int(off[0])]
        raise InvalidValue(
            f"probabilities of the edges that leave {name!r} must sum to 1; "
            f"got {row[int(off[0])]!r}"
        )
    return given


def _means(edges: Edges) -> NDArray[np.float64] | None:
    """Return the mean time of each edge: the one that is given, else sum / transitions with one."""
    given = edges.dwell_mean_s
    if edges.dwell_sum_us is None:
        return given
    mean = np.full(edges.count.size, np.nan) if given is None else given.copy()
    plain = np.isnan(mean) & (edges.timed > 0) & (edges.dwell_sum_us >= 0)
    np.divide(edges.dwell_sum_us, edges.timed * 1e6, out=mean, where=plain)
    return mean


def edge_records(nodes: Nodes, edges: Edges) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the edges with their attributes."""
    labels = (*nodes.names, *TERMINAL_NODES)
    probability = _probabilities(nodes, edges)
    part = edges.dwell_probability
    if part is not None:  # said only where not all of the transitions have a time
        part = np.where(np.abs(part - probability) > _ROUNDING, part, np.nan)
    records = _records(
        edges.count.size,
        {
            "count": edges.count.tolist(),
            "journeys": _plain(edges.journeys),
            "probability": _plain(probability),
            "dwell_sum_us": _plain(edges.dwell_sum_us),
            "dwell_mean_s": _plain(_means(edges)),
            "dwell_median_s": _plain(edges.dwell_median_s),
            "dwell_sd_s": _plain(edges.dwell_sd_s),
            "dwell_m2": _plain(edges.dwell_m2),
            "dwell_count": _plain(np.where(edges.timed == edges.count, -1, edges.timed)),
            "dwell_probability": _plain(part),
            "value_sum": _plain(edges.value_sum),
            "gap_histogram": _histograms(edges.gap_histogram),
        },
    )
    return [
        (labels[u], labels[v], record)
        for u, v, record in zip(edges.source.tolist(), edges.target.tolist(), records, strict=True)
    ]
