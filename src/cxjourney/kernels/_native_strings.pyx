# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""Columns read straight from Arrow buffers: strings become codes without a Python object a row.

Distinct strings are numbered in order of appearance, as `reference.encode_strings` numbers them.
Nothing is read or written without a bound that the caller or the function itself has checked.
"""

cimport cython
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy
from cpython.pycapsule cimport PyCapsule_GetPointer

from cxjourney.kernels.iso_timestamp cimport MISSING, UNREAD, Reading, read_iso

import numpy as np


# ------------------------------------------------------------------ strings in Arrow buffers

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
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
    /* what of a view of 16 bytes belongs to a string of 0 to 12 bytes */
    static const uint64_t CXJ_LOW[13] = {
      0xFFFFFFFFULL, 0xFFFFFFFFFFULL, 0xFFFFFFFFFFFFULL, 0xFFFFFFFFFFFFFFULL,
      ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL};
    static const uint64_t CXJ_HIGH[13] = {
      0, 0, 0, 0, 0, 0xFFULL, 0xFFFFULL, 0xFFFFFFULL, 0xFFFFFFFFULL,
      0xFFFFFFFFFFULL, 0xFFFFFFFFFFFFULL, 0xFFFFFFFFFFFFFFULL, ~0ULL};
    static inline uint64_t cxj_load8(const uint8_t* p) { uint64_t x; memcpy(&x, p, 8); return x; }
    static inline uint64_t cxj_load4(const uint8_t* p) { uint32_t x; memcpy(&x, p, 4); return x; }
    """
    struct ArrowSchema:
        const char* format
        int64_t n_children
        ArrowSchema** children
        void (*release)(ArrowSchema*) noexcept nogil
        ArrowSchema* dictionary
    struct ArrowArray:
        int64_t length
        int64_t null_count
        int64_t offset
        int64_t n_buffers
        const void** buffers
        ArrowArray** children
        ArrowArray* dictionary
        void (*release)(ArrowArray*) noexcept nogil
    struct ArrowArrayStream:
        int (*get_schema)(ArrowArrayStream*, ArrowSchema*) noexcept nogil
        int (*get_next)(ArrowArrayStream*, ArrowArray*) noexcept nogil
        const char* (*get_last_error)(ArrowArrayStream*) noexcept nogil
        void (*release)(ArrowArrayStream*) noexcept nogil
    void CXJ_PREFETCH(const void*) nogil
    const uint64_t* CXJ_LOW
    const uint64_t* CXJ_HIGH
    uint64_t cxj_mix(uint64_t) nogil
    uint64_t cxj_load8(const uint8_t*) nogil
    uint64_t cxj_load4(const uint8_t*) nogil


ctypedef fused code_t:
    int8_t
    int32_t


cdef enum Layout:
    SMALL = 0   # "u": offsets of 32 bits
    LARGE = 1   # "U": offsets of 64 bits
    VIEW = 2    # "vu": views of 16 bytes, short strings inside


LAYOUTS = {b"u": SMALL, b"U": LARGE, b"vu": VIEW}
NUMBERS = {b"l": "int64", b"g": "float64"}


cdef struct String:
    # The form of an Arrow view: length and the first 4 bytes, then 8 more: the next, or the last
    # ones of a string of more than 12 bytes. Strings of at most 12 are equal where both words are.
    uint64_t low
    uint64_t high
    const uint8_t* start
    int64_t length


cdef struct Chunk:
    const uint8_t* valid        # NULL where nothing is missing
    const void* index
    const uint8_t* data
    const void** buffers
    int64_t offset
    int64_t length


cdef inline bint is_missing(Chunk* chunk, int64_t row) noexcept nogil:
    if chunk.valid == NULL:
        return False
    row += chunk.offset
    return not (chunk.valid[row >> 3] >> (row & 7)) & 1


