"""Exports: what is written reads back, whatever the names."""

from __future__ import annotations

import re

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InputFileError, InvalidValue, NotAFlow
from cxjourney.graph import JourneyGraph
from cxjourney.markov import AbsorbingChain

HOSTILE = [
    'say "no"',
    "back\\slash\\",
    "\\N\\G\\l",
    "two\nlines",
    "<b>&lt;</b>",
    "]] --> x",
    "| pipe |",
    "`md`",
    "#35;",
    "end",
    "\u202eevil",
    "\x00\x1b[31m",
    "\u2028",
    "{{",
    "%% comment",
    "*/ } ;",
]


def graph_of(names):
    edges = {}
    for i, name in enumerate(names):
        edges[START, name] = i + 1
        edges[name, DROPOFF] = i + 1
    return JourneyGraph.from_counts(edges)


@pytest.fixture
def busy() -> JourneyGraph:
    return JourneyGraph.from_counts(
        {
            (START, "web"): 90,
            (START, "help"): 3,
            (START, CONVERSION): 1,
            ("web", "cart"): 60,
            ("web", "faq"): 2,
            ("faq", "help"): 2,
            ("help", "web"): 4,
            ("help", "help"): 1,
            ("web", DROPOFF): 32,
            ("cart", CONVERSION): 59,
        },
        censored={"cart": 1, "help": 1},
    )


def seen(name):
    """What a name looks like in a picture."""
    return re.sub(
        "[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2066-\u2069]",
        lambda m: f"<U+{ord(m.group()):04X}>",
        name,
    )


# a small reader of the dialect that to_dot writes
DOT_NODE = re.compile(r'  (n\d+) \[label=("(?:[^"\\]|\\.)*"), shape=(\w+)\];')
DOT_EDGE = re.compile(
    r'  (n\d+) -> (n\d+)(?: \[(?:label="([^"]*)")?(?:, )?(?:penwidth=[\d.]+)?\])?;'
)


def read_dot(text):
    first, second, *rows, last = text.split("\n")
    assert (first, second, last) == ("digraph journeys {", "  rankdir=LR;", "}")
    nodes, edges = {}, {}
    for row in rows:
        if found := DOT_NODE.fullmatch(row):
            label = re.sub(r"\\(.)", r"\1", found[2][1:-1]).replace("&amp;", "&")
            nodes[found[1]] = (label, found[3])
        else:
            found = DOT_EDGE.fullmatch(row)
            assert found, row
            edges[nodes[found[1]][0], nodes[found[2]][0]] = found[3]
    return [label for label, shape in nodes.values() if shape == "box"], edges


MERMAID_NODE = re.compile(r'  (n\d+)(\[/|\[|\(\(\(|\(\(|\{\{)"([^"<>`\]|\n]*)"(/\]|\]|\)+|\}\})')
MERMAID_EDGE = re.compile(r'  (n\d+) -->(?:\|"([^"]*)"\|)? (n\d+)')
MERMAID_STYLE = re.compile(r"  linkStyle \d+ stroke-width:[\d.]+px")


def read_mermaid(text):
    first, *rows = text.split("\n")
    assert first == "flowchart LR"
    nodes, edges = {}, {}

    def plain(label):
        return re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label)

    for row in rows:
        if found := MERMAID_NODE.fullmatch(row):
            nodes[found[1]] = (plain(found[3]), found[2])
        elif found := MERMAID_EDGE.fullmatch(row):
            edges[nodes[found[1]][0], nodes[found[3]][0]] = found[2]
        else:
            assert MERMAID_STYLE.fullmatch(row), row
    return [label for label, shape in nodes.values() if shape == "["], edges


WAYS = [(JourneyGraph.to_dot, read_dot), (JourneyGraph.to_mermaid, read_mermaid)]


@pytest.mark.parametrize(("write", "read"), WAYS)
def test_hostile_names_stay_names(write, read):
    names, edges = read(write(graph_of(HOSTILE)))
    assert names == [seen(name) for name in HOSTILE]
    assert edges == {
        edge: str(i + 1)
        for i, name in enumerate(names)
        for edge in (("START", name), (name, "DROPOFF"))
    }


names_of_data = st.text(min_size=1).filter(lambda text: not text.startswith("__"))


