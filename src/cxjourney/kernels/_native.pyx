# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""The kernels compiled: each returns what its namesake in `reference` returns, to the bit.

What a function does is written there; here stands how it avoids passes over the rows. Nothing is
read or written without a bound that the caller or the function itself has checked.
"""

from libc.stdint cimport INT32_MAX, int8_t, int16_t, int32_t, int64_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

import numpy as np

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define CXJ_PREFETCH(p) __builtin_prefetch(p)
    #define CXJ_PREFETCH_WRITE(p) __builtin_prefetch((p), 1)
    #else
    #define CXJ_PREFETCH(p) ((void)0)
    #define CXJ_PREFETCH_WRITE(p) ((void)0)
    #endif
    """
    void CXJ_PREFETCH(const void*) nogil
    void CXJ_PREFETCH_WRITE(const void*) nogil

ctypedef fused code_t:
    int8_t
    int16_t
    int32_t
    int64_t

ctypedef fused word_t:
    uint8_t
    uint16_t
    uint32_t
    uint64_t

ctypedef fused row_t:
    int32_t
    int64_t


# ------------------------------------------------------------------ rows by customer and time

def count_rows(const int32_t[::1] customer, int64_t n_customers):
    """Return the number of rows of each customer."""
    cdef int64_t i
    cdef bint inside = True
    count_array = np.zeros(n_customers, dtype=np.int64)
    cdef int64_t[::1] count = count_array
    with nogil:
        for i in range(customer.shape[0]):
            if customer[i] < 0 or customer[i] >= n_customers:
                inside = False
                break
            count[customer[i]] += 1
    if not inside:
        raise ValueError("a customer code is out of range")
    return count_array


def place_rows(
    const int32_t[::1] customer,
    const int64_t[::1] time,
    int64_t first_row,
    int64_t[::1] next_place,
    int32_t[::1] order,
    int64_t[::1] sorted_time,
):
    """Write each row's number and time to the next place of its customer, and move that on.

    Return whether any row moved. Several threads may write rows of their own to places of their
    own.
    """
    cdef int64_t n = customer.shape[0], i, place
    cdef int32_t c, later
    cdef bint inside = time.shape[0] == n and sorted_time.shape[0] == order.shape[0], moved = False
    inside = inside and 0 <= first_row <= INT32_MAX - n
    with nogil:
        for i in range(n if inside else 0):
            c = customer[i]
            if c < 0 or c >= next_place.shape[0]:
                inside = False
                break
            place = next_place[c]
            if place < 0 or place >= order.shape[0]:
                inside = False
                break
            next_place[c] = place + 1
            if i + 16 < n:
                later = customer[i + 16]
                if 0 <= later < next_place.shape[0]:
                    CXJ_PREFETCH_WRITE(&order[0] + next_place[later])
                    CXJ_PREFETCH_WRITE(&sorted_time[0] + next_place[later])
            order[place] = <int32_t> (first_row + i)
            sorted_time[place] = time[i]
            moved |= place != first_row + i
    if not inside:
        raise ValueError("a customer code or a place is out of range")
    return moved


def in_time_order(const int64_t[::1] time, const int64_t[::1] offsets, int64_t begin, int64_t end):
    """Return whether no time of the customers from `begin` to `end` is before the one above it."""
    cdef int64_t c, i
    cdef bint inside = begin >= 0 and end < offsets.shape[0], ordered = True
    with nogil:
        for c in range(begin, end if inside else begin):
            inside = offsets[c] >= 0 and offsets[c + 1] <= time.shape[0]
            for i in range(offsets[c] + 1, offsets[c + 1] if inside else 0):
                if time[i] < time[i - 1]:
                    ordered = False
                    break
            if not (inside and ordered):
                break
    if not inside:
        raise ValueError("customers are out of range")
    return ordered


def gather(const word_t[::1] values, const row_t[::1] rows, word_t[::1] found):
    """Write the values of these rows, whatever the words stand for."""
    cdef int64_t i, n = rows.shape[0], n_values = values.shape[0]
    cdef row_t row
    cdef bint inside = found.shape[0] == n
    with nogil:
        for i in range(n if inside else 0):
            row = rows[i]
            if row < 0 or row >= n_values:
                inside = False
                break
            if i + 16 < n:
                CXJ_PREFETCH(&values[0] + rows[i + 16])  # wherever that is: it is not read
            found[i] = values[row]
    if not inside:
        raise ValueError("a row is out of range")


# ------------------------------------------------------------------ journeys

