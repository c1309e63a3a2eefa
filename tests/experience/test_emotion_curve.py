from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.experience import (
    emotion_curve,
    expectation_gaps,
    inferred_effort,
    peak_end,
    scores,
)
from cxjourney.experience._emotion_curve import valleys


def journeys_of(*rows, **options):
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer=row["customer"],
            touchpoint=row.get("touchpoint", "web"),
            timestamp=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=row.get("hour", i)),
            stage=row.get("stage"),
            channel=row.get("channel"),
            owner=row.get("owner"),
            emotion=row.get("emotion"),
            score=row.get("score"),
            expectation=row.get("expectation"),
        )
        for i, row in enumerate(rows)
    )
    return log.journeys(**({"all_closed": True} | options))


def felt(*values, customer="a"):
    return [{"customer": customer, "emotion": v} for v in values]


def rows(result, **where):
    return [r for r in result.table if all(r[k] == v for k, v in where.items())]


# ------------------------------------------------------------------ the curve


def test_positions_count_from_one_and_the_last_holds_all_later_ones():
    journeys = journeys_of(*felt(0.1, 0.2, 0.3, 0.5), *felt(0.3, customer="b"))
    found = emotion_curve(journeys, over="position", bins=3, min_n=1)
    points = rows(found, outcome="all")
    assert [r["position"] for r in points] == ["1", "2", "3+"]
    assert [r["n"] for r in points] == [2, 1, 2]
    assert [r["mean"] for r in points] == pytest.approx([0.2, 0.2, 0.4])


def test_time_is_the_elapsed_share_from_first_to_last_touch():
    steps = [{"customer": "a", "hour": h, "emotion": v} for h, v in ((0, 0.0), (4, 0.4), (10, 1.0))]
    found = emotion_curve(journeys_of(*steps), over="time", bins=2, min_n=1)
    points = rows(found, outcome="all")
    assert [r["mean"] for r in points] == pytest.approx([0.2, 1.0])


def test_a_journey_of_one_instant_has_no_elapsed_time():
    found = emotion_curve(journeys_of(*felt(0.5)), over="time", min_n=1)
    assert sum(r["n"] for r in rows(found, outcome="all")) == 0


def test_stages_stand_in_their_order_and_unvisited_ones_stay():
    journeys = journeys_of(
        {"customer": "a", "stage": "purchase", "emotion": 0.5},
        {"customer": "a", "stage": "awareness", "emotion": -0.5},
    )
    found = emotion_curve(journeys, min_n=1)
    points = rows(found, outcome="all")
    assert [r["stage"] for r in points] == list(cx.StageModel.FIVE.names)
    assert [r["n"] for r in points] == [1, 0, 1, 0, 0]
    assert np.isnan(points[1]["mean"])


def test_points_with_few_values_are_empty_and_say_how_many_there_were():
    found = emotion_curve(journeys_of(*felt(0.5)), over="position", min_n=2)
    first = rows(found, outcome="all")[0]
    assert first["n"] == 1
    assert np.isnan(first["mean"])


def test_outcomes_stand_apart():
    journeys = journeys_of(
        {"customer": "a", "emotion": 0.8},
        {"customer": "a", "touchpoint": "buy"},
        {"customer": "b", "emotion": -0.4},
        goal="buy",
    )
    found = emotion_curve(journeys, over="position", min_n=1)
    assert rows(found, outcome="converted")[0]["mean"] == 0.8
    assert rows(found, outcome="dropped")[0]["mean"] == -0.4
    assert rows(found, outcome="all")[0]["mean"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("mean", "expected"),
    [
        ([0.5, 0.1, 0.5], [1]),
        ([0.1, 0.5, 0.4], [0]),  # the first point; the last is not deep enough
        ([0.5, 0.4, 0.0], [2]),
        ([0.5, 0.0, 0.0, 0.0, 0.5], [2]),  # a plateau: its middle
        ([0.3, 0.3, 0.3], []),
        ([0.5, np.nan, 0.0, 0.5], [2]),
        ([0.0, 0.5, 0.1], [0, 2]),
        ([np.nan, np.nan], []),
    ],
)
def test_valleys_are_local_minima_with_the_ends(mean, expected):
    assert np.flatnonzero(valleys(np.array(mean), 0.2)).tolist() == expected


