"""Options of retention and states of customers: by hand, and against sets of days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import CohortRetention, Lifecycle, cohort_retention, lifecycle

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
END = START + timedelta(days=10)

visits = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 9), st.booleans()), min_size=1, max_size=25
)


def columns(rows):
    return [who for who, *_ in rows], [START + day * DAY for _, day, *_ in rows]


def made(rows, **options):
    return cohort_retention(*columns(rows), unit="day", periods=5, observed_until=END, **options)


def totals(found):
    return [(int(x.numerator), int(x.denominator)) for x in found.total]


def by_sets(rows, kind, against, *, only_returns):
    """Return the retained and eligible of each age, of sets of days of each customer."""
    answer = []
    born = {who: min(d for w, d, _ in rows if w == who) for who, *_ in rows}
    back = {
        who: {d - born[who] for w, d, r in rows if w == who and (r or not only_returns)}
        for who in born
    }

    def seen(who, n):
        if kind == "on":
            return n in back[who]
        if kind == "until":
            return any(d in back[who] for d in range(min(n, 1), n + 1))
        if kind == "streak":
            return all(d in back[who] for d in range(min(n, 1), n + 1))
        return any(d in back[who] for d in range(n, 6))

    for n in range(6):
        # of unbounded retention totals hold those whose last age is over
        last = 5 if kind == "unbounded" else n
        ripe = [who for who in born if 10 - born[who] > last]
        if against == "previous" and n:
            ripe = [who for who in ripe if seen(who, n - 1)]
        answer.append((sum(seen(who, n) for who in ripe), len(ripe)))
    return answer


@pytest.mark.parametrize("kind", ["on", "until", "streak", "unbounded"])
@pytest.mark.parametrize("against", ["start", "previous"])
@given(rows=visits, only_returns=st.booleans())
def test_every_option_equals_sets_of_days(kind, against, rows, only_returns):
    flags = [r for *_, r in rows]
    found = made(rows, kind=kind, against=against, returns=flags if only_returns else None)
    assert totals(found) == by_sets(rows, kind, against, only_returns=only_returns)
    assert CohortRetention.from_dict(found.to_dict()).against == against
    if kind in {"until", "streak"} and against == "start":
        same = [i for i, (_, n) in enumerate(totals(found)) if n == totals(found)[5][1]]
        counts = [totals(found)[i][0] for i in same if i]
        assert counts == sorted(counts, reverse=kind == "streak")


def test_a_return_is_another_event_than_the_start():
    rows = [("a", 0, False), ("a", 1, False), ("a", 2, True), ("b", 0, False), ("b", 2, False)]
    found = made(rows, starts=[True, False, False, True, False], returns=[r for *_, r in rows])
    assert totals(found)[:3] == [(0, 2), (0, 2), (1, 2)]


def test_rates_against_the_previous_age_are_shares_of_those_seen_there():
    rows = [("a", d, True) for d in (0, 1, 2)] + [("b", d, True) for d in (0, 1)]
    rows += [("c", d, True) for d in (0, 2)]
    found = made(rows, against="previous")
    assert totals(found)[:4] == [(3, 3), (2, 3), (1, 2), (0, 2)]
    assert "of those active in the window of the age before" in str(found)


@pytest.mark.parametrize(
    ("day", "cohorts"),
    [
        ("monday", ("2026-01-05", "2026-01-12")),
        ("sunday", ("2026-01-04", "2026-01-11")),
        ("wednesday", ("2025-12-31", "2026-01-07", "2026-01-14")),
    ],
)
def test_weeks_begin_on_any_day(day, cohorts):
    rows = [("a", 0, True), ("b", 2, True), ("b", 9, True)]
    found = cohort_retention(
        *columns(rows), unit="week", periods=1, week_starts=day, observed_until=START + 22 * DAY
    )
    assert found.cohorts[: len(cohorts)] == cohorts
    first = date.fromisoformat(cohorts[0])
    of = [((START.date() - first).days + d) // 7 for _, d, _ in rows]
    assert found.size[: len(cohorts)].sum() == 2
    assert found.size[of[0]] >= 1
    assert found.retained[of[1], 1] == (of[2] == of[1] + 1)


def test_a_merge_of_two_halves_is_the_whole_with_every_option():
    rows = [(who, d, d % 2 == 0) for who in "abcd" for d in range(0, 9, 1 + "abcd".index(who))]
    options = {"kind": "streak", "against": "previous"}
    parts = [made([r for r in rows if r[0] in some], **options) for some in ("ab", "cd")]
    assert parts[0].merge(parts[1]) == made(rows, **options)
    with pytest.raises(InvalidValue, match="against"):
        parts[0].merge(made(rows, kind="streak"))


@pytest.mark.parametrize("options", [{"week_starts": "noon"}, {"against": "all"}, {"kind": "ever"}])
def test_wrong_options_are_refused(options):
    with pytest.raises(InvalidValue):
        made([("a", 0, True)], **options)


@given(visits)
def test_states_add_up_to_the_counts_of_a_day(rows):
    found = lifecycle(*columns(rows), period="day", observed_until=END, states=True)
    assert found.states is not None
    table = list(zip(*(found.states[name] for name in ("customer", "day", "state")), strict=True))
    for i, day in enumerate(found.periods):
        for state in ("new", "returning", "resurrecting", "dormant"):
            count = sum(one[1:] == (day, state) for one in table)
            told = getattr(found, state)[i]
            assert (
                np.isnan(told)
                if i == len(found.periods) - 1 and state == "dormant"
                else (count == told)
            )
    assert len({one[:2] for one in table}) == len(table)
    assert Lifecycle.from_dict(found.to_dict()).states is not None


def test_states_of_one_customer():
    rows = [("a", 0, 1), ("a", 1, 1), ("a", 4, 1), ("a", 9, 1)]
    found = lifecycle(*columns(rows), period="day", observed_until=END, states=True)
    assert found.states is not None
    assert list(found.states["state"]) == [
        "new", "returning", "dormant", "resurrecting", "dormant", "resurrecting",
    ]  # fmt: skip
    assert lifecycle(*columns(rows)).states is None
