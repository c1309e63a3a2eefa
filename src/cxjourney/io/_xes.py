"""The reader of XES, the interchange format of process mining."""

from __future__ import annotations

import warnings
from collections import defaultdict, deque
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal, Unpack
from xml.parsers import expat

import numpy as np

from cxjourney._support.text import brief, shortened
from cxjourney._support.words import counted
from cxjourney._time.timestamps import read_timestamps
from cxjourney.exceptions import (
    DataQualityWarning,
    InputFileError,
    InvalidData,
    InvalidValue,
    UnknownName,
)
from cxjourney.io._files import (
    compression_of,
    find_files,
    opened,
    read_errors,
    show_path,
    unchanged,
)
from cxjourney.log import (
    OF_TABLE,
    InteractionLog,
    Reading,
    argument_of,
    check_no_column,
    log_of_columns,
)
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from os import PathLike

    from numpy.typing import NDArray

    from cxjourney.log import FurtherColumns

    FilePath = str | PathLike[str]

_CHUNK = 1 << 16
_LONGEST = 2_000_000  # bytes of a tag with its attributes, of a comment …
_ENCODINGS = {"utf-8", "utf-16", "iso-8859-1", "us-ascii"}  # that expat knows by itself
_OF_TRACE = "case:"
_CASE = "case:concept:name"
_RESOURCE = "org:resource"
_LIFECYCLE = "lifecycle:transition"
_INSTANCE = "concept:instance"
_DEFAULT_LIFECYCLE = "complete"  # what XES means by an event that does not say