cdef inline String string_at(Chunk* chunk, Layout layout, int64_t row) noexcept nogil:
    cdef String string
    cdef const int32_t* view
    row += chunk.offset
    if layout == VIEW:
        view = (<const int32_t*> chunk.index) + 4 * row
        string.length = view[0]
        if 0 <= string.length <= 12:
            string.start = <const uint8_t*> (view + 1)
            # what follows a string within its view should be zero, but need not be
            string.low = cxj_load8(<const uint8_t*> view) & CXJ_LOW[string.length]
            string.high = cxj_load8(<const uint8_t*> (view + 2)) & CXJ_HIGH[string.length]
            return string
        string.start = (<const uint8_t*> chunk.buffers[2 + view[2]]) + view[3]
    elif layout == SMALL:
        string.start = chunk.data + (<const int32_t*> chunk.index)[row]
        string.length = (<const int32_t*> chunk.index)[row + 1]
        string.length -= (<const int32_t*> chunk.index)[row]
    else:
        string.start = chunk.data + (<const int64_t*> chunk.index)[row]
        string.length = (<const int64_t*> chunk.index)[row + 1]
        string.length -= (<const int64_t*> chunk.index)[row]
    fingerprint(&string)
    return string


cdef inline void fingerprint(String* string) noexcept nogil:
    """Put length and bytes into words; loads overlap rather than reach beyond the string."""
    cdef const uint8_t* p = string.start
    cdef int64_t n = string.length
    string.low = <uint64_t> <uint32_t> n
    string.high = 0
    if n >= 4:
        string.low |= cxj_load4(p) << 32
        if n >= 12:
            string.high = cxj_load8(p + n - 8)
        elif n >= 8:
            string.high = cxj_load8(p + n - 8) >> 8 * (12 - n)
        else:
            string.high = cxj_load4(p + n - 4) >> 8 * (8 - n)
    elif n > 0:
        string.low |= <uint64_t> p[0] << 32
        if n > 1:
            string.low |= <uint64_t> p[1] << 40
        if n > 2:
            string.low |= <uint64_t> p[2] << 48


cdef inline uint64_t hash_of(String* string) noexcept nogil:
    cdef uint64_t h = cxj_mix(cxj_mix(string.low) ^ string.high)
    cdef int64_t at
    for at in range(4, string.length - 8, 8):  # what lies between the first and the last word
        h = cxj_mix(h ^ cxj_load8(string.start + at))
    return h


cdef struct Slot:
    uint64_t low        # of the string; with the second word, all of a short one
    uint64_t high
    uint32_t hash       # lower half
    uint32_t number     # its code + 1; 0 where the slot is free


cdef inline void ask_ahead(
    Chunk* chunk, Layout layout, int64_t row, const uint8_t* start
) noexcept nogil:
    """Ask memory for what is read some hundred rows later: not every machine foresees that."""
    if layout == VIEW:
        CXJ_PREFETCH((<const uint8_t*> chunk.index) + 16 * (chunk.offset + row) + 2048)
    else:
        CXJ_PREFETCH(start + 1024)


cdef inline void ask_for(Slot* slot) noexcept nogil:
    """Ask memory for a slot and the next two, which may lie in another cache line."""
    CXJ_PREFETCH(slot)
    CXJ_PREFETCH(slot + 2)


cdef struct Place:
    const uint8_t* start
    int64_t length


cdef inline void* address(int64_t[::1] array) noexcept:
    return &array[0]


cdef inline void replace(code_t[::1] codes, const int32_t[::1] table) noexcept nogil:
    cdef int64_t i, n = table.shape[0]
    for i in range(codes.shape[0]):
        if 0 <= codes[i] < n:
            codes[i] = <code_t> table[codes[i]]


