"""Consistency of the experience over channels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.clustered import shares
from cxjourney._stats.clustered_estimates import mean_estimate
from cxjourney._stats.normal_pooling import shrunken_effects, spread_of, tau_interval
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level, check_name
from cxjourney.exceptions import UnknownName
from cxjourney.journeys import IN_PROGRESS, check_journeys
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._agreement import (
    Anova,
    anova,
    bergsma,
    icc_interval,
    omega_interval,
    v_interval,
)
from cxjourney.omnichannel._channel_transitions import ChannelBy, Interactions, interactions_of

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys
    from cxjourney.log import Coded

__all__ = ["Consistency", "consistency"]


@attrs.frozen(kw_only=True, repr=False)
class Consistency(Result):
    """How much the experience differs between channels.

    Attributes
    ----------
    by
        What is compared.
    score
        Which number of the interactions.
    channels
        One row a channel, lowest first by the shrunken value: `n`, `customers`, `mean` with `low`
        and `high` [points], `shrunken`.
    spread
        τ, the standard deviation of the channels' true means [points].
    i2
        Share of the observed variation between channels that is not chance [fraction].
    omega2
        Share of the variance of single scores that lies between channels [fraction].
    icc
        Agreement of the channels of the same customer, ICC(1) [fraction].
    cramers_v
        Association of channel and categorical outcome, 0 to 1.
    adjust
        The case mix that the scores were adjusted for; None where none.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Consistency"

    by: ChannelBy
    score: str
    channels: Table
    spread: Estimate
    i2: Estimate
    omega2: Estimate
    icc: Estimate
    cramers_v: Estimate
    adjust: str | None
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        parts = (self.spread, self.i2, self.omega2, self.icc, self.cramers_v)
        columns = {
            "measure": [e.name for e in parts],
            "value": [e.value for e in parts],
            "low": [e.low for e in parts],
            "high": [e.high for e in parts],
            "n": [e.n for e in parts],
            "definition": [e.definition for e in parts],
        }
        return Table(columns, backend=self.channels.backend)

    def _notes(self) -> tuple[str, ...]:
        return (f"{100 * self.level:g}% intervals are clustered by customer.", *self.notes)


def consistency(
    journeys: Journeys,
    *,
    score: str = "score",
    by: ChannelBy = "channel",
    adjust: str | None = None,
    outcome: str | None = None,
    level: float = 0.95,
) -> Consistency:
    """Return how much the experience differs between channels.

    Parameters
    ----------
    journeys
        The journeys.
    score
        Which number of the interactions: "score", "emotion", "expectation" …
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    adjust
        Attribute whose mix differs between channels, such as the type of issue or the stage: the
        scores are compared as if every channel had the mix of all. None compares them as they are.
    outcome
        Categorical attribute of interactions whose association with the channel is measured; None
        takes how journeys ended, by their first channel.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Consistency

    Raises
    ------
    UnknownName
        If the log has no such column or attribute.

    Notes
    -----
    τ and I² are those of DerSimonian and Laird (1986) on the channels' means, whose variances are
    clustered by customer; the interval of τ is the Q-profile (Viechtbauer 2007). Means of the same
    customers are correlated, which makes τ cautious. ω² = (SSB - (K-1) MSW) / (SST + MSW). ICC(1)
    takes customers with scores in at least two channels, a mean for each. V is Cramér's with
    Bergsma's correction (2013). Who uses which channel, for what, differs: adjust before calling
    channels inconsistent. Those who answer are not those who do not.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> import cxjourney as cx
    >>> def at(customer, channel, score):
    ...     timestamp = datetime(2026, 1, 1, tzinfo=timezone.utc)
    ...     return cx.Interaction(
    ...         customer=customer, touchpoint="t", channel=channel, timestamp=timestamp, score=score
    ...     )
    >>> log = cx.InteractionLog.from_interactions(
    ...     [at(f"c{i}", "web", 4 + i % 2) for i in range(20)]
    ...     + [at(f"c{i}", "bot", 1 + i % 3) for i in range(20)]
    ... )
    >>> found = consistency(log.journeys())
    >>> round(found.spread.value, 2), found.channels.row(0)["channel"]
    (1.8, 'bot')
    """
    check_journeys(journeys)
    check_level(level)
    numeric = journeys.columns.numeric
    if check_name(score, "score") not in numeric:
        raise UnknownName.among("score=", score, numeric, where="the numbers of the log")
    interactions = interactions_of(journeys, by)
    rated = _Rated.of(journeys, interactions, score, adjust)
    means = _means(rated, level=level)
    spread = spread_of(means.value, means.variance)
    low, high = tau_interval(means.value, means.variance, level=level)
    noise = _typical_variance(means.variance)
    notes = list(rated.notes)
    if spread.n < 2:
        notes.append(
            f"Fewer than two {by}s have scores of enough customers, so that nothing can be "
            "compared."
        )
    table = anova(rated.score, rated.node)
    agreement = _of_same_customers(rated)
    if agreement.icc < 0:
        notes.append(
            f"The ICC is negative ({agreement.icc:.3g}), less agreement than by chance, "
            "and shown as 0."
        )
    crossed = _crossed(journeys, interactions, outcome)
    n = len(rated.score)
    return Consistency(
        by=by,
        score=score,
        channels=_channels(journeys, rated, means, by),
        spread=_estimate(
            "τ", f"SD of the true means of {by}s", spread.tau, (low, high), n, level=level
        ),
        i2=_estimate(
            "I²",
            "variation of means that is not chance",
            spread.i2,
            (_i2(low, noise), _i2(high, noise)),
            n,
            level=level,
        ),
        omega2=_estimate(
            "ω²",
            f"variance of scores that lies between {by}s",
            table.omega2,
            omega_interval(table, design=_design_effect(table, means), level=level),
            n,
            level=level,
        ),
        icc=_estimate(
            "ICC(1)",
            f"agreement of the {by}s of a customer",
            agreement.icc,
            icc_interval(agreement, level=level),
            agreement.groups,
            level=level,
        ),
        cramers_v=_estimate(
            "Cramér's V",
            f"association of {by} and {outcome or 'how journeys end'}",
            bergsma(crossed.counts),
            v_interval(crossed.counts, design=crossed.design, level=level),
            int(crossed.counts.sum()),
            level=level,
        ),
        adjust=adjust,
        level=level,
        notes=tuple(notes),
    )


