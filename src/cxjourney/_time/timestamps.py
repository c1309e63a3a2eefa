"""Columns of timestamps, as strings or `datetime64`, in UTC microseconds.

There is one parser for every way in. It reads each distinct string of a column once; no session
zone, no locale and no guess about the order of day and month takes part. Where kernels are
compiled, ISO strings in Arrow buffers are read by the same grammar row by row; a column with a
string that does not fit comes here.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from numbers import Number
from typing import TYPE_CHECKING, Any, Self

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.units import EPOCH_UNITS, numbers_us, whole_us
from cxjourney._time.timestamp_format import Moment, epoch_reader, format_reader, read_iso
from cxjourney._time.zones import FIRST_US, LAST_US, check_zone, localise
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.kernels import ArrowStrings, arrow_strings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxjourney._support.array_types import Ints

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 1 << 20  # rows whose distinct strings are held at a time
_LONGEST = 64  # no timestamp is longer
_NAIVE, _AWARE, _BLANK, _BAD = range(4)  # kinds of strings
_MISSING_TYPES = frozenset({"NoneType", "NAType", "NaTType", "Null"})
_OUTSIDE = "outside the years 1 to 9999"
_NO_UNIT = (
    "be a column of dates or strings: a number has no unit, which timestamp_unit= states as "
    f"one of {', '.join(map(repr, EPOCH_UNITS))}"
)


@attrs.frozen(kw_only=True, eq=False)
class Timestamps:
    """A column of timestamps on the UTC axis.

    Attributes
    ----------
    us
        Microseconds since 1970-01-01 UTC; 0 where missing.
    missing
        Whether the row has no timestamp: null, NaT, or an empty string.
    n_naive
        Timestamps without an offset, read in `tz`.
    n_ambiguous
        Naive timestamps that the clock of `tz` showed twice; the earlier instant was taken.
    n_nonexistent
        Naive timestamps that the clock of `tz` skipped; the offset before the change was taken.
    """

    us: NDArray[np.int64]
    missing: NDArray[np.bool_]
    n_naive: int = 0
    n_ambiguous: int = 0
    n_nonexistent: int = 0

    @classmethod
    def placed(cls, us: NDArray[np.int64], *, name: str = "timestamp") -> Self:
        """Return timestamps that are instants already.

        Parameters
        ----------
        us
            Microseconds since 1970-01-01 UTC; masked where missing.
        name
            Name of the column, for messages.

        Raises
        ------
        InvalidData
            If one lies outside the years 1 to 9999; carries the row numbers.
        """
        missing = np.ma.getmaskarray(us)
        placed = np.where(missing, 0, np.ma.getdata(us)).astype(np.int64)
        _refuse(_outside(placed), _OUTSIDE, placed, name)
        return cls(us=placed, missing=missing)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return the timestamps of these rows, of which no more are naive than there are."""
        us, missing = self.us[rows], self.missing[rows]
        return attrs.evolve(self, us=us, missing=missing, n_naive=min(self.n_naive, len(us)))

    @classmethod
    def stacked(cls, parts: Sequence[Self]) -> Self:
        """Return timestamps one below the other."""
        return cls(
            us=np.concatenate([part.us for part in parts]),
            missing=np.concatenate([part.missing for part in parts]),
            n_naive=sum(part.n_naive for part in parts),
            n_ambiguous=sum(part.n_ambiguous for part in parts),
            n_nonexistent=sum(part.n_nonexistent for part in parts),
        )


