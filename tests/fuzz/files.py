"""Files at the door: CSV, Parquet and XES, damaged, and what a plain reader finds in them."""

from __future__ import annotations

import gzip
import io
import warnings
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest import mock
from xml.dom import expatbuilder

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import cxjourney as cx

from . import reference as ref
from .judge import judged
from .mutate import damaged

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

NAMES = (
    "web", "cart", "buy", "a,b", 'say "hi"', "two\nlines", "two\rlines", "x;y", "ü€", " pad ", "",
    "NA", "007", '5" screen', "tab\tin", "🛒", "'", "null",
)  # fmt: skip
HEADERS = (
    "who", "when", "what", "a b", 'say "x"', "two\nlines", "cr\rin", "crlf\r\nin", "x;y", "x,y",
    "ü", "who ", "WHO",
)  # fmt: skip
NEEDED = ("customer", "timestamp", "touchpoint")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


@contextmanager
def one_database() -> Iterator[None]:
    """Let readers share one database, since to open one takes ten times as long as a small file."""
    shared = _database()
    with mock.patch.object(duckdb, "connect", side_effect=lambda *_, **__: shared.cursor()):
        yield


# ------------------------------------------------------------------------------------------- CSV


def csv(rng: random.Random, folder: Path) -> bool:
    """Read one or two CSV files, and compare their rows with a plain reading."""
    delimiter = rng.choice(",,,;\t|")
    encoding = rng.choice(
        ("utf-8",) * 6 + ("utf-16", "latin-1", "cp1252", "shift_jis", "utf-16-be", "utf-32")
    )
    header = rng.sample(HEADERS, rng.randint(3, 5))
    names = dict(zip(NEEDED, header[:3], strict=True))
    rng.shuffle(header)
    contents = [
        csv_bytes(rng, header, names, delimiter, encoding) for _ in range(rng.choice((1, 1, 2)))
    ]
    above = 0 if encoding in {"utf-16", "utf-32"} else rng.choice((0, 0, 0, 1, 3))  # one mark
    title = "".join(rng.choice(("Export\n", "\n", "a;b,c\n", '"x"\n')) for _ in range(above))
    named = rng.random() < 0.1 and encoding not in {"utf-16", "utf-32"}
    head = f"sep={delimiter}\n" * named + title
    contents = [head.encode(encoding) + content for content in contents]
    skip: Any = above + (named and above > 0)
    if rng.random() < 0.3:
        skip = list(range(skip))
    paths = []
    for i, content in enumerate(contents):
        packed = content
        if rng.random() < 0.2:
            packed = gzip.compress(content, mtime=0)
            if rng.random() < 0.5:
                packed = damaged(rng, packed, 1)
        paths.append(folder / f"{i}.csv")
        paths[-1].write_bytes(packed)
    asked = None if rng.random() < 0.5 else delimiter
    options = {"tz": rng.choice(("UTC", "UTC", "Asia/Kolkata")), "missing": "drop"}
    with one_database():
        log = judged(
            lambda: cx.read_csv(
                paths, **names, delimiter=asked, encoding=encoding, skip_rows=skip, **options
            )
        )
    if log is None:
        return False
    balanced(log)
    plain = []
    for content in contents:
        split = asked or (delimiter if named else None)
        rows = plain_csv(content.removeprefix(head.encode(encoding)), names, split, encoding)
        if rows is None:
            raise AssertionError("read, where a plain reader finds no such table")
        plain += rows
    same_rows(log, plain)
    return True


def csv_bytes(
    rng: random.Random, header: list[str], names: dict[str, str], delimiter: str, encoding: str
) -> bytes:
    newline = rng.choice(("\n", "\n", "\n", "\r\n", "\r"))
    lines = [delimiter.join(_cell(rng, name, delimiter) for name in header)]
    for _ in range(rng.choice((0, 1, 2, 5, 30))):
        cells = {name: rng.choice(NAMES) for name in header}
        cells[names["customer"]] = rng.choice(("k1", "k2", "k3", rng.choice(NAMES)))
        cells[names["timestamp"]] = moment(rng)
        lines.append(delimiter.join(_cell(rng, cells[name], delimiter) for name in header))
        if rng.random() < 0.05:
            lines.append("")
    text = newline.join(lines) + (newline if rng.random() < 0.8 else "")
    content = text.encode(encoding, errors="strict" if encoding.startswith("utf") else "replace")
    return damaged(rng, content) if rng.random() < 0.7 else content


