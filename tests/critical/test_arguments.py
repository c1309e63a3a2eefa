"""An argument of a wrong kind is refused by its name, before anything is computed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cxjourney as cx
from cxjourney import critical
from cxjourney.exceptions import InvalidValue


@pytest.fixture(scope="module")
def journeys():
    return cx.datasets.sample(seed=3, customers=60).journeys()


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(1)
    return {"price": rng.normal(size=40), "speed": rng.normal(size=40)}


@pytest.mark.parametrize(
    ("name", "option"),
    [("centralities", "pivots")],
)
@pytest.mark.parametrize("wrong", [None, "many", 2.5, [200], True, 0])
def test_counts_are_whole_numbers(name, option, wrong, journeys):
    with pytest.raises(InvalidValue, match=f"{option} must be a whole number from 1; got"):
        getattr(critical, name)(journeys, **{option: wrong})


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("points", {"effort": 3}, "effort must be a dict of effort by touchpoint; got 3"),
        ("points", {"effort": {"cart": "2 d"}}, "effort of 'cart' must be a positive, finite"),
        ("points", {"value": "10 EUR"}, "value must be a finite number, at least 0; got '10 EUR'"),
        (
            "points",
            {"expected_exits": 1},
            "expected_exits must be a name or a list of names; got 1",
        ),
        ("points", {"expected_exits": "cort"}, "expected exit 'cort' .* did you mean 'cart'"),
        ("rework", {"stages": 3}, "stages must be a name or a list of names; got 3"),
        ("rework", {"stages": [None]}, "stages must hold names only, each a string; got None"),
    ],
)
def test_what_an_argument_must_be_is_said(name, options, said, journeys):
    with pytest.raises(InvalidValue, match=said):
        getattr(critical, name)(journeys, **options)


@pytest.mark.parametrize("by", [3, [None], object()])
def test_the_grain_of_a_graph_is_a_name(by, journeys):
    with pytest.raises(InvalidValue, match="by must"):
        critical.must_pass(journeys.graph(), by=by)


@pytest.mark.parametrize("wrong", [None, 3, "price", [1.0], np.zeros(40)])
def test_scores_are_values_by_name(wrong):
    with pytest.raises(InvalidValue, match="scores must be a dict of each predictor's values"):
        critical.drivers(wrong, np.zeros(40))


def test_scores_may_be_a_frame(answers):
    outcome = answers["price"] + 1.0
    framed = critical.drivers(pd.DataFrame(answers), outcome, rng=1)
    assert framed == critical.drivers(answers, outcome, rng=1)


def test_a_driver_needs_a_customer_of_each_answer(answers):
    with pytest.raises(InvalidValue, match="customer must have one value for each of 40 outcomes"):
        critical.drivers(answers, answers["price"], customer=["a"])
    with pytest.raises(InvalidValue, match="partial_out must be one of 'mean'; got 'average'"):
        critical.drivers(answers, answers["price"], partial_out="average")


@pytest.mark.parametrize("name", ["importance_performance", "moments_of_truth"])
def test_found_is_what_drivers_returns(name, answers):
    with pytest.raises(InvalidValue, match="found must be the Drivers that"):
        getattr(critical, name)(answers)


@pytest.mark.parametrize("wrong", [None, "all", 2.5, 0])
def test_moments_are_counted(wrong, answers):
    found = critical.drivers(answers, answers["price"], rng=1)
    with pytest.raises(InvalidValue, match="most must be a whole number from 1; got"):
        critical.moments_of_truth(found, most=wrong)
