"""Answers from a file of their own: the command binds what the library binds, counted by hand."""

from __future__ import annotations

import json
from datetime import timedelta

import pandas as pd
import polars as pl
import pytest

import cxjourney as cx
from cxjourney.cli import main

CONTACTS = """user_id,time,event
a,2026-01-01T10:00:00Z,web
a,2026-01-02T10:00:00Z,call
a,2026-01-05T10:00:00Z,order
b,2026-01-01T10:00:00Z,web
b,2026-01-20T10:00:00Z,call
c,2026-01-10T10:00:00Z,order
"""
# to the last contact before, within 7 days: a's first two to the call, of which the later stays;
# b's 9 to the call, b's 4 comes eight days after the web; x is a stranger; c answered too soon and
# once without a score
ANSWERS = """respondent,answered_at,rating
a,2026-01-02T12:00:00Z,3
a,2026-01-03T12:00:00Z,8
b,2026-01-09T10:00:01Z,4
b,2026-01-21T10:00:00Z,9
x,2026-01-21T10:00:00Z,9
c,2026-01-09T10:00:00Z,7
c,2026-01-11T10:00:00Z,
"""
FATE = (
    "3 of 7 answers bound to the last contact before, within 7 days; not bound: 1 without value, "
    "customer or time, 1 customer not in the log, 1 no interaction before, "
    "1 later than --answers-within"
)
GIVEN = ["hits.csv", "--goal", "order", "--inactivity", "30d"]
SCORES = {("a", "call"): 8.0, ("b", "call"): 9.0}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hits.csv").write_text(CONTACTS)
    (tmp_path / "answers.csv").write_text(ANSWERS)
    return tmp_path


def log():
    return cx.read_csv("hits.csv", customer="user_id", timestamp="time", touchpoint="event")


def bound(**further):
    answers = pd.read_csv("answers.csv")
    return cx.experience.bind_answers(
        log(),
        customer=answers["respondent"],
        answered_at=pd.to_datetime(answers["answered_at"]),
        value=answers["rating"],
        **further,
    )


def scores(log):
    rows = ((i.customer.id, i.touchpoint.name, i.score) for i in log.interactions())
    return {(who, where): score for who, where, score in rows if score is not None}


def printed(capsys, *options, code=0):
    assert main(["trend", *GIVEN, "--figure", "score", "--by", "week", "--json", *options]) == code
    return capsys.readouterr()


def in_json(result):
    return json.loads(json.dumps(result.to_dict()))


def test_the_command_binds_what_was_counted_by_hand_and_the_library_binds(capsys):
    result = bound()
    assert scores(result.log) == SCORES
    assert result.outcomes["bound"] == 3
    shown = printed(capsys, "--answers", "answers.csv")
    assert f"answers: {FATE}" in shown.err
    assert (
        "answers, score: column 'rating', by its name (--answers-score takes another)" in shown.err
    )
    journeys = result.log.journeys(goal="order", inactivity=timedelta(days=30))
    assert json.loads(shown.out) == in_json(cx.trend(journeys, "score", by="week"))


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "semicolons", "utf-16"])
def test_answers_come_in_any_format_by_content(capsys, folder, kind):
    table = pl.read_csv("answers.csv")
    file = folder / "answers.data"
    if kind == "parquet":
        table.write_parquet(file)
    elif kind == "jsonl":
        table.write_ndjson(file)
    elif kind == "semicolons":
        file.write_text(ANSWERS.replace(",", ";"))
    else:
        file.write_text(ANSWERS, encoding="utf-16")
    options = ["--answers-encoding", "utf-16"] if kind == "utf-16" else []
    expected = printed(capsys, "--answers", "answers.csv")
    assert printed(capsys, "--answers", str(file), *options) == expected


