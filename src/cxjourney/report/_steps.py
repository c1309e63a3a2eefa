"""Steps of the funnel that nobody named: the stages up to the goal, or the usual way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney.dropoff import Step
from cxjourney.report._stages import stages_in_order

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys

_SHARE = 0.5  # of the converted journeys that come by a touchpoint of the usual way


def stage_steps(journeys: Journeys) -> tuple[Step, ...]:
    """Return the stages up to that of the goal, and the goal.

    A stage is reached by any of its touchpoints, those that are in it by most of their
    interactions. With fewer than two stages up to the goal there are no steps.
    """
    columns = journeys.columns
    if "stage" not in columns.coded or not journeys.rules.goal:
        return ()
    touchpoint, stage = columns.coded["touchpoint"], columns.coded["stage"]
    goal = {name for name in journeys.rules.goal if name in touchpoint.names}
    if not goal or len(stage.names) < 2:
        return ()
    known, n = stage.codes >= 0, len(stage.names)
    place = touchpoint.codes[known].astype(np.int64) * n + stage.codes[known]
    table = np.bincount(place, minlength=len(touchpoint.names) * n).reshape(-1, n)
    own = {
        str(name): str(stage.names[counts.argmax()])
        for name, counts in zip(touchpoint.names, table, strict=True)
        if counts.any()
    }
    order, _ = stages_in_order(journeys)
    last = max((order.index(own[name]) for name in goal if own.get(name) in order), default=-1)
    steps = []
    for name in order[: last + 1]:
        within = {one for one, its in own.items() if its == name and one not in goal}
        if within:
            steps.append(Step(within, name=name))
    return (*steps, Step(goal)) if len(steps) > 1 else ()


def default_steps(journeys: Journeys) -> tuple[str | tuple[str, ...], ...]:
    """Return the usual way to the goal: where most of those who converted came by, in order.

    Touchpoints by the mean place of their first visit, then the goal. The most usual are taken
    first; a further one is while at least half of the converted journeys come by all of them in
    this order. Of alternatives no two stand in series.
    """
    columns = journeys.columns
    goal = tuple(x for x in journeys.rules.goal if x in columns.coded["touchpoint"].names)
    won = np.flatnonzero(journeys.converted)
    if not len(won) or not goal:
        return ()
    coded = columns.coded["touchpoint"]
    journey = np.repeat(np.arange(len(journeys.outcome)), np.diff(journeys.offsets))
    rows = np.flatnonzero(journeys.converted[journey])
    key = journey[rows] * len(coded.names) + coded.codes[rows].astype(np.int64)
    _, first = np.unique(key, return_index=True)
    rows = rows[first]
    place = rows - journeys.offsets[:-1][journey[rows]]
    share = np.bincount(coded.codes[rows], minlength=len(coded.names)) / len(won)
    mean = np.bincount(coded.codes[rows], place, minlength=len(coded.names)) / np.maximum(
        share * len(won), 1
    )
    usual: list[int] = []
    for k in np.argsort(-share, kind="stable").tolist():
        if share[k] < _SHARE or coded.names[k] in goal:
            continue
        way = sorted([*usual, k], key=mean.__getitem__)
        reached, in_order = np.full(len(journeys.outcome), -1), np.ones(len(journeys.outcome), bool)
        for x in way:
            here = np.full(len(reached), -1)
            here[journey[rows[coded.codes[rows] == x]]] = place[coded.codes[rows] == x]
            in_order &= here > reached
            reached = here
        if in_order.sum() >= _SHARE * len(won):
            usual = way
    return (*(str(coded.names[k]) for k in usual), goal[0] if len(goal) == 1 else goal)
