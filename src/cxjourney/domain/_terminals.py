"""Names that the graph keeps for itself, and the check that data does not use them."""

from __future__ import annotations

from cxjourney._support.text import check_unicode
from cxjourney.exceptions import InvalidValue, ReservedName

START = "__start__"
"""Node where every journey begins."""

CONVERSION = "__conversion__"
"""Node that a journey reaches with its goal."""

DROPOFF = "__dropoff__"
"""Node that a journey reaches when the customer is lost."""

MISSING = "__missing__"
"""Stands for a channel, stage or owner that was not recorded."""

TERMINALS = frozenset({START, CONVERSION, DROPOFF, MISSING})
"""All reserved names."""


def check_not_reserved(value: object, field: str) -> str:
    """Return `value` if it can name a touchpoint, channel, stage or owner.

    Parameters
    ----------
    value
        The name.
    field
        What it names, for the message.

    Raises
    ------
    InvalidValue
        If it is not a str, or blank.
    ReservedName
        If the graph keeps it for itself.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue.of(field, "be a non-empty str", value)
    check_unicode(value)
    if value in TERMINALS:
        raise ReservedName(
            f"{field} must not be {value!r}: the journey graph keeps "
            f"{', '.join(sorted(TERMINALS))} for itself; rename it in the data"
        )
    return value
