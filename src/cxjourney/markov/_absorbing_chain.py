"""Absorbing Markov chain of a journey graph, in closed form."""

from __future__ import annotations

import math
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal, overload

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.validation import check_names
from cxjourney._support.words import counted, in_agreement
from cxjourney.exceptions import TimesRequired, UnknownName
from cxjourney.markov import _transitions
from cxjourney.markov._solver import Solver, sums

if TYPE_CHECKING:
    from collections.abc import Collection

    import networkx as nx

UNFOLLOWED = 0.01
"""Share of journeys that may outlast what was followed before a mean of times is NaN."""


@attrs.frozen(kw_only=True)
class Moments:
    """Mean and variance of what a journey takes until its end, from its start and from visits.

    Attributes
    ----------
    mean, variance
        From the start of a journey.
    mean_from, variance_from
        From a visit of each touchpoint.
    restricted_mean
        The mean up to the last time that visits were followed. Of times, the others are NaN where
        more than 1% of journeys come to a visit that outlasts what was followed.
    """

    mean: float
    variance: float
    restricted_mean: float = math.nan
    mean_from: FrozenMapping[float] = attrs.field(repr=False)
    variance_from: FrozenMapping[float] = attrs.field(repr=False)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class AbsorbingChain:
    """What follows from the transition probabilities of a graph alone.

    A journey moves from touchpoint to touchpoint with the probabilities of the graph's edges and
    ends in CONVERSION or DROPOFF. Build it with `from_graph`.

    Attributes
    ----------
    names
        The touchpoints.
    source, target, probability
        The transitions: codes 0 … K - 1 are `names`, then START, CONVERSION, DROPOFF and
        `censored`, the outcome of journeys of which the graph does not know the end.
    at_risk
        Visits that each row of probabilities rests on, START last.
    dwell_mean_s, dwell_square_s
        Mean and mean square of the time that each transition takes [s, s²]; NaN where unknown.
    unfollowed
        Probability that a visit of each touchpoint lasts longer than any there was followed, where
        none was followed up to the limit, shape (K,). It is part of the drop-off.

    Notes
    -----
    With the probabilities Q among touchpoints, `N = (I - Q)⁻¹` (Kemeny & Snell 1960),
    `a` from START and `r` to CONVERSION: visits `v = a N`, hitting probabilities
    `h = N r`, conversion `p = a h + a_CONVERSION`. Everything comes from one
    factorisation. When all journeys are complete and probabilities are counts, p is exactly
    the share of journeys that converted: the chain adds no precision to the total, its worth
    is in h, in removal effects, in what-ifs and under censoring.

    It assumes that the next visit depends on the present one only. Compare `removal_effect`
    with the share of converting journeys that come by a touchpoint, and see
    `cxjourney.sequences.memory`, before relying on it. Removing is not experimenting:
    nothing here is causal.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts(
    ...     {
    ...         (cx.START, "web"): 4,
    ...         ("web", "cart"): 3,
    ...         ("web", cx.DROPOFF): 1,
    ...         ("cart", cx.CONVERSION): 2,
    ...         ("cart", cx.DROPOFF): 1,
    ...     }
    ... )
    >>> chain = cx.AbsorbingChain.from_graph(graph)
    >>> chain
    AbsorbingChain(2 touchpoints, conversion 50.0%, dropoff 50.0%, censored 0.0%)
    >>> chain.hitting
    {'web': 0.5, 'cart': 0.6666666666666666}
    """

    names: tuple[str, ...]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    probability: NDArray[np.float64]
    at_risk: NDArray[np.float64]
    dwell_mean_s: NDArray[np.float64]
    dwell_square_s: NDArray[np.float64]
    unfollowed: NDArray[np.float64]

    @classmethod
    def from_graph(
        cls, graph: nx.DiGraph[str], *, trapped: Literal["error", "censored"] = "error"
    ) -> AbsorbingChain:
        """Return the chain of a graph; only its edges' `probability` makes it.

        Parameters
        ----------
        graph
            A journey graph whose goal ends a journey and where journeys can be dropped.
        trapped
            What to do with touchpoints from which no journey can end (they only lead to one
            another; every other visit is censored): raise an error that names them,
            or count journeys that come there as censored.

        Raises
        ------
        NotAbsorbing
            If the goal does not end a journey (`after_goal="keep"`).
        OutcomeUndetermined
            If journeys cannot be dropped, so that every ended journey converted by definition.
        NotAFlow
            If the probabilities that leave a node do not sum to one, as in a subgraph.
        TrappedClass
            If journeys cannot end from some touchpoints and `trapped="error"`.

        Notes
        -----
        A touchpoint whose visits are all censored has no outgoing probability: journeys that
        come there are `censored`, neither converted nor lost.
        """
        return cls(**_transitions.read(graph, trapped=trapped))

    @cached_property
    def _solver(self) -> Solver:
        size = len(self.names)
        inner = (self.source < size) & (self.target < size)
        return Solver(self.source[inner], self.target[inner], self.probability[inner], size)

    def _ends(self, *, conversion: float, dropoff: float, censored: float) -> NDArray[np.float64]:
        """Return what the end of a journey is worth on average, from every code."""
        size = len(self.names)
        ends = np.zeros(size + 4)
        ends[size + 1 :] = conversion, dropoff, censored
        rows = self._rows(self.probability * ends[self.target])
        ends[:size] = self._solver.right(rows[:size])
        ends[size] = self._rows(self.probability * ends[self.target])[size]
        return ends

    def _rows(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums over the edges that leave each node, START last."""
        return sums(self.source, values, len(self.names) + 1)

    def _from_start(self, value: float) -> float:
        """Return the value, or NaN where no journey starts."""
        return float(value) if (self.source == len(self.names)).any() else math.nan

    def _by_name(self, values: NDArray[np.float64]) -> FrozenMapping[float]:
        return FrozenMapping(dict(zip(self.names, values.tolist(), strict=False)))

    @cached_property
    def _converts(self) -> NDArray[np.float64]:
        """Probability of CONVERSION from every code."""
        return self._ends(conversion=1, dropoff=0, censored=0)

    @cached_property
    def _visits(self) -> NDArray[np.float64]:
        size = len(self.names)
        starts = (self.source == size) & (self.target < size)
        return self._solver.left(sums(self.target[starts], self.probability[starts], size))

    @property
    def conversion_probability(self) -> float:
        """Probability that a journey converts; NaN where no journey starts."""
        return self._from_start(self._converts[len(self.names)])

    @cached_property
    def dropoff_probability(self) -> float:
        """Probability that a journey drops off; NaN where no journey starts."""
        ends = self._ends(conversion=0, dropoff=1, censored=0)
        return self._from_start(ends[len(self.names)])

    @cached_property
    def censored(self) -> float:
        """Probability that a journey comes where the graph does not know its end."""
        ends = self._ends(conversion=0, dropoff=0, censored=1)
        return self._from_start(ends[len(self.names)])

    @cached_property
    def _outlasting(self) -> NDArray[np.float64]:
        """Probability of a visit of which nobody saw what came in the end; START last."""
        size = len(self.names)
        lost = np.zeros(size + 4)
        lost[:size], lost[size + 3] = self.unfollowed, 1.0
        unknown = self._rows(self.probability * (self.target == size + 3))
        lost[:size] = self._solver.right(self.unfollowed + unknown[:size])
        return np.append(lost[:size], self._rows(self.probability * lost[self.target])[size])

    @property
    def restricted(self) -> float:
        """Probability that a journey comes to a visit of which nobody saw what came in the end.

        The observation was shorter than the limit then, or all visits of a touchpoint are censored.
        Up to 1% of journeys, times run to the last time followed; above, they are NaN and only
        `restricted_mean` is known.
        """
        return self._from_start(self._outlasting[len(self.names)])

    @property
    def visits(self) -> FrozenMapping[float]:
        """Expected visits of each touchpoint per journey."""
        return self._by_name(self._visits)

    @property
    def hitting(self) -> FrozenMapping[float]:
        """Probability that a journey which is at a touchpoint converts."""
        return self._by_name(self._converts)

    @cached_property
    def exit_probability(self) -> FrozenMapping[float]:
        """Probability that a visit is the last one and the journey drops off there."""
        leaves = self.target == len(self.names) + 2
        exits = sums(self.source[leaves], self.probability[leaves], len(self.names))
        return self._by_name(exits)

    @cached_property
    def _diagonal_and_spread(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the diagonal of N and the delta-method variance of h, column by column."""
        size = len(self.names)
        diagonal, spread = np.ones(size), np.zeros(size)
        noise = self._row_noise[:size]
        for codes, columns in self._solver.columns():
            diagonal[codes] = columns[codes, np.arange(codes.size)]
            spread += columns**2 @ noise[codes]
        return diagonal, spread

    @cached_property
    def _row_noise(self) -> NDArray[np.float64]:
        """Return the variance that each estimated row passes on per squared visit, START last."""
        h = self._converts
        size = len(self.names)
        spread = self._rows(self.probability * h[self.target] ** 2) - h[: size + 1] ** 2
        spread = np.where(spread > 1e-15, spread, 0.0)
        known = self.at_risk > 0
        noise = np.divide(spread, self.at_risk, out=np.full(size + 1, np.nan), where=known)
        return np.where(spread == 0, 0.0, noise)

    @property
    def standard_error(self) -> float:
        """Standard error of the conversion probability by the delta method.

        `Var(p) = Σ_x v_x² / n_x (Σ_y P_xy h_y² - h_x²)`, START among the x. On
        complete journeys it is that of the binomial, exactly. Visits are taken as independent:
        it is for graphs that know no customers. Where there are journeys,
        `cxjourney.whatif.baseline` gives intervals over buckets of customers, and
        `cxjourney.critical.bottlenecks` those of `seconds` and `steps`.
        """
        size = len(self.names)
        noise = self._row_noise
        variance = noise[size] + float((self._visits**2 * noise[:size]).sum())
        return self._from_start(math.sqrt(variance) if variance >= 0 else math.nan)

    @property
    def hitting_standard_error(self) -> FrozenMapping[float]:
        """Standard errors of `hitting` by the delta method, with the same limits."""
        return self._by_name(np.sqrt(self._diagonal_and_spread[1]))

    @property
    def reach(self) -> FrozenMapping[float]:
        """Probability that a journey ever comes to a touchpoint."""
        return self._by_name(self._visits / self._diagonal_and_spread[0])

    @property
    def returning(self) -> FrozenMapping[float]:
        """Probability that a journey which is at a touchpoint comes back to it."""
        return self._by_name(1 - 1 / self._diagonal_and_spread[0])

    @property
    def condition_number(self) -> float:
        """Condition number of I - Q in the 1-norm; from 1e8 on, long loops eat the digits."""
        return self._solver.condition_number()

    def code(self, name: str) -> int:
        """Return the code of a touchpoint.

        Raises
        ------
        UnknownName
            If it is not in the chain.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise UnknownName.among("touchpoint", name, self.names, where="the chain") from None

    def expected_returns(self, name: str) -> NDArray[np.float64]:
        """Return the column of N that belongs to a touchpoint: expected visits of it from each.

        Parameters
        ----------
        name
            The touchpoint.

        Returns
        -------
        NDArray
            Shape (touchpoints,), in the order of `names`.

        Raises
        ------
        UnknownName
            If it is not in the chain.
        """
        unit = np.zeros(len(self.names))
        unit[self.code(name)] = 1.0
        return self._solver.right(unit)

    @overload
    def removal_effect(self, nodes: None = None) -> FrozenMapping[float]: ...

    @overload
    def removal_effect(self, nodes: str | Collection[str]) -> float: ...

    def removal_effect(
        self, nodes: str | Collection[str] | None = None
    ) -> FrozenMapping[float] | float:
        """Return the share of conversions that is lost when touchpoints are removed.

        Journeys that would come to a removed touchpoint drop off there.

        Parameters
        ----------
        nodes
            Touchpoints to remove together, such as all of one channel; None removes each
            touchpoint alone. The effects of single touchpoints must not be added up.

        Returns
        -------
        FrozenMapping or float
            The removal effect of each touchpoint, or of the set, in [0, 1]. NaN where nothing
            converts.

        Raises
        ------
        UnknownName
            If a touchpoint is not in the chain.

        Notes
        -----
        `RE_k = v_k h_k / (N_kk p)` (Anderl et al. 2016, here in closed form), and for a set
        `RE_K = v_K N_KK⁻¹ h_K / p`. It is the model's probability that a converting
        journey visits the set.
        """
        p = self.conversion_probability
        if p == 0:
            p = math.nan
        if nodes is None:
            size = len(self.names)
            diagonal = self._diagonal_and_spread[0]
            return self._by_name(self._visits * self._converts[:size] / (diagonal * p))
        removed = check_names(nodes, "nodes")
        codes = np.array(sorted(self.code(name) for name in removed), dtype=np.int64)
        unit = np.zeros((len(self.names), codes.size))
        unit[codes, np.arange(codes.size)] = 1.0
        block = self._solver.right(unit)[codes]
        through = np.linalg.solve(block, self._converts[codes])
        return float(self._visits[codes] @ through / p)

    @cached_property
    def steps(self) -> Moments:
        """Transitions until the end, that from START among them: one more than visits."""
        one = np.ones(self.source.size)
        return self._moments(one, one, np.ones(len(self.names) + 4))

    @cached_property
    def steps_converted(self) -> Moments:
        """Transitions until the end of the journeys that convert (Doob's transform)."""
        one = np.ones(self.source.size)
        return self._moments(one, one, self._converts)

    @property
    def expected_steps(self) -> float:
        """Mean number of transitions of a journey, that from START among them."""
        return self.steps.mean

    @cached_property
    def seconds(self) -> Moments:
        """Seconds from visit to visit until the end; dropping off takes no time of its own.

        Each time weighs as much as its Aalen-Johansen mass, so that journeys in progress do not
        make it short (Satten & Datta 2001); graphs of counts know only the times that were seen.
        Where `restricted` is above 1% all is NaN but `restricted_mean`.

        Raises
        ------
        TimesRequired
            If the graph has no dwell times.
        """
        return self._followed(self._moments(*self._dwell(), np.ones(len(self.names) + 4)))

    @cached_property
    def seconds_converted(self) -> Moments:
        """Seconds until the end of the journeys that convert; weighed and restricted as `seconds`.

        Raises
        ------
        TimesRequired
            If the graph has no dwell times.
        """
        return self._followed(self._moments(*self._dwell(), self._converts))

    def _followed(self, times: Moments) -> Moments:
        """Return moments of times, NaN where too many journeys outlast what was followed."""
        known = dict(zip(self.names, self._outlasting <= UNFOLLOWED, strict=False))
        scale = 1.0 if self._outlasting[-1] <= UNFOLLOWED else math.nan
        mean_from, variance_from = (
            FrozenMapping({name: x if known[name] else math.nan for name, x in each.items()})
            for each in (times.mean_from, times.variance_from)
        )
        return Moments(
            mean=scale * times.mean,
            variance=scale * times.variance,
            restricted_mean=times.mean,
            mean_from=mean_from,
            variance_from=variance_from,
        )

    @property
    def expected_time(self) -> timedelta:
        """Mean time from the first visit of a journey to its last or to conversion.

        It is `seconds.mean`.

        Raises
        ------
        TimesRequired
            If the graph has no dwell times, or was not followed for long enough.
        """
        if math.isnan(self.seconds.mean):
            raise TimesRequired(
                "the mean time is not known: no journey starts, or too many come to visits that "
                "outlast what was followed (see restricted, and seconds.restricted_mean)"
            )
        return timedelta(seconds=self.seconds.mean)

    def _dwell(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        size = len(self.names)
        timed = (self.source < size) & (self.target < size + 2)
        lacking = np.flatnonzero(timed & np.isnan(self.dwell_mean_s))
        if lacking.size:
            raise TimesRequired(
                f"time needs dwell times on every transition; one from "
                f"{self.names[self.source[lacking[0]]]!r} has none"
            )
        # Nothing is timed before the first visit; a silent end takes no time of its own.
        untimed = (self.source == size) | np.isnan(self.dwell_mean_s)
        mean = np.where(untimed, 0.0, self.dwell_mean_s)
        return mean, np.where(untimed, 0.0, self.dwell_square_s)

    def _moments(
        self,
        mean: NDArray[np.float64],
        square: NDArray[np.float64],
        weight: NDArray[np.float64],
    ) -> Moments:
        """Return the moments of a sum over the transitions of a journey, weighted by its end.

        `weight` is 1 everywhere, or the probability of the end that is given: then this is the
        chain of Doob's transform, without forming it.
        """
        size = len(self.names)
        inner = self.target < size
        step = self.probability * mean * weight[self.target]
        first = np.zeros(size + 4)
        rows = self._rows(step)
        first[:size] = self._solver.right(rows[:size])
        first[size] = rows[size] + self._rows(self.probability * inner * first[self.target])[size]
        twice = 2 * self.probability * mean * np.where(inner, first[self.target], 0.0)
        rows = self._rows(self.probability * square * weight[self.target] + twice)
        second = np.zeros(size + 4)
        second[:size] = self._solver.right(rows[:size])
        second[size] = rows[size] + self._rows(self.probability * inner * second[self.target])[size]
        scale = np.where(weight > 0, weight, np.nan)[: size + 1]
        m = first[: size + 1] / scale
        variance = second[: size + 1] / scale - m**2
        return Moments(
            mean=self._from_start(m[size]),
            restricted_mean=self._from_start(m[size]),
            variance=self._from_start(variance[size]),
            mean_from=self._by_name(m),
            variance_from=self._by_name(variance),
        )

    def __repr__(self) -> str:
        shares = {
            "conversion": self.conversion_probability,
            "dropoff": self.dropoff_probability,
            "censored": self.censored,
        }
        if self.restricted > self.censored:
            shares["restricted"] = self.restricted
        parts = [f"{what} {share:.1%}" for what, share in shares.items()]
        shown = f"{counted(len(self.names), 'touchpoint')}, {', '.join(parts)}"
        return f"AbsorbingChain({in_agreement(shown)})"
