"""One protocol for breakdowns: what a segment is, and the results of all segments together."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import BySegment, by_segment, segments_of


def journeys_of(values, *, name="plan", per="customers") -> cx.Journeys:
    n = len(values)
    frame = {
        "who": [f"c{i}" for i in range(n)],
        "when": ["2026-01-01"] * n,
        "what": ["web"] * n,
    }
    if per == "customers":
        more = {"customers": {"who": frame["who"], name: values}}
    else:
        frame[name] = values
        more = {"attributes": [name]}
    log = cx.InteractionLog.from_frame(
        frame, customer="who", timestamp="when", touchpoint="what", **more
    )
    return log.journeys()


def test_unknown_values_are_a_segment_of_their_own_and_counted():
    journeys = journeys_of(["b", None, "a", "b", None])
    found = segments_of(journeys, "plan")
    assert found.values == ("a", "b", cx.MISSING)
    assert found.code.tolist() == [1, 2, 0, 1, 2]
    assert found.n_missing == 2
    result = by_segment(journeys, "plan", cx.sequences.paths)
    assert [int(part.table["journeys"].sum()) for _, part in result] == [1, 2, 2]
    assert "The value of 2 of them is not known" in repr(result)


def test_what_is_missing_counts_as_often_as_the_journey():
    journeys = journeys_of(["a", None, "b", None])
    times = {"a": 2, None: 5, "b": 3}
    weight = np.array([times[x] for x in ("a", None, "b", None)])
    found = segments_of(attrs.evolve(journeys, weight=weight), "plan")
    assert found.n_missing == 10


def test_the_segments_of_customers_sum_to_the_whole():
    journeys = cx.datasets.sample(seed=2, customers=200).journeys()
    result = by_segment(journeys, "region", lambda part: cx.sequences.paths(part, top=None))
    assert sum(part.n_journeys for _, part in result) == len(journeys)


def test_numbers_are_cut_at_quartiles_unless_bounds_are_given():
    journeys = journeys_of([float(i) for i in range(1, 101)], name="age")
    found = segments_of(journeys, "age")
    assert found.values == ("under 25", "25 to under 50", "50 to under 75", "75 or more")
    assert [int((found.code == i).sum()) for i in range(4)] == [24, 25, 25, 26]
    given = segments_of(journeys, ("age", (18, 65)))
    assert given.values == ("under 18", "18 to under 65", "65 or more")
    assert [int((given.code == i).sum()) for i in range(3)] == [17, 47, 36]


def test_few_numbers_stay_as_they_are_and_in_their_order():
    found = segments_of(journeys_of([10, 9, 2, 10], name="stars"), "stars")
    assert found.values == ("2", "9", "10")


def test_the_rule_that_picks_a_value_is_said():
    assert "of its customer" in segments_of(journeys_of(["a", "b"]), "plan").rule
    rows = journeys_of(["a", "b"], per="attributes")
    assert "first plan that is known" in segments_of(rows, "plan").rule


def test_bounds_of_words_are_refused():
    journeys = journeys_of(["a", "b"])
    with pytest.raises(InvalidValue, match="not all numbers"):
        segments_of(journeys, ("plan", (1, 2)))
    with pytest.raises(InvalidValue, match="must be ascending numbers"):
        segments_of(journeys, ("plan", (2, 1)))
    with pytest.raises(UnknownName, match="did you mean 'plan'"):
        segments_of(journeys, "plam")


def test_no_journeys_keep_the_columns():
    journeys = journeys_of(["a", "b"])
    empty = journeys.where(journeys.outcome < 0)
    result = by_segment(empty, "plan", cx.sequences.paths)
    assert len(result._table()) == 0
    whole = by_segment(journeys, "plan", cx.sequences.paths)
    assert result._table().column_names == whole._table().column_names


def test_results_come_back_from_dictionaries_and_by_name():
    result = by_segment(journeys_of(["a", None]), "plan", cx.sequences.paths)
    again = BySegment.from_dict(result.to_dict())
    assert again.values == result.values
    assert again["a"].table == result["a"].table
    with pytest.raises(UnknownName, match="plan 'b' is not in the result"):
        result["b"]
