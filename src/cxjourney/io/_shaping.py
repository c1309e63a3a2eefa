"""Interactions of the rows of an export, as its layout says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.validation import check_names
from cxjourney._time.timestamps import Timestamps, read_timestamps
from cxjourney._time.zones import LAST_US
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.io._cells import NUMBERS, number_of
from cxjourney.io._layout import (
    ROLES,
    UNITS,
    Condition,
    Layout,
    Source,
    column_of,
    find,
    layout_of,
    layouts,
    like_of,
)
from cxjourney.log import (
    OF_TABLE,
    PROTECTED,
    Coded,
    InteractionLog,
    Reading,
    attribute_role,
    check_protected,
    encode_values,
    is_currency_code,
    log_of_columns,
    one_currency,
    stacked,
    stacked_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from cxjourney.io._layout import Step
    from cxjourney.log import FurtherColumns
    from cxjourney.privacy import PseudonymKey

_PLACE = "place:"
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_ROLES = {*ROLES, *NUMBERS}


@attrs.frozen(kw_only=True)
class Plan:
    """A layout with what a caller says otherwise.

    Attributes
    ----------
    layout
        The layout, of which columns that the caller names have taken the place.
    named
        Columns that the caller names, by argument: they have to be there.
    options
        What else `InteractionLog.from_frame` takes.
    own
        Whether the layout is none of the library's, so that what it names has to be there too.
    """

    layout: Layout
    named: Mapping[str, str]
    options: Mapping[str, Any]
    own: bool = False

    @classmethod
    def of(
        cls,
        layout: str | PathLike[str] | Layout,
        *,
        customer: str | None,
        timestamp: str | None,
        touchpoint: str | None,
        timestamp_format: str | None,
        **further: Unpack[FurtherColumns],
    ) -> Plan:
        """Return the plan of what a reader takes."""
        chosen = layout_of(layout)
        own = chosen not in layouts()
        given: dict[str, Any] = {
            "customer": customer, "timestamp": timestamp, "touchpoint": touchpoint, **further,
        }  # fmt: skip
        options = {key: given.pop(key) for key in {*given} - _ROLES}
        code = given.get("currency")
        if code is not None and is_currency_code(code):
            options["currency"] = given.pop("currency")
            if given.get("value") is not None:  # then the column of the layout may be of another
                others = {k: v for k, v in chosen.columns.items() if k != "currency"}
                chosen = attrs.evolve(chosen, columns=others)
        named = {role: name for role, name in given.items() if name is not None}
        kept = check_names(options.pop("attributes", ()), "attributes")
        if timestamp_format is not None or options.get("timestamp_unit") is not None:
            chosen = attrs.evolve(chosen, timestamp_format=None, timestamp_unit=None)
        asked = {n: Source(first=((n,),)) for n in kept if n not in chosen.attributes}
        chosen = attrs.evolve(_overridden(chosen, named), attributes={**chosen.attributes, **asked})
        named |= {f"attributes:{name}": name for name in asked}
        options["timestamp_format"] = timestamp_format
        _check_protected(chosen, options.get("pseudonyms"))
        return cls(layout=chosen, named=named, options=options, own=own)

    def for_header(
        self, header: Sequence[str], where: str, *, whole: bool = True
    ) -> tuple[Plan, dict[str, str]]:
        """Return the plan with the steps that a header has, and its columns by role of reading.

        Where the header is not the whole one, what it lacks is looked for all the same.

        Raises
        ------
        UnknownName
            If a column that the caller names, or all for the customer or a timestamp, are missing;
            or all of a place of a layout that is the caller's own.
        """
        layout = self.layout
        plan = attrs.evolve(self, layout=layout.for_header(header))
        columns = {place: column_of(place, header) for place in plan.layout.places()}
        found = {place: name for place, name in columns.items() if name is not None}
        for argument, name in self.named.items():
            if name not in found and whole:
                kind = f"{argument.partition(':')[0]}= column"
                raise UnknownName.among(kind, name, header, where=where)
        dates = [places for step in layout.steps for places in step.timestamp.first]
        for role, alternatives in (
            ("customer", layout.columns["customer"].first),
            ("timestamp", tuple(dates)),
        ):
            names = [name for places in alternatives for name in places]
            if not any(find(name, header) or name in found for name in names):
                kind = f"{role} column of the layout {layout.name!r},"
                raise UnknownName.among(kind, names[0], header, where=where)
        if self.own and whole and (lacking := layout.lacking(header)) is not None:
            kind = f"{lacking[0]} of the layout {layout.name!r}: column"
            raise UnknownName.among(kind, lacking[1], header, where=where)
        if not whole:
            found = {place: name or place for place, name in columns.items()}
        return plan, {f"{_PLACE}{place}": name for place, name in found.items()}

    def log(self, columns: Mapping[str, Any], decimal: str = ".") -> InteractionLog:
        """Return the log of columns of text by role of reading, with the mark of fractions."""
        raw = {role.removeprefix(_PLACE): column for role, column in columns.items()}
        table = _Table({place: _filled(column) for place, column in raw.items()}, raw)
        return _log(self.layout, table, dict(self.options), decimal)


def _overridden(layout: Layout, named: Mapping[str, str]) -> Layout:
    """Return the layout in which the columns that a caller names are taken."""
    sources = {role: Source(first=((name,),)) for role, name in named.items()}
    columns, steps = {**layout.columns}, [*layout.steps]
    for role in ("timestamp", "touchpoint"):
        if role in sources:
            if layout.form != "events":
                rule = f"be left out with the layout {layout.name!r}, whose steps have their own"
                raise InvalidValue.of(f"{role}=", rule, named[role])
            one: dict[str, Any] = {role: sources.pop(role)}
            steps[0] = attrs.evolve(steps[0], **one)
    for role, source in sources.items():
        own = [i for i, step in enumerate(steps) if role in step.columns]
        if layout.form != "events" and role in NUMBERS - {"seq"}:
            own = own or [i for i, step in enumerate(steps) if step.main] or [len(steps) - 1]
        for i in own:
            steps[i] = attrs.evolve(steps[i], columns={**steps[i].columns, role: source})
        if not own:
            columns[role] = source
    return attrs.evolve(layout, columns=columns, steps=tuple(steps))


def _check_protected(layout: Layout, key: PseudonymKey | None) -> None:
    """Raise InvalidValue where a column of ids would be kept as something else as well."""
    sources = [*layout.columns.items()]
    sources += [(attribute_role(name), source) for name, source in layout.attributes.items()]
    for step in layout.steps:
        sources += [("timestamp", step.timestamp), ("touchpoint", step.touchpoint)]
        sources += [*step.columns.items()]
    places = [(role, name) for role, source in sources for group in source.first for name in group]
    others = {f"{role}:{i}": n for i, (role, n) in enumerate(places) if role not in PROTECTED}
    for role, name in places:
        if role in PROTECTED:
            check_protected({role: name, **others}, key)


@attrs.frozen
class _Table:
    """Columns of text by place, and as they were read."""

    columns: Mapping[str, Coded]
    raw: Mapping[str, Any] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: NDArray[np.intp]) -> _Table:
        return _Table({place: column.take(rows) for place, column in self.columns.items()})

    def first(self, alternatives: Iterable[tuple[str, ...]]) -> Coded:
        """Return the first value that a row has among columns, put together where several are."""
        found = _empty(len(self))
        for places in alternatives:
            there = [self.columns[place] for place in places if place in self.columns]
            if there:
                found = _else(found, _together(there))
        return found

    def meets(self, condition: Condition | None) -> NDArray[np.bool_]:
        if condition is None:
            return np.ones(len(self), dtype=np.bool_)
        values = self.first(condition.first)
        like = like_of(condition.are or condition.are_not)
        like_it = [like.fullmatch(name.strip()) is not None for name in values.names]
        known: NDArray[np.bool_] = np.array([*like_it, False])[values.codes]
        return known if condition.are else ~known

    def groups(self, keys: Sequence[Sequence[str]]) -> NDArray[np.int64]:
        """Return the group of each row by some keys, -1 where one of them has no value.

        A key is the first of some columns that has a value in the row.
        """
        if not keys:
            return np.full(len(self), -1)
        groups = np.zeros(len(self), dtype=np.int64)
        for key in keys:
            values = self.first([(place,) for place in key])
            groups = groups * (len(values.names) + 1) + values.codes
            if len(keys) > 1:  # so that numbers stay small
                missing = (values.codes < 0) | (groups < 0)
                groups = np.where(missing, -1, np.unique(groups, return_inverse=True)[1])
        return groups


def _log(layout: Layout, table: _Table, options: dict[str, Any], decimal: str) -> InteractionLog:
    """Return the log of a table of text: rows that count, steps that were taken, what they have."""
    dropped: dict[str, int] = {}
    table, zone = _below_header(table, layout)
    options["tz"] = options.get("tz") or zone or layout.tz or "UTC"
    kept, table = _kept(layout, table, dropped)
    number = np.flatnonzero(kept)
    cells = _Cells(
        table=table if kept.all() else table.take(number),
        number=number,
        tz=options["tz"],
        fmt=options.pop("timestamp_format"),
        usual=layout.timestamp_format,
        unit=options.pop("timestamp_unit", None) or layout.timestamp_unit,
        decimal=decimal,
        refuse=options.get("missing", "refuse") == "refuse",
    )
    moments = [cells.moments(step.timestamp) for step in layout.steps]
    values = {r: cells.column(r, s, moments[0]) for r, s in layout.columns.items()}
    kept_too = {n: cells.column("", s, moments[0]) for n, s in layout.attributes.items()}
    values |= {attribute_role(n): c for n, c in kept_too.items() if c.names}
    currency = values.pop("currency", None)
    if currency is not None:
        given = [options["currency"]] if options.get("currency") else []
        options["currency"] = one_currency({*currency.compacted().names, *given})
    pieces = [
        cells.taken(step, moment, values, every=layout.form == "events")
        for step, moment in zip(layout.steps, moments, strict=True)
    ]
    long = _below(pieces, values)
    rows = long.pop("row")
    if layout.changes:
        repeated = _unchanged(long)
        long = _of_rows(long, np.flatnonzero(~repeated))
        dropped[f"{OF_TABLE}the touchpoint of the one before"] = int(repeated.sum())
    for touchpoint, source in layout.once_per.items():
        ids = cells.column("", source, moments[0]).codes[rows]
        repeated = _again(long, touchpoint, ids)
        if repeated.any():
            long, rows = _of_rows(long, np.flatnonzero(~repeated)), rows[~repeated]
            why = f"{OF_TABLE}the touchpoint and transaction of one before"
            dropped[why] = dropped.get(why, 0) + int(repeated.sum())
    if layout.form != "events":
        dropped[f"{OF_TABLE}no dated step"] = len(number) - len(np.unique(rows))
    reading = Reading(roles={"customer": layout.columns["customer"].first[0][0]}, **options)
    return log_of_columns(InteractionLog, long, reading, dropped_before=dropped)


@attrs.frozen(kw_only=True)
class _Cells:
    """The rows that count, and how their times are read; `number` is that of each in the file.

    The usual format is that of the layout, which ISO 8601 and dates of Excel do not need.
    """

    table: _Table
    number: NDArray[np.intp]
    tz: str
    fmt: str | None
    usual: str | None
    unit: str | None
    decimal: str
    refuse: bool

    def moments(self, source: Source) -> Timestamps:
        names = [place for places in source.first for place in places]
        names = [name for name in names if name in self.table.columns]
        name = names[0] if names else "timestamp"
        cells, fmt = self.table.first(source.first), self.fmt
        if fmt is None and self.usual and not all(map(_ISO.match, cells.names)):
            fmt = self.usual
        if len(names) == 1 and name in self.table.raw:  # strings that no object stands for
            values = self.table.raw[name]
        else:
            values = np.array([*cells.names, None], dtype=object)[cells.codes]
        try:
            found = read_timestamps(values, tz=self.tz, fmt=fmt, unit=self.unit, name=name)
        except InvalidData as error:
            raise _at_rows(error, self.number) from None
        if source.when is None:
            return found
        gone = found.missing | ~self.table.meets(source.when)
        return attrs.evolve(found, us=np.where(gone, 0, found.us), missing=gone)

    def column(self, role: str, source: Source, moments: Timestamps) -> Any:
        """Return what a source says of each row: numbers, or else names."""
        found = _values(source, self.table, moments)
        if role not in NUMBERS:
            return found
        values = np.array(
            [*(number_of(name.strip(), self.decimal) for name in found.names), np.nan]
        )
        numbers: NDArray[np.float64] = values[found.codes]
        bad = np.flatnonzero(~np.isfinite(numbers) & (found.codes >= 0))
        if len(bad):
            hint = "an empty cell stands for a missing one"
            raise InvalidData.at_rows(f"{role} is no number", self.number[bad].tolist(), hint=hint)
        return numbers

    def taken(
        self, step: Step, moment: Timestamps, values: Mapping[str, Any], *, every: bool
    ) -> dict[str, Any]:
        """Return the columns of a step, of those rows that have taken it or of every row."""
        here = self.table.meets(step.when)
        if not every:
            here &= ~moment.missing
        if step.plus is not None:
            passed = self.column("duration", step.plus, moment)
            moment = _later(moment, passed, UNITS[step.unit])
            here &= ~moment.missing
        of_step = {"touchpoint": step.touchpoint, **step.columns}
        columns = {r: self.column(r, source, moment) for r, source in of_step.items()}
        gone = {
            "customer": values["customer"].codes < 0,
            "timestamp": moment.missing,
            "touchpoint": columns["touchpoint"].codes < 0,
        }
        for role, absent in gone.items():
            rows = self.number[here & absent]
            if self.refuse and len(rows):
                hint = 'missing="drop" leaves such rows out'
                raise InvalidData.at_rows(f"{role} is missing", rows.tolist(), hint=hint)
        own = np.flatnonzero(here)
        return _of_rows({**columns, "row": np.arange(len(here)), "timestamp": moment}, own)


def _below(pieces: Sequence[dict[str, Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of steps below one another, in the order of steps at one time."""
    lengths = [len(piece["row"]) for piece in pieces]
    rows = np.concatenate([piece["row"] for piece in pieces])
    of_steps = dict.fromkeys(role for piece in pieces for role in piece)
    own: list[dict[str, Any]] = []
    for piece in pieces:  # of a role that other steps have, this one has what the row has
        of_row = {r: values[r] for r in of_steps if r in values and r not in piece}
        own.append({**piece, **_of_rows(of_row, piece["row"])})
    names = [{r: c for r, c in piece.items() if isinstance(c, Coded)} for piece in own]
    long = _of_rows({r: c for r, c in values.items() if r not in of_steps}, rows)
    long |= {"row": rows, **stacked(names, lengths)}
    for role in filter(NUMBERS.__contains__, of_steps):
        columns = [piece.get(role) for piece in own]
        long[role] = stacked_numbers(columns, lengths, np.float64(np.nan))
    if "seq" in long:
        long["seq"] = np.ma.masked_invalid(long["seq"])
    elif len(pieces) > 1:
        long["seq"] = np.repeat(np.arange(len(pieces)), lengths)
    long["timestamp"] = Timestamps.stacked([piece["timestamp"] for piece in pieces])
    return long


