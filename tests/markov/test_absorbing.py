"""The absorbing chain: golden values, and closed forms against solving from scratch."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import (
    InvalidValue,
    NotAbsorbing,
    NotAFlow,
    OutcomeUndetermined,
    TimesRequired,
    TrappedClass,
    UnknownName,
)
from cxjourney.graph import JourneyGraph
from cxjourney.markov import AbsorbingChain, _solver

# METHODS section 14: ten complete journeys; x is DROPOFF, ! CONVERSION.
T1 = """ad web cart !,ad web x,web cart web cart !,web x,ad x,email web cart x,email !,
web store !,ad web web x,email web store x"""


def count_moves(text):
    moves = Counter()
    ends = {"!": CONVERSION, "x": DROPOFF}
    for journey in text.split(","):
        moves.update(pairwise([START, *(ends.get(x, x) for x in journey.split())]))
    return moves


@pytest.fixture
def t1() -> AbsorbingChain:
    return AbsorbingChain.from_graph(JourneyGraph.from_counts(count_moves(T1)))


def approx(values):
    return pytest.approx(values, abs=5e-7)  # the golden values have six decimals


def test_golden_log_conversion_and_hitting(t1):
    assert t1.conversion_probability == pytest.approx(0.4, abs=1e-15)
    assert dict(t1.hitting) == approx(
        {"ad": 0.28125, "web": 0.375, "cart": 0.59375, "email": 0.583333, "store": 0.5}
    )
    assert t1.dropoff_probability == pytest.approx(0.6)
    assert t1.censored == 0


def test_golden_log_steps(t1):
    assert t1.expected_steps == pytest.approx(3.3)
    assert t1.steps.variance == pytest.approx(1.41)
    assert t1.steps_converted.mean == pytest.approx(3.5)


def test_golden_log_removal_effects(t1):
    effects = t1.removal_effect()
    assert dict(effects) == approx(
        {"ad": 0.28125, "web": 0.75, "cart": 0.527778, "email": 0.4375, "store": 0.25}
    )
    total = sum(effects.values())
    credit = {name: 4 * effect / total for name, effect in effects.items()}
    assert credit == approx(
        {"ad": 0.500773, "web": 1.335394, "cart": 0.939722, "email": 0.77898, "store": 0.445131}
    )
    assert t1.removal_effect("web") == pytest.approx(0.75)
    assert t1.removal_effect(list(t1.names)) == pytest.approx(1)
    assert t1.removal_effect([]) == 0


def test_golden_log_standard_error_is_the_binomial_one(t1):
    assert t1.standard_error == pytest.approx(0.154919, abs=5e-7)
    assert t1.standard_error == pytest.approx(math.sqrt(0.4 * 0.6 / 10), abs=1e-15)


def test_visits_of_complete_journeys_are_their_mean_visits(t1):
    words = T1.replace("\n", "").replace(",", " ").split()
    assert dict(t1.visits) == pytest.approx({x: words.count(x) / 10 for x in t1.names})


def test_reach_and_return_of_the_golden_log(t1):
    # Of ten journeys eight come to web; of nine visits of web that go on, two come back:
    # web -> web once, web -> cart -> web with 4/10 * 1/4.
    assert t1.reach["web"] == pytest.approx(0.8)
    assert t1.returning["web"] == pytest.approx(1 / 10 + 4 / 10 * 1 / 4)
    assert t1.returning["email"] == pytest.approx(0, abs=1e-15)


def test_worked_example_of_the_design():
    # DESIGN section 5; 4/9 at web is Kaplan-Meier at the limit, 7/18 Aalen-Johansen.
    names = ["ad", "web", "store"]
    graph = JourneyGraph.from_arrays(
        names,
        source=[3, 3, 3, 3, 0, 1, 1, 1, 2],
        target=[0, 1, 2, 4, 1, 1, 4, 5, 5],
        count=[2, 3, 2, 1, 2, 1, 2, 2, 1],
        probability=[*[np.nan] * 4, 1, 1 / 6, 7 / 18, 4 / 9, 1],
        censored=[0, 1, 1],
        estimator="aalen-johansen",
        inactivity=timedelta(days=7),
    )
    chain = AbsorbingChain.from_graph(graph)
    assert chain.conversion_probability == pytest.approx(5 / 12, abs=1e-15)
    assert dict(chain.hitting) == pytest.approx({"ad": 7 / 15, "web": 7 / 15, "store": 0})
    assert chain.visits["web"] == pytest.approx(3 / 4)
    lost = 8 * chain.visits["web"] * chain.hitting["web"] * (4 / 9) / (5 / 9)
    assert lost == pytest.approx(2.24)


def semi_markov(*, spread=True) -> JourneyGraph:
    # METHODS section 14: exponential dwell times, so that the variance is the mean squared.
    mean = np.array([[1, 2, 3, 4], [2, 1, 5, 1]], dtype=float)
    count = np.array([[20, 50, 10, 20], [10, 30, 40, 20]])
    return JourneyGraph.from_arrays(
        ["a", "b"],
        source=[2, 2, *[0] * 4, *[1] * 4],
        target=[0, 1, *[0, 1, 3, 4] * 2],
        count=[70, 20, *count.ravel()],
        dwell_sum_us=[-1, -1, *(mean * count).ravel().astype(int) * 1_000_000],
        dwell_m2=[np.nan, np.nan, *(mean**2 * count).ravel()] if spread else None,
    )


def test_golden_semi_markov_times():
    chain = AbsorbingChain.from_graph(semi_markov())
    assert chain.hitting["a"] == approx(0.529412)
    total, converted = chain.seconds, chain.seconds_converted
    assert list(total.mean_from.values()) == pytest.approx([5.80392, 4.68627], abs=5e-6)
    assert list(total.variance_from.values()) == pytest.approx([26.0646, 25.0507], abs=5e-5)
    assert list(converted.mean_from.values()) == pytest.approx([6.98911, 5.89483], abs=5e-6)
    start = (7 * total.mean_from["a"] + 2 * total.mean_from["b"]) / 9
    assert chain.expected_time == timedelta(seconds=start)


def test_times_of_a_chain_agree_with_simulated_journeys():
    chain = AbsorbingChain.from_graph(semi_markov())
    rng = np.random.default_rng(11)
    n = 40_000
    # All journeys at once, a move a round; code 4 is CONVERSION, 5 DROPOFF (K = 2).
    at = rng.choice([0, 1], p=[7 / 9, 2 / 9], size=n)
    seconds = np.zeros(n)
    while (at < 2).any():
        for node in (0, 1):
            here = np.flatnonzero(at == node)
            rows = np.flatnonzero(chain.source == node)
            move = rng.choice(rows, p=chain.probability[rows], size=here.size)
            seconds[here] += rng.exponential(chain.dwell_mean_s[move])
            at[here] = chain.target[move]
    for moments, kept in ((chain.seconds, at > 2), (chain.seconds_converted, at == 3)):
        sample = seconds[kept]
        error = math.sqrt(moments.variance / sample.size)
        assert abs(sample.mean() - moments.mean) < 4 * error
        assert sample.var() == pytest.approx(moments.variance, rel=0.06)


def test_without_spread_of_times_only_the_mean_is_known():
    chain = AbsorbingChain.from_graph(semi_markov(spread=False))
    assert chain.seconds.mean_from["a"] == pytest.approx(5.80392, abs=5e-6)
    assert math.isnan(chain.seconds.variance)


def test_times_are_asked_for_where_there_are_none(t1):
    with pytest.raises(TimesRequired, match="'ad' has none"):
        t1.seconds  # noqa: B018 - the access is the test
    with pytest.raises(TimesRequired):
        t1.expected_time  # noqa: B018 - the access is the test


def test_a_goal_that_ends_nothing_is_refused():
    graph = JourneyGraph.from_counts(count_moves(T1))
    graph.graph["absorbing"] = False
    with pytest.raises(NotAbsorbing, match="after_goal"):
        AbsorbingChain.from_graph(graph)


def test_an_undetermined_outcome_is_refused_with_both_arguments():
    graph = JourneyGraph.from_counts({(START, "a"): 2, ("a", CONVERSION): 1}, censored={"a": 1})
    with pytest.raises(OutcomeUndetermined, match=r"goal= and inactivity=.*suggest_inactivity"):
        AbsorbingChain.from_graph(graph)


def test_pending_visits_alone_are_unresolved_not_lost():
    graph = JourneyGraph.from_counts(
        {
            (START, "a"): 4,
            ("a", "b"): 2,
            ("a", CONVERSION): 1,
            ("a", DROPOFF): 1,
        },
        censored={"b": 2},
    )
    chain = AbsorbingChain.from_graph(graph)
    assert chain.conversion_probability == 1 / 4
    assert chain.dropoff_probability == 1 / 4
    assert chain.censored == 1 / 2
    assert chain.hitting["b"] == 0
    assert chain.removal_effect("b") == 0


def trap() -> JourneyGraph:
    return JourneyGraph.from_counts(
        {
            (START, "a"): 4,
            ("a", CONVERSION): 1,
            ("a", DROPOFF): 1,
            ("a", "x"): 2,
            ("x", "y"): 5,
            ("y", "x"): 4,
            ("y", "y"): 3,
        },
        censored={"x": 1, "y": 1},
    )


def test_a_trap_is_named():
    with pytest.raises(TrappedClass, match=r"'x', 'y'.*censored") as caught:
        AbsorbingChain.from_graph(trap())
    assert caught.value.nodes == ("x", "y")


def test_journeys_in_a_trap_can_count_as_unresolved():
    chain = AbsorbingChain.from_graph(trap(), trapped="censored")
    assert chain.censored == pytest.approx(1 / 2)
    assert chain.conversion_probability == pytest.approx(1 / 4)
    assert chain.hitting["x"] == 0
    with pytest.raises(InvalidValue, match="trapped"):
        AbsorbingChain.from_graph(trap(), trapped="ignore")


def test_a_long_loop_is_neither_a_trap_nor_loses_digits():
    n = 10**9
    graph = JourneyGraph.from_counts(
        {(START, "a"): 3, ("a", "b"): n, ("b", "a"): n, ("a", CONVERSION): 1, ("a", DROPOFF): 2}
    )
    chain = AbsorbingChain.from_graph(graph)
    assert chain.condition_number > 1e8
    assert chain.conversion_probability == pytest.approx(1 / 3, rel=1e-5)


def test_a_subgraph_is_not_computed_on():
    graph = JourneyGraph.from_counts(count_moves(T1))
    with pytest.raises(NotAFlow, match="for drawing"):
        AbsorbingChain.from_graph(graph.subgraph([START, "ad", "web", CONVERSION, DROPOFF]))


def test_a_long_thin_chain_is_solved_sparsely():
    n = 30_000
    moves = {(f"t{i}", f"t{i + 1}"): 2 for i in range(n - 1)}
    graph = JourneyGraph.from_counts(
        {(START, "t0"): 2, **moves, (f"t{n - 1}", CONVERSION): 1, (f"t{n - 1}", DROPOFF): 1}
    )
    chain = AbsorbingChain.from_graph(graph)
    assert not _solver.dense_pays(n, n - 1)
    assert chain.expected_steps == n + 1
    assert chain.removal_effect("t15000") == 1


def test_what_is_no_touchpoint_is_refused(t1):
    with pytest.raises(InvalidValue, match="nodes must be a name or a list of names; got 7"):
        t1.removal_effect(7)


def test_unknown_touchpoints_are_named(t1):
    with pytest.raises(UnknownName, match="did you mean 'store'"):
        t1.removal_effect(["web", "stor"])


def test_no_conversion_leaves_removal_effects_undefined():
    chain = AbsorbingChain.from_graph(
        JourneyGraph.from_counts({(START, "a"): 2, ("a", DROPOFF): 2})
    )
    assert chain.conversion_probability == 0
    assert math.isnan(chain.removal_effect("a"))
    assert math.isnan(chain.removal_effect()["a"])
    assert math.isnan(chain.steps_converted.mean)


def test_conversion_at_once_needs_no_touchpoint():
    chain = AbsorbingChain.from_graph(JourneyGraph.from_counts({(START, CONVERSION): 3}))
    assert chain.conversion_probability == 1
    assert chain.expected_steps == 1
    assert chain.removal_effect() == {}


def test_a_log_without_journeys_knows_nothing():
    chain = AbsorbingChain.from_graph(JourneyGraph.from_counts({}))
    assert math.isnan(chain.conversion_probability)
    assert math.isnan(chain.expected_steps)
    assert repr(chain)


def test_a_plain_graph_with_probabilities_will_do():
    graph = nx.DiGraph()
    graph.add_edge(START, "a", probability=1.0)
    graph.add_edge("a", "a", probability=0.5)
    graph.add_edge("a", CONVERSION, probability=0.25)
    graph.add_edge("a", DROPOFF, probability=0.25)
    chain = AbsorbingChain.from_graph(graph)
    assert chain.conversion_probability == 0.5
    assert chain.visits == {"a": 2}
    assert math.isnan(chain.standard_error)


def random_chain(size, rng, *, out=3) -> JourneyGraph:
    """A big sparse graph of counts that flow: random walks with hubs, loops and long detours."""
    weight = rng.pareto(1.5, size) + 0.05
    target = rng.choice(size, p=weight / weight.sum(), size=(size, out))
    target[:, 0] = (np.arange(size) + 1) % size  # a long ring
    moves = Counter()
    end = rng.beta(1, 8, size)
    for _ in range(4 * size):
        at = int(rng.integers(size))
        moves[START, f"t{at}"] += 1
        while True:
            if rng.random() < end[at]:
                moves[f"t{at}", CONVERSION if rng.random() < 0.3 else DROPOFF] += 1
                break
            to = int(target[at, rng.integers(out)])
            moves[f"t{at}", f"t{to}"] += 1
            at = to
    return JourneyGraph.from_counts(moves)


@pytest.fixture(scope="module")
def large() -> JourneyGraph:
    return random_chain(1_200, np.random.default_rng(3))


def test_large_sparse_chains_agree_with_dense_ones(large, monkeypatch):
    results, conditions = [], []
    for dense in (False, True):
        monkeypatch.setattr(_solver, "dense_pays", lambda *_, dense=dense: dense)
        chain = AbsorbingChain.from_graph(large)
        results.append((chain.removal_effect(), chain.reach, chain.hitting_standard_error))
        conditions.append(chain.condition_number)
    for of_sparse, of_dense in zip(*results, strict=True):
        assert np.array([*of_sparse.values()]) == pytest.approx(
            np.array([*of_dense.values()]), rel=1e-9, abs=1e-15
        )
    assert conditions[0] == pytest.approx(conditions[1], rel=1e-9)


@pytest.mark.parametrize("dense", [False, True])
def test_large_chains_keep_the_invariants_of_complete_journeys(large, monkeypatch, dense):
    monkeypatch.setattr(_solver, "dense_pays", lambda *_: dense)
    chain = AbsorbingChain.from_graph(large)
    facts = large.graph
    n = facts["n_journeys"]
    p = facts["n_converted"] / n
    assert chain.conversion_probability == pytest.approx(p, rel=1e-12)
    assert chain.standard_error == pytest.approx(math.sqrt(p * (1 - p) / n), rel=1e-9)
    visits = np.array([large.nodes[name]["visits"] / n for name in chain.names])
    assert np.array([*chain.visits.values()]) == pytest.approx(visits, rel=1e-10)
    assert chain.condition_number < 1e6


def test_removal_effects_are_the_published_ones(shared):
    cases = json.loads((shared / "oracles" / "attribution_markov.json").read_text())
    assert len(cases) == 3
    for case in cases:
        moves = Counter()
        for path, converted, lost in case["paths"]:
            for end, n in ((CONVERSION, converted), (DROPOFF, lost)):
                for move in pairwise([START, *path, end] * (n > 0)):
                    moves[move] += n
        chain = AbsorbingChain.from_graph(JourneyGraph.from_counts(moves))
        assert chain.conversion_probability == pytest.approx(float(Fraction(case["base"])))
        expected = {x: float(Fraction(e)) for x, e in case["removal_effect"].items()}
        assert dict(chain.removal_effect()) == pytest.approx(expected)
