"""Hypothesis strategies for tests of code that uses cxjourney."""

from __future__ import annotations

from cxjourney.testing._strategies import EventRow as EventRow
from cxjourney.testing._strategies import (
    attributes,
    channels,
    customers,
    emotions,
    event_rows,
    interaction_lists,
    interactions,
    paths,
    stages,
    timestamps,
    touchpoints,
)

__all__ = [
    "attributes",
    "channels",
    "customers",
    "emotions",
    "event_rows",
    "interaction_lists",
    "interactions",
    "paths",
    "stages",
    "timestamps",
    "touchpoints",
]


def __dir__() -> list[str]:
    return list(__all__)
