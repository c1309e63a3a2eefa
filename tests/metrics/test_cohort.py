from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.metrics import cohort_retention
from cxjourney.metrics._retention.cohort import CohortRetention

TOY = {"u1": [0, 1, 7], "u2": [0, 3], "u3": [0, 8, 30], "u4": [0]}
END = datetime(2026, 2, 10, tzinfo=UTC)
PRAGUE = ZoneInfo("Europe/Prague")


def toy():
    who = [name for name, days in TOY.items() for _ in days]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return who, [start + timedelta(days=d) for days in TOY.values() for d in days]


@pytest.mark.parametrize("window", ["calendar", "rolling"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"kind": "on", "periods": 7}, {"1": 0.25, "7": 0.25}),
        ({"kind": "unbounded", "periods": 30}, {"1+": 0.75, "7+": 0.5}),
        ({"kind": "bracket", "brackets": [(1, 7)]}, {"1-7": 0.5}),
    ],
)
def test_golden_values_of_the_methods(window, options, expected):
    result = cohort_retention(*toy(), window=window, observed_until=END, **options)
    got = {age: result.total[result.ages.index(age)].value for age in expected}
    assert got == expected


@pytest.mark.parametrize("case", [0, 1])
def test_recurring_cohorts_equal_posthog(shared, case):
    item = json.loads((shared / "oracles/retention.json").read_text())["cases"][case]
    who, when = zip(*item["events"], strict=True)
    first = np.datetime64(item["first_day"])
    unit = {"day": "D", "month": "M"}[item["period"]]
    end = (first.astype(f"M8[{unit}]") + item["intervals"]).astype("M8[us]").item()
    result = cohort_retention(
        who,
        [datetime.fromisoformat(w) for w in when],
        unit=item["period"],
        periods=item["intervals"] - 1,
        membership="recurring",
        observed_until=end,
    )
    assert len(result.cohorts) == item["intervals"]
    for row, expected in enumerate(item["expected"]):
        ripe = len(expected)
        assert result.retained[row, :ripe].tolist() == expected
        assert result.eligible[row, :ripe].tolist() == [expected[0]] * ripe
        assert result.eligible[row, ripe:].tolist() == [0] * (item["intervals"] - ripe)
    assert all(np.isnan(total.low) for total in result.total)


def test_immature_cells_are_missing_not_zero():
    result = cohort_retention(*toy(), periods=50, observed_until=END)
    assert result.retained[0, 40] == 0
    assert np.isnan(result.rate[0, 40])
    assert result.rate[0, 39] == 0
    assert np.isnan(result.total[40].value)
    assert result.total[40].n_censored == 4


def test_a_window_that_ends_at_the_end_of_observation_has_elapsed():
    who, when = ["a", "a"], [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]
    for window in ("calendar", "rolling"):
        for end, ripe in (((3,), 1), ((2, 23, 59, 59), 0)):
            result = cohort_retention(
                who,
                when,
                periods=1,
                window=window,
                observed_until=datetime(2026, 1, *end, tzinfo=UTC),
            )
            assert result.eligible[0, 1] == ripe


def test_the_edge_of_a_cohort_is_midnight_in_the_zone():
    edge = datetime(2026, 3, 1, tzinfo=PRAGUE)
    timestamps = [edge - timedelta(microseconds=1), edge]
    result = cohort_retention(
        ["before", "after"], timestamps, unit="month", time_zone="Europe/Prague", observed_until=END
    )
    assert result.cohorts == ()  # both lie after the end of observation
    assert result.n_later == 2
    result = cohort_retention(
        ["before", "after"], timestamps, unit="month", time_zone="Europe/Prague"
    )
    assert result.cohorts == ("2026-02", "2026-03")
    assert result.size.tolist() == [1, 1]
    result = cohort_retention(["before", "after"], timestamps, unit="month", time_zone="UTC")
    assert result.size.tolist() == [2]


def test_a_customer_of_one_minute_to_midnight_is_a_day_old_after_it():
    timestamps = [datetime(2026, 1, 1, 23, 59, tzinfo=UTC), datetime(2026, 1, 2, 0, 1, tzinfo=UTC)]
    by_day = cohort_retention(["a", "a"], timestamps, periods=1, observed_until=END)
    by_hours = cohort_retention(
        ["a", "a"], timestamps, periods=1, window="rolling", observed_until=END
    )
    assert by_day.retained[0].tolist() == [1, 1]
    assert by_hours.retained[0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("start", "back", "calendar", "rolling"),
    [
        # 25 October 2026 has 25 hours in Prague: 24 hours after its first minutes it is still on
        ((2026, 10, 25, 0, 10), timedelta(hours=24), 0, 1),
        ((2026, 10, 24, 23, 30), timedelta(hours=25), 1, 1),
        # 29 March 2026 has 23 hours: 23 hours and a half later it is the day after
        ((2026, 3, 29, 0, 10), timedelta(hours=23, minutes=30), 1, 0),
    ],
)
def test_daylight_saving_nights(start, back, calendar, rolling):
    first = datetime(*start, tzinfo=PRAGUE).astimezone(UTC)
    for window, age in (("calendar", calendar), ("rolling", rolling)):
        result = cohort_retention(
            ["a", "a"],
            [first, first + back],
            periods=1,
            window=window,
            time_zone="Europe/Prague",
            observed_until=first + timedelta(days=9),
        )
        assert result.retained[0].tolist() == ([1, 1] if age else [1, 0])


