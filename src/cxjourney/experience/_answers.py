"""Survey answers, joined to the interactions that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.arrays import codes, numbers, same_length, to_array
from cxjourney._support.frozen import read_only
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.strings import canonical
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_duration, duration_us
from cxjourney._time.calendar import instants
from cxjourney.exceptions import InvalidValue, TimesRequired
from cxjourney.journeys import check_log
from cxjourney.log import InteractionLog, ids_as_in, refuse_strangers
from cxjourney.metrics import Scale, check_scale
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._support.arrays import Values
    from cxjourney.experience._scores import Measure
    from cxjourney.privacy import PseudonymKey

_WEEK = timedelta(days=7)
BOUND, NO_VALUE, STRANGER, ELSEWHERE, NOTHING_BEFORE, TOO_LATE, TAKEN = range(7)
ANYWHERE = -2
REASONS = (
    "bound",
    "without value, customer or time",
    "customer not in the log",
    "touchpoint not in the log",
    "no interaction before",
    "later than max_lag",
    "the interaction has a value already",
)


@attrs.frozen(kw_only=True, repr=False, eq=False)
class BoundAnswers:
    """A log whose interactions carry survey answers, and what became of each answer.

    Attributes
    ----------
    log
        The log with the answers; everything else is as it was.
    row, lag_s
        Row of the log that each answer belongs to (-1: none), and the time from the interaction to
        it [s].
    outcomes, max_lag
        What became of how many answers; the longest time between an interaction and an answer about
        it.
    """

    log: InteractionLog
    row: NDArray[np.int64] = attrs.field(converter=read_only)
    lag_s: NDArray[np.float64] = attrs.field(converter=read_only)
    outcomes: Mapping[str, int]
    max_lag: timedelta

    def __repr__(self) -> str:
        table = Table({"answers": list(self.outcomes), "n": list(self.outcomes.values())})
        lags = self.lag_s[~np.isnan(self.lag_s)]
        late = (
            f"half of them within {timedelta(seconds=float(np.median(lags)))}" if len(lags) else ""
        )
        text = f"Survey answers bound within {self.max_lag}"
        return "\n".join(part for part in (text, table.to_text(), late) if part)


@forgetting
def bind_answers(
    log: InteractionLog,
    *,
    customer: Values,
    answered_at: Values,
    value: Values,
    touchpoint: Values | None = None,
    measure: Measure = "score",
    max_lag: timedelta | str = _WEEK,
    several: Literal["last", "mean"] = "last",
    scale: Scale | None = None,
    pseudonyms: PseudonymKey | None = None,
) -> BoundAnswers:
    """Return the log with each survey answer on the interaction that it is about.

    Parameters
    ----------
    log
        The log.
    customer, answered_at, value
        Who answered each time (ids as in the log), when (aware, or UTC), and what: a score, a
        valence.
    touchpoint
        What the question was about, where it was about one: the customer's last visit of it counts.
        A missing one means the customer's last visit of anything.
    measure
        Where it goes: "score", "emotion" or "expectation".
    max_lag
        The longest time between an interaction and an answer about it; positive.
    several
        Which answer stays where several are about one interaction: the last, or their mean.
    scale
        What a score or an expectation may be; None takes the scale of the log. Where a mean of
        several lies between two whole numbers, the scale of the log is no longer one of whole
        numbers.
    pseudonyms
        The key of the log, where it has pseudonyms and `customer` has the ids behind them; None
        takes `customer` for ids of the log.

    Returns
    -------
    BoundAnswers
        Values that interactions had already stay: what was recorded there was about them.

    Raises
    ------
    InvalidValue
        If lengths differ, an argument breaks its rule, the key is not that of the log, or no
        customer is in a log of pseudonyms.
    OutOfScale
        If an answer is off the scale, or an emotion outside [-1, 1]; carries the positions.
    TimesRequired
        If the log has no times.

    Notes
    -----
    A join as of the time of the answer: the last interaction not later than it. The lag limit is a
    choice: without one an answer about nothing lands on whatever happened last, however long ago.
    Read `outcomes` before relying on the means.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> import cxjourney as cx
    >>> def day(d):
    ...     return datetime(2026, 1, d, tzinfo=timezone.utc)
    >>> log = cx.InteractionLog.from_interactions(
    ...     [
    ...         cx.Interaction(customer="a", touchpoint="call", timestamp=day(1)),
    ...         cx.Interaction(customer="a", touchpoint="web", timestamp=day(3)),
    ...     ]
    ... )
    >>> bound = cx.experience.bind_answers(
    ...     log, customer=["a", "a"], answered_at=[day(2), day(20)], value=[9, 3]
    ... )
    >>> bound.row.tolist(), bound.outcomes["later than max_lag"]
    ([0, -1], 1)
    """
    check_log(log)
    check_choice(measure, "measure", ("score", "emotion", "expectation"))
    check_choice(several, "several", ("last", "mean"))
    max_lag = check_duration(max_lag, "max_lag")
    if log.columns.time is None:
        raise TimesRequired("experience.bind_answers() needs times; aggregated paths have none")
    at, no_time = instants(answered_at, "answered_at")
    values = numbers(value, "value").astype(np.float64)
    scale = _checked_scale(log, values, measure, scale)
    key = ids_as_in(log, pseudonyms, "customer")
    who, nobody = _codes_of(customer, "customer", log.customer_ids, key)
    if not nobody.all() and (who < 0).all():
        refuse_strangers(log, key, "customer")
    where, anywhere = (
        (np.zeros(len(values), dtype=np.int64), np.ones(len(values), dtype=np.bool_))
        if touchpoint is None
        else _codes_of(touchpoint, "touchpoint", log.columns.coded["touchpoint"].names)
    )
    same_length(customer=who, answered_at=at, value=values, touchpoint=where)
    unusable = np.isnan(values) | no_time | nobody
    row, lag, fate = bound_rows(
        log, who, at, np.where(anywhere, ANYWHERE, where), unusable, max_lag
    )
    column = np.array(log.columns.numeric.get(measure, np.full(len(log.columns), np.nan)))
    bound = np.flatnonzero(fate == BOUND)
    fate[bound[~np.isnan(column[row[bound]])]] = TAKEN
    kept = np.flatnonzero(fate == BOUND)
    _place(column, row[kept], values[kept], at[kept], several)
    row[fate != BOUND] = -1
    placed = column[row[kept]]
    between = measure != "emotion" and bool((placed != np.rint(placed)).any())
    if scale is not None and scale.integer and between:
        scale = attrs.evolve(scale, integer=False, labels=())
    counts = np.bincount(fate, minlength=len(REASONS)).tolist()
    numeric = {**log.columns.numeric, measure: read_only(column)}
    return BoundAnswers(
        log=attrs.evolve(log, columns=attrs.evolve(log.columns, numeric=numeric), scale=scale),
        row=row,
        lag_s=np.where(fate == BOUND, lag / 1e6, np.nan),
        outcomes=FrozenMapping(dict(zip(REASONS, counts, strict=True))),
        max_lag=max_lag,
    )


def bound_rows(  # noqa: PLR0917 - what is known of each answer
    log: InteractionLog,
    who: NDArray[np.int64],
    at: NDArray[np.int64],
    where: NDArray[np.int64],
    unusable: NDArray[np.bool_],
    max_lag: timedelta,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the row that each answer is about (-1: none), its lag [µs], and what became of it.

    `who` and `where` are places among the customers and touchpoints of the log, -1 for strangers;
    `where` is ANYWHERE where an answer is about whatever came last.
    """
    anywhere = where == ANYWHERE
    fate = np.full(len(who), BOUND)
    fate[unusable] = NO_VALUE
    fate[(fate == BOUND) & (who < 0)] = STRANGER
    fate[(fate == BOUND) & ~anywhere & (where < 0)] = ELSEWHERE
    row = np.full(len(who), -1, dtype=np.int64)
    for chosen, by_touchpoint in ((anywhere, False), (~anywhere, True)):
        asked = np.flatnonzero(chosen & (fate == BOUND))
        row[asked] = _as_of(log, who[asked], at[asked], where[asked] if by_touchpoint else None)
    fate[(fate == BOUND) & (row < 0)] = NOTHING_BEFORE
    lag = np.zeros(len(who), dtype=np.int64)
    assert log.columns.time is not None  # noqa: S101 - the caller has looked
    lag[row >= 0] = at[row >= 0] - log.columns.time[row[row >= 0]]
    fate[(fate == BOUND) & (lag > duration_us(max_lag))] = TOO_LATE
    return row, lag, fate


