"""The effort of a customer until an issue was resolved: a vector, not a made-up index."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.estimate import Estimate, estimates_table
from cxjourney._stats.estimates import ratio_ends
from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    codes,
    durations,
    flags,
    is_undefined,
    same_length,
    to_array,
)
from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.validation import check_level
from cxjourney._time.calendar import instants

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cxjourney._support.table import Table

    Rule = Callable[[NDArray[np.int64], NDArray[np.intp]], NDArray[np.bool_]]

_SECOND = 1_000_000
_DEFINITIONS = {
    "interactions": "interactions",
    "channels": "distinct channels",
    "channel_switches": "consecutive interactions in different channels",
    "transfers": "consecutive interactions with different owners",
    "repeats": "interactions at a touchpoint that was visited before",
    "waited_s": "time waited",
    "elapsed_s": "time from the first interaction to the last",
}


@attrs.frozen(kw_only=True, repr=False)
class EffortVector(Result):
    """Effort of each resolved issue, one row an issue, and the mean of each component.

    Attributes
    ----------
    issue
        Label of each issue, in the order in which they first appear.
    interactions, channels, channel_switches, transfers, repeats
        Counts of each issue; NaN where the column for them was not given, or not known for one of
        its interactions.
    waited_s, elapsed_s
        Times of each issue [seconds]; NaN likewise.
    rank
        Mean percentile rank of each issue over the components that are given [fraction]: 0.5 is
        the middle of these issues. It compares issues of one company, nothing else.
    means
        Component to its mean over issues.
    """

    title = "Effort to resolution"

    issue: tuple[str, ...]
    interactions: NDArray[np.float64] = attrs.field(converter=read_only, eq=array_eq)
    channels: NDArray[np.float64] = attrs.field(converter=read_only, eq=array_eq)
    channel_switches: NDArray[np.float64] = attrs.field(converter=read_only, eq=array_eq)
    transfers: NDArray[np.float64] = attrs.field(converter=read_only, eq=array_eq)
    repeats: NDArray[np.float64] = attrs.field(converter=read_only, eq=array_eq)
    waited_s: NDArray[np.float64] = attrs.field(converter=read_only, eq=array_eq)
    elapsed_s: NDArray[np.float64] = attrs.field(converter=read_only, eq=array_eq)
    rank: NDArray[np.float64] = attrs.field(converter=read_only, eq=array_eq)
    means: dict[str, Estimate]

    def _table(self) -> Table:
        known = [self.means[name] for name in _DEFINITIONS if self.means[name].n]
        columns = {"mean": "value", "low": "low", "high": "high", "n": "n"}
        return estimates_table(
            "component", {estimate.name: estimate for estimate in known}, columns
        )

    def _notes(self) -> tuple[str, ...]:
        first = self.means["interactions"]
        return (
            f"{first.n:,} issues were resolved; {first.n_censored:,} in progress are left out.",
            f"{first.n_missing:,} interactions are left out: their issue or time is missing.",
            f"The intervals are {100 * first.level:g}% {first.method}.",
        )


def effort(
    issue: Values,
    at: Values,
    *,
    touchpoint: Values | None = None,
    channel: Values | None = None,
    owner: Values | None = None,
    waited: Values | None = None,
    in_progress: Values | None = None,
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> EffortVector:
    """Return what each resolved issue cost the customer, component by component.

    Parameters
    ----------
    issue
        Which issue each interaction belongs to. One row an interaction, in any order.
    at
        When it happened (timestamps; those without a zone are UTC).
    touchpoint, channel, owner
        Where it happened, in which channel, and who served; for repeats, switches and transfers.
    waited
        How long the customer waited there [timedelta].
    in_progress
        One flag an interaction: True where its issue is in progress. What such an issue will have
        cost is not known: it is left out and counted in `n_censored`.
    level
        Confidence level, in (0, 1).
    nan_policy
        What to do with interactions whose issue or time is missing: "omit", "raise" or "propagate"
        (then all means are NaN).

    Returns
    -------
    EffortVector
        The components of each issue and their means with Student's intervals.

    Raises
    ------
    InvalidData
        If a waiting time is negative, or a flag is missing; carries the positions.
    InvalidValue
        If lengths differ.

    Notes
    -----
    The components are those that customers name: channel switching, repeating oneself, transfers,
    contacts, waiting (Dixon et al. 2013). No weights are made up: the rank is the mean of
    percentile ranks. Check it against the answers to `ces` before steering by it. Leaving out open
    issues understates effort if the hard ones stay open longer.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> hour = lambda h: datetime(2026, 1, 1, h, tzinfo=UTC)
    >>> found = effort(
    ...     ["a", "a", "a", "b"], [hour(9), hour(10), hour(12), hour(9)],
    ...     channel=["web", "phone", "phone", "web"],
    ... )
    >>> found.interactions, found.channel_switches, found.elapsed_s
    (array([3., 1.]), array([1., 0.]), array([10800.,     0.]))
    """
    check_level(level)
    group, _, missing = codes(issue, "issue")
    us, unknown = instants(at, "at")
    same_length(issue=group, at=us)
    for name, column in (
        ("touchpoint", touchpoint),
        ("channel", channel),
        ("owner", owner),
        ("waited", waited),
    ):
        if column is not None:
            same_length(issue=group, **{name: to_array(column, name)[0]})
    missing = missing | unknown
    lost = is_undefined(missing, nan_policy, "issue or at")
    rows = np.flatnonzero(~missing)
    rows = rows[np.lexsort((us[rows], group[rows]))]
    rows, n_censored = _closed(rows, group, in_progress)
    group = group[rows]
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(rows) else rows[:0]
    order = np.argsort(np.minimum.reduceat(rows, starts)) if len(starts) else starts
    labels = to_array(issue, "issue")[0]

    def counted(values: Values | None, name: str, rule: Rule) -> NDArray[np.float64]:
        if values is None:
            return np.full(len(starts), np.nan)
        code, _, blank = codes(values, name)
        return _known_sum(rule(code[rows], starts), blank[rows], starts)

    times = np.full(len(starts), np.nan)
    if waited is not None:
        waits, blank = durations(waited, "waited")
        times = _known_sum(waits[rows], blank[rows], starts) / _SECOND
    last = np.r_[starts[1:], len(rows)] - 1 if len(starts) else starts
    per_issue = {
        "interactions": np.diff(np.r_[starts, len(rows)]).astype(np.float64),
        "channels": counted(channel, "channel", _first_visits),
        "channel_switches": counted(channel, "channel", _changes),
        "transfers": counted(owner, "owner", _changes),
        "repeats": counted(touchpoint, "touchpoint", lambda *at: ~_first_visits(*at)),
        "waited_s": times,
        "elapsed_s": (us[rows[last]] - us[rows[starts]]) / _SECOND,
    }
    vector = {name: values[order] for name, values in per_issue.items()}
    counts = {"n_missing": int(missing.sum()), "n_censored": n_censored}
    return EffortVector(
        issue=tuple(str(labels[rows[i]]) for i in starts[order]),
        **vector,
        rank=_mean_rank(vector, len(starts)),
        means={
            name: _mean(name, values, level=level, propagate=lost, **counts)
            for name, values in vector.items()
        },
    )


def _closed(
    rows: NDArray[np.intp], group: NDArray[np.int64], in_progress: Values | None
) -> tuple[NDArray[np.intp], int]:
    """Return the rows of issues that are closed, and how many are in progress."""
    if in_progress is None or not len(group):
        return rows, 0
    running, unknown = flags(in_progress, "in_progress")
    same_length(issue=group, in_progress=running)
    is_undefined(unknown, "raise", "in_progress")
    unfinished = np.unique(group[rows[running[rows]]])
    return rows[~np.isin(group[rows], unfinished)], len(unfinished)


def _known_sum(
    values: NDArray[Any], missing: NDArray[np.bool_], starts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the sum of each issue, NaN where one of its values is missing."""
    if not len(starts):
        return np.zeros(0)
    return np.add.reduceat(np.where(missing, np.nan, values), starts)


