from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney._stats.figure_ranks import rank_ranges
from cxjourney.critical import _pain_points, pain_points
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import contacts_of, units_of


def journeys_of(rows, **options):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer=customer,
            touchpoint=touchpoint,
            timestamp=begin + timedelta(minutes=i),
            emotion=emotion,
        )
        for i, (customer, touchpoint, emotion) in enumerate(rows)
    )
    return log.journeys(goal="buy", all_closed=True, **options)


@pytest.fixture
def journeys():
    rows = []
    for i in range(40):
        rows.append((f"c{i}", "web", 0.5))
        if i < 20:
            rows.append((f"c{i}", "call", -0.6 - 0.01 * (i % 3)))
        if i < 10 or i >= 20:
            rows.append((f"c{i}", "buy", None))
    return journeys_of(rows)


def row(found, name):
    return next(row for row in found.table if row["touchpoint"] == name)


def test_the_three_factors_are_what_they_say(journeys):
    found = pain_points(journeys)
    call = row(found, "call")
    assert call["reach"] == pytest.approx(0.5)
    assert call["severity"] == pytest.approx(0.61, abs=0.02)
    # 10 of 20 leave there, those who stay all convert: 40 v h e / (1 - e) = 20 · .5 · 1 = 10 of 30
    assert call["impact"] == pytest.approx(10 / 30)
    assert call["pain"] == pytest.approx(call["reach"] * call["severity"] * call["impact"])
    assert found.table["touchpoint"][0] == "call"


def test_where_customers_feel_well_there_is_no_pain(journeys):
    found = pain_points(journeys)
    assert tuple(found.table["touchpoint"]) == ("call",)
    assert found.well == ("web",)
    assert found.n == 60  # 40 of the web, 20 of calls
    sample = cx.datasets.sample(seed=6).journeys()
    found, scores = pain_points(sample), cx.experience.scores(sample, measure="emotion").table
    mean = dict(zip(scores["touchpoint"], scores["mean"], strict=True))
    assert {*found.table["touchpoint"], *found.well} == {x for x in mean if not np.isnan(mean[x])}
    assert all(mean[name] < 0 for name in found.table["touchpoint"])


def test_intervals_hold_their_values(journeys):
    found = pain_points(cx.datasets.sample(seed=2, customers=1500).journeys())
    for name in ("reach", "impact"):
        known = ~np.isnan(found.table[name])
        assert (found.table[f"{name}_low"][known] <= found.table[name][known] + 1e-12).all()
        assert (found.table[name][known] <= found.table[f"{name}_high"][known] + 1e-12).all()
    ranked = ~np.isnan(found.table["pain"])
    assert (found.table["rank_low"] <= found.table["rank_high"])[ranked].all()


def test_the_planted_worst_feeling_leads():
    found = pain_points(cx.datasets.sample(seed=6).journeys())
    assert found.table["touchpoint"][0] == "payment"
    assert found.table["rank_high"][0] == 1


def test_those_where_nothing_is_lost_share_the_last_ranks():
    rows = []
    for i in range(40):
        rows += [(f"c{i}", "web", -0.3), (f"c{i}", f"desk {i % 2}", -0.5)]
        rows += [(f"c{i}", "call", -0.6)] * (i < 20)
        if i < 10 or i >= 20:
            rows.append((f"c{i}", "buy", None))
    found = pain_points(journeys_of(rows))
    ranks = {
        name: (row(found, name)["rank_low"], row(found, name)["rank_high"])
        for name in ("web", "desk 0", "desk 1")
    }
    assert ranks == dict.fromkeys(ranks, (2, 4))
    assert found.table["touchpoint"][0] == "call"


def test_ranks_are_no_wider_than_the_order_moves():
    # on the scale of the product itself the second ranked anywhere from 2 to 17 of 36
    seconds = []
    for seed in range(8):
        found = pain_points(cx.datasets.sample(seed=1000 + seed, customers=800).journeys())
        seconds.append(row(found, "chatbot question")["rank_high"])
    assert np.median(seconds) <= 5


def test_reach_counts_journeys_and_clusters_by_customer():
    rows = [(f"c{i}", "web", -0.1) for i in range(10) for _ in range(3)]
    rows += [("c1", "buy", None), ("z", "shop", -0.1)]
    web = row(pain_points(journeys_of(rows)), "web")
    # c1 to c9 and c0 come by, z does not
    assert web["reach"] == pytest.approx(10 / 11)
    assert web["reach_low"] < 10 / 11 < web["reach_high"]


