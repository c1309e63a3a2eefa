"""What a scenario is computed from: a chain, its replicates, and the facts that it counts with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cxjourney._support.validation import check_count, check_level, check_names, check_rng
from cxjourney.domain import START
from cxjourney.exceptions import InvalidValue
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import By, Journeys, check_journeys, mean_value_of_graph
from cxjourney.markov import AbsorbingChain
from cxjourney.whatif._stack import MOST_TOUCHPOINTS, stacks_of_chain, stacks_of_journeys

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from cxjourney.whatif._stack import Stack

__all__ = ["Model", "model_of"]


@attrs.frozen(kw_only=True, eq=False)
class Model:
    """A chain and where it came from.

    Attributes
    ----------
    chain
        The chain as it is.
    journeys
        What it was made of; None for a graph.
    by
        What a node is.
    n_journeys
        Number of journeys, those in progress among them.
    worth
        Mean value of a conversion [currency]; NaN where unknown.
    currency
        Code of the currency; empty where unknown.
    level
        Confidence level.
    n_resamples
        Number of replicates.
    seed
        The same for all scenarios of one baseline, so that they differ by what is changed alone.
    backend
        The data-frame library of the input.
    """

    chain: AbsorbingChain
    journeys: Journeys | None
    by: By
    n_journeys: int
    worth: float
    currency: str
    level: float
    n_resamples: int
    seed: int
    backend: str | None

    def stacks(self) -> Iterator[Stack]:
        """Yield the replicates; none where there are too many touchpoints."""
        names = self.chain.names
        if not self.n_resamples or not names or len(names) > MOST_TOUCHPOINTS:
            return iter(())
        if self.journeys is None:
            return stacks_of_chain(self.chain, n=self.n_resamples, seed=self.seed)
        return stacks_of_journeys(self.journeys, self.by, names, n=self.n_resamples, seed=self.seed)

    @property
    def method(self) -> str:
        """How intervals are made."""
        if not self.n_resamples or len(self.chain.names) > MOST_TOUCHPOINTS:
            return "no interval"
        return (
            "percentile, visits resampled"
            if self.journeys is None
            else ("percentile, customers resampled")
        )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know about the numbers."""
        notes = []
        if len(self.chain.names) > MOST_TOUCHPOINTS and self.n_resamples:
            notes.append(f"no intervals for more than {MOST_TOUCHPOINTS:,} touchpoints")
        if self.journeys is None and self.n_resamples:
            notes.append(
                "a graph knows no customers: visits are taken as independent, which makes "
                "intervals somewhat too narrow"
            )
        if self.chain.censored > 0:
            notes.append(
                f"of {100 * self.chain.censored:.1f}% of the journeys the end is not known"
            )
        notes.append(
            "the next touch is taken to depend on the present one only, and nothing here is "
            "causal: an experiment tells"
        )
        return tuple(notes)


def model_of(
    source: Journeys | JourneyGraph,
    *,
    by: By | None,
    level: float,
    n_resamples: int,
    rng: np.random.Generator | int | None,
) -> Model:
    """Return the model of journeys or of a graph, its arguments checked."""
    if not isinstance(source, JourneyGraph):
        check_journeys(source)
    check_level(level)
    check_count(n_resamples, "n_resamples", 0)
    seed = int(check_rng(rng).integers(2**63))
    journeys = source if isinstance(source, Journeys) else None
    if isinstance(source, Journeys):
        source.require_determined("a what-if")
        graph = source.graph(by=by or "touchpoint")
    else:
        graph = source
        grain = str(graph.graph.get("grain", "touchpoint"))
        if by is not None and ", ".join(check_names(by, "by")) != grain:
            raise InvalidValue.of("by", f"be the graph's own grain {grain!r}, or None", by)
    return Model(
        chain=AbsorbingChain.from_graph(graph, trapped="censored"),
        journeys=journeys,
        by=by or "touchpoint",
        n_journeys=int(graph.nodes[START].get("visits", 0)) if START in graph else 0,
        worth=mean_value_of_graph(graph),
        currency=str(graph.graph.get("currency", "")),
        level=level,
        n_resamples=n_resamples,
        seed=seed,
        backend=None if journeys is None else journeys.log.backend,
    )
