"""Tables of the page: what they are made of, and how readers sort, filter and save them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cxjourney as cx
from cxjourney._support.table import Table
from cxjourney.report import Part, Report, Section, build
from cxjourney.report._tables import MOST_ROWS, table_html

FORMULAS = ("=1+2", "+1", "-1", "@SUM(A1)", "a;=1", 'said "=x"', "harmless", "ＡＢ＝")


def page_of(table: Table, target) -> None:
    part = Part(caption="Some numbers", table=table)
    section = Section(anchor="some", title="Some", lead="", parts=(part,))
    Report(
        title="A report", source="", window="", figures=(), sections=(section,), parameters={}
    ).write(target)


def numbers(n: int = 5) -> Table:
    value = np.array([0.5, 0.25, math.nan, 0.75, 0.1, *np.linspace(0.2, 0.4, max(n - 5, 0))][:n])
    return Table(
        {
            "touchpoint": [f"place {i + 1}" for i in range(n)],
            "rate": value,
            "low": value - 0.1,
            "high": value + 0.1,
            "visits": np.arange(n),
            "median_s": np.full(n, 7200.0),
        },
        formats=dict.fromkeys(("rate", "low", "high"), "percent") | {"median_s": "duration"},
    )


def test_ends_of_an_interval_are_one_column_and_headings_are_words():
    page = table_html(numbers(), "Some")
    assert page.count('<th scope="col"') == 5
    assert ">likely between</th>" in page
    assert ">40.0% and 60.0%</td>" in page
    assert ">median time from the first step</th>" in page
    assert "median_s" not in page
    assert ">2 hours</td>" in page
    assert 'data-v="0.4" data-w="0.6"' in page


def test_an_interval_stands_after_what_it_is_of():
    table = Table(
        {"gain_low": np.array([1.0]), "gain": np.array([2.0]), "gain_high": np.array([3.0])}
    )
    page = table_html(table, "")
    assert page.index("conversions to be won") < page.index("likely between")
    assert page.index(">2</td>") < page.index(">1 and 3</td>")


def test_an_end_without_its_other_end_is_a_column_like_others():
    page = table_html(Table({"where": ["a"], "low": np.array([1.0])}), "")
    assert ">lower end</th>" in page


def test_no_rows_and_many_rows():
    assert table_html(Table({"where": [], "visits": np.array([], int)}), "").count("<tr>") == 1
    many = Table({"where": ["x"] * (MOST_ROWS + 7)})
    assert "… 7 more rows" in table_html(many, "")


@pytest.fixture
def opened(browser, tmp_path):
    def shown(table: Table):
        page_of(table, tmp_path / "table.html")
        browser.open(tmp_path / "table.html")
        return browser

    yield shown
    assert browser.complaints() == []


def column(browser, i: int) -> list[str]:
    return browser.evaluate(
        "[...document.querySelectorAll('.sortable tbody tr:not([hidden])')]"
        f".map(row => row.cells[{i}].textContent)"
    )


def saved(browser) -> str:
    """Return the file that the button hands over."""
    browser.evaluate(
        "URL.createObjectURL = blob => { blob.text().then(text => { window.file = text; });"
        "return 'data:,'; }; HTMLAnchorElement.prototype.click = () => {};"
        "document.querySelector('.tools button').click()"
    )
    browser.wait_until("window.file !== undefined")
    return browser.evaluate("window.file")


def test_a_heading_sorts_by_click_and_by_key_and_says_how(opened):
    browser = opened(numbers())
    browser.evaluate("document.querySelectorAll('.sort')[1].click()")
    assert column(browser, 1) == ["75.0%", "50.0%", "25.0%", "10.0%", "–"]
    heads = "document.querySelectorAll('.sortable thead th')"
    assert browser.evaluate(f"{heads}[1].getAttribute('aria-sort')") == "descending"
    browser.evaluate("document.querySelectorAll('.sort')[1].focus()")
    browser.press("Enter")
    assert column(browser, 1) == ["10.0%", "25.0%", "50.0%", "75.0%", "–"]
    assert browser.evaluate(f"[...{heads}].filter(e => e.ariaSort).length") == 1
    browser.evaluate("document.querySelectorAll('.sort')[0].click()")
    assert column(browser, 0) == [f"place {i}" for i in range(1, 6)]


def test_names_with_numbers_are_sorted_as_people_count(opened):
    browser = opened(numbers(12))
    browser.evaluate("document.querySelector('.sort').click()")
    assert column(browser, 0) == [f"place {i}" for i in range(1, 13)]


def test_long_tables_are_filtered_and_the_file_has_what_is_left(opened):
    browser = opened(numbers(20))
    browser.evaluate("document.querySelector('.tools input').focus()")
    browser.type("place 1")
    assert column(browser, 0) == ["place 1", *(f"place {i}" for i in range(10, 20))]
    assert (
        browser.evaluate("document.querySelector('.tools output').textContent") == "11 of 20 rows"
    )
    assert len(saved(browser).splitlines()) == 1 + 11
    browser = opened(numbers(5))
    assert browser.evaluate("document.querySelectorAll('.tools input').length") == 0


def test_the_file_has_whole_numbers_under_headings_in_words(opened):
    head, first, _, third, *_ = saved(opened(numbers())).splitlines()
    assert head == (
        '"touchpoint","share","share, lower end","share, upper end","visits",'
        '"median time from the first step, in seconds"'
    )
    assert first == '"place 1",0.5,0.4,0.6,0,7200'
    assert third == '"place 3",,,,2,7200'


def test_no_cell_of_the_file_is_a_formula(opened):
    table = Table({"where": list(FORMULAS), "visits": np.arange(len(FORMULAS))})
    theirs = table.to_csv().splitlines()[1:]
    assert saved(opened(table)).splitlines()[1:] == theirs


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    sample = cx.datasets.sample(seed=3, customers=400)
    return build(sample.journeys()).write(tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_report_breaks_no_rule_of_accessibility(browser, violations, page, width, scheme):
    browser.open(page, width=width)
    scheme = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", features=scheme)
    browser.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    # rows of a table are of one make
    browser.evaluate(
        "document.querySelectorAll('tbody').forEach(body =>"
        " [...body.rows].slice(4, -2).forEach(row => row.remove()))"
    )
    # in the dark it is the same page in other colours
    dark = scheme[0]["value"] == "dark"
    assert violations(*(["color-contrast", "link-in-text-block"] if dark else [])) == []
    browser.call("Emulation.setEmulatedMedia", features=[])


def test_on_paper_no_table_is_wider_than_the_sheet(browser, page):
    browser.open(page, width=703)  # A4 between its margins
    browser.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    browser.call("Emulation.setEmulatedMedia", media="print")
    wide = browser.evaluate(
        "[...document.querySelectorAll('table, .bars, .figures, pre')].filter(e =>"
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.textContent.slice(0, 60))"
    )
    browser.call("Emulation.setEmulatedMedia", media="")
    assert wide == []
