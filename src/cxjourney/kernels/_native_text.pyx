# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""Columns read straight from Arrow buffers: texts become codes without a Python object a row.

Distinct texts are numbered in order of appearance, as `reference.encode_strings` numbers them.
Nothing is read or written without a bound that the caller or the function itself has checked.
"""

cimport cython
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy
from cpython.pycapsule cimport PyCapsule_GetPointer

from cxjourney.kernels.iso_stamp cimport MISSING, UNREAD, Reading, read_iso

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
    /* what of a view of 16 bytes belongs to a text of 0 to 12 bytes */
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
    VIEW = 2    # "vu": views of 16 bytes, short texts inside


LAYOUTS = {b"u": SMALL, b"U": LARGE, b"vu": VIEW}
NUMBERS = {b"l": "int64", b"g": "float64"}


cdef struct Text:
    # The form of an Arrow view: length and the first 4 bytes, then 8 more: the next ones, or the last
    # ones of a text of more than 12 bytes. Texts of at most 12 are equal where both words are.
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


cdef inline Text text_at(Chunk* chunk, Layout layout, int64_t row) noexcept nogil:
    cdef Text text
    cdef const int32_t* view
    row += chunk.offset
    if layout == VIEW:
        view = (<const int32_t*> chunk.index) + 4 * row
        text.length = view[0]
        if 0 <= text.length <= 12:
            text.start = <const uint8_t*> (view + 1)
            # what follows a text within its view should be zero, but need not be
            text.low = cxj_load8(<const uint8_t*> view) & CXJ_LOW[text.length]
            text.high = cxj_load8(<const uint8_t*> (view + 2)) & CXJ_HIGH[text.length]
            return text
        text.start = (<const uint8_t*> chunk.buffers[2 + view[2]]) + view[3]
    elif layout == SMALL:
        text.start = chunk.data + (<const int32_t*> chunk.index)[row]
        text.length = (<const int32_t*> chunk.index)[row + 1] - (<const int32_t*> chunk.index)[row]
    else:
        text.start = chunk.data + (<const int64_t*> chunk.index)[row]
        text.length = (<const int64_t*> chunk.index)[row + 1] - (<const int64_t*> chunk.index)[row]
    fingerprint(&text)
    return text


cdef inline void fingerprint(Text* text) noexcept nogil:
    """Put length and bytes into words; loads overlap rather than reach beyond the text."""
    cdef const uint8_t* p = text.start
    cdef int64_t n = text.length
    text.low = <uint64_t> <uint32_t> n
    text.high = 0
    if n >= 4:
        text.low |= cxj_load4(p) << 32
        if n >= 12:
            text.high = cxj_load8(p + n - 8)
        elif n >= 8:
            text.high = cxj_load8(p + n - 8) >> 8 * (12 - n)
        else:
            text.high = cxj_load4(p + n - 4) >> 8 * (8 - n)
    elif n > 0:
        text.low |= <uint64_t> p[0] << 32
        if n > 1:
            text.low |= <uint64_t> p[1] << 40
        if n > 2:
            text.low |= <uint64_t> p[2] << 48


cdef inline uint64_t hash_of(Text* text) noexcept nogil:
    cdef uint64_t h = cxj_mix(cxj_mix(text.low) ^ text.high)
    cdef int64_t at
    for at in range(4, text.length - 8, 8):  # what lies between the first and the last word
        h = cxj_mix(h ^ cxj_load8(text.start + at))
    return h


cdef struct Slot:
    uint64_t low        # of the text; with the second word, all of a short one
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
cdef class TextTable:
    """Distinct texts in order of appearance: open addressing, texts kept where Arrow has them."""

    cdef Slot* slots
    cdef Place* texts
    cdef object owners          # arrays that hold these: NumPy asks for huge pages
    cdef uint32_t mask          # number of slots, a power of two, less one
    cdef int64_t room           # texts that fit before there must be more slots
    cdef int64_t count

    def __cinit__(self):
        self.count = 0
        self.allocate(1 << 12)

    cdef int allocate(self, int64_t capacity) except -1:
        """Make so many slots, fill at most five in eight, and keep what is there."""
        cdef int64_t i
        cdef uint32_t place, mask = <uint32_t> (capacity - 1)
        if capacity > <int64_t> 1 << 31:
            raise OverflowError("more distinct texts than codes")
        slots = np.empty(capacity * sizeof(Slot) // 8, dtype=np.int64)
        slots.fill(0)  # a page of np.zeros that is read before it is written stops the other cores
        texts = np.empty((capacity // 8 * 5) * sizeof(Place) // 8, dtype=np.int64)
        cdef Slot* new_slots = <Slot*> address(slots)
        cdef Place* new_texts = <Place*> address(texts)
        if self.count:
            memcpy(new_texts, self.texts, self.count * sizeof(Place))
            for i in range(<int64_t> self.mask + 1):
                if self.slots[i].number:
                    place = self.slots[i].hash & mask
                    while new_slots[place].number:
                        place = (place + 1) & mask
                    new_slots[place] = self.slots[i]
        self.slots, self.texts, self.mask = new_slots, new_texts, mask
        self.room = capacity // 8 * 5
        self.owners = slots, texts
        return 0

    cdef inline bint holds(self, Slot* slot, Text* text) noexcept nogil:
        """Return whether a slot has this text."""
        if slot.low != text.low or slot.high != text.high:
            return False
        return text.length <= 12 or (
            self.texts[slot.number - 1].length == text.length
            and memcmp(self.texts[slot.number - 1].start, text.start, text.length) == 0
        )

    cdef inline int32_t find(self, Text* text, uint32_t h) except -2 nogil:
        """Return the code of a text; a new one is added."""
        cdef uint32_t place = h & self.mask
        cdef int64_t capacity
        cdef Slot* slot = &self.slots[place]
        while slot.number:
            if slot.hash == h and self.holds(slot, text):
                return <int32_t> (slot.number - 1)
            place = (place + 1) & self.mask
            slot = &self.slots[place]
        if self.count == self.room:
            capacity = <int64_t> self.mask + 1
            with gil:
                self.allocate(capacity * (8 if capacity < 1 << 18 else 2))
            return self.find(text, h)
        self.texts[self.count].start = text.start
        self.texts[self.count].length = text.length
        self.count += 1
        slot.low, slot.high, slot.hash, slot.number = text.low, text.high, h, <uint32_t> self.count
        return <int32_t> (self.count - 1)

    cdef int encode(
        self, Chunk* chunk, Layout layout, int64_t begin, int64_t stop, code_t* codes
    ) except -1 nogil:
        """Write the codes of rows [begin, stop) of a chunk; memory is asked for a batch ahead.

        Return 0 as soon as there are too many for the codes.
        """
        cdef int64_t row = begin, batch, k
        cdef int32_t code
        cdef Text texts[32]
        cdef uint32_t hashes[32]
        cdef bint missing[32]
        while row < stop:
            batch = min(stop - row, <int64_t> 32)
            for k in range(batch):
                missing[k] = is_missing(chunk, row + k)
                if not missing[k]:
                    texts[k] = text_at(chunk, layout, row + k)
                    ask_ahead(chunk, layout, row + k, texts[k].start)
                    hashes[k] = <uint32_t> hash_of(&texts[k])
                    ask_for(&self.slots[hashes[k] & self.mask])
            for k in range(batch):
                code = -1 if missing[k] else self.find(&texts[k], hashes[k])
                codes[row - begin + k] = <code_t> code
            if code_t is int8_t and self.count > 127:
                return 0
            row += batch
        return 1

    def absorb(self, TextTable later, code_t[::1] codes):
        """Add the texts of a table of later rows, and renumber its codes to those of this one.

        Return False where there are too many for the codes.
        """
        renumber_array = np.empty(later.count, dtype=np.int32)
        cdef int32_t[::1] renumber = renumber_array
        cdef int64_t i, k, batch
        cdef Text texts[32]
        cdef uint32_t hashes[32]
        with nogil:
            for i in range(0, later.count, 32):
                batch = min(later.count - i, <int64_t> 32)
                for k in range(batch):
                    texts[k].start = later.texts[i + k].start
                    texts[k].length = later.texts[i + k].length
                    fingerprint(&texts[k])
                    hashes[k] = <uint32_t> hash_of(&texts[k])
                    ask_for(&self.slots[hashes[k] & self.mask])
                for k in range(batch):
                    renumber[i + k] = self.find(&texts[k], hashes[k])
            if code_t is int32_t or self.count <= 127:
                replace(codes, renumber)
        return code_t is int32_t or self.count <= 127

    def renumber(self, code_t[::1] codes, const int32_t[::1] numbers):
        """Replace each code by its number; a missing one stays."""
        if numbers.shape[0] < self.count:
            raise ValueError("there are fewer numbers than texts")
        with nogil:
            replace(codes, numbers)

    def texts_utf8(self):
        """Return the distinct texts as one run of bytes, and where each begins."""
        cdef int64_t i, n = 0
        offset_array = np.empty(self.count + 1, dtype=np.int64)
        cdef int64_t[::1] offset = offset_array
        for i in range(self.count):
            offset[i] = n
            n += self.texts[i].length
        offset[self.count] = n
        byte_array = np.empty(n, dtype=np.uint8)
        cdef uint8_t[::1] data = byte_array
        with nogil:
            for i in range(self.count):
                if self.texts[i].length:
                    memcpy(&data[offset[i]], self.texts[i].start, self.texts[i].length)
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
cdef class TextColumn:
    """A column of texts in an Arrow stream."""

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
        cdef TextTable table = TextTable()
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

    def stamps(self, int64_t begin, int64_t[::1] us, uint8_t[::1] reading):
        """Read the rows from `begin` on as ISO 8601, as many as `us` holds.

        Write the microseconds and whether they are of a clock (0), an instant (1) or missing (2);
        return False where a text has another form.
        """
        cdef int64_t i, row, first = 0, end = begin + us.shape[0]
        cdef Chunk chunk
        cdef Text text
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
                        text = text_at(&chunk, self.layout, row - first)
                        found = read_iso(text.start, text.length, &us[row - begin])
                        if found == UNREAD:
                            break
                    reading[row - begin] = <uint8_t> found
                if found == UNREAD:
                    break
                first += chunk.length
        return found != UNREAD


def text_column(column):
    """Return the texts of a column that offers `__arrow_c_stream__`; None if it holds none."""
    capsule = column.__arrow_c_stream__(None)
    cdef ArrowArrayStream* stream = <ArrowArrayStream*> PyCapsule_GetPointer(
        capsule, b"arrow_array_stream"
    )
    cdef ArrowSchema schema
    cdef TextColumn texts = TextColumn()
    if stream.get_schema(stream, &schema) != 0:
        return None
    layout = LAYOUTS.get(<bytes> schema.format)
    if schema.release != NULL:
        schema.release(&schema)
    if layout is None:
        return None
    texts.chunks = Chunks()
    texts.child = -1
    texts.layout = layout
    return texts if texts.chunks.read(stream) else None


def record_columns(table):
    """Return the columns of a table of texts, 64-bit integers and floats; None if it holds others.

    A column of texts is a `TextColumn`, one of numbers a pair of values and a mask of the missing.
    """
    capsule = table.__arrow_c_stream__(None)
    cdef ArrowArrayStream* stream = <ArrowArrayStream*> PyCapsule_GetPointer(
        capsule, b"arrow_array_stream"
    )
    cdef ArrowSchema schema
    cdef TextColumn texts
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
            texts = TextColumn()
            texts.chunks = chunks
            texts.child = i
            texts.layout = LAYOUTS[one]
            columns.append(texts)
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
