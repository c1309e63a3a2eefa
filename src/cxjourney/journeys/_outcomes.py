"""Beginnings, ends and outcomes of journeys: the rules, on integer columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from cxjourney._support.validation import (
    check_choice,
    check_flag,
    check_names,
    duration_us,
    optional_duration,
)
from cxjourney._support.words import counted
from cxjourney.domain import JourneyBlueprint, Outcome, Touchpoint, check_blueprint
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, TimesRequired, UnknownName
from cxjourney.journeys._transition_gaps import TransitionGaps, pauses
from cxjourney.kernels import cut_journeys, segment_starts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from cxjourney.log import Columns, InteractionLog, Rows

OUTCOMES = (Outcome.CONVERTED, Outcome.DROPPED, Outcome.IN_PROGRESS)
CONVERTED, DROPPED, IN_PROGRESS = 0, 1, 2


def _goals(value: str | Iterable[str] | None) -> tuple[str, ...]:
    return check_names(value, "goal")


def _limit(value: timedelta | str | None) -> timedelta | None:
    return optional_duration(value, "inactivity")


def _carried(value: timedelta | str | None) -> timedelta | None:
    return optional_duration(value, "carry_channels")


def _exits(value: str | Iterable[str] | None) -> tuple[str, ...]:
    return check_names(value, "exit_touchpoints")


@attrs.frozen(kw_only=True)
class JourneyRules:
    """How journeys were cut and what their outcomes mean.

    Attributes
    ----------
    goal
        Touchpoints with which a journey has converted.
    exit_touchpoints
        Touchpoints with which a customer leaves explicitly.
    inactivity
        The silence after which a customer counts as lost; None where nothing tells.
    after_goal
        What becomes of what follows the goal.
    all_closed
        Whether every journey is over, so that one that did not convert was dropped.
    by_journey_column
        Whether a case or session id cuts, instead of silence.
    gaps
        What gap is unusual for its transition and cuts too; None where none does.
    carry_channels
        The silence within which a channel stands for interactions without one; None where none.
    unit
        Whose journeys these are.
    truncated
        Whether ends were cut off, so that what became of journeys is not among their rows.
    """

    goal: tuple[str, ...] = attrs.field(default=(), converter=_goals)
    exit_touchpoints: tuple[str, ...] = attrs.field(default=(), converter=_exits)
    inactivity: timedelta | None = attrs.field(default=None, converter=_limit)
    after_goal: Literal["new_journey", "discard", "keep"] = "new_journey"
    all_closed: bool = False
    by_journey_column: bool = False
    gaps: TransitionGaps | None = None
    carry_channels: timedelta | None = attrs.field(default=None, converter=_carried)
    unit: Literal["customer", "account"] = "customer"
    truncated: bool = False

    @property
    def determined(self) -> bool:
        """Whether a journey that does not convert can come to an end."""
        ending = self.inactivity or self.exit_touchpoints or self.all_closed
        return not self.truncated and (not self.goal or bool(ending))

    @property
    def absorbing(self) -> bool:
        """Whether the goal ends a journey."""
        return self.after_goal != "keep"

    def check(self, touchpoints: tuple[str, ...], planned: Collection[str] = ()) -> None:
        """Raise where a choice breaks its rule or names no touchpoint of the log or of a plan."""
        check_choice(self.after_goal, "after_goal", ("new_journey", "discard", "keep"))
        check_flag(self.all_closed, "all_closed")
        if self.gaps is not None:
            if not isinstance(self.gaps, TransitionGaps):
                raise InvalidValue.of("gaps", "be a TransitionGaps or None", self.gaps)
            if self.by_journey_column:
                rule = "be left out where the log has a journey column, which cuts instead"
                raise InvalidValue.of("gaps", rule, self.gaps)
        if touchpoints:  # an empty log knows no names to check against
            for kind, names in (("goal", self.goal), ("exit_touchpoints", self.exit_touchpoints)):
                for name in names:
                    if name not in touchpoints and name not in planned:
                        known = (*touchpoints, *planned)
                        raise UnknownName.among(kind, name, known, where="the log")
        both = set(self.goal) & set(self.exit_touchpoints)
        if both:
            raise InvalidValue.of("exit_touchpoints", "not name a goal", min(both))


def undetermined(caller: str) -> OutcomeUndetermined:
    """Return the error of a caller that needs to know when a journey without the goal is over."""
    return OutcomeUndetermined(
        f"{caller} needs to know when a journey without the goal is over: give "
        "log.journeys(inactivity=timedelta(...)) a limit, name exit_touchpoints=, or say "
        "all_closed=True where all cases are closed; log.suggest_inactivity() shows "
        "what each limit would mean"
    )


def planned_touchpoints(
    touchpoints: Iterable[str | Touchpoint] | None, blueprint: JourneyBlueprint | None
) -> tuple[str, ...]:
    """Return names that are known whether or not they occur in a log."""
    steps = () if blueprint is None else check_blueprint(blueprint).touchpoints
    given: Any = touchpoints
    if isinstance(given, Iterable) and not isinstance(given, str):
        given = [one.name if isinstance(one, Touchpoint) else one for one in given]
    return (*check_names(given, "touchpoints"), *steps)


def mask_of(columns: Columns, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which rows are at one of the touchpoints."""
    coded = columns.coded["touchpoint"]
    mask = np.zeros(len(coded), dtype=np.bool_)
    for code in np.flatnonzero(_among(coded.names, names)):
        mask |= coded.codes == code
    return mask


