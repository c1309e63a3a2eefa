"""Cuts of long histories where a gap is unusual for its transition, not for the log as a whole."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney.exceptions import InvalidValue

_TO_SD = 1.4826  # median absolute deviation to the standard deviation of a normal
_TO_SD_OF_MEAN = 1.2533  # the same for the mean absolute deviation
_TAIL = 0.1


def _positive(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise InvalidValue.of(attribute.name, "be a positive number", value)


def _count(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 2:
        raise InvalidValue.of(attribute.name, "be a whole number, at least 2", value)


@attrs.frozen(kw_only=True)
class TransitionGaps:
    """Cut where a gap is long for its transition: for `log.journeys(gaps=...)`.

    A transition is a touchpoint and the next one of the same customer. Two things end a journey:

    - a *pause*: a gap that is long among the gaps of its own transition;
    - a *slow transition*: one whose typical gap is long among those of all transitions. Every one
      of its gaps ends a journey: it is what customers do between journeys.

    Parameters
    ----------
    pause
        Robust standard deviations above the median of its own transition from which on a gap is
        a pause; infinity for never.
    slow
        Robust standard deviations above the median of all transitions from which on a transition
        is slow; infinity for never.
    min_gaps
        Number of gaps below which a transition says nothing of itself: it is never slow, and its
        gaps are compared with all gaps.

    Raises
    ------
    InvalidValue
        If `pause` or `slow` is not positive, or `min_gaps` is below 2.

    Notes
    -----
    All in logarithms of the gaps, since gaps are skewed. A pause: (log g - m) / s ≥ `pause`, with
    m the median of the transition and s = 1.4826 times the median absolute deviation from it
    (1.2533 times the mean absolute deviation where that is 0; without any spread there is no
    pause). The typical gap of a transition is the mean of its logarithms with the outer tenths
    pulled in (winsorised); its place among all transitions is measured the same way, each counted
    as often as it has gaps. `pause=3.5` is the usual limit of Iglewicz and Hoaglin (1993);
    `slow=1` lies amid the values (0.75 to 1.5) that found true journeys better than the best limit
    for all gaps on two synthetic logs of known truth; it was chosen on them.

    Comparing a gap with its own transition alone cannot see what only ever happens between
    journeys, whose long gaps are normal for it; Bernard and Andritsos (2019) therefore judge by
    the mean gap of a transition, as `slow` does.

    A transition may be slow by nature, such as an order and its delivery. Look at what is cut
    before you trust it, and give `slow=math.inf` where you know better.

    Examples
    --------
    >>> from cxjourney import InteractionLog, TransitionGaps
    >>> hours = [0, 1, 2, 50, 51, 52, 300, 301, 302, 303]
    >>> log = InteractionLog.from_frame(
    ...     {
    ...         "who": ["a"] * 10,
    ...         "when": [f"2026-01-{1 + h // 24:02} {h % 24:02}:00" for h in hours],
    ...         "what": ["ad", "web", "web", "ad", "web", "web", "ad", "web", "web", "web"],
    ...     },
    ...     customer="who", timestamp="when", touchpoint="what",
    ... )
    >>> journeys = log.journeys(gaps=TransitionGaps(min_gaps=2))
    >>> journeys.lengths.tolist()
    [3, 3, 4]
    """

    pause: float = attrs.field(default=3.5, validator=_positive)
    slow: float = attrs.field(default=1.0, validator=_positive)
    min_gaps: int = attrs.field(default=10, validator=_count)


def pauses(
    touchpoint: NDArray[np.integer],
    time: NDArray[np.int64],
    within: NDArray[np.bool_],
    gaps: TransitionGaps,
) -> NDArray[np.bool_]:
    """Return the rows whose gap to the row before ends a journey.

    Parameters
    ----------
    touchpoint
        Code of each row.
    time
        Time of each row [µs].
    within
        Whether the gap before each row lies within a customer's journey as far as is known; only
        these gaps count, and only these rows can be returned.
    gaps
        What is unusual.
    """
    cut = np.zeros(len(touchpoint), dtype=np.bool_)
    row = np.flatnonzero(within)
    if not len(row):
        return cut
    log_gap = np.log(np.maximum(time[row] - time[row - 1], 1))
    before, after = touchpoint[row - 1].astype(np.int64), touchpoint[row].astype(np.int64)
    key = before * (int(touchpoint.max()) + 1) + after
    _, transition, count = np.unique(key, return_inverse=True, return_counts=True)

    groups = _Groups.of(log_gap, transition, count)
    centre, spread = groups.median_and_spread()
    rare = count < gaps.min_gaps
    all_centre, all_spread = _median_and_spread(log_gap)
    centre, spread = np.where(rare, all_centre, centre), np.where(rare, all_spread, spread)

    typical = groups.winsorised_mean()
    middle, deviation = _median_and_spread(typical[transition])
    slow = _beyond(typical, middle, deviation, gaps.slow) & ~rare
    pause = _beyond(log_gap, centre[transition], spread[transition], gaps.pause)
    cut[row] = slow[transition] | pause
    return cut


def _beyond(
    value: NDArray[np.float64],
    centre: NDArray[np.float64] | float,
    spread: NDArray[np.float64] | float,
    limit: float,
) -> NDArray[np.bool_]:
    """Return whether values lie `limit` spreads above the centre; none does without a spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        far: NDArray[np.bool_] = (value - centre) / spread >= limit
    return far & (spread > 0)


def _median_and_spread(value: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median and the robust standard deviation."""
    centre = float(np.median(value))
    away = np.abs(value - centre)
    return centre, _TO_SD * float(np.median(away)) or _TO_SD_OF_MEAN * float(away.mean())


@attrs.frozen(kw_only=True)
class _Groups:
    """Values group by group, ascending within each."""

    value: NDArray[np.float64]
    owner: NDArray[np.int64]
    count: NDArray[np.int64]

    @classmethod
    def of(
        cls, value: NDArray[np.float64], group: NDArray[np.int64], count: NDArray[np.int64]
    ) -> _Groups:
        order = np.lexsort((value, group))
        return cls(value=value[order], owner=group[order], count=count)

    @property
    def start(self) -> NDArray[np.int64]:
        return np.cumsum(self.count) - self.count

    def median(self) -> NDArray[np.float64]:
        middle = self.start + self.count // 2
        other = self.start + (self.count - 1) // 2
        both: NDArray[np.float64] = self.value[middle] + self.value[other]
        return both / 2

    def mean(self) -> NDArray[np.float64]:
        return np.bincount(self.owner, self.value, minlength=len(self.count)) / self.count

    def median_and_spread(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the median and the robust standard deviation of each group."""
        centre = self.median()
        away = _Groups.of(np.abs(self.value - centre[self.owner]), self.owner, self.count)
        spread = _TO_SD * away.median()
        return centre, np.where(spread > 0, spread, _TO_SD_OF_MEAN * away.mean())

    def winsorised_mean(self) -> NDArray[np.float64]:
        """Return the mean of each group with its outer tenths pulled in to where they begin."""
        outer = (_TAIL * self.count).astype(np.int64)
        low = self.value[self.start + outer]
        high = self.value[self.start + self.count - 1 - outer]
        pulled = np.clip(self.value, low[self.owner], high[self.owner])
        return attrs.evolve(self, value=pulled).mean()
