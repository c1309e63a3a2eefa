"""Readers of tables with a date column a step, or a state column a period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from cxjourney._support.validation import check_duration, check_names, duration_us
from cxjourney._time.timestamps import Timestamps, read_timestamps, utc_us
from cxjourney._time.zones import LAST_US
from cxjourney.domain import check_not_reserved
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.log import (
    OF_TABLE,
    Coded,
    InteractionLog,
    Reading,
    attribute_role,
    check_epoch_unit,
    check_no_column,
    column_names,
    columns_of,
    encode_ids,
    encode_names,
    encode_numbers,
    encode_values,
    is_currency_code,
    log_of_columns,
    stacked,
    stacked_numbers,
)
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from datetime import date, datetime, timedelta

    from numpy.typing import NDArray

    from cxjourney.log import EpochUnit
    from cxjourney.privacy import PseudonymKey

    Moment = datetime | date | str


def _optional_name(
    _step: StepColumn, attribute: attrs.Attribute[str | None], value: str | None
) -> None:
    if value is not None:
        check_not_reserved(value, attribute.name)


@attrs.frozen
class StepColumn:
    """What a date column of a wide table stands for.

    Attributes
    ----------
    touchpoint
        Name of the touchpoint that the date is of; None where `named_by` tells.
    named_by
        Column that names the touchpoint, row by row.
    channel, stage
        Name of the channel and of the stage of the step, the same in every row; never a column.
    value
        Column with the value of the step [currency of the log].
    """

    touchpoint: str | None = attrs.field(default=None, validator=_optional_name)
    named_by: str | None = attrs.field(default=None, kw_only=True)
    channel: str | None = attrs.field(default=None, kw_only=True, validator=_optional_name)
    stage: str | None = attrs.field(default=None, kw_only=True, validator=_optional_name)
    value: str | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if (self.touchpoint is None) == (self.named_by is None):
            raise InvalidValue.of(
                "StepColumn",
                "have either a touchpoint or named_by=",
                (self.touchpoint, self.named_by),
            )


@forgetting
def from_wide(
    frame: Any,
    *,
    customer: str,
    steps: Mapping[str, str | StepColumn],
    journey: str | None = None,
    account: str | None = None,
    attributes: Sequence[str] = (),
    currency: str | None = None,
    pseudonyms: PseudonymKey | None = None,
    tz: str = "UTC",
    timestamp_format: str | Mapping[str, str] | None = None,
    timestamp_unit: EpochUnit | Mapping[str, EpochUnit] | None = None,
    missing: Literal["refuse", "drop"] = "refuse",
    observed_until: Moment | None = None,
    observed_from: Moment | None = None,
) -> InteractionLog:
    """Return the log of a table with one row a case and one date column a step.

    Parameters
    ----------
    frame
        Whatever `InteractionLog.from_frame` takes; hence Any.
    customer
        Column of customer ids. Where a customer has several rows, `journey` names the cases.
    steps
        Date column to the name of its touchpoint, or to a `StepColumn` where more is known, in the
        order in which steps of one moment come.
    journey, account
        Columns of case and account ids.
    attributes
        Further columns to keep; every interaction of the row carries them.
    currency
        Code of the currency of the values, such as "EUR".
    timestamp_format, timestamp_unit
        As in `InteractionLog.from_frame`, of all date columns alike or by date column; one that is
        left out is read as ISO 8601.
    pseudonyms, tz, missing, observed_until, observed_from
        As in `InteractionLog.from_frame`.

    Returns
    -------
    InteractionLog
        A date that is missing is a step that was not taken. Rows without any step are counted in
        the audit.

    Raises
    ------
    UnknownName
        If a column is not there; the nearest names are in the message.
    InvalidValue
        If a touchpoint, channel or stage is the name of a column that is no step.
    InvalidData
        If cells cannot be read, or an id or a name is missing; carries the rows of `frame`.

    Examples
    --------
    >>> from cxjourney.io import StepColumn, from_wide
    >>> deals = {
    ...     "deal": ["a", "b", "c"],
    ...     "engaged": ["2024-01-02", "2024-01-03", None],
    ...     "closed": ["2024-02-01", None, None],
    ...     "stage": ["Won", "Engaging", "Prospecting"],
    ... }
    >>> log = from_wide(
    ...     deals,
    ...     customer="deal",
    ...     steps={"engaged": "engaged", "closed": StepColumn(named_by="stage")},
    ... )
    >>> [(i.customer.id, i.touchpoint.name) for i in log.interactions()]
    [('a', 'engaged'), ('a', 'Won'), ('b', 'engaged')]
    >>> dict(log.intake.dropped)
    {'rows of the table with no dated step': 1}
    """
    if not isinstance(steps, Mapping):
        raise InvalidValue.of("steps", "be a dict of date columns and their touchpoints", steps)
    plan = {
        column: step if isinstance(step, StepColumn) else StepColumn(step)
        for column, step in steps.items()
    }
    if not plan:
        raise InvalidValue.of("steps", "name at least one date column", steps)
    present = column_names(frame, "frame")
    for column, step in plan.items():
        for kind in ("touchpoint", "channel", "stage"):
            if getattr(step, kind) not in plan:
                check_no_column(getattr(step, kind), f"{kind} of the step {column!r}", present)
    check_no_column(currency, "currency", present)
    formats = _by_column(timestamp_format, plan, "timestamp_format")
    units = _by_column(timestamp_unit, plan, "timestamp_unit")
    for column in plan:
        check_epoch_unit(units[column], formats[column])
    if currency is not None and not is_currency_code(check_not_reserved(currency, "currency")):
        raise InvalidValue.of("currency", 'be a code such as "EUR"', currency)
    of_row: dict[str, str | None] = {"journey": journey, "account": account}
    of_row |= {attribute_role(name): name for name in check_names(attributes, "attributes")}
    of_steps: dict[str, str | None] = {}
    for column, step in plan.items():
        of_steps[f"steps:{column}"] = column
        of_steps[f"named_by:{column}"] = step.named_by
        of_steps[f"value:{column}"] = step.value
    reading = Reading(
        roles={"customer": customer, **of_row, **of_steps},
        currency=currency,
        pseudonyms=pseudonyms,
        tz=tz,
        missing=missing,
        observed_until=observed_until,
        observed_from=observed_from,
    )
    columns, backend = columns_of(frame, reading.roles)
    timestamps = []
    for column in plan:
        fmt, unit = formats[column], units[column]
        cells = columns[f"steps:{column}"]
        timestamps.append(read_timestamps(cells, tz=tz, fmt=fmt, unit=unit, name=column))
    taken = [np.flatnonzero(~s.missing) for s in timestamps]
    rows = np.concatenate(taken)
    ids = encode_ids(columns["customer"])
    touchpoints = [_touchpoints(columns, column, step, len(ids)) for column, step in plan.items()]
    if missing == "refuse":
        _refuse_missing(ids.codes[rows] < 0, rows, customer)
        for step, named, own in zip(plan.values(), touchpoints, taken, strict=True):
            _refuse_missing(named.codes[own] < 0, own, step.named_by or "touchpoint")
    lengths = [len(own) for own in taken]
    long: dict[str, Any] = {
        "customer": ids.take(rows),
        "timestamp": Timestamps.stacked(
            [s.take(own) for s, own in zip(timestamps, taken, strict=True)]
        ),
        "seq": np.repeat(np.arange(len(plan)), lengths),
    }
    long |= stacked(list(map(_names_of_step, plan.values(), touchpoints, taken)), lengths)
    values = stacked_numbers(
        [
            encode_numbers(columns[f"value:{column}"], step.value)[own] if step.value else None
            for (column, step), own in zip(plan.items(), taken, strict=True)
        ],
        lengths,
        np.float64(np.nan),
    )
    long |= {} if values is None else {"value": values}
    for role in of_row.keys() & columns.keys():
        encode = encode_ids if role in {"journey", "account"} else encode_values
        long[role] = encode(columns[role]).take(rows)
    untouched = len(ids) - len(np.unique(rows))
    return log_of_columns(
        InteractionLog,
        long,
        reading,
        backend=backend,
        dropped_before={f"{OF_TABLE}no dated step": untouched},
    )


@forgetting
def from_sequences(
    frame: Any,
    *,
    customer: str,
    states: Mapping[str, Moment] | Sequence[str],
    start: Moment | None = None,
    step: timedelta | str | None = None,
    attributes: Sequence[str] = (),
    pseudonyms: PseudonymKey | None = None,
    tz: str = "UTC",
    missing: Literal["refuse", "drop"] = "refuse",
    observed_until: Moment | None = None,
    observed_from: Moment | None = None,
) -> InteractionLog:
    """Return the log of a table with one row a customer and one state column a period.

    Parameters
    ----------
    frame
        Whatever `InteractionLog.from_frame` takes; hence Any.
    customer
        Column of customer ids, each once.
    states
        State columns in the order of time: names with `start` and `step`, or a mapping from name
        to the moment at which the period begins, for periods of unequal length such as months.
    start, step
        Beginning of the first period, and the length of all.
    attributes
        Further columns to keep, as attributes of the interactions.
    pseudonyms, tz, missing, observed_from
        As in `InteractionLog.from_frame`.
    observed_until
        Until when the customers were observed; None means the beginning of the last period.

    Returns
    -------
    InteractionLog
        One interaction a customer and period, whose touchpoint is the state. A missing state is
        none. `log.collapse_repeats()` keeps the changes of state only.

    Raises
    ------
    UnknownName
        If a column is not there; the nearest names are in the message.
    InvalidValue
        If the moments do not increase, or `start` and `step` are missing or too many.
    InvalidData
        If an id is missing or repeated; carries the rows of `frame`.

    Examples
    --------
    >>> from cxjourney.io import from_sequences
    >>> months = {"id": [1, 2], "jan": ["school", "school"], "feb": ["job", None]}
    >>> log = from_sequences(
    ...     months, customer="id", states={"jan": "2024-01-01", "feb": "2024-02-01"}
    ... )
    >>> [(i.customer.id, f"{i.timestamp:%b}", i.touchpoint.name) for i in log.interactions()]
    [('1', 'Jan', 'school'), ('1', 'Feb', 'job'), ('2', 'Jan', 'school')]
    """
    moments = _moments(states, start, step, tz)
    last = np.datetime64(max(moments.values()), "us").item()
    kept = {attribute_role(name): name for name in check_names(attributes, "attributes")}
    reading = Reading(
        roles={"customer": customer, **{f"states:{name}": name for name in moments}, **kept},
        pseudonyms=pseudonyms,
        tz=tz,
        missing=missing,
        observed_until=f"{last.isoformat()}+00:00" if observed_until is None else observed_until,
        observed_from=observed_from,
    )
    columns, backend = columns_of(frame, reading.roles)
    ids = encode_ids(columns["customer"])
    if missing == "refuse":
        _refuse_missing(ids.codes < 0, np.arange(len(ids)), customer)
    _refuse_repeated(ids, customer)
    coded = [encode_names(columns[f"states:{column}"]) for column in moments]
    taken = [np.flatnonzero(c.codes >= 0) for c in coded]
    rows = np.concatenate(taken)
    lengths = [len(own) for own in taken]
    times = np.repeat(np.array(list(moments.values()), dtype=np.int64), lengths)
    long: dict[str, Any] = {
        "customer": ids.take(rows),
        "timestamp": Timestamps.placed(times),
        **stacked(
            [{"touchpoint": _named(c, own)} for c, own in zip(coded, taken, strict=True)], lengths
        ),
    }
    long |= {role: encode_values(columns[role]).take(rows) for role in kept}
    return log_of_columns(
        InteractionLog,
        long,
        reading,
        backend=backend,
        dropped_before={f"{OF_TABLE}no state": len(ids) - len(np.unique(rows))},
    )


def _by_column(given: Any, steps: Mapping[str, StepColumn], name: str) -> dict[str, Any]:
    """Return what is given for each date column: one for all, or one a column, else None."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(steps, given)
    for column in given:
        if column not in steps:
            raise UnknownName.among(f"{name}= column", column, steps, where="steps=")
    return {column: given.get(column) for column in steps}


