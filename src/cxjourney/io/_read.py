"""Logs from files: CSV and Parquet, compressed or not, one file or many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import numpy as np

from cxjourney._support.validation import check_duration, duration_us
from cxjourney.exceptions import InvalidValue
from cxjourney.io._csv_files import csv_columns, csv_header
from cxjourney.io._files import (
    check_encoding,
    connect,
    file_errors,
    find_files,
    is_parquet,
    parquet_header,
    parquet_relation,
)
from cxjourney.log import InteractionLog, is_currency_code, relation_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta
    from os import PathLike

    from numpy.typing import NDArray

    FilePath = str | PathLike[str]

__all__ = [
    "FurtherColumns",
    "column_names",
    "durations",
    "file_columns",
    "read_csv",
    "read_parquet",
]

_NUMERIC = ("score", "emotion", "expectation", "value", "duration")
_NAMED = ("channel", "stage", "owner", "account", "journey", "issue", "seq")


class FurtherColumns(TypedDict, total=False):
    """The optional arguments of `InteractionLog.from_frame`, where they are documented."""

    channel: str | None
    stage: str | None
    owner: str | None
    account: str | None
    journey: str | None
    seq: str | None
    score: str | None
    emotion: str | None
    expectation: str | None
    value: str | None
    currency: str | None
    duration: str | None
    issue: str | None
    attributes: Sequence[str]
    customers: Any
    tz: str
    missing: Literal["refuse", "drop"]
    observed_until: datetime | str | None
    observed_from: datetime | str | None


def read_csv(
    path: FilePath | Iterable[FilePath],
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    delimiter: str | None = None,
    timestamp_format: str | None = None,
    duration_unit: timedelta | None = None,
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8",
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from CSV files with one line an interaction, in any order.

    Parameters
    ----------
    path
        A file, a glob (`"events-*.csv.gz"`, `"**/*.csv"`), or several of them. Local only;
        gzip and Zstandard are recognised by content.
    customer, timestamp, touchpoint
        Names of the columns that every log needs.
    delimiter
        What stands between cells; None takes the one of `,` `;` tab `|` that splits the header
        into the columns asked for.
    timestamp_format
        `strptime` format of the timestamps; None reads ISO 8601 (see `cxjourney._time.timestamps`).
    duration_unit
        What 1 means in the `duration` column, such as `timedelta(seconds=1)`.
    encoding
        How the characters are stored.
    **columns
        Further columns and options: see `InteractionLog.from_frame`. Other columns of the file
        are not read.

    Returns
    -------
    InteractionLog

    Raises
    ------
    InputFileError
        If nothing matches `path`, or a file is empty, damaged, or a line has too many cells.
    UnknownName
        If a file lacks a column; the nearest names are in the message.
    InvalidData
        If cells cannot be read, with their row numbers: data rows from 0, over all files, blank
        lines not counted.
    MissingDependency
        If DuckDB is not installed (extra `files`).

    Notes
    -----
    The first line names the columns. Cells are text until they are read as what they should be:
    the ids "NA" and "007" survive, and so does an empty id that stands in quotes (`""`), whereas
    an empty cell without quotes is missing. Quotes are `"`, doubled inside a quoted cell; blanks
    around a cell belong to it; no line is taken for a comment.

    The work is done by DuckDB on a private connection in memory, which loads no extension, opens
    no network address and leaves no trace.
    """
    _check_shape(delimiter, encoding)
    by_role = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    by_role |= column_names(columns)
    numbers = [by_role[role] for role in _NUMERIC if role in by_role]
    integers = [by_role["seq"]] if "seq" in by_role else []
    strings = [name for role, name in by_role.items() if role not in {*_NUMERIC, "seq"}]
    strings += columns.get("attributes", ())
    if "duration" in by_role and duration_unit is None:
        raise InvalidValue.of(
            "duration_unit", "say what 1 means in the duration column, as a timedelta", None
        )
    with connect("read_csv()") as connection:
        frame = csv_columns(
            connection,
            find_files(path),
            list(dict.fromkeys(strings)),
            list(dict.fromkeys(numbers)),
            integers,
            delimiter=delimiter,
            encoding=encoding,
        )
    if "duration" in by_role and duration_unit is not None:
        frame[by_role["duration"]] = durations(frame[by_role["duration"]], duration_unit)
    return InteractionLog.from_frame(
        frame,
        customer=customer,
        timestamp=timestamp,
        touchpoint=touchpoint,
        timestamp_format=timestamp_format,
        **columns,
    )