def _among(names: Sequence[str], wanted: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.array([name in wanted for name in names], dtype=np.bool_)


def cut(
    columns: Columns, rules: JourneyRules
) -> tuple[Rows | None, NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Cut the rows of a log into journeys.

    Returns
    -------
    rows
        Rows of the log, in the order of the journeys, or whether each row stays; None where all
        stay in place.
    offsets
        Rows of journey i are [offsets[i], offsets[i + 1]) of those.
    silent
        For each journey, whether a later interaction of the customer came after the limit, or
        after a gap that is unusual for its transition.
    customer
        Customer of each journey.
    """
    n = len(columns)
    if n == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return None, np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.bool_), nothing
    if not rules.by_journey_column and rules.gaps is None:
        ending = rules.exit_touchpoints + (rules.goal if rules.absorbing else ())
        if rules.after_goal == "discard":
            return _until_first_end(columns, ending, *_cut_in_place(columns, rules, ()))
        return None, *_cut_in_place(columns, rules, ending)
    customer = columns.customer
    rows = _grouped_rows(columns, customer) if rules.by_journey_column else None
    ordered = customer if rows is None else customer[rows]
    new_customer = _differs(ordered)
    if rules.by_journey_column:
        case = columns.coded["journey"].codes
        natural = new_customer | _differs(case if rows is None else case[rows])
        silence = np.zeros(n, dtype=np.bool_)
    else:
        silence = _silences(columns, rules.inactivity) & ~new_customer
        natural = new_customer | silence
    ends = mask_of(columns, rules.exit_touchpoints)
    if rules.absorbing:
        ends |= mask_of(columns, rules.goal)
    ends = ends if rows is None else ends[rows]
    after_end = np.append(False, ends[:-1])
    if rules.gaps is not None:
        if columns.time is None:
            raise TimesRequired("gaps= needs times; aggregated paths have none")
        codes = columns.coded["touchpoint"].codes
        silence |= pauses(codes, columns.time, ~(natural | after_end), rules.gaps)
        natural |= silence
    if rules.after_goal == "discard":
        keep = ~_after_first_end(ends, segment_starts(natural))
        rows = np.flatnonzero(keep) if rows is None else rows[keep]
        natural, silence = natural[keep], silence[keep]
        after_end = np.zeros(len(rows), dtype=np.bool_)
    offsets = segment_starts(natural, after_end)
    begins_after_silence = np.append(silence[offsets[1:-1]], False)
    of_row = customer if rows is None else customer[rows]
    return rows, offsets, begins_after_silence, of_row[offsets[:-1]]


def _cut_in_place(
    columns: Columns, rules: JourneyRules, ending: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Cut rows that stay where they are, at silences and after the `ending` touchpoints."""
    if rules.inactivity is not None and columns.time is None:
        raise TimesRequired("inactivity= needs times; aggregated paths have none")
    if rules.inactivity is None and not ending:  # each customer has one journey
        n = columns.n_customers
        return columns.offsets, np.zeros(n, dtype=np.bool_), np.arange(n)
    touchpoint = columns.coded["touchpoint"]
    return cut_journeys(
        columns.offsets,
        columns.time,
        touchpoint.codes,
        _among(touchpoint.names, ending),
        0 if rules.inactivity is None else duration_us(rules.inactivity),
    )


def _until_first_end(
    columns: Columns,
    ending: tuple[str, ...],
    offsets: NDArray[np.int64],
    silent: NDArray[np.bool_],
    customer: NDArray[np.int64],
) -> tuple[Rows | None, NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Leave out what follows the first `ending` touchpoint of each journey."""
    stop = offsets[1:].copy()
    ends = np.flatnonzero(mask_of(columns, ending))
    journey = np.searchsorted(offsets, ends, side="right") - 1
    stop[journey[::-1]] = ends[::-1] + 1  # the first is written last
    kept, dropped = stop - offsets[:-1], offsets[1:] - stop
    if not dropped.any():
        return None, offsets, silent, customer
    runs = np.stack([kept, dropped], axis=1).ravel()
    rows = np.repeat(np.tile([True, False], len(kept)), runs)
    return rows, np.append(0, np.cumsum(kept)), silent, customer


def outcomes(
    columns: Columns,
    offsets: NDArray[np.int64],
    silent: NDArray[np.bool_],
    rules: JourneyRules,
    observed_until_us: int | None,
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Return the outcome of each journey, and whether its last row is a goal or an exit.

    `columns` holds the rows of the journeys, which `offsets` cuts.
    """
    n = len(offsets) - 1
    last = offsets[1:] - 1
    outcome = np.full(n, IN_PROGRESS, dtype=np.int8)
    if rules.all_closed:
        outcome[:] = DROPPED
    elif rules.inactivity is not None:
        if columns.time is None or observed_until_us is None:
            if n:
                raise TimesRequired("inactivity= needs times; aggregated paths have none")
            return outcome, np.zeros(n, dtype=np.bool_)
        open_for = observed_until_us - columns.time[last]
        outcome[open_for >= duration_us(rules.inactivity)] = DROPPED
    outcome[silent] = DROPPED
    if n == 0:
        return outcome, np.zeros(0, dtype=np.bool_)
    touchpoint = columns.coded["touchpoint"]
    at_last = touchpoint.codes[last]
    left = _among(touchpoint.names, rules.exit_touchpoints)[at_last]
    outcome[left] = DROPPED
    if rules.absorbing:
        reached = _among(touchpoint.names, rules.goal)[at_last]
        outcome[reached] = CONVERTED
        return outcome, reached | left
    reached = np.add.reduceat(mask_of(columns, rules.goal), offsets[:-1]) > 0
    outcome[reached] = CONVERTED
    return outcome, left & ~reached


def _differs(codes: NDArray[np.integer]) -> NDArray[np.bool_]:
    return np.append(True, codes[1:] != codes[:-1])


def _silences(columns: Columns, inactivity: timedelta | None) -> NDArray[np.bool_]:
    """Return the rows that follow a silence of at least `inactivity`."""
    if inactivity is None:
        return np.zeros(len(columns), dtype=np.bool_)
    if columns.time is None:
        raise TimesRequired("inactivity= needs times; aggregated paths have none")
    return np.append(False, np.diff(columns.time) >= duration_us(inactivity))


def _grouped_rows(columns: Columns, customer: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """Return rows with each case of a customer together, cases in order of their first row."""
    case = columns.coded["journey"].codes
    if missing := int(np.count_nonzero(case < 0)):
        raise InvalidValue(
            f"journey is missing in {counted(missing, 'row')}: filter them out, or build the log "
            "without journey="
        )
    change = _differs(customer) | _differs(case)
    starts = np.flatnonzero(change)
    _, first_seen, run_case = np.unique(
        np.stack([customer[starts], case[starts]]), axis=1, return_index=True, return_inverse=True
    )
    if len(first_seen) == len(starts):
        return None  # no case interleaves with another
    begin = starts[first_seen][run_case.ravel()]
    key = np.repeat(begin, np.diff(np.append(starts, len(case))))
    return np.argsort(key, kind="stable")


def _after_first_end(ends: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the rows that come after the first end of their segment."""
    before: NDArray[np.int64] = np.cumsum(ends) - ends
    at_start: NDArray[np.int64] = np.repeat(before[offsets[:-1]], np.diff(offsets))
    return before > at_start


def left_truncated(
    log: InteractionLog,
    columns: Columns,
    first: NDArray[np.int64],
    customer: NDArray[np.int64],
    rules: JourneyRules,
) -> NDArray[np.bool_]:
    """Return journeys that open a customer's log within the limit of the observation's start."""
    marked = np.zeros(len(first), dtype=np.bool_)
    if columns.time is None or log.observed_from_us is None or rules.inactivity is None:
        return marked
    opens = np.append(True, customer[1:] != customer[:-1])[: len(first)]
    since = columns.time[first] - log.observed_from_us
    return opens & (since < rules.inactivity // timedelta(microseconds=1))


def after_goal(
    columns: Columns,
    offsets: NDArray[np.int64],
    customer: NDArray[np.int64],
    won: NDArray[np.bool_],
    rules: JourneyRules,
) -> NDArray[np.bool_]:
    """Return journeys that begin because a goal, no silence or other case, ended the one before."""
    after = np.zeros(len(customer), dtype=np.bool_)
    after[1:] = won[:-1] & (customer[1:] == customer[:-1])
    begin = offsets[:-1][after]
    if rules.by_journey_column:
        case = columns.coded["journey"].codes
        after[after] = case[begin] == case[begin - 1]
    elif columns.time is not None and rules.inactivity is not None:
        after[after] = columns.time[begin] - columns.time[begin - 1] < duration_us(rules.inactivity)
    return after


def values(
    columns: Columns,
    offsets: NDArray[np.int64],
    rules: JourneyRules,
) -> NDArray[np.float64]:
    """Return the value of each converted journey: that of its goal interactions."""
    value: Any = columns.numeric.get("value")
    total = np.full(len(offsets) - 1, np.nan)
    if value is None or not len(total):
        return total
    at_goal = mask_of(columns, rules.goal) & ~np.isnan(value)
    sums = np.add.reduceat(np.where(at_goal, value, 0.0), offsets[:-1])
    known = np.add.reduceat(at_goal, offsets[:-1]) > 0
    total[known] = sums[known]  # a journey with its goal has converted
    return total