def _moments(
    states: Mapping[str, Moment] | Sequence[str],
    start: Moment | None,
    step: timedelta | str | None,
    tz: str,
) -> dict[str, int]:
    """Return the moment of each state column in UTC microseconds."""
    if isinstance(states, str) or not isinstance(states, Iterable) or not states:
        raise InvalidValue.of("states", "name the state columns", states)
    if isinstance(states, Mapping):
        if start is not None or step is not None:
            raise InvalidValue.of(
                "start and step", "be left out where states= has the moments", start
            )
        moments = {
            column: utc_us(when, f"states[{column!r}]", tz) for column, when in states.items()
        }
    else:
        if start is None or step is None:
            raise InvalidValue.of("start and step", "be given with a list of states", (start, step))
        if len(set(states)) < len(states):
            raise InvalidValue.of("states", "name each column once", states)
        first, length = utc_us(start, "start", tz), duration_us(check_duration(step, "step"))
        moments = {column: first + i * length for i, column in enumerate(states)}
        if max(moments.values()) > LAST_US:
            raise InvalidValue.of("states", "begin within the years 1 to 9999", states[-1])
    for (_, before), (column, after) in zip(
        moments.items(), list(moments.items())[1:], strict=False
    ):
        if after <= before:
            raise InvalidValue.of("states", "stand in the order of time", column)
    return moments


