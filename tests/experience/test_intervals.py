"""Intervals of experience against leaving out one bucket after the other, and segments."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pytest
from scipy.stats import t as student_t

import cxjourney as cx
from cxjourney.experience import (
    emotion_curve,
    expectation_gaps,
    inferred_effort,
    peak_end,
    scores,
    shrunken_means,
)
from cxjourney.journeys import BySegment, units_of


@pytest.fixture(scope="module")
def journeys():
    return cx.datasets.sample(seed=3, customers=400).journeys()


def student(journeys, statistic):
    """Return a statistic with Student's interval over buckets of customers.

    `statistic` returns the value and what it stands on, such as the number of values.
    """
    unit = units_of(journeys).of
    whole, n = statistic(journeys)
    values, stands = [], []
    for bucket in np.unique(unit):
        value, rest = statistic(journeys.where(unit != bucket))
        if rest < n:
            values.append(value)
            stands.append(n - rest)
    count, stands = len(values), np.array(stands)
    variance = (count - 1) / count * ((np.array(values) - whole) ** 2).sum()
    effective = stands.sum() ** 2 / (stands**2).sum()
    half = student_t.ppf(0.975, effective - 1) * math.sqrt(variance)
    return whole, whole - half, whole + half


def cell(measure, value, n, **where):
    """Return a statistic: a column of the one row of a table, and what it stands on."""

    def statistic(journeys):
        (row,) = (r for r in measure(journeys).table if all(r[k] == v for k, v in where.items()))
        return float(row[value]), float(row[n])

    return statistic


CASES = {
    "scores": cell(scores, "mean", "n", touchpoint="payment"),
    "curve": cell(emotion_curve, "mean", "n", stage="purchase", outcome="converted"),
    "gaps": cell(expectation_gaps, "gap", "pairs", touchpoint="parcel delivery"),
    "memory": cell(peak_end, "value", "journeys", outcome="dropped", summary="peak-end"),
}
FOUND = {
    "scores": (scores, {"touchpoint": "payment"}, "mean"),
    "curve": (emotion_curve, {"stage": "purchase", "outcome": "converted"}, "mean"),
    "gaps": (expectation_gaps, {"touchpoint": "parcel delivery"}, "gap"),
    "memory": (peak_end, {"outcome": "dropped", "summary": "peak-end"}, "value"),
}


@pytest.mark.parametrize("name", CASES)
def test_intervals_are_those_of_leaving_out_one_bucket_after_the_other(journeys, name):
    measure, where, column = FOUND[name]
    (row,) = (r for r in measure(journeys).table if all(r[k] == v for k, v in where.items()))
    assert (row[column], row["low"], row["high"]) == pytest.approx(student(journeys, CASES[name]))


def test_the_effort_of_journeys_has_an_interval_over_buckets(journeys):
    ended = journeys.where((journeys.outcome != 2) & (journeys.lengths > 0))

    def visits(part):
        return part.lengths.mean(), len(part)

    (row,) = (r for r in inferred_effort(journeys).table if r["component"] == "visits")
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(student(ended, visits))


def test_a_valley_lies_below_the_mean_of_all_other_nodes(journeys):
    table = scores(journeys, by="stage").table
    n, mean = np.asarray(table["n"], dtype=float), np.nan_to_num(table["mean"])
    for i, row in enumerate(table):
        others = [k for k in range(len(table)) if k != i]
        rest = (n[others] * mean[others]).sum() / n[others].sum()
        assert row["valley"] == (row["high"] < rest)
    assert 0 < np.count_nonzero(table["valley"]) < len(table)


def test_the_spread_of_means_is_what_sampling_does_not_explain():
    mean = np.array([1.0, 2.0, 4.0, 5.0])
    variance = np.array([0.5, 1.0, 0.5, 2.0])
    # the variance of the means is 10/3, sampling adds 1
    between = 10 / 3 - 1
    drawn = 3 + between / (between + variance) * (mean - 3)
    assert shrunken_means(mean, variance, 3.0) == pytest.approx(drawn)
    assert shrunken_means(mean, np.full(4, 9.0), 3.0) == pytest.approx(np.full(4, 3.0))


def test_customers_are_counted_once(journeys):
    rows = np.flatnonzero(~np.isnan(journeys.columns.numeric["emotion"]))
    names = journeys.columns.coded["touchpoint"]
    at = rows[names.codes[rows] == names.names.index("payment")]
    journey = np.searchsorted(journeys.offsets, at, side="right") - 1
    (row,) = (r for r in scores(journeys).table if r["touchpoint"] == "payment")
    assert row["customers"] == len(set(journeys.customer[journey].tolist()))


@pytest.mark.parametrize(
    "measure", [emotion_curve, expectation_gaps, inferred_effort, peak_end, scores]
)
def test_segments_are_those_of_their_journeys(journeys, measure):
    found = measure(journeys, segment="segment", level=0.9)
    assert isinstance(found, BySegment)
    coded = journeys.segment("segment")
    for value, part in found:
        alone = journeys.where(coded.codes == coded.names.index(value))
        assert part.table == measure(alone, level=0.9).table
    assert BySegment.from_dict(found.to_dict()).to_frame("pandas").equals(found.to_frame("pandas"))


def test_curves_of_segments_have_the_same_points():
    rows = [("a", "app", "use"), ("a", "app", "buy"), ("b", "shop", "buy"), ("b", "shop", "leave")]
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer=customer,
            touchpoint=f"{stage}ing",
            timestamp=datetime(2026, 1, 1 + i, tzinfo=UTC),
            channel=channel,
            stage=stage,
            emotion=0.5,
        )
        for i, (customer, channel, stage) in enumerate(rows)
    )
    whole = emotion_curve(log.journeys(all_closed=True), min_n=1)
    found = emotion_curve(log.journeys(all_closed=True), segment="channel", min_n=1)
    for _, part in found:
        assert part.table["stage"][:3] == whole.table["stage"][:3]
    assert len(set(whole.table["stage"])) == 3


def test_means_of_equal_values_have_no_interval_but_on_a_scale():
    """Twenty customers who all felt and answered alike: Wilson's interval on [-1, 1], or none."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer=f"c{i}", touchpoint=name, timestamp=begin, emotion=-0.9, score=5.0, seq=place
        )
        for i in range(20)
        for place, name in enumerate(("call", "leave"))
    )
    journeys = log.journeys(all_closed=True)
    sizes = np.bincount(units_of(journeys).of)
    n = sizes.sum() ** 2 / (sizes**2).sum()
    for analysis in (scores, partial(emotion_curve, over="position"), peak_end):
        felt, answered = (analysis(journeys, measure=m).table for m in ("emotion", "score"))
        value = "value" if analysis is peak_end else "mean"
        known = np.flatnonzero(np.isfinite(np.asarray(answered[value], dtype=float)))
        assert len(known)
        assert np.isnan(np.asarray(answered["low"], dtype=float)[known]).all()
        assert np.isnan(np.asarray(answered["high"], dtype=float)[known]).all()
        assert "nothing varies" in str(analysis(journeys, measure="score"))
        # Wilson's interval of .05 in as many trials as customers, with Student's quantile
        z, p = student_t.ppf(0.975, n - 1), 0.05
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        for i in known:
            assert felt["low"][i] == pytest.approx(2 * (middle - half) - 1)
            assert felt["high"][i] == pytest.approx(2 * (middle + half) - 1)
