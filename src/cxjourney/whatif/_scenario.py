"""`Scenario`: the journey with something changed, and what that would do."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_names
from cxjourney.exceptions import InvalidValue
from cxjourney.markov import AbsorbingChain
from cxjourney.metrics import Estimate
from cxjourney.whatif._changes import Bypass, Change, ReduceExit, Remove, Reroute
from cxjourney.whatif._model import Model, model_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import By, Journeys

__all__ = ["Scenario", "baseline"]

_UNDEFINED = (
    "everybody leaves at {!r}, so that nobody shows where those would go who are kept; say it "
    "with to="
)


@attrs.frozen(kw_only=True, repr=False)
class Scenario(Result):
    """The journey with something changed, beside the journey as it is.

    Its methods change it further: all changes are solved together, since what one gains
    depends on the others.

    Attributes
    ----------
    changes
        What is changed, in words; empty for the baseline.
    assumptions
        What must be true for the numbers to hold.
    base, conversion
        Probability of conversion as it is, and after the changes [fraction].
    change
        The second less the first [fraction].
    base_steps, steps
        Expected steps of a journey, the first among them, as it is and after the changes.
    conversions
        Conversions gained over the journeys observed.
    contacts
        Contacts gained (saved, where negative) over the journeys observed.
    value
        Money gained over the journeys observed, at the mean value of a conversion; NaN where
        no values are known.
    n_journeys
        Number of journeys observed.
    caveats
        What a reader must know.
    """

    title: ClassVar[str] = "What if"

    changes: tuple[str, ...]
    assumptions: tuple[str, ...]
    base: Estimate
    conversion: Estimate
    change: Estimate
    base_steps: Estimate
    steps: Estimate
    conversions: Estimate
    contacts: Estimate
    value: Estimate
    n_journeys: int
    caveats: tuple[str, ...]
    # what it was computed from; a scenario read back from a dictionary has none
    _state: Any = attrs.field(default=None, eq=False)

    def reduce_exit(
        self, touchpoint: str, relative: float = 0.1, *, to: str | None = None
    ) -> Scenario:
        """Return the scenario with a share of those who leave at a touchpoint kept.

        See `cxjourney.whatif.reduce_exit`.
        """
        return self._with(ReduceExit(touchpoint, relative, to))

    def remove(self, touchpoints: str | Collection[str]) -> Scenario:
        """Return the scenario with touchpoints closed; see `cxjourney.whatif.remove`."""
        return self._with(Remove(_names(touchpoints)))

    def bypass(self, touchpoints: str | Collection[str]) -> Scenario:
        """Return the scenario with touchpoints skipped; see `cxjourney.whatif.bypass`."""
        return self._with(Bypass(_names(touchpoints)))

    def reroute(
        self, source: str, target: str, share: float = 0.1, *, at: str | None = None
    ) -> Scenario:
        """Return the scenario with customers led elsewhere; see `cxjourney.whatif.reroute`."""
        return self._with(Reroute(source, target, share, at))

    @property
    def chain(self) -> AbsorbingChain:
        """The chain after the changes.

        Raises
        ------
        InvalidValue
            If the data do not say what it would be, or the scenario was read back from a
            dictionary.
        """
        chain: AbsorbingChain | None = self._known().chain
        if chain is None:
            raise InvalidValue(self.conversion.notes[0])
        return chain

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-ready dictionary; read back, it cannot be changed further."""
        fields = super(Scenario, attrs.evolve(self, state=None)).to_dict()
        del fields["_state"]
        return fields

    def _known(self) -> _State:
        if not isinstance(self._state, _State):
            raise InvalidValue(
                "a scenario that was read back from a dictionary knows no chain; make it anew"
            )
        return self._state

    def _with(self, change: Change) -> Scenario:
        state = self._known()
        chain = None if state.chain is None else change.chain(state.chain)
        undefined = state.undefined
        if chain is None and undefined is None and isinstance(change, ReduceExit):
            undefined = _UNDEFINED.format(change.touchpoint)
        return _solved(
            _State(
                model=state.model,
                chain=chain,
                changes=(*state.changes, change),
                undefined=undefined,
            )
        )

    def _table(self) -> Table:
        n = self.n_journeys
        per_journey = 1 / n if n else math.nan
        contacts = self.base_steps.value - 1
        rows = [
            ("conversion probability", self.base.value, self.change, 1.0),
            ("steps per journey", self.base_steps.value, self.contacts, per_journey),
            ("conversions", self.base.value * n, self.conversions, 1.0),
            ("contacts", contacts * n, self.contacts, 1.0),
        ]
        if not math.isnan(self.value.value):
            rows.append((f"value [{self.value.unit}]", math.nan, self.value, 1.0))
        before = np.array([row[1] for row in rows])
        change, low, high = (
            np.array([getattr(gain, end) * scale for *_, gain, scale in rows])
            for end in ("value", "low", "high")
        )
        columns = {
            "quantity": [row[0] for row in rows],
            "before": before,
            "after": before + change,
            "change": change,
            "low": low,
            "high": high,
        }
        backend = self._state.model.backend if isinstance(self._state, _State) else None
        return Table(columns, backend=backend)

    def _notes(self) -> tuple[str, ...]:
        what = "; ".join(self.changes) or "nothing is changed"
        return (what, *(f"assumes: {a}" for a in self.assumptions), *self.caveats)


