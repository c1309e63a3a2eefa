"""A tracker as bytes, and back: JSON for names and numbers, arrays for columns, no pickle."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

from cxjourney.exceptions import CxJourneyError, InvalidValue
from cxjourney.journeys import Ages, JourneyStatistics, Settled, quick_bytes
from cxjourney.log import moment

if TYPE_CHECKING:
    from cxjourney.live._state import Predictor
    from cxjourney.live._tracker import JourneyTracker

T = TypeVar("T", bound="JourneyTracker")

_FORMAT = 1
_TYPE = "JourneyTracker"
_AGES = ("time", "converted", "begins")


def written(tracker: JourneyTracker) -> bytes:
    """Return a tracker as bytes; nothing of it waits to be counted."""
    rows, settled, rules = tracker._rows, tracker._settled, tracker._rules  # noqa: SLF001 - one package
    assert rules.inactivity is not None  # noqa: S101 - a tracker has a limit
    present = np.flatnonzero(rows.sort())  # chains need not be kept, nor codes that are free
    since, grains = tracker._since_us, tracker._grains  # noqa: SLF001
    facts: dict[str, Any] = {
        "type": _TYPE,
        "format": _FORMAT,
        "plan": {
            "goal": rules.goal,
            "exit_touchpoints": rules.exit_touchpoints,
            "after_goal": rules.after_goal,
            "inactivity": rules.inactivity // timedelta(microseconds=1),
            "max_lateness": tracker._lateness // timedelta(microseconds=1),  # noqa: SLF001
            "columns": tracker._columns,  # noqa: SLF001
            "currency": tracker._currency,  # noqa: SLF001
            "grains": grains if grains is None or isinstance(grains, list) else [grains],
            "observed_from": since,
        },
        "counts": tracker._counts,  # noqa: SLF001
        "last_us": tracker._last_us,  # noqa: SLF001
        "forgotten_us": tracker._forgotten_us,  # noqa: SLF001
        "names": {name: list(known) for name, known in rows.names.items()},
        "ids": list(rows.ids.strings(present)),
        "seen": list(tracker._seen),  # noqa: SLF001
        "places": {name: list(known) for name, known in settled.places.items()},
    }
    arrays: dict[str, Any] = {
        f"row {name}": values[: rows.n] for name, values in rows.columns.items()
    }
    arrays["row customer"] = np.searchsorted(present, arrays["row customer"]).astype(np.int32)
    arrays["seen"] = np.fromiter(tracker._seen.values(), np.int64, len(tracker._seen))  # noqa: SLF001
    arrays |= {f"met {name}": keys for name, keys in settled.met.items()}
    if settled.statistics is not None and settled.ages is not None:
        ages = settled.ages
        facts["ages"] = {name: list(known) for name, known in ages.names.items()}
        arrays |= {f"age {name}": getattr(ages, name) for name in _AGES}
        arrays |= {f"node {name}": codes for name, codes in ages.nodes.items()}
        arrays |= {"bucket": settled.bucket, "customers": settled.customers}
        arrays["statistics"] = np.frombuffer(quick_bytes(settled.statistics), dtype=np.uint8)
    told = json.dumps(facts).encode()
    file = io.BytesIO()
    np.savez(file, facts=np.frombuffer(told, dtype=np.uint8), **arrays)
    return file.getvalue()


def read(cls: type[T], data: bytes, predictor: Predictor | None) -> T:
    """Return the tracker of bytes, or raise InvalidValue."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InvalidValue.of("data", "be the bytes of to_bytes()", type(data).__name__)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = dict(file)
        facts = json.loads(arrays.pop("facts").tobytes())
        _check((facts["type"], facts["format"]) == (_TYPE, _FORMAT))
        return _made(cls, facts, arrays, predictor)
    except (
        CxJourneyError, ValueError, TypeError, KeyError, IndexError, AttributeError, OSError,
        EOFError, OverflowError, RecursionError, zipfile.BadZipFile, NotImplementedError,
    ):  # fmt: skip
        rule = f"be the bytes of a JourneyTracker in format {_FORMAT}, and whole"
        raise InvalidValue(f"data must {rule}: what it holds is something else") from None


def _made(
    cls: type[T], facts: dict[str, Any], arrays: dict[str, Any], predictor: Predictor | None
) -> T:
    plan = dict(facts["plan"])
    for name in ("inactivity", "max_lateness"):
        plan[name] = timedelta(microseconds=plan[name])
    if plan["observed_from"] is not None:
        plan["observed_from"] = moment(plan["observed_from"])
    if plan["grains"] is not None:
        plan["grains"] = [tuple(by) if isinstance(by, list) else by for by in plan["grains"]]
    tracker = cls(**plan, predictor=predictor)
    rows = tracker._rows
    rows.n = len(arrays["row time"])
    for name, empty in rows.columns.items():
        values = arrays[f"row {name}"]
        _check(values.dtype == empty.dtype and values.shape == (rows.n,))
        rows.columns[name] = values.copy()
    ids = [str(one) for one in facts["ids"]]
    codes = rows.ids.codes(ids)
    _check(np.array_equal(codes, np.arange(len(ids))))
    _check(np.array_equal(np.unique(rows.columns["customer"]), codes))
    for name, known in facts["names"].items():
        rows.names[name].update({str(one): code for code, one in enumerate(known)})
        codes = rows.columns[name]
        _check(len(rows.names[name]) == len(known))
        _check(((codes >= -1) & (codes < len(known))).all())
    rows.last = np.full(max(len(ids), 1), -1, dtype=np.int32)
    rows.sort()
    _check(len(facts["seen"]) == len(arrays["seen"]))
    tracker._seen = dict(zip(facts["seen"], arrays["seen"].tolist(), strict=True))
    tracker._counts = {name: int(facts["counts"][name]) for name in tracker._counts}
    for name in ("last_us", "forgotten_us"):
        us = facts[name]
        setattr(tracker, f"_{name}", None if us is None else int(us))
    tracker._settled = _settled(facts, arrays)
    return tracker


def _settled(facts: dict[str, Any], arrays: dict[str, Any]) -> Settled:
    found = Settled(
        places={name: {x: i for i, x in enumerate(some)} for name, some in facts["places"].items()},
        met={name[4:]: keys for name, keys in arrays.items() if name.startswith("met ")},
    )
    if "statistics" not in arrays:
        return found
    n = len(arrays["age time"])
    nodes = {name[5:]: codes for name, codes in arrays.items() if name.startswith("node ")}
    _check(set(nodes) == set(facts["ages"]) and len(arrays["bucket"]) == n)
    for name, codes in nodes.items():
        _check(len(codes) == n and ((codes >= -1) & (codes < len(facts["ages"][name]))).all())
    ages = Ages(
        customer=np.zeros(0, dtype=np.int64),
        **{name: arrays[f"age {name}"] for name in _AGES},
        nodes=nodes,
        names=facts["ages"],
    )
    _check(all(len(getattr(ages, name)) == n for name in _AGES))
    return attrs.evolve(
        found,
        statistics=JourneyStatistics.from_bytes(arrays["statistics"].tobytes()),
        ages=ages,
        bucket=arrays["bucket"],
        customers=arrays["customers"],
    )


def _check(good: Any) -> None:
    if not good:
        raise ValueError("damaged")
