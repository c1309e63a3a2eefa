"""Emotion curves: feelings along the journey, over stages, positions or elapsed time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, TypedDict, Unpack, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimates import CLUSTERED, means_without
from cxjourney._stats.ratios import ratio_figures
from cxjourney._support.distinct import distinct
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_count, check_level, check_number
from cxjourney.domain import MISSING, Outcome, stage_order
from cxjourney.exceptions import InvalidValue
from cxjourney.experience._scores import SCALES, Measure, measured
from cxjourney.journeys import (
    OUTCOMES,
    BySegment,
    SegmentBy,
    Visits,
    by_segment,
    check_journeys,
    contacts_of,
    units_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cxjourney.domain import StageModel
    from cxjourney.journeys import Journeys

Over = Literal["stage", "position", "time"]
_PROMINENCE = 0.2


@attrs.frozen(kw_only=True, repr=False)
class EmotionCurve(Result):
    """The mean of a measure along the journey, for all journeys and by outcome.

    Attributes
    ----------
    table
        One row a point and outcome; see `emotion_curve` for the columns.
    measure, over, min_n, level
        The choices that it was made with.
    """

    title: ClassVar[str] = "Along the journey"

    table: Table
    measure: str
    over: str
    min_n: int
    level: float

    def plot(
        self,
        *,
        outcome: Literal["all", "converted", "dropped", "in_progress"] = "all",
        expected: EmotionCurve | None = None,
        title: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the curve with its band; valleys get a ring.

        Parameters
        ----------
        outcome
            Of which journeys.
        expected
            The curve of `measure="expectation"` over the same points, drawn dashed.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        InvalidValue
            If no journey has this outcome, or `expected` has other points.
        MissingDependency
            If matplotlib is not installed.
        """
        table = _of_outcome(self, outcome)
        points = table[self.over]
        promise = None
        if expected is not None:
            promise = _of_outcome(expected, outcome)
            if expected.over != self.over or promise[self.over] != points:
                raise InvalidValue("expected must be a curve over the same points")
        return plot.emotion_curve(
            [str(point) for point in points],
            table["mean"],
            table["low"],
            table["high"],
            expected=None if promise is None else promise["mean"],
            valley=table["valley"],
            n=table["n"],
            neutral=0.0 if self.measure == "emotion" else None,
            label=f"mean {self.measure}, {100 * self.level:g}% interval",
            caption="How customers feel on the way; n is how many said so."
            if self.measure == "emotion"
            else f"The mean {self.measure} on the way; n is how many answered.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"Means have {100 * self.level:g}% intervals (Student, {CLUSTERED}).",
            *means_without(self.table["mean"], self.table["low"]),
            f"Points with fewer than {self.min_n} values are empty.",
            "Late points hold only journeys that got there: compare within an outcome.",
        )


class CurveOptions(TypedDict, total=False):
    """What a curve takes; see `emotion_curve`."""

    measure: Measure
    over: Over
    stages: StageModel | Sequence[str] | None
    bins: int
    min_n: int
    prominence: float
    level: float


def _of_outcome(curve: EmotionCurve, outcome: str) -> Table:
    """Return the rows of the journeys with an outcome."""
    known = curve.table["outcome"]
    check_choice(outcome, "outcome", tuple(map(str, dict.fromkeys(known))))
    return curve.table.take([i for i, name in enumerate(known) if name == outcome])


