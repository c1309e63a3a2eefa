# cython: language_level=3, cdivision=True
"""ISO 8601 as `cxjourney._time.timestamp_format.read_iso` reads it: the same grammar.

Where the two could differ, this one reads less: a text that it leaves unread is read there.
"""

from libc.stdint cimport int64_t, uint8_t


cdef enum Reading:
    NAIVE = 0       # what a clock showed
    AWARE = 1       # an instant
    MISSING = 2     # no text, or blanks alone
    UNREAD = 3      # no timestamp, or none of this form


cdef enum:
    LONGEST = 64    # characters of a timestamp


cdef struct Cursor:
    const uint8_t* at
    const uint8_t* end


cdef inline bint on_digit(Cursor* text, int64_t ahead) noexcept nogil:
    return text.end - text.at > ahead and c'0' <= text.at[ahead] <= c'9'


cdef inline bint take(Cursor* text, uint8_t character) noexcept nogil:
    """Move past a character, if it stands here."""
    if text.at == text.end or text.at[0] != character:
        return False
    text.at += 1
    return True


cdef inline bint take_word(Cursor* text, const char* word, int64_t length) noexcept nogil:
    """Move past a word of small letters, if it stands here in any case."""
    cdef int64_t i
    if text.end - text.at < length:
        return False
    for i in range(length):
        if text.at[i] != word[i] and text.at[i] != word[i] - 32:
            return False
    text.at += length
    return True


cdef inline void take_blanks(Cursor* text) noexcept nogil:
    while take(text, c' ') or take(text, c'\t'):
        pass


cdef inline int64_t number(Cursor* text, int64_t digits) noexcept nogil:
    """Read so many digits; -1 where there are fewer."""
    cdef int64_t value = 0, i
    for i in range(digits):
        if not on_digit(text, 0):
            return -1
        value = 10 * value + text.at[0] - c'0'
        text.at += 1
    return value


cdef inline int64_t fraction(Cursor* text) noexcept nogil:
    """Read digits of a second as microseconds, cut off there; -1 where there is none."""
    cdef int64_t value = 0, digits = 0
    while on_digit(text, 0):
        if digits < 6:
            value = 10 * value + text.at[0] - c'0'
        text.at += 1
        digits += 1
    if digits == 0:
        return -1
    while digits < 6:
        value *= 10
        digits += 1
    return value


cdef inline int64_t days_of(int64_t year, int64_t month, int64_t day) noexcept nogil:
    """Return days since 1970-01-01 for years from 1 on: months are counted from March."""
    cdef int64_t later = (month + 9) % 12
    if month <= 2:
        year -= 1
    return (
        365 * year + year // 4 - year // 100 + year // 400
        + (153 * later + 2) // 5 + day - 719469
    )


cdef inline int64_t days_in(int64_t year, int64_t month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


cdef inline bint zone(Cursor* text, bint* aware, int64_t* offset) noexcept nogil:
    """Read what is left: nothing, the name of UTC, or an offset [s]; False where it is another."""
    cdef int64_t hours, minutes = 0, seconds = 0
    cdef bint minus = False
    aware[0] = True
    offset[0] = 0
    if take_word(text, b"z", 1) or take_word(text, b"utc", 3) or take_word(text, b"gmt", 3):
        return True
    minus = take(text, c'-')
    if not minus and not take(text, c'+'):
        aware[0] = False
        return True
    hours = number(text, 2)
    if on_digit(text, 1):
        take(text, c':')
    if on_digit(text, 0):
        minutes = number(text, 2)
        if take(text, c':'):
            seconds = number(text, 2)
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 60):
        return False
    offset[0] = (hours * 60 + minutes) * 60 + seconds
    if minus:
        offset[0] = -offset[0]
    return True


cdef inline Reading read_iso(const uint8_t* start, int64_t length, int64_t* us) noexcept nogil:
    """Read a timestamp [µs since 1970-01-01], of UTC or as the clock showed; 0 if missing."""
    cdef Cursor text
    cdef int64_t year, month, day, hour = 0, minute = 0, second = 0, part = 0, offset
    cdef bint aware
    us[0] = 0
    if length > LONGEST:
        return UNREAD
    text.at, text.end = start, start + length
    take_blanks(&text)
    if text.at == text.end:
        return MISSING
    year = number(&text, 4)
    if not take(&text, c'-'):
        return UNREAD
    month = number(&text, 2)
    if not take(&text, c'-'):
        return UNREAD
    day = number(&text, 2)
    if on_digit(&text, 1) and (take(&text, c' ') or take(&text, c'T') or take(&text, c't')):
        hour = number(&text, 2)
        if not take(&text, c':'):
            return UNREAD
        minute = number(&text, 2)
        if take(&text, c':'):
            second = number(&text, 2)
            if take(&text, c'.') or take(&text, c','):
                part = fraction(&text)
    take_blanks(&text)
    if not zone(&text, &aware, &offset):
        return UNREAD
    take_blanks(&text)
    if text.at != text.end or not (1 <= year and 1 <= month <= 12 and 0 <= part):
        return UNREAD
    if not (1 <= day <= days_in(year, month) and 0 <= hour < 24):
        return UNREAD
    if not (0 <= minute < 60 and 0 <= second < 60):
        return UNREAD
    us[0] = (
        ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset
    ) * 1000000 + part
    return AWARE if aware else NAIVE
