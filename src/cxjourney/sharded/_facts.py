"""Facts of a table that SQL told, checked as the reader of a log would check them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxjourney._support.words import counted
from cxjourney.domain import TERMINALS, check_not_reserved
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from cxjourney.journeys import JourneyRules
    from cxjourney.sharded._dialects import Dialect

Counts = dict[tuple[str, str], int]
"""Numbers by source and target."""

_KINDS = ("edge", "censored", "journeys", "fact", "missing", "name", "type")
_NEEDED = ("customer", "timestamp", "touchpoint")
_KIND_OF_ROLE = {
    "customer": "strings or whole numbers",
    "touchpoint": "strings or whole numbers",
    "seq": "whole numbers",
    "timestamp": "timestamps of at most microseconds, or dates",
}


def by_kind(rows: Iterable[Sequence[object]]) -> dict[str, Counts]:
    """Return the numbers of the query's rows by kind, source and target."""
    rule = "be those of the query, each (kind, source, target, n)"
    counts: dict[str, Counts] = {kind: {} for kind in _KINDS}
    for row in rows:
        try:
            kind, source, target, n = row
            if n is None or n == "":  # the end of the observation of an empty table
                continue
            # the types of its columns are not known either
            key = (str(source), "" if target is None else str(target))
            of_kind, number = counts[str(kind)], int(n)  # type: ignore[call-overload]  # or it raises
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidValue.of("rows", rule, row) from error
        if key in of_kind:
            raise InvalidValue(f"rows must hold each count once; got {kind} of {key} twice")
        of_kind[key] = number
    if ("rows", "") not in counts["fact"]:
        raise InvalidValue(
            f"rows must {rule}, all of them; the number of interactions is not there"
        )
    return counts


def check_facts(
    counts: Mapping[str, Counts],
    dialect: Dialect,
    rules: JourneyRules,
    missing: str,
    known: Callable[[], Collection[str]],
) -> None:
    """Raise where a table has types, gaps or names that the reader of a log would refuse.

    `known` tells which touchpoints there are, for the message.
    """
    for role, found in counts["type"]:
        if found and not dialect.reads(role, found):
            rule = f"be of {_KIND_OF_ROLE[role]}: cast it in a view"
            raise InvalidValue.of(f"the column of {role}=", rule, found)
    for role in _NEEDED:
        n = counts["missing"].get((role, ""), 0)
        if n and missing == "refuse":
            raise InvalidData(
                f'{role} is missing in {counted(n, "row")}; missing="drop" leaves such rows out'
            )
    present = {name for (name, _), n in counts["name"].items() if n}
    for name in TERMINALS & present:
        check_not_reserved(name, "touchpoint")
    if not counts["fact"]["rows", ""]:  # an empty table knows no names to check against
        return
    for kind, names in (("goal", rules.goal), ("exit_touchpoints", rules.exit_touchpoints)):
        for name in names:
            if name not in present:
                raise UnknownName.among(kind, name, sorted({*known(), *present}), where="the table")


def doubts_of(facts: Mapping[str, int], ties: int, *, ordered: bool) -> str:
    """Return what is odd about a table, in sentences; nothing where nothing is."""
    doubts, rows = [], facts["rows"]
    if ties > rows / 100 and not ordered:
        doubts.append(
            f"{ties:,} of {rows:,} interactions have the customer and the timestamp of an earlier "
            "one, and are in the order of their touchpoints' names: a seq= column would tell their "
            "order."
        )
    if late := facts.get("late", 0):
        lie = counted(late, "interaction lies", "interactions lie")
        cut = "cut the data there, as until= of cx.sharded.parquet does"
        doubts.append(f"{lie} after observed_until and still count: {cut}")
    if early := facts.get("early", 0):
        lie = counted(early, "interaction lies", "interactions lie")
        cut = "since= of cx.sharded.parquet counts only journeys that begin later"
        doubts.append(f"{lie} before observed_from and still count: {cut}")
    return " ".join(doubts)
