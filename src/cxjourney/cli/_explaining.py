"""Explanations beside errors of reading: what the file is, and the command that reads it."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cxjourney import io
from cxjourney.exceptions import CxJourneyError, InvalidValue, UnknownName

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_READING = {
    "--encoding", "--skip-rows", "--decimal", "--sheet", "--layout", "--timestamp-format",
    "--timestamp-unit",
}  # fmt: skip


class Unplaced(InvalidValue):
    """The columns of a file do not say by their names which is which."""


@contextmanager
def explained(arguments: argparse.Namespace) -> Iterator[None]:
    """Add to an error of reading what the file is, and the command that reads it.

    Where the file is no table at all, say that instead. Nothing is added where another command
    would not help.
    """
    try:
        yield
    except UnknownName:  # the nearest names are in the message
        raise
    except CxJourneyError as error:
        if arguments.file is None:
            raise
        for file in io.find_files(arguments.file):
            io.refuse_no_table(file)
        try:
            found = io.inspect_file(arguments.file, sheet=arguments.sheet)
        except CxJourneyError as other:  # such as a file without names
            raise (other if isinstance(error, Unplaced) else error) from None
        further = _further(found, arguments.words)
        unplaced = isinstance(error, Unplaced)
        if unplaced or _READING & {*further}:
            error.add_note(f"file: {found.what()}")
            words = [*arguments.words, *further] if further else ["inspect", arguments.file]
            error.add_note(f"try: {shlex.join(['cxjourney', *words])}")
        raise


def _further(found: io.FileInspection, words: list[str]) -> list[str]:
    """Return the options of the command that is proposed, without those that were given."""
    if not found.commands:
        return []
    proposed = shlex.split(found.commands[0])[3:]
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    further: list[str] = []
    takes = False
    for word in proposed:
        if word.startswith("--"):
            takes = word not in given
        if takes:
            further.append(word)
    return further
