"""Cross-channel cost: what follows a first switch, against what follows a contact without one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, overload

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, left_out_probabilities, move_mass
from cxjourney._stats.buckets import BucketFigures, difference_of_means, difference_of_shares
from cxjourney._stats.estimates import CLUSTERED
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_flag, check_level, check_name, duration_us
from cxjourney.journeys import (
    CONVERTED,
    DROPPED,
    IN_PROGRESS,
    BySegment,
    SegmentBy,
    by_segment,
    check_journeys,
    units_of,
)
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._arms import could_be_followed, pooled_means
from cxjourney.omnichannel._channel_transitions import (
    ChannelBy,
    coded_at,
    order_notes,
    outcome_rows,
)

if TYPE_CHECKING:
    from cxjourney._stats.units import Units
    from cxjourney.journeys import Journeys

_LATEST = 20  # from this contact on all are one stratum
_ROUNDING = 1e-12


@attrs.frozen(kw_only=True, repr=False)
class CrossChannelCost(Result):
    """Differences between journeys that leave their channel and like journeys that stay.

    Attributes
    ----------
    by
        What is crossed.
    time
        Difference in the time from the contact before to the last one [seconds].
    interactions
        Difference in the number of interactions from there on.
    score
        Difference in the mean score of these interactions [points].
    value
        Difference in the value of a conversion [currency].
    conversion
        Difference in the share of journeys that convert [fraction].
    table
        One row a measure.

        | column | what it is |
        |---|---|
        | `measure`, `unit` | what is compared, and in what |
        | `difference`, `low`, `high` | across channels less within one, and its interval |
        | `cross`, `single` | the two means compared, strata weighted alike |
        | `crude` | the difference without strata |
        | `cross_journeys`, `single_journeys` | journeys compared; one may be on both sides |
    strata
        Attribute within which journeys were compared; None where none.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Cross-channel cost"

    by: ChannelBy
    time: Estimate
    interactions: Estimate
    score: Estimate
    value: Estimate
    conversion: Estimate
    table: Table
    strata: str | None
    level: float
    notes: tuple[str, ...]

    def _notes(self) -> tuple[str, ...]:
        return (f"{100 * self.level:g}% intervals are clustered by customer.", *self.notes)


@overload
def cross_channel_cost(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    strata: str | None = None,
    score: str = "score",
    match_length: bool = True,
    closing: bool = True,
    segment: None = None,
    level: float = 0.95,
) -> CrossChannelCost: ...


