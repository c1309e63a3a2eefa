"""Counts by cell and customer, with the variance that leaving out one customer gives."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from numpy.typing import NDArray


def student_tail(statistic: Floats, units: Floats) -> Floats:
    """Return the probability above a statistic: Student's t with units - 1 degrees of freedom.

    1 where there is no statistic, or fewer than two effective units.
    """
    from scipy.special import stdtr

    freedom = np.asarray(units, dtype=np.float64) - 1
    with np.errstate(invalid="ignore"):
        tail = stdtr(np.maximum(freedom, 1e-9), -np.asarray(statistic))
    return np.where(np.isfinite(tail) & (freedom >= 1), tail, 1.0)


@attrs.frozen(kw_only=True, eq=False)
class CustomerSums:
    """Trials and events of each customer in each cell, one entry a pair that has a trial."""

    size: int  # number of cells
    cell: Ints  # cell and customer of each entry; entries are sorted by cell, then customer
    customer: Ints
    n: Floats  # trials and events of each entry
    k: Floats

    @classmethod
    def of(
        cls,
        cell: NDArray[np.integer],
        customer: NDArray[np.integer],
        event: Floats,
        size: int,
        trials: Floats | None = None,
    ) -> CustomerSums:
        """Return the sums of trials; those of a negative cell are left out.

        With `trials` a row stands for so many, and `event` for their events.

        Examples
        --------
        >>> sums = CustomerSums.of(
        ...     np.zeros(4, int), np.array([7, 7, 8, 9]), np.array([1.0, 0, 1, 0]), 1)
        >>> sums.n.tolist(), sums.k.tolist(), float(sums.rate[0])
        ([2.0, 1.0, 1.0], [1.0, 1.0, 0.0], 0.5)
        """
        inside = cell >= 0
        if not inside.all():
            cell, customer, event = cell[inside], customer[inside], event[inside]
            trials = None if trials is None else trials[inside]
        people = int(customer.max(initial=0)) + 1
        key, place = np.unique(cell.astype(np.int64) * people + customer, return_inverse=True)
        return cls(
            size=size,
            cell=key // people,
            customer=key % people,
            n=np.bincount(place, trials, minlength=len(key)).astype(np.float64),
            k=np.bincount(place, event, minlength=len(key)).astype(np.float64),
        )

    def total(self, values: Floats) -> Floats:
        """Return the sum of a value of each entry, by cell."""
        return np.bincount(self.cell, values, minlength=self.size).astype(np.float64)

    def merged(self, into: NDArray[np.integer], size: int) -> CustomerSums:
        """Return the sums of unions of cells; a cell that goes into -1 is left out."""
        target = np.asarray(into, dtype=np.int64)[self.cell]
        keep = target >= 0
        people = int(self.customer.max(initial=0)) + 1
        key, place = np.unique(target[keep] * people + self.customer[keep], return_inverse=True)
        return CustomerSums(
            size=size,
            cell=key // people,
            customer=key % people,
            n=np.bincount(place, self.n[keep], minlength=len(key)).astype(np.float64),
            k=np.bincount(place, self.k[keep], minlength=len(key)).astype(np.float64),
        )

    @cached_property
    def trials(self) -> Floats:
        """Trials by cell."""
        return self.total(self.n)

    @cached_property
    def events(self) -> Floats:
        """Events by cell."""
        return self.total(self.k)

    @cached_property
    def customers(self) -> Floats:
        """Customers by cell."""
        return np.bincount(self.cell, minlength=self.size).astype(np.float64)

    @cached_property
    def units(self) -> Floats:
        """G*: customers of equal size that would be as good as these, by cell."""
        return self.trials**2 / np.maximum(self.total(self.n**2), 1.0)

    @cached_property
    def largest_share(self) -> Floats:
        """Share of the trials of a cell that one customer has, the largest."""
        most = np.zeros(self.size)
        np.maximum.at(most, self.cell, self.n)
        return most / np.maximum(self.trials, 1.0)

    @cached_property
    def rate(self) -> Floats:
        """Events per trial, by cell; NaN without trials."""
        return np.where(self.trials > 0, self.events / np.maximum(self.trials, 1.0), np.nan)

    @property
    def factor(self) -> Floats:
        """(C - 1) / C for the C customers of each cell."""
        return (self.customers - 1) / np.maximum(self.customers, 1.0)

    def left_out(self, add_events: float = 0.0, add_trials: float = 0.0) -> Floats:
        """Return the rate of the cell without the customer of each entry."""
        events = self.events[self.cell] - self.k + add_events
        trials = self.trials[self.cell] - self.n + add_trials
        return np.where(trials > 0, events / np.where(trials > 0, trials, 1.0), np.nan)

    @cached_property
    def variance(self) -> Floats:
        """CR3 variance of the rate of each cell: (C - 1)/C Σ (p₋c - p)².

        NaN where one customer has all.

        Examples
        --------
        >>> n, k = np.array([5.0, 2, 1, 12]), np.array([3.0, 1, 0, 2])
        >>> cells = np.zeros(4, dtype=np.int64)
        >>> one = CustomerSums(size=1, cell=cells, customer=np.arange(4), n=n, k=k)
        >>> round(float(one.variance[0]), 9), round(float(one.units[0]), 6)
        (0.038057351, 2.298851)
        """
        return self.factor * self.total((self.left_out() - self.rate[self.cell]) ** 2)

    @property
    def floored(self) -> Floats:
        """The variance, never below q (1 - q) / n with q = (k + 1) / (n + 2)."""
        q = (self.events + 1) / (self.trials + 2)
        floor = q * (1 - q) / np.maximum(self.trials, 1.0)
        return np.where(np.isnan(self.variance), np.nan, np.maximum(self.variance, floor))


def rate_difference(
    one: CustomerSums, other: CustomerSums
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return how much higher the rate of one is, its error, G* and one-sided p-value, by cell.

    G* is that of n₁c/N₁² + n₂c/N₂², each customer's part in the variance of the difference: that of
    `buckets.units_of_difference`, the customers of both sides taken as others.
    """
    n1, n2 = np.maximum(one.trials, 1.0), np.maximum(other.trials, 1.0)
    squares = 1 / (n1**2 * np.maximum(one.units, 1.0)) + 1 / (n2**2 * np.maximum(other.units, 1.0))
    units = (1 / n1 + 1 / n2) ** 2 / squares
    difference, error = one.rate - other.rate, np.sqrt(one.floored + other.floored)
    with np.errstate(invalid="ignore", divide="ignore"):
        return difference, error, units, student_tail(difference / error, units)
