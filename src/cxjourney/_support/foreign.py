"""Calls into libraries of others, whose errors become the library's own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cxjourney.exceptions import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def foreign(what: str) -> Iterator[None]:
    """Raise InvalidData for whatever a call into another library raises, a panic of polars too.

    The block must hold that call alone: an error of our own must stay what it is.
    """
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        said = str(error).partition("\n")[0]
        raise InvalidData(f"{what} cannot be read: {type(error).__name__}: {said}") from error
