from __future__ import annotations

import numpy as np
import pytest

from cxjourney._support.table import Table, format_value


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (1.5, "1.5 s"),
        (119.0, "119 s"),
        (120.0, "2 min"),
        (5400.0, "90 min"),
        (7200.0, "2 h"),
        (3 * 86_400.0, "3 d"),
        (np.nan, "-"),
    ],
)
def test_a_duration_is_told_in_the_largest_unit_of_which_there_are_two(seconds, text):
    assert format_value(seconds, "duration") == text


def test_a_number_column_is_aligned_with_its_heading():
    page = Table({"name": ["a"], "visits": np.array([1])}).to_html()
    assert page.count("text-align:right") == 2


def test_cells_and_headings_are_escaped():
    page = Table({"<b>": ["<i>"]}).to_html()
    assert "<b>" not in page
    assert "<i>" not in page


def test_a_control_character_does_not_reach_the_terminal():
    text = Table({"name": ["a\x1b[31mb\nc"]}).to_text()
    assert "\x1b" not in text
    assert len(text.splitlines()) == 3


def test_a_long_name_is_cut_in_a_terminal_and_whole_on_a_page():
    table = Table({"name": ["n" * 150]})
    assert max(map(len, table.to_text().splitlines())) == 40
    assert "n" * 150 in table.to_html()
    assert "n" * 300 not in Table({"name": ["n" * 300]}).to_html()


def test_strings_are_said_in_other_words_and_numbers_stay():
    table = Table({"to": ["__dropoff__", "cart"], "count": [1, 2]}, formats={"count": "integer"})
    said = table.renamed({"__dropoff__": "(dropped)"})
    assert said["to"] == ("(dropped)", "cart")
    assert list(said["count"]) == [1, 2]
    assert said.formats == table.formats


def test_a_page_breaks_names_between_words_and_says_times_in_units_of_their_own():
    table = Table(
        {"step": ["card_payment_done"], "median_s": [7200.0], "times_s": [3]},
        formats={"median_s": "duration"},
    )
    page = table.to_html()
    assert ">card_<wbr>payment_<wbr>done<" in page
    assert ">median</th>" in page
    assert ">2 h<" in page
    assert ">times_s</th>" in page
    assert table.column_names == ("step", "median_s", "times_s")
    assert "<wbr>" not in Table({"<_x>": ["&lt;"]}).to_html()
