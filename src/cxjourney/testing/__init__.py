"""What helps to test code that uses cxjourney: Hypothesis strategies in `testing.strategies`."""

from __future__ import annotations
