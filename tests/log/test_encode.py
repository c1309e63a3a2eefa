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
from cxjourney.exceptions import InvalidData

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
        (["\ud800", "x"], ("\ud800", "x")),
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
