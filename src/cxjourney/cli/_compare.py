"""`cxjourney compare`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from cxjourney.cli._options import add_command, duration
from cxjourney.cli._printing import print_result, progress
from cxjourney.exceptions import InputFileError, InvalidValue, UnknownName

if TYPE_CHECKING:
    import argparse

    from cxjourney.cli._input import Opened
    from cxjourney.compare import Differences
    from cxjourney.journeys import Journeys

_Period = tuple[str | None, str | None]


def add(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "compare",
        _compare,
        brief="compare two periods, or the values of a column",
        long="Compare two periods (--before, --after) or the values of a column (--segment): what "
        "share converts and drops off, then every touchpoint and transition. Differences are the "
        "second minus the first.",
        example="events.csv --goal payment_done --inactivity 30d --after 2026-03-01",
    )
    parser.add_argument(
        "--before",
        metavar="DATE",
        help="compare journeys begun before a date, or in START/END, followed until its end; "
        "without --after, with all that begin later",
    )
    parser.add_argument(
        "--after",
        metavar="DATE",
        help="compare journeys begun from a date on, or in START/END, followed until its end; "
        "without --before, with all that began before",
    )
    parser.add_argument(
        "--segment",
        metavar="COLUMN=A,B",
        help="compare two values of a column; COLUMN=A compares one with the rest, COLUMN each",
    )
    parser.add_argument(
        "--strata",
        metavar="COLUMN",
        help="compare also within the values of this column, such as the device",
    )
    parser.add_argument(
        "--window",
        type=duration,
        metavar="TIME",
        help="within what time after a touchpoint conversions are counted (default: from the data)",
    )
    parser.add_argument(
        "--reaching",
        metavar="TOUCHPOINT",
        help="compare also how often this touchpoint is reached later",
    )


def _compare(arguments: argparse.Namespace) -> None:
    from cxjourney.cli._shards import opened_whole

    periods = arguments.before is not None or arguments.after is not None
    if periods == (arguments.segment is not None):
        raise InvalidValue(
            "give --before, --after or both to compare periods, or else --segment to compare the "
            "values of a column"
        )
    column, values = _segment(arguments.segment or "")
    further = dict.fromkeys(name for name in (column, arguments.strata) if name)
    with progress(2, "compare") as begin:
        begin("reading")
        given = opened_whole(arguments, list(further))
        begin("comparing")
        options = {name: getattr(arguments, name) for name in ("strata", "window", "reaching")}
        if periods:
            found = _of_periods(given, arguments.before, arguments.after, options)
        else:
            found = _of_values(given.journeys, column, values, options)
    print_result(found, given.said, json=arguments.json)


def _segment(text: str) -> tuple[str, list[str]]:
    """Return a column and its values, of COLUMN=A,B."""
    column, equals, values = text.partition("=")
    listed = next(csv.reader([values]), []) if equals else []
    if equals and not (column and 1 <= len(listed) <= 2 and all(listed)):
        raise InvalidValue.of("--segment", "be COLUMN, COLUMN=A or COLUMN=A,B", text)
    return column, listed


def _of_values(
    journeys: Journeys, column: str, values: list[str], options: dict[str, Any]
) -> Differences:
    from cxjourney.compare import between, segments
    from cxjourney.journeys import level_of

    if not values:
        return segments(journeys, column, **options)
    coded = journeys.segment(column)
    names = [level_of(name) for name in coded.names]
    for value in values:
        if value not in names:
            raise UnknownName.among(column, value, names, where="the file")
    first, *others = (coded.codes == names.index(value) for value in values)
    for value, some in zip(values, (first, *others), strict=True):
        if not some.any():
            there = {names[k] for k in coded.codes.tolist() if k >= 0}
            begun = ", ".join(map(repr, sorted(there)[:9]))
            raise InvalidValue(f"no journey has {column} {value!r} when it begins, but {begun}")
    if others:
        sides, title = (first, others[0]), (values[0], values[1])
    else:  # as of each value against the rest
        sides, title = ((coded.codes >= 0) & ~first, first), ("the rest", values[0])
    return between(*map(journeys.where, sides), names=title, **options)


def _of_periods(
    given: Opened, before: str | None, after: str | None, options: dict[str, Any]
) -> Differences:
    from cxjourney.compare import between

    first, second = _period(before, ends=True), _period(after, ends=False)
    first = (None, second[0]) if before is None else first
    second = (first[1], None) if after is None else second
    cut = _moment(given, first[1], "--after" if before is None else "--before")
    begin = _moment(given, second[0], "--before" if after is None else "--after")
    if cut > begin:
        raise InvalidValue(f"--before {before} ends after --after {after} begins")
    parts = []
    for option, (start, end) in (("--before", first), ("--after", second)):
        try:
            part = _within(given, start, end)
        except InvalidValue as error:
            raise InvalidValue(f"{option}: {error}") from error
        if not len(part):
            raise InputFileError(f"no journey lies in the period of {option}")
        parts.append(part)
    names = None if cut == begin else ("before", "after")
    return between(parts[0], parts[1], names=names, **options)


def _period(text: str | None, *, ends: bool) -> _Period:
    start, slash, end = (text or "").partition("/")
    if slash:
        return start, end
    return (None, text) if ends else (text, None)


def _moment(given: Opened, moment: str | None, option: str) -> int:
    from cxjourney._time.timestamps import utc_us

    return utc_us(moment or "", option, given.log.intake.tz)


def _within(given: Opened, start: str | None, end: str | None) -> Journeys:
    """Return the journeys begun in a period, followed until its end; closed ones are taken whole.

    Cutting the log at `start` would make new journeys of those that had begun before.
    """
    journeys = given.journeys
    if end is not None and not given.rules["all_closed"]:
        journeys = given.log.between(None, end).journeys(**given.rules)
    journeys.require_times("compare")
    return journeys.where(since=start, until=end)
