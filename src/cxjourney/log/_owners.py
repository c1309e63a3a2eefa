"""To whom an id belongs at a time: spans of links, laid over each other and followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

ALWAYS, FOREVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max
"""The ends of a span that is open."""


@attrs.frozen(kw_only=True, eq=False)
class Owners:
    """Stretches of time in which an id has the same links.

    Attributes
    ----------
    root
        What each id is by links that always hold; such links are followed once, here.
    cycles
        How many ids such links lead back to themselves.
    times
        All moments at which a span begins or ends, sorted.
    key
        Id and moment with which each stretch begins, as `id * len(times) + moment`, sorted.
    n_known
        How many known ids the id has in that stretch.
    known
        The known id, where it is one; else nothing that means anything.
    spans
        Id, known id, beginning and end of each span, those of one pair disjoint.
    """

    root: Ints
    cycles: int
    times: Ints
    key: Ints
    n_known: Ints
    known: Ints
    spans: tuple[Ints, Ints, Ints, Ints]

    @classmethod
    def of(cls, root: Ints, cycles: int, spans: tuple[Ints, Ints, Ints, Ints]) -> Self:
        """Lay the spans of each id over each other."""
        anonymous, known, since, until = spans
        times = np.unique(np.concatenate([since, until]))
        n, more = max(len(times), 1), np.ones(len(since), dtype=np.int64)
        key = np.concatenate([anonymous, anonymous]) * n + np.searchsorted(
            times, np.concatenate([since, until])
        )
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))

        def running(changes: Ints) -> Ints:
            return np.cumsum(np.add.reduceat(changes[order], starts)) if len(starts) else changes

        return cls(
            root=root,
            cycles=cycles,
            times=times,
            key=key[order][starts],
            n_known=running(np.concatenate([more, -more])),
            known=running(np.concatenate([known, -known])),
            spans=spans,
        )

    def lasting(self) -> tuple[Ints, Ints]:
        """Return the ids that have one known id, the same one always, and which it is."""
        if len(self.key) < 2:
            return self.key[:0], self.key[:0]
        ids, when = np.divmod(self.key, len(self.times))
        whole = (self.times[when[:-1]] == ALWAYS) & (self.times[when[1:]] == FOREVER)
        rows = np.flatnonzero(whole & (ids[:-1] == ids[1:]) & (self.n_known[:-1] == 1))
        return ids[rows], self.known[rows]

    def rank(self, time: Ints) -> Ints:
        """Return the last moment of `times` at or before each time; -1 before all of them."""
        return np.searchsorted(self.times, time, side="right") - 1

    def stretch(self, ids: Ints, rank: Ints) -> Ints:
        """Return the stretch in which each id is at a moment; -1 where it has no link."""
        n = max(len(self.times), 1)
        place = np.searchsorted(self.key, ids * n + rank, side="right") - 1
        if not len(self.key):
            return place
        found = (place >= 0) & (self.key[place] // n == ids) & (self.n_known[place] > 0)
        return np.where(found, place, -1)

    def torn(self, ids: Ints, rank: Ints) -> NDArray[np.bool_]:
        """Return whether each id has several known ids at a moment."""
        return np.append(self.n_known, 0)[self.stretch(ids, rank)] > 1

    def step(self, ids: Ints, rank: Ints) -> Ints:
        """Return the known id of each id at a moment: itself where it has none, or several."""
        place = self.stretch(ids, rank)
        one = np.append(self.n_known, 0)[place] == 1
        return np.where(one, np.append(self.known, 0)[place], ids)

    def follow(self, ids: Ints, rank: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Return where links lead from each id, over how many, and whether round in a circle.

        Who goes round ends at the smallest id of the circle. It is noticed by holding a place
        against the one that was kept at the last power of two (Brent 1980).
        """
        end, steps = ids.copy(), np.zeros(len(ids), dtype=np.int64)
        circle = np.zeros(len(ids), dtype=np.bool_)
        moving, kept, n, power = np.arange(len(ids)), ids.copy(), 0, 1
        while len(moving):
            to = self.step(end[moving], rank[moving])
            goes = to != end[moving]
            moving = moving[goes]
            end[moving] = to[goes]
            steps[moving] += 1
            n += 1
            again = end[moving] == kept[moving]
            if again.any():
                round_ = moving[again]
                circle[round_] = True
                end[round_] = self._smallest(end[round_], rank[round_])
                moving = moving[~again]
            if n == power:
                kept[moving] = end[moving]
                power *= 2
        return end, steps, circle

    def _smallest(self, start: Ints, rank: Ints) -> Ints:
        low, here, going = start.copy(), start.copy(), np.arange(len(start))
        while len(going):
            here[going] = self.step(here[going], rank[going])
            low[going] = np.minimum(low[going], here[going])
            going = going[here[going] != start[going]]
        return low

    def conflicts(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Return id, known id and span [µs] of each link that stands against another one."""
        anonymous, known, since, until = self.spans
        torn = np.flatnonzero(self.n_known > 1)
        n = max(len(self.times), 1)
        first, end = (
            np.searchsorted(self.key, anonymous * n + np.searchsorted(self.times, moments))
            for moments in (since, until)
        )
        begin, stop = np.searchsorted(torn, first), np.searchsorted(torn, end)
        some = np.flatnonzero(stop > begin)
        when = self.key % n
        return (
            anonymous[some],
            known[some],
            self.times[when[torn[begin[some]]]],
            self.times[when[torn[stop[some] - 1] + 1]],
        )


def owners_of(n: int, anonymous: Ints, known: Ints, since: Ints, until: Ints) -> Owners:
    """Return the owners of `n` ids by links; what always holds is followed to the end.

    Following them may show that two links of an id lead to one customer, so it is done until
    nothing more is found.
    """
    root, cycles = np.arange(n), 0
    while True:
        spans = united(root[anonymous], root[known], since, until)
        owners = Owners.of(root, cycles, spans)
        ids, to = owners.lasting()
        if not len(ids):
            return owners
        ends, found = _ends(n, ids, to)
        cycles += found
        root = ends[root]


def _ends(n: int, ids: Ints, to: Ints) -> tuple[Ints, int]:
    """Return where a link each leads in the end, and how many of the ids lie on circles."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    follows = np.arange(n)
    follows[ids] = to
    links = csr_array((np.ones(len(ids), dtype=np.int8), (ids, to)), shape=(n, n))
    _, label = connected_components(links, directed=True, connection="strong")
    _, smallest = np.unique(label, return_index=True)
    circle = np.bincount(label)[label] > 1
    follows[circle] = smallest[label[circle]]
    while True:
        further = follows[follows]
        if np.array_equal(further, follows):
            return follows, int(np.count_nonzero(circle))
        follows = further


def united(anonymous: Ints, known: Ints, since: Ints, until: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the spans without links of an id to itself; those of a pair that meet are one."""
    other = anonymous != known
    order = np.flatnonzero(other)[np.lexsort((since[other], known[other], anonymous[other]))]
    a, k, begin, end = anonymous[order], known[order], since[order], until[order]
    if not len(order):
        return a, k, begin, end
    pair = np.append(True, (a[1:] != a[:-1]) | (k[1:] != k[:-1]))
    group = np.cumsum(pair) * len(order)
    ends, rank = np.unique(end, return_inverse=True)
    latest = ends[np.maximum.accumulate(rank + group) - group]
    apart = pair | np.append(True, begin[1:] > latest[:-1])
    starts = np.flatnonzero(apart)
    return a[starts], k[starts], begin[starts], latest[np.append(starts[1:], len(order)) - 1]
