"""Columns of any data frame as integer codes and numbers, each by its own library's fastest way.

A column is a narwhals series, or a NumPy array, strings in Arrow buffers or a coded column where a
frame was given as a mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cxjourney._support.frozen import seal
from cxjourney._support.strings import Strings, canonical
from cxjourney._support.text import check_unicode
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.kernels import ArrowStrings, arrow_strings, encode_strings
from cxjourney.log._columns import Coded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def encode_names(column: Any) -> Coded:
    """Return a column of names as codes into its sorted distinct names; missing is -1.

    Whole numbers become their digits. A blank string counts as missing: nothing has no name.
    """
    strings = column
    if not isinstance(column, (Coded, ArrowStrings, np.ndarray)):
        strings = arrow_strings(column.to_native())
    if isinstance(strings, ArrowStrings):
        found, sorted_names = strings.names()
        return Coded(seal(narrow(found, len(sorted_names))), sorted_names)
    coded = encode_ids(column)
    order = sorted(range(len(coded.names)), key=coded.names.__getitem__)
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    names = tuple(coded.names[i] for i in order)
    codes = narrow(rank, len(names)).take(coded.codes, mode="wrap")  # -1 is the last
    return Coded(seal(codes), names)


def encode_ids(column: Any) -> Coded:
    """Return a column of identifiers as codes in no particular order; missing is -1.

    Identifiers are text: 7, 7.0, "7" and "7.0" are the same, "007" and "NA" are identifiers of
    their own, and a blank string is missing.

    Raises
    ------
    InvalidData
        If an identifier is a float of 2**53 or more, which may be that of two customers.
    """
    _refuse_short_floats(column)
    codes, values = _factorize(column)
    if isinstance(values, Strings) and values.all_canonical():
        # a tuple in all but the type, which a hundred thousand ids need not become
        return Coded(seal(codes), cast(tuple[str, ...], values))
    names = [canonical(_text(value)) for value in values]
    _check_ids(filter(None, names))
    position = {name: i for i, name in enumerate(dict.fromkeys(names)) if name is not None}
    if len(position) < len(names):  # blanks, or 7 and "7" in a column of objects
        place = {name: i for i, name in enumerate(position)}
        codes = np.array([*(place.get(name or "", -1) for name in names), -1])[codes]
    return Coded(seal(codes), tuple(position))


def _check_ids(ids: Iterable[str]) -> None:
    try:
        check_unicode(*ids)
    except InvalidValue:
        pass  # which shows one
    else:
        return
    raise InvalidValue("ids and names must hold whole characters, no surrogates")


def encode_values(column: Any) -> Coded:
    """Return a column of str, int, float or bool values as codes; missing is -1."""
    codes, values = _factorize(column)
    if not isinstance(values, Strings):
        check_unicode(*(value for value in values if isinstance(value, str)))
    return Coded(seal(codes), tuple(v.item() if isinstance(v, np.generic) else v for v in values))


def narrow(codes: NDArray[np.integer], n_names: int) -> NDArray[Any]:
    """Return codes, -1 included, in the narrowest signed integers that hold them."""
    for dtype in (np.int8, np.int16, np.int32):
        if n_names <= np.iinfo(dtype).max:
            return codes.astype(dtype, copy=False)
    return codes.astype(np.int64, copy=False)


def encode_numbers(column: Any, name: str) -> NDArray[np.float64]:
    """Return a column as float64, NaN where missing.

    Raises
    ------
    InvalidData
        If a value is infinite, or the column is not numeric.
    """
    if not isinstance(column, np.ndarray):
        column = _numpy_numbers(column, name)
    if column.dtype.kind not in "iufO":  # NumPy would parse strings and halve complex numbers
        raise InvalidValue.of(name, "be a numeric column", str(column.dtype))
    try:
        if column.dtype == object:
            values = np.ma.filled(np.ma.MaskedArray(column).astype(object), None)
            values = np.fromiter(map(_number, values), dtype=np.float64, count=len(values))
        else:
            values = np.ma.filled(np.array(column, dtype=np.float64, subok=True), np.nan)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidValue.of(name, "be a numeric column", str(column.dtype)) from error
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise InvalidData.at_rows(f"{name} is infinite", infinite.tolist())
    return values


def _numpy_numbers(column: Any, name: str) -> NDArray[Any]:
    import narwhals as nw

    missing = column.is_null().to_numpy()
    if missing.all():
        return np.full(len(column), np.nan)
    if not column.dtype.is_numeric():
        raise InvalidValue.of(name, "be a numeric column", str(column.dtype))
    if column.dtype.is_integer():  # Arrow would refuse to round beyond 2**53
        return np.where(missing, np.nan, column.fill_null(0).to_numpy().astype(np.float64))
    values: NDArray[Any] = column.cast(nw.Float64).to_numpy()
    return values


def _number(value: Any) -> float:
    """Return a number among objects, NaN where it is missing; raise TypeError if it is none."""
    if is_missing(value):
        return np.nan
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Real, Decimal)):
        raise TypeError(type(value).__name__)
    return float(value)


def _refuse_short_floats(column: Any) -> None:
    """Raise InvalidData where floats of less than 64 bits do not hold ids exactly."""
    if not str(getattr(column, "dtype", "")).lower().startswith(("float32", "float16")):
        return
    values = np.ma.getdata(column if isinstance(column, np.ndarray) else column.to_numpy())
    if values.dtype.kind == "f" and np.nanmax(np.abs(values), initial=0) >= 2**24:
        raise InvalidData(
            "ids or names are floats of 32 bits and 2**24 or more, where two become one: read the "
            "column as strings or whole numbers"
        )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return str(int(value))
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        if abs(float(value)) >= 2**53:
            raise InvalidData(
                "ids or names are floats of 2**53 or more, where two become one: read the column "
                "as strings or whole numbers"
            )
        return str(int(value))  # an integer column that missing values turned into floats
    return str(value)


def _factorize(column: Any) -> tuple[NDArray[Any], Sequence[Any]]:
    """Return codes (-1 for missing) and the distinct values that they stand for."""
    if isinstance(column, Coded):
        return column.codes, column.names
    if isinstance(column, ArrowStrings):
        return column.encoded()
    if isinstance(column, np.ndarray):
        return _factorize_array(column)
    implementation = column.implementation
    native = column.to_native()
    encoded = encode_strings(native)
    if encoded is not None:
        return encoded
    if implementation.is_polars():
        return _factorize_polars(native)
    if implementation.is_pandas():
        return _factorize_pandas(native)
    if implementation.is_pyarrow():
        return _factorize_arrow(native)
    return _factorize_array(column.to_numpy())


def _factorize_polars(series: Any) -> tuple[NDArray[Any], list[Any]]:
    import polars as pl

    if series.dtype == pl.String:
        # a category set of its own, so that codes are dense and nothing global grows
        series = series.cast(pl.Categorical(pl.Categories.random()))
    elif series.dtype not in {pl.Categorical, pl.Enum}:
        return _factorize_array(
            series.to_numpy() if series.null_count() == 0 else objects_of(series.to_list())
        )
    physical = series.to_physical()
    if physical.null_count():
        missing = physical.is_null().to_numpy()
        codes = np.where(missing, -1, physical.fill_null(0).to_numpy().astype(np.int64))
    else:
        codes = physical.to_numpy()
    if len(codes) == 0:
        return np.zeros(0, dtype=np.int32), []
    first = _first_rows(codes)
    used = np.flatnonzero(first >= 0)
    values = series.gather(first[used]).cast(pl.String).to_list()
    if len(used) < len(first):
        renumber = np.full(len(first) + 1, -1, dtype=np.int32)
        renumber[used] = np.arange(len(used), dtype=np.int32)
        return renumber[codes], values
    return codes.astype(np.int32), values


def _first_rows(codes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the first row of each code, -1 for codes that do not occur."""
    top = max(int(codes.max()), -1)
    first = np.full(top + 2, -1, dtype=np.int64)  # the spare place takes the missing ones
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first[:-1]


