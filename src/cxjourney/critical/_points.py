"""`points`: what each touchpoint costs and carries, first to mend first, and how sure that is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count, check_level, check_names, is_number
from cxjourney.critical._columns import (
    drawn_columns,
    exit_interval_columns,
    must_pass_column,
    observed,
)
from cxjourney.critical._excess import peers_of, resample
from cxjourney.critical._figures import (
    delay_columns,
    driver_columns,
    feeling_columns,
    visit_columns,
)
from cxjourney.critical._ranks import rank_table, ranked
from cxjourney.critical._reasons import Reason, reason_of
from cxjourney.dropoff import rates_of_journeys
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import check_journeys, mean_value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys import Journeys


__all__ = ["CriticalPoints", "points"]

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
_PERCENT = (
    "reach",
    "exit_probability",
    "peers",
    "excess",
    "shrunken_excess",
    "confidence",
    "removal_effect",
    "wait_share",
    "rework_rate",
    "driver_weight",
)
_MONEY = ("gain_value", "gain_value_low", "gain_value_high")
_DURATIONS = ("wait_s", "wait_low_s", "wait_high_s")


@attrs.frozen(kw_only=True, repr=False)
class CriticalPoints(Result):
    """What each touchpoint costs and carries, first to mend first.

    Attributes
    ----------
    table
        The rows; see `points` for the columns.
    ranking
        Touchpoint names, first to mend first.
    rank_probability
        One row a touchpoint, in the order of the ranking: `rank_1` to `rank_5` and `later` (the
        share of the replicates in which it came there), `top_three`, and the median, lowest and
        highest rank that the replicates leave open (`rank_median`, `rank_low`, `rank_high`).
    conversion_probability
        Probability that a journey converts [fraction].
    n_journeys
        Number of journeys.
    value
        What a conversion is worth [currency]; None where unknown.
    replicates
        Number of replicates, those that say nothing included.
    n_singular
        Replicates that say nothing: a loop without a way out.
    level
        Confidence level of the intervals.
    """

    title: ClassVar[str] = "Critical points, first to mend first"

    table: Table
    ranking: tuple[str, ...]
    rank_probability: Table
    conversion_probability: float
    n_journeys: int
    value: float | None
    replicates: int
    n_singular: int
    level: float

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
        """Draw what mending would bring against how sure it is that there is something to mend.

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
        return plot.impact_confidence(
            self.ranking,
            self.table["gain"],
            self.table["confidence"],
            low=self.table["gain_low"],
            high=self.table["gain_high"],
            labelled=labelled,
            impact_label=f"gain [conversions], {100 * self.level:g}% interval",
            confidence_label="confidence that exits lie above those of the peers",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _table(self) -> Table:
        return self.table

    def _shown(self) -> Table:
        marked = any(self.table["mark"])
        return self.table.select([name for name in _SHOWN if marked or name != "mark"])

    def _notes(self) -> tuple[str, ...]:
        sure = ""
        if self.ranking and self.replicates:
            first = self.rank_probability.row(0)["rank_1"]
            sure = (
                f"{self.ranking[0]!r} comes first in {first:.0%} of {self.replicates:,} replicates"
            )
        notes = (
            f"a journey converts with probability {self.conversion_probability:.1%}",
            sure,
            (
                "gain: conversions more if exits fell to the rate of the peers (the same stage, "
                "else all) and those kept went on like those who stay: an upper bound, not causal"
            ),
            (
                f"intervals are {100 * self.level:g}% and of raw estimates; the order goes by the "
                "shrunken gain, and the first of many looks worse than it is (winner's curse)"
            ),
            "removal effect: the share of the conversions that go through the touchpoint",
            "gains at several touchpoints do not add up",
            f"{self.n_singular:,} replicates had a loop without a way out"
            if self.n_singular
            else "",
        )
        return tuple(note for note in notes if note)


def points(
    journeys: Journeys,
    *,
    effort: Mapping[str, float] | None = None,
    value: float | None = None,
    legitimate: Collection[str] = (),
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
    level: float = 0.95,
) -> CriticalPoints:
    """Return what each touchpoint costs and carries, first to mend first.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped.
    effort
        Touchpoint to what mending it would take, in any one unit (person-days, say): gains are
        divided by it. Touchpoints that are not named come last, marked. None ranks by gain alone.
    value
        What a conversion is worth [currency]; None takes the mean value of the goal interactions.
    legitimate
        Touchpoints where a journey may well end, such as a confirmation page: listed last, and no
        peers of others.
    replicates
        Number of resampled logs behind intervals and rank probabilities; at least 1.
    rng
        A generator or seed; the same one gives the same result.
    level
        Confidence level of the intervals, in (0, 1).

    Returns
    -------
    CriticalPoints
        One row a touchpoint, each estimate with its ends `…_low` and `…_high`:

        - `visits`, `journeys`, `reach` (share of the journeys that come by);
        - `exit_probability` (`low`, `high`), `lift` (its ratio to that of all others);
        - `peer_group` and `peers` (the stage, and its rate without the touchpoint), `excess` over
          it, `shrunken_excess`, `confidence` (probability that it loses more than its peers);
        - `gain` (conversions more if the excess were gone), `gain_value`, `lost_conversions` (if
          nobody left at all), `removal_effect`, `must_pass`;
        - `wait_s`, `wait_share` (of all time between touches), `rework_rate`;
        - `emotion`, `score`, and whether each is a valley: `emotion_valley`, `score_valley`;
          `driver_weight` (share of the variance of conversion that the score given there accounts
          for);
        - `effort`, `priority` (what the order goes by), `mark` (why a row stands behind).

        NaN where the data does not say.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    NotAbsorbing
        If the goal does not end a journey (`after_goal="keep"`).
    UnknownName
        If `effort` or `legitimate` name a touchpoint that does not occur.
    InvalidValue
        If an effort is not positive, or an argument breaks its rule.

    Notes
    -----
    The excess of x is `e_x - m_x` with `m_x` the rate of the other touchpoints of its stage (of
    all others where the stage has fewer than three; where everybody leaves is no peer), weighed by
    what each says about the Beta prior of the rates; shrunken it is `B_x (e_x - m_x)` with
    `B_x = n_x / (n_x + a + b)`, so that a touchpoint with few visits cannot lead the list by luck.
    With `t = excess / (1 - e_x)` the gain is `J v_x t h_x / (1 - t (N_xx - 1))`: the conversion
    probability re-solved in closed form. Priority is the shrunken gain, divided by effort; those
    that lose no more than their peers follow by what is lost there at all. Touchpoints of fewer
    than ten journeys come after all others, marked. Where hardly anything is lost, as at a service
    desk, the gains say little: see `bottlenecks` and `rework`.

    Intervals are percentiles over logs in which customers count Poisson(1) times. Confidence is the
    posterior probability of a rate above the peers', averaged over their resampled rates; it is no
    p-value, and among forty touchpoints without any true difference some reach 95 %. Rank
    probabilities say in how many replicates each rank came out.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["ad", "web", "cart"], ["web"], ["ad", "web"]],
    ...     converted=[30, 5, 0], dropped=[10, 45, 10],
    ... )
    >>> found = cx.critical.points(journeys, rng=1)
    >>> found.ranking
    ('web', 'cart', 'ad')
    """
    check_journeys(journeys)
    check_level(level)
    check_count(replicates, "replicates")
    legitimate = check_names(legitimate, "legitimate")
    journeys.require_determined("critical.points()")
    graph = journeys.graph()
    worth = _worth(journeys, value)
    rates = rates_of_journeys(journeys, "touchpoint", expected_exits=frozenset(legitimate))
    names = rates.names
    for name in legitimate:
        if name not in names:
            raise UnknownName.among("legitimate end", name, names, where="the journeys")
    costs = _efforts(effort, names)
    ends = np.array([name in set(legitimate) for name in names], dtype=np.bool_)
    stage = tuple(str(graph.nodes[name].get("stage", "")) for name in names)
    # where everybody leaves, a journey ends by itself: that says nothing of the others
    usable = ~ends & (rates.rate < 1) & (rates.trials > 0)
    peers = peers_of(rates.rate, rates.trials, stage, usable)
    n = float(graph.graph["n_journeys"])
    by_journey = np.array([graph.nodes[name]["journeys"] for name in names], dtype=np.int64)
    seen = observed(graph, names, rates.rate, peers)
    drawn = resample(journeys, rates.rate, peers, n=replicates, rng=rng)
    priority = _priority(n * seen["shrunken_gain"], costs)
    marks, classes = _classes(
        ends,
        by_journey,
        costs,
        rates.rate,
        no_peers=np.isnan(seen["peers"]),
        unknown=np.isnan(priority),
    )
    order = ranked(priority, seen["lost"], classes)
    columns: dict[str, Any] = {"touchpoint": names, "visits": rates.visits, "journeys": by_journey}
    columns |= visit_columns(journeys, names, level)
    columns |= drawn_columns(names, peers, seen, drawn, n=n, level=level)
    columns |= exit_interval_columns(rates, level)
    for end in ("", "_low", "_high"):
        columns[f"gain_value{end}"] = worth * columns[f"gain{end}"]
    columns |= must_pass_column(graph, names)
    columns |= delay_columns(journeys, names, level)
    columns |= feeling_columns(journeys, names, level)
    columns |= driver_columns(journeys, names, level)
    columns |= {"effort": costs, "priority": priority, "mark": marks}
    fractions = {f"{name}{end}" for name in _PERCENT for end in ("", "_low", "_high")}
    formats = dict.fromkeys((*fractions, "low", "high", "rework_low", "rework_high"), "percent")
    formats |= dict.fromkeys(_DURATIONS, "duration") | dict.fromkeys(_MONEY, "money")
    table = Table(columns, formats=formats, backend=journeys.log.backend).take(order)
    singular = int(np.count_nonzero(np.isnan(drawn.conversion)))
    return CriticalPoints(
        table=table,
        ranking=tuple(names[i] for i in order.tolist()),
        rank_probability=rank_table(
            names,
            _priority(n * drawn.shrunken_gain, costs),
            drawn.lost,
            classes=classes,
            order=order,
            level=level,
            backend=journeys.log.backend,
        ),
        conversion_probability=float(seen["conversion"]),
        n_journeys=int(n),
        value=None if math.isnan(worth) else worth,
        replicates=replicates,
        n_singular=singular,
        level=level,
    )


def _efforts(effort: Mapping[str, float] | None, names: tuple[str, ...]) -> Floats:
    """Return the effort of each touchpoint: one where none is asked for, NaN where not given."""
    if effort is None:
        return np.ones(len(names))
    costs = np.full(len(names), np.nan)
    if not hasattr(effort, "items"):
        raise InvalidValue.of("effort", "be a dict of effort by touchpoint", effort)
    for name, cost in effort.items():
        if name not in names:
            raise UnknownName.among("effort of touchpoint", name, names, where="the journeys")
        if isinstance(cost, bool) or not is_number(cost) or not 0 < cost < math.inf:
            raise InvalidValue.of(f"effort of {name!r}", "be a positive, finite number", cost)
        costs[names.index(name)] = cost
    return costs


def _worth(journeys: Journeys, value: float | None) -> float:
    if value is not None:
        if isinstance(value, bool) or not is_number(value) or not 0 <= value < math.inf:
            raise InvalidValue.of("value", "be a finite number, at least 0", value)
        return float(value)
    return mean_value(journeys)


def _priority(gain: Floats, costs: Floats) -> Floats:
    """Return gain per effort; 0 where nothing is to be gained."""
    return np.maximum(gain, 0.0) / np.where(np.isnan(costs), 1.0, costs)


def _classes(
    ends: Bools,
    journeys: Ints,
    costs: Floats,
    rate: Floats,
    *,
    no_peers: Bools,
    unknown: Bools,
) -> tuple[tuple[str, ...], Ints]:
    """Return why touchpoints stand behind the others, and how far behind."""
    reasons = (
        ("", np.ones(len(ends), dtype=np.bool_)),
        ("no effort given", np.isnan(costs)),
        (f"fewer than {_FEW} journeys", journeys < _FEW),
        ("gain not defined", unknown),
        ("everybody leaves", rate >= 1),
        ("no peers", no_peers),
        ("legitimate end", ends),
    )
    classes = np.zeros(len(ends), dtype=np.int64)
    for place, (_, holds) in enumerate(reasons):
        classes[holds] = place
    return tuple(reasons[c][0] for c in classes.tolist()), classes
