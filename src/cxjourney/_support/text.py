"""Names and values from outside, made safe to look at."""

from __future__ import annotations

import unicodedata

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


def check_unicode(*strings: str) -> None:
    """Raise InvalidValue where a string holds half a character (a surrogate), as no file can."""
    from cxjourney.exceptions import InvalidValue  # which itself needs this module

    try:
        "".join(strings).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        whole = next(string for string in strings if half in string)
        raise InvalidValue.of("a string", "hold whole characters, no surrogates", whole) from None
