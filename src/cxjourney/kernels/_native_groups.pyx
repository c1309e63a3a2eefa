# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""Values in groups, compiled: each returns what its namesake in `reference_groups` returns."""

from libc.stdint cimport INT32_MAX, int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t

import numpy as np

ctypedef fused code_t:
    int8_t
    int16_t
    int32_t
    int64_t


# ------------------------------------------------------------------ weighted medians

def place_weighted(
    const int64_t[::1] group,
    const double[::1] values,
    const double[::1] mass,
    int64_t[::1] next_place,
    double[:, ::1] placed,
):
    """Write each value and its mass to the next place of its group, and move that on."""
    cdef int64_t i, n = group.shape[0], g, place
    cdef bint inside = values.shape[0] == n and mass.shape[0] == n and placed.shape[1] == 2
    with nogil:
        for i in range(n if inside else 0):
            g = group[i]
            place = next_place[g] if 0 <= g < next_place.shape[0] else -1
            if place < 0 or place >= placed.shape[0]:
                inside = False
                break
            next_place[g] = place + 1
            placed[place, 0] = values[i]
            placed[place, 1] = mass[i]
    if not inside:
        raise ValueError("a group or a place is out of range")


def weighted_medians(double[:, ::1] placed, const int64_t[::1] bounds, double[::1] median):
    """Write the weighted median of each group that has values; these change places."""
    cdef int64_t k, i, n, first, m = bounds.shape[0] - 1
    cdef double total, rounding
    cdef bint inside = median.shape[0] == m and placed.shape[1] == 2
    with nogil:
        for k in range(m if inside else 0):
            first = bounds[k]
            n = bounds[k + 1] - first
            if first < 0 or bounds[k + 1] > placed.shape[0]:
                inside = False
                break
            if n <= 0:
                continue
            total = 0.0
            for i in range(first, first + n):
                total += placed[i, 1]
            rounding = 1e-12 * max(total, 1e-300)
            median[k] = (
                reached(&placed[first, 0], n, total / 2 - rounding) / 2
                + reached(&placed[first, 0], n, total / 2 + rounding) / 2
            )
    if not inside:
        raise ValueError("groups or bounds are out of range")


cdef inline double middle_value(double a, double b, double c) noexcept nogil:
    return max(min(a, b), min(max(a, b), c))


cdef double reached(double* pairs, int64_t n, double target) noexcept nogil:
    """Return the value by which values in order have so much mass; `smallest` with masses."""
    cdef int64_t low = 0, high = n, i, border
    cdef double pivot = pairs[0], value, weight, less, before = 0.0, smaller, equal
    cdef uint64_t chance = 0x9E3779B97F4A7C15
    while low < high:
        chance ^= chance << 13
        chance ^= chance >> 7
        chance ^= chance << 17
        i = low + <int64_t> (chance % <uint64_t> (high - low))
        pivot = middle_value(pairs[2 * low], pairs[2 * i], pairs[2 * high - 2])
        border = low
        smaller = 0.0
        for i in range(low, high):
            value = pairs[2 * i]
            weight = pairs[2 * i + 1]
            pairs[2 * i] = pairs[2 * border]
            pairs[2 * i + 1] = pairs[2 * border + 1]
            pairs[2 * border] = value
            pairs[2 * border + 1] = weight
            less = value < pivot
            smaller += less * weight
            border += <int64_t> less
        if border > low and before + smaller >= target:
            high = border
            continue
        low = border
        equal = 0.0
        for i in range(low, high):
            value = pairs[2 * i]
            weight = pairs[2 * i + 1]
            pairs[2 * i] = pairs[2 * border]
            pairs[2 * i + 1] = pairs[2 * border + 1]
            pairs[2 * border] = value
            pairs[2 * border + 1] = weight
            less = value == pivot
            equal += less * weight
            border += <int64_t> less
        before += smaller + equal
        if before >= target:
            return pivot
        low = border
    return pivot  # the largest, where rounding leaves the target beyond


# ------------------------------------------------------------------ codes in groups, times in order

def first_of_each(const int64_t[::1] group, const code_t[::1] codes, int64_t n_codes):
    """Return whether each code is the first of its kind in its group; groups are in order."""
    cdef int64_t i, n = codes.shape[0], before = 0
    cdef bint inside = group.shape[0] == n and n_codes >= 0
    last_array = np.full(max(n_codes, 0), -1, dtype=np.int64)
    first_array = np.zeros(n, dtype=np.bool_)
    cdef int64_t[::1] last = last_array
    cdef uint8_t[::1] first = first_array.view(np.uint8)
    with nogil:
        for i in range(n if inside else 0):
            if codes[i] < 0 or codes[i] >= n_codes or group[i] < before:
                inside = False
                break
            first[i] = last[codes[i]] != group[i]
            last[codes[i]] = before = group[i]
    if not inside:
        raise ValueError("a code or a group is out of range")
    return first_array


def count_before(
    const code_t[::1] node,
    const int64_t[::1] wait,
    const int64_t[::1] times,
    const int64_t[::1] bounds,
    int32_t[::1] found,
):
    """Write how many times of its node, [bounds[node], bounds[node + 1]), are before each wait."""
    cdef int64_t i, n = node.shape[0], m = bounds.shape[0] - 1, low, length, half, at
    cdef bint inside = wait.shape[0] == n and found.shape[0] == n and times.shape[0] <= INT32_MAX
    with nogil:
        for i in range(n if inside else 0):
            at = node[i]
            if at < 0 or at >= m:
                inside = False
                break
            low = bounds[at]
            length = bounds[at + 1] - low
            if low < 0 or bounds[at + 1] > times.shape[0]:
                inside = False
                break
            while length > 0:  # the half that is kept is chosen without a branch
                half = (length + 1) // 2
                low += half * (times[low + half - 1] < wait[i])
                length -= half
            found[i] = <int32_t> (low - bounds[at])
    if not inside:
        raise ValueError("a node or its times are out of range")
