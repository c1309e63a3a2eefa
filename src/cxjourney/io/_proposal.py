"""Ways to read a file: the columns or the layout, the options, the command and the Python."""

from __future__ import annotations

import glob
import os
import re
import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.table import Table
from cxjourney._support.words import counted
from cxjourney.exceptions import CxJourneyError, DataQualityWarning
from cxjourney.io._column_roles import words_of
from cxjourney.io._files import find_files
from cxjourney.io._goal_candidates import goal_table
from cxjourney.io._layout import find, layout_of_text, layouts, recognise
from cxjourney.io._proposed_layout import FORMS, layout_text, steps_of
from cxjourney.io._shaping import Plan
from cxjourney.log import InteractionLog, is_currency_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.io._column_facts import ColumnFacts
    from cxjourney.io._column_roles import Roles
    from cxjourney.io._file_sample import FileSample
    from cxjourney.io._layout import Layout

NEEDED = ("customer", "timestamp", "touchpoint")
_FURTHER = ("channel", "value", "score")
_BY_NAME = ("stage", "owner")  # which the command takes by their name
_KINDS = {"events": "event", "cases": "case", "orders": "order line", "answers": "answer"}


@attrs.frozen(kw_only=True)
class Proposal:
    """How a file is read: see the fields of `FileInspection`."""

    row_is: str
    row_evidence: str
    roles: tuple[tuple[str, str, str, str], ...]
    goals: Table
    decimal: str
    obstacles: tuple[str, ...]
    commands: tuple[str, ...]
    python: tuple[str, ...]
    layouts: tuple[str, ...]
    near_layouts: tuple[str, ...]


@attrs.frozen(kw_only=True)
class _Way:
    """A way to read a file: columns or a layout, options, and the rules of journeys."""

    taken: Mapping[str, str]
    options: Mapping[str, Any]
    goal: str | None
    exits: tuple[str, ...] = ()
    days: int | None = None
    all_closed: bool = False


def propose(
    given: str | Sequence[str],
    sample: FileSample,
    facts: Mapping[str, ColumnFacts],
    roles: Roles,
    kind: tuple[str, str],
) -> Proposal:
    """Return how a file is read.

    Parameters
    ----------
    given
        The path or the glob as the user wrote it, or several paths.
    kind
        What a row is, and why.
    """
    header = tuple(facts)
    known = recognise(header)
    taken = _taken(facts, roles, kind[0])
    layout = known[0] if known else None
    obstacles = [] if known else _obstacles(sample, facts, roles, taken, kind[0])
    file, written = "", ""
    steps: dict[str, str] = {}
    if layout is None and kind[0] in FORMS and not obstacles:
        stem = Path(given if isinstance(given, str) else given[0]).name.partition(".")[0]
        file = f"{re.sub('[^a-zA-Z0-9_-]+', '-', stem).strip('-') or 'table'}.toml"
        steps = steps_of(facts, roles, kind[0])
        written = layout_text(file, kind[0], taken, steps)
        layout = layout_of_text(written, file)
    decimal = _decimal(facts, taken)
    itself = layout is not None and layout.header_rows > 1  # knows the rows below the names
    options = _options(sample, decimal, sample.skip_rows if itself else sample.skipped)
    ways, log = [], None
    if layout is not None:
        name = {"layout": file or layout.name}
        for reading in _readings(layout, facts):
            log, dropping = _log_by_layout(layout, sample, reading, decimal)
            ways.append(_way({}, {**options, **dropping, **name, **reading}, log, layout))
    elif not obstacles:
        dropping = {"missing": "drop"} if any(facts[taken[r]].n_missing for r in NEEDED) else {}
        for time in facts[taken["timestamp"]].readings:
            log = _log_by_columns(taken, sample, time.options)
            ways.append(_way(taken, {**options, **dropping, **time.options}, log, None))
    if known and layout is not None:
        kind = _KINDS[layout.form], f"the layout {layout.name!r} says so"
        shown = _shown_of_layout(layout, header)
    else:
        reasons = {c.column: c.reason for found in roles.candidates.values() for c in found}
        shown = tuple(
            (role, name, reasons.get(name, "named so"), _others(roles, role, taken))
            for role, name in taken.items()
            if role != "timestamp" or not steps
        ) + tuple(("timestamp", column, f"step {name!r}", "") for column, name in steps.items())
    return Proposal(
        row_is=kind[0],
        row_evidence=kind[1],
        roles=shown,
        goals=goal_table(log),
        decimal=decimal,
        obstacles=tuple(obstacles),
        commands=tuple(_put(file, written) + _command(given, way) for way in ways),
        python=tuple(_python(given, sample.kind, way, file, written) for way in ways),
        layouts=tuple(one.name for one in known),
        near_layouts=_near(header) if not known else (),
    )


