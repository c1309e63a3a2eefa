from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cxjourney._stats.significance import false_discovery, two_sided_p


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
