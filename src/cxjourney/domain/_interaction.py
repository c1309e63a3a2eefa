"""`Interaction`: one contact of a customer with a company, and the `Emotion` that it left."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import attrs

from cxjourney._support.mapping import EMPTY
from cxjourney._support.validation import duration_us
from cxjourney.domain import _fields
from cxjourney.domain._channel import Channel, to_channel
from cxjourney.domain._customer import Customer, to_customer
from cxjourney.domain._fields import Attribute, finite, freeze_attributes
from cxjourney.domain._stage import Stage, to_stage
from cxjourney.domain._touchpoint import Touchpoint, to_touchpoint
from cxjourney.exceptions import InvalidValue


def _valence(value: float) -> float:
    return finite(value, "valence", low=-1, high=1)


def _arousal(value: float) -> float:
    return finite(value, "arousal", low=0, high=1)


@attrs.frozen(repr=False)
class Emotion:
    """What a customer felt: how pleasant, how strong, and in a word (Russell 1980).

    Parameters
    ----------
    valence
        From −1 (unpleasant) to 1 (pleasant).
    arousal
        From 0 (calm) to 1 (excited).
    label
        The word that the customer or the coder used.

    Raises
    ------
    InvalidValue
        If a number lies outside its range, or the label is not a str.
    """

    valence: float = attrs.field(converter=_valence)
    arousal: float | None = attrs.field(
        default=None, converter=attrs.converters.optional(_arousal), kw_only=True
    )
    label: str | None = attrs.field(
        default=None, validator=_fields.is_str("label", required=False), kw_only=True
    )

    def __repr__(self) -> str:
        return _fields.brief(self)


def _to_emotion(value: Emotion | float) -> Emotion:
    if isinstance(value, Emotion):
        return value
    return Emotion(finite(value, "emotion", low=-1, high=1, or_else="an Emotion or "))


def _to_utc(value: datetime) -> datetime:
    """Return the moment in UTC.

    Python subtracts and compares timestamps of one zone by the wall clock, which is wrong by an
    hour where clocks change; in UTC equal moments are equal objects.
    """
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    if not isinstance(value, datetime) or value != value:  # noqa: PLR0124 - a missing pandas timestamp is a datetime that differs from itself
        raise InvalidValue.of("timestamp", "be a datetime.datetime", value)
    if value.utcoffset() is None:
        raise InvalidValue.of(
            "timestamp",
            "carry a time zone: add one, as in datetime(2026, 1, 31, tzinfo=timezone.utc) or "
            'timestamp.replace(tzinfo=ZoneInfo("Europe/Warsaw"))',
            value,
        )
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise InvalidValue.of("timestamp", "lie within the years 1 to 9999 UTC", value) from None
    if type(utc) is datetime:
        return utc
    return datetime.combine(utc.date(), utc.time(), tzinfo=UTC)


def _duration(value: timedelta) -> timedelta:
    if not isinstance(value, timedelta):
        raise InvalidValue.of("duration", "be a datetime.timedelta (a number has no unit)", value)
    if value < timedelta(0):
        raise InvalidValue.of("duration", "not be negative", value)
    if value > timedelta(days=10**8):
        raise InvalidValue.of("duration", "be no longer than the calendar", value)
    return value if type(value) is timedelta else timedelta(microseconds=duration_us(value))


_SEQS = 2**63


def _seq(value: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InvalidValue.of("seq", "be an int", value)
    if not -_SEQS < (number := operator.index(value)) < _SEQS:
        raise InvalidValue.of("seq", "lie between -2**63 and 2**63", value)
    return number


def _score(value: float) -> float:
    return finite(value, "score")


def _value(value: float) -> float:
    return finite(value, "value")


_CURRENCY = re.compile(r"[A-Z]{3}")


def _currency(value: str) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise InvalidValue.of("currency", "be a code of three capital letters like 'EUR'", value)
    return value


@attrs.frozen(kw_only=True, repr=False)
class Interaction:
    """One contact: who, where, when, and what is known about it.

    What stands on the interaction overrides what its touchpoint says: where `channel`, `stage` or
    `owner` is not given, it is taken from the touchpoint, so that the field always holds the value
    that counts. Two interactions are equal if these values are, whichever of the two gave them.

    Parameters
    ----------
    customer
        The customer, as a `Customer` or an id.
    touchpoint
        The place of contact, as a `Touchpoint` or its name.
    timestamp
        When; a datetime with a time zone, kept in UTC.
    channel
        The channel, as a `Channel` or its name.
    stage
        The stage of the journey, as a `Stage` or its name.
    owner
        Who in the company answers for it.
    journey
        Id of the case or session that the data assigns it to.
    seq
        Place among interactions with the same timestamp.
    duration
        How long it took; not negative.
    score
        An answer on a survey scale; finite.
    emotion
        What the customer felt, as an `Emotion` or its valence in [−1, 1].
    expectation
        The score that the customer expected, on the scale of `score`; finite.
    value
        Money, in `currency`; finite, negative for a refund.
    currency
        Code of three capital letters (ISO 4217).
    issue
        Id of the issue that a support contact is about.
    attributes
        Anything else: str to str, int, float or bool; read-only from then on.
    id
        Id of the interaction itself, by which `live.JourneyTracker` knows one that comes again. A
        log does not keep it.

    Raises
    ------
    InvalidValue
        If a field breaks its rule; the message names field, rule and value.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> contact = Interaction(
    ...     customer="anna",
    ...     touchpoint=Touchpoint("cart", channel="web", stage="purchase"),
    ...     timestamp=datetime(2026, 1, 31, 12, tzinfo=timezone.utc),
    ...     channel="app",
    ... )
    >>> contact.channel.name, contact.stage.name
    ('app', 'purchase')
    """

    customer: Customer = attrs.field(converter=to_customer)
    # Channel, stage and owner of the touchpoint count through the fields below, if at all.
    touchpoint: Touchpoint = attrs.field(
        converter=to_touchpoint, eq=operator.attrgetter("name", "frontstage")
    )
    timestamp: datetime = attrs.field(converter=_to_utc)
    channel: Channel | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_channel)
    )
    stage: Stage | None = attrs.field(default=None, converter=attrs.converters.optional(to_stage))
    owner: str | None = attrs.field(
        default=None, validator=_fields.is_name("owner", required=False)
    )
    journey: str | None = attrs.field(
        default=None, validator=_fields.is_id("journey", required=False)
    )
    seq: int | None = attrs.field(default=None, converter=attrs.converters.optional(_seq))
    duration: timedelta | None = attrs.field(
        default=None, converter=attrs.converters.optional(_duration)
    )
    score: float | None = attrs.field(default=None, converter=attrs.converters.optional(_score))
    emotion: Emotion | None = attrs.field(
        default=None, converter=attrs.converters.optional(_to_emotion)
    )
    expectation: float | None = attrs.field(
        default=None, converter=attrs.converters.optional(_fields.expectation)
    )
    value: float | None = attrs.field(default=None, converter=attrs.converters.optional(_value))
    currency: str | None = attrs.field(default=None, converter=attrs.converters.optional(_currency))
    issue: str | None = attrs.field(default=None, validator=_fields.is_id("issue", required=False))
    attributes: Mapping[str, Attribute] = attrs.field(default=EMPTY, converter=freeze_attributes)
    id: str | None = attrs.field(default=None, validator=_fields.is_id("id", required=False))

    def __attrs_post_init__(self) -> None:
        # attrs' own way to derive a field of a frozen class from another one.
        if self.channel is None:
            object.__setattr__(self, "channel", self.touchpoint.channel)
        if self.stage is None:
            object.__setattr__(self, "stage", self.touchpoint.stage)
        if self.owner is None:
            object.__setattr__(self, "owner", self.touchpoint.owner)

    def __repr__(self) -> str:
        return _fields.brief(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the interaction as a JSON-ready dictionary, without what is not known."""
        from cxjourney.domain._plain import stamped

        return stamped(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the interaction whose `to_dict` is `data`.

        Parameters
        ----------
        data
            The fields, without "schema" and "type" too; a timestamp is a string of ISO 8601 with
            its offset, a duration is in microseconds, and customer, touchpoint, channel and stage
            are names or dictionaries of their fields.

        Raises
        ------
        InvalidValue
            If a field breaks its rule, or is missing; the message names its path.
        UnknownName
            If there is no such field.

        Examples
        --------
        >>> data = {"customer": "c", "touchpoint": "web", "timestamp": "2026-01-31T12:00:00Z"}
        >>> Interaction.from_dict(data).touchpoint.name
        'web'
        """
        from cxjourney.domain._plain import unstamped

        return unstamped(cls, data)
