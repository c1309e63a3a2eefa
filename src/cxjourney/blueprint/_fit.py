"""Conformance: how well observed journeys fit the journey as designed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.blueprint._associations import associations, frequencies, occurrences
from cxjourney.blueprint._deviations import KINDS, Deviations, deviations_of, observed_of
from cxjourney.domain import check_blueprint
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import IN_PROGRESS, Sample, check_journeys, mean_interval, share_interval
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.domain import JourneyBlueprint
    from cxjourney.journeys import Journeys, Sequences

__all__ = ["BlueprintFit", "fit"]


@attrs.frozen(kw_only=True, repr=False)
class BlueprintFit(Result):
    """How observed journeys fit a blueprint, and what deviations go with.

    Attributes
    ----------
    blueprint
        Name of the blueprint.
    fitness
        Mean fitness of the journeys, in [0, 1]; 1 is exactly as designed.
    exact
        Share of journeys without any deviation [fraction].
    allowed
        Share of the moves from one touchpoint to the next that the design allows [fraction].
    deviations
        One row a deviation, most frequent first: `deviation` ("missing", "skipped", "repeated",
        "out_of_order", "wrong_channel" or "ad_hoc"), `step` (or touchpoint), `journeys` that show
        it, their `share` of all with `low` and `high`, and `times` in all journeys together.
    conversion, duration, score
        What each deviation goes with, one row a deviation as in `deviations`: the `difference` of
        journeys with it and without it, with `low` and `high`, `p` and `adjusted_p`; the means
        `with_it` and `without_it`, and how many journeys (`n_with`, `n_without`). Conversion
        [fraction] and duration [s] are of journeys that ended, the score is the mean of each
        journey's answers. NaN where nothing can be compared.
    journeys
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
    journeys: Table
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
            f"fitness: {self.fitness!r}",
            f"exactly as designed: {self.exact!r}",
            f"moves that the design allows: {self.allowed!r}",
            *([f"goes with another conversion: {', '.join([*sure[:5], *more])}"] if sure else []),
            *([f"never observed: {', '.join(self.never_observed)}"] if self.never_observed else []),
            *self.notes,
        )