def _checked_scale(
    log: InteractionLog, values: NDArray[np.float64], measure: Measure, scale: Scale | None
) -> Scale | None:
    """Return the scale of the scores of the log with the answers, which are all on it."""
    if measure == "emotion":
        if scale is not None:
            raise InvalidValue.of("scale", "be left out of emotions, which are in [-1, 1]", scale)
        Scale(-1, 1, integer=False).check(values, "value")
        return log.scale
    named = log.scale if scale is None else check_scale(scale)
    if named is None:
        return None
    if log.scale not in {None, named}:
        raise InvalidValue.of("scale", f"be the one of the log ({log.scale})", str(named))
    named.check(values, "value")
    for role in ("score", "expectation"):
        if role in log.columns.numeric:
            named.check(log.columns.numeric[role], role)
    return named


def _codes_of(
    values: Values, name: str, known: Sequence[str], key: PseudonymKey | None = None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the place of each value among known names, -1 for strangers, and what is missing."""
    code, n, missing = codes(values, name)
    labels = to_array(values, name)[0]
    place = {label: i for i, label in enumerate(known)}
    present = np.flatnonzero(~missing)
    distinct, first = np.unique(code[present], return_index=True)
    lookup = np.full(max(n, 1), -1, dtype=np.int64)
    asked: Sequence[str] = [str(label) for label in labels[present[first]]]
    if key is not None:
        asked = key.pseudonyms([canonical(one) or one for one in asked], "customer")
    lookup[distinct] = [place.get(one, place.get(canonical(one) or "", -1)) for one in asked]
    return np.where(missing, -1, lookup[code]), missing


def _as_of(
    log: InteractionLog,
    who: NDArray[np.int64],
    at: NDArray[np.int64],
    where: NDArray[np.int64] | None,
) -> NDArray[np.int64]:
    """Return the last row of each customer (at a touchpoint) not later than a time; -1 for none."""
    columns = log.columns
    assert columns.time is not None  # noqa: S101 - the caller has looked
    n, m = len(columns), len(who)
    customer = np.concatenate([columns.customer, who])
    time = np.concatenate([columns.time, at])
    is_answer = np.concatenate([np.zeros(n, dtype=np.bool_), np.ones(m, dtype=np.bool_)])
    keys = [is_answer, time, customer]
    unit = customer
    if where is not None:
        touchpoint = columns.coded["touchpoint"]
        place = np.concatenate([touchpoint.codes.astype(np.int64), where])
        keys.append(place)
        unit = place * max(columns.n_customers, 1) + customer
    # rows of one unit lie together in the order of time, an answer behind all that is not later
    order = np.lexsort(keys)
    latest = np.maximum.accumulate(np.where(is_answer[order], -1, np.arange(n + m)))
    answers = np.flatnonzero(is_answer[order])
    candidate = latest[answers]
    row = np.where(candidate >= 0, order[candidate], -1)
    own = (candidate >= 0) & (unit[order[candidate]] == unit[order[answers]])
    found = np.full(m, -1, dtype=np.int64)
    found[order[answers] - n] = np.where(own, row, -1)
    return found


def _place(
    column: NDArray[np.float64],
    row: NDArray[np.int64],
    value: NDArray[np.float64],
    at: NDArray[np.int64],
    several: str,
) -> None:
    """Write values into the rows of a column."""
    if several == "last":
        order = np.argsort(at, kind="stable")
        column[row[order]] = value[order]
        return
    rows, place = np.unique(row, return_inverse=True)
    column[rows] = np.bincount(place, value) / np.bincount(place)
