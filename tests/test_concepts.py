"""The table of concepts: all of them, by names that are there, with tests and examples that run."""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import cxjourney as cx

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "concepts.md"
NAME = re.compile(r"`cx((?:\.\w+)+)")
LEFT_OUT = "**left out**"


class Row(NamedTuple):
    number: int
    concept: str
    said: str
    here: str
    test: str
    example: str


def rows() -> list[Row]:
    """Return the rows of the table; a | in a cell is written as a word there."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if re.match(r"\| \d+ \|", line):
            number, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found.append(Row(int(number), *cells))
    return found


ROWS = rows()


@cache
def resolved(name: str) -> object:
    """Return what a dotted name of the package is."""
    item: object = cx
    path = "cxjourney"
    for part in name.strip(".").split("."):
        path += f".{part}"
        if not hasattr(item, part):
            importlib.import_module(path)
        item = getattr(item, part)
    return item


def test_all_concepts_are_there_in_order() -> None:
    assert [row.number for row in ROWS] == list(range(1, 152))
    assert all(row.concept and row.said and row.here for row in ROWS)
    assert len({row.concept for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_a_concept_is_answered_by_what_there_is(row: Row) -> None:
    names = NAME.findall(row.here)
    assert names, row.here
    for name in names:
        resolved(name)
    if LEFT_OUT in row.here.lower():
        assert re.search(r"\b(needs|since|takes|sending)\b", row.here), "why is it left out?"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_its_test_is_about_one_of_its_names(row: Row) -> None:
    (path,) = re.findall(r"`(tests/[\w/]+\.py)`", row.test)
    source = (ROOT / path).read_text(encoding="utf-8")
    ends = {name.rsplit(".", 1)[1] for name in NAME.findall(row.here)}
    assert any(re.search(rf"\b{end}\b", source) for end in ends), (path, ends)
    assert "\ndef test_" in source or "\n    def test_" in source


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_its_example_runs(row: Row) -> None:
    (target,) = re.findall(r"\]\(([^)]+)\)", row.example)
    page = (PAGE.parent / target).resolve()
    text = page.read_text(encoding="utf-8")
    names = NAME.findall(row.here)
    if page.parent.name == "reference":  # whose examples are those of the docstrings, which are run
        module = re.findall(r"^::: (cxjourney\S*)", text, flags=re.MULTILINE)
        assert module, page
        with_example = [name for name in names if ">>> " in (resolved(name).__doc__ or "")]
        assert with_example, names
    else:  # a page of how-tos, whose Python is run
        assert re.search(r"^ *```python$", text, flags=re.MULTILINE), page
        ends = [name.rsplit(".", 1)[1] for name in names]
        assert any(re.search(rf"\b{end}\b", text) for end in ends), (page.name, ends)
