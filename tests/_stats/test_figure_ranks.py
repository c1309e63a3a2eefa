"""Ranks that buckets leave open."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.figure_ranks import _quantile_of_range, rank_ranges


def figures_of(sums):
    """Return the means of columns over equal buckets."""
    total, n = sums.sum(axis=0), len(sums)
    return BucketFigures(
        whole=total / n, without=(total - sums) / (n - 1), units=np.ones_like(sums)
    )


def test_the_rank_of_one_figure_counts_the_paired_t_tests_that_it_loses_or_wins():
    rng = np.random.default_rng(1)
    sums = rng.normal([5.0, 4.9, 4.2, 1.0], 1.0, size=(64, 4)) + 5 * rng.normal(size=(64, 1))
    low, high = rank_ranges(figures_of(sums), level=0.95)
    mean = sums.mean(axis=0)
    bound = t.ppf(0.975, 63)
    for i in range(4):
        above = below = 0
        for j in range(4):
            gap = sums[:, j] - sums[:, i]
            error = gap.std(ddof=1) / 8 if i != j else np.inf
            above += (mean[j] - mean[i]) / error > bound
            below += (mean[j] - mean[i]) / error < -bound
        assert (low[i], high[i]) == (1 + above, 4 - below)
    assert (low[3], high[3]) == (4, 4)
    assert high[0] >= 2


@pytest.mark.parametrize(("gap", "apart"), [(2.5, False), (3.5, True)])
def test_the_difference_has_the_smaller_degrees_of_freedom(gap, apart):
    # one figure is known, the other has a standard error of 1 from four customers: t(3) = 3.18
    whole, without = np.array([gap, 0.0]), np.zeros((64, 2))
    without[:, 0] = gap
    without[:4, 1] = np.array([1, -1, 1, -1]) / math.sqrt(3)
    units = np.ones((64, 2))
    units[4:, 1] = 0
    figures = BucketFigures(whole=whole, without=without, units=units)
    assert figures.variance.tolist() == pytest.approx([0.0, 1.0])
    low, high = rank_ranges(figures, level=0.95)
    assert (low.tolist(), high.tolist()) == ([1, 1 + apart], [2 - apart, 2])


def test_a_figure_without_variance_has_every_rank_and_one_without_value_none():
    sums = np.tile([3.0, 2.0, np.nan], (8, 1)) + np.linspace(0, 0.1, 8)[:, None] * [1, -1, 1]
    found = figures_of(sums)
    low, high = rank_ranges(found, level=0.95)
    assert (low[:2].tolist(), high[:2].tolist()) == ([1, 2], [1, 2])
    assert np.isnan([low[2], high[2]]).all()
    units = np.ones((8, 3))
    units[2:, 1] = 0  # two customers: no variance
    low, high = rank_ranges(
        BucketFigures(whole=found.whole, without=found.without, units=units), level=0.95
    )
    assert (low[:2].tolist(), high[:2].tolist()) == ([1, 1], [2, 2])


def test_figures_that_move_together_are_ranked_by_their_difference():
    # each may be anything from 0 to 2, but the second is always .1 above the first
    moves = np.array([0.6, -0.5, 0.4, -0.7, 0.3, -0.1])
    whole = np.array([1.0, 1.1])
    together = BucketFigures(whole=whole, without=whole + moves[:, None])
    assert [r.tolist() for r in rank_ranges(together, level=0.95)] == [[2, 1], [2, 1]]
    # against each other they leave both ranks open
    opposed = BucketFigures(whole=whole, without=whole + moves[:, None] * np.array([1, -1]))
    assert [r.tolist() for r in rank_ranges(opposed, level=0.95)] == [[1, 1], [2, 2]]


def test_ranks_of_all_figures_together_are_the_golden_ones():
    # 64 orthogonal columns: independent figures of standard error .5
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(np.column_stack([np.ones(64), rng.normal(size=(64, 3))]))[0][:, 1:]
    whole = np.array([3.0, 2.0, 0.0])
    figures = BucketFigures(whole=whole, without=whole + 0.5 * math.sqrt(64 / 63) * basis)
    assert figures.variance == pytest.approx([0.25] * 3)
    ranks = rank_ranges(figures, level=0.95, together=True)
    assert [r.tolist() for r in ranks] == [[1, 1, 3], [2, 2, 3]]
    assert _quantile_of_range(0.95, 3, 10**6) == pytest.approx(2.343701, abs=1e-5)
    # a difference of 2.1 standard errors: sure for one pair that was named before, not for any
    near = BucketFigures(
        whole=whole * [1.0, 0.73, 0.0],
        without=whole * [1.0, 0.73, 0.0] + figures.without - whole,
    )
    t_of_pair = 3 * (1 - 0.73 * 2 / 3) / math.sqrt(0.5)
    assert 2.0 < t_of_pair < 2.34
    assert rank_ranges(near, level=0.95)[1][0] == 1
    assert rank_ranges(near, level=0.95, together=True)[1][0] == 2
