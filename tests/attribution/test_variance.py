"""Every interval is that of attributing anew without each bucket of customers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

import cxjourney as cx
from cxjourney.attribution import _markov as markov_module
from cxjourney.journeys import units_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def journeys():
    return cx.datasets.sample(seed=6, customers=80).journeys()


@pytest.fixture(scope="module")
def parts(journeys):
    """Return the journeys without each bucket, and those of each bucket alone."""
    bucket = units_of(journeys).of
    used = np.unique(bucket)
    return (
        [journeys.where(bucket != b) for b in used],
        [journeys.where(bucket == b) for b in used],
    )


def error_of(whole, without):
    """Return the root of (G - 1)/G Σ (θ₋g - θ)²."""
    off = np.asarray(without) - whole
    return np.sqrt((len(off) - 1) / len(off) * (off @ off))


def quantile(units):
    effective = np.sum(units) ** 2 / np.sum(np.square(units))
    return stats.t.ppf(0.975, effective - 1)


def rows_of(result):
    return {row["channel"]: row for row in result.table}


RULES = {
    "first_touch": {},
    "last_touch": {"ignore": {"search"}},
    "linear": {},
    "time_decay": {},
    "position_based": {},
    "participation": {},
    "shapley": {},
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("of", ["conversions", "value"])
def test_credits_of_a_rule(name, of, journeys, parts):
    def credit_of(part, of):
        return getattr(cx.attribution, name)(part, of=of, **RULES[name]).credit

    found = rows_of(getattr(cx.attribution, name)(journeys, of=of, **RULES[name]))
    n = len(journeys)
    without = [
        {k: v * n / len(p) for k, v in credit_of(p, of).items()}  # as many journeys as in all
        for p in parts[0]
    ]
    units = [credit_of(p, "conversions") for p in parts[1]]  # credits rest on conversions
    for channel in ("web", "store"):
        row = found[channel]
        logs = np.log([w[channel] for w in without])
        error = error_of(np.log(row["credit"]), logs)
        half = quantile([u.get(channel, 0.0) for u in units]) * error
        ends = row["credit"] * np.exp([-half, half])
        assert (row["low"], row["high"]) == pytest.approx(ends, rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"states": "touchpoint"}, {"order": 2}])
def test_removal_effects_and_their_credits(options, journeys, parts, monkeypatch):
    # which touchpoints are corrected on their own is decided once, and not anew without a bucket
    monkeypatch.setattr("cxjourney._stats.parts._FOLLOWED", 10**9)
    found = cx.attribution.markov(journeys, **options)
    without = [cx.attribution.markov(p, **options) for p in parts[0]]
    n = len(journeys)
    for channel in ("web", "store"):
        row = rows_of(found)[channel]
        visits = [np.count_nonzero(_visited(p) == channel) for p in parts[1]]
        t = quantile(visits)
        p = row["removal_effect"]
        error = error_of(p, [w.removal_effect[channel] for w in without])
        square = t**2 * error**2 / (p * (1 - p))
        ends = np.sort(np.roots([1 + square, -2 * p - square, p**2]).real)
        assert (row["removal_low"], row["removal_high"]) == pytest.approx(ends, rel=1e-5)
        logs = np.log(
            [w.credit[channel] * n / len(p) for w, p in zip(without, parts[0], strict=True)]
        )
        half = t * error_of(np.log(row["credit"]), logs)
        ends = row["credit"] * np.exp([-half, half])
        assert (row["low"], row["high"]) == pytest.approx(ends, rel=1e-5)
    # the way for chains of many states gives the same
    monkeypatch.setattr(markov_module, "_DENSE", 0)
    again = cx.attribution.markov(journeys, **options).table
    for column in ("low", "high", "removal_low", "removal_high"):
        assert again[column] == pytest.approx(found.table[column], rel=1e-9, nan_ok=True)


def _visited(part):
    """Return the channel of every visit: the goal that ends a journey is none."""
    kept = []
    for journey in part:
        names = [i.channel.name for i in journey.interactions]
        kept += names[:-1] if journey.outcome is cx.Outcome.CONVERTED else names
    return np.array(kept, dtype=object)


def test_shapley_of_the_conversion_rate(journeys, parts):
    def credit_of(part):
        return cx.attribution.shapley(part, worth="rate").credit

    found = rows_of(cx.attribution.shapley(journeys, worth="rate"))
    n = len(journeys)
    without = [{k: v * n / len(p) for k, v in credit_of(p).items()} for p in parts[0]]
    row = found["web"]
    touching = [
        sum(
            any(i.channel.name == "web" for i in journey.interactions[: len(_names(journey))])
            for journey in p
            if journey.outcome is not cx.Outcome.IN_PROGRESS
        )
        for p in parts[1]
    ]
    half = quantile(touching) * error_of(row["credit"], [w["web"] for w in without])
    ends = (row["credit"] - half, row["credit"] + half)
    assert (row["low"], row["high"]) == pytest.approx(ends, rel=1e-6)


def _names(journey):
    names = [i.touchpoint.name for i in journey.interactions]
    return names[:-1] if journey.outcome is cx.Outcome.CONVERTED else names


def test_one_customer_alone_gives_no_interval():
    paths = [("web", 40), ("store", 1)]
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer="one" if channel == "store" else f"c{i}",
                touchpoint=touchpoint,
                channel=channel,
                timestamp=moment,
            )
            for channel, n in paths
            for i in range(n)
            for touchpoint, moment in (("t", BEGIN), ("buy", BEGIN + timedelta(days=1)))
        ]
    )
    journeys = log.journeys(goal="buy", all_closed=True)
    rows = rows_of(cx.attribution.linear(journeys))
    assert np.isnan([rows["store"][name] for name in ("low", "high")]).all()
    assert np.isfinite([rows["web"][name] for name in ("low", "high")]).all()
