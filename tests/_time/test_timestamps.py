# ruff: noqa: DTZ001, DTZ007 - naive timestamps are the subject
from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney._time.timestamps import Timestamps, to_utc_us
from cxjourney._time.zones import localise
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = (
    "UTC",
    "Europe/Prague",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Pacific/Apia",  # skipped a whole day
    "Africa/Casablanca",  # two changes within a month
    "America/St_Johns",
)


def us(when: datetime) -> int:
    return (when - EPOCH) // timedelta(microseconds=1)


def read(*strings, **options):
    return to_utc_us(np.array(strings, dtype=object), **options)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-07-01", datetime(2024, 7, 1, tzinfo=UTC)),
        ("2024-07-01 10:20", datetime(2024, 7, 1, 10, 20, tzinfo=UTC)),
        ("2024-07-01T10:20:30", datetime(2024, 7, 1, 10, 20, 30, tzinfo=UTC)),
        ("2024-07-01T10:20:30.5", datetime(2024, 7, 1, 10, 20, 30, 500_000, UTC)),
        ("2024-07-01T10:20:30,000001", datetime(2024, 7, 1, 10, 20, 30, 1, UTC)),
        ("2024-07-01T10:20:30.123456999", datetime(2024, 7, 1, 10, 20, 30, 123_456, UTC)),
        ("2024-07-01T10:20:30Z", datetime(2024, 7, 1, 10, 20, 30, tzinfo=UTC)),
        ("2024-07-01 10:20:30 UTC", datetime(2024, 7, 1, 10, 20, 30, tzinfo=UTC)),
        ("2024-07-01 10:20:30+01", datetime(2024, 7, 1, 9, 20, 30, tzinfo=UTC)),
        ("2024-07-01 10:20:30.25 -0530", datetime(2024, 7, 1, 15, 50, 30, 250_000, UTC)),
        ("2024-07-01T10:20:30+01:00:01", datetime(2024, 7, 1, 9, 20, 29, tzinfo=UTC)),
        ("  2024-02-29\t", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999", datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)),
    ],
)
def test_iso_8601_is_read_in_all_its_usual_forms(text, instant):
    assert read(text).us.tolist() == [us(instant)]


