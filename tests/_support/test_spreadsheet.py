from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney._support.spreadsheet import defused
from cxjourney._support.table import Table

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cells(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@pytest.mark.parametrize("start", FORMULA)
def test_no_cell_begins_like_a_formula(start):
    ((header,), (cell,)) = cells(Table({f"{start}1": [f"{start}1+1"]}).to_csv())
    assert header.startswith("'")
    assert cell.startswith("'")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_no_cell_begins_like_a_formula_where_another_separator_is_used(delimiter):
    # a spreadsheet of another country splits at its own separator, and then quotes do not protect
    text = Table({"n": [1], "name": ["a;=1+1|=2\t=3,=4"]}).to_csv()
    for row in cells(text, delimiter):
        assert not any(cell.lstrip().startswith(FORMULA) for cell in row)


@given(st.text(max_size=30))
def test_text_without_formulas_comes_back_and_other_text_only_gains_apostrophes(text):
    ((_,), (cell,)) = cells(Table({"name": [text, ""]}).to_csv())[:2]
    assert cell == defused(text)
    assert cell.replace("'", "") == text.replace("'", "")
    assert defused(text).lstrip().startswith(FORMULA) is False


@pytest.mark.parametrize(
    "text", ["e-mail", "a+b", "user@example.com", "10 = 10", 'say "hi"', "a, b"]
)
def test_harmless_text_stays_as_it_is(text):
    assert cells(Table({"name": [text]}).to_csv())[1] == [text]


def test_numbers_stay_numbers_and_missing_ones_are_empty():
    table = Table({"x": np.array([-1.5, np.nan]), "n": [3, -4], "ok": [True, False]})
    assert table.to_csv() == '"x","n","ok"\n-1.5,3,true\n,-4,false\n'


def test_a_result_writes_what_its_frame_holds():
    journeys = cx.Journeys.from_paths([["=cmd()", "web"]], converted=[3], dropped=[1])
    found = cx.dropoff.exits(journeys)
    header, *rows = cells(found.to_csv())
    assert header == list(found.table.column_names)
    assert sorted(row[0] for row in rows) == ["'=cmd()", "web"]