def _estimate(
    name: str,
    definition: str,
    value: float,
    ends: tuple[float, float],
    n: int,
    *,
    level: float,
) -> Estimate:
    """Return one measure; what chance makes negative is 0."""
    return Estimate(
        value=value if math.isnan(value) else max(0.0, value),
        low=ends[0],
        high=ends[1],
        level=level,
        n=n,
        unit="points" if name == "τ" else "fraction",
        method="by inversion, clustered by customer",
        notes=("empty",) if math.isnan(value) else (),
        name=name,
        definition=definition,
    )


@attrs.frozen(kw_only=True)
class _Rated:
    """Interactions with a known score, adjusted for the case mix where that is asked for."""

    names: tuple[str, ...]
    score: NDArray[np.float64]
    node: NDArray[np.int64]
    customer: NDArray[np.int64]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, journeys: Journeys, interactions: Interactions, score: str, adjust: str | None
    ) -> _Rated:
        raw = np.asarray(journeys.columns.numeric[score], dtype=np.float64)[interactions.row]
        known = ~np.isnan(raw)
        notes = []
        if not known.all():
            notes.append(
                f"{np.count_nonzero(~known):,} of {len(known):,} interactions have no {score}."
            )
        codes = None
        if adjust is not None:
            codes = _attribute(journeys, adjust, "adjust").codes[interactions.row].astype(np.int64)
            without = known & (codes < 0)
            if without.any():
                notes.append(
                    f"{np.count_nonzero(without):,} scores without a known {adjust} are left out."
                )
            known &= codes >= 0
        node = interactions.node[known]
        adjusted = raw[known]
        if codes is not None and len(node):
            category = np.unique(codes[known], return_inverse=True)[1]
            adjusted, comparable = _adjusted(adjusted, node, category, len(interactions.names))
            if not comparable:
                notes.append(
                    f"No values of {adjust} link all of them, so that nothing can be compared."
                )
        return cls(
            names=interactions.names,
            score=adjusted,
            node=node,
            customer=interactions.customer[known],
            notes=tuple(notes),
        )


def _attribute(journeys: Journeys, name: str, argument: str) -> Coded:
    log = attrs.evolve(journeys.log, columns=journeys.columns)
    return log.attribute(check_name(name, argument))


def _adjusted(
    score: NDArray[np.float64],
    node: NDArray[np.int64],
    category: NDArray[np.int64],
    k: int,
) -> tuple[NDArray[np.float64], bool]:
    """Return scores less what their category adds to the mean, by least squares with both effects.

    NaN where channels share no category, directly or through others: then nothing tells the two
    effects apart.
    """
    j = int(category.max()) + 1
    both = np.zeros((k, j))
    np.add.at(both, (node, category), 1.0)
    totals = np.concatenate([both.sum(axis=1), both.sum(axis=0)])
    information = np.diag(totals)
    information[:k, k:], information[k:, :k] = both, both.T
    used = np.count_nonzero(totals)
    if np.linalg.matrix_rank(information) < used - 1:
        return np.full(len(score), np.nan), False
    right = np.concatenate(
        [np.bincount(node, score, minlength=k), np.bincount(category, score, minlength=j)]
    )
    effect = (np.linalg.pinv(information, hermitian=True) @ right)[k:]
    effect -= both.sum(axis=0) @ effect / len(score)
    return score - effect[category], True


