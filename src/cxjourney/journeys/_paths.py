"""Aggregated paths with counts, as journeys without times."""

from __future__ import annotations

from itertools import chain
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cxjourney._support.frozen import read_only
from cxjourney.domain import check_not_reserved
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._outcomes import CONVERTED, DROPPED, JourneyRules
from cxjourney.kernels import ranges
from cxjourney.log import Coded, Columns, InteractionLog, narrow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cxjourney.journeys._journeys import Journeys

_MOST = 2**52  # of those who converted, and of those who did not: sums of floats are exact
J = TypeVar("J", bound="Journeys")


def journeys_of_paths(
    cls: type[J],
    paths: Iterable[Sequence[str]],
    *,
    converted: Iterable[int] | None,
    dropped: Iterable[int] | None,
    value: Iterable[float] | None,
    channels: bool,
    currency: str | None,
) -> J:
    """Return journeys with weights: each path once for each outcome that it had."""
    listed = [_path(path, i) for i, path in enumerate(paths)]
    if converted is None and dropped is None:
        raise InvalidValue.of("converted or dropped", "say how many took each path", None)
    won = _counts(converted, "converted", len(listed))
    lost = _counts(dropped, "dropped", len(listed))
    worth = np.full(len(listed), np.nan)
    if value is not None:
        worth = np.asarray(list(value), dtype=np.float64)
        if len(worth) != len(listed):
            raise InvalidValue.of("value", f"hold {len(listed)} values", len(worth))
        for i in np.flatnonzero(np.isinf(worth) | (won == 0) & (np.nan_to_num(worth) != 0)):
            rule = "be finite, and 0 or NaN where nobody converted"
            raise InvalidValue.of(f"value[{i}]", rule, float(worth[i]))
    names = sorted(set(chain.from_iterable(listed)))
    place = {name: i for i, name in enumerate(names)}
    flat = np.fromiter((place[name] for path in listed for name in path), dtype=np.int64)
    lengths = np.array([len(path) for path in listed], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]

    index = np.concatenate([np.flatnonzero(won), np.flatnonzero(lost)])
    outcome = np.repeat([CONVERTED, DROPPED], [np.count_nonzero(won), np.count_nonzero(lost)])
    weight = np.concatenate([won[won > 0], lost[lost > 0]])
    order = np.argsort(index, kind="stable")
    index, outcome, weight = index[order], outcome[order], weight[order]
    total = np.where(outcome == CONVERTED, worth[index], np.nan)
    offsets = np.concatenate([[0], np.cumsum(lengths[index])]).astype(np.int64)
    codes = narrow(flat[ranges(starts[index], lengths[index])], len(names))
    touchpoint = Coded(codes, tuple(names))
    columns = Columns(
        offsets=offsets,
        time=None,
        coded={"touchpoint": touchpoint, "channel": touchpoint}
        if channels
        else {"touchpoint": touchpoint},
    )
    log = InteractionLog(
        columns=columns,
        customer_ids=tuple(f"path {i}" for i in range(len(index))),
        currency=currency,
    )
    n = len(index)
    return cls(
        log=log,
        columns=columns,
        offsets=offsets,
        customer=np.arange(n),
        outcome=outcome.astype(np.int8),
        absorbed=np.zeros(n, dtype=np.bool_),
        left_truncated=np.zeros(n, dtype=np.bool_),
        origin=np.zeros(n, dtype=np.int8),
        rules=JourneyRules(all_closed=True),
        weight=read_only(weight),
        value=total / weight,
    )


def _path(path: Any, i: int) -> tuple[str, ...]:
    if isinstance(path, str):
        raise InvalidValue.of(f"paths[{i}]", "be a sequence of names, not one string", path)
    names = tuple(path)
    if not names:
        raise InvalidValue.of(f"paths[{i}]", "hold at least one touchpoint", path)
    for name in dict.fromkeys(names):
        check_not_reserved(name, "touchpoint")
    return names


def _counts(values: Iterable[int] | None, name: str, n: int) -> NDArray[np.int64]:
    """Return a count a path, exact; none where they are not given."""
    if values is None:
        return np.zeros(n, dtype=np.int64)
    listed = list(values)
    if len(listed) != n:
        raise InvalidValue.of(name, f"hold {n} counts, one a path", len(listed))
    counts = []
    for i, value in enumerate(listed):
        whole = isinstance(value, Integral) or (
            isinstance(value, Real) and float(value).is_integer()
        )
        if not whole or isinstance(value, bool) or value < 0:
            raise InvalidValue.of(f"{name}[{i}]", "be a whole number, at least 0", value)
        counts.append(int(value))
    if sum(counts) > _MOST:
        raise InvalidValue.of(
            name, f"come to at most {_MOST:,}, up to which sums are exact", sum(counts)
        )
    return np.array(counts, dtype=np.int64)
