"""Readers of JSON: an object a line, or one array of objects."""

from __future__ import annotations

import glob
import json
from typing import TYPE_CHECKING, Any, Unpack

from cxjourney.exceptions import InputFileError, InvalidData, UnknownName
from cxjourney.io._cells import cells_of, check_duration_unit, columns_by_role, fetched, selected
from cxjourney.io._encodings import check_encoding, check_gzip, decoded, encoding_of
from cxjourney.io._files import (
    compression_of,
    connect,
    find_files,
    is_json_array,
    show_path,
    unchanged,
)
from cxjourney.io._places import json_at, pointers
from cxjourney.io._refusals import file_errors
from cxjourney.io._shaping import Plan
from cxjourney.log import InteractionLog, Reading, argument_of, check_no_column, log_of_columns
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from os import PathLike

    from cxjourney.log import FurtherColumns

    FilePath = str | PathLike[str]

_LOOKED_AT = 1_000  # objects, for the names in messages
_DEEPEST = 4
_TEXT, _KIND = "{source} ->> '{path}'", "json_type({source}, '{path}')"


@forgetting
def read_json(
    path: FilePath | Iterable[FilePath],
    *,
    customer: str | None = None,
    timestamp: str | None = None,
    touchpoint: str | None = None,
    layout: FilePath | None = None,
    encoding: str = "utf-8",
    timestamp_format: str | None = None,
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from JSON files with one object an interaction, in any order.

    Parameters
    ----------
    path
        A file, a glob, or several of them; local only. Each file holds an object a line or one
        array of objects; gzip and Zstandard are recognised by content.
    customer, timestamp, touchpoint
        Keys of the values that every log needs. `properties.source` is the key `source` of the
        object under `properties`, unless an object has that very key, and `params[source]` what a
        list `params` of objects with a `key` and a `value` has for that key.
    layout
        As for `read_csv`.
    encoding
        An encoding that Python knows, such as "cp1252". A byte order mark is understood.
    timestamp_format
        `strptime` format of timestamps that are text; None reads ISO 8601.
    **columns
        Further keys and options: see `InteractionLog.from_frame`. Numbers need units,
        `timestamp_unit` and `duration_unit`. Other keys are not read.

    Returns
    -------
    InteractionLog
        A key that an object lacks, `null` and "" are missing.

    Raises
    ------
    InputFileError
        If nothing matches `path`, or a file is empty, damaged, holds something else than objects,
        or changes while it is read.
    UnknownName
        If no object of a file has a key; the nearest ones are in the message.
    InvalidData
        If values cannot be read, or are lists or objects, with the numbers of their objects,
        counted from 0 over all files.
    MissingDependency
        If DuckDB is not installed (extra `files`).

    Examples
    --------
    >>> from pathlib import Path
    >>> import cxjourney as cx
    >>> _ = Path("hits.jsonl").write_text('{"user": {"id": 7}, "at": "2026-01-05", "name": "view"}')
    >>> cx.read_json("hits.jsonl", customer="user.id", timestamp="at", touchpoint="name")
    InteractionLog: 1 interaction of 1 customer at 1 touchpoint, 2026-01-05 to 2026-01-05
    """
    needed: Any = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    encoding = check_encoding(encoding)
    if layout is not None:
        plan = Plan.of(layout, **needed, timestamp_format=timestamp_format, **columns)
        files = find_files(path)
        with connect("read_json()") as connection, unchanged(files):
            header = json_header(connection, files[0], encoding)
            plan, roles = plan.for_header(header, show_path(files[0]), whole=False)
            found = json_columns(connection, files, roles, encoding, {*plan.named.values()})
        return plan.log(found)
    reading = Reading.of(**needed, timestamp_format=timestamp_format, **columns)
    check_duration_unit(reading)
    files = find_files(path)
    with connect("read_json()") as connection, unchanged(files):
        if reading.currency is not None:
            present = [name for file in files for name in json_header(connection, file, encoding)]
            check_no_column(reading.currency, "currency", present)
        found = json_columns(connection, files, reading.roles, encoding)
    return log_of_columns(InteractionLog, found, reading)


def json_columns(
    connection: Any,
    files: Sequence[str],
    roles: Mapping[str, str],
    encoding: str,
    needed: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return values of JSON files by role, one file below the other; Any: see `csv_columns`.

    Some of the keys, or all, have to be there.
    """
    cell_of = cells_of(roles)
    cells = list(dict.fromkeys(cell_of.values()))
    needed = roles.values() if needed is None else needed
    pieces = [_rows(connection, file, cells, roles, encoding, needed=needed) for file in files]
    found = columns_by_role(pieces, cell_of)
    _refuse_nested(pieces, cells)
    return found


def json_header(connection: Any, file: str, encoding: str) -> tuple[str, ...]:
    """Return the keys of the first objects of a file, those of nested ones after their own.

    Raises
    ------
    InputFileError
        If the file is empty, damaged or holds something else than objects.
    """
    source, content = _source(file, encoding, whole=False)
    query = f"SELECT json FROM {source} LIMIT {_LOOKED_AT}"  # noqa: S608 - no outside text
    with file_errors(file):
        objects = connection.execute(query, [content]).fetchall()
    values = (json.loads(text) for (text,) in objects)
    found = (name for value in values if isinstance(value, dict) for name, _ in leaves(value))
    return tuple(dict.fromkeys(found))


def leaves(value: Mapping[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield the keys of an object with what they hold, those of nested ones after their own."""
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and depth < _DEEPEST:
            yield from leaves(inner, f"{before}{key}.", depth + 1)
        else:
            yield f"{before}{key}", inner


def json_relation(connection: Any, file: str, names: Sequence[str], encoding: str) -> Any:
    """Return the values of keys as strings in a DuckDB relation; Any: DuckDB is optional."""
    source, content = _source(file, encoding, whole=False)
    columns = ", ".join(_first_of(_TEXT, name) for name in names)
    return connection.sql(f"SELECT {columns} FROM {source}", params=[content])  # noqa: S608


def json_rows(connection: Any, file: str) -> Any:
    """Return the objects of a file as strings in a DuckDB relation; Any: DuckDB is optional."""
    source, content = _source(file, "utf-8", whole=True)
    query = f"SELECT json::VARCHAR AS json FROM {source}"  # noqa: S608 - no outside text
    return connection.sql(query, params=[content])


def _source(file: str, encoding: str, *, whole: bool) -> tuple[str, str | list[str]]:
    """Return the SQL of a table of objects and its parameter: a path, or what DuckDB cannot read.

    `whole` says that all of the file is to be read, and must be there.

    Raises
    ------
    InputFileError
        If the file is compressed and damaged, or bytes do not fit the encoding.
    """
    encoding = encoding_of(file, encoding)
    if encoding == "utf-8":
        if whole:
            check_gzip(file)
        form = "array" if is_json_array(file) else "newline_delimited"
        compression = compression_of(file).replace("none", "uncompressed")  # as DuckDB 1.4 names it
        options = f"format='{form}', compression='{compression}'"
        return f"read_json_objects(?, {options})", glob.escape(file)
    text = decoded(file, encoding)
    if text.lstrip().startswith("["):
        return """(SELECT unnest(from_json(?, '["JSON"]')) AS json)""", text
    lines = [line for line in text.split("\n") if line.strip()]
    return "(SELECT unnest(?::VARCHAR[])::JSON AS json)", lines


def _rows(
    connection: Any,
    file: str,
    cells: list[tuple[str, str]],
    roles: Mapping[str, str],
    encoding: str,
    *,
    needed: Collection[str],
) -> dict[str, Any]:
    """Return values v0, v1 and so on of a file, what of them is no number, and what is nested."""
    text = [_first_of(_TEXT, name) for name, _ in cells]
    kinds = [_first_of(_KIND, name) for name, _ in cells]
    further = ", ".join(
        f"({kind} IS NOT NULL)::BIGINT AS there{i}, "
        f"coalesce({kind} IN ('OBJECT', 'ARRAY'), false)::BIGINT AS nested{i}"
        for i, kind in enumerate(kinds)
    )
    other = "(json_type(json) <> 'OBJECT')::BIGINT AS other"
    source, content = _source(file, encoding, whole=True)
    query = f"SELECT {selected(text, cells)}, {further}, {other} FROM {source}"  # noqa: S608
    with file_errors(file):
        found = fetched(connection.sql(query, params=[content]))
    if not len(found["other"]):
        raise InputFileError(f"{show_path(file)} holds no object")
    if others := int(found["other"].sum()):
        raise InputFileError(f"{show_path(file)} holds {others:,} values that are no objects")
    for i, (name, _) in enumerate(cells):
        if name in needed and not found[f"there{i}"].any():
            role = next(role for role, wanted in roles.items() if wanted == name)
            known = json_header(connection, file, encoding)
            raise UnknownName.among(f"{argument_of(role)}= key", name, known, where=show_path(file))
    return found


def _first_of(expression: str, name: str) -> str:
    found = [expression.format(source="json", path=path) for path in pointers(name)]
    if name.endswith("]"):
        found.append(expression.format(source=json_at("json", f".{name}"), path="$"))
    return f"coalesce({', '.join(found)})"


def _refuse_nested(pieces: list[dict[str, Any]], cells: list[tuple[str, str]]) -> None:
    for i, (name, _) in enumerate(cells):
        rows, before = [], 0
        for piece in pieces:
            column = piece[f"nested{i}"]
            rows += [before + row for row in column.nonzero()[0].tolist()]
            before += len(column)
        if rows:
            hint = "name a key within it, as in 'user.id'"
            raise InvalidData.at_rows(f"{name} is a list or an object", rows, hint=hint)