def _of_rows(columns: Mapping[str, Any], rows: NDArray[np.intp]) -> dict[str, Any]:
    """Return some rows of columns of names, times or numbers."""
    return {
        role: c.take(rows) if isinstance(c, (Coded, Timestamps)) else c[rows]
        for role, c in columns.items()
    }


def _below_header(table: _Table, layout: Layout) -> tuple[_Table, str | None]:
    """Return the rows below those that name the columns, and the zone that these state."""
    zone, gone = None, 0
    date = table.first(layout.steps[0].timestamp.first)
    for row in range(min(layout.header_rows - 1, len(table))):
        if date.codes[row] >= 0 and date.names[date.codes[row]][:1].isdigit():
            break  # as where somebody has taken the others away
        gone += 1
        try:
            described = json.loads(date.names[date.codes[row]]) if date.codes[row] >= 0 else None
        except ValueError:
            continue
        zone = described.get("timeZone") if isinstance(described, dict) else zone
    return (table.take(np.arange(gone, len(table))) if gone else table), zone


def _kept(
    layout: Layout, table: _Table, dropped: dict[str, int]
) -> tuple[NDArray[np.bool_], _Table]:
    """Return which rows count, and the table in which the lines of a contact share their values."""
    kept = np.ones(len(table), dtype=np.bool_)

    def leave_out(rows: NDArray[np.bool_], why: str) -> None:
        if n := int(np.count_nonzero(kept & rows)):
            dropped[f"{OF_TABLE}{why}"] = dropped.get(f"{OF_TABLE}{why}", 0) + n
        kept[rows] = False

    for condition in layout.leave_out:
        leave_out(table.meets(condition), condition.because)
    once = np.where(kept, table.groups(layout.once), -1)
    leave_out((once >= 0) & ~_first_rows(once), "the ids of a row before")
    if layout.lines:
        named = [place for place in layout.lines if place in table.columns][:1]
        lines = np.where(kept, table.groups([named]), -1)
        heads = _first_rows(lines)
        table = _Table({place: _of_lines(c, lines, heads) for place, c in table.columns.items()})
        leave_out((lines >= 0) & ~heads, "a further line of a contact")
    return kept, table


