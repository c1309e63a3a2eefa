"""Names and values from outside, made safe to look at."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LONGEST = 300  # characters of a value
_HIDDEN = "\N{REPLACEMENT CHARACTER}"


def visible(text: str) -> str:
    """Return text that cannot move the cursor, turn the direction of writing or break the line."""
    return "".join(
        _HIDDEN if (kind := unicodedata.category(c))[0] == "C" or kind in {"Zl", "Zp"} else c
        for c in text
    )


def brief(value: object) -> str:
    """Return the repr of a value on one line of a few hundred characters, or else its type only.

    A value that expands beyond that, as YAML's aliases do, is not even asked for its repr.
    """
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
        value = value.item()  # type: ignore[attr-defined]  # 1.0 and not np.float64(1.0)
    room, waiting = _LONGEST, [value]
    while waiting and room > 0:
        item = waiting.pop()
        room -= 1
        if isinstance(item, (str, bytes)):
            room -= len(item)
        elif isinstance(item, int):
            room -= item.bit_length() // 4  # Python refuses to write out long ones
        elif isinstance(item, dict):
            waiting += [*list(item)[:room], *list(item.values())[:room]]
        elif isinstance(item, (list, tuple, set, frozenset)):
            waiting += list(item)[:room]
    shown = repr(value) if room > 0 else "\n"
    return f"a {type(value).__name__}" if "\n" in shown or len(shown) > _LONGEST else shown


def shortened(text: str, longest: int = 2 * _LONGEST) -> str:
    """Return text without its middle where it is long."""
    if len(text) <= longest:
        return text
    return f"{text[: longest * 2 // 3]} … {text[-longest // 3 :]}"


def told_apart(
    names: Iterable[str],
    letters: float | Mapping[str, float],
    *,
    wide: Callable[[str], float] | None = None,
) -> dict[str, str]:
    """Return each name as text that is no wider than so many letters, no two of them alike.

    What is long loses its middle; where two would then be alike, the cut lies further to the left,
    and where that does not help they are numbered. `letters` may be the room of each name, and
    `wide` measures texts; None counts small letters.
    """
    wide = wide or _letters
    found: dict[str, str] = {}
    taken: set[str] = set()
    waiting = list(dict.fromkeys(names))
    text = {name: visible(name) for name in waiting}
    room = letters if isinstance(letters, Mapping) else dict.fromkeys(waiting, letters)
    for share in (2 / 3, 1 / 2, 1 / 3, 0.0):
        made = {name: _fitted(text[name], room[name], share, wide) for name in waiting}
        alone = Counter(made.values())
        found |= {x: said for x, said in made.items() if alone[said] == 1 and said not in taken}
        taken = set(found.values())
        waiting = [name for name in waiting if name not in found]
    for name in waiting:
        number, left = 1, room[name] - 4 * wide("n")
        while (said := f"{_fitted(text[name], left, 1.0, wide)} {number}") in taken:
            number += 1
        found[name] = said
        taken.add(said)
    return found


def _fitted(text: str, letters: float, share: float, wide: Callable[[str], float]) -> str:
    """Return text no wider than so many letters, this share of it from its beginning."""
    if wide(text) <= letters:
        return text
    head, tail = "", ""
    room = letters - wide("…")
    for c in text:
        if wide(head + c) > share * room:
            break
        head += c
    for c in reversed(text):
        if wide(head + c + tail) > room:
            break
        tail = c + tail
    return f"{head}…{tail if share < 1 else ''}"


def _letters(text: str) -> float:
    """Return how wide a text is about, in small letters."""
    return sum(
        1.9
        if unicodedata.east_asian_width(c) in {"W", "F"}
        else 1.6
        if c in "MWmw@%"
        else 1.25
        if c.isupper()
        else 1.0
        for c in text
    )


def check_unicode(*strings: str) -> None:
    """Raise InvalidValue where a string holds half a character (a surrogate), as no file can."""
    from cxjourney.exceptions import InvalidValue  # which itself needs this module

    try:
        "".join(strings).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        whole = next(string for string in strings if half in string)
        raise InvalidValue.of("a string", "hold whole characters, no surrogates", whole) from None
