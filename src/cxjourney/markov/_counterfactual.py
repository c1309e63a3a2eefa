"""Counterfactual chains: fewer exits, traffic led elsewhere, touchpoints removed or bypassed.

Functions named like a number compute it in closed form; those named like a chain return one,
solved anew, and take several changes at once. All of them assume that customers who are kept
behave like those who stay on their own. They are usually weaker prospects: read gains as upper
bounds, and as associations, not as effects.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.validation import check_fraction, check_names
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InvalidValue, TrappedClass
from cxjourney.markov._solver import sums
from cxjourney.markov._transitions import trapped_among

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import ArrayLike, NDArray

    from cxjourney.markov._absorbing_chain import AbsorbingChain


def exit_slopes(chain: AbsorbingChain) -> FrozenMapping[float]:
    """Return how fast conversion grows as exits at each touchpoint are fixed.

    Parameters
    ----------
    chain
        The chain.

    Returns
    -------
    FrozenMapping
        Touchpoint to `∂p/∂δ` at `δ = 0`, where δ is the
        share of exits that is fixed: the conversions per journey that are lost there, to
        first order. NaN where everybody leaves: nobody shows what staying would bring.

    Notes
    -----
    `D_x = v_x h_x e_x / (1 - e_x)`. Rank levers by it, not by the exit probability: it weighs
    in how many come by and how far they are from converting. To first order only:
    `conversion_with_fewer_exits` has the curve.

    Examples
    --------
    >>> import cxjourney as cx
    >>> from cxjourney.markov import AbsorbingChain
    >>> from cxjourney.markov import _counterfactual as counterfactual
    >>> graph = cx.JourneyGraph.from_counts(
    ...     {
    ...         (cx.START, "web"): 4,
    ...         ("web", "cart"): 3,
    ...         ("web", cx.DROPOFF): 1,
    ...         ("cart", cx.CONVERSION): 2,
    ...         ("cart", cx.DROPOFF): 1,
    ...     }
    ... )
    >>> chain = AbsorbingChain.from_graph(graph)
    >>> {x: round(slope, 4) for x, slope in counterfactual.exit_slopes(chain).items()}
    {'web': 0.1667, 'cart': 0.25}
    """
    slopes = _slopes(chain)
    return FrozenMapping(dict(zip(chain.names, slopes.tolist(), strict=True)))


def exit_elasticities(chain: AbsorbingChain) -> FrozenMapping[float]:
    """Return by how many percent conversion changes when exits grow by one percent.

    Parameters
    ----------
    chain
        The chain.

    Returns
    -------
    FrozenMapping
        Touchpoint to `d ln p / d ln e_x = -D_x / p`, not positive. NaN where everybody leaves
        or nothing converts.
    """
    p = chain.conversion_probability or math.nan
    return FrozenMapping(dict(zip(chain.names, (-_slopes(chain) / p).tolist(), strict=True)))


def _slopes(chain: AbsorbingChain) -> NDArray[np.float64]:
    exits, visits, hitting = (
        np.array(list(values.values()))
        for values in (chain.exit_probability, chain.visits, chain.hitting)
    )
    return lost_per_journey(visits, hitting, exits)


def lost_per_journey(
    visits: NDArray[np.float64], hitting: NDArray[np.float64], rate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the conversions per journey that exits cost, `v h e / (1 - e)`.

    Parameters
    ----------
    visits
        Expected visits of each node per journey.
    hitting
        Probability of conversion from each node.
    rate
        Exit probability of each node; arrays may have leading axes, such as buckets.

    Returns
    -------
    ndarray of float64
        What would be gained, to first order, if nobody left at a node and those who now leave
        went on like those who stay; NaN where everybody leaves.
    """
    stay = np.where(rate < 1, 1.0 - rate, np.nan)
    lost: NDArray[np.float64] = visits * hitting * rate / stay
    return lost


