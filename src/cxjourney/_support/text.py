"""Names from data, made safe to look at."""

from __future__ import annotations

import unicodedata

__all__ = ["visible"]

_HIDDEN = "\N{REPLACEMENT CHARACTER}"


def visible(text: str) -> str:
    """Return text that cannot move the cursor, turn the direction of writing or break the line."""
    return "".join(
        _HIDDEN if (kind := unicodedata.category(c))[0] == "C" or kind in {"Zl", "Zp"} else c
        for c in text
    )
