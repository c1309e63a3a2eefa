"""The command at the door, with damaged files and odd options, in process and as processes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from cxjourney.cli import main

from .files import csv_bytes, moment, one_database, plain_csv, xes_bytes
from .judge import LONGEST
from .mutate import damaged

if TYPE_CHECKING:
    import random
    from pathlib import Path

ODD = (
    "",
    " ",
    "x",
    "'",
    "-3",
    "1e9d",
    "9" * 400,
    "é\n",
    "\x00",
    "30",
    "utf-9",
    "%Y",
    "nan",
    "a=b",
    "🛒",
)
FIGURES = (
    *("conversion_rate", "conversion_after", "exit_rate", "visits_per_journey", "score"),
    *("value_per_conversion", "emotion", "journeys", "conversions", "visits"),
)
ENDED = "cxjourney: error: "


def command(rng: random.Random, folder: Path) -> bool:
    """Run the command in process; it gives a result, or says in one line why it does not."""
    arguments, rows = _arguments(rng, folder)
    out, err = io.StringIO(), io.StringIO()
    with one_database(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    return _judged(folder, arguments, rows, code=code, out=out.getvalue(), err=err.getvalue())


def process(rng: random.Random, folder: Path) -> bool:
    """Run the command as a process of its own."""
    arguments, rows = _arguments(rng, folder)
    arguments = [argument.replace("\x00", "") for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "cxjourney", *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": rng.choice(("utf-8", "ascii", "latin-1"))},
    )
    out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    return _judged(folder, arguments, rows, code=done.returncode, out=out, err=err)


def _judged(
    folder: Path, arguments: list[str], rows: int | None, *, code: int, out: str, err: str
) -> bool:
    page = folder / "page.html"
    written = page.exists()
    page.unlink(missing_ok=True)
    assert code in {0, 2}, f"exit status {code}\n{err}"
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith(ENDED)]
    assert len(errors) == (code == 2), err
    assert all(len(line) <= LONGEST for line in err.splitlines()), err[:3000]
    assert written == (code == 0 and arguments[0] == "report")
    assert not list(folder.glob("*.part"))
    if code == 0 and "--json" in arguments:
        assert json.loads(out, parse_constant=_no_json)["type"]
    elif code == 0 and rows is not None and arguments[0] == "report":
        found = re.search(r"^Interactions +([\d,]+)", out, re.MULTILINE)
        assert found is not None, out[:500]
        assert int(found[1].replace(",", "")) == rows, (found[0], rows)
    return code == 0


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _arguments(rng: random.Random, folder: Path) -> tuple[list[str], int | None]:
    """Return the arguments of a call, and where it is known how many complete rows its file has."""
    names = {"customer": "customer", "timestamp": "timestamp", "touchpoint": "touchpoint"}
    encoding = rng.choice(("utf-8", "utf-8", "utf-8", "latin-1", "utf-16", "cp1252"))
    delimiter = rng.choice(",,;\t")
    header = [*names.values(), *rng.sample(("channel", "stage", "value", "x y"), rng.randint(0, 4))]
    rng.shuffle(header)
    kind = rng.choice(("csv",) * 12 + ("xes", "xes", "parquet", "nothing"))
    path = folder / f"log.{kind}"
    rows = None
    if kind == "csv":
        content = csv_bytes(rng, header, names, delimiter, encoding)
        if rng.random() < 0.7:
            content = _sound(rng, header, delimiter, encoding)
        path.write_bytes(content)
        rows = _complete(content, names, encoding)
    elif kind == "xes":
        path.write_bytes(damaged(rng, xes_bytes(rng)))
    elif kind == "parquet":
        path.write_bytes(damaged(rng, b"PAR1" + b"\x00" * 60 + b"PAR1"))
    else:
        path = folder / rng.choice(("nowhere.csv", ".", "*.none"))
    arguments = [*_command(rng, folder), str(path), "--encoding", encoding]
    if rng.random() < 0.8:
        arguments += ["--drop-missing"]
    if rng.random() < 0.7:
        arguments += ["--goal", rng.choice(("buy", "buy", "cart", "web", rng.choice(ODD)))]
    if rng.random() < 0.6:
        arguments += ["--inactivity", rng.choice(("7d", "1h", "30d"))]
    elif rng.random() < 0.3:  # which leaves out what follows the goal
        arguments, rows = [*arguments, "--all-closed"], None
    for option in rng.sample(("--step", "--exit-touchpoint", "--tz", "--timestamp-format",
                              "--delimiter", "--observed-until", "--channel", "--value", "--seq",
                              "--currency", "--timestamp-unit", "--inactivity", "--encoding",
                              "--customer", "--nonsense", "--segment", "--carry-channels",
                              "--decimal", "--skip-rows", "--sep", "--wide",
                              "--strata", "--before", "--by", "--window", "--reaching"),
                             rng.choice((0, 0, 0, 0, 1, 2))):  # fmt: skip
        value = rng.choice(
            (
                *ODD,
                "web",
                "cart",
                "UTC",
                "Europe/Berlin",
                "2026-02-01",
                ";",
                "value",
                "web=timestamp",
                "@channel=timestamp",
                ",",
                "1,",
                "1",
                "cp1250",
            )
        )
        arguments += [option, value]
        rows = None
    return arguments, rows


def _command(rng: random.Random, folder: Path) -> list[str]:
    """Return a command with the options that it needs, or nearly."""
    name = rng.choice(("report", "report", "compare", "compare", "trend", "trend"))
    as_json = ["--json"] if rng.random() < 0.5 else []
    if name == "report":
        return [name, "--out", str(folder / "page.html"), *as_json]
    if name == "trend":
        figure = rng.choice((*FIGURES, *(f"{figure}:web" for figure in FIGURES), rng.choice(ODD)))
        by = rng.choice(("day", "week", "month", "quarter"))
        return [name, f"--figure={figure}", "--by", by, *as_json]
    segment = rng.choice(("channel", "value", "stage=a,b", "channel=a", "x y", "=", '"'))
    sides = (
        ["--before", "2026-02-01"],
        [f"--after={rng.choice(('2026-01-20', '2026-01-01/2026-03-01', rng.choice(ODD)))}"],
        ["--before", "2026-01-20", "--after", rng.choice(("2026-02-01", "2026-01-01"))],
        [f"--segment={segment}"],
        ["--segment", "channel", "--strata", "stage"],
    )
    return [name, *rng.choice(sides), *as_json]


def _sound(rng: random.Random, header: list[str], delimiter: str, encoding: str) -> bytes:
    lines = [delimiter.join(header)]
    for _ in range(rng.randint(2, 40)):
        cells = {"customer": f"k{rng.randrange(8)}", "timestamp": moment(rng), "value": "2.5"}
        cells["touchpoint"] = rng.choice(("web", "cart", "buy", "help"))
        lines.append(delimiter.join(cells.get(name, rng.choice(("a", "b", ""))) for name in header))
    content = "\n".join([*lines, ""]).encode(encoding)
    return damaged(rng, content, 2) if rng.random() < 0.4 else content


def _complete(content: bytes, names: dict[str, str], encoding: str) -> int | None:
    try:
        plain = plain_csv(content, names, None, encoding)
    except UnicodeError:
        return None
    if plain is None:
        return None
    return sum(all(cell is not None and cell.strip() for cell in row) for row in plain)
