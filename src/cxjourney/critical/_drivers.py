"""Drivers of the outcome, and moments of truth: where it is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import BucketFigures, bucket_of, resting_on
from cxjourney._stats.estimates import why_no_interval
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.arrays import Values, codes, numbers, to_array
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_count, check_level, check_rng
from cxjourney.critical._importance import (
    CrossProducts,
    asymmetry,
    intraclass,
    johnson_weights,
    lmg_weights,
)
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.experience import measured
from cxjourney.journeys import (
    IN_PROGRESS,
    By,
    Journeys,
    by_segment,
    units_of,
    visits_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Bools
    from cxjourney.journeys import BySegment, SegmentBy


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
        One row a predictor, the heaviest first; see `drivers` for the columns.
    r_squared
        Share of the variance of the outcome that all predictors account for, beyond which of them
        were answered.
    visited_r_squared
        Share that which of them were answered accounts for, where they are missing by design.
    noise
        The heaviest of all columns of noise, 19 a predictor: what a predictor can weigh that has
        nothing to do with the outcome.
    n
        Number of rows.
    method
        "lmg" or "johnson".
    level
        Confidence level of the intervals.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "Drivers"

    table: Table
    r_squared: float
    visited_r_squared: float
    noise: float
    n: int
    method: str
    level: float
    caveats: tuple[str, ...] = ()

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw how much each weighs with its interval, the heaviest on top; noise is dashed.

        Parameters
        ----------
        max_rows
            Only so many of the heaviest are drawn; None draws all.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        table = self.table.take(range(len(self.table))[:max_rows])
        return plot.forest(
            plot.joined(table["driver"], by=""),
            table["weight"],
            table["low"],
            table["high"],
            n=table["n"],
            reference=self.noise,
            percent=True,
            label=f"share of the variance accounted for, {100 * self.level:g}% interval",
            caption="The heaviest on top; what does not pass the dashed line weighs no more than "
            "noise can." + plot.drawn_of(len(table), len(self.table), "drivers"),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _shown(self) -> Table:
        names = ("driver", "n", "weight", "low", "high", "unique", "above_noise", "penalty")
        return self.table.select([*names, "reward", "kind"])

    def _notes(self) -> tuple[str, ...]:
        notes = [
            f"The predictors account for {self.r_squared:.1%} of the variance in {self.n:,} rows.",
            f"Each has {_NOISE} columns of noise of its own; the heaviest weighs {self.noise:.2%}.",
            f"The intervals are {100 * self.level:g}% intervals ({self.method}, by customer).",
            "Nothing here is causal; answers of one person go together whatever was done (halo).",
            *self.caveats,
        ]
        if self.visited_r_squared > 0:
            notes.insert(
                1,
                f"Which of them were answered at all accounts for another "
                f"{self.visited_r_squared:.1%}; it counts for no predictor.",
            )
        return tuple(notes)


@overload
def drivers(
    scores: Mapping[str, Values],
    outcome: Values,
    *,
    customer: Values | None = None,
    method: Method = "auto",
    partial_out: Literal["mean"] | None = None,
    level: float = 0.95,
    rng: np.random.Generator | int | None = 0,
) -> Drivers: ...


@overload
def drivers(
    scores: Journeys,
    *,
    measure: Literal["score", "emotion"] = "score",
    by: By = "touchpoint",
    method: Method = "auto",
    partial_out: Literal["mean"] | None = None,
    level: float = 0.95,
    segment: None = None,
    rng: np.random.Generator | int | None = 0,
) -> Drivers: ...


@overload
def drivers(
    scores: Journeys,
    *,
    measure: Literal["score", "emotion"] = "score",
    by: By = "touchpoint",
    method: Method = "auto",
    partial_out: Literal["mean"] | None = None,
    level: float = 0.95,
    segment: SegmentBy,
    rng: np.random.Generator | int | None = 0,
) -> BySegment[Drivers]: ...


def drivers(
    scores: Mapping[str, Values] | Journeys,
    outcome: Values | None = None,
    *,
    customer: Values | None = None,
    measure: Literal["score", "emotion"] = "score",
    by: By = "touchpoint",
    method: Method = "auto",
    partial_out: Literal["mean"] | None = None,
    level: float = 0.95,
    segment: SegmentBy | None = None,
    rng: np.random.Generator | int | None = 0,
) -> Drivers | BySegment[Drivers]:
    """Return which scores the outcome hangs on, and how sure that is.

    Parameters
    ----------
    scores
        Predictor to one value a row: answers on touchpoints, say. NaN where there was nothing to
        answer, because the row (a journey, a customer) was not there. Or journeys: then the rows
        are the ended journeys that gave any score, the predictors their mean score at each node,
        and the outcome is whether they converted.
    outcome
        One value a row: an overall score, or 0 and 1. Rows without it are left out. None for
        journeys.
    customer
        Whose row each is; None takes every row as a customer of its own. None for journeys.
    measure, by
        Of journeys: "score" or "emotion", and what a node is.
    method
        "lmg" (exact, up to 12 predictors), "johnson", or "auto": LMG as far as it goes.
    partial_out
        "mean" takes the mean answer of each row out of its answers first (halo): what is left is
        where a person answers better or worse than they usually do.
    level
        Confidence level, in (0, 1).
    segment
        An attribute that divides journeys; then each segment has a result of its own.
    rng
        A generator or seed for the noise columns; None draws anew each time.

    Returns
    -------
    Drivers
        One row a predictor, the heaviest first. Columns:

        - `driver`, `n`, `mean`: its name, number of values and mean;
        - `weight`, `low`, `high`: share of the variance of the outcome that it accounts for
          [fraction]; `share`: its part of all weights [fraction];
        - `unique`: what R² loses without it [fraction];
        - `slope`: outcome points per point, the others held;
        - `noise`, `above_noise`: the heaviest of 19 columns of noise that go together within a
          customer as its answers do [fraction], and whether it is heavier;
        - `penalty`, `penalty_low`, `penalty_high`: mean outcome of low answers less that of
          middling ones; `reward`, `reward_low`, `reward_high`: the same of high answers;
        - `kind`: "must-be", "attractive", "linear" or "".

    Raises
    ------
    InvalidValue
        If there are no predictors, lengths differ, LMG is asked of more than 12, or journeys come
        with an outcome.
    InvalidData
        If fewer than ten rows have an outcome.
    UnknownName
        If the log of the journeys has no such column.

    Notes
    -----
    Where a predictor is missing by design, an indicator of that enters first, together with those
    of the others; the predictor itself is centred among those who have it and 0 elsewhere. Nothing
    is imputed, and a weight speaks of the answers, not of who was where. LMG averages the increase
    of R² over all orders (Lindeman, Merenda and Gold 1980); with a 0/1 outcome R² is Tjur's
    coefficient of the linear probability model.

    The variance is that of all other figures: weights are computed again without the rows of each
    of 64 buckets of customers. That works for any number of predictors, since the covariances are
    those of rows, and the buckets only tell how far a weight moves.

    Noise is drawn for customers and for rows, with the intraclass correlation of the predictor's
    own answers, in the rows that have one: a predictor that has nothing to do with the outcome is
    above it once in twenty. A column drawn row by row would be too light where answers of a
    customer go together, as outcomes do.

    Penalty and reward follow Brandt (1988): the outcome of low answers (lowest third) and of high
    ones (highest third) less that of middling answers, predictor by predictor. A predictor whose
    penalty surely outweighs its reward is a must-be, the reverse is attractive.

    Examples
    --------
    >>> import cxjourney as cx
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> price, staff = rng.normal(size=(2, 400))
    >>> found = cx.critical.drivers({"price": price, "staff": staff}, price + rng.normal(size=400))
    >>> found.table["driver"], found.table["above_noise"].tolist()
    (('price', 'staff'), [True, False])
    >>> journeys = cx.datasets.sample(seed=1, customers=500).journeys()
    >>> cx.critical.drivers(journeys, by="stage").method
    'lmg'
    """
    check_level(level)
    check_choice(method, "method", ("auto", "lmg", "johnson"))
    if partial_out is not None:
        check_choice(partial_out, "partial_out", ("mean",))
    generator = check_rng(rng)
    if isinstance(scores, Journeys):
        if outcome is not None or customer is not None:
            raise InvalidValue("journeys know their outcome and customers: leave both out")
        if segment is not None:
            return by_segment(
                scores,
                segment,
                lambda part: drivers(
                    part,
                    measure=measure,
                    by=by,
                    method=method,
                    partial_out=partial_out,
                    level=level,
                    rng=generator,
                ),
            )
        rows = rows_of(scores, measure=measure, by=by)
    else:
        if segment is not None:
            raise InvalidValue.of("segment", "be None where scores are no journeys", segment)
        rows = _rows_of_answers(scores, outcome, customer)
    if method == "lmg" and len(rows.names) > _MOST_LMG:
        raise InvalidValue.of("method", f'be "johnson" beyond {_MOST_LMG} predictors', method)
    exact = method == "lmg" or (method == "auto" and len(rows.names) <= _MOST_LMG)
    return _found(rows, exact=exact, halo=partial_out is not None, level=level, rng=generator)


@attrs.frozen(kw_only=True, eq=False)
class _Rows:
    """Answers x, shape (n, p), the outcome y of each row, its unit and whose it is."""

    names: tuple[str, ...]
    x: Floats
    y: Floats
    units: Units
    customer: Ints

    def __len__(self) -> int:
        return len(self.y)


def _rows_of_answers(
    scores: Mapping[str, Values], outcome: Values | None, customer: Values | None
) -> _Rows:
    if not hasattr(scores, "keys"):
        raise InvalidValue.of("scores", "be a dict of each predictor's values by its name", scores)
    names = tuple(scores)
    if not names:
        raise InvalidValue.of("scores", "name at least one predictor", dict(scores))
    if outcome is None:
        raise InvalidValue.of("outcome", "have one value a row", outcome)
    y = numbers(outcome, "outcome").astype(np.float64)
    given = [numbers(scores[name], name).astype(np.float64) for name in names]
    if any(len(values) != len(y) for values in given):
        lengths = {name: len(values) for name, values in zip(names, given, strict=True)}
        raise InvalidValue.of("scores", f"have one value for each of {len(y):,} outcomes", lengths)
    who, ids = np.arange(len(y)), [str(i) for i in range(len(y))]
    if customer is not None:
        numbered, _, _ = codes(customer, "customer")
        _, first, who = np.unique(numbered, return_index=True, return_inverse=True)
        named, _ = to_array(customer, "customer")
        ids = [str(named[i]) for i in first.tolist()]
    if len(who) != len(y):
        raise InvalidValue.of(
            "customer", f"have one value for each of {len(y):,} outcomes", customer
        )
    known = np.flatnonzero(~np.isnan(y))
    return _Rows(
        names=names,
        x=np.stack(given, axis=1)[known],
        y=y[known],
        units=Units.of_buckets(bucket_of(ids)[who]).take(known),
        customer=who[known],
    )


def rows_of(
    journeys: Journeys, *, measure: Literal["score", "emotion"] = "score", by: By = "touchpoint"
) -> _Rows:
    """Return mean scores at each node by ended journey that gave any, and whether it converted.

    Parameters
    ----------
    journeys
        The journeys.
    measure, by
        As of `drivers`.
    """
    visits = visits_of(journeys, by)
    values = measured(journeys, visits, measure)
    known = ~np.isnan(values) & (journeys.outcome[visits.journey] != IN_PROGRESS)
    rows, row = np.unique(visits.journey[known], return_inverse=True)
    k = len(visits.names)
    cell = row * k + visits.node[known]
    n = np.bincount(cell, minlength=len(rows) * k)
    total = np.bincount(cell, values[known], minlength=len(rows) * k)
    mean = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0).reshape(len(rows), k)
    asked = np.flatnonzero(~np.isnan(mean).all(axis=0))
    return _Rows(
        names=tuple(visits.names[i] for i in asked.tolist()),
        x=mean[:, asked],
        y=journeys.converted[rows].astype(np.float64),
        units=units_of(journeys).take(rows),
        customer=journeys.customer[rows],
    )


def _found(
    rows: _Rows, *, exact: bool, halo: bool, level: float, rng: np.random.Generator
) -> Drivers:
    names, x, y = rows.names, rows.x, rows.y
    p = len(names)
    if len(y) < FEWEST_ROWS:
        raise InvalidData(
            f"drivers() needs at least {FEWEST_ROWS} rows with an outcome; got {len(y)}"
        )
    if halo:
        with np.errstate(invalid="ignore"):
            usual = np.nansum(x, axis=1) / np.maximum((~np.isnan(x)).sum(axis=1), 1)
        x = x - usual[:, None]
    answered = ~np.isnan(x)
    counts = answered.sum(axis=0)
    centred, controls = _design(x, answered)
    products = CrossProducts.of(centred, controls, y, rows.units)
    weights = _weights(products, rows, answered, exact=exact)
    low, high = weights.student(level)
    noise = _noise(products, centred, answered, rows.customer, rng)
    whole = products.partial()
    r2, unique, slope = whole.fit()
    sums = np.where(answered, x, 0.0).sum(axis=0)
    weight = weights.whole
    columns = {
        "driver": names,
        "n": counts,
        "mean": np.divide(sums, counts, out=np.full(p, np.nan), where=counts > 0),
        "weight": weight,
        "low": np.maximum(low, 0.0),
        "high": high,
        "share": weight / weight.sum() if weight.sum() > 0 else np.full(p, np.nan),
        "unique": unique,
        "slope": slope,
        "noise": noise,
        "above_noise": weight > noise,
        **asymmetry(x, y, rows.units, level),
    }
    formats = dict.fromkeys(("weight", "low", "high", "share", "unique", "noise"), "percent")
    order = np.lexsort((np.arange(p), -weight))
    return Drivers(
        table=Table(columns, formats=formats).take(order),
        r_squared=r2,
        visited_r_squared=whole.controls_r2,
        noise=float(noise.max()),
        n=len(y),
        method="lmg" if exact else "johnson",
        level=level,
        caveats=why_no_interval(weights),
    )


def _weights(
    products: CrossProducts, rows: _Rows, answered: Bools, *, exact: bool
) -> BucketFigures:
    """Return the weights, as a whole and without each unit that has rows."""
    weigh = lmg_weights if exact else johnson_weights
    assert rows.units.of is not None  # noqa: S101 - rows with values stand for one customer each
    used = np.unique(rows.units.of)
    answers = np.stack(
        [answered[rows.units.of == unit].sum(axis=0, dtype=np.float64) for unit in used.tolist()]
    )
    return BucketFigures(
        whole=weigh(*products.partial().scaled()),
        without=np.stack([weigh(*products.partial(unit).scaled()) for unit in used.tolist()]),
        units=resting_on(answers, np.ones(len(used), dtype=np.bool_)),
    )


def _noise(
    products: CrossProducts,
    centred: Floats,
    answered: Bools,
    customer: Ints,
    rng: np.random.Generator,
) -> Floats:
    """Return the heaviest column of noise that goes together within customers as each predictor."""
    _, who = np.unique(customer, return_inverse=True)
    of_customer = rng.normal(size=(int(who.max()) + 1, _NOISE))
    of_row = rng.normal(size=(len(who), _NOISE))
    heaviest = np.zeros(centred.shape[1])
    for i, known in enumerate(answered.T):
        if known.any():
            own = intraclass(centred[known, i], who[known])
            drawn = np.sqrt(own) * of_customer[who[known]] + np.sqrt(1 - own) * of_row[known]
            heaviest[i] = products.noise_weights(drawn, known).max()
    return heaviest


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
    >>> found = drivers({"price": price, "staff": staff}, price + rng.normal(size=400))
    >>> moments_of_truth(found)
    ('price',)
    """
    check_drivers(found)
    check_count(most, "most")
    rows = [row for row in found.table if row["above_noise"] and row["low"] > row["noise"]]  # type: ignore[operator]
    rows.sort(key=lambda row: -float(row["unique"] or 0.0))
    return tuple(str(row["driver"]) for row in rows[:most])


def _design(x: Floats, answered: Bools) -> tuple[Floats, Floats]:
    """Return predictors centred among those who have them, and indicators of who does."""
    n = answered.sum(axis=0)
    mean = np.where(answered, x, 0.0).sum(axis=0) / np.maximum(n, 1)
    centred = np.where(answered, x - mean, 0.0)
    by_design = (n > 0) & (n < len(x))
    controls = np.column_stack([np.ones(len(x)), answered[:, by_design].astype(np.float64)])
    return centred, controls
