"""Statistics as bytes, and back, without trust in what the bytes say."""

from __future__ import annotations

import json
import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._adding._agreement import check_agreement
from cxjourney.journeys._adding._parts import checked, holds
from cxjourney.journeys._adding._plan import Plan
from cxjourney.journeys._adding._tables import LIMB, TYPES, Counts, Kind, shape_of, small

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.array_types import Ints

FORMAT = 2
_MAGIC = b"cxjourney statistics "
_LARGEST = 1 << 31
_DIGEST = 16
_HEAD = 8


def to_bytes(facts: Mapping[str, Any], tables: Mapping[str, Counts], level: int) -> bytes:
    """Return facts, as JSON has them, and tables, compressed behind the number of the format."""
    heads, blocks = {}, []
    for name, counts in tables.items():
        heads[name] = [len(counts), [column.dtype.str[1:] for column in counts.columns]]
        blocks += [column.tobytes() for column in counts.columns]
    head = json.dumps({**facts, "tables": heads}, sort_keys=True).encode()
    body = b"".join((len(head).to_bytes(_HEAD, "little"), head, *blocks))
    return _MAGIC + b"%d\n" % FORMAT + zlib.compress(body, level)


def from_bytes(
    data: bytes, *, own: bool = False
) -> tuple[Plan, dict[str, Any], dict[str, tuple[str, ...]], dict[str, Counts]]:
    """Return plan, other facts, names and tables; raise InvalidValue if the bytes are not those.

    Of `own` bytes, which nobody else could write, the agreement of the tables is not looked at.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InvalidValue.of("data", "be bytes", data)
    head, _, body = bytes(data).partition(b"\n")
    if not head.startswith(_MAGIC):
        raise InvalidValue("data must be what JourneyStatistics.to_bytes() gave, and is not")
    version = head[len(_MAGIC) :]
    if version != b"%d" % FORMAT:
        raise InvalidValue(
            f"data must be in format {FORMAT} of JourneyStatistics, not in {version[:20]!r}: make "
            "the statistics anew with this release"
        )
    try:
        return _read(body, own=own)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, zlib.error) as error:
        raise InvalidValue(f"data must be whole statistics, but are damaged: {error}") from None


def _read(
    body: bytes, *, own: bool
) -> tuple[Plan, dict[str, Any], dict[str, tuple[str, ...]], dict[str, Counts]]:
    packed = zlib.decompressobj()
    plain = packed.decompress(body, _LARGEST)
    if packed.unconsumed_tail or packed.unused_data or not packed.eof:
        raise ValueError("there is more or less than was written")
    begin = _HEAD + int.from_bytes(plain[:_HEAD], "little")
    facts = json.loads(plain[_HEAD:begin].decode())
    plan = Plan.from_dict(facts.pop("plan"))
    names = {key: tuple(facts["names"][key]) for key in plan.vocabularies}
    for some in names.values():
        if not all(isinstance(x, str) for x in some) or sorted(set(some)) != list(some):
            raise ValueError("names are not strings in order")
    facts["parts"] = checked(facts["parts"])
    facts["digests"] = digests = tuple(bytes.fromhex(text) for text in facts["digests"])
    n = facts["n_customers"]
    small = sorted(set(digests)) == list(digests) and {len(x) for x in digests} <= {_DIGEST}
    if type(n) is not int or n < 0 or len(digests) != (n if n <= 64 else 0) or not small:
        raise ValueError("customers are not as many as is said")
    sizes = plan.sizes(names)
    tables = {}
    for name, kind in plan.kinds.items():
        rows, types = facts["tables"][name]
        if type(rows) is not int or rows < 0 or len(types) != 1 + len(kind.columns):
            raise ValueError(f"table {name} is damaged")
        columns = []
        for one in types:
            if one not in TYPES:
                raise ValueError(f"{one!r} is no type of a column")
            columns.append(np.frombuffer(plain, dtype=f"<{one}", count=rows, offset=begin))
            begin += columns[-1].nbytes
        tables[name] = _counts(kind, sizes, columns)
        if "unit" in kind.axes and not own:
            unit = np.unique(tables[name].axis(kind, sizes)["unit"])
            inside = unit.max(initial=0) < max(n, 1) if n <= 64 else True
            if not inside or not holds(facts["parts"], unit if n > 64 else unit[:0], digests):
                raise ValueError(f"table {name} counts customers of other parts")
    if begin != len(plain):
        raise ValueError("there is more than was written")
    if not own:
        check_agreement(plan, names, tables)
    return plan, facts, names, tables


def _counts(kind: Kind, sizes: Mapping[str, int], columns: list[Ints]) -> Counts:
    counts = Counts(columns=tuple(map(small, columns)))
    steps, *values = counts.columns
    size = math.prod(shape_of(kind, sizes))
    if len(steps) and (steps[0] < 0 or (steps[1:] < 1).any() or steps.max() >= size):
        raise ValueError("rows are not in order")
    key = counts.key
    if len(key) and (key[-1] >= size or (key < 0).any() or not counts.filled.all()):
        raise ValueError("rows are out of bounds")
    top = {stop - 1 for _, stop in kind.wide[-1:]} if kind.signed else set()
    words = {word for first, stop in kind.wide for word in range(first, stop - 1)}
    for column, numbers in enumerate(values):
        if (numbers.min(initial=0) < 0 and column not in top) or (
            column in words and int(numbers.max(initial=0)) >> LIMB
        ):
            raise ValueError("a number is out of bounds")
    return counts
