"""Posterior draws of many effects, most of them of one sort and a few apart."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._support.array_types import Ints

SPREADS = np.concatenate([[0.0], np.geomspace(0.01, 1.5, 28)])
"""Values of τ, the spread of effects of one sort."""

_USUAL_SPREAD = 0.25  # scale of the half-normal prior of τ, on the logit scale
_APART = 0.6  # additional spread of effects that stand apart
_SHARE_APART = 0.1
SLOPE = 3.0
"""Prior standard deviation of a slope, per unit of the covariate."""

_ROUNDS = 8
_AXES = {1: np.linspace(-24, 24, 121), 2: np.linspace(-12, 12, 41)}
"""Nodes along each of one or two coefficients, in standard errors at the mode: as wide as that,
because without a spread each group of estimates has a mode of its own."""


def prior_of_spread(scale: float = _USUAL_SPREAD) -> Floats:
    """Return the prior probability of each spread: half-normal, cut half-way between them."""
    from scipy.special import erf

    ends = np.concatenate([[0.0], (SPREADS[1:] + SPREADS[:-1]) / 2, [np.inf]])
    mass: Floats = np.diff(erf(ends / (scale * np.sqrt(2))))
    return mass


@attrs.frozen(kw_only=True, eq=False)
class Effects:
    """Estimated effects of one sort, such as logits of rates.

    Attributes
    ----------
    estimate, variance
        The n estimates and their variances.
    covariate
        What effects of this sort depend on, shape (n,); None if they vary about one mean.
    covariate_variance
        The variance of the covariate, which is itself estimated.
    """

    estimate: Floats
    variance: Floats
    covariate: Floats | None = None
    covariate_variance: Floats | None = None

    @cached_property
    def design(self) -> Floats:
        """The constant and the covariate, shape (n, 1 or 2)."""
        one = np.ones((len(self.estimate), 1))
        return one if self.covariate is None else np.column_stack([one, self.covariate])

    def noise(self, slope: Floats) -> Floats:
        """Return what the error of the covariate adds to the variance, slope by slope."""
        if self.covariate_variance is None:
            return np.zeros(len(self.estimate))
        added: Floats = slope**2 * self.covariate_variance
        return added


@attrs.frozen(kw_only=True, eq=False)
class EffectDraws:
    """Draws of true effects, shape (draws, n).

    Attributes
    ----------
    effect
        The true effects.
    own
        How far each lies above what its sort, and its true covariate, lead to expect.
    apart
        Whether it is one of those that stand apart.
    """

    effect: Floats
    own: Floats
    apart: Bools


def draw_effects(
    sorts: Sequence[Effects], n_draws: int, rng: np.random.Generator
) -> list[EffectDraws]:
    """Return draws from the posterior of effects of several sorts that have one spread.

    Parameters
    ----------
    sorts
        The effects, sort by sort; errors are independent.
    n_draws
        How many draws.
    rng
        The generator.

    Notes
    -----
    An effect is its sort's mean (or line) plus a deviation: N(0, τ²) for nine in ten, N(0, τ² +
    .6²) for those that stand apart; τ is half-normal with scale .25, means are
    flat, slopes N(0, 3²).
    Nothing is plugged in: τ and the coefficients are drawn from grids, each deviation from its
    own normal posterior, so that draws are exact and independent. A covariate that is estimated
    adds slope² times its variance to that of the deviation (errors in variables).
    """
    grids = [_grid(sort) for sort in sorts]
    with np.errstate(divide="ignore"):
        chance = np.log(prior_of_spread()) + sum(grid.evidence for grid in grids)
    chance = np.exp(chance - chance.max())
    spread = rng.choice(len(SPREADS), size=n_draws, p=chance / chance.sum())
    return [_drawn(sort, grid, spread, rng) for sort, grid in zip(sorts, grids, strict=True)]


@attrs.frozen(kw_only=True, eq=False)
class _Grid:
    """Coefficients on a grid around their mode, and their likelihood, for each spread."""

    centre: Floats
    root: Floats
    nodes: Floats
    chance: Floats
    evidence: Floats

    def draw(self, spread: Ints, rng: np.random.Generator) -> Floats:
        """Return coefficients, one row a draw, jittered within their cell."""
        cumulative = np.cumsum(self.chance, axis=1)
        u = rng.random(len(spread))
        at = np.empty(len(spread), dtype=np.int64)
        for k in np.unique(spread).tolist():
            mine = spread == k
            at[mine] = np.searchsorted(cumulative[k], u[mine] * cumulative[k, -1])
        at = np.minimum(at, len(self.nodes) - 1)
        d = self.nodes.shape[1]
        cell = _AXES[d][1] - _AXES[d][0]
        z = self.nodes[at] + cell * (rng.random((len(spread), d)) - 0.5)
        found: Floats = self.centre[spread] + np.einsum("nij,nj->ni", self.root[spread], z)
        return found


def _grid(sort: Effects) -> _Grid:
    x, y = sort.design, sort.estimate
    d = x.shape[1]
    nodes = np.stack(np.meshgrid(*[_AXES[d]] * d, indexing="ij"), axis=-1).reshape(-1, d)
    centres, roots, chances, evidence = [], [], [], []
    ridge = np.diag([0.0, SLOPE**-2][:d])
    beta: Floats = np.zeros(d)
    beta[0] = np.median(y)
    # from the widest spread, which has one mode, down to none: the mode is followed
    for spread in SPREADS[::-1].tolist():
        for _ in range(_ROUNDS):
            ordinary, apart, low, high = _densities(sort, beta, spread)
            share = 1 / (1 + np.exp(np.clip(ordinary - apart, -700, 700)))
            weight = (1 - share) / low + share / high
            information = (x * weight[:, None]).T @ x + ridge
            beta = np.asarray(np.linalg.solve(information, x.T @ (weight * y)), dtype=float)
        root = np.linalg.cholesky(np.linalg.inv(information))
        tried = beta + nodes @ root.T
        ordinary, apart, _, _ = _densities(sort, tried, spread)
        loglik = np.logaddexp(ordinary, apart).sum(axis=-1)
        loglik -= 0.5 * (tried**2 @ np.diag(ridge))
        top = float(loglik.max())
        chance = np.exp(loglik - top)
        centres.append(beta)
        roots.append(root)
        chances.append(chance)
        evidence.append(top + np.log(chance.sum()) + np.log(np.diag(root)).sum())
    return _Grid(
        centre=np.array(centres[::-1]),
        root=np.array(roots[::-1]),
        nodes=nodes,
        chance=np.array(chances[::-1]),
        evidence=np.array(evidence[::-1]),
    )


def _densities(
    sort: Effects, beta: Floats, spread: float | Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return log densities of the estimates, ordinary and apart, and the variances of both."""
    low = sort.variance + sort.noise(beta[..., -1:]) + np.asarray(spread) ** 2
    high = low + _APART**2
    square = (sort.estimate - beta @ sort.design.T) ** 2
    ordinary, apart = (
        np.log(share) - 0.5 * (np.log(variance) + square / variance)
        for share, variance in ((1 - _SHARE_APART, low), (_SHARE_APART, high))
    )
    return ordinary, apart, low, high


def _drawn(sort: Effects, grid: _Grid, spread: Ints, rng: np.random.Generator) -> EffectDraws:
    beta, tau = grid.draw(spread, rng), SPREADS[spread, None]
    ordinary, apart, low, high = _densities(sort, beta, tau)
    is_apart = rng.random(ordinary.shape) * np.exp(np.logaddexp(ordinary, apart)) < np.exp(apart)
    total = np.where(is_apart, high, low)
    own_variance = tau**2 + np.where(is_apart, _APART**2, 0.0)
    noise = sort.noise(beta[:, -1:])
    line = beta @ sort.design.T
    own = _split(sort.estimate - line, own_variance, total, rng)
    shifted = _split(sort.estimate - line - own, noise, noise + sort.variance, rng)
    return EffectDraws(effect=line + shifted + own, own=own, apart=is_apart)


def _split(deviation: Floats, part: Floats, total: Floats, rng: np.random.Generator) -> Floats:
    """Return draws of one part of a deviation, given its variance and that of the whole."""
    share = part / total
    sd = np.sqrt(np.maximum(part * (1 - share), 0.0))
    found: Floats = share * deviation + sd * rng.standard_normal(np.shape(total))
    return found
