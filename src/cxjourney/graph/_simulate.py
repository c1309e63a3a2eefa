"""Journeys drawn from a graph; the drawing itself stands above the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from cxjourney.graph._journey_graph import JourneyGraph
    from cxjourney.log import InteractionLog


def simulate(
    graph: JourneyGraph, n: int, rng: np.random.Generator | int | None = 0
) -> InteractionLog:
    """Return n journeys as they may come, each of a customer of its own.

    Parameters
    ----------
    n
        How many, from 1.
    rng
        A generator, a seed, or None for a fresh one.

    Returns
    -------
    InteractionLog
        From the year 2000 on. A conversion is an interaction with the first goal of the graph,
        "goal" where it has none; who drops falls silent. Times are exponential with the mean of
        each transition, one second where the graph has no times.

    Raises
    ------
    InvalidValue
        If `n` is no whole number from 1.
    NotAFlow
        If the probabilities that leave a node do not sum to one.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts(
    ...     {(cx.START, "web"): 4, ("web", cx.CONVERSION): 1, ("web", cx.DROPOFF): 3}
    ... )
    >>> log = graph.simulate(1000)
    >>> converted = log.journeys(goal="goal", all_closed=True).outcomes
    >>> abs(converted[cx.Outcome.CONVERTED] - 250) < 50
    True
    """
    from cxjourney.predict import simulated_graph  # far above, and lazy

    return simulated_graph(graph, n, rng)
