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
        given = arguments.words
        if "utf" in (found.encoding or "") and found.encoding != arguments.encoding:
            given = _without(given, "--encoding")  # it was not that one
        further = _further(found, given)
        unplaced = isinstance(error, Unplaced)
        if unplaced or _READING & {*further}:
            error.add_note(f"file: {found.what()}")
            words = [*given, *further] if further else ["inspect", arguments.file]
            error.add_note(f"try: {shlex.join(['cxjourney', *words])}")
        raise


def _without(words: list[str], option: str) -> list[str]:
    """Return the words of a command without an option and its value."""
    after = ["", *words]
    return [
        word
        for word, before in zip(words, after, strict=False)
        if option not in (before, word.partition("=")[0])
    ]


def _further(found: io.FileInspection, words: list[str]) -> list[str]:
    """Return the options of the command that is proposed, without those that were given."""
    command = found.commands[0] if found.commands else ""
    proposed = shlex.split(command)[3:]
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    if not command.startswith("cxjourney") and "--layout" not in given:
        return []  # the layout is to be written first, as `inspect` prints it
    further: list[str] = []
    takes = False
    for word in proposed:
        if word.startswith("--"):
            takes = word not in given
        if takes:
            further.append(word)
    return further
