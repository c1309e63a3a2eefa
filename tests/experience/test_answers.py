from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.experience import bind_answers


def day(d, hour=0):
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=d, hours=hour)


def log_of(rows):
    return cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer=c, touchpoint=t, timestamp=day(d), score=score[0] if score else None
        )
        for c, t, d, *score in rows
    )


LOG = log_of([("a", "call", 1), ("a", "web", 3), ("b", "web", 2), ("b", "call", 9)])


def bind(customer, at, value, **options):
    return bind_answers(LOG, customer=customer, answered_at=at, value=value, **options)


def names(bound):
    columns = bound.log.columns
    who = [bound.log.customer_ids[c] for c in columns.customer]
    where = columns.coded["touchpoint"].values()
    score = columns.numeric["score"]
    return {(c, t): float(s) for c, t, s in zip(who, where, score, strict=True) if not np.isnan(s)}


def test_an_answer_belongs_to_the_last_touch_before_it():
    bound = bind(["a", "b"], [day(2), day(9, 5)], [9, 2])
    assert names(bound) == {("a", "call"): 9.0, ("b", "call"): 2.0}
    assert bound.lag_s.tolist() == [86_400.0, 5 * 3600.0]
    assert bound.outcomes["bound"] == 2


def test_an_answer_at_the_same_instant_is_about_it_and_one_before_is_not():
    bound = bind(["a", "a"], [day(1), day(1) - timedelta(microseconds=1)], [9, 2])
    assert names(bound) == {("a", "call"): 9.0}
    assert bound.outcomes["no interaction before"] == 1


def test_another_customer_s_touch_is_never_taken():
    # b's first touch is on day 2; a was there before
    assert bind(["b"], [day(1, 5)], [7]).outcomes["no interaction before"] == 1


def test_the_lag_limit_holds_to_the_microsecond():
    limit = timedelta(days=2)
    bound = bind(["a", "a"], [day(5), day(5) + timedelta(microseconds=1)], [9, 2], max_lag=limit)
    assert bound.row.tolist()[0] >= 0
    assert bound.row.tolist()[1] == -1
    assert bound.outcomes["later than max_lag"] == 1


def test_a_question_about_a_touchpoint_skips_later_touches_of_others():
    bound = bind(["a", "a"], [day(4), day(4)], [9, 2], touchpoint=["call", None])
    assert names(bound) == {("a", "call"): 9.0, ("a", "web"): 2.0}


def test_what_cannot_be_bound_is_counted_by_reason():
    bound = bind(
        ["nobody", "a", "a", None],
        [day(4), day(4), day(4), day(4)],
        [1, float("nan"), 3, 4],
        touchpoint=[None, None, "fax", None],
    )
    counts = {k: n for k, n in bound.outcomes.items() if n}
    assert counts == {
        "customer not in the log": 1,
        "without value, customer or time": 2,
        "touchpoint not in the log": 1,
    }
    assert "customer not in the log" in repr(bound)


def test_what_was_recorded_there_stays():
    log = log_of([("a", "call", 1, 5)])
    bound = bind_answers(log, customer=["a"], answered_at=[day(2)], value=[9])
    assert names(bound) == {("a", "call"): 5.0}
    assert bound.outcomes["the interaction has a value already"] == 1


@pytest.mark.parametrize(("several", "expected"), [("last", 3.0), ("mean", 6.0)])
def test_of_several_answers_the_last_or_the_mean_stays(several, expected):
    bound = bind(["a", "a"], [day(2, 5), day(2)], [3, 9], several=several)
    assert names(bound) == {("a", "call"): expected}


def test_the_log_itself_is_not_touched():
    bind(["a"], [day(2)], [9])
    assert "score" not in LOG.columns.numeric


def test_emotions_go_into_their_own_column():
    bound = bind(["a"], [day(2)], [-0.5], measure="emotion")
    found = cx.experience.scores(bound.log.journeys(all_closed=True))
    assert found.table["mean"][0] == -0.5


@pytest.mark.parametrize(
    "options",
    [{"max_lag": 7}, {"max_lag": timedelta(0)}, {"measure": "value"}, {"several": "first"}],
)
def test_an_option_that_breaks_its_rule_is_refused(options):
    with pytest.raises(InvalidValue):
        bind(["a"], [day(2)], [9], **options)


def test_journeys_are_no_log():
    with pytest.raises(InvalidValue, match="log must be an InteractionLog, not Journeys"):
        bind_answers(LOG.journeys(all_closed=True), customer=["a"], answered_at=[day(2)], value=[9])


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InvalidValue, match="one length"):
        bind(["a", "b"], [day(2)], [9])


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 9)), min_size=1
    ),
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["x", "y", None]), st.integers(0, 15))
    ),
)
def test_binding_is_what_looking_through_all_rows_finds(rows, answers):
    log = log_of(rows)
    bound = bind_answers(
        log,
        customer=[a[0] for a in answers],
        answered_at=[day(a[2]) for a in answers],
        value=[1.0] * len(answers),
        touchpoint=[a[1] for a in answers],
        max_lag=timedelta(days=4),
    )
    columns = log.columns
    who = [log.customer_ids[c] for c in columns.customer]
    where = columns.coded["touchpoint"].values()
    when = columns.time
    for (customer, touchpoint, d), row in zip(answers, bound.row.tolist(), strict=True):
        at = int(day(d).timestamp() * 1e6)
        fits = [
            i
            for i in range(len(columns))
            if who[i] == customer and when[i] <= at and touchpoint in {None, where[i]}
        ]
        expected = fits[-1] if fits and at - when[fits[-1]] <= 4 * 86_400e6 else -1
        assert row == expected
