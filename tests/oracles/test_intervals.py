"""Intervals and survey statistics equal those of statsmodels where it computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from cxjourney._stats.intervals import (
    agresti_coull,
    clopper_pearson,
    garwood,
    jeffreys,
    newcombe,
    wilson,
)
from cxjourney._stats.ratio_score import miettinen_nurminen
from cxjourney.metrics import mean_score

pytestmark = pytest.mark.oracles("statsmodels")

COUNTS = [(0, 10), (10, 10), (7, 50), (1, 3), (480, 1000), (3, 20)]


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("count", "n"), COUNTS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (wilson, "wilson"),
        (agresti_coull, "agresti_coull"),
        (clopper_pearson, "beta"),
        (jeffreys, "jeffreys"),
    ],
)
def test_one_proportion(ours, theirs, count, n, level):
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(count, n, alpha=1 - level, method=theirs)
    if theirs == "jeffreys":  # statsmodels does not put the ends to 0 and 1
        low, high = (0.0 if count == 0 else low), (1.0 if count == n else high)
    expected = (max(0, low), min(1, high))
    assert ours(count, n, level=level) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("first", "second"), [((56, 70), (48, 80)), ((1, 30), (9, 40))])
def test_two_proportions(first, second):
    from statsmodels.stats.proportion import confint_proportions_2indep

    difference = confint_proportions_2indep(*first, *second, compare="diff", method="newcomb")
    assert newcombe(*first, *second) == pytest.approx(difference)
    score = confint_proportions_2indep(*first, *second, compare="ratio", method="score")
    assert miettinen_nurminen(*first, *second) == pytest.approx(score)


def test_a_rate():
    from statsmodels.stats.rates import confint_poisson

    for count in (0, 3, 40):
        assert garwood(count, 120) == pytest.approx(
            confint_poisson(count, 120, method="exact-c"), abs=1e-12
        )


def test_a_weighted_mean():
    from statsmodels.stats.weightstats import DescrStatsW

    scores, weights = np.array([5, 4, 3, 4, 1, 5]), np.array([2.0, 1, 1, 3, 2, 1])
    assert mean_score(scores, weights=weights).value == pytest.approx(
        DescrStatsW(scores, weights=weights).mean
    )
    plain = mean_score(scores)
    assert (plain.low, plain.high) == pytest.approx(DescrStatsW(scores).tconfint_mean())
