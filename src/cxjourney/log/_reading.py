"""The description of a table: which column holds what, and how it is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal, Self, TypeAlias, TypedDict, Unpack

import attrs
import numpy as np

from cxjourney._support.foreign import foreign
from cxjourney._support.units import EPOCH_UNITS
from cxjourney._support.validation import check_choice, check_name, check_names, optional_duration
from cxjourney._time.timestamps import Timestamps
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.kernels import ArrowStrings, holds_strings
from cxjourney.log._columns import Coded
from cxjourney.log._encode import is_nested, objects_of, refuse_nested
from cxjourney.log._pseudonyms import check_protected
from cxjourney.log._relations import relation_columns
from cxjourney.metrics import Scale
from cxjourney.privacy import PseudonymKey

_PLAIN = {"String", "Categorical", "Enum", "Boolean"}
_BEYOND = {"Int128", "UInt128", "Time"}  # which NumPy does not have
NEEDED = ("customer", "timestamp", "touchpoint")
OPTIONAL_ROLES = (
    "channel", "stage", "owner", "account", "journey", "seq", "score", "emotion", "expectation",
    "value", "duration", "issue",
)  # fmt: skip
EpochUnit: TypeAlias = Literal["s", "ms", "us", "ns"]
_ATTRIBUTE = "attribute:"
_BRING = {"ibis": "to_pyarrow()", "dask": "compute()"}


class FurtherColumns(TypedDict, total=False):
    """The optional arguments of `InteractionLog.from_frame`, where they are documented."""

    channel: str | None
    stage: str | None
    owner: str | None
    account: str | None
    journey: str | None
    seq: str | None
    score: str | None
    scale: Scale | None
    emotion: str | None
    expectation: str | None
    value: str | None
    currency: str | None
    duration: str | None
    issue: str | None
    attributes: Sequence[str]
    duration_unit: timedelta | str | None
    customers: Any
    pseudonyms: PseudonymKey | None
    tz: str
    timestamp_unit: EpochUnit | None
    missing: Literal["refuse", "drop"]
    observed_until: datetime | str | None
    observed_from: datetime | str | None


def _given(roles: Mapping[str, str | None]) -> dict[str, str]:
    for role, name in roles.items():
        if isinstance(name, (list, dict, set)) or (name is None and role in NEEDED):
            raise InvalidValue.of(f"{argument_of(role)}=", "be the name of a column", name)
    return {role: name for role, name in roles.items() if name is not None}


def _choice(_: Reading, attribute: attrs.Attribute[str], value: str) -> None:
    check_choice(value, attribute.name, ("refuse", "drop"))


def check_epoch_unit(unit: str | None, fmt: str | None) -> None:
    """Raise InvalidValue unless at most one of unit and format is given, and the unit is known."""
    if unit is not None:
        check_choice(unit, "timestamp_unit", tuple(EPOCH_UNITS))
        if fmt is not None:
            raise InvalidValue.of("timestamp_unit", "be left out beside timestamp_format=", unit)


def _epoch_unit(reading: Reading, _: attrs.Attribute[str], value: str | None) -> None:
    check_epoch_unit(value, reading.timestamp_format)


def _unit(value: timedelta | str | None) -> timedelta | None:
    return optional_duration(value, "duration_unit")


def _text_or_none(_: Reading, attribute: attrs.Attribute[str | None], value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise InvalidValue.of(attribute.name, "be a string or None", value)


@attrs.frozen(kw_only=True)
class Reading:
    """Which columns of a table hold what, and how they are read.

    Attributes
    ----------
    roles
        Name of the column of each role; an attribute `x` has the role `attribute:x`.
    currency
        Code of the currency of the values; None where a column names it, or nothing does.
    scale
        What scores and expectations may be; None where nobody said it.
    customers
        A frame with one row a customer; hence Any.
    pseudonyms
        The key whose pseudonyms take the place of ids; None keeps the ids.
    tz
        IANA zone in which timestamps without a zone are read.
    timestamp_format
        `strptime` format of timestamps; None reads ISO 8601.
    timestamp_unit
        What 1 means in timestamps that are numbers since 1970; None refuses numbers.
    duration_unit
        What 1 means in durations that are numbers; None refuses numbers.
    missing
        What becomes of rows without customer, timestamp or touchpoint.
    observed_until, observed_from
        The observation window; None where not given.
    """

    roles: Mapping[str, str] = attrs.field(converter=_given)
    currency: str | None = None
    scale: Scale | None = None
    customers: Any = None
    pseudonyms: PseudonymKey | None = None
    tz: str = "UTC"
    timestamp_format: str | None = attrs.field(default=None, validator=_text_or_none)
    timestamp_unit: EpochUnit | None = attrs.field(default=None, validator=_epoch_unit)
    duration_unit: timedelta | None = attrs.field(default=None, converter=_unit)
    missing: Literal["refuse", "drop"] = attrs.field(default="refuse", validator=_choice)
    observed_until: date | str | None = None
    observed_from: date | str | None = None

    def __attrs_post_init__(self) -> None:
        check_protected(self.roles, self.pseudonyms)

    @classmethod
    def of(
        cls,
        *,
        customer: str,
        timestamp: str | None,
        touchpoint: str,
        timestamp_format: str | None = None,
        **further: Unpack[FurtherColumns],
    ) -> Self:
        """Return the reading that the arguments of `InteractionLog.from_frame` describe."""
        given: dict[str, Any] = {**further}
        roles: dict[str, str | None] = {
            "customer": customer,
            "timestamp": timestamp,
            "touchpoint": touchpoint,
        }
        roles |= {role: given.pop(role, None) for role in OPTIONAL_ROLES}
        if timestamp is None and roles["seq"] is not None:
            del roles["timestamp"]
            for name in ("observed_from", "observed_until"):
                if (moment := given.get(name)) is not None:
                    rule = "be left out where no column has timestamps"
                    raise InvalidValue.of(name, rule, moment)
        code = given.get("currency")
        if code is not None and not is_currency_code(check_name(code, "currency")):
            roles["currency"] = given.pop("currency")
        attributes = check_names(given.pop("attributes", ()), "attributes")
        roles |= {attribute_role(name): name for name in attributes}
        return cls(roles=roles, timestamp_format=timestamp_format, **given)


def attribute_role(name: str) -> str:
    """Return the role of a column that is kept as an attribute."""
    return f"{_ATTRIBUTE}{name}"


def argument_of(role: str) -> str:
    """Return the argument with which a caller names the column of a role."""
    return "attributes" if role.startswith(_ATTRIBUTE) else role.partition(":")[0]


def attribute_name(role: str) -> str | None:
    """Return the name of the attribute whose role it is; None for another role."""
    return role.removeprefix(_ATTRIBUTE) if role.startswith(_ATTRIBUTE) else None


def is_currency_code(currency: str) -> bool:
    """Return whether `currency=` is a code such as "EUR" rather than the name of a column."""
    return len(currency) == 3 and currency.isascii() and currency.isupper()


def check_no_column(literal: str | None, argument: str, present: Collection[str]) -> None:
    """Raise InvalidValue where what an argument says of every row is the name of a column."""
    if literal is not None and literal in present:
        rule = "not be the name of a column, since it holds for every row: rename the column"
        raise InvalidValue.of(argument, rule, literal)


def column_names(frame: Any, argument: str) -> tuple[str, ...]:
    """Return the names of the columns of the frame that an argument is; Any: see `columns_of`.

    Raises
    ------
    InvalidValue
        If it is no frame.
    """
    return _opened(frame, argument)[1]


def columns_of(frame: Any, roles: Mapping[str, str]) -> tuple[dict[str, Any], str | None]:
    """Return the columns of a frame by role, and its library.

    `frame` is any frame that narwhals knows, eager or lazy, or a mapping of names to arrays; in a
    mapping, columns may also be strings in Arrow buffers or coded already, and timestamps placed.

    Raises
    ------
    InvalidValue
        If it is no frame.
    UnknownName
        If it lacks a column.
    """
    opened, present = _opened(frame, "frame")
    for role, name in roles.items():
        if name not in present:
            raise UnknownName.among(f"{argument_of(role)}= column", name, present, where="the data")
    if isinstance(opened, Mapping):
        columns = {role: _checked(_array(opened[name], name)) for role, name in roles.items()}
        lengths = {name: len(columns[role]) for role, name in roles.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidValue.of("frame", "have columns of one length", lengths)
        return columns, None

    import narwhals as nw

    if not isinstance(opened, (nw.DataFrame, nw.LazyFrame)):
        import duckdb

        try:
            found = relation_columns(opened, roles)
        except duckdb.Error as error:
            raise InvalidData(f"the relation cannot be read: {error}") from error
        return {role: _checked(column) for role, column in found.items()}, None
    if isinstance(opened, nw.LazyFrame):
        with foreign("the lazy frame"):
            opened = opened.select(list(dict.fromkeys(roles.values()))).collect()
    library = opened.implementation
    known = library.is_pandas() or library.is_polars() or library.is_pyarrow()
    columns = {role: _checked(opened.get_column(name)) for role, name in roles.items()}
    return columns, str(library) if known else None


def _opened(frame: Any, argument: str) -> tuple[Any, tuple[str, ...]]:
    """Return a mapping, a relation or else a frame of narwhals, and the names of its columns."""
    if isinstance(frame, Mapping):
        return frame, tuple(frame)

    import narwhals as nw

    if nw.dependencies.is_duckdb_relation(frame):
        return frame, tuple(frame.columns)
    try:
        wrapped: Any = nw.from_native(frame)
        if isinstance(wrapped, nw.LazyFrame):
            _check_local(wrapped.implementation, argument)
        names = tuple(wrapped.collect_schema().names())
    except TypeError as error:
        raise InvalidValue.of(
            argument,
            "be a pandas, polars, pyarrow or DuckDB table, or a mapping of names to arrays",
            type(frame).__name__,
        ) from error
    except nw.exceptions.DuplicateError as error:
        raise InvalidValue(f"{argument} must have one column of each name") from error
    except UnicodeError as error:  # half a character in the name of a column of pandas
        raise InvalidValue(f"{argument} must have columns whose names are Unicode") from error
    return wrapped, names


def _check_local(library: Any, argument: str) -> None:
    """Raise InvalidValue where a lazy frame stands for rows that lie elsewhere; Any: narwhals'."""
    if library.is_polars():
        return
    bring = "toPandas()" if library.is_spark_like() else _BRING.get(str(library), "collect()")
    raise InvalidValue(
        f"{argument} must hold its rows on this machine; those of a frame of {library} lie "
        "elsewhere, and are not fetched without a word: count them there with the query of "
        "cx.sharded.counts_query(), or keep the customers of a sample, all rows of each, and pass "
        f"what {bring} makes of them"
    )


