"""Exit probabilities of nodes, and what each of them is worth in independent trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, exit_influence, move_mass
from cxjourney._stats.clustered import effective_sample
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.domain import DROPOFF
from cxjourney.journeys import By, Visits, visits_of
from cxjourney.kernels import customer_cells

if TYPE_CHECKING:
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import Journeys

__all__ = ["NodeRates", "Variance", "rates_of_graph", "rates_of_journeys"]

Variance = Literal["clustered", "greenwood"]


@attrs.frozen(kw_only=True, eq=False)
class NodeRates:
    """Exit probabilities, one a node, and those of all other nodes together.

    Attributes
    ----------
    names
        Names of the nodes.
    visits, exits, pending
        Counts; a visit is an exit if the journey was dropped there.
    rate
        Exit probability; NaN where no visit has come to an end.
    effective
        Number of independent visits that would say as much about `rate`.
    rest, rest_effective
        The same of all other nodes that count, weighted by their visits at risk.
    ceiling
        Whether the rate is a ceiling: no visit was followed up to the limit.
    """

    names: tuple[str, ...]
    visits: Ints
    exits: Ints
    pending: Ints
    rate: Floats
    effective: Floats
    rest: Floats
    rest_effective: Floats
    ceiling: Bools

    @property
    def at_risk(self) -> Ints:
        """Visits that came to an end."""
        return self.visits - self.pending


def rates_of_journeys(
    journeys: Journeys, by: By, *, variance: Variance, legitimate: frozenset[str]
) -> NodeRates:
    """Return the rates of journeys: Kaplan-Meier where there are times and a limit."""
    visits = visits_of(journeys, by)
    n = len(visits.names)
    weight = visits.weight
    ended = visits.state != OPEN
    exited = visits.following == visits.dropoff
    total = _counts(visits.node, weight, n)
    pending = _counts(visits.node[~ended], None if weight is None else weight[~ended], n)
    exits = _counts(visits.node[exited], None if weight is None else weight[exited], n)
    at_risk = total - pending
    if visits.wait_us is None or journeys.rules.inactivity is None:
        rate = _ratio(exits, at_risk)
        influence = np.where(ended, exited - rate[visits.node], 0.0)
        influence[ended] /= at_risk[visits.node[ended]]
        ceiling = np.zeros(n, dtype=np.bool_)
    else:
        rate, influence, ceiling = _kaplan_meier(visits, exited, at_risk)
    counts = np.array([name not in legitimate for name in visits.names], dtype=np.bool_)
    share = np.where(counts, at_risk, 0).astype(np.float64)
    share /= max(share.sum(), 1.0)
    clusters = _Clusters.of(visits, influence, clustered=variance == "clustered")
    rest = _others(rate, share)
    return NodeRates(
        names=visits.names,
        visits=total,
        exits=exits,
        pending=pending,
        rate=rate,
        effective=effective_sample(rate, clusters.variance(), total, clusters.units),
        rest=rest,
        rest_effective=effective_sample(
            rest,
            clusters.variance_of_others(share),
            (total * counts).sum() - total * counts,
            clusters.n_customers,
        ),
        ceiling=ceiling,
    )


def rates_of_graph(graph: JourneyGraph, *, legitimate: frozenset[str]) -> NodeRates:
    """Return the rates of a graph: its probabilities, visits taken as independent."""
    names = tuple(name for name, node in graph.nodes(data=True) if node.get("kind") == "touchpoint")
    visits, exits, pending = (
        np.array([graph.nodes[name].get(key, 0) for name in names], dtype=np.int64)
        for key in ("visits", "exits", "censored")
    )
    at_risk = visits - pending
    rate = np.array(
        [
            graph.edges[name, DROPOFF].get("probability", 0.0)
            if graph.has_edge(name, DROPOFF)
            else 0.0
            for name in names
        ],
        dtype=np.float64,
    )
    rate = np.where(at_risk > 0, rate, np.nan)
    counts = np.array([name not in legitimate for name in names], dtype=np.bool_)
    share = np.where(counts, at_risk, 0).astype(np.float64)
    total = share.sum()
    return NodeRates(
        names=names,
        visits=visits,
        exits=exits,
        pending=pending,
        rate=rate,
        effective=at_risk.astype(np.float64),
        rest=_others(rate, share / max(total, 1.0)),
        rest_effective=total - share,
        ceiling=np.zeros(len(names), dtype=np.bool_),
    )


@attrs.frozen(kw_only=True, eq=False)
class _Clusters:
    """Influences summed within the customers of each node.

    Attributes
    ----------
    node, customer, sums, ended, weight
        One entry a customer at a node; `ended` is whether any visit there came to an end,
        `weight` is how many such customers there are.
    n_nodes
        Number of nodes.
    corrected
        Whether variances carry C / (C - 1).
    """

    node: Ints
    customer: Ints
    sums: Floats
    ended: Bools
    weight: Floats
    n_nodes: int
    corrected: bool

    @classmethod
    def of(cls, visits: Visits, influence: Floats, *, clustered: bool) -> _Clusters:
        n = len(visits.names)
        # an aggregated path stands for many customers, each with this one journey
        unit = visits.customer if clustered else np.arange(len(visits))
        first, at = customer_cells(visits.node, unit, n)
        weight = np.ones(len(first))
        if visits.weight is not None:
            weight[at] = visits.weight
        return cls(
            node=visits.node[first],
            customer=unit[first],
            sums=np.bincount(at, influence, minlength=len(first)).astype(np.float64),
            ended=np.bincount(at[visits.state != OPEN], minlength=len(first)) > 0,
            weight=weight,
            n_nodes=n,
            corrected=clustered,
        )

    @property
    def units(self) -> Floats:
        """Number of customers with a visit that came to an end, at each node."""
        return self._total(self.ended.astype(np.float64))

    @property
    def n_customers(self) -> float:
        """Number of customers with a visit that came to an end, at any node."""
        weight = np.zeros(int(self.customer.max()) + 1 if len(self.customer) else 0)
        weight[self.customer[self.ended]] = self.weight[self.ended]
        return float(weight.sum())

    def variance(self) -> Floats:
        """Return the variance of each node's rate; NaN with a single customer."""
        return self._total(self.sums**2) * self._correction(self.units)

    def variance_of_others(self, share: Floats) -> Floats:
        """Return the variance of the rate of all other nodes, weighted by `share`."""
        own = self.sums * share[self.node]
        whole = np.bincount(self.customer, own)
        n = np.bincount(self.customer, self.weight) / np.maximum(np.bincount(self.customer), 1)
        spread = (n * whole**2).sum() - self._total(2 * whole[self.customer] * own - own**2)
        left = 1.0 - share
        with np.errstate(divide="ignore", invalid="ignore"):
            variance: Floats = np.where(left > 0, np.maximum(spread, 0.0) / left**2, np.nan)
        return variance * self._correction(np.full(self.n_nodes, self.n_customers))

    def _total(self, values: Floats) -> Floats:
        return np.bincount(self.node, values * self.weight, minlength=self.n_nodes).astype(
            np.float64
        )

    def _correction(self, units: Floats) -> Floats:
        if not self.corrected:
            return np.ones(len(units))
        with np.errstate(divide="ignore", invalid="ignore"):
            factor: Floats = np.where(units > 1, units / (units - 1), np.nan)
        return factor


