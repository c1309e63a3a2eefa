"""`Touchpoint`: a place of contact."""

from __future__ import annotations

import attrs

from cxjourney.domain import _fields
from cxjourney.domain._channel import Channel, to_channel
from cxjourney.domain._stage import Stage, to_stage


@attrs.frozen(repr=False)
class Touchpoint:
    """A place of contact between a customer and a company.

    Parameters
    ----------
    name
        The touchpoint's name, not one that the graph keeps for itself.
    channel
        The channel that it belongs to, as a `Channel` or its name.
    stage
        The stage of the journey that it belongs to, as a `Stage` or its name.
    owner
        Who in the company answers for it.
    frontstage
        Whether the customer sees it; what happens backstage is felt only in its effects.

    Raises
    ------
    InvalidValue
        If a name is not a non-empty str, or is reserved.

    Examples
    --------
    >>> cart = Touchpoint("cart", channel="web", stage="purchase", owner="e-commerce")
    >>> cart.channel.name, cart.stage.name
    ('web', 'purchase')
    """

    name: str = attrs.field(validator=_fields.is_name("touchpoint"))
    channel: Channel | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_channel), kw_only=True
    )
    stage: Stage | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_stage), kw_only=True
    )
    owner: str | None = attrs.field(
        default=None, validator=_fields.is_name("owner", required=False), kw_only=True
    )
    frontstage: bool = attrs.field(default=True, validator=_fields.is_flag, kw_only=True)

    def __repr__(self) -> str:
        return _fields.brief(self)

    def __str__(self) -> str:
        return self.name


def to_touchpoint(value: Touchpoint | str) -> Touchpoint:
    """Return a touchpoint, made of its name if need be."""
    return value if isinstance(value, Touchpoint) else Touchpoint(value)
