"""What goes out as JSON comes back as it was, whatever its class, and nothing else does."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given

import cxjourney as cx
from cxjourney import _load
from cxjourney.exceptions import CxJourneyError, InputFileError, InvalidValue, UnknownName
from cxjourney.testing import interaction_lists, interactions

from .test_results import CLASSES

pytestmark = pytest.mark.filterwarnings("ignore::cxjourney.exceptions.DataQualityWarning")


def carried(thing):
    """Return what has been to JSON and back."""
    return cx.load(json.loads(json.dumps(thing.to_dict(), allow_nan=False)))


@pytest.fixture(scope="module")
def log():
    return cx.datasets.sample(seed=1, customers=40).log


@pytest.mark.parametrize("cls", CLASSES, ids=[c.__qualname__ for c in CLASSES])
def test_every_class_of_results_is_found_by_its_name(cls):
    # a class that a package's __init__ does not import would not be
    home = sys.modules[_load._homes()[cls.__name__]]
    assert getattr(home, cls.__name__) is cls


@given(interactions())
def test_an_interaction_comes_back(interaction):
    assert carried(interaction) == interaction


@given(interaction_lists())
def test_a_log_comes_back(items):
    try:
        log = cx.InteractionLog.from_interactions(items)
    except CxJourneyError:
        return  # one customer or channel, described in two ways
    back = carried(log)
    assert back == log
    assert list(back.interactions()) == list(log.interactions())


def test_what_a_log_knows_beyond_its_rows_comes_back():
    day = datetime(2026, 1, 1, tzinfo=UTC)
    acme = cx.Account("acme", attributes={"size": 3})
    items = [
        cx.Interaction(
            customer=cx.Customer("a", account=acme, attributes={"vip": True, "age": 1}),
            touchpoint=cx.Touchpoint("web", frontstage=False), channel=cx.Channel("web", None),
            timestamp=day + i * timedelta(hours=1), score=i, seq=i, value=2.5, currency="EUR",
        )
        for i in range(3)
    ]  # fmt: skip
    scale = cx.metrics.Scale(0, 10)
    log = cx.InteractionLog.from_interactions(items, scale=scale, observed_from=day)
    back = carried(log)
    assert back == log
    assert list(back.interactions()) == items
    assert back.audit().to_dict() == log.audit().to_dict()


def test_journeys_graphs_and_results_come_back(log):
    journeys = log.journeys(goal="order", inactivity="14d")
    for journey in journeys:
        assert carried(journey) == journey
    graph = journeys.graph()
    assert cx.load(json.loads(graph.to_json())).to_json() == graph.to_json()
    exits = cx.dropoff.exits(journeys)
    assert type(carried(exits)) is type(exits)
    assert carried(exits).to_dict() == exits.to_dict()


def test_an_estimate_comes_back_as_what_it_was():
    score = cx.metrics.nps([10, 9, 3, 7])
    assert cx.Estimate.from_dict(score.to_dict()) == score
    assert type(cx.Estimate.from_dict(score.to_dict())) is type(score)
    with pytest.raises(InvalidValue, match="type"):
        type(score).from_dict(cx.metrics.csat([5, 4]).to_dict())


def test_a_file_is_read(tmp_path, log):
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log.to_dict()), encoding="utf-8")
    assert cx.load(path) == cx.load(str(path)) == log


def test_what_does_not_come_back_says_so(tmp_path):
    with pytest.raises(InputFileError):
        cx.load(tmp_path / "nothing.json")
    path = tmp_path / "list.json"
    for text in ("[1]", "{", "[" * 100_000, '"\\ud800"'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidValue, match="JSON"):
            cx.load(path)
    # what a package offers besides is no result: nothing of it is called
    for name in ("Store", "PseudonymKey", "Plan", "JourneyStatistics", "Result", "x", None, [], {}):
        with pytest.raises(InvalidValue, match="type"):
            cx.load({"schema": 1, "type": name})
    for source in (3, None, b"{}"):
        with pytest.raises(InvalidValue, match="source"):
            cx.load(source)


def test_an_interaction_may_be_written_by_hand():
    data = {"customer": "a", "touchpoint": "web", "timestamp": "2026-01-31T12:00:00+01:00"}
    found = cx.Interaction.from_dict(data | {"channel": "app", "id": "e1", "duration": 5_000_000})
    assert (found.id, found.duration) == ("e1", timedelta(seconds=5))
    assert found.timestamp == datetime(2026, 1, 31, 11, tzinfo=UTC)
    for wrong, path in (
        ({"timestamp": "yesterday"}, "data.timestamp"),
        ({"timestamp": "2026-01-31T12:00:00"}, "time zone"),
        ({"customer": {"id": "a", "attributes": {"x": []}}}, r"data.customer: attributes\['x'\]"),
        ({"emotion": {"valence": 3}}, "data.emotion"),
        ({"type": "Journey"}, "schema"),
    ):
        with pytest.raises(InvalidValue, match=path):
            cx.Interaction.from_dict(data | wrong)
    with pytest.raises(UnknownName, match="did you mean 'channel'"):
        cx.Interaction.from_dict(data | {"chanel": "app"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customers", ["a", "a"]), ("customers", ["a", ""]), ("rows", [2, 0]), ("rows", [1, 1]),
        ("time", [3, 2, 1]), ("time", [2**62] * 3), ("seq", [2, 1, 0]), ("currency", "euro"),
        ("observed_until_us", None), ("numbers", {"value": [1.0]}), ("numbers", {"x": [1] * 3}),
        ("numbers", {"emotion": [5, 0, 0]}), ("names", {}), ("account", {"names": ["x"]}),
        ("names", {"touchpoint": {"names": ["__start__"], "codes": [0, 0, 0]}}),
        ("names", {"touchpoint": {"names": ["x"], "codes": [0, 0, -1]}}),
        ("names", {"touchpoint": {"names": ["x", "x"], "codes": [0, 0, 1]}}),
        ("scale", {"low": 0, "high": 1e12, "labels": ["x"]}), ("observed_from_us", 2**50),
    ],
)  # fmt: skip
def test_a_log_that_none_could_be_is_refused(field, value):
    moment = datetime(1970, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(customer=who, touchpoint="web", timestamp=moment) for who in "aab"
    )
    data = log.to_dict()
    assert cx.InteractionLog.from_dict(data) == log
    with pytest.raises(InvalidValue):
        cx.InteractionLog.from_dict(data | {field: value})


def test_only_the_package_of_the_class_is_imported():
    script = (
        "import sys, cxjourney as cx\n"
        "card = {'schema': 1, 'type': 'Estimate', 'value': 1.0}\n"
        "assert cx.load(card).value == 1.0\n"
        "assert 'cxjourney.report' not in sys.modules and 'cxjourney.io' not in sys.modules\n"
        "assert 'networkx' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
