"""Reports: the analyses that everyone asks for first, as text and as one HTML page."""

from __future__ import annotations

from cxjourney.report.assemble import build
from cxjourney.report.page import Figure, Part, Report, Section

__all__ = ["Figure", "Part", "Report", "Section", "build"]