@pytest.mark.parametrize(
    "text",
    [
        "2024-13-01",
        "2023-02-29",
        "2024-00-10",
        "0000-01-01",
        "2024-1-5",
        "2024015",
        "20241305",
        "20240105 10:00",
        "20240105T24",
        "20240105T2400",
        "03/04/2024",
        "2024-01-01 24:00",
        "2024-01-01 10:60",
        "2024-01-01 10:00:60",
        "2024-01-01 10:00:",
        "2024-01-01 10:00:00.",
        "2024-01-01 10:00+24:00",
        "2024-01-01 10:00 CET",
        "2024-01-01 10:00:00Zulu",
        "2024-01-01\x00",
        "２０２４-01-01",  # digits that str.isdigit accepts
        "2024-01-01" + " " * 200,
        "NA",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_timestamp_is_refused_with_its_row(text):
    with pytest.raises(InvalidData) as caught:
        read("2024-01-01", "", text, "2024-01-02")
    assert caught.value.rows == (2,)


def test_the_refusal_shows_an_example_and_the_way_out():
    with pytest.raises(InvalidData, match=r"when such as '31\.12\.2024' .* 2 rows: 1, 2; .*%d"):
        read("2024-01-01", "31.12.2024", "30.12.2024", name="when")


def test_a_hostile_cell_is_not_printed_whole():
    with pytest.raises(InvalidData) as caught:
        read("2" * 1_000_000)
    assert len(str(caught.value)) < 300


def test_missing_timestamps_are_marked_and_naive_ones_counted():
    pandas = pytest.importorskip("pandas")
    timestamps = read(
        None, "", "   ", float("nan"), pandas.NA, pandas.NaT, "2024-01-01", "2024-01-01Z"
    )
    assert timestamps.missing.tolist() == [True] * 6 + [False] * 2
    assert timestamps.us[:6].tolist() == [0] * 6
    assert timestamps.n_naive == 1


def test_masked_rows_are_missing():
    strings = np.ma.MaskedArray(np.array(["2024-01-01", "?"], dtype=object), mask=[False, True])
    assert to_utc_us(strings).missing.tolist() == [False, True]


def test_objects_are_read_as_their_iso_text():
    berlin = datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    timestamps = read(berlin, date(2024, 7, 1), datetime(2024, 7, 1, 1), tz="Europe/Berlin")
    assert timestamps.us.tolist() == [
        us(datetime(2024, 7, 1, 10, tzinfo=UTC)),
        us(datetime(2024, 6, 30, 22, tzinfo=UTC)),
        us(datetime(2024, 6, 30, 23, tzinfo=UTC)),
    ]
    assert timestamps.n_naive == 2


def test_numbers_are_not_guessed_to_be_times():
    for numbers in (
        np.array([1_700_000_000]),
        np.array([1.7e9]),
        np.array([None, 1_700_000_000], dtype=object),
        np.array(["2024-01-01", 20240101], dtype=object),
        np.array([Decimal(1700000000)], dtype=object),
        np.array([True], dtype=object),
    ):
        with pytest.raises(InvalidValue, match="a number has no unit, which timestamp_unit="):
            to_utc_us(numbers)


NOON = datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)  # 1,700,000,000 s and a fraction


@pytest.mark.parametrize(
    ("unit", "numbers"),
    [
        ("s", np.array([1_700_000_000.123456])),
        ("s", np.array(["1700000000.123456", "1.700000000123456e9"])),
        ("s", np.array([Decimal("1700000000.123456")], dtype=object)),
        ("ms", np.array([1_700_000_000_123.456])),
        ("us", np.array([1_700_000_000_123_456])),
        ("us", np.array([1_700_000_000_123_456], dtype=np.uint64)),
        ("us", np.array([1_700_000_000_123_456, 1.700000000123456e15], dtype=object)),
        ("ns", np.array([1_700_000_000_123_456_789])),
        ("ns", np.array(["1700000000123456789"])),
        ("ns", np.array([1_700_000_000_123_456_789], dtype=object)),
    ],
)
def test_numbers_of_a_stated_unit_are_counted_from_1970(unit, numbers):
    stamps = to_utc_us(numbers, unit=unit, tz="Asia/Tokyo")
    assert stamps.us.tolist() == [us(NOON)] * len(numbers)
    assert stamps.n_naive == 0


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_numbers_before_1970_and_missing_ones(unit):
    size = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}[unit]
    floats = to_utc_us(np.array([np.nan, -1.5 * size]), unit=unit)
    whole = np.ma.MaskedArray(np.array([0, -3 * size // 2]), mask=[True, False])
    strings = np.array(["", f"-{15 * size // 10}" if size > 1 else "-1.5"])
    for stamps in (floats, to_utc_us(strings, unit=unit)):
        assert stamps.missing.tolist() == [True, False]
        assert stamps.us.tolist() == [0, -1_500_000]
    assert to_utc_us(whole, unit=unit).us.tolist() == [0, -2_000_000 if size == 1 else -1_500_000]


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        ("s", 1_700_000_000_000),  # milliseconds
        ("ms", 1_700_000_000_000_000),  # microseconds
        ("s", 2**63 - 1),
        ("ms", -(2**62)),
        ("s", np.inf),
    ],
)
def test_numbers_of_a_larger_unit_than_stated_are_refused_as_no_time(unit, number):
    for column in (np.array([number]), np.array([str(number)]), np.array([number], dtype=object)):
        with pytest.raises(InvalidData, match=f'in 1 row: 0; timestamp_unit is "{unit}"'):
            to_utc_us(column, unit=unit)


@pytest.mark.parametrize("text", ["", "x", "1e400", "0x10", "1_000", "nan", "inf", "1" * 70])
def test_strings_that_are_no_numbers_are_refused_where_a_unit_is_stated(text):
    with pytest.raises(InvalidData, match="in 1 row: 1"):
        to_utc_us(np.array(["1", text or "--"], dtype=object), unit="ms")


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "25s", "7ms"])
def test_datetimes_that_microseconds_cannot_hold_are_refused_before_they_wrap(unit):
    for count in (2**62, -(2**62), 2**63 - 1, 2**58):
        if unit in {"ms", "7ms"} and count == 2**58:
            count = 2**60
        values = np.array([0, count]).view(f"M8[{unit}]")
        with pytest.raises(InvalidData, match="outside the years 1 to 9999 in 1 row: 1"):
            to_utc_us(values)


