from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

import cxjourney as cx
from cxjourney.domain import BlueprintStep
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.report import JourneyMap, MapEntry, journey_map

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
    browser.open(page, width=390, height=800)
    assert browser.evaluate("document.querySelectorAll('.curve .dot').length") == 2
    assert browser.complaints() == []
    assert browser.requests() == []


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
