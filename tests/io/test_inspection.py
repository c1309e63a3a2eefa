from __future__ import annotations

import gzip
import json
import shlex
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.cli import main
from cxjourney.cli._input import opened
from cxjourney.cli._main import parsed
from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.io._column_facts import facts_of

START = datetime(2025, 11, 2, 8, 15, tzinfo=UTC)
CUSTOMERS = 40


def interactions():
    """Return rows (customer, touchpoint, time, channel, value): every third customer orders."""
    rows = []
    for i in range(CUSTOMERS):
        at = START + timedelta(days=2 * i, minutes=7 * i)
        who = f"C{1000 + 7 * i}"
        rows += [
            (who, "visit", at, "web", None),
            (who, "cart", at + timedelta(hours=3), "app", None),
        ]
        if i % 3 == 0:
            rows.append((who, "order", at + timedelta(days=1, hours=2), "web", 10.5 + i))
        if i % 5 == 0:
            rows.append((who, "help", at + timedelta(days=3), "phone", None))
    return [rows[i] for i in np.random.default_rng(4).permutation(len(rows))]


ROWS = interactions()
CONVERSIONS = len([row for row in ROWS if row[1] == "order"])
COUNTS = {
    "rows": len(ROWS), "customers": CUSTOMERS, "conversions": CONVERSIONS, "intake": len(ROWS),
}  # fmt: skip


def table(header, time="%Y-%m-%d %H:%M:%S", *, number=str, by=",", rows=ROWS):
    lines = [by.join(header)]
    for who, what, at, where, value in rows:
        cells = [who, what, at.strftime(time), where, "" if value is None else number(value)]
        lines.append(by.join(cells))
    return lines


HEADER = ("user_id", "event", "timestamp", "channel", "amount")


def plain():
    return {"events.csv": "\n".join(table(HEADER)).encode()}


def german():
    lines = table(
        ("Kundennummer", "Ereignis", "Zeitpunkt", "Kanal", "Umsatz"),
        "%d.%m.%Y %H:%M",
        by=";",
        number=lambda value: f"{value:.2f}".replace(".", ","),
    )
    text = "\r\n".join(lines).replace("visit", "Übersicht").replace("order", "Bestellung")
    return {"ereignisse.csv": text.encode("cp1252")}


def with_rows_above():
    lines = ["Report;;;;", "from;2026-02-01;;;", "", *table(HEADER, by=";")]
    return {"rows above.csv": "\n".join(lines).encode()}


def utf16():
    return {"unicode.txt": "\n".join(table(HEADER, by="\t")).encode("utf-16")}


def utf32():
    return {"wide.txt": "\n".join(table(HEADER, by="\t")).encode("utf-32")}


def says_delimiter():
    return {"excel.csv": "\r\n".join(["sep=;", *table(HEADER, by=";")]).encode("utf-8-sig")}


def explained():
    first, *rest = table(HEADER)
    said = ["Who it is,What happened,When,Where,How much", "text,text,time,text,number"]
    return {"explained.csv": "\n".join([first, *said, *rest]).encode()}


def milliseconds():
    lines = ["visitorId,action,ts,utm_source"]
    for who, what, at, where, _ in ROWS:
        lines.append(f"{who},{what},{round(at.timestamp() * 1000)},{where}")
    return {"clicks.csv": "\n".join(lines).encode()}


def american():
    return {"us.csv": "\n".join(table(HEADER, "%m/%d/%Y %I:%M %p")).encode()}


def packed():
    return {"events.csv.gz": gzip.compress("\n".join(table(HEADER, "%Y-%m-%dT%H:%M:%SZ")).encode())}


def nested_json():
    lines = [
        json.dumps({"user": {"id": who}, "event": what, "time": at.timestamp(), "source": where})
        for who, what, at, where, _ in ROWS
    ]
    return {"hits.jsonl": "\n".join(lines).encode()}


def json_array():
    rows = [
        {"customer_id": int(who[1:]), "event_name": what, "event_time": at.isoformat()}
        for who, what, at, *_ in ROWS
    ]
    return {"hits.json": json.dumps(rows, indent=1).encode()}


def several():
    lines = table(HEADER)
    return {f"part-{k}.csv": "\n".join([lines[0], *lines[1:][k::3]]).encode() for k in range(3)}


