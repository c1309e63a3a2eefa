"""The declared model of the sample: an omnichannel retailer as data.

Every number that decides where customers go, when, and who leaves stands in this module; what they
answer, spend and feel stands in `_answers`. A customer at a touchpoint leaves with the touchpoint's
exit chance times the customer's own frailty, and otherwise moves on by the weights of `PLACES`.
Gaps between two interactions of an episode are shorter than the inactivity limit, and a customer
who has left stays away for longer than it, so that "no interaction within the limit" says exactly
that the customer left.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import attrs

OBSERVED_FROM = datetime(2025, 1, 1, tzinfo=UTC)
OBSERVED_UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
INACTIVITY = timedelta(days=14)
GOAL = "order"
CURRENCY = "EUR"

FRAILTY = 12.0
"""A customer's exit chances are the touchpoint's times 2 B, B ~ Beta(12, 12): mean 1, SD 0.2."""

QUICK_SHARE = 0.6
"""Share of the gaps within an episode that last minutes; the others last days."""

QUICK_GAP_S = 300.0
"""Median of the quick gaps [s]; lognormal with sigma 1."""

LONGEST_GAP_S = 8 * 86_400
"""The slow gaps are this times Beta(1, 3), the longest of all [s]: below `INACTIVITY`."""

AWAY_AT_LEAST_S = 21 * 86_400
"""Shortest silence after a customer has left [s]: above `INACTIVITY`."""

EPISODE_EVERY_S = (40 * 86_400, 20 * 86_400)
"""From the start of an episode to the next: at least the first, plus a mean of the second [s]."""

# What is planted. The sizes that the truths report are per visit: frail customers leave early, so
# that those who get as far as a planted place are less frail than the average. The excesses make
# up for that; a test holds the sizes per visit at 10, 8 and 8 points.
HANDOFF = ("app", "web")
HANDOFF_EXCESS = 0.1037
CRITICAL: Mapping[str, float] = MappingProxyType({"store advice": 0.0854, "payment": 0.0979})
SEGMENT_PLACE = "cart"
SEGMENT_VALUE = "student"
SEGMENT_EXCESS = 0.0842

SEGMENTS: Mapping[str, float] = MappingProxyType(
    {"standard": 0.5, SEGMENT_VALUE: 0.2, "family": 0.3}
)
REGIONS: Mapping[str, float] = MappingProxyType(
    {"north": 0.3, "south": 0.25, "east": 0.15, "west": 0.3}
)

NO_ANSWERS = "awareness"
"""The stage in which nobody is asked and nobody's feelings are coded."""

DRIFTING_PLACE = "parcel delivery"
"""The touchpoint whose scores fall over the year."""


@attrs.frozen
class Place:
    """A touchpoint as the model knows it.

    `exit` is the chance that the customer of frailty 1 leaves, per visit; `moves` weights where to,
    for those who stay; `quality` is the mean satisfaction [0 to 10], `minutes` the median duration
    of a contact (0: not measured), and `support` says that a contact is about an issue.
    """

    channel: str
    stage: str
    owner: str
    exit: float
    quality: float
    moves: Mapping[str, float]
    minutes: float = attrs.field(default=0.0, kw_only=True)
    support: bool = attrs.field(default=False, kw_only=True)


_AWARE, _CONSIDER, _BUY, _RETAIN, _ADVOCATE = (
    "awareness",
    "consideration",
    "purchase",
    "retention",
    "advocacy",
)

