"""Deviations of journeys from the design, from the alignments of the distinct paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney.blueprint._alignment import Design, align
from cxjourney.journeys import CONVERTED, IN_PROGRESS, OUTCOMES, Sequences, sequences_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxjourney.domain import JourneyBlueprint
    from cxjourney.journeys import Journeys

Kind = Literal["missing", "skipped", "repeated", "out_of_order", "wrong_channel", "ad_hoc", "rule"]
KINDS: tuple[Kind, ...] = (
    "missing",
    "skipped",
    "repeated",
    "out_of_order",
    "wrong_channel",
    "ad_hoc",
    "rule",
)


@attrs.frozen(kw_only=True)
class Deviation:
    """One way to deviate, and which journeys do.

    Attributes
    ----------
    kind
        What is different.
    label
        The step, the touchpoint that is none, or the name of a rule.
    path
        Path of each journey.
    per_path
        How often each path shows it.
    possible
        Paths in which it could have happened, so that those with it and those without it can be
        compared; None where that makes no sense.
    """

    kind: Kind
    label: str
    path: NDArray[np.int64]
    per_path: NDArray[np.int64]
    possible: NDArray[np.bool_] | None

    @property
    def times(self) -> NDArray[np.int64]:
        """How often each journey shows it."""
        return self.per_path[self.path]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether each journey shows it."""
        return (self.per_path > 0)[self.path]


@attrs.frozen(kw_only=True)
class Observed:
    """The visits of journeys as symbols: a touchpoint in a channel.

    Attributes
    ----------
    sequences
        The symbols of each journey; `names` are those of the touchpoints.
    symbols
        Touchpoint and channel of each symbol; the channel is None where it is not known.
    touchpoint
        Code of the touchpoint of each symbol.
    """

    sequences: Sequences
    symbols: tuple[tuple[str, str | None], ...]
    touchpoint: NDArray[np.int64]


def observed_of(journeys: Journeys, *, without: frozenset[str]) -> Observed:
    """Return the visits of journeys, those at the touchpoints `without` left out."""
    sequences = sequences_of(journeys)
    left_out = np.array([name in without for name in sequences.names], dtype=np.bool_)
    keep = ~left_out[sequences.codes]
    until = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
    rows, codes = sequences.rows[keep], sequences.codes[keep]
    channel = journeys.columns.coded.get("channel")
    n_channels = 0 if channel is None else len(channel.names)
    where = np.full(len(rows), -1) if channel is None else channel.codes[rows].astype(np.int64)
    used, symbol = np.unique(codes * (n_channels + 1) + where + 1, return_inverse=True)
    touchpoint, place = np.divmod(used, n_channels + 1)
    names = (None, *(() if channel is None else channel.names))
    return Observed(
        sequences=attrs.evolve(
            sequences, codes=symbol, offsets=until[sequences.offsets], rows=rows
        ),
        symbols=tuple(
            (sequences.names[t], names[c])
            for t, c in zip(touchpoint.tolist(), place.tolist(), strict=True)
        ),
        touchpoint=touchpoint,
    )


