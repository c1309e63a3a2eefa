"""History: the experience of customers over time, what of it is remembered, and the three Cs."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimates import CLUSTERED, means_without
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_choice,
    check_level,
    check_name,
    check_number,
    check_rng,
    duration_us,
    optional_duration,
)
from cxjourney._support.words import counted, how_long
from cxjourney._time.calendar import PERIODS
from cxjourney._time.timestamps import utc_us
from cxjourney._time.zones import check_zone
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.experience._memory_rules import DRAWS, RuleFits, rule_fits
from cxjourney.experience._over_time import Moments, standings
from cxjourney.experience._scores import MEASURES, SCALES, Measure
from cxjourney.experience._three_cs import check_weights, three_cs, weighted_total
from cxjourney.journeys import (
    check_journeys,
    chosen_rows,
    units_of,
    units_of_customers,
)
from cxjourney.log import InteractionLog
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime, timedelta

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney._time.calendar import Period
    from cxjourney.journeys import Journeys, Pattern


@attrs.frozen(kw_only=True, repr=False)
class History(Result):
    """The experience of customers over time, what of it is remembered, and the three Cs.

    Attributes
    ----------
    table
        One row a period, up to the date that is asked for:

        | column | |
        |---|---|
        | `period` | month or whatever was asked for |
        | `customers` | customers with a value up to its end |
        | `n` | values within it |
        | `mean`, `low`, `high` | mean over these customers of where each stands, its interval |

    scores
        Where each customer of the log stands at the date, in the order of `log.customer_ids`: the
        mean of the values so far, where recent ones may weigh more; NaN without a value.
    rules
        One row a rule that may predict the overall rating; empty where none was named:

        | column | |
        |---|---|
        | `rule` | "mean", "peak-end", "worst" or "last" of the moments before the rating |
        | `r2`, `low`, `high` | cross-validated R², below 0 where worse than no rule |
        | `difference`, … | to the R² of the mean, with its interval |
        | `p_value`, `q_value` | of no difference; the same, allowing for three comparisons |
        | `wins` | share of resampled customers in which the rule predicts best |

    best
        The rule that predicts better than the mean beyond chance; None where none is shown to.
    cs
        One row a measure: `aspect` (consistency, convenience or personalisation), `measure`,
        `value`, `low`, `high`, `n` and `unit`. Consistency is better where it is low, and so is
        effort.
    total
        The weighted sum of measures; None unless `weights` were given.
    measure, half_life_days, at
        "score", "emotion" or "expectation"; the age at which a value weighs half, None for a plain
        mean; the date, as a timestamp in UTC.
    n_without, n_journeys_without
        Customers without a value up to the date, and journeys without any, which are left out and
        not neutral.
    level, caveats
        Confidence level of the intervals; what a reader must know.
    """

    title: ClassVar[str] = "Experience over time"

    table: Table
    scores: tuple[float, ...] = attrs.field(repr=False)
    rules: Table
    best: str | None
    cs: Table
    total: Estimate | None
    measure: str
    half_life_days: float | None
    at: str
    n_without: int
    n_journeys_without: int
    level: float
    caveats: tuple[str, ...]

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw where customers stand at the end of each period, with the interval of their mean.

        Parameters
        ----------
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        return plot.emotion_curve(
            [str(period) for period in self.table["period"]],
            self.table["mean"],
            self.table["low"],
            self.table["high"],
            neutral=0.0 if self.measure == "emotion" else None,
            label=f"mean {self.measure} of customers",
            across="end of the period",
            caption="Each customer counts once, at the mean of what they have said so far.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _lead(self) -> str:
        if not len(self.rules):
            return ""
        if self.best is None:
            return "None of the rules is shown to predict the overall rating better than the mean."
        return f"The rule {self.best!r} predicts the overall rating better than the mean does."

    def _notes(self) -> tuple[str, ...]:
        weighing = "all values weigh alike"
        if self.half_life_days is not None:
            weighing = f"a value weighs half after {how_long(86_400 * self.half_life_days)}"
        total = () if self.total is None else (f"The weighted total is {self.total!r}.",)
        return (
            f"Where customers stand at the end of each period, up to {self.at}; {weighing}.",
            f"Means have {100 * self.level:g}% intervals (Student, {CLUSTERED}).",
            *means_without(self.table["mean"], self.table["low"]),
            (
                f"{counted(self.n_without, 'customer')} and "
                f"{counted(self.n_journeys_without, 'journey')} have no {self.measure} and are "
                "left out, not neutral."
            ),
            *self.caveats,
            *total,
        )

    def _further(self) -> tuple[tuple[str, Table], ...]:
        tables = (("Rules of memory", self.rules), ("The three Cs", self.cs))
        return tuple((heading, table) for heading, table in tables if len(table))


def history(
    source: Journeys | InteractionLog,
    *,
    measure: Measure = "emotion",
    half_life: timedelta | str | None = None,
    at: datetime | date | str | None = None,
    by: Period = "month",
    tz: str | None = None,
    overall: str | None = None,
    neutral: float = 0.0,
    effort: str | None = None,
    personalised: str | Iterable[str] | Pattern | NDArray[np.bool_] | None = None,
    within: timedelta | str | None = None,
    weights: Mapping[str, float] | None = None,
    rng: np.random.Generator | int | None = 0,
    level: float = 0.95,
) -> History:
    """Return how customers' experience stands over time, what is remembered, and the three Cs.

    Parameters
    ----------
    source
        Journeys; or a log, of which all that a customer did is one journey.
    measure
        What experience is: "emotion" (valence from -1 to 1), "score" or "expectation".
    half_life
        The age at which a value weighs half as much as a new one; None for the plain mean.
    at
        The date at which customers stand where they do, what comes later does not count; None for
        the end of the observation. A moment without a zone is read in `tz`. Rules of memory and the
        three Cs are those of all journeys, whatever the date.
    by, tz
        "day", "week" (from Monday), "month" or "quarter"; time zone of the calendar, None for the
        one in which the log was.
    overall
        What rates a journey as a whole: a touchpoint at which `measure` does so, or a column of
        numbers. It is compared with the moments of the same journey up to it, the last rating of a
        journey counts, and ratings at a touchpoint are no moments.
    neutral
        The value that neither pleases nor hurts, for peak-end; for scores the middle of their
        scale.
    effort
        A column of answers from 1 to 7 to the question of the Customer Effort Score, version 2.
    personalised
        Which contacts are personalised: touchpoints, attributes that say yes or no, a
        `cxjourney.Pattern`, or one truth value for each interaction of the journeys.
    within
        How long after a contact a conversion counts; None for the time in which nine of ten come.
    weights
        What one unit of a measure of the three Cs is worth; None for no total. Its names are those
        of the column `measure`, and a measure that is better when low has a negative weight.
    rng
        Seed or generator of the resampling that counts wins.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    History

    Raises
    ------
    TimesRequired
        If the journeys were made of aggregated paths.
    UnknownName
        If the log has no such column, touchpoint or attribute, or `weights` name another measure.
    InvalidValue
        If an argument breaks its rule.

    Notes
    -----
    A customer stands at Σ w v / Σ w with w = 2^(-age / half-life). How often a customer says
    something does not change how much the customer weighs in the mean of all.

    Rules are compared by how well a line through each predicts overall ratings of customers who had
    no part in it (64 buckets, one left out at a time); the R² and its differences are computed
    again without each bucket, and their intervals are Student's. A rule is named only where its
    difference to the mean survives Benjamini and Yekutieli's correction. Peak-end is not clearly
    better than the mean (Alaybek et al. 2022).

    Of the three Cs consistency is the spread of `cxjourney.omnichannel.consistency`, convenience is
    `inferred_effort` and, where it was asked, `cxjourney.metrics.ces`. Personalisation is the share
    of contacts, and how much likelier a conversion is after them, stratified by touchpoint and
    visit (Mantel and Haenszel). Who is addressed personally may differ: that is an association. For
    an effect see `exposures`.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> found = cx.experience.history(journeys, half_life="90d", by="quarter")
    >>> found.table["period"], found.best
    (('2025-Q1', '2025-Q2', '2025-Q3', '2025-Q4'), None)
    """
    check_level(level)
    check_choice(by, "by", PERIODS)
    check_choice(measure, "measure", MEASURES)
    journeys = source.journeys() if isinstance(source, InteractionLog) else source
    check_journeys(journeys, "source")
    journeys.require_times("history")
    half = optional_duration(half_life, "half_life")
    window = optional_duration(within, "within")
    zone = journeys.log.intake.tz if tz is None else tz
    check_zone(zone)
    if not math.isfinite(check_number(neutral, "neutral")):
        raise InvalidValue.of("neutral", "be finite", neutral)
    weighed, draws = check_weights(weights), check_rng(rng)
    chosen = None
    if personalised is not None:
        chosen = chosen_rows(journeys, personalised, "personalised")
    time = np.asarray(journeys.columns.time)
    at_us = _date(journeys, at, zone, time)
    asked = None if effort is None else _numbers(journeys, effort, "effort")
    ratings, journeys = _split(journeys, measure, overall)
    values = np.asarray(journeys.columns.numeric[measure], dtype=np.float64)
    seen = ~np.isnan(values) & (time <= at_us)
    table, standing = _standings(journeys, values, seen, measure, half, by, zone, at_us, level)
    of_row = np.repeat(np.arange(len(journeys.outcome)), np.diff(journeys.offsets))
    n_known = np.bincount(of_row[~np.isnan(values)], minlength=len(journeys.outcome))
    fits, caveats = _fits(journeys, values, ratings, of_row, neutral, draws, level)
    cs, said = three_cs(
        journeys, measure=measure, effort=asked, personalised=chosen, within=window, level=level
    )
    total = None
    if weighed is not None:
        each = 1 - (1 - level) / len(weighed)
        wider, _ = three_cs(
            journeys, measure=measure, effort=asked, personalised=chosen, within=window, level=each
        )
        total = weighted_total(weighed, cs, wider, level)
    else:
        said.append("The three Cs are not added up: weights= says what each is worth.")
    present = np.zeros(journeys.log.n_customers, dtype=np.bool_)
    present[journeys.customer] = True
    return History(
        table=table,
        scores=tuple(standing.tolist()),
        rules=fits.table,
        best=fits.best,
        cs=cs,
        total=total,
        measure=measure,
        half_life_days=None if half is None else half.total_seconds() / 86_400,
        at=f"{np.datetime64(at_us, 'us').astype('datetime64[s]')}Z",
        n_without=int(np.count_nonzero(present & np.isnan(standing))),
        n_journeys_without=int(np.count_nonzero(n_known == 0)),
        level=level,
        caveats=(*caveats, *said),
    )


def _date(
    journeys: Journeys, at: datetime | date | str | None, zone: str, time: NDArray[np.int64]
) -> int:
    if at is not None:
        return utc_us(at, "at", zone)
    until = journeys.log.observed_until_us
    return int(time.max(initial=0) if until is None else until)


def _numbers(journeys: Journeys, name: str, argument: str) -> Floats:
    """Return a column of numbers, or an attribute whose values are numbers, NaN where unknown."""
    check_name(name, argument)
    columns, of_customers = journeys.columns, journeys.log.customer_attributes
    if name in columns.numeric:
        return np.asarray(columns.numeric[name], dtype=np.float64)
    known = list(columns.numeric)
    for one in (*columns.attributes, *of_customers):
        coded = columns.attribute(one, of_customers)
        if not coded.names or not all(
            isinstance(value, Real) and not isinstance(value, bool) for value in coded.names
        ):
            continue
        known.append(one)
        if one == name:
            return np.asarray(np.array([*map(float, coded.names), np.nan])[coded.codes])
    if not len(columns):
        return np.zeros(0)
    if argument == "overall":
        known += journeys.log.touchpoints
    where = "the columns of numbers" + (" or the touchpoints" if argument == "overall" else "")
    raise UnknownName.among(argument, name, known, where=where)


def _split(
    journeys: Journeys, measure: Measure, overall: str | None
) -> tuple[Floats | None, Journeys]:
    """Return the overall rating of each row, and journeys whose moments are without them."""
    numeric = dict(journeys.columns.numeric)
    if measure not in numeric:
        if len(journeys.columns):
            known = [name for name in MEASURES if name in numeric]
            raise UnknownName.among("measure", measure, known, where="the columns of the log")
        numeric[measure] = np.zeros(0)
        columns = attrs.evolve(journeys.columns, numeric=numeric)
        return None if overall is None else np.zeros(0), attrs.evolve(journeys, columns=columns)
    if overall is None:
        return None, journeys
    coded = journeys.columns.coded["touchpoint"]
    if check_name(overall, "overall") == measure:
        rule = f"be something else than the measure {measure!r} of the moments"
        raise InvalidValue.of("overall", rule, overall)
    if overall not in coded.names:
        return _numbers(journeys, overall, "overall"), journeys
    values = np.asarray(numeric[measure], dtype=np.float64)
    there: Bools = coded.codes == coded.names.index(overall)
    numeric[measure] = np.where(there, np.nan, values)
    columns = attrs.evolve(journeys.columns, numeric=numeric)
    return np.where(there, values, np.nan), attrs.evolve(journeys, columns=columns)


def _standings(  # noqa: PLR0917 - what it needs of the call, in its order
    journeys: Journeys,
    values: Floats,
    seen: Bools,
    measure: str,
    half: timedelta | None,
    by: Period,
    zone: str,
    at_us: int,
    level: float,
) -> tuple[Table, Floats]:
    customer = np.repeat(journeys.customer, np.diff(journeys.offsets))
    return standings(
        Moments(
            value=values[seen],
            customer=customer[seen],
            time_us=np.asarray(journeys.columns.time)[seen],
        ),
        journeys.log.n_customers,
        half_life_us=np.inf if half is None else float(duration_us(half)),
        by=by,
        tz=zone,
        at_us=at_us,
        units=units_of_customers(journeys.log),
        scale=SCALES.get(measure),
        level=level,
    )


def _fits(  # noqa: PLR0917 - what it needs of the call, in its order
    journeys: Journeys,
    values: Floats,
    ratings: Floats | None,
    of_row: Ints,
    neutral: float,
    rng: np.random.Generator,
    level: float,
) -> tuple[RuleFits, list[str]]:
    """Return how rules predict the last overall rating of each journey from what came up to it."""
    if ratings is None:
        return RuleFits(table=Table({}), best=None, n=0), []
    count = len(journeys.outcome)
    at = np.full(count, -1, dtype=np.int64)
    rated = np.flatnonzero(~np.isnan(ratings))
    at[of_row[rated]] = rated  # the last to be written is the last of the journey
    before = ~np.isnan(values) & (np.arange(len(values)) <= at[of_row])
    has = np.bincount(of_row[before], minlength=count) > 0
    journey = np.flatnonzero(has)
    place = np.cumsum(has) - 1
    fits = rule_fits(
        values[before],
        place[of_row[before]],
        ratings[at[journey]],
        units_of(journeys).take(journey),
        neutral=neutral,
        rng=rng,
        level=level,
    )
    customers = len(np.unique(journeys.customer[journey]))
    n_rated = int(np.count_nonzero(at >= 0))
    return fits, [
        (
            f"Rules are those of {counted(fits.n, 'journey')} of "
            f"{counted(customers, 'customer')} with an overall rating and moments before it; "
            f"{n_rated - fits.n:,} with a rating have no moments."
        ),
        (
            f"Each rating is predicted from other customers; wins are of {DRAWS:,} resamplings of "
            "customers, ties shared out."
        ),
    ]
