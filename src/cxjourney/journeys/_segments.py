"""Segments of journeys, and the results of a measure segment by segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar, cast

import attrs
import numpy as np

from cxjourney._support.array_types import Ints
from cxjourney._support.result import Result, result_from_dict
from cxjourney._support.serialize import check_stamp, value_of
from cxjourney._support.table import Table
from cxjourney._support.validation import check_mapping, check_name
from cxjourney.domain import MISSING
from cxjourney.exceptions import InvalidValue, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from cxjourney.log import Coded, InteractionLog

R = TypeVar("R", bound=Result)
D = TypeVar("D", bound="Divisible")

SegmentBy: TypeAlias = str | tuple[str, Sequence[float]]
"""An attribute of customers or interactions; with bounds, the bins of a numeric one."""

_MOST_NUMBERS = 8
_QUARTERS = (0.25, 0.5, 0.75)


class Divisible(Protocol):
    """What can be divided into segments: journeys, or the customers of a log."""

    @property
    def log(self) -> InteractionLog:
        """The log that it comes from."""

    @property
    def customer(self) -> Ints:
        """Number of the customer of each unit."""

    @property
    def weight(self) -> NDArray[np.int64] | None:
        """How often each unit counts; None where once."""

    def segment(self, name: str) -> Coded:
        """Return an attribute, one value a unit: its first known."""

    def where(self, keep: NDArray[np.bool_]) -> Self:
        """Return some of the units."""


@attrs.frozen(kw_only=True, eq=False)
class Segments:
    """One segment a journey.

    Attributes
    ----------
    name
        The attribute.
    values
        The segments in use, in order; `MISSING` is the last where a journey's value is not known.
    code
        Segment of each journey, as its place in `values`.
    rule
        How a journey got its value, as a sentence.
    n_missing
        Journeys whose value is not known, weights counted.
    """

    name: str
    values: tuple[str, ...]
    code: Ints
    rule: str
    n_missing: int


def segments_of(journeys: Divisible, segment: SegmentBy, *, unit: str = "journey") -> Segments:
    """Return the segment of each journey; one whose value is not known is in `MISSING`.

    A numeric attribute of more than eight values is cut at its quartiles unless bounds are given.

    Raises
    ------
    UnknownName
        If neither customers nor interactions have such an attribute.
    InvalidValue
        If bounds are given for an attribute that is not numeric, or do not ascend.
    """
    name, bounds = _asked_for(segment)
    coded = journeys.segment(name)
    rule = _rule(journeys, name, unit)
    numeric = bool(coded.names) and all(
        isinstance(value, Real) and not isinstance(value, bool) for value in coded.names
    )
    if bounds is not None and not numeric:
        raise InvalidValue(f"segment {name!r} has bounds, but its values are not all numbers")
    if numeric and (bounds is not None or len(coded.names) > _MOST_NUMBERS):
        values, code, cut = _binned(coded, bounds, unit)
        rule = f"{rule} {cut}"
    else:
        order = sorted(range(len(coded.names)), key=lambda i: _sort_key(coded.names[i]))
        values = [level_of(coded.names[i]) for i in order]
        place = np.empty(len(order) + 1, dtype=np.int64)
        place[order] = np.arange(len(order))
        place[-1] = -1
        code = place[coded.codes]
    weight = np.ones(len(code), dtype=np.int64) if journeys.weight is None else journeys.weight
    n_missing = int(weight[code < 0].sum())
    code = np.where(code < 0, len(values), code)
    used = np.unique(code)
    names = [*values, MISSING]
    return Segments(
        name=name,
        values=tuple(names[i] for i in used.tolist()),
        code=np.searchsorted(used, code),
        rule=rule,
        n_missing=n_missing,
    )


@attrs.frozen(kw_only=True, repr=False)
class BySegment(Result, Generic[R]):
    """A measure of each segment on its own: one table, whose first column is `segment`.

    Attributes
    ----------
    segment
        The attribute that divides the journeys.
    values
        The segments; `cx.MISSING` is the last where the value of some journeys is not known.
    results
        The result of each segment, in the order of `values`.
    rule
        How a journey got its value.
    n_missing
        Journeys whose value is not known; they are a segment of their own.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> from cxjourney.journeys import by_segment
    >>> rates = by_segment(journeys, "segment", cx.omnichannel.switching)
    >>> rates.values
    ('family', 'standard', 'student')
    >>> rates["student"].per_transition.n > 0
    True
    """

    title = "By segment"

    segment: str
    values: tuple[str, ...]
    results: tuple[R, ...]
    rule: str
    n_missing: int

    def __getitem__(self, value: str) -> R:
        """Return the result of one segment.

        Raises
        ------
        UnknownName
            If no journey is in such a segment.
        """
        if value not in self.values:
            raise UnknownName.among(self.segment, value, self.values, where="the result")
        return self.results[self.values.index(value)]

    def __iter__(self) -> Iterator[tuple[str, R]]:
        """Iterate over the segments and their results."""
        return iter(zip(self.values, self.results, strict=True))

    def __len__(self) -> int:
        return len(self.values)

    def plot(self) -> NDArray[Any]:
        """Draw the result of each segment in a panel of its own.

        The array holds matplotlib's axes, which are an optional package, hence Any.

        Returns
        -------
        ndarray of Axes
            One a segment.

        Raises
        ------
        InvalidValue
            If results of this kind have no picture.
        MissingDependency
            If matplotlib is not installed.
        """
        from cxjourney.plot import panels

        draw = [getattr(result, "plot", None) for result in self.results]
        if not draw or any(one is None for one in draw):
            raise InvalidValue("results without a picture of their own cannot be drawn by segment")
        axes = panels(len(self))
        for value, one, ax in zip(self.values, draw, axes, strict=True):
            assert one is not None  # noqa: S101 - looked at above
            one(title=f"{self.segment}: {value}", ax=ax)
        return axes

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-ready dictionary; that of each segment with its type."""
        return {
            "schema": 1,
            "type": "BySegment",
            "segment": self.segment,
            "values": list(self.values),
            "results": [result.to_dict() for result in self.results],
            "rule": self.rule,
            "n_missing": self.n_missing,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the result whose `to_dict` is `data`.

        Raises
        ------
        InvalidValue
            If the dictionary is of another type or a later schema.
        """
        check_stamp(data, "BySegment")
        parts = value_of(tuple[Any, ...], data.get("results"), "results")
        for i, part in enumerate(parts):
            if check_mapping(part, f"results[{i}]").get("type") == "BySegment":
                raise InvalidValue(f"results[{i}] must be of one segment, not a BySegment itself")
        return cls(
            segment=value_of(str, data.get("segment"), "segment"),
            values=value_of(tuple[str, ...], data.get("values"), "values"),
            results=tuple(cast(R, result_from_dict(part)) for part in parts),
            rule=value_of(str, data.get("rule"), "rule"),
            n_missing=value_of(int, data.get("n_missing"), "n_missing"),
        )

    def _table(self) -> Table:
        tables = [result._table() for result in self.results]  # noqa: SLF001 - a result of ours
        return Table.below(tables, leading={"segment": self.values})

    def _shown(self) -> Table:
        tables = [result._shown() for result in self.results]  # noqa: SLF001 - a result of ours
        return Table.below(tables, leading={"segment": self.values})

    def _notes(self) -> tuple[str, ...]:
        notes = [self.rule]
        if self.n_missing:
            notes.append(
                f"The value of {self.n_missing:,} of them is not known; they are the segment "
                f"{MISSING}."
            )
        every = [result._notes() for result in self.results]  # noqa: SLF001 - a result of ours
        shared = [note for note in (every[0] if every else ()) if all(note in n for n in every)]
        return (*notes, *shared)


def by_segment(
    journeys: D, segment: SegmentBy, measure: Callable[[D], R], *, unit: str = "journey"
) -> BySegment[R]:
    """Return a measure of each segment on its own; outcomes and window stay those of the whole.

    Parameters
    ----------
    journeys
        The journeys, or whatever else is divided.
    segment
        The attribute that divides them; see `segments_of`.
    measure
        What measures the journeys of one segment.
    unit
        What one of them is called.
    """
    found = segments_of(journeys, segment, unit=unit)
    # without journeys there is one empty segment, so that the columns stay
    values = found.values or (MISSING,)
    parts = [measure(journeys.where(found.code == i)) for i in range(len(values))]
    return BySegment(
        segment=found.name,
        values=values,
        results=tuple(parts),
        rule=found.rule,
        n_missing=found.n_missing,
    )


def level_of(value: object) -> str:
    """Return the name of the segment of a value: "yes" and "no" for truth values."""
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _asked_for(segment: SegmentBy) -> tuple[str, tuple[float, ...] | None]:
    if not isinstance(segment, tuple):
        return check_name(segment, "segment"), None
    if len(segment) != 2:
        raise InvalidValue.of("segment", "be a name, or a name and the bounds of its bins", segment)
    name, bounds = segment
    ascending = tuple(bounds)
    if not ascending or any(a >= b for a, b in pairwise(ascending)):
        raise InvalidValue.of("bounds of the segment", "be ascending numbers", bounds)
    return check_name(name, "segment"), ascending


def _rule(journeys: Divisible, name: str, unit: str) -> str:
    columns = journeys.log.columns
    if name not in {
        "account",
        *journeys.log.customer_attributes,
        *columns.attributes,
        *columns.coded,
    }:
        if name == "origin":
            return "A journey that begins right after a goal, with no silence between, is after it."
        return f"Each {unit} has the {name} with which it was labelled."
    if name in journeys.log.customer_attributes:
        if unit == "customer":
            return f"Each customer has one {name}."
        return f"Each {unit} has the {name} of its customer."
    return f"Each {unit} has the first {name} that is known of its interactions."


def _sort_key(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return (not number, float(value) if number else 0.0, str(value))


def _binned(
    coded: Coded, bounds: tuple[float, ...] | None, unit: str
) -> tuple[list[str], Ints, str]:
    numbers = np.array([float(value) for value in coded.names])
    known = coded.codes >= 0
    values = numbers[coded.codes[known]]
    if bounds is None:
        cuts = np.unique(np.quantile(values, _QUARTERS, method="inverted_cdf"))
        said = f"It is cut at the quartiles of the {unit}s."
    else:
        cuts = np.array(bounds, dtype=np.float64)
        said = "It is cut at the bounds given."
    code = np.full(len(coded.codes), -1, dtype=np.int64)
    code[known] = np.searchsorted(cuts, values, side="right")
    shown = [f"{cut:g}" for cut in cuts.tolist()]
    inner = [f"{a} to under {b}" for a, b in pairwise(shown)]
    return [f"under {shown[0]}", *inner, f"{shown[-1]} or more"], code, said
