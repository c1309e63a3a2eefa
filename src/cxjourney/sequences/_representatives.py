"""A few journeys that stand for all: those to which the others are nearest by edits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count
from cxjourney.journeys import (
    By,
    WithPeople,
    check_journeys,
    ended,
    grain_name,
    slices_of,
    with_people,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.journeys import Ending, Journeys

_MOST = 20
_CANDIDATES = 150
_WORK = 1_500_000_000
"""Cells of edit distances that are computed at most: a few seconds."""


@attrs.frozen(kw_only=True, repr=False)
class Representatives(WithPeople):
    """Paths that stand for all, the one for most journeys first.

    Attributes
    ----------
    table
        One row a representative: its `path` and `length`, the `journeys` that are nearest to it and
        their `share`, how many took it as it is (`exactly`), and the mean number of `edits` (steps
        left out or put in between) from it to those.
    fitness
        1 - edits / steps of all journeys, at most 1: how well the representatives stand for them.
    coverage
        Share of the journeys that took the path of a representative exactly.
    simplicity
        1 - representatives / distinct paths.
    n_journeys, n_paths
        Journeys, and distinct paths among them.
    by, caveats
        What a step is; what a reader must know.
    """

    title: ClassVar[str] = "Representative journeys"

    table: Table
    fitness: float
    coverage: float
    simplicity: float
    n_journeys: int
    n_paths: int
    by: str
    caveats: tuple[str, ...]

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw which share of the journeys is nearest to each representative.

        Parameters
        ----------
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        return plot.bars(
            list(self.table["path"]),
            self.table["share"],
            percent=True,
            label="share of journeys nearest to it",
            caption=f"These paths stand for all with a fitness of {self.fitness:.2f}.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        if not self.n_paths:
            return ("No journey has a visit.",)
        fitness = "1 less the edits from every journey to the nearest one, by its steps"
        exactly = "of the journeys took one of these paths exactly"
        return (
            f"The fitness is {self.fitness:.2f}: {fitness}.",
            f"{self.coverage:.0%} {exactly}; there are {self.n_paths:,} distinct paths.",
            *self.caveats,
        )


def representatives(journeys: Journeys, k: int = 3, *, by: By = "touchpoint") -> Representatives:
    """Return k paths to which all journeys are as near as they can be.

    Parameters
    ----------
    journeys
        The journeys.
    k
        How many paths, from 1 to 20; fewer where there are fewer distinct ones.
    by
        What a step is: "touchpoint", "channel", "stage", "owner" or a pair of them.

    Returns
    -------
    Representatives

    Raises
    ------
    InvalidValue
        If `k` is out of its range.

    Notes
    -----
    Representatives are paths that were taken. They are found among the 150 most frequent ones by
    partitioning around medoids (Kaufman and Rousseeuw 1990) on edit distances, the number of steps
    to leave out, put in or replace; each journey counts. Fitness is that of Bernard and Andritsos
    (2018). The path of a journey in progress is what is known of it.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> found = cx.sequences.representatives(journeys, 3, by="stage")
    >>> len(found.table), 0 < found.fitness < 1
    (3, True)
    """
    check_journeys(journeys)
    check_count(k, "k", 1, _MOST)
    slices = slices_of(journeys, by)
    group, first = slices.distinct()
    weight = journeys.weight
    counts = np.bincount(group, weight, minlength=len(first)).astype(np.int64, copy=False)
    steps = [slices.path(i) for i in first.tolist()]
    lengths = np.array([len(path) for path in steps], dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    order = order[(counts[order] > 0) & (lengths[order] > 0)]
    candidates = order[:_CANDIDATES]
    longest = int(lengths[order].max(initial=1))
    most = max(_CANDIDATES, _WORK // (max(1, len(candidates)) * longest * longest))
    some = order[:most]
    codes = _codes(steps, some, longest)
    far = _edits(codes, lengths[some], codes[: len(candidates)], lengths[candidates])
    chosen = _medoids(far, counts[some], min(k, len(candidates)))
    # the others, by their distance to the chosen ones alone
    rest = order[most:]
    if len(rest):
        more = _edits(
            _codes(steps, rest, longest), lengths[rest], codes[chosen], lengths[some][chosen]
        )
        near = np.concatenate([far[:, chosen], more])
    else:
        near = far[:, chosen]
    nearest, edits = _nearest(near)
    n = counts[order]
    total = np.bincount(nearest, n, minlength=len(chosen))
    rank = np.argsort(-total, kind="stable")
    place_of_path = np.full(len(first), -1, dtype=np.int64)
    place_of_path[order] = np.argsort(rank)[nearest]
    at = candidates[chosen[rank]]
    total = total[rank].astype(np.int64)
    spent = np.bincount(nearest, n * edits, minlength=len(chosen))[rank]
    result = Representatives(
        table=Table(
            {
                "path": tuple(" > ".join(steps[i]) for i in at.tolist()),
                "length": lengths[at],
                "journeys": total,
                "share": total / max(int(total.sum()), 1),
                "exactly": counts[at],
                "edits": spent / np.maximum(total, 1),
            },
            formats={"share": "percent"},
            backend=journeys.log.backend,
        ),
        fitness=1 - _share((n * edits).sum(), (n * lengths[order]).sum()),
        coverage=_share(counts[at].sum(), n.sum()),
        simplicity=1 - _share(len(at), len(order)),
        n_journeys=int(n.sum()),
        n_paths=len(order),
        by=grain_name(by),
        caveats=_caveats(journeys, len(some), len(order)),
    )

    def members(place: int, _: tuple[str, ...], outcome: Ending | None) -> Bools:
        return np.asarray((place_of_path[group] == place) & ended(journeys, outcome))

    return with_people(result, journeys, members)


def _nearest(near: Ints) -> tuple[Ints, Ints]:
    if not near.size:
        nothing = np.zeros(len(near), dtype=np.int64)
        return nothing, nothing
    return near.argmin(axis=1), near.min(axis=1)


def _share(some: float, whole: float) -> float:
    return float(some) / float(whole) if whole else math.nan


def _caveats(journeys: Journeys, some: int, n: int) -> tuple[str, ...]:
    said = []
    if some < n:
        said.append(f"They were found among the {some:,} most frequent of the {n:,} paths.")
    running = int(np.count_nonzero(journeys.outcome == 2))
    if running:
        said.append(f"{running:,} journeys are in progress; of these the path so far counts.")
    return tuple(said)


def _codes(steps: list[tuple[str, ...]], which: Ints, longest: int) -> Ints:
    """Return the names along some paths as numbers, one line a path, -1 behind its end."""
    number: dict[str, int] = {}
    codes = np.full((len(which), longest), -1, dtype=np.int64)
    for line, i in zip(codes, which.tolist(), strict=True):
        path = [number.setdefault(name, len(number)) for name in steps[i]]
        line[: len(path)] = path
    return codes


def _edits(one: Ints, sizes: Ints, other: Ints, others: Ints) -> Ints:
    """Return the edit distance of each path to each other one, all pairs at once."""
    shape = (len(one), len(other))
    found = np.zeros(shape, dtype=np.int64)
    longest = int(others.max(initial=0))
    before = np.broadcast_to(
        np.arange(longest + 1, dtype=np.int16)[:, None, None], (longest + 1, *shape)
    ).copy()
    np.copyto(found, others[None, :], where=(sizes == 0)[:, None])
    for i in range(int(sizes.max(initial=0))):
        line = np.empty_like(before)
        line[0] = i + 1
        mine = one[:, i, None]
        for j in range(longest):
            kept = before[j] + (mine != other[None, :, j])
            line[j + 1] = np.minimum(np.minimum(before[j + 1], line[j]) + 1, kept)
        done = np.flatnonzero(sizes == i + 1)
        found[done] = line[others, :, np.arange(len(others))].T[done]
        before = line
    return found


def _medoids(far: Ints, weight: Ints, k: int) -> Ints:
    """Return the columns nearest to all lines: built one by one, then changed while it helps."""
    if k == 0:
        return np.zeros(0, dtype=np.int64)
    cost = far * weight[:, None]
    chosen = [int(cost.sum(axis=0).argmin())]
    while len(chosen) < k:
        near = cost[:, chosen].min(axis=1)
        gain = np.minimum(cost, near[:, None]).sum(axis=0)
        gain[chosen] = np.iinfo(np.int64).max
        chosen.append(int(gain.argmin()))
    best = int(cost[:, chosen].min(axis=1).sum())
    while True:
        found = (best, -1, -1)
        for i in range(k):
            others = cost[:, chosen[:i] + chosen[i + 1 :]].min(axis=1, initial=_FAR)
            swapped = np.minimum(cost, others[:, None]).sum(axis=0)
            swapped[chosen] = _FAR
            j = int(swapped.argmin())
            found = min(found, (int(swapped[j]), i, j))
        if found[0] >= best:
            return np.array(chosen, dtype=np.int64)
        best, i, j = found
        chosen[i] = j


_FAR: Any = np.iinfo(np.int64).max
