"""Counts of touches that attribution adds up, where they depend on options."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney._support.validation import check_duration, check_names, duration_us
from cxjourney.attribution._attribution import Of
from cxjourney.attribution._touches import (
    Places,
    chosen_touches,
    counted_figures,
    touch_remarks,
    touches_of,
)
from cxjourney.journeys import (
    LIMB,
    MICRO,
    Analysis,
    By,
    Found,
    Kind,
    bucket_of_each,
    check_grain,
    counted_analysis,
    grain_name,
    low_and_high,
    missing_note,
    outcomes_of,
    visits_of,
    whole_number,
    words_of_money,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney._stats.buckets import BucketFigures
    from cxjourney.journeys import Journeys, JourneyStatistics

_PARTS = 1 << 40
"""In which a touch's share of its journey is counted."""

_FINER = 1 << 10  # shares of values are told in parts of a millionth

_MONEY = tuple(f"units{i}" for i in range(4))
_NO_TOUCH, _ONE_NAME = 0, 1


@attrs.frozen(kw_only=True)
class TouchCounts(Analysis):
    """What is counted of the touches of journeys.

    Attributes
    ----------
    by, look_back_us, ignore
        As of `first_touch`; a pair is a tuple, and names are sorted.
    """

    vocabularies: ClassVar[tuple[str, ...]] = ("name",)

    by: By
    look_back_us: int | None
    ignore: tuple[str, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the analysis again, or raise a ValueError, TypeError or KeyError."""
        fields = {**data, "by": _grain(data["by"]), "ignore": tuple(data["ignore"])}
        found = cls(**fields)
        times = [value for name, value in data.items() if name.endswith("_us")]
        if not all(value is None or (type(value) is int and value > 0) for value in times):
            raise ValueError("a time is no time")
        if found.ignore != tuple(sorted(check_names(found.ignore, "ignore"))):
            raise ValueError("names are not in order")
        return found

    def kinds(self, _plan: object) -> Mapping[str, Kind]:
        """Return what each table holds: visits by name, and conversions by how many names."""
        several = Kind(axes=("unit", "several"), columns=("count", *_MONEY), wide=((1, 5),))
        return {
            "names": Kind(axes=("name",)),
            "won": attrs.evolve(several, signed=True),
        }

    def sizes(self, _plan: object) -> Mapping[str, int]:
        """Return the size of the axis of conversions: with no name, one, or several."""
        return {"several": 3}

    def counted(
        self, journeys: Journeys, _plan: object
    ) -> tuple[Mapping[str, Sequence[str]], Mapping[str, Any]]:
        """Return the names in order, and the rows of the tables."""
        limit = self.look_back_us
        look_back = None if limit is None else timedelta(microseconds=limit)
        chosen = chosen_touches(journeys, self.by, look_back, self.ignore)
        visits = visits_of(chosen, self.by)
        order = sorted(range(len(visits.names)), key=visits.names.__getitem__)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        names = [visits.names[i] for i in order]
        node = place[visits.node]
        won = np.flatnonzero(chosen.converted)
        k = max(len(names), 1)
        several = np.bincount(
            distinct(visits.journey * k + node)[0] // k, minlength=len(chosen.outcome)
        )
        money = words_of_money(np.nan_to_num(chosen.value[won]))
        words, rows = self._more(chosen, names, node, place)
        unit = bucket_of_each(chosen)
        return {"name": names, **words}, {
            "names": ([node], None),
            "won": (
                [unit[won], np.minimum(several[won], 2)],
                [np.ones_like(won), *money],
            ),
            **rows,
        }

    def _more(
        self, chosen: Journeys, names: list[str], node: Ints, place: Ints
    ) -> tuple[dict[str, Sequence[str]], dict[str, Any]]:
        """Return further vocabularies, and the rows of further tables."""
        raise NotImplementedError

    def agree(self, _plan: object, found: Found, outcomes: Ints) -> bool:
        """Return whether the tables could be those of journeys."""
        won = np.zeros(N_BUCKETS, dtype=np.int64)
        np.add.at(won, found.axes["won"]["unit"], found.values["won"][:, 0])
        return np.array_equal(won, outcomes[:, 0])


def _grain(by: Any) -> By:
    found: By = tuple(by) if isinstance(by, list) else by
    check_grain(found)
    return found


def _options(
    by: By, look_back: timedelta | str | None, ignore: Any
) -> tuple[By, int | None, tuple[str, ...]]:
    check_grain(by)
    limit = None if look_back is None else duration_us(check_duration(look_back, "look_back"))
    return by, limit, tuple(sorted(check_names(ignore, "ignore")))


@attrs.frozen(kw_only=True)
class ShapleyCounts(TouchCounts):
    """What `shapley` counts: journeys by the set of names that they touch."""

    name: ClassVar[str] = "shapley"
    vocabularies: ClassVar[tuple[str, ...]] = ("name", "set")

    @classmethod
    def of(  # type: ignore[override]  # the options by name
        cls,
        _journeys: Journeys | None,
        *,
        by: By = "channel",
        look_back: timedelta | str | None = None,
        ignore: Any = (),
    ) -> Self:
        """Return what is counted, given the arguments of `shapley`."""
        grain, limit, names = _options(by, look_back, ignore)
        return cls(by=grain, look_back_us=limit, ignore=names)

    def kinds(self, plan: object) -> Mapping[str, Kind]:
        """Return what each table holds: journeys that have ended, and that converted, by set."""
        sets = Kind(
            axes=("unit", "set"),
            columns=("count", "won", *_MONEY),
            wide=((2, 6),),
            signed=True,
        )
        return {**super().kinds(plan), "sets": sets}

    def _more(
        self, chosen: Journeys, names: list[str], _node: Ints, place: Ints
    ) -> tuple[dict[str, Sequence[str]], dict[str, Any]]:
        member, set_of, item = sets_of(chosen, self.by)
        columns = np.empty_like(member)
        columns[:, place] = member
        texts = [json.dumps([names[i] for i in np.flatnonzero(row).tolist()]) for row in columns]
        order = sorted(range(len(texts)), key=texts.__getitem__)
        number = np.empty(len(order), dtype=np.int64)
        number[order] = np.arange(len(order))
        won = chosen.converted[item]
        money = words_of_money(np.nan_to_num(chosen.value[item]) * won)
        rows = [np.ones_like(item), won.astype(np.int64), *money]
        codes = [bucket_of_each(chosen)[item], number[set_of]]
        return {"set": [texts[i] for i in order]}, {"sets": (codes, rows)}

    def agree(self, plan: object, found: Found, outcomes: Ints) -> bool:
        """Return whether the tables could be those of journeys."""
        ended = np.zeros((2, N_BUCKETS), dtype=np.int64)
        count, won = found.values["sets"][:, :2].T
        for total, column in zip(ended, (count, won), strict=True):
            np.add.at(total, found.axes["sets"]["unit"], column)
        touching = np.zeros(N_BUCKETS, dtype=np.int64)
        some = found.axes["won"]["several"] != _NO_TOUCH
        np.add.at(touching, found.axes["won"]["unit"][some], found.values["won"][some, 0])
        known = set(found.names["name"])
        sets = [json.loads(text) for text in found.names["set"]]
        return bool(
            super().agree(plan, found, outcomes)
            and (won <= count).all()
            and (ended[0] <= outcomes[:, :2].sum(axis=1)).all()
            and np.array_equal(ended[1], touching)
            and all(
                json.dumps(one) == text and one and sorted(known.intersection(one)) == one
                for one, text in zip(sets, found.names["set"], strict=True)
            )
        )


def sets_of(journeys: Journeys, by: By) -> tuple[Bools, Ints, Ints]:
    """Return the sets of names that journeys touch, of those that have ended with a touch.

    Returns
    -------
    member, set_of, item
        Which names are in each set, shape (sets, K), the set of each such journey, and which
        journeys they are.
    """
    visits = visits_of(journeys, by)
    k = len(visits.names)
    touched = (journeys.outcome < 2) & (journeys.lengths > 0)  # what runs has no rate yet
    number = np.cumsum(touched) - 1
    chosen = touched[visits.journey]
    member = np.zeros((int(touched.sum()), k), dtype=np.bool_)
    member[number[visits.journey[chosen]], visits.node[chosen]] = True
    packed, set_of = np.unique(np.packbits(member, axis=1), axis=0, return_inverse=True)
    sets = np.unpackbits(packed, axis=1, count=k).astype(np.bool_) if k else member[:0]
    return sets, set_of.ravel(), np.flatnonzero(touched)


@attrs.frozen(kw_only=True)
class TimeDecayCounts(TouchCounts):
    """What `time_decay` counts: the shares of touches, in parts of a whole conversion."""

    name: ClassVar[str] = "time_decay"

    half_life_us: int

    @classmethod
    def of(  # type: ignore[override]  # the options by name
        cls,
        _journeys: Journeys | None,
        *,
        by: By = "channel",
        half_life: timedelta | str = "7d",
        look_back: timedelta | str | None = None,
        ignore: Any = (),
    ) -> Self:
        """Return what is counted, given the arguments of `time_decay`."""
        grain, limit, names = _options(by, look_back, ignore)
        half = duration_us(check_duration(half_life, "half_life"))
        return cls(by=grain, look_back_us=limit, ignore=names, half_life_us=half)

    def kinds(self, plan: object) -> Mapping[str, Kind]:
        """Return what each table holds: sums of shares, and of the values that they come with."""
        shares = Kind(
            axes=("unit", "name"),
            columns=("share0", "share1", *_MONEY),
            wide=((0, 2), (2, 6)),
            signed=True,
        )
        return {**super().kinds(plan), "shares": shares}

    def _more(
        self, chosen: Journeys, _names: list[str], _node: Ints, place: Ints
    ) -> tuple[dict[str, Sequence[str]], dict[str, Any]]:
        touches = touches_of(chosen, by=self.by, of="conversions")
        share = decayed_shares(touches.places(named=False), self.half_life_us)
        parts = np.rint(share * _PARTS).astype(np.int64)
        item = touches.item[touches.journey]
        money = words_of_money(np.nan_to_num(chosen.value[item]) * share * _FINER)
        words = [*low_and_high(parts), *money]
        return {}, {"shares": ([bucket_of_each(chosen)[item], place[touches.code]], words)}

    def agree(self, plan: object, found: Found, outcomes: Ints) -> bool:
        """Return whether the tables could be those of journeys."""
        shares = np.zeros(N_BUCKETS)
        low, high = found.values["shares"][:, :2].T
        np.add.at(shares, found.axes["shares"]["unit"], low + high * 2.0**LIMB)
        most = (outcomes[:, 0] + 1) * float(_PARTS) * (1 + 1e-6)
        return super().agree(plan, found, outcomes) and bool((shares <= most).all())


def decayed_shares(places: Places, half_us: int) -> Floats:
    """Return the share of each touch that counts half as much a half-life earlier."""
    before, journey = places.before_us, places.journey
    assert before is not None and journey is not None  # noqa: S101, PT018 - required by the caller
    # the touch next to the conversion has exponent 0, so that long journeys do not underflow
    weight = _halved((before - before[places.last][journey]) / half_us)
    share: Floats = weight / np.bincount(journey, weight)[journey]
    return share


def _halved(times: Floats) -> Floats:
    """Return 2 ** -times, to the same bit on every machine, which powers of floats are not.

    Each is the product of two entries of tables and of a polynomial of what is left.
    """
    whole = np.floor(times)
    rest = (times - whole) * 256
    first = np.floor(rest)
    rest = (rest - first) * 256
    second = np.floor(rest)
    left = (rest - second) * (_LN2 / 65_536)
    near = _COARSE[first.astype(np.int64)] * _FINE[second.astype(np.int64)]
    found: Floats = np.ldexp(
        near * (1 - left * (1 - left / 2)), -np.minimum(whole, 2_000).astype(np.int64)
    )
    return found


def _table(step: int) -> Floats:
    from decimal import Decimal, localcontext

    with localcontext(prec=40):
        return np.array([float(Decimal(2) ** (Decimal(-i) / step)) for i in range(256)])


_LN2 = 0.6931471805599453
_COARSE, _FINE = _table(256), _table(65_536)


@attrs.frozen(kw_only=True, eq=False)
class CountedCredits:
    """What was counted of the touches of statistics under options.

    Attributes
    ----------
    found, held
        The tables, and the journeys of each bucket.
    by, worth
        What is credited, and of what: "conversions" or "value".
    """

    found: Found
    held: Floats
    by: By
    worth: Of

    @classmethod
    def of(cls, statistics: JourneyStatistics, wanted: TouchCounts, worth: Of) -> Self:
        """Return what was counted; raise InvalidValue where it was not."""
        held = outcomes_of(statistics).sum(axis=(1, 2)).astype(np.float64)
        found = counted_analysis(statistics, wanted)
        return cls(found=found, held=held, by=wanted.by, worth=worth)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order."""
        return self.found.names["name"]

    @property
    def unattributed(self) -> float:
        """What conversions without a touch bring."""
        rows = self.found.values["won"][self.found.axes["won"]["several"] == _NO_TOUCH]
        return float((rows[:, 0] if self.worth == "conversions" else _worth(rows[:, 1:])).sum())

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be said where there is nothing to attribute, or names are missing."""
        several, n = self.found.axes["won"]["several"], self.found.values["won"][:, 0]
        visits = self.found.filled("names", len(self.names))[:, 0]
        return (
            *touch_remarks(
                int(n[several != _NO_TOUCH].sum()), several=bool((several > _ONE_NAME).any())
            ),
            *missing_note(self.names, visits, grain_name(self.by)),
        )

    def by_sets(self) -> tuple[Bools, Floats, Floats, Floats]:
        """Return sets of names, and by bucket what they bring, how many convert and how many end.

        The first has the shape (sets, K), the others (buckets, sets).
        """
        place = {name: i for i, name in enumerate(self.names)}
        sets = [json.loads(text) for text in self.found.names["set"]]
        member = np.zeros((len(sets), len(self.names)), dtype=np.bool_)
        for row, some in zip(member, sets, strict=True):
            row[[place[name] for name in some]] = True
        rows, axes = self.found.values["sets"], self.found.axes["sets"]
        worth, won, count = np.zeros((3, N_BUCKETS, len(sets)))
        for part, values in (
            (worth, rows[:, 1] if self.worth == "conversions" else _worth(rows[:, 2:])),
            (won, rows[:, 1]),
            (count, rows[:, 0]),
        ):
            part[axes["unit"], axes["set"]] = values
        return member, worth, won, count

    def equal(self) -> BucketFigures:
        """Return credits of which each name of a journey has the same share."""
        member, worth, won, _ = self.by_sets()
        share = member / np.maximum(member.sum(axis=1, keepdims=True), 1)
        return counted_figures(worth @ share, won @ share, self.held)

    def decayed(self) -> BucketFigures:
        """Return credits by the shares that were counted."""
        rows, axes = self.found.values["shares"], self.found.axes["shares"]
        parts = np.array(whole_number(rows[:, :2]), dtype=np.float64) / _PARTS
        own, rests = np.zeros((2, N_BUCKETS, len(self.names)))
        rests[axes["unit"], axes["name"]] = parts
        own[axes["unit"], axes["name"]] = (
            parts if self.worth == "conversions" else _worth(rows[:, 2:]) / _FINER
        )
        return counted_figures(own, rests, self.held)


def _worth(words: Ints) -> Floats:
    return np.array([total / MICRO for total in whole_number(words)], dtype=np.float64)
