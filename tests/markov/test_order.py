"""Markov orders: golden values, plain recounts, and chains of higher order."""

from __future__ import annotations

import math
from collections import Counter
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.markov import (
    AbsorbingChain,
    OrderSelection,
    higher_order,
    local_memory,
    order_selection,
)

NAMES = ["ad", "web", "cart", "email", "store"]
CONVERTED, DROPPED = 6, 7
CODE = {**{name: i for i, name in enumerate(NAMES)}, "!": CONVERTED, "x": DROPPED}
# METHODS section 14: ten complete journeys; x is DROPOFF, ! CONVERSION.
T1 = """ad web cart !,ad web x,web cart web cart !,web x,ad x,email web cart x,email !,
web store !,ad web web x,email web store x"""


def arrays(journeys):
    return [c for j in journeys for c in j], [0, *accumulate(len(j) for j in journeys)]


def coded(text):
    return [[CODE[x] for x in journey.split()] for journey in text.split(",")]


def test_golden_orders():
    selection = order_selection(*arrays(coded(T1)))
    assert selection.log_likelihood == pytest.approx([-33.391603, -28.571028, -23.025851], abs=5e-7)
    assert selection.n == 33
    assert selection.df.tolist() == [10, 22, 29]
    assert selection.bic == pytest.approx([101.748, 134.065, 147.450], abs=5e-4)
    assert selection.aic == pytest.approx([86.8, 101.1, 104.1], abs=0.05)
    assert selection.p_value[1:] == pytest.approx([0.65, 0.13], abs=0.005)
    assert math.isnan(selection.p_value[0])
    assert selection.best == 1
    assert OrderSelection.from_dict(selection.to_dict()) == selection
    assert "do not trust" in repr(selection)


journeys = st.lists(
    st.tuples(st.lists(st.integers(0, 4), max_size=6), st.sampled_from([(), (6,), (7,)])).map(
        lambda parts: [*parts[0], *parts[1]]
    ),
    min_size=1,
    max_size=12,
)
some_weights = st.lists(st.integers(0, 3), min_size=12, max_size=12)


@given(journeys, some_weights)
def test_orders_are_those_of_a_plain_recount(log, weights):
    weights = weights[: len(log)]
    selection = order_selection(*arrays(log), weights=weights, max_order=4)
    repeated = [j for j, w in zip(log, weights, strict=True) for _ in range(w)]
    followers = {}
    for journey in repeated:
        for last, move in pairwise(["START", *journey]):
            followers.setdefault(last, set()).add(move)
    for order in range(1, 5):
        cells, contexts = Counter(), Counter()
        for journey in repeated:
            padded = ["START"] * order + journey
            for i, move in enumerate(journey):
                context = tuple(padded[i : i + order])
                cells[context, move] += 1
                contexts[context] += 1
        likelihood = sum(n * math.log(n / contexts[s]) for (s, _), n in cells.items())
        df = sum(len(followers[s[-1]]) - 1 for s in contexts)
        assert selection.log_likelihood[order - 1] == pytest.approx(likelihood, abs=1e-9)
        assert selection.df[order - 1] == df
        assert selection.n == sum(cells.values())


@given(journeys)
def test_local_memory_adds_up_to_the_likelihood_ratio_of_order_two(log):
    names = list("abcde")
    memory = local_memory(names, *arrays(log))
    selection = order_selection(*arrays(log), max_order=2)
    assert np.nansum(memory.g) == pytest.approx(selection.g[1], abs=1e-9)
    assert memory.df.sum() == selection.df[1] - selection.df[0]
    assert sorted(memory.touchpoint) == names
    assert memory.n.sum() == sum(max(len(j) - 1, 0) for j in log)


def forgetful(rng, n):
    """Journeys of a first-order chain over a, b, c."""
    rows = np.array([[0.2, 0.3, 0.2, 0.1, 0.2], [0.3, 0.1, 0.3, 0.2, 0.1], [0.3, 0.3, 0, 0.2, 0.2]])
    out = []
    for _ in range(n):
        at, journey = int(rng.integers(3)), []
        while at < 3:
            journey.append(at)
            at = int(rng.choice(5, p=rows[at]))
        out.append([*journey, at + 1])
    return out


def test_where_there_is_no_memory_p_values_are_uniform():
    rng = np.random.default_rng(8)
    p = [local_memory("abc", *arrays(forgetful(rng, 150))).p_value for _ in range(150)]
    share = np.mean(np.concatenate(p) < 0.1)
    assert 0.05 < share < 0.15  # 450 tests at level 0.1


