"""Critical points: touchpoints in the order in which fixing them pays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import difference_of_shares
from cxjourney._stats.estimates import why_no_interval
from cxjourney._stats.figure_ranks import rank_ranges
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level, check_names, check_rng, is_number
from cxjourney.critical._excess import (
    NEARNESS,
    SURELY_MORE,
    excess_of,
    peers_of,
    rank_table,
    ranked,
)
from cxjourney.critical._figures import (
    delay_columns,
    driver_columns,
    feeling_columns,
    must_pass_column,
    visit_columns,
)
from cxjourney.critical._reasons import Reason, reason_of
from cxjourney.dropoff import lost_of_journeys, rates_of_journeys
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import (
    Journeys,
    by_segment,
    chain_figures,
    check_counted,
    check_journeys,
    graph_of,
    grid_notes,
    mean_value,
    statistics_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.critical._excess import Excess
    from cxjourney.dropoff import NodeRates
    from cxjourney.journeys import BySegment, JourneyStatistics, SegmentBy


_FEW = 10
_SHOWN = (
    "touchpoint",
    "journeys",
    "reach",
    "exit_probability",
    "peers",
    "gain",
    "gain_low",
    "gain_high",
    "confidence",
    "removal_effect",
    "mark",
)
_GAIN = (
    "The gain is the conversions that would come in addition if exits fell to the rate of the "
    "peers and those who are kept went on like those who stay: an upper bound, not causal."
)
_CURSE = (
    "The order goes by what is left of the gain after shrinkage; the raw gain of the first of many "
    "looks larger than it is (winner's curse)."
)
_UNSTAGED = {
    NEARNESS: (
        "Touchpoints without a stage are compared with those as near to the goal, and confidence "
        "is that one stands apart from how these differ. Stages make better peers."
    ),
    "all": (
        "Touchpoints without a stage are compared with all others, since nothing tells which are "
        "nearer to the goal; confidence is that one stands apart from how these differ."
    ),
    "": (
        "Some touchpoints have no stage and too few others to be compared with: they have no "
        "peers, no gain and no confidence, and stand by what is lost there."
    ),
}
_ENDS = ("", "_low", "_high")
_PERCENT = (
    "exit_probability",
    "low",
    "high",
    "peers",
    "shrunken_excess",
    "confidence",
    "rework_rate",
    "rework_low",
    "rework_high",
    "removal_effect",
    "removal_low",
    "removal_high",
    *(
        f"{name}{end}"
        for name in ("reach", "excess", "wait_share", "driver_weight")
        for end in _ENDS
    ),
)
_FORMATS = (
    dict.fromkeys(_PERCENT, "percent")
    | dict.fromkeys(("wait_s", "wait_low_s", "wait_high_s"), "duration")
    | dict.fromkeys((f"gain_value{end}" for end in _ENDS), "money")
)


@attrs.frozen(kw_only=True, repr=False)
class CriticalPoints(Result):
    """What each touchpoint costs and carries, in the order in which to fix them.

    Attributes
    ----------
    table
        The rows; see `points` for the columns.
    ranking
        Touchpoint names, first to fix first.
    rank_probability
        One row a touchpoint, in the order of the ranking: `rank_1` to `rank_5` and `later` (the
        probability that it comes there and that there is something to gain), `none` (that there
        is nothing to gain) and `top_three`; NaN where a touchpoint is marked.
    surely_first
        Whether the gain of the first is above that of every other one at the level of the
        intervals, all comparisons taken together, and its confidence reaches the level too.
    conversion_probability
        Probability that a journey converts [fraction].
    n_journeys
        Number of journeys.
    mean_conversion_value
        Mean value of a conversion [currency]; None where unknown.
    level
        Confidence level of the intervals.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "Critical points, first to fix first"

    table: Table
    ranking: tuple[str, ...]
    rank_probability: Table
    surely_first: bool
    conversion_probability: float
    n_journeys: int
    mean_conversion_value: float | None
    level: float
    caveats: tuple[str, ...] = ()

    def why(self, touchpoint: str) -> Reason:
        """Return why a touchpoint stands where it stands, in words and numbers.

        Parameters
        ----------
        touchpoint
            Its name.

        Raises
        ------
        UnknownName
            If it is not in the table.
        """
        if touchpoint not in self.ranking:
            raise UnknownName.among("touchpoint", touchpoint, self.ranking, where="the result")
        i = self.ranking.index(touchpoint)
        return reason_of(
            self.table.row(i),
            self.rank_probability.row(i),
            place=i + 1,
            of=len(self.ranking),
            n_journeys=self.n_journeys,
            level=self.level,
        )

    def plot(self, *, labelled: int = 12, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw what fixing would bring against how sure it is that there is something to fix.

        Parameters
        ----------
        labelled
            How many of the first are named.
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        apart = any(group in _UNSTAGED for group in self.table["peer_group"])
        return plot.impact_confidence(
            self.ranking,
            self.table["gain"],
            self.table["confidence"],
            low=self.table["gain_low"],
            high=self.table["gain_high"],
            labelled=labelled,
            impact_label=f"gain [conversions], {100 * self.level:g}% interval",
            caption="Fix first what stands at the upper right: much to gain, and surely something "
            "to fix. Numbers are ranks; lines are intervals of the gain.",
            confidence_label="probability that exits "
            + ("stand apart" if apart else "lie above those of the peers"),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _shown(self) -> Table:
        marked = any(self.table["mark"])
        return self.table.select([name for name in _SHOWN if marked or name != "mark"])

    def _notes(self) -> tuple[str, ...]:
        notes = [
            f"The conversion rate is {self.conversion_probability:.1%}.",
            _GAIN,
            f"The intervals are {100 * self.level:g}% intervals of the raw figures. {_CURSE}",
            "The removal effect is the share of the conversions that go through the touchpoint.",
            "Gains at several touchpoints do not add up.",
            *self.caveats,
        ]
        first = float(self.rank_probability["rank_1"][0]) if self.ranking else math.nan
        if self.surely_first:
            sure = (
                f"{self.ranking[0]!r} surely comes first, however the others are compared with it"
            )
            notes.insert(1, f"{sure} (all at once at {100 * self.level:g}%).")
        elif not math.isnan(first):
            notes.insert(1, f"{self.ranking[0]!r} comes first with a probability of {first:.0%}.")
        groups = set(self.table["peer_group"])
        return (*(said for group, said in _UNSTAGED.items() if group in groups), *notes)


@overload
def points(
    journeys: Journeys | JourneyStatistics,
    *,
    effort: Mapping[str, float] | None = None,
    value: float | None = None,
    expected_exits: Collection[str] = (),
    level: float = 0.95,
    segment: None = None,
    rng: np.random.Generator | int | None = 0,
) -> CriticalPoints: ...


@overload
def points(
    journeys: Journeys | JourneyStatistics,
    *,
    effort: Mapping[str, float] | None = None,
    value: float | None = None,
    expected_exits: Collection[str] = (),
    level: float = 0.95,
    segment: SegmentBy,
    rng: np.random.Generator | int | None = 0,
) -> BySegment[CriticalPoints]: ...


def points(
    journeys: Journeys | JourneyStatistics,
    *,
    effort: Mapping[str, float] | None = None,
    value: float | None = None,
    expected_exits: Collection[str] = (),
    level: float = 0.95,
    segment: SegmentBy | None = None,
    rng: np.random.Generator | int | None = 0,
) -> CriticalPoints | BySegment[CriticalPoints]:
    """Return what each touchpoint costs and carries, in the order in which to fix them.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped, or statistics of them: what is felt and
        `driver_weight` are then NaN.
    effort
        Touchpoint to what fixing it would take, in any one unit (person-days, say): gains are
        divided by it. Touchpoints that are not named come last, marked. None ranks by gain alone.
    value
        Mean value of a conversion [currency]; None takes that of the goal interactions.
    expected_exits
        Touchpoints where a journey may well end, such as a confirmation page: listed last, and no
        peers of others. An exit there is an exit all the same; touchpoints that *are* exits are
        the `exit_touchpoints=` of `InteractionLog.journeys`.
    level
        Confidence level of the intervals, in (0, 1).
    segment
        An attribute that divides journeys; then each segment has a result of its own.
    rng
        A generator or seed for the draws behind confidence and rank probabilities; None draws anew
        each time.

    Returns
    -------
    CriticalPoints
        One row a touchpoint, first to fix first; NaN where the data do not say. `BySegment` of them
        with `segment`. Columns, each estimate with its ends `…_low` and `…_high` where it has an
        interval:

        - `touchpoint`, `visits`, `journeys`: its name, visits, and journeys that come by;
        - `reach`: share of the journeys that come by [fraction];
        - `rework_rate` (ends `rework_low`, `rework_high`): share of the visits that are not the
          first of their journey there [fraction];
        - `exit_probability` (ends `low`, `high`) [fraction]; `lift`: its ratio to that of all other
          touchpoints;
        - `peer_group`, `peers`: the stage that it is compared with, "nearness to the goal" where
          there is no stage ("all" where all are equally near, "" where too few are left), and the
          exit probability there without it [fraction];
        - `excess`: exit probability less that of the peers; `shrunken_excess`: its posterior mean,
          without an interval;
        - `gain`: conversions more if the excess were gone; `gain_value`: the same in money;
        - `confidence`: posterior probability that it loses more than the peers of its stage or,
          without a stage, that it stands apart from how touchpoints as near to the goal differ
          [fraction];
        - `lost_conversions` (ends `lost_low`, `lost_high`): conversions more if nobody left there;
        - `removal_effect` (ends `removal_low`, `removal_high`): share of the conversions that go
          through it [fraction]; `must_pass`: "every", "nearly every" or "";
        - `wait_s` (ends `wait_low_s`, `wait_high_s`): mean time to the next visit [s];
          `wait_share`: share of all time between visits [fraction];
        - `emotion`, `score`: means; `emotion_valley`, `score_valley`: whether each is surely below
          that of all other touchpoints; `driver_weight`: share of the variance of conversion that
          the score given there accounts for [fraction];
        - `effort`; `priority`: what the order goes by; `mark`: why a row stands behind others.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    NotAbsorbing
        If the goal does not end a journey (`after_goal="keep"`).
    UnknownName
        If `effort` or `expected_exits` name a touchpoint that does not occur.
    InvalidValue
        If an effort is not positive, or an argument breaks its rule.

    Notes
    -----
    The excess of x is `e_x - m_x` with `m_x` the rate of the other touchpoints of its stage,
    weighed by what each says about the Beta prior of the rates. Where a touchpoint has no stage, or
    its stage fewer than three, `m_x` is what a line of the logit of the rate on the nearness to the
    goal says at x, drawn through the others: exits fall along the way by themselves, and a mean of
    all would accuse every early touchpoint. Nearness is the arcsine √ of the probability that a
    journey which goes on from x converts; its own error is counted. With `t = excess / (1 - e_x)`
    the gain is `J v_x t h_x / (1 - t (N_xx - 1))`: the conversion probability re-solved in closed
    form. Priority is the posterior mean of the gain `J v_x h_x (e_x - m_x) / (1 - e_x)`, divided by
    effort; those that lose no more than their peers follow by what is lost there at all.
    Touchpoints of fewer than ten journeys come after all others, marked. Where hardly anything is
    lost, as at a service desk, the gains say little: see `bottlenecks` and `rework`.

    The posterior is that of a mixture: logits of rates vary about the mean of their stage (or the
    line) by N(0, τ²), nine in ten, or by N(0, τ² + .6²), one in ten; τ, means and slopes are
    integrated over, not estimated. Variances are clustered by customer; errors of different
    touchpoints are taken as independent, which errs on the safe side where frail customers push
    them the same way. Shrunken excess, confidence and rank probabilities all come from the same
    1,000 draws, which know that the first was picked after looking. They hold on average over logs
    like the prior, not in each: see [the calibration](../explanation/calibration-critical.md).
    Without stages only what stands apart counts as to be gained.

    Everything else is computed again without each of 64 buckets of customers. The interval of the
    excess is that of a difference of two shares, of the gain Student's, of the removal effect
    Wilson's. `surely_first` compares gains by Tukey's studentized range.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["ad", "web", "cart"], ["web"], ["ad", "web"]],
    ...     converted=[30, 5, 0], dropped=[10, 45, 10],
    ... )
    >>> found = cx.critical.points(journeys)
    >>> found.ranking
    ('web', 'cart', 'ad')
    """
    journeys = check_counted(journeys)
    check_level(level)
    expected = check_names(expected_exits, "expected_exits")
    journeys.require_determined("critical.points()")
    mean_conversion_value = _mean_conversion_value(journeys, value)
    names = statistics_of(journeys).names
    costs = _efforts(effort, names)
    for kind, given in (("expected exit", expected), ("effort of touchpoint", effort or ())):
        for name in given:
            if name not in names:
                raise UnknownName.among(kind, name, names, where="the journeys")
    check_rng(rng)
    if segment is not None:
        return by_segment(
            check_journeys(journeys),
            segment,
            lambda part: points(
                part,
                effort=_known(effort, part),
                value=value,
                expected_exits=[x for x in expected if x in statistics_of(part).names],
                level=level,
                rng=rng,
            ),
        )
    rates = rates_of_journeys(journeys, "touchpoint", expected_exits=frozenset(expected))
    graph, chain = graph_of(journeys), chain_figures(journeys)
    n = float(graph.graph["n_journeys"])
    peers = peers_of(rates, chain)
    excess = excess_of(rates, peers, chain, check_rng(rng))
    lost = lost_of_journeys(rates, journeys, "touchpoint")
    by_journey = np.array([graph.nodes[name]["journeys"] for name in names], dtype=np.int64)
    priority = _priority(n * excess.drawn_gain.mean(axis=0), costs)
    marks, classes = _classes(
        rates,
        by_journey,
        costs,
        no_peers=np.isnan(excess.peers.whole),
        unknown=np.isnan(priority),
    )
    order = ranked(priority, lost.whole, classes)
    in_order = classes == 0
    per_effort = excess.gain.map(lambda gain: np.where(in_order, gain / costs, np.nan))
    worst_rank = rank_ranges(per_effort, level=level, together=True)[1]
    ends: dict[str, tuple[Floats, Floats]] = {
        "exit": rates.figures.wilson(level),
        "lift": rates.lift.positive(level),
        "excess": difference_of_shares(excess.own, excess.peers, level=level)[:2],
        "gain": excess.gain.student(level),
        "lost": lost.positive(level),
        "removal": chain.removal.wilson(level),
    }
    columns: dict[str, Any] = {"touchpoint": names, "visits": rates.visits, "journeys": by_journey}
    columns |= visit_columns(journeys, names, level)
    columns |= _with_ends("exit_probability", rates.rate, "", 1.0, ends["exit"])
    columns["peer_group"] = peers.group
    columns |= _gain_columns(excess, n, ends)
    columns["confidence"] = excess.confidence
    columns |= _with_ends("lost_conversions", n * lost.whole, "lost", n, ends["lost"])
    columns |= _with_ends("removal_effect", chain.removal.whole, "removal", 1.0, ends["removal"])
    columns |= _with_ends("lift", rates.lift.whole, "lift", 1.0, ends["lift"])
    for end in ("", "_low", "_high"):
        columns[f"gain_value{end}"] = mean_conversion_value * columns[f"gain{end}"]
    columns["must_pass"] = must_pass_column(journeys, names)
    columns |= delay_columns(journeys, names, level)
    columns |= feeling_columns(journeys, names, level)
    columns |= driver_columns(journeys, names, level)
    columns |= {"effort": costs, "priority": priority, "mark": marks}
    return CriticalPoints(
        table=Table(columns, formats=_FORMATS, backend=journeys.backend).take(order),
        ranking=tuple(names[i] for i in order.tolist()),
        rank_probability=rank_table(
            names,
            np.where(excess.drawn > SURELY_MORE, excess.drawn_gain, 0.0) / costs,
            ranked=in_order,
            order=order,
            backend=journeys.backend,
        ),
        surely_first=bool(
            len(order) > 1 and worst_rank[order[0]] == 1 and excess.confidence[order[0]] >= level
        ),
        conversion_probability=float(chain.conversion.whole),
        n_journeys=int(n),
        mean_conversion_value=None if math.isnan(mean_conversion_value) else mean_conversion_value,
        level=level,
        caveats=(*why_no_interval(rates.figures), *_unknown(journeys)),
    )


def _unknown(journeys: Journeys | JourneyStatistics) -> tuple[str, ...]:
    """Return what statistics that add up leave open."""
    if isinstance(journeys, Journeys):
        return ()
    return (*grid_notes(journeys), "What is felt, and what it drives, needs rows of journeys.")


def _gain_columns(
    excess: Excess, n: float, ends: Mapping[str, tuple[Floats, Floats]]
) -> dict[str, Floats]:
    """Return the excess and what it costs; a touchpoint below its peers has nothing to gain."""
    gain_ends = (np.maximum(end, 0.0) for end in ends["gain"])
    return (
        {"peers": excess.peers.whole}
        | _with_ends("excess", excess.raw, "excess", 1.0, ends["excess"])
        | {"shrunken_excess": excess.drawn.mean(axis=0)}
        | _with_ends("gain", n * np.maximum(excess.gain.whole, 0.0), "gain", n, gain_ends)
    )


def _with_ends(
    name: str, value: Floats, stem: str, scale: float, ends: Iterable[Floats]
) -> dict[str, Floats]:
    """Return an estimate, and both ends of its interval scaled, as columns."""
    low, high = ends
    separator = "_" if stem else ""
    return {
        name: value,
        f"{stem}{separator}low": scale * low,
        f"{stem}{separator}high": scale * high,
    }


def _known(effort: Mapping[str, float] | None, part: Journeys) -> dict[str, float] | None:
    """Return the effort at those touchpoints that occur."""
    if effort is None:
        return None
    names = set(statistics_of(part).names)
    return {name: cost for name, cost in effort.items() if name in names}


def _efforts(effort: Mapping[str, float] | None, names: tuple[str, ...]) -> Floats:
    """Return the effort of each touchpoint: one where none is asked for, NaN where not given."""
    if effort is None:
        return np.ones(len(names))
    costs = np.full(len(names), np.nan)
    if not hasattr(effort, "items"):
        raise InvalidValue.of("effort", "be a dict of effort by touchpoint", effort)
    for name, cost in effort.items():
        if isinstance(cost, bool) or not is_number(cost) or not 0 < cost < math.inf:
            raise InvalidValue.of(f"effort of {name!r}", "be a positive, finite number", cost)
        if name in names:
            costs[names.index(name)] = cost
    return costs


def _mean_conversion_value(journeys: Journeys | JourneyStatistics, value: float | None) -> float:
    if value is not None:
        if isinstance(value, bool) or not is_number(value) or not 0 <= value < math.inf:
            raise InvalidValue.of("value", "be a finite number, at least 0", value)
        return float(value)
    return mean_value(journeys)


def _priority(gain: Floats, costs: Floats) -> Floats:
    """Return gain per effort; 0 where nothing is to be gained."""
    return np.maximum(gain, 0.0) / np.where(np.isnan(costs), 1.0, costs)


def _classes(
    rates: NodeRates, journeys: Ints, costs: Floats, *, no_peers: Bools, unknown: Bools
) -> tuple[tuple[str, ...], Ints]:
    """Return why touchpoints stand behind the others, and how far behind."""
    reasons = (
        ("", np.ones(len(journeys), dtype=np.bool_)),
        ("no effort given", np.isnan(costs)),
        (f"fewer than {_FEW} journeys", journeys < _FEW),
        ("gain not defined", unknown),
        ("no peers", no_peers),
        ("everybody leaves", rates.rate >= 1),
        ("expected exit", rates.expected),
    )
    classes = np.zeros(len(journeys), dtype=np.int64)
    for place, (_, holds) in enumerate(reasons):
        classes[holds] = place
    return tuple(reasons[c][0] for c in classes.tolist()), classes
