"""A stack of chains is its chains one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.markov._stacked import StackedChains


def random_stack(seed: int, n: int = 3, k: int = 4):
    rng = np.random.default_rng(seed)
    probability = np.zeros((n, k, k + 3))
    counts = rng.integers(0, 6, size=(n, k, k + 2)) + np.eye(k, k + 2, k=2, dtype=int)
    counts[:, :, -1] += 1
    probability[:, :, [*range(k), k + 1, k + 2]] = counts / counts.sum(axis=2, keepdims=True)
    start = np.zeros((n, k + 3))
    start[:, :k] = rng.dirichlet(np.ones(k), size=n)
    return probability, start


def chain_of(probability, start) -> cx.AbsorbingChain:
    k = len(probability)
    labels = [*map(str, range(k)), cx.START, cx.CONVERSION, cx.DROPOFF]
    scale = 10**9
    counts = {}
    for i in range(k):
        for j, p in enumerate(probability[i]):
            if p > 0:
                counts[labels[i], labels[j]] = p
    graph = cx.JourneyGraph()
    for name in labels[:k]:
        graph.add_node(name, kind="touchpoint", visits=scale, censored=0)
    for name, kind in zip(labels[k:], ("start", "conversion", "dropoff"), strict=True):
        graph.add_node(name, kind=kind)
    for (u, v), p in counts.items():
        graph.add_edge(u, v, count=1, probability=float(p))
    for j, p in enumerate(start):
        if p > 0:
            graph.add_edge(cx.START, labels[j], count=1, probability=float(p))
    graph.graph.update(absorbing=True, determined=True)
    return cx.AbsorbingChain.from_graph(graph)


@given(st.integers(0, 200))
def test_a_stack_is_its_chains_one_by_one(seed):
    probability, start = random_stack(seed)
    stack = StackedChains.of(probability, start)
    effects = stack.removal_effect()
    joint = stack.joint_removal_effect([0, 2])
    for i in range(len(probability)):
        chain = chain_of(probability[i], start[i])
        assert stack.conversion[i] == pytest.approx(chain.conversion_probability, abs=1e-9)
        for j, name in enumerate(["0", "1", "2", "3"]):
            assert stack.visits[i, j] == pytest.approx(chain.visits[name], abs=1e-9)
            assert stack.hitting[i, j] == pytest.approx(chain.hitting[name], abs=1e-9)
            expected = chain.removal_effect()[name]
            assert effects[i, j] == pytest.approx(expected, abs=1e-9, nan_ok=True)
        expected = chain.removal_effect(["0", "2"])
        assert joint[i] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_a_loop_without_a_way_out_ends_there_and_spoils_no_other():
    probability, start = random_stack(1)
    probability[1, 0] = 0
    probability[1, 0, 0] = 1
    stack = StackedChains.of(probability, start)
    # who comes to node 0 is not heard of again: its row leads nowhere
    probability[1, 0, 0] = 0
    inner = np.eye(4) - probability[1, :, :4]
    assert stack.fundamental[1] == pytest.approx(np.linalg.inv(inner))
    assert stack.hitting[1, 0] == 0.0
    assert not np.isnan(stack.conversion).any()
    alone = StackedChains.of(probability[[0, 2]], start[[0, 2]])
    assert stack.conversion[[0, 2]] == pytest.approx(alone.conversion)


def test_what_is_not_known_to_end_is_no_loop():
    probability, start = random_stack(1)
    probability[1, 0] = 0
    probability[1, 0, 0] = 1  # a loop, so that the chain is looked at closely
    probability[1, 2] = 0
    probability[1, 2, 2] = 0.7  # of the other visits the end is not known
    stack = StackedChains.of(probability, start)
    assert stack.diagonal[1, 2] == pytest.approx(1 / 0.3)
    assert stack.diagonal[1, 0] == 1


def test_a_chain_that_hardly_ever_ends_is_unknown():
    probability, start = random_stack(1)
    probability[1, 0] = 0
    probability[1, 0, 0], probability[1, 0, -1] = 1 - 1e-11, 1e-11
    stack = StackedChains.of(probability, start)
    assert np.isnan(stack.conversion).tolist() == [False, True, False]
    assert np.isnan(stack.joint_removal_effect([0])[1])


def test_where_nobody_converts_no_conversion_can_be_lost():
    # two nodes, START, CONVERSION, DROPOFF: the second chain never converts
    probability = np.array(
        [
            [[0.0, 0.5, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.5, 0.5]],
            [[0.0, 0.5, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0, 1.0]],
        ]
    )
    start = np.array([[1.0, 0, 0, 0, 0]] * 2)
    chains = StackedChains.of(probability, start)
    for effect in (chains.removal_effect(), chains.joint_removal_effect([0, 1])[:, None]):
        assert effect[0] == pytest.approx(np.ones(effect.shape[1]))
        assert np.isnan(effect[1]).all()
