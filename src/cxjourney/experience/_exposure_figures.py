"""Figures of exposures: who got one, what came of it, and what arms or landmarks say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, difference_of_shares
from cxjourney._stats.landmark import Seen, shares_of
from cxjourney._stats.significance import false_discovery
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.table import Table
from cxjourney.journeys import (
    DROPPED,
    Journeys,
    goal_rows,
    segments_of,
    units_of,
    until_goal_us,
    until_next_us,
)
from cxjourney.metrics import kaplan_meier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.journeys import Arms, SegmentBy

DAY_S = 86_400
ALL = "all"


@attrs.frozen(kw_only=True, eq=False)
class Timeline:
    """The rows of journeys, customer by customer in the order of time.

    Attributes
    ----------
    journeys
        The journeys.
    order
        Row of each place.
    customer, time_us, journey
        Customer, time and journey of each place.
    until_us
        The end of the observation.
    """

    journeys: Journeys
    order: Ints
    customer: Ints
    time_us: Ints
    journey: Ints
    until_us: int

    @classmethod
    def of(cls, journeys: Journeys) -> Timeline:
        """Return the timeline of journeys with times."""
        lengths = np.diff(journeys.offsets)
        journey = np.repeat(np.arange(len(lengths)), lengths)
        customer = journeys.customer[journey]
        time = np.asarray(journeys.columns.time)
        order = np.arange(len(time))
        if ((customer[1:] == customer[:-1]) & (time[1:] < time[:-1])).any():
            order = np.lexsort((order, time, customer))  # journeys of a case id may overlap
        until = journeys.log.observed_until_us
        return cls(
            journeys=journeys,
            order=order,
            customer=customer[order],
            time_us=time[order],
            journey=journey[order],
            until_us=int(time.max(initial=0) if until is None else until),
        )

    def places(self, rows: Bools) -> Ints:
        """Return the places of some rows, in order."""
        return np.flatnonzero(rows[self.order])

    def following(self, targets: Ints, at: Ints, *, itself: bool = False) -> Ints:
        """Return the next target of the same customer after each place; the number of rows if none.

        With `itself` a place that is a target is the next one.
        """
        n = len(self.order)
        found = np.append(targets, n)[
            np.searchsorted(targets, at, side="left" if itself else "right")
        ]
        same = self.customer[np.minimum(found, max(n - 1, 0))] == self.customer[at]
        return np.where(same & (found < n), found, n)

    def after_us(self, found: Ints, at: Ints) -> Floats:
        """Return how long after each place what was found came [µs]; infinity where nothing was."""
        n = len(self.order)
        when = self.time_us[np.minimum(found, max(n - 1, 0))]
        return np.where(found < n, (when - self.time_us[at]).astype(np.float64), np.inf)

    def first_of_customers(self, rows: Bools) -> Ints:
        """Return the first of some places of each customer that has one."""
        some = np.flatnonzero(rows)
        return some[np.unique(self.customer[some], return_index=True)[1]]

    def items(self, at: Ints, took_us: Floats) -> Items:
        """Return what was seen after some places."""
        return Items(
            journey=self.journey[at],
            took_us=took_us,
            # rows may lie after the end of the observation
            followed_us=np.maximum(self.until_us - self.time_us[at], 0).astype(np.float64),
        )


@attrs.frozen(kw_only=True, eq=False)
class Items:
    """What is followed: its journey, how long the event took, and how long it was followed [µs]."""

    journey: Ints
    took_us: Floats
    followed_us: Floats

    def shares(
        self, journeys: Journeys, cell: Ints, n_cells: int, window_us: float, of: Ints
    ) -> BucketFigures:
        """Return the Kaplan-Meier share with an event within a window, by cell of `of` of them."""
        return shares_of(
            Seen.of(
                self.took_us[of],
                self.followed_us[of],
                cell=cell,
                n_cells=n_cells,
                window=window_us,
                units=units_of(journeys),
                item=self.journey[of],
            )
        )

    def seen(self, window_us: float) -> Bools:
        """Return of which the event was seen within a window."""
        return np.asarray(self.took_us <= np.minimum(self.followed_us, window_us))

    def censored(self, window_us: float) -> Bools:
        """Return of which the window has not passed, and no event was seen."""
        return ~self.seen(window_us) & (self.followed_us < window_us)


@attrs.frozen(kw_only=True, eq=False)
class Divided:
    """Journeys as a whole and in segments; the whole is the first."""

    names: tuple[str, ...]
    code: Ints | None

    @classmethod
    def of(cls, journeys: Journeys, segment: SegmentBy | None) -> Divided:
        """Return the whole, and its segments where they are asked for."""
        if segment is None:
            return cls(names=(ALL,), code=None)
        found = segments_of(journeys, segment)
        return cls(names=(ALL, *found.values), code=found.code)

    def rows(self, journey: Ints) -> tuple[Ints, Ints]:
        """Return each item once for the whole and once for its segment, and where it counts."""
        item, cell = np.arange(len(journey)), np.zeros(len(journey), dtype=np.int64)
        if self.code is None:
            return item, cell
        return np.append(item, item), np.append(cell, 1 + self.code[journey])


def share_table(
    journeys: Journeys,
    items: Items,
    divided: Divided,
    window_us: float,
    *,
    names: tuple[str, str, str],
    level: float,
) -> dict[str, object]:
    """Return the columns of a share within a window; `names` are those of n, events and share."""
    k = len(divided.names)
    of, cell = divided.rows(items.journey)
    found = items.shares(journeys, cell, k, window_us, of)
    low, high = found.wilson(level)
    n, events, share = names
    return {
        "segment": divided.names,
        n: np.bincount(cell, minlength=k),
        events: np.bincount(cell[items.seen(window_us)[of]], minlength=k),
        "censored": np.bincount(cell[items.censored(window_us)[of]], minlength=k),
        share: found.whole,
        "low": low,
        "high": high,
    }


def delays(
    journeys: Journeys, items: Items, divided: Divided, level: float
) -> tuple[Floats, Floats, Floats]:
    """Return the median delay of each segment by Kaplan-Meier with its interval [days]."""
    of, cell = divided.rows(items.journey)
    seen = items.took_us <= items.followed_us
    lasted = np.where(seen, items.took_us, items.followed_us).astype(np.int64)
    found = np.full((3, len(divided.names)), np.nan)
    for c in range(len(divided.names)):
        some = of[cell == c]
        curve = kaplan_meier(
            lasted[some].astype("timedelta64[us]"),
            seen[some],
            customer=journeys.customer[items.journey[some]],
            level=level,
        )
        median = curve.median
        found[:, c] = median.value / DAY_S, median.low / DAY_S, median.high / DAY_S
    return found[0], found[1], found[2]


@attrs.frozen(kw_only=True, eq=False)
class Compared:
    """Groups of items that are compared with the first of them.

    Attributes
    ----------
    items
        The conversions of the items.
    exposed
        Their exposures; None where the groups are made of these.
    group, names
        Group of each item, and what groups are called.
    """

    items: Items
    exposed: Items | None
    group: Ints
    names: tuple[str, ...]


def by_arm(
    timeline: Timeline, arms: Arms, exposure: Bools, *, orders: bool
) -> tuple[Compared, int]:
    """Return customers by the arm that they were assigned to, and how many were exposed before.

    They count from their first order, or from the first interaction that is no exposure: of those
    who only get exposures there are none in a control arm.
    """
    journeys = timeline.journeys
    group = arms.group[timeline.journey]
    goals = timeline.places(goal_rows(journeys))
    there = (group >= 0) & ~exposure[timeline.order]
    if orders:
        ordered = np.zeros(len(there), dtype=np.bool_)
        ordered[goals] = True
        there = (group >= 0) & ordered
    at = timeline.first_of_customers(there)
    shown = (group >= 0) & exposure[timeline.order]
    converted = timeline.following(goals, at, itself=not orders)
    exposed_us = timeline.after_us(timeline.following(np.flatnonzero(shown), at), at)
    before = 0
    if not orders:
        first, whose = timeline.first_of_customers(shown), timeline.customer
        start = np.full(journeys.log.n_customers, len(whose))
        start[whose[at]] = at
        early = first[first < start[whose[first]]]
        before = len(early)
        exposed_us[np.isin(whose[at], whose[early])] = 0.0
    return Compared(
        items=timeline.items(at, timeline.after_us(converted, at)),
        exposed=timeline.items(at, exposed_us),
        group=group[at],
        names=arms.names,
    ), before


def by_landmark(
    timeline: Timeline, exposure: Bools, landmark_us: int
) -> tuple[Compared, dict[str, int]]:
    """Return journeys that are in progress at the landmark, and how many are not compared and why.

    Whether a journey was exposed, and whether it is in progress, is told from what happened up to
    the landmark alone; who is exposed later stays where the landmark found them. Exposures neither
    begin a journey nor end a silence here: else they would keep those in progress who are gone.
    """
    journeys = timeline.journeys
    time = np.asarray(journeys.columns.time)
    first, last = journeys.offsets[:-1], journeys.offsets[1:] - 1
    every = np.arange(len(first))
    own = np.flatnonzero(~exposure)
    begin = np.append(own, len(time))[np.searchsorted(own, first)]
    came = begin <= last
    start = time[np.where(came, begin, first)]
    mark = start + landmark_us
    of_row = np.repeat(every, np.diff(journeys.offsets))
    ever = np.where(exposure, np.iinfo(np.int64).min, time)
    so_far = np.where(time <= mark[of_row], ever, np.iinfo(np.int64).min)
    latest, end = (
        np.maximum.reduceat(each, first) if len(first) else each for each in (so_far, ever)
    )
    converts = time[first] + until_goal_us(journeys, first - 1, every) - mark
    shown = until_next_us(journeys, np.flatnonzero(exposure), first - 1, every)
    rules = journeys.rules
    lost = (journeys.outcome == DROPPED) & journeys.absorbed & (time[last] <= mark)
    if rules.all_closed:
        lost |= (journeys.outcome == DROPPED) & (end <= mark)
    elif rules.inactivity is not None:
        lost |= came & (mark - np.maximum(latest, start) >= rules.inactivity.total_seconds() * 1e6)
    followed = (timeline.until_us - mark).astype(np.float64)
    if rules.all_closed:
        followed = np.full(len(first), np.inf)
    known = ~journeys.left_truncated
    over = known & came & ((converts <= 0) | lost)
    young = known & came & ~over & (followed < 0)
    kept = np.flatnonzero(known & came & ~over & ~young)
    return (
        Compared(
            items=Items(journey=kept, took_us=converts[kept], followed_us=followed[kept]),
            exposed=None,
            group=(time[first] + shown <= mark)[kept].astype(np.int64),
            names=("not yet exposed", "exposed"),
        ),
        {
            "over": int(np.count_nonzero(over)),
            "young": int(np.count_nonzero(young)),
            "only": int(np.count_nonzero(known & ~came)),
            "unknown": int(np.count_nonzero(~known)),
        },
    )


def compared_table(
    journeys: Journeys,
    compared: Compared,
    divided: Divided,
    *,
    window_us: float,
    due_us: float,
    group_name: str,
    counted: str,
    level: float,
) -> Table:
    """Return conversions by group, and their differences from the first group."""
    k, names = len(divided.names), compared.names
    g = len(names)
    of, segment = divided.rows(compared.items.journey)
    cell = segment * g + compared.group[of]
    found = compared.items.shares(journeys, cell, k * g, window_us, of)
    low, high = found.wilson(level)
    base = np.arange(k * g) // g * g
    control = _cells(found, base)
    d_low, d_high, p = difference_of_shares(found, control, level=level)
    other = np.arange(k * g) != base
    difference = np.where(other, found.whole - control.whole, np.nan)
    p = np.where(other & np.isfinite(difference), p, np.nan)
    q = np.full(k * g, np.nan)
    q[:g] = false_discovery(p[:g])
    q[g:] = false_discovery(p[g:])  # all segments and arms at once
    columns: dict[str, object] = {
        "segment": tuple(name for name in divided.names for _ in names),
        group_name: names * k,
        counted: np.bincount(cell, minlength=k * g),
    }
    percent = ["conversion", "low", "high", "difference", "difference_low", "difference_high"]
    if compared.exposed is not None:
        reached = compared.exposed.shares(journeys, cell, k * g, due_us, of)
        exposed_low, exposed_high = reached.wilson(level)
        columns |= {
            "exposed": reached.whole,
            "exposed_low": exposed_low,
            "exposed_high": exposed_high,
        }
        percent += ["exposed", "exposed_low", "exposed_high"]
    columns |= {
        "conversion": found.whole,
        "low": low,
        "high": high,
        "difference": difference,
        "difference_low": np.where(other, d_low, np.nan),
        "difference_high": np.where(other, d_high, np.nan),
        "p_value": p,
        "q_value": q,
    }
    rows = np.flatnonzero(np.asarray(columns[counted]) > 0)
    table = Table(columns, formats=dict.fromkeys(percent, "percent"), backend=journeys.log.backend)
    return table.take(rows)


def _cells(figures: BucketFigures, places: Ints) -> BucketFigures:
    return BucketFigures(
        whole=figures.whole[places],
        without=figures.without[:, places],
        units=figures.units[:, places],
    )


def said_difference(table: Table, group_name: str, level: float) -> Sequence[str]:
    """Return the differences of the whole in words, one a group."""
    said = []
    for row in table:
        value, low, high = (
            100 * float(row[x] or 0) for x in ("difference", "difference_low", "difference_high")
        )
        if row["segment"] == ALL and not np.isnan(value):
            ends = "no interval" if np.isnan(low) else f"{100 * level:g}% {low:.1f} to {high:.1f}"
            said.append(f"{row[group_name]} {value:+.1f} points ({ends})")
    return said