def test_a_log_without_emotions_is_refused():
    with pytest.raises(UnknownName):
        emotion_curve(journeys_of({"customer": "a", "score": 3}), over="position")


@pytest.mark.parametrize("options", [{"bins": 1}, {"min_n": 0}, {"over": "month"}])
def test_options_of_the_curve_keep_their_rules(options):
    with pytest.raises(InvalidValue):
        emotion_curve(journeys_of(*felt(0.5)), **({"over": "position"} | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": "10"}, "bins must be a whole number from 2; got '10'"),
        ({"min_n": None}, "min_n must be a whole number from 1; got None"),
        ({"prominence": "deep"}, "prominence must be a number; got 'deep'"),
        ({"over": "stage", "stages": 7}, "stages must be a name or a list of names; got 7"),
        ({"over": "stage", "stages": [None]}, "stages must hold names only"),
    ],
)
def test_options_of_a_wrong_kind_are_named(options, message):
    journeys = journeys_of({"customer": "a", "emotion": 0.5, "stage": "use"})
    with pytest.raises(InvalidValue, match=message):
        emotion_curve(journeys, **({"over": "position"} | options))


@pytest.mark.parametrize(
    "measure", [emotion_curve, expectation_gaps, inferred_effort, peak_end, scores]
)
def test_a_log_is_no_journeys(measure):
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not InteractionLog"):
        measure(journeys_of(*felt(0.5)).log)


def test_aggregated_paths_have_no_curve():
    journeys = cx.Journeys.from_paths([["a"]], converted=[1])
    with pytest.raises((UnknownName, TimesRequired)):
        emotion_curve(journeys, over="time")


# ------------------------------------------------------------------ peak and end


def test_peak_end_of_the_published_example_beside_its_mean():
    # METHODS' example: peak -0.7, end 0.5
    found = peak_end(journeys_of(*felt(0.2, -0.7, 0.1, 0.5)))
    assert found.scores == pytest.approx((-0.1,))
    assert found.means == pytest.approx((0.025,))


def test_a_journey_in_progress_has_no_end():
    journeys = journeys_of(*felt(0.2, -0.7), inactivity=timedelta(days=7), all_closed=False)
    found = peak_end(journeys)
    assert found.n_in_progress == 1
    assert np.isnan(found.scores[0])
    assert rows(found, outcome="all", summary="peak-end")[0]["journeys"] == 0


def test_outcomes_of_memory_are_means_over_journeys():
    found = peak_end(journeys_of(*felt(0.2, 0.4), *felt(-0.6, customer="b")))
    row = rows(found, outcome="all", summary="peak-end")[0]
    # a: peak .4, end .4; b: -.6
    assert (row["journeys"], row["customers"]) == (2, 2)
    assert row["value"] == pytest.approx(-0.1)
    assert rows(found, outcome="all", summary="lowest")[0]["value"] == pytest.approx(-0.2)


def test_journeys_without_values_keep_their_place():
    found = peak_end(journeys_of({"customer": "a"}, *felt(0.5, customer="b")))
    assert np.isnan(found.scores[0])
    assert found.scores[1] == 0.5


# ------------------------------------------------------------------ expectations


