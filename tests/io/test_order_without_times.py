from __future__ import annotations

import re
import sqlite3
from datetime import timedelta

import pytest

import cxjourney as cx
from cxjourney.cli import main
from cxjourney.exceptions import InvalidData, InvalidValue, TimesRequired

CSV = "who,place,what\na,2,web\na,1,ad\na,10,buy\nb,1,web\nb,-3,store\nc,1,web\n"
ROLES = {"customer": "who", "timestamp": None, "touchpoint": "what", "seq": "place"}
TABLE = {
    "who": ["a", "a", "a", "b", "b", "c"],
    "place": [2, 1, 10, 1, -3, 1],
    "what": ["web", "ad", "buy", "web", "store", "web"],
}


@pytest.fixture
def log():
    return cx.InteractionLog.from_frame(TABLE, **ROLES)


def test_the_order_is_that_of_the_positions(log):
    assert log.columns.time is None
    assert log.columns.coded["touchpoint"].values() == ["ad", "web", "buy", "store", "web", "web"]
    journeys = log.journeys(goal="buy", all_closed=True)
    paths = cx.Journeys.from_paths(
        [["ad", "web", "buy"], ["store", "web"], ["web"]], converted=[1, 0, 0], dropped=[0, 1, 1]
    )
    # a path that converts has no goal of its own among its interactions
    assert journeys.outcome.tolist() == paths.outcome.tolist()
    assert log.journeys(exit_touchpoints="store", goal="buy").outcome.tolist() == [0, 1, 2, 2]


def test_every_reader_reads_it(tmp_path, log):
    file = tmp_path / "log.csv"
    file.write_text(CSV)
    assert cx.read_csv(file, **ROLES) == log
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (who TEXT, place INTEGER, what TEXT)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", zip(*TABLE.values(), strict=True))
    assert cx.read_sql("SELECT * FROM t", connection, **ROLES) == log


def test_what_needs_times_says_so(log):
    with pytest.raises(TimesRequired):
        log.journeys(goal="buy", inactivity=timedelta(days=7))
    with pytest.raises(TimesRequired):
        log.suggest_inactivity()
    with pytest.raises(InvalidValue, match="observed_until must be left out where no column has"):
        cx.InteractionLog.from_frame(TABLE, **ROLES, observed_until="2026-01-01")
    with pytest.raises(InvalidValue, match="timestamp="):
        cx.InteractionLog.from_frame(TABLE, **{**ROLES, "seq": None})


def test_a_position_that_is_missing_is_refused_or_left_out():
    table = {**TABLE, "place": [2, None, 10, 1, -3, 1]}
    with pytest.raises(InvalidData, match="seq is missing in 1 row: 1"):
        cx.InteractionLog.from_frame(table, **ROLES)
    log = cx.InteractionLog.from_frame(table, **ROLES, missing="drop")
    assert dict(log.intake.dropped) == {"seq is missing": 1}
    assert log.columns.coded["touchpoint"].values()[:2] == ["web", "buy"]


def test_the_command_reports_on_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(CSV)
    columns = ("--customer", "who", "--touchpoint", "what", "--seq", "place", "--goal", "buy")
    assert main(["report", "log.csv", *columns, "--all-closed"]) == 0
    out = capsys.readouterr().out
    assert "timestamp: none, the order is that of 'place' (--seq)" in out
    assert re.search(r"^Converted +1\b", out, re.MULTILINE)
    assert main(["report", "log.csv", *columns]) == 2
    assert "give --exit-touchpoint, or --all-closed" in capsys.readouterr().err
    assert main(["report", "log.csv", *columns, "--inactivity", "7d"]) == 2
    assert "--inactivity needs times" in capsys.readouterr().err
