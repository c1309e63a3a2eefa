"""Closed forms of the chain against brute force on random chains."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import TrappedClass
from cxjourney.graph import JourneyGraph
from cxjourney.markov import AbsorbingChain

NAMES = ["a", "b", "c", "d", "e"]

walks = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), max_size=7), st.booleans()),
    min_size=1,
    max_size=15,
)


def graph_of(log) -> JourneyGraph:
    moves: dict[tuple[str, str], int] = {}
    for touches, converted in log:
        end = CONVERSION if converted or not touches else DROPOFF
        path = [START, *touches, end]
        for move in pairwise(path):
            moves[move] = moves.get(move, 0) + 1
    return JourneyGraph.from_counts(moves)


def matrix_of(graph):
    """The full transition matrix over START, touchpoints, CONVERSION, DROPOFF, in this order."""
    nodes = [START, *graph.touchpoints, CONVERSION, DROPOFF]
    matrix = np.zeros((len(nodes), len(nodes)))
    for u, v, probability in graph.edges(data="probability"):
        matrix[nodes.index(u), nodes.index(v)] = probability
    matrix[-1, -1] = matrix[-2, -2] = 1
    return nodes, matrix


def absorbed(matrix):
    """P(ending in CONVERSION) from each state, by squaring the matrix until nothing moves."""
    power = matrix
    for _ in range(17):
        power = power @ power
    return power[:, -2]


@given(walks)
def test_conversion_is_the_share_of_converted_journeys(log):
    graph = graph_of(log)
    chain = AbsorbingChain.from_graph(graph)
    n = len(log)
    p = sum(converted or not touches for touches, converted in log) / n
    assert chain.conversion_probability == pytest.approx(p, abs=1e-12)
    assert chain.standard_error == pytest.approx(math.sqrt(p * (1 - p) / n), abs=1e-7)
    lengths = [len(touches) + 1 for touches, _ in log]
    assert chain.expected_steps == pytest.approx(np.mean(lengths))
    nodes, matrix = matrix_of(graph)
    expected = dict(zip(nodes, absorbed(matrix), strict=True))
    assert dict(chain.hitting) == pytest.approx({x: expected[x] for x in chain.names}, abs=1e-9)


@given(walks, st.sets(st.sampled_from(NAMES), min_size=1))
def test_removal_effects_are_those_of_rebuilt_chains(log, together):
    graph = graph_of(log)
    chain = AbsorbingChain.from_graph(graph)
    p = chain.conversion_probability
    assume(p > 0)
    nodes, matrix = matrix_of(graph)
    together &= set(nodes)

    def without(removed):
        lost = matrix.copy()
        for x in removed:
            lost[nodes.index(x)] = 0
            lost[nodes.index(x), -1] = 1
        return 1 - absorbed(lost)[0] / p

    single = chain.removal_effect()
    for x in chain.names:
        assert single[x] == pytest.approx(without([x]), abs=1e-9)
    assert chain.removal_effect(together) == pytest.approx(without(together), abs=1e-9)


@given(walks)
def test_steps_agree_with_the_distribution_of_steps(log):
    graph = graph_of(log)
    chain = AbsorbingChain.from_graph(graph)
    _, matrix = matrix_of(graph)
    state = np.zeros(len(matrix))
    state[0] = 1
    ended = []
    before = state[-2:]
    for _ in range(2000):
        state = state @ matrix
        ended.append(state[-2:] - before)
        before = state[-2:]
    assume(before.sum() > 1 - 1e-12)
    steps = np.arange(1, len(ended) + 1)
    weights = np.array(ended)
    for moments, weight in (
        (chain.steps, weights.sum(axis=1)),
        (chain.steps_converted, weights[:, 0]),
    ):
        total = weight.sum()
        if total < 1e-9:
            assert math.isnan(moments.mean)
            continue
        mean = steps @ weight / total
        variance = (steps - mean) ** 2 @ weight / total
        assert moments.mean == pytest.approx(mean, rel=1e-6)
        assert moments.variance == pytest.approx(variance, rel=1e-5, abs=1e-6)


open_walks = st.lists(
    st.tuples(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=5),
        st.sampled_from([CONVERSION, DROPOFF, None, None]),
    ),
    min_size=1,
    max_size=10,
)


@given(open_walks)
def test_what_is_not_known_to_end_is_unresolved_and_nothing_else(log):
    # With trapped="censored" the ends are those of the same chain with one more end, UNKNOWN,
    # entered from wherever no end can be reached.
    moves = Counter()
    censored = Counter()
    for touches, end in log:
        moves.update(pairwise([START, *touches, *([end] if end else [])]))
        censored[touches[-1]] += end is None
    graph = JourneyGraph.from_counts(moves, censored=censored, determined=True)
    chain = AbsorbingChain.from_graph(graph, trapped="censored")
    outcomes = (chain.conversion_probability, chain.dropoff_probability, chain.censored)
    assert sum(outcomes) == pytest.approx(1, abs=1e-12)
    _, matrix = matrix_of(graph)
    power = matrix.copy()
    for _ in range(40):
        power = power @ power
    assert chain.conversion_probability == pytest.approx(power[0, -2], abs=1e-9)
    assert chain.dropoff_probability == pytest.approx(power[0, -1], abs=1e-9)
    ends = nx.ancestors(graph, CONVERSION) | nx.ancestors(graph, DROPOFF)
    dead = {x for x in graph.touchpoints if x not in ends}
    assert all(chain.hitting[x] == 0 for x in dead)
    stuck = {x for x in dead if graph.out_degree(x) and nx.descendants(graph, x) <= dead}
    stuck = {x for x in stuck if all(graph.out_degree(y) for y in nx.descendants(graph, x))}
    if stuck:
        with pytest.raises(TrappedClass) as caught:
            AbsorbingChain.from_graph(graph)
        assert set(caught.value.nodes) == stuck
    else:
        AbsorbingChain.from_graph(graph)


@given(walks)
def test_reach_and_return_agree_with_walking(log):
    graph = graph_of(log)
    chain = AbsorbingChain.from_graph(graph)
    nodes, matrix = matrix_of(graph)
    for x in chain.names:
        k = nodes.index(x)
        stop = matrix.copy()
        stop[k] = 0
        stop[k, k] = 1
        stop[-1] = stop[-2] = 0
        for _ in range(17):
            stop = stop @ stop
        assert chain.reach[x] == pytest.approx(stop[0, k], abs=1e-9)
        assert chain.returning[x] == pytest.approx(matrix[k] @ stop[:, k], abs=1e-9)


@given(walks)
def test_standard_errors_of_hitting_are_those_of_perturbed_rows(log):
    # The gradient of h by finite differences in every row of the matrix, and the multinomial
    # covariance of that row around it.
    graph = graph_of(log)
    chain = AbsorbingChain.from_graph(graph)
    nodes, matrix = matrix_of(graph)
    inner = slice(1, len(nodes) - 2)

    def hitting(probabilities):
        return np.linalg.solve(
            np.eye(len(nodes) - 3) - probabilities[inner, inner], probabilities[inner, -2]
        )

    variance = np.zeros(len(nodes) - 3)
    for x in range(1, len(nodes) - 2):
        row = matrix[x]
        support = np.flatnonzero(row)
        gradient = []
        for y in support:
            step = np.zeros_like(matrix)
            step[x, y] = 1e-6
            gradient.append((hitting(matrix + step) - hitting(matrix - step)) / 2e-6)
        g = np.array(gradient)
        covariance = np.diag(row[support]) - np.outer(row[support], row[support])
        covariance /= graph.nodes[nodes[x]]["visits"]
        variance += np.einsum("ik,ij,jk->k", g, covariance, g)
    expected = dict(zip(nodes[inner], np.sqrt(np.maximum(variance, 0)), strict=True))
    actual = dict(chain.hitting_standard_error)
    assert actual == pytest.approx({x: expected[x] for x in chain.names}, rel=1e-3, abs=1e-4)
