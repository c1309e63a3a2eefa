"""Checks of attrs fields whose messages name the field, the rule and the value.

A check that changes nothing is a validator; one that converts is a plain function, since type
checkers read the type of an argument from the converter's signature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cxjourney._support.mapping import EMPTY, FrozenMapping
from cxjourney._support.text import check_unicode
from cxjourney.domain._terminals import check_not_reserved
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

    import attrs

    Validator = Callable[[Any, attrs.Attribute[Any], Any], None]

Attribute = str | int | float | bool
"""What an attribute of a customer, an account or an interaction may be."""


def is_name(field: str, *, required: bool = True) -> Validator:
    """Return the validator of a field that names a node of the graph."""

    def validator(_: object, __: object, value: object) -> None:
        if value is not None or required:
            check_not_reserved(value, field)

    return validator


def is_id(field: str, *, required: bool = True) -> Validator:
    """Return the validator of a field that holds an id: any str that is not blank."""

    def validator(_: object, __: object, value: object) -> None:
        if isinstance(value, str) and not value.strip():
            raise InvalidValue.of(field, "not be blank, which is a missing id", value)
        if not isinstance(value, str) and (value is not None or required):
            raise InvalidValue.of(field, "be a str", value)
        check_unicode(*filter(None, [value]))

    return validator


def is_str(field: str, *, required: bool = True) -> Validator:
    """Return the validator of a field that holds a str."""

    def validator(_: object, __: object, value: object) -> None:
        if not isinstance(value, str) and (value is not None or required):
            raise InvalidValue.of(field, "be a str", value)
        check_unicode(*filter(None, [value]))

    return validator


def is_flag(_: object, attribute: attrs.Attribute[bool], value: object) -> None:
    """Validate a field that is either True or False."""
    if not isinstance(value, bool):
        raise InvalidValue.of(attribute.name, "be True or False", value)


def finite(
    value: object,
    field: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    or_else: str = "",
) -> float:
    """Return `value` as a float if it is a finite number in [`low`, `high`].

    `or_else` says in the message what else the field may be.
    """
    number = math.nan
    if type(value) is float:
        number = value
    elif hasattr(value, "__float__") and not isinstance(value, bool):
        with suppress(OverflowError):  # an int that no float holds
            number = float(value)
    if math.isfinite(number) and low <= number <= high:
        return number
    interval = f" in [{low:g}, {high:g}]" if math.isfinite(low) else ""
    raise InvalidValue.of(field, f"be {or_else}a finite number{interval}", value)


def expectation(value: float) -> float:
    """Return the score that is expected if it is a finite number."""
    return finite(value, "expectation")


def brief(instance: attrs.AttrsInstance) -> str:
    """Return the repr of an object without what is at its default: Python that makes it again."""
    import attrs

    parts = []
    for field in attrs.fields(type(instance)):
        value = getattr(instance, field.name)
        if field.default is attrs.NOTHING or value != field.default:
            parts.append(f"{field.name}={value!r}" if field.kw_only else repr(value))
    return f"{type(instance).__name__}({', '.join(parts)})"


def freeze_attributes(value: Mapping[str, Attribute]) -> FrozenMapping[Attribute]:
    """Return attributes as a read-only mapping after checking names and values."""
    if isinstance(value, FrozenMapping):
        return value
    if not isinstance(value, Mapping):
        raise InvalidValue.of("attributes", "be a mapping from str", value)
    if not value:
        return EMPTY
    for key, item in value.items():
        if not isinstance(key, str) or not key:
            raise InvalidValue.of("attributes", "have non-empty str as names", key)
        if not isinstance(item, (str, int, float)):
            raise InvalidValue.of(f"attributes[{key!r}]", "be a str, int, float or bool", item)
        if isinstance(item, float) and not math.isfinite(item):
            raise InvalidValue.of(
                f"attributes[{key!r}]", "be finite (leave a missing attribute out)", item
            )
    return FrozenMapping(value)
