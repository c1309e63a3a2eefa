"""Funnels of statistics that add up: those of the journeys, and of parts as of the whole."""

from __future__ import annotations

import contextlib
import functools
import json
import random
import zlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.dropoff import Exclusion, Semantics, Step, funnel
from cxjourney.exceptions import InvalidValue, UnknownName

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("ad", "web", "shop", "mail", "buy", "bye")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = {
    "goal": "buy",
    "exit_touchpoints": "bye",
    "inactivity": timedelta(days=2),
    "touchpoints": NAMES,
}
STEPS = (
    ("ad", "web", "buy"),
    ("web",),
    ("ad", {"shop", "web"}, "nowhere at all"),
    ("web", Step({"shop", "mail"}, optional=True, within="10h", name="look"), "mail", "buy"),
)
SEMANTICS = (
    None,
    "posthog",
    Semantics(entry="ended", censored="keep"),
    "retentioneering",
    Semantics(entry="ended", ties="either", exclusion="void", base="all"),
)
OPTIONS = [
    {"steps": STEPS[0], "censored": "survival", "within": 2 * DAY},
    {"steps": STEPS[0], "censored": "survival"},
    {"steps": STEPS[3], "within": "36h", "exclude": [Exclusion("ad", between=(1, 3))]},
    {"steps": STEPS[0], "order": "unordered", "within": "3d", "exclude": ["shop"]},
    {"steps": STEPS[0], "semantics": "posthog", "within": "1d", "exclude": ["shop"]},
    {"steps": STEPS[1]},
]
COUNTED = [*OPTIONS, {**OPTIONS[0], "unit": "customer"}]


@functools.cache
def log_of(seed, customers, days=30, step=3_600):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = []
    for number in range(customers):
        at = START + timedelta(seconds=step * rng.randrange(days * 86_400 // step))
        for _ in range(100 if number == 0 else rng.randrange(1, 9)):
            rows.append((f"käufer {number}", at, rng.choices(NAMES, (4, 4, 3, 3, 2, 1))[0]))
            at += timedelta(seconds=step) * rng.randrange(20)
    until = START + timedelta(days=days)
    rows = [row for row in rows if row[1] < until]
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in rows] for i, name in enumerate(("who", "when", "what"))},
        customer="who",
        timestamp="when",
        touchpoint="what",
        observed_until=until,
    )


def options_of(data):
    """Return options of a funnel that go together."""
    steps = data.draw(st.sampled_from(STEPS), label="steps")
    semantics = data.draw(st.sampled_from(SEMANTICS), label="semantics")
    simple = not any(isinstance(step, Step) for step in steps)
    orders = ("ordered", "strict", "unordered") if simple else ("ordered", "strict")
    censored = [None, "exclude", "keep"] + ["survival"] * (semantics is None)
    windows = [None] if semantics == "retentioneering" else [None, "1d", 40 * HOUR]
    barred = [()] + [("mail",)] * (len(steps) == 3) + [(Exclusion("bye"),)] * (len(steps) > 1)
    return {
        "steps": steps,
        "order": data.draw(st.sampled_from(orders), label="order"),
        "within": data.draw(st.sampled_from(windows), label="within"),
        "censored": data.draw(st.sampled_from(censored), label="censored"),
        "exclude": data.draw(st.sampled_from(barred), label="exclude"),
        "semantics": semantics,
    }


@given(seed=st.integers(0, 30), customers=st.sampled_from([3, 64, 90]), data=st.data())
@settings(max_examples=10)
def test_a_funnel_of_customers_is_that_of_the_log(seed, customers, data):
    log, options = log_of(seed, customers), options_of(data)
    journeys = log.journeys(**RULES)
    statistics = journeys.statistics(analyses={"funnel": {**options, "unit": "customer"}})
    same(funnel(log, **options), funnel(statistics, **options))
    both = [options, {**options, "unit": "customer"}]
    found = funnel(journeys.statistics(analyses={"funnel": both}), **options)
    assert found.unit == "journey"


def same(raw, found, rtol=1e-9):
    for name in raw.table.column_names:
        one, other = raw.table[name], found.table[name]
        if name == "step":
            assert one == other
        else:
            assert np.allclose(one, other, rtol=rtol, atol=1e-9, equal_nan=True), name
    assert raw.rates == pytest.approx(found.rates, rel=1e-9, nan_ok=True)
    mine, theirs = (
        {**x.to_dict(), "table": None, "caveats": None, "rates": None} for x in (raw, found)
    )
    assert mine == theirs
    assert list(raw.caveats) == [x for x in found.caveats if not x.startswith("Waits were counted")]


