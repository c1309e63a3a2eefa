"""Checks of arguments whose messages name the argument, the rule and the value."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from datetime import timedelta
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")

MICROSECOND = timedelta(microseconds=1)
MOST_DRAWS = 1_000_000
"""So many draws at most: more would say no more, and never end."""
_LONGEST = timedelta(days=10**8)
_UNITS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|w)", re.ASCII)


_LARGEST = int(sys.float_info.max)


def is_number(value: object) -> bool:
    """Return whether `value` is a single real number, of Python or NumPy, that a float can be."""
    return isinstance(value, Real) and not (isinstance(value, int) and abs(value) > _LARGEST)


def check_number(value: float, name: str) -> float:
    """Return `value` if it is a single real number; an estimate is none."""
    if not is_number(value) or isinstance(value, bool):
        raise InvalidValue.of(name, "be a number", value)
    return value


def check_count(value: int, name: str, least: int = 1, most: int = 2**53) -> int:
    """Return `value` if it is a whole number from `least` to `most`."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        rule = f"be a whole number from {least}"
        if whole and value > most:
            rule += f" to {most:,}"
        raise InvalidValue.of(name, rule, value)
    return int(value)


def check_name(value: str, name: str) -> str:
    """Return `value` if it is a name, which is a string."""
    if not isinstance(value, str):
        raise InvalidValue.of(name, "be a name, which is a string", value)
    return value


def check_names(value: str | Iterable[str] | None, name: str) -> tuple[str, ...]:
    """Return distinct names in their order: one string, several, or none for None."""
    if value is None:
        return ()
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Iterable):
        raise InvalidValue.of(name, "be a name or a list of names", value)
    names = tuple(names)
    for one in names:
        if not isinstance(one, str):
            raise InvalidValue.of(name, "hold names only, each a string", one)
    return tuple(dict.fromkeys(names))


def check_mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return `value` if it is a mapping by name; Any: what it holds is the caller's to check."""
    rule = "be a dict by name"
    if not isinstance(value, (dict, Mapping)):  # every estimate passes: a dict is told at once
        raise InvalidValue.of(name, rule, value)
    for key in value:
        if not isinstance(key, str):
            raise InvalidValue.of(name, rule, value)
    return value


def check_kind(value: T, name: str, kind: type[T], source: str) -> T:
    """Return `value` if it is of the kind that `source` returns."""
    if not isinstance(value, kind):
        raise InvalidValue.of(name, f"be a {kind.__name__}, as {source} returns it", value)
    return value


def check_choice(value: str, name: str, choices: Collection[str]) -> str:
    """Return `value` if it is one of `choices`, else raise InvalidValue naming them."""
    if not isinstance(value, str) or value not in choices:
        rule = f"be one of {', '.join(map(repr, choices))}"
        raise InvalidValue.of(name, rule, value, choices=choices)
    return value


def check_flag(value: bool, name: str) -> bool:  # noqa: FBT001 - it is what is checked
    """Return `value` if it is True or False; "no" would be true."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidValue.of(name, "be True or False", value)
    return bool(value)


def check_level(level: float) -> float:
    """Return the confidence level if it lies strictly between 0 and 1."""
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise InvalidValue.of("level", "be a fraction strictly between 0 and 1", level)
    return float(level)


def check_fraction(value: float, name: str) -> float:
    """Return `value` if it lies in [0, 1]."""
    if isinstance(value, bool) or not is_number(value) or not 0 <= value <= 1:
        raise InvalidValue.of(name, "be a fraction in [0, 1]", value)
    return float(value)


def check_duration(value: timedelta | str, name: str) -> timedelta:
    """Return a positive `timedelta`, which a string such as "30d" may say; numbers have no unit."""
    given = value
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        try:
            value = float(match[1]) * _UNITS[match[2]] if match else value
        except OverflowError:
            value = timedelta.max
    if not isinstance(value, timedelta):
        rule = "be a timedelta or a number with its unit (s, min, h, d, w), such as 30d"
        raise InvalidValue.of(name, f"{rule} (a bare number has none)", given)
    if value <= timedelta(0):
        raise InvalidValue.of(name, "be positive", given)
    if value > _LONGEST:
        raise InvalidValue.of(name, "be at most 100,000,000 days, as 64 bits hold them", given)
    return value


def optional_duration(value: timedelta | str | None, name: str) -> timedelta | None:
    """Return `check_duration` of a value, None where there is none."""
    return None if value is None else check_duration(value, name)


def duration_us(value: timedelta) -> int:
    """Return a duration in whole microseconds."""
    return value // MICROSECOND


def check_rng(rng: np.random.Generator | int | None) -> np.random.Generator:
    """Return a generator: the one given, one seeded by an integer, or a fresh one for None."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng()
    if isinstance(rng, bool) or not isinstance(rng, Integral) or rng < 0:
        raise InvalidValue.of("rng", "be a numpy Generator, a seed from 0 or None", rng)
    return np.random.default_rng(int(rng))


def whole_numbers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """Return the values as int64, or raise InvalidValue where they are no whole numbers."""
    try:
        array = np.asarray(values)
        with np.errstate(invalid="ignore"):  # NaN becomes a number that differs from it
            whole = array.astype(np.int64, copy=False)
    except (TypeError, ValueError, OverflowError):
        raise InvalidValue.of(name, "be whole numbers", values) from None
    if array.dtype.kind not in "iub" and not np.array_equal(whole, array):
        raise InvalidValue.of(name, "be whole numbers", values)
    return whole
