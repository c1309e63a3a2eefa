"""From a data frame to the sorted columns of a log."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.frozen import seal
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.parallel import side_by_side
from cxjourney._support.validation import check_choice
from cxjourney._time.timestamps import Timestamps, read_timestamps
from cxjourney.domain import check_name
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.kernels import ArrowStrings, gather, order_rows
from cxjourney.log._columns import Coded, Columns
from cxjourney.log._encode import encode_ids, encode_names, encode_values, numbers
from cxjourney.log._relations import relation_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Intake", "Parts", "columns_of", "from_columns", "sort_columns"]

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
    """

    rows: int = 0
    dropped: Mapping[str, int] = attrs.field(factory=dict)
    naive: int = 0
    tz: str = "UTC"
    ambiguous: int = 0
    nonexistent: int = 0
    out_of_order: int = 0


@attrs.frozen(kw_only=True)
class Parts:
    """Everything that a log is made of."""

    columns: Columns
    customer_ids: Sequence[str]
    account: Coded | None
    customer_attributes: Mapping[str, Coded]
    currency: str | None
    intake: Intake
    backend: str | None


def columns_of(
    frame: Any, wanted: Mapping[str, str | None], attributes: Sequence[str]
) -> tuple[dict[str, Any], str | None]:
    """Return the wanted columns by role, attributes by `"attribute:name"`, and the backend.

    `frame` is any frame that narwhals knows, eager or lazy, or a mapping of names to arrays; in a
    mapping, columns may also be strings in Arrow buffers or coded already, and timestamps placed.
    """
    roles = {role: name for role, name in wanted.items() if name is not None}
    roles |= {f"attribute:{name}": name for name in attributes}
    if isinstance(frame, Mapping):
        _check_columns(roles, tuple(frame))
        return {role: _array(frame[name]) for role, name in roles.items()}, None

    import narwhals as nw

    if nw.dependencies.is_duckdb_relation(frame):
        _check_columns(roles, tuple(frame.columns))
        return relation_columns(frame, roles), None
    try:
        wrapped = nw.from_native(frame)
    except TypeError as error:
        raise InvalidValue.of(
            "frame",
            "be a pandas, polars, pyarrow or DuckDB table, or a mapping of names to arrays",
            type(frame).__name__,
        ) from error
    _check_columns(roles, tuple(wrapped.collect_schema().names()))
    distinct = list(dict.fromkeys(roles.values()))
    if isinstance(wrapped, nw.LazyFrame):
        wrapped = wrapped.select(distinct).collect()
    backend = wrapped.implementation
    name = str(backend) if backend.is_pandas() or backend.is_polars() else None
    name = "pyarrow" if backend.is_pyarrow() else name
    return {role: wrapped[column] for role, column in roles.items()}, name


def _array(values: Any) -> Any:
    if isinstance(values, (np.ndarray, ArrowStrings, Coded, Timestamps)):
        return values
    return np.array(list(values), dtype=object)


def _check_columns(roles: Mapping[str, str], present: tuple[str, ...]) -> None:
    for role, name in roles.items():
        if name not in present:
            argument = role.partition(":")[0]
            raise UnknownName.among(f"{argument}= column", name, present, where="the data")


def from_columns(
    columns: Mapping[str, Any],
    *,
    backend: str | None,
    currency: str | None,
    tz: str,
    timestamp_format: str | None,
    missing: str,
    customers: Any,
    customer_column: str,
) -> Parts:
    """Encode, check and sort the columns of a frame."""
    check_choice(missing, "missing", ("refuse", "drop"))
    n = len(columns["customer"])
    customer, touchpoint, timestamps = side_by_side(
        n,
        lambda: encode_ids(columns["customer"]),
        lambda: _names(columns["touchpoint"], "touchpoint"),
        lambda: read_timestamps(columns["timestamp"], tz=tz, fmt=timestamp_format),
    )
    keep, dropped = _present(
        {
            "customer": _absent(customer),
            "timestamp": timestamps.missing,
            "touchpoint": _absent(touchpoint),
        },
        missing,
    )
    coded = {"touchpoint": touchpoint}
    coded |= {role: _names(columns[role], role) for role in NAMED if role in columns}
    coded |= {role: encode_ids(columns[role]) for role in IDENTIFIED if role in columns}
    numeric = {role: numbers(columns[role], role) for role in NUMERIC if role in columns}
    if "emotion" in columns:
        numeric["emotion"] = _valence(columns["emotion"])
    if "duration" in columns:
        numeric["duration_us"] = _durations(columns["duration"])
    attributes = {
        role.partition(":")[2]: encode_values(values)
        for role, values in columns.items()
        if role.startswith("attribute:")
    }
    seq = _seq(columns["seq"]) if "seq" in columns else None
    account = encode_ids(columns["account"]) if "account" in columns else None
    code = currency
    if "currency" in columns:
        code = _one_currency(columns["currency"])
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
    if account is not None and order is not None:
        account = account.take(order)
    return Parts(
        columns=sorted_columns,
        customer_ids=ids,
        account=None if account is None else _per_customer(account, sorted_columns, "account"),
        customer_attributes=_customer_attributes(customers, customer_column, ids),
        currency=code,
        intake=_intake(n, dropped, timestamps, tz, out_of_order),
        backend=backend,
    )


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


