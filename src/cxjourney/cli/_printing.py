"""Everything that the command prints: errors and warnings as lines, progress, JSON."""

from __future__ import annotations

import re
import sys
import warnings
from contextlib import contextmanager
from json import dumps
from typing import TYPE_CHECKING, Any

from cxjourney._support.text import shortened
from cxjourney.cli._names import FURTHER, KNOWN_NAMES
from cxjourney.exceptions import CxJourneyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cxjourney._support.result import Result
    from cxjourney.report import Report

# What the library calls its arguments, where the option is not named alike.
_OPTIONS = {
    'missing="drop"': "--drop-missing",
    "all_closed=True": "--all-closed",
    "share=True": "--share",
    "exit_touchpoints": "--exit-touchpoint",
    "attributes": "--segment",
    "steps": "--step",
    "pseudonyms": "--pseudonym-key",
}
# What stands in quotes comes from the data or the user and is no word of the library's. Only names
# of two words cannot be mistaken for plain English; others are arguments before "=" or "must".
_NAMED = "|".join(
    (
        *(*KNOWN_NAMES, *FURTHER, "currency", "delimiter", "encoding", "goal", "inactivity"),
        *("attributes", "by", "expected_exits", "figure", "pseudonyms", "reaching"),
        *("scale", "segment", "steps", "strata", "window"),
    )
)
_ARGUMENT = re.compile(
    r"""(?<!\w)'[^']*'|(?<![\w=])"[^"]*"|(?<![\w-])(?P<argument>"""
    r"""missing="drop"|all_closed=True\b|share=True\b|(?:answers_)?timestamp_(?:format|unit)\b|"""
    rf"""observed_until\b|carry_channels\b|exit_touchpoints\b|(?:{_NAMED}|tz)(?==|\ must\b))=?"""
)


def print_whatever_the_terminal_can() -> None:
    """Let both streams escape what their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def complain(kind: str, message: str) -> None:
    """Print a line on standard error."""
    print(f"cxjourney: {kind}: {shortened(message)}", file=sys.stderr)


def one_line(error: Exception) -> str:
    """Return what an error says, in the words of the command."""
    if isinstance(error, OSError) and not isinstance(error, CxJourneyError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return in_options(" ".join(str(error).split()))


def in_options(message: str) -> str:
    """Return a message of the library with the options of the command for its arguments."""

    def option(found: re.Match[str]) -> str:
        argument = found["argument"]
        if argument is None:
            return found[0]
        return _OPTIONS.get(argument, f"--{argument.replace('_', '-')}")

    def rows(found: re.Match[str]) -> str:
        return f"--skip-rows {found[1].replace(' ', '')}{',' * (',' not in found[1])}"

    return _ARGUMENT.sub(option, re.sub(r"\bskip_rows=\[([\d, ]+)\]", rows, message))


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print warnings as lines on standard error."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        complain("warning", in_options(" ".join(str(message).split())))

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


class Progress:
    """What is called as each step begins, and `told` how far it is."""

    def __init__(self, bar: Any) -> None:  # Any: tqdm is optional
        self._bar = bar
        self.told = bar.set_description_str

    def __call__(self, step: str) -> None:
        self.told(step)
        self._bar.update()


@contextmanager
def progress(steps: int, command: str) -> Iterator[Progress]:
    """Yield what is called as each step begins; the bar is drawn on a terminal only."""
    from cxjourney._support.optional import require

    tqdm = require("tqdm", extra="report", caller=f"cxjourney {command}")
    with tqdm.tqdm(
        total=steps, disable=None, leave=False, file=sys.stderr, bar_format="{bar:24} {desc}"
    ) as bar:
        yield Progress(bar)


def print_said(said: Iterable[str], *, aside: bool) -> None:
    """Print remarks before a result: on standard error where the result is JSON."""
    for line in said:
        print(line, file=sys.stderr if aside else sys.stdout)


def print_json(data: Mapping[str, Any]) -> None:
    """Print a dictionary as JSON."""
    print(dumps(data, indent=2, allow_nan=False))  # ASCII, whatever the terminal can show


def print_result(result: Result, said: Iterable[str], *, json: bool) -> None:
    """Print a result after what is to be said first."""
    print_said(said, aside=json)
    if json:
        print_json(result.to_dict())
        return
    lines = [
        in_options(line) if line.startswith("* ") else line for line in str(result).split("\n")
    ]
    print("", *lines, sep="\n")


def page_in_options(page: Report) -> Report:
    """Return a report whose remarks name the options of the command for Python's arguments."""
    import attrs

    sections = []
    for section in page.sections:
        parts = (
            attrs.evolve(part, notes=tuple(map(in_options, part.notes))) for part in section.parts
        )
        sections.append(
            attrs.evolve(
                section,
                parts=tuple(parts),
                remarks=tuple(map(in_options, section.remarks)),
                absent=in_options(section.absent),
                brief=in_options(section.brief),
            )
        )
    return attrs.evolve(page, sections=tuple(sections))
