from __future__ import annotations

import shlex
import zipfile
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import pytest

import cxjourney as cx
from cxjourney.cli._input import opened
from cxjourney.cli._main import parsed
from cxjourney.exceptions import InputFileError, InvalidData, UnknownName

ROLES = {"customer": "who", "timestamp": "at", "touchpoint": "what"}
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def write(file, sheets):
    """Write a workbook of sheets of rows by name, as ECMA-376 describes it; datetimes as dates."""

    def cell(value, column, row):
        place = f"{chr(65 + column)}{row}"
        if value is None:
            return ""
        if isinstance(value, datetime):
            days = (value - datetime(1899, 12, 30, tzinfo=UTC)).total_seconds() / 86_400
            return f'<c r="{place}" s="1"><v>{days!r}</v></c>'
        if isinstance(value, (int, float)):
            return f'<c r="{place}"><v>{value!r}</v></c>'
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'

    numbers = range(1, len(sheets) + 1)
    with zipfile.ZipFile(file, "w") as book:
        book.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_LINKS}"><Relationship Id="r" Type="{_OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        named = "".join(
            f'<sheet name="{escape(name)}" sheetId="{n}" r:id="s{n}"/>'
            for n, name in zip(numbers, sheets, strict=True)
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{named}</sheets></workbook>',
        )
        links = "".join(
            f'<Relationship Id="s{n}" Type="{_OFFICE}/worksheet" Target="worksheets/{n}.xml"/>'
            for n in numbers
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_LINKS}">{links}<Relationship Id="st" '
            f'Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        )
        book.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{_MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
            "</styleSheet>",
        )
        for n, rows in zip(numbers, sheets.values(), strict=True):
            body = "".join(
                f'<row r="{r}">{"".join(cell(v, c, r) for c, v in enumerate(row))}</row>'
                for r, row in enumerate(rows, 1)
            )
            book.writestr(
                f"xl/worksheets/{n}.xml",
                f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>',
            )
    return file


ROWS = [
    ["who", "at", "what", "worth"],
    [17, datetime(2026, 1, 5, 9, tzinfo=UTC), "view", None],
    ["a", datetime(2026, 1, 5, 10, 30, tzinfo=UTC), "buy <&>", 7.5],
    [None, None, None, None],
    [17, "2026-01-06", "view", None],
]


def test_a_sheet_is_read_with_its_dates(tmp_path):
    log = cx.read_excel(write(tmp_path / "hits.xlsx", {"Hits": ROWS}), **ROLES, value="worth")
    assert [
        (i.customer.id, i.timestamp, i.touchpoint.name, i.value) for i in log.interactions()
    ] == [
        ("17", datetime(2026, 1, 5, 9, tzinfo=UTC), "view", None),
        ("17", datetime(2026, 1, 6, tzinfo=UTC), "view", None),
        ("a", datetime(2026, 1, 5, 10, 30, tzinfo=UTC), "buy <&>", 7.5),
    ]


def test_rows_above_the_names_are_skipped(tmp_path):
    title = [["Export of January", None, None, None], [None] * 4, ["by", "Ada", None, None]]
    file = write(tmp_path / "hits.xlsx", {"Hits": title + ROWS})
    with pytest.raises(UnknownName, match="'who'"):
        cx.read_excel(file, **ROLES)
    assert len(cx.read_excel(file, **ROLES, skip_rows=3)) == 3
    assert len(cx.read_excel(file, **ROLES, skip_rows=[0, 2, 4])) == 2


def test_a_sheet_of_several_is_named(tmp_path):
    file = write(tmp_path / "hits.xlsx", {"Notes": [["x"]], "Hits": ROWS})
    with pytest.raises(InputFileError, match=r"2 sheets: give sheet=, one of 'Notes', 'Hits'"):
        cx.read_excel(file, **ROLES)
    with pytest.raises(UnknownName, match="did you mean 'Hits'"):
        cx.read_excel(file, **ROLES, sheet="hits")
    assert len(cx.read_excel(file, **ROLES, sheet="Hits")) == 3


def test_what_is_no_workbook_is_refused(tmp_path):
    file = tmp_path / "hits.xlsx"
    for data in (b"PK\x03\x04 and no more", b"who,at\n", b"\xd0\xcf\x11\xe0\xa1\xb1"):
        file.write_bytes(data)
        with pytest.raises(InvalidData, match="cannot be read") as caught:
            cx.read_excel(file, **ROLES)
        assert len(str(caught.value)) < 400
    with pytest.raises(InputFileError, match="no row that names columns"):
        cx.read_excel(write(file, {"Hits": []}), **ROLES)
    with pytest.raises(InputFileError, match="2 columns 'who'"):
        cx.read_excel(write(file, {"Hits": [["who", "at", "what", "who"]]}), **ROLES)


def test_a_layout_reads_a_sheet_with_its_dates_and_whole_numbers(tmp_path):
    at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    rows = [
        ["Ticket ID", "Contact ID", "Status", "Created time", "Resolved time"],
        [7, 501, "Closed", at, at.replace(hour=11)],
        [8, 501, "Open", at.replace(day=6), None],
    ]
    log = cx.read_excel(write(tmp_path / "t.xlsx", {"Tickets": rows}), layout="freshdesk-tickets")
    assert [(i.customer.id, i.touchpoint.name, i.timestamp.hour) for i in log.interactions()] == [
        ("501", "ticket created", 9),
        ("501", "resolved", 11),
        ("501", "ticket created", 9),
    ]


def test_the_sheet_that_is_inspected_is_named_and_read_by_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [["Export of March"], [], ["user_id", "event", "at", "amount"]]
    for i in range(12):
        at = datetime(2026, 1, 1 + i, 9, 30, tzinfo=UTC)
        rows += [[f"u{i % 4}", "order" if i > 7 else "visit", at, 7.5 if i > 7 else None]]
    write("book.xlsx", {"Notes": [["what", "it is"], ["a", "b"]], "Events": rows})
    found = cx.inspect_file("book.xlsx")
    assert (found.sheets, found.sheet, found.skip_rows) == (("Notes", "Events"), "Events", 2)
    assert "Sheets: 'Notes', 'Events'; judged is 'Events'." in str(found)
    names = {}
    exec(found.python[0], names)  # noqa: S102 - the lines that are printed must run
    given = opened(parsed(shlex.split(found.commands[0])[1:]))
    assert names["log"] == given.log
    assert given.log.intake.rows == 12
    assert given.journeys.outcomes[cx.Outcome.CONVERTED] == 4
    assert cx.inspect_file("book.xlsx", sheet="Notes").sheet == "Notes"
    with pytest.raises(UnknownName, match="did you mean 'Events'"):
        cx.inspect_file("book.xlsx", sheet="Event")


def _days(n):
    return [
        [f"u{i % 4}", datetime(2024, 1, i + 1, tzinfo=UTC), f"v{i % 5 // 3}", "x", 1.0]
        for i in range(n)
    ]


def test_a_sheet_with_repeated_names_and_rows_below_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    below = [[None] * 5, ["Generated By: someone", *[None] * 4], ["Copyright", *[None] * 4]]
    names = ["who", "at", "what", "Labels", "Labels"]
    write("own.xlsx", {"A": [names, *_days(12), ["Total", None, None, None, 12.0], *below]})
    write("bare.xlsx", {"A": [names, *_days(12)]})
    log = cx.read_excel("bare.xlsx", **ROLES)
    with pytest.raises(InputFileError, match=r"has 2 columns 'Labels' \(numbers 4 and 5\)"):
        cx.read_excel("bare.xlsx", **ROLES, channel="Labels")
    found = cx.inspect_file("own.xlsx")
    assert (found.n_rows, found.obstacles) == (12, ())
    assert [*found.columns["column"]] == ["who", "at", "what", "Labels", "Labels (2)"]
    given = {}
    exec(found.python[0], given)  # noqa: S102 - the lines that are printed must run
    assert "skip_rows=[13, 15, 16]" in found.python[0]
    assert given["log"] == log == opened(parsed(shlex.split(found.commands[0])[1:])).log


def test_a_sheet_without_names_is_told(tmp_path):
    write(tmp_path / "own.xlsx", {"A": _days(12)})
    for read in (cx.inspect_file, lambda file: cx.read_excel(file, **ROLES)):
        with pytest.raises(InputFileError, match=r"looks like data, not names.*on top$"):
            read(tmp_path / "own.xlsx")
