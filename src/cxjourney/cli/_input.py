"""The log that the options name, and its journeys."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney import datasets, io
from cxjourney._support.words import how_long
from cxjourney.cli._answers import with_answers
from cxjourney.cli._explaining import Unplaced, explained
from cxjourney.cli._names import FURTHER, KNOWN_NAMES, NEEDED
from cxjourney.cli._options import skip_rows
from cxjourney.cli._printing import in_options
from cxjourney.exceptions import InputFileError, InvalidValue, OutcomeUndetermined
from cxjourney.io import find_files, format_of
from cxjourney.journeys import InactivitySuggestion, Journeys, statistics_of
from cxjourney.log import InteractionLog, check_no_column, encode_values, odd_times
from cxjourney.privacy import PseudonymKey

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection, Mapping, Sequence

    from cxjourney.io import FileForm, Layout
    from cxjourney.journeys import JourneyStatistics


TOLD = {  # what readers of files are told about how one is written
    "csv": ("delimiter", "encoding", "skip_rows", "decimal"),
    "excel": ("skip_rows", "sheet"),
    "json": ("encoding",),
    "parquet": (),
}
_OF_WIDE = ("customer", "journey", "value")
_SCORES = {str(score) for score in range(11)}  # what answers on the usual scales are
_MANY = 30  # visits from which an end that nothing follows is no chance


@attrs.frozen(kw_only=True)
class Opened:
    """What the options name: a log, its journeys, and what is to be said of them.

    Attributes
    ----------
    log, journeys
        The log and its journeys.
    rules
        What `log.journeys` took.
    suggestion
        What the inactivity limit was taken from, where it was not given.
    said
        Remarks to print before anything else.
    source
        Name of the file.
    """

    log: InteractionLog
    journeys: Journeys
    rules: dict[str, Any]
    suggestion: InactivitySuggestion | None
    said: list[str]
    source: str


def opened(arguments: argparse.Namespace, attributes: Sequence[str] = ()) -> Opened:
    """Read the log that the options name, with further columns, and cut it into journeys."""
    if arguments.sample == (arguments.file is not None):
        raise InvalidValue("give either a FILE or --sample")
    said: list[str] = []
    key, layout = _key(arguments), None
    if arguments.layout is not None:
        io.layout_of(arguments.layout)  # of its errors the file of data explains none
    with explained(arguments):
        if arguments.sample:
            log = _sample(arguments)
        else:
            log, layout = _read(arguments, attributes, key, said)
    log = with_answers(log, arguments, key, said)
    said[:0] = map(in_options, odd_times(log.columns.time, log.observed_until_us))
    if layout is not None:
        _suggested(layout, log, arguments, said)

    def suggest() -> InactivitySuggestion:
        if log.columns.time is None:
            raise OutcomeUndetermined(
                "without timestamps no silence tells that a journey is over: give "
                "--exit-touchpoint, or --all-closed if all journeys are over"
            )
        return log.suggest_inactivity(goal=arguments.goal)

    rules, suggestion = chosen_rules(arguments, suggest, layout, said)
    journeys = log.journeys(**rules)
    said.extend(ends_of(journeys))
    return Opened(
        log=log,
        journeys=journeys,
        rules=rules,
        suggestion=suggestion,
        said=said,
        source="a simulated retailer" if arguments.sample else Path(arguments.file).name,
    )


def _sample(arguments: argparse.Namespace) -> InteractionLog:
    sample = datasets.sample()
    arguments.goal = arguments.goal or sample.truths.goal
    arguments.inactivity = arguments.inactivity or sample.truths.inactivity
    return sample.log


def _read(
    arguments: argparse.Namespace,
    attributes: Sequence[str],
    key: PseudonymKey | None,
    said: list[str],
) -> tuple[InteractionLog, Layout | None]:
    further: dict[str, Any] = {
        "tz": arguments.tz or "UTC",
        "missing": "drop" if arguments.drop_missing else "refuse",
        "observed_until": arguments.observed_until,
        "currency": arguments.currency,
        "timestamp_unit": arguments.timestamp_unit,
        "attributes": attributes,
        "scale": arguments.scale,
        "pseudonyms": key,
    }
    file = arguments.file
    kind = format_of(find_files(file)[0])
    if kind == "xes" and arguments.wide:
        raise InvalidValue("--wide is for tables: XES has one event after the other")
    if kind == "xes":
        if arguments.layout is not None:
            raise InvalidValue.of("--layout", "be left out with XES", arguments.layout)
        named_so: dict[str, Any] = {**named(arguments)}
        return _with_rows(io.read_xes(file, **named_so, **further), file), None
    shape: FileForm = {
        "delimiter": arguments.delimiter,
        "encoding": arguments.encoding,
        "skip_rows": skip_rows(arguments.skip_rows),
        "decimal": arguments.decimal,
        "sheet": arguments.sheet,
    }
    told = {name: value for name, value in shape.items() if name in TOLD[kind]}
    read = getattr(io, f"read_{kind}")
    present = io.file_columns(file, **shape)
    several = {name: n for name, n in Counter(present).items() if name and n > 1}
    if several:
        shown = ", ".join(f"{name!r} ({n})" for name, n in several.items())
        said.append(f"not read: columns of one name, {shown}")
    once = [name for name in present if name and name not in several]
    if arguments.wide:
        if arguments.layout is not None:
            raise InvalidValue.of("--layout", "be left out with --wide", arguments.layout)
        return _with_rows(_of_wide(arguments, once, shape, further, said), file), None
    if (layout := _layout(arguments, present, said)) is not None:
        further |= {"layout": layout, "timestamp_format": arguments.timestamp_format}
        if arguments.tz is None:  # the layout may say it
            further.pop("tz")
        if layout.form == "answers" and arguments.score is None:
            said.append(_scales(file, layout, present, shape))
        return _with_rows(read(file, **named(arguments), **told, **further), file), layout
    known = [name for names in KNOWN_NAMES.values() for name in names if name in once]
    empty = io.empty_columns(file, known, **shape)
    empty = () if len(empty) == len(known) else empty  # then the rows are to blame
    roles: dict[str, Any] = roles_of(arguments, once, empty, said)
    roles["timestamp_format"] = arguments.timestamp_format
    return _with_rows(read(file, **roles, **told, **further), file), None


def _layout(
    arguments: argparse.Namespace, present: Sequence[str], said: list[str]
) -> Layout | None:
    """Return the layout that was named, or else that of the columns where none of these was."""
    if arguments.layout is not None:
        found, why = io.layout_of(arguments.layout), "as --layout names it"
    else:
        known = io.recognise(present)
        if not known or any(getattr(arguments, role) for role in NEEDED):
            return None
        found, why = known[0], "by the columns of the file (--customer and the like name others)"
        arguments.layout = found.name
    said.append(f"layout: {found.name}, {why}: {found.title}")
    given = named(arguments)
    said.extend(
        f"{role}: {words}" for role, words in found.described(present).items() if role not in given
    )
    return found


def _scales(file: str, layout: Layout, present: Sequence[str], shape: FileForm) -> str:
    """Return which questions of a survey have answers that could be a score; none is taken."""
    others, found = layout.others(present), []
    if others:
        roles = {"customer": others[0], **{f"attribute:{name}": name for name in others}}
        for role, column in io.columns_by_content(file, roles, **shape).items():
            answers = encode_values(column)
            codes = answers.codes[layout.header_rows - 1 :]
            texts = {str(answers.names[code]) for code in np.unique(codes[codes >= 0])} - {""}
            if len(texts) > 1 and all(text in _SCORES for text in texts) and role != "customer":
                low, *_, high = sorted(map(int, texts))
                found.append(f"{role.partition(':')[2]!r} ({low} to {high})")
    which = f"; whole numbers stand in {', '.join(found)}" if found else ""
    return f"score: none is taken, since no scale is guessed{which} (--score names a question)"


def _suggested(
    layout: Layout, log: InteractionLog, arguments: argparse.Namespace, said: list[str]
) -> None:
    """Take the goal and the exits that a layout suggests, where none are given."""
    goal = [name for name in layout.goal if name in log.touchpoints][:1]
    if not arguments.goal and goal:
        arguments.goal = goal
        said.append(f"goal: {goal[0]!r}, as the layout suggests (--goal sets another)")
    exits = [name for name in layout.exits if name in log.touchpoints]
    free = arguments.inactivity is None and not arguments.all_closed
    if exits and free and not arguments.exit_touchpoint:
        arguments.exit_touchpoint = exits
        shown = " and ".join(map(repr, exits))
        said.append(f"exits: {shown}, as the layout suggests (--exit-touchpoint sets another)")


def _of_wide(
    arguments: argparse.Namespace,
    present: Sequence[str],
    shape: FileForm,
    further: Mapping[str, Any],
    said: list[str],
) -> InteractionLog:
    """Return the log of a file with one row a case, as `from_wide` does."""
    for role in named(arguments):
        if role not in _OF_WIDE:
            others = " and ".join(f"--{role}" for role in _OF_WIDE)
            raise InvalidValue(f"--{role} is not taken with --wide, which takes {others}")
    customer = {"customer": KNOWN_NAMES["customer"]}
    given: dict[str, Any] = roles_of(arguments, present, (), said, customer)
    value = given.pop("value", None)
    roles = {**given, **{f"attribute:{name}": name for name in further["attributes"]}}
    steps = _steps(arguments.wide, value)
    for column, step in steps.items():
        if step.touchpoint not in steps:
            check_no_column(step.touchpoint, f"touchpoint of the step {column!r}", present)
        roles[f"steps:{column}"] = column
        if step.named_by is not None:
            roles[f"named_by:{column}"] = step.named_by
    if value is not None:
        roles["value"] = value
    columns = io.columns_by_content(arguments.file, roles, **shape)
    options: dict[str, Any] = {**given, **further, "timestamp_format": arguments.timestamp_format}
    del options["scale"]
    return io.from_wide(
        {name: columns[role] for role, name in roles.items()}, steps=steps, **options
    )


def _steps(wide: Sequence[str], value: str | None) -> dict[str, io.StepColumn]:
    """Return the steps that --wide names, the last one with the column of values."""
    steps: dict[str, io.StepColumn] = {}
    for touchpoint, _, column in (step.partition("=") for step in wide):
        by = touchpoint[1:] if touchpoint.startswith("@") else None
        steps[column] = io.StepColumn(None if by else touchpoint, named_by=by)
    steps[column] = attrs.evolve(steps[column], value=value)
    return steps


def python_of_steps(wide: Sequence[str], value: str | None) -> str:
    """Return the argument `steps=` of `from_wide`, as Python writes it."""
    words = []
    for column, step in _steps(wide, value).items():
        told = {name: said for name, said in attrs.asdict(step).items() if said is not None}
        stands = ", ".join(f"{name}={said!r}" for name, said in told.items())
        words.append(f"{column!r}: cx.io.StepColumn({stands})")
    return f"steps={{{', '.join(words)}}}"


def _key(arguments: argparse.Namespace) -> PseudonymKey | None:
    file, name = arguments.pseudonym_key, arguments.pseudonym_key_env
    if file is not None and name is not None:
        raise InvalidValue("give either --pseudonym-key or --pseudonym-key-env")
    if file is not None:
        return PseudonymKey.from_file(file)
    return None if name is None else PseudonymKey.from_environment(name)


def _with_rows(log: InteractionLog, file: str) -> InteractionLog:
    """Return the log if anything is left of the file."""
    if not log.intake.rows:
        raise InputFileError(f"{file!r} holds no row: nothing to report on")
    if not len(log):
        why = ", ".join(f"{reason} in {n:,}" for reason, n in log.intake.dropped.items())
        raise InputFileError(f"every row of {file!r} was left out ({why}): nothing to report on")
    return log


def named(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the columns that were named, by role."""
    values = {role: getattr(arguments, role) for role in (*KNOWN_NAMES, *FURTHER)}
    return {role: name for role, name in values.items() if name is not None}


