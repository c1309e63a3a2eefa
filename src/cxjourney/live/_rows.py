"""The interactions of journeys that are not settled: columns that grow, a chain a customer."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney.kernels import id_table, order_rows
from cxjourney.log import NO_SEQ, Coded, Columns, InteractionLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Ints

_LEAST = 1_024
_GROWTH = 1.5
NUMBERS = {"customer": "i4", "time": "i8", "seq": "i8", "before": "i4"}
"""Columns that there always are: `before` is the row of the same customer that came before."""


class OpenRows:
    """Interactions in the order in which they came, or sorted, and where those of a customer are.

    Attributes
    ----------
    n
        How many there are.
    columns
        Arrays, of which the first `n` values count: those of `NUMBERS`, codes of names, and the
        value where there is one.
    names
        By column, the code of each name.
    ids
        The code of each customer, and the id of each code.
    last
        By customer, the row that came last; -1 where there is none.
    """

    def __init__(self, named: Sequence[str], *, valued: bool) -> None:
        self.n = 0
        kinds = NUMBERS | dict.fromkeys(named, "i4") | ({"value": "f8"} if valued else {})
        self.columns: dict[str, NDArray[Any]] = {n: np.zeros(0, k) for n, k in kinds.items()}
        self.names: dict[str, dict[str, int]] = {name: {} for name in named}
        self._named: dict[str, list[str | None]] = {name: [None] for name in named}
        self.ids = id_table()
        self.last = np.full(_LEAST, -1, dtype=np.int32)

    @property
    def named(self) -> dict[str, list[str | None]]:
        """Names by code, of each column, and None behind them for -1."""
        for name, known in self.names.items():
            if len(self._named[name]) <= len(known):
                self._named[name] = [*known, None]
        return self._named

    def append(self, customer: str, fields: dict[str, Any]) -> None:
        """Add one interaction: time, seq, names and a value."""
        code, row, columns = self.ids.code(customer, add=True), self.n, self.columns
        if row == len(columns["time"]):
            self._grown(1)
        if self.ids.size > len(self.last):
            self._room()
        for name, value in fields.items():
            known = self.names.get(name)
            if known is not None:
                value = -1 if value is None else known.setdefault(value, len(known))
            columns[name][row] = value
        columns["customer"][row] = code
        columns["before"][row] = self.last[code]
        self.last[code] = row
        self.n = row + 1

    def extend(self, customers: Sequence[str], counts: Ints, fields: dict[str, Any]) -> None:
        """Add interactions that are sorted by customer, given how many each has, if any."""
        if not (some := counts > 0).all():
            customers, counts = [*compress(customers, some.tolist())], counts[some]
        of = self.ids.codes(customers)
        begin, more = self.n, int(counts.sum())
        if begin + more > len(self.columns["time"]):
            self._grown(more)
        self._room()
        for name, values in fields.items():
            found = values
            if isinstance(values, Coded):
                known = self.names[name]
                place = [known.setdefault(one, len(known)) for one in values.names]
                found = np.array([*place, -1], dtype=np.int32)[values.codes]
            self.columns[name][begin : begin + more] = found
        self.columns["customer"][begin : begin + more] = np.repeat(of, counts)
        self.n = begin + more
        self._chained(begin, of, counts)

    def _chained(self, begin: int, of: NDArray[np.int32], counts: Ints) -> None:
        before = np.arange(begin - 1, self.n - 1, dtype=np.int32)
        ends = begin + np.cumsum(counts)
        before[ends - counts - begin] = self.last[of]
        self.columns["before"][begin : self.n] = before
        self.last[of] = ends - 1

    def _grown(self, more: int) -> None:
        size = max(_LEAST, int(_GROWTH * self.n), self.n + more)
        for name, values in self.columns.items():
            self.columns[name] = np.zeros(size, values.dtype)
            self.columns[name][: self.n] = values[: self.n]

    def _room(self) -> None:
        if self.ids.size > len(self.last):
            more = np.full(max(self.ids.size, int(_GROWTH * len(self.last))), -1, dtype=np.int32)
            more[: len(self.last)] = self.last
            self.last = more

    def of(self, customer: str) -> list[int] | None:
        """Return the rows of a customer by time; None where there are none."""
        try:
            code = self.ids.code(customer, add=False)
        except UnicodeEncodeError:  # half a character: no id has one
            return None
        if code < 0:
            return None
        rows, row, before = [], int(self.last[code]), self.columns["before"]
        while row >= 0:
            rows.append(row)
            row = int(before[row])
        time, seq = self.columns["time"], self.columns["seq"]
        return sorted(rows, key=lambda i: (time[i], seq[i], i))

    def sort(self) -> Ints:
        """Sort by customer, time, seq and how they came; return how many each code has."""
        n, columns = self.n, self.columns
        seq = columns["seq"][:n]
        customer, time = columns["customer"][:n], columns["time"][:n]
        some = seq if (seq != NO_SEQ).any() else None
        ordered = order_rows(customer, time, self.ids.size, some)
        if ordered.order is not None:
            for values in columns.values():
                values[:n] = values[:n][ordered.order]
        counts = np.diff(ordered.offsets)
        self._linked(counts)
        return counts

    def _linked(self, counts: Ints) -> None:
        """Make the chains anew of rows that are sorted."""
        self.last[:] = -1
        of = np.flatnonzero(counts).astype(np.int32)
        self._chained(0, of, counts[of])

    def keep(self, rows: Bools) -> None:
        """Keep some rows of those that are sorted, and forget customers without any."""
        n, columns = self.n, self.columns
        self.n = int(np.count_nonzero(rows))
        size = max(_LEAST, int(_GROWTH * self.n))
        for name, values in columns.items():
            columns[name] = np.zeros(size, values.dtype)
            columns[name][: self.n] = values[:n][rows]
        before = self.last[: self.ids.size] >= 0
        counts = np.bincount(columns["customer"][: self.n], minlength=self.ids.size)
        self.ids.release(np.flatnonzero((counts == 0) & before))
        self._linked(counts)

    def log(
        self, since_us: int | None, until_us: int | None, currency: str | None, rows: Bools | None
    ) -> InteractionLog:
        """Return some rows, or all, of those that are sorted, as a log."""
        mask: Any = slice(None) if rows is None else rows
        columns = {name: values[: self.n][mask] for name, values in self.columns.items()}
        counts = np.bincount(columns["customer"], minlength=self.ids.size)
        present = np.flatnonzero(counts)
        return InteractionLog(
            columns=Columns(
                offsets=np.append(0, np.cumsum(counts[present])).astype(np.int64),
                time=columns["time"].copy(),
                coded={
                    name: Coded(columns[name].copy(), tuple(known)).compacted()
                    for name, known in self.names.items()
                },
                numeric={"value": columns["value"].copy()} if "value" in columns else {},
            ),
            customer_ids=self.ids.strings(present),
            currency=currency,
            observed_from_us=since_us,
            observed_until_us=until_us,
        )


def first_of_ids(
    ids: Coded, time: Ints, keep: Bools, seen: dict[str, int]
) -> tuple[Bools, dict[str, int]]:
    """Return the rows of a frame that come for the first time, and when the new ids were.

    Rows without an id are never taken for others.
    """
    names = list(map(str, ids.names))
    if not seen.keys().isdisjoint(names):
        known = np.fromiter((name in seen for name in names), np.bool_, count=len(names))
        keep = keep & ~np.append(known, False)[ids.codes]
    row = np.flatnonzero(keep & (ids.codes >= 0))
    first = np.full(len(names), -1, dtype=np.int64)
    first[ids.codes[row[::-1]]] = row[::-1]  # the first is written last
    met = first >= 0
    if np.count_nonzero(met) < len(row):
        keep = keep.copy()
        keep[row] = False
        keep[first[met]] = True
    return keep, dict(zip(compress(names, met.tolist()), time[first[met]].tolist(), strict=True))
