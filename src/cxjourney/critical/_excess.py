"""Excess of exits over the peers, what it costs, and the order of touchpoints by that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.figure_ranks import Draws
from cxjourney._support.array_types import Floats
from cxjourney._support.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cxjourney._support.array_types import Ints
    from cxjourney.dropoff import NodeRates
    from cxjourney.journeys import ChainFigures

__all__ = [
    "N_DRAWS",
    "Excess",
    "Peers",
    "drawn",
    "excess_of",
    "gain_per_journey",
    "peers_of",
    "rank_table",
    "ranked",
]

N_DRAWS = 1_000
"""Draws behind confidence and rank probabilities."""

_SHOWN_RANKS = 5


@attrs.frozen(kw_only=True, eq=False)
class Peers:
    """Whom each touchpoint is compared with.

    Attributes
    ----------
    weights
        Weight of the rate of each other touchpoint in the rate of the peers, shape (K, K); rows
        sum to one, or to zero where there are no peers.
    group
        Name of the stage, or "" where all others are the peers.
    strength
        How many visits the peers count for: a + b of the Beta prior of their rates.
    trials
        Independent visits that say as much about each touchpoint's rate.
    """

    weights: Floats
    group: tuple[str, ...]
    strength: Floats
    trials: Floats

    def rate(self, rates: Floats) -> Floats:
        """Return the rate of the peers; NaN where there are none. The last axis is touchpoints."""
        known = self.weights.sum(axis=1) > 0
        mean: Floats = np.where(known, np.nan_to_num(rates) @ self.weights.T, np.nan)
        return mean

    def keeps(self) -> Floats:
        """Return which part of a touchpoint's excess is left after shrinkage, in [0, 1]."""
        with np.errstate(invalid="ignore"):
            return self.trials / (self.trials + self.strength)

    def units(self, units: Floats) -> Floats:
        """Return what the rate of the peers stands on in each bucket, given that of each rate."""
        share = units / np.maximum(units.sum(axis=0), 1.0)
        return np.asarray(share @ self.weights.T)

    def certainty(self, rates: Floats, of_peers: Floats) -> Floats:
        """Return the probability that each true rate lies above that of the peers.

        Parameters
        ----------
        rates
            The observed rates, shape (K,).
        of_peers
            Draws of the rates of the peers, shape (draws, K).
        """
        from scipy.special import betainc

        m = np.clip(of_peers, 1e-9, 1 - 1e-9)
        a = rates * self.trials + m * self.strength
        b = (1 - rates) * self.trials + (1 - m) * self.strength
        above: Floats = (1 - betainc(a, b, m)).mean(axis=0)
        return above


def peers_of(rates: NodeRates) -> Peers:
    """Return the peers of each touchpoint: the others of its stage, or all where those are few.

    Parameters
    ----------
    rates
        The exit probabilities, with the Beta priors of stages that have at least three
        touchpoints to compare. Where exits are expected, or everybody leaves, a touchpoint is
        nobody's peer.

    Notes
    -----
    With a Beta(a, b) prior of the rates of a group, the observed rate of n visits has a variance
    that is proportional to (n + s) / n with s = a + b: the mean of the peers weighs n / (n + s).
    The touchpoint itself is left out of that mean.
    """
    k = len(rates.names)
    weights, strength = np.zeros((k, k)), np.full(k, np.nan)
    stage = np.array(rates.stage, dtype=object)
    group = [""] * k
    for name, (a, b) in rates.priors.items():
        inside = np.flatnonzero(rates.compared & (stage == name) if name else rates.compared)
        informative = rates.trials[inside] / (rates.trials[inside] + a + b)
        # whoever stands apart is compared with all, but nobody is compared with it
        for x in inside.tolist() if name else range(k):
            others = np.where(inside == x, 0.0, informative)
            weights[x] = 0.0
            weights[x, inside] = others / others.sum() if others.sum() > 0 else 0.0
            strength[x] = a + b
            group[x] = name
    return Peers(weights=weights, group=tuple(group), strength=strength, trials=rates.trials)


