"""Hand-off loss: drop-off after a switch against drop-off after arriving without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.aalen_johansen import OPEN
from cxjourney._stats.normal_pooling import shrunken_effects, spread_of
from cxjourney._stats.significance import false_discovery
from cxjourney._support.array_types import Bools, Ints
from cxjourney._support.distinct import distinct
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_flag, check_level
from cxjourney._support.words import at_most
from cxjourney.domain import Outcome
from cxjourney.journeys import (
    CONVERTED,
    DROPPED,
    BySegment,
    JourneyStatistics,
    SegmentBy,
    WithPeople,
    by_segment,
    check_counted,
    check_journeys,
    units_of,
    visited,
    visits_of,
    with_people,
)
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._arms import Arms, Difference, difference, difference_within
from cxjourney.omnichannel._arrivals import Arrivals, Handoffs, arms_of_journeys, arrivals_of
from cxjourney.omnichannel._channel_transitions import (
    ChannelBy,
    order_notes,
)
from cxjourney.omnichannel._handoff_counts import REFERENCES, handoffs_counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cxjourney.journeys import Ending, Journeys, Visits

_Compare: TypeAlias = Callable[[int, Ints], Difference]
_LATEST = 20  # from this visit of a journey on all are one stratum
_GOES_ON = 0.5  # how often customers come again after a drop-off, over after a conversion
_DETAILS = ("dropped_after", "dropped_without", "compared", "stays", "censored")
_PERCENT = dict.fromkeys(
    ("loss", "low", "high", "shrunken", "dropped_after", "dropped_without"), "percent"
)


@attrs.frozen(kw_only=True, repr=False)
class HandoffLoss(WithPeople):
    """Drop-off after a switch minus drop-off after arriving without one.

    `journeys(from, to)` gives the journeys with such an arrival, with `outcome="dropped"` those
    that dropped right after it.

    Attributes
    ----------
    by
        What is switched.
    pairs
        One row an observed switch, worst first by the shrunken value.

        | column | what it is |
        |---|---|
        | `from_channel`, `to_channel` | of the switch; named after `by` |
        | `arrivals` | arrivals by this switch |
        | `loss`, `low`, `high` | difference in drop-off [fraction, -1 to 1], and its interval |
        | `shrunken` | the loss drawn towards that of all pairs; the order goes by it |
        | `p`, `adjusted_p` | of no difference; corrected as Benjamini and Yekutieli do |
        | `dropped_after`, `dropped_without` | the two drop-off probabilities [fraction] |
        | `compared`, `stays` | arrivals with and without a switch in strata that have both |
        | `censored` | how many of those compared are censored |

        Numbers are NaN where no stratum has both kinds of arrivals. The correction is one for
        dependent tests, since pairs share those that they are compared with.
    destinations
        One row a destination, all switches into it together, with the same columns but for the
        shrunken value and the corrected p.
    pooled
        All destinations together [fraction].
    spread
        Standard deviation of the pairs' true losses beyond chance [fraction].
    strata
        Within what arrivals were compared; None where the destination alone.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Hand-off loss"

    by: ChannelBy
    pairs: Table
    destinations: Table
    pooled: Estimate
    spread: float
    strata: ChannelBy | None
    level: float
    notes: tuple[str, ...]

    @property
    def alarms(self) -> Table:
        """The pairs that lose customers beyond chance, after correction for their number."""
        sure = np.asarray(self.pairs["adjusted_p"]) <= 1 - self.level
        return self.pairs.take(np.flatnonzero(sure & (np.asarray(self.pairs["loss"]) > 0)))

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw what each switch loses with its interval, the worst on top; zero is dashed.

        Parameters
        ----------
        max_rows
            Only so many of the worst switches are drawn; None draws all.
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
            table["loss"],
            table["low"],
            table["high"],
            n=table["compared"],
            reference=0.0,
            percent=True,
            label=f"drop-off after the switch minus without, {100 * self.level:g}% interval",
            caption="Right of the dashed line more customers drop off after the switch than "
            "without it. The worst stand on top, rare switches drawn towards the mean of all."
            + plot.drawn_of(len(table), len(self.pairs), "switches"),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _table(self) -> Table:
        return self.pairs

    def _notes(self) -> tuple[str, ...]:
        return (f"All destinations together: {self.pooled!r}.", *self.notes)


