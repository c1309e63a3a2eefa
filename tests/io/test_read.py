from __future__ import annotations

import codecs
import gzip
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cxjourney import InteractionLog, read_csv, read_parquet
from cxjourney.exceptions import (
    InputFileError,
    InvalidData,
    InvalidValue,
    MissingDependency,
    ReservedName,
    UnknownName,
)

duckdb = pytest.importorskip("duckdb")

NAMES = {"customer": "id", "timestamp": "when", "touchpoint": "where"}


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "events.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(path, **options) -> InteractionLog:
    return read_csv(path, **NAMES, **options)


def rows(log: InteractionLog) -> list[tuple[str, str, str]]:
    return [
        (i.customer.id, i.timestamp.strftime("%Y-%m-%d %H:%M:%S"), i.touchpoint.name)
        for i in log.interactions()
    ]


def test_ids_survive_as_the_text_that_they_are(write):
    log = read(
        write(
            "id,when,where\nNA,2024-01-01,a\n007,2024-01-01,a\n0.0,2024-01-01,a\n 7,2024-01-01,a\n"
        )
    )
    assert sorted(log.customer_ids) == [" 7", "0", "007", "NA"]


def test_a_blank_cell_is_missing_with_quotes_and_without(write):
    path = write(
        'id,when,where\n1,2024-01-01,a\n,2024-01-02,a\n"",2024-01-03,a\n"  ",2024-01-04,a\n'
    )
    with pytest.raises(InvalidData, match="customer is missing in 3 rows: 1, 2, 3"):
        read(path)
    log = read(path, missing="drop")
    assert sorted(log.customer_ids) == ["1"]
    assert dict(log.intake.dropped) == {"customer is missing": 3}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_splits_the_header(write, delimiter):
    text = "id,when,where,note\n1,2024-01-01,a,x;y|z\n".replace(",", delimiter)
    text = text.replace("x;y|z", '"x;y|z"')
    assert read(write(text)).touchpoints == ("a",)


def test_a_delimiter_given_wins(write):
    path = write("id:when:where\n1:2024-01-01:a,b\n")
    assert read(path, delimiter=":").touchpoints == ("a,b",)
    with pytest.raises(InvalidValue, match="delimiter"):
        read(path, delimiter="::")


def test_quotes_line_breaks_and_comments_are_read_as_written(write):
    text = 'id,when,where\r\n#1,2024-01-01,"a ""b"", c"\r\n#1,2024-01-02,"x\r\ny"\r\n'
    assert [row[2] for row in rows(read(write(text)))] == ['a "b", c', "x\r\ny"]


def test_hostile_names_survive(write):
    names = ["🛒", "\u202eمرحبا", "\x1b[31mred", "<script>", "é" * 300, "a\tb"]
    lines = "".join(f'1,2024-01-0{d},"{name}"\n' for d, name in enumerate(names, start=1))
    log = read(write("id,when,where\n" + lines))
    assert [row[2] for row in rows(log)] == names


def test_ten_thousand_touchpoints_are_read(write):
    lines = "".join(f"c{n % 50},2024-01-01 00:00,t{n}\n" for n in range(10_000))
    assert len(read(write("id,when,where\n" + lines)).touchpoints) == 10_000


def test_a_touchpoint_named_like_a_terminal_is_refused(write):
    with pytest.raises(ReservedName, match="__start__"):
        read(write("id,when,where\n1,2024-01-01,__start__\n"))


def test_mixed_timestamps_are_resolved_by_tz_and_by_nothing_else(write, monkeypatch):
    path = write(
        "id,when,where\n1,2024-07-01 12:00,a\n1,2024-07-01T12:00:00+05:00,b\n"
        "1,2024-07-01T12:00:00.5Z,c\n"
    )
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    log = read(path, tz="Europe/Prague")
    assert [row[1:] for row in rows(log)] == [
        ("2024-07-01 07:00:00", "b"),
        ("2024-07-01 10:00:00", "a"),
        ("2024-07-01 12:00:00", "c"),
    ]
    assert log.intake.naive == 1


def test_unreadable_timestamps_are_refused_with_their_rows(write):
    path = write("id,when,where\n1,2024-01-01,a\n1,yesterday,a\n\n1,01.02.2024,a\n")
    with pytest.raises(InvalidData, match="yesterday") as caught:
        read(path)
    assert caught.value.rows == (1, 2)  # blank lines are no rows


