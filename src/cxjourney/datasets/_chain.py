"""The declared model as arrays, for the simulation and the truths."""

from __future__ import annotations

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.datasets import _retailer as retailer

PLACES: tuple[str, ...] = (*retailer.PLACES, retailer.GOAL)
"""Names of the touchpoints by code; the goal is the last."""

GOAL = len(retailer.PLACES)
"""Code of the goal."""

CHANNELS: tuple[str, ...] = tuple(dict.fromkeys(p.channel for p in retailer.PLACES.values()))
"""Names of the channels by code."""

STAGES: tuple[str, ...] = tuple(dict.fromkeys(p.stage for p in retailer.PLACES.values()))
"""Names of the stages by code, in order."""

NOWHERE = -1
"""Channel code of where an episode comes from, and of what an order leaves behind."""


@attrs.frozen(kw_only=True, eq=False)
class Chain:
    """Entry, exit and transition chances by touchpoint code.

    `exits` are those of the customer of frailty 1 per visit; at the goal the chance that the order
    ends the episode, whatever the frailty. `moves`, of those who stay, has rows that sum to 1.
    `entries` are at the start (row 0) and the end (row 1) of the year. `handoff` marks the planted
    moves, from row to column; the excesses add to the exit chance, 0 where the truth is switched
    off. The goal takes place in the channel that led to it.
    """

    exits: Floats
    moves: Floats
    entries: Floats
    handoff: Bools
    handoff_excess: float
    segment_excess: float
    channel: Ints
    stage: Ints


def build_chain(*, handoff: bool, critical: bool, segment: bool, even: bool = False) -> Chain:
    """Return the model as arrays, each planted truth switched on or off."""
    code = {name: k for k, name in enumerate(PLACES)}
    size = len(PLACES)
    exits = np.array([p.exit for p in retailer.PLACES.values()] + [retailer.GOAL_PAUSE])
    stage = np.array(
        [STAGES.index(p.stage) for p in retailer.PLACES.values()] + [STAGES.index("purchase")]
    )
    if even:
        for mine in (np.flatnonzero(stage[:GOAL] == one) for one in range(len(STAGES))):
            exits[mine] = exits[mine].mean()
    if critical:
        for name, excess in retailer.CRITICAL.items():
            exits[code[name]] += excess
    moves = np.zeros((size, size))
    for name, weights in [
        *((name, place.moves) for name, place in retailer.PLACES.items()),
        (retailer.GOAL, retailer.GOAL_MOVES),
    ]:
        for target, weight in weights.items():
            moves[code[name], code[target]] = weight
    entries = np.zeros((2, size))
    for name, ends in retailer.ENTRIES.items():
        entries[:, code[name]] = ends
    if even:
        entries[:] = entries.sum(axis=0)
    channel = np.array([CHANNELS.index(p.channel) for p in retailer.PLACES.values()] + [NOWHERE])
    source, target_channel = (CHANNELS.index(name) for name in retailer.HANDOFF)
    return Chain(
        exits=exits,
        moves=moves / moves.sum(axis=1, keepdims=True),
        entries=entries / entries.sum(axis=1, keepdims=True),
        handoff=(channel[:, None] == source) & (channel[None, :] == target_channel),
        handoff_excess=retailer.HANDOFF_EXCESS if handoff else 0.0,
        segment_excess=retailer.SEGMENT_EXCESS if segment else 0.0,
        channel=channel,
        stage=stage,
    )