def _changes(code: NDArray[np.int64], starts: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return whether each row has another code than the one before in its issue."""
    changed: NDArray[np.bool_] = np.r_[False, code[1:] != code[:-1]][: len(code)]
    changed[starts] = False
    return changed


def _first_visits(code: NDArray[np.int64], starts: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return whether each row is the first of its issue with its code."""
    number = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(code)]))
    _, first = np.unique(np.stack([number, code]), axis=1, return_index=True)
    hit = np.zeros(len(code), dtype=bool)
    hit[first] = True
    return hit


def _mean_rank(vector: Mapping[str, NDArray[np.float64]], n: int) -> NDArray[np.float64]:
    known = [values for values in vector.values() if n and not np.isnan(values).any()]
    if not known:
        return np.full(n, np.nan)
    return np.asarray(np.mean([_percentile_ranks(values) for values in known], axis=0))


def _percentile_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of values below each one, equal ones counted by half."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - counts / 2)[inverse] / len(values)
    return ranks


def _mean(
    name: str,
    values: NDArray[np.float64],
    *,
    level: float,
    propagate: bool,
    n_missing: int,
    n_censored: int,
) -> Estimate:
    known = values[~np.isnan(values)] if not propagate else values[:0]
    n = len(known)
    value = float(known.mean()) if n else math.nan
    low, high, method, doubts = ratio_ends(known, np.ones(n), level)
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=n,
        n_missing=n_missing,
        n_censored=n_censored,
        unit="seconds" if name.endswith("_s") else "per issue",
        method=method,
        notes=doubts if n else ("Missing values were propagated." if propagate else "empty",),
        name=name,
        definition=f"mean over resolved issues of {_DEFINITIONS[name]}",
        numerator=float(known.sum()) if n else None,
        denominator=n or None,
    )