def _factorize_pandas(series: Any) -> tuple[NDArray[Any], list[Any]]:
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.cat.codes.to_numpy().astype(np.int32), list(series.cat.categories)
    if series.dtype == object:
        return _factorize_array(series.to_numpy())
    codes, values = pd.factorize(series, use_na_sentinel=True)
    return codes.astype(np.int32), list(values)


def _factorize_arrow(array: Any) -> tuple[NDArray[Any], list[Any]]:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_nested(kind):
        refuse_nested(array.to_pylist())
    if pa.types.is_floating(array.type):  # NaN is a value to Arrow
        return _factorize_array(array.to_numpy(zero_copy_only=False))
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    missing = array.indices.is_null().to_numpy(zero_copy_only=False)
    codes = array.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    # a dictionary may hold a null, and one value twice
    places, values = _factorize_array(objects_of(array.dictionary.to_pylist()))
    return np.append(places, -1).astype(np.int32)[np.where(missing, -1, codes)], list(values)


def _factorize_array(array: NDArray[Any]) -> tuple[NDArray[Any], list[Any]]:
    if isinstance(array, np.ma.MaskedArray):
        codes, values = _factorize_array(array.data)
        return np.where(np.ma.getmaskarray(array), -1, codes), values
    if array.dtype.kind in "iub":
        distinct, codes = np.unique(array, return_inverse=True)
        return codes.astype(np.int32), distinct.tolist()
    items = array.tolist() if array.dtype != object or array.ndim > 1 else list(array)
    if {type(item) for item in items} <= {str, type(None)}:
        return _positions(items)
    refuse_nested(items)
    # 1, True and 1.0 are equal to Python, but they are three values
    codes, keys = _positions([None if is_missing(v) else (type(v), v) for v in items])
    return codes, [value for _, value in keys]