def roles_of(
    arguments: argparse.Namespace,
    present: Sequence[str],
    empty: Collection[str],
    said: list[str],
    known_names: Mapping[str, Collection[str]] = KNOWN_NAMES,
) -> dict[str, str | None]:
    """Return every column by role: those named, and those whose name says what they are.

    A column that holds nothing is not taken by its name.
    """
    roles: dict[str, str | None] = {**named(arguments)}
    for role, known in known_names.items():
        if role in roles:
            continue
        there = [name for name in known if name in present and name not in roles.values()]
        found = [name for name in there if name not in empty]
        left = [name for name in there if name in empty]
        said.extend(f"{role}: column {name!r} is empty and not taken" for name in left)
        if len(found) > 1:
            raise Unplaced(
                f"{' and '.join(map(repr, found))} could each be the {role}: give --{role}"
            )
        if found:
            roles[role] = found[0]
            setattr(arguments, role, found[0])
            said.append(f"{role}: column {found[0]!r}, by its name (--{role} takes another)")
        elif role == "timestamp" and "seq" in roles and not left:
            roles["timestamp"] = None
            said.append(f"timestamp: none, the order is that of {roles['seq']!r} (--seq)")
        elif role in NEEDED:
            why = "".join(f"column {name!r} is empty and " for name in left)
            others = ", ".join(repr(name) for name in present if name not in empty)
            raise Unplaced(
                f"{why}no {'other ' * bool(left)}column has a known name for the {role}: give "
                f"--{role}, one of {others}"
            )
    return roles


