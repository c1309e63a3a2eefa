"""The touches that can be credited: those of converting journeys within the look-back window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.validation import check_duration, duration_us
from cxjourney.journeys import By, frequencies, units, visits_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import timedelta

    from cxjourney.attribution._attribution import Of
    from cxjourney.journeys import Journeys

__all__ = ["Touches", "grain_name", "touch_remarks", "touches_of", "within", "worth_of"]


@attrs.frozen(kw_only=True)
class Touches:
    """Touches of converting journeys, journey by journey in order.

    Attributes
    ----------
    names
        The K names.
    code
        Name of each touch.
    offsets
        Touches of journey i are [offsets[i], offsets[i + 1]); every journey has one.
    before_us
        Time from each touch to the conversion [µs]; None without times.
    worth
        What each journey brings: its conversions, or their value.
    unit
        Resampling unit of each journey.
    unattributed
        What the conversions without a touch bring.
    """

    names: tuple[str, ...]
    code: NDArray[np.int64]
    offsets: NDArray[np.int64]
    before_us: NDArray[np.int64] | None
    worth: NDArray[np.float64]
    unit: NDArray[np.int64]
    unattributed: float

    @property
    def length(self) -> NDArray[np.int64]:
        """Number of touches of each journey."""
        return np.diff(self.offsets)

    @property
    def journey(self) -> NDArray[np.int64]:
        """Journey of each touch."""
        return np.repeat(np.arange(len(self.worth)), self.length)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be said where the journeys leave nothing to attribute."""
        changes = np.diff(self.code) != 0
        changes[self.offsets[1:-1] - 1] = False  # from one journey to the next
        return touch_remarks(len(self.worth), several=bool(changes.any()))

    def credits(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the credit of each name, given the share of its journey that a touch takes."""
        return np.bincount(
            self.code, share * self.worth[self.journey], minlength=len(self.names)
        ).astype(np.float64)

    def replicates(
        self,
        share: NDArray[np.float64],
        weight: NDArray[np.float64],
        n: int,
        rng: np.random.Generator | int | None,
    ) -> NDArray[np.float64]:
        """Return the credits of resampled units, shape (n, K)."""
        from scipy.sparse import csr_array

        k = len(self.names)
        if n == 0 or not len(weight) or not k:
            return np.zeros((0, k))
        value = share * self.worth[self.journey]
        unit = self.unit[self.journey]
        value = value / weight[unit]  # a unit of weight w is drawn w times on average
        counts = csr_array((value, (self.code, unit)), shape=(k, len(weight)))
        blocks = [np.asarray((counts @ block).T) for block in frequencies(weight, n=n, rng=rng)]
        return np.concatenate(blocks)


def grain_name(by: By) -> str:
    """Return the name of the column of names."""
    return by if isinstance(by, str) else ", ".join(by)


def touch_remarks(n_converting: int, *, several: bool) -> tuple[str, ...]:
    """Return what to say where nothing converts, or no converting journey has several names."""
    if not n_converting:
        return ("no journey converted after a touch: there is nothing to credit",)
    if several:
        return ()
    return ("no converting journey touches more than one name: all models count the same journeys",)


def worth_of(journeys: Journeys, of: Of) -> NDArray[np.float64]:
    """Return what each journey would bring: its conversions, or their value."""
    worth = np.ones(len(journeys.outcome)) if of == "conversions" else np.nan_to_num(journeys.value)
    return worth if journeys.weight is None else worth * journeys.weight


def within(journeys: Journeys, look_back: timedelta | None) -> Journeys:
    """Return journeys without touches older than `look_back` before their end.

    The end is the conversion or exit, or the last touch where there is none.
    """
    if look_back is None:
        return journeys
    journeys.require_times("look_back=")
    limit = duration_us(check_duration(look_back, "look_back"))
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - required above
    lengths = np.diff(journeys.offsets)
    end = np.repeat(time[journeys.offsets[1:] - 1], lengths)
    keep = end - time <= limit
    rows = np.flatnonzero(keep)
    journey = np.repeat(np.arange(len(lengths)), lengths)
    kept = np.bincount(journey[rows], minlength=len(lengths))
    per_customer = np.bincount(journeys.customer[journey[rows]], minlength=journeys.log.n_customers)
    offsets = np.concatenate([[0], np.cumsum(per_customer)]).astype(np.int64)
    return attrs.evolve(
        journeys,
        columns=journeys.columns.take(rows, offsets),
        offsets=np.concatenate([[0], np.cumsum(kept)]).astype(np.int64),
    )


def touches_of(
    journeys: Journeys, *, by: By, of: Of, ignore: Collection[str] = ()
) -> tuple[Touches, NDArray[np.float64]]:
    """Return the touches of converting journeys, and the expected frequency of each unit.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a name is.
    of
        What a journey brings.
    ignore
        Names that are left out where the journey has others.
    """
    visits = visits_of(journeys, by)
    column, weight = units(journeys)
    worth = worth_of(journeys, of)
    converted = journeys.converted
    chosen = converted[visits.journey]
    if ignore:
        ignored = np.isin(visits.node, [i for i, n in enumerate(visits.names) if n in ignore])
        others = np.bincount(visits.journey[chosen & ~ignored], minlength=len(worth)) > 0
        chosen &= ~(ignored & others[visits.journey])
    touched = np.bincount(visits.journey[chosen], minlength=len(worth))
    used = touched > 0
    before = None
    if visits.wait_us is not None:
        time = journeys.columns.time
        assert time is not None  # noqa: S101 - wait_us tells
        before = time[journeys.offsets[1:] - 1][visits.journey[chosen]] - time[visits.row[chosen]]
    touches = Touches(
        names=visits.names,
        code=visits.node[chosen],
        offsets=np.concatenate([[0], np.cumsum(touched[used])]).astype(np.int64),
        before_us=before,
        worth=worth[used],
        unit=column[used],
        unattributed=float(worth[converted & ~used].sum()),
    )
    return touches, weight
