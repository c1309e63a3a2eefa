"""Alignments of observed paths with the steps of a blueprint, all distinct paths at once.

An alignment walks through the steps and the visits side by side. It costs 1 for every required
step that is passed over, 1 for every visit that is no step at its place, and 1 for a visit that is
one but in a channel that the step does not allow. The cheapest alignment is found by dynamic
programming, one NumPy operation a position and step for all paths together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cxjourney.domain import JourneyBlueprint

_MATCH, _REPEAT, _EXTRA, _SKIP = 0, 1, 2, 3


@attrs.frozen(kw_only=True)
class Design:
    """The steps of a blueprint against the codes of a log.

    Attributes
    ----------
    labels, names
        Name of each of the m steps, and its touchpoint.
    at_step
        Whether a code is at the touchpoint of a step, shape (codes, m).
    allowed
        Whether it is so in a channel that the step allows, shape (codes, m).
    required
        Whether each step must happen.
    repeatable
        Whether it may come again right after itself.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    at_step: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    required: NDArray[np.bool_]
    repeatable: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        blueprint: JourneyBlueprint,
        symbols: tuple[tuple[str, str | None], ...],
        *,
        without: frozenset[str] = frozenset(),
    ) -> Design:
        """Return the design over symbols: a touchpoint and its channel, None where not known.

        Parameters
        ----------
        blueprint
            The blueprint.
        symbols
            What each code stands for.
        without
            Touchpoints whose steps are left out.
        """
        steps = [
            (label, step)
            for label, step in zip(blueprint.labels(), blueprint.steps, strict=True)
            if step.touchpoint not in without
        ]
        shape = (len(symbols), len(steps))
        at_step = [name == step.touchpoint for name, _ in symbols for _, step in steps]
        fits = [
            not step.channels or channel is None or channel in step.channels
            for _, channel in symbols
            for _, step in steps
        ]
        at = np.array(at_step, dtype=np.bool_).reshape(shape)
        return cls(
            labels=tuple(label for label, _ in steps),
            names=tuple(step.touchpoint for _, step in steps),
            at_step=at,
            allowed=at & np.array(fits, dtype=np.bool_).reshape(shape),
            required=np.array([not step.optional for _, step in steps], dtype=np.bool_),
            repeatable=np.array([step.repeatable for _, step in steps], dtype=np.bool_),
        )


@attrs.frozen(kw_only=True)
class Aligned:
    """The cheapest alignment of each path.

    Attributes
    ----------
    cost
        Cost of each path.
    reached
        Number of steps walked through: all of them, but for a path in progress.
    step
        For each visit the step that it is, or -1 where it is none at its place.
    """

    cost: NDArray[np.int64]
    reached: NDArray[np.int64]
    step: NDArray[np.int64]


def align(
    codes: NDArray[np.int64],
    offsets: NDArray[np.int64],
    in_progress: NDArray[np.bool_],
    design: Design,
) -> Aligned:
    """Return the cheapest alignment of every path.

    Where several cost the same, the walk back from the end prefers a visit as the step that comes
    next, then as a repeat of it, then as an extra, then to pass over the step.

    Parameters
    ----------
    codes
        Codes of all paths, path by path.
    offsets
        Path i is codes[offsets[i]:offsets[i + 1]].
    in_progress
        Whether each path may go on: then the steps still to come are not passed over.
    design
        The steps.
    """
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")  # those which go on stand in front
    start, length = offsets[:-1][order], lengths[order]
    m = len(design.names)
    skip = design.required.astype(np.int32)
    # a step is a place to be at; `cost[:, i]` is that of having walked through i steps
    cost = np.tile(np.concatenate([[0], np.cumsum(skip)]).astype(np.int32), (len(order), 1))
    match = np.where(design.allowed, 0, np.where(design.at_step, 1, 3)).astype(np.int32)
    again = np.where(design.repeatable, np.minimum(match, 1), 1).astype(np.int32)
    as_repeat = design.at_step & design.repeatable
    choice = np.full((len(codes), m + 1), _EXTRA, dtype=np.int8)
    for position in range(int(lengths.max(initial=0))):
        active = int(np.searchsorted(-length, -position, side="left"))
        row = start[:active] + position
        code = codes[row]
        before = cost[:active]
        now = np.empty_like(before)
        now[:, 0] = before[:, 0] + 1
        for i in range(1, m + 1):
            matched = before[:, i - 1] + match[code, i - 1]
            stayed = before[:, i] + again[code, i - 1]
            passed = now[:, i - 1] + skip[i - 1]
            best = np.minimum(np.minimum(matched, stayed), passed)
            now[:, i] = best
            choice[row, i] = np.select(
                [matched == best, (stayed == best) & as_repeat[code, i - 1], stayed == best],
                [_MATCH, _REPEAT, _EXTRA],
                default=_SKIP,
            )
        cost[:active] = now
    ends = np.empty_like(cost)
    ends[order] = cost
    furthest = m - ends[:, ::-1].argmin(axis=1)  # rather a step ahead than a visit out of place
    reached = np.where(in_progress, furthest, m)
    return Aligned(
        cost=ends[np.arange(len(ends)), reached].astype(np.int64),
        reached=reached,
        step=_walked_back(choice, offsets, reached),
    )


def _walked_back(
    choice: NDArray[np.int8], offsets: NDArray[np.int64], reached: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the step of each visit, from the choices that made the cost."""
    step = np.full(len(choice), -1, dtype=np.int64)
    row, begin, at = offsets[1:] - 1, offsets[:-1], reached
    while True:
        left = row >= begin  # before the first visit only steps to pass over are left
        if not left.any():
            return step
        row, begin, at = row[left], begin[left], at[left]
        chosen = np.where(at > 0, choice[row, at], _EXTRA)
        taken = (chosen == _MATCH) | (chosen == _REPEAT)
        step[row[taken]] = at[taken] - 1
        at = at - ((chosen == _MATCH) | (chosen == _SKIP))
        row = row - (chosen != _SKIP)
