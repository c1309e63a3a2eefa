"""Simulation of customers and their interactions: all customers take a step at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.datasets import _retailer as retailer
from cxjourney.datasets._chain import CHANNELS, GOAL, NOWHERE, PLACES, Chain

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FROM_S = round((retailer.OBSERVED_FROM - _EPOCH).total_seconds())
_UNTIL_S = round((retailer.OBSERVED_UNTIL - _EPOCH).total_seconds())
_CONFIRMATION = PLACES.index("order confirmation")
_SEGMENT_PLACE = PLACES.index(retailer.SEGMENT_PLACE)
_STORE = CHANNELS.index("store")
_SUPPORT = np.array([place.support for place in retailer.PLACES.values()] + [False])
_NEW_ISSUE = 0.2  # chance that a further support contact of an episode is about something else


@attrs.frozen(kw_only=True, eq=False)
class People:
    """Customers, by code of segment and region.

    `frailty` is the factor of all exit chances of the customer, with mean 1; `mood` adds to every
    satisfaction [points]; `member` has a loyalty card; `first_s` is the first contact [epoch s].
    """

    segment: Ints
    region: Ints
    age: Ints
    member: Bools
    frailty: Floats
    mood: Floats
    first_s: Ints


@attrs.frozen(kw_only=True, eq=False)
class Contacts:
    """Contacts as columns, by customer and in order of time; ties in order of occurrence.

    `came_from` is the channel before in the journey (-1: none); `handoff` whether it came by the
    planted one; `left` whether the customer left for longer than the inactivity limit; `issue` the
    customer's issue (0: none); `year` the elapsed share of the observed time.
    """

    customer: Ints
    place: Ints
    channel: Ints
    time_s: Ints
    came_from: Ints
    handoff: Bools
    left: Bools
    issue: Ints

    @property
    def year(self) -> Floats:
        """Elapsed share of the observed time, in [0, 1)."""
        return (self.time_s - _FROM_S) / (_UNTIL_S - _FROM_S)


def draw_people(customers: int, rng: np.random.Generator) -> People:
    """Draw customers; who they are has no influence on what they do, save what is planted."""

    def codes(shares: dict[str, float]) -> Ints:
        return rng.choice(len(shares), size=customers, p=list(shares.values()))

    # Most customers are there from early in the year on.
    first = _FROM_S + (_UNTIL_S - _FROM_S) * rng.random(customers) ** 1.5
    return People(
        segment=codes(dict(retailer.SEGMENTS)),
        region=codes(dict(retailer.REGIONS)),
        age=18 + np.floor(62 * rng.beta(2, 3, customers)).astype(np.int64),
        member=rng.random(customers) < 0.4,
        frailty=2 * rng.beta(retailer.FRAILTY, retailer.FRAILTY, customers),
        mood=rng.normal(0, 0.7, customers),
        first_s=np.floor(first).astype(np.int64),
    )


def walk(chain: Chain, people: People, rng: np.random.Generator) -> Contacts:
    """Let every customer take one step after another until the observation ends."""
    student = people.segment == list(retailer.SEGMENTS).index(retailer.SEGMENT_VALUE)
    cumulated = np.cumsum(chain.moves, axis=1)
    entries = np.cumsum(chain.entries, axis=1)

    size = len(people.frailty)
    who = np.arange(size)  # those who are still observed
    place = np.full(size, -1)  # where they are; -1 before an episode begins
    channel = np.full(size, NOWHERE)
    time = (
        people.first_s.copy()
    )  # of the last interaction, or of the next one where an episode begins
    next_episode = time.copy()
    issue = np.zeros(size, dtype=np.int64)
    steps: list[tuple[NDArray[np.generic], ...]] = []
    while True:
        begins = place[who] < 0
        at = _choose(place[who], time[who], cumulated, entries, rng)
        when = _arrive(place[who], at, time[who], chain.channel[at], rng)
        seen = when < _UNTIL_S
        who, at, when, begins = who[seen], at[seen], when[seen], begins[seen]
        if not len(who):
            break

        # The goal ends a journey: what follows it begins the next one, and comes from nowhere.
        came_from = np.where(begins | (place[who] == GOAL), NOWHERE, channel[who])
        in_channel = np.where(at == GOAL, channel[who], chain.channel[at])
        handoff = ~begins & chain.handoff[place[who], at]
        chance = chain.exits[at] + chain.handoff_excess * handoff
        chance += chain.segment_excess * (student[who] & (at == _SEGMENT_PLACE))
        chance = np.where(at == GOAL, chance, chance * people.frailty[who])
        left = rng.random(len(who)) < chance

        every, spread = retailer.EPISODE_EVERY_S
        start = when + every + rng.exponential(spread, len(who)).astype(np.int64)
        next_episode[who] = np.where(begins, start, next_episode[who])
        fresh = _SUPPORT[at] & ((issue[who] <= 0) | (rng.random(len(who)) < _NEW_ISSUE))
        # A closed issue keeps its number, negative, so that the next one gets a new number.
        issue[who] = np.where(fresh, np.abs(issue[who]) + 1, issue[who])
        about = np.where(_SUPPORT[at], issue[who], 0)
        issue[who] = np.where(left, -np.abs(issue[who]), issue[who])

        steps.append((who, at, in_channel, when, came_from, handoff, left, about))
        place[who] = np.where(left, -1, at)
        channel[who] = in_channel
        back = np.maximum(when + retailer.AWAY_AT_LEAST_S, next_episode[who])
        time[who] = np.where(left, back, when)

    columns = [np.concatenate(parts) for parts in zip(*steps, strict=True)]
    order = np.argsort(columns[0], kind="stable")  # steps are in order of time already
    names = [field.name for field in attrs.fields(Contacts)]
    return Contacts(**dict(zip(names, (column[order] for column in columns), strict=True)))


def _choose(
    place: Ints,
    time: Ints,
    cumulated: Floats,
    entries: Floats,
    rng: np.random.Generator,
) -> Ints:
    """Draw where each customer goes next."""
    draw = rng.random(len(place))[:, None]
    year = np.clip((time - _FROM_S) / (_UNTIL_S - _FROM_S), 0, 1)[:, None]
    begins = (place < 0)[:, None]
    rows = np.where(begins, (1 - year) * entries[0] + year * entries[1], cumulated[place])
    # The last sum may fall short of 1 by rounding: no draw may point behind the last place.
    chosen: Ints = np.minimum((rows <= draw).sum(axis=1), len(PLACES) - 1)
    return chosen


def _arrive(
    place: Ints,
    at: Ints,
    time: Ints,
    channel: Ints,
    rng: np.random.Generator,
) -> Ints:
    """Draw when each customer gets there."""
    size = len(at)
    quick = retailer.QUICK_GAP_S * np.exp(rng.normal(0, 1, size))
    slow = retailer.LONGEST_GAP_S * rng.beta(1, 3, size)
    gap = np.where(rng.random(size) < retailer.QUICK_SHARE, quick, slow)
    gap = np.minimum(gap, retailer.LONGEST_GAP_S)
    # The system confirms an order within the second: a tie.
    begins = place < 0
    gap[begins | ((place == GOAL) & (at == _CONFIRMATION))] = 0
    when = time + gap.astype(np.int64)
    # Tills write whole minutes, but not such that a visit lies before the touch in front of it.
    by_till = np.where(channel == _STORE, when // 60 * 60, when)
    return np.where(begins, when, np.maximum(by_till, time))
