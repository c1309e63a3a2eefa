"""Axes that a notebook shows by themselves, without pyplot."""

from __future__ import annotations

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 120


class PictureAxes(Axes):
    """The axes of a figure of its own."""

    def _repr_png_(self) -> bytes:
        picture = BytesIO()
        if isinstance(self.figure, Figure):
            self.figure.savefig(picture, format="png", dpi=DPI)
        return picture.getvalue()
