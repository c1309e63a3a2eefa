"""Flow of journeys from visit to visit, with what is too small to name in "other"."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count, check_number
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    CONVERTED,
    DROPPED,
    BySegment,
    by_segment,
    check_journeys,
    missing_note_of,
    visits_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.journeys import By, Journeys, SegmentBy

_KINDS = ("other", "start", "conversion", "dropoff", "in_progress", "later")
_WORDS = ("(other)", "(start)", "(converted)", "(dropped)", "(in progress)", "(goes on)")
_OTHER, _START, _CONVERSION, _DROPOFF, _OPEN, _LATER = range(len(_KINDS))


@attrs.frozen(kw_only=True, repr=False)
class StepFlow(Result):
    """Where journeys go visit by visit.

    Attributes
    ----------
    table
        One row a flow:

        | column | |
        |---|---|
        | `step` | the step that it leaves; 0 is the start |
        | `from`, `to` | names of what it leaves and enters |
        | `from_kind`, `to_kind` | name, other, start, conversion, dropoff, in_progress or later |
        | `journeys`, `share` | how many flow, and their share of all journeys [fraction] |

        Where journeys were aligned, step 0 is their point and earlier steps are negative; `low` and
        `high` are the interval of the share. Where two groups were compared, `first` and `second`
        are their shares, and the interval is that of their `difference`.
    n_journeys, n_names, n_named
        All journeys, which is what leaves step 0; names within the steps, and how many of them are
        not in "other".
    caveats
        What a reader must know beside what is true of every such table.
    matrix
        Where journeys were aligned, one row a step and name there: `step`, `name`, `journeys`,
        `share` and its interval, or the two shares and their difference, as in `table`; None else.
    point
        The pattern at which they were aligned; empty where they begin at their start.
    """

    title: ClassVar[str] = "Journeys visit by visit"

    table: Table
    n_journeys: int
    n_names: int
    n_named: int
    caveats: tuple[str, ...] = ()
    matrix: Table | None = None
    point: str = ""

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the flow as a Sankey diagram.

        Parameters
        ----------
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        return plot.step_sankey(
            [int(step) for step in self.table["step"]],
            source=[str(name) for name in self.table["from"]],
            source_kind=[str(kind) for kind in self.table["from_kind"]],
            target=[str(name) for name in self.table["to"]],
            target_kind=[str(kind) for kind in self.table["to_kind"]],
            count=self.table["journeys"],
            caption=f"Journeys from left to right{'' if self.point else ', visit by visit'}; the "
            "height of a block is how many pass it.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        hidden = self.n_names - self.n_named
        begin = (
            f"{self.n_journeys:,} journeys begin at step 0; what enters a step is what leaves it."
        )
        return (
            f"Step 0 is {self.point}." if self.point else begin,
            f"{self.n_named:,} names stand for themselves, {hidden:,} more are in (other).",
            *self.caveats,
        )


@overload
def step_flow(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    steps: int = 5,
    top: int = 8,
    segment: None = None,
) -> StepFlow: ...
@overload
def step_flow(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    steps: int = 5,
    top: int = 8,
    segment: SegmentBy,
) -> BySegment[StepFlow]: ...
def step_flow(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    steps: int = 5,
    top: int = 8,
    segment: SegmentBy | None = None,
) -> StepFlow | BySegment[StepFlow]:
    """Return where journeys go from visit to visit, from their start.

    Parameters
    ----------
    journeys
        The journeys; aggregated paths count with their weights.
    by
        What a node is: "touchpoint", "channel", "stage", "owner", or a pair of them.
    steps
        How many visits are followed; a longer journey then "goes on".
    top
        How many names are kept, the most visited within the steps; all others are "other", so that
        nothing is left out.
    segment
        An attribute of customers or interactions: the journeys of each of its values are followed
        on their own.

    Returns
    -------
    StepFlow, or BySegment of them

    Raises
    ------
    InvalidValue
        If `journeys` is something else, or `steps` or `top` is not a whole number from 1.
    UnknownName
        If the log has no such column or attribute.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> from cxjourney.sequences import step_flow
    >>> paths = [["ad", "web"], ["web", "mail"]]
    >>> journeys = Journeys.from_paths(paths, converted=[3, 0], dropped=[1, 2])
    >>> step_flow(journeys, top=2).table.select(["step", "from", "to", "journeys"])
    step  from     to           journeys
    ----  -------  -----------  --------
       0  (start)  web                 2
       0  (start)  ad                  4
       1  web      (other)             2
       1  ad       web                 4
       2  web      (converted)         3
       2  web      (dropped)           1
       2  (other)  (dropped)           2
    """
    check_journeys(journeys)
    for name, value in (("steps", steps), ("top", top)):
        if check_number(value, name) < 1:
            raise InvalidValue.of(name, "be at least 1", value)
        check_count(value, name)
    if segment is not None:
        return by_segment(
            journeys, segment, lambda part: step_flow(part, by=by, steps=steps, top=top)
        )
    visits = visits_of(journeys, by)
    lengths = journeys.lengths
    place = np.arange(len(visits)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    near = place < steps
    seen = np.bincount(
        visits.node[near],
        weights=None if visits.weight is None else visits.weight[near],
        minlength=len(visits.names),
    )
    order = sorted(np.flatnonzero(seen).tolist(), key=lambda k: (-seen[k], visits.names[k]))
    kept = order[:top]
    # codes of the picture: its names, then the kinds
    drawn = np.full(len(visits.names) + 4, len(kept) + _OTHER)
    drawn[kept] = np.arange(len(kept))
    drawn[visits.conversion] = len(kept) + _CONVERSION
    drawn[visits.dropoff] = len(kept) + _DROPOFF
    drawn[-1] = len(kept) + _OPEN  # -1 is "not known yet"
    target = drawn[visits.following]
    beyond = (place == steps - 1) & (visits.following >= 0) & (visits.following < visits.start)
    target[beyond] = len(kept) + _LATER
    first = _first_visit(journeys, drawn[visits.node], len(kept))
    weight = np.ones(len(lengths)) if journeys.weight is None else journeys.weight
    step, source, target, count = _counted(
        np.concatenate([np.zeros(len(first), dtype=np.int64), place[near] + 1]),
        np.concatenate([np.full(len(first), len(kept) + _START), drawn[visits.node[near]]]),
        np.concatenate([first, target[near]]),
        np.concatenate([weight, weight[visits.journey[near]]]),
    )
    words = np.array([*(visits.names[k] for k in kept), *_WORDS], dtype=object)
    kinds = np.array([*["name"] * len(kept), *_KINDS], dtype=object)
    total = len(journeys)
    table = Table(
        {
            "step": step,
            "from": words[source].tolist(),
            "from_kind": kinds[source].tolist(),
            "to": words[target].tolist(),
            "to_kind": kinds[target].tolist(),
            "journeys": count,
            "share": count / max(total, 1),
        },
        formats={"share": "percent"},
        backend=journeys.log.backend,
    )
    return StepFlow(
        table=table,
        n_journeys=total,
        n_names=len(order),
        n_named=len(kept),
        caveats=missing_note_of(journeys, by),
    )


def _first_visit(journeys: Journeys, node: Ints, n_named: int) -> Ints:
    """Return where each journey begins, or how it ended where it has no visit."""
    lengths = journeys.lengths
    first = n_named + np.select(
        [journeys.outcome == CONVERTED, journeys.outcome == DROPPED],
        [_CONVERSION, _DROPOFF],
        default=_OPEN,
    )
    touched = lengths > 0
    first[touched] = node[(np.cumsum(lengths) - lengths)[touched]]
    return first.astype(np.int64)


def _counted(
    step: Ints, source: Ints, target: Ints, weight: Floats
) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the distinct flows in order, and how many journeys each has."""
    distinct, which = np.unique(np.stack([step, source, target]), axis=1, return_inverse=True)
    count = np.bincount(which.ravel(), weights=weight, minlength=distinct.shape[1])
    return distinct[0], distinct[1], distinct[2], count.astype(np.int64)
