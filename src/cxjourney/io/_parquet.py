"""Parquet files as DuckDB reads them."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING, Any

from cxjourney.exceptions import InputFileError, UnknownName
from cxjourney.io._cells import fetched
from cxjourney.io._files import connect, show_path
from cxjourney.io._places import json_of_text, json_text, split_place
from cxjourney.io._refusals import file_errors
from cxjourney.io._table_edges import check_asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def parquet_header(connection: Any, file: str) -> tuple[str, ...]:
    """Return the names of the columns of a Parquet file.

    Raises
    ------
    InputFileError
        If the file is no Parquet or damaged.
    """
    path = [glob.escape(file)]
    with file_errors(file):
        query = "SELECT name, num_children FROM parquet_schema(?)"
        tree = connection.execute(query, path).fetchall()
    names, place = [], 1  # the root comes first, and children after their parent
    while place < len(tree):
        names.append(tree[place][0])
        waiting = 1
        while waiting:
            waiting += (tree[place][1] or 0) - 1
            place += 1
    return tuple(names)


def parquet_rows(files: Sequence[str]) -> int:
    """Return how many rows Parquet files say that they have.

    Raises
    ------
    InputFileError
        If a file is no Parquet or damaged.
    """
    rows = 0
    with connect("read_parquet()") as connection:
        for file in files:
            with file_errors(file):
                query = "SELECT num_rows FROM parquet_file_metadata(?)"
                rows += connection.execute(query, [glob.escape(file)]).fetchall()[0][0]
    return rows


def parquet_relation(connection: Any, files: Sequence[str], names: Sequence[str]) -> Any:
    """Return the named columns of Parquet files as a DuckDB relation; Any: DuckDB is optional.

    Raises
    ------
    InputFileError
        If a file is no Parquet or damaged.
    UnknownName
        If a file lacks a column; names the nearest ones.
    """
    names = list(dict.fromkeys(names))
    for file in files:
        present = parquet_header(connection, file)
        lowered = [name.lower() for name in present]
        for wanted in names:
            split = split_place(wanted, present)
            if split is None:
                raise UnknownName.among("column", wanted, present, where=show_path(file))
            name = split[0]
            check_asked(file, [name], present)
            if lowered.index(name.lower()) != present.index(name):
                raise InputFileError(
                    f"{show_path(file)} has an earlier column that differs from {name!r} in case "
                    "only, which DuckDB takes for it: rename one of them"
                )
    paths = [glob.escape(file) for file in files]
    kinds = {} if {*names} <= {*present} else _kinds(connection, paths)
    quoted = ", ".join(_selected(name, kinds) for name in names)
    options = "hive_partitioning=false, union_by_name=true"
    # not as parameters, with which DuckDB 1 would fetch all rows at once
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    query = f"SELECT {quoted} FROM read_parquet([{listed}], {options})"  # noqa: S608 - quoted
    return connection.sql(query)


def parquet_text(connection: Any, files: Sequence[str], roles: Mapping[str, str]) -> dict[str, Any]:
    """Return columns of Parquet files as strings by role, whatever their types.

    Raises
    ------
    InputFileError, UnknownName
        As of `parquet_relation`.
    """
    connection.execute("SET TimeZone = 'UTC'")  # in which instants are written
    relation = parquet_relation(connection, files, [*roles.values()])
    texts = ", ".join(f"#{i}::VARCHAR AS v{i}" for i in range(1, len(relation.columns) + 1))
    found = fetched(relation.project(texts))
    check_parquet_rows(connection, files, len(found["v1"]))
    place = {name: f"v{i}" for i, name in enumerate(dict.fromkeys(roles.values()), 1)}
    return {role: found[place[name]] for role, name in roles.items()}


def _kinds(connection: Any, paths: Sequence[str]) -> dict[str, str]:
    """Return the types of the columns of Parquet files, as DuckDB names them."""
    query = "SELECT * FROM read_parquet(?, hive_partitioning=false, union_by_name=true)"
    relation = connection.sql(query, params=[paths])
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def _selected(name: str, kinds: Mapping[str, str]) -> str:
    """Return the SQL of a column, or of what a name finds within its cells, under that name."""
    column, path = split_place(name, kinds) or (name, "")  # without types it is a column
    cell, own = ('"' + one.replace('"', '""') + '"' for one in (column, name))
    if not path:
        return cell
    source = json_of_text(cell) if kinds[column] == "VARCHAR" else f"to_json({cell})"
    return f"{json_text(source, path)} AS {own}"


def check_parquet_rows(connection: Any, files: Sequence[str], rows: int) -> None:
    """Raise InputFileError unless there are as many rows as the footers of the files count."""
    query = "SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata(?)"
    paths = [glob.escape(file) for file in files]
    footers = connection.execute(query, [paths]).fetchone()[0]
    if footers != rows:
        raise InputFileError(
            f"{show_path(files[0])} cannot be read: {rows:,} rows were found where the footer "
            f"counts {footers:,}"
        )
