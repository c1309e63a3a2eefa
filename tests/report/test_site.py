"""The built site of the documentation, as readers open it. CXJOURNEY_SITE names its folder."""

from __future__ import annotations

import os
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest

OPENED = (
    "index.html",
    "gallery.html",
    "tutorials/1_first_steps.html",
    "tutorials/3_omnichannel_and_attribution.html",
    "how-to/read-data.html",
    "reference/index.html",
    "reference/graph.html",
    "explanation/architecture.html",
    "explanation/calibration-dropoff.html",
)
CHECKED = (
    "index.html",
    "gallery.html",
    "tutorials/1_first_steps.html",
    "how-to/inspect-a-file.html",
    "reference/dropoff.html",
    "explanation/glossary.html",
    "404.html",
)
RESOURCES = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src")}


class Page(HTMLParser):
    """What a page points at, and where it can be pointed at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        self.anchors |= {facts[name] for name in ("id", "name") if name in facts}
        for name in ("href", "src"):
            if name in facts and facts.get("rel") != "canonical":
                target = self.resources if (tag, name) in RESOURCES else self.links
                target.append(facts[name])


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that keeps what it serves to itself."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Path:
    named = os.environ.get("CXJOURNEY_SITE")
    if not named:
        pytest.skip("CXJOURNEY_SITE names no built site")
    return Path(named).resolve()


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    # the page of errors may be served at any address, and links from the root
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


@pytest.fixture(scope="module")
def address(site):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def asked_elsewhere(browser, address: str) -> list[str]:
    """Return what was asked of another server; a picture in the page itself is asked of none."""
    return [asked for asked in browser.requests() if not asked.startswith((address, "data:"))]


def test_every_link_within_the_site_leads_somewhere(pages):
    assert len(pages) > 50
    dead = []
    for path, page in pages.items():
        for link in [*page.links, *page.resources]:
            target, anchor = urldefrag(urljoin(path.as_uri(), link))
            if urlparse(target).scheme != "file":
                continue
            place = Path(unquote(urlparse(target).path))
            if place.is_dir():
                place /= "index.html"
            known = place in pages and unquote(anchor) in pages[place].anchors
            if not place.is_file() or (anchor and place in pages and not known):
                dead.append((path.name, link))
    assert dead == []


def test_no_page_takes_anything_from_elsewhere(pages):
    taken = {link for page in pages.values() for link in page.resources}
    assert taken
    assert {link for link in taken if urlparse(link).scheme not in {"", "data"}} == set()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", OPENED)
def test_a_page_opens_without_complaint_and_fits(browser, site, address, page, width):
    assert (site / page).is_file()
    browser.open(address + page, width=width)
    assert browser.complaints() == []
    assert asked_elsewhere(browser, address) == []
    assert browser.evaluate("document.querySelectorAll('h1').length") == 1
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", CHECKED)
def test_a_page_is_accessible_in_light_and_dark(browser, violations, address, page, width):
    browser.open(address + page, width=width)
    assert violations() == []
    browser.evaluate("document.getElementById('__palette_1').click()")
    browser.wait_until("document.body.dataset.mdColorScheme === 'slate'")
    assert violations() == []
    browser.evaluate("document.getElementById('__palette_0').click()")


def test_search_finds_a_public_name(browser, address):
    browser.open(address + "index.html")
    browser.evaluate("document.querySelector('.md-search__input').focus()")
    browser.type("exit probability")
    browser.wait_until("document.querySelectorAll('.md-search-result__item').length > 0")
    found = browser.evaluate(
        "[...document.querySelectorAll('.md-search-result__link')].map(e => e.href)"
    )
    assert any("dropoff" in link for link in found)
    assert browser.complaints() == []
    assert asked_elsewhere(browser, address) == []
