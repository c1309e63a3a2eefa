"""One error budget: weights by kind, nests, adjusted values, estimates after selection."""

from __future__ import annotations

import numpy as np
import pytest

from cxjourney._stats.multiplicity import budget_of, kind_weights, median_unbiased


def test_weights_of_two_kinds() -> None:
    p = np.array([0.004, 0.5, 0.003, *np.linspace(0.1, 0.99, 39)])
    kind = np.array([0, 0, *[1] * 40])
    weights = kind_weights(kind)
    assert weights[[0, 2]].tolist() == [10.5, 0.525]
    assert p[[0, 2]] / weights[[0, 2]] == pytest.approx([0.000381, 0.005714], abs=1e-6)
    assert np.flatnonzero(budget_of(p, kind=kind).sure).tolist() == [0]
    assert not budget_of(p).sure.any()  # pooled: 42 * .003 / 1 and 42 * .004 / 2 are above .05


def test_one_nest_counts_once() -> None:
    p = np.array([0.001, 0.002, 0.003, 0.004, 0.024, 0.3, 0.5, 0.7, 0.9, 0.95])
    nest = np.array([7, 7, 7, 7, 1, 2, 3, 4, 5, 6])
    assert budget_of(p).sure.sum() == 5
    found = budget_of(p, nest=nest)
    assert np.flatnonzero(found.sure).tolist() == [0]
    assert found.threshold == 0.004  # the fifth would need 10 * .024 <= .05 * 2
    assert np.flatnonzero(budget_of(p, nest=nest, rate=0.12).sure).tolist() == [0, 4]


def test_adjusted_value_is_the_smallest_rate_at_which_a_test_is_found() -> None:
    rng = np.random.default_rng(5)
    p = np.concatenate([rng.random(30), rng.random(8) ** 6])
    kind, nest = rng.integers(0, 3, 38), rng.integers(0, 20, 38)
    adjusted = budget_of(p, kind=kind, nest=nest).adjusted
    for i in np.argsort(p)[:10].tolist():
        below, above = (
            budget_of(p, kind=kind, nest=nest, rate=adjusted[i] * f) for f in (0.999, 1.001)
        )
        weighted = p / kind_weights(kind)
        assert weighted[i] > below.threshold
        assert weighted[i] <= above.threshold


def test_without_nests_and_kinds_it_is_benjamini_hochberg() -> None:
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(1).random(50) ** 2
    assert budget_of(p).adjusted == pytest.approx(false_discovery_control(p))
    assert budget_of(p).bar == pytest.approx(0.05 * budget_of(p).sure.sum() / 50)
    assert not len(budget_of(np.zeros(0)).sure)


def test_estimate_after_selection_is_median_unbiased() -> None:
    rng = np.random.default_rng(3)
    for true in (1.5, 3.0, 4.5):
        z = rng.normal(true, 1, 200_000)
        kept = z[z > 3.2][:1_000]
        estimate = median_unbiased(kept, np.full(len(kept), 3.2))
        assert abs(np.mean(estimate > true) - 0.5) < 0.05
        assert true > 4 or np.mean(kept > true) > 0.6  # the raw one is above most of the time
