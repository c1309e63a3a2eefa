"""Net and gross retention of recurring revenue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate, estimates_table
from cxjourney._stats.estimates import ratio_estimate
from cxjourney._support.arrays import numbers, refuse_rows, same_length
from cxjourney._support.result import Result

if TYPE_CHECKING:
    from cxjourney._support.arrays import Values
    from cxjourney._support.table import Table


@attrs.frozen(kw_only=True, repr=False)
class RevenueRetention(Result):
    """Net and gross revenue retention of the customers at the start.

    Attributes
    ----------
    nrr
        Net: their revenue at the end / at the start; above 1 where expansion outweighs loss.
    grr
        Gross: each customer capped at the own start; at most 1.
    start, expansion, contraction, churned
        Revenue at the start, gained from customers who grew, lost from those who shrank, and
        lost from those who left [money].
    n, n_churned
        Customers at the start, and of these those with no revenue at the end.
    """

    title = "Revenue retention"

    nrr: Estimate
    grr: Estimate
    start: float
    expansion: float
    contraction: float
    churned: float
    n: int
    n_churned: int

    def _table(self) -> Table:
        return estimates_table("figure", {"NRR": self.nrr, "GRR": self.grr}, kind="percent")

    def _notes(self) -> tuple[str, ...]:
        return (
            f"Revenue was {self.start:,.2f} at the start; expansion added {self.expansion:,.2f}.",
            f"Contraction took {self.contraction:,.2f} and churn {self.churned:,.2f}.",
            f"Of {self.n:,} customers {self.n_churned:,} left.",
            f"The intervals are {100 * self.nrr.level:g}% {self.nrr.method}.",
        )


def nrr_grr(start: Values, end: Values, *, level: float = 0.95) -> RevenueRetention:
    """Return net and gross revenue retention (NRR, GRR).

    Parameters
    ----------
    start, end
        Recurring revenue of each customer (account) at the start and at the end of the period, in
        one currency: a row a customer, 0 at the end for one who left.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    RevenueRetention
        Both rates with intervals over customers, and the parts they are made of.

    Raises
    ------
    InvalidData
        If a revenue is negative; carries the positions.
    InvalidValue
        If the columns differ in length.

    Notes
    -----
    NRR = Σ end / Σ start and GRR = Σ min(end, start) / Σ start over the customers with revenue at
    the start; customers won since are excluded and counted. Rows with a missing number are left
    out and counted, not taken as churn. Accounts differ in size by orders of magnitude: with few of
    them the interval is wide, and rightly so.

    Examples
    --------
    >>> result = nrr_grr([100, 100, 100, 0], [150, 80, 0, 70])
    >>> round(result.nrr.value, 4), result.grr.value
    (0.7667, 0.6)
    """
    before = numbers(start, "start").astype(np.float64)
    after = numbers(end, "end").astype(np.float64)
    same_length(start=before, end=after)
    refuse_rows(before < 0, "start is negative")
    refuse_rows(after < 0, "end is negative")
    missing = np.isnan(before) | np.isnan(after)
    base = ~missing & (before > 0)
    s, e = before[base], after[base]
    kept = np.minimum(s, e)
    exclusions = {"customers won since": int(np.count_nonzero(~missing & (before == 0)))}
    n_missing = int(np.count_nonzero(missing))
    nrr, grr = (
        ratio_estimate(
            amount,
            s,
            level=level,
            unit="fraction",
            name=name,
            definition=f"revenue at the end, {whose} / revenue at the start",
            n_missing=n_missing,
            exclusions=exclusions,
            of_shares=name == "grr",
        )
        for amount, name, whose in (
            (e, "nrr", "customers at the start only"),
            (kept, "grr", "each customer capped at the start"),
        )
    )
    return RevenueRetention(
        nrr=nrr,
        grr=grr,
        start=float(s.sum()),
        expansion=float((e - kept).sum()),
        contraction=float((s - kept)[e > 0].sum()),
        churned=float(s[e == 0].sum()),
        n=len(s),
        n_churned=int(np.count_nonzero(e == 0)),
    )
