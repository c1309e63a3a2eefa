# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""The kernels compiled: each returns what its namesake in `reference` returns, to the bit.

What a function does is written there; here stands how it avoids passes over the rows. Nothing is
read or written without a bound that the caller or the function itself has checked.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy
from cpython.pycapsule cimport PyCapsule_GetPointer

import numpy as np

ctypedef fused code_t:
    int8_t
    int16_t
    int32_t
    int64_t


# ------------------------------------------------------------------ strings in Arrow buffers

cdef extern from *:
    """
    #include <stdint.h>
    #ifndef CXJ_ARROW_C_DATA
    #define CXJ_ARROW_C_DATA
    struct ArrowSchema {
      const char* format; const char* name; const char* metadata; int64_t flags;
      int64_t n_children; struct ArrowSchema** children; struct ArrowSchema* dictionary;
      void (*release)(struct ArrowSchema*); void* private_data;
    };
    struct ArrowArray {
      int64_t length; int64_t null_count; int64_t offset; int64_t n_buffers; int64_t n_children;
      const void** buffers; struct ArrowArray** children; struct ArrowArray* dictionary;
      void (*release)(struct ArrowArray*); void* private_data;
    };
    struct ArrowArrayStream {
      int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema*);
      int (*get_next)(struct ArrowArrayStream*, struct ArrowArray*);
      const char* (*get_last_error)(struct ArrowArrayStream*);
      void (*release)(struct ArrowArrayStream*); void* private_data;
    };
    #endif
    #if defined(__GNUC__) || defined(__clang__)
    #define CXJ_PREFETCH(p) __builtin_prefetch(p)
    #else
    #define CXJ_PREFETCH(p) ((void)0)
    #endif
    /* mix of 64 bits, after Steele, Lea and Flood 2014 (splitmix64) */
    static inline uint64_t cxj_mix(uint64_t x) {
      x ^= x >> 32; x *= 0xd6e8feb86659fd93ULL; x ^= x >> 32; return x;
    }
    """
    struct ArrowSchema:
        const char* format
        void (*release)(ArrowSchema*) noexcept nogil
        ArrowSchema* dictionary
    struct ArrowArray:
        int64_t length
        int64_t null_count
        int64_t offset
        int64_t n_buffers
        const void** buffers
        ArrowArray* dictionary
        void (*release)(ArrowArray*) noexcept nogil
    struct ArrowArrayStream:
        int (*get_schema)(ArrowArrayStream*, ArrowSchema*) noexcept nogil
        int (*get_next)(ArrowArrayStream*, ArrowArray*) noexcept nogil
        const char* (*get_last_error)(ArrowArrayStream*) noexcept nogil
        void (*release)(ArrowArrayStream*) noexcept nogil
    void CXJ_PREFETCH(const void*) nogil
    uint64_t cxj_mix(uint64_t) nogil

cdef enum Layout:
    SMALL = 0   # "u": offsets of 32 bits
    LARGE = 1   # "U": offsets of 64 bits
    VIEW = 2    # "vu": views of 16 bytes, short texts inside


cdef struct Text:
    const uint8_t* start
    int64_t length


cdef struct Column:
    Layout layout
    const uint8_t* valid
    const void* index
    const uint8_t* data
    const void** buffers
    int64_t offset


cdef inline bint is_missing(Column* column, int64_t row) noexcept nogil:
    if column.valid == NULL:
        return False
    row += column.offset
    return not (column.valid[row >> 3] >> (row & 7)) & 1


cdef inline Text text_at(Column* column, int64_t row) noexcept nogil:
    cdef Text text
    cdef const int32_t* small
    cdef const int64_t* large
    cdef const int32_t* view
    row += column.offset
    if column.layout == SMALL:
        small = <const int32_t*> column.index
        text.start = column.data + small[row]
        text.length = small[row + 1] - small[row]
    elif column.layout == LARGE:
        large = <const int64_t*> column.index
        text.start = column.data + large[row]
        text.length = large[row + 1] - large[row]
    else:
        view = (<const int32_t*> column.index) + 4 * row
        text.length = view[0]
        if text.length <= 12:
            text.start = <const uint8_t*> (view + 1)
        else:
            text.start = (<const uint8_t*> column.buffers[2 + view[2]]) + view[3]
    return text