def gain_per_journey(
    excess: Floats, rate: Floats, visits: Floats, hitting: Floats, diagonal: Floats
) -> Floats:
    """Return the change of the conversion probability if exits at x fell by `excess`.

    Those who are kept go where the others go. With `t = excess / (1 - e)`:
    `p' - p = v_x t h_x / (1 - t (N_xx - 1))`, the closed form of Sherman and Morrison. A
    negative excess gives what would be lost if exits rose to the peers' rate. NaN where everybody
    leaves.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        t = excess / np.where(rate < 1, 1 - rate, np.nan)
        gain: Floats = np.where(
            hitting > 0, visits * t * hitting / (1 - t * (diagonal - 1)), 0.0 * t
        )
    return gain


@attrs.frozen(kw_only=True, eq=False)
class Excess:
    """Exits of touchpoints beside those of their peers.

    Attributes
    ----------
    own, peers
        Exit probability of each touchpoint and of its peers.
    shrunken
        The excess over the peers, shrunken.
    gain, shrunken_gain
        Gain per journey if the raw, and the shrunken, excess were gone.
    """

    own: BucketFigures
    peers: BucketFigures
    shrunken: Floats
    gain: BucketFigures
    shrunken_gain: BucketFigures

    @property
    def raw(self) -> Floats:
        """The excess over the peers."""
        return self.own.whole - self.peers.whole


def excess_of(rates: NodeRates, peers: Peers, chain: ChainFigures) -> Excess:
    """Return the excess of each touchpoint over its peers, and what it costs.

    The weights of the peers and the shrinkage are those of all customers in every bucket.
    """
    own = rates.figures
    of_peers = BucketFigures(
        whole=peers.rate(own.whole), without=peers.rate(own.without), units=peers.units(own.units)
    )
    keeps = peers.keeps()

    def gain(of: Callable[[BucketFigures], Floats], share: Floats | float) -> Floats:
        return gain_per_journey(
            share * (of(own) - of(of_peers)),
            of(own),
            of(chain.visits),
            of(chain.hitting),
            of(chain.diagonal),
        )

    raw, shrunken = (
        BucketFigures(
            whole=gain(lambda figures: figures.whole, share),
            without=gain(lambda figures: figures.without, share),
            units=chain.visits.units,
        )
        for share in (1.0, keeps)
    )
    return Excess(
        own=own,
        peers=of_peers,
        shrunken=keeps * (own.whole - of_peers.whole),
        gain=raw,
        shrunken_gain=shrunken,
    )


def drawn(
    excess: Excess, lost: BucketFigures, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Return draws of the peers' rates, of the shrunken gains and of the lost conversions.

    All of them move together as they do without the same buckets.
    """
    draws = Draws.of(N_DRAWS, len(excess.own.without), rng)
    return (
        draws.around(excess.peers),
        draws.around(excess.shrunken_gain),
        draws.around(lost),
    )


def ranked(priority: Floats, lost: Floats, classes: Ints) -> NDArray[np.intp]:
    """Return touchpoints in their order: by class, priority, then what is lost there at all.

    What is not known comes last in its class. Priorities of several draws, one a row, are ranked
    row by row.
    """
    keys = (np.nan_to_num(-lost, nan=np.inf), np.nan_to_num(-priority, nan=np.inf), classes)
    place = np.arange(priority.shape[-1])
    return np.lexsort(np.broadcast_arrays(place, *keys), axis=-1)


def rank_table(
    names: tuple[str, ...],
    priority: Floats,
    lost: Floats,
    *,
    classes: Ints,
    order: NDArray[np.intp],
    level: float,
    backend: str | None,
) -> Table:
    """Return how often each touchpoint comes at each rank in draws of what the figures could be.

    Parameters
    ----------
    names
        The touchpoints.
    priority, lost
        Draws of each, shape (draws, K); see `ranked`.
    classes
        Those of a higher class stand behind all of a lower one.
    order
        The observed ranking, which the rows follow.
    level
        Confidence level of the range of ranks.
    backend
        Data-frame library of the table.
    """
    kept = np.flatnonzero(~np.isnan(priority).all(axis=1))
    k = len(names)
    ranks = np.empty((len(kept), k))
    np.put_along_axis(
        ranks, ranked(priority[kept], lost[kept], classes), np.arange(1.0, k + 1)[None], axis=-1
    )
    ranks = ranks[:, order]
    tail = (1 - level) / 2
    columns: dict[str, Any] = {"touchpoint": tuple(names[i] for i in order.tolist())}
    empty = np.full(k, np.nan)
    for rank in range(1, _SHOWN_RANKS + 1):
        columns[f"rank_{rank}"] = (ranks == rank).mean(axis=0) if len(kept) else empty
    columns["later"] = (ranks > _SHOWN_RANKS).mean(axis=0) if len(kept) else empty
    columns["top_three"] = (ranks <= 3).mean(axis=0) if len(kept) else empty
    for name, at in (("rank_median", 0.5), ("rank_low", tail), ("rank_high", 1 - tail)):
        columns[name] = (
            np.quantile(ranks, at, axis=0, method="inverted_cdf") if len(kept) else empty
        )
    formats = {name: "percent" for name in columns if name.startswith(("rank_", "later", "top_"))}
    formats |= dict.fromkeys(("rank_median", "rank_low", "rank_high"), "integer")
    return Table(columns, formats=formats, backend=backend)