PLACES: Mapping[str, Place] = MappingProxyType({
    "display ad": Place("ad", _AWARE, "marketing", 0.33, 5.8, {
        "home page": 35, "category page": 20, "product page": 25, "app home": 10,
        "organic search": 10,
    }),
    "paid search": Place("search", _AWARE, "marketing", 0.31, 6.4, {
        "product page": 45, "category page": 25, "home page": 20, "app product page": 10,
    }),
    "organic search": Place("search", _AWARE, "marketing", 0.31, 6.9, {
        "product page": 35, "category page": 30, "home page": 25, "store visit": 10,
    }),
    "social post": Place("social", _AWARE, "marketing", 0.33, 6.7, {
        "product page": 30, "app home": 25, "influencer video": 20, "app product page": 15,
        "home page": 10,
    }),
    "influencer video": Place("social", _AWARE, "marketing", 0.32, 7.0, {
        "product page": 40, "app product page": 30, "social post": 15, "wish list": 15,
    }),
    "newsletter": Place("e-mail", _AWARE, "marketing", 0.32, 6.2, {
        "product page": 40, "category page": 25, "app home": 20, "home page": 15,
    }),
    "shop window": Place("store", _AWARE, "retail", 0.32, 7.3, {
        "store visit": 80, "organic search": 10, "home page": 10,
    }),
    "home page": Place("web", _CONSIDER, "e-commerce", 0.15, 7.2, {
        "category page": 50, "product page": 25, "product comparison": 8, "chatbot question": 9,
        "store visit": 8,
    }),
    "category page": Place("web", _CONSIDER, "e-commerce", 0.15, 7.0, {
        "product page": 58, "category page": 15, "product comparison": 14, "cart": 5,
        "chatbot question": 4, "store visit": 4,
    }),
    "product page": Place("web", _CONSIDER, "e-commerce", 0.145, 7.4, {
        "cart": 42, "product comparison": 12, "category page": 14, "live chat advice": 6,
        "chatbot question": 5, "store visit": 10, "wish list": 3, "app product page": 4,
        "call advice": 4,
    }),
    "product comparison": Place("web", _CONSIDER, "e-commerce", 0.155, 7.1, {
        "product page": 45, "cart": 30, "live chat advice": 10, "store visit": 15,
    }),
    "app home": Place("app", _CONSIDER, "mobile", 0.15, 7.6, {
        "app product page": 65, "wish list": 15, "store visit": 8, "chatbot question": 6,
        "loyalty programme": 6,
    }),
    "app product page": Place("app", _CONSIDER, "mobile", 0.145, 7.6, {
        "app cart": 39, "wish list": 13, "app product page": 8, "product page": 24,
        "store visit": 7, "chatbot question": 5, "live chat advice": 4,
    }),
    "wish list": Place("app", _CONSIDER, "mobile", 0.155, 7.7, {
        "app cart": 44, "app product page": 29, "product page": 27,
    }),
    "store visit": Place("store", _CONSIDER, "retail", 0.15, 7.8, {
        "store advice": 55, "store checkout": 35, "product page": 6, "app product page": 4,
    }, minutes=18),
    "store advice": Place("store", _CONSIDER, "retail", 0.15, 7.9, {
        "store checkout": 68, "store visit": 20, "product page": 12,
    }, minutes=11),
    "live chat advice": Place("chat", _CONSIDER, "service", 0.15, 7.5, {
        "product page": 45, "cart": 40, "call advice": 15,
    }, minutes=7),
    "chatbot question": Place("chatbot", _CONSIDER, "service", 0.16, 6.1, {
        "live chat advice": 40, "product page": 35, "call advice": 15, "help centre": 10,
    }, minutes=3),
    "call advice": Place("call centre", _CONSIDER, "service", 0.15, 7.3, {
        "phone order": 45, "product page": 25, "store visit": 20, "call advice": 10,
    }, minutes=8),
    "cart": Place("web", _BUY, "e-commerce", 0.11, 7.1, {
        "checkout": 74, "product page": 14, "app cart": 6, "live chat advice": 6,
    }),
    "app cart": Place("app", _BUY, "mobile", 0.11, 7.5, {
        "app checkout": 57, "app product page": 11, "cart": 27, "store visit": 5,
    }),
    "checkout": Place("web", _BUY, "e-commerce", 0.115, 6.9, {
        "payment": 87, "cart": 10, "call advice": 3,
    }),
    "app checkout": Place("app", _BUY, "mobile", 0.115, 7.3, {
        "app payment": 68, "app cart": 7, "checkout": 25,
    }),
    "payment": Place("web", _BUY, "finance", 0.11, 7.2, {
        GOAL: 91, "payment": 6, "live chat advice": 3,
    }),
    "app payment": Place("app", _BUY, "finance", 0.11, 7.5, {
        GOAL: 92, "app payment": 8,
    }),
    "store checkout": Place("store", _BUY, "retail", 0.105, 7.7, {
        GOAL: 95, "store advice": 5,
    }, minutes=4),
    "phone order": Place("call centre", _BUY, "service", 0.115, 7.2, {
        GOAL: 90, "call advice": 10,
    }, minutes=9),
    "order confirmation": Place("e-mail", _RETAIN, "e-commerce", 0.23, 7.6, {
        "delivery tracking": 48, "parcel delivery": 42, "support e-mail": 10,
    }),
    "delivery tracking": Place("web", _RETAIN, "logistics", 0.23, 7.0, {
        "parcel delivery": 70, "support chatbot": 15, "support call": 8, "help centre": 7,
    }),
    "parcel delivery": Place("delivery", _RETAIN, "logistics", 0.24, 7.9, {
        "review": 24, "support chatbot": 17, "return in store": 11, "loyalty programme": 16,
        "support call": 12, "account page": 20,
    }),
    "account page": Place("web", _RETAIN, "e-commerce", 0.23, 7.0, {
        "product page": 45, "category page": 35, "review": 20,
    }),
    "help centre": Place("help centre", _RETAIN, "service", 0.24, 6.3, {
        "support chatbot": 40, "support call": 30, "account page": 30,
    }),
    "support chatbot": Place("chatbot", _RETAIN, "service", 0.25, 5.2, {
        "support chat": 50, "support call": 30, "help centre": 20,
    }, minutes=4, support=True),
    "support chat": Place("chat", _RETAIN, "service", 0.23, 7.3, {
        "support call": 20, "support chat": 20, "account page": 30, "return in store": 15,
        "support e-mail": 15,
    }, minutes=9, support=True),
    "support call": Place("call centre", _RETAIN, "service", 0.24, 6.9, {
        "support call": 25, "return in store": 25, "account page": 25, "support e-mail": 25,
    }, minutes=10, support=True),
    "support e-mail": Place("e-mail", _RETAIN, "service", 0.24, 6.0, {
        "support e-mail": 30, "support call": 30, "account page": 40,
    }, support=True),
    "return in store": Place("store", _RETAIN, "retail", 0.23, 7.1, {
        "store visit": 55, "account page": 45,
    }, minutes=7),
    "review": Place("web", _ADVOCATE, "marketing", 0.38, 7.8, {
        "product page": 45, "social share": 30, "referral": 25,
    }),
    "referral": Place("app", _ADVOCATE, "marketing", 0.38, 8.2, {
        "app home": 60, "app product page": 40,
    }),
    "social share": Place("social", _ADVOCATE, "marketing", 0.39, 8.1, {
        "social post": 50, "app home": 30, "review": 20,
    }),
    "loyalty programme": Place("app", _ADVOCATE, "marketing", 0.37, 8.0, {
        "app product page": 50, "app home": 30, "newsletter": 20,
    }),
})  # fmt: skip

GOAL_MOVES: Mapping[str, float] = MappingProxyType(
    {"order confirmation": 80, "parcel delivery": 8, "review": 5, "loyalty programme": 7}
)
"""Weights of what follows an order, if anything does."""

GOAL_PAUSE = 0.3
"""Chance that an order ends an episode; nobody is lost at the goal."""

ENTRIES: Mapping[str, tuple[float, float]] = MappingProxyType({
    "display ad": (12, 9),
    "paid search": (14, 10),
    "organic search": (16, 12),
    "social post": (7, 12),
    "influencer video": (4, 9),
    "newsletter": (12, 9),
    "shop window": (13, 8),
    "home page": (9, 7),
    "app home": (6, 16),
    "store visit": (7, 8),
})  # fmt: skip
"""Weights of the first interaction, at the start and at the end of the year: the drift."""

MEAN_YEAR = 0.593
"""Elapsed share of the year, on average over the beginnings of episodes; a test holds it."""
