"""Features of journeys: nothing after the cut changes a row, and each is what a loop counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, TimesRequired, UnknownName

DAY = datetime(2026, 1, 1, tzinfo=UTC)
RULES = {"goal": "buy", "inactivity": timedelta(days=5), "touchpoints": ["buy", "ad", "web"]}
NAMES = st.sampled_from(["ad", "web", "shop", "buy"])
ROW = st.tuples(st.sampled_from("abc"), st.integers(0, 40), NAMES, st.sampled_from([None, 1, 5]))


def log_of(rows: list, **more: object) -> cx.InteractionLog:
    # the vocabulary is that of the log: one row of each name stands apart
    rows = [*rows, *(("z", i, name, 3) for i, name in enumerate(["ad", "web", "shop", "buy"]))]
    return cx.InteractionLog.from_frame(
        {
            "who": [r[0] for r in rows],
            "when": [DAY + timedelta(days=r[1]) for r in rows],
            "what": [r[2] for r in rows],
            "where": ["store" if r[2] == "shop" else "web" for r in rows],
            "score": np.array([np.nan if r[3] is None else r[3] for r in rows]),
            "tag": [f"{r[2]}{r[1]}" for r in rows],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        channel="where",
        score="score",
        attributes=["tag"],
        observed_until="2026-06-01",
        **more,
    )


def told(journeys: cx.Journeys, **options: object) -> list[dict]:
    """Return the rows without their outcomes, customers by name, journeys by when they began."""
    frame = journeys.features(backend="polars", attributes="tag", **options)
    rows = [r for r in frame.to_dicts() if r["customer"] != "z"]
    rows.sort(key=lambda row: row["customer"])  # not by which comes first in the input
    for row in rows:
        row.pop("journey")  # which counts those of other customers too
    return [
        {k: None if v != v else v for k, v in r.items() if not k.startswith("outcome")}  # noqa: PLR0124
        for r in rows
    ]


@given(st.lists(ROW, min_size=1, max_size=10), st.integers(1, 40), st.lists(ROW, max_size=6))
def test_what_comes_after_a_moment_changes_no_row_at_it(rows, day, later):
    cut = DAY + timedelta(days=day)
    before = [r for r in rows if r[1] < day]
    one = log_of(rows).journeys(**RULES)
    other = log_of([*before, *((w, day + n, what, s) for w, n, what, s in later)])
    # whether a name comes first or last in the vocabulary does not matter either
    assert told(one, at=cut) == told(other.journeys(**RULES), at=cut)


@given(st.lists(ROW, min_size=1, max_size=10), st.integers(1, 3), st.lists(ROW, max_size=6))
def test_what_comes_after_a_prefix_changes_no_row_of_it(rows, k, later):
    journeys = log_of(rows).journeys(**RULES)
    for row in told(journeys, prefixes=[k]):
        end = (row["cut"] - DAY).days
        kept = [r for r in rows if r[0] == row["customer"] and r[1] < end]
        kept += [r for r in rows if r[0] == row["customer"] and r[1] == end]
        after = [(row["customer"], end + 1 + n, what, s) for _, n, what, s in later]
        found = told(log_of([*kept, *after]).journeys(**RULES), prefixes=[k])
        assert row in found


@given(st.lists(ROW, min_size=1, max_size=12), st.integers(1, 9))
def test_features_are_what_a_loop_over_typed_journeys_counts(rows, days):
    journeys = log_of(rows).journeys(**RULES)
    frame = journeys.features(at=timedelta(days=days), backend="polars").to_dicts()
    by_number = {row["journey"]: row for row in frame}
    seen: dict[str, int] = {}
    for number, journey in enumerate(journeys):
        items, earlier = journey.interactions, seen.get(journey.customer.id, 0)
        seen[journey.customer.id] = earlier + 1
        cut = items[0].timestamp + timedelta(days=days)
        before = [i for i in items if i.timestamp < cut]
        bought = any(i.touchpoint.name == "buy" for i in before)
        lost = cut - before[-1].timestamp > RULES["inactivity"]
        if bought or lost:
            assert number not in by_number
            continue
        row = by_number.pop(number)
        names, channels = ([getattr(i, k).name for i in before] for k in ("touchpoint", "channel"))
        scores = [i.score for i in before if i.score is not None]
        assert row["interactions"] == len(before)
        assert row["elapsed_s"] == days * 86_400
        assert row["silence_s"] == (cut - before[-1].timestamp).total_seconds()
        assert (row["touchpoints"], row["channels"]) == (len(set(names)), len(set(channels)))
        assert (row["first_touchpoint"], row["last_touchpoint"]) == (names[0], names[-1])
        assert row["switches"] == sum(a != b for a, b in pairwise(channels))
        assert row["scores"] == len(scores)
        if scores:
            assert row["score_last"] == scores[-1]
            assert row["score_mean"] == pytest.approx(np.mean(scores))
        assert {n: row[f"n_{n}"] for n in journeys.log.touchpoints} == {
            n: names.count(n) for n in journeys.log.touchpoints
        }
        assert row["earlier_journeys"] == earlier
        assert row["outcome"] == journey.outcome.value
        assert row["outcome_censored"] == (journey.outcome is cx.Outcome.IN_PROGRESS)
        end = items[-1].timestamp
        if journey.outcome is cx.Outcome.DROPPED:
            end += RULES["inactivity"]
        elif journey.outcome is cx.Outcome.IN_PROGRESS:
            end = journeys.log.observed_until
        assert row["outcome_s"] == (end - cut).total_seconds()
    assert not by_number


def test_undated_attributes_of_customers_are_off_unless_named():
    log = log_of([("a", 0, "ad", None), ("a", 1, "web", 5)]).with_attribute("plan", {"a": "gold"})
    journeys = log.journeys(**RULES)
    assert "plan" not in journeys.features(backend="pandas").columns
    frame = journeys.features(backend="pandas", attributes=["plan", "tag"], prefixes=1)
    row = frame[frame.customer == "a"].iloc[0]
    assert (row.plan, row.tag, row.prefix) == ("gold", "ad0", 1)


def test_edges_a_goal_at_once_a_goal_that_is_kept_and_a_frame_of_the_input():
    log = log_of([("a", 0, "buy", None), ("b", 0, "ad", None), ("b", 1, "buy", 2)])
    whole = log.journeys(**RULES).features(backend="pandas").set_index("customer")
    assert (whole.interactions["a"], whole.interactions["b"]) == (0, 1)
    assert np.isnan(whole.silence_s["a"])
    assert whole.last_touchpoint["b"] == "ad"
    kept = log.journeys(**RULES, after_goal="keep").features(prefixes=[1, 2], backend="pandas")
    assert kept[kept.customer == "b"].prefix.tolist() == [1]
    assert len(log.journeys(**RULES).features(at="2026-01-01", backend="pyarrow")) == 0


def test_what_cannot_be_cut_is_refused():
    log = log_of([("a", 0, "ad", None)])
    journeys = log.journeys(**RULES)
    for options, error, match in (
        ({"at": "7d", "prefixes": 2}, InvalidValue, "at must be left out beside prefixes"),
        ({"at": "soon"}, InvalidValue, "at must be a length of time"),
        ({"at": "2027-01-01"}, InvalidValue, "not lie after the end of the observation"),
        ({"prefixes": [0]}, InvalidValue, "prefixes must"),
        ({"counts": "chanel"}, InvalidValue, "counts must be one of"),
        ({"counts": "stage"}, UnknownName, "no stages"),
        ({"attributes": "plan"}, UnknownName, "plan"),
        ({"attributes": "channel"}, None, ""),
    ):
        if error is None:
            assert "channel" in journeys.features(backend="pandas", **options)
            continue
        with pytest.raises(error, match=match):
            journeys.features(**options)
    with pytest.raises(OutcomeUndetermined):
        log.journeys(goal="buy").features()
    with pytest.raises(TimesRequired):
        cx.Journeys.from_paths([["web"]], converted=[1]).features()
