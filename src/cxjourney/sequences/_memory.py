"""Memory of journeys: Markov orders compared, overall and by touchpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import numpy as np

from cxjourney._stats.significance import false_discovery
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count
from cxjourney.journeys import (
    CONVERTED,
    IN_PROGRESS,
    BySegment,
    by_segment,
    check_journeys,
    grain_name,
    missing_note_of,
    visits_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.journeys import By, Journeys, SegmentBy

_ENOUGH = 5.0  # counts a cell from which chi-squared approximations are usually trusted


@attrs.frozen(kw_only=True, repr=False)
class Memory(Result):
    """How many visits back the next one depends on, overall and at each node.

    Attributes
    ----------
    orders
        One row a Markov order, all fitted to the same transitions:

        | column | |
        |---|---|
        | `order` | how many visits back the next one depends on |
        | `log_likelihood` | maximised, natural logarithm |
        | `df` | free probabilities |
        | `aic`, `bic` | information criteria; the smaller, the better |
        | `g`, `p_value` | likelihood-ratio test against the order below; NaN at order 1 |
        | `mean_count` | transitions a free probability |
    nodes
        One row a node, the strongest memory first:

        | column | |
        |---|---|
        | `node` | where the journey is |
        | `n` | transitions from there |
        | `g`, `df`, `p_value` | test that what comes next does not depend on what came before |
        | `q_value` | after Benjamini and Hochberg, over all nodes |
        | `mean_count` | transitions a cell of the table of next and previous visit |
    best, n, by
        The order with the smallest BIC (the lowest of equals); number of transitions, from the
        beginnings of journeys to their ends; what a node is.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "Memory of journeys"

    orders: Table
    nodes: Table
    best: int
    n: int
    by: str
    caveats: tuple[str, ...] = ()

    def _table(self) -> Table:
        return self.orders

    def _notes(self) -> tuple[str, ...]:
        notes = [f"Order {self.best} has the smallest BIC, over {self.n:,} transitions."]
        p, q = (np.asarray(self.nodes[name], dtype=np.float64) for name in ("p_value", "q_value"))
        found = int(np.count_nonzero(q <= 0.05))
        tested = int(np.count_nonzero(~np.isnan(p)))
        notes.append(
            f"At {found:,} of {tested:,} nodes what comes next depends on what came before "
            "(5% false discoveries)."
        )
        if np.any(np.asarray(self.orders["mean_count"], dtype=np.float64)[1:] < _ENOUGH):
            notes.append(
                "Where an order has fewer than 5 transitions a free probability, its p-value is "
                "not to be trusted."
            )
        notes.append(
            "Transitions are taken as independent, so that customers with many journeys make "
            "p-values too small."
        )
        return (*notes, *self.caveats)


