"""Absorbing Markov chain of a journey graph, and counterfactual chains."""

from __future__ import annotations

from cxjourney.markov._absorbing_chain import UNFOLLOWED as UNFOLLOWED
from cxjourney.markov._absorbing_chain import AbsorbingChain
from cxjourney.markov._counterfactual import bypassed as bypassed
from cxjourney.markov._counterfactual import (
    conversion_with_fewer_exits as conversion_with_fewer_exits,
)
from cxjourney.markov._counterfactual import exit_elasticities as exit_elasticities
from cxjourney.markov._counterfactual import exit_slopes as exit_slopes
from cxjourney.markov._counterfactual import fewer_exits as fewer_exits
from cxjourney.markov._counterfactual import lost_per_journey as lost_per_journey
from cxjourney.markov._counterfactual import removed as removed
from cxjourney.markov._counterfactual import rerouted as rerouted
from cxjourney.markov._solver import solved_without_buckets as solved_without_buckets
from cxjourney.markov._stacked import StackedChains as StackedChains
from cxjourney.markov._transitions import chain_columns as chain_columns
from cxjourney.markov._transitions import check_kind as check_kind
from cxjourney.markov._transitions import unfollowed as unfollowed

__all__ = ["AbsorbingChain"]


def __dir__() -> list[str]:
    return list(__all__)
