"""Transition probabilities of censored and ended visits from counts on a time grid.

Histograms add, raw times do not: two graphs that carry histograms on one grid merge into the
graph of both. The price is the width of the bins; where the grid separates all times, the
life table *is* the Aalen-Johansen estimator of the raw times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.ratios import quotient
from cxjourney._support.validation import whole_numbers
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cxjourney.graph._columns import Edges, Nodes

__all__ = ["life_table", "life_table_times"]


def life_table(
    visits: ArrayLike, censored_visits: ArrayLike, transitions: ArrayLike, source: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probability of each transition and that of no visit within the limit.

    Parameters
    ----------
    visits
        Visits of each node, shape (nodes,).
    censored_visits
        Visits that were censored when observation ended, by the time that they had lasted;
        shape (nodes, bins). The bins cover [0, limit) in order.
    transitions
        Transitions of each edge, by the time that they took; shape (edges, bins). Declared ends,
        such as a goal or an exit touchpoint, are transitions too.
    source
        Node that each edge leaves, in 0 … nodes - 1, shape (edges,).

    Returns
    -------
    probability
        Probability of each transition within the limit, in [0, 1], shape (edges,).
    silent
        Probability of no visit within the limit, in [0, 1], shape (nodes,). With the transitions of
        the node it sums to one. NaN, as are the transitions, at a node that nobody has left and
        where nobody has stayed silent for the whole limit: nothing is known of its end.

    Raises
    ------
    InvalidValue
        If shapes disagree, a count is negative, or a node has more ends than visits.

    Notes
    -----
    In bin b of node x with `n_b` visits at risk, `d_yb` transitions to y and `S_0 = 1`:
    `F_y += S_(b-1) d_yb / n_b` and `S_b = S_(b-1) (1 - Σ_y d_yb / n_b)`
    (Aalen & Johansen 1978, discrete; Kaplan & Meier 1958). Censored visits of a bin leave the risk
    set after its transitions, as ties are read everywhere in survival analysis. Where the last
    visits at risk are censored, survival stays where it was. Do not use it where being censored
    tells about the end (calendar drift): censoring must be independent given the node.

    Examples
    --------
    The node `web` of the worked example: transitions after 1, 1 and 5 days, to itself, on and on;
    one visit censored after 4 days and two silent for the limit of 7.

    >>> probability, silent = life_table(
    ...     [6],
    ...     [[0, 0, 0, 0, 1, 0, 0]],
    ...     [[0, 1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 1, 0]],
    ...     [0, 0],
    ... )
    >>> probability.round(4).tolist(), silent.round(4).tolist()
    ([0.1667, 0.3889], [0.4444])
    """
    probability, silent, _ = _estimated(visits, censored_visits, transitions, source)
    return probability, silent


