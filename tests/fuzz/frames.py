"""Tables of every library at the door, with values, names and types that none should have."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import cxjourney as cx
from cxjourney.io import StepColumn, from_sequences, from_wide

from .files import BEGIN, balanced, same_rows
from .judge import judged

if TYPE_CHECKING:
    import random
    from pathlib import Path

TEXTS: tuple[Any, ...] = (
    "a",
    "b",
    "c",
    "007",
    "NA",
    "nan",
    "None",
    "ü",
    "🛒",
    "two\nlines",
    "x" * 3_000,
)
KINDS: dict[str, tuple[Any, ...]] = {
    "text": TEXTS[:6],
    "text or none": (*TEXTS[:4], None),
    "odd text": (*TEXTS, "", " ", "\x00", "\ud800", "__start__", "__dropoff__"),
    "whole": (0, 1, 2, 7, -3),
    "whole or none": (0, 1, None),
    "large": (2**53 + 1, 2**62, -(2**62), 0),
    "beyond": (2**63, 2**64 - 1, 0),
    "huge": (2**80, 1),
    "float": (0.0, 1.5, -1.0, 3.0),
    "odd float": (0.5, float("nan"), float("inf"), -0.0, 1e300),
    "bool": (True, False),
    "mixed": (1, "1", True, 1.0, None, 2.5),
    "decimal": (Decimal("1.5"), Decimal(2)),
    "bytes": (b"a", b"\xff"),
    "list": ([1, 2], [], [3]),
    "equal lists": ([1, 2], [3, 4]),
    "dict": ({"a": 1}, {}),
    "tuple": ((1, 2), ()),
    "moment": (BEGIN, BEGIN + timedelta(days=1), BEGIN + timedelta(seconds=1)),
    "local moment": (datetime(2026, 3, 29, 2, 30), datetime(2026, 1, 1)),  # noqa: DTZ001 - naive on purpose
    "odd moment": (BEGIN, datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), None),
    "zoned": (BEGIN, BEGIN.astimezone(timezone(timedelta(hours=5, minutes=45)))),
    "date": (date(2026, 1, 1), date(9999, 12, 31), date(1, 1, 1)),
    "moment text": ("2026-01-01", "2026-01-02T10:00:00Z", "2026-01-03 10:00:00.5+02:00"),
    "bad moment text": ("2026-13-01", "yesterday", "", "2026-01-01T25:00", "9" * 400),
    "span": (timedelta(days=1), timedelta(0), timedelta(-1), timedelta.max),
    "nothing": (None,),
    "object": (object(), Ellipsis, 1j),
    "numpy": (np.int8(3), np.float32(1.5), np.str_("a"), np.bool_(True)),
    "numpy moment": (np.datetime64("NaT"), np.datetime64("2026-01-01T10", "us")),
    "missing": (pd.NaT, pd.NA, None, float("nan")),
}
ROLES = ("channel", "stage", "owner", "account", "journey", "seq", "score", "emotion",
         "expectation", "value", "duration", "issue", "currency")  # fmt: skip
LIBRARIES = ("lists", "arrays", "masked", "pandas", "pandas types", "polars", "lazy", "arrow",
             "dictionary", "duckdb", "series")  # fmt: skip
NAMES: tuple[Any, ...] = (
    "who",
    "when",
    "what",
    "x",
    "",
    " ",
    "a b",
    "é",
    "WHO",
    "\ud800",
    3,
    None,
    ("a", 1),
)


def frame(rng: random.Random, folder: Path) -> bool:
    """Build a log from a table of some library, and compare its rows with the plain values."""
    n = rng.choice((0, 1, 2, 5, 20, 20))
    sound = rng.random() < 0.5
    kinds = (
        (rng.choice(("text", "whole", "text or none", "whole or none")), "moment", "text")
        if sound
        else tuple(rng.choice(list(KINDS)) for _ in range(3))
    )
    plain = {
        name: _values(rng, kind, n)
        for name, kind in zip(("who", "when", "what"), kinds, strict=True)
    }
    further: dict[str, Any] = {}
    for role in rng.sample(ROLES, rng.choice((0, 0, 1, 2))):
        plain[f"{role} column"] = _values(rng, rng.choice(list(KINDS)), n)
        further[role] = f"{role} column"
    if rng.random() < 0.2:
        plain["more"] = _values(rng, rng.choice(list(KINDS)), n)
        further["attributes"] = ["more"]
    if rng.random() < 0.1:
        further["customers"] = _frame(rng, {"who": _values(rng, kinds[0], 3), "y": [1, None, "x"]})
    ragged = rng.random() < 0.05 and n > 1
    if ragged:
        short = rng.choice(list(plain))
        plain[short] = plain[short][:-1]
    built = _frame(rng, plain, rename=rng.random() < 0.1, sound=sound)
    if built is None:
        return False
    missing = rng.choice(("drop", "drop", "refuse"))
    log = judged(
        lambda: cx.InteractionLog.from_frame(
            built, customer="who", timestamp="when", touchpoint="what", missing=missing, **further
        )
    )
    if log is None:
        return False
    if ragged:
        assert isinstance(built, pd.DataFrame), "columns of different lengths were read"
        return True  # which pandas fills up
    balanced(log)
    assert log.intake.rows == n
    if sound:
        same_rows(log, list(zip(plain["who"], plain["when"], plain["what"], strict=True)))
    return True


def wide(rng: random.Random, folder: Path) -> bool:
    """Build a log from a table of one row a customer: dated steps, or states of periods."""
    n = rng.choice((0, 1, 3, 8))
    sound = rng.random() < 0.5
    kinds = (
        ("text", "moment", "text or none")
        if sound
        else tuple(rng.choice(list(KINDS)) for _ in range(3))
    )
    kinds = (kinds[0], kinds[1], kinds[1], kinds[2], rng.choice(list(KINDS)))
    names = ("who", "a", "b", "name", "v")
    plain = {name: _values(rng, kind, n) for name, kind in zip(names, kinds, strict=True)}
    if sound:
        plain["who"] = [f"k{i}" for i in range(n)]
    built = _frame(rng, plain, rename=rng.random() < 0.05)
    if built is None:
        return False
    missing = rng.choice(("drop", "refuse"))
    attributes = ["v"] if rng.random() < 0.3 else []
    if rng.random() < 0.5:
        second = StepColumn(named_by="name", value="v" if rng.random() < 0.3 else None)
        steps = {"a": "begun", "b": second if rng.random() < 0.7 else "over"}
        log = judged(
            lambda: from_wide(
                built, customer="who", steps=steps, missing=missing, attributes=attributes
            )
        )
    else:
        states = {"name": "2026-01-01", "a" if not sound else "v": "2026-02-01"}
        log = judged(
            lambda: from_sequences(
                built, customer="who", states=states, missing=missing, attributes=attributes
            )
        )
    if log is None:
        return False
    balanced(log)
    return True


def _values(rng: random.Random, kind: str, n: int) -> list[Any]:
    return [rng.choice(KINDS[kind]) for _ in range(n)]


def _frame(
    rng: random.Random, plain: dict[str, list[Any]], *, rename: bool = False, sound: bool = False
) -> Any:
    """Return a table of these columns, or None where the library itself refuses them."""
    library = rng.choice(LIBRARIES)
    columns: dict[Any, list[Any]] = dict(plain)
    if rename:  # a column goes, or takes a name that no column should have
        columns[rng.choice(NAMES)] = columns.pop(rng.choice(list(columns)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _built(rng, library, columns, sound=sound)
    except Exception:  # noqa: BLE001 - what cannot be built comes to no door
        return None
    except pl.exceptions.PanicException:
        return None


def _built(rng: random.Random, library: str, columns: dict[Any, list[Any]], *, sound: bool) -> Any:
    if library == "lists":
        return {name: rng.choice((list, tuple))(values) for name, values in columns.items()}
    if library == "arrays":
        return {name: np.array(values) if rng.random() < 0.8 else np.array(values, dtype=object)
                for name, values in columns.items()}  # fmt: skip
    if library == "masked":
        return {
            name: np.ma.MaskedArray(
                [0 if v is None else v for v in values], [v is None for v in values]
            )
            for name, values in columns.items()
        }
    if library == "series":
        kinds = (pd.Series, pl.Series, pa.array, iter)
        return {name: rng.choice(kinds)(values) for name, values in columns.items()}
    if library == "pandas":
        table = pd.DataFrame({name: pd.Series(values, dtype=rng.choice((None, object)))
                              for name, values in columns.items()})  # fmt: skip
        if rng.random() < 0.05:
            table.columns = [rng.choice(NAMES) for _ in columns]
        if rng.random() < 0.1:
            table.index = rng.choices((7, 8, "x"), k=len(table))
        return table
    if library == "pandas types":
        kinds = ("category", "string", "object", "str")
        chosen = {name: rng.choice(kinds) for name in columns if rng.random() < 0.5 and not sound}
        backend = rng.choice(("numpy_nullable", "pyarrow"))
        return pd.DataFrame(columns).astype(chosen).convert_dtypes(dtype_backend=backend)
    if library in {"polars", "lazy"}:
        built = pl.DataFrame(columns, strict=rng.random() < 0.7)
        if rng.random() < 0.3:
            built = built.with_columns(pl.col(pl.String).cast(pl.Categorical))
        return built.lazy() if library == "lazy" else built
    table = pa.table(columns)
    if library == "dictionary":
        for i, name in enumerate(table.column_names):
            if rng.random() < 0.6:
                table = table.set_column(i, name, _dictionary(rng, columns[name]))
    if library == "duckdb":
        shared = _database().cursor()
        shared.register("arrow_table", table)
        return shared.sql("SELECT * FROM arrow_table")
    return table.slice(0) if rng.random() < 0.5 else table.combine_chunks()


def _dictionary(rng: random.Random, values: list[Any]) -> pa.Array:
    """Return a dictionary column that holds some values twice, and missing ones as a value."""
    entries = [*dict.fromkeys(values), *values[:2], *([None] if rng.random() < 0.5 else [])]
    rng.shuffle(entries)
    places = [rng.choice([i for i, entry in enumerate(entries) if entry == value or entry is value])
              for value in values]  # fmt: skip
    masked = [
        None if v is None and rng.random() < 0.5 else p for v, p in zip(values, places, strict=True)
    ]
    kind = rng.choice((pa.int8(), pa.uint8(), pa.uint32(), pa.uint64(), pa.int64()))
    return pa.DictionaryArray.from_arrays(pa.array(masked, kind), pa.array(entries))


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")
