"""Any measure of this package, segment by segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.result import Result
from cxjourney._support.validation import check_name
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import check_journeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cxjourney.journeys import Journeys

__all__ = ["by_segment"]

R = TypeVar("R", bound=Result)


def by_segment(
    journeys: Journeys, segment: str, measure: Callable[[Journeys], R]
) -> Mapping[str, R]:
    """Return a measure of each segment on its own.

    Parameters
    ----------
    journeys
        The journeys; outcomes and window stay those of the whole.
    segment
        An attribute of customers or interactions: its first known value in a journey counts.
        Journeys without one are in no segment.
    measure
        What measures the journeys of a segment, such as `cx.omnichannel.handoff_loss`, or a
        function that calls it with options.

    Returns
    -------
    Mapping of str to the measure's result
        ChannelBy the segment's value, sorted; segments without a journey are not in it.

    Raises
    ------
    UnknownName
        If neither customers nor interactions have such an attribute.

    Notes
    -----
    P-values are corrected within a segment and not over them: with many segments one will stand out
    by chance.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> rates = by_segment(journeys, "segment", cx.omnichannel.switching)
    >>> list(rates)
    ['family', 'standard', 'student']
    >>> sum(rate.per_transition.n for rate in rates.values()) == cx.omnichannel.switching(
    ...     journeys
    ... ).per_transition.n
    True
    """
    check_journeys(journeys)
    if not callable(measure):
        rule = "be a function of journeys, as cx.omnichannel.switching"
        raise InvalidValue.of("measure", rule, measure)
    coded = journeys.segment(check_name(segment, "segment"))
    parts = {}
    for code in sorted(range(len(coded.names)), key=lambda code: str(coded.names[code])):
        chosen = coded.codes == code
        if chosen.any():
            parts[str(coded.names[code])] = measure(journeys.where(chosen))
    return FrozenMapping(parts)