def to_utc_us(
    values: NDArray[Any],
    *,
    tz: str = "UTC",
    fmt: str | None = None,
    unit: str | None = None,
    name: str = "timestamp",
) -> Timestamps:
    """Turn a column of timestamps into UTC microseconds.

    Parameters
    ----------
    values
        One-dimensional array of text (str, object or `StringDType`), of naive `datetime64`, or of
        numbers where `unit` or `fmt` says what they mean. Objects that are dates or datetimes are
        read as their ISO text. A masked array's masked rows are missing.
    tz
        IANA name of the zone in which timestamps without an offset are read.
    fmt
        `strptime` format of the text; None reads ISO 8601. See Notes.
    unit
        What 1 means where the column holds numbers, or strings of them, counted from 1970-01-01
        UTC: "s", "ms", "us" or "ns".
    name
        Name of the column, for messages.

    Returns
    -------
    Timestamps
        The instants, which rows have none, and how many needed `tz`.

    Raises
    ------
    InvalidData
        If a string is not a timestamp or lies outside the years 1 to 9999; carries the row numbers.
    InvalidValue
        If the array holds neither text nor `datetime64`, or numbers without a unit, or `fmt` has
        an unknown directive or two that share digits.
    UnknownName
        If there is no zone `tz`.

    Notes
    -----
    ISO 8601 as it occurs in exports: `2024-03-31`, `2024-03-31T02:30`, `2024-03-31 02:30:00`, or
    without separators `20240331`, `20240331T0230` and `20240331T023000`;
    a fraction after `.` or `,`, then nothing, `Z`, `UTC`, `GMT`, `+01`, `+0100`, `+01:00` or
    `+01:00:00`, with or without a blank before it. Rows with and without an offset may mix in
    a column. Digits beyond the microsecond are cut off, as `datetime.fromisoformat` does; a
    date alone is its midnight. Anything else needs `fmt`, because `03/04/2024` has two readings.

    `fmt` knows %Y %y %m %d %b %B %a %A %H %I %M %S %f %p %z %Z %%, of which the names are
    English, %f takes up to nine digits and %Z only `Z`, `UTC` and `GMT`; and %s, %Q and %q,
    seconds, milliseconds and microseconds since 1970-01-01 UTC. Where no separator stands between
    two directives, each takes all of its digits: `%Y%m%d` reads `20240331`, not `2024331`.

    Daylight saving: see `cxjourney._time.zones.localise`.

    Examples
    --------
    >>> import numpy as np
    >>> from cxjourney._time.timestamps import to_utc_us
    >>> timestamps = to_utc_us(
    ...     np.array(["2024-07-01 12:00", "2024-07-01T12:00:00+02:00", ""]), tz="Europe/Prague"
    ... )
    >>> timestamps.us.view("M8[us]")[:2].astype("M8[s]").astype(str).tolist()
    ['2024-07-01T10:00:00', '2024-07-01T10:00:00']
    >>> timestamps.n_naive, timestamps.missing.tolist()
    (1, [False, False, True])
    """
    zone, kind = check_zone(tz), values.dtype.kind
    _refuse_unit(kind == "M" or None, unit, name)
    if values.dtype == np.dtype("M8[us]") and zone.key == "UTC" and not np.ma.isMA(values):
        us = values.view(np.int64)
        if not len(us) or (us.min() >= FIRST_US and us.max() <= LAST_US):  # NaT is the least
            us.setflags(write=False)
            return Timestamps(us=us, missing=np.zeros(len(us), dtype=np.bool_), n_naive=len(us))
    if kind in "iuf":
        if unit is not None:
            return _from_numbers(values, unit, name)
        if fmt is None and not _all_missing(values):
            raise InvalidValue.of(name, _NO_UNIT, str(values.dtype))
        values = np.ma.MaskedArray(np.ma.getdata(values).astype(object), np.ma.getmaskarray(values))
    if kind == "M":
        local, missing = _from_datetime64(values, name)
        naive = ~missing
    elif values.dtype.kind in "OUT":
        local, missing, naive = _from_strings(values, fmt, unit, name)
    else:
        raise InvalidValue.of(name, "hold strings or datetime64", str(values.dtype))
    timestamps = _on_axis(local, missing, naive, tz)
    _refuse(_outside(timestamps.us), _OUTSIDE, values, name)
    return timestamps


def _all_missing(values: NDArray[Any]) -> bool:
    """Return whether nothing in a column of numbers needs a unit."""
    gone = np.ma.getmaskarray(values)
    if values.dtype.kind == "f":
        gone = gone | np.isnan(np.ma.getdata(values))
    return bool(gone.all())


def _on_axis(
    local: NDArray[np.int64], missing: NDArray[np.bool_], naive: NDArray[np.bool_], tz: str
) -> Timestamps:
    """Return timestamps, of which the naive ones are what the clock of `tz` showed."""
    placed = localise(local[naive], tz)
    us = local
    us[naive] = placed.us
    us[missing] = 0
    us.setflags(write=False)
    missing.setflags(write=False)
    return Timestamps(
        us=us,
        missing=missing,
        n_naive=int(np.count_nonzero(naive)),
        n_ambiguous=placed.n_ambiguous,
        n_nonexistent=placed.n_nonexistent,
    )