def with_second_columns():
    lines = ["row,user_id,email,created_at,updated_at,event_type,country,note"]
    for n, (who, what, at, *_) in enumerate(ROWS):
        later = datetime(2026, 3, 1, 1, 1, n % 60, tzinfo=UTC)
        note = f"wrote us about thing number {n} and about several other things too"
        times = f"{at:%Y-%m-%d %H:%M:%S},{later:%Y-%m-%d %H:%M:%S}"
        lines.append(f"{n},{who},{who.lower()}@example.org,{times},{what},DE,{note}")
    return {"wide.csv": "\n".join(lines).encode()}


def with_gaps():
    lines = table(HEADER)
    return {
        "gaps.csv": "\n".join(
            [*lines, ",visit,2026-01-01 00:00:00,web,", "C9,,2026-01-01 00:00:00,,"]
        ).encode()
    }


CSV = (
    plain, german, with_rows_above, utf16, utf32, says_delimiter, explained, milliseconds,
    american, packed, nested_json, json_array, several, with_second_columns, with_gaps,
)  # fmt: skip


def run(command, python):
    """Run both lines as they are printed, and return log and journeys of each."""
    if command.startswith("cat > "):  # a layout, as a shell writes it
        first, _, rest = command.partition("\n")
        text, _, command = rest.partition("\nEND\n")
        Path(first.split()[2]).write_text(f"{text}\n", encoding="utf-8")
    words = shlex.split(command)
    assert words[:2] == ["cxjourney", "report"]
    given = opened(parsed(words[1:]))
    names = {}
    exec(python, names)  # noqa: S102 - the lines that are printed must run
    assert names["log"] == given.log
    return [(given.log, given.journeys), (names["log"], names["journeys"])]


def check(found, *, rows, customers, conversions, intake):
    """Run what is proposed, both ways, and compare with the counts that are known."""
    assert found.obstacles == ()
    assert found.commands
    for command, python in zip(found.commands, found.python, strict=True):
        for log, journeys in run(command, python):
            assert len(log) == rows
            assert log.intake.rows == intake
            assert log.n_customers == customers
            assert journeys.outcomes[cx.Outcome.CONVERTED] == conversions


