"""Places of values: columns, keys within JSON, records of a list of keys and values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_END = re.compile(r"[.\[]")
_RECORD = re.compile(r"(?P<before>.*)\[(?P<key>[^\[\]]+)\]", re.DOTALL)
_VALUES = ("string_value", "int_value", "double_value", "float_value")  # of BigQuery's records


def split_place(name: str, present: Collection[str]) -> tuple[str, str] | None:
    """Return the column that a name begins with, and the path within its cells ("" for none).

    `user.id` is the key `id` within the column `user`, and `params[page]` what the list `params`
    has for the key `page`, unless a column has that very name. None where there is no such column.
    """
    if name in present:
        return name, ""
    ends = [found.start() for found in _END.finditer(name)]
    return next(((name[:i], name[i:]) for i in reversed(ends) if name[:i] in present), None)


def json_text(source: str, path: str) -> str:
    """Return the SQL of the text at a path within JSON, which `source` is the SQL of."""
    return f"{json_at(source, path)} ->> '$'"


def json_of_text(column: str) -> str:
    """Return the SQL of a column of strings as JSON, missing where a cell is none."""
    return f"CASE WHEN json_valid({column}) THEN {column}::JSON END"


def pointers(name: str) -> list[str]:
    """Return where a key may stand: as such, or within objects that its points part."""
    quoted = name.replace("~", "~0").replace("/", "~1").replace("'", "''")
    return list(dict.fromkeys([f"/{quoted}", f"/{quoted.replace('.', '/')}"]))


def json_at(source: str, path: str) -> str:
    """Return the SQL of the JSON at a path within JSON, which `source` is the SQL of."""
    record = _RECORD.fullmatch(path)
    if record is None:
        keys = path.removeprefix(".")
        found = ", ".join(f"json_extract({source}, '{place}')" for place in pointers(keys))
        return f"coalesce({found})" if keys else f"({source})"
    before, key = json_at(source, record["before"]), record["key"].replace("'", "''")
    # Parquet wraps the items of a list where its writer says so
    lists = ", ".join(
        f"json_extract({before}, '{items}')" for items in ("$[*]", "$.list[*].element")
    )
    one = f"list_filter(list_concat({lists}), lambda item: item ->> '/key' = '{key}')[1]"
    value = f"json_extract({one}, '/value')"
    known = ", ".join(  # JSON's null is a value of its own to SQL
        f"CASE WHEN json_type({value}, '/{kind}') <> 'NULL' THEN {value} -> '/{kind}' END"
        for kind in _VALUES
    )
    return f"(CASE json_type({value}) WHEN 'OBJECT' THEN coalesce({known}) ELSE {value} END)"