def test_a_format_reads_other_timestamps(write):
    path = write("id,when,where\n1,31.12.2024 23:59,a\n")
    log = read(path, timestamp_format="%d.%m.%Y %H:%M")
    assert rows(log) == [("1", "2024-12-31 23:59:00", "a")]


def test_numbers_seq_durations_and_attributes_are_read(write):
    path = write(
        "id,when,where,order,stars,eur,took,plan\n"
        "1,2024-01-01,b,9007199254740993,4.5, 12.50 ,90,pro\n"
        "1,2024-01-01,a,9007199254740992,,,,\n"
    )
    log = read(
        path,
        seq="order",
        score="stars",
        value="eur",
        currency="EUR",
        duration="took",
        duration_unit=timedelta(seconds=1),
        attributes=["plan"],
    )
    first, second = log.interactions()
    assert (first.touchpoint.name, second.touchpoint.name) == ("a", "b")
    assert (first.score, first.value, first.duration, dict(first.attributes)) == (
        None,
        None,
        None,
        {},
    )
    assert (second.score, second.value, second.currency) == (4.5, 12.5, "EUR")
    assert second.duration == timedelta(seconds=90)
    assert dict(second.attributes) == {"plan": "pro"}


@pytest.mark.parametrize(("role", "bad"), [("score", "good"), ("value", "1,5"), ("seq", "1.5")])
def test_numbers_that_are_none_are_refused_with_their_rows(write, role, bad):
    path = write(f"id;when;where;x\n1;2024-01-01;a;1\n1;2024-01-01;a;{bad}\n")
    with pytest.raises(InvalidData, match=r"x is no .*number in 1 row: 1"):
        read(path, **{role: "x"})


def test_a_duration_needs_a_unit(write):
    path = write("id,when,where,took\n1,2024-01-01,a,90\n")
    with pytest.raises(InvalidValue, match="duration_unit"):
        read(path, duration="took")


def test_a_currency_column_is_read(write):
    path = write("id,when,where,eur,cur\n1,2024-01-01,a,1,CZK\n")
    assert read(path, value="eur", currency="cur").currency == "CZK"


def test_a_missing_column_is_named_with_the_nearest(write):
    with pytest.raises(UnknownName, match=r"column 'ID' is not in .*; did you mean 'id'"):
        read_csv(write("id,when,where\n"), customer="ID", timestamp="when", touchpoint="where")


def test_a_header_alone_is_an_empty_log(write):
    for header in ("id,when,where\n", "id,when,where", "\ufeffid,when,where\r\n"):
        log = read(write(header))
        assert (len(log), log.n_customers, log.observed_until) == (0, 0, None)


def test_other_columns_may_hold_anything(write):
    path = write('junk,id,when,where,junk,\n"a\nb",1,2024-01-01,a,,\n')
    assert len(read(path)) == 1


def test_names_of_columns_keep_their_case(write):
    path = write("ID,id,when,where\nX,y,2024-01-01,a\n")
    assert read(path).customer_ids == ("y",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\nid,when,where\n", "does not begin with the names"),
        (bytes(range(128, 256)) * 40, "line 1 is not in utf-8; does it hold characters"),
        ("id,when,where\n1,2024-01-01\n", "line 2 has 2 cells where the header has 3"),
        ("id,when,where\n1,2024-01-01,a,b\n", "line 2 has 4 cells where the header has 3"),
        ('id,when,where\n1,2024-01-01,"a\n', "opens a quote that is not closed"),
        ("id,id,when,where\n1,2,2024-01-01,a\n", "2 columns 'id'"),
        ("id,when,where\n1,2024-01-01," + "a" * 2_100_000 + "\n", "longer than"),
        (
            gzip.compress(b"id,when,where\n" + b"1,2024-01-01,a\n" * 999, mtime=0)[:-20],
            # DuckDB before 2.0 reads as far as it comes
            "truncated|line [0-9]+ has 2 cells where the header has 3",
        ),
        (gzip.compress(b"id,when,where\n", mtime=0)[:5], "truncated"),
    ],
)
def test_broken_files_are_refused_in_one_line_that_shows_no_cell(write, content, message):
    with pytest.raises(InputFileError, match=message) as caught:
        read(write(content))
    assert "\n" not in str(caught.value)
    assert "2024-01-01" not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["http://host/a.csv", "https://host/a.csv", "s3://b/a.csv", "hf://d/a", "file:///a.csv"]
)
def test_nothing_but_local_files_is_read(path):
    with pytest.raises(InputFileError, match="not a local file"):
        read(path)
    with pytest.raises(InputFileError, match="not a local file"):
        read_parquet(path, **NAMES)


