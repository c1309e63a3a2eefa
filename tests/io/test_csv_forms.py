from __future__ import annotations

import codecs
import gzip
import random
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InputFileError, InvalidData, InvalidValue, UnknownName
from cxjourney.io import empty_columns, file_columns
from cxjourney.io._csv_form import CsvForm

ROLES = {"customer": "who", "timestamp": "when", "touchpoint": "what"}
WORDS = {
    "cp1252": "Größe €",
    "latin-1": "café",
    "cp1250": "příliš",
    "cp1251": "привет",
    "shift_jis": "検索",
    "gb18030": "搜索🛒",
    "big5": "搜尋",
    "euc_kr": "검색",
    "utf-16": "🛒 ü",
    "utf-16-le": "🛒 ü",
    "utf-32": "🛒 ü",
    "utf_8_sig": "🛒 ü",
    "cp037": "abc",
}


def csv_file(folder, text, encoding="utf-8", name="log.csv"):
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return file


def table(word="web", rows=3, end="\n"):
    lines = [f"k{i % 2},2026-01-0{i % 8 + 1},{word} {i % 3}" for i in range(rows)]
    return end.join(["who,when,what", *lines, ""])


# ------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("encoding", WORDS)
def test_every_encoding_of_python_gives_what_utf_8_gives(tmp_path, encoding):
    text = table(WORDS[encoding], rows=40)
    plain = cx.read_csv(csv_file(tmp_path, text), **ROLES)
    file = csv_file(tmp_path, text, encoding, "other.csv")
    assert cx.read_csv(file, encoding=encoding, **ROLES) == plain
    assert file_columns(file, encoding=encoding) == ("who", "when", "what")
    packed = csv_file(tmp_path, gzip.compress(text.encode(encoding), mtime=0), name="log.csv.gz")
    assert cx.read_csv(packed, encoding=encoding, **ROLES) == plain


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_a_byte_order_mark_says_which_encoding_it_is(tmp_path, mark, encoding):
    file = csv_file(tmp_path, mark + table("ü").encode(encoding))
    plain = cx.read_csv(csv_file(tmp_path, table("ü"), name="plain.csv"), **ROLES)
    assert cx.read_csv(file, **ROLES) == plain
    assert cx.read_csv(file, encoding=encoding, **ROLES) == plain
    with pytest.raises(InputFileError, match=r"byte order mark of utf-.*instead of 'cp1252'"):
        cx.read_csv(file, encoding="cp1252", **ROLES)


@pytest.mark.parametrize(
    ("encoding", "content", "message"),
    [
        ("utf-8", table("x", 5).encode() + "k,2026-01-01,é".encode("cp1252"), "line 7 .*'cp1252'"),
        ("latin-1", table("5 €").encode("cp1252"), "line 2 is not in iso8859-1; .*'cp1252'"),
        ("cp1252", table("\x81").encode("latin-1"), "line 2 is not in cp1252"),
        ("shift_jis", table("検").encode(), "line 2 is not in shift_jis; .*'utf-8'"),
        ("ascii", table("é").encode(), "line 2 is not in ascii; .*'utf-8'"),
        ("utf-16", table("é").encode("utf-16")[:-1], "not in utf-16"),
        ("utf-8", table("é", 3).encode("utf-16-le"), "could be 'utf-16'|names of its col|not in"),
    ],
)
def test_bytes_that_do_not_fit_are_refused_with_what_would(tmp_path, encoding, content, message):
    with pytest.raises((InputFileError, UnknownName), match=message) as caught:
        cx.read_csv(csv_file(tmp_path, content), encoding=encoding, **ROLES)
    assert "2026" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "rot13", "", 3, None, "idna", "a\x00b"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path, encoding):
    with pytest.raises(InvalidValue, match="encoding must be one that Python has"):
        cx.read_csv(csv_file(tmp_path, table()), encoding=encoding, **ROLES)


