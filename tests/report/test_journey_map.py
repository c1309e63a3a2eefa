from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.domain import BlueprintStep
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.report import JourneyMap, MapEntry, journey_map
from cxjourney.report._map_layout import picture_of
from cxjourney.report._map_marks import Words, distinct, room
from cxjourney.report._map_sheet import columns_of
from cxjourney.report._map_views import map_overview
from cxjourney.report._map_words import about, between, percent, signed, span

HOSTILE = "<script>alert(1)</script> | **x** `y` : ; # \u202e"


def touch(customer, day, touchpoint, stage, **more):
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return cx.Interaction(
        customer=customer, timestamp=moment, touchpoint=touchpoint, stage=stage, **more
    )


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    """Two customers look around, one of them buys; a third one comes to the shop window only."""
    log = cx.InteractionLog.from_interactions(
        [
            touch("a", 0, "ad", "look", channel="social", owner="marketing"),
            touch("a", 1, "web", "look", channel="web", emotion=0.5),
            touch("a", 2, "cart", "act", channel="web", emotion=-0.5),
            touch("a", 3, "buy", "act", channel="web"),
            touch("b", 0, "web", "look", channel="web", emotion=0.25),
            touch("b", 1, "web", "look", channel="web"),
            touch("c", 2, "window", "look", channel="store"),
        ],
        observed_until=datetime(2026, 2, 1, tzinfo=UTC),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=7))


@pytest.fixture(scope="module")
def drawn(journeys) -> JourneyMap:
    return journey_map(journeys)


def test_stages_stand_in_the_order_of_their_visits(drawn):
    assert drawn.stages == ("look", "act")


def test_cells_hold_what_was_counted(drawn):
    assert [str(e) for e in drawn.cell("touchpoints", "look")] == [
        "web n=3",
        "ad n=1",
        "window n=1",
    ]
    assert [e.n for e in drawn.cell("channels", "look")] == [3, 1, 1]
    share, visits = drawn.cell("volume", "act")
    assert share.value == pytest.approx(1 / 3)
    assert share.low < 1 / 3 < share.high
    assert (share.n, visits.n) == (1, 1)
    (emotion,) = drawn.cell("emotion", "look")
    assert (emotion.value, emotion.n) == (pytest.approx(0.375), 2)
    (lost,) = drawn.cell("drop-off", "look")
    assert lost.value == pytest.approx(2 / 5)  # b's second visit and c's only one, of five


def test_everything_from_data_says_so(drawn):
    assert {entry.basis for entry in drawn.entries} == {"data"}


def test_the_rest_of_a_long_list_is_summed_up():
    paths = [[f"t{i}"] for i in range(9)]
    shown = journey_map(cx.Journeys.from_paths(paths, converted=range(9, 0, -1)))
    listed = shown.cell("touchpoints", "all")
    assert listed[-1].text == "and 3 more"
    assert sum(e.n for e in listed) == 45


def test_without_stages_there_is_one_column_and_the_map_says_so():
    shown = journey_map(cx.Journeys.from_paths([["ad", "web"]], converted=[3], dropped=[2]))
    assert shown.stages == ("all",)
    assert "no stages" in shown.notes[0]
    assert any(
        note.startswith("The lane 'waiting' is empty:") for note in shown.notes
    )  # paths have no times


def test_what_no_log_tells_is_marked_as_assumed(journeys):
    thought = MapEntry(lane="actions", stage="act", text="compares prices")
    shown = journey_map(journeys, assumed=[thought])
    assert shown.cell("actions", "act") == (thought,)
    assert "compares prices <small>assumed</small>" in shown.to_html()
    assert "*compares prices* (assumed)" in shown.to_markdown()
    assert "actions: compares prices (assumed)" in shown.to_text()


def test_assumptions_cannot_pass_for_data(journeys):
    claim = MapEntry(lane="actions", stage="act", text="is happy", basis="data")
    with pytest.raises(InvalidValue, match="assumed"):
        journey_map(journeys, assumed=[claim])


