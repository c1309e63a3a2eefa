"""Seeded damage to bytes, texts and plain values."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

# What has meaning in CSV, XML, JSON and YAML, and what no decoder likes.
SPECIAL = (
    b'"', b'""', b"'", b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\n\n", b"\x00", b"\xff",
    b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"<", b">", b"&", b"&lt;", b"]]>", b"<!--", b"{",
    b"}", b"[", b"]", b":", b"- ", b"*a ", b"&a ", b"!!python/object:x ", b"null", b"NaN", b"-3",
    b"1e999", b"9" * 30, b"true", b"\\", b"#", b" ", b"\xe2\x80\xa8", b"\x1a", b"\x1f",
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, -3, 7, 1.5, math.nan, math.inf, -math.inf, 2**31, 2**53 + 1, 2**63,
    2**64, 10**30, -(2**70), "", " ", "a", "0", "-3", "\x00", "\ud800", "x" * 5_000, "__start__",
    "[]", '["a"', "1,2,x", "2026-13-45", [], [None], [1, "a"], [[1]], {}, {"a": 1}, {"": None},
    {"shape": [2, 2], "values": [1]}, {"shape": [-1], "values": []}, (1, 2), b"\xff",
)  # fmt: skip


def damaged(rng: random.Random, data: bytes, most: int = 4) -> bytes:
    """Return bytes after a few random edits; sometimes after none."""
    for _ in range(rng.randint(0, most)):
        at = rng.randint(0, len(data))
        to = min(len(data), at + rng.choice((1, 1, 2, 8, 60)))
        kind = rng.randrange(8)
        if kind == 0:  # flip
            flipped = bytes(b ^ (1 << rng.randrange(8)) for b in data[at : at + 1])
            data = data[:at] + flipped + data[at + 1 :]
        elif kind <= 3:
            data = data[:at] + rng.choice(SPECIAL) + data[at:]
        elif kind == 4:
            data = data[:at] + data[to:]
        elif kind == 5:  # again, elsewhere
            place = rng.randint(0, len(data))
            data = data[:place] + data[at:to] + data[place:]
        elif kind == 6 and rng.random() < 0.3:
            data = data[:at]
        elif kind == 7:
            data = data.replace(rng.choice(SPECIAL), rng.choice(SPECIAL), rng.choice((1, -1)))
    return data


def changed(rng: random.Random, value: Any, most: int = 3) -> Any:
    """Return plain data (dicts, lists, numbers, strings) after a few random edits."""
    value = copy.deepcopy(value)
    for _ in range(rng.randint(0, most)):
        value = _edited(rng, value)
    return value


def _edited(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.92:
        key = rng.choice(list(value))
        kind = rng.randrange(12)
        if kind == 0:
            del value[key]
        elif kind == 1:
            value[rng.choice(("x", "", "schema", "kind", "id", key * 2))] = value[key]
        elif kind == 2:
            value[rng.choice(list(value))] = value[key]
        else:
            value[key] = _edited(rng, value[key])
        return value
    if isinstance(value, list) and value and rng.random() < 0.92:
        at = rng.randrange(len(value))
        kind = rng.randrange(10)
        if kind == 0:
            del value[at]
        elif kind == 1:
            value.insert(at, copy.deepcopy(rng.choice(value)))
        elif kind == 2:
            value[at] = copy.deepcopy(rng.choice(ODD))
        else:
            value[at] = _edited(rng, value[at])
        return value
    if isinstance(value, (int, float)) and rng.random() < 0.4:
        return value + rng.choice((1, -1, 0.5, 1e-3))
    return copy.deepcopy(rng.choice(ODD))
