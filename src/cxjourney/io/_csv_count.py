"""Counts of the records of CSV files that owe nothing to the reader of their rows."""

from __future__ import annotations

import csv
import io
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from cxjourney.exceptions import InputFileError
from cxjourney.io._files import opened, show_path, why_refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK = 1 << 20
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34
_TOP = np.uint64(63)
_CONTINUED = bytes(range(0x80, 0xC0))  # bytes of UTF-8 within a character


def count_records(file: str, compression: str, encoding: str) -> int | None:
    """Return the number of lines that are not blank, those within quotes taken as one.

    Every quote is taken to open or to close a cell: `count_records_slowly` knows those that do
    not. Reading to the end tells whether a compressed file is whole. None where it cannot be read
    without DuckDB.

    Raises
    ------
    InputFileError
        If a compressed file is truncated or damaged, or the file ends within a character.
    """
    blocks = _blocks(file, compression, encoding)
    if blocks is None:
        return None
    records, quoted, after = 0, np.uint64(0), np.uint64(1)  # after the end of a line, or of none
    for block in blocks:
        ends = _words((block == _NEWLINE) | (block == _RETURN))
        quotes = _words(block == _QUOTE)
        if quoted or quotes.any():
            for shift in (1, 2, 4, 8, 16, 32):  # each bit: whether an odd number of quotes came
                quotes ^= quotes << np.uint64(shift)
            odd = np.bitwise_xor.accumulate(np.append(quoted, quotes >> _TOP))
            ends &= ~(quotes ^ (np.uint64(0) - odd[:-1]))
            quoted = odd[-1]
        before = np.append(after, ends[:-1] >> _TOP)
        records += int(np.bitwise_count(ends & ~(ends << np.uint64(1) | before)).sum())
        word, bit = divmod(len(block) - 1, 64)
        after = ends[word] >> np.uint64(bit) & np.uint64(1)
    return records + int(not after)


def _words(mask: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return 64 flags a word, the first in the lowest bit."""
    bits = np.packbits(mask, bitorder="little")
    padded = np.zeros(-(-len(bits) // 8) * 8, dtype=np.uint8)
    padded[: len(bits)] = bits
    return padded.view("<u8")


def count_records_slowly(file: str, compression: str, encoding: str, delimiter: str) -> int:
    """Return the number of records that the csv module finds; -1 where it finds none at all."""
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    stream = opened(file, compression)
    if stream is None:
        return -1
    with io.TextIOWrapper(stream, encoding=codec, newline="") as lines:
        try:
            return sum(map(bool, csv.reader(lines, delimiter=delimiter, skipinitialspace=True)))
        except (csv.Error, UnicodeError):
            return -1


def _blocks(file: str, compression: str, encoding: str) -> Iterator[NDArray[Any]] | None:
    """Return the characters of a file as numbers; None where Python cannot read it."""
    with read_errors(file, compression):
        stream = opened(file, compression)
    return None if stream is None else _read(file, stream, compression, encoding)


def _read(file: str, stream: IO[bytes], compression: str, encoding: str) -> Iterator[NDArray[Any]]:
    dtype = np.dtype("<u2" if encoding == "utf-16" else "u1")
    end, size = b"", 0
    with stream, read_errors(file, compression):
        while data := stream.read(_BLOCK):
            end, size = (end + data[-64:])[-64:], size + len(data)
            if dtype.itemsize == 2 and data.startswith(b"\xfe\xff"):
                dtype = np.dtype(">u2")
            if len(data) >= dtype.itemsize:
                yield np.frombuffer(data, dtype, len(data) // dtype.itemsize)
    if encoding == "utf-16":
        first_half = (
            bool(end) and 0xD800 <= int(np.frombuffer(end[-2:].rjust(2), dtype)[0]) < 0xDC00
        )
        broken = size % 2 == 1 or first_half
    else:
        broken = encoding == "utf-8" and not _decodes(end.lstrip(_CONTINUED))
    if broken:  # DuckDB takes a file that breaks off within a character
        raise InputFileError(
            f"{show_path(file)} cannot be read: it ends within a character; it was cut off, or "
            f"is not in {encoding}"
        )


def _decodes(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@contextmanager
def read_errors(file: str, compression: str) -> Iterator[None]:
    """Turn what Python says about a file that it reads into one line that names it.

    Raises
    ------
    InputFileError
        Instead of errors of the system and of decompression inside the block.
    """
    try:
        yield
    except (EOFError, zlib.error, OSError) as error:
        reason = why_refused("GZIP") if compression != "none" else str(error)
        raise InputFileError(f"{show_path(file)} cannot be read: {reason}") from None
