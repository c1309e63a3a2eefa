"""The memory of journeys: Markov orders compared, overall and by touchpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.significance import false_discovery
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count
from cxjourney.markov._solver import sums
from cxjourney.markov._steps import Steps, group, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = ["LocalMemory", "OrderSelection", "local_memory", "order_selection"]


_ENOUGH = 5.0  # counts a cell from which chi-squared approximations are usually trusted


@attrs.frozen(kw_only=True, repr=False)
class OrderSelection(Result):
    """Markov orders fitted to the same moves.

    Attributes
    ----------
    order
        1, 2 … : how many touches back the next one depends on.
    log_likelihood
        Maximised, natural logarithm.
    df
        Free probabilities.
    aic, bic
        2 df - 2 log-likelihood, df ln n - 2 log-likelihood; the smaller the better.
    g, p_value
        Likelihood-ratio statistic against the order below and its chi-squared p-value; NaN at
        order 1.
    mean_count
        Moves per free probability: below 5 the p-value is not to be trusted.
    n
        Number of moves.
    """

    title = "Markov orders"

    order: Ints = attrs.field(converter=read_only, eq=array_eq)
    log_likelihood: Floats = attrs.field(converter=read_only, eq=array_eq)
    df: Ints = attrs.field(converter=read_only, eq=array_eq)
    aic: Floats = attrs.field(converter=read_only, eq=array_eq)
    bic: Floats = attrs.field(converter=read_only, eq=array_eq)
    g: Floats = attrs.field(converter=read_only, eq=array_eq)
    p_value: Floats = attrs.field(converter=read_only, eq=array_eq)
    mean_count: Floats = attrs.field(converter=read_only, eq=array_eq)
    n: int

    @property
    def best(self) -> int:
        """The order with the smallest BIC; the lowest of equals."""
        return int(self.order[np.argmin(self.bic)])

    def _table(self) -> Table:
        names = ("order", "log_likelihood", "df", "aic", "bic", "g", "p_value", "mean_count")
        return Table({name: getattr(self, name) for name in names})

    def _notes(self) -> tuple[str, ...]:
        notes = [f"order {self.best} has the smallest BIC, of {self.n:,} moves"]
        if (self.mean_count[1:] < _ENOUGH).any():
            notes.append("fewer than 5 moves per free probability: do not trust the p-value there")
        return tuple(notes)


@attrs.frozen(kw_only=True, repr=False)
class LocalMemory(Result):
    """Where the next touch depends on the one before the present one.

    Attributes
    ----------
    touchpoint
        Where the journey is.
    n
        Moves on from there.
    g, df, p_value
        Likelihood-ratio statistic of independence of next and previous touch, its degrees of
        freedom, its chi-squared p-value; NaN where there is nothing to compare.
    q_value
        The p-value after Benjamini and Hochberg, over all touchpoints.
    mean_count
        Moves per cell of the table: below 5 the p-value is not to be trusted.
    """

    title = "Memory by touchpoint"

    touchpoint: tuple[str, ...]
    n: Ints = attrs.field(converter=read_only, eq=array_eq)
    g: Floats = attrs.field(converter=read_only, eq=array_eq)
    df: Ints = attrs.field(converter=read_only, eq=array_eq)
    p_value: Floats = attrs.field(converter=read_only, eq=array_eq)
    q_value: Floats = attrs.field(converter=read_only, eq=array_eq)
    mean_count: Floats = attrs.field(converter=read_only, eq=array_eq)

    def _table(self) -> Table:
        names = ("touchpoint", "n", "g", "df", "p_value", "q_value", "mean_count")
        return Table({name: getattr(self, name) for name in names})

    def _notes(self) -> tuple[str, ...]:
        return ("moves are taken as independent; customers with many journeys make p too small",)


def order_selection(
    codes: ArrayLike,
    offsets: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    max_order: int = 3,
) -> OrderSelection:
    """Compare how many touches back the next one depends on.

    Parameters
    ----------
    codes
        Touches of all journeys, one journey after another, each followed by its end unless it
        is in progress: whole numbers from 0, shape (touches,).
    offsets
        Where journeys begin and end: journey i is `codes[offsets[i]:offsets[i + 1]]`.
    weights
        How many journeys each stands for; None: one.
    max_order
        Highest order to fit, from 1.

    Returns
    -------
    OrderSelection
        A row an order. `best` goes by BIC.

    Raises
    ------
    InvalidValue
        If the arrays disagree or hold negative numbers, or `max_order` is less than 1.

    Notes
    -----
    Journeys are padded with START, so that all orders are fitted to the same moves:
    `ℓ_k = Σ c(s, a) ln(c(s, a) / c(s))`. A context s has as many free probabilities
    as its *last touch* has successors anywhere, less one, since any of them could follow;
    counting only those seen after s makes df fall with the order, and AIC always choose the
    highest. BIC is the default, likelihood ratios tend to overfit, and with few moves per
    probability chi-squared fails. One journey after another of one customer are not
    independent. See also `local_memory`: memory is often a matter of a few touchpoints.

    Examples
    --------
    Whoever came to 1 from 0 ends with 3, whoever came from 2 ends with 4.

    >>> selection = order_selection([0, 1, 3, 2, 1, 4] * 50, range(0, 301, 3))
    >>> selection.best
    2
    """
    steps = Steps.of(codes, offsets, weights)
    check_count(max_order, "max_order")
    last = steps.previous(steps.codes + 1, start=0)
    successors = np.bincount(last[group(last, steps.codes)[0]])
    likelihoods, dfs = [], []
    state = steps.codes
    for order in range(1, max_order + 1):
        state = steps.states(state, order)
        context = steps.previous(state + 1, start=0)
        moves, visits = group(context, steps.codes)[1], group(context)
        likelihood = _xlogx(sums(moves, steps.weight, 0)).sum()
        likelihoods.append(likelihood - _xlogx(sums(visits[1], steps.weight, 0)).sum())
        dfs.append(int((successors[last[visits[0]]] - 1).sum()))
    return _selection(np.array(likelihoods), np.array(dfs, dtype=np.int64), steps.n)


def _selection(likelihood: Floats, df: Ints, n: int) -> OrderSelection:
    from scipy.special import chdtrc

    g = np.append(np.nan, 2 * np.diff(likelihood))[: df.size]
    more = np.append(0, np.diff(df))[: df.size]
    return OrderSelection(
        order=np.arange(1, df.size + 1),
        log_likelihood=likelihood,
        df=df,
        aic=2 * df - 2 * likelihood,
        bic=df * np.log(max(n, 1)) - 2 * likelihood,
        g=g,
        p_value=np.where(more > 0, chdtrc(np.maximum(more, 1), np.maximum(g, 0)), np.nan),
        mean_count=np.divide(n, df, out=np.full(df.size, np.nan), where=df > 0),
        n=n,
    )


def local_memory(
    names: Sequence[str],
    codes: ArrayLike,
    offsets: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> LocalMemory:
    """Test at each touchpoint whether the next touch depends on the previous one.

    Parameters
    ----------
    names
        Names of the touchpoints, codes 0 … K - 1; ends have codes from K on.
    codes, offsets, weights
        The journeys, as in `order_selection`.

    Returns
    -------
    LocalMemory
        A row a touchpoint, the strongest memory first.

    Raises
    ------
    InvalidValue
        If the arrays disagree or hold negative numbers.

    Notes
    -----
    A G-test of next against previous touch given the present one, START among the previous, with
    (rows - 1)(columns - 1) degrees of freedom over non-empty rows and columns. The statistics
    add up to the likelihood ratio of order 2 against order 1.
    """
    from scipy.special import chdtrc

    steps = Steps.of(codes, offsets, weights)
    names = listed(names)
    size = len(names)
    steps.touches(size)
    now = steps.previous(steps.codes, start=-1)
    before = steps.previous(steps.previous(steps.codes + 1, start=0), start=0)
    moved = now >= 0
    now, before, after = now[moved], before[moved], steps.codes[moved]
    weight = steps.weight[moved]

    def entropy(*keys: Ints) -> tuple[Floats, Ints]:
        """Return the sum of c ln c, and the number of cells, at each touchpoint."""
        cell, at = group(now, *keys)
        terms = _xlogx(sums(at, weight, cell.size))
        return sums(now[cell], terms, size), np.bincount(now[cell], minlength=size)

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
    n = sums(now, weight, size)
    area = n_rows * n_columns
    by = np.lexsort((-g, np.where(tested, p, 2.0)))
    return LocalMemory(
        touchpoint=tuple(names[i] for i in by),
        n=n.astype(np.int64)[by],
        g=np.where(tested, g, np.nan)[by],
        df=df[by],
        p_value=p[by],
        q_value=false_discovery(p)[by],
        mean_count=np.divide(n, area, out=np.full(size, np.nan), where=area > 0)[by],
    )


def _xlogx(count: Floats) -> Floats:
    return count * np.log(np.maximum(count, 1))
