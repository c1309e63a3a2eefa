"""Visits of journeys, in NumPy: how they end, when, and what is counted of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from cxjourney.kernels._reference_groups import count_before, first_of_each

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grouped: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]]

__all__ = [
    "after_first_visits",
    "cells_of_visits",
    "moves_of_visits",
    "sums_by_cell",
    "waits_of_visits",
]

NEVER = np.iinfo(np.int64).max
MOVED, STAYED, OPEN = 0, 1, 2
CONVERTED, DROPPED, IN_PROGRESS = 0, 1, 2
DAY_US = 86_400_000_000


def waits_of_visits(
    time: NDArray[np.int64],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    outcome: NDArray[np.int8],
    until: int,
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Return how long each visit lasted, and how it ended: moved, lost in silence or open.

    Parameters
    ----------
    time
        Time of each row [µs].
    offsets
        Rows of journey i are [offsets[i], offsets[i + 1]).
    absorbed
        Whether the last row of each journey is a goal or exit, and so no visit.
    outcome
        Converted, dropped or in progress: 0, 1 or 2.
    until
        The end of the observation [µs]. An open visit has waited until then, or not at all.

    Returns
    -------
    tuple of ndarray
        Times [µs], the largest number for those who were lost in silence; and 0, 1 or 2.
    """
    visit = np.ones(len(time), dtype=np.bool_)
    visit[offsets[1:][absorbed] - 1] = False
    lengths = np.diff(offsets) - absorbed
    some = lengths > 0
    last = np.cumsum(lengths)[some] - 1
    ends = offsets[1:][some] - absorbed[some]  # of the goal or exit, where a journey has one
    outcome, absorbed = outcome[some], absorbed[some]
    state = np.zeros(int(lengths.sum()), dtype=np.int8)
    state[last] = np.select(
        [outcome == IN_PROGRESS, (outcome == DROPPED) & ~absorbed], [OPEN, STAYED], default=MOVED
    )
    here = time[visit]
    wait = np.empty(len(here), dtype=np.int64)
    np.subtract(here[1:], here[:-1], out=wait[:-1])
    wait[last] = time[np.minimum(ends, len(time) - 1)] - here[last]
    wait[state == STAYED] = NEVER
    censored = state == OPEN
    wait[censored] = np.maximum(until - here[censored], 0)
    wait[last[(outcome == CONVERTED) & ~absorbed]] = 0
    return wait, state


def cells_of_visits(
    at: NDArray[np.integer],
    time: NDArray[np.int64],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    outcome: NDArray[np.int8],
    until: int,
    times: NDArray[np.int64],
    bounds: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Return how many times of where it is come before each visit ends, after those elsewhere.

    Parameters
    ----------
    at
        Where each visit is.
    time, offsets, absorbed, outcome, until
        The journeys, as in `waits_of_visits`.
    times, bounds
        The times of place i are [bounds[i], bounds[i + 1]), ascending. It has as many cells and one
        more, which are numbered on from those of the places before.
    """
    wait, state = waits_of_visits(time, offsets, absorbed, outcome, until)
    cell = count_before(at, wait, times, bounds)
    stayed = np.flatnonzero(state == STAYED)
    cell[stayed] = np.diff(bounds)[at[stayed]]
    cell += (bounds[:-1] + np.arange(len(bounds) - 1)).astype(np.int32)[at]
    return cell


def moves_of_visits(
    node: NDArray[np.integer], lengths: NDArray[np.int64], ends: NDArray[np.int64], n_nodes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Return the distinct moves, how often each was made, and that of each visit.

    Parameters
    ----------
    node
        Node of each visit, below `n_nodes`.
    lengths
        Visits of each journey.
    ends
        What each journey moved to at last, from `n_nodes` on and below `n_nodes` + 3; -1 for none.
    n_nodes
        Number of nodes.

    Returns
    -------
    tuple of ndarray
        Source times (`n_nodes` + 3) plus target of each move, ascending; counts; and the place of
        each visit's move, -1 of none.
    """
    width = n_nodes + 3
    key = node.astype(np.int64)
    key[:-1] = key[:-1] * width + node[1:]
    some = lengths > 0
    last = np.cumsum(lengths)[some] - 1
    key[last] = np.where(ends[some] < 0, -1, node[last].astype(np.int64) * width + ends[some])
    used, place, count = np.unique(key, return_inverse=True, return_counts=True)
    none = int(np.count_nonzero(used < 0))  # comes first, if at all
    return used[none:], count[none:], (place - none).astype(np.int32)


def sums_by_cell(
    group: NDArray[np.int32], cell: NDArray[np.int32], values: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Return the sums of the values of cells by group, in the order of rows; -1 is no group."""
    sums = np.bincount(group + 1, values[cell], minlength=size + 1)[1:]
    return sums.astype(np.float64, copy=False)


def after_first_visits(
    node: NDArray[np.integer],
    time: NDArray[np.int64],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    unit: NDArray[np.int64],
    reached: NDArray[np.bool_],
    target: NDArray[np.bool_] | None,
    until: int | None,
    window: float,
    shape: tuple[int, int],
) -> tuple[NDArray[np.int64], Grouped, Grouped]:
    """Return what was seen within a window of the first visit of each journey to each node.

    Parameters
    ----------
    node
        Node of each visit.
    time, offsets, absorbed
        The journeys, as in `waits_of_visits`.
    unit
        Unit of each journey, at most 255; -1 of one that does not count.
    reached
        Whether the end of each journey is the event; not read where there are targets.
    target
        Which rows are the event: the next one after a visit counts.
    until
        The end of the observation [µs]; None where all is known.
    window
        Length of the window [days].
    shape
        Number of units and of nodes.

    Returns
    -------
    tuple
        First visits by unit, node and what was seen: nothing more (0), that the window was over
        (1), the event in it (2), or both (3). Then those of an event by node, and of neither: where
        those of each node begin, how long each took or was followed [days], and its unit.
    """
    n_units, n_nodes = shape
    lengths = np.diff(offsets) - absorbed
    journey = np.repeat(np.arange(len(lengths)), lengths)
    visit = np.ones(len(time), dtype=np.bool_)
    visit[offsets[1:][absorbed] - 1] = False
    first = first_of_each(journey, node.astype(np.int64), n_nodes) & (unit[journey] >= 0)
    row, journey, node = np.flatnonzero(visit)[first], journey[first], node[first].astype(np.int64)
    end = offsets[1:][journey]
    if target is None:
        event = np.where(reached[journey], end - 1, len(time))
    else:
        targets = np.append(np.flatnonzero(target), len(time))
        event = targets[np.searchsorted(targets, row, side="right")]
    took = np.full(len(row), np.inf)
    some = event < end
    took[some] = (time[event[some]] - time[row[some]]) / DAY_US
    followed = np.full(len(row), np.inf) if until is None else (until - time[row]) / DAY_US
    won, full = np.isfinite(took) & (took <= np.minimum(followed, window)), followed >= window
    place = (unit[journey] * n_nodes + node) * 4 + full + 2 * won
    counts = np.bincount(place, minlength=n_units * n_nodes * 4).reshape(n_units, n_nodes, 4)

    def grouped(chosen: NDArray[np.bool_], days: NDArray[np.float64]) -> Grouped:
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(node[rows], kind="stable")]
        bounds = np.searchsorted(node[rows], np.arange(n_nodes + 1))
        return bounds, days[rows], unit[journey[rows]].astype(np.uint8)

    return counts, grouped(won, took), grouped(~(won | full), followed)
