"""The `cxjourney` command: parses, calls, prints. Exit codes: 0; 2 for bad usage or input."""

from __future__ import annotations

import argparse
import codecs
import os
import re
import shlex
import sys
import warnings
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cxjourney._support.text import shortened
from cxjourney.exceptions import CxJourneyError, InputFileError, InvalidValue, OutcomeUndetermined

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from cxjourney.journeys import InactivitySuggestion, Journeys
    from cxjourney.log import FurtherColumns, InteractionLog

__all__ = ["main"]

# Names that say what a column is; a column is taken only where its name is exactly one of these.
KNOWN_NAMES = {
    "customer": (
        "customer",
        "customer_id",
        "client_id",
        "user_id",
        "visitor_id",
        "case_id",
        "case:concept:name",
    ),
    "timestamp": (
        "timestamp",
        "time",
        "datetime",
        "event_time",
        "event_timestamp",
        "time:timestamp",
    ),
    "touchpoint": ("touchpoint", "event", "event_name", "activity", "concept:name"),
    "channel": ("channel",),
    "stage": ("stage",),
    "owner": ("owner",),
}
NEEDED = ("customer", "timestamp", "touchpoint")
_MANY = 30  # visits from which an end that nothing follows is no chance
FURTHER = {
    "journey": "an id of the journey, such as a case or a session",
    "seq": "a number that orders interactions of one moment",
    "value": "the value of a conversion",
    "score": "an answer to a survey",
    "emotion": "the emotion, from -1 (unpleasant) to 1 (pleasant)",
    "expectation": "what the customer expected, on the scale of the score",
}

_NO_OPTIONS = {"command", "run", "file", "sample"}  # of what argparse knows
_DEFAULTS = {"out": "report.html", "tz": "UTC", "encoding": "utf-8"}  # need not be said again

# What the library calls its arguments, where the option is not named alike.
_OPTIONS = {
    'missing="drop"': "--drop-missing",
    "all_closed=True": "--all-closed",
    "exit_touchpoints": "--exit-touchpoint",
}
# What stands in quotes comes from the data or the user and is no word of the library's. Only names
# of two words cannot be mistaken for plain English; others are arguments before "=" or "must".
_NAMED = "|".join(
    (*KNOWN_NAMES, *FURTHER, "currency", "delimiter", "encoding", "goal", "inactivity")
)
_ARGUMENT = re.compile(
    r"""(?<!\w)'[^']*'|(?<![\w=])"[^"]*"|(?<![\w-])(?P<argument>"""
    r"""missing="drop"|all_closed=True\b|timestamp_format\b|timestamp_unit\b|observed_until\b|"""
    rf"""exit_touchpoints\b|(?:{_NAMED}|tz)(?==|\ must\b))=?"""
)
_ENCODINGS = {"utf-8": "utf-8", "utf-16": "utf-16", "iso8859-1": "latin-1"}  # as codecs name them

