"""Statistics of transitions, and the same without each bucket, from tables that add up."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, cast

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._stats.parts import joined_cells
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney._support.words import at_most
from cxjourney.exceptions import InvalidValue
from cxjourney.graph import JourneyGraph
from cxjourney.journeys._adding._masses import Ends
from cxjourney.journeys._adding._plan import TOUCH
from cxjourney.journeys._adding._tables import shape_of, small, sums, sums_by_unit, whole_number
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._outcomes import CONVERTED
from cxjourney.journeys._statistics import LeftOut, TransitionStatistics, assembled
from cxjourney.journeys._visits import check_grain, grain_name

if TYPE_CHECKING:
    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._adding._tables import Counts
    from cxjourney.journeys._visits import By


_ROUNDING = 1e-12
MICRO = 1_000_000
"""Values are counted in millionths of the currency."""


@attrs.frozen(kw_only=True, eq=False)
class Moves:
    """The moves of a grain by transition, cell and coarse bin, and the visits of the nodes.

    Attributes
    ----------
    transition, cell, bin
        Of each of the kinds of moves that were made, ascending.
    kind, unit, count
        The kind of each row of moves of a unit, the unit, and how many there are.
    source, target
        The transitions; with K nodes code K + 1 is CONVERSION, K + 2 is DROPOFF.
    visits, censored, first
        By unit: visits of each node, those that are open, and journeys by their first visit.
    ends, node_of_cell
        How the visits of the cells ended, and the node of each cell.
    timed
        Whether open visits hand on their weight.
    """

    transition: Ints
    cell: Ints
    bin: Ints
    kind: Ints
    unit: Ints
    count: Ints
    source: Ints
    target: Ints
    visits: Ints
    censored: Ints
    first: Ints
    ends: Ends
    node_of_cell: Ints
    timed: bool

    @cached_property
    def total(self) -> Ints:
        """How many moves of each kind there are."""
        return sums(self.kind, self.count, len(self.transition))

    @cached_property
    def weight(self) -> Floats:
        """The weight of each kind of move."""
        if not self.timed:
            return np.ones(len(self.transition))
        return self.ends.weights()[self.cell, self.bin]

    @cached_property
    def mass(self) -> Floats:
        """The probability of each kind of move, given its source; 0 where nothing is known."""
        base = self.visits.sum(axis=0)
        if not self.timed:
            base = base - self.censored.sum(axis=0)
        n = base[self.source[self.transition]]
        out = np.zeros(len(n))
        np.divide(self.total * self.weight, n, out=out, where=n > 0)
        return out

    def distance(self) -> tuple[float, float]:
        """Return how far probabilities of exits and of transitions lie from raw times at most."""
        one, other = (self.ends.moved(censored_first=first) for first in (False, True))
        visits = np.maximum(self.visits.sum(axis=0), 1)
        low, high = self.ends.between(self.cell, self.bin, self.total)
        here = self.total * self.weight
        apart = np.bincount(
            self.transition, np.maximum(here - low, high - here), minlength=len(self.source)
        )
        left = self.target == len(visits) + 2
        exits = np.bincount(self.node_of_cell, other - one, minlength=len(visits))
        exits += np.bincount(self.source[left], apart[left], minlength=len(visits))
        most = [x.max(initial=0.0) for x in (exits / visits, apart / visits[self.source])]
        of_exits, of_moves = (float(x) if x > _ROUNDING else 0.0 for x in most)
        return of_exits, of_moves

    def probability(self) -> Floats:
        """Return the probability of each transition."""
        size = len(self.source)
        return np.bincount(self.transition, self.mass, minlength=size).astype(np.float64)

    def probability_without(self, amount: Floats | None = None) -> Floats:
        """Return the probability of each transition without each unit, NaN where nothing is left.

        Its shape is (units, transitions). With an `amount` by unit left out, node and bin, it is
        the sum of probability times amount.
        """
        own = self.visits if self.timed else self.visits - self.censored
        others = (own.sum(axis=0) - own)[:, self.source]
        weights = self.ends.weights_without_units() if self.timed else None
        out = np.full(others.shape, np.nan)
        order = np.argsort(self.unit, kind="stable")
        bounds = np.searchsorted(self.unit[order], np.arange(len(own) + 1))
        for unit in range(len(own)):
            mine = order[bounds[unit] : bounds[unit + 1]]
            rest: Floats = self.total.astype(np.float64)
            np.subtract.at(rest, self.kind[mine], self.count[mine])  # joined cells come twice
            if weights is not None:
                rest *= weights[unit, self.cell, self.bin]
            if amount is not None:
                rest *= amount[unit, self.source[self.transition], self.bin]
            moved = np.bincount(self.transition, rest, minlength=len(self.source))
            np.divide(moved, others[unit], out=out[unit], where=others[unit] > 0)
        return out


def moves_of(statistics: JourneyStatistics, by: By) -> Moves:
    """Return the moves of a grain that was counted; they are found once."""
    check_counted_grain(statistics, by)
    return statistics.memo.get(("transitions by time", by), lambda: _moves(statistics, by))


def check_counted_grain(statistics: JourneyStatistics, by: By) -> None:
    """Raise InvalidValue if a grain is none, or was not counted."""
    check_grain(by)
    if by not in statistics.grains:
        known = ", ".join(map(repr, statistics.grains))
        rule = f"be among the grains that were counted, {known}: statistics(grains=...) names them"
        raise InvalidValue.of("by", rule, by)


def _moves(statistics: JourneyStatistics, by: By) -> Moves:
    plan, names, tables = statistics.plan, statistics.names, statistics.tables
    name = grain_name(by)
    sizes, k, width = plan.sizes(names), len(names[name]), max(len(names[TOUCH]), 1)

    unit, rest = _by_unit_and_place(statistics, f"ends {name}")
    of_cell, fine = np.divmod(rest, plan.grid.n_fine + 1)
    node = of_cell if name == TOUCH else of_cell // width
    ended, still = tables[f"ends {name}"].values.T
    visits = sums_by_unit(unit, node, ended + still, k)
    censored = sums_by_unit(unit, node, still, k)
    timed = plan.rules.inactivity is not None and bool(still.any())
    # moves of all units that are alike are looked at once
    whose, place = _by_unit_and_place(statistics, f"transitions {name}")
    alike, which = distinct(place)
    shape = shape_of(plan.kinds[f"transitions {name}"], sizes)[1:]
    start, *touch, to, coarse = np.unravel_index(alike, shape)
    cell, of_moves, n_cells = node, start, k
    if name != TOUCH and timed:
        pairs, of = distinct(of_cell)
        long = np.zeros(len(pairs), dtype=np.int64)
        followed, counts = table_of(statistics, "followed", by)
        at = np.searchsorted(pairs, followed[f"node {name}"] * width + followed[f"node {TOUCH}"])
        long[at] = counts.values[:, 0]
        n = sums(of, ended + still, len(pairs))
        if len(pairs) > np.count_nonzero(visits.sum(axis=0)):
            joined, n_cells = joined_cells(pairs // width, n, long, k)
            cell = joined[of]
            of_moves = joined[np.searchsorted(pairs, start * width + touch[0])]
    node_of_cell = np.zeros(n_cells, dtype=np.int64)
    node_of_cell[cell] = node
    key, transition = distinct(start * (k + 3) + target_of(to, k))
    source, target = np.divmod(key, k + 3)
    n_bins = plan.grid.n_coarse
    kinds, kind = distinct((transition * max(n_cells, 1) + of_moves) * n_bins + coarse)
    rest, bins = np.divmod(kinds, n_bins)
    first, counts = table_of(statistics, "first", by)
    at_first = target_of(first[f"place {name}"], k)
    return Moves(
        transition=rest // max(n_cells, 1),
        cell=rest % max(n_cells, 1),
        bin=bins,
        kind=small(kind[which]),
        unit=small(whose),
        count=tables[f"transitions {name}"].columns[1],
        source=source,
        target=target,
        visits=visits,
        censored=censored,
        first=sums_by_unit(first["unit"], at_first, counts.values[:, 0], k + 3),
        ends=Ends(
            n_fine=plan.grid.n_fine,
            coarse_of=plan.grid.coarse_of,
            n_units=N_BUCKETS,
            n_cells=n_cells,
            unit=small(unit),
            cell=small(cell),
            bin=small(fine),
            ended=small(ended),
            open=small(still),
        ),
        node_of_cell=node_of_cell,
        timed=timed,
    )


def _by_unit_and_place(statistics: JourneyStatistics, table: str) -> tuple[Ints, Ints]:
    """Return the unit of each row of a table, and its place among those of the unit."""
    plan = statistics.plan
    _, *shape = shape_of(plan.kinds[table], plan.sizes(statistics.names))
    unit, place = np.divmod(statistics.tables[table].key, max(math.prod(shape), 1))
    return unit, place


def target_of(place: Ints, k: int) -> Ints:
    """Return the target that each place stands for: 0 and 1 are CONVERSION and DROPOFF."""
    return np.where(place < 2, k + 1 + place, place - 2)


def transitions_of(statistics: JourneyStatistics, by: By) -> TransitionStatistics:
    """Return the statistics of transitions at a grain; they are computed once."""
    moves = moves_of(statistics, by)
    names = statistics.names[grain_name(by)]
    return statistics.memo.get(("statistics", by), lambda: _transitions(moves, names))


def _transitions(moves: Moves, names: tuple[str, ...]) -> TransitionStatistics:
    k, visits = len(names), moves.visits.sum(axis=0)
    count = sums(moves.transition, moves.total, len(moves.source))
    censored = moves.censored.sum(axis=0)
    left = moves.target != k + 2
    return TransitionStatistics(
        names=names,
        source=moves.source,
        target=moves.target,
        count=count,
        probability=moves.probability(),
        visits=visits,
        censored=censored,
        exits=visits - censored - sums(moves.source[left], count[left], k),
        first=moves.first.sum(axis=0),
    )


def left_out_of(statistics: JourneyStatistics, by: By) -> LeftOut:
    """Return the statistics of transitions without each bucket; they are computed once."""
    return statistics.memo.get(
        ("left out", by),
        lambda: _left_out(moves_of(statistics, by), transitions_of(statistics, by)),
    )


def _left_out(moves: Moves, whole: TransitionStatistics) -> LeftOut:
    return assembled(
        whole,
        moves.probability_without(),
        visits=moves.visits.astype(np.float64),
        at_risk=(moves.visits - moves.censored).astype(np.float64),
        first=moves.first.astype(np.float64),
    )


def distance_of(statistics: JourneyStatistics, by: By) -> tuple[float, float]:
    """Return how far exits and transitions may lie from those of raw times; see `distance`."""
    moves = moves_of(statistics, by)
    if not moves.timed:
        return 0.0, 0.0
    return statistics.memo.get(("distance", by), moves.distance)


def grid_notes(
    counted: object, by: By = "touchpoint", *, transitions: bool = False
) -> tuple[str, ...]:
    """Return the note on the grid of waits where something is made of statistics that add up.

    With `transitions` it tells how far their probabilities may be, too.
    """
    if isinstance(counted, (Journeys, JourneyGraph)):
        return ()
    exits, moves = distance_of(cast("JourneyStatistics", counted), by)
    if not exits and not (transitions and moves):
        return ()
    told = f"exit probabilities lie at most {at_most(exits)}"
    if transitions:
        told += f", and transition probabilities at most {at_most(moves)},"
    return (f"Waits were counted on a grid: {told} from those of raw times.",)


def table_of(
    statistics: JourneyStatistics, kind: str, by: By | None = None
) -> tuple[dict[str, Ints], Counts]:
    """Return the code of each row of a table on each axis, and the table."""
    name = kind if by is None else f"{kind} {grain_name(by)}"
    counts, plan = statistics.tables[name], statistics.plan
    return counts.axis(plan.kinds[name], plan.sizes(statistics.names)), counts


def by_unit(statistics: JourneyStatistics, kind: str, by: By, axis: str) -> Ints:
    """Return the counts of a table by unit and one axis more, shape (64, codes)."""
    axes, counts = table_of(statistics, kind, by)
    long = f"{axis} {grain_name(by)}"
    size = statistics.plan.sizes(statistics.names)[long]
    return sums_by_unit(axes["unit"], axes[long], counts.values[:, 0], size)


def outcomes_of(statistics: JourneyStatistics) -> Ints:
    """Return the journeys by unit, outcome and origin, shape (64, 3, 3)."""
    axes, counts = table_of(statistics, "outcomes")
    found = np.zeros((N_BUCKETS, 3, 3), dtype=np.int64)
    found[tuple(axes.values())] = counts.values[:, 0]
    return found


def conversions_of(statistics: JourneyStatistics, by: By) -> Ints:
    """Return the journeys that converted without a visit and with one, shape (64, 2)."""
    won = outcomes_of(statistics)[:, CONVERTED].sum(axis=1)
    at_once = by_unit(statistics, "first", by, "place")[:, 0]
    return np.stack([at_once, won - at_once], axis=1)


def worth_of_conversions(statistics: JourneyStatistics) -> tuple[Ints, Floats]:
    """Return how many values of conversions are known, and their sum, shape (64, 2).

    By unit, and by whether the journey has a visit (1) or is its goal alone (0).
    """
    axes, counts = table_of(statistics, "values")
    known, value = np.zeros((N_BUCKETS, 2), dtype=np.int64), np.zeros((N_BUCKETS, 2))
    at = tuple(axes.values())
    known[at] = counts.values[:, 0]
    value[at] = [total / MICRO for total in whole_number(counts.values[:, 1:])]
    return known, value


def touches_counted(
    statistics: JourneyStatistics, by: By, kind: str
) -> tuple[dict[str, Ints], Ints, Floats]:
    """Return the codes, counts and worths of a table of touches of converting journeys.

    Parameters
    ----------
    statistics, by
        The statistics, and a grain of theirs.
    kind
        "touches", by the length of the journey and the place (1 first, 2 last, 3 both), or
        "touched", names by how many the journey touches.
    """
    check_counted_grain(statistics, by)
    axes, counts = table_of(statistics, kind, by)
    worth = [total / MICRO for total in whole_number(counts.values[:, 1:])]
    short = {axis.split(" ")[0]: codes for axis, codes in axes.items()}
    return short, counts.values[:, 0], np.array(worth, dtype=np.float64)


def mean_worth(statistics: JourneyStatistics) -> float:
    """Return the mean value of a conversion [currency], NaN where none is known."""
    counts = statistics.tables["values"].values
    known = int(counts[:, 0].sum())
    total = Fraction(sum(whole_number(counts[:, 1:])), MICRO)
    return float(total / known) if known else float("nan")
