"""Numbers that come in: durations and times have a stated unit, `seq` is exact or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from cxjourney import Interaction, InteractionLog, experience
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.io import from_sequences, read_csv, read_parquet, read_xes

NAMES = {"customer": "who", "timestamp": "when", "touchpoint": "what"}


def frame(library: str, **columns):
    data = {"who": ["a"] * 2, "when": ["2024-01-01"] * 2, "what": ["x", "y"]} | columns
    if library == "mapping":
        return data
    module = pytest.importorskip(library)
    return module.table(data) if library == "pyarrow" else module.DataFrame(data)


def durations(library, values, **options):
    log = InteractionLog.from_frame(
        frame(library, took=values), **NAMES, duration="took", **options
    )
    return [i.duration for i in log.interactions()]


@pytest.mark.parametrize("library", ["mapping", "pandas"])
@pytest.mark.parametrize(
    "values",
    [
        [5, 7],
        [5.0, None],
        ["5", "7"],
        [timedelta(seconds=5), 7],
        [True, False],
        [Decimal(5), None],
        np.array([5, 7]),
        np.array([5.0, np.nan]),
        np.array([5, 7], dtype=object),
    ],
)
def test_numbers_are_no_durations_in_lists_and_arrays_alike(library, values):
    with pytest.raises(InvalidValue, match="duration must be a column of durations"):
        durations(library, values)


@pytest.mark.parametrize("unit", ["Y", "M", "generic"])
def test_spans_without_a_fixed_length_are_no_durations(unit):
    values = np.array([5, 7], dtype="m8" if unit == "generic" else f"m8[{unit}]")
    with pytest.raises(InvalidValue, match="duration"):
        durations("mapping", values)


@pytest.mark.parametrize("library", ["mapping", "pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("values", [[90, None], [90.0, None]])
def test_numbers_of_a_stated_unit_are_durations(library, values):
    assert durations(library, values, duration_unit=timedelta(minutes=1)) == [
        timedelta(hours=1, minutes=30),
        None,
    ]


def test_objects_of_three_libraries_are_durations():
    pandas = pytest.importorskip("pandas")
    for value in (timedelta(days=1), np.timedelta64(24, "h"), pandas.Timedelta("24h")):
        for library in ("mapping", "pandas"):
            values = np.array([value, None], dtype=object)
            assert durations(library, values) == [timedelta(days=1), None]


def test_durations_that_wrap_around_are_refused():
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    huge = [
        ("mapping", np.array([1, 2**60], dtype="m8[D]")),
        ("mapping", np.array([np.timedelta64(1, "D"), np.timedelta64(2**60, "D")], dtype=object)),
        ("mapping", [timedelta(1), timedelta.max]),
        ("polars", polars.Series([1, 2**60]).cast(polars.Duration("ms"))),
        ("pyarrow", pyarrow.array([1, 2**60], pyarrow.duration("s"))),
    ]
    for library, values in huge:
        with pytest.raises(InvalidData, match=r"longer than the calendar .* in 1 row: 1"):
            durations(library, values)
    with pytest.raises(InvalidData, match=r"longer than the calendar .* in 1 row: 0"):
        durations("mapping", [1e300, 1], duration_unit=timedelta(days=1))


def test_files_have_units_of_numbers_too(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    csv = tmp_path / "log.csv"
    csv.write_text("who,when,what,took\na,1700000000123456,x,1.5\n")
    parquet = tmp_path / "log.parquet"
    duckdb.sql(
        "SELECT 'a' AS who, 1700000000123456 AS \"when\", 'x' AS what, 1.5::DOUBLE AS took"
    ).write_parquet(str(parquet))
    xes = tmp_path / "log.xes"
    xes.write_text(
        '<log><trace><string key="concept:name" value="a"/><event><string key="concept:name" '
        'value="x"/><int key="time:timestamp" value="1700000000123456"/><float key="took" '
        'value="1.5"/></event></trace></log>'
    )
    units = {"duration_unit": timedelta(seconds=2), "timestamp_unit": "us", "duration": "took"}
    for log in (
        read_csv(csv, **NAMES, **units),
        read_parquet(parquet, **NAMES, **units),
        read_xes(xes, **units),
    ):
        (only,) = log.interactions()
        assert only.duration == timedelta(seconds=3)
        assert only.timestamp == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    with pytest.raises(InvalidValue, match="a number has no unit"):
        read_xes(xes)
    with pytest.raises(InvalidValue, match="a number has no unit"):
        read_xes(xes, timestamp_unit="us", duration="took")
    with pytest.raises(InvalidValue, match="a number has no unit"):
        read_parquet(parquet, **NAMES)
    with pytest.raises(InvalidData, match="timestamp_unit"):
        read_csv(csv, **NAMES)


@pytest.mark.parametrize("library", ["mapping", "pandas", "polars", "pyarrow"])
def test_numbers_in_frames_have_a_stated_unit(library):
    data = frame(library, when=[1_700_000_000, 1_700_000_001])
    with pytest.raises(InvalidValue, match="timestamp_unit"):
        InteractionLog.from_frame(data, **NAMES)
    log = InteractionLog.from_frame(data, **NAMES, timestamp_unit="s", tz="Asia/Tokyo")
    assert log.observed_until == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
    same = InteractionLog.from_frame(data, **NAMES, timestamp_format="%s")
    assert same == log


@pytest.mark.parametrize("library", ["mapping", "pandas", "polars", "pyarrow"])
def test_a_unit_is_refused_where_it_contradicts(library):
    data = frame(library, when=np.array(["2024-01-01", "2024-01-02"], dtype="M8[us]"))
    with pytest.raises(InvalidValue, match="timestamp_unit"):
        InteractionLog.from_frame(data, **NAMES, timestamp_unit="s")
    for options in ({"timestamp_unit": "d"}, {"timestamp_unit": "s", "timestamp_format": "%s"}):
        with pytest.raises(InvalidValue, match="timestamp_unit"):
            InteractionLog.from_frame(data, **NAMES, **options)


@pytest.mark.parametrize("zone", [None, "Europe/Prague"])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_timestamps_of_frames_are_checked_before_they_are_converted(library, zone):
    far = np.array([1_700_000_000_000, 2**63 // 1000 + 5])  # milliseconds that wrap around
    module = pytest.importorskip(library)
    if library == "pandas":
        column = module.Series(far.view("M8[ms]"))
    elif library == "polars":
        column = module.Series(far).cast(module.Datetime("ms", zone))
    else:
        column = module.array(far, module.timestamp("ms", zone))
    with pytest.raises(InvalidData, match="outside the years 1 to 9999 in 1 row: 1"):
        InteractionLog.from_frame(frame(library, when=column), **NAMES)


def seqs(library, values):
    log = InteractionLog.from_frame(frame(library, n=values), **NAMES, seq="n")
    return [(i.seq, i.touchpoint.name) for i in log.interactions()]


@pytest.mark.parametrize("first", [2**53, -(2**53) - 1, 2**62, 2**63 - 2, -(2**63) + 1])
@pytest.mark.parametrize("library", ["mapping", "pandas", "polars", "pyarrow"])
def test_neighbours_beyond_floats_keep_their_order(library, first):
    expected = [(first, "y"), (first + 1, "x")]
    assert seqs(library, [first + 1, first]) == expected
    assert seqs("mapping", np.array([first + 1, first], dtype=object)) == expected
    assert seqs("mapping", np.array([first + 1, first])) == expected
    assert seqs("mapping", [first + 1, None]) == [(None, "y"), (first + 1, "x")]


@pytest.mark.parametrize(
    ("library", "values"),
    [
        ("mapping", [5, 2**63]),
        ("mapping", [5, -(2**63)]),
        ("mapping", [5, 10**30]),
        ("mapping", np.array([5, 2**63 + 1], dtype=np.uint64)),
        ("pandas", np.array([5, 2**64 - 1], dtype=np.uint64)),
        ("polars", np.array([5, 2**64 - 1], dtype=np.uint64)),
        ("pyarrow", np.array([5, 2**64 - 1], dtype=np.uint64)),
        ("mapping", np.array([5, 2.0**53])),
        ("mapping", [5.0, 2.0**64]),
        ("pandas", np.array([5, -(2.0**53)])),
    ],
)
def test_numbers_that_would_not_stay_what_they_are_are_refused(library, values):
    with pytest.raises(InvalidData, match=r"seq is beyond .* in 1 row: 1"):
        seqs(library, values)


def test_a_typed_interaction_has_a_seq_that_a_log_can_hold():
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    for seq in (2**63, -(2**63), 10**40):
        with pytest.raises(InvalidValue, match="seq"):
            Interaction(customer="a", touchpoint="x", timestamp=moment, seq=seq)
    contacts = [
        Interaction(customer="a", touchpoint="x", timestamp=moment, seq=seq)
        for seq in (2**63 - 1, 2**63 - 2)
    ]
    log = InteractionLog.from_interactions(contacts)
    assert [i.seq for i in log.interactions()] == [2**63 - 2, 2**63 - 1]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_unit_is_refused_beside_times_with_a_zone(library):
    when = np.array(["2024-01-01", "2024-01-02"], dtype="M8[us]")
    module = pytest.importorskip(library)
    if library == "pandas":
        column = module.Series(when).dt.tz_localize("Europe/Prague")
    elif library == "polars":
        column = module.Series(when).cast(module.Datetime("us", "UTC"))
    else:
        column = module.array(when, module.timestamp("us", "UTC"))
    with pytest.raises(InvalidValue, match="timestamp_unit must be left out"):
        InteractionLog.from_frame(frame(library, when=column), **NAMES, timestamp_unit="s")


def test_floats_of_32_bits_hold_neither_times_nor_large_ids():
    short = np.array([1_700_000_000, 1_700_000_001], dtype=np.float32)
    with pytest.raises(InvalidValue, match="whole numbers or float64"):
        InteractionLog.from_frame(frame("mapping", when=short), **NAMES, timestamp_unit="s")
    for library in ("mapping", "pandas", "polars", "pyarrow"):
        ids = np.array([2**24 + 1, 2**24 + 2], dtype=np.float32)
        with pytest.raises(InvalidData, match="two become one"):
            InteractionLog.from_frame(frame(library, who=ids), **NAMES)
        small = np.array([17851, np.nan], dtype=np.float32)
        log = InteractionLog.from_frame(frame(library, who=small), **NAMES, missing="drop")
        assert log.customer_ids == ("17851",)
        with pytest.raises(InvalidData, match="seq is beyond 16,777,215"):
            seqs(library, ids)


@pytest.mark.parametrize("span", ["1 month", "1 year", "14 months"])
def test_months_of_duckdb_are_no_thirty_days(span, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    query = "SELECT 'a' AS who, '2024-01-01' AS \"when\", 'x' AS what, INTERVAL '{}' AS took"
    relation = duckdb.sql(query.format(span))
    relation.write_parquet(str(tmp_path / "log.parquet"))
    with pytest.raises(InvalidValue, match="no months or years"):
        InteractionLog.from_frame(relation, **NAMES, duration="took")
    with pytest.raises(InvalidValue, match="no months or years"):
        read_parquet(tmp_path / "log.parquet", **NAMES, duration="took")
    log = InteractionLog.from_frame(duckdb.sql(query.format("36 hours")), **NAMES, duration="took")
    assert next(log.interactions()).duration == timedelta(hours=36)


def test_periods_beyond_the_calendar_are_refused():
    with pytest.raises(InvalidValue, match="states must begin within the years 1 to 9999; got 'b'"):
        from_sequences(
            {"who": ["x"], "a": ["s"], "b": ["t"]},
            customer="who",
            states=["a", "b"],
            start="9999-12-01",
            step=timedelta(days=365),
        )


def test_answers_find_customers_of_whole_numbers_however_they_are_written():
    log = InteractionLog.from_frame(frame("mapping", who=["17851.0", "x"]), **NAMES)
    later = [datetime(2024, 1, 2, tzinfo=UTC)]
    for customer in ([17851.0], ["17851.0"], ["17851"], [17851], np.array([17851.0])):
        bound = experience.bind_answers(log, customer=customer, answered_at=later, value=[9])
        assert bound.row.tolist() != [-1]
    typed = Interaction(
        customer="17851.0", touchpoint="x", timestamp=datetime(2024, 1, 1, tzinfo=UTC)
    )
    log = InteractionLog.from_interactions([typed])
    assert log.customer("17851.0").id == "17851.0"


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_the_order_survives_a_frame(library):
    log = InteractionLog.from_frame(frame("mapping", n=[2**62 + 1, None]), **NAMES, seq="n")
    again = InteractionLog.from_frame(
        log.to_frame(library),
        customer="customer",
        timestamp="timestamp",
        touchpoint="touchpoint",
        seq="seq",
    )
    assert again == log
