from __future__ import annotations

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import UnknownName
from cxjourney.omnichannel import by_segment, handoff_loss, transitions


@pytest.fixture(scope="module")
def journeys():
    return cx.datasets.sample(seed=4, customers=400).journeys()


def test_segments_add_up_to_the_whole(journeys):
    parts = by_segment(journeys, "segment", transitions)
    assert sum(part.matrix().sum() for part in parts.values()) == transitions(journeys).n


def test_a_segment_is_measured_as_if_alone(journeys):
    found = by_segment(journeys, "region", lambda part: handoff_loss(part, by="kind"))
    coded = journeys.segment("region")
    alone = handoff_loss(journeys.where(coded.codes == coded.names.index("east")), by="kind")
    assert found["east"].pairs == alone.pairs


def test_journeys_without_a_segment_are_in_none(journeys):
    # issues are known of some interactions only
    parts = by_segment(journeys, "issue", transitions)
    known = int(np.count_nonzero(journeys.segment("issue").codes >= 0))
    assert 0 < known < len(journeys)
    assert sum(part.ends["journeys"].sum() for part in parts.values()) == known


def test_an_unknown_segment_is_named(journeys):
    with pytest.raises(UnknownName, match="'segmant' is not in the log; did you mean 'segment'"):
        by_segment(journeys, "segmant", transitions)
