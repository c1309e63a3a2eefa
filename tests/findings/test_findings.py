"""Findings on the sample and on worlds with planted faults."""

from __future__ import annotations

import json
import re
import runpy
from datetime import timedelta
from pathlib import Path

import attrs
import numpy as np
import pytest

import cxjourney as cx
from cxjourney._findings import Finding, Findings, findings
from cxjourney._findings._claims import Claim
from cxjourney._findings._pipeline import Judged
from cxjourney._findings._trials import Trials
from cxjourney._findings._words import doubts_of, kind_of, next_of
from cxjourney.exceptions import NotAbsorbing, OutcomeUndetermined, TimesRequired, UnknownName
from cxjourney.journeys import Journeys

STUDY = runpy.run_path(str(Path(__file__).parents[1] / "calibration/findings.py"))
World, simulate = STUDY["World"], STUDY["simulate"]

ATTRIBUTES = [f"a{a}" for a in range(5)]


def told(found: Findings) -> set[tuple[str, str, str]]:
    return {(one.kind, one.where, one.who) for one in found}


@pytest.fixture(scope="module")
def sample() -> Findings:
    return findings(cx.datasets.sample(seed=2).journeys())


PLANTED = {
    ("more exits than at peers", "payment", ""),
    ("more exits than at peers", "store advice", ""),
    ("hand-off that loses", "app → web", ""),
    ("segment that fares worse", "cart", "segment: student"),
}


def test_sample_has_its_four_planted_faults_and_no_other(sample: Findings) -> None:
    assert told(sample) == PLANTED
    lowest = [one.gain.low for one in sample]
    assert lowest == sorted(lowest, reverse=True)
    assert min(lowest) > 0
    assert all(one.certainty == "worth watching" for one in sample.watching)
    assert {one.unusual for one in sample if one.where in {"payment", "store advice"}} == {"yes"}
    assert int(np.sum(sample.tests["tests"])) > 1_000
    assert f"{int(np.sum(sample.tests['tests'])):,} tests" in sample.headline


def test_effects_of_the_sample_are_near_the_truth(sample: Findings) -> None:
    truths = cx.datasets.sample(seed=2, customers=1).truths
    assert truths.handoff is not None
    assert truths.segment is not None
    true = {one.touchpoint: one.excess for one in truths.critical}
    true |= {"app → web": truths.handoff.loss, "cart": truths.segment.difference}
    for one in sample:
        # peers without the cells that are sure lose up to a point less than those of the truth
        assert one.effect.low - 0.01 < true[one.where] < one.effect.high


def test_people_of_a_finding(sample: Findings) -> None:
    one = next(f for f in sample if f.where == "cart")
    found = one.journeys()
    students = found.segment("segment")
    assert {students.names[c] for c in students.codes.tolist()} == {"student"}
    assert len(found) == one.n_journeys
    customers = one.customers()
    assert len(customers) == len(set(customers)) == one.n_customers
    at_cart = {
        i.customer.id
        for j in found
        for i in j.interactions
        if str(getattr(i.touchpoint, "name", i.touchpoint)) == "cart"
    }
    assert at_cart == set(customers)


def test_findings_go_to_json_and_back(sample: Findings) -> None:
    data = json.loads(json.dumps(sample.to_dict()))
    again = Findings.from_dict(data)
    assert again.to_dict() == sample.to_dict()
    with pytest.raises(cx.exceptions.InvalidValue, match="dictionary"):
        again[0].customers()
    assert isinstance(again[0], Finding)
    for part in (repr(sample), repr(sample[0])):
        assert "payment" in part


def test_print_tells_the_sure_list_and_keeps_the_rest_apart(sample: Findings) -> None:
    listed, apart = repr(sample).split("Worth watching")
    assert listed.splitlines()[1] == sample.headline
    assert listed.splitlines()[2].startswith("gain_low")
    for one in sample:
        assert one.where in listed
        assert f"{one.gain.low:,.0f}" in listed
    assert "gain_low" not in apart
    for one in sample.watching:
        assert one.where in apart
    assert "<caption>Worth watching" in sample._repr_html_()
    assert len(sample.to_frame("pandas")) == len(sample.sure) + len(sample.watching)


def test_progress_names_each_kind_as_it_begins() -> None:
    steps: list[str] = []
    cx.findings(cx.datasets.sample(customers=100).journeys(), begin=steps.append)
    assert steps[0] == "segments"
    assert steps[-1] == "touchpoints"
    assert len(steps) == len(set(steps)) == 6