def test_a_stage_that_is_not_there_is_refused(journeys, drawn):
    with pytest.raises(UnknownName, match="did you mean 'act'"):
        drawn.cell("emotion", "acts")
    with pytest.raises(UnknownName, match="stage"):
        journey_map(journeys, assumed=[MapEntry(lane="actions", stage="later", text="x")])
    with pytest.raises(InvalidValue, match="'act'"):
        journey_map(journeys, stages=["look"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blueprint": ["look"]}, "blueprint must be a JourneyBlueprint"),
        ({"stages": 7}, "stages must be a name or a list of names; got 7"),
        ({"assumed": 7}, "assumed must be a list of MapEntry; got 7"),
        ({"assumed": ["is happy"]}, "assumed must hold MapEntry only; got 'is happy'"),
        ({"points": []}, r"points must be the result of cxjourney\.critical\.points"),
    ],
)
def test_arguments_of_a_wrong_kind_are_named(journeys, options, message):
    with pytest.raises(InvalidValue, match=message):
        journey_map(journeys, **options)


def test_a_log_is_no_journeys(journeys):
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not InteractionLog"):
        journey_map(journeys.log)


def test_an_attribute_fills_the_actions():
    log = cx.InteractionLog.from_interactions(
        [touch("a", 0, "web", "look", attributes={"did": "reads"})]
    )
    shown = journey_map(log.journeys(inactivity=timedelta(days=1)), actions="did")
    assert [str(e) for e in shown.cell("actions", "look")] == ["reads n=1"]


def test_the_frame_holds_every_entry_and_the_dictionary_comes_back(drawn):
    assert len(drawn.to_frame("polars")) == len(drawn.entries)
    back = JourneyMap.from_dict(drawn.to_dict())
    assert back.to_dict() == drawn.to_dict()
    assert back.to_html() == drawn.to_html()


def test_a_notebook_gets_the_map(drawn):
    bundle = drawn._repr_mimebundle_()
    assert bundle["text/html"] == drawn.to_html()
    assert bundle["text/plain"].startswith("Journey map")


def hostile_map() -> JourneyMap:
    entry = MapEntry(lane="touchpoints", stage=HOSTILE, text=HOSTILE)
    return JourneyMap(
        name=HOSTILE, stages=(HOSTILE,), entries=(entry,), level=0.95, notes=(HOSTILE,)
    )


def test_hostile_names_are_text_in_every_form():
    shown = hostile_map()
    for text in (shown.to_html(), shown.to_svg(), shown.to_markdown()):
        assert "<script>" not in text
        assert "\u202e" not in text
    rows = [line for line in shown.to_markdown().splitlines() if line.startswith("|")]
    bars = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(bars) == {3}  # two cells a row


def test_the_svg_is_well_formed_and_stands_alone(drawn):
    for shown in (drawn, hostile_map()):
        root = ET.fromstring(shown.to_svg())  # noqa: S314 - made here
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not [e for e in root.iter() if "href" in "".join(e.attrib)]


def test_mermaid_keeps_to_its_grammar(drawn):
    def tasks(text):
        return [
            line.strip()
            for line in text.splitlines()[2:]
            if not line.strip().startswith(("section ", "%%"))
        ]

    assert drawn.to_mermaid().startswith("journey\n    title Journey map\n    section look\n")
    assert "web: 4: web, social, store" in tasks(drawn.to_mermaid())  # 3 + 2 · 0.375 = 3.75
    assert "cart: 2: web" in tasks(drawn.to_mermaid())
    for task in tasks(drawn.to_mermaid()) + tasks(hostile_map().to_mermaid()):
        assert re.fullmatch(r"[^:;#,]+: [1-5](: [^:;#]+)?", task), task


def test_the_map_fits_a_phone_and_loads_nothing(browser, tmp_path, drawn):
    page = tmp_path / "map.html"
    page.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>map</title>'
        f'<meta name="viewport" content="width=device-width">{drawn.to_html()}',
        encoding="utf-8",
    )
    browser.open(page, width=360, height=800)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360  # its box scrolls
    assert browser.evaluate("document.querySelector('.scroll').scrollWidth") > 360
    tips = "[...document.querySelectorAll('.tip')]"
    shown = f"{tips}.filter(e => getComputedStyle(e).visibility == 'visible')"
    assert browser.evaluate(f"{shown}.length") == 0
    browser.evaluate("document.querySelector('.spot').focus()")
    said = browser.evaluate(f"{shown}.map(e => e.innerText).join()")
    assert said.replace("\u00a0", " ").startswith("100% of journeys come by look (between ")
    assert said.endswith("; 3 journeys). 5 visits.")
    assert browser.evaluate("getComputedStyle(document.querySelector('table')).display") == "table"
    assert browser.complaints() == []
    assert browser.requests() == []