@given(seed=st.integers(0, 30), customers=st.sampled_from([3, 64, 90]), data=st.data())
def test_a_funnel_of_statistics_is_that_of_the_journeys(seed, customers, data):
    # whole hours are bounds of the grid: it loses nothing
    journeys, options = log_of(seed, customers).journeys(**RULES), options_of(data)
    level = data.draw(st.sampled_from([0.8, 0.95]))
    raw = funnel(journeys, **options, level=level)
    statistics = journeys.statistics(analyses={"funnel": options})
    same(raw, funnel(statistics, **options, level=level))
    read = cx.JourneyStatistics.from_bytes(statistics.to_bytes())
    assert funnel(read, **options).to_dict() == funnel(statistics, **options).to_dict()


@given(seed=st.integers(0, 30), options=st.sampled_from(OPTIONS))
@example(seed=3, options=OPTIONS[1])
@settings(max_examples=10)
def test_what_the_grid_loses_is_within_what_is_said(seed, options):
    journeys = log_of(seed, 90, days=9, step=7).journeys(**RULES)
    raw = funnel(journeys, **options)
    found = funnel(journeys.statistics(analyses={"funnel": options}), **options)
    assert raw.counts == found.counts
    told = [x for x in found.caveats if x.startswith("Waits were counted")]
    apart = max(abs(a - b) for a, b in zip(raw.rates, found.rates, strict=True))
    for name in ("median_s", "p90_s", "step_median_s", "step_p90_s"):
        if told:  # a minute of a window of a day, or an hour without one
            assert np.nanmax(np.abs(raw.table[name] - found.table[name]), initial=0) <= 3_600
    assert np.allclose(raw.table["step_mean_s"], found.table["step_mean_s"], equal_nan=True)
    if apart > 1e-12:
        most = float(told[0].split("rates at most ")[1].split(" ")[0])
        assert apart <= 1.06 * most + 1e-12  # which is printed in two digits
        assert most < 0.01


@given(seed=st.integers(0, 2), customers=st.sampled_from([2, 64, 65, 150]), data=st.data())
@settings(max_examples=4)
def test_the_sum_of_parts_is_the_whole(summed, seed, customers, data):
    log, plan = log_of(seed, customers), {"analyses": {"funnel": COUNTED}}
    nested, whole = summed(log, RULES, data, **plan)
    for options in OPTIONS:
        results = [funnel(one, **options).to_dict() for one in (nested, whole)]
        assert json.dumps(results[0]) == json.dumps(results[1])


def test_parts_finer_than_buckets_add_up(divided):
    log, plan = log_of(4, 150), {"analyses": {"funnel": [OPTIONS[0], OPTIONS[2]]}}
    parts = divided(log, 128, RULES, **plan)
    assert cx.JourneyStatistics.total(parts) == log.journeys(**RULES).statistics(**plan)


def test_parts_of_a_real_log_add_up(shop_log, divided):
    rules = {"goal": "payment_done", "inactivity": timedelta(days=14)}
    options = [
        {"steps": ["catalog", "cart", "payment_done"], "within": "7d"},
        {"steps": ["main", "cart", "payment_done"], "censored": "survival"},
    ]
    parts = divided(shop_log, 32, rules, analyses={"funnel": options})
    total = cx.JourneyStatistics.total(parts[::2]) + cx.JourneyStatistics.total(parts[1::2])
    journeys = shop_log.journeys(**rules)
    assert total == journeys.statistics(analyses={"funnel": options})
    raw, found = (funnel(one, **options[0]) for one in (journeys, total))
    assert raw.counts == found.counts
    assert np.allclose(raw.table["low"], found.table["low"], atol=1e-12)
    assert np.allclose(raw.table["median_s"], found.table["median_s"], rtol=0.03, equal_nan=True)
    raw, found = (funnel(one, **options[1]) for one in (journeys, total))
    assert np.allclose(raw.rates, found.rates, atol=1e-3)


