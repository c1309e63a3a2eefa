"""The columns of a log: coded names and numbers, sorted by customer and time, read-only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.frozen import array_eq, read_only, seal
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.validation import check_name
from cxjourney.exceptions import UnknownName
from cxjourney.kernels import gather

Rows: TypeAlias = NDArray[np.integer] | NDArray[np.bool_]
"""Which rows: their numbers, or whether each."""

_BLOCK = 1 << 16


@attrs.frozen(eq=False)
class Coded:
    """A column of names as integers into a vocabulary.

    Two are equal if they hold the same values row by row, in whatever order their names stand.

    Attributes
    ----------
    codes
        Position in `names`, one a row; -1 where missing.
    names
        The distinct values, each once.
    """

    codes: NDArray[Any] = attrs.field(converter=read_only)
    names: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Coded):
            return NotImplemented
        if len(self) != len(other):
            return False
        # 1, True and 1.0 are equal to Python, but they are three values
        place = {(type(name), name): code for code, name in enumerate(self.names)}
        renumber = [place.get((type(name), name), -2) for name in other.names]
        return np.array_equal(self.codes, np.array([*renumber, -1])[other.codes])

    __hash__ = None  # type: ignore[assignment]  # equality is by value, and values are arrays

    def take(self, rows: Rows) -> Self:
        """Return the column of these rows; the vocabulary stays."""
        return attrs.evolve(self, codes=seal(gather(self.codes, rows)))

    def compacted(self) -> Self:
        """Return the column with only the names in use, in their old order."""
        used = np.zeros(len(self.names) + 1, dtype=np.bool_)
        for begin in range(0, len(self), _BLOCK):
            used[self.codes[begin : begin + _BLOCK]] = True  # -1 marks the spare last place
            if used[:-1].all():  # mostly soon
                return self
        used = used[:-1]
        if used.all():
            return self
        renumber = np.append(np.cumsum(used) - 1, -1)
        names = tuple(n for n, u in zip(self.names, used, strict=True) if u)
        return attrs.evolve(self, codes=seal(renumber[self.codes]), names=names)

    def first_known(self, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of the first known value of each group of rows; past the end where none.

        Rows of group i are [offsets[i], offsets[i + 1]).
        """
        known = np.flatnonzero(self.codes >= 0)
        group = np.searchsorted(offsets, known, side="right") - 1
        row = np.full(len(offsets) - 1, len(self), dtype=np.int64)
        row[group[::-1]] = known[::-1]  # the earliest is written last
        return row

    def first_of_groups(self, offsets: NDArray[np.int64]) -> Self:
        """Return the first known value of each group of rows; missing where none is."""
        codes = np.append(self.codes, -1).astype(np.int64)
        return attrs.evolve(self, codes=codes[self.first_known(offsets)])

    def values(self) -> list[Any]:
        """Return one value a row; None where missing."""
        names = (*self.names, None)
        return [names[code] for code in self.codes.tolist()]


def _frozen_mapping(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    return FrozenMapping(mapping)


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return a.keys() == b.keys() and all(
        np.array_equal(a[name], b[name], equal_nan=True) for name in a
    )


@attrs.frozen(kw_only=True)
class Columns:
    """All rows of a log, sorted by customer, then time, then `seq`, then input order.

    Attributes
    ----------
    offsets
        Rows of customer i are [offsets[i], offsets[i + 1]); every customer has a row.
    time
        Microseconds since the epoch, UTC; None for aggregated paths.
    seq
        Explicit order among equal times; None where there is none.
    coded
        Columns of names: "touchpoint" always; "channel", "stage", "owner", "journey", "issue" and
        "emotion_label" where the data has them.
    numeric
        Columns of float64, NaN where missing: "score", "emotion", "arousal", "expectation",
        "value", "duration_us".
    attributes
        Further columns by the user's names, coded.
    """

    offsets: NDArray[np.int64] = attrs.field(converter=read_only, eq=array_eq)
    time: NDArray[np.int64] | None = attrs.field(eq=array_eq)
    seq: NDArray[np.int64] | None = attrs.field(default=None, eq=array_eq)
    coded: Mapping[str, Coded] = attrs.field(converter=_frozen_mapping)
    numeric: Mapping[str, Any] = attrs.field(
        factory=dict, converter=_frozen_mapping, eq=attrs.cmp_using(eq=_same)
    )
    attributes: Mapping[str, Coded] = attrs.field(factory=dict, converter=_frozen_mapping)

    def __len__(self) -> int:
        return len(self.coded["touchpoint"])

    @property
    def n_customers(self) -> int:
        """Number of customers."""
        return len(self.offsets) - 1

    @property
    def customer(self) -> NDArray[np.int64]:
        """Customer number of each row."""
        return np.repeat(np.arange(self.n_customers), np.diff(self.offsets))

    def attribute(self, name: str, of_customers: Mapping[str, Coded]) -> Coded:
        """Return an attribute of interactions, or of customers, one value a row."""
        check_name(name, "attribute")
        if name in self.attributes:
            return self.attributes[name]
        if name in of_customers:
            coded = of_customers[name]
            return Coded(coded.codes[self.customer], coded.names)
        if name in self.coded:
            return self.coded[name]
        known = (*self.attributes, *of_customers, *self.coded)
        raise UnknownName.among("attribute", name, known, where="the log")

    def take(self, rows: Rows, offsets: NDArray[np.int64]) -> Self:
        """Return these rows, which `offsets` cuts into customers."""
        return attrs.evolve(
            self,
            offsets=offsets,
            time=None if self.time is None else seal(gather(self.time, rows)),
            seq=None if self.seq is None else seal(gather(self.seq, rows)),
            coded={name: column.take(rows) for name, column in self.coded.items()},
            numeric={name: seal(gather(values, rows)) for name, values in self.numeric.items()},
            attributes={name: column.take(rows) for name, column in self.attributes.items()},
        )