def test_answers_name_the_touchpoint_that_they_are_about(capsys, folder):
    rows = [line.split(",") for line in ANSWERS.splitlines()[1:3]]
    table = pd.DataFrame(rows, columns=["respondent", "answered_at", "rating"])
    table.assign(touchpoint=["web", None]).to_csv("answers.csv", index=False)
    shown = printed(capsys, "--answers", "answers.csv")
    assert "answers: 2 of 2 answers bound to the last contact there before" in shown.err
    result = bound(touchpoint=pd.read_csv("answers.csv")["touchpoint"])
    assert scores(result.log) == {("a", "web"): 3.0, ("a", "call"): 8.0}
    journeys = result.log.journeys(goal="order", inactivity=timedelta(days=30))
    assert json.loads(shown.out) == in_json(cx.trend(journeys, "score", by="week"))


def test_the_longest_time_between_is_an_option(capsys):
    shown = printed(capsys, "--answers", "answers.csv", "--answers-within", "9d")
    assert "4 of 7 answers bound to the last contact before, within 9 days" in shown.err


def test_columns_times_and_zones_are_options(capsys):
    table = pd.read_csv("answers.csv")
    moments = pd.to_datetime(table["answered_at"]).dt.tz_convert("Europe/Berlin")
    pd.DataFrame(
        {
            "who": table["respondent"],
            "when": moments.dt.strftime("%d/%m/%Y %H:%M:%S"),
            "q1": table["rating"],
        }
    ).to_csv("other.csv", index=False)
    named = ["--answers-customer", "who", "--answers-timestamp", "when", "--answers-score", "q1"]
    form = ["--answers-timestamp-format", "%d/%m/%Y %H:%M:%S", "--tz", "Europe/Berlin"]
    shown = printed(capsys, "--answers", "other.csv", *named, *form)
    assert f"answers: {FATE}" in shown.err
    assert json.loads(shown.out) == json.loads(printed(capsys, "--answers", "answers.csv").out)


def test_the_report_says_how_to_bind_them_again_in_both_ways(capsys, folder):
    options = ["--answers", "answers.csv", "--scale", "0-10", "--answers-within", "9d"]
    assert main(["report", *GIVEN, *options, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    names: dict[str, object] = {}
    exec(report["python"].rpartition("\n")[0], names)  # noqa: S102 - what the report says
    assert scores(names["log"]) == scores(bound(max_lag=timedelta(days=9)).log)
    assert names["log"].scale == cx.metrics.Scale.ZERO_TO_TEN
    assert main([*report["command"].split()[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == report


def figures(out):
    table = json.loads(out)["periods"]["columns"]
    return {name: table[name] for name in ("period", "value")}


def test_pseudonyms_are_bound_by_their_key(capsys):
    cx.privacy.PseudonymKey.generate().to_file("key")
    plain = printed(capsys, "--answers", "answers.csv")
    hidden = printed(capsys, "--answers", "answers.csv", "--pseudonym-key", "key")
    assert f"answers: {FATE}" in hidden.err
    assert figures(plain.out) == figures(hidden.out)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--answers", "answers.csv", "--scale", "1-5"],
            "on the scale 1-5; got 8 at 1, 9 at 3, 9 at 4",
        ),
        (["--answers", "answers.csv", "--scale", "5"], "must be LOW-HIGH, such as 0-10; got '5'"),
        (["--answers", "answers.csv", "--scale", "5-1"], "must be LOW-HIGH"),
        (["--answers", "none.csv"], "no file matches 'none.csv'"),
        (
            ["--answers", "hits.csv"],
            "for the score of answers: give --answers-score, one of 'user_id'",
        ),
        (["--answers", "answers.csv", "--answers-score", "rate"], "did you mean 'rating'"),
        (["--answers-score", "rating"], "give --answers"),
        (["--answers", "answers.csv", "--answers-within", "1s"], "no answer belongs to a contact"),
        (["--answers", "bad.csv"], "; --answers-timestamp-format reads other forms"),
        (["--answers", "two.csv"], "'rating' and 'nps' could each be the score"),
    ],
)
def test_what_cannot_be_bound_is_told_in_one_line(capsys, folder, options, said):
    (folder / "bad.csv").write_text(ANSWERS.replace("2026-01-02T12:00:00Z", "2 January"))
    (folder / "two.csv").write_text(ANSWERS.replace("\n", ",5\n").replace("rating,5", "rating,nps"))
    shown = printed(capsys, *options, code=2)
    assert said in shown.err
    assert not shown.out