def test_the_map_breaks_no_rule_of_accessibility(browser, violations, tmp_path, drawn, plan):
    page = tmp_path / "map.html"
    page.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>map</title><main><h1>map</h1>'
        f"{drawn.to_html(beside=journey_map(plan))}</main>",
        encoding="utf-8",
    )
    browser.open(page)
    assert violations() == []


# ---------------------------------------------------------------------- the picture


def words_of(picture) -> list[Words]:
    return [mark for group in picture.groups for mark in group.marks if isinstance(mark, Words)]


def box_of(words: Words) -> tuple[float, float, float, float]:
    wide = room(words.text, words.size, bold=words.bold)
    left = words.x - {"start": 0, "middle": wide / 2, "end": wide}[words.anchor]
    return left, words.y - 0.8 * words.size, left + wide, words.y + 0.2 * words.size


def test_the_picture_says_what_was_counted_as_people_write_it(drawn):
    texts = [words.text for words in words_of(picture_of(drawn))]
    assert "1 January 2026 to 4 January 2026 · 3 journeys" in texts
    assert "40% leave" in texts  # two of the five visits, as the entry above
    assert "2 answers" in texts
    assert "100% of journeys" in texts
    assert "33% of journeys" in texts
    told = " ".join(group.evidence for group in picture_of(drawn).groups)
    assert "web: 3 visits of this stage, 60% of all, mostly in the channel web." in told


def test_stages_are_wider_where_more_journeys_come_by(drawn):
    wide, narrow = columns_of((drawn,), 0.0, (150.0, 200.0, 600.0))
    assert wide.width + narrow.width == pytest.approx(600)
    # both have 150, and the other 300 are shared as 1 to 1/3
    assert (wide.width, narrow.width) == pytest.approx((150 + 225, 150 + 75))


def test_the_wedges_are_as_wide_as_the_shares_that_leave():
    paths = [["ad", "web"], ["web"]]
    shown = journey_map(cx.Journeys.from_paths(paths, converted=[3, 0], dropped=[1, 4]))
    (lost,) = shown.cell("drop-off", "all")
    leaving = next(g for g in picture_of(shown).groups if "the last before" in g.evidence)
    xs = [at[0] for _, at in leaving.marks[0].steps[:2]]
    assert xs[1] - xs[0] == pytest.approx(130 * lost.value)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=60)
FLOATS = st.floats(-1, 1)


@st.composite
def maps(draw) -> JourneyMap:
    stages = tuple(draw(st.lists(NAMES, min_size=1, max_size=5, unique=True)))
    entries = []
    for stage in stages:
        for name in draw(st.lists(NAMES, max_size=4, unique=True)):
            n = draw(st.integers(0, 10**7))
            entries.append(
                MapEntry(
                    lane="touchpoints", stage=stage, text=name, touchpoint=name, n=n,
                    basis="data" if n else "assumed", channel=draw(st.sampled_from("abcdefghij")),
                )
            )  # fmt: skip
            entries += [
                MapEntry(lane=lane, stage=stage, text=name, touchpoint=name, n=n,
                         value=draw(FLOATS), kind="percent", basis="data")
                for lane in ("moments of truth", "pain points", "opportunities")
                if draw(st.booleans())
            ]  # fmt: skip
        for lane, kind in (("volume", "percent"), ("drop-off", "percent"), ("emotion", "number"),
                           ("expectation gap", "number"), ("waiting", "duration")):  # fmt: skip
            if draw(st.booleans()):
                low, value, high = sorted(draw(st.tuples(FLOATS, FLOATS, FLOATS)))
                if kind != "number":
                    low, value, high = sorted(map(abs, (low, value, high)))
                size = 10**6 if kind == "duration" else 1
                entries.append(
                    MapEntry(lane=lane, stage=stage, text="", value=size * value, low=size * low,
                             high=size * high, n=draw(st.integers(1, 10**7)), kind=kind,
                             basis="data")
                )  # fmt: skip
    return JourneyMap(
        name=draw(NAMES), stages=stages, entries=tuple(entries), level=0.95, notes=(), n_journeys=9
    )