@attrs.frozen(kw_only=True)
class Deviations:
    """What the alignments say, one row a distinct path; `path` leads from journeys to paths.

    Attributes
    ----------
    design, names
        The steps, and the names of the touchpoints.
    path
        Path of each journey; journeys of one path ended alike.
    converted
        Whether the journeys of each path converted.
    fitness
        1 - cost / (visits + required steps) of each path.
    walked, out_of_order
        Whether each step was taken in its place, or only elsewhere, shape (paths, m).
    due
        Whether a required step was not taken at all, though the path went as far or ended before.
    repeated, wrong_channel
        How often a step was taken again or in another channel, shape (paths, m).
    last
        The last step taken in its place; -1 for none.
    strangers
        Rows of path, code of the touchpoint, and how often the path is there without design.
    """

    design: Design
    names: tuple[str, ...]
    path: NDArray[np.int64]
    converted: NDArray[np.bool_]
    fitness: NDArray[np.float64]
    walked: NDArray[np.bool_]
    out_of_order: NDArray[np.bool_]
    due: NDArray[np.bool_]
    repeated: NDArray[np.int64]
    wrong_channel: NDArray[np.int64]
    last: NDArray[np.int64]
    strangers: NDArray[np.int64]

    @property
    def visited(self) -> NDArray[np.bool_]:
        """Whether the touchpoint of each step was taken, in its place or not."""
        return self.walked | self.out_of_order

    def each(self) -> Iterator[Deviation]:
        """Yield every deviation that any journey shows."""
        for i, label in enumerate(self.design.labels):
            passed = self.last > i
            went_on = passed | self.converted
            due, visited = self.due[:, i], self.visited[:, i]
            yield from self._shown("missing", label, due & ~went_on, None)
            yield from self._shown("skipped", label, due & went_on, passed)
            yield from self._shown("repeated", label, self.repeated[:, i], visited)
            late = visited & passed
            yield from self._shown("out_of_order", label, self.out_of_order[:, i], late)
            walked = self.walked[:, i]
            yield from self._shown("wrong_channel", label, self.wrong_channel[:, i], walked)
        everywhere = np.ones(len(self.fitness), dtype=np.bool_)
        path, code, times = self.strangers
        for stranger in np.unique(code).tolist():
            chosen = code == stranger
            per_path = np.zeros(len(self.fitness), dtype=np.int64)
            per_path[path[chosen]] = times[chosen]
            yield from self._shown("ad_hoc", self.names[stranger], per_path, everywhere)

    def _shown(
        self,
        kind: Kind,
        label: str,
        per_path: NDArray[np.int64] | NDArray[np.bool_],
        possible: NDArray[np.bool_] | None,
    ) -> Iterator[Deviation]:
        if per_path.any():
            times = per_path.astype(np.int64)
            yield Deviation(
                kind=kind, label=label, path=self.path, per_path=times, possible=possible
            )


def deviations_of(
    journeys: Journeys,
    blueprint: JourneyBlueprint,
    observed: Observed,
    *,
    without: frozenset[str],
) -> Deviations:
    """Align the distinct paths with the steps and tell what each deviation is."""
    design = Design.of(blueprint, observed.symbols, without=without)
    group, _ = observed.sequences.slices.distinct()
    # a journey in progress may take the steps to come, and a conversion passes those before it
    key = group * len(OUTCOMES) + journeys.outcome
    _, first, path = np.unique(key, return_index=True, return_inverse=True)
    distinct, outcome = observed.sequences.take(first), journeys.outcome[first]
    aligned = align(distinct.codes, distinct.offsets, outcome == IN_PROGRESS, design)
    n, m = len(first), len(design.names)
    owner = np.repeat(np.arange(n), distinct.lengths)
    taken = aligned.step >= 0
    at = owner[taken] * m + aligned.step[taken]
    walked = (np.bincount(at, minlength=n * m) > 0).reshape(n, m)
    wrong = ~design.allowed[distinct.codes[taken], aligned.step[taken]]
    wrong_channel = np.bincount(at[wrong], minlength=n * m).reshape(n, m)

    extra, extra_owner = observed.touchpoint[distinct.codes[~taken]], owner[~taken]
    code_of = {name: code for code, name in enumerate(observed.sequences.names)}
    out_of_order = np.zeros((n, m), dtype=np.bool_)
    repeated = np.zeros((n, m), dtype=np.int64)
    for name in dict.fromkeys(design.names):
        steps = [i for i, other in enumerate(design.names) if other == name]
        spare = np.bincount(extra_owner[extra == code_of.get(name, -1)], minlength=n)
        for i in steps:
            out_of_order[:, i] = ~walked[:, i] & (spare > 0)
            spare = spare - out_of_order[:, i]
        for i in steps:  # all at the first of the steps that was taken
            repeated[:, i] = np.where(walked[:, i] | out_of_order[:, i], spare, 0)
            spare = spare - repeated[:, i]
    designed = np.array([name in set(design.names) for name in code_of], dtype=np.bool_)
    strange = ~designed[extra]
    key, times = np.unique(
        extra_owner[strange] * max(1, len(code_of)) + extra[strange], return_counts=True
    )
    to_come = np.arange(m) >= aligned.reached[:, None]
    needed = np.cumsum(np.concatenate([[0], design.required]))[aligned.reached]
    size = distinct.lengths + needed
    return Deviations(
        design=design,
        names=observed.sequences.names,
        path=path,
        converted=outcome == CONVERTED,
        fitness=1 - aligned.cost / np.maximum(size, 1),
        walked=walked,
        out_of_order=out_of_order,
        due=design.required & ~walked & ~out_of_order & ~to_come,
        repeated=repeated,
        wrong_channel=wrong_channel,
        last=np.where(walked, np.arange(m), -1).max(axis=1, initial=-1),
        strangers=np.stack([key // max(1, len(code_of)), key % max(1, len(code_of)), times]),
    )
