"""Life tables: survival from counts that add up across shards and days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs
import numpy as np

from cxjourney._support.validation import check_duration, duration_us
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._survival.kaplan_meier import kaplan_meier
from cxjourney.metrics._survival.spells import read_spells

if TYPE_CHECKING:
    from datetime import timedelta

    from numpy.typing import NDArray

    from cxjourney._support.arrays import Values
    from cxjourney.metrics._survival.kaplan_meier import SurvivalCurve


class LifeTable:
    """Counts of ended and censored durations on a grid of time, fed in pieces.

    Parameters
    ----------
    step
        Width of the grid. Every duration is rounded up to a whole number of steps.

    Notes
    -----
    `result()` is `kaplan_meier` of the rounded durations, to the last digit, whatever the pieces
    and their order; the data themselves are not kept. Rounding moves a duration by less than a
    step, and makes ties, in which events come first: choose a step that does not matter. Counts
    know no customers, so the interval is Greenwood's: too short where one customer has many rows.

    Examples
    --------
    >>> from datetime import timedelta
    >>> day = timedelta(days=1)
    >>> monday = LifeTable(day).update([1 * day, 3 * day], [True, False])
    >>> tuesday = LifeTable(day).update([2 * day], [True])
    >>> monday.merge(tuesday).result().survival
    array([0.66666667, 0.33333333, 0.33333333])
    """

    __slots__ = ("_counts", "_n_missing", "_rows", "_step_us", "step")

    def __init__(self, step: timedelta | str) -> None:
        self.step = check_duration(step, "step")
        self._step_us = duration_us(self.step)
        # durations in ((k - 1) steps, k steps] have row k; columns: events and censored ends
        self._rows: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._counts: NDArray[np.int64] = np.zeros((0, 2), dtype=np.int64)
        self._n_missing = 0

    def update(self, durations: Values, observed: Values) -> Self:
        """Add durations, given as `kaplan_meier` takes them; returns itself.

        Raises
        ------
        InvalidData
            If a duration is negative.
        InvalidValue
            If the columns differ in length or a value has the wrong type.
        """
        spells = read_spells(durations, observed=observed)
        ended = spells.cause >= 0
        rows = -(-spells.exit_us // self._step_us)
        self._add(rows, np.stack((ended, ~ended), axis=1).astype(np.int64))
        self._n_missing += spells.n_missing
        return self

    def merge(self, other: LifeTable) -> Self:
        """Add what another table of the same step has counted; returns itself.

        Raises
        ------
        InvalidValue
            If the steps differ.
        """
        if not isinstance(other, LifeTable) or other.step != self.step:
            step = other.step if isinstance(other, LifeTable) else other
            raise InvalidValue.of("other", f"be a life table of step {self.step}", step)
        self._add(other._rows, other._counts)
        self._n_missing += other._n_missing
        return self

    def result(
        self, *, horizon: timedelta | str | None = None, level: float = 0.95
    ) -> SurvivalCurve:
        """Return the survival curve of everything counted so far.

        Parameters
        ----------
        horizon
            Up to where the restricted mean is taken; None: the longest duration.
        level
            Confidence level, in (0, 1).
        """
        at, kind = np.nonzero(self._counts)
        curve = kaplan_meier(
            (self._rows[at] * self._step_us).astype("timedelta64[us]"),
            kind == 0,
            counts=self._counts[at, kind],
            horizon=horizon,
            level=level,
        )
        missing = self._n_missing
        return attrs.evolve(
            curve,
            median=attrs.evolve(curve.median, n_missing=missing),
            restricted_mean=attrs.evolve(curve.restricted_mean, n_missing=missing),
            n_missing=missing,
        )

    def _add(self, rows: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        every = np.concatenate((self._rows, rows))
        self._rows, at = np.unique(every, return_inverse=True)
        total = np.zeros((len(self._rows), 2), dtype=np.int64)
        np.add.at(total, at, np.concatenate((self._counts, counts)))
        self._counts = total

    def __repr__(self) -> str:
        events, still = self._counts.sum(axis=0).tolist()
        return f"LifeTable(step={self.step}, events={events:,}, censored={still:,})"
