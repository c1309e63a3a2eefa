"""A log as XES, the interchange format of process mining."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import numpy as np

from cxjourney._support.words import counted
from cxjourney._support.writing import write_whole
from cxjourney.exceptions import InvalidValue
from cxjourney.log._columns import Coded
from cxjourney.log._ingest import NO_SEQ
from cxjourney.log._prepare import times_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cxjourney.log._interaction_log import InteractionLog

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849-2023" xes.features="" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
"""
_KEYS = {"touchpoint": "concept:name", "owner": "org:resource"}
_OF_TRACE = "case:"
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def to_xes(log: InteractionLog, path: str | os.PathLike[str]) -> None:
    """Write the log as XES, which `cxjourney.read_xes` and process mining tools read.

    A customer is a trace, an interaction an event. The touchpoint is `concept:name`, the owner
    `org:resource`; other columns and attributes keep their names, and `duration_us` is in
    microseconds. What is said of customers, and their account, are attributes of the trace, whose
    keys readers see as `case:` and the name.

    Parameters
    ----------
    path
        Where to write, all of it or nothing; a name that ends in ".gz" is compressed.

    Raises
    ------
    TimesRequired
        If the log was made of aggregated paths, or has an order but no times.
    InvalidValue
        If two columns would have one key, a name has characters that XML does not hold, or an
        attribute that is named as one of the trace differs within a customer.

    Notes
    -----
    The file holds rows: give `read_xes` the zone, the scale, the currency and `observed_until=`
    again, where the log has others than those that readers take by themselves.

    References
    ----------
    IEEE 1849-2023, Standard for eXtensible Event Stream (XES).

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import cxjourney as cx
    >>> log = cx.datasets.sample(seed=1, customers=20).log.filter(channels=["web", "app"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "log.xes.gz"
    ...     log.to_xes(path)
    ...     len(cx.read_xes(path)) == len(log)
    True
    """
    time, columns = times_of(log, "to_xes()"), log.columns
    of_trace = {"concept:name": Coded(np.arange(log.n_customers), tuple(log.customer_ids))}
    if log.account is not None:
        ids = tuple(getattr(account, "id", account) for account in log.account.names)
        of_trace["account"] = Coded(log.account.codes, ids)
    of_events = {_KEYS.get(role, role): coded for role, coded in columns.coded.items()}
    taken = {*of_events, *columns.numeric, "time:timestamp", "seq"}
    for name, coded in columns.attributes.items():
        if name.startswith(_OF_TRACE):
            key = name.removeprefix(_OF_TRACE)
            _add(of_trace, key, _constant(coded, columns.offsets, name), set())
        else:
            _add(of_events, name, coded, taken)
    for name, coded in log.customer_attributes.items():
        _add(of_trace, name, coded, set())
    stamps = np.datetime_as_string(time.view("M8[us]"), unit="us", timezone="UTC")
    pieces = [
        *(_strings(key, coded) for key, coded in of_events.items()),
        _tags("date", "time:timestamp", stamps.tolist()),
        *(_numbers(key, values) for key, values in columns.numeric.items()),
    ]
    if columns.seq is not None:
        known = columns.seq != NO_SEQ
        pieces.append(np.where(known, _tags("int", "seq", columns.seq.tolist()), ""))
    events = _joined(len(log), "<event>\n", pieces, "</event>\n")
    traces = _joined(
        log.n_customers, "<trace>\n", [_strings(k, coded) for k, coded in of_trace.items()], ""
    )
    first, end = columns.offsets[:-1], columns.offsets[1:] - 1
    events[first] = traces + events[first]
    events[end] += "</trace>\n"
    content = "".join([_HEAD, *events.tolist(), "</log>\n"]).encode()
    write_whole(path, gzip.compress(content, mtime=0) if Path(path).suffix == ".gz" else content)


def _add(keys: dict[str, Coded], name: str, coded: Coded, taken: set[str]) -> None:
    if name in keys or name in taken:
        raise InvalidValue(
            f"to_xes() needs one key a column, and {name!r} is that of two: leave one out, or give "
            "it another name with log.with_attribute"
        )
    keys[name] = coded


def _constant(coded: Coded, offsets: NDArray[np.int64], name: str) -> Coded:
    first = coded.first_of_groups(offsets)
    if not np.array_equal(np.repeat(first.codes, np.diff(offsets)), coded.codes):
        raise InvalidValue(
            f"attribute {name!r} must have one value a customer to be one of the trace, as its "
            f"name says: give it a name without {_OF_TRACE!r}"
        )
    return first


def _joined(n: int, head: str, pieces: Iterable[NDArray[Any]], end: str) -> NDArray[Any]:
    """Return an element of each row, of the attributes in it."""
    text = np.full(n, head, dtype=object)
    for piece in pieces:
        text = text + piece
    return text + end


def _strings(key: str, coded: Coded) -> NDArray[Any]:
    """Return the attribute of each row, "" where it is missing; of the type that its value has."""
    if wrong := sum(bool(_NO_XML.search(str(name))) for name in (key, *coded.names)):
        has = counted(wrong, "name or value has", "names or values have")
        raise InvalidValue(f"to_xes() writes what XML holds: {has} control characters, in {key!r}")
    tags = np.array([*(_tag(value, key) for value in coded.names), ""], dtype=object)
    found: NDArray[Any] = tags[coded.codes]
    return found


def _tag(value: object, key: str) -> str:
    if isinstance(value, bool):
        return f'<boolean key={quoteattr(key)} value="{str(value).lower()}"/>\n'
    if isinstance(value, (int, np.integer)):
        return f'<int key={quoteattr(key)} value="{value}"/>\n'
    if isinstance(value, (float, np.floating)):
        return f'<float key={quoteattr(key)} value="{float(value)!r}"/>\n'
    return f"<string key={quoteattr(key)} value={quoteattr(str(value))}/>\n"


def _tags(kind: str, key: str, values: list[Any]) -> NDArray[Any]:
    text = np.array(values, dtype=str).astype(object)
    return f'<{kind} key="{key}" value="' + text + '"/>\n'


def _numbers(key: str, values: NDArray[np.float64]) -> NDArray[Any]:
    if key == "duration_us":
        known = ~np.isnan(values)
        whole = np.where(known, values, 0).astype(np.int64)
        return np.where(known, _tags("int", key, whole.tolist()), "")
    written = np.array([*map(repr, values.tolist())], dtype=object)
    tags = f'<float key="{key}" value="' + written + '"/>\n'
    return np.where(np.isnan(values), "", tags)