@overload
def cross_channel_cost(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    strata: str | None = None,
    score: str = "score",
    match_length: bool = True,
    closing: bool = True,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[CrossChannelCost]: ...


def cross_channel_cost(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    strata: str | None = None,
    score: str = "score",
    match_length: bool = True,
    closing: bool = True,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> CrossChannelCost | BySegment[CrossChannelCost]:
    """Compare what follows a first switch of channel with what follows where there is none.

    Parameters
    ----------
    journeys
        The journeys.
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    strata
        Attribute of customers or interactions within which journeys are compared, such as the type
        of issue: its first value, known before the switch. None compares all.
    score
        Which number of the interactions is the score.
    match_length
        Whether to compare only journeys with as many interactions so far: later ones convert, and
        switch, at rates of their own.
    closing
        Whether the goal or exit that ends a journey counts among its interactions and scores. It is
        never what a journey crosses to: where it takes place is known of those alone that come so
        far.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    CrossChannelCost
        NaN where no stratum has both kinds of journeys, and for measures that the data lacks.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    OutcomeUndetermined
        If nothing says when a journey without the goal is over.
    UnknownName
        If the log has no such column or attribute.

    Notes
    -----
    At each contact after the first, journeys that leave their channel here for the first time are
    compared with those that came as far, in the same channel, and stay: exposure is known before
    what it is compared by, and a journey that stays now may cross later. Means weigh each journey
    that is over by its Aalen-Johansen mass, so that journeys in progress count for as long as they
    were seen. Differences are pooled over strata, Σ w (cross - single) / Σ w with the weights of
    Mantel and Haenszel, w = n₁ n₀ / (n₁ + n₀). Intervals are Student's, for conversion Newcombe's
    hybrid, over buckets of customers; there is none where a side rests on fewer than three
    customers or so. Who needs a second channel often has the harder case: an association, not what
    the switch does.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> paths = [["web", "web"], ["web", "phone"]]
    >>> journeys = Journeys.from_paths(
    ...     paths, converted=[60, 30], dropped=[40, 70], channels=True
    ... )
    >>> round(cross_channel_cost(journeys).conversion.value, 2)
    -0.3
    """
    check_flag(match_length, "match_length")
    check_flag(closing, "closing")
    check_journeys(journeys)
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: cross_channel_cost(
                part,
                by=by,
                strata=strata,
                score=score,
                match_length=match_length,
                closing=closing,
                level=level,
            ),
        )
    check_level(level)
    check_name(score, "score")
    journeys.require_determined("cross_channel_cost")
    notes = list(order_notes(journeys, by, closing=False))
    contacts = _Contacts.of(journeys, by, strata, notes)
    _note_progress(journeys, notes)
    measures = _measures(journeys, contacts, score, notes, closing=closing)
    within = contacts.stratum
    if match_length:
        within = within * (_LATEST + 1) + np.minimum(contacts.position, _LATEST)
    units = units_of(journeys)
    found = {
        name: _compare(contacts, measure, within, units, name=name, level=level)
        for name, measure in measures.items()
    }
    if not any(c.estimate.n for c in found.values()):
        notes.append(
            f"At no contact do some journeys leave their {by} and others stay, so that nothing can "
            "be compared."
        )
    else:
        notes.append(
            "Customers who switch differ from those who do not: this is an association, "
            "not an effect."
        )
    few = [name for name, c in found.items() if c.estimate.n and math.isnan(c.estimate.low)]
    if few:
        notes.append(
            f"{', '.join(few)}: there is no interval, because a side rests on fewer than three "
            "customers or so, or all are alike."
        )
    notes += [
        f"{name}: the crude difference has the other sign (Simpson's paradox)."
        for name, compared in found.items()
        if compared.crude * compared.estimate.value < 0
    ]
    rows = found.values()
    return CrossChannelCost(
        by=by,
        **{name: compared.estimate for name, compared in found.items()},
        table=Table(
            {
                "measure": list(found),
                "unit": [c.estimate.unit for c in rows],
                "difference": [c.estimate.value for c in rows],
                "low": [c.estimate.low for c in rows],
                "high": [c.estimate.high for c in rows],
                "cross": [c.cross for c in rows],
                "single": [c.single for c in rows],
                "crude": [c.crude for c in rows],
                "cross_journeys": [c.n_cross for c in rows],
                "single_journeys": [c.n_single for c in rows],
            },
            backend=journeys.log.backend,
        ),
        strata=strata,
        level=level,
        notes=tuple(notes),
    )


def _note_progress(journeys: Journeys, notes: list[str]) -> None:
    running = int(np.count_nonzero(journeys.outcome == IN_PROGRESS))
    if not running:
        return
    if running == len(journeys.outcome):
        notes.append(
            f"{running:,} journeys in progress are all there are. No journey is known to be over; "
            "give log.journeys(inactivity=…) a limit."
        )
    else:
        notes.append(
            f"{running:,} journeys in progress count for as long as they were seen "
            "(Aalen-Johansen). What lies beyond the longest time seen counts on neither side."
        )


@attrs.frozen(kw_only=True)
class _Contacts:
    """Contacts of journeys that had one channel until then: here they stay, or leave it.

    `row` is that of the contact in the journeys' columns, `position` how many came before it;
    `early` says whether a drop-off after it could be known.
    """

    journey: Ints
    row: Ints
    position: Ints
    cross: Bools
    stratum: Ints
    wait_us: Ints | None
    is_over: Bools
    early: Bools

    @classmethod
    def of(
        cls, journeys: Journeys, by: ChannelBy, strata: str | None, notes: list[str]
    ) -> _Contacts:
        lengths = journeys.lengths
        some = np.flatnonzero(lengths > 0)
        journey = np.repeat(some, lengths[some])
        begins = np.cumsum(lengths[some]) - lengths[some]
        position = np.arange(len(journey)) - np.repeat(begins, lengths[some])
        row = journeys.offsets[journey] + position
        node = coded_at(journeys, by).codes.astype(np.int64)
        begun = node[journeys.offsets[journey]]
        here = node[row]
        ended = np.append(outcome_rows(journeys), False)[row]  # a goal that ends nothing
        last = np.where(ended, position - 1, np.where(here == begun, lengths[journey], position))
        if len(begins):
            last = np.repeat(np.minimum.reduceat(last, begins), lengths[some])
        used = (position > 0) & (position <= last) & (begun >= 0) & (here >= 0)
        stratum = begun  # like is compared with like: who left from the same place
        if strata is not None:
            code, known_from = _first_known(journeys, strata)
            known = known_from[journey] < row
            unknown = len(np.unique(journey[used & ~known]))
            if unknown:
                notes.append(
                    f"{unknown:,} journeys are left out where their {strata} was not known yet, or "
                    "is not known at all."
                )
            used &= known
            stratum = stratum * (int(code.max(initial=0)) + 1) + code[journey]
        journey, row = journey[used], row[used]
        is_over = journeys.outcome[journey] != IN_PROGRESS
        return cls(
            journey=journey,
            row=row,
            position=position[used],
            cross=here[used] != begun[used],
            stratum=stratum[used],
            wait_us=_waits(journeys, journey, row),
            is_over=is_over,
            early=could_be_followed(journeys)[row],
        )


def _first_known(journeys: Journeys, name: str) -> tuple[Ints, Ints]:
    """Return the first known value of each journey, and its row; a row beyond all where none."""
    log = attrs.evolve(journeys.log, columns=journeys.columns)
    coded = log.attribute(check_name(name, "strata"))
    row = coded.first_known(journeys.offsets)
    return np.append(coded.codes.astype(np.int64), 0)[row], row


def _waits(journeys: Journeys, journey: Ints, row: Ints) -> Ints | None:
    """Return the time from each contact until its journey was known to be over, or is open [µs]."""
    time = journeys.columns.time
    if time is None:
        return None
    end = time[journeys.offsets[1:] - 1].copy()
    until = journeys.log.observed_until_us
    silent = (journeys.outcome == DROPPED) & ~journeys.absorbed
    if journeys.rules.inactivity is not None:
        end[silent] += duration_us(journeys.rules.inactivity)
    if until is not None:
        end[silent] = np.minimum(end[silent], until)
        end[journeys.outcome == IN_PROGRESS] = until
    waits: Ints = np.maximum(end[journey] - time[row], 0)
    return waits


@attrs.frozen(kw_only=True)
class _Measure:
    values: Floats
    unit: str
    definition: str


def _measures(
    journeys: Journeys, contacts: _Contacts, score: str, notes: list[str], *, closing: bool
) -> dict[str, _Measure]:
    """Return what is compared, one value a contact; NaN where it is not known."""
    journey, row = contacts.journey, contacts.row
    unknown = np.full(len(row), np.nan)
    time, rated = unknown, unknown
    timestamps = journeys.columns.time
    end = journeys.offsets[journey + 1]
    if not closing:
        end = end - journeys.absorbed[journey]
    if timestamps is None:
        notes.append("Aggregated paths have neither times nor scores; both are left out.")
    else:
        time = (timestamps[journeys.offsets[journey + 1] - 1] - timestamps[row - 1]) / 1e6
        numbers = journeys.columns.numeric.get(score)
        if numbers is None:
            notes.append(f"The log has no {score!r}.")
        else:
            scores = np.asarray(numbers, dtype=np.float64)
            total, count = (
                np.append(0.0, np.cumsum(part))
                for part in (np.nan_to_num(scores), ~np.isnan(scores))
            )
            with np.errstate(invalid="ignore"):
                rated = (total[end] - total[row]) / (count[end] - count[row])
    converted = (journeys.outcome[journey] == CONVERTED).astype(np.float64)
    return {
        "time": _Measure(values=time, unit="seconds", definition="contact before to the last"),
        "interactions": _Measure(
            values=(end - row).astype(np.float64),
            unit="interactions",
            definition="interactions from here on",
        ),
        "score": _Measure(values=rated, unit="points", definition=f"mean {score} from here on"),
        "value": _Measure(
            values=journeys.value[journey],
            unit=journeys.log.currency or "money",
            definition="value of a converted journey",
        ),
        "conversion": _Measure(
            values=converted if journeys.converted.any() else unknown,
            unit="fraction",
            definition="share of journeys that convert",
        ),
    }


@attrs.frozen(kw_only=True)
class _Compared:
    estimate: Estimate
    cross: float = math.nan
    single: float = math.nan
    crude: float = math.nan
    n_cross: int = 0
    n_single: int = 0


def _compare(
    contacts: _Contacts, measure: _Measure, within: Ints, units: Units, *, name: str, level: float
) -> _Compared:
    """Return the difference of means, pooled over strata with both kinds of journeys.

    Without each bucket of customers in turn both the means and the weights are computed anew.
    """
    takes_part = ~contacts.is_over | ~np.isnan(measure.values)
    strata, place = np.unique(within, return_inverse=True)
    held = np.bincount(
        2 * place[takes_part] + contacts.cross[takes_part], minlength=2 * len(strata)
    )
    fewer: Ints = held.reshape(-1, 2).min(axis=1)
    takes_part &= fewer[place] > 0
    entries = np.flatnonzero(takes_part)
    _, place = np.unique(place[entries], return_inverse=True)
    arm = 2 * place + contacts.cross[entries]
    mean, own, without = _means(contacts, measure.values, entries, arm, units)
    size = own.sum(axis=0)
    both: Bools = ~np.isnan(mean.sum(axis=1))
    if not both.any():
        nothing = (math.nan, math.nan)
        return _Compared(
            estimate=_estimate(math.nan, nothing, 0, 0, measure, name=name, level=level)
        )
    n0, n1 = size[both].T
    pooled = pooled_means(n1, n0, *mean[both].T[::-1])
    others = size[both] - own[:, both]
    left = pooled_means(others[..., 1], others[..., 0], without[:, both, 1], without[:, both, 0])
    sides = [
        BucketFigures(whole=whole, without=rest, units=own[:, both, side].sum(axis=1))
        for whole, rest, side in zip(pooled, left, (1, 0), strict=True)
    ]
    apart = difference_of_shares if measure.unit == "fraction" else difference_of_means
    low, high, _ = apart(*sides, level=level)
    crude, _, _ = _means(contacts, measure.values, entries, 1 * contacts.cross[entries], units)
    compared = entries[both[place]]
    crossed = contacts.cross[compared]
    n_cross, n_single = (
        round(float(units.total(item=one).sum()))
        for one in (np.unique(contacts.journey[compared[side]]) for side in (crossed, ~crossed))
    )
    return _Compared(
        estimate=_estimate(
            float(pooled[0] - pooled[1]),
            (float(low), float(high)),
            round(float(size[both].sum())),
            int(np.count_nonzero(~contacts.is_over[compared])),
            measure,
            name=name,
            level=level,
        ),
        cross=float(pooled[0]),
        single=float(pooled[1]),
        crude=float(crude[0, 1] - crude[0, 0]),
        n_cross=n_cross,
        n_single=n_single,
    )


def _means(
    contacts: _Contacts, values: Floats, entries: Ints, arm: Ints, units: Units
) -> tuple[Floats, Floats, Floats]:
    """Return the mean of each arm, its contacts in each bucket, and its mean without each.

    The last axis runs over both arms of a stratum. NaN where no journey of an arm is over, or none
    of its contacts came early enough for a drop-off to be known.
    """
    n = int(arm.max(initial=-1)) + 1
    item, is_over = contacts.journey[entries], contacts.is_over[entries]
    whose = units.of
    y = np.where(is_over, values[entries], 0.0)
    own = units.sums(arm, n, item=item)
    ended = np.where(is_over, arm, -1)
    if contacts.wait_us is None or whose is None or is_over.all():
        sums = units.sums(ended, n, item=item, values=y)
        counts = units.sums(ended, n, item=item)
        total, base = sums.sum(axis=0), counts.sum(axis=0)
        left, left_base = total - sums, base - counts
    else:
        wait, state = contacts.wait_us[entries], np.where(is_over, MOVED, OPEN)
        mass = move_mass(arm, wait, state, n)
        total, base = np.bincount(arm, mass * y, minlength=n), np.bincount(arm, mass, minlength=n)
        left, left_base = (
            left_out_probabilities(
                arm,
                wait,
                state,
                ended,
                whose[item],
                source=np.arange(n),
                n_nodes=n,
                n_units=units.n,
                values=each,
            )
            for each in (y, None)
        )
    early = units.sums(np.where(contacts.early[entries], arm, -1), n, item=item)
    known = early.sum(axis=0)
    mean, without = (
        np.divide(
            part, whole, out=np.full(part.shape, np.nan), where=(whole > _ROUNDING) & (there > 0)
        )
        for part, whole, there in ((total, base, known), (left, left_base, known - early))
    )
    return mean.reshape(-1, 2), own.reshape(units.n, -1, 2), without.reshape(units.n, -1, 2)


def _estimate(
    value: float,
    ends: tuple[float, float],
    n: int,
    n_censored: int,
    measure: _Measure,
    *,
    name: str,
    level: float,
) -> Estimate:
    form = "Newcombe hybrid" if measure.unit == "fraction" else "Student"
    return Estimate(
        value=value,
        low=ends[0],
        high=ends[1],
        level=level,
        n=n,
        n_censored=n_censored,
        unit=measure.unit,
        method=f"Mantel-Haenszel weights, {form}, {CLUSTERED}",
        notes=() if n else ("empty",),
        name=name,
        definition=f"{measure.definition}: after a first switch less without one",
    )
