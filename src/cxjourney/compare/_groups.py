"""Comparisons of segments of journeys, and of two sets of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from cxjourney._support.validation import (
    check_choice,
    check_count,
    check_level,
    check_name,
    check_names,
    is_number,
)
from cxjourney._support.words import counted
from cxjourney.compare._candidates import MOST_VALUES, REST, at_entry, candidates
from cxjourney.compare._contrast import contrast_of, contrast_of_graphs
from cxjourney.compare._counted import compared_counts
from cxjourney.compare._differences import Differences, differences_of
from cxjourney.compare._later import Later
from cxjourney.compare._observations import observations_of, side_by_side
from cxjourney.compare._rows import Part
from cxjourney.domain import CONVERSION, MISSING
from cxjourney.dropoff import FirstVisits, check_reaching, first_visits_of, window_of
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, UnknownName
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import (
    Journeys,
    JourneyStatistics,
    check_counted,
    check_journeys,
    level_of,
    missing_note_of,
    segments_of,
    visits_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from cxjourney._support.array_types import Ints
    from cxjourney.compare._candidates import Candidate
    from cxjourney.compare._observations import Observations
    from cxjourney.journeys import By, SegmentBy

_NO_NAMES = ("first", "second")
_CURSE = (
    "The largest of many differences is overstated, because it was picked for being large "
    "(winner's curse)."
)
_NO_EXPERIMENT = "This is no experiment: a difference is an association, not an effect."
_NO_GOAL = "Without a goal no journey converts, so conversions are not compared."


def segments(
    journeys: Journeys,
    segment: SegmentBy | list[SegmentBy] | None = None,
    *,
    of: str | None = None,
    against: Literal["rest", "pairs"] = "rest",
    by: By = "touchpoint",
    strata: str | None = None,
    window: timedelta | str | None = None,
    reaching: str | None = None,
    min_count: int = 5,
    fdr: float = 0.05,
    level: float = 0.95,
    begin: Callable[[str], None] | None = None,
) -> Differences:
    """Compare segments, or find those that convert, or leave at a step, more often than others.

    Parameters
    ----------
    journeys
        The journeys, with a way to be dropped.
    segment
        An attribute of customers or interactions; a journey has the first value known in it.
        Two values are compared with one another, the second minus the first. With `of` it may be
        a list, and None takes all attributes and what was visited before.
    of
        None compares one segment everywhere. The name of a node asks which segments leave there
        more often, `cxjourney.CONVERSION` which of them convert: each value of each attribute, as
        known at the first contact of a journey, and each node that was visited before (or, for
        conversions, that the journey began at) is held against the rest.
    against
        Of more than two values: each against "the rest", or all "pairs".
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    strata
        Another attribute, such as the device: differences are also taken within its values.
    window
        How long a journey is followed from its beginning, and after its first visit of a node;
        None takes the days within which nine of ten conversions come, or a quarter of the
        observation.
    reaching
        A node, such as the payment page: how often it is reached later on is compared too.
    min_count
        Transitions made, or not made, less often by both groups together are not tested, at
        least 1.
    fdr
        Accepted share of false discoveries, in (0, 1).
    level
        Confidence level of the intervals, in (0, 1).
    begin
        Called with the name of each pair, such as "phone against the rest", as its comparison
        begins, to show progress.

    Returns
    -------
    Differences
        First `headline`, whole journeys: conversion, drop-off, visits, value. Then one row a
        difference, the surest first:

        | column | |
        |---|---|
        | `against`, `group` | the groups; every difference is that of `group` minus `against` |
        | `kind` | "exit", "transition" or "downstream" (what comes later) |
        | `touchpoint`, `to` | where it begins (`cxjourney.START`: a journey) and goes |
        | `visits_against`, `visits` | visits there that came to an end; first visits downstream |
        | `probability_against`, `probability` | of it in each group [fraction] |
        | `difference`, `low`, `high` | with its interval |
        | `p_value`, `q_value` | of no difference; NaN where it was not tested |
        | `odds_ratio`, `odds_low`, `odds_high` | odds of `group` by those of `against` |
        | `adjusted`, `adjusted_low`, `adjusted_high` | with `strata`: the difference within them |
        | `reversed` | with `strata`: whether it has the other sign than the difference |

        Where a touchpoint has one transition and the exit, the exit alone has a row, since the
        transition only says the same with the other sign. How journeys began that may have been
        under way when the observation did is not counted.

    Raises
    ------
    OutcomeUndetermined
        If nothing tells when a journey without the goal is over.
    UnknownName
        If there is no such attribute, column or node.
    InvalidValue
        If an argument breaks its rule, or neither `segment` nor `of` is given.

    Notes
    -----
    Probabilities are Aalen-Johansen's at the inactivity limit in each group, so that journeys in
    progress are censored, and groups that were followed for unequal times compare. Their variance
    is that over buckets of customers, each of which is left out in both groups at once; customers
    may be in both. Intervals are Newcombe's (1998) hybrid, p-values those of the pooled score test
    on the same effective trials, both with Student's quantile. There are none where the visits of a
    group belong to fewer than three customers or so.

    Downstream is the probability of conversion within the window after the first visit of a
    journey; it finds a fault whose victims leave later, elsewhere. It and the headline are
    censored where the observation ends, until when who dropped off stays at risk; see
    `dropoff.exits`. Drop-off counts journeys whose last visit fell within the window.

    Benjamini and Hochberg's (1995) rule runs over
    all tests of the table, and over the headline. Transitions from one touchpoint sum to one, so
    that several rows can tell of one change. The adjusted difference is that of Mantel and
    Haenszel; probabilities are taken within each group and stratum, since strata may have been
    followed for unequal times. Where a group, or one within a stratum, was not followed up to the
    limit, what would have become of its visits is not known, and neither is the difference.

    With `of=` at a node every visit of it is at risk, and what happened at or after it, or was
    recorded then, plays no part. Who visited another node before has done so in the same journey.

    Segments are not experiments: customers differ in other ways too. Name the likely ones as
    `strata`, one at a time: where `reversed` is true, the mix of strata makes the difference
    (Simpson's paradox).

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1).journeys()
    >>> found = cx.compare.segments(journeys, "segment")
    >>> first = found.ranking[0]
    >>> first.group, first.against, first.touchpoint, first.to == cx.DROPOFF
    ('student', 'the rest', 'cart', True)
    >>> cx.compare.segments(journeys, of="cart").ranking[0].group
    'segment = student'
    """
    if isinstance(journeys, JourneyStatistics):
        raise InvalidValue(
            "segments need the rows of journeys, which statistics do not have: count each segment "
            "by itself, from a log of its own, and hand two at a time to compare.between()"
        )
    check_journeys(journeys)
    _check(level, fdr, min_count)
    check_choice(against, "against", ("rest", "pairs"))
    journeys.require_determined("compare.segments()")
    firsts = first_visits_of(journeys, by, reaching=reaching)
    check_reaching(reaching, firsts)
    codes = None if strata is None else _strata_of(strata, journeys, journeys)
    goal = _converts(journeys)
    if of == CONVERSION and not goal:
        raise InvalidValue("of=cxjourney.CONVERSION needs journeys that were cut with goal=")
    later = partial(
        Later, window=window_of(window, firsts), strata=codes, reaching=reaching, goal=goal
    )
    result = partial(
        differences_of,
        strata=strata,
        level=level,
        fdr=fdr,
        min_count=min_count,
        method=_method(journeys),
        backend=journeys.log.backend,
    )
    seen = observations_of(journeys, by)
    caveats = [_CURSE, _NO_EXPERIMENT, *missing_note_of(journeys, by)]
    if not goal:
        caveats.insert(0, _NO_GOAL)
    if of is not None:
        at_risk = _at_risk(check_name(of, "of"), seen, firsts)
        attributes, crowded = at_entry(journeys, segment)
        visits = visits_of(journeys, by) if segment is None else None
        parts = _candidate_parts(
            at_risk, candidates(attributes, visits, at_risk), later, codes, begin
        )
        if crowded:
            many = f"Attributes of more than {MOST_VALUES} values are left out"
            caveats.insert(0, f"{many}: {', '.join(crowded)}.")
        return result(parts, segment=None, n_missing=0, caveats=caveats)
    if not isinstance(segment, (str, tuple)):
        raise InvalidValue.of("segment", "be an attribute where of= is not given", segment)
    coded = segments_of(journeys, segment)
    names = [value for value in coded.values if value != MISSING]
    code = np.where(coded.code < len(names), coded.code, -1)
    n = len(names)
    pairs: list[tuple[int, int | None, str]] = []
    if against == "pairs" or n == 2:
        pairs += [(j, i, names[i]) for i in range(n) for j in range(i + 1, n)]
    elif n > 2:
        pairs += [(i, None, REST) for i in range(n)]
    parts = []
    for i, j, other in pairs:
        if begin is not None:
            begin(f"{names[i]} against {other}")
        sides = (code == i, (code >= 0) & (code != i) if j is None else code == j)
        pair = (seen.take(sides[0][seen.journey]), seen.take(sides[1][seen.journey]))
        first, second = (firsts.take(side[firsts.journey]) for side in sides)
        parts.append(
            Part(
                names=(names[i], other),
                contrast=contrast_of(*pair),
                groups=pair,
                later=later(sides=(first, second)),
                strata=codes,
            )
        )
    if n < 2:
        caveats.insert(0, f"{coded.name!r} has {counted(n, 'value')}: nothing to compare.")
    return result(parts, segment=coded.name, n_missing=coded.n_missing, caveats=caveats)


def _at_risk(of: str, seen: Observations, firsts: FirstVisits) -> Observations | FirstVisits:
    """Return the visits of a node, or the beginnings of journeys."""
    if of == CONVERSION:
        return firsts.take(firsts.node == len(firsts.names))
    if of not in seen.names:
        raise UnknownName.among("node", of, (*seen.names, CONVERSION), where="the journeys")
    return seen.take(seen.source == seen.names.index(of))


def _candidate_parts(
    at_risk: Observations | FirstVisits,
    found: Iterable[Candidate],
    later: Callable[..., Later],
    codes: tuple[Ints, Ints] | None,
    begin: Callable[[str], None] | None,
) -> list[Part]:
    """Return the pairs of all candidates."""
    parts = []
    for one in found:
        names = (one.name, one.against)
        if begin is not None:
            begin(" against ".join(names))
        part = Part(names=names, strata=codes, step=True)
        if isinstance(at_risk, FirstVisits):
            firsts = (at_risk.take(one.mine), at_risk.take(one.others))
            parts.append(attrs.evolve(part, later=later(sides=firsts)))
        else:
            pair = (at_risk.take(one.mine), at_risk.take(one.others))
            parts.append(attrs.evolve(part, contrast=contrast_of(*pair), groups=pair))
    return parts


def between(
    first: Journeys | JourneyStatistics | JourneyGraph,
    second: Journeys | JourneyStatistics | JourneyGraph,
    *,
    names: tuple[str, str] | None = None,
    by: By | None = None,
    strata: str | None = None,
    window: timedelta | str | None = None,
    reaching: str | None = None,
    min_count: int = 5,
    fdr: float = 0.05,
    level: float = 0.95,
) -> Differences:
    """Compare two sets of journeys, such as two periods, or two graphs: second minus first.

    Parameters
    ----------
    first, second
        Before and after, say. Both journeys, both statistics of journeys, or both graphs, cut by
        the same goal and limit. Customers with the same id are the same customer. Graphs know no
        customers: their visits are taken as independent.
    names
        What to call them; None takes the value of an attribute that tells them apart, else the
        dates of periods that follow one another, else "first" and "second".
    by
        What a node is; None means "touchpoint", or the grain of the graphs.
    strata, window, reaching, min_count, fdr, level
        As in `segments`. Graphs have no strata, and nothing that comes later; statistics have no
        strata and nothing to reach, and their windows are whole days.

    Returns
    -------
    Differences
        As of `segments`, with the whole journeys first. Graphs have no headline, and that of
        statistics has conversion and drop-off.

    Raises
    ------
    OutcomeUndetermined
        If nothing tells when a journey without the goal is over.
    NotAFlow
        If a graph is a subgraph or was filtered.
    UnknownName
        If there is no such attribute, column or node.
    InvalidValue
        If one is journeys and the other a graph or statistics, grains or limits differ, or an
        argument breaks its rule.

    Notes
    -----
    The methods are those of `segments`. Before and after is no experiment: season, campaigns and
    the mix of customers change too. A period has the journeys that begin in it, each observed until
    the end of the period and no further: those of `log.between(None, end)`, of which `where` keeps
    the ones that begin late enough. A log that is cut at the start of a period instead has the
    rest of older journeys as if they began then.

    Examples
    --------
    >>> import cxjourney as cx
    >>> before = cx.Journeys.from_paths([["web"], ["web", "cart"]], converted=[0, 60],
    ...                                 dropped=[40, 20])
    >>> after = cx.Journeys.from_paths([["web"], ["web", "cart"]], converted=[0, 60],
    ...                                dropped=[40, 80])
    >>> found = cx.compare.between(before, after, names=("before", "after"))
    >>> found.estimate("cart")
    32.1% [19.0%, 43.3%] (95% Newcombe, n=220)
    """
    for name, given in (("first", first), ("second", second)):
        if not isinstance(given, (JourneyGraph, JourneyStatistics)):
            check_journeys(given, name)
    _check(level, fdr, min_count)
    if names is not None and len(check_names(names, "names")) != 2:
        raise InvalidValue.of("names", "be two different names", names)
    caveats = [_CURSE, _NO_EXPERIMENT]
    result = partial(
        differences_of,
        segment=None,
        strata=strata,
        level=level,
        fdr=fdr,
        min_count=min_count,
        n_missing=0,
    )
    if isinstance(first, JourneyGraph) and isinstance(second, JourneyGraph):
        _check_graphs(first, second, by, {"strata": strata, "window": window, "reaching": reaching})
        contrast = contrast_of_graphs(second, first)
        pair = (names or _NO_NAMES)[::-1]
        part = Part(names=pair, contrast=contrast)
        return result(
            [part],
            method="Probabilities are those of the graphs, intervals are Newcombe's, and tests are "
            "score tests, with visits taken as independent.",
            caveats=[*caveats, "A graph knows no customers, so its intervals are too narrow."],
            backend=None,
        )
    grain: By = "touchpoint" if by is None else by
    if isinstance(first, JourneyStatistics) and isinstance(second, JourneyStatistics):
        check_counted(first, strata=strata, reaching=reaching)
        _check_rules(first, second)
        part, told = compared_counts(second, first, grain, window, (names or _NO_NAMES)[::-1])
        if part.later is None or not part.later.goal:
            caveats.insert(0, _NO_GOAL)
        return result([part], method=_method(first), caveats=[*caveats, *told], backend=None)
    if not isinstance(first, Journeys) or not isinstance(second, Journeys):
        raise InvalidValue(
            "first and second must both be journeys, both statistics (journeys.statistics()), or "
            "both graphs (journeys.graph())"
        )
    _check_rules(first, second)
    pair = (names or _names_of(first, second))[::-1]
    groups, firsts = side_by_side(
        (observations_of(second, grain), observations_of(first, grain)),
        (
            first_visits_of(second, grain, reaching=reaching),
            first_visits_of(first, grain, reaching=reaching),
        ),
    )
    check_reaching(reaching, *firsts)
    codes = None if strata is None else _strata_of(strata, second, first)
    days, goal = window_of(window, *firsts), _converts(first) or _converts(second)
    if not goal:
        caveats.insert(0, _NO_GOAL)
    part = Part(
        names=pair,
        contrast=contrast_of(*groups),
        groups=groups,
        later=Later(sides=firsts, window=days, strata=codes, reaching=reaching, goal=goal),
        strata=codes,
    )
    for name, group in zip(pair, (second, first), strict=True):
        caveats += [f"{name}: {note}" for note in missing_note_of(group, grain)]
    return result([part], method=_method(first), caveats=caveats, backend=first.log.backend)


def _converts(journeys: Journeys) -> bool:
    return bool(journeys.rules.goal) or bool(journeys.converted.any())


def _names_of(first: Journeys, second: Journeys) -> tuple[str, str]:
    """Return the values of an attribute, one on each side, or the dates of two periods."""
    sides = (first, second)
    known = ({*side.log.customer_attributes, *side.columns.attributes} for side in sides)
    for name in sorted(set.intersection(*known)):
        coded = [side.segment(name) for side in sides]
        codes = [np.unique(one.codes).tolist() for one in coded]
        if all(len(one) == 1 and one[0] >= 0 for one in codes):
            a, b = (level_of(one.names[of[0]]) for one, of in zip(coded, codes, strict=True))
            if a != b:
                return a, b
    periods = []
    for side in sides:
        some = np.diff(side.offsets) > 0
        if side.columns.time is None or not some.any():
            return _NO_NAMES
        begun = side.columns.time[side.offsets[:-1][some]]
        periods.append((begun.min(), begun.max()))
    if periods[0][1] >= periods[1][0] and periods[1][1] >= periods[0][0]:
        return _NO_NAMES
    a, b = (" to ".join(str(np.datetime64(int(us), "us"))[:10] for us in one) for one in periods)
    return (a, b) if a != b else _NO_NAMES


def _check(level: float, fdr: float, min_count: int) -> None:
    check_level(level)
    if isinstance(fdr, bool) or not is_number(fdr) or not 0 < fdr < 1:
        raise InvalidValue.of("fdr", "be a fraction strictly between 0 and 1", fdr)
    check_count(min_count, "min_count")


def _check_rules(a: Journeys | JourneyStatistics, b: Journeys | JourneyStatistics) -> None:
    for journeys in (a, b):
        journeys.require_determined("compare.between()")
    for rule in ("goal", "inactivity"):
        one, other = getattr(a.rules, rule), getattr(b.rules, rule)
        if one != other:
            raise InvalidValue(
                f"first and second were cut by different rules ({rule}: {one!r} and {other!r}), so "
                "what converts or is lost would not mean the same"
            )


def _check_graphs(
    a: JourneyGraph, b: JourneyGraph, by: By | None, given: Mapping[str, object]
) -> None:
    for name, value in given.items():
        if value is not None:
            raise InvalidValue.of(name, "be None for graphs, which know no journeys", value)
    grains = [str(graph.graph.get("grain", "touchpoint")) for graph in (a, b)]
    wanted = None if by is None else ", ".join(check_names(by, "by"))
    if grains[0] != grains[1] or wanted not in {None, grains[0]}:
        raise InvalidValue.of("by", "be the grain of both graphs, or None", (by, *grains))
    for graph in (a, b):
        if not graph.graph.get("determined", True):
            raise OutcomeUndetermined(
                "compare.between() needs to know when a journey without the goal is over; build "
                "the graphs from journeys with inactivity=, exit_touchpoints= or "
                "all_closed=True"
            )
        graph.check_flow()
    limits = [graph.graph.get("inactivity_us") for graph in (a, b)]
    if limits[0] != limits[1]:
        raise InvalidValue.of("graphs", "have one inactivity limit", limits)


def _strata_of(strata: str, a: Journeys, b: Journeys) -> tuple[Ints, Ints]:
    """Return the stratum of each journey of both, equal names having equal codes.

    What is unknown is a stratum of its own.
    """
    first, second = a.segment(strata), b.segment(strata)
    code = {name: i for i, name in enumerate(dict.fromkeys((*first.names, *second.names)))}
    places = [
        np.array([*(code[name] for name in coded.names), len(code)], dtype=np.int64)[coded.codes]
        for coded in (first, second)
    ]
    return places[0], places[1]


def _method(journeys: Journeys | JourneyStatistics) -> str:
    times = not isinstance(journeys, Journeys) or journeys.columns.time is not None
    timed = times and journeys.rules.inactivity is not None
    estimator = (
        "Aalen-Johansen estimates at the inactivity limit" if timed else "shares of ended visits"
    )
    return (
        f"Probabilities are {estimator}, intervals are Newcombe's, and tests are score tests, all "
        "over buckets of customers."
    )
