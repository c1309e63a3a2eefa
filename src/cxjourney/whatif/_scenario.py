"""Scenarios: the journey with something changed, beside the journey as it is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.estimates import why_no_interval
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_names
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import Journeys, JourneyStatistics, by_segment, check_journeys
from cxjourney.markov import AbsorbingChain
from cxjourney.metrics import Estimate
from cxjourney.whatif._changes import Bypass, Change, ReduceExit, Remove, Reroute
from cxjourney.whatif._model import Model, model_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from cxjourney._support.array_types import Floats
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import By, BySegment, SegmentBy
    from cxjourney.whatif._model import ModelOptions

_UNDEFINED = (
    "Everybody leaves at {!r}, so that nobody shows where those would go who are kept: say it "
    "with to=."
)


_LOGARITHM = "Student on the scale of logarithms"
_ROUNDING = 1e-12


@attrs.frozen(kw_only=True, repr=False)
class Scenario(Result):
    """The journey with something changed, beside the journey as it is.

    Its methods change it further: all changes are solved together, since what one gains
    depends on the others.

    Attributes
    ----------
    changes, assumptions
        What is changed, in words (nothing in the baseline), and what must be true for the numbers
        to hold.
    base, conversion
        Probability of conversion as it is, and after the changes [fraction].
    change
        The second less the first [fraction].
    base_steps, steps
        Expected steps of a journey, the first among them, as it is and after the changes.
    conversions, contacts, value
        Conversions, contacts (saved, where negative) and money gained over the journeys observed,
        at the mean value of a conversion; NaN where no values are known.
    n_journeys, caveats
        Number of journeys observed; what a reader must know.
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
        return self._changed(ReduceExit(touchpoint, relative, to))

    def remove(self, touchpoints: str | Collection[str]) -> Scenario:
        """Return the scenario with touchpoints closed; see `cxjourney.whatif.remove`."""
        return self._changed(Remove(names_of(touchpoints)))

    def bypass(self, touchpoints: str | Collection[str]) -> Scenario:
        """Return the scenario with touchpoints skipped; see `cxjourney.whatif.bypass`."""
        return self._changed(Bypass(names_of(touchpoints)))

    def reroute(
        self, source: str, target: str, share: float = 0.1, *, at: str | None = None
    ) -> Scenario:
        """Return the scenario with customers led elsewhere; see `cxjourney.whatif.reroute`."""
        return self._changed(Reroute(source, target, share, at))

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

    def _changed(self, change: Change) -> Scenario:
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
        what = "; ".join(self.changes) or "nothing"
        return (
            f"What is changed: {what}.",
            *(f"It is assumed that {assumption}." for assumption in self.assumptions),
            *self.caveats,
        )


@attrs.frozen(kw_only=True, eq=False)
class _State:
    """What a scenario was computed from; `undefined` says why its chain is not known."""

    model: Model
    chain: AbsorbingChain | None
    changes: tuple[Change, ...] = ()
    undefined: str | None = None


