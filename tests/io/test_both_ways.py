"""Nothing is read differently by command and library: each file both ways, compared with ==."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import duckdb
import numpy as np
import pandas as pd
import pytest

import cxjourney as cx
from cxjourney.cli._input import opened
from cxjourney.cli._main import _parser
from cxjourney.io import StepColumn

ROWS = [
    ("ana", "2026-01-01 08:00:00", "ad", "social", "1", "1250.5", "a"),
    ("ana", "2026-01-02 09:00:00", "web", "web", "2", "", ""),
    ("007", "2026-01-03 10:00:00", "büy", "web", "3", "12.5", "b"),
    ("007", "2026-01-03 10:00:00", "web", "", "1", "0", "b"),
    ("NA", "2026-01-04 11:00:00", "web", "web", "1", "", "a"),
    ("", "2026-01-04 11:00:00", "web", "web", "1", "", "a"),
]
NAMES = ("customer_id", "timestamp", "event", "channel", "n", "worth", "plan")
ROLES: dict[str, Any] = {
    "customer": "customer_id", "timestamp": "timestamp", "touchpoint": "event",
    "channel": "channel", "missing": "drop",
}  # fmt: skip
MORE: dict[str, Any] = {"seq": "n", "value": "worth", "currency": "EUR", "attributes": ["plan"]}
MORE_GIVEN = ("--seq", "n", "--value", "worth", "--currency", "EUR")
DEALS = [
    ("deal", "engaged", "closed", "stage", "price"),
    ("1", "2016-10-20", "2017-03-01", "Won", "1054"),
    ("2", "2016-10-25", "2017-03-11", "Lost", "0"),
    ("3", "2016-11-01", "", "Engaging", ""),
    ("4", "", "", "Prospecting", ""),
]
STEPS = {"engaged": "engaged", "closed": StepColumn(named_by="stage", value="price")}
WIDE = ("--customer", "deal", "--wide", "engaged=engaged", "--wide", "@stage=closed")
WIDE_GIVEN = (*WIDE, "--value", "price", "--currency", "EUR")


@attrs.frozen
class Case:
    """A file, what the command is told of it, and the call of the library.

    Attributes
    ----------
    write
        Writes the file into a folder and returns its path.
    given
        Arguments of the command beside the file.
    read
        The call of the library.
    attributes
        Further columns that the command is asked for.
    """

    write: Callable[[Path], Path]
    given: tuple[str, ...]
    read: Callable[[Path], cx.InteractionLog]
    attributes: tuple[str, ...] = ("plan",)


def lines(rows=ROWS, names=NAMES, by=",", comma="."):
    told = [names, *rows]
    return "".join(by.join(cell.replace(".", comma) for cell in row) + "\n" for row in told)


def content(text: str | bytes, name: str = "log.csv", encoding: str = "utf-8"):
    def write(folder: Path) -> Path:
        file = folder / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return file

    return write


def _typed(folder: Path) -> Path:
    file = folder / "log.parquet"
    frame = pd.DataFrame(ROWS, columns=NAMES).replace("", None)
    frame["worth"], frame["n"] = frame["worth"].astype(float), frame["n"].astype("int64")
    frame["timestamp"] = pd.to_datetime(frame["timestamp"])
    frame.to_parquet(file)
    return file


def _workbook(folder: Path, rows: list[list[Any]]) -> Path:
    source = Path(__file__).with_name("test_excel.py")
    found = importlib.util.spec_from_file_location("books", source)
    assert found is not None
    assert found.loader is not None
    books = importlib.util.module_from_spec(found)
    found.loader.exec_module(books)
    return books.write(folder / "log.xlsx", {"Sheet": rows})


def _sheet(folder: Path) -> Path:
    rows = [
        [who or None, datetime.fromisoformat(at).replace(tzinfo=UTC), what, ch or None, int(n),
         float(worth) if worth else None, plan or None]
        for who, at, what, ch, n, worth, plan in ROWS
    ]  # fmt: skip
    return _workbook(folder, [["Export of 2026"], [], list(NAMES), *rows])


def _objects(*, array: bool) -> str:
    objects = [{name: cell for name, cell in zip(NAMES, row, strict=True) if cell} for row in ROWS]
    if array:
        return json.dumps(objects, ensure_ascii=False)
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in objects)


XES = """<log><trace><string key="concept:name" value="1"/>
<event><string key="concept:name" value="open"/><date key="time:timestamp"
value="2026-01-01T00:00:00Z"/><string key="channel" value="web"/></event>
<event><string key="concept:name" value="done"/><date key="time:timestamp"
value="2026-01-02T00:00:00Z"/></event></trace></log>"""


def _wide(file: Path) -> cx.InteractionLog:
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    frame = frame.replace("", None)
    frame["price"] = pd.to_numeric(frame["price"])
    return cx.from_wide(frame, customer="deal", steps=STEPS, currency="EUR", missing="drop")


def _read(**options: Any):
    return lambda file: cx.read_csv(file, **ROLES, **MORE, **options)


CASES = {
    "csv": Case(content(lines()), MORE_GIVEN, _read()),
    "csv by columns named": Case(
        content(lines(names=("a", "b", "c", "d", "n", "worth", "plan"))),
        (*MORE_GIVEN, "--customer", "a", "--timestamp", "b", "--touchpoint", "c", "--channel", "d"),
        lambda file: cx.read_csv(
            file, customer="a", timestamp="b", touchpoint="c", channel="d", missing="drop", **MORE
        ),
    ),
    "csv with a comma for a point": Case(
        content(lines(by=";", comma=",")),
        (*MORE_GIVEN, "--sep", ";", "--decimal", ","),
        _read(delimiter=";", decimal=","),
    ),
    "csv of Excel": Case(
        content("sep=;\n" + lines(by=";"), encoding="utf-16"), MORE_GIVEN, _read(encoding="utf-16")
    ),
    "csv in cp1252 below a title": Case(
        content('Export\n"of\n2026",,\n' + lines(), encoding="cp1252"),
        (*MORE_GIVEN, "--encoding", "cp1252", "--skip-rows", "2"),
        _read(encoding="cp1252", skip_rows=2),
    ),
    "csv with questions below the names": Case(
        content(lines([("Who?", "When?", "What?\n", "", "", "", ""), *ROWS]).replace("?\n", "?")),
        (*MORE_GIVEN, "--skip-rows", "1,"),
        _read(skip_rows=[1]),
    ),
    "csv in another zone and format": Case(
        content(lines().replace("2026-01-0", "2026 01 0")),
        (*MORE_GIVEN, "--tz", "Asia/Tokyo", "--timestamp-format", "%Y %m %d %H:%M:%S"),
        _read(tz="Asia/Tokyo", timestamp_format="%Y %m %d %H:%M:%S"),
    ),
    "csv of numbers since 1970": Case(
        content(lines([(who, str(i), *more) for i, (who, _, *more) in enumerate(ROWS)])),
        (*MORE_GIVEN, "--timestamp-unit", "s", "--observed-until", "2026-01-01"),
        _read(timestamp_unit="s", observed_until="2026-01-01"),
    ),
    "csv without times": Case(
        content(lines([(who, *more) for who, _, *more in ROWS], (NAMES[0], *NAMES[2:]))),
        (*MORE_GIVEN, "--all-closed"),
        lambda file: cx.read_csv(file, **{**ROLES, **MORE, "timestamp": None}),
    ),
    "json lines": Case(
        content(_objects(array=False)), MORE_GIVEN, lambda file: cx.read_json(file, **ROLES, **MORE)
    ),
    "json array in cp1252": Case(
        content(_objects(array=True), encoding="cp1252"),
        (*MORE_GIVEN, "--encoding", "cp1252"),
        lambda file: cx.read_json(file, encoding="cp1252", **ROLES, **MORE),
    ),
    "parquet": Case(_typed, MORE_GIVEN, lambda file: cx.read_parquet(file, **ROLES, **MORE)),
    "excel below a title": Case(
        _sheet,
        (*MORE_GIVEN, "--skip-rows", "2"),
        lambda file: cx.read_excel(file, skip_rows=2, **ROLES, **MORE),
    ),
    "xes": Case(content(XES, "log.xes"), ("--all-closed",), cx.read_xes, ()),
    "wide csv": Case(content(lines(DEALS[1:], DEALS[0])), WIDE_GIVEN, _wide, ()),
    "wide csv with a comma": Case(
        content(lines(DEALS[1:], DEALS[0], ";").replace("1054", "1.054,00"), encoding="utf-16"),
        (*WIDE_GIVEN, "--decimal", ","),
        lambda file: _wide(file.with_name("same.csv")),
        (),
    ),
    "wide json": Case(
        content("\n".join(json.dumps(dict(zip(DEALS[0], row, strict=True))) for row in DEALS[1:])),
        WIDE_GIVEN,
        lambda file: _wide(file.with_name("same.csv")),
        (),
    ),
    "wide excel": Case(
        lambda folder: _workbook(folder, [list(DEALS[0]), *map(_cells, DEALS[1:])]),
        WIDE_GIVEN,
        lambda file: _wide(file.with_name("same.csv")),
        (),
    ),
    "wide parquet": Case(
        lambda folder: _deals_in_parquet(folder / "deals.parquet"),
        WIDE_GIVEN,
        lambda file: _wide(file.with_name("same.csv")),
        (),
    ),
}


def _cells(row: tuple[str, ...]) -> list[Any]:
    return [*(cell or None for cell in row[:-1]), float(row[-1]) if row[-1] else None]


def _deals_in_parquet(file: Path) -> Path:
    same = file.with_name("same.csv")
    same.write_text(lines(DEALS[1:], DEALS[0]))
    with duckdb.connect() as connection:
        connection.read_csv(str(same)).write_parquet(str(file))
    return file


@pytest.mark.filterwarnings("ignore::cxjourney.exceptions.DataQualityWarning")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_command_reads_what_the_library_reads(tmp_path, case):
    (tmp_path / "same.csv").write_text(lines(DEALS[1:], DEALS[0]))
    file = case.write(tmp_path)
    given = () if "--all-closed" in case.given else ("--inactivity", "7d")
    arguments = ["report", str(file), "--drop-missing", *given, *case.given]
    by_command = opened(_parser().parse_args(arguments), case.attributes).log
    by_library = case.read(file)
    assert by_command == by_library
    assert len(by_library) >= 2
    assert by_command.customer_ids == by_library.customer_ids
    for name, values in by_command.columns.numeric.items():
        assert np.array_equal(values, by_library.columns.numeric[name], equal_nan=True)


@pytest.mark.parametrize("name", [n for n in CASES if "zone" not in n and "1970" not in n])
def test_every_file_of_the_same_rows_gives_the_same_log(tmp_path, name):
    case = CASES[name]
    if case.attributes == () or "times" in name:
        return
    log, plain = case.read(case.write(tmp_path)), CASES["csv"]
    expected = plain.read(plain.write(tmp_path))
    assert log.to_frame().equals(expected.to_frame())
