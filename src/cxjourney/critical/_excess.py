"""Excess losses of a touchpoint over its peers, their cost, and how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.beta_shrinkage import beta_prior
from cxjourney._support.array_types import Bools, Floats
from cxjourney.dropoff import lost_per_journey
from cxjourney.journeys import replicates
from cxjourney.markov import StackedChains

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys


__all__ = ["Peers", "Resampled", "gain_per_journey", "peers_of", "resample"]

_FEWEST_PEERS = 3


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

    def certainty(self, rates: Floats, of_peers: Floats) -> Floats:
        """Return the probability that each true rate lies above that of the peers.

        Parameters
        ----------
        rates
            The observed rates, shape (K,).
        of_peers
            Rates of the peers, shape (replicates, K).
        """
        from scipy.special import betainc

        m = np.clip(of_peers, 1e-9, 1 - 1e-9)
        a = rates * self.trials + m * self.strength
        b = (1 - rates) * self.trials + (1 - m) * self.strength
        above: Floats = (1 - betainc(a, b, m)).mean(axis=0)
        return above


def peers_of(rate: Floats, trials: Floats, stage: tuple[str, ...], usable: Bools) -> Peers:
    """Return the peers of each touchpoint: the others of its stage, or all where those are few.

    Parameters
    ----------
    rate, trials
        Exit probability and effective number of visits of each touchpoint.
    stage
        Stage of each touchpoint, "" where it has none of its own.
    usable
        Which touchpoints are compared at all.

    Notes
    -----
    With a Beta(a, b) prior of the rates of a group, the observed rate of n visits has a variance
    that is proportional to (n + s) / n with s = a + b: the mean of the peers weighs n / (n + s).
    The touchpoint itself is left out of that mean.
    """
    k = len(rate)
    weights, strength = np.zeros((k, k)), np.full(k, np.nan)
    labels = np.array(stage, dtype=object)
    group = [""] * k
    for name in ("", *sorted({s for s in stage if s})):
        members = usable & (labels == name) if name else usable
        if name and np.count_nonzero(members) < _FEWEST_PEERS:
            continue
        inside = np.flatnonzero(members)
        a, b = beta_prior(rate[inside] * trials[inside], trials[inside])
        informative = trials[inside] / (trials[inside] + a + b)
        # whoever stands apart is compared with all, but nobody is compared with it
        for x in inside.tolist() if name else range(k):
            others = np.where(inside == x, 0.0, informative)
            weights[x] = 0.0
            weights[x, inside] = others / others.sum() if others.sum() > 0 else 0.0
            strength[x] = a + b
            group[x] = name
    return Peers(weights=weights, group=tuple(group), strength=strength, trials=trials)


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
class Resampled:
    """What the figures could as well have been; first axis replicates, second touchpoints.

    Attributes
    ----------
    removal, lost
        Removal effect, lost conversions per journey.
    rate, peers
        Exit probability of the touchpoint and of its peers.
    gain, shrunken_gain
        Gain per journey of the raw and of the shrunken excess.
    conversion
        Conversion probability, shape (replicates,).
    """

    removal: Floats
    lost: Floats
    rate: Floats
    peers: Floats
    gain: Floats
    shrunken_gain: Floats
    conversion: Floats


def resample(
    journeys: Journeys,
    rate: Floats,
    peers: Peers,
    *,
    n: int,
    rng: np.random.Generator | int | None,
) -> Resampled:
    """Return the figures on resampled customers.

    Parameters
    ----------
    journeys
        The journeys.
    rate
        The observed exit probabilities; they stand in where a replicate has no ended visit.
    peers
        Whom each touchpoint is compared with, and how strongly its excess is shrunken.
    n
        Number of replicates.
    rng
        Generator or seed.
    """
    parts = []
    keeps = peers.keeps()
    for block in replicates(journeys, n=n, rng=rng):
        chains = StackedChains.of(block.probability, block.start)
        diagonal = np.einsum("bii->bi", chains.fundamental)
        exits = np.where(block.at_risk > 0, block.probability[:, :, -1], rate)
        mean = peers.rate(exits)
        excess = exits - mean
        v, h = chains.visits, chains.hitting
        parts.append(
            Resampled(
                removal=chains.removal_effect(),
                lost=lost_per_journey(v, h, exits),
                rate=exits,
                peers=mean,
                gain=gain_per_journey(excess, exits, v, h, diagonal),
                shrunken_gain=gain_per_journey(keeps * excess, exits, v, h, diagonal),
                conversion=chains.conversion,
            )
        )
    fields = [field.name for field in attrs.fields(Resampled)]
    return Resampled(**{f: np.concatenate([getattr(part, f) for part in parts]) for f in fields})
