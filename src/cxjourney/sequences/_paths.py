"""Distinct paths of journeys, their frequencies, and the mass of paths never seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, Unpack, cast, overload

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney import plot
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.estimates import NO_INTERVAL
from cxjourney._stats.intervals import normal_quantile
from cxjourney._stats.ratios import ratio_figures
from cxjourney._support.table import Table, format_value
from cxjourney._support.validation import check_choice, check_count, check_fraction, check_level
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    CONVERTED,
    IN_PROGRESS,
    BySegment,
    WithPeople,
    by_segment,
    check_journeys,
    ended,
    grain_name,
    missing_note_of,
    sequences_of,
    slices_of,
    units_of,
    with_people,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys import By, Ending, Journeys, SegmentBy

_BLOCK = 20_000  # paths whose intervals are computed at once
_FORMATS = dict.fromkeys(("share", "coverage", "conversion", "low", "high"), "percent")


class PathOptions(TypedDict, total=False):
    """What `paths` takes."""

    by: By
    repeats: Literal["keep", "collapse"]
    top: int | None
    level: float


@attrs.frozen(kw_only=True, repr=False)
class Variants(WithPeople):
    """The distinct paths, most frequent first.

    `journeys(path)` gives the journeys of a path of the table: a tuple of its steps, or the path
    as it is written there.

    Attributes
    ----------
    table
        One row a path:

        | column | |
        |---|---|
        | `path`, `length` | its steps, and how many there are |
        | `journeys`, `share` | journeys that took it, and their share of all [fraction] |
        | `coverage` | share of all journeys on this path and those above it [fraction] |
        | `conversion`, `low`, `high` | of the journeys that ended, with its interval [fraction] |
        | `ended`, `in_progress` | journeys that ended, and those that may go on |

        The columns from `conversion` on are there where journeys can convert.
    steps, counts
        The names along each path of the table; journeys of every path, also of those that the table
        leaves out, most frequent first.
    n_journeys
        Number of journeys, weights counted.
    unseen
        Probability that the next journey takes a path never seen so far [fraction].
    by, repeats, level, notes
        What a step is; whether repeats that follow each other were kept; confidence level of the
        intervals; what a reader must know.
    """

    title: ClassVar[str] = "Paths"
    _shared: ClassVar[tuple[str, ...]] = (
        *("length", "journeys", "share", "conversion", "low", "high", "ended", "in_progress"),
    )

    table: Table
    steps: tuple[tuple[str, ...], ...]
    counts: NDArray[np.int64]
    n_journeys: int
    unseen: Estimate
    by: str
    repeats: str
    level: float
    notes: tuple[str, ...]

    @property
    def n_paths(self) -> int:
        """Number of distinct paths."""
        return len(self.counts)

    def covering(self, share: float) -> int:
        """Return how many of the most frequent paths cover a share of the journeys.

        Parameters
        ----------
        share
            Share to cover, in [0, 1].
        """
        check_fraction(share, "share")
        wanted = share * self.n_journeys * (1 - 1e-12)  # 80% of 10 are 8, however it rounds
        return int(np.searchsorted(np.cumsum(self.counts), wanted, side="left")) + (
            1 if wanted > 0 else 0
        )

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw which share of the journeys took each path, the most frequent on top.

        Parameters
        ----------
        max_rows
            Only so many of the most frequent paths are drawn; None draws all of the table.
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        table = self.table.take(range(len(self.table))[:max_rows])
        covered = format_value(table["coverage"][-1], "percent") if len(table) else "0%"
        return plot.bars(
            [str(path) for path in table["path"]],
            table["share"],
            percent=True,
            label="share of the journeys",
            caption="The longer a bar, the more journeys took exactly this path; "
            f"those drawn are {covered} of the journeys."
            + plot.drawn_of(len(table), self.n_paths, "paths"),
            title=self.title if title is None else title,
            ax=ax,
        )

    def top(self, k: int) -> Journeys:
        """Return the journeys on the k most frequent paths of the table, as in a log filtered so.

        Parameters
        ----------
        k
            How many paths; all of the table where it has no more.

        Raises
        ------
        InvalidValue
            If `k` is no whole number from 1, or the result was read from a dictionary.
        """
        check_count(k, "k")
        kept = [self._members((place,), None) for place in range(min(k, len(self.steps)))]
        if not kept:
            return self.journeys(0)
        journeys = cast("Journeys", kept[0][0])
        return journeys.where(np.logical_or.reduce([mask for _, mask in kept]))

    def _rows(self, row: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if row and isinstance(row[0], tuple):
            return [(names,) for names in self.steps]
        return super()._rows(row)

    def _notes(self) -> tuple[str, ...]:
        if not self.n_journeys:
            return ("There are no journeys.", *self.notes)
        half, most = (format_value(self.covering(share)) for share in (0.5, 0.8))
        taken = f"{self.n_journeys:,} journeys took {self.n_paths:,} paths"
        return (
            f"{taken}: the first {half} cover 50% of the journeys, the first {most} cover 80%.",
            f"Share of journeys on paths never seen so far: {self.unseen!r}.",
            *self.notes,
        )


@overload
def paths(
    journeys: Journeys, *, segment: None = None, **options: Unpack[PathOptions]
) -> Variants: ...
@overload
def paths(
    journeys: Journeys, *, segment: SegmentBy, **options: Unpack[PathOptions]
) -> BySegment[Variants]: ...
def paths(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    repeats: Literal["keep", "collapse"] = "keep",
    top: int | None = 100,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Variants | BySegment[Variants]:
    """Return the distinct paths of journeys, with frequency, conversion and coverage.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a step is: "touchpoint", "channel", "stage", "owner", or a pair of them.
    repeats
        Whether repeats that follow each other are steps of their own ("keep") or one step
        ("collapse").
    top
        How many of the most frequent paths the table lists; None lists all. Ties stand in the
        order of their first journey.
    level
        Confidence level, in (0, 1).
    segment
        An attribute of customers or interactions: the paths of each of its values are counted on
        their own.

    Returns
    -------
    Variants, or BySegment of them

    Raises
    ------
    InvalidValue
        If `top` is not a positive whole number, or a choice breaks its rule.
    UnknownName
        If the log has no such column or attribute.

    Notes
    -----
    A path is the sequence of steps before the goal or exit that ends the journey; a journey that
    began with it has the empty path. Frequencies count all journeys. Conversion is of those that
    ended: one in progress may go on and have another path then. The interval is Wilson's on an
    effective sample, with the variance over buckets of customers; there is none where fewer than
    three customers or so took the path.

    The unseen mass is that of Good (1953) and Turing, n₁/N with n₁ paths seen once; its interval is
    that of Esty (1983), ± z √(n₁ (1 - n₁/N) + 2 n₂) / N, for independent journeys. A list of paths
    says little where it is large.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> journeys = Journeys.from_paths(
    ...     [["ad", "web"], ["web"], ["mail"]], converted=[30, 10, 1], dropped=[10, 40, 0]
    ... )
    >>> found = paths(journeys)
    >>> found.steps[0], found.counts.tolist()
    (('web',), [50, 40, 1])
    >>> round(float(found.table["conversion"][1]), 2), found.covering(0.8)
    (0.75, 2)
    >>> round(found.unseen.value, 4)  # 1 of 91 journeys took a path of its own
    0.011
    """
    check_journeys(journeys)
    check_level(level)
    check_choice(repeats, "repeats", ("keep", "collapse"))
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise InvalidValue.of("top", "be a positive whole number or None", top)
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: paths(part, by=by, repeats=repeats, top=top, level=level),
        )
    sequences = (
        slices_of(journeys, by)
        if repeats == "keep"
        else sequences_of(journeys, by).collapsed().slices
    )
    group, first = sequences.distinct()
    weight = journeys.weight
    counts = np.bincount(group, weight, minlength=len(first)).astype(np.int64, copy=False)
    descending = -np.sort(-counts)
    listed = _most_frequent(counts, descending, top)
    total = int(counts.sum())
    steps = tuple(sequences.path(i) for i in first[listed].tolist())
    columns: dict[str, Any] = {
        "path": [" > ".join(names) or "(none)" for names in steps],
        "length": np.array([len(names) for names in steps], dtype=np.int64),
        "journeys": counts[listed],
        "share": counts[listed] / (total or 1),
        "coverage": np.cumsum(counts[listed]) / (total or 1),
    }
    notes = list(missing_note_of(journeys, by))
    if repeats == "collapse":
        notes.append("Repeats that follow each other count as one step.")
    converts = bool(journeys.rules.goal) or bool(journeys.converted.any())
    if converts and journeys.rules.determined:
        columns |= _conversion(journeys, group, listed, level=level)
        still = int(np.sum((journeys.outcome == IN_PROGRESS) * (1 if weight is None else weight)))
        if still:
            notes.append(f"{still:,} journeys are in progress and no part of conversion.")
        if np.any((columns["ended"] > 0) & np.isnan(columns["low"])):
            notes.append(NO_INTERVAL)
    elif converts:
        notes.append(
            "No conversion is shown, since nothing says when a journey without the goal is over."
        )

    def members(place: int, _names: tuple[str, ...], outcome: Ending | None) -> Bools:
        return np.asarray((group == listed[place]) & ended(journeys, outcome))

    result = Variants(
        table=Table(columns, formats=_FORMATS, backend=journeys.log.backend),
        steps=steps,
        counts=descending,
        n_journeys=total,
        unseen=_unseen(counts, level=level),
        by=grain_name(by),
        repeats=repeats,
        level=level,
        notes=tuple(notes),
    )
    return with_people(result, journeys, members)


def _most_frequent(
    counts: NDArray[np.int64], descending: NDArray[np.int64], top: int | None
) -> NDArray[np.int64]:
    """Return the most frequent groups, of equally frequent ones the first; all are not sorted."""
    if top is None or top >= len(counts):
        return np.argsort(-counts, kind="stable")
    least = descending[top - 1]
    above = np.flatnonzero(counts > least)
    above = above[np.argsort(-counts[above], kind="stable")]
    return np.append(above, np.flatnonzero(counts == least)[: top - len(above)])


def _conversion(
    journeys: Journeys, group: Ints, listed: Ints, *, level: float
) -> dict[str, Floats | Ints]:
    """Return the columns of conversion of the listed paths."""
    row = np.full(int(group.max(initial=-1)) + 1, -1, dtype=np.int64)
    row[listed] = np.arange(len(listed))
    cell = row[group]
    over = journeys.outcome != IN_PROGRESS
    share, low, high = _shares(journeys, np.where(over, cell, -1), len(listed), level=level)

    def counted(which: Bools) -> Ints:
        rows = np.flatnonzero((cell >= 0) & which)
        weight = None if journeys.weight is None else journeys.weight[rows]
        return np.bincount(cell[rows], weight, minlength=len(listed)).astype(np.int64)

    return {
        "conversion": share,
        "low": low,
        "high": high,
        "ended": counted(over),
        "in_progress": counted(~over),
    }


def _shares(
    journeys: Journeys, cell: Ints, n_cells: int, *, level: float
) -> tuple[Floats, Floats, Floats]:
    """Return the share of converted journeys in each cell, and both ends of its interval."""
    units = units_of(journeys)
    hit = (journeys.outcome == CONVERTED).astype(np.float64)
    parts = []
    for begin in range(0, n_cells, _BLOCK):
        n = min(_BLOCK, n_cells - begin)
        rows = np.flatnonzero((cell >= begin) & (cell < begin + n))
        found = ratio_figures(
            hit[rows], None, group=cell[rows] - begin, n_groups=n, units=units, item=rows
        )
        parts.append(np.stack([found.whole, *found.wilson(level)]))
    share, low, high = np.concatenate([np.empty((3, 0)), *parts], axis=1)
    return share, low, high


def _unseen(counts: NDArray[np.int64], *, level: float) -> Estimate:
    n, once, twice = (int(x) for x in (counts.sum(), np.sum(counts == 1), np.sum(counts == 2)))
    value = once / n if n else math.nan
    low = high = math.nan
    if 0 < once < n:
        half = normal_quantile(level) * math.sqrt(once * (1 - value) + 2 * twice) / n
        low, high = max(0.0, value - half), min(1.0, value + half)
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=n,
        unit="fraction",
        method="Good-Turing, Esty",
        notes=() if n else ("empty",),
        name="unseen_mass",
        definition="probability that the next journey takes a path never seen so far",
        numerator=float(once),
        denominator=float(n),
    )
