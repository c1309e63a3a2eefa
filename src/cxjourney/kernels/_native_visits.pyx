# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""Visits of journeys, compiled: each returns what its namesake in `reference_visits` returns."""

from libc.stdint cimport INT32_MAX, INT64_MAX, int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t

from libc.math cimport INFINITY

import numpy as np

cdef double DAY = 86_400_000_000.0

ctypedef fused node_t:
    uint8_t
    uint16_t
    uint32_t
    int64_t


cdef enum:  # what a visit that ends a journey without a goal or exit is, its journey is
    MOVED = 0
    CONVERTED = 0
    IN_PROGRESS = 2


cdef inline bint fits(
    int64_t start, int64_t end, int64_t stop, int64_t n, int8_t outcome
) noexcept nogil:
    """Return whether a journey lies within the rows; its visits stop at its end or one before."""
    return 0 <= start <= end <= n and stop >= start and 0 <= outcome <= 2


cdef inline int64_t wait_of_last(
    const int64_t* time, int64_t i, bint absorbed, int8_t outcome, int64_t until
) noexcept nogil:
    """Return how long the last visit of a journey lasted, which is in row i."""
    if outcome == IN_PROGRESS:
        return max(until - time[i], 0)
    if absorbed:
        return time[i + 1] - time[i]
    return 0 if outcome == CONVERTED else INT64_MAX


# ------------------------------------------------------------------ how visits end

def waits_of_visits(
    const int64_t[::1] time,
    const int64_t[::1] offsets,
    const uint8_t[::1] absorbed,
    const int8_t[::1] outcome,
    int64_t until,
    int64_t[::1] wait,
    int8_t[::1] state,
):
    """Write how long each visit lasted, and how it ended."""
    cdef int64_t j, i, stop, at = 0, n = time.shape[0], m = outcome.shape[0]
    cdef bint inside = offsets.shape[0] == m + 1 and absorbed.shape[0] == m
    inside = inside and state.shape[0] == wait.shape[0]
    with nogil:
        for j in range(m if inside else 0):
            stop = offsets[j + 1] - (absorbed[j] != 0)
            inside = fits(offsets[j], offsets[j + 1], stop, n, outcome[j])
            if not inside or stop - offsets[j] > wait.shape[0] - at:
                inside = False
                break
            for i in range(offsets[j], stop - 1):
                wait[at] = time[i + 1] - time[i]
                state[at] = MOVED
                at += 1
            if stop > offsets[j]:
                wait[at] = wait_of_last(&time[0], stop - 1, absorbed[j] != 0, outcome[j], until)
                state[at] = MOVED if absorbed[j] and outcome[j] != IN_PROGRESS else outcome[j]
                at += 1
    if not inside or at != wait.shape[0]:
        raise ValueError("a journey or its outcome is out of range")


def cells_of_visits(
    const node_t[::1] place,
    const int64_t[::1] time,
    const int64_t[::1] offsets,
    const uint8_t[::1] absorbed,
    const int8_t[::1] outcome,
    int64_t until,
    const int64_t[::1] times,
    const int64_t[::1] bounds,
    int32_t[::1] cell,
):
    """Write the cell of each visit."""
    cdef int64_t j, i, stop, at = 0, n = time.shape[0], m = outcome.shape[0], wait
    cdef int64_t n_places = bounds.shape[0] - 1, low, length, half, here
    cdef bint inside = offsets.shape[0] == m + 1 and absorbed.shape[0] == m
    inside = inside and cell.shape[0] == place.shape[0]
    inside = inside and times.shape[0] + n_places <= INT32_MAX
    with nogil:
        for j in range(m if inside else 0):
            stop = offsets[j + 1] - (absorbed[j] != 0)
            inside = fits(offsets[j], offsets[j + 1], stop, n, outcome[j])
            if not inside or stop - offsets[j] > place.shape[0] - at:
                inside = False
                break
            for i in range(offsets[j], stop):
                here = <int64_t> place[at]
                if here < 0 or here >= n_places:
                    inside = False
                    break
                low = bounds[here]
                length = bounds[here + 1] - low
                if low < 0 or length < 0 or bounds[here + 1] > times.shape[0]:
                    inside = False
                    break
                if i + 1 < stop:
                    wait = time[i + 1] - time[i]
                else:
                    wait = wait_of_last(&time[0], i, absorbed[j] != 0, outcome[j], until)
                while length > 0:  # the half that is kept is chosen without a branch
                    half = (length + 1) // 2
                    low += half * (times[low + half - 1] < wait)
                    length -= half
                cell[at] = <int32_t> (low + here)
                at += 1
            if not inside:
                break
    if not inside or at != place.shape[0]:
        raise ValueError("a journey, a place or its times are out of range")


# ------------------------------------------------------------------ what visits lead to

def count_moves(
    const node_t[::1] node, const int64_t[::1] lengths, const int64_t[::1] ends, int64_t n_nodes
):
    """Return how often each move was made, by source times (n_nodes + 3) plus target."""
    cdef int64_t j, i, at = 0, key, width = n_nodes + 3
    cdef bint inside = lengths.shape[0] == ends.shape[0]
    count_array = np.zeros(width * width, dtype=np.int64)
    cdef int64_t[::1] count = count_array
    with nogil:
        for j in range(lengths.shape[0] if inside else 0):
            if lengths[j] < 0 or lengths[j] > node.shape[0] - at or ends[j] >= width:
                inside = False
                break
            for i in range(at, at + lengths[j]):
                if <int64_t> node[i] < 0 or <int64_t> node[i] >= n_nodes:
                    inside = False
                    break
            if not inside:
                break
            for i in range(at, at + lengths[j] - 1):
                count[<int64_t> node[i] * width + <int64_t> node[i + 1]] += 1
            at += lengths[j]
            if lengths[j] > 0 and ends[j] >= 0:
                count[<int64_t> node[at - 1] * width + ends[j]] += 1
    if not inside or at != node.shape[0]:
        raise ValueError("a node or a journey is out of range")
    return count_array


