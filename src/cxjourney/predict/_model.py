"""The model behind a predictor: contexts, what follows them, how they end, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, Censoring, move_mass
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.validation import duration_us
from cxjourney.journeys import IN_PROGRESS, Journeys, is_visit, units_of, visits_of
from cxjourney.predict._contexts import ContextTree, summed
from cxjourney.predict._next_touch import NextTouch
from cxjourney.predict._outcomes import (
    Shares,
    Support,
    expit,
    fitted_shares,
    hitting,
    logit,
    supported,
)
from cxjourney.predict._prefixes import Prefixes, prefixes_at, renumbered, weight_of
from cxjourney.predict._times import CONVERTED, EXITED, NEVER, SILENT, Ends, Waits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._stats.units import Units
    from cxjourney.predict._prefixes import Vocabulary

_LATER = 2 / 3
_ROUNDS = 8
_SETTLED = 5e-4
_MOST_PAIRS = 1_500
_NONE = Support(trials=(), journeys=(), strength=(), root=1.0, freedom=np.nan)


@attrs.frozen(kw_only=True, eq=False)
class Model:
    """Contexts and what was learned of them; with K nodes the symbols are these and three ends.

    `begins` is how many journeys begin at each node [fraction], `leads` the probability of
    conversion after each symbol, by the node before it, or one row for all of very many nodes.
    """

    next_tree: ContextTree
    next_touch: NextTouch
    next_support: Support
    outcome_tree: ContextTree
    outcome: Shares
    outcome_support: Support
    waits: Waits | None
    ends: Ends | None
    begins: Floats
    leads: Floats

    def next_probabilities(
        self, prefixes: Prefixes, words: Vocabulary
    ) -> tuple[Floats, list[Ints]]:
        """Return the probability of each symbol next, whatever the silence, and the contexts."""
        cells = self.next_tree.cells(prefixes.features(words, outcome=False))
        return self.next_touch.probabilities(cells), cells

    def outcome_cells(self, prefixes: Prefixes, words: Vocabulary) -> list[Ints]:
        """Return the contexts of outcomes."""
        return self.outcome_tree.cells(prefixes.features(words, outcome=True))

    def share(
        self,
        prefixes: Prefixes,
        words: Vocabulary,
        *,
        cells: list[Ints] | None = None,
        before: Floats | None = None,
    ) -> Floats:
        """Return the probability of conversion, given the silence.

        `cells` are the contexts of outcomes, and `before` the probability of each symbol next at
        the last visit, where they are known.
        """
        node = prefixes.recent[0]
        p = self.outcome.prior[node]
        if self.outcome.share:  # at first there is the chain alone
            cells = self.outcome_cells(prefixes, words) if cells is None else cells
            p = self.outcome.at(cells, node)
        rows = np.flatnonzero(prefixes.silence_us > 0)
        if self.waits is None or not len(rows):
            return p
        asked = prefixes.take(rows)
        following = self.next_probabilities(asked, words)[0] if before is None else before[rows]
        left = following * self.waits.outlasted(node[rows], asked.silence_us, following.shape[1])
        leads = self.leads[np.minimum(node[rows], len(self.leads) - 1)]
        now, then = (
            (x * leads).sum(axis=1) / np.maximum(x.sum(axis=1), 1e-300) for x in (left, following)
        )
        shifted = p.copy()
        shifted[rows] = np.where(
            (p[rows] > 0) & (now > 0), expit(logit(p[rows]) + logit(now) - logit(then)), 0.0
        )
        return shifted


@attrs.frozen(kw_only=True, eq=False)
class Learned:
    """Visits of journeys as a model is made of: what came next, and how the journey ended.

    Attributes
    ----------
    symbol
        What came next: a node, or K + `CONVERTED`, `EXITED` or `SILENT`; -1 where it is not known
        yet, or no node of the vocabulary.
    weight
        How often each visit counts.
    corrected
        The same for what came next: 0 where not known yet, more where others were not followed.
    journey, late
        Journey of each visit, and whether it is among those that began last.
    held
        Visits on which ends are tried out: the late ones, or where journeys are in progress those
        of a third of the customers, since little is known of how late ones end.
    way, end_us, last_us, end_weight
        How the journey of each visit ended, the time to that, the time to its last interaction, and
        how often it counts for these.
    wait_us
        Time to what came next; `NEVER` where nothing did.
    """

    symbol: Ints
    weight: Floats
    corrected: Floats
    journey: Ints
    late: Bools
    held: Bools
    way: Ints
    end_us: Ints
    last_us: Ints
    end_weight: Floats
    wait_us: Ints | None


def learned(journeys: Journeys, words: Vocabulary) -> Learned:
    """Return the visits of journeys as a model is made of."""
    nodes, k = visits_of(journeys, words.by), len(words.names)
    over = journeys.outcome != IN_PROGRESS
    way_of_journey = np.where(
        journeys.outcome == CONVERTED, CONVERTED, np.where(journeys.absorbed, EXITED, SILENT)
    )
    number = renumbered(nodes.names, words.names)
    node = number[nodes.code] if len(nodes) else nodes.node
    symbol = np.full(len(node), -1, dtype=np.int64)
    symbol[:-1] = node[1:]
    last = nodes.last
    of = nodes.journey[last]
    symbol[last] = np.where(over[of], k + way_of_journey[of], -1)
    weight = weight_of(journeys)
    wait = nodes.wait_us
    if wait is None:
        corrected = weight * (symbol >= 0)
        late_journey = _third(journeys)
        nothing = np.zeros(len(node), dtype=np.int64)
        end_us = last_us = nothing
        end_weight = weight * over[nodes.journey]
    else:
        time = journeys.columns.time
        assert time is not None  # noqa: S101 - the caller has looked
        corrected = weight * efron(nodes.node, wait, nodes.state, len(nodes.names))
        first, end = time[journeys.offsets[:-1]], time[journeys.offsets[1:] - 1]
        late_journey = first > np.quantile(first, _LATER) if len(first) else over
        if not 0.1 < late_journey.mean() < 0.9:  # as where all began at once
            late_journey = _third(journeys)
        at = time[is_visit(journeys)]
        last_us = end[nodes.journey] - at
        limit = journeys.rules.inactivity
        silent = (way_of_journey == SILENT) & over
        end_us = last_us + (silent[nodes.journey] * (0 if limit is None else duration_us(limit)))
        known = over[nodes.journey]
        until = journeys.log.observed_until_us or 0
        followed = np.where(known, end_us, np.maximum(until - at, 0))
        state = np.where(known, MOVED, OPEN).astype(np.int8)
        mass = move_mass(nodes.node, followed, state, len(nodes.names))
        end_weight = weight * mass * np.bincount(nodes.node)[nodes.node]
        wait = np.where((symbol == k + SILENT) & known, NEVER, wait)
    return Learned(
        symbol=symbol,
        weight=weight,
        corrected=corrected,
        journey=nodes.journey,
        late=late_journey[nodes.journey],
        held=(late_journey if over.all() else _third(journeys))[nodes.journey],
        way=way_of_journey[nodes.journey],
        end_us=end_us,
        last_us=last_us,
        end_weight=end_weight,
        wait_us=wait,
    )


def _third(journeys: Journeys) -> Bools:
    """Return the journeys of a third of the customers; none of aggregated paths."""
    bucket = units_of(journeys).of
    none = np.zeros(len(journeys.outcome), dtype=np.int64)
    return np.asarray((none if bucket is None else bucket) % 3 == 2)


def efron(node: Ints, wait: Ints, state: NDArray[np.int8], k: int) -> Floats:
    """Return how often each visit counts at its node, those that are open handed on; sums stay."""
    found = Censoring.of(node, wait, state, k)
    if found is None:
        return np.ones(len(node))
    share = found.masses()[found.cell] * (state != OPEN)
    total = summed(node, share, k)
    scale = np.bincount(node, minlength=k) / np.where(total > 0, total, 1.0)
    counted: Floats = share * scale[node]
    return counted


@attrs.frozen(kw_only=True, eq=False)
class Fitted:
    """A model, and of each visit what else is made of it: y, contexts, and the first two thirds."""

    model: Model
    seen: Learned
    y: Floats
    cells: list[Ints]
    foretold: Floats


def fitted(journeys: Journeys, words: Vocabulary) -> Fitted:
    """Return what is learned from journeys."""
    seen, k = learned(journeys, words), len(words.names)
    node, units = visits_of(journeys, words.by).node, units_of(journeys)
    prefixes = prefixes_at(journeys, words)
    tree, cells = ContextTree.grown(prefixes.features(words, outcome=False), seen.corrected)
    next_touch = NextTouch.fitted(
        cells, seen.symbol, seen.corrected, seen.late, _possible(seen.symbol, k)
    )
    deep, outcome_cells = ContextTree.grown(prefixes.features(words, outcome=True), seen.weight)
    steps = next_touch.of_nodes(tree)
    chain = hitting(steps[:, :k], steps[:, k + CONVERTED])
    root = next_touch.root
    first = visits_of(journeys, words.by).first
    begins = summed(node[first], seen.weight[first], k)
    waits = ends = None
    if seen.wait_us is not None:
        touch = (seen.corrected > 0) & (seen.symbol != k + SILENT) & (seen.wait_us < NEVER)
        waits = Waits.fitted(
            *(one[touch] for one in (node, seen.symbol, seen.wait_us, seen.corrected)),
            sizes=(k, k + 3),
        )
        ends = Ends.fitted(
            node=node,
            wait_us=seen.wait_us,
            way=seen.way,
            end_us=seen.end_us,
            last_us=seen.last_us,
            weight=seen.end_weight,
            late=seen.held,
            n_nodes=k,
        )
    prior = np.append(chain, _anywhere(root, chain, k))
    model = Model(
        next_tree=tree,
        next_touch=next_touch,
        next_support=_support_of_modes(tree, cells, next_touch, seen, units),
        outcome_tree=deep,
        outcome=Shares(prior=prior, share=(), strength=()),
        outcome_support=_NONE,
        waits=waits,
        ends=ends,
        begins=begins / begins.sum(),
        leads=np.concatenate([chain, [1.0, 0.0, 0.0]])[None],
    )  # fmt: skip
    y = (seen.way == CONVERTED).astype(np.float64)
    running = journeys.outcome == IN_PROGRESS
    censored = running[seen.journey]
    for _ in range(_ROUNDS if censored.any() else 1):
        earlier = y
        if censored.any():
            expected = _expected(model, journeys, words, prefixes)[seen.journey]
            y = np.where(censored, expected, y)
        shares, strengths, foretold = fitted_shares(
            deep,
            outcome_cells,
            y=y,
            weight=seen.weight,
            asked=seen.end_weight,
            prior=prior,
            held=seen.held,
        )
        found = Shares(prior=prior, share=shares, strength=strengths)
        model = attrs.evolve(model, outcome=found)
        model = attrs.evolve(model, leads=_leads(model, words))
        if abs(float((y - earlier).mean())) < _SETTLED and model.outcome.share:
            break
    support = supported(
        deep,
        outcome_cells,
        [y] * len(outcome_cells),
        strengths,
        weight=seen.weight,
        journey=seen.journey,
        units=units,
    )
    model = attrs.evolve(model, outcome_support=support)
    return Fitted(model=model, seen=seen, y=y, cells=outcome_cells, foretold=foretold)


def _support_of_modes(
    tree: ContextTree, cells: list[Ints], next_touch: NextTouch, seen: Learned, units: Units
) -> Support:
    """Return what the share of what mostly comes next rests on, context by context."""
    n_symbols = len(next_touch.root)
    hits = []
    for level, cell in enumerate(cells):
        pairs, counts = next_touch.pairs[level], next_touch.counts[level]
        order = np.lexsort((counts, pairs // n_symbols))
        mode = np.full(len(tree.keys[level]) + 1, -1)
        mode[pairs[order] // n_symbols] = pairs[order] % n_symbols  # the largest is written last
        hits.append((mode[cell] == seen.symbol).astype(np.float64))
    return supported(
        tree,
        cells,
        hits,
        next_touch.strength,
        weight=seen.corrected,
        journey=seen.journey,
        units=units,
    )


def _possible(symbol: Ints, k: int) -> Bools:
    """Return which symbols may come: all nodes, and the ends that came."""
    possible = np.ones(k + 3, dtype=np.bool_)
    possible[k:] = np.bincount(symbol[symbol >= k] - k, minlength=3) > 0
    return possible


def _anywhere(root: Floats, chain: Floats, k: int) -> float:
    return float(root[:k] @ chain + root[k + CONVERTED])


def _leads(model: Model, words: Vocabulary) -> Floats:
    """Return the probability of conversion after each symbol, by the node before it."""
    k = len(words.names)
    before = np.arange(k + 1) if k <= _MOST_PAIRS and not words.attributes else np.full(1, -1)
    node, earlier = np.tile(np.arange(k), len(before)), np.repeat(before, k)
    unknown = np.full(len(node), -1, dtype=np.int64)
    asked = Prefixes(
        recent=(node, earlier, *(unknown for _ in range(words.order - 2)))[: words.order],
        position=np.zeros(len(node), dtype=np.int64),
        silence_us=np.zeros(len(node), dtype=np.int64),
        attributes=dict.fromkeys(words.attributes, unknown),
    )
    found = model.share(asked, words).reshape(len(before), k)
    return np.column_stack([found, np.ones(len(before)), np.zeros((len(before), 2))])


def _expected(model: Model, journeys: Journeys, words: Vocabulary, prefixes: Prefixes) -> Floats:
    """Return the probability of conversion of each journey in progress, at the end of the log."""
    chosen = np.flatnonzero((journeys.outcome == IN_PROGRESS) & (journeys.lengths > 0))
    asked = prefixes.take(np.cumsum(journeys.lengths)[chosen] - 1)
    time, until = journeys.columns.time, journeys.log.observed_until_us
    if time is not None and until is not None:
        silence = np.maximum(until - time[journeys.offsets[1:] - 1][chosen], 0)
        asked = attrs.evolve(asked, silence_us=silence)
    found = np.zeros(len(journeys.outcome))
    found[chosen] = model.share(asked, words)
    return found
