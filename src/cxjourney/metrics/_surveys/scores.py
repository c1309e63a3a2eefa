"""Satisfaction and effort: shares of good answers, on a stated scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate, Parameter, fields_of
from cxjourney._support.arrays import NanPolicy, Values, is_undefined, numbers, weights_of
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.validation import check_choice, check_number, is_number
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._rates import (
    Interval,
    check_sizes,
    clustered_share,
    owners,
    proportion,
)
from cxjourney.metrics._surveys.means import clustered_mean, mean_of_scores, weighted_mean
from cxjourney.metrics._surveys.nps import worth_note
from cxjourney.metrics._surveys.scale import Scale, check_scale, tallied

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EASY = 5

E = TypeVar("E", bound=Estimate)


def _frozen_distribution(counts: Mapping[str, float]) -> Mapping[str, float]:
    return FrozenMapping(counts)


@attrs.frozen(kw_only=True, repr=False)
class AnswerShare(Estimate):
    """A share of good answers with the mean and the whole distribution beside it.

    Attributes
    ----------
    mean
        Mean answer [scale points] with its interval, Wilson's on the scale.
    distribution
        Answer to number of respondents (or weight), every answer of the scale listed.
    scale, counted
        The scale that was answered on; the lowest and highest answer that the share counts.
    """

    mean: Estimate
    distribution: Mapping[str, float] = attrs.field(converter=_frozen_distribution, hash=False)
    scale: Scale
    counted: tuple[float, float]

    @classmethod
    def pooled(cls, parts: Sequence[Self], *, level: float, interval: Interval) -> AnswerShare:
        """Return the share of all parts together, from their counts; see `pool`."""
        first = parts[0]
        return answer_share(
            np.sum([list(part.distribution.values()) for part in parts], axis=0),
            low=first.counted[0],
            high=first.counted[1],
            scale=first.scale,
            name=first.name,
            definition=first.definition,
            parameters=first.parameters,
            n_missing=sum(part.n_missing for part in parts),
            level=level,
            interval=interval,
        )


def csat(
    scores: Values,
    *,
    scale: Scale = Scale.FIVE_POINT,
    boxes: int | None = None,
    counts: Values | None = None,
    weights: Values | None = None,
    customer: Values | None = None,
    level: float = 0.95,
    interval: Interval = "wilson",
    nan_policy: NanPolicy = "omit",
) -> AnswerShare:
    """Return the share of satisfied answers: the best `boxes` of the scale.

    Parameters
    ----------
    scores, scale
        Answers, and the scale that they are on.
    boxes
        How many of the best answers count as satisfied. 2 on a five-point scale; on others there is
        no convention, and it must be said.
    counts
        How many respondents gave each of `scores`: a table of answers. None: one each.
    weights
        One weight a respondent, at least 0; the interval then rests on Kish's effective number.
    customer
        Whose answer it is; with it the interval allows for several answers of one customer.
    level, interval, nan_policy
        Confidence level, in (0, 1); how the interval of the share is made; missing answers:
        "omit", "raise" or "propagate".

    Returns
    -------
    AnswerShare
        An `Estimate` [fraction] with the `mean` answer, the `distribution`, the `scale` and the
        answers `counted` beside it.

    Raises
    ------
    OutOfScale
        If an answer is off the scale; carries the positions.
    InvalidValue
        If `boxes` is missing for another scale than five points, or too many, or both counts and
        weights are given.

    Notes
    -----
    Top-two-box share (Farris et al. 2010). Answers are ordinal: two waves with one mean may differ
    in shape, so look at the distribution. Shares from scales of different length do not compare.

    Examples
    --------
    >>> satisfied = csat([5, 4, 3, 4, 1, 5, 2, 4])
    >>> satisfied
    62.5% [30.6%, 86.3%] (95% Wilson, n=8)
    >>> satisfied.mean.value
    3.5
    """
    if boxes is None:
        if len(check_scale(scale).answers) != len(Scale.FIVE_POINT.answers):
            raise InvalidValue.of("boxes", f"be given for the scale {scale}", None)
        boxes = 2
    low, high = check_scale(scale).good_end(boxes)
    return _from_scores(
        scores,
        counts=counts,
        weights=weights,
        customer=customer,
        nan_policy=nan_policy,
        low=low,
        high=high,
        name="csat",
        definition=f"answers {low:g}-{high:g} on {scale} / answers",
        parameters={"scale": str(scale), "boxes": boxes},
        scale=scale,
        level=level,
        interval=interval,
    )


def ces(
    scores: Values,
    *,
    version: Literal[1, 2] = 2,
    counts: Values | None = None,
    weights: Values | None = None,
    customer: Values | None = None,
    level: float = 0.95,
    interval: Interval = "wilson",
    nan_policy: NanPolicy = "omit",
) -> AnswerShare:
    """Return the Customer Effort Score, version 1 or 2; the two never mix.

    Parameters
    ----------
    scores
        Version 2: agreement that the company made it easy, 1 (strongly disagree) to 7 (strongly
        agree). Version 1: effort, 1 (very low) to 5 (very high).
    version
        The question that was asked.
    counts, weights, customer, level, interval, nan_policy
        As for `csat`.

    Returns
    -------
    AnswerShare
        Version 2: share of answers 5-7, higher is better. Version 1: share of answers 1-2 (low
        effort), higher is better, while its mean is better when lower.

    Raises
    ------
    OutOfScale
        If an answer is off the version's scale; carries the positions.
    InvalidValue
        If the version is neither 1 nor 2, or both counts and weights are given.

    Notes
    -----
    Dixon, Freeman and Toman (2010) for version 1, whose published figure is the mean; version 2 is
    Gartner's CES 2.0, at least "somewhat agree". Asked right after a contact: it says little about
    loyalty to the brand as a whole.

    Examples
    --------
    >>> ces([7, 6, 5, 4, 2, 7])
    66.7% [30.0%, 90.3%] (95% Wilson, n=6)
    """
    if not is_number(version) or isinstance(version, bool) or version not in {1, 2}:
        raise InvalidValue.of("version", "be 1 or 2", version)
    scale = Scale.SEVEN_POINT if version == 2 else EFFORT_1
    low, high = (_EASY, scale.high) if version == 2 else scale.good_end(2)
    return _from_scores(
        scores,
        counts=counts,
        weights=weights,
        customer=customer,
        nan_policy=nan_policy,
        low=low,
        high=high,
        name="ces",
        definition=f"answers {low:g}-{high:g} on {scale} / answers (version {version})",
        parameters={"version": version, "scale": str(scale)},
        scale=scale,
        level=level,
        interval=interval,
    )


EFFORT_1 = Scale(1, 5, higher_is_better=False)


def _from_scores(
    scores: Values,
    *,
    counts: Values | None,
    weights: Values | None,
    customer: Values | None,
    nan_policy: NanPolicy,
    low: float,
    high: float,
    name: str,
    definition: str,
    parameters: Mapping[str, Parameter],
    scale: Scale,
    level: float,
    interval: Interval,
) -> AnswerShare:
    array = numbers(scores, "scores", finite=False)
    table, sizes = tallied(
        array,
        scale,
        counts,
        weights,
        customer,
        count=lambda answers: count_answers(answers, scale),
        add=lambda answers, size: _sums_of_answers(answers, size, scale),
    )
    share = answer_share(
        table,
        low=low,
        high=high,
        name=name,
        definition=definition,
        parameters={**parameters, "weighted": weights is not None},
        scale=scale,
        **sizes,
        level=level,
        interval=interval,
    )
    check_choice(nan_policy, "nan_policy", ("omit", "raise", "propagate"))
    lost = share.n_missing and nan_policy != "omit"
    if lost and is_undefined(np.isnan(array), nan_policy, "scores"):
        return attrs.evolve(_blank(share), mean=_blank(share.mean))
    if customer is None:
        return share
    present = ~np.isnan(array)
    units, answers = owners(customer, present), array[present].astype(np.float64)
    w = weights_of(weights, len(array))[present]
    good = (answers >= low) & (answers <= high)
    return attrs.evolve(
        clustered_share(share, weighted_mean(good, w, units), interval),
        mean=clustered_mean(share.mean, weighted_mean(answers, w, units), (scale.low, scale.high)),
    )


def _sums_of_answers(array: NDArray[Any], size: NDArray[Any], scale: Scale) -> NDArray[Any]:
    """Return what each answer of the scale adds up to."""
    present = ~np.isnan(array)
    offset = (array[present] - scale.low).astype(np.intp)
    sums = np.bincount(offset, weights=size[present], minlength=len(scale.answers))
    return sums.astype(size.dtype)


def _blank(estimate: E) -> E:
    return attrs.evolve(
        estimate,
        value=math.nan,
        low=math.nan,
        high=math.nan,
        numerator=None,
        denominator=None,
        notes=("Missing values were propagated.",),
    )


def count_answers(array: NDArray[Any], scale: Scale) -> NDArray[np.int64]:
    """Return how often each answer of an integer scale occurs; OutOfScale for other answers."""
    answers = scale.answers
    counts = np.zeros(len(answers), dtype=np.int64)
    narrow = array.dtype.kind != "f" and answers[0] >= -128 and answers[-1] <= 127
    for piece, _ in scale.pieces(array):
        # for a dozen answers comparing beats counting bins, and NaN equals none of them
        small = piece.astype(np.int8) if narrow else piece
        counts += [np.count_nonzero(small == answer) for answer in answers]
    return counts


def answer_share(
    counts: NDArray[Any],
    *,
    low: float,
    high: float,
    scale: Scale,
    name: str = "answer_share",
    definition: str = "",
    parameters: Mapping[str, Parameter] | None = None,
    n_missing: int = 0,
    n: int | None = None,
    n_effective: float | None = None,
    level: float = 0.95,
    interval: Interval = "wilson",
) -> AnswerShare:
    """Return the share of answers from `low` to `high`, and the mean, from counts of the answers.

    There is one count (or sum of weights, with `n` and `n_effective`) for each answer of the scale.
    """
    check_number(low, "low")
    check_number(high, "high")
    check_sizes(n, n_effective)
    answers = np.array(check_scale(scale).answers, dtype=np.float64)
    counts = np.asarray(counts)
    if counts.shape != answers.shape or not (counts >= 0).all():
        raise InvalidValue.of("counts", f"be {len(answers)} counts of at least 0", counts.tolist())
    total = counts.sum().item()
    good = counts[(answers >= low) & (answers <= high)].sum().item()
    answered = round(total) if n is None else n
    size = total if n_effective is None else n_effective
    notes = () if n_effective is None else (worth_note(size),)
    share = good / total if total else math.nan
    base = proportion(
        min(size, share * size) if n_effective is not None and total else good,
        size,
        name=name,
        definition=definition,
        parameters=parameters,
        n_missing=n_missing,
        notes=notes,
        level=level,
        interval=interval,
    )
    mean = _mean_of_counts(
        counts, answers, size=size, n=answered, name=f"{name}_mean", scale=scale, level=level
    )
    base = attrs.evolve(base, value=share, n=answered, numerator=good, denominator=total)
    return AnswerShare(
        **fields_of(base),
        mean=attrs.evolve(mean, n_missing=n_missing),
        distribution={
            f"{answer:g}": count.item() for answer, count in zip(answers, counts, strict=True)
        },
        scale=scale,
        counted=(low, high),
    )


def _mean_of_counts(
    counts: NDArray[Any],
    answers: NDArray[np.float64],
    *,
    size: float,
    n: int,
    name: str,
    scale: Scale,
    level: float,
) -> Estimate:
    total = counts.sum().item()
    value = float(counts @ answers) / total if total else math.nan
    spread = float(counts @ (answers - value) ** 2) / total if total else math.nan
    return mean_of_scores(
        Estimate(
            value=value,
            level=level,
            n=n,
            unit="scale points",
            name=name,
            definition="mean answer",
            parameters={"scale": str(scale)},
            numerator=float(counts @ answers),
            denominator=total,
        ),
        spread,
        size,
        (scale.low, scale.high),
    )
