"""Plans beside a chart: initiatives as marks, targets as gaps and verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import attrs
import numpy as np

from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_choice,
    check_mapping,
    check_name,
    check_names,
    check_number,
)
from cxjourney._support.words import counted
from cxjourney._time.calendar import period_label, period_of_days
from cxjourney._trend._rows import parts_of_figure
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney._support.array_types import Bools
    from cxjourney._trend._charts import Calendar, Chart

Plan = TypeVar("Plan", "Initiative", "Target")
Better = Literal["higher", "lower"]
_BETTER: tuple[Better, ...] = ("higher", "lower")
_LOWER = frozenset({"exit_rate"})
_EPOCH = date(1970, 1, 1)
_OPEN = "too early to tell"


def _day(value: date | str, name: str) -> date:
    """Return a day of the calendar, which a string such as "2026-03-01" may say."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidValue.of(name, "be a date such as '2026-03-01'", value) from None


def _number(day: date) -> int:
    """Return the number of a day."""
    return (day - _EPOCH).days


def _start(value: date | str) -> date:
    return _day(value, "start")


def _by(value: date | str) -> date:
    return _day(value, "by")


def _phases(value: Mapping[str, date | str]) -> tuple[tuple[str, date], ...]:
    days = check_mapping(value, "phases").items()
    return tuple((name, _day(day, f"phases[{name!r}]")) for name, day in days)


def _touchpoints(value: str | Iterable[str]) -> tuple[str, ...]:
    return check_names(value, "touchpoints")


@attrs.frozen
class Initiative:
    """Something that a company does from a day on, to be marked on trends.

    Parameters
    ----------
    name
        What people call it.
    start
        The day on which it begins, as a date or as text such as "2026-03-01".
    phases
        The first day of each phase by its name, none before `start`; kept as pairs.
    touchpoints
        The touchpoints that it changes; trends of other touchpoints do not mark it. Without any it
        is marked on every trend.

    Raises
    ------
    InvalidValue
        If a name is no text, a day is no date, or a phase begins before the initiative does.

    See Also
    --------
    cxjourney.trend : Marks initiatives.

    Examples
    --------
    >>> from cxjourney.experiments import Initiative
    >>> Initiative("New checkout", "2026-03-02", phases={"all shops": "2026-05-04"}).phases
    (('all shops', datetime.date(2026, 5, 4)),)
    """

    name: str
    start: date = attrs.field(converter=_start)
    phases: tuple[tuple[str, date], ...] = attrs.field(
        factory=dict, kw_only=True, converter=_phases
    )
    touchpoints: tuple[str, ...] = attrs.field(default=(), kw_only=True, converter=_touchpoints)

    def __attrs_post_init__(self) -> None:
        check_name(self.name, "name")
        for name, day in self.phases:
            if day < self.start:
                rule = f"begin no phase before the start, {self.start}"
                raise InvalidValue.of("phases", rule, f"{name!r}: {day}")


@attrs.frozen
class Target:
    """What a figure should be by a day.

    Parameters
    ----------
    figure
        Name of a headline figure of `cxjourney.trend`, such as "exit_rate:cart", or of a metric.
    value
        What it should be, in the unit of the figure: a share of 40 % is .4.
    by
        The day on which it should be that, as a date or as text such as "2026-06-30".
    better
        "higher" or "lower"; None takes "lower" for exit rates, the direction of a metric, and
        "higher" for all else.

    Raises
    ------
    InvalidValue
        If the figure is no text, the value is no number, the day is no date, or `better` is
        neither word.

    See Also
    --------
    cxjourney.trend : Says whether it was reached.

    Examples
    --------
    >>> from cxjourney.experiments import Target
    >>> Target("exit_rate:cart", 0.25, by="2026-06-30").by
    datetime.date(2026, 6, 30)
    """

    figure: str
    value: float
    by: date = attrs.field(converter=_by)
    better: Better | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_name(self.figure, "figure")
        if not np.isfinite(check_number(self.value, "value")):
            raise InvalidValue.of("value", "be finite", self.value)
        if self.better is not None:
            check_choice(self.better, "better", _BETTER)


