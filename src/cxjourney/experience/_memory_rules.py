"""Rules of memory: which summary of the moments of journeys predicts their overall rating best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney import metrics
from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.significance import false_discovery
from cxjourney._support.table import Table

if TYPE_CHECKING:
    from cxjourney._stats.units import Units
    from cxjourney._support.array_types import Floats, Ints

RULES = ("mean", "peak-end", "worst", "last")
DRAWS = 1_000
_NOTHING = 1e-9  # below it a difference of two R² is rounding


@attrs.frozen(kw_only=True, eq=False)
class RuleFits:
    """How well each rule predicts the overall rating, and the best one, if there is one."""

    table: Table
    best: str | None
    n: int


def rule_fits(
    moments: Floats,
    item: Ints,
    overall: Floats,
    units: Units,
    *,
    neutral: float,
    rng: np.random.Generator,
    level: float,
) -> RuleFits:
    """Return the cross-validated R² of each rule, and its difference to that of the mean.

    Parameters
    ----------
    moments, item
        Value of each moment in order of time, and the journey that it belongs to, 0 … n - 1, each
        of which has one; ascending.
    overall, units
        Overall rating and bucket of each journey.

    Notes
    -----
    Ratings of each bucket of customers are predicted by least squares on all others. The R² is one
    minus the squared errors over those of the mean rating of the others; it is computed again
    without each bucket. The share of wins is that of resampled buckets in which a rule has the
    smallest squared error, ties shared out.
    """
    n = len(overall)
    summaries = _summaries(moments, item, n, neutral)
    assert units.of is not None  # noqa: S101 - journeys with times have customers
    sums = _sums(summaries, overall, units.of, units.n)
    press, total = _errors(sums)
    r2 = BucketFigures(
        whole=_r2(press.sum(axis=0), total.sum(axis=0)),
        without=_without(sums),
        units=sums[:, 0],
    )
    apart = BucketFigures(
        whole=_cleared(r2.whole - r2.whole[0]),
        without=_cleared(r2.without - r2.without[:, :1]),
        units=r2.units,
    )
    low, high = r2.student(level)
    d_low, d_high = apart.student(level)
    rows = np.arange(len(RULES))
    known = (rows > 0) & (apart.variance > 0)
    p = np.where(known, apart.p_value(), np.nan)
    q = false_discovery(p, dependent=True)  # all are compared with the mean
    better = known & (apart.whole > 0) & (q <= 1 - level)
    best = RULES[int(np.argmax(np.where(better, r2.whole, -np.inf)))] if better.any() else None
    table = Table({
        "rule": RULES,
        "r2": r2.whole,
        "low": low,
        "high": high,
        "difference": np.where(rows > 0, apart.whole, np.nan),
        "difference_low": np.where(known, d_low, np.nan),
        "difference_high": np.where(known, d_high, np.nan),
        "p_value": p,
        "q_value": q,
        "wins": _wins(press, sums[:, 0, 0], rng),
    }, formats={"wins": "percent"})  # fmt: skip
    return RuleFits(table=table, best=best, n=n)


def _summaries(moments: Floats, item: Ints, n: int, neutral: float) -> Floats:
    """Return what each rule makes of the moments of each journey, shape (rules, journeys)."""
    if not n:
        return np.zeros((len(RULES), 0))
    first = np.searchsorted(item, np.arange(n))
    last = np.append(first[1:], len(item)) - 1
    size = np.bincount(item, minlength=n)
    return np.array([
        np.bincount(item, moments, minlength=n) / size,
        metrics.peak_end_rule(moments, journey=item, neutral=neutral).scores,
        np.minimum.reduceat(moments, first),
        moments[last],
    ])  # fmt: skip


def _sums(summaries: Floats, overall: Floats, bucket: Ints, n_buckets: int) -> Floats:
    """Return n, Σx, Σy, Σxx, Σxy and Σyy by bucket and rule, shape (buckets, 6, rules)."""
    if not len(overall):
        return np.zeros((n_buckets, 6, len(RULES)))
    x = summaries - summaries.mean(axis=1, keepdims=True)
    y = np.broadcast_to(overall - overall.mean(), x.shape)
    parts = (np.ones(x.shape), x, y, x * x, x * y, y * y)
    sums: Floats = np.array(
        [[np.bincount(bucket, row, minlength=n_buckets) for row in part] for part in parts],
        dtype=np.float64,
    ).transpose(2, 0, 1)
    return sums


def _predicted(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Return the squared errors of lines fitted on `train` in `test`, and those of the mean."""
    n, x, y, xx, xy, _ = np.moveaxis(train, -2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = n * xx - x * x
        varies = spread > 1e-12 * np.maximum(n * xx, 1e-300)
        slope = np.where(varies, (n * xy - x * y) / np.where(varies, spread, 1.0), 0.0)
        level = (y - slope * x) / n
        mean = y / n
    m, u, v, uu, uv, vv = np.moveaxis(test, -2, 0)
    errors = vv - 2 * level * v - 2 * slope * uv + m * level**2
    errors = errors + 2 * level * slope * u + slope**2 * uu
    return errors, vv - 2 * mean * v + m * mean**2


def _errors(sums: Floats) -> tuple[Floats, Floats]:
    """Return the squared errors in each bucket of what the others say, shape (buckets, rules)."""
    return _predicted(sums.sum(axis=0) - sums, sums)


def _without(sums: Floats) -> Floats:
    """Return the R² without each bucket, shape (buckets, rules)."""
    g = len(sums)
    train = sums.sum(axis=0) - sums[:, None] - sums[None, :]
    errors, total = _predicted(train, np.broadcast_to(sums[None, :], train.shape))
    others = ~np.eye(g, dtype=np.bool_)[:, :, None]
    there = others & (sums[None, :, 0] > 0)
    return _r2(np.where(there, errors, 0.0).sum(axis=1), np.where(there, total, 0.0).sum(axis=1))


def _r2(errors: Floats, total: Floats) -> Floats:
    errors, total = np.broadcast_arrays(errors, total)
    out = np.full(errors.shape, np.nan)
    np.divide(errors, total, out=out, where=total > 0)
    return 1 - out


def _cleared(difference: Floats) -> Floats:
    return np.where(np.abs(difference) < _NOTHING, 0.0, difference)


def _wins(press: Floats, n: Floats, rng: np.random.Generator) -> Floats:
    """Return the share of resampled buckets in which each rule has the smallest error."""
    there = n > 0
    press = press[there]
    if len(press) < 2 or not np.isfinite(press).all():
        return np.full(len(RULES), np.nan)
    times = rng.multinomial(len(press), np.full(len(press), 1 / len(press)), size=DRAWS)
    errors = times @ press
    least = errors.min(axis=1, keepdims=True)
    first = errors <= least + _NOTHING * np.maximum(np.abs(least), _NOTHING)
    wins: Floats = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return wins
