"""Models of customer value at the edge: fits that tell nothing, and customers of unknown worth."""

from __future__ import annotations

from datetime import timedelta

import attrs
import numpy as np
import pytest

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import (
    BgNbd,
    GammaGamma,
    PurchaseSummary,
    clv_purchases,
    fit_bg_nbd,
    fit_gamma_gamma,
)

DAY_S = 86_400.0
SPENDING = GammaGamma(p=6.0, q=4.0, v=15.0)


def summary_of(purchases, age, *, merged=False):
    """Return the summary of lists of purchase days after the first one."""
    days = [sorted({int(t) for t in times} - {0}) if merged else times for times in purchases]
    return PurchaseSummary(
        customers=tuple(map(str, range(len(days)))),
        frequency=np.array([len(times) for times in days]),
        recency_s=np.array([times[-1] if times else 0.0 for times in days]) * DAY_S,
        age_s=np.asarray(age) * DAY_S,
        mean_value=np.full(len(days), np.nan),
        n_missing=0,
        n_later=0,
        time_zone="UTC",
    )


def shop(seed, n, *, rate, stop):
    """Return purchases of customers with these rates a day, who stop with these probabilities."""
    rng = np.random.default_rng(seed)
    age = rng.integers(180, 365, n)
    purchases = []
    for i in range(n):
        per_day, leaves, t, times = rate(rng), stop(rng), 0.0, []
        while True:
            t += rng.exponential(1 / per_day)
            if t > age[i]:
                break
            times.append(t)
            if rng.random() < leaves:
                break
        purchases.append(times)
    return purchases, age


def usual(rng):
    return rng.gamma(0.6, 1 / 28)


def alike(_):
    return 1 / 28


def never(_):
    return 0.0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("rate", "stop", "sound"),
    [
        (usual, lambda rng: rng.beta(0.8, 2.4), True),
        (usual, never, False),  # nobody stops: a / (a + b) is 0
        (alike, never, False),  # all buy alike, too: r and alpha are infinite
    ],
)
def test_a_fit_at_the_boundary_did_not_converge(rate, stop, sound, seed):
    summary = summary_of(*shop(seed, 400, rate=rate, stop=stop))
    model = fit_bg_nbd(summary)
    assert model.converged == sound
    assert any("do not use it" in note for note in model._notes()) != sound
    if sound:
        assert clv_purchases(model, SPENDING, summary, horizon=timedelta(30)).purchases.all()
    else:
        with pytest.raises(InvalidValue, match="model must be a fit that converged"):
            clv_purchases(model, SPENDING, summary, horizon=timedelta(30))


def test_customers_of_unknown_worth_are_told_and_not_summed():
    summary = summary_of([[10.0], [], [20.0, 40.0]], [100, 100, 100])
    values = np.array([30.0, np.nan, 50.0])
    summary = attrs.evolve(summary, mean_value=values)
    no_mean = GammaGamma(p=6.0, q=0.9, v=15.0)
    model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    found = clv_purchases(model, no_mean, summary, horizon=timedelta(days=90), currency="EUR")
    assert np.isnan(found.value).tolist() == [False, True, False]
    notes = found._notes()
    worth = found.value[0] + found.value[2]
    assert notes[0] == f"2 customers are worth {worth:,.2f} EUR in 90 days."
    assert any(note.startswith("The worth of 1 others is not known") for note in notes)
    assert "nan" not in repr(found)
    spent = GammaGamma(p=6.0, q=4.0, v=15.0, converged=False)
    with pytest.raises(InvalidValue, match="spending must be a fit that converged"):
        clv_purchases(model, spent, summary, horizon=timedelta(days=90))


def test_spending_that_does_not_differ_within_customers_is_told():
    rng = np.random.default_rng(1)
    summary = summary_of([[1.0] * k for k in rng.integers(1, 6, 200)], np.full(200, 100))
    # every purchase of everybody is worth 20 but for rounding: q and v go to infinity together
    values = 20 + 1e-3 * rng.normal(size=200)
    assert not fit_gamma_gamma(attrs.evolve(summary, mean_value=values)).converged


def test_merging_purchases_of_a_day_biases_alpha_upward():
    purchases, age = shop(
        3, 1500, rate=lambda rng: rng.gamma(1, 2 / 7), stop=lambda rng: rng.beta(0.8, 2.4)
    )
    apart, merged = (fit_bg_nbd(summary_of(purchases, age, merged=m)) for m in (False, True))
    assert apart.alpha == pytest.approx(0.5, rel=0.15)
    assert merged.alpha > 1.1 * apart.alpha
    half_year = timedelta(weeks=26)
    assert merged.expected_purchases(half_year) < 0.9 * apart.expected_purchases(half_year)
