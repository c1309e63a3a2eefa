"""A small version of the study of surveys, money and contacts, fast enough for every run."""

from __future__ import annotations

import runpy

import pytest

from cxjourney.metrics import Scale


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/metric_intervals.py"))


@pytest.mark.parametrize("name", ["nps", "csat", "ces", "mean_score", "expectation_gap"])
def test_answers_of_one_customer_are_not_independent(study, name):
    own, known = study["survey_coverage"](name, 40, 10, 200, clustered=True)
    plain, _ = study["survey_coverage"](name, 40, 10, 200, clustered=False)
    assert own >= 0.91
    assert known == 1
    assert plain < 0.8


def test_the_level_holds_where_few_customers_give_most_answers(study):
    own, known = study["survey_coverage"]("nps", 50, None, 400, clustered=True)
    assert own >= 0.92
    assert known > 0.8
    assert study["survey_coverage"]("nps", 50, None, 400, clustered=False)[0] < 0.85


def test_waves_without_a_detractor_are_not_certain(study):
    assert study["wave_coverage"](10, 10, study["SPLITS"]["97/3/0 twice"], 400) >= 0.95
    assert study["wave_coverage"](20, 20, study["SPLITS"]["60/20/20 twice"], 400) >= 0.92
    assert study["shared_wave_coverage"](50, 10, 300, clustered=True) >= 0.92


def test_means_on_a_scale_hold_where_students_do_not(study):
    best = study["MEANS"]["most the best"]
    assert study["mean_coverage"](10, best, 400, scale=Scale(1, 5)) >= 0.94
    assert study["mean_coverage"](10, best, 400, scale=None) < 0.92


def test_skewed_money_and_contacts_hold_as_the_page_says(study):
    assert study["value_coverage"](*study["VALUES"]["log-normal, sigma 1"], 10, 600) >= 0.86
    assert study["value_coverage"](*study["VALUES"]["gamma, shape 2"], 20, 400) >= 0.92
    counts = study["COUNTS"]["negative binomial, r 1"]
    assert study["rate_coverage"](*counts, 50, 400, "jackknife") >= 0.92
    assert study["rate_coverage"](*counts, 50, 400, "garwood") < 0.9
