"""Work of the report: what its sections are made from, each thing computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._findings import Findings, findings
from cxjourney._support.words import how_long
from cxjourney._trend import Trend, trend
from cxjourney.domain import JourneyBlueprint
from cxjourney.dropoff import StepLike
from cxjourney.exceptions import (
    InvalidValue,
    NotAbsorbing,
    OutcomeUndetermined,
    TimesRequired,
    UnknownName,
)
from cxjourney.journeys import InactivitySuggestion, Journeys, JourneyStatistics
from cxjourney.metrics import Scale
from cxjourney.report._catalogue import say
from cxjourney.report._charts import Line
from cxjourney.report._sharing import shared_findings

if TYPE_CHECKING:
    from cxjourney._time.calendar import Period

LOOKING = "what is wrong: "
TRENDS = ("conversion_rate", "conversions", "exit_rate", "journeys", "visits")
FEWEST = 10  # of what a share is of, in a period that a line shows
_DAY_US = 86_400_000_000
_LONGEST: tuple[tuple[float, Period], ...] = ((35, "day"), (190, "week"), (3_000, "month"))
"""Days of a log up to which it is told by day, by week and by month."""


def line_of(found: Trend, name: str) -> Line:
    """Return a trend as a line."""
    periods, kind = found.periods, found.periods.formats["value"]
    few = (np.asarray(periods["n"]) < FEWEST) & (kind == "percent")
    values, low, high = (
        np.where(few, np.nan, np.asarray(periods[x], dtype=np.float64))
        for x in ("value", "low", "high")
    )
    return Line(
        name=name,
        periods=tuple(map(str, periods["period"])),
        values=values,
        low=low,
        high=high,
        few=int(few.sum()),
        young=np.asarray(periods["censored"]),
        kind=kind,
        by=say(f"period.{found.by}"),
    )


def _period_of(journeys: Journeys) -> Period:
    time = journeys.columns.time
    days = float(np.ptp(time)) / _DAY_US if time is not None and len(time) else 0.0
    return next((by for most, by in _LONGEST if days <= most), "quarter")


@attrs.define(kw_only=True, slots=False)  # slots would leave no room for the cached findings
class Work:
    """What the sections are made from; what two of them need is computed once."""

    journeys: Journeys | JourneyStatistics
    steps: Sequence[StepLike] | None
    blueprint: JourneyBlueprint | None
    scale: Scale | None
    suggestion: InactivitySuggestion | None
    expected_exits: tuple[str, ...] = ()
    command: bool = False  # whether the command is what asks
    share: bool = False  # whether the report is to leave the house
    begin: Callable[[str], None] | None = None

    @property
    def rows(self) -> Journeys:
        """The journeys, of which a section that is made needs the rows."""
        assert isinstance(self.journeys, Journeys)  # noqa: S101 - others are left out before
        return self.journeys

    @property
    def unchosen(self) -> tuple[str, ...]:
        """What to say first where nobody chose the limit and several are plausible."""
        found = self.suggestion
        if found is None or len(found.plausible) < 2:
            return ()
        limit, *others = (
            how_long(limit)
            for limit in sorted(found.plausible, key=lambda limit: limit != found.suggested)
        )
        both = say("finding.unchosen_and").join(others)
        return (say("finding.unchosen", limit=limit.capitalize(), others=both),)

    @property
    def uncertain(self) -> tuple[str, ...]:
        """The same, briefly, for what is further down."""
        return (say("finding.uncertain"),) if self.unchosen else ()

    @cached_property
    def findings(self) -> Findings | str:
        """What is wrong, or why that cannot be told."""
        counted = isinstance(self.journeys, JourneyStatistics)
        timed = counted or self.rows.columns.time is not None
        if not self.journeys.rules.goal and timed:
            return say("finding.no_goal")
        try:
            found = findings(self.journeys, expected_exits=self.expected_exits, begin=self._begin)
            return shared_findings(found, self.rows) if self.share else found
        except (OutcomeUndetermined, TimesRequired, NotAbsorbing) as error:
            return str(error)
        except InvalidValue as error:  # not counted
            if counted:
                return str(error)
            raise

    def _begin(self, step: str) -> None:
        if self.begin is not None:
            self.begin(f"{LOOKING}{step}")

    @cached_property
    def trends(self) -> Mapping[str, Trend]:
        """The figures of the report over time, by their names; those that there are.

        None leave the house: a period may tell of few customers.
        """
        if (
            self.share
            or not isinstance(self.journeys, Journeys)
            or self.journeys.columns.time is None
        ):
            return {}
        by, found = _period_of(self.journeys), {}
        for figure in TRENDS:
            try:
                found[figure] = trend(self.journeys, figure, by=by)
            except (InvalidValue, OutcomeUndetermined, TimesRequired, UnknownName):
                continue  # this log has no such figure
        return found