@cython.final
cdef class StringTable:
    """Distinct strings in order of appearance: open addressing; Arrow keeps the strings."""

    cdef Slot* slots
    cdef Place* strings
    cdef object owners          # arrays that hold these: NumPy asks for huge pages
    cdef uint32_t mask          # number of slots, a power of two, less one
    cdef int64_t room           # strings that fit before there must be more slots
    cdef int64_t count

    def __cinit__(self):
        self.count = 0
        self.allocate(1 << 12)

    cdef int allocate(self, int64_t capacity) except -1:
        """Make so many slots, fill at most five in eight, and keep what is there."""
        cdef int64_t i
        cdef uint32_t place, mask = <uint32_t> (capacity - 1)
        if capacity > <int64_t> 1 << 31:
            raise OverflowError("more distinct strings than codes")
        slots = np.empty(capacity * sizeof(Slot) // 8, dtype=np.int64)
        slots.fill(0)  # a page of np.zeros that is read before it is written stops the other cores
        strings = np.empty((capacity // 8 * 5) * sizeof(Place) // 8, dtype=np.int64)
        cdef Slot* new_slots = <Slot*> address(slots)
        cdef Place* new_strings = <Place*> address(strings)
        if self.count:
            memcpy(new_strings, self.strings, self.count * sizeof(Place))
            for i in range(<int64_t> self.mask + 1):
                if self.slots[i].number:
                    place = self.slots[i].hash & mask
                    while new_slots[place].number:
                        place = (place + 1) & mask
                    new_slots[place] = self.slots[i]
        self.slots, self.strings, self.mask = new_slots, new_strings, mask
        self.room = capacity // 8 * 5
        self.owners = slots, strings
        return 0

    cdef inline bint holds(self, Slot* slot, String* string) noexcept nogil:
        """Return whether a slot has this string."""
        if slot.low != string.low or slot.high != string.high:
            return False
        return string.length <= 12 or (
            self.strings[slot.number - 1].length == string.length
            and memcmp(self.strings[slot.number - 1].start, string.start, string.length) == 0
        )

    cdef inline int32_t find(self, String* string, uint32_t h) except -2 nogil:
        """Return the code of a string; a new one is added."""
        cdef uint32_t place = h & self.mask
        cdef int64_t capacity
        cdef Slot* slot = &self.slots[place]
        while slot.number:
            if slot.hash == h and self.holds(slot, string):
                return <int32_t> (slot.number - 1)
            place = (place + 1) & self.mask
            slot = &self.slots[place]
        if self.count == self.room:
            capacity = <int64_t> self.mask + 1
            with gil:
                self.allocate(capacity * (8 if capacity < 1 << 18 else 2))
            return self.find(string, h)
        self.strings[self.count].start = string.start
        self.strings[self.count].length = string.length
        self.count += 1
        slot.low, slot.high, slot.hash = string.low, string.high, h
        slot.number = <uint32_t> self.count
        return <int32_t> (self.count - 1)

    cdef int encode(
        self, Chunk* chunk, Layout layout, int64_t begin, int64_t stop, code_t* codes
    ) except -1 nogil:
        """Write the codes of rows [begin, stop) of a chunk; memory is asked for a batch ahead.

        Return 0 as soon as there are too many for the codes.
        """
        cdef int64_t row = begin, batch, k
        cdef int32_t code
        cdef String strings[32]
        cdef uint32_t hashes[32]
        cdef bint missing[32]
        while row < stop:
            batch = min(stop - row, <int64_t> 32)
            for k in range(batch):
                missing[k] = is_missing(chunk, row + k)
                if not missing[k]:
                    strings[k] = string_at(chunk, layout, row + k)
                    ask_ahead(chunk, layout, row + k, strings[k].start)
                    hashes[k] = <uint32_t> hash_of(&strings[k])
                    ask_for(&self.slots[hashes[k] & self.mask])
            for k in range(batch):
                code = -1 if missing[k] else self.find(&strings[k], hashes[k])
                codes[row - begin + k] = <code_t> code
            if code_t is int8_t and self.count > 127:
                return 0
            row += batch
        return 1

    def absorb(self, StringTable later, code_t[::1] codes):
        """Add the strings of a table of later rows, and renumber its codes to those of this one.

        Return False where there are too many for the codes.
        """
        renumber_array = np.empty(later.count, dtype=np.int32)
        cdef int32_t[::1] renumber = renumber_array
        cdef int64_t i, k, batch
        cdef String strings[32]
        cdef uint32_t hashes[32]
        with nogil:
            for i in range(0, later.count, 32):
                batch = min(later.count - i, <int64_t> 32)
                for k in range(batch):
                    strings[k].start = later.strings[i + k].start
                    strings[k].length = later.strings[i + k].length
                    fingerprint(&strings[k])
                    hashes[k] = <uint32_t> hash_of(&strings[k])
                    ask_for(&self.slots[hashes[k] & self.mask])
                for k in range(batch):
                    renumber[i + k] = self.find(&strings[k], hashes[k])
            if code_t is int32_t or self.count <= 127:
                replace(codes, renumber)
        return code_t is int32_t or self.count <= 127

    def renumber(self, code_t[::1] codes, const int32_t[::1] numbers):
        """Replace each code by its number; a missing one stays."""
        if numbers.shape[0] < self.count:
            raise ValueError("there are fewer numbers than strings")
        with nogil:
            replace(codes, numbers)

    def strings_utf8(self):
        """Return the distinct strings as one run of bytes, and where each begins."""
        cdef int64_t i, n = 0
        offset_array = np.empty(self.count + 1, dtype=np.int64)
        cdef int64_t[::1] offset = offset_array
        for i in range(self.count):
            offset[i] = n
            n += self.strings[i].length
        offset[self.count] = n
        byte_array = np.empty(n, dtype=np.uint8)
        cdef uint8_t[::1] data = byte_array
        with nogil:
            for i in range(self.count):
                if self.strings[i].length:
                    memcpy(&data[offset[i]], self.strings[i].start, self.strings[i].length)
        return byte_array, offset_array


@cython.final
cdef class Chunks:
    """All that an Arrow stream holds, for as long as this object lives."""

    cdef ArrowArray* arrays
    cdef int64_t count
    cdef int64_t length

    def __dealloc__(self):
        for i in range(self.count):
            self.arrays[i].release(&self.arrays[i])
        free(self.arrays)

    cdef bint read(self, ArrowArrayStream* stream) except -1:
        """Take over the chunks; False where the stream breaks off."""
        cdef ArrowArray* more
        cdef ArrowArray one
        cdef int64_t room = 0
        cdef int failed
        while True:
            with nogil:  # what makes the chunks may need the interpreter
                failed = stream.get_next(stream, &one)
            if failed:
                return False
            if one.release == NULL:
                return True
            if self.count == room:
                room = 4 if room == 0 else 2 * room
                more = <ArrowArray*> realloc(self.arrays, room * sizeof(ArrowArray))
                if more == NULL:
                    one.release(&one)
                    raise MemoryError
                self.arrays = more
            self.arrays[self.count] = one
            self.count += 1
            self.length += one.length

    cdef Chunk part(self, int64_t i, int64_t child) noexcept nogil:
        """Return chunk i, or that of a child where the stream is one of records."""
        cdef Chunk chunk
        cdef ArrowArray* array = &self.arrays[i]
        chunk.offset = array.offset
        chunk.length = array.length
        if child >= 0:
            array = array.children[child]
            chunk.offset += array.offset
        chunk.valid = <const uint8_t*> array.buffers[0] if array.null_count != 0 else NULL
        chunk.index = array.buffers[1]
        chunk.data = <const uint8_t*> array.buffers[2] if array.n_buffers > 2 else NULL
        chunk.buffers = array.buffers
        return chunk


@cython.final
cdef class StringColumn:
    """A column of strings in an Arrow stream."""

    cdef Chunks chunks
    cdef int64_t child          # of the records of the stream; -1 where it is the column itself
    cdef Layout layout

    @property
    def length(self):
        return self.chunks.length

    def encode(self, int64_t begin, code_t[::1] codes):
        """Write the codes of the rows from `begin` on, as many as `codes` holds; return the table.

        Codes are in order of appearance from there, -1 where missing. Return None where there are
        too many for the codes.
        """
        cdef StringTable table = StringTable()
        cdef int64_t i, first = 0, start, stop, end = begin + codes.shape[0]
        cdef Chunk chunk
        cdef bint fit = True
        if begin < 0 or end > self.chunks.length:
            raise ValueError("rows are out of range")
        with nogil:
            for i in range(self.chunks.count):
                chunk = self.chunks.part(i, self.child)
                start, stop = max(begin, first), min(end, first + chunk.length)
                if start < stop:
                    fit = table.encode(
                        &chunk, self.layout, start - first, stop - first, &codes[start - begin]
                    )
                    if not fit:
                        break
                first += chunk.length
        return table if fit else None

    def timestamps(self, int64_t begin, int64_t[::1] us, uint8_t[::1] reading):
        """Read the rows from `begin` on as ISO 8601, as many as `us` holds.

        Write the microseconds and whether they are of a clock (0), an instant (1) or missing (2);
        return False where a string has another form.
        """
        cdef int64_t i, row, first = 0, end = begin + us.shape[0]
        cdef Chunk chunk
        cdef String string
        cdef Reading found = MISSING
        if begin < 0 or end > self.chunks.length or reading.shape[0] != us.shape[0]:
            raise ValueError("rows are out of range")
        with nogil:
            for i in range(self.chunks.count):
                chunk = self.chunks.part(i, self.child)
                for row in range(max(begin, first), min(end, first + chunk.length)):
                    if is_missing(&chunk, row - first):
                        us[row - begin] = 0
                        found = MISSING
                    else:
                        string = string_at(&chunk, self.layout, row - first)
                        found = read_iso(string.start, string.length, &us[row - begin])
                        if found == UNREAD:
                            break
                    reading[row - begin] = <uint8_t> found
                if found == UNREAD:
                    break
                first += chunk.length
        return found != UNREAD


def string_column(column):
    """Return the strings of a column that offers `__arrow_c_stream__`; None if it holds none."""
    capsule = column.__arrow_c_stream__(None)
    cdef ArrowArrayStream* stream = <ArrowArrayStream*> PyCapsule_GetPointer(
        capsule, b"arrow_array_stream"
    )
    cdef ArrowSchema schema
    cdef StringColumn strings = StringColumn()
    if stream.get_schema(stream, &schema) != 0:
        return None
    layout = LAYOUTS.get(<bytes> schema.format)
    if schema.release != NULL:
        schema.release(&schema)
    if layout is None:
        return None
    strings.chunks = Chunks()
    strings.child = -1
    strings.layout = layout
    return strings if strings.chunks.read(stream) else None


def record_columns(table):
    """Return the columns of a table of strings, 64-bit integers and floats; None if of others.

    A column of strings is a `StringColumn`, one of numbers a pair of its values and a mask.
    """
    capsule = table.__arrow_c_stream__(None)
    cdef ArrowArrayStream* stream = <ArrowArrayStream*> PyCapsule_GetPointer(
        capsule, b"arrow_array_stream"
    )
    cdef ArrowSchema schema
    cdef StringColumn strings
    cdef Chunks chunks = Chunks()
    cdef int64_t i
    if stream.get_schema(stream, &schema) != 0:
        return None
    formats = [<bytes> schema.children[i].format for i in range(schema.n_children)]
    if schema.release != NULL:
        schema.release(&schema)
    if any(one not in NUMBERS and one not in LAYOUTS for one in formats):
        return None
    if not chunks.read(stream):
        return None
    columns = []
    for i, one in enumerate(formats):
        if one in NUMBERS:
            columns.append(numbers(chunks, i, NUMBERS[one]))
        else:
            strings = StringColumn()
            strings.chunks = chunks
            strings.child = i
            strings.layout = LAYOUTS[one]
            columns.append(strings)
    return columns


cdef numbers(Chunks chunks, int64_t child, str dtype):
    """Return a column of 64-bit numbers, 0 where missing, and a mask of the missing."""
    value_array = np.empty(chunks.length, dtype=np.int64)
    missing_array = np.zeros(chunks.length, dtype=np.bool_)
    cdef int64_t[::1] value = value_array
    cdef uint8_t[::1] missing = missing_array.view(np.uint8)
    cdef const int64_t* values
    cdef int64_t i, row, done = 0
    cdef Chunk chunk
    with nogil:
        for i in range(chunks.count):
            chunk = chunks.part(i, child)
            values = (<const int64_t*> chunk.index) + chunk.offset
            if chunk.valid == NULL and chunk.length:
                memcpy(&value[done], values, chunk.length * sizeof(int64_t))
            elif chunk.length:
                for row in range(chunk.length):
                    missing[done + row] = is_missing(&chunk, row)
                    value[done + row] = 0 if missing[done + row] else values[row]
            done += chunk.length
    return value_array.view(dtype), missing_array


# ------------------------------------------------------------------ digests of strings

cdef extern from *:
    """
    /* MD5 after RFC 1321; `sines` are floor(2^32 |sin(i + 1)|), which the caller computes */
    static inline uint32_t cxj_left(uint32_t x, int n) { return x << n | x >> (32 - n); }
    static void cxj_md5_block(uint32_t* state, const uint8_t* block, const uint32_t* sines) {
      static const int shifts[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
      uint32_t a = state[0], b = state[1], c = state[2], d = state[3], word[16];
      for (int i = 0; i < 16; i++)
        word[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8
                | (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
      for (int i = 0; i < 64; i++) {
        uint32_t mixed;
        int at;
        if (i < 16) { mixed = (b & c) | (~b & d); at = i; }
        else if (i < 32) { mixed = (d & b) | (~d & c); at = (5 * i + 1) & 15; }
        else if (i < 48) { mixed = b ^ c ^ d; at = (3 * i + 5) & 15; }
        else { mixed = c ^ (b | ~d); at = (7 * i) & 15; }
        const uint32_t sum = a + mixed + sines[i] + word[at];
        a = d; d = c; c = b;
        b += cxj_left(sum, shifts[i >> 4][i & 3]);
      }
      state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    }
    static uint8_t cxj_md5_first(const uint8_t* data, int64_t n, const uint32_t* sines) {
      uint32_t state[4] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u};
      uint8_t last[128] = {0};
      const int64_t rest = n & 63, whole = n - rest;
      const int tail = rest < 56 ? 64 : 128;
      for (int64_t at = 0; at < whole; at += 64) cxj_md5_block(state, data + at, sines);
      memcpy(last, data + whole, rest);
      last[rest] = 0x80;
      for (int i = 0; i < 8; i++) last[tail - 8 + i] = (uint8_t)((uint64_t)n * 8 >> 8 * i);
      cxj_md5_block(state, last, sines);
      if (tail == 128) cxj_md5_block(state, last + 64, sines);
      return (uint8_t)state[0];
    }
    """
    uint8_t cxj_md5_first(const uint8_t*, int64_t, const uint32_t*) noexcept nogil


def md5_first_bytes(
    const uint8_t[::1] data,
    const int64_t[::1] offsets,
    const uint32_t[::1] sines,
    int64_t begin,
    int64_t stop,
):
    """Return the first byte of the MD5 digest of the strings `begin` to `stop`.

    String i is `data[offsets[i]:offsets[i + 1]]`.
    """
    if sines.shape[0] != 64 or not 0 <= begin <= stop < offsets.shape[0]:
        raise ValueError("sines are not 64, or strings are out of bounds")
    first_array = np.empty(stop - begin, dtype=np.uint8)
    cdef uint8_t[::1] first = first_array
    cdef int64_t i, at, end
    cdef uint8_t nothing = 0
    cdef const uint8_t* bytes_of = &data[0] if data.shape[0] else &nothing
    with nogil:
        for i in range(begin, stop):
            at, end = offsets[i], offsets[i + 1]
            if not 0 <= at <= end <= data.shape[0]:
                with gil:
                    raise ValueError("offsets are out of bounds")
            first[i - begin] = cxj_md5_first(bytes_of + at, end - at, &sines[0])
    return first_array