def test_gain_is_what_fewer_exits_would_bring(sample: Findings) -> None:
    one = next(f for f in sample if f.where == "payment")
    journeys = one.journeys()
    # those kept go on as those did who stayed: of them this share converts
    stayed = np.array([j.outcome.value == "converted" for j in journeys])
    lost = np.array(
        [
            j.outcome.value == "dropped" and "payment" in str(j.interactions[-1].touchpoint)
            for j in journeys
        ]
    )
    assert one.gain.value == pytest.approx(
        one.n_visits * one.effect.value * stayed.mean() / (1 - lost.mean()), rel=0.12
    )
    assert one.money is not None
    assert one.money.value / one.gain.value == pytest.approx(
        np.nanmean(cx.datasets.sample(seed=2).journeys().value)
    )


def test_sample_without_anything_planted_has_nothing_sure() -> None:
    plain = cx.datasets.sample(
        seed=5, customers=3_000, handoff=False, critical=False, segment=False
    )
    found = findings(plain.journeys())
    assert told(found) <= {("more exits than at peers", name, "") for name in plain.truths.exits}
    assert len(found) <= 1


def test_level_that_is_worse_everywhere_is_one_finding() -> None:
    found = findings(simulate(World(customers=2_500, level=0.8), 3), segments=ATTRIBUTES)
    assert told(found) == {("segment that fares worse", "everywhere", "a1: v1")}
    (one,) = found
    assert "nearly all touchpoints" in one.sentence
    assert 0.08 < one.effect.value < 0.25


def test_touchpoint_that_only_carries_a_segment_is_no_finding() -> None:
    found = findings(simulate(World(customers=5_000, segment=1.5), 4), segments=ATTRIBUTES)
    assert told(found) == {("segment that fares worse", "t07", "a0: v0")}
    (one,) = found
    assert one.share_explained is not None
    assert one.share_explained.value > 0.7
    assert any("no more often than at its peers" in reason for reason in one.reasons)


def test_change_has_its_date() -> None:
    found = findings(simulate(World(customers=5_000, change=1.4), 6), segments=ATTRIBUTES)
    here = [one for one in found if one.where == "t08" and not one.who]
    assert here
    assert "2025-09" <= min(one.since for one in here) <= "2025-11"
    assert {one.where for one in found} == {"t08"}


def test_incident_that_nobody_dated_and_that_shows_two_steps_later() -> None:
    world = World(customers=20_000, days=180, incident=6.0)
    found = findings(simulate(world, 10), segments=ATTRIBUTES)
    (one,) = [one for one in found if one.where == "t00"]
    assert one.who == "a0: v1"
    assert one.kind == "incident"
    # the dates are those of the visits: they stand apart from the time within which goals count
    assert f"After t00 from {one.since} to {one.until}, " in one.sentence
    assert re.search(r"reach the goal within [\d.]+ \w+, [\d.]+ points fewer than", one.sentence)
    for day, planted in ((one.since, "2025-04-11"), (one.until, "2025-04-24")):
        assert abs(np.datetime64(day) - np.datetime64(planted)) <= np.timedelta64(3, "D")
    # the visits at which they leave carry it, and are no finding of the same segment
    assert not [other for other in found if other.who == one.who and other is not one]


def test_mix_shift_is_told_apart_from_rates() -> None:
    found = findings(simulate(World(customers=6_000, mix=0.45, frailty=0.0), 1), segments=["a0"])
    mix, rates = (np.asarray(found.mix[name])[1] for name in ("mix", "rates"))
    assert found.mix["by"][:2] == ("origin", "first touchpoint")
    assert np.asarray(found.mix["change"])[1] == pytest.approx(mix + rates)


def test_shift_of_who_comes_is_a_shift_of_the_mix() -> None:
    rng = np.random.default_rng(2)
    rows = []
    for i in range(4_000):
        day = int(rng.integers(0, 200))
        ad = rng.random() < (0.3 if day < 100 else 0.7)
        rows.append((f"c{i}", "ad" if ad else "search", day))
        rows.append((f"c{i}", "cart", day + 1))
        if rng.random() < (0.2 if ad else 0.6):
            rows.append((f"c{i}", "buy", day + 2))
    customer, touchpoint, day_of = zip(*rows, strict=True)
    log = cx.InteractionLog.from_frame(
        {
            "c": customer,
            "t": touchpoint,
            "w": np.datetime64("2026-01-01", "us") + np.array(day_of) * np.timedelta64(1, "D"),
        },
        customer="c",
        touchpoint="t",
        timestamp="w",
        tz="UTC",
    )
    found = findings(log.journeys(goal="buy", inactivity=timedelta(days=7)))
    mix, rates = (float(np.asarray(found.mix[name])[1]) for name in ("mix", "rates"))
    assert mix == pytest.approx(-0.4 * 0.4, abs=0.03)  # 40 % more of those who convert by 40 % less
    assert abs(rates) < 0.03
    assert any(one.kind == "shift of the mix" for one in found.watching)


