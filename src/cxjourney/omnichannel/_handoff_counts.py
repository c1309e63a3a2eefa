"""Hand-off losses of statistics that add up: what is counted, and arms made of the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED
from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._stats.going_on import CENSORED, LOST, WENT_ON, Ends
from cxjourney._support.validation import check_choice
from cxjourney.exceptions import UnknownName
from cxjourney.journeys import (
    CONVERTED,
    DROPPED,
    IN_PROGRESS,
    Analysis,
    Found,
    Kind,
    bucket_of_each,
    counted_analysis,
    is_visit,
    outcomes_of,
    visits_of,
)
from cxjourney.log import Coded
from cxjourney.omnichannel._arms import could_be_followed
from cxjourney.omnichannel._arrivals import Arrivals, Handoffs, arms_of_ends, how_ended
from cxjourney.omnichannel._channel_transitions import (
    DAY_US,
    GRAINS,
    ChannelBy,
    OrderFacts,
    coded_at,
    notes_of_order,
    order_facts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.journeys import Journeys, JourneyStatistics, Plan

REFERENCES = ("stayed", "stayed_or_started")
_FACTS = ("n", "n_unknown", "n_pairs", "made", "switched", "tied", "within_day", "longer")
_BINS = 4  # fine bins that are one here: arrivals have as many kinds as a touchpoint has sources
_COLUMNS = ("ended", "left", "censored", "late")


@attrs.frozen(kw_only=True)
class HandoffCounts(Analysis):
    """What hand-off losses count: arrivals by source, destination, stratum and time.

    Attributes
    ----------
    by, strata
        See `handoff_loss`.
    """

    name: ClassVar[str] = "handoff_loss"
    vocabularies: ClassVar[tuple[str, ...]] = ("node", "stratum")

    by: ChannelBy
    strata: ChannelBy | None

    @classmethod
    def of(  # type: ignore[override]  # the options by name
        cls,
        journeys: Journeys | None,
        *,
        by: Any = "channel",
        strata: Any = "touchpoint",
        reference: Any = "stayed",
    ) -> Self:
        """Return what is counted, given the arguments of `handoff_loss`; any reference will do."""
        check_choice(by, "by", GRAINS)
        check_choice(reference, "reference", REFERENCES)
        if strata is not None:
            check_choice(strata, "strata", GRAINS)
        if journeys is not None:
            for one in (by,) if strata is None else (by, strata):
                coded_at(journeys, one)
        return cls(by=by, strata=strata)

    def kinds(self, _plan: object) -> Mapping[str, Kind]:
        """Return what each table holds: ends of arrivals, journeys that are followed, and facts.

        An arrival that begins a journey comes from its own node.
        """
        axes = ("unit", "begins", "from node", "to node", "in stratum", "wait")
        return {
            "arrivals": Kind(axes=axes, columns=_COLUMNS),
            "followed": Kind(axes=("outcome",)),
            "facts": Kind(axes=("fact",)),
            "unknown": Kind(axes=("begins",)),
        }

    def sizes(self, plan: Plan) -> Mapping[str, int]:
        """Return the size of each axis."""
        return {"begins": 2, "fact": len(_FACTS), "wait": _silence(plan) + 1}

    def counted(
        self, journeys: Journeys, plan: Plan
    ) -> tuple[Mapping[str, Sequence[str]], Mapping[str, tuple[list[Ints], list[Ints] | None]]]:
        """Return the names of nodes and strata, and the rows of the tables."""
        visits, visit, unit = visits_of(journeys), is_visit(journeys), bucket_of_each(journeys)
        assert visits.wait_us is not None  # noqa: S101 - paths have been refused
        coded = _sorted_at(journeys, self.by)
        within = Coded(np.zeros(len(visit), dtype=np.int8), ("",))
        if self.strata is not None:
            within = _sorted_at(journeys, self.strata)
        node, stratum = coded.codes[visit], within.codes[visit]
        begins = np.zeros(len(node), dtype=np.int64)
        begins[visits.first] = 1
        before = np.where(begins > 0, node, np.append(-1, node[:-1])[: len(node)])
        arrived = (node >= 0) & (before >= 0)
        known = np.flatnonzero(arrived & (stratum >= 0))
        how = how_ended(journeys, visits)
        wait = np.full(len(known), _silence(plan))
        silent = (how[known] == LOST) & (visits.state[known] != MOVED)
        seen = ~silent
        wait[seen] = plan.grid.bins(visits.wait_us[known[seen]]) // _BINS
        columns = [
            ((how[known] == WENT_ON) | silent),
            (how[known] == LOST) & seen,
            how[known] == CENSORED,
            ~could_be_followed(journeys)[visit][known],
        ]
        followed = np.flatnonzero(journeys.customer[1:] == journeys.customer[:-1])
        rows = [unit[visits.journey], begins, before, node, stratum]
        return {"node": coded.names, "stratum": within.names}, {
            "arrivals": ([*(row[known] for row in rows), wait], [1 * one for one in columns]),
            "followed": ([journeys.outcome[followed].astype(np.int64)], None),
            "facts": ([np.arange(len(_FACTS))], [_facts(journeys, coded, visit)]),
            "unknown": ([begins[arrived & (stratum < 0)]], None),
        }

    def agree(self, plan: Plan, found: Found, outcomes: Ints) -> bool:
        """Return whether the tables could be those of journeys."""
        axes, values = found.axes["arrivals"], found.values["arrivals"]
        ended, left, censored, late = values.T
        silent, begun = axes["wait"] == _silence(plan), axes["begins"] == 1

        def held(counts: Ints) -> Ints:
            total = np.zeros(N_BUCKETS, dtype=np.int64)
            np.add.at(total, axes["unit"], counts)
            return total

        facts, followed = found.values["facts"][:, 0], found.filled("followed", 3)[:, 0]
        return bool(
            (held(np.where(silent, ended, 0) + left) <= outcomes[:, DROPPED]).all()
            and (held(censored) <= outcomes[:, IN_PROGRESS]).all()
            and (held(np.where(begun, ended + left + censored, 0)) <= outcomes.sum(axis=1)).all()
            and (late <= ended + left + censored).all()
            and not (left + censored)[silent].any()
            and (axes["from node"] == axes["to node"])[begun].all()
            and (followed <= outcomes.sum(axis=0)).all()
            and facts.sum() <= facts.max(initial=0) * len(_FACTS)
        )


def _silence(plan: Plan) -> int:
    """Return the bin of those of whom nothing was seen up to the limit."""
    return -(-plan.grid.n_fine // _BINS)


def _sorted_at(journeys: Journeys, by: ChannelBy) -> Coded:
    """Return the node of each row, names sorted; -1 where a part has none."""
    try:
        coded = coded_at(journeys, by)
    except UnknownName:
        if by != "kind":
            raise
        return Coded(np.full(len(journeys.columns), -1), ())
    order = sorted(range(len(coded.names)), key=coded.names.__getitem__)
    place = np.append(np.empty(len(order), dtype=np.int64), -1)
    place[order] = np.arange(len(order))
    return Coded(place[coded.codes], tuple(coded.names[i] for i in order))


def _facts(journeys: Journeys, coded: Coded, visit: Bools) -> Ints:
    facts, time = order_facts(journeys, coded, closing=False), journeys.columns.time
    assert time is not None  # noqa: S101 - paths have been refused
    more = (np.count_nonzero(visit & (time % DAY_US > 0)), np.diff(journeys.offsets) > 1)
    return np.array([*(getattr(facts, name) for name in _FACTS[:-2]), more[0], more[1].sum()])


def handoffs_counted(
    statistics: JourneyStatistics, by: ChannelBy, strata: ChannelBy | None, reference: str
) -> Handoffs:
    """Return the arrivals of statistics; raise InvalidValue where others were counted."""
    found = counted_analysis(statistics, HandoffCounts.of(None, by=by, strata=strata))
    axes, values = found.axes["arrivals"], found.values["arrivals"]
    names, n_strata = found.names["node"], max(len(found.names["stratum"]), 1)
    started = reference == "stayed_or_started"
    ended, left, censored, late = values.T
    silent = axes["wait"] == _silence(statistics.plan)
    blocks = (np.arange(len(ended)), np.flatnonzero(left), np.flatnonzero(censored))
    row = np.concatenate(blocks)
    ways = (np.where(silent, LOST, WENT_ON), np.full(len(blocks[1]), LOST))
    arrivals = Arrivals(
        names=names,
        node=axes["to node"][row],
        before=axes["from node"][row],
        stratum=axes["in stratum"][row],
        known=np.full(len(row), fill_value=True) if started else axes["begins"][row] == 0,
        n_strata=n_strata,
        n_unknown=0,
    )
    ends = Ends(
        group=row,
        wait=axes["wait"][row],
        how=np.concatenate([*ways, np.full(len(blocks[2]), CENSORED)]),
        unit=axes["unit"][row],
        count=np.concatenate([ended, left[blocks[1]], censored[blocks[2]]]),
    )
    came_late = np.flatnonzero(late)
    arms = arms_of_ends(arrivals, ends, came_late, late[came_late], on_grid=True)
    facts = dict(zip(_FACTS, found.filled("facts", len(_FACTS))[:, 0].tolist(), strict=True))
    unknown = found.values["unknown"][:, 0]
    if not started:
        unknown = unknown[found.axes["unknown"]["begins"] == 0]
    order = OrderFacts(
        **{name: facts[name] for name in _FACTS[:-2]},
        lost=facts["n_pairs"] - facts["made"],
        late=0,
        dates_only=not facts["within_day"],
        at_end=0,
        n_names=len(names),
        longer=facts["longer"] > 0,
    )
    return Handoffs(
        names=names,
        arms=arms,
        n_strata=n_strata,
        n_unknown=int(unknown.sum()),
        notes=notes_of_order(order, by),
        again=_again(statistics, found),
    )


def _again(statistics: JourneyStatistics, found: Found) -> tuple[float, float]:
    n, followed = outcomes_of(statistics).sum(axis=(0, 2)), found.filled("followed", 3)[:, 0]
    dropped, converted = (
        float(followed[how] / n[how]) if n[how] else 0.0 for how in (DROPPED, CONVERTED)
    )
    return dropped, converted
