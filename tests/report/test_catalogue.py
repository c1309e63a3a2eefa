"""The words of the page stand in the catalogue, and numbers are as people write them."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

import cxjourney as cx
from cxjourney.report import _catalogue, build, journey_map
from cxjourney.report._catalogue import (
    between,
    number,
    percent,
    rounded,
    share_in_words,
    times_in_words,
)
from cxjourney.report._map_layout import picture_of

TEMPLATES = ("report", "map", "bars", "line", "matrix", "network", "network_page", "spark")
OTHERS = {"journey-map", "jm"}  # pictures with words of their own
QUIET = {"style", "script", "code", "pre"}
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}
SPOKEN = ("aria-label", "title", "placeholder", "data-sort", "data-filter", "data-download")


def marked(value: object) -> object:
    """Return a catalogue in which every text stands in brackets, as a translation would differ."""
    if isinstance(value, dict):
        return {key: marked(one) for key, one in value.items()}
    if isinstance(value, list):
        return [marked(one) for one in value]
    return f"⟦{value}⟧" if value else value


class Spoken(HTMLParser):
    """What a page says by itself: not code, not what results say of themselves, not pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.open: list[tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        within = bool(self.open and self.open[-1][1])
        quiet = within or tag in QUIET or (tag != "html" and "lang" in facts)
        quiet = quiet or bool(OTHERS & set((facts.get("class") or "").split()))
        if not quiet:
            self.said += [facts[name] or "" for name in SPOKEN if name in facts]
        if tag not in VOID:
            self.open.append((tag, quiet))

    def handle_endtag(self, _tag):
        self.open.pop()

    def handle_data(self, data):
        if not (self.open and self.open[-1][1]):
            self.said.append(data)


def beyond(text: str) -> str:
    """Return what stands in no brackets."""
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", text)) != text:
        text = shorter
    return text


def test_every_word_that_the_page_says_stands_in_the_catalogue(monkeypatch):
    catalogue = marked(_catalogue._catalogue())
    catalogue["lang"] = "en"
    monkeypatch.setattr(_catalogue, "_catalogue", lambda: catalogue)
    log = cx.datasets.sample(seed=2, customers=1_500).log
    page = build(log.journeys(goal="order", inactivity="14d"), title="").to_html()
    names = [*log.touchpoints, *log.channels, *log.stages, "EUR", "2025", "UTC"]
    for name in log.customer_attributes:
        names += [name, *map(str, log.customer_attributes[name].names)]
    known = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    text = "".join(Spoken(page).said)
    assert text.count("⟦") > 300
    left = {
        word
        for one in Spoken(page).said
        for word in re.findall(r"[^\W\d_]{2,}", known.sub("", beyond(one)))
    }
    assert left == set()


def test_what_the_pointer_finds_on_a_map_stands_in_the_catalogue(monkeypatch):
    catalogue = marked(_catalogue._catalogue())
    monkeypatch.setattr(_catalogue, "_catalogue", lambda: catalogue)
    log = cx.datasets.sample(seed=2, customers=300).log
    drawn = journey_map(log.journeys(goal="order", inactivity="14d"), name="1")
    plan = journey_map(cx.JourneyBlueprint("2", ["cart"]))
    owners = [entry.text for entry in drawn.entries if entry.lane == "owner"]
    names = {*log.touchpoints, *log.channels, *log.stages, *owners}
    known = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    for picture in (picture_of(drawn), picture_of(plan), picture_of(plan, drawn)):
        told = [group.evidence for group in picture.groups]
        assert "⟦" in "".join(told)
        left = re.findall(r"[^\W\d_]{2,}", known.sub("", " ".join(map(beyond, told))))
        assert left == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_hold_no_words(name):
    text = (files("cxjourney.report") / "templates" / f"{name}.html.j2").read_text("utf-8")
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", "", text)
    assert re.findall(r"[^\W\d_]+", text) == []


def test_no_column_is_called_by_its_name_on_the_page():
    page = build(cx.datasets.sample(seed=2, customers=600).journeys()).to_html()
    text = re.sub(r"<(script|style|pre|code).*?</\1>|<wbr>", "", page, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", text)
    assert re.findall(r"\b[a-z]+_[a-z_]+\b", text) == []
    plain = re.sub(
        r'<div class="journey-map.*?</table>|<p lang="en">.*?</p>', "", page, flags=re.DOTALL
    )
    assert re.search(r"\[-?[\d.]+%?, ", re.sub(r"<[^>]*>", " ", plain)) is None


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.203, ("One in five", True)),
        (0.234, ("Nearly one in four", True)),
        (0.27, ("Just over one in four", True)),
        (0.5, ("Half of all", False)),
        (0.66, ("Two in three", False)),
        (0.42, ("About 42% of", False)),
        (0.01, ("About 1.0% of", False)),
    ],
)
def test_shares_are_told_as_people_tell_them(share, words):
    assert share_in_words(share) == words


@pytest.mark.parametrize("share", [0.0, 1.0, 1e-9, 0.9999])
def test_no_share_is_too_odd_to_be_told(share):
    words, _ = share_in_words(share)
    assert words


@pytest.mark.parametrize(
    ("share", "other", "words"),
    [
        (0.203, 0.107, "about twice as many as"),
        (0.12, 0.1, "about 20% more than"),
        (0.15, 0.1, "about one and a half times as many as"),
        (0.25, 0.1, "about two and a half times as many as"),
        (0.41, 0.1, "about 4 times as many as"),
        (0.2, 0.0, "20 more in every hundred than"),
        (0.2, -0.01, "21 more in every hundred than"),
    ],
)
def test_how_many_times_is_told_in_words(share, other, words):
    assert times_in_words(share, other) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(364.0, "360"), (27_121.7, "27,000"), (9.6, "10"), (8.2, "8"), (0.0, "0"), (0.3, "0")],
)
def test_numbers_are_rounded_to_two_figures(value, words):
    assert rounded(value) == words


def test_what_is_not_known_is_a_dash():
    assert rounded(math.nan) == number(math.nan) == number(math.nan, "hundredths") == "–"
    assert between(math.nan, 1.0) == ""


def test_intervals_and_units_are_words():
    assert between(0.263, 0.274, "percent") == "between 26.3% and 27.4%"
    assert number(370_000.0, "duration") == "4.28 days"
    assert number(-0.35, "hundredths") == "−0.35"
    assert number(-0.001, "hundredths") == "0.00"
    assert percent(0.057) == "5.7%"
    assert percent(0.38) == "38%"
