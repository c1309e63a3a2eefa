"""Retention and lifecycle of customers, of statistics that add up."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
import numpy as np

from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._adding._analyses import Analysis, counted_analysis
from cxjourney.journeys._adding._tables import Kind
from cxjourney.log import moment
from cxjourney.metrics import CohortRetention, Lifecycle, cohort_retention, lifecycle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cxjourney._support.array_types import Ints
    from cxjourney.journeys._adding._analyses import Found, Rows
    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._journeys import Journeys

_FACTS = Kind(axes=("fact",))
_PARTS = ("new", "returning", "resurrecting")
_ALL, _LATER = 0, 1


def _activity(journeys: Journeys) -> tuple[Ints, NDArray[np.datetime64], Any]:
    """Return customer and time of each interaction of journeys, and the end of observation."""
    time, until = journeys.columns.time, journeys.log.observed_until_us
    assert time is not None  # noqa: S101 - paths have been refused
    customer = np.repeat(journeys.customer, np.diff(journeys.offsets))
    return customer, time.astype("datetime64[us]"), None if until is None else moment(until)


def _facts(found: CohortRetention | Lifecycle) -> Rows:
    return [np.arange(2)], [np.array([found.n, found.n_later])]


@attrs.frozen(kw_only=True)
class RetentionCounts(Analysis):
    """What `metrics.cohort_retention` counts, with its options."""

    name: ClassVar[str] = "cohort_retention"
    vocabularies: ClassVar[tuple[str, ...]] = ("cohort",)

    unit: str
    cohort: str
    periods: int
    kind: str
    brackets: tuple[tuple[int, int], ...]
    window: str
    membership: str
    time_zone: str

    @classmethod
    def of(  # type: ignore[override]  # the options by name
        cls,
        journeys: Journeys | None,
        *,
        unit: Any,
        cohort: Any = None,
        periods: Any = 12,
        kind: Any = "on",
        brackets: Any = (),
        window: Any = "calendar",
        membership: Any = "first",
        time_zone: Any = "UTC",
    ) -> Self:
        """Return what is counted of a retention, given the arguments of `cohort_retention`."""
        del journeys
        if unit is None:
            raise InvalidValue.of(
                "unit", "be named, since a part does not know how long all is", unit
            )
        choices = {"kind": kind, "window": window, "membership": membership}
        named = {"unit": unit, "cohort": cohort, "periods": periods, "time_zone": time_zone}
        made = cohort_retention([], [], brackets=brackets, **named, **choices)
        return cls(
            unit=made.unit,
            cohort=made.cohort,
            periods=int(periods),
            brackets=tuple((int(a), int(b)) for a, b in brackets),
            time_zone=time_zone,
            **choices,
        )

    def made(self, *columns: Any, until: Any = None, level: float = 0.95) -> CohortRetention:
        """Return the retention of columns of customers and timestamps; of nobody without them."""
        options: dict[str, Any] = attrs.asdict(self)
        return cohort_retention(
            *(columns or ((), ())), observed_until=until, level=level, **options
        )

    @cached_property
    def n_ages(self) -> int:
        """Number of ages."""
        return len(self.made().ages)

    def kinds(self, _plan: object) -> Mapping[str, Kind]:
        """Return what each table holds."""
        counts = ("eligible", "retained")
        return {
            "cohorts": Kind(axes=("cohort",)),
            "cells": Kind(axes=("cohort", "age"), columns=counts),
            "ages": Kind(axes=("age",), columns=counts),
            "facts": _FACTS,
        }

    def sizes(self, _plan: object) -> Mapping[str, int]:
        """Return the size of each axis."""
        return {"age": self.n_ages, "fact": 2}

    def counted(
        self, journeys: Journeys, _plan: object
    ) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, Rows]]:
        """Return the cohorts, and the rows of the tables."""
        *columns, until = _activity(journeys)
        found = self.made(*columns, until=until)
        cohort, age = np.indices(found.eligible.shape).reshape(2, -1)
        whole = [[round(x.denominator or 0), round(x.numerator or 0)] for x in found.total]
        return {"cohort": found.cohorts}, {
            "cohorts": ([np.arange(len(found.cohorts))], [found.size]),
            "cells": ([cohort, age], [found.eligible.ravel(), found.retained.ravel()]),
            "ages": ([np.arange(self.n_ages)], list(np.array(whole, dtype=np.int64).T)),
            "facts": _facts(found),
        }

    def agree(self, _plan: object, found: Found, outcomes: Ints) -> bool:
        """Return whether the tables could be those of customers."""
        del outcomes
        size, cells, ages, facts = self._read(found)
        sums = cells.sum(axis=1)
        return bool(
            (cells[1] <= cells[0]).all()
            and (cells[0] <= size[:, None]).all()
            and (ages[1] <= ages[0]).all()
            and (np.array_equal(ages, sums) or self.kind == "unbounded")
            and (ages <= sums).all()
            and (size.sum() == facts[_ALL] or self.membership == "recurring")
            and facts[_ALL] <= size.sum()
        )

    def _read(self, found: Found) -> tuple[Ints, Ints, Ints, Ints]:
        """Return sizes, eligible and retained by cohort and age, the same of all, and facts."""
        n = len(found.names["cohort"])
        cells = np.moveaxis(found.filled("cells", n, self.n_ages), -1, 0)
        (size,), (facts,) = found.filled("cohorts", n).T, found.filled("facts", 2).T
        return size, cells, found.filled("ages", self.n_ages).T, facts

    def finished(self, statistics: JourneyStatistics, level: float) -> CohortRetention:
        """Return the retention of statistics."""
        found = counted_analysis(statistics, self)
        size, cells, ages, facts = self._read(found)
        nobody = self.made(level=level)
        made = attrs.evolve(
            nobody,
            cohorts=found.names["cohort"],
            size=size,
            eligible=cells[0],
            retained=cells[1],
            rate=np.full(cells[0].shape, np.nan),
            low=np.full(cells[0].shape, np.nan),
            high=np.full(cells[0].shape, np.nan),
            total=tuple(
                attrs.evolve(one, numerator=kept, denominator=n)
                for one, n, kept in zip(nobody.total, *ages.tolist(), strict=True)
            ),
            observed_until=statistics.observed_until if len(size) else None,
            n=int(facts[_ALL]),
            n_later=int(facts[_LATER]),
        )
        return made.merge(nobody)  # which computes shares and intervals of counts


@attrs.frozen(kw_only=True)
class LifecycleCounts(Analysis):
    """What `metrics.lifecycle` counts, with its options."""

    name: ClassVar[str] = "lifecycle"
    vocabularies: ClassVar[tuple[str, ...]] = ("when",)

    period: str
    time_zone: str

    @classmethod
    def of(  # type: ignore[override]  # the options by name
        cls, journeys: Journeys | None, *, period: Any = "week", time_zone: Any = "UTC"
    ) -> Self:
        """Return what is counted of a lifecycle, given the arguments of `lifecycle`."""
        del journeys
        found = lifecycle([], [], period=period, time_zone=time_zone)
        return cls(period=found.period, time_zone=found.time_zone)

    def kinds(self, _plan: object) -> Mapping[str, Kind]:
        """Return what each table holds."""
        return {"periods": Kind(axes=("when",), columns=_PARTS), "facts": _FACTS}

    def sizes(self, _plan: object) -> Mapping[str, int]:
        """Return the size of each axis."""
        return {"fact": 2}

    def counted(
        self, journeys: Journeys, _plan: object
    ) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, Rows]]:
        """Return the periods, and the rows of the tables."""
        customer, time, until = _activity(journeys)
        options: dict[str, Any] = attrs.asdict(self)
        found = lifecycle(customer, time, observed_until=until, **options)
        columns = [getattr(found, name) for name in _PARTS]
        return {"when": found.periods}, {
            "periods": ([np.arange(len(found.periods))], columns),
            "facts": _facts(found),
        }

    def agree(self, _plan: object, found: Found, outcomes: Ints) -> bool:
        """Return whether the tables could be those of customers."""
        del outcomes
        new, returning, resurrecting = found.filled("periods", len(found.names["when"])).T
        n = found.filled("facts", 2)[_ALL, 0]
        before = np.cumsum(new) - new
        active = new + returning + resurrecting
        return bool(
            new.sum() == n
            and (returning + resurrecting <= before).all()
            and (returning[1:] <= active[:-1]).all()
        )

    def finished(self, statistics: JourneyStatistics) -> Lifecycle:
        """Return the lifecycle of statistics."""
        found = counted_analysis(statistics, self)
        periods = found.names["when"]
        new, returning, resurrecting = found.filled("periods", len(periods)).T
        active = new + returning + resurrecting
        dormant = np.concatenate([[0], active[:-1]])[: len(periods)].astype(np.float64) - returning
        dormant[-1:] = np.nan
        n, later = found.filled("facts", 2)[:, 0].tolist()
        return Lifecycle(
            periods=periods,
            new=new,
            returning=returning,
            resurrecting=resurrecting,
            dormant=dormant,
            period=self.period,
            time_zone=self.time_zone,
            n=n,
            n_missing=0,
            n_later=later,
        )
