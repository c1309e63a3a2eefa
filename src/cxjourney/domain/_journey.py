"""`Journey`: one customer's interactions toward a goal, and the `Outcome`."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import attrs

from cxjourney._support.validation import check_mapping
from cxjourney.domain import _fields
from cxjourney.domain._customer import Customer, to_customer
from cxjourney.domain._interaction import Interaction
from cxjourney.exceptions import InvalidValue, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta


class Outcome(StrEnum):
    """How a journey ended, if it did.

    A journey in progress is neither converted nor dropped: it is censored, and an analysis that
    counted it as lost, or left it out, would be biased.
    """

    CONVERTED = "converted"
    DROPPED = "dropped"
    IN_PROGRESS = "in_progress"


def _interactions(values: Iterable[Interaction]) -> tuple[Interaction, ...]:
    return tuple(values)


def _to_outcome(value: Outcome | str) -> Outcome:
    try:
        return Outcome(value)
    except ValueError:
        raise UnknownName.among(
            "outcome", value, [known.value for known in Outcome], where="Outcome"
        ) from None


def _weight(value: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise InvalidValue.of("weight", "be a positive int (how often the journey occurred)", value)
    return operator.index(value)


@attrs.frozen(kw_only=True, repr=False)
class Journey:
    """One customer's interactions toward a goal, with the outcome.

    Parameters
    ----------
    customer
        Who made it, as a `Customer` or an id.
    interactions
        At least one, all of this customer, in order of time.
    outcome
        How it ended, as an `Outcome` or its value.
    left_truncated
        Whether it may have begun before the observation did.
    weight
        How often it occurred; at least 1.

    Raises
    ------
    InvalidValue
        If a field breaks its rule; the message names field, rule and value.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> def at(touchpoint, day):
    ...     timestamp = datetime(2026, 1, day, tzinfo=timezone.utc)
    ...     return Interaction(customer="anna", touchpoint=touchpoint, timestamp=timestamp)
    >>> journey = Journey(
    ...     customer="anna", interactions=[at("ad", 1), at("buy", 3)], outcome="converted"
    ... )
    >>> journey.touchpoints, journey.duration.days, len(journey)
    (('ad', 'buy'), 2, 2)
    """

    customer: Customer = attrs.field(converter=to_customer)
    interactions: tuple[Interaction, ...] = attrs.field(converter=_interactions)
    outcome: Outcome = attrs.field(converter=_to_outcome)
    left_truncated: bool = attrs.field(default=False, validator=_fields.is_flag)
    weight: int = attrs.field(default=1, converter=_weight)

    @interactions.validator
    def _of_one_customer_in_order(
        self, _: attrs.Attribute[tuple[Interaction, ...]], value: tuple[Interaction, ...]
    ) -> None:
        if not value:
            raise InvalidValue.of("interactions", "hold at least one interaction", value)
        for i, interaction in enumerate(value):
            if not isinstance(interaction, Interaction):
                raise InvalidValue.of(f"interactions[{i}]", "be an Interaction", interaction)
            if interaction.customer != self.customer:  # ids stay out of messages
                raise InvalidValue(f"interactions[{i}] must be of the journey's own customer")
            if i and interaction.timestamp < value[i - 1].timestamp:
                raise InvalidValue.of(
                    f"interactions[{i}]",
                    "not lie before the one in front of it",
                    interaction.timestamp,
                )

    @property
    def start(self) -> datetime:
        """Time of the first interaction."""
        return self.interactions[0].timestamp

    @property
    def end(self) -> datetime:
        """Time of the last interaction."""
        return self.interactions[-1].timestamp

    @property
    def duration(self) -> timedelta:
        """Time from the first interaction to the last."""
        return self.end - self.start

    @property
    def touchpoints(self) -> tuple[str, ...]:
        """Names of the touchpoints, in order, repeats included."""
        return tuple(interaction.touchpoint.name for interaction in self.interactions)

    @property
    def channels(self) -> tuple[str | None, ...]:
        """Name of the channel of each interaction, None where it is not known."""
        return tuple(
            None if interaction.channel is None else interaction.channel.name
            for interaction in self.interactions
        )

    def __len__(self) -> int:
        return len(self.interactions)

    def __iter__(self) -> Iterator[Interaction]:
        return iter(self.interactions)

    def __repr__(self) -> str:
        noun = "interaction" if len(self) == 1 else "interactions"
        first, last = self.touchpoints[0], self.touchpoints[-1]
        return f"<Journey of {len(self):,} {noun} from {first!r} to {last!r}, {self.outcome.value}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the journey as a JSON-ready dictionary; its customer stands in it once."""
        from cxjourney.domain._plain import stamped

        data = stamped(self)
        for interaction in data["interactions"]:
            del interaction["customer"]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the journey whose `to_dict` is `data`.

        Raises
        ------
        InvalidValue
            If the dictionary is of another type or schema, or a field breaks its rule or is
            missing; the message names its path.
        UnknownName
            If there is no such field or outcome.
        """
        from cxjourney.domain._plain import unstamped

        whole, given = check_mapping(data, "data"), data.get("interactions")
        if isinstance(given, (list, tuple)) and "customer" in data:
            own = {"customer": data["customer"]}
            told = [own | dict(x) if isinstance(x, Mapping) else x for x in given]
            whole = {**data, "interactions": told}
        return unstamped(cls, whole)