cdef inline uint64_t hash_of(Text text) noexcept nogil:
    cdef uint64_t h = <uint64_t> text.length * <uint64_t> 0x9E3779B97F4A7C15
    cdef uint64_t word
    cdef int64_t left = text.length
    cdef const uint8_t* p = text.start
    while left >= 8:
        memcpy(&word, p, 8)
        h = cxj_mix(h ^ word)
        p += 8
        left -= 8
    if left:
        word = 0
        memcpy(&word, p, left)
        h = cxj_mix(h ^ word)
    return cxj_mix(h)


cdef struct Slot:
    uint32_t tag        # upper half of the hash
    int32_t code        # -1 where the slot is free


cdef class TextTable:
    """Distinct texts in order of appearance: open addressing, texts kept where Arrow has them."""

    cdef Slot* slots
    cdef Text* texts
    cdef uint64_t* hashes
    cdef int64_t capacity       # of the slots, a power of two
    cdef int64_t room           # for texts
    cdef int64_t count

    def __cinit__(self):
        self.capacity = 1 << 12
        self.room = self.capacity >> 1
        self.slots = <Slot*> malloc(self.capacity * sizeof(Slot))
        self.texts = <Text*> malloc(self.room * sizeof(Text))
        self.hashes = <uint64_t*> malloc(self.room * sizeof(uint64_t))
        if self.slots == NULL or self.texts == NULL or self.hashes == NULL:
            raise MemoryError
        self.count = 0
        self.clear()

    def __dealloc__(self):
        free(self.slots)
        free(self.texts)
        free(self.hashes)

    cdef void clear(self) noexcept nogil:
        cdef int64_t i
        for i in range(self.capacity):
            self.slots[i].code = -1

    cdef int grow(self) except -1 nogil:
        cdef int64_t capacity = self.capacity << 2
        cdef Slot* slots = <Slot*> malloc(capacity * sizeof(Slot))
        cdef Text* texts = <Text*> malloc((capacity >> 1) * sizeof(Text))
        cdef uint64_t* hashes = <uint64_t*> malloc((capacity >> 1) * sizeof(uint64_t))
        cdef int64_t i, place
        if slots == NULL or texts == NULL or hashes == NULL:
            free(slots)
            free(texts)
            free(hashes)
            with gil:
                raise MemoryError
        memcpy(texts, self.texts, self.count * sizeof(Text))
        memcpy(hashes, self.hashes, self.count * sizeof(uint64_t))
        for i in range(capacity):
            slots[i].code = -1
        for i in range(self.count):
            place = hashes[i] & (capacity - 1)
            while slots[place].code >= 0:
                place = (place + 1) & (capacity - 1)
            slots[place].tag = <uint32_t> (hashes[i] >> 32)
            slots[place].code = <int32_t> i
        free(self.slots)
        free(self.texts)
        free(self.hashes)
        self.slots = slots
        self.texts = texts
        self.hashes = hashes
        self.capacity = capacity
        self.room = capacity >> 1
        return 0

    cdef int32_t find(self, Text text, uint64_t h) except -2 nogil:
        cdef uint32_t tag = <uint32_t> (h >> 32)
        cdef int64_t place = h & (self.capacity - 1)
        cdef int32_t code
        cdef Text known
        while True:
            code = self.slots[place].code
            if code < 0:
                break
            if self.slots[place].tag == tag:
                known = self.texts[code]
                if known.length == text.length and memcmp(
                    known.start, text.start, text.length
                ) == 0:
                    return code
            place = (place + 1) & (self.capacity - 1)
        if self.count == self.room:
            self.grow()
            place = h & (self.capacity - 1)
            while self.slots[place].code >= 0:
                place = (place + 1) & (self.capacity - 1)
        code = <int32_t> self.count
        self.slots[place].tag = tag
        self.slots[place].code = code
        self.texts[code] = text
        self.hashes[code] = h
        self.count += 1
        return code

    cdef int encode(self, Column* column, int64_t length, int32_t* codes) except -1 nogil:
        """Write the code of each row; hashes run ahead of look-ups so that slots are in cache."""
        cdef int64_t row = 0, batch, k
        cdef Text texts[32]
        cdef uint64_t hashes[32]
        cdef bint missing[32]
        while row < length:
            batch = min(length - row, <int64_t> 32)
            for k in range(batch):
                missing[k] = is_missing(column, row + k)
                if not missing[k]:
                    texts[k] = text_at(column, row + k)
                    hashes[k] = hash_of(texts[k])
                    CXJ_PREFETCH(&self.slots[hashes[k] & (self.capacity - 1)])
            for k in range(batch):
                codes[row + k] = -1 if missing[k] else self.find(texts[k], hashes[k])
            row += batch
        return 0


