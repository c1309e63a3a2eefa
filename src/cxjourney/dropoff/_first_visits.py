"""First visits of journeys, and what comes of them within a window: the downstream figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._stats.landmark import (
    Seen,
    means_within,
    pooled_figures,
    shares_of,
    usual_window,
)
from cxjourney._stats.parts import followed_cells
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney._support.validation import check_duration, check_name
from cxjourney.exceptions import UnknownName
from cxjourney.journeys import (
    CONVERTED,
    DROPPED,
    By,
    bucket_of_each,
    goal_rows,
    units_of,
    until_goal_us,
    until_next_us,
    visits_of,
)
from cxjourney.kernels import after_first_visits, first_of_each

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from cxjourney._stats.buckets import BucketFigures
    from cxjourney.journeys import Journeys, Visits

DAY_US = 86_400_000_000


@attrs.frozen(kw_only=True, eq=False)
class FirstVisits:
    """The first visit of each journey to each node, and its beginning, which is at node K.

    Journeys that may have begun before the observation did are left out: which of their visits was
    the first nobody has seen.

    Attributes
    ----------
    names
        Names of the K nodes.
    timed
        Whether there are times.
    node, journey
        Node and journey of each.
    row
        Its row among those of the journeys.
    part
        Touchpoint of each first visit at a coarser grain, -1 of beginnings; None where nodes are
        touchpoints, or nobody is followed for less than another.
    followed
        From it to the end of the observation [days]; infinity where all is known, and negative
        where a journey in progress has no times, which says nothing.
    converts, reaches
        From it to the conversion, and to the touchpoint that was asked for [days]; infinity where
        that did not happen.
    leaves
        From the beginning to the last visit of a journey that dropped; NaN elsewhere.
    silence
        Days of silence after which it counts as dropped.
    visit_time, visit_of
        From the beginning of a journey to each of its visits, and its place among the landmarks;
        empty where only conversions are asked for.
    value
        Value of the conversion [currency]; NaN where none is known.
    units
        The bucket of each journey.
    """

    names: tuple[str, ...]
    timed: bool
    node: Ints
    journey: Ints
    row: Ints
    part: Ints | None
    followed: Floats
    converts: Floats
    reaches: Floats | None
    leaves: Floats
    silence: float
    visit_time: Floats
    visit_of: Ints
    value: Floats
    units: Units

    @property
    def place(self) -> Ints:
        """Node of each first visit; -1 for beginnings."""
        return np.where(self.node < len(self.names), self.node, -1)

    def take(self, kept: Bools) -> Self:
        """Return some of them."""
        place = np.cumsum(kept) - 1
        arrays = ("node", "journey", "row", "followed", "converts", "leaves", "value")
        mine = kept[self.visit_of]
        return attrs.evolve(
            self,
            **{name: getattr(self, name)[kept] for name in arrays},
            part=None if self.part is None else self.part[kept],
            reaches=None if self.reaches is None else self.reaches[kept],
            visit_time=self.visit_time[mine],
            visit_of=place[self.visit_of[mine]],
        )

    def counts(self, cell: Ints, size: int) -> Floats:
        """Return the journeys of each cell that say something, each as often as it counts."""
        rows = np.where(self.followed < 0, -1, cell)
        return np.asarray(self.units.sums(rows, size, item=self.journey).sum(axis=0))

    def events(self, outcome: str, cell: Ints, size: int, window: float) -> Floats:
        """Return how often each cell was seen to reach an outcome within the window."""
        time, longer = self._times(outcome, window)
        with np.errstate(invalid="ignore"):
            seen = np.isfinite(time) & (time <= np.minimum(self.followed, longer))
        return np.asarray(
            self.units.sums(np.where(seen, cell, -1), size, item=self.journey).sum(axis=0)
        )

    def figures(self, figure: str, cell: Ints, size: int, window: float) -> BucketFigures:
        """Return a figure within the window, by cell.

        Parameters
        ----------
        figure
            The probability of "conversion", "reaching" or "drop-off", or the mean number of
            "visits" or "value" of conversions.
        cell
            Cell of each, 0 … size - 1; -1 for none.
        size
            Number of cells.
        window
            Days. Who has dropped within them has been silent for the limit after it.
        """
        if self.part is None:
            return self._figures(figure, cell, size, window)
        _, longer = self._times(figure, window)
        full = self.followed >= longer
        small, place = followed_cells(cell + 1, self.part, full, size + 1)  # place 0 is none
        none = int(np.count_nonzero(place == 0))
        fine, place = small.astype(np.int64) - none, place[none:] - 1
        fine = np.where(fine < 0, -1, fine)
        return pooled_figures(
            self._figures(figure, fine, len(place), window),
            self.units.sums(fine, len(place), item=self.journey),
            place,
            size,
        )

    def _figures(self, figure: str, cell: Ints, size: int, window: float) -> BucketFigures:
        if figure in {"visits", "value"}:
            time, value, owner = self.visit_time, np.ones(len(self.visit_of)), self.visit_of
            if figure == "value":
                owner = np.flatnonzero(np.isfinite(self.converts) & ~np.isnan(self.value))
                time, value = self.converts[owner], self.value[owner]
            return means_within(
                time,
                value,
                owner,
                self.followed,
                cell=cell,
                n_cells=size,
                window=window,
                units=self.units.take(self.journey),
            )
        return shares_of(self.seen(figure, cell, size, window))

    def seen(self, figure: str, cell: Ints, size: int, window: float) -> Seen:
        """Return what was seen of a figure that is a probability, by cell; see `figures`."""
        time, longer = self._times(figure, window)
        return Seen.of(
            time,
            self.followed,
            cell=cell,
            n_cells=size,
            window=longer,
            units=self.units,
            item=self.journey,
        )

    def _times(self, outcome: str, window: float) -> tuple[Floats, float]:
        if outcome == "drop-off":
            return self.leaves + self.silence, window + self.silence
        if outcome == "reaching":
            assert self.reaches is not None  # noqa: S101 - nobody else asks
            return self.reaches, window
        return self.converts, window


def first_visits_of(
    journeys: Journeys, by: By = "touchpoint", *, reaching: str | None = None
) -> FirstVisits:
    """Return the first visits of journeys, and what came after each.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a node is.
    reaching
        A node that is to be reached later on; None for none.
    """
    return _of_visits(visits_of(journeys, by), reaching)


def later_figures(
    journeys: Journeys,
    by: By,
    wanted: Sequence[str],
    *,
    reaching: str | None,
    window: float,
) -> dict[str, BucketFigures]:
    """Return the probabilities of "conversion" or "reaching" within days of the first visits.

    Where nodes are touchpoints of journeys with times these are seen in passes over the rows.
    """
    touched = by == "touchpoint" or "touchpoint" in by
    if not touched or journeys.columns.time is None or journeys.log.observed_until_us is None:
        firsts = first_visits_of(journeys, by, reaching=reaching)
        return {one: firsts.figures(one, firsts.place, len(firsts.names), window) for one in wanted}
    visits, every = visits_of(journeys, by), Units.of_buckets(np.arange(N_BUCKETS))
    bucket = np.where(journeys.left_truncated, -1, bucket_of_each(journeys))
    until = None if journeys.rules.all_closed else journeys.log.observed_until_us
    found = {}
    for one in wanted:
        target = None
        if one == "reaching":
            target = np.zeros(len(journeys.columns), dtype=np.bool_)
            (at,) = np.nonzero([name == reaching for name in visits.names])
            target[visits.row[np.isin(visits.code, at)]] = True
        elif not journeys.rules.absorbing:
            target = goal_rows(journeys)
        counts, events, partial = after_first_visits(
            visits.code,
            journeys.columns.time,
            journeys.offsets,
            journeys.absorbed,
            bucket,
            journeys.converted,
            target,
            until,
            window,
            (N_BUCKETS, len(visits.names)),
        )
        seen = Seen(counts=counts.astype(np.float64), events=events, partial=partial, units=every)
        found[one] = shares_of(seen)
    return found


def beginnings_of(journeys: Journeys, by: By) -> FirstVisits:
    """Return the beginnings of journeys alone, and when they converted."""
    return _of_visits(visits_of(journeys, by), None, beginnings_only=True)


def _of_visits(
    visits: Visits,
    reaching: str | None,
    *,
    beginnings_only: bool = False,
) -> FirstVisits:
    """Return first visits and beginnings; of these alone neither visits nor drop-off are asked."""
    journeys, k = visits.journeys, len(visits.names)
    time, offsets = journeys.columns.time, journeys.offsets
    seen = ~journeys.left_truncated & (np.diff(offsets) > 0)
    begun = np.flatnonzero(seen)
    node, journey, row = np.full(len(begun), k), begun, offsets[begun] - 1
    place = np.zeros(0, dtype=np.int64)
    if not beginnings_only:
        first = first_of_each(visits.journey, visits.node, k)
        if not seen.all():
            first &= seen[visits.journey]
        place = np.flatnonzero(first)
        node = np.concatenate([visits.node[place], node])
        journey = np.concatenate([visits.journey[place], journey])
        row = np.concatenate([visits.row[place], row])
    time_us = np.zeros(len(journeys.columns), dtype=np.int64) if time is None else time
    here = time_us[np.maximum(row, offsets[:-1][journey])]
    limit = journeys.rules.inactivity
    silence = limit.total_seconds() / 86_400 if limit and not journeys.rules.all_closed else 0.0
    if time is None or journeys.rules.all_closed:
        known = np.isin(journeys.outcome[journey], (CONVERTED, DROPPED))
        followed = np.where(known, np.inf, -1.0)
    else:
        stop = journeys.log.observed_until_us
        followed = ((time_us.max(initial=0) if stop is None else stop) - here) / DAY_US
    leaves, none = np.full(len(node), np.nan), np.zeros(0, dtype=np.int64)
    visit_time, owner, named = none / DAY_US, none, none
    if reaching is not None:
        (at,) = np.nonzero([name == reaching for name in visits.names])
        named = visits.row[np.isin(visits.node, at)]
    part = None
    if not beginnings_only:
        coded = journeys.columns.coded["touchpoint"]
        part = np.append(coded.codes[visits.row[place]].astype(np.int64), np.full(len(begun), -1))
        pairs = distinct(node * (len(coded.names) + 1) + part + 1)[0]
        if len(pairs) == np.count_nonzero(np.bincount(node)) or not np.isfinite(followed).any():
            part = None
        dropped = journeys.outcome[journey] == DROPPED
        end = (time_us[offsets[1:][journey] - 1] - here) / DAY_US
        silent = dropped & ~journeys.absorbed[journey]
        leaves = np.where(dropped, end - np.where(silent, 0.0, silence), np.nan)
        beginning = np.full(len(offsets), -1, dtype=np.int64)
        beginning[begun] = len(place) + np.arange(len(begun))
        counted = seen[visits.journey]
        owner = beginning[visits.journey[counted]]
        visit_time = (time_us[visits.row[counted]] - here[owner]) / DAY_US
    return FirstVisits(
        names=visits.names,
        timed=time is not None,
        node=node,
        journey=journey,
        row=row,
        part=part,
        followed=followed,
        converts=until_goal_us(journeys, row, journey) / DAY_US,
        reaches=None if reaching is None else until_next_us(journeys, named, row, journey) / DAY_US,
        leaves=leaves,
        silence=silence,
        visit_time=visit_time,
        visit_of=owner,
        value=journeys.value[journey],
        units=units_of(journeys),
    )


def check_reaching(reaching: str | None, *groups: FirstVisits) -> None:
    """Raise `UnknownName` where no group has a node of the name that is to be reached."""
    names = {name: None for one in groups for name in one.names}
    if reaching is not None and check_name(reaching, "reaching") not in names:
        raise UnknownName.among("node", reaching, tuple(names), where="the journeys")


def window_of(window: timedelta | str | None, *groups: FirstVisits) -> float:
    """Return the days of a window; None takes those within which nine of ten conversions come.

    They are counted from the beginning of a journey, and a quarter of the time that the group of
    shorter observation was followed is the most. Infinity where there are no times.
    """
    if window is not None:
        return check_duration(window, "window").total_seconds() / 86_400
    if not all(one.timed for one in groups):
        return float("inf")
    starts = [(one, one.node == len(one.names)) for one in groups]
    longest = min(float(one.followed[start].max(initial=0.0)) for one, start in starts)
    took = np.concatenate([one.converts[start] for one, start in starts])
    return usual_window(took[np.isfinite(took)], longest)
