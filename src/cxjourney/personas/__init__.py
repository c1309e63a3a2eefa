"""Personas: customers in groups whose journeys go alike."""

from __future__ import annotations

from cxjourney.personas._discovery import Personas, discover

__all__ = ["Personas", "discover"]


def __dir__() -> list[str]:
    return list(__all__)
