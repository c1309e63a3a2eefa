"""Graphs, results and blueprints at the door: JSON, GraphML, YAML and dictionaries, damaged."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import yaml

import cxjourney as cx
from cxjourney.domain import BlueprintStep

from .files import BEGIN
from .judge import judged
from .mutate import changed, damaged

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

DAY = timedelta(days=1)


@cache
def _log() -> cx.InteractionLog:
    rng = np.random.default_rng(0)
    rows: list[cx.Interaction] = []
    for i in range(40):
        when = BEGIN + float(rng.uniform(0, 20)) * DAY
        for _ in range(int(rng.integers(1, 6))):
            where = str(rng.choice(["ad", "web", "cart", "help"]))
            rows.append(
                cx.Interaction(customer=f"k{i}", touchpoint=where, timestamp=when, channel=where[0])
            )
            when += float(rng.exponential(2)) * DAY
        if rng.random() < 0.4:
            rows.append(
                cx.Interaction(customer=f"k{i}", touchpoint="buy", timestamp=when, channel="w")
            )
    return cx.InteractionLog.from_interactions(rows)


@cache
def _graphs() -> tuple[cx.JourneyGraph, ...]:
    journeys = _log().journeys(goal="buy", inactivity=5 * DAY)
    counts = {(cx.START, "a"): 5, ("a", "b"): 3, ("a", cx.DROPOFF): 2, ("b", cx.CONVERSION): 3}
    return (
        journeys.graph(),
        _log().journeys(goal="buy", all_closed=True).graph(by="channel"),
        cx.JourneyGraph.from_counts(
            counts, channel={"a": "web"}, stage={"b": "x"}, owner={"a": "o"}
        ),
    )


@cache
def _results() -> tuple[dict[str, Any], ...]:
    journeys = _log().journeys(goal="buy", inactivity=5 * DAY)
    found = [
        cx.metrics.nps([10, 9, 3]),
        cx.dropoff.exits(journeys),
        cx.dropoff.funnel(_log(), ["web", "buy"], within=7 * DAY),
        cx.omnichannel.transitions(journeys),
        cx.attribution.markov(journeys),
        cx.metrics.kaplan_meier([DAY, 2 * DAY], [True, False]),
        cx.metrics.cohort_retention(["a"], [BEGIN], periods=2),
        cx.sequences.step_flow(journeys),
        _log().audit(),
        cx.dropoff.exits(journeys, segment="channel"),
    ]
    found += [next(_log().interactions()), next(iter(journeys)), _log()]
    return tuple(json.loads(json.dumps(result.to_dict())) for result in found)


@cache
def _blueprint() -> cx.JourneyBlueprint:
    steps = [
        BlueprintStep("ad", stage="awareness", optional=True, promise="seen"),
        BlueprintStep(
            "cart", stage="purchase", channels=["web", "app"], emotion=0.5, expectation=4
        ),
        "buy",
    ]
    return cx.JourneyBlueprint("shop", steps, stages=cx.StageModel.FIVE, persona="Ann")


def graph_json(rng: random.Random, folder: Path) -> bool:
    """Read the JSON of a graph, damaged as text or as data; what is read is a flow, and stays."""
    text = rng.choice(_json_texts())
    if rng.random() < 0.7:
        text = json.dumps(changed(rng, json.loads(text)), default=str)
    else:
        text = damaged(rng, text.encode()).decode(errors="surrogateescape")
    graph = judged(lambda: cx.JourneyGraph.from_json(text))
    if graph is None:
        return False
    _is_sound(graph)
    assert cx.JourneyGraph.from_json(graph.to_json()).to_json() == graph.to_json()
    return True


@cache
def _json_texts() -> tuple[str, ...]:
    return tuple(graph.to_json() for graph in _graphs())


def _is_sound(graph: cx.JourneyGraph) -> None:
    """Hold by a plain recount that counts flow and probabilities sum to one."""
    came: dict[str, int] = dict.fromkeys(graph, 0)
    left: dict[str, int] = dict.fromkeys(graph, 0)
    row: dict[str, list[float]] = {name: [] for name in graph}
    for u, v, data in graph.edges(data=True):
        assert type(data["count"]) is int
        assert data["count"] >= 0
        came[v] += data["count"]
        left[u] += data["count"]
        if "probability" in data:
            assert 0 <= data["probability"] <= 1 + 1e-9
            row[u].append(data["probability"])
    for name, data in graph.nodes(data=True):
        if data["kind"] == "touchpoint":
            assert came[name] == left[name] + data["censored"] == data["visits"]
        assert not row[name] or abs(sum(row[name]) - 1) < 1e-6
    graph.check_flow()


def graphml(rng: random.Random, folder: Path) -> bool:
    """Read a GraphML file, damaged."""
    path = folder / "graph.graphml"
    path.write_bytes(damaged(rng, rng.choice(_graphml())))
    graph = judged(lambda: cx.JourneyGraph.read_graphml(path))
    if graph is None:
        return False
    _is_sound(graph)
    return True


@cache
def _graphml() -> tuple[bytes, ...]:
    return tuple("\n".join(nx.generate_graphml(graph)).encode() for graph in _graphs())


def networkx(rng: random.Random, folder: Path) -> bool:
    """Make a journey graph of a plain graph whose attributes were changed."""
    data = changed(rng, json.loads(rng.choice(_json_texts())))
    try:
        plain = nx.node_link_graph(
            {"directed": rng.random() < 0.95, "multigraph": False, **data}, edges="edges"
        )
    except Exception:  # noqa: BLE001 - what networkx refuses comes to no door
        return False
    graph = judged(lambda: cx.JourneyGraph.from_networkx(plain))
    if graph is None:
        return False
    _is_sound(graph)
    return True


def result(rng: random.Random, folder: Path) -> bool:
    """Read the dictionary of a result, damaged; what is read says the same again."""
    plain = rng.choice(_results())
    data = changed(rng, plain)
    back = judged(lambda: cx.load(data))
    if back is None:
        return False
    again = back.to_dict()
    assert cx.load(again).to_dict() == again
    if data == plain:
        assert again == plain
    return True


def blueprint(rng: random.Random, folder: Path) -> bool:
    """Read a blueprint as YAML, JSON or a dictionary, damaged."""
    plain = _blueprint().to_dict()
    kind = rng.randrange(4)
    read: Callable[[Any], cx.JourneyBlueprint] = cx.JourneyBlueprint.from_yaml
    data: Any
    if kind == 0:
        data = damaged(rng, _yaml().encode()).decode(errors="replace")
    elif kind == 1:
        data = yaml.safe_dump(changed(rng, json.loads(json.dumps(plain))))
    elif kind == 2:
        read, data = cx.JourneyBlueprint.read, folder / rng.choice(("b.json", "b.yaml", "b.txt"))
        data.write_bytes(damaged(rng, json.dumps(plain).encode()))
    else:
        read, data = cx.JourneyBlueprint.from_dict, changed(rng, plain)
    found = judged(lambda: read(data))
    if found is None:
        return False
    assert cx.JourneyBlueprint.from_dict(found.to_dict()) == found
    return True


@cache
def _yaml() -> str:
    return _blueprint().to_yaml()
