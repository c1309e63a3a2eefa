"""Fitting of a predictor to journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.validation import check_count, check_names, optional_duration
from cxjourney.exceptions import InvalidValue, NotAbsorbing, OutcomeUndetermined
from cxjourney.journeys import IN_PROGRESS, By, Journeys, check_grain, check_journeys
from cxjourney.log import moment
from cxjourney.predict._actions import acted_in
from cxjourney.predict._calibration import calibration_of
from cxjourney.predict._model import fitted
from cxjourney.predict._predictor import JourneyPredictor
from cxjourney.predict._prefixes import vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

MOST_VISITS = 10


def fit(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    order: int = 5,
    horizon: timedelta | str | None = None,
    attributes: str | Sequence[str] = (),
) -> JourneyPredictor:
    """Learn from journeys what comes next of others.

    Parameters
    ----------
    journeys
        The journeys; those in progress are censored, and what is known of them counts.
    by
        What a node is: "touchpoint", "channel", "stage", "owner", or a pair of them.
    order
        How many of the last visits may matter, 1 to 10. Longer contexts are used only as far as
        they foretold later journeys better.
    horizon
        Within what time from now journeys are asked to convert or drop; None means ever.
    attributes
        What else may matter: "channel", "stage", attributes of interactions, or "wait", the time
        between the last two touches. Attributes of customers are undated: they may have been
        written down after the end, know the future, and stand on the card as such.

    Returns
    -------
    JourneyPredictor

    Raises
    ------
    InvalidValue
        If an argument breaks its rule, or there are no visits.
    UnknownName
        If the log has no such column or attribute.
    OutcomeUndetermined
        If journeys without the goal cannot come to an end, or none has.
    NotAbsorbing
        If the goal does not end a journey (`after_goal="keep"`).

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> predictor = cx.predict.fit(journeys)
    >>> predictor
    JourneyPredictor: 1,625 journeys until 2026-01-01, 41 nodes, order 5
    """
    check_journeys(journeys)
    check_grain(by)
    check_count(order, "order", most=MOST_VISITS)
    within = optional_duration(horizon, "horizon")
    journeys.require_determined("predict.fit()")
    if not journeys.rules.absorbing and journeys.rules.goal:
        raise NotAbsorbing(
            'predict.fit() needs a goal that ends a journey: after_goal="new_journey"'
        )
    if not int(journeys.lengths.sum()):
        raise InvalidValue("predict.fit() needs journeys with visits, and there are none")
    if not np.any(journeys.outcome != IN_PROGRESS):
        raise OutcomeUndetermined(
            "predict.fit() needs journeys that have ended, and all are in progress: give "
            "log.journeys() a goal and inactivity=, or say all_closed=True"
        )
    words = vocabulary(journeys, by, order, check_names(attributes, "attributes"))
    found = fitted(journeys, words)
    seen = found.seen
    held = np.flatnonzero(seen.held & (seen.end_weight > 0))
    time = journeys.columns.time
    until = journeys.log.observed_until_us
    facts = {
        "from": None if time is None else moment(int(time.min())).date().isoformat(),
        "until": None if time is None or until is None else moment(until).date().isoformat(),
        "until_us": None if time is None else until,
        "n_journeys": len(journeys),
        "n_visits": int(seen.weight.sum()),
        "n_in_progress": int(np.count_nonzero(journeys.outcome == IN_PROGRESS)),
        "calibration": calibration_of(found.foretold[held], found.y[held], seen.end_weight[held]),
    }
    return JourneyPredictor(
        words=words,
        rules=journeys.rules,
        model=found.model,
        acted=acted_in(journeys, found.y, found.cells),
        facts=facts,
        horizon=within,
    )