def _kaplan_meier(visits: Visits, exited: Bools, at_risk: Ints) -> tuple[Floats, Floats, Bools]:
    assert visits.wait_us is not None  # noqa: S101 - the caller has looked
    n = len(visits.names)
    mass = move_mass(visits.node, visits.wait_us, visits.state, n)
    goes_on = (visits.state == MOVED) & ~exited
    moves = np.bincount(visits.node[goes_on], mass[goes_on], minlength=n)
    rate: Floats = (1.0 - moves).astype(np.float64)
    rate[at_risk == 0] = np.nan
    # rounding of a sum of masses, not a probability
    rate[np.abs(rate) < 1e-12] = 0.0
    explicit = exited & (visits.state == MOVED)
    influence = exit_influence(visits.node, visits.wait_us, visits.state, explicit)
    longest = np.full(n, -1, dtype=np.int64)
    np.maximum.at(longest, visits.node[visits.state != OPEN], visits.wait_us[visits.state != OPEN])
    still = np.full(n, -1, dtype=np.int64)
    np.maximum.at(still, visits.node[visits.state == OPEN], visits.wait_us[visits.state == OPEN])
    return rate, influence, (still >= longest) & (rate > 0)


def _counts(node: Ints, weight: Ints | None, n: int) -> Ints:
    return np.bincount(node, weight, minlength=n).astype(np.int64)


def _ratio(part: Ints, whole: Ints) -> Floats:
    out = np.full(len(whole), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _others(rate: Floats, share: Floats) -> Floats:
    """Return the mean rate of all other nodes, weighted by share; NaN where there are none."""
    weighted = np.where(share > 0, rate * share, 0.0)
    left = share.sum() - share
    out = np.full(len(rate), np.nan)
    np.divide(weighted.sum() - weighted, left, out=out, where=left > 1e-12)
    return out.clip(0.0, 1.0)
