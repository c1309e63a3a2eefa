"""The log that the options name, and its journeys."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney import datasets, io
from cxjourney._support.words import how_long
from cxjourney.cli._answers import with_answers
from cxjourney.cli._names import FURTHER, KNOWN_NAMES, NEEDED
from cxjourney.cli._printing import in_options
from cxjourney.exceptions import InputFileError, InvalidValue, OutcomeUndetermined
from cxjourney.io import find_files, format_of
from cxjourney.journeys import InactivitySuggestion, Journeys, visits_of
from cxjourney.log import InteractionLog, odd_times
from cxjourney.privacy import PseudonymKey

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence

    from cxjourney.io import FileForm
    from cxjourney.log import FurtherColumns

_TOLD = {  # what readers of files are told about how one is written
    "csv": ("delimiter", "encoding", "skip_rows", "decimal"),
    "excel": ("skip_rows",),
    "json": ("encoding",),
    "parquet": (),
}
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
    key = _key(arguments)
    log = _sample(arguments) if arguments.sample else _read(arguments, attributes, key, said)
    log = with_answers(log, arguments, key, said)
    said[:0] = map(in_options, odd_times(log.columns.time, log.observed_until_us))
    rules, suggestion = _rules(log, arguments, said)
    journeys = log.journeys(**rules)
    said.extend(_warnings(journeys))
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
) -> InteractionLog:
    further: FurtherColumns = {
        "tz": arguments.tz,
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
    if kind == "xes":
        return _with_rows(io.read_xes(file, **named(arguments), **further), file)
    shape: FileForm = {
        "delimiter": arguments.delimiter,
        "encoding": arguments.encoding,
        "skip_rows": arguments.skip_rows,
        "decimal": arguments.decimal,
    }
    present = io.file_columns(file, **shape)
    known = [name for names in KNOWN_NAMES.values() for name in names if name in present]
    empty = io.empty_columns(file, known, **shape)
    empty = () if len(empty) == len(known) else empty  # then the rows are to blame
    roles: dict[str, Any] = _roles(arguments, present, empty, said)
    roles["timestamp_format"] = arguments.timestamp_format
    told = {name: value for name, value in shape.items() if name in _TOLD[kind]}
    return _with_rows(getattr(io, f"read_{kind}")(file, **roles, **told, **further), file)


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


def _roles(
    arguments: argparse.Namespace,
    present: Sequence[str],
    empty: Collection[str],
    said: list[str],
) -> dict[str, str]:
    """Return every column by role: those named, and those whose name says what they are.

    A column that holds nothing is not taken by its name.
    """
    roles = named(arguments)
    for role, known in KNOWN_NAMES.items():
        if role in roles:
            continue
        there = [name for name in known if name in present and name not in roles.values()]
        found = [name for name in there if name not in empty]
        left = [name for name in there if name in empty]
        said.extend(f"{role}: column {name!r} is empty and not taken" for name in left)
        if len(found) > 1:
            raise InvalidValue(
                f"{' and '.join(map(repr, found))} could each be the {role}: give --{role}"
            )
        if found:
            roles[role] = found[0]
            setattr(arguments, role, found[0])
            said.append(f"{role}: column {found[0]!r}, by its name (--{role} takes another)")
        elif role in NEEDED:
            why = "".join(f"column {name!r} is empty and " for name in left)
            others = ", ".join(repr(name) for name in present if name not in empty)
            raise InvalidValue(
                f"{why}no {'other ' * bool(left)}column has a known name for the {role}: give "
                f"--{role}, one of {others}"
            )
    return roles


def _rules(
    log: InteractionLog, arguments: argparse.Namespace, said: list[str]
) -> tuple[dict[str, Any], InactivitySuggestion | None]:
    """Return how to cut the log, and what the limit was taken from where it was not given."""
    inactivity, suggestion = arguments.inactivity, None
    if inactivity is None and not arguments.all_closed and not arguments.exit_touchpoint:
        suggestion = log.suggest_inactivity(goal=arguments.goal)
        inactivity = suggestion.suggested
        if inactivity is None:
            raise OutcomeUndetermined(
                "no customer came twice, so that no inactivity limit can be suggested: give "
                "--inactivity, or --all-closed if all journeys are over"
            )
        limit = how_long(inactivity)
        said.append(f"inactivity: {limit}, as suggested (--inactivity sets another)")
        said.append(f"{suggestion}\n")
    if not arguments.goal:
        said.append("no --goal is given, so no journey counts as converted")
    rules = {
        "goal": arguments.goal,
        "inactivity": inactivity,
        "exit_touchpoints": arguments.exit_touchpoint or (),
        "after_goal": "discard" if arguments.all_closed else "new_journey",
        "all_closed": arguments.all_closed,
        "carry_channels": arguments.carry_channels,
    }
    return rules, suggestion


def _warnings(journeys: Journeys) -> list[str]:
    """Return what a reader should know before believing the numbers."""
    visits = visits_of(journeys)
    seen = np.bincount(visits.node, minlength=len(visits.names))
    followed = np.bincount(visits.node[visits.following < visits.start], minlength=len(seen))
    followed -= np.bincount(visits.node[visits.following < 0], minlength=len(seen))
    converted = visits.following == visits.conversion
    followed += np.bincount(visits.node[converted], minlength=len(seen))
    goal = "" if journeys.rules.goal else "; if they reach their goal there, say --goal"
    return [
        f"nothing ever follows {visits.names[k]!r} ({seen[k]:,} visits): if journeys are lost "
        f"there, say --exit-touchpoint {quote(visits.names[k])}{goal}"
        for k in np.flatnonzero((followed == 0) & (seen >= _MANY)).tolist()
    ]
