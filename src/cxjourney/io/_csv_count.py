"""Counts of the records of CSV files that owe nothing to the reader of their rows."""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING

import numpy as np

from cxjourney.exceptions import InputFileError
from cxjourney.io._files import opened, read_errors, show_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

_BLOCK = 1 << 20
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34
_TOP = np.uint64(63)
_CONTINUED = bytes(range(0x80, 0xC0))  # bytes of UTF-8 within a character


def count_records(file: str, compression: str) -> int | None:
    """Return the number of lines that are not blank, those within quotes taken as one.

    Every quote is taken to open or to close a cell: `count_records_slowly` knows those that do
    not. Reading to the end tells whether a compressed file is whole. None where it cannot be read
    without DuckDB.

    Raises
    ------
    InputFileError
        If a compressed file is truncated or damaged, or the file ends within a character.
    """
    with read_errors(file, compression):
        stream = opened(file, compression)
    return None if stream is None else count_in_blocks(_blocks(file, stream, compression))


def count_in_blocks(blocks: Iterable[NDArray[np.uint8]]) -> int:
    """Return the number of lines in the bytes of UTF-8, as `count_records` does."""
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


def count_records_slowly(file: str, compression: str, delimiter: str) -> int:
    """Return the number of records that the csv module finds; -1 where it finds none at all."""
    stream = opened(file, compression)
    if stream is None:
        return -1
    with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as lines:
        try:
            return sum(map(bool, csv.reader(lines, delimiter=delimiter, skipinitialspace=True)))
        except (csv.Error, UnicodeError):
            return -1


def check_count_of_rows(file: str, records: int, rows: int) -> None:
    """Raise InputFileError unless the rows are as many as the records that were counted."""
    if records != rows:
        raise InputFileError(
            f"{show_path(file)} cannot be read: {rows:,} rows were found where "
            f"{max(records, 0):,} lines stand below the header; write it with one kind of line "
            "break, also within quotes, and no line of more than 2,000,000 bytes"
        )


def _blocks(file: str, stream: IO[bytes], compression: str) -> Iterator[NDArray[np.uint8]]:
    end = b""
    with stream, read_errors(file, compression):
        while data := stream.read(_BLOCK):
            end = (end + data[-64:])[-64:]
            yield np.frombuffer(data, np.uint8)
    if not _decodes(end.lstrip(_CONTINUED)):  # DuckDB takes a file that breaks off in a character
        raise InputFileError(
            f"{show_path(file)} cannot be read: it ends within a character; it was cut off, or "
            "is not in utf-8"
        )


def _decodes(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
