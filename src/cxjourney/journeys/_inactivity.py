"""The suggestion of an inactivity limit, from the gaps between interactions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney._support.array_types import Ints
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_duration, check_fraction, check_names, duration_us
from cxjourney._support.words import how_long
from cxjourney.domain import Outcome
from cxjourney.exceptions import InvalidValue, TimesRequired
from cxjourney.journeys._inactivity_valleys import DAY_US, MINUTE_US, resolution_us, valleys_us
from cxjourney.journeys._outcomes import planned_touchpoints
from cxjourney.journeys._units import bucket_of_each

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from cxjourney.domain import JourneyBlueprint, Touchpoint
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.log import InteractionLog

_QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
_FACTORS = (0.25, 0.5, 1, 2, 4)
_NO_GAPS = (
    "Silences that last until the end of the observation are not among the gaps, so the true gaps "
    "are somewhat longer."
)
_NO_INTERVALS = (
    "The shares of journeys have no intervals, because they compare limits and not populations."
)
_UNITS_US = (DAY_US, 60 * MINUTE_US, MINUTE_US, 1_000_000)
_COVERED = 0.99
_ALSO = 0.95
_FEW = 0.005
_STEPS = {DAY_US: "days", 60 * MINUTE_US: "whole hours", MINUTE_US: "whole minutes"}


@attrs.frozen(kw_only=True, repr=False)
class InactivitySuggestion(Result):
    """A suggestion for `inactivity=`, and how much depends on it.

    Attributes
    ----------
    suggested
        The longest valley of the gaps, or where they have none the limit that covers `quantile` of
        them, in whole days, hours, minutes or seconds; None where no customer came twice.
    quantile
        Share of the gaps that the limit was taken to cover: each of them is shorter.
    n_gaps
        Number of gaps between consecutive interactions within a journey.
    resolution
        The step that timestamps were recorded in, where it is a minute, an hour or a day; else
        None.
    plausible
        Limits that the data speak for: the one suggested, the valleys, and those that cover 95% and
        99% (or `quantile`) of the gaps, but for those within a factor of 2 of another or with
        hardly a gap between. With more than one, nothing that hangs on the limit is sure before
        somebody chooses.
    valleys
        The valleys of the logarithms of the gaps, one row a valley.

        | column | what it is |
        |---|---|
        | `limit_s` | the limit there [s] |
        | `gaps_shorter` | share of the gaps that are shorter |
        | `typical_shorter_s`, `typical_longer_s` | median gap on either side [s] |
        | `meaning` | "session" below a day, else "journey": what such a limit keeps together |
    gaps
        The distribution of the gaps, one row a quantile.

        | column | what it is |
        |---|---|
        | `quantile` | share of the gaps that are no longer than `gap_s` |
        | `gap_s` | the gap [s] |
    limits
        The meaning of each limit, one row a limit.

        | column | what it is |
        |---|---|
        | `limit_s` | the limit [s] |
        | `gaps_shorter` | share of the gaps that are shorter |
        | `journeys` | number of journeys under the limit |
        | `converted`, `dropped`, `in_progress` | shares of these journeys by outcome |
    """

    title: ClassVar[str] = "Journeys under several inactivity limits"

    suggested: timedelta | None
    quantile: float
    n_gaps: int
    resolution: timedelta | None
    plausible: tuple[timedelta, ...]
    valleys: Table
    gaps: Table
    limits: Table

    def _table(self) -> Table:
        return self.limits

    def _notes(self) -> tuple[str, ...]:
        if self.suggested is None:
            return ("No customer came twice, so there are no gaps from which to suggest a limit.",)
        middle, most = (how_long(np.interp(q, *self._gaps())) for q in (0.5, _ALSO))
        limit = how_long(self.suggested / timedelta(seconds=1))
        covered = f"at least {100 * self.quantile:.4g}% of the {self.n_gaps:,} gaps"
        notes = [
            f"The suggested limit is {limit}: {covered} are shorter than that.",
            f"Half of the gaps are no longer than {middle}, and 95% are no longer than {most}.",
        ]
        notes += map(_in_words, self.valleys)
        if len(self.plausible) > 1:
            listed = ", ".join(how_long(limit / timedelta(seconds=1)) for limit in self.plausible)
            notes.append(
                f"More than one limit is plausible ({listed}), and what depends on the limit is "
                "not certain until you choose one. Where no limit fits every transition, "
                "TransitionGaps cuts each by its own gaps: in Python, "
                "log.journeys(gaps=TransitionGaps())."
            )
        if self.resolution is not None:
            step = _STEPS[duration_us(self.resolution)]
            notes.append(
                f"The timestamps tell {step} only, so that the limit was chosen above that."
            )
        return (*notes, _NO_GAPS, _NO_INTERVALS)

    def _gaps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        quantile, gap = self.gaps["quantile"], self.gaps["gap_s"]
        return np.asarray(quantile, dtype=np.float64), np.asarray(gap, dtype=np.float64)


def suggest_inactivity(
    log: InteractionLog,
    *,
    goal: str | Iterable[str] | None = None,
    exit_touchpoints: str | Iterable[str] = (),
    quantile: float | None = None,
    limits: Sequence[timedelta | str] | None = None,
    touchpoints: Iterable[str | Touchpoint] | None = None,
    blueprint: JourneyBlueprint | None = None,
) -> InactivitySuggestion:
    """Return what several inactivity limits mean; see `InteractionLog.suggest_inactivity`."""
    planned = planned_touchpoints(touchpoints, blueprint)
    cut = partial(
        log.journeys,
        goal=check_names(goal, "goal"),
        exit_touchpoints=check_names(exit_touchpoints, "exit_touchpoints"),
        touchpoints=planned,
    )
    journeys = cut()
    gaps_us, bucket, time = gaps_within(journeys)
    resolution = resolution_us(time)
    valleys = [] if journeys.rules.by_journey_column else valleys_us(gaps_us, bucket, resolution)
    gaps_us.sort()

    def outcomes(limit: timedelta) -> tuple[int, int, int]:
        found = cut(inactivity=limit).outcomes
        return found[Outcome.CONVERTED], found[Outcome.DROPPED], found[Outcome.IN_PROGRESS]

    gaps = Gaps(value=gaps_us, until=np.arange(1, len(gaps_us) + 1))
    return suggestion_of(gaps, valleys, resolution, outcomes, quantile=quantile, limits=limits)


@attrs.frozen(kw_only=True, eq=False)
class Gaps:
    """Gaps in ascending order: values [µs], and how many there are up to each of them."""

    value: Ints
    until: Ints

    @property
    def n(self) -> int:
        """How many there are."""
        return int(self.until[-1]) if len(self.until) else 0

    def at(self, rank: int) -> int:
        """Return the gap of a rank, from 0."""
        return int(self.value[np.searchsorted(self.until, rank, side="right")])

    def quantile(self, share: float) -> int:
        """Return a gap that at least so many are no longer than, to the microsecond."""
        return self.at(math.ceil(share * (self.n - 1)))

    def shorter(self, limit_us: int) -> int:
        """Return how many are shorter than a limit."""
        place = int(np.searchsorted(self.value, limit_us))
        return int(self.until[place - 1]) if place else 0

    def median_s(self, first: int, stop: int) -> float:
        """Return the median of those of some ranks [s]; NaN of none."""
        if first >= stop:
            return math.nan
        return (self.at((first + stop - 1) // 2) + self.at((first + stop) // 2)) / 2e6


def suggestion_of(
    gaps: Gaps,
    valleys_found: Sequence[float],
    resolution: int,
    outcomes: Callable[[timedelta], tuple[int, int, int]],
    *,
    quantile: float | None,
    limits: Sequence[timedelta | str] | None,
) -> InactivitySuggestion:
    """Return the suggestion.

    Parameters
    ----------
    gaps, valleys_found
        The gaps within journeys that only goals, exits and journey ids cut, and their valleys [µs].
    resolution
        The step that timestamps were recorded in [µs].
    outcomes
        Returns how many journeys converted, dropped and are in progress under a limit.
    quantile, limits
        As for `InteractionLog.suggest_inactivity`.
    """
    if quantile is not None:
        check_fraction(quantile, "quantile")
    if limits is not None and not isinstance(limits, Iterable):
        raise InvalidValue.of("limits", "be a list of timedeltas", limits)

    def shorter(limit: timedelta) -> float:
        return gaps.shorter(duration_us(limit)) / gaps.n

    suggested = None
    plausible: tuple[timedelta, ...] = ()
    valleys: list[timedelta] = []
    wanted = _COVERED if quantile is None else quantile
    if gaps.n:
        covering = [_above(gaps.quantile(q), resolution) for q in (_ALSO, wanted)]
        suggested = covering[-1]
        valleys = [_rounded(at, resolution) for at in valleys_found]
        if valleys and quantile is None:
            suggested = valleys[-1]
            wanted = shorter(suggested)
        plausible = _apart([*valleys, *covering], suggested, shorter)
    if limits is None:
        limits = [] if suggested is None else [suggested * factor for factor in _FACTORS]
        limits = [*limits, *valleys, *(plausible if valleys else ())]
    compared = sorted({check_duration(limit, "limits") for limit in limits})
    quantiles = np.array(sorted({*_QUANTILES, wanted})) if gaps.n else np.zeros(0)
    return InactivitySuggestion(
        suggested=suggested,
        quantile=wanted,
        n_gaps=gaps.n,
        resolution=timedelta(microseconds=resolution) if resolution >= MINUTE_US else None,
        plausible=plausible,
        valleys=_described(valleys, gaps),
        gaps=Table(
            {
                "quantile": quantiles,
                "gap_s": np.array([gaps.quantile(q) for q in quantiles.tolist()]) / 1e6,
            },
            formats={"quantile": "percent", "gap_s": "duration"},
        ),
        limits=_compared(outcomes, compared, gaps),
    )


def _apart(
    limits: Iterable[timedelta], suggested: timedelta, shorter: Callable[[timedelta], float]
) -> tuple[timedelta, ...]:
    """Return the limit suggested, and those that are far from it and from each other.

    Far is more than a factor of 2, with more than 1 in 200 gaps between.
    """
    kept: list[timedelta] = []
    for limit in sorted({*limits, suggested}):
        near = any(
            one / 2 <= limit <= one * 2 or abs(shorter(one) - shorter(limit)) <= _FEW
            for one in (suggested, *kept[-1:])
        )
        if limit == suggested or not near:
            kept.append(limit)
    return tuple(kept)


def gaps_within(journeys: Journeys) -> tuple[Ints, Ints, Ints]:
    """Return the gaps within journeys, the bucket of each one's customer, and all times [µs]."""
    time = journeys.columns.time
    if time is None:
        raise TimesRequired("suggest_inactivity() needs times; aggregated paths have none")
    within = np.ones(len(time), dtype=np.bool_)
    within[journeys.offsets[:-1]] = False
    of_row = np.repeat(bucket_of_each(journeys), np.diff(journeys.offsets))
    return np.diff(time)[within[1:]], of_row[1:][within[1:]], time