def test_weeks_begin_on_monday():
    timestamps = [datetime(2026, 1, 4, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)]
    result = cohort_retention(["sun", "mon"], timestamps, unit="week", observed_until=END)
    assert result.cohorts[:2] == ("2025-12-29", "2026-01-05")


def test_weekly_cohorts_with_daily_ages():
    timestamps = [
        datetime(2026, 1, 5, tzinfo=UTC),
        datetime(2026, 1, 9, tzinfo=UTC),
        datetime(2026, 1, 10, tzinfo=UTC),
    ]
    result = cohort_retention(
        ["a", "b", "b"],
        timestamps,
        cohort="week",
        periods=1,
        observed_until=datetime(2026, 1, 11, tzinfo=UTC),
    )
    assert result.cohorts == ("2026-01-05",)
    assert result.size.tolist() == [2]
    assert result.eligible[0].tolist() == [2, 2]
    assert result.rate[0].tolist() == [1, 0.5]


def test_only_rows_marked_as_starts_start_a_customer():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    timestamps = [start, start + timedelta(days=2), start + timedelta(days=3), start]
    result = cohort_retention(
        ["a", "a", "a", "visitor"],
        timestamps,
        starts=[False, True, False, False],
        periods=1,
        observed_until=END,
    )
    assert result.cohorts[0] == "2026-01-03"
    assert result.n == 1
    assert result.retained[0].tolist() == [1, 1]
    rolling = cohort_retention(
        ["a", "a", "a", "visitor"],
        timestamps,
        starts=[False, True, False, False],
        periods=1,
        window="rolling",
        observed_until=END,
    )
    assert rolling.retained[0].tolist() == [1, 1]


def brute(who, when, kind, periods, end):
    # one customer at a time, rolling windows of 24 hours
    out = []
    for n in range(periods + 1):
        first, last = (n, n) if kind == "on" else (n, periods)
        eligible = retained = 0
        for c in set(who):
            mine = [w for w, x in zip(when, who, strict=True) if x == c]
            born = min(mine)
            if born + (last + 1) * 24 <= end:
                eligible += 1
                retained += any(first * 24 <= w - born < (last + 1) * 24 for w in mine)
        out.append((retained, eligible))
    return out


@pytest.mark.parametrize("kind", ["on", "unbounded"])
def test_totals_equal_a_loop_over_customers(kind):
    rng = np.random.default_rng(7)
    who, when = rng.integers(0, 25, 200).tolist(), rng.integers(0, 24 * 20, 200).tolist()
    timestamps = np.datetime64("2026-01-01T05:00") + np.array(when) * np.timedelta64(1, "h")
    end = datetime(2026, 1, 1, 5, tzinfo=UTC) + timedelta(hours=24 * 20)
    result = cohort_retention(
        who, timestamps, kind=kind, periods=6, window="rolling", observed_until=end
    )
    got = [(int(t.numerator), int(t.denominator)) for t in result.total]
    assert got == brute(who, when, kind, 6, 24 * 20)


def test_every_cell_has_wilsons_interval():
    result = cohort_retention(*toy(), periods=1, observed_until=END)
    # Wilson for 1 of 4
    assert (result.low[0, 1], result.high[0, 1]) == pytest.approx((0.045587, 0.699358), abs=1e-6)


def test_missing_customers_and_timestamps_are_counted():
    result = cohort_retention(
        ["a", None, "b", "b"],
        [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), None, END],
    )
    assert result.n == 2
    assert result.n_missing == 2
    assert result.total[0].n_missing == 2


def test_empty_input_has_no_cohorts():
    result = cohort_retention([], [], periods=2)
    assert result.cohorts == ()
    assert [t.notes for t in result.total] == [("empty",)] * 3
    assert cohort_retention([None], [None]).cohorts == ()


