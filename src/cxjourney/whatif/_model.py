"""The chain that scenarios change, and the same chain without each bucket of customers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

import attrs
import numpy as np

from cxjourney._stats.buckets import resting_on
from cxjourney._stats.estimates import CLUSTERED
from cxjourney._support.array_types import Floats
from cxjourney._support.validation import check_level
from cxjourney.attribution import forgotten
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import UnknownName
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import (
    LeftOut,
    chain_of,
    check_counted,
    check_own_grain,
    graph_of,
    grid_notes,
    left_out,
    left_out_of_graph,
    mean_value_of_graph,
    missing_note_of_graph,
)
from cxjourney.markov import AbsorbingChain, StackedChains

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cxjourney.journeys import By, Journeys, JourneyStatistics

MOST_TOUCHPOINTS = 500
"""Of more, intervals would take minutes: there are none."""


class ModelOptions(TypedDict, total=False):
    """What every scenario takes; see `baseline`."""

    by: By | None
    level: float


@attrs.frozen(kw_only=True, eq=False)
class Stack:
    """Transition matrices without each of some buckets, shape (buckets, K + 1, K + 3).

    From the K touchpoints and START, to these (never to START), CONVERSION and DROPOFF. A row may
    sum to less than one: the rest is not known to end.
    """

    names: tuple[str, ...]
    matrix: Floats

    def code(self, name: str) -> int:
        """Return the code of a touchpoint or terminal."""
        places = (*self.names, START, CONVERSION, DROPOFF)
        if name not in places:
            raise UnknownName.among("touchpoint", name, self.names, where="the chain")
        return places.index(name)

    def solved(self) -> StackedChains:
        """Return the chains of the matrices."""
        k = len(self.names)
        return StackedChains.of(self.matrix[:, :k], self.matrix[:, k])

    def conversion_and_steps(self) -> Floats:
        """Return the conversion probability and the expected steps, shape (2, buckets)."""
        found = self.solved()
        return np.stack([found.conversion, 1 + found.visits.sum(axis=1)])


@attrs.frozen(kw_only=True, eq=False)
class Model:
    """A chain and what it was made of: `left` has the same without each bucket.

    `mean_conversion_value` is NaN and `currency` empty where unknown; `knows_customers` says that
    buckets are of customers, not of visits; `forgotten` has what to say of touchpoints about which
    the chain forgets too much, the worst first; `missing` of visits whose node was not recorded.
    """

    chain: AbsorbingChain
    left: LeftOut
    knows_customers: bool
    n_journeys: int
    mean_conversion_value: float
    currency: str
    level: float
    backend: str | None
    forgotten: Mapping[str, str]
    missing: tuple[str, ...]

    @property
    def has_intervals(self) -> bool:
        """Whether there are few enough touchpoints."""
        return 0 < len(self.chain.names) <= MOST_TOUCHPOINTS

    def stacks(self) -> Iterator[Stack]:
        """Yield the chains without each bucket, some buckets after the others."""
        order = self._order
        k = len(order)
        places = [*order, k, k + 1, k + 2]
        for matrices, start in self.left.blocks():
            rows = np.concatenate([matrices, start[:, None, :]], axis=1)
            yield Stack(names=self.chain.names, matrix=rows[:, places[: k + 1]][:, :, places])

    @property
    def _order(self) -> list[int]:
        place = {name: i for i, name in enumerate(self.left.whole.names)}
        return [place[name] for name in self.chain.names]

    @cached_property
    def before(self) -> Floats:
        """Conversion and steps without each bucket before any change, shape (2, buckets)."""
        return np.concatenate([stack.conversion_and_steps() for stack in self.stacks()], axis=1)

    @property
    def units(self) -> Floats:
        """What a figure of each touchpoint stands on in each bucket, shape (buckets, K)."""
        return resting_on(self.left.visits[:, self._order], self.left.used)

    def units_of(self, touchpoints: Collection[str]) -> Floats:
        """Return what a change at some touchpoints stands on; the journeys where there are none."""
        codes = [self.chain.names.index(name) for name in touchpoints]
        return self.units[:, codes].sum(axis=1) if codes else self.left.journeys

    def method(self, interval: str) -> str:
        """Return how an interval of this kind was made."""
        if not self.has_intervals:
            return "no interval"
        return f"{interval}, {CLUSTERED if self.knows_customers else 'visits independent'}"

    def notes(self, places: Collection[str] = ()) -> tuple[str, ...]:
        """Return what a reader must know about the numbers: about some places, or the worst one."""
        worst = list(self.forgotten)[:1]
        notes = [
            self.forgotten[name]
            for name in dict.fromkeys(places or worst)
            if name in self.forgotten
        ]
        if len(self.chain.names) > MOST_TOUCHPOINTS:
            notes.append(f"There are no intervals for more than {MOST_TOUCHPOINTS:,} touchpoints.")
        elif not self.knows_customers:
            notes.append(
                "A graph does not know its customers: visits are taken as independent, which "
                "makes the intervals somewhat too narrow."
            )
        if self.chain.censored > 0:
            notes.append(
                f"The end of {100 * self.chain.censored:.1f}% of the journeys is not known."
            )
        notes += self.missing
        notes.append(
            "The next touchpoint is taken to depend on the present one only. Nothing here is "
            "causal; only an experiment shows what a change does."
        )
        return tuple(notes)


def check_source(source: Journeys | JourneyStatistics | JourneyGraph) -> None:
    """Raise InvalidValue if it is neither journeys, statistics of them nor a graph."""
    if not isinstance(source, JourneyGraph):
        check_counted(source)


def model_of(
    source: Journeys | JourneyStatistics | JourneyGraph, *, by: By | None, level: float
) -> Model:
    """Return the model of journeys, of statistics or of a graph, its arguments checked."""
    check_source(source)
    check_level(level)
    grain: By = "touchpoint" if by is None else by
    if not isinstance(source, JourneyGraph):
        source.require_determined("a what-if")
        graph, chain = graph_of(source, grain), chain_of(source, grain)
        left = left_out(source, grain)
        forgets = forgotten(source, grain) if 0 < len(chain.names) <= MOST_TOUCHPOINTS else {}
    else:
        forgets = {}
        graph = source
        check_own_grain(graph, by)
        chain = AbsorbingChain.from_graph(graph, trapped="censored")
        left = left_out_of_graph(graph)
    return Model(
        chain=chain,
        left=left,
        knows_customers=not isinstance(source, JourneyGraph),
        n_journeys=int(graph.nodes[START].get("visits", 0)) if START in graph else 0,
        mean_conversion_value=mean_value_of_graph(graph),
        currency=str(graph.graph.get("currency", "")),
        level=level,
        backend=None if isinstance(source, JourneyGraph) else source.backend,
        forgotten=forgets,
        missing=(*grid_notes(source, grain), *missing_note_of_graph(graph)),
    )
