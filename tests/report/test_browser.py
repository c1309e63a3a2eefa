from __future__ import annotations

import html
import re
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
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
    for _ in range(20):
        opened.press("ArrowLeft")
    # exits and the busiest way into each node stay, so that none floats: of 336 to ad 60, to web
    # 50, to cart 60, to help 1, 40 converted, and 10 + 49 + 1 dropped
    assert drawn(opened) == 8
    share = opened.evaluate("document.querySelector('.drawn').textContent")
    assert share == f"8 of 11 transitions drawn: {271 / 336:.1%} of all"
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
    opened.mouse("mouseMoved", x, y - 50)
    opened.mouse("mousePressed", x, y - 50, button="left", buttons=1, clickCount=1)
    opened.mouse("mouseMoved", x - 60, y - 50, button="left", buttons=1)
    opened.mouse("mouseReleased", x - 60, y - 50, button="left", clickCount=1)
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


BROKEN = """
[...document.querySelectorAll('td, th, h3, .bars .name')].flatMap(cell => {
  const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), broken = [];
  while (walk.nextNode()) {
    for (const word of walk.currentNode.data.matchAll(/[^\\s-]+/g)) {
      const range = document.createRange();
      range.setStart(walk.currentNode, word.index);
      range.setEnd(walk.currentNode, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map(one => Math.round(one.top)));
      if (tops.size > 1) broken.push(word[0]);
    }
  }
  return broken;
})
"""


@pytest.fixture(scope="module")
def of_sample(tmp_path_factory):
    sample = cx.datasets.sample(seed=3, customers=400)
    names = {"payment": "payment_information_entered", "cart": "shopping_cart_summary_page"}
    log = sample.log.rename(names, channels={"app": "mobile_application"})
    rules = {"goal": sample.truths.goal, "inactivity": sample.truths.inactivity}
    return build(log.journeys(**rules)).write(tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_on_the_sample_works_offline_at_any_width(browser, of_sample, width):
    browser.open(of_sample, width=width, height=800)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    # no word of a table or a heading is broken: each piece between breaks has one line
    assert browser.evaluate(BROKEN) == []
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
    assert box[0] <= 0
    last = opened.evaluate(
        "Math.max(...[...document.querySelectorAll('.node')].map("
        "e => e.transform.baseVal.consolidate().matrix.e))"
    )
    assert box[1] > last
    opened.call("Emulation.setEmulatedMedia", media="")


def test_the_whole_page_is_small_with_sixty_touchpoints(tmp_path):
    rng, n = np.random.default_rng(6), 9_000
    places = rng.integers(60, size=n)
    rows = zip(rng.integers(600, size=n), places, rng.integers(200 * 86_400, size=n), strict=True)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=f"customer {who}",
                touchpoint=f"touchpoint number {place}",
                timestamp=begin + timedelta(seconds=int(second)),
                channel=f"channel {place % 12}",
                stage=f"stage {place // 10}",
                emotion=(place % 7) / 3 - 1,
            )
            for who, place, second in rows
        ]
    )
    journeys = log.journeys(goal="touchpoint number 59", inactivity=timedelta(days=30))
    text = build(journeys).to_html()
    assert len(text.encode()) < 3_000_000
    assert len(re.findall('class="node touchpoint', text)) == 59
    assert text.count('class="edge ') > 1_900  # as many as are ever drawn


OVERLAPS = """
(() => {
  const boxes = [...document.querySelectorAll('.node rect')].map(e => e.getBoundingClientRect());
  const texts = [...document.querySelectorAll('.network svg text')];
  const over = (a, b) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const found = [];
  texts.forEach((text, i) => {
    const r = text.getBoundingClientRect();
    const own = text.closest('.node')?.querySelector('rect').getBoundingClientRect();
    if (own && (r.left < own.left || r.right > own.right)) found.push(`wide: ${text.textContent}`);
    const on = boxes.filter(box => over(r, box)).length;
    if (on !== (own ? 1 : 0)) found.push(`on ${on} boxes: ${text.textContent}`);
    for (const other of texts.slice(0, i)) {
      const seen = other.getBoundingClientRect();
      const deep = Math.min(r.bottom, seen.bottom) - Math.max(r.top, seen.top);
      if (over(r, seen) && deep > r.height / 4) found.push(`${text.textContent} on another text`);
    }
  });
  return found;
})()
"""


