"""The columns of `points` that come from the chain: estimates, and their replicates' ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney.critical._excess import gain_per_journey
from cxjourney.critical._must_pass import must_pass
from cxjourney.dropoff import exit_columns, lost_per_journey
from cxjourney.markov import AbsorbingChain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.array_types import Floats
    from cxjourney.critical._excess import Peers, Resampled
    from cxjourney.dropoff import NodeRates
    from cxjourney.graph import JourneyGraph


__all__ = ["drawn_columns", "exit_interval_columns", "must_pass_column", "observed"]


def observed(
    graph: JourneyGraph, names: tuple[str, ...], rate: Floats, peers: Peers
) -> dict[str, Any]:
    """Return the figures of the chain of the log itself, per journey."""
    chain = AbsorbingChain.from_graph(graph, trapped="censored")

    def column(values: Mapping[str, float]) -> Floats:
        return np.array([values[name] for name in names], dtype=np.float64)

    v, h = column(chain.visits), column(chain.hitting)
    reach = column(chain.reach)
    # N_xx is visits over reach; where no journey comes by, one visit says that none comes back
    diagonal = np.divide(v, reach, out=np.ones(len(v)), where=reach > 0)
    mean = peers.rate(rate)
    excess = rate - mean
    shrunken = peers.keeps() * excess
    return {
        "conversion": chain.conversion_probability,
        "removal": column(chain.removal_effect()),
        "lost": lost_per_journey(v, h, rate),
        "rate": rate,
        "peers": mean,
        "excess": excess,
        "shrunken": shrunken,
        "gain": gain_per_journey(excess, rate, v, h, diagonal),
        "shrunken_gain": gain_per_journey(shrunken, rate, v, h, diagonal),
    }


def drawn_columns(
    names: tuple[str, ...],
    peers: Peers,
    seen: dict[str, Any],
    drawn: Resampled,
    *,
    n: float,
    level: float,
) -> dict[str, Any]:
    """Return the columns that come with percentile intervals."""
    known = ~np.isnan(drawn.conversion)

    def ends(name: str, values: Floats) -> dict[str, Floats]:
        tail = (1 - level) / 2
        low, high = np.full((2, len(names)), np.nan)
        some = ~np.isnan(values[known]).all(axis=0)
        if known.any() and some.any():
            low[some], high[some] = np.nanquantile(values[known][:, some], [tail, 1 - tail], axis=0)
        return {f"{name}_low": low, f"{name}_high": high}

    gain = np.maximum(seen["gain"], 0.0)
    return {
        "exit_probability": seen["rate"],
        "low": np.full(len(names), np.nan),
        "high": np.full(len(names), np.nan),
        "peer_group": tuple(group or "all" for group in peers.group),
        "peers": seen["peers"],
        "excess": seen["excess"],
        **ends("excess", drawn.rate - drawn.peers),
        "shrunken_excess": seen["shrunken"],
        "gain": n * gain,
        **ends("gain", n * np.maximum(drawn.gain, 0.0)),
        "confidence": peers.certainty(seen["rate"], drawn.peers),
        "lost_conversions": n * seen["lost"],
        **ends("lost", n * drawn.lost),
        "removal_effect": seen["removal"],
        **ends("removal", drawn.removal),
    }


def exit_interval_columns(rates: NodeRates, level: float) -> dict[str, Floats]:
    """Return the interval of the exit probability, and its lift, as `dropoff.exits` has them."""
    found = exit_columns(
        rates, None, grain=("touchpoint",), n_journeys=0, worth=math.nan, level=level
    )
    rows = list(found["touchpoint"])
    order = [rows.index(name) for name in rates.names]
    return {name: found[name][order] for name in ("low", "high", "lift", "lift_low", "lift_high")}


def must_pass_column(graph: JourneyGraph, names: tuple[str, ...]) -> dict[str, Any]:
    """Return whether every conversion, or nearly every one, goes through each touchpoint."""
    found = must_pass(graph)
    every, nearly = set(found.conversions), set(found.nearly)
    words = ["every" if x in every else "nearly every" if x in nearly else "" for x in names]
    return {"must_pass": tuple(words)}
