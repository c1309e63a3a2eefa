from __future__ import annotations

import copy
import datetime as dt
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

import cxjourney.testing as cxst
from cxjourney.domain import Account, Channel, Customer, Emotion, Interaction, Stage, Touchpoint
from cxjourney.exceptions import InvalidValue, ReservedName

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CART = Touchpoint("cart", channel="web", stage="purchase", owner="shop")


def contact(**fields):
    return Interaction(**({"customer": "anna", "touchpoint": "cart", "timestamp": NOON} | fields))


def test_plain_values_become_objects():
    interaction = contact(channel="web", stage="purchase", emotion=-0.5)
    assert interaction.customer == Customer("anna")
    assert interaction.touchpoint == Touchpoint("cart")
    assert interaction.channel == Channel("web")
    assert interaction.stage == Stage("purchase")
    assert interaction.emotion == Emotion(-0.5)


def test_the_touchpoint_answers_for_what_is_not_given():
    interaction = contact(touchpoint=CART)
    assert interaction.channel == Channel("web")
    assert interaction.stage == Stage("purchase")
    assert interaction.owner == "shop"


def test_the_interaction_overrides_its_touchpoint():
    interaction = contact(touchpoint=CART, channel="app", owner="mobile")
    assert (interaction.channel, interaction.owner) == (Channel("app"), "mobile")
    assert interaction.stage == Stage("purchase")


def test_equality_and_hash_are_by_the_values_that_count():
    by_touchpoint = contact(touchpoint=CART)
    by_hand = contact(channel="web", stage="purchase", owner="shop")
    assert by_touchpoint == by_hand
    assert hash(by_touchpoint) == hash(by_hand)
    assert by_touchpoint != contact(touchpoint=CART, channel="app")
    assert contact() != contact(touchpoint=Touchpoint("cart", frontstage=False))


def test_evolving_keeps_the_values_that_count():
    assert attrs.evolve(contact(touchpoint=CART), score=4).channel == Channel("web")


def test_a_moment_is_kept_in_utc():
    warsaw = contact(timestamp=datetime(2026, 1, 31, 13, tzinfo=ZoneInfo("Europe/Warsaw")))
    offset = contact(timestamp=datetime(2026, 1, 31, 7, tzinfo=timezone(timedelta(hours=-5))))
    assert warsaw == offset == contact()
    assert hash(warsaw) == hash(contact())
    assert warsaw.timestamp.tzinfo is UTC


def test_timestamps_in_the_repeated_hour_are_forty_minutes_apart_not_minus_twenty():
    # The example of METHODS, section 0: 02:30 before the change, 02:10 after it.
    zone = ZoneInfo("Europe/Warsaw")
    first = contact(timestamp=datetime(2024, 10, 27, 2, 30, fold=0, tzinfo=zone))
    second = contact(timestamp=datetime(2024, 10, 27, 2, 10, fold=1, tzinfo=zone))
    assert second.timestamp - first.timestamp == timedelta(minutes=40)


