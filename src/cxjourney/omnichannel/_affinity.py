"""Affinity of channels: switches beyond what their sizes explain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import BucketFigures, resting_on, student_interval
from cxjourney._stats.intervals import garwood
from cxjourney._stats.normal_pooling import shrunken_effects, spread_of
from cxjourney._stats.significance import false_discovery, two_sided_p
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import (
    BySegment,
    JourneyStatistics,
    SegmentBy,
    by_segment,
    check_journeys,
    check_source,
)
from cxjourney.omnichannel._channel_transitions import SLOW_MISSING, ChannelBy, progress_note
from cxjourney.omnichannel._transitions import transitions_counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney.journeys import Journeys

_WORTH_SHOWING = 5.0  # expected switches from which their absence is worth a row


@attrs.frozen(kw_only=True, repr=False)
class Affinity(Result):
    """Observed switches over those that quasi-independence expects.

    Attributes
    ----------
    by
        What is switched.
    pairs
        One row a switch that was observed, or expected at least five times; the most attractive
        first by the shrunken value.

        | column | what it is |
        |---|---|
        | `from_channel`, `to_channel` | of the switch; named after `by` |
        | `count`, `expected` | switches, and those that quasi-independence expects |
        | `lift`, `low`, `high` | `count` over `expected`, and its interval |
        | `shrunken` | the lift drawn towards that of all switches; the order goes by it |
        | `residual` | Haberman's adjusted residual; it takes switches as independent |
        | `p`, `adjusted_p` | of a lift of 1; corrected as Benjamini and Hochberg do |

        A graph has no customers: intervals, p and shrunken values are NaN, and the order goes by
        the raw lift.
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

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the lift of each switch with its interval, the most attractive on top.

        Parameters
        ----------
        max_rows
            Only so many of the most attractive switches are drawn; None draws all.
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        table = self.pairs.take(range(len(self.pairs))[:max_rows])
        source, target = (table[name] for name in self.pairs.column_names[:2])
        return plot.forest(
            plot.joined(source, target, by=" → "),
            table["lift"],
            table["low"],
            table["high"],
            n=table["count"],
            reference=1.0,
            label=f"switches over those expected, {100 * self.level:g}% interval",
            caption="Right of the dashed line customers switch more often than the sizes explain, "
            "left of it less often. Rare switches are drawn towards the mean of all before sorting."
            + plot.drawn_of(len(table), len(self.pairs), "switches"),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _table(self) -> Table:
        return self.pairs

    def _notes(self) -> tuple[str, ...]:
        lift, drawn = (np.asarray(self.pairs[name], float) for name in ("lift", "shrunken"))
        if np.isfinite(lift).any() and np.isnan(drawn).all():
            told = "Rows are ranked by the raw lift, without intervals."
            return (f"There are {self.n:,} switches. {told}", *self.notes)
        return (
            f"There are {self.n:,} switches. {100 * self.level:g}% intervals are of the raw lift.",
            (
                "Rows are ranked by shrunken values; the first of many is still overstated "
                "(winner's curse)."
            ),
            *self.notes,
        )


@overload
def affinity(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: None = None,
    level: float = 0.95,
) -> Affinity: ...


@overload
def affinity(
    journeys: Journeys | JourneyStatistics,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[Affinity]: ...


def affinity(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Affinity | BySegment[Affinity]:
    """Return how much more often one channel follows another than their sizes explain.

    Parameters
    ----------
    journeys
        The journeys, statistics that add up, or a whole graph, of which `by` is the grain and
        `closing` is False; aggregated paths count with their weights.
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    closing
        Whether the goal or exit that ends a journey counts as an interaction in its channel.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Affinity
        Lifts are NaN where quasi-independence fits any switches: with one or two channels, or where
        hardly any pair can be compared.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    InvalidValue
        If statistics or a graph are asked for what they have not counted.
    NotAFlow
        If the graph is a subgraph or was filtered.
    UnknownName
        If the log has no such column.

    Notes
    -----
    A switch cannot end where it begins, so that plain independence would find affinity everywhere.
    Expected counts are those of quasi-independence (Goodman 1968): α_a β_b off the diagonal, fitted
    to the row and column totals; a switch that those totals rule out is expected 0 times. The
    interval and p are those of the log-lift, which is fitted anew without each bucket of customers,
    with at least the variance of independent switches. They are NaN where the totals fix the count,
    since O = E then, whatever customers do, and where fewer than three customers or so switch; a
    switch that nobody made has Garwood's interval. The residual is (O - E) over its standard
    deviation (Haberman 1973). The shrunken value is that of the log-lift, normal-normal, with half
    a switch added to both counts.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> paths = [["a", "b"], ["b", "c"], ["c", "a"], ["b", "a"], ["c", "b"], ["a", "c"]]
    >>> journeys = Journeys.from_paths(paths, converted=[60, 60, 60, 20, 20, 20], channels=True)
    >>> found = affinity(journeys)
    >>> found.pairs.row(0)["count"], round(found.pairs.row(0)["lift"], 2)
    (60, 1.5)
    """
    if segment is not None and not isinstance(journeys, JourneyGraph):
        return by_segment(
            check_journeys(journeys),
            segment,
            lambda part: affinity(part, by=by, closing=closing, level=level),
        )
    source = check_source(journeys, by, segment=segment)
    check_level(level)
    made = transitions_counted(source, by, closing=closing)
    notes = [*made.notes, *progress_note(source, SLOW_MISSING)]
    k = len(made.names)
    switched = made.cells // max(k, 1) != made.cells % max(k, 1)
    cells, own = made.cells[switched], made.own[:, switched]
    square = np.zeros(k * k)
    square[cells] = own.sum(axis=0)
    fit = _fit(square.reshape(k, k))
    if fit.free < 1 and fit.count.sum():
        notes.append(
            "Quasi-independence fits any such switches exactly, so that there is no affinity to "
            "find."
        )
    shown = np.flatnonzero((fit.count > 0) | (fit.expected >= _WORTH_SHOWING))
    a, b = np.divmod(shown, max(1, k))
    count, expected = fit.count[shown], fit.expected[shown]
    lift, low, high, log_variance, p = _numbers(own, cells, fit, shown, level)
    log_lift = np.log((count + 0.5) / (expected + 0.5))
    if fit.free < 1:
        log_lift = np.full(len(shown), np.nan)
    drawn = np.exp(shrunken_effects(log_lift, log_variance, spread_of(log_lift, log_variance)))
    ranked, backend = drawn, None
    if isinstance(source, JourneyGraph):
        ranked, (low, high, p, drawn) = lift, np.full((4, len(shown)), np.nan)
    else:
        backend = source.backend
    names = np.array([*made.names, ""], dtype=object)
    table = Table(
        {
            f"from_{by}": names[a].tolist(),
            f"to_{by}": names[b].tolist(),
            "count": count.astype(np.int64),
            "expected": expected,
            "lift": lift,
            "low": low,
            "high": high,
            "shrunken": drawn,
            "residual": fit.residual[shown] if fit.free else np.full(len(shown), np.nan),
            "p": p,
            "adjusted_p": false_discovery(p),
        },
        backend=backend,
    )
    return Affinity(
        by=by,
        pairs=table.take(np.lexsort((-count, -ranked))),
        n=round(float(fit.count.sum())),
        free=fit.free,
        level=level,
        notes=tuple(notes),
    )


def _numbers(
    own: Floats, cells: Ints, fit: _Fit, shown: Ints, level: float
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return lifts, both ends of their intervals, the variance of their logarithms, and p-values.

    All but the lifts are NaN where the totals fix the count, and all where nothing can be tested.
    """
    from scipy.special import stdtr

    unknown = np.full(len(shown), np.nan)
    if fit.free < 1:
        return unknown, unknown, unknown, unknown, unknown
    count, expected, loose = fit.count[shown], fit.expected[shown], fit.loose[shown]
    figures = _lifts(own, cells, fit, shown)
    logs = figures.map(_log)
    # a channel that leads to one other alone fixes its lift, whatever bucket is left out: then the
    # variance over customers says nothing, and that of independent switches is the least
    variance = np.where(loose, np.maximum(logs.variance, fit.spread[shown]), np.nan)
    low, high = np.exp(student_interval(logs.whole, variance, logs.freedom, level=level))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stdtr(logs.freedom, -np.abs(logs.whole) / np.sqrt(variance))
    # what nobody did has no variance over customers: as many were expected, independently
    never = count == 0
    variance[never] = 1 / (expected[never] + 0.5)
    for i in np.flatnonzero(never & loose):
        low[i], high[i] = 0.0, garwood(0, float(expected[i]), level=level)[1]
        p[i] = two_sided_p(float(fit.residual[shown[i]]))
    return figures.whole, low, high, variance, p


def _log(values: Floats) -> Floats:
    return np.log(values, out=np.full(values.shape, np.nan), where=values > 0)


@attrs.frozen(kw_only=True)
class _Fit:
    """Switches and what quasi-independence expects, as flat square arrays.

    `loose` says where switches may differ from those expected though rows and columns keep their
    totals; elsewhere O = E whatever happens. `residual` is Haberman's, NaN where O = E always;
    `spread` is the variance of log O/E were switches independent.
    """

    count: Floats
    expected: Floats
    loose: Bools
    residual: Floats
    spread: Floats
    free: int


def _fit(count: Floats) -> _Fit:
    """Return the fit to a square array of switches."""
    block = _blocks(count)
    expected, _ = _quasi_independence(count, block)
    support = _within(block)
    blocks = np.unique(block[block >= 0])
    rank = int(np.count_nonzero(block >= 0)) - len(blocks)  # a block's effects bar one are free
    cover = _inverse(expected, rank)
    k = len(count)
    own = np.diag(cover)
    leverage = (own[:k, None] + own[None, k:] + 2 * cover[:k, k:]) * expected
    free = np.maximum(0.0, 1 - leverage)
    variance = expected * free
    loose = _loose(support) & (variance > 0)
    root = np.sqrt(variance, out=np.ones(variance.shape), where=loose)
    return _Fit(
        count=count.ravel(),
        expected=expected.ravel(),
        loose=loose.ravel(),
        residual=np.where(loose, (count - expected) / root, np.nan).ravel(),
        spread=np.divide(free, count, out=np.zeros(count.shape), where=count > 0).ravel(),
        free=int(np.count_nonzero(support)) - rank,
    )


def _lifts(own: Floats, cells: Ints, fit: _Fit, shown: Ints) -> BucketFigures:
    """Return the lifts of the cells shown, fitted anew without each bucket of customers.

    `own` holds the switches in each bucket, shape (buckets, cells in use).
    """
    k = math.isqrt(len(fit.count))
    used = np.full(len(fit.count), -1)
    used[cells] = np.arange(len(cells))
    place = used[shown]
    here = np.where(place >= 0, own[:, place], 0.0)
    whole = fit.count.reshape(k, k)
    block = _blocks(whole)
    _, give = _quasi_independence(whole, block)
    without = np.full((len(own), len(shown)), np.nan)
    present = own.sum(axis=1) > 0
    for bucket in np.flatnonzero(present).tolist():
        left = fit.count.copy()
        left[cells] -= own[bucket]
        others = left.reshape(k, k)
        same = bool((left[cells] > 0).all())
        expected, _ = _quasi_independence(others, block if same else _blocks(others), give, 1e-9)
        without[bucket] = _ratio_or_nan(left[shown], expected.ravel()[shown])
    return BucketFigures(
        whole=_ratio_or_nan(fit.count[shown], fit.expected[shown]),
        without=without,
        units=resting_on(here, present),
    )


def _ratio_or_nan(a: Floats, b: Floats) -> Floats:
    ratio: Floats = np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0)
    return ratio


def _blocks(count: Floats) -> Ints:
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


def _within(block: Ints) -> Bools:
    """Return the cells off the diagonal whose row and column share a block."""
    rows, columns = np.split(block, 2)
    same: Bools = (rows[:, None] == columns[None, :]) & (rows[:, None] >= 0)
    np.fill_diagonal(same, False)
    return same


def _loose(support: Bools) -> Bools:
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


def _inverse(expected: Floats, rank: int) -> Floats:
    """Return the covariance of row and column effects in the log-linear model of that rank."""
    information = np.block(
        [
            [np.diag(expected.sum(axis=1)), expected],
            [expected.T, np.diag(expected.sum(axis=0))],
        ]
    )
    values, vectors = np.linalg.eigh(information)
    used = slice(len(values) - rank, None)  # ascending: those of the null space come first
    inverse: Floats = (vectors[:, used] / values[used]) @ vectors[:, used].T
    return inverse


def _quasi_independence(
    count: Floats, block: Ints, begin: Floats | None = None, tolerance: float = 1e-13
) -> tuple[Floats, Floats]:
    """Return α_a β_b within blocks, off the diagonal, with the totals of the counts, and α.

    Iterative proportional fitting: the diagonal apart, it needs the effects alone. It begins at the
    effects given, or at 1.
    """
    rows, columns = count.sum(axis=1), count.sum(axis=0)
    give, take = (rows > 0).astype(np.float64), (columns > 0).astype(np.float64)
    if begin is not None:
        give *= np.where(begin > 0, begin, 1.0)
    of_rows, of_columns = np.split(block, 2)
    both = of_rows == of_columns

    def others(effect: Floats, own: Ints, asked: Ints) -> Floats:
        """Return what the effects in the block of each add up to, without its own."""
        total = np.bincount(own + 1, effect, minlength=int(block.max(initial=-1)) + 2)
        return np.asarray(total[asked + 1] - np.where(both, effect, 0.0), dtype=np.float64)

    for _ in range(20_000):
        before = give
        give = _ratio(rows, others(take, of_columns, of_rows))
        take = _ratio(columns, others(give, of_rows, of_columns))
        if np.abs(give - before).max(initial=0) <= tolerance * give.max(initial=0):
            break
    expected = np.outer(give, take)
    expected[~_within(block)] = 0
    return expected, give


def _ratio(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.zeros_like(a), where=(a > 0) & (b > 0))