def chosen_rules(
    arguments: argparse.Namespace,
    suggest: Callable[[], InactivitySuggestion],
    layout: Layout | None,
    said: list[str],
) -> tuple[dict[str, Any], InactivitySuggestion | None]:
    """Return how to cut the log, and what the limit was taken from where it was not given."""
    inactivity, suggestion = arguments.inactivity, None
    if inactivity is None and not arguments.all_closed and not arguments.exit_touchpoint:
        suggestion = suggest()
        inactivity = suggestion.suggested
        days = None if layout is None else layout.inactivity_days
        if inactivity is None and days is not None:
            said.append(f"inactivity: {days} d, as the layout suggests (--inactivity sets another)")
            return _rules_of(arguments, timedelta(days=days), said), None
        if inactivity is None:
            raise OutcomeUndetermined(
                "no customer came twice, so that no inactivity limit can be suggested: give "
                "--inactivity, or --all-closed if all journeys are over"
            )
        limit = how_long(inactivity)
        full = getattr(arguments, "full", True)
        why = "" if full else "; --full tells why"
        said.append(f"inactivity: {limit}, as suggested (--inactivity sets another){why}")
        if full:
            said.append(f"{suggestion}\n")
    return _rules_of(arguments, inactivity, said), suggestion


def _rules_of(
    arguments: argparse.Namespace, inactivity: timedelta | None, said: list[str]
) -> dict[str, Any]:
    if not arguments.goal:
        said.append("no --goal is given, so no journey counts as converted")
    return {
        "goal": arguments.goal,
        "inactivity": inactivity,
        "exit_touchpoints": arguments.exit_touchpoint or (),
        "after_goal": "discard" if arguments.all_closed else "new_journey",
        "all_closed": arguments.all_closed,
        "carry_channels": arguments.carry_channels,
    }


def ends_of(journeys: Journeys | JourneyStatistics) -> list[str]:
    """Return the touchpoints that nothing ever follows, as a reader should know beforehand."""
    whole = statistics_of(journeys)
    seen, size = whole.visits, len(whole.names)
    on = whole.target != size + 2
    followed = np.bincount(whole.source[on], whole.count[on], minlength=size)
    goal = "" if journeys.rules.goal else "; if they reach their goal there, say --goal"
    return [
        f"nothing ever follows {whole.names[k]!r} ({seen[k]:,} visits): if journeys are lost "
        f"there, say --exit-touchpoint {quote(whole.names[k])}{goal}"
        for k in np.flatnonzero((followed == 0) & (seen >= _MANY)).tolist()
    ]
