"""An argument of a wrong kind is refused by its name, before anything is computed."""

from __future__ import annotations

import pandas as pd
import pytest

import cxjourney as cx
from cxjourney import attribution
from cxjourney.exceptions import InvalidValue


@pytest.fixture(scope="module")
def journeys():
    return cx.datasets.sample(seed=3, customers=60).journeys()


@pytest.mark.parametrize("wrong", ["web", 3, [1.0], True])
def test_costs_are_money_by_name(wrong, journeys):
    with pytest.raises(InvalidValue, match="costs must be a dict of money by name; got"):
        attribution.linear(journeys, costs=wrong)


@pytest.mark.parametrize("wrong", [None, "much", [1.0], -1, float("nan")])
def test_a_cost_is_a_number(wrong, journeys):
    with pytest.raises(InvalidValue, match=r"costs\['web'\] must be a finite number"):
        attribution.linear(journeys, costs={"web": wrong})


def test_costs_may_be_a_series(journeys):
    costs = {"web": 10.0, "app": 4.0}
    as_series = attribution.linear(journeys, costs=pd.Series(costs))
    assert as_series == attribution.linear(journeys, costs=costs)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("markov", {"order": 1.5}, "order must be a whole number from 1; got 1.5"),
        ("markov", {"order": 0}, "order must be a whole number from 1; got 0"),
        ("shapley", {"samples": None}, "samples must be a whole number from 1; got None"),
        ("shapley", {"samples": 0}, "samples must be a whole number from 1; got 0"),
        ("shapley_by_position", {"of": "money"}, "of must be one of 'conversions', 'value'"),
        ("compare_models", {"orders": 2}, "orders must be several whole numbers, .* got 2"),
        ("compare_models", {"orders": "12"}, "each of orders must be a whole number from 1"),
        ("compare_models", {"orders": [1, 0]}, "each of orders must be a whole number from 1"),
        ("last_touch", {"ignore": 3}, "ignore must be a name or a list of names; got 3"),
        ("last_touch", {"ignore": [None]}, "ignore must hold names only, each a string; got None"),
        ("linear", {"segment": ["region"]}, "segment must be a name"),
        ("markov", {"segment": "region", "costs": {"web": 1.0}}, "costs are of all segments"),
        ("shapley", {"segment": "region", "costs": {"web": 1.0}}, "costs are of all segments"),
        ("first_touch", {"segment": "region", "costs": {"web": 1.0}}, "costs are of all segments"),
    ],
)
def test_what_an_argument_must_be_is_said(name, options, said, journeys):
    with pytest.raises(InvalidValue, match=said):
        getattr(attribution, name)(journeys, **options)


@pytest.mark.parametrize("name", ["linear", "markov", "shapley", "compare_models"])
def test_segments_are_of_journeys(name, journeys):
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not InteractionLog"):
        getattr(attribution, name)(journeys.log, segment="region")


def test_one_name_to_ignore_is_no_list_of_letters(journeys):
    one = attribution.last_touch(journeys, ignore="web")
    assert one == attribution.last_touch(journeys, ignore=["web"])
    assert one.model == "last touch but web"
