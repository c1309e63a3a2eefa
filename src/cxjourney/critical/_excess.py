"""Excess of exits over the peers, what it costs, and the order of touchpoints by that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.mixture_posterior import SLOPE, Effects, draw_effects
from cxjourney._support.array_types import Floats
from cxjourney._support.table import Table

if TYPE_CHECKING:
    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.dropoff import NodeRates
    from cxjourney.journeys import ChainFigures

N_DRAWS = 1_000
"""Draws behind confidence and rank probabilities."""

NEARNESS = "nearness to the goal"
"""Peer group of touchpoints that are compared with those as near to the goal."""

SURELY_MORE = 1e-9
"""Excess below which a draw says that there is none."""

_SHOWN_RANKS = 5
_FEWEST = 3
_ROUNDS = 3
_MISFIT = 0.02  # variance of logits about the line, for its weights alone
_TINY = 1e-9


@attrs.frozen(kw_only=True, eq=False)
class Peers:
    """Whom each touchpoint is compared with.

    Attributes
    ----------
    weights
        Weight of the rate of each other touchpoint in the rate of the peers, shape (K, K); rows
        sum to one, or to zero where there are no such peers.
    group
        Name of the stage; "all" where all others are the peers, "" where there are none, or
        `NEARNESS`: then the peers are what touchpoints as near to the goal lead to expect.
    sorts
        Members of each stage that has peers, those of stage "" being all that are compared.
    logit
        Logits of the exit rates, one half added to exits and to visits that were none.
    variance
        Their variances, never below those of independent visits; NaN where too little is known.
    near
        How near a journey that goes on from each touchpoint is to the goal: arcsin √ of the
        probability that it converts. None where all are equally near, as far as one can tell.
    near_weight
        Weight of each touchpoint in the line of logits on nearness.
    """

    weights: Floats
    group: tuple[str, ...]
    sorts: Mapping[str, NDArray[np.intp]]
    logit: BucketFigures
    variance: Floats
    near: BucketFigures | None
    near_weight: Floats

    def rates(self, rates: BucketFigures) -> BucketFigures:
        """Return the rates of the peers; NaN where there are none."""
        known = self.weights.sum(axis=1) > 0
        share = rates.units / np.maximum(rates.units.sum(axis=0), 1.0)
        whole, without = (
            np.where(known, np.nan_to_num(part) @ self.weights.T, np.nan)
            for part in (rates.whole, rates.without)
        )
        units = share @ self.weights.T
        if self.near is not None:
            by_line = np.array([name == NEARNESS for name in self.group])
            whole, without = (
                np.where(by_line, _share(_line(y, near, self.near_weight)), found)
                for y, near, found in (
                    (self.logit.whole, self.near.whole, whole),
                    (self.logit.without, self.near.without, without),
                )
            )
            part = self.near_weight / self.near_weight.sum()
            units = np.where(by_line, (share @ part)[:, None], units)
        return BucketFigures(whole=whole, without=without, units=np.asarray(units))


def peers_of(rates: NodeRates, chain: ChainFigures) -> Peers:
    """Return the peers of each touchpoint: the others of its stage, or those as near to the goal.

    Parameters
    ----------
    rates
        The exit probabilities, with the Beta priors of stages that have at least three
        touchpoints to compare. Where exits are expected, or everybody leaves, a touchpoint is
        nobody's peer.
    chain
        Figures of the chain, which tell how near the goal is.

    Notes
    -----
    With a Beta(a, b) prior of the rates of a stage, the observed rate of n visits has a variance
    that is proportional to (n + s) / n with s = a + b: the mean of the peers weighs n / (n + s).
    Where there is no stage, exits fall along the way whether or not anything is wrong: the peers
    are a line of the logits on the nearness to the goal of those who go on, by weighted least
    squares. The touchpoint itself is left out of mean and line. It takes four touchpoints to draw
    a line, and three to compare where all are equally near.
    """
    k = len(rates.names)
    weights, group = np.zeros((k, k)), [""] * k
    logit = _logits(rates)
    variance = _variance(rates, logit)
    usable = rates.compared & np.isfinite(variance)
    near, near_weight = _nearness(rates, chain, logit.whole, variance, usable)
    stage = np.array(rates.stage, dtype=object)
    sorts = {}
    for name, (a, b) in rates.priors.items():
        by_line = not name and near is not None
        inside = np.flatnonzero(
            near_weight > 0 if by_line else usable & (stage == name) if name else usable
        )
        if len(inside) < _FEWEST + by_line:
            continue
        sorts[name] = inside
        informative = rates.trials[inside] / (rates.trials[inside] + a + b)
        # whoever stands apart is compared with all, but nobody is compared with it
        for x in inside.tolist() if name else range(k):
            others = np.where((inside == x) | by_line, 0.0, informative)
            weights[x] = 0.0
            weights[x, inside] = others / others.sum() if others.sum() > 0 else 0.0
            group[x] = name or (NEARNESS if by_line else "all")
    return Peers(
        weights=weights,
        group=tuple(group),
        sorts=sorts,
        logit=logit,
        variance=np.where(usable, variance, np.nan),
        near=near,
        near_weight=near_weight,
    )


def _logits(rates: NodeRates) -> BucketFigures:
    """Return the logits of rates, finite where nobody leaves or everybody does."""

    def logits(rate: Floats, n: Floats) -> Floats:
        hits = rate * n + 0.5
        return np.asarray(np.log(hits / (n + 1 - hits)))

    own, n = rates.figures, rates.at_risk.astype(np.float64)
    return BucketFigures(
        whole=logits(own.whole, n),
        without=logits(own.without, np.maximum(n - own.units, 0.0)),
        units=own.units,
    )


def _variance(rates: NodeRates, logits: BucketFigures) -> Floats:
    """Return variances of logits: that of their Student's t, at least that of coins."""
    n = rates.at_risk
    p = _share(logits.whole)
    freedom = np.maximum(logits.freedom, 3.0)
    found: Floats = np.maximum(
        logits.variance * freedom / (freedom - 2), 1 / ((n + 1) * p * (1 - p))
    )
    return found


