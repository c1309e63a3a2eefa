"""Ties: rows of one customer and time, their order, and which of them are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.log._columns import Coded, Columns
    from cxjourney.log._interaction_log import InteractionLog

_ORDERING = ("touchpoint", "channel", "stage", "owner", "journey")


def tied_rows(columns: Columns) -> NDArray[np.bool_]:
    """Return the rows that share customer and time with the row before."""
    if columns.time is None:
        return np.zeros(len(columns), dtype=np.bool_)
    return same_as_before(columns.customer) & same_as_before(columns.time)


def in_order_of_names(log: InteractionLog) -> tuple[InteractionLog, int]:
    """Return a log whose ties stand in an order that the input's has no part in, and their number.

    Rows with the same customer, time and `seq` are ordered by touchpoint, then by the other columns
    of names, then by value: rows that are equal in all of these may change places.
    """
    columns = log.columns
    tied = tied_rows(columns)
    ties = int(np.count_nonzero(tied))
    if columns.seq is not None:
        tied &= same_as_before(columns.seq)
    rows = np.flatnonzero(tied | np.append(tied[1:], False))
    if not len(rows):
        return log, ties
    named = {name: columns.coded[name] for name in _ORDERING if name in columns.coded}
    keys = [_rank(coded, name)[coded.codes[rows]] for name, coded in named.items()][::-1]
    if "value" in columns.numeric:
        keys.insert(0, columns.numeric["value"][rows])
    order = np.arange(len(columns))
    order[rows] = rows[np.lexsort([*keys, np.cumsum(~tied)[rows]])]
    return attrs.evolve(log, columns=columns.take(order, columns.offsets)), ties


def duplicate_rows(columns: Columns) -> NDArray[np.bool_]:
    """Return the rows that equal an earlier one in all columns but `seq`."""
    duplicate = np.zeros(len(columns), dtype=np.bool_)
    rows, again = equal_rows(columns)
    duplicate[rows[again]] = True
    return duplicate


def repeated_rows(
    columns: Columns,
    keys: list[Coded] | None,
    time: NDArray[np.int64] | None,
    within_us: int | None,
) -> NDArray[np.bool_]:
    """Return the rows of a customer that equal an earlier one in `keys`, or in all columns.

    With `within_us` only those that follow the last equal one in at most this time.
    """
    known = np.ones(len(columns), dtype=np.bool_)
    values: list[NDArray[Any]] = []
    if keys is None:
        values += [c.codes for c in (*columns.coded.values(), *columns.attributes.values())]
        for numbers in columns.numeric.values():
            values += [np.isnan(numbers), np.nan_to_num(numbers)]
    else:
        values += [one.codes for one in keys]
        for one in keys:
            known &= one.codes >= 0
    values.append(columns.customer)
    order = np.lexsort(values)  # stable: equal rows stay in order of time
    again = known[order].copy()
    again[:1] = False
    for column in values:
        again &= same_as_before(column[order])
    if time is not None and within_us is not None:
        again &= np.diff(time[order], prepend=time[order][:1]) <= within_us
    repeated = np.zeros(len(columns), dtype=np.bool_)
    repeated[order[again]] = True
    return repeated


def equal_rows(columns: Columns) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return tied rows, equal ones side by side, and which of them equal the one before."""
    tied = tied_rows(columns)
    rows = np.flatnonzero(tied | np.append(tied[1:], False))
    again = np.zeros(len(rows), dtype=np.bool_)
    if not len(rows):
        return rows, again
    keys = [np.cumsum(~tied)[rows]]
    keys += [c.codes[rows] for c in (*columns.coded.values(), *columns.attributes.values())]
    for values in columns.numeric.values():
        known = values[rows]
        keys += [np.isnan(known), np.nan_to_num(known)]
    order = np.lexsort(keys)  # stable: equal rows stay in their order
    again[1:] = True
    for key in keys:
        again &= same_as_before(key[order])
    return rows[order], again


def same_as_before(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which values equal the one before them."""
    same = np.zeros(len(values), dtype=np.bool_)
    np.equal(values[1:], values[:-1], out=same[1:])
    return same


def _rank(coded: Coded, name: str) -> NDArray[np.int64]:
    """Return the place of each code among the names in order; ids are in no order."""
    rank = np.arange(len(coded.names) + 1)
    if name == "journey":
        order = sorted(range(len(coded.names)), key=coded.names.__getitem__)
        rank[order] = np.arange(len(order))
    rank[-1] = -1  # what is missing comes first
    return rank