def _touchpoints(columns: Mapping[str, Any], column: str, step: StepColumn, n: int) -> Coded:
    if step.touchpoint is not None:
        return Coded(np.zeros(n, dtype=np.int64), (step.touchpoint,))
    return encode_names(columns[f"named_by:{column}"])


def _names_of_step(step: StepColumn, touchpoints: Coded, own: NDArray[np.intp]) -> dict[str, Coded]:
    """Return the touchpoints of the rows that took a step, and its channel and stage."""
    said = {"channel": step.channel, "stage": step.stage}
    whole = {k: Coded(np.zeros(len(own), np.int64), (name,)) for k, name in said.items() if name}
    return {"touchpoint": _named(touchpoints, own), **whole}


def _named(names: Coded, own: NDArray[np.intp]) -> Coded:
    """Return names of some rows; those of other rows may be none that a touchpoint can have."""
    return names.take(own).compacted()


def _refuse_missing(absent: NDArray[np.bool_], rows: NDArray[np.intp], column: str) -> None:
    if absent.any():
        raise InvalidData.at_rows(
            f"{column} is missing",
            np.unique(rows[absent]).tolist(),
            hint='missing="drop" leaves such rows out',
        )


def _refuse_repeated(ids: Coded, column: str) -> None:
    known = np.flatnonzero(ids.codes >= 0)
    _, first = np.unique(ids.codes[known], return_index=True)
    repeated = np.delete(known, first)
    if len(repeated):
        raise InvalidData.at_rows(
            f"{column} repeats an earlier one", repeated.tolist(), hint="one row a customer"
        )
