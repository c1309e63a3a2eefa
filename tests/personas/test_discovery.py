"""Personas: planted groups, none where there is none, and what can be done with them."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.personas import discover

STUDY = runpy.run_path(str(Path(__file__).parents[1] / "calibration" / "personas.py"))
N = 1_500


@pytest.fixture(scope="module")
def world():
    journeys, group, best = STUDY["draw"](1, n=N)
    return journeys, group, best, discover(journeys, 3)


def test_planted_groups_are_found_nearly_as_well_as_by_their_true_chains(world):
    _, group, best, found = world
    truth = STUDY["rand_index"](best, group)
    assert 0.55 < truth < 0.8
    assert STUDY["rand_index"](STUDY["found_of"](found, N), group) >= 0.9 * truth
    assert found.table["stable"].all()
    assert found.table["share"].tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.06)


def test_the_number_of_groups_is_found_and_one_is_a_number(world):
    chosen = discover(world[0], most=4)
    assert chosen.choice["groups"][np.argmin(chosen.choice["bic"])] == len(chosen.table) == 3
    alone, _, _ = STUDY["draw"](2, groups=1, n=N)
    single = discover(alone, most=3)
    assert len(single.table) == 1
    assert "One group is enough" in str(single)
    forced = discover(alone, 3)
    assert not forced.table["stable"].any()
    assert all(name.startswith("unnamed") for name in forced.table["persona"])
    assert "do not tell stories of them" in str(forced)


def test_customers_are_put_in_one_group_each_and_lead_back(world):
    journeys, _, _, found = world
    labels = found.labels()
    assert len(labels) == found.table["customers"].sum() == N
    names = list(found.table["persona"])
    for name, n in zip(names, found.table["customers"], strict=True):
        assert len(found.customers(name, outcome="any")) == n
        assert len(found.journeys(name, outcome="any")) == n
    log = journeys.log.with_attribute("persona", labels)
    again = log.journeys(goal="won", exit_touchpoints="lost", all_closed=True)
    assert [value for value, _ in cx.dropoff.exits(again, segment="persona")] == sorted(names)


def test_what_is_distinctive_is_more_frequent_in_the_group(world):
    _, _, _, found = world
    told = found.distinctive
    assert (told["share"] > told["elsewhere"]).all()
    assert (told["log_odds"] > 0).all()
    first = [told["value"][list(told["persona"]).index(name)] for name in found.table["persona"]]
    assert [name.split(", ")[0] for name in found.table["persona"]] == first


def test_log_odds_are_those_of_monroe_by_hand():
    from cxjourney.personas._discovery import _log_odds

    count = np.array([[8, 2], [1, 9]])
    log_odds, z = _log_odds(count)
    prior = 9 / 20 * 2  # the pooled share of the first value, one pseudo-count a value
    odds = np.log((8 + prior) / (10 + 2 - 8 - prior)), np.log((1 + prior) / (10 + 2 - 1 - prior))
    assert log_odds[0, 0] == pytest.approx(odds[0] - odds[1])
    error = np.sqrt(1 / (8 + prior) + 1 / (1 + prior))
    assert z[0, 0] == pytest.approx((odds[0] - odds[1]) / error)
    assert log_odds[1, 0] == pytest.approx(-log_odds[0, 0])


def test_names_and_seeds_do_not_matter(world):
    journeys, _, _, found = world
    frame = journeys.log.to_frame("pandas")
    frame["touchpoint"] = frame["touchpoint"].map(lambda name: f"x {name}")
    log = cx.InteractionLog.from_frame(
        frame, customer="customer", timestamp="timestamp", touchpoint="touchpoint"
    )
    other = discover(
        log.journeys(goal="x won", exit_touchpoints="x lost", inactivity="9999d"), 3, rng=5
    )
    agree = STUDY["rand_index"](STUDY["found_of"](found, N), STUDY["found_of"](other, N))
    assert agree > 0.97


def test_the_same_seed_gives_the_same_groups(world):
    some = world[0].where(world[0].customer < 150)
    assert discover(some, 2, rng=3).to_dict() == discover(some, 2, rng=3).to_dict()


def test_a_result_is_written_and_read(world):
    found = world[3]
    again = cx.load(found.to_dict())
    assert again == found
    with pytest.raises(InvalidValue, match="holds no journeys"):
        again.labels()


def test_what_cannot_be_grouped_is_refused(world):
    journeys = world[0]
    with pytest.raises(InvalidValue, match="groups must be"):
        discover(journeys, 0)
    with pytest.raises(InvalidValue, match="most must be"):
        discover(journeys, most=13)
    few = journeys.log.filter(customers=[str(i) for i in range(5)]).journeys(all_closed=True)
    assert len(discover(few).table) == 1
    with pytest.raises(InvalidValue, match="groups must be at most the number of customers"):
        discover(few, 6)
    paths = cx.Journeys.from_paths([["a", "b"]] * 20, dropped=[1] * 20)
    with pytest.raises(InvalidValue, match="aggregated paths have none"):
        discover(paths)
