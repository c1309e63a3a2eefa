"""Observations without a null: shifts of the mix, loops, waits and low points with what follows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.landmark import LandmarkDifference, Landmarks
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.table import Table, format_value
from cxjourney.journeys import segments_of, units_of

if TYPE_CHECKING:
    from cxjourney._findings._trials import Trials
    from cxjourney.domain import JourneyBlueprint

_FEWEST = 100
_SMALL_P = 0.01
_ALL_TOGETHER = 0.05  # after correction for the touchpoints of a kind
_LONG = 0.75  # a wait is long above this quantile of those at its touchpoint
_MOST = 2  # of each kind
_MOSTLY = 0.9
_DAY_S = 86_400


@attrs.frozen(kw_only=True, eq=False)
class Observation:
    """Something that comes with fewer conversions, without a null that could make it sure."""

    kind: str  # its name, as that of a finding
    touchpoint: int  # where; -1 everywhere
    sentence: str  # what was seen
    visits: Bools  # the visits that it is about
    effect: float  # by how much fewer convert, with its interval
    low: float
    high: float
    p: float  # one-sided p-value, not corrected


def observations(trials: Trials, *, level: float) -> list[Observation]:
    """Return loops, waits and low points after which the goal is reached less often."""
    found: list[Observation] = []
    if not trials.window:
        return found
    found += _worst(trials, "loop", _again(trials), trials.is_first | _again(trials), level)
    found += _worst(trials, "wait", *_after_long_waits(trials), level)
    numeric = trials.journeys.columns.numeric
    rows = trials.visits.row
    mood = numeric.get("emotion", numeric.get("score"))
    if mood is not None:
        felt = mood[rows]
        known = ~np.isnan(felt)
        if known.any():  # else only goals were asked about, which are no visits
            bar = 0.0 if "emotion" in numeric else float(np.nanquantile(felt, 0.25))
            found += _worst(trials, "low point", known & (felt < bar), known, level)
    if "expectation" in numeric and "score" in numeric:
        gap = numeric["score"][rows] - numeric["expectation"][rows]
        known = ~np.isnan(gap)
        found += _worst(trials, "expectation gap", known & (gap < 0), known, level)
    return found


def deviations(trials: Trials, blueprint: JourneyBlueprint, *, level: float) -> list[Observation]:
    """Return deviations from a blueprint that go with fewer conversions.

    Steps that are missing are none of them: whoever leaves early has not come to the rest.
    """
    from cxjourney.blueprint import fit

    found = fit(trials.journeys, blueprint, level=level)
    seen = []
    for row in found.conversion:
        kind, step = str(row["deviation"]), str(row["step"])
        p, less = float(row["adjusted_p"] or np.nan), -float(row["difference"] or np.nan)
        if kind in {"missing", "skipped"} or not (p <= _SMALL_P and less > 0):
            continue
        with_it = np.asarray(found.per_journey[kind])[trials.journey] > 0
        place = trials.names.index(step) if step in trials.names else -1
        seen.append(
            Observation(
                kind="deviation from the blueprint",
                touchpoint=place,
                sentence=f"Of journeys in which {step} is {kind.replace('_', ' ')}, unlike in the "
                f"blueprint, {100 * less:.1f} points fewer convert.",
                visits=with_it & ((trials.touchpoint == place) | (place < 0)),
                effect=less,
                low=-float(row["high"] or np.nan),
                high=-float(row["low"] or np.nan),
                p=p,
            )
        )
    return sorted(seen, key=lambda one: -one.low * np.count_nonzero(one.visits))[:_MOST]


_WORDS = {
    "loop": "Of those who come to {x} a second time ({share} of its journeys)",
    "wait": "After a long wait at {x} (the longest quarter)",
    "low point": "After a bad experience at {x} ({share} of its visits that were rated)",
    "expectation gap": "After a visit of {x} that fell short of expectations ({share})",
}


def _worst(trials: Trials, kind: str, mine: Bools, among: Bools, level: float) -> list[Observation]:
    """Return the touchpoints at which some visits are followed by fewer conversions than others."""
    from cxjourney._stats.buckets import t_quantile

    rows = np.flatnonzero(among | mine)
    place = trials.touchpoint[rows]
    if kind == "wait":  # the landmark is the arrival at the next touchpoint
        place = trials.touchpoint[rows - 1]
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(trials.size + 1))
    found, tested = [], 0
    for x, (a, b) in enumerate(pairwise(bounds.tolist())):
        some = rows[order[a:b]]
        first = mine[some]
        if min(first.sum(), (~first).sum()) < _FEWEST:
            continue
        d = _difference(trials, some, first)
        tested += 1
        if not d.p <= _SMALL_P:
            continue
        half = float(t_quantile(level, np.array(d.units - 1))) * np.sqrt(d.variance)
        share = format_value(float(first.mean()), "percent")
        start = _WORDS[kind].format(x=trials.names[x], share=share)
        visits = np.zeros(len(trials.touchpoint), dtype=np.bool_)
        visits[some[first]] = True
        found.append(
            Observation(
                kind=kind,
                touchpoint=x,
                sentence=f"{start}, {-100 * d.value:.1f} points fewer reach the goal within "
                f"{trials.within} than otherwise.",
                visits=visits,
                effect=-d.value,
                low=-d.value - half,
                high=-d.value + half,
                p=d.p,
            )
        )
    found = [one for one in found if one.p * tested <= _ALL_TOGETHER]
    found.sort(key=lambda one: -one.low * np.count_nonzero(one.visits))
    return found[:_MOST]


def _difference(trials: Trials, rows: Ints, first: Bools) -> LandmarkDifference:
    landmarks = Landmarks.of(
        trials.until_goal[rows], trials.followed[rows], trials.customer[rows], trials.window
    )
    return landmarks.difference(first)


def _again(trials: Trials) -> Bools:
    """Return the second visit of each journey at its touchpoint."""
    rest = np.flatnonzero(~trials.is_first & (trials.time_us >= trials.begin_us))
    key = trials.journey[rest] * max(trials.size, 1) + trials.touchpoint[rest]
    again = np.zeros(len(trials.touchpoint), dtype=np.bool_)
    again[rest[np.unique(key, return_index=True)[1]]] = True
    return again


def _after_long_waits(trials: Trials) -> tuple[Bools, Bools]:
    """Return arrivals after a long wait at the touchpoint before, and all arrivals."""
    arrived = np.ones(len(trials.touchpoint), dtype=np.bool_)
    arrived[trials.visits.first] = False
    wait = np.diff(trials.time_us, prepend=trials.time_us[:1])
    before = np.concatenate([[-1], trials.touchpoint])[: len(wait)]
    long = np.zeros(len(wait), dtype=np.bool_)
    rows = np.flatnonzero(arrived)
    order = rows[np.lexsort((wait[rows], before[rows]))]
    bounds = np.searchsorted(before[order], np.arange(trials.size + 1))
    for a, b in pairwise(bounds.tolist()):
        bar = wait[order[min(a + int(_LONG * (b - a)), b - 1)]] if b > a else 0
        if bar > _DAY_S * 250_000:  # a quarter of a day
            long[order[a:b]] = wait[order[a:b]] >= bar
    return long, arrived


def mix_shift(trials: Trials, *, level: float) -> tuple[Table, list[Observation]]:
    """Return the change of the conversion rate between both halves: rates and mix apart.

    Kitagawa's (1955) split by the first touchpoint and by each attribute: what would have changed
    with the same rates within groups, and what with the same groups.
    """
    first = trials.visits.first
    ripe = first[trials.followed[first] >= trials.window]
    journey = trials.journey[ripe]
    late = trials.day[ripe] >= trials.n_days / 2
    won = (trials.until_goal[ripe] <= trials.window).astype(np.float64)
    origin = segments_of(trials.journeys, "origin")
    groupings = [
        (origin.name, origin.code[journey], len(origin.values)),
        ("first touchpoint", trials.touchpoint[ripe], trials.size),
    ]
    for attribute in trials.attributes:
        code = attribute.code[journey]
        size = len(attribute.values)
        groupings.append((attribute.name, np.where(code < 0, size, code), size + 1))
    rows: dict[str, list[float | str]] = {
        name: [] for name in ("by", "change", "mix", "mix_low", "mix_high", "rates", "p")
    }
    units = units_of(trials.journeys)
    for name, code, size in groupings:
        if min(late.sum(), (~late).sum()) < _FEWEST:
            continue
        n, k = (
            units.sums(code + size * late, 2 * size, item=journey, values=values).reshape(
                -1, 2, size
            )
            for values in (None, won)
        )
        total_n, total_k = n.sum(axis=0), k.sum(axis=0)
        figures = BucketFigures(
            whole=_kitagawa(total_n, total_k),
            without=_kitagawa(total_n - n, total_k - k),
            units=n.sum(axis=(1, 2))[:, None] * np.ones(2),
        )
        mix, rates = figures.whole.tolist()
        low, high = (float(end[0]) for end in figures.student(level))
        values = (name, mix + rates, mix, low, high, rates, float(figures.p_value()[0]))
        for column, value in zip(rows.values(), values, strict=True):
            column.append(value)
    percent = dict.fromkeys(("change", "mix", "mix_low", "mix_high", "rates"), "percent")
    table = Table(rows, formats=percent, backend=trials.journeys.log.backend)
    return table, _shifted(trials, table)


def _kitagawa(n: Floats, k: Floats) -> Floats:
    """Return mix and rate part of the change from the first to the second period."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = k / n
        share = n / n.sum(axis=-1, keepdims=True)
    before, after = rate[..., 0, :], rate[..., 1, :]
    # a group that one period lacks has the rate of the other
    before, after = (
        np.where(np.isnan(before), after, before),
        np.where(np.isnan(after), before, after),
    )
    before, after = np.nan_to_num(before), np.nan_to_num(after)
    s0, s1 = share[..., 0, :], share[..., 1, :]
    mix = ((s1 - s0) * (before + after) / 2).sum(axis=-1)
    rates = ((after - before) * (s0 + s1) / 2).sum(axis=-1)
    return np.stack([mix, rates], axis=-1)


def _shifted(trials: Trials, table: Table) -> list[Observation]:
    p = np.asarray(table["p"], dtype=np.float64)
    mix = np.asarray(table["mix"], dtype=np.float64)
    fewer = np.asarray(table["change"], dtype=np.float64) < 0
    worse: Ints = np.flatnonzero((p * len(p) <= _SMALL_P) & (mix < 0) & fewer)
    if not len(worse):
        return []
    # several groupings may tell the same shift: the first of those that tell most of it
    i = int(worse[np.argmax(mix[worse] <= _MOSTLY * mix[worse].min())])
    row = table.row(i)
    rates = float(np.asarray(table["rates"])[i])
    return [
        Observation(
            kind="shift of the mix",
            touchpoint=-1,
            sentence="Fewer journeys convert in the second half because other customers come "
            f"(by {row['by']}): the mix changes the rate by {100 * mix[i]:.1f} points, the rates "
            f"within groups change it by {100 * rates:+.1f}.",
            visits=np.asarray(trials.day >= trials.n_days / 2),
            effect=-float(mix[i]),
            low=-float(np.asarray(table["mix_high"])[i]),
            high=-float(np.asarray(table["mix_low"])[i]),
            p=float(p[i]),
        )
    ]