_UNITS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|w)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    argv
        The arguments; None takes those of the process.

    Returns
    -------
    int
        0, or 2 for bad usage or input; the error is one line on standard error.
    """
    _print_whatever_the_terminal_can()
    try:
        arguments = _parser().parse_args(argv)
        with _warnings_as_lines():
            arguments.run(arguments)
    except SystemExit as stop:  # argparse: help and version leave with 0, bad usage with 2
        return int(stop.code or 0)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (CxJourneyError, OSError) as error:
        _complain("error", _one_line(error))
        return 2
    return 0


# ---------------------------------------------------------------------- arguments


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        _complain("error", f"{message}; see {self.prog} --help")
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="cxjourney", description="Customer journeys from event data.")
    parser.add_argument("--version", action="version", version=f"cxjourney {version('cxjourney')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    report = commands.add_parser(
        "report",
        help="report where customers drop off, how they change channels, and what matters most",
        description=(
            "Read a log of customer events and report where customers drop off, how they move "
            "between channels, and which touchpoints matter most. The report is printed in the "
            "terminal and written to one HTML file."
        ),
        epilog="example: cxjourney report events.csv --goal payment_done --inactivity 30d",
    )
    report.set_defaults(run=_report)
    report.add_argument(
        "file", nargs="?", metavar="FILE", help="a CSV, Parquet or XES file, compressed or not"
    )
    report.add_argument(
        "--sample", action="store_true", help="report on a simulated retailer instead of a file"
    )
    report.add_argument(
        "--out",
        default="report.html",
        metavar="FILE",
        help="the HTML file to write (default: report.html)",
    )

    columns = report.add_argument_group(
        "columns", "the columns of the file by name (default: the columns with a known name)"
    )
    described = {role: f"known names: {', '.join(names)}" for role, names in KNOWN_NAMES.items()}
    for role, words in (described | FURTHER).items():
        columns.add_argument(f"--{role}", metavar="COLUMN", help=words)
    columns.add_argument("--currency", metavar="CODE", help="the currency of --value, such as EUR")

    outcome = report.add_argument_group("outcomes")
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
        "--step",
        action="append",
        metavar="TOUCHPOINT",
        help="a step of the funnel; repeat it for each step, in order (default: the touchpoints "
        "that at least half of the converted journeys visit)",
    )
    outcome.add_argument(
        "--inactivity",
        type=_duration,
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

    reading = report.add_argument_group("reading")
    reading.add_argument(
        "--tz",
        default="UTC",
        metavar="ZONE",
        help="the zone of timestamps that do not tell theirs (default: UTC)",
    )
    reading.add_argument(
        "--timestamp-format",
        metavar="FORMAT",
        help="the format of the timestamps, as strptime takes it",
    )
    reading.add_argument(
        "--timestamp-unit",
        choices=("s", "ms", "us", "ns"),
        help="what 1 means where timestamps are numbers since 1970",
    )
    reading.add_argument(
        "--delimiter",
        type=lambda text: {"tab": "\t", r"\t": "\t"}.get(text, text),
        metavar="CHARACTER",
        help="the delimiter of a CSV file; 'tab' stands for the tab",
    )
    reading.add_argument(
        "--encoding",
        type=_encoding,
        default="utf-8",
        metavar="NAME",
        help="the encoding of a CSV file: utf-8 (default), utf-16 or latin-1 (iso-8859-1)",
    )
    reading.add_argument(
        "--observed-until",
        metavar="MOMENT",
        help="until when the log was observed (default: its last timestamp)",
    )
    reading.add_argument(
        "--drop-missing",
        action="store_true",
        help="leave out rows without customer, timestamp or touchpoint",
    )
    return parser


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    if match is None or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(
            f"must be a number with its unit (s, min, h, d, w), such as 30d; got {text!r}"
        )
    try:
        return float(match[1]) * _UNITS[match[2]]
    except OverflowError:
        raise argparse.ArgumentTypeError(f"must be at most 999,999,999d; got {text!r}") from None


def _encoding(text: str) -> str:
    from cxjourney.io import check_encoding

    try:
        name = codecs.lookup(text).name
    except LookupError:
        name = text
    try:
        return check_encoding(_ENCODINGS.get(name, text))
    except InvalidValue as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("encoding ")) from None


# ---------------------------------------------------------------------- what is printed


def _print_whatever_the_terminal_can() -> None:
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _complain(kind: str, message: str) -> None:
    print(f"cxjourney: {kind}: {shortened(message)}", file=sys.stderr)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, CxJourneyError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return _in_options(" ".join(str(error).split()))


def _in_options(message: str) -> str:
    """Return a message of the library with the options of the command for its arguments."""

    def option(found: re.Match[str]) -> str:
        argument = found["argument"]
        if argument is None:
            return found[0]
        return _OPTIONS.get(argument, f"--{argument.replace('_', '-')}")

    return _ARGUMENT.sub(option, message)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    def show(message: Warning | str, *_: object, **__: object) -> None:
        _complain("warning", _in_options(" ".join(str(message).split())))

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """Yield what is called as each step begins; the bar is drawn on a terminal only."""
    from cxjourney._support.optional import require

    tqdm = require("tqdm", extra="report", caller="cxjourney report")
    with tqdm.tqdm(
        total=steps, disable=None, leave=False, file=sys.stderr, bar_format="{bar:24} {desc}"
    ) as bar:

        def begin(step: str) -> None:
            bar.set_description_str(step)
            bar.update()

        yield begin


# ---------------------------------------------------------------------- cxjourney report


def _report(arguments: argparse.Namespace) -> None:
    from cxjourney.log import odd_times
    from cxjourney.report import STEPS, build

    if arguments.sample == (arguments.file is not None):
        raise InvalidValue("give either a FILE or --sample")
    out = _writable(Path(arguments.out))
    said: list[str] = []
    with _progress(len(STEPS) + 1) as begin:
        begin("reading")
        log = _sample(arguments) if arguments.sample else _read(arguments, said)
        said[:0] = map(_in_options, odd_times(log.columns.time, log.observed_until_us))
        journeys, suggestion = _journeys(log, arguments, said)
        source = "a simulated retailer" if arguments.sample else Path(arguments.file).name
        page = build(
            journeys,
            source=source,
            steps=arguments.step,
            python=_reading(arguments),
            command=_again(arguments, journeys, suggestion),
            suggestion=suggestion,
            begin=begin,
        )
    page.write(out)  # first, since a pipe may close while the text is printed
    for line in said:
        print(line)
    print(f"\n{page.to_text()}")
    print(f"\nwrote {out} ({out.stat().st_size / 1000:,.0f} kB)")


def _again(
    arguments: argparse.Namespace, journeys: Journeys, suggestion: InactivitySuggestion | None
) -> str:
    """Return the command that makes the same report, whatever was taken by name or suggested."""
    given = vars(arguments).copy()
    if suggestion is None or len(suggestion.plausible) < 2:  # else naming it would be choosing it
        given["inactivity"] = journeys.rules.inactivity
    words = ["cxjourney", "report"]
    if arguments.sample:
        words.append("--sample")
        given = {name: given[name] for name in ("step", "out")}
    else:
        words.append(arguments.file)
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if name in _NO_OPTIONS or value is None or value is False or value == _DEFAULTS.get(name):
            continue
        if isinstance(value, timedelta):
            value = f"{value / timedelta(seconds=1):.15g}s"
        values = value if isinstance(value, list) else [value]
        words += [word for v in values for word in ([option] if v is True else [option, str(v)])]
    return shlex.join(words)


def _reading(arguments: argparse.Namespace) -> str:
    """Return the Python that reads the same log."""
    if arguments.sample:
        return "log = cx.datasets.sample().log"
    from cxjourney.io import find_files, is_parquet

    file = arguments.file
    name = "parquet" if is_parquet(find_files(file)[0]) else "csv"
    if file.lower().endswith((".xes", ".xes.gz")):
        name = "xes"
    further = ("currency", "timestamp_unit", "observed_until", "delimiter")[: 3 + (name == "csv")]
    values = {key: getattr(arguments, key) for key in further} | _named(arguments)
    values["tz"] = None if arguments.tz == "UTC" else arguments.tz
    values["missing"] = "drop" if arguments.drop_missing else None
    if name != "xes":
        values["timestamp_format"] = arguments.timestamp_format
    if name == "csv" and arguments.encoding != "utf-8":
        values["encoding"] = arguments.encoding
    named = [f"{key}={value!r}" for key, value in values.items() if value is not None]
    return f"log = cx.read_{name}({', '.join([repr(file), *named])})"


def _writable(out: Path) -> Path:
    """Return where the page goes, unless something stands there that is not ours."""
    if out.is_dir():
        raise InputFileError(f"--out {str(out)!r} is a directory: name a file in it")
    if not out.parent.is_dir():
        raise InputFileError(f"--out {str(out)!r}: there is no directory {str(out.parent)!r}")
    if out.exists():
        with out.open("rb") as file:
            start = file.read(2000)
        if start and b'content="cxjourney' not in start:
            raise InputFileError(f"{str(out)!r} exists and is no report: name another with --out")
    return out


def _sample(arguments: argparse.Namespace) -> InteractionLog:
    from cxjourney import datasets

    sample = datasets.sample()
    arguments.goal = arguments.goal or sample.truths.goal
    arguments.inactivity = arguments.inactivity or sample.truths.inactivity
    return sample.log


def _read(arguments: argparse.Namespace, said: list[str]) -> InteractionLog:
    from cxjourney import io
    from cxjourney.io import find_files, is_parquet

    further: FurtherColumns = {
        "tz": arguments.tz,
        "missing": "drop" if arguments.drop_missing else "refuse",
        "observed_until": arguments.observed_until,
        "currency": arguments.currency,
        "timestamp_unit": arguments.timestamp_unit,
    }
    file = arguments.file
    if file.lower().endswith((".xes", ".xes.gz")):
        return _with_rows(io.read_xes(file, **_named(arguments), **further), file)
    shape: dict[str, Any] = {"delimiter": arguments.delimiter, "encoding": arguments.encoding}
    present = io.file_columns(file, **shape)
    known = [name for names in KNOWN_NAMES.values() for name in names if name in present]
    empty = io.empty_columns(file, known, **shape)
    empty = () if len(empty) == len(known) else empty  # then the rows are to blame
    roles: dict[str, Any] = _roles(arguments, present, empty, said)
    roles["timestamp_format"] = arguments.timestamp_format
    if is_parquet(find_files(file)[0]):
        read = io.read_parquet(file, **roles, **further)
    else:
        read = io.read_csv(file, **roles, **shape, **further)
    return _with_rows(read, file)


def _with_rows(log: InteractionLog, file: str) -> InteractionLog:
    """Return the log if anything is left of the file."""
    if not log.intake.rows:
        raise InputFileError(f"{file!r} holds no row: nothing to report on")
    if not len(log):
        why = ", ".join(f"{reason} in {n:,}" for reason, n in log.intake.dropped.items())
        raise InputFileError(f"every row of {file!r} was left out ({why}): nothing to report on")
    return log


def _named(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the columns that were named, by role."""
    values = {role: getattr(arguments, role) for role in (*KNOWN_NAMES, *FURTHER)}
    return {role: name for role, name in values.items() if name is not None}


