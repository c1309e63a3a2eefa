"""The way from a row of a result to the journeys and customers that it counts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar, cast

import numpy as np

from cxjourney._support.array_types import Bools, Ints
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._outcomes import OUTCOMES
from cxjourney.journeys._sharing import is_few

if TYPE_CHECKING:
    from cxjourney.journeys._segments import Divisible
    from cxjourney.journeys._visits import Visits

Ending: TypeAlias = Literal["any", "converted", "dropped", "in progress"]
"""How journeys ended."""

Members: TypeAlias = Callable[[int, tuple[str, ...], "Ending | None"], Bools]
"""Whether each unit is counted by a row, given its place, its names and an ending."""

R = TypeVar("R", bound="WithPeople")
_ENDINGS = ("any", "converted", "dropped", "in progress")


class WithPeople(Result):
    """A result whose rows lead to the journeys that they count.

    They are kept beside the fields: neither `to_dict` nor a pickle holds them.
    """

    __slots__ = ("_people",)

    _shared: ClassVar[tuple[str, ...]] = ()  # columns that say nothing of any other row

    def journeys(
        self, *row: str | int | tuple[str, ...], outcome: Ending | None = None
    ) -> Journeys:
        """Return the journeys that a row counts; where it counts visits, those with such a visit.

        Parameters
        ----------
        row
            The names with which the row of the table begins, or its place there, from 0.
        outcome
            How they ended: "converted", "dropped", "in progress", or "any". None takes those that
            the result counts.

        Raises
        ------
        UnknownName
            If the table has no such row.
        InvalidValue
            If the result was read from a dictionary or made of a graph, or counts customers.
        """
        counted, mask = self._members(row, outcome)
        if not isinstance(counted, Journeys):
            raise InvalidValue(
                "this result counts customers of a log: take customers(), or count journeys"
            )
        return counted.where(mask)

    def customers(
        self, *row: str | int | tuple[str, ...], outcome: Ending | None = None
    ) -> tuple[str, ...]:
        """Return the ids of the customers whose journeys a row counts, each once.

        Parameters
        ----------
        row, outcome
            As for `journeys`.

        Raises
        ------
        UnknownName
            If the table has no such row.
        InvalidValue
            If the result was read from a dictionary or made of a graph or of aggregated paths.
        """
        counted, mask = self._members(row, outcome)
        if counted.weight is not None:
            raise InvalidValue("aggregated paths have no customers")
        ids = counted.log.customer_ids
        return tuple(ids[i] for i in np.unique(counted.customer[mask]).tolist())

    def _members(self, row: tuple[Any, ...], outcome: Ending | None) -> tuple[Divisible, Bools]:
        if outcome is not None:
            outcome = cast("Ending", str(outcome).replace("_", " "))
            check_choice(outcome, "outcome", _ENDINGS)
        people: tuple[Divisible, Members] | None = getattr(self, "_people", None)
        if people is None:
            raise InvalidValue(
                "this result holds no journeys, since it was read from a dictionary or a pickle, "
                "or made of a graph: compute it again from journeys"
            )
        place = self._place(row)
        counted, of = people
        return counted, of(place, self._rows(())[place], outcome)

    def _shareable(self) -> Table:
        people: tuple[Divisible, Members] | None = getattr(self, "_people", None)
        if not self._shared or people is None or people[0].weight is not None:
            return super()._shareable()
        counted, of = people
        table, names = self._table(), self._rows(())
        whose = [np.unique(counted.customer[of(i, row, "any")]) for i, row in enumerate(names)]
        hidden = {i for i, row in enumerate(names) if self._tells_of_few(i, row)}
        for group in {self._group(row) for row in names}:
            within = [i for i, row in enumerate(names) if self._group(row) == group]
            within.sort(key=lambda i: len(whose[i]))
            kept = [i for i in within if i not in hidden]
            folded = [i for i in within if i in hidden]
            while folded and kept and is_few(np.concatenate([whose[i] for i in folded])):
                folded.append(kept.pop(0))  # the next smallest
            hidden.update(folded)
        columns = [n for n in table.column_names if isinstance(table[n], tuple)]
        columns += [name for name in self._shared if name in table.column_names]
        shown = table.select(columns)
        kept = [i for i in range(len(names)) if i not in hidden]
        if not hidden:
            return shown
        other: dict[str, Any] = {
            name: ["other"] if isinstance(table[name], tuple) else [np.nan] for name in columns
        }
        return Table.below([shown.take(kept), Table(other)], leading={})

    def _tells_of_few(self, place: int, names: tuple[Any, ...]) -> bool:
        """Return whether a row, a part of it or all but it is about fewer than five customers."""
        counted, of = cast("tuple[Divisible, Members]", self._people)  # type: ignore[attr-defined]
        customer = counted.customer
        any_of = of(place, names, "any")
        parts = [customer[of(place, names, cast("Ending", end))] for end in _ENDINGS]
        others = np.setdiff1d(customer, customer[any_of])
        return any(map(is_few, (*parts, customer[~any_of], others, *self._apart(names))))

    def _apart(self, _names: tuple[Any, ...]) -> tuple[Ints, ...]:
        """Return the customers of further parts that can be told from the numbers of a row."""
        return ()

    def _group(self, _names: tuple[Any, ...]) -> str:
        """Return of which rows the sum can be told from the numbers of one."""
        return ""

    def _rows(self, _row: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return the names of the rows, as somebody who names one like this means them."""
        table = self._table()
        lead = takewhile(lambda name: isinstance(table[name], tuple), table.column_names)
        return list(zip(*(table[name] for name in lead), strict=True))

    def _place(self, row: tuple[Any, ...], kind: str = "row") -> int:
        rows = self._rows(row)
        if len(row) == 1 and isinstance(row[0], int) and 0 <= row[0] < len(rows):
            return row[0]
        found = [i for i, names in enumerate(rows) if names == row]
        if len(found) > 1:
            rule = f"be a place in the table, such as {found[0]}, where rows have one name"
            raise InvalidValue.of(kind, rule, ", ".join(map(str, row)))
        if not found:
            known = [", ".join(map(str, names)) for names in rows]
            raise UnknownName.among(kind, ", ".join(map(str, row)), known, where="the result")
        return found[0]


def with_people(result: R, counted: Divisible, of: Members) -> R:
    """Return a new result after telling it whom its rows count: journeys, or customers of a log."""
    object.__setattr__(result, "_people", (counted, of))
    return result


def ended(journeys: Journeys, outcome: Ending | None) -> Bools:
    """Return which journeys ended so; None means any of them."""
    if outcome is None or outcome == "any":
        return np.ones(len(journeys.outcome), dtype=np.bool_)
    values = [one.value.replace("_", " ") for one in OUTCOMES]
    return np.asarray(journeys.outcome == values.index(outcome))


def visited(visits: Visits, which: Bools, outcome: Ending | None) -> Bools:
    """Return which journeys have one of some visits, or ended so right after one of them."""
    if outcome is not None and outcome != "any":
        last = np.zeros(len(visits), dtype=np.bool_)
        last[visits.last] = True
        which = which & last
    mask = np.zeros(len(visits.journeys.outcome), dtype=np.bool_)
    mask[visits.journey[which]] = True
    return mask & ended(visits.journeys, outcome)
