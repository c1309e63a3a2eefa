"""The Net Promoter Score, its three shares and its interval."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs
import numpy as np

from cxjourney._stats.bootstrap import resampled_ratio
from cxjourney._stats.buckets import BucketFigures, t_quantile
from cxjourney._stats.estimate import Estimate, fields_of
from cxjourney._stats.intervals import normal_quantile, wilson
from cxjourney._stats.ratios import ratio_of_sums
from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    counts_of,
    is_undefined,
    numbers,
    weights_of,
)
from cxjourney._support.table import format_value
from cxjourney._support.validation import (
    MOST_DRAWS,
    check_choice,
    check_count,
    check_level,
    check_rng,
    is_number,
)
from cxjourney.exceptions import DataQualityWarning, InvalidValue
from cxjourney.metrics._rates import (
    check_sizes,
    clustered,
    clustered_share,
    owners,
    undefined,
)
from cxjourney.metrics._surveys.scale import Scale, tallied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cxjourney._stats.units import Units
    from cxjourney._support.array_types import Floats, Ints

NpsInterval = Literal["adjusted_wald", "wald", "bootstrap"]

_DEFINITION = "100 × (share of 9-10 - share of 0-6)"
_METHODS = {"adjusted_wald": "adjusted Wald", "wald": "Wald", "bootstrap": "bootstrap percentile"}
_GROUPS = ("promoters", "passives", "detractors")
PROMOTER, DETRACTOR = 9, 6
_SMALL = 30
_TOO_FEW = 10
_ROUNDING = 1e-12
_FEW = 5  # answers that may well all be low


@attrs.frozen(kw_only=True, repr=False)
class NetPromoterScore(Estimate):
    """The score [points, -100 to 100] with the three shares that it nets out.

    Attributes
    ----------
    promoters, passives, detractors
        Shares of answers 9-10, 7-8 and 0-6 [fraction], each with its Wilson interval. The same
        score comes from (60 %, 20 %) and (40 %, 0 %): read the shares.
    """

    promoters: Estimate
    passives: Estimate
    detractors: Estimate

    @classmethod
    def pooled(
        cls, parts: Sequence[Self], *, level: float, interval: NpsInterval
    ) -> NetPromoterScore:
        """Return the score of all parts together, from their counts; see `pool`."""
        counts = [sum(int(getattr(part, group).numerator) for part in parts) for group in _GROUPS]
        n_missing = sum(part.n_missing for part in parts)
        return score_of_groups(*counts, n_missing=n_missing, interval=interval, level=level)

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{format_value(getattr(self, group).value, 'percent')} {group}" for group in _GROUPS
        )
        between = " " if self.notes else "; "
        return super().__repr__() + between + shares


def nps(
    scores: Values,
    *,
    counts: Values | None = None,
    weights: Values | None = None,
    customer: Values | None = None,
    interval: NpsInterval = "adjusted_wald",
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
    n_resamples: int = 9_999,
    rng: np.random.Generator | int | None = 0,
) -> NetPromoterScore:
    """Return the Net Promoter Score of answers from 0 to 10.

    Parameters
    ----------
    scores
        Whole answers, 0 to 10. Where only the numbers of promoters, passives and detractors are
        known, any answer stands for its group: `nps([10, 8, 0], counts=[60, 20, 20])`.
    counts
        How many respondents gave each of `scores`: a table of answers. None: one each.
    weights
        One weight a respondent, at least 0; the interval then rests on Kish's effective number.
    customer
        Whose answer it is; with it the intervals allow for several answers of one customer.
    interval
        "adjusted_wald" (Rocks 2016), "wald" or "bootstrap" (percentile, respondents or customers
        resampled).
    level, nan_policy
        Confidence level, in (0, 1); missing answers: "omit", "raise" or "propagate".
    n_resamples, rng
        Number of bootstrap samples, and a generator or seed; None draws anew each time.

    Returns
    -------
    NetPromoterScore
        An `Estimate` in points that has the shares `promoters`, `passives` and `detractors`
        beside it, each an `Estimate` with Wilson's interval.

    Raises
    ------
    OutOfScale
        If an answer is not a whole number from 0 to 10; carries the positions.
    InvalidValue
        If the answers are not numbers, an option is unknown, or counts are given with weights or
        customers.
    InvalidData
        If a count is missing, negative or not whole; carries the positions.

    Notes
    -----
    NPS = 100 (p - d) with p the share of 9-10 and d of 0-6 (Reichheld 2003); variance of one answer
    p + d - (p - d)². The adjusted Wald interval adds 3/4 promoter, 3/2 passives and 3/4 detractor;
    the score stays raw. With `customer` the score is computed again without each customer; the
    interval is that of as many independent answers as this variance is worth, with Student's
    quantile. The scores of segments average to the total only when weighted by their numbers.

    Answers that are all within 1-5 or 1-7 look like those to another question: a note says so, and
    from 30 answers on a `DataQualityWarning`.

    Examples
    --------
    >>> nps([10, 9, 7, 3, 9, 10, 8, 6])
    25 points [-29.4, 65.8] (95% adjusted Wald, n=8) There are fewer than 30 answers. \
    50.0% promoters, 25.0% passives, 25.0% detractors
    >>> nps([10, 8, 0], counts=[60, 20, 20]).value
    40.0
    """
    array = numbers(scores, "scores", finite=False)
    groups, sizes = tallied(
        array, Scale.ZERO_TO_TEN, counts, weights, customer, count=count_groups, add=_sums_of_groups
    )
    check_choice(nan_policy, "nan_policy", ("omit", "raise", "propagate"))
    n_missing = sizes["n_missing"]
    if n_missing and nan_policy != "omit" and is_undefined(np.isnan(array), nan_policy, "scores"):
        return _undefined(n_missing, level)
    bounds = None
    check_choice(interval, "interval", _METHODS)
    if interval == "bootstrap":
        check_count(n_resamples, "n_resamples", most=MOST_DRAWS)
        draw = partial(_bootstrap, n_resamples=n_resamples, rng=check_rng(rng))
        bounds = draw(array, list(groups), weights, customer, level=check_level(level))
    score = score_of_groups(*groups, **sizes, interval=interval, level=level, bounds=bounds)
    if customer is not None:
        score = _clustered(score, array, weights, customer, interval)
    if counts is not None:  # what nobody answered tells nothing of the scale
        array = array[counts_of(counts, len(array)) > 0]
    shorter = None if groups[0] else _shorter_scale(array, score.n)
    if shorter is None:
        return score
    doubt = f"All answers lie within {shorter}: was the question asked on 0-10?"
    if score.n >= _SMALL:
        warnings.warn(f"nps(): {doubt}", DataQualityWarning, stacklevel=2)
    return attrs.evolve(score, notes=(*score.notes, doubt))


def group_shares(
    array: NDArray[Any], weights: Floats, units: Units
) -> tuple[BucketFigures, BucketFigures]:
    """Return the shares of promoters, passives and detractors, and the first less the last."""
    group = np.where(array >= PROMOTER, 0, np.where(array <= DETRACTOR, 2, 1))
    y = units.sums(group, 3, values=weights)
    shares = ratio_of_sums(y, np.broadcast_to(y.sum(axis=1, keepdims=True), y.shape))
    net = BucketFigures(
        whole=shares.whole[0] - shares.whole[2],
        without=shares.without[:, 0] - shares.without[:, 2],
        units=shares.units[:, 0],
    )
    return shares, net


def answers_worth(shares: BucketFigures, net: BucketFigures) -> float:
    """Return how many independent answers would say as much about a score."""
    p, _, d = shares.whole.tolist()
    spread, variance = p + d - (p - d) ** 2, float(net.variance)
    if math.isnan(variance):
        return math.nan
    says = spread > _ROUNDING and variance > _ROUNDING * spread
    return spread / variance if says else float(net.effective)


def _clustered(
    score: NetPromoterScore,
    array: NDArray[Any],
    weights: Values | None,
    customer: Values,
    interval: NpsInterval,
) -> NetPromoterScore:
    """Return a score whose intervals allow for several answers of one customer."""
    present = ~np.isnan(array)
    w = weights_of(weights, len(array))[present]
    shares, net = group_shares(array[present], w, owners(customer, present))
    low, high, drawn = score.low, score.high, interval == "bootstrap"
    if not drawn:
        p, _, d = shares.whole.tolist()
        quantile = float(t_quantile(score.level, net.freedom))
        low, high = _wald(p, d, answers_worth(shares, net), quantile, interval)
    ends = clip_points(low, 100), clip_points(high, 100)
    whole = clustered(score, net, *ends, score.method, drawn=drawn)
    for i, group in enumerate(_GROUPS):
        figures = BucketFigures(
            whole=shares.whole[i], without=shares.without[:, i], units=shares.units[:, i]
        )
        share = clustered_share(getattr(score, group), figures, "wilson")
        whole = attrs.evolve(whole, **{group: share})
    return whole


def worth_note(size: float) -> str:
    """Return the note of weighted answers: how many equal ones they are worth."""
    return f"The weighted answers are worth {size:,.0f} equal ones."


def _sums_of_groups(array: NDArray[Any], size: Ints | Floats) -> list[float]:
    """Return what promoters, passives and detractors add up to."""
    high, low = array >= PROMOTER, array <= DETRACTOR
    return [size[group].sum().item() for group in (high, ~high & ~low & ~np.isnan(array), low)]


def _shorter_scale(array: NDArray[Any], n: int) -> str | None:
    """Return the scale of one question in use that holds enough answers to make one wonder."""
    answers = array[~np.isnan(array)]
    if n < _FEW or answers.min() < 1:
        return None
    highest = answers.max()
    return next((str(s) for s in (Scale.FIVE_POINT, Scale.SEVEN_POINT) if highest <= s.high), None)


def count_groups(array: NDArray[Any]) -> list[int]:
    """Return the numbers of promoters, passives and detractors; OutOfScale for other answers."""
    promoters = detractors = present = 0
    narrow = array.dtype.kind != "f" and array.dtype.itemsize > 1
    for piece, answers in Scale.ZERO_TO_TEN.pieces(array):
        # on the scale an answer fits into a byte, and comparing bytes is faster
        small = piece.astype(np.int8) if narrow else piece
        promoters += int(np.count_nonzero(small >= PROMOTER))
        detractors += int(np.count_nonzero(small <= DETRACTOR))
        present += answers
    return [promoters, present - promoters - detractors, detractors]


def score_of_groups(
    promoters: float,
    passives: float,
    detractors: float,
    *,
    n_missing: int = 0,
    n: int | None = None,
    n_effective: float | None = None,
    interval: NpsInterval = "adjusted_wald",
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> NetPromoterScore:
    """Return the Net Promoter Score of the numbers of promoters, passives and detractors.

    With `n` answers of Kish's effective number `n_effective` they are sums of weights. A
    "bootstrap" comes with its `bounds` [points], made elsewhere.
    """
    check_choice(interval, "interval", _METHODS)
    counts = (promoters, passives, detractors)
    for group, count in zip(_GROUPS, counts, strict=True):
        if not is_number(count) or not 0 <= count < math.inf:
            raise InvalidValue.of(group, "be a finite count of at least 0", count)
    check_sizes(n, n_effective)
    total = promoters + passives + detractors
    answers = round(total) if n is None else n
    size = total if n_effective is None else n_effective
    notes: list[str] = []
    if not total:
        notes.append("empty")
    elif answers < _SMALL:
        notes.append(f"There are fewer than {_SMALL} answers.")
    if n_effective is not None:
        notes.append(worth_note(size))
    p, d = (promoters / total, detractors / total) if total else (math.nan, math.nan)
    low, high = bounds or _wald(p, d, size, normal_quantile(level), interval)
    if low < -100 or high > 100:
        notes.append("The interval is clipped to ±100.")
    if interval == "wald" and total and p + d - (p - d) ** 2 == 0:
        notes.append("All answers fall into one group: this interval has no width.")
    if interval == "bootstrap" and math.isnan(low) and total:
        notes.append(f"There are too few answers to resample (fewer than {_TOO_FEW}).")
    shares: dict[str, Any] = {
        group: _share(group, count, total, size, n=answers, level=level)
        for group, count in zip(_GROUPS, counts, strict=True)
    }
    return NetPromoterScore(
        value=100 * (promoters - detractors) / total if total else math.nan,
        low=clip_points(low, 100),
        high=clip_points(high, 100),
        level=level,
        n=answers,
        n_missing=n_missing,
        unit="points",
        method=_METHODS[interval],
        notes=notes,
        name="nps",
        definition=_DEFINITION,
        parameters={"interval": interval, "weighted": n_effective is not None},
        numerator=promoters - detractors,
        denominator=total,
        **shares,
    )


def clip_points(points: float, limit: float) -> float:
    return points if math.isnan(points) else max(-limit, min(limit, points))


def _wald(
    p: float, d: float, n: float, quantile: float, interval: NpsInterval
) -> tuple[float, float]:
    """Return an interval that holds the score, from which answers that are added draw it aside."""
    if math.isnan(p) or not n > 0 or math.isnan(quantile):
        return math.nan, math.nan
    net, variance = adjusted(p, d, n, 3.0 if interval == "adjusted_wald" else 0.0)
    half, score = 100 * quantile * math.sqrt(variance), 100 * (p - d)
    return min(100 * net - half, score), max(100 * net + half, score)


def adjusted(p: float, d: float, n: float, added: float) -> tuple[float, float]:
    """Return p - d and its variance once answers were added: a quarter each to p and to d."""
    size = n + added
    p, d = (p * n + added / 4) / size, (d * n + added / 4) / size
    return p - d, max(0.0, p + d - (p - d) ** 2) / size


def _share(name: str, count: float, total: float, size: float, *, n: int, level: float) -> Estimate:
    value = count / total if total else math.nan
    low, high = wilson(min(size, value * size), size, level=level) if total else (math.nan,) * 2
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=n,
        unit="fraction",
        method="Wilson",
        name=f"nps_{name}",
        definition=f"{name} / answers",
        numerator=count,
        denominator=total,
    )


def _bootstrap(
    array: NDArray[Any],
    groups: list[float],
    weights: Values | None,
    customer: Values | None,
    *,
    level: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    present = ~np.isnan(array)
    n = int(sum(groups)) if weights is None else int(present.sum())
    units = None if customer is None else owners(customer, present)
    if (n if units is None else units.n) < _TOO_FEW:
        return math.nan, math.nan
    if weights is None and units is None:
        # resampling respondents is drawing the three counts: exact, and independent of n
        drawn = rng.multinomial(n, np.array(groups) / n, size=n_resamples)
        scores = 100.0 * (drawn[:, 0] - drawn[:, 2]) / n
    else:
        w = weights_of(weights, len(array))[present]
        top = w * ((array[present] >= PROMOTER) * 1.0 - (array[present] <= DETRACTOR))
        if units is not None:
            top, w = (units.total(values=x) for x in (top, w))
        scores = 100.0 * resampled_ratio(top, w, n_resamples=n_resamples, rng=rng)
    tail = (1 - level) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return float(low), float(high)


def _undefined(n_missing: int, level: float) -> NetPromoterScore:
    base = undefined(
        name="nps", definition=_DEFINITION, n_missing=n_missing, unit="points", level=level
    )
    share = undefined(name="nps_share", definition="", n_missing=n_missing, level=level)
    return NetPromoterScore(**fields_of(base) | dict.fromkeys(_GROUPS, share))
