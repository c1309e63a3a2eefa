"""Differences of two waves of Net Promoter Scores, and the size of a wave."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import numpy as np

from cxjourney._stats.buckets import covariance, t_quantile, units_of_difference
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.estimates import CLUSTERED, NO_INTERVAL
from cxjourney._stats.intervals import normal_quantile
from cxjourney._stats.ratios import mean_figures
from cxjourney._stats.units import Units
from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    is_undefined,
    numbers,
    same_length,
)
from cxjourney._support.validation import check_flag, check_fraction, check_level, is_number
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._rates import owners_of_both
from cxjourney.metrics._surveys.nps import (
    DETRACTOR,
    PROMOTER,
    adjusted,
    answers_worth,
    clip_points,
    group_shares,
)
from cxjourney.metrics._surveys.scale import Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Ints

_ADDED = 1.5  # answers to each wave: half of what the interval of one score adds
_ROUNDING = 1e-12


@attrs.frozen(kw_only=True, repr=False)
class NpsDifference(Estimate):
    """The difference of two scores [points, -200 to 200] with its test.

    Attributes
    ----------
    z, p_value
        Adjusted difference over its standard error (the interval excludes 0 where it lies beyond
        the quantile), and the two-sided p-value of Student.
    """

    z: float
    p_value: float


def nps_difference(
    first: Values,
    second: Values,
    *,
    paired: bool = False,
    customer: Values | tuple[Values, Values] | None = None,
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> NpsDifference:
    """Return how far the score of the first wave lies above that of the second.

    Parameters
    ----------
    first, second
        Whole answers, 0 to 10.
    paired
        Whether position i of both is the same respondent; who missed a wave is left out then.
    customer
        Whose answers they are, where customers answer more than once: two columns, one a wave, or
        for paired waves one column. Customers may be in both waves.
    level, nan_policy
        Confidence level, in (0, 1); missing answers: "omit", "raise" or "propagate".

    Returns
    -------
    NpsDifference
        An `Estimate` in points that has `z` and the two-sided `p_value` beside it.

    Raises
    ------
    OutOfScale
        If an answer is not a whole number from 0 to 10; carries the positions.
    InvalidValue
        If paired waves differ in length, or customers do not come as said above.

    Notes
    -----
    Independent waves: 3/8 promoter, 3/4 passive and 3/8 detractor are added to each, half of what
    the adjusted Wald interval of one score adds (as Agresti and Caffo 2000 do for shares), and the
    quantile is Student's. Paired: each respondent counts +1, 0 or -1 in each wave, and to their
    differences half a respondent of +1 and half a one of -1 are added. The value stays raw.
    Treating paired waves as independent usually hides a change. With `customer` everything is
    computed again without each customer, who leaves both waves at once.

    Examples
    --------
    >>> change = nps_difference([10] * 60 + [7] * 20 + [0] * 20, [10] * 40 + [7] * 20 + [0] * 40)
    >>> change
    40 points [16, 62.9] (95% adjusted Wald, n=200)
    >>> round(change.z, 3)
    3.313
    """
    check_flag(paired, "paired")
    check_level(level)
    arrays = [numbers(first, "first", finite=False), numbers(second, "second", finite=False)]
    for array, argument in zip(arrays, ("first", "second"), strict=True):
        Scale.ZERO_TO_TEN.check(array, argument)
    missing = [np.isnan(array) for array in arrays]
    if paired:
        same_length(first=arrays[0], second=arrays[1])
        missing = [missing[0] | missing[1]] * 2
    lost = [
        is_undefined(mask, nan_policy, argument)
        for mask, argument in zip(missing, ("first", "second"), strict=True)
    ]
    kept = [array[~mask] for array, mask in zip(arrays, missing, strict=True)]
    found = _NOTHING
    if all(map(len, kept)) and not any(lost):
        owner, n = owners_of_both(customer, missing, paired=paired)
        compare = _paired if paired else _apart
        found = compare(kept, owner, n, level, clustered=customer is not None)
    notes = [] if all(map(len, kept)) else ["empty"]
    if customer is not None and not notes:
        notes.append(f"The interval leaves out each of {n:,} customers in turn.")
    if math.isnan(found.half) and not math.isnan(found.value):
        notes.append(NO_INTERVAL)
    method = "paired adjusted Wald" if paired else "adjusted Wald"
    return NpsDifference(
        value=100 * found.value,
        low=clip_points(100 * (found.centre - found.half), 200),
        high=clip_points(100 * (found.centre + found.half), 200),
        level=level,
        n=len(kept[0]) if paired else len(kept[0]) + len(kept[1]),
        n_missing=int(missing[0].sum()) + (0 if paired else int(missing[1].sum())),
        unit="points",
        method=method if customer is None else f"{method}, {CLUSTERED}",
        notes=notes,
        name="nps_difference",
        definition="NPS of the first wave - NPS of the second",
        parameters={"paired": paired},
        z=found.z,
        p_value=found.p_value,
    )


class _Difference(NamedTuple):
    """A raw difference, its adjusted centre, half the interval around it, and the test."""

    value: float
    centre: float = math.nan
    half: float = math.nan
    z: float = math.nan
    p_value: float = math.nan

    @classmethod
    def of(
        cls, value: float, centre: float, variance: float, freedom: float, level: float
    ) -> _Difference:
        """Return the difference with Student's interval and test; without them where unknown."""
        from scipy.special import stdtr

        if not variance > 0 or not freedom > 0:
            return cls(value)
        error = math.sqrt(variance)
        half = float(t_quantile(level, np.array(freedom))) * error
        z = centre / error
        return cls(value, centre, half, z, float(2 * stdtr(freedom, -abs(z))))