def _described(valleys: Sequence[timedelta], gaps: Gaps) -> Table:
    at = np.array([duration_us(limit) for limit in valleys], dtype=np.int64)
    place = np.array([gaps.shorter(limit) for limit in at.tolist()], dtype=np.int64)
    bounds = np.array([0, *place, gaps.n])
    typical = [gaps.median_s(a, b) for a, b in pairwise(bounds.tolist())]
    return Table(
        {
            "limit_s": at / 1e6,
            "gaps_shorter": place / max(gaps.n, 1),
            "typical_shorter_s": np.array(typical[:-1] if valleys else [], dtype=np.float64),
            "typical_longer_s": np.array(typical[1:] if valleys else [], dtype=np.float64),
            "meaning": ["session" if us < DAY_US else "journey" for us in at.tolist()],
        },
        formats={
            "limit_s": "duration",
            "gaps_shorter": "percent",
            "typical_shorter_s": "duration",
            "typical_longer_s": "duration",
        },
    )


def _compared(
    outcomes: Callable[[timedelta], tuple[int, int, int]], limits: Sequence[timedelta], gaps: Gaps
) -> Table:
    counts = np.array([outcomes(limit) for limit in limits], dtype=np.int64).reshape(-1, 3)
    journeys = counts.sum(axis=1)
    shares = counts / np.where(journeys, journeys, np.nan)[:, None]
    limits_us = np.array([duration_us(limit) for limit in limits], dtype=np.int64)
    shorter = np.array([gaps.shorter(limit) for limit in limits_us.tolist()], dtype=np.float64)
    return Table(
        {
            "limit_s": limits_us / 1e6,
            "gaps_shorter": shorter / (gaps.n or np.nan),
            "journeys": journeys,
            "converted": shares[:, 0],
            "dropped": shares[:, 1],
            "in_progress": shares[:, 2],
        },
        formats={
            "limit_s": "duration",
            "gaps_shorter": "percent",
            "converted": "percent",
            "dropped": "percent",
            "in_progress": "percent",
        },
    )


