"""Encoding, checking and sorting of columns into a log."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

from cxjourney._support.frozen import seal
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.parallel import run_parallel
from cxjourney._support.units import numbers_us, whole_us
from cxjourney._support.validation import duration_us
from cxjourney._support.words import counted
from cxjourney._time.timestamps import Timestamps, read_timestamps, utc_us
from cxjourney.domain import check_not_reserved
from cxjourney.exceptions import DataQualityWarning, InvalidData, InvalidValue, UnknownName
from cxjourney.kernels import gather, order_rows
from cxjourney.log._axis import YEARS_AHEAD_US, odd_times
from cxjourney.log._columns import Coded, Columns
from cxjourney.log._encode import (
    encode_ids,
    encode_names,
    encode_numbers,
    encode_values,
    is_missing,
)
from cxjourney.log._pseudonyms import PROTECTED, pseudonymised, refuse_copies
from cxjourney.log._reading import attribute_name, attribute_role, column_names, columns_of
from cxjourney.metrics import check_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.log._interaction_log import InteractionLog
    from cxjourney.log._reading import Reading
    from cxjourney.metrics import Scale
    from cxjourney.privacy import PseudonymKey

L = TypeVar("L", bound="InteractionLog")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NO_SEQ = np.iinfo(np.int64).min
NUMERIC = ("score", "expectation", "value")
NAMED = ("channel", "stage", "owner")
IDENTIFIED = ("journey", "issue")


OF_TABLE = "rows of the table with "
"""What a reason begins with that counts rows of a table with several steps or states a row."""


@attrs.frozen(kw_only=True)
class Intake:
    """What happened to the rows on their way in, for the audit.

    Attributes
    ----------
    rows
        Rows received.
    dropped
        Reason to number of rows left out; what begins with `OF_TABLE` counts rows of the table, of
        which several interactions may come.
    naive
        Timestamps without a zone, read in `tz`.
    tz
        The zone in which naive timestamps were read.
    ambiguous, nonexistent
        Naive timestamps in an hour that a clock change repeats or skips.
    out_of_order
        Rows that stood before an earlier row of the same customer.
    identities
        What each rule of `resolve_identities` did, and how often; empty where it was not asked.
    known_at_us
        The moment of knowledge then [µs]; None where all links counted.
    """

    rows: int = 0
    dropped: Mapping[str, int] = attrs.field(factory=dict)
    naive: int = 0
    tz: str = "UTC"
    ambiguous: int = 0
    nonexistent: int = 0
    out_of_order: int = 0
    identities: Mapping[str, int] = attrs.field(factory=dict)
    known_at_us: int | None = None


def log_of_columns(
    cls: type[L],
    columns: Mapping[str, Any],
    reading: Reading,
    *,
    backend: str | None = None,
    dropped_before: Mapping[str, int] | None = None,
) -> L:
    """Return the log of columns by role: encoded, checked and sorted.

    Any: a column is a narwhals series, an array, strings in Arrow buffers, or coded already.

    Parameters
    ----------
    cls
        The class of the log.
    columns
        The columns by their roles.
    reading
        How they are read; of its roles only the name of the customer column is used.
    backend
        The data-frame library of the input; None where there was none.
    dropped_before
        Reason to number of rows of the table that did not become rows of the columns.
    """
    n, timed = len(columns["customer"]), "timestamp" in columns
    customer, touchpoint, timestamps = run_parallel(
        n,
        lambda: encode_ids(columns["customer"]),
        lambda: _names(columns["touchpoint"], "touchpoint"),
        lambda: read_timestamps(
            columns["timestamp"] if timed else Timestamps.placed(np.zeros(n, dtype=np.int64)),
            tz=reading.tz,
            fmt=reading.timestamp_format,
            unit=reading.timestamp_unit,
        ),
    )
    seq = _seq(columns["seq"]) if "seq" in columns else None
    keep, dropped = _present(
        {
            "customer": _absent(customer),
            "timestamp": timestamps.missing,
            "touchpoint": _absent(touchpoint),
            "seq": None if timed or seq is None else seq == NO_SEQ,
        },
        reading.missing,
    )
    coded = {"touchpoint": touchpoint}
    coded |= {role: _names(columns[role], role) for role in NAMED if role in columns}
    coded |= {role: encode_ids(columns[role]) for role in IDENTIFIED if role in columns}
    numeric = {role: encode_numbers(columns[role], role) for role in NUMERIC if role in columns}
    if "emotion" in columns:
        numeric["emotion"] = _valence(columns["emotion"])
    on_scale(numeric, reading.scale)
    if "duration" in columns:
        numeric["duration_us"] = _durations(columns["duration"], reading.duration_unit)
    attributes = {
        name: encode_values(values)
        for role, values in columns.items()
        if (name := attribute_name(role)) is not None
    }
    account = encode_ids(columns["account"]) if "account" in columns else None
    key = reading.pseudonyms
    if key is not None:
        kept = {**attributes, **{role: coded[role] for role in NAMED if role in coded}}
        further = {role: coded[role] for role in IDENTIFIED if role in coded}
        refuse_copies(kept, customer=customer, account=account, **further)
        customer = pseudonymised(customer, key, "customer")
        account = None if account is None else pseudonymised(account, key, "account")
        coded |= {k: pseudonymised(coded[k], key, k) for k in PROTECTED if k in coded}
    currency = (
        one_currency(encode_names(columns["currency"]).names)
        if "currency" in columns
        else reading.currency
    )
    if keep is not None:
        customer, account = customer.take(keep), None if account is None else account.take(keep)
        coded = {k: v.take(keep) for k, v in coded.items()}
        numeric = {k: v[keep] for k, v in numeric.items()}
        attributes = {k: v.take(keep) for k, v in attributes.items()}
        seq = None if seq is None else seq[keep]
    sorted_columns, ids, order, out_of_order = sort_columns(
        customer,
        timestamps.us if keep is None else timestamps.us[keep],
        seq=seq,
        coded=coded,
        numeric=numeric,
        attributes=attributes,
    )
    if not timed:
        sorted_columns = attrs.evolve(sorted_columns, time=None)
    if account is not None and order is not None:
        account = account.take(order)
    since, until = observation_window(
        sorted_columns.time, reading.observed_from, reading.observed_until, reading.tz
    )
    return cls(
        columns=sorted_columns,
        customer_ids=ids,
        account=None
        if account is None
        else per_customer(account, sorted_columns.customer, len(ids), "account"),
        customer_attributes=_customer_attributes(reading, ids),
        currency=currency,
        scale=reading.scale,
        key_id=None if key is None else key.key_id,
        observed_from_us=since,
        observed_until_us=until,
        intake=Intake(
            rows=n,
            dropped=FrozenMapping(dropped | {k: v for k, v in (dropped_before or {}).items() if v}),
            naive=timestamps.n_naive,
            tz=reading.tz,
            ambiguous=timestamps.n_ambiguous,
            nonexistent=timestamps.n_nonexistent,
            out_of_order=out_of_order,
        ),
        backend=backend,
    )


def observation_window(
    time: NDArray[np.int64] | None,
    observed_from: date | str | None,
    observed_until: date | str | None,
    tz: str,
) -> tuple[int | None, int | None]:
    """Return since when and until when a log was observed [µs], its last timestamp if not given.

    Warns where the times are odd, or lie after the end.
    """
    doubts: tuple[str, ...] = ()
    if observed_until is None:
        until = int(time.max()) if time is not None and len(time) else None
    else:
        until = utc_us(observed_until, "observed_until", tz)
        late = 0 if time is None else int(np.count_nonzero(time > until))
        if late:
            lie = counted(late, "interaction lies", "interactions lie")
            cut = "cut the data there, as log.between() does"
            doubts = (f"{lie} after observed_until and still count: {cut}",)
    if doubts := (*odd_times(time, until, planned_us=YEARS_AHEAD_US), *doubts):
        warnings.warn(" ".join(doubts), DataQualityWarning, stacklevel=4)
    since = None if observed_from is None else utc_us(observed_from, "observed_from", tz)
    if since is not None and until is not None and since > until:
        raise InvalidValue.of(
            "observed_from", f"not lie after observed_until ({observed_until})", observed_from
        )
    return since, until


def sort_columns(
    customer: Coded,
    time: NDArray[np.int64],
    *,
    seq: NDArray[np.int64] | None,
    coded: Mapping[str, Coded],
    numeric: Mapping[str, NDArray[np.float64]],
    attributes: Mapping[str, Coded],
) -> tuple[Columns, Sequence[str], NDArray[np.integer] | None, int]:
    """Return columns in order, customer ids, the order taken, and how many rows were out of it."""
    ids = customer.names
    order, time, offsets, out_of_order = order_rows(customer.codes, time, len(ids), seq)
    present = np.diff(offsets) > 0
    if not present.all():  # ids of rows that were left out, or of categories without a row
        ids = tuple(itertools.compress(ids, present))
        offsets = np.append(offsets[:-1][present], offsets[-1])
    if order is None:
        time = time.copy()  # the caller's own may change
    else:
        seq = None if seq is None else gather(seq, order)
        coded = {name: column.take(order) for name, column in coded.items()}
        numeric = {name: gather(values, order) for name, values in numeric.items()}
        attributes = {name: column.take(order) for name, column in attributes.items()}
    columns = Columns(
        offsets=seal(offsets),
        time=seal(time),
        seq=None if seq is None else seal(seq),
        coded={
            name: column.compacted() if name in {"touchpoint", *NAMED} else column
            for name, column in coded.items()
        },
        numeric={name: seal(values) for name, values in numeric.items()},
        attributes=attributes,
    )
    return columns, ids, order, out_of_order


def _names(column: Any, role: str) -> Coded:
    coded = encode_names(column)
    for name in coded.names:
        check_not_reserved(name, role)
    return coded


def _absent(coded: Coded) -> NDArray[np.bool_] | None:
    """Return which rows have no value; None where all have."""
    return coded.codes < 0 if coded.codes.min(initial=0) < 0 else None


def _present(
    absent: Mapping[str, NDArray[np.bool_] | None], missing: str
) -> tuple[NDArray[np.intp] | None, dict[str, int]]:
    """Return the rows to keep (None for all) and why the others go."""
    found = {role: mask for role, mask in absent.items() if mask is not None and mask.any()}
    if not found:
        return None, {}
    gone = np.zeros_like(next(iter(found.values())))
    dropped = {}
    for role, mask in found.items():
        rows = np.flatnonzero(mask & ~gone)
        if not len(rows):
            continue
        if missing == "refuse":
            raise InvalidData.at_rows(
                f"{role} is missing", rows.tolist(), hint='missing="drop" leaves such rows out'
            )
        dropped[f"{role} is missing"] = len(rows)
        gone |= mask
    return (np.flatnonzero(~gone) if dropped else None), dropped


def _valence(column: Any) -> NDArray[np.float64]:
    values = encode_numbers(column, "emotion")
    outside = np.flatnonzero(np.abs(values) > 1)  # NaN compares false
    if len(outside):
        raise InvalidData.at_rows("emotion is outside [-1, 1]", outside.tolist())
    return values


def on_scale(
    numeric: dict[str, NDArray[np.float64]], scale: Scale | None
) -> dict[str, NDArray[np.float64]]:
    """Return columns of numbers whose scores and expectations are on the scale.

    Raises
    ------
    InvalidValue
        If `scale` is none.
    OutOfScale
        If an answer is off it; carries the positions.
    """
    if scale is not None:
        for role in numeric.keys() & {"score", "expectation"}:
            check_scale(scale).check(numeric[role], role)
        check_scale(scale)
    return numeric


def _durations(column: Any, unit: timedelta | None) -> NDArray[np.float64]:
    """Return durations in microseconds, NaN where missing; numbers are of the unit."""
    spans, missing = _numpy(column)
    if spans.dtype.kind == "f":
        missing |= np.isnan(spans)
    # nothing needs a unit where everything is missing
    length = (1 if missing.all() else None) if unit is None else duration_us(unit)
    if spans.dtype == object:
        kinds = {type(value) for value in spans[~missing]}
        if all(issubclass(kind, (timedelta, np.timedelta64)) for kind in kinds):
            spans, length = np.array(list(map(_span_us, spans, missing)), dtype=np.float64), 1
        elif unit is not None and not any(issubclass(kind, (bool, str)) for kind in kinds):
            spans = encode_numbers(spans, "duration")
    if spans.dtype.kind == "m" and np.datetime_data(spans.dtype)[0] not in {"Y", "M", "generic"}:
        missing |= np.isnat(spans)
        us, outside = whole_us(np.ascontiguousarray(spans))
    elif spans.dtype.kind in "iuf" and length is not None:
        missing |= np.isnan(spans)
        us, outside = numbers_us(spans, length)
    else:
        rule = "be a column of durations: a number has no unit (nor has a month or a year)"
        raise InvalidValue.of("duration", rule, str(spans.dtype))
    for wrong, rows in (
        ("longer than the calendar or without a unit", outside),
        ("negative", us < 0),
    ):
        found = np.flatnonzero(rows & ~missing)
        if len(found):
            raise InvalidData.at_rows(f"duration is {wrong}", found.tolist())
    return np.where(missing, np.nan, us.astype(np.float64))


def _span_us(value: Any, missing: np.bool_) -> float:
    """Return a duration in microseconds, infinite where it does not fit."""
    if missing:
        return np.nan
    if isinstance(value, np.timedelta64):
        (us,), (outside,) = whole_us(np.array([value]))
        return np.inf if outside else float(us)
    return float(duration_us(value))


def _numpy(column: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a column as an array, and where it is null; whole numbers stay whole."""
    if not isinstance(column, np.ndarray):
        missing = column.is_null().to_numpy()
        filled = column.fill_null(0) if column.dtype.is_integer() and missing.any() else column
        column = np.ma.MaskedArray(filled.to_numpy(), missing)
    missing = np.ma.getmaskarray(column).copy()
    values = np.ma.getdata(column)
    if values.dtype == object:
        missing |= np.fromiter(map(is_missing, values), dtype=np.bool_, count=len(values))
    return values, missing


