"""The result of a funnel: its table, times, explanations and picture."""

from __future__ import annotations

from datetime import timedelta
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count, check_duration
from cxjourney._support.words import how_long
from cxjourney.dropoff._explanation import Explanation, explain_unit, explanation_table
from cxjourney.dropoff._funnel_columns import Entrants
from cxjourney.dropoff._funnel_rules import Subject
from cxjourney.dropoff._matching import Rules
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.journeys import (
    WithPeople,
)
from cxjourney.metrics import Estimate, SurvivalCurve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cxjourney.journeys import Ending


@attrs.frozen(kw_only=True, eq=False)
class Source:
    """The units, rules and entrants of a funnel, and the number of each entrant."""

    subject: Subject
    rules: Rules
    entrants: Entrants
    unit: Ints

    def members(self, place: int, _names: tuple[str, ...], outcome: Ending | None) -> Bools:
        """Return which units a step counts."""
        entrants, steps, subject = self.entrants, self.rules.steps, self.subject
        of = entrants.reached[place]
        if outcome == "any":
            of = entrants.reached[entrants.before(steps, place)]
        elif outcome in {"dropped", "in progress"}:
            running = entrants.running if outcome == "in progress" else ~entrants.running
            of = entrants.left(steps, place) & running
        if subject.journeys is None:
            mask = np.zeros(subject.n_units, dtype=np.bool_)
            mask[self.unit[of]] = True
        else:
            mask = np.zeros(subject.n_whole, dtype=np.bool_)
            mask[subject.whole(self.unit[of])] = True
        return mask