@overload
def memory(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    max_order: int = 3,
    segment: None = None,
) -> Memory: ...
@overload
def memory(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    max_order: int = 3,
    segment: SegmentBy,
) -> BySegment[Memory]: ...
def memory(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    max_order: int = 3,
    segment: SegmentBy | None = None,
) -> Memory | BySegment[Memory]:
    """Return how many visits back the next one depends on, overall and at each node.

    Parameters
    ----------
    journeys
        The journeys; aggregated paths count with their weights.
    by
        What a node is: "touchpoint", "channel", "stage", "owner", or a pair of them.
    max_order
        Highest order to fit, from 1.
    segment
        An attribute of customers or interactions: each of its values is looked at on its own.

    Returns
    -------
    Memory, or BySegment of them

    Raises
    ------
    InvalidValue
        If `max_order` is less than 1.
    UnknownName
        If the log has no such column or attribute.

    Notes
    -----
    How a journey ended is its last transition; one in progress has none. Journeys are padded with
    START, so that all orders are fitted to the same transitions:
    `ℓ_k = Σ c(s, a) ln(c(s, a) / c(s))`. A context s has as many free probabilities as its *last
    visit* has successors anywhere, less one, since any of them could follow; counting only those
    seen after s makes df fall with the order, and AIC always choose the highest. BIC is the
    default, likelihood ratios tend to overfit, and with few transitions a probability chi-squared
    fails.

    At each node it is a G-test of the next against the previous visit, START among the previous,
    with (rows - 1)(columns - 1) degrees of freedom over rows and columns that are not empty. The
    statistics add up to the likelihood ratio of order 2 against order 1: memory is often a matter
    of a few nodes.

    A chain that remembers more is `cxjourney.attribution.markov` with `order=`.

    Examples
    --------
    Whoever came to the shop from an advert buys, whoever came from a search does not.

    >>> from cxjourney import Journeys
    >>> paths = [["advert", "shop"], ["search", "shop"]]
    >>> found = memory(Journeys.from_paths(paths, converted=[50, 0], dropped=[0, 50]))
    >>> found.best
    2
    >>> found.nodes["node"][0]
    'shop'
    """
    check_journeys(journeys)
    check_count(max_order, "max_order", most=100)
    if segment is not None:
        return by_segment(journeys, segment, lambda part: memory(part, by=by, max_order=max_order))
    names, transitions = _transitions_of(journeys, by)
    orders = order_selection(transitions, max_order)
    return Memory(
        orders=orders,
        nodes=local_memory(names, transitions),
        best=int(np.argmin(orders["bic"])) + 1,
        n=int(transitions.weight.sum()),
        by=grain_name(by),
        caveats=missing_note_of(journeys, by),
    )


@attrs.frozen(kw_only=True, eq=False)
class CountedTransitions:
    """Visits and ends of journeys as columns; each entry is what one transition leads to.

    A journey that is over ends in a code beyond the nodes; `first` marks its first entry.
    """

    codes: Ints
    weight: Floats
    first: Bools

    @classmethod
    def of(cls, codes: Ints, lengths: Ints, weight: Ints | None = None) -> CountedTransitions:
        """Return the columns of journeys, given the codes and the number of codes of each."""
        times = np.ones(len(lengths)) if weight is None else weight.astype(np.float64)
        keep = np.repeat(times > 0, lengths)
        lengths, times = lengths[times > 0], times[times > 0]
        begin = np.repeat(np.cumsum(lengths) - lengths, lengths)
        return cls(
            codes=codes[keep],
            weight=np.repeat(times, lengths),
            first=np.arange(len(begin)) == begin,
        )

    def previous(self, values: Ints, *, start: int) -> Ints:
        """Return the value one entry earlier, `start` at the beginning of a journey."""
        shifted = np.roll(values, 1)
        shifted[self.first] = start
        return shifted

    def states(self, shorter: Ints, order: int) -> Ints:
        """Return the code of the last `order` visits, given that of the last `order - 1`."""
        if order == 1:
            return self.codes
        return _group(self.previous(shorter + 1, start=0), self.codes)[1]


def _transitions_of(journeys: Journeys, by: By) -> tuple[tuple[str, ...], CountedTransitions]:
    """Return the names of the nodes, and the transitions of journeys."""
    visits = visits_of(journeys, by)
    over = journeys.outcome != IN_PROGRESS
    length = journeys.lengths + over
    codes = np.empty(int(length.sum()), dtype=np.int64)
    is_end = np.zeros(len(codes), dtype=np.bool_)
    is_end[(np.cumsum(length) - 1)[over]] = True
    codes[~is_end] = visits.node
    converted = journeys.outcome[over] == CONVERTED
    codes[is_end] = np.where(converted, visits.conversion, visits.dropoff)
    return visits.names, CountedTransitions.of(codes, length, journeys.weight)