@forgetting
def read_xes(
    path: FilePath | Iterable[FilePath],
    *,
    customer: str = _CASE,
    timestamp: str = "time:timestamp",
    touchpoint: str = "concept:name",
    lifecycle: Collection[str] | Literal["pair"] | None = None,
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from XES files (.xes, .xes.gz): a trace is a customer's case, an event a contact.

    Parameters
    ----------
    path
        A file, a glob, or several of them. Local only; gzip is recognised by content.
    customer, timestamp, touchpoint
        Keys of attributes. A key that begins with `case:` is one of the trace, any other one of
        the event, as in the CSV files that process mining tools write.
    lifecycle
        Which events to keep by their `lifecycle:transition`, where a log has both the start and
        the end of each activity; an event that does not say is complete. "pair" makes one contact
        of a start and the next complete event of the same activity (and `concept:instance`) in the
        trace, at its start and with its duration; starts and ends without the other half stay,
        other transitions go. Names such as `("complete",)` keep those. None keeps all, and warns
        where both halves of an activity count as contacts.
    **columns
        Further keys and options: see `InteractionLog.from_frame`. `owner` is `org:resource`
        unless given. If `customer` is not the case, `journey` is the case unless given.

    Returns
    -------
    InteractionLog

    Raises
    ------
    InputFileError
        If nothing matches `path`, or a file is truncated, no XML, no XES, or has a document type,
        which XES does not need and in which attacks by entities are written.
    UnknownName
        If no event or trace has a key; the nearest ones are in the message.
    InvalidValue
        If `lifecycle` is another string, a `duration` is named beside `lifecycle="pair"`, or a
        currency is an attribute's key.
    InvalidData
        If values cannot be read, with the numbers of the events, counted from 0 over all files.

    Notes
    -----
    Two traces of one name are one customer. The file is read as a stream; global defaults,
    classifiers and nested attributes are passed over.

    References
    ----------
    IEEE 1849-2023, Standard for eXtensible Event Stream (XES).
    """
    if lifecycle is not None and not _are_names(lifecycle):
        rule = "be one of 'pair', or names of transitions such as ('complete',)"
        raise InvalidValue.of("lifecycle", rule, lifecycle, choices=("pair",))
    optional = "owner" not in columns
    columns.setdefault("owner", _RESOURCE)
    if customer != _CASE:
        columns.setdefault("journey", _CASE)
    reading = Reading.of(customer=customer, timestamp=timestamp, touchpoint=touchpoint, **columns)
    roles = dict(reading.roles)
    parser = _EventReader(roles.values(), lifecycle)
    files = find_files(path)
    with unchanged(files):
        for file in files:
            parser.read(file)
    if parser.others and not parser.n_events:
        there_are = ", ".join(map(repr, sorted(parser.others)[:5]))
        warnings.warn(
            shortened(f"No event is of the lifecycle asked for: there are {there_are}."),
            DataQualityWarning,
            stacklevel=2,
        )
    for role, key in roles.items():
        if key not in parser.seen and parser.n_events and not (optional and key == _RESOURCE):
            kind, known = f"{argument_of(role)}= attribute", sorted(parser.seen)
            raise UnknownName.among(kind, key, known, where="the XES log")
    check_no_column(reading.currency, "currency", parser.seen)
    by_key = parser.columns()
    if optional and not any(str(value or "").strip() for value in by_key.get(_RESOURCE, ())):
        roles.pop("owner", None)
    found: dict[str, Any] = {role: by_key[key] for role, key in roles.items()}
    begins, ends = parser.pairs(by_key[touchpoint])
    if lifecycle == "pair":
        found = _paired(found, begins, ends, reading)
    elif lifecycle is None and len(begins):
        n = counted(len(begins), "activity counts", "activities count")
        warnings.warn(
            f'{n} twice, as its start and as its end: lifecycle="pair" makes one contact with a '
            'duration of both, lifecycle=("complete",) keeps the ends',
            DataQualityWarning,
            stacklevel=2,
        )
    return log_of_columns(
        InteractionLog,
        found,
        reading,
        dropped_before={
            f"{OF_TABLE}another {_LIFECYCLE}": parser.n_others,
            f"{OF_TABLE}an end, now the duration of its start": len(ends) * (lifecycle == "pair"),
        },
    )


def _are_names(lifecycle: object) -> bool:
    if isinstance(lifecycle, str):
        return lifecycle == "pair"
    return isinstance(lifecycle, Collection) and all(isinstance(name, str) for name in lifecycle)


def _paired(
    columns: Mapping[str, Any],
    begins: NDArray[np.intp],
    ends: NDArray[np.intp],
    reading: Reading,
) -> dict[str, Any]:
    """Return the columns with one row for both halves of an activity, and how long it took."""
    if "duration" in columns:
        rule = 'be left out beside lifecycle="pair", which finds durations'
        raise InvalidValue.of("duration", rule, reading.roles["duration"])
    stamps = read_timestamps(
        columns["timestamp"],
        tz=reading.tz,
        fmt=reading.timestamp_format,
        unit=reading.timestamp_unit,
    )
    known = ~(stamps.missing[begins] | stamps.missing[ends])
    took = np.full(len(stamps.us), np.timedelta64("NaT", "us"))
    took[begins[known]] = (stamps.us[ends] - stamps.us[begins])[known].view("m8[us]")
    rows = np.delete(np.arange(len(took)), ends)
    return {role: column[rows] for role, column in {**columns, "duration": took}.items()}


class _Refused(Exception):
    """Well-formed XML that is not read; `read` turns the reason into an error with a file."""


class _EventReader:
    """Collects the wanted attributes of each event while expat walks over the files."""

    def __init__(self, keys: Iterable[str], lifecycle: Collection[str] | None) -> None:
        keys = list(dict.fromkeys(keys))
        self.seen: set[str] = set()
        self.n_events = 0
        names = ("start", "complete") if lifecycle == "pair" else lifecycle
        self._lifecycle = None if names is None else frozenset(name.lower() for name in names)
        self._transitions: list[tuple[str, Any]] = []
        self.n_others = 0
        self.others: set[str] = set()
        self._events: dict[str, list[Any]] = {k: [] for k in keys if not k.startswith(_OF_TRACE)}
        self._traces: dict[str, list[Any]] = {k: [] for k in keys if k.startswith(_OF_TRACE)}
        self._wanted = frozenset(keys) | {_LIFECYCLE, _INSTANCE}
        self._trace_of: list[int] = []
        self._n_traces = 0
        self._depth = 0
        self._trace: dict[str, Any] | None = None
        self._event: dict[str, Any] | None = None

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return one array a key, one value an event; None where the event has none."""
        columns = {key: _objects(values) for key, values in self._events.items()}
        trace = np.array(self._trace_of, dtype=np.intp)
        for key, values in self._traces.items():
            columns[key] = _objects([*values, None])[trace]  # -1, outside a trace, is the last
        return columns

    def pairs(self, activities: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the events that start an activity and those that end it, in the same order.

        The end of an activity is that of its first start in the trace that has none yet.
        """
        open_since: dict[Any, deque[int]] = defaultdict(deque)
        halves = []
        for row, (transition, instance) in enumerate(self._transitions):
            trace = self._trace_of[row]
            running = open_since[trace, activities[row], instance]
            if transition == "start" and trace >= 0:
                running.append(row)
            elif transition == "complete" and running:
                halves.append((running.popleft(), row))
        begins, ends = np.array(halves, dtype=np.intp).reshape(-1, 2).T
        return begins, ends

    def read(self, file: str) -> None:
        """Read one file; raises InputFileError."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.XmlDeclHandler = _check_encoding
        self._depth, self._event, self._trace = 0, None, None
        where, size = show_path(file), 0
        try:
            for chunk in _chunks(file):
                size += len(chunk)
                parser.Parse(chunk, not chunk)
                _check_progress(parser, size)
        except expat.ExpatError as error:
            reason = expat.errors.messages[error.code]
            at = f"line {error.lineno:,}"
            raise InputFileError(f"{where} is no XES: {reason} at {at}") from None
        except _Refused as refused:
            raise InputFileError(f"{where} is no XES: {refused}") from None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        depth = self._depth
        tag = tag.rpartition(":")[2]
        if self._event is not None:
            if depth == 3 + (self._trace is not None):
                self._keep(self._event, "", tag, attributes)
        elif tag == "event" and depth == 2 + (self._trace is not None):
            self._event = {}
        elif self._trace is not None:
            if depth == 3:
                self._keep(self._trace, _OF_TRACE, tag, attributes)
        elif tag == "trace" and depth == 2:
            self._trace = {}
        elif depth == 1 and tag != "log":
            raise _Refused(f"its root element is {brief(tag)}, not 'log'")

    def _end(self, _tag: str) -> None:
        depth = self._depth
        self._depth -= 1
        if self._event is not None:
            if depth == 2 + (self._trace is not None):
                self._finish_event(self._event)
                self._event = None
        elif self._trace is not None and depth == 2:
            for key, values in self._traces.items():
                values.append(self._trace.get(key))
            self._n_traces += 1
            self._trace = None

    def _keep(
        self, values: dict[str, Any], prefix: str, tag: str, attributes: dict[str, str]
    ) -> None:
        key = prefix + attributes.get("key", "")
        self.seen.add(key)
        value = attributes.get("value")
        if value is None or key not in self._wanted:
            return
        try:
            values[key] = _TYPES.get(tag, str)(value)
        except ValueError:
            raise InvalidData.at_rows(f"{key} is no {tag}", [self.n_events]) from None

    def _finish_event(self, event: dict[str, Any]) -> None:
        transition = str(event.get(_LIFECYCLE, _DEFAULT_LIFECYCLE)).lower()
        if self._lifecycle is not None and transition not in self._lifecycle:
            self.n_others += 1
            self.others.add(transition)
            return
        self.n_events += 1
        self._transitions.append((transition, event.get(_INSTANCE)))
        self._trace_of.append(-1 if self._trace is None else self._n_traces)
        for key, values in self._events.items():
            values.append(event.get(key))


def _boolean(text: str) -> bool:
    return text.strip().lower() == "true"


_TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "boolean": _boolean}


def _refuse_doctype(name: str, *_: object) -> None:
    raise _Refused(f"it has a document type ({brief(name)}), in which entities could be declared")


def _check_progress(parser: expat.XMLParserType, size: int) -> None:
    """Refuse what is so long that expat, which begins it again at each chunk, takes for ever."""
    if size - parser.CurrentByteIndex > _LONGEST:
        line = parser.CurrentLineNumber
        raise _Refused(f"something at line {line:,} is longer than {_LONGEST:,} bytes")


def _check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is None or encoding.lower() in _ENCODINGS:
        return
    try:
        characters = len(bytes(range(256)).decode(encoding, "replace"))
    except (LookupError, ValueError):
        characters = 0
    if characters != 256:
        raise _Refused(f"its encoding {brief(encoding)} cannot be read")


def _chunks(file: str) -> Iterator[bytes]:
    """Yield the bytes of a file, decompressed, and at last none."""
    compression, chunk = compression_of(file), b" "
    with read_errors(file, compression):
        stream = None if compression == "zstd" else opened(file, compression)
        if stream is None:
            raise _Refused("it is compressed with Zstandard; gzip and plain text are read")
        with stream:
            while chunk:
                chunk = stream.read(_CHUNK)
                yield chunk


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