def _share(logit: Floats) -> Floats:
    share: Floats = 1 / (1 + np.exp(-logit))
    return share


def _nearness(
    rates: NodeRates, chain: ChainFigures, logits: Floats, variance: Floats, usable: Bools
) -> tuple[BucketFigures | None, Floats]:
    """Return the nearness to the goal and the weights of a line on it; None where all are alike.

    The error of the nearness counts in the weights. Where it is larger than what touchpoints
    differ by, no line can be drawn.
    """

    def near(hitting: Floats, rate: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.arcsin(np.sqrt(np.clip(hitting / (1 - rate), 0.0, 1.0))))

    found = BucketFigures(
        whole=near(chain.hitting.whole, rates.rate),
        without=near(chain.hitting.without, rates.figures.without),
        units=rates.figures.units,
    )
    error = found.variance
    inside = usable & np.isfinite(error)
    weight, slope = np.zeros(len(usable)), 0.0
    if not inside.any():
        return None, weight
    x, y, own = found.whole[inside], logits[inside], variance[inside]
    for _ in range(_ROUNDS):
        w = 1 / (own + slope**2 * error[inside] + _MISFIT)
        centred = x - w @ x / w.sum()
        spread = float(w @ centred**2)
        if not spread > max(float(w @ error[inside]), _TINY * float(w.sum())):
            return None, weight
        slope = float(w @ (centred * y)) / (spread + 1 / SLOPE**2)
    weight[inside] = w
    return found, weight