@settings(max_examples=10)
@given(maps())
def test_no_text_stands_on_another_or_leaves_the_picture(shown):
    picture = picture_of(shown)
    boxes = [(words, *box_of(words)) for words in words_of(picture) if words.text.strip()]
    for words, left, top, right, bottom in boxes:
        assert left >= 0, words
        assert right <= picture.width + 1, words
        assert top >= 0, words
        assert bottom <= picture.height, words
    for (a, al, at, ar, ab), (b, bl, bt, br, bb) in combinations(boxes, 2):
        apart = ar <= bl + 1 or br <= al + 1 or ab <= bt + 1 or bb <= at + 1
        assert apart, (a, b)
    ET.fromstring(shown.to_svg())  # noqa: S314 - made here


def test_names_are_cut_so_that_they_stay_distinct():
    names = [f"{'a very long name of a page ' * 3}{i}" for i in range(12)]
    written = distinct(dict.fromkeys(names, 90.0), 12)
    assert len({*written.values()}) == 12
    assert all(room(text, 12) <= 90 for text in written.values())
    assert distinct({"cart": 90.0}, 12) == {"cart": "cart"}


def test_the_small_picture_has_stages_flow_and_feelings(drawn):
    small = map_overview(drawn)
    texts = [e.text for e in ET.fromstring(small).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314
    assert {"look", "act", "40% leave"} <= {*texts}
    assert "web" not in texts
    assert "web" not in map_overview(hostile_map())


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (percent(0.1504), "15%"),
        (percent(0.004), "0.4%"),
        (percent(0.0001), "<0.1%"),
        (percent(0.0), "0%"),
        (percent(-0.2), "−20%"),
        (span(19.4 * 3600), "19 hours"),
        (span(36 * 3600), "36 hours"),
        (span(3 * 86_400), "3 days"),
        (span(3.46 * 86_400), "3.5 days"),
        (span(1.0), "1 second"),
        (about(355.4), "355"),
        (about(12_345), "12,300"),
        (about(3.81), "3.8"),
        (about(7.02), "7"),
        (about(10.2), "10"),
        (signed(-0.176), "−0.18"),
        (signed(0.001), "0.00"),
    ],
)
def test_numbers_read_as_people_write_them(said, expected):
    assert said.replace("\u00a0", " ") == expected


def test_ends_of_an_interval_can_be_told_apart():
    near = MapEntry(lane="drop-off", stage="a", text="", value=0.15, low=0.1472, high=0.1484,
                    kind="percent", n=9, basis="data")  # fmt: skip
    assert between(near).replace("\u00a0", " ") == "between 14.7% and 14.8%"


def test_the_map_as_png_and_on_axes(drawn):
    pytest.importorskip("matplotlib")
    assert drawn.to_png().startswith(b"\x89PNG")
    ax = drawn.plot(title="heading")
    assert {"look", "act", "40% leave"} <= {text.get_text() for text in ax.texts}
    assert ax.get_title() == "heading"
    assert drawn.plot(ax=ax) is ax


# ---------------------------------------------------------------------- with a blueprint


@pytest.fixture(scope="module")
def plan() -> cx.JourneyBlueprint:
    return cx.JourneyBlueprint(
        "shop",
        [
            BlueprintStep("web", stage="look", channels=["web", "app"], promise="answers at once"),
            BlueprintStep("cart", stage="act", emotion=0.5, owner="sales"),
            BlueprintStep("stock check", stage="act", frontstage=False, emotion=0.7),
        ],
        stages=cx.StageModel("own", ["look", "act", "stay"]),
    )


def test_a_blueprint_adds_what_the_data_do_not_show_as_assumed(journeys, plan):
    shown = journey_map(journeys, blueprint=plan)
    assert shown.stages == ("look", "act", "stay")
    assumed = {(e.lane, e.stage, str(e)) for e in shown.entries if e.basis == "assumed"}
    assert assumed == {
        ("channels", "look", "app"),
        ("promise", "look", "web: answers at once"),
        ("touchpoints", "act", "stock check (backstage)"),
        ("owner", "act", "sales"),
        ("emotion", "act", "expected 0.6"),
    }
    assert shown.cell("touchpoints", "stay") == ()


