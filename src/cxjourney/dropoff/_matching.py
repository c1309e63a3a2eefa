"""Matching of interactions to the steps of a funnel, for all units at once.

The kernel `match_funnel` follows attempts that begin at any entry, or at the first. Its rules
are here, and the ways to match that need more than one pass over the rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney import kernels
from cxjourney._support.array_types import Bools, Ints
from cxjourney._support.validation import duration_us
from cxjourney.dropoff._semantics import Order, Semantics
from cxjourney.dropoff._steps import Condition, Exclusion, Step
from cxjourney.kernels import (
    NEVER,
    Candidates,
    Pattern,
    Reached,
    StepReason,
    best_attempts,
    candidates_of,
    first_of_unit,
    follow,
    followed,
    kept_back,
    rank_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

Holds = Mapping[Condition, "Bools"]
"""Whether each code meets a condition."""


@attrs.frozen(kw_only=True)
class Rules:
    """Everything that decides a match; durations in microseconds."""

    steps: tuple[Step, ...]
    exclude: tuple[Exclusion, ...]
    order: Order
    within_us: int | None
    semantics: Semantics
    mature_until_us: int | None
    attempts: bool = False

    @property
    def ordered(self) -> bool:
        """Whether each step follows the one before."""
        return self.order in {"ordered", "strict"}

    @property
    def compiled(self) -> bool:
        """Whether one pass of the kernel finds the match."""
        plain = self.semantics.grace is None and self.semantics.ties != "forbidden"
        one = self.semantics.entry in {"any", "first"} and not (self.voids or self.attempts)
        return plain and one and self.ordered and not any(step.after for step in self.steps)

    @property
    def voids(self) -> bool:
        """Whether an exclusion voids its attempt, the first step included."""
        return self.semantics.exclusion == "void" and bool(self.exclude)

    def pattern(self, names: Sequence[str], holds: Holds) -> Pattern:
        """Return the rules in codes of these names, which meet these conditions."""
        sets: list[Step | Exclusion] = [*self.steps, *self.exclude]
        matches = np.array(
            [[not one.match or name in one.match for name in names] for one in sets], dtype=np.bool_
        )
        for line, one in zip(matches, sets, strict=True):
            if any(one.condition):
                line &= holds[one.condition]
        least = int(self.semantics.ties == "forbidden")
        gaps = [0, *(max(least, _us(step.after)) for step in self.steps[1:])]
        limits = [NEVER if s.within is None else duration_us(s.within) for s in self.steps]
        spans = np.array([x.span(len(self.steps)) for x in self.exclude], dtype=np.int64)
        return Pattern(
            matches=matches.reshape(len(sets), len(names)),
            optional=np.array([step.optional for step in self.steps], dtype=np.bool_),
            limits=np.array(limits, dtype=np.int64),
            spans=spans.reshape(len(self.exclude), 2),
            within=NEVER if self.within_us is None else self.within_us,
            mature_until=NEVER if self.mature_until_us is None else self.mature_until_us,
            strict=self.order == "strict",
            either=self.semantics.ties == "either",
            first=self.semantics.entry == "first",
            gaps=np.array(gaps, dtype=np.int64) if any(gaps) else None,
            grace=_us(self.semantics.grace),
        )


def _us(duration: timedelta | None) -> int:
    return 0 if duration is None else duration_us(duration)


@attrs.frozen(kw_only=True, eq=False)
class Rows:
    """The rows that are matched.

    Attributes
    ----------
    codes, names
        The touchpoint of each row, and their names.
    offsets
        Rows of unit i are [offsets[i], offsets[i + 1]).
    time
        Timestamp of each row [µs]; None for aggregated paths.
    holds
        Which codes meet each condition of a step: two codes may have one name.
    """

    codes: NDArray[np.signedinteger]
    offsets: Ints
    time: Ints | None
    names: tuple[str, ...]
    holds: Holds = attrs.field(factory=dict)


@attrs.frozen(kw_only=True, eq=False)
class Matched:
    """What every unit that entered has reached.

    Attributes
    ----------
    unit
        Numbers of the units that entered, increasing; each once an attempt if attempts count.
    hit
        Row that reached each step in the attempt that counts, shape (steps, units); -1 where it was
        not reached.
    excluded
        Number of units that would have got further, or counted at all, but for an exclusion.
    left_out
        Number of units left out since no window of theirs was over.
    went_on
        Whether each step was reached from the one before, where a unit may enter at every step.
    """

    unit: Ints
    hit: Ints
    excluded: int
    left_out: int
    went_on: Bools | None = None


def match(rows: Rows, rules: Rules) -> Matched:
    """Return what every unit has reached."""
    if rules.semantics.entry == "anywhere":
        return _open(rows, rules)
    if not rules.compiled:
        return match_rows(rows, rules)[0]
    pattern = rules.pattern(rows.names, rows.holds)
    found = kernels.match_funnel(rows.codes, rows.offsets, rows.time, pattern)
    return Matched(
        unit=found.unit,
        hit=found.row,
        excluded=found.kept_back,
        left_out=found.entered - len(found.unit),
    )


def match_rows(rows: Rows, rules: Rules) -> tuple[Matched, Candidates, list[NDArray[np.int8]]]:
    """Return what every unit has reached, and why the rows of each step reach it or do not.

    See `match`; the reasons are those of the rows `of_step` of the candidates.
    """
    pattern = rules.pattern(rows.names, rows.holds)
    found = candidates_of(rows.codes, rows.offsets, rows.time, pattern)
    if pattern.either:
        found = _without_ties(found)
    if not rules.ordered:
        unit, hit, left_out, excluded = _unordered(found, rules, pattern)
        reasons = [np.zeros(len(one), dtype=np.int8) for one in found.of_step]
    elif rules.attempts:
        begun, reached, reasons, excluded = _one_at_a_time(found, rules, pattern)
        hit = _hits(begun, reached)
        unit = found.unit[begun]
        entered = int(np.count_nonzero(first_of_unit(found.unit[found.of_step[0]])))
        left_out = entered - int(np.count_nonzero(first_of_unit(unit)))
    else:
        if rules.semantics.entry == "ended":
            _, reached, reasons, _ = _one_at_a_time(found, rules, pattern)
        else:
            reached, reasons = followed(found, pattern)
        unit, hit = best_attempts(found, pattern, reached, len(rows.offsets) - 1)
        entered = int(np.count_nonzero(first_of_unit(found.unit[found.of_step[0]])))
        left_out = entered - len(unit)
        excluded = kept_back(found, reasons, unit, hit)
        if rules.voids:
            unit, hit, excluded = _without_voided(found, rules, pattern, reasons, unit, hit)
    matched = Matched(unit=unit, hit=found.rows_at(hit), excluded=excluded, left_out=left_out)
    return matched, found, reasons


def _hits(begun: Ints, reached: list[Reached]) -> Ints:
    """Return the first position of each attempt at each step; -1 where it got to none."""
    hit = np.full((len(reached), len(begun)), -1, dtype=np.int64)
    for row, part in zip(hit, reached, strict=True):
        row[np.searchsorted(begun, part.start)[::-1]] = part.at[::-1]
    return hit


def _open(rows: Rows, rules: Rules) -> Matched:
    """Return which steps every unit has done at all, and to which it went on from the one before.

    A funnel of two steps says the latter, for each pair of steps that follow each other.
    """
    steps = rules.steps
    pattern = rules.pattern(rows.names, rows.holds)
    found = candidates_of(rows.codes, rows.offsets, rows.time, pattern)
    unit = np.unique(found.unit[np.concatenate(found.of_step)])
    hit = np.full((len(steps), len(unit)), -1, dtype=np.int64)
    went_on = np.zeros(hit.shape, dtype=np.bool_)
    semantics = attrs.evolve(rules.semantics, entry="any")
    for k, at in enumerate(found.of_step):
        hit[k, np.searchsorted(unit, found.unit[at])[::-1]] = found.row[at][::-1]
        if k:
            pair = attrs.evolve(rules, steps=steps[k - 1 : k + 1], semantics=semantics)
            two = match(rows, pair)
            went_on[k, np.searchsorted(unit, two.unit[two.hit[1] >= 0])] = True
    return Matched(unit=unit, hit=hit, excluded=0, left_out=0, went_on=went_on)


def _one_at_a_time(
    found: Candidates, rules: Rules, pattern: Pattern
) -> tuple[Ints, list[Reached], list[NDArray[np.int8]], int]:
    """Follow one attempt of each unit after the other; a loop over rounds, not over units.

    Returns where attempts began, what they reached, why, and how many an exclusion ended.
    """
    n = len(rules.steps)
    entries = found.of_step[0]
    mature = found.time[entries] <= pattern.mature_until
    parts: list[list[Reached]] = [[] for _ in range(n)]
    reasons = [np.full(len(rows), StepReason.TOO_EARLY, dtype=np.int8) for rows in found.of_step]
    allowed = np.zeros(len(entries), dtype=np.bool_)
    open_, barred = mature.copy(), 0
    everything, whole = found, np.arange(len(found.row))
    rows_of = [np.arange(len(rows)) for rows in found.of_step]
    while open_.any():
        # positions are those of `found`, which has only units that have an attempt to come
        waiting = np.flatnonzero(open_)
        begin = waiting[first_of_unit(found.unit[entries[waiting]])]
        allowed[rows_of[0][begin]] = True
        starts = entries[begin]
        reached, why = follow(found, pattern, starts)
        ends, by_exclusion = _ends(found, rules, starts, reached)
        barred += int(np.count_nonzero(by_exclusion))
        for k in range(n):
            alive = reached[k].at <= ends[np.searchsorted(starts, reached[k].start)]
            part = Reached(at=whole[reached[k].at[alive]], start=whole[reached[k].start[alive]])
            parts[k].append(part)
            if k:
                old = reasons[k][rows_of[k]]
                new = (why[k] == StepReason.REACHED) | (old == StepReason.TOO_EARLY)
                reasons[k][rows_of[k]] = np.where(new, why[k], old)
        at = np.searchsorted(found.unit[starts], found.unit[entries])
        at = np.minimum(at, len(starts) - 1)
        running = found.unit[starts[at]] == found.unit[entries]
        open_ &= running & (entries > ends[at])
        still = np.unique(found.unit[entries[open_]])
        if 2 * len(still) <= len(starts):
            keep = np.isin(found.unit, still)
            open_ = open_[keep[entries]]
            rows_of = [own[keep[rows]] for own, rows in zip(rows_of, found.of_step, strict=True)]
            found, whole = _only(found, keep), whole[keep]
            entries = found.of_step[0]
    refused = np.where(mature, StepReason.NO_ENTRY, StepReason.IMMATURE)
    reasons[0] = np.where(allowed, StepReason.REACHED, refused).astype(np.int8)
    merged = [
        Reached(*(np.concatenate([getattr(p, f) for p in some]) for f in Reached._fields))
        if some
        else Reached(at=entries[:0], start=entries[:0])
        for some in parts
    ]
    return everything.of_step[0][allowed], [_in_order(part) for part in merged], reasons, barred


def _only(found: Candidates, keep: Bools) -> Candidates:
    """Return the candidates of some units."""
    new = np.append(0, np.cumsum(keep))
    return Candidates(
        row=found.row[keep],
        unit=found.unit[keep],
        time=found.time[keep],
        begin=new[found.begin[keep]],
        end=new[found.end[keep]],
        of_step=[new[rows[keep[rows]]] for rows in found.of_step],
        of_exclusion=[new[rows[keep[rows]]] for rows in found.of_exclusion],
    )


def _in_order(part: Reached) -> Reached:
    order = np.argsort(part.at, kind="stable")
    return Reached(at=part.at[order], start=part.start[order])


def _ends(
    found: Candidates, rules: Rules, starts: Ints, reached: list[Reached]
) -> tuple[Ints, Bools]:
    """Return the last position of each attempt, and whether an exclusion ended it.

    It is the very last if it never ends.
    """
    ends = np.full(len(starts), len(found.row), dtype=np.int64)
    if rules.within_us is not None:
        # ranks instead of timestamps: unit and timestamp in one number would not fit
        timestamps = np.unique(found.time)
        clock = found.unit * (len(timestamps) + 1) + np.searchsorted(timestamps, found.time)
        last_in = (
            np.searchsorted(timestamps, found.time[starts] + rules.within_us, side="right") - 1
        )
        limit = found.unit[starts] * (len(timestamps) + 1) + last_in
        ends = np.searchsorted(clock, limit, side="right") - 1
    last = reached[-1]
    converted = np.full(len(starts), len(found.row), dtype=np.int64)
    np.minimum.at(converted, np.searchsorted(starts, last.start), last.at)
    timed_out = ends.copy()
    for exclusion, rows in zip(rules.exclude, found.of_exclusion, strict=True):
        met, start = _breaks(found, rules, reached, rows, exclusion.span(len(rules.steps)))
        begun = np.searchsorted(starts, start)
        before = met < converted[begun]
        np.minimum.at(ends, begun[before], met[before])
    done = converted <= ends
    # whoever converted is done: a unit counts once, unless attempts count
    ends[done] = np.maximum(converted, starts)[done] if rules.attempts else len(found.row)
    return ends, ~done & (ends < timed_out)


def _breaks(
    found: Candidates,
    rules: Rules,
    reached: list[Reached],
    rows: Ints,
    span: tuple[int, int],
) -> tuple[Ints, Ints]:
    """Return the exclusion rows that meet an attempt between its steps, and where it began."""
    met, begun = [], []
    for j in range(*span):
        start = _latest(found, reached[j], rows)
        live = start >= 0
        if rules.within_us is not None:
            live &= found.time[rows] - found.time[start] <= rules.within_us
        for ahead in reached[j + 1 : span[1] + 1]:
            live &= _latest(found, ahead, rows) != start
        met.append(rows[live])
        begun.append(start[live])
    return np.concatenate(met), np.concatenate(begun)


def _latest(found: Candidates, before: Reached, rows: Ints) -> Ints:
    """Return where the attempt began that reached a step last before each row; -1 for none."""
    if not len(before.at):
        return np.full(len(rows), -1, dtype=np.int64)
    place = rank_of(found, before.at)[found.begin[rows]] - 1
    ok = (place >= 0) & (found.unit[before.at[place]] == found.unit[rows])
    return np.where(ok, before.start[place], -1)


def _without_ties(found: Candidates) -> Candidates:
    """Return the rows without exclusions that stand at the timestamp of a step.

    In either order such an exclusion is no obstacle to anything.
    """
    taken = np.zeros(len(found.row), dtype=np.bool_)
    for rows in found.of_step:
        taken[found.begin[rows]] = True
    kept = [rows[~taken[found.begin[rows]]] for rows in found.of_exclusion]
    return found._replace(of_exclusion=kept)


def _without_voided(  # noqa: PLR0917 - what the match has found so far
    found: Candidates,
    rules: Rules,
    pattern: Pattern,
    reasons: list[NDArray[np.int8]],
    unit: Ints,
    hit: Ints,
) -> tuple[Ints, Ints, int]:
    """Return the units and hits of the best attempts that no exclusion voided, and how many lost.

    Units that meet no exclusion are as they were. The attempts of the others are followed along
    their rows: which are voided depends on how far each had got.
    """
    kinds: dict[int, _Kind] = {}
    for k, rows in enumerate(found.of_step):
        for one in rows.tolist():
            kinds.setdefault(one, _Kind()).steps.append(k)
    for (first, last), rows in zip(pattern.spans.tolist(), found.of_exclusion, strict=True):
        for one in rows.tolist():
            kinds.setdefault(one, _Kind()).guarded.extend(range(first, last))
    meeting = np.unique(found.unit[np.concatenate(found.of_exclusion)])
    hit, keep, lost = hit.copy(), np.ones(len(unit), dtype=np.bool_), 0
    for place in np.flatnonzero(np.isin(unit, meeting)).tolist():
        first, last = np.searchsorted(found.unit, [unit[place], unit[place] + 1]).tolist()
        walk, free = _Walk(found, rules, pattern), _Walk(found, rules, pattern)
        for at in sorted(
            (at for at in range(first, last) if at in kinds),
            key=lambda at: (found.begin[at], kinds[at].steps or [-1], at),
        ):
            walk.meet(at, kinds[at])
            free.meet(at, _Kind(steps=kinds[at].steps))
        best, unbarred = walk.best(), free.best()
        lost += best is None or _depth(best) < _depth(unbarred or best)
        keep[place] = best is not None
        if best is not None:
            hit[:, place] = best
        reasons[0][np.isin(found.of_step[0], walk.voided)] = StepReason.EXCLUDED
    return unit[keep], hit[:, keep], lost


def _depth(attempt: list[int]) -> int:
    return max(k for k, at in enumerate(attempt) if at >= 0)


@attrs.frozen
class _Kind:
    """What a row is: the steps that it matches, and those after which it voids an attempt."""

    steps: list[int] = attrs.field(factory=list)
    guarded: list[int] = attrs.field(factory=list)


class _Walk:
    """All attempts of one unit, followed along its rows.

    An attempt is the list of positions that reached its steps, -1 where one did not. `live` has
    those under way by the last step reached, in the order in which they began; `over` those that
    ended without an exclusion.
    """

    def __init__(self, found: Candidates, rules: Rules, pattern: Pattern) -> None:
        self.found, self.pattern = found, pattern
        self.one_at_a_time = rules.semantics.entry == "ended"
        self.live: list[deque[list[int]]] = [deque() for _ in range(pattern.n_steps)]
        self.seen = [-1] * pattern.n_steps  # position of the last row of each step
        self.over: list[list[int]] = []
        self.voided: list[int] = []

    def meet(self, at: int, kind: _Kind) -> None:
        """Take up the next row."""
        found, pattern = self.found, self.pattern
        for step, attempts in enumerate(self.live[:-1]):
            while attempts and self._expired(attempts[0], step, at):
                self.over.append(attempts.popleft())
        for step in kind.guarded:
            self.voided.extend(attempt[0] for attempt in self.live[step])
            self.live[step].clear()
        for k in reversed(kind.steps):
            if k == 0 and found.time[at] <= pattern.mature_until and self._may_begin():
                self._add(0, [at, *[-1] * (pattern.n_steps - 1)])
            for j in pattern.sources(k) if k else ():
                if found.time[at] - found.time[self.seen[j]] <= pattern.limits[k]:
                    while self.live[j]:
                        attempt = self.live[j].popleft()
                        attempt[k] = at
                        self._add(k, attempt)
            self.seen[k] = at

    def best(self) -> list[int] | None:
        """Return the deepest attempt, the first to get there; None if all are void."""
        every = [*self.over, *(attempt for part in self.live for attempt in part)]
        required = np.flatnonzero(~self.pattern.optional).tolist()

        def rank(attempt: list[int]) -> tuple[int, int, int]:
            step = max(k for k in required if attempt[k] >= 0)
            return -step, attempt[step], -attempt[0]

        return min(every, key=rank, default=None)

    def _may_begin(self) -> bool:
        busy = any(self.live[:-1])
        if self.pattern.first:
            return not (busy or self.over or self.voided or self.live[-1])
        return not (self.one_at_a_time and busy)

    def _expired(self, attempt: list[int], step: int, at: int) -> bool:
        found, pattern = self.found, self.pattern
        late = found.time[at] - found.time[attempt[0]] > pattern.within
        return bool(late or (pattern.strict and found.row[at] != found.row[attempt[step]] + 1))

    def _add(self, step: int, attempt: list[int]) -> None:
        attempts = self.live[step]
        if self.pattern.within == NEVER and len(attempts) > 1:
            attempts.pop()  # without a window all are void together: first and last will do
        attempts.append(attempt)


def _unordered(found: Candidates, rules: Rules, pattern: Pattern) -> tuple[Ints, Ints, int, int]:
    """Count how many different steps each unit has done inside one window.

    With order "anchored" the window begins with step 1; with "hybrid", too, and a step counts only
    where all steps before it were done. Returns the units, the positions that reached each number
    of steps, how many units are left out, and how many would have got further but for an exclusion.
    """
    n = len(rules.steps)
    free = rules.order == "unordered"
    begin = np.unique(np.concatenate(found.of_step)) if free else found.of_step[0]
    entered = int(np.count_nonzero(first_of_unit(found.unit[begin])))
    allowed = found.time[begin] <= pattern.mature_until
    if pattern.first:
        allowed &= first_of_unit(found.unit[begin])
    begin = begin[allowed]
    done = np.full((len(begin), n), NEVER, dtype=np.int64)
    seen: dict[tuple[frozenset[str], Condition], int] = {}
    for k, step in enumerate(rules.steps):
        rows = found.of_step[k]
        # a step named twice needs two interactions
        again = seen.get((step.match, step.condition), 0)
        seen[step.match, step.condition] = again + 1
        done[:, k] = _next(found, rules, begin, rows, again)
    if rules.order == "hybrid":
        np.maximum.accumulate(done, axis=1, out=done)
    else:
        done.sort(axis=1)
    units, places = np.unique(found.unit[begin], return_inverse=True)
    alone = np.zeros(len(units), dtype=np.int64)
    np.maximum.at(alone, places, (done < NEVER).sum(axis=1))
    barred = np.full(len(begin), NEVER, dtype=np.int64)
    for rows in found.of_exclusion:
        np.minimum(barred, _next(found, rules, begin, rows, 0), out=barred)
    if rules.voids:  # an exclusion after everything was done voids nothing
        kept = (barred == NEVER) | (done[:, -1] < barred)
        begin, done = begin[kept], done[kept]
    else:
        done[done > barred[:, None]] = NEVER
    depth = (done < NEVER).sum(axis=1)
    order = np.lexsort((np.arange(len(begin)), -depth, found.unit[begin]))
    best = order[first_of_unit(found.unit[begin[order]])]
    hit = np.where(done[best] < NEVER, done[best], -1).T
    unit = found.unit[begin[best]]
    alone[np.searchsorted(units, unit)] -= depth[best]
    return unit, hit, entered - len(units), int(np.count_nonzero(alone))


def _next(found: Candidates, rules: Rules, begin: Ints, rows: Ints, again: int) -> Ints:
    """Return the next of some rows in the unit and window of each beginning, NEVER if none.

    `again` is how many of them are passed over before.
    """
    out = np.full(len(begin), NEVER, dtype=np.int64)
    place = np.searchsorted(rows, begin) + again
    there = np.flatnonzero(place < len(rows))
    at = rows[place[there]]
    ok = found.unit[at] == found.unit[begin[there]]
    if rules.within_us is not None:
        ok &= found.time[at] - found.time[begin[there]] <= rules.within_us
    out[there[ok]] = at[ok]
    return out
