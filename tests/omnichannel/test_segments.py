from __future__ import annotations

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import BySegment
from cxjourney.omnichannel import (
    affinity,
    channel_entropy,
    consistency,
    continuity,
    cross_channel_cost,
    handoff_loss,
    mutual_information,
    switching,
    transitions,
)


@pytest.fixture(scope="module")
def journeys():
    return cx.datasets.sample(seed=4, customers=400).journeys()


def part(journeys, value):
    coded = journeys.segment("region")
    return journeys.where(coded.codes == coded.names.index(value))


def test_segments_add_up_to_the_whole(journeys):
    parts = transitions(journeys, segment="segment")
    assert sum(found.n for _, found in parts) == transitions(journeys).n


@pytest.mark.parametrize(
    ("measure", "options"),
    [
        (affinity, {"closing": False}),
        (channel_entropy, {"by": "kind"}),
        (consistency, {"score": "emotion", "adjust": "stage"}),
        (continuity, {"within": 2}),
        (cross_channel_cost, {"match_length": False, "level": 0.9}),
        (handoff_loss, {"by": "kind", "strata": None}),
        (mutual_information, {"n_permutations": 9, "rng": 5}),
        (switching, {"by": "stage", "level": 0.9}),
        (transitions, {"closing": False}),
    ],
)
def test_a_segment_is_measured_as_if_alone_with_the_same_options(measure, options, journeys):
    found = measure(journeys, segment="region", **options)
    alone = measure(part(journeys, "east"), **options)
    assert repr(found["east"]) == repr(alone)
    assert found["east"].to_dict() == alone.to_dict()
    again = BySegment.from_dict(found.to_dict())
    assert repr(again) == repr(found)
    assert found.to_frame("pandas").columns[0] == "segment"


def test_journeys_without_a_segment_are_one_of_their_own(journeys):
    # issues are known of some interactions only
    parts = transitions(journeys, segment="issue")
    known = int(np.count_nonzero(journeys.segment("issue").codes >= 0))
    assert 0 < known < len(journeys)
    assert parts[cx.MISSING].ends["journeys"].sum() == len(journeys) - known
    assert sum(found.ends["journeys"].sum() for _, found in parts) == len(journeys)


def test_an_unknown_segment_is_named(journeys):
    with pytest.raises(UnknownName, match="'segmant' is not in the log; did you mean 'segment'"):
        transitions(journeys, segment="segmant")


@pytest.mark.parametrize("measure", [affinity, transitions, handoff_loss])
def test_segments_are_of_journeys_and_have_a_name(measure, journeys):
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not InteractionLog"):
        measure(journeys.log, segment="region")
    with pytest.raises(InvalidValue, match="segment must be a name"):
        measure(journeys, segment=["region"])
