"""Layouts: how the exports of other tools are read, as small TOML files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from cxjourney._support.validation import check_choice
from cxjourney._time.zones import check_zone
from cxjourney.exceptions import InputFileError, InvalidValue, UnknownName
from cxjourney.io._files import near_files
from cxjourney.io._places import split_place
from cxjourney.log import check_epoch_unit

if TYPE_CHECKING:
    from os import PathLike

FORMS = ("events", "cases", "orders", "answers")
ROLES = (
    "customer", "timestamp", "touchpoint", "channel", "stage", "owner", "account", "journey",
    "seq", "score", "emotion", "expectation", "value", "currency", "issue",
)  # fmt: skip
OF_STEPS = ("channel", "stage", "owner", "score", "emotion", "expectation", "value", "issue")
UNITS = {"s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


@attrs.frozen(kw_only=True)
class Condition:
    """Which rows are meant: those whose value is, or is not, like one of some patterns.

    Attributes
    ----------
    first
        Columns, of which the first with a value counts.
    are, are_not
        Patterns, in which `*` stands for anything and case does not count; one of the two is empty.
    because
        What rows that are left out have, for the audit.
    """

    first: tuple[tuple[str, ...], ...]
    are: tuple[str, ...] = ()
    are_not: tuple[str, ...] = ()
    because: str = ""


@attrs.frozen(kw_only=True)
class Source:
    """Where the values of a role come from.

    Attributes
    ----------
    first
        Columns, of which the first with a value in a row counts; several in one place are put
        together with " / ".
    constant
        What every row has where no column has a value.
    values
        What stands for what, in lower case; other values are missing. Empty for all as they are.
    lower
        Whether case counts for nothing.
    within
        What names a session, each by the first of some columns that has a value: all rows of a
        session have its first value in time.
    joined_by
        Column of a second id. A row without the first of `first` is of the customer whose id the
        others of its second id have, if all have one.
    when
        Which rows have a value at all.
    """

    first: tuple[tuple[str, ...], ...] = ()
    constant: str | None = None
    values: Mapping[str, str] = attrs.field(factory=dict)
    lower: bool = False
    within: tuple[tuple[str, ...], ...] = ()
    joined_by: str | None = None
    when: Condition | None = None

    def described(self, header: Sequence[str]) -> str:
        """Return in words from which columns of a header the values come; "" where from none."""
        found = [[column_of(place, header) for place in places] for places in self.first]
        alternatives = [" and ".join(map(repr, filter(None, names))) for names in found]
        named = list(dict.fromkeys(filter(None, alternatives)))
        named += [] if self.constant is None else [f"{self.constant!r} for every row"]
        words = ", else ".join(named)
        if self.joined_by and words:
            words += f", known for all rows of one {self.joined_by!r}"
        if self.within and words:
            there = [[column_of(name, header) or "" for name in key] for key in self.within]
            keys = [next(filter(None, names), "?") for names in there]
            words += f", carried within {' and '.join(map(repr, keys))}"
        return words


@attrs.frozen(kw_only=True)
class Step:
    """An interaction that each row may have.

    Attributes
    ----------
    timestamp, touchpoint
        When and where it is; a row without a timestamp has not taken the step.
    plus, unit
        What is added to the timestamp, and what 1 means in it.
    when
        Which rows have the step.
    main
        Whether it is the one that a score or a value is of.
    columns
        What is of this step alone, by role.
    """

    timestamp: Source
    touchpoint: Source
    plus: Source | None = None
    unit: str = "s"
    when: Condition | None = None
    main: bool = False
    columns: Mapping[str, Source] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Layout:
    """How the export of a tool is read.

    Attributes
    ----------
    name, title, page
        Its name, what it is in words, and the page of the vendor that it follows.
    form
        What a row is: an event, a case, a line of an order, or an answer.
    goal, exits, inactivity_days
        What suggests itself as goal, as exit touchpoints, and as limit where the data suggest none.
    recognised, any_of
        Columns that a header must have, and groups of which it must have one.
    columns
        What every interaction of a row has, by role.
    steps
        The interactions of a row.
    leave_out
        Rows that are none.
    once
        What tells a row from others, as `within` does; a row like one before is left out.
    once_per
        By touchpoint, the id that a row of it has: of the rows of a customer that share the
        touchpoint and the id, the first in time is kept.
    lines
        Columns of an id, of which the first that a file has counts; the rows of one id are one
        contact, which has the first value of each column.
    changes
        Whether a row that repeats the touchpoint of the one before is left out.
    header_rows
        Rows that name the columns, of which the first is taken.
    attributes
        What else to keep, by name, where the file has it.
    tz, timestamp_format, timestamp_unit
        As of `InteractionLog.from_frame`.
    """

    name: str
    title: str
    page: str = ""
    form: Literal["events", "cases", "orders", "answers"]
    goal: tuple[str, ...] = ()
    exits: tuple[str, ...] = ()
    inactivity_days: int | None = None
    recognised: tuple[str, ...]
    any_of: tuple[tuple[str, ...], ...] = ()
    columns: Mapping[str, Source]
    steps: tuple[Step, ...]
    leave_out: tuple[Condition, ...] = ()
    once: tuple[tuple[str, ...], ...] = ()
    once_per: Mapping[str, Source] = attrs.field(factory=dict)
    lines: tuple[str, ...] = ()
    changes: bool = False
    header_rows: int = 1
    attributes: Mapping[str, Source] = attrs.field(factory=dict)
    tz: str | None = None
    timestamp_format: str | None = None
    timestamp_unit: Literal["s", "ms", "us", "ns"] | None = None

    def missing(self, header: Sequence[str]) -> tuple[str, ...]:
        """Return what a header lacks to be of this layout; "a or b" where one column would do."""
        groups = (*((name,) for name in self.recognised), *self.any_of)
        return tuple(
            " or ".join(group) for group in groups if not any(find(name, header) for name in group)
        )

    def for_header(self, header: Sequence[str]) -> Layout:
        """Return the layout with a step for each column that the pattern of a step matches."""
        steps = tuple(one for step in self.steps for one in self._matched(step, header))
        return attrs.evolve(self, steps=steps)

    def _matched(self, step: Step, header: Sequence[str]) -> list[Step]:
        """Return a step, once for each column that its pattern matches and no other step names."""
        name = step.timestamp.first[0][0] if step.timestamp.first else ""
        if "*" not in name or "*" not in (step.touchpoint.constant or ""):
            return [step]
        places = [
            place
            for other in self.steps
            for alternative in other.timestamp.first
            for place in alternative
            if other is not step and ("*" not in place or len(place) > len(name))
        ]
        taken = {column for place in places for column in find(place, header)}
        like, steps = like_of((name,)), []
        for column in header:
            match = like.fullmatch(column)
            if match is not None and column not in taken:
                said = str(step.touchpoint.constant).replace("*", "".join(match.groups()))
                timestamp = attrs.evolve(step.timestamp, first=((column,),))
                touchpoint = attrs.evolve(step.touchpoint, constant=said)
                steps.append(attrs.evolve(step, timestamp=timestamp, touchpoint=touchpoint))
        return steps

    def described(self, header: Sequence[str]) -> dict[str, str]:
        """Return in words what is taken from which columns of a header, by role and by step."""
        sources = dict(self.columns)
        plus = {}
        for step in self.for_header(header).steps:
            if self.form == "events":
                sources |= {"timestamp": step.timestamp, "touchpoint": step.touchpoint}
                continue
            by = step.touchpoint.described(header)
            name = repr(step.touchpoint.constant) if step.touchpoint.constant else f"named by {by}"
            if step.plus is None or step.plus.described(header):
                sources[f"touchpoint {name}, at"] = step.timestamp
            if step.plus is not None:
                plus[f"touchpoint {name}, at"] = f" and {step.plus.described(header)} later"
            of = name if step.touchpoint.constant else f"the touchpoint {name}"
            for role, source in step.columns.items():
                sources[f"{role} of {of}"] = source
        found = {role: source.described(header) for role, source in sources.items()}
        return {role: words + plus.get(role, "") for role, words in found.items() if words}

    def places(self) -> tuple[str, ...]:
        """Return every column that the layout names, each once."""
        names = [name for source in self.sources() for places in source.first for name in places]
        keys = [*self.once, self.lines]
        for one in self.sources():
            if isinstance(one, Source):
                keys += [*one.within, (one.joined_by,) if one.joined_by else ()]
        names += [name for key in keys for name in key]
        return tuple(dict.fromkeys(names))

    def others(self, header: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of a header that the layout does not name, where they have names."""
        own = {column for place in self.places() for column in find(place, header)}
        return tuple(n for n in header if n.strip() and n not in own and header.count(n) == 1)

    def lacking(self, header: Sequence[str]) -> tuple[str, str] | None:
        """Return the first place whose columns a header all lacks, and a column that it names.

        Attributes, and what tells rows apart, may lack theirs.
        """
        places: dict[str, Source | Condition | None] = {
            f"[columns] {role}": source for role, source in self.columns.items()
        }
        for i, step in enumerate(self.steps, 1):
            at = "[columns] " if self.form == "events" else f"[[steps]] number {i}, "
            own = {"timestamp": step.timestamp, "touchpoint": step.touchpoint, "plus": step.plus}
            whole = {**own, **step.columns, "when": step.when}
            places |= {f"{at}{key}": one for key, one in whole.items()}
        places |= {f"[[leave_out]] number {i}": one for i, one in enumerate(self.leave_out, 1)}
        for where, one in places.items():
            for part in (one, one.when if isinstance(one, Source) else None):
                names = [] if part is None else [name for group in part.first for name in group]
                fixed = isinstance(part, Source) and part.constant is not None
                if names and not fixed and not any(column_of(name, header) for name in names):
                    return where, names[0]
        return None

    def sources(self) -> list[Source | Condition]:
        """Return all that names columns."""
        found: list[Source | Condition | None] = [*self.leave_out]
        sources = [*self.columns.values(), *self.attributes.values(), *self.once_per.values()]
        for step in self.steps:
            found.append(step.when)
            sources += [s for s in (step.timestamp, step.touchpoint, step.plus) if s is not None]
            sources += step.columns.values()
        found += [part for source in sources for part in (source, source.when)]
        return [one for one in found if one is not None]


