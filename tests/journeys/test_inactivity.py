from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, TimesRequired
from cxjourney.journeys import InactivitySuggestion

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def log(worked_days) -> cx.InteractionLog:
    return cx.InteractionLog.from_interactions(
        (
            cx.Interaction(customer=c, touchpoint=t, timestamp=START + d * DAY)
            for c, steps in worked_days.items()
            for t, d in steps
        ),
        observed_until=START + 20 * DAY,
    )


def test_gaps_are_those_within_journeys(log):
    found = log.suggest_inactivity(goal="buy")
    # a: 1, 1 (the way back after the goal is no gap); b: 1, 9; c: 1; d: 5
    assert found.n_gaps == 6
    days = np.asarray(found.gaps["gap_s"]) / 86_400
    assert dict(zip(found.gaps["quantile"], days, strict=True)) == {
        0.25: 1,
        0.5: 1,
        0.75: 5,
        0.9: 9,
        0.95: 9,
        0.99: 9,
        1: 9,
    }
    assert found.suggested == 10 * DAY  # a limit of 9 would cut at the gap of 9


def test_without_a_goal_every_gap_of_a_customer_counts(log):
    assert log.suggest_inactivity().n_gaps == 13 - 5


def test_each_limit_shows_the_outcomes_that_it_means(log):
    found = log.suggest_inactivity(goal="buy", limits=[7 * DAY, 30 * DAY])
    at_seven, at_thirty = found.limits
    # the worked example: 3 converted, 3 dropped, 2 in progress
    assert at_seven == {
        "limit_s": 7 * 86_400,
        "gaps_shorter": pytest.approx(5 / 6),
        "journeys": 8,
        "converted": pytest.approx(3 / 8),
        "dropped": pytest.approx(3 / 8),
        "in_progress": pytest.approx(2 / 8),
    }
    assert (at_thirty["dropped"], at_thirty["gaps_shorter"]) == (0, 1)


def test_limits_around_the_suggestion_are_compared(log):
    found = log.suggest_inactivity(goal="buy")
    assert np.asarray(found.limits["limit_s"]).tolist() == [
        86_400 * 10 * factor for factor in (0.25, 0.5, 1, 2, 4)
    ]


def test_journey_ids_bound_the_gaps():
    log = cx.InteractionLog.from_frame(
        {
            "who": ["a"] * 4,
            "when": ["2026-01-01", "2026-01-02", "2026-02-01", "2026-02-02"],
            "what": ["x"] * 4,
            "case": [1, 1, 2, 2],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        journey="case",
    )
    assert log.suggest_inactivity().suggested == 2 * DAY


@pytest.mark.parametrize(
    ("gap", "suggested"),
    [
        (timedelta(days=29, seconds=1), timedelta(days=30)),
        (timedelta(days=2), timedelta(days=3)),
        (timedelta(hours=25), timedelta(hours=26)),
        (timedelta(hours=25, seconds=1), timedelta(hours=26)),
        (timedelta(minutes=90), timedelta(minutes=91)),
        (timedelta(minutes=29, seconds=3), timedelta(minutes=30)),
        (timedelta(milliseconds=1), timedelta(seconds=1)),
    ],
)
def test_the_suggestion_is_the_next_round_time_above(gap, suggested):
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(customer="a", touchpoint="x", timestamp=t) for t in (START, START + gap)
    )
    assert log.suggest_inactivity().suggested == suggested


def test_where_nobody_came_twice_nothing_is_suggested(log):
    for lonely in (cx.InteractionLog.from_interactions([]), log.filter(customers="e")):
        found = lonely.suggest_inactivity()
        assert (found.suggested, found.n_gaps, len(found.limits)) == (None, 0, 0)
        assert "there are no gaps from which to suggest a limit" in repr(found)
    asked = log.filter(customers="e").suggest_inactivity(limits=[DAY])
    assert [row["dropped"] for row in asked.limits] == [1.0]


def test_it_survives_json_and_prints_its_assumptions(log):
    found = log.suggest_inactivity(goal="buy")
    assert InactivitySuggestion.from_dict(found.to_dict()) == found
    said = "The suggested limit is 10 days: at least 99% of the 6 gaps are shorter than that."
    assert said in repr(found)


def test_arguments_are_checked(log):
    with pytest.raises(InvalidValue, match="quantile"):
        log.suggest_inactivity(quantile=1.5)
    with pytest.raises(InvalidValue, match="limits"):
        log.suggest_inactivity(limits=[7])
    with pytest.raises(InvalidValue, match="did you mean 'buy'"):
        log.suggest_inactivity(goal="bui")
    with pytest.raises(TimesRequired):
        cx.Journeys.from_paths([["ad"]], converted=[1]).log.suggest_inactivity()


# ---------------------------------------------------------------------- what a limit promises


def visits(days_of, **options):
    """Return a log of one touchpoint from each customer's times in days since 2026."""
    rows = [(c, START + timedelta(days=float(d))) for c, days in enumerate(days_of) for d in days]
    frame = {
        "who": [f"c{c}" for c, _ in rows],
        "when": [t for _, t in rows],
        "what": ["x"] * len(rows),
        "case": [f"c{c}" for c, _ in rows],
    }
    return cx.InteractionLog.from_frame(
        frame, customer="who", timestamp="when", touchpoint="what", **options
    )


