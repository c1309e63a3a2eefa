"""Counts in words."""

from __future__ import annotations

__all__ = ["counted"]


def counted(n: int, one: str, several: str = "") -> str:
    """Return "1 row" or "2 rows"; `several` is what follows any other number than 1."""
    return f"{n:,} {one if n == 1 else several or f'{one}s'}"
