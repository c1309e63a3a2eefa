"""Errors of doors through which ids come in: nothing of them leads back to an id."""

from __future__ import annotations

import functools
import traceback
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cxjourney.exceptions import CxJourneyError, InvalidData

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def forgetting(door: F) -> F:
    """Return a function whose errors refer to no input of it where ids give way to pseudonyms.

    That is where `pseudonyms=` is given, or an argument is a log that has them. The frames of a
    traceback refer to local variables, and causes to errors of other libraries, which quote cells.
    An error of the library keeps its message, which is written without ids; of another one, also
    where it is quoted, the type is told.
    """

    @functools.wraps(door)
    def within(*args: Any, **further: Any) -> Any:
        of_logs = [getattr(one, "key_id", None) for one in args]
        if further.get("pseudonyms") is None and not any(isinstance(one, str) for one in of_logs):
            return door(*args, **further)
        try:
            return door(*args, **further)
        except Exception as error:
            own, at = isinstance(error, CxJourneyError), error.__traceback__
            called = at is None or at.tb_next is None  # if not even that: an argument is missing
            foreign = (error.__cause__ or error.__context__) if own else error
            told = called or (own and not _quotes(error, foreign))
            kind = f"{type(foreign).__module__}.{type(foreign).__qualname__}"
            error.__cause__ = error.__context__ = None
            traceback.clear_frames(at)
            if told:
                raise
        finally:
            args, further = (), {}
        raise InvalidData(
            f"the data cannot be read: {kind.removeprefix('builtins.')}, whose message may quote "
            "ids and is not shown; where they may be seen, read without pseudonyms="
        )

    return cast(F, within)


def _quotes(error: Exception, other: BaseException | None) -> bool:
    """Return whether a message repeats a line of that of another library."""
    if other is None or isinstance(other, (CxJourneyError, OSError)):
        return False
    lines = (line.partition(": ")[2] or line for line in str(other).splitlines())
    return any(line.strip() and line in str(error) for line in lines)
