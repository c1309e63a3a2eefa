"""Layouts as the command takes them: recognised, named, listed, and never in silence."""

from __future__ import annotations

import html
import re

import pytest

from cxjourney.cli import main
from cxjourney.io import layouts

DEALS = """Record ID,Deal Stage,Amount,Create Date,Close Date,Pipeline
901,Closed Won,1200,2026-01-02 10:00,2026-01-20 17:00,Sales
902,Qualified,9000,2026-01-03 10:00,2026-06-30 23:59,Sales
903,Closed Lost,500,2026-01-04 10:00,2026-01-15 12:00,Sales
"""
OWN = """
name = "own"
title = "Our own"
form = "events"
[recognised]
all = ["wer"]
[columns]
customer = "wer"
timestamp = "wann"
touchpoint = "was"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deals.csv").write_text(DEALS, encoding="utf-8")
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    (tmp_path / "own.csv").write_text(
        "wer,wann,was\na,2026-01-05,web\na,2026-01-06,kauf\n", encoding="utf-8"
    )
    return tmp_path


def test_a_file_is_recognised_and_what_is_taken_is_said_first(folder, capsys):
    assert main(["report", "deals.csv", "--segment", "pipeline"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("layout: hubspot-deals, by the columns of the file")
    assert "customer: 'Record ID'" in lines
    assert "touchpoint 'closed won', at: 'Close Date'" in lines
    assert "goal: 'closed won', as the layout suggests (--goal sets another)" in lines
    assert "exits: 'closed lost', as the layout suggests (--exit-touchpoint sets another)" in lines
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    words = re.search(r"cxjourney report [^\n<]*", page)[0]
    for option in (
        "--layout hubspot-deals",
        "--goal 'closed won'",
        "--exit-touchpoint 'closed lost'",
    ):
        assert option in words
    code = re.search(r"log = cx\.read_csv\([^\n]*\)", page)[0]
    assert code == "log = cx.read_csv('deals.csv', attributes=['pipeline'], layout='hubspot-deals')"


@pytest.mark.parametrize(
    "named",
    [
        ["--customer", "Record ID", "--timestamp", "Create Date", "--touchpoint", "Deal Stage"],
        ["--touchpoint", "Deal Stage"],
    ],
)
def test_who_names_columns_is_not_given_a_layout(folder, capsys, named):
    code = main(["trend", "deals.csv", *named, "--figure", "visits", "--inactivity", "9d"])
    streams = capsys.readouterr()
    assert "layout" not in streams.out
    assert code == (0 if len(named) > 2 else 2)


def test_a_file_of_ones_own_is_named(folder, capsys):
    command = ["trend", "own.csv", "--layout", "own.toml", "--figure", "conversions"]
    assert main([*command, "--goal", "kauf", "--inactivity", "9d"]) == 0
    assert capsys.readouterr().out.startswith("layout: own, as --layout names it: Our own\n")


def test_a_goal_of_ones_own_is_kept(folder, capsys):
    command = ["trend", "deals.csv", "--figure", "conversions", "--goal", "deal created"]
    assert main([*command, "--inactivity", "9d"]) == 0
    assert "as the layout suggests" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["own.csv", "--layout", "hubspot"], "did you mean 'hubspot-deals'"),
        (
            ["own.csv", "--layout", "none.toml"],
            "there is no layout 'none.toml'; did you mean 'own.toml'?",
        ),
        (
            ["own.csv", "--layout", "posthog"],
            "customer column of the layout 'posthog', 'person_id' is not in 'own.csv'",
        ),
        (
            ["deals.csv", "--layout", "hubspot-deals", "--score", "starz"],
            "--score column 'starz' is not in 'deals.csv'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(folder, capsys, arguments, message):
    assert main(["report", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_scale_is_found_and_none_is_taken(folder, capsys):
    (folder / "survey.csv").write_text(
        "StartDate,EndDate,Finished,ResponseId,Q1,Q2,Q3,Q4\n"
        "Start,End,Finished,Response,Recommend?,Satisfied?,Age,Used\n"
        '"{""ImportId"":""startDate""}",x,x,x,x,x,x,x\n'
        "2026-01-05 08:00:00,2026-01-05 08:04:00,1,R_1,10,4,34,1\n"
        "2026-01-06 08:00:00,2026-01-06 08:04:00,1,R_2,0,5,61,\n",
        encoding="utf-8",
    )
    command = ["trend", "survey.csv", "--figure", "conversions"]
    assert main(command) == 0
    (line,) = [s for s in capsys.readouterr().out.splitlines() if s.startswith("score: ")]
    assert line == (
        "score: none is taken, since no scale is guessed; whole numbers stand in 'Q1' (0 to 10), "
        "'Q2' (4 to 5) (--score names a question)"
    )
    assert main([*command, "--score", "Q1", "--scale", "0-10"]) == 0
    assert "score: " not in capsys.readouterr().out
    assert main([*command, "--score", "Q3", "--scale", "0-10"]) == 2


def test_layouts_are_listed(capsys):
    assert main(["layouts"]) == 0
    text = capsys.readouterr().out
    for layout in layouts():
        assert f"{layout.name}\n  {layout.title}\n" in text
    assert "one row is: an order, or a line of one" in text


def test_a_limit_is_the_layouts_where_the_data_suggest_none(folder, capsys):
    (folder / "orders.csv").write_text(
        "Name,Email,Financial Status,Currency,Total,Created at,Lineitem name\n"
        + "".join(
            f"#{i},c{i}@x.org,paid,EUR,9,2026-01-{i + 1:02} 08:00:00 +0100,Mug\n" for i in range(20)
        ),
        encoding="utf-8",
    )
    assert main(["trend", "orders.csv", "--figure", "journeys"]) == 0
    text = capsys.readouterr().out
    assert "goal: 'order', as the layout suggests" in text
    assert "inactivity: 180 d, as the layout suggests (--inactivity sets another)" in text
