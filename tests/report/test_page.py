from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

import cxjourney as cx
from cxjourney._support.table import Table
from cxjourney._support.text import visible
from cxjourney.report import Figure, Part, Report, Section, build

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }}{% raw %}",
    "</style></title></table>",
    "مرحبا",
    "\u202egnp.exe",
    "a\x00b\x1b[31m\nc",
    "\ud800",
    "🛒" * 100,
)
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}


class Outline(HTMLParser):
    """The elements of a page, in order; fails where one is closed that is not open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def report(name: str) -> Report:
    table = Table({"touchpoint": [name, "cart"], "visits": np.array([3, 2])})
    return Report(
        title=name,
        source=name,
        window=name,
        figures=(Figure(name=name, value=name, note=name),),
        sections=(
            Section(
                anchor="exits",
                title="Exits",
                lead=name,
                parts=(Part(caption=name, table=table, notes=(name,)),),
            ),
            Section(anchor="channels", title="Channels", lead="", absent=name),
        ),
        parameters={name: name},
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_adds_nothing_to_the_structure_of_the_page(name):
    hostile, plain = Outline(report(name).to_html()), Outline(report("web").to_html())
    assert hostile.elements == [
        (tag, {k: visible(name) if v == "web" else v for k, v in attributes.items()})
        for tag, attributes in plain.elements
    ]


def test_the_page_loads_nothing_and_runs_its_own_script_alone():
    elements = Outline(report("web").to_html()).elements
    assert {tag for tag, _ in elements} & {"link", "iframe", "img", "object"} == set()
    assert [attributes for tag, attributes in elements if tag == "script"] == [{}]
    addresses = {a[key] for _, a in elements for key in ("src", "href", "action") if key in a}
    assert all(address.startswith("#") for address in addresses)
    policy = next(
        a["content"] for _, a in elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert "script-src 'sha256-" in policy


def test_every_link_leads_to_a_section_and_every_section_is_named():
    elements = Outline(report("web").to_html()).elements
    ids = [a["id"] for _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"].removeprefix("#") for _, a in elements if "href" in a} <= set(ids)
    assert {a["aria-labelledby"] for tag, a in elements if tag == "section"} <= set(ids)


def test_text_and_page_hold_the_same_figures_notes_and_cells():
    made = report("web shop")
    page = "".join(Outline(made.to_html()).text)
    for word in ("web shop", "cart", "3", "2", "Exits", "Channels"):
        assert word in made.to_text()
        assert word in page


def test_a_written_page_is_utf_8_whatever_the_names(tmp_path):
    target = report("\ud800 żółw").write(tmp_path / "report.html")
    assert "żółw" in target.read_text(encoding="utf-8")


def test_what_was_not_recorded_is_said_in_words():
    page = report(cx.MISSING).to_html()
    assert cx.MISSING not in "".join(Outline(page).text)
    assert "".join(Outline(page).text).count("(not recorded)") >= 8


def test_whole_pages_say_it_too():
    hits = {
        "who": ["a", "a", "b", "b", "c"],
        "at": ["2026-01-05", "2026-01-06", "2026-01-05", "2026-01-07", "2026-01-09"],
        "what": ["ad", "buy", "ad", "web", "ad"],
        "via": ["mail", None, None, "web", "mail"],
    }
    roles = {"customer": "who", "timestamp": "at", "touchpoint": "what", "channel": "via"}
    journeys = cx.InteractionLog.from_frame(hits, **roles).journeys(goal="buy", inactivity="2d")
    shown = "".join(Outline(build(journeys).to_html()).text)
    assert "(not recorded)" in shown
    assert cx.MISSING not in shown
