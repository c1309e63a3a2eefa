"""Identities as data: which id stands for which customer, and how much depends on it."""

from __future__ import annotations

from cxjourney.identity._links import links
from cxjourney.identity._sensitivity import IdentitySensitivity, sensitivity
from cxjourney.log import IdentityLinks

__all__ = ["IdentityLinks", "IdentitySensitivity", "links", "sensitivity"]


def __dir__() -> list[str]:
    return list(__all__)
