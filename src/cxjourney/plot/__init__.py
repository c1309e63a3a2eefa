"""Pictures of plain columns: what the `plot` methods of results draw with.

Every function takes columns and, if you like, axes; it returns axes. Nothing is shown, no style is
changed, no global state is touched. In a notebook the axes of a picture show themselves.
"""

from __future__ import annotations

from cxjourney.plot._canvas import drawn_of as drawn_of
from cxjourney.plot._canvas import joined as joined
from cxjourney.plot._canvas import panels as panels
from cxjourney.plot._curves import emotion_curve, step_curve
from cxjourney.plot._curves import trend_chart as trend_chart
from cxjourney.plot._layout import Layout as Layout
from cxjourney.plot._layout import layout as layout
from cxjourney.plot._matrix import heat_map
from cxjourney.plot._network import journey_graph
from cxjourney.plot._priorities import impact_confidence
from cxjourney.plot._priorities import quadrants as quadrants
from cxjourney.plot._routes import NODE_SIZE as NODE_SIZE
from cxjourney.plot._routes import arrow_head as arrow_head
from cxjourney.plot._routes import leads_back as leads_back
from cxjourney.plot._rows import bars, forest, funnel
from cxjourney.plot._sankey import step_sankey

__all__ = [
    "bars",
    "emotion_curve",
    "forest",
    "funnel",
    "heat_map",
    "impact_confidence",
    "journey_graph",
    "step_curve",
    "step_sankey",
]


def __dir__() -> list[str]:
    return list(__all__)
