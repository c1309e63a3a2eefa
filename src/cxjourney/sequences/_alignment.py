"""Journeys aligned at a point: what comes before and after it, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._stats.buckets import difference_of_shares
from cxjourney._stats.ratios import Shares, shares
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_count, check_level
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    By,
    as_anchors,
    grain_codes,
    missing_note_of,
    points_of,
    segments_of,
    units_of,
)
from cxjourney.sequences._step_flow import StepFlow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.journeys import Journeys, Pattern, SegmentBy

_KINDS = ("other", "start", "conversion", "dropoff", "in_progress")
_WORDS = ("(other)", "(start)", "(converted)", "(dropped)", "(in progress)")
_OTHER, _START, _ENDED = 0, 1, 2
_FORMATS = dict.fromkeys(("share", "first", "second", "difference", "low", "high"), "percent")


def aligned_flow(
    journeys: Journeys,
    pattern: Pattern | str | Sequence[Pattern | str],
    *,
    before: int,
    after: int,
    occurrence: Any,
    by: By,
    top: int,
    segment: SegmentBy | None,
    level: float,
) -> StepFlow:
    """Return what comes before and after a point of journeys; see `Journeys.align`."""
    wanted = as_anchors(pattern, "pattern")
    for name, value, least in (("before", before, 0), ("after", after, 0), ("top", top, 1)):
        check_count(value, name, least)
    check_level(level)
    check_choice(occurrence, "occurrence", ("first", "last"))
    if not before + after:
        raise InvalidValue("before and after must come to at least one step")
    at = points_of(journeys, wanted, occurrence)
    which = np.flatnonzero(at >= 0)
    coded = grain_codes(journeys.columns, by)
    place = at[which, None] + np.arange(-before, after + 1)
    begun = place >= journeys.offsets[which, None]
    going = place < journeys.offsets[which + 1, None]
    codes = coded.codes[np.clip(place, 0, max(len(coded.codes) - 1, 0))].astype(np.int64)
    weight = np.ones(len(which)) if journeys.weight is None else journeys.weight[which]
    inside = begun & going & (codes >= 0)
    times = np.broadcast_to(weight[:, None], codes.shape)
    seen = np.bincount(codes[inside], times[inside], minlength=len(coded.names))
    order = sorted(np.flatnonzero(seen).tolist(), key=lambda k: (-seen[k], str(coded.names[k])))
    kept = order[:top]
    drawn = np.full(len(coded.names) + 1, len(kept) + _OTHER)
    drawn[kept] = np.arange(len(kept))
    state = drawn[codes]
    state[~begun] = len(kept) + _START
    ended = np.broadcast_to(len(kept) + _ENDED + journeys.outcome[which, None], codes.shape)
    state = np.where(going, state, ended)
    words = np.array([*(str(coded.names[k]) for k in kept), *_WORDS], dtype=object)
    kinds = np.array([*["name"] * len(kept), *_KINDS], dtype=object)
    groups, caveats = _groups(journeys, segment)
    flow, matrix = (
        _table(journeys, which, cells, groups, size=len(words), level=level, begin=-before)
        for cells in ((state[:, :-1], state[:, 1:]), (state,))
    )
    columns: dict[str, Any] = {"step": flow.pop("step")}
    for name in ("from", "to"):
        code = flow.pop(name)
        columns |= {name: words[code].tolist(), f"{name}_kind": kinds[code].tolist()}
    named = matrix.pop("from")
    total = int(weight.sum())
    return StepFlow(
        table=Table(columns | flow, formats=_FORMATS, backend=journeys.log.backend),
        matrix=Table(
            {"step": matrix.pop("step"), "name": words[named].tolist(), **matrix},
            formats=_FORMATS,
            backend=journeys.log.backend,
        ),
        point=" or ".join(map(str, wanted)),
        n_journeys=total,
        n_names=len(order),
        n_named=len(kept),
        caveats=(
            f"{total:,} of {len(journeys):,} journeys match; step 0 is the {occurrence} match.",
            f"Shares have {100 * level:g}% intervals (Wilson's, by the jackknife over buckets).",
            *caveats,
            *missing_note_of(journeys, by),
        ),
    )


def _groups(
    journeys: Journeys, segment: SegmentBy | None
) -> tuple[tuple[Bools, Bools] | None, tuple[str, ...]]:
    """Return which journeys are in each of two groups, and a sentence that names them."""
    if segment is None:
        return None, ()
    found = segments_of(journeys, segment)
    if len(found.values) != 2:
        values = ", ".join(found.values) or "none"
        raise InvalidValue.of("segment", "have two groups, which are compared", values)
    first, second = found.values
    said = f"The difference is the share of {second} (second) less that of {first} (first)."
    return (found.code == 0, found.code == 1), (found.rule, said)


def _table(
    journeys: Journeys,
    which: Ints,
    states: tuple[Ints, ...],
    groups: tuple[Bools, Bools] | None,
    *,
    size: int,
    level: float,
    begin: int,
) -> dict[str, Any]:
    """Return counts and shares of states, or of pairs of states, at each step as columns."""
    n_steps = states[0].shape[1]
    cell = np.broadcast_to(np.arange(n_steps), states[0].shape)
    for state in states:
        cell = cell * size + state
    distinct, dense = np.unique(cell, return_inverse=True)
    dense = dense.reshape(cell.shape)
    step, rest = np.divmod(distinct, size ** len(states))
    source, target = np.divmod(rest, size) if len(states) == 2 else (rest, rest)
    ends = size - len(_KINDS) + _ENDED
    idle = (source == target) & (source == ends - 1) | (source >= ends)
    shown = ~idle if len(states) == 2 else np.ones(len(distinct), dtype=np.bool_)

    def of(some: Bools | None) -> Shares:
        chosen = np.ones(len(which), dtype=np.bool_) if some is None else some[which]
        item = np.repeat(which[chosen], n_steps)
        return shares(dense[chosen].ravel(), step, units_of(journeys), level=level, item=item)

    whole = of(None)
    columns: dict[str, Any] = {"step": step[shown] + begin, "from": source[shown]}
    if len(states) == 2:
        columns["to"] = target[shown]
    columns["journeys"] = whole.count[shown]
    if groups is None:
        values = {"share": whole.value, "low": whole.low, "high": whole.high}
    else:
        one, other = (of(group) for group in groups)
        low, high, _ = difference_of_shares(other.figures, one.figures, level=level)
        gap = other.value - one.value
        values = {"share": whole.value, "first": one.value, "second": other.value}
        values |= {"difference": gap, "low": low, "high": high}
    return columns | {name: value[shown] for name, value in values.items()}