def test_a_damaged_gzip_is_said_to_be_damaged_where_its_text_is_read_in_part(tmp_path):
    rng = random.Random(0)  # noqa: S311
    noise = "".join(f"k{rng.randrange(9**9)},2026-01-01,w\n" for _ in range(9999))
    for text in (table(rows=9999), "who,when,what\n" + noise):
        packed = gzip.compress(text.encode(), mtime=0)
        for content in (packed[:-20], packed[:-8] + b"\x00" * 8, packed[: len(packed) // 2]):
            file = csv_file(tmp_path, content)
            for encoding in ("utf-8", "cp1252"):
                with pytest.raises(InputFileError, match="compressed stream is truncated or dam"):
                    cx.read_csv(file, encoding=encoding, **ROLES)


# -------------------------------------------------------------------------------- rows to leave out


def test_rows_above_the_names_are_left_out(tmp_path):
    plain = cx.read_csv(csv_file(tmp_path, table()), **ROLES)
    title = 'Report "daily"\n\n"of\nJanuary",;,\n'  # three rows: a line break in quotes ends none
    file = csv_file(tmp_path, title + table(), name="titled.csv")
    assert cx.read_csv(file, skip_rows=3, **ROLES) == plain
    assert cx.read_csv(file, skip_rows=[0, 1, 2], **ROLES) == plain
    assert file_columns(file, skip_rows=3) == ("who", "when", "what")
    with pytest.raises(InputFileError, match="does not begin with the names"):
        cx.read_csv(file, skip_rows=99, **ROLES)
    with pytest.raises(UnknownName, match="'who'"):
        cx.read_csv(file, skip_rows=2, **ROLES)


def test_rows_below_the_names_are_left_out_as_survey_tools_write_them(tmp_path):
    head, *rows = table(rows=4).splitlines()
    asked = '"Who are\n""you""?",When?,"What, then?"\n"{""ImportId"":""x""}",,\n'
    file = csv_file(tmp_path, f"{head}\n{asked}" + "\n".join(rows))
    log = cx.read_csv(file, skip_rows=[1, 2], **ROLES)
    assert log == cx.read_csv(csv_file(tmp_path, table(rows=4), name="plain.csv"), **ROLES)
    later = cx.read_csv(file, skip_rows=(1, 2, 4), **ROLES)
    assert len(later) == 3
    assert len(cx.read_csv(file, skip_rows=(1, 2, 99), **ROLES)) == 4


@pytest.mark.parametrize("rows", [-1, 1.5, "1", [-1], ["a"], True, None, [[1]]])
def test_what_are_no_rows_to_leave_out_is_refused(tmp_path, rows):
    with pytest.raises(InvalidValue, match="skip_rows must be a whole number from 0"):
        cx.read_csv(csv_file(tmp_path, table()), skip_rows=rows, **ROLES)


def test_the_line_of_an_error_is_that_of_the_file(tmp_path):
    wrong = {"k,2026": "2 cells", 'k,"2026': "quote that is not", "k,1,2,3": "4 cells"}
    for bad, why in wrong.items():
        lines = ["Title", "who,when,what", "skipped", "k,2026-01-01,a", "skipped", "", bad]
        file = csv_file(tmp_path, "\n".join(lines))
        with pytest.raises(InputFileError, match=f"line 7 .*{why}"):
            cx.read_csv(file, skip_rows=[0, 2, 4], **ROLES)


@pytest.mark.parametrize(
    ("encoding", "line", "end"),
    [
        ("utf-8", "sep=;", "\n"),
        ("utf-8", '"sep=;"', "\r\n"),
        ("utf-8", "SEP=;", "\n"),
        ("utf-16", "sep=;", "\r\n"),
        ("utf-16", '"sep=;"', "\n"),
        ("utf-16", "SEP=;", "\n"),
        ("cp1252", "sep=;", "\n"),
        ("utf-8-sig", '"sep=;"', "\n"),
        ("utf-8-sig", "sep=;", "\r\n"),
    ],
)
def test_the_first_line_of_excel_names_the_delimiter(tmp_path, encoding, line, end):
    text = line + end + table("a,b,c,d", end=end).replace(",", ";").replace("a;b;c;d", "a,b,c,d")
    file = csv_file(tmp_path, text, encoding)
    log = cx.read_csv(file, encoding=encoding, **ROLES)
    assert log.touchpoints == ("a,b,c,d 0", "a,b,c,d 1", "a,b,c,d 2")
    assert cx.read_csv(file, encoding=encoding, skip_rows=1, **ROLES) == log
    assert file_columns(file, encoding=encoding) == ("who", "when", "what")
    assert empty_columns(file, ["who", "none"], encoding=encoding) == ("none",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_columns_without_a_cell_are_empty_in_every_encoding(tmp_path, encoding):
    rows = [' ,"",,\u00a0,', *['"\t", ,"",,'] * 20_000, ",,,,last"]  # more than a block of records
    file = csv_file(tmp_path, "\n".join(["a,b,c,hard,late", *rows]), encoding)
    names = ["late", "a", "b", "none", "c", "hard"]
    assert empty_columns(file, names, encoding=encoding) == ("a", "b", "none", "c")


# -------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("decimal", "cell", "number"),
    [
        (".", "1234.5", 1234.5),
        (".", "-1,234.50", -1234.5),
        (".", "1,234,567", 1234567),
        (".", "1 234", 1234),
        (".", "1\u202f234.5", 1234.5),
        (".", "1'234.5", None),
        (".", "1’234.5", 1234.5),
        (".", "1,234", None),
        (".", "1,5", None),
        (".", "12,34.5", None),
        (".", "1234,567.8", None),
        (".", "1.234,5", None),
        (".", "1e3", 1000),
        (".", "1_000", None),
        (",", "1234,5", 1234.5),
        (",", "1.234,50", 1234.5),
        (",", "-1.234.567", -1234567),
        (",", "1\u00a0234,5", 1234.5),
        (",", "1.234", None),
        (",", "1.5", None),
        (",", "1,2,3", None),
        (",", "1,234.5", None),
        (",", "7", 7),
        (",", "1e3", 1000),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_number_is_read_as_it_is_written_or_refused(tmp_path, decimal, cell, number, encoding):
    text = f"who;when;what;n\nk;2026-01-01;a;{cell}\n"
    file = csv_file(tmp_path, text, encoding)
    options = {"encoding": encoding, "decimal": decimal, "value": "n", **ROLES}
    if number is None:
        with pytest.raises(InvalidData, match=r"n is no number in 1 row: 0.*decimal="):
            cx.read_csv(file, **options)
    else:
        assert cx.read_csv(file, **options).columns.numeric["value"].tolist() == [number]


def test_whole_numbers_stay_whole(tmp_path):
    file = csv_file(tmp_path, "who;when;what;n\nk;2026-01-01;a;9.007.199.254.740.993\n")
    log = cx.read_csv(file, decimal=",", seq="n", **ROLES)
    assert log.columns.seq is not None
    assert log.columns.seq.tolist() == [9_007_199_254_740_993]
    for bad in ("1,5", "1.5", "1.234"):
        file = csv_file(tmp_path, f"who;when;what;n\nk;2026-01-01;a;{bad}\n")
        with pytest.raises(InvalidData, match="whole number"):
            cx.read_csv(file, decimal=",", seq="n", **ROLES)
    with pytest.raises(InvalidValue, match="decimal must be one of"):
        cx.read_csv(file, decimal=";", **ROLES)


# --------------------------------------------------------------------------- one grammar, two roads

CELLS = st.text(alphabet='ab,;" \t\n1é', max_size=6)
LINES = st.lists(
    st.one_of(
        st.lists(CELLS.map(lambda c: '"' + c.replace('"', '""') + '"'), min_size=4, max_size=4),
        st.lists(st.text(alphabet='ab" \t1é', max_size=4), min_size=4, max_size=4),
        st.lists(st.text(alphabet='ab" \té,', max_size=4), min_size=3, max_size=5),
    ),
    max_size=5,
)


@settings(max_examples=10)
@given(LINES, st.sampled_from([",", ";", "|", "\t"]), st.sampled_from(["\n", "\r\n", "\r"]))
@example([[' "a" ', "b", '""', ""]], ",", "\n")
@example([['"a" x', "b", "c", "d"]], ",", "\n")
@example([['a"b', " a", "5 ", '" a ""b"" "'], ["", "", "", ""]], ",", "\r\n")
@example([["a", "b", "c", "d", "", ""]], ",", "\n")
@example([["a"], [""], ["a", "b", "c"]], ",", "\n")
def test_both_roads_read_a_file_alike(tmp_path_factory, lines, delimiter, end):
    folder = tmp_path_factory.mktemp("roads")
    body = [delimiter.join(line) for line in lines]
    text = end.join([delimiter.join("wxyz"), *body, ""])
    file = csv_file(folder, text)
    seen = []
    for plain in (True, False):
        with mock.patch.object(CsvForm, "is_plain", lambda *_, plain=plain: plain):
            seen.append(_cells_of(file, delimiter))
    by_duckdb, by_text = seen
    assert by_duckdb is None or by_text == by_duckdb
    if end == "\n" and "\r" not in text and "\n" not in "".join(body):
        assert (by_text is None) == (by_duckdb is None)


def _cells_of(file, delimiter):
    from cxjourney.io._csv_files import csv_columns
    from cxjourney.io._files import connect
    from cxjourney.log import encode_values

    roles = {f"attribute:{name}": name for name in "wxyz"}
    with connect("a test") as connection:
        try:
            found = csv_columns(connection, [str(file)], roles, CsvForm.of(delimiter=delimiter))
        except InputFileError:
            return None
    return [encode_values(column).values() for column in found.values()]