def fit(
    journeys: Journeys,
    blueprint: JourneyBlueprint,
    *,
    min_journeys: int = 10,
    level: float = 0.95,
) -> BlueprintFit:
    """Return how well journeys fit a blueprint, how they deviate, and what that goes with.

    Parameters
    ----------
    journeys
        The journeys.
    blueprint
        The journey as designed.
    min_journeys
        Number of journeys with a deviation and without it, from which on the two are compared.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    BlueprintFit

    Raises
    ------
    InvalidValue
        If `min_journeys` is not a whole number, at least 2.

    Notes
    -----
    Every journey is aligned with the steps at the least cost: 1 for each required step passed over,
    1 for each touch that is no step at its place, 1 for a touch that is one but in a channel which
    the step does not allow. A touch may repeat a repeatable step; leaving out an optional one costs
    nothing. Fitness is 1 - cost / (touches + required steps). A journey still open is compared with
    the design as far as it has come. Alignments are made once for each distinct path.

    A required step that was not taken is *skipped* if the journey went on to a later step or
    converted, else *missing*; *out of order* if its touchpoint was visited elsewhere. A touch that
    is no step at its place is *repeated* if its step was taken, *ad hoc* if it is no step at all.
    Goals and exits are outcomes: they are no touches here, and steps at them are left out.

    Journeys with a deviation are compared with those in which it could have happened but did not,
    and that came as far: for a step skipped or out of order both took a later step in its place,
    for a step repeated or in the wrong channel both took it. A missing step is not compared, as
    not getting there is what being lost means. Differences of conversion have Newcombe's interval,
    of duration and score Welch's, both clustered by customer; p-values are adjusted for their
    number over all three outcomes (Benjamini and Hochberg). They are associations: longer journeys
    have more occasions to deviate, and who deviates differs from who does not.

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
    outcomes_at = frozenset((*journeys.rules.goal, *journeys.rules.exit_touchpoints))
    observed = observed_of(journeys, without=outcomes_at)
    found = deviations_of(journeys, blueprint, observed, without=outcomes_at)
    everyone = Sample.of(journeys, np.zeros(len(journeys.outcome)))

    shown = list(found.each())
    per_journey: dict[str, NDArray[np.int64]] = {
        kind: np.zeros(len(journeys.outcome), dtype=np.int64) for kind in KINDS
    }
    for deviation in shown:
        per_journey[deviation.kind] += deviation.times
    shown.sort(key=lambda d: -occurrences(d, everyone)[0])
    tables = associations(journeys, shown, min_journeys=min_journeys, level=level)
    fitness = found.fitness[found.path]
    no_deviation = ~np.any(np.stack(list(per_journey.values())), axis=0)
    seen = [bool(column.any()) for column in found.visited.T]
    return BlueprintFit(
        blueprint=blueprint.name,
        fitness=_mean_fitness(attrs.evolve(everyone, value=fitness), journeys, level=level),
        exact=_share(
            attrs.evolve(everyone, value=no_deviation.astype(np.float64)),
            name="exact_fit",
            definition="share of journeys without any deviation from the blueprint",
            level=level,
        ),
        allowed=_share(
            _moves(observed.sequences, observed.touchpoint, found, everyone),
            name="allowed_moves",
            definition="share of the moves between touchpoints that the blueprint allows",
            level=level,
        ),
        deviations=frequencies(shown, everyone, level=level, backend=journeys.log.backend),
        conversion=tables["conversion"],
        duration=tables["duration"],
        score=tables["score"],
        journeys=Table({"fitness": fitness, **per_journey}, backend=journeys.log.backend),
        never_observed=tuple(
            label for label, some in zip(found.design.labels, seen, strict=True) if not some
        ),
        level=level,
        notes=_caveats(journeys, blueprint, outcomes_at, min_journeys),
    )


def _mean_fitness(sample: Sample, journeys: Journeys, *, level: float) -> Estimate:
    value, low, high = mean_interval(sample, level=level)
    n = round(float(sample.weight.sum()))
    return Estimate(
        value=value,
        low=max(0.0, low),
        high=min(1.0, high),
        level=level,
        n=n,
        n_censored=round(float(sample.weight[journeys.outcome == IN_PROGRESS].sum())),
        unit="fraction",
        method="Student, clustered by customer",
        notes=() if n else ("empty",),
        name="blueprint_fitness",
        definition="mean over journeys of 1 - cost / (touches + required steps)",
    )


def _share(sample: Sample, *, name: str, definition: str, level: float) -> Estimate:
    share, low, high = share_interval(sample, level=level)
    n = round(float(sample.weight.sum()))
    hits = float(sample.weight @ sample.value)
    return Estimate(
        value=share,
        low=low,
        high=high,
        level=level,
        n=n,
        unit="fraction",
        method="Wilson, clustered by customer",
        notes=() if n else ("empty",),
        name=name,
        definition=definition,
        numerator=hits,
        denominator=float(n),
    )


def _moves(
    sequences: Sequences, touchpoint: NDArray[np.int64], found: Deviations, everyone: Sample
) -> Sample:
    """Return whether the design allows each move from a touch to the next of its journey."""
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
    journey = owner[1:][within]
    return Sample(
        value=by_name[codes[:-1], codes[1:]][within].astype(np.float64),
        customer=everyone.customer[journey],
        weight=everyone.weight[journey],
    )


def _caveats(
    journeys: Journeys,
    blueprint: JourneyBlueprint,
    outcomes_at: frozenset[str],
    min_journeys: int,
) -> tuple[str, ...]:
    notes = []
    left_out = [name for name in blueprint.touchpoints if name in outcomes_at]
    if left_out:
        notes.append(f"goals and exits are outcomes, no steps: {', '.join(left_out)}")
    still = journeys.outcome == IN_PROGRESS
    if still.any():
        weight = np.ones(len(still)) if journeys.weight is None else journeys.weight
        notes.append(
            f"{round(float(weight[still].sum())):,} journeys are still open: compared with the "
            "design as far as they have come; no part of conversion and duration"
        )
    if any(step.channels for step in blueprint.steps) and "channel" not in journeys.columns.coded:
        notes.append("the log has no channels: none can be wrong")
    if not journeys.rules.determined:
        notes.append("nothing says when a journey without the goal is over: no conversion is shown")
    notes.append(
        f"compared from {min_journeys} journeys with and without it; associations, not effects: "
        "longer journeys have more occasions to deviate"
    )
    return tuple(notes)
