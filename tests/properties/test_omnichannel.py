"""What holds for moves between channels in any log."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.omnichannel import (
    affinity,
    channel_entropy,
    consistency,
    continuity,
    cross_channel_cost,
    handoff_loss,
    mutual_information,
    switching,
    transitions,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
CHANNELS = ["app", "phone", "store", "web"]

touches = st.lists(
    st.tuples(st.sampled_from(["look", "ask", "buy"]), st.sampled_from(CHANNELS)),
    min_size=1,
    max_size=7,
)
people = st.lists(touches, min_size=1, max_size=8)


def log_of(people, *, rename=None, order=None, prefix="c"):
    rename = rename or {}
    order = order or range(len(people))
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=f"{prefix}{place:02}",
                touchpoint=touchpoint,
                channel=rename.get(channel, channel),
                timestamp=BEGIN + timedelta(days=day),
                score=float(len(touchpoint) + (3 * i + day) % 5),
            )
            for place, i in enumerate(order)
            for day, (touchpoint, channel) in enumerate(people[i])
        ],
        observed_until=BEGIN + timedelta(days=30),
    )


def journeys_of(log):
    goal = "buy" if "buy" in log.touchpoints else None
    return log.journeys(goal=goal, inactivity=timedelta(days=7))


def counts(found):
    return {
        (row["from_channel"], row["to_channel"]): row["count"] for row in found.table
    }  # fmt: skip


def recount(people):
    """Return the transitions one by one: a purchase ends a journey."""
    seen = Counter()
    for touches in people:
        for (touchpoint, source), (_, target) in pairwise(touches):
            if touchpoint != "buy":
                seen[source, target] += 1
    return dict(seen)


@given(people)
def test_transitions_are_what_a_plain_recount_gives(people):
    found = transitions(journeys_of(log_of(people)))
    assert counts(found) == recount(people)
    assert found.matrix().sum() == found.n == sum(recount(people).values())
    probability = found.matrix("probability")
    for row in probability[~np.isnan(probability).any(axis=1)]:
        assert np.isclose(row.sum(), 1)
    for row in found.table:  # fewer than three customers give no interval
        if not np.isnan(row["low"]):
            assert 0 <= row["low"] <= row["probability"] <= row["high"] <= 1


@given(people, st.permutations(CHANNELS))
def test_other_names_give_the_same_transitions(people, names):
    rename = dict(zip(CHANNELS, names, strict=True))
    before = transitions(journeys_of(log_of(people)))
    after = transitions(journeys_of(log_of(people, rename=rename)))
    numbers = ("count", "customers", "probability", "low", "high")
    told = {
        (rename[r["from_channel"]], rename[r["to_channel"]]): [r[n] for n in numbers]
        for r in before.table
    }
    again = {(r["from_channel"], r["to_channel"]): [r[n] for n in numbers] for r in after.table}
    assert told.keys() == again.keys()
    for pair, row in told.items():
        assert np.allclose(row, again[pair], equal_nan=True)


@given(people, st.randoms(use_true_random=False))
def test_the_order_of_customers_does_not_matter(people, random):
    order = list(range(len(people)))
    random.shuffle(order)
    plain = transitions(journeys_of(log_of(people)))
    shuffled = transitions(journeys_of(log_of(people, order=order)))
    for one, other in ((plain.table, shuffled.table), (plain.ends, shuffled.ends)):
        assert one.column_names == other.column_names
        for name in one.column_names[:2]:
            assert list(one[name]) == list(other[name])
        for name in one.column_names[2:]:
            assert np.allclose(one[name], other[name], equal_nan=True)


@given(people, people)
def test_counts_of_disjoint_customers_add_up(one, other):
    whole = Counter(counts(transitions(journeys_of(log_of([*one, *other])))))
    parts = Counter(counts(transitions(journeys_of(log_of(one)))))
    parts.update(counts(transitions(journeys_of(log_of(other)))))
    assert whole == parts


def losses(found, rename=None):
    """Return {(from, to): numbers}, NaN as None so that it equals itself."""
    rename = rename or {name: name for name in CHANNELS}
    told = {}
    for row in found.pairs:
        source, target, *numbers = row.values()
        told[rename[source], rename[target]] = [
            None if np.isnan(x) else round(float(x), 9) for x in numbers
        ]
    return told


@given(people)
def test_arrivals_by_a_switch_are_the_moves_between_different_channels(people):
    journeys = journeys_of(log_of(people))
    moves = {
        pair: n
        for pair, n in counts(transitions(journeys, closing=False)).items()
        if pair[0] != pair[1]
    }
    found = handoff_loss(journeys)
    arrivals = zip(
        found.pairs["from_channel"], found.pairs["to_channel"], found.pairs["arrivals"], strict=True
    )
    assert {(a, b): n for a, b, n in arrivals} == moves
    for row in found.pairs:
        if not np.isnan(row["p"]):
            assert -1 <= row["low"] <= row["loss"] + 1e-12
            assert row["loss"] - 1e-12 <= row["high"] <= 1
            assert 0 < row["p"] <= row["adjusted_p"] <= 1


@given(people, st.permutations(CHANNELS), st.randoms(use_true_random=False))
def test_losses_do_not_depend_on_names_nor_on_the_order_of_customers(people, names, random):
    rename = dict(zip(CHANNELS, names, strict=True))
    order = list(range(len(people)))
    random.shuffle(order)
    before = handoff_loss(journeys_of(log_of(people)))
    after = handoff_loss(journeys_of(log_of(people, rename=rename, order=order)))
    assert losses(before, rename) == losses(after)


def numbers(*estimates):
    return np.array([[e.value, e.low, e.high] for e in estimates])


@given(people, st.permutations(CHANNELS), st.randoms(use_true_random=False))
def test_rates_and_bits_do_not_depend_on_names_nor_on_the_order_of_customers(people, names, random):
    order = list(range(len(people)))
    random.shuffle(order)
    rename = dict(zip(CHANNELS, names, strict=True))
    before = journeys_of(log_of(people))
    after = journeys_of(log_of(people, rename=rename, order=order))

    def told(journeys):
        rates, bits = switching(journeys), channel_entropy(journeys)
        shared = mutual_information(journeys, n_permutations=9, rng=0)
        assert np.isnan(shared.p) or 0 < shared.p <= 1
        return numbers(
            rates.per_transition,
            rates.per_journey,
            rates.multichannel,
            rates.bounce_back,
            bits.interactions,
            bits.transitions,
            bits.within_journeys,
            shared.information,
        )

    assert np.allclose(told(before), told(after), equal_nan=True)


@given(people)
def test_rates_and_bits_are_what_a_plain_recount_gives(people):
    journeys = journeys_of(log_of(people))
    moves = recount(people)
    switches = sum(n for (a, b), n in moves.items() if a != b)
    found = switching(journeys)
    if moves:
        assert np.isclose(found.per_transition.value, switches / sum(moves.values()))
    multi = [len({j.channel.name for j in journey.interactions}) > 1 for journey in journeys]
    assert np.isclose(found.multichannel.value, np.mean(multi))
    assert sum(found.channels["journeys"]) == len(journeys)
    assert sum(found.channels["contained"]) == len(multi) - sum(multi)
    bits = channel_entropy(journeys)
    assert 0 <= bits.interactions.value <= np.log2(max(2, bits.n_channels)) + 1e-12


# store and web lead to phone alone, and phone to app: no other switches have these totals
@example(
    [
        [("look", "store"), ("look", "phone"), ("look", "app")],
        [("look", "web"), ("look", "phone")],
    ],
    ["app", "store", "phone", "web"],
    0,
)
@settings(max_examples=10)
@given(people, st.permutations(CHANNELS), st.integers(0, 2**32 - 1))
def test_quality_and_cost_do_not_depend_on_names_nor_on_the_order_of_customers(people, names, seed):
    order = np.random.default_rng(seed).permutation(len(people)).tolist()
    rename = dict(zip(CHANNELS, names, strict=True))
    before = journeys_of(log_of(people))
    after = journeys_of(log_of(people, rename=rename, order=order))

    def told(journeys):
        seams, cost = continuity(journeys), cross_channel_cost(journeys)
        even = consistency(journeys)
        return numbers(
            seams.in_time,
            seams.not_redone,
            seams.seamless,
            cost.time,
            cost.interactions,
            cost.conversion,
            cost.score,
            even.spread,
            even.omega2,
            even.icc,
            even.cramers_v,
        )

    assert np.allclose(told(before), told(after), equal_nan=True, atol=1e-6)
    one, other = affinity(before), affinity(after)
    assert (one.n, one.free) == (other.n, other.free)
    columns = ("count", "expected", "lift", "residual")
    assert np.allclose(
        sorted([row[c] for c in columns] for row in one.pairs if row["count"]),
        sorted([row[c] for c in columns] for row in other.pairs if row["count"]),
        equal_nan=True,
        atol=1e-5,
    )


@given(people)
def test_expected_switches_add_up_to_those_seen(people):
    found = affinity(journeys_of(log_of(people)))
    assert found.n == sum(n for (a, b), n in recount(people).items() if a != b)
    assert sum(found.pairs["count"]) == found.n


def extremes(people):
    """Return (from, to) of each switch seen, and the fewest and most that the totals allow."""
    from scipy.optimize import linprog

    seen = {pair: n for pair, n in recount(people).items() if pair[0] != pair[1]}
    cells = [(a, b) for a in CHANNELS for b in CHANNELS if a != b]
    totals = [[float(cell[side] == c) for cell in cells] for side in (0, 1) for c in CHANNELS]
    kept = np.array(totals) @ np.array([seen.get(cell, 0) for cell in cells])
    told = {}
    for cell in seen:
        one = np.array([float(cell == other) for other in cells])
        fewest = linprog(one, A_eq=totals, b_eq=kept).fun
        told[cell] = (fewest, -linprog(-one, A_eq=totals, b_eq=kept).fun)
    return told


@settings(max_examples=10)
@given(people)
def test_a_residual_is_nan_exactly_where_the_totals_fix_the_count(people):
    found = affinity(journeys_of(log_of(people)))
    allowed = extremes(people)
    for row in found.pairs:
        if row["count"]:
            fewest, most = allowed[row["from_channel"], row["to_channel"]]
            fixed = np.isclose(fewest, most, atol=1e-6)
            assert np.isnan(row["residual"]) == fixed
            assert not fixed or np.isnan([row["low"], row["high"], row["p"]]).all()
            assert fewest - 1e-6 <= row["expected"] <= most + 1e-6
    assert (found.free == 0) == all(np.isclose(a, b, atol=1e-6) for a, b in allowed.values())
