"""Every interval is that of measuring the journeys again without each bucket of customers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import cxjourney as cx
from cxjourney.journeys import units_of
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


@pytest.fixture(scope="module")
def journeys():
    return cx.datasets.sample(seed=4, customers=100).journeys()


@pytest.fixture(scope="module")
def parts(journeys):
    """Return the journeys without each bucket, and those of each bucket alone."""
    bucket = units_of(journeys).of
    used = np.unique(bucket)
    return (
        [journeys.where(bucket != b) for b in used],
        [journeys.where(bucket == b) for b in used],
    )


def jackknife(whole, without):
    """Return (G - 1)/G Σ (θ₋g - θ)²."""
    off = np.asarray(without) - whole
    return (len(off) - 1) / len(off) * (off @ off)


def effective(units):
    return np.sum(units) ** 2 / np.sum(np.square(units))


def quantile(effective_units):
    return stats.t.ppf(0.975, effective_units - 1)


def present(without, units):
    """Return the figures without those buckets that hold something of them, and what they hold."""
    units = np.asarray(units, dtype=float)
    return np.asarray(without, dtype=float)[units > 0], units[units > 0]


def student(whole, without, units):
    without, units = present(without, units)
    half = quantile(effective(units)) * np.sqrt(jackknife(whole, without))
    return whole - half, whole + half


def wilson(p, trials, t):
    """Return the two roots of (x - p)² = t² x (1 - x) / trials."""
    return tuple(sorted(np.roots([1 + t**2 / trials, -2 * p - t**2 / trials, p**2]).real.tolist()))


def share(whole, without, units):
    without, units = present(without, units)
    trials = whole * (1 - whole) / jackknife(whole, without)
    return wilson(whole, trials, quantile(effective(units)))


def interval(estimate):
    return estimate.low, estimate.high


@pytest.mark.parametrize("name", ["per_transition", "per_journey", "multichannel", "bounce_back"])
def test_shares_of_switches(name, journeys, parts):
    def of(part):
        return getattr(switching(part), name)

    ends = share(of(journeys).value, [of(p).value for p in parts[0]], [of(p).n for p in parts[1]])
    assert interval(of(journeys)) == pytest.approx(ends, rel=1e-6)


def test_containment_of_a_channel(journeys, parts):
    def of(part):
        rows = {row["channel"]: row for row in switching(part).channels}
        return rows.get("app", {"journeys": 0})

    row = of(journeys)
    ends = share(
        row["containment"],
        [of(p)["containment"] for p in parts[0]],
        [of(p)["journeys"] for p in parts[1]],
    )
    assert (row["low"], row["high"]) == pytest.approx(ends, rel=1e-6)


def test_a_probability_of_the_matrix(journeys, parts):
    row = transitions(journeys).table.row(3)
    pair = (row["from_channel"], row["to_channel"])

    def cell(part, values):
        found = transitions(part)
        place = [found.names.index(name) if name in found.names else -1 for name in pair]
        return 0.0 if -1 in place else found.matrix(values)[place[0], place[1]]

    def left(part):
        found = transitions(part)
        names = found.names
        return found.matrix()[names.index(pair[0])].sum() if pair[0] in names else 0.0

    ends = share(
        row["probability"],
        [cell(p, "probability") for p in parts[0]],
        [left(p) for p in parts[1]],
    )
    assert (row["low"], row["high"]) == pytest.approx(ends, rel=1e-6)


def test_seamless_switches(journeys, parts):
    def of(part):
        return continuity(part).seamless

    ends = share(of(journeys).value, [of(p).value for p in parts[0]], [of(p).n for p in parts[1]])
    assert interval(of(journeys)) == pytest.approx(ends, rel=1e-6)


def test_bits(journeys, parts):
    def of(part):
        return (
            channel_entropy(part).interactions,
            channel_entropy(part).transitions,
            mutual_information(part, rng=1, n_permutations=1).information,
        )

    whole = of(journeys)
    without = [[e.value for e in of(p)] for p in parts[0]]
    units = [[e.n for e in of(p)] for p in parts[1]]
    for i, estimate in enumerate(whole):
        ends = student(estimate.value, np.array(without)[:, i], np.array(units)[:, i])
        assert interval(estimate) == pytest.approx(ends, rel=1e-6)


def test_means_of_scores_adjusted_for_the_mix(journeys, parts):
    def of(part):
        found = consistency(part, adjust="stage")
        return {row["channel"]: row for row in found.channels}

    whole = of(journeys)
    own = [of(p) for p in parts[1]]
    without = [of(p) for p, rows in zip(parts[0], own, strict=True) if rows]
    for channel in ("web", "call centre"):
        row = whole[channel]
        # every bucket with a score takes part, since all scores tell what a stage adds
        units = [rows.get(channel, {"n": 0})["n"] for rows in own]
        error = np.sqrt(jackknife(row["mean"], [w[channel]["mean"] for w in without]))
        half = quantile(effective(units)) * error
        ends = (row["mean"] - half, row["mean"] + half)
        assert (row["low"], row["high"]) == pytest.approx(ends, rel=1e-6)


def hybrid(whole, without, units):
    """Return Newcombe's hybrid of two shares, with their correlation over the buckets."""
    p, q = whole
    a, b = np.asarray(without, dtype=float).T
    n, m = np.asarray(units, dtype=float).T
    some = n + m > 0
    v, w = jackknife(p, a[some]), jackknife(q, b[some])
    r = (a[some] - p) @ (b[some] - q) / np.sqrt(np.sum((a[some] - p) ** 2))
    r /= np.sqrt(np.sum((b[some] - q) ** 2))
    t = quantile(effective(n / n.sum() ** 2 + m / m.sum() ** 2))
    (l1, u1), (l2, u2) = wilson(p, p * (1 - p) / v, t), wilson(q, q * (1 - q) / w, t)

    def root(x, y):
        return np.sqrt(x**2 + y**2 - 2 * r * x * y)

    return p - q - root(p - l1, u2 - q), p - q + root(u1 - p, q - l2)


