"""Columns of data frames that do not come as strings of one kind, or without pyarrow."""

from __future__ import annotations

import subprocess
import sys

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import cxjourney as cx
from cxjourney._time.timestamps import read_timestamps, to_utc_us
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName

KEYS = {"customer": "who", "timestamp": "when", "touchpoint": "what"}


def log_of(**changed) -> cx.InteractionLog:
    data = {"who": ["a", "b"], "when": ["2026-01-01", "2026-01-02"], "what": ["web", "shop"]}
    return cx.InteractionLog.from_frame(pd.DataFrame(data | changed), **KEYS)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([7, "7"], ("7",)),
        (["a", 7], ("a", "7")),
        ([2.0, "x"], ("2", "x")),
    ],
)
def test_ids_of_several_kinds_are_their_strings(ids, expected):
    assert log_of(who=pd.Series(ids, dtype=object)).customer_ids == expected


def test_pandas_needs_no_pyarrow():
    program = (
        "import sys\n"
        "sys.modules['pyarrow'] = None\n"
        "import pandas as pd, cxjourney as cx\n"
        "rows = {'who': ['a', 'b'], 'when': ['2026-01-01', '2026-01-02'], 'what': ['x', 'y']}\n"
        f"log = cx.InteractionLog.from_frame(pd.DataFrame(rows), **{KEYS!r})\n"
        "assert log.touchpoints == ('x', 'y')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series,
        lambda strings: pd.Series(strings, dtype="str"),
        lambda strings: pd.Series(strings, dtype=object),
        lambda strings: pa.chunked_array([strings[:2], strings[2:]], pa.string()),
    ],
    ids=["polars", "pandas", "pandas objects", "pyarrow"],
)
def test_timestamps_in_strings_are_read_alike_in_every_library(column):
    strings = ["2026-03-29 02:30", None, " 2026-07-01T12:00:00.1234567+02 ", "", "2026-10-25 02:30"]
    found = read_timestamps(nw.from_native(column(strings), series_only=True), tz="Europe/Prague")
    expected = to_utc_us(np.array(strings, dtype=object), tz="Europe/Prague")
    assert found.us.tolist() == expected.us.tolist()
    assert found.missing.tolist() == [False, True, False, True, False]
    assert (found.n_naive, found.n_ambiguous, found.n_nonexistent) == (2, 1, 1)
    with pytest.raises(InvalidData, match="such as 'soon' cannot be read in 1 row: 1"):
        read_timestamps(
            nw.from_native(column(["2026-01-01", "soon", "2026"[:0]]), series_only=True)
        )


def test_an_arrow_dictionary_may_hold_a_null_and_a_value_twice():
    for kind in (pa.int8(), pa.uint8(), pa.uint32(), pa.uint64()):
        keys = pa.array([0, 1, 2, 3, None, 4], kind)
        column = pa.DictionaryArray.from_arrays(keys, pa.array(["a", None, "a", "b", "c"]))
        log = cx.InteractionLog.from_frame(
            pa.table({"who": column, "when": ["2026-01-01"] * 6, "what": column}),
            customer="who", timestamp="when", touchpoint="what", missing="drop",
        )  # fmt: skip
        assert log.customer_ids == ("a", "b", "c")
        assert np.diff(log.columns.offsets).tolist() == [2, 1, 1]
        assert (len(log), sum(log.intake.dropped.values()), log.intake.rows) == (4, 2, 6)


@pytest.mark.parametrize("cell", [[1], {"a": 1}, (1, 2), b"a", {1}, np.array([1])])
@pytest.mark.parametrize("build", [list, lambda cells: pd.Series(cells, dtype=object), pa.array])
def test_cells_that_are_no_single_values_are_refused(cell, build):
    try:
        column = build([cell, cell])
    except pa.ArrowException:
        return
    for role in ("customer", "touchpoint", "attributes"):
        table = {"who": ["a", "b"], "when": ["2026-01-01"] * 2, "what": ["x", "y"], "more": [1, 2]}
        name = {"customer": "who", "touchpoint": "what"}.get(role, "more")
        for frame in (
            {**table, name: column},
            pd.DataFrame({**table, name: pd.Series(list(column))}),
        ):
            with pytest.raises((InvalidData, InvalidValue), match="no single value"):
                cx.InteractionLog.from_frame(
                    frame, customer="who", timestamp="when", touchpoint="what", attributes=["more"]
                )


