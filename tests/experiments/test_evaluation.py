"""Experiments: sizes of arms, planted effects, and worlds without any."""

from __future__ import annotations

import json

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.experiments import evaluate

DAY = np.timedelta64(86_400, "s")
BEGIN = np.datetime64("2026-01-01", "us")


def world(seed, *, effect=0.0, n=600, arms=("control", "new"), frail=0.4, days=60):
    """Journeys of customers who differ, of which some are too young at the end."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, len(arms), n)
    chance = np.clip(rng.beta(2, 3, n) * frail + 0.2 + effect * (arm == len(arms) - 1), 0, 1)
    times = rng.poisson(2, n) + 1
    who = np.repeat(np.arange(n), times)
    start = rng.uniform(0, days, len(who))
    won = rng.random(len(who)) < chance[who]
    wait = rng.exponential(1.0, len(who))
    rows = [(who, start, "visit"), (who[won], (start + wait)[won], "buy")]
    customer, day, what = (
        np.concatenate([np.broadcast_to(row[k], len(row[0])) for row in rows]) for k in range(3)
    )
    time = BEGIN + (day * 86_400e6).astype("m8[us]")
    seen = day < days
    log = cx.InteractionLog.from_frame(
        {"who": customer[seen].astype(str), "when": time[seen], "what": what[seen]},
        customer="who", timestamp="when", touchpoint="what", tz="UTC",
        observed_until=str(BEGIN + days * DAY),
    )  # fmt: skip
    dealt = {str(i): arms[a] for i, a in enumerate(arm) if str(i) in set(log.customer_ids)}
    return log.with_attribute("arm", dealt).journeys(goal="buy", inactivity="5d")


def sized(counts):
    """Journeys of so many customers an arm, one visit each."""
    arm = np.repeat(np.arange(len(counts)), counts)
    who = np.arange(len(arm)).astype(str)
    log = cx.InteractionLog.from_frame(
        {"who": who, "when": np.full(len(arm), BEGIN), "what": np.full(len(arm), "visit"),
         "arm": np.array(["control", *"bcd"])[arm]},
        customer="who", timestamp="when", touchpoint="what", tz="UTC", attributes=["arm"],
    )  # fmt: skip
    return log.journeys(all_closed=True)


def test_sizes_of_arms_are_held_against_the_plan(shared):
    known = json.loads((shared / "oracles" / "experiments.json").read_text())["cases"]
    (known,) = (case["cases"] for case in known if case["name"] == "srm")
    tried = 0
    for case in known:
        if sum(case["counts"]) > 100_000:
            continue
        names = ["control", "b", "c"][: len(case["counts"])]
        planned = dict(zip(names, case["planned"], strict=True))
        found = evaluate(sized(case["counts"]), "arm", "visits_per_journey", planned=planned)
        assert found.sizes_p == pytest.approx(case["p_value"], rel=1e-9)
        odd = case["p_value"] < 0.001
        assert odd == any("not as large as planned" in note for note in found.caveats)
        assert found.table["customers"].tolist() == case["counts"]
        tried += 1
    assert tried == 3


def test_a_planted_effect_is_found_and_covered():
    held = sure = 0
    for seed in range(12):
        found = evaluate(world(seed, effect=0.2), "arm")
        low, high = found.table["difference_low"][1], found.table["difference_high"][1]
        held += low <= 0.2 <= high
        sure += found.table["p_value"][1] < 0.05
    assert held >= 10  # 9 of 12 have probability .002 at 95%
    assert sure == 12


def test_where_nothing_differs_nothing_is_found():
    p = [evaluate(world(seed, n=200), "arm").table["p_value"][1] for seed in range(40)]
    assert np.mean(np.array(p) < 0.05) <= 0.125  # 6 of 40 have probability .014
    assert 0.3 < np.mean(p) < 0.7


def test_values_are_those_of_whole_journeys_by_hand():
    journeys = world(3)
    found = evaluate(journeys, "arm")
    time = journeys.columns.time
    first = time[journeys.offsets[:-1]]
    took = np.where(journeys.outcome == 0, time[journeys.offsets[1:] - 1] - first, np.inf)
    until = journeys.log.observed_until_us
    arm = journeys.segment("arm")
    horizon = cx.trend(journeys, "conversion_rate").within.total_seconds() * 1e6
    old = first + horizon <= until
    for i, name in enumerate(found.table["arm"]):
        mine = old & (arm.codes == arm.names.index(name))
        assert found.table["n"][i] == mine.sum()
        assert found.table["value"][i] == pytest.approx(np.mean(took[mine] <= horizon))
    assert any("too young to count" in note for note in found.caveats)


def test_names_and_order_of_arms_do_not_matter():
    one = evaluate(world(5, arms=("control", "b", "c")), "arm")
    other = evaluate(world(5, arms=("z", "y", "control!")), "arm", control="z")
    for name in ("value", "difference_low", "p_value", "q_value"):
        np.testing.assert_allclose(
            sorted(one.table[name][1:].tolist()), sorted(other.table[name][1:].tolist())
        )
    assert (one.table["q_value"][1:] >= one.table["p_value"][1:]).all()


def test_customers_in_several_arms_are_left_out():
    rows = [(str(i), arm, hour) for i in range(40) for hour, arm in enumerate(
        ("control", "new") if i < 4 else (("control", "new")[i % 2],) * 2)]  # fmt: skip
    log = cx.InteractionLog.from_frame(
        {"who": [row[0] for row in rows], "arm": [row[1] for row in rows],
         "when": [BEGIN + row[2] * 10 * DAY for row in rows], "what": ["visit"] * len(rows)},
        customer="who", timestamp="when", touchpoint="what", tz="UTC", attributes=["arm"],
        observed_until=str(BEGIN + 100 * DAY),
    )  # fmt: skip
    found = evaluate(log.journeys(inactivity="2d"), "arm", "visits_per_journey")
    assert found.n_mixed == 4
    assert found.table["customers"].tolist() == [18, 18]
    assert "4 customers were in several arms and are left out." in found.caveats


def test_a_metric_of_ones_own_and_the_way_back():
    from cxjourney.metrics import Metric

    length = Metric(
        name="length", unit="visits", direction="lower", definition="visits of a journey",
        per_journey=lambda journeys: journeys.lengths,
    )  # fmt: skip
    found = evaluate(world(1), "arm", length)
    assert (found.figure, found.unit) == ("length", "visits")
    assert cx.load(found.to_dict()) == found
    assert "minus 'control'" in str(found)


def test_what_is_no_experiment_is_refused():
    journeys = world(1)
    with pytest.raises(UnknownName, match="'Control' is not in the arms"):
        evaluate(journeys, "arm", control="Control")
    with pytest.raises(UnknownName):
        evaluate(journeys, "armm")
    with pytest.raises(InvalidValue, match="arm must have at least two values"):
        evaluate(world(1, arms=("control",)), "arm")
    with pytest.raises(InvalidValue, match="control must name one of the arms"):
        evaluate(world(1, arms=("a", "b")), "arm")
    with pytest.raises(InvalidValue, match="figure must be a share or a mean"):
        evaluate(journeys, "arm", "conversions")
    for planned, said in (
        ({"control": 0.5}, "planned must have a share of each arm"),
        ({"control": 0.5, "new": 0.6}, "add up to 1"),
    ):
        with pytest.raises(InvalidValue, match=said):
            evaluate(journeys, "arm", planned=planned)
    with pytest.raises(UnknownName):
        evaluate(journeys, "arm", planned={"control": 0.5, "old": 0.5})
