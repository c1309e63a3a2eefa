from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

import cxjourney as cx
from cxjourney.report import Report, Section, build
from cxjourney.report._network import network
from cxjourney.report._page import Picture

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "</title></svg><script>alert(2)</script>",
    "{{ 7 * 7 }}",
    "javascript:alert(3)",
    "مرحبا بالعالم",
    "\u202egnp.exe",
    "long " * 40,
)


def counts() -> dict[tuple[str, str], int]:
    """Return a journey graph of five touchpoints with a move back and a rare one."""
    return {
        (cx.START, "ad"): 60,
        (cx.START, "web"): 40,
        ("ad", "web"): 50,
        ("ad", cx.DROPOFF): 10,
        ("web", "web"): 5,
        ("web", "cart"): 60,
        ("web", "help"): 1,
        ("web", cx.DROPOFF): 49,
        ("cart", "web"): 20,
        ("cart", cx.CONVERSION): 40,
        ("help", cx.DROPOFF): 1,
    }


def page_of(graph: cx.JourneyGraph, target) -> None:
    drawing = network(graph)
    section = Section(
        anchor="graph",
        title="The graph",
        lead="",
        parts=(Picture(caption="The graph", drawing=drawing),),
    )
    Report(
        title="A report", source="", window="", figures=(), sections=(section,), parameters={}
    ).write(target)


@pytest.fixture
def opened(browser, tmp_path):
    """A page with the graph of `counts`, that must have nothing to complain about in the end."""
    page_of(cx.JourneyGraph.from_counts(counts()), tmp_path / "graph.html")
    browser.open(tmp_path / "graph.html")
    yield browser
    assert browser.complaints() == []
    assert browser.requests() == []


def node(name: str) -> str:
    return f'.node[data-name="{name}"]'


def details(browser) -> str:
    return browser.evaluate("document.querySelector('.details').textContent")


def drawn(browser) -> int:
    return browser.evaluate("document.querySelectorAll('.edge:not([display=none])').length")


def test_pointing_at_a_node_tells_what_is_known_of_it(opened):
    opened.hover(node("web"))
    said = details(opened)
    assert said.startswith("web")
    assert "115 visits" in said
    assert "From: ad (50), (start) (40), cart (20), web (5)" in said
    assert "To: cart (60), (dropped) (49), web (5), help (1)" in said


def test_pointing_at_a_move_tells_how_often_it_was_made(opened):
    found = opened.evaluate(
        "(() => { const p = document.querySelector('.edge[data-n=\"50\"] .hit');"
        "p.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const at = p.getPointAtLength(p.getTotalLength() / 2).matrixTransform(p.getScreenCTM());"
        "return [at.x, at.y]; })()"
    )
    opened.mouse("mouseMoved", *found)
    assert details(opened).startswith("ad → web")
    assert "50 times" in details(opened)


def test_the_slider_hides_rare_transitions_and_leaves_the_numbers_alone(opened):
    before = opened.evaluate("[...document.querySelectorAll('.numbers')].map(e => e.textContent)")
    opened.evaluate("document.querySelector('input[type=range]').focus()")
    for _ in range(20):
        opened.press("ArrowRight")
    assert drawn(opened) == len(counts())
    assert "100.0%" in opened.evaluate("document.querySelector('.drawn').textContent")
    for _ in range(8):
        opened.press("ArrowLeft")
    assert drawn(opened) == 3
    # the three most frequent of 336 transitions: 60 + 60 + 50
    share = opened.evaluate("document.querySelector('.drawn').textContent")
    assert share == f"3 of 11 transitions drawn: {170 / 336:.1%} of all"
    after = opened.evaluate("[...document.querySelectorAll('.numbers')].map(e => e.textContent)")
    assert after == before


def test_search_marks_what_it_finds_and_enter_goes_there(opened):
    opened.evaluate("document.querySelector('input[type=search]').focus()")
    opened.type("CAR")
    assert opened.evaluate("document.querySelector('.found').textContent") == "1 found"
    missed = opened.evaluate("document.querySelectorAll('.node.missed').length")
    assert missed == opened.evaluate("document.querySelectorAll('.node').length") - 1
    opened.press("Enter")
    assert opened.evaluate("document.activeElement.dataset.name") == "cart"
    assert details(opened).startswith("cart")


def test_the_graph_is_walked_by_keyboard(opened):
    opened.evaluate("document.querySelector('.node[tabindex=\"0\"]').focus()")
    assert opened.evaluate("document.activeElement.dataset.name") == "(start)"
    opened.press("ArrowRight")
    assert opened.evaluate("document.activeElement.dataset.name") == "ad"
    assert details(opened).startswith("ad")
    opened.press("ArrowLeft")
    assert opened.evaluate("document.activeElement.dataset.name") == "(start)"
    assert opened.evaluate("document.querySelectorAll('.node[tabindex=\"0\"]').length") == 1


def test_keys_and_buttons_zoom_and_pan_and_bring_all_back(opened):
    def width() -> float:
        return opened.evaluate("document.querySelector('.network svg').viewBox.baseVal.width")

    def left() -> float:
        return opened.evaluate("document.querySelector('.network svg').viewBox.baseVal.x")

    whole, begin = width(), left()
    opened.evaluate("document.querySelector('.node').focus()")
    opened.press("+")
    assert width() < whole
    moved = left()
    opened.press("ArrowRight", shift=True)
    assert left() > moved
    opened.press("0")
    assert width() == pytest.approx(whole)
    assert left() == pytest.approx(begin)
    opened.evaluate("document.querySelector('[data-act=in]').click()")
    assert width() < whole


