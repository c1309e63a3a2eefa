from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import (
    LifeTable,
    Tally,
    churn_rate,
    cohort_retention,
    kaplan_meier,
    pool,
    retention_rate,
)

START = np.datetime64("2026-03-20T00:00")
END = datetime(2026, 4, 9, tzinfo=UTC)
HOUR = np.timedelta64(1, "h")
visits = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 24 * 20 - 1)), max_size=40)
spells = st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=30)
kinds = st.sampled_from(["on", "unbounded"])
members = st.sampled_from(["first", "recurring"])


def matrix(rows, **options):
    who = np.array([r[0] for r in rows], dtype=np.int64)
    when = START + np.array([r[1] for r in rows], dtype=np.int64) * HOUR
    return cohort_retention(who, when, periods=4, observed_until=END, **options)


@given(visits, kinds, members)
def test_matrices_of_parts_of_the_customers_add_up_to_the_whole(rows, kind, membership):
    options = {"kind": kind, "membership": membership}
    parts = [matrix([r for r in rows if r[0] % 3 == k], **options) for k in range(3)]
    whole = matrix(rows, **options).to_dict()
    a, b, c = parts
    assert a.merge(b).merge(c).to_dict() == whole
    assert c.merge(b.merge(a)).to_dict() == whole
    assert matrix(rows, **options).merge(matrix([], **options)).to_dict() == whole


def test_matrices_of_different_choices_do_not_mix():
    rows = [(0, 1), (0, 30)]
    for options in ({"kind": "unbounded"}, {"time_zone": "Asia/Tokyo"}, {"level": 0.9}):
        with pytest.raises(InvalidValue, match="other"):
            matrix(rows).merge(matrix(rows, **options))
    later = cohort_retention([0], [END], periods=4, observed_until=END + timedelta(days=1))
    with pytest.raises(InvalidValue, match="observed_until"):
        matrix(rows).merge(later)


def table(rows):
    length = np.array([r[0] for r in rows], dtype=np.int64) * HOUR
    return LifeTable(timedelta(hours=1)).update(length, [r[1] for r in rows])


@given(spells, st.integers(0, 30))
def test_life_tables_of_parts_add_up_to_the_curve_of_the_whole(rows, cut):
    length = np.array([r[0] for r in rows], dtype=np.int64) * HOUR
    whole = kaplan_meier(length, [r[1] for r in rows]).to_dict()
    assert table(rows[:cut]).merge(table(rows[cut:])).result().to_dict() == whole
    assert table(rows[cut:]).merge(table(rows[:cut])).result().to_dict() == whole
    assert table(rows[:cut]).update(
        length[cut:], [r[1] for r in rows[cut:]]
    ).result().to_dict() == (whole)


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_retention_of_parts_of_the_customers_adds_up_to_the_whole(start, end):
    for metric in (retention_rate, churn_rate):
        halves = [
            ([c for c in start if c % 2 == k], [c for c in end if c % 2 == k]) for k in (0, 1)
        ]
        whole = metric(list(start), list(end)).to_dict()
        assert pool([metric(*half) for half in halves]).to_dict() == whole
        tally = Tally(metric)
        for half in halves:
            tally.update(*half)
        assert tally.result().to_dict() == whole