def _taken(facts: Mapping[str, ColumnFacts], roles: Roles, kind: str) -> dict[str, str]:
    """Return the column of each role that is proposed, each column once."""
    taken: dict[str, str] = {}
    needed = NEEDED[:2] if kind in FORMS else NEEDED
    for role in (*needed, *["case"] * ("order" in kind), *_FURTHER):
        for one in roles.candidates[role]:
            weak = role == "score" and one.score < 4
            if one.column not in taken.values() and not weak:
                taken[role] = one.column
                break
    taken |= {
        role: role
        for role in _BY_NAME
        if role in facts and facts[role].filled and role not in taken.values()
    }
    currency = next((n for n in facts if words_of(n) & {"currency", "währung", "waehrung"}), None)
    if "value" in taken and currency is not None and facts[currency].filled:
        codes, gaps = facts[currency].counts, facts[currency].n_missing
        if len(codes) == 1 and is_currency_code(next(iter(codes))) and not gaps:
            taken["currency"] = currency
        elif len(codes) > 1:
            del taken["value"]
    return taken


def _others(roles: Roles, role: str, taken: Mapping[str, str]) -> str:
    found = roles.candidates.get(role, ())
    return ", ".join(repr(one.column) for one in found if one.column not in taken.values())


def _shown_of_layout(
    layout: Layout, header: Sequence[str]
) -> tuple[tuple[str, str, str, str], ...]:
    """Return where a layout has what it reads, by role or by the name of the step."""
    sources = [(role, source, f"layout {layout.name!r}") for role, source in layout.columns.items()]
    for step in layout.steps:
        name = step.touchpoint.constant
        why = f"layout {layout.name!r}" if name is None else f"step {name!r}"
        sources.append(("timestamp", step.timestamp, why))
        if name is None:
            sources.append(("touchpoint", step.touchpoint, why))
    found = ((role, source.described(header), why, "") for role, source, why in sources)
    return tuple(one for one in found if one[1])


def _near(header: Sequence[str]) -> tuple[str, ...]:
    """Return the layouts of which one column alone is missing, and most are there."""
    lacking = [(one, one.missing(header)) for one in layouts()]
    return tuple(
        f"{one.name!r}: {missing[0]} is missing"
        for one, missing in lacking
        if len(missing) == 1 and len(one.recognised) + len(one.any_of) > 2
    )


def _obstacles(
    sample: FileSample,
    facts: Mapping[str, ColumnFacts],
    roles: Roles,
    taken: Mapping[str, str],
    kind: str,
) -> list[str]:
    """Return what stands in the way of reading the file."""
    needed = NEEDED if kind not in FORMS else NEEDED[:2]
    said = [f"no column looks like the {role}" for role in needed if role not in taken]
    if "order" in kind and not roles.candidates["case"]:
        said.append("no column looks like the id of the order")
    if sample.n_ragged:
        ragged = counted(sample.n_ragged, "row has", "rows have")
        said.append(f"{ragged} more or fewer cells than there are names")
    customer = facts.get(taken.get("customer", ""))
    single = customer is not None and customer.distinct == customer.filled
    if customer is not None and single and sample.whole and kind not in FORMS:
        said.append(f"no value of {customer.name!r} comes twice: there are no journeys to follow")
    return said


def _decimal(facts: Mapping[str, ColumnFacts], taken: Mapping[str, str]) -> str:
    numbers = [facts[taken[role]] for role in ("value", "score") if role in taken]
    return "," if any(one.decimal == "," for one in numbers) else "."


def _options(sample: FileSample, decimal: str, skipped: int | tuple[int, ...]) -> dict[str, Any]:
    """Return the arguments of the reader that say how the file is written."""
    options: dict[str, Any] = {}
    if sample.kind == "csv" and sample.encoding not in {"utf-8", "utf-16"}:
        options["encoding"] = sample.encoding
    if sample.kind == "csv" and decimal != ".":
        options["decimal"] = decimal
    if skipped:
        options["skip_rows"] = skipped if isinstance(skipped, int) else list(skipped)
    if len(sample.sheets) > 1:
        options["sheet"] = sample.sheet
    return options


def _readings(layout: Layout, facts: Mapping[str, ColumnFacts]) -> list[dict[str, str]]:
    """Return the ways in which all times that a layout names are read."""
    if layout.timestamp_format or layout.timestamp_unit:
        return [{}]
    places = {n for s in layout.steps for places in s.timestamp.first for n in places}
    named = {name for place in places for name in find(place, tuple(facts))}
    times = [facts[name].readings for name in facts if name in named and facts[name].readings]
    common = [
        reading.options
        for reading in (times[0] if times else ())
        if all(reading.form in {other.form for other in others} for others in times)
    ]
    return common or [{}]


