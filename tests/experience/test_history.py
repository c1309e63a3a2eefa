from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, OutOfScale, TimesRequired, UnknownName
from cxjourney.experience import history, inferred_effort
from cxjourney.experience._memory_rules import RULES, rule_fits

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def log_of(rows, *, until=100, **columns):
    """Return a log of (customer, touchpoint, day, emotion)."""
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=customer,
                touchpoint=touchpoint,
                timestamp=BEGIN + timedelta(days=at),
                emotion=emotion,
                **{name: values[i] for name, values in columns.items()},
            )
            for i, (customer, touchpoint, at, emotion) in enumerate(rows)
        ],
        observed_until=BEGIN + timedelta(days=until),
    )


ROWS = [
    ("a", "web", 0, 1.0),
    ("a", "web", 10, -0.5),
    ("a", "web", 30, 0.5),
    ("b", "web", 5, 0.2),
    ("c", "web", 7, None),  # nothing is known of c
]


def test_where_customers_stand_by_hand():
    log = log_of(ROWS)
    found = history(log, half_life="10d")
    # ages from the last value: 30, 20 and 0 days
    a = (1.0 / 8 - 0.5 / 4 + 0.5) / (1 / 8 + 1 / 4 + 1)
    assert found.scores == pytest.approx((a, 0.2, np.nan), nan_ok=True)
    assert (found.n_without, found.n_journeys_without) == (1, 1)
    plain = history(log)
    assert plain.scores == pytest.approx((1 / 3, 0.2, np.nan), nan_ok=True)
    assert plain.half_life_days is None
    assert "1 customer and 1 journey have no emotion and are left out, not neutral." in repr(plain)


def test_what_comes_after_the_date_does_not_count():
    found = history(log_of(ROWS), at="2026-01-21")
    assert found.scores == pytest.approx((0.25, 0.2, np.nan), nan_ok=True)
    assert found.at == "2026-01-21T00:00:00Z"
    early = history(log_of(ROWS), at=BEGIN - timedelta(days=1))
    assert np.isnan(early.scores).all()
    assert len(early.table) == 0


def test_each_period_has_all_customers_that_have_said_something():
    found = history(log_of(ROWS, until=45), by="month")
    assert found.table["period"] == ("2026-01", "2026-02")
    assert found.table["customers"].tolist() == [2, 2]
    assert found.table["n"].tolist() == [4, 0]
    weekly = history(log_of(ROWS), by="week", at="2026-01-12").table
    assert weekly["period"] == ("2025-12-29", "2026-01-05")
    assert weekly["mean"].tolist() == pytest.approx([1.0, (0.25 + 0.2) / 2])


def test_a_half_life_of_a_moment_is_the_last_value_and_one_of_ages_the_plain_mean():
    log = log_of(ROWS)
    assert history(log, half_life="1s").scores[0] == pytest.approx(0.5)
    assert history(log, half_life=timedelta(days=10**7)).scores == pytest.approx(
        history(log).scores, abs=1e-5, nan_ok=True
    )


values = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 90),
        st.one_of(st.none(), st.integers(-10, 10).map(lambda v: v / 10)),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda row: (row[0], row[1]),
)


@given(values, st.sampled_from([None, 1, 7, 50]), st.sampled_from(["day", "week", "quarter"]))
def test_standing_is_the_weighted_mean_whatever_the_periods(rows, half_life, by):
    log = log_of([("a", "web", 95, 0.1), *((w, "web", at, v) for w, at, v in rows)])
    given_life = None if half_life is None else timedelta(days=half_life)
    found = history(log, half_life=given_life, by=by)
    frame = pd.DataFrame([("a", 95, 0.1), *rows], columns=["who", "at", "value"]).dropna()
    for name, score in zip(log.customer_ids, found.scores, strict=True):
        mine = frame[frame["who"] == name]
        if not len(mine):
            assert np.isnan(score)
            continue
        age = 100 - mine["at"].to_numpy()
        weight = np.ones(len(mine)) if half_life is None else 2.0 ** (-age / half_life)
        assert score == pytest.approx(np.average(mine["value"], weights=weight), abs=1e-9)
        assert mine["value"].min() - 1e-12 <= score <= mine["value"].max() + 1e-12
    known = [score for score in found.scores if not np.isnan(score)]
    assert found.table["mean"][-1] == pytest.approx(np.mean(known))
    assert np.all(np.diff(found.table["customers"]) >= 0)


def rated(n=120, seed=0, rule="last"):
    """Return rows of journeys of which an overall rating follows a rule."""
    rng = np.random.default_rng(seed)
    rows, scores = [], []
    for i in range(n):
        moments = rng.uniform(-1, 1, 3 + i % 4).round(2)
        summary = {"last": moments[-1], "mean": moments.mean(), "noise": rng.uniform(-1, 1)}[rule]
        for k, moment in enumerate(moments):
            rows.append((f"c{i}", "web", k / 10, float(moment)))
            scores.append(None)
        rows.append((f"c{i}", "survey", 1.0, None))
        scores.append(float(summary + rng.normal(0, 0.2)))
    return rows, scores


