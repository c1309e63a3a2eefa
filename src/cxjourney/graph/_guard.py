"""Guard of graphs from outside: attributes of the right kinds that agree with the counts."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import networkx as nx
import numpy as np

from cxjourney._support.text import brief
from cxjourney._support.validation import check_choice, check_mapping, check_name
from cxjourney.exceptions import InvalidValue, UnknownName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ESTIMATORS = ("count", "aalen-johansen", "life-table")
_MOST = 2**63  # what 64 bits hold


def _is_whole(value: object) -> bool:
    number = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    return number and 0 <= value < _MOST  # type: ignore[operator]  # a number


def _is_real(value: object) -> bool:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))
    return number and math.isfinite(value)  # type: ignore[arg-type]  # a number


def _is_time(value: object) -> bool:
    return _is_real(value) and value >= 0  # type: ignore[operator]  # a number


def _is_fraction(value: object) -> bool:
    return _is_real(value) and 0 <= value <= 1 + 1e-9  # type: ignore[operator]  # a number


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list(value: object) -> bool:
    """Return whether a value is the JSON text of a list of names."""
    try:
        names = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return False
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _is_bins(value: object) -> bool:
    """Return whether a value is a row of whole numbers, joined by commas."""
    return isinstance(value, str) and _BINS.fullmatch(value) is not None


def _is_flag(value: object) -> bool:
    return isinstance(value, (bool, np.bool_))


def _is_moment(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


_BINS = re.compile(r"\d{1,18}(,\d{1,18})*")
_RULES = {
    _is_whole: "be a whole number from 0 that 64 bits hold",
    _is_real: "be a finite number",
    _is_time: "be a finite number from 0",
    _is_fraction: "lie in [0, 1]",
    _is_text: "be a string",
    _is_list: "be a JSON list of names",
    _is_bins: "be whole numbers joined by commas",
    _is_flag: "be a boolean",
    _is_moment: "be a moment in ISO 8601",
}
_OF_NODE = {
    **dict.fromkeys(
        ("visits", "journeys", "starts", "conversions", "exits", "censored", "followed_us",
         "n_channels", "n_stages", "n_owners"), _is_whole,
    ),
    **dict.fromkeys(("kind", "channel", "stage", "owner", "touchpoint"), _is_text),
    **dict.fromkeys(("channels", "stages", "owners"), _is_list),
    "censored_histogram": _is_bins,
}  # fmt: skip
_OF_EDGE = {
    **dict.fromkeys(("journeys", "dwell_sum_us", "dwell_count"), _is_whole),
    **dict.fromkeys(("probability", "dwell_probability"), _is_fraction),
    **dict.fromkeys(("dwell_mean_s", "dwell_median_s", "dwell_sd_s", "dwell_m2"), _is_time),
    "value_sum": _is_real,
    "gap_histogram": _is_bins,
}
_OF_GRAPH = {
    **dict.fromkeys(("n_journeys", "n_converted", "n_dropped", "n_in_progress"), _is_whole),
    **dict.fromkeys(("estimator", "grain", "gaps", "currency"), _is_text),
    **dict.fromkeys(("absorbing", "determined"), _is_flag),
    "inactivity_us": _is_whole,
    "goal": _is_list,
    "observed_until": _is_moment,
    "grid_us": _is_bins,
}


def check_attributes(graph: nx.Graph[Any], count: str) -> None:
    """Raise InvalidValue where an attribute that a journey graph knows is none of its kind."""
    if not isinstance(graph.graph, dict):
        raise InvalidValue.of("the attributes of the graph", "be a dict", graph.graph)
    rows = [("the graph", graph.graph, _OF_GRAPH)]
    rows += [(f"node {brief(name)}", data, _OF_NODE) for name, data in graph.nodes(data=True)]
    of_edge = {**_OF_EDGE, count: _is_whole}
    rows += [(f"edge {brief(u)} -> {brief(v)}", d, of_edge) for u, v, d in graph.edges(data=True)]
    for where, data, kinds in rows:
        for key, value in data.items():
            is_right = kinds.get(key)
            if is_right is not None and not is_right(value):
                raise InvalidValue.of(f"{key} of {where}", _RULES[is_right], value)
    bounds = [int(bound) for bound in graph.graph.get("grid_us", "0").split(",")]
    if any(b <= a for a, b in pairwise(bounds)):
        raise InvalidValue("grid_us must hold the bounds of bins, in order")
    for where, data, _ in rows[1:]:
        for key in {"gap_histogram", "censored_histogram"} & data.keys():
            if "grid_us" in graph.graph and data[key].count(",") != len(bounds) - 2:
                raise InvalidValue(f"{key} of {where} must have {len(bounds) - 1:,} bins")
    check_choice(graph.graph.get("estimator", "count"), "estimator", ESTIMATORS)


def graph_of_json(data: Mapping[str, Any]) -> nx.DiGraph[str]:
    """Return the plain graph that the JSON of a journey graph describes."""
    told: nx.DiGraph[str] = nx.DiGraph()
    told.graph.update(_plain(check_mapping(data.get("graph", {}), "graph"), "graph"))
    for row in _rows(data, "nodes", ("id",)):
        name = row.pop("id")
        if name in told:
            raise InvalidValue.of("nodes", "each be there once", name)
        told.add_node(name)
        told.nodes[name].update(row)
    for row in _rows(data, "edges", ("source", "target")):
        edge = (row.pop("source"), row.pop("target"))
        for name in edge:
            if name not in told:
                raise UnknownName.among("node", name, told, where="the nodes of the graph")
        if told.has_edge(*edge):
            raise InvalidValue.of("edges", "each be there once", edge)
        told.add_edge(*edge)
        told.edges[edge].update(row)
    return told


def _rows(data: Mapping[str, Any], what: str, names: Sequence[str]) -> list[dict[str, Any]]:
    rows = data.get(what)
    if not isinstance(rows, list):
        raise InvalidValue.of(what, "be a list of objects", rows)
    for i, row in enumerate(rows):
        for name in names:
            check_name(check_mapping(row, f"{what}[{i}]").get(name), f"{what}[{i}].{name}")  # type: ignore[arg-type]  # checked here
        _plain(row, f"{what}[{i}]")
    return rows


def _plain(row: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    for key, value in row.items():
        if not isinstance(value, (str, bool, int)) and not _is_real(value):
            raise InvalidValue.of(f"{where}.{key}", "be a string, a number or a boolean", value)
    return row


G = TypeVar("G", bound="nx.DiGraph[str]")


def confirmed(graph: G, told: nx.DiGraph[str]) -> G:
    """Return the graph, in the order and with the further attributes of the one it was made of."""
    pairs = [("the graph", graph.graph, told.graph)]
    pairs += [(f"node {brief(n)}", graph.nodes[n], data) for n, data in told.nodes(data=True)]
    pairs += [
        (f"edge {brief(u)} -> {brief(v)}", graph.edges[u, v], data)
        for u, v, data in told.edges(data=True)
    ]
    for where, counted, said in pairs:
        for key, value in said.items():
            if key in counted and not _same(counted[key], value):
                rule = f"be {brief(counted[key])}, by the counts"
                raise InvalidValue.of(f"{key} of {where}", rule, value)
    result = type(graph)()
    result.graph.update({**told.graph, **graph.graph})
    for name in dict.fromkeys((*told, *graph)):
        result.add_node(name)
        result.nodes[name].update({**told.nodes.get(name, {}), **graph.nodes[name]})
    for edge in told.edges():
        result.add_edge(*edge)
        result.edges[edge].update({**told.edges[edge], **graph.edges[edge]})
    return result


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return bool(type(a) is type(b) and a == b)
