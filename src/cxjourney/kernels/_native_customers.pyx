# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""What is counted by customer, compiled: as its namesake in `reference_customers`, to the bit.

Nothing is read or written without a bound that the function itself has checked.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t

import numpy as np


# ------------------------------------------------------------------ replicates

def weighted_counts(
    const int64_t[::1] offsets,
    const int64_t[::1] unit,
    const uint8_t[:, ::1] frequency,
    int64_t begin,
    double[:, ::1] counts,
):
    """Count the keys from `begin` on into the rows of `counts`; `reference.weighted_counts`.

    Frequencies are added up in 16 bits, which the sum of 256 of them fits.
    """
    cdef int64_t n_keys = counts.shape[0], n = unit.shape[0], n_units = frequency.shape[0]
    cdef int64_t n_replicates = frequency.shape[1], key, start, stop, i, u, b
    cdef bint inside = True
    if begin < 0 or begin + n_keys > offsets.shape[0] - 1:
        raise ValueError("there are fewer keys")
    if counts.shape[1] != n_replicates:
        raise ValueError("counts and frequencies differ in replicates")
    some_array = np.zeros(n_replicates, dtype=np.uint16)
    cdef uint16_t[::1] some = some_array
    with nogil:
        for key in range(n_keys):
            start, stop = offsets[begin + key], offsets[begin + key + 1]
            if start < 0 or stop < start or stop > n:
                inside = False
                break
            for b in range(n_replicates):
                counts[key, b] = 0
            for i in range(start, stop):
                u = unit[i]
                if u < 0 or u >= n_units:
                    inside = False
                    break
                for b in range(n_replicates):
                    some[b] += frequency[u, b]
                if (i - start) % 256 == 255 or i + 1 == stop:
                    for b in range(n_replicates):
                        counts[key, b] += some[b]
                        some[b] = 0
            if not inside:
                break
    if not inside:
        raise ValueError("an offset or unit is out of range")


# ------------------------------------------------------------------ customers by group

def customer_cells(const int64_t[::1] group, const int64_t[::1] customer, int64_t n_groups):
    """Return the first row of each cell, the cell of each row, and whether customers ascend.

    Rows of a customer stand together, so that a table of the groups knows the cells of the present
    one; then a counting sort by group. Where customers do not ascend the caller sorts.
    """
    cdef int64_t n = group.shape[0], n_cells = 0, begin = 0, i, g, c
    if customer.shape[0] != n:
        raise ValueError("group and customer differ in length")
    cell_array = np.empty(n, dtype=np.int64)
    found_array = np.empty(n, dtype=np.int64)
    place_array = np.zeros(n_groups + 1, dtype=np.int64)
    latest_array = np.full(n_groups, -1, dtype=np.int64)
    cdef int64_t[::1] cell = cell_array, found = found_array
    cdef int64_t[::1] place = place_array, latest = latest_array
    cdef bint inside = True, ascending = True
    with nogil:
        for i in range(n):
            g = group[i]
            if g < 0 or g >= n_groups:
                inside = False
                break
            if i > 0 and customer[i] != customer[i - 1]:
                if customer[i] < customer[i - 1]:
                    ascending = False
                    break
                begin = n_cells
            if latest[g] < begin:
                latest[g] = n_cells
                found[n_cells] = i
                place[g + 1] += 1
                n_cells += 1
            cell[i] = latest[g]
    if not inside:
        raise ValueError("a group is out of range")
    if not ascending:
        return None, None, False
    first_array = np.empty(n_cells, dtype=np.int64)
    sorted_array = np.empty(n_cells, dtype=np.int64)
    cdef int64_t[::1] first = first_array, in_order = sorted_array
    with nogil:
        for g in range(n_groups):
            place[g + 1] += place[g]
        for c in range(n_cells):
            g = group[found[c]]
            first[place[g]] = found[c]
            in_order[c] = place[g]
            place[g] += 1
        for i in range(n):
            cell[i] = in_order[cell[i]]
    return first_array, cell_array, True


def clustered_sums(
    const int64_t[::1] cell, const int64_t[::1] base_of_cell, const int64_t[::1] customer
):
    """Return the sums of `reference.clustered_sums`, and whether customers ascend.

    Rows of a customer stand together: tables hold the counts of the present one.
    """
    cdef int64_t n = cell.shape[0], n_cells = base_of_cell.shape[0], n_bases = 0
    cdef int64_t n_here = 0, n_bases_here = 0, i, j, c, b, m
    cdef bint inside = True, ascending = True
    if customer.shape[0] != n:
        raise ValueError("cell and customer differ in length")
    for c in range(n_cells):
        if base_of_cell[c] < 0:
            raise ValueError("a base is out of range")
        n_bases = max(n_bases, base_of_cell[c] + 1)
    cells_array = np.zeros((4, n_cells), dtype=np.int64)
    bases_array = np.zeros((3, n_bases), dtype=np.int64)
    cdef int64_t[:, ::1] cells = cells_array, bases = bases_array
    cdef int64_t[::1] here = np.empty(n_cells, dtype=np.int64)
    cdef int64_t[::1] bases_here = np.empty(n_bases, dtype=np.int64)
    cdef int64_t[::1] many = np.zeros(n_cells, dtype=np.int64)
    cdef int64_t[::1] big = np.zeros(n_bases, dtype=np.int64)
    with nogil:
        for i in range(n):
            c = cell[i]
            if c < 0 or c >= n_cells:
                inside = False
                break
            if i > 0 and customer[i] < customer[i - 1]:
                ascending = False
                break
            b = base_of_cell[c]
            if many[c] == 0:
                here[n_here] = c
                n_here += 1
            if big[b] == 0:
                bases_here[n_bases_here] = b
                n_bases_here += 1
            many[c] += 1
            big[b] += 1
            if i + 1 < n and customer[i + 1] == customer[i]:
                continue
            for j in range(n_here):
                c = here[j]
                m = many[c]
                cells[0, c] += m
                cells[1, c] += 1
                cells[2, c] += m * m
                cells[3, c] += m * big[base_of_cell[c]]
                many[c] = 0
            for j in range(n_bases_here):
                b = bases_here[j]
                m = big[b]
                bases[0, b] += m
                bases[1, b] += 1
                bases[2, b] += m * m
                big[b] = 0
            n_here = n_bases_here = 0
    if not inside:
        raise ValueError("a cell is out of range")
    return (*cells_array, *bases_array), ascending