@overload
def handoff_loss(
    journeys: Journeys | JourneyStatistics,
    *,
    by: ChannelBy = "channel",
    reference: Literal["stayed", "stayed_or_started"] = "stayed",
    strata: ChannelBy | None = "touchpoint",
    within_customers: bool = False,
    segment: None = None,
    level: float = 0.95,
) -> HandoffLoss: ...


@overload
def handoff_loss(
    journeys: Journeys | JourneyStatistics,
    *,
    by: ChannelBy = "channel",
    reference: Literal["stayed", "stayed_or_started"] = "stayed",
    strata: ChannelBy | None = "touchpoint",
    within_customers: bool = False,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[HandoffLoss]: ...


def handoff_loss(
    journeys: Journeys | JourneyStatistics,
    *,
    by: ChannelBy = "channel",
    reference: Literal["stayed", "stayed_or_started"] = "stayed",
    strata: ChannelBy | None = "touchpoint",
    within_customers: bool = False,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> HandoffLoss | BySegment[HandoffLoss]:
    """Return how many more customers are lost after a switch than after arriving without one.

    Parameters
    ----------
    journeys
        The journeys, with outcomes that say when one is over.
    by
        "channel"; "owner" for hand-overs between teams; "kind" for those between kinds of channel,
        such as from automated to human; "stage" or "touchpoint".
    reference
        With whom arrivals are compared: those whose interaction before was at the destination
        already ("stayed"), or also journeys that began there ("stayed_or_started").
    strata
        Compare arrivals at the same touchpoint (or stage …) with each other, and pool over these
        (Mantel and Haenszel): who switches mostly arrives elsewhere than who stays, and no place
        loses as many as the next. None compares all arrivals at the destination: for logs whose
        touchpoints are reached either always or never by a switch.
    within_customers
        Whether to compare arrivals of the same customer alone, as many visits into a journey: then
        customers who leave easily and also switch more do not make a loss. That takes customers who
        come again after a drop-off, and journeys, not statistics. The journey after which a
        customer was not seen again is left out, since the length of a series that a loss ends is an
        outcome. Where customers come again
        less often after a drop-off than after a conversion the differences are too small, and where
        not half as often nothing is compared.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    level
        Confidence level, in (0, 1); a pair is an alarm at `adjusted_p` ≤ 1 - level.

    Returns
    -------
    HandoffLoss
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    OutcomeUndetermined
        If nothing says when a journey without the goal is over.
    TimesRequired
        If `within_customers` is asked for of aggregated paths, which have no customers.
    UnknownName
        If the log has no such column.

    Notes
    -----
    Each drop-off probability is the Kaplan-Meier survival of the time to the next touch at the
    inactivity limit, so that censored visits count for as long as they were seen: "no interaction
    within the limit", not "never returns". The interval is Newcombe's hybrid of two Wilson
    intervals, clustered by customer; there is none where a side rests on fewer than three customers
    or so. Pairs are ranked by values shrunken toward their mean (DerSimonian-Laird,
    normal-normal), because the largest of many raw losses is mostly that of a small pair; even so
    the worst of many, picked after looking, is overstated. Customers who switch differ from those
    who do not: this is an association, and where customers who leave easily also switch more the
    default finds a loss that no hand-off makes. Within customers there are no such differences, but
    fewer pairs to compare; fixed effects take events that may come again (Allison and Christakis
    2006).

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> paths = [["web", "web"], ["web", "phone"], ["phone", "phone"], ["phone", "phone", "web"]]
    >>> journeys = Journeys.from_paths(
    ...     paths, converted=[80, 40, 70, 90], dropped=[20, 60, 30, 10], channels=True
    ... )
    >>> found = handoff_loss(journeys)
    >>> [(row["from_channel"], row["to_channel"], row["arrivals"]) for row in found.pairs]
    [('web', 'phone', 100), ('phone', 'web', 100)]
    >>> [round(float(loss), 3) for loss in found.pairs["loss"]]  # 0.6 - 30/200, 0.1 - 20/100
    [0.45, -0.1]
    """
    check_flag(within_customers, "within_customers")
    source = check_counted(journeys, within_customers=within_customers or None)
    if segment is not None:
        return by_segment(
            check_journeys(journeys),
            segment,
            lambda part: handoff_loss(
                part,
                by=by,
                reference=reference,
                strata=strata,
                within_customers=within_customers,
                level=level,
            ),
        )
    check_level(level)
    check_choice(reference, "reference", REFERENCES)
    source.require_determined("handoff_loss")
    if isinstance(source, JourneyStatistics):
        found = handoffs_counted(source, by, strata, reference)
        return _loss(source, found, by, strata, None, level=level)
    visits = visits_of(source)  # waits and ends do not depend on the grain
    arrivals = arrivals_of(source, by, strata, reference)
    followed = _followed(source)
    dropped, converted = (_share(followed, source.outcome == how) for how in (DROPPED, CONVERTED))
    found = Handoffs(
        names=arrivals.names,
        arms=arms_of_journeys(source, visits, arrivals),
        n_strata=arrivals.n_strata,
        n_unknown=arrivals.n_unknown,
        notes=order_notes(source, by, closing=False),
        again=(dropped, converted),
    )
    within = None
    if within_customers:
        source.require_times("within_customers=")
        within = _Within(
            compare=_within_customers(source, visits, arrivals, followed, level),
            n_left_out=int(np.count_nonzero(~followed)),
        )

    def members(_place: int, switch: tuple[str, ...], outcome: Ending | None) -> Bools:
        these = arrivals_of(source, by, strata, reference)  # found again: results shall be small
        begin, end = map(these.names.index, switch)
        such = these.known & (these.before == begin) & (these.node == end)
        return visited(visits_of(source), such, outcome)

    return with_people(_loss(source, found, by, strata, within, level=level), source, members)


@attrs.frozen(kw_only=True, eq=False)
class _Within:
    """What compares arrivals within customers, and how many journeys are left out there."""

    compare: _Compare
    n_left_out: int


def _loss(
    source: Journeys | JourneyStatistics,
    handoffs: Handoffs,
    by: ChannelBy,
    strata: ChannelBy | None,
    within: _Within | None,
    *,
    level: float,
) -> HandoffLoss:
    arms, again, n_strata = handoffs.arms, handoffs.again, handoffs.n_strata
    k = max(1, len(handoffs.names))
    notes = list(handoffs.notes)
    if handoffs.n_unknown:
        notes.append(f"{handoffs.n_unknown:,} arrivals without a recorded {strata} are left out.")
    goes_on = again[0] > 0 and again[0] >= _GOES_ON * again[1]
    if within is not None:
        notes.append(_of_series(within.n_left_out, *again, goes_on=goes_on))
    compare: _Compare = _nothing
    if not source.outcomes[Outcome.DROPPED]:
        notes.append("No journey dropped off, so that there is no loss to compare.")
    elif within is None:
        compare = _across_customers(arms, k, n_strata, level)
    elif goes_on:
        compare = within.compare

    way, arrived = distinct(arms.key // n_strata)
    n_arrivals = np.bincount(arrived, arms.n, minlength=len(way)).astype(np.int64)
    pair = way[(way // k != way % k) & (way < k * k)]
    found = [compare(p // k, np.array([p % k])) for p in pair.tolist()]
    names = np.array([*handoffs.names, ""], dtype=object)
    columns = _columns(found, n_arrivals[np.searchsorted(way, pair)])
    values, variances = columns["loss"], np.array([d.variance for d in found])
    spread = spread_of(values, variances)
    ranked = shrunken_effects(values, variances, spread)
    order = np.lexsort((-values / np.sqrt(variances), -ranked))  # alike: the surer one first
    table = {
        f"from_{by}": names[pair // k].tolist(),
        f"to_{by}": names[pair % k].tolist(),
        **{name: columns[name] for name in ("arrivals", "loss", "low", "high")},
        "shrunken": ranked,
        "p": columns["p"],
        "adjusted_p": false_discovery(columns["p"], dependent=True),
        **{name: columns[name] for name in _DETAILS},
    }
    reached = way[way >= k * k] - k * k
    into = [compare(k, np.array([x])) for x in reached.tolist()]
    notes += _caveats(found, columns["arrivals"], spread.tau, level=level)
    if any(np.isfinite(d.value) for d in found):
        notes.append(
            _what_remains(again[0] if goes_on else 0.0, within_customers=within is not None)
        )
    pooled = compare(k, reached)
    notes += _grid_note([*found, *into, pooled])
    return HandoffLoss(
        by=by,
        pairs=Table(table, formats=_PERCENT, backend=source.backend).take(order),
        destinations=Table(
            {
                f"to_{by}": names[reached].tolist(),
                **_columns(into, n_arrivals[way >= k * k]),
            },
            formats=_PERCENT,
            backend=source.backend,
        ),
        pooled=_estimate(pooled, level=level),
        spread=spread.tau,
        strata=strata,
        level=level,
        notes=tuple(notes),
    )


def _nothing(_source: int, _to: Ints) -> Difference:
    return Difference()


def _across_customers(arms: Arms, k: int, s: int, level: float) -> _Compare:
    """Return what compares arrivals from a node, K for any other, with those who were there."""
    strata = np.arange(s)

    def compare(source: int, to: Ints) -> Difference:
        exposed = ((source * k + to)[:, None] * s + strata).ravel()
        stayed = ((to * k + to)[:, None] * s + strata).ravel()
        return difference(arms, arms.find(exposed), arms.find(stayed), level=level)

    return compare


def _within_customers(
    journeys: Journeys, visits: Visits, arrivals: Arrivals, followed: Bools, level: float
) -> _Compare:
    """Return the like within customers, at the same visit of a journey.

    The journey after which a customer was not seen again is left out: had it been counted, a series
    would be the longer the later its loss.
    """
    k, journey = arrivals.n_nodes, visits.journey
    lengths = journeys.lengths
    position = np.arange(len(journey)) - (np.cumsum(lengths) - lengths)[journey]
    used = arrivals.known & followed[journey] & (visits.state != OPEN)
    node, before, stratum = (
        axis[used].astype(np.int64) for axis in (arrivals.node, arrivals.before, arrivals.stratum)
    )
    key = (visits.customer[used] * k + node) * arrivals.n_strata + stratum
    key = key * (_LATEST + 1) + np.minimum(position[used], _LATEST)
    _, cell = np.unique(key, return_inverse=True)
    bucket = np.asarray(units_of(journeys).of)[journey[used]]
    lost = visits.following[used] == visits.dropoff

    def compare(source: int, to: Ints) -> Difference:
        there = np.isin(node, to)
        exposed = there & (before != node if source == k else before == source)
        return difference_within(cell, bucket, lost, exposed, there & (before == node), level=level)

    return compare


def _followed(journeys: Journeys) -> Bools:
    """Return whether each journey is followed by another of its customer."""
    customer = journeys.customer
    return np.append(customer[1:] == customer[:-1], False)[: len(customer)]


def _share(hit: Bools, base: Bools) -> float:
    return float(hit[base].mean()) if base.any() else 0.0


def _of_series(n_left_out: int, dropped: float, converted: float, *, goes_on: bool) -> str:
    said = (
        f"{dropped:.0%} of the drop-offs and {converted:.0%} of the conversions are followed by "
        "another journey of the customer."
    )
    if goes_on:
        return (
            f"{said} The {n_left_out:,} journeys after which the customer was not "
            "seen again are left out."
        )
    return (
        f"{said} So a drop-off ends the series of many, whose length is an outcome then: within "
        "customers nothing is compared (fixed effects are biased for events that do not repeat)."
    )


def _grid_note(found: list[Difference]) -> list[str]:
    """Return how far from raw times losses may lie, the last of them that of all destinations."""
    most = max(one.reach for one in found)
    if not most:
        return []
    lie = f"losses lie at most {at_most(most)} from those of raw times"
    together = f"that of all destinations together at most {at_most(found[-1].reach)}"
    return [f"Waits were counted on a grid: {lie}, {together}."]


def _what_remains(again: float, *, within_customers: bool) -> str:
    """Return what the comparison cannot remove."""
    if within_customers:
        return (
            "Arrivals of one customer are compared, so that lasting differences between customers "
            "are no loss. What differs between occasions, such as a harder case, remains: this is "
            "an association, not an effect."
        )
    note = (
        "Customers who switch differ from those who do not: this is an association, not an effect. "
        "Where customers who leave easily also switch more, a loss is found that no hand-off makes."
    )
    if not again:
        return note
    return (
        f"{note} {again:.0%} of the drop-offs are followed by another journey: "
        "within_customers=True compares arrivals of the same customer."
    )


def _estimate(found: Difference, *, level: float) -> Estimate:
    return Estimate(
        value=found.value,
        low=found.low,
        high=found.high,
        level=level,
        n=found.n_exposed,
        n_censored=found.censored,
        unit="fraction",
        method="Mantel-Haenszel, Newcombe hybrid clustered by customer",
        notes=() if found.n_exposed else ("empty",),
        name="handoff_loss",
        definition="P(lost after a switch) - P(lost after arriving without one), by destination",
    )


def _columns(found: list[Difference], arrivals: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    def numbers(name: str) -> NDArray[np.float64]:
        return np.array([getattr(d, name) for d in found], dtype=np.float64)

    return {
        "arrivals": arrivals,
        "loss": numbers("value"),
        "low": numbers("low"),
        "high": numbers("high"),
        "p": numbers("p"),
        "dropped_after": numbers("exposed"),
        "dropped_without": numbers("reference"),
        "compared": np.array([d.n_exposed for d in found], dtype=np.int64),
        "stays": np.array([d.n_reference for d in found], dtype=np.int64),
        "censored": np.array([d.censored for d in found], dtype=np.int64),
    }


def _caveats(
    found: list[Difference], arrivals: NDArray[np.int64], tau: float, *, level: float
) -> list[str]:
    """Return what to keep in mind with any such table, and what is particular to this one."""
    notes = []
    alone = sum(np.isnan(d.value) for d in found)
    censored = sum(d.censored for d in found)
    left_out = int(arrivals.sum()) - sum(d.n_exposed for d in found)
    if left_out:
        notes.append(
            f"{left_out:,} of {arrivals.sum():,} arrivals by a switch have nothing to be compared "
            f"with, nor have {alone:,} of {len(found):,} pairs: nobody stayed, or nobody on one "
            "side could be followed up to the inactivity limit."
        )
    vague = sum(np.isfinite(d.value) and np.isnan(d.low) for d in found)
    if vague:
        notes.append(
            f"{vague:,} of {len(found):,} pairs have no interval, because one side rests on fewer "
            "than three customers or so."
        )
    if censored:
        notes.append(
            f"{censored:,} arrivals by a switch are censored. They count for as long as "
            "they were seen "
            "(Kaplan-Meier at the inactivity limit)."
        )
    if len(found) - alone > 1:
        notes.append(
            f"Pairs are ranked by shrunken values; {100 * level:g}% intervals are of the "
            "raw ones. The "
            "worst of many is still overstated (winner's curse)."
        )
        if tau == 0:
            notes.append(
                "The pairs differ by no more than chance, so that every shrunken value is the mean."
            )
    return notes
