"""Layouts for tables of which a row is no event: a case, an order, an answer."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import attrs

from cxjourney.io._column_roles import NO_STEP, in_words, is_outcome
from cxjourney.io._goal_candidates import looks_like_goal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney.io._column_facts import ColumnFacts
    from cxjourney.io._column_roles import Roles

FORMS = {"case": "cases", "order": "orders", "order line": "orders", "answer": "answers"}
_EXIT = re.compile(
    r"lost|cancel|reject|declin|abandon|refus|withdrawn|verloren|storniert|abgelehnt"
)
_ENDS = frozenset({"close", "closed", "end", "ended", "finish", "finished"})
_STATES = frozenset({"status", "state", "stage", "outcome", "result", "phase"})
_UNSAID = ("date", "at", "on", "time", "timestamp", "datum", "when")
_OF_STEP = ("value", "score")
_ALONE = "a row without the first of these is of a customer of its own, named by the second"


def steps_of(facts: Mapping[str, ColumnFacts], roles: Roles, kind: str) -> dict[str, str]:
    """Return the columns of times that are steps, and what each step is called.

    Of cases these are all columns that are written in the way of the first, of others the first.
    """
    times = [one.column for one in roles.candidates["timestamp"]]
    if kind != "case":
        return dict.fromkeys(times[:1], "order" if "order" in kind else "answer")
    like = {reading.form for name in times[:1] for reading in facts[name].readings}
    columns = [
        name
        for name in sorted(facts, key=is_outcome)  # an end comes last of what is at one time
        if name in times and like & {reading.form for reading in facts[name].readings}
        if not NO_STEP & {*in_words(name)}
    ]
    words = {name: [word for word in in_words(name) if word not in _UNSAID] for name in columns}
    called = {name: " ".join(said) or name for name, said in words.items()}
    return called if len({*called.values()}) == len(called) else {name: name for name in columns}


@attrs.frozen
class State:
    """A column that says how cases ended at a time which does not say it itself.

    Attributes
    ----------
    end
        The column of that time.
    column
        The column of the state in which a case is.
    exits
        The states that are no good end.
    """

    end: str
    column: str
    exits: tuple[str, ...]


def state_of(facts: Mapping[str, ColumnFacts], steps: Mapping[str, str]) -> State | None:
    """Return how cases ended, if one step is an end without a name of its own, such as "close"."""
    ends = [name for name, called in steps.items() if called in _ENDS]
    if len(ends) != 1 or any(is_outcome(name) for name in steps if name not in ends):
        return None
    for name, one in facts.items():
        wished = any(looks_like_goal(value) for value in one.counts)
        if _STATES & {*in_words(name)} and 2 <= one.distinct <= 12 and wished:
            exits = tuple(value for value in one.counts if _EXIT.search(value.lower()))
            return State(end=ends[0], column=name, exits=exits)
    return None


def layout_text(
    name: str,
    kind: str,
    taken: Mapping[str, str],
    steps: Mapping[str, str],
    state: State | None = None,
) -> str:
    """Return a layout in TOML that reads a table as its rows are.

    Parameters
    ----------
    name
        Name of the file in which it stands.
    kind
        What a row is.
    taken
        Column of each role; "case" is that of the order.
    steps
        Columns of times, and what each step is called.
    state
        What names the step that is an end of several kinds.
    """
    lines = [
        f"name = {_quoted(name.removesuffix('.toml'))}",
        f"title = {_quoted(f'as inspected, one {kind} a row')}",
    ]
    lines.append(f"form = {_quoted(FORMS[kind])}")
    if FORMS[kind] == "orders":
        lines.append(f"lines = [{_quoted(taken['case'])}]")
    exits = [called for called in steps.values() if _EXIT.search(called)]
    if exits := [*exits, *(state.exits if state is not None else ())]:
        lines.append(f"exits = [{', '.join(map(_quoted, exits))}]")
    needed = ", ".join(map(_quoted, dict.fromkeys([taken["customer"], *steps])))
    lines += ["", "[recognised]", f"all = [{needed}]", "", "[columns]"]
    whole = [role for role in taken if role not in {*_OF_STEP, "case", "timestamp", "touchpoint"}]
    lines += [f"{role} = {_quoted(taken[role])}" for role in whole]
    if kind == "case" and "journey" in taken:  # a case without a customer stands for itself
        both = ", ".join(_quoted(taken[role]) for role in ("customer", "journey"))
        one = lines.index(f"customer = {_quoted(taken['customer'])}")
        lines[one : one + 1] = [f"# {_ALONE}", f"customer = [{both}]"]
    main = max([*steps][::-1], key=lambda column: looks_like_goal(steps[column]))
    main = main if state is None else state.end
    for column, called in steps.items():
        named = f"name = {_quoted(called)}"
        if state is not None and column == state.end:
            named = f"touchpoint = {_quoted(state.column)}"
        lines += ["", "[[steps]]", f"timestamp = {_quoted(column)}", named]
        if column == main:
            lines.append("main = true")
            lines += [f"{role} = {_quoted(taken[role])}" for role in _OF_STEP if role in taken]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a string of JSON is one of TOML
