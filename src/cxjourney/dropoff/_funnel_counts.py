"""Funnels of statistics that add up: what is counted, and entrants made of the counts."""

from __future__ import annotations

import math
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS, BucketFigures
from cxjourney._stats.ratios import quotient, ratio_of_sums
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.validation import check_choice, duration_us
from cxjourney._support.words import at_most, how_long
from cxjourney.dropoff._funnel_columns import Band, Entrants, entrants_of
from cxjourney.dropoff._funnel_rules import Subject, rules_of
from cxjourney.dropoff._matching import Rules, match
from cxjourney.dropoff._semantics import CHOICES, Semantics
from cxjourney.dropoff._steps import Exclusion, Step
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    Analysis,
    Ends,
    Found,
    Grid,
    Kind,
    counted_analysis,
    later_bounds,
    low_and_high,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney.dropoff._semantics import Censored, Entry, Order
    from cxjourney.journeys import Journeys, JourneyStatistics

_MOST_STEPS = 40
_ENTRY, _BEFORE = 0, 1
_MICROSECOND = timedelta(microseconds=1)


@attrs.frozen(kw_only=True)
class FunnelCounts(Analysis):
    """What a funnel counts: the rules by which journeys are matched.

    Attributes
    ----------
    steps
        Touchpoints, whether optional, and the limit since the step before [µs].
    exclude
        Touchpoints, and the steps between which they are excluded, from 0.
    order, within_us, entry, ties, exclusion
        The rules; see `funnel` and `Semantics`.
    mature
        Whether attempts count only if their window was over.
    survival
        Whether the waits of those who may still come are counted too.
    unit
        Whether journeys are counted, or customers, across their journeys.
    """

    name: ClassVar[str] = "funnel"

    steps: tuple[tuple[tuple[str, ...], bool, int | None], ...]
    exclude: tuple[tuple[tuple[str, ...], tuple[int, int]], ...]
    order: str
    within_us: int | None
    entry: str
    ties: str
    exclusion: str
    mature: bool
    survival: bool
    unit: str = "journey"

    @classmethod
    def of(  # type: ignore[override]  # the options by name
        cls,
        journeys: Journeys | None,
        *,
        steps: Any,
        within: Any = None,
        order: Any = "ordered",
        entry: Any = None,
        exclude: Any = (),
        censored: Any = None,
        semantics: Any = None,
        unit: Any = "journey",
    ) -> Self:
        """Return what is counted, given the arguments of `funnel` and what is counted by it."""
        subject = None if journeys is None else Subject.of(journeys)
        rules, kept = rules_of(subject, steps, within, order, entry, exclude, censored, semantics)
        check_choice(unit, "unit", _UNITS)
        return attrs.evolve(cls.of_rules(rules, kept), unit=unit)

    @classmethod
    def of_rules(cls, rules: Rules, censored: Censored) -> Self:
        """Return what is counted under some rules."""
        n = len(rules.steps)
        if n > _MOST_STEPS:
            raise InvalidValue.of("steps", f"be at most {_MOST_STEPS} to be counted", n)
        sets: list[Step | Exclusion] = [*rules.steps, *rules.exclude]
        conditions = [any(one.condition) for one in sets]
        special = rules.semantics.grace is not None or rules.semantics.entry == "anywhere"
        if special or rules.attempts or any(conditions) or any(s.after for s in rules.steps):
            raise InvalidValue(
                "where=, pattern=, after=, grace=, entry='anywhere' and count='attempts' need "
                "journeys: statistics do not count them"
            )
        return cls(
            steps=tuple(
                (
                    tuple(sorted(step.match)),
                    step.optional,
                    None if step.within is None else duration_us(step.within),
                )
                for step in rules.steps
            ),
            exclude=tuple((tuple(sorted(one.match)), one.span(n)) for one in rules.exclude),
            order=rules.order,
            within_us=rules.within_us,
            entry=rules.semantics.entry,
            ties=rules.semantics.ties,
            exclusion=rules.semantics.exclusion,
            mature=censored == "exclude" and rules.within_us is not None,
            survival=censored == "survival",
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the analysis again, or raise a ValueError, TypeError or KeyError."""
        given, window = cls(**data).rules(None), data["within_us"]
        kept: Censored = "survival" if data["survival"] else "exclude" if data["mature"] else "keep"
        rules, _ = rules_of(
            None,
            given.steps,
            None if window is None else window * _MICROSECOND,
            given.order,
            None,
            given.exclude,
            kept,
            given.semantics,
        )
        found = attrs.evolve(cls.of_rules(rules, kept), unit=data["unit"])
        choices = (*(CHOICES[name] for name in ("entry", "ties", "exclusion")), _UNITS)
        chosen = (found.entry, found.ties, found.exclusion, found.unit)
        flags = [found.mature, found.survival, *(step[1] for step in found.steps)]
        if not all(one in some for one, some in zip(chosen, choices, strict=True)) or not all(
            isinstance(flag, bool) for flag in flags
        ):
            raise ValueError("the rules of a funnel are damaged")
        return found

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The touchpoints that are asked for, sorted."""
        some = [*(names for names, *_ in self.steps), *(names for names, _ in self.exclude)]
        return tuple(sorted(set().union(*some)))

    @cached_property
    def bounds(self) -> Ints:
        """Bounds of the bins of times from entering [µs]; without a window hours are among them."""
        fine = Grid(limit_us=self.within_us).fine
        return fine if self.within_us is not None else np.union1d(fine, later_bounds())

    def _bins(self, wait_us: Ints) -> Ints:
        place = np.searchsorted(self.bounds, wait_us, side="right") - 1
        return np.minimum(place, len(self.bounds) - 2)

    def kinds(self, _plan: object) -> Mapping[str, Kind]:
        """Return what each table holds."""
        waits = ("reached", "censored") if self.survival else ("reached",)
        return {
            "everyone": Kind(axes=("unit",)),
            "entrants": Kind(axes=("unit", "pattern", "running")),
            "waits": Kind(axes=("unit", "step", "wait"), columns=waits),
            "times": Kind(axes=("since", "step", "wait"), columns=_TIMES, wide=((1, 4),)),
            "facts": Kind(axes=("fact",)),
            "names": Kind(axes=("name",)),
        }

    def sizes(self, _plan: object) -> Mapping[str, int]:
        """Return the size of each axis."""
        n = len(self.steps)
        sizes = {"pattern": 1 << n, "running": 2, "step": n, "wait": len(self.bounds) - 1}
        return {**sizes, "since": 2, "fact": 2, "name": len(self.names)}

    def rules(self, until_us: int | None) -> Rules:
        """Return the rules again, for a log that was observed until then."""
        mature = None
        if self.mature and self.within_us is not None and until_us is not None:
            mature = until_us - self.within_us
        return Rules(
            steps=tuple(
                Step(names, optional=optional, within=None if us is None else us * _MICROSECOND)
                for names, optional, us in self.steps
            ),
            exclude=tuple(
                Exclusion(names, between=(i + 1, j + 1)) for names, (i, j) in self.exclude
            ),
            order=cast("Order", self.order),
            within_us=self.within_us,
            semantics=Semantics(
                entry=cast("Entry", self.entry),
                ties=cast("Literal['log', 'either', 'forbidden']", self.ties),
                exclusion=cast("Literal['attempt', 'void']", self.exclusion),
            ),
            mature_until_us=mature,
        )

    def counted(
        self, journeys: Journeys, _plan: object
    ) -> tuple[Mapping[str, Sequence[str]], Mapping[str, tuple[list[Ints], list[Ints] | None]]]:
        """Return no names, and the rows of the tables."""
        subject = Subject.of(journeys if self.unit == "journey" else journeys.log)
        rules, everyone = self.rules(journeys.log.observed_until_us), subject.units.of
        matched = match(subject, rules)
        entrants = entrants_of(subject, rules, matched)
        reached, time, unit = entrants.reached, entrants.time, entrants.units.of
        assert time is not None and unit is not None  # noqa: S101, PT018 - paths have been refused
        assert everyone is not None  # noqa: S101 - the same
        pattern = (reached.astype(np.int64) << np.arange(len(reached))[:, None]).sum(axis=0)
        step, at = np.nonzero(reached[1:])
        step = step + 1
        before = np.array([entrants.before(rules.steps, k) for k in range(len(reached))])
        waits = (time[step, at] - time[0, at], time[step, at] - time[before[step], at])
        bins = [self._bins(wait) for wait in waits]
        one = np.ones(len(at), dtype=np.int64)
        rows, values = [unit[at], step, bins[_ENTRY]], [one]
        if self.survival:
            over = np.zeros(len(pattern), dtype=np.bool_)
            if self.within_us is not None:
                over = entrants.followed_us >= self.within_us
            missed, who = np.nonzero(~reached[1:] & ~over)
            last = self._bins(entrants.followed_us[who])
            more = (unit[who], missed + 1, last)
            rows = [np.concatenate(pair) for pair in zip(rows, more, strict=True)]
            none = np.zeros_like(who)
            values = [np.concatenate([one, none]), np.concatenate([0 * one, none + 1])]
        took = np.concatenate(waits)
        words = [np.ones_like(took), *low_and_high(took), np.zeros_like(took)]
        since = np.repeat([_ENTRY, _BEFORE], len(at))
        known = {name: i for i, name in enumerate(self.names)}
        place = np.array([known.get(str(name), -1) for name in subject.names], dtype=np.int64)
        named = place[subject.codes] if len(place) else np.zeros(0, dtype=np.int64)
        return {}, {
            "everyone": ([everyone], None),
            "entrants": ([unit, pattern, entrants.running.astype(np.int64)], None),
            "waits": (rows, values),
            "times": ([since, np.tile(step, 2), np.concatenate(bins)], words),
            "facts": ([np.arange(2)], [np.array([matched.excluded, matched.left_out])]),
            "names": ([named[named >= 0]], None),
        }

    def agree(self, _plan: object, found: Found, outcomes: Ints) -> bool:
        """Return whether the tables could be those of journeys."""
        axes, n = found.axes, len(self.steps)
        everyone = _everyone(found)
        whole = self.unit == "customer" or np.array_equal(everyone, outcomes.sum(axis=1))
        entered, values = axes["entrants"], found.values
        bits = (entered["pattern"][:, None] >> np.arange(n)) & 1
        held = np.zeros((N_BUCKETS, n), dtype=np.int64)
        np.add.at(held, entered["unit"], bits * values["entrants"])
        waits = np.zeros((2, N_BUCKETS, n), dtype=np.int64)
        at = axes["waits"]["unit"], axes["waits"]["step"]
        for total, column in zip(waits, values["waits"].T, strict=False):
            np.add.at(total, at, column)
        size, times = len(self.bounds) - 1, axes["times"]
        spread = np.zeros((3, n, size), dtype=np.int64)
        np.add.at(spread[2], (at[1], axes["waits"]["wait"]), values["waits"][:, 0])
        spread[times["since"], times["step"], times["wait"]] = values["times"][:, 0]
        low, high = self.bounds[times["wait"]], self.bounds[times["wait"] + 1]
        endless = (times["wait"] == size - 1) & (self.within_us is None)
        numbers = values["times"][:, 0].tolist()
        fits = all(
            m * a <= total and (total <= m * b or free)
            for m, a, b, total, free in zip(
                numbers,
                low.tolist(),
                high.tolist(),
                whole_number(values["times"][:, 1:]),
                endless.tolist(),
                strict=True,
            )
        )
        return bool(
            fits
            and whole
            and bits[:, 0].all()
            and not (entered["running"] & bits[:, -1]).any()
            and (held[:, 0] <= everyone).all()
            and not waits[:, :, 0].any()
            and np.array_equal(waits[0, :, 1:], held[:, 1:])
            and (waits.sum(axis=0)[:, 1:] <= held[:, :1]).all()
            and np.array_equal(spread[_ENTRY], spread[2])
            and np.array_equal(spread[_BEFORE].sum(axis=1), spread[2].sum(axis=1))
            and values["facts"].sum(axis=1).max(initial=0) <= everyone.sum()
        )


def _everyone(found: Found) -> Ints:
    """Return how many journeys or customers each unit of variance has."""
    return found.filled("everyone", N_BUCKETS)[:, 0]


_UNITS = ("journey", "customer")
_TIMES = ("count", "wait0", "wait1", "wait2")


@attrs.frozen(kw_only=True, eq=False)
class CountedEntrants(Entrants):
    """The journeys that entered a funnel of statistics, those that are alike together."""

    found: Found
    bounds: Ints
    names: tuple[str, ...]
    unit: str
    n_units: int

    def known(self, statistics: JourneyStatistics) -> tuple[str, ...]:
        """Return the names of touchpoints that are known to be in the log."""
        mine = [self.names[i] for i in self.found.axes["names"]["name"].tolist()]
        return tuple(sorted({*mine, *statistics.names["touchpoint"]}))

    @property
    def timed(self) -> bool:
        """Whether times are known."""
        return True

    @property
    def facts(self) -> tuple[int, int]:
        """How many journeys an exclusion kept back, and how many are left out."""
        kept_back, left_out = self.found.filled("facts", 2)[:, 0].tolist()
        return kept_back, left_out

    def notes(self, *, survival: bool) -> tuple[str, ...]:
        """Return how far from raw times the figures may lie."""
        said, width, apart = [], self._width(), self._apart() if survival else 0.0
        if width:
            said.append(f"medians and 90th percentiles lie at most {how_long(width)}")
        if apart:
            said.append(f"rates at most {at_most(apart)}")
        there = "from those of raw times"
        return (f"Waits were counted on a grid: {', and '.join(said)} {there}.",) if said else ()

    def incidence(self, k: int) -> BucketFigures:
        """Return the share that reaches step k by the end of the window, the others censored."""
        ends, n = self._ends(k)
        won = self._by_unit(k, 0)
        rest = n.sum() - n
        mass = (won.sum() - won) * ends.weights_without_units()[:, 0, 0]
        whole = quotient(ends.moved(censored_first=False), n.sum())
        return BucketFigures(whole=whole[0], without=quotient(mass, rest), units=n)

    def _apart(self) -> float:
        """Return how far an incidence may lie from that of raw times, at most [fraction]."""
        found = [0.0]
        for k in range(1, len(self.reached)):
            ends, n = self._ends(k)
            one, other = (ends.moved(censored_first=first) for first in (False, True))
            found.append(float(other[0] - one[0]) / max(n.sum(), 1.0))
        return max(found)

    def _width(self) -> float:
        """Return how far a median or 90th percentile may lie from that of raw times [s]."""
        widths = np.diff(self.bounds)
        found = [0.0]
        for k in range(1, len(self.reached)):
            for since in (_ENTRY, _BEFORE):
                bins, count, _ = self._spread(since, k)
                if len(count):
                    until = np.cumsum(count)
                    ranks = [math.ceil(q * until[-1]) - 1 for q in (0.5, 0.9)]
                    some = [*ranks, *(min(r + 1, until[-1] - 1) for r in ranks)]
                    found.append(float(widths[bins[_of_rank(until, some)]].max()) / 1e6)
        return max(found)

    def times(self, k: int, before: int, level: float) -> tuple[float, ...]:
        """Return the times to a step of those who reached it; see `Entrants.times`."""
        del before
        bins, count, value = self._spread(_ENTRY, k)
        if not len(count):
            return (math.nan,) * 7
        middle, p90 = self._quantiles(count, value, 0.5, 0.9)
        own = np.zeros((N_BUCKETS, 2))
        axes, rows = self._rows(k)
        reached = self.found.values["waits"][rows, 0]
        low = value[np.searchsorted(bins, axes["wait"][reached > 0])] <= middle
        unit, reached = axes["unit"][reached > 0], reached[reached > 0]
        for column, number in enumerate((np.where(low, reached, 0), reached)):
            own[:, column] = np.bincount(unit, number, minlength=N_BUCKETS)
        below = ratio_of_sums(own[:, :1], own[:, 1:])
        ends = np.array([float(end[0]) for end in below.wilson(level)])
        band: Band = (middle, math.nan, math.nan)
        if not np.isnan(ends).any():
            bottom, top = _linear(count, value, ends)
            band = middle, min(bottom, middle), max(top, middle)
        _, count, value = self._spread(_BEFORE, k)
        mean = float(self._sum(k) / (count.sum() * 1_000_000))
        return *band, p90, mean, *self._quantiles(count, value, 0.5, 0.9)

    def _quantiles(self, count: Ints, value: Floats, *at: float) -> list[float]:
        if self.interpolated:
            return _linear(count, value, np.array(at))
        until = np.cumsum(count)
        ranks = [max(math.ceil(q * until[-1] - 1), 0) for q in at]
        found: list[float] = value[_of_rank(until, ranks)].tolist()
        return found

    def _rows(self, k: int) -> tuple[dict[str, Ints], Bools]:
        axes = self.found.axes["waits"]
        rows = axes["step"] == k
        return {name: codes[rows] for name, codes in axes.items()}, rows

    def _by_unit(self, k: int, column: int) -> Floats:
        axes, rows = self._rows(k)
        counts = self.found.values["waits"][rows, column]
        return np.bincount(axes["unit"], counts, minlength=N_BUCKETS).astype(np.float64)

    def _ends(self, k: int) -> tuple[Ends, Floats]:
        """Return how the waits for a step ended, and how many entered in each unit."""
        axes, rows = self._rows(k)
        ended, still = self.found.values["waits"][rows].T
        n = self._number(np.ones(self.reached.shape[1], dtype=np.bool_))
        stayed = n - self._by_unit(k, 0) - self._by_unit(k, 1)
        last, every = len(self.bounds) - 1, np.arange(N_BUCKETS)
        rest = np.rint(stayed).astype(np.int64)
        return Ends(
            n_fine=last,
            coarse_of=np.zeros(last, dtype=np.int64),
            n_units=N_BUCKETS,
            n_cells=1,
            unit=np.concatenate([axes["unit"], every]),
            cell=np.zeros(len(ended) + N_BUCKETS, dtype=np.int64),
            bin=np.concatenate([axes["wait"], np.full(N_BUCKETS, last)]),
            ended=np.concatenate([ended, rest]),
            open=np.concatenate([still, 0 * rest]),
        ), n

    def _spread(self, since: int, k: int) -> tuple[Ints, Ints, Floats]:
        """Return the bins of the times to a step, how many there are, and their mean [s]."""
        axes, values = self.found.axes["times"], self.found.values["times"]
        rows = np.flatnonzero((axes["since"] == since) & (axes["step"] == k))
        count = values[rows, 0]
        totals = whole_number(values[rows, 1:])
        means = [a / (m * 1_000_000) for a, m in zip(totals, count.tolist(), strict=True)]
        return axes["wait"][rows], count, np.array(means, dtype=np.float64)

    def _sum(self, k: int) -> int:
        axes, values = self.found.axes["times"], self.found.values["times"]
        rows = (axes["since"] == _BEFORE) & (axes["step"] == k)
        return sum(whole_number(values[rows, 1:]))


def _of_rank(until: Ints, ranks: Sequence[int]) -> Ints:
    return np.searchsorted(until, ranks, side="right")


def _linear(count: Ints, value: Floats, at: Floats) -> list[float]:
    """Return quantiles between two of the values, each of which comes so often."""
    until = np.cumsum(count)
    place = at * (until[-1] - 1)
    low = np.floor(place).astype(np.int64)
    one, other = (
        value[_of_rank(until, np.minimum(rank, until[-1] - 1).tolist())] for rank in (low, low + 1)
    )
    found: list[float] = (one + (place - low) * (other - one)).tolist()
    return found


def counted_entrants(
    statistics: JourneyStatistics, rules: Rules, censored: Censored
) -> CountedEntrants:
    """Return the entrants of a funnel that was counted; raise InvalidValue if it was not."""
    wanted = FunnelCounts.of_rules(rules, censored)
    of_customers = attrs.evolve(wanted, unit="customer")
    if wanted not in statistics.plan.analyses and of_customers in statistics.plan.analyses:
        wanted = of_customers
    found = counted_analysis(statistics, wanted)
    axes, weight = found.axes["entrants"], found.values["entrants"][:, 0]
    split = np.zeros((len(weight), N_BUCKETS), dtype=np.int64)
    split[np.arange(len(weight)), axes["unit"]] = weight
    everyone = None
    if rules.semantics.base == "all":
        everyone = _everyone(found).astype(np.float64)
    bits = (axes["pattern"] >> np.arange(len(rules.steps))[:, None]) & 1
    return CountedEntrants(
        reached=bits.astype(np.bool_),
        time=None,
        weight=weight,
        customer=None,
        units=Units(n=N_BUCKETS, split=split),
        everyone=everyone,
        followed_us=np.zeros(len(weight), dtype=np.int64),
        within_us=rules.within_us,
        running=axes["running"].astype(np.bool_),
        interpolated=rules.semantics.quantiles == "interpolated",
        found=found,
        bounds=wanted.bounds,
        names=wanted.names,
        unit=wanted.unit,
        n_units=int(_everyone(found).sum()),
    )
