"""`Finding` and `Findings`: what was found, as it is printed, drawn and followed up."""

from __future__ import annotations

import math
from collections import Counter
from shlex import quote
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimate import Estimate
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.words import counted
from cxjourney.journeys import WithPeople

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

SHOWN_GAIN = 1.0
"""Conversions: where the interval of a gain begins below, nothing is shown to be won."""


@attrs.frozen(kw_only=True, repr=False)
class Finding(WithPeople):
    """One thing that is wrong.

    `journeys()` and `customers()` give those that it is about.

    Attributes
    ----------
    kind
        What sort of finding it is. Tested: "more exits than at peers" (of the stage), "more exits
        than expected" (from the nearness to the goal, where no stage has peers), "hand-off that
        loses", "segment that fares worse", "change since a date", "fewer conversions later on",
        "incident", "slow change". Not tested: "loop", "wait", "low point", "expectation gap",
        "shift of the mix", "deviation from the blueprint".
    certainty
        "sure" or "worth watching".
    where
        Touchpoint, pair of channels, or "everywhere".
    who
        Segment; "" for everybody.
    since, until
        First and last date; "" where it has none.
    sentence
        The finding in a sentence.
    effect
        How much worse, as a difference of shares.
    rate
        The share itself: "exit_rate", of visits that are exits, or "conversion_after", of journeys
        that reach the goal later on, as its name says; None where no test stands behind it.
    n_visits, n_journeys, n_customers
        How many are hit.
    gain
        Conversions that would be won if the effect were gone, corrected for selection.
    money
        The same in money; None where no value is known.
    adjusted_p
        Smallest false-discovery rate at which it is in the list; NaN where no test stands behind
        it.
    unusual
        For more exits than at peers or than expected: whether it lies outside what touchpoints of
        its sort vary by, "yes", "no" or "cannot tell"; "" for all others.
    share_explained
        Share of the touchpoint's excess over its peers that the finding explains; None where it
        does not apply.
    reasons
        What speaks for it.
    doubts
        What could make it wrong.
    next_steps
        What to look at next.
    """

    title: ClassVar[str] = "Finding"

    kind: str
    certainty: str
    where: str
    who: str = ""
    since: str = ""
    until: str = ""
    sentence: str
    effect: Estimate
    rate: Estimate | None = None
    n_visits: int
    n_journeys: int
    n_customers: int
    gain: Estimate
    money: Estimate | None = None
    adjusted_p: float = math.nan
    unusual: str = ""
    share_explained: Estimate | None = None
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    next_steps: tuple[str, ...]

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the gain with its interval.

        Parameters
        ----------
        title
            The heading; None takes the sentence.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        return _draw((self,), self.sentence if title is None else title, ax)

    def _rows(self, _row: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return [()]  # one row without a name

    def _table(self) -> Table:
        rows = [("effect", self.effect), ("gain, conversions", self.gain)]
        if self.money is not None:
            rows.append((f"gain, {self.money.unit}", self.money))
        if self.share_explained is not None:
            rows.append(("share of the excess explained", self.share_explained))
        return Table(
            {
                "figure": [name for name, _ in rows],
                **{
                    end: np.array([getattr(value, end) for _, value in rows])
                    for end in ("value", "low", "high")
                },
            }
        )

    def _notes(self) -> tuple[str, ...]:
        hit = f"It is {self.certainty}. {affected_by(self)}"
        doubts = (f"What could make it wrong: {doubt}" for doubt in self.doubts)
        return (self.sentence, hit, *self.reasons, *doubts, *self.next_steps)


@attrs.frozen(kw_only=True, repr=False)
class Findings(Result):
    """What is wrong, ranked; what is not sure stands apart.

    Attributes
    ----------
    headline
        The answer in a sentence.
    sure
        Findings of which at most 1 - `level` are false on average, those first whose gain has the
        highest lower end.
    watching
        What is worth watching, in no order of certainty.
    ends
        Touchpoints at which journeys end by nature, to be confirmed: `touchpoint`, `visits`,
        `exit_probability`, `argument`.
    untested
        What could not be tested, and why: `touchpoint`, `visits`, `reason`.
    mix
        The change of the conversion rate between both halves, split into mix and rates.
    tests
        Number of tests by kind.
    level
        1 minus the false-discovery rate of the list of sure findings.
    notes
        What a reader must know.
    """

    title: ClassVar[str] = "Findings"

    headline: str
    sure: tuple[Finding, ...]
    watching: tuple[Finding, ...]
    ends: Table
    untested: Table
    mix: Table
    tests: Table
    level: float
    notes: tuple[str, ...]

    def __iter__(self) -> Iterator[Finding]:
        """Iterate over the sure findings."""
        return iter(self.sure)

    def __len__(self) -> int:
        return len(self.sure)

    def __getitem__(self, place: int) -> Finding:
        return self.sure[place]

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the gains of the sure findings with their intervals.

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
        return _draw(self.sure, self.title if title is None else title, ax)

    def _table(self) -> Table:
        return _rows([*self.sure, *self.watching], self.mix.backend)

    def _shown(self) -> Table:
        return _brief(_rows(self.sure, self.mix.backend), _SHOWN)

    def _lead(self) -> str:
        return self.headline

    def _notes(self) -> tuple[str, ...]:
        return (*(finding.sentence for finding in self.sure[1:]), *self.notes)

    def _further(self, *, option: bool = False) -> tuple[tuple[str, Table], ...]:
        """`option` says how the command confirms ends, instead of how Python does."""
        named = list(map(str, self.ends["touchpoint"])) if len(self.ends) else []
        confirming = f"expected_exits={named}"
        if option:
            confirming = " ".join(f"--expected-exits {quote(name)}" for name in named)
        apart = (
            (
                "Worth watching, but not sure",
                _brief(_rows(self.watching, self.mix.backend), _SHOWN_APART),
            ),
            (f"{_ENDS}{confirming}", _brief(self.ends, _END_COLUMNS)),
            ("What could not be tested", self.untested),
        )
        return tuple((heading, table) for heading, table in apart if len(table))


_PLACE = ("where", "who", "since", "until")
_HIT = ("journeys", "customers")
_SHOWN = ("gain_low", "gain", "gain_high", *_PLACE, *_HIT, "effect", "kind", "unusual")
_SHOWN_APART = (*_PLACE, "kind", "effect", "low", "high", *_HIT)
_END_COLUMNS = ("touchpoint", "visits", "exit_probability")
_ENDS = "Ends to confirm: nearly all visits here are exits. If that is as it should be, say "


def affected_by(finding: Finding) -> str:
    """Return who is hit, in a sentence."""
    journeys, customers = finding.n_journeys, finding.n_customers
    return f"It affects {counted(journeys, 'journey')} of {counted(customers, 'customer')}."


def _brief(table: Table, names: tuple[str, ...]) -> Table:
    """Return some columns, those left out that say nothing in any row."""
    said = [n for n in names if isinstance(table[n], np.ndarray) or any(table[n])]
    return table.select(said) if len(table) else Table({}, backend=table.backend)


def _rows(found: Sequence[Finding], backend: str | None) -> Table:
    columns: dict[str, Any] = {
        name: [getattr(one, name) for one in found]
        for name in ("certainty", "kind", "where", "who", "since", "until")
    }
    numbers = {
        "effect": [one.effect.value for one in found],
        "low": [one.effect.low for one in found],
        "high": [one.effect.high for one in found],
        "journeys": [one.n_journeys for one in found],
        "customers": [one.n_customers for one in found],
        "gain_low": [one.gain.low for one in found],
        "gain": [one.gain.value for one in found],
        "gain_high": [one.gain.high for one in found],
        "adjusted_p": [one.adjusted_p for one in found],
    }
    columns |= {name: np.array(values) for name, values in numbers.items()}
    columns["unusual"] = [one.unusual for one in found]
    percent = dict.fromkeys(("effect", "low", "high"), "percent")
    whole = dict.fromkeys(("gain_low", "gain", "gain_high"), "integer")
    return Table(columns, formats=percent | whole, backend=backend)


def _labels(found: Sequence[Finding]) -> list[str]:
    """Return where each is, and where several are in one place also what, and since when."""
    labels = [f"{one.where} {one.who}".strip() for one in found]
    further = (
        [f", {one.kind}" for one in found],
        [f" since {one.since}" if one.since else "" for one in found],
        [f" until {one.until}" if one.until else "" for one in found],
        [f" ({number})" for number in range(1, len(found) + 1)],
    )
    for more in further:
        times = Counter(labels)
        labels = [a + b if times[a] > 1 else a for a, b in zip(labels, more, strict=True)]
    return labels


def _draw(found: Sequence[Finding], title: str, ax: Axes | None) -> Axes:
    return plot.forest(
        _labels(found),
        [f.gain.value for f in found],
        [f.gain.low for f in found],
        [f.gain.high for f in found],
        n=[f.n_journeys for f in found],
        reference=0.0,
        label="conversions to be won, with their interval",
        caption="What would be won if the problem were gone; n is the number of journeys hit."
        if found
        else "No finding is sure.",
        title=title,
        ax=ax,
    )
