"""Affinity of channels: switches beyond what their sizes explain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.intervals import garwood, normal_quantile
from cxjourney._stats.normal_pooling import shrunken_effects, spread_of
from cxjourney._stats.significance import false_discovery, two_sided_p
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.omnichannel._channel_transitions import (
    ChannelBy,
    ChannelTransitions,
    interactions_of,
    order_notes,
    transitions_between,
)

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys

__all__ = ["Affinity", "affinity"]

_WORTH_SHOWING = 5.0  # expected switches from which their absence is worth a row
_CHUNK = 4096


@attrs.frozen(kw_only=True, repr=False)
class Affinity(Result):
    """Observed switches over those that quasi-independence expects.

    Attributes
    ----------
    by
        What is switched.
    pairs
        One row a switch that was observed, or expected at least five times; the most attractive
        first by the shrunken value: from, to, `count`, `expected`, `lift` with `low` and `high`
        [ratio], `shrunken`, `residual` (Haberman's adjusted residual), `p` and `adjusted_p`
        (Benjamini and Hochberg).
    n
        Number of switches.
    free
        Degrees of freedom that quasi-independence leaves; 0 where it fits any switches.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Affinity"

    by: ChannelBy
    pairs: Table
    n: int
    free: int
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        return self.pairs

    def _notes(self) -> tuple[str, ...]:
        return (
            f"There are {self.n:,} switches. {100 * self.level:g}% intervals are of the raw lift.",
            (
                "Rows are ranked by shrunken values; the first of many is still overstated "
                "(winner's curse)."
            ),
            *self.notes,
        )


def affinity(
    journeys: Journeys, *, by: ChannelBy = "channel", closing: bool = True, level: float = 0.95
) -> Affinity:
    """Return how much more often one channel follows another than their sizes explain.

    Parameters
    ----------
    journeys
        The journeys; aggregated paths count with their weights.
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    closing
        Whether the goal or exit that ends a journey counts as an interaction in its channel.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Affinity
        Lifts are NaN where quasi-independence fits any switches: with one or two channels, or where
        hardly any pair can be compared.

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    A switch cannot end where it begins, so that plain independence would find affinity everywhere.
    Expected counts are those of quasi-independence (Goodman 1968): α_a β_b off the diagonal, fitted
    to the row and column totals; a switch that those totals rule out is expected 0 times. The
    residual is (O - E) over its standard deviation (Haberman 1973), which is taken over customers
    where that is larger: a customer's switches are not independent. It is NaN where the totals fix
    the count, since O = E then, whatever customers do. The shrunken value is that of the log-lift,
    normal-normal, with half a switch added to both counts.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> paths = [["a", "b"], ["b", "c"], ["c", "a"], ["b", "a"], ["c", "b"], ["a", "c"]]
    >>> journeys = Journeys.from_paths(paths, converted=[60, 60, 60, 20, 20, 20], channels=True)
    >>> found = affinity(journeys)
    >>> found.pairs.row(0)["count"], round(found.pairs.row(0)["lift"], 2)
    (60, 1.5)
    """
    check_level(level)
    interactions = interactions_of(journeys, by, closing=closing)
    transitions = transitions_between(journeys, interactions)
    notes = list(order_notes(journeys, interactions, transitions, by))
    fit = _fit(transitions, len(interactions.names))
    if fit.free < 1 and fit.count.sum():
        notes.append(
            "Quasi-independence fits any such switches exactly, so that there is no "
            "affinity to find."
        )
    shown = np.flatnonzero((fit.count > 0) | (fit.expected >= _WORTH_SHOWING))
    a, b = np.divmod(shown, max(1, len(interactions.names)))
    count, expected = fit.count[shown], fit.expected[shown]
    numbers = _Numbers.of(count, expected, fit, shown, level)
    log_lift = np.log((count + 0.5) / (expected + 0.5))
    variance = np.where(count > 0, numbers.log_variance, 1 / (expected + 0.5))
    if fit.free < 1:
        log_lift = np.full(len(shown), np.nan)
    drawn = np.exp(shrunken_effects(log_lift, variance, spread_of(log_lift, variance)))
    names = np.array([*interactions.names, ""], dtype=object)
    table = Table(
        {
            f"from_{by}": names[a].tolist(),
            f"to_{by}": names[b].tolist(),
            "count": count.astype(np.int64),
            "expected": expected,
            "lift": numbers.lift,
            "low": numbers.low,
            "high": numbers.high,
            "shrunken": drawn,
            "residual": numbers.residual,
            "p": numbers.p,
            "adjusted_p": false_discovery(numbers.p),
        },
        backend=journeys.log.backend,
    )
    return Affinity(
        by=by,
        pairs=table.take(np.lexsort((-count, -drawn))),
        n=round(float(fit.count.sum())),
        free=fit.free,
        level=level,
        notes=tuple(notes),
    )


@attrs.frozen(kw_only=True)
class _Fit:
    """Switches and what quasi-independence expects, as flat square arrays.

    `loose` says where switches may differ from those expected though rows and columns keep their
    totals; elsewhere O = E whatever happens. `spread` is the variance of O - E, `log_spread` that
    of log O/E.
    """

    count: NDArray[np.float64]
    expected: NDArray[np.float64]
    loose: NDArray[np.bool_]
    spread: NDArray[np.float64]
    log_spread: NDArray[np.float64]
    free: int


def _fit(transitions: ChannelTransitions, k: int) -> _Fit:
    from scipy.sparse import coo_array, csr_array, diags_array

    switched = transitions.switched
    cell = transitions.source[switched] * k + transitions.target[switched]
    weight = (
        np.ones(len(cell))
        if transitions.weight is None
        else transitions.weight[switched].astype(np.float64)
    )
    count = np.bincount(cell, weight, minlength=k * k).astype(np.float64)
    block = _blocks(count.reshape(k, k))
    expected = _quasi_independence(count.reshape(k, k), block)
    support = _within(block)
    blocks = np.unique(block[block >= 0])
    rank = int(np.count_nonzero(block >= 0)) - len(blocks)  # a block's effects bar one are free
    cover = _inverse(expected, rank)
    free = int(np.count_nonzero(support)) - rank

    _, first, who = np.unique(
        transitions.customer[switched], return_index=True, return_inverse=True
    )
    weights, people = weight[first], len(first)
    own, times = np.unique(who * max(1, k * k) + cell, return_counts=True)
    owner, at = np.divmod(own, max(1, k * k))
    source, target = np.divmod(at, max(1, k))
    squares = np.bincount(at, weights[owner] * times**2, minlength=k * k)
    # what a customer gives and takes, and what that does to the effects of rows and columns
    effects_of = np.concatenate([source, k + target])
    entries = (np.tile(times, 2).astype(np.float64), (np.tile(owner, 2), effects_of))
    margins = coo_array(entries, shape=(people, 2 * k)).tocsr()
    squared = csr_array(margins.T @ (diags_array(weights) @ margins)).toarray()
    moments = cover @ squared @ cover
    own_effect = np.empty(len(own))
    for begin in range(0, people, _CHUNK):
        effects = np.asarray(margins[begin : begin + _CHUNK] @ cover)
        rows = slice(*np.searchsorted(owner, [begin, begin + _CHUNK]))
        local = owner[rows] - begin
        own_effect[rows] = effects[local, source[rows]] + effects[local, k + target[rows]]
    mixed = np.bincount(at, weights[owner] * times * own_effect, minlength=k * k)
    diagonal = np.diag(moments)
    effect = (diagonal[:k, None] + diagonal[None, k:] + 2 * moments[:k, k:]).ravel()
    flat = expected.ravel()
    own_cover = np.diag(cover)
    leverage = (own_cover[:k, None] + own_cover[None, k:] + 2 * cover[:k, k:]).ravel() * flat
    clustered = squares - 2 * flat * mixed + flat**2 * effect
    with np.errstate(invalid="ignore", divide="ignore"):
        # where a count fixes its own expectation the linear part says nothing: a count's own error
        log_spread = np.maximum(squares / count**2 - 2 * mixed / count + effect, 1 / count)
    return _Fit(
        count=count,
        expected=flat,
        loose=_loose(support).ravel(),
        spread=np.maximum(clustered, flat * np.maximum(0.0, 1 - leverage)),
        log_spread=log_spread,
        free=free,
    )


def _blocks(count: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the block of each row, then of each column; negative for those without switches.

    Quasi-independence expects switches within blocks alone. A cell can be filled without changing a
    total only where some that are filled give way, round a cycle: where it can be entered from its
    row, and its column leads back to that row through cells that have switches. Fitting all cells
    instead would send the expectations of the others to 0 without end.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    k = len(count)
    used = np.concatenate([count.sum(axis=1) > 0, count.sum(axis=0) > 0])
    fillable = np.logical_and.outer(used[:k], used[k:])
    np.fill_diagonal(fillable, False)
    none = np.zeros((k, k), dtype=np.bool_)
    steps = np.block([[none, fillable], [count.T > 0, none]])
    _, label = connected_components(csr_array(steps), directed=True, connection="strong")
    return np.where(used, label, -1).astype(np.int64)


def _within(block: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the cells off the diagonal whose row and column share a block."""
    rows, columns = np.split(block, 2)
    same: NDArray[np.bool_] = (rows[:, None] == columns[None, :]) & (rows[:, None] >= 0)
    np.fill_diagonal(same, False)
    return same


def _loose(support: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells that the totals of rows and columns do not fix.

    A cell alone in its row or column is what the total says; with it set aside, others may be
    alone. What then is left lies on cycles, since of a block only the diagonal is barred. So a
    variance of 0 is known from the cells, and need not be told from one that rounding made.
    """
    left = support
    while True:
        rows, columns = left.sum(axis=1), left.sum(axis=0)
        fewer = left & (rows > 1)[:, None] & (columns > 1)[None, :]
        if np.array_equal(fewer, left):
            return left
        left = fewer


def _inverse(expected: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """Return the covariance of row and column effects in the log-linear model of that rank."""
    information = np.block(
        [
            [np.diag(expected.sum(axis=1)), expected],
            [expected.T, np.diag(expected.sum(axis=0))],
        ]
    )
    values, vectors = np.linalg.eigh(information)
    used = slice(len(values) - rank, None)  # ascending: those of the null space come first
    inverse: NDArray[np.float64] = (vectors[:, used] / values[used]) @ vectors[:, used].T
    return inverse


def _quasi_independence(
    count: NDArray[np.float64], block: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return α_a β_b within blocks, off the diagonal, with the totals of the counts.

    Iterative proportional fitting: the diagonal apart, it needs the effects alone.
    """
    rows, columns = count.sum(axis=1), count.sum(axis=0)
    give, take = (rows > 0).astype(np.float64), (columns > 0).astype(np.float64)
    of_rows, of_columns = np.split(block, 2)
    both = of_rows == of_columns

    def others(
        effect: NDArray[np.float64], own: NDArray[np.int64], asked: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return what the effects in the block of each add up to, without its own."""
        total = np.bincount(own + 1, effect, minlength=int(block.max(initial=-1)) + 2)
        return np.asarray(total[asked + 1] - np.where(both, effect, 0.0), dtype=np.float64)

    for _ in range(20_000):
        before = give
        give = _ratio(rows, others(take, of_columns, of_rows))
        take = _ratio(columns, others(give, of_rows, of_columns))
        if np.abs(give - before).max(initial=0) <= 1e-13 * give.max(initial=0):
            break
    expected = np.outer(give, take)
    expected[~_within(block)] = 0
    return expected


def _ratio(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(a, b, out=np.zeros_like(a), where=(a > 0) & (b > 0))


@attrs.frozen(kw_only=True)
class _Numbers:
    lift: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    residual: NDArray[np.float64]
    p: NDArray[np.float64]
    log_variance: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        count: NDArray[np.float64],
        expected: NDArray[np.float64],
        fit: _Fit,
        shown: NDArray[np.intp],
        level: float,
    ) -> _Numbers:
        """Return lifts with intervals and residuals; NaN where nothing is left to test."""
        z = normal_quantile(level)
        unknown = np.full(len(count), np.nan)
        spread, log_variance = fit.spread[shown], fit.log_spread[shown]
        possible = fit.loose[shown] & (spread > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            lift = np.where(expected > 0, count / expected, np.nan)
            half = np.exp(z * np.sqrt(log_variance))
            residual = np.where(possible, (count - expected) / np.sqrt(spread), np.nan)
            low, high = lift / half, lift * half
        for i in np.flatnonzero(count == 0):
            low[i], high[i] = 0.0, garwood(0, float(expected[i]), level=level)[1]
        if fit.free < 1:
            return cls(
                lift=unknown,
                low=unknown,
                high=unknown,
                residual=unknown,
                p=unknown,
                log_variance=unknown,
            )
        p = np.array([two_sided_p(r) if not math.isnan(r) else math.nan for r in residual])
        return cls(lift=lift, low=low, high=high, residual=residual, p=p, log_variance=log_variance)
