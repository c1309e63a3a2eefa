"""Reports: the analyses that everyone asks for first, as text and as one HTML page."""

from __future__ import annotations

from cxjourney.report.assemble import build
from cxjourney.report.page import Drawing, Figure, Part, Picture, Report, Section

__all__ = ["Drawing", "Figure", "Part", "Picture", "Report", "Section", "build"]