class Plans(NamedTuple):
    """The initiatives and targets that concern a figure, and a word on those that do not."""

    initiatives: tuple[Initiative, ...] = ()
    targets: tuple[Target, ...] = ()
    lower: bool = False
    left_out: str = ""

    def marks(self, calendar: Calendar, backend: str | None) -> Table:
        """Return one row a start or phase: `initiative`, `phase`, `date` and `period`."""
        rows = [
            (each.name, phase, day)
            for each in self.initiatives
            for phase, day in [("", each.start), *sorted(each.phases, key=lambda x: x[1])]
        ]
        return Table(
            {
                "initiative": [name for name, *_ in rows],
                "phase": [phase for _, phase, _ in rows],
                "date": [str(day) for *_, day in rows],
                "period": [_label(day, calendar) for *_, day in rows],
            },
            backend=backend,
        )

    def gaps(self, chart: Chart, calendar: Calendar, shown: str, backend: str | None) -> Table:
        """Return one row a target, with the value of the period of its day and the verdict."""
        judged = [self._judged(each, chart, calendar) for each in self.targets]
        numbers = ("target", "value", "low", "high", "gap")
        return Table(
            {
                "by": [str(each.by) for each in self.targets],
                "due": [_label(each.by, calendar) for each in self.targets],
                "target": np.array([float(each.value) for each in self.targets]),
                "better": [self._better(each) for each in self.targets],
                "period": [name for name, *_ in judged],
                "value": np.array([row[1] for row in judged], dtype=np.float64),
                "low": np.array([row[2] for row in judged], dtype=np.float64),
                "high": np.array([row[3] for row in judged], dtype=np.float64),
                "gap": np.array([row[4] for row in judged], dtype=np.float64),
                "verdict": [row[5] for row in judged],
            },
            formats=dict.fromkeys(numbers, shown),
            backend=backend,
        )

    def _better(self, target: Target) -> Better:
        return target.better or ("lower" if self.lower else "higher")

    def _judged(
        self, target: Target, chart: Chart, calendar: Calendar
    ) -> tuple[str, float, float, float, float, str]:
        """Return the period that is looked at, its value and interval, the gap, and a verdict."""
        due = int(calendar.period(np.array([_number(target.by)]))[0])
        final: Bools = ~chart.young & np.isfinite(chart.value)
        seen = np.flatnonzero(final[: max(due + 1, 0)])
        if not len(seen):
            return "", np.nan, np.nan, np.nan, np.nan, _OPEN if due >= 0 else "not observed"
        at = int(seen[-1])
        value, low, high = (float(x[at]) for x in (chart.value, chart.low, chart.high))
        name = period_label(calendar.start + at, calendar.by)
        if at < due and (due >= calendar.n or chart.young[due]):
            verdict = _OPEN
        elif at < due:
            verdict = "not observed"
        else:
            verdict = _verdict(low, high, target.value, self._better(target))
        return name, value, low, high, value - target.value, verdict


def _label(day: date, calendar: Calendar) -> str:
    """Return the period of a day."""
    period = period_of_days(np.array([_number(day)]), calendar.by)
    return period_label(int(period[0]), calendar.by)


def _verdict(low: float, high: float, target: float, better: Better) -> str:
    if not (np.isfinite(low) and np.isfinite(high)):
        return "too few to tell"
    reached, missed = (low >= target, high < target)
    if better == "lower":
        reached, missed = (high <= target, low > target)
    return "reached" if reached else "not reached" if missed else "too few to tell"


def plans_for(
    figure: str | Metric,
    initiatives: Initiative | Iterable[Initiative],
    targets: Target | Iterable[Target],
    touchpoints: Sequence[str] | None,
) -> Plans:
    """Return the plans that concern a figure.

    Raises
    ------
    InvalidValue
        If something else than initiatives or targets is among them.
    UnknownName
        If an initiative changes a touchpoint that is not among `touchpoints`.
    """
    name = figure.name if isinstance(figure, Metric) else figure
    kind, touchpoint = (name, "") if isinstance(figure, Metric) else parts_of_figure(figure)
    lower = figure.direction == "lower" if isinstance(figure, Metric) else kind in _LOWER
    started = _each(initiatives, Initiative, "initiatives")
    aimed = _each(targets, Target, "targets")
    for each in started:
        for one in each.touchpoints:
            if touchpoints is not None and one not in touchpoints:
                where = f"the data of the trend (initiative {each.name!r})"
                raise UnknownName.among("touchpoint", one, tuple(touchpoints), where=where)
    here = tuple(
        each
        for each in started
        if not (each.touchpoints and touchpoint) or touchpoint in each.touchpoints
    )
    ours = tuple(sorted((x for x in aimed if x.figure == name), key=lambda target: target.by))
    left = []
    if len(here) < len(started):
        left.append(f"{counted(len(started) - len(here), 'initiative')} of other touchpoints")
    if len(ours) < len(aimed):
        left.append(f"{counted(len(aimed) - len(ours), 'target')} of other figures")
    return Plans(here, ours, lower, f"Not shown: {' and '.join(left)}." if left else "")


def _each(value: Plan | Iterable[Plan], kind: type[Plan], name: str) -> tuple[Plan, ...]:
    given = (value,) if isinstance(value, kind) else value
    if not isinstance(given, Iterable):
        raise InvalidValue.of(name, f"be {kind.__name__}s", value)
    found = tuple(given)
    for one in found:
        if not isinstance(one, kind):
            raise InvalidValue.of(name, f"hold {kind.__name__}s only", one)
    return found
