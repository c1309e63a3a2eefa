"""Order of work: cells first, then touchpoints without them, and one budget over all."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._findings._claims import (
    KINDS,
    Claim,
    cell_of,
    changes,
    compared_with,
    downstream,
    excesses,
    handoffs,
    incidents,
    retested,
    segment_cells,
    segment_difference,
)
from cxjourney._stats.multiplicity import Budget, budget_of, kind_weights
from cxjourney._stats.predictive import common_shift, logit_covariance, logits, unusual
from cxjourney._stats.significance import false_discovery
from cxjourney._support.array_types import Bools, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cxjourney._findings._trials import Trials

_STILL = 0.05
"""P-value above which a claim counts as carried by those found before it."""

_EVERYWHERE = 0.001  # at .01 a fault at one touchpoint was told of all in 2 of 15 logs
_FEWEST_TOUCHPOINTS = 6
_FEWEST_IN_CELL = 5


@attrs.frozen(kw_only=True, eq=False)
class Judged:
    """A claim with its place in the budget."""

    claim: Claim
    adjusted: float  # smallest false-discovery rate at which it is in the list
    cut: float  # p-value that it had to be below
    sure: bool  # whether it is in the list at the rate asked for, and no other carries it
    carried_by: Claim | None = None  # the claim that explains it; None where none does
    also: tuple[int, ...] = ()  # touchpoints at which the same segment fares worse in particular
    unusual: str = ""  # for an excess: "yes", "no" or "cannot tell"; "" for all others


@attrs.frozen(kw_only=True, eq=False)
class Judgement:
    """All that was tested, and what came of it."""

    sure: tuple[Judged, ...]  # what is sure, in the order in which it was accepted
    # leads of their nests that are not sure, the smallest weighted p-value first
    others: tuple[Judged, ...]
    tested: dict[str, int]  # number of tests by kind
    taken: Bools  # visits of the cells that are sure, left out where touchpoints were tested
    ends: Bools  # touchpoints that count as ends
    with_stages: bool  # whether excesses are those over the peers of a stage
    excess_tested: Bools  # touchpoints whose excess was tested


NOTHING = Judgement(
    sure=(),
    others=(),
    tested={},
    taken=np.zeros(0, dtype=np.bool_),
    ends=np.zeros(0, dtype=np.bool_),
    with_stages=True,
    excess_tested=np.zeros(0, dtype=np.bool_),
)
"""The judgement where nothing is looked for."""


STEPS = (
    "segments",
    "hand-offs",
    "changes",
    "conversions later on",
    "incidents",
    "touchpoints",
)
"""What is looked for, in order."""

CELLS = (segment_cells, handoffs, changes, downstream, incidents)
"""What finds it, but for touchpoints."""


def judge(
    trials: Trials,
    *,
    ends: Bools,
    rate: float,
    begin: Callable[[str], None] | None = None,
    parts: tuple[Callable[[Trials], Iterable[Claim]], ...] = CELLS,
) -> Judgement:
    """Return which claims are sure if the false-discovery rate may be `rate`.

    Notes
    -----
    Segments, hand-offs, changes and conversions later on are tested first. Visits of cells that are
    sure are left out, and excesses over peers tested on the rest: a touchpoint that only carries
    another finding is none of its own. One budget then holds over all that was tested.
    """
    with_stages = bool(np.bincount(trials.stage[(trials.stage >= 0) & ~ends]).max(initial=0) > 3)
    everything = np.ones(len(trials.touchpoint), dtype=np.bool_)
    cells: list[Claim] = []
    for step, part in zip_longest(STEPS, parts):
        if begin is not None:
            begin(step)
        cells += part(trials) if part else ()
    cells = [claim for claim in cells if claim.touchpoint < 0 or not ends[claim.touchpoint]]
    # the share of the budget that touchpoints have is fixed before anything is looked at
    whole = list(excesses(trials, everything, ends=ends, with_stages=with_stages))
    waiting = [*cells, *(attrs.evolve(claim, p=1.0) for claim in whole)]
    accepted, _ = _accepted(trials, waiting, _budget(waiting, rate))
    kept = ~_cells(trials, waiting, accepted)
    rest = {c.touchpoint: c for c in excesses(trials, kept, ends=ends, with_stages=with_stages)}
    again = [rest.get(c.touchpoint, attrs.evolve(c, p=1.0)) for c in whole]
    claims = [*cells, *again]
    budget = _budget(claims, rate)
    accepted, carried = _accepted(trials, claims, budget)
    weighted = np.array([claim.p for claim in claims]) / _weights(claims)
    cut = np.minimum(budget.bar * _weights(claims), 1.0)
    odd = _unusual([c.unusual_p for c in again], n_columns=len(np.unique(trials.stage)))
    words = dict(zip(map(id, again), odd, strict=True))

    def judged(i: int, *, sure: bool) -> Judged:
        claim = claims[i]
        return Judged(
            claim=claim,
            adjusted=float(budget.adjusted[i]),
            cut=float(cut[i]),
            sure=sure,
            carried_by=carried.get(i),
            unusual=words.get(id(claim), ""),
        )

    sure = [
        attrs.evolve(judged(i, sure=True), claim=claim, also=also)
        for i, (claim, also) in accepted.items()
    ]
    leads = [i for i in np.argsort(weighted, kind="stable").tolist() if budget.leads[i]]
    return Judgement(
        sure=tuple(sure),
        others=tuple(judged(i, sure=False) for i in leads if i not in accepted),
        tested={kind: sum(c.kind == kind for c in claims) for kind in KINDS},
        taken=_cells(trials, claims, accepted),
        ends=ends,
        with_stages=with_stages,
        excess_tested=np.isin(np.arange(trials.size), [c.touchpoint for c in whole]),
    )


def _budget(claims: list[Claim], rate: float) -> Budget:
    nests: dict[object, int] = {}
    return budget_of(
        np.array([claim.p for claim in claims]),
        kind=_kinds(claims),
        nest=np.array([nests.setdefault(claim.nest, len(nests)) for claim in claims]),
        rate=rate,
    )


def _kinds(claims: list[Claim]) -> Ints:
    return np.array([KINDS.index(claim.kind) for claim in claims], dtype=np.int64)


def _weights(claims: list[Claim]) -> Floats:
    return kind_weights(_kinds(claims))


Accepted = dict[int, tuple[Claim, tuple[int, ...]]]


def _accepted(
    trials: Trials, claims: list[Claim], budget: Budget
) -> tuple[Accepted, dict[int, Claim]]:
    """Return the claims that stand by themselves, and what carries the others of the list.

    Exits are accepted first, the smallest weighted p-value first; what happens downstream is then
    held against what they explain.
    """
    weighted = np.array([claim.p for claim in claims]) / _weights(claims)
    listed = (
        set(np.flatnonzero(weighted <= budget.threshold).tolist()) if budget.threshold else set()
    )
    leads = [
        _representative(trials, claims, i, listed) for i in np.flatnonzero(budget.sure).tolist()
    ]
    leads.sort(key=lambda i: (claims[i].outcome == "conversion", weighted[i]))
    accepted: Accepted = {}
    carried: dict[int, Claim] = {}
    taken = np.zeros(len(trials.touchpoint), dtype=np.bool_)
    for i in leads:
        claim = claims[i]
        before = [found for found, _ in accepted.values()]
        if claim.outcome == "exit" and claim.kind != "excess":
            mine = cell_of(trials, claim)
            shared = mine & taken
            if shared.any():
                _, _, p = retested(trials, claim, ~taken)
                if p > _STILL or trials.count(mine & ~taken) < _FEWEST_IN_CELL:
                    carried[i] = _carrier(trials, before, mine)
                    continue
        elif claim.outcome == "conversion" and before:
            left = claim.effect - _explained(trials, claim, before)
            if _tail(left / claim.error) > _STILL:
                carried[i] = max(before, key=lambda one: _explained(trials, claim, [one]))
                continue
        also: tuple[int, ...] = ()
        if claim.attribute >= 0 and claim.kind != "incident":
            claim, also = _level_spread(trials, claim)
        accepted[i] = (claim, also)
        taken |= _cells(trials, claims, {i: (claim, also)})
    return accepted, carried


def _cells(trials: Trials, claims: list[Claim], accepted: Accepted) -> Bools:
    """Return the visits of cells that explain themselves, which touchpoints are tested without.

    Where conversions after a touchpoint are told of a segment, its exits there go with them if they
    are no better than chance would have them.
    """
    taken = np.zeros(len(trials.touchpoint), dtype=np.bool_)
    for claim, also in accepted.values():
        if claim.kind == "excess":
            continue
        places = (claim.touchpoint, *also)
        if claim.outcome == "conversion":
            here = (claim.attribute, claim.level, claim.touchpoint)
            cells = [
                one
                for one in claims
                if one.kind == "segment"
                and one.p <= _STILL
                and (one.attribute, one.level, one.touchpoint) == here
            ]
            places = tuple(one.touchpoint for one in cells)
        for x in places:
            taken |= cell_of(trials, attrs.evolve(claim, touchpoint=x, outcome="exit"))
    return taken


def _tail(z: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(-z))


def _carrier(trials: Trials, before: list[Claim], mine: Bools) -> Claim:
    return max(before, key=lambda one: trials.count(cell_of(trials, one) & mine))


def _representative(trials: Trials, claims: list[Claim], lead: int, listed: set[int]) -> int:
    """Return the claim that a nest is told by: exits, where they explain what comes later."""
    claim = claims[lead]
    if claim.outcome == "exit":
        return int(lead)
    exits = [i for i in listed if claims[i].nest == claim.nest and claims[i].outcome == "exit"]
    if not exits:
        return int(lead)
    left = claim.effect - _explained(trials, claim, [claims[i] for i in exits])
    if _tail(left / claim.error) <= _STILL:
        return int(lead)
    return min(exits, key=lambda i: claims[i].p)


def loss_per_visit(trials: Trials, claim: Claim, inside: Bools) -> float:
    """Return the conversions that are lost with each visit of a claim's cell."""
    if claim.outcome == "conversion":
        return claim.effect
    return claim.effect * trials.lost(inside) / max(trials.count(inside), 1)


