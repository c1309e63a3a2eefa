"""The suggestion of an inactivity limit, of statistics that add up."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar, Self

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.frozen import seal
from cxjourney._support.validation import duration_us
from cxjourney.journeys._adding._analyses import Analysis, counted_analysis
from cxjourney.journeys._adding._grid import Grid
from cxjourney.journeys._adding._later import later_bounds
from cxjourney.journeys._adding._tables import Kind, low_and_high, whole_number
from cxjourney.journeys._inactivity import Gaps, gaps_within, suggestion_of
from cxjourney.journeys._inactivity_valleys import (
    N_HEIGHTS,
    N_MINUTES,
    heights_of,
    minutes_of,
    resolution_of_minutes,
    valleys_of_heights,
)
from cxjourney.journeys._outcomes import CONVERTED, IN_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from cxjourney._support.array_types import Ints
    from cxjourney.journeys._adding._analyses import Found, Rows
    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._inactivity import InactivitySuggestion
    from cxjourney.journeys._journeys import Journeys

_SECOND = 1_000_000


@cache
def gap_bounds() -> Ints:
    """Return the bounds of the bins of gaps [µs]: wherever limits may lie, and in between.

    They are whole seconds of ten minutes, whole minutes of two days, whole hours of two weeks, six
    hours of a quarter, days of a year, and a geometric grid.
    """
    seconds = np.arange(0, 600 * _SECOND, _SECOND)
    minutes = np.arange(0, 2_880 * 60 * _SECOND, 60 * _SECOND)
    every = (seconds, minutes, later_bounds(), Grid(limit_us=None).fine)
    return seal(np.unique(np.concatenate(every)))


def _bins(wait_us: Ints) -> Ints:
    bounds = gap_bounds()
    return np.minimum(np.searchsorted(bounds, wait_us, side="right") - 1, len(bounds) - 2)


@attrs.frozen(kw_only=True)
class SilenceCounts(Analysis):
    """What `suggest_inactivity` counts: gaps where only the goal, exits and journey ids cut."""

    name: ClassVar[str] = "suggest_inactivity"

    @classmethod
    def of(cls, journeys: Journeys | None) -> Self:  # type: ignore[override]  # no options
        """Return what is counted; goal and exits are those of the journeys."""
        del journeys
        return cls()

    def kinds(self, _plan: object) -> Mapping[str, Kind]:
        """Return what each table holds."""
        words = ("count", "gap0", "gap1", "gap2")
        return {
            "gaps": Kind(axes=("gap",), columns=words, wide=((1, 4),)),
            "heights": Kind(axes=("unit", "height")),
            "minutes": Kind(axes=("minute",)),
            "journeys": Kind(axes=("outcome",)),
            "silent": Kind(axes=("gap",)),
        }

    def sizes(self, _plan: object) -> Mapping[str, int]:
        """Return the size of each axis."""
        return {"gap": len(gap_bounds()) - 1, "height": N_HEIGHTS, "minute": N_MINUTES}

    def counted(
        self, journeys: Journeys, _plan: object
    ) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, Rows]]:
        """Return no names, and the rows of the tables."""
        log, rules = journeys.log, journeys.rules
        planned = (*rules.goal, *rules.exit_touchpoints)
        whole = log.journeys(
            goal=rules.goal, exit_touchpoints=rules.exit_touchpoints, touchpoints=planned
        )
        gaps, unit, time = gaps_within(whole)
        words = [np.ones_like(gaps), *low_and_high(gaps), np.zeros_like(gaps)]
        running = np.flatnonzero(whole.outcome == IN_PROGRESS)
        last = time[whole.offsets[1:][running] - 1]
        silent = np.maximum((log.observed_until_us or 0) - last, 0)
        return {}, {
            "gaps": ([_bins(gaps)], words),
            "heights": ([unit, heights_of(gaps)], None),
            "minutes": ([minutes_of(time)], None),
            "journeys": ([whole.outcome.astype(np.int64)], None),
            "silent": ([_bins(silent)], None),
        }

    def agree(self, _plan: object, found: Found, outcomes: Ints) -> bool:
        """Return whether the tables could be those of journeys."""
        values, bounds = found.values, gap_bounds()
        number, place = values["gaps"][:, 0], found.axes["gaps"]["gap"]
        endless = place == len(bounds) - 2
        rows = zip(
            number.tolist(),
            bounds[place].tolist(),
            bounds[place + 1].tolist(),
            whole_number(values["gaps"][:, 1:]),
            endless.tolist(),
            strict=True,
        )
        by_outcome = found.filled("journeys", 3)[:, 0]
        return bool(
            all(n * a <= total and (total < n * b or free) for n, a, b, total, free in rows)
            and number.sum() == values["heights"].sum()
            and values["minutes"].sum() == number.sum() + by_outcome.sum()
            and values["silent"].sum() == by_outcome[IN_PROGRESS]
            and outcomes.shape == (N_BUCKETS, len(by_outcome))
        )

    def finished(
        self,
        statistics: JourneyStatistics,
        quantile: float | None,
        limits: Sequence[timedelta | str] | None,
    ) -> InactivitySuggestion:
        """Return the suggestion of statistics."""
        found = counted_analysis(statistics, self)
        values = found.values
        number = values["gaps"][:, 0]
        totals = whole_number(values["gaps"][:, 1:])
        mean = [total // n for total, n in zip(totals, number.tolist(), strict=True)]
        gaps = Gaps(value=np.array(mean, dtype=np.int64), until=np.cumsum(number))
        heights = found.filled("heights", N_BUCKETS, N_HEIGHTS)[:, :, 0]
        minutes = found.filled("minutes", N_MINUTES)[:, 0]
        journeys = found.filled("journeys", 3)[:, 0]
        place = found.axes["silent"]["gap"]
        silent = Gaps(value=gap_bounds()[place], until=np.cumsum(values["silent"][:, 0]))
        by_case = statistics.rules.by_journey_column

        def outcomes(limit: timedelta) -> tuple[int, int, int]:
            limit_us = duration_us(limit)
            n = int(journeys.sum()) + (0 if by_case else gaps.n - gaps.shorter(limit_us))
            won, running = int(journeys[CONVERTED]), silent.shorter(limit_us)
            return won, n - won - running, running

        resolution = resolution_of_minutes(minutes)
        valleys = [] if by_case else valleys_of_heights(heights, resolution)
        return suggestion_of(gaps, valleys, resolution, outcomes, quantile=quantile, limits=limits)