def cut_journeys(
    const int64_t[::1] customers,
    const int64_t[::1] time,
    const code_t[::1] codes,
    const uint8_t[::1] ends,
    int64_t limit,
):
    """Return offsets of journeys, which fell silent, their customers; `reference.cut_journeys`."""
    cdef int64_t n_customers = customers.shape[0] - 1, n = codes.shape[0], n_journeys = 0, c, i
    cdef int64_t n_names = ends.shape[0]
    cdef bint any_end = False, silence, after_end
    if n_customers < 0 or customers[0] != 0 or customers[n_customers] != n:
        raise ValueError("the customers' rows are not these rows")
    if limit > 0 and time.shape[0] != n:
        raise ValueError("times and codes differ in length")
    for i in range(n_names):
        any_end |= ends[i]
    begin_array = np.empty(n + 1, dtype=np.int64)
    silent_array = np.zeros(n, dtype=np.bool_)
    owner_array = np.empty(n, dtype=np.int64)
    cdef int64_t[::1] begin = begin_array, owner = owner_array
    cdef uint8_t[::1] silent = silent_array.view(np.uint8)
    cdef bint inside = True
    with nogil:
        for c in range(n_customers):
            if customers[c] > customers[c + 1] or customers[c] < 0 or customers[c + 1] > n:
                inside = False
                break
            after_end = False
            for i in range(customers[c], customers[c + 1]):
                silence = limit > 0 and i > customers[c] and time[i] - time[i - 1] >= limit
                if i == customers[c] or silence or after_end:
                    if silence:
                        silent[n_journeys - 1] = True
                    begin[n_journeys] = i
                    owner[n_journeys] = c
                    n_journeys += 1
                if any_end:
                    if codes[i] < 0 or codes[i] >= n_names:
                        inside = False
                        break
                    after_end = ends[codes[i]]
    if not inside:
        raise ValueError("an offset or code is out of range")
    begin[n_journeys] = n
    return (
        begin_array[: n_journeys + 1].copy(),
        silent_array[:n_journeys].copy(),
        owner_array[:n_journeys].copy(),
    )


# ------------------------------------------------------------------ directly-follows

cdef enum:
    COUNT = 0
    VISITS = 0
    JOURNEYS = 1
    LAST = 2        # journey that came by, from 1
    WAITED = 3
    CENSORED = 3


def directly_follows(
    const code_t[::1] codes,
    const int64_t[::1] offsets,
    const uint8_t[::1] absorbed,
    const int8_t[::1] outcome,
    const int64_t[::1] time,
    int64_t n_codes,
    int64_t begin,
    int64_t end,
):
    """Return counts and journeys of moves, first steps, visits, visiting journeys, open visits.

    Then how many moves have no time, and how long the others took. One pass over the rows of the
    journeys from `begin` to `end`; what they add up to is what `reference.directly_follows` returns.
    """
    cdef int64_t size = n_codes + 3, j, i, start, stop, edge, here, after
    check_journeys(offsets, absorbed, outcome, begin, end)
    # what is counted of a move or a touchpoint stands together: one place in memory a row
    move_array = np.zeros((size * size, 4), dtype=np.int64)
    node_array = np.zeros((n_codes, 4), dtype=np.int64)
    untimed_array = np.zeros(size * size, dtype=np.int64)
    first_array = np.zeros(size, dtype=np.int64)
    cdef int64_t[:, ::1] move = move_array, node = node_array
    cdef int64_t[::1] untimed = untimed_array, first = first_array
    cdef bint timed = time.shape[0] == codes.shape[0], inside = True
    with nogil:
        for j in range(begin, end):
            start = offsets[j]
            stop = offsets[j + 1] - absorbed[j]
            inside = 0 <= start <= offsets[j + 1] <= codes.shape[0] and 0 <= outcome[j] <= 2
            if not inside or (stop <= start and outcome[j] == 2):  # no touch, and no end either
                inside = False
                break
            if stop <= start:
                first[n_codes + 1 + outcome[j]] += 1
                continue
            here = codes[start]
            if here < 0 or here >= n_codes:
                inside = False
                break
            first[here] += 1
            for i in range(start, stop):
                node[here, VISITS] += 1
                if node[here, LAST] != j + 1:
                    node[here, LAST] = j + 1
                    node[here, JOURNEYS] += 1
                if i + 1 < stop:
                    after = codes[i + 1]
                    if after < 0 or after >= n_codes:
                        inside = False
                        break
                elif outcome[j] == 2:
                    node[here, CENSORED] += 1
                    break
                else:
                    after = n_codes + 1 + outcome[j]
                edge = here * size + after
                move[edge, COUNT] += 1
                if move[edge, LAST] != j + 1:
                    move[edge, LAST] = j + 1
                    move[edge, JOURNEYS] += 1
                if timed and (i + 1 < stop or absorbed[j]):
                    move[edge, WAITED] += time[i + 1] - time[i]
                else:
                    untimed[edge] += 1
                here = after
            if not inside:
                break
    if not inside:
        raise ValueError("a code, an outcome or an offset is out of range")
    return (
        move_array[:, COUNT],
        move_array[:, JOURNEYS],
        first_array,
        node_array[:, VISITS],
        node_array[:, JOURNEYS],
        node_array[:, CENSORED],
        untimed_array,
        move_array[:, WAITED],
    )


cdef check_journeys(
    const int64_t[::1] offsets,
    const uint8_t[::1] absorbed,
    const int8_t[::1] outcome,
    int64_t begin,
    int64_t end,
):
    if offsets.shape[0] != absorbed.shape[0] + 1 or outcome.shape[0] != absorbed.shape[0]:
        raise ValueError("journeys differ in length")
    if begin < 0 or end > absorbed.shape[0]:
        raise ValueError("journeys are out of range")


