"""Figures of the chain of journeys, and the same without each bucket of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney.journeys._graph_building import chain_of
from cxjourney.journeys._statistics import left_out, statistics_of
from cxjourney.markov import StackedChains

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.array_types import Floats
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By

__all__ = ["ChainFigures", "chain_figures"]


@attrs.frozen(kw_only=True, eq=False)
class ChainFigures:
    """Figures of the chain of journeys; their nodes stand in the order of the statistics.

    Attributes
    ----------
    visits, hitting
        Expected visits of each node per journey, and the probability of conversion from it.
    diagonal
        Expected visits of each node from itself on, its own included.
    removal
        Removal effect of each node; NaN where nothing converts.
    conversion
        Probability that a journey converts, one figure.
    """

    visits: BucketFigures
    hitting: BucketFigures
    diagonal: BucketFigures
    removal: BucketFigures
    conversion: BucketFigures


def chain_figures(journeys: Journeys, by: By = "touchpoint") -> ChainFigures:
    """Return the figures of the chain of journeys; they are computed once.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a node is.

    Raises
    ------
    NotAbsorbing
        If the goal does not end a journey (`after_goal="keep"`).
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    """
    return journeys.memo.get(("chain figures", by), lambda: _figures(journeys, by))


def _figures(journeys: Journeys, by: By) -> ChainFigures:
    names = statistics_of(journeys, by).names
    chain = chain_of(journeys, by)
    left = left_out(journeys, by)
    parts = [
        (s.visits, s.hitting, s.diagonal, s.removal_effect(), s.conversion)
        for s in (StackedChains.of(*block) for block in left.blocks())
    ]
    visits, hitting, diagonal, removal, conversion = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    units = resting_on(left.visits, left.used)
    own = {name: 1 / (1 - again) for name, again in chain.returning.items()}

    def of_nodes(values: Mapping[str, float], without: Floats) -> BucketFigures:
        whole = np.array([values[name] for name in names], dtype=np.float64)
        return BucketFigures(whole=whole, without=without, units=units)

    return ChainFigures(
        visits=of_nodes(chain.visits, visits),
        hitting=of_nodes(chain.hitting, hitting),
        diagonal=of_nodes(own, diagonal),
        removal=of_nodes(chain.removal_effect(), removal),
        conversion=BucketFigures(
            whole=np.array(chain.conversion_probability),
            without=conversion,
            units=left.journeys,
        ),
    )