def _explained(trials: Trials, claim: Claim, before: list[Claim]) -> float:
    """Return how much of a drop downstream other claims explain.

    Both sides of the drop come by the cells of those claims later on, one more often than the
    other: the difference, times what a visit there loses.
    """
    own, others = cell_of(trials, claim), compared_with(trials, claim)
    last = trials.visits.last
    of_journey = np.repeat(last, trials.journeys.lengths[trials.journeys.lengths > 0])
    total = 0.0
    for one in before:
        inside = cell_of(trials, one)
        seen = np.cumsum(inside)
        later = seen[of_journey] - seen + inside  # the visit itself included
        more = later[own].mean() - later[others].mean() if own.any() and others.any() else 0.0
        total += loss_per_visit(trials, one, inside) * float(more)
    return total


def _level_spread(trials: Trials, claim: Claim) -> tuple[Claim, tuple[int, ...]]:
    """Return whether a level fares worse everywhere, else where in particular."""
    attribute = trials.attributes[claim.attribute]
    code = attribute.code[trials.journey]
    usable = trials.known & (code >= 0)
    own, rest = (
        trials.sums_of(np.where(usable & side, trials.touchpoint, -1), trials.size)
        for side in (code == claim.level, code != claim.level)
    )
    there = np.flatnonzero((own.trials >= 20) & (rest.trials >= 20))
    if len(there) < _FEWEST_TOUCHPOINTS:
        return claim, ()
    place = np.full(trials.size, -1)
    place[there] = np.arange(len(there))
    own, rest = own.merged(place, len(there)), rest.merged(place, len(there))
    y = logits(own) - logits(rest)
    covariance = logit_covariance(own) + logit_covariance(rest)
    p = unusual(y, covariance, np.ones((len(y), 1)), own.units, prior=0.15).p
    apart = false_discovery(p) <= _STILL
    plain = ~apart
    if plain.sum() >= _FEWEST_TOUCHPOINTS:
        units = float(np.median(own.units[plain]))
        _, everywhere = common_shift(y[plain], covariance[np.ix_(plain, plain)], units)
        if everywhere <= _EVERYWHERE:
            return segment_difference(trials, claim), ()
    also = tuple(x for x in there[apart].tolist() if x != claim.touchpoint)
    return claim, also if claim.outcome == "exit" else ()


def _unusual(p: list[float], n_columns: int) -> list[str]:
    """Return whether each excess lies outside what touchpoints of its sort vary by."""
    if len(p) - n_columns < 4:
        return ["cannot tell"] * len(p)
    adjusted = false_discovery(np.array(p))
    return [
        "yes" if a <= _STILL else "no" if b > 0.2 else "cannot tell"
        for a, b in zip(adjusted.tolist(), p, strict=True)
    ]
