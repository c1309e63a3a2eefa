"""Trends of statistics that add up: what is counted, and cells of rows made of the counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._time.calendar import DAY_US, PERIODS, Period, period_index, period_of_days
from cxjourney._time.zones import check_zone
from cxjourney._trend._rows import Facts, parts_of_figure, rows_of
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import (
    LIMB,
    Analysis,
    Kind,
    bucket_of_each,
    counted_analysis,
    first_bytes_of,
    later_bounds,
    usual_days,
    visits_of,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.journeys import Found, Journeys, JourneyStatistics
    from cxjourney.metrics import Metric

_CONVERSIONS = ("conversion_rate", "conversion_after")
_NUMBERS = ("journeys", "conversions", "visits")
COUNTED = (*_CONVERSIONS, "exit_rate", *_NUMBERS)
"""The figures that are counts."""

_FIRST_DAY = 720_000  # days that lie before 1970
_MOST_DAYS = 4_096
_LEAST_SPAN = 4
_SHIFT = 3
_SIZES = {"day": 4_400_000, "shift": 8, "quarter": 4, "delay": _MOST_DAYS, "period": len(PERIODS)}


@attrs.frozen(kw_only=True)
class TrendCounts(Analysis):
    """What a trend counts.

    Attributes
    ----------
    figure
        Name of the figure, with its touchpoint.
    tz
        Zone of the calendar.

    Notes
    -----
    Rows of a share lie in cells of unit, the next two bits of the digest ("quarter"), local day,
    and "shift": of an exit rate whether the row was followed up to the limit; of conversions by how
    many days its age [whole days of 24 hours] differs from that of its local day, less 3. So it is
    known of each cell whether it was followed for any whole number of days. Events have the days
    that they took besides. How old rows are, and how long events took, is also on the finer grid
    of `later_bounds`, of all customers together.
    """

    name: ClassVar[str] = "trend"

    figure: str
    tz: str

    @classmethod
    def of(  # type: ignore[override]  # the options by name
        cls, journeys: Journeys | None, *, figure: Any, tz: Any = None
    ) -> Self:
        """Return what is counted of a figure, by a calendar of UTC or another zone."""
        name, touchpoint = parts_of_figure(figure)
        if name not in COUNTED:
            rule = f"be a share or a number that can be counted: {', '.join(COUNTED)}"
            raise InvalidValue.of("figure", rule, figure)
        zone = "UTC" if tz is None else tz
        check_zone(zone)
        if journeys is not None and touchpoint:
            known = visits_of(journeys).names
            if touchpoint not in known:
                raise UnknownName.among("touchpoint", touchpoint, known, where="the journeys")
        return cls(figure=figure, tz=zone)

    @property
    def sort(self) -> str:
        """Name of the figure, without its touchpoint."""
        return self.figure.partition(":")[0]

    def kinds(self, plan: Any) -> Mapping[str, Kind]:  # noqa: ARG002 - the same for all
        """Return what each table holds."""
        if self.sort in _NUMBERS:
            squares = ("rows", "squares0", "squares1", "squares2")
            return {
                "days": Kind(axes=("day",)),
                "log": Kind(axes=("day",)),
                "often": Kind(axes=("period",), columns=squares, wide=((1, 4),)),
            }
        cell = ("unit", "quarter", "day", "shift")
        if self.sort == "exit_rate":
            return {"rows": Kind(axes=cell, columns=("rows", "events"))}
        return {
            "rows": Kind(axes=cell),
            "events": Kind(axes=(*cell, "delay")),
            "ages": Kind(axes=("day", "later")),
            "delays": Kind(axes=("day", "later")),
            "starts": Kind(axes=("day", "shift")),
        }

    def sizes(self, plan: Any) -> Mapping[str, int]:  # noqa: ARG002 - the same for all
        """Return the sizes of the axes."""
        return _SIZES

    def counted(
        self,
        journeys: Journeys,
        plan: Any,  # noqa: ARG002 - the journeys know it
    ) -> tuple[
        Mapping[str, Sequence[str]], Mapping[str, tuple[Sequence[Ints], Sequence[Ints] | None]]
    ]:
        """Return the rows of each table."""
        touchpoint = self.figure.partition(":")[2]
        if touchpoint and touchpoint not in visits_of(journeys).names:
            some = journeys.where(np.zeros(len(journeys), dtype=np.bool_))
            rows = rows_of(some, self.sort if self.sort != "conversion_after" else _CONVERSIONS[0])
        else:
            rows = rows_of(journeys, self.figure)
        day = self._day(rows.time_us)
        if self.sort in _NUMBERS:
            return {}, self._numbers(journeys, rows.journey, day)
        until = journeys.log.observed_until_us or 0
        age, unit = until - rows.time_us, bucket_of_each(journeys)
        byte = first_bytes_of(journeys.log)[journeys.customer[rows.journey]].astype(np.int64)
        cell = [unit[rows.journey], byte & 3, day]
        if self.sort == "exit_rate":
            ripe = age >= rows.horizon_us
            left = (rows.value > 0) & (rows.delay_us <= age)
            ones = np.ones(len(day), dtype=np.int64)
            return {}, {"rows": ([*cell, ripe.astype(np.int64)], [ones, left.astype(np.int64)])}
        cell.append(self._shift(age, day, until))
        won = np.flatnonzero(rows.delay_us <= age)
        delay = rows.delay_us[won].astype(np.int64)
        bounds, start = later_bounds(), journeys.columns.time
        assert start is not None  # noqa: S101 - journeys with customers have times
        begun = start[journeys.offsets[:-1]]
        begun_day = self._day(begun)
        older = np.clip(np.searchsorted(bounds, age, side="right") - 1, 0, len(bounds) - 1)
        took = np.clip(np.searchsorted(bounds, delay, side="left") - 1, 0, len(bounds) - 1)
        whole = np.minimum(-(-delay // DAY_US), _MOST_DAYS - 1)
        return {}, {
            "rows": (cell, None),
            "events": ([*(axis[won] for axis in cell), whole], None),
            "ages": ([day, older], None),
            "delays": ([day[won], took], None),
            "starts": ([begun_day, self._shift(until - begun, begun_day, until)], None),
        }

    def _day(self, time_us: Ints) -> Ints:
        day: Ints = period_index(time_us, "day", self.tz) + _FIRST_DAY
        return day

    def _shift(self, age: Ints, day: Ints, until: int) -> Ints:
        """Return by how much the age differs from the days between the local days, from 0."""
        shift: Ints = age // DAY_US + day - self._day(np.array([until]))[0] + _SHIFT
        return shift

    def _numbers(
        self, journeys: Journeys, journey: Ints, day: Ints
    ) -> dict[str, tuple[list[Ints], list[Ints] | None]]:
        time = journeys.log.columns.time
        assert time is not None  # noqa: S101 - journeys with customers have times
        squares = []
        by: Period
        for by in ("day", "week", "month", "quarter"):
            period = period_of_days(day - _FIRST_DAY, by)
            often = times_of(journeys.customer[journey], period)
            # below 2 ** 31 rows each, whose squares have two words; the sum of them has three
            squares.append([len(day), sum(x * x for x in often.tolist())])
        n, total = zip(*squares, strict=True)
        mask = (1 << LIMB) - 1
        words = [np.array([(x >> (LIMB * i)) & mask for x in total]) for i in range(3)]
        return {
            "days": ([day], None),
            "log": ([self._day(time)], None),
            "often": ([np.arange(len(PERIODS))], [np.array(n), *words]),
        }

    def agree(self, plan: Any, found: Found, outcomes: Ints) -> bool:  # noqa: ARG002 - rows may be visits
        """Return whether tables that were read could be those of journeys."""
        if self.sort in _NUMBERS:
            days, rows = int(found.values["days"].sum()), found.values["often"]
            return len(rows) == (len(PERIODS) if days else 0) and all(
                n == days <= squares <= days * days
                for n, squares in zip(rows[:, 0].tolist(), whole_number(rows[:, 1:]), strict=True)
            )
        rows = found.values["rows"]
        if self.sort == "exit_rate":
            shift = found.axes["rows"]["shift"]
            return bool((rows[:, 1] <= rows[:, 0] * shift).all()) and int(shift.max(initial=0)) < 2
        last = len(later_bounds())
        key, place = _joined(found)
        events = np.bincount(np.maximum(place, 0), found.values["events"][:, 0], len(key))
        return bool(
            (place >= 0).all()
            and (events <= rows[:, 0]).all()
            and found.values["ages"].sum() == rows.sum()
            and found.values["delays"].sum() == found.values["events"].sum()
            and all(found.axes[one]["later"].max(initial=0) < last for one in ("ages", "delays"))
        )


def times_of(customer: Ints, period: Ints) -> Ints:
    """Return how often customers come in a period, of each customer and period that occur."""
    low, size = int(period.min(initial=0)), int(np.ptp(period)) + 1 if len(period) else 1
    key = customer.astype(np.int64) * size + period - low
    return np.asarray(np.unique(key, return_counts=True)[1])


def _joined(found: Found) -> tuple[Ints, Ints]:
    """Return the keys of cells of rows, ascending, and the place of each event's cell, or -1."""
    keys = []
    for table in ("rows", "events"):
        axes = found.axes[table]
        key = axes["unit"] * _SIZES["quarter"] + axes["quarter"]
        keys.append((key * _SIZES["day"] + axes["day"]) * _SIZES["shift"] + axes["shift"])
    place = np.minimum(np.searchsorted(keys[0], keys[1]), max(len(keys[0]) - 1, 0))
    known = keys[0][place] == keys[1] if len(keys[0]) else np.zeros(len(keys[1]), dtype=np.bool_)
    return keys[0], np.where(known, place, -1)