def _seq(column: Any) -> NDArray[np.int64]:
    """Return the explicit order, exact or refused; missing sorts first."""
    values, missing = _numpy(column)
    if values.dtype == object and not _all_whole(values[~missing]):
        values = encode_numbers(values, "seq")
    if values.dtype.kind == "f":
        missing |= np.isnan(values)
        if np.any(values != np.floor(values), where=~missing):
            raise InvalidValue.of("seq", "be a column of whole numbers", "fractions")
    elif values.dtype.kind not in "iubO":
        raise InvalidValue.of("seq", "be a column of whole numbers", str(values.dtype))
    most = -(NO_SEQ + 1)
    if values.dtype.kind == "f":  # what is held exactly
        most = 2 ** (np.finfo(values.dtype).nmant + 1) - 1
    held = np.where(missing, np.zeros(1, dtype=values.dtype), values)
    beyond = np.flatnonzero((held > most) | (held < -most))
    if len(beyond):
        raise InvalidData.at_rows(
            f"seq is beyond {most:,}, where it is not exact,", beyond.tolist()
        )
    return np.where(missing, NO_SEQ, held.astype(np.int64))


def _all_whole(values: NDArray[Any]) -> bool:
    return all(issubclass(kind, (int, np.integer)) for kind in set(map(type, values)))


