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
from cxjourney.exceptions import CxJourneyError, DataQualityWarning, InputFileError, InvalidValue
from cxjourney.io._cells import NUMBERS
from cxjourney.io._column_roles import unique_id, words_of
from cxjourney.io._files import find_files
from cxjourney.io._goal_candidates import goal_table, goal_value
from cxjourney.io._layout import Layout, Source, Step, find, layout_of_text, layouts, recognise
from cxjourney.io._proposed_layout import FORMS, State, layout_text, state_of, steps_of
from cxjourney.io._shaping import Plan
from cxjourney.log import InteractionLog, is_currency_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.io._column_facts import ColumnFacts
    from cxjourney.io._column_roles import Roles
    from cxjourney.io._file_sample import FileSample

NEEDED = ("customer", "timestamp", "touchpoint")
_FURTHER = ("channel", "value", "score")
_BY_NAME = ("stage", "owner")  # which the command takes by their name
_KINDS = {"events": "event", "cases": "case", "orders": "order line", "answers": "answer"}


@attrs.frozen(kw_only=True)
class _Way:
    """A way to read a file: columns or a layout, options, and the rules of journeys."""

    taken: Mapping[str, str]
    options: Mapping[str, Any]
    goals: Table
    goal: str | None
    rules: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class _Trial:
    """What came of reading a sample: a log in each way, or why there is none."""

    layout: Layout
    file: str = ""
    written: str = ""
    logs: tuple[tuple[InteractionLog, dict[str, Any]], ...] = ()
    failed: str = ""


def propose(
    given: str | Sequence[str],
    sample: FileSample,
    facts: Mapping[str, ColumnFacts],
    roles: Roles,
    kind: tuple[str, str],
) -> dict[str, Any]:
    """Return how a file is read: the fields of `FileInspection` that say so, and `notes`.

    Parameters
    ----------
    given
        The path or the glob as the user wrote it, or several paths.
    kind
        What a row is, and why.
    """
    header = tuple(sample.columns)
    known = recognise(header)
    taken = _taken(facts, roles, kind[0])
    obstacles = [] if known else _obstacles(sample, facts, roles, taken, kind[0])
    decimal, notes = _decimal(sample.kind, facts, taken), []
    steps = steps_of(facts, roles, kind[0]) if kind[0] in FORMS and not known else {}
    state = state_of(facts, steps) if kind[0] == "case" else None
    trial = None
    if known:
        trial = _tried(_Trial(layout=known[0]), sample, facts, decimal)
    elif not obstacles:
        trial = _tried(_offered(given, kind[0], taken, steps, state), sample, facts, decimal)
        for fewer in _fewer(taken) if trial.failed else ():
            again = _tried(_offered(given, kind[0], fewer, steps, state), sample, facts, decimal)
            if not again.failed:
                left = ", ".join(f"{role} {taken[role]!r}" for role in taken if role not in fewer)
                notes.append(
                    f"Not proposed: {left}, for with it the file is not read: {trial.failed}."
                )
                trial, taken = again, fewer
                break
    if steps and trial is not None and not trial.failed:
        notes += _alone(facts, taken, kind[0])
    ways = []
    if trial is not None and trial.failed:
        by = f" by the layout {known[0].name!r}" if known else ""
        obstacles.append(f"the rows cannot be read{by}: {trial.failed}")
    elif trial is not None:
        layout, own = trial.layout, {} if known or steps else taken
        itself = layout.header_rows > 1  # knows the rows below the names
        options = _options(sample, decimal, sample.skip_rows if itself else sample.skipped)
        name = {} if own else {"layout": trial.file or layout.name}
        told = goal_value(facts[own["touchpoint"]]) if own else None
        for log, reading in trial.logs:
            ways.append(_way(own, {**options, **name, **reading}, log, layout, told))
        status = _status(facts, taken) if own and ways[0].goal is None else None
        if status is not None:
            column, value = status
            notes.append(
                f"Conversions may stand in {column!r}, as {value!r}: --touchpoint "
                f"{shlex.quote(column)} --goal {shlex.quote(value)} counts them."
            )
            other = taken | {"touchpoint": column}
            trial = _tried(_offered(given, kind[0], other, {}, None), sample, facts, decimal)
            for log, reading in trial.logs:
                ways.append(_way(other, {**options, **reading}, log, layout, value))
    if known:
        kind = _KINDS[known[0].form], f"the layout {known[0].name!r} says so"
    return {
        "row_is": kind[0],
        "row_evidence": kind[1],
        "roles": _role_table(known, header, roles, taken, steps, state=state),
        "goals": ways[-len(trial.logs)].goals if trial and trial.logs else goal_table(None),
        "decimal": decimal,
        "obstacles": tuple(obstacles),
        "notes": tuple(notes),
        "commands": tuple(_put(trial) + _command(given, way) for way in ways if trial),
        "python": tuple(_python(given, sample.kind, way, trial) for way in ways if trial),
        "layouts": tuple(one.name for one in known),
        "near_layouts": _near(header) if not known else (),
    }