def life_table_times(
    nodes: Nodes, edges: Edges, grid_us: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return mean and deviation of the times of transitions, and how long nodes were followed.

    Parameters
    ----------
    nodes, edges
        The columns of a graph, with histograms and sums of times.
    grid_us
        Bounds of the bins [µs].

    Returns
    -------
    mean, deviation
        Mean and standard deviation of the time of each transition [s], shape (edges,): those of the
        times seen, and what the weights of bins change in the same of the middles of bins.
    followed_us
        As in `JourneyGraph.from_arrays`, down to the width of a bin.
    """
    size, made = len(nodes.names), edges.gap_histogram
    inner = np.flatnonzero(edges.source < size)
    n = edges.count.size
    mean, deviation = np.full((2, n), np.nan)
    if made is None or nodes.censored_histogram is None:
        return mean, deviation, np.full(size, -1, dtype=np.int64)
    source = edges.source[inner]
    visits, censored = edges.arriving(size), nodes.censored_histogram
    _, silent, weight = _estimated(visits, censored, made[inner], source)
    bounds = np.asarray(grid_us, dtype=np.float64) / 1e6
    middle = (bounds[:-1] + bounds[1:]) / 2
    moves, weighted = made[inner].astype(np.float64), made[inner] * weight[source]
    if edges.dwell_sum_us is not None:
        plain = edges.dwell_sum_us[inner] / 1e6
        seen = (edges.dwell_sum_us[inner] >= 0) & (edges.timed[inner] > 0)
        first = quotient(plain, np.where(seen, edges.timed[inner], 0))
        squares = np.full(len(inner), np.nan) if edges.dwell_m2 is None else edges.dwell_m2[inner]
        second = quotient(squares, np.where(seen, edges.timed[inner], 0)) + first**2
        more = [
            quotient((weighted * values).sum(axis=1), weighted.sum(axis=1))
            - quotient((moves * values).sum(axis=1), moves.sum(axis=1))
            for values in (middle, middle**2)
        ]
        mean[inner] = first + more[0]
        deviation[inner] = np.sqrt(np.maximum(second + more[1] - mean[inner] ** 2, 0.0))
    ends = np.zeros(size, dtype=np.int64)
    np.add.at(ends, source, made[inner].sum(axis=1))
    open_ones = censored.sum(axis=1)
    lost = (visits > ends + open_ones) | (open_ones == 0) | ~(np.nan_to_num(silent) > 0)
    last = censored.shape[1] - 1 - np.argmax(censored[:, ::-1] > 0, axis=1)
    followed = np.where(lost, -1, np.asarray(grid_us, dtype=np.int64)[last])
    return mean, deviation, followed


def _estimated(
    visits: ArrayLike, censored_visits: ArrayLike, transitions: ArrayLike, source: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what `life_table` does, and the weight of a transition by node and bin."""
    n_visits = whole_numbers(visits, "visits")
    censored = whole_numbers(censored_visits, "censored_visits")
    made = whole_numbers(transitions, "transitions")
    origin = whole_numbers(source, "source")
    _check_shapes(n_visits, censored, made, origin)
    ends = np.zeros_like(censored)
    np.add.at(ends, origin, made)
    gone = np.cumsum(ends + censored, axis=1)
    if min(a.min(initial=0) for a in (n_visits, censored, made)) < 0:
        raise InvalidValue("counts of a life table must not be negative")
    if (gone[:, -1:] > n_visits[:, None]).any():
        node = int(np.argmax(gone[:, -1] > n_visits))
        raise InvalidValue(
            f"a node cannot have more ends than visits; node {node} has "
            f"{int(gone[node, -1])} ends and {int(n_visits[node])} visits"
        )
    at_risk = n_visits[:, None] - np.pad(gone[:, :-1], ((0, 0), (1, 0)))
    hazard = np.divide(ends, at_risk, out=np.zeros(ends.shape), where=at_risk > 0)
    survival = np.cumprod(1 - hazard, axis=1)
    before = np.pad(survival[:, :-1], ((0, 0), (1, 0)), constant_values=1.0)
    weight = np.divide(before, at_risk, out=np.zeros(ends.shape), where=at_risk > 0)
    probability = (made * weight[origin]).sum(axis=1)
    silent = survival[:, -1].copy()
    unknown = censored.sum(axis=1) == n_visits
    silent[unknown] = np.nan
    probability[unknown[origin]] = np.nan
    return probability, silent, weight


def _check_shapes(
    visits: NDArray[np.int64],
    censored: NDArray[np.int64],
    made: NDArray[np.int64],
    source: NDArray[np.int64],
) -> None:
    good = (
        censored.ndim == made.ndim == 2
        and visits.shape == censored.shape[:1]
        and source.shape == made.shape[:1]
        and censored.shape[1] == made.shape[1] > 0
    )
    if not good:
        raise InvalidValue(
            "a life table must have visits (nodes,), censored_visits (nodes, bins), "
            "transitions (edges, bins) and source (edges,); got shapes "
            f"{visits.shape}, {censored.shape}, {made.shape}, {source.shape}"
        )