@given(
    gaps=st.lists(
        st.lists(
            st.one_of(
                st.integers(0, 60 * 86_400 * 10**6),
                st.sampled_from([1, 3600, 86_400, 7 * 86_400]).map(lambda s: s * 10**6),
            ),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=8,
    ),
    quantile=st.one_of(st.none(), st.floats(0, 1)),
)
def test_a_limit_keeps_together_what_it_was_taken_to_cover(gaps, quantile):
    days = [np.concatenate([[0], np.cumsum(g)]) / 86_400e6 for g in gaps]
    log = visits(days)
    found = log.suggest_inactivity(quantile=quantile)
    n = sum(map(len, gaps))
    torn = len(log.journeys(inactivity=found.suggested)) - len(gaps)
    assert torn <= (1 - found.quantile) * n + 1e-9
    assert quantile is None or found.quantile == quantile
    assert found.suggested in found.plausible


@pytest.mark.parametrize("every", [1, 7, 28, 1 / 24, 1 / 1440])
@pytest.mark.parametrize("hour", [0, 9.2503])
def test_a_regular_rhythm_is_not_torn(every, hour):
    log = visits([hour / 24 + every * np.arange(30) + c * every for c in range(20)])
    limit = log.suggest_inactivity().suggested
    assert every * DAY < limit <= 2.001 * every * DAY
    assert len(log.journeys(inactivity=limit)) == 20


def test_first_days_of_months_are_not_torn():
    months = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])
    log = visits([months] * 5)
    assert log.suggest_inactivity().suggested == 32 * DAY
    assert len(log.journeys(inactivity=32 * DAY)) == 5


# ---------------------------------------------------------------------- coarse timestamps


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])
def test_dates_alone_never_give_a_limit_within_a_day(tz):
    rng = np.random.default_rng(3)
    rows = []
    for c in range(40):
        # forty contacts on each day: most gaps are 0 as recorded
        for day in np.cumsum(rng.integers(1, 3, 12)):
            date = (START + timedelta(days=int(9 * day))).date().isoformat()
            rows += [(f"c{c}", date)] * 40
    log = cx.InteractionLog.from_frame(
        {"who": [w for w, _ in rows], "when": [d for _, d in rows], "what": ["x"] * len(rows)},
        customer="who", timestamp="when", touchpoint="what", tz=tz,
    )  # fmt: skip
    for found in (log.suggest_inactivity(), log.suggest_inactivity(quantile=0.9)):
        assert found.resolution == DAY
        assert found.suggested >= 2 * DAY
        assert found.suggested % DAY == timedelta(0)
        assert "The timestamps tell days only" in repr(found)


@pytest.mark.parametrize(
    ("step", "resolution", "least"),
    [
        (60, timedelta(minutes=1), timedelta(minutes=2)),
        (3600, timedelta(hours=1), timedelta(hours=2)),
        (1, None, timedelta(seconds=1)),
    ],
)
def test_the_limit_lies_above_the_step_of_the_timestamps(step, resolution, least):
    rng = np.random.default_rng(1)
    # most contacts follow within the step that is recorded
    times = [np.floor(np.cumsum(rng.exponential(step / 20, 30)) / step) * step for _ in range(30)]
    log = visits([(10 * 3600 + t) / 86_400 for t in times])
    found = log.suggest_inactivity(quantile=0.5)
    assert found.resolution == resolution
    assert found.suggested == least


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_a_few_dates_are_dates_in_every_zone(tz):
    log = cx.InteractionLog.from_frame(
        {"who": ["a"] * 4, "when": ["2026-01-05", "2026-01-05", "2026-01-06", "2026-01-06"],
         "what": ["x"] * 4},
        customer="who", timestamp="when", touchpoint="what", tz=tz,
    )  # fmt: skip
    assert log.suggest_inactivity().suggested == 2 * DAY
    assert log.suggest_inactivity(quantile=0).suggested == 2 * DAY


def test_one_time_with_seconds_does_not_hide_that_all_others_are_dates():
    days = [np.arange(10.0) for _ in range(30)]
    days[3][4] += 0.123456
    assert visits(days).suggest_inactivity().resolution == DAY


# ---------------------------------------------------------------------- valleys of the gaps


def planted(seed, **options):
    """Return a log of 3 journeys of 4 sessions of 4 clicks a customer; gaps in days.

    Clicks come after about 2 minutes, sessions after 2 days, journeys after 60 days.
    """
    rng = np.random.default_rng(seed)
    times = []
    for _ in range(60):
        kind = np.array(([0, 0, 0, 1] * 3 + [0, 0, 0, 2]) * 3)[:-1]
        typical = np.array([2 / 1440, 2.0, 60.0])[kind]
        gaps = typical * np.exp(rng.normal(0, np.array([0.8, 0.6, 0.3])[kind]))
        times.append(rng.uniform(0, 30) + np.concatenate([[0], np.cumsum(gaps)]))
    return visits(times, **options)


