"""Patterns in NumPy: which places of an automaton each row can take, so that the rest is met.

Backward, row by row of all journeys at once, it is found what can still be completed; forward, a
match follows one way through it. Both are linear in the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Ints

_END = -1


class Automaton(NamedTuple):
    """What a pattern looks for; its places are what rows can be in a match.

    Attributes
    ----------
    by_code
        Whether a row of each code suits each place, the last line for missing.
    case, by_case
        A number of each row (None: 0 for all), and the places that rows of each number suit.
    starts, options
        The places of a first row, and of the row after each place, in order of preference: -1 is
        the end of a match, -2 - i link i.
    links
        (run, place, least, longest): the next place comes so long after [µs], and rows between are
        of the run; where that is -1, none is between.
    begins, at_end, ends
        Whether a match begins with the journey; whether it ends with it, and of which outcomes.
    sense, duration
        1 where a match lasts at most `duration` [µs], -1 where at least; 0 where any time.
    point
        Which places are the point of a match.
    empty
        Whether a journey without rows matches.
    """

    by_code: Bools
    case: NDArray[np.uint16] | None
    by_case: Bools
    starts: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    links: tuple[tuple[int, int, int, int], ...]
    begins: bool
    at_end: bool
    ends: Bools
    sense: int
    duration: int
    point: Bools
    empty: bool


class Matches(NamedTuple):
    """Which journeys match; first, last and point row of the match that counts, -1 where none.

    `place` is the place of each row in it, -1 outside; None where it was not asked for.
    """

    found: Bools
    row: Ints
    place: NDArray[np.int16] | None


def match_pattern(
    codes: NDArray[np.signedinteger],
    offsets: Ints,
    time: Ints | None,
    outcome: NDArray[np.int8],
    automaton: Automaton,
    *,
    rows: str,
    last: bool,
) -> Matches:
    """Return which journeys match a pattern, and where.

    `rows` is "none" where yes or no is enough, "ends" for first, last and point row, "all" for the
    place of every row too. With "every" one match is followed after the other, none overlapping,
    and `place` is 0 at the point of each: the row that is marked, else its last. `last` takes the
    last match instead of the first.
    """
    a, n = automaton, len(codes)
    suits = a.by_code[np.where(codes < 0, len(a.by_code) - 1, codes)]
    if a.case is not None:
        suits = suits & a.by_case[a.case]
    lengths = np.diff(offsets)
    stop = np.repeat(offsets[1:], lengths)
    clock = np.zeros(n, dtype=np.int64) if time is None else time
    live = np.zeros((n + 1, len(a.options)), dtype=np.bool_)
    best = np.full((n + 1, len(a.options)), _NONE)
    reach = [_reach(link, suits, stop, offsets, clock) for link in a.links]
    nearest = [np.full(n + 1, n, dtype=np.int64) for _ in a.links]
    ends = np.repeat(a.ends[outcome], lengths)
    for rows_ in _from_the_end(offsets):
        inner, after = rows_ + 1 < stop[rows_], np.where(rows_ + 1 < stop[rows_], rows_ + 1, n)
        for place, options in enumerate(a.options):
            some, ahead = np.zeros(len(rows_), dtype=np.bool_), np.full(len(rows_), _NONE)
            for option in options:
                if option == _END:
                    possible = ~inner & ends[rows_] if a.at_end else np.ones(len(rows_), np.bool_)
                    value = a.sense * clock[rows_]
                elif option >= 0:
                    possible, value = live[after, option], best[after, option]
                else:
                    first, furthest = reach[-2 - option]
                    then = nearest[-2 - option][np.minimum(first[rows_], n)]
                    possible = (first[rows_] < stop[rows_]) & (then <= furthest[rows_])
                    value = best[np.where(possible, then, n), a.links[-2 - option][1]]
                some |= possible
                ahead = np.where(possible, np.minimum(ahead, value), ahead)
            live[rows_, place] = some & suits[rows_, place]
            best[rows_, place] = np.where(live[rows_, place], ahead, _NONE)
        for i, (_, place, _, _) in enumerate(a.links):
            nearest[i][rows_] = np.where(
                live[rows_, place], rows_, np.where(inner, nearest[i][after], n)
            )
    may = _may_start(a, live, best, clock, offsets)
    found = np.zeros(len(lengths), dtype=np.bool_)
    unit = np.repeat(np.arange(len(lengths)), lengths)
    starting = np.flatnonzero(may)
    found[unit[starting]] = True
    if a.empty:
        found |= (lengths == 0) & a.ends[outcome]
    row = np.full((3, len(lengths)), -1, dtype=np.int64)
    place_of = np.full(n, -1, dtype=np.int16)
    begin = np.full(len(lengths), -1, dtype=np.int64)
    order = starting if last else starting[::-1]
    begin[unit[order]] = order  # what is written last stays
    known, given = (live, best, reach), (suits, stop, clock, ends)
    if rows == "every":
        place_of = _points(a, begin, starting, offsets, known, given)
    elif rows != "none":
        _walk(a, begin, known, given, row, place_of, last=last)
    return Matches(found, row, place_of if rows in {"all", "every"} else None)


_NONE = int(np.iinfo(np.int64).max)


def _points(
    a: Automaton,
    begin: Ints,
    starting: Ints,
    offsets: Ints,
    known: tuple[Bools, Ints, list[tuple[Ints, Ints]]],
    given: tuple[Bools, Ints, Ints, Bools],
) -> NDArray[np.int16]:
    """Return 0 at the point of each of the matches that follow one another, -1 elsewhere."""
    points = np.full(len(given[2]), -1, dtype=np.int16)
    while (begin >= 0).any():
        row = np.full((3, len(begin)), -1, dtype=np.int64)
        _walk(a, begin, known, given, row, points.copy(), last=False)
        found = begin >= 0
        points[np.where(row[2] >= 0, row[2], row[1])[found]] = 0
        if a.begins:
            break
        then = np.append(starting, _NONE)[np.searchsorted(starting, row[1], side="right")]
        begin = np.where(found & (then < offsets[1:]), then, -1)
    return points


def _from_the_end(offsets: Ints) -> list[Ints]:
    """Return the last row of every journey, then the last but one where there is one, and so on."""
    lengths = np.diff(offsets)
    order = np.argsort(lengths, kind="stable")
    ranked = lengths[order]
    return [
        offsets[1:][order[np.searchsorted(ranked, k, side="right") :]] - 1 - k
        for k in range(int(lengths.max(initial=0)))
    ]


def _reach(
    link: tuple[int, int, int, int], suits: Bools, stop: Ints, offsets: Ints, clock: Ints
) -> tuple[Ints, Ints]:
    """Return the first row after each to which a link may lead, and the last."""
    run, _, least, longest = link
    n = len(clock)
    rows = np.arange(n)
    broken = np.append(np.ones(n, dtype=np.bool_) if run < 0 else ~suits[:, run], True)
    at = np.flatnonzero(broken)
    furthest = np.minimum(at[np.searchsorted(at, rows, side="right")], stop - 1)
    first = rows + 1
    for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        mine = clock[begin:end]
        soon = begin + np.searchsorted(mine, mine + least)
        first[begin:end] = np.maximum(first[begin:end], soon)
        if longest < _NONE:
            late = begin + np.searchsorted(mine, mine + longest, side="right") - 1
            furthest[begin:end] = np.minimum(furthest[begin:end], late)
    return first, furthest


def _may_start(a: Automaton, live: Bools, best: Ints, clock: Ints, offsets: Ints) -> Bools:
    """Return which rows may be the first of a match."""
    n = len(clock)
    may = np.zeros(n, dtype=np.bool_)
    for place in a.starts:
        may |= live[:n, place] & _in_time(a, best[:n, place], clock)
    if a.begins:
        opens = np.zeros(n, dtype=np.bool_)
        opens[offsets[:-1][np.diff(offsets) > 0]] = True
        may &= opens
    return may


def _in_time(a: Automaton, best: Ints, begun: Ints) -> Bools:
    if a.sense == 0:
        return np.ones(len(best), dtype=np.bool_)
    return np.asarray(best <= a.sense * (begun + a.duration))


def _walk(
    a: Automaton,
    begin: Ints,
    known: tuple[Bools, Ints, list[tuple[Ints, Ints]]],
    rows: tuple[Bools, Ints, Ints, Bools],
    row: Ints,
    place_of: NDArray[np.int16],
    *,
    last: bool,
) -> None:
    """Follow the preferred way of each journey from its first row, and note the rows."""
    live, best, reach = known
    _, stop, clock, ends = rows
    turn = -1 if last else 1
    for unit in np.flatnonzero(begin >= 0).tolist():
        at = int(begin[unit])
        limit = a.sense * (int(clock[at]) + a.duration) if a.sense else _NONE
        end = int(stop[at])
        place = next(p for p in a.starts[::turn] if live[at, p] and best[at, p] <= limit)
        row[0, unit] = at
        while True:
            place_of[at] = place
            if a.point[place] and row[2, unit] < 0:
                row[2, unit] = at
            for option in a.options[place][::turn]:
                if option == _END:
                    if a.at_end and (at + 1 < end or not ends[at]):
                        continue
                    if a.sense * int(clock[at]) <= limit:
                        then = -1
                        break
                elif option >= 0:
                    if at + 1 < end and live[at + 1, option] and best[at + 1, option] <= limit:
                        then, place = at + 1, option
                        break
                else:
                    run, target = a.links[-2 - option][:2]
                    first, furthest = (int(bound[at]) for bound in reach[-2 - option])
                    near = np.flatnonzero(live[first : furthest + 1, target])
                    if len(near) and best[first + near[-1 if last else 0], target] <= limit:
                        then, place = first + int(near[-1 if last else 0]), target
                        place_of[at + 1 : then] = run
                        break
            if then < 0:
                break
            at = then
        row[1, unit] = at
