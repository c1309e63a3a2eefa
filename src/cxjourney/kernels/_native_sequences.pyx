# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""Equal sequences, compiled: as `reference_sequences` has them, to the bit.

Nothing is read or written without a bound that the function itself has checked.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

import numpy as np

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__GNUC__) || defined(__clang__)
    #define CXJ_PREFETCH(p) __builtin_prefetch(p)
    #else
    #define CXJ_PREFETCH(p) ((void)0)
    #endif
    static inline uint64_t cxj_mix(uint64_t x) {
      x ^= x >> 32; x *= 0xd6e8feb86659fd93ULL; x ^= x >> 32; return x;
    }
    static inline uint64_t cxj_load8(const uint8_t* p) { uint64_t x; memcpy(&x, p, 8); return x; }
    static inline uint64_t cxj_load4(const uint8_t* p) { uint32_t x; memcpy(&x, p, 4); return x; }
    /* hash of n bytes, by words of eight; the last word overlaps rather than reach beyond */
    static inline uint64_t cxj_hash(const uint8_t* p, int64_t n) {
      uint64_t h = cxj_mix((uint64_t)n * 0x9E3779B97F4A7C15ULL);
      if (n >= 8) {
        for (int64_t at = 0; at < n - 8; at += 8) h = cxj_mix(h ^ cxj_load8(p + at));
        return cxj_mix(h ^ cxj_load8(p + n - 8));
      }
      if (n >= 4) return cxj_mix(h ^ (cxj_load4(p) | cxj_load4(p + n - 4) << 32));
      if (n > 0) return cxj_mix(h ^ (p[0] | (uint64_t)p[n >> 1] << 8 | (uint64_t)p[n - 1] << 16));
      return h;
    }
    """
    void CXJ_PREFETCH(const void*) nogil
    uint64_t cxj_hash(const uint8_t*, int64_t) nogil

ctypedef fused code_t:
    int8_t
    int16_t
    int32_t
    int64_t


cdef struct Slot:
    uint32_t tag        # upper half of the hash
    uint32_t group      # number of the group, from 1; 0 where the slot is free


def group_sequences(const code_t[::1] codes, const int64_t[::1] begin, const int64_t[::1] stop):
    """Return the distinct sequence that each one is, by appearance, and the first of each.

    One look-up a sequence in a table by hash, in which equal tags are compared byte by byte. The
    slots of a batch are asked for ahead; at least half of all slots stay free.
    """
    cdef int64_t n = begin.shape[0], n_rows = codes.shape[0], n_slots = 64, i, k, at, batch, size
    cdef int64_t count = 0, other
    cdef uint64_t hashes[32]
    cdef uint32_t tag
    cdef const code_t* row = &codes[0] if n_rows else NULL
    cdef bint inside = True
    if stop.shape[0] != n:
        raise ValueError("beginnings and ends differ in length")
    while n_slots < 2 * n:
        n_slots *= 2
    if n_slots > <int64_t> 1 << 32:
        raise ValueError("there are too many sequences")
    group_array = np.empty(n, dtype=np.int64)
    first_array = np.empty(n, dtype=np.int64)
    cdef int64_t[::1] group = group_array, first = first_array
    # NumPy asks for huge pages
    cdef Slot[::1] table = np.zeros(n_slots, dtype=[("tag", np.uint32), ("group", np.uint32)])
    cdef Slot* slots = &table[0]
    with nogil:
        for i in range(0, n, 32):
            batch = min(n - i, <int64_t> 32)
            for k in range(batch):
                if begin[i + k] < 0 or stop[i + k] < begin[i + k] or stop[i + k] > n_rows:
                    inside = False
                    break
                size = (stop[i + k] - begin[i + k]) * sizeof(code_t)
                hashes[k] = cxj_hash(<const uint8_t*> (row + begin[i + k]), size)
                CXJ_PREFETCH(&slots[hashes[k] & (n_slots - 1)])
            if not inside:
                break
            for k in range(batch):
                size = stop[i + k] - begin[i + k]
                tag = <uint32_t> (hashes[k] >> 32)
                at = hashes[k] & (n_slots - 1)
                while slots[at].group:
                    if slots[at].tag == tag:
                        other = first[slots[at].group - 1]
                        if stop[other] - begin[other] == size and (size == 0 or not memcmp(
                            row + begin[other], row + begin[i + k], size * sizeof(code_t)
                        )):
                            break
                    at = (at + 1) & (n_slots - 1)
                if not slots[at].group:
                    first[count] = i + k
                    count += 1
                    slots[at].tag = tag
                    slots[at].group = <uint32_t> count
                group[i + k] = slots[at].group - 1
    if not inside:
        raise ValueError("a sequence is out of range")
    return group_array, first_array[:count].copy()