@overload
def baseline(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    segment: None = None,
    **options: Unpack[ModelOptions],
) -> Scenario: ...
@overload
def baseline(
    journeys: Journeys, *, segment: SegmentBy, **options: Unpack[ModelOptions]
) -> BySegment[Scenario]: ...
def baseline(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: By | None = None,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Scenario | BySegment[Scenario]:
    """Return the journey as it is: the scenario from which others are made.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped, or their graph.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them; None means
        "touchpoint", or the grain of the graph.
    level, segment
        Confidence level of the intervals, in (0, 1); an attribute that divides journeys into
        scenarios of their own.

    Returns
    -------
    Scenario
        With nothing changed; `BySegment` of them with `segment`.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    NotAbsorbing
        If the goal does not end a journey.
    NotAFlow
        If the graph is a subgraph or was filtered.
    InvalidValue
        If an argument breaks its rule, or a graph is to be divided by a segment.

    Notes
    -----
    Everything is read off the absorbing chain (`cxjourney.AbsorbingChain`), solved once for all
    customers and once without each of 64 buckets of them. Probabilities have Wilson's interval,
    steps Student's on the scale of logarithms, and what a change gains is one figure with
    Student's interval, on the scale of logarithms where a change can only gain or only lose. Of a
    graph each visit counts as a customer of its own. There is no
    interval where a change is not defined without one of the buckets.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["web"], ["web", "cart"]], converted=[0, 60], dropped=[60, 80]
    ... )
    >>> now = cx.whatif.baseline(journeys)
    >>> now.conversion.value
    0.3
    >>> both = now.reduce_exit("web", 0.5).reduce_exit("cart", 0.5)
    >>> alone = now.reduce_exit("web", 0.5), now.reduce_exit("cart", 0.5)
    >>> round(both.change.value, 4), round(sum(s.change.value for s in alone), 4)
    (0.3071, 0.2643)
    """
    if segment is not None:
        return by_segment(
            check_journeys(journeys), segment, lambda part: baseline(part, by=by, level=level)
        )
    model = model_of(journeys, by=by, level=level)
    return _solved(_State(model=model, chain=model.chain))


def changed(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    change: Change,
    *,
    by: By | None,
    level: float,
    segment: SegmentBy | None,
) -> Scenario | BySegment[Scenario]:
    """Return the scenario with one change, or that of each segment, unchanged if nobody comes."""
    if segment is None:
        return baseline(journeys, by=by, level=level)._changed(change)  # noqa: SLF001 - ours
    model = model_of(check_journeys(journeys), by=by, level=level)
    change.chain(model.chain)  # what is wrong with it is wrong for all

    def of_part(part: Journeys) -> Scenario:
        now = baseline(part, by=by, level=level)
        try:
            return now._changed(change)  # noqa: SLF001 - ours
        except InvalidValue:
            caveat = f"Nobody of this segment comes where something changes: {change.words}."
            return attrs.evolve(now, caveats=(caveat, *now.caveats))

    return by_segment(check_journeys(journeys), segment, of_part)


def names_of(touchpoints: str | Collection[str]) -> tuple[str, ...]:
    """Return the names of touchpoints, or raise InvalidValue."""
    if not isinstance(touchpoints, Iterable):
        raise InvalidValue.of("touchpoints", "be a name or a list of names", touchpoints)
    return check_names(touchpoints, "touchpoints")


def _solved(state: _State) -> Scenario:
    """Return the scenario of a state."""
    figures = _figures(state)
    model, n = state.model, state.model.n_journeys
    gain, steps = figures.gain, figures.more_steps
    mean_value = model.mean_conversion_value
    caveats = list(model.notes([place for change in state.changes for place in change.places]))
    if state.undefined is not None:
        caveats.insert(0, state.undefined)
    elif model.has_intervals:
        caveats[:0] = why_no_interval(gain)
    if not math.isnan(mean_value):
        caveats.append("A conversion is taken to bring what it brings on average.")
    probability, length = "probability that a journey converts", "expected steps of a journey"

    signs = {change.sign for change in state.changes}
    sign = signs.pop() if len(signs) == 1 else 0

    def estimate(found: BucketFigures, interval: str, unit: str, definition: str) -> Estimate:
        low, high = math.nan, math.nan
        if interval == "change":
            interval, (low, high) = _change_ends(found, sign, model.level)
        elif interval == "Wilson":
            low, high = map(float, found.wilson(model.level))
        else:
            low, high = map(float, found.positive(model.level))
        if not model.has_intervals:
            low = high = math.nan
        value = float(found.whole)
        unknown = state.undefined is not None and math.isnan(value)
        return Estimate(
            value=value,
            low=low,
            high=high,
            level=model.level,
            n=n,
            unit=unit,
            method=model.method(interval),
            notes=(state.undefined,) if unknown and state.undefined else (),
            definition=definition,
        )

    return Scenario(
        changes=tuple(change.words for change in state.changes),
        assumptions=tuple(dict.fromkeys(change.assumption for change in state.changes)),
        base=estimate(figures.base, "Wilson", "fraction", probability),
        conversion=estimate(figures.conversion, "Wilson", "fraction", probability),
        change=estimate(gain, "change", "fraction", "gain in the conversion probability"),
        base_steps=estimate(figures.base_steps, _LOGARITHM, "steps", length),
        steps=estimate(figures.steps, _LOGARITHM, "steps", length),
        conversions=estimate(
            gain.map(lambda x: n * x), "change", "conversions", "conversions gained"
        ),
        contacts=estimate(steps.map(lambda x: n * x), "change", "contacts", "contacts gained"),
        value=estimate(
            gain.map(lambda x: n * mean_value * x),
            "change",
            model.currency or "currency unknown",
            "money gained at the mean value of a conversion",
        ),
        n_journeys=n,
        caveats=tuple(caveats),
        state=state,
    )


def _change_ends(found: BucketFigures, sign: int, level: float) -> tuple[str, tuple[float, float]]:
    """Return how the interval of a change is made, and its ends.

    What can change in one direction only is skewed: its interval is Student's on the scale of
    logarithms, unless it is 0 or not of that sign without one of the buckets.
    """
    size = found.map(lambda x: sign * x)
    if sign and float(size.whole) > _ROUNDING:
        ends = sorted(sign * float(end) for end in size.positive(level))
        if not any(map(math.isnan, ends)):
            return _LOGARITHM, (ends[0], ends[1])
    low, high = found.student(level)
    return "Student", (float(low), float(high))


@attrs.frozen(kw_only=True, eq=False)
class _Figures:
    """Conversion and steps before and after the changes, and what is gained, one figure each."""

    base: BucketFigures
    conversion: BucketFigures
    gain: BucketFigures
    base_steps: BucketFigures
    steps: BucketFigures
    more_steps: BucketFigures


def _figures(state: _State) -> _Figures:
    model = state.model
    whole = np.array([_both(model.chain), _both(state.chain)])
    if not model.has_intervals:
        without = np.full((2, 2, 1), np.nan)
        everybody = units = np.zeros(1)
    else:
        without = np.stack([model.before, _after(state)])
        everybody = model.left.journeys
        places = {place for change in state.changes for place in change.places}
        units = model.units_of([name for name in model.chain.names if name in places])

    def figure(of: Callable[[Floats], Floats], stands_on: Floats) -> BucketFigures:
        return BucketFigures(whole=of(whole), without=of(without), units=stands_on)

    return _Figures(
        base=figure(lambda x: x[0, 0], everybody),
        conversion=figure(lambda x: x[1, 0], everybody),
        gain=figure(lambda x: x[1, 0] - x[0, 0], units),
        base_steps=figure(lambda x: x[0, 1], everybody),
        steps=figure(lambda x: x[1, 1], everybody),
        more_steps=figure(lambda x: x[1, 1] - x[0, 1], units),
    )


def _both(chain: AbsorbingChain | None) -> tuple[float, float]:
    """Return the conversion probability and the expected steps of a chain."""
    if chain is None:
        return math.nan, math.nan
    return chain.conversion_probability, chain.expected_steps


def _after(state: _State) -> Floats:
    """Return conversion and steps after the changes without each bucket, shape (2, buckets)."""
    if not state.changes:
        return state.model.before
    found = []
    for stack in state.model.stacks():
        for change in state.changes:
            stack = change.stack(stack)
        found.append(stack.conversion_and_steps())
    return np.concatenate(found, axis=1)