@attrs.frozen(kw_only=True, eq=False)
class CountedTrend:
    """Rows of a figure in cells.

    Attributes
    ----------
    facts
        What the chart must know of the figure.
    tz, until_us
        Zone of the calendar, and the end of the observation.
    day, n
        Local day of each cell, and how many rows it has.
    unit, byte, events, ripe
        Of shares: bucket, first byte of the digest, events, and whether they were followed for the
        whole horizon.
    ages, delays
        Of conversions: day and bin of age of rows, and how many; day and bin of time of events.
    since, over
        Of numbers: the first day of the log, and how much they vary more than chance, by period.
    """

    facts: Facts
    tz: str
    until_us: int
    day: Ints
    n: Ints
    unit: Ints = attrs.field(factory=lambda: np.zeros(0, dtype=np.int64))
    byte: Ints = attrs.field(factory=lambda: np.zeros(0, dtype=np.int64))
    events: Ints = attrs.field(factory=lambda: np.zeros(0, dtype=np.int64))
    ripe: Bools = attrs.field(factory=lambda: np.zeros(0, dtype=np.bool_))
    ages: tuple[Ints, Ints, Ints] | None = None
    delays: tuple[Ints, Ints, Ints] | None = None
    since: int = 0
    over: Mapping[str, float] = attrs.field(factory=dict)

    def reached(self, final: Callable[[Ints], Bools]) -> tuple[Floats, Floats, Ints, Ints]:
        """Return the share of events of final days that came within the age of rows.

        At least and at most, on the grid, with the day of the rows and how many they are.
        """
        if self.ages is None or self.delays is None:  # exits are known when the limit is over
            share = self.ripe.astype(np.float64)
            return share, share, self.day, self.n
        last = int(np.searchsorted(later_bounds(), self.facts.horizon_us))
        day, bins, n = self.delays
        some = final(day) & (bins < last)
        events = np.cumsum(np.bincount(bins[some], n[some], minlength=last))
        came = np.concatenate([[0.0], events, events[-1:]]) / max(float(events[-1]), 1.0)
        day, bins, n = self.ages
        bins = np.minimum(bins, last)
        return came[bins], came[np.minimum(bins + 1, last)], day, n


