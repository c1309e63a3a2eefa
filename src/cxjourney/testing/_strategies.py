"""Hypothesis strategies for the objects of `cxjourney.domain` and for raw event rows.

They need `hypothesis`, which the extra `test` brings. Data is made awkward on purpose: few
customers and few moments, so that ties and repeats are common, ids such as "NA" and "", names
in several scripts, touchpoints used in more than one channel.

Within one log a name means one thing: channels keep their kind, a touchpoint is frontstage or
not, and a customer id has one set of attributes. The strategies draw from fixed pools so that
this holds between draws as well.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from hypothesis import strategies as st

from cxjourney.domain import Channel, Customer, Emotion, Interaction, Stage, StageModel, Touchpoint

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment around which timestamps lie."""

_CHANNELS = (
    Channel("web"),
    Channel("app"),
    Channel("store"),
    Channel("call centre"),
    Channel("chatbot"),
    Channel("pigeon post", "physical"),
    Channel("канал"),
)
_STAGES = (*StageModel.FIVE.stages, Stage("nákup"))
_OWNERS = ("marketing", "e-commerce", "retail", "obsługa")
_TOUCHPOINTS = (
    Touchpoint("ad", channel=_CHANNELS[0], stage=_STAGES[0], owner=_OWNERS[0]),
    Touchpoint("catalog", channel=_CHANNELS[0], stage=_STAGES[1], owner=_OWNERS[1]),
    Touchpoint("cart", channel=_CHANNELS[1], stage=_STAGES[2]),
    Touchpoint("store visit", channel=_CHANNELS[2]),
    Touchpoint("warehouse", stage=_STAGES[2], owner=_OWNERS[2], frontstage=False),
    Touchpoint("hotline", channel=_CHANNELS[3], stage=_STAGES[3]),
    Touchpoint("🛒 koszyk"),
    Touchpoint("buy", channel=_CHANNELS[0], stage=_STAGES[2]),
)
_IDS = ("a", "b", "c", "NA", "007", "Żaneta")


def attributes() -> SearchStrategy[dict[str, str | int | float | bool]]:
    """Return a strategy for attributes of customers and interactions."""
    values = st.one_of(
        st.sampled_from(["north", "south", ""]),
        st.integers(-3, 100),
        st.booleans(),
        st.floats(-1e6, 1e6, allow_nan=False),
    )
    return st.dictionaries(st.sampled_from(["region", "segment", "age", "vip"]), values)


def channels() -> SearchStrategy[Channel]:
    """Return a strategy for channels, standard and own."""
    return st.sampled_from(_CHANNELS)


def stages() -> SearchStrategy[Stage]:
    """Return a strategy for stages: those of `StageModel.FIVE` and an own one."""
    return st.sampled_from(_STAGES)


def touchpoints() -> SearchStrategy[Touchpoint]:
    """Return a strategy for touchpoints with and without channel, stage and owner."""
    return st.sampled_from(_TOUCHPOINTS)


def customers() -> SearchStrategy[Customer]:
    """Return a strategy for customers; an id always has the same account and attributes."""
    people = [
        Customer(
            id_,
            account=("acme" if place % 3 == 0 else None),
            attributes={} if place % 2 else {"segment": "business", "age": 30 + place},
        )
        for place, id_ in enumerate(_IDS)
    ]
    return st.sampled_from(people)


def emotions() -> SearchStrategy[Emotion]:
    """Return a strategy for emotions."""
    return st.builds(
        Emotion,
        st.floats(-1, 1),
        arousal=st.none() | st.floats(0, 1),
        label=st.none() | st.sampled_from(["joy", "złość"]),
    )


def timestamps(*, days: int = 60) -> SearchStrategy[datetime]:
    """Return a strategy for aware timestamps in UTC: often whole days, so that ties are common.

    Parameters
    ----------
    days
        Length of the time in which they lie [days].
    """
    whole = st.integers(0, days).map(lambda day: ORIGIN + timedelta(days=day))
    exact = st.integers(0, days * 86_400_000_000).map(
        lambda us: ORIGIN + timedelta(microseconds=us)
    )
    return whole | exact


def interactions(
    *, customer: SearchStrategy[Customer] | None = None, days: int = 60
) -> SearchStrategy[Interaction]:
    """Return a strategy for interactions with any of the optional fields.

    Money is in one currency, as in a log.

    Parameters
    ----------
    customer
        Who makes them; by default `customers()`.
    days
        Length of the time in which they lie [days].
    """
    scores = st.none() | st.integers(0, 10).map(float)
    return st.builds(
        _interaction,
        customer=customers() if customer is None else customer,
        touchpoint=touchpoints(),
        timestamp=timestamps(days=days),
        channel=st.none() | channels(),
        stage=st.none() | stages(),
        owner=st.none() | st.sampled_from(_OWNERS),
        seq=st.none() | st.integers(0, 3),
        duration=st.none() | st.integers(0, 10**10).map(lambda us: timedelta(microseconds=us)),
        score=scores,
        emotion=st.none() | emotions(),
        expectation=scores,
        value=st.none() | st.integers(-1000, 100_000).map(lambda cents: cents / 100),
        issue=st.none() | st.sampled_from(["i-1", "i-2", "NA"]),
        attributes=attributes(),
    )


def _interaction(**fields: object) -> Interaction:
    currency = None if fields["value"] is None else "EUR"
    return Interaction(**fields, currency=currency)  # type: ignore[arg-type]  # built above


def interaction_lists(
    *, min_size: int = 0, max_size: int = 25, days: int = 60
) -> SearchStrategy[list[Interaction]]:
    """Return a strategy for lists of interactions: a complete input to every analysis.

    Parameters
    ----------
    min_size, max_size
        Ends of the range of their length.
    days
        Length of the time in which they lie [days].
    """
    return st.lists(interactions(days=days), min_size=min_size, max_size=max_size)


class EventRow(TypedDict):
    """A row of a data frame of events."""

    customer: str
    timestamp: datetime
    touchpoint: str
    channel: str | None
    score: float | None


def event_rows(
    *, min_size: int = 0, max_size: int = 40, days: int = 60
) -> SearchStrategy[list[EventRow]]:
    """Return a strategy for rows of plain values, as a data frame of events would hold them.

    Parameters
    ----------
    min_size, max_size
        Ends of the range of their number.
    days
        Length of the time in which they lie [days].
    """
    row = st.fixed_dictionaries(
        {
            "customer": st.sampled_from(_IDS),
            "timestamp": timestamps(days=days),
            "touchpoint": st.sampled_from([touchpoint.name for touchpoint in _TOUCHPOINTS]),
            "channel": st.none() | st.sampled_from([channel.name for channel in _CHANNELS]),
            "score": st.none() | st.integers(0, 10).map(float),
        }
    )
    rows: SearchStrategy[list[EventRow]] = st.lists(row, min_size=min_size, max_size=max_size)  # type: ignore[arg-type]  # the keys are those of EventRow
    return rows


def paths(*, max_paths: int = 8, max_length: int = 6) -> SearchStrategy[list[tuple[str, ...]]]:
    """Return a strategy for sequences of touchpoint names, some of them empty.

    Parameters
    ----------
    max_paths
        Largest number of sequences.
    max_length
        Largest length of one.
    """
    names = st.sampled_from([touchpoint.name for touchpoint in _TOUCHPOINTS])
    path = st.lists(names, max_size=max_length).map(tuple)
    return st.lists(path, max_size=max_paths)
