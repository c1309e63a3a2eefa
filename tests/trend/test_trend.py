"""Figures by period: values, periods too young to be final, and since when they are others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from cxjourney import InteractionLog, Journeys, Trend, trend
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, TimesRequired, UnknownName
from cxjourney.metrics import Metric, all_metrics

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


def test_expected_of_a_young_week_is_what_final_weeks_had_at_the_same_age(steady: Journeys) -> None:
    found = trend(steady, "conversion_rate")
    assert found.within is not None
    until = steady.log.observed_until
    assert until is not None
    rows = []  # week, days followed, days to the conversion within the time or None
    for journey in steady:
        begin = journey.interactions[0].timestamp
        took = journey.interactions[-1].timestamp - begin
        won = journey.outcome.value == "converted" and took <= found.within
        rows.append(((begin - BEGIN).days // 7, until - begin, took if won else None))
    young = {week for week, age, _ in rows if age < found.within}
    assert young == set(np.flatnonzero(np.asarray(found.periods["censored"])).tolist())
    final = [row for row in rows if row[0] not in young]
    delays = [took for _, _, took in final if took is not None]
    center = len(delays) / len(final)
    assert found.center == pytest.approx(center)
    for week in young:
        ages = [min(age, found.within) for w, age, _ in rows if w == week]
        q = [center * sum(took <= age for took in delays) / len(delays) for age in ages]
        assert found.periods["expected"][week] == pytest.approx(np.mean(q))
        seen = sum(took is not None for w, _, took in rows if w == week)
        assert found.periods["value"][week] == pytest.approx(seen / len(ages))
        wide = max(found.spread, 1.0) * np.sqrt(sum(x * (1 - x) for x in q))
        assert found.periods["outside"][week] == (abs(seen - sum(q)) > 3 * wide and sum(q) >= 5)


def test_a_collapse_shows_in_a_young_week_at_once() -> None:
    rng = np.random.default_rng(8)
    rows = []
    for i, day in enumerate(rng.integers(0, 182, 4_000).tolist()):
        start = BEGIN + timedelta(days=day, hours=9)
        rows.append((f"c{i}", "ad", start))
        if rng.random() < 0.4 * (day < 168):  # nobody of the last two weeks converts
            rows.append((f"c{i}", "buy", start + timedelta(days=rng.exponential(5))))
    until = BEGIN + timedelta(days=182)
    customer, touchpoint, when = zip(*(row for row in rows if row[2] < until), strict=True)
    log = InteractionLog.from_frame(
        {"c": customer, "t": touchpoint, "w": list(when)},
        customer="c",
        touchpoint="t",
        timestamp="w",
        observed_until=until,
    )
    found = trend(log.journeys(goal="buy", inactivity=timedelta(days=20)), "conversion_rate")
    outside = np.asarray(found.periods["outside"])
    assert found.periods["censored"][-2:].tolist() == [True, True]
    assert outside[-2]
    assert not outside[:-2].any()


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


def test_a_week_that_all_share_is_no_change_of_customers() -> None:
    def called(week_sd: float, jump: float) -> int:
        found = 0
        for seed in range(30):
            rng = np.random.default_rng(seed)
            day = np.sort(rng.integers(0, 182, 2_000))
            chance = 0.4 + rng.normal(0, week_sd, 26)[day // 7] + jump * (day >= 91)
            won = rng.random(2_000) < chance
            log = InteractionLog.from_frame(
                {
                    "c": [f"c{i}" for i in range(2_000)],
                    "t": ["ad"] * 2_000,
                    "w": [BEGIN + timedelta(days=d) for d in day.tolist()],
                    "v": won.astype(float),
                },
                customer="c",
                touchpoint="t",
                timestamp="w",
                score="v",
            )
            found += trend(log, "score").p <= 0.05
        return found

    assert called(0.0, 0.0) <= 5  # 1.5 are to be expected at .05; 6 or more have p = .003
    assert called(0.1, 0.0) <= 5  # by signs of customers alone 20
    assert called(0.0, 0.12) >= 26


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
    # what comes after the last goal is no visit that led to it
    kept = log.filter(rows=np.arange(len(log)) != rows.index(("a", "buy", 6)))
    journeys = kept.journeys(goal="buy", inactivity=timedelta(days=7), after_goal="keep")
    assert trend(journeys, "conversion_after:help", by="month").periods["value"].tolist() == [0.0]


def test_metric_of_ones_own_and_segments(steady: Journeys) -> None:
    length = Metric(
        name="length",
        unit="visits",
        direction="neither",
        definition="visits of a journey",
        per_journey=lambda journeys: journeys.lengths,
    )
    found = trend(steady, length, by="month")
    assert (found.figure, found.unit) == ("length", "visits")
    whole = np.average(found.periods["value"], weights=np.asarray(found.periods["n"]))
    assert whole == pytest.approx(steady.lengths.mean())
    by_device = trend(steady, "conversion_rate", by="month", segment="device")
    assert by_device.values == ("app", "web")
    n = sum(int(np.sum(part.periods["n"])) for _, part in by_device)
    assert n == np.sum(trend(steady, "conversion_rate").periods["n"])


def counted(by: str, figure: str = "journeys", **window: datetime) -> Trend:
    """Return the trend of 4 journeys a day on weekdays, 1 on Sundays, from 2026-01-05 on."""
    days = [d for d in range(70) for _ in range(1 if d % 7 == 6 else 4)]
    log = InteractionLog.from_frame(
        {
            "c": [f"c{i}" for i in range(len(days))],
            "t": ["ad" if i % 2 else "web" for i in range(len(days))],
            "w": [BEGIN + timedelta(days=d, hours=9) for d in days],
        },
        customer="c",
        touchpoint="t",
        timestamp="w",
        **window,
    )
    return trend(log, figure, by=by)  # type: ignore[call-overload]


def test_numbers_are_those_of_a_day_that_was_observed() -> None:
    found = counted("week", observed_until=BEGIN + timedelta(days=80))
    assert found.unit == "journeys a day"
    assert found.periods["n"].tolist() == [25] * 10 + [0, 0]
    assert found.periods["value"].tolist() == [25 / 7] * 10 + [0, 0]
    assert found.periods["censored"].tolist() == [False] * 11 + [True]  # 80 days are 11 3/7 weeks
    assert found.center == pytest.approx(250 / 77)
    late = counted("month", observed_until=BEGIN + timedelta(days=69, hours=9))
    january, february, march = range(27), range(27, 55), range(55, 70)
    assert late.periods["period"] == ("2026-01", "2026-02", "2026-03")
    for row, days in enumerate((january, february, march)):
        n = sum(1 if d % 7 == 6 else 4 for d in days)
        assert late.periods["n"][row] == n
        assert late.periods["value"][row] == pytest.approx(n / len(days))
    assert late.periods["censored"].tolist() == [True, False, True]
    whole = counted("quarter", observed_from=BEGIN - timedelta(days=4))
    assert whole.periods["period"] == ("2026-Q1",)
    assert whole.periods["value"][0] == pytest.approx(250 / 74)  # 1 January to 15 March
    carts = counted("week", "visits:web").periods
    assert carts["n"].sum() == 125


def test_limits_of_numbers_are_those_of_a_u_chart() -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(30, 12).tolist()
    counts[8] = 95
    when = [BEGIN + timedelta(days=7 * w, hours=h) for w, n in enumerate(counts) for h in range(n)]
    log = InteractionLog.from_frame(
        {"c": [f"c{i}" for i in range(len(when))], "t": ["ad"] * len(when), "w": when},
        customer="c",
        touchpoint="t",
        timestamp="w",
        observed_until=BEGIN + timedelta(days=84) - timedelta(seconds=1),
    )
    found = trend(log, "journeys")
    k = np.array(counts) / 7
    mean = k.mean()
    error = np.sqrt(mean / 7)
    spread = np.abs(np.diff((k - mean) / error)).mean() / 1.128
    assert found.center == pytest.approx(mean)
    assert found.spread == pytest.approx(spread, rel=1e-3)
    assert found.periods["limit_high"][0] == pytest.approx(mean + 3 * spread * error, rel=1e-3)
    assert found.periods["low"][0] < k[0] < found.periods["high"][0]


def test_intervals_of_numbers_cover_and_widen_where_customers_come_often() -> None:
    covered = {1: 0, 5: 0}
    width = {1: 0.0, 5: 0.0}
    for often in covered:
        for seed in range(60):
            rng = np.random.default_rng(seed)
            n = rng.poisson(200 // often)
            day = np.repeat(rng.integers(0, 7, n), often)
            log = InteractionLog.from_frame(
                {
                    "c": [f"{seed}-{i // often}" for i in range(len(day))],
                    "t": [f"t{i % often}" for i in range(len(day))],  # no two alike in a row
                    "w": [BEGIN + timedelta(days=d, minutes=i) for i, d in enumerate(day.tolist())],
                },
                customer="c",
                touchpoint="t",
                timestamp="w",
                observed_from=BEGIN,
                observed_until=BEGIN + timedelta(days=7) - timedelta(seconds=1),
            )
            week = trend(log, "visits", tz="UTC").periods.row(0)
            covered[often] += week["low"] <= 200 / 7 <= week["high"]
            width[often] += week["high"] - week["low"]
    assert min(covered.values()) >= 52  # of 60; 51 or fewer have a probability of .004 at .95
    assert 1.8 < width[5] / width[1] < 2.7  # √5


def test_change_of_numbers_has_a_week() -> None:
    rng = np.random.default_rng(5)
    daily = np.concatenate([rng.poisson(20, 98), rng.poisson(30, 84)])
    when = [BEGIN + timedelta(days=d, minutes=m) for d, n in enumerate(daily) for m in range(n)]
    log = InteractionLog.from_frame(
        {"c": [f"c{i}" for i in range(len(when))], "t": ["ad"] * len(when), "w": when},
        customer="c",
        touchpoint="t",
        timestamp="w",
    )
    found = trend(log, "visits", by="month")
    assert found.p < 0.01
    assert found.since_low <= "2026-04-13" <= found.since_high  # 98 days after 5 January
    assert found.before == pytest.approx(daily[:98].mean(), abs=1.5)
    assert found.after == pytest.approx(daily[98:].mean(), abs=1.5)


def test_visits_are_counted_within_one_time_for_all(steady: Journeys) -> None:
    found = trend(steady, "visits_per_journey", by="month")
    assert found.within is not None
    expected = [
        sum(i.timestamp - j.interactions[0].timestamp <= found.within for i in j.interactions)
        - (j.interactions[-1].touchpoint.name == "buy"
           and j.interactions[-1].timestamp - j.interactions[0].timestamp <= found.within)
        for j in steady
        if j.interactions[0].timestamp.month == 1
    ]  # fmt: skip
    assert found.periods["value"][0] == pytest.approx(np.mean(expected))
    assert bool(found.periods["censored"][-1])


def test_neither_order_nor_names_of_rows_matter() -> None:
    rng = np.random.default_rng(0)
    rows = [(f"c{i}", t, BEGIN + timedelta(days=int(d), hours=h))
            for i, d in enumerate(rng.integers(0, 120, 300))
            for h, t in enumerate(("ad", "web", "buy")[: 2 + i % 2])]  # fmt: skip

    def found(order: list[int], prefix: str) -> list[object]:
        customer, touchpoint, when = zip(*(rows[i] for i in order), strict=True)
        log = InteractionLog.from_frame(
            {"c": customer, "t": [prefix + t for t in touchpoint], "w": list(when)},
            customer="c",
            touchpoint="t",
            timestamp="w",
        )
        journeys = log.journeys(goal=f"{prefix}buy", inactivity=timedelta(days=7))
        return [
            {**trend(journeys, figure).to_dict(), "figure": "", "notes": []}
            for figure in ("conversion_rate", f"exit_rate:{prefix}web", "journeys", "conversions")
        ]

    first = found(list(range(len(rows))), "")
    assert found(rng.permutation(len(rows)).tolist(), "x ") == first


def test_one_interaction_is_charted() -> None:
    log = InteractionLog.from_frame(
        {"c": ["a"], "t": ["web"], "w": [BEGIN]}, customer="c", touchpoint="t", timestamp="w"
    )
    for figure in ("journeys", "visits:web", "visits_per_journey"):
        found = trend(log, figure)
        assert found.periods["n"].tolist() == [1]
        assert found.p == 1


def test_shares_of_ones_own_are_not_held_against_an_age_that_nobody_knows(steady: Journeys) -> None:
    won = Metric(
        name="won",
        unit="fraction",
        direction="higher",
        definition="",
        per_journey=lambda journeys: journeys.converted,
    )
    found = trend(steady, won)
    young = np.asarray(found.periods["censored"])
    assert young.any()
    assert np.isnan(found.periods["expected"]).all()
    assert not np.asarray(found.periods["outside"])[young].any()
    assert "expected" not in " ".join(found.notes)
    january = [j.outcome.value == "converted" for j in steady
               if j.interactions[0].timestamp < BEGIN + timedelta(days=7)]  # fmt: skip
    assert found.periods["value"][0] == pytest.approx(np.mean(january))


def test_segments_without_a_value_have_an_empty_chart() -> None:
    rows = [("a", "web", 0, "app"), ("a", "buy", 1, "app"), ("b", "web", 2, "web")]
    customer, touchpoint, day, device = zip(*rows, strict=True)
    when = [BEGIN + timedelta(days=d) for d in day]
    log = InteractionLog.from_frame(
        {"c": customer, "t": touchpoint, "w": when, "device": device, "v": [None, 9.0, None]},
        customer="c",
        touchpoint="t",
        timestamp="w",
        value="v",
        currency="EUR",
        attributes=["device"],
        observed_until=BEGIN + timedelta(days=28),
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    for figure, n in (("value_per_conversion", [0]), ("conversions", [0] * 4)):
        found = trend(journeys, figure, segment="device")
        assert sum(found["app"].periods["n"]) == 1
        assert found["web"].periods["n"].tolist() == n
        assert found["web"].p == 1
    assert np.isnan(trend(journeys, "value_per_conversion", segment="device")["web"].center)


def test_result_goes_to_json_and_back(steady: Journeys) -> None:
    found = trend(steady, "conversion_rate", by="month")
    assert Trend.from_dict(found.to_dict()).to_dict() == found.to_dict()
    assert "No date stands out" in repr(found)
    assert repr(found).splitlines()[1] == "conversion_rate by month"
    assert repr(trend(steady, "visits")).splitlines()[1] == "visits by week, in visits a day"


def test_messages_name_what_there_is(steady: Journeys) -> None:
    with pytest.raises(UnknownName, match="conversion_after"):
        trend(steady, "conversion")
    with pytest.raises(UnknownName, match="'ad', 'cart'"):
        trend(steady, "exit_rate:basket")
    with pytest.raises(InvalidValue, match="touchpoint after a colon"):
        trend(steady, "conversion_after")
    with pytest.raises(InvalidValue, match="no touchpoint"):
        trend(steady, "conversion_rate:cart")
    with pytest.raises(InvalidValue, match="goal=") as lacking:
        trend(steady.log, "conversion_rate")
    assert "trend" in str(lacking.value)
    with pytest.raises(OutcomeUndetermined):
        trend(steady.log, "exit_rate")
    with pytest.raises(InvalidValue, match="per_journey"):
        trend(steady, all_metrics()["nps"])  # type: ignore[call-overload]
    card = {"name": "odd", "unit": "", "direction": "neither", "definition": ""}
    for odd in (lambda _: [1.0], lambda j: np.full(len(j), np.inf), lambda j: ["a"] * len(j)):
        with pytest.raises(InvalidValue, match="one a journey"):
            trend(steady, Metric(**card, per_journey=odd))
    with pytest.raises(InvalidValue, match="nothing to chart"):
        trend(steady, Metric(**card, per_journey=lambda j: np.full(len(j), np.nan)))
    ancient = {"c": ["a", "b"], "t": ["x", "y"], "w": [datetime(1990, 1, 1, tzinfo=UTC), BEGIN]}
    log = InteractionLog.from_frame(ancient, customer="c", touchpoint="t", timestamp="w")
    with pytest.raises(InvalidValue, match="by must give at most"):
        trend(log, "journeys", by="day")
    with pytest.raises(TimesRequired):
        trend(Journeys.from_paths([["a"]], converted=[1], dropped=[1]), "conversion_rate")


def test_picture(steady: Journeys) -> None:
    pytest.importorskip("matplotlib")
    axes = trend(steady, "conversion_rate", by="month").plot()
    assert len(axes.get_xticklabels()) == 7  # January to July
    for by in ("week", "month", "quarter"):
        changed = trend(shop(seed=3, customers=3_000, jump=0.2), "conversion_rate", by=by)
        axes = changed.plot()
        assert "change" in [text.get_text() for text in axes.get_legend().get_texts()]
        (line,) = [x for x in axes.get_lines() if x.get_linestyle() == "--"]
        period = changed.periods["period"][round(line.get_xdata()[0] + 0.5)]
        month = f"{changed.since[:4]}-Q{(int(changed.since[5:7]) - 1) // 3 + 1}"
        expected = {"week": period, "month": changed.since[:7], "quarter": month}[by]
        assert period == expected
        assert (
            by != "week"
            or 0 <= (date.fromisoformat(changed.since) - date.fromisoformat(period)).days < 7
        )