def conversion_with_fewer_exits(
    chain: AbsorbingChain, touchpoint: str, relative: float, *, to: str | None = None
) -> float:
    """Return the conversion probability if a share of the exits at a touchpoint were fixed.

    Parameters
    ----------
    chain
        The chain.
    touchpoint
        Where fewer leave.
    relative
        Share of its exits that is fixed, in [0, 1].
    to
        Where those go who are kept: a touchpoint or CONVERSION; None spreads them over where
        the others go.

    Returns
    -------
    float
        Probability. NaN where everybody leaves and `to` does not say where they go instead.

    Raises
    ------
    InvalidValue
        If `relative` is not in [0, 1].
    UnknownName
        If a touchpoint is not in the chain.

    Notes
    -----
    With `t = δ e / (1 - e)`: `p' = p + v_x t h_x / (1 - t (N_xx - 1))`; toward y:
    `p' = p + v_x δ e h_y / (1 - δ e N_yx)` (Sherman-Morrison).
    """
    returns = chain.expected_returns(touchpoint)
    exit_, h = chain.exit_probability[touchpoint], chain.hitting[touchpoint]
    freed = check_fraction(relative, "relative") * exit_
    p, visits = chain.conversion_probability, chain.visits[touchpoint]
    if to == CONVERSION:
        return p + visits * freed
    if to is not None:
        y = chain.code(to)
        return p + visits * freed * chain.hitting[to] / (1 - freed * float(returns[y]))
    if exit_ == 1 and freed > 0:
        return math.nan
    if freed == 0 or h == 0:  # where nobody converts, keeping everybody would be a trap
        return p
    t = freed / (1 - exit_)
    return p + visits * t * h / (1 - t * (float(returns[chain.code(touchpoint)]) - 1))


def fewer_exits(chain: AbsorbingChain, reductions: Mapping[str, float]) -> AbsorbingChain:
    """Return the chain with a share of the exits fixed at one or several touchpoints.

    Those who are kept go where the others go.

    Parameters
    ----------
    chain
        The chain.
    reductions
        Touchpoint to the share of its exits that is fixed, in [0, 1].

    Raises
    ------
    InvalidValue
        If a share is not in [0, 1], or everybody leaves at a touchpoint, so that nobody shows
        where those would go who are kept; use `rerouted`.
    UnknownName
        If a touchpoint is not in the chain.

    Notes
    -----
    Gains at several touchpoints do not add up: who is kept at one may still leave at the next.
    """
    size = len(chain.names)
    scale = np.ones((size + 1, 2))  # of transitions on and of exits
    for name, relative in reductions.items():
        x = chain.code(name)
        exit_ = chain.exit_probability[name]
        freed = check_fraction(relative, f"relative of {name!r}") * exit_
        if exit_ == 1 and freed > 0:
            raise InvalidValue(
                f"everybody leaves at {name!r}, so that nobody shows where those would go who "
                "are kept; say it with rerouted(…, to=…)"
            )
        scale[x] = 1 + freed / (1 - exit_) if exit_ < 1 else 1, 1 - relative
    leaves = (chain.target == size + 2).astype(np.int64)
    return _checked(_evolved(chain, probability=chain.probability * scale[chain.source, leaves]))


def rerouted(
    chain: AbsorbingChain, source: str, *, away: str, to: str, share: float
) -> AbsorbingChain:
    """Return the chain in which a share of one transition is led elsewhere.

    Parameters
    ----------
    chain
        The chain.
    source
        Where the transition begins: a touchpoint or START.
    away
        Where it went so far: a touchpoint, CONVERSION or DROPOFF.
    to
        Where it goes instead: the same.
    share
        Share of the transition that is led elsewhere, in [0, 1].

    Raises
    ------
    InvalidValue
        If `share` is not in [0, 1], or nobody goes from `source` to `away`.
    UnknownName
        If a touchpoint is not in the chain.
    """
    x, old, new = (_code(chain, name) for name in (source, away, to))
    edge = (chain.source == x) & (chain.target == old)
    if not edge.any():
        raise InvalidValue(
            f"nobody goes from {source!r} to {away!r}, so that nothing can be led elsewhere"
        )
    moved = chain.probability[edge].sum() * check_fraction(share, "share")
    changed = chain.probability.copy()
    changed[edge] *= 1 - share
    there = (chain.source == x) & (chain.target == new)
    if there.any():
        changed[np.flatnonzero(there)[0]] += moved
        return _checked(_evolved(chain, probability=changed))
    added = ([x], [new], [float(moved)])
    return _checked(_evolved(chain, probability=changed, added=added))


def removed(
    chain: AbsorbingChain, touchpoints: str | Collection[str], *, reroute: bool = False
) -> AbsorbingChain:
    """Return the chain without some touchpoints.

    Parameters
    ----------
    chain
        The chain.
    touchpoints
        What is closed.
    reroute
        Whether journeys that would come there go where the others go. Else they are lost, as
        `AbsorbingChain.removal_effect` takes it. Where all would come there, they are lost.

    Raises
    ------
    UnknownName
        If a touchpoint is not in the chain.
    """
    size = len(chain.names)
    gone = _mask(chain, touchpoints)
    into = gone[chain.target]
    probability, target = chain.probability, np.where(into, size + 2, chain.target)
    if reroute:
        lost = sums(chain.source[into], probability[into], size + 1)[chain.source]
        # Rows that only lead to closed touchpoints sum to one up to rounding.
        keeps = lost < 1 - 1e-12
        scale = np.where(into, 0.0, np.divide(1, 1 - lost, out=np.ones(lost.size), where=keeps))
        probability = np.where(keeps, probability * scale, probability)
    return _without(chain, gone, target=target, probability=probability)


