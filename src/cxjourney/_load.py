"""`load`: what was written as JSON comes back, whatever its class."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxjourney._support.result import Result
from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["load"]

_OTHERS = ("Interaction", "InteractionLog", "Journey", "JourneyBlueprint")
_IMPORTED = re.compile(r"^from \S+ import (\([^)]*\)|.*)$", re.MULTILINE)
_CLASS = re.compile(r"\b[A-Z]\w*")


def load(source: Mapping[str, Any] | str | PathLike[str]) -> Any:
    """Return what `to_dict()` or `to_json()` of the library wrote, as an object of its class.

    Parameters
    ----------
    source
        The dictionary, or the path of a file that holds it as JSON in UTF-8.

    Returns
    -------
    Any
        A result, an `Estimate`, a `JourneyGraph`, a `JourneyBlueprint`, an `Interaction`, a
        `Journey` or an `InteractionLog`, as the field "type" says; hence Any.

    Raises
    ------
    InputFileError
        If the file cannot be read.
    InvalidValue
        If it holds no JSON, "type" names nothing that comes back, or a field breaks its rule.

    Notes
    -----
    Only the package that has the class is imported. Nothing in the source is run, and nothing in it
    is believed: each field is checked. `JourneyStatistics` are bytes: `from_bytes` reads them.

    Examples
    --------
    >>> import cxjourney as cx
    >>> score = cx.metrics.nps([10, 9, 3])
    >>> cx.load(score.to_dict()) == score
    True
    """
    data = source if isinstance(source, Mapping) else _read(source)
    name = data.get("type")
    home = _homes().get(name) if isinstance(name, str) else None
    cls = None if home is None else getattr(importlib.import_module(home), str(name), None)
    if name == "JourneyGraph" and cls is not None:
        return cls.from_json(_text(data))
    if isinstance(cls, type) and (name in _OTHERS or issubclass(cls, (Result, Estimate))):
        return cls.from_dict(data)  # type: ignore[attr-defined]  # all of these have it
    raise InvalidValue.of("type", "be that of a class whose to_dict() or to_json() wrote it", name)


def _read(source: Any) -> Mapping[str, Any]:
    if not isinstance(source, (str, os.PathLike)):
        kind = type(source).__name__
        raise InvalidValue.of("source", "be a dict or the path of a JSON file", kind)
    try:
        data = json.loads(Path(source).read_bytes())
    except OSError as error:
        raise InputFileError(f"{source} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # also a path with a null byte in it
        raise InvalidValue(f"{source} must hold JSON in UTF-8: {error}") from None
    if not isinstance(data, dict):
        raise InvalidValue(f"{source} must hold one JSON object, as to_dict() returns it")
    return data


def _text(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(data))
    except (TypeError, ValueError, RecursionError):
        raise InvalidValue("source must hold what JSON has") from None


@cache
def _homes() -> dict[str, str]:
    """Return the package of each class that one offers, as their `__init__.py` say, unimported."""
    found: dict[str, str] = {}
    loader: Any = __spec__.loader  # every module has one
    for module in sorted(Path(__file__).parent.glob("*/__init__.py")):
        for names in _IMPORTED.findall(loader.get_data(str(module)).decode()):
            classes = _CLASS.findall(names)
            found.update(dict.fromkeys(classes, f"cxjourney.{module.parent.name}"))
    return found