def _line(y: Floats, x: Floats, weight: Floats) -> Floats:
    """Return what the weighted line through all other points says at each, along the last axis.

    The slope is drawn to 0 by its prior, so that a line through points close together says little.
    """
    used = weight > 0
    y, there = np.where(used, y, 0.0), np.where(used, x, 0.0)
    total = weight.sum()
    middle = (there @ weight / total)[..., None]
    centred = x - middle
    around = np.where(used, centred, 0.0)
    spread = (around**2 @ weight)[..., None] + 1 / SLOPE**2
    level = (y @ weight / total)[..., None]
    fit = level + ((around * y) @ weight)[..., None] / spread * centred
    leverage = np.where(used, weight * (1 / total + around**2 / spread), 0.0)
    left_out: Floats = fit - np.where(used, leverage / (1 - leverage) * (y - fit), 0.0)
    return left_out


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
    gain
        Gain per journey if the excess were gone.
    drawn, drawn_gain
        Posterior draws of the excess and of the gain, shape (draws, K); NaN without peers.
    confidence
        Posterior probability that a touchpoint loses more than its peers; where these are not of
        one stage, that it stands apart from how such touchpoints differ.
    """

    own: BucketFigures
    peers: BucketFigures
    gain: BucketFigures
    drawn: Floats
    drawn_gain: Floats
    confidence: Floats

    @property
    def raw(self) -> Floats:
        """The excess over the peers."""
        return self.own.whole - self.peers.whole


def excess_of(
    rates: NodeRates, peers: Peers, chain: ChainFigures, rng: np.random.Generator
) -> Excess:
    """Return the excess of each touchpoint over its peers, what it costs, and draws of both.

    The weights of the peers are those of all customers in every bucket. Draws are those of
    `cxjourney._stats.mixture_posterior`, their gain by the slope of the conversion at its estimate.
    """
    own, of_peers = rates.figures, peers.rates(rates.figures)

    def gain(of: Callable[[BucketFigures], Floats]) -> Floats:
        return gain_per_journey(
            of(own) - of(of_peers), of(own), of(chain.visits), of(chain.hitting), of(chain.diagonal)
        )

    drawn, confidence = _drawn(peers, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = chain.visits.whole * chain.hitting.whole / (1 - own.whole)
    return Excess(
        own=own,
        peers=of_peers,
        gain=BucketFigures(
            whole=gain(lambda figures: figures.whole),
            without=gain(lambda figures: figures.without),
            units=chain.visits.units,
        ),
        drawn=drawn,
        drawn_gain=drawn * slope,
        confidence=confidence,
    )


def _drawn(peers: Peers, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return draws of the excess of each touchpoint, and the confidence that there is one."""
    k = len(peers.group)
    excess, confidence = np.full((N_DRAWS, k), np.nan), np.full(k, np.nan)
    staged = {name: inside for name, inside in peers.sorts.items() if name}
    rate = np.zeros((N_DRAWS, k))
    if staged:
        effects = [_effects(peers, inside, near=False) for inside in staged.values()]
        for inside, found in zip(staged.values(), draw_effects(effects, N_DRAWS, rng), strict=True):
            rate[:, inside] = _share(found.effect)
        inside = np.concatenate(list(staged.values()))
        excess[:, inside] = (rate - rate @ peers.weights.T)[:, inside]
        confidence[inside] = (excess[:, inside] > SURELY_MORE).mean(axis=0)
    rest = peers.sorts.get("", np.zeros(0, dtype=np.intp))
    outside = np.array([peers.group[x] in {"all", NEARNESS} for x in rest.tolist()], dtype=np.bool_)
    if outside.any():
        (found,) = draw_effects([_effects(peers, rest, near=peers.near is not None)], N_DRAWS, rng)
        rate[:, rest] = _share(found.effect)
        expected = (
            rate @ peers.weights[rest].T if peers.near is None else _share(found.effect - found.own)
        )
        # what is no more than such touchpoints differ by is no fault
        beyond = np.where(found.apart, rate[:, rest] - expected, 0.0)
        excess[:, rest[outside]] = beyond[:, outside]
        apart = (found.apart & (found.own > 0)).mean(axis=0)
        confidence[rest[outside]] = apart[outside]
    return excess, confidence


def _effects(peers: Peers, inside: NDArray[np.intp], *, near: bool) -> Effects:
    covariate, error = None, None
    if near and peers.near is not None:
        covariate, error = peers.near.whole[inside], peers.near.variance[inside]
    return Effects(
        estimate=peers.logit.whole[inside],
        variance=peers.variance[inside],
        covariate=covariate,
        covariate_variance=error,
    )


def ranked(priority: Floats, lost: Floats, classes: Ints) -> NDArray[np.intp]:
    """Return touchpoints in their order: by class, priority, then what is lost there at all.

    What is not known comes last in its class.
    """
    keys = (np.nan_to_num(-lost, nan=np.inf), np.nan_to_num(-priority, nan=np.inf), classes)
    return np.lexsort((np.arange(len(priority)), *keys))


def rank_table(
    names: tuple[str, ...],
    gain: Floats,
    *,
    ranked: Bools,
    order: NDArray[np.intp],
    backend: str | None,
) -> Table:
    """Return the probability that each touchpoint has each rank.

    Parameters
    ----------
    names
        The touchpoints.
    gain
        Draws of what fixing each would bring, shape (draws, K). Where it is not positive there is
        nothing to fix, and the touchpoint has no rank in that draw.
    ranked
        Which touchpoints take part.
    order
        The ranking, which the rows follow.
    backend
        Data-frame library of the table.
    """
    k = len(names)
    taking_part = ranked & ~np.isnan(gain).all(axis=0)
    value = np.where(taking_part, gain, -np.inf)
    ranks = np.empty(gain.shape)
    places = np.arange(1.0, k + 1)[None]
    np.put_along_axis(ranks, np.argsort(-value, axis=1, kind="stable"), places, axis=1)
    ranks[~(value > 0)] = np.inf
    ranks = ranks[:, order]
    columns: dict[str, Any] = {
        f"rank_{rank}": (ranks == rank).mean(axis=0) for rank in range(1, _SHOWN_RANKS + 1)
    }
    columns["later"] = ((ranks > _SHOWN_RANKS) & np.isfinite(ranks)).mean(axis=0)
    columns["none"] = np.isinf(ranks).mean(axis=0)
    columns["top_three"] = (ranks <= 3).mean(axis=0)
    formats = dict.fromkeys(columns, "percent")
    for column in columns.values():
        column[~taking_part[order]] = np.nan
    named = {"touchpoint": tuple(names[i] for i in order.tolist())}
    return Table(named | columns, formats=formats, backend=backend)
