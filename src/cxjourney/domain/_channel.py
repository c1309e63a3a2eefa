"""`Channel`: where a contact happens."""

from __future__ import annotations

from enum import Enum

import attrs

from cxjourney.domain import _fields
from cxjourney.exceptions import InvalidValue, UnknownName


class ChannelKind(Enum):
    """What a customer meets in a channel: a screen, a place, a person or a machine."""

    DIGITAL = "digital"
    PHYSICAL = "physical"
    HUMAN = "human"
    AUTOMATED = "automated"


_STANDARD: dict[ChannelKind, tuple[str, ...]] = {
    ChannelKind.DIGITAL: (
        "web", "website", "web shop", "online shop", "e-shop", "eshop", "e-commerce", "shop",
        "app", "mobile", "mobile app", "e-mail", "email", "newsletter", "sms", "push",
        "push notification", "messenger", "whatsapp", "social", "social media", "forum",
        "community", "help centre", "help center", "self-service", "portal", "ad", "ads",
        "advertising", "display", "video", "search", "paid search", "organic search", "direct",
        "referral", "affiliate", "webinar", "marketplace", "comparison site", "blog", "online",
    ),
    ChannelKind.PHYSICAL: (
        "store", "branch", "kiosk", "mail", "post", "letter", "catalogue", "catalog", "event",
        "conference", "trade fair", "showroom", "delivery", "locker", "outdoor", "print", "tv",
        "radio", "atm", "vending machine", "pick-up point",
    ),
    ChannelKind.HUMAN: (
        "phone", "telephone", "call", "call centre", "call center", "contact centre",
        "contact center", "hotline", "chat", "live chat", "video call", "sales", "adviser",
        "advisor", "field service", "field sales", "personal visit", "in person", "account manager",
    ),
    ChannelKind.AUTOMATED: (
        "chatbot", "bot", "voicebot", "ivr", "voice assistant", "robot",
    ),
}  # fmt: skip


def _key(name: str) -> str:
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())


_KINDS = {_key(name): kind for kind, names in _STANDARD.items() for name in names}


def _to_kind(value: ChannelKind | str | None) -> ChannelKind | None:
    if value is None or isinstance(value, ChannelKind):
        return value
    kinds = {kind.value: kind for kind in ChannelKind}
    if not isinstance(value, str):
        raise InvalidValue.of("kind", f"be a ChannelKind or one of {', '.join(kinds)}", value)
    if value not in kinds:
        raise UnknownName.among("kind", value, kinds, where="ChannelKind")
    return kinds[value]


@attrs.frozen(repr=False)
class Channel:
    """Where a contact happens: web, app, store, phone, e-mail, chat, social media and others.

    Parameters
    ----------
    name
        The channel's name; any name will do, but not one that the graph keeps for itself.
    kind
        What a customer meets there, as a `ChannelKind` or its value. If it is not given, a
        standard name such as "web", "call centre" or "chatbot" brings its own (case, hyphens and
        underscores do not matter); other names have none.

    Raises
    ------
    InvalidValue
        If the name is not a non-empty str, or is reserved.
    UnknownName
        If there is no such kind.

    Examples
    --------
    >>> Channel("Call-Centre").kind
    <ChannelKind.HUMAN: 'human'>
    >>> Channel("pigeon post").kind is None
    True
    >>> Channel("pigeon post", "physical").kind
    <ChannelKind.PHYSICAL: 'physical'>
    """

    name: str = attrs.field(validator=_fields.is_name("channel"))
    kind: ChannelKind | None = attrs.field(converter=_to_kind)

    @kind.default
    def _kind_of_a_standard_name(self) -> ChannelKind | None:
        # Defaults come before validators: a name that is no str must get as far as its own error.
        return _KINDS.get(_key(self.name)) if isinstance(self.name, str) else None

    def __repr__(self) -> str:
        if self.kind is _KINDS.get(_key(self.name)):
            return f"Channel({self.name!r})"
        return f"Channel({self.name!r}, {None if self.kind is None else self.kind.value!r})"

    def __str__(self) -> str:
        return self.name


def to_channel(value: Channel | str) -> Channel:
    """Return a channel, made of its name if need be."""
    return value if isinstance(value, Channel) else Channel(value)