@attrs.frozen(kw_only=True, repr=False)
class Funnel(WithPeople):
    """How many units get from step to step.

    `journeys(step)` gives the journeys that reached a step; with `outcome="dropped"` or "in
    progress" those at the step before that did not, with "any" all of that step. A funnel of a log
    counts customers: there take `customers(step)`.

    Attributes
    ----------
    steps
        What the steps are called.
    counts
        How many units reached each step.
    rates
        The share of the base that reached each step.
    table
        One row a step; see `funnel` for the columns.
    unit
        What is counted: "customer" or "journey".
    base
        What `rates` are shares of: units that "entered" at step 1, or "all" units.
    n_base
        Number of units in the base.
    n_units
        Number of all units.
    n_excluded
        Units that an exclusion removed, or kept from getting further.
    n_left_out
        Units left out because no window of theirs was over when the observation ended.
    n_censored
        Units that entered and may still go on: their window (or their journey) is not over.
    order, entry, ties, censored, within
        The rules; see `funnel`.
    level
        Confidence level of the intervals.
    method
        How rates and intervals were made.
    caveats
        What a reader must know.
    source
        What the funnel was computed from; None in one that was read back.
    """

    title: ClassVar[str] = "Funnel"

    steps: tuple[str, ...]
    counts: tuple[int, ...]
    rates: tuple[float, ...]
    table: Table
    unit: str
    base: str
    n_base: int
    n_units: int
    n_excluded: int
    n_left_out: int
    n_censored: int
    order: str
    entry: str
    ties: str
    censored: str
    within: timedelta | None
    level: float
    method: str
    caveats: tuple[str, ...]
    source: Any = attrs.field(default=None, eq=False)  # private to this module, hence Any

    @property
    def conversion(self) -> Estimate:
        """The share of the base that reached the last step."""
        return Estimate(
            value=self.rates[-1],
            low=float(self.table["low"][-1]),
            high=float(self.table["high"][-1]),
            level=self.level,
            n=self.n_base,
            n_censored=self.n_censored,
            unit="fraction",
            method=self.method,
            name="funnel_conversion",
            definition=f"share of {self.unit}s that reached the last step",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-ready dictionary with its schema version, without its log."""
        return super(Funnel, attrs.evolve(self, source=None)).to_dict()

    def time_to(self, step: int | None = None, *, level: float | None = None) -> SurvivalCurve:
        """Return the survival curve of the time from entry to a step, in which others are censored.

        Its median is that of all who entered. `median_s` of the table is that of those who got
        there: the same where everybody did, else an earlier one.

        Parameters
        ----------
        step
            Number of the step, from 2; None means the last.
        level
            Confidence level; None means that of the funnel.

        Raises
        ------
        InvalidValue
            If there is no such step, or the funnel was read back from a dictionary.
        TimesRequired
            If the journeys were made of aggregated paths.
        """
        k, source = self._timed(step, "time_to()")
        curve: SurvivalCurve = source.entrants.curve(k, level or self.level)
        return curve

    def time_bins(
        self, bins: int | Sequence[timedelta | str] = 10, *, step: int | None = None
    ) -> Table:
        """Return how many took how long from entering to a step, those who got there.

        Parameters
        ----------
        bins
            How many bins of equal width between the shortest and the longest time, or the bounds
            of bins, ascending; times outside of them are counted in no bin.
        step
            Number of the step, from 2; None means the last.

        Returns
        -------
        Table
            `from_s`, `to_s` [s] (the last bin has its end), `count`, `share` of those who got there
            and `cumulative` share of all who entered [fraction].

        Raises
        ------
        InvalidValue
            If bounds do not ascend, there is no such step, or the funnel was read back.
        TimesRequired
            If there are no times.
        """
        k, source = self._timed(step, "time_bins()")
        waits = source.entrants.waits(k)
        n_all = source.entrants.reached.shape[1]
        if isinstance(bins, int):
            check_count(bins, "bins")
            span = (float(waits.min()), float(waits.max())) if len(waits) else (0.0, 0.0)
            edges: Floats = np.linspace(*span, bins + 1)
        else:
            zero = timedelta(0)
            checked = [zero if one == zero else check_duration(one, "bins") for one in bins]
            edges = np.array([one.total_seconds() for one in checked])
            if len(edges) < 2 or not (np.diff(edges) > 0).all():
                raise InvalidValue.of("bins", "be at least two ascending durations", bins)
        count = np.histogram(waits, edges)[0]
        below = np.count_nonzero(waits < edges[0]) + np.cumsum(count)
        return Table(
            {
                "from_s": edges[:-1],
                "to_s": edges[1:],
                "count": count,
                "share": count / max(1, len(waits)),
                "cumulative": below / max(1, n_all),
            },
            formats={"from_s": "duration", "to_s": "duration"}
            | dict.fromkeys(("share", "cumulative"), "percent"),
        )

    def explain(self, customer: str) -> Explanation:
        """Return how a customer's interactions were matched: what counted, and what did not.

        Parameters
        ----------
        customer
            Id of the customer.

        Raises
        ------
        UnknownName
            If the log has no such customer.
        InvalidValue
            If the funnel was read back from a dictionary.
        """
        source = self._require_source("explain()")
        subject, rules = source.subject, source.rules
        number = subject.log.customer_number(customer)
        units = np.flatnonzero(subject.customer == number).tolist()
        if not units:
            raise UnknownName(f"customer {customer!r} has no {subject.unit} in this funnel")
        told: list[dict[str, Any]] = []
        depth = []
        removed = 0
        for i, unit in enumerate(units):
            rows = subject.rows(np.arange(*subject.offsets[unit : unit + 2].tolist()))
            rows = attrs.evolve(rows, offsets=np.array([0, len(rows.codes)]))
            found, deepest, out = explain_unit(rows, rules)
            label = {} if subject.journeys is None else {"journey": str(i + 1)}
            if subject.value is not None and subject.part_of is not None:
                label = {"value": str(subject.value.names[subject.value.codes[unit]])}
            told.extend({**label, **row} for row in found)
            depth.append(deepest)
            removed += out
        said = self._rules()
        if removed:
            said = (
                *said,
                f"An exclusion removed {removed} {self.unit}{'s' * (removed > 1)} from the funnel.",
            )
        return Explanation(table=explanation_table(told), depth=tuple(depth), rules=said)

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the share that reached each step.

        Parameters
        ----------
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        table = self.table
        return plot.funnel(
            [f"{i}  {step}" for i, step in enumerate(self.steps, start=1)],
            table["rate"],
            table["low"],
            table["high"],
            count=table["count"],
            label=f"share that reached the step, {100 * self.level:g}% interval",
            caption=self._caption(),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _caption(self) -> str:
        """Return what to see in the picture: the step at which the largest share is lost."""
        rates = np.asarray(self.rates, dtype=np.float64)
        lost = rates[:-1] - rates[1:]
        said = "How many of those who entered reached each step; numbers are counts."
        if not len(lost) or not np.nanmax(lost, initial=0.0) > 0:
            return said
        worst = int(np.nanargmax(lost))
        return f"{said} Most are lost between steps {worst + 1} and {worst + 2}."

    def _timed(self, step: int | None, caller: str) -> tuple[int, Source]:
        """Return a step, from 0, and the source of its times."""
        source = self._require_source(caller)
        number = len(self.steps) if step is None else step
        if not isinstance(number, Integral) or not 2 <= number <= len(self.steps):
            raise InvalidValue.of("step", f"lie between 2 and {len(self.steps)}", step)
        if source.entrants.time is None:
            raise TimesRequired(f"{caller} needs times; paths and entry anywhere have none")
        return int(number) - 1, source

    def _require_source(self, caller: str) -> Source:
        if not isinstance(self.source, Source):
            raise InvalidValue(
                f"{caller} needs the log, which a funnel that was read back or made of statistics "
                "does not have"
            )
        return self.source

    def _rules(self) -> tuple[str, ...]:
        window = "without a window"
        if self.within is not None:
            window = f"within {how_long(self.within)} of entering"
        return (
            f"The steps are {self.order}, {window}.",
            f"The rules: entry {self.entry!r}, ties {self.ties!r}, censored {self.censored!r}.",
        )

    def _notes(self) -> tuple[str, ...]:
        base = "that entered" if self.base == "entered" else "in all"
        return (
            f"The rate is the share of the {self.n_base:,} {self.unit}s {base}.",
            f"The step rate is the share of the {self.unit}s at the step before.",
            f"Rates have {100 * self.level:g}% intervals ({self.method}).",
            *self._rules(),
            *self.caveats,
        )