_NOTHING = _Difference(math.nan)


def _apart(
    waves: list[NDArray[Any]], owners_: tuple[Ints, Ints], n: int, level: float, *, clustered: bool
) -> _Difference:
    nets, near = [], []
    for wave, owner in zip(waves, owners_, strict=True):
        shares, net = group_shares(wave, np.ones(len(wave)), Units(n=n, of=owner))
        p, _, d = shares.whole.tolist()
        size = answers_worth(shares, net) if clustered else float(len(wave))
        near.append(adjusted(p, d, size, _ADDED))
        nets.append(net)
    (centre1, v1), (centre2, v2) = near
    one, other = nets
    there = one.units + other.units > 0
    both = float(covariance(one, one, there) * covariance(other, other, there))
    shared = float(covariance(one, other, there)) if clustered else 0.0
    r = shared / math.sqrt(both) if both > 0 else 0.0
    return _Difference.of(
        float(one.whole - other.whole),
        centre1 - centre2,
        v1 + v2 - 2 * r * math.sqrt(v1 * v2),
        float(units_of_difference(one.units, other.units)) - 1,
        level,
    )


def _paired(
    waves: list[NDArray[Any]], owners_: tuple[Ints, Ints], n: int, level: float, *, clustered: bool
) -> _Difference:
    first, second = ((wave >= PROMOTER) * 1.0 - (wave <= DETRACTOR) for wave in waves)
    change = first - second
    figures = mean_figures(change, Units(n=n, of=owners_[0]))
    value, spread, size = float(change.mean()), float(change.var()), float(n)
    if clustered:  # as many independent respondents as say as much
        variance, size = float(figures.variance.item()), float(figures.effective.item())
        if not variance <= _ROUNDING:  # NaN stays
            size = spread / variance
    centre = value * size / (size + 1)
    square = (size * (spread + value**2) + 1) / (size + 1) - centre**2
    freedom = float(figures.effective.item()) - 1
    return _Difference.of(value, centre, square / size, freedom, level)


def nps_sample_size(
    margin: float,
    *,
    promoters: float | None = None,
    detractors: float | None = None,
    level: float = 0.95,
) -> int:
    """Return how many answers give the score a margin of plus or minus `margin` points.

    Parameters
    ----------
    margin, level
        Half the width of the interval [points], above 0; confidence level, in (0, 1).
    promoters, detractors
        Expected shares [fraction]; without them the worst case: half and half, variance 1.

    Returns
    -------
    int
        Number of answers, not of invitations: (100 z / margin)² (p + d - (p - d)²), rounded up.

    Raises
    ------
    InvalidValue
        If the margin is not positive, only one share is given, or they add up to more than 1.

    Examples
    --------
    >>> nps_sample_size(9.8)
    400
    """
    if isinstance(margin, bool) or not is_number(margin) or not 0 < margin < math.inf:
        raise InvalidValue.of("margin", "be a positive number of points", margin)
    variance = 1.0
    if promoters is not None or detractors is not None:
        if promoters is None or detractors is None:
            raise InvalidValue.of("promoters and detractors", "be given together", promoters)
        p, d = check_fraction(promoters, "promoters"), check_fraction(detractors, "detractors")
        if p + d > 1:
            raise InvalidValue.of("promoters + detractors", "be at most 1", p + d)
        variance = p + d - (p - d) ** 2
    return math.ceil((100 * normal_quantile(level) / margin) ** 2 * variance)