def test_gaps_are_of_pairs_alone():
    journeys = journeys_of(
        {"customer": "a", "score": 4, "expectation": 6},
        {"customer": "b", "score": 6, "expectation": 6},
        {"customer": "c", "score": 9},
        {"customer": "d", "touchpoint": "shop", "score": 8, "expectation": 7},
    )
    found = expectation_gaps(journeys)
    web = rows(found, touchpoint="web")[0]
    assert (web["pairs"], web["gap"]) == (2, -1.0)
    assert (web["exceeded"], web["met"], web["missed"]) == (0.0, 0.5, 0.5)
    assert found.n_incomplete == 1
    assert found.table["touchpoint"][-1] in {"shop", "web"}


def test_the_drifting_parcel_of_the_sample_falls_short():
    found = expectation_gaps(cx.datasets.sample(seed=5, customers=2_000).journeys())
    gap = dict(zip(found.table["touchpoint"], found.table["high"], strict=True))
    assert gap["payment"] < 0
    assert gap["support chatbot"] < 0


# ------------------------------------------------------------------ effort


def test_components_are_counted_journey_by_journey():
    journeys = journeys_of(
        {"customer": "a", "touchpoint": "web", "channel": "w", "owner": "x"},
        {"customer": "a", "touchpoint": "call", "channel": "p", "owner": "x"},
        {"customer": "a", "touchpoint": "web", "channel": "w", "owner": "y"},
        {"customer": "b", "touchpoint": "web", "channel": "w", "owner": "x", "hour": 0},
    )
    found = inferred_effort(journeys)
    mean = dict(zip(found.table["component"], found.table["mean"], strict=True))
    assert mean == pytest.approx(
        {
            "visits": 2.0,
            "seen again": 0.5,
            "straight back": 0.5,
            "channel switches": 1.0,
            "hand-offs": 0.5,
            "days": 1 / 24,
        }
    )
    assert found.index.tolist() == [0.75, 0.25]


def test_effort_says_how_many_votes_count_length():
    both = repr(inferred_effort(cx.datasets.sample(seed=1, customers=100).journeys()))
    assert "4 of 6 votes count length: visits, seen again, straight back, days." in both
    paths = cx.Journeys.from_paths([["web"], ["web", "call"]], converted=[1, 1])
    assert "3 of 3 votes count length: visits, seen again, straight back." in repr(
        inferred_effort(paths)
    )


def test_a_component_that_never_varies_is_not_in_the_index():
    journeys = cx.Journeys.from_paths([["a"], ["b"]], converted=[1, 1])
    assert np.isnan(inferred_effort(journeys).index).all()


def test_the_check_is_spearman_s_correlation():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    paths = [["w"] * int(n) for n in rng.integers(1, 30, 60)]
    journeys = cx.Journeys.from_paths(paths, converted=[1] * 60)
    found = inferred_effort(journeys)
    surveyed = found.index + rng.normal(scale=0.3, size=60)
    surveyed[:5] = np.nan
    check = found.check(surveyed)
    oracle = spearmanr(found.index[5:], surveyed[5:]).statistic
    assert check.value == pytest.approx(oracle, abs=1e-12)
    assert check.low < oracle < check.high
    assert (check.n, check.n_missing) == (55, 5)


def test_three_answers_are_no_check():
    journeys = cx.Journeys.from_paths([["w"], ["w", "w"], ["w"] * 3], converted=[1, 1, 1])
    assert np.isnan(inferred_effort(journeys).check([1, 2, 3]).value)


def test_the_survey_must_have_one_value_a_journey():
    journeys = cx.Journeys.from_paths([["w"], ["w", "w"]], converted=[1, 1])
    with pytest.raises(InvalidValue, match="surveyed"):
        inferred_effort(journeys).check([1.0])


@pytest.mark.parametrize(
    "analysis", [emotion_curve, peak_end, expectation_gaps, inferred_effort, cx.experience.scores]
)
def test_results_survive_the_dictionary(analysis):
    found = analysis(cx.datasets.sample(seed=1, customers=100).journeys())
    again = type(found).from_dict(found.to_dict())
    assert again.to_dict() == found.to_dict()
    assert repr(again) == repr(found)
