"""Rows that belong together: sessions of a log, and starts and ends that are one interaction."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.distinct import distinct
from cxjourney._support.validation import check_duration, check_name, check_names, duration_us
from cxjourney.exceptions import DataQualityWarning, InvalidValue, UnknownName
from cxjourney.log._columns import Coded
from cxjourney.log._encode import narrow
from cxjourney.log._prepare import check_free, has_value, times_of, with_rows
from cxjourney.log._ties import same_as_before

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.log._interaction_log import InteractionLog


def sessions(
    log: InteractionLog,
    *,
    gap: timedelta | str | None = None,
    start: str | Iterable[str] | None = None,
    separator: str | Iterable[str] | None = None,
    attribute: str | None = None,
    cases: str | None = None,
) -> InteractionLog:
    """Return the log cut into sessions: its journey ids are those of the sessions.

    Parameters
    ----------
    gap
        A silence of at least this begins a new session. Web analytics uses 30 minutes; the valleys
        of `log.suggest_inactivity()` say what fits these data, and `TransitionGaps` cuts journeys
        by the gaps of each transition.
    start
        Touchpoints that begin a new session, of which they are the first interaction.
    separator
        Touchpoints that stand between two sessions and belong to none: they are left out.
    attribute
        An attribute whose change begins a new session, such as a campaign; where it is missing the
        session goes on.
    cases
        The name under which earlier journey ids are kept, as an attribute. Sessions are then
        nested in them: each is of one case, and named after it. None gives them up.

    Returns
    -------
    InteractionLog
        `journey` counts the sessions of each customer from "1", those of a case as "case/1".

    Raises
    ------
    InvalidValue
        If nothing says when a session begins, `gap` is no positive length of time, or `cases` is
        the name of another column.
    UnknownName
        If the log has no such touchpoint or attribute, or no journey ids to keep.
    TimesRequired
        If `gap` is given and the log was made of aggregated paths.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from cxjourney import InteractionLog
    >>> log = InteractionLog.from_frame(
    ...     {
    ...         "who": ["a", "a", "a"],
    ...         "when": ["2026-01-01 10:00", "2026-01-01 10:29", "2026-01-01 10:59"],
    ...         "what": ["web", "web", "web"],
    ...     },
    ...     customer="who", timestamp="when", touchpoint="what",
    ... )
    >>> [i.journey for i in log.sessions(gap=timedelta(minutes=30)).interactions()]
    ['1', '1', '2']
    """
    if gap is None and start is None and separator is None and attribute is None:
        raise InvalidValue(
            "one of gap, start, separator and attribute must say what begins a session"
        )
    columns = log.columns
    limit = None if gap is None else duration_us(check_duration(gap, "gap"))
    time = None if limit is None else times_of(log, "sessions(gap=)")
    owner, order = columns.customer, np.arange(len(log))
    case: Coded | None = None
    if cases is not None:
        check_free(cases, columns, log.customer_attributes, replace=False)
        if "journey" not in columns.coded:
            raise UnknownName("the log has no journey ids, which cases= would keep")
        case = columns.coded["journey"]
        owner = distinct(owner * (len(case.names) + 1) + case.codes + 1)[1]
        order = np.argsort(owner, kind="stable")  # rows of a case may stand between those of others
        owner = owner[order]
    begins = ~same_as_before(owner)
    if time is not None and limit is not None:
        begins |= np.diff(time[order], prepend=time[order][:1]) >= limit
    between = np.zeros(len(log), dtype=np.bool_)
    touchpoint = columns.coded["touchpoint"]
    if start is not None:
        begins |= has_value(touchpoint, check_names(start, "start"), "touchpoint")[order]
    if separator is not None:
        between = has_value(touchpoint, check_names(separator, "separator"), "touchpoint")[order]
        begins[1:] |= between[:-1]
    if attribute is not None:
        begins |= _changes(log.attribute(attribute).codes[order], owner)
    named = ~between
    # a session has a number if it has a row, so that separators in a row make no empty ones
    running = np.cumsum(begins, dtype=np.int64)
    _, place = distinct(running[named])
    first = np.flatnonzero(np.diff(place, prepend=-1) > 0)
    of_owner = owner[named][first]
    number = np.arange(len(first)) - np.searchsorted(of_owner, of_owner)
    rows = np.flatnonzero(named)
    code = np.full(len(log), -1, dtype=np.int64)
    if case is None:
        names = tuple(str(k) for k in range(1, int(number.max(initial=-1)) + 2))
        code[order[rows]] = number[place]
    else:
        width = int(number.max(initial=0)) + 1
        pairs, pair = distinct(
            (case.codes[order[rows[first]]].astype(np.int64) + 1) * width + number
        )
        labels = [*case.names, ""]
        names = tuple(
            f"{labels[one // width - 1]}/{one % width + 1}" if one >= width else f"{one + 1}"
            for one in pairs.tolist()
        )
        code[order[rows]] = pair[place]
    coded = {**columns.coded, "journey": Coded(narrow(code, len(names)), names)}
    kept = {} if case is None or cases is None else {cases: case}
    columns = attrs.evolve(columns, coded=coded, attributes={**columns.attributes, **kept})
    log = attrs.evolve(log, columns=columns)
    return with_rows(log, code >= 0) if between.any() else log


def _changes(codes: Ints, owner: Ints) -> Bools:
    """Return the rows whose known value differs from the last known one of the same owner."""
    known = np.flatnonzero(codes >= 0)
    changed = np.zeros(len(codes), dtype=np.bool_)
    changed[known] = ~same_as_before(codes[known]) & same_as_before(owner[known])
    return changed


def paired(
    log: InteractionLog,
    attribute: str,
    *,
    start: str = "start",
    complete: str = "complete",
    instance: str | None = None,
) -> InteractionLog:
    """Return the log with one interaction for the start and the completion of each activity.

    Parameters
    ----------
    attribute
        The attribute that says which of the two a row is.
    start, complete
        Its values; upper and lower case are the same.
    instance
        An attribute that tells apart activities that run at once, such as a ticket; None: the
        customer, journey id and touchpoint are all that tells.

    Returns
    -------
    InteractionLog
        An interaction at the time of each start, with the duration until its completion: a
        completion is of the earliest start that has none yet (first in, first out). One without a
        start has the duration 0. A start without a completion stays, its duration missing, since
        it may go on. Rows with another value are left out, and a warning counts them.

    Raises
    ------
    UnknownName
        If the log has no such attribute.
    TimesRequired
        If the log was made of aggregated paths.

    Examples
    --------
    >>> from cxjourney import InteractionLog
    >>> log = InteractionLog.from_frame(
    ...     {
    ...         "who": ["a", "a"], "when": ["2026-01-01 10:00", "2026-01-01 10:20"],
    ...         "what": ["call", "call"], "state": ["start", "complete"],
    ...     },
    ...     customer="who", timestamp="when", touchpoint="what", attributes=["state"],
    ... )
    >>> [i.duration for i in log.paired("state").interactions()]
    [datetime.timedelta(seconds=1200)]
    """
    time, columns = times_of(log, "paired()"), log.columns
    states = log.attribute(attribute)
    lower = [str(name).lower() for name in states.names]
    wanted = [check_name(start, "start").lower(), check_name(complete, "complete").lower()]
    if wanted[0] == wanted[1]:
        raise InvalidValue.of("complete", "differ from start", complete)
    kind = np.array([wanted.index(n) if n in wanted else -1 for n in lower] + [-1])[states.codes]
    group = columns.customer.astype(np.int64)
    keys = [columns.coded["touchpoint"]]
    keys += [columns.coded["journey"]] if "journey" in columns.coded else []
    keys += [] if instance is None else [log.attribute(instance)]
    for key in keys:
        group = distinct(group * (len(key.names) + 1) + key.codes + 1)[1]
    rows = np.flatnonzero(kind >= 0)
    rows = rows[np.argsort(group[rows], kind="stable")]
    ends, group = kind[rows] == 1, group[rows]
    begins, alone = rows[~ends], _without_start(ends, group)
    # the i-th completion that has a start is that of the i-th start of its group
    done = rows[ends & ~alone]
    nth = _number(group[ends & ~alone])
    at = np.searchsorted(group[~ends], group[ends & ~alone]) + nth
    duration = np.array(columns.numeric.get("duration_us", np.full(len(log), np.nan)))
    duration[begins[at]] = time[done] - time[begins[at]]
    duration[rows[alone]] = 0.0
    keep = np.zeros(len(log), dtype=np.bool_)
    keep[begins] = True
    keep[rows[alone]] = True
    others = int(np.count_nonzero(kind < 0))
    if others:
        warnings.warn(
            f"{others:,} interactions are neither {start!r} nor {complete!r} and are left out.",
            DataQualityWarning,
            stacklevel=2,
        )
    numeric = {**columns.numeric, "duration_us": duration}
    return with_rows(attrs.evolve(log, columns=attrs.evolve(columns, numeric=numeric)), keep)


def _number(group: Ints) -> Ints:
    """Return the number of each row in its group, from 0; groups stand one after the other."""
    return np.arange(len(group)) - np.searchsorted(group, group)


def _without_start(ends: Bools, group: Ints) -> Bools:
    """Return the completions at which no start of their group is open."""
    if not len(ends):
        return ends
    step = np.where(ends, -1, 1)
    first = np.searchsorted(group, group)
    count = np.cumsum(step)
    within = count - count[first] + step[first]
    # deeper by a whole group each, so that the least so far is that of the group
    deep = within - group * (2 * len(group) + 2)
    base = -group * (2 * len(group) + 2)
    least = np.minimum(np.append(base[:1], np.minimum.accumulate(deep)[:-1]), base)
    return np.asarray(ends & (deep < least))
