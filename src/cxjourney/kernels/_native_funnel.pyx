# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""Funnels, compiled: as `reference_funnel` has them, to the bit.

Nothing is read or written without a bound that the function itself has checked.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t

import numpy as np

cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF

ctypedef fused code_t:
    int8_t
    int16_t
    int32_t
    int64_t


cdef struct Rules:
    int64_t within
    int64_t mature_until
    bint strict
    bint first_only


cdef struct State:
    # of one step: the row that reached it last (-1 for none), and where that attempt began
    int64_t at
    int64_t begun


cdef inline int64_t attempt_at(
    int64_t row,
    int64_t k,
    int64_t entry,
    const State[::1] states,
    const int64_t[::1] excluded,
    const int64_t[::1] time,
    const uint8_t[::1] optional,
    const int64_t[::1] limits,
    const int64_t[:, ::1] spans,
    const Rules* rules,
) noexcept nogil:
    """Return where the attempt began that a row takes to step k; -1 for none, -2 if excluded."""
    cdef int64_t start = -1, j = k, x
    cdef bint too_late = False, barred = False, between
    if k == 0:
        if rules.first_only and row != entry:
            return -1
        return -1 if rules.mature_until != NEVER and time[row] > rules.mature_until else row
    while True:
        j -= 1
        if states[j].at >= 0 and (not rules.strict or states[j].at == row - 1):
            if (
                time[row] - time[states[j].begun] > rules.within
                or time[row] - time[states[j].at] > limits[k]
            ):
                too_late = True
            else:
                between = False
                for x in range(spans.shape[0]):
                    if spans[x, 0] < k <= spans[x, 1] and excluded[x] > states[j].at:
                        between = True
                if between:
                    barred = True
                else:
                    start = max(start, states[j].begun)
        if not optional[j]:
            break
    return -2 if start < 0 and barred and not too_late else start


def funnel(
    const code_t[::1] codes,
    const int64_t[::1] offsets,
    const int64_t[::1] time,
    const uint8_t[:, ::1] matches,
    const uint8_t[::1] optional,
    const int64_t[::1] limits,
    const int64_t[:, ::1] spans,
    int64_t within,
    int64_t mature_until,
    bint strict,
    bint first_only,
    int64_t first_unit,
    int64_t stop_unit,
):
    """Return units, the rows that reached each step, units that came by, and those kept back.

    Of units [first_unit, stop_unit). The first walk along the rows of one finds the attempt that
    got deepest, the second notes its rows. `matches` has a line a code, a column a step and, after
    these, one an exclusion.
    """
    cdef int64_t n_rows = codes.shape[0], n_codes = matches.shape[0], n_units = offsets.shape[0] - 1
    cdef int64_t n_steps = optional.shape[0], n_exclusions = spans.shape[0], n_found = 0
    cdef int64_t i, unit = first_unit, end, row, entry, stop, code, start, deepest, chosen, k, turn
    cdef int64_t entered = 0, kept_back = 0, shortest = 0
    cdef code_t lowest = 0, highest = -1
    cdef bint inside, any_optional = False, kept
    cdef Rules rules = Rules(within, mature_until, strict, first_only)
    if time.shape[0] != n_rows or limits.shape[0] != n_steps or spans.shape[1] != 2:
        raise ValueError("times or limits differ in length")
    if n_steps == 0 or optional[0] or matches.shape[1] != n_steps + n_exclusions:
        raise ValueError("steps and exclusions are not those that match")
    if first_unit < 0 or stop_unit < first_unit or stop_unit > n_units:
        raise ValueError("units are out of range")
    unit_array = np.empty(stop_unit - first_unit, dtype=np.int64)
    hit_array = np.empty((n_steps, stop_unit - first_unit), dtype=np.int64)
    cdef int64_t[::1] units = unit_array
    cdef int64_t[:, ::1] hit = hit_array
    cdef const uint8_t[::1] enters = np.ascontiguousarray(matches[:, 0])
    cdef const uint8_t[::1] matters = np.any(matches, axis=1).view(np.uint8)
    cdef State[::1] states = np.empty(n_steps, dtype=[("at", np.int64), ("begun", np.int64)])
    cdef int64_t[::1] excluded = np.empty(n_exclusions, dtype=np.int64)
    cdef uint8_t[::1] barred = np.empty(n_steps, dtype=np.uint8)
    with nogil:
        entry, end = offsets[first_unit], offsets[stop_unit]
        for i in range(first_unit, stop_unit):
            shortest = min(shortest, offsets[i + 1] - offsets[i])
        inside = entry >= 0 and end <= n_rows and shortest >= 0
        if inside:
            for i in range(entry, end):
                lowest = min(lowest, codes[i])
                highest = max(highest, codes[i])
            inside = lowest >= 0 and highest < n_codes
        for k in range(n_steps):
            any_optional |= optional[k]
        while inside:
            while entry < end and not enters[codes[entry]]:
                entry += 1
            if entry == end:
                break
            while offsets[unit + 1] <= entry:
                unit += 1
            stop = offsets[unit + 1]
            entered += 1
            deepest = -1
            chosen = -1
            for k in range(n_steps):
                barred[k] = False
                hit[k, n_found] = -1
            for turn in range(2):
                for k in range(n_steps):
                    states[k].at = -1
                for k in range(n_exclusions):
                    excluded[k] = -1
                for row in range(entry, stop):
                    code = codes[row]
                    if not matters[code]:
                        continue
                    for k in range(n_steps - 1, -1, -1):  # a row does not follow itself
                        if not matches[code, k]:
                            continue
                        start = attempt_at(
                            row, k, entry, states, excluded, time, optional, limits, spans, &rules
                        )
                        if start < 0:
                            barred[k] |= start == -2
                            continue
                        states[k].at = row
                        states[k].begun = start
                        if turn == 0:
                            if k > deepest and not optional[k]:
                                deepest = k
                                chosen = start
                        elif start == chosen and hit[k, n_found] < 0:
                            hit[k, n_found] = row
                    for k in range(n_exclusions):
                        if matches[code, n_steps + k]:
                            excluded[k] = row
                if deepest <= 0 and not any_optional:
                    hit[0, n_found] = chosen  # it got nowhere else
                    break
            entry = stop
            if deepest < 0:
                continue
            kept = False
            for k in range(n_steps):
                if barred[k] and hit[k, n_found] < 0:
                    kept = True
            kept_back += kept
            units[n_found] = unit
            n_found += 1
    if not inside:
        raise ValueError("an offset or code is out of range")
    return unit_array[:n_found].copy(), hit_array[:, :n_found].copy(), entered, kept_back