def counted_trend(
    statistics: JourneyStatistics, figure: str | Metric, tz: str | None
) -> CountedTrend:
    """Return the cells of a figure that was counted, or raise InvalidValue."""
    zones = [
        one.tz
        for one in statistics.plan.analyses
        if isinstance(one, TrendCounts) and one.figure == figure
    ]
    zone = zones[0] if tz is None and len(zones) == 1 else tz
    wanted = TrendCounts.of(None, figure=figure, tz=zone)
    found, until = counted_analysis(statistics, wanted), statistics.plan.observed_until_us
    if until is None:
        raise InvalidValue(f"nothing to chart: no journey has a value of {figure!r}")
    if wanted.sort in _NUMBERS:
        return _numbers_of(found, wanted, until)
    axes, rows = found.axes["rows"], found.values["rows"]
    first = np.array([one[0] for one in statistics.digests], dtype=np.int64)
    unit, day = axes["unit"], axes["day"] - _FIRST_DAY
    cells: dict[str, Any] = {
        "tz": wanted.tz,
        "until_us": until,
        "day": day,
        "n": rows[:, 0],
        "unit": unit,
        "byte": first[unit] if len(first) else unit * 4 + axes["quarter"],
    }
    if wanted.sort == "exit_rate":
        horizon = statistics.plan.silence_us
        return CountedTrend(
            facts=_share_of(horizon),
            events=rows[:, 1],
            ripe=axes["shift"] > 0,
            **cells,
        )
    days = _horizon(found, until, wanted.tz)
    _, place = _joined(found)
    soon = np.where(found.axes["events"]["delay"] <= days, found.values["events"][:, 0], 0)
    events = np.zeros(len(rows), dtype=np.int64)
    np.add.at(events, place, soon)
    return CountedTrend(
        facts=_share_of(days * DAY_US),
        events=events,
        ripe=_age(axes, until, wanted.tz) >= days,
        ages=_grid(found, "ages"),
        delays=_grid(found, "delays"),
        **cells,
    )


