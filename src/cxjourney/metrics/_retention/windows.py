"""Windows of cohort retention: starts, ages and spans of activity."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.arrays import flags, same_length
from cxjourney._support.validation import check_count
from cxjourney._time.calendar import period_index, period_label, period_of_days, period_start
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cxjourney._support.arrays import Values
    from cxjourney._time.calendar import Period
    from cxjourney.metrics._retention.activity import Activity

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PAIRS = "hold pairs 0 <= first <= last"


def spans_of(
    kind: str, periods: int, brackets: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], tuple[str, ...]]:
    """Return first and last unit of each column: every kind of retention is a bracket."""
    check_count(periods, "periods", least=0, most=10_000)
    if not isinstance(brackets, Collection):
        raise InvalidValue.of("brackets", _PAIRS, brackets)
    if (kind == "bracket") != bool(len(brackets)):
        raise InvalidValue.of("brackets", "be given with kind='bracket', and only then", brackets)
    if kind in {"on", "streak"}:
        return [(n, n) for n in range(periods + 1)], tuple(map(str, range(periods + 1)))
    if kind == "until":
        spans = [(min(n, 1), n) for n in range(periods + 1)]
        return spans, ("0", *(f"1-{n}" for n in range(1, periods + 1)))[: periods + 1]
    if kind == "unbounded":
        return [(n, periods) for n in range(periods + 1)], tuple(
            f"{n}+" for n in range(periods + 1)
        )
    for pair in brackets:
        if not _is_bracket(pair):
            raise InvalidValue.of("brackets", _PAIRS, pair)
    return list(brackets), tuple(f"{first}-{last}" for first, last in brackets)


def _is_bracket(pair: tuple[int, int]) -> bool:
    try:
        first, last = pair
        ordered = 0 <= first <= last
    except (TypeError, ValueError):
        return False
    return ordered


def rows_of(activity: Activity, wanted: Values, name: str) -> NDArray[np.intp]:
    """Return the rows of the activity that a column of the input is true of."""
    may, _ = flags(wanted, name)
    same_length(customers=range(activity.n_rows), **{name: may})
    return np.flatnonzero(may[activity.rows])


def first_rows(activity: Activity, starts: Values | None) -> NDArray[np.intp]:
    """Return the first row of each customer that may start one."""
    if starts is None:
        return np.flatnonzero(activity.first)
    rows = rows_of(activity, starts, "starts")
    return rows[np.unique(activity.customer[rows], return_index=True)[1]]


def rolling_ages(
    activity: Activity, anchor: NDArray[np.intp], unit_us: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's age and each anchor's whole elapsed units, since the customer's start."""
    born = np.full(activity.n_customers, activity.end_us + 1)  # never started: ages below 0
    born[activity.customer[anchor]] = activity.us[anchor]
    age = (activity.us - born[activity.customer]) // unit_us
    return age, (activity.end_us - activity.us[anchor]) // unit_us


def numbers_of(
    us: NDArray[np.int64], period: Period, time_zone: str, week_starts: str
) -> NDArray[np.int64]:
    """Return the number of the period of each timestamp; weeks begin on any day."""
    if period != "week":
        return period_index(us, period, time_zone)
    return period_of_days(period_index(us, "day", time_zone) - DAYS.index(week_starts), "week")


def cohort_rows(
    group: NDArray[np.int64], last: int, cohort: Period, week_starts: str
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the labels of all cohorts from the first to the last elapsed one, and the rows."""
    if not len(group):
        return (), group
    first = int(group.min())
    numbers = range(first, max(int(group.max()), last) + 1)
    if cohort == "week":
        late = DAYS.index(week_starts)
        days = [period_start(number, cohort) + late for number in numbers]
        return tuple(str(np.datetime64(day, "D")) for day in days), group - first
    return tuple(period_label(number, cohort) for number in numbers), group - first


class ActiveBetween:
    """Answers whether a customer was active between two ages, by search in one sorted array."""

    def __init__(
        self,
        customer: NDArray[np.int64],
        axis: NDArray[np.int64],
        *,
        reach: int,
        rows: NDArray[np.intp] | None = None,
    ) -> None:
        # the ages of all rows bound a customer's keys, though only `rows` count as activity
        self._zero = int(axis.min()) if len(axis) else 0
        # wide enough that no bracket of one customer reaches into the next one
        self._width = (int(axis.max()) if len(axis) else 0) - self._zero + reach + 2
        keys = customer * self._width + (axis - self._zero)
        self._keys = np.sort(keys if rows is None else keys[rows])

    def within(
        self, customer: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        offset = customer * self._width - self._zero
        found = np.searchsorted(self._keys, offset + last, side="right")
        return found > np.searchsorted(self._keys, offset + first, side="left")
