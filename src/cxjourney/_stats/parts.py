"""Parts of a node that are corrected for censoring one by one, and pooled afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.ratios import quotient
from cxjourney._support.distinct import distinct, paired

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Floats, Ints

_FOLLOWED = 5
"""Visits that could be followed up to the limit from which a part is corrected by itself."""


def followed_cells(
    node: NDArray[np.integer], part: NDArray[np.integer], followed: Bools, n_nodes: int
) -> tuple[NDArray[np.unsignedinteger], Ints]:
    """Return the cell of each visit, whose censored visits hand on to one another, and their nodes.

    Cells are in few bytes.

    A channel whose app was launched last week pools visits whose end is known with visits that
    nobody could follow yet. Each part, such as a touchpoint, is a cell of its node; those with too
    few visits that could be followed up to the limit, whatever came of them, are one cell together,
    or go with the busiest. Cells ascend with their nodes.
    """
    size = int(part.max(initial=0)) + 2
    key = paired(node, part, size)
    key += 1
    used, of = distinct(key)
    place, n_cells = joined_cells(
        used // size, np.bincount(of), np.bincount(of[followed], minlength=len(used)), n_nodes
    )
    at = np.zeros(n_cells, dtype=np.int64)
    at[place] = used // size
    return place.astype(np.min_scalar_type(n_cells))[of], at


def joined_cells(node: Ints, n: Ints, long: Ints, n_nodes: int) -> tuple[Ints, int]:
    """Return the cell of each part, and how many cells there are; see `followed_cells`.

    Parameters
    ----------
    node
        The node of each part, ascending.
    n, long
        Visits of each part, and those that could be followed up to the limit.
    n_nodes
        Number of nodes.
    """
    few = long < _FOLLOWED
    busiest = np.zeros(n_nodes, dtype=np.int64)
    order = np.argsort(np.where(few, -1, n), kind="stable")
    busiest[node[order]] = order  # the last to be written is the busiest
    first = np.full(n_nodes, len(node), dtype=np.int64)
    np.minimum.at(first, node[few], np.flatnonzero(few))
    rest = np.bincount(node[few], long[few], minlength=n_nodes)
    joined = np.where(rest >= _FOLLOWED, np.minimum(first, len(node) - 1), busiest)
    kept, cell = distinct(np.where(few, joined[node], np.arange(len(node))))
    return cell, len(kept)


def pooled(
    values: Floats, n: Floats, node: Ints, n_nodes: int, *, part: Ints, target: Ints, n_targets: int
) -> tuple[Floats, Floats]:
    """Return the means over the parts of each node, and the visits of the nodes, row by row.

    Parameters
    ----------
    values
        Probabilities or means of parts, shape (rows, values); NaN counts as 0.
    n
        Visits of each part, shape (rows, parts).
    node
        The node of each part.
    n_nodes
        Number of nodes.
    part, target
        The part of each value, and where among the `n_targets` means it belongs.

    Returns
    -------
    tuple of ndarray
        The means, shape (rows, n_targets), 0 where nothing is there; the visits, shape
        (rows, n_nodes).
    """
    visits = np.zeros((len(n), n_nodes))
    np.add.at(visits.T, node, n.T)
    share = np.nan_to_num(quotient(n, visits[:, node]))[:, part]
    means = np.zeros((len(n), n_targets))
    np.add.at(means.T, target, (np.nan_to_num(values) * share).T)
    return means, visits
