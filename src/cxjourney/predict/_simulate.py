"""Simulation of journeys: all walkers take a step at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.validation import MOST_DRAWS, check_count, check_rng, duration_us
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InvalidValue, TimesRequired
from cxjourney.log import InteractionLog, moment
from cxjourney.markov import AbsorbingChain
from cxjourney.predict._prefixes import WAIT, Prefixes
from cxjourney.predict._times import SILENT, by_node

if TYPE_CHECKING:
    from datetime import timedelta

    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.graph import JourneyGraph
    from cxjourney.predict._predictor import JourneyPredictor

_MOST_STEPS = 10_000
_BLOCK = 20_000
_DAY_US = 86_400_000_000
_FROM_US = 946_684_800_000_000  # 2000-01-01


def simulated(
    predictor: JourneyPredictor,
    prefixes: Prefixes | None,
    n: int,
    rng: np.random.Generator | int | None,
) -> InteractionLog:
    """Return how prefixes go on; see `JourneyPredictor.simulate`."""
    if predictor.model.waits is None:
        raise TimesRequired("simulate() needs a predictor that learned from journeys with times")
    for name, dated in predictor.words.dated.items():
        if dated and name != WAIT:
            raise InvalidValue(
                f"simulate() cannot draw the attribute {name!r}, which changes from touch to "
                "touch: fit without it"
            )
    check_count(n, "n", most=MOST_DRAWS)
    draw = check_rng(rng)
    words, k = predictor.words, len(predictor.words.names)
    start = predictor.facts["until_us"] or _FROM_US
    if prefixes is None:
        node = draw.choice(k, size=n, p=predictor.model.begins)
        new = [node, *(np.full(n, k) for _ in range(words.order - 1))]
        walkers = Prefixes(
            recent=tuple(new),
            position=np.ones(n, dtype=np.int64),
            silence_us=np.zeros(n, dtype=np.int64),
            attributes={name: np.zeros(n, dtype=np.int64) for name in words.attributes},
        )
        whose = [f"0/{i}" for i in range(n)]
        steps = [(np.arange(n), node, np.full(n, start))]
    else:
        walkers = prefixes.take(np.repeat(np.arange(len(prefixes)), n))
        whose = [f"{i}/{j}" for i in range(len(prefixes)) for j in range(n)]
        steps = []
    who, when = np.arange(len(walkers)), np.full(len(walkers), start, dtype=np.int64)
    for _ in range(_MOST_STEPS):
        if not len(who):
            break
        symbol, wait = _step(predictor, walkers, draw)
        when = when + wait
        moved = np.flatnonzero(symbol != k + SILENT)
        steps.append((who[moved], symbol[moved], when[moved]))
        on = np.flatnonzero(symbol < k)
        walkers = _moved(walkers.take(on), symbol[on], wait[on], words.waits_us)
        who, when = who[on], when[on]
    goal = predictor.rules.goal[:1] or ("goal",)
    gone = predictor.rules.exit_touchpoints[:1] or ("exit",)
    return _log(steps, whose, (*words.names, *goal, *gone), predictor.rules.inactivity, start)


def _step(
    predictor: JourneyPredictor, walkers: Prefixes, draw: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return what comes next of each walker, and after what time from now [µs]."""
    waits = predictor.model.waits
    assert waits is not None  # noqa: S101 - the caller has looked
    symbol = np.empty(len(walkers), dtype=np.int64)
    for begin in range(0, len(walkers), _BLOCK):
        rows = np.arange(begin, min(begin + _BLOCK, len(walkers)))
        symbol[rows] = drawn(predictor._symbols(walkers.take(rows))[0], draw)  # noqa: SLF001 - one package
    wait = np.zeros(len(walkers), dtype=np.int64)
    n_symbols = len(predictor.words.names) + 3
    for one, rows in by_node(walkers.recent[0]):
        longer = waits.longer(one, n_symbols)
        wait[rows] = _waits(
            longer[symbol[rows]], waits.edges_us, walkers.silence_us[rows], draw.random(len(rows))
        )
    return symbol, wait


