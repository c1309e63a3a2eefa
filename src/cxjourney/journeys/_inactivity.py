"""The suggestion of an inactivity limit, from the gaps between interactions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table, format_value
from cxjourney._support.validation import check_duration, check_fraction, duration_us
from cxjourney.domain import Outcome
from cxjourney.exceptions import InvalidValue, TimesRequired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cxjourney.log import InteractionLog

__all__ = ["InactivitySuggestion", "suggest_inactivity"]

_QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
_FACTORS = (0.25, 0.5, 1, 2, 4)
_NO_GAPS = (
    "Silences that last until the end of the observation are not among the gaps, so the true gaps "
    "are somewhat longer."
)
_NO_INTERVALS = (
    "The shares of journeys have no intervals, because they compare limits and not populations."
)
_UNITS = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))


@attrs.frozen(kw_only=True, repr=False)
class InactivitySuggestion(Result):
    """A suggestion for `inactivity=`, and how much depends on it.

    Attributes
    ----------
    suggested
        The quantile of the gaps, rounded up to whole days, hours, minutes or seconds; None where
        no customer came twice.
    quantile
        Which quantile it is.
    n_gaps
        Number of gaps between consecutive interactions within a journey.
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
    gaps: Table
    limits: Table

    def _table(self) -> Table:
        return self.limits

    def _notes(self) -> tuple[str, ...]:
        if self.suggested is None:
            return ("No customer came twice, so there are no gaps from which to suggest a limit.",)
        middle, most = (_shown(np.interp(q, *self._gaps())) for q in (0.5, 0.95))
        limit = _shown(self.suggested / timedelta(seconds=1))
        covered = f"{100 * self.quantile:.4g}% of the {self.n_gaps:,} gaps"
        return (
            f"The suggested limit is {limit}: {covered} are no longer than that.",
            f"Half of the gaps are no longer than {middle}, and 95% are no longer than {most}.",
            _NO_GAPS,
            _NO_INTERVALS,
        )

    def _gaps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        quantile, gap = self.gaps["quantile"], self.gaps["gap_s"]
        return np.asarray(quantile, dtype=np.float64), np.asarray(gap, dtype=np.float64)


def suggest_inactivity(
    log: InteractionLog,
    *,
    goal: str | Iterable[str] | None = None,
    exit_touchpoints: str | Iterable[str] = (),
    quantile: float = 0.99,
    limits: Sequence[timedelta] | None = None,
) -> InactivitySuggestion:
    """Return what several inactivity limits mean; see `InteractionLog.suggest_inactivity`."""
    check_fraction(quantile, "quantile")
    if limits is not None and not isinstance(limits, Iterable):
        raise InvalidValue.of("limits", "be a list of timedeltas", limits)
    gaps_us = _gaps(log, goal, exit_touchpoints)
    suggested = None
    if len(gaps_us):
        suggested = _rounded_up(float(np.quantile(gaps_us, quantile, method="higher")))
    if limits is None:
        limits = [] if suggested is None else [suggested * factor for factor in _FACTORS]
    limits = sorted({check_duration(limit, "limits") for limit in limits})
    ordered = np.sort(gaps_us)
    quantiles = np.array(sorted({*_QUANTILES, quantile})) if len(gaps_us) else np.zeros(0)
    return InactivitySuggestion(
        suggested=suggested,
        quantile=quantile,
        n_gaps=len(gaps_us),
        gaps=Table(
            {
                "quantile": quantiles,
                "gap_s": np.quantile(gaps_us, quantiles, method="higher") / 1e6
                if len(gaps_us)
                else np.zeros(0),
            },
            formats={"quantile": "percent", "gap_s": "duration"},
        ),
        limits=_compared(log, goal, exit_touchpoints, limits, ordered),
    )


def _gaps(
    log: InteractionLog, goal: str | Iterable[str] | None, exits: str | Iterable[str]
) -> NDArray[np.int64]:
    """Return the gaps within journeys that only goals, exits and journey ids cut [us]."""
    journeys = log.journeys(goal=goal, exit_touchpoints=exits)
    time = journeys.columns.time
    if time is None:
        raise TimesRequired("suggest_inactivity() needs times; aggregated paths have none")
    begins = np.zeros(len(time), dtype=np.bool_)
    begins[journeys.offsets[:-1]] = True
    gaps: NDArray[np.int64] = np.diff(time)[~begins[1:]]
    return gaps


def _compared(
    log: InteractionLog,
    goal: str | Iterable[str] | None,
    exits: str | Iterable[str],
    limits: Sequence[timedelta],
    ordered_gaps: NDArray[np.int64],
) -> Table:
    counts = np.zeros((len(limits), 3), dtype=np.int64)
    for i, limit in enumerate(limits):
        found = log.journeys(goal=goal, exit_touchpoints=exits, inactivity=limit).outcomes
        counts[i] = found[Outcome.CONVERTED], found[Outcome.DROPPED], found[Outcome.IN_PROGRESS]
    journeys = counts.sum(axis=1)
    shares = counts / np.where(journeys, journeys, np.nan)[:, None]
    limits_us = np.array([duration_us(limit) for limit in limits], dtype=np.int64)
    shorter = np.searchsorted(ordered_gaps, limits_us, side="left")
    n_gaps = len(ordered_gaps) or np.nan
    return Table(
        {
            "limit_s": limits_us / 1e6,
            "gaps_shorter": shorter / n_gaps,
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


def _rounded_up(gap_us: float) -> timedelta:
    """Return the gap in the largest unit of which it has two, rounded up; at least a second."""
    gap = timedelta(microseconds=gap_us)
    unit = next((u for u in _UNITS if gap >= 2 * u), _UNITS[-1])
    return max(-(-gap // unit) * unit, unit)


def _shown(seconds: float) -> str:
    return format_value(float(seconds), "duration")