def put(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return next(iter(files)) if len(files) == 1 else "part-*.csv"


@pytest.mark.parametrize("make", CSV, ids=[make.__name__ for make in CSV])
def test_what_is_proposed_runs_and_counts_right(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = cx.inspect_file(put(tmp_path, make()))
    assert found.n_rows == len(ROWS) + 2 * (make is with_gaps)
    assert found.row_is == "event"
    check(found, **COUNTS | {"intake": len(ROWS) + 2 * (make is with_gaps)})
    for who, *_ in ROWS:
        assert who not in str(found)
        assert who not in found._repr_html_()
        assert f"{who.lower()}@" not in json.dumps(found.to_dict())


def day(n):
    return f"{START + timedelta(days=n):%Y-%m-%d %H:%M}"


def cases():
    lines = ["deal_id,company,created_at,qualified_at,closed_won_at,amount,last_modified"]
    for i in range(40):
        qualified = day(i + 5) if i % 2 == 0 else ""
        won, amount = (day(i + 20), f"{100 * i}.50") if i % 4 == 0 else ("", "")
        lines.append(f"D{i:04},Company {i % 9},{day(i)},{qualified},{won},{amount},{day(90)}")
    return lines, {"rows": 70, "customers": 40, "conversions": 10, "intake": 70}


def order_lines():
    lines = ["order_id;email;created;total;item;quantity"]
    for i in range(30):
        for k in range(1 + i % 3):
            total = f"{i},90" if k == 0 else ""
            lines.append(f"O-{i:05};c{i % 15}@example.org;{day(i)};{total};thing {k};{k + 1}")
    return lines, {"rows": 30, "customers": 15, "conversions": 0, "intake": 30}


def answers():
    lines = ["respondent_id,submitted_at,nps_score,comment"]
    for i in range(40):
        words = f"I was quite content with number {i} of the many things that you do"
        lines.append(f"{5000 + i},{day(i)},{i % 11},{words}")
    return lines, {"rows": 40, "customers": 40, "conversions": 0, "intake": 40}


@pytest.mark.parametrize(
    ("make", "kind"), [(cases, "case"), (order_lines, "order line"), (answers, "answer")]
)
def test_what_is_no_event_is_read_by_a_layout_that_is_printed(make, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines, counts = make()
    (tmp_path / "my table.csv").write_text("\n".join(lines), encoding="utf-8")
    found = cx.inspect_file("my table.csv")
    assert found.row_is == kind
    check(found, **counts)


def test_a_layout_that_is_known_is_named_and_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["Deal ID,Deal Name,Deal Stage,Create Date,Close Date,Amount"]
    for i in range(12):
        stage = ("Closed won", "Closed lost", "Contract sent")[i % 3]
        lines.append(f"{9000 + i},Deal {i},{stage},{day(i)},{day(i + 30)},{i}")
    (tmp_path / "deals.csv").write_text("\n".join(lines), encoding="utf-8")
    found = cx.inspect_file("deals.csv")
    assert found.layouts == ("hubspot-deals",)
    assert "--layout hubspot-deals" in found.commands[0]
    check(found, rows=20, customers=12, conversions=4, intake=20)
    (tmp_path / "near.csv").write_text("\n".join(lines).replace("Create Date", "Begun"))
    near = cx.inspect_file("near.csv")
    assert near.layouts == ()
    assert near.near_layouts == ("'hubspot-deals': Create Date or createdate is missing",)


def test_parquet_keeps_the_kinds_of_its_columns(tmp_path, monkeypatch):
    polars = pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    columns = [list(column) for column in zip(*ROWS, strict=True)]
    frame = polars.DataFrame(dict(zip(HEADER, columns, strict=True)), strict=False)
    frame.write_parquet("events.parquet")
    check(cx.inspect_file("events.parquet"), **COUNTS)
    at = polars.col("timestamp").dt.epoch("ms")
    frame.with_columns(at).write_parquet("numbers.parquet")
    found = cx.inspect_file("numbers.parquet")
    assert "--timestamp-unit ms" in found.commands[0]
    check(found, **COUNTS)


def test_numbers_that_are_text_are_not_proposed_where_the_reader_takes_numbers_alone(
    tmp_path, monkeypatch
):
    polars = pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    columns = [list(column) for column in zip(*ROWS, strict=True)]
    frame = polars.DataFrame(dict(zip(HEADER, columns, strict=True)), strict=False)
    frame.with_columns(polars.col("amount").cast(polars.String)).write_parquet("text.parquet")
    found = cx.inspect_file("text.parquet")
    (said,) = [line for line in found.odd if line.startswith("Not proposed: value 'amount'")]
    assert "value must be a numeric column" in said
    check(found, **COUNTS)
    objects = [
        {
            "who": who,
            "event": what,
            "time": str(at),
            "amount": value and f"{value:.2f}".replace(".", ","),
        }
        for who, what, at, _, value in ROWS
    ]
    Path("text.json").write_text(json.dumps(objects), encoding="utf-8")
    found = cx.inspect_file("text.json")
    (said,) = [line for line in found.odd if line.startswith("Not proposed: value 'amount'")]
    assert "value is no number" in said
    check(found, **COUNTS)


@pytest.mark.parametrize("decimal", [".", ","])
def test_marks_of_thousands_are_numbers_where_the_readers_read_them(decimal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def number(value):
        return f"{value + 2000:,.2f}".translate({44: ".", 46: ","} if decimal == "," else {})

    lines = table(HEADER, by=";", number=number)
    found = cx.inspect_file(put(tmp_path, {"grouped.csv": "\n".join(lines).encode()}))
    assert found.decimal == decimal
    assert "value" in list(found.roles["role"])
    for log, _ in run(found.commands[0], found.python[0]):
        values = log.columns.numeric["value"]
        assert np.nansum(values) == sum(row[4] + 2000 for row in ROWS if row[4] is not None)


def test_the_command_prints_and_is_run_as_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, plain())
    assert main(["inspect", "events.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (command,) = [line for line in lines if line.startswith("cxjourney report")]
    assert main([*shlex.split(command)[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "Report"


def test_json_is_the_dictionary_of_the_result(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, plain())
    assert main(["inspect", "events.csv", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    found = cx.inspect_file("events.csv")
    assert data == found.to_dict()
    assert cx.io.FileInspection.from_dict(data) == found


def test_day_and_month_are_never_chosen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [(who, what, at.replace(day=1 + at.day % 12), *_) for who, what, at, *_ in ROWS]
    lines = table(HEADER, "%d/%m/%Y %H:%M", rows=[row[:5] for row in rows])
    found = cx.inspect_file(put(tmp_path, {"either.csv": "\n".join(lines).encode()}))
    formats = ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"]
    assert [f in command for f, command in zip(formats, found.commands, strict=True)] == [True] * 2
    (said,) = [line for line in found.odd if "change places" in line]
    assert all(f in said for f in formats)
    for command, python in zip(found.commands, found.python, strict=True):
        run(command, python)


def test_two_columns_that_would_serve_are_both_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = cx.inspect_file(put(tmp_path, with_second_columns()))
    proposed = dict(zip(found.roles["role"], found.roles["column"], strict=True))
    assert proposed["customer"] == "user_id"
    assert proposed["timestamp"] == "created_at"
    too = dict(zip(found.roles["role"], found.roles["could_serve_too"], strict=True))
    assert "'email'" in too["customer"]
    assert "'updated_at'" in too["timestamp"]
    could = dict(zip(found.columns["column"], found.columns["could_be"], strict=True))
    assert could["note"] == "free text"
    assert could["country"] == "constant"


def test_what_is_said_of_a_role_is_of_that_role(tmp_path):
    """Numbers from 0 to 39 in "sales rank" could be amounts and places in an order alike."""
    lines = ["user_id,event,time,sales rank"]
    lines += [f"{n % 9},{'ab'[n % 3 == 0]},2026-01-{1 + n % 28:02d},{n}" for n in range(40)]
    (tmp_path / "sales.csv").write_text("\n".join(lines), encoding="utf-8")
    found = cx.inspect_file(tmp_path / "sales.csv")
    (could_be,) = [r["could_be"] for r in found.columns if r["column"] == "sales rank"]
    assert could_be == "value, seq"
    assert [r["why"] for r in found.roles if r["role"] == "value"] == ["named so, 0 to 39"]


def odd_of(folder, lines):
    (folder / "odd.csv").write_text("\n".join(lines), encoding="utf-8")
    return " ".join(cx.inspect_file(folder / "odd.csv").odd)


def test_what_is_odd_is_said(tmp_path):
    lines = ["user_id,event,time,plan,nothing,price"]
    for n, (who, what, at, *_) in enumerate(ROWS):
        plan = "basic" if n else "gold"
        lines.append(f'{who},{what},{at:%Y-%m-%d},{plan},,"1 234 €"')
    lines[5] = lines[5].replace(lines[5].split(",")[2], "2091-01-01")
    lines[6] = lines[6].replace(lines[6].split(",")[2], "1970-01-01")
    lines[7] = lines[7].replace(lines[7].split(",")[2], "1900-01-01")
    said = odd_of(tmp_path, [*lines, lines[-1]])
    for words in (
        "Empty: 'nothing'", "in the future, up to 2091-01-01", "at 1970-01-01", "is at 1900",
        "Days alone", "Mostly one value: 'plan' ('basic' in 99", "1 row repeats",
        "signs of thousands",
    ):  # fmt: skip
        assert words in said


def test_mixed_forms_and_zones_are_said(tmp_path):
    mixed = ["id,event,time", *(f"{n % 4},x{n % 3},2026-01-{n + 1:02}" for n in range(9))]
    mixed += [f"{n % 4},x{n % 3},{n + 10}.01.2026" for n in range(9)]
    assert "in one way, which the readers need: 50.0% as ISO 8601, 50.0% as %d.%m.%Y." in odd_of(
        tmp_path, mixed
    )
    zones = ["id,event,time", *(f"{n % 4},x{n % 3},2026-01-{n + 1:02}T10:00Z" for n in range(9))]
    zones += [f"{n % 4},x{n % 3},2026-01-{n + 10:02}T10:00" for n in range(9)]
    assert "50.0% tell their zone and the others do not" in odd_of(tmp_path, zones)


def archive(names):
    def write(file):
        with zipfile.ZipFile(file, "w") as packed_:
            for name in names:
                packed_.writestr(name, "a,b\n1,2\n")

    return write


def content(data):
    return lambda file: file.write_bytes(data)


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
WRONG = {
    "empty.csv": (content(b""), "is empty"),
    "blank.csv": (content(b"\n\n  \n"), "blank"),
    "photo.csv": (content(b"\x89PNG\r\n\x1a\n" + bytes(50)), "a picture"),
    "paper.csv": (content(b"%PDF-1.7 x"), "a PDF document, no table: export the table behind it"),
    "web.xls": (content(b"<html><table><tr><td>1"), "a web page that is named .xls: open it"),
    "many.zip": (archive(["a.csv", "b.csv"]), "ZIP archive of 2 files ('a.csv', 'b.csv'): unpack"),
    "letter.docx": (archive(["word/document.xml"]), "a document of Word"),
    "locked.xlsx": (
        content(OLE + "EncryptedPackage".encode("utf-16-le") + bytes(99)),
        "protected by a password: open it in Excel",
    ),
    "binary.csv": (content(bytes(range(256)) * 20), "binary, and of no kind that is known"),
    "by column.json": (
        content(b'{"user": [1, 2], "at": ["2026-01-01", "2026-01-02"]}'),
        "one JSON object of arrays, a column each",
    ),
    "around.json": (content(b'{"data": [{"a": 1}], "n": 1}'), "as a list in 'data': write that"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_table_is_told_with_what_to_do(name, tmp_path, capsys):
    write, words = WRONG[name]
    write(tmp_path / name)
    with pytest.raises(InputFileError) as caught:
        cx.inspect_file(tmp_path / name)
    assert words in str(caught.value)
    assert main(["inspect", str(tmp_path / name)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cxjourney: error: ")


def test_a_directory_and_no_file_are_told(tmp_path):
    with pytest.raises(InputFileError, match="is a directory: give a glob"):
        cx.inspect_file(tmp_path)
    with pytest.raises(InputFileError, match="no file matches"):
        cx.inspect_file(tmp_path / "none.csv")


def test_files_of_other_columns_are_told(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("a,c\n1,2\n")
    with pytest.raises(InputFileError, match="tables of different columns"):
        cx.inspect_file(tmp_path / "*.csv")


FIRST, LAST = datetime(1971, 1, 1), datetime(2025, 12, 31)  # noqa: DTZ001 - of a clock
DATES = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%y", "%Y/%m/%d", "%d %b %Y", "%b %d, %Y")
CLOCKS = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", " %H:%M:%S.%f")


@given(
    moments=st.lists(st.datetimes(FIRST, LAST), min_size=1, max_size=12),
    form=st.sampled_from([d + c for d in DATES for c in CLOCKS]),
    broken=st.sampled_from(["", "n/a", "2026-13-01", "31.02.2026 10:00"]),
)
def test_what_is_said_to_be_a_time_is_one_to_the_reader(moments, form, broken):
    cells = [moment.strftime(form) for moment in moments] + [broken] * bool(broken)
    facts = facts_of("time", cells, None)
    table_ = {"who": ["a"] * len(cells), "what": ["b"] * len(cells), "at": cells}
    roles = {"customer": "who", "timestamp": "at", "touchpoint": "what"}
    for reading in facts.readings:
        log = cx.InteractionLog.from_frame(table_, **roles, **reading.options)
        assert len(log) == len(cells)
        assert str(log.columns.time.min().astype("M8[us]"))[:10] == reading.span[:10]
    if broken:
        assert not facts.readings
    else:
        there = [moment.strftime(form) for moment in moments]
        wanted = [datetime.strptime(cell, form) for cell in there]  # noqa: DTZ007 - of a clock
        first = np.datetime64(min(wanted), "us").astype(np.int64)
        assert first in [reading.first_us for reading in facts.readings]


@pytest.mark.parametrize("make", [german, milliseconds, with_second_columns, american])
def test_a_report_that_cannot_place_a_file_says_what_to_type(make, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = put(tmp_path, make())
    assert main(["report", file, "--out", "here.html"]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    error, what, to_type = streams.err.splitlines()
    assert error.startswith("cxjourney: error: ")
    assert what.startswith(f"cxjourney: file: {file!r}: a CSV file with {len(ROWS)} rows")
    words = shlex.split(to_type.removeprefix("cxjourney: try: "))
    assert words[:5] == ["cxjourney", "report", file, "--out", "here.html"]
    found = opened(parsed(words[1:]))
    assert len(found.log) == len(ROWS)
    assert found.journeys.outcomes[cx.Outcome.CONVERTED] == CONVERSIONS


@pytest.mark.parametrize("given", [["--encoding", "utf-16"], ["--encoding=utf-16"]])
def test_a_wrong_encoding_is_replaced_in_what_to_type(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = "\n".join(
        ["user_id,event,timestamp", *(f"{who},{what},{at}" for who, what, at, *_ in ROWS)]
    )
    (tmp_path / "big.csv").write_bytes(text.encode("utf-16-be"))  # and no mark that says so
    assert main(["report", "big.csv", *given]) == 2
    to_type = capsys.readouterr().err.splitlines()[-1]
    words = shlex.split(to_type.removeprefix("cxjourney: try: "))
    assert [word for word in words if "utf" in word] == ["utf-16-be"]
    assert len(opened(parsed(words[1:])).log) == len(ROWS)


def test_what_nothing_reads_is_pointed_to_its_inspection(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.csv").write_text("colour,size\nred,large\nblue,small\n")
    assert main(["report", "odd.csv"]) == 2
    error, what, to_type = capsys.readouterr().err.splitlines()
    assert "known name for the customer" in error
    assert "nothing speaks clearly" in what
    assert to_type == "cxjourney: try: cxjourney inspect odd.csv"
    assert main(["inspect", "odd.csv"]) == 0
    said = capsys.readouterr().out
    assert "In the way: no column looks like the customer: name it with --customer" in said


def test_a_large_file_is_judged_by_its_beginning_middle_and_end(tmp_path, monkeypatch):
    monkeypatch.setattr("cxjourney.io._file_sample._BLOCK", 4_000)
    monkeypatch.setattr("cxjourney.io._file_sample.MOST_ROWS", 99)
    lines = ["user_id,event,timestamp,note"]
    lines += [f'{i % 500},{("visit", "order")[i % 9 == 8]},{day(i)},"a, b\nc"' for i in range(3000)]
    (tmp_path / "large.csv").write_text("\n".join(lines), encoding="utf-8")
    found = cx.inspect_file(tmp_path / "large.csv")
    assert (found.n_rows, found.n_judged, found.whole) == (3000, 99, False)
    assert "Judged by 99 rows" in str(found)
    (why,) = [r["why"] for r in found.columns if r["column"] == "timestamp"]
    assert why.endswith(f"{day(0)[:10]} to {day(2999)[:10]}")


def test_ids_of_customers_are_preferred_and_clocks_are_no_touchpoints(tmp_path):
    lines = ["id,Customer Email,Customer ID,Day,Uhrzeit,Status,Amount Refunded"]
    for n, (who, what, at, *_) in enumerate(ROWS):
        mail = f"{who.lower()}@example.org"
        lines.append(f"ch_{n:08x},{mail},{who},{at:%d.%m.%Y},{at:%H:%M},{what},0")
    (tmp_path / "charges.csv").write_text("\n".join(lines), encoding="utf-8")
    found = cx.inspect_file(tmp_path / "charges.csv")
    proposed = dict(zip(found.roles["role"], found.roles["column"], strict=True))
    assert proposed == {"customer": "Customer ID", "timestamp": "Day", "touchpoint": "Status"}
    assert "Times of the day without the day" in " ".join(found.odd)


def test_a_first_row_of_cells_is_told(tmp_path):
    lines = table(HEADER, rows=[*ROWS, ROWS[0]])[1:]
    (tmp_path / "bare.csv").write_text("\n".join([lines[-1], *lines]), encoding="utf-8")
    with pytest.raises(InputFileError, match="looks like data, not names") as caught:
        cx.inspect_file(tmp_path / "bare.csv")
    assert ROWS[0][0] not in str(caught.value)


def test_an_encoding_is_proposed_with_its_evidence_and_another_can_be_given(tmp_path):
    lines = ["user_id,event,time"]
    lines += [f"{i % 5},{('訪問', '注文')[i % 3 == 0]},2026-01-{1 + i:02} 10:00" for i in range(20)]
    (tmp_path / "odd.csv").write_bytes("\n".join(lines).encode("shift_jis"))
    found = cx.inspect_file(tmp_path / "odd.csv")
    assert "a proposal, since it is not valid UTF-8: 0x" in found.encoding_evidence
    assert "shift_jis" in found.encoding_evidence
    found = cx.inspect_file(tmp_path / "odd.csv", encoding="shift_jis")
    assert found.encoding == "shift_jis"
    assert "'訪問', '注文'" in str(found)
    assert "--encoding shift_jis" in found.commands[0]
    with pytest.raises(InvalidValue, match="encoding must"):
        cx.inspect_file(tmp_path / "odd.csv", encoding="latin-77")


def test_what_tells_a_person_is_not_printed_however_few_there_are(tmp_path):
    lines = ["kunde,alias,event,time,agent"]
    for n in range(24):
        alias = f"nick{n % 4}{'ab'[n % 8 > 3]}"
        lines.append(
            f"{4711 + n % 4},{alias},{'visit' if n % 3 else 'order'},2026-01-{n + 1:02},Ada"
        )
    for name, rows in (("all.csv", lines), ("one.csv", [lines[0], *lines[1::4]])):
        (tmp_path / name).write_text("\n".join(rows), encoding="utf-8")
        found = cx.inspect_file(tmp_path / name)
        said = f"{found}{found._repr_html_()}{json.dumps(found.to_dict())}"
        assert "'visit'" in said
        for value in ("4711", "4712", "nick", "Ada"):
            assert value not in said
