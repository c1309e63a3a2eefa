"""Transition probabilities of censored and ended visits from counts on a time grid.

Histograms add, raw times do not: two graphs that carry histograms on one grid merge into the
graph of both. The price is the width of the bins; where the grid separates all times, the
life table *is* the Aalen-Johansen estimator of the raw times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.validation import whole_numbers
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["life_table"]


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
    return probability, silent


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
