"""Touches that can be credited: those of converting journeys within the look-back window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.validation import check_duration, check_names, duration_us
from cxjourney.journeys import (
    By,
    conversions_of,
    grain_codes,
    is_visit,
    outcomes_of,
    statistics_of,
    touches_counted,
    units_of,
    visits_of,
    worth_of_conversions,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import timedelta

    from cxjourney.attribution._attribution import Of
    from cxjourney.journeys import Journeys, JourneyStatistics


@attrs.frozen(kw_only=True, eq=False)
class Places:
    """Where in its journey each touch stands.

    Attributes
    ----------
    length
        Number of touches of the journey; of names, where names count once.
    first, last
        Whether the touch is the first or last of the journey; where names count once, both say
        whether it is the first of its name.
    journey, before_us
        Journey of each touch, and the time to the conversion [µs]; None where nobody knows.
    """

    length: Ints
    first: Bools
    last: Bools
    journey: Ints | None = None
    before_us: Ints | None = None


@attrs.frozen(kw_only=True, eq=False)
class CountedTouches:
    """Touches of converting journeys as statistics that add up have them: alike ones in one row.

    Attributes
    ----------
    names, code
        The K names, and that of each row.
    unit, count, worth
        The unit of each row, how many touches it has, and what their journeys bring.
    where
        Where in its journey each stands.
    held
        Journeys in each unit.
    n_converting, several, unattributed
        Converting journeys with a touch, whether any of them touches two names, and what those
        without a touch bring.
    """

    names: tuple[str, ...]
    code: Ints
    unit: Ints
    count: Ints
    worth: Floats
    where: Places
    held: Floats
    n_converting: int
    several: bool
    unattributed: float

    @property
    def remarks(self) -> tuple[str, ...]:
        """As of `Touches`."""
        return touch_remarks(self.n_converting, several=self.several)

    def credits(self, share: Floats) -> BucketFigures:
        """Return the credit of each name, given the share of its journey that a touch takes."""
        place = self.unit * len(self.names) + self.code
        shape = (len(self.held), len(self.names))
        own, rests = (
            np.bincount(place, share * values, minlength=shape[0] * shape[1])
            .astype(np.float64)
            .reshape(shape)
            for values in (self.worth, self.count)
        )
        return counted_figures(own, rests, self.held)


def counted_figures(own: Floats, rests: Floats, held: Floats) -> BucketFigures:
    """Return credits, given those of each unit, what they rest on, and the journeys there."""
    return BucketFigures(
        whole=own.sum(axis=0),
        without=at_full_size(own.sum(axis=0) - own, held),
        units=resting_on(rests, held > 0),
    )


def touches_of_statistics(
    statistics: JourneyStatistics, *, by: By, of: Of, named: bool
) -> CountedTouches:
    """Return the touches of statistics; with `named`, each name of a journey once."""
    axes, count, worth = touches_counted(statistics, by, "touched" if named else "touches")
    several = axes["length"] if named else touches_counted(statistics, by, "touched")[0]["length"]
    won = conversions_of(statistics, by)
    at_once = won if of == "conversions" else worth_of_conversions(statistics)[1]
    edge = axes.get("edge", np.full(len(count), 3))
    return CountedTouches(
        names=statistics_of(statistics, by).names,
        code=axes["node"],
        unit=axes["unit"],
        count=count,
        worth=count.astype(np.float64) if of == "conversions" else worth,
        where=Places(length=axes["length"], first=edge % 2 > 0, last=edge > 1),
        held=outcomes_of(statistics).sum(axis=(1, 2)).astype(np.float64),
        n_converting=int(won[:, 1].sum()),
        several=bool((several > 1).any()),
        unattributed=float(at_once[:, 0].sum()),
    )


@attrs.frozen(kw_only=True, eq=False)
class Touches:
    """Touches of converting journeys, journey by journey in order.

    Attributes
    ----------
    names, code
        The K names, and that of each touch.
    offsets
        Touches of journey i are [offsets[i], offsets[i + 1]); every journey has one.
    before_us
        Time from each touch to the conversion [µs]; None without times.
    worth, unattributed
        What each journey brings: its conversions, or their value, as often as it counts; what those
        without a touch bring.
    item
        Number of each journey among all journeys.
    worth_once, units
        What each of all journeys would bring, counted once; their units of variance.
    """

    names: tuple[str, ...]
    code: Ints
    offsets: Ints
    before_us: Ints | None
    worth: Floats
    item: Ints
    worth_once: Floats
    units: Units
    unattributed: float

    @property
    def length(self) -> Ints:
        """Number of touches of each journey."""
        return np.diff(self.offsets)

    @property
    def journey(self) -> Ints:
        """Journey of each touch."""
        return np.repeat(np.arange(len(self.worth)), self.length)

    def places(self, *, named: bool) -> Places:
        """Return where in its journey each touch stands; with `named`, by name instead."""
        length = self.length[self.journey]
        if not named:
            first, last = np.zeros((2, len(self.code)), dtype=np.bool_)
            first[self.offsets[:-1]] = last[self.offsets[1:] - 1] = True
            return Places(
                length=length,
                first=first,
                last=last,
                journey=self.journey,
                before_us=self.before_us,
            )
        key = self.journey * max(len(self.names), 1) + self.code
        once = np.zeros(len(key), dtype=np.bool_)
        once[np.unique(key, return_index=True)[1]] = True
        several = np.bincount(self.journey, once, minlength=len(self.worth)).astype(np.int64)
        return Places(length=several[self.journey], first=once, last=once)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be said where the journeys leave nothing to attribute."""
        changes = np.diff(self.code) != 0
        changes[self.offsets[1:-1] - 1] = False  # from one journey to the next
        return touch_remarks(len(self.worth), several=bool(changes.any()))

    def credits(self, share: Floats) -> BucketFigures:
        """Return the credit of each name, given the share of its journey that a touch takes."""
        k, journey = len(self.names), self.journey
        credit = np.bincount(self.code, share * self.worth[journey], minlength=k)
        item = self.item[journey]
        own = self.units.sums(self.code, k, item=item, values=share * self.worth_once[item])
        held = self.units.total()
        return BucketFigures(
            whole=credit.astype(np.float64),
            without=at_full_size(own.sum(axis=0) - own, held),
            # a credit rests on the conversions that it comes from
            units=resting_on(
                self.units.sums(self.code, k, item=item, values=np.abs(share)), held > 0
            ),
        )


