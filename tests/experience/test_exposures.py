from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.experience import exposures

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def day(days):
    return BEGIN + timedelta(days=days)


def log_of(rows, *, until=20, attributes=None):
    """Return a log of (customer, touchpoint, day) and what is to be known of each row."""
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=customer,
                touchpoint=touchpoint,
                timestamp=day(at),
                attributes=(attributes or {}).get(i, {}),
            )
            for i, (customer, touchpoint, at) in enumerate(rows)
        ],
        observed_until=day(until),
    )


ROWS = [
    ("a", "web", 0),
    ("a", "offer", 1),
    ("a", "buy", 3),
    ("b", "web", 0),
    ("b", "offer", 4),  # too late to count
    ("b", "web", 5),
    ("c", "offer", 18),  # its window has not passed
    ("d", "web", 19),  # may still get one in time
    ("e", "web", 0),
    ("e", "web", 8),
]


def journeys_of(rows, **options):
    return log_of(rows, **options).journeys(goal="buy", inactivity="30d")


def test_coverage_acceptance_and_delay_by_hand():
    found = exposures(journeys_of(ROWS), "offer", within="5d", due="2d")
    covered = found.coverage.row(0)
    assert (covered["n"], covered["exposed"], covered["censored"]) == (5, 2, 1)
    # c at once, 1 of 5; a after a day, 1 of the 4 who were followed for so long
    assert covered["coverage"] == pytest.approx(1 - 4 / 5 * 3 / 4)
    # b after four days, 1 of 2: the curve falls to .3
    assert covered["delay_days"] == 4
    taken = found.acceptance.row(0)
    assert (taken["exposures"], taken["accepted"], taken["censored"]) == (3, 1, 1)
    assert taken["acceptance"] == pytest.approx(1 / 3)
    assert found.kind == "none"
    assert len(found.effect) == len(found.association) == 0
    assert "Nothing is said of an effect" in repr(found)


def test_an_acceptance_counts_once_for_the_last_exposure_before_it():
    rows = [("a", "offer", 0), ("a", "offer", 1), ("a", "click", 2), ("a", "click", 3)]
    found = exposures(journeys_of([*rows, ("b", "buy", 0)]), "offer", within="5d", accepted="click")
    row = found.acceptance.row(0)
    assert (row["exposures"], row["accepted"], row["acceptance"]) == (2, 1, 0.5)


def test_an_order_that_another_follows_first_was_not_followed_up():
    rows = [("a", "buy", 0), ("a", "call", 1), ("a", "buy", 5), ("a", "buy", 6), ("a", "call", 7)]
    found = exposures(journeys_of(rows), "call", within="3d", due="2d", of="order")
    row = found.coverage.row(0)
    assert (row["n"], row["exposed"], row["censored"]) == (3, 2, 0)
    assert row["coverage"] == pytest.approx(2 / 3)


def test_orders_that_cannot_be_followed_up_yet_are_censored():
    rows = [("a", "buy", 0), ("a", "call", 1), ("b", "buy", 19.5), ("c", "buy", 3)]
    found = exposures(journeys_of(rows), "call", within="3d", due="2d", of="order")
    row = found.coverage.row(0)
    # b was followed for half a day, and says nothing of the first day
    assert (row["exposed"], row["censored"], row["coverage"]) == (1, 1, 0.5)


def test_names_attributes_patterns_and_masks_choose_the_same_rows():
    yes = {1: {"sent": True}, 4: {"sent": True}, 6: {"sent": True}, 0: {"sent": False}}
    journeys = journeys_of(ROWS, attributes=yes)
    names = np.array(journeys.columns.coded["touchpoint"].names)
    mask = names[journeys.columns.coded["touchpoint"].codes] == "offer"
    wanted = exposures(journeys, "offer", within="5d").to_dict()
    for choice in (["offer"], "sent", cx.Pattern("offer"), cx.Pattern(".(sent=yes)"), mask):
        assert exposures(journeys, choice, within="5d").to_dict() == wanted


