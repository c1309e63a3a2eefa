"""Truths that are planted in the sample, computed exactly from the declared model.

Given a customer's frailty and segment, an episode is a Markov chain on the touchpoints, split by
whether the customer came by the planted hand-off. Its expected visits solve a linear system; the
beta-distributed frailty is integrated by Gauss-Jacobi quadrature and the drift of the entries by
its mean, since visits are linear in the entries. A rate *per visit* is the ratio of expected exits
to expected visits.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

import attrs
import numpy as np

from cxjourney._support.array_types import Floats
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.words import how_long
from cxjourney.datasets import _retailer as retailer
from cxjourney.datasets._chain import CHANNELS, GOAL, PLACES, STAGES, Chain

_NODES = 24


@attrs.frozen(kw_only=True)
class HandoffTruth:
    """The planted channel hand-off: its pair of channels and `share` of all arrivals from a visit.

    `loss` is the exit probability after arriving by it minus that of arriving from the same
    channel, per destination, weighted by the arrivals by the hand-off.
    """

    from_channel: str
    to_channel: str
    share: float
    loss: float


@attrs.frozen(kw_only=True)
class CriticalTruth:
    """A touchpoint whose exit probability per visit exceeds that of the others of its stage."""

    touchpoint: str
    stage: str
    exit_probability: float
    peers: float
    excess: float


@attrs.frozen(kw_only=True)
class SegmentTruth:
    """A segment whose exit probability per visit at one touchpoint has a `difference` from others'.

    `share` is that of the customers.
    """

    attribute: str
    value: str
    share: float
    touchpoint: str
    difference: float


def _frozen(values: Mapping[str, float]) -> Mapping[str, float]:
    return FrozenMapping(values)


@attrs.frozen(kw_only=True, repr=False)
class Truths(Result):
    """What is planted in the sample.

    Attributes
    ----------
    goal
        The touchpoint that converts.
    inactivity
        The silence that says that a customer has left.
    exits
        Exit probability per visit of every touchpoint but the goal: the chance of no touch within
        `inactivity`.
    handoff
        The planted hand-off; None if it is switched off.
    critical
        The planted critical touchpoints; empty if they are switched off.
    segment
        The planted difference of a segment; None if it is switched off.
    """

    title: ClassVar[str] = "Planted truths"

    goal: str
    inactivity: timedelta
    exits: Mapping[str, float] = attrs.field(converter=_frozen)
    handoff: HandoffTruth | None
    critical: tuple[CriticalTruth, ...]
    segment: SegmentTruth | None

    def _table(self) -> Table:
        rows = [("critical touchpoint", c.touchpoint, c.excess) for c in self.critical]
        if self.handoff is not None:
            pair = f"{self.handoff.from_channel} to {self.handoff.to_channel}"
            rows.append(("hand-off loss", pair, self.handoff.loss))
            rows.append(("hand-off share of arrivals", pair, self.handoff.share))
        if self.segment is not None:
            where = f"{self.segment.value} at {self.segment.touchpoint}"
            rows.append(("segment difference", where, self.segment.difference))
        truth, places, size = zip(*rows, strict=True) if rows else ((), (), ())
        return Table({"truth": truth, "where": places, "size": size}, formats={"size": "percent"})

    def _notes(self) -> tuple[str, ...]:
        return (
            f"goal {self.goal!r}, inactivity {how_long(self.inactivity)}",
            "per visit, computed from the declared model",
        )


def compute_truths(chain: Chain, *, handoff: bool, critical: bool, segment: bool) -> Truths:
    """Return the sizes per visit of what is planted in a chain."""
    flows = _flows(chain)
    exits = flows.exits.sum(axis=(0, 1)) / flows.arrivals.sum(axis=(0, 1))
    return Truths(
        goal=retailer.GOAL,
        inactivity=retailer.INACTIVITY,
        exits={name: float(exits[k]) for k, name in enumerate(PLACES) if k != GOAL},
        handoff=_handoff(chain, flows) if handoff else None,
        critical=tuple(_critical(chain, flows, name) for name in retailer.CRITICAL)
        if critical
        else (),
        segment=_segment(flows) if segment else None,
    )


@attrs.frozen(kw_only=True, eq=False)
class _Flows:
    """Expected arrivals per episode and exits that follow: segment × from × to.

    The first axis is 0 for the other customers and 1 for the planted segment, weighted by their
    shares; the second has a last row for the beginning of an episode.
    """

    arrivals: Floats
    exits: Floats


def _flows(chain: Chain) -> _Flows:
    from scipy.special import roots_jacobi

    size = len(PLACES)
    # Beta(a, a) on [0, 1] has the Jacobi weight (1 - x)^(a-1) (1 + x)^(a-1) on [-1, 1].
    nodes, weights = roots_jacobi(_NODES, retailer.FRAILTY - 1, retailer.FRAILTY - 1)
    frailty = 1 + nodes
    weights = weights / weights.sum()
    entry = (1 - retailer.MEAN_YEAR) * chain.entries[0] + retailer.MEAN_YEAR * chain.entries[1]

    share = retailer.SEGMENTS[retailer.SEGMENT_VALUE]
    arrivals, exits = np.zeros((2, 2, size + 1, size))
    for member, part in ((0, 1 - share), (1, share)):
        base = chain.exits.copy()
        base[PLACES.index(retailer.SEGMENT_PLACE)] += member * chain.segment_excess
        for factor, weight in zip(frailty, weights, strict=True):
            plain = base * factor
            after = (base + chain.handoff_excess) * factor
            plain[GOAL] = after[GOAL] = chain.exits[GOAL]
            visits = _visits(chain, entry, plain, after)
            onward = (visits[0] * (1 - plain) + visits[1] * (1 - after))[:, None] * chain.moves
            arriving = np.vstack([onward, entry])
            chance = np.vstack([np.where(chain.handoff, after, plain), plain])
            arrivals[member] += part * weight * arriving
            exits[member] += part * weight * arriving * chance
    return _Flows(arrivals=arrivals, exits=exits)


def _visits(chain: Chain, entry: Floats, plain: Floats, after: Floats) -> Floats:
    """Return expected visits per episode: row 1 of those who came by the hand-off, row 0 others."""
    size = len(entry)
    step = np.zeros((2 * size, 2 * size))
    for k, chance in enumerate((plain, after)):
        onward = (1 - chance)[:, None] * chain.moves
        step[k * size : (k + 1) * size, :size] = np.where(chain.handoff, 0, onward)
        step[k * size : (k + 1) * size, size:] = np.where(chain.handoff, onward, 0)
    start = np.concatenate([entry, np.zeros(size)])
    visits: Floats = np.linalg.solve(np.eye(2 * size) - step.T, start).reshape(2, size)
    return visits


def _handoff(chain: Chain, flows: _Flows) -> HandoffTruth:
    source, target = retailer.HANDOFF
    arrivals, exits = flows.arrivals.sum(axis=0), flows.exits.sum(axis=0)
    within = CHANNELS.index(target)
    stays = (chain.channel[:, None] == within) & (chain.channel[None, :] == within)
    moved, after = (np.where(chain.handoff, x[:-1], 0).sum(axis=0) for x in (arrivals, exits))
    same, plain = (np.where(stays, x[:-1], 0).sum(axis=0) for x in (arrivals, exits))
    at = moved > 0
    loss = after[at] / moved[at] - plain[at] / same[at]
    return HandoffTruth(
        from_channel=source,
        to_channel=target,
        share=float(moved.sum() / arrivals[:GOAL, :].sum()),
        loss=float(np.average(loss, weights=moved[at])),
    )


def _critical(chain: Chain, flows: _Flows, name: str) -> CriticalTruth:
    visits, exits = flows.arrivals.sum(axis=(0, 1)), flows.exits.sum(axis=(0, 1))
    at = PLACES.index(name)
    peers = chain.stage == chain.stage[at]
    peers[[at, GOAL]] = False
    rate, others = exits[at] / visits[at], exits[peers].sum() / visits[peers].sum()
    return CriticalTruth(
        touchpoint=name,
        stage=STAGES[chain.stage[at]],
        exit_probability=float(rate),
        peers=float(others),
        excess=float(rate - others),
    )


def _segment(flows: _Flows) -> SegmentTruth:
    at = PLACES.index(retailer.SEGMENT_PLACE)
    others, members = flows.exits[:, :, at].sum(axis=1) / flows.arrivals[:, :, at].sum(axis=1)
    return SegmentTruth(
        attribute="segment",
        value=retailer.SEGMENT_VALUE,
        share=retailer.SEGMENTS[retailer.SEGMENT_VALUE],
        touchpoint=retailer.SEGMENT_PLACE,
        difference=float(members - others),
    )
