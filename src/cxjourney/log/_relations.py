"""Columns of a DuckDB relation: from its Arrow stream where it holds strings and numbers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._time.timestamps import Timestamps
from cxjourney.exceptions import InvalidValue
from cxjourney.kernels import record_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_TEXTUAL = {
    "customer", "touchpoint", "timestamp", "channel", "stage", "owner", "account", "journey",
    "issue", "currency",
}  # fmt: skip
_NUMERIC = {"score", "emotion", "expectation", "value"}


def relation_columns(relation: Any, roles: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns of a relation by role; Any: DuckDB is optional.

    Strings come as `ArrowStrings` or arrays of str, aware timestamps as `Timestamps`, all else as
    arrays.
    """
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    if types.get(roles.get("duration", "")) == "INTERVAL":
        _refuse_months(relation, _quoted(roles["duration"]))
    streamed = _streamed(relation, roles, types)
    return _fetched(relation, roles, types) if streamed is None else streamed


def _streamed(
    relation: Any, roles: Mapping[str, str], types: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return the columns without a Python object a row.

    None where a column is of another kind, or nothing is compiled.
    """
    parts = [_as_arrow(role, name, types[name]) for role, name in roles.items()]
    if None in parts:
        return None
    found = record_columns(relation.project(", ".join(f"{p} AS c{i}" for i, p in enumerate(parts))))
    if found is None:
        return None
    columns: dict[str, Any] = {}
    for (role, name), column in zip(roles.items(), found, strict=True):
        if not isinstance(column, tuple):
            columns[role] = column
            continue
        values, missing = column
        known: Any = np.ma.MaskedArray(values, missing) if missing.any() else values
        if types[name] == "TIMESTAMP WITH TIME ZONE":
            known = Timestamps.placed(known, name=name)
        elif types[name] == "TIMESTAMP":
            known = np.ma.filled(known.view("M8[us]"), np.datetime64("NaT"))
        columns[role] = known
    return columns


def _as_arrow(role: str, name: str, kind: str) -> str | None:
    """Return the expression whose Arrow form is text or a 64-bit number; None if there is none."""
    column = _quoted(name)
    if kind == "VARCHAR" and (role in _TEXTUAL or role.startswith("attribute:")):
        return column
    if role == "timestamp" and kind in {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}:
        return _epoch_us(column)
    if role == "timestamp" and kind in _WHOLE:
        return f"{column}::BIGINT"
    if role == "timestamp" and kind == "DOUBLE":
        return f"{column}::DOUBLE"
    if role in _NUMERIC and kind in {*_WHOLE, "FLOAT", "DOUBLE"}:
        return f"{column}::DOUBLE"
    if role == "seq" and kind in _WHOLE:
        return f"{column}::BIGINT"
    return None


def _fetched(relation: Any, roles: Mapping[str, str], types: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns with NumPy alone, aware timestamps as what they are."""
    parts, placed = [], set()
    for i, (role, name) in enumerate(roles.items()):
        column = _quoted(name)
        if types[name] == "TIMESTAMP WITH TIME ZONE":
            if role == "timestamp" or role.startswith("steps:"):
                column = _epoch_us(column)
                placed.add(role)
            else:  # a mere attribute
                column = f"strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
        parts.append(f"{column} AS c{i}")
    fetched = relation.project(", ".join(parts)).fetchnumpy()
    columns = {role: fetched[f"c{i}"] for i, role in enumerate(roles)}
    return columns | {role: Timestamps.placed(columns[role], name=roles[role]) for role in placed}


def _epoch_us(column: str) -> str:
    """Return the expression of a time in microseconds; infinity is the farthest, not null."""
    farthest = np.iinfo(np.int64).max
    return f"CASE WHEN {column} IS NOT NULL THEN coalesce(epoch_us({column}), {farthest}) END"


def _refuse_months(relation: Any, column: str) -> None:
    """Raise InvalidValue where an interval has months, which DuckDB would hand over as 30 days."""
    months = f"datepart('year', {column}) <> 0 OR datepart('month', {column}) <> 0"
    if relation.filter(months).limit(1).fetchall():
        raise InvalidValue.of(
            "duration", "have no months or years, which have no length", "INTERVAL"
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
