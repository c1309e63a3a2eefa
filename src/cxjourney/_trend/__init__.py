"""Trends: figures by period, and since when they are others."""

from __future__ import annotations

from cxjourney._trend._counts import COUNTED as COUNTED
from cxjourney._trend._counts import TrendCounts as TrendCounts
from cxjourney._trend._marks import Initiative, Target
from cxjourney._trend._rows import rows_of as rows_of
from cxjourney._trend._trend import Trend, trend

__all__ = ["Initiative", "Target", "Trend", "trend"]


def __dir__() -> list[str]:
    return list(__all__)
