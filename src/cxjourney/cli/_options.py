"""The options that every command has: columns, outcomes, reading."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from cxjourney.cli._names import ANSWERS, FURTHER, KNOWN_NAMES
from cxjourney.cli._printing import complain
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxjourney.metrics import Scale

WEEK = timedelta(days=7)
_SCALE = re.compile(r"(-?\d+)-(-?\d+)")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1)}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        complain("error", f"{message}; see {self.prog} --help")
        raise SystemExit(2)


def add_command(
    commands: Any,  # what argparse makes has no public type
    name: str,
    run: Callable[[argparse.Namespace], None],
    *,
    brief: str,
    long: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a command that reads a log and cuts it into journeys, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=brief, description=long, epilog=f"example: cxjourney {name} {example}"
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="a CSV, Excel, JSON, Parquet or XES file, compressed or not, or a glob in quotes",
    )
    parser.add_argument(
        "--sample", action="store_true", help="take a simulated retailer instead of a file"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON; what else there is to say goes to standard error",
    )
    columns = parser.add_argument_group(
        "columns", "the columns of the file by name (default: the columns with a known name)"
    )
    described = {role: f"known names: {', '.join(names)}" for role, names in KNOWN_NAMES.items()}
    for role, words in (described | FURTHER).items():
        columns.add_argument(f"--{role}", metavar="COLUMN", help=words)
    columns.add_argument(
        "--wide",
        action="append",
        type=_step,
        metavar="TOUCHPOINT=COLUMN",
        help="read one row a case: the column of dates of a touchpoint, or @COLUMN=COLUMN where "
        "another column names the touchpoint; repeat it for each, in order; --value is that of "
        "the last",
    )
    columns.add_argument("--currency", metavar="CODE", help="the currency of --value, such as EUR")

    outcome = parser.add_argument_group("outcomes")
    outcome.add_argument(
        "--goal",
        action="append",
        metavar="TOUCHPOINT",
        help="a touchpoint that counts as conversion; can be repeated",
    )
    outcome.add_argument(
        "--exit-touchpoint",
        action="append",
        metavar="TOUCHPOINT",
        help="a touchpoint that ends a journey as dropped; can be repeated",
    )
    outcome.add_argument(
        "--inactivity",
        type=duration,
        metavar="TIME",
        help="the time without interaction after which a journey is over, such as 30d, 12h or "
        "90min (default: a limit suggested from the data)",
    )
    outcome.add_argument(
        "--all-closed",
        action="store_true",
        help="all journeys are over: those that did not convert were dropped, and what follows the "
        "goal is left out",
    )

    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--layout",
        metavar="NAME",
        help="the layout of another tool's export, as `cxjourney layouts` lists them, or a TOML "
        "file that describes one (default: the one that the columns of the file follow, if any, "
        "where none is named)",
    )
    reading.add_argument(
        "--tz",
        metavar="ZONE",
        help="the zone of timestamps that do not tell theirs (default: UTC)",
    )
    _add_times(reading, "--", "the timestamps")
    reading.add_argument(
        "--delimiter",
        "--sep",
        type=lambda text: {"tab": "\t", r"\t": "\t"}.get(text, text),
        metavar="CHARACTER",
        help="the delimiter of a CSV file; 'tab' stands for the tab",
    )
    reading.add_argument(
        "--encoding",
        type=_encoding,
        default="utf-8",
        metavar="NAME",
        help="the encoding of a CSV or JSON file, such as cp1252 or utf-16 (default: utf-8)",
    )
    reading.add_argument(
        "--decimal",
        choices=(".", ","),
        default=".",
        help="what stands before the fraction of a number in a CSV file (default: the point)",
    )
    reading.add_argument(
        "--skip-rows",
        type=_rows,
        default="0",
        metavar="ROWS",
        help="how many rows stand above the names of the columns in a CSV or Excel file, as in 3; "
        "or the numbers of rows to leave out, from 0 at the first, with commas, as in 1,2",
    )
    reading.add_argument(
        "--sheet", metavar="NAME", help="the sheet of an Excel file (default: the only one)"
    )
    reading.add_argument(
        "--carry-channels",
        type=duration,
        metavar="TIME",
        help="carry a channel forward to interactions that name none, within silences shorter than "
        "this, such as 30min",
    )
    reading.add_argument(
        "--observed-until",
        metavar="MOMENT",
        help="until when the log was observed (default: its last timestamp)",
    )
    reading.add_argument(
        "--pseudonym-key",
        metavar="FILE",
        help="put pseudonyms in the place of ids, made with the key in this file",
    )
    reading.add_argument(
        "--pseudonym-key-env",
        metavar="NAME",
        help="the same with the key in this environment variable",
    )
    reading.add_argument(
        "--drop-missing",
        action="store_true",
        help="leave out rows without customer, timestamp or touchpoint",
    )
    reading.add_argument(
        "--memory",
        type=_memory,
        metavar="SIZE",
        help="how much memory there is, such as 4GB; a report on Parquet files that would take "
        "more is made of shards, without the rows (default: what is free)",
    )
    _add_answers(parser)
    return parser


def _add_answers(parser: argparse.ArgumentParser) -> None:
    """Add what the command can be told of answers to a survey."""
    group = parser.add_argument_group(
        "answers", "answers to a survey, each of which belongs to the last contact before it"
    )
    group.add_argument("--answers", metavar="FILE", help="a CSV, Parquet, JSON or Excel file")
    for role, names in ANSWERS.items():
        words = f"known names: {', '.join(names)}"
        if role == "touchpoint":
            words += "; the answer belongs to the last contact there"
        group.add_argument(f"--answers-{role}", metavar="COLUMN", help=words)
    group.add_argument(
        "--answers-within",
        type=duration,
        default=WEEK,
        metavar="TIME",
        help="the longest time between a contact and an answer about it (default: 7d)",
    )
    _add_times(group, "--answers-", "the times of answers")
    group.add_argument(
        "--answers-encoding", type=_encoding, default="utf-8", metavar="NAME", help="as --encoding"
    )
    group.add_argument(
        "--scale",
        type=_scale,
        metavar="LOW-HIGH",
        help="the whole numbers that answers and scores may be, such as 0-10 for NPS and 1-5 for "
        "CSAT; others are refused",
    )


def _add_times(group: Any, prefix: str, times: str) -> None:  # Any: as of `commands`
    """Add how times are written."""
    group.add_argument(
        f"{prefix}timestamp-format",
        metavar="FORMAT",
        help=f"the format of {times}, as strptime takes it",
    )
    group.add_argument(
        f"{prefix}timestamp-unit",
        choices=("s", "ms", "us", "ns"),
        help=f"what 1 means where {times} are numbers since 1970",
    )


def duration(text: str) -> timedelta:
    """Return a time such as 30d."""
    from cxjourney._support.validation import check_duration

    try:
        return check_duration(text, "limit")
    except InvalidValue as error:
        message = str(error).removeprefix("limit ").replace("a timedelta or ", "")
        raise argparse.ArgumentTypeError(message) from None


def in_units(time: timedelta) -> str:
    """Return a time as `duration` takes it, in the largest unit up to days that divides it."""
    for unit, length in _UNITS.items():
        if not time % length:
            return f"{time // length}{unit}"
    return f"{time.total_seconds():.15g}s"


def _memory(text: str) -> int:
    """Return a size such as 4GB [bytes]."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(MB|GB|TB)", text)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"must be a size such as 500MB or 4GB; got {text!r}")
    return int(float(found[1]) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[found[2]])


