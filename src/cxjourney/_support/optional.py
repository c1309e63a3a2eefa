"""Optional packages: imported where they are used, with an error that says how to get them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from cxjourney.exceptions import MissingDependency

if TYPE_CHECKING:
    from types import ModuleType


def require(module: str, *, extra: str, caller: str) -> ModuleType:
    """Import `module`, or say to the `caller` which extra brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependency(
            f'{caller} needs {package}: python -m pip install "cxjourney[{extra}]"'
        ) from error