def test_dragging_moves_the_view(opened):
    x, y = opened.centre_of(".network svg")
    before = opened.evaluate("document.querySelector('.network svg').viewBox.baseVal.x")
    opened.mouse("mouseMoved", x, y - 150)
    opened.mouse("mousePressed", x, y - 150, button="left", buttons=1, clickCount=1)
    opened.mouse("mouseMoved", x - 60, y - 150, button="left", buttons=1)
    opened.mouse("mouseReleased", x - 60, y - 150, button="left", clickCount=1)
    assert opened.evaluate("document.querySelector('.network svg').viewBox.baseVal.x") > before


def test_hostile_names_are_text_and_nothing_else(browser, tmp_path):
    chain = [cx.START, *HOSTILE, cx.CONVERSION]
    graph = cx.JourneyGraph.from_counts(dict.fromkeys(pairwise(chain), 7))
    page_of(graph, tmp_path / "hostile.html")
    browser.open(tmp_path / "hostile.html")
    browser.evaluate("document.querySelector('.node').focus()")
    for _ in HOSTILE:
        browser.press("ArrowRight")
    browser.evaluate("document.querySelector('input[type=search]').focus()")
    browser.type("<script>")
    browser.press("Enter")
    assert details(browser).startswith(HOSTILE[0])
    assert browser.evaluate("document.querySelectorAll('img, iframe, [onmouseover]').length") == 0
    assert browser.evaluate("document.querySelectorAll('script').length") == 1
    assert browser.complaints() == []
    assert browser.requests() == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_on_the_sample_works_offline_at_any_width(browser, tmp_path, width):
    journeys = cx.datasets.sample(seed=3, customers=400).journeys()
    target = build(journeys).write(tmp_path / "report.html")
    browser.open(target, width=width, height=800)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    levels = browser.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(e => e.tagName)")
    assert levels[0] == "H1"
    assert levels.count("H1") == 1
    assert browser.evaluate("document.querySelectorAll('main, header, nav, footer').length") == 4
    assert browser.complaints() == []
    assert browser.requests() == []


def test_a_whole_report_on_hostile_names_runs_nothing(browser, tmp_path):
    rows = [
        cx.Interaction(
            customer=f"c{i}",
            timestamp=datetime(2026, 1, 1 + k, tzinfo=UTC),
            touchpoint=HOSTILE[(i + k) % len(HOSTILE)],
            channel=HOSTILE[(i + 2 * k) % len(HOSTILE)],
            stage=HOSTILE[k % 2],
            owner=HOSTILE[i % 3],
            emotion=(i - 10) / 20,
        )
        for i in range(20)
        for k in range(4)
    ]
    log = cx.InteractionLog.from_interactions(rows)
    journeys = log.journeys(goal=HOSTILE[3], inactivity=timedelta(days=2))
    target = build(journeys, title=HOSTILE[0], source=HOSTILE[1]).write(tmp_path / "hostile.html")
    browser.open(target, width=390, height=800)
    assert browser.evaluate("document.title") == HOSTILE[0]
    assert browser.evaluate("document.querySelectorAll('img, iframe, [onmouseover]').length") == 0
    assert browser.evaluate("document.querySelectorAll('script').length") == 1
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    assert browser.complaints() == []
    assert browser.requests() == []


def test_what_is_printed_is_the_whole_graph_without_controls(opened):
    opened.evaluate("document.querySelector('[data-act=in]').click()")
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.call("Emulation.setEmulatedMedia", media="print")
    shown = opened.evaluate("getComputedStyle(document.querySelector('.controls')).display")
    assert shown == "none"
    box = opened.evaluate(
        "(() => { const v = document.querySelector('.network svg').viewBox.baseVal;"
        "return [v.x, v.x + v.width]; })()"
    )
    assert box[0] <= -8
    last = opened.evaluate(
        "Math.max(...[...document.querySelectorAll('.node')].map("
        "e => e.transform.baseVal.consolidate().matrix.e))"
    )
    assert box[1] > last
    opened.call("Emulation.setEmulatedMedia", media="")


def test_the_page_is_small_with_sixty_touchpoints(tmp_path):
    names = [f"touchpoint number {i}" for i in range(60)]
    dense = {
        (a, b): 1 + (7 * i + 3 * k) % 11 for i, a in enumerate(names) for k, b in enumerate(names)
    }
    inflow = {b: sum(n for (_, y), n in dense.items() if y == b) for b in names}
    outflow = {a: sum(n for (x, _), n in dense.items() if x == a) for a in names}
    dense |= {(cx.START, x): 500 + outflow[x] for x in names}
    dense |= {(x, cx.DROPOFF): 500 + inflow[x] for x in names}
    page_of(cx.JourneyGraph.from_counts(dense), tmp_path / "dense.html")
    text = (tmp_path / "dense.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 3_000_000
    assert len(re.findall('class="node touchpoint', text)) == 60
    assert "too much to draw" not in text or "rare moves" in text
