# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""A lasting table of ids and their codes, compiled: as `reference_ids` has it.

The bytes of all ids stand in one run, an entry a code says where, and slots by hash lead to codes.
Nothing is read or written without a bound that the function itself has checked.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy

import numpy as np

from cxjourney._support.strings import Strings

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__GNUC__) || defined(__clang__)
    #define CXJ_PREFETCH(p) __builtin_prefetch(p)
    #else
    #define CXJ_PREFETCH(p) ((void)0)
    #endif
    static inline uint64_t cxj_load4(const uint8_t* p) { uint32_t x; memcpy(&x, p, 4); return x; }
    /* SipHash-1-3 of n bytes under a secret key, after Aumasson and Bernstein 2012 */
    #define CXJ_ROTATED(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
    #define CXJ_ROUND \\
      v0 += v1; v1 = CXJ_ROTATED(v1, 13); v1 ^= v0; v0 = CXJ_ROTATED(v0, 32); \\
      v2 += v3; v3 = CXJ_ROTATED(v3, 16); v3 ^= v2; \\
      v0 += v3; v3 = CXJ_ROTATED(v3, 21); v3 ^= v0; \\
      v2 += v1; v1 = CXJ_ROTATED(v1, 17); v1 ^= v2; v2 = CXJ_ROTATED(v2, 32);
    static inline uint64_t cxj_hash(uint64_t k0, uint64_t k1, const uint8_t* p, int64_t n) {
      uint64_t v0 = k0 ^ 0x736f6d6570736575ULL, v1 = k1 ^ 0x646f72616e646f6dULL;
      uint64_t v2 = k0 ^ 0x6c7967656e657261ULL, v3 = k1 ^ 0x7465646279746573ULL;
      uint64_t word, last = (uint64_t)n << 56;
      const int64_t rest = n & 7;
      for (int64_t at = 0; at < n - rest; at += 8) {
        memcpy(&word, p + at, 8);
        v3 ^= word; CXJ_ROUND v0 ^= word;
      }
      /* what is left: loads overlap rather than reach beyond */
      if (rest && n > 8) { memcpy(&word, p + n - 8, 8); last |= word >> 8 * (8 - rest); }
      else if (rest >= 4) last |= cxj_load4(p) | cxj_load4(p + n - 4) << 8 * (n - 4);
      else if (rest)
        last |= p[0] | (uint64_t)p[n >> 1] << 8 * (n >> 1) | (uint64_t)p[n - 1] << 8 * (n - 1);
      v3 ^= last; CXJ_ROUND v0 ^= last;
      v2 ^= 0xff; CXJ_ROUND CXJ_ROUND CXJ_ROUND
      return v0 ^ v1 ^ v2 ^ v3;
    }
    """
    void CXJ_PREFETCH(const void*) nogil
    uint64_t cxj_hash(uint64_t, uint64_t, const uint8_t*, int64_t) nogil

cdef enum:
    BATCH = 64
    MOST = 0x7ffffffe


cdef struct Slot:
    uint32_t tag        # lower half of the hash
    uint32_t number     # code + 1; 0 where the slot is free


cdef struct Entry:
    int64_t start       # of its bytes
    int32_t length      # -1 where the code is free
    uint32_t tag


@cython.final
cdef class IdTable:
    """Ids by code and codes by id; see `reference_ids.IdTable`."""

    cdef uint64_t k0, k1        # the key
    cdef Slot* slots
    cdef int64_t mask           # number of slots, a power of two, less one
    cdef Entry* entries
    cdef int64_t n_codes        # also those that are free
    cdef int64_t entry_room
    cdef int32_t* free_codes
    cdef int64_t n_free
    cdef int64_t free_room
    cdef uint8_t* data
    cdef int64_t used
    cdef int64_t data_room
    cdef int64_t dead           # bytes of ids that are gone

    def __cinit__(self, seed):
        self.k0, self.k1 = seed & 0xffffffffffffffff, seed >> 64
        self.mask = 1023
        self.slots = <Slot*> calloc(self.mask + 1, sizeof(Slot))
        self.entry_room, self.data_room = 512, 8192
        self.entries = <Entry*> malloc(self.entry_room * sizeof(Entry))
        self.data = <uint8_t*> malloc(self.data_room)
        if self.slots == NULL or self.entries == NULL or self.data == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.slots)
        free(self.entries)
        free(self.free_codes)
        free(self.data)

    def __len__(self):
        return self.n_codes - self.n_free

    @property
    def size(self):
        """How many codes there are, free ones among them."""
        return self.n_codes

    cdef inline int64_t found(self, const uint8_t* start, int64_t length, uint32_t tag) noexcept nogil:
        """Return the code of an id, or -1."""
        cdef int64_t place = tag & self.mask
        cdef Slot* slot = &self.slots[place]
        cdef Entry* entry
        while slot.number:
            if slot.tag == tag:
                entry = &self.entries[slot.number - 1]
                if entry.length == length and (
                    length == 0 or memcmp(self.data + entry.start, start, length) == 0
                ):
                    return <int64_t> slot.number - 1
            place = (place + 1) & self.mask
            slot = &self.slots[place]
        return -1

    cdef int placed(self, uint32_t tag, int64_t code) except -1:
        cdef int64_t place = tag & self.mask
        while self.slots[place].number:
            place = (place + 1) & self.mask
        self.slots[place].tag, self.slots[place].number = tag, <uint32_t> (code + 1)
        return 0

    cdef int rebuilt(self, int64_t capacity) except -1:
        """Make the slots anew, so many of them."""
        cdef int64_t code
        cdef Slot* slots = <Slot*> calloc(capacity, sizeof(Slot))
        if slots == NULL:
            raise MemoryError
        free(self.slots)
        self.slots, self.mask = slots, capacity - 1
        for code in range(self.n_codes):
            if self.entries[code].length >= 0:
                self.placed(self.entries[code].tag, code)
        return 0

    cdef int64_t added(self, const uint8_t* start, int64_t length, uint32_t tag) except -1:
        """Return the code of an id that is not there yet."""
        cdef int64_t code, room
        cdef void* more
        if length > MOST or self.n_codes > MOST:
            raise OverflowError("more ids than codes, or an id of two billion bytes")
        if (self.n_codes - self.n_free + 1) * 8 > (self.mask + 1) * 5:
            self.rebuilt(4 * (self.mask + 1))
        if self.used + length > self.data_room:
            room = self.data_room * 2 + length
            more = realloc(self.data, room)
            if more == NULL:
                raise MemoryError
            self.data, self.data_room = <uint8_t*> more, room
        if self.n_free:
            code = self.free_codes[self.n_free - 1]
        else:
            code = self.n_codes
            if code == self.entry_room:
                room = self.entry_room * 2
                more = realloc(self.entries, room * sizeof(Entry))
                if more == NULL:
                    raise MemoryError
                self.entries, self.entry_room = <Entry*> more, room
        self.placed(tag, code)
        if self.n_free:
            self.n_free -= 1
        else:
            self.n_codes += 1
        if length:
            memcpy(self.data + self.used, start, length)
        self.entries[code].start, self.entries[code].length = self.used, <int32_t> length
        self.entries[code].tag = tag
        self.used += length
        return code

    def code(self, str name, bint add):
        """Return the code of an id; -1 where it has none and none is added."""
        cdef Py_ssize_t length
        cdef const uint8_t* start = <const uint8_t*> PyUnicode_AsUTF8AndSize(name, &length)
        cdef uint32_t tag = <uint32_t> cxj_hash(self.k0, self.k1, start, length)
        cdef int64_t code = self.found(start, length, tag)
        if code < 0 and add:
            code = self.added(start, length, tag)
        return code

    def codes(self, strings):
        """Return the code of each id, int32; new ones are added."""
        held, offsets_held = Strings.of(strings).utf8()
        cdef const int64_t[::1] offsets = np.ascontiguousarray(offsets_held, dtype=np.int64)
        cdef const uint8_t[::1] data = np.append(held, np.uint8(0))  # never empty
        cdef int64_t n = offsets.shape[0] - 1, i, k, batch, code
        cdef uint32_t tags[BATCH]
        cdef int64_t place
        found = np.empty(n, dtype=np.int32)
        cdef int32_t[::1] codes = found
        if n and (offsets[0] < 0 or offsets[n] > data.shape[0] - 1):
            raise ValueError("offsets lie outside the data")
        for i in range(n):
            if offsets[i + 1] < offsets[i]:
                raise ValueError("offsets do not rise")
        for i in range(0, n, BATCH):
            batch = min(<int64_t> BATCH, n - i)
            for k in range(batch):
                tags[k] = <uint32_t> cxj_hash(
                    self.k0,
                    self.k1,
                    &data[offsets[i + k]],
                    offsets[i + k + 1] - offsets[i + k],
                )
                CXJ_PREFETCH(&self.slots[tags[k] & self.mask])
            for k in range(batch):
                place = self.slots[tags[k] & self.mask].number
                if place:
                    CXJ_PREFETCH(&self.entries[place - 1])
            for k in range(batch):
                place = self.slots[tags[k] & self.mask].number
                if place and self.entries[place - 1].length > 0:
                    CXJ_PREFETCH(self.data + self.entries[place - 1].start)
            for k in range(batch):
                code = self.found(
                    &data[offsets[i + k]], offsets[i + k + 1] - offsets[i + k], tags[k]
                )
                if code < 0:
                    code = self.added(
                        &data[offsets[i + k]], offsets[i + k + 1] - offsets[i + k], tags[k]
                    )
                codes[i + k] = <int32_t> code
        return found

    def release(self, codes):
        """Forget the ids of some codes, each of which is in use; the codes are free then."""
        cdef const int64_t[::1] gone = np.ascontiguousarray(codes, dtype=np.int64)
        cdef int64_t i, code, room = self.n_free + gone.shape[0], start = 0
        cdef void* more
        cdef uint8_t* data
        if room > self.free_room:
            more = realloc(self.free_codes, room * 2 * sizeof(int32_t))
            if more == NULL:
                raise MemoryError
            self.free_codes, self.free_room = <int32_t*> more, room * 2
        for i in range(gone.shape[0]):
            code = gone[i]
            if code < 0 or code >= self.n_codes or self.entries[code].length < 0:
                raise ValueError("a code is not in use")
            self.dead += self.entries[code].length
            self.entries[code].length = -1
            self.free_codes[self.n_free] = <int32_t> code
            self.n_free += 1
        if self.dead * 2 > self.used:
            room = self.used - self.dead + 8192
            data = <uint8_t*> malloc(room)
            if data == NULL:
                raise MemoryError
            for code in range(self.n_codes):
                if self.entries[code].length > 0:
                    memcpy(data + start, self.data + self.entries[code].start, self.entries[code].length)
                if self.entries[code].length >= 0:
                    self.entries[code].start = start
                    start += self.entries[code].length
            free(self.data)
            self.data, self.data_room, self.used, self.dead = data, room, start, 0
        self.rebuilt(self.mask + 1)

    def strings(self, codes):
        """Return the ids of codes that are in use."""
        cdef const int64_t[::1] asked = np.ascontiguousarray(codes, dtype=np.int64)
        cdef int64_t i, n = asked.shape[0], total = 0
        made = np.zeros(n + 1, dtype=np.int64)
        cdef int64_t[::1] offsets = made
        for i in range(n):
            if asked[i] < 0 or asked[i] >= self.n_codes or self.entries[asked[i]].length < 0:
                raise ValueError("a code is not in use")
            total += self.entries[asked[i]].length
            offsets[i + 1] = total
        held = np.empty(total, dtype=np.uint8)
        cdef uint8_t[::1] data = held
        for i in range(n):
            if offsets[i + 1] > offsets[i]:
                memcpy(
                    &data[offsets[i]],
                    self.data + self.entries[asked[i]].start,
                    offsets[i + 1] - offsets[i],
                )
        return Strings(held, made)
