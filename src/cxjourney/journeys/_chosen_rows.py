"""Rows of journeys that are chosen by name, by an attribute, by a pattern or one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cxjourney._support.validation import check_names
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys._outcomes import mask_of
from cxjourney.journeys._patterns import Pattern, every_point

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.log import Coded

    RowChoice: TypeAlias = str | Iterable[str] | Pattern | NDArray[np.bool_]


def says_yes(coded: Coded) -> Ints | None:
    """Return 1, 0, or -1 where missing of each row of an attribute; None where it says else."""
    words = [said(value) for value in coded.names]
    if not words or not set(words) <= {"yes", "no"}:
        return None
    yes = np.array([*(word == "yes" for word in words), -1], dtype=np.int64)
    return np.asarray(yes[coded.codes])


def said(value: Any) -> str:
    """Return a value of an attribute in words: truth values are yes and no."""
    return (
        {True: "yes", False: "no"}[bool(value)]
        if isinstance(value, (bool, np.bool_))
        else str(value)
    )


def chosen_rows(journeys: Journeys, choice: RowChoice, name: str) -> Bools:
    """Return which rows of journeys are meant; `name` is the caller's argument.

    Parameters
    ----------
    choice
        Names of touchpoints, or of attributes that say yes or no, of which the rows that say yes
        are taken; a `Pattern`, of whose matches the point is taken; or a truth value a row.

    Raises
    ------
    UnknownName
        If a name is that of no touchpoint and of no attribute that says yes or no.
    InvalidValue
        If it is none of these, or not one truth value a row.
    """
    n = len(journeys.columns)
    if isinstance(choice, Pattern):
        return every_point(journeys, choice)
    if isinstance(choice, np.ndarray) and choice.dtype.kind == "b":
        if choice.shape != (n,):
            rule = f"have one truth value for each of the {n:,} interactions of the journeys"
            raise InvalidValue.of(name, rule, f"an array of shape {choice.shape}")
        return np.asarray(choice)
    names = check_names(choice, name)
    if not names:
        rule = "name a touchpoint or an attribute that says yes or no, be a Pattern or a mask"
        raise InvalidValue.of(name, rule, choice)
    places = [one for one in names if one in journeys.columns.coded["touchpoint"].names]
    found = mask_of(journeys.columns, tuple(places))
    if not n:  # an empty log knows no names to check against
        return found
    flags = _flags(journeys) if len(places) < len(names) else {}
    for one in names:
        if one in places:
            continue
        if one not in flags:
            known = (*journeys.log.touchpoints, *flags)
            where = "the touchpoints or the attributes that say yes or no"
            raise UnknownName.among(name, one, known, where=where)
        found = found | flags[one]
    return found


def _flags(journeys: Journeys) -> dict[str, Bools]:
    columns, of_customers = journeys.columns, journeys.log.customer_attributes
    found = {}
    for name in (*columns.attributes, *of_customers):
        yes = says_yes(columns.attribute(name, of_customers))
        if yes is not None:
            found[name] = np.asarray(yes == 1)
    return found
