"""Critical points on a log whose every figure is known."""

from __future__ import annotations

import pytest

import cxjourney as cx

T1 = (  # ten journeys with published removal effects and hitting probabilities
    (["ad", "web", "cart"], 1, 0),
    (["ad", "web"], 0, 1),
    (["web", "cart", "web", "cart"], 1, 0),
    (["web"], 0, 1),
    (["ad"], 0, 1),
    (["email", "web", "cart"], 0, 1),
    (["email"], 1, 0),
    (["web", "store"], 1, 0),
    (["ad", "web", "web"], 0, 1),
    (["email", "web", "store"], 0, 1),
)


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    paths, converted, dropped = zip(*T1, strict=True)
    return cx.Journeys.from_paths(paths, converted=converted, dropped=dropped)


def test_removal_effects_and_conversion_are_the_golden_ones(journeys):
    result = cx.critical.points(journeys)
    found = dict(zip(result.table["touchpoint"], result.table["removal_effect"], strict=True))
    golden = {"ad": 0.28125, "web": 0.75, "cart": 0.527778, "email": 0.4375, "store": 0.25}
    assert found == pytest.approx(golden, abs=1e-6)
    assert result.conversion_probability == pytest.approx(0.4, abs=1e-12)


def test_lost_conversions_are_the_slope_of_the_conversion_times_the_journeys(journeys):
    result = cx.critical.points(journeys)
    lost = dict(zip(result.table["touchpoint"], result.table["lost_conversions"], strict=True))
    # slopes of the golden counterfactuals: web .160714, cart .079167, ad .0375
    expected = {"web": 1.60714, "cart": 0.79167, "ad": 0.375}
    assert {k: lost[k] for k in expected} == pytest.approx(expected, abs=1e-4)
    assert result.ranking[0] == "web"


def test_results_turn_into_dictionaries_and_back(journeys):
    result = cx.critical.points(journeys)
    again = cx.critical.CriticalPoints.from_dict(result.to_dict())
    assert again == result


@pytest.mark.parametrize("outcome", ["converted", "dropped"])
def test_one_outcome_alone_gives_no_wrong_number(outcome):
    counts = {"converted": [0, 0], "dropped": [0, 0]} | {outcome: [3, 4]}
    journeys = cx.Journeys.from_paths([["web"], ["ad", "web"]], **counts)
    result = cx.critical.points(journeys)
    assert result.conversion_probability == (1.0 if outcome == "converted" else 0.0)
    assert len(result.ranking) == 2
