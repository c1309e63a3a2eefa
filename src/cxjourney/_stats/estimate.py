"""`Estimate`, a number with its interval, its counts and its definition."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

import attrs
import numpy as np

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.serialize import from_dict, to_dict
from cxjourney._support.table import Table, format_value
from cxjourney._support.validation import check_mapping
from cxjourney._support.words import in_agreement
from cxjourney.exceptions import InvalidValue

Parameter = str | int | float | bool | None
"""A choice that a number depends on, as its card holds it."""

ENDS = {"value": "value", "low": "low", "high": "high"}
"""Columns of a table of estimates, and the attributes that they show."""

_KINDS = {"fraction": "percent", "seconds": "duration"}  # how a unit is shown


def _frozen_parameters(mapping: Mapping[str, Parameter]) -> Mapping[str, Parameter]:
    return FrozenMapping(check_mapping(mapping, "parameters"))


def _frozen_counts(mapping: Mapping[str, int]) -> Mapping[str, int]:
    return FrozenMapping(check_mapping(mapping, "exclusions"))


def note_strings(notes: Iterable[str]) -> tuple[str, ...]:
    if not isinstance(notes, Iterable):
        raise InvalidValue.of("notes", "be a list of strings", notes)
    return tuple(notes)


@attrs.frozen(kw_only=True, repr=False)
class Estimate:
    """A number with its interval, count, unit, method and notes.

    Attributes
    ----------
    value
        The raw estimate [`unit`]; NaN where it is not defined.
    low, high
        Ends of the interval of the raw estimate [`unit`]; NaN where there is none.
    level
        Confidence level of the interval, in (0, 1).
    n
        Number of observations that the estimate rests on.
    n_missing
        Number of observations left out because they were missing.
    n_censored
        Number of observations whose end is not known: they are censored.
    unit
        What one of `value` is: "fraction", "points", "seconds", a currency code …
    method
        How the interval was made.
    notes
        What a reader must know: "empty", clipped intervals, assumptions.
    name
        Identifier of the metric, such as "nps".
    definition
        The definition in a sentence.
    parameters
        The choices that the number depends on.
    numerator, denominator
        The counts or sums whose ratio it is; None where it is not a ratio.
    exclusions
        Reason to number of observations left out.
    time_zone
        The zone in which calendar periods were cut; None where none was.

    Examples
    --------
    >>> from cxjourney.metrics import Estimate
    >>> Estimate(value=0.25, low=0.1, high=0.5, n=12, unit="fraction", method="Wilson")
    25.0% [10.0%, 50.0%] (95% Wilson, n=12)
    """

    value: float = attrs.field(converter=float)
    low: float = attrs.field(default=math.nan, converter=float)
    high: float = attrs.field(default=math.nan, converter=float)
    level: float = 0.95
    n: int = 0
    n_missing: int = 0
    n_censored: int = 0
    unit: str = ""
    method: str = ""
    notes: tuple[str, ...] = attrs.field(default=(), converter=note_strings)
    name: str = ""
    definition: str = ""
    parameters: Mapping[str, Parameter] = attrs.field(
        factory=dict, converter=_frozen_parameters, hash=False
    )
    numerator: float | None = None
    denominator: float | None = None
    exclusions: Mapping[str, int] = attrs.field(factory=dict, converter=_frozen_counts, hash=False)
    time_zone: str | None = None

    def __float__(self) -> float:
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """Return the card of the number: a JSON-ready dictionary; NaN becomes None."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the estimate whose card is `data`, of the class that it names.

        Raises
        ------
        InvalidValue
            If the dictionary is of another type or schema.
        """
        return from_dict(cls, data)

    def __repr__(self) -> str:
        kind = _KINDS.get(self.unit)
        unit = "" if kind or not self.unit else f" {self.unit}"
        text = format_value(self.value, kind) + unit
        if not math.isnan(self.low) or not math.isnan(self.high):
            text += f" [{format_value(self.low, kind)}, {format_value(self.high, kind)}]"
        facts = [f"{format_value(100 * self.level)}% {self.method}".strip(), f"n={self.n:,}"]
        if self.n_missing:
            facts.append(f"missing={self.n_missing:,}")
        if self.n_censored:
            facts.append(f"censored={self.n_censored:,}")
        text += f" ({', '.join(facts)})"
        return text + (f" {in_agreement(' '.join(self.notes))}" if self.notes else "")

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"


def estimates_table(
    label: str,
    rows: Mapping[str, Estimate],
    columns: Mapping[str, str] = ENDS,
    *,
    kind: str = "number",
) -> Table:
    """Return a table of estimates: columns are attributes, shown as `kind` but for counts."""
    return Table(
        {label: list(rows)}
        | {
            name: np.array([getattr(estimate, attribute) for estimate in rows.values()])
            for name, attribute in columns.items()
        },
        formats={
            name: kind if attribute in ENDS else "integer" for name, attribute in columns.items()
        },
    )


def fields_of(estimate: Estimate) -> dict[str, Any]:
    """Return what every estimate has, to make one of a kind that has more."""
    return {field.name: getattr(estimate, field.name) for field in attrs.fields(Estimate)}
