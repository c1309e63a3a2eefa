"""Attribution of each segment on its own: the same model, customers of one kind at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_name
from cxjourney.attribution._attribution import Attribution
from cxjourney.attribution._rules import linear
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import check_journeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from cxjourney.journeys import Journeys

__all__ = ["SegmentedAttribution", "by_segment"]


@attrs.frozen(kw_only=True, repr=False)
class SegmentedAttribution(Result):
    """One attribution a segment.

    Attributes
    ----------
    segment
        Name of the attribute that divides the journeys.
    parts
        The attribution of each segment, by its value.
    unknown
        Number of journeys whose segment is not known; they are in no part.
    """

    title: ClassVar[str] = "Attribution by segment"

    segment: str
    parts: Mapping[str, Attribution]
    unknown: int

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the share of the credit in each segment as bars with their intervals.

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
        names = [str(name) for part in self.parts.values() for name in part.table[part.grain]]
        group = [value for value, part in self.parts.items() for _ in range(len(part.table))]
        share, low, high = (
            np.concatenate(
                [
                    np.asarray(part.table[column], dtype=np.float64) / (part.total or np.nan)
                    for part in self.parts.values()
                ]
                or [np.zeros(0)]
            )
            for column in ("credit", "low", "high")
        )
        return plot.bars(
            names,
            share,
            low,
            high,
            group=group,
            group_label=self.segment,
            percent=True,
            label="share of the credit of the segment",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _table(self) -> Table:
        columns: dict[str, list[Any]] = {self.segment: []}
        for value, part in self.parts.items():
            for row in part.table:
                columns[self.segment].append(value)
                for name, cell in row.items():
                    columns.setdefault(name, []).append(cell)
        formats = next((dict(p.table.formats) for p in self.parts.values()), {})
        return Table(columns, formats=formats)

    def _notes(self) -> tuple[str, ...]:
        notes = [
            f"{value}: {part.total:,.6g} {part.of}, base rate {part.base_rate:.1%}"
            for value, part in self.parts.items()
        ]
        if self.unknown:
            notes.append(f"{self.unknown:,} journeys have no known {self.segment}")
        return (*notes, "segments differ in more than the channels that they touch")


def by_segment(
    journeys: Journeys,
    segment: str,
    model: Callable[[Journeys], Attribution] = linear,
) -> SegmentedAttribution:
    """Attribute the conversions of each segment on its own.

    Parameters
    ----------
    journeys
        The journeys; outcomes and window stay those of the whole.
    segment
        An attribute of customers or interactions: its first known value in a journey counts.
    model
        What attributes the journeys of a segment, such as `cx.attribution.markov`, or a function
        that calls it with options.

    Returns
    -------
    SegmentedAttribution

    Raises
    ------
    UnknownName
        If neither customers nor interactions have such an attribute.
    InvalidValue
        If `model` returns something else than an `Attribution`.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> result = cx.attribution.by_segment(
    ...     journeys, "segment", lambda part: cx.attribution.first_touch(part, replicates=0))
    >>> divided = sum(part.total + part.unattributed for part in result.parts.values())
    >>> round(divided) == int(journeys.converted.sum())
    True
    """
    check_journeys(journeys)
    if not callable(model):
        raise InvalidValue.of("model", "be a function of journeys, as cx.attribution.linear", model)
    coded = journeys.segment(check_name(segment, "segment"))
    parts: dict[str, Attribution] = {}
    for code in sorted(range(len(coded.names)), key=lambda c: str(coded.names[c])):
        chosen = coded.codes == code
        if not chosen.any():
            continue
        part = model(journeys.where(chosen))
        if not isinstance(part, Attribution):
            raise InvalidValue.of("model", "return an Attribution", part)
        parts[str(coded.names[code])] = part
    unknown = coded.codes < 0
    weight = journeys.weight
    lost = int(np.count_nonzero(unknown) if weight is None else weight[unknown].sum())
    return SegmentedAttribution(segment=segment, parts=FrozenMapping(parts), unknown=lost)
