"""What holds of every attribution."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from math import factorial, isnan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

import cxjourney as cx
from cxjourney.attribution import _shapley as shapley_value

PATHS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(tuple),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
)
RULES = ["first_touch", "last_touch", "linear", "position_based", "shapley", "markov"]


def journeys_of(rows) -> cx.Journeys:
    paths, converted, dropped = zip(*rows, strict=True)
    return cx.Journeys.from_paths(paths, converted=converted, dropped=dropped, channels=True)


@given(PATHS, st.sampled_from(RULES))
def test_credits_sum_to_the_conversions(rows, rule):
    total = sum(converted for _, converted, _ in rows)
    assume(total > 0)
    result = getattr(cx.attribution, rule)(journeys_of(rows))
    assert sum(result.credit.values()) == pytest.approx(total, rel=1e-9)
    assert result.total == pytest.approx(total, rel=1e-9)


@given(PATHS, st.integers(1, 3))
def test_the_chain_of_any_order_converts_as_often_as_observed(rows, order):
    journeys = journeys_of(rows)
    assume(len(journeys) > 0)
    result = cx.attribution.markov(journeys, order=order)
    converted = sum(c for _, c, _ in rows)
    assert result.base_rate == pytest.approx(converted / len(journeys), abs=1e-9)
    if converted:
        assert all(0 <= effect <= 1 for effect in result.removal_effect.values())
    else:
        assert all(isnan(effect) for effect in result.removal_effect.values())


@given(PATHS)
def test_self_loops_change_no_removal_effect(rows):
    assume(sum(c for _, c, _ in rows) > 0)
    plain = [([n for i, n in enumerate(p) if i == 0 or p[i - 1] != n], c, d) for p, c, d in rows]
    merged: dict = {}
    for path, c, d in plain:
        before = merged.get(tuple(path), (0, 0))
        merged[tuple(path)] = (before[0] + c, before[1] + d)
    once = cx.attribution.markov(journeys_of([(p, *n) for p, n in merged.items()]))
    result = cx.attribution.markov(journeys_of(rows))
    assert dict(result.removal_effect) == pytest.approx(dict(once.removal_effect), abs=1e-9)


@given(PATHS, st.permutations("abcd"), st.sampled_from(RULES))
def test_names_are_only_names(rows, names, rule):
    assume(sum(c for _, c, _ in rows) > 0)
    other = dict(zip("abcd", names, strict=True))
    renamed = [(tuple(other[n] for n in p), c, d) for p, c, d in rows]
    a = getattr(cx.attribution, rule)(journeys_of(rows)).credit
    b = getattr(cx.attribution, rule)(journeys_of(renamed)).credit
    assert {other[n]: v for n, v in a.items()} == pytest.approx(dict(b), abs=1e-9)


@given(PATHS)
def test_removing_means_redirecting_to_the_loss(rows):
    total = sum(c for _, c, _ in rows)
    assume(total > 0)
    journeys = journeys_of(rows)
    result = cx.attribution.markov(journeys)
    graph = journeys.graph()
    for name, effect in result.removal_effect.items():
        without = cx.JourneyGraph(graph)
        for _, v, data in without.out_edges(name, data=True):
            data["probability"] = 0.0
            del v
        if without.has_edge(name, cx.DROPOFF):
            without.edges[name, cx.DROPOFF]["probability"] = 1.0
        else:
            without.add_edge(name, cx.DROPOFF, count=0, probability=1.0)
        left = cx.AbsorbingChain.from_graph(without).conversion_probability
        assert effect == pytest.approx(1 - left / result.base_rate, abs=1e-9)


def worth(rows, inside) -> float:
    won = sum(c for p, c, _ in rows if set(p) <= inside)
    count = sum(c + d for p, c, d in rows if set(p) <= inside)
    return won / count if count else 0.0


@given(PATHS)
def test_shapley_of_rates_equals_the_mean_over_all_orders(rows):
    total = sum(c for _, c, _ in rows)
    names = sorted({n for p, _, _ in rows for n in p})
    value = dict.fromkeys(names, 0.0)
    for order in permutations(names):
        inside: set = set()
        for name in order:
            before = worth(rows, inside)
            inside.add(name)
            value[name] += (worth(rows, inside) - before) / factorial(len(names))
    whole = sum(value.values())
    assume(total > 0 and whole > 1e-9)
    result = cx.attribution.shapley(journeys_of(rows), worth="rate")
    expected = {n: v * total / whole for n, v in value.items()}
    found = {n: result.credit.get(n, 0.0) for n in names}
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_sampled_orders_come_close_to_all_of_them():
    rng = np.random.default_rng(3)
    member = rng.random((40, 8)) < 0.3
    member[:, 0] |= ~member.any(axis=1)
    won, count = rng.integers(0, 9, 40).astype(float), rng.integers(9, 20, 40).astype(float)
    exact = shapley_value._exact(member, won, count)
    mean, error = shapley_value._sampled(member, won, count, 4000, rng)
    assert np.all(np.abs(mean - exact) < 5 * error + 1e-12)


def test_the_error_of_sampled_orders_is_scaled_with_the_credit(monkeypatch):
    # sixteen names of one value each divide 64 conversions: four each, and so many times the error
    def sampled(member, won, count, samples, rng):
        return np.ones(16), np.full(16, 0.5)

    monkeypatch.setattr(shapley_value, "_sampled", sampled)
    names = [f"n{i}" for i in range(16)]
    paths = cx.Journeys.from_paths(
        [[name] for name in names], converted=[4] * 16, dropped=[1] * 16, channels=True
    )
    table = cx.attribution.shapley(paths, worth="rate", samples=7).table
    assert table["credit"] == pytest.approx(np.full(16, 4.0))
    assert table["sampling_error"] == pytest.approx(np.full(16, 2.0))
    assert np.isnan([table[name] for name in ("low", "high", "rank_low", "rank_high")]).all()


@given(PATHS)
def test_places_add_up_to_shapley(rows):
    assume(sum(c for _, c, _ in rows) > 0)
    journeys = journeys_of(rows)
    table = cx.attribution.shapley_by_position(journeys).table
    found: dict = {}
    for name, credit in zip(table["channel"], table["credit"], strict=True):
        found[name] = found.get(name, 0.0) + credit
    expected = cx.attribution.shapley(journeys).credit
    assert found == pytest.approx({n: v for n, v in expected.items() if v}, abs=1e-9)


def interactions():
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    told = {
        "a": [("ad", "social", 0), ("page", "web", 7), ("page", "web", 14), ("buy", "web", 28)],
        "b": [("page", "web", 0), ("desk", "store", 1)],
        "c": [("buy", "store", 2)],
    }
    return [
        cx.Interaction(
            customer=who, touchpoint=what, channel=how, timestamp=begin + timedelta(days=day)
        )
        for who, touches in told.items()
        for what, how, day in touches
    ]


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    log = cx.InteractionLog.from_interactions(
        interactions(), observed_until=datetime(2026, 6, 1, tzinfo=UTC)
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=30))


def test_time_decay_halves_by_its_half_life(journeys):
    # touches 28, 21 and 14 days before: weights 1/16, 1/8, 1/4
    credit = cx.attribution.time_decay(journeys).credit
    assert credit["social"] == pytest.approx(1 / 7)
    assert credit["web"] == pytest.approx(6 / 7)


def test_the_goal_is_no_touchpoint_and_its_lone_conversion_is_said(journeys):
    result = cx.attribution.linear(journeys, by="touchpoint")
    assert set(result.credit) == {"ad", "page", "desk"}
    assert (result.total, result.unattributed) == (1.0, 1.0)
    assert "had no touch to credit" in repr(result)


def test_the_look_back_leaves_older_touches_out(journeys):
    near = cx.attribution.first_touch(journeys, look_back=timedelta(days=22))
    assert near.credit["web"] == 1.0
    none = cx.attribution.first_touch(journeys, look_back=timedelta(days=1))
    assert (none.total, none.unattributed) == (0.0, 2.0)


def test_a_channel_is_removed_with_all_its_touchpoints(journeys):
    joint = cx.attribution.markov(journeys, by="channel", states="touchpoint")
    # the one journey with touches goes through both: half of the conversions are lost
    assert dict(joint.removal_effect)["web"] == pytest.approx(0.5, abs=1e-9)


def test_aggregated_paths_have_no_times():
    paths = cx.Journeys.from_paths([["a"]], converted=[1], channels=True)
    with pytest.raises(cx.exceptions.TimesRequired, match="time_decay"):
        cx.attribution.time_decay(paths)


def test_undetermined_outcomes_are_refused():
    log = cx.InteractionLog.from_interactions(interactions())
    journeys = log.journeys(goal="buy")
    with pytest.raises(cx.exceptions.OutcomeUndetermined, match="inactivity"):
        cx.attribution.markov(journeys)


def test_intervals_are_as_wide_as_sampling_scatters():
    # 60 of 300 journeys convert by b: a binomial, on the scale of logarithms, over 64 buckets
    paths = cx.Journeys.from_paths(
        [["a"], ["b"]], converted=[40, 60], dropped=[60, 140], channels=True
    )
    row = cx.attribution.linear(paths).table.row(0)
    assert row["channel"] == "b"
    error = np.sqrt(300 * 0.2 * 0.8) / 60
    half = stats.t.ppf(0.975, 60) * error
    assert np.log(row["high"] / row["credit"]) == pytest.approx(half, rel=0.15)
    assert np.log(row["credit"] / row["low"]) == pytest.approx(half, rel=0.15)


def test_ranks_are_open_where_credits_are_close():
    paths = cx.Journeys.from_paths(
        [["a"], ["b"], ["c"]], converted=[400, 60, 59], dropped=[100, 100, 100], channels=True
    )
    table = cx.attribution.linear(paths).table
    ranks = {row["channel"]: (row["rank_low"], row["rank_high"]) for row in table}
    assert ranks == {"a": (1, 1), "b": (2, 3), "c": (2, 3)}


def test_the_same_seed_gives_the_same_result(journeys):
    a, b = (cx.attribution.markov(journeys) for _ in range(2))
    assert a == b
    assert cx.attribution.Attribution.from_dict(a.to_dict()).credit == a.credit


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "rows", [[(("a",), 1, 0)], [(("a",), 0, 1)], [(("a", "a", "a"), 2, 2)], [(("a", "b"), 3, 0)]]
)
def test_degenerate_logs_give_no_wrong_number(rows, rule):
    result = getattr(cx.attribution, rule)(journeys_of(rows))
    converted = rows[0][1]
    if converted:
        assert sum(result.credit.values()) == pytest.approx(converted)
    else:
        assert all(v == 0 or isnan(v) for v in result.credit.values())
    assert repr(result)


def test_costs_give_the_return_and_unknown_names_are_refused():
    paths = cx.Journeys.from_paths([["a"], ["b"]], converted=[4, 6], channels=True)
    result = cx.attribution.linear(paths, costs={"a": 2.0})
    assert dict(zip(result.table["channel"], result.table["return_on_cost"], strict=True))["a"] == 2
    with pytest.raises(cx.exceptions.UnknownName, match="did you mean"):
        cx.attribution.linear(paths, costs={"aa": 1.0})


def test_models_stand_side_by_side():
    rows = [(("a", "b"), 3, 1), (("b",), 1, 5), (("c", "a", "b"), 2, 2)]
    table = cx.attribution.compare_models(journeys_of(rows), orders=(1, 2)).table
    for model in ("first", "last", "linear", "position", "shapley", "markov_1", "markov_2"):
        assert sum(table[model]) == pytest.approx(1)
    assert list(table["spread"]) == sorted(table["spread"], reverse=True)


@pytest.mark.parametrize("segment", ["segment", "issue"])
def test_segments_divide_the_conversions(segment):
    # issues are known of some journeys: the others are a segment of their own
    journeys = cx.datasets.sample(seed=2, customers=400).journeys()
    parts = cx.attribution.linear(journeys, segment=segment)
    whole = cx.attribution.linear(journeys)
    total: dict = {}
    for _, part in parts:
        for name, credit in part.credit.items():
            total[name] = total.get(name, 0) + credit
    assert total == pytest.approx(dict(whole.credit))
    assert (cx.MISSING in parts.values) == (segment == "issue")
    assert parts.to_frame("polars").columns[:2] == ["segment", "channel"]
    assert repr(type(parts).from_dict(parts.to_dict())) == repr(parts)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("first_touch", {"by": "touchpoint"}),
        ("last_touch", {"ignore": {"web"}}),
        ("linear", {"distinct": True, "level": 0.9}),
        ("position_based", {"first": 0.2, "last": 0.3}),
        ("time_decay", {"half_life": timedelta(hours=3)}),
        ("participation", {"look_back": timedelta(days=2)}),
        ("markov", {"order": 2, "of": "value"}),
        ("shapley", {"worth": "rate", "by": "stage"}),
        ("shapley_by_position", {"of": "value"}),
        ("compare_models", {"orders": (1, 2)}),
    ],
)
def test_a_segment_is_attributed_as_if_alone_with_the_same_options(model, options):
    journeys = cx.datasets.sample(seed=2, customers=200).journeys()
    attribute = getattr(cx.attribution, model)
    found = attribute(journeys, segment="region", **options)
    coded = journeys.segment("region")
    alone = attribute(journeys.where(coded.codes == coded.names.index("east")), **options)
    assert found["east"].to_dict() == alone.to_dict()


@pytest.mark.parametrize("rule", RULES)
def test_a_log_with_one_channel_a_journey_is_said_to_have_nothing_to_attribute(rule):
    result = getattr(cx.attribution, rule)(journeys_of([(("a", "a"), 3, 1), (("b",), 2, 0)]))
    assert "No converting journey touches more than one name" in repr(result)
    mixed = getattr(cx.attribution, rule)(journeys_of([(("a", "b"), 3, 1)]))
    assert "more than one name" not in repr(mixed)


def test_intervals_of_all_models_carry_the_same_uncertainty():
    # one channel a journey: every model counts the same journeys, so intervals agree
    paths = cx.Journeys.from_paths(
        [["a"], ["b"]], converted=[40, 60], dropped=[60, 140], channels=True
    )
    markov = cx.attribution.markov(paths)
    linear = cx.attribution.linear(paths)
    for column in ("low", "high"):
        assert markov.table[column] == pytest.approx(linear.table[column], rel=0.01)
