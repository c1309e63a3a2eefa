"""The `cxjourney` command: parses, calls, prints."""

from __future__ import annotations

from cxjourney.cli._main import main

__all__ = ["main"]


def __dir__() -> list[str]:
    return list(__all__)