def test_paths_that_name_no_file_are_refused(tmp_path, write):
    write("id,when,where\n", "events.csv")
    with pytest.raises(InputFileError, match=r"no file matches .*did you mean 'events\.csv'"):
        read(tmp_path / "event.csv")
    with pytest.raises(InputFileError, match="no file matches"):
        read(tmp_path / "*.txt")
    with pytest.raises(InputFileError, match=r"is a directory: give a glob such as '.*/\*\.csv'"):
        read(tmp_path)
    (tmp_path / "all" / "day=1").mkdir(parents=True)
    (tmp_path / "all" / "day=1" / "a.parquet").touch()
    with pytest.raises(InputFileError, match=r"a glob such as '.*/all/\*\*/\*\.parquet'"):
        read(tmp_path / "all")
    with pytest.raises(InputFileError, match="null character"):
        read("a\x00b")
    with pytest.raises(InvalidValue, match="path"):
        read([])


def test_globs_and_lists_are_read_in_order_whatever_the_columns_order(tmp_path, write):
    write("id,when,where,x\n1,2024-01-01,b,0\n", "e2.csv")
    write("where;when;id\na;2024-01-01;1\n", "e1.csv")
    by_glob = read(tmp_path / "e*.csv")
    assert [row[2] for row in rows(by_glob)] == ["a", "b"]
    by_list = read([tmp_path / "e2.csv", tmp_path / "e1.csv"])
    assert [row[2] for row in rows(by_list)] == ["b", "a"]


def test_rows_are_counted_over_all_files(tmp_path, write):
    write("id,when,where,n\n1,2024-01-01,a,1\n1,2024-01-01,a,1\n", "e1.csv")
    write("id,when,where,n\n1,2024-01-01,a,1\n1,2024-01-01,a,x\n", "e2.csv")
    with pytest.raises(InvalidData) as caught:
        read(tmp_path / "e*.csv", score="n")
    assert caught.value.rows == (3,)


def test_every_file_must_have_the_columns(tmp_path, write):
    write("id,when,where\n1,2024-01-01,a\n", "e1.csv")
    write("id,when,were\n1,2024-01-01,a\n", "e2.csv")
    with pytest.raises(UnknownName, match=r"where.*e2\.csv.*were"):
        read(tmp_path / "e*.csv")


def test_a_name_with_glob_characters_stands_for_itself(write):
    assert len(read(write("id,when,where\n1,2024-01-01,a\n", "e[1]*.csv"))) == 1


def test_compression_is_told_by_content(write):
    plain = b"id,when,where\n1,2024-01-01,a\n"
    assert len(read(write(gzip.compress(plain, mtime=0), "e.csv"))) == 1
    assert (
        len(
            read(
                write(
                    gzip.compress(plain, mtime=0) + gzip.compress(b"2,2024-01-02,a\n", mtime=0),
                    "e.csv",
                )
            )
        )
        == 2
    )
    assert len(read(write(plain, "e.csv.gz"))) == 1


def test_zstandard_is_read(tmp_path):
    path = tmp_path / "e.csv.zst"
    duckdb.connect().execute(
        "COPY (SELECT 1 AS id, '2024-01-01' AS \"when\", 'a' AS \"where\") "
        f"TO '{path}' (HEADER, COMPRESSION zstd)"
    )
    assert len(read(path)) == 1


def test_other_encodings_are_read_when_named(write):
    text = "id,when,where\n1,2024-01-01,café\n"
    path = write(text.encode("latin-1"))
    with pytest.raises(InputFileError, match=r"line 2 is not in utf-8; encoding= .*'cp1252'"):
        read(path)
    assert read(path, encoding="latin-1").touchpoints == ("café",)
    assert read(
        write(codecs.BOM_UTF16_LE + text.encode("utf-16-le")), encoding="utf-16"
    ).touchpoints
    with pytest.raises(InvalidValue, match=r"encoding .*did you mean 'cp1252'"):
        read(path, encoding="cp1253x")


