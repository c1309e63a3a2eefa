from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from cxjourney.omnichannel._agreement import (
    anova,
    bergsma,
    icc_interval,
    omega_interval,
    v_interval,
)

# METHODS 14
SCORES = np.array([4, 5, 5, 3, 2, 3, 3, 2, 5, 4, 5, 5], dtype=float)
GROUPS = np.repeat([0, 1, 2], 4)


def test_variance_explained_and_agreement_of_a_known_table():
    table = anova(SCORES, GROUPS)
    assert table.eta2 == pytest.approx(0.712766, abs=5e-7)
    assert table.omega2 == pytest.approx(0.628866, abs=5e-7)
    assert table.icc == pytest.approx(0.717647, abs=5e-7)
    assert table.f == pytest.approx(stats.f_oneway(*SCORES.reshape(3, 4)).statistic)


def test_unequal_groups_are_worth_a_typical_size():
    table = anova(np.arange(9.0), np.array([0, 0, 1, 1, 1, 2, 2, 2, 2]))
    assert table.typical == pytest.approx((9 - (4 + 9 + 16) / 9) / 2)


def test_association_of_a_known_table():
    # METHODS 14: .684737 uncorrected, .680768 after Bergsma
    table = np.array([[30.0, 10.0], [5.0, 55.0]])
    assert bergsma(table) == pytest.approx(0.680768, abs=5e-7)
    low, high = v_interval(table, design=1, level=0.95)
    assert 0.45 < low < 0.684737 < high < 0.9


def test_empty_rows_and_columns_take_no_part():
    table = np.array([[30.0, 0.0, 10.0], [0.0, 0.0, 0.0], [5.0, 0.0, 55.0]])
    assert bergsma(table) == pytest.approx(0.680768, abs=5e-7)
    assert np.isnan(bergsma(np.array([[3.0, 4.0]])))
    assert np.isnan(v_interval(np.array([[3.0], [4.0]]), design=1, level=0.95)).all()


def test_independence_has_no_association():
    assert bergsma(np.array([[20.0, 40.0], [10.0, 20.0]])) == 0
    assert v_interval(np.array([[20.0, 40.0], [10.0, 20.0]]), design=1, level=0.95)[0] == 0


def test_intervals_cover_what_was_planted():
    rng = np.random.default_rng(8)
    runs, omega, icc, v = 150, 0, 0, 0
    means = np.array([0.0, 0.5, 1.0])
    true_omega = means.var() / (means.var() + 1)
    tables = [[0.3, 0.2], [0.1, 0.4]]
    expected = np.outer(np.sum(tables, axis=1), np.sum(tables, axis=0))
    true_v = np.sqrt(np.sum((tables - expected) ** 2 / expected))
    for _ in range(runs):
        values = (means + rng.normal(size=(30, 3))).ravel()
        low, high = omega_interval(anova(values, np.tile([0, 1, 2], 30)), design=1, level=0.95)
        omega += low <= true_omega <= high
        people = rng.normal(size=40)[:, None] + rng.normal(size=(40, 2))
        low, high = icc_interval(anova(people.ravel(), np.repeat(np.arange(40), 2)), level=0.95)
        icc += low <= 0.5 <= high
        counts = rng.multinomial(200, np.ravel(tables)).reshape(2, 2).astype(float)
        low, high = v_interval(counts, design=1, level=0.95)
        v += low <= true_v <= high
    # 150 runs of true 95% coverage fall below 135 once in a thousand
    assert min(omega, icc, v) >= 135


def solved(cdf, level=0.95):
    """Return the noncentralities at which a decreasing distribution has its tails; 0 if below."""
    tail = (1 - level) / 2
    return [
        brentq(lambda nc, p=p: cdf(nc) - p, 1e-9, 1e4) if cdf(1e-9) > p else 0.0
        for p in (1 - tail, tail)
    ]


@pytest.mark.parametrize("design", [1.0, 1.6])
def test_the_interval_of_omega_inverts_the_noncentral_f_of_an_effective_sample(design):
    table = anova(SCORES, GROUPS)
    n = 12 / design  # values; 3 groups
    f = stats.f_oneway(*SCORES.reshape(3, 4)).statistic / design
    ends = solved(lambda nc: stats.ncf.cdf(f, 2, n - 3, nc))
    expected = [nc / (nc + n) for nc in ends]
    assert omega_interval(table, design=design, level=0.95) == pytest.approx(expected, abs=1e-6)
    assert expected[0] < 0.62 < expected[1]


def test_the_interval_of_agreement_is_that_of_shrout_and_fleiss():
    # four customers of two, three, three and four channels
    values = np.array([5.0, 6.0, 1.0, 2.0, 2.5, 8.0, 7.0, 7.5, 4.0, 4.5, 3.0, 5.0])
    groups = np.repeat([0, 1, 2, 3], [2, 3, 3, 4])
    table = anova(values, groups)
    sizes = np.array([2, 3, 3, 4])
    typical = (12 - np.sum(sizes**2) / 12) / 3
    f = stats.f_oneway(*np.split(values, [2, 5, 8])).statistic
    ends = [
        (f / stats.f.ppf(p, 3, 8) - 1) / (f / stats.f.ppf(p, 3, 8) + typical - 1)
        for p in (0.975, 0.025)
    ]
    assert icc_interval(table, level=0.95) == pytest.approx(ends)
    assert 0 < ends[0] < ends[1] < 1


def test_the_interval_of_agreement_ends_at_none():
    # customers that agree less than by chance
    table = anova(np.array([1.0, 9.0, 2.0, 8.0, 1.5, 8.0]), np.repeat([0, 1, 2], 2))
    low, high = icc_interval(table, level=0.95)
    assert table.icc < 0
    assert low == 0
    assert 0 <= high < 1


@pytest.mark.parametrize("design", [1.0, 2.5])
def test_the_interval_of_cramers_v_inverts_the_noncentral_chi2_of_an_effective_sample(design):
    counts = np.array([[30.0, 10.0, 8.0], [5.0, 55.0, 20.0]])
    chi2 = stats.chi2_contingency(counts, correction=False).statistic / design
    n = counts.sum() / design
    ends = solved(lambda nc: stats.ncx2.cdf(chi2, 2, nc))
    expected = np.sqrt(np.array(ends) / n)
    assert v_interval(counts, design=design, level=0.95) == pytest.approx(expected, abs=1e-6)


def test_clusters_widen_intervals():
    table = anova(SCORES, GROUPS)
    narrow, wide = (omega_interval(table, design=d, level=0.95) for d in (1, 2))
    assert wide[0] < narrow[0]
    counts = np.array([[30.0, 10.0], [5.0, 55.0]])
    narrow, wide = (v_interval(counts, design=d, level=0.95) for d in (1, 4))
    assert wide[0] < narrow[0]


@pytest.mark.parametrize(
    ("values", "groups"), [([], []), ([1.0], [0]), ([1.0, 2.0], [0, 1]), ([1.0, 1.0], [0, 0])]
)
def test_too_little_to_analyse_gives_no_number(values, groups):
    table = anova(np.array(values), np.array(groups, dtype=int))
    assert np.isnan([table.eta2, table.omega2, table.icc, table.f]).all()
    assert np.isnan(omega_interval(table, design=1, level=0.95)).all()
    assert np.isnan(icc_interval(table, level=0.95)).all()
