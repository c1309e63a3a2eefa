"""Conversions later on: a worked example, a few independent lines, and what must not matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import t as student_t

import cxjourney as cx
from cxjourney.dropoff import exits, first_visits_of, window_of
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import units_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SNAPSHOT = 40.0


def log_of(rows, *, until=SNAPSHOT, **options):
    """Return the log of rows (customer, case, touchpoint, day)."""
    customer, case, touchpoint, day = (list(column) for column in zip(*rows, strict=True))
    return cx.InteractionLog.from_frame(
        {
            "customer": customer,
            "case": case,
            "touchpoint": touchpoint,
            "time": [str(BEGIN + timedelta(days=d)) for d in day],
        },
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
        journey="case",
        observed_until=BEGIN + timedelta(days=until),
        **options,
    )


# METHODS2, section 4: days to the conversion and of observation, and customers
TIMES = [1, 3, None, 2, None, 5, None]
FOLLOWED = [10, 10, 10, 2.5, 4, 6, 1]
CUSTOMERS = [0, 0, 1, 2, 3, 4, 4]


def worked_example(limit: float) -> cx.Journeys:
    rows = []
    for case, (t, c, who) in enumerate(zip(TIMES, FOLLOWED, CUSTOMERS, strict=True)):
        rows.append((f"c{who}", str(case), "web", SNAPSHOT - c))
        if t is not None:
            rows.append((f"c{who}", str(case), "buy", SNAPSHOT - c + t))
    return log_of(rows).journeys(goal="buy", inactivity=timedelta(days=limit))


def kaplan_meier(items, window):
    """Return the probability of the event within the window, over (days to it, days followed)."""
    if not any(c >= window for _, c in items):
        return np.nan
    survival = 1.0
    for day in sorted({t for t, c in items if t is not None and t <= min(c, window)}):
        risk = sum(c >= day and (t is None or t >= day or t > c) for t, c in items)
        events = sum(t == day and t <= c for t, c in items)
        survival *= 1 - events / risk
    return 1 - survival


@pytest.mark.parametrize("limit", [0.75, 30])  # whoever dropped off stays at risk
def test_golden_example_of_conversion_after_a_first_visit(limit):
    found = exits(worked_example(limit), window=timedelta(days=4))
    row = found.table.row(0)
    assert row["conversion_after"] == pytest.approx(0.485714, abs=1e-6)
    # five customers are five buckets; of one visit of the last nobody knows what came of it
    items = list(zip(TIMES, FOLLOWED, strict=True))
    left_out = [
        kaplan_meier([x for x, who in zip(items, CUSTOMERS, strict=True) if who != g], 4)
        for g in range(5)
    ]
    p = kaplan_meier(items, 4)
    n = p * (1 - p) / (4 / 5 * sum((x - p) ** 2 for x in left_out))
    q = student_t.ppf(0.975, 36 / 8 - 1)
    centre = (p + q * q / (2 * n)) / (1 + q * q / n)
    half = q * np.sqrt(p * (1 - p) / n + q * q / (4 * n * n)) / (1 + q * q / n)
    ends = (row["conversion_after_low"], row["conversion_after_high"])
    assert ends == pytest.approx((centre - half, centre + half), rel=1e-9)
    assert "within 4 days of the first visit of a journey" in repr(found)


def test_nobody_was_followed_to_the_end_of_the_window():
    found = exits(worked_example(1), window=timedelta(days=20))
    assert np.isnan(found.table["conversion_after"]).all()
    assert np.isnan(found.table["conversion_after_low"]).all()


def random_rows(seed, customers=80):
    rng = np.random.default_rng(seed)
    rows = []
    for case in range(200):
        who, day = f"c{rng.integers(customers)}", float(rng.integers(0, 38))
        for _ in range(rng.integers(1, 8)):
            what = str(rng.choice(["web", "app", "cart", "buy"], p=[0.4, 0.3, 0.2, 0.1]))
            if day > SNAPSHOT - 0.01:
                break
            rows.append((who, f"{case}", what, day))
            if what == "buy":
                break
            day += float(rng.integers(0, 5))
    return rows


@pytest.mark.parametrize("customers", [30, 90])
def test_first_visits_against_a_few_independent_lines(customers):
    rows = random_rows(customers, customers)
    journeys = log_of(rows).journeys(goal="buy", inactivity=timedelta(days=3))
    firsts = first_visits_of(journeys, reaching="cart")
    size = len(firsts.names) + 1
    bucket = dict(
        zip(
            (journeys.log.customer_ids[c] for c in journeys.customer),
            units_of(journeys).of.tolist(),
            strict=True,
        )
    )
    cases: dict[str, list] = {}
    for who, case, what, day in rows:
        cases.setdefault(case, []).append((who, what, day))
    items: dict[tuple[str, str], list] = {}
    for steps in cases.values():
        seen = set()
        for i, (who, what, day) in enumerate(steps):
            if what == "buy" or what in seen:
                continue
            seen.add(what)
            later = [(w, round(d - day, 6)) for _, w, d in steps[i + 1 :]]
            buys = next((d for w, d in later if w == "buy"), None)
            cart = next((d for w, d in later if w == "cart"), None)
            for outcome, t in (("conversion", buys), ("reaching", cart)):
                items.setdefault((what, outcome), []).append((t, SNAPSHOT - day, bucket[who]))
    for outcome in ("conversion", "reaching"):
        figures = firsts.figures(outcome, firsts.node, size, 6.0)
        for place, name in enumerate(firsts.names):
            mine = items[name, outcome]
            assert figures.whole[place] == pytest.approx(
                kaplan_meier([x[:2] for x in mine], 6.0), abs=1e-9
            )
            for b in list(bucket.values())[::9]:
                others = kaplan_meier([x[:2] for x in mine if x[2] != b], 6.0)
                assert figures.without[b, place] == pytest.approx(others, abs=1e-9)
            known = [
                sum(x[2] == b and (x[1] >= 6 or x[0] is not None) for x in mine) for b in (0, 5)
            ]
            assert figures.units[[0, 5], place].round(3).tolist() == known


def test_mean_visits_and_values_within_the_window_are_censored_too():
    # three journeys: of one, and of the first day of another, all is seen
    rows = [("a", "1", "web", 0.0), ("a", "1", "app", 1.0), ("a", "1", "web", 3.0)]
    rows += [("b", "2", "web", 38.5), ("b", "2", "web", 39.5)]
    rows += [("c", "3", "web", 30.0)]
    firsts = first_visits_of(
        log_of(rows).journeys(goal="cart", touchpoints=["cart"], inactivity=timedelta(days=9))
    )
    start = np.where(firsts.node == len(firsts.names), 0, -1)
    # at day 0 three of three, at day 1 two of three, at day 3 one of the two still followed
    assert firsts.figures("visits", start, 1, 5.0).whole == pytest.approx([1 + 2 / 3 + 1 / 2])
    assert firsts.figures("visits", start, 1, 0.5).whole == pytest.approx([1])


@pytest.mark.parametrize("customers", [30, 90])
def test_means_without_a_bucket_against_a_few_independent_lines(customers):
    rows = random_rows(customers, customers)
    journeys = log_of(rows).journeys(goal="buy", inactivity=timedelta(days=3))
    firsts = first_visits_of(journeys)
    start = np.where(firsts.node == len(firsts.names), 0, -1)
    found = firsts.figures("visits", start, 1, 6.0)
    unit = units_of(journeys).of
    began, visits = {}, []
    for who, case, what, day in rows:
        began.setdefault(case, (day, who))
        if what != "buy":
            visits.append((case, round(day - began[case][0], 6)))
    bucket = dict(zip((journeys.log.customer_ids[c] for c in journeys.customer), unit, strict=True))

    def mean(without):
        kept = {c: SNAPSHOT - day for c, (day, who) in began.items() if bucket[who] not in without}
        return sum(
            1 / sum(followed >= age for followed in kept.values())
            for case, age in visits
            if case in kept and age <= min(6.0, kept[case])
        )

    assert found.whole[0] == pytest.approx(mean(()))
    for b in sorted({*unit.tolist()})[::7]:
        assert found.without[b, 0] == pytest.approx(mean((b,)))


def test_drop_off_is_dated_to_the_last_visit():
    rows = [(f"c{i}", f"{i}", "web", float(i % 3)) for i in range(9)]
    rows += [(f"c{i}", f"{i}", "app", 9.0) for i in range(3)]
    journeys = log_of(rows).journeys(goal="buy", touchpoints=["buy"], inactivity=timedelta(days=14))
    firsts = first_visits_of(journeys)
    start = np.where(firsts.node == len(firsts.names), 0, -1)
    assert firsts.figures("drop-off", start, 1, 5.0).whole == pytest.approx([6 / 9])
    assert firsts.figures("drop-off", start, 1, 10.0).whole == pytest.approx([1])


def test_order_of_rows_and_names_do_not_matter():
    rows = random_rows(3)
    rng = np.random.default_rng(4)
    # rows of the same time keep their order, so that the times are told apart first
    rows = [(*row[:3], row[3] + i * 2e-6) for i, row in enumerate(rows)]
    renamed = {"web": "zzz", "app": "aaa", "cart": "mmm", "buy": "buy"}
    options = {"goal": "buy", "inactivity": timedelta(days=3)}
    before = exits(log_of(rows).journeys(**options), reaching="cart")
    mixed = [rows[i] for i in rng.permutation(len(rows))]
    after = exits(
        log_of([(w, c, renamed[x], d) for w, c, x, d in mixed]).journeys(**options), reaching="mmm"
    )
    for name in ("conversion_after", "conversion_after_low", "reaching_after_high"):
        one = {renamed[row["touchpoint"]]: row[name] for row in before.table}
        assert {row["touchpoint"]: row[name] for row in after.table} == pytest.approx(one)


def test_journeys_under_way_when_the_observation_began_are_left_out():
    rows = [(f"c{i}", f"{i}", "web", d) for i in range(9) for d in (8.0, 12.0, 13.0)]
    rows += [(f"n{i}", f"n{i}", "web", 20.0) for i in range(5)]
    log = log_of(rows).between(BEGIN + timedelta(days=10), None)
    firsts = first_visits_of(
        log.journeys(goal="buy", touchpoints=["buy"], inactivity=timedelta(days=4))
    )
    assert (firsts.node == 0).sum() == 5


def test_paths_have_no_window_and_count_as_often_as_they_are_there():
    paths = cx.Journeys.from_paths([["web"], ["web", "cart"]], converted=[0, 60], dropped=[40, 20])
    table = exits(paths, reaching="cart").table
    assert dict(zip(table["touchpoint"], table["conversion_after"], strict=True)) == pytest.approx(
        {"web": 0.5, "cart": 0.75}
    )
    assert dict(zip(table["touchpoint"], table["reaching_after"], strict=True)) == pytest.approx(
        {"web": 2 / 3, "cart": 0}
    )
    assert window_of(None, first_visits_of(paths)) == np.inf


def test_segments_share_the_window_and_a_goal_that_ends_nothing_is_reached_again():
    rows = [("a", "1", what, d) for what, d in (("web", 0.0), ("buy", 1.0), ("web", 9.0))]
    rows += [("b", "2", what, d) for what, d in (("web", 0.0), ("web", 7.0), ("buy", 8.0))]
    journeys = log_of(rows).journeys(goal="buy", after_goal="keep", inactivity=timedelta(days=20))
    firsts = first_visits_of(journeys)
    buys = firsts.node == firsts.names.index("buy")
    assert np.isinf(firsts.converts[buys]).all()
    assert firsts.converts[firsts.node == firsts.names.index("web")].tolist() == [1, 8]
    parts = exits(
        log_of(random_rows(1)).journeys(goal="buy", inactivity=timedelta(days=3)),
        segment="touchpoint",
    )
    assert len({part.window for _, part in parts}) == 1


def test_what_cannot_be_asked_is_said():
    journeys = worked_example(1)
    with pytest.raises(UnknownName, match="wbe"):
        exits(journeys, reaching="wbe")
    with pytest.raises(InvalidValue, match="window"):
        exits(journeys, window=timedelta(days=-1))
    with pytest.raises(InvalidValue, match="reaching must be None for a graph"):
        exits(journeys.graph(), reaching="web")
