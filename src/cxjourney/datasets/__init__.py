"""Data to learn and to test with: a simulated retailer whose truths are known."""

from __future__ import annotations

from cxjourney.datasets._sample import Sample, sample
from cxjourney.datasets._truths import CriticalTruth as CriticalTruth
from cxjourney.datasets._truths import HandoffTruth as HandoffTruth
from cxjourney.datasets._truths import SegmentTruth as SegmentTruth
from cxjourney.datasets._truths import Truths

__all__ = ["Sample", "Truths", "sample"]


def __dir__() -> list[str]:
    return list(__all__)
