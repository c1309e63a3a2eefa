"""Mistakes that are easy to make are answered with what to do instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName


@pytest.fixture
def log() -> cx.InteractionLog:
    return cx.InteractionLog.from_interactions(
        [cx.Interaction(customer="a", touchpoint="web", timestamp=datetime(2026, 1, 1, tzinfo=UTC))]
    )


@pytest.mark.parametrize("measure", [cx.dropoff.exits, cx.attribution.markov, cx.critical.points])
def test_a_log_where_journeys_are_wanted_says_how_to_make_them(log, measure):
    with pytest.raises(InvalidValue, match=r"cut the log first, as in log\.journeys\(goal="):
        measure(log)


@pytest.mark.parametrize("name", ["graph", "outcomes"])
def test_what_only_journeys_have_says_how_to_make_them(log, name):
    with pytest.raises(AttributeError, match=r"make them first, as in log\.journeys\(goal="):
        getattr(log, name)


def test_other_attributes_are_missed_in_the_usual_words(log):
    with pytest.raises(AttributeError, match="has no attribute 'jurneys'"):
        _ = log.jurneys
    assert not hasattr(log, "_repr_mimebundle_")


@pytest.mark.parametrize(
    ("method", "argument", "wrong"),
    [
        *[("journeys", name, 3) for name in ("goal", "exit_touchpoints")],
        *[("suggest_inactivity", name, 3) for name in ("goal", "exit_touchpoints")],
        ("suggest_inactivity", "limits", timedelta(days=7)),
        *[("filter", name, 3) for name in ("customers", "touchpoints", "channels", "where")],
        ("filter", "where", ["web"]),
        ("collapse_repeats", "touchpoints", 3),
        *[("rename", name, ["web"]) for name in ("touchpoints", "channels", "stages", "owners")],
    ],
)
def test_an_argument_of_another_kind_is_refused_by_name(log, method, argument, wrong):
    full = log if argument != "channels" else with_channels()
    with pytest.raises(InvalidValue, match=f"{argument} must .*; got"):
        getattr(full, method)(**{argument: wrong})


def with_channels() -> cx.InteractionLog:
    columns = {"who": ["a"], "when": ["2026-01-01"], "what": ["web"], "how": ["phone"]}
    return cx.InteractionLog.from_frame(
        columns, customer="who", timestamp="when", touchpoint="what", channel="how"
    )


def test_goals_are_strings(log):
    with pytest.raises(InvalidValue, match="goal must hold names only, each a string; got None"):
        log.journeys(goal=[None])


@pytest.mark.parametrize("name", [["region"], {"region": 1}, np.array(["region"])])
def test_what_cannot_be_looked_up_is_no_attribute(log, name):
    with pytest.raises(InvalidValue, match="attribute must be a name"):
        log.attribute(name)
    with pytest.raises(InvalidValue, match="attribute must be a name"):
        log.journeys().segment(name)


def test_a_value_that_cannot_be_looked_up_is_unknown(log):
    with pytest.raises(UnknownName, match=r"touchpoint .* is not in the log"):
        log.filter(touchpoints=[["web"]])


@pytest.mark.parametrize("wrong", [3, [True]])
def test_what_is_kept_is_an_array(log, wrong):
    with pytest.raises(InvalidValue, match="keep must be an array of 1 values"):
        log.journeys().where(wrong)


@pytest.mark.parametrize("wrong", [None, 3, object()])
def test_interactions_are_a_list(wrong):
    with pytest.raises(InvalidValue, match="interactions must be a list of Interactions"):
        cx.journey_graph(wrong)
