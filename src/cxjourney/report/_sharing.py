"""Findings and funnels that may leave the house, and the first sentences of a shared report."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import FEWEST, few, is_few, visits_of
from cxjourney.report._catalogue import say, say_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxjourney._findings import Finding, Findings
    from cxjourney.dropoff import Funnel, StepLike
    from cxjourney.journeys import Journeys

SHARED = frozenset(
    {
        "what is wrong",
        "the journey map",
        "the journey graph",
        "the funnel",
        "exits",
        "channels",
        "metrics",
        "caveats",
    }
)
"""Sections of which every number has been made sure of; others stay in the house."""

_KINDS = {"more exits than at peers", "more exits than expected"}  # whose visits were counted


def shared_remarks() -> tuple[str, ...]:
    """Return what a reader of a shared report must know of it."""
    what = say("shared.what", n=FEWEST, most=FEWEST - 1)
    return (what, say("shared.without"))


def shared_findings(found: Findings, journeys: Journeys) -> Findings:
    """Return the findings whose every number is about visits of at least five customers."""
    sure = tuple(
        one
        for one in found.sure
        if one.kind in _KINDS and not one.who and _of_all_visits(one, journeys)
    )
    headline = found.headline
    if len(sure) < len(found.sure):
        staying = len(found.sure) - len(sure)
        headline = f"{say_of('shared.sure', len(sure))}; {say_of('shared.more', staying)}."
    untested = found.untested.take([])
    return attrs.evolve(found, headline=headline, sure=sure, watching=(), untested=untested)


def _of_all_visits(one: Finding, journeys: Journeys) -> bool:
    """Return whether a finding counts all journeys of its touchpoint, and no few late visits."""
    visits = visits_of(journeys)
    if one.where not in visits.names:
        return False
    here = visits.node == visits.names.index(one.where)
    late = here
    limit, time = journeys.rules.inactivity, journeys.columns.time
    until = journeys.log.observed_until_us
    if limit is not None and time is not None and until is not None:
        late = here & (time[visits.row] > until - limit // timedelta(microseconds=1))
    counts = len(np.unique(visits.journey[here])) == one.n_journeys
    return counts and not is_few(visits.customer[late])


def shared_steps(steps: Sequence[StepLike] | None, journeys: Journeys) -> tuple[StepLike, ...]:
    """Return the steps that are still there, by the names of touchpoints.

    Raises
    ------
    InvalidValue
        If a step is more than the name of a touchpoint.
    """
    if any(not isinstance(step, str) for step in steps or ()):
        rule = "be names of touchpoints where share=True"
        raise InvalidValue.of("steps", rule, [step for step in steps or () if step != str(step)])
    return tuple(step for step in steps or () if step in journeys.log.touchpoints)


def ways(steps: Sequence[StepLike]) -> Iterator[tuple[StepLike, ...]]:
    """Yield the steps, then fewer of them, the first and the last always among them."""
    first, *between, last = steps
    for n in range(len(between), -1, -1):
        for some in combinations(between, n):
            yield (first, *some, last)


def tells_of_few(found: Funnel, journeys: Journeys) -> bool:
    """Return whether few customers ended in some way after a step, or came by it otherwise."""
    farthest = np.zeros(len(journeys.outcome), dtype=np.int64)
    visits = visits_of(journeys)
    for i, name in enumerate(found.steps):
        reached = found._members((i,), None)[1]  # noqa: SLF001 - one package
        farthest += reached
        if name in visits.names:
            elsewhere = visits.journey[visits.node == visits.names.index(name)]
            if is_few(journeys.customer[elsewhere[~reached[elsewhere]]]):
                return True
    cell = farthest * 8 + journeys.outcome * 2 + (journeys.origin == 1)
    return bool(few(cell, journeys.customer).any())