@overload
def emotion_curve(
    journeys: Journeys, *, segment: None = None, **options: Unpack[CurveOptions]
) -> EmotionCurve: ...
@overload
def emotion_curve(
    journeys: Journeys, *, segment: SegmentBy, **options: Unpack[CurveOptions]
) -> BySegment[EmotionCurve]: ...
def emotion_curve(
    journeys: Journeys,
    *,
    measure: Measure = "emotion",
    over: Over = "stage",
    stages: StageModel | Sequence[str] | None = None,
    bins: int = 10,
    min_n: int = 5,
    prominence: float = _PROMINENCE,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> EmotionCurve | BySegment[EmotionCurve]:
    """Return the mean of a measure along the journey.

    Parameters
    ----------
    journeys
        The journeys. How the goal or exit that ends one was felt counts like any other contact.
    measure
        "emotion" (valence from -1 to 1), "score" or "expectation".
    over
        "stage"; "position" (the first visit, the second …, the last point holding all later ones);
        "time" (elapsed share of the time from the first to the last contact, of ended journeys with
        two contacts or more at different times).
    stages
        The stages in their order. None takes the standard model that has all stages of the log,
        else their order in the log.
    bins
        Number of positions, or of equal parts of the elapsed time; at least 2.
    min_n
        Number of values below which a point is not shown; at least 1.
    prominence
        How deep a local minimum must be to be a valley [unit of the measure].
    segment, level
        An attribute of customers or interactions; the result is then one of each segment; and the
        confidence level, in (0, 1).

    Returns
    -------
    EmotionCurve
        One row a point and outcome, with the columns

        | column | what it is |
        |---|---|
        | `stage`, `position` or `time` | the point |
        | `outcome` | "all", "converted", "dropped" or "in_progress" |
        | `n`, `customers` | visits with a value, and the customers who made them |
        | `mean`, `low`, `high` | mean over these visits, its interval; NaN below `min_n` values |
        | `valley` | whether it is a local minimum, the ends included |
    BySegment
        One such result a segment, where `segment` is given; all have the same points.

    Raises
    ------
    UnknownName
        If the log has no such column, or a stage of the log is not among `stages`.
    TimesRequired
        If `over="time"` and the journeys have no times.
    InvalidValue
        If an argument breaks its rule.

    Notes
    -----
    Means are computed again without each of 64 buckets of customers; their intervals are Student's.
    A journey that is in progress has no known end: it is in no curve over time, and late positions
    of the others hold survivors.
    Valleys are found with `scipy.signal.find_peaks`, which leaves the ends out; here the first and
    the last point may be valleys too.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> curve = cx.experience.emotion_curve(journeys)
    >>> curve.table["stage"][:3]
    ('awareness', 'consideration', 'purchase')
    """
    check_journeys(journeys)
    check_level(level)
    check_choice(over, "over", ("stage", "position", "time"))
    check_count(bins, "bins", 2, most=10_000)
    check_count(min_n, "min_n")
    check_number(prominence, "prominence")
    visits = contacts_of(journeys, "stage" if over == "stage" else "touchpoint")
    if segment is not None:
        of_part = partial(
            emotion_curve,
            measure=measure,
            over=over,
            stages=_order(visits, stages) if over == "stage" else stages,
            bins=bins,
            min_n=min_n,
            prominence=prominence,
            level=level,
        )
        return by_segment(journeys, segment, of_part)
    values = measured(journeys, visits, measure)
    point, labels = _points(journeys, visits, over, stages, bins)
    k = len(labels)
    known = ~np.isnan(values) & (point >= 0)
    outcome = journeys.outcome[visits.journey]
    width = max(len(journeys.log.customer_ids), 1)
    parts = []
    for name, chosen in (("all", known), *_by_outcome(outcome, known)):
        at = np.flatnonzero(chosen)
        found = ratio_figures(
            values[at],
            None,
            group=point[at],
            n_groups=k,
            units=units_of(journeys),
            item=visits.journey[at],
        )
        low, high = found.means(level, SCALES.get(measure))
        n = found.units.sum(axis=0)
        few = n < min_n
        mean = np.where(few, np.nan, found.whole)
        pairs, _ = distinct(point[at] * width + visits.customer[at])
        parts.append(
            {
                over: labels,
                "outcome": (name,) * k,
                "n": n.astype(np.int64),
                "customers": np.bincount(pairs // width, minlength=k),
                "mean": mean,
                "low": np.where(few, np.nan, low),
                "high": np.where(few, np.nan, high),
                "valley": valleys(mean, prominence),
            }
        )
    columns = {
        name: tuple(v for part in parts for v in part[name])
        if isinstance(parts[0][name], tuple)
        else np.concatenate([part[name] for part in parts])
        for name in parts[0]
    }
    return EmotionCurve(
        table=Table(columns, backend=journeys.log.backend),
        measure=measure,
        over=over,
        min_n=min_n,
        level=level,
    )


def _by_outcome(
    outcome: NDArray[np.int8], known: NDArray[np.bool_]
) -> list[tuple[str, NDArray[np.bool_]]]:
    parts = [(Outcome(o).value, known & (outcome == i)) for i, o in enumerate(OUTCOMES)]
    return [(name, chosen) for name, chosen in parts if chosen.any()]


def _points(
    journeys: Journeys,
    visits: Visits,
    over: Over,
    stages: StageModel | Sequence[str] | None,
    bins: int,
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the point of each visit, -1 for none, and the names of the points."""
    if over == "stage":
        return _stage_points(visits, stages)
    begin = np.flatnonzero(visits.previous == visits.start)
    sizes = np.diff(np.append(begin, len(visits)))
    if over == "position":
        place = np.arange(len(visits)) - np.repeat(begin, sizes)
        labels = (*(str(i) for i in range(1, bins)), f"{bins}+")
        return np.minimum(place, bins - 1), labels
    journeys.require_times('experience.emotion_curve(over="time")')
    time = np.asarray(journeys.columns.time)[visits.row]
    first = np.repeat(time[begin], sizes)
    last = np.repeat(time[begin + sizes - 1], sizes)
    span = last - first
    ended = ~np.array([o is Outcome.IN_PROGRESS for o in OUTCOMES])[
        journeys.outcome[visits.journey]
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(span > 0, (time - first) / span, 0.0)
    part = np.minimum((share * bins).astype(np.int64), bins - 1)
    labels = tuple(f"{i / bins:.0%}-{(i + 1) / bins:.0%}" for i in range(bins))
    return np.where(ended & (span > 0), part, -1), labels


def _stage_points(
    visits: Visits, stages: StageModel | Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    order = _order(visits, stages)
    rank = [order.index(name) if name in order else -1 for name in visits.names]
    return np.array(rank, dtype=np.int64)[visits.node], order


def _order(visits: Visits, stages: StageModel | Sequence[str] | None) -> tuple[str, ...]:
    known = tuple(name for name in visits.names if name != MISSING)
    order = stage_order(known, stages)
    return known if order is None else order


def valleys(mean: NDArray[np.float64], prominence: float) -> NDArray[np.bool_]:
    """Return which points are local minima, the ends included; unknown points are passed over."""
    from scipy.signal import find_peaks

    known = np.flatnonzero(~np.isnan(mean))
    found = np.zeros(len(mean), dtype=np.bool_)
    if len(known) < 2:
        return found
    v = mean[known]
    # find_peaks never calls an end a peak: walls on both sides make the ends candidates
    walled = np.concatenate([[-np.inf], -v, [-np.inf]])
    at = find_peaks(walled, prominence=prominence)[0] - 1
    # the deepest of all is bounded by the walls alone: it must stand out from the highest point
    deep = at[v.max() - v[at] >= prominence]
    found[known[deep]] = True
    return found
