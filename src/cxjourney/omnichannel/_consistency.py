"""Consistency of the experience over channels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, overload

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney._stats.normal_pooling import shrunken_effects, spread_of, tau_interval, tau_of
from cxjourney._stats.ratios import shares
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level, check_name
from cxjourney.exceptions import UnknownName
from cxjourney.journeys import (
    IN_PROGRESS,
    BySegment,
    SegmentBy,
    by_segment,
    check_journeys,
    units_of,
)
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._agreement import (
    Anova,
    anova,
    bergsma,
    icc_interval,
    omega_interval,
    v_interval,
)
from cxjourney.omnichannel._channel_transitions import (
    ChannelBy,
    Interactions,
    customers_of,
    interactions_of,
    unknown_note,
)

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys
    from cxjourney.log import Coded

_ROUNDING = 1e-12


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
        One row a channel, lowest first by the shrunken value.

        | column | what it is |
        |---|---|
        | `channel` | named after `by` |
        | `n`, `customers` | scores, and who gave them |
        | `mean`, `low`, `high` | mean score [points], and its interval |
        | `shrunken` | the mean drawn towards that of all channels; the order goes by it |
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


@overload
def consistency(
    journeys: Journeys,
    *,
    score: str = "score",
    by: ChannelBy = "channel",
    adjust: str | None = None,
    outcome: str | None = None,
    closing: bool = True,
    segment: None = None,
    level: float = 0.95,
) -> Consistency: ...


@overload
def consistency(
    journeys: Journeys,
    *,
    score: str = "score",
    by: ChannelBy = "channel",
    adjust: str | None = None,
    outcome: str | None = None,
    closing: bool = True,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[Consistency]: ...


def consistency(
    journeys: Journeys,
    *,
    score: str = "score",
    by: ChannelBy = "channel",
    adjust: str | None = None,
    outcome: str | None = None,
    closing: bool = True,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Consistency | BySegment[Consistency]:
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
    closing
        Whether the goal or exit that ends a journey counts as an interaction in its channel.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Consistency
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    UnknownName
        If the log has no such column or attribute.

    Notes
    -----
    τ is that of Paule and Mandel (1982) on the channels' means, whose variances are clustered by
    customer, and its interval the Q-profile (Viechtbauer 2007); I² = τ² / (τ² + typical variance).
    Means of the same customers are correlated, which makes τ cautious. ω² = (SSB - (K-1) MSW) /
    (SST + MSW). ICC(1) takes customers with scores in at least two channels, a mean for each. V is
    Cramér's with Bergsma's correction (2013), for how journeys end over those that are over.

    Who uses which channel, for what, differs: adjust before calling channels inconsistent. Those
    who answer are not those who do not, and those who answer at the goal got there, perhaps because
    they were the happier: `closing=False` leaves their answers there out.

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
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: consistency(
                part,
                score=score,
                by=by,
                adjust=adjust,
                outcome=outcome,
                closing=closing,
                level=level,
            ),
        )
    check_level(level)
    numeric = journeys.columns.numeric
    if check_name(score, "score") not in numeric:
        raise UnknownName.among("score=", score, numeric, where="the numbers of the log")
    interactions = interactions_of(journeys, by, closing=closing)
    rated = _Rated.of(journeys, interactions, score, adjust)
    score_of, comparable = _adjusted_scores(rated)
    means = _means(journeys, rated, level=level)
    tau = tau_of(means.value, means.variance)
    low, high = tau_interval(means.value, means.variance, level=level)
    noise = _typical_variance(means.variance)
    notes = list(rated.notes)
    if interactions.n_unknown:
        noun = "kind of channel" if by == "kind" else by
        notes.append(unknown_note(interactions, noun, "are left out, and their scores."))
    if not comparable:
        notes.append(f"No values of {adjust} link all of them, so that nothing can be compared.")
    if math.isnan(tau):
        notes.append(
            f"Fewer than two {by}s have scores of enough customers, so that nothing can be "
            "compared."
        )
    table = anova(score_of, rated.node)
    agreement = _of_same_customers(rated, score_of)
    if agreement.icc < 0:
        notes.append(
            f"The ICC is negative ({agreement.icc:.3g}), less agreement than by chance, "
            "and shown as 0."
        )
    # where a journey ends is its outcome, and no channel to cross it with
    crossed = _crossed(
        journeys,
        interactions if outcome else interactions_of(journeys, by, closing=False),
        outcome,
    )
    running = int(np.count_nonzero(journeys.outcome == IN_PROGRESS))
    if running and outcome is None:
        notes.append(
            f"Cramér's V: {running:,} journeys in progress are left out. Where channels differ in "
            "speed it is too high."
        )
    n = len(score_of)
    return Consistency(
        by=by,
        score=score,
        channels=_channels(journeys, rated, means, by),
        spread=_estimate("τ", f"SD of the true means of {by}s", tau, (low, high), n, level=level),
        i2=_estimate(
            "I²",
            "variation of means that is not chance",
            _i2(tau, noise),
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
    """Interactions with a known score, and the category that it is adjusted for."""

    names: tuple[str, ...]
    raw: Floats
    node: Ints
    category: Ints
    n_categories: int
    journey: Ints
    customer: Ints
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
        n_categories = 1
        category = np.zeros(len(node), dtype=np.int64)
        if codes is not None and len(node):
            values, category = np.unique(codes[known], return_inverse=True)
            n_categories = len(values)
        return cls(
            names=interactions.names,
            raw=raw[known],
            node=node,
            category=category,
            n_categories=n_categories,
            journey=interactions.journey[known],
            customer=interactions.customer[known],
            notes=tuple(notes),
        )

    @property
    def cell(self) -> Ints:
        """Node and category of each score, as one number."""
        return self.node * self.n_categories + self.category

    @property
    def shape(self) -> tuple[int, int]:
        """Number of nodes and of categories."""
        return len(self.names), self.n_categories


def _attribute(journeys: Journeys, name: str, argument: str) -> Coded:
    log = attrs.evolve(journeys.log, columns=journeys.columns)
    return log.attribute(check_name(name, argument))


def _effects(counts: Floats, sums: Floats) -> Floats | None:
    """Return what each category adds to a score, by least squares with the nodes' effects too.

    None where nodes share no category, directly or through others: then nothing tells the two
    effects apart.

    Parameters
    ----------
    counts, sums
        Number and sum of the scores, shape (nodes, categories).
    """
    nodes, categories = counts.sum(axis=1), counts.sum(axis=0)
    share = np.divide(counts, categories, out=np.zeros(counts.shape), where=categories > 0)
    # the normal equations without the categories, of which there may be many
    information = np.diag(nodes) - share @ counts.T
    rank = np.count_nonzero(nodes) - 1
    if rank < 0 or np.linalg.matrix_rank(information) < rank:
        return None
    own = np.linalg.pinv(information, hermitian=True) @ (
        sums.sum(axis=1) - share @ sums.sum(axis=0)
    )
    left = sums.sum(axis=0) - own @ counts
    effect: Floats = np.divide(left, categories, out=np.zeros(len(left)), where=categories > 0)
    effect -= categories @ effect / counts.sum()
    return effect


def _adjusted_scores(rated: _Rated) -> tuple[Floats, bool]:
    """Return scores less what their category adds; NaN, and False, where nothing tells what."""
    k, j = rated.shape
    if j == 1:
        return rated.raw, True
    counts = np.bincount(rated.cell, minlength=k * j).astype(np.float64).reshape(k, j)
    sums = np.bincount(rated.cell, rated.raw, minlength=k * j).astype(np.float64).reshape(k, j)
    effect = _effects(counts, sums)
    if effect is None:
        return np.full(len(rated.raw), np.nan), False
    return rated.raw - effect[rated.category], True


def _adjusted_means(counts: Floats, sums: Floats) -> Floats:
    """Return the mean of each node, as if every node had the mix of categories of all."""
    n = counts.sum(axis=1)
    total = sums.sum(axis=1)
    if counts.shape[1] > 1:
        effect = _effects(counts, sums)
        if effect is None:
            return np.full(len(n), np.nan)
        total = total - counts @ effect
    means: Floats = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
    return means


@attrs.frozen(kw_only=True)
class _Means:
    n: Ints
    customers: Ints
    value: Floats
    low: Floats
    high: Floats
    variance: Floats


def _means(journeys: Journeys, rated: _Rated, *, level: float) -> _Means:
    """Return the mean of each channel; what the mix adds is found anew without each bucket."""
    k, j = rated.shape
    units = units_of(journeys)
    own = units.sums(rated.cell, k * j, item=rated.journey).reshape(units.n, k, j)
    sums = units.sums(rated.cell, k * j, item=rated.journey, values=rated.raw).reshape(
        units.n, k, j
    )
    counts, total = own.sum(axis=0), sums.sum(axis=0)
    figures = BucketFigures(
        whole=_adjusted_means(counts, total),
        without=np.array(
            [_adjusted_means(counts - n, total - y) for n, y in zip(own, sums, strict=True)]
        ),
        units=resting_on(own.sum(axis=2), own.sum(axis=(1, 2)) > 0) if j > 1 else own[..., 0],
    )
    low, high = figures.means(level)
    spread = figures.variance
    # what rounding leaves where all scores are alike
    spread[spread <= (_ROUNDING * np.abs(figures.whole)) ** 2] = 0.0
    return _Means(
        n=np.rint(counts.sum(axis=1)).astype(np.int64),
        customers=customers_of(rated.node, k, rated.customer, None),
        value=figures.whole,
        low=low,
        high=high,
        variance=spread,
    )


def _typical_variance(variances: Floats) -> float:
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


def _of_same_customers(rated: _Rated, score: Floats) -> Anova:
    """Return the analysis of customers as groups of their channels' means."""
    k = max(1, len(rated.names))
    key, place, size = np.unique(
        rated.customer * k + rated.node, return_inverse=True, return_counts=True
    )
    mean = np.bincount(place, score) / size if len(key) else np.zeros(0)
    customer = key // k
    _, who, channels = np.unique(customer, return_inverse=True, return_counts=True)
    several = channels[who] > 1 if len(key) else np.zeros(0, dtype=np.bool_)
    return anova(mean[several], customer[several])


@attrs.frozen
class _Crossed:
    counts: Floats
    design: float


def _crossed(journeys: Journeys, interactions: Interactions, outcome: str | None) -> _Crossed:
    """Return channels against outcomes, and the design effect of their customers."""
    if outcome is None:
        first = interactions.first
        node, journey = interactions.node[first], interactions.journey[first]
        codes = journeys.outcome[journey].astype(np.int64)
        over = codes != IN_PROGRESS
        size = 2
    else:
        coded = _attribute(journeys, outcome, "outcome")
        codes = coded.codes[interactions.row].astype(np.int64)
        node, journey = interactions.node, interactions.journey
        over = codes >= 0
        size = max(1, len(coded.names))
    cell, k = (node * size + codes)[over], len(interactions.names)
    counts = np.bincount(cell, minlength=k * size).astype(np.float64)
    found = shares(
        cell,
        np.arange(k * size) // size,
        units_of(journeys),
        item=journey[over],
        level=0.95,
    )
    trials = found.figures.trials
    inner = (found.value > 0) & (found.value < 1) & np.isfinite(trials)
    design = 1.0
    if inner.any():
        clustered = found.base[inner] / trials[inner]
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