def _of_lines(column: Coded, lines: NDArray[Any], heads: NDArray[np.bool_]) -> Coded:
    """Return a column in which the first row of each contact has its first known value."""
    known = np.flatnonzero((column.codes >= 0) & (lines >= 0))
    values = np.full(int(lines.max(initial=-1)) + 1, -1)
    values[lines[known[::-1]]] = column.codes[known[::-1]]  # the first is written last
    return Coded(np.where(heads, values[lines], column.codes), column.names)


def _first_rows(codes: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows are the first of their code; none is of those without one."""
    known = np.flatnonzero(codes >= 0)
    first = np.zeros(len(codes), dtype=np.bool_)
    first[known[np.unique(codes[known], return_index=True)[1]]] = True
    return first


def _values(source: Source, table: _Table, moments: Timestamps) -> Coded:
    """Return what a source says of each row."""
    if source.joined_by is None:
        found = table.first(source.first)
    else:
        found = table.first(source.first[:1])
        found = _joined(found, table.groups([(source.joined_by,)]))
        found = _else(found, table.first(source.first[1:]))
    if source.constant:
        found = _else(found, Coded(np.zeros(len(table), dtype=np.int64), (source.constant,)))
    if source.values:
        found = _mapped(found, [source.values.get(name.strip().casefold()) for name in found.names])
    if source.lower:
        found = _mapped(found, [name.lower() for name in found.names])
    if source.within:
        found = _carried(found, table.groups(source.within), moments.us)
    if source.when is not None:
        found = Coded(np.where(table.meets(source.when), found.codes, -1), found.names)
    return found


def _joined(ids: Coded, groups: NDArray[np.int64]) -> Coded:
    """Return ids in which a row without one has that of its group, where the group has one only."""
    known = np.flatnonzero((ids.codes >= 0) & (groups >= 0))
    pairs = np.unique(np.stack([groups[known], ids.codes[known]]), axis=1)
    of_group = np.full(int(groups.max(initial=-1)) + 2, -1)  # the spare place is of no group
    of_group[pairs[0]] = pairs[1]
    several, n = np.unique(pairs[0], return_counts=True)
    of_group[several[n > 1]] = -1
    return Coded(np.where(ids.codes >= 0, ids.codes, of_group[groups]), ids.names)


def _carried(values: Coded, groups: NDArray[np.int64], us: NDArray[np.int64]) -> Coded:
    """Return values of which every row of a group has the first in time."""
    known = np.flatnonzero((values.codes >= 0) & (groups >= 0))
    known = known[np.argsort(us[known], kind="stable")][::-1]
    of_group = np.full(int(groups.max(initial=-1)) + 2, -1)
    of_group[groups[known]] = values.codes[known]  # the first is written last
    return Coded(np.where(groups >= 0, of_group[groups], values.codes), values.names)


def _later(moment: Timestamps, numbers: NDArray[np.float64], unit: int) -> Timestamps:
    """Return moments after which a time has passed; missing where it is not known."""
    missing = moment.missing | ~np.isfinite(numbers)
    passed = np.where(missing, 0, numbers) * unit
    missing |= moment.us + passed > LAST_US
    us = moment.us + np.where(missing, 0, passed).astype(np.int64)
    return attrs.evolve(moment, us=np.where(missing, 0, us), missing=missing)


def _unchanged(long: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Return which rows have the touchpoint of the customer's row before."""
    customer, touchpoint = long["customer"].codes, long["touchpoint"].codes
    order = np.lexsort([np.arange(len(customer)), long["timestamp"].us, customer])
    same = np.zeros(len(order), dtype=np.bool_)
    same[order[1:]] = (np.diff(customer[order]) == 0) & (np.diff(touchpoint[order]) == 0)
    return same


def _again(long: Mapping[str, Any], touchpoint: str, ids: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows of a touchpoint have the id of an earlier one of the customer."""
    own = [name == touchpoint for name in long["touchpoint"].names]
    rows = np.flatnonzero(np.array([*own, False])[long["touchpoint"].codes] & (ids >= 0))
    rows = rows[np.argsort(long["timestamp"].us[rows], kind="stable")]
    pairs = np.stack([long["customer"].codes[rows], ids[rows]])
    again = np.zeros(len(ids), dtype=np.bool_)
    again[rows] = True
    again[rows[np.unique(pairs, axis=1, return_index=True)[1]]] = False
    return again


def _filled(column: Any) -> Coded:
    """Return a column of text, missing where there are blanks alone."""
    coded = encode_values(column)
    names = [str(name) for name in coded.names]
    if all(map(str.strip, names)):
        return Coded(coded.codes, tuple(names))
    return _mapped(coded, [name if name.strip() else None for name in names])


def _mapped(column: Coded, names: Sequence[str | None]) -> Coded:
    """Return a column with other names for its own, missing where they are None or empty."""
    place: dict[str, int] = {}
    codes = [place.setdefault(name, len(place)) if name else -1 for name in names]
    return Coded(np.array([*codes, -1])[column.codes], tuple(place))


def _empty(n: int) -> Coded:
    return Coded(np.full(n, -1), ())


def _else(first: Coded, other: Coded) -> Coded:
    """Return the values of the first column, of the other where it has none."""
    if not first.names or not other.names:
        return first if first.names else other
    codes = np.where(other.codes >= 0, other.codes.astype(np.int64) + len(first.names), -1)
    both = Coded(np.where(first.codes >= 0, first.codes, codes), (*first.names, *other.names))
    return _mapped(both, both.names)


def _together(columns: Sequence[Coded]) -> Coded:
    """Return what columns hold in a row, with " / " between."""
    if len(columns) == 1:
        return columns[0]
    cells = np.stack([column.codes for column in columns])
    distinct, codes = np.unique(cells, axis=1, return_inverse=True)
    names = [
        " / ".join(c.names[i] for c, i in zip(columns, row, strict=True) if i >= 0)
        for row in distinct.T.tolist()
    ]
    return _mapped(Coded(codes.reshape(-1), tuple(names)), names)


def _at_rows(error: InvalidData, number: NDArray[np.intp]) -> InvalidData:
    """Return an error about rows that were kept, with their numbers in the file."""
    if len(number) == 0 or number[-1] == len(number) - 1 or not error.rows:
        return error
    problem = str(error).rpartition(" in ")[0]
    return InvalidData.at_rows(problem, number[list(error.rows)].tolist())