def test_a_log_without_stages_takes_them_from_the_blueprint(plan):
    paths = cx.Journeys.from_paths([["web", "cart"], ["help"]], converted=[3, 0], dropped=[2, 4])
    shown = journey_map(paths, blueprint=plan)
    assert shown.stages == ("look", "act", "stay", "not in the blueprint")
    assert [str(e) for e in shown.cell("touchpoints", "act") if e.basis == "data"] == ["cart n=5"]
    assert [e.n for e in shown.cell("touchpoints", "not in the blueprint")] == [4]
    (lost,) = shown.cell("drop-off", "act")
    assert lost.value == pytest.approx(2 / 5)


def test_a_blueprint_alone_is_a_map_before_there_are_data(plan):
    shown = journey_map(plan, persona="Nora")
    assert (shown.name, shown.persona, shown.n_journeys) == ("shop", "Nora", 0)
    assert shown.stages == ("look", "act", "stay")
    assert {entry.basis for entry in shown.entries} == {"assumed"}
    assert [e.text for e in shown.cell("touchpoints", "act")] == ["cart", "stock check (backstage)"]
    assert [str(e) for e in shown.cell("emotion", "act")] == ["expected 0.6"]  # of 0.5 and 0.7
    texts = [words.text for words in words_of(picture_of(shown))]
    assert "Nora · as designed" in texts
    assert "expected" in texts
    assert not any("leave" in text or text == "no answers" for text in texts)
    assert JourneyMap.from_dict(shown.to_dict()).to_dict() == shown.to_dict()


def test_a_blueprint_without_stages_has_one_column():
    shown = journey_map(cx.JourneyBlueprint("plain", ["web", "cart"]))
    assert shown.stages == ("all",)
    assert [e.touchpoint for e in shown.cell("touchpoints", "all")] == ["web", "cart"]


def test_a_blueprint_alone_takes_nothing_that_needs_journeys(journeys, plan):
    with pytest.raises(InvalidValue, match="blueprint must be left out"):
        journey_map(plan, blueprint=plan)
    with pytest.raises(InvalidValue, match="actions must be left out"):
        journey_map(plan, actions="did")
    with pytest.raises(InvalidValue, match="expected_exits must be left out"):
        journey_map(plan, expected_exits=["web"])
    with pytest.raises(UnknownName, match="'look'"):
        journey_map(plan, stages=["act", "stay"])
    with pytest.raises(InvalidValue, match="persona must be text or None; got 7"):
        journey_map(journeys, persona=7)


def test_what_a_cell_sums_up_was_observed():
    plan = cx.JourneyBlueprint("p", ["t0", "t8", "never"])
    paths = cx.Journeys.from_paths([[f"t{i}"] for i in range(9)], converted=range(9, 0, -1))
    shown = journey_map(paths, blueprint=plan)
    cell = shown.cell("touchpoints", "all")
    assert [e.text for e in cell if e.basis == "assumed"] == ["never"]
    (rest,) = [e for e in cell if e.others]
    assert rest.others == ("t6", "t7", "t8")
    both = picture_of(journey_map(plan), shown)
    told = " ".join(group.evidence for group in both.groups)
    assert "t8 is designed or believed. Journey map: it is among the less frequent ones." in told
    assert "p: never is assumed and was not observed here." in told


def test_two_maps_stand_in_one_picture_with_their_difference():
    def of(name, stayed, left):
        counts = cx.Journeys.from_paths([["web"]], converted=[stayed], dropped=[left])
        return journey_map(counts, name=name)

    few, more, near = of("before", 900, 100), of("after", 700, 300), of("later", 895, 105)
    marks = words_of(picture_of(few, more))
    assert {"before beside after", "10%", "30%"} <= {words.text for words in marks}
    (said,) = [words for words in marks if words.text == "20 points more"]
    assert said.bold  # the intervals of 10% and 30% of 1,000 do not overlap
    told = " ".join(group.evidence for group in picture_of(few, more).groups)
    assert "before: 10% of the visits in all are the last" in told
    assert "after: 30% of the visits in all are the last" in told
    (said,) = [w for w in words_of(picture_of(few, near)) if w.text in {"as many", "1 point more"}]
    assert not said.bold
    assert "after as a table" in few.to_html(beside=more)
    ET.fromstring(few.to_svg(beside=more))  # noqa: S314 - made here
    with pytest.raises(InvalidValue, match="beside must be a JourneyMap or None"):
        few.to_svg(beside="after")
