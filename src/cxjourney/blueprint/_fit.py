"""Conformance of observed journeys to the journey as designed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._stats.estimates import mean_estimate, share_estimate
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level, check_mapping
from cxjourney.blueprint._associations import (
    associations,
    frequencies,
    occurrences,
    weights_of,
)
from cxjourney.blueprint._deviations import (
    KINDS,
    Deviation,
    Deviations,
    deviations_of,
    observed_of,
)
from cxjourney.domain import check_blueprint
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    IN_PROGRESS,
    BySegment,
    WithPeople,
    as_pattern,
    by_segment,
    check_journeys,
    ended,
    matches_of,
    units_of,
    with_people,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.domain import JourneyBlueprint
    from cxjourney.journeys import Ending, Journeys, Pattern, SegmentBy, Sequences


@attrs.frozen(kw_only=True, repr=False)
class BlueprintFit(WithPeople):
    """How observed journeys fit a blueprint, and what deviations go with.

    `journeys(deviation, step)` gives the journeys that show a deviation.

    Attributes
    ----------
    blueprint
        Name of the blueprint.
    fitness
        Mean fitness of the journeys, in [0, 1]; 1 is exactly as designed.
    exact
        Share of journeys without any deviation [fraction].
    allowed
        Share of the transitions between touchpoints that the design allows [fraction].
    deviations
        One row a deviation, most frequent first:

        | column | |
        |---|---|
        | `deviation` | missing, skipped, repeated, out_of_order, wrong_channel, ad_hoc or rule |
        | `step` | the step, the touchpoint that is none, or the name of the rule |
        | `journeys` | journeys that show it |
        | `share`, `low`, `high` | their share of all journeys, with its interval [fraction] |
        | `times` | how often it occurs in all journeys together |
    conversion, duration, score
        What each deviation goes with, one row a deviation as in `deviations`. Conversion [fraction]
        and duration [s] are of journeys that ended, the score is the mean of each journey's
        answers:

        | column | |
        |---|---|
        | `deviation`, `step` | as in `deviations` |
        | `difference`, `low`, `high` | journeys with it minus journeys without it |
        | `p`, `adjusted_p` | of no difference; adjusted over all deviations and outcomes |
        | `with_it`, `without_it` | the two means |
        | `n_with`, `n_without` | how many journeys were compared |

        NaN where nothing can be compared.
    per_journey
        One row a journey, in the order of the journeys: `fitness`, and how often each deviation
        occurs in it.
    never_observed
        Steps whose touchpoint no journey visited.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title: ClassVar[str] = "Fit of the blueprint"

    blueprint: str
    fitness: Estimate
    exact: Estimate
    allowed: Estimate
    deviations: Table
    conversion: Table
    duration: Table
    score: Table
    per_journey: Table
    never_observed: tuple[str, ...]
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        return self.deviations

    def _notes(self) -> tuple[str, ...]:
        sure = [
            f"{row['deviation']} {row['step']}"
            for row in self.conversion
            if row["adjusted_p"] is not None and float(row["adjusted_p"]) <= 1 - self.level
        ]
        more = [f"and {len(sure) - 5} more"] if len(sure) > 5 else []
        return (
            f"Mean fitness: {self.fitness!r}.",
            f"Share of journeys exactly as designed: {self.exact!r}.",
            f"Share of transitions that the design allows: {self.allowed!r}.",
            *([f"Goes with another conversion: {', '.join([*sure[:5], *more])}."] if sure else []),
            *(
                [f"Never observed: {', '.join(self.never_observed)}."]
                if self.never_observed
                else []
            ),
            *self.notes,
        )


