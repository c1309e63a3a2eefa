"""Score statistic and interval of the ratio of two independent proportions."""

from __future__ import annotations

import math

from cxjourney._stats.intervals import check_counts, normal_quantile

_WIDEST = 300.0  # of the logarithm of a ratio: the square of a wider one is no float
_HALVINGS = 200


def restricted_shares(
    count1: float, n1: float, count2: float, n2: float, ratio: float
) -> tuple[float, float]:
    """Return the likeliest two proportions among those whose ratio is `ratio`.

    The second one is a root of N·r·p² - (n₁·r + x₁ + n₂ + x₂·r)·p + x₁ + x₂ = 0 with N = n₁ + n₂
    (Miettinen and Nurminen 1985); the first one is r·p.
    """
    a = (n1 + n2) * ratio
    b = n1 * ratio + count1 + n2 + count2 * ratio
    c = count1 + count2
    # the smaller root, without the difference of nearly equal numbers
    second = 2 * c / (b + math.sqrt(max(0.0, b * b - 4 * a * c)))
    return min(1.0, ratio * second), min(1.0, second)


def ratio_z(count1: float, n1: float, count2: float, n2: float, ratio: float) -> float:
    """Return Miettinen and Nurminen's score statistic of p1/p2; positive above `ratio`."""
    p1, p2 = restricted_shares(count1, n1, count2, n2, ratio)
    total = n1 + n2
    variance = p1 * (1 - p1) / n1 + ratio * ratio * p2 * (1 - p2) / n2
    variance *= total / (total - 1)
    difference = count1 / n1 - ratio * count2 / n2
    if variance <= 0:
        return 0.0 if difference == 0 else math.copysign(math.inf, difference)
    return difference / math.sqrt(variance)


def miettinen_nurminen(
    count1: float, n1: float, count2: float, n2: float, *, level: float = 0.95
) -> tuple[float, float]:
    """Return the score interval of the ratio of two independent proportions, by bisection.

    The ratios that the score test does not reject (Miettinen and Nurminen 1985). The high end is
    NaN without successes in the second sample, both are without any, or with an empty sample.
    """
    check_counts(count1, n1, "1")
    check_counts(count2, n2, "2")
    z = normal_quantile(level)
    if n1 == 0 or n2 == 0 or count1 + count2 == 0:
        return math.nan, math.nan

    def crossing(target: float) -> float:
        low, high = -_WIDEST, _WIDEST
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if ratio_z(count1, n1, count2, n2, math.exp(middle)) > target:
                low = middle
            else:
                high = middle
        return math.exp((low + high) / 2)

    return (
        0.0 if count1 == 0 else crossing(z),
        math.nan if count2 == 0 else crossing(-z),
    )
