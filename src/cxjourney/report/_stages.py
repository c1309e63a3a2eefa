"""Stages of a log in the order of the journey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.validation import check_names
from cxjourney.domain import StageModel, standard_model
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import visits_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.journeys import Journeys

StageOrder = tuple[tuple[str, ...], str]
"""The names, and how their order came about, in words."""


def stages_in_order(
    journeys: Journeys, order: StageModel | Sequence[str] | None = None
) -> StageOrder:
    """Return the stages of a log in the order of the journey.

    Parameters
    ----------
    journeys
        The journeys.
    order
        The order; stages of the log that it leaves out are refused. None takes that of the model
        whose stages these are, else the mean place of their visits within the journeys.

    Raises
    ------
    InvalidValue
        If the log has a stage that `order` leaves out.
    """
    present = journeys.log.stages
    if order is None:
        return journeys.memo.get("stages in order", lambda: _usual_order(journeys, present))
    names = order.names if isinstance(order, StageModel) else check_names(order, "stages")
    if absent := [name for name in present if name not in names]:
        raise InvalidValue.of("stages", f"name every stage of the log, {absent[0]!r} too", names)
    return names, "The stages stand in the order given."


def _usual_order(journeys: Journeys, present: tuple[str, ...]) -> StageOrder:
    if not present:
        return (), "The log has no stages."
    if (model := standard_model(present)) is not None:
        names = tuple(name for name in model.names if name in present)
        return names, f"The stages stand in the order of the model {model.name!r}."
    visits = visits_of(journeys, "stage")
    first = journeys.offsets[:-1][visits.journey]
    length = np.maximum(np.diff(journeys.offsets)[visits.journey], 1)
    place = (visits.row - first) / length
    sums = np.bincount(visits.node, place, minlength=len(visits.names))
    counts = np.bincount(visits.node, minlength=len(visits.names))
    mean = dict(zip(visits.names, (sums / np.maximum(counts, 1)).tolist(), strict=True))
    names = tuple(sorted(present, key=lambda name: (mean.get(name, 1.0), name)))
    return names, "The stages stand in the order of the mean place of their visits in the journeys."
