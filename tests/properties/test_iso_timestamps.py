"""Compiled reading of ISO timestamps reads what the reader of whole columns reads, and no more."""

from __future__ import annotations

import calendar
import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney import kernels
from cxjourney._time.timestamps import _from_strings, read_timestamps, to_utc_us
from cxjourney.exceptions import InvalidData

pytestmark = pytest.mark.native

two = st.integers(0, 99).map("{:02d}".format)
clock = st.sampled_from(["00", "09", "23", "24", "59", "60", "7", "007", "x1"]) | two
blanks = st.sampled_from(["", "", "", " ", "\t", "  \t"])
dates = st.builds(
    "{}-{}-{}".format,
    st.sampled_from(["0000", "0001", "1600", "1900", "1969", "1970", "2000", "2024", "9999", "24"]),
    st.integers(0, 13).map("{:02d}".format),
    st.sampled_from(["00", "01", "28", "29", "30", "31", "32", "1", "001"]),
)
fractions = st.builds(
    "{}{}".format,
    st.sampled_from([".", ",", ";"]),
    st.text("0123456789", max_size=9) | st.text("09", max_size=60),
)
times = st.builds(
    "{}{}:{}{}{}".format,
    st.sampled_from(["T", "t", " ", "  ", "_", ""]),
    clock,
    clock,
    st.just("") | clock.map(":{}".format),
    st.just("") | fractions,
)
zones = st.sampled_from(
    ["", "", "Z", "z", "UTC", "utc", "Gmt", "UT", "ZZ", "Z+01:00", "GMT+1", "+", "-1", "CET"]
) | st.builds(
    "{}{}{}".format,
    st.sampled_from("+-±"),
    clock,
    st.just("")
    | st.builds("{}{}".format, st.sampled_from(["", ":", "."]), clock)
    | st.builds(":{}:{}".format, clock, clock),
)
timestamps = st.builds(
    "{}{}{}{}{}{}".format, blanks, dates, st.just("") | times, blanks, zones, blanks
)
exported = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str)
characters = st.sampled_from("0123456789-:+.,TtZzUuCcGgMm \t\x00é\u0661🛒")
spoilt = st.builds(
    lambda text, at, character: text[:at] + character + text[at + 1 :],
    exported | timestamps,
    st.integers(0, 40),
    characters | st.just(""),
)
strings = (
    exported | timestamps | spoilt | st.text(characters, max_size=70) | st.sampled_from(["", " "])
)


def read(column: list[str | None]):
    return kernels.arrow_strings(pa.chunked_array([pa.array(column, pa.string())])).timestamps()


@given(strings)
def test_a_text_is_read_alike_or_left_to_the_other(text):
    found = read([text])
    try:
        us, missing, naive = _from_strings(np.array([text], dtype=object), None, None, "timestamp")
    except InvalidData:
        assert found is None
        return
    if len(text) > 64 or text.strip(" \t")[:8].isdigit():  # blanks alone; the basic form
        assert found is None
        return
    assert (bool(found[1][0]), bool(found[2][0])) == (bool(missing[0]), bool(naive[0]))
    assert found[0][0] == (0 if missing[0] else us[0])


def test_every_day_of_the_calendar_is_read():
    days = np.arange("0001-01-01", "9999-12-31", dtype="M8[D]")[::17].astype(str).tolist()
    assert read(days)[0].tolist() == np.array(days, dtype="M8[us]").astype(np.int64).tolist()


@pytest.mark.parametrize("year", [1, 4, 100, 400, 1900, 2000, 2023, 2024, 9999])
def test_months_have_the_days_of_the_calendar(year):
    for month in range(1, 13):
        last = calendar.monthrange(year, month)[1]
        read_to = [
            day for day in range(32) if read([f"{year:04d}-{month:02d}-{day:02d}"]) is not None
        ]
        assert read_to == list(range(1, last + 1))


@given(
    st.lists(st.none() | exported | timestamps, max_size=8),
    st.sampled_from(["UTC", "Europe/Prague"]),
)
def test_a_column_has_the_timestamps_and_the_errors_of_its_strings(column, tz):
    def outcome(values):
        try:
            found = read_timestamps(values, tz=tz)
        except InvalidData as error:
            return str(error), error.rows
        counts = found.n_naive, found.n_ambiguous, found.n_nonexistent
        return found.us.tolist(), found.missing.tolist(), counts

    buffers = kernels.arrow_strings(pa.chunked_array([pa.array(column, pa.string())]))
    objects = np.array(column, dtype=object)
    assert outcome(buffers) == outcome(objects)


def test_columns_of_several_streams_are_read_as_one():
    column = [f"2024-01-{1 + i % 28:02d}T{i % 24:02d}:00" for i in range(450_000)]
    pieces = [column[:3], [], column[3:400_000], [*column[400_000:], None]]
    stacked = kernels.ArrowStrings.stacked(
        kernels.arrow_strings(pa.chunked_array([pa.array(piece, pa.large_string())]))
        for piece in pieces
    )
    us, missing, naive = stacked.timestamps()
    expected = to_utc_us(np.array(column, dtype="M8[us]"))
    assert np.array_equal(us[:-1], expected.us)
    assert np.flatnonzero(missing).tolist() == [450_000]
    assert naive.sum() == 450_000
    codes, names = stacked.encoded()
    assert list(names) == list(dict.fromkeys(column))
    assert [names[code] for code in codes[:-1].tolist()] == column
    assert list(itertools.chain(*pieces)) == stacked.objects().tolist()


def test_rows_out_of_range_are_refused():
    (piece,) = kernels.arrow_strings(pa.chunked_array([pa.array(["2024-01-01"])])).pieces
    us, reading = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.uint8)
    with pytest.raises(ValueError, match="out of range"):
        piece.timestamps(0, us, reading)
    with pytest.raises(ValueError, match="out of range"):
        piece.timestamps(0, us[:1], reading)
    with pytest.raises(ValueError, match="out of range"):
        piece.timestamps(-1, us[:1], reading[:1])
