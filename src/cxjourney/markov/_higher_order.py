"""Chains of higher order: states that hold the last touches instead of the last one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.validation import check_count
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.graph import JourneyGraph
from cxjourney.markov._absorbing_chain import AbsorbingChain
from cxjourney.markov._solver import sums
from cxjourney.markov._steps import Steps, group, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = ["HigherOrder", "higher_order"]


@attrs.frozen(kw_only=True, eq=False)
class HigherOrder:
    """A chain whose states are the last touches instead of the last one.

    Attributes
    ----------
    order
        How many touches a state holds, fewer at the beginning of a journey.
    graph
        The graph of the states; a state's name is the JSON list of its touches.
    last
        State to the touchpoint where a journey in this state is.
    """

    order: int
    graph: JourneyGraph
    last: FrozenMapping[str] = attrs.field(repr=False)

    def chain(self) -> AbsorbingChain:
        """Return the absorbing chain of the states."""
        return AbsorbingChain.from_graph(self.graph)

    def states(self, touchpoint: str) -> tuple[str, ...]:
        """Return the states in which a journey is at a touchpoint.

        Raises
        ------
        UnknownName
            If no journey comes there.
        """
        states = tuple(state for state, name in self.last.items() if name == touchpoint)
        if not states:
            known = sorted(set(self.last.values()))
            raise UnknownName.among("touchpoint", touchpoint, known, where="the journeys")
        return states

    def removal_effect(self) -> FrozenMapping[float]:
        """Return the removal effect of each touchpoint: of all states there, jointly.

        The more memory, the closer it comes to the share of converting journeys that touch the
        touchpoint; see `AbsorbingChain.removal_effect`.
        """
        chain = self.chain()
        there: dict[str, list[str]] = {}
        for state, name in self.last.items():
            there.setdefault(name, []).append(state)
        return FrozenMapping({name: chain.removal_effect(set_) for name, set_ in there.items()})


def higher_order(
    names: Sequence[str],
    codes: ArrayLike,
    offsets: ArrayLike,
    *,
    order: int,
    weights: ArrayLike | None = None,
    determined: bool = True,
) -> HigherOrder:
    """Return the graph whose nodes are the last `order` touches.

    Parameters
    ----------
    names
        Names of the K touchpoints, codes 0 … K - 1.
    codes, offsets, weights
        The journeys, as in `order_selection`; K + 1 ends one in CONVERSION, K + 2 in DROPOFF.
    order
        How many touches a node remembers, from 1.
    determined
        Whether journeys could be dropped at all.

    Returns
    -------
    HigherOrder
        Its chain gives the share of journeys that converted, whatever the order, when all
        journeys are complete.

    Raises
    ------
    InvalidValue
        If the arrays disagree, an end does not end a journey, or `order` is less than 1.

    Notes
    -----
    Probabilities are counted. With many journeys in progress that understates drop-off (moves
    show at once, drop-offs only after the limit): prefer closed journeys here.

    Examples
    --------
    >>> model = higher_order(["ad", "web"], [0, 1, 3, 1, 4], [0, 3, 5], order=2)
    >>> model.graph.touchpoints
    ('["ad", "web"]', '["ad"]', '["web"]')
    >>> model.chain().conversion_probability
    0.5
    """
    steps = Steps.of(codes, offsets, weights)
    names = listed(names)
    size = len(names)
    check_count(order, "order")
    touch = steps.touches(size)
    ends = steps.codes[~touch]
    if (ends == size).any() or (ends > size + 2).any():
        raise InvalidValue(
            f"codes that end a journey must be {size + 1} (CONVERSION) or {size + 2} (DROPOFF)"
        )
    state = steps.codes
    for k in range(1, order + 1):
        state = steps.states(state, k)
    kept, at = np.unique(state[touch], return_inverse=True)
    position = np.flatnonzero(touch)[np.unique(at, return_index=True)[1]]
    begin = np.maximum(steps.begin[position], position - order + 1)
    paths = [
        [names[c] for c in steps.codes[b : p + 1].tolist()]
        for b, p in zip(begin.tolist(), position.tolist(), strict=True)
    ]
    labels = [json.dumps(path, ensure_ascii=False) for path in paths]
    n = kept.size
    node = np.zeros_like(steps.codes)
    node[touch] = at
    node[~touch] = ends - size + n
    source = steps.previous(node, start=n)
    edge, move = group(source, node)
    open_ = touch & steps.last
    graph = JourneyGraph.from_arrays(
        labels,
        source=source[edge],
        target=node[edge],
        count=sums(move, steps.weight, edge.size),
        censored=sums(node[open_], steps.weight[open_], n),
        touchpoint=[path[-1] for path in paths],
        grain=f"last {order} touches",
        determined=determined,
    )
    last = FrozenMapping({label: path[-1] for label, path in zip(labels, paths, strict=True)})
    return HigherOrder(order=order, graph=graph, last=last)