def test_what_was_not_counted_is_refused_with_what_was():
    journeys = log_of(1, 80).journeys(**RULES)
    with pytest.raises(InvalidValue, match=r"was not counted in .*analyses="):
        funnel(journeys.statistics(), STEPS[0])
    statistics = journeys.statistics(analyses={"funnel": OPTIONS})
    with pytest.raises(InvalidValue, match=r"funnel was counted with .*within .*, not 5 days"):
        funnel(statistics, STEPS[0], within="5d")
    with pytest.raises(InvalidValue, match="segment must be left out"):
        funnel(statistics, **OPTIONS[0], segment="channel")
    found = funnel(statistics, **OPTIONS[0])
    for call in (found.time_to, lambda: found.explain("a")):
        with pytest.raises(InvalidValue, match="needs the log"):
            call()
    with pytest.raises(InvalidValue, match="holds no journeys"):
        found.journeys("web")


def test_other_names_of_steps_and_another_level_are_the_same_counts():
    journeys = log_of(1, 80).journeys(**RULES)
    statistics = journeys.statistics(analyses={"funnel": [{"steps": ["ad", "web"]}] * 2})
    assert len(statistics.plan.analyses) == 1
    options = {"steps": [Step("ad", name="one"), Step("web", name="two")], "level": 0.5}
    assert funnel(statistics, **options).steps == ("one", "two")
    same(funnel(journeys, **options), funnel(statistics, **options))


@pytest.mark.parametrize(
    ("analyses", "error", "words"),
    [
        ("funnel", InvalidValue, "analyses must be a mapping"),
        ({"funel": {}}, InvalidValue, "analyses must be"),
        ({"funnel": "ad"}, InvalidValue, "must be its options, a mapping, or a list"),
        ({"funnel": {}}, InvalidValue, "missing a required"),
        ({"funnel": {"steps": ["ad"], "level": 0.9}}, InvalidValue, "options of funnel"),
        ({"funnel": {"steps": ["ad"], "segment": "channel"}}, InvalidValue, "can be counted"),
        ({"funnel": {"steps": []}}, InvalidValue, "at least one step"),
        ({"funnel": {"steps": ["ad"], "unit": "day"}}, InvalidValue, "unit must be"),
        ({"funnel": {"steps": ["ad"] * 41}}, InvalidValue, "at most 40"),
        ({"funnel": {"steps": ["adx", "shopp"]}}, UnknownName, "did you mean"),
    ],
)
def test_wrong_analyses_are_refused(analyses, error, words):
    with pytest.raises(error, match=words):
        log_of(1, 20).journeys(**RULES).statistics(analyses=analyses)


def test_other_analyses_do_not_add_up(divided):
    log = log_of(1, 80)
    one, two = (divided(log, 2, RULES, analyses={"funnel": x}) for x in OPTIONS[:2])
    with pytest.raises(InvalidValue, match=r"analyses is .*ask every part for the same analyses="):
        one[0] + two[1]


def test_a_step_that_a_part_has_not_seen_is_no_error(divided):
    log = log_of(1, 80)
    options = {"steps": ["ad", "web", "shopp"]}  # a slip that is told once all are there
    parts = divided(log, 16, RULES, analyses={"funnel": options})
    with pytest.raises(UnknownName, match="shop"):
        funnel(sum(parts), **options)


def test_an_empty_part_has_an_empty_funnel():
    journeys = log_of(1, 80).filter(customers=[]).journeys(**RULES)
    statistics = journeys.statistics(analyses={"funnel": OPTIONS})
    for options in OPTIONS:
        assert set(funnel(statistics, **options).counts) == {0}


@pytest.fixture(scope="module")
def written():
    return log_of(4, 30).journeys(**RULES).statistics(analyses={"funnel": COUNTED}).to_bytes()


def test_plans_that_are_damaged_are_refused(written, rewritten):
    for old, new in (
        (b'\\"order\\": \\"ordered\\"', b'\\"order\\": \\"upwards\\"'),
        (b"funnel", b"funnle"),
        (b'\\"entry\\": \\"first\\"', b'\\"entry\\": \\"worst\\"'),
        (b'\\"survival\\": true', b'\\"survival\\": 1   '),
        (b'\\"mature\\": true', b'\\"mature\\": null'),
    ):
        assert old in zlib.decompress(written.partition(b"\n")[2])
        with pytest.raises(InvalidValue, match="damaged"):
            cx.JourneyStatistics.from_bytes(rewritten(written, lambda x: x.replace(old, new, 1)))  # noqa: B023


@given(st.data())
def test_damage_is_refused_or_harmless(written, damaged, data):
    try:
        found = cx.JourneyStatistics.from_bytes(damaged(written, data))
    except InvalidValue:
        return
    for options in OPTIONS:
        with contextlib.suppress(InvalidValue):  # options that are other options
            funnel(found, **options)