def _outside(us: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (us < FIRST_US) | (us > LAST_US)


def read_timestamps(
    column: Any,
    *,
    tz: str = "UTC",
    fmt: str | None = None,
    unit: str | None = None,
    name: str = "timestamp",
) -> Timestamps:
    """Return a column of any frame as timestamps; see `to_utc_us`.

    Parameters
    ----------
    column
        A narwhals series, an array, strings in Arrow buffers, or timestamps that were placed
        before; hence Any. Timestamps of an aware column are taken as they are.
    tz, fmt, unit, name
        As for `to_utc_us`.

    Raises
    ------
    InvalidData, InvalidValue, UnknownName
        As for `to_utc_us`.
    """
    if isinstance(column, Timestamps):
        _refuse_unit(column, unit, name)
        return column
    if isinstance(column, ArrowStrings):
        timestamps = None if unit or fmt else _from_buffers(column, tz)
        column = column.objects() if timestamps is None else column
    elif isinstance(column, np.ndarray):
        timestamps = None
    else:
        timestamps, column = _of_series(column, tz, None if unit or fmt else "ISO", name)
    _refuse_unit(timestamps, unit, name)
    return timestamps or to_utc_us(column, tz=tz, fmt=fmt, unit=unit, name=name)


def _refuse_unit(times: object, unit: str | None, name: str) -> None:
    """Raise InvalidValue where a unit of numbers is given, and there are times already."""
    if times is not None and unit is not None:
        raise InvalidValue.of("timestamp_unit", f"be left out where {name} has dates", unit)


def _of_series(column: Any, tz: str, form: str | None, name: str) -> tuple[Timestamps | None, Any]:
    """Return a narwhals series as timestamps, or as the array that `to_utc_us` reads."""
    import narwhals as nw

    dtype = column.dtype
    if dtype.is_numeric() and not dtype.is_decimal():
        missing = column.is_null().to_numpy()
        filled = column.fill_null(0) if missing.any() else column
        return None, np.ma.MaskedArray(filled.to_numpy(), missing)
    if dtype == nw.Boolean:
        raise InvalidValue.of(name, _NO_UNIT, str(dtype))
    if isinstance(dtype, (nw.Datetime, nw.Date)):
        values = column.to_numpy()  # instants where there is a zone
        if values.dtype.kind == "M":
            if getattr(dtype, "time_zone", None) is None:
                return None, values
            us, missing = _from_datetime64(values, name)
            return Timestamps.placed(np.ma.MaskedArray(us, missing), name=name), values
    elif dtype == nw.String and form is not None:
        strings = arrow_strings(column.to_native())
        if strings is not None and (timestamps := _from_buffers(strings, tz)) is not None:
            return timestamps, None
    return None, np.array(column.to_list(), dtype=object)


def _from_buffers(strings: ArrowStrings, tz: str) -> Timestamps | None:
    """Return what `to_utc_us` would; None where it might refuse a row."""
    check_zone(tz)
    found = strings.timestamps()
    timestamps = None if found is None else _on_axis(*found, tz)
    return None if timestamps is None or _outside(timestamps.us).any() else timestamps


def utc_us(moment: datetime | date | str, name: str, tz: str) -> int:
    """Return a moment in microseconds since the epoch; a naive one is read in `tz`.

    Raises
    ------
    InvalidValue
        If it is no date, datetime or string in ISO form, or outside the years 1 to 9999.
    UnknownName
        If there is no zone `tz`.
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError as error:
            raise InvalidValue.of(name, "be a datetime or a string in ISO form", moment) from error
    if not isinstance(moment, datetime):
        if not isinstance(moment, date):
            raise InvalidValue.of(name, "be a datetime or a string in ISO form", moment)
        moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - zone follows
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=check_zone(tz))
    us = (moment - _EPOCH) // timedelta(microseconds=1)
    if not FIRST_US <= us <= LAST_US:
        raise InvalidValue.of(name, "lie within the years 1 to 9999 UTC", moment)
    return us


def _from_datetime64(
    values: NDArray[Any], name: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    missing = np.isnat(np.ma.getdata(values)) | np.ma.getmaskarray(values)
    us, outside = whole_us(np.ascontiguousarray(np.ma.getdata(values)))
    outside = (outside | _outside(us)) & ~missing
    _refuse(outside, _OUTSIDE, values, name)
    return us, missing


def _from_numbers(values: NDArray[Any], unit: str, name: str) -> Timestamps:
    numbers = np.ma.getdata(values)
    if numbers.dtype.kind == "f" and numbers.dtype.itemsize < 8:
        raise InvalidValue.of(
            name, "be whole numbers or float64, which hold it", str(numbers.dtype)
        )
    missing = np.ma.getmaskarray(values) | np.isnan(numbers)
    us, outside = numbers_us(numbers, EPOCH_UNITS[unit])
    hint = f'timestamp_unit is "{unit}"'
    _refuse((outside | _outside(us)) & ~missing, _OUTSIDE, numbers, name, hint=hint)
    return Timestamps.placed(np.ma.MaskedArray(us, missing), name=name)


def _from_strings(
    values: NDArray[Any], fmt: str | None, unit: str | None, name: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the wall-clock or UTC microseconds, which are missing, and which are wall-clock."""
    if unit is not None:
        read, hint = epoch_reader(EPOCH_UNITS[unit]), f'timestamp_unit is "{unit}"'
    elif fmt is not None:
        read, hint = format_reader(fmt), f"timestamp_format is {fmt!r}"
    else:
        read = read_iso
        hint = (
            'timestamp_format= reads other forms than ISO 8601, for example "%d.%m.%Y %H:%M", and '
            "timestamp_unit= numbers since 1970"
        )
    strings, missing = _as_strings(values, None if fmt or unit else name)
    n = len(strings)
    us = np.zeros(n, dtype=np.int64)
    kind = np.zeros(n, dtype=np.int8)
    for start in range(0, n, _CHUNK):
        rows = slice(start, start + _CHUNK)
        us[rows], kind[rows] = _read_distinct(strings[rows].tolist(), read)
    missing |= kind == _BLANK
    _refuse((kind == _BAD) & ~missing, "cannot be read", strings, name, hint=hint)
    return us, missing, (kind == _NAIVE) & ~missing


def _read_distinct(
    strings: list[str], read: Callable[[str], Moment | None]
) -> tuple[Ints, NDArray[np.int8]]:
    """Return the microseconds and the kind of each string; equal strings are read once."""
    places = {string: place for place, string in enumerate(dict.fromkeys(strings))}
    us = np.zeros(len(places), dtype=np.int64)
    kind = np.zeros(len(places), dtype=np.int8)
    for string, place in places.items():
        timestamp = string.strip(" \t")
        if not timestamp:
            kind[place] = _BLANK
        elif len(string) > _LONGEST or (moment := read(timestamp)) is None:
            kind[place] = _BAD
        else:
            us[place], kind[place] = moment
    rows = np.fromiter(map(places.__getitem__, strings), dtype=np.intp, count=len(strings))
    return us[rows], kind[rows]


def _as_strings(
    values: NDArray[Any], without_unit: str | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return an array of str, "" where the value is missing, and a mask of those.

    Where `without_unit` names the column, a number in it is refused.
    """
    missing = np.ma.getmaskarray(values).copy()
    strings = np.ma.getdata(values)
    if strings.dtype.kind == "U":
        return strings, missing
    strings = strings.astype(object)
    kinds = np.fromiter(map(id, map(type, strings)), dtype=np.int64, count=len(strings))
    for kind in np.unique(kinds):
        if kind == id(str):
            continue
        rows = np.flatnonzero(kinds == kind)
        if type(strings[rows[0]]).__name__ in _MISSING_TYPES:
            missing[rows] = True
        elif isinstance(strings[rows[0]], float):
            missing[rows[np.isnan(strings[rows].astype(float))]] = True
        number = next((row for row in rows if not missing[row]), None)
        if without_unit and number is not None and isinstance(strings[number], Number | np.bool_):
            raise InvalidValue.of(without_unit, _NO_UNIT, strings[number])
        strings[rows] = strings[rows].astype(str).astype(object)
    strings[missing] = ""
    return strings, missing


def _refuse(
    bad: NDArray[np.bool_], problem: str, values: NDArray[Any], name: str, *, hint: str = ""
) -> None:
    if bad.any():
        rows = np.flatnonzero(bad)
        example = str(values[rows[0]])
        shown = example if len(example) <= _LONGEST else f"{example[:_LONGEST]}…"
        raise InvalidData.at_rows(f"{name} such as {shown!r} {problem}", rows.tolist(), hint=hint)