def arms_log(n=200, seed=0, until=100):
    """Return customers of one journey each, all of them followed, and who bought when."""
    rng = np.random.default_rng(seed)
    arm = np.where(rng.random(n) < 0.5, "offer", "control")
    bought = rng.random(n) < np.where(arm == "offer", 0.5, 0.3)
    when = 1 + rng.integers(0, 10, n)
    rows = [(f"c{i}", "web", 0) for i in range(n)]
    rows += [(f"c{i}", "offer", 0.5) for i in range(n) if arm[i] == "offer" and i % 5]
    rows += [(f"c{i}", "buy", int(when[i])) for i in range(n) if bought[i]]
    log = log_of(rows, until=until).with_attribute("arm", {f"c{i}": arm[i] for i in range(n)})
    return log, arm, bought, when


def test_the_effect_is_that_of_an_experiment_where_all_were_followed():
    log, arm, bought, when = arms_log()
    journeys = log.journeys(goal="buy", inactivity="30d")
    window = int(np.ceil(np.quantile(when[bought], 0.9)))
    row = exposures(
        journeys, "offer", within=f"{window - 1}d", due="1d", randomised="arm"
    ).effect.row(1)
    known = cx.experiments.evaluate(journeys, "arm").table.row(1)
    for name in ("difference", "difference_low", "difference_high", "p_value", "q_value"):
        assert row[name] == pytest.approx(known[name], rel=1e-12)
    for name, other in (("conversion", "value"), ("low", "low"), ("high", "high")):
        assert row[name] == pytest.approx(known[other], rel=1e-12)
    soon = bought & (when <= window)
    assert row["difference"] == pytest.approx(
        soon[arm == "offer"].mean() - soon[arm == "control"].mean()
    )
    assert row["exposed"] == pytest.approx(np.mean(np.arange(200)[arm == "offer"] % 5 > 0))


def test_customers_stay_in_the_arm_they_were_assigned_to():
    log, *_ = arms_log()
    journeys = log.journeys(goal="buy", inactivity="30d")
    nobody = np.zeros(len(journeys.columns), dtype=bool)
    shown = exposures(journeys, "offer", within="9d", randomised="arm").effect
    hidden = exposures(journeys, nobody, within="9d", randomised="arm").effect
    for name in ("customers", "conversion", "difference", "difference_low", "p_value"):
        assert np.array_equal(shown[name], hidden[name], equal_nan=True)
    assert np.all(np.asarray(hidden["exposed"]) == 0)


def test_each_customer_counts_once_from_the_first_journey():
    rows = [("a", "web", 0), ("a", "buy", 1), ("a", "web", 50), ("b", "web", 0), ("c", "web", 0)]
    log = log_of(rows, until=90).with_attribute("arm", {"a": "x", "b": "x", "c": "control"})
    journeys = log.journeys(goal="buy", inactivity="9d")
    nothing = np.zeros(len(log), dtype=bool)
    found = exposures(journeys, nothing, within="2d", randomised="arm")
    assert found.effect["customers"].tolist() == [1, 2]
    assert found.effect["conversion"].tolist() == [0.0, 0.5]


def test_the_effect_of_a_follow_up_counts_from_the_first_order():
    rows = [("a", "buy", 0), ("a", "buy", 2), ("b", "web", 0), ("b", "buy", 7), ("c", "buy", 0)]
    log = log_of(rows, until=90).with_attribute("arm", {"a": "x", "b": "x", "c": "control"})
    journeys = log.journeys(goal="buy", inactivity="9d")
    found = exposures(journeys, "web", within="2d", of="order", randomised="arm")
    # the order itself is no conversion: a bought again within four days, b did not
    assert found.effect["conversion"].tolist() == [0.0, 0.5]


def test_customers_in_several_arms_are_left_out():
    rows = [("a", "web", 0), ("a", "web", 50), ("b", "web", 0), ("c", "web", 0)]
    arms = [{"arm": "x"}, {"arm": "control"}, {"arm": "x"}, {"arm": "control"}]
    log = log_of([*rows, ("d", "buy", 0)], until=90, attributes=dict(enumerate(arms)))
    journeys = log.journeys(goal="buy", inactivity="9d")
    nothing = np.zeros(len(log), dtype=bool)
    found = exposures(journeys, nothing, within="2d", randomised="arm")
    assert found.effect["customers"].tolist() == [1, 1]
    assert "Customers in several arms, who are left out: 1." in repr(found)