def small(paths: list[tuple[list[str], int]], *, people: int = 0) -> Journeys:
    """Return journeys of these paths, so many of each, each by a customer of its own."""
    rows, who = [], 0
    for path, times in paths:
        for _ in range(times):
            name = f"c{who % people if people else who}"
            rows += [
                (name, place, 20 * (who // max(people, 1)) + k if people else who % 300 + k)
                for k, place in enumerate(path)
            ]
            who += 1
    customer, touchpoint, day = zip(*rows, strict=True)
    log = cx.InteractionLog.from_frame(
        {
            "c": customer,
            "t": touchpoint,
            "w": np.datetime64("2026-01-01", "us") + np.array(day) * np.timedelta64(1, "D"),
        },
        customer="c",
        touchpoint="t",
        timestamp="w",
        tz="UTC",
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=7))


def test_ends_are_listed_apart_until_they_are_confirmed() -> None:
    journeys = small(
        [
            (["web", "cart", "buy"], 300),
            (["web", "faq", "answer"], 400),
            (["web"], 100),
            (["faq", "buy"], 60),
            (["cart", "web", "faq", "answer"], 150),
        ]
    )
    found = findings(journeys)
    assert found.ends["touchpoint"] == ("answer",)
    assert found.ends["argument"] == ("expected_exits=['answer']",)
    assert not any(one.where == "answer" for one in (*found, *found.watching))
    confirmed = findings(journeys, expected_exits="answer")
    assert not len(confirmed.ends)
    assert not any(one.where == "answer" for one in (*confirmed, *confirmed.watching))


def test_nothing_to_win_where_all_convert() -> None:
    found = findings(small([(["web", "cart", "buy"], 999), (["web"], 1)]))
    assert found.headline.startswith("There is nothing to win here")
    assert not len(found)
    # whoever was served and falls silent is not lost
    served = findings(small([(["web", "buy", "delivery"], 999), (["web"], 1)]))
    assert "of 1,000 journeys that have ended" in served.headline or "of 999" in served.headline
    assert served.headline.startswith("There is nothing to win here")


def test_what_one_customer_has_most_of_cannot_be_tested() -> None:
    journeys = small([(["web", "cart", "buy"], 40), (["web", "cart"], 30), (["web"], 30)], people=4)
    found = findings(journeys)
    assert not len(found)
    assert set(found.untested["touchpoint"]) == {"web", "cart"}
    assert all("customers of equal weight" in reason for reason in found.untested["reason"])


def test_attributes_that_are_known_at_the_first_interaction_are_segments() -> None:
    rows = []
    for i in range(400):
        device = "app" if i % 2 else "web"
        lost = i % 5 == 0
        rows.append((f"c{i}", "web", device, "", i % 90))
        # what is recorded because of the outcome would explain it
        rows.append(
            (f"c{i}", "help" if lost else "buy", device, "late" if lost else "", i % 90 + 1)
        )
    customer, touchpoint, device_, note, day = zip(*rows, strict=True)
    log = cx.InteractionLog.from_frame(
        {
            "c": customer,
            "t": touchpoint,
            "device": device_,
            "note": [text or None for text in note],
            "w": np.datetime64("2026-01-01", "us") + np.array(day) * np.timedelta64(1, "D"),
        },
        customer="c",
        touchpoint="t",
        timestamp="w",
        attributes=["device", "note"],
        tz="UTC",
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    assert [one.name for one in Trials.of(journeys, None).attributes] == ["device"]
    assert [one.name for one in Trials.of(journeys, "note").attributes] == ["note"]
    assert [one.name for one in Trials.of(journeys, ()).attributes] == []


def test_deviation_from_the_blueprint_is_worth_watching() -> None:
    journeys = small(
        [
            (["web", "cart", "buy"], 300),
            (["web", "cart"], 100),
            (["web", "help", "cart", "buy"], 60),
            (["web", "help", "cart"], 240),
        ]
    )
    design = cx.JourneyBlueprint("shop", ["web", "cart"])
    found = findings(journeys, blueprint=design)
    (one,) = [one for one in found.watching if one.kind == "deviation from the blueprint"]
    assert one.where == "help"
    assert one.certainty == "worth watching"
    assert one.effect.value == pytest.approx(0.75 - 0.2, abs=0.02)
    assert one.n_journeys == 300
    assert not [o for o in findings(journeys).watching if o.kind == one.kind]


def test_kinds_are_named_for_what_they_claim() -> None:
    world = World(customers=5_000, stages=False, touchpoint=1.2)
    found = findings(simulate(world, 2), segments=["a0"])
    (one,) = [one for one in found if one.where == "t01"]
    assert one.kind == "more exits than expected"  # nobody is a peer
    texts = (found.headline, repr(one), *found.notes, *one.doubts, *one.reasons)
    assert not [text for text in texts if "peers" in text and "no excess over peers" not in text]
    assert "of one stage" not in " ".join(texts)
    assert "more exits than expected" in found.tests["kind"]
    assert "more exits than at peers" not in found.tests["kind"]


def test_slow_change_is_no_incident() -> None:
    world = World(customers=5_000)
    trials = Trials.of(simulate(world, 1), ())
    claim = Claim(
        kind="incident", outcome="exit", touchpoint=0, since=20, until=90, slow=True, p=1e-6
    )
    judged = Judged(claim=claim, adjusted=0.01, cut=0.01, sure=True)
    assert kind_of(claim, with_stages=True) == "slow change"
    said = [*doubts_of(judged, with_stages=True), *next_of(trials, judged)]
    assert not [text for text in said if "those days" in text or "broke" in text]
    assert cx.trend(trials.journeys, "exit_rate:t00").figure in said[-1]
    assert kind_of(attrs.evolve(claim, slow=False), with_stages=True) == "incident"


@pytest.mark.parametrize(("seed", "shown"), [(27, False), (34, True)])
def test_finding_without_a_gain_does_not_lead(seed: int, *, shown: bool) -> None:
    """Of a fault that is only just sure, nothing is left of the gain once it was selected."""
    found = findings(simulate(World(customers=3_000, segment=0.5), seed), segments=ATTRIBUTES)
    (one,) = found
    assert (one.gain.low >= 1) is shown
    assert any("no gain can be shown" in reason for reason in one.reasons) is not shown
    assert ("The first: " in found.headline) is shown
    assert ("no gain can be shown" in found.headline) is not shown


def test_wrong_arguments() -> None:
    journeys = small([(["web", "cart", "buy"], 40), (["web"], 30)])
    with pytest.raises(UnknownName, match="'web'"):
        findings(journeys, expected_exits="wep")
    with pytest.raises(UnknownName):
        findings(journeys, segments=["colour"])
    with pytest.raises(TimesRequired):
        findings(Journeys.from_paths([["a"]], converted=[1], dropped=[1]))
    kept = journeys.log.journeys(goal="buy", inactivity=timedelta(days=7), after_goal="keep")
    with pytest.raises(NotAbsorbing):
        findings(kept)
    with pytest.raises(OutcomeUndetermined):
        findings(journeys.log.journeys(goal="buy"))


def test_pictures(sample: Findings) -> None:
    pytest.importorskip("matplotlib")
    labels = [text.get_text() for text in sample.plot().get_yticklabels()]
    assert len(labels) == 4
    assert any("cart segment: student" in label for label in labels)
    assert "payment" in sample[0].plot().get_title(loc="left") + sample[0].plot().get_title()


def test_findings_of_one_place_are_rows_of_their_own_in_the_picture(sample: Findings) -> None:
    pytest.importorskip("matplotlib")
    one = attrs.evolve(sample[0], where="a", who="", kind="loop", since="", until="")
    told = {
        "web": {"where": "web"},
        "a, wait": {"kind": "wait"},
        "a, loop since 02": {"since": "02", "until": "02"},
        "a, loop since 03 until 04": {
            "since": "03",
            "until": "04",
        },
        "a, loop since 03": {"since": "03"},
        "a, loop (6)": {},
        "a, loop (7)": {},
    }
    found = attrs.evolve(sample, sure=tuple(attrs.evolve(one, **parts) for parts in told.values()))
    assert [text.get_text() for text in found.plot().get_yticklabels()] == list(told)