def _roles(
    arguments: argparse.Namespace,
    present: Sequence[str],
    empty: Collection[str],
    said: list[str],
) -> dict[str, str]:
    """Return every column by role: those named, and those whose name says what they are.

    A column that holds nothing is not taken by its name.
    """
    roles = _named(arguments)
    for role, known in KNOWN_NAMES.items():
        if role in roles:
            continue
        there = [name for name in known if name in present and name not in roles.values()]
        found = [name for name in there if name not in empty]
        left = [name for name in there if name in empty]
        said.extend(f"{role}: column {name!r} is empty and not taken" for name in left)
        if len(found) > 1:
            raise InvalidValue(
                f"{' and '.join(map(repr, found))} could each be the {role}: give --{role}"
            )
        if found:
            roles[role] = found[0]
            setattr(arguments, role, found[0])
            said.append(f"{role}: column {found[0]!r}, by its name (--{role} takes another)")
        elif role in NEEDED:
            why = "".join(f"column {name!r} is empty and " for name in left)
            others = ", ".join(repr(name) for name in present if name not in empty)
            raise InvalidValue(
                f"{why}no {'other ' * bool(left)}column has a known name for the {role}: give "
                f"--{role}, one of {others}"
            )
    return roles


def _journeys(
    log: InteractionLog, arguments: argparse.Namespace, said: list[str]
) -> tuple[Journeys, InactivitySuggestion | None]:
    """Return the journeys, and what their limit was taken from where it was not given."""
    from cxjourney._support.table import format_value

    inactivity, suggestion = arguments.inactivity, None
    if inactivity is None and not arguments.all_closed and not arguments.exit_touchpoint:
        suggestion = log.suggest_inactivity(goal=arguments.goal)
        inactivity = suggestion.suggested
        if inactivity is None:
            raise OutcomeUndetermined(
                "no customer came twice, so that no inactivity limit can be suggested: give "
                "--inactivity, or --all-closed if all journeys are over"
            )
        limit = format_value(inactivity / timedelta(seconds=1), "duration")
        said.append(f"inactivity: {limit}, as suggested (--inactivity sets another)")
        said.append(f"{suggestion}\n")
    if not arguments.goal:
        said.append("no --goal is given, so no journey counts as converted")
    journeys = log.journeys(
        goal=arguments.goal,
        inactivity=inactivity,
        exit_touchpoints=arguments.exit_touchpoint or (),
        after_goal="discard" if arguments.all_closed else "new_journey",
        all_closed=arguments.all_closed,
    )
    said.extend(_warnings(journeys))
    return journeys, suggestion


def _warnings(journeys: Journeys) -> list[str]:
    """Return what a reader should know before believing the numbers."""
    import numpy as np

    from cxjourney.journeys import visits_of

    visits = visits_of(journeys)
    seen = np.bincount(visits.node, minlength=len(visits.names))
    followed = np.bincount(visits.node[visits.following < visits.start], minlength=len(seen))
    followed -= np.bincount(visits.node[visits.following < 0], minlength=len(seen))
    converted = visits.following == visits.conversion
    followed += np.bincount(visits.node[converted], minlength=len(seen))
    return [
        f"nothing ever follows {visits.names[k]!r} ({seen[k]:,} visits): if it is a way of "
        f"leaving, say --exit-touchpoint {visits.names[k]!r}"
        for k in np.flatnonzero((followed == 0) & (seen >= _MANY)).tolist()
    ]
