"""JSON schemas of results, made from the types and the metadata of their fields."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import attrs
import numpy as np

from cxjourney._support.serialize import SCHEMA_VERSION
from cxjourney._support.table import Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_CELL: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
_NUMBER: dict[str, Any] = {"type": ["number", "null"]}  # JSON has no NaN: null stands for it
_PLAIN: dict[Any, dict[str, Any]] = {
    Any: {},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: _NUMBER,
    str: {"type": "string"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "integer", "description": "microseconds"},
    Table: {
        "type": "object",
        "description": "a table: its columns by name, all of one length",
        "required": ["columns", "formats"],
        "properties": {
            "columns": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": _CELL},
            },
            "formats": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
}
_ARRAY: dict[str, Any] = {
    "description": "an array: its values, or shape and values in order of rows",
    "anyOf": [
        {"type": "array", "items": _CELL},
        {
            "type": "object",
            "required": ["shape", "values"],
            "properties": {
                "shape": {"type": "array", "items": {"type": "integer"}},
                "values": {"type": "array", "items": _CELL},
            },
        },
    ],
}


def schema_of(cls: type) -> dict[str, Any]:
    """Return the JSON schema of the dictionaries that `to_dict` makes of an attrs class.

    `metadata={"schema": {…}}` of a field adds to what its type says.
    """
    parts: dict[str, dict[str, Any]] = {}
    own = _of_class(cls, parts)
    stamped = {"schema": {"const": SCHEMA_VERSION}, "type": {"const": cls.__name__}}
    schema = {
        "$schema": DIALECT,
        "title": cls.__name__,
        **own,
        "required": [*stamped, *own["required"]],
        "properties": {**stamped, **own["properties"]},
    }
    return schema | ({"$defs": dict(sorted(parts.items()))} if parts else {})


def _of_class(cls: type, parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    properties = {
        field.name: _of_type(hints[field.name], parts) | _said_of(field)
        for field in attrs.fields(cls)
    }
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


def _said_of(field: attrs.Attribute[Any]) -> dict[str, Any]:
    """Return what the metadata of a field say under "schema": its description, unit or range."""
    said: dict[str, Any] = field.metadata.get("schema", {})
    return said


def _of_type(hint: Any, parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if isinstance(hint, typing.TypeVar):  # a result of any kind
        return {"type": "object"}
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is np.ndarray:
        return dict(_ARRAY)
    if origin in {typing.Union, types.UnionType}:
        return {"anyOf": [_of_type(choice, parts) for choice in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is tuple and inner[-1:] != (...,):
        items = [_of_type(item, parts) for item in inner]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    if origin in {tuple, list, frozenset, set}:
        return {"type": "array", "items": _of_type(inner[0], parts)}
    if origin in {dict, Mapping}:
        return {"type": "object", "additionalProperties": _of_type(inner[1], parts)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    if isinstance(hint, type) and attrs.has(hint):
        if hint.__name__ not in parts:
            parts[hint.__name__] = {}  # a class that holds its own kind meets it here again
            parts[hint.__name__] = _of_class(hint, parts)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    raise TypeError(f"no JSON schema for a field of type {hint!r}")
