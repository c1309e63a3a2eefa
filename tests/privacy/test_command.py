"""The command with a key: it reads what the library reads, and prints no id."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

import cxjourney as cx
from cxjourney.cli import main

KEY = cx.privacy.PseudonymKey(bytes(range(32)))
MARK = "ORIGINAL"
ROWS = [
    f"{MARK}-{i % 50}@example.org,2026-01-{1 + i // 20:02}T{i % 24:02}:00Z,{page}"
    for i, page in enumerate(["ad", "web", "cart", "order", "web"] * 100)
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CX_KEY", bytes(range(32)).hex())
    KEY.to_file("key")
    (tmp_path / "hits.csv").write_text("\n".join(["customer,timestamp,event", *ROWS]))
    return tmp_path


WITH_KEY = {
    "file": (["--pseudonym-key", "key"], "from_file('key')"),
    "environment": (["--pseudonym-key-env", "CX_KEY"], "from_environment('CX_KEY')"),
}


@pytest.mark.parametrize("kept", WITH_KEY)
def test_the_report_is_that_of_the_library_and_has_no_id(folder, capsys, kept):
    options, python = WITH_KEY[kept]
    given = ["report", "hits.csv", "--goal", "order", "--inactivity", "1d", *options]
    assert main([*given, "--json"]) == 0
    printed = capsys.readouterr()
    page = (folder / "report.html").read_text()
    assert main(given) == 0
    text = capsys.readouterr()
    for shown in (printed.out, printed.err, page, text.out, text.err):
        assert MARK not in shown
        assert bytes(range(32)).hex() not in shown
    assert f"pseudonyms=cx.privacy.PseudonymKey.{python}" in page.replace("&#39;", "'")
    assert " ".join(options) in page


def test_figures_are_those_of_the_library(folder, capsys):
    options = ["--goal", "order", "--inactivity", "1d", "--pseudonym-key", "key", "--json"]
    assert main(["trend", "hits.csv", "--figure", "conversion_rate", "--by", "day", *options]) == 0
    log = cx.read_csv(
        "hits.csv",
        customer="customer",
        timestamp="timestamp",
        touchpoint="event",
        pseudonyms=cx.privacy.PseudonymKey.from_file("key"),
    )
    journeys = log.journeys(goal="order", inactivity=timedelta(days=1))
    assert json.loads(capsys.readouterr().out) == json.loads(
        json.dumps(cx.trend(journeys, "conversion_rate", by="day").to_dict())
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pseudonym-key", "key", "--pseudonym-key-env", "CX_KEY"], "give either"),
        (["--pseudonym-key", "none"], "'none' cannot be read"),
        (["--pseudonym-key", "hits.csv"], "openssl rand -hex 32"),
        (["--pseudonym-key-env", "CX_NONE"], "'CX_NONE' is not set"),
        (["--pseudonym-key", "key", "--segment", "customer"], "--segment must not name"),
    ],
)
def test_a_key_that_is_none_is_an_error_of_one_line(folder, capsys, options, said):
    assert main(["report", "hits.csv", "--goal", "order", "--inactivity", "1d", *options]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert MARK not in shown.err