@overload
def fit(
    journeys: Journeys,
    blueprint: JourneyBlueprint,
    *,
    must: Mapping[str, Pattern | str] | None = None,
    must_not: Mapping[str, Pattern | str] | None = None,
    min_journeys: int = 10,
    level: float = 0.95,
    segment: None = None,
) -> BlueprintFit: ...
@overload
def fit(
    journeys: Journeys,
    blueprint: JourneyBlueprint,
    *,
    must: Mapping[str, Pattern | str] | None = None,
    must_not: Mapping[str, Pattern | str] | None = None,
    min_journeys: int = 10,
    level: float = 0.95,
    segment: SegmentBy,
) -> BySegment[BlueprintFit]: ...
def fit(
    journeys: Journeys,
    blueprint: JourneyBlueprint,
    *,
    must: Mapping[str, Pattern | str] | None = None,
    must_not: Mapping[str, Pattern | str] | None = None,
    min_journeys: int = 10,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> BlueprintFit | BySegment[BlueprintFit]:
    """Return how well journeys fit a blueprint, how they deviate, and what that goes with.

    Parameters
    ----------
    journeys
        The journeys.
    blueprint
        The journey as designed.
    must, must_not
        Rules beside its steps, each a pattern by its name: what has to happen in every journey, and
        what never may, such as `{"refund first": "refund -> .* -> delivery"}`. A journey that
        breaks one shows the deviation "rule". What has to happen is not missing yet in a journey
        in progress. Who breaks a rule is not compared with others.
    min_journeys
        Number of journeys with a deviation and without it, from which on the two are compared.
    level
        Confidence level, in (0, 1).
    segment
        An attribute of customers or interactions: each of its values is fitted on its own.

    Returns
    -------
    BlueprintFit, or BySegment of them

    Raises
    ------
    InvalidValue
        If `min_journeys` is not a whole number, at least 2, or a rule is no pattern.
    UnknownName
        If there is no such attribute, or a pattern names a touchpoint that the log does not have.

    Notes
    -----
    Every journey is aligned with the steps at the least cost: 1 for each required step passed over,
    1 for each visit that is no step at its place, 1 for a visit that is one but in a channel which
    the step does not allow. A visit may repeat a repeatable step; leaving out an optional one costs
    nothing. Fitness is 1 - cost / (visits + required steps). A journey in progress is compared with
    the design as far as it has come. Alignments are made once for each distinct path.

    A required step that was not taken is *skipped* if the journey went on to a later step or
    converted, else *missing*; *out of order* if its touchpoint was visited elsewhere. A visit that
    is no step at its place is *repeated* if its step was taken, *ad hoc* if it is no step at all.
    Goals and exits are outcomes: they are no visits here, and steps at them are left out.

    Journeys with a deviation are compared with those in which it could have happened but did not,
    and that came as far: for a step skipped or out of order both took a later step in its place,
    for a step repeated or in the wrong channel both took it. A missing step is not compared, as
    not getting there is what being lost means. Differences of conversion have Newcombe's interval,
    of duration and score Student's, with the variance over buckets of customers; p-values are
    adjusted for their number over all three outcomes (Benjamini and Hochberg). They are
    associations: longer journeys have more occasions to deviate, and who deviates differs from who
    does not.

    Examples
    --------
    >>> from cxjourney import Journeys, JourneyBlueprint
    >>> shop = JourneyBlueprint("shop", ["catalog", "cart", "delivery"])
    >>> journeys = Journeys.from_paths(
    ...     [["catalog", "cart", "delivery"], ["catalog", "delivery"], ["catalog", "chat"]],
    ...     converted=[60, 10, 0],
    ...     dropped=[20, 20, 30],
    ... )
    >>> found = fit(journeys, shop)
    >>> row = found.deviations.row(1)
    >>> row["deviation"], row["step"], row["journeys"]
    ('skipped', 'cart', 30)
    >>> round(float(found.conversion["difference"][1]), 3)  # 10/30 - 60/80
    -0.417
    """
    check_journeys(journeys)
    check_blueprint(blueprint)
    check_level(level)
    if isinstance(min_journeys, bool) or not isinstance(min_journeys, int) or min_journeys < 2:
        raise InvalidValue.of("min_journeys", "be a whole number, at least 2", min_journeys)
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: fit(
                part,
                blueprint,
                must=must,
                must_not=must_not,
                min_journeys=min_journeys,
                level=level,
            ),
        )
    outcomes_at = frozenset((*journeys.rules.goal, *journeys.rules.exit_touchpoints))
    observed = observed_of(journeys, without=outcomes_at)
    found = deviations_of(journeys, blueprint, observed, without=outcomes_at)
    units, weight = units_of(journeys), weights_of(journeys)
    rules = [*_rules(journeys, must, wanted=True), *_rules(journeys, must_not, wanted=False)]
    shown = [*found.each(), *rules]
    kinds = KINDS if rules else KINDS[:-1]
    counts: dict[str, NDArray[np.int64]] = {
        kind: np.zeros(len(journeys.outcome), dtype=np.int64) for kind in kinds
    }
    for deviation in shown:
        counts[deviation.kind] += deviation.times
    shown.sort(key=lambda d: -occurrences(d, weight)[0])
    tables = associations(journeys, shown, min_journeys=min_journeys, level=level)
    fitness = found.fitness[found.path]
    no_deviation = ~np.any(np.stack(list(counts.values())), axis=0)
    allowed, journey = _allowed(observed.sequences, observed.touchpoint, found)
    seen = [bool(column.any()) for column in found.visited.T]

    def members(place: int, _names: tuple[str, ...], outcome: Ending | None) -> Bools:
        return shown[place].present & ended(journeys, outcome)

    result = BlueprintFit(
        blueprint=blueprint.name,
        fitness=attrs.evolve(
            mean_estimate(
                fitness,
                units,
                level=level,
                name="blueprint_fitness",
                definition="mean over journeys of 1 - cost / (visits + required steps)",
                unit="fraction",
                of_shares=True,
            ),
            n_censored=int(weight[journeys.outcome == IN_PROGRESS].sum()),
        ),
        exact=share_estimate(
            no_deviation,
            units,
            level=level,
            name="exact_fit",
            definition="share of journeys without any deviation from the blueprint",
        ),
        allowed=share_estimate(
            allowed,
            units,
            item=journey,
            level=level,
            name="allowed_transitions",
            definition="share of the transitions between touchpoints that the blueprint allows",
        ),
        deviations=frequencies(journeys, shown, level=level),
        conversion=tables["conversion"],
        duration=tables["duration"],
        score=tables["score"],
        per_journey=Table({"fitness": fitness, **counts}, backend=journeys.log.backend),
        never_observed=tuple(
            label for label, some in zip(found.design.labels, seen, strict=True) if not some
        ),
        level=level,
        notes=_caveats(journeys, blueprint, outcomes_at, min_journeys),
    )
    return with_people(result, journeys, members)


