"""Sessions, repeats and daily states of a shop, as retentioneering 5.2.4 has them."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest

import cxjourney as cx


@pytest.fixture(scope="module")
def told(shared):
    text = (shared / "oracles" / "path_patterns.json").read_text(encoding="utf-8")
    return json.loads(text)["cases"]["log"]


@pytest.fixture(scope="module")
def log(shared):
    path = shared / "data" / "retentioneering_simple_shop" / "simple-onlineshop.csv"
    return cx.read_csv(
        path, customer="user_id", touchpoint="event", timestamp="timestamp", tz="UTC"
    )


def counts_of(log):
    coded = log.columns.coded["touchpoint"]
    return dict(zip(coded.names, np.bincount(coded.codes).tolist(), strict=False))


def test_the_shop_is_read(log, told):
    assert (len(log), log.n_customers) == (told["rows"], told["users"])
    tied = (np.diff(log.columns.customer) == 0) & (np.diff(log.columns.time) == 0)
    assert np.count_nonzero(tied) == told["rows_tied_on_user_and_time"]


MORE = timedelta(minutes=30, microseconds=1)  # a silence longer than 30 minutes; here: at least


@pytest.mark.parametrize(
    ("number", "options"),
    [(0, {"separator": "main"}), (1, {"gap": MORE}), (2, {"separator": "main", "gap": MORE})],
)
def test_sessions_of_the_shop(log, told, number, options):
    case = told["sessions"][number]
    assert case["call"].count("separator") == ("separator" in options)
    assert case["call"].count("timeout") == ("gap" in options)
    answer, cut = case["answer"], log.sessions(**options)
    assert len(cut) == answer["rows_kept"]
    columns = cut.columns
    sessions = np.unique([columns.customer, columns.coded["journey"].codes], axis=1)[0]
    each = np.bincount(sessions, minlength=log.n_customers)
    own = case.get("own", {})
    rows = len(cut)
    if "separator" in options:
        # what comes before the first separator is a session here, and none there
        assert each.sum() == own.get("including_events_before_first_separator", each.sum())
        journeys = log.journeys()
        each[journeys.filter("^ -> [^main]").customer] -= 1
        rows = len(journeys.truncate(start="main").columns) - counts_of(log)["main"]
        assert (each.sum(), rows) == (
            own.get("only_after_a_separator", each.sum()),
            own.get("events_after", rows),
        )
        assert len(cut) - rows == own.get("events_before_first", len(cut) - rows)
    assert rows == answer["rows_in_a_session"]
    assert each.sum() == answer["sessions"] == case.get("own_sessions", answer["sessions"])
    assert np.count_nonzero(each) == answer["users_with_a_session"]
    assert each.max() == answer["max_sessions_per_user"]


def test_repeats_of_the_shop(log, told):
    loops, groups = told["collapse"]
    once = log.collapse_repeats()
    assert len(once) == loops["rows"] == loops["own"]
    counts = counts_of(once)
    assert {name: counts[name] for name in loops["counts"]} == loops["counts"]
    several = dict.fromkeys(("delivery_choice", "delivery_courier", "delivery_pickup"), "delivery")
    assert all(name in groups["call"] for name in several)
    merged = log.rename(several).collapse_repeats(touchpoints="delivery")
    assert len(merged) == groups["rows"] == groups["own"]
    assert counts_of(merged)["delivery"] == groups["delivery"]


DAY = np.timedelta64(1, "D")
LONG_AGO = np.datetime64("1900-01-01")


def days_of(log):
    """Return the days on which each customer was active, by the states of a lifecycle."""
    columns = log.columns
    who = np.array(log.customer_ids)[columns.customer]
    when = columns.time.astype("datetime64[us]")
    found = cx.metrics.lifecycle(who, when, period="day", states=True)
    days: dict[str, list[str]] = {}
    columns_of_states = (found.states[name] for name in ("customer", "day", "state"))
    for customer, day, state in zip(*columns_of_states, strict=True):
        if state != "dormant":
            days.setdefault(customer, []).append(day)
    return {
        customer: np.array(some, dtype="datetime64[D]") for customer, some in days.items()
    }, found


def test_daily_states_of_the_shop(log, told):
    """A lifecycle tells apart who was there the day before; a look back, how long ago."""
    last_day = log.columns.time.max().astype("datetime64[us]").astype("datetime64[D]")
    some = sorted(log.customer_ids, key=int)[:200]
    part = log.filter(customers=some)
    present, _ = days_of(part)
    for case in told["daily_states"]:
        assert (case["users"][:9], case["max_dormant_days"]) == ("first 200", 30)
        names = case["active_events"]
        active, found = days_of(part if names is None else part.filter(touchpoints=names))
        counts = dict.fromkeys(case["counts"], 0)
        for who, days in present.items():
            grid = np.arange(days[0], min(days[-1] + 30 * DAY, last_day) + DAY)
            mine = np.append(LONG_AGO, active.get(who, days[:0]))
            before = np.searchsorted(mine, grid) - 1  # active days before each day
            ago = (grid - mine[before]) / DAY
            today = np.isin(grid, mine)
            for state, rows in {
                "new": today & (before == 0),
                "current": today & (ago <= 7),
                "reactivated": today & (ago > 7) & (ago <= 30),
                "resurrected": today & (ago > 30) & (before > 0),
                "at_risk_wau": ~today & (ago <= 7),
                "at_risk_mau": ~today & (ago > 7) & (ago <= 30),
                "dormant": ~today & (ago > 30),
            }.items():
                counts[state] += np.count_nonzero(rows)
        assert counts == case["counts"]
        assert sum(counts.values()) == case["rows"]
        assert found.new.sum() == counts["new"]
        back = counts["current"] + counts["reactivated"] + counts["resurrected"]
        assert (found.returning + found.resurrecting).sum() == back
