"""Expectations, experiences, and their peak and end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeVar

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate, Parameter, fields_of
from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    codes,
    flags,
    is_undefined,
    numbers,
    refuse_rows,
    same_length,
)
from cxjourney._support.validation import check_choice, is_number
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._rates import clustered_share, owners, proportion, undefined
from cxjourney.metrics._surveys.means import clustered_mean, mean_of_scores, weighted_mean
from cxjourney.metrics._surveys.scale import check_scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cxjourney._stats.units import Units
    from cxjourney.metrics._surveys.scale import Scale

T = TypeVar("T", bound=np.generic)

_PEAK_END = "mean over journeys of (peak + end) / 2"


@attrs.frozen(kw_only=True, repr=False)
class ExpectationGap(Estimate):
    """The mean of experience minus expectation [scale points], and how the pairs split.

    Attributes
    ----------
    exceeded, met, missed
        Shares of pairs whose experience lies above, at and below what was expected [fraction].
    effect_size
        Mean gap over the standard deviation of the gaps (d_z); NaN where they do not vary.
    p_value
        Two-sided, of Wilcoxon's signed-rank test with Pratt's treatment of the pairs that agree
        (normal approximation); NaN where all pairs agree or there are fewer than two.
    """

    exceeded: Estimate
    met: Estimate
    missed: Estimate
    effect_size: float
    p_value: float


def expectation_gap(
    experience: Values,
    expectation: Values,
    *,
    scale: Scale | None = None,
    asked: Literal["before", "after"] | None = None,
    customer: Values | None = None,
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> ExpectationGap:
    """Return by how much experience exceeds expectation, pair by pair.

    Parameters
    ----------
    experience, expectation, scale
        Scores of the same question on one scale, position by position, and the scale if answers off
        it are to be refused.
    asked
        When the expectation was asked: after the experience it is coloured by it, as the card says.
    customer
        Whose pair it is; with it the intervals allow for several pairs of one customer, and the
        test is one of the mean gaps of customers.
    level, nan_policy
        Confidence level, in (0, 1); pairs that miss a half: "omit", "raise" or "propagate".

    Returns
    -------
    ExpectationGap
        The mean gap with its paired interval; beside it the shares `exceeded`, `met` and `missed`,
        the `effect_size` and the `p_value` of the signed-rank test.

    Raises
    ------
    OutOfScale
        If an answer is off the scale; carries the positions.
    InvalidValue
        If lengths differ or an option is unknown.

    Notes
    -----
    G = P - E (Oliver 1980; Parasuraman et al. 1988). Ties matter: read all three shares. Difference
    scores are less reliable than their halves; for models of satisfaction use both scores instead
    (Edwards 2001).

    Examples
    --------
    >>> gap = expectation_gap([4, 3, 5, 2, 4], [3, 3, 4, 4, 3])
    >>> gap.value, gap.exceeded.value, gap.met.value, gap.missed.value
    (0.2, 0.6, 0.2, 0.2)
    """
    if asked is not None:
        check_choice(asked, "asked", ("before", "after"))
    lived = numbers(experience, "experience").astype(np.float64)
    hoped = numbers(expectation, "expectation").astype(np.float64)
    same_length(experience=lived, expectation=hoped)
    if scale is not None:
        check_scale(scale).check(lived, "experience")
        scale.check(hoped, "expectation")
    missing = np.isnan(lived) | np.isnan(hoped)
    lost = is_undefined(missing, nan_policy, "experience or expectation")
    gaps = (lived - hoped)[~missing] if not lost else np.empty(0)
    n, n_missing = len(gaps), int(missing.sum())
    mean = float(gaps.mean()) if n else math.nan
    sd = float(gaps.std(ddof=1)) if n > 1 else math.nan
    bounds = None if scale is None else (scale.low - scale.high, scale.high - scale.low)
    units = None if customer is None or lost else owners(customer, ~missing)
    notes = []
    if lost:
        notes.append("Missing values were propagated.")
    if asked == "after":
        notes.append("The expectation was asked after the experience, which colours it.")
    if scale is not None and n and np.mean(hoped[~missing] == scale.high) > 0.5:
        notes.append("Most expectations are at the top of the scale: nothing can exceed them.")
    exceeded, met, missed = (
        _gap_share(hit, units, name=name, relation=relation, n_missing=n_missing, level=level)
        for name, relation, hit in (
            ("exceeded", "above", gaps > 0),
            ("met", "at", gaps == 0),
            ("missed", "below", gaps < 0),
        )
    )
    estimate = mean_of_scores(
        Estimate(
            value=mean,
            level=level,
            n=n,
            n_missing=n_missing,
            unit="scale points",
            notes=notes,
            name="expectation_gap",
            definition="mean of experience - expectation over pairs",
            parameters={"scale": None if scale is None else str(scale), "asked": asked},
            numerator=float(gaps.sum()) if n else None,
            denominator=n or None,
        ),
        float(gaps.var()) if n else math.nan,
        n,
        bounds,
    )
    if units is not None:
        own = weighted_mean(gaps, np.ones(n), units)
        estimate = clustered_mean(estimate, own, bounds)
        gaps = units.total(values=gaps) / units.total()
    return ExpectationGap(
        **fields_of(attrs.evolve(estimate, method=f"paired {estimate.method}")),
        effect_size=mean / sd if n > 1 and sd > 0 else math.nan,
        p_value=_signed_rank(gaps),
        exceeded=exceeded,
        met=met,
        missed=missed,
    )


def _gap_share(
    hit: NDArray[np.bool_],
    units: Units | None,
    *,
    name: str,
    relation: str,
    n_missing: int,
    level: float,
) -> Estimate:
    share = proportion(
        int(np.count_nonzero(hit)),
        len(hit),
        name=f"expectation_{name}",
        definition=f"pairs with experience {relation} expectation / pairs",
        n_missing=n_missing,
        level=level,
    )
    if units is None:
        return share
    return clustered_share(share, weighted_mean(hit, np.ones(len(hit)), units), "wilson")


def _signed_rank(gaps: NDArray[np.float64]) -> float:
    if len(gaps) < 2 or not gaps.any():
        return math.nan
    from scipy.stats import wilcoxon

    # ties, the rule on a scale, have no exact table: the normal approximation serves all sizes
    return float(wilcoxon(gaps, zero_method="pratt", method="approx").pvalue)


@attrs.frozen(kw_only=True, repr=False)
class PeakEnd(Estimate):
    """The mean peak-end score of journeys [valence], beside their plain mean.

    Attributes
    ----------
    mean
        Mean over journeys of their mean valence: what peak-end is to be compared with.
    scores
        Peak-end score of each journey, in the order in which journeys first appear; NaN where it
        has no end or no valence.
    """

    mean: Estimate
    scores: tuple[float, ...]


def peak_end_rule(
    valence: Values,
    *,
    journey: Values | None = None,
    in_progress: Values | None = None,
    neutral: float = 0.0,
    tie: Literal["negative", "positive", "latest", "mean"] = "negative",
    customer: Values | None = None,
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> PeakEnd:
    """Return the mean of the most intense and the last moment, over journeys.

    Parameters
    ----------
    valence, journey
        Valence of each visit in order of time [-1 to 1, or any score around `neutral`], and its
        journey; None means that all are of one.
    in_progress
        One flag a visit, the same for all of a journey: a journey still running has no end, and is
        counted in `n_censored`.
    neutral
        The value that neither pleases nor hurts.
    tie
        Which moment is the peak where two are equally intense: the negative one, the positive one,
        the latest, or the mean of all that tie.
    customer
        Whose visit it is, the same for all of a journey; with it the intervals allow for several
        journeys of one customer.
    level, nan_policy
        Confidence level, in (0, 1); visits without valence: "omit", "raise" or "propagate".

    Returns
    -------
    PeakEnd
        The mean over journeys; beside it the plain `mean` and the `scores` of the journeys.

    Raises
    ------
    InvalidValue
        If lengths differ or an option is unknown.
    InvalidData
        If a journey is partly in progress or of two customers, a flag or a journey is missing.

    Notes
    -----
    (v_peak + v_end) / 2 with v_peak the value furthest from neutral (Kahneman et al. 1993), v_end
    the last one known. It is not clearly better than the mean: a meta-analysis of 174 effects finds
    r = .58 for peak-end, comparable to the overall average (Alaybek et al. 2022).

    Examples
    --------
    >>> remembered = peak_end_rule([0.2, -0.7, 0.1, 0.5])
    >>> round(remembered.value, 3), round(remembered.mean.value, 3)
    (-0.1, 0.025)
    """
    check_choice(tie, "tie", ("negative", "positive", "latest", "mean"))
    if not is_number(neutral) or not math.isfinite(neutral):
        raise InvalidValue.of("neutral", "be finite", neutral)
    v = numbers(valence, "valence").astype(np.float64)
    owner, n_journeys, unknown = (
        (np.zeros(len(v), dtype=np.int64), min(1, len(v)), np.zeros(len(v), dtype=bool))
        if journey is None
        else codes(journey, "journey")
    )
    same_length(valence=v, journey=owner)
    is_undefined(unknown, "raise", "journey")
    owner = _by_appearance(owner, n_journeys)
    running, whose = np.zeros(n_journeys, dtype=bool), None
    if in_progress is not None:
        flagged, unknown = flags(in_progress, "in_progress")
        running = _of_journeys(flagged, unknown, "in_progress", owner, n_journeys)
    if customer is not None:
        who, _, unknown = codes(customer, "customer")
        whose = _of_journeys(who, unknown, "customer", owner, n_journeys)
    missing = np.isnan(v)
    n_missing = int(missing.sum())
    if is_undefined(missing, nan_policy, "valence"):
        nothing = undefined(
            name="peak_end_rule",
            definition=_PEAK_END,
            n_missing=n_missing,
            unit="valence",
            level=level,
        )
        return PeakEnd(**fields_of(nothing), mean=nothing, scores=())
    scores, means = _peak_end_scores(v[~missing], owner[~missing], n_journeys, neutral, tie)
    scores[running] = np.nan
    kept = ~np.isnan(scores)
    main, mean = (
        _mean_estimate(
            values[kept],
            name=name,
            definition=definition,
            level=level,
            n_missing=n_missing,
            n_censored=int(running.sum()),
            exclusions={"journeys without valence": int((~kept & ~running).sum())},
            parameters={"neutral": neutral, "tie": tie},
            customer=None if whose is None else whose[kept],
        )
        for name, definition, values in (
            ("peak_end_rule", _PEAK_END, scores),
            ("mean_valence", "mean over journeys of their mean valence", means),
        )
    )
    return PeakEnd(**fields_of(main), mean=mean, scores=tuple(scores.tolist()))


def _by_appearance(owner: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    _, first = np.unique(owner, return_index=True)
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(n)
    return rank[owner]


def _of_journeys(
    values: NDArray[T],
    missing: NDArray[np.bool_],
    name: str,
    owner: NDArray[np.int64],
    n_journeys: int,
) -> NDArray[T]:
    """Return the value that all visits of each journey have."""
    same_length(valence=owner, **{name: values})
    is_undefined(missing, "raise", name)
    out = np.zeros(n_journeys, dtype=values.dtype)
    np.maximum.at(out, owner, values)
    refuse_rows(out[owner] != values, f"{name} must be the same for all visits of a journey")
    return out


def _peak_end_scores(
    v: NDArray[np.float64],
    owner: NDArray[np.int64],
    n_journeys: int,
    neutral: float,
    tie: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the peak-end score and the mean of each journey; NaN where it has no valence."""
    scores, means = np.full(n_journeys, np.nan), np.full(n_journeys, np.nan)
    if not len(v):
        return scores, means
    order = np.argsort(owner, kind="stable")
    v, owner = v[order], owner[order]
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    sizes = np.diff(np.r_[starts, len(v)])
    present = owner[starts]
    intensity = np.abs(v - neutral)
    strongest = np.repeat(np.maximum.reduceat(intensity, starts), sizes)
    peaks = intensity >= strongest - 1e-12 * np.maximum(1.0, strongest)  # 0.8 and -0.8 are equal
    if tie == "negative":
        peak = np.minimum.reduceat(np.where(peaks, v, np.inf), starts)
    elif tie == "positive":
        peak = np.maximum.reduceat(np.where(peaks, v, -np.inf), starts)
    elif tie == "latest":
        peak = v[np.maximum.reduceat(np.where(peaks, np.arange(len(v)), -1), starts)]
    else:
        peak = np.add.reduceat(np.where(peaks, v, 0.0), starts) / np.add.reduceat(
            peaks.astype(np.float64), starts
        )
    scores[present] = (peak + v[starts + sizes - 1]) / 2
    means[present] = np.add.reduceat(v, starts) / sizes
    return scores, means


def _mean_estimate(
    values: NDArray[np.float64],
    *,
    name: str,
    definition: str,
    level: float,
    n_missing: int,
    n_censored: int,
    exclusions: Mapping[str, int],
    parameters: Mapping[str, Parameter],
    customer: NDArray[np.int64] | None,
) -> Estimate:
    n = len(values)
    estimate = Estimate(
        value=float(values.mean()) if n else math.nan,
        level=level,
        n=n,
        n_missing=n_missing,
        n_censored=n_censored,
        unit="valence",
        name=name,
        definition=definition,
        parameters=parameters,
        numerator=float(values.sum()) if n else None,
        denominator=n or None,
        exclusions=exclusions,
    )
    estimate = mean_of_scores(estimate, float(values.var()) if n else math.nan, n, None)
    estimate = attrs.evolve(estimate, method="Student's t over journeys")
    if customer is None:
        return estimate
    units = owners(customer, np.ones(n, dtype=bool))
    return clustered_mean(estimate, weighted_mean(values, np.ones(n), units), None)
