"""Preparation of a log: functions that take one and return another with its observation window.

They are the methods of `InteractionLog` of the same names. What does not change is
shared between the two logs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sized
from hashlib import md5
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

from cxjourney._support.validation import (
    check_count,
    check_duration,
    check_flag,
    check_mapping,
    check_name,
    check_names,
    duration_us,
)
from cxjourney._time.timestamps import utc_us
from cxjourney.domain import Channel, Touchpoint, check_not_reserved
from cxjourney.exceptions import DataQualityWarning, InvalidValue, TimesRequired, UnknownName
from cxjourney.log._columns import Coded, Columns
from cxjourney.log._encode import narrow
from cxjourney.log._ingest import values_of_customers
from cxjourney.log._pseudonyms import ids_as_in, refuse_strangers
from cxjourney.log._reading import column_names
from cxjourney.log._ties import duplicate_rows, repeated_rows, same_as_before
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from datetime import date, datetime, timedelta

    from numpy.typing import NDArray

    from cxjourney.log._interaction_log import InteractionLog
    from cxjourney.privacy import PseudonymKey

    Value = str | int | float | bool | None

T = TypeVar("T", Touchpoint, Channel)
L = TypeVar("L", bound="InteractionLog")


def filter(  # noqa: A001 - the method of this name
    log: InteractionLog,
    *,
    customers: str | Iterable[str] | None = None,
    touchpoints: str | Iterable[str] | None = None,
    channels: str | Iterable[str] | None = None,
    stages: str | Iterable[str] | None = None,
    owners: str | Iterable[str] | None = None,
    where: Mapping[str, Value | Collection[Value]] | None = None,
    rows: NDArray[np.bool_] | None = None,
    invert: bool = False,
) -> InteractionLog:
    """Return the log of the interactions that meet every condition given.

    Parameters
    ----------
    customers, touchpoints, channels, stages, owners
        Ids or names to keep.
    where
        Attribute of interactions or customers to the value or values to keep; None among them
        stands for missing.
    rows
        One truth value an interaction, in the order of the log.
    invert
        Whether to keep those that do not meet all conditions instead.

    Returns
    -------
    InteractionLog
        Customers without an interaction left are gone; the observation window stays.

    Raises
    ------
    UnknownName
        If a customer, name, attribute or value is not in the log.
    InvalidValue
        If `rows` has another length.

    Notes
    -----
    Keeping or leaving out whole customers changes nothing about the others. Leaving out some
    interactions of a customer makes silences longer, and so may turn one journey into two.

    Examples
    --------
    >>> from cxjourney import InteractionLog
    >>> log = InteractionLog.from_frame(
    ...     {"who": ["a", "b"], "when": ["2026-01-01", "2026-01-02"], "what": ["web", "app"]},
    ...     customer="who", timestamp="when", touchpoint="what",
    ... )
    >>> log.filter(touchpoints="web").customer_ids
    ('a',)
    >>> log.filter(customers=["a"], invert=True).customer_ids
    ('b',)
    """
    check_flag(invert, "invert")
    columns = log.columns
    keep = np.ones(len(log), dtype=np.bool_)
    if customers is not None:
        chosen = np.zeros(log.n_customers, dtype=np.bool_)
        chosen[[log.customer_number(c) for c in _listed(customers, "customers")]] = True
        keep &= chosen[columns.customer]
    named = {"touchpoint": touchpoints, "channel": channels, "stage": stages, "owner": owners}
    for role, names in named.items():
        if names is not None:
            keep &= has_value(_column(columns, role), _listed(names, f"{role}s"), role)
    for name, values in check_mapping({} if where is None else where, "where").items():
        several = isinstance(values, Collection) and not isinstance(values, str)
        keep &= has_value(
            log.attribute(name),
            values if several else [values],
            f"value of {name!r}",
        )
    if rows is not None:
        mask = np.asarray(rows)
        if mask.shape != keep.shape or mask.dtype != np.bool_:
            raise InvalidValue.of("rows", f"hold {len(log):,} truth values", mask.shape)
        keep &= mask
    return with_rows(log, ~keep if invert else keep)


def sample(log: InteractionLog, customers: int, *, seed: int = 0) -> InteractionLog:
    """Return the log of some customers, drawn by a hash of their ids, with all they did.

    Parameters
    ----------
    customers
        How many; all of them where there are no more.
    seed
        Number of the draw, from 0.

    Returns
    -------
    InteractionLog
        The observation window stays.

    Raises
    ------
    InvalidValue
        If `customers` is no whole number from 1, or `seed` none from 0.

    Notes
    -----
    Those are taken whose `md5(f"{seed}:{id}")` is smallest. So a customer is drawn or not whoever
    else is in the log and in whatever order; a smaller sample is part of a larger one; and an
    engine that has the rows draws the same ones. The draw has nothing to do with the 64 buckets
    of the variance, which stay filled: intervals are those of as many customers as were drawn, and
    say how far a figure may lie from that of all customers from whom such a log comes.

    Examples
    --------
    >>> import cxjourney as cx
    >>> log = cx.datasets.sample(seed=1, customers=300).log
    >>> few = log.sample(100)
    >>> few.n_customers, few.observed_until == log.observed_until
    (100, True)
    >>> set(few.sample(10).customer_ids) == set(log.sample(10).customer_ids)
    True
    """
    n = check_count(customers, "customers")
    head = f"{check_count(seed, 'seed', least=0)}:"
    if n >= log.n_customers:
        return log
    ids = log.customer_ids
    digests = [md5(f"{head}{one}".encode(), usedforsecurity=False).digest() for one in ids]
    chosen = np.zeros(log.n_customers, dtype=np.bool_)
    chosen[sorted(range(len(digests)), key=digests.__getitem__)[:n]] = True
    return with_rows(log, chosen[log.columns.customer])


def between(
    log: InteractionLog,
    start: datetime | date | str | None = None,
    end: datetime | date | str | None = None,
    *,
    tz: str | None = None,
) -> InteractionLog:
    """Return the log as it would be if it had been observed from `start` until `end` only.

    Parameters
    ----------
    start, end
        The first moment that belongs, and the first that does not; None leaves that side open.
    tz
        IANA zone in which moments without one are read; None takes the one in which the log
        was, which `log.audit()` names.

    Returns
    -------
    InteractionLog
        The interactions in [start, end). The observation window becomes what both have in
        common: a silence that is only the cut's is never taken for a customer lost.

    Raises
    ------
    InvalidValue
        If a moment is none, or `start` does not lie before `end`.
    TimesRequired
        If the log was made of aggregated paths.

    Notes
    -----
    Journeys that run across `end` are in progress, and first contacts soon after `start` are
    marked left-truncated, although the whole log may know better. To choose customers by when
    they came and keep all that they did, use `filter`; to choose journeys by when they began,
    cut none off at `start` but leave them out with `Journeys.where`.
    """
    time = times_of(log, "between()")
    zone = log.intake.tz if tz is None else tz
    since = None if start is None else utc_us(start, "start", zone)
    until = None if end is None else utc_us(end, "end", zone)
    if since is not None and until is not None and since >= until:
        raise InvalidValue.of("end", f"lie after start ({start})", end)
    keep = np.ones(len(log), dtype=np.bool_)
    if since is not None:
        keep &= time >= since
    if until is not None:
        keep &= time < until
    window_from = max((t for t in (since, log.observed_from_us) if t is not None), default=None)
    window_until = min((t for t in (until, log.observed_until_us) if t is not None), default=None)
    return attrs.evolve(
        with_rows(log, keep),
        observed_from_us=window_from,
        observed_until_us=window_until,
    )


def rename(
    log: InteractionLog,
    touchpoints: Mapping[str, str] | None = None,
    *,
    channels: Mapping[str, str] | None = None,
    stages: Mapping[str, str] | None = None,
    owners: Mapping[str, str] | None = None,
) -> InteractionLog:
    """Return the log with other names; several names may become one.

    Parameters
    ----------
    touchpoints, channels, stages, owners
        Old name to new name; names that are not mentioned stay.

    Returns
    -------
    InteractionLog
        All names change at once, so that two may swap. Where several touchpoints or channels
        become one, what was known of them beyond the name stays only if they agree.

    Raises
    ------
    UnknownName
        If an old name is not in the log; the nearest ones are in the message.
    InvalidValue, ReservedName
        If a new name is empty, or one that the graph keeps for itself.

    Examples
    --------
    >>> from cxjourney import InteractionLog
    >>> log = InteractionLog.from_frame(
    ...     {"who": ["a", "b"], "when": ["2026-01-01", "2026-01-02"], "what": ["pay_v1", "pay_v2"]},
    ...     customer="who", timestamp="when", touchpoint="what",
    ... )
    >>> log.rename({"pay_v1": "pay", "pay_v2": "pay"}).touchpoints
    ('pay',)
    """
    given = {"touchpoint": touchpoints, "channel": channels, "stage": stages, "owner": owners}
    coded = dict(log.columns.coded)
    catalogue = log.catalogue
    for role, mapping in given.items():
        if mapping is None or not check_mapping(mapping, f"{role}s"):
            continue
        column = _column(log.columns, role)
        for old, new in mapping.items():
            if old not in column.names:
                raise UnknownName.among(role, old, column.names, where="the log")
            check_not_reserved(new, f"new name of {role} {old!r}")
        coded[role] = _renamed(column, mapping)
        if role == "touchpoint":
            touchpoint = _merged(catalogue.touchpoint, column.names, mapping)
            catalogue = attrs.evolve(catalogue, touchpoints=touchpoint)
        elif role == "channel":
            channel = _merged(catalogue.channel, column.names, mapping)
            catalogue = attrs.evolve(catalogue, channels=channel)
    columns = attrs.evolve(log.columns, coded=coded)
    return attrs.evolve(log, columns=columns, catalogue=catalogue)


def collapse_repeats(
    log: InteractionLog,
    *,
    touchpoints: str | Iterable[str] | None = None,
    within: timedelta | str | None = None,
) -> InteractionLog:
    """Return the log without the repeats of a touchpoint: of each run the first stays.

    Parameters
    ----------
    touchpoints
        Collapse repeats of these only; None means all.
    within
        Count an interaction as a repeat only if it follows the one before in less than this.

    Returns
    -------
    InteractionLog

    Raises
    ------
    UnknownName
        If a touchpoint is not in the log.
    InvalidValue
        If `within` is no positive length of time.
    TimesRequired
        If `within` is given and the log was made of aggregated paths.

    Notes
    -----
    A repeat is of the same customer, touchpoint, channel and journey id as the interaction just
    before it. Its score, value and duration go with it: name `touchpoints` to spare those that
    carry orders. Fewer interactions make longer silences, so choose `within` below the
    inactivity limit. Absorption probabilities and removal effects do not change; steps, dwell
    times and entropies do.
    """
    columns = log.columns
    repeat = same_as_before(columns.customer)
    for role in ("touchpoint", "channel", "journey"):
        if role in columns.coded:
            repeat &= same_as_before(columns.coded[role].codes)
    if touchpoints is not None:
        coded = columns.coded["touchpoint"]
        repeat &= has_value(coded, _listed(touchpoints, "touchpoints"), "touchpoint")
    if within is not None:
        limit = duration_us(check_duration(within, "within"))
        time = times_of(log, "collapse_repeats(within=)")
        repeat &= np.diff(time, prepend=time[:1]) < limit
    return with_rows(log, ~repeat)


def drop_duplicates(
    log: InteractionLog,
    *,
    key: str | Iterable[str] | None = None,
    within: timedelta | str | None = None,
) -> InteractionLog:
    """Return the log with each interaction once: of equal ones the first stays.

    Parameters
    ----------
    key
        Columns or attributes, such as the id that a tracker gives each event: interactions of a
        customer that are equal in all of these are equal, whatever else they say. One without a
        value has no equal. None: all columns count, but `seq`, since numbering duplicates does not
        make them two contacts; `log.audit()` counts these.
    within
        Interactions are equal only if one follows an equal one in at most this time, as where a
        request was sent twice. None: at the same time, or with `key` at any time.

    Returns
    -------
    InteractionLog

    Raises
    ------
    UnknownName
        If the log has no such column.
    InvalidValue
        If `within` is no positive length of time.
    TimesRequired
        If `within` is given and the log was made of aggregated paths.

    Examples
    --------
    >>> from cxjourney import InteractionLog
    >>> log = InteractionLog.from_frame(
    ...     {
    ...         "who": ["a", "a", "a"], "what": ["buy", "buy", "buy"], "id": ["1", "1", "2"],
    ...         "when": ["2026-01-01 10:00:00", "2026-01-01 10:00:02", "2026-01-01 10:00:03"],
    ...     },
    ...     customer="who", timestamp="when", touchpoint="what", attributes=["id"],
    ... )
    >>> len(log.drop_duplicates(key="id")), len(log.drop_duplicates()), len(log)
    (2, 3, 3)
    """
    if key is None and within is None:
        return with_rows(log, ~duplicate_rows(log.columns))
    limit, time = None, None
    if within is not None:
        limit = duration_us(check_duration(within, "within"))
        time = times_of(log, "drop_duplicates(within=)")
    keys = None if key is None else [log.attribute(name) for name in check_names(key, "key")]
    return with_rows(log, ~repeated_rows(log.columns, keys, time, limit))


def channels_carried(log: InteractionLog, within: timedelta | str) -> InteractionLog:
    """Return the log in which an interaction without a channel has that of the one before.

    `within` is as the gap of `sessions`: a silence of at least this, another customer and another
    journey id carry nothing over.
    """
    limit = duration_us(check_duration(within, "carry_channels"))
    time = times_of(log, "carry_channels=")
    coded = _column(log.columns, "channel")
    same = same_as_before(log.columns.customer) & (np.diff(time, prepend=time[:1]) < limit)
    if "journey" in log.columns.coded:
        same &= same_as_before(log.columns.coded["journey"].codes)
    known = coded.codes >= 0
    # what a session begins with stands for itself, known or not
    source = np.maximum.accumulate(np.where(known | ~same, np.arange(len(log)), 0))
    filled = Coded(coded.codes[source], coded.names)
    columns = attrs.evolve(log.columns, coded={**log.columns.coded, "channel": filled})
    return attrs.evolve(log, columns=columns)


def times_of(log: InteractionLog, caller: str) -> NDArray[np.int64]:
    if log.columns.time is None:
        raise TimesRequired(f"{caller} needs times; aggregated paths have none")
    return log.columns.time


def _column(columns: Columns, role: str) -> Coded:
    if role not in columns.coded:
        raise UnknownName.among("column", role, columns.coded, where="the log")
    return columns.coded[role]


def with_rows(log: L, keep: NDArray[np.bool_]) -> L:
    """Return the log of the rows where `keep` is true; customers without a row go.

    The observation window stays, and so does the vocabulary: a goal that nobody of a segment
    reached is still a touchpoint that it knows.
    """
    rows = np.flatnonzero(keep)
    counts = np.bincount(log.columns.customer[rows], minlength=log.n_customers)
    stay = np.flatnonzero(counts)
    offsets = np.concatenate([[0], np.cumsum(counts[stay])]).astype(np.int64)
    return attrs.evolve(
        log,
        columns=log.columns.take(rows, offsets),
        customer_ids=tuple(log.customer_ids[i] for i in stay.tolist()),
        account=None if log.account is None else log.account.take(stay),
        customer_attributes={n: c.take(stay) for n, c in log.customer_attributes.items()},
    )


def _listed(values: str | Iterable[str], name: str) -> list[str]:
    if not isinstance(values, Iterable):
        raise InvalidValue.of(name, "be a name or a list of names", values)
    return [values] if isinstance(values, str) else list(values)


def has_value(coded: Coded, wanted: Iterable[Value], kind: str) -> NDArray[np.bool_]:
    """Return the rows whose value is one of `wanted`; 1, True and 1.0 are three values."""
    place = {(type(name), name): i for i, name in enumerate(coded.names)}
    chosen = np.zeros(len(coded.names) + 1, dtype=np.bool_)
    for value in wanted:
        if value is None:
            chosen[-1] = True
        elif isinstance(value, Hashable) and (type(value), value) in place:
            chosen[place[type(value), value]] = True
        else:
            raise UnknownName.among(kind, str(value), map(str, coded.names), where="the log")
    found: NDArray[np.bool_] = chosen[coded.codes]
    return found


def _renamed(column: Coded, mapping: Mapping[str, str]) -> Coded:
    new = [mapping.get(name, name) for name in column.names]
    names = tuple(sorted(set(new)))
    place = {name: i for i, name in enumerate(names)}
    lookup = np.array([place[name] for name in new] + [-1], dtype=np.int64)
    return Coded(narrow(lookup[column.codes], len(names)), names)


def _merged(
    known: Callable[[str], T], names: Iterable[str], mapping: Mapping[str, str]
) -> dict[str, T]:
    """Return what is known beyond the new names, where all that became one agree."""
    found: dict[str, set[T]] = {}
    for old in names:
        new = mapping.get(old, old)
        found.setdefault(new, set()).add(attrs.evolve(known(old), name=new))
    agreed = {new: items.pop() for new, items in found.items() if len(items) == 1}
    return {new: item for new, item in agreed.items() if item != type(item)(new)}


@forgetting
def with_attribute(
    log: InteractionLog,
    name: str,
    values: Any,
    *,
    pseudonyms: PseudonymKey | None = None,
    replace: bool = False,
) -> InteractionLog:
    """Return the log with another attribute of its customers, a segment for every analysis.

    Parameters
    ----------
    name
        What it is called.
    values
        A mapping of customers to values, or a frame (any that `from_frame` takes, hence Any) with
        a column "customer" and one of values. Customers of the log that it does not have are
        missing; a warning counts those that the log does not have.
    pseudonyms
        The key of the log, where it has pseudonyms and `values` have the ids behind them; None
        takes the ids in `values` for those of the log.
    replace
        Whether it may take the place of an attribute of this name.

    Raises
    ------
    InvalidValue
        If the name is taken, a frame has other columns, the key is not that of the log, or no id is
        in a log of pseudonyms.
    InvalidData
        If a customer has two rows.

    Examples
    --------
    >>> import cxjourney as cx
    >>> log = cx.datasets.sample(seed=1, customers=50).log
    >>> rated = log.with_attribute("plan", dict.fromkeys(log.customer_ids[:10], "gold"))
    >>> journeys = rated.journeys(goal="order", all_closed=True, after_goal="discard")
    >>> cx.sequences.paths(journeys, segment="plan").values
    ('gold', '__missing__')
    """
    check_free(name, log.columns, log.customer_attributes, replace=replace)
    key = ids_as_in(log, pseudonyms, "values")
    if isinstance(values, Mapping) and not any(
        isinstance(value, Sized) and not isinstance(value, str) for value in values.values()
    ):
        values = {"customer": list(values), name: list(values.values())}
    present = column_names(values, "values")
    columns = [name] if name in present else [one for one in present if one != "customer"]
    if "customer" not in present or len(columns) != 1:  # which may be ids: they are not named
        rule = "map customers to values, or have a column 'customer' and one of values"
        raise InvalidValue.of("values", rule, f"{len(present)} other columns")
    found, unknown = values_of_customers(
        values, "customer", columns, log.customer_ids, "values", pseudonyms=key
    )
    coded = found[columns[0]]
    if unknown and (coded.codes < 0).all():
        refuse_strangers(log, key, "values")
    if unknown:
        missing = int(np.count_nonzero(coded.codes < 0))
        warnings.warn(
            f"Of the customers in values, {unknown:,} are not in the log and are left out; "
            f"{missing:,} of the {log.n_customers:,} in the log have no {name}.",
            DataQualityWarning,
            stacklevel=2,
        )
    others = {key: one for key, one in log.columns.attributes.items() if key != name}
    return attrs.evolve(
        log,
        columns=attrs.evolve(log.columns, attributes=others),
        customer_attributes={**log.customer_attributes, name: coded},
    )


def check_free(
    name: str, columns: Columns, of_customers: Mapping[str, Coded], *, replace: bool
) -> None:
    """Raise InvalidValue where a new attribute has the name of another, or of a column."""
    check_flag(replace, "replace")
    check_name(name, "name")
    if name in {"customer", "timestamp", "account", *columns.coded, *columns.numeric}:
        raise InvalidValue.of("name", "not be that of a column of the log", name)
    if not replace and (name in columns.attributes or name in of_customers):
        raise InvalidValue.of("name", "be new, or replace=True replace the attribute", name)
