"""`drivers`: what the overall impression hangs on, and `moments_of_truth`, where it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import attrs
import numpy as np

from cxjourney._stats.intervals import normal_quantile
from cxjourney._support.arrays import Values, codes, numbers
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_count, check_level, check_rng
from cxjourney.critical._asymmetry import asymmetry
from cxjourney.critical._importance import johnson_weights, lmg_weights
from cxjourney.critical._moments import Moments
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.journeys import IN_PROGRESS, By, check_journeys, visits_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys import Journeys


__all__ = ["Drivers", "check_drivers", "driver_scores", "drivers", "moments_of_truth"]

Method = Literal["auto", "lmg", "johnson"]
_MOST_LMG = 12
_NOISE = 19
FEWEST_ROWS = 10


@attrs.frozen(kw_only=True, repr=False)
class Drivers(Result):
    """What the outcome hangs on, the heaviest first.

    Attributes
    ----------
    table
        One row a predictor: `n` values; `mean`; `weight` (share of the variance of the outcome
        that it accounts for [fraction]) with `low`, `high`; `share` of all weights; `unique` (what
        R² loses without it); `slope` (outcome points per point, the others held); `above_noise`
        (heavier than every noise column); `penalty`, `reward` (outcome of low and of high answers
        less that of middling ones) with `penalty_low` … `reward_high`; `kind`: "must-be",
        "attractive", "linear" or "".
    r_squared
        Share of the variance of the outcome that all predictors account for, beyond who was where.
    visited_r_squared
        Share that who was where accounts for, where predictors are missing by design.
    noise
        The heaviest of 19 columns of noise: what a predictor weighs that has nothing to do with
        the outcome.
    n
        Number of rows.
    method
        "lmg" or "johnson".
    level
        Confidence level of the intervals.
    """

    title: ClassVar[str] = "Drivers"

    table: Table
    r_squared: float
    visited_r_squared: float
    noise: float
    n: int
    method: str
    level: float

    def _table(self) -> Table:
        return self.table

    def _shown(self) -> Table:
        names = ("driver", "n", "weight", "low", "high", "unique", "above_noise", "penalty")
        return self.table.select([*names, "reward", "kind"])

    def _notes(self) -> tuple[str, ...]:
        notes = [
            f"R² {self.r_squared:.3f} of {self.n:,} rows",
            f"the heaviest of {_NOISE} noise columns weighs {self.noise:.2%}",
            f"{self.method}; {100 * self.level:g}% intervals, jackknife over groups of customers",
            "not causal; answers of one person go together whatever was done (halo)",
        ]
        if self.visited_r_squared > 0:
            known = f"{self.visited_r_squared:.3f}"
            notes.insert(1, f"who was where accounts for {known} more, which is no driver's")
        return tuple(notes)


def drivers(
    scores: Mapping[str, Values],
    outcome: Values,
    *,
    customer: Values | None = None,
    method: Method = "auto",
    partial_out: Literal["mean"] | None = None,
    level: float = 0.95,
    rng: np.random.Generator | int | None = None,
) -> Drivers:
    r"""Return which scores the outcome hangs on, and how sure that is.

    Parameters
    ----------
    scores
        Predictor to one value a row: answers on touchpoints, say. NaN where there was nothing to
        answer, because the row (a journey, a customer) was not there.
    outcome
        One value a row: an overall score, or 0 and 1. Rows without it are left out.
    customer
        Whose row each is; None takes every row as a customer of its own.
    method
        "lmg" (exact, up to 12 predictors), "johnson", or "auto": LMG as far as it goes.
    partial_out
        "mean" takes the mean answer of each row out of its answers first (halo): what is left is
        where a person answers better or worse than they usually do.
    level
        Confidence level, in (0, 1).
    rng
        For the noise columns and the groups of customers.

    Returns
    -------
    Drivers

    Raises
    ------
    InvalidValue
        If there are no predictors, lengths differ, or LMG is asked of more than 12.
    InvalidData
        If fewer than ten rows have an outcome.

    Notes
    -----
    Where a predictor is missing by design, an indicator of that enters first, together with those
    of the others; the predictor itself is centred among those who have it and 0 elsewhere. Nothing
    is imputed, and a weight speaks of the answers, not of who was where. LMG averages the increase
    of R² over all orders (Lindeman, Merenda and Gold 1980); with a 0/1 outcome R² is Tjur's
    coefficient of the linear probability model. The intervals are a delete-a-group jackknife over
    customers.

    Penalty and reward follow Brandt (1988): the outcome of low answers (lowest third) and of high
    ones (highest third) less that of middling answers, predictor by predictor. A predictor whose
    penalty surely outweighs its reward is a must-be, the reverse is attractive.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> price, staff = rng.normal(size=(2, 400))
    >>> found = drivers({"price": price, "staff": staff}, price + rng.normal(size=400), rng=1)
    >>> found.table["driver"], found.table["above_noise"].tolist()
    (('price', 'staff'), [True, False])
    """
    check_level(level)
    check_choice(method, "method", ("auto", "lmg", "johnson"))
    if partial_out is not None:
        check_choice(partial_out, "partial_out", ("mean",))
    if not hasattr(scores, "keys"):
        raise InvalidValue.of("scores", "be a dict of each predictor's values by its name", scores)
    names = tuple(scores)
    if not names:
        raise InvalidValue.of("scores", "name at least one predictor", dict(scores))
    if method == "lmg" and len(names) > _MOST_LMG:
        raise InvalidValue.of("method", f'be "johnson" beyond {_MOST_LMG} predictors', method)
    exact = method == "lmg" or (method == "auto" and len(names) <= _MOST_LMG)
    y = numbers(outcome, "outcome").astype(np.float64)
    given = [numbers(scores[name], name).astype(np.float64) for name in names]
    if any(len(values) != len(y) for values in given):
        lengths = {name: len(values) for name, values in zip(names, given, strict=True)}
        raise InvalidValue.of("scores", f"have one value for each of {len(y):,} outcomes", lengths)
    x = np.stack(given, axis=1)
    group = np.arange(len(y)) if customer is None else codes(customer, "customer")[0]
    if len(group) != len(y):
        raise InvalidValue.of(
            "customer", f"have one value for each of {len(y):,} outcomes", customer
        )
    known = ~np.isnan(y)
    x, y, group = x[known], y[known], group[known]
    if len(y) < FEWEST_ROWS:
        raise InvalidData(
            f"drivers() needs at least {FEWEST_ROWS} rows with an outcome; got {len(y)}"
        )
    if partial_out == "mean":
        with np.errstate(invalid="ignore"):
            halo = np.nansum(x, axis=1) / np.maximum((~np.isnan(x)).sum(axis=1), 1)
        x = x - halo[:, None]
    generator = check_rng(rng)
    answered = ~np.isnan(x)
    counts = answered.sum(axis=0)
    centred, controls = _design(x, answered)
    noise = generator.normal(size=(len(y), _NOISE))
    moments = Moments.of(centred, controls, y, noise, customer=group, rng=generator)
    weigh = lmg_weights if exact else johnson_weights
    whole = moments.partial(None)
    weights = weigh(*whole.scaled(len(names)))
    left_out = np.array(
        [weigh(*moments.partial(g).scaled(len(names))) for g in range(moments.n_groups)]
    )
    half = normal_quantile(level) * _jackknife(left_out)
    zero_line = max(
        float(johnson_weights(*whole.scaled(len(names), extra=k))[-1]) for k in range(_NOISE)
    )
    r2, unique, slope = whole.fit(len(names))
    sums = np.where(answered, x, 0.0).sum(axis=0)
    mean = np.divide(sums, counts, out=np.full(len(names), np.nan), where=counts > 0)
    columns = {
        "driver": names,
        "n": counts,
        "mean": mean,
        "weight": weights,
        "low": np.maximum(weights - half, 0.0),
        "high": weights + half,
        "share": weights / weights.sum() if weights.sum() > 0 else np.full(len(names), np.nan),
        "unique": unique,
        "slope": slope,
        "above_noise": weights > zero_line,
        **asymmetry(x, y, group, level),
    }
    formats = dict.fromkeys(("weight", "low", "high", "share", "unique"), "percent")
    order = np.lexsort((np.arange(len(names)), -weights))
    return Drivers(
        table=Table(columns, formats=formats).take(order),
        r_squared=r2,
        visited_r_squared=whole.controls_r2,
        noise=zero_line,
        n=len(y),
        method="lmg" if exact else "johnson",
        level=level,
    )


def check_drivers(found: Drivers) -> Drivers:
    """Return what `drivers` found, or raise InvalidValue."""
    if not isinstance(found, Drivers):
        raise InvalidValue.of("found", "be the Drivers that cx.critical.drivers() returns", found)
    return found


def moments_of_truth(found: Drivers, *, most: int = 3) -> tuple[str, ...]:
    """Return the predictors that decide: heavy, surely so, and not to be replaced by others.

    Parameters
    ----------
    found
        The drivers.
    most
        How many at most.

    Returns
    -------
    tuple of str
        Predictors above the noise whose weight has an interval above it too, by what R² loses
        without them.

    Raises
    ------
    InvalidValue
        If `most` is below 1.

    Notes
    -----
    A weight alone may be borrowed from a neighbour that goes along; `unique` alone vanishes where
    two say the same. A moment of truth has both.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> price, staff = rng.normal(size=(2, 400))
    >>> found = drivers({"price": price, "staff": staff}, price + rng.normal(size=400), rng=1)
    >>> moments_of_truth(found)
    ('price',)
    """
    check_drivers(found)
    check_count(most, "most")
    rows = [row for row in found.table if row["above_noise"] and row["low"] > found.noise]  # type: ignore[operator]
    rows.sort(key=lambda row: -float(row["unique"] or 0.0))
    return tuple(str(row["driver"]) for row in rows[:most])


def driver_scores(
    journeys: Journeys, *, measure: Literal["score", "emotion"] = "score", by: By = "touchpoint"
) -> tuple[dict[str, Floats], Floats, Ints]:
    """Return mean score at each node by ended journey, whether it converted, and whose it is.

    Parameters
    ----------
    journeys
        The journeys.
    measure
        "score" or "emotion".
    by
        What a node is.

    Returns
    -------
    tuple
        What `drivers` takes: scores by node (NaN where a journey gave none), conversion as 0 and
        1, customer numbers. Rows are the ended journeys with at least one score.

    Raises
    ------
    UnknownName
        If the log has no such column.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=500).journeys()
    >>> scores, converted, customer = cx.critical.driver_scores(journeys, by="stage")
    >>> found = cx.critical.drivers(scores, converted, customer=customer, rng=1)
    >>> found.method
    'lmg'
    """
    from cxjourney.experience import measured

    check_journeys(journeys)
    visits = visits_of(journeys, by)
    values = measured(journeys, visits, measure)
    known = ~np.isnan(values) & (journeys.outcome[visits.journey] != IN_PROGRESS)
    rows, row = np.unique(visits.journey[known], return_inverse=True)
    k = len(visits.names)
    cell = row * k + visits.node[known]
    n = np.bincount(cell, minlength=len(rows) * k)
    total = np.bincount(cell, values[known], minlength=len(rows) * k)
    mean = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0).reshape(len(rows), k)
    scores = {
        name: mean[:, i] for i, name in enumerate(visits.names) if not np.isnan(mean[:, i]).all()
    }
    return scores, journeys.converted[rows].astype(np.float64), journeys.customer[rows]


def _design(x: Floats, answered: Bools) -> tuple[Floats, Floats]:
    """Return predictors centred among those who have them, and indicators of who does."""
    n = answered.sum(axis=0)
    mean = np.where(answered, x, 0.0).sum(axis=0) / np.maximum(n, 1)
    centred = np.where(answered, x - mean, 0.0)
    by_design = (n > 0) & (n < len(x))
    controls = np.column_stack([np.ones(len(x)), answered[:, by_design].astype(np.float64)])
    return centred, controls


def _jackknife(left_out: Floats) -> Floats:
    """Return the standard error from estimates that leave one group out each."""
    g = len(left_out)
    spread: Floats = np.sqrt((g - 1) / g * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    return spread