def _log_by_layout(
    layout: Layout, sample: FileSample, reading: Mapping[str, str], decimal: str
) -> tuple[InteractionLog | None, dict[str, str]]:
    """Return the log of the sample, if the layout reads it, and what it takes about gaps."""
    options: dict[str, Any] = {**dict.fromkeys(NEEDED), "timestamp_format": None, **reading}
    gaps: tuple[dict[str, str], ...] = ({}, {"missing": "drop"})
    for dropping in gaps:
        try:
            plan = Plan.of(layout, **{**options, **dropping})
            plan, places = plan.for_header(tuple(sample.columns), "the sample")
            there = {p: n for p, n in places.items() if n in sample.columns}
            cells = {p: np.array(sample.columns[n], dtype=object) for p, n in there.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataQualityWarning)  # the reader says it again
                return plan.log(cells, decimal), dropping
        except CxJourneyError:
            continue
    return None, {}


def _log_by_columns(
    taken: Mapping[str, str], sample: FileSample, reading: Mapping[str, Any]
) -> InteractionLog | None:
    """Return the log of the sample, if it can be read."""
    cells = {name: np.array(sample.columns[taken[name]], dtype=object) for name in NEEDED}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataQualityWarning)  # the reader says it again
            names: dict[str, Any] = {name: name for name in NEEDED}
            return InteractionLog.from_frame(cells, **names, missing="drop", **reading)
    except CxJourneyError:
        return None


def _way(
    taken: Mapping[str, str],
    options: Mapping[str, Any],
    log: InteractionLog | None,
    layout: Layout | None,
) -> _Way:
    """Return a way with the goal, the exits and the end of journeys that suggest themselves."""
    there = () if log is None else log.touchpoints
    goals = [n for n in (layout.goal if layout else ()) if n in there]
    if len(there) > 1:
        goals += map(str, goal_table(log)["touchpoint"])
    goal = next(iter(goals), None)
    exits = tuple(name for name in (layout.exits if layout else ()) if name in there)
    endless = log is not None and not _has_silences(log, goal)  # then no limit suggests itself
    days = layout.inactivity_days if layout and endless and not exits else None
    return _Way(
        taken=taken,
        options=options,
        goal=goal,
        exits=exits,
        days=days,
        all_closed=endless and not exits and days is None,
    )


def _has_silences(log: InteractionLog, goal: str | None) -> bool:
    """Return whether something other than the goal is ever followed by something of a customer."""
    names, customer = log.columns.coded["touchpoint"], log.columns.customer
    is_goal = np.array([name == goal for name in names.names])[names.codes]
    return bool(((customer[1:] == customer[:-1]) & ~is_goal[:-1]).any())


def _put(file: str, written: str) -> str:
    """Return the lines of a shell that write a layout; "" without one."""
    return f"cat > {file} <<'END'\n{written}END\n" if written else ""


def _command(given: str | Sequence[str], way: _Way) -> str:
    """Return the command that makes a report of the file."""
    words = ["cxjourney", "report", given if isinstance(given, str) else _glob_of(given)]
    for name, value in {**way.taken, **way.options, "goal": way.goal}.items():
        if name == "missing":
            words.append("--drop-missing")
        elif value is not None:
            listed = isinstance(value, list)
            cell = ",".join(map(str, value)) + "," * (len(value) == 1) if listed else str(value)
            words += [f"--{name.replace('_', '-')}", cell]
    words += [word for name in way.exits for word in ("--exit-touchpoint", name)]
    return shlex.join([*words, *["--all-closed"] * way.all_closed])


def _glob_of(files: Sequence[str]) -> str:
    """Return the glob that names these files and no others; the first file where there is none."""
    before = os.path.commonprefix(files)  # noqa: RUF071 - characters are meant
    ends = [file[len(before) :][::-1] for file in files]
    after = os.path.commonprefix(ends)[::-1]  # noqa: RUF071 - the same
    named = f"{glob.escape(before)}*{glob.escape(after)}"
    return named if {*find_files(named)} == {*files} else files[0]


def _python(given: str | Sequence[str], kind: str, way: _Way, file: str, written: str) -> str:
    """Return the Python that reads the file and cuts it into journeys as the command does."""
    lines = ["import cxjourney as cx", ""]
    if written:
        lines = ["from pathlib import Path", "", "import cxjourney as cx", ""]
        lines += [
            f'layout = """\\\n{written}"""',
            f"Path({file!r}).write_text(layout, encoding='utf-8')",
        ]
    words = [repr(given if isinstance(given, str) else list(given))]
    words += [f"{name}={value!r}" for name, value in {**way.taken, **way.options}.items()]
    lines += [f"log = cx.read_{kind}(", *(f"    {word}," for word in words), ")"]
    rules = [] if way.goal is None else [f"goal={way.goal!r}"]
    if way.exits:
        rules.append(f"exit_touchpoints={[*way.exits]!r}")
    elif way.all_closed:
        rules += ["all_closed=True", "after_goal='discard'"]
    elif way.days is not None:
        lines[0:0] = ["from datetime import timedelta"]
        rules.append(f"inactivity=timedelta(days={way.days})")
    else:
        lines.append(f"limits = log.suggest_inactivity({', '.join(rules)})")
        rules.append("inactivity=limits.suggested")
    return "\n".join([*lines, f"journeys = log.journeys({', '.join(rules)})"])