def _alone(facts: Mapping[str, ColumnFacts], taken: Mapping[str, str], kind: str) -> list[str]:
    """Return who cases without a customer are of, if there are any."""
    lacking = facts[taken["customer"]].n_missing
    if kind != "case" or "journey" not in taken or not lacking:
        return []
    whose, named = taken["customer"], taken["journey"]
    rows = counted(lacking, "row has", "rows have")
    said = f"{rows} no {whose!r}: each is read as a customer of its own, named by {named!r}."
    return [said]


def _role_table(
    known: Sequence[Layout],
    header: Sequence[str],
    roles: Roles,
    taken: Mapping[str, str],
    steps: Mapping[str, str],
    *,
    state: State | None,
) -> Table:
    """Return which column is proposed for each role, why, and what could serve too."""
    if known:
        said = f"layout {known[0].name!r}"
        rows = [(role, words, said, "") for role, words in known[0].described(header).items()]
    else:
        reasons = {(r, c.column): c.reason for r, found in roles.candidates.items() for c in found}
        rows = [
            (role, name, reasons.get((role, name), "named so"), _others(roles, role, taken))
            for role, name in taken.items()
            if role != "timestamp" or not steps
        ]
        whys = {column: f"step {name!r}" for column, name in steps.items()}
        if state is not None:
            whys[state.end] = f"step named by {state.column!r}"
        rows += [("timestamp", column, why, "") for column, why in whys.items()]
    names = ("role", "column", "why", "could_serve_too")
    return Table(
        {name: [row[i] for row in rows] for i, name in enumerate(names)},
        formats={"why": "sentence", "could_serve_too": "sentence"},
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
    status = _status(facts, taken)
    if status is not None and "touchpoint" in needed:
        taken.setdefault("touchpoint", status[0])
    taken |= {
        role: role
        for role in _BY_NAME
        if role in facts and facts[role].filled and role not in taken.values()
    }
    key = unique_id(facts) if kind == "case" else None
    whose = facts.get(taken.get("customer", ""))
    if key is not None and whose is not None and whose.distinct < whose.filled:
        taken["journey"] = key  # each case is one of its own
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
    said = [
        f"no column looks like the {role}: name it with --{role}"
        for role in needed
        if role not in taken
    ]
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


def _decimal(kind: str, facts: Mapping[str, ColumnFacts], taken: Mapping[str, str]) -> str:
    if kind != "csv":  # whose reader alone is told
        return "."
    numbers = [facts[taken[role]] for role in ("value", "score") if role in taken]
    return "," if any(one.decimal == "," for one in numbers) else "."


def _options(sample: FileSample, decimal: str, skipped: int | tuple[int, ...]) -> dict[str, Any]:
    """Return the arguments of the reader that say how the file is written."""
    options: dict[str, Any] = {}
    if sample.kind == "csv" and sample.encoding not in {"utf-8", "utf-16"}:
        options["encoding"] = sample.encoding
    if decimal != ".":
        options["decimal"] = decimal
    if sample.below:
        skipped = (*(range(skipped) if isinstance(skipped, int) else skipped), *sample.below)
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


def _offered(
    given: str | Sequence[str],
    kind: str,
    taken: Mapping[str, str],
    steps: Mapping[str, str],
    state: State | None,
) -> _Trial:
    """Return the layout that reads these columns, with its text where the steps have a file."""
    if steps:
        stem = Path(given if isinstance(given, str) else given[0]).name.partition(".")[0]
        file = f"{re.sub('[^a-zA-Z0-9_-]+', '-', stem).strip('-') or 'table'}.toml"
        written = layout_text(file, kind, taken, steps, state)
        return _Trial(layout=layout_of_text(written, file), file=file, written=written)
    sources = {role: Source(first=((name,),)) for role, name in taken.items()}
    step = Step(timestamp=sources.pop("timestamp"), touchpoint=sources.pop("touchpoint"))
    return _Trial(
        layout=Layout(
            name="", title="", form="events", recognised=(), columns=sources, steps=(step,)
        )
    )


def _fewer(taken: Mapping[str, str]) -> list[dict[str, str]]:
    """Return columns without one of those that a log does not need, and without all of them."""
    optional = [role for role in taken if role not in {*NEEDED, "case"}]
    left = [[role] for role in reversed(optional)] + [optional]
    return [{r: name for r, name in taken.items() if r not in out} for out in left if optional]


def _tried(
    trial: _Trial, sample: FileSample, facts: Mapping[str, ColumnFacts], decimal: str
) -> _Trial:
    """Return what comes of reading a sample by a layout, in every way to read its times."""
    logs, failed = [], ""
    for reading in _readings(trial.layout, facts):
        for dropping in ({}, {"missing": "drop"}):
            options: dict[str, Any] = {**dict.fromkeys(NEEDED), "timestamp_format": None, **reading}
            try:
                plan = Plan.of(trial.layout, **{**options, **dropping})
                plan, places = plan.for_header(tuple(sample.columns), "the sample")
                for name in {*places.values()} & {*sample.repeated}:
                    raise InputFileError(f"several columns have the name {name!r}")
                _check_numbers(trial.layout, sample)
                there = {p: n for p, n in places.items() if n in sample.columns}
                cells = {p: np.array(sample.columns[n], dtype=object) for p, n in there.items()}
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DataQualityWarning)  # the reader says it again
                    logs.append((plan.log(cells, decimal), {**dropping, **reading}))
                break
            except CxJourneyError as error:
                failed = str(error)
        else:
            return attrs.evolve(trial, failed=failed)
    return attrs.evolve(trial, logs=tuple(logs))


