"""Evaluation by date: what was known then, drift that shows, and what others predict."""

from __future__ import annotations

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.predict._known import known_at

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    return cx.datasets.sample(seed=2, customers=400).journeys()


@pytest.fixture(scope="module")
def found(journeys) -> cx.predict.Evaluation:
    return cx.predict.evaluate(journeys, at="2025-09-01", horizon="30d")


def value(found: cx.predict.Evaluation, question: str, measure: str, model: str) -> dict:
    return next(
        row
        for row in found.scores
        if (row["question"], row["measure"], row["model"]) == (question, measure, model)
    )


def test_what_was_known_is_what_the_log_cut_off_at_the_date_says(journeys):
    at = np.datetime64("2025-09-01", "us").astype(int)
    known = known_at(journeys, int(at))
    cut = journeys.log.between(None, "2025-09-01").journeys(goal="order", inactivity="14d")
    assert dict(known.outcomes) == dict(cut.outcomes)
    assert np.array_equal(known.outcome, cut.outcome)
    assert np.array_equal(known.offsets, cut.offsets)
    assert np.array_equal(known.absorbed, cut.absorbed)
    assert known.columns.time.max() < at
    assert cx.predict.fit(known).predict(known) == cx.predict.fit(cut).predict(cut)


def test_scores_of_a_reader_are_those_of_the_columns(journeys, found):
    # the next touch where it is known, recounted with the predictor that knew no more
    cut = journeys.log.between(None, "2025-09-01")
    predictor = cx.predict.fit(cut.journeys(goal="order", inactivity="14d"))
    again = cx.predict.evaluate(journeys, at="2025-09-01", horizon="30d", predictions=predictor)
    assert again.scores == found.scores
    assert set(found.scores["model"]) == {
        "predictor", "majority", "order 1", "share by stage", "median of all",
    }  # fmt: skip
    better = value(found, "next touch", "log loss", "majority")
    assert better["difference_high"] < 0
    assert value(found, "conversion", "AUC", "majority")["value"] == pytest.approx(0.5)


def test_it_prints_and_comes_back(found):
    assert "Learned from what was known" in repr(found)
    again = cx.predict.Evaluation.from_dict(found.to_dict())
    assert again.scores == found.scores
    pytest.importorskip("matplotlib")
    assert found.plot() is not None


def test_probabilities_of_others_are_taken(journeys, found):
    n = found.n_visits
    flat = cx.predict.evaluate(
        journeys, at="2025-09-01", horizon="30d", predictions=np.full(n, 0.3)
    )
    assert value(flat, "conversion", "AUC", "predictor")["value"] == pytest.approx(0.5)
    assert (
        value(flat, "conversion", "Brier score", "predictor")["value"]
        > (value(found, "conversion", "Brier score", "predictor")["value"])
    )
    for wrong in (np.full(n - 1, 0.3), np.full(n, 1.3)):
        with pytest.raises(InvalidValue, match="predictions"):
            cx.predict.evaluate(journeys, at="2025-09-01", predictions=wrong)


class Always:
    """Recommends what it was told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen = 0

    def next_touch(self, prefixes: cx.Journeys) -> dict[str, np.ndarray]:
        self.seen += len(prefixes)
        assert set(prefixes.outcome.tolist()) == {2}
        return {self.name: np.ones(len(prefixes))}


def test_a_recommender_of_others_is_scored(journeys, found):
    always = Always(cx.DROPOFF)
    assert isinstance(always, cx.predict.Recommender)
    other = cx.predict.evaluate(journeys, at="2025-09-01", predictions=always)
    assert always.seen == other.n_visits
    dropped = value(other, "next touch", "hit@1", "predictor")["value"]
    assert 0 < dropped < value(found, "next touch", "hit@1", "predictor")["value"]


def test_what_knows_the_future_or_has_none_is_refused(journeys):
    with pytest.raises(InvalidValue, match="nothing later"):
        cx.predict.evaluate(journeys, at="2025-09-01", predictions=cx.predict.fit(journeys))
    for at in ("2024-01-01", "2026-06-01"):
        with pytest.raises(InvalidValue, match="at must"):
            cx.predict.evaluate(journeys, at=at)
    paths = cx.Journeys.from_paths([["a"]], converted=[1])
    with pytest.raises(cx.exceptions.TimesRequired):
        cx.predict.evaluate(paths, at="2025-01-01")


def drifting(seed: int, *, drift: bool) -> cx.Journeys:
    """Two touches, then a purchase: in 60% of the journeys, and of 20% from July on."""
    rng = np.random.default_rng(seed)
    n = 4000
    day = rng.uniform(0, 330, n)
    chance = np.where((day > 180) & drift, 0.2, 0.6)
    won = rng.random(n) < chance
    begin = np.datetime64("2025-01-01", "us") + (day * DAY).astype("m8[us]")
    gap = np.timedelta64(6, "h")
    who = np.concatenate([np.arange(n), np.arange(n), np.flatnonzero(won)])
    what = np.array(["web"] * n + ["shop"] * n + ["buy"] * int(won.sum()))
    when = np.concatenate([begin, begin + gap, begin[won] + 2 * gap])
    log = cx.InteractionLog.from_frame(
        {"who": who, "what": what, "when": when},
        customer="who", touchpoint="what", timestamp="when", observed_until="2025-12-31",
    )  # fmt: skip
    return log.journeys(goal="buy", inactivity="5d")


def test_a_world_that_drifts_shows_and_fitting_anew_helps():
    journeys = drifting(1, drift=True)
    old = cx.predict.evaluate(journeys, at="2025-06-01", horizon="10d")
    assert "fit anew" in repr(old)
    assert np.asarray(old.by_period["gap_low"])[-1] > 0.3
    calm = cx.predict.evaluate(drifting(1, drift=False), at="2025-06-01", horizon="10d")
    assert np.all(np.abs(np.asarray(calm.by_period["gap"])) < 0.08)
    whole = cx.predict.evaluate(journeys, at="2025-10-01", horizon="10d")
    recent = known_at(journeys, int(np.datetime64("2025-10-01", "us").astype(int)))
    window = cx.predict.evaluate(
        journeys, at="2025-10-01", horizon="10d",
        predictions=cx.predict.fit(recent.where(since="2025-08-01")),
    )  # fmt: skip
    loss = [value(one, "conversion", "log loss", "predictor")["value"] for one in (window, whole)]
    assert loss[0] < loss[1]