def test_sizes_are_looked_at_only_against_a_plan():
    journeys = arms_log()[0].journeys(goal="buy", inactivity="30d")
    options = {"within": "9d", "randomised": "arm"}
    assert exposures(journeys, "offer", **options).sizes_p is None
    found = exposures(journeys, "offer", **options, planned={"control": 0.1, "offer": 0.9})
    assert found.sizes_p < 1e-9
    assert "something sorts customers" in repr(found)


LANDMARK = [
    ("early", "web", 0),
    ("early", "offer", 0.5),
    ("early", "buy", 1),  # over before the landmark
    ("gone", "web", 0),
    ("gone", "leave", 1),  # the same
    ("shown", "web", 0),
    ("shown", "offer", 1),
    ("shown", "buy", 4),
    ("later", "web", 0),
    ("later", "offer", 3),  # exposed after the landmark
    ("later", "buy", 4),
    ("none", "web", 0),
    ("none", "web", 9),
    ("young", "web", 19),  # not followed to the landmark
]


def at_landmark(rows):
    journeys = log_of(rows).journeys(goal="buy", exit_touchpoints="leave", inactivity="15d")
    return exposures(journeys, "offer", within="5d", landmark="2d")


def test_only_journeys_in_progress_at_the_landmark_are_compared():
    found = at_landmark(LANDMARK)
    table = found.association
    assert table["group"] == ("not yet exposed", "exposed")
    assert table["journeys"].tolist() == [2, 1]
    assert table["conversion"].tolist() == [0.5, 1.0]
    assert "2 were over by then, 1 were not followed for so long" in repr(found)


def test_what_comes_after_the_landmark_changes_no_group():
    rows = [row for row in LANDMARK if row != ("later", "offer", 3)]
    assert at_landmark(rows).association == at_landmark(LANDMARK).association


def test_a_silence_that_is_over_before_the_landmark_ends_a_journey():
    rows = [("a", "web", 0), ("b", "web", 0), ("b", "web", 3), ("c", "web", 0), ("c", "buy", 5)]
    rows += [("d", "web", 0), ("d", "offer", 1)]
    journeys = log_of(rows).journeys(goal="buy", inactivity="4d")
    found = exposures(journeys, "offer", within="5d", landmark="4d")
    # a was silent for four days, and so was c before it bought; an offer ends no silence of d
    assert found.association["group"] == ("not yet exposed",)
    assert found.association["journeys"].tolist() == [1]


def test_an_exposure_begins_no_journey_at_the_landmark():
    rows = [("a", "offer", 0), ("a", "web", 3), ("a", "buy", 6), ("b", "offer", 0)]
    rows += [("c", "web", 0), ("c", "web", 1.5)]
    journeys = log_of(rows).journeys(goal="buy", inactivity="15d")
    found = exposures(journeys, "offer", within="5d", landmark="2d")
    table = found.association
    # a counts from its third day, when it had got one; b never came
    assert table["group"] == ("not yet exposed", "exposed")
    assert table["conversion"].tolist() == [0.0, 1.0]
    assert "1 had nothing but exposures" in repr(found)


def test_arms_count_from_what_is_no_exposure():
    rows = [("a", "offer", 0), ("a", "web", 9), ("a", "buy", 12), ("b", "offer", 0)]
    rows += [("c", "web", 0), ("c", "buy", 6)]
    log = log_of(rows, until=90).with_attribute("arm", {"a": "x", "b": "x", "c": "control"})
    journeys = log.journeys(goal="buy", inactivity="15d")
    found = exposures(journeys, "offer", within="2d", randomised="arm")
    assert found.effect["customers"].tolist() == [1, 1]
    assert found.effect["conversion"].tolist() == [0.0, 1.0]
    assert found.effect["exposed"].tolist() == [0.0, 1.0]
    assert "2 customers got an exposure before anything else was seen" in repr(found)


def test_an_association_is_not_called_an_effect():
    found = at_landmark(LANDMARK)
    assert found.kind == "association"
    assert len(found.effect) == 0
    text = repr(found)
    assert "Association with conversion, not an effect" in text
    assert "An association is no effect" in text
    assert "not an effect" in found._repr_html_()


