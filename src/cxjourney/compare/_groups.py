"""Comparisons of segments of journeys, and of two sets of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cxjourney._support.validation import (
    check_choice,
    check_count,
    check_level,
    check_names,
    check_rng,
    is_number,
)
from cxjourney.compare._contrast import contrast_of, contrast_of_graphs
from cxjourney.compare._differences import Differences, differences_of
from cxjourney.compare._divergence import chi_squared, permuted
from cxjourney.compare._observations import observations_of, side_by_side
from cxjourney.compare._rows import Part
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import check_journeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.journeys import By, Journeys

__all__ = ["between", "segments"]

_REST = "the rest"
_CURSE = "The first of many differences, picked after looking, is overstated (winner's curse)."
_NO_EXPERIMENT = "Segments are not experiments: a difference is an association, not an effect."
_NO_TRIAL = "Before and after is no experiment: a difference is an association, not an effect."


def segments(
    journeys: Journeys,
    segment: str,
    *,
    against: Literal["rest", "pairs"] = "rest",
    by: By = "touchpoint",
    strata: str | None = None,
    min_count: int = 5,
    fdr: float = 0.05,
    level: float = 0.95,
    n_permutations: int = 999,
    rng: np.random.Generator | int | None = 0,
    begin: Callable[[str], None] | None = None,
) -> Differences:
    """Compare segments: every exit and transition probability, ranked by how sure it differs.

    Parameters
    ----------
    journeys
        The journeys, with a way to be dropped.
    segment
        An attribute of customers or interactions; a journey has the first value known in it.
        Two values are compared with one another.
    against
        Of more than two values: each against "the rest", or all "pairs".
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    strata
        Another attribute, such as the device: differences are also taken within its values.
    min_count
        Transitions made, or not made, less often by both groups together are not tested, at
        least 1.
    fdr
        Accepted share of false discoveries, in (0, 1).
    level
        Confidence level of the intervals, in (0, 1).
    n_permutations
        Permutations of customers for the test of the whole; 0 leaves it out.
    rng
        A generator or seed for the permutations; None draws anew each time.
    begin
        Called with the name of each pair, such as "phone against the rest", as its comparison
        begins, to show progress: many groups with many permutations take long.

    Returns
    -------
    Differences
        One row a transition and pair of groups, the surest first:

        | column | |
        |---|---|
        | `group`, `against` | the groups |
        | `kind` | "exit" or "transition" |
        | `touchpoint`, `to` | where it begins (`cxjourney.START`: a journey) and goes |
        | `visits`, `visits_against` | visits there that came to an end |
        | `probability`, `probability_against` | of the transition in each group [fraction] |
        | `difference`, `low`, `high` | the first minus the second, with its interval |
        | `p_value`, `q_value` | of no difference; NaN where it was not tested |
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
        If there is no such attribute or column.
    InvalidValue
        If an argument breaks its rule.

    Notes
    -----
    Probabilities are Aalen-Johansen's at the inactivity limit in each group, so that journeys in
    progress are censored, and groups that were followed for unequal times compare. Their variance
    is that over buckets of customers, each of which is left out in both groups at once; customers
    may be in both. Intervals are Newcombe's (1998) hybrid, p-values those of the pooled score test
    on the same effective trials, both with Student's quantile. There are none where the visits of a
    group belong to fewer than three customers or so.

    The test of the whole permutes customers between the groups. It takes the weights of censored
    visits as known, which is slightly conservative. Benjamini and Hochberg's (1995) rule runs over
    all tests of the call. Transitions from one touchpoint sum to one, so that several rows can tell
    of one change. The adjusted difference is that of Mantel and Haenszel;
    probabilities are Aalen-Johansen's within each group and stratum, since strata may have been
    followed for unequal times. Where a group, or one within a stratum, was not followed up to the
    limit, what would have become of its visits is not known, and neither is the difference.

    Segments are not experiments: customers differ in other ways too. Name the likely ones as
    `strata`, one at a time: where `reversed` is true, the mix of strata makes the difference
    (Simpson's paradox).

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1).journeys()
    >>> found = cx.compare.segments(journeys, "segment", n_permutations=0)
    >>> first = found.ranking[0]
    >>> first.group, first.against, first.touchpoint, first.to == cx.DROPOFF
    ('student', 'the rest', 'cart', True)
    >>> first.difference.low > 0
    True
    """
    check_journeys(journeys)
    generator = _checked(level, fdr, min_count, n_permutations, rng)
    check_choice(against, "against", ("rest", "pairs"))
    journeys.require_determined("compare.segments()")
    coded = journeys.segment(segment)
    values = np.unique(coded.codes[coded.codes >= 0]).tolist()
    names = [str(coded.names[value]) for value in values]
    stratum = None if strata is None else journeys.segment(strata).codes
    seen = observations_of(journeys, by)
    value_of = np.searchsorted(values, coded.codes) if values else coded.codes
    value_of = np.where(coded.codes < 0, -1, value_of)[seen.journey]
    n = len(values)
    pairs: list[tuple[int, int | None, str]] = []
    if against == "pairs" or n == 2:
        pairs += [(i, j, names[j]) for i in range(n) for j in range(i + 1, n)]
    elif n > 2:
        pairs += [(i, None, _REST) for i in range(n)]
    parts = []
    for i, j, other in pairs:
        if begin is not None:
            begin(f"{names[i]} against {other}")
        others = (value_of >= 0) & (value_of != i) if j is None else value_of == j
        pair = (seen.take(value_of == i), seen.take(others))
        parts.append(
            Part(
                contrast=contrast_of(*pair),
                whole=permuted(*pair, names=(names[i], other), n=n_permutations, rng=generator),
                groups=pair,
                strata=None if stratum is None else (stratum, stratum),
            )
        )
    caveats = [_CURSE, _NO_EXPERIMENT]
    if n < 2:
        caveats.insert(0, f"{segment!r} has {n} value{'' if n == 1 else 's'}: nothing to compare.")
    return differences_of(
        parts,
        segment=segment,
        strata=strata,
        level=level,
        fdr=fdr,
        min_count=min_count,
        n_missing=_journeys_where(journeys, coded.codes < 0),
        method=_method(journeys),
        caveats=caveats,
        backend=journeys.log.backend,
    )


def between(
    a: Journeys | JourneyGraph,
    b: Journeys | JourneyGraph,
    *,
    names: tuple[str, str] = ("a", "b"),
    by: By | None = None,
    strata: str | None = None,
    min_count: int = 5,
    fdr: float = 0.05,
    level: float = 0.95,
    n_permutations: int = 999,
    rng: np.random.Generator | int | None = 0,
) -> Differences:
    """Compare two sets of journeys, such as two periods, or two graphs: a minus b.

    Parameters
    ----------
    a, b
        Both journeys or both graphs, cut by the same goal and limit. Customers with the same id
        are the same customer. Graphs know no customers: their visits are taken as independent.
    names
        What to call them.
    by
        What a node is; None means "touchpoint", or the grain of the graphs.
    strata, min_count, fdr, level, n_permutations, rng
        As in `segments`. Graphs have no strata.

    Returns
    -------
    Differences
        As of `segments`.

    Raises
    ------
    OutcomeUndetermined
        If nothing tells when a journey without the goal is over.
    NotAFlow
        If a graph is a subgraph or was filtered.
    UnknownName
        If there is no such attribute or column.
    InvalidValue
        If one is journeys and the other a graph, grains or limits differ, or an argument breaks
        its rule.

    Notes
    -----
    The methods are those of `segments`. Before and after is no experiment: season, campaigns and
    the mix of customers change too. Cut periods with `log.between(…)`, so that each is observed
    until its own end and no further.

    Examples
    --------
    >>> import cxjourney as cx
    >>> before = cx.Journeys.from_paths([["web"], ["web", "cart"]], converted=[0, 60],
    ...                                 dropped=[40, 20])
    >>> after = cx.Journeys.from_paths([["web"], ["web", "cart"]], converted=[0, 60],
    ...                                dropped=[40, 80])
    >>> found = cx.compare.between(after, before, names=("after", "before"), rng=1)
    >>> found.estimate("cart")
    32.1% [19.0%, 43.3%] (95% Newcombe, n=220)
    """
    for name, given in (("a", a), ("b", b)):
        if not isinstance(given, JourneyGraph):
            check_journeys(given, name)
    generator = _checked(level, fdr, min_count, n_permutations, rng)
    pair = check_names(names, "names")
    if len(pair) != 2:
        raise InvalidValue.of("names", "be two different names", names)
    pair = (pair[0], pair[1])
    caveats = [_CURSE, _NO_TRIAL]
    if isinstance(a, JourneyGraph) and isinstance(b, JourneyGraph):
        _check_graphs(a, b, by, strata)
        contrast = contrast_of_graphs(a, b)
        whole = chi_squared(contrast, names=pair)
        return differences_of(
            [Part(contrast=contrast, whole=whole)],
            segment=None,
            strata=None,
            level=level,
            fdr=fdr,
            min_count=min_count,
            n_missing=0,
            method="Probabilities are those of the graphs; intervals are Newcombe's and tests "
            "score tests, with visits taken as independent.",
            caveats=[*caveats, "A graph knows no customers, so its intervals are too narrow."],
            backend=None,
        )
    if isinstance(a, JourneyGraph) or isinstance(b, JourneyGraph):
        raise InvalidValue("a and b must both be journeys or both be graphs; use journeys.graph()")
    _check_rules(a, b)
    grain: By = "touchpoint" if by is None else by
    groups = side_by_side(observations_of(a, grain), observations_of(b, grain))
    part = Part(
        contrast=contrast_of(*groups),
        whole=permuted(*groups, names=pair, n=n_permutations, rng=generator),
        groups=groups,
        strata=None if strata is None else _strata_of(a, b, strata),
    )
    return differences_of(
        [part],
        segment=None,
        strata=strata,
        level=level,
        fdr=fdr,
        min_count=min_count,
        n_missing=0,
        method=_method(a),
        caveats=caveats,
        backend=a.log.backend,
    )


def _checked(
    level: float,
    fdr: float,
    min_count: int,
    n_permutations: int,
    rng: np.random.Generator | int | None,
) -> np.random.Generator:
    check_level(level)
    if isinstance(fdr, bool) or not is_number(fdr) or not 0 < fdr < 1:
        raise InvalidValue.of("fdr", "be a fraction strictly between 0 and 1", fdr)
    check_count(min_count, "min_count")
    check_count(n_permutations, "n_permutations", 0)
    return check_rng(rng)


def _check_rules(a: Journeys, b: Journeys) -> None:
    for journeys in (a, b):
        journeys.require_determined("compare.between()")
    for rule in ("goal", "inactivity"):
        one, other = getattr(a.rules, rule), getattr(b.rules, rule)
        if one != other:
            raise InvalidValue(
                f"a and b were cut by different rules ({rule}: {one!r} and {other!r}); what "
                "converts or is lost would not mean the same"
            )


def _check_graphs(a: JourneyGraph, b: JourneyGraph, by: By | None, strata: str | None) -> None:
    if strata is not None:
        raise InvalidValue.of("strata", "be None for graphs, which know no attributes", strata)
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


def _strata_of(a: Journeys, b: Journeys, strata: str) -> tuple[Ints, Ints]:
    """Return the stratum of each journey of both, equal names having equal codes."""
    first, second = a.segment(strata), b.segment(strata)
    code = {name: i for i, name in enumerate(dict.fromkeys((*first.names, *second.names)))}
    places = [
        np.array([*(code[name] for name in coded.names), -1], dtype=np.int64)[coded.codes]
        for coded in (first, second)
    ]
    return places[0], places[1]


def _journeys_where(journeys: Journeys, chosen: Bools) -> int:
    return int(chosen.sum() if journeys.weight is None else journeys.weight[chosen].sum())


def _method(journeys: Journeys) -> str:
    timed = journeys.columns.time is not None and journeys.rules.inactivity is not None
    estimator = "Aalen-Johansen's at the inactivity limit" if timed else "shares of ended visits"
    return (
        f"Probabilities are {estimator}; intervals are Newcombe's and tests score tests, over "
        "buckets of customers."
    )