@pytest.mark.parametrize(
    ("unit", "per_us"), [("ns", 10**3), ("ps", 10**6), ("fs", 10**9), ("as", 10**12), ("7ns", None)]
)
def test_datetimes_finer_than_microseconds_are_cut_off(unit, per_us):
    counts = [0, 2**62, -(2**62), 2**40 + 1, -1]
    expected = [c * 7 // 1000 if per_us is None else c // per_us for c in counts]
    assert to_utc_us(np.array(counts).view(f"M8[{unit}]")).us.tolist() == expected


@pytest.mark.parametrize(
    "text",
    ["20240131", "20240131T0000", "20240131T000000", "20240131 000000.000", "20240131T000000Z",
     "20240131T0100+0100", "20240131T000000,0 UTC"],
)  # fmt: skip
def test_iso_dates_without_separators_are_read(text):
    assert read(text).us.tolist() == [us(datetime(2024, 1, 31, tzinfo=UTC))]


def test_equal_strings_are_read_once_and_stand_in_their_rows():
    texts = ["2024-07-01", "2024-07-02", "", "2024-07-01", None, "2024-07-02"] * 3
    stamps = read(*texts)
    first, second = us(datetime(2024, 7, 1, tzinfo=UTC)), us(datetime(2024, 7, 2, tzinfo=UTC))
    assert stamps.us.tolist() == [first, second, 0, first, 0, second] * 3
    assert stamps.missing.tolist() == [False, False, True, False, True, False] * 3
    with pytest.raises(InvalidData) as caught:
        read("2024-07-01", "?", "2024-07-01", "?")
    assert caught.value.rows == (1, 3)


def test_a_format_is_read_from_left_to_right_without_second_thoughts():
    # two digits of the day are there, so two are taken, and none are left for the year's last
    with pytest.raises(InvalidData):
        read("1122024", fmt="%d%m%Y")  # 11 February or 1 December
    with pytest.raises(InvalidData):
        read("2024111", fmt="%Y%m%d")  # 11 January or 1 November
    with pytest.raises(InvalidData):
        read("2024-01-01 123", fmt="%Y-%m-%d %H%M")
    with pytest.raises(InvalidData):
        read("112024", fmt="%d1%Y")  # the 1 of the format or of the day
    assert read("1.2.2024", fmt="%d.%m.%Y").us.tolist() == [us(datetime(2024, 2, 1, tzinfo=UTC))]


@pytest.mark.parametrize(
    "tz",
    [
        "Europe/Pragu",
        "../../etc/passwd",
        "",
        "Europe",
        "localtime",
        "posixrules",
        "right/UTC",
        "Factory",
    ],
)
def test_an_unknown_zone_is_refused_even_if_no_timestamp_needs_it(tz):
    with pytest.raises(UnknownName, match="time zone"):
        read("2024-01-01Z", tz=tz)


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("31.12.2024 23:59", "%d.%m.%Y %H:%M"),
        ("1/2/2024 3:04 PM", "%m/%d/%Y %I:%M %p"),
        ("12/31/2024 12:00 am", "%m/%d/%Y %I:%M %p"),
        ("12/31/2024 12:00 pm", "%m/%d/%Y %I:%M %p"),
        ("20240105T060708.25", "%Y%m%dT%H%M%S.%f"),
        ("20240105060708250000", "%Y%m%d%H%M%S%f"),
        ("05Jan2024", "%d%b%Y"),
        ("240105", "%y%m%d"),
        ("Mon, 01 Jan 2024 10:00:00 +0130", "%a, %d %b %Y %H:%M:%S %z"),
        ("May 5, 1969", "%B %d, %Y"),
        ("03-MAY-69", "%d-%b-%y"),
        ("03-may-68", "%d-%b-%y"),
        ("2024年01月05日", "%Y年%m月%d日"),
        ("100% on 2024-01-05", "100%% on %Y-%m-%d"),
    ],
)
def test_formats_mean_what_strptime_means(text, fmt):
    expected = datetime.strptime(text, fmt)
    aware = expected if expected.tzinfo else expected.replace(tzinfo=UTC)
    assert read(text, fmt=fmt).us.tolist() == [us(aware)]


