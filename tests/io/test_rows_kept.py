"""Rows in = rows in the log + rows counted, whatever stands in a file."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxjourney import InteractionLog, read_csv, read_parquet, read_xes
from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.io import _csv_files, _files, file_columns
from cxjourney.io._csv_count import count_records, count_records_slowly

ROLES = {"customer": "who", "timestamp": "when", "touchpoint": "what"}


def table(*names: str, end: str = "\n", rows: int = 3) -> str:
    header = ",".join(names)
    cells = [f"k{i},2026-01-0{i + 1},web{',x' * (len(names) - 3)}" for i in range(rows)]
    return "".join(line + end for line in (header, *cells))


@pytest.mark.parametrize(
    ("name", "end"), [("a\rb", "\n"), ("a\r\nb", "\n"), ("a\nb", "\r"), ("a\nb", "\n"),
                      ("a\r\nb", "\r\n"), ("a\rb", "\r")],
)  # fmt: skip
def test_a_line_break_in_a_name_takes_no_row(tmp_path, name, end):
    file = tmp_path / "log.csv"
    file.write_bytes(table("who", "when", "what", f'"{name}"', end=end).encode())
    log = read_csv(file, **ROLES, attributes=[name])
    assert (len(log), log.customer_ids) == (3, ("k0", "k1", "k2"))
    assert file_columns(file)[-1] == name


@pytest.mark.parametrize(
    "content",
    [
        table("who", "when", "what", '"a\nb"', end="\r\n"),  # DuckDB finds no row of it
        table("who", "when", "what") + "x" * 40_000_000 + ",2026-01-01,web\n",
        table("who", "when", "what") + "k,2026-01-01,web\r\nk,2026-01-02,web\r",
        table("who", "when", "what").replace("web", '"we\nb"') + '"k,2026-01-01,web\n',
    ],
    ids=["two kinds of line break", "an endless line", "three endings", "an open quote"],
)
def test_rows_that_duckdb_would_lose_are_an_error(tmp_path, content):
    file = tmp_path / "log.csv"
    file.write_bytes(content.encode())
    with pytest.raises(InputFileError, match="cannot be read") as refused:
        read_csv(file, **ROLES)
    assert len(str(refused.value)) < 700


def test_quotes_inside_cells_do_not_mislead_the_count(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(
        'who,when,what\nk,2026-01-01,5" screen\n"a\n\nb",2026-01-02,web\nk,2026-01-03,"x""y"\n'
    )
    assert count_records(str(file), "none") != 4
    assert count_records_slowly(str(file), "none", ",") == 4
    log = read_csv(file, **ROLES)
    assert sorted(i.touchpoint.name for i in log.interactions()) == ['5" screen', "web", 'x"y']


@pytest.mark.parametrize("block", [1, 2, 63, 64, 65, 1000])
def test_the_count_does_not_depend_on_where_blocks_end(tmp_path, monkeypatch, block):
    lines = ["a,b", "", "x,y" * 40, '"two\n\nlines",z', "", '"q""q",""', "last,line"]
    for end in ("\n", "\r\n", "\r"):
        for text in (end.join(lines), end + end.join(lines) + end + end):
            file = tmp_path / "t.csv"
            file.write_bytes(text.encode())
            monkeypatch.setattr("cxjourney.io._csv_count._BLOCK", block)
            assert count_records(str(file), "none") == 5


@pytest.mark.parametrize("where", [0.5, -6, -2])
def test_a_flipped_bit_of_gzip_is_an_error(tmp_path, where):
    content = bytearray(gzip.compress(table("who", "when", "what", rows=9).encode(), mtime=0))
    content[int(where * len(content)) if where > 0 else where] ^= 8
    file = tmp_path / "log.csv.gz"
    file.write_bytes(content)
    with pytest.raises(
        InputFileError, match=r"truncated or damaged|not UTF-8|no CSV|cannot be read"
    ):
        read_csv(file, **ROLES)


@pytest.mark.parametrize("cut", [1, 4, 8, 12])
def test_gzip_without_its_end_is_an_error(tmp_path, cut):
    content = gzip.compress(table("who", "when", "what", rows=9).encode(), mtime=0)
    file = tmp_path / "log.csv"
    file.write_bytes(content[:-cut])
    # some versions of DuckDB hand out what there is, and the last line lacks cells
    with pytest.raises(InputFileError, match=r"truncated or damaged|has 1 cell"):
        read_csv(file, **ROLES)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("cut", ["é".encode()[:1], "€".encode()[:2], "🛒".encode()[:3]])
def test_a_file_that_ends_within_a_character_is_an_error(tmp_path, pack, cut):
    names = ("who", "when", "what", '"two\nlines"')  # misleads DuckDB, which reads on
    file, sound = tmp_path / "cut.csv", tmp_path / "sound.csv"
    sound.write_text(table(*names))
    whole = (table(*names) + "k9,2026-01-09,web,").encode()
    file.write_bytes(pack(whole + cut))
    for files in (file, [file, sound], [sound, file]):
        with pytest.raises(InputFileError, match=r"it ends within a character|not UTF-8"):
            read_csv(files, **ROLES)
    file.write_bytes(pack(whole + "xé€🛒".encode()))
    assert len(read_csv([file, sound], **ROLES)) == 7


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_utf_16_that_ends_within_a_character_is_an_error(tmp_path, cut):
    file = tmp_path / "cut.csv"
    file.write_bytes((table("who", "when", "what") + "k9,2026-01-09,🛒").encode("utf-16")[:-cut])
    with pytest.raises(InputFileError, match="utf-16"):
        read_csv(file, **ROLES, encoding="utf-16")


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_zstandard_without_its_end_is_an_error(tmp_path, cut):
    content = pa.compress(table("who", "when", "what", rows=9).encode(), "zstd", asbytes=True)
    file = tmp_path / "log.csv"
    file.write_bytes(content)
    assert len(read_csv(file, **ROLES)) == 9
    file.write_bytes(content[:-cut])
    with pytest.raises(InputFileError, match="cannot be read"):
        read_csv(file, **ROLES)


def test_a_file_that_a_list_and_a_glob_name_is_read_once(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    for file in (first, second):
        file.write_text(table("who", "when", "what"))
    (tmp_path / "c.csv").symlink_to(first)
    (tmp_path / "d.csv").hardlink_to(second)
    paths = [first, str(tmp_path / "*.csv"), f"{tmp_path}/./b.csv"]
    assert len(read_csv(paths, **ROLES)) == 6
    assert _files.find_files(paths) == (str(first), str(second))
    pq.write_table(
        pa.table({"who": ["k"], "when": ["2026-01-01"], "what": ["web"]}), tmp_path / "a.parquet"
    )
    assert len(read_parquet([tmp_path / "a.parquet", f"{tmp_path}/*.parquet"], **ROLES)) == 1


@pytest.mark.parametrize("path", [3, b"a.csv", None, [3], "~nobody-of-this-name/a.csv", "x" * 5000])
def test_what_is_no_path_is_refused(path):
    with pytest.raises((InvalidValue, InputFileError)) as refused:
        read_csv(path, **ROLES)
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("change", ["grows", "is replaced", "goes away"])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path, monkeypatch, change):
    file = tmp_path / "log.csv"
    file.write_text(table("who", "when", "what"))
    read = _csv_files._counted_rows

    def rows(*arguments):
        found = read(*arguments)
        if change == "grows":
            with file.open("a") as more:
                more.write("k9,2026-01-09,web\n")
        elif change == "is replaced":
            other = tmp_path / "other"
            other.write_text(table("who", "when", "what"))
            other.replace(file)
        else:
            file.unlink()
        return found

    monkeypatch.setattr(_csv_files, "_counted_rows", rows)
    with pytest.raises(InputFileError, match=r"changed while|cannot be read"):
        read_csv(file, **ROLES)


def test_a_log_that_is_written_to_while_it_is_read_is_whole_or_refused(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(table("who", "when", "what"))
    stop = threading.Event()

    def write():
        with file.open("a") as more:
            while not stop.wait(0.001):  # a reader that is overtaken for ever never ends
                more.write("k9,2026-01-09,web\n")
                more.flush()

    writer = threading.Thread(target=write)
    writer.start()
    refused = 0
    try:
        for _ in range(20):
            try:
                log = read_csv(file, **ROLES)
            except InputFileError:
                refused += 1
            else:
                assert log.intake.rows == len(log)
    finally:
        stop.set()
        writer.join()
    assert refused
    assert len(read_csv(file, **ROLES)) == file.read_text().count("\n") - 1


def test_a_parquet_file_that_changes_is_an_error(tmp_path, monkeypatch):
    file = tmp_path / "log.parquet"
    pq.write_table(pa.table({"who": ["k"], "when": ["2026-01-01"], "what": ["web"]}), file)
    monkeypatch.setattr(
        "cxjourney.io._read.check_parquet_rows", lambda *_: os.utime(file, ns=(1, 1))
    )
    with pytest.raises(InputFileError, match="changed while"):
        read_parquet(file, **ROLES)


def test_a_header_of_too_many_columns_is_an_error(tmp_path):
    file = tmp_path / "bomb.csv"
    file.write_text("who,when,what" + "," * 900_000 + "\n")
    with pytest.raises(InputFileError, match="columns"):
        read_csv(file, **ROLES)
    file.write_bytes(gzip.compress(b"who,when,what" + b"x" * 50_000_000))
    with pytest.raises(InputFileError, match=r"longer than|no CSV"):
        read_csv(file, **ROLES)


def test_an_xes_file_that_changes_is_an_error(tmp_path, monkeypatch):
    file = tmp_path / "log.xes"
    file.write_text("<log/>")
    monkeypatch.setattr(
        "cxjourney.io._xes._EventReader.read", lambda *_: Path(file).write_text("<log></log>")
    )
    with pytest.raises(InputFileError, match="changed while"):
        read_xes(file)


def test_an_untouched_log_says_what_came_in(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(table("who", "when", "what") + ",2026-01-04,web\nk,,web\nk,2026-01-05,\n")
    log = read_csv(file, **ROLES, missing="drop")
    audit = log.audit()
    assert isinstance(log, InteractionLog)
    assert (audit.rows_received, audit.rows, sum(audit.dropped.values())) == (6, 3, 3)
