from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cxjourney._stats.significance import false_discovery, fisher_p, two_sided_p


def test_correction_for_many_tests():
    # METHODS 14
    p = np.array([0.01, 0.04, 0.03, 0.2])
    assert false_discovery(p) == pytest.approx([0.04, 0.05333, 0.05333, 0.2], abs=5e-6)
    rng = np.random.default_rng(1)
    many = rng.random(200) ** 3
    assert false_discovery(many) == pytest.approx(stats.false_discovery_control(many))
    assert false_discovery(many, dependent=True) == pytest.approx(
        stats.false_discovery_control(many, method="by")
    )


def test_undefined_p_values_take_no_part_in_the_correction():
    assert false_discovery(np.array([np.nan, 0.04])) == pytest.approx([np.nan, 0.04], nan_ok=True)
    assert len(false_discovery(np.array([]))) == 0


def test_the_normal_p_value_has_two_sides():
    assert two_sided_p(1.959964) == pytest.approx(0.05, abs=1e-6)
    assert two_sided_p(-1.959964) == pytest.approx(0.05, abs=1e-6)


@given(st.tuples(*[st.integers(0, 60)] * 4))
def test_fishers_test_is_that_of_scipy(table):
    a, b, c, d = table
    found = fisher_p(a, a + b, c, c + d)
    if a + b and c + d:
        assert found == pytest.approx(stats.fisher_exact([[a, b], [c, d]]).pvalue, rel=1e-10)
    else:
        assert math.isnan(found)


def test_fishers_test_is_exact_with_millions():
    # both ways in which all four lie on one side: 2 C(m, 4) / C(2m, 4)
    m = 1_000_000
    exact = 2 * math.prod((m - i) / (2 * m - i) for i in range(4))
    assert fisher_p(0, m, 4, m) == pytest.approx(exact, rel=1e-12)
