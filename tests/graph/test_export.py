from __future__ import annotations

import pytest

from cxjourney.domain import DROPOFF, START
from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.graph import JourneyGraph
from cxjourney.graph.export import read_graphml, write_graphml


@pytest.mark.parametrize("name", ["a\x00b", "a\rb", "\ud800", "\uffff"])
def test_what_xml_cannot_hold_is_refused_by_name(tmp_path, name):
    graph = JourneyGraph.from_counts({(START, name): 1, (name, DROPOFF): 1})
    with pytest.raises(InvalidValue, match="to_json"):
        write_graphml(graph, tmp_path / "graph.graphml")
    assert not (tmp_path / "graph.graphml").exists()


def test_a_file_that_is_no_graphml_is_refused(tmp_path):
    path = tmp_path / "graph.graphml"
    with pytest.raises(InputFileError, match="No such file"):
        read_graphml(path)
    for text in ("", "a,b\n", "<html></html>"):
        path.write_text(text)
        with pytest.raises(InputFileError, match="not GraphML"):
            read_graphml(path)
