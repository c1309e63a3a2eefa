"""Ids at every door: blank ones are missing, whole numbers are their digits."""

from __future__ import annotations

import numpy as np
import pytest

from cxjourney import InteractionLog
from cxjourney.exceptions import InvalidData
from cxjourney.io import from_sequences, from_wide, read_csv, read_parquet, read_xes
from cxjourney.metrics import purchase_frequency

NAMES = {"customer": "who", "timestamp": "when", "touchpoint": "what"}
IDS = ["17851.0", " ", "NA", "", "17851", "007.0", "\u00a0\t", None, "1.0.0", "-0.0", "é"]
KEPT = {"17851": 2, "NA": 1, "007.0": 1, "1.0.0": 1, "0": 1, "é": 1}


def rows_of(log) -> dict[str, int]:
    return dict(zip(log.customer_ids, np.diff(log.columns.offsets).tolist(), strict=True))


def table(ids) -> dict[str, list]:
    return {"who": list(ids), "when": ["2024-01-01"] * len(ids), "what": ["x"] * len(ids)}


@pytest.fixture(
    params=[
        "mapping",
        "array",
        "pandas",
        "categories",
        "polars",
        "pyarrow",
        "csv",
        "parquet",
        "xes",
    ]
)
def read(request, tmp_path):
    def doors(ids, **options):
        data = table(ids)
        if request.param == "array":
            return InteractionLog.from_frame(
                {name: np.array(column, dtype=object) for name, column in data.items()},
                **NAMES,
                **options,
            )
        if request.param in {"pandas", "categories"}:
            frame = pytest.importorskip("pandas").DataFrame(data)
            frame = frame.astype({"who": "category"}) if request.param == "categories" else frame
            return InteractionLog.from_frame(frame, **NAMES, **options)
        if request.param in {"polars", "pyarrow"}:
            module = pytest.importorskip(request.param)
            make = module.table if request.param == "pyarrow" else module.DataFrame
            return InteractionLog.from_frame(make(data), **NAMES, **options)
        if request.param == "csv":
            path = tmp_path / "log.csv"
            quoted = ["" if i is None else f'"{i}"' for i in ids]
            path.write_text("who,when,what\n" + "".join(f"{i},2024-01-01,x\n" for i in quoted))
            return read_csv(path, **NAMES, **options)
        if request.param == "parquet":
            path = tmp_path / "log.parquet"
            parquet = pytest.importorskip("pyarrow.parquet")
            parquet.write_table(pytest.importorskip("pyarrow").table(data), path)
            return read_parquet(path, **NAMES, **options)
        if request.param == "xes":
            path = tmp_path / "log.xes"
            who = [
                "" if i is None else '<string key="who" value="' + i.replace("\t", "&#9;") + '"/>'
                for i in ids
            ]
            path.write_text(
                "<log><trace>"
                + "".join(
                    f'<event>{w}<string key="concept:name" value="x"/>'
                    '<date key="time:timestamp" value="2024-01-01"/></event>'
                    for w in who
                )
                + '<string key="concept:name" value="c"/></trace></log>',
                encoding="utf-8",
            )
            return read_xes(path, customer="who", **options)
        return InteractionLog.from_frame(data, **NAMES, **options)

    return doors


def test_blank_ids_are_missing_and_whole_numbers_are_their_digits(read):
    with pytest.raises(InvalidData, match="customer is missing in 4 rows: 1, 3, 6, 7"):
        read(IDS)
    log = read(IDS, missing="drop")
    assert rows_of(log) == KEPT
    assert dict(log.intake.dropped) == {"customer is missing": 4}
    assert log.intake.rows == len(IDS) == len(log) + 4
    assert log.customer_number("17851.0") == log.customer_number("17851")


def test_a_column_of_blanks_alone_leaves_a_log_of_no_rows(read):
    log = read(["", " ", None], missing="drop")
    assert (len(log), log.n_customers, log.intake.rows) == (0, 0, 3)


@pytest.mark.parametrize("library", ["mapping", "pandas", "polars", "pyarrow"])
def test_floats_that_missing_values_made_of_whole_numbers_are_the_same_ids(library):
    numbers = np.array([17851.0, np.nan, 7.0])
    data = table([0, 0, 0]) | {"who": numbers}
    if library != "mapping":
        module = pytest.importorskip(library)
        data = module.table(data) if library == "pyarrow" else module.DataFrame(data)
    log = InteractionLog.from_frame(data, **NAMES, missing="drop")
    assert sorted(log.customer_ids) == ["17851", "7"]
    data = table([0, 0]) | {"who": np.array([2.0**53, 2.0**53 + 2])}
    if library != "mapping":
        data = module.table(data) if library == "pyarrow" else module.DataFrame(data)
    with pytest.raises(InvalidData, match="two become one"):
        InteractionLog.from_frame(data, **NAMES)


@pytest.mark.parametrize("role", ["journey", "account", "issue", "channel", "stage", "owner"])
def test_other_ids_and_names_are_missing_where_blank(role):
    data = table(["a"] * 4) | {"x": ["7.0", " ", "", "7"]}
    log = InteractionLog.from_frame(data, **NAMES, **{role: "x"})
    if role == "account":
        assert log.account.names == ("7",)
    else:
        assert log.columns.coded[role].values() == ["7", None, None, "7"]


def test_wide_tables_and_sequences_know_missing_ids():
    wide = {"who": ["a", " "], "day": ["2024-01-01", "2024-01-02"]}
    with pytest.raises(InvalidData, match="who is missing in 1 row: 1"):
        from_wide(wide, customer="who", steps={"day": "x"})
    log = from_wide(wide, customer="who", steps={"day": "x"}, missing="drop")
    assert rows_of(log) == {"a": 1}
    states = {"who": ["a", ""], "jan": ["x", "y"], "feb": ["  ", "y"]}
    when = {"jan": "2024-01-01", "feb": "2024-02-01"}
    with pytest.raises(InvalidData, match="who is missing in 1 row: 1"):
        from_sequences(states, customer="who", states=when)
    log = from_sequences(states, customer="who", states=when, missing="drop")
    assert rows_of(log) == {"a": 1}


def test_metrics_take_blank_ids_for_missing_ones():
    arrays = [
        ["a", "", "a", " ", "b"],
        np.array(["a", "", "a", " ", "b"]),
        np.array(["a", None, "a", None, "b"], dtype=object),
    ]
    assert [purchase_frequency(ids).value for ids in arrays] == [1.5] * 3
