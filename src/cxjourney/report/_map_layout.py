"""The journey map as a picture: one layout, whatever it is drawn with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxjourney.report import _map_course as course
from cxjourney.report import _map_rows as rows
from cxjourney.report._catalogue import say
from cxjourney.report._map_marks import MapPicture
from cxjourney.report._map_sheet import MARGIN, Sheet
from cxjourney.report._map_words import described, title_of

if TYPE_CHECKING:
    from cxjourney.report._journey_map import JourneyMap


def picture_of(
    drawn: JourneyMap, beside: JourneyMap | None = None, *, brief: bool = False
) -> MapPicture:
    """Return the picture of a map, or of two.

    Parameters
    ----------
    drawn
        The map.
    beside
        Another map that is drawn into the same picture.
    brief
        Whether stages, flow and feelings are drawn only.
    """
    maps = (drawn,) if beside is None else (drawn, beside)
    sheet = Sheet(maps, brief=brief)
    if not brief:
        course.title(sheet)
    course.heads(sheet)
    course.flow(sheet)
    course.feelings(sheet)
    if not brief:
        rows.touchpoints(sheet)
        rows.channels(sheet)
        rows.waiting(sheet)
        rows.gaps(sheet)
        rows.texts(sheet, "promise", say("drawn.promise"))
        rows.texts(sheet, "actions", say("drawn.actions"))
        rows.opportunities(sheet)
        rows.owners(sheet)
        rows.legend(sheet)
    return MapPicture(
        width=sheet.right + MARGIN,
        height=sheet.y + MARGIN / 2,
        title=title_of(maps),
        description=" ".join(map(described, maps)),
        groups=tuple(sheet.groups),
    )