@pytest.mark.parametrize(
    ("text", "fmt", "instant"),
    [
        ("1700000000", "%s", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("-1", "%s", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("1700000000123", "%Q", datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)),
        ("1700000000123456", "%q", datetime(2023, 11, 14, 22, 13, 20, 123_456, UTC)),
        ("1700000000.25", "%s.%f", datetime(2023, 11, 14, 22, 13, 20, 250_000, UTC)),
        ("-1.5", "%s.%f", datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC)),
        ("-0.5", "%s.%f", datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)),
        ("2024-01-05 10:00 UTC", "%Y-%m-%d %H:%M %Z", datetime(2024, 1, 5, 10, tzinfo=UTC)),
    ],
)
def test_times_since_the_epoch_and_named_zones_are_utc(text, fmt, instant):
    timestamps = read(text, fmt=fmt, tz="America/New_York")
    assert timestamps.us.tolist() == [us(instant)]
    assert timestamps.n_naive == 0


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("13:00 PM 2024", "%H:%M PM %Y x"),
        ("2024 13 PM", "%Y %I %p"),
        ("2024 0 AM", "%Y %I %p"),
        ("2024 Foo", "%Y %b"),
        ("2024-01", "%Y-%m-%d"),
        ("2024-01-01 ", "%Y-%m-%d %H"),
        ("2024-01-01 10:00", "%Y-%m-%d %H:%M %z"),
        ("9999999999999", "%s"),
    ],
)
def test_strings_that_do_not_fit_their_format_are_refused(text, fmt):
    with pytest.raises(InvalidData, match="timestamp_format"):
        read(text, fmt=fmt)


@pytest.mark.parametrize("fmt", ["%Y-%q", "%H:%M", "%Y %", "%Y %I", "%Y %H %p"])
def test_formats_that_cannot_work_are_refused(fmt):
    with pytest.raises(InvalidValue, match="timestamp_format"):
        read("2024", fmt=fmt)


@pytest.mark.parametrize(
    "fmt",
    [
        "%Y %y", "%Y-%m-%d %d", "%Y %m %b", "%Y %H %I %p", "%Y %z %Z", "%s %Q",  # said twice
        "%s%f", "%f%Y", "%S%s%Y", "%Y-%m-%d %H%f%M", "%Y %z%H", "%s1", "%Y %f0",  # shared digits
        "%Y %s", "%Q %z", "%q.%f", "%s %H",  # a time since the epoch is whole
    ],
)  # fmt: skip
def test_formats_whose_directives_share_digits_or_say_a_thing_twice_are_refused(fmt):
    with pytest.raises(InvalidValue, match="timestamp_format"):
        read("2024", fmt=fmt)


def test_daylight_saving_takes_the_earlier_offset_and_counts():
    # Prague, 31 March 2024: 02:00 becomes 03:00; 27 October 2024: 03:00 becomes 02:00.
    timestamps = read(
        "2024-03-31 01:59:59.999999",
        "2024-03-31 02:30",
        "2024-03-31 03:00",
        "2024-10-27 01:59:59",
        "2024-10-27 02:30",
        "2024-10-27 03:00",
        "2024-10-27 02:30+01:00",  # the second 02:30, said so
        tz="Europe/Prague",
    )
    assert timestamps.us.astype("M8[us]").astype("M8[s]").astype(str).tolist() == [
        "2024-03-31T00:59:59",
        "2024-03-31T01:30:00",
        "2024-03-31T01:00:00",
        "2024-10-26T23:59:59",
        "2024-10-27T00:30:00",
        "2024-10-27T02:00:00",
        "2024-10-27T01:30:00",
    ]
    assert (timestamps.n_naive, timestamps.n_ambiguous, timestamps.n_nonexistent) == (6, 1, 1)


def test_datetime64_of_any_unit_is_wall_clock_time():
    for unit in ("ns", "us", "ms", "s", "m", "h"):
        values = np.array(["2024-07-01T12", "NaT"], dtype=f"M8[{unit}]")
        timestamps = to_utc_us(values, tz="Europe/Prague")
        assert timestamps.us[0] == us(datetime(2024, 7, 1, 10, tzinfo=UTC))
        assert timestamps.missing.tolist() == [False, True]
        assert timestamps.n_naive == 1