def one_currency(codes: Collection[str]) -> str | None:
    """Return the one currency among the codes, None where there is none; refuse several."""
    if len(codes) > 1:
        raise InvalidData(
            f"currency has {len(codes)} values ({', '.join(sorted(codes))}); money is never summed "
            "across currencies: convert first, or build one log a currency"
        )
    return next(iter(codes), None)


def moment(us: int) -> datetime:
    """Return a moment that is given in microseconds since the epoch, UTC."""
    return EPOCH + timedelta(microseconds=us)


def per_customer(coded: Coded, customer: NDArray[np.int64], n: int, what: str) -> Coded:
    """Return one value a customer from one a row, refusing customers with two."""
    known = coded.codes >= 0
    value = np.full(n, -1, dtype=np.int64)
    value[customer[known]] = coded.codes[known]
    clash = np.unique(customer[known][value[customer[known]] != coded.codes[known]])
    if len(clash):
        have = counted(len(clash), "customer has", "customers have")
        raise InvalidData(f"{have} more than one {what}")
    return Coded(value, coded.names)


def _customer_attributes(reading: Reading, ids: Sequence[str]) -> Mapping[str, Coded]:
    """Return the attributes of each customer of the log, from a frame with one row a customer."""
    customers, key = reading.customers, reading.roles["customer"]
    if customers is None:
        return {}
    names = column_names(customers, "customers")
    if key not in names:
        raise UnknownName.among("customer= column", key, names, where="customers=")
    others = [name for name in names if name != key]
    return values_of_customers(customers, key, others, ids, pseudonyms=reading.pseudonyms)[0]


def values_of_customers(
    frame: Any,
    key: str,
    names: Collection[str],
    ids: Sequence[str],
    argument: str = "customers=",
    *,
    pseudonyms: PseudonymKey | None = None,
) -> tuple[dict[str, Coded], int]:
    """Return columns of a frame by customer of a log, and how many ids the log does not have.

    Any: see `columns_of`. `key` is the column of the ids, of which the log has the `pseudonyms`.
    """
    roles = {attribute_role(name): name for name in names}
    columns, _ = columns_of(frame, {"customer": key, **roles})
    known = encode_ids(columns["customer"])
    if len(known.names) < len(known):
        raise InvalidData(f"{argument} must hold one row a customer, each with an id")
    values = {name: encode_values(columns[role]) for role, name in roles.items()}
    if pseudonyms is not None:
        refuse_copies(values, customer=known)
        known = pseudonymised(known, pseudonyms, "customer")
    row_of = {known.names[code]: row for row, code in enumerate(known.codes.tolist())}
    rows = np.array([row_of.get(customer, -1) for customer in ids], dtype=np.int64)
    result = {
        name: Coded(np.append(coded.codes, -1)[rows], coded.names) for name, coded in values.items()
    }
    return result, len(known) - int(np.count_nonzero(rows >= 0))
