"""`findings`: what is wrong, since when, what it is worth, who is hit, and how sure that is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np

from cxjourney._findings._claims import (
    END_RATE,
    FEWEST_UNITS,
    FEWEST_VISITS,
    KINDS,
    handoffs,
    testable,
)
from cxjourney._findings._counted import CountedTrials
from cxjourney._findings._gains import effect_interval, gain_of, hit_by, share_explained
from cxjourney._findings._pipeline import CELLS, NOTHING, Judged, Judgement, judge
from cxjourney._findings._results import SHOWN_GAIN, Finding, Findings
from cxjourney._findings._trials import DAY_US, Trials
from cxjourney._findings._untested import Observation, deviations, mix_shift, observations
from cxjourney._findings._words import (
    date_of,
    doubts_of,
    family_of,
    kind_of,
    next_of,
    place_of,
    reasons_of,
    segment_of,
    sentence_of,
)
from cxjourney._stats.estimate import Estimate
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count, check_level, check_names, check_number
from cxjourney._support.words import counted
from cxjourney.domain import Outcome
from cxjourney.exceptions import UnknownName
from cxjourney.journeys import (
    JourneyStatistics,
    chain_figures,
    check_counted,
    grid_notes,
    mean_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cxjourney._findings._claims import Claim
    from cxjourney._support.array_types import Bools
    from cxjourney.domain import JourneyBlueprint
    from cxjourney.journeys import Journeys, SegmentBy

_NOTHING = 0.01
"""Share of closed journeys that dropped below which there is nothing to win."""

_NO_GAIN = (
    "It is there, but no gain can be shown: corrected for having been selected, it may be less "
    "than one conversion."
)
_WORTH_WATCHING = 0.5
_WATCHED_P = 0.05
_ASSUMPTION = (
    "Gains assume that customers who are kept go on like those who stayed. They are corrected for "
    "the selection of large ones, and gains of overlapping findings do not add up."
)
_FOLLOWED = (
    "Shares of exits here are those of visits that were followed long enough, for the whole "
    "inactivity limit where there is one. The exit probability of `dropoff.exits` also uses visits "
    "that were followed for less, so it can differ a little."
)
_NO_ROWS = "Look at journeys of some customers: statistics that add up know of none."
_COUNTED = (
    "These are statistics that add up. Customers are in 64 buckets, each of which counts as one: "
    "findings of journeys are mostly surer. Whether the first days of the record are complete is "
    "not looked at. Journeys and customers are all that come by a touchpoint or switch."
)
_UNTESTED = (
    "segments, changes since a date, conversions later on, incidents, loops, waits, low points and "
    "shifts of the mix need the rows of journeys"
)


def findings(
    journeys: Journeys | JourneyStatistics,
    *,
    segments: Sequence[SegmentBy] | None = None,
    value: float | None = None,
    expected_exits: str | Iterable[str] = (),
    blueprint: JourneyBlueprint | None = None,
    n: int = 10,
    level: float = 0.95,
    begin: Callable[[str], None] | None = None,
) -> Findings:
    """Return what is wrong, since when, for whom, what it is worth and how sure that is.

    Parameters
    ----------
    journeys
        The journeys, with a goal, times, and outcomes that say when one is over; or statistics of
        them, counted with `analyses={"findings": {}}` and an inactivity limit: exits beyond the
        peers' and hand-offs are tested, and `untested` says what needs rows.
    segments
        Attributes whose segments are compared; None takes those of customers, and those of
        interactions that are known when a journey begins, with 2 to 20 values; numbers are cut at
        their quartiles.
    value
        Value of a conversion [currency of the log]; None takes the mean of those that are known.
    expected_exits
        Touchpoints at which it is no fault that journeys end.
    blueprint
        The journey as designed: deviations that go with fewer conversions are worth watching.
    n
        How many sure findings and, apart from them, how many worth watching are given at most.
    level
        1 minus the false-discovery rate of what is called sure; confidence level of the intervals.
    begin
        Called with the name of each step as it begins, to show progress.

    Returns
    -------
    Findings

    Raises
    ------
    TimesRequired
        If the journeys were made of aggregated paths.
    OutcomeUndetermined
        If nothing says when a journey without the goal is over.
    NotAbsorbing
        If the goal does not end a journey (`after_goal="keep"`).
    UnknownName
        If a segment or an expected exit is not in the log.

    Notes
    -----
    Six kinds are tested, all one-sided for worse, and each has the same share of one error budget
    (weighted Benjamini-Hochberg, focused on one representative of what says the same thing): exits
    beyond the peers' of the stage, hand-offs, segments at a touchpoint, changes since a date,
    conversions later on, and incidents that nobody dated. Cells that are sure are taken out before
    touchpoints are tested, so that a touchpoint that only carries another finding is none of its
    own. Loops, waits, low points and shifts of the mix have no null: they are never sure.

    Examples
    --------
    >>> import cxjourney as cx
    >>> found = cx.findings(cx.datasets.sample(seed=2, customers=3_000).journeys())
    >>> sorted(f.where for f in found)[:2]
    ['app → web', 'cart']
    """
    counted_ones = check_counted(journeys, segments=segments, blueprint=blueprint)
    counted_ones.require_determined("findings")
    check_level(level)
    check_count(n, "n")
    expected = check_names(expected_exits, "expected_exits")
    if isinstance(counted_ones, JourneyStatistics):
        rows, trials = None, cast("Trials", CountedTrials.of(counted_ones))
    else:
        counted_ones.require_times("findings")
        trials = rows = Trials.of(counted_ones, segments)
    for name in expected:
        if name not in trials.names:
            raise UnknownName.among("expected_exits", name, trials.names, where="the journeys")
    chain_figures(counted_ones)  # refuses a goal that does not end a journey
    worth = mean_value(counted_ones) if value is None else float(check_number(value, "value"))
    sums = trials.sums
    stated = np.isin(np.array(trials.names, dtype=object), expected)
    with np.errstate(invalid="ignore"):
        enders = (sums.rate >= END_RATE) & (sums.trials >= FEWEST_VISITS)
    nothing = _nothing_to_find(trials)
    found = NOTHING
    if not nothing:
        parts = CELLS if rows else (handoffs,)
        found = judge(trials, ends=stated | enders, rate=1 - level, begin=begin, parts=parts)
    mix, shifted = mix_shift(rows, level=level) if rows else (Table({}), [])
    ranked = [_finding(trials, one, found, worth, level) for one in found.sure]
    ranked.sort(key=lambda one: -one[0].gain.low)
    apart = [
        _finding(trials, one, found, worth, level)
        for one in found.others
        if one.carried_by is None and one.adjusted <= _WORTH_WATCHING and one.claim.p <= _WATCHED_P
    ]
    sure, watching = ([one for one, _ in part] for part in (ranked, apart))
    seen = [*shifted, *observations(rows, level=level)] if rows and not nothing else []
    if rows and blueprint is not None and not nothing:
        seen += deviations(rows, blueprint, level=level)
    told = [_observed(trials, one, level) for one in seen]
    watching = [*watching[:n], *told[: max(0, n - len(watching[:n]))]]
    tests = Table(
        {
            "kind": [family_of(kind, with_stages=found.with_stages) for kind in KINDS],
            "tests": [found.tested.get(k, 0) for k in KINDS],
        }
    )
    return Findings(
        headline=nothing or _headline(sure, found),
        sure=tuple(sure[:n]),
        watching=tuple(watching),
        ends=_ends(trials, enders & ~stated),
        untested=_untested(trials, found),
        mix=mix,
        tests=tests,
        level=level,
        notes=()
        if nothing
        else (
            *_first(ranked + apart, level),
            *(_of_rows(rows) if rows else (_COUNTED, *grid_notes(counted_ones))),
            *_said(sure, found, n, level),
        ),
    )


def _first(found: list[tuple[Finding, float]], level: float) -> list[str]:
    """Say whether the first finding has the largest gain for sure, all pairs together.

    As if the gains were independent: errors of the same customers mostly go together, which makes
    the differences smaller.
    """
    from scipy.special import ndtri

    if len(found) < 2 or found[0][0].certainty != "sure":
        return []
    gain, error = np.array([[one.gain.value, error] for one, error in found]).T
    bound = -ndtri((1 - level) / (len(found) * (len(found) - 1))) * np.hypot(error[1:], error[0])
    if not np.all(gain[0] - gain[1:] > bound):
        return []
    return ["The first finding surely has the largest gain."]


def _nothing_to_find(trials: Trials) -> str:
    """Return why nothing is looked for; "" where something is."""
    journeys = trials.journeys
    won = journeys.outcomes[Outcome.CONVERTED]
    lost = journeys.outcomes[Outcome.DROPPED] - journeys.n_dropped_after_goal
    if not won:
        return "No journey has reached the goal, so what keeps journeys from it cannot be told."
    if lost <= _NOTHING * (won + lost):
        return (
            f"There is nothing to win here: {won:,} of {won + lost:,} journeys that have ended "
            f"converted, and only {lost:,} dropped."
        )
    return ""


def _headline(sure: list[Finding], found: Judgement) -> str:
    number = sum(found.tested.values())
    if not sure:
        return f"None of {number:,} tests stands out, so nothing is sure to be wrong."
    are = "1 finding is" if len(sure) == 1 else f"{len(sure)} findings are"
    if sure[0].gain.low < SHOWN_GAIN:
        return f"{are} sure, out of {number:,} tests, but no gain can be shown. {sure[0].sentence}"
    return f"{are} sure, out of {number:,} tests. The first: {sure[0].sentence}"


def _of_rows(trials: Trials) -> list[str]:
    """Return what must be said of what was found in rows."""
    notes = []
    if trials.begin_us > trials.first_us:
        notes.append(
            "The first days hold far fewer conversions than the times to conversion imply. The "
            "record is taken to be complete from "
            f"{date_of(trials, (trials.begin_us - trials.first_us) // DAY_US)} on, and earlier "
            "visits are left out."
        )
    if trials.exits_are_labels:
        notes.append(
            "All exits follow the last contact after the same time, so they were written "
            "afterwards, and of the latest customers they only say that they have not come back "
            "yet. Changes, incidents and the last quarter are therefore not tested; with an "
            "inactivity limit they would be."
        )
    return [*notes, f"Later conversions are counted within {trials.within}."]


def _said(sure: list[Finding], found: Judgement, n: int, level: float) -> tuple[str, ...]:
    notes = []
    if not found.with_stages:
        notes.append(
            "No stage has enough touchpoints to compare, so no excess over peers is claimed: exits "
            "are compared with those expected of a touchpoint so near to the goal."
        )
    notes += [
        (
            f"Of findings that are called sure at most {100 * (1 - level):.3g}% are false on "
            "average. They are ranked by the lower end of the gain (gain_low)."
        ),
        _ASSUMPTION,
        _FOLLOWED,
    ]
    if len(sure) > n:
        notes.append(
            f"{counted(len(sure) - n, 'more sure finding is', 'more sure findings are')} not shown."
        )
    carried = sum(one.carried_by is not None for one in found.others)
    if carried:
        more = counted(carried, "more finding is", "more findings are")
        notes.append(f"{more} explained by those above.")
    return tuple(notes)


def _finding(
    trials: Trials, judged: Judged, found: Judgement, worth: float, level: float
) -> tuple[Finding, float]:
    """Return a finding, and the standard error of its gain."""
    claim = judged.claim
    inside = hit_by(trials, judged, found.taken)
    explained = share_explained(trials, judged, found, level=level) if judged.sure else None
    said = explained[3] if explained else ""
    share = _estimate("share_explained", explained[:3], level, "fraction") if explained else None
    *ends, error = gain_of(trials, judged, inside, level=level)
    gain = _estimate("gain", ends, level, "conversions")
    made = _made(
        trials,
        inside,
        claim,
        kind=kind_of(claim, with_stages=found.with_stages),
        certainty="sure" if judged.sure else "worth watching",
        where=place_of(trials, claim),
        who=segment_of(trials, claim),
        since=date_of(trials, claim.since),
        until=date_of(trials, claim.until),
        sentence=sentence_of(trials, judged, with_stages=found.with_stages),
        effect=_estimate("effect", effect_interval(judged, level), level, "fraction", claim.n),
        rate=Estimate(value=claim.rate, unit="fraction", name=_RATES[claim.outcome], n=claim.n),
        gain=gain,
        money=_money(gain, worth, _currency(trials)),
        adjusted_p=judged.adjusted,
        unusual=judged.unusual,
        share_explained=share,
        reasons=(
            *reasons_of(trials, judged, said, share.value if share else math.nan),
            *([_NO_GAIN] if judged.sure and gain.low < SHOWN_GAIN else []),
        ),
        doubts=tuple(doubts_of(judged, with_stages=found.with_stages)),
        next_steps=tuple(next_of(trials, judged)) if isinstance(trials, Trials) else (_NO_ROWS,),
    )
    return made, error


def _observed(trials: Trials, seen: Observation, level: float) -> Finding:
    n = int(np.count_nonzero(seen.visits))
    return _made(
        trials,
        seen.visits,
        None,
        kind=seen.kind,
        certainty="worth watching",
        where=trials.names[seen.touchpoint] if seen.touchpoint >= 0 else "everywhere",
        sentence=seen.sentence,
        effect=_estimate("effect", (seen.effect, seen.low, seen.high), level, "fraction", n),
        gain=Estimate(value=math.nan, unit="conversions", name="gain"),
        reasons=("It comes with fewer conversions, but no test of significance stands behind it.",),
        doubts=("Customers to whom this happens may have been less likely to convert anyway.",),
        next_steps=("Compare these journeys with the others: `finding.journeys()`.",),
    )


_RATES = {"exit": "exit_rate", "conversion": "conversion_after"}
_METHODS = {
    "effect": "t by customer",
    "gain": "median-unbiased after selection",
    "share_explained": "jackknife over buckets",
}


def _estimate(name: str, ends: Sequence[float], level: float, unit: str, n: int = 0) -> Estimate:
    value, low, high = ends
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=n,
        unit=unit,
        method=_METHODS[name],
        name=name,
    )


def _currency(trials: Trials) -> str:
    counted_ones: Journeys | JourneyStatistics = trials.journeys
    if isinstance(counted_ones, JourneyStatistics):
        return counted_ones.currency or ""
    return counted_ones.log.currency or ""


def _money(gain: Estimate, worth: float, currency: str) -> Estimate | None:
    if not math.isfinite(worth):
        return None
    value, low, high = worth * gain.value, worth * gain.low, worth * gain.high
    return attrs.evolve(gain, value=value, low=low, high=high, unit=currency, name="money")


def _made(trials: Trials, inside: Bools, claim: Claim | None, **fields: Any) -> Finding:
    """Return a finding about some visits; Any: the fields of `Finding`, as they are given."""
    journeys, customers = trials.hit(inside, claim)
    finding = Finding(
        n_visits=trials.count(inside), n_journeys=journeys, n_customers=customers, **fields
    )
    return trials.told(finding, inside)


def _ends(trials: Trials, which: Bools) -> Table:
    places, sums = np.flatnonzero(which), trials.sums
    return Table(
        {
            "touchpoint": [trials.names[x] for x in places.tolist()],
            "visits": sums.trials[places].astype(np.int64),
            "exit_probability": sums.rate[places],
            "argument": [f"expected_exits=[{trials.names[x]!r}]" for x in places.tolist()],
        },
        formats={"exit_probability": "percent"},
        backend=trials.journeys.backend,
    )


def _untested(trials: Trials, found: Judgement) -> Table:
    sums = trials.sums
    fine, ends = testable(sums), found.ends if found.tested else np.zeros(trials.size)
    rows = []
    for x in range(trials.size):
        if ends[x]:
            continue
        if sums.trials[x] < FEWEST_VISITS:
            reason = f"fewer than {FEWEST_VISITS} visits have come to an end"
        elif sums.units[x] < FEWEST_UNITS:
            reason = f"its visits count as {sums.units[x]:.1f} {trials.units} of equal weight"
        elif not fine[x]:
            reason = f"one {trials.unit} has {100 * sums.largest_share[x]:.0f}% of its visits"
        elif found.tested and not found.excess_tested[x]:
            reason = "too few peers for its excess; all else was tested"
        else:
            continue
        rows.append((trials.names[x], int(sums.trials[x]), reason))
    if not isinstance(trials, Trials):
        rows.append(("everywhere", int(sums.trials.sum()), _UNTESTED))
    names, visits, reasons = zip(*rows, strict=True) if rows else ((), (), ())
    return Table(
        {"touchpoint": names, "visits": np.array(visits, dtype=np.int64), "reason": reasons},
        formats={"reason": "sentence"},
        backend=trials.journeys.backend,
    )
