from __future__ import annotations

import gzip
import json
from datetime import timedelta

import duckdb
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import (
    InputFileError,
    InvalidData,
    InvalidValue,
    ReservedName,
    UnknownName,
)
from cxjourney.io import file_columns

ROWS = [
    {"user": {"id": 7}, "at": "2026-01-05T09:00:00Z", "name": "view", "n": 1.5, "ch": None},
    {"user": {"id": "a"}, "at": "2026-01-05T10:00:00Z", "name": "bu\"y, 'é'\n", "ch": ""},
    {"at": "2026-01-06", "name": "view", "user": {"id": "7.0"}, "more": [1], "ch": "web"},
]
ROLES = {"customer": "user.id", "timestamp": "at", "touchpoint": "name"}


def told(log):
    return [
        (i.customer.id, i.timestamp.isoformat()[:13], i.touchpoint.name, i.value,
         i.channel and i.channel.name)
        for i in log.interactions()
    ]  # fmt: skip


EXPECTED = [
    ("7", "2026-01-05T09", "view", 1.5, None),
    ("7", "2026-01-06T00", "view", None, "web"),
    ("a", "2026-01-05T10", "bu\"y, 'é'\n", None, None),
]


@pytest.mark.parametrize("form", ["lines", "array", "gzip", "mark"])
def test_lines_and_arrays_are_read_alike(tmp_path, form):
    file = tmp_path / "hits"
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    text = json.dumps(ROWS, indent=2) if form == "array" else f"{lines}\n\n"
    data = text.encode("utf-8-sig" if form == "mark" else "utf-8")
    file.write_bytes(gzip.compress(data) if form == "gzip" else data)
    if form == "mark" and duckdb.__version__ < "2":
        with pytest.raises(InputFileError, match="Malformed"):  # and never read otherwise
            cx.read_json(file, **ROLES)
        return
    log = cx.read_json(file, **ROLES, value="n", channel="ch")
    assert sorted(told(log)) == EXPECTED


NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8).filter(str.strip)


@given(st.lists(st.tuples(NAMES, NAMES, st.booleans()), min_size=1, max_size=9), NAMES)
def test_any_text_comes_back_from_any_key(tmp_path_factory, rows, key):
    assume(key not in {"t", "w"} and "\0" not in key)  # which DuckDB 1.4 has in no query
    file = tmp_path_factory.mktemp("json") / "hits.jsonl"
    times = [f"2026-01-{i + 1:02}" for i in range(len(rows))]
    objects = [
        {key: who, "t": time, "w": what} if first else {"t": time, "w": what, key: who}
        for time, (who, what, first) in zip(times, rows, strict=True)
    ]
    file.write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    frame = {"who": [row[0] for row in rows], "t": times, "w": [row[1] for row in rows]}
    try:
        expected = cx.InteractionLog.from_frame(
            frame, customer="who", timestamp="t", touchpoint="w"
        )
    except ReservedName:
        reject()
    found = cx.read_json(file, customer=key, timestamp="t", touchpoint="w")
    assert sorted(map(repr, found.interactions())) == sorted(map(repr, expected.interactions()))


def test_a_key_with_points_is_found_before_one_within_objects(tmp_path):
    file = tmp_path / "hits.jsonl"
    rows = [{"a.b": "flat", "a": {"b": "deep"}}, {"a": {"b": "deep"}}]
    file.write_text("\n".join(json.dumps({**row, "t": "2026-01-01"}) for row in rows))
    log = cx.read_json(file, customer="t", timestamp="t", touchpoint="a.b")
    assert log.touchpoints == ("deep", "flat")