@attrs.frozen(kw_only=True)
class _Means:
    n: NDArray[np.int64]
    customers: NDArray[np.int64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    variance: NDArray[np.float64]


def _means(rated: _Rated, *, level: float) -> _Means:
    """Return the mean of each channel, its variance clustered by customer."""
    found = []
    for node in range(len(rated.names)):
        here = rated.node == node
        mean = mean_estimate(
            rated.score[here],
            rated.customer[here],
            None,
            level=level,
            name=rated.names[node],
            definition="mean score",
            unit="points",
        )
        found.append((mean, _clusters(rated.score[here], rated.customer[here])))
    return _Means(
        n=np.array([m.n for m, _ in found], dtype=np.int64),
        customers=np.array([g for _, (g, _) in found], dtype=np.int64),
        value=np.array([m.value for m, _ in found], dtype=np.float64),
        low=np.array([m.low for m, _ in found], dtype=np.float64),
        high=np.array([m.high for m, _ in found], dtype=np.float64),
        variance=np.array([v for _, (_, v) in found], dtype=np.float64),
    )


def _clusters(score: NDArray[np.float64], customer: NDArray[np.int64]) -> tuple[int, float]:
    """Return the number of customers and the variance of the mean over them."""
    who, place = np.unique(customer, return_inverse=True)
    groups = len(who)
    if groups < 2:
        return groups, math.nan
    if score.min() == score.max():
        return groups, 0.0  # not what rounding leaves of it
    residual = np.bincount(place, score - score.mean())
    return groups, groups / (groups - 1) * float(residual @ residual) / len(score) ** 2


def _typical_variance(variances: NDArray[np.float64]) -> float:
    """Return the typical variance of a mean, in the sense of Higgins and Thompson (2002)."""
    known = variances[np.isfinite(variances) & (variances > 0)]
    if len(known) < 2:
        return math.nan
    w = 1 / known
    return float((len(w) - 1) * w.sum() / (w.sum() ** 2 - w @ w))


def _i2(tau: float, noise: float) -> float:
    return tau**2 / (tau**2 + noise) if not math.isnan(tau + noise) else math.nan


def _design_effect(table: Anova, means: _Means) -> float:
    """Return how much larger clusters make the variances of the means, on average."""
    sure = (means.n > 1) & np.isfinite(means.variance) & (means.variance > 0)
    if not sure.any() or not table.within > 0:
        return 1.0
    ratio = means.variance[sure] / (table.within / means.n[sure])
    return max(1.0, float(np.average(ratio, weights=means.n[sure])))


def _of_same_customers(rated: _Rated) -> Anova:
    """Return the analysis of customers as groups of their channels' means."""
    k = max(1, len(rated.names))
    key, place, size = np.unique(
        rated.customer * k + rated.node, return_inverse=True, return_counts=True
    )
    mean = np.bincount(place, rated.score) / size if len(key) else np.zeros(0)
    customer = key // k
    _, who, channels = np.unique(customer, return_inverse=True, return_counts=True)
    several = channels[who] > 1 if len(key) else np.zeros(0, dtype=np.bool_)
    return anova(mean[several], customer[several])


@attrs.frozen
class _Crossed:
    counts: NDArray[np.float64]
    design: float


def _crossed(journeys: Journeys, interactions: Interactions, outcome: str | None) -> _Crossed:
    """Return channels against outcomes, and the design effect of their customers."""
    if outcome is None:
        first = interactions.first
        node, customer = interactions.node[first], interactions.customer[first]
        codes = journeys.outcome[interactions.journey[first]].astype(np.int64)
        over = codes != IN_PROGRESS
        size = 2
    else:
        coded = _attribute(journeys, outcome, "outcome")
        codes = coded.codes[interactions.row].astype(np.int64)
        node, customer = interactions.node, interactions.customer
        over = codes >= 0
        size = max(1, len(coded.names))
    node, customer, codes = node[over], customer[over], codes[over]
    k = len(interactions.names)
    counts = np.bincount(node * size + codes, minlength=k * size).astype(np.float64)
    found = shares(node * size + codes, np.arange(k * size) // size, customer, None, level=0.95)
    inner = (found.value > 0) & (found.value < 1)
    design = 1.0
    if inner.any():
        clustered = found.base[inner] / found.effective[inner]
        design = float(np.average(clustered, weights=found.count[inner]))
    return _Crossed(counts.reshape(k, size), max(1.0, design))


def _channels(journeys: Journeys, rated: _Rated, means: _Means, by: ChannelBy) -> Table:
    drawn = shrunken_effects(means.value, means.variance, spread_of(means.value, means.variance))
    columns = {
        by: rated.names,
        "n": means.n,
        "customers": means.customers,
        "mean": means.value,
        "low": means.low,
        "high": means.high,
        "shrunken": drawn,
    }
    rows = np.flatnonzero(means.n > 0)
    rows = rows[np.lexsort((means.value[rows], drawn[rows]))]
    return Table(columns, backend=journeys.log.backend).take(rows)
