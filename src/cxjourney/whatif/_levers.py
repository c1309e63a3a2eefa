"""Levers: touchpoints ranked by what fewer exits there would gain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.estimates import why_no_interval
from cxjourney._stats.figure_ranks import rank_ranges
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_fraction
from cxjourney.domain import DROPOFF
from cxjourney.journeys import by_segment, check_journeys
from cxjourney.markov import (
    conversion_with_fewer_exits,
    exit_elasticities,
    exit_slopes,
    lost_per_journey,
)
from cxjourney.whatif._model import model_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Floats
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import By, BySegment, Journeys, JourneyStatistics, SegmentBy
    from cxjourney.whatif._model import Model, ModelOptions, Stack


@attrs.frozen(kw_only=True, repr=False)
class Levers(Result):
    """Every touchpoint as a lever: what fewer exits there would bring.

    Attributes
    ----------
    table
        The rows; see `levers` for the columns.
    conversion_probability, relative
        Probability that a journey converts as things are, and the share of exits that `gain`
        supposes prevented [fraction].
    n_journeys, level, method, caveats
        Journeys observed; confidence level of the intervals, and how they were made; what a reader
        must know.
    """

    title: ClassVar[str] = "Levers, the longest first"

    table: Table
    conversion_probability: float
    relative: float
    n_journeys: int
    level: float
    method: str
    caveats: tuple[str, ...]

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw what the exits of a touchpoint cost per journey, the longest lever on top.

        Parameters
        ----------
        max_rows
            Only so many of the longest levers are drawn; None draws all.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        table = self.table.take(range(len(self.table))[:max_rows])
        fewer = f"{100 * self.relative:g}% fewer exits"
        return plot.forest(
            plot.joined(table["touchpoint"], by=""),
            table["slope"],
            table["low"],
            table["high"],
            n=np.round(self.n_journeys * np.asarray(table["visits"], dtype=np.float64)),
            beside=[f"{won:+,.1f}" for won in np.asarray(table["conversions"]).tolist()],
            label=f"conversions lost there per journey, {100 * self.level:g}% interval",
            caption=f"The longest lever on top; beside it the visits (n) and the conversions that "
            f"{fewer} there would bring."
            + plot.drawn_of(len(table), len(self.table), "touchpoints"),
            title=self.title if title is None else title,
            ax=ax,
        )

    @property
    def ranking(self) -> tuple[str, ...]:
        """Touchpoints, the longest lever first."""
        return tuple(str(name) for name in self.table["touchpoint"])

    def _notes(self) -> tuple[str, ...]:
        return (
            f"The conversion rate is {self.conversion_probability:.1%}.",
            "The slope is the conversions per journey that are lost there, to first order.",
            f"The gain is that of {100 * self.relative:g}% fewer exits.",
            f"The intervals are {100 * self.level:g}% intervals ({self.method}).",
            *self.caveats,
        )


@overload
def levers(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    relative: float = 0.1,
    segment: None = None,
    **options: Unpack[ModelOptions],
) -> Levers: ...
@overload
def levers(
    journeys: Journeys,
    *,
    relative: float = 0.1,
    segment: SegmentBy,
    **options: Unpack[ModelOptions],
) -> BySegment[Levers]: ...
def levers(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    relative: float = 0.1,
    by: By | None = None,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Levers | BySegment[Levers]:
    """Rank touchpoints by how fast conversion grows as their exits are prevented.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped, or their graph.
    relative
        Share of the exits that is prevented in the column `gain`, in [0, 1].
    by, level, segment
        As in `cxjourney.whatif.baseline`.

    Returns
    -------
    Levers
        One row a touchpoint, the longest lever first; NaN where everybody leaves, since nobody
        shows what staying would bring. `BySegment` of them with `segment`. Columns:

        - `touchpoint`: its name;
        - `visits`: expected visits per journey;
        - `exit_probability`: probability that a visit is the last and the journey is dropped
          [fraction];
        - `slope`, `low`, `high`: `∂p/∂δ`, conversions per journey lost there, to first order;
        - `gain`: gain in the conversion probability if `relative` of the exits were prevented;
        - `conversions`: the same in conversions over the journeys observed;
        - `value`: the same in money, where values are known [currency];
        - `elasticity`: by how many percent conversion changes when exits grow by one percent;
        - `rank_low`, `rank_high`: best and worst rank that customers leave open, 1 for the longest
          lever.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    NotAbsorbing
        If the goal does not end a journey.
    NotAFlow
        If the graph is a subgraph or was filtered.
    InvalidValue
        If an argument breaks its rule, or a graph is to be divided by a segment.

    Notes
    -----
    `D_x = v_x h_x e_x / (1 - e_x)`: how many come by, how near they are to converting, and how
    many leave. It is never negative, so that an interval above 0 says little: every touchpoint
    loses somebody. What can be prevented is rather the excess over comparable touchpoints. The best
    rank counts the touchpoints whose slope is surely higher, by the interval of the difference, the
    worst rank those that are surely lower. Gains at several touchpoints do not add up: chain
    `reduce_exit`.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["web"], ["web", "cart"]], converted=[0, 60], dropped=[60, 80]
    ... )
    >>> found = cx.whatif.levers(journeys)
    >>> found.ranking
    ('cart', 'web')
    >>> found.table["slope"].round(4).tolist()
    [0.4, 0.1286]
    """
    if segment is not None:
        return by_segment(
            check_journeys(journeys),
            segment,
            lambda part: levers(part, relative=relative, by=by, level=level),
        )
    check_fraction(relative, "relative")
    model = model_of(journeys, by=by, level=level)
    chain = model.chain
    names = chain.names
    slopes = np.array(list(exit_slopes(chain).values()), dtype=np.float64)
    figures = _figures(model, slopes)
    bands = _bands(figures, level)
    p = chain.conversion_probability
    gain = np.array(
        [conversion_with_fewer_exits(chain, x, relative) - p for x in names],
        dtype=np.float64,
    )
    visits, exits = chain.visits, chain.exit_probability
    elasticity = exit_elasticities(chain)
    columns: dict[str, Any] = {
        "touchpoint": names,
        "visits": np.array([visits[x] for x in names], dtype=np.float64),
        "exit_probability": np.array([exits[x] for x in names], dtype=np.float64),
        "slope": slopes,
        "low": bands["low"],
        "high": bands["high"],
        "gain": gain,
        "conversions": gain * model.n_journeys,
        "value": gain * model.n_journeys * model.mean_conversion_value,
        "elasticity": np.array(list(elasticity.values()), dtype=np.float64),
        "rank_low": bands["rank_low"],
        "rank_high": bands["rank_high"],
    }
    if math.isnan(model.mean_conversion_value):
        del columns["value"]
    formats = {"exit_probability": "percent"}
    formats |= {"rank_low": "integer", "rank_high": "integer", "value": "money"}
    order = sorted(range(len(names)), key=lambda i: (-np.nan_to_num(slopes[i], nan=-1.0), names[i]))
    caveats = [
        "Those who are kept are taken to do as those who stay: the gains are upper bounds.",
        "The first of many, picked after looking, is overstated (winner's curse).",
        *model.notes(),
    ]
    if model.has_intervals:
        caveats[:0] = why_no_interval(figures)
    closed = int(np.count_nonzero(np.isnan(slopes)))
    if closed:
        caveats.insert(0, f"Everybody leaves at {closed:,} touchpoints: there is no slope there.")
    return Levers(
        table=Table(columns, formats=formats, backend=model.backend).take(order),
        conversion_probability=p,
        relative=relative,
        n_journeys=model.n_journeys,
        level=level,
        method=model.method("Student"),
        caveats=tuple(caveats),
    )


def _figures(model: Model, slopes: Floats) -> BucketFigures:
    """Return the slopes of all customers and without each bucket."""
    if not model.has_intervals:
        without = np.full((1, len(slopes)), np.nan)
        return BucketFigures(whole=slopes, without=without, units=np.zeros((1, len(slopes))))
    without = np.concatenate([_slopes(stack) for stack in model.stacks()])
    return BucketFigures(whole=slopes, without=without, units=model.units)


def _slopes(stack: Stack) -> Floats:
    solved, k = stack.solved(), len(stack.names)
    exits = stack.matrix[:, :k, stack.code(DROPOFF)]
    # of sums of probabilities what is next to 0 or 1 is rounding
    exits = np.where(exits < 1e-12, 0.0, np.where(exits < 1 - 1e-12, exits, 1.0))
    return lost_per_journey(solved.visits, solved.hitting, exits)


def _bands(figures: BucketFigures, level: float) -> dict[str, Floats]:
    """Return the intervals of the slopes and the ranks left open."""
    low, high = figures.student(level)
    best, worst = rank_ranges(figures, level=level)
    known = ~np.isnan(figures.variance)
    return {
        "low": np.maximum(low, 0.0),
        "high": high,
        "rank_low": np.where(known, best, np.nan),
        "rank_high": np.where(known, worst, np.nan),
    }
