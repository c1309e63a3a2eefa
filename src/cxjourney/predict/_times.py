"""Times on a grid: waits by transition, and how and when journeys end, by silence and state.

Long waits and long journeys are followed through by fewer: each is weighed by the mass that Kaplan
and Meier give it at its node (Efron's redistribution to the right), shrunk to that of all nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.predict._contexts import located, summed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CONVERTED, EXITED, SILENT = 0, 1, 2
"""How a journey ends: at the goal, at an exit touchpoint, or in silence."""

NEVER = np.iinfo(np.int64).max
_WAITS, _SILENCES, _ENDS = 48, 12, 96
_OWN = 20.0  # visits from which a transition or a node has a row of its own
_SHRUNK = 10.0
_STATES = 300
_TAIL = (0.99, 0.995, 0.999)
_STRENGTHS = (0.0, 10.0, 100.0, 1000.0, np.inf)


@attrs.frozen(kw_only=True, eq=False)
class Waits:
    """The share of waits that are longer than each edge, by transition.

    Attributes
    ----------
    edges_us
        Ascending, 0 first.
    pairs
        Sorted keys of transitions (node times symbols plus symbol) that have a row of their own.
    of_pairs, of_nodes
        Those shares, shape (pairs, edges) and (nodes, edges).
    """

    edges_us: Ints
    pairs: Ints
    of_pairs: Floats
    of_nodes: Floats

    @classmethod
    def fitted(
        cls, node: Ints, symbol: Ints, wait_us: Ints, weight: Floats, *, sizes: tuple[int, int]
    ) -> Waits:
        """Return the waits of visits that were followed by a touch; sizes: nodes and symbols."""
        n_nodes, n_symbols = sizes
        edges = _edges(wait_us, _WAITS)
        pairs, inverse = np.unique(node * n_symbols + symbol, return_inverse=True)
        size = len(edges) + 1
        bins = np.searchsorted(edges, wait_us)  # 0: at once; b: in (edge b - 1, edge b]
        count = summed(inverse * size + bins, weight, len(pairs) * size).reshape(-1, size)
        by_node = np.zeros((n_nodes, size))
        np.add.at(by_node, pairs // n_symbols, count)
        every = _longer(by_node.sum(axis=0, keepdims=True))
        of_nodes = _shrunk(by_node, every)
        own = count.sum(axis=1) >= _OWN
        return cls(
            edges_us=edges,
            pairs=pairs[own],
            of_pairs=_shrunk(count[own], of_nodes[pairs[own] // n_symbols]),
            of_nodes=of_nodes,
        )

    def longer(self, node: int, n_symbols: int) -> Floats:
        """Return the share of waits after a node that exceed each edge, by symbol."""
        if node < 0 or node >= len(self.of_nodes):
            return np.repeat(self.of_nodes.mean(axis=0, keepdims=True), n_symbols, axis=0)
        found = np.repeat(self.of_nodes[node][None], n_symbols, axis=0)
        place = located(self.pairs, node * n_symbols + np.arange(n_symbols))
        found[place >= 0] = self.of_pairs[place[place >= 0]]
        return found

    def outlasted(self, node: Ints, silence_us: Ints, n_symbols: int) -> Floats:
        """Return the chance that each symbol has not come after a silence, shape (rows, symbols).

        The last symbol is the silence that ends a journey.
        """
        found = np.ones((len(node), n_symbols))
        low, high, part = _between(self.edges_us, silence_us)
        for one, rows in by_node(np.where(silence_us > 0, node, NEVER)):
            if one == NEVER:
                continue
            longer = self.longer(one, n_symbols)[:-1].T
            at = part[rows][:, None]
            found[rows, :-1] = (1 - at) * longer[low[rows]] + at * longer[high[rows]]
        return found

    def until_touch(self, node: Ints, silence_us: Ints, p: Floats, q: Floats) -> Floats:
        """Return quantiles of the time from now to the next touch, if one comes [µs].

        `p` is the probability of each symbol at the last visit, of which the last is no touch.
        """
        out = np.empty(q.shape)
        for one, rows in by_node(node):
            tail = p[rows, :-1] @ self.longer(one, p.shape[1])[:-1]
            now = _interpolated(tail, self.edges_us, silence_us[rows])[:, None]
            within = np.where(now > 1e-12, 1 - tail / np.where(now > 1e-12, now, 1.0), 1.0)
            within[:, -1] = 1.0
            out[rows] = _quantiles(np.clip(within, 0.0, 1.0), self.edges_us, q[rows])
        return np.maximum(out - silence_us[:, None], 0.0)


def by_node(node: Ints) -> Iterator[tuple[int, Ints]]:
    """Yield each node and its rows."""
    order = np.argsort(node, kind="stable")
    found, begin = np.unique(node[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, begin[1:]), strict=True)


@attrs.frozen(kw_only=True, eq=False)
class Ends:
    """How journeys end, and when, by the state of a visit and the silence since.

    Attributes
    ----------
    silences_us
        Edges of silence, 0 first.
    edges_us
        Edges of the time from the visit to the end, or to the last interaction of the journey.
    state_of_node
        Row of each node; 0 stands for all nodes.
    mass
        Visits by state, silence that they have outlasted, way of ending and time, shape (states,
        silences, 3, edges).
    last
        The same by the time to the last interaction, shape (states, silences, edges).
    strength
        Visits that all nodes lend each for the time to the last interaction.
    """

    silences_us: Ints
    edges_us: Ints
    state_of_node: Ints
    mass: Floats
    last: Floats
    strength: float

    @classmethod
    def fitted(
        cls,
        *,
        node: Ints,
        wait_us: Ints,
        way: Ints,
        end_us: Ints,
        last_us: Ints,
        weight: Floats,
        late: Bools,
        n_nodes: int,
    ) -> Ends:
        """Return the ends of the journeys of visits, weighed for those that are not known."""
        followed = wait_us[wait_us < NEVER]
        silences = _edges(followed, _SILENCES)
        silences = silences[:-1] if len(silences) > 1 else silences
        edges = _edges(np.concatenate([end_us, last_us]), 2 * _ENDS)
        visits = summed(node[node >= 0], weight[node >= 0], n_nodes)
        often = np.argsort(-visits, kind="stable")[:_STATES]
        often = often[visits[often] >= _OWN]
        state_of_node = np.zeros(n_nodes + 1, dtype=np.int64)
        state_of_node[often] = 1 + np.arange(len(often))
        state = state_of_node[node]
        outlasted = np.searchsorted(silences, wait_us) - 1  # strictly longer than so many
        outlasted = np.maximum(outlasted, 0)
        shape = (len(often) + 1, len(silences), 3, len(edges))
        n_edges = len(edges)

        def counted(times: Ints, rows: NDArray[np.intp], *, ways: bool) -> Floats:
            at = state[rows] * len(silences) + outlasted[rows]
            if ways:
                at = at * 3 + way[rows]
            at = at * n_edges + np.minimum(np.searchsorted(edges, times[rows]), n_edges - 1)
            size = shape[0] * shape[1] * n_edges * (3 if ways else 1)
            found = summed(at, weight[rows], size)
            found = found.reshape(shape if ways else (shape[0], shape[1], n_edges))
            found[0] = found.sum(axis=0)
            return np.flip(np.flip(found, 1).cumsum(axis=1), 1)

        known = np.flatnonzero(weight > 0)
        last = counted(last_us, known, ways=False)
        early = counted(last_us, known[~late[known]], ways=False)[:, 0]
        new = known[late[known]]
        strength = _strength(early, edges, state[new], last_us[new], weight[new])
        return cls(
            silences_us=silences,
            edges_us=edges,
            state_of_node=state_of_node,
            mass=counted(end_us, known, ways=True),
            last=last,
            strength=strength,
        )

    def states(self, node: Ints) -> Ints:
        """Return the state of visits of nodes; -1 is a node that is not known."""
        return self.state_of_node[node]

    def within(self, state: Ints, silence_us: Ints, horizon_us: int | None, *, way: str) -> Floats:
        """Return the share of those who convert (or drop) who do it within a horizon from now."""
        if horizon_us is None:
            return np.ones(len(state))
        ways = [CONVERTED] if way == "conversion" else [EXITED, SILENT]
        mass = self.mass[:, :, ways].sum(axis=2)
        mass = mass + _SHRUNK * _normalised(mass[:1])
        low, _, _ = self._between(silence_us)
        rows = mass[state, low].cumsum(axis=1)
        total = rows[:, -1]
        until = _interpolated(rows, self.edges_us, silence_us + horizon_us)
        since = _interpolated(rows, self.edges_us, silence_us)
        left = total - since
        return np.where(left > 1e-9, (until - since) / np.where(left > 1e-9, left, 1.0), 1.0)

    def remaining(self, state: Ints, silence_us: Ints, q: Floats) -> Floats:
        """Return quantiles of the time from now to the last interaction [µs], 0 where none comes.

        `q` has one row a visit, or one for all.
        """
        low, _, _ = self._between(silence_us)
        rows = _mixed(self.last, self.strength)[state, low].cumsum(axis=1)
        found = _quantiles(rows, self.edges_us, q)
        return np.maximum(found - silence_us[:, None], 0.0)

    def _between(self, silence_us: Ints) -> tuple[Ints, Ints, Floats]:
        return _between(self.silences_us, silence_us)


def _between(edges: Ints, value: Ints) -> tuple[Ints, Ints, Floats]:
    """Return the edges around values, and how far on the way from one to the other they are."""
    low = np.clip(np.searchsorted(edges, value, side="right") - 1, 0, len(edges) - 1)
    high = np.minimum(low + 1, len(edges) - 1)
    width = np.maximum(edges[high] - edges[low], 1)
    return low, high, np.clip((value - edges[low]) / width, 0.0, 1.0)


def _edges(values: Ints, n: int) -> Ints:
    """Return about n edges that divide values evenly, 0 first and the largest last."""
    values = values[values > 0]
    if not len(values):
        return np.zeros(1, dtype=np.int64)
    if len(values) > 200_000:  # quantiles of so many are those of all
        values = values[:: len(values) // 100_000]
    found = np.quantile(values, np.append(np.linspace(0, 1, n), _TAIL), method="inverted_cdf")
    value, often = np.unique(found, return_counts=True)
    atoms = np.append(value[often > 1], value[0]) - 1  # what many share is no stretch of time
    return np.unique(np.concatenate([[0], atoms, value])).astype(np.int64)


def _longer(count: Floats) -> Floats:
    """Return the share beyond each edge of counts by bin; those of the last bin are beyond all."""
    total = count.sum(axis=1, keepdims=True)
    shares: Floats = 1 - count[:, :-1].cumsum(axis=1) / np.where(total > 0, total, 1.0)
    return np.maximum(shares, 0.0)


def _shrunk(count: Floats, parent: Floats) -> Floats:
    total = count.sum(axis=1, keepdims=True)
    shares: Floats = (total * _longer(count) + _SHRUNK * parent) / (total + _SHRUNK)
    return shares


def _normalised(mass: Floats) -> Floats:
    total = mass.sum(axis=-1, keepdims=True)
    shares: Floats = mass / np.where(total > 0, total, 1.0)
    return shares


def _mixed(mass: Floats, strength: float) -> Floats:
    """Return the distribution of each state, drawn to that of all by so many visits."""
    every = _normalised(mass[:1])
    if strength == np.inf:
        return np.broadcast_to(every, mass.shape)
    total = mass.sum(axis=-1, keepdims=True)
    mixed: Floats = (mass + (strength + 1e-9) * every) / (total + strength + 1e-9)
    return mixed


def _interpolated(cumulated: Floats, edges: Ints, at: Ints) -> Floats:
    """Return how much lies at or below values, rows of masses added up at edges."""
    low, high, part = _between(edges, at)
    rows = np.arange(len(at))
    below: Floats = (1 - part) * cumulated[rows, low] + part * cumulated[rows, high]
    return below


def _quantiles(cumulated: Floats, edges: Ints, q: Floats) -> Floats:
    """Return quantiles of rows of masses that lie in (edge before, edge]; one column a quantile."""
    total = cumulated[:, -1:]
    wanted = np.broadcast_to(q, (len(cumulated), np.shape(q)[-1])) * total
    out = np.empty(wanted.shape)
    rows = np.arange(len(cumulated))
    for k in range(wanted.shape[1]):
        high = np.minimum((cumulated < wanted[:, k, None] - 1e-12).sum(axis=1), len(edges) - 1)
        low = np.maximum(high - 1, 0)
        before = np.where(high > 0, cumulated[rows, low], 0.0)
        step = cumulated[rows, high] - before
        part = np.where(step > 0, (wanted[:, k] - before) / np.where(step > 0, step, 1.0), 1.0)
        out[:, k] = edges[low] + np.clip(part, 0, 1) * (edges[high] - edges[low])
    return out


def _strength(mass: Floats, edges: Ints, state: Ints, last_us: Ints, weight: Floats) -> float:
    """Return the strength under which medians were nearest to what came later; inf if none is."""
    best, least = np.inf, np.inf
    if not len(state) or not mass[0].sum():
        return best
    for strength in reversed(_STRENGTHS):
        median = _quantiles(_mixed(mass, strength).cumsum(axis=1), edges, np.array([0.5]))[:, 0]
        error = float(weight @ np.abs(median[state] - last_us))
        if error < least * (1 - 1e-3):
            best, least = strength, error
    return best
