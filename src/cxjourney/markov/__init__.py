"""The absorbing Markov chain of a journey graph, its order, and counterfactual chains."""

from __future__ import annotations

from cxjourney.markov._absorbing_chain import AbsorbingChain, Moments
from cxjourney.markov._higher_order import HigherOrder, higher_order
from cxjourney.markov._order import LocalMemory, OrderSelection, local_memory, order_selection
from cxjourney.markov._stacked import StackedChains as StackedChains

__all__ = [
    "AbsorbingChain",
    "HigherOrder",
    "LocalMemory",
    "Moments",
    "OrderSelection",
    "higher_order",
    "local_memory",
    "order_selection",
]