@attrs.frozen(kw_only=True, eq=False)
class _State:
    """What a scenario was computed from; `undefined` says why its chain is not known."""

    model: Model
    chain: AbsorbingChain | None
    changes: tuple[Change, ...] = ()
    undefined: str | None = None


def baseline(
    journeys: Journeys | JourneyGraph,
    *,
    by: By | None = None,
    level: float = 0.95,
    n_resamples: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Scenario:
    """Return the journey as it is: the scenario from which others are made.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped, or their graph.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them; None means
        "touchpoint", or the grain of the graph.
    level
        Confidence level of the intervals, in (0, 1).
    n_resamples
        Number of replicates that make the intervals; 0 makes none.
    rng
        A generator or seed for them. Scenarios of one baseline use the same replicates.

    Returns
    -------
    Scenario
        With nothing changed.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    NotAbsorbing
        If the goal does not end a journey.
    NotAFlow
        If the graph is a subgraph or was filtered.
    InvalidValue
        If an argument breaks its rule.

    Notes
    -----
    Everything is read off the absorbing chain (`cxjourney.AbsorbingChain`). Intervals are
    percentiles over replicates: of journeys, customers resampled (Poisson frequencies, open
    visits censored); of a graph, the moves from each touchpoint drawn anew from a Dirichlet
    distribution, as if visits were independent. Replicates in which a change is not defined
    are left out, and their number is said.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["web"], ["web", "cart"]], converted=[0, 60], dropped=[60, 80]
    ... )
    >>> now = cx.whatif.baseline(journeys, rng=1)
    >>> now.conversion.value
    0.3
    >>> both = now.reduce_exit("web", 0.5).reduce_exit("cart", 0.5)
    >>> alone = now.reduce_exit("web", 0.5), now.reduce_exit("cart", 0.5)
    >>> round(both.change.value, 4), round(sum(s.change.value for s in alone), 4)
    (0.3071, 0.2643)
    """
    model = model_of(journeys, by=by, level=level, n_resamples=n_resamples, rng=rng)
    return _solved(_State(model=model, chain=model.chain))


def _names(touchpoints: str | Collection[str]) -> tuple[str, ...]:
    if not isinstance(touchpoints, Iterable):
        raise InvalidValue.of("touchpoints", "be a name or a list of names", touchpoints)
    return check_names(touchpoints, "touchpoints")


def _solved(state: _State) -> Scenario:
    """Return the scenario of a state, with intervals from the replicates of its model."""
    model, chain = state.model, state.chain
    n = model.n_journeys
    base, after = _both(model.chain), _both(chain)
    drawn = _replicates(state)
    lost = int(np.count_nonzero(np.isnan(drawn).any(axis=0)))
    drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]
    before, now = drawn[:2], drawn[2:]

    def estimate(
        value: float, replicated: NDArray[np.float64], unit: str, definition: str
    ) -> Estimate:
        low = high = math.nan
        if replicated.size and not math.isnan(value):
            tail = (1 - model.level) / 2
            low, high = np.quantile(replicated, [tail, 1 - tail]).tolist()
        notes = () if state.undefined is None or not math.isnan(value) else (state.undefined,)
        return Estimate(
            value=value,
            low=low,
            high=high,
            level=model.level,
            n=n,
            unit=unit,
            method=model.method,
            notes=notes,
            definition=definition,
        )

    gain, replicated_gain = after[0] - base[0], now[0] - before[0]
    steps, replicated_steps = after[1] - base[1], now[1] - before[1]
    caveats = list(model.notes())
    if state.undefined is not None:
        caveats.insert(0, state.undefined)
    elif lost:
        caveats.insert(0, f"{lost:,} of {model.n_resamples:,} replicates have no answer")
    if not math.isnan(model.worth):
        caveats.append("a conversion is taken to be worth what it is worth on average")
    return Scenario(
        changes=tuple(change.words for change in state.changes),
        assumptions=tuple(dict.fromkeys(change.assumption for change in state.changes)),
        base=estimate(base[0], before[0], "fraction", "probability that a journey converts"),
        conversion=estimate(after[0], now[0], "fraction", "probability that a journey converts"),
        change=estimate(gain, replicated_gain, "fraction", "gain in the conversion probability"),
        base_steps=estimate(base[1], before[1], "steps", "expected steps of a journey"),
        steps=estimate(after[1], now[1], "steps", "expected steps of a journey"),
        conversions=estimate(n * gain, n * replicated_gain, "conversions", "conversions gained"),
        contacts=estimate(n * steps, n * replicated_steps, "contacts", "contacts gained"),
        value=estimate(
            n * gain * model.worth,
            n * replicated_gain * model.worth,
            model.currency or "currency unknown",
            "money gained at the mean value of a conversion",
        ),
        n_journeys=n,
        caveats=tuple(caveats),
        state=state,
    )


def _both(chain: AbsorbingChain | None) -> tuple[float, float]:
    """Return the conversion probability and the expected steps of a chain."""
    if chain is None:
        return math.nan, math.nan
    return chain.conversion_probability, chain.expected_steps


def _replicates(state: _State) -> NDArray[np.float64]:
    """Return conversion and steps before, conversion and steps after: shape (4, replicates)."""
    columns = []
    for stack in state.model.stacks():
        changed = stack
        for change in state.changes:
            changed = change.stack(changed)
        solved = (stack.solved(), changed.solved() if state.changes else stack.solved())
        columns.append(
            np.stack([part for s in solved for part in (s.conversion, 1 + s.visits.sum(axis=1))])
        )
    return np.concatenate(columns, axis=1) if columns else np.empty((4, 0))