def test_planted_memory_is_found_where_it_is():
    rng = np.random.default_rng(4)
    log = []
    for journey in forgetful(rng, 400):
        # who came to b from a always leaves next; elsewhere nothing is remembered
        cut = next((i for i, ab in enumerate(pairwise(journey)) if ab == (0, 1)), None)
        log.append(journey if cut is None else [*journey[: cut + 2], 5])
    memory = local_memory("abc", *arrays(log))
    assert memory.touchpoint[0] == "b"
    assert memory.q_value[0] < 1e-6
    assert memory.q_value[1:].min() > 0.01
    assert order_selection(*arrays(log)).best == 2


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_conversion_is_the_empirical_one_at_any_order(order):
    model = higher_order(NAMES, *arrays(coded(T1)), order=order)
    assert model.chain().conversion_probability == pytest.approx(0.4, abs=1e-12)
    model.graph.check_flow()


@given(journeys.map(lambda log: [j for j in log if j and j[-1] > 4]), st.integers(1, 4))
def test_complete_journeys_keep_their_conversion_at_any_order(log, order):
    if not log:
        return
    model = higher_order(list("abcde"), *arrays(log), order=order)
    share = sum(j[-1] == CONVERTED for j in log) / len(log)
    assert model.chain().conversion_probability == pytest.approx(share, abs=1e-9)


@given(journeys.map(lambda log: [j for j in log if j and j[-1] > 4]))
def test_with_all_memory_removal_is_the_share_of_converting_journeys_that_touch(log):
    converting = [j for j in log if j[-1] == CONVERTED]
    if not converting:
        return
    effects = higher_order(list("abcde"), *arrays(log), order=10).removal_effect()
    for name, effect in effects.items():
        touched = sum("abcde".index(name) in j for j in converting)
        assert effect == pytest.approx(touched / len(converting), abs=1e-9)


def test_first_order_effects_are_those_of_the_plain_chain():
    effects = higher_order(NAMES, *arrays(coded(T1)), order=1).removal_effect()
    assert dict(effects) == pytest.approx(
        {"ad": 0.28125, "web": 0.75, "cart": 0.527778, "email": 0.4375, "store": 0.25}, abs=5e-7
    )


def test_states_know_their_touchpoint_and_weights_their_journeys():
    model = higher_order(["a]", 'b"'], [0, 1, 3, 1, 0, 4], [0, 3, 6], order=2, weights=[2, 5])
    assert set(model.states("a]")) == {'["a]"]', '["b\\"", "a]"]'}
    assert model.chain().conversion_probability == pytest.approx(2 / 7)
    with pytest.raises(UnknownName, match="did you mean 'a]'"):
        model.states("a")


def test_journeys_in_progress_are_pending():
    model = higher_order(["a", "b"], [0, 1, 0, 1, 4], [0, 2, 5], order=2, weights=[3, 1])
    assert model.graph.nodes['["a", "b"]']["censored"] == 3
    assert model.graph.graph["n_in_progress"] == 3


def test_nothing_to_compare_is_no_error():
    empty = order_selection([], [0])
    assert empty.n == 0
    assert local_memory(["a"], [], [0]).df.tolist() == [0]
    chain = AbsorbingChain.from_graph(higher_order(["a"], [], [0], order=2).graph)
    assert math.isnan(chain.conversion_probability)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: order_selection([0, 1], [0, 1]), "offsets"),
        (lambda: order_selection([0, 1], []), "offsets"),
        (lambda: order_selection([0, -1], [0, 2]), "codes"),
        (lambda: order_selection([0, 1], [0, 2], weights=[0.5]), "weights"),
        (lambda: order_selection([0, 1], [0, 2], max_order=0), "max_order"),
        (lambda: local_memory(["a"], [3, 0], [0, 2]), "only end a journey"),
        (lambda: higher_order(["a"], [2, 0], [0, 2], order=1), "only end a journey"),
        (lambda: higher_order(["a"], [0, 1], [0, 2], order=1), "CONVERSION"),
        (lambda: higher_order(["a"], [0, 9], [0, 2], order=1), "CONVERSION"),
        (lambda: higher_order(["a"], [0, 2], [0, 2], order=0), "order"),
        (lambda: higher_order(["a"], [0, 2], [0, 2], order=1.5), "order must be a whole number"),
        (lambda: higher_order(7, [0, 2], [0, 2], order=1), "names must be the names of"),
        (lambda: local_memory(None, [0, 2], [0, 2]), "names must be the names of"),
        (lambda: order_selection("web", [0, 1]), "codes must be whole numbers; got 'web'"),
        (lambda: order_selection([[0, 1]], [0, 2]), "codes must be one row"),
        (lambda: order_selection([0, 1], 2), "offsets must be one row"),
        (lambda: order_selection([0, 1], [0, 2], weights="one"), "weights must be numbers"),
        (lambda: order_selection([0, 1], [0, 2], max_order="3"), "max_order must be a whole"),
    ],
    ids=range(18),
)
def test_wrong_arrays_are_refused(call, message):
    with pytest.raises(InvalidValue, match=message):
        call()
