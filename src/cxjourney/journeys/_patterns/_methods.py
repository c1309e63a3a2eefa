"""Methods of journeys that take a pattern: filter, truncate, align, explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self, cast

from cxjourney._support.validation import check_flag
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys._patterns._explanation import PatternMatch, explained
from cxjourney.journeys._patterns._pattern import (
    Pattern,
    as_anchors,
    as_pattern,
    matches_of,
)
from cxjourney.journeys._patterns._truncation import truncated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._segments import SegmentBy
    from cxjourney.journeys._visits import By
    from cxjourney.sequences import StepFlow


class WithPatterns:
    """Journeys that know what to do with a pattern."""

    __slots__ = ()

    def filter(self, pattern: Pattern | str, *, matches: bool = True) -> Self:
        """Return the journeys that match a pattern, outcomes and window as in the whole.

        Parameters
        ----------
        pattern
            What happens in them: a `Pattern`, or its text.
        matches
            Whether those that match are kept, or else those that do not.

        Raises
        ------
        InvalidValue
            If it is no pattern, or compares a column with what it cannot be.
        UnknownName
            If it names a touchpoint or a column that the log does not have.
        TimesRequired
            If it asks for gaps or durations of aggregated paths.

        Examples
        --------
        >>> import cxjourney as cx
        >>> journeys = cx.datasets.sample(seed=1, customers=200).journeys()
        >>> journeys.filter("cart -> [^order]* -> $dropped")
        Journeys: 102 (0 converted, 102 dropped, 0 in_progress)
        """
        check_flag(matches, "matches")
        journeys = cast("Journeys", self)
        found = matches_of(journeys, as_pattern(pattern)).found
        return cast("Self", journeys.where(found == matches))

    def truncate(
        self,
        *,
        start: Pattern | str | Sequence[Pattern | str] | None = None,
        end: Pattern | str | Sequence[Pattern | str] | None = None,
        occurrence: Literal["first", "last"] = "first",
    ) -> Self:
        """Return each journey from one point to another, both included; those without are left out.

        Parameters
        ----------
        start
            Where it is to begin: at the first interaction of this pattern's match, or at the one
            that is marked with @. A list: at any of these, whichever comes first. None: where it
            begins.
        end
            Where it is to end: at the last interaction of this pattern's match, or at the one that
            is marked, looked for from the beginning just found. A list: at any of these, whichever
            comes first; `". -> $"` among them is the last interaction. None: where it ends.
        occurrence
            Which match counts where there are several: the "first" or the "last".

        Returns
        -------
        Journeys
            Where no end was cut off, with outcomes as in the whole. Else all are in progress, and
            what needs outcomes raises `OutcomeUndetermined`: how some of them went on is not among
            their rows. Label journeys before, to compare them by what became of them.

        Raises
        ------
        InvalidValue
            If neither is given, one is no pattern, or a list is empty.
        UnknownName
            If a pattern names a touchpoint or a column that the log does not have.

        Examples
        --------
        >>> import cxjourney as cx
        >>> journeys = cx.datasets.sample(seed=1, customers=200).journeys()
        >>> journeys.truncate(start="cart")
        Journeys: 226 (117 converted, 102 dropped, 7 in_progress)
        >>> journeys.truncate(start="cart", end="payment")
        Journeys: 132 (0 converted, 0 dropped, 132 in_progress); outcomes undetermined
        >>> journeys.truncate(start=["cart", '"live chat advice"'])
        Journeys: 255 (124 converted, 122 dropped, 9 in_progress)
        """
        first, last = (
            None if given is None else as_anchors(given, name)
            for name, given in (("start", start), ("end", end))
        )
        return cast("Self", truncated(cast("Journeys", self), first, last, occurrence))

    def align(
        self,
        pattern: Pattern | str | Sequence[Pattern | str],
        *,
        before: int = 3,
        after: int = 3,
        occurrence: Literal["first", "last"] = "first",
        by: By = "touchpoint",
        top: int = 8,
        segment: SegmentBy | None = None,
        level: float = 0.95,
    ) -> StepFlow:
        """Return what comes before and after a point of the journeys, step by step.

        Parameters
        ----------
        pattern
            The point is the first interaction of its match, or the one marked with @: step 0. Of a
            list it is at any of these, whichever comes first (or last, by `occurrence`).
        before, after
            How many interactions are followed on either side. The goal or exit that ends a journey
            is one of them.
        occurrence
            Which match counts where there are several: the "first" or the "last".
        by
            What a step is: "touchpoint", "channel", "stage", "owner", or a pair of them.
        top
            How many names are kept, the most frequent within the steps; all others are "other".
        segment
            An attribute of two values, such as a label: shares of the two groups are compared.
        level
            Confidence level, in (0, 1).

        Returns
        -------
        StepFlow
            `matrix` has the share of the journeys at each name, step by step (those that have not
            begun are at the start, those that ended at their outcome), and `table` what flows
            between two steps; `plot()` draws it.

        Raises
        ------
        InvalidValue
            If it is no pattern, a number or level breaks its rule, or `segment` has not two groups.
        UnknownName
            If a touchpoint, column or attribute is not in the log.

        Examples
        --------
        >>> import cxjourney as cx
        >>> journeys = cx.datasets.sample(seed=1, customers=200).journeys()
        >>> found = journeys.align("payment", before=1, after=1, top=3)
        >>> found.matrix.select(["step", "name", "journeys"])
        step  name           journeys
        ----  -------------  --------
          -1  checkout            137
           0  payment             137
           1  payment               9
           1  order                98
           1  (other)               5
           1  (dropped)            22
           1  (in progress)         3
        """
        from cxjourney.sequences import aligned_flow

        return aligned_flow(
            cast("Journeys", self),
            pattern,
            before=before,
            after=after,
            occurrence=occurrence,
            by=by,
            top=top,
            segment=segment,
            level=level,
        )

    def explain(
        self,
        pattern: Pattern | str,
        customer: str,
        *,
        occurrence: Literal["first", "last"] = "first",
    ) -> PatternMatch:
        """Return how a customer's journeys match a pattern, or how far they get.

        Parameters
        ----------
        pattern
            A `Pattern`, or its text.
        customer
            Id of the customer.
        occurrence
            Which match is shown where there are several: the "first" or the "last".

        Returns
        -------
        PatternMatch

        Raises
        ------
        UnknownName
            If the log has no such customer, or none with a journey here; or the pattern names a
            touchpoint or a column that it does not have.
        InvalidValue
            If it is no pattern, or the journeys are aggregated paths.
        """
        journeys = cast("Journeys", self)
        if journeys.weight is not None:
            raise InvalidValue("aggregated paths have no customers")
        mine = journeys.customer == journeys.log.customer_number(customer)
        if not mine.any():
            raise UnknownName("the customer has no journey among these", name=str(customer))
        return explained(journeys.where(mine), as_pattern(pattern), occurrence)
