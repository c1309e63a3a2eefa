"""Mutual information of one channel and the next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    MOST_DRAWS,
    check_count,
    check_level,
    check_number,
    check_rng,
)
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import BySegment, SegmentBy, by_segment, check_journeys, units_of
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._bits import (
    bias_of,
    bits_estimate,
    entropy_of,
    information_of,
    seen,
    summed,
)
from cxjourney.omnichannel._channel_transitions import (
    SLOW_MISSING,
    ChannelBy,
    ChannelTransitions,
    Interactions,
    interactions_of,
    order_notes,
    outcome_rows,
    progress_note,
    transitions_between,
)

if TYPE_CHECKING:
    from cxjourney._support.array_types import Bools, Floats
    from cxjourney.journeys import Journeys

_DENSE = 1 << 16  # cells that are counted in place rather than sorted
_FEWEST_A_PAIR = 5  # transitions for each pair seen, below which entropies are mostly bias


@attrs.frozen(kw_only=True, repr=False)
class MutualInformation(Result):
    """How much a channel says about the next one.

    Attributes
    ----------
    by
        What transitions are between.
    information
        Mutual information of consecutive channels [bits], corrected for bias.
    raw
        The plug-in value [bits].
    shuffled
        Mean plug-in value when the interactions of each journey but the last are put in random
        order [bits]: what journeys that keep to their channels bring about without any order.
    p
        Probability that a random order within journeys reaches `raw`, in (0, 1]; 1 where no
        journey has two channels before its last interaction.
    n_permutations
        Number of random orders.
    normalised
        `raw` over the geometric mean of both entropies, in [0, 1].
    theil_u
        `raw` over the entropy of the next channel: the share of it that the present one removes.
    level
        Confidence level of the interval.
    notes
        What a reader must know.
    """

    title = "Mutual information of consecutive interactions"

    by: ChannelBy
    information: Estimate
    raw: float
    shuffled: float
    p: float
    n_permutations: int
    normalised: float
    theil_u: float
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        return Table(
            {
                "measure": [
                    "mutual information [bits]",
                    "plug-in [bits]",
                    "plug-in, order shuffled [bits]",
                    "p of the order",
                    "normalised",
                    "Theil's U",
                ],
                "value": [
                    self.information.value,
                    self.raw,
                    self.shuffled,
                    self.p,
                    self.normalised,
                    self.theil_u,
                ],
                "low": [self.information.low, *([math.nan] * 5)],
                "high": [self.information.high, *([math.nan] * 5)],
            }
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            (
                f"There are {self.information.n:,} transitions and {self.n_permutations:,} "
                "random orders."
            ),
            (
                f"The {100 * self.level:g}% interval is clustered by customer; near 0 look at "
                "p instead."
            ),
            *self.notes,
        )


@overload
def mutual_information(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    n_permutations: int = 999,
    rng: np.random.Generator | int | None = 0,
    segment: None = None,
    level: float = 0.95,
) -> MutualInformation: ...


@overload
def mutual_information(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    n_permutations: int = 999,
    rng: np.random.Generator | int | None = 0,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[MutualInformation]: ...


def mutual_information(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    n_permutations: int = 999,
    rng: np.random.Generator | int | None = 0,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> MutualInformation | BySegment[MutualInformation]:
    """Return how much the present channel says about the next, and whether order matters at all.

    Parameters
    ----------
    journeys
        The journeys; aggregated paths count with their weights.
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    closing
        Whether the goal or exit that ends a journey counts as an interaction in its channel.
    n_permutations
        Number of random orders of the interactions within journeys.
    rng
        A generator or seed of the permutations; None draws anew each time.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    MutualInformation
        The information is NaN with fewer than five transitions for each pair seen. All is NaN where
        no journey has two channels: that each case keeps its channel says much about the next
        interaction and nothing about transitions.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    I = Σ p(a,b) log₂(p(a,b) / p(a) p(b)), each of its three entropies corrected as Miller and Madow
    do: with all R × C pairs seen that takes away (R - 1)(C - 1) / (2 n ln 2). Comparing I with a χ²
    distribution takes transitions as independent and finds order where there is none; shuffling the
    interactions of each journey keeps what customers bring along and destroys the order alone. The
    last interaction stays in its place, and so does the goal or exit that ends a journey: where a
    journey ends is an outcome, and may well depend on the channel without any memory.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> paths = [["web", "web"], ["web", "app"], ["app", "web"], ["app", "app"]]
    >>> journeys = Journeys.from_paths(paths, converted=[30, 10, 5, 55], channels=True)
    >>> found = mutual_information(journeys, rng=1)
    >>> round(found.raw, 5), round(found.information.value, 5)
    (0.36127, 0.35405)
    """
    check_journeys(journeys)
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: mutual_information(
                part, by=by, closing=closing, n_permutations=n_permutations, rng=rng, level=level
            ),
        )
    check_level(level)
    if check_number(n_permutations, "n_permutations") < 1:
        raise InvalidValue.of("n_permutations", "be at least 1", n_permutations)
    check_count(n_permutations, "n_permutations", most=MOST_DRAWS)
    generator = check_rng(rng)
    interactions = interactions_of(journeys, by, closing=closing)
    transitions = transitions_between(journeys, interactions)
    notes = (
        *order_notes(journeys, by, closing=closing),
        *progress_note(journeys, SLOW_MISSING),
    )
    noun = "kind of channel" if by == "kind" else by
    if not transitions.switched.any():
        return MutualInformation(
            by=by,
            information=Estimate(
                value=math.nan, level=level, n=transitions.total, unit="bits", notes=("no switch",)
            ),
            raw=math.nan,
            shuffled=math.nan,
            p=math.nan,
            n_permutations=0,
            normalised=math.nan,
            theil_u=math.nan,
            level=level,
            notes=notes,
        )
    k = len(interactions.names)
    pair = transitions.source * k + transitions.target
    joint = _Joint.of(pair, transitions.weight, k)
    free = _movable(journeys, interactions)
    by_chance = np.full(n_permutations, joint.information)
    if free.any():
        by_chance = _shuffled(
            interactions, transitions, free, rng=generator, n_permutations=n_permutations
        )
    else:
        unordered = (
            f"In no journey does the {noun} change before the last interaction, so that nothing "
            "can be said of the order: p is 1."
        )
        notes = (*notes, unordered)
    reached = int(np.count_nonzero(by_chance >= joint.information - 1e-12))
    before, after = joint.pair // k, joint.pair % k

    def shared(counts: Floats) -> Floats:
        rows, columns = summed(counts, before, k), summed(counts, after, k)
        free = seen(rows) + seen(columns) - seen(counts) - 1
        bits = information_of(counts, rows[..., before], columns[..., after])
        return bits + bias_of(free, counts)

    place = np.searchsorted(joint.pair, pair)
    information = bits_estimate(
        shared,
        units_of(journeys).sums(place, len(joint.pair), item=transitions.journey),
        bound=math.inf,
        level=level,
        name="mutual information",
        definition=f"of the {noun} of an interaction and of the next",
    )
    if transitions.total < _FEWEST_A_PAIR * len(joint.pair):
        few = (
            f"{transitions.total:,} transitions are too few for {len(joint.pair):,} kinds of them: "
            "the information cannot be told from its bias. p still holds."
        )
        notes = (*notes, few)
        information = attrs.evolve(information, value=math.nan, low=math.nan, high=math.nan)
    return MutualInformation(
        by=by,
        information=information,
        raw=joint.information,
        shuffled=float(by_chance.mean()),
        p=(1 + reached) / (1 + n_permutations),
        n_permutations=n_permutations,
        normalised=joint.information / math.sqrt(joint.before * joint.after)
        if joint.before * joint.after > 0
        else math.nan,
        theil_u=joint.information / joint.after if joint.after > 0 else math.nan,
        level=level,
        notes=notes,
    )


@attrs.frozen(kw_only=True)
class _Joint:
    """Transitions by pair: the pairs seen, ascending, their counts, and the entropies in bits."""

    pair: NDArray[np.int64]
    counts: NDArray[np.float64]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    @classmethod
    def of(cls, pair: NDArray[np.int64], weight: NDArray[Any] | None, k: int) -> _Joint:
        if k * k <= max(_DENSE, 2 * len(pair)):
            square = np.bincount(pair, weight, minlength=k * k).astype(np.float64)
            seen = np.flatnonzero(square)
            counts = square[seen]
        else:
            seen, place = np.unique(pair, return_inverse=True)
            counts = np.bincount(place, weight).astype(np.float64)
        return cls(
            pair=seen,
            counts=counts,
            rows=np.bincount(seen // k, counts, minlength=k).astype(np.float64),
            columns=np.bincount(seen % k, counts, minlength=k).astype(np.float64),
        )

    @property
    def before(self) -> float:
        return float(entropy_of(self.rows))

    @property
    def after(self) -> float:
        return float(entropy_of(self.columns))

    @property
    def information(self) -> float:
        return max(0.0, self.before + self.after - float(entropy_of(self.counts)))


def _movable(journeys: Journeys, interactions: Interactions) -> Bools:
    """Return which interactions can be put in another order: not the last of a journey or a goal.

    In journeys that have one channel but for the last interaction nothing can be.
    """
    outcome = np.append(outcome_rows(journeys), False)
    row = interactions.row
    before = row < journeys.offsets[1:][interactions.journey] - 1
    before &= ~(outcome[row] | outcome[row + 1])
    n = len(journeys.outcome)
    lowest, highest = np.full(n, len(interactions.names)), np.full(n, -1)
    np.minimum.at(lowest, interactions.journey[before], interactions.node[before])
    np.maximum.at(highest, interactions.journey[before], interactions.node[before])
    several: Bools = before & (lowest < highest)[interactions.journey]
    return several


def _shuffled(
    interactions: Interactions,
    transitions: ChannelTransitions,
    free: Bools,
    *,
    rng: np.random.Generator,
    n_permutations: int,
) -> NDArray[np.float64]:
    """Return the plug-in information of random orders of what is free within journeys.

    The transitions of journeys where nothing is free stay as they are. A path of weight w is w
    journeys, each in an order of its own.
    """
    k = len(interactions.names)
    mixed = np.zeros(int(interactions.journey[-1]) + 1, dtype=np.bool_)
    mixed[interactions.journey[free]] = True
    some = mixed[interactions.journey]
    moved = mixed[transitions.journey]
    stay = ~moved
    weight = None if transitions.weight is None else transitions.weight[stay]
    fixed = _Joint.of(transitions.source[stay] * k + transitions.target[stay], weight, k)

    place = np.cumsum(some) - 1
    begin = place[transitions.begin[moved]]
    node, journey, free = interactions.node[some], interactions.journey[some], free[some]
    if interactions.weight is not None:
        copies = interactions.weight[some]
        first = np.flatnonzero(np.append(True, journey[1:] != journey[:-1]))
        length = np.diff(np.append(first, len(node)))
        start = np.repeat(first, copies[first])
        size = np.repeat(length, copies[first])
        offset = np.cumsum(size) - size
        rows = np.repeat(start - offset, size) + np.arange(size.sum())
        # a path keeps all its transitions: each interaction but the last of a copy begins one
        last = np.zeros(len(rows), dtype=np.bool_)
        last[offset + size - 1] = True
        begin = np.flatnonzero(~last)
        node, journey, free = node[rows], np.repeat(np.arange(len(size)), size), free[rows]
    counts = np.concatenate([fixed.counts, np.ones(len(begin))])
    found = np.empty(n_permutations)
    movable = node[free]
    _, block = np.unique(journey[free], return_inverse=True)
    mixed_up = node.copy()
    for i in range(n_permutations):
        mixed_up[free] = movable[np.argsort(block + rng.random(len(block)))]
        pair = mixed_up[begin] * k + mixed_up[begin + 1]
        found[i] = _Joint.of(np.concatenate([fixed.pair, pair]), counts, k).information
    return found
