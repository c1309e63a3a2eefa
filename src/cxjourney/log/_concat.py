"""Logs put together: contacts of one system, orders of another, cases of a third."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Never, TypeVar

import attrs
import numpy as np

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.validation import check_choice
from cxjourney._support.words import counted
from cxjourney.exceptions import DataQualityWarning, InvalidData, InvalidValue
from cxjourney.log._columns import Coded
from cxjourney.log._encode import narrow
from cxjourney.log._ingest import (
    NO_SEQ,
    Intake,
    moment,
    on_scale,
    one_currency,
    per_customer,
    sort_columns,
)
from cxjourney.log._objects import Catalogue
from cxjourney.log._prepare import times_of, with_rows
from cxjourney.log._pseudonyms import key_of
from cxjourney.log._ties import equal_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.log._interaction_log import InteractionLog
    from cxjourney.metrics import Scale

L = TypeVar("L", bound="InteractionLog")
T = TypeVar("T")

_DAY_US = 86_400_000_000
_OUTSIDE = "timestamp is outside the common window"
_AGAIN = "interaction stands in an earlier log too"


def concat(
    cls: type[L],
    logs: Iterable[L],
    *more: Never,
    window: str = "whole",
    duplicates: str = "refuse",
) -> L:
    """Return one log of the interactions of several, which know customers by the same ids.

    Parameters
    ----------
    logs
        The logs, such as contacts of one system, orders of another and cases of a third. What one
        of them does not record is missing for its interactions.
    more
        Nothing: logs are given as one list.
    window
        "whole" was observed from the first beginning to the last end, as for parts of one system;
        "common" keeps what every log observed, as for systems that were exported at different
        times, and counts what lies outside in the audit.
    duplicates
        What becomes of an interaction that equals one of an earlier log in everything but `seq`:
        "refuse" raises, "drop" leaves it out and counts it in the audit, "keep" takes it as a
        contact of its own. Equal interactions within a log stay.

    Returns
    -------
    InteractionLog

    Raises
    ------
    InvalidValue
        If there is no log, or no moment is common to all.
    InvalidData
        If an interaction stands in two logs, or logs differ in the key of their pseudonyms, in
        their currency, in their scale or in what they say of a customer, a touchpoint or a channel.
    TimesRequired
        If a log was made of aggregated paths.

    Notes
    -----
    Journey ids that two logs share are those of one journey.

    Examples
    --------
    >>> from cxjourney import InteractionLog
    >>> roles = {"customer": "who", "timestamp": "when", "touchpoint": "what"}
    >>> web = InteractionLog.from_frame(
    ...     {"who": ["a"], "when": ["2026-01-01"], "what": ["web"]}, **roles
    ... )
    >>> shop = InteractionLog.from_frame(
    ...     {"who": ["a"], "when": ["2026-01-02"], "what": ["order"]}, **roles
    ... )
    >>> [i.touchpoint.name for i in InteractionLog.concat([web, shop]).interactions("a")]
    ['web', 'order']
    """
    check_choice(window, "window", ("whole", "common"))
    check_choice(duplicates, "duplicates", ("refuse", "drop", "keep"))
    if more:
        given = ", ".join(["..."] * (1 + len(more)))
        raise InvalidValue(f"InteractionLog.concat takes one list of logs: concat([{given}])")
    parts = _checked(cls, logs)
    since, until = _window(parts, window)
    received, lengths = parts, [len(part) for part in parts]
    if window == "common":
        parts = [_within(part, since, until) for part in parts]
    outside = sum(lengths) - sum(map(len, parts))
    whole, source = _joined(cls, parts)
    log = attrs.evolve(whole, observed_from_us=since, observed_until_us=until)
    again = _again(log, source)
    if duplicates == "refuse" and again.any():
        stand = counted(int(again.sum()), "interaction stands", "interactions stand")
        raise InvalidData(
            f'{stand} in an earlier log too: duplicates="drop" leaves equal ones out, and '
            'duplicates="keep" counts them as contacts of their own'
        )
    if duplicates == "drop":
        log = with_rows(log, ~again)
    left_out = {_OUTSIDE: outside, _AGAIN: int(again.sum()) if duplicates == "drop" else 0}
    return attrs.evolve(log, intake=_intake(received, left_out, log.intake.out_of_order))


def _checked(cls: type[L], logs: Iterable[L]) -> list[L]:
    if isinstance(logs, cls) or not isinstance(logs, Iterable):
        raise InvalidValue.of("logs", "be a list of logs", type(logs).__name__)
    parts = list(logs)
    if not parts:
        raise InvalidValue.of("logs", "hold at least one log", [])
    for i, part in enumerate(parts):
        if not isinstance(part, cls):
            raise InvalidValue.of(f"logs[{i}]", "be an InteractionLog", type(part).__name__)
        times_of(part, "concat()")
    return parts


def _window(parts: Sequence[InteractionLog], window: str) -> tuple[int | None, int | None]:
    """Return since and until when [µs] all of the logs, or any of them, was observed."""
    begins = [part.observed_from_us for part in parts]
    ends = [part.observed_until_us for part in parts if part.observed_until_us is not None]
    known = [begin for begin in begins if begin is not None]
    if window == "common":
        since, until = max(known, default=None), min(ends, default=None)
        if since is not None and until is not None and since > until:
            raise InvalidValue.of("window", 'be "whole" where no moment is common to all', window)
        return since, until
    _warn_of_ends(parts)
    return (min(known) if len(known) == len(parts) else None), max(ends, default=None)


def _warn_of_ends(parts: Sequence[InteractionLog]) -> None:
    """Warn where a log ends while others, which began before its end, go on."""
    spans = [
        (int(time.min()), int(part.observed_until_us or 0))
        for part in parts
        if len(time := times_of(part, "concat()"))
    ]
    first = min((end for _, end in spans), default=0)
    beside = [end for begin, end in spans if begin <= first]
    if beside and max(beside) - first > _DAY_US:
        ends = " and ".join(f"{moment(end):%Y-%m-%d}" for end in (first, max(beside)))
        warnings.warn(
            f"Logs that overlap end at different times ({ends}): between them contacts of one are "
            'missing and look like silence. window="common" keeps what all of them observed.',
            DataQualityWarning,
            stacklevel=4,
        )


def _within(log: L, since: int | None, until: int | None) -> L:
    time = times_of(log, "concat()")
    keep = np.ones(len(time), dtype=np.bool_)
    if since is not None:
        keep &= time >= since
    if until is not None:
        keep &= time <= until
    return with_rows(log, keep)


def _joined(cls: type[L], parts: Sequence[L]) -> tuple[L, NDArray[np.int64]]:
    """Return the log of all rows, and which part each row of it is of."""
    names = tuple(dict.fromkeys(itertools.chain.from_iterable(p.customer_ids for p in parts)))
    number = {name: i for i, name in enumerate(names)}
    numbers = [np.array([number[c] for c in p.customer_ids], dtype=np.int64) for p in parts]
    lengths = [len(part) for part in parts]
    source = np.repeat(np.arange(len(parts)), lengths)
    columns, ids, order, out_of_order = sort_columns(
        Coded(_joined_codes(numbers, [p.columns.customer for p in parts]), names),
        np.concatenate([times_of(part, "concat()") for part in parts]),
        seq=stacked_numbers([p.columns.seq for p in parts], lengths, np.int64(NO_SEQ)),
        coded=stacked([p.columns.coded for p in parts], lengths),
        numeric={
            name: stacked_numbers(
                [p.columns.numeric.get(name) for p in parts], lengths, np.float64(np.nan)
            )
            for name in _united(p.columns.numeric for p in parts)
        },
        attributes=stacked([p.columns.attributes for p in parts], lengths),
    )
    account = [{} if p.account is None else {"account": p.account} for p in parts]
    scale = _scale(parts)
    on_scale(dict(columns.numeric), scale)
    log = cls(
        columns=columns,
        customer_ids=ids,
        account=_of_customers(account, numbers, len(ids)).get("account"),
        customer_attributes=_of_customers(
            [p.customer_attributes for p in parts], numbers, len(ids)
        ),
        catalogue=Catalogue(
            touchpoints=_agreed("touchpoint", [p.catalogue.touchpoints for p in parts]),
            channels=_agreed("channel", [p.catalogue.channels for p in parts]),
        ),
        currency=one_currency({p.currency for p in parts if p.currency is not None}),
        scale=scale,
        key_id=key_of(parts),
        intake=Intake(out_of_order=out_of_order),
        backend=next((p.backend for p in parts if p.backend is not None), None),
    )
    return log, source if order is None else source[order]


def _joined_codes(
    numbers: Sequence[NDArray[np.int64]], codes: Sequence[NDArray[Any]]
) -> NDArray[np.int64]:
    """Return codes of several vocabularies as codes of the common one; -1 stays."""
    return np.concatenate(
        [np.append(new, -1)[old] for new, old in zip(numbers, codes, strict=True)]
    ).astype(np.int64)


def stacked_numbers(
    columns: Sequence[NDArray[Any] | None], lengths: Sequence[int], missing: np.generic
) -> Any:
    """Return columns one below the other, a missing one as missing values; None if all are."""
    if all(column is None for column in columns):
        return None
    return np.concatenate(
        [
            np.full(length, missing) if column is None else column
            for column, length in zip(columns, lengths, strict=True)
        ]
    )


def _united(mappings: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(itertools.chain.from_iterable(mappings)))


def stacked(parts: Sequence[Mapping[str, Coded]], lengths: Sequence[int]) -> dict[str, Coded]:
    """Return coded columns one below the other; names keep their order where they are sorted."""
    found = {}
    for name in _united(parts):
        columns = [
            part.get(name) or Coded(np.full(length, -1), ())
            for part, length in zip(parts, lengths, strict=True)
        ]
        # 1, True and 1.0 are equal to Python, but they are three values
        values = {(type(v), v): v for column in columns for v in column.names}
        if {kind for kind, _ in values} == {str}:
            values = dict(sorted(values.items(), key=lambda item: item[0][1]))
        place = {key: i for i, key in enumerate(values)}
        numbers = [np.array([place[type(v), v] for v in c.names], dtype=np.int64) for c in columns]
        codes = _joined_codes(numbers, [column.codes for column in columns])
        found[name] = Coded(narrow(codes, len(place)), tuple(values.values()))
    return found


def _of_customers(
    parts: Sequence[Mapping[str, Coded]], numbers: Sequence[NDArray[np.int64]], n: int
) -> dict[str, Coded]:
    """Return what is known of each customer, refusing what two logs say differently."""
    customer = np.concatenate(numbers)
    columns = stacked(parts, [len(of) for of in numbers])
    return {
        name: per_customer(coded, customer, n, f"{name!r} in the logs")
        for name, coded in columns.items()
    }


def _scale(parts: Sequence[InteractionLog]) -> Scale | None:
    scales = list(dict.fromkeys(part.scale for part in parts if part.scale is not None))
    if len(scales) > 1:
        raise InvalidData(f"logs have scores on several scales: {', '.join(map(str, scales))}")
    return scales[0] if scales else None


def _agreed(what: str, parts: Sequence[Mapping[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, item in itertools.chain.from_iterable(part.items() for part in parts):
        if found.setdefault(name, item) != item:
            raise InvalidData(f"{what} {name!r} is described in two ways")
    return found


def _again(log: InteractionLog, source: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the rows that equal one of an earlier log; those equal within a log stay."""
    found = np.zeros(len(log), dtype=np.bool_)
    rows, again = equal_rows(log.columns)
    if len(rows):
        group = np.cumsum(~again) - 1
        first = np.minimum.reduceat(source[rows], np.flatnonzero(~again))
        found[rows[source[rows] > first[group]]] = True
    return found


def _intake(
    parts: Sequence[InteractionLog], left_out: Mapping[str, int], out_of_order: int
) -> Intake:
    each = [part.intake for part in parts]
    dropped = sum((Counter(intake.dropped) for intake in each), Counter(left_out))
    zones = {intake.tz for intake in each}
    return Intake(
        rows=sum(intake.rows for intake in each),
        dropped=FrozenMapping({why: n for why, n in dropped.items() if n}),
        naive=sum(intake.naive for intake in each),
        tz=zones.pop() if len(zones) == 1 else "UTC",
        ambiguous=sum(intake.ambiguous for intake in each),
        nonexistent=sum(intake.nonexistent for intake in each),
        out_of_order=out_of_order,
        identities=FrozenMapping(sum((Counter(intake.identities) for intake in each), Counter())),
        known_at_us=max(
            (at for intake in each if (at := intake.known_at_us) is not None), default=None
        ),
    )