# ------------------------------------------------------------------ how long moves take

cdef inline int64_t move_key(
    const code_t[::1] codes, int64_t i, int64_t stop, bint absorbed, int8_t outcome, int64_t n_codes
) noexcept nogil:
    """Return the key of the move from row i to the row below; -1 where a code is out of range."""
    cdef int64_t here = codes[i], after = codes[i + 1]
    if here < 0 or here >= n_codes or after < 0 or after >= n_codes:
        return -1
    if absorbed and i + 2 == stop:
        after = n_codes + 1 + outcome
    return here * (n_codes + 3) + after


def place_waits(
    const code_t[::1] codes,
    const int64_t[::1] offsets,
    const uint8_t[::1] absorbed,
    const int8_t[::1] outcome,
    const int64_t[::1] time,
    int64_t n_codes,
    int64_t begin,
    int64_t end,
    int64_t[::1] next_place,
    int64_t[::1] waits,
):
    """Write the duration of each move to the next place of its key, and move that on."""
    cdef int64_t size = n_codes + 3, j, i, edge, place
    cdef bint inside = time.shape[0] == codes.shape[0] and next_place.shape[0] == size * size
    check_journeys(offsets, absorbed, outcome, begin, end)
    with nogil:
        for j in range(begin, end if inside else begin):
            inside = offsets[j] >= 0 and offsets[j + 1] <= codes.shape[0]
            inside = inside and 0 <= outcome[j] <= 2
            if not inside:
                break
            for i in range(offsets[j], offsets[j + 1] - 1):
                edge = move_key(codes, i, offsets[j + 1], absorbed[j], outcome[j], n_codes)
                place = -1 if edge < 0 else next_place[edge]
                if place < 0 or place >= waits.shape[0]:
                    inside = False
                    break
                next_place[edge] = place + 1
                waits[place] = time[i + 1] - time[i]
            if not inside:
                break
    if not inside:
        raise ValueError("a code, an outcome, an offset or a place is out of range")


def summarise_waits(
    int64_t[::1] waits,
    const int64_t[::1] bounds,
    int64_t begin,
    int64_t end,
    double[::1] median,
    double[::1] squares,
):
    """Write median and squared deviations of the waits of the moves from `begin` to `end`.

    The waits of move k are [bounds[k], bounds[k + 1]); they change places. A move without waits
    is left as it is.
    """
    cdef int64_t k, i, first, n, low, high, total, m = bounds.shape[0] - 1
    cdef double mean, apart, sum_of_squares
    cdef bint inside = median.shape[0] == m and squares.shape[0] == m
    inside = inside and begin >= 0 and end <= m
    with nogil:
        for k in range(begin, end if inside else begin):
            first = bounds[k]
            n = bounds[k + 1] - first
            if first < 0 or bounds[k + 1] > waits.shape[0]:
                inside = False
                break
            if n <= 0:
                continue
            total = 0
            for i in range(first, first + n):
                total += waits[i]
            mean = <double> total / <double> n / 1e6
            sum_of_squares = 0.0
            for i in range(first, first + n):
                apart = <double> waits[i] / 1e6 - mean
                sum_of_squares += apart * apart
            squares[k] = sum_of_squares
            low = high = smallest(&waits[first], n, (n - 1) // 2)
            if n % 2 == 0:  # what lies beyond is no smaller
                high = waits[first + n // 2]
                for i in range(first + n // 2 + 1, first + n):
                    high = min(high, waits[i])
            median[k] = <double> low / 2 + <double> high / 2
    if not inside:
        raise ValueError("moves or bounds are out of range")


cdef inline int64_t middle(int64_t a, int64_t b, int64_t c) noexcept nogil:
    return max(min(a, b), min(max(a, b), c))


cdef int64_t smallest(int64_t* values, int64_t n, int64_t rank) noexcept nogil:
    """Return the value that so many are before in order; those behind its place are no smaller.

    Quickselect (Hoare 1961) by the middle of three: chance picks one of them, so that no order of
    the input is slow.
    """
    cdef int64_t low = 0, high = n, i, border, pivot, value
    cdef uint64_t chance = 0x9E3779B97F4A7C15
    while high - low > 1:
        chance ^= chance << 13
        chance ^= chance >> 7
        chance ^= chance << 17
        i = low + <int64_t> (chance % <uint64_t> (high - low))
        pivot = middle(values[low], values[i], values[high - 1])
        border = low
        for i in range(low, high):  # smaller ones to the front, without a branch
            value = values[i]
            values[i] = values[border]
            values[border] = value
            border += value < pivot
        if rank < border:
            high = border
            continue
        low = border
        for i in range(low, high):  # those equal to the pivot next
            value = values[i]
            values[i] = values[border]
            values[border] = value
            border += value == pivot
        if rank < border:
            return pivot
        low = border
    return values[rank]