def _encoding(text: str) -> str:
    from cxjourney.io import check_encoding

    try:
        return check_encoding(text)
    except InvalidValue as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("encoding ")) from None


def _rows(text: str) -> str:
    """Return what `skip_rows` reads, or refuse it."""
    numbers = [part.strip() for part in text.removesuffix(",").split(",")]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        raise argparse.ArgumentTypeError(
            f"must be a number such as 3, or numbers with commas such as 1,2; got {text!r}"
        )
    return text


def skip_rows(text: str) -> int | list[int]:
    """Return how many rows, or which of them where there is a comma."""
    return [int(part) for part in text.split(",") if part] if "," in text else int(text)


def _step(text: str) -> str:
    """Return what names a touchpoint and the column of its dates, or refuse it."""
    touchpoint, _, column = text.partition("=")
    if not touchpoint.removeprefix("@") or not column:
        raise argparse.ArgumentTypeError(
            f"must be TOUCHPOINT=COLUMN or @COLUMN=COLUMN, such as bought=date; got {text!r}"
        )
    return text


def _scale(text: str) -> Scale:
    from cxjourney.metrics import Scale

    match = _SCALE.fullmatch(text)
    try:
        return Scale(int(match[1]), int(match[2])) if match else Scale(0, 0)
    except InvalidValue:
        raise argparse.ArgumentTypeError(f"must be LOW-HIGH, such as 0-10; got {text!r}") from None
