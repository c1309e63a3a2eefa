"""Graphs from outside: counts, flow and probabilities are checked; nothing foreign comes out."""

from __future__ import annotations

import json

import networkx as nx
import pytest

import cxjourney as cx
from cxjourney.exceptions import CxJourneyError, InputFileError, InvalidValue, NotAFlow

COUNTS = {
    (cx.START, "a"): 5,
    ("a", "b"): 3,
    ("a", cx.DROPOFF): 2,
    ("b", cx.CONVERSION): 3,
}


@pytest.fixture
def data():
    return json.loads(cx.JourneyGraph.from_counts(COUNTS, channel={"a": "web"}).to_json())


def edge(data, source, target):
    return next(e for e in data["edges"] if (e["source"], e["target"]) == (source, target))


def node(data, name):
    return next(n for n in data["nodes"] if n["id"] == name)


def read(data):
    return cx.JourneyGraph.from_json(json.dumps(data))


def test_what_is_right_is_read_and_keeps_what_others_added(data):
    node(data, "a")["colour"] = "red"
    data["graph"]["source"] = "ours"
    graph = read(data)
    assert graph.nodes["a"]["colour"] == "red"
    assert graph.graph["source"] == "ours"
    assert graph.edges["a", "b"]["probability"] == 0.6
    assert json.loads(graph.to_json()) == data


@pytest.mark.parametrize("count", [-3, 2.5, "3", None, True, 10**30, [3]])
def test_a_count_is_a_whole_number_from_0(data, count):
    edge(data, "a", "b")["count"] = count
    with pytest.raises(InvalidValue, match="count"):
        read(data)


@pytest.mark.parametrize("probability", [7, -0.1, "x", None, [1], float("nan")])
def test_a_probability_lies_between_0_and_1(data, probability):
    edge(data, "a", "b")["probability"] = probability
    with pytest.raises(InvalidValue, match="probability"):
        read(data)


def test_probabilities_of_a_row_sum_to_one_and_agree_with_the_counts(data):
    edge(data, "a", "b")["probability"] = 0.5
    with pytest.raises(InvalidValue, match="sum to 1"):
        read(data)
    edge(data, "a", cx.DROPOFF)["probability"] = 0.5
    assert read(data).edges["a", "b"]["probability"] == 0.5  # an estimator may say so
    edge(data, cx.START, "a")["probability"] = 0.5
    with pytest.raises(InvalidValue, match="by the counts"):
        read(data)


def test_what_comes_in_goes_out(data):
    edge(data, "a", "b")["count"] = 4
    with pytest.raises(NotAFlow, match="'a'"):
        read(data)


@pytest.mark.parametrize(("name", "key"), [("a", "visits"), ("b", "exits"), (cx.DROPOFF, "visits")])
def test_visits_agree_with_the_counts(data, name, key):
    node(data, name)[key] += 1
    with pytest.raises(InvalidValue, match=f"{key} of node"):
        read(data)


@pytest.mark.parametrize("key", ["n_journeys", "n_converted", "n_dropped", "n_in_progress"])
def test_numbers_of_journeys_agree_with_the_counts(data, key):
    data["graph"][key] += 1
    with pytest.raises(InvalidValue, match=key):
        read(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(nodes={}),
        lambda d: d.pop("edges"),
        lambda d: d.update(graph=[]),
        lambda d: d["nodes"].append(3),
        lambda d: d["nodes"].append(d["nodes"][0]),
        lambda d: d["edges"].append(d["edges"][0]),
        lambda d: d["nodes"][0].pop("id"),
        lambda d: d["edges"][0].update(target=["x"]),
        lambda d: d["edges"][0].update(target="nowhere"),
        lambda d: d["graph"].update(incoming_graph_data=[1]),
        lambda d: d["graph"].update(estimator="guess"),
        lambda d: d["graph"].update(goal="[1]"),
        lambda d: d["graph"].update(goal="["),
        lambda d: d["graph"].update(grid_us="5,3"),
        lambda d: d["graph"].update(observed_until="yesterday"),
        lambda d: d["graph"].update(absorbing="no"),
        lambda d: node(d, "a").update(channels='["a", 1]'),
        lambda d: node(d, "a").update(more={"deep": [1]}),
        lambda d: edge(d, "a", "b").update(dwell_mean_s=-1),
        lambda d: edge(d, "a", "b").update(dwell_sum_us=1.5),
        lambda d: d.update(schema=[2]),
        lambda d: d.update(type={}),
    ],
    ids=range(22),
)  # fmt: skip
def test_what_is_no_journey_graph_is_refused(data, change):
    change(data)
    with pytest.raises(InvalidValue) as refused:
        read(data)
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"type": ' * 50_000, "9" * 5_000, "", "NaN", "{", b"\xff", None],
    ids=range(8),
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(InvalidValue):
        cx.JourneyGraph.from_json(text)


