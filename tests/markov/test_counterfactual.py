"""What-ifs on the chain: golden values, and closed forms against chains solved anew."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InvalidValue, TimesRequired, TrappedClass, UnknownName
from cxjourney.graph import JourneyGraph
from cxjourney.markov import AbsorbingChain
from cxjourney.markov import _counterfactual as counterfactual

# METHODS section 14: ten complete journeys; x is DROPOFF, ! CONVERSION.
T1 = """ad web cart !,ad web x,web cart web cart !,web x,ad x,email web cart x,email !,
web store !,ad web web x,email web store x"""


def chain_of(text) -> AbsorbingChain:
    moves = Counter()
    ends = {"!": CONVERSION, "x": DROPOFF}
    for journey in text.split(","):
        moves.update(pairwise([START, *(ends.get(x, x) for x in journey.split())]))
    return AbsorbingChain.from_graph(JourneyGraph.from_counts(moves))


@pytest.fixture
def t1():
    return chain_of(T1)


def approx(value):
    return pytest.approx(value, abs=5e-7)  # the golden values have six decimals


def test_golden_exits_mended_by_a_tenth(t1):
    after = {
        x: counterfactual.conversion_with_fewer_exits(t1, x, 0.1) for x in ("web", "cart", "ad")
    }
    assert after == approx({"web": 0.416245, "cart": 0.407950, "ad": 0.403750})
    assert {x: t1.exit_probability[x] for x in after} == approx(
        {"web": 0.3, "cart": 0.25, "ad": 0.25}
    )


def test_golden_slopes(t1):
    slopes = counterfactual.exit_slopes(t1)
    assert {x: slopes[x] for x in ("web", "cart", "ad")} == approx(
        {"web": 0.160714, "cart": 0.079167, "ad": 0.037500}
    )
    elasticity = counterfactual.exit_elasticities(t1)["web"]
    assert elasticity == pytest.approx(-0.160714 / 0.4, abs=2e-6)


def test_golden_exits_led_to_one_touchpoint(t1):
    after = counterfactual.conversion_with_fewer_exits(t1, "web", 0.1, to="cart")
    assert after == approx(0.417981)


def test_golden_bypass(t1):
    without = counterfactual.bypassed(t1, "cart")
    assert without.conversion_probability == pytest.approx(0.4, abs=1e-15)
    assert without.expected_steps == pytest.approx(2.9)
    assert "cart" not in without.names


def test_who_keeps_all_of_those_who_all_leave_must_say_where_they_go():
    chain = chain_of("a b x,a b x,a !")
    assert math.isnan(counterfactual.conversion_with_fewer_exits(chain, "b", 0.5))
    assert math.isnan(counterfactual.exit_slopes(chain)["b"])
    with pytest.raises(InvalidValue, match="rerouted"):
        counterfactual.fewer_exits(chain, {"b": 0.5})
    toward = counterfactual.conversion_with_fewer_exits(chain, "b", 0.5, to=CONVERSION)
    assert toward == pytest.approx(1 / 3 + 2 / 3 / 2)


def test_nothing_mended_changes_nothing(t1):
    for x in t1.names:
        after = counterfactual.conversion_with_fewer_exits(t1, x, 0)
        assert after == t1.conversion_probability
    with pytest.raises(InvalidValue, match=r"\[0, 1\]"):
        counterfactual.conversion_with_fewer_exits(t1, "web", 1.5)
    with pytest.raises(UnknownName, match="did you mean 'web'"):
        counterfactual.fewer_exits(t1, {"wep": 0.5})


def test_a_change_that_closes_every_way_out_is_refused():
    chain = chain_of("a b b x,a b b b x,a !")
    assert counterfactual.conversion_with_fewer_exits(chain, "b", 1) == pytest.approx(1 / 3)
    with pytest.raises(TrappedClass, match=r"'b'.*closes") as caught:
        counterfactual.fewer_exits(chain, {"b": 1})
    assert caught.value.nodes == ("b",)


def test_what_is_not_there_cannot_be_led_away(t1):
    with pytest.raises(InvalidValue, match="nobody goes from 'ad' to 'store'"):
        counterfactual.rerouted(t1, "ad", away="store", to="web", share=0.5)


def test_moves_that_arise_have_no_times(t1):
    with pytest.raises(TimesRequired):
        counterfactual.bypassed(t1, "cart").seconds  # noqa: B018 - the access is the test


def test_traffic_can_be_led_from_the_start_and_to_an_end(t1):
    # ad 4 of 10 journeys; lead all of them to email: h(email) instead of h(ad).
    led = counterfactual.rerouted(t1, START, away="ad", to="email", share=1)
    assert led.conversion_probability == pytest.approx(
        0.4 + 0.4 * (t1.hitting["email"] - t1.hitting["ad"])
    )
    sold = counterfactual.rerouted(t1, "email", away="web", to=CONVERSION, share=1)
    assert sold.hitting["email"] == pytest.approx(1)


NAMES = ["a", "b", "c", "d"]
walks = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6), st.booleans()),
    min_size=2,
    max_size=15,
)
shares = st.floats(0, 1)


def chain_of_walks(log):
    return chain_of(",".join(" ".join([*touches, "!" if won else "x"]) for touches, won in log))


def solved(names, edges):
    """Conversion of a chain given as {(from, to): probability}, from the matrix itself."""
    nodes = [START, *names]
    q = np.array([[edges.get((u, v), 0.0) for v in nodes] for u in nodes])
    r = np.array([edges.get((u, CONVERSION), 0.0) for u in nodes])
    return np.linalg.solve(np.eye(len(nodes)) - q, r)[0]


def edges_of(chain):
    labels = [*chain.names, START, CONVERSION, DROPOFF]
    return {
        (labels[u], labels[v]): p
        for u, v, p in zip(
            chain.source.tolist(), chain.target.tolist(), chain.probability.tolist(), strict=True
        )
    }


@given(walks, st.sampled_from(NAMES), shares)
def test_fewer_exits_in_closed_form_are_those_of_the_chain_solved_anew(log, x, share):
    chain = chain_of_walks(log)
    assume(x in chain.names)
    e = chain.exit_probability[x]
    assume(0 < e < 1 and (share < 0.99 or chain.hitting[x] > 0))
    edges = edges_of(chain)
    for (u, v), p in edges.items():
        if u == x:
            edges[u, v] = p * (1 - share if v == DROPOFF else 1 + share * e / (1 - e))
    expected = solved(chain.names, edges)
    closed = counterfactual.conversion_with_fewer_exits(chain, x, share)
    assert closed == pytest.approx(expected, abs=1e-9)
    anew = counterfactual.fewer_exits(chain, {x: share})
    assert anew.conversion_probability == pytest.approx(expected, abs=1e-9)


@given(walks, st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(0, 0.95))
def test_exits_led_to_one_touchpoint_are_those_of_the_chain_solved_anew(log, x, y, share):
    chain = chain_of_walks(log)
    assume({x, y} <= set(chain.names) and chain.exit_probability[x] > 0)
    edges = edges_of(chain)
    freed = edges[x, DROPOFF] * share
    edges[x, DROPOFF] -= freed
    edges[x, y] = edges.get((x, y), 0) + freed
    expected = solved(chain.names, edges)
    closed = counterfactual.conversion_with_fewer_exits(chain, x, share, to=y)
    assert closed == pytest.approx(expected, abs=1e-9)
    anew = counterfactual.rerouted(chain, x, away=DROPOFF, to=y, share=share)
    assert anew.conversion_probability == pytest.approx(expected, abs=1e-9)


@given(walks, st.sampled_from(NAMES))
def test_slopes_are_the_differences_of_small_changes(log, x):
    chain = chain_of_walks(log)
    assume(x in chain.names and 0 < chain.exit_probability[x] < 1)
    tiny = 1e-7
    rise = counterfactual.conversion_with_fewer_exits(chain, x, tiny)
    slope = (rise - chain.conversion_probability) / tiny
    assert counterfactual.exit_slopes(chain)[x] == pytest.approx(slope, rel=1e-4, abs=1e-6)


@given(walks, st.dictionaries(st.sampled_from(NAMES), st.floats(0, 0.9), min_size=1))
def test_several_reductions_are_those_one_after_another(log, reductions):
    chain = chain_of_walks(log)
    reductions = {
        x: share
        for x, share in reductions.items()
        if x in chain.names and chain.exit_probability[x] < 1
    }
    together = counterfactual.fewer_exits(chain, reductions)
    one_by_one = chain
    for x, share in reductions.items():
        one_by_one = counterfactual.fewer_exits(one_by_one, {x: share})
    assert together.conversion_probability == pytest.approx(
        one_by_one.conversion_probability, abs=1e-9
    )


@given(walks, st.sets(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_removing_loses_what_the_removal_effect_says(log, gone):
    chain = chain_of_walks(log)
    gone &= set(chain.names)
    p = chain.conversion_probability
    assume(p > 0)
    left = counterfactual.removed(chain, gone)
    assert not gone & set(left.names)
    expected = p * (1 - chain.removal_effect(gone))
    assert left.conversion_probability == pytest.approx(expected, abs=1e-9)


@given(walks, st.sets(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_bypassing_keeps_conversion_and_saves_the_visits(log, gone):
    chain = chain_of_walks(log)
    gone &= set(chain.names)
    left = counterfactual.bypassed(chain, gone)
    assert left.conversion_probability == pytest.approx(chain.conversion_probability, abs=1e-9)
    saved = sum(chain.visits[x] for x in gone)
    assert left.expected_steps == pytest.approx(chain.expected_steps - saved, abs=1e-9)
    for x in left.names:
        assert left.visits[x] == pytest.approx(chain.visits[x], abs=1e-9)
        assert left.hitting[x] == pytest.approx(chain.hitting[x], abs=1e-9)


@given(walks, st.sampled_from(NAMES))
def test_closing_with_rerouting_sends_everybody_where_the_others_go(log, x):
    chain = chain_of_walks(log)
    assume(x in chain.names)
    edges = edges_of(chain)
    rest = {}
    for u in {u for u, _ in edges} - {x}:
        row = {v: p for (w, v), p in edges.items() if w == u}
        lost = row.pop(x, 0.0)
        if lost > 1 - 1e-9:
            row, lost = {DROPOFF: 1.0}, 0.0
        rest |= {(u, v): p / (1 - lost) for v, p in row.items()}
    try:
        left = counterfactual.removed(chain, x, reroute=True)
    except TrappedClass:
        return  # only loops were left somewhere
    assert left.conversion_probability == pytest.approx(solved(left.names, rest), abs=1e-9)


def test_where_all_ways_are_closed_up_to_rounding_everybody_drops_off():
    doors = [f"d{i}" for i in range(10)]
    counts = {(START, "hall"): 10, **{("hall", door): 1 for door in doors}}
    counts |= {(door, CONVERSION): 1 for door in doors}
    chain = AbsorbingChain.from_graph(JourneyGraph.from_counts(counts, determined=True))
    assert sum([0.1] * 10) < 1  # as the probabilities of the hall are
    closed = counterfactual.removed(chain, doors, reroute=True)
    assert dict(closed.exit_probability) == pytest.approx({"hall": 1})
    assert closed.conversion_probability == 0
