"""What differs between segments or periods, how much, and how sure that is."""

from __future__ import annotations

from cxjourney.compare.differences import Change, Differences, between, segments
from cxjourney.compare.divergence import Divergence

__all__ = ["Change", "Differences", "Divergence", "between", "segments"]
