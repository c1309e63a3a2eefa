"""Read-only arrays and attrs fields that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_only(values: Any) -> NDArray[Any]:
    """Return a read-only array; a writable one is copied so that its owner keeps control of it."""
    array = np.asarray(values)
    if array.flags.writeable:
        array = array.copy()
        array.setflags(write=False)
    return array


def seal(array: NDArray[Any]) -> NDArray[Any]:
    """Make an array that nobody else holds read-only, copied only if it is a view; return it."""
    if array.base is not None or not array.flags.owndata:
        return read_only(array)
    array.setflags(write=False)
    return array


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    kinds = (a.dtype.kind, b.dtype.kind)
    return bool(np.array_equal(a, b, equal_nan=kinds == ("f", "f")))


array_eq = attrs.cmp_using(eq=_same, require_same_type=False)
"""`eq=` of an attrs field that holds an array or None; NaN equals NaN."""
