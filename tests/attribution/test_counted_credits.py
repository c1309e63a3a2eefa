"""Credits of statistics whose counts depend on options: those of the journeys, and of parts."""

from __future__ import annotations

import contextlib
import json
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.attribution import shapley, time_decay
from cxjourney.attribution._counted_credits import _halved
from cxjourney.exceptions import InvalidValue

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("ad", "web", "shop", "mail", "buy", "bye")
RULES = {
    "goal": "buy",
    "exit_touchpoints": "bye",
    "inactivity": timedelta(days=2),
    "touchpoints": NAMES,
}
CHOSEN = [{}, {"look_back": "30h"}, {"ignore": ["web", "mail", "direct"]}]
SHAPLEY = [{"by": by, **chosen} for by in ("channel", "touchpoint") for chosen in CHOSEN]
DECAY = [{**one, "half_life": half} for one in SHAPLEY for half in ("7d", "3h")]
PLAN = {"analyses": {"shapley": SHAPLEY, "time_decay": DECAY}}


def log_of(seed, customers, days=20):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = []
    for number in range(customers):
        at = START + timedelta(seconds=rng.randrange(days * 86_400))
        for _ in range(60 if number == 0 else rng.randrange(1, 9)):
            name = rng.choices(NAMES, (4, 4, 3, 3, 2, 1))[0]
            value = rng.choice((19.99, 0.1, -3.5, None)) if name == "buy" else None
            channel = rng.choice(("online", "store", "direct", None))
            rows.append((f"käufer {number}", at, name, channel, value))
            at += timedelta(seconds=rng.randrange(100_000))
    until = START + timedelta(days=days)
    rows = [row for row in rows if row[1] < until]
    columns = ("who", "when", "what", "where", "value")
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in rows] for i, name in enumerate(columns)},
        customer="who",
        timestamp="when",
        touchpoint="what",
        channel="where",
        value="value",
        currency="EUR",
        observed_until=until,
    )


def results_of(statistics):
    found = [
        rule(statistics, of=of, **options)
        for of in ("conversions", "value")
        for rule, options in (
            *(
                (shapley, {"worth": worth, **one})
                for one in SHAPLEY
                for worth in ("rate", "conversions")
            ),
            *((time_decay, one) for one in DECAY),
        )
    ]
    return json.dumps([one.to_dict() for one in found])


@given(
    seed=st.integers(0, 30),
    customers=st.sampled_from([3, 90]),
    of=st.sampled_from(["conversions", "value"]),
    options=st.sampled_from(
        [(shapley, {"worth": x, **one}) for one in SHAPLEY for x in ("rate", "conversions")]
        + [(time_decay, one) for one in DECAY]
    ),
)
def test_credits_are_those_of_the_journeys(seed, customers, of, options):
    rule, chosen = options
    journeys = log_of(seed, customers).journeys(**RULES)
    statistics = cx.JourneyStatistics.from_bytes(journeys.statistics(**PLAN).to_bytes())
    raw, found = (rule(one, of=of, **chosen) for one in (journeys, statistics))
    by = chosen["by"]
    order = [found.table[by].index(name) for name in raw.table[by]]
    for column in raw.table.column_names[1:]:
        mine = np.asarray(found.table[column], dtype=np.float64)[order]
        assert np.allclose(raw.table[column], mine, rtol=1e-5, atol=1e-4, equal_nan=True), column
    assert raw.unattributed == pytest.approx(found.unattributed, abs=1e-9)
    assert (raw.model, raw.remarks) == (found.model, found.remarks)
    assert raw.base_rate == pytest.approx(found.base_rate, nan_ok=True)


@given(seed=st.integers(0, 2), customers=st.sampled_from([2, 64, 65, 150]), data=st.data())
@settings(max_examples=3)
def test_the_sum_of_parts_is_the_whole(summed, seed, customers, data):
    log = log_of(seed, customers)
    nested, whole = summed(log, RULES, data, **PLAN)
    assert results_of(nested) == results_of(whole)


def test_parts_finer_than_buckets_add_up(divided):
    log, plan = log_of(4, 150), {"analyses": {"shapley": SHAPLEY[4], "time_decay": DECAY[2]}}
    parts = divided(log, 128, RULES, **plan)
    assert cx.JourneyStatistics.total(parts) == log.journeys(**RULES).statistics(**plan)


def test_parts_of_a_real_log_add_up(shop_log, divided):
    rules = {"goal": "payment_done", "inactivity": timedelta(days=14)}
    options = {"by": "touchpoint", "look_back": "7d"}
    plan = {"analyses": {"shapley": options, "time_decay": options}}
    parts = divided(shop_log, 32, rules, **plan)
    total = cx.JourneyStatistics.total(parts[::2]) + cx.JourneyStatistics.total(parts[1::2])
    journeys = shop_log.journeys(**rules)
    assert total == journeys.statistics(**plan)
    for rule in (shapley, time_decay):
        raw, found = (rule(one, **options) for one in (journeys, total))
        assert raw.credit == pytest.approx(dict(found.credit), rel=1e-8)


def test_powers_of_a_half_are_those_of_decimals():
    times = np.concatenate([np.linspace(0, 60, 20_001), [0.0, 1.0, 1e-12, 1_074.5, 1e9]])
    assert np.allclose(_halved(times), np.exp2(-times), rtol=1e-15, atol=0)
    assert _halved(np.array([0.0, 1.0, 2.0, 0.5])).tolist()[:3] == [1.0, 0.5, 0.25]


def test_what_was_not_counted_is_refused_with_what_was():
    journeys = log_of(1, 80).journeys(**RULES)
    plain = journeys.statistics()
    assert shapley(plain).credit == pytest.approx(dict(shapley(journeys).credit))
    for call in (
        lambda: shapley(plain, worth="rate"),
        lambda: shapley(plain, ignore=["web"]),
        lambda: time_decay(plain),
    ):
        with pytest.raises(InvalidValue, match=r"was not counted in .*analyses="):
            call()
    with pytest.raises(InvalidValue, match=r"was counted with half_life 7 days, not 5 days in"):
        time_decay(journeys.statistics(**PLAN), half_life="5d")
    with pytest.raises(InvalidValue, match="needs rows"):
        shapley(plain, worth="rate", segment="channel")


@pytest.mark.parametrize(
    ("analyses", "words"),
    [
        ({"shapley": {"by": "chanel"}}, "by must be"),
        ({"shapley": {"worth": "rate"}}, "can be counted"),
        ({"time_decay": {"half_life": "soon"}}, "half_life must be"),
        ({"time_decay": {"look_back": -1}}, "look_back must be"),
    ],
)
def test_wrong_options_are_refused(analyses, words):
    with pytest.raises(InvalidValue, match=words):
        log_of(1, 20).journeys(**RULES).statistics(analyses=analyses)


def test_an_empty_part_has_nothing_to_credit():
    journeys = log_of(1, 80).filter(customers=[]).journeys(**RULES)
    statistics = journeys.statistics(**PLAN)
    assert shapley(statistics, ignore=["web", "mail", "direct"]).total == 0
    assert not time_decay(statistics).credit


@pytest.fixture(scope="module")
def written():
    return log_of(4, 30).journeys(**RULES).statistics(**PLAN).to_bytes()


@given(st.data())
def test_damage_is_refused_or_harmless(written, damaged, data):
    try:
        found = cx.JourneyStatistics.from_bytes(damaged(written, data))
    except InvalidValue:
        return
    for rule, options in ((shapley, SHAPLEY[1]), (time_decay, DECAY[0])):
        with contextlib.suppress(InvalidValue):  # options that are other options
            rule(found, **options)
