# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""Patterns, compiled: as `reference_patterns` has them, to the bit.

The places that can still be completed after a row are the bits of a few words, and where they come
from is looked up byte by byte, so that a row costs the same whatever it looks like. Nothing is read
or written without a bound that the function itself has checked.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint64_t

import numpy as np

cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF

ctypedef fused code_t:
    int8_t
    int16_t
    int32_t
    int64_t


cdef inline bint has(const uint64_t* words, int64_t place) noexcept nogil:
    return (words[place >> 6] >> (place & 63)) & 1


def match(
    const code_t[::1] codes,
    const int64_t[::1] offsets,
    const int64_t[::1] time,
    const int8_t[::1] outcome,
    const uint16_t[::1] cases,
    const uint64_t[:, ::1] by_code,
    const uint64_t[:, ::1] by_case,
    const uint64_t[:, ::1] before,
    const uint64_t[:, ::1] accepting,
    const int64_t[::1] starts,
    const int64_t[::1] bounds,
    const int64_t[::1] options,
    const int64_t[:, ::1] links,
    const uint8_t[::1] point,
    bint begins,
    int sense,
    int64_t duration,
    bint walk,
    bint last,
    bint every,
    uint8_t[::1] found,
    int64_t[:, ::1] row,
    int16_t[::1] place_of,
    int64_t first_unit,
    int64_t stop_unit,
):
    """Note which journeys of [first_unit, stop_unit) match, and the rows of the match that counts.

    `every`: one match after the other is followed, and `place_of` is 0 at the point of each, which
    is its last row where none is marked.

    `before` has, for each byte of the places that can be completed from the next row on, those that
    may come before one of them; `accepting` the places after which a match may end, of each outcome
    at the last row of a journey, and anywhere in its last line. Links are (run, place, least,
    longest, where they start). `row` and `place_of` hold -1, and `place_of` may be empty.
    """
    cdef int64_t n = codes.shape[0], n_units = offsets.shape[0] - 1, n_codes = by_code.shape[0] - 1
    cdef int64_t n_words = by_code.shape[1], n_places = bounds.shape[0] - 1
    cdef int64_t n_links = links.shape[0], n_starts = starts.shape[0], longest = 0
    cdef int64_t unit, begin, end, i, j, k, w, v, b, c, p, q, o, size, at, then, value, limit
    cdef int64_t start, mark
    cdef uint64_t x
    cdef bint possible, asked = cases.shape[0] > 0, noted = place_of.shape[0] > 0
    cdef int64_t step = -1 if last else 1
    if n_words == 0 or n_places == 0 or n_places > 64 * n_words or by_case.shape[1] != n_words:
        raise ValueError("places and words differ")
    if before.shape[0] != 8 * n_words * 256 or before.shape[1] != n_words:
        raise ValueError("the table of places before others has another shape")
    if accepting.shape[0] != 4 or accepting.shape[1] != n_words or point.shape[0] != n_places:
        raise ValueError("ends or points have another shape")
    if time.shape[0] != n and (n_links or sense):
        raise ValueError("times differ in length")
    if (asked and cases.shape[0] != n) or (noted and place_of.shape[0] != n):
        raise ValueError("cases or places of rows differ in length")
    if outcome.shape[0] != n_units or found.shape[0] != n_units or row.shape[0] != 3:
        raise ValueError("outcomes or results differ in length")
    if row.shape[1] != n_units and walk:
        raise ValueError("rows of matches differ in length")
    if first_unit < 0 or stop_unit < first_unit or stop_unit > n_units or links.shape[1] != 5:
        raise ValueError("units or links are out of range")
    if bounds[0] != 0 or bounds[n_places] != options.shape[0]:
        raise ValueError("options are out of range")
    for p in range(n_places):
        if bounds[p] > bounds[p + 1] or bounds[p] < 0:
            raise ValueError("options are out of range")
    for k in range(options.shape[0]):
        if options[k] >= n_places or options[k] < -1 - n_links:
            raise ValueError("an option is out of range")
    for k in range(n_starts):
        if starts[k] < 0 or starts[k] >= n_places:
            raise ValueError("a start is out of range")
    for k in range(n_links):
        if links[k, 0] >= n_places or not 0 <= links[k, 1] < n_places:
            raise ValueError("a link is out of range")
        if not 0 <= links[k, 4] < n_places or links[k, 0] < -1:
            raise ValueError("a link is out of range")
    for unit in range(first_unit, stop_unit):
        if not 0 <= offsets[unit] <= offsets[unit + 1] <= n or not 0 <= outcome[unit] < 3:
            raise ValueError("offsets or outcomes are out of range")
        longest = max(longest, offsets[unit + 1] - offsets[unit])
    if n and (np.max(codes) >= n_codes or np.min(codes) < -1):
        raise ValueError("a code is out of range")
    if asked and np.max(cases) >= by_case.shape[0]:
        raise ValueError("a case is out of range")
    # one spare row after the last, of which nothing can be completed
    cdef uint64_t[:, ::1] live = np.zeros((longest + 1, n_words), dtype=np.uint64)
    cdef int64_t[:, ::1] best = np.zeros((longest + 1 if sense else 1, n_places), dtype=np.int64)
    cdef uint64_t[::1] fits_array = np.zeros(n_words, dtype=np.uint64)
    cdef uint64_t[::1] first_array = np.zeros(n_words, dtype=np.uint64)
    # of each link: the next row that it may lead to, those looked at, the row that breaks its run
    cdef int64_t[:, ::1] seen = np.zeros((n_links, 3), dtype=np.int64)
    cdef uint64_t* fits = &fits_array[0]
    cdef uint64_t* first = &first_array[0]
    cdef const uint64_t* ending
    for k in range(n_starts):
        first[starts[k] >> 6] |= <uint64_t>1 << (starts[k] & 63)
    with nogil:
        for unit in range(first_unit, stop_unit):
            begin, end = offsets[unit], offsets[unit + 1]
            size = end - begin
            if size == 0:
                continue  # what the caller knows
            for w in range(n_words):
                live[size, w] = 0
            for k in range(n_links):
                seen[k, 0], seen[k, 1], seen[k, 2] = -1, end, end
            start = -1
            for i in range(end - 1, begin - 1, -1):
                j = i - begin
                c = codes[i]
                if c < 0:
                    c = n_codes
                for w in range(n_words):
                    fits[w] = by_code[c, w]
                    if asked:
                        fits[w] &= by_case[cases[i], w]
                ending = &accepting[outcome[unit] if i == end - 1 else 3, 0]
                for w in range(n_words):
                    live[j, w] = ending[w]
                for w in range(n_words):
                    x = live[j + 1, w]
                    b = 8 * w * 256
                    while x:
                        if x & 255:
                            for v in range(n_words):
                                live[j, v] |= before[b + <int64_t>(x & 255), v]
                        x >>= 8
                        b += 256
                for k in range(n_links):
                    while seen[k, 1] - 1 > i and time[seen[k, 1] - 1] - time[i] >= links[k, 2]:
                        seen[k, 1] -= 1
                        if has(&live[seen[k, 1] - begin, 0], links[k, 1]):
                            seen[k, 0] = seen[k, 1]
                    if links[k, 0] < 0:
                        seen[k, 2] = i + 1
                    then = seen[k, 0]
                    if 0 <= then <= seen[k, 2] and time[then] - time[i] <= links[k, 3]:
                        live[j, links[k, 4] >> 6] |= <uint64_t>1 << (links[k, 4] & 63)
                    if links[k, 0] >= 0 and not has(fits, links[k, 0]):
                        seen[k, 2] = i
                for w in range(n_words):
                    live[j, w] &= fits[w]
                if sense:
                    for p in range(n_places):
                        best[j, p] = NEVER
                        if not has(&live[j, 0], p):
                            continue
                        for o in range(bounds[p], bounds[p + 1]):
                            q = options[o]
                            value = NEVER
                            if q == -1:
                                if has(ending, p):
                                    value = sense * time[i]
                            elif i + 1 < end:
                                k = -2 - q
                                if q < 0:
                                    q = links[k, 1]
                                    if not links[k, 2] <= time[i + 1] - time[i] <= links[k, 3]:
                                        continue
                                if has(&live[j + 1, 0], q):
                                    value = best[j + 1, q]
                            best[j, p] = min(best[j, p], value)
                if begins and i > begin:
                    continue
                possible = False
                for w in range(n_words):
                    if live[j, w] & first[w]:
                        possible = True
                if possible and sense:
                    possible = False
                    for k in range(n_starts):
                        p = starts[k]
                        if has(&live[j, 0], p) and best[j, p] <= sense * (time[i] + duration):
                            possible = True
                if possible:
                    start = i
                    if last or not walk:
                        break
            found[unit] = start >= 0
            if start < 0 or not walk:
                continue
            while start >= 0:  # forward, by the way that is preferred
                at, limit = start, sense * (time[start] + duration) if sense else NEVER
                p = mark = -1
                for k in range(n_starts):
                    q = starts[n_starts - 1 - k if last else k]
                    if p < 0 and has(&live[at - begin, 0], q):
                        if not sense or best[at - begin, q] <= limit:
                            p = q
                if not every:
                    row[0, unit] = at
                while p >= 0:
                    if noted and not every:
                        place_of[at] = <int16_t>p
                    if point[p] and mark < 0:
                        mark = at
                    then = -1
                    o = bounds[p + 1] - 1 if last else bounds[p]
                    while bounds[p] <= o < bounds[p + 1]:
                        q = options[o]
                        o += step
                        if q == -1:
                            ending = &accepting[outcome[unit] if at == end - 1 else 3, 0]
                            if has(ending, p) and (not sense or sense * time[at] <= limit):
                                break
                        elif q >= 0:
                            if at + 1 < end and has(&live[at + 1 - begin, 0], q):
                                if not sense or best[at + 1 - begin, q] <= limit:
                                    then = at + 1
                                    break
                        else:
                            k = -2 - q
                            q = links[k, 1]
                            for i in range(at + 1, end):
                                if time[i] - time[at] > links[k, 3]:
                                    break
                                if time[i] - time[at] >= links[k, 2] and has(&live[i - begin, 0], q):
                                    if not sense or best[i - begin, q] <= limit:
                                        then = i
                                        if not last:
                                            break
                                if links[k, 0] < 0:
                                    break
                                c = codes[i]
                                if c < 0:
                                    c = n_codes
                                if not has(&by_code[c, 0], links[k, 0]):
                                    break
                                if asked and not has(&by_case[cases[i], 0], links[k, 0]):
                                    break
                            if then >= 0:
                                if noted and not every:
                                    for i in range(at + 1, then):
                                        place_of[i] = <int16_t>links[k, 0]
                                break
                    if then < 0:
                        break
                    at, p = then, q
                start = -1
                if not every:
                    row[1, unit], row[2, unit] = at, mark
                    continue
                place_of[mark if mark >= 0 else at] = 0
                if begins:
                    continue
                for i in range(at + 1, end):
                    for k in range(n_starts):
                        q = starts[k]
                        if has(&live[i - begin, 0], q):
                            if not sense or best[i - begin, q] <= sense * (time[i] + duration):
                                start = i
                                break
                    if start >= 0:
                        break