def place_moves(
    const node_t[::1] node,
    const int64_t[::1] lengths,
    const int64_t[::1] ends,
    int64_t n_nodes,
    const int32_t[::1] place,
    int32_t[::1] move,
):
    """Write the place of each visit's move, given that of each key."""
    cdef int64_t j, i, at = 0, key, width = n_nodes + 3
    cdef bint inside = lengths.shape[0] == ends.shape[0] and move.shape[0] == node.shape[0]
    inside = inside and place.shape[0] == width * width
    with nogil:
        for j in range(lengths.shape[0] if inside else 0):
            if lengths[j] < 0 or lengths[j] > node.shape[0] - at or ends[j] >= width:
                inside = False
                break
            for i in range(at, at + lengths[j]):
                if <int64_t> node[i] < 0 or <int64_t> node[i] >= n_nodes:
                    inside = False
                    break
            if not inside:
                break
            for i in range(at, at + lengths[j] - 1):
                move[i] = place[<int64_t> node[i] * width + <int64_t> node[i + 1]]
            at += lengths[j]
            if lengths[j] > 0:
                key = <int64_t> node[at - 1] * width + ends[j]
                move[at - 1] = place[key] if ends[j] >= 0 else -1
    if not inside or at != node.shape[0]:
        raise ValueError("a node or a journey is out of range")


def sums_by_cell(
    const int32_t[::1] group, const int32_t[::1] cell, const double[::1] values, double[::1] sums
):
    """Add the value of each row's cell to its group, if it has one."""
    cdef int64_t i, n = group.shape[0], g
    cdef bint inside = cell.shape[0] == n
    with nogil:
        for i in range(n if inside else 0):
            g = group[i]
            if g < 0:
                continue
            if g >= sums.shape[0] or cell[i] < 0 or cell[i] >= values.shape[0]:
                inside = False
                break
            sums[g] += values[cell[i]]
    if not inside:
        raise ValueError("a group or a cell is out of range")


# ------------------------------------------------------------------ what comes after first visits

def events_after(
    const node_t[::1] node,
    const int64_t[::1] time,
    const int64_t[::1] offsets,
    const uint8_t[::1] absorbed,
    const int64_t[::1] unit,
    const uint8_t[::1] reached,
    const uint8_t[::1] target,
    int64_t until,
    bint closed,
    double window,
    int64_t[:, :, ::1] counts,
    int64_t[:, ::1] next_place,
    double[::1] events,
    uint8_t[::1] event_unit,
    double[::1] followed,
    uint8_t[::1] followed_unit,
):
    """Count what was seen of first visits; where there are places, write the times there instead."""
    cdef int64_t j, i, stop, at = 0, last_row, here, place
    cdef int64_t n = time.shape[0], m = unit.shape[0], k = counts.shape[1]
    cdef bint writing = next_place.shape[0] == 2, by_target = target.shape[0] > 0, won, full
    cdef double took, seen
    cdef bint inside = offsets.shape[0] == m + 1 and absorbed.shape[0] == m
    inside = inside and reached.shape[0] == m and counts.shape[2] == 4
    inside = inside and (not by_target or target.shape[0] == n)
    inside = inside and (not writing or next_place.shape[1] == k)
    inside = inside and event_unit.shape[0] == events.shape[0]
    inside = inside and followed_unit.shape[0] == followed.shape[0]
    latest_array = np.full(k, -1, dtype=np.int64)  # the journey that came by last
    cdef int64_t[::1] latest = latest_array
    with nogil:
        for j in range(m if inside else 0):
            stop = offsets[j + 1] - (absorbed[j] != 0)
            inside = fits(offsets[j], offsets[j + 1], stop, n, 0)
            inside = inside and stop - offsets[j] <= node.shape[0] - at
            inside = inside and unit[j] < counts.shape[0] and unit[j] <= 255
            if not inside:
                break
            if unit[j] < 0:
                at += stop - offsets[j]
                continue
            last_row = offsets[j + 1] - 1
            if by_target:
                last_row = offsets[j]  # the row that is to be reached, once it is looked for
            for i in range(offsets[j], stop):
                here = <int64_t> node[at]
                at += 1
                if here < 0 or here >= k:
                    inside = False
                    break
                if latest[here] == j:
                    continue
                latest[here] = j
                won = reached[j]
                if by_target:
                    last_row = max(last_row, i + 1)
                    while last_row < offsets[j + 1] and not target[last_row]:
                        last_row += 1
                    won = last_row < offsets[j + 1]
                seen = INFINITY if closed else <double> (until - time[i]) / DAY
                full = seen >= window
                took = 0.0
                if won:
                    took = <double> (time[last_row] - time[i]) / DAY
                    won = took <= min(seen, window)
                if not writing:
                    counts[unit[j], here, full + 2 * won] += 1
                elif won:
                    place = next_place[0, here]
                    if place < 0 or place >= events.shape[0]:
                        inside = False
                        break
                    next_place[0, here] = place + 1
                    events[place] = took
                    event_unit[place] = <uint8_t> unit[j]
                elif not full:
                    place = next_place[1, here]
                    if place < 0 or place >= followed.shape[0]:
                        inside = False
                        break
                    next_place[1, here] = place + 1
                    followed[place] = seen
                    followed_unit[place] = <uint8_t> unit[j]
            if not inside:
                break
    if not inside or at != node.shape[0]:
        raise ValueError("a journey, a node, a unit or a place is out of range")
