from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.omnichannel import (
    ChannelEntropy,
    MutualInformation,
    channel_entropy,
    mutual_information,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def paths(told):
    return cx.Journeys.from_paths(
        [path.split() for path in told], converted=list(told.values()), channels=True
    )


def logged(sequences):
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=f"c{i}",
                touchpoint="t",
                channel=channel,
                timestamp=BEGIN + timedelta(hours=hour),
            )
            for i, sequence in enumerate(sequences)
            for hour, channel in enumerate(sequence)
        ]
    )


FOUR = {"web web": 30, "web app": 10, "app web": 5, "app app": 55}


def test_information_of_a_known_table():
    # METHODS 7.3: [[30, 10], [5, 55]] has 0.36127 bits, 0.35405 corrected
    found = mutual_information(paths(FOUR), rng=1, n_permutations=19)
    assert found.raw == pytest.approx(0.36127, abs=5e-6)
    assert found.information.value == pytest.approx(0.35405, abs=5e-6)
    assert found.information.n == 100
    assert found.information.low < found.information.value < found.information.high


@pytest.mark.oracles("sklearn")
def test_information_is_that_of_scikit_learn():
    from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

    rng = np.random.default_rng(3)
    sequences = [rng.choice(list("abcd"), size=6, p=[0.4, 0.3, 0.2, 0.1]) for _ in range(50)]
    before = [s[k] for s in sequences for k in range(5)]
    after = [s[k + 1] for s in sequences for k in range(5)]
    found = mutual_information(logged(sequences).journeys(), rng=1, n_permutations=19)
    assert found.raw == pytest.approx(mutual_info_score(before, after) / math.log(2))
    assert found.normalised == pytest.approx(
        normalized_mutual_info_score(before, after, average_method="geometric")
    )


def test_theils_u_is_the_share_of_the_next_entropy_that_is_removed():
    found = mutual_information(paths({"a b": 1, "b a": 1}), rng=1, n_permutations=9)
    assert found.theil_u == pytest.approx(1)
    assert found.normalised == pytest.approx(1)


def test_a_planted_order_is_found():
    # every journey holds the same interactions, always in the same order
    found = mutual_information(logged([["a", "b", "c"] * 2] * 30).journeys(), rng=1)
    assert found.p == pytest.approx(1 / 1000)
    assert found.shuffled < found.raw / 5


def memoryless(rng, *, closing, after):
    """Return journeys whose channels are drawn independently, with one that ends them.

    `closing` is where the purchase takes place, by the channel before; `after` the chance that a
    journey ends after each channel.
    """
    told = []
    for i in range(40):
        own = [0.7, 0.2, 0.1] if i % 2 else [0.1, 0.2, 0.7]  # customers keep to their channels
        visits = []
        while not visits or rng.random() >= after[visits[-1]]:
            visits.append(rng.choice(3, p=own))
        told += [
            (f"c{i}", "t", "abc"[channel], BEGIN + timedelta(hours=hour))
            for hour, channel in enumerate(visits)
        ]
        if i % 3:
            told.append((f"c{i}", "buy", closing[visits[-1]], BEGIN + timedelta(days=9)))
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=who, touchpoint=what, channel=how, timestamp=when)
            for who, what, how, when in told
        ],
        observed_until=BEGIN + timedelta(days=60),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=20))


