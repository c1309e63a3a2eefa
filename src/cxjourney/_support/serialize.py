"""Results as JSON-ready dictionaries and back, by the types of their fields.

NaN and infinities become None, since JSON has neither; None becomes NaN again where a float
belongs. Every dictionary carries the schema version and the name of its type.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

from cxjourney._support.frozen import read_only
from cxjourney._support.table import Table
from cxjourney._support.validation import check_mapping, check_name
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cattrs import Converter
    from numpy.typing import NDArray

SCHEMA_VERSION = 1

T = TypeVar("T")


def to_dict(result: Any) -> dict[str, Any]:
    """Return a JSON-ready dictionary of an attrs result, schema version and type name first."""
    fields = _converter().unstructure(result)
    return {"schema": SCHEMA_VERSION, "type": type(result).__name__, **fields}


def from_dict(cls: type[T], data: Mapping[str, Any]) -> T:
    """Return the result whose `to_dict` is `data`; InvalidValue names the path of what is wrong.

    Where `data` names a subclass, it is one of that.
    """
    kind = None if not isinstance(data, Mapping) else subclass_named(cls, data.get("type"))
    if kind is not None:
        return kind.from_dict(data)  # type: ignore[attr-defined, no-any-return]  # results have it
    check_stamp(data, cls.__name__)
    result: T = _object(cls, data, "")
    return result


def subclass_named(cls: type[T], name: object) -> type[T] | None:
    """Return the attrs class of a name that is derived from a class; None if none is imported."""
    waiting = cls.__subclasses__()
    while waiting:
        kind = waiting.pop()
        if kind.__name__ == name and hasattr(kind, "__attrs_attrs__"):
            return kind
        waiting += kind.__subclasses__()
    return None


def check_stamp(data: Mapping[str, Any], name: str) -> None:
    """Raise InvalidValue unless a dictionary says that it is of this type and schema."""
    if not isinstance(data, Mapping):
        raise InvalidValue.of("data", "be a dict, as to_dict() returns it", data)
    if data.get("schema") != SCHEMA_VERSION:
        raise InvalidValue.of("schema", f"be {SCHEMA_VERSION}", data.get("schema"))
    if data.get("type") != name:
        raise InvalidValue.of("type", f"be {name!r}", data.get("type"))


def _object(cls: type, data: Any, path: str) -> Any:
    """Return the object of an attrs class whose fields a mapping holds."""
    if not isinstance(data, Mapping):
        raise InvalidValue.of(path or "data", "be a mapping of fields", data)
    hints, fields = typing.get_type_hints(cls), {}
    for field in attrs.fields(cls):
        where = f"{path}.{field.name}".lstrip(".")
        if field.name in data:
            fields[field.alias] = value_of(hints[field.name], data[field.name], where)
        elif field.default is attrs.NOTHING:
            raise InvalidValue(f"{where} must be given")
    return cls(**fields)


def value_of(hint: Any, value: Any, path: str) -> Any:
    """Return a value of the type of a field, or raise InvalidValue that names its path."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if hint in _SCALARS:
        return _scalar(hint, value, path)
    if hint is Table:
        return _table(value, path)
    if origin is np.ndarray:
        return _array(inner[1], value, path)
    if origin in {typing.Union, types.UnionType}:
        return _one_of(inner, value, path)
    if origin is typing.Literal:
        if not any(value == choice and type(value) is type(choice) for choice in inner):
            raise InvalidValue.of(path, f"be one of {', '.join(map(repr, inner))}", value)
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InvalidValue.of(path, "be a list", value)
        return tuple(value_of(inner[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if origin in {dict, Mapping}:
        for name in check_mapping(value, path):
            check_name(name, path)
        return {name: value_of(inner[1], item, f"{path}[{name!r}]") for name, item in value.items()}
    if isinstance(hint, type) and attrs.has(hint):
        return _object(hint, value, path)
    raise TypeError(f"no way back for a field of type {hint!r}")


_SCALARS: dict[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("a boolean", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number or None", (int, float, type(None))),
    str: ("a string", (str,)),
    datetime: ("a moment in ISO 8601", (str,)),
    timedelta: ("a whole number of microseconds", (int,)),
    type(None): ("None", (type(None),)),
}


def _scalar(hint: Any, value: Any, path: str) -> Any:
    rule, kinds = _SCALARS[hint]
    found: Any = value
    try:
        if isinstance(value, kinds) and not (isinstance(value, bool) and hint is not bool):
            if hint is float:
                return np.nan if value is None else float(found)
            if hint is timedelta:
                return timedelta(microseconds=found)
            return datetime.fromisoformat(found) if hint is datetime else value
    except (ValueError, OverflowError):  # no date, or a number that cannot be held
        pass
    raise InvalidValue.of(path, f"be {rule}", value)


def _one_of(hints: Sequence[Any], value: Any, path: str) -> Any:
    """Return a value of the first of several types that it has; whole numbers stay whole."""
    refused = None
    for hint in sorted(hints, key=lambda h: (h is not type(None), h is float)):
        try:
            return value_of(hint, value, path)
        except InvalidValue as error:
            refused = error
    raise refused or InvalidValue.of(path, "be of a known type", value)


def _table(value: Any, path: str) -> Table:
    parts: tuple[Any, ...] = tuple(map(check_mapping(value, path).get, ("columns", "formats")))
    columns, formats = (check_mapping(part, path) for part in parts)
    for name, cells in columns.items():
        if not isinstance(cells, (list, tuple)):
            raise InvalidValue.of(f"{path}.columns[{name!r}]", "be a list of cells", cells)
        for cell in cells:
            if not isinstance(cell, (str, int, float, NoneType)) or _beyond(cell):
                raise InvalidValue.of(f"a cell of {path}.columns[{name!r}]", _CELL, cell)
    for kind in formats.values():
        check_name(kind, f"a format of {path}")
    return Table.from_dict(columns, formats=formats)


_CELL = "be a string, a number that 64 bits hold, a boolean or None"


def _beyond(cell: object) -> bool:
    return isinstance(cell, int) and not -(2**63) <= cell < 2**63


def _array(dtype: Any, value: Any, path: str) -> NDArray[Any]:
    """Return an array of floats or of whole numbers, of one dimension or of the shape given."""
    shape = None
    if isinstance(value, Mapping):
        shape = [
            value_of(int, n, f"{path}.shape") for n in _list(value.get("shape"), f"{path}.shape")
        ]
        value = value.get("values")
    kind = typing.get_args(dtype)[0]
    hint = float if issubclass(kind, np.floating) else int
    cells = [value_of(hint, cell, f"{path}[{i}]") for i, cell in enumerate(_list(value, path))]
    if hint is int and any(map(_beyond, cells)):
        raise InvalidValue(f"{path} must hold numbers that 64 bits hold")
    array = np.array(cells, dtype=kind)
    if shape is not None:
        if min(shape, default=0) < 0 or math.prod(shape) != len(cells):
            raise InvalidValue.of(f"{path}.shape", f"be that of {len(cells)} values", shape)
        array = array.reshape(shape)
    return read_only(array)


def _list(value: Any, path: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise InvalidValue.of(path, "be a list", value)
    return value


def _cells(array: NDArray[Any]) -> list[Any]:
    """Return the values of an array in order: floats or None, whole numbers as they are."""
    return [_finite(x) if isinstance(x, float) else x for x in array.ravel().tolist()]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@cache
def _converter() -> Converter:
    import cattrs

    converter = cattrs.Converter()
    converter.register_unstructure_hook(float, _finite)
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_unstructure_hook(timedelta, lambda v: v // timedelta(microseconds=1))
    converter.register_unstructure_hook(
        Table,
        lambda t: {"columns": t.to_dict(), "formats": dict(t._formats)},  # noqa: SLF001 - one package
    )
    converter.register_unstructure_hook_func(
        lambda t: t is np.ndarray or getattr(t, "__origin__", None) is np.ndarray,
        lambda a: _cells(a) if a.ndim == 1 else {"shape": list(a.shape), "values": _cells(a)},
    )
    return converter