def write(tmp_path, text):
    file = tmp_path / "hits.jsonl"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ('{"u": 1, "t": "2026-01-01", "w": "a"', InputFileError, "cannot be read: Malformed"),
        ('{"u": 1}\n[1]\n3\n', InputFileError, "holds 2 values that are no objects"),
        ("[]", InputFileError, "holds no object"),
        ("", InputFileError, "is empty"),
        (b'{"u": "\xe9", "t": "2026-01-01", "w": "a"}', InputFileError, "not in utf-8"),
        ('{"u": 1, "t": "2026-01-01", "what": "a"}', UnknownName, "did you mean 'what'"),
        (
            '{"u": [1], "t": "2026-01-01", "w": "a"}',
            InvalidData,
            "u is a list or an object in 1 row",
        ),
        ('{"u": 1, "t": 1767225600, "w": "a"}', InvalidData, "timestamp"),
        ('{"u": 1, "t": "2026-01-01", "w": "a", "s": "x"}', InvalidData, "s is no number"),
    ],
)
def test_what_is_no_log_is_refused_in_a_line(tmp_path, text, error, match):
    columns = {"score": "s"} if '"s"' in str(text) else {}
    with pytest.raises(error, match=match) as caught:
        cx.read_json(
            write(tmp_path, text), customer="u", timestamp="t",
            touchpoint="what_" if error is UnknownName else "w", **columns,
        )  # fmt: skip
    assert len(str(caught.value)) < 400


def test_row_numbers_count_over_all_files(tmp_path):
    good, bad = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    row = {"u": 1, "t": "2026-01-01", "w": "a", "n": 1}
    good.write_text("\n".join([json.dumps(row)] * 3))
    bad.write_text("\n".join(map(json.dumps, [row, {**row, "n": "x"}])))
    with pytest.raises(InvalidData, match=r"n is no number in 1 row: 4"):
        cx.read_json([good, bad], customer="u", timestamp="t", touchpoint="w", value="n")


def test_durations_and_currencies_are_those_of_other_readers(tmp_path):
    file = write(tmp_path, '{"u": 1, "t": "2026-01-01", "w": "a", "d": 90, "EUR": 3}')
    roles = {"customer": "u", "timestamp": "t", "touchpoint": "w"}
    with pytest.raises(InvalidValue, match="duration_unit"):
        cx.read_json(file, **roles, duration="d")
    log = cx.read_json(file, **roles, duration="d", duration_unit=timedelta(seconds=1))
    assert [i.duration for i in log.interactions()] == [timedelta(seconds=90)]
    with pytest.raises(InvalidValue, match="currency"):
        cx.read_json(file, **roles, value="d", currency="EUR")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("array", [True, False])
def test_other_encodings_give_what_utf_8_gives(tmp_path, encoding, array):
    rows = [{**row, "name": row["name"] + " ü"} for row in ROWS]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    text = json.dumps(rows, ensure_ascii=False, indent=1) if array else lines
    plain, other = tmp_path / "plain.json", tmp_path / "other.json"
    plain.write_bytes(text.encode())
    other.write_bytes(text.encode(encoding))
    log = cx.read_json(other, **ROLES, value="n", channel="ch", encoding=encoding)
    assert log == cx.read_json(plain, **ROLES, value="n", channel="ch")
    assert file_columns(other, encoding=encoding) == file_columns(plain)
    if encoding == "cp1252":
        with pytest.raises(InputFileError, match=r"line \d+ is not in utf-8; .*'cp1252'"):
            cx.read_json(other, **ROLES)
    else:  # a byte order mark says so
        assert cx.read_json(other, **ROLES, value="n", channel="ch") == log


def test_a_broken_object_in_another_encoding_is_refused(tmp_path):
    for text in ('{"u": 1', '[{"u": 1}', '{"u": 1}\n3', "[3]"):
        file = tmp_path / "hits.json"
        file.write_bytes(text.encode("utf-16"))
        with pytest.raises((InputFileError, UnknownName)):
            cx.read_json(file, customer="u", timestamp="u", touchpoint="u")


def test_a_damaged_gzip_is_refused(tmp_path):
    lines = "\n".join(json.dumps({"u": i, "t": "2026-01-01", "w": "a"}) for i in range(9999))
    packed = gzip.compress(lines.encode(), mtime=0)
    for content in (packed[:-9], packed[:-8] + b"\0" * 8):
        file = tmp_path / "hits.json"
        file.write_bytes(content)
        with pytest.raises(InputFileError, match="compressed stream is truncated or damaged"):
            cx.read_json(file, customer="u", timestamp="t", touchpoint="w")