def read_parquet(
    path: FilePath | Iterable[FilePath],
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    timestamp_format: str | None = None,
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from Parquet files with one row an interaction, in any order.

    Parameters
    ----------
    path
        A file, a glob, or several of them. Local only.
    customer, timestamp, touchpoint
        Names of the columns that every log needs.
    timestamp_format
        `strptime` format of timestamps that are text; None reads ISO 8601.
    **columns
        Further columns and options: see `InteractionLog.from_frame`. Other columns of the file
        are not read.

    Returns
    -------
    InteractionLog

    Raises
    ------
    InputFileError
        If nothing matches `path`, or a file is no Parquet or damaged.
    UnknownName
        If a file lacks a column; the nearest names are in the message.
    InvalidData
        If cells cannot be read, with their row numbers over all files.
    MissingDependency
        If DuckDB is not installed (extra `files`).

    Notes
    -----
    Timestamps with a zone are instants already; timestamps without one are read in `tz`. A column
    of durations holds intervals, since a number has no unit. See `read_csv` for what DuckDB may do.
    """
    roles = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    roles |= column_names(columns)
    roles |= {f"attribute:{name}": name for name in columns.get("attributes", ())}
    names = list(dict.fromkeys(roles.values()))

    def build(frame: Any) -> InteractionLog:
        return InteractionLog.from_frame(
            frame,
            customer=customer,
            timestamp=timestamp,
            touchpoint=touchpoint,
            timestamp_format=timestamp_format,
            **columns,
        )

    files = find_files(path)
    with connect("read_parquet()") as connection, file_errors(_shown(files)):
        relation = parquet_relation(connection, files, names)
        if len(names) < len(roles):  # a column may have to be read in two ways
            return build(relation)
        found = relation_columns(relation, roles)
    # DuckDB has let go of its memory before the columns are encoded
    return build({roles[role]: column for role, column in found.items()})


def file_columns(
    path: FilePath | Iterable[FilePath],
    *,
    delimiter: str | None = None,
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8",
) -> tuple[str, ...]:
    """Return the names of the columns of a CSV or Parquet file, to choose from.

    Parameters
    ----------
    path
        A file, a glob, or several of them, of which the first is read. Local only.
    delimiter
        What stands between the cells of a CSV; None takes the one of `,` `;` tab `|` that splits
        the first line most.
    encoding
        How the characters of a CSV are stored.

    Returns
    -------
    tuple of str

    Raises
    ------
    InputFileError
        If nothing matches `path`, or the file is empty or damaged.
    InvalidValue
        If an argument breaks its rule.
    MissingDependency
        If DuckDB is not installed (extra `files`).
    """
    _check_shape(delimiter, encoding)
    file = find_files(path)[0]
    with connect("file_columns()") as connection:
        if is_parquet(file):
            return parquet_header(connection, file)
        return csv_header(connection, file, delimiter=delimiter, encoding=encoding)


def column_names(columns: FurtherColumns) -> dict[str, str]:
    """Return the optional columns by role, without a currency given as a code."""
    given: Mapping[str, Any] = columns
    by_role = {role: given[role] for role in (*_NAMED, *_NUMERIC) if given.get(role) is not None}
    currency = columns.get("currency")
    if currency is not None and not is_currency_code(currency):
        by_role["currency"] = currency
    return by_role


def durations(values: NDArray[np.float64], unit: timedelta) -> NDArray[np.timedelta64]:
    """Return numbers of `unit` as durations, NaN as NaT."""
    check_duration(unit, "duration_unit")
    missing = np.isnan(values)
    spans: NDArray[np.timedelta64] = np.rint(
        np.where(missing, 0, values) * duration_us(unit)
    ).astype("m8[us]")
    spans[missing] = np.timedelta64("NaT")
    return spans


def _check_shape(delimiter: str | None, encoding: str) -> None:
    check_encoding(encoding)
    if delimiter is not None and len(delimiter) != 1:
        raise InvalidValue.of("delimiter", "be a single character", delimiter)


def _shown(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} … {files[-1]}"