def column_of(place: str, header: Sequence[str]) -> str | None:
    """Return the name under which a file has what a layout names; None where it has not."""
    if found := find(place, header):
        return found[0]
    return None if split_place(place, header) is None else place


def find(name: str, header: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a header that a name means: itself, else in another case or pattern."""
    if name in header:
        return (name,)
    like = like_of((name,))
    return tuple(column for column in header if like.fullmatch(column))


def like_of(patterns: Sequence[str]) -> re.Pattern[str]:
    """Return the regular expression of patterns, in which `*` stands for anything."""
    parts = ("(.*)".join(map(re.escape, pattern.split("*"))) for pattern in patterns)
    return re.compile("|".join(parts), re.IGNORECASE | re.DOTALL)


@cache
def layouts() -> tuple[Layout, ...]:
    """Return the layouts that the library has, by name."""
    folder = files("cxjourney.io") / "layouts"
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return tuple(
        layout_of_text(entry.read_text(encoding="utf-8"), entry.name)
        for entry in sorted(found, key=lambda entry: entry.name)
    )


def recognise(header: Sequence[str]) -> tuple[Layout, ...]:
    """Return the layouts that a header follows, that of which it has most columns first.

    Parameters
    ----------
    header
        Names of the columns of a file, or the keys of its objects, as `file_columns` has them.

    Returns
    -------
    tuple of Layout
        Empty where there is none; `Layout.missing` says what each lacks.
    """
    fit = [layout for layout in layouts() if not layout.missing(header)]
    return tuple(sorted(fit, key=lambda layout: -_known(layout, header)))


def _known(layout: Layout, header: Sequence[str]) -> int:
    return sum(bool(column_of(n, header)) for n in {*layout.places(), *layout.recognised})


def layout_of(layout: str | PathLike[str] | Layout) -> Layout:
    """Return the layout of a name, or of a TOML file.

    Raises
    ------
    UnknownName
        If no layout has the name; names the nearest ones.
    InputFileError
        If the file cannot be read or is no TOML; names files of similar name.
    InvalidValue
        If the file breaks a rule of layouts; names where.
    """
    if isinstance(layout, Layout):
        return layout
    try:
        path = Path(layout)
    except TypeError:
        rule = "be the name of a layout or the path of a TOML file"
        raise InvalidValue.of("layout", rule, layout) from None
    if path.suffix != ".toml":
        known = {one.name: one for one in layouts()}
        if str(layout) not in known:
            raise UnknownName.among("layout", str(layout), known, where="the list of layouts")
        return known[str(layout)]
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeError:
        raise InputFileError(f"{str(path)!r} cannot be read: it is not UTF-8") from None
    except FileNotFoundError:
        hint = near_files(path, ".toml") or "; `cxjourney inspect` on a file of data prints one"
        raise InputFileError(f"there is no layout {str(path)!r}{hint}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputFileError(f"{str(path)!r} cannot be read: {reason}") from None
    return layout_of_text(text, path.name)


def layout_of_text(text: str, file: str) -> Layout:
    """Return the layout that a text in TOML describes.

    Raises
    ------
    InputFileError
        If it is no TOML.
    InvalidValue
        If it breaks a rule of layouts.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputFileError(f"{file!r} is no TOML: {error}") from None
    return _Reader(file).layout(data)


Kinds: TypeAlias = dict[str, tuple[type, str] | None]
_STRING, _FLAG, _COUNT, _TABLE = (str, "a string"), (bool, "true or false"), (int, "a number"), (
    dict, "a table",
)  # fmt: skip
_OF_LAYOUT: Kinds = {
    **dict.fromkeys(("name", "title", "page", "form"), _STRING),
    **dict.fromkeys(("tz", "timestamp_format", "timestamp_unit"), _STRING),
    **dict.fromkeys(("header_rows", "inactivity_days"), _COUNT),
    "changes": _FLAG,
    **dict.fromkeys(("recognised", "columns", "attributes", "once_per"), _TABLE),
    **dict.fromkeys(("goal", "exits", "once", "lines", "steps", "leave_out"), (list, "a list")),
}
_OF_SOURCE: Kinds = {
    "first": (list, "a list"), "constant": _STRING, "values": _TABLE, "lower": _FLAG,
    "within": (list, "a list"), "joined_by": _STRING, "when": _TABLE,
}  # fmt: skip


class _Reader:
    """Reads the tables of one file, and says where one breaks a rule."""

    def __init__(self, file: str) -> None:
        self.file = file

    def layout(self, data: Mapping[str, Any]) -> Layout:
        given = self.fields(data, "the top", _OF_LAYOUT, ("name", "title", "form", "recognised"))
        check_choice(given["form"], f"form of {self.file!r}", FORMS)
        check_epoch_unit(given.get("timestamp_unit"), given.get("timestamp_format"))
        check_zone(given.get("tz", "UTC"))
        for key in ("header_rows", "inactivity_days"):
            if given.get(key, 1) < 1:
                self.refuse(key, "be at least 1", given[key])
        lists: Kinds = {"all": (list, "a list"), "any": (list, "a list")}
        known = self.fields(given.pop("recognised"), "[recognised]", lists)
        if not known.get("all") and not known.get("any"):
            self.refuse("[recognised]", "name columns in all= or any=", known)
        columns = self.columns(given.pop("columns", {}), given.get("steps", []))
        steps = [
            self.step(s, f"[[steps]] number {i}") for i, s in enumerate(given.pop("steps", []), 1)
        ]
        if not steps:
            steps = [Step(timestamp=columns.pop("timestamp"), touchpoint=columns.pop("touchpoint"))]
        left = enumerate(given.pop("leave_out", []), 1)
        for key in ("goal", "exits", "lines"):
            given[key] = self.names(given.get(key, []), key)
        for key in ("attributes", "once_per"):
            tables = given.get(key, {}).items()
            given[key] = {name: self.source(one, f"[{key}] {name}") for name, one in tables}
        given["once"] = self.places(given.get("once", []), "once")
        return Layout(
            recognised=self.names(known.get("all", []), "[recognised] all"),
            any_of=tuple(self.names(g, "[recognised] any") for g in known.get("any", [])),
            columns=columns,
            steps=tuple(steps),
            leave_out=tuple(
                self.condition(one, f"[[leave_out]] number {i}", ("because",)) for i, one in left
            ),
            **given,
        )

    def columns(self, data: Any, steps: list[Any]) -> dict[str, Source]:
        given = self.fields(data, "[columns]", dict.fromkeys(ROLES), ("customer",))
        found = {role: self.source(value, f"[columns] {role}") for role, value in given.items()}
        if not found["customer"].first:
            self.refuse("[columns] customer", "name columns in first=", given["customer"])
        for role in ("timestamp", "touchpoint"):
            if steps and role in found:
                self.refuse("[columns]", f"have no {role} beside [[steps]]", [*found])
            if not steps and role not in found:
                self.refuse("[columns]", f"have a {role}, or [[steps]] follow", [*found])
        return found

    def step(self, data: Any, where: str) -> Step:
        further = dict.fromkeys(OF_STEPS)
        allowed: Kinds = dict.fromkeys(("timestamp", "touchpoint", "plus", *further))
        allowed |= {"name": _STRING, "unit": _STRING, "when": _TABLE, "main": _FLAG}
        given = self.fields(data, where, allowed, ("timestamp",))
        if ("name" in given) == ("touchpoint" in given):
            self.refuse(where, "have either a name or a touchpoint", [*given])
        unit = given.get("unit", "s")
        check_choice(unit, f"unit in {where} of {self.file!r}", tuple(UNITS))
        when = given.get("when")
        return Step(
            timestamp=self.source(given["timestamp"], f"{where}, timestamp"),
            touchpoint=Source(constant=given["name"])
            if "name" in given
            else self.source(given["touchpoint"], f"{where}, touchpoint"),
            plus=self.source(given["plus"], f"{where}, plus") if "plus" in given else None,
            unit=unit,
            when=None if when is None else self.condition(when, f"{where}, when"),
            main=given.get("main", False),
            columns={r: self.source(given[r], f"{where}, {r}") for r in further if r in given},
        )

    def source(self, data: Any, where: str) -> Source:
        if isinstance(data, (str, list)):
            return Source(first=self.places(data, where))
        given = self.fields(data, where, _OF_SOURCE)
        if not given.get("first") and "constant" not in given:
            self.refuse(where, "name columns in first=, or a constant", given)
        return Source(
            first=self.places(given.pop("first", []), f"{where}, first"),
            values={str(k).casefold(): str(v) for k, v in given.pop("values", {}).items()},
            within=self.places(given.pop("within", []), f"{where}, within"),
            when=self.condition(given.pop("when"), f"{where}, when") if "when" in given else None,
            **given,
        )

    def condition(self, data: Any, where: str, needed: tuple[str, ...] = ()) -> Condition:
        lists = ("first", "are", "are_not")
        given = self.fields(
            data, where, {**dict.fromkeys(lists), "because": _STRING}, ("first", *needed)
        )
        if ("are" in given) == ("are_not" in given):
            self.refuse(where, "have either are= or are_not=", [*given])
        return Condition(
            first=self.places(given["first"], f"{where}, first"),
            are=self.names(given.get("are", []), f"{where}, are"),
            are_not=self.names(given.get("are_not", []), f"{where}, are_not"),
            because=given.get("because", ""),
        )

    def places(self, data: Any, where: str) -> tuple[tuple[str, ...], ...]:
        items = [data] if isinstance(data, str) else data
        if not isinstance(items, list) or [] in items:
            self.refuse(where, "be a column or a list of columns", data)
        return tuple(self.names([i] if isinstance(i, str) else i, where) for i in items)

    def names(self, data: Any, where: str) -> tuple[str, ...]:
        items = [data] if isinstance(data, str) else data
        if not isinstance(items, list) or not all(isinstance(i, str) and i.strip() for i in items):
            self.refuse(where, "be a list of names", data)
        return tuple(items)

    def fields(
        self, data: Any, where: str, allowed: Kinds, needed: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Return a table of which every key is allowed and of its kind, and none is missing."""
        if not isinstance(data, dict):
            self.refuse(where, "be a table", data)
        for key, value in data.items():
            if key not in allowed:
                raise UnknownName.among("key", key, allowed, where=f"{where} of {self.file!r}")
            kind = allowed[key]
            if kind is not None and (
                not isinstance(value, kind[0]) or (kind[0] is int and isinstance(value, bool))
            ):
                self.refuse(f"{where}, {key}", f"be {kind[1]}", value)
        for key in needed:
            if key not in data:
                self.refuse(where, f"have the key {key!r}", [*data])
        return dict(data)

    def refuse(self, where: str, rule: str, value: object) -> None:
        raise InvalidValue.of(f"{where} of {self.file!r}", rule, value)