def at_full_size(without: Floats, held: Floats) -> Floats:
    """Return totals without each unit, shape (units, ...), for as many journeys as in all.

    A total falls when journeys (`held` by each unit) are left out, whatever the others say: what is
    compared is a total over the same number of journeys.
    """
    n = held.sum()
    scale = np.divide(n, n - held, out=np.full(len(held), np.nan), where=n > held)
    scaled: Floats = without * scale.reshape(-1, *(1,) * (without.ndim - 1))
    return scaled


def touch_remarks(n_converting: int, *, several: bool) -> tuple[str, ...]:
    """Return what to say where nothing converts, or no converting journey has several names."""
    if not n_converting:
        return ("No journey converted after a touch, so that there is nothing to credit.",)
    if several:
        return ()
    return ("No converting journey touches more than one name: all models count the same ones.",)


def worth_of(journeys: Journeys, of: Of) -> Floats:
    """Return what each journey would bring, counted once: its conversion, or its value."""
    return np.ones(len(journeys.outcome)) if of == "conversions" else np.nan_to_num(journeys.value)


def chosen_touches(
    journeys: Journeys, by: By, look_back: timedelta | str | None, ignore: Collection[str]
) -> Journeys:
    """Return journeys without touches that are too old or of names to ignore.

    Too old are those older than `look_back` before the conversion or exit, or before the last touch
    where there is none. Names to ignore stay where the journey has no other.
    """
    if look_back is not None:
        journeys.require_times("look_back=")
        limit = duration_us(check_duration(look_back, "look_back"))
        time = journeys.columns.time
        assert time is not None  # noqa: S101 - required above
        end = np.repeat(time[journeys.offsets[1:] - 1], np.diff(journeys.offsets))
        journeys = _with_rows(journeys, end - time <= limit)
    ignored = check_names(ignore, "ignore")
    if not ignored:
        return journeys
    coded = grain_codes(journeys.columns, by)
    dropped = np.isin(coded.codes, [i for i, name in enumerate(coded.names) if name in ignored])
    touch = is_visit(journeys)
    journey = np.repeat(np.arange(len(journeys.outcome)), np.diff(journeys.offsets))
    others = np.bincount(journey[touch & ~dropped], minlength=len(journeys.outcome)) > 0
    return _with_rows(journeys, ~(touch & dropped & others[journey]))


def _with_rows(journeys: Journeys, keep: Bools) -> Journeys:
    rows = np.flatnonzero(keep)
    journey = np.repeat(np.arange(len(journeys.outcome)), np.diff(journeys.offsets))
    kept = np.bincount(journey[rows], minlength=len(journeys.outcome))
    per_customer = np.bincount(journeys.customer[journey[rows]], minlength=journeys.log.n_customers)
    offsets = np.concatenate([[0], np.cumsum(per_customer)]).astype(np.int64)
    return attrs.evolve(
        journeys,
        columns=journeys.columns.take(rows, offsets),
        offsets=np.concatenate([[0], np.cumsum(kept)]).astype(np.int64),
    )


def touches_of(journeys: Journeys, *, by: By, of: Of) -> Touches:
    """Return the touches of converting journeys, named by `by`."""
    visits = visits_of(journeys, by)
    once = worth_of(journeys, of)
    worth = once if journeys.weight is None else once * journeys.weight
    converted = journeys.converted
    chosen = converted[visits.journey]
    touched = np.bincount(visits.journey[chosen], minlength=len(worth))
    used = touched > 0
    before = None
    if visits.wait_us is not None:
        time = journeys.columns.time
        assert time is not None  # noqa: S101 - wait_us tells
        before = time[journeys.offsets[1:] - 1][visits.journey[chosen]] - time[visits.row[chosen]]
    return Touches(
        names=visits.names,
        code=visits.node[chosen],
        offsets=np.concatenate([[0], np.cumsum(touched[used])]).astype(np.int64),
        before_us=before,
        worth=worth[used],
        item=np.flatnonzero(used),
        worth_once=once,
        units=units_of(journeys),
        unattributed=float(worth[converted & ~used].sum()),
    )
