from __future__ import annotations

import pytest

from cxjourney.domain import Channel, ChannelKind
from cxjourney.exceptions import InvalidValue, ReservedName, UnknownName


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("web", "digital"),
        ("App", "digital"),
        ("email", "digital"),
        ("E-MAIL", "digital"),
        ("social_media", "digital"),
        ("forum", "digital"),
        ("help centre", "digital"),
        ("help-center", "digital"),
        ("ad", "digital"),
        ("search", "digital"),
        ("webinar", "digital"),
        ("newsletter", "digital"),
        ("SMS", "digital"),
        ("store", "physical"),
        ("mail", "physical"),
        ("event", "physical"),
        ("phone", "human"),
        ("Call Centre", "human"),
        ("call_center", "human"),
        ("chat", "human"),
        ("chatbot", "automated"),
    ],
)
def test_a_standard_name_brings_its_kind(name, kind):
    assert Channel(name).kind is ChannelKind(kind)


def test_a_kind_that_is_given_wins_over_the_name():
    assert Channel("web", ChannelKind.HUMAN).kind is ChannelKind.HUMAN
    assert Channel("web", "automated").kind is ChannelKind.AUTOMATED
    assert Channel("web", None).kind is None


def test_an_own_name_has_no_kind():
    assert Channel("🕊️").kind is None


def test_channels_with_the_same_fields_are_equal_and_hash_alike():
    assert len({Channel("web"), Channel("web", "digital"), Channel("web", "human")}) == 2


@pytest.mark.parametrize("name", ["", None, 7])
def test_a_name_must_be_a_non_empty_str(name):
    with pytest.raises(InvalidValue, match=r"channel must be a non-empty str; got"):
        Channel(name)


@pytest.mark.parametrize("name", ["__start__", "__conversion__", "__dropoff__", "__missing__"])
def test_terminals_are_refused(name):
    with pytest.raises(ReservedName, match=f"channel must not be '{name}'"):
        Channel(name)


def test_an_unknown_kind_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'physical'"):
        Channel("web", "phisical")
    with pytest.raises(InvalidValue, match="kind must be a ChannelKind"):
        Channel("web", 3)
