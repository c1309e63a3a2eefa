"""`cxjourney report`."""

from __future__ import annotations

import shlex
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxjourney.cli._options import WEEK, add_command, in_units, skip_rows
from cxjourney.cli._printing import page_in_options, print_json, print_said, progress
from cxjourney.exceptions import InputFileError

if TYPE_CHECKING:
    import argparse

    from cxjourney.cli._input import Opened
    from cxjourney.cli._shards import Counted

_NO_OPTIONS = {
    "command",
    "run",
    "file",
    "sample",
    "json",
    "words",
    "full",
}  # of what argparse knows
_DEFAULTS = {  # need not be said again
    "out": "report.html",
    "tz": "UTC",
    "encoding": "utf-8",
    "decimal": ".",
    "skip_rows": "0",
    "answers_encoding": "utf-8",
    "answers_within": WEEK,
}


def add(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "report",
        _report,
        brief="report what is wrong, where customers drop off, and how they change channels",
        long="Read a log of customer events and report what is wrong, how sure that is, and what "
        "it costs; then where customers drop off and how they move between channels. The report is "
        "written to one HTML file; the terminal prints what is wrong and a line for each section.",
        example="events.csv --goal payment_done --inactivity 30d",
    )
    parser.add_argument(
        "--out",
        default="report.html",
        metavar="FILE",
        help="the HTML file to write (default: report.html)",
    )
    parser.add_argument(
        "--full", action="store_true", help="print all sections of the report in the terminal"
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="make a report that may leave the house: nothing in it is about fewer than 5 "
        "customers, or all but fewer than 5, nor names a file",
    )
    parser.add_argument(
        "--step",
        action="append",
        metavar="TOUCHPOINT",
        help="a step of the funnel; repeat it for each step, in order (default: the "
        "stages up to the goal, or else touchpoints that at least half of the converted journeys "
        "visit in one order)",
    )
    parser.add_argument(
        "--expected-exits",
        action="append",
        metavar="TOUCHPOINT",
        help="a touchpoint at which it is no fault that journeys end, such as a confirmation; can "
        "be repeated",
    )
    parser.add_argument(
        "--segment",
        action="append",
        metavar="COLUMN",
        help="a column whose values divide the journeys, such as a device; can be repeated",
    )


def _report(arguments: argparse.Namespace) -> None:
    from cxjourney.cli._shards import Counted, opened_or_counted
    from cxjourney.report import STEPS, build

    out = _writable(Path(arguments.out))
    with progress(len(STEPS) + 1, "report") as begin:
        begin("reading")
        counting: dict[str, Any] = {"funnel": {"steps": arguments.step}} if arguments.step else {}
        if arguments.inactivity or not (arguments.all_closed or arguments.exit_touchpoint):
            counting["findings"] = {}
        given = opened_or_counted(arguments, arguments.segment or (), begin.told, counting)
        page = build(
            given.journeys,
            source=given.source,
            steps=arguments.step,
            python=given.python if isinstance(given, Counted) else _reading(arguments),
            command=_again(arguments, given),
            suggestion=given.suggestion,
            expected_exits=arguments.expected_exits or (),
            share=arguments.share,
            begin=begin,
        )
    page = page_in_options(page)
    wrote = "replaced" if out.exists() else "wrote"
    page.write(out)  # first, since a pipe may close while the text is printed
    wrote += f" {out} ({out.stat().st_size / 1000:,.0f} kB)"
    print_said(given.said, aside=arguments.json)
    if arguments.json:
        print_said([wrote], aside=True)
        print_json(page.to_dict())
    else:
        wrote += "" if arguments.full else "; --full prints all of it here"
        print(f"\n{page.to_text(full=arguments.full)}\n\n{wrote}")


def _again(arguments: argparse.Namespace, opened: Opened | Counted) -> str:
    """Return the command that makes the same report, whatever was taken by name or suggested."""
    given = vars(arguments).copy()
    found = opened.suggestion
    if found is None or len(found.plausible) < 2:  # else naming it would be choosing it
        given["inactivity"] = opened.rules["inactivity"]
    words = ["cxjourney", "report"]
    if arguments.sample:
        words.append("--sample")
        given = {name: given[name] for name in ("step", "expected_exits", "out")}
    else:
        words.append(arguments.file)
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if name in _NO_OPTIONS or value is None or value is False or value == _DEFAULTS.get(name):
            continue
        if isinstance(value, timedelta):
            value = in_units(value)
        if name == "memory":
            value = f"{value / 10**6:.15g}MB"
        values = value if isinstance(value, list) else [value]
        words += [word for v in values for word in ([option] if v is True else [option, str(v)])]
    return shlex.join(words)


def _reading(arguments: argparse.Namespace) -> str:
    """Return the Python that reads the same log."""
    if arguments.sample:
        return "log = cx.datasets.sample().log"
    from cxjourney.cli._answers import python_of, python_of_key, python_of_scale
    from cxjourney.cli._input import TOLD, named, python_of_steps
    from cxjourney.io import find_files, format_of

    file = arguments.file
    name = format_of(find_files(file)[0])
    further = ("currency", "timestamp_unit", "observed_until")
    values = {key: getattr(arguments, key) for key in further} | named(arguments)
    told = {key: getattr(arguments, key) for key in TOLD.get(name, ())}
    told = {key: value for key, value in told.items() if value != _DEFAULTS.get(key)}
    if "skip_rows" in told:
        told["skip_rows"] = skip_rows(told["skip_rows"])
    if not arguments.wide:
        values |= told
    values["attributes"] = arguments.segment
    values["tz"] = None if arguments.layout is None and arguments.tz == "UTC" else arguments.tz
    values["missing"] = "drop" if arguments.drop_missing else None
    values["layout"] = arguments.layout
    if name != "xes":
        values["timestamp_format"] = arguments.timestamp_format
    words = [f"{key}={value!r}" for key, value in values.items() if value is not None]
    if key := python_of_key(arguments):
        words.append(f"pseudonyms={key}")
    if arguments.scale is not None:
        words.append(f"scale={python_of_scale(arguments.scale)}")
    read = f"log = cx.read_{name}({', '.join([repr(file), *words])})"
    if arguments.wide:
        steps = python_of_steps(arguments.wide, values.pop("value", None))
        words = [word for word in words if not word.startswith("value=")]
        frame = _frame(name, file, told, values["customer"])
        pandas = "import pandas as pd  # python -m pip install pandas"
        read = f"{pandas}\n\nlog = cx.from_wide({', '.join([frame, steps, *words])})"
    return "\n".join(filter(None, [read, python_of(arguments)]))


def _frame(kind: str, file: str, told: dict[str, Any], customer: str) -> str:
    """Return the Python that reads a table with pandas."""
    called = {"delimiter": "sep", "skip_rows": "skiprows", "sheet": "sheet_name"}
    words = [
        f"{called.get(key, key)}={value!r}" for key, value in told.items() if value is not None
    ]
    if kind != "parquet":
        words.insert(0, f"dtype={{{customer!r}: str}}")
    if kind == "csv" and told.get("delimiter") is None:
        words.append("sep=None, engine='python'")
    return f"pd.read_{kind}({', '.join([repr(file), *words])})"


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
