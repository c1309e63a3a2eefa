"""How often the planted critical touchpoints of the sample are found, over many seeds. By hand:

    OPENBLAS_NUM_THREADS=1 python tests/calibration/critical.py [seeds] [first seed]

Beside `critical.points` it ranks by what one would take from a table or a graph library. It prints
the tables of docs/explanation/calibration-critical.md.
"""

from __future__ import annotations

import math
import sys

import networkx as nx
import numpy as np

import cxjourney as cx
from cxjourney.critical._excess import peers_of
from cxjourney.dropoff import rates_of_journeys
from cxjourney.journeys import chain_figures

PLANTED = {"store advice", "payment"}
FIRST = 10_000  # seeds that nothing was tuned on


def rankings(journeys):
    """Return the ranking of each method, and the result of ours."""
    found = cx.critical.points(journeys)
    column = {
        name: np.asarray(found.table[name]) for name in ("exit_probability", "removal_effect")
    }
    names = found.table["touchpoint"]

    def by(values):
        return tuple(names[i] for i in np.argsort(-np.asarray(values), kind="stable"))

    graph = journeys.graph()
    inner = nx.DiGraph()
    inner.add_nodes_from(names)
    for a, b, edge in graph.edges(data=True):
        if a in inner and b in inner:
            inner.add_edge(a, b, distance=max(-math.log(edge["probability"]), 1e-9))
    between = nx.betweenness_centrality(inner, weight="distance")
    bare = nx.betweenness_centrality(inner)
    return {
        "critical.points": found.ranking,
        "raw exit rate": by(column["exit_probability"]),
        "lost conversions": by(found.table["lost_conversions"]),
        "removal effect": by(column["removal_effect"]),
        "betweenness, distance -ln P": by([between[name] for name in names]),
        "betweenness, unweighted": by([bare[name] for name in names]),
    }, found


def study(seeds, first=FIRST):
    """Return how often each method has both and any of the planted ones in its first three."""
    both, some = {}, {}
    facts = {"few": 0, "sure": [], "top_three": []}
    for seed in range(first, first + seeds):
        orders, found = rankings(cx.datasets.sample(seed=seed).journeys())
        for name, order in orders.items():
            hits = len(PLANTED & set(order[:3]))
            both[name] = both.get(name, 0) + (hits == 2)
            some[name] = some.get(name, 0) + (hits >= 1)
        rows = {row["touchpoint"]: row for row in found.table}
        ranks = {row["touchpoint"]: row for row in found.rank_probability}
        facts["few"] += any(rows[name]["journeys"] < 10 for name in found.ranking[:5])
        facts["sure"].append(min(rows[name]["confidence"] for name in PLANTED))
        facts["top_three"].append(min(ranks[name]["top_three"] for name in PLANTED))
    return both, some, facts


def nothing_planted(seeds, first=FIRST):
    """Return how often each touchpoint that is no longer planted is called surely worse."""
    called = dict.fromkeys(PLANTED, 0)
    for seed in range(first, first + seeds):
        journeys = cx.datasets.sample(seed=seed, critical=False).journeys()
        found = cx.critical.points(journeys)
        rows = {row["touchpoint"]: row for row in found.table}
        for name in PLANTED:
            called[name] += rows[name]["confidence"] >= 0.95
    return called


def coverage(seeds, first=FIRST):
    """Return the share of intervals of the excess that hold the planted one, over touchpoints.

    The true rate of the peers is that of the declared model, weighed as the estimate weighs it.
    """
    held = []
    for seed in range(first, first + seeds):
        example = cx.datasets.sample(seed=seed)
        journeys = example.journeys()
        found = cx.critical.points(journeys)
        rates = rates_of_journeys(journeys, "touchpoint")
        peers = peers_of(rates, chain_figures(journeys))
        truth = np.array([example.truths.exits[name] for name in rates.names])
        excess = dict(zip(rates.names, truth - peers.weights @ truth, strict=True))
        held += [
            row["excess_low"] <= excess[row["touchpoint"]] <= row["excess_high"]
            for row in found.table
            if peers.weights[rates.names.index(row["touchpoint"])].any()
        ]
    return float(np.mean(held))


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else FIRST
    both, some, facts = study(seeds, first)
    print(f"| ranking | both planted in the first three, of {seeds} | at least one |")
    print("|---|---|---|")
    for name in both:
        print(f"| {name} | {both[name]} | {some[name]} |")
    print()
    print("fewer than ten journeys in the first five:", facts["few"])
    print("confidence of the planted, least:", f"{min(facts['sure']):.4f}")
    print("P(first three) of the planted, least:", f"{min(facts['top_three']):.3f}")
    print("excess intervals that hold the planted excess:", f"{coverage(seeds, first):.3f}")
    print("confidence of .95 or more with nothing planted:", nothing_planted(seeds, first))


if __name__ == "__main__":
    main()
