"""Journeys as sequences: distinct paths, step flow, memory, turbulence and complexity."""

from __future__ import annotations

from cxjourney.sequences._alignment import aligned_flow as aligned_flow
from cxjourney.sequences._indices import complexity, entropy, turbulence
from cxjourney.sequences._memory import Memory, memory
from cxjourney.sequences._paths import Variants, paths
from cxjourney.sequences._representatives import Representatives, representatives
from cxjourney.sequences._step_flow import StepFlow, step_flow

__all__ = [
    "Memory",
    "Representatives",
    "StepFlow",
    "Variants",
    "complexity",
    "entropy",
    "memory",
    "paths",
    "representatives",
    "step_flow",
    "turbulence",
]


def __dir__() -> list[str]:
    return list(__all__)