@pytest.mark.oracles("statsmodels")
def test_segments_share_one_correction():
    from statsmodels.stats.multitest import multipletests

    log, *_ = arms_log(400)
    kinds = {one: "nsew"[i % 4] for i, one in enumerate(log.customer_ids)}
    journeys = log.with_attribute("kind", kinds).journeys(goal="buy", inactivity="30d")
    found = exposures(journeys, "offer", within="9d", randomised="arm", segment="kind")
    table = found.effect
    assert table["segment"][::2] == ("all", "e", "n", "s", "w")
    p, q = (np.asarray(table[name])[3::2] for name in ("p_value", "q_value"))
    assert q == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert table["q_value"][1] == table["p_value"][1]  # the whole is one question
    assert table["customers"][:2].sum() == table["customers"][2:].sum() == 400


@pytest.mark.oracles("lifelines")
def test_coverage_and_delay_are_those_of_lifelines():
    from lifelines import KaplanMeierFitter

    rng = np.random.default_rng(3)
    start, wait = rng.uniform(0, 30, 80), rng.exponential(6, 80)
    rows = [(f"c{i}", "web", start[i]) for i in range(80)]
    rows += [(f"c{i}", "offer", start[i] + wait[i]) for i in range(80) if start[i] + wait[i] < 30]
    journeys = log_of(rows, until=30).journeys(inactivity="90d")
    found = exposures(journeys, "offer", within="5d", accepted="web", due="7d").coverage.row(0)
    seen = start + wait < 30
    curve = KaplanMeierFitter().fit(np.where(seen, wait, 30 - start), seen)
    assert found["coverage"] == pytest.approx(1 - float(curve.predict(7.0)), rel=1e-9)
    assert found["delay_days"] == pytest.approx(curve.median_survival_time_, abs=1e-8)


moments = st.lists(
    st.tuples(
        st.sampled_from("abcde"), st.sampled_from(["web", "offer", "buy"]), st.integers(0, 19)
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda row: (row[0], row[2]),
)


@given(moments, st.randoms())
def test_counts_add_up_and_order_does_not_matter(rows, chance):
    names = [*rows, ("z", "web", 0), ("z", "buy", 1)]
    kinds = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "y", "z": "y"}
    mixed = list(names)
    chance.shuffle(mixed)
    one, other = (
        exposures(
            log_of(some)
            .with_attribute("kind", {k: v for k, v in kinds.items() if k in {r[0] for r in some}})
            .journeys(goal="buy", inactivity="5d"),
            "web",
            within="4d",
            landmark="2d",
            segment="kind",
        )
        for some in (names, mixed)
    )
    assert one.to_dict() == other.to_dict()
    for table, counts in (
        (one.coverage, ("n", "exposed", "censored")),
        (one.acceptance, ("exposures", "accepted", "censored")),
    ):
        for name in counts:
            assert table[name][0] == table[name][1:].sum()
        share = np.asarray(table[table.column_names[4]])
        low, high = np.asarray(table["low"]), np.asarray(table["high"])
        assert np.all(np.isnan(share) | ((share >= -1e-12) & (share <= 1 + 1e-12)))
        assert np.all(np.isnan(low) | ((low <= share + 1e-12) & (share <= high + 1e-12)))


@given(moments)
def test_where_all_were_followed_coverage_is_the_plain_share(rows):
    journeys = log_of(rows, until=60).journeys(inactivity="5d")
    names = journeys.log.touchpoints
    nobody = np.zeros(len(rows), dtype=bool)
    found = exposures(journeys, nobody, accepted=names[:1], within="4d")
    assert found.coverage["coverage"][0] == 0
    frame = pd.DataFrame(rows, columns=["who", "what", "at"])
    first = frame.groupby("who")["at"].min()
    shown = frame[frame["what"] == "offer"].groupby("who")["at"].min().reindex(first.index)
    if "offer" not in names:
        return
    found = exposures(journeys, "offer", accepted=names[:1], within="4d")
    assert found.coverage["coverage"][0] == pytest.approx(float((shown - first <= 4).mean()))


