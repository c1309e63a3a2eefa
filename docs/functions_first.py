"""An extension of griffe, which reads the sources for the reference: functions before classes."""

from __future__ import annotations

from typing import Any

from griffe import Extension, Module


class FunctionsFirst(Extension):
    """Let the `__all__` of every module begin with the functions, which readers look for first."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:  # noqa: ARG002 - griffe's signature
        _sort(pkg)


def _sort(module: Module) -> None:
    if module.exports:
        module.exports = sorted(module.exports, key=lambda name: str(name)[:1].isupper())
    for member in module.members.values():
        if isinstance(member, Module):
            _sort(member)
