"""The columns of `exits`: rates, lifts, costs and ranks of the nodes of one segment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._stats.beta_shrinkage import rank_bounds, shrunken
from cxjourney._stats.intervals import katz, wilson_ends
from cxjourney.exceptions import InvalidValue
from cxjourney.markov import AbsorbingChain

if TYPE_CHECKING:
    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.dropoff._rates import NodeRates
    from cxjourney.graph import JourneyGraph

__all__ = ["exit_columns", "joined"]


_SEPARATOR = re.compile(r" (?<!@)@(?!@) ")


def _lost(graph: JourneyGraph, rates: NodeRates) -> tuple[Floats, Floats]:
    """Return lost conversions per journey, and the slope by which they follow the exit rate."""
    facts = graph.graph
    n = len(rates.names)
    nothing = np.full(n, np.nan)
    pointless = not facts["n_converted"] and facts.get("goal", "[]") == "[]"
    if not facts["n_journeys"] or pointless or not facts.get("absorbing", True):
        return nothing, nothing
    chain = AbsorbingChain.from_graph(graph, trapped="censored")
    visits, hitting = chain.visits, chain.hitting
    v = np.array([visits[name] for name in rates.names], dtype=np.float64)
    h = np.array([hitting[name] for name in rates.names], dtype=np.float64)
    stay = 1.0 - rates.rate
    slope = np.divide(v * h, stay, out=nothing.copy(), where=stay > 0)
    return slope * rates.rate, slope


def _peers(
    graph: JourneyGraph, names: tuple[str, ...], left_out: Bools, grain: tuple[str, ...]
) -> Ints:
    """Return the group of each node: its stage, one group where the nodes are stages."""
    stages = ["" if "stage" in grain else graph.nodes[name].get("stage", "") for name in names]
    place = {stage: i for i, stage in enumerate(sorted(set(stages)))}
    peers = np.array([place[stage] for stage in stages], dtype=np.int64)
    peers[left_out] = -1
    return peers


def exit_columns(
    rates: NodeRates,
    graph: JourneyGraph,
    *,
    grain: tuple[str, ...],
    ends: frozenset[str],
    worth: float,
    level: float,
) -> dict[str, Any]:
    """Return the columns of the nodes of one segment, the costliest first.

    Parameters
    ----------
    rates
        Exit probabilities of the nodes.
    graph
        The graph of the same journeys, for the chain.
    grain
        Names of the columns that name a node.
    ends
        Nodes where a journey may well end.
    worth
        Mean value of a conversion; NaN where unknown.
    level
        Confidence level.
    """
    n = len(rates.names)
    stands_apart = np.array([name in ends for name in rates.names], dtype=np.bool_)
    low, high = wilson_ends(rates.rate, rates.effective, level=level)
    lost, slope = (np.where(stands_apart, np.nan, part) for part in _lost(graph, rates))
    journeys = graph.graph["n_journeys"]
    lift, lift_low, lift_high = _lift(rates, stands_apart, level)
    drawn, a, b = shrunken(
        rates.rate, rates.effective, _peers(graph, rates.names, stands_apart, grain)
    )
    rank_low, rank_high = rank_bounds(a, b, level=level)
    order = np.lexsort(
        (
            np.arange(n),
            -rates.visits,
            np.nan_to_num(-lost, nan=np.inf),
            stands_apart,
        )
    )
    names = [rates.names[i] for i in order.tolist()]
    return {
        **_name_columns(names, grain),
        "visits": rates.visits[order],
        "at_risk": rates.at_risk[order],
        "exits": rates.exits[order],
        "pending": rates.pending[order],
        "exit_probability": rates.rate[order],
        "low": low[order],
        "high": high[order],
        "lift": lift[order],
        "lost_conversions": journeys * lost[order],
        "lift_low": lift_low[order],
        "lift_high": lift_high[order],
        "lost_low": journeys * (slope * low)[order],
        "lost_high": journeys * (slope * high)[order],
        "lost_rate": lost[order],
        "value_at_stake": worth * journeys * lost[order],
        "shrunken": drawn[order],
        "rank_low": rank_low[order],
        "rank_high": rank_high[order],
        "legitimate": stands_apart[order],
    }


def _lift(rates: NodeRates, stands_apart: Bools, level: float) -> tuple[Floats, Floats, Floats]:
    usable = ~stands_apart & ~np.isnan(rates.rate) & ~np.isnan(rates.rest)
    lift = np.full(len(rates.rate), np.nan)
    np.divide(rates.rate, rates.rest, out=lift, where=usable & (rates.rest > 0))
    low, high = np.full(len(lift), np.nan), np.full(len(lift), np.nan)
    for i in np.flatnonzero(usable & (rates.effective > 0) & (rates.rest_effective > 0)).tolist():
        n1, n2 = float(rates.effective[i]), float(rates.rest_effective[i])
        count1, count2 = min(rates.rate[i] * n1, n1), min(rates.rest[i] * n2, n2)
        low[i], high[i] = katz(count1, n1, count2, n2, level=level)
    return lift, low, high


def _name_columns(names: list[str], grain: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    if len(grain) == 1:
        return {grain[0]: tuple(names)}
    parts = [_SEPARATOR.split(name, maxsplit=1) for name in names]
    return {
        column: tuple(part[k].replace("@@", "@") for part in parts)
        for k, column in enumerate(grain)
    }


def joined(tables: list[dict[str, Any]]) -> dict[str, Any]:
    """Return tables of the same columns, one below the other."""
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise InvalidValue("segment= needs at least one journey")
    below: dict[str, Any] = {}
    for name, values in tables[0].items():
        parts = [table[name] for table in tables]
        if isinstance(values, tuple):
            below[name] = tuple(value for part in parts for value in part)
        else:
            below[name] = np.concatenate(parts)
    return below