def bypassed(chain: AbsorbingChain, touchpoints: str | Collection[str]) -> AbsorbingChain:
    """Return the chain in which some touchpoints are skipped: who came there goes on at once.

    Parameters
    ----------
    chain
        The chain.
    touchpoints
        What is skipped.

    Raises
    ------
    UnknownName
        If a touchpoint is not in the chain.

    Notes
    -----
    The stochastic complement (Meyer 1989), `Q' = Q_rr + Q_rk (I - Q_kk)⁻¹ Q_kr` with
    k for what is skipped and r for the rest: conversion stays as it is, and expected steps fall by
    the visits of what is skipped. Times are not known on the transitions that arise.
    """
    size = len(chain.names)
    gone = _mask(chain, touchpoints)
    skipped = np.flatnonzero(gone)
    place = np.cumsum(gone) - 1
    leaving = gone[chain.source]
    rows = np.zeros((skipped.size, size + 4))
    ends = (place[chain.source[leaving]], chain.target[leaving])
    np.add.at(rows, ends, chain.probability[leaving])
    onward = np.linalg.solve(np.eye(skipped.size) - rows[:, skipped], rows)
    onward[:, skipped] = 0.0
    arriving = np.flatnonzero(gone[chain.target] & ~gone[chain.source])
    passed = chain.probability[arriving, None] * onward[place[chain.target[arriving]]]
    edge, end = np.nonzero(passed)
    chain = _evolved(
        chain,
        probability=np.where(gone[chain.target], 0.0, chain.probability),
        added=(chain.source[arriving][edge], end, passed[edge, end]),
    )
    return _without(chain, gone, target=chain.target, probability=chain.probability)


def _code(chain: AbsorbingChain, name: str) -> int:
    size = len(chain.names)
    terminals = {START: size, CONVERSION: size + 1, DROPOFF: size + 2}
    return terminals[name] if isinstance(name, str) and name in terminals else chain.code(name)


def _mask(chain: AbsorbingChain, touchpoints: str | Collection[str]) -> NDArray[np.bool_]:
    names = check_names(touchpoints, "touchpoints")
    gone = np.zeros(len(chain.names) + 4, dtype=bool)
    gone[[chain.code(name) for name in sorted(names)]] = True
    return gone


def _evolved(
    chain: AbsorbingChain,
    *,
    probability: NDArray[np.float64],
    added: tuple[ArrayLike, ArrayLike, ArrayLike] = ((), (), ()),
) -> AbsorbingChain:
    """Return the chain with other probabilities, and more transitions, of unknown times."""
    more_source, more_target = (np.asarray(codes, dtype=np.int64) for codes in added[:2])
    unknown = np.full(more_source.size, np.nan)
    every = np.concatenate([probability, np.asarray(added[2], dtype=np.float64)])
    keep = every > 0
    return attrs.evolve(
        chain,
        source=np.concatenate([chain.source, more_source])[keep],
        target=np.concatenate([chain.target, more_target])[keep],
        probability=every[keep],
        dwell_mean_s=np.concatenate([chain.dwell_mean_s, unknown])[keep],
        dwell_square_s=np.concatenate([chain.dwell_square_s, unknown])[keep],
    )


def _checked(chain: AbsorbingChain) -> AbsorbingChain:
    """Return the chain, or raise TrappedClass where the change has closed every way out."""
    closed = trapped_among(chain.source, chain.target, len(chain.names))
    if closed.size:
        raise TrappedClass.of(
            (chain.names[i] for i in closed), hint="the change closes every way out of there"
        )
    return chain


def _without(
    chain: AbsorbingChain,
    gone: NDArray[np.bool_],
    *,
    target: NDArray[np.int64],
    probability: NDArray[np.float64],
) -> AbsorbingChain:
    """Return the chain without nodes that no transition leads to any more, its codes closed up."""
    code = np.cumsum(~gone) - 1
    keep = ~gone[chain.source] & (probability > 0)
    size = len(chain.names)
    smaller = attrs.evolve(
        chain,
        names=tuple(n for n, lost in zip(chain.names, gone[:size], strict=True) if not lost),
        source=code[chain.source[keep]],
        target=code[target[keep]],
        probability=probability[keep],
        at_risk=chain.at_risk[~gone[: size + 1]],
        dwell_mean_s=chain.dwell_mean_s[keep],
        dwell_square_s=chain.dwell_square_s[keep],
        unfollowed=chain.unfollowed[~gone[:size]],
    )
    return _checked(smaller)
