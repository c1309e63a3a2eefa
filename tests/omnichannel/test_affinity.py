from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.omnichannel import Affinity, affinity

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def switches(counts):
    """Return journeys of one switch each: {"a b": how many}."""
    return cx.Journeys.from_paths(
        [pair.split() for pair in counts], converted=list(counts.values()), channels=True
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


def pair(found, source, target):
    return next(
        row
        for row in found.pairs
        if (row["from_channel"], row["to_channel"]) == (source, target)
    )  # fmt: skip


FOUR = {
    "a b": 62, "a c": 20, "a d": 15, "b a": 25, "b c": 49, "b d": 8,
    "c a": 40, "c b": 31, "c d": 9, "d a": 12, "d b": 23, "d c": 14,
}  # fmt: skip


def test_sizes_alone_make_no_affinity():
    # α = (1, 2, 4), β = (3, 1, 2): counts that are exactly α β off the diagonal
    alpha, beta = {"a": 1, "b": 2, "c": 4}, {"a": 30, "b": 10, "c": 20}
    found = affinity(
        switches({f"{x} {y}": alpha[x] * beta[y] for x in "abc" for y in "abc" if x != y})
    )
    assert found.free == 1
    assert found.pairs["lift"] == pytest.approx(np.ones(6), abs=1e-6)
    assert np.abs(found.pairs["residual"]).max() < 1e-4


def test_expected_switches_keep_what_each_channel_gives_and_takes():
    found = affinity(switches(FOUR))
    for name in "abcd":
        given = [r for r in found.pairs if r["from_channel"] == name]
        taken = [r for r in found.pairs if r["to_channel"] == name]
        for rows in (given, taken):
            assert sum(r["expected"] for r in rows) == pytest.approx(sum(r["count"] for r in rows))


@pytest.mark.oracles("statsmodels")
def test_expected_switches_and_residuals_are_those_of_a_log_linear_model():
    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM

    pairs = [p.split() for p in FOUR]
    design = np.array(
        [
            [1.0, *(source == n for n in "bcd"), *(target == n for n in "bcd")]
            for source, target in pairs
        ],
        dtype=float,
    )
    count = np.array(list(FOUR.values()), dtype=float)
    fit = GLM(count, design, family=Poisson()).fit(tol=1e-14)
    leverage = fit.get_influence().hat_matrix_diag
    adjusted = (count - fit.fittedvalues) / np.sqrt(fit.fittedvalues * (1 - leverage))
    found = affinity(switches(FOUR))
    for (source, target), expected, residual in zip(pairs, fit.fittedvalues, adjusted, strict=True):
        row = pair(found, source, target)
        assert row["expected"] == pytest.approx(expected, rel=1e-6)
        assert row["residual"] == pytest.approx(residual, rel=1e-6)


def test_without_affinity_few_residuals_are_large():
    rng = np.random.default_rng(11)
    share = np.array([0.4, 0.3, 0.2, 0.1])
    alarms = large = 0
    for _ in range(30):
        sequences = []
        for _ in range(80):
            sequence = [rng.choice(4, p=share)]
            for _ in range(3):
                p = np.where(np.arange(4) == sequence[-1], 0, share)
                sequence.append(rng.choice(4, p=p / p.sum()))
            sequences.append(["abcd"[i] for i in sequence])
        table = affinity(logged(sequences).journeys()).pairs
        alarms += bool(np.any(np.asarray(table["adjusted_p"]) <= 0.05))
        large += np.sum(np.asarray(table["p"]) <= 0.05)
    assert alarms <= 5
    assert large <= 0.08 * 30 * 12


def test_a_planted_affinity_comes_first():
    rng = np.random.default_rng(4)
    sequences = [rng.permutation(list("abcdefg"))[:3] for _ in range(600)]
    sequences += [["d", "a"]] * 120
    found = affinity(logged(sequences).journeys())
    row = found.pairs.row(0)
    assert (row["from_channel"], row["to_channel"]) == ("d", "a")
    assert row["low"] > 1
    assert row["adjusted_p"] < 0.001


def test_one_customer_over_and_over_is_no_evidence():
    mixed = list(itertools.permutations("abcd", 2)) * 8
    often = affinity(logged([*mixed, "ab" * 30]).journeys())
    many = affinity(logged([*mixed, *(["ab", "ba"] * 30)]).journeys())
    assert pair(often, "a", "b")["lift"] == pytest.approx(pair(many, "a", "b")["lift"], rel=0.05)
    # nearly all of these switches are one customer's: there is no interval, and no evidence
    assert np.isnan([pair(often, "a", "b")[name] for name in ("low", "high", "p")]).all()
    assert pair(many, "a", "b")["p"] < 0.05


def test_switches_that_never_happen_are_shown_where_they_were_expected():
    counts = {k: v for k, v in FOUR.items() if k != "a b"}
    row = pair(affinity(switches(counts)), "a", "b")
    assert (row["count"], row["lift"], row["low"]) == (0, 0, 0)
    assert row["expected"] > 5
    assert 0 < row["high"] < 1
    assert row["residual"] < -2


def test_a_small_count_is_drawn_toward_the_mean():
    counts = {**FOUR, "e a": 2, "b e": 3}
    found = affinity(switches(counts))
    row = pair(found, "e", "a")
    assert abs(np.log(row["shrunken"])) < abs(np.log(row["lift"]))


def test_one_switch_has_no_interval():
    row = pair(affinity(switches({**FOUR, "e a": 1})), "e", "a")
    assert np.isnan([row[name] for name in ("low", "high", "p")]).all()


def test_a_channel_that_leads_to_one_other_alone_has_no_narrow_interval():
    # whatever customers are left out, all that left e went to a
    row = pair(affinity(switches({**FOUR, "e a": 10})), "e", "a")
    assert row["low"] < row["lift"] < row["high"]
    assert np.log(row["high"] / row["low"]) > 2 * 1.96 * np.sqrt(0.5 / 10)


def test_weights_are_customers():
    listed = logged([p.split() for p, n in FOUR.items() for _ in range(n)]).journeys()
    one, other = affinity(switches(FOUR)).pairs, affinity(listed).pairs
    for name in ("count", "expected", "lift", "residual"):
        assert one[name] == pytest.approx(other[name]), name
    for name in ("low", "high"):  # other buckets: their noise is some 9 % of a standard error
        assert np.log(one[name]) == pytest.approx(np.log(other[name]), abs=0.15), name


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"a b": 10, "b a": 5}, "fits any such switches exactly"),
        ({"a a": 10}, "There is one channel"),
        ({"a a": 10, "b b": 5}, "Every journey stays at one channel"),
        ({"a b": 10, "b c": 5}, "fits any such switches exactly"),
    ],
)
def test_where_nothing_can_be_compared_there_is_no_lift(counts, said):
    found = affinity(switches(counts))
    assert found.free == 0
    assert np.isnan(found.pairs["lift"]).all()
    assert np.isnan(found.pairs["adjusted_p"]).all()
    assert said in repr(found)


def test_an_empty_log_has_no_pairs():
    assert len(affinity(cx.Journeys.from_paths([], converted=[], channels=True)).pairs) == 0


def test_the_result_survives_a_dictionary():
    found = affinity(switches(FOUR))
    assert Affinity.from_dict(json.loads(json.dumps(found.to_dict()))) == found
