"""Values that are picked from data and then applied: each pick does what it promises.

The suggested inactivity limit has its properties in `tests/journeys/test_inactivity.py`.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney import metrics
from cxjourney._stats.significance import false_discovery
from cxjourney.critical._importance import _bands
from cxjourney.dropoff import funnel
from cxjourney.journeys import segments_of
from cxjourney.journeys._node_waits import _quantiles

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

# few distinct values make ties, which is where a pick and its rule come apart
TIED = st.lists(st.integers(0, 12), min_size=1, max_size=60)
ANY = st.lists(st.one_of(st.integers(0, 30), st.floats(-5, 5).map(lambda x: round(x, 3))),
               min_size=1, max_size=80)  # fmt: skip


def log_of(rows):
    """Return a log of (customer, touchpoint, hours) rows."""
    return cx.InteractionLog.from_interactions(
        cx.Interaction(customer=c, touchpoint=t, timestamp=BEGIN + timedelta(hours=float(h)))
        for c, t, h in rows
    )


# ---------------------------------------------------------------------- segments at quartiles


@given(st.lists(st.floats(-50, 50).map(lambda x: round(x, 1)), min_size=30, max_size=80))
def test_numbers_are_divided_at_their_quartiles(ages):
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer=cx.Customer(f"c{i}", attributes={"age": age}),
            touchpoint="web",
            timestamp=BEGIN,
        )
        for i, age in enumerate(ages)
    )
    found = segments_of(log.journeys(), "age")
    if "quartiles" not in found.rule:
        assert len(set(ages)) <= 12  # so few that each is a segment of its own
        return
    value = np.array(ages)[[int(i[1:]) for i in log.customer_ids]]
    # equal numbers stand together, and segments ascend
    assert np.all(np.diff([(value[found.code == k].min()) for k in np.unique(found.code)]) > 0)
    for k in np.unique(found.code)[:-1]:
        assert value[found.code <= k].max() < value[found.code > k].min()
        # a boundary b is a quartile q: fewer than q lie below it, at least q up to it and with it
        b = value[found.code > k].min()
        assert any(np.mean(value < b) <= q <= np.mean(value <= b) for q in (0.25, 0.5, 0.75))


# ---------------------------------------------------------------------- thirds of answers


@given(ANY)
def test_low_and_high_answers_are_thirds(values):
    x = np.array(values, dtype=float)
    band = _bands(x)
    n, third = len(x), math.ceil(len(x) / 3)
    # equal answers stand together, and the bands ascend
    ordered = band[np.argsort(x, kind="stable")]
    assert np.all(np.diff(ordered) >= 0)
    assert all(len(set(band[x == v].tolist())) == 1 for v in set(values))
    sizes = np.bincount(band, minlength=3).tolist()
    if len(set(values)) == n and n >= 7:
        assert sizes == [third, n - 2 * third, third]  # without ties nothing is in the way
    between = sum(1 for v in set(values) if min(np.sum(x < v), np.sum(x > v)) >= third)
    if between:  # an answer with a third on either side of it is neither low nor high
        assert min(sizes[0], sizes[2]) >= third


@given(TIED)
def test_a_scale_that_is_turned_swaps_low_and_high(values):
    x = np.array(values, dtype=float)
    sizes = np.bincount(_bands(x), minlength=3)
    turned = np.bincount(_bands(-x), minlength=3)
    assert sizes.min() == turned.min()
    assert sorted(sizes) == sorted(turned)
    assert sizes[1] == turned[1]
    if len(set(values)) == len(values) >= 7:  # else two ways may be alike, and either is as good
        assert sizes.tolist() == turned[::-1].tolist()


def test_of_two_ways_as_even_the_larger_middle_counts_whichever_way_the_scale_is_turned():
    x = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3, 3], dtype=float)
    assert np.bincount(_bands(x)).tolist() == [5, 3, 2]
    assert np.bincount(_bands(-x)).tolist() == [2, 3, 5]


@pytest.mark.parametrize(
    ("counts", "sizes"),
    [
        ([50, 30, 20], [50, 30, 20]),
        ([20, 30, 50], [20, 30, 50]),  # the answer in the middle used to be counted as low
        ([10, 80, 10], [10, 80, 10]),
        ([30, 30, 30], [30, 30, 30]),
        ([70, 20, 10], [0, 70, 30]),
    ],
)
def test_three_answers_are_three_bands_where_they_can_be(counts, sizes):
    values = np.repeat([1.0, 2.0, 3.0], counts)
    assert np.bincount(_bands(values), minlength=3).tolist() == sizes


# ---------------------------------------------------------------------- shares to cover


@given(st.lists(st.integers(1, 30), min_size=1, max_size=10), st.floats(0, 1))
def test_so_many_paths_cover_a_share_and_no_fewer_do(counts, share):
    paths = [[f"t{i}"] for i in range(len(counts))]
    found = cx.sequences.paths(
        cx.Journeys.from_paths(paths, converted=counts, dropped=[0] * len(counts))
    )
    k, ordered = found.covering(share), sorted(counts, reverse=True)
    wanted = share * sum(counts)
    assert sum(ordered[:k]) >= wanted - 1e-6
    assert k == 0 or sum(ordered[: k - 1]) < wanted + 1e-6


@given(TIED, st.floats(0.01, 0.99))
def test_a_quantile_of_a_survival_curve_is_the_first_time_by_which_so_many_ended(hours, share):
    curve = metrics.kaplan_meier([timedelta(hours=h + 1) for h in hours], [True] * len(hours))
    value = curve.quantile(share).value / 3600
    ended = np.mean(np.array(hours) + 1 <= value + 1e-9)
    before = np.mean(np.array(hours) + 1 < value - 1e-9)
    assert ended >= share - 1e-9
    assert before < share + 1e-9


@given(TIED)
def test_times_of_a_funnel_are_those_by_which_so_many_had_got_there(hours):
    rows = [row for i, h in enumerate(hours) for row in ((f"c{i}", "a", 0), (f"c{i}", "b", h + 1))]
    found = funnel(log_of(rows), ["a", "b"])
    took = np.array(hours) + 1
    for name, share in (("median_s", 0.5), ("p90_s", 0.9), ("step_median_s", 0.5)):
        value = found.table[name][1] / 3600
        assert np.mean(took <= value + 1e-9) >= share - 1e-9
        assert np.mean(took < value - 1e-9) < share + 1e-9


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=40))
def test_weighted_quantiles_of_waits_have_their_share_of_the_weight(pairs):
    wait, mass = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    node = np.zeros(len(wait), dtype=np.int64)
    for share, (value,) in zip(
        (0.5, 0.9), _quantiles(node, wait, mass, 1, (0.5, 0.9)), strict=True
    ):
        assert mass[wait <= value].sum() >= share * mass.sum() * (1 - 1e-9)
        assert mass[wait < value].sum() < share * mass.sum() * (1 + 1e-9)


# ---------------------------------------------------------------------- scores and fields by rank


@given(TIED, st.integers(2, 7))
def test_scores_by_rank_are_as_even_as_ties_allow(values, bins):
    customers = [f"c{i}" for i in range(len(values))]
    when = [BEGIN] * len(values)
    found = metrics.rfm(customers, when, [float(v) for v in values], bins=bins)
    score = dict(zip(found.customers, found.monetary_score.tolist(), strict=True))
    by = [score[c] for c in customers]
    assert all(1 <= s <= bins for s in by)
    for i, v in enumerate(values):
        for k, w in enumerate(values):
            assert (by[i] == by[k]) if v == w else (v < w) <= (by[i] <= by[k])
    if len(set(values)) == len(values):
        sizes = np.bincount(by, minlength=bins + 1)[1:]
        assert sizes.max() - sizes.min() <= 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.01, 0.3))
def test_discoveries_are_those_of_benjamini_and_hochberg(p, q):
    # by the book: the largest k with p(k) <= k q / n, and all up to it
    ordered, n = sorted(p), len(p)
    passed = [k for k in range(1, n + 1) if ordered[k - 1] <= k * q / n]
    limit = ordered[passed[-1] - 1] if passed else -1.0
    adjusted = false_discovery(np.array(p))
    for one, its in zip(p, adjusted.tolist(), strict=True):
        if abs(its - q) > 1e-9:
            assert (its <= q) == (one <= limit)


# ---------------------------------------------------------------------- gaps of transitions


@given(
    st.lists(st.lists(st.integers(1, 400), min_size=2, max_size=12), min_size=1, max_size=6),
    st.sampled_from([1.0, 3.5]),
)
def test_a_pause_is_so_far_above_its_transition_and_nothing_else_is_cut(gaps, pause):
    rows = [
        (f"c{i}", "web", hour)
        for i, one in enumerate(gaps)
        for hour in np.concatenate([[0], np.cumsum(one)])
    ]
    log = log_of(rows)
    cut = cx.TransitionGaps(pause=pause, slow=math.inf, min_gaps=2)
    journeys = log.journeys(gaps=cut)
    x = np.log(np.array([g for one in gaps for g in one], dtype=float))
    m = np.median(x)
    s = 1.4826 * np.median(np.abs(x - m)) or 1.2533 * np.mean(np.abs(x - m))
    if s < 1e-9:
        expected = sure = 0
    else:
        z = (x - m) / s
        expected, sure = np.count_nonzero(z >= pause - 1e-6), np.count_nonzero(z >= pause + 1e-6)
    assert sure <= len(journeys) - len(gaps) <= expected
