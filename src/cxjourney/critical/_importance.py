"""Importance of predictors: shares of explained variance, regressions, penalty and reward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.ratios import ratio_figures
from cxjourney._support.array_types import Bools, Floats, Ints

if TYPE_CHECKING:
    from cxjourney._stats.units import Units

_TINY = 1e-10
_FEWEST = 10


def explained(covariance: Floats, with_outcome: Floats, outcome: float) -> float:
    """Return R² of a regression on all predictors, from covariances."""
    if not len(with_outcome) or not outcome > 0:
        return 0.0
    slopes = np.linalg.pinv(covariance, hermitian=True) @ with_outcome
    return float(np.clip(slopes @ with_outcome / outcome, 0.0, 1.0))


def lmg_weights(covariance: Floats, with_outcome: Floats, outcome: float) -> Floats:
    """Return the mean increase of R² over all orders in which predictors can enter.

    Parameters
    ----------
    covariance
        Covariances of the p predictors, shape (p, p).
    with_outcome
        Their covariances with the outcome, shape (p,).
    outcome
        Variance of the outcome.

    Returns
    -------
    ndarray
        p weights, not negative, that sum to R². All 2^p regressions are solved.

    Notes
    -----
    Lindeman, Merenda and Gold (1980): the Shapley value of R². A predictor that the others
    determine (a singular regression) adds nothing to them.
    """
    p = len(with_outcome)
    if not outcome > 0:
        return np.zeros(p)
    fits = _all_fits(covariance, with_outcome) / outcome
    sets = np.arange(1 << p)
    sizes = np.array([int(s).bit_count() for s in range(1 << p)])
    # 1 / (p · C(p-1, size)): how often a set of that size stands before a predictor
    weight = np.array([1.0 / (p * math.comb(p - 1, size)) for size in range(p)])
    out = np.empty(p)
    for i in range(p):
        before = sets[(sets >> i) & 1 == 0]
        out[i] = weight[sizes[before]] @ (fits[before | (1 << i)] - fits[before])
    return np.maximum(out, 0.0)


def _all_fits(covariance: Floats, with_outcome: Floats) -> Floats:
    """Return the explained variance of every set of predictors, set s at place s of the bits.

    One predictor more adds its squared partial covariance over its partial variance: each set is
    one sweep away from the set without its highest bit.
    """
    p = len(with_outcome)
    fits = np.zeros(1 << p)
    table = np.empty((p + 1, p + 1))
    table[:p, :p], table[:p, p], table[p, :p] = covariance, with_outcome, with_outcome
    table[p, p] = 0.0
    scale = np.diag(covariance).copy()
    # residual tables of all sets of the first i predictors, side by side
    tables = table[None]
    for i in range(p):
        pivot = tables[:, i, i]
        usable = pivot > _TINY * max(float(scale[i]), np.finfo(float).tiny)
        inverse = np.divide(1.0, pivot, out=np.zeros_like(pivot), where=usable)
        row = tables[:, i, :]
        swept = tables - inverse[:, None, None] * row[:, :, None] * row[:, None, :]
        tables = np.concatenate([tables, swept])
    fits[:] = -tables[:, p, p]
    return np.maximum(fits, 0.0)


def johnson_weights(covariance: Floats, with_outcome: Floats, outcome: float) -> Floats:
    """Return Johnson's relative weights, which sum to R² and need one decomposition.

    Parameters
    ----------
    covariance, with_outcome, outcome
        As for `lmg_weights`.

    Notes
    -----
    `λ = Λ² β²` with `Λ = R^½` the correlations of the predictors with
    their closest orthogonal counterparts, and β the regression on those (Johnson 2000). Near
    LMG in practice, without its theory (Thomas et al. 2014).
    """
    p = len(with_outcome)
    sd = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    used = np.flatnonzero(sd > 0)
    out = np.zeros(p)
    if not outcome > 0 or not len(used):
        return out
    scale = sd[used]
    r = covariance[np.ix_(used, used)] / np.outer(scale, scale)
    with_y = with_outcome[used] / (scale * np.sqrt(outcome))
    values, vectors = np.linalg.eigh(r)
    kept = values > _TINY * values.max()
    root = np.sqrt(values[kept])
    loadings = (vectors[:, kept] * root) @ vectors[:, kept].T
    slopes = (vectors[:, kept] / root) @ vectors[:, kept].T @ with_y
    out[used] = loadings**2 @ slopes**2
    return out


@attrs.frozen(kw_only=True, eq=False)
class Partial:
    """Covariances of predictors and outcome with the controls taken out."""

    covariance: Floats
    total: float
    controls_r2: float

    def scaled(self) -> tuple[Floats, Floats, float]:
        """Return covariances of the predictors, with the outcome, and of the outcome as a whole."""
        return self.covariance[:-1, :-1], self.covariance[:-1, -1], self.total

    def fit(self) -> tuple[float, Floats, Floats]:
        """Return R², what it loses without each predictor, and the slopes."""
        covariance, with_y, total = self.scaled()
        p = len(with_y)
        r2 = explained(covariance, with_y, total)
        inverse = np.linalg.pinv(covariance, hermitian=True)
        slopes = inverse @ with_y
        if total > 0 and np.linalg.matrix_rank(covariance, hermitian=True) == p:
            return r2, slopes**2 / np.diag(inverse) / total, slopes
        unique = np.zeros(p)  # predictors that determine one another: leave each out in turn
        for i in range(p):
            others = np.delete(np.arange(p), i)
            rest = explained(covariance[np.ix_(others, others)], with_y[others], total)
            unique[i] = max(r2 - rest, 0.0)
        return r2, unique, slopes


@attrs.frozen(kw_only=True, eq=False)
class CrossProducts:
    """Cross-products of rows, as a whole and without each unit: all that regressions need.

    Attributes
    ----------
    whole
        Of controls, predictors and outcome, shape (q, q).
    order
        The rows, unit by unit.
    rows
        What stands in them, in that order, shape (n, q).
    ends
        Where the rows of each unit end.
    n_controls
        How many of the q are controls, the constant first.
    """

    whole: Floats
    order: Ints
    rows: Floats
    ends: Ints
    n_controls: int

    @classmethod
    def of(cls, x: Floats, controls: Floats, y: Floats, units: Units) -> CrossProducts:
        """Return the cross-products of rows that belong to units.

        Parameters
        ----------
        x, controls, y
            Predictors, controls and outcome.
        units
            Whose each row is.
        """
        assert units.of is not None  # noqa: S101 - rows with values stand for one customer each
        order = np.argsort(units.of, kind="stable")
        rows = np.column_stack([controls, x, y])[order]
        return cls(
            order=order,
            whole=rows.T @ rows,
            rows=rows,
            ends=np.cumsum(np.bincount(units.of, minlength=units.n)),
            n_controls=controls.shape[1],
        )

    def partial(self, without: int | None = None) -> Partial:
        """Return the covariances with the controls taken out, leaving out one unit or none."""
        c = self.n_controls
        whole = self.whole
        if without is not None:
            own = self.rows[self.ends[without - 1] if without else 0 : self.ends[without]]
            whole = whole - own.T @ own
        inner = np.linalg.pinv(whole[:c, :c], hermitian=True)
        rest = whole[c:, c:] - whole[c:, :c] @ inner @ whole[:c, c:]
        n = whole[0, 0]
        total = whole[-1, -1] - whole[-1, 0] ** 2 / n
        share = 1 - rest[-1, -1] / total if total > 0 else 0.0
        return Partial(
            covariance=rest / n, total=float(total / n), controls_r2=float(max(share, 0.0))
        )

    def noise_weights(self, noise: Floats, answered: Bools) -> Floats:
        """Return what each column of noise would weigh as one more predictor.

        Parameters
        ----------
        noise
            One column a predictor of noise, shape (rows that have it, columns).
        answered
            Which rows those are.

        Notes
        -----
        The mean of what noise explains alone and of what it adds to all predictors, which is LMG's
        weight where the explained variance grows evenly as predictors enter.
        """
        place = np.empty(len(self.order), dtype=np.int64)
        place[self.order] = np.arange(len(self.order))
        crossed = self.rows[place[answered]].T @ noise
        square = (noise**2).sum(axis=0)
        c, p = self.n_controls, len(self.whole) - 1
        n = self.whole[0, 0]
        total = self.whole[-1, -1] - self.whole[-1, 0] ** 2 / n
        explained = np.zeros(noise.shape[1])
        for held in (c, p):  # the controls, and all predictors with them
            inner = np.linalg.pinv(self.whole[:held, :held], hermitian=True)
            beside = inner @ crossed[:held]
            left = square - (crossed[:held] * beside).sum(axis=0)
            with_y = crossed[-1] - self.whole[-1, :held] @ beside
            explained += np.where(left > _TINY * square, with_y**2 / np.maximum(left, _TINY), 0.0)
        return explained / 2 / total if total > 0 else explained * 0.0


def intraclass(values: Floats, group: Ints) -> float:
    """Return the share of the variance of values that lies between groups, in [0, 1].

    One-way analysis of variance with groups of unequal size; 0 where each value is a group.
    """
    _, group, size = np.unique(group, return_inverse=True, return_counts=True)
    n, k = len(values), len(size)
    if k < 2 or n == k:
        return 0.0
    mean = np.bincount(group, values) / size
    inside = float(((values - mean[group]) ** 2).sum()) / (n - k)
    between = float(size @ (mean - values.mean()) ** 2) / (k - 1)
    usual = (n - float(size @ size) / n) / (k - 1)
    own = max(between - inside, 0.0) / usual
    return own / (own + inside) if own + inside > 0 else 0.0


def asymmetry(x: Floats, y: Floats, units: Units, level: float) -> dict[str, Any]:
    """Return penalty and reward of each predictor with intervals, and what kind it is.

    Parameters
    ----------
    x
        Predictors, shape (rows, p), NaN where there was no answer.
    y
        The outcome.
    units
        Whose each row is.
    level
        Confidence level.
    """
    names = ("penalty", "penalty_low", "penalty_high", "reward", "reward_low", "reward_high")
    columns = {name: np.full(x.shape[1], np.nan) for name in names}
    kinds = []
    for i in range(x.shape[1]):
        known = np.flatnonzero(~np.isnan(x[:, i]))
        means = ratio_figures(
            y[known], None, group=_bands(x[known, i]), n_groups=3, units=units.take(known)
        )
        penalty, reward = _contrast(means, (1, -1, 0)), _contrast(means, (0, -1, 1))
        for name, gap in (("penalty", penalty), ("reward", reward)):
            columns[name][i] = gap.whole
            columns[f"{name}_low"][i], columns[f"{name}_high"][i] = gap.student(level)
        # -penalty - reward = 2 middle - low - high
        lead = _contrast(means, (-1, 2, -1)).student(level)
        matters = columns["penalty_high"][i] < 0 or columns["reward_low"][i] > 0
        kinds.append(_kind(*lead) if matters else "")
    return {**columns, "kind": tuple(kinds)}


def _contrast(means: BucketFigures, weights: tuple[int, int, int]) -> BucketFigures:
    """Return a weighted sum of the means of the three bands, one figure.

    It is NaN where a band that counts has fewer than ten answers: of so few not even the variance
    is known.
    """
    used = np.flatnonzero(weights)
    w = np.array(weights, dtype=np.float64)[used]
    n = means.units[:, used].sum(axis=0)
    enough = n.min() >= _FEWEST
    # each bucket's part in the variance, were answers independent
    units = (means.units[:, used] * (w / np.maximum(n, 1.0)) ** 2).sum(axis=1)
    return BucketFigures(
        whole=np.array(w @ means.whole[used] if enough else np.nan),
        without=means.without[:, used] @ w,
        units=units,
    )


def _bands(values: Floats) -> Ints:
    """Return 0 for the lowest third of the answers, 2 for the highest, 1 between.

    A band has at least a third where answers allow for it; a scale that is turned swaps low and
    high. Where coarse answers leave nothing between, the one that leaves the most even bands is the
    middle, the larger of two that do.
    """
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    first = np.quantile(values, 1 / 3, method="inverted_cdf")
    second = -np.quantile(-values, 1 / 3, method="inverted_cdf")
    ways = [(values <= first, values >= second)]
    if first == second or not np.any((values > first) & (values < second)):
        ways = [(values < mark, values > mark) for mark in dict.fromkeys((second, first))]
    found = [np.where(low, 0, np.where(high, 2, 1)) for low, high in ways]
    sizes = [np.bincount(band, minlength=3).tolist() for band in found]
    return max(zip(sizes, found, strict=True), key=lambda way: (sorted(way[0]), way[0][1]))[1]


def _kind(low: Floats, high: Floats) -> str:
    """Return the kind, given the interval of how far the penalty outweighs the reward."""
    if np.isnan(low) or np.isnan(high):
        return ""
    if low > 0:
        return "must-be"
    return "attractive" if high < 0 else "linear"
