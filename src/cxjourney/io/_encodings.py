"""Encodings of text files: their names, their byte order marks, and what does not fit them."""

from __future__ import annotations

import codecs
import re
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.io._files import compression_of, opened, read_errors, show_path

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKS = {  # the longer first: that of UTF-16 begins that of UTF-32
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
COMMON = (  # in the order in which they are named where bytes do not fit
    "utf-8", "utf-16", "cp1252", "cp1250", "cp1251", "shift_jis", "gb18030", "big5", "euc_kr",
)  # fmt: skip
_PYTHONS_OWN = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")  # which no text has; ISO 8859 says so of cp1252
_BLOCK = 1 << 20
_ENDS = re.compile(r"\r\n|\r|\n")


def check_encoding(encoding: str) -> str:
    """Return the name that Python gives to an encoding of text.

    Raises
    ------
    InvalidValue
        If there is none of this name; names the nearest ones.
    """
    try:
        "a".encode(encoding)
        name = codecs.lookup(encoding).name.removesuffix("-sig")
    except (TypeError, ValueError, LookupError):
        name = "undefined"
    if name in _PYTHONS_OWN:
        rule = 'be one that Python has for characters, such as "utf-8", "cp1252" or "utf-16"'
        raise InvalidValue.of("encoding", rule, encoding, choices=COMMON)
    return name


def encoding_of(file: str, encoding: str) -> str:
    """Return the encoding of a file: that of its byte order mark, else the one that is given.

    Raises
    ------
    InputFileError
        If the mark is that of another encoding than the one given, which is not the default.
    """
    marked = marked_as(first_bytes(file)) or encoding
    if encoding != "utf-8" and not encoding.startswith(marked):
        raise InputFileError(
            f"{show_path(file)} cannot be read: it begins with the byte order mark of {marked}: "
            f'give encoding="{marked}" instead of {encoding!r}'
        )
    return encoding if encoding.startswith(marked) else marked


def marked_as(start: bytes) -> str | None:
    """Return the encoding of the byte order mark that bytes begin with; None without one."""
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)


def first_bytes(file: str) -> bytes:
    """Return what a file begins with once it is unpacked; nothing where nothing unpacks it.

    Raises
    ------
    InputFileError
        If it is compressed and damaged there.
    """
    compression = compression_of(file)
    stream = opened(file, compression)
    if stream is None:
        return b""
    with stream, read_errors(file, compression):
        return stream.read(32)


def decoded(file: str, encoding: str) -> str:
    """Return the text of a file without its byte order mark.

    Raises
    ------
    InputFileError
        If bytes do not fit the encoding; names the line, and encodings that would fit.
    """
    content = _bytes_of(file)
    try:
        text = content.decode(encoding)
    except UnicodeError:
        raise InputFileError(why_not(file, encoding)) from None
    if not text.isascii() and not encoding.startswith("utf") and _CONTROLS.search(text):
        raise InputFileError(why_not(file, encoding))
    return text.removeprefix("\ufeff")


def check_gzip(file: str) -> None:
    """Raise InputFileError where gzip is damaged, of which DuckDB reads as much as there is."""
    if compression_of(file) == "gzip":
        with _unpacked(file) as stream:
            while stream.read(_BLOCK):
                pass


def _bytes_of(file: str) -> bytes:
    with _unpacked(file) as stream:
        return stream.read()


@contextmanager
def _unpacked(file: str) -> Iterator[IO[bytes]]:
    """Yield a file to be read without its compression; refuse what nothing at hand unpacks."""
    compression = compression_of(file)
    stream = opened(file, compression)
    if stream is None:
        raise InputFileError(
            f"{show_path(file)} cannot be read: Zstandard that is not plain UTF-8 takes Python "
            "3.14 or pyarrow: unpack it"
        )
    with stream, read_errors(file, compression):
        yield stream


def line_at(text: str, place: int) -> int:
    """Return the number, from 1, of the line in which a character stands."""
    return sum(1 for _ in _ENDS.finditer(text, 0, place)) + 1


def why_not(file: str, encoding: str) -> str:
    """Return which line of a file is not in an encoding, and which encodings fit all of it."""
    content = _bytes_of(file)
    try:
        text = content.decode(encoding)
        found = _CONTROLS.search(text)
        place = len(text) if found is None else found.start()
    except UnicodeDecodeError as error:
        text = content[: error.start].decode(encoding, errors="replace")
        place = len(text)
    except UnicodeError:  # UTF-16 and UTF-32 of another kind, from the start
        text, place = "", 0
    fitting = [name for name in COMMON if name != encoding and fits(content, name)]
    hint = (
        f"encoding= could be {' or '.join(map(repr, fitting))}"
        if fitting
        else "does it hold characters?"
    )
    return (
        f"{show_path(file)} cannot be read: line {line_at(text, place):,} is not in {encoding}; "
        f"{hint}"
    )


def fits(content: bytes, encoding: str) -> bool:
    """Return whether bytes are characters of an encoding that texts have."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if (encoding == "utf-16") != (marked or b"\x00" in content):  # else any pairs of bytes fit
        return False
    try:
        return not _CONTROLS.search(content.decode(encoding))
    except UnicodeError:
        return False
