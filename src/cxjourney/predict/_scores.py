"""Scores of predictions: losses a row, and their figures over buckets of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS, BucketFigures
from cxjourney._stats.ratios import ratio_figures
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.predict._contexts import summed

if TYPE_CHECKING:
    from collections.abc import Mapping


_FLOOR = 1e-15
_CLASSES = 2_000


@attrs.frozen(kw_only=True, eq=False)
class Asked:
    """Visits that are asked for, with the weight of each and whose it is.

    A weight is 0 where the answer is not known yet; it is handed on to those with one.
    """

    weight: Floats
    journey: Ints
    units: Units

    def figures(self, values: Floats, group: Ints | None = None, n: int = 1) -> BucketFigures:
        """Return the mean of values by group."""
        place = np.zeros(len(values), dtype=np.int64) if group is None else group
        return ratio_figures(
            np.where(self.weight > 0, values, 0.0) * self.weight,
            self.weight,
            group=place,
            n_groups=n,
            units=self.units,
            item=self.journey,
        )

    @property
    def bucket(self) -> Ints:
        """Bucket of the customer of each visit."""
        assert self.units.of is not None  # noqa: S101 - the caller has looked
        return self.units.of[self.journey]


def touch_losses(p: Floats, symbol: Ints) -> dict[str, Floats]:
    """Return the losses of probabilities, shape (rows, symbols); a negative symbol has none."""
    there = symbol >= 0
    chance = np.where(there, p[np.arange(len(p)), np.maximum(symbol, 0)], 0.0)
    above = p > chance[:, None]
    earlier = np.arange(p.shape[1]) < symbol[:, None]
    same = (p == chance[:, None]) & earlier  # of equals the first counts
    place = np.where(there, (above | same).sum(axis=1), p.shape[1])
    return {
        "log loss": -np.log(np.maximum(chance, _FLOOR)),
        "Brier score": (p * p).sum(axis=1) - 2 * chance + 1,
        "hit@1": (place < 1).astype(np.float64),
        "hit@3": (place < 3).astype(np.float64),
    }


def outcome_losses(p: Floats, y: Floats) -> dict[str, Floats]:
    """Return the losses of probabilities of an outcome."""
    inside = np.clip(p, _FLOOR, 1 - 1e-12)
    return {
        "log loss": -(y * np.log(inside) + (1 - y) * np.log1p(-inside)),
        "Brier score": (p - y) ** 2,
    }


def auc_figures(p: Floats, y: Floats, asked: Asked) -> BucketFigures:
    """Return the area under the curve: how often who converts was given more than who does not."""
    edges = np.unique(np.quantile(p, np.arange(1, _CLASSES) / _CLASSES)) if len(p) else np.zeros(0)
    place, size = np.searchsorted(edges, p, side="right"), len(edges) + 1
    won, lost = (
        summed(asked.bucket * size + place, asked.weight * one, N_BUCKETS * size).reshape(
            N_BUCKETS, size
        )
        for one in (y, 1 - y)
    )
    whole = _auc(won.sum(axis=0, keepdims=True), lost.sum(axis=0, keepdims=True))[0]
    without = _auc(won.sum(axis=0) - won, lost.sum(axis=0) - lost)
    return BucketFigures(whole=whole, without=without, units=(won + lost).sum(axis=1))


def _auc(won: Floats, lost: Floats) -> Floats:
    below = lost.cumsum(axis=1) - lost / 2
    pairs = won.sum(axis=1) * lost.sum(axis=1)
    area: Floats = (won * below).sum(axis=1) / np.where(pairs > 0, pairs, np.nan)
    return area


def rows_of(
    question: str,
    losses: Mapping[str, Mapping[str, Floats | BucketFigures]],
    asked: Asked,
    level: float,
) -> list[dict[str, object]]:
    """Return the rows of a table of scores, given those of each model, the predictor first."""
    first, *_ = losses
    found = []
    n = int(np.count_nonzero(asked.weight > 0))
    for measure in losses[first]:
        own = losses[first][measure]
        for model, of in losses.items():
            given = of[measure]
            figure = given if isinstance(given, BucketFigures) else asked.figures(given)
            low, high = (np.ravel(end)[0] for end in figure.student(level))
            row = {
                "question": question, "measure": measure, "model": model,
                "value": float(np.ravel(figure.whole)[0]), "low": low, "high": high, "n": n,
                "difference": np.nan, "difference_low": np.nan, "difference_high": np.nan,
            }  # fmt: skip
            if model != first:
                gap = _gap(own, given, asked)
                ends = [np.ravel(end)[0] for end in gap.student(level)]
                row |= {
                    "difference": float(np.ravel(gap.whole)[0]),
                    "difference_low": ends[0],
                    "difference_high": ends[1],
                }
            found.append(row)
    return found


def _gap(own: Floats | BucketFigures, other: Floats | BucketFigures, asked: Asked) -> BucketFigures:
    if isinstance(own, BucketFigures) and isinstance(other, BucketFigures):
        return BucketFigures(
            whole=own.whole - other.whole, without=own.without - other.without, units=own.units
        )
    assert isinstance(own, np.ndarray)  # noqa: S101 - the caller has looked
    assert isinstance(other, np.ndarray)  # noqa: S101 - the caller has looked
    return asked.figures(own - other)


def known_weights(mass: Floats, known: Bools) -> Floats:
    """Return masses as weights: their sum is the number of visits, 0 where nothing is known."""
    kept = np.where(known, mass, 0.0)
    total = kept.sum()
    return np.asarray(kept * (len(mass) / total if total > 0 else 0.0), dtype=np.float64)
