"""Results as JSON-ready dictionaries and back, one converter for all of them.

NaN and infinities become None, since JSON has neither; None becomes NaN again where a float
belongs. Every dictionary carries the schema version and the name of its type.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cxjourney._support.frozen import read_only
from cxjourney._support.table import Table
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cattrs import Converter

__all__ = ["SCHEMA_VERSION", "from_dict", "to_dict"]

SCHEMA_VERSION = 1

T = TypeVar("T")


def to_dict(result: Any) -> dict[str, Any]:
    """Return a JSON-ready dictionary of an attrs result, schema version and type name first."""
    fields = _converter().unstructure(result)
    return {"schema": SCHEMA_VERSION, "type": type(result).__name__, **fields}


def from_dict(cls: type[T], data: Mapping[str, Any]) -> T:
    """Return the result whose `to_dict` is `data`.

    Raises
    ------
    InvalidValue
        If the dictionary is of another type or a later schema.
    """
    if data.get("schema") != SCHEMA_VERSION:
        raise InvalidValue.of("schema", f"be {SCHEMA_VERSION}", data.get("schema"))
    if data.get("type") != cls.__name__:
        raise InvalidValue.of("type", f"be {cls.__name__!r}", data.get("type"))
    fields = {k: v for k, v in data.items() if k not in {"schema", "type"}}
    result: T = _converter().structure(fields, cls)
    return result


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@cache
def _converter() -> Converter:
    import cattrs

    converter = cattrs.Converter()
    converter.register_unstructure_hook(float, _finite)
    converter.register_structure_hook(float, lambda v, _: np.nan if v is None else float(v))
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(datetime, lambda v, _: datetime.fromisoformat(v))
    converter.register_unstructure_hook(timedelta, lambda v: v // timedelta(microseconds=1))
    converter.register_structure_hook(timedelta, lambda v, _: timedelta(microseconds=v))
    converter.register_unstructure_hook(
        Table,
        lambda t: {"columns": t.to_dict(), "formats": dict(t._formats)},  # noqa: SLF001 - one package
    )
    converter.register_structure_hook(
        Table, lambda v, _: Table.from_dict(v["columns"], formats=v["formats"])
    )
    converter.register_unstructure_hook_func(
        lambda t: t is np.ndarray or getattr(t, "__origin__", None) is np.ndarray,
        lambda a: (
            [_finite(x) if isinstance(x, float) else x for x in a.ravel().tolist()]
            if a.ndim == 1
            else {"shape": list(a.shape), "values": [_finite(x) for x in a.ravel().tolist()]}
        ),
    )
    converter.register_structure_hook_func(
        lambda t: t is np.ndarray or getattr(t, "__origin__", None) is np.ndarray, _to_array
    )
    return converter


def _to_array(value: Any, _: object) -> Any:
    if isinstance(value, dict):
        flat = np.array([np.nan if x is None else x for x in value["values"]])
        return read_only(flat.reshape(value["shape"]))
    return read_only(np.array([np.nan if x is None else x for x in value]))