def summaries(rows):
    """Return mean, peak-end, worst and last of each journey, one a customer."""
    frame = pd.DataFrame(rows, columns=["who", "what", "at", "value"])
    moments = frame[frame["what"] == "web"].groupby("who", sort=False)["value"]
    peak = moments.apply(lambda v: v.iloc[np.argmax(np.abs(v.to_numpy()) - 1e-9 * v.to_numpy())])
    last = moments.last()
    return np.array([moments.mean(), (peak + last) / 2, moments.min(), last])


def test_cross_validated_r2_is_that_of_fitting_each_part_anew():
    rows, scores = rated()
    log = log_of(rows, score=scores)
    found = history(log.journeys(inactivity="30d"), overall="score").rules
    y = np.array([score for score in scores if score is not None])
    order = list(dict.fromkeys(row[0] for row in rows))
    place = {name: i for i, name in enumerate(log.customer_ids)}
    bucket = cx.journeys.units_of_customers(log).of[[place[name] for name in order]]
    for name, x, r2 in zip(RULES, summaries(rows), found["r2"], strict=True):
        errors = total = 0.0
        for one in np.unique(bucket):
            test = bucket == one
            slope, level = np.polyfit(x[~test], y[~test], 1)
            errors += ((y[test] - level - slope * x[test]) ** 2).sum()
            total += ((y[test] - y[~test].mean()) ** 2).sum()
        assert r2 == pytest.approx(1 - errors / total, rel=1e-9), name


def test_differences_are_computed_again_without_each_bucket():
    rng = np.random.default_rng(1)
    n = 200
    bucket = rng.integers(0, 8, n)
    item = np.repeat(np.arange(n), 4)
    moments, overall = rng.normal(size=len(item)), rng.normal(size=n)

    def fits(kept):
        from cxjourney._stats.units import Units

        return rule_fits(
            moments[kept[item]],
            np.repeat(np.arange(kept.sum()), 4),
            overall[kept],
            Units(n=64, of=bucket[kept]),
            neutral=0.0,
            rng=np.random.default_rng(0),
            level=0.95,
        ).table

    whole = fits(np.ones(n, dtype=bool))
    without = np.array([fits(bucket != g)["difference"][1:] for g in range(8)])
    spread = 7 / 8 * ((without - np.asarray(whole["difference"])[1:]) ** 2).sum(axis=0)
    counts = np.bincount(bucket)
    freedom = counts.sum() ** 2 / (counts**2).sum() - 1
    from scipy.special import stdtrit

    half = stdtrit(freedom, 0.975) * np.sqrt(spread)
    assert (whole["difference_high"] - whole["difference"])[1:] == pytest.approx(half)


def test_the_rule_that_ratings_follow_is_found():
    rows, scores = rated()
    found = history(log_of(rows, score=scores), overall="score")
    assert found.best == "last"
    assert found.rules["wins"][3] > 0.95
    assert found.rules["wins"].sum() == pytest.approx(1)
    assert "'last' predicts the overall rating better" in repr(found)


@pytest.mark.parametrize("rule", ["mean", "noise"])
def test_nothing_is_claimed_where_no_rule_is_better_than_the_mean(rule):
    rows, scores = rated(rule=rule)
    found = history(log_of(rows, score=scores), overall="score")
    assert found.best is None
    assert "None of the rules is shown to predict" in repr(found)


def test_a_touchpoint_may_hold_the_rating_and_is_then_no_moment():
    rows, scores = rated()
    marked = [
        (*row[:3], row[3] if score is None else max(-1.0, min(1.0, score)))
        for row, score in zip(rows, scores, strict=True)
    ]
    found = history(log_of(marked), overall="survey")
    clipped = [None if s is None else max(-1.0, min(1.0, s)) for s in scores]
    by_column = history(log_of(rows, score=clipped), overall="score")
    assert found.rules == by_column.rules
    assert found.scores == by_column.scores


def test_moments_after_the_rating_and_journeys_without_any_have_no_part():
    rows = [("a", "web", 0, 0.5), ("a", "survey", 1, None), ("a", "web", 2, -1.0)]
    rows += [("b", "survey", 0, None), ("b", "web", 1, 0.3)]
    found = history(log_of(rows, score=[None, 5.0, None, 4.0, None]), overall="score")
    assert "Rules are those of 1 journey of 1 customer" in repr(found)
    assert "1 with a rating have no moments" in repr(found)


def test_equal_rules_share_their_wins():
    rng = np.random.default_rng(0)
    rows, scores = [], []
    for i in range(40):
        v = float(rng.uniform(-1, 1))
        rows += [(f"c{i}", "web", 0, v), (f"c{i}", "survey", 1, None)]
        scores += [None, v + float(rng.normal())]
    found = history(log_of(rows, score=scores), overall="score")
    assert found.rules["wins"].tolist() == pytest.approx([0.25] * 4)
    assert found.rules["difference"][1:].tolist() == [0, 0, 0]
    assert found.best is None


def sampled(**options):
    journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    return journeys, history(journeys, **options)