def _cell(rng: random.Random, text: str, delimiter: str) -> str:
    needs = any(c in text for c in f'"\r\n{delimiter}') or text[:1] == " "
    if needs or rng.random() < 0.1:
        return '"' + text.replace('"', '""') + '"'
    return text


def moment(rng: random.Random) -> str:
    when = BEGIN + timedelta(minutes=rng.randrange(100_000))
    return rng.choice(
        (f"{when:%Y-%m-%d %H:%M:%S}", f"{when:%Y-%m-%dT%H:%M:%SZ}", f"{when:%Y-%m-%d}")
    )


def plain_csv(
    content: bytes, names: dict[str, str], delimiter: str | None, encoding: str
) -> list[tuple[Any, ...]] | None:
    """Return (customer, timestamp, touchpoint) of each row, by the delimiter that finds them."""
    text = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    for one in (delimiter,) if delimiter else (",", ";", "\t", "|"):
        try:
            rows = ref.records(text, one)
        except ref.MalformedError:
            continue
        if rows and all(name in rows[0] for name in names.values()):
            places = [rows[0].index(names[role]) for role in NEEDED]
            if all(len(row) in (len(rows[0]), len(rows[0]) + 1) for row in rows[1:]):
                return [tuple(row[place] for place in places) for row in rows[1:]]
    return None


# ----------------------------------------------------------------------------------- what is held


