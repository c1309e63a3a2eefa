from __future__ import annotations

import gzip
import html
import json
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney
from cxjourney.cli import main
from cxjourney.cli._compare import _within

EVENTS = """user_id,event,timestamp,channel
ana,ad,2026-01-01T08:00:00Z,social
ana,web,2026-01-02T09:00:00Z,web
ana,buy,2026-01-03T10:00:00Z,web
bo,web,2026-01-01T12:00:00Z,web
bo,store,2026-01-04T12:00:00Z,store
cy,web,2026-01-19T12:00:00Z,web
di,ad,2026-01-05T12:00:00Z,social
di,web,2026-01-06T12:00:00Z,web
"""
RULES = ("--goal", "buy", "--inactivity", "7d")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(cxjourney.datasets.sample.__kwdefaults__, "customers", 1_500)
    (tmp_path / "events.csv").write_text(EVENTS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def fails(folder, capsys):
    """Run the command, see that it fails, and return the error.

    It is one line, or three where another command would read the file.
    """

    def run(*arguments: str) -> str:
        assert main(["report", *arguments]) == 2
        streams = capsys.readouterr()
        assert streams.out == ""
        line, *further = streams.err.splitlines()
        assert line.startswith("cxjourney: error: ")
        assert [one.split(": ")[1] for one in further] in ([], ["file", "try"])
        assert not (folder / "report.html").exists()
        return line

    return run


def test_a_report_is_printed_and_written(folder, capsys):
    assert main(["report", "events.csv", *RULES, "--full"]) == 0
    text = capsys.readouterr().out
    for heading in ("The journey graph", "Where customers drop off", "What is wrong"):
        assert f"== {heading} ==" in text
        assert heading in (folder / "report.html").read_text(encoding="utf-8")
    assert "wrote report.html" in text
    assert main(["report", "events.csv", *RULES]) == 0
    assert "replaced report.html" in capsys.readouterr().out


def test_without_full_it_prints_one_screen_and_a_line_for_each_section(folder, capsys):
    assert main(["report", "--sample"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    assert [line for line in lines if line.startswith("==")] == ["== What is wrong =="]
    assert any(line.startswith("1. payment: At payment") for line in lines)
    assert any(re.fullmatch(r"The funnel  .*→ order [\d.]+%", line) for line in lines)
    page = (folder / "report.html").read_text(encoding="utf-8")
    for title in re.findall(r"<h2[^>]*>([^<]+)</h2>", page)[1:9]:  # the first is the answer
        assert any(title in line for line in lines)
    main(["report", "events.csv", *RULES])
    assert "[" not in capsys.readouterr().out.partition("The journey map")[2]
    assert "--full" not in page  # the command on the page makes the page


def test_a_report_to_be_shared_names_no_file_and_no_few(folder, capsys, fails):
    assert main(["report", "--sample", "--share", "--out", "shared.html"]) == 0
    assert "wrote shared.html" in capsys.readouterr().out
    page = (folder / "shared.html").read_text(encoding="utf-8")
    assert "may leave the house" in page
    for hidden in ("shared.html", "cx.datasets", "cxjourney report", "The data", "student"):
        assert hidden not in page
    assert "--share leaves nothing to report" in fails("events.csv", *RULES, "--share")


def test_it_says_which_columns_it_took_by_name(folder, capsys):
    main(["report", "events.csv", *RULES])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in lines[:4]] == [
        "customer: column 'user_id'",
        "timestamp: column 'timestamp'",
        "touchpoint: column 'event'",
        "channel: column 'channel'",
    ]


def test_a_named_column_wins_over_a_known_one(folder, capsys):
    assert (
        main(["report", "events.csv", "--touchpoint", "channel", "--inactivity", "7d", "--full"])
        == 0
    )
    text = capsys.readouterr().out
    assert "touchpoint: column" not in text
    assert "social" in text


def test_the_figures_are_those_of_the_library(folder, capsys):
    main(["report", "events.csv", *RULES])
    figures = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    for figure in (["Customers", "4"], ["Interactions", "8"], ["Converted", "1"], ["Dropped", "2"]):
        assert figure in figures


def test_without_a_goal_it_says_that_nothing_converts(folder, capsys):
    assert main(["report", "events.csv", "--inactivity", "7d"]) == 0
    assert "no --goal is given, so no journey counts as converted" in capsys.readouterr().out


def test_the_limit_that_is_suggested_is_printed_before_the_report(folder, capsys):
    assert main(["report", "events.csv", "--goal", "buy"]) == 0
    text = capsys.readouterr().out
    assert "inactivity: 4 days, as suggested" in text.partition("Customer journeys")[0]


def test_closed_cases_need_no_limit(folder, capsys):
    assert main(["report", "events.csv", "--goal", "buy", "--all-closed"]) == 0
    text = capsys.readouterr().out
    assert "suggested" not in text
    assert re.search(r"In progress +0\b", text)


def test_what_a_closed_case_does_after_its_goal_is_no_lost_journey(folder, capsys):
    (folder / "cases.csv").write_text(
        "customer,timestamp,touchpoint\n"
        "a,2026-01-01,open\na,2026-01-02,done\na,2026-01-03,archive\nb,2026-01-01,open\n"
    )
    assert main(["report", "cases.csv", "--goal", "done", "--all-closed"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"Journeys +2\n", text)
    assert re.search(r"Dropped +1\n", text)


def test_an_observation_that_ends_before_the_data_is_said(folder, capsys):
    assert main(["report", "events.csv", *RULES, "--observed-until", "2026-01-03"]) == 0
    assert "lie after --observed-until and still count" in capsys.readouterr().err


def test_an_end_that_nothing_follows_is_suggested_as_an_exit(folder, capsys):
    rows = "".join(
        f"c{i},2026-01-01,web\nc{i},2026-01-02,{'buy' if i % 2 else 'gone'}\n" for i in range(80)
    )
    (folder / "shop.csv").write_text("customer,timestamp,touchpoint\n" + rows)
    assert main(["report", "shop.csv", "--goal", "buy", "--inactivity", "7d"]) == 0
    text = capsys.readouterr().out
    said = "nothing ever follows 'gone' (40 visits): if journeys are lost there, say --exit-touch"
    assert said in text
    assert "nothing ever follows 'web'" not in text


def test_the_sample_is_reported_on(folder, capsys):
    assert main(["report", "--sample"]) == 0
    assert "What is wrong" in capsys.readouterr().out


def test_parquet_is_told_by_its_content(folder, capsys):
    polars = pytest.importorskip("polars")
    polars.read_csv(folder / "events.csv").write_parquet(folder / "events.dat")
    assert main(["report", "events.dat", *RULES]) == 0


def test_a_compressed_file_is_read(folder, capsys):
    (folder / "events.csv.gz").write_bytes(gzip.compress(EVENTS.encode(), mtime=0))
    assert main(["report", "events.csv.gz", *RULES]) == 0


def test_a_second_report_replaces_the_first(folder, capsys):
    assert main(["report", "events.csv", *RULES]) == 0
    assert main(["report", "events.csv", *RULES]) == 0


def test_hostile_names_reach_neither_terminal_nor_page(folder, capsys):
    hostile = EVENTS.replace(
        ",web,2026-01-0", ',"<script>alert(1)</script>\x1b[31m\u202e",2026-01-0'
    )
    (folder / "events.csv").write_text(hostile, encoding="utf-8")
    assert main(["report", "events.csv", *RULES]) == 0
    text, page = capsys.readouterr().out, (folder / "report.html").read_text(encoding="utf-8")
    for shown in (text, page):
        assert not {"\x1b", "\u202e"} & set(shown)
    assert "<script>alert" not in page


def test_no_customer_is_named(folder, capsys):
    main(["report", "events.csv", *RULES])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "ana" not in (capsys.readouterr().out + page).replace("analy", "")


def test_json_is_all_that_stands_on_standard_output(folder, capsys):
    assert main(["report", "events.csv", *RULES, "--json"]) == 0
    streams = capsys.readouterr()
    data = json.loads(streams.out, parse_constant=pytest.fail)  # NaN is no JSON
    figures = {figure["name"]: figure["value"] for figure in data["figures"]}
    assert figures["Customers"] == "4"
    tables = [part["table"] for section in data["sections"] for part in section["parts"]
              if "table" in part]  # fmt: skip
    assert any("touchpoint" in table["columns"] for table in tables)
    for remark in ("customer: column 'user_id', by its name", "wrote report.html"):
        assert remark in streams.err


def test_channels_are_carried_forward(folder, capsys):
    rows = "a,2026-01-01T08:00Z,ad,social\na,2026-01-01T08:10Z,web,\na,2026-01-01T08:20Z,buy,\n"
    (folder / "sessions.csv").write_text("customer,timestamp,touchpoint,channel\n" + rows)
    rules = ["report", "sessions.csv", *RULES, "--json", "--carry-channels"]
    assert main([*rules, "30min"]) == 0
    carried = capsys.readouterr().out
    assert main([*rules, "1min"]) == 0
    assert capsys.readouterr().out != carried
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert "carry_channels=timedelta(seconds=60)" in page
    assert "--carry-channels 1min" in page
    assert main(["report", "sessions.csv", "--carry-channels", "30"]) == 2
    assert "--carry-channels: must be a number with its unit" in capsys.readouterr().err


def test_expected_exits_are_passed_on_and_named_again(folder, capsys):
    assert main(["report", "events.csv", *RULES, "--expected-exits", "ad"]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "--expected-exits ad" in page
    assert main(["report", "events.csv", *RULES, "--expected-exits", "add"]) == 2
    assert "did you mean 'ad'" in capsys.readouterr().err


def test_segments_are_read_and_named_again(folder, capsys):
    assert main(["report", "events.csv", *RULES, "--segment", "channel"]) == 0
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert "attributes=['channel']" in page
    assert main(command_of(page)[1:]) == 0
    assert main(["report", "events.csv", *RULES, "--segment", "chanel"]) == 2
    assert "did you mean 'channel'?" in capsys.readouterr().err


# ---------------------------------------------------------------------- compare and trend


@pytest.fixture
def shop(folder):
    """Write a shop whose customers of the app convert half as often, and all less from April on."""
    rows = ["customer,timestamp,touchpoint,device"]
    for i in range(600):
        start = datetime.fromisoformat("2026-01-05T09:00") + timedelta(days=i % 180)
        device = "app" if i % 3 else "web"
        wins = (i // 3) % (4 if device == "app" else 2) == 0 and (i % 180 < 90 or i % 2)
        moments = [(start, "ad"), (start + timedelta(hours=1), "cart")]
        moments += [(start + timedelta(days=1), "buy")] * wins
        rows += [f"c{i},{when.isoformat()},{where},{device}" for when, where in moments]
    (folder / "shop.csv").write_text("\n".join(rows))
    return ("shop.csv", "--goal", "buy", "--inactivity", "7d")


def printed(capsys, *arguments: str) -> dict:
    """Return what a command prints as JSON."""
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def rules(log: cxjourney.InteractionLog) -> cxjourney.Journeys:
    return log.journeys(goal="buy", inactivity=timedelta(days=7))


def read(file: str = "shop.csv") -> cxjourney.InteractionLog:
    roles = {name: name for name in ("customer", "timestamp", "touchpoint")}
    return cxjourney.read_csv(file, **roles, attributes=["device"])


def begun_since(journeys: cxjourney.Journeys, day: str) -> cxjourney.Journeys:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return journeys.where(np.array([journey.start >= start for journey in journeys]))


def as_json(result) -> dict:
    return json.loads(json.dumps(result.to_dict()))


def test_two_periods_are_compared_as_the_library_compares_them(shop, capsys):
    log, cut = read(), "2026-04-01"
    parts = [rules(log.between(None, cut)), begun_since(rules(log), cut)]
    expected = as_json(cxjourney.compare.between(*parts))
    assert printed(capsys, "compare", *shop, "--before", cut) == expected
    assert printed(capsys, "compare", *shop, "--after", cut) == expected
    assert printed(capsys, "compare", *shop, "--before", cut, "--after", cut) == expected
    bounds = ("2026-01-05", "2026-02-01", "2026-05-01", "2026-06-01")
    ends = [rules(log.between(None, end)) for end in bounds[1::2]]
    parts = [begun_since(*some) for some in zip(ends, bounds[::2], strict=True)]
    apart = cxjourney.compare.between(*parts, names=("before", "after"))
    given = ("--before", "/".join(bounds[:2]), "--after", "/".join(bounds[2:]))
    assert printed(capsys, "compare", *shop, *given) == as_json(apart)
    assert main(["compare", *shop, *given]) == 0
    assert str(apart) in capsys.readouterr().out


def test_a_journey_that_crosses_the_cut_belongs_where_it_begins(folder, capsys):
    # of ten that begin before the cut on the 5th four buy by then, and the other six on the 7th; of
    # eleven that begin after it two buy, and nine fall silent; one begins in March
    rows = ["customer,timestamp,touchpoint", "y,2026-03-01,ad"]
    for i in range(21):
        day = 1 if i < 10 else 11
        rows += [f"c{i},2026-01-{day:02},ad", f"c{i},2026-01-{day + 1:02},cart"]
        if i < 12:
            rows.append(f"c{i},2026-01-{3 if i < 4 else 7 if i < 10 else 13:02},buy")
    (folder / "cut.csv").write_text("\n".join(rows))
    options = ("cut.csv", "--goal", "buy", "--inactivity", "8d", "--window", "3d")
    periods = ("--before", "2026-01-05", "--after", "2026-01-05/2026-02-20")
    found = printed(capsys, "compare", *options, *periods)
    lead = {name: column[0] for name, column in found["headline"]["columns"].items()}
    assert lead["figure"] == "conversion"
    assert (lead["n_against"], lead["n"]) == (10, 11)
    assert lead["value_against"] == pytest.approx(4 / 10)
    assert lead["value"] == pytest.approx(2 / 11)


MOMENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.sampled_from(["ad", "web", "buy"])),
    min_size=1,
)


@given(rows=MOMENTS, cut=st.integers(1, 40), closed=st.booleans())
def test_every_journey_is_of_the_period_in_which_it_begins(rows, cut, closed):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    customers, days, touchpoints = zip(*rows, strict=True)
    frame = {"c": customers, "t": [begin + timedelta(days=d) for d in days], "x": touchpoints}
    log = cxjourney.InteractionLog.from_frame(frame, customer="c", timestamp="t", touchpoint="x")
    given_rules = {"inactivity": timedelta(days=5), "all_closed": closed}
    opened = SimpleNamespace(
        log=log, rules=given_rules, journeys=(whole := log.journeys(**given_rules))
    )
    middle, end = ((begin + timedelta(days=d)).isoformat() for d in (cut, cut + 7))
    sides = [
        [(j.customer.id, j.start, j.interactions) for j in _within(opened, *period)]
        for period in ((None, middle), (middle, end), (end, None))
    ]
    every = [(j.customer.id, j.start, j.interactions) for j in whole]
    begun = [one[:2] for side in sides for one in side]
    assert sorted(begun) == sorted(one[:2] for one in every)
    bounds = (cut, cut + 7, 99)
    for side, until in zip(sides, bounds, strict=True):
        for who, start, interactions in side:
            (all_of,) = [some for *which, some in every if which == [who, start]]
            seen = [i for i in all_of if closed or i.timestamp < begin + timedelta(days=until)]
            assert list(interactions) == seen


def test_closed_cases_of_a_period_are_taken_whole(shop, capsys):
    found = printed(capsys, "compare", shop[0], "--goal", "buy", "--all-closed", "--after",
                    "2026-04-01T10:00")  # fmt: skip
    # whoever began on the first of April at 9 belongs to before, with the purchase of the next day
    table = found["headline"]["columns"]
    sizes = {name: table[name][0] for name in table if name.startswith("n")}
    before = sum(i % 180 <= 86 for i in range(600))
    assert sorted(sizes.values()) == sorted((before, 600 - before))


def test_two_values_are_compared_as_the_library_compares_them(shop, capsys):
    journeys = rules(read())
    device = np.array([j.interactions[0].attributes["device"] for j in journeys])
    parts = [journeys.where(device == value) for value in ("web", "app")]
    expected = cxjourney.compare.between(*parts, names=("web", "app"), window=timedelta(days=2))
    given = ("--segment", "device=web,app", "--window", "2d")
    assert printed(capsys, "compare", *shop, *given) == as_json(expected)
    every = cxjourney.compare.segments(journeys, "device")
    assert printed(capsys, "compare", *shop, "--segment", "device") == as_json(every)
    found = printed(capsys, "compare", *shop, "--segment", "device=web", "--strata", "device")
    assert found["strata"] == "device"
    assert "the rest" in json.dumps(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give --before, --after or both to compare periods, or else --segment"),
        (("--before", "2026-04-01", "--segment", "device"), "or else --segment"),
        (("--before", "soon"), "--before must be a datetime"),
        (("--after", "2026-04-01/x"), "--after"),
        (("--after", "2026-04-01/2026-03-01"), "--after"),
        (("--before", "2026-04-01/"), "--before must be"),
        (("--before", "2026-05-01", "--after", "2026-04-01"), "ends after --after"),
        (("--before", "2020-01-01"), "no journey lies in the period of --before"),
        (("--segment", "device=tablet,web"), "did you mean"),
        (("--segment", "device=web,"), "--segment must be COLUMN"),
        (("--segment", "=web"), "--segment must be COLUMN"),
        (("--segment", "devise"), "did you mean 'device'?"),
        (("--segment", "device", "--reaching", "carts"), "did you mean 'cart'?"),
        (("--segment", "device", "--window", "2"), "number with its unit"),
    ],
)
def test_a_comparison_that_cannot_be_is_one_line(arguments, said, shop, capsys):
    assert main(["compare", *shop, *arguments]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    (line,) = streams.err.splitlines()
    assert said in line or "device 'tablet' is not in the file" in line


def test_a_trend_is_that_of_the_library(shop, capsys):
    journeys = rules(read())
    for figure, by in (("conversion_rate", "week"), ("exit_rate:cart", "month"), ("visits", "day")):
        expected = as_json(cxjourney.trend(journeys, figure, by=by))
        assert printed(capsys, "trend", *shop, "--figure", figure, "--by", by) == expected
    found = printed(capsys, "trend", *shop, "--figure", "journeys", "--segment", "device")
    assert found["values"] == ["app", "web"]
    assert main(["trend", *shop, "--figure", "conversion_rate"]) == 0
    streams = capsys.readouterr()
    assert str(cxjourney.trend(journeys, "conversion_rate")) in streams.out
    assert streams.out.startswith("customer: column 'customer'")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--figure"),
        (("--figure", "conversion"), "did you mean"),
        (("--figure", "exit_rate:carts"), "did you mean 'cart'?"),
        (("--figure", "conversion_after"), "--figure must name a touchpoint"),
        (("--figure", "visits", "--by", "year"), "--by"),
        (("--figure", "visits", "--segment", "devise"), "did you mean 'device'?"),
        (("--figure", "score"), "score"),
    ],
)
def test_a_trend_that_cannot_be_is_one_line(arguments, said, shop, capsys):
    assert main(["trend", *shop, *arguments]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    (line,) = streams.err.splitlines()
    assert said in line


def test_the_sample_is_compared_and_followed(folder, capsys):
    found = printed(capsys, "compare", "--sample", "--segment", "segment=student,family")
    assert found["type"] == "Differences"
    found = printed(capsys, "trend", "--sample", "--figure", "conversion_rate", "--by", "month")
    assert len(found["periods"]["columns"]["period"]) == 12


# ---------------------------------------------------------------------- what goes wrong


def test_a_missing_file_names_the_nearest(fails):
    assert "did you mean 'events.csv'?" in fails("event.csv", *RULES)


def test_a_glob_that_matches_nothing_says_so(fails):
    assert "'*.parquet'" in fails("*.parquet", *RULES)


def test_an_empty_file_says_so(folder, fails):
    (folder / "empty.csv").write_text("")
    assert "is empty" in fails("empty.csv", *RULES)


@pytest.mark.parametrize("rules", [(), ("--inactivity", "7d")])
def test_a_file_with_a_header_alone_has_nothing_to_report_on(rules, folder, fails):
    (folder / "header.csv").write_text("customer,timestamp,touchpoint\n")
    assert "'header.csv' holds no row" in fails("header.csv", *rules)


@pytest.mark.parametrize("rules", [(), ("--inactivity", "7d"), ("--goal", "buy", "--all-closed")])
@pytest.mark.parametrize("cell", ["", '""', '"  "'])
def test_a_file_of_which_every_row_is_left_out_has_nothing_to_report_on(cell, rules, folder, fails):
    rows = EVENTS.replace("ana", cell).replace("bo,", f"{cell},").replace("cy", cell)
    (folder / "nobody.csv").write_text(rows.replace("di", cell))
    line = fails("nobody.csv", *rules, "--customer", "user_id", "--drop-missing")
    assert "every row of 'nobody.csv' was left out (customer is missing in 8)" in line
    line = fails("nobody.csv", *rules, "--drop-missing")
    assert "column 'user_id' is empty and no other column has a known name" in line
    (folder / "nobody.xes").write_text(
        '<log><trace><string key="concept:name" value=""/><event><string key="concept:name" '
        'value="x"/><date key="time:timestamp" value="2024-01-01"/></event></trace></log>'
    )
    assert "every row of 'nobody.xes' was left out" in fails("nobody.xes", *rules, "--drop-missing")


def test_a_column_that_is_all_empty_is_not_taken_by_its_name(folder, capsys):
    head, *rows = EVENTS.splitlines()
    text = "\n".join([f"customer_id,stage,owner,{head}", *(f',"",  ,{row}' for row in rows)])
    (folder / "more.csv").write_text(text.replace("  ,", "\t ,"))
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(":memory:") as connection:
        connection.sql("FROM read_csv('more.csv', all_varchar=true, header=true)").write_parquet(
            "more.parquet"
        )
    for name in ("more.csv", "more.parquet"):
        assert main(["report", name, *RULES]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "customer: column 'customer_id' is empty and not taken"
        assert lines[1].startswith("customer: column 'user_id', by its name")
        assert "stage: column 'stage' is empty and not taken" in lines
        assert "owner: column 'owner' is empty and not taken" in lines
    assert main(["report", "more.csv", "--stage", "stage", *RULES]) == 0  # named, so taken


def test_epoch_numbers_have_a_unit_and_an_odd_axis_is_said_first(folder, capsys, fails):
    (folder / "unix.csv").write_text(
        "user_id,event,timestamp\nana,web,1700000000\nana,buy,1700000100\nbo,web,1700000000\n"
    )
    assert "--timestamp-unit" in fails("unix.csv", *RULES)
    assert "--timestamp-unit" in fails("unix.csv", *RULES, "--timestamp-unit", "d")
    assert main(["report", "unix.csv", *RULES, "--timestamp-unit", "s"]) == 0
    streams = capsys.readouterr()
    assert "14 November 2023" in streams.out
    assert streams.err == ""
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert "--timestamp-unit s" in page
    assert "timestamp_unit='s'" in page
    assert main(["report", "unix.csv", *RULES, "--timestamp-unit", "ms"]) == 0
    streams = capsys.readouterr()
    odd = "All timestamps lie within 60 days of 1970-01-01"
    assert streams.out.splitlines()[0].startswith(odd)
    assert streams.err.splitlines()[0].startswith(f"cxjourney: warning: {odd}")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.index(odd) < page.index("reached the goal")


def test_a_truncated_gzip_says_so(folder, fails):
    (folder / "cut.csv.gz").write_bytes(gzip.compress(EVENTS.encode() * 50, mtime=0)[:-200])
    assert "truncated" in fails("cut.csv.gz", *RULES)


def test_a_binary_file_is_no_csv(folder, fails):
    (folder / "picture.csv").write_bytes(bytes(range(256)))
    fails("picture.csv", *RULES)


def test_xes_that_is_no_xml_says_so(folder, fails):
    (folder / "log.xes").write_text("customer,timestamp\n")
    assert "log.xes" in fails("log.xes", *RULES)


def test_a_column_that_is_not_there_names_the_nearest(fails):
    assert "did you mean 'event'?" in fails("events.csv", "--touchpoint", "events", *RULES)


def test_a_column_without_a_known_name_must_be_named(folder, fails):
    (folder / "other.csv").write_text(EVENTS.replace("user_id", "kunde"), encoding="utf-8")
    line = fails("other.csv", *RULES)
    assert "give --customer" in line
    assert "'kunde'" in line


def test_two_known_names_for_one_role_are_asked_about(folder, fails):
    (folder / "two.csv").write_text(EVENTS.replace("channel", "activity"), encoding="utf-8")
    assert "'event' and 'activity' could each be the touchpoint" in fails("two.csv", *RULES)


def test_customers_who_came_once_suggest_no_limit(folder, fails):
    (folder / "once.csv").write_text("".join(EVENTS.splitlines(keepends=True)[:2]))
    assert "give --inactivity, or --all-closed" in fails("once.csv")


def test_an_unreadable_timestamp_names_its_row(folder, fails):
    (folder / "events.csv").write_text(EVENTS.replace("2026-01-04T12:00:00Z", "soon"))
    assert "4" in fails("events.csv", *RULES)


@pytest.mark.parametrize(
    ("change", "arguments", "option"),
    [
        (("2026-01-04T12:00:00Z", "4.1.2026"), (), "--timestamp-format reads"),
        (("2026", "2026"), ("--timestamp-format", "%d"), "--timestamp-format must"),
        (("2026", "2026"), ("--observed-until", "soon"), "--observed-until must"),
        (("2026", "2026"), ("--delimiter", "::"), "--delimiter must"),
        (("2026", "2026"), ("--exit-touchpoint", "buy"), "--exit-touchpoint must not name a goal"),
        (("di,", ","), (), "--drop-missing leaves"),
        (("social", "soci\xe9l"), (), "--encoding could be 'cp1252'"),
        (("social", "soci\x80l"), ("--encoding", "iso-8859-1"), "--encoding could be 'cp1252'"),
        (("social", "social"), ("--encoding", "cp12520"), "did you mean 'cp1252'"),
        (("buy", "goal=x"), (), "goal 'buy'"),
    ],
)
def test_an_error_names_the_option_that_fixes_it(change, arguments, option, folder, fails):
    (folder / "events.csv").write_bytes(EVENTS.replace(*change).encode("latin-1"))
    line = fails("events.csv", *RULES, *arguments)
    assert option in line
    assert not re.search(r"(?<!-)\b(encoding|timestamp_format|observed_until)\b|missing=", line)


def test_what_stands_in_quotes_is_no_option(folder, fails):
    line = fails("events.csv", "--inactivity", "7d", "--goal", "seq= and observed_until")
    assert "'seq= and observed_until'" in line


@pytest.mark.parametrize("name", ["latin-1", "latin1", "ISO-8859-1"])
def test_a_file_in_latin_1_is_read_under_any_of_its_names(name, folder, capsys):
    (folder / "old.csv").write_bytes(EVENTS.replace("social", "soci\xe9l").encode("latin-1"))
    assert main(["report", "old.csv", *RULES, "--encoding", name, "--full"]) == 0
    assert "soci\xe9l" in capsys.readouterr().out


def test_a_goal_that_is_not_there_names_the_nearest(fails):
    assert "did you mean 'buy'?" in fails("events.csv", "--goal", "buyy", "--inactivity", "7d")


@pytest.mark.parametrize("time", ["30", "d", "0d", "-3d", "30 days", "nand", "1e9d", "9999999999d"])
def test_a_time_has_a_unit(time, fails):
    assert "--inactivity" in fails("events.csv", "--goal", "buy", f"--inactivity={time}")


@pytest.mark.parametrize(
    "arguments", [(), ("events.csv", "--sample"), ("events.csv", "--no-such-option")]
)
def test_bad_usage_is_one_line(arguments, fails):
    fails(*arguments)


def test_an_unknown_command_is_bad_usage(capsys):
    assert main(["reprot"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_of_somebody_else_is_not_overwritten(folder, capsys):
    (folder / "report.html").write_text("<p>mine</p>")
    assert main(["report", "events.csv", *RULES]) == 2
    assert (folder / "report.html").read_text() == "<p>mine</p>"


def test_a_folder_that_is_not_there_is_an_error(fails):
    assert "no directory" in fails("events.csv", *RULES, "--out", "nowhere/report.html")


def test_help_and_version_leave_with_0(capsys):
    assert main(["report", "--help"]) == 0
    assert main(["--version"]) == 0
    assert cxjourney.__version__ in capsys.readouterr().out


def test_a_terminal_without_unicode_does_not_stop_it(folder):
    (folder / "events.csv").write_text(EVENTS.replace(",ad,", ",🛒,"), encoding="utf-8")
    command = [sys.executable, "-m", "cxjourney", "report", "events.csv", *RULES]
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""  # no bar where there is no terminal


# ---------------------------------------------------------------------- to do it again


def command_of(page: str) -> list[str]:
    code = page.partition("On the command line</h3>")[2].partition("<code>")[2]
    return shlex.split(html.unescape(code.partition("</code>")[0]))


def test_the_page_names_the_command_that_makes_it_again(folder, capsys):
    assert main(["report", "events.csv", "--goal", "buy", "--out", "first.html"]) == 0
    page = (folder / "first.html").read_text(encoding="utf-8")
    command = command_of(page)
    assert command[:3] == ["cxjourney", "report", "events.csv"]
    assert command[command.index("--inactivity") + 1] == "4d"  # what was suggested
    assert command[command.index("--customer") + 1] == "user_id"  # what was taken by its name
    assert main(command[1:]) == 0
    assert (folder / "first.html").read_text(encoding="utf-8") == page


def test_the_page_names_the_python_that_reads_the_log(folder, capsys):
    assert main(["report", "events.csv", *RULES, "--tz", "Europe/Warsaw"]) == 0
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    line = next(line for line in page.splitlines() if "log = cx.read_csv(" in line)
    reading = line.partition("log = ")[2]
    log = eval(reading, {"cx": cxjourney})  # noqa: S307 - made here
    assert len(log) == 8
    assert "Europe/Warsaw" in reading


def test_the_funnel_takes_the_steps_that_are_named(folder, capsys):
    assert main(["report", "events.csv", *RULES, "--full", "--step", "ad", "--step", "buy"]) == 0
    way = capsys.readouterr().out.partition("The funnel")[2]
    assert way.index("\nad ") < way.index("\nbuy ")


def test_compare_puts_a_value_second_and_names_one_that_nobody_begins_with(folder, capsys):
    rows = ["user_id,time,event,source"]
    rows += [
        f"u{i},2026-01-{i % 28 + 1:02}T10:00,visit,{'ad' if i % 2 else 'mail'}" for i in range(80)
    ]
    rows += [f"u{i},2026-01-{i % 28 + 1:02}T11:00,buy,late" for i in range(0, 80, 4)]
    (folder / "sources.csv").write_text("\n".join(rows))
    command = ["compare", "sources.csv", *RULES, "--segment"]
    assert main([*command, "source=mail", "--json"]) == 0
    headline = json.loads(capsys.readouterr().out)["headline"]["columns"]
    of = headline["figure"].index("conversion")
    assert (headline["against"][of], headline["group"][of]) == ("the rest", "mail")
    assert headline["difference"][of] == 0.5  # half of those by mail buy, and none of the others
    assert main([*command, "source=late"]) == 2
    assert "no journey has source 'late' when it begins, but 'ad'" in capsys.readouterr().err


def test_json_is_ascii_whatever_the_terminal_can_show(folder, capsys):
    rows = "user_id,time,event\n" + "".join(
        f"u{i},2026-01-{i + 1:02}T10:00,{'café' if i % 2 else 'buy'}\n" for i in range(20)
    )
    (folder / "names.csv").write_text(rows, encoding="utf-8")
    assert main(["trend", "names.csv", *RULES, "--figure", "visits:café", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()  # a terminal without é would make \\xe9 of it, which is no JSON
    assert "café" in json.dumps(json.loads(out), ensure_ascii=False)


def test_a_file_as_other_programs_write_it_is_read(folder, capsys):
    rows = EVENTS.replace(",", ";").replace("social", "soziäl").splitlines()
    text = "\n".join(
        ["Export", *(f"{row};{'worth' if i == 0 else '1,50'}" for i, row in enumerate(rows))]
    )
    (folder / "events.csv").write_bytes(text.encode("cp1252"))
    options = ("--encoding", "cp1252", "--skip-rows", "1", "--decimal", ",", "--sep", ";")
    assert main(["report", "events.csv", *RULES, *options, "--value", "worth", "--full"]) == 0
    first = capsys.readouterr().out
    assert "soziäl" in first
    assert re.search(r"Interactions +8\n", first)
    options = ("--encoding", "cp1252", "--skip-rows", "0,3", "--decimal", ",")
    assert main(["report", "events.csv", *RULES, *options, "--value", "worth"]) == 0
    assert re.search(r"Interactions +7\n", capsys.readouterr().out)


@pytest.mark.parametrize("rows", ["-1", "1.5", "x", ",", "", "1,,2", "²"])
def test_what_are_no_rows_to_leave_out_is_refused(rows, folder, fails):
    assert "--skip-rows: must be a number such as 3" in fails("events.csv", f"--skip-rows={rows}")


def test_python_is_named_as_python_and_options_as_options(folder, capsys):
    rows = [f"c{i},web,2026-01-{1 + i % 28:02}" for i in range(60)]
    rows += [f"c{i},lost,2026-01-{1 + i % 28:02} 01:00" for i in range(40)]
    rows += [f"c{i},buy,2026-01-{1 + i % 28:02} 02:00" for i in range(40, 60)]
    Path("ends.csv").write_text("\n".join(["customer,event,time", *rows]), encoding="utf-8")
    assert main(["report", "ends.csv", "--goal", "buy", "--inactivity", "3d", "--full"]) == 0
    text = capsys.readouterr().out
    assert "say --expected-exits lost" in " ".join(text.split())
    for line in text.splitlines():
        known = re.sub(r"'[^']*'", "", line)
        named = re.findall(r"(?<!-)\b[a-z]+_?[a-z]*=", known)
        assert not named or "in Python" in " ".join(text.split()), line
    assert "expected_exits" not in text
    assert main(["compare", "ends.csv", "--inactivity", "3d", "--after", "2026-01-15"]) == 0
    text = capsys.readouterr().out
    assert "conversions are not compared" in text
    assert "conversion " not in text
    assert "(converted)" not in text


DEALS = """deal,engaged,closed,stage,price
1,2026-01-02,2026-02-01,Won,10
2,2026-01-03,2026-03-01,Lost,
3,2026-01-04,,Engaging,
"""
WIDE = ("--customer", "deal", "--wide", "engaged=engaged", "--wide", "@stage=closed")


def test_one_row_a_case_is_read(folder, capsys):
    (folder / "deals.csv").write_text(DEALS)
    outcome = ("--goal", "Won", "--exit-touchpoint", "Lost")
    assert main(["report", "deals.csv", *WIDE, "--value", "price", *outcome]) == 0
    text = capsys.readouterr().out
    assert re.search(r"Interactions +5\n", text)
    assert re.search(r"Converted +1\n", text)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "--wide engaged=engaged --wide @stage=closed" in html.unescape(page).replace("'", "")
    assert "--skip-rows" not in page
    shown = html.unescape(
        re.search(r"import pandas as pd.*?from_wide\(.*?\)(?=<|\n)", page, re.DOTALL)[0]
    )
    said = {}
    exec(shown, {"cx": cxjourney}, said)  # noqa: S102 - the Python that the page shows
    assert len(said["log"]) == 5
    assert said["log"].columns.numeric["value"].tolist()[1] == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--wide", "engaged"), "--wide: must be TOUCHPOINT=COLUMN"),
        (("--wide", "=engaged"), "--wide: must be TOUCHPOINT=COLUMN"),
        (("--wide", "@=engaged"), "--wide: must be TOUCHPOINT=COLUMN"),
        (("--wide", "a=engage"), "did you mean 'engaged'"),
        (("--wide", "a=engaged", "--channel", "stage"), "--channel is not taken with --wide"),
        (("--wide", "a=engaged", "--timestamp", "closed"), "--timestamp is not taken with --wide"),
        (("--wide", "price=engaged"), "must not be the name of a column"),
    ],
)
def test_wide_options_that_are_wrong_are_refused(arguments, message, folder, fails):
    (folder / "deals.csv").write_text(DEALS)
    assert message in fails("deals.csv", "--customer", "deal", "--all-closed", *arguments)
    (folder / "log.xes").write_text("<log></log>")
    assert "--wide" in fails("log.xes", "--wide", "a=b", "--all-closed")
