"""Statistics that add up: the sum of parts is the whole, exactly, and near to raw times."""

from __future__ import annotations

import copy
import functools
import json
import pickle
import random
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import attrs
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney._stats.buckets import bucket_of
from cxjourney.domain import Outcome
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, UnknownName
from cxjourney.journeys import (
    conversion_rate_of,
    graph_of,
    left_out,
    mean_value,
    statistics_of,
)
from cxjourney.journeys._adding._parts import part_of

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("ad", "web", "shop", "mail", "buy", "bye")
HOUR = timedelta(hours=1)
RULES = (
    cx.attribution.first_touch,
    cx.attribution.last_touch,
    cx.attribution.linear,
    functools.partial(cx.attribution.linear, distinct=True),
    functools.partial(cx.attribution.position_based, first=0.2, last=0.5),
    cx.attribution.participation,
    cx.attribution.shapley,
)
IDS = ("{}", "käufer {}", "\N{ZERO WIDTH SPACE}{}", "客 {}", "e\u0301 {}", "\N{GRINNING FACE}{}")


@functools.cache
def rows_of(seed, customers, step=HOUR, days=30):
    """Return rows of customers, of whom the first comes a hundred times."""
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = []
    for number in range(customers):
        who = IDS[number % len(IDS)].format(number)
        at = START + timedelta(seconds=rng.randrange(days * 86_400))
        for _ in range(100 if number == 0 else rng.randrange(1, 9)):
            name = rng.choices(NAMES, (4, 4, 3, 3, 1, 1))[0]
            value = rng.choice((19.99, 0.1, -3.5, None)) if name == "buy" else None
            rows.append((who, at, name, rng.choice(("online", "store", None)), value))
            at += step * rng.randrange(1, 60)
    until = START + timedelta(days=days)
    return tuple(row for row in rows if row[1] < until), until


def log_of(rows, until):
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


def journeys_of(rows, until, **rules):
    rules = {"goal": "buy", "exit_touchpoints": "bye", "inactivity": timedelta(days=2), **rules}
    return log_of(rows, until).journeys(touchpoints=NAMES, **rules)


@functools.cache
def parts_of(rows, until, of, grains=None, **rules):
    """Return the statistics of each part, made of its own rows alone."""
    ids = sorted({row[0] for row in rows})
    number = dict(zip(ids, part_of(ids, of.bit_length() - 1).tolist(), strict=True))
    return [
        journeys_of([row for row in rows if number[row[0]] == part], until, **rules).statistics(
            grains=grains, part=(part, of)
        )
        for part in range(of)
    ]


def results_of(statistics):
    """Return every figure that is made of statistics, as JSON."""
    found = [
        cx.dropoff.exits(statistics),
        cx.dropoff.exits(statistics, by="channel", expected_exits="store"),
        cx.critical.must_pass(statistics),
        cx.critical.centralities(statistics),
        cx.critical.points(statistics),
        cx.critical.bottlenecks(statistics),
        cx.critical.bottlenecks(statistics, by="channel"),
        cx.attribution.markov(statistics, of="value"),
        *(rule(statistics, of="value") for rule in RULES),
        cx.omnichannel.transitions(statistics),
        cx.omnichannel.transitions(statistics, by="touchpoint", closing=False),
        cx.omnichannel.affinity(statistics, by="touchpoint"),
        cx.omnichannel.switching(statistics),
        cx.omnichannel.switching(statistics, by="touchpoint", closing=False),
        cx.omnichannel.channel_entropy(statistics),
        cx.omnichannel.channel_entropy(statistics, by="touchpoint", closing=False),
        cx.attribution.markov(statistics, by="touchpoint"),
        cx.whatif.baseline(statistics),
        cx.compare.between(statistics, statistics),
        cx.whatif.levers(statistics),
    ]
    plain = [conversion_rate_of(statistics).to_dict(), *(one.to_dict() for one in found)]
    return json.dumps([*plain, *(statistics.graph(by=by).to_json() for by in statistics.grains)])


@given(seed=st.integers(0, 2), customers=st.sampled_from([2, 64, 65, 150]), data=st.data())
@settings(max_examples=4)
def test_the_sum_of_parts_is_the_whole_in_every_order_and_nesting(regrouped, seed, customers, data):
    rows, until = rows_of(seed, customers)
    whole = journeys_of(rows, until).statistics()
    parts = parts_of(rows, until, data.draw(st.sampled_from([16, 64]), label="of"))
    nested = regrouped(parts, data, whole)
    assert cx.JourneyStatistics.total(parts) == whole
    assert repr(nested) == repr(whole)


