"""Data to learn and to test with: a simulated retailer whose truths are known."""

from __future__ import annotations

from cxjourney.datasets._sample import Sample, sample
from cxjourney.datasets._truths import CriticalTruth, HandoffTruth, SegmentTruth, Truths

__all__ = ["CriticalTruth", "HandoffTruth", "Sample", "SegmentTruth", "Truths", "sample"]


def __dir__() -> list[str]:
    return list(__all__)
