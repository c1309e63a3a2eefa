"""Funnels in NumPy: which rows reach which step, for the attempts of all units at once.

Rows stand unit by unit in order of time, so that the latest row that reached the step before is
found by counting. The latest is the best: it has the latest beginning of an attempt, too
(beginnings never decrease along the rows that reach a step), so no other could be within a window
that it misses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Ints

    Reasons = NDArray[np.int8]

NEVER = int(np.iinfo(np.int64).max)


class StepReason:
    """Why a row that matches a step does not reach it."""

    REACHED, TOO_EARLY, EXCLUDED, WINDOW, STEP_WINDOW, NO_ENTRY, IMMATURE, TOO_SOON = range(8)


class Pattern(NamedTuple):
    """What a funnel looks for; durations in microseconds, `NEVER` for no limit.

    An attempt begins with a row of the first step. A row of step k continues the latest attempt
    that has reached step k - 1, or one of the optional steps since, if neither a limit nor an
    exclusion forbids it.

    Attributes
    ----------
    matches
        Whether each step, then each exclusion, matches a code, shape (steps + exclusions, codes).
    optional, limits
        Whether later steps may be reached without each step; its longest time after the one before.
    spans
        The two steps, from 0, between which each exclusion must not happen, shape (exclusions, 2).
    within, mature_until
        Longest time from the beginning of an attempt to a step; last time at which one may begin.
    strict, either, first
        Whether no other row may lie between two steps, rows of equal time count in either order,
        only the first row of the first step begins an attempt.
    gaps, grace
        Shortest time of each step after the one before (None: no such times); how much earlier than
        that one it may be stamped. The compiled kernel knows neither.
    """

    matches: Bools
    optional: Bools
    limits: Ints
    spans: Ints
    within: int
    mature_until: int
    strict: bool
    either: bool
    first: bool
    gaps: Ints | None = None
    grace: int = 0

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.optional)

    def sources(self, k: int) -> list[int]:
        """Return the steps from which step k may follow: the last required one and those since."""
        sources = [k - 1]
        while self.optional[sources[-1]]:
            sources.append(sources[-1] - 1)
        return sources


class Attempts(NamedTuple):
    """What every unit that entered has reached.

    `row` reached each step in the attempt that counts, the first of those that got deepest, shape
    (steps, units), -1 where none did; `unit` has the units that began an attempt, increasing.
    `entered` counts units with a row of the first step, whether an attempt may begin there or not,
    `kept_back` those that would have reached another step but for an exclusion.
    """

    unit: Ints
    row: Ints
    entered: int
    kept_back: int


class Candidates(NamedTuple):
    """The rows that match any step or exclusion, in order.

    [begin, end) are positions that are not told apart in time: that of the row alone, or those of
    its timestamp where ties count either way. `of_step` and `of_exclusion` have the positions of
    the rows that match each.
    """

    row: Ints
    unit: Ints
    time: Ints
    begin: Ints
    end: Ints
    of_step: list[Ints]
    of_exclusion: list[Ints]

    def rows_at(self, positions: Ints) -> Ints:
        """Return the rows at positions; -1 stays -1."""
        if not len(self.row):
            return positions
        return np.where(positions >= 0, self.row[positions], -1)


class Reached(NamedTuple):
    """Rows that reach one step (positions), and where their attempt began."""

    at: Ints
    start: Ints


def match_funnel(
    codes: NDArray[np.signedinteger], offsets: Ints, time: Ints | None, pattern: Pattern
) -> Attempts:
    """Return what every unit has reached; `time` is None where all rows are at once."""
    found = candidates_of(codes, offsets, time, pattern)
    reached, reasons = followed(found, pattern)
    unit, hit = best_attempts(found, pattern, reached, len(offsets) - 1)
    return Attempts(
        unit=unit,
        row=found.rows_at(hit),
        entered=int(np.count_nonzero(first_of_unit(found.unit[found.of_step[0]]))),
        kept_back=kept_back(found, reasons, unit, hit),
    )


def candidates_of(
    codes: NDArray[np.signedinteger], offsets: Ints, time: Ints | None, pattern: Pattern
) -> Candidates:
    """Return the rows that match any step or exclusion; see `funnel`."""
    matches = np.logical_or.reduce(pattern.matches)[codes]
    row = np.flatnonzero(matches)
    code = codes[row]
    positions = [np.flatnonzero(one[code]) for one in pattern.matches]
    unit = np.repeat(np.arange(len(offsets) - 1), np.diff(_count_before(matches)[offsets]))
    timestamp = np.zeros(len(row), dtype=np.int64) if time is None else time[row]
    begin = np.arange(len(row))
    end = begin + 1
    if pattern.either and time is not None:
        new = np.append(True, (unit[1:] != unit[:-1]) | (timestamp[1:] != timestamp[:-1]))[
            : len(row)
        ]
        bounds = np.append(np.flatnonzero(new), len(row))
        group = np.cumsum(new) - 1
        begin, end = bounds[group], bounds[group + 1]
    if pattern.grace:
        begin = _stop(unit, timestamp, -pattern.grace - 1)
        end = _stop(unit, timestamp, pattern.grace)
    return Candidates(
        row=row,
        unit=unit,
        time=timestamp,
        begin=begin,
        end=end,
        of_step=positions[: pattern.n_steps],
        of_exclusion=positions[pattern.n_steps :],
    )


def _stop(unit: Ints, time: Ints, shift: int) -> Ints:
    """Return one past the last row of its unit that is at most `shift` later than each row."""
    timestamps = np.unique(time)  # ranks: unit and timestamp in one number would not fit
    base = unit * (len(timestamps) + 1)
    clock = base + np.searchsorted(timestamps, time)
    last = base + np.searchsorted(timestamps, time + shift, side="right") - 1
    return np.searchsorted(clock, last, side="right")


def _count_before(mask: Bools) -> Ints:
    """Return how many are true before each place, and in all."""
    count = np.zeros(len(mask) + 1, dtype=np.int64)
    np.cumsum(mask.view(np.int8), out=count[1:])
    return count


def rank_of(found: Candidates, at: Ints) -> Ints:
    """Return how many of the positions `at` come before each position, and in all."""
    mask = np.zeros(len(found.row), dtype=np.bool_)
    mask[at] = True
    return _count_before(mask)


def first_of_unit(unit: Ints) -> Bools:
    """Return which of the units, in order, stand there for the first time."""
    first: Bools = np.append(True, unit[1:] != unit[:-1])[: len(unit)]
    return first


def followed(found: Candidates, pattern: Pattern) -> tuple[list[Reached], list[Reasons]]:
    """Return the rows that reach each step, and for each that matches it, why it does or not."""
    entries = found.of_step[0]
    mature = found.time[entries] <= pattern.mature_until
    allowed = mature & first_of_unit(found.unit[entries]) if pattern.first else mature
    reached, reasons = follow(found, pattern, entries[allowed])
    refused = np.where(mature, StepReason.NO_ENTRY, StepReason.IMMATURE)
    reasons[0] = np.where(allowed, StepReason.REACHED, refused).astype(np.int8)
    return reached, reasons


def follow(
    found: Candidates, pattern: Pattern, starts: Ints
) -> tuple[list[Reached], list[Reasons]]:
    """Follow all attempts at once from where they start; why they do so is left open."""
    reached = [Reached(at=starts, start=starts)]
    reasons = [np.zeros(0, dtype=np.int8)]
    for k in range(1, pattern.n_steps):
        at = found.of_step[k]
        start = np.full(len(at), -1, dtype=np.int64)
        reason = np.full(len(at), StepReason.TOO_EARLY, dtype=np.int8)
        for j in pattern.sources(k):
            came, why = _after(found, pattern, reached[j], at, k)
            better = came > start
            start[better] = came[better]
            reason = np.where(
                better, StepReason.REACHED, np.where(start < 0, np.maximum(reason, why), reason)
            ).astype(np.int8)
        ok = start >= 0
        reached.append(Reached(at=at[ok], start=start[ok]))
        reasons.append(reason)
    return reached, reasons


def _after(
    found: Candidates, pattern: Pattern, before: Reached, at: Ints, k: int
) -> tuple[Ints, Reasons]:
    """Return where the attempt began that each row continues, -1 where none, and why."""
    start = np.full(len(at), -1, dtype=np.int64)
    why = np.full(len(at), StepReason.TOO_EARLY, dtype=np.int8)
    if not len(before.at) or not len(at):
        return start, why
    either, gap = pattern.either or pattern.grace > 0, 0
    if pattern.gaps is not None:
        gap = int(pattern.gaps[k])
    if pattern.strict:
        place = np.searchsorted(found.row[before.at], found.row[at] - 1)
        place = np.minimum(place, len(before.at) - 1)
        follows = found.row[before.at[place]] == found.row[at] - 1
    else:
        rank = rank_of(found, before.at)
        place = rank[found.end[at] if either else at] - 1
        if either:  # a row does not follow itself
            place -= (place >= 0) & (before.at[place] == at)
        if gap:  # the latest that is long enough ago, else the one that is not
            ago = rank[_stop(found.unit, found.time, -gap)[at]] - 1
            enough = (ago >= 0) & (found.unit[before.at[ago]] == found.unit[at])
            place = np.where(enough, ago, place)
        follows = place >= 0
    follows &= found.unit[before.at[place]] == found.unit[at]
    some = np.flatnonzero(follows)
    here, place = at[some], place[some]
    previous, begun = before.at[place], before.start[place]
    verdict = np.full(len(some), StepReason.REACHED, dtype=np.int8)
    time = found.time[here]
    if gap:
        verdict[time - found.time[previous] < gap] = StepReason.TOO_SOON
    verdict[time - found.time[previous] > pattern.limits[k]] = StepReason.STEP_WINDOW
    verdict[time - found.time[begun] > pattern.within] = StepReason.WINDOW
    for (first, last), rows in zip(pattern.spans.tolist(), found.of_exclusion, strict=True):
        if first < k <= last and len(rows):
            rank = rank_of(found, rows)
            between = rank[found.begin[here]] > rank[found.end[previous]]
            verdict[between & (verdict == StepReason.REACHED)] = StepReason.EXCLUDED
    why[some] = verdict
    ok = verdict == StepReason.REACHED
    start[some[ok]] = begun[ok]
    return start, why


def best_attempts(
    found: Candidates, pattern: Pattern, reached: list[Reached], n_units: int
) -> tuple[Ints, Ints]:
    """Return the units that entered and the positions of the first attempt that got deepest."""
    units = found.unit[reached[0].at]
    unit = units[first_of_unit(units)]
    place = np.zeros(n_units, dtype=np.int64)
    place[unit] = np.arange(len(unit))
    start = np.full(len(unit), -1, dtype=np.int64)
    places = []
    for optional, part in zip(pattern.optional.tolist(), reached, strict=True):
        at = place[found.unit[part.at]]
        places.append(at)
        if not optional:
            start[at[::-1]] = part.start[::-1]  # the earliest is written last
    hit = np.full((len(reached), len(unit)), -1, dtype=np.int64)
    for k, (part, at) in enumerate(zip(reached, places, strict=True)):
        same = part.start == start[at]
        hit[k, at[same][::-1]] = part.at[same][::-1]
    return unit, hit


def kept_back(found: Candidates, reasons: list[Reasons], unit: Ints, hit: Ints) -> int:
    """Return the number of units that would have reached another step but for an exclusion."""
    if not found.of_exclusion:
        return 0
    kept = np.zeros(len(unit), dtype=np.bool_)
    for k in range(1, len(reasons)):
        rows = found.of_step[k][reasons[k] == StepReason.EXCLUDED]
        at = np.searchsorted(unit, found.unit[rows])
        kept[at] |= hit[k, at] < 0
    return int(np.count_nonzero(kept))
