"""Predictors as bytes and back: a JSON head and arrays of numbers, without pickle."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

from cxjourney._support.frozen import seal
from cxjourney._support.serialize import from_dict, to_dict
from cxjourney._support.validation import duration_us
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import JourneyRules
from cxjourney.predict._actions import Acted
from cxjourney.predict._contexts import ContextTree
from cxjourney.predict._model import Model
from cxjourney.predict._next_touch import NextTouch
from cxjourney.predict._outcomes import Shares, Support
from cxjourney.predict._prefixes import Vocabulary
from cxjourney.predict._times import Ends, Waits

if TYPE_CHECKING:
    from cxjourney.predict._predictor import JourneyPredictor

P = TypeVar("P", bound="JourneyPredictor")

VERSION = 1
_PARTS = {
    cls.__name__: cls
    for cls in (Acted, ContextTree, Ends, Model, NextTouch, Shares, Support, Vocabulary, Waits)
}
_KINDS = "iufb"


def written(predictor: JourneyPredictor) -> bytes:
    """Return a predictor as bytes, the same for the same predictor."""
    arrays: dict[str, Any] = {}
    rules = attrs.evolve(predictor.rules, gaps=None)  # which cut logs, and no typed journey
    horizon = predictor.horizon
    head = {
        "format": "cxjourney.predict",
        "version": VERSION,
        "rules": to_dict(rules),
        "facts": predictor.facts,
        "horizon_us": None if horizon is None else duration_us(horizon),
        "parts": {
            name: _packed(getattr(predictor, name), name, arrays)
            for name in ("words", "model", "acted")
        },
    }
    text = json.dumps(head, sort_keys=True).encode()
    out = io.BytesIO()
    np.savez_compressed(out, head=np.frombuffer(text, dtype=np.uint8), **arrays)
    return out.getvalue()


def _packed(value: Any, path: str, arrays: dict[str, Any]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"array": path}
    if type(value).__name__ in _PARTS:
        fields = {
            field.name: _packed(getattr(value, field.name), f"{path}.{field.name}", arrays)
            for field in attrs.fields(type(value))
        }
        return {"part": type(value).__name__, "fields": fields}
    if isinstance(value, tuple):
        return {"tuple": [_packed(one, f"{path}.{i}", arrays) for i, one in enumerate(value)]}
    if hasattr(value, "items"):
        return {
            "dict": {name: _packed(one, f"{path}.{name}", arrays) for name, one in value.items()}
        }
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": str(value)}
    return {"value": value}


def read(cls: type[P], data: bytes) -> P:
    """Return the predictor that `written` wrote; InvalidValue where the bytes are not that."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InvalidValue.of("data", "be bytes", data)
    try:
        with np.load(io.BytesIO(bytes(data)), allow_pickle=False) as file:
            head = json.loads(file["head"].tobytes())
            _check_head(head)
            arrays = {name: seal(file[name]) for name in file.files if name != "head"}
        parts = {name: _unpacked(one, arrays) for name, one in head["parts"].items()}
        horizon = head["horizon_us"]
        found = cls(
            **parts,
            rules=from_dict(JourneyRules, head["rules"]),
            facts=dict(head["facts"]),
            horizon=None if horizon is None else timedelta(microseconds=horizon),
        )
        _check(found)
    except InvalidValue:
        raise  # which is a ValueError, and says what is wrong
    except (KeyError, ValueError, TypeError, OSError, IndexError, AttributeError,
            zipfile.BadZipFile, EOFError, OverflowError) as error:  # fmt: skip
        raise InvalidValue(
            "data must be what JourneyPredictor.to_bytes() gave, and is not"
        ) from error
    return found


def _check_head(head: Any) -> None:
    if head["format"] != "cxjourney.predict":
        raise KeyError("format")
    if head["version"] != VERSION:
        raise InvalidValue.of("data", f"be of version {VERSION}", head["version"])


def _unpacked(value: Any, arrays: dict[str, Any]) -> Any:
    ((kind, inner),) = ((k, v) for k, v in value.items() if k != "fields")
    if kind == "array":
        if arrays[inner].dtype.kind not in _KINDS:
            raise TypeError(inner)
        return arrays[inner]
    if kind == "part":
        return _PARTS[inner](**{n: _unpacked(v, arrays) for n, v in value["fields"].items()})
    if kind == "tuple":
        return tuple(_unpacked(one, arrays) for one in inner)
    if kind == "dict":
        return {name: _unpacked(one, arrays) for name, one in inner.items()}
    return float(inner) if kind == "float" else inner


def _check(predictor: JourneyPredictor) -> None:
    """Raise ValueError where arrays do not fit together."""
    model, k = predictor.model, len(predictor.words.names)
    for tree, support in (
        (model.next_tree, model.next_support),
        (model.outcome_tree, model.outcome_support),
    ):
        sizes = [len(keys) for keys in tree.keys]
        if tree.sizes[0] != k + 1 or [len(one) for one in support.trials] != sizes:
            raise ValueError("contexts")
        for above, keys, size in zip([1, *sizes], tree.keys, tree.sizes, strict=False):
            if np.any(np.diff(keys) <= 0) or np.any(keys < 0) or np.any(keys >= above * size):
                raise ValueError("keys")
    for sizes, of in (
        ([len(keys) for keys in model.next_tree.keys], model.next_touch.totals),
        ([len(keys) for keys in model.outcome_tree.keys], model.outcome.share),
    ):
        if [len(one) for one in of] != sizes:
            raise ValueError("shares")
    if len(model.next_touch.root) != k + 3 or len(model.outcome.prior) != k + 1:
        raise ValueError("nodes")
