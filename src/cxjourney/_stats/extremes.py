"""P-values of a maximum, from maxima under random signs of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats

N_SIGNS = 99
"""Draws of signs behind the p-value of a maximum."""

_START = 0.8  # quantile of the draws from which on the tail is that of a normal
_EULER = 0.5772156649015329


def random_signs(n_units: int, rng: np.random.Generator | None = None) -> Floats:
    """Return random signs of units, shape (draws, units); without `rng` always the same ones.

    Under the null the deviations of a unit are as likely as their opposite, all at once: signs keep
    traffic, clusters and the dependence between touchpoints of a journey.
    """
    drawn = np.random.default_rng(0) if rng is None else rng
    return (2.0 * drawn.integers(0, 2, size=(N_SIGNS, n_units)) - 1.0).astype(np.float32)


def gumbel_p(observed: float, maxima: Floats) -> float:
    """Return the probability that a maximum is as large: Gumbel's distribution fitted to draws.

    By moments (Abrams, Kleinman and Kulldorff 2010), so that 99 draws serve far below .01.

    Examples
    --------
    >>> draws = np.array([4.1 - 0.4, 4.1 + 0.4])  # mean 4.1, standard deviation .4
    >>> round(gumbel_p(5.5, draws), 7)
    0.0062869
    """
    spread = float(np.std(maxima))
    if not spread > 0 or not np.isfinite(observed):
        return 1.0
    beta = spread * np.sqrt(6) / np.pi
    mode = float(np.mean(maxima)) - _EULER * beta
    return float(-np.expm1(-np.exp(-(observed - mode) / beta)))


def tail_p(observed: float, maxima: Floats, variance: float = 1.0) -> float:
    """Return the probability that a maximum of normal statistics is as large.

    Up to the 80 % quantile of the draws their share; beyond it exp(-(x² - x₀²) / 2 v) of the share
    at the quantile, as the maximum of a process with normal margins has it (Davies 1987). A Gumbel
    distribution has too heavy a tail where the maximum is over few statistics that differ much.

    Examples
    --------
    >>> draws = np.linspace(1, 3, 99)
    >>> [round(tail_p(x, draws), 4) for x in (1.0, 2.0, 4.0)]
    [1.0, 0.51, 0.0021]
    """
    start = float(np.quantile(maxima, _START))
    shares = [(1 + np.count_nonzero(maxima >= x)) / (len(maxima) + 1) for x in (observed, start)]
    if observed <= start or not variance > 0:
        return float(shares[0])
    return float(shares[1] * np.exp(-(observed**2 - start**2) / (2 * variance)))
