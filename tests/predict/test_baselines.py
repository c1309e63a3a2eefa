"""The protocol of prediction_baselines.json, whose simple predictions are hard to beat."""

from __future__ import annotations

import json

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.journeys import visits_of
from cxjourney.predict._prefixes import prefixes_at

COLUMNS = {
    "receipt": ("case:concept:name", "time:timestamp", "concept:name"),
    "sepsis": ("case_id", "timestamp", "activity"),
}
DAY = 86_400.0


@pytest.mark.parametrize(
    ("name", "order", "remaining"),
    [("receipt", "markov4", 1.344378), ("sepsis", "markov4", 17.079334)],
)
def test_it_is_no_worse_than_the_best_smoothed_order(shared, name, order, remaining):
    case = next(
        one
        for one in json.loads((shared / "oracles/prediction_baselines.json").read_text())["cases"]
        if one["name"] == name
    )
    who, when, what = COLUMNS[name]
    file = shared / "data" / case["input"]["file"]
    log = cx.read_csv(file, customer=who, timestamp=when, touchpoint=what)
    journeys = log.journeys(all_closed=True)
    first = journeys.columns.time[journeys.offsets[:-1]]
    late = np.zeros(len(first), dtype=bool)
    late[np.argsort(first, kind="stable")[2 * len(first) // 3 :]] = True
    train, test = journeys.where(~late), journeys.where(late)
    predictor = cx.predict.fit(train)
    prefixes = prefixes_at(test, predictor.words)
    p = predictor._next(prefixes)
    visits, place = visits_of(test), {x: i for i, x in enumerate(predictor.words.names)}
    end = len(place) + 1
    symbol = np.array(
        [place.get(visits.names[f], -1) if f < len(visits.names) else end for f in visits.following]
    )
    chance = np.where(symbol >= 0, p[np.arange(len(p)), symbol], 0.0)
    loss = -np.log(np.maximum(chance, 1e-15)).mean()
    assert len(p) == case["answer"]["counts"]["test_rows"]
    assert loss < case["answer"]["next_activity"][order]["log_loss_smoothed"]
    # the remaining time: the order of the median is chosen on the training part
    columns = predictor._columns(prefixes, None, 0.95)
    time = test.columns.time
    left = (time[test.offsets[1:] - 1][visits.journey] - time) / 1e6
    error = np.abs(columns["remaining_s"] - left).mean() / DAY
    assert error < 1.02 * remaining
