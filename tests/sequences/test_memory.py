"""Memory of journeys: golden values, plain recounts, and journeys that remember."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.sequences import Memory, memory
from cxjourney.sequences._memory import CountedTransitions, local_memory, order_selection

NAMES = ["ad", "web", "cart", "email", "store"]
CONVERTED, DROPPED = 6, 7
CODE = {**{name: i for i, name in enumerate(NAMES)}, "!": CONVERTED, "x": DROPPED}
# METHODS section 14: ten complete journeys; x is DROPOFF, ! CONVERSION.
T1 = """ad web cart !,ad web x,web cart web cart !,web x,ad x,email web cart x,email !,
web store !,ad web web x,email web store x"""


def transitions(journeys, weights=None) -> CountedTransitions:
    return CountedTransitions.of(
        np.array([c for j in journeys for c in j], dtype=np.int64),
        np.array([len(j) for j in journeys], dtype=np.int64),
        None if weights is None else np.array(weights),
    )


def of_text(text) -> cx.Journeys:
    walks = [journey.split() for journey in text.split(",")]
    return cx.Journeys.from_paths(
        [walk[:-1] for walk in walks],
        converted=[int(walk[-1] == "!") for walk in walks],
        dropped=[int(walk[-1] == "x") for walk in walks],
    )


def test_golden_orders():
    found = memory(of_text(T1))
    orders = found.orders
    assert orders["log_likelihood"] == pytest.approx([-33.391603, -28.571028, -23.025851], abs=5e-7)
    assert found.n == 33
    assert orders["df"].tolist() == [10, 22, 29]
    assert orders["bic"] == pytest.approx([101.748, 134.065, 147.450], abs=5e-4)
    assert orders["aic"] == pytest.approx([86.8, 101.1, 104.1], abs=0.05)
    assert orders["p_value"][1:] == pytest.approx([0.65, 0.13], abs=0.005)
    assert math.isnan(orders["p_value"][0])
    assert found.best == 1
    # cart: always from the web, on to the end, to the web, to the end and to the loss
    cart = next(row for row in found.nodes if row["node"] == "cart")
    assert (cart["n"], cart["df"], cart["mean_count"]) == (4, 0, pytest.approx(4 / 3))
    assert Memory.from_dict(found.to_dict()) == found
    assert "not to be trusted" in repr(found)


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
    selection = order_selection(transitions(log, weights), 4)
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
        assert selection["log_likelihood"][order - 1] == pytest.approx(likelihood, abs=1e-9)
        assert selection["df"][order - 1] == df
        assert transitions(log, weights).weight.sum() == sum(cells.values())


@given(journeys)
def test_local_memory_adds_up_to_the_likelihood_ratio_of_order_two(log):
    names = list("abcde")
    local = local_memory(names, transitions(log))
    selection = order_selection(transitions(log), 2)
    assert np.nansum(local["g"]) == pytest.approx(selection["g"][1], abs=1e-9)
    assert local["df"].sum() == selection["df"][1] - selection["df"][0]
    assert sorted(local["node"]) == names
    assert local["n"].sum() == sum(max(len(j) - 1, 0) for j in log)


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
    p = [local_memory("abc", transitions(forgetful(rng, 150)))["p_value"] for _ in range(150)]
    share = np.mean(np.concatenate(p) < 0.1)
    assert 0.05 < share < 0.15  # 450 tests at level 0.1


def test_planted_memory_is_found_where_it_is():
    rng = np.random.default_rng(4)
    log = []
    for journey in forgetful(rng, 400):
        # who came to b from a always leaves next; elsewhere nothing is remembered
        cut = next((i for i, ab in enumerate(pairwise(journey)) if ab == (0, 1)), None)
        log.append(journey if cut is None else [*journey[: cut + 2], 5])
    local = local_memory("abc", transitions(log))
    assert local["node"][0] == "b"
    assert local["q_value"][0] < 1e-6
    assert local["q_value"][1:].min() > 0.01
    assert np.argmin(order_selection(transitions(log), 3)["bic"]) == 1


def test_journeys_in_progress_have_no_end():
    rows = [
        *(("a", "2026-01-01", "web"), ("a", "2026-01-02", "cart"), ("a", "2026-01-03", "buy")),
        *(("b", "2026-01-01", "web"), ("b", "2026-01-02", "cart")),  # silent for too long
        *(("c", "2026-02-01", "web"), ("c", "2026-02-02", "cart")),  # may go on
        ("d", "2026-01-05", "buy"),
    ]
    who, when, what = (list(column) for column in zip(*rows, strict=True))
    log = cx.InteractionLog.from_frame(
        {"who": who, "when": when, "what": what},
        customer="who",
        timestamp="when",
        touchpoint="what",
    )
    found = memory(log.journeys(goal="buy", inactivity=timedelta(days=7)), max_order=1)
    # three to web and one to buy, three on to cart, and from there a purchase and a loss
    likelihood = 3 * math.log(3 / 4) + math.log(1 / 4) + 2 * math.log(1 / 2)
    assert found.n == 9
    assert found.orders["log_likelihood"][0] == pytest.approx(likelihood)
    assert dict(zip(found.nodes["node"], found.nodes["n"].tolist(), strict=True)) == {
        "web": 3,
        "cart": 2,
    }


def test_a_weight_is_so_many_journeys_and_a_segment_stands_alone():
    paths = [["ad", "shop"], ["mail", "shop"]]
    weighted = memory(cx.Journeys.from_paths(paths, converted=[5, 1], dropped=[2, 7]))
    plain = memory(
        cx.Journeys.from_paths(
            [paths[0]] * 7 + [paths[1]] * 8,
            converted=[1] * 5 + [0] * 2 + [1] + [0] * 7,
            dropped=[0] * 5 + [1] * 2 + [0] + [1] * 7,
        )
    )
    assert weighted == plain
    journeys = cx.datasets.sample(seed=1, customers=200).journeys()
    found = memory(journeys, segment="segment")
    assert sum(one.n for _, one in found) == memory(journeys).n


def test_nothing_to_compare_is_no_error():
    nobody = cx.Journeys.from_paths([["a"]], converted=[1]).where(np.array([False]))
    found = memory(nobody)
    assert (found.n, found.best, len(found.nodes)) == (0, 1, 0)
    alone = memory(cx.Journeys.from_paths([["a"]], converted=[1]))
    assert alone.nodes["df"].tolist() == [0]
    assert np.isnan(alone.nodes["p_value"]).all()


def test_what_cannot_be_is_refused():
    journeys = of_text(T1)
    with pytest.raises(InvalidValue, match="max_order must be a whole number from 1"):
        memory(journeys, max_order=0)
    with pytest.raises(InvalidValue, match="max_order must be a whole"):
        memory(journeys, max_order="3")
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not InteractionLog"):
        memory(journeys.log)
    with pytest.raises(UnknownName, match="channel"):
        memory(journeys, by="channel")


def test_memory_of_how_journeys_end_is_found_with_the_ends_alone():
    # whoever came to the shop from an advert buys; who left where from nothing else tells
    paths = [["advert", "shop"], ["search", "shop"]] * 2
    ends = {"converted": [40, 15, 0, 0], "dropped": [0, 0, 10, 35]}
    found = memory(cx.Journeys.from_paths(paths, **ends), max_order=2)
    table = np.array([[40, 10], [15, 35]])
    fair = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    g = 2 * (table * np.log(table / fair)).sum()
    assert found.nodes["node"][0] == "shop"
    assert found.nodes["p_value"][0] == pytest.approx(stats.chi2.sf(g, 1))
    assert found.best == 2
    # bare sequences of touchpoints know nothing of it
    bare = transitions([[0, 2]] * 50 + [[1, 2]] * 50)
    assert not (local_memory("asx", bare)["p_value"] < 0.3).any()


def test_the_tutorial_finds_the_memory_of_the_sample():
    sample = cx.datasets.sample()
    journeys = sample.log.journeys(goal="order", inactivity=timedelta(days=14))
    assert memory(journeys, max_order=2).orders["p_value"][1] < 1e-5