def test_pandas_and_numpy_values_become_plain_ones():
    interaction = contact(
        timestamp=pd.Timestamp("2026-01-31 12:00", tz="UTC"),
        duration=pd.Timedelta(seconds=3),
        score=np.float32(4.5),
        value=Decimal("12.50"),
        seq=np.int64(3),
    )
    assert type(interaction.timestamp) is datetime
    assert interaction.timestamp == NOON
    assert type(interaction.duration) is timedelta
    assert type(interaction.score) is float
    assert interaction.value == 12.5
    assert type(interaction.seq) is int


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("customer", 7, "customer must be a str; got 7"),
        ("touchpoint", "", "touchpoint must be a non-empty str; got ''"),
        ("channel", "", "channel must be a non-empty str"),
        ("stage", 2, "stage must be a non-empty str; got 2"),
        ("owner", 2, "owner must be a non-empty str; got 2"),
        ("timestamp", datetime(2026, 1, 31), "timestamp must carry a time zone: add one, as"),  # noqa: DTZ001
        ("timestamp", "2026-01-31", "timestamp must be a datetime.datetime; got '2026-01-31'"),
        ("timestamp", NOON.date(), "timestamp must be a datetime.datetime; got"),
        ("timestamp", None, "timestamp must be a datetime.datetime; got None"),
        ("timestamp", pd.NaT, "timestamp must be a datetime.datetime; got NaT"),
        (
            "timestamp",
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
            "timestamp must lie within the years",
        ),
        ("journey", 4, "journey must be a str; got 4"),
        ("seq", 1.0, "seq must be an int; got 1.0"),
        ("seq", True, "seq must be an int; got True"),
        ("duration", 3, "duration must be a datetime.timedelta"),
        ("duration", timedelta(seconds=-1), "duration must not be negative; got"),
        ("score", "4", "score must be a finite number; got '4'"),
        ("score", True, "score must be a finite number; got True"),
        ("score", float("nan"), "score must be a finite number; got nan"),
        ("expectation", float("inf"), "expectation must be a finite number; got inf"),
        ("value", float("-inf"), "value must be a finite number; got -inf"),
        ("emotion", 1.5, r"emotion must be an Emotion or a finite number in \[-1, 1\]; got 1.5"),
        ("currency", "eur", "currency must be a code of three capital letters like 'EUR'"),
        ("currency", "EURO", "currency must be a code of three capital letters"),
        ("issue", 4, "issue must be a str; got 4"),
        ("attributes", {"a": None}, r"attributes\['a'\] must be a str, int, float or bool"),
    ],
)
def test_a_broken_rule_names_field_rule_and_value(field, value, message):
    with pytest.raises(InvalidValue, match=message):
        contact(**{field: value})


@pytest.mark.parametrize("field", ["touchpoint", "channel", "stage", "owner"])
@pytest.mark.parametrize("name", ["__start__", "__conversion__", "__dropoff__", "__missing__"])
def test_terminals_are_refused_as_names(field, name):
    with pytest.raises(ReservedName, match=f"{field} must not be '{name}'"):
        contact(**{field: name})


def test_only_keywords_are_taken():
    with pytest.raises(TypeError):
        Interaction("anna", "cart", NOON)


@pytest.mark.parametrize("valence", [-1, 0, 1])
@pytest.mark.parametrize("arousal", [None, 0, 1])
def test_the_ends_of_emotion_are_allowed(valence, arousal):
    emotion = Emotion(valence, arousal=arousal, label="calm")
    assert (emotion.valence, emotion.arousal) == (valence, arousal)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"valence": -1.01}, r"valence must be a finite number in \[-1, 1\]"),
        ({"valence": None}, r"valence must be a finite number in \[-1, 1\]; got None"),
        ({"valence": 0, "arousal": -0.1}, r"arousal must be a finite number in \[0, 1\]"),
        ({"valence": 0, "label": 3}, "label must be a str; got 3"),
    ],
)
def test_emotion_is_checked(fields, message):
    with pytest.raises(InvalidValue, match=message):
        Emotion(**fields)


def test_an_interaction_is_frozen_slotted_and_survives_pickle_and_copy():
    interaction = contact(
        touchpoint=CART, emotion=0.3, attributes={"device": "tablet"}, duration=timedelta(minutes=2)
    )
    assert not hasattr(interaction, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        interaction.score = 3
    for twin in (pickle.loads(pickle.dumps(interaction)), copy.deepcopy(interaction)):  # noqa: S301
        assert twin == interaction
        assert hash(twin) == hash(interaction)


def test_it_prints_what_is_known_and_nothing_else():
    assert repr(contact(channel="web", score=4)) == (
        "Interaction(customer=Customer('anna'), touchpoint=Touchpoint('cart'), timestamp="
        "datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.timezone.utc), "
        "channel=Channel('web'), score=4.0)"
    )


@given(cxst.interactions())
def test_what_it_prints_is_python_that_makes_it_again(interaction):
    names = (Account, Channel, Customer, Emotion, Interaction, Stage, Touchpoint)
    known = {cls.__name__: cls for cls in names} | {"datetime": dt}
    assert eval(repr(interaction), known) == interaction  # noqa: S307
