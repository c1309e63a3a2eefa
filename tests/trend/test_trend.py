"""Figures by period: values, periods too young to be final, and since when they are others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cxjourney import InteractionLog, Journeys
from cxjourney._trend import Metric, Trend, trend
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday


def shop(
    *, seed: int, days: int = 182, customers: int = 1_500, jump: float = 0.0, at: int = 100
) -> Journeys:
    """Return journeys ad, web (cart) with a goal; the rate of conversion jumps on a day."""
    rng = np.random.default_rng(seed)
    day = rng.integers(0, days, customers)
    lag = rng.exponential(4, customers)
    won = rng.random(customers) < 0.4 + jump * (day >= at)
    rows: list[tuple[str, str, datetime, str]] = []
    for i, (d, gap, w) in enumerate(zip(day.tolist(), lag.tolist(), won.tolist(), strict=True)):
        start = BEGIN + timedelta(days=d, hours=9)
        device = "app" if i % 3 else "web"
        rows += [(f"c{i}", "ad", start, device), (f"c{i}", "cart", start + timedelta(1), device)]
        if w and gap < 12:
            rows.append((f"c{i}", "buy", start + timedelta(1 + gap), device))
    until = BEGIN + timedelta(days=days)
    rows = [row for row in rows if row[2] < until]
    customer, touchpoint, when, kind = zip(*rows, strict=True)
    log = InteractionLog.from_frame(
        {"c": customer, "t": touchpoint, "w": list(when), "device": kind},
        customer="c",
        touchpoint="t",
        timestamp="w",
        attributes=["device"],
        observed_until=until,
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=13))


@pytest.fixture(scope="module")
def steady() -> Journeys:
    return shop(seed=1)


def test_values_are_shares_of_the_journeys_that_began_in_a_period(steady: Journeys) -> None:
    found = trend(steady, "conversion_rate", by="week")
    starts = np.array([j.interactions[0].timestamp for j in steady])
    week = np.array([(s - BEGIN).days // 7 for s in starts])
    won = steady.converted
    periods = found.periods
    assert periods["period"][:2] == ("2026-01-05", "2026-01-12")
    assert len(periods) == 26
    mature = np.flatnonzero(~np.asarray(periods["censored"]))
    assert len(mature) >= 23
    took = np.array(
        [
            (j.interactions[-1].timestamp - j.interactions[0].timestamp).total_seconds()
            for j in steady
        ]
    )
    days = np.ceil(np.quantile(took[won], 0.9) / 86_400)
    for w in mature[:5].tolist():
        mine = week == w
        assert periods["n"][w] == mine.sum()
        assert periods["value"][w] == pytest.approx(
            (won & (took <= days * 86_400))[mine].mean(), abs=1e-12
        )
        assert periods["low"][w] < periods["value"][w] < periods["high"][w]


def test_young_periods_are_held_against_the_same_age() -> None:
    alarms = naive = 0
    for seed in range(12):
        found = trend(shop(seed=seed, customers=5_000), "conversion_rate", by="week").periods
        young = np.flatnonzero(np.asarray(found["censored"]))
        assert 1 <= len(young) <= 3
        last = int(young[-1])
        assert found["expected"][last] < 0.3  # not the 40 % of older weeks
        alarms += bool(np.asarray(found["outside"])[young].any())
        final = np.setdiff1d(np.arange(26), young)
        mean = np.average(np.asarray(found["value"])[final], weights=np.asarray(found["n"])[final])
        error = np.sqrt(mean * (1 - mean) / found["n"][last])
        naive += abs(found["value"][last] - mean) > 3 * error
    assert naive >= 10  # counted as they are, the last week alarms nearly always
    assert alarms <= 2


def test_change_is_found_at_its_date_in_either_direction() -> None:
    for jump in (0.2, -0.2):
        found = trend(shop(seed=3, customers=3_000, jump=jump), "conversion_rate", by="week")
        assert found.p < 0.001
        planted = (BEGIN + timedelta(days=100)).date().isoformat()
        assert found.since_low <= planted <= found.since_high
        assert (found.after - found.before) * jump > 0.1 * abs(jump)
        assert found.after - found.before == pytest.approx(jump, abs=0.08)


def test_change_is_not_found_where_there_is_none() -> None:
    false = sum(
        trend(shop(seed=seed, customers=600), "conversion_rate").p <= 0.05 for seed in range(100)
    )
    assert false <= 12  # 5 are to be expected; 13 or more has a probability of .002


def test_exit_rate_counts_visits_that_were_followed_to_the_limit(steady: Journeys) -> None:
    periods = trend(steady, "exit_rate:cart", by="month").periods
    carts = [
        (i.timestamp, j.outcome.value != "converted", k)
        for k, j in enumerate(steady)
        for i in j.interactions
        if i.touchpoint == "cart" or getattr(i.touchpoint, "name", "") == "cart"
    ]
    january = [lost for when, lost, _ in carts if when.month == 1]
    assert periods["n"][0] == len(january)
    assert periods["value"][0] == pytest.approx(np.mean(january))


def test_goal_that_ends_nothing_converts_when_it_is_reached() -> None:
    rows = [
        ("a", "web", 0), ("a", "buy", 2), ("a", "help", 4), ("a", "buy", 6),
        ("b", "web", 1), ("b", "help", 2), ("c", "web", 40), ("c", "buy", 41),
    ]  # fmt: skip
    customer, touchpoint, day = zip(*rows, strict=True)
    log = InteractionLog.from_frame(
        {"c": customer, "t": touchpoint, "w": [BEGIN + timedelta(days=d) for d in day]},
        customer="c",
        touchpoint="t",
        timestamp="w",
        observed_until=BEGIN + timedelta(days=120),
    )
    for after in ("keep", "new_journey"):
        journeys = log.journeys(goal="buy", inactivity=timedelta(days=7), after_goal=after)
        found = trend(journeys, "conversion_after:web", by="month").periods
        assert found["n"].tolist() == [2, 1]
        assert found["value"].tolist() == [0.5, 1.0]


def test_metric_of_ones_own_and_segments(steady: Journeys) -> None:
    longest = Metric.of_journeys("visits", lambda journeys: journeys.lengths.astype(float))
    found = trend(steady, longest, by="month")
    assert (found.figure, found.unit) == ("visits", "")
    whole = np.average(found.periods["value"], weights=np.asarray(found.periods["n"]))
    assert whole == pytest.approx(steady.lengths.mean())
    by_device = trend(steady, "conversion_rate", by="month", segment="device")
    assert by_device.values == ("app", "web")
    n = sum(int(np.sum(part.periods["n"])) for _, part in by_device)
    assert n == np.sum(trend(steady, "conversion_rate").periods["n"])


def test_result_goes_to_json_and_back(steady: Journeys) -> None:
    found = trend(steady, "conversion_rate", by="month")
    assert Trend.from_dict(found.to_dict()).to_dict() == found.to_dict()
    assert "No change since any date" in repr(found)


def test_messages_name_what_there_is(steady: Journeys) -> None:
    with pytest.raises(UnknownName, match="conversion_after"):
        trend(steady, "conversions")
    with pytest.raises(UnknownName, match="'ad', 'cart'"):
        trend(steady, "exit_rate:basket")
    with pytest.raises(InvalidValue, match="touchpoint after a colon"):
        trend(steady, "conversion_after")
    with pytest.raises(InvalidValue, match="no touchpoint"):
        trend(steady, "conversion_rate:cart")
    with pytest.raises(TimesRequired):
        trend(Journeys.from_paths([["a"]], converted=[1], dropped=[1]), "conversion_rate")


def test_picture(steady: Journeys) -> None:
    pytest.importorskip("matplotlib")
    axes = trend(steady, "conversion_rate", by="month").plot()
    assert len(axes.get_xticklabels()) == 7  # January to July