def _waits(longer: Floats, edges: Ints, silence: Ints, u: Floats) -> Ints:
    """Return waits beyond a silence, drawn from the shares that exceed each edge."""
    at = np.clip(np.searchsorted(edges, silence, side="right") - 1, 0, len(edges) - 1)
    left = longer[np.arange(len(u)), at] * u
    place = np.minimum((longer > left[:, None]).sum(axis=1), len(edges) - 1)
    before = np.maximum(place - 1, 0)
    rows = np.arange(len(u))
    high, low = longer[rows, before], longer[rows, place]
    part = np.where(high > low, (high - left) / np.where(high > low, high - low, 1.0), 1.0)
    wait = edges[before] + np.clip(part, 0, 1) * (edges[place] - edges[before])
    left_us: Ints = np.maximum(np.rint(wait).astype(np.int64) - silence, 0)
    return left_us


def _moved(walkers: Prefixes, node: Ints, wait_us: Ints, bounds: Ints) -> Prefixes:
    attributes = dict(walkers.attributes)
    if WAIT in attributes:
        whole = wait_us + walkers.silence_us
        attributes[WAIT] = 1 + np.searchsorted(bounds, whole, side="right").astype(np.int64)
    return attrs.evolve(
        walkers,
        recent=(node, *walkers.recent[:-1]),
        position=walkers.position + 1,
        silence_us=np.zeros(len(node), dtype=np.int64),
        attributes=attributes,
    )


def drawn(p: Floats, draw: np.random.Generator) -> Ints:
    """Return one place a row, drawn with these probabilities."""
    until = p.cumsum(axis=1)
    u = draw.random(len(p))[:, None] * until[:, -1:]
    place: Ints = np.minimum((until <= u).sum(axis=1), p.shape[1] - 1)
    return place


def _log(
    steps: list[tuple[Ints, Ints, Ints]],
    whose: list[str],
    names: tuple[str, ...],
    limit: timedelta | None,
    start: int,
) -> InteractionLog:
    who, what, when = (
        np.concatenate([step[i] for step in steps] or [np.zeros(0, dtype=np.int64)])
        for i in range(3)
    )
    order = np.lexsort((when, who))
    who, what, when = who[order], what[order], when[order]
    end = int(when.max(initial=start)) + (_DAY_US if limit is None else duration_us(limit))
    ids, words = np.array(whose, dtype=object), np.array(names, dtype=object)
    columns: dict[str, Any] = {
        "customer": ids[who], "touchpoint": words[what], "timestamp": when.astype("M8[us]"),
        "seq": np.arange(len(who)),
    }  # fmt: skip
    return InteractionLog.from_frame(
        columns,
        customer="customer",
        touchpoint="touchpoint",
        timestamp="timestamp",
        seq="seq",
        observed_until=moment(end),
    )


def simulated_graph(
    graph: JourneyGraph, n: int, rng: np.random.Generator | int | None
) -> InteractionLog:
    """Return n journeys of a graph; see `JourneyGraph.simulate`."""
    check_count(n, "n", most=MOST_DRAWS)
    draw = check_rng(rng)
    AbsorbingChain.from_graph(graph)  # refuses what is no chain
    names = tuple(name for name, data in graph.nodes(data=True) if data.get("kind") == "touchpoint")
    k = len(names)
    code = {name: i for i, name in enumerate(names)} | {CONVERSION: k, DROPOFF: k + 1, START: k + 2}
    step, mean = np.zeros((k + 3, k + 2)), np.full((k + 3, k + 2), np.nan)
    for u, v, data in graph.edges(data=True):
        step[code[u], code[v]] = data.get("probability", 0.0)
        mean[code[u], code[v]] = data.get("dwell_mean_s", np.nan)
    usual = np.nanmean(mean) if np.isfinite(mean).any() else 1.0
    mean = np.where(np.isfinite(mean), mean, usual)
    who, at = np.arange(n), np.full(n, k + 2)
    when = np.full(n, _FROM_US, dtype=np.int64)
    steps = []
    for _ in range(_MOST_STEPS):
        if not len(who):
            break
        to = drawn(step[at], draw)
        wait = draw.exponential(mean[at, to]) * 1e6
        when = when + np.where(at == k + 2, 0, np.maximum(np.rint(wait), 1)).astype(np.int64)
        moved = np.flatnonzero(to != k + 1)
        steps.append((who[moved], to[moved], when[moved]))
        on = np.flatnonzero(to < k)
        who, at, when = who[on], to[on], when[on]
    goal = (*json.loads(graph.graph.get("goal", "[]")), "goal")[0]
    return _log(steps, [str(i) for i in range(n)], (*names, goal), None, _FROM_US)