def _unit_us(gap_us: float, resolution: int) -> int:
    """Return the largest unit of which a gap has two; at least the step of the timestamps."""
    unit = next((unit for unit in _UNITS_US if gap_us >= 2 * unit), _UNITS_US[-1])
    return max(unit, resolution)


def _above(gap_us: int, resolution: int) -> timedelta:
    """Return the next round time above a gap and above the step of the timestamps.

    A journey ends after a silence of *at least* the limit, so that a limit equal to a gap would cut
    there.
    """
    gap_us = max(gap_us, 0 if resolution == 1 else resolution)
    unit = _unit_us(gap_us, resolution)
    return timedelta(microseconds=(gap_us // unit + 1) * unit)


def _rounded(limit_us: float, resolution: int) -> timedelta:
    unit = _unit_us(limit_us, resolution)
    return timedelta(microseconds=round(limit_us / unit) * unit)


def _in_words(valley: Mapping[str, Any]) -> str:
    limit, below, above = (
        how_long(valley[name]) for name in ("limit_s", "typical_shorter_s", "typical_longer_s")
    )
    return (
        f"The gaps have a valley at {limit}: {100 * valley['gaps_shorter']:.3g}% are shorter, "
        f"typically {below}, the others typically {above}. A limit there keeps together what is "
        f"a {valley['meaning']}."
    )
