"""Differences between two versions of a blueprint."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney.domain import BlueprintStep, StageModel, check_blueprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.domain import JourneyBlueprint

_HEAD = ("name", "persona", "scenario", "stages")


@attrs.frozen(kw_only=True, repr=False)
class BlueprintDiff(Result):
    """What changed from one blueprint to another.

    Attributes
    ----------
    added, removed
        Steps that only the new or only the old one has.
    moved
        The fewest steps of both that must move for the order to be the new one.
    changed
        One row a field: `step` ("" for the blueprint itself), `field`, `before`, `after`.
    """

    title: ClassVar[str] = "Changes of the blueprint"

    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    changed: Table

    def __bool__(self) -> bool:
        """Tell whether anything changed."""
        return bool(self.added or self.removed or self.moved or len(self.changed))

    def _table(self) -> Table:
        plain = (("added", self.added), ("removed", self.removed), ("moved", self.moved))
        rows = [(step, kind, "", "", "") for kind, steps in plain for step in steps]
        rows += [
            (str(row["step"]), "changed", str(row["field"]), str(row["before"]), str(row["after"]))
            for row in self.changed
        ]
        names = ("step", "change", "field", "before", "after")
        return Table({name: [row[k] for row in rows] for k, name in enumerate(names)})

    def _notes(self) -> tuple[str, ...]:
        return () if self else ("Nothing changed.",)


def diff(old: JourneyBlueprint, new: JourneyBlueprint) -> BlueprintDiff:
    """Return what changed between two blueprints.

    Parameters
    ----------
    old, new
        The blueprints.

    Returns
    -------
    BlueprintDiff

    Raises
    ------
    InvalidValue
        If one of them is no blueprint.

    Notes
    -----
    A step is known by its touchpoint, where that comes again also by which time it is. Moved are
    the steps outside a longest common subsequence of both orders.

    Examples
    --------
    >>> from cxjourney import JourneyBlueprint
    >>> from cxjourney.domain import BlueprintStep
    >>> old = JourneyBlueprint("shop", ["ad", "catalog", "cart"])
    >>> new = JourneyBlueprint("shop", ["catalog", BlueprintStep("ad", optional=True), "chat"])
    >>> found = diff(old, new)
    >>> found.added, found.removed, found.moved
    (('chat',), ('cart',), ('ad',))
    >>> found.changed.row(0)
    {'step': 'ad', 'field': 'optional', 'before': 'False', 'after': 'True'}
    """
    check_blueprint(old, "old")
    check_blueprint(new, "new")
    before = dict(zip(old.labels(), old.steps, strict=True))
    after = dict(zip(new.labels(), new.steps, strict=True))
    place = {label: i for i, label in enumerate(after)}
    kept = [label for label in before if label in after]
    stay = {kept[i] for i in _longest_increasing([place[label] for label in kept])}
    rows = [("", *row) for row in _changes(old, new, _HEAD)]
    fields = tuple(field.name for field in attrs.fields(BlueprintStep))
    for label in kept:
        rows += [(label, *row) for row in _changes(before[label], after[label], fields)]
    names = ("step", "field", "before", "after")
    return BlueprintDiff(
        added=tuple(label for label in after if label not in before),
        removed=tuple(label for label in before if label not in after),
        moved=tuple(label for label in kept if label not in stay),
        changed=Table({name: [row[k] for row in rows] for k, name in enumerate(names)}),
    )


def _changes(old: object, new: object, fields: Sequence[str]) -> list[tuple[str, str, str]]:
    return [
        (name, _shown(getattr(old, name)), _shown(getattr(new, name)))
        for name in fields
        if getattr(old, name) != getattr(new, name)
    ]


def _shown(value: Any) -> str:
    if isinstance(value, StageModel):
        return f"{value.name}: {', '.join(value.names)}"
    if isinstance(value, tuple):
        return ", ".join(value) or "any"
    return "-" if value is None else str(value)


def _longest_increasing(values: Sequence[int]) -> list[int]:
    """Return the places of a longest increasing subsequence of distinct numbers."""
    tails: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for i, value in enumerate(values):
        length = bisect_left(tails, value)
        before.append(at[length - 1] if length else -1)
        if length == len(tails):
            tails.append(value)
            at.append(i)
        else:
            tails[length], at[length] = value, i
    chain = []
    i = at[-1] if at else -1
    while i >= 0:
        chain.append(i)
        i = before[i]
    return chain[::-1]