def refuse_nested(items: list[Any]) -> None:
    """Raise InvalidData where cells are lists, bytes and the like: no names, and not comparable."""
    nested = {kind for kind in set(map(type, items)) if is_nested(kind)}
    if nested:
        rows = [row for row, item in enumerate(items) if type(item) in nested]
        kinds = " and ".join(sorted(kind.__name__ for kind in nested))
        raise InvalidData.at_rows(f"a cell is no single value but of type {kinds}", rows)


def is_nested(kind: type) -> bool:
    """Return whether values of a type are no single values."""
    nested = kind.__hash__ is None or issubclass(kind, (tuple, frozenset, Mapping, bytes))
    alone: Any = object.__hash__  # that of what is equal to itself only
    if kind.__hash__ is alone and kind is not type(None):
        return True
    return nested or kind.__module__.startswith("pyarrow.")  # a null among them is no None


def objects_of(values: list[Any]) -> NDArray[Any]:
    """Return an array of objects, one a value, whatever they are."""
    return np.fromiter(values, dtype=object, count=len(values))


def _positions(items: list[Any]) -> tuple[NDArray[Any], list[Any]]:
    """Return the place of each item among the distinct ones, -1 for None."""
    distinct = [item for item in dict.fromkeys(items) if item is not None]
    position: dict[Any, int] = {item: i for i, item in enumerate(distinct)}
    position[None] = -1
    codes = np.fromiter(map(position.__getitem__, items), dtype=np.int32, count=len(items))
    return codes, distinct


def is_missing(value: Any) -> bool:
    """Return whether a value of an object column stands for nothing: None, NaN, NaT, NA."""
    if value is None:
        return True
    different = value != value  # noqa: PLR0124 - NaN and NaT are the values unlike themselves
    return different is True or different is np.True_ or not isinstance(different, (bool, np.bool_))