@pytest.mark.parametrize("n", [5, 30, 60, 150])
@pytest.mark.parametrize("stages", [False, True])
def test_no_name_lies_on_another_one_or_on_a_box(browser, tmp_path, n, stages):
    names = [f"THE PAGE ABOUT {i:03} MWM products of the shop" for i in range(n)]
    steps = {(cx.START, names[0]): 20 * n}
    for i, name in enumerate(names):
        steps[name, cx.DROPOFF] = 10
        after = names[i + 1] if i + 1 < n else cx.CONVERSION
        steps[name, after] = 20 * n - 10 * (i + 1)
    stage = {x: f"stage {i // 9} WITH a long name" for i, x in enumerate(names)}
    graph = cx.JourneyGraph.from_counts(steps, stage=stage if stages else None)
    page_of(graph, tmp_path / "graph.html")
    browser.open(tmp_path / "graph.html")
    assert browser.evaluate("document.querySelectorAll('.node').length") == n + 2
    assert browser.evaluate(OVERLAPS) == []
    labels = browser.evaluate("[...document.querySelectorAll('.name')].map(e => e.textContent)")
    assert len(set(labels)) == n + 2
    # what is too small to read as a whole begins with its first columns
    scale = "(s => s.clientWidth / s.viewBox.baseVal.width)(document.querySelector('.network svg'))"
    assert browser.evaluate(scale) >= 0.5
    assert browser.complaints() == []


def test_a_node_that_is_pointed_at_shows_its_rare_transitions_too(browser, tmp_path):
    steps = {(cx.START, "hub"): 1000, ("hub", cx.DROPOFF): 460}
    for i in range(60):
        steps["hub", f"page {i}"] = 9
        steps[f"page {i}", f"page {(i + 7) % 60}"] = 1
        steps[f"page {i}", cx.CONVERSION] = 9
    page_of(cx.JourneyGraph.from_counts(steps), tmp_path / "graph.html")
    browser.open(tmp_path / "graph.html")
    seen = (
        "[...document.querySelectorAll('.edge')].filter("
        "e => getComputedStyle(e).display !== 'none').length"
    )
    before = browser.evaluate(seen)
    assert before < len(steps)
    browser.hover(node("page 5"))
    lit = "document.querySelectorAll('.edge.lit').length"
    assert browser.evaluate(lit) == 4  # from the hub and page 58, to page 12 and the conversion
    assert browser.evaluate(seen) > before


def test_two_fingers_zoom(opened):
    width = "document.querySelector('.network svg').viewBox.baseVal.width"
    before = opened.evaluate(width)
    x, y = opened.centre_of(".network svg")

    def touch(kind, *places):
        points = [{"x": at, "y": y, "id": i} for i, at in enumerate(places)]
        opened.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    touch("touchStart", x - 20)
    touch("touchStart", x - 20, x + 20)
    touch("touchMove", x - 20, x + 40)
    touch("touchMove", x - 40, x + 40)
    touch("touchEnd")
    assert opened.evaluate(width) == pytest.approx(before / 2, rel=0.05)


def test_a_notebook_shows_the_graph_in_a_frame_that_works(browser, tmp_path):
    graph = cx.JourneyGraph.from_counts(counts())
    frame = graph._repr_html_()
    assert frame.startswith("<iframe ")
    assert 'sandbox="allow-scripts"' in frame
    assert frame.count("<") == 2  # the frame and its end: the page within is escaped
    page = html.unescape(re.search('srcdoc="([^"]*)"', frame)[1])
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    browser.open(tmp_path / "page.html", height=680)
    browser.hover(node("web"))
    assert "115 visits" in details(browser)
    assert browser.evaluate("document.documentElement.scrollHeight") <= 680
    assert browser.complaints() == []
    (tmp_path / "cell.html").write_text(f"<meta charset=utf-8>{frame}", encoding="utf-8")
    browser.open(tmp_path / "cell.html")
    assert browser.complaints() == []


def test_a_notebook_shows_graphs_that_are_cut_turned_or_empty():
    graph = cx.JourneyGraph.from_counts(counts())
    for made in (graph.subgraph(["ad", "web"]), graph.reverse(), cx.JourneyGraph()):
        assert made._repr_html_().startswith("<iframe ")


def test_without_jinja2_a_notebook_shows_the_nodes(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    found = cx.JourneyGraph.from_counts(counts())._repr_html_()
    assert found.startswith("<table")
    assert "cart" in found
