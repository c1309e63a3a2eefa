"""`points`: one table of what each touchpoint costs and carries, first to mend first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney.dropoff import exits
from cxjourney.graph import AbsorbingChain

if TYPE_CHECKING:
    from cxjourney.log import Journeys

__all__ = ["CriticalPoints", "points"]


@attrs.frozen(kw_only=True, repr=False)
class CriticalPoints(Result):
    """What each touchpoint costs and carries.

    Attributes
    ----------
    table
        One row a touchpoint, first to mend first: visits, the share of journeys that come by
        [fraction], exit probability with its interval [fraction], lost conversions [journeys],
        removal effect [fraction of the conversions].
    ranking
        Touchpoint names, first to mend first.
    conversion_probability
        Probability that a journey converts [fraction].
    level
        Confidence level of the intervals.
    """

    title: ClassVar[str] = "Critical points, first to mend first"

    table: Table
    ranking: tuple[str, ...]
    conversion_probability: float
    level: float

    def _table(self) -> Table:
        return self.table

    def _notes(self) -> tuple[str, ...]:
        return (
            f"a journey converts with probability {self.conversion_probability:.1%}",
            "lost conversions assume that all would go on like those who stay: an upper bound",
            "removal effect: the share of the conversions that go through the touchpoint",
        )


def points(journeys: Journeys, *, level: float = 0.95) -> CriticalPoints:
    """Return what each touchpoint costs and carries, first to mend first.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped.
    level
        Confidence level of the intervals, in (0, 1).

    Returns
    -------
    CriticalPoints

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["ad", "web", "cart"], ["web"], ["ad", "web"]],
    ...     converted=[30, 5, 0], dropped=[10, 45, 10],
    ... )
    >>> cx.critical.points(journeys).ranking
    ('web', 'cart', 'ad')
    """
    found = exits(journeys, level=level)
    chain = AbsorbingChain.from_graph(journeys.graph(), trapped="unresolved")
    names = tuple(found.table["touchpoint"])
    removal = chain.removal_effect()
    lost = np.asarray(found.table["lost_conversions"], dtype=np.float64)
    order = sorted(range(len(names)), key=lambda i: (-np.nan_to_num(lost[i], nan=-1.0), names[i]))
    columns = {
        "touchpoint": names,
        "visits": found.table["visits"],
        "reach": np.array([chain.reach[name] for name in names], dtype=np.float64),
        "exit_probability": found.table["exit_probability"],
        "low": found.table["low"],
        "high": found.table["high"],
        "lost_conversions": lost,
        "removal_effect": np.array([removal[name] for name in names], dtype=np.float64),
    }
    percent = ("reach", "exit_probability", "low", "high", "removal_effect")
    table = Table(
        columns, formats=dict.fromkeys(percent, "percent"), backend=journeys.log.backend
    ).take(order)
    return CriticalPoints(
        table=table,
        ranking=tuple(names[i] for i in order),
        conversion_probability=chain.conversion_probability,
        level=level,
    )
