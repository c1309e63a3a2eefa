"""cxjourney: customer-journey modelling with honest uncertainty.

A customer's contacts become interactions, interactions become journeys with an outcome, journeys
become a NetworkX graph, and analyses return frozen results that say how sure they are.

Names load when they are first used: `import cxjourney` alone loads no other package. What there is,
and where it lives, stands in `__init__.pyi`, which type checkers read in place of this file.
"""

from __future__ import annotations

import importlib


def _read_homes() -> dict[str, str]:
    """Read from the stub in which module each name lives: `from home import name as name`."""
    stub = __loader__.get_data(f"{__path__[0]}/__init__.pyi").decode()
    imports = (line.split() for line in stub.splitlines() if line.startswith("from "))
    return {name: home for _, home, _, name, *_ in imports}


_HOMES = _read_homes()

# constants, then classes, then functions and packages
__all__ = sorted(  # noqa: PLE0605 - the names stand in the stub
    _HOMES, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("cxjourney")
    if name not in _HOMES:
        raise AttributeError(f"module 'cxjourney' has no attribute {name!r}")
    home = _HOMES[name]
    if home == __name__:
        return importlib.import_module(f"cxjourney.{name}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
