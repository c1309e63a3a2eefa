"""Inferred effort: what journeys cost the customer, where nobody was asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.estimates import CLUSTERED, means_without
from cxjourney._stats.intervals import normal_quantile
from cxjourney._stats.ratios import ratio_figures
from cxjourney._support.arrays import numbers
from cxjourney._support.frozen import read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    IN_PROGRESS,
    BySegment,
    SegmentBy,
    Visits,
    by_segment,
    check_journeys,
    units_of,
    visits_of,
)
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from cxjourney._support.arrays import Values
    from cxjourney.journeys import Journeys

_LENGTH = ("visits", "seen again", "straight back", "days")


@attrs.frozen(kw_only=True, repr=False)
class InferredEffort(Result):
    """What journeys cost the customer, by component and as one rank.

    Attributes
    ----------
    table
        One row a component: its `mean` over journeys with `low`, `high`. A component that is the
        same on all journeys says nothing and is not in the index.
    index
        Mean percentile rank of the components of each journey, in [0, 1]; NaN for journeys in
        progress and those without a visit.
    customer, n_in_progress, level
        Customer number of each journey; journeys left out because their effort is not over;
        confidence level of the intervals.
    """

    title: ClassVar[str] = "Inferred effort"

    table: Table
    index: NDArray[np.float64] = attrs.field(
        converter=read_only,
        eq=attrs.cmp_using(eq=lambda a, b: np.array_equal(a, b, equal_nan=True)),
    )
    customer: NDArray[np.int64] = attrs.field(
        converter=read_only, eq=attrs.cmp_using(eq=np.array_equal)
    )
    n_in_progress: int
    level: float

    def check(self, surveyed: Values, *, level: float = 0.95) -> Estimate:
        """Return how the inferred effort goes with the effort that customers reported.

        Parameters
        ----------
        surveyed
            Reported effort of each journey, in their order, NaN where nobody answered. Turn it
            first if high answers mean ease, or read the sign the other way round.
        level
            Confidence level, in (0, 1).

        Returns
        -------
        Estimate
            Spearman's rank correlation; its interval is that of Bonett and Wright (2000) on as
            many observations as there are customers. NaN with fewer than four.

        Raises
        ------
        InvalidValue
            If there is not one value a journey.
        """
        check_level(level)
        asked = numbers(surveyed, "surveyed").astype(np.float64)
        if len(asked) != len(self.index):
            raise InvalidValue.of("surveyed", f"hold {len(self.index):,} values", len(asked))
        known = ~np.isnan(asked) & ~np.isnan(self.index)
        n = len(np.unique(self.customer[known]))
        rho, low, high = math.nan, math.nan, math.nan
        x, y = self.index[known], asked[known]
        if n > 3 and x.min() < x.max() and y.min() < y.max():
            rho = float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])
            half = normal_quantile(level) * math.sqrt((1 + rho**2 / 2) / (n - 3))
            bounded = math.atanh(min(max(rho, -1 + 1e-12), 1 - 1e-12))
            low, high = math.tanh(bounded - half), math.tanh(bounded + half)
        return Estimate(
            value=rho,
            low=low,
            high=high,
            level=level,
            n=int(known.sum()),
            n_missing=int(len(asked) - known.sum()),
            unit="",
            method=f"Spearman, Bonett-Wright on {n:,} customers",
            notes=() if n > 3 else ("fewer than four customers answered",),
            name="effort_check",
            definition="rank correlation of inferred and surveyed effort",
        )

    def _notes(self) -> tuple[str, ...]:
        long = [name for name in _LENGTH if name in self.table["component"]]
        return (
            f"Means have {100 * self.level:g}% intervals (Student, {CLUSTERED}).",
            *means_without(self.table["mean"], self.table["low"]),
            f"{self.n_in_progress:,} journeys in progress are left out.",
            "The index is the mean of percentile ranks, each component that varies weighing alike.",
            f"{len(long)} of {len(self.table)} votes count length: {', '.join(long)}.",
            "Compare it with surveyed effort by `check()` before you steer by it.",
        )


@overload
def inferred_effort(
    journeys: Journeys, *, segment: None = None, level: float = 0.95
) -> InferredEffort: ...
@overload
def inferred_effort(
    journeys: Journeys, *, segment: SegmentBy, level: float = 0.95
) -> BySegment[InferredEffort]: ...
def inferred_effort(
    journeys: Journeys, *, segment: SegmentBy | None = None, level: float = 0.95
) -> InferredEffort | BySegment[InferredEffort]:
    """Return what each journey cost the customer, from what was recorded of it.

    Parameters
    ----------
    journeys
        The journeys.
    segment, level
        An attribute of customers or interactions; the result is then one of each segment; and the
        confidence level, in (0, 1).

    Returns
    -------
    InferredEffort
        One row a component that the data holds, with the columns

        | column | what it is |
        |---|---|
        | `component` | visits, visits seen again …, days |
        | `mean`, `low`, `high` | its mean over journeys that have ended, its interval |
    BySegment
        One such result a segment, where `segment` is given; ranks are those within the segment.

    Raises
    ------
    InvalidValue
        If `level` is not in (0, 1).

    Notes
    -----
    The components are what customers name when asked what was hard (Dixon et al. 2013): visits,
    touchpoints seen again, going somewhere and straight back, switching channels, being handed from
    one owner to another, waiting. Four of the six votes (visits, seen again, straight back, days)
    count the length of the journey, and without channels or owners all do. Long journeys may be a
    pleasure: see the check. The goal or exit that ends a journey is no visit here; the time until
    it counts.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["web"], ["web", "call", "web"]], converted=[1, 1], dropped=[0, 0]
    ... )
    >>> cx.experience.inferred_effort(journeys).index.tolist()
    [0.25, 0.75]
    """
    check_journeys(journeys)
    check_level(level)
    if segment is not None:
        return by_segment(journeys, segment, lambda part: inferred_effort(part, level=level))
    visits = visits_of(journeys)
    parts = _components(journeys, visits)
    ended = (journeys.outcome != IN_PROGRESS) & (journeys.lengths > 0)
    units = units_of(journeys).take(np.flatnonzero(ended))
    ranks, rows = [], []
    for name, values in parts.items():
        v = values[ended]
        used = bool(len(v)) and not np.isnan(v).any() and v.min() < v.max()
        if used:
            ranks.append((_ranks(v) - 0.5) / len(v))
        found = ratio_figures(
            np.nan_to_num(v),
            (~np.isnan(v)).astype(np.float64),
            group=np.zeros(len(v), dtype=np.int64),
            n_groups=1,
            units=units,
        )
        low, high = found.means(level)
        rows.append((name, float(found.whole[0]), float(low[0]), float(high[0])))
    index = np.full(len(ended), np.nan)
    if ranks:
        index[ended] = np.mean(ranks, axis=0)
    component, mean, lows, highs = zip(*rows, strict=True)
    table = Table(
        {
            "component": component,
            "mean": np.array(mean),
            "low": np.maximum(lows, 0.0),
            "high": np.array(highs),
        },
        backend=journeys.log.backend,
    )
    return InferredEffort(
        table=table,
        index=index,
        customer=journeys.customer,
        n_in_progress=int(np.count_nonzero(journeys.outcome == IN_PROGRESS)),
        level=level,
    )


def _components(journeys: Journeys, visits: Visits) -> dict[str, NDArray[np.float64]]:
    """Return the components of each journey."""
    count = len(journeys.outcome)
    journey, node = visits.journey, visits.node
    within = journey[1:] == journey[:-1]

    def per_journey(rows: NDArray[np.intp] | NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(journey[rows], minlength=count).astype(np.float64)

    _, first = np.unique(journey * max(len(visits.names), 1) + node, return_index=True)
    again = np.ones(len(node), dtype=np.bool_)
    again[first] = False
    back = np.zeros(len(node), dtype=np.bool_)
    if len(node) > 2:
        same = (journey[2:] == journey[:-2]) & (node[2:] == node[:-2])
        back[2:] = same & (node[1:-1] != node[:-2])
    parts = {
        "visits": per_journey(np.arange(len(node))),
        "seen again": per_journey(again),
        "straight back": per_journey(back),
    }
    for name, column in (("channel switches", "channel"), ("hand-offs", "owner")):
        coded = journeys.columns.coded.get(column)
        if coded is not None:
            code = coded.codes[visits.row]
            changed = np.zeros(len(node), dtype=np.bool_)
            # what was not recorded is no switch
            changed[1:] = within & (code[1:] != code[:-1]) & (code[1:] >= 0) & (code[:-1] >= 0)
            parts[name] = per_journey(changed)
    if journeys.columns.time is not None:
        time = journeys.columns.time
        begin, end = journeys.offsets[:-1], journeys.offsets[1:] - 1
        parts["days"] = (time[end] - time[begin]) / 86_400e6
    return parts


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean ranks from 1, equal values sharing theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse]
    return ranks
