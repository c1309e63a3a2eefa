"""`levers`: where mending exits would move conversion most."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_fraction
from cxjourney.domain import DROPOFF
from cxjourney.markov import conversion_with_fewer_exits, exit_elasticities, exit_slopes
from cxjourney.whatif._model import model_of

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import By, Journeys
    from cxjourney.whatif._model import Model
    from cxjourney.whatif._stack import Stack

__all__ = ["Levers", "levers"]


@attrs.frozen(kw_only=True, repr=False)
class Levers(Result):
    """Every touchpoint as a lever: what mending its exits would bring.

    Attributes
    ----------
    table
        The rows; see `levers` for the columns.
    conversion_probability
        Probability that a journey converts as things are [fraction].
    relative
        The share of exits that `gain` supposes mended [fraction].
    n_journeys
        Number of journeys observed.
    level
        Confidence level of the intervals.
    method
        How intervals were made.
    caveats
        What a reader must know.
    """

    title: ClassVar[str] = "Levers, the longest first"

    table: Table
    conversion_probability: float
    relative: float
    n_journeys: int
    level: float
    method: str
    caveats: tuple[str, ...]

    @property
    def ranking(self) -> tuple[str, ...]:
        """Touchpoints, the longest lever first."""
        return tuple(str(name) for name in self.table["touchpoint"])

    def _table(self) -> Table:
        return self.table

    def _notes(self) -> tuple[str, ...]:
        mended = f"{100 * self.relative:g}% of the exits were mended"
        return (
            f"a journey converts with probability {self.conversion_probability:.1%}",
            f"slope: conversions per journey lost there, to first order; gain: if {mended}",
            f"{100 * self.level:g}% {self.method}",
            *self.caveats,
        )


def levers(
    journeys: Journeys | JourneyGraph,
    *,
    relative: float = 0.1,
    by: By | None = None,
    level: float = 0.95,
    n_resamples: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Levers:
    """Rank touchpoints by how fast conversion grows as their exits are mended.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped, or their graph.
    relative
        Share of the exits that is mended in the column `gain`, in [0, 1].
    by, level, n_resamples, rng
        As in `cxjourney.whatif.baseline`.

    Returns
    -------
    Levers
        Columns: `touchpoint`; `visits` per journey; `exit_probability`; `slope`
        (`∂p/∂δ`, with `low` and `high`); `gain` in conversion probability
        and `conversions` gained over the journeys observed; `value` where it is known;
        `elasticity`; `rank_low`, `rank_high` (the ranks that the replicates leave open, 1 for
        the longest) and `first` (the share of replicates in which it is the longest). NaN where
        everybody leaves: nobody shows what staying would bring.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    NotAbsorbing
        If the goal does not end a journey.
    NotAFlow
        If the graph is a subgraph or was filtered.
    InvalidValue
        If an argument breaks its rule.

    Notes
    -----
    `D_x = v_x h_x e_x / (1 - e_x)`: how many come by, how near they are to converting, and how
    many leave. It is never negative, so that an interval above 0 says little: every touchpoint
    loses somebody. What can be mended is rather the excess over comparable touchpoints; `rank_low`
    and `rank_high` say how sure the order is. Gains at several touchpoints do not add up: chain
    `reduce_exit`.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["web"], ["web", "cart"]], converted=[0, 60], dropped=[60, 80]
    ... )
    >>> found = cx.whatif.levers(journeys, rng=1)
    >>> found.ranking
    ('cart', 'web')
    >>> found.table["slope"].round(4).tolist()
    [0.4, 0.1286]
    """
    check_fraction(relative, "relative")
    model = model_of(journeys, by=by, level=level, n_resamples=n_resamples, rng=rng)
    chain = model.chain
    names = chain.names
    slopes = np.array(list(exit_slopes(chain).values()), dtype=np.float64)
    drawn = _drawn(model)
    bands = _bands(drawn, slopes, level)
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
        "value": gain * model.n_journeys * model.worth,
        "elasticity": np.array(list(elasticity.values()), dtype=np.float64),
        "rank_low": bands["rank_low"],
        "rank_high": bands["rank_high"],
        "first": bands["first"],
    }
    if math.isnan(model.worth):
        del columns["value"]
    formats = dict.fromkeys(("exit_probability", "first"), "percent")
    formats |= {"rank_low": "integer", "rank_high": "integer", "value": "money"}
    order = sorted(range(len(names)), key=lambda i: (-np.nan_to_num(slopes[i], nan=-1.0), names[i]))
    caveats = [
        "those who are kept are taken to do as those who stay: an upper bound",
        "the first of many, picked after looking, is overstated (winner's curse)",
        *model.notes(),
    ]
    closed = int(np.count_nonzero(np.isnan(slopes)))
    if closed:
        caveats.insert(0, f"everybody leaves at {closed:,} touchpoints: no slope there")
    return Levers(
        table=Table(columns, formats=formats, backend=model.backend).take(order),
        conversion_probability=p,
        relative=relative,
        n_journeys=model.n_journeys,
        level=level,
        method=model.method,
        caveats=tuple(caveats),
    )


def _drawn(model: Model) -> Floats:
    """Return the slopes of all replicates, shape (replicates, K)."""
    parts = [_slopes(stack) for stack in model.stacks()]
    return np.concatenate(parts) if parts else np.empty((0, len(model.chain.names)))


def _slopes(stack: Stack) -> Floats:
    solved, k = stack.solved(), len(stack.names)
    exits = stack.matrix[:, :k, stack.code(DROPOFF)]
    exits = np.where(exits < 1e-12, 0.0, exits)  # rounding of a sum of probabilities
    stay = np.where(exits < 1 - 1e-12, 1 - exits, np.nan)
    slopes: Floats = solved.visits * solved.hitting * exits / stay
    return slopes


def _bands(drawn: Floats, slopes: Floats, level: float) -> dict[str, Floats]:
    """Return the percentile intervals of slopes and of their ranks."""
    k = len(slopes)
    names = ("low", "high", "rank_low", "rank_high", "first")
    out = {name: np.full(k, np.nan) for name in names}
    whole = drawn[~np.isnan(drawn).all(axis=1)] if k else drawn
    defined = ~np.isnan(slopes)
    if not len(whole) or not defined.any():
        return out
    tail = (1 - level) / 2
    # what has no slope in a replicate has no rank there either: it stands behind the others
    rank = np.argsort(np.argsort(-np.nan_to_num(whole, nan=-1.0), axis=1, kind="stable"), axis=1)
    for i in np.flatnonzero(defined):
        known = whole[~np.isnan(whole[:, i]), i]
        if not len(known):
            continue
        out["low"][i], out["high"][i] = np.quantile(known, [tail, 1 - tail])
        ends = np.quantile(rank[:, i] + 1, [tail, 1 - tail], method="inverted_cdf")
        out["rank_low"][i], out["rank_high"][i] = ends
        out["first"][i] = np.mean(rank[:, i] == 0)
    return out
