"""Units of variance: groups of customers whose sums add up to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 1 << 19


@attrs.frozen(kw_only=True, eq=False)
class Units:
    """Whose each item is, a journey or a row of a table: one of `n` units.

    `of` is the unit of each item; None where items stand for many customers: then `split`, shape
    (items, n), says how many of each item fall into each unit.
    """

    n: int
    of: Ints | None = None
    split: Ints | None = None

    @classmethod
    def of_buckets(cls, bucket: NDArray[np.integer]) -> Units:
        """Return the units of items whose customers lie in these buckets."""
        return cls(n=N_BUCKETS, of=np.asarray(bucket, dtype=np.int64))

    @classmethod
    def of_customers(cls, customer: NDArray[np.integer]) -> Units:
        """Return every customer as a unit, given the number of the customer of each item."""
        return cls(n=int(customer.max(initial=-1)) + 1, of=np.asarray(customer, dtype=np.int64))

    def take(self, items: Ints) -> Units:
        """Return the units of some items, or of one item several times."""
        return attrs.evolve(
            self,
            of=None if self.of is None else self.of[items],
            split=None if self.split is None else self.split[items],
        )

    def sums(
        self,
        place: NDArray[np.integer],
        size: int,
        *,
        item: NDArray[np.integer] | None = None,
        values: Floats | None = None,
    ) -> Floats:
        """Return what each unit has in each place, shape (units, size), as often as items count.

        Entries of a negative place are left out; each is an item of its own if `item` is None, and
        adds 1 if `values` is.
        """
        if values is None and len(place) > _ROWS >= self.n * size:
            total = np.zeros((self.n, size))  # counts are exact, and small arrays quickly filled
            for begin in range(0, len(place), _ROWS):
                some = slice(begin, begin + _ROWS)
                part = (
                    np.arange(begin, min(begin + _ROWS, len(place))) if item is None else item[some]
                )
                total += self.sums(place[some], size, item=part)
            return total
        inside = place >= 0
        if not inside.all():
            place = place[inside]
            item = np.flatnonzero(inside) if item is None else item[inside]
            values = None if values is None else values[inside]
        if self.split is not None:
            return self._shared_out(place, size, item, values)
        assert self.of is not None  # noqa: S101 - one of both is there
        unit = self.of if item is None else self.of[item]
        at = unit.astype(np.int64, copy=False) * size + place
        counted = np.bincount(at, values, minlength=self.n * size)
        return counted.astype(np.float64, copy=False).reshape(self.n, size)

    def total(self, *, item: Ints | None = None, values: Floats | None = None) -> Floats:
        """Return what each unit has of all entries, shape (units,); of every item where none is."""
        entries = values if item is None else item
        if entries is None:
            entries = self.split if self.of is None else self.of
        assert entries is not None  # noqa: S101 - one of both is there
        place = np.zeros(len(entries), dtype=np.int64)
        return self.sums(place, 1, item=item, values=values)[:, 0]

    def _shared_out(
        self,
        place: NDArray[np.integer],
        size: int,
        item: NDArray[np.integer] | None,
        values: Floats | None,
    ) -> Floats:
        from scipy.sparse import csr_array

        assert self.split is not None  # noqa: S101 - the caller has looked
        items = np.arange(len(place)) if item is None else item
        every = np.ones(len(place)) if values is None else np.asarray(values, dtype=np.float64)
        times = csr_array((every, (place, items)), shape=(size, len(self.split)))
        return np.asarray((times @ self.split.astype(np.float64)).T)
