"""Axes that a notebook shows by themselves, without pyplot."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 120


class PictureAxes(Axes):
    """The axes of a figure of its own, or a panel of one, which takes the room that it needs."""

    panel = False

    def take_room(self, width: float, height: float) -> None:
        """Make a panel as high as its picture needs, and the figure with it [inches]."""
        spec = self.get_subplotspec()
        if not self.panel or spec is None or not isinstance(self.figure, Figure):
            return
        grid = spec.get_gridspec()
        heights = np.asarray(grid.get_height_ratios(), dtype=np.float64)
        heights[spec.rowspan.start] = height
        grid.set_height_ratios(heights)
        self.figure.set_size_inches(max(width, self.figure.get_figwidth()), float(heights.sum()))

    def _repr_png_(self) -> bytes:
        picture = BytesIO()
        if isinstance(self.figure, Figure):
            self.figure.savefig(picture, format="png", dpi=DPI)
        return picture.getvalue()