def test_every_result_of_a_sum_is_that_of_the_whole():
    for customers in (40, 150):
        rows, until = rows_of(3, customers)
        total = cx.JourneyStatistics.total(parts_of(rows, until, 8))
        read = cx.JourneyStatistics.from_bytes(total.to_bytes())
        assert results_of(read) == results_of(journeys_of(rows, until).statistics())


@pytest.mark.parametrize("of", [1, 2, 128])
def test_parts_of_any_depth_add_up_with_one_another(of):
    rows, until = rows_of(5, 90)
    whole = journeys_of(rows, until).statistics()
    deep = parts_of(rows, until, of)
    assert sum(deep) == whole
    if of > 2:
        coarse = parts_of(rows, until, 2)
        assert sum(deep[: of // 2]) == coarse[0]
        assert coarse[1] + sum(deep[: of // 2]) == whole


@given(
    seed=st.integers(0, 30),
    customers=st.sampled_from([5, 64, 65, 130]),
    limit=st.sampled_from([timedelta(days=2), None]),
)
@example(seed=18, customers=5, limit=timedelta(days=2))  # touchpoints that are one cell together
@example(seed=3, customers=65, limit=None)  # what is in progress is left out
@settings(max_examples=4)
@pytest.mark.parametrize("by", ["touchpoint", "channel", ("channel", "touchpoint")])
def test_counts_are_those_of_the_journeys_and_masses_too_where_the_grid_parts_all_times(
    by, seed, customers, limit
):
    # whole hours, and 48 coarse bins of an hour each: the grid loses nothing
    rows, until = rows_of(seed, customers)
    rows = tuple((w, at.replace(minute=0, second=0), *rest) for w, at, *rest in rows)
    journeys = journeys_of(rows, until, inactivity=limit)
    statistics = journeys.statistics(grains=[by])
    raw, found = statistics_of(journeys, by), statistics_of(statistics, by)
    left, without = left_out(journeys, by), left_out(statistics, by)
    order = [raw.names.index(name) for name in found.names]
    k = len(order)
    places = [*order, k, k + 1, k + 2]
    for name in ("visits", "censored", "exits"):
        assert np.array_equal(getattr(raw, name)[order], getattr(found, name))
    assert np.array_equal(raw.first[places], found.first)
    assert np.allclose(raw.matrix[order][:, places], found.matrix, atol=1e-12)
    assert np.array_equal(left.visits[:, order], without.visits)
    assert np.array_equal(left.at_risk[:, order], without.at_risk)
    assert np.array_equal(left.first[:, places], without.first)
    for (one, start), (other, begin) in zip(left.blocks(), without.blocks(), strict=True):
        assert np.allclose(one[:, order][:, :, places], other, atol=1e-12)
        assert np.allclose(start[:, places], begin, atol=0)
    assert len(statistics) == len(journeys)
    assert statistics.outcomes == journeys.outcomes
    assert statistics.n_dropped_after_goal == journeys.n_dropped_after_goal


@given(
    seed=st.integers(0, 30),
    customers=st.sampled_from([20, 100, 300]),
    step=st.sampled_from([timedelta(seconds=307), timedelta(seconds=3_607)]),
    days=st.sampled_from([3, 6, 30]),
    by=st.sampled_from(["touchpoint", "channel", ("channel", "touchpoint")]),
)
@example(seed=5, customers=100, step=timedelta(seconds=3_607), days=3, by="touchpoint")
@settings(max_examples=10)
def test_the_distance_from_raw_times_is_within_what_is_said(seed, customers, step, days, by):
    # in three days, of which the limit is longer, most visits are censored
    rows, until = rows_of(seed, customers, step=step, days=days)
    journeys = journeys_of(rows, until, inactivity=timedelta(days=4))
    statistics = journeys.statistics(grains=[by])
    raw, found = statistics_of(journeys, by), statistics_of(statistics, by)
    order = [raw.names.index(name) for name in found.names]
    k = len(order)
    places = [*order, k, k + 1, k + 2]
    moved = [np.zeros((k, k + 3)), np.zeros((k, k + 3))]
    for one, matrix in zip((raw, found), moved, strict=True):
        matrix[one.source, one.target] = one.probability
    apart = np.abs(moved[0][order][:, places] - moved[1])
    silence = np.abs(raw.silence[order] - found.silence)
    exits = np.abs(raw.matrix[order, k + 2] - found.matrix[:, k + 2])
    assert apart.max() <= statistics.distance(by, of="transitions") + 1e-12
    assert max(silence.max(), exits.max(), apart[:, k + 2].max()) <= statistics.distance(by) + 1e-12
    said = cx.dropoff.exits(statistics, by=by).caveats
    told = re.findall(r"exit probabilities lie at most (\S+) from those of raw times", str(said))
    assert len(told) == (statistics.distance(by) > 0)
    assert all(0 <= float(one) / statistics.distance(by) - 1 <= 0.1 for one in told)
    with pytest.raises(InvalidValue, match="of must be one of 'exits'"):
        statistics.distance(by, of="visits")


def test_the_worked_example_by_hand(worked_days):
    rows = [
        (who, START + timedelta(days=day), name, None, None)
        for who, visits in worked_days.items()
        for name, day in visits
    ]
    until = START + timedelta(days=20)
    log = log_of(rows, until)
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    statistics = journeys.statistics()
    assert dict(statistics.outcomes) == {
        Outcome.CONVERTED: 3,
        Outcome.DROPPED: 3,
        Outcome.IN_PROGRESS: 2,
    }
    assert cx.dropoff.exits(statistics).estimate("web").value == pytest.approx(4 / 9, abs=1e-12)
    assert conversion_rate_of(statistics).value == pytest.approx(5 / 12, abs=1e-12)
    graph = statistics.graph()
    assert graph.edges["web", cx.CONVERSION]["probability"] == pytest.approx(7 / 18, abs=1e-12)
    assert {edge: graph.edges[edge]["count"] for edge in graph.edges} == {
        edge: data
        for *edge_, data in journeys.graph().edges(data="count")
        for edge in [tuple(edge_)]
    }


@given(seed=st.integers(0, 20), keep=st.booleans())
@settings(max_examples=6)
def test_the_graph_is_that_of_the_journeys(seed, keep):
    rows, until = rows_of(seed, 70)
    rows = tuple((w, at.replace(minute=0, second=0), *rest) for w, at, *rest in rows)
    rules = {"after_goal": "keep"} if keep else {}
    journeys = journeys_of(rows, until, **rules)
    for by in ("touchpoint", "channel"):
        raw, found = graph_of(journeys, by), journeys.statistics().graph(by=by)
        assert raw.graph == found.graph
        assert dict(raw.nodes(data=True)).keys() == dict(found.nodes(data=True)).keys()
        for name, node in raw.nodes(data=True):
            mine = {k: v for k, v in node.items() if k != "followed_us"}
            assert mine == {k: v for k, v in found.nodes[name].items() if k != "followed_us"}
            ends = [one.get("followed_us", -1) for one in (node, found.nodes[name])]
            assert (ends[0] < 0) == (ends[1] < 0)
            assert 0 <= ends[0] - ends[1] <= 3_600_000_000
        assert set(raw.edges) == set(found.edges)
        for *edge, data in raw.edges(data=True):
            other = found.edges[edge]
            assert data.keys() == other.keys()
            for key, value in data.items():
                if key in {"count", "journeys", "dwell_sum_us", "dwell_count"}:
                    assert value == other[key], (edge, key)
                elif key in {"value_sum", "dwell_m2"}:
                    assert value == pytest.approx(other[key], rel=1e-9, abs=1e-6)
                elif key in {"probability", "dwell_probability"}:
                    assert value == pytest.approx(other[key], abs=2e-3)
                elif key in {"dwell_mean_s", "dwell_sd_s"}:  # bins of an hour
                    assert value == pytest.approx(other[key], abs=600)
                elif key == "dwell_median_s":  # of an even number it lies between two of them
                    assert other[key] == pytest.approx(value, abs=86_400)


@given(seed=st.integers(0, 30), by=st.sampled_from(["touchpoint", "channel"]))
@settings(max_examples=4)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("of", ["conversions", "value"])
def test_credits_by_rule_are_those_of_the_journeys(rule, of, seed, by):
    journeys = journeys_of(*rows_of(seed, 90))
    raw, found = (rule(one, of=of, by=by) for one in (journeys, journeys.statistics()))
    assert raw.unattributed == pytest.approx(found.unattributed, abs=1e-9)
    assert raw.to_dict()["remarks"] == found.to_dict()["remarks"]
    names = raw.table[by]
    order = [found.table[by].index(name) for name in names]
    for column in raw.table.column_names[1:]:
        mine = np.asarray(found.table[column], dtype=np.float64)[order]
        assert np.allclose(raw.table[column], mine, atol=1e-9, equal_nan=True), column


@given(
    seed=st.integers(0, 30),
    rules=st.sampled_from(
        [{}, {"inactivity": None}, {"after_goal": "keep"}, {"goal": None, "all_closed": True}]
    ),
)
@example(seed=1, rules={"goal": None, "all_closed": True})  # nothing says when the last one ended
@settings(max_examples=6)
@pytest.mark.parametrize("by", ["touchpoint", "channel", ("channel", "touchpoint")])
def test_waits_are_those_of_the_journeys(by, seed, rules):
    rows, until = rows_of(seed, 90)  # whole hours: the grid parts all times
    rows = tuple((w, at.replace(minute=0, second=0), *rest) for w, at, *rest in rows)
    journeys = journeys_of(rows, until, **rules)
    raw, found = (
        cx.critical.bottlenecks(one, by=by) for one in (journeys, journeys.statistics(grains=[by]))
    )
    grain = by if isinstance(by, str) else ", ".join(by)
    order = [found.table[grain].index(name) for name in raw.table[grain]]
    exactly = rules.get("inactivity", 2) == 2  # without a limit bins end at ten years
    for column in raw.table.column_names[1:]:
        one, other = np.asarray(raw.table[column], dtype=np.float64), found.table[column][order]
        if column == "converted_s" and "after_goal" in rules:
            continue  # of weighed visits
        if column in {"median_s", "p90_s", "followed_s"}:
            apart = 3_600 if exactly else 86_400 * 20
        else:  # half a step of a bin
            apart = 1 if exactly else 0
        assert np.allclose(one, other, rtol=1e-3, atol=apart, equal_nan=True), column
    for field in ("seconds", "seconds_converted", "steps", "steps_converted"):
        one, other = getattr(raw, field), getattr(found, field)
        for end in ("value", "low", "high"):
            mine, theirs = getattr(one, end), getattr(other, end)
            assert mine == pytest.approx(theirs, rel=1e-3, nan_ok=True), (field, end)
        assert (one.n, one.n_censored, one.name) == (other.n, other.n_censored, other.name)
    assert raw.caveats == tuple(x for x in found.caveats if "on a grid" not in x)


def test_critical_points_are_those_of_the_journeys():
    journeys = cx.datasets.sample(seed=1, customers=800).journeys()
    raw, found = (cx.critical.points(one) for one in (journeys, journeys.statistics()))
    assert raw.ranking == found.ranking
    for column in raw.table.column_names[1:]:
        if column.split("_")[0] in {"emotion", "score", "driver"}:
            continue
        mine, theirs = raw.table[column], found.table[column]
        if isinstance(mine, tuple):
            assert mine == theirs, column
        elif column.startswith("wait") and column.endswith("_s"):
            assert np.allclose(mine, theirs, rtol=1e-3, equal_nan=True), column
        else:
            near = 2e-3 * (raw.mean_conversion_value if "value" in column else 1)
            assert np.allclose(mine, theirs, rtol=2e-3, atol=near, equal_nan=True), column
    assert any("needs rows" in x for x in found.caveats)
    with pytest.raises(InvalidValue, match="needs rows"):
        cx.critical.points(journeys.statistics(), segment="channel")


@given(seed=st.integers(0, 30), customers=st.sampled_from([3, 90]), days=st.sampled_from([1, 5, 9]))
@settings(max_examples=6)
@pytest.mark.parametrize("by", ["touchpoint", "channel"])
def test_conversions_later_on_are_those_of_the_journeys(by, seed, customers, days):
    rows, until = rows_of(seed, customers)  # whole hours: the grid parts all times of two weeks
    rows = tuple((w, at.replace(minute=0, second=0), *rest) for w, at, *rest in rows)
    journeys = journeys_of(rows, until)
    raw, found = (
        cx.dropoff.exits(one, by=by, window=timedelta(days=days)).table
        for one in (journeys, journeys.statistics())
    )
    order = [found[by].index(name) for name in raw[by]]
    for column in ("conversion_after", "conversion_after_low", "conversion_after_high"):
        assert np.allclose(raw[column], found[column][order], atol=1e-9, equal_nan=True), column


@pytest.mark.parametrize("customers", [3, 40, 90])
def test_the_usual_window_is_that_of_the_journeys(customers):
    for seed in range(6):
        journeys = journeys_of(*rows_of(seed, customers))
        raw, found = (cx.dropoff.exits(one).window for one in (journeys, journeys.statistics()))
        assert timedelta() <= raw - found < timedelta(days=1), seed


@given(seed=st.integers(0, 30), customers=st.sampled_from([3, 90]), dates=st.booleans())
@settings(max_examples=6)
@pytest.mark.parametrize("by", ["touchpoint", "channel"])
@pytest.mark.parametrize("closing", [True, False])
def test_transitions_are_those_of_the_journeys(by, closing, seed, customers, dates):
    rows, until = rows_of(seed, customers)
    if dates:
        rows = tuple((w, at.replace(hour=0, minute=0, second=0), *x) for w, at, *x in rows)
    journeys = journeys_of(rows, until)
    raw, found = (
        cx.omnichannel.transitions(one, by=by, closing=closing)
        for one in (journeys, journeys.statistics())
    )
    assert raw.n == found.n
    assert raw.notes == found.notes
    assert sorted(raw.names) == list(found.names)
    near, like = (
        cx.omnichannel.affinity(one, by=by, closing=closing)
        for one in (journeys, journeys.statistics())
    )
    assert (near.n, near.free, near.notes) == (like.n, like.free, like.notes)
    pairs = [
        list(zip(*(t.pairs[n] for n in t.pairs.column_names[:2]), strict=True))
        for t in (near, like)
    ]
    order = [pairs[1].index(pair) for pair in pairs[0]]
    for name in near.pairs.column_names[2:]:
        assert np.allclose(near.pairs[name], like.pairs[name][order], atol=1e-6, equal_nan=True)
    for one, other in ((raw.table, found.table), (raw.ends, found.ends)):
        cells = [
            {
                key: row
                for *key_, row in zip(
                    *(t[n] for n in t.column_names[:2]),
                    zip(*(t[n] for n in t.column_names[2:]), strict=True),
                    strict=True,
                )
                for key in [tuple(key_)]
            }
            for t in (one, other)
        ]
        assert cells[0].keys() == cells[1].keys()
        for key, row in cells[0].items():
            assert np.allclose(row, cells[1][key], atol=1e-12, equal_nan=True)


def test_a_move_at_the_time_of_the_last_censoring_leaves_open_what_comes_later():
    until = START + timedelta(days=1)
    rows = [
        ("a", START, "web", None, None),
        ("a", START + 5 * HOUR, "buy", None, None),
        ("b", until - 5 * HOUR, "web", None, None),
    ]
    journeys = journeys_of(rows, until)
    for graph in (journeys.graph(), journeys.statistics().graph()):
        assert graph.nodes["web"]["followed_us"] == 5 * 3_600_000_000


@pytest.mark.filterwarnings("ignore:The timestamps span")
def test_times_of_years_and_their_squares_are_summed_exactly():
    # 30 customers at most two centuries apart: squares of microseconds beyond 64 and 96 bits
    waits = [timedelta(days=36_500 * (i + 1) / 15, microseconds=i) for i in range(30)]
    start = datetime(1800, 1, 1, tzinfo=UTC)
    rows = [
        (str(i), at, x, None, None)
        for i, w in enumerate(waits)
        for x, at in (("a", start), ("b", start + w))
    ]
    journeys = log_of(rows, datetime(2100, 1, 1, tzinfo=UTC)).journeys(all_closed=True)
    statistics = journeys.statistics(grains="touchpoint")
    took = [w // timedelta(microseconds=1) for w in waits]
    spread = sum(w * w for w in took) - Fraction(sum(took) ** 2, len(took))
    edge = statistics.graph().edges["a", "b"]
    assert edge["dwell_m2"] == float(spread / 10**12)
    assert edge["dwell_mean_s"] == float(Fraction(sum(took), len(took) * 10**6))
    assert edge["dwell_sum_us"] == sum(took)
    many = cx.JourneyStatistics.total(
        [
            log.journeys(all_closed=True).statistics(grains="touchpoint", part=(i, 4))
            for i in range(4)
            for ids in [[str(j) for j in range(30) if part_of([str(j)], 2)[0] == i]]
            for log in [journeys.log.filter(customers=ids)]
        ]
    )
    assert many == statistics


def test_values_add_up_to_the_cent_and_may_be_negative():
    values = [0.1, 0.2, 1e12, -1e12, -0.01, 4e15, 19.99] * 30
    rows = []
    for i, value in enumerate(values):
        rows += [(str(i), START, "ad", None, None), (str(i), START + HOUR, "buy", None, value)]
    until = START + timedelta(days=9)
    statistics = journeys_of(rows, until).statistics()
    exact = sum(Fraction(str(value)) for value in values)
    assert statistics.graph().edges["ad", cx.CONVERSION]["value_sum"] == float(exact)
    assert mean_value(statistics) == float(exact / len(values))
    assert sum(parts_of(tuple(rows), until, 16)) == statistics


# ------------------------------------------------------------------ what is refused


def test_customers_that_two_have_in_common_are_refused():
    rows, until = rows_of(1, 80)
    whole = journeys_of(rows, until).statistics()
    days = [
        [r for r in rows if (r[1] < START + timedelta(days=9)) is early] for early in (True, False)
    ]
    first, second = (journeys_of(some, until).statistics() for some in days)
    with pytest.raises(InvalidValue, match="share customers: more than one has all customers"):
        first + second
    eighth = parts_of(rows, until, 8)
    with pytest.raises(InvalidValue, match="more than one has part 3 of 8"):
        cx.JourneyStatistics.total([*eighth, eighth[3]])
    with pytest.raises(InvalidValue, match="share customers"):
        parts_of(rows, until, 64)[63] + eighth[7]
    with pytest.raises(InvalidValue, match="share customers"):
        whole + eighth[0]


def test_a_log_with_customers_of_another_part_is_refused_and_names_none():
    rows, until = rows_of(1, 80)
    with pytest.raises(InvalidValue, match=r"\d+ of 80 are not in part 1 of 4") as error:
        journeys_of(rows, until).statistics(part=(1, 4))
    assert not any(row[0] in str(error.value) for row in rows if len(row[0]) > 4)


@pytest.mark.parametrize(
    "part", [(0, 3), (4, 4), (-1, 4), (0, 1 << 17), (0,), 0, (True, 2), (0, 0)]
)
def test_a_part_that_is_none_is_refused(part):
    rows, until = rows_of(1, 5)
    with pytest.raises(InvalidValue, match="part must be"):
        journeys_of(rows, until).statistics(part=part)


def test_other_plans_are_refused_by_what_differs():
    rows, until = rows_of(1, 80)
    one, two = parts_of(rows, until, 2)
    for changed, word in (
        (parts_of(rows, until + HOUR, 2)[1], "observed_until"),
        (parts_of(rows, until, 2, inactivity=timedelta(days=3))[1], "rules"),
        (parts_of(rows, until, 2, grains="touchpoint")[1], "grains"),
    ):
        with pytest.raises(InvalidValue, match=f"{word}.* is .* in one and .* in another"):
            one + changed
    named = attrs.evolve(two, plan=attrs.evolve(two.plan, key_id="k1"))
    with pytest.raises(InvalidValue, match="key_id"):
        one + named
    assert one + two == journeys_of(rows, until).statistics()
    with pytest.raises(TypeError):
        one + 1
    for nothing in ([], [one, "two"]):
        with pytest.raises(InvalidValue, match="parts must be"):
            cx.JourneyStatistics.total(nothing)


def test_paths_and_cuts_that_compare_all_customers_are_refused():
    paths = cx.Journeys.from_paths([["a"]], converted=[1])
    with pytest.raises(InvalidValue, match="needs customers"):
        paths.statistics()
    rows, until = rows_of(1, 5)
    with pytest.raises(InvalidValue, match="gaps="):
        journeys_of(rows, until, gaps=cx.TransitionGaps()).statistics()


def test_what_needs_rows_says_so():
    rows, until = rows_of(1, 80)
    statistics = journeys_of(rows, until).statistics()
    of_segments = functools.partial(cx.whatif.baseline, segment="channel")
    for analysis in (
        cx.sequences.paths,
        of_segments,
    ):
        with pytest.raises(InvalidValue, match="needs rows, which statistics that add up"):
            analysis(statistics)
    for hours in (1, 36, 24 * 400):
        with pytest.raises(InvalidValue, match="window must be a whole number of days up to 366"):
            cx.dropoff.exits(statistics, window=HOUR * hours)
    for argument in ({"reaching": "web"}, {"segment": "channel"}):
        with pytest.raises(InvalidValue, match="needs the rows of journeys"):
            cx.dropoff.exits(statistics, **argument)
    with pytest.raises(InvalidValue, match="order must be left out"):
        cx.attribution.markov(statistics, order=2)
    with pytest.raises(InvalidValue, match="by must be among the grains that were counted"):
        cx.dropoff.exits(statistics, by="owner")
    with pytest.raises(UnknownName):
        journeys_of(rows, until).statistics(grains="owner")
    with pytest.raises(OutcomeUndetermined):
        cx.dropoff.exits(
            journeys_of(rows, until, inactivity=None, exit_touchpoints=()).statistics()
        )


def test_an_empty_part_is_nothing_and_adds_nothing():
    rows, until = rows_of(1, 80)
    whole = journeys_of(rows, until).statistics()
    some = tuple(row for row in rows if part_of([row[0]], 6)[0] != 7)
    with_empty = parts_of(some, until, 64)
    assert len(with_empty[7]) == 0
    assert sum(with_empty) == journeys_of(some, until).statistics()
    assert sum(with_empty) != whole
    nothing = journeys_of([], until).statistics()
    assert len(nothing) == 0
    assert cx.JourneyStatistics.from_bytes(nothing.to_bytes()) == nothing
    assert conversion_rate_of(nothing) is None


def test_up_to_64_customers_are_units_of_their_own_once_all_are_there():
    rows, until = rows_of(2, 64)
    whole = journeys_of(rows, until).statistics()
    journeys = (left_out(whole).journeys > 0).sum()
    assert journeys == 64
    assert len(whole.digests) == 64
    assert len(set(bucket_of([row[0] for row in rows]))) < 64
    more, _ = rows_of(2, 65)
    assert journeys_of(more, until).statistics().digests == ()
    text = whole.to_bytes() + repr(whole).encode()
    assert not any(IDS[i % len(IDS)].format(i).encode() in text for i in (1, 3, 5))


# ------------------------------------------------------------------ bytes


@pytest.fixture(scope="module")
def written():
    rows, until = rows_of(4, 30)
    return journeys_of(rows, until).statistics().to_bytes()


def test_a_pickle_and_a_copy_are_the_same(written):
    statistics = cx.JourneyStatistics.from_bytes(written)
    assert statistics == pickle.loads(pickle.dumps(statistics)) == copy.deepcopy(statistics)  # noqa: S301
    assert statistics.to_bytes() == written


def test_bytes_of_something_else_are_refused(written, rewritten):
    for data, word in (
        (b"", "is not"),
        (b"PK\x03\x04", "is not"),
        (written.replace(b"statistics 2\n", b"statistics 1\n", 1), "in format 2"),
        (written[:-9], "damaged"),
        (written + b"x", "damaged"),
        (rewritten(written, lambda plain: plain[:-1]), "damaged"),
        (rewritten(written, lambda plain: plain + b"\0"), "damaged"),
        (rewritten(written, lambda plain: b"\xff" * 8 + plain[8:]), "damaged"),
        ("text", "be bytes"),
    ):
        with pytest.raises(InvalidValue, match=word):
            cx.JourneyStatistics.from_bytes(data)


@given(st.data())
def test_damage_is_refused_or_harmless(written, damaged, data):
    try:
        found = cx.JourneyStatistics.from_bytes(damaged(written, data))
    except InvalidValue:
        return
    found.graph()  # a count that is another count cannot be seen, and is one
    cx.omnichannel.transitions(found)
    cx.attribution.linear(found, of="value")
    cx.dropoff.exits(found)
    cx.critical.bottlenecks(found)
    repr(found)


def test_counts_of_customers_of_other_parts_are_refused(rewritten):
    rows, until = rows_of(4, 90)
    part = parts_of(rows, until, 2)[1]

    def claims_the_other(plain):
        return plain.replace(b"[[32768, 65536]]", b"[[0, 32768]]    ")

    with pytest.raises(InvalidValue, match="counts customers of other parts"):
        cx.JourneyStatistics.from_bytes(rewritten(part.to_bytes(), claims_the_other))


# ------------------------------------------------------------------ real logs


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("retentioneering_simple_shop/simple-onlineshop.csv", ("user_id", "timestamp", "event")),
        ("pm4py_receipt/receipt.csv", ("case:concept:name", "time:timestamp", "concept:name")),
        ("bupar_sepsis/sepsis.csv.gz", ("case_id", "timestamp", "activity")),
    ],
)
def test_parts_of_real_logs_add_up(shared, divided, path, columns):
    names = dict(zip(("customer", "timestamp", "touchpoint"), columns, strict=True))
    log = cx.read_csv(shared / "data" / path, **names)
    rules = {"inactivity": timedelta(days=3)}
    asked = {"trend": [{"figure": "exit_rate"}, {"figure": "visits"}]}
    whole = log.journeys(**rules).statistics(analyses=asked)
    parts = divided(log, 32, rules, analyses=asked)
    assert sum(parts[::-1]) == whole == cx.JourneyStatistics.total(parts[::2] + parts[1::2])
    raw = statistics_of(log.journeys(**rules))
    found = statistics_of(whole)
    order = [raw.names.index(name) for name in found.names]
    assert np.array_equal(raw.visits[order], found.visits)
    assert np.array_equal(raw.exits[order], found.exits)
    apart = np.abs(raw.silence[order] - found.silence).max()
    assert apart <= whole.distance() + 1e-12 <= 0.01
    for figure in ("exit_rate", "visits"):
        ours, theirs = (cx.trend(one, figure) for one in (whole, log.journeys(**rules)))
        for name in ("n", "value", "low", "high", "limit_low", "limit_high"):
            assert ours.periods[name] == pytest.approx(theirs.periods[name], nan_ok=True)
        assert (ours.since, ours.p) == (theirs.since, pytest.approx(theirs.p))


@pytest.mark.shared_data
@pytest.mark.parametrize("case", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("rule", "hours", "goal"),
    [
        ("inactivity >= 30 days (the other boundary rule)", 720, None),
        ("inactivity > 30 days, goal ends the journey", 721, "goal"),
    ],
)
def test_counts_of_the_big_log_are_those_of_duckdb(shared, case, rule, hours, goal):
    told = json.loads((shared / "oracles" / "big_log.json").read_text())["cases"][case]
    answer = told["rules"][rule]
    spec = {}
    exec((shared / "oracles" / "big_log_spec.py").read_text(), spec)  # noqa: S102 - integer sums
    found = spec["make"](told["seed"], told["customers"])
    ids = [f"c{number}" for number in range(1, told["customers"] + 1)]
    number = part_of(ids, 3)[found["c"] - 1]
    time = (1_704_067_200 + found["hour"] * 3_600) * 1_000_000
    touchpoint = np.array([*(f"T{i}" for i in range(9)), "goal"], dtype=object)[found["v"]]
    until = datetime.fromtimestamp(int(time.max()) / 1e6, UTC)
    parts = []
    for part in range(8):
        rows = np.flatnonzero(number == part)
        log = cx.InteractionLog.from_frame(
            {
                "who": [f"c{c}" for c in found["c"][rows].tolist()],
                "when": time[rows].astype("datetime64[us]"),
                "what": touchpoint[rows].tolist(),
            },
            customer="who",
            timestamp="when",
            touchpoint="what",
            tz="UTC",
            observed_until=until,
        )
        journeys = log.journeys(goal=goal, inactivity=timedelta(hours=hours), touchpoints=["goal"])
        parts.append(journeys.statistics(grains="touchpoint", part=(part, 8)))
    total = cx.JourneyStatistics.total(parts)
    assert len(total) == answer["journeys"]
    made = cx.omnichannel.transitions(total, by="touchpoint")
    pairs = zip(made.table["from_touchpoint"], made.table["to_touchpoint"], strict=True)
    counts = made.table["count"].tolist()
    counted = {f"{a} -> {b}": n for (a, b), n in zip(pairs, counts, strict=True)}
    assert counted == answer["directly_follows"]
    starts, ends = {}, {}
    for first, last, n in zip(
        *(made.ends[name] for name in made.ends.column_names[:3]), strict=True
    ):
        starts[first] = starts.get(first, 0) + n
        ends[last] = ends.get(last, 0) + n
    assert starts == answer["starts"]
    assert ends == answer["ends"]
    if goal:
        assert total.outcomes[Outcome.CONVERTED] == answer["journeys_with_goal"]


def test_the_middle_of_two_far_apart_is_halfway_and_no_wait_is_no_time():
    def middle(*hours):
        moments = [(f"c{i}", START + HOUR * at) for i, h in enumerate(hours) for at in (0, h)]
        columns = {
            "customer": [who for who, _ in moments],
            "timestamp": [when for _, when in moments],
            "touchpoint": ["web", "shop"] * len(hours),
        }
        log = cx.InteractionLog.from_frame(columns, **{name: name for name in columns})
        statistics = log.journeys(all_closed=True).statistics()
        return statistics.graph().edges["web", "shop"]["dwell_median_s"]

    assert middle(2, 50) == pytest.approx(26 * 3600)
    assert middle(0, 0, 0) == 0
    # of four it is halfway between the bins of the two in the middle, each a third of its time wide
    assert middle(1, 2, 50, 60) == pytest.approx(26 * 3600, rel=0.3)
    assert middle(1, 2, 60) == pytest.approx(2 * 3600, rel=0.3)