def balanced(log: cx.InteractionLog) -> None:
    """Hold that every row that came in is in the log, or counted in the audit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        audit = log.audit()
    out = sum(n for why, n in audit.dropped.items() if not why.startswith("rows of the table"))
    assert audit.rows_received == len(log) + out, (audit.rows_received, len(log), audit.dropped)


def same_rows(log: cx.InteractionLog, plain: list[tuple[Any, ...]]) -> None:
    """Hold that a log has just the rows of a plain reading that lack nothing."""
    assert log.intake.rows == len(plain), (log.intake.rows, len(plain))
    told = Counter(rows_of(log))
    expected = Counter(
        (ref.id_of(who), what)
        for who, when, what in plain
        if when not in (None, "") and what not in (None, "") and ref.id_of(who) is not None
    )
    blank = Counter({key: n for key, n in told.items() if not key[0].strip()})
    assert {k: n for k, n in (told - blank).items() if k[1].strip()} == {
        k: n for k, n in expected.items() if k[1].strip()
    }


def rows_of(log: cx.InteractionLog) -> list[tuple[str, str]]:
    columns = log.columns
    names = columns.coded["touchpoint"].values()
    return [(log.customer_ids[c], n) for c, n in zip(columns.customer.tolist(), names, strict=True)]


# --------------------------------------------------------------------------------------- Parquet


def parquet(rng: random.Random, folder: Path) -> bool:
    """Read one or two Parquet files, and compare their rows with those of pyarrow."""
    paths, tables = [], []
    for i in range(rng.choice((1, 1, 2))):
        table = arrow_table(rng, rng.choice((0, 1, 5, 40)))
        sink = io.BytesIO()
        pq.write_table(
            table,
            sink,
            compression=rng.choice(("none", "snappy", "zstd")),
            row_group_size=rng.choice((1, 7, 1000)),
            use_dictionary=rng.random() < 0.5,
        )
        content = sink.getvalue()
        if rng.random() < 0.5:
            content = damaged(rng, content, 2)
        paths.append(folder / f"{i}.parquet")
        paths[-1].write_bytes(content)
        tables.append(table)
    sound = all(_same_table(path, table) for path, table in zip(paths, tables, strict=True))
    roles = {"customer": "who", "timestamp": "when", "touchpoint": "what", "missing": "drop"}
    more = ["more"] if rng.random() < 0.5 else []
    with one_database():
        log = judged(lambda: cx.read_parquet(paths, **roles, attributes=more))
    if log is None:
        return False
    balanced(log)
    if sound:
        plain = [row for table in tables for row in _plain_arrow(table)]
        same_rows(log, plain)
    return True


def _same_table(path: Path, table: pa.Table) -> bool:
    try:
        return bool(pq.read_table(path).equals(table))
    except (pa.ArrowException, OSError, ValueError):
        return False


def _plain_arrow(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in ("who", "when", "what")), strict=True))


def arrow_table(rng: random.Random, n: int) -> pa.Table:
    ids: list[list[Any]] = [
        ["k1", "k2", None, "NA", "007", "é"], [1, 2, 3, None], [2**60, 1, -4], ["a", "b"],
    ]  # fmt: skip
    who = [rng.choice(choice) for choice in [rng.choice(ids)] for _ in range(n)]
    when = [BEGIN + timedelta(seconds=rng.randrange(10**7)) for _ in range(n)]
    what = [rng.choice(("web", "cart", "buy", "a b", None, "")) for _ in range(n)]
    kind = rng.choice(("us", "ms", "ns", "s", "text"))
    stamps = (
        pa.array([w.isoformat() for w in when], pa.string())
        if kind == "text"
        else pa.array(when, pa.timestamp(kind, rng.choice((None, "UTC"))))
    )
    more: list[Any] = (
        rng.choice(([[1, 2]], [{"a": 1}], ["x"], [1.5], [None], [b"\xff"], [True])) * n
    )
    people = pa.array(who)
    if rng.random() < 0.3 and n and people.null_count == 0:
        people = people.dictionary_encode()
    return pa.table(
        {"who": people, "when": stamps, "what": pa.array(what, pa.string()), "more": more}
    )


# ------------------------------------------------------------------------------------------- XES

WHEN = "time:timestamp"
XES = '<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1.0">{}</log>'


def xes(rng: random.Random, folder: Path) -> bool:
    """Read an XES file, and compare its events with those that ElementTree finds."""
    content = damaged(rng, xes_bytes(rng)) if rng.random() < 0.7 else xes_bytes(rng)
    packed = content
    if rng.random() < 0.15:
        packed = gzip.compress(content, mtime=0)
        if rng.random() < 0.5:
            packed = damaged(rng, packed, 1)
    path = folder / "log.xes"
    path.write_bytes(packed)
    log = judged(lambda: cx.read_xes(path, missing="drop"))
    if log is None:
        return False
    balanced(log)
    same_rows(log, _plain_xes(content))
    return True


def _plain_xes(content: bytes) -> list[tuple[Any, ...]]:
    """Return (case, timestamp, name) of each event, from the tree of the document."""
    root = expatbuilder.parseString(content, namespaces=False).documentElement  # noqa: S316 - our own
    found = []
    for child in root.childNodes:
        tag = child.nodeName.rpartition(":")[2]
        case = _values(child) if tag == "trace" else {}
        for event in {"trace": child.childNodes, "event": [child]}.get(tag, []):
            if event.nodeName.rpartition(":")[2] == "event":
                values = _values(event)
                found.append((case.get("concept:name"), *map(values.get, (WHEN, "concept:name"))))
    return found


def _values(element: Any) -> dict[str, str]:
    nodes = [node for node in element.childNodes if node.nodeType == node.ELEMENT_NODE]
    return {
        node.getAttribute("key"): node.getAttribute("value")
        for node in nodes
        if node.hasAttribute("value")
    }


def xes_bytes(rng: random.Random) -> bytes:
    traces = []
    for _ in range(rng.choice((0, 1, 2, 5))):
        events = []
        for _ in range(rng.choice((0, 1, 3))):
            extra = rng.choice(
                ("", '<int key="n" value="3"/>', '<float key="f" value="x"/>', "<list key='l'/>",
                 '<string key="org:resource" value="R"/>', "<!-- -->", "<![CDATA[x]]>")
            )  # fmt: skip
            name = rng.choice(("web", "cart", "&lt;b&gt;", "&#x1F6D2;", "", "a b"))
            events.append(
                f'<event><string key="concept:name" value="{name}"/>'
                f'<date key="time:timestamp" value="{moment(rng)}"/>{extra}</event>'
            )
        case = rng.choice(("k1", "k2", "NA", "", "&amp;"))
        traces.append(
            f'<trace><string key="concept:name" value="{case}"/>{"".join(events)}</trace>'
        )
    return XES.format("\n".join(traces)).encode()