def _intake(
    rows: int, dropped: Mapping[str, int], timestamps: Timestamps, tz: str, out_of_order: int
) -> Intake:
    return Intake(
        rows=rows,
        dropped=FrozenMapping(dropped),
        naive=timestamps.n_naive,
        tz=tz,
        ambiguous=timestamps.n_ambiguous,
        nonexistent=timestamps.n_nonexistent,
        out_of_order=out_of_order,
    )


def _names(column: Any, role: str) -> Coded:
    coded = encode_names(column)
    for name in coded.names:
        check_name(name, role)
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
    values = numbers(column, "emotion")
    outside = np.flatnonzero(np.abs(values) > 1)  # NaN compares false
    if len(outside):
        raise InvalidData.at_rows("emotion is outside [-1, 1]", outside.tolist())
    return values


def _durations(column: Any) -> NDArray[np.float64]:
    """Return durations in microseconds, NaN where missing."""
    if isinstance(column, np.ndarray):
        if column.dtype.kind not in "mO":
            raise InvalidValue.of(
                "duration", "be a column of durations: a number has no unit", str(column.dtype)
            )
        spans = np.ma.filled(column.astype("m8[us]"), np.timedelta64("NaT"))
    else:
        import narwhals as nw

        if not isinstance(column.dtype, nw.Duration):
            raise InvalidValue.of(
                "duration", "be a column of durations: a number has no unit", str(column.dtype)
            )
        spans = column.to_numpy().astype("m8[us]")
    values = np.where(np.isnat(spans), np.nan, spans.astype(np.int64).astype(np.float64))
    negative = np.flatnonzero(values < 0)
    if len(negative):
        raise InvalidData.at_rows("duration is negative", negative.tolist())
    return values


def _seq(column: Any) -> NDArray[np.int64]:
    """Return the explicit order; missing sorts first. Integers stay exact beyond 2**53."""
    if isinstance(column, np.ndarray):
        whole = column.dtype.kind in "iu"
        missing = np.ma.getmaskarray(column)
    else:
        whole = column.dtype.is_integer()
        missing = column.is_null().to_numpy()
    if whole:
        if isinstance(column, np.ndarray):
            seq = np.ma.getdata(column).astype(np.int64)
        else:
            filled = column.fill_null(0) if missing.any() else column
            seq = np.array(filled.to_numpy(), dtype=np.int64)
        return np.where(missing, NO_SEQ, seq)
    values = numbers(column, "seq")
    known = ~np.isnan(values)
    if np.any(values != np.floor(values), where=known):
        raise InvalidValue.of("seq", "be a column of whole numbers", "fractions")
    seq = np.full(len(values), NO_SEQ, dtype=np.int64)
    seq[known] = values[known].astype(np.int64)
    return seq


def _one_currency(column: Any) -> str | None:
    codes = encode_names(column).names
    if len(codes) > 1:
        raise InvalidData(
            f"currency has {len(codes)} values ({', '.join(codes)}); money is never summed "
            "across currencies: convert first, or build one log a currency"
        )
    return codes[0] if codes else None


def _per_customer(coded: Coded, columns: Columns, what: str) -> Coded:
    """Return one value a customer from one a row, refusing customers with two."""
    known = coded.codes >= 0
    customer = columns.customer
    value = np.full(columns.n_customers, -1, dtype=np.int64)
    value[customer[known]] = coded.codes[known]
    clash = np.unique(customer[known][value[customer[known]] != coded.codes[known]])
    if len(clash):
        raise InvalidData(f"{len(clash):,} customers have more than one {what}")
    return Coded(value, coded.names)


def _customer_attributes(customers: Any, key: str, ids: Sequence[str]) -> Mapping[str, Coded]:
    """Return the attributes of each customer of the log, from a frame with one row a customer."""
    if customers is None:
        return {}
    import narwhals as nw

    if isinstance(customers, Mapping):
        names = tuple(customers)
    elif nw.dependencies.is_duckdb_relation(customers):
        names = tuple(customers.columns)
    else:
        names = tuple(nw.from_native(customers).collect_schema().names())
    if key not in names:
        raise UnknownName.among("customer= column", key, names, where="customers=")
    others = [name for name in names if name != key]
    columns, _ = columns_of(customers, {"customer": key}, others)
    known = encode_ids(columns["customer"])
    if len(known.names) < len(known):
        raise InvalidData("customers= must hold one row a customer, each with an id")
    row_of = {known.names[code]: row for row, code in enumerate(known.codes.tolist())}
    rows = np.array([row_of.get(customer, -1) for customer in ids], dtype=np.int64)
    result = {}
    for name in others:
        coded = encode_values(columns[f"attribute:{name}"])
        codes = np.append(coded.codes, -1)
        result[name] = Coded(codes[rows], coded.names)
    return result
