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


def life_table(
    visits: ArrayLike, censored_visits: ArrayLike, transitions: ArrayLike, source: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probability of each transition and that of no visit within the limit.

    `censored_visits` and `transitions`, shapes (nodes, bins) and (edges, bins), are counts by the
    time that they lasted; the bins cover [0, limit) in order; `source` is the node that each edge
    leaves. Declared ends, such as a goal, are transitions too. Both are NaN at a node that nobody
    has left and where nobody has stayed silent for the whole limit.

    In bin b of node x with `n_b` visits at risk, `d_yb` transitions to y and `S_0 = 1`:
    `F_y += S_(b-1) d_yb / n_b` and `S_b = S_(b-1) (1 - Σ_y d_yb / n_b)`
    (Aalen & Johansen 1978, discrete; Kaplan & Meier 1958). Censored visits of a bin leave the risk
    set after its transitions, as ties are read everywhere in survival analysis. Where the last
    visits at risk are censored, survival stays where it was.
    """
    probability, silent, _ = _estimated(visits, censored_visits, transitions, source)
    return probability, silent


def life_table_times(
    nodes: Nodes, edges: Edges, grid_us: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return mean and deviation of the times of transitions [s], and how long nodes were followed.

    They are those of the times seen, and what the weights of bins (bounds `grid_us`) change in the
    same of the middles of bins. How long nodes were followed is as in `JourneyGraph.from_arrays`
    [µs], down to the width of a bin.
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