def _share_of(horizon_us: int) -> Facts:
    return Facts(unit="fraction", horizon_us=horizon_us, counted=False, share=True, delayed=True)


def _grid(found: Found, table: str) -> tuple[Ints, Ints, Ints]:
    axes = found.axes[table]
    return axes["day"] - _FIRST_DAY, axes["later"], found.values[table][:, 0]


def _age(axes: Mapping[str, Ints], until: int, tz: str) -> Ints:
    """Return the age of cells [whole days]."""
    last = period_index(np.array([until]), "day", tz)[0] + _FIRST_DAY
    age: Ints = axes["shift"] - _SHIFT + last - axes["day"]
    return age


def _horizon(found: Found, until: int, tz: str) -> int:
    """Return the days in which nine of ten conversions come, at most a quarter of the record."""
    span = int(_age(found.axes["starts"], until, tz).max(initial=0))
    if span < _LEAST_SPAN:
        raise InvalidValue(
            f"a trend of conversions needs statistics of at least {_LEAST_SPAN} days, not of {span}"
        )
    _, bins, n = _grid(found, "delays")
    won = np.bincount(bins, n, minlength=len(later_bounds())).astype(np.int64)
    return usual_days(won, float(span)) if won.any() else 1


def _numbers_of(found: Found, wanted: TrendCounts, until: int) -> CountedTrend:
    over = {}
    for period, row in zip(found.axes["often"]["period"], found.values["often"], strict=True):
        (squares,) = whole_number(row[np.newaxis, 1:])
        over[PERIODS[period]] = squares / max(int(row[0]), 1)
    unit = f"{wanted.sort} a day"
    return CountedTrend(
        facts=Facts(unit=unit, horizon_us=0, counted=True, share=False, delayed=False),
        tz=wanted.tz,
        until_us=until,
        day=found.axes["days"]["day"] - _FIRST_DAY,
        n=found.values["days"][:, 0],
        since=int(found.axes["log"]["day"].min(initial=_SIZES["day"])) - _FIRST_DAY,
        over={by: over.get(by, 1.0) for by in PERIODS},
    )
