"""Differences of two waves of Net Promoter Scores, and the size of a wave."""

from __future__ import annotations

import math

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._stats.intervals import normal_quantile
from cxjourney._stats.significance import two_sided_p
from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    is_undefined,
    numbers,
    same_length,
)
from cxjourney._support.validation import check_fraction, is_number
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._surveys.nps import DETRACTOR, PROMOTER, clip_points
from cxjourney.metrics._surveys.scale import Scale

__all__ = ["NpsDifference", "nps_difference", "nps_sample_size"]


@attrs.frozen(kw_only=True, repr=False)
class NpsDifference(Estimate):
    """The difference of two scores [points, -200 to 200] with its test.

    Attributes
    ----------
    z
        Difference over its standard error; NaN where the error is 0 or unknown.
    p_value
        Two-sided, from the normal distribution.
    """

    z: float
    p_value: float


def nps_difference(
    first: Values,
    second: Values,
    *,
    paired: bool = False,
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
    level
        Confidence level, in (0, 1).
    nan_policy
        What to do with missing answers: "omit", "raise" or "propagate".

    Returns
    -------
    NpsDifference
        An `Estimate` in points that has `z` and the two-sided `p_value` beside it.

    Raises
    ------
    OutOfScale
        If an answer is not a whole number from 0 to 10; carries the positions.
    InvalidValue
        If paired waves differ in length.

    Notes
    -----
    Independent waves: z = (NPS₁ - NPS₂) / √(V₁/n₁ + V₂/n₂). Paired: each respondent counts +1, 0 or
    -1 in each wave; the mean of the differences over its standard error (n - 1). Treating paired
    waves as independent usually hides a change. Normal approximation: not for a few dozen answers.

    Examples
    --------
    >>> change = nps_difference([10] * 60 + [7] * 20 + [0] * 20, [10] * 40 + [7] * 20 + [0] * 40)
    >>> change
    40 points [16.5, 63.5] (95% Wald, n=200)
    >>> round(change.z, 3)
    3.333
    """
    arrays = [numbers(first, "first", finite=False), numbers(second, "second", finite=False)]
    for array, argument in zip(arrays, ("first", "second"), strict=True):
        Scale.ZERO_TO_TEN.check(array, argument)
    missing = [np.isnan(array) for array in arrays]
    parts = [(a >= PROMOTER) * 1.0 - (a <= DETRACTOR) for a in arrays]
    if paired:
        same_length(first=arrays[0], second=arrays[1])
        missing = [missing[0] | missing[1]] * 2
    lost = [
        is_undefined(mask, nan_policy, argument)
        for mask, argument in zip(missing, ("first", "second"), strict=True)
    ]
    kept = [part[~mask] for part, mask in zip(parts, missing, strict=True)]
    if paired:
        change = kept[0] - kept[1]
        value = float(change.mean()) if len(change) else math.nan
        variance = float(change.var(ddof=1)) / len(change) if len(change) > 1 else math.nan
    else:
        value = float(kept[0].mean() - kept[1].mean()) if all(map(len, kept)) else math.nan
        variance = sum(float(k.var()) / len(k) if len(k) else math.nan for k in kept)
    if any(lost):
        value = variance = math.nan
    error = math.sqrt(variance)
    z = value / error if error > 0 else math.nan
    half = 100 * normal_quantile(level) * error
    notes = [] if all(map(len, kept)) else ["empty"]
    if error == 0:
        notes.append("Nothing varies: this interval has no width.")
    return NpsDifference(
        value=100 * value,
        low=clip_points(100 * value - half, 200),
        high=clip_points(100 * value + half, 200),
        level=level,
        n=len(kept[0]) if paired else len(kept[0]) + len(kept[1]),
        n_missing=int(missing[0].sum()) + (0 if paired else int(missing[1].sum())),
        unit="points",
        method="paired Wald" if paired else "Wald",
        notes=notes,
        name="nps_difference",
        definition="NPS of the first wave - NPS of the second",
        parameters={"paired": paired},
        z=z,
        p_value=two_sided_p(z),
    )


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
    margin
        Half the width of the interval [points], above 0.
    promoters, detractors
        Expected shares [fraction]; without them the worst case: half and half, variance 1.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    int
        Number of answers, not of invitations.

    Raises
    ------
    InvalidValue
        If the margin is not positive, only one share is given, or they add up to more than 1.

    Notes
    -----
    (100 z / margin)² (p + d - (p - d)²), rounded up: the plain Wald margin.

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
