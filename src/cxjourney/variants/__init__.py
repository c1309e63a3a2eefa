"""The distinct paths that journeys take, and how complex they are."""

from __future__ import annotations

from cxjourney.variants.distinct_paths import Variants, paths
from cxjourney.variants.shape import complexity, entropy, turbulence

__all__ = ["Variants", "complexity", "entropy", "paths", "turbulence"]
