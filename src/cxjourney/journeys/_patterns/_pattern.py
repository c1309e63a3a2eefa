"""`Pattern`: what happens in a journey, in order, as one line of text."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
import numpy as np

from cxjourney._support.validation import check_choice, check_name
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._patterns._automaton import Plan, automaton_of, plan_of
from cxjourney.journeys._patterns._grammar import Parsed, each_part, parse
from cxjourney.kernels import Matches, match_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.journeys._journeys import Journeys

Occurrence: TypeAlias = Literal["first", "last"]
"""Which match of several counts."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue.of("text", "be the text of a pattern", value)
    return value


@attrs.frozen(repr=False, eq=False)
class Pattern:
    r"""What happens in a journey, in order: parts joined by arrows.

    | text | what it asks for |
    |---|---|
    | `web`, `"sign up"` | an interaction at a touchpoint; in quotes where it is more than a word |
    | `.`, `[a\|b]`, `[^a\|b]` | any interaction, one at any of these, one at none of these |
    | `a -> b` | b is the interaction right after a |
    | `a -> .* -> b` | b comes later |
    | `a -> [^x]* -> b` | b comes later, and no x between |
    | `a+`, `a?`, `a{2}`, `a{2,3}`, `a{2,}` | one or more, one or none, so many |
    | `(a -> b){2}`, `(a -> b \| c)` | a sequence so many times, one of several sequences |
    | `^ -> a`, `a -> $` | a opens the journey, a is its last interaction |
    | `a -> .* -> $converted` | the journey converted; `$dropped` and `$in_progress` likewise |
    | `a(channel=web, value>=100)` | conditions on columns: = != < <= > >=, and `=web\|app` |
    | `a -> b(gap<=30m)` | the time since the part before, a run `*` not counted |
    | `a -> .* -> b where duration<=7d` | the time from the first interaction to the last |
    | `a -> .* -> @b` | b is the point at which journeys are cut or aligned |

    A journey matches or not, and the goal or exit that ends it is an interaction like others. Where
    several matches are possible, the first has every part as early as it is in any, and the last
    every part as late; see the page on patterns.

    Attributes
    ----------
    text
        The pattern as it was written. `str(pattern)` writes it in one way, and reads back equal.

    Raises
    ------
    InvalidValue
        If the text is no pattern; a caret under it points to the place.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=200).journeys()
    >>> len(journeys.filter(cx.Pattern('cart -> .* -> "help centre" -> .* -> order')))
    1
    >>> cx.Pattern("cart -> [help|order")
    Traceback (most recent call last):
        ...
    cxjourney.exceptions.InvalidValue: the pattern is not clear here: close the bracket with ]
      cart -> [help|order
                         ^
    """

    text: str = attrs.field(converter=_text)
    parsed: Parsed = attrs.field(init=False)
    plan: Plan = attrs.field(init=False)

    @parsed.default
    def _parsed(self) -> Parsed:
        return parse(self.text)

    @plan.default
    def _plan(self) -> Plan:
        return plan_of(self.parsed)

    def __str__(self) -> str:
        return str(self.parsed)

    def __repr__(self) -> str:
        return f"Pattern({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self.parsed == other.parsed if isinstance(other, Pattern) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.parsed)

    @property
    def marked(self) -> bool:
        """Whether a part is marked with @."""
        return any(part.marked for part in each_part(self.parsed))


def as_pattern(value: Pattern | str, name: str = "pattern") -> Pattern:
    """Return a pattern, which its text may stand for."""
    if isinstance(value, Pattern):
        return value
    if not isinstance(value, str):
        raise InvalidValue.of(name, "be a Pattern or its text", value)
    return Pattern(value)


def as_anchors(value: Pattern | str | Sequence[Pattern | str], name: str) -> tuple[Pattern, ...]:
    """Return the patterns of a point, of which any will do."""
    several = value if isinstance(value, (list, tuple)) else (value,)
    if not several:
        raise InvalidValue.of(name, "name at least one pattern", value)
    return tuple(as_pattern(one, name) for one in several)


def matches_of(
    journeys: Journeys,
    pattern: Pattern,
    *,
    rows: Literal["none", "ends", "all", "every"] = "none",
    occurrence: Occurrence = "first",
) -> Matches:
    """Return which journeys match, and the rows of the match that counts."""
    check_choice(occurrence, "occurrence", ("first", "last"))
    columns = journeys.columns
    return match_pattern(
        columns.coded["touchpoint"].codes,
        journeys.offsets,
        columns.time,
        journeys.outcome,
        automaton_of(pattern.parsed, pattern.plan, journeys),
        rows=rows,
        last=occurrence == "last",
    )


def points_of(
    journeys: Journeys, anchors: Sequence[Pattern], occurrence: Occurrence, *, end: bool = False
) -> Ints:
    """Return the row of the point of each journey, -1 where no pattern matches.

    It is the interaction marked with @, else the first of the match, or the last with `end`. Of
    several patterns it is that of the one whose point comes first, or last by `occurrence`.
    """
    points = []
    for pattern in anchors:
        rows = matches_of(journeys, pattern, rows="ends", occurrence=occurrence).row
        points.append(np.asarray(rows[2 if pattern.marked else int(end)]))
    if occurrence == "last":
        return reduce(np.maximum, points)
    nowhere = len(journeys.columns)
    found = reduce(np.minimum, [np.where(one < 0, nowhere, one) for one in points])
    return np.where(found == nowhere, -1, found)


def every_point(journeys: Journeys, pattern: Pattern) -> Bools:
    """Return which rows are the point of a match, where one is found after the other."""
    place = matches_of(journeys, pattern, rows="every").place
    assert place is not None  # noqa: S101 - it was asked for
    return np.asarray(place >= 0)


def labels_of(
    journeys: Journeys, patterns: Pattern | Mapping[str, Pattern | str]
) -> NDArray[np.bool_] | NDArray[np.str_]:
    """Return whether each journey matches, or the name of the first pattern that it matches.

    Where none matches, the name is "other".
    """
    if isinstance(patterns, Pattern):
        return matches_of(journeys, patterns).found
    named = {check_name(name, "mask"): as_pattern(one, "mask") for name, one in patterns.items()}
    found = np.full(len(journeys.outcome), "other", dtype=object)
    for name, pattern in reversed(named.items()):
        found[matches_of(journeys, pattern).found] = name
    return found.astype(np.str_)