def encode_strings(column):
    """Return codes in order of appearance (-1 missing) and the distinct texts; None if not text.

    `column` offers `__arrow_c_stream__`: a polars, pandas or pyarrow column of strings.
    """
    capsule = column.__arrow_c_stream__(None)
    cdef ArrowArrayStream* stream = <ArrowArrayStream*> PyCapsule_GetPointer(
        capsule, b"arrow_array_stream"
    )
    cdef ArrowSchema schema
    cdef list chunks = []
    cdef Layout layout
    if stream.get_schema(stream, &schema) != 0:
        return None
    fmt = <bytes> schema.format
    if schema.release != NULL:
        schema.release(&schema)
    if fmt == b"u":
        layout = SMALL
    elif fmt == b"U":
        layout = LARGE
    elif fmt == b"vu":
        layout = VIEW
    else:
        return None
    # texts stay where Arrow has them until the distinct ones are decoded: chunks live till then
    cdef ArrowArray* arrays = NULL
    cdef ArrowArray* more
    cdef int64_t n_chunks = 0, room = 0, total = 0, i, done = 0
    cdef Column one
    cdef TextTable table = TextTable()
    cdef int32_t[::1] codes
    try:
        while True:
            if n_chunks == room:
                room = 4 if room == 0 else 2 * room
                more = <ArrowArray*> malloc(room * sizeof(ArrowArray))
                if more == NULL:
                    raise MemoryError
                if n_chunks:
                    memcpy(more, arrays, n_chunks * sizeof(ArrowArray))
                free(arrays)
                arrays = more
            if stream.get_next(stream, &arrays[n_chunks]) != 0:
                return None
            if arrays[n_chunks].release == NULL:
                break
            total += arrays[n_chunks].length
            n_chunks += 1
        result = np.empty(total, dtype=np.int32)
        codes = result
        for i in range(n_chunks):
            if arrays[i].length == 0:
                continue
            one.layout = layout
            one.offset = arrays[i].offset
            one.valid = NULL
            if arrays[i].null_count != 0:
                one.valid = <const uint8_t*> arrays[i].buffers[0]
            one.index = arrays[i].buffers[1]
            one.data = NULL if layout == VIEW else <const uint8_t*> arrays[i].buffers[2]
            one.buffers = arrays[i].buffers
            with nogil:
                table.encode(&one, arrays[i].length, &codes[done])
            done += arrays[i].length
        texts = [
            (<const char*> table.texts[i].start)[: table.texts[i].length].decode("utf-8")
            for i in range(table.count)
        ]
        return result, texts
    finally:
        for i in range(n_chunks):
            if arrays[i].release != NULL:
                arrays[i].release(&arrays[i])
        free(arrays)


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
