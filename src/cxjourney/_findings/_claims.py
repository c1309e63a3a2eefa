"""Claims that are tested: each kind with its p-value, all one-sided for worse."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import effective_units
from cxjourney._stats.change_point import common_spread, rise_of
from cxjourney._stats.customer_sums import CustomerSums, rate_difference
from cxjourney._stats.extremes import random_signs
from cxjourney._stats.incident_scan import N_SCAN_BUCKETS, Incident, ScanData, scan
from cxjourney._stats.landmark import LandmarkDifference, Landmarks
from cxjourney._stats.predictive import (
    contrast_with_peers,
    logit_covariance,
    logits,
    nearness,
    unusual,
)
from cxjourney._stats.stratified import StratifiedDifference, stratified_difference

if TYPE_CHECKING:
    from cxjourney._findings._trials import Trials
    from cxjourney._support.array_types import Bools, Ints

KINDS = ("excess", "handoff", "segment", "change", "downstream", "incident")
FEWEST_VISITS = 10
FEWEST_UNITS = 10.0
"""Effective customers below which nothing can be tested."""

LARGEST_SHARE = 0.1
END_RATE = 0.9
"""Exit rate from which on a touchpoint is an end of journeys, not a fault."""

FEWEST_PEERS = 3
_WEEK = 7
_RECENT = 0.75  # downstream is compared between the last quarter and what was before


@attrs.frozen(kw_only=True, eq=False)
class Claim:
    """One thing that was tested."""

    kind: str  # one of `KINDS`
    outcome: str  # "exit", or "conversion" within the window
    touchpoint: int  # where; -1 everywhere
    attribute: int = -1  # which segment; -1 for everybody
    level: int = -1
    pair: tuple[int, int] | None = None  # from and to channel of a hand-off
    since: int = -1  # first and last day; -1 where it has none
    until: int = -1
    since_range: tuple[int, int] = (-1, -1)  # interval of the first day
    nest: Hashable = None  # claims of one nest say the same thing
    effect: float = np.nan  # how much worse, as a difference of shares, and its standard error
    error: float = np.nan
    units: float = 0.0  # G* of what it rests on
    p: float = 1.0  # one-sided p-value; 1 where nothing could be tested
    rate: float = np.nan  # the share here
    n: int = 0  # visits that it rests on
    slow: bool = False  # whether an incident is so long that it is rather a slow change
    # for an excess: p-value of the prediction from touchpoints of its sort
    unusual_p: float = np.nan


def cell_of(trials: Trials, claim: Claim) -> Bools:
    """Return the visits that a claim is about; the first of each journey for a conversion."""
    inside = np.ones(len(trials.touchpoint), dtype=np.bool_)
    if claim.touchpoint >= 0:
        inside &= trials.touchpoint == claim.touchpoint
    if claim.attribute >= 0:
        inside &= trials.attributes[claim.attribute].code[trials.journey] == claim.level
    if claim.pair is not None and trials.channels is not None:
        _, here, before = trials.channels
        inside &= (before == claim.pair[0]) & (here == claim.pair[1])
    if claim.since >= 0:
        inside &= trials.day >= claim.since
    if claim.until >= 0:
        inside &= trials.day <= claim.until
    if claim.outcome == "conversion":
        inside &= trials.is_first
    return inside


def compared_with(trials: Trials, claim: Claim) -> Bools:
    """Return the visits that those of a claim are compared with."""
    inside = ~cell_of(trials, claim) & (trials.touchpoint == claim.touchpoint)
    if claim.attribute >= 0 and (claim.since < 0 or claim.kind != "incident"):
        inside &= trials.attributes[claim.attribute].code[trials.journey] != claim.level
    elif claim.attribute >= 0:  # the same segment before and after the incident
        inside &= trials.attributes[claim.attribute].code[trials.journey] == claim.level
    if claim.pair is not None and trials.channels is not None:
        _, here, before = trials.channels
        inside = (here == claim.pair[1]) & (before == claim.pair[1])
    if claim.outcome == "conversion":
        inside &= trials.is_first
    return np.asarray(inside)


def segment_difference(trials: Trials, claim: Claim) -> Claim:
    """Return the claim that a segment loses more everywhere, touchpoint by touchpoint."""
    code = trials.attributes[claim.attribute].code[trials.journey]
    own = trials.known & (code == claim.level)
    found = _stratified(trials, own, trials.known & (code != claim.level) & (code >= 0))
    rate = float(trials.event[own].mean())
    return attrs.evolve(
        claim,
        kind="segment",
        outcome="exit",
        touchpoint=-1,
        effect=found.value,
        error=float(np.sqrt(found.variance)),
        units=found.units,
        p=min(claim.p, found.p),
        rate=rate,
        n=int(own.sum()),
    )


def retested(trials: Trials, claim: Claim, keep: Bools) -> tuple[float, float, float]:
    """Return effect, error and p-value of a claim on some of the visits.

    For a date that was found by looking, the p-value is that of the date as given.
    """
    own, others = cell_of(trials, claim) & keep, compared_with(trials, claim) & keep
    if claim.outcome == "conversion":
        rows = np.flatnonzero(own | others)
        found = _landmarks(trials, rows).difference(own[rows])
        return -found.value, float(np.sqrt(found.variance)), found.p
    found_ = _stratified(trials, own & trials.known, others & trials.known)
    return found_.value, float(np.sqrt(found_.variance)), found_.p


def _stratified(trials: Trials, own: Bools, others: Bools) -> StratifiedDifference:
    sides = (
        trials.sums_of(np.where(side, trials.touchpoint, -1), trials.size) for side in (own, others)
    )
    return stratified_difference(*sides)


def _landmarks(trials: Trials, rows: Ints) -> Landmarks:
    return Landmarks.of(
        trials.until_goal[rows], trials.followed[rows], trials.customer[rows], trials.window
    )


def segment_cells(trials: Trials) -> Iterator[Claim]:
    """Yield each level against the rest at each touchpoint, exits of one visit."""
    known, k = trials.known, trials.size
    for a, attribute in enumerate(trials.attributes):
        levels = len(attribute.values)
        code = attribute.code[trials.journey]
        cell = np.where(known & (code >= 0), trials.touchpoint * levels + code, -1)
        sums = trials.sums_of(cell, k * levels)
        for level in range(levels):
            place = np.arange(k * levels)
            mine = place % levels == level
            own = sums.merged(np.where(mine, place // levels, -1), k)
            rest = sums.merged(np.where(mine, -1, place // levels), k)
            d, error, units, p = rate_difference(own, rest)
            enough = testable(own) & testable(rest)
            for x in np.flatnonzero(enough).tolist():
                yield Claim(
                    kind="segment",
                    outcome="exit",
                    touchpoint=x,
                    attribute=a,
                    level=level,
                    nest=("level", a, level),
                    effect=float(d[x]),
                    error=float(error[x]),
                    units=float(units[x]),
                    p=float(p[x]),
                    rate=float(own.rate[x]),
                    n=int(own.trials[x]),
                )


def testable(sums: CustomerSums) -> Bools:
    """Return cells with enough visits and customers, none of whom has a tenth of the visits."""
    enough: Bools = (sums.trials >= FEWEST_VISITS) & (sums.units >= FEWEST_UNITS)
    return enough & (sums.largest_share <= LARGEST_SHARE)


def handoffs(trials: Trials) -> Iterator[Claim]:
    """Yield each pair of channels against arrivals from the destination itself."""
    if trials.channels is None:
        return
    names, here, before = trials.channels
    c, k = len(names), trials.size
    usable = trials.known & (before >= 0) & (here >= 0)
    key = np.where(usable, (before * c + here) * k + trials.touchpoint, -1)
    sums = trials.sums_of(key, c * c * k)
    met = np.bincount(sums.cell // k, sums.n, minlength=c * c)
    present = np.flatnonzero(met >= FEWEST_VISITS)
    for pair in present.tolist():
        a, b = divmod(pair, c)
        if a == b:
            continue
        exposed, stayed = _part(sums, pair, k), _part(sums, b * c + b, k)
        found = stratified_difference(exposed, stayed)
        if not found.units >= FEWEST_UNITS:
            continue
        yield Claim(
            kind="handoff",
            outcome="exit",
            touchpoint=-1,
            pair=(a, b),
            nest=("handoff", a, b),
            effect=found.value,
            error=float(np.sqrt(found.variance)),
            units=found.units,
            p=found.p,
            rate=float(np.nansum(found.weights * exposed.rate)),
            n=int(exposed.trials.sum()),
        )


def _part(sums: CustomerSums, pair: int, k: int) -> CustomerSums:
    a, b = np.searchsorted(sums.cell, [pair * k, (pair + 1) * k])
    part = slice(int(a), int(b))
    return CustomerSums(
        size=k,
        cell=sums.cell[part] - pair * k,
        customer=sums.customer[part],
        n=sums.n[part],
        k=sums.k[part],
    )


def _by_touchpoint(trials: Trials, rows: Ints) -> Iterator[tuple[int, Ints]]:
    order = rows[np.argsort(trials.touchpoint[rows], kind="stable")]
    bounds = np.searchsorted(trials.touchpoint[order], np.arange(trials.size + 1))
    for x, (a, b) in enumerate(pairwise(bounds.tolist())):
        yield x, order[a:b]


def changes(trials: Trials) -> Iterator[Claim]:
    """Yield each touchpoint with the date since when more are lost there."""
    signs = random_signs(N_SCAN_BUCKETS)
    fine = testable(trials.sums) & (not trials.exits_are_labels)
    for x, rows in _by_touchpoint(trials, np.flatnonzero(trials.known)):
        if not fine[x]:
            continue
        bucket, day, event = trials.bucket[rows], trials.day[rows], trials.event[rows]
        rise = rise_of(
            bucket,
            day,
            event,
            n_units=N_SCAN_BUCKETS,
            n_periods=trials.n_days,
            step=_WEEK,
            signs=signs,
            common=common_spread(bucket, day // _WEEK, event),
        )
        if rise.since < 0:
            continue
        late = day >= rise.since
        n, m = int(late.sum()), int((~late).sum())
        error = np.sqrt(
            sum(r * (1 - r) / max(s, 1) for r, s in ((rise.after, n), (rise.before, m)))
        )
        yield Claim(
            kind="change",
            outcome="exit",
            touchpoint=x,
            since=rise.since,
            since_range=(rise.earliest, rise.latest),
            nest=("touchpoint", x),
            effect=rise.after - rise.before,
            error=float(error),
            units=float(trials.sums.units[x]),
            p=rise.p,
            rate=rise.after,
            n=n,
        )


def downstream(trials: Trials) -> Iterator[Claim]:
    """Yield conversion after each touchpoint: of each level, and of the last quarter."""
    if not trials.window:
        return
    recent = int(trials.n_days * _RECENT)
    for x, rows in _by_touchpoint(trials, np.flatnonzero(trials.is_first)):
        if len(rows) < 2 * FEWEST_VISITS:
            continue
        landmarks = _landmarks(trials, rows)
        journey = trials.journey[rows]
        groups = [
            (a, level, attribute.code[journey] == level, attribute.code[journey] >= 0)
            for a, attribute in enumerate(trials.attributes)
            for level in range(len(attribute.values))
        ]
        late = trials.day[rows] >= recent
        if not trials.exits_are_labels:
            groups.append((-1, -1, late, np.ones(len(rows), dtype=np.bool_)))
        for a, level, mine, have in groups:
            n = int(mine.sum())
            if n < FEWEST_VISITS or int(have.sum()) - n < FEWEST_VISITS:
                continue
            found = landmarks.difference(mine, have & ~mine)
            if found.units < FEWEST_UNITS or np.isnan(found.value):
                continue
            yield _downstream_claim(found, x, a, level, since=-1 if a >= 0 else recent, n=n)


def _downstream_claim(
    found: LandmarkDifference, x: int, attribute: int, level: int, *, since: int, n: int
) -> Claim:
    return Claim(
        kind="downstream",
        outcome="conversion",
        touchpoint=x,
        attribute=attribute,
        level=level,
        since=since,
        nest=("level", attribute, level) if attribute >= 0 else ("recent",),
        effect=-found.value,
        error=float(np.sqrt(found.variance)),
        units=found.units,
        p=found.p,
        rate=found.first,
        n=n,
    )


def incidents(trials: Trials) -> Iterator[Claim]:
    """Yield the intervals of days that stand out, of exits and of what comes later."""
    if trials.exits_are_labels:
        return
    fine = testable(trials.sums)[trials.touchpoint]
    ripe = trials.is_first & (trials.followed >= trials.window) & fine
    lost = (trials.until_goal > trials.window).astype(np.float64)
    outcomes = [("exit", trials.known & fine, trials.event)]
    if trials.window:
        outcomes.append(("conversion", ripe, lost))
    for outcome, usable, event in outcomes:
        rows = np.flatnonzero(usable)
        data = ScanData(
            place=trials.touchpoint[rows],
            day=trials.day[rows],
            bucket=trials.bucket[rows],
            strata=[
                (attribute.code[trials.journey[rows]], len(attribute.values))
                for attribute in trials.attributes
            ],
            event=event[rows],
            n_places=trials.size,
            n_days=trials.n_days,
        )
        for incident in scan(data):
            inside = data.inside(incident.place, incident.stratum, incident.first, incident.last)
            visits = np.bincount(trials.customer[rows[inside]])
            yield _incident_claim(data, incident, outcome, float(effective_units(visits)))


def _incident_claim(data: ScanData, found: Incident, outcome: str, units: float) -> Claim:
    attribute, level = -1, -1
    if found.stratum:
        offsets = data.offsets
        attribute = int(np.searchsorted(offsets, found.stratum, side="right")) - 1
        level = found.stratum - offsets[attribute]
    everybody = ("touchpoint", found.place) if outcome == "exit" else ("recent",)
    rate, base = found.events / max(found.trials, 1), found.expected / max(found.trials, 1)
    return Claim(
        kind="incident",
        outcome=outcome,
        touchpoint=found.place,
        attribute=attribute,
        level=level,
        since=found.first,
        until=found.last,
        since_range=(found.first_low, found.first_high),
        nest=("level", attribute, level) if attribute >= 0 else everybody,
        effect=rate - base,
        error=(rate - base) / max(found.root, 1e-9),
        units=units,
        p=found.p,
        rate=rate if outcome == "exit" else 1 - rate,
        n=found.trials,
        slow=found.slow,
    )


def excesses(trials: Trials, keep: Bools, *, ends: Bools, with_stages: bool) -> Iterator[Claim]:
    """Yield each touchpoint against its peers, or against what its nearness to the goal predicts.

    Without the visits that are not in `keep`; `ends` are neither tested nor anybody's peers.
    """
    cell = np.where(keep & trials.known, trials.touchpoint, -1)
    sums = trials.sums_of(cell, trials.size)
    usable = testable(sums) & ~ends
    group = np.where(usable, trials.stage if with_stages else 0, -1)
    sizes = np.bincount(group[group >= 0], minlength=trials.size)
    group = np.where((group >= 0) & (sizes[group] > FEWEST_PEERS), group, -1)
    compared = np.flatnonzero(group >= 0)
    if len(compared) <= FEWEST_PEERS:
        return
    place = np.full(trials.size, -1)
    place[compared] = np.arange(len(compared))
    part = sums.merged(place, len(compared))
    y, covariance = logits(part), logit_covariance(part)
    if with_stages:
        design = (group[compared][:, None] == np.unique(group[compared])).astype(np.float64)
    else:
        near, variance = trials.nearness
        covariance, design = nearness(y, covariance, near[compared], variance[compared])
    predicted = unusual(y, covariance, design, part.units)
    contrast = contrast_with_peers(sums, group)
    for i, x in enumerate(compared.tolist()):
        rate = float(sums.rate[x])
        effect, error = float(contrast.difference[x]), float(np.sqrt(contrast.variance[x]))
        if not with_stages:  # what touchpoints as near to the goal lead to expect
            base = float(1 / (1 + np.exp(-predicted.expected[i])))
            spread = float(predicted.error[i]) * base * (1 - base)
            effect, error = rate - base, float(np.hypot(np.sqrt(sums.floored[x]), spread))
        yield Claim(
            kind="excess",
            outcome="exit",
            touchpoint=x,
            nest=("touchpoint", x),
            effect=effect,
            error=error,
            units=float(contrast.units[x]),
            p=float(contrast.p[x] if with_stages else predicted.p[i]),
            rate=rate,
            n=int(sums.trials[x]),
            unusual_p=float(predicted.p[i]),
        )