def _array(values: Any, name: str) -> Any:
    """Return a column of a mapping as an array, or as what else stands for a column."""
    if isinstance(values, (ArrowStrings, Coded, Timestamps)):
        return values
    if isinstance(values, np.ndarray):
        if values.ndim != 1 or values.dtype.kind == "V":
            raise InvalidValue.of(f"column {name!r}", "have one value a row", values.shape)
        return values
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InvalidValue.of(f"column {name!r}", "be a list or an array", type(values).__name__)

    import narwhals as nw

    if hasattr(values, "to_pylist"):  # an Arrow array, which narwhals takes in chunks only
        import pyarrow as pa

        values = pa.chunked_array([values]) if isinstance(values, pa.Array) else values
    column = nw.from_native(values, series_only=True, pass_through=True)
    return column if isinstance(column, nw.Series) else objects_of(list(values))


def _checked(column: Any) -> Any:
    """Return a column of single values: one of an uncommon type as an array of its objects.

    Raises
    ------
    InvalidData
        If cells are lists, bytes and the like.
    """
    if isinstance(column, np.ndarray):
        if column.dtype == object:
            refuse_nested(list(np.ma.getdata(column)))
        elif column.dtype.kind == "S":
            refuse_nested(column.tolist())
        return column
    if isinstance(column, (ArrowStrings, Coded, Timestamps)):
        return column
    dtype = column.dtype
    plain = dtype.is_temporal() or dtype.is_numeric() or str(dtype) in _PLAIN
    native = column.to_native()
    if str(dtype) == "Categorical" and column.implementation.is_pyarrow():
        plain = str(native.type.value_type) in {"string", "large_string"}
    elif str(dtype) == "Categorical" and column.implementation.is_pandas():
        plain = not any(map(is_nested, set(map(type, native.cat.categories))))
    if plain and str(dtype) not in _BEYOND:
        return column
    if str(dtype) == "Object" and column.implementation.is_pandas() and holds_strings(native):
        return column
    objects = objects_of(column.to_list())
    refuse_nested(list(objects))
    return objects