def test_datetime64_beyond_the_calendar_is_refused():
    with pytest.raises(InvalidData, match="years 1 to 9999") as caught:
        to_utc_us(np.array(["2024-01-01", "12024-01-01"], dtype="M8[s]"))
    assert caught.value.rows == (1,)


def test_instants_beyond_the_calendar_are_refused():
    masked = np.ma.MaskedArray([0, 2**62, 2**62], [False, True, False])
    with pytest.raises(InvalidData, match="years 1 to 9999") as caught:
        Timestamps.placed(masked)
    assert caught.value.rows == (2,)
    assert Timestamps.placed(masked[:2]).missing.tolist() == [False, True]


def test_the_array_of_the_caller_is_left_alone():
    values = np.array(["2024-07-01T12"], dtype="M8[us]")
    to_utc_us(values, tz="Europe/Prague")
    assert values[0] == np.datetime64("2024-07-01T12", "us")


def test_an_empty_column_has_no_timestamps():
    for dtype in ("U1", object, "M8[us]"):
        timestamps = to_utc_us(np.array([], dtype=dtype), tz="Europe/Prague")
        assert (len(timestamps.us), timestamps.n_naive) == (0, 0)


timestamps_around_changes = st.one_of(
    st.datetimes(datetime(1900, 1, 1), datetime(2036, 12, 31)),
    st.datetimes(datetime(2024, 3, 30), datetime(2024, 4, 8)),
    st.datetimes(datetime(2011, 12, 28), datetime(2012, 1, 2)),
)


@given(st.lists(timestamps_around_changes, max_size=40), st.sampled_from(ZONES))
def test_localising_a_column_equals_zoneinfo_row_by_row(whens, zone):
    local = np.array(whens, dtype="M8[us]").view(np.int64)
    placed = localise(local, zone)
    tz = ZoneInfo(zone)
    assert placed.us.tolist() == [us(when.replace(tzinfo=tz, fold=0)) for when in whens]
    folds = [
        (when.replace(tzinfo=tz, fold=0).utcoffset(), when.replace(tzinfo=tz, fold=1).utcoffset())
        for when in whens
    ]
    assert placed.n_ambiguous == sum(first > second for first, second in folds)
    assert placed.n_nonexistent == sum(first < second for first, second in folds)


offsets = st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))


@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),
            st.none() | offsets,
            st.sampled_from("T "),
            st.sampled_from(["auto", "minutes", "seconds", "milliseconds", "microseconds"]),
        ),
        max_size=40,
    )
)
def test_a_mixed_column_equals_fromisoformat_row_by_row(rows):
    strings = [when.replace(tzinfo=zone).isoformat(sep, spec) for when, zone, sep, spec in rows]
    parsed = [datetime.fromisoformat(text) for text in strings]
    expected = [us(when if when.tzinfo else when.replace(tzinfo=UTC)) for when in parsed]
    timestamps = read(*strings)
    assert timestamps.us.tolist() == expected
    assert timestamps.n_naive == sum(zone is None for _, zone, _, _ in rows)


@given(st.lists(st.text(alphabet="0123456789-:+TZ. ", max_size=30), max_size=20))
def test_no_text_is_read_otherwise_than_python_reads_it(strings):
    for text in strings:
        try:
            ours = read(text)
        except InvalidData:
            continue
        if ours.missing[0]:
            assert not text.strip()
            continue
        try:
            theirs = datetime.fromisoformat(text.strip().replace(" +", "+").replace(" -", "-"))
        except ValueError:  # the forms that only we read: a blank before Z, a dated offset …
            continue
        assert ours.us[0] == us(theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))


@pytest.mark.slow
def test_every_zone_of_the_database_agrees_with_zoneinfo_over_a_century():
    import zoneinfo

    rng = np.random.default_rng(1)
    local = rng.integers(-(10**9) * 2, 2 * 10**9, 100) * 1_000_000
    for zone in sorted(zoneinfo.available_timezones() - {"localtime", "Factory"}):
        tz = ZoneInfo(zone)
        expected = [us((EPOCH + timedelta(microseconds=int(t))).replace(tzinfo=tz)) for t in local]
        assert localise(local, zone).us.tolist() == expected, zone
