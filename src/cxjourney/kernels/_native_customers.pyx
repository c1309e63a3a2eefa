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
