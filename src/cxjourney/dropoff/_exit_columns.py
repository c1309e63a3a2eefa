"""Columns of `exits`: rates, lifts, costs and ranks of the nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._stats.beta_shrinkage import rank_bounds, shrunken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney._stats.buckets import BucketFigures
    from cxjourney.dropoff._rates import NodeRates

_SEPARATOR = re.compile(r" (?<!@)@(?!@) ")


def exit_columns(
    rates: NodeRates,
    lost: BucketFigures | None,
    *,
    grain: tuple[str, ...],
    n_journeys: int,
    worth: float,
    level: float,
    later: Mapping[str, BucketFigures],
) -> dict[str, Any]:
    """Return the columns of the nodes, the costliest first.

    Parameters
    ----------
    rates
        Exit probabilities of the nodes.
    lost
        Lost conversions per journey; None where they have no meaning.
    grain
        Names of the columns that name a node.
    n_journeys
        Number of journeys.
    worth
        Mean value of a conversion; NaN where unknown.
    level
        Confidence level.
    later
        What comes of the first visits of journeys: its column, and the figure of each node.
    """
    n = len(rates.names)
    low, high = rates.figures.wilson(level)
    lost_rate, lost_low, lost_high = np.full((3, n), np.nan)
    if lost is not None:
        lost_rate, lost_low, lost_high = (
            np.where(rates.expected, np.nan, part) for part in (lost.whole, *lost.positive(level))
        )
    lift_low, lift_high = rates.lift.positive(level)
    drawn, a, b = shrunken(rates.rate, rates.trials, rates.stage, rates.priors)
    drawn, a, b = (np.where(rates.expected, np.nan, part) for part in (drawn, a, b))
    rank_low, rank_high = rank_bounds(a, b, level=level)
    order = np.lexsort(
        (
            np.arange(n),
            -rates.visits,
            np.nan_to_num(-lost_rate, nan=np.inf),
            rates.expected,
        )
    )
    names = [rates.names[i] for i in order.tolist()]
    return {
        **name_columns(names, grain),
        "visits": rates.visits[order],
        "at_risk": rates.at_risk[order],
        "exits": rates.exits[order],
        "censored": rates.censored[order],
        "exit_probability": rates.rate[order],
        "low": low[order],
        "high": high[order],
        "lift": rates.lift.whole[order],
        "lost_conversions": n_journeys * lost_rate[order],
        "lift_low": lift_low[order],
        "lift_high": lift_high[order],
        "lost_low": n_journeys * lost_low[order],
        "lost_high": n_journeys * lost_high[order],
        "lost_rate": lost_rate[order],
        "value_at_stake": worth * n_journeys * lost_rate[order],
        "shrunken": drawn[order],
        "rank_low": rank_low[order],
        "rank_high": rank_high[order],
        "expected_exit": rates.expected[order],
        **{
            f"{name}{end}": part[order]
            for name, found in later.items()
            for end, part in zip(
                ("", "_low", "_high"), (found.whole, *found.wilson(level)), strict=True
            )
        },
    }


def name_columns(names: Sequence[str], grain: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the names of nodes by the columns of their grain."""
    if len(grain) == 1:
        return {grain[0]: tuple(names)}
    parts = [_SEPARATOR.split(name, maxsplit=1) for name in names]
    return {
        column: tuple(part[k].replace("@@", "@") for part in parts)
        for k, column in enumerate(grain)
    }
