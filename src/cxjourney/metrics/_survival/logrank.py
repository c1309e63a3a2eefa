"""The log-rank test of the survival of groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.arrays import same_length
from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._survival.risk_sets import risk_sets
from cxjourney.metrics._survival.spells import labelled, read_spells

if TYPE_CHECKING:
    from cxjourney._support.arrays import Values
    from cxjourney.metrics._survival.spells import Spells


@attrs.frozen(kw_only=True, repr=False)
class LogrankTest(Result):
    """A log-rank test of equal survival in all groups.

    Attributes
    ----------
    groups
        Labels of the groups, sorted.
    n, events
        Rows and events of each group.
    expected
        Events that each group would have if all groups had the same hazard.
    statistic, df, p_value
        Chi-squared, its degrees of freedom (groups less 1, if all were ever at risk together), and
        the probability of so much under equal survival; NaN if `df` is 0.
    n_strata, n_missing
        Strata within which the groups were compared; rows left out because a value was missing.
    """

    title = "Log-rank test"

    groups: tuple[str, ...]
    n: Ints = attrs.field(converter=read_only, eq=array_eq)
    events: Floats = attrs.field(converter=read_only, eq=array_eq)
    expected: Floats = attrs.field(converter=read_only, eq=array_eq)
    statistic: float
    df: int
    p_value: float
    n_strata: int
    n_missing: int

    def _table(self) -> Table:
        return Table(
            {"group": self.groups, "n": self.n, "events": self.events, "expected": self.expected},
            formats={"events": "integer"},
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            (
                f"Chi-squared is {self.statistic:.4g} with {self.df} degrees of freedom: "
                f"p = {self.p_value:.3g}."
            ),
            f"There are {self.n_strata:,} strata; {self.n_missing:,} rows are missing.",
            "Rows are taken as independent.",
        )


def logrank(
    durations: Values,
    observed: Values,
    group: Values,
    *,
    strata: Values | None = None,
    entry: Values | None = None,
) -> LogrankTest:
    """Test whether groups have the same survival.

    Parameters
    ----------
    durations, observed, entry
        As for `kaplan_meier`.
    group, strata
        Label of each row's group, two or more, and of its stratum; groups are compared within
        strata only.

    Returns
    -------
    LogrankTest
        Observed and expected events of each group, chi-squared, degrees of freedom, p-value.

    Raises
    ------
    InvalidData
        If a duration or an entry is negative, or a row enters at or after its end.
    InvalidValue
        If the columns differ in length, or there is only one group.

    Notes
    -----
    Observed less expected events, with the multivariate hypergeometric variance at every event
    time, summed over strata (Mantel 1966; Peto & Peto 1972). It weighs all times equally: where
    the curves cross it can miss a large difference, so look at them.

    Not for rows that belong to the same customers: the test takes rows as independent and calls
    too many differences real.

    Examples
    --------
    >>> from datetime import timedelta
    >>> days = [timedelta(days=d) for d in (10, 20, 30, 10, 20, 50)]
    >>> test = logrank(days, [True] * 6, ["new"] * 3 + ["old"] * 3)
    >>> round(test.statistic, 6), round(test.p_value, 6)
    (0.254237, 0.614107)
    """
    which, groups, no_group = labelled(group, "group")
    missing = no_group
    if strata is None:
        stratum = np.zeros(len(which), dtype=np.int64)
        labels: tuple[str, ...] = ("all",)
    else:
        stratum, labels, no_stratum = labelled(strata, "strata")
        same_length(group=which, strata=stratum)
        missing = missing | no_stratum
    spells = read_spells(durations, observed=observed, entry=entry)
    same_length(durations=spells.kept, group=which)
    use = spells.kept & ~missing
    if len(which) and len(groups) < 2:
        raise InvalidValue.of("group", "name at least two groups", groups)
    spells = _only(spells, use[spells.kept])
    which, stratum = which[use], stratum[use]
    size = len(groups)
    observed_events, expected = np.zeros(size), np.zeros(size)
    variance = np.zeros((size, size))
    for s in range(len(labels)):
        inside = stratum == s
        seen, due, spread = _one_stratum(_only(spells, inside), which[inside], size)
        observed_events += seen
        expected += due
        variance += spread
    statistic, df = _quadratic_form(observed_events - expected, variance)
    return LogrankTest(
        groups=groups,
        n=np.bincount(which, minlength=size),
        events=observed_events,
        expected=expected,
        statistic=statistic,
        df=df,
        p_value=_chi_squared_tail(statistic, df),
        n_strata=len(labels) if len(which) else 0,
        n_missing=len(use) - int(np.count_nonzero(use)),
    )


def _only(spells: Spells, rows: Bools) -> Spells:
    return attrs.evolve(
        spells,
        exit_us=spells.exit_us[rows],
        cause=spells.cause[rows],
        entry_us=None if spells.entry_us is None else spells.entry_us[rows],
    )


def _one_stratum(spells: Spells, which: Ints, size: int) -> tuple[Floats, Floats, Floats]:
    """Return observed and expected events and their covariance within a stratum."""
    pooled = risk_sets(spells.exit_us, spells.cause, entry_us=spells.entry_us)
    times = pooled.times
    at_risk = np.empty((size, len(times)))
    seen = np.empty(size)
    for g in range(size):
        member = which == g
        leave = np.bincount(pooled.exit_index[member], minlength=len(times))[: len(times)]
        enter = np.bincount(pooled.entry_index[member], minlength=len(times))[: len(times)]
        at_risk[g] = np.cumsum(enter) - (np.cumsum(leave) - leave)
        seen[g] = np.count_nonzero(spells.cause[member] >= 0)
    n, deaths = pooled.at_risk, pooled.events
    share = at_risk / n
    spread = np.zeros(len(times))
    np.divide(deaths * (n - deaths), n - 1, out=spread, where=n > 1)
    cross = (share * spread) @ share.T
    return seen, share @ deaths, np.diag(share @ spread) - cross


def _quadratic_form(difference: Floats, variance: Floats) -> tuple[float, int]:
    """Return the chi-squared statistic and its degrees of freedom, the rank of the variance.

    The differences sum to 0 over all groups, and within each set of groups that share strata.
    """
    spread, axes = np.linalg.eigh(variance)
    real = spread > 1e-9 * max(spread.max(initial=0.0), 1e-300)
    df = int(np.count_nonzero(real))
    if df == 0:
        return math.nan, 0
    return float(((difference @ axes[:, real]) ** 2 / spread[real]).sum()), df


def _chi_squared_tail(statistic: float, df: int) -> float:
    if df < 1:
        return math.nan
    from scipy.special import chdtrc

    return float(chdtrc(df, statistic))
