"""A log as a plain dictionary of columns, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

from cxjourney._support.serialize import SCHEMA_VERSION, check_stamp, value_of
from cxjourney._support.text import check_unicode
from cxjourney._time.zones import FIRST_US, LAST_US
from cxjourney.domain import (
    Account,
    Channel,
    Customer,
    Touchpoint,
    check_not_reserved,
    from_plain,
    to_plain,
)
from cxjourney.exceptions import InvalidValue
from cxjourney.log._columns import Coded, Columns
from cxjourney.log._encode import narrow
from cxjourney.log._ingest import IDENTIFIED, NAMED, NO_SEQ, Intake, on_scale
from cxjourney.log._objects import Catalogue
from cxjourney.log._reading import is_currency_code
from cxjourney.metrics import Scale

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxjourney._support.array_types import Ints
    from cxjourney.log._interaction_log import InteractionLog

L = TypeVar("L", bound="InteractionLog")

_NODES = ("touchpoint", *NAMED)
_CODED = (*_NODES, *IDENTIFIED, "emotion_label")
_NUMERIC = ("score", "emotion", "arousal", "expectation", "value", "duration_us")
_MOST_LABELS = 1_000


def to_dict(log: InteractionLog) -> dict[str, Any]:
    """Return the log as a JSON-ready dictionary of columns.

    Its ids stand in it. Numbers that are missing are None, codes of names that are missing -1.
    """
    columns = log.columns
    for name, coded in (*columns.attributes.items(), *log.customer_attributes.items()):
        for value in coded.names:
            _attribute(value, f"attribute {name!r}")
    return {
        "schema": SCHEMA_VERSION,
        "type": type(log).__name__,
        "customers": list(log.customer_ids),
        "rows": np.diff(columns.offsets).tolist(),
        "time": None if columns.time is None else columns.time.tolist(),
        "seq": None if columns.seq is None else columns.seq.tolist(),
        "names": {name: _coded(coded) for name, coded in columns.coded.items()},
        "numbers": {
            name: [None if v != v else v for v in values.tolist()]  # noqa: PLR0124 - NaN
            for name, values in columns.numeric.items()
        },
        "attributes": {name: _coded(coded) for name, coded in columns.attributes.items()},
        "account": None if log.account is None else _coded(log.account),
        "customer_attributes": {n: _coded(coded) for n, coded in log.customer_attributes.items()},
        "touchpoints": [to_plain(one) for one in log.catalogue.touchpoints.values()],
        "channels": [to_plain(one) for one in log.catalogue.channels.values()],
        "currency": log.currency,
        "scale": None if log.scale is None else attrs.asdict(log.scale),
        "key_id": log.key_id,
        "observed_from_us": log.observed_from_us,
        "observed_until_us": log.observed_until_us,
        "intake": attrs.asdict(log.intake, recurse=False) | {"dropped": dict(log.intake.dropped)},
    }


def _coded(coded: Coded) -> dict[str, Any]:
    return {"names": [to_plain(name) for name in coded.names], "codes": coded.codes.tolist()}


def log_of_dict(cls: type[L], data: Mapping[str, Any]) -> L:
    """Return the log whose `to_dict` is `data`; see `InteractionLog.from_dict`."""
    check_stamp(data, cls.__name__)
    ids = _list(data, "customers")
    for one in ids:
        Customer(one)  # an id stands in no message, but what is none does
    if len(set(ids)) < len(ids):
        raise InvalidValue("customers must each be there once")
    rows = _whole(data, "rows", len(ids), 1, 2**40)
    offsets = np.append(0, np.cumsum(rows)).astype(np.int64)
    n = int(offsets[-1])
    time, seq = _times(data, offsets)
    scale = _scale(data.get("scale"))
    numeric = {
        name: _numbers(values, name, n) for name, values in _mapping(data, "numbers").items()
    }
    coded = {
        name: _names(column, name, n, _name_of(name))
        for name, column in _mapping(data, "names").items()
    }
    if "touchpoint" not in coded or (coded["touchpoint"].codes < 0).any():
        raise InvalidValue("names must have a touchpoint for each row")
    until, since = (
        value_of(int | None, data.get(name), name)
        for name in ("observed_until_us", "observed_from_us")
    )
    for name, us in (("observed_until_us", until), ("observed_from_us", since)):
        if us is not None and not FIRST_US <= us <= LAST_US:
            raise InvalidValue.of(name, "lie within the years 1 to 9999", us)
    if since is not None and until is not None and since > until:
        raise InvalidValue("observed_from_us must not lie after observed_until_us")
    if until is None and time is not None and n:
        raise InvalidValue("observed_until_us must be given of a log with times")
    currency, key_id = (
        value_of(str | None, data.get(name), name) for name in ("currency", "key_id")
    )
    if currency is not None and not is_currency_code(currency):
        rule = "be a code of three capital letters like 'EUR'"
        raise InvalidValue.of("currency", rule, currency)
    intake = value_of(Intake, data.get("intake", {}), "intake")
    account = data.get("account")
    return cls(
        columns=Columns(
            offsets=offsets,
            time=time,
            seq=seq,
            coded=coded,
            numeric=on_scale(numeric, scale),
            attributes=_attributes(data, "attributes", n),
        ),
        customer_ids=tuple(ids),
        account=None if account is None else _names(account, "account", len(ids), _account),
        customer_attributes=_attributes(data, "customer_attributes", len(ids)),
        catalogue=Catalogue(
            touchpoints={x.name: x for x in _objects(data, "touchpoints", Touchpoint)},
            channels={x.name: x for x in _objects(data, "channels", Channel)},
        ),
        currency=currency,
        scale=scale,
        key_id=key_id,
        observed_from_us=since,
        observed_until_us=until,
        intake=intake,
    )


def _times(data: Mapping[str, Any], offsets: Ints) -> tuple[Ints | None, Ints | None]:
    """Return times and places among equal ones, which must be in order."""
    n = int(offsets[-1])
    time = None if data.get("time") is None else _whole(data, "time", n, FIRST_US, LAST_US)
    seq = None if data.get("seq") is None else _whole(data, "seq", n, NO_SEQ, -(NO_SEQ + 1))
    begins = np.zeros(n, dtype=np.bool_)
    begins[offsets[:-1]] = True
    still = ~begins[1:]
    if time is not None:
        if (still & (time[1:] < time[:-1])).any():
            raise InvalidValue("time must not go back within a customer")
        still &= time[1:] == time[:-1]
    if seq is not None and (still & (seq[1:] < seq[:-1])).any():
        raise InvalidValue("seq must not go back at one time of a customer")
    return time, seq


def _names(column: Any, name: str, n: int, check: Callable[[Any, str], Any]) -> Coded:
    if not isinstance(column, Mapping):
        raise InvalidValue.of(name, "be a dict of names and codes", type(column).__name__)
    given = _list(column, "names", name)
    names = tuple(check(one, name) for one in given)
    if len({(type(one), one) for one in names}) < len(names):
        raise InvalidValue(f"{name}.names must be there once each")
    codes = _whole(column, "codes", n, -1, len(names) - 1, name)
    return Coded(narrow(codes, len(names)), names)


def _name_of(column: str) -> Callable[[Any, str], str]:
    if column not in _CODED:
        raise InvalidValue.of("names", f"be those of {', '.join(_CODED)}", column[:50])
    return check_not_reserved if column in _NODES else _text


def _text(value: Any, name: str) -> str:
    check_unicode(value_of(str, value, name))
    return str(value)


def _attribute(value: Any, name: str) -> Any:
    if not isinstance(value, (str, int, float)) or value in {math.inf, -math.inf}:
        raise InvalidValue.of(name, "be of str, int, float or bool to be JSON", value)
    if isinstance(value, str):
        check_unicode(value)
    if value != value:  # noqa: PLR0124 - NaN
        raise InvalidValue(f"{name} must not hold NaN: leave it out")
    return value


def _account(value: Any, name: str) -> Account:
    return from_plain(Account, value, name) if isinstance(value, Mapping) else Account(value)


def _attributes(data: Mapping[str, Any], name: str, n: int) -> dict[str, Coded]:
    return {
        key: _names(one, f"{name}.{key[:50]}", n, _attribute)
        for key, one in _mapping(data, name).items()
    }


def _objects(data: Mapping[str, Any], name: str, cls: Any) -> list[Any]:
    return [
        from_plain(cls, one, f"{name}[{i}]") if isinstance(one, Mapping) else cls(one)
        for i, one in enumerate(_list(data, name))
    ]


def _numbers(values: Any, name: str, n: int) -> Any:
    if name not in _NUMERIC:
        raise InvalidValue.of("numbers", f"be those of {', '.join(_NUMERIC)}", name[:50])
    good = isinstance(values, (list, tuple)) and set(map(type, values)) <= {int, float, type(None)}
    try:
        array = np.array([math.nan if v is None else v for v in values] if good else [math.inf])
        array = array.astype(np.float64)
    except OverflowError:  # a whole number that no float holds
        array = np.array([math.inf])
    low, high = {"emotion": (-1, 1), "arousal": (0, 1), "duration_us": (0, 1e19)}.get(
        name, (-math.inf, math.inf)
    )
    if array.shape != (n,) or np.isinf(array).any() or (array < low).any() or (array > high).any():
        raise InvalidValue(f"numbers.{name} must be {n:,} numbers, each None or in its range")
    return array


def _whole(  # noqa: PLR0917 - what is read, and what it may be
    data: Mapping[str, Any], name: str, n: int, low: int, high: int, of: str = ""
) -> Ints:
    values, path = _list(data, name), f"{of}.{name}".lstrip(".")
    good = all(type(v) is int and low <= v <= high for v in values)
    if not good or len(values) != n:
        raise InvalidValue(f"{path} must be {n:,} whole numbers from {low} to {high}")
    return np.array(values, dtype=np.int64)


def _scale(data: Any) -> Scale | None:
    if data is None:
        return None
    labels = data.get("labels") if isinstance(data, Mapping) else None
    if isinstance(labels, (list, tuple)) and len(labels) > 0:
        ends = [value_of(float, data.get(end), f"scale.{end}") for end in ("low", "high")]
        if not ends[1] - ends[0] <= _MOST_LABELS:
            raise InvalidValue(f"scale must have at most {_MOST_LABELS:,} labels")
    scale: Scale = value_of(Scale, data, "scale")
    return scale


def _list(data: Mapping[str, Any], name: str, of: str = "") -> Sequence[Any]:
    values = data.get(name)
    if not isinstance(values, (list, tuple)):
        raise InvalidValue.of(f"{of}.{name}".lstrip("."), "be a list", type(values).__name__)
    return values


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise InvalidValue.of(name, "be a dict of columns", type(found).__name__)
    check_unicode(*found)
    return found