def test_more_than_64_bits_hold_is_refused():
    most = 2**62
    with pytest.raises(InvalidValue):
        cx.JourneyGraph.from_counts({(cx.START, "a"): 10**30, ("a", cx.DROPOFF): 10**30})
    plain = nx.DiGraph()
    plain.add_edge(cx.START, "a", count=most)
    plain.add_edge("a", cx.DROPOFF, count=most)
    plain.add_edge(cx.START, "b", count=most)
    plain.add_edge("b", cx.DROPOFF, count=most)
    with pytest.raises(InvalidValue, match="at most"):
        cx.JourneyGraph.from_networkx(plain)


GRAPHML = """<?xml version="1.0"?>{}<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="d0" for="edge" attr.name="count" attr.type="{}"/>
<graph edgedefault="directed"><node id="{}"/><node id="__start__"/>
<edge source="__start__" target="a"><data key="{}">{}</data></edge></graph></graphml>"""
BOMB = '<!DOCTYPE x [<!ENTITY a "' + "x" * 1000 + '">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 30}">' for a, b in zip("abcde", "bcdef", strict=True)
) + "]>"  # fmt: skip
OUTSIDE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hosts">]>'


@pytest.mark.parametrize(
    "content",
    [
        GRAPHML.format("", "int", "a", "d9", 1),
        GRAPHML.format("", "colour", "a", "d0", 1),
        GRAPHML.format("", "int", "a", "d0", "x"),
        GRAPHML.format("", "int", "a", "d0", "-3"),
        GRAPHML.format(BOMB, "string", "a", "d0", "&f;"),
        GRAPHML.format(OUTSIDE, "string", "a", "d0", "&f;"),
        "<graphml/>", "<x/>", "", "\x00", '<?xml version="1.0" encoding="UTF-9"?><graphml/>',
        "<a>" * 100_000,
    ],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_graphml_is_refused(tmp_path, content):
    path = tmp_path / "graph.graphml"
    path.write_text(content)
    with pytest.raises(CxJourneyError) as refused:
        cx.JourneyGraph.read_graphml(path)
    assert len(str(refused.value)) < 700
    assert "localhost" not in str(refused.value)


@pytest.mark.parametrize("ending", [".graphml", ".graphml.gz", ".graphml.bz2"])
def test_graphml_comes_back_compressed_or_not(tmp_path, ending):
    graph = cx.JourneyGraph.from_counts(COUNTS)
    graph.write_graphml(tmp_path / f"g{ending}")
    assert cx.JourneyGraph.read_graphml(tmp_path / f"g{ending}").edges == graph.edges
    assert [path.name for path in tmp_path.iterdir()] == [f"g{ending}"]
    cut = (tmp_path / f"g{ending}").read_bytes()[:-30]
    (tmp_path / f"g{ending}").write_bytes(cut)
    with pytest.raises(InputFileError):
        cx.JourneyGraph.read_graphml(tmp_path / f"g{ending}")