@pytest.mark.parametrize("closing", [True, False])
@pytest.mark.parametrize(
    "world",
    [
        {"closing": ("shop", "shop", "shop"), "after": (0.2, 0.2, 0.2)},
        {"closing": ("a", "a", "a"), "after": (0.2, 0.2, 0.2)},
        # what ends a journey depends on its channel, which is no memory
        {"closing": ("a", "shop", "c"), "after": (0.05, 0.9, 0.05)},
    ],
)
def test_where_journeys_end_is_no_memory(world, closing):
    rng = np.random.default_rng(8)
    p = [
        mutual_information(memoryless(rng, **world), closing=closing, n_permutations=39, rng=rng).p
        for _ in range(40)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.15  # of forty at .05, more in one of seventy tests
    assert np.mean(np.array(p) <= 0.5) >= 0.3


def test_memory_is_found_though_the_last_interaction_stays_in_place():
    rng = np.random.default_rng(8)
    sequences = []
    for _ in range(60):
        visits = [rng.integers(3)]
        for _ in range(5):
            visits.append((visits[-1] + 1) % 3 if rng.random() < 0.4 else rng.integers(3))
        sequences.append(["abc"[channel] for channel in visits])
    assert mutual_information(logged(sequences).journeys(), rng=1).p <= 0.01


def test_what_cannot_be_put_in_another_order_is_said():
    # the one change of channel is the last interaction: where a journey ends is an outcome
    found = mutual_information(paths({"a a b": 20, "b b a": 20, "a a a": 5}), rng=1)
    assert found.p == 1
    assert any("In no journey does the channel change before the last" in n for n in found.notes)


def test_journeys_that_keep_to_a_channel_bring_information_without_order():
    rng = np.random.default_rng(0)
    sequences = [
        rng.choice(["a", "b"], size=8, p=[0.9, 0.1] if i % 2 else [0.1, 0.9]) for i in range(200)
    ]
    found = mutual_information(logged(sequences).journeys(), rng=1, n_permutations=199)
    assert found.information.value > 0.2
    assert found.shuffled == pytest.approx(found.raw, abs=0.05)
    assert found.p > 0.05


def test_p_values_of_random_orders_are_uniform():
    rng = np.random.default_rng(5)
    p = []
    for _ in range(60):
        sequences = [rng.choice(["a", "b", "c"], size=5) for _ in range(12)]
        found = mutual_information(logged(sequences).journeys(), rng=rng, n_permutations=39)
        p.append(found.p)
    assert min(p) > 0
    assert max(p) <= 1
    assert np.mean(np.array(p) <= 0.25) < 0.45
    assert 0.35 < np.mean(p) < 0.65


def test_weights_are_journeys_of_their_own():
    weighted = mutual_information(paths({"a b a": 40, "b b a": 10}), rng=1, n_permutations=199)
    listed = mutual_information(
        logged([["a", "b", "a"]] * 40 + [["b", "b", "a"]] * 10).journeys(),
        rng=1,
        n_permutations=199,
    )
    assert weighted.raw == pytest.approx(listed.raw)
    assert weighted.shuffled == pytest.approx(listed.shuffled, rel=0.2)
    # fifty customers in buckets of their own, or dealt to 64
    width = listed.information.value - listed.information.low
    assert weighted.information.low == pytest.approx(listed.information.low, abs=0.2 * width)


def test_many_channels_and_few_moves_are_called_what_they_are():
    rng = np.random.default_rng(6)
    names = [f"owner {i}" for i in range(400)]
    sequences = [rng.choice(names, size=3) for _ in range(300)]
    found = mutual_information(logged(sequences).journeys(), rng=1, n_permutations=19)
    assert any("cannot be told from its bias" in note for note in found.notes)
    assert math.isnan(found.information.value)
    assert found.shuffled == pytest.approx(found.raw, rel=0.01)
    assert found.p > 0.05


def test_the_same_seed_gives_the_same_p():
    one, two = (mutual_information(paths(FOUR), rng=7, n_permutations=99) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("told", [{"a a": 3, "b b b": 2}, {"a": 1}, {"a": 1, "b": 3}])
def test_without_a_switch_there_is_no_information_about_moves(told):
    found = mutual_information(paths(told), rng=1)
    assert math.isnan(found.information.value)
    assert math.isnan(found.p)
    assert found.notes


def test_permutations_are_counted():
    with pytest.raises(InvalidValue, match="n_permutations must be at least 1"):
        mutual_information(paths(FOUR), n_permutations=0)


def test_entropy_of_known_shares():
    # a 8, b 4, c 2, d 2 of 16 give 1.75 bits; three more channels than one: 3 / (32 ln 2)
    found = channel_entropy(paths({"a a a a": 2, "b b": 2, "c d": 2}))
    assert found.interactions.value == pytest.approx(1.75 + 3 / (32 * math.log(2)))
    assert found.interactions.n == 16
    assert found.normalised == pytest.approx(found.interactions.value / 2)


def test_entropy_after_a_contact_is_that_of_its_row():
    # after a: b three times of four; after b: always a
    found = channel_entropy(paths({"a b": 75, "a c": 25, "b a": 100}))
    row = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert found.transitions.value == pytest.approx(row / 2 + 1 / (400 * math.log(2)))


def test_entropy_never_exceeds_its_largest_value():
    found = channel_entropy(paths({"a": 1, "b": 1, "c": 1}))
    assert found.interactions.value == pytest.approx(math.log2(3))


def test_long_journeys_do_not_look_richer():
    short = channel_entropy(paths({"a b": 50, "b a": 50, "a a": 50, "b b": 50}))
    rng = np.random.default_rng(0)
    long = channel_entropy(logged([rng.choice(["a", "b"], size=30) for _ in range(200)]).journeys())
    assert short.within_journeys.value == pytest.approx(0.5)
    assert long.within_journeys.value == pytest.approx(0.5, abs=0.02)


def test_one_channel_has_no_entropy_and_no_normalised_one():
    found = channel_entropy(paths({"a a": 5}))
    assert found.interactions.value == found.transitions.value == found.within_journeys.value == 0
    assert math.isnan(found.normalised)
    assert any("There is one channel" in note for note in found.notes)


def test_no_contact_has_no_entropy():
    found = channel_entropy(cx.Journeys.from_paths([], converted=[], channels=True))
    assert math.isnan(found.interactions.value)
    assert math.isnan(found.within_journeys.value)


def test_the_interval_covers_the_entropy_of_the_source():
    rng = np.random.default_rng(2)
    truth = -(0.6 * math.log2(0.6) + 0.3 * math.log2(0.3) + 0.1 * math.log2(0.1))
    covered = 0
    for _ in range(100):
        draws = rng.choice(["a", "b", "c"], size=(80, 3), p=[0.6, 0.3, 0.1])
        found = channel_entropy(logged(draws).journeys()).interactions
        covered += found.low <= truth <= found.high
    assert covered >= 89


def test_results_survive_a_dictionary():
    found = channel_entropy(paths(FOUR))
    assert ChannelEntropy.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    shared = mutual_information(paths(FOUR), rng=1, n_permutations=9)
    again = MutualInformation.from_dict(json.loads(json.dumps(shared.to_dict())))
    assert again == shared