@given(st.lists(names_of_data, min_size=1, max_size=4, unique=True))
@pytest.mark.parametrize(("write", "read"), WAYS)
def test_any_names_give_as_many_nodes_and_moves(write, read, names):
    text = write(graph_of(names))
    shown, _ = read(text)
    assert len(shown) == len(names)
    for plain in (n for n in names if n.isalnum()):
        assert plain in shown
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e]", text)
    text.encode()


@pytest.mark.parametrize(("write", "read"), WAYS)
def test_edges_say_what_is_asked(write, read, busy):
    for widths in (True, False):
        _, counts = read(write(busy, widths=widths))
        assert counts["web", "cart"] == "60"
        _, shares = read(write(busy, label="probability", widths=widths))
        assert shares["web", "DROPOFF"] == "34.0%"
        _, bare = read(write(busy, label="none", widths=widths))
        assert set(bare.values()) <= {None, ""}
        assert bare.keys() == counts.keys()
    with pytest.raises(InvalidValue, match="label"):
        write(busy, label="weight")
    with pytest.raises(InvalidValue, match="direction"):
        write(busy, direction="up")


def test_the_most_frequent_move_is_the_thickest(busy):
    assert 'label="90", penwidth=5.00' in busy.to_dot()
    assert "stroke-width:5.00px" in busy.to_mermaid()


def test_rare_moves_go_through_other(busy):
    small = busy.drawing(min_count=10)
    moves = {(u, v): data["count"] for u, v, data in small.edges(data=True)}
    assert moves == {
        (START, "web"): 90,
        (START, "__other__"): 4,
        ("web", "cart"): 60,
        ("web", "__other__"): 2,
        ("__other__", "web"): 4,
        ("__other__", CONVERSION): 1,
        ("web", DROPOFF): 32,
        ("cart", CONVERSION): 59,
    }
    assert small.nodes["__other__"] == {"kind": "other", "n_touchpoints": 2, "n_edges": 6}
    assert "other: 2 touchpoints, 6 transitions" in busy.to_dot(min_count=10)


def test_the_most_frequent_moves_are_kept(busy):
    small = busy.drawing(max_edges=2)
    kept = {(u, v) for u, v in small.edges if "__other__" not in (u, v)}
    assert kept == {(START, "web"), ("web", "cart")}
    assert busy.drawing().edges == busy.edges
    for wrong in ({"min_count": -1}, {"max_edges": -1}):
        with pytest.raises(InvalidValue, match="not be negative"):
            busy.drawing(**wrong)
    with pytest.raises(InvalidValue, match="min_count must be a number; got '3'"):
        busy.drawing(min_count="3")
    with pytest.raises(InvalidValue, match="max_edges must be a whole number"):
        busy.drawing(max_edges=2.5)


def test_a_touchpoint_called_other_is_not_the_other():
    small = graph_of(["__other__", "a"]).drawing(max_edges=1)
    assert small.nodes["___other___"]["kind"] == "other"


def test_a_drawing_is_not_computed_on(busy):
    small = busy.drawing(min_count=10)
    assert type(small) is nx.DiGraph
    with pytest.raises(NotAFlow, match="for drawing"):
        AbsorbingChain.from_graph(small)


def test_an_empty_graph_can_be_drawn():
    for write, read in WAYS:
        assert read(write(JourneyGraph.from_counts({}))) == ([], {})


@pytest.mark.parametrize("name", ["a\x00b", "a\rb", "\ud800", "\uffff"])
def test_what_xml_cannot_hold_is_refused_by_name(tmp_path, name):
    graph = JourneyGraph.from_counts({(START, name): 1, (name, DROPOFF): 1})
    with pytest.raises(InvalidValue, match="to_json"):
        graph.write_graphml(tmp_path / "graph.graphml")
    assert not (tmp_path / "graph.graphml").exists()


def test_a_file_that_is_no_graphml_is_refused(tmp_path):
    path = tmp_path / "graph.graphml"
    with pytest.raises(InputFileError, match="No such file"):
        JourneyGraph.read_graphml(path)
    for text in ("", "a,b\n", "<html></html>"):
        path.write_text(text)
        with pytest.raises(InputFileError, match="not GraphML"):
            JourneyGraph.read_graphml(path)


def test_what_is_no_graph_is_refused():
    with pytest.raises(InvalidValue, match=r"graph must be a JourneyGraph, as journeys\.graph"):
        AbsorbingChain.from_graph({})