def _rules(
    journeys: Journeys, rules: Mapping[str, Pattern | str] | None, *, wanted: bool
) -> Iterator[Deviation]:
    """Yield each rule as a deviation of the journeys that break it."""
    for name, pattern in check_mapping(rules or {}, "must" if wanted else "must_not").items():
        matches = matches_of(journeys, as_pattern(pattern, f"the rule {name!r}")).found
        broken = ~matches & (journeys.outcome != IN_PROGRESS) if wanted else matches
        yield Deviation(
            kind="rule",
            label=name,
            path=np.arange(len(broken)),
            per_path=broken.astype(np.int64),
            possible=None,
        )


def _allowed(sequences: Sequences, touchpoint: Ints, found: Deviations) -> tuple[Bools, Ints]:
    """Return whether the design allows each transition within a journey, and the journey."""
    design = found.design
    m = len(design.names)
    before = np.concatenate([[0], np.cumsum(design.required)])
    # from step i to step j if only optional steps lie between, or again to a repeatable one
    i, j = np.arange(m)[:, None], np.arange(m)[None, :]
    allowed = ((i < j) & (before[j] == before[np.minimum(i + 1, m)])) | (
        (i == j) & design.repeatable
    )
    distinct = list(dict.fromkeys(design.names))
    of_step = np.array([distinct.index(name) for name in design.names], dtype=np.int64)
    by_name = np.zeros((len(distinct) + 1, len(distinct) + 1), dtype=np.bool_)
    a, b = np.nonzero(allowed)
    by_name[of_step[a], of_step[b]] = True
    number = {name: k for k, name in enumerate(distinct)}
    node = np.array([number.get(name, len(distinct)) for name in found.names], dtype=np.int64)
    codes = node[touchpoint[sequences.codes]]
    owner = np.repeat(np.arange(len(sequences)), sequences.lengths)
    within = owner[1:] == owner[:-1]
    return by_name[codes[:-1], codes[1:]][within], owner[1:][within]


def _caveats(
    journeys: Journeys,
    blueprint: JourneyBlueprint,
    outcomes_at: frozenset[str],
    min_journeys: int,
) -> tuple[str, ...]:
    notes = []
    left_out = [name for name in blueprint.touchpoints if name in outcomes_at]
    if left_out:
        notes.append(f"Goals and exits are outcomes and no steps: {', '.join(left_out)}.")
    still = int(weights_of(journeys)[journeys.outcome == IN_PROGRESS].sum())
    if still:
        notes.append(
            f"{still:,} journeys are in progress: they are compared with the design as far as they "
            "have come, and are no part of conversion and duration."
        )
    if any(step.channels for step in blueprint.steps) and "channel" not in journeys.columns.coded:
        notes.append("The log has no channels, so that none can be wrong.")
    if not journeys.rules.determined:
        notes.append(
            "No conversion is shown, since nothing says when a journey without the goal is over."
        )
    notes.append(
        f"Outcomes are compared where {min_journeys} journeys show a deviation and as many do not. "
        "Differences are associations, not effects: longer journeys have more occasions to deviate."
    )
    return tuple(notes)