def test_the_loss_of_a_hand_off(journeys, parts):
    names = ("from_channel", "to_channel")

    def of(part):
        rows = {(row[names[0]], row[names[1]]): row for row in handoff_loss(part).pairs}
        return rows.get(("app", "web"))

    def ended(row):
        # visits whose end is known, on the web, after the app and after the web
        after, stayed = np.zeros(2), 0
        if row is not None:
            after = np.array([row["compared"], row["censored"]])
            stayed = row["stays"]
        return after, stayed

    row = of(journeys)
    others = [of(p) for p in parts[0]]
    without = [(one["dropped_after"], one["dropped_without"]) for one in others]
    assert row["loss"] == pytest.approx(row["dropped_after"] - row["dropped_without"])
    # the visits of each bucket: those of all less those without it
    whole, each = ended(row), [ended(one) for one in others]
    compared = [whole[0] - one[0] for one in each]
    n = [closed[0] - closed[1] for closed in compared]
    stays = [whole[1] - one[1] for one in each]
    low, high = hybrid(
        (row["dropped_after"], row["dropped_without"]),
        without,
        list(zip(n, stays, strict=True)),
    )
    # the result leaves the few strata that a bucket alone holds, and censored stays, out of G*
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.02 * (high - low))


def test_the_cost_of_crossing_channels(journeys, parts):
    def of(part):
        return {row["measure"]: row for row in cross_channel_cost(part).table}

    def sizes(part):
        row = of(part)["time"]
        return np.array([row["cross_journeys"], row["single_journeys"]])

    row = of(journeys)["time"]
    n, m = (sizes(journeys) - np.array([sizes(p) for p in parts[0]])).T
    units = n / n.sum() ** 2 + m / m.sum() ** 2
    ends = student(row["difference"], [of(p)["time"]["difference"] for p in parts[0]], units)
    # strata that lose one kind with a bucket count for it here and not there
    assert (row["low"], row["high"]) == pytest.approx(ends, rel=0.02)


def test_the_lift_of_a_switch(journeys, parts):
    def of(part, pair=("app", "web")):
        return next(
            row for row in affinity(part).pairs if (row["from_channel"], row["to_channel"]) == pair
        )

    row = of(journeys)
    # every bucket with a switch takes part, since all switches tell what is expected
    without = [of(p) for p, own in zip(*parts, strict=True) if affinity(own).n]
    free = effective([row["count"] - w["count"] for w in without]) - 1
    log_lift = np.log(row["lift"])
    error = np.sqrt(jackknife(log_lift, [np.log(w["lift"]) for w in without]))
    half = stats.t.ppf(0.975, free) * error
    ends = np.exp([log_lift - half, log_lift + half])
    assert (row["low"], row["high"]) == pytest.approx(ends, rel=1e-5)
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(log_lift) / error, free), rel=1e-5)
