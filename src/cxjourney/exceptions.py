"""Every error and warning of the library, one tree.

```text
CxJourneyError
├── InvalidValue (ValueError)            an argument or a field breaks its rule
│   ├── UnknownName (KeyError)           a name that is not there; carries the nearest ones
│   ├── OutOfScale                       answers outside their scale; carries the positions
│   └── ReservedName                     a name from data that collides with a terminal
├── InvalidData (ValueError)             rows that cannot be read; carries their numbers
├── InputFileError (OSError)             a file that is missing, truncated or of another format
├── OutcomeUndetermined (ValueError)     a goal without any way for a journey to be dropped
├── TimesRequired (ValueError)           aggregated paths have no times
├── NotAFlow (ValueError)                a graph whose counts do not add up at a node
├── NotAbsorbing (ValueError)            a graph whose goal does not end the journey
├── TrappedClass (ValueError)            touchpoints from which no journey can end
└── MissingDependency (ImportError)      an optional package is not installed

CxJourneyWarning (UserWarning)
└── DataQualityWarning                   the data was read, but something about it matters
```
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from cxjourney._support.text import brief, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "CxJourneyError",
    "CxJourneyWarning",
    "DataQualityWarning",
    "InputFileError",
    "InvalidData",
    "InvalidValue",
    "MissingDependency",
    "NotAFlow",
    "NotAbsorbing",
    "OutOfScale",
    "OutcomeUndetermined",
    "ReservedName",
    "TimesRequired",
    "TrappedClass",
    "UnknownName",
]

_SHOWN = 5
_LONGEST_NAME = 100  # that is compared with others: the time grows with the product of lengths


def _some(items: Sequence[object]) -> str:
    shown = ", ".join(brief(item) for item in items[:_SHOWN])
    rest = len(items) - _SHOWN
    return shown if rest <= 0 else f"{shown} and {rest:,} more"


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the question whether a name like `name` was meant; empty if there is none."""
    if len(name) > _LONGEST_NAME:
        return ""
    folded = {str(one).casefold(): one for one in known if len(str(one)) <= _LONGEST_NAME}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(repr(folded[key]) for key in close)}?" if close else ""


class CxJourneyError(Exception):
    """Base of every error that the library raises on purpose; its message is never long."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(shortened(arg) if isinstance(arg, str) else arg for arg in args))


class InvalidValue(CxJourneyError, ValueError):
    """An argument or a field breaks its rule."""

    @classmethod
    def of(
        cls, name: str, rule: str, value: object, *, choices: Iterable[str] = ()
    ) -> InvalidValue:
        """Compose "`name` must `rule`; got `value`", of a table or long column its type only.

        Where `choices` has a string like the value, "did you mean …?" follows.
        """
        near = _nearest(value, choices) if isinstance(value, str) else ""
        return cls(f"{name} must {rule}; got {brief(value)}{near and '; '}{near}")


class UnknownName(InvalidValue, KeyError):
    """A name that is not among the known ones.

    Attributes
    ----------
    name
        The name that was asked for.
    known
        The names that exist.
    """

    def __init__(self, message: str, *, name: str = "", known: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.known = known

    def __str__(self) -> str:  # KeyError would print the repr
        return str(self.args[0])

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str], *, where: str) -> UnknownName:
        """Compose "`kind` `name` is not in `where`; did you mean …?"."""
        names = tuple(known)
        hint = _nearest(str(name), names)
        if not hint:
            hint = f"there are {_some(names)}" if names else "there are none"
        return cls(f"{kind} {name!r} is not in {where}; {hint}", name=str(name), known=names)


class OutOfScale(InvalidValue):
    """Answers lie outside their scale.

    Attributes
    ----------
    positions
        Positions of the offending answers, counted from 0.
    """

    def __init__(self, message: str, *, positions: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.positions = positions


class ReservedName(InvalidValue):
    """A name from the data is one that the graph keeps for itself."""


class InvalidData(CxJourneyError, ValueError):
    """Rows of the input cannot be read.

    Attributes
    ----------
    rows
        Numbers of the offending rows, counted from 0 without a header.
    """

    def __init__(self, message: str, *, rows: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.rows = rows

    @classmethod
    def at_rows(cls, problem: str, rows: Sequence[int], *, hint: str = "") -> InvalidData:
        """Compose "`problem` in n row(s): 3, 17 …; `hint`"."""
        numbers = tuple(int(r) for r in rows)
        noun = "row" if len(numbers) == 1 else "rows"
        end = f"; {hint}" if hint else ""
        return cls(f"{problem} in {len(numbers):,} {noun}: {_some(numbers)}{end}", rows=numbers)


class InputFileError(CxJourneyError, OSError):
    """A file is missing, truncated or of another format."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class OutcomeUndetermined(CxJourneyError, ValueError):
    """A goal was given, but nothing that tells when a journey is over without it."""


class TimesRequired(CxJourneyError, ValueError):
    """The analysis needs times, and aggregated paths have none."""


class NotAFlow(CxJourneyError, ValueError):
    """The counts at a node do not add up: what comes in is not what goes out.

    Attributes
    ----------
    node
        The first node at which flow is not conserved.
    """

    def __init__(self, message: str, *, node: str = "") -> None:
        super().__init__(message)
        self.node = node


class NotAbsorbing(CxJourneyError, ValueError):
    """The graph was built with `after_goal="keep"`, so that its goal ends nothing."""


class TrappedClass(CxJourneyError, ValueError):
    """Journeys that come to some touchpoints can go around there, but never end.

    Attributes
    ----------
    nodes
        The touchpoints, sorted.
    """

    def __init__(self, message: str, *, nodes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nodes = nodes

    @classmethod
    def of(cls, nodes: Iterable[str], *, hint: str = "") -> TrappedClass:
        """Compose "no journey can end from `nodes`; `hint`"."""
        names = tuple(sorted(nodes))
        end = f"; {hint}" if hint else ""
        return cls(f"no journey can end from {_some(names)}{end}", nodes=names)


class MissingDependency(CxJourneyError, ImportError):
    """An optional package is needed and not installed."""


class CxJourneyWarning(UserWarning):
    """Base of every warning of the library."""


class DataQualityWarning(CxJourneyWarning):
    """The data was read, but something about it matters for the results."""
