"""Exit probabilities of nodes, with those of all others and of their peers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.beta_shrinkage import peer_priors
from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.ratios import quotient
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.journeys import By, LeftOut, left_out, stages_of, stages_of_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import Journeys, JourneyStatistics

_NEXT_TO_NOTHING = 1e-6


@attrs.frozen(kw_only=True, eq=False)
class NodeRates:
    """Exit probabilities, one a node, and those of all other nodes together.

    Attributes
    ----------
    names
        Names of the K nodes.
    visits, exits, censored
        Counts; a visit is an exit if the journey was dropped there.
    figures
        The exit probabilities, shape (K,); NaN where no visit has come to an end.
    rest
        The exit probability of all other nodes that count, weighted by their visits at risk.
    stage
        Stage of each node, whose nodes are its peers; "" where it has none of its own.
    expected
        Whether an exit is expected at each node, so that it is compared with no other.
    ceiling
        Whether the rate is a ceiling: no visit was followed up to the limit.
    """

    names: tuple[str, ...]
    visits: Ints
    exits: Ints
    censored: Ints
    figures: BucketFigures
    rest: BucketFigures
    stage: tuple[str, ...]
    expected: Bools
    ceiling: Bools

    @property
    def rate(self) -> Floats:
        """Exit probability; NaN where no visit has come to an end."""
        return self.figures.whole

    @property
    def at_risk(self) -> Ints:
        """Visits that came to an end."""
        return self.visits - self.censored

    @cached_property
    def trials(self) -> Floats:
        """Independent visits that say as much about the rate; 0 where customers are too few."""
        return np.nan_to_num(self.figures.trials)

    @cached_property
    def lift(self) -> BucketFigures:
        """The ratio of each rate to that of all others; NaN where an exit is expected."""
        own, rest = self.figures, self.rest
        whole, without = (
            np.where(self.expected, np.nan, quotient(a, b))
            for a, b in ((own.whole, rest.whole), (own.without, rest.without))
        )
        # each bucket's part in the variance, were visits independent
        units = sum(
            part.units / np.maximum(part.units.sum(axis=0), 1.0) ** 2 for part in (own, rest)
        )
        return BucketFigures(whole=whole, without=without, units=np.asarray(units))

    @property
    def compared(self) -> Bools:
        """Whether a node is one to compare others with.

        Where exits are expected or everybody leaves a journey ends by itself, which says nothing
        of other nodes.
        """
        return ~self.expected & (self.rate < 1) & (self.trials > 0)

    @cached_property
    def priors(self) -> Mapping[str, tuple[float, float]]:
        """The Beta priors of the rates: "" is that of all nodes, a stage has its own."""
        return peer_priors(self.rate, self.trials, self.stage, self.compared)


def rates_of_journeys(
    journeys: Journeys | JourneyStatistics, by: By, *, expected_exits: frozenset[str] = frozenset()
) -> NodeRates:
    """Return the rates of journeys: Kaplan-Meier where there are times and a limit.

    They are computed once.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a node is.
    expected_exits
        Nodes that are compared with no other.
    """
    return journeys.memo.get(
        ("exit rates", by, expected_exits),
        lambda: _rates(left_out(journeys, by), stages_of(journeys, by), expected_exits),
    )


def rates_of_graph(
    graph: JourneyGraph, left: LeftOut, *, expected_exits: frozenset[str]
) -> NodeRates:
    """Return the rates of a graph: its probabilities, visits taken as independent.

    Parameters
    ----------
    graph
        The graph.
    left
        Its statistics of transitions without each bucket.
    expected_exits
        Nodes that are compared with no other.
    """
    return _rates(left, stages_of_graph(graph, left.whole.names), expected_exits)


def _rates(left: LeftOut, stage: tuple[str, ...], expected_exits: frozenset[str]) -> NodeRates:
    whole = left.whole
    k = len(whole.names)
    leaves = np.flatnonzero(whole.target == k + 2)
    at_risk = np.asarray(whole.at_risk, dtype=np.float64)
    others = at_risk - left.at_risk
    rate = whole.silence + np.bincount(whole.source[leaves], whole.probability[leaves], minlength=k)
    rate[at_risk == 0] = np.nan
    without = left.silence.copy()
    without[:, whole.source[leaves]] += left.probability[:, leaves]
    without[others <= 0] = np.nan
    expected = np.array([name in expected_exits for name in whole.names], dtype=np.bool_)
    # where visits are censored alone a bucket says little, but it says something
    units = np.where(left.visits > 0, np.maximum(left.at_risk, _NEXT_TO_NOTHING), 0.0)
    counted = np.where(expected, 0.0, units)
    silent = whole.exits - np.bincount(whole.source[leaves], whole.count[leaves], minlength=k)
    return NodeRates(
        names=whole.names,
        visits=whole.visits,
        exits=whole.exits,
        censored=whole.censored,
        figures=BucketFigures(whole=rate, without=without, units=units),
        rest=BucketFigures(
            whole=_of_others(rate, np.where(expected, 0.0, at_risk)),
            without=_of_others(without, np.where(expected, 0.0, others)),
            units=counted.sum(axis=1, keepdims=True) - counted,
        ),
        stage=stage,
        expected=expected,
        # silence that was never seen is what the longest of the censored visits leave open; a graph
        # has it as an edge that nobody took
        ceiling=((silent == 0) & (whole.silence > 0)) | ((whole.exits == 0) & (rate > 0)),
    )


def _of_others(rate: Floats, weight: Floats) -> Floats:
    """Return the mean rate of all other nodes, along the last axis; NaN where there are none."""
    weighted = np.where(weight > 0, rate * weight, 0.0)
    left = weight.sum(axis=-1, keepdims=True) - weight
    mean = quotient(weighted.sum(axis=-1, keepdims=True) - weighted, left)
    return np.clip(mean, 0.0, 1.0)