def test_duckdb_is_asked_for_where_it_is_missing(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingDependency, match=r"read_csv\(\) needs duckdb.*cxjourney\[files\]"):
        read(write("id,when,where\n"))


def test_files_need_neither_pandas_nor_polars_nor_pyarrow(write, tmp_path):
    path = write("id,when,where,x\n1,2024-01-01,a,1\n2,2024-01-01 10:00+01:00,b,\n")
    typed = parquet(
        tmp_path / "e.parquet",
        """SELECT 7 AS id, TIMESTAMPTZ '2024-07-01 12:00:00Z' AS "when", NULL::INTEGER AS x,
                  'web'::ENUM('web', 'app') AS "where" """,
    )
    program = (
        "import sys\n"
        "for name in ('pandas', 'polars', 'pyarrow'): sys.modules[name] = None\n"
        "import cxjourney as cx\n"
        f"log = cx.read_csv({str(path)!r}, customer='id', timestamp='when', touchpoint='where',\n"
        "                   score='x')\n"
        "assert len(log) == 2\n"
        f"log = cx.read_parquet({str(typed)!r}, customer='id', timestamp='when',\n"
        "                       touchpoint='where', score='x')\n"
        "assert (log.customer_ids, log.touchpoints) == (('7',), ('web',))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""  # DuckDB complains at exit about types of its own that live on


def test_the_connection_loads_no_extension():
    from cxjourney.io._files import connect

    with connect("read_csv()") as connection:
        for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert connection.execute(f"SELECT current_setting('{setting}')").fetchone() == (False,)


# ---------------------------------------------------------------------- Parquet


def parquet(path, query: str):
    duckdb.connect().execute(
        f"SET TimeZone='Asia/Tokyo'; COPY ({query}) TO '{path}' (FORMAT parquet)"
    )
    return path


def test_parquet_keeps_its_types(tmp_path):
    path = parquet(
        tmp_path / "e.parquet",
        """SELECT 7 AS id, TIMESTAMPTZ '2024-07-01 12:00:00.000001+02' AS "when", 'a' AS "where",
                  4.5::DECIMAL(3, 1) AS stars, INTERVAL 90 SECONDS AS took, 3::HUGEINT AS n
           UNION ALL
           SELECT 7, NULL, 'b', NULL, NULL, NULL""",
    )
    log = read_parquet(path, **NAMES, score="stars", seq="n", missing="drop")
    (only,) = log.interactions()
    assert only.customer.id == "7"
    assert only.timestamp == datetime(2024, 7, 1, 10, 0, 0, 1, tzinfo=UTC)
    assert only.score == 4.5
    assert (log.intake.naive, dict(log.intake.dropped)) == (0, {"timestamp is missing": 1})


def test_a_parquet_column_may_serve_twice(tmp_path):
    path = parquet(
        tmp_path / "e.parquet",
        """SELECT 'x' AS id, TIMESTAMPTZ '2024-07-01 12:00:00+02' AS "when", 'a' AS "where" """,
    )
    log = read_parquet(path, **NAMES, channel="where", attributes=["when"])
    (only,) = log.interactions()
    assert (only.touchpoint.name, only.channel.name) == ("a", "a")
    assert only.timestamp == datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert dict(only.attributes) == {"when": "2024-07-01T10:00:00.000000Z"}


def test_parquet_intervals_are_durations_and_numbers_are_no_times(tmp_path):
    path = parquet(
        tmp_path / "e.parquet",
        """SELECT 'a' AS id, '2024-01-01' AS "when", 'x' AS "where", 5 AS n,
                  INTERVAL 90 SECONDS AS took
           UNION ALL SELECT 'a', '2024-01-02', 'x', 6, NULL""",
    )
    log = read_parquet(path, **NAMES, duration="took")
    assert [i.duration for i in log.interactions()] == [timedelta(seconds=90), None]
    with pytest.raises(InvalidValue, match="a number has no unit, which timestamp_unit="):
        read_parquet(path, customer="id", timestamp="n", touchpoint="where")
    with pytest.raises(InvalidValue, match="a number has no unit"):
        read_parquet(path, **NAMES, duration="n")


def test_naive_parquet_timestamps_are_read_in_tz(tmp_path):
    path = parquet(
        tmp_path / "e.parquet",
        "SELECT 'x' AS id, TIMESTAMP '2024-07-01 12:00' AS \"when\", 'a' AS \"where\"",
    )
    log = read_parquet(path, **NAMES, tz="Europe/Prague")
    assert rows(log) == [("x", "2024-07-01 10:00:00", "a")]
    assert log.intake.naive == 1


def test_parquet_enums_dates_and_nulls_are_read(tmp_path):
    path = parquet(
        tmp_path / "e.parquet",
        """SELECT u.id, DATE '2024-01-01' AS "when", 'web'::ENUM('web', 'app') AS "where",
                  u.score AS score
           FROM (VALUES ('NA', 1), ('', NULL), ('007', NULL)) AS u(id, score)""",
    )
    log = read_parquet(path, **NAMES, score="score", missing="drop")
    assert sorted(log.customer_ids) == ["007", "NA"]
    assert np.isnan(log.columns.numeric["score"]).sum() == 1


def test_parquet_files_of_different_column_order_are_joined_by_name(tmp_path):
    parquet(tmp_path / "e1.parquet", "SELECT '1' AS id, '2024-01-01' AS \"when\", 'a' AS \"where\"")
    parquet(tmp_path / "e2.parquet", "SELECT 'b' AS \"where\", '1' AS id, '2024-01-02' AS \"when\"")
    log = read_parquet(tmp_path / "*.parquet", **NAMES)
    assert [row[2] for row in rows(log)] == ["a", "b"]


def test_parquet_that_is_none_or_lacks_a_column_is_refused(tmp_path, write):
    good = parquet(tmp_path / "e.parquet", "SELECT '1' AS id, '2024-01-01' AS \"when\"")
    with pytest.raises(UnknownName, match="'where' is not in"):
        read_parquet(good, **NAMES)
    for content in (b"", b"PAR1", b"id,when,where\n", good.read_bytes()[:100]):
        with pytest.raises(InputFileError, match=r"cannot be read|is empty") as caught:
            read_parquet(write(content, "bad.parquet"), **NAMES)
        assert "\n" not in str(caught.value)


def test_a_column_of_numbers_may_be_an_attribute_too_and_is_then_as_it_was_written(write):
    path = write("id,when,where,nps\n1,2024-01-01,a,09\n1,2024-01-02,b,\n")
    log = read(path, score="nps", attributes=["nps"], journey="id")
    assert log.columns.numeric["score"].tolist() == pytest.approx([9, np.nan], nan_ok=True)
    assert log.attribute("nps").values() == ["09", None]
    assert log.attribute("journey").values() == ["1", "1"]


def test_a_column_of_a_parquet_file_may_have_several_roles(tmp_path):
    path = tmp_path / "events.parquet"
    query = "SELECT '1' AS id, TIMESTAMP '2024-01-01' AS \"when\", 'a' AS \"where\", 9 AS nps"
    duckdb.sql(query).write_parquet(str(path))
    log = read_parquet(path, **NAMES, score="nps", attributes=["nps"], journey="id")
    assert log.columns.numeric["score"].tolist() == [9.0]
    assert log.attribute("nps").values() == [9]
    assert log.attribute("journey").values() == ["1"]


def test_a_missing_column_is_named_by_the_argument_that_asked_for_it():
    table = {"id": [1], "when": ["2024-01-01"], "where": ["a"], "region": ["north"]}
    for options, message in (
        ({"attributes": ["regoin"]}, "^attributes= column 'regoin' is not in the data; .*'region'"),
        ({"attributes": "regoin"}, "^attributes= column 'regoin' is not in the data; .*'region'"),
        ({"channel": "chanel"}, "^channel= column 'chanel' is not in the data"),
        ({"currency": "eur"}, "^currency= column 'eur' is not in the data"),
        ({"customers": 7}, "^customers must be a pandas, polars, pyarrow or DuckDB table"),
        ({"missing": "skip"}, "^missing must be one of 'refuse', 'drop'; got 'skip'"),
        ({"currency": 7}, "^currency must be a name, which is a string; got 7"),
    ):
        with pytest.raises(InvalidValue, match=message):
            InteractionLog.from_frame(table, **NAMES, **options)
