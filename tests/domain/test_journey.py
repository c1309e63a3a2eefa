from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta

import pytest

from cxjourney.domain import Interaction, Journey, Outcome
from cxjourney.exceptions import InvalidValue, UnknownName


def at(day, touchpoint="web", customer="anna", channel=None):
    return Interaction(
        customer=customer,
        touchpoint=touchpoint,
        channel=channel,
        timestamp=datetime(2026, 1, day, tzinfo=UTC),
    )


def journey(**fields):
    given = {
        "customer": "anna",
        "interactions": [at(1, "ad"), at(2, "web", channel="web"), at(2, "web"), at(5, "buy")],
        "outcome": Outcome.CONVERTED,
    }
    return Journey(**(given | fields))


def test_a_journey_answers_for_its_interactions():
    j = journey()
    assert (j.start.day, j.end.day, j.duration) == (1, 5, timedelta(days=4))
    assert j.touchpoints == ("ad", "web", "web", "buy")
    assert j.channels == (None, "web", None, None)
    assert len(j) == 4
    assert tuple(j) == j.interactions
    assert (j.left_truncated, j.weight) == (False, 1)


def test_outcomes_are_strings_and_taken_as_such():
    assert journey(outcome="in_progress").outcome is Outcome.IN_PROGRESS
    assert [str(outcome) for outcome in Outcome] == ["converted", "dropped", "in_progress"]
    with pytest.raises(UnknownName, match="did you mean 'converted'"):
        journey(outcome="convertd")


def test_a_journey_is_hashable_and_survives_pickle_and_copy():
    j = journey()
    for twin in (pickle.loads(pickle.dumps(j)), copy.deepcopy(j)):  # noqa: S301
        assert twin == j
        assert hash(twin) == hash(j)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"interactions": []}, "interactions must hold at least one interaction"),
        ({"interactions": ["web"]}, r"interactions\[0\] must be an Interaction; got 'web'"),
        (
            {"interactions": [at(1), at(2, customer="b")]},
            r"interactions\[1\] must be of the journey's own",
        ),
        ({"interactions": [at(2), at(1)]}, r"interactions\[1\] must not lie before"),
        ({"customer": 3}, "customer must be a str; got 3"),
        ({"left_truncated": None}, "left_truncated must be True or False; got None"),
        ({"weight": 0}, "weight must be a positive int"),
        ({"weight": 1.5}, "weight must be a positive int"),
        ({"weight": True}, "weight must be a positive int"),
    ],
)
def test_a_broken_rule_names_field_rule_and_value(fields, message):
    with pytest.raises(InvalidValue, match=message):
        journey(**fields)


def test_it_prints_in_a_line_without_ids():
    assert repr(journey()) == "<Journey of 4 interactions from 'ad' to 'buy', converted>"
    assert repr(journey(interactions=[at(1)])) == (
        "<Journey of 1 interaction from 'web' to 'web', converted>"
    )