def test_the_three_cs_are_those_of_the_functions_that_have_them():
    journeys, found = sampled(personalised="newsletter", within="9d")
    rows = {row["measure"]: row for row in found.cs}
    spread = cx.omnichannel.consistency(journeys, score="emotion").spread
    assert rows["spread between channels"]["value"] == spread.value
    assert rows["spread between channels"]["high"] == spread.high
    for row in inferred_effort(journeys).table:
        assert rows[row["component"]]["value"] == row["mean"]
    visits = cx.journeys.visits_of(journeys)
    share = np.mean([visits.names[node] == "newsletter" for node in visits.node])
    assert rows["personalised contacts"]["value"] == pytest.approx(share)
    # a touchpoint is personalised or not: nothing of the same kind to compare it with
    assert np.isnan(rows["conversion after them (association)"]["value"])
    assert found.total is None
    assert "are not added up" in repr(found)


def test_conversion_after_personalised_contacts_is_that_within_strata():
    rows = [(f"c{i}", "web", 0, 0.1) for i in range(40)]
    personal = [{"personal": i < 20} for i in range(40)]
    rows += [(f"c{i}", "buy", 1, None) for i in range(40) if i % 4 == 0 or i < 5]
    personal += [{}] * (len(rows) - 40)
    log = log_of(rows, attributes=personal)
    found = history(log.journeys(goal="buy", inactivity="9d"), personalised="personal", within="5d")
    row = found.cs.row(len(found.cs) - 1)
    bought = [i % 4 == 0 or i < 5 for i in range(40)]
    assert row["value"] == pytest.approx(np.mean(bought[:20]) - np.mean(bought[20:]))
    assert row["low"] < row["value"] < row["high"]
    assert "an association, not an effect" in repr(found)


def test_a_total_needs_weights_and_holds_every_end():
    _, found = sampled(personalised="newsletter", weights={"visits": -2, "days": 1})
    rows = {row["measure"]: row for row in found.cs}
    total = found.total
    assert total.value == pytest.approx(-2 * rows["visits"]["value"] + rows["days"]["value"])
    plain = -2 * rows["visits"]["high"] + rows["days"]["low"]
    assert total.low < plain < total.value < total.high
    _, one = sampled(weights={"days": 1})
    row = rows["days"]
    assert (one.total.low, one.total.high) == pytest.approx((row["low"], row["high"]))


def test_effort_that_was_asked_for_is_the_ces():
    rows = [(f"c{i}", "web", 0, 0.1) for i in range(8)]
    answers = [7, 6, 5, 4, 2, 7, None, 1]
    log = log_of(rows, score=answers)
    row = history(log, effort="score").cs.row(-1)
    known = [a for a in answers if a is not None]
    wanted = cx.metrics.ces(known, customer=[f"c{i}" for i in range(8) if answers[i] is not None])
    assert (row["measure"], row["value"]) == ("CES", wanted.value)
    with pytest.raises(OutOfScale):
        history(log_of(rows, score=[9] * 8), effort="score")


def test_a_result_comes_back_repeats_and_names_nobody():
    rows, scores = rated()
    log = log_of(rows, score=scores)
    found = history(log, overall="score", weights={"visits": 1})
    assert cx.load(found.to_dict()).to_dict() == found.to_dict()
    assert history(log, overall="score", weights={"visits": 1}).to_dict() == found.to_dict()
    assert "c17" not in repr(found)


def test_nothing_of_an_empty_log():
    log = cx.InteractionLog.from_interactions([])
    found = history(log, overall="score", effort="ces", personalised="web")
    assert len(found.table) == len(found.scores) == 0
    assert found.best is None
    assert np.isnan(found.rules["r2"]).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"measure": "emotions"}, InvalidValue, "did you mean 'emotion'"),
        ({"measure": "expectation"}, UnknownName, "measure 'expectation'"),
        ({"overall": "surve"}, UnknownName, "did you mean 'survey'"),
        ({"overall": "emotion"}, InvalidValue, "be something else than the measure"),
        ({"effort": "scor"}, UnknownName, "did you mean 'score'"),
        ({"half_life": 7}, InvalidValue, "half_life"),
        ({"at": 7}, InvalidValue, "at must"),
        ({"by": "months"}, InvalidValue, "did you mean 'month'"),
        ({"tz": "Europe/Pragu"}, UnknownName, "did you mean 'Europe/Prague'"),
        ({"weights": {}}, InvalidValue, "weigh at least one measure"),
        ({"weights": {"visit": 1}}, UnknownName, "did you mean 'visits'"),
        ({"weights": {"visits": float("inf")}}, InvalidValue, "be finite"),
        ({"personalised": "web2"}, UnknownName, "did you mean 'web'"),
        ({"neutral": float("nan")}, InvalidValue, "neutral"),
        ({"source": 7}, InvalidValue, "source must be Journeys"),
    ],
)
def test_errors_name_the_argument(options, error, message):
    rows, scores = rated(n=10)
    arguments = {"source": log_of(rows, score=scores)} | options
    with pytest.raises(error, match=message):
        history(arguments.pop("source"), **arguments)


def test_aggregated_paths_have_no_times():
    with pytest.raises(TimesRequired):
        history(cx.Journeys.from_paths([["web"]], converted=[1], dropped=[0]))
