"""Comparisons of segments, of periods and of graphs."""

from __future__ import annotations

from cxjourney.compare._differences import Change as Change
from cxjourney.compare._differences import Differences
from cxjourney.compare._groups import between, segments

__all__ = ["Differences", "between", "segments"]


def __dir__() -> list[str]:
    return list(__all__)