def order_selection(transitions: CountedTransitions, max_order: int) -> Table:
    """Return the table of Markov orders; see `Memory`."""
    from scipy.special import chdtrc

    codes, weight = transitions.codes, transitions.weight
    last = transitions.previous(codes + 1, start=0)
    successors = np.bincount(last[_group(last, codes)[0]])
    likelihoods, dfs = [], []
    state = codes
    for order in range(1, max_order + 1):
        state = transitions.states(state, order)
        context = transitions.previous(state + 1, start=0)
        cells, visits = _group(context, codes)[1], _group(context)
        likelihood = _xlogx(np.bincount(cells, weight)).sum()
        likelihoods.append(likelihood - _xlogx(np.bincount(visits[1], weight)).sum())
        dfs.append(int((successors[last[visits[0]]] - 1).sum()))
    likelihood, df = np.array(likelihoods), np.array(dfs, dtype=np.int64)
    n = weight.sum()
    g = np.append(np.nan, 2 * np.diff(likelihood))[: df.size]
    more = np.append(0, np.diff(df))[: df.size]
    return Table(
        {
            "order": np.arange(1, df.size + 1),
            "log_likelihood": likelihood,
            "df": df,
            "aic": 2 * df - 2 * likelihood,
            "bic": df * np.log(max(n, 1)) - 2 * likelihood,
            "g": g,
            "p_value": np.where(more > 0, chdtrc(np.maximum(more, 1), np.maximum(g, 0)), np.nan),
            "mean_count": np.divide(n, df, out=np.full(df.size, np.nan), where=df > 0),
        }
    )


def local_memory(names: Sequence[str], transitions: CountedTransitions) -> Table:
    """Return the table of memory at each node; see `Memory`."""
    from scipy.special import chdtrc

    size = len(names)
    now = transitions.previous(transitions.codes, start=-1)
    before = transitions.previous(transitions.previous(transitions.codes + 1, start=0), start=0)
    moved = now >= 0
    now, before, after = now[moved], before[moved], transitions.codes[moved]
    weight = transitions.weight[moved]

    def entropy(*keys: Ints) -> tuple[Floats, Ints]:
        """Return the sum of c ln c, and the number of cells, at each node."""
        cell, at = _group(now, *keys)
        terms = _xlogx(np.bincount(at, weight, minlength=cell.size))
        total = np.bincount(now[cell], terms, size).astype(np.float64)
        return total, np.bincount(now[cell], minlength=size)

    (whole, _), (rows, n_rows), (columns, n_columns), (cells, _) = (
        entropy(),
        entropy(before),
        entropy(after),
        entropy(before, after),
    )
    g = np.maximum(2 * (cells - rows - columns + whole), 0)
    df = (n_rows - 1) * (n_columns - 1)
    tested = (df > 0) & (n_rows > 0)
    df = np.where(tested, df, 0)
    p = np.where(tested, chdtrc(np.maximum(df, 1), g), np.nan)
    n = np.bincount(now, weight, minlength=size)
    area = n_rows * n_columns
    by = np.lexsort((-g, np.where(tested, p, 2.0)))
    return Table(
        {
            "node": tuple(names[i] for i in by),
            "n": n.astype(np.int64)[by],
            "g": np.where(tested, g, np.nan)[by],
            "df": df[by],
            "p_value": p[by],
            "q_value": false_discovery(p)[by],
            "mean_count": np.divide(n, area, out=np.full(size, np.nan), where=area > 0)[by],
        }
    )


def _group(*keys: Ints) -> tuple[Ints, Ints]:
    """Return where each distinct combination occurs first, and the number of each one's."""
    packed = np.zeros(keys[0].size, dtype=np.int64)
    for key in keys:
        packed = np.unique(packed, return_inverse=True)[1] * (key.max(initial=0) + 1) + key
    _, at, number = np.unique(packed, return_index=True, return_inverse=True)
    return at, number


def _xlogx(count: Floats | Ints) -> Floats:
    return np.asarray(count * np.log(np.maximum(count, 1)), dtype=np.float64)
