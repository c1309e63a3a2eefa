# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""The kernels compiled: each returns what its namesake in `reference` returns, to the bit.

What a function does is written there; here stands how it avoids passes over the rows. Nothing is
read or written without a bound that the caller or the function itself has checked.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc

import numpy as np

ctypedef fused code_t:
    int8_t
    int16_t
    int32_t
    int64_t


# ------------------------------------------------------------------ rows by customer and time

def group_rows(const int32_t[::1] customer, const int64_t[::1] time, int64_t n_customers):
    """Return order, times in order, offsets of customers, whether times are, whether rows moved.

    A stable counting sort by customer. Where a customer's rows are not in the order of time the
    fourth value is False, and the caller sorts; equal times keep their input order.
    """
    cdef int64_t n = customer.shape[0], i, place
    cdef int32_t c
    if time.shape[0] != n:
        raise ValueError("customer and time differ in length")
    order_array = np.empty(n, dtype=np.int64)
    time_array = np.empty(n, dtype=np.int64)
    offsets_array = np.zeros(n_customers + 1, dtype=np.int64)
    cdef int64_t[::1] order = order_array, sorted_time = time_array, offsets = offsets_array
    cdef int64_t* next_place = <int64_t*> malloc((n_customers + 1) * sizeof(int64_t))
    cdef bint in_order = True, inside = True, moved = False
    if next_place == NULL:
        raise MemoryError
    with nogil:
        for i in range(n):
            c = customer[i]
            if c < 0 or c >= n_customers:
                inside = False
                break
            offsets[c + 1] += 1
        if inside:
            for i in range(n_customers):
                offsets[i + 1] += offsets[i]
                next_place[i] = offsets[i]
            for i in range(n):
                c = customer[i]
                place = next_place[c]
                next_place[c] = place + 1
                order[place] = i
                moved |= place != i
                sorted_time[place] = time[i]
                if place > offsets[c] and sorted_time[place - 1] > time[i]:
                    in_order = False
    free(next_place)
    if not inside:
        raise ValueError("a customer code is out of range")
    return order_array, time_array, offsets_array, in_order, moved


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
    if customers[0] != 0 or customers[n_customers] != n:
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

def directly_follows(
    const code_t[::1] codes,
    const int64_t[::1] offsets,
    const uint8_t[::1] absorbed,
    const int8_t[::1] outcome,
    const int64_t[::1] time,
    int64_t n_codes,
):
    """Return counts and journeys of moves and nodes, first steps, and the wait of each move.

    One pass over the rows of the journeys; see `reference.directly_follows`.
    """
    cdef int64_t size = n_codes + 3, n_journeys = outcome.shape[0], j, i, start, stop, edge
    cdef int64_t n_rows = codes.shape[0], n_waits = 0
    cdef int64_t here, after
    cdef bint timed = time.shape[0] == n_rows
    if offsets.shape[0] != n_journeys + 1 or absorbed.shape[0] != n_journeys:
        raise ValueError("journeys differ in length")
    if n_journeys and (offsets[0] != 0 or offsets[n_journeys] > n_rows):
        raise ValueError("offsets reach beyond the rows")
    count_array = np.zeros(size * size, dtype=np.int64)
    journeys_array = np.zeros(size * size, dtype=np.int64)
    seen_array = np.full(size * size, -1, dtype=np.int64)
    visits_array = np.zeros(n_codes, dtype=np.int64)
    node_journeys_array = np.zeros(n_codes, dtype=np.int64)
    node_seen_array = np.full(n_codes, -1, dtype=np.int64)
    pending_array = np.zeros(n_codes, dtype=np.int64)
    first_array = np.zeros(size, dtype=np.int64)
    cdef int64_t n_kept = n_rows if timed else 0
    edge_array = np.empty(n_kept, dtype=np.int64)
    wait_array = np.empty(n_kept, dtype=np.int64)
    cdef int64_t[::1] count = count_array, journeys = journeys_array, seen = seen_array
    cdef int64_t[::1] visits = visits_array, node_journeys = node_journeys_array
    cdef int64_t[::1] node_seen = node_seen_array, pending = pending_array, first = first_array
    cdef int64_t[::1] edges = edge_array, waits = wait_array
    cdef bint inside = True
    with nogil:
        for j in range(n_journeys):
            start = offsets[j]
            stop = offsets[j + 1] - absorbed[j]
            if stop <= start:
                first[n_codes + 1 + outcome[j]] += 1
                continue
            here = codes[start]
            if here < 0 or here >= n_codes:
                inside = False
                break
            first[here] += 1
            for i in range(start, stop):
                visits[here] += 1
                if node_seen[here] != j:
                    node_seen[here] = j
                    node_journeys[here] += 1
                if i + 1 < stop:
                    after = codes[i + 1]
                    if after < 0 or after >= n_codes:
                        inside = False
                        break
                elif outcome[j] == 2:
                    pending[here] += 1
                    break
                else:
                    after = n_codes + 1 + outcome[j]
                edge = here * size + after
                count[edge] += 1
                if seen[edge] != j:
                    seen[edge] = j
                    journeys[edge] += 1
                if timed and (i + 1 < stop or absorbed[j]):
                    edges[n_waits] = edge
                    waits[n_waits] = time[i + 1] - time[i]
                    n_waits += 1
                here = after
            if not inside:
                break
    if not inside:
        raise ValueError("a code is out of range")
    return (
        count_array,
        journeys_array,
        first_array,
        visits_array,
        node_journeys_array,
        pending_array,
        edge_array[:n_waits],
        wait_array[:n_waits],
    )
