"""Survival estimates beside those of lifelines and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest

from cxjourney.metrics import cumulative_incidence, kaplan_meier, logrank

HOUR = np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(12)
    return {
        "length": rng.integers(1, 40, 300),
        "event": rng.random(300) < 0.7,
        "cause": rng.integers(0, 3, 300),
        "entry": rng.integers(0, 2, 300) * 0.5,
        "group": rng.integers(0, 3, 300),
        "stratum": rng.integers(0, 2, 300),
        "weight": rng.integers(1, 5, 300),
    }


@pytest.mark.oracles("lifelines")
def test_kaplan_meier_equals_lifelines(data):
    from lifelines import KaplanMeierFitter

    options = [
        ({}, {}),
        ({"counts": data["weight"]}, {"weights": data["weight"]}),
        (
            {"entry": (data["entry"] * 3600e6).astype("timedelta64[us]")},
            {"entry": data["entry"]},
        ),
    ]
    for ours, theirs in options:
        curve = kaplan_meier(data["length"] * HOUR, data["event"], **ours)
        fit = KaplanMeierFitter().fit(data["length"], data["event"], **theirs)
        hours = curve.time_s / 3600
        want = fit.survival_function_at_times(hours).to_numpy()
        assert curve.survival == pytest.approx(want)
        band = fit.confidence_interval_survival_function_.loc[hours].to_numpy()
        inside = (want > 0) & (want < 1)
        assert curve.low[inside] == pytest.approx(band[inside, 0])
        assert curve.high[inside] == pytest.approx(band[inside, 1])
        assert curve.median.value / 3600 == fit.median_survival_time_


@pytest.mark.oracles("statsmodels")
def test_incidence_equals_statsmodels(data):
    from statsmodels.duration.survfunc import CumIncidenceRight

    label = np.array([None, "1", "2"], dtype=object)[data["cause"]]
    curves = cumulative_incidence(data["length"] * HOUR, label)
    fit = CumIncidenceRight(data["length"], data["cause"])
    rows = np.searchsorted(curves.time_s / 3600, fit.times)
    for k in (0, 1):
        assert curves.incidence[k, rows] == pytest.approx(fit.cinc[k])
        # statsmodels has no error where nobody is left
        assert curves.std_error[k, rows][:-1] == pytest.approx(fit.cinc_se[k][:-1], rel=1e-6)


@pytest.mark.oracles("statsmodels", "lifelines")
def test_logrank_equals_statsmodels_and_lifelines(data):
    from lifelines.statistics import multivariate_logrank_test
    from statsmodels.duration.survfunc import survdiff

    test = logrank(data["length"] * HOUR, data["event"], data["group"])
    statistic, p = survdiff(data["length"], data["event"], data["group"])
    assert (test.statistic, test.p_value) == pytest.approx((statistic, p))
    theirs = multivariate_logrank_test(data["length"], data["group"], data["event"])
    assert test.statistic == pytest.approx(theirs.test_statistic)
    test = logrank(data["length"] * HOUR, data["event"], data["group"], strata=data["stratum"])
    statistic, p = survdiff(data["length"], data["event"], data["group"], strata=data["stratum"])
    assert (test.statistic, test.p_value) == pytest.approx((statistic, p))
