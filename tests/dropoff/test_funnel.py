"""`funnel`: small logs with answers by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import t as student_t

import cxjourney as cx
from cxjourney._stats.buckets import bucket_of
from cxjourney.dropoff import Exclusion, Funnel, Semantics, Step, funnel
from cxjourney.journeys import BySegment
from cxjourney.metrics import kaplan_meier

DAY = timedelta(days=1)
ONE_AT_A_TIME = Semantics(entry="ended", censored="keep")
STEPS = ["web", "cart", "buy"]


def log_of(days, *, until=60.0, tier=None):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=cx.Customer(
                    customer, attributes={"tier": tier[customer]} if tier[customer] else {}
                )
                if tier
                else customer,
                touchpoint=touchpoint,
                timestamp=begin + timedelta(days=when),
            )
            for customer, touches in days.items()
            for touchpoint, when in touches
        ],
        observed_until=begin + timedelta(days=until),
    )


def wilson_t(share, trials, effective):
    """Wilson's interval on a number of trials, with Student's quantile at `effective` - 1."""
    q = float(student_t.ppf(0.975, effective - 1))
    centre = (share + q**2 / (2 * trials)) / (1 + q**2 / trials)
    half = q / (1 + q**2 / trials)
    half *= math.sqrt(share * (1 - share) / trials + q**2 / (4 * trials**2))
    return centre - half, centre + half


def jackknife(whole, without):
    n = len(without)
    return (n - 1) / n * sum((w - whole) ** 2 for w in without)


DAYS = {
    "a": [("web", 0), ("cart", 1), ("buy", 2)],
    "b": [("web", 0), ("web", 9), ("cart", 10), ("buy", 20)],
    "c": [("cart", 0), ("web", 1)],
    "d": [("buy", 3)],
    "e": [("web", 58)],
}


def test_counts_rates_and_intervals():
    found = funnel(log_of(DAYS), STEPS, within=7 * DAY)
    # e entered two days before the end: no window of theirs was over
    assert found.counts == (3, 2, 1)
    assert found.n_left_out == 1
    assert found.rates == pytest.approx((1, 2 / 3, 1 / 3))
    # one of three customers: without each 0/2, 1/2, 1/2, so that p(1-p)/Var is 2
    assert (found.table["low"][2], found.table["high"][2]) == pytest.approx(wilson_t(1 / 3, 2, 3))
    # two customers are too few
    assert math.isnan(found.table["step_low"][2])
    assert found.table["dropped"].tolist() == [0, 1, 1]
    assert found.conversion.value == found.rates[-1]
    assert found.conversion.n == 3


def test_censored_entrants_can_be_kept():
    found = funnel(log_of(DAYS), STEPS, within=7 * DAY, censored="keep")
    assert found.counts == (4, 2, 1)
    assert (found.n_left_out, found.n_censored) == (0, 1)
    assert any("understated" in note for note in found.caveats)


def test_survival_counts_the_open_ones_as_open():
    days = {
        "a": [("web", 0), ("buy", 1)],
        "b": [("web", 0), ("buy", 5)],
        "c": [("web", 0)],
        "d": [("web", 57)],
    }
    found = funnel(log_of(days), ["web", "buy"], within=7 * DAY, censored="survival")
    # 4 at risk on day 1, d is open since 3 days, 2 at risk on day 5
    assert found.rates[1] == pytest.approx(1 - 3 / 4 * 1 / 2)
    assert found.method.startswith("Kaplan-Meier")
    waits = [1 * DAY, 5 * DAY, 7 * DAY, 3 * DAY]
    moved = [True, True, False, False]
    curve = kaplan_meier(waits, moved)
    without = [
        1 - kaplan_meier(waits[:i] + waits[i + 1 :], moved[:i] + moved[i + 1 :]).survival[-1]
        for i in range(4)
    ]
    share = 5 / 8
    trials = share * (1 - share) / jackknife(share, without)
    assert (found.table["low"][1], found.table["high"][1]) == pytest.approx(
        wilson_t(share, trials, 4)
    )
    assert found.time_to().survival.tolist() == pytest.approx(curve.survival.tolist())


def test_reentry_is_followed_or_not():
    days = {"a": [("web", 0), ("web", 9), ("buy", 10)]}
    assert funnel(log_of(days), ["web", "buy"], within=5 * DAY).counts == (1, 1)
    assert funnel(log_of(days), ["web", "buy"], within=5 * DAY, entry="first").counts == (1, 0)
    mixpanel = funnel(log_of(days), ["web", "buy"], within=5 * DAY, semantics=ONE_AT_A_TIME)
    assert mixpanel.counts == (1, 1)


def test_one_attempt_at_a_time_does_not_move_its_beginning():
    days = {"a": [("web", 0), ("web", 4), ("buy", 6)]}
    assert funnel(log_of(days), ["web", "buy"], within=5 * DAY).counts == (1, 1)
    mixpanel = funnel(log_of(days), ["web", "buy"], within=5 * DAY, semantics=ONE_AT_A_TIME)
    assert mixpanel.counts == (1, 0)


def test_a_window_holds_its_end():
    days = {"a": [("web", 0), ("buy", 7)]}
    assert funnel(log_of(days), ["web", "buy"], within=7 * DAY).counts == (1, 1)
    short = 7 * DAY - timedelta(microseconds=1)
    assert funnel(log_of(days), ["web", "buy"], within=short).counts == (1, 0)


def test_a_step_may_be_optional_and_have_a_limit_of_its_own():
    days = {
        "a": [("web", 0), ("chat", 1), ("buy", 2)],
        "b": [("web", 0), ("buy", 2)],
        "c": [("web", 0), ("chat", 3), ("buy", 3)],
        "d": [("web", 0), ("buy", 30)],
    }
    steps = ["web", Step("chat", optional=True, within=2 * DAY), Step("buy", within=10 * DAY)]
    found = funnel(log_of(days), steps)
    assert found.counts == (4, 1, 3)
    assert found.table["step_rate"].tolist() == pytest.approx([1, 1 / 4, 3 / 4])
    assert found.table["dropped"].tolist() == [0, 0, 1]


def test_a_step_may_be_any_of_several():
    days = {"a": [("call", 0), ("buy", 1)], "b": [("chat", 0)], "c": [("mail", 0), ("buy", 1)]}
    found = funnel(log_of(days), [{"call", "chat"}, "buy"])
    assert found.counts == (2, 1)
    assert found.steps == ("call | chat", "buy")


def test_an_exclusion_ends_the_attempt_or_the_membership():
    days = {
        "a": [("web", 0), ("help", 1), ("buy", 2)],
        "b": [("web", 0), ("help", 1), ("web", 2), ("buy", 3)],
        "c": [("help", 0), ("web", 1), ("buy", 2), ("help", 3)],
    }
    house = funnel(log_of(days), ["web", "buy"], exclude=["help"])
    assert house.counts == (3, 2)
    assert house.n_excluded == 1
    posthog = funnel(
        log_of(days),
        ["web", "buy"],
        exclude=[Exclusion("help", between=(1, 2))],
        semantics="posthog",
    )
    # b: the first attempt is void, the second is not; c: the exclusion came before
    assert posthog.counts == (2, 2)
    assert posthog.n_excluded == 1


def test_times_are_those_of_the_attempt_that_got_deepest():
    days = {"a": [("web", 0), ("web", 9), ("cart", 10), ("cart", 11), ("buy", 12)]}
    found = funnel(log_of(days), STEPS, within=7 * DAY)
    assert found.table["median_s"].tolist()[1:] == [86_400, 3 * 86_400]
    assert found.table["step_median_s"].tolist()[1:] == [86_400, 2 * 86_400]


def test_journeys_are_the_units_of_journeys():
    days = {"a": [("web", 0), ("buy", 1), ("web", 5)], "b": [("web", 0), ("buy", 1)]}
    journeys = log_of(days).journeys(goal="buy", inactivity=7 * DAY)
    found = funnel(journeys, ["web", "buy"])
    assert found.unit == "journey"
    assert found.counts == (3, 2)
    assert found.explain("a").depth == (2, 1)


def test_journeys_of_one_customer_are_not_independent():
    days = {
        "a": [(name, 10 * k + d) for k in range(4) for name, d in (("web", 0), ("buy", 1))],
        "b": [("web", 10 * k) for k in range(4)],
    }
    found = funnel(log_of(days).journeys(goal="buy", inactivity=7 * DAY), ["web", "buy"])
    assert found.counts == (8, 4)
    assert "clustered by customer" in found.method
    assert math.isnan(found.table["low"][1])  # two customers
    assert any("no interval" in note for note in found.caveats)
    days |= {"c": days["b"], "d": days["a"]}
    found = funnel(log_of(days).journeys(goal="buy", inactivity=7 * DAY), ["web", "buy"])
    # without one of four: 8/12 or 4/12, so that Var = 3/4 · 4 · (1/6)² = 1/12 and p(1-p)/Var = 3
    assert (found.table["low"][1], found.table["high"][1]) == pytest.approx(wilson_t(0.5, 3, 4))


def test_shares_of_all_units_are_clustered_too():
    days = {
        "a": [(name, 10 * k + d) for k in range(4) for name, d in (("web", 0), ("buy", 1))],
        "b": [("web", 10 * k) for k in range(4)],
        "c": [("mail", 10 * k) for k in range(3)],
        "d": [("mail", 0), ("mail", 10), ("web", 20), ("buy", 21), ("web", 30), ("buy", 31)],
    }
    journeys = log_of(days).journeys(goal="buy", inactivity=7 * DAY)
    found = funnel(journeys, ["web", "buy"], semantics="retentioneering")
    assert (found.base, found.n_base) == ("all", 15)
    assert found.rates == pytest.approx((10 / 15, 6 / 15))
    whole, without = 6 / 15, [2 / 11, 6 / 11, 6 / 12, 4 / 11]
    trials = whole * (1 - whole) / jackknife(whole, without)
    assert (found.table["low"][1], found.table["high"][1]) == pytest.approx(
        wilson_t(whole, trials, 15**2 / (16 + 16 + 9 + 16))
    )


def test_step_rates_of_survival_are_ratios_of_incidences():
    days = {
        f"c{i}": [("web", 0), *([("cart", 1 + i % 3)] if i % 4 else [])]
        + ([("buy", 5)] if i % 4 == 1 else [])
        for i in range(24)
    }
    days |= {f"late{i}": [("web", 58), *([("cart", 59)] if i % 2 else [])] for i in range(12)}
    found = funnel(log_of(days), STEPS, within=7 * DAY, censored="survival")
    cart, buy = found.rates[1:]
    table = found.table
    assert table["step_rate"][2] == pytest.approx(buy / cart)
    logs = []
    for customer in days:
        rest = {c: touches for c, touches in days.items() if c != customer}
        one = funnel(log_of(rest), STEPS, within=7 * DAY, censored="survival")
        logs.append(math.log(one.rates[2] / one.rates[1]))
    half = student_t.ppf(0.975, 35) * math.sqrt(jackknife(math.log(buy / cart), logs))
    assert table["step_high"][2] == pytest.approx(buy / cart * math.exp(half))
    assert table["step_low"][2] == pytest.approx(buy / cart * math.exp(-half))


def test_the_interval_of_a_median_is_that_of_the_share_below_it():
    days = {f"c{i:02}": [("web", 0), ("buy", 1 + i)] for i in range(21)}
    found = funnel(log_of(days), ["web", "buy"])
    assert found.table["median_s"][1] == 11 * 86_400
    # 11 of 21 are not above it: p(1-p)/Var = 20; the quantiles of 1 … 21 days are 1 + 20 p
    low, high = wilson_t(11 / 21, 20, 21)
    assert found.table["median_low_s"][1] == pytest.approx((1 + 20 * low) * 86_400)
    assert found.table["median_high_s"][1] == pytest.approx((1 + 20 * high) * 86_400)


@pytest.mark.parametrize("n", [1, 2, 5, 10, 21])
def test_the_funnel_and_its_curve_have_one_median_where_all_got_there(n):
    rng = np.random.default_rng(n)
    days = {
        f"c{i:02}": [("web", 0), ("buy", 1 + d)]
        for i, d in enumerate(rng.integers(0, 9, n).tolist())
    }
    found = funnel(log_of(days), ["web", "buy"])
    took = sorted(day for _, (_, day) in days.values())
    half = next(t for i, t in enumerate(took, 1) if 2 * i >= n) * 86_400
    tenth = next(t for i, t in enumerate(took, 1) if 10 * i >= 9 * n) * 86_400
    assert found.table["median_s"][1] == found.table["step_median_s"][1] == half
    assert found.table["p90_s"][1] == found.table["step_p90_s"][1] == tenth
    assert found.time_to().median.value == half
    assert found.time_to().quantile(0.9).value == tenth


def test_those_who_did_not_get_there_make_the_median_of_the_curve_later():
    days = {f"c{i}": [("web", 0), ("buy", 1 + i)] for i in range(4)}
    days |= {f"d{i}": [("web", 0), ("help", 20)] for i in range(4)}
    found = funnel(log_of(days), ["web", "buy"])
    assert found.table["median_s"][1] == 2 * 86_400
    assert found.time_to().median.value == 4 * 86_400


def test_aggregated_paths_have_frequencies_but_no_times():
    journeys = cx.Journeys.from_paths(
        [["web", "cart"], ["web"], ["cart"]], converted=[500, 0, 0], dropped=[0, 1500, 400]
    )
    found = funnel(journeys, ["web", "cart"])
    assert found.counts == (2000, 500)
    # each journey is a trial, up to the noise of 64 buckets
    low, high = wilson_t(0.25, 2000, 64)
    half = 0.5 * (high - low)
    assert (found.table["low"][1], found.table["high"][1]) == pytest.approx(
        (low, high), abs=half / 2
    )
    assert "median_s" not in found.table.column_names
    with pytest.raises(cx.exceptions.TimesRequired):
        funnel(journeys, ["web", "cart"], within=DAY)
    with pytest.raises(cx.exceptions.TimesRequired):
        found.time_to()


def test_segments_are_funnels_of_their_units():
    days = {
        f"c{i:02}": [("web", 0), *([("buy", 1)] if i % 4 < 2 * (i < 20) else [])] for i in range(40)
    }
    tier = {c: "gold" if c < "c20" else None if c > "c35" else "tin" for c in days}
    log = log_of(days, tier=tier)
    found = funnel(log, ["web", "buy"], segment="tier")
    assert isinstance(found, BySegment)
    assert found.values == ("gold", "tin", cx.MISSING)
    assert [part.counts for _, part in found] == [(20, 10), (16, 0), (4, 0)]
    assert found.rule == "Each customer has one tier."
    assert found.n_missing == 4
    alone = {c: touches for c, touches in days.items() if c < "c20"}
    expected = funnel(log_of(alone), ["web", "buy"]).table
    for name in expected.column_names:
        # not to the bit: NumPy may round the rows of a longer column another way
        gold, only = np.asarray(found["gold"].table[name]), np.asarray(expected[name])
        if only.dtype.kind == "f":
            np.testing.assert_allclose(gold, only, rtol=1e-14)
        else:
            assert gold.tolist() == only.tolist()
    assert found["gold"].explain("c03").depth == (1,)
    with pytest.raises(cx.exceptions.UnknownName, match="c39"):
        found["gold"].explain("c39")
    again = BySegment.from_dict(found.to_dict())
    assert again == found


def test_customers_of_a_segment_stay_in_the_buckets_of_the_log():
    days = {f"c{i}": [("web", 0), *([("buy", 1)] if i % 7 < 3 else [])] for i in range(300)}
    tier = {c: "gold" if int(c[1:]) % 2 else "tin" for c in days}
    log = log_of(days, tier=tier)
    found = funnel(log, ["web", "buy"], segment="tier")["gold"]
    bucket = dict(zip(log.customer_ids, bucket_of(log.customer_ids).tolist(), strict=True))
    won = {c: len(touches) == 2 for c, touches in days.items() if tier[c] == "gold"}
    whole = sum(won.values()) / len(won)
    without, sizes = [], []
    for b in sorted({bucket[c] for c in won}):
        rest = [hit for c, hit in won.items() if bucket[c] != b]
        without.append(sum(rest) / len(rest))
        sizes.append(len(won) - len(rest))
    trials = whole * (1 - whole) / jackknife(whole, without)
    effective = sum(sizes) ** 2 / sum(n * n for n in sizes)
    ends = (found.table["low"][1], found.table["high"][1])
    assert ends == pytest.approx(wilson_t(whole, trials, effective))


def test_segments_of_journeys_are_those_of_each_journey():
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=customer,
                touchpoint=name,
                timestamp=begin + when * DAY,
                channel=channel,
            )
            for customer in "abc"
            for name, when, channel in (
                ("web", 0, "app"),
                ("buy", 1, "app"),
                ("web", 20, "shop"),
            )
        ],
        observed_until=begin + 60 * DAY,
    )
    found = funnel(log.journeys(goal="buy", inactivity=7 * DAY), ["web", "buy"], segment="channel")
    assert {value: part.counts for value, part in found} == {"app": (3, 3), "shop": (3, 0)}
    assert "first channel" in found.rule


def test_explain_says_what_counted_and_what_did_not():
    found = funnel(log_of(DAYS), STEPS, within=7 * DAY)
    told = [row["verdict"] for row in found.explain("b").table]
    assert told == [
        "step 1: another attempt",
        "step 1: enters",
        "step 2",
        "not step 3: expired, window 7 days",
    ]
    assert "no step 1 before it" in found.explain("c").table["verdict"][0]
    assert "not over" in found.explain("e").table["verdict"][0]
    with pytest.raises(cx.exceptions.UnknownName, match="customer"):
        found.explain("zzz")


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({"entry": "first"}, "not step 1: only the first counts"),
        ({"semantics": ONE_AT_A_TIME}, "not step 1: an attempt is under way"),
        ({"order": "strict"}, "step 1: another attempt"),
    ],
)
def test_explain_says_why_an_entry_is_none(options, verdict):
    days = {"a": [("web", 0), ("web", 1), ("cart", 2)]}
    told = funnel(log_of(days), ["web", "cart"], within=7 * DAY, **options).explain("a")
    assert verdict in told.table["verdict"]


def test_explain_tells_strict_order_and_limits_of_steps():
    days = {"a": [("web", 0), ("chat", 1), ("cart", 2)]}
    strict = funnel(log_of(days), ["web", "cart"], order="strict").explain("a")
    assert strict.table["verdict"][2] == "not step 2: no step 1 right before it"
    short = funnel(log_of(days), ["web", Step("cart", within=DAY)]).explain("a")
    assert short.table["verdict"][2] == "not step 2: expired, step limit 1 day"
    loose = funnel(log_of(days), ["cart", "web"], order="unordered").explain("a")
    assert loose.table["verdict"] == ("done so far: 1", "no step", "done so far: 2")


def test_explain_names_exclusions():
    days = {"a": [("web", 0), ("help", 1), ("buy", 2)]}
    house = funnel(log_of(days), ["web", "buy"], exclude=["help"]).explain("a")
    assert house.table["verdict"][1] == "exclusion between step 1 and step 2"
    assert house.table["verdict"][2] == "not step 2: an exclusion lies between"
    posthog = funnel(log_of(days), ["web", "buy"], exclude=["help"], semantics="posthog")
    assert "An exclusion removed 1 customer from the funnel." in repr(posthog.explain("a"))
    assert posthog.explain("a").depth == (0,)


def test_empty_log_and_nobody_entering():
    empty = funnel(cx.InteractionLog.from_interactions([]), STEPS)
    assert empty.counts == (0, 0, 0)
    assert all(math.isnan(rate) for rate in empty.rates)
    nobody = funnel(log_of({"d": [("buy", 3)]}), ["buy", "basket"], censored="survival")
    assert nobody.counts == (1, 0)
    assert "'basket'" in repr(nobody)


def test_round_trip_without_the_log():
    found = funnel(log_of(DAYS), STEPS, within=7 * DAY)
    again = Funnel.from_dict(found.to_dict())
    assert again == found
    with pytest.raises(cx.exceptions.InvalidValue, match="log"):
        again.explain("a")
    assert "c0" not in repr(found.to_dict())


@pytest.mark.parametrize(
    ("steps", "options", "match"),
    [
        ("web", {}, "sequence of steps"),
        ([], {}, "at least one step"),
        (["web", "buyy"], {}, "did you mean 'buy'"),
        ([Step("web", optional=True), "buy"], {}, "optional"),
        (["web", set()], {}, "at least one touchpoint"),
        (7, {}, "steps must be a sequence of steps; got 7"),
        (["web", None], {}, r"steps\[1\] must be a touchpoint or several; got None"),
        ([{"web", 7}], {}, r"steps\[0\] must hold names only, each a string; got 7"),
        (STEPS, {"exclude": 7}, "exclude must be a sequence of names or Exclusions; got 7"),
        (STEPS, {"exclude": ["x", 7]}, r"exclude\[1\] must be a touchpoint or several; got 7"),
        (STEPS, {"order": "any"}, "order must be one of"),
        (STEPS, {"entry": "last"}, "entry must be one of"),
        (STEPS, {"within": 7}, "timedelta"),
        (STEPS, {"semantics": "ga4"}, "semantics must be one of"),
        (STEPS, {"semantics": "posthog", "entry": "first"}, "left out"),
        (STEPS, {"semantics": "retentioneering", "within": DAY}, "within must be None"),
        (STEPS, {"censored": "survival", "entry": "any"}, "survival"),
        (STEPS, {"censored": "drop"}, "censored must be one of"),
        (STEPS, {"exclude": ["cart"]}, "not match a step"),
        (STEPS, {"exclude": [Exclusion("x", between=(2, 4))]}, "between two of the 3"),
        (STEPS, {"order": "unordered", "exclude": [Exclusion("x", between=(1, 2))]}, "unordered"),
        ([{"web", "cart"}, "cart"], {"order": "unordered"}, "same touchpoints"),
    ],
)
def test_wrong_arguments_are_named(steps, options, match):
    with pytest.raises(cx.exceptions.InvalidValue, match=match):
        funnel(log_of(DAYS), steps, **options)


@pytest.mark.parametrize("step", ["buy", 2.0, [2]])
def test_the_step_of_a_curve_is_a_number(step):
    with pytest.raises(cx.exceptions.InvalidValue, match="step must lie between 2 and 3"):
        funnel(log_of(DAYS), STEPS).time_to(step)


def test_an_exclusion_lies_between_two_steps():
    with pytest.raises(cx.exceptions.InvalidValue, match="between"):
        Exclusion("x", between=(2, 1))


def test_own_rules_can_be_given():
    days = {"a": [("buy", 0), ("web", 0)]}
    log = log_of(days)
    assert funnel(log, ["web", "buy"]).counts == (1, 0)
    assert funnel(log, ["web", "buy"], semantics=Semantics(ties="either")).counts == (1, 1)


def test_large_random_log_against_counting_customers():
    rng = np.random.default_rng(3)
    n = 20_000
    log = cx.InteractionLog.from_frame(
        {
            "customer": rng.integers(0, 4_000, n),
            "time": np.datetime64("2026-01-01", "us") + rng.integers(0, 10**12, n),
            "touchpoint": rng.choice(["a", "b", "c", "d"], n),
        },
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
    )
    has_a = np.bincount(
        log.columns.customer, log.columns.coded["touchpoint"].codes == 0, log.n_customers
    )
    assert funnel(log, ["a", "b"]).counts[0] == np.count_nonzero(has_a)


def test_the_first_step_of_those_who_entered_is_certain():
    journeys = cx.Journeys.from_paths([["a", "b"], ["a"]], converted=[3, 1], dropped=[2, 4])
    table = funnel(journeys, ["a", "b"]).table
    assert [table[name][0] for name in ("rate", "low", "high")] == [1, 1, 1]
    assert [table[name][0] for name in ("step_rate", "step_low", "step_high")] == [1, 1, 1]
    assert table["low"][1] < table["rate"][1] < table["high"][1]