def test_objects_of_which_pyarrow_dies_are_told_apart():
    cells = [np.datetime64("NaT"), np.int8(3), "a", np.bool_(True)]
    table = pd.DataFrame({"who": pd.Series(cells, dtype=object), "when": "2026-01-01", "what": "x"})
    log = cx.InteractionLog.from_frame(
        table, customer="who", timestamp="when", touchpoint="what", missing="drop"
    )
    assert set(log.customer_ids) == {"3", "a", "True"}


TABLE = {"who": ["a", "b"], "when": ["2026-01-01", "2026-01-02"], "what": ["web", "shop"]}


@pytest.mark.parametrize("short", list(TABLE))
def test_columns_of_different_lengths_are_refused(short):
    for cut in ([], TABLE[short][:1], [*TABLE[short], "2026-01-03"]):
        with pytest.raises(InvalidValue, match="one length"):
            cx.InteractionLog.from_frame(TABLE | {short: cut}, **KEYS)


@pytest.mark.parametrize(
    "column", ["ab", b"xy", 3, None, {"a": 1}, np.zeros((2, 2)), np.array("a")]
)
def test_what_is_no_column_is_refused(column):
    with pytest.raises(InvalidValue, match="column 'who'"):
        cx.InteractionLog.from_frame(TABLE | {"who": column}, **KEYS)


def test_a_null_of_an_arrow_array_is_no_customer():
    for column in (
        pa.array(["a", None]),
        pa.chunked_array([["a"], [None]]),
        pl.Series(["a", None]),
    ):
        log = cx.InteractionLog.from_frame(TABLE | {"who": column}, **KEYS, missing="drop")
        assert (log.customer_ids, log.intake.dropped["customer is missing"]) == (("a",), 1)


def test_odd_names_of_columns_are_told():
    twice = pd.DataFrame([["a", "2026-01-01", "web", "x"]], columns=["who", "when", "what", "who"])
    with pytest.raises(InvalidValue, match="one column of each name"):
        cx.InteractionLog.from_frame(twice, **KEYS)
    numbered = pd.DataFrame([["a", "2026-01-01", "web"]])
    with pytest.raises(UnknownName, match="'who'"):
        cx.InteractionLog.from_frame(numbered, **KEYS)
    log = cx.InteractionLog.from_frame(numbered, customer=0, timestamp=1, touchpoint=2)
    assert log.customer_ids == ("a",)


def test_numbers_that_numpy_or_arrow_do_not_hold():
    ids = [2**100, 2**100 + 1]
    wide = pl.DataFrame(TABLE | {"who": pl.Series(ids, dtype=pl.Int128)})
    categories = pd.DataFrame(TABLE | {"who": pd.Series(ids, dtype="category")})
    for frame in (wide, categories, TABLE | {"who": ids}):
        assert sorted(cx.InteractionLog.from_frame(frame, **KEYS).customer_ids) == list(
            map(str, ids)
        )
    scores = [2**62, 2**53 + 1]
    for frame in (
        pa.table(TABLE | {"n": scores}),
        pd.DataFrame(TABLE | {"n": scores}),
        TABLE | {"n": scores},
    ):
        log = cx.InteractionLog.from_frame(frame, **KEYS, score="n")
        assert log.columns.numeric["score"].tolist() == list(map(float, scores))
    arrays = (np.array(["1", "2"]), np.array([1j, 2]), np.array([True, False]))
    for bad in (["1", "2"], [True, False], [1j, 2], [10**400, 1], *arrays):
        with pytest.raises(InvalidValue, match="numeric"):
            cx.InteractionLog.from_frame(TABLE | {"n": bad}, **KEYS, score="n")


def test_a_lazy_frame_that_fails_says_so():
    lazy = pl.LazyFrame(TABLE).with_columns(who=pl.col("who").cast(pl.Int64))
    with pytest.raises(InvalidData, match="the lazy frame cannot be read"):
        cx.InteractionLog.from_frame(lazy, **KEYS)


def test_categories_that_are_no_single_values_are_refused():
    for role in TABLE:
        pairs = pd.Series([(1, 2), (3, 4)]).astype("category")
        with pytest.raises(InvalidData, match="no single value"):
            cx.InteractionLog.from_frame(pd.DataFrame(TABLE | {role: pairs}), **KEYS)
