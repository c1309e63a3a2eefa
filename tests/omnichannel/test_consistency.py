from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

import cxjourney as cx
from cxjourney.exceptions import UnknownName
from cxjourney.omnichannel import Consistency, consistency

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def logged(rows):
    """Return the log of [(customer, channel, score, {attributes}), ...]."""
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=customer,
                touchpoint="t",
                channel=channel,
                score=score,
                timestamp=BEGIN + timedelta(minutes=i),
                attributes=attributes,
            )
            for i, (customer, channel, score, attributes) in enumerate(rows)
        ]
    )


def drawn(rng, means, *, n=60, person=0.0, mix=None):
    """Return scores of n customers in every channel, with a part of their own."""
    rows = []
    for i in range(n):
        own = person * rng.normal()
        rows += [
            (f"c{i}", channel, mean + own + rng.normal(), mix or {})
            for channel, mean in means.items()
        ]
    return logged(rows).journeys()


def test_equal_channels_are_consistent():
    rng = np.random.default_rng(1)
    found = consistency(drawn(rng, {"app": 7, "shop": 7, "web": 7}))
    assert found.spread.low == 0
    assert found.i2.value < 0.6
    assert found.omega2.low == 0


def test_the_spread_of_the_channels_is_found():
    rng = np.random.default_rng(2)
    means = {f"ch{i}": 7 + rng.normal() for i in range(12)}
    truth = np.std(list(means.values()), ddof=1)
    found = consistency(drawn(rng, means, person=1.0))
    assert found.spread.low < truth < found.spread.high
    assert found.spread.value == pytest.approx(truth, rel=0.2)
    assert found.icc.low < found.icc.value < found.icc.high


def test_what_customers_bring_along_is_agreement_between_channels():
    rng = np.random.default_rng(3)
    alone = consistency(drawn(rng, {"app": 7, "web": 7}, person=0.0))
    steady = consistency(drawn(rng, {"app": 7, "web": 7}, person=1.0))
    assert alone.icc.value < 0.3
    assert steady.icc.low < 0.5 < steady.icc.high


def test_agreement_below_chance_is_shown_as_none_and_said():
    rows = []
    for i in range(30):
        rows += [(f"c{i}", "app", 5 + (-1) ** i, {}), (f"c{i}", "web", 5 - (-1) ** i, {})]
    found = consistency(logged(rows).journeys())
    assert found.icc.value == 0
    assert any("ICC is negative (-1)" in note for note in found.notes)


def test_a_case_mix_is_no_inconsistency():
    # complaints score 3 points less everywhere; the phone gets most of them
    rng = np.random.default_rng(4)
    rows = []
    for i in range(300):
        for channel, complaints in (("phone", 0.8), ("web", 0.2)):
            complaint = rng.random() < complaints
            rows.append(
                (
                    f"{channel}{i}",
                    channel,
                    8 - 3 * complaint + rng.normal(),
                    {"topic": "complaint" if complaint else "question"},
                )
            )
    journeys = logged(rows).journeys()
    assert consistency(journeys).spread.value > 1
    fair = consistency(journeys, adjust="topic")
    assert fair.spread.value < 0.2
    assert fair.channels["mean"] == pytest.approx(
        np.full(2, np.mean([score for _, _, score, _ in rows])), abs=0.15
    )


def test_channels_without_a_common_case_cannot_be_adjusted():
    rows = [(f"a{i}", "phone", i % 3, {"topic": "x"}) for i in range(9)]
    rows += [(f"b{i}", "web", i % 4, {"topic": "y"}) for i in range(9)]
    found = consistency(logged(rows).journeys(), adjust="topic")
    assert np.isnan(found.spread.value)
    assert np.isnan(found.channels["mean"]).all()
    assert any("nothing can be compared" in note for note in found.notes)


