"""Which interactions of which unit satisfy which step, for all units at once.

Rows stand unit by unit in order, so that the latest interaction that reached the step before is
found by counting. The latest is the best: it has the latest beginning of an attempt, too
(beginnings never decrease along the rows that reach a step), so no other could be within a window
that it misses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.validation import duration_us
from cxjourney.dropoff.semantics import Semantics
from cxjourney.dropoff.steps import Exclusion, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Candidates", "Matched", "Order", "Reason", "Rules", "candidates_of", "match"]

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Order = Literal["ordered", "strict", "unordered"]

NEVER = np.iinfo(np.int64).max


class Reason:
    """Why a row that matches a step does not reach it."""

    REACHED, TOO_EARLY, EXCLUDED, WINDOW, STEP_WINDOW, NO_ENTRY, IMMATURE = range(7)


@attrs.frozen(kw_only=True)
class Rules:
    """Everything that decides a match; durations in microseconds."""

    steps: tuple[Step, ...]
    exclude: tuple[Exclusion, ...]
    order: Order
    within_us: int | None
    semantics: Semantics
    mature_until_us: int | None

    def sources(self, k: int) -> list[int]:
        """Return the steps from which step k may follow: the last required one and those since."""
        sources = [k - 1]
        while self.steps[sources[-1]].optional:
            sources.append(sources[-1] - 1)
        return sources


@attrs.frozen(kw_only=True, eq=False)
class Candidates:
    """The rows that match any step or exclusion, in order.

    Attributes
    ----------
    row
        Row in the columns.
    unit
        Number of the unit.
    time
        Stamp [µs]; zeros where there are none.
    begin, end
        Positions [begin, end) that are not told apart in time: that of the row alone, or those of
        its stamp where ties count either way.
    of_step, of_exclusion
        Positions (in these arrays) of the rows that match each step, and each exclusion.
    """

    row: Ints
    unit: Ints
    time: Ints
    begin: Ints
    end: Ints
    of_step: list[Ints]
    of_exclusion: list[Ints]


@attrs.frozen(kw_only=True, eq=False)
class _Reached:
    """Rows that reach one step (positions), and where their attempt began."""

    at: Ints
    start: Ints


@attrs.frozen(kw_only=True, eq=False)
class Matched:
    """What every unit that entered has reached.

    Attributes
    ----------
    unit
        Numbers of the units that entered, increasing.
    hit
        Position among the candidates that reached each step in the attempt that counts, shape
        (steps, units); -1 where it was not reached.
    excluded
        Number of units that an exclusion removed or kept from a step.
    immature
        Number of units left out since no window of theirs was over.
    reasons
        For each step, why the rows that match it reach it or do not.
    """

    unit: Ints
    hit: Ints
    excluded: int
    immature: int
    reasons: list[NDArray[np.int8]]


def candidates_of(
    codes: NDArray[np.integer],
    names: Sequence[str],
    offsets: Ints,
    time: Ints | None,
    rules: Rules,
) -> Candidates:
    """Return the rows that match any step or exclusion.

    Parameters
    ----------
    codes, names
        The touchpoint of each row, and their names.
    offsets
        Rows of unit i are [offsets[i], offsets[i + 1]).
    time
        Stamp of each row [µs]; None for aggregated paths.
    rules
        The steps and exclusions.
    """
    sets = [step.match for step in rules.steps] + [x.match for x in rules.exclude]
    wanted = np.array([any(name in s for s in sets) for name in names], dtype=np.bool_)
    matches = wanted[codes] if len(names) else np.zeros(0, dtype=np.bool_)
    row = np.flatnonzero(matches)
    code = codes[row]
    positions = []
    for match_ in sets:
        one = np.array([name in match_ for name in names], dtype=np.bool_)
        positions.append(np.flatnonzero(one[code]) if len(names) else row)
    unit = np.repeat(np.arange(len(offsets) - 1), np.diff(_count_before(matches)[offsets]))
    stamp = np.zeros(len(row), dtype=np.int64) if time is None else time[row]
    begin = np.arange(len(row))
    end = begin + 1
    if rules.semantics.ties == "either" and time is not None:
        new = np.append(True, (unit[1:] != unit[:-1]) | (stamp[1:] != stamp[:-1]))[: len(row)]
        bounds = np.append(np.flatnonzero(new), len(row))
        group = np.cumsum(new) - 1
        begin, end = bounds[group], bounds[group + 1]
    n = len(rules.steps)
    return Candidates(
        row=row,
        unit=unit,
        time=stamp,
        begin=begin,
        end=end,
        of_step=positions[:n],
        of_exclusion=positions[n:],
    )


def _count_before(mask: Mask) -> Ints:
    """Return how many are true before each place, and in all."""
    count = np.zeros(len(mask) + 1, dtype=np.int64)
    np.cumsum(mask.view(np.int8), out=count[1:])
    return count


def _rank(found: Candidates, at: Ints) -> Ints:
    """Return how many of the positions `at` come before each position, and in all."""
    mask = np.zeros(len(found.row), dtype=np.bool_)
    mask[at] = True
    return _count_before(mask)


def match(found: Candidates, rules: Rules, n_units: int) -> Matched:
    """Return what every unit has reached."""
    if rules.order == "unordered":
        return _unordered(found, rules)
    entries = found.of_step[0]
    mature = _mature(found, entries, rules)
    if rules.semantics.entry == "first":
        first = _first_of_unit(found.unit[entries])
        reached, reasons = _follow(found, rules, entries[first & mature])
        allowed = first & mature
    elif rules.semantics.entry == "any":
        reached, reasons = _follow(found, rules, entries[mature])
        allowed = mature
    else:
        reached, reasons, allowed = _one_at_a_time(found, rules, entries, mature)
    reasons[0] = np.where(
        allowed, Reason.REACHED, np.where(mature, Reason.NO_ENTRY, Reason.IMMATURE)
    ).astype(np.int8)
    unit, hit = _best_attempts(found, rules, reached, n_units)
    immature = int(np.count_nonzero(_first_of_unit(found.unit[entries]))) - len(unit)
    excluded = _kept_back(found, rules, reasons, unit, hit)
    if rules.semantics.exclusion == "unit" and rules.exclude:
        out = _disqualified(found, rules, reached, unit, hit)
        excluded = int(np.count_nonzero(out))
        unit, hit = unit[~out], hit[:, ~out]
    return Matched(unit=unit, hit=hit, excluded=excluded, immature=immature, reasons=reasons)


def _mature(found: Candidates, at: Ints, rules: Rules) -> Mask:
    if rules.mature_until_us is None:
        return np.ones(len(at), dtype=np.bool_)
    mature: Mask = found.time[at] <= rules.mature_until_us
    return mature


def _first_of_unit(unit: Ints) -> Mask:
    first: Mask = np.append(True, unit[1:] != unit[:-1])[: len(unit)]
    return first


def _follow(
    found: Candidates, rules: Rules, starts: Ints
) -> tuple[list[_Reached], list[NDArray[np.int8]]]:
    """Follow all attempts at once from where they start."""
    reached = [_Reached(at=starts, start=starts)]
    reasons = [np.zeros(0, dtype=np.int8)]
    for k in range(1, len(rules.steps)):
        at = found.of_step[k]
        start = np.full(len(at), -1, dtype=np.int64)
        reason = np.full(len(at), Reason.TOO_EARLY, dtype=np.int8)
        for j in rules.sources(k):
            came, why = _after(found, rules, reached[j], at, k)
            better = came > start
            start[better] = came[better]
            reason = np.where(
                better, Reason.REACHED, np.where(start < 0, np.maximum(reason, why), reason)
            ).astype(np.int8)
        ok = start >= 0
        reached.append(_Reached(at=at[ok], start=start[ok]))
        reasons.append(reason)
    return reached, reasons


def _after(
    found: Candidates, rules: Rules, before: _Reached, at: Ints, k: int
) -> tuple[Ints, NDArray[np.int8]]:
    """Return where the attempt began that each row continues, -1 where none, and why."""
    start = np.full(len(at), -1, dtype=np.int64)
    why = np.full(len(at), Reason.TOO_EARLY, dtype=np.int8)
    if not len(before.at) or not len(at):
        return start, why
    if rules.order == "strict":
        place = np.searchsorted(found.row[before.at], found.row[at] - 1)
        place = np.minimum(place, len(before.at) - 1)
        follows = found.row[before.at[place]] == found.row[at] - 1
    else:
        either = rules.semantics.ties == "either"
        place = _rank(found, before.at)[found.end[at] if either else at] - 1
        if either:  # a row does not follow itself
            place -= (place >= 0) & (before.at[place] == at)
        follows = place >= 0
    follows &= found.unit[before.at[place]] == found.unit[at]
    some = np.flatnonzero(follows)
    here, place = at[some], place[some]
    previous, begun = before.at[place], before.start[place]
    verdict = np.full(len(some), Reason.REACHED, dtype=np.int8)
    time = found.time[here]
    step_within = rules.steps[k].within
    if step_within is not None:
        late = time - found.time[previous] > duration_us(step_within)
        verdict[late] = Reason.STEP_WINDOW
    if rules.within_us is not None:
        verdict[time - found.time[begun] > rules.within_us] = Reason.WINDOW
    for exclusion, rows in zip(rules.exclude, found.of_exclusion, strict=True):
        first, last = exclusion.span(len(rules.steps))
        if first < k <= last and len(rows):
            rank = _rank(found, rows)
            between = rank[found.begin[here]] > rank[found.end[previous]]
            verdict[between & (verdict == Reason.REACHED)] = Reason.EXCLUDED
    why[some] = verdict
    ok = verdict == Reason.REACHED
    start[some[ok]] = begun[ok]
    return start, why


def _one_at_a_time(
    found: Candidates, rules: Rules, entries: Ints, mature: Mask
) -> tuple[list[_Reached], list[NDArray[np.int8]], Mask]:
    """Follow one attempt of each unit after the other; a loop over rounds, not over units."""
    n = len(rules.steps)
    merged = [_Reached(at=entries[:0], start=entries[:0]) for _ in range(n)]
    reasons = [np.full(len(rows), Reason.TOO_EARLY, dtype=np.int8) for rows in found.of_step]
    allowed = np.zeros(len(entries), dtype=np.bool_)
    open_ = mature.copy()
    while open_.any():
        waiting = np.flatnonzero(open_)
        begin = waiting[_first_of_unit(found.unit[entries[waiting]])]
        allowed[begin] = True
        starts = entries[begin]
        reached, why = _follow(found, rules, starts)
        ends = _ends(found, rules, starts, reached)
        for k in range(n):
            alive = reached[k].at <= ends[np.searchsorted(starts, reached[k].start)]
            merged[k] = _Reached(
                at=np.concatenate([merged[k].at, reached[k].at[alive]]),
                start=np.concatenate([merged[k].start, reached[k].start[alive]]),
            )
            if k:
                reasons[k] = np.where(
                    (why[k] == Reason.REACHED) | (reasons[k] == Reason.TOO_EARLY),
                    why[k],
                    reasons[k],
                ).astype(np.int8)
        at = np.searchsorted(found.unit[starts], found.unit[entries])
        at = np.minimum(at, len(starts) - 1)
        running = found.unit[starts[at]] == found.unit[entries]
        open_ &= running & (entries > ends[at])
    return [_in_order(part) for part in merged], reasons, allowed


def _in_order(part: _Reached) -> _Reached:
    order = np.argsort(part.at, kind="stable")
    return _Reached(at=part.at[order], start=part.start[order])


def _ends(found: Candidates, rules: Rules, starts: Ints, reached: list[_Reached]) -> Ints:
    """Return the last position that belongs to each attempt; the very last if it never ends."""
    ends = np.full(len(starts), len(found.row), dtype=np.int64)
    if rules.within_us is not None:
        # ranks instead of stamps: unit and stamp in one number would not fit
        stamps = np.unique(found.time)
        clock = found.unit * (len(stamps) + 1) + np.searchsorted(stamps, found.time)
        last_in = np.searchsorted(stamps, found.time[starts] + rules.within_us, side="right") - 1
        limit = found.unit[starts] * (len(stamps) + 1) + last_in
        ends = np.searchsorted(clock, limit, side="right") - 1
    last = reached[-1]
    done = np.searchsorted(starts, last.start)
    np.minimum.at(ends, done, last.at)
    # whoever converted is done: a unit counts once
    ends[np.unique(done)] = len(found.row)
    for exclusion, rows in zip(rules.exclude, found.of_exclusion, strict=True):
        met, start = _breaks(found, rules, reached, rows, exclusion.span(len(rules.steps)))
        begun = np.searchsorted(starts, start)
        unfinished = ~np.isin(begun, done)
        np.minimum.at(ends, begun[unfinished], met[unfinished])
    return ends


def _breaks(
    found: Candidates,
    rules: Rules,
    reached: list[_Reached],
    rows: Ints,
    span: tuple[int, int],
) -> tuple[Ints, Ints]:
    """Return the exclusion rows that meet an attempt between its steps, and where it began."""
    met, begun = [], []
    for j in range(*span):
        here, ahead = reached[j], reached[j + 1]
        start = _latest(found, here, rows)
        live = start >= 0
        if rules.within_us is not None:
            live &= found.time[rows] - found.time[start] <= rules.within_us
        live &= _latest(found, ahead, rows) != start
        met.append(rows[live])
        begun.append(start[live])
    return np.concatenate(met), np.concatenate(begun)


def _latest(found: Candidates, before: _Reached, rows: Ints) -> Ints:
    """Return where the attempt began that reached a step last before each row; -1 for none."""
    if not len(before.at):
        return np.full(len(rows), -1, dtype=np.int64)
    place = _rank(found, before.at)[found.begin[rows]] - 1
    ok = (place >= 0) & (found.unit[before.at[place]] == found.unit[rows])
    return np.where(ok, before.start[place], -1)


def _best_attempts(
    found: Candidates, rules: Rules, reached: list[_Reached], n_units: int
) -> tuple[Ints, Ints]:
    """Return the units that entered and the rows of the first attempt that got deepest."""
    units = found.unit[reached[0].at]
    unit = units[_first_of_unit(units)]
    place = np.zeros(n_units, dtype=np.int64)
    place[unit] = np.arange(len(unit))
    start = np.full(len(unit), -1, dtype=np.int64)
    places = []
    for step, part in zip(rules.steps, reached, strict=True):
        at = place[found.unit[part.at]]
        places.append(at)
        if not step.optional:
            start[at[::-1]] = part.start[::-1]  # the earliest is written last
    hit = np.full((len(reached), len(unit)), -1, dtype=np.int64)
    for k, (part, at) in enumerate(zip(reached, places, strict=True)):
        same = part.start == start[at]
        hit[k, at[same][::-1]] = part.at[same][::-1]
    return unit, hit


def _kept_back(
    found: Candidates,
    rules: Rules,
    reasons: list[NDArray[np.int8]],
    unit: Ints,
    hit: Ints,
) -> int:
    """Return the number of units that would have got further but for an exclusion."""
    if not rules.exclude:
        return 0
    kept = np.zeros(len(unit), dtype=np.bool_)
    for k in range(1, len(rules.steps)):
        rows = found.of_step[k][reasons[k] == Reason.EXCLUDED]
        at = np.searchsorted(unit, found.unit[rows])
        kept[at] |= hit[k, at] < 0
    return int(np.count_nonzero(kept))


def _disqualified(
    found: Candidates, rules: Rules, reached: list[_Reached], unit: Ints, hit: Ints
) -> Mask:
    """Return the units that met an exclusion between its steps before they had converted."""
    out = np.zeros(len(unit), dtype=np.bool_)
    for exclusion, rows in zip(rules.exclude, found.of_exclusion, strict=True):
        met, _ = _breaks(found, rules, reached, rows, exclusion.span(len(rules.steps)))
        at = np.searchsorted(unit, found.unit[met])
        converted = hit[-1, at]
        out[at[(converted < 0) | (met < converted)]] = True
    return out


def _unordered(found: Candidates, rules: Rules) -> Matched:
    """Count how many different steps each unit has done inside one window."""
    n, size = len(rules.steps), len(found.row)
    allowed = _mature(found, np.arange(size), rules)
    if rules.semantics.entry == "first":
        allowed &= _first_of_unit(found.unit)
    begin = np.flatnonzero(allowed)
    done = np.full((len(begin), n), NEVER, dtype=np.int64)
    seen: dict[frozenset[str], int] = {}
    for k, step in enumerate(rules.steps):
        rows = found.of_step[k]
        again = seen.get(step.match, 0)  # a step named twice needs two interactions
        seen[step.match] = again + 1
        place = np.searchsorted(rows, begin) + again
        there = np.flatnonzero(place < len(rows))
        at = rows[place[there]]
        ok = found.unit[at] == found.unit[begin[there]]
        if rules.within_us is not None:
            ok &= found.time[at] - found.time[begin[there]] <= rules.within_us
        done[there[ok], k] = at[ok]
    done.sort(axis=1)
    depth = (done < NEVER).sum(axis=1)
    order = np.lexsort((np.arange(len(begin)), -depth, found.unit[begin]))
    best = order[_first_of_unit(found.unit[begin[order]])]
    hit = np.where(done[best] < NEVER, done[best], -1).T
    entered = np.count_nonzero(_first_of_unit(found.unit))
    return Matched(
        unit=found.unit[begin[best]],
        hit=hit,
        excluded=0,
        immature=int(entered) - len(best),
        reasons=[np.zeros(len(rows), dtype=np.int8) for rows in found.of_step],
    )
