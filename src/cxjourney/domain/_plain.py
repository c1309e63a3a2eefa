"""Interactions and journeys as plain dictionaries, and back: what is at its default is left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

import attrs

from cxjourney._support.serialize import SCHEMA_VERSION, check_stamp, value_of
from cxjourney.domain._channel import Channel
from cxjourney.domain._customer import Account, Customer
from cxjourney.domain._interaction import Emotion, Interaction
from cxjourney.domain._stage import Stage
from cxjourney.domain._touchpoint import Touchpoint
from cxjourney.exceptions import InvalidValue, UnknownName

T = TypeVar("T")

_MICROSECOND = timedelta(microseconds=1)
_TIMES: dict[str, Any] = {"timestamp": datetime, "duration": timedelta}
_STAMP = ("schema", "type")
_CLASSES: dict[str, type] = {
    "customer": Customer,
    "account": Account,
    "touchpoint": Touchpoint,
    "channel": Channel,
    "stage": Stage,
    "emotion": Emotion,
}
"""Classes of fields that may be a name, which is their first field, or all of their fields."""


def stamped(thing: Any) -> dict[str, Any]:
    """Return the dictionary of an object with its schema and type."""
    return {"schema": SCHEMA_VERSION, "type": type(thing).__name__, **_fields_of(thing)}


def unstamped(cls: type[T], data: Mapping[str, Any]) -> T:
    """Return the object of a dictionary; of a stamp, what is there must be right."""
    if isinstance(data, Mapping) and not any(name in data for name in _STAMP):
        return from_plain(cls, data, "data")
    check_stamp(data, cls.__name__)
    return from_plain(cls, {k: v for k, v in data.items() if k not in _STAMP}, "data")


def to_plain(value: Any) -> Any:
    """Return a value as JSON has it; an object of which only the name is known is its name."""
    if isinstance(value, Touchpoint):  # its other fields count through the interaction
        value = attrs.evolve(value, channel=None, stage=None, owner=None)
    if attrs.has(type(value)):
        fields = _fields_of(value)
        first = attrs.fields(type(value))[0].name
        named = type(value) in _CLASSES.values() and len(fields) == 1
        return fields[first] if named else fields
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    return [to_plain(item) for item in value] if isinstance(value, tuple) else value


def _fields_of(thing: Any) -> dict[str, Any]:
    found = {}
    for field in attrs.fields(type(thing)):
        value, default = getattr(thing, field.name), field.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # it is a class
            default = default.factory(thing)
        if default is attrs.NOTHING or value != default:
            found[field.name] = to_plain(value)
    return found


def from_plain(cls: type[T], data: Any, path: str) -> T:
    """Return the object of a class whose fields a mapping holds, checked as those of any other."""
    if not isinstance(data, Mapping):
        raise InvalidValue.of(path, "be a dict of fields", type(data).__name__)
    known = {field.name: field for field in attrs.fields(cls)}  # type: ignore[arg-type]
    given = {}
    for name, value in data.items():
        if name not in known:
            raise UnknownName.among("field", str(name), known, where=path)
        given[name] = _of_plain(name, value, f"{path}.{name}")
    for name, field in known.items():
        if field.default is attrs.NOTHING and name not in given:
            raise InvalidValue(f"{path}.{name} must be given")
    try:
        return cls(**given)
    except InvalidValue as error:
        raise type(error)(f"{path}: {error}") from None


def _of_plain(name: str, value: Any, path: str) -> Any:
    if name in _CLASSES and isinstance(value, Mapping):
        return from_plain(_CLASSES[name], value, path)
    if name in _TIMES and value is not None:
        return value_of(_TIMES[name], value, path)
    if name == "interactions":
        items = value_of(tuple[Any, ...], value, path)
        return tuple(from_plain(Interaction, one, f"{path}[{i}]") for i, one in enumerate(items))
    return value
