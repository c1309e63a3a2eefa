"""The command on Parquet files that do not fit into memory."""

from __future__ import annotations

import json
from datetime import timedelta

import duckdb
import pytest

import cxjourney as cx
from cxjourney.cli import _shards, main

RULES = ("--goal", "order", "--inactivity", "14d")
COLUMNS = {name: name for name in ("customer", "timestamp", "touchpoint", "channel")}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with two Parquet files in folders of their own."""
    folder = tmp_path_factory.mktemp("log")
    log = cx.datasets.sample(seed=2, customers=300).log
    rows = log.to_frame("pandas")[list(COLUMNS)]  # noqa: F841 - DuckDB reads it
    for i in (0, 1):
        (folder / f"part{i}").mkdir()
        query = f"SELECT * FROM rows WHERE hash(touchpoint) % 2 = {i}"  # noqa: S608 - a number
        duckdb.sql(query).write_parquet(str(folder / f"part{i}" / "rows.parquet"))
    return folder


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_shards, "available", lambda: 100_000)
    return tmp_path


@pytest.fixture
def fails(files, small, capsys):
    def run(*arguments):
        assert main(["report", str(files), *arguments]) == 2
        streams = capsys.readouterr()
        assert not streams.out
        assert not (small / "report.html").exists()
        (line,) = streams.err.splitlines()
        return line

    return run


@pytest.mark.parametrize("glob", ["", "/**/*.parquet", "/part?/rows.parquet"])
def test_a_log_that_does_not_fit_is_counted_in_shards_and_that_is_said(files, small, capsys, glob):
    assert main(["report", f"{files}{glob}", *RULES]) == 0
    streams = capsys.readouterr()
    first = streams.out.splitlines()[0]
    assert first.startswith("counted in shards, without the rows: ")
    assert "of memory, of which there are 0.1 MB (--memory sets another limit)" in first
    assert "a --seq column would tell their order" in streams.err
    page = (small / "report.html").read_text(encoding="utf-8")
    assert "cx.sharded.parquet(" in page
    assert "needs the rows of journeys" in page


def test_it_is_the_report_on_the_statistics_of_the_library(files, small, capsys):
    assert main(["report", str(files), *RULES, "--json"]) == 0
    streams = capsys.readouterr()
    found = json.loads(streams.out)
    with pytest.warns(cx.exceptions.DataQualityWarning):
        statistics = cx.sharded.parquet(
            str(files / "**" / "*.parquet"),
            goal="order",
            inactivity=timedelta(days=14),
            analyses={"findings": {}},
            **COLUMNS,
        )
    report = json.loads(json.dumps(cx.report.build(statistics).to_dict()))
    assert found["figures"] == report["figures"]
    assert found["parameters"] == report["parameters"]
    for i in (0, 2, 4, 5):  # findings, the graph, exits, channels
        assert found["sections"][i] == report["sections"][i]
    assert "counted in shards" in streams.err
    namespace: dict[str, object] = {}
    with pytest.warns(cx.exceptions.DataQualityWarning):
        exec(found["python"], namespace)  # noqa: S102 - what the report says makes it again
    assert namespace["statistics"] == statistics


def test_where_there_is_memory_the_rows_are_read(files, small, capsys):
    assert main(["report", str(files), *RULES, "--memory", "4GB"]) == 0
    out = capsys.readouterr().out
    assert "counted in shards" not in out
    assert "Interactions" in out


def test_the_command_in_the_page_makes_the_same_page(files, small, capsys):
    assert main(["report", str(files), *RULES, "--memory", "2.5MB", "--json"]) == 0
    command = json.loads(capsys.readouterr().out)["command"]
    assert "--memory 2.5MB" in command
    assert "**/*.parquet" in command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*RULES, "--wide", "a=b"), "--wide needs the rows, but "),
        ((*RULES, "--segment", "channel"), "--segment needs the rows, but "),
        ((*RULES, "--goal", "ordr"), "goal 'ordr' is not in the table; did you mean 'order'"),
        ((*RULES, "--customer", "custmer"), "'custmer' is not in "),
        ((*RULES, "--seq", "channel"), "the column of --seq must be of whole numbers"),
    ],
)
def test_what_shards_cannot_do_is_one_line(fails, arguments, said):
    line = fails(*arguments)
    assert line.startswith("cxjourney: error: ")
    assert said in line


def test_a_size_that_is_none_is_refused(files, small, capsys):
    for size in ("5", "0MB", "many", "-1GB"):
        assert main(["report", str(files), *RULES, f"--memory={size}"]) == 2
        assert "must be a size such as 500MB or 4GB" in capsys.readouterr().err


def test_many_shards_give_the_same_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    duckdb.sql(
        "SELECT 'c' || (i * 7919 % 40000) AS customer, TIMESTAMP '2026-01-01' + INTERVAL 7 SECOND"
        " * i AS timestamp, CASE WHEN i % 11 = 0 THEN 'buy' ELSE 'web ' || (i % 5) END AS event"
        " FROM range(500000) AS r(i)"
    ).write_parquet("events.parquet")
    rules = ["--goal", "buy", "--inactivity", "7d"]
    pages = []
    for rows in (100_000, 200_000):  # eight shards and four; the report would take 250 MB
        monkeypatch.setattr("cxjourney.sharded._duckdb.ROWS", rows)
        assert main(["report", "*.parquet", *rules, "--memory", "240MB", "--json"]) == 0
        pages.append(json.loads(capsys.readouterr().out)["sections"])
    assert pages[0] == pages[1]


def test_a_folder_of_several_formats_asks_for_a_glob(files, small, capsys, tmp_path):
    (tmp_path / "mixed").mkdir()
    for name in ("a.csv", "b.parquet"):
        (tmp_path / "mixed" / name).write_text("", encoding="utf-8")
    (tmp_path / "bare").mkdir()
    assert main(["report", "mixed", *RULES]) == 2
    assert "files of several formats: give a glob such as 'mixed/**/*.parquet' or" in (
        capsys.readouterr().err
    )
    assert main(["report", "bare", *RULES]) == 2
    assert "'bare' is a directory: give a glob" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "--after", "2025-07-01"),
        ("trend", "--figure", "visits_per_journey"),
        ("trend", "--figure", "visits", "--segment", "channel"),
    ],
)
def test_commands_that_need_the_rows_warn_beforehand(files, small, capsys, arguments):
    command, *further = arguments
    assert main([command, str(files), *RULES, *further]) == 0
    assert "a report is made in shards, this needs the rows" in capsys.readouterr().err


@pytest.mark.parametrize("figure", ["exit_rate:cart", "conversion_rate", "visits"])
def test_a_trend_of_what_counts_is_made_in_shards(files, small, capsys, figure):
    found = []
    for memory in ("1MB", "4GB"):
        arguments = ["trend", str(files), *RULES, "--figure", figure, "--memory", memory, "--json"]
        assert main(arguments) == 0
        streams = capsys.readouterr()
        found.append(json.loads(streams.out))
        assert ("counted in shards" in streams.err) == (memory == "1MB")
    periods = [{**one["periods"]["columns"], "expected": None} for one in found]
    assert periods[0] == periods[1]
    assert found[0]["since"] == found[1]["since"]


def test_the_memory_that_is_free_is_found_or_not_known(monkeypatch):
    found = _shards.available()
    assert found is None or found > 10**6


def test_a_limit_is_suggested_and_a_funnel_is_counted(files, small, capsys):
    arguments = ["--goal", "order", "--step", "cart", "--step", "order", "--full"]
    assert main(["report", str(files), *arguments]) == 0
    out = capsys.readouterr().out
    suggested = out.partition("inactivity: ")[2].partition(",")[0]
    assert "as suggested (--inactivity sets another)" in out
    assert main(["report", str(files), *arguments, "--memory", "4GB"]) == 0
    whole = capsys.readouterr().out
    assert whole.partition("inactivity: ")[2].partition(",")[0] == suggested
    funnels = [
        text.partition("== The funnel ==")[2].partition("Step by")[0] for text in (out, whole)
    ]
    assert funnels[0] == funnels[1]
    assert "order" in funnels[0]


def test_the_python_with_a_suggestion_makes_the_same_report(files, small, capsys):
    assert main(["report", str(files), "--goal", "order", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "suggestion = silences.suggest_inactivity()" in found["python"]
    funnel = next(one for one in found["sections"] if one["anchor"] == "funnel")
    assert funnel["absent"].endswith("named before counting, by --step.")
    with pytest.warns(cx.exceptions.DataQualityWarning):
        exec(found["python"], {})  # noqa: S102 - what the report says makes it again
    page = (small / "report.html").read_text(encoding="utf-8")
    rate = next(one["note"] for one in found["figures"] if one["name"] == "Converted")
    assert rate in page
