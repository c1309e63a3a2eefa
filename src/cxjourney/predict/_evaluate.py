"""Evaluation of predictions by a date, beside the simple ones that are hard to beat."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, move_mass
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level, duration_us, optional_duration
from cxjourney._time.calendar import DAY_US
from cxjourney._time.timestamps import utc_us
from cxjourney.domain import CONVERSION, DROPOFF
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    IN_PROGRESS,
    By,
    Journeys,
    chain_of,
    check_grain,
    check_journeys,
    grain_codes,
    is_visit,
    units_of,
    visits_of,
)
from cxjourney.log import moment
from cxjourney.predict._calibration import curve_of, slope_figures
from cxjourney.predict._contexts import summed
from cxjourney.predict._evaluation import Evaluation, Recommender
from cxjourney.predict._fit import fit
from cxjourney.predict._known import known_at, prefix_journeys
from cxjourney.predict._model import Learned, efron, learned
from cxjourney.predict._predictor import JourneyPredictor
from cxjourney.predict._prefixes import Prefixes, prefixes_at
from cxjourney.predict._scores import (
    Asked,
    auc_figures,
    known_weights,
    outcome_losses,
    rows_of,
    touch_losses,
)
from cxjourney.predict._times import CONVERTED, EXITED, SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    from numpy.typing import ArrayLike

    from cxjourney._stats.units import Units

_BLOCK = 20_000
_LENGTHS = np.array([2, 3, 4, 6, 9])
_LENGTH_NAMES = ("1", "2", "3", "4-5", "6-8", "9+")
_PERIODS = 4
_BINS = 10
_FOLLOWED = 0.98


def evaluate(
    journeys: Journeys,
    *,
    at: datetime | date | str,
    predictions: JourneyPredictor | Recommender | ArrayLike | None = None,
    by: By = "touchpoint",
    order: int = 5,
    horizon: timedelta | str | None = None,
    attributes: str | Sequence[str] = (),
    level: float = 0.95,
) -> Evaluation:
    """Return how predictions fare on what came after a date, beside simple ones.

    Parameters
    ----------
    journeys
        The journeys, before and after the date.
    at
        The date. What was known before is learned from: who was in progress then is censored then.
        Each visit at the date or later is asked for.
    predictions
        None fits a predictor. Else a predictor that knows nothing later than the date; a
        `Recommender`, of which only the next touch is asked for; or probabilities of conversion,
        one a visit at the date or later, in the order of the journeys.
    by, order, attributes
        As in `fit`, for the predictor that is fitted.
    horizon
        Within what time conversions are asked for; None means ever.
    level
        Confidence level of the intervals, in (0, 1).

    Returns
    -------
    Evaluation

    Raises
    ------
    InvalidValue
        If nothing lies before or after the date, a predictor knows later things, or predictions
        are of another kind or number.
    TimesRequired
        If the journeys are aggregated paths.

    Notes
    -----
    The simple predictions are the most frequent touch; the chain of order 1, whose hitting
    probabilities say who converts; the share of conversions by stage, where the log has stages; and
    the medians of all times, which more learned methods often fail to beat. Intervals, of
    differences too, are those of leaving out one bucket of customers after the other.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> found = cx.predict.evaluate(journeys, at="2025-09-01")
    >>> found.n_journeys, found.scores.row(0)["measure"]
    (896, 'log loss')
    """
    check_journeys(journeys)
    check_grain(by)
    journeys.require_times("predict.evaluate()")
    check_level(level)
    at_us = utc_us(at, "at", journeys.log.intake.tz)
    known = known_at(journeys, at_us)
    within = optional_duration(horizon, "horizon")
    predictor = _predictor(predictions, at_us)
    if predictor is None:
        predictor = fit(known, by=by, order=order, attributes=attributes)
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - the caller has looked
    visits = np.flatnonzero(time[is_visit(journeys)] >= at_us)
    if not len(visits):
        raise InvalidValue.of("at", "lie before the last visit", at)
    test = _Test.of(journeys, known, predictor, visits, within)
    rows, losses = _touches(test, predictions, level)
    outcome, p = _outcomes(test, predictions, level)
    curve: dict[str, Any] = {}
    if p is not None:
        curve = curve_of(
            p, test.won, test.outcome.weight, test.outcome.bucket, bins=_BINS, level=level
        )
    rows += outcome + _times(test, level)
    lengths = np.searchsorted(_LENGTHS, test.prefixes.position, side="right")
    when = time[is_visit(journeys)][visits]
    width = max((int(when.max()) - at_us) // _PERIODS + 1, 1)
    begins = [moment(at_us + i * width).date().isoformat() for i in range(_PERIODS)]
    groups = {
        "visits_so_far": (lengths, _LENGTH_NAMES),
        "from": ((when - at_us) // width, begins),
    }
    parts = {
        name: _parts(test, losses, p, group=group, names=names, level=level)
        for name, (group, names) in groups.items()
    }
    by_length, by_period = (
        Table({name: columns.pop("name"), **columns}, formats=_formats(columns))
        for name, columns in parts.items()
    )
    return Evaluation(
        scores=Table({name: _column([row[name] for row in rows]) for name in rows[0]}),
        calibration=Table(curve, formats=_formats(curve)),
        by_length=by_length,
        by_period=by_period,
        at=_said(at_us),
        n_journeys=len(known),
        n_visits=len(visits),
        horizon_s=None if within is None else within.total_seconds(),
        level=level,
    )


def _said(at_us: int) -> str:
    """Return a moment as people write it: the date alone at midnight."""
    at = moment(at_us)
    return f"{at:%Y-%m-%d}" if at_us % DAY_US == 0 else f"{at:%Y-%m-%d %H:%M} UTC"


def _column(values: list[Any]) -> Any:
    return values if isinstance(values[0], str) else np.array(values)


def _formats(columns: dict[str, Any]) -> dict[str, str]:
    plain = {"n", "name", "log_loss", "log_loss_low", "log_loss_high", "order_1"}
    return {name: "percent" for name in columns if name not in plain}


def _predictor(predictions: Any, at_us: int) -> JourneyPredictor | None:
    if not isinstance(predictions, JourneyPredictor):
        return None
    until = predictions.facts["until_us"]
    if until is None or until > at_us:
        rule = "know nothing later than at: fit it to what was known then"
        raise InvalidValue.of("predictions", rule, predictions)
    return predictions


@attrs.frozen(kw_only=True, eq=False)
class _Test:
    """The visits that are asked for, and what came after them.

    `touch` and `outcome` weigh those of which the answer is known; `won` is whether the journey
    converted within the horizon, where `known_end`, and else it was `followed` so long; `symbol` is
    what came next, -2 where it is not known yet.
    """

    journeys: Journeys
    known: Journeys
    predictor: JourneyPredictor
    visits: Ints
    within: timedelta | None
    prefixes: Prefixes
    seen: Learned
    symbol: Ints
    touch: Asked
    outcome: Asked
    ended: Asked
    known_end: Bools
    followed: Ints
    won: Floats

    @classmethod
    def of(
        cls,
        journeys: Journeys,
        known: Journeys,
        predictor: JourneyPredictor,
        visits: Ints,
        within: timedelta | None,
    ) -> _Test:
        words = predictor.words
        nodes, k = visits_of(journeys, words.by), len(words.names)
        seen, units = learned(journeys, words), units_of(journeys)
        journey = seen.journey[visits]
        censored = nodes.following[visits] < 0
        symbol = np.where(seen.symbol[visits] == k + SILENT, k + EXITED, seen.symbol[visits])
        wait = nodes.wait_us
        assert wait is not None  # noqa: S101 - the caller has looked
        touch = efron(nodes.node[visits], wait[visits], nodes.state[visits], len(nodes.names))
        time, until = journeys.columns.time, journeys.log.observed_until_us or 0
        assert time is not None  # noqa: S101 - the caller has looked
        after = np.maximum(until - time[is_visit(journeys)][visits], 0)
        over = (journeys.outcome != IN_PROGRESS)[journey]
        end = seen.end_us[visits]
        won = seen.way[visits] == CONVERTED
        known_end = over
        followed = np.where(over, end, after)
        if within is not None:
            limit = duration_us(within)
            won = won & over & (end <= limit)
            known_end = won | (followed >= limit) | over
            followed = np.minimum(followed, limit)

        return cls(
            journeys=journeys,
            known=known,
            predictor=predictor,
            visits=visits,
            within=within,
            prefixes=prefixes_at(journeys, words, visits),
            seen=seen,
            symbol=np.where(censored, -2, symbol),
            touch=Asked(weight=known_weights(touch, ~censored), journey=journey, units=units),
            outcome=_asked(known_end, followed, journey, units),
            ended=_asked(over, np.where(over, end, after), journey, units),
            known_end=known_end,
            followed=followed,
            won=won.astype(np.float64),
        )


def _asked(
    known: Bools, followed: Ints, journey: Ints, units: Units, group: Ints | None = None
) -> Asked:
    """Return how often visits count of which the end is known, each group by itself.

    A group that was not followed long enough for nearly all its ends does not count.
    """
    place = np.zeros(len(known), dtype=np.int64) if group is None else group
    size = int(place.max(initial=0)) + 1
    mass = move_mass(place, followed, np.where(known, MOVED, OPEN).astype(np.int8), size)
    if group is not None:
        mass *= (summed(place, mass, size) >= _FOLLOWED)[place] * np.bincount(place)[place]
    return Asked(weight=known_weights(mass, known), journey=journey, units=units)


def _touches(
    test: _Test, predictions: Any, level: float
) -> tuple[list[dict[str, object]], dict[str, dict[str, Floats]]]:
    """Return the scores of the next touch, and the losses of each visit by model."""
    predictor, k = test.predictor, len(test.predictor.words.names)
    before = learned(test.known, predictor.words)
    counts = np.zeros((k + 1, k + 2))
    followed = before.symbol >= 0
    node = prefixes_at(test.known, predictor.words).recent[0]
    to = np.minimum(before.symbol, k + EXITED)
    at = node[followed] * (k + 2) + to[followed]
    counts[:] = summed(at, before.corrected[followed], (k + 1) * (k + 2)).reshape(k + 1, k + 2)
    total = counts.sum(axis=0)
    root = (total + 1 / (k + 2)) / (total.sum() + 1)
    chain = (counts + root) / (counts.sum(axis=1, keepdims=True) + 1)
    chain[k] = root

    models: dict[str, Callable[[Ints], Floats]] = {
        "predictor": lambda rows: predictor._next(test.prefixes.take(rows)),  # noqa: SLF001 - one package
        "majority": lambda rows: np.broadcast_to(root, (len(rows), k + 2)),
        "order 1": lambda rows: chain[test.prefixes.recent[0][rows]],
    }
    if _is_recommender(predictions):
        models["predictor"] = lambda rows: _recommended(predictions, test, rows)
    blocks = np.array_split(np.arange(len(test.visits)), max(1, -(-len(test.visits) // _BLOCK)))
    losses = {}
    for model, probabilities in models.items():
        parts = [touch_losses(probabilities(rows), test.symbol[rows]) for rows in blocks]
        losses[model] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return rows_of("next touch", losses, test.touch, level), losses


def _is_recommender(predictions: Any) -> bool:
    return isinstance(predictions, Recommender) and not isinstance(predictions, JourneyPredictor)


def _recommended(recommender: Recommender, test: _Test, rows: Ints) -> Floats:
    """Return what a recommender says, as probabilities of the nodes and the two ends."""
    given = recommender.next_touch(prefix_journeys(test.journeys, test.visits[rows]))
    names = (*test.predictor.words.names, CONVERSION, DROPOFF)
    columns = given.column_names if isinstance(given, Table) else list(given)
    p = np.zeros((len(rows), len(names)))
    for i, name in enumerate(names):
        if name in columns:
            column = np.asarray(given[name], dtype=np.float64)
            if column.shape != (len(rows),) or not np.all(column >= 0):
                rule = f"give one number from 0 for each of {len(rows):,} prefixes"
                raise InvalidValue.of("predictions", rule, f"column {name!r}")
            p[:, i] = column
    total = p.sum(axis=1, keepdims=True)
    return p / np.where(total > 0, total, 1.0)


def _outcomes(
    test: _Test, predictions: Any, level: float
) -> tuple[list[dict[str, object]], Floats | None]:
    """Return the scores of the conversion, and what was predicted; nothing without a goal."""
    if not test.journeys.rules.goal or not test.known.converted.any():
        return [], None
    predictor, node = test.predictor, test.prefixes.recent[0]
    share, soon, _, _, _ = predictor._conversion(test.prefixes, test.within)  # noqa: SLF001 - one package
    p = share * soon
    if predictions is not None and not isinstance(predictions, Recommender):
        p = np.asarray(predictions, dtype=np.float64)
        if p.shape != (len(test.visits),) or not np.all((p >= 0) & (p <= 1)):
            rule = f"be fractions in [0, 1], one for each of {len(test.visits):,} visits"
            raise InvalidValue.of("predictions", rule, f"an array of shape {p.shape}")
    chain = chain_of(test.known, predictor.words.by)
    words = predictor.words.names
    every = float(predictor.model.outcome.prior[-1])
    hit = np.array([*(chain.hitting.get(name, every) for name in words), every])
    models = {"predictor": p, "order 1": hit[node] * soon}
    before = _Test.of(
        test.known, test.known, predictor, np.arange(int(test.known.lengths.sum())), test.within
    )
    weight, won = before.outcome.weight, before.won
    models["majority"] = np.full(len(p), float(weight @ won) / max(float(weight.sum()), 1e-12))
    if "stage" in test.journeys.columns.coded:
        models["share by stage"] = _by_stage(test, before, float(models["majority"][0]))
    losses: dict[str, dict[str, Any]] = {}
    for model, given in models.items():
        losses[model] = {
            **outcome_losses(given, test.won),
            "AUC": auc_figures(given, test.won, test.outcome),
        }
    rows = rows_of("conversion", losses, test.outcome, level)
    slope = slope_figures(p, test.won, test.outcome.weight, test.outcome.bucket)
    return rows + rows_of(
        "conversion", {"predictor": {"calibration slope": slope}}, test.outcome, level
    ), p


def _by_stage(test: _Test, before: _Test, every: float) -> Floats:
    stage, earlier = (
        grain_codes(one.columns, "stage").codes[is_visit(one)]
        for one in (test.journeys, test.known)
    )
    size = int(max(stage.max(), earlier.max())) + 1
    n, k = (
        summed(earlier, one, size)
        for one in (before.outcome.weight, before.outcome.weight * before.won)
    )
    shares = (k + every) / (n + 1)
    return cast("Floats", shares[stage[test.visits]])


def _times(test: _Test, level: float) -> list[dict[str, object]]:
    """Return the errors of the times to the next touch and to the last interaction."""
    predictor, k = test.predictor, len(test.predictor.words.names)
    columns = predictor._columns(test.prefixes, None, level)  # noqa: SLF001 - one package
    before = learned(test.known, predictor.words)
    rows = []
    for question, own, earlier in (("wait", test.seen, before), ("remaining", test.seen, before)):
        if question == "wait":
            truth, old, weight = own.wait_us, earlier.wait_us, earlier.corrected
            assert truth is not None  # noqa: S101 - the caller has looked
            assert old is not None  # noqa: S101 - the caller has looked
            came = (own.symbol != k + SILENT) & (own.corrected > 0)
            known = (earlier.symbol != k + SILENT) & (weight > 0)
            asked = attrs.evolve(test.touch, weight=test.touch.weight * came[test.visits])
        else:
            truth, old, weight = own.last_us, earlier.last_us, earlier.end_weight
            known = weight > 0
            asked = test.ended
        true_s = np.minimum(truth[test.visits], 2**62) / 1e6
        middle = _median(old[known], weight[known]) / 1e6
        losses = {
            "predictor": {"mean absolute error [s]": np.abs(columns[f"{question}_s"] - true_s)},
            "median of all": {"mean absolute error [s]": np.abs(middle - true_s)},
        }
        rows += rows_of(question, losses, asked, level)
    return rows


def _median(values: Ints, weight: Floats) -> float:
    order = np.argsort(values)
    until = weight[order].cumsum()
    return float(values[order][np.searchsorted(until, until[-1] / 2)]) if len(values) else np.nan


def _parts(
    test: _Test,
    losses: dict[str, dict[str, Floats]],
    p: Floats | None,
    *,
    group: Ints,
    names: Sequence[str],
    level: float,
) -> dict[str, Any]:
    """Return the log loss and the calibration in the large by group of visits."""
    size = len(names)
    own = test.touch.figures(losses["predictor"]["log loss"], group, size)
    low, high = own.student(level)
    columns: dict[str, Any] = {
        "name": list(names),
        "n": np.bincount(group, minlength=size),
        "log_loss": own.whole,
        "log_loss_low": low,
        "log_loss_high": high,
        "order_1": test.touch.figures(losses["order 1"]["log loss"], group, size).whole,
    }
    if p is not None:
        asked = _asked(
            test.known_end, test.followed, test.outcome.journey, test.outcome.units, group
        )
        gap = asked.figures(p - test.won, group, size)
        low, high = gap.student(level)
        columns |= {
            "predicted": asked.figures(p, group, size).whole,
            "observed": asked.figures(test.won, group, size).whole,
            "gap": gap.whole,
            "gap_low": low,
            "gap_high": high,
        }
    kept = np.flatnonzero(columns["n"] > 0)
    columns["name"] = [names[i] for i in kept.tolist()]
    return {name: x if name == "name" else x[kept] for name, x in columns.items()}