def test_few_scores_are_drawn_to_the_mean_and_worst_comes_first():
    rng = np.random.default_rng(5)
    rows = [(f"c{i}", f"ch{i % 8}", 6 + (i % 8) / 4 + rng.normal(), {}) for i in range(800)]
    rows += [("x", "rare", 1.0, {}), ("y", "rare", 4.0, {}), ("z", "once", 0.0, {})]
    found = consistency(logged(rows).journeys())
    rows = {row["channel"]: row for row in found.channels}
    assert rows["rare"]["shrunken"] > rows["rare"]["mean"] + 1
    assert np.isnan(rows["once"]["low"])
    assert rows["once"]["shrunken"] == pytest.approx(
        np.average([r["shrunken"] for r in rows.values()]), abs=1.5
    )
    assert list(found.channels["shrunken"]) == sorted(found.channels["shrunken"])


def test_association_of_channel_and_outcome():
    paths = []
    for channel, kept in (("phone", 30), ("web", 5)):
        total = {"phone": 40, "web": 60}[channel]
        paths += [
            (f"{channel}{i}", channel, 5.0, {"solved": "yes" if i < kept else "no"})
            for i in range(total)
        ]
    found = consistency(logged(paths).journeys(), outcome="solved")
    assert found.cramers_v.value == pytest.approx(0.680768, abs=5e-7)  # METHODS 14
    assert found.cramers_v.low < 0.68 < found.cramers_v.high


def test_a_channel_where_no_journey_begins_is_no_obstacle():
    rows = [(f"c{i}", channel, i % 3, {}) for i in range(9) for channel in ("web", "app")]
    journeys = logged(rows).journeys(inactivity=timedelta(seconds=1))
    assert np.isfinite(consistency(journeys).spread.value)
    told = logged([(f"c{i}", c, i % 3, {}) for i in range(9) for c in ("web", "app", "bot")])
    found = consistency(told.journeys(inactivity=timedelta(days=1)))
    assert np.isnan(found.cramers_v.value)  # every journey begins on the web


def told(journeys_of_each):
    """Return journeys of {customer: [(touchpoint, channel, score), ...]}, one hour apart."""
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=who,
                touchpoint=what,
                channel=how,
                score=score,
                timestamp=BEGIN + timedelta(hours=hour),
            )
            for who, touches in journeys_of_each.items()
            for hour, (what, how, score) in enumerate(touches)
        ],
        observed_until=BEGIN + timedelta(days=60),
    ).journeys(goal="buy", inactivity=timedelta(days=7))


def test_where_a_journey_ends_is_not_crossed_with_how_it_ends():
    # two in four buy wherever they begin, in the shop; six more buy there at once
    rows = {f"{how}{i}": [("t", how, 5)] for how in ("web", "app") for i in range(40)}
    for i, touches in enumerate(rows.values()):
        touches.extend([("buy", "shop", 5)] if i % 2 else [])
    rows |= {f"s{i}": [("buy", "shop", 5)] for i in range(6)}
    found = consistency(told(rows)).cramers_v
    assert found.n == 80
    assert (found.value, found.low) == (0, 0)


def test_answers_at_the_goal_are_those_of_customers_who_got_there():
    # who is happy buys, in the shop; the channels are alike
    rng = np.random.default_rng(3)
    rows = {}
    for i in range(200):
        mood = rng.normal()
        rows[f"c{i}"] = [("t", how, mood + rng.normal()) for how in ("web", "app")]
        if mood > 0:
            rows[f"c{i}"].append(("buy", "shop", mood + rng.normal()))
    journeys = told(rows)
    assert consistency(journeys).spread.low > 0
    assert consistency(journeys, closing=False).spread.low == 0


def test_the_noise_of_equally_sure_means_is_their_variance():
    # three channels of ten customers each, whose scores scatter alike about 4, 5 and 7
    pattern = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) / 4
    rows = [
        (f"{channel}{i}", channel, shift + x, {})
        for channel, shift in (("app", 4), ("phone", 5), ("web", 7))
        for i, x in enumerate(pattern)
    ]
    found = consistency(logged(rows).journeys())
    noise = np.var(pattern, ddof=1) / 10
    for end in ("low", "value", "high"):  # one method for all three
        tau = getattr(found.spread, end)
        assert getattr(found.i2, end) == pytest.approx(tau**2 / (tau**2 + noise))
    assert 0 < found.i2.low < found.i2.value < found.i2.high < 1


# customers who say the same thing `times` over, each in one channel
REPEATED = {"app": (2, [3.0, 5.0, 4.0, 6.0]), "phone": (3, [1.0, 2.0, 4.0]), "web": (5, [7.0, 9.0])}


