"""Findings: what is wrong, since when, for whom, and how sure that is."""

from __future__ import annotations

from cxjourney._findings._counted import FindingsCounts as FindingsCounts
from cxjourney._findings._findings import findings
from cxjourney._findings._pipeline import STEPS as STEPS
from cxjourney._findings._results import SHOWN_GAIN as SHOWN_GAIN
from cxjourney._findings._results import Finding, Findings
from cxjourney._findings._results import affected_by as affected_by

__all__ = ["Finding", "Findings", "findings"]


def __dir__() -> list[str]:
    return list(__all__)