def test_a_result_comes_back_and_names_nobody():
    journeys = arms_log(60)[0].journeys(goal="buy", inactivity="30d")
    for options in ({"randomised": "arm"}, {"landmark": "1d"}, {}):
        found = exposures(journeys, "offer", within="9d", **options)
        assert cx.load(found.to_dict()).to_dict() == found.to_dict()
        assert "c17" not in repr(found)


def test_nothing_of_an_empty_log():
    journeys = cx.InteractionLog.from_interactions([]).journeys(goal="buy", inactivity="9d")
    found = exposures(journeys, "offer", within="9d", landmark="2d")
    assert len(found.coverage) == len(found.acceptance) == len(found.association) == 0
    assert "not known" in repr(found)


def test_customers_who_may_have_started_before_are_left_out():
    log = attrs.evolve(log_of(ROWS), observed_from_us=int(day(-1).timestamp() * 1e6))
    found = exposures(log.journeys(goal="buy", inactivity="9d"), "offer", within="5d")
    assert found.coverage["n"].tolist() == [2]  # c and d
    assert "3 customers may have started before" in repr(found)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"randomised": "arm", "landmark": "2d"}, InvalidValue, "landmark must be left out"),
        ({"control": "x"}, InvalidValue, "control must be left out without randomised="),
        ({"randomised": "armm"}, UnknownName, "did you mean 'arm'"),
        ({"randomised": "arm", "control": "ofer"}, UnknownName, "did you mean 'offer'"),
        ({"exposure": "ofer"}, UnknownName, "did you mean 'offer'"),
        ({"exposure": "arm"}, UnknownName, "exposure 'arm' is not in"),
        ({"exposure": np.zeros(3, dtype=bool)}, InvalidValue, "one truth value for each"),
        ({"exposure": []}, InvalidValue, "exposure must name a touchpoint"),
        ({"exposure": 7}, InvalidValue, "exposure must"),
        ({"within": 7}, InvalidValue, "within"),
        ({"of": "oder"}, InvalidValue, "did you mean 'order'"),
    ],
)
def test_errors_name_the_argument(options, error, message):
    journeys = arms_log(30)[0].journeys(goal="buy", inactivity="30d")
    arguments = {"exposure": "offer", "within": "9d"} | options
    with pytest.raises(error, match=message):
        exposures(journeys, **arguments)


def test_what_needs_a_goal_says_so():
    journeys = log_of(ROWS).journeys(inactivity="9d")
    with pytest.raises(InvalidValue, match="accepted must say what accepts an exposure"):
        exposures(journeys, "offer", within="5d")
    with pytest.raises(InvalidValue, match="landmark must have a goal"):
        exposures(journeys, "offer", within="5d", accepted="buy", landmark="2d")
    discarded = log_of(ROWS).journeys(goal="buy", inactivity="9d", after_goal="discard")
    with pytest.raises(InvalidValue, match='of must be "customer"'):
        exposures(discarded, "offer", within="5d", of="order")
    paths = cx.Journeys.from_paths([["web"]], converted=[1], dropped=[0])
    with pytest.raises(TimesRequired):
        exposures(paths, "web", within="5d")


def test_journeys_of_a_case_id_may_overlap():
    rows = [("k1", "web", 0), ("k2", "offer", 1), ("k1", "web", 2), ("k2", "buy", 3)]
    frame = pd.DataFrame({
        "who": ["a"] * 4,
        "case": [row[0] for row in rows],
        "what": [row[1] for row in rows],
        "when": [day(row[2]) for row in rows],
    })  # fmt: skip
    log = cx.InteractionLog.from_frame(
        frame, customer="who", timestamp="when", touchpoint="what", journey="case"
    )
    found = exposures(log.journeys(goal="buy", inactivity="9d"), "offer", within="1.5d")
    assert found.coverage["exposed"].tolist() == [1]
    assert found.coverage["delay_days"].tolist() == [1.0]


@pytest.mark.filterwarnings("ignore:.*after observed_until")
def test_what_lies_after_the_end_of_the_observation_was_not_followed():
    found = exposures(
        journeys_of([*ROWS, ("f", "web", 21), ("f", "offer", 22)]), "offer", within="5d"
    )
    row = found.coverage.row(0)
    assert (row["n"], row["exposed"], row["censored"]) == (6, 3, 2)
    assert 0 < row["coverage"] < 1