def test_customers_that_repeat_themselves_widen_the_interval_of_the_variance_explained():
    rows = [
        (f"{channel}{i}", channel, score, {})
        for channel, (times, scores) in REPEATED.items()
        for i, score in enumerate(scores * 2)
        for _ in range(times)
    ]
    found = consistency(logged(rows).journeys())
    values = {c: np.repeat(np.array(s * 2), times) for c, (times, s) in REPEATED.items()}
    n = {c: len(v) for c, v in values.items()}
    total = sum(n.values())
    within = sum(np.sum((v - v.mean()) ** 2) for v in values.values()) / (total - 3)
    # the mean of G customers alike has the variance of single scores over G
    design = 0.0
    for channel, (_, scores) in REPEATED.items():
        mean_variance = np.var(scores * 2, ddof=1) / (2 * len(scores))
        design += n[channel] / total * mean_variance / (within / n[channel])
    assert design > 2
    f = stats.f_oneway(*values.values()).statistic / design

    def noncentrality(p):
        if stats.ncf.cdf(f, 2, total / design - 3, 1e-9) < p:
            return 0.0
        return brentq(lambda nc: stats.ncf.cdf(f, 2, total / design - 3, nc) - p, 1e-9, 1e4)

    ends = [nc / (nc + total / design) for nc in (noncentrality(0.975), noncentrality(0.025))]
    assert (found.omega2.low, found.omega2.high) == pytest.approx(ends, abs=1e-6)


def test_customers_that_repeat_themselves_widen_the_interval_of_the_association():
    # twelve customers by phone, nine solved; ten on the web, two solved; each counts three times
    rows = [
        (f"{channel}{i}", channel, 5.0, {"solved": "yes" if i < kept else "no"})
        for channel, customers, kept in (("phone", 12, 9), ("web", 10, 2))
        for i in range(customers)
        for _ in range(3)
    ]
    found = consistency(logged(rows).journeys(), outcome="solved")
    counts = np.array([[9.0, 27.0], [24.0, 6.0]])
    # G customers alike: p (1 - p) / Var is G - 1, for a base of 3 G
    each = np.array([3 * 12 / 11, 3 * 12 / 11, 3 * 10 / 9, 3 * 10 / 9])
    design = np.average(each, weights=counts.ravel())
    chi2 = stats.chi2_contingency(counts, correction=False).statistic / design
    ends = [
        brentq(lambda nc, p=p: stats.ncx2.cdf(chi2, 1, nc) - p, 1e-9, 1e4) for p in (0.975, 0.025)
    ]
    expected = np.sqrt(np.array(ends) / (counts.sum() / design))
    assert (found.cramers_v.low, found.cramers_v.high) == pytest.approx(expected, abs=1e-6)


def test_missing_scores_are_counted():
    rows = [(f"c{i}", "web" if i % 2 else "app", 5 if i % 3 else None, {}) for i in range(30)]
    found = consistency(logged(rows).journeys())
    assert sum(found.channels["n"]) == 20
    assert "10 of 30 interactions have no score" in repr(found)


def test_one_channel_has_nothing_to_be_consistent_with():
    found = consistency(logged([(f"c{i}", "web", i % 5, {}) for i in range(20)]).journeys())
    for measure in (found.spread, found.i2, found.omega2, found.icc, found.cramers_v):
        assert np.isnan(measure.value)
    assert any("Fewer than two channels" in note for note in found.notes)


def test_what_is_not_there_is_named():
    journeys = logged([("a", "web", 5, {}), ("b", "app", 4, {})]).journeys()
    with pytest.raises(UnknownName, match="did you mean 'score'"):
        consistency(journeys, score="scor")
    with pytest.raises(UnknownName, match="attribute 'topic' is not in the log"):
        consistency(journeys, adjust="topic")


def test_the_result_survives_a_dictionary():
    rng = np.random.default_rng(6)
    found = consistency(drawn(rng, {"app": 7, "web": 6}))
    again = Consistency.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.channels == found.channels
    assert again.spread == found.spread
    assert repr(again) == repr(found)