def _check_numbers(layout: Layout, sample: FileSample) -> None:
    """Raise InvalidValue where numbers are text, which no layout turns into numbers."""
    for role, source in layout.columns.items() if not layout.name else ():
        typed = sample.typed.get(source.first[0][0])
        if role in NUMBERS and typed != "number" and sample.kind in {"excel", "parquet"}:
            raise InvalidValue.of(role, "be a numeric column", "text")


def _status(facts: Mapping[str, ColumnFacts], taken: Mapping[str, str]) -> tuple[str, str] | None:
    """Return a column that says of each row whether it led to a conversion, and how it says so."""
    found = ((name, goal_value(one)) for name, one in facts.items() if name not in taken.values())
    return next(((name, value) for name, value in found if value is not None), None)


def _way(
    taken: Mapping[str, str],
    options: Mapping[str, Any],
    log: InteractionLog,
    layout: Layout,
    goal: str | None = None,
) -> _Way:
    """Return a way with the goal, the exits and the end of journeys that suggest themselves."""
    there, table = log.touchpoints, goal_table(log)
    goals = [n for n in layout.goal if n in there]
    if len(there) > 1:
        goals += map(str, table["touchpoint"])
    goal = next(iter(goals), goal)
    rules: dict[str, Any] = {} if goal is None else {"goal": goal}
    exits = [name for name in layout.exits if name in there and name != goal]
    if exits:
        rules["exit_touchpoints"] = exits
    elif log.suggest_inactivity(goal=goal).suggested is None:
        days = layout.inactivity_days
        closed = {"all_closed": True, "after_goal": "discard"}
        rules |= closed if days is None else {"inactivity": f"{days}d"}
    return _Way(taken=taken, options=options, goals=table, goal=goal, rules=rules)


def _put(trial: _Trial) -> str:
    """Return the lines of a shell that write a layout; "" without one."""
    return f"cat > {trial.file} <<'END'\n{trial.written}END\n" if trial.written else ""


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
    exits = way.rules.get("exit_touchpoints", ())
    words += [word for name in exits for word in ("--exit-touchpoint", name)]
    return shlex.join([*words, *["--all-closed"] * ("all_closed" in way.rules)])


def _glob_of(files: Sequence[str]) -> str:
    """Return the glob that names these files and no others; the first file where there is none."""
    before = os.path.commonprefix(files)  # noqa: RUF071 - characters are meant
    ends = [file[len(before) :][::-1] for file in files]
    after = os.path.commonprefix(ends)[::-1]  # noqa: RUF071 - the same
    named = f"{glob.escape(before)}*{glob.escape(after)}"
    return named if {*find_files(named)} == {*files} else files[0]


def _python(given: str | Sequence[str], kind: str, way: _Way, trial: _Trial) -> str:
    """Return the Python that reads the file and cuts it into journeys as the command does."""
    lines = ["import cxjourney as cx", ""]
    if trial.written:
        lines = ["from pathlib import Path", "", *lines]
        lines += [
            f'layout = """\\\n{trial.written}"""',
            f"Path({trial.file!r}).write_text(layout, encoding='utf-8')",
        ]
    words = [repr(given if isinstance(given, str) else list(given))]
    words += [f"{name}={value!r}" for name, value in {**way.taken, **way.options}.items()]
    lines += [f"log = cx.read_{kind}(", *(f"    {word}," for word in words), ")"]
    rules = [f"{name}={value!r}" for name, value in way.rules.items()]
    if not {"exit_touchpoints", "all_closed", "inactivity"} & {*way.rules}:
        lines.append(f"limits = log.suggest_inactivity({', '.join(rules)})")
        rules.append("inactivity=limits.suggested")
    return "\n".join([*lines, f"journeys = log.journeys({', '.join(rules)})"])