def test_ranks_are_those_of_the_differences_without_each_bucket():
    journeys = cx.datasets.sample(seed=2, customers=1500).journeys()
    found = pain_points(journeys)
    # payment and store advice hurt; most others do not
    names = list(found.table["touchpoint"][:3])
    unit = units_of(journeys).of
    without = []
    for bucket in range(64):
        left = pain_points(journeys.where(unit != bucket)).table
        place = list(left["touchpoint"])
        without.append([left["pain"][place.index(name)] for name in names])
    whole, without = np.log(found.table["pain"][:3]), np.log(without)
    error = np.sqrt(63 / 64 * ((np.array(without) - whole) ** 2).sum(axis=0))
    gap = np.abs(whole[0] - whole[1:])
    # far apart compared with the errors of both: the ranks say so
    apart = gap > 2.5 * (error[0] + error[1:])
    assert apart.any()
    assert found.table["rank_high"][0] <= 1 + np.count_nonzero(~apart)
    assert found == pain_points(journeys)


def test_each_segment_is_measured_on_the_scale_of_all():
    journeys = cx.datasets.sample(seed=2, customers=600).journeys()
    by = pain_points(journeys, measure="score", segment="segment")
    assert {result.neutral for result in by.results} == {
        pain_points(journeys, measure="score").neutral
    }
    assert by.to_frame("pandas")["segment"].nunique() == len(by.values)


def test_a_log_without_feelings_is_refused():
    with pytest.raises(UnknownName):
        pain_points(cx.Journeys.from_paths([["a"]], converted=[1], dropped=[1]))


@pytest.mark.parametrize("options", [{"neutral": -1}, {"level": 0}, {"measure": "value"}])
def test_options_keep_their_rules(journeys, options):
    with pytest.raises(InvalidValue):
        pain_points(journeys, **options)


def test_pain_without_a_bucket_keeps_the_shrinkage_of_all(monkeypatch):
    seen = []

    def spy(figures, *, level):
        seen.append(figures)
        return rank_ranges(figures, level=level)

    monkeypatch.setattr(_pain_points, "rank_ranges", spy)
    journeys = cx.datasets.sample(seed=2, customers=600).journeys()
    found = pain_points(journeys)
    (figures,) = seen
    visits, unit = contacts_of(journeys), units_of(journeys).of
    felt = journeys.columns.numeric["emotion"][visits.row]
    known = ~np.isnan(felt)
    bucket = unit[visits.journey]

    def mean_of(node, keep):
        return felt[known & keep & (visits.node == node)].mean()

    everybody = np.ones(len(felt), dtype=bool)
    nodes = [i for i in range(len(visits.names)) if (known & (visits.node == i)).sum() >= 20]
    means = np.array([mean_of(i, everybody) for i in nodes])
    # which part is kept: told by the severity of those that hurt, given the mean of all
    overall = felt[known].mean()
    checked = 0
    for place, i in enumerate(nodes):
        if visits.names[i] not in found.table["touchpoint"]:
            continue
        severity = row(found, visits.names[i])["severity"]
        kept = (-severity - overall) / (means[place] - overall)
        if severity == 0 or not 0 < kept < 0.97:
            continue
        for g in (3, 40):
            part = pain_points(journeys.where(unit != g))
            left = row(part, visits.names[i])
            drawn = overall + kept * (mean_of(i, bucket != g) - overall)
            expected = left["reach"] * -drawn * left["impact"]
            assert np.exp(figures.without[g, i]) == pytest.approx(expected, rel=2e-3)
        checked += 1
    assert checked > 0


def test_severity_has_the_interval_of_the_raw_mean():
    journeys = cx.datasets.sample(seed=2, customers=600).journeys()
    found, scores = pain_points(journeys), cx.experience.scores(journeys, measure="emotion")
    for other in scores.table:
        if math.isnan(other["low"]) or other["touchpoint"] not in found.table["touchpoint"]:
            continue
        own = row(found, other["touchpoint"])
        # neutral is 0 and the worst -1: who feels the higher end suffers least
        assert own["severity_low"] == pytest.approx(np.clip(-other["high"], 0, 1))
        assert own["severity_high"] == pytest.approx(np.clip(-other["low"], 0, 1))