def test_planted_sessions_and_journeys_are_the_valleys():
    for seed in range(5):
        log = planted(seed)
        found = log.suggest_inactivity()
        session, journey = found.valleys
        assert (session["meaning"], journey["meaning"]) == ("session", "journey")
        assert session["gaps_shorter"] == pytest.approx(36 / 47, abs=0.01)
        assert journey["gaps_shorter"] == pytest.approx(45 / 47, abs=0.01)
        assert session["typical_shorter_s"] == pytest.approx(120, rel=0.1)
        assert journey["typical_longer_s"] == pytest.approx(60 * 86_400, rel=0.15)
        assert found.suggested == timedelta(seconds=journey["limit_s"])
        assert found.quantile == journey["gaps_shorter"]
        assert len(log.journeys(inactivity=found.suggested)) == pytest.approx(180, abs=6)
        text = repr(found)
        assert "More than one limit is plausible" in text
        assert "gaps=TransitionGaps()" in text
        assert {row["limit_s"] for row in found.valleys} < {row["limit_s"] for row in found.limits}
        # who asks for a quantile gets it
        assert log.suggest_inactivity(quantile=0.99).suggested > 60 * DAY


def test_the_sample_is_cut_where_it_was_made():
    inside = 0
    for seed in range(40):
        log = cx.datasets.sample(seed=seed, customers=80).log
        found = log.suggest_inactivity(goal="order", limits=())
        inside += timedelta(days=10) <= found.suggested <= timedelta(days=16)
        assert len(found.plausible) > 1
    assert inside >= 38


@pytest.mark.parametrize("seed", range(20))
def test_gaps_with_one_hill_have_no_valley(seed):
    rng = np.random.default_rng(seed)
    # how often somebody comes has a heavy tail, and so has how long each usually stays away
    often = np.minimum(np.ceil((1 - rng.random(60)) ** (-1 / 1.2)), 300).astype(int)
    found = visits(
        [np.cumsum(rng.exponential(np.exp(rng.normal(0, 1)), n + 1)) for n in often]
    ).suggest_inactivity()
    assert len(found.valleys) == 0


def test_gaps_of_one_customer_make_no_valley():
    days = np.cumsum([0, *[0.001] * 30, *[30.0] * 30])
    assert len(visits([days, [0]]).suggest_inactivity().valleys) == 0


def test_case_ids_know_journeys_better_than_valleys():
    assert len(planted(1, journey="case").suggest_inactivity().valleys) == 0


def test_a_shop_is_cut_between_its_sessions(shared):
    log = cx.read_csv(
        shared / "data" / "retentioneering_simple_shop" / "simple-onlineshop.csv",
        customer="user_id",
        timestamp="timestamp",
        touchpoint="event",
    )
    found = log.suggest_inactivity(goal="payment_done")
    # hardly a gap lies between 2 minutes and 1 hour; 99% of the gaps are shorter than 27 days
    assert timedelta(minutes=2) < found.suggested < timedelta(hours=1)
    assert [row["meaning"] for row in found.valleys] == ["session"]
    assert timedelta(days=27) in found.plausible


def test_limits_in_one_empty_valley_are_one_choice():
    # 94.8% of the gaps are seconds, the rest days: the limit of 95% says no more than the valley
    rng = np.random.default_rng(2)
    days = [
        np.concatenate([[0], np.cumsum(np.where(np.arange(1, 60) % 20, 1e-4, 5.0) * z)])
        for z in np.exp(rng.normal(0, 0.3, (60, 59)))
    ]
    found = visits(days).suggest_inactivity()
    assert found.quantile == pytest.approx(57 / 59, abs=0.001)
    shares = [np.mean([g < limit / DAY for d in days for g in np.diff(d)])
              for limit in found.plausible]  # fmt: skip
    assert min(np.diff(shares), default=1) > 0.005


# ---------------------------------------------------------------------- nobody chose


def test_a_report_is_not_sure_on_a_limit_that_nobody_chose():
    log = cx.datasets.sample(seed=2, customers=900).log
    found = log.suggest_inactivity(goal="order")
    journeys = log.journeys(goal="order", inactivity=found.suggested)
    report = cx.report.build(journeys, suggestion=found)
    chosen, unchosen = cx.report.build(journeys).sections[0], report.sections[0]
    unsure = "not certain until the inactivity limit is chosen"
    assert len(chosen.ranked) == len(unchosen.ranked) > 1
    assert not any(unsure in text for _, text in chosen.ranked)
    assert all(unsure in text for _, text in unchosen.ranked)
    for section in report.sections:
        if section.anchor == "findings":
            assert section.remarks[0].startswith("Nobody has chosen the inactivity limit. 1")
            assert not any(re.search(r"\bis sure|\bare sure\b,|surely", x) for x in section.remarks)
        elif section.anchor in {"map", "funnel", "exits", "metrics"}:
            assert any("which nobody has chosen" in remark for remark in section.remarks)
    assert report.figures[-1].name == "Inactivity limit"
    with pytest.raises(InvalidValue, match="suggestion"):
        cx.report.build(journeys, suggestion=found.suggested)