def test_dates_and_frames_serve_as_timestamps():
    import pandas as pd
    import polars as pl

    who, when = toy()
    want = cohort_retention(who, when, periods=3).to_dict()
    naive = [w.replace(tzinfo=None) for w in when]
    local = pd.Series(pd.to_datetime(when)).dt.tz_convert("Asia/Tokyo")
    for timestamps in ([date(w.year, w.month, w.day) for w in when], naive, local, pl.Series(when)):
        assert cohort_retention(who, timestamps, periods=3).to_dict() == want


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "month", "window": "rolling"}, "be 'day' or 'week' with rolling windows"),
        ({"kind": "bracket"}, "kind='bracket'"),
        ({"brackets": [(1, 2)]}, "kind='bracket'"),
        ({"kind": "bracket", "brackets": [(3, 2)]}, "0 <= first <= last"),
        ({"periods": -1}, "be a whole number from 0"),
        ({"periods": True}, "be a whole number from 0"),
        ({"unit": "hour"}, "be one of"),
        ({"membership": "recurring", "window": "rolling"}, "calendar windows"),
        ({"observed_until": "2026-01-01"}, "be a datetime"),
        ({"level": 95}, "level"),
    ],
)
def test_contradictions_are_refused(options, message):
    with pytest.raises(InvalidValue, match=message):
        cohort_retention(*toy(), **options)


def test_timestamps_that_are_none_are_refused_with_their_rows():
    with pytest.raises(InvalidData, match="timestamps") as error:
        cohort_retention(["a", "b"], [END, "2026-01-01"])
    assert error.value.rows == (1,)
    with pytest.raises(InvalidValue, match="timestamps"):
        cohort_retention(["a"], np.array([1.5]))


def test_an_unknown_zone_names_the_nearest():
    with pytest.raises(UnknownName, match="Europe/Prague"):
        cohort_retention(*toy(), time_zone="Europe/Pragu")


def test_the_matrix_survives_json_and_prints_its_totals_first():
    result = cohort_retention(*toy(), periods=2, observed_until=END)
    card = result.to_dict()
    assert CohortRetention.from_dict(json.loads(json.dumps(card))).to_dict() == card
    lines = repr(result).splitlines()
    assert lines[3].split() == ["all", "4", "100.0%", "25.0%", "0.0%"]
    assert len(result._table()) == len(result.cohorts) * 3


@pytest.mark.parametrize("window", ["calendar", "rolling"])
@pytest.mark.parametrize("cohort", ["day", "week"])
def test_cells_of_young_cohorts_are_known_as_soon_as_their_age_is_over(window, cohort):
    rng = np.random.default_rng(4)
    start = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
    days = {who: [int(rng.integers(0, 12))] for who in range(40)}
    for own in days.values():
        own += [own[0] + int(d) for d in rng.integers(1, 12, rng.integers(0, 4))]
    end = 12
    seen = {who: sorted(d for d in own if d <= end) for who, own in days.items()}
    seen = {who: own for who, own in seen.items() if own}
    rows = [(who, start + timedelta(days=d, hours=1)) for who, own in seen.items() for d in own]
    result = cohort_retention(
        [who for who, _ in rows],
        [when for _, when in rows],
        unit="day",
        cohort=cohort,
        periods=6,
        kind="unbounded",
        window=window,
        observed_until=start + timedelta(days=end, hours=2),
    )
    width = 1 if cohort == "day" else 7
    full = 0
    for row, label in enumerate(result.cohorts):
        number = (datetime.fromisoformat(label).replace(tzinfo=UTC) - start).days // width
        members = [own for own in seen.values() if own[0] // width == number]
        for age in range(7):
            known = [own for own in members if end - own[0] > age]
            back = [own for own in known if any(age <= d - own[0] <= 6 for d in own)]
            assert (result.eligible[row, age], result.retained[row, age]) == (
                len(known),
                len(back),
            ), (label, age)
        full += sum(end - own[0] > 6 for own in members)
    assert {total.denominator for total in result.total} == {full}
    assert (result.rate[:, 0][result.eligible[:, 0] > 0] == 1).all()  # age 0 is the start itself
    young = result.eligible[:, -1] == 0
    assert (result.eligible[young, 0] > 0).any()
    assert "age N is not over" in str(result)


@pytest.mark.parametrize(
    ("days", "window", "unit"),
    [
        (60, "calendar", "day"),
        (200, "calendar", "week"),
        (800, "calendar", "month"),
        (800, "rolling", "week"),
    ],
)
def test_the_unit_of_age_follows_the_span_of_the_activity(days, window, unit):
    when = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=d) for d in range(0, days, 3)]
    result = cohort_retention(
        ["a", "b", "c"] * (len(when) // 3), when[: len(when) // 3 * 3], window=window
    )
    assert (result.unit, result.cohort) == (unit, unit)
