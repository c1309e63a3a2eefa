from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, TimesRequired, UnknownName
from cxjourney.metrics import newcombe
from cxjourney.omnichannel import HandoffLoss, handoff_loss

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = timedelta(days=7)


def paths(told):
    """Return journeys of {path: (converted, dropped)}, channels written with blanks between."""
    return cx.Journeys.from_paths(
        [path.split() for path in told],
        converted=[won for won, _ in told.values()],
        dropped=[lost for _, lost in told.values()],
        channels=True,
    )


def logged(told, *, until=20.0, owner=False):
    """Return the log of {customer: [(touchpoint, channel, day), ...]}."""
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=customer,
                touchpoint=touchpoint,
                timestamp=BEGIN + timedelta(days=day),
                **{"owner" if owner else "channel": channel},
            )
            for customer, touches in told.items()
            for touchpoint, channel, day in touches
        ],
        observed_until=BEGIN + timedelta(days=until),
    )


def pair(found, source, target):
    return next(row for row in found.pairs if list(row.values())[:2] == [source, target])


# web > phone loses 60 of 100, phone > phone 30 of 200; phone > web 10 of 100, web > web 20 of 100
SHOP = {
    "web web": (80, 20),
    "web phone": (40, 60),
    "phone phone": (70, 30),
    "phone phone web": (90, 10),
}


def test_the_columns_that_others_rely_on_come_first():
    found = handoff_loss(paths(SHOP))
    assert list(found.to_frame("pandas").columns[:6]) == [
        "from_channel", "to_channel", "arrivals", "loss", "low", "high",
    ]  # fmt: skip


def test_losses_by_hand():
    found = handoff_loss(paths(SHOP))
    row = pair(found, "web", "phone")
    assert (row["arrivals"], row["compared"], row["stays"], row["censored"]) == (100, 100, 200, 0)
    assert row["dropped_after"] == pytest.approx(60 / 100)
    assert row["dropped_without"] == pytest.approx(30 / 200)
    assert row["loss"] == pytest.approx(0.45)
    assert pair(found, "phone", "web")["loss"] == pytest.approx(-0.1)
    weight = {"phone": 100 * 200 / 300, "web": 100 * 100 / 200}
    mantel_haenszel = (weight["phone"] * 0.45 - weight["web"] * 0.1) / sum(weight.values())
    assert found.pooled.value == pytest.approx(mantel_haenszel)


def test_simpsons_toy_is_pooled_to_minus_ten_points():
    # METHODS 6.6: A 80/100 against 9/10, B 2/10 against 30/100; crude +39.1 points, pooled -10.0
    told = {"x a": (20, 80), "a a": (1, 9), "x b": (8, 2), "b b": (70, 30)}
    found = handoff_loss(paths(told))
    assert found.pooled.value == pytest.approx(-0.1)
    assert found.pooled.low < -0.1 < found.pooled.high
    crude = 82 / 110 - 39 / 110
    assert crude == pytest.approx(0.391, abs=5e-4)


def test_with_one_visit_a_customer_the_interval_is_newcombes():
    told = {"x a": (600, 400), "a a": (700, 300)}
    row = pair(handoff_loss(paths(told)), "x", "a")
    low, high = newcombe(400, 1000, 300, 1000)
    # over 64 buckets: t for the normal quantile, and a noise of some 9 % of the half-width
    noise = 0.15 * (high - low) / 2
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=noise)


@pytest.mark.oracles("statsmodels")
@pytest.mark.parametrize("lost", [(60, 80, 45), (40, 62, 28)])
def test_the_pooled_test_is_that_of_cochran_mantel_and_haenszel(lost):
    from statsmodels.stats.contingency_tables import StratifiedTable

    # destinations a, b and c: 200, 300 and 150 arrive by a switch, 400 each without one
    arrived, stayed = (200, 300, 150), (70, 90, 60)
    told, tables = {}, []
    for name, n, k, k0 in zip("abc", arrived, lost, stayed, strict=True):
        told[f"x {name}"] = (n - k, k)
        told[f"{name} {name}"] = (400 - k0, k0)
        tables.append([[k, n - k], [k0, 400 - k0]])
    found = handoff_loss(paths(told)).pooled
    oracle = StratifiedTable([np.array(t, dtype=float) for t in tables])
    z = np.sqrt(oracle.test_null_odds(correction=False).statistic)
    half = (found.high - found.low) / 2
    assert found.value / half * 1.96 == pytest.approx(z, rel=0.1)
    # the signs of all measures of the pooled tables agree
    assert (found.value > 0) == (oracle.oddsratio_pooled > 1) == (oracle.riskratio_pooled > 1)


# The visits of the worked example of the architecture page: moves at 1, 1 and 5 days, one open
# since 4 days, two silent for 7: the probability of no touch within the limit is 4/9.
OPEN = {
    "a": [("ad", "mail", 1), ("page", "web", 2), ("buy", "web", 3)],
    "b": [("ad", "mail", 1), ("page", "web", 2), ("buy", "web", 3)],
    "c": [("ad", "mail", 1), ("page", "web", 2), ("buy", "web", 7)],
    "d": [("ad", "mail", 15), ("page", "web", 16)],
    "e": [("ad", "mail", 1), ("page", "web", 2)],
    "f": [("ad", "mail", 1), ("page", "web", 2)],
    "g": [("page", "web", 1), ("page", "web", 2), ("buy", "web", 3)],
    "h": [("page", "web", 1), ("page", "web", 2)],
}


def test_open_arrivals_count_for_as_long_as_they_were_seen():
    found = handoff_loss(logged(OPEN).journeys(goal="buy", inactivity=LIMIT))
    row = pair(found, "mail", "web")
    assert row["dropped_after"] == pytest.approx(4 / 9)  # 2/5 without the open one, 3/6 if lost
    assert row["dropped_without"] == pytest.approx(1 / 2)
    assert (row["arrivals"], row["censored"]) == (6, 1)
    assert any("1 arrivals by a switch are censored" in note for note in found.notes)


def test_journeys_that_begin_there_can_be_the_reference():
    journeys = logged(OPEN).journeys(goal="buy", inactivity=LIMIT)
    row = pair(handoff_loss(journeys, reference="stayed_or_started"), "mail", "web")
    assert row["stays"] == 4
    assert row["dropped_without"] == pytest.approx(1 / 4)


def test_an_explicit_exit_is_a_loss():
    told = {
        **{f"s{i}": [("x", "app", 0), ("y", "web", 1), ("leave", "web", 2)] for i in range(3)},
        **{f"t{i}": [("y", "web", 0), ("y", "web", 1), ("buy", "web", 2)] for i in range(3)},
    }
    journeys = logged(told).journeys(goal="buy", exit_touchpoints="leave")
    row = pair(handoff_loss(journeys), "app", "web")
    assert (row["dropped_after"], row["dropped_without"]) == (1, 0)
    assert row["high"] == pytest.approx(1)
    assert row["low"] < 0.5  # three customers a side


def test_arrivals_are_compared_at_the_same_touchpoint():
    # a place of the web loses the same however it is reached; who switches lands at the bad one
    told = {}
    for i in range(100):
        told[f"a{i}"] = [("ad", "mail", 0), ("bad", "web", 1)]
        told[f"b{i}"] = [("bad", "web", 0), ("bad", "web", 1)]
        told[f"c{i}"] = [("good", "web", 0), ("good", "web", 1)]
        told[f"d{i}"] = [("ad", "mail", 0), ("good", "web", 1)] if i < 10 else [("ad", "mail", 0)]
        for who, lost in (("a", 50), ("b", 50), ("c", 10), ("d", 1 if i < 10 else 200)):
            if i >= lost:
                told[f"{who}{i}"].append(("buy", "web", 2))
    journeys = logged(told).journeys(goal="buy", inactivity=LIMIT)
    assert pair(handoff_loss(journeys), "mail", "web")["loss"] == pytest.approx(0, abs=1e-9)
    crude = pair(handoff_loss(journeys, strata=None), "mail", "web")
    assert crude["loss"] > 0.15
    assert crude["p"] < 0.01


def test_a_small_pair_does_not_top_the_list_by_luck():
    told = {f"{name} a": (800 + i, 200 - i) for i, name in enumerate("bcdefghi")}
    told |= {"x a": (700, 300), "y a": (0, 2), "a a": (800, 200)}
    found = handoff_loss(paths(told))
    assert pair(found, "y", "a")["loss"] > pair(found, "x", "a")["loss"]  # two of two
    assert found.pairs["from_channel"][0] == "x"
    assert pair(found, "y", "a")["shrunken"] < pair(found, "y", "a")["loss"]
    assert list(found.alarms["from_channel"]) == ["x"]
    assert "winner's curse" in repr(found)


def test_the_same_two_customers_on_both_sides_prove_nothing():
    told = {f"{name} a": (900 + i, 100 - i) for i, name in enumerate("bcdef")}
    journeys = paths({**told, "x a a": (2, 0), "a a": (850, 150)})
    found = handoff_loss(journeys)
    drawn = {row["from_channel"]: row["shrunken"] for row in found.pairs}
    assert abs(drawn["x"] - np.mean([drawn[name] for name in "bcdef"])) < 0.02


def test_hand_overs_between_owners_and_from_machine_to_human():
    told = {
        **{f"s{i}": [("t", "bot", 0), ("t", "chat", 1)] for i in range(20)},
        **{f"t{i}": [("t", "chat", 0), ("t", "chat", 1), ("buy", "chat", 2)] for i in range(20)},
    }
    kinds = handoff_loss(logged(told).journeys(goal="buy", inactivity=LIMIT), by="kind")
    row = pair(kinds, "automated", "human")
    assert (row["from_kind"], row["arrivals"], row["loss"]) == ("automated", 20, 1)
    owners = handoff_loss(
        logged(told, owner=True).journeys(goal="buy", inactivity=LIMIT), by="owner"
    )
    assert pair(owners, "bot", "chat")["loss"] == 1
    assert list(owners.destinations["to_owner"]) == ["chat"]


def test_without_anyone_to_compare_with_there_is_no_number():
    found = handoff_loss(paths({"web phone": (5, 5)}))
    row = pair(found, "web", "phone")
    assert row["arrivals"] == 10
    assert all(np.isnan(row[c]) for c in ("loss", "low", "high", "shrunken", "p", "adjusted_p"))
    assert "10 of 10 arrivals by a switch have nothing to be compared with" in repr(found)
    assert "empty" in found.pooled.notes


def test_where_nobody_is_lost_there_is_nothing_to_compare():
    found = handoff_loss(paths({"web phone": (5, 0), "phone phone": (5, 0)}))
    assert np.isnan(pair(found, "web", "phone")["loss"])
    assert np.isnan(found.pooled.value)
    assert "No journey dropped off" in repr(found)


def test_arrivals_that_are_all_censored_tell_nothing():
    told = {
        "a": [("x", "app", 18), ("y", "web", 19)],
        "b": [("y", "web", 1), ("y", "web", 2)],
        "c": [("y", "web", 1), ("y", "web", 2), ("buy", "web", 3)],
    }
    row = pair(
        handoff_loss(logged(told).journeys(goal="buy", inactivity=LIMIT)), "app", "web"
    )  # fmt: skip
    assert row["arrivals"] == 1
    assert np.isnan(row["loss"])


def test_arrivals_that_are_nearly_all_censored_raise_no_alarm():
    told = {f"o{i}": [("x", "app", 15), ("y", "web", 16)] for i in range(40)}
    told["lost"] = [("x", "app", 1), ("y", "web", 2)]
    told |= {f"s{i}": [("y", "web", 1), ("y", "web", 2), ("buy", "web", 3)] for i in range(30)}
    told["t"] = [("y", "web", 1), ("y", "web", 2)]
    found = handoff_loss(logged(told).journeys(goal="buy", inactivity=LIMIT))
    row = pair(found, "app", "web")
    assert (row["arrivals"], row["censored"]) == (41, 40)
    # nobody has moved on yet, and one is known to be lost: that is one observation
    assert row["dropped_after"] == 1
    assert np.isnan([row["low"], row["high"], row["p"]]).all()
    assert any("1 of 1 pairs have no interval" in note for note in found.notes)
    assert len(found.alarms) == 0


@pytest.mark.parametrize("launched", [0, 14])
def test_a_hand_off_that_could_not_be_followed_to_the_limit_has_no_loss(launched):
    # half of the arrivals move on after 5 days; they begin with the log, or 6 days before its end
    told = {}
    for i in range(40):
        day = launched + i / 80
        told[f"a{i}"] = [("page", "web", day), ("page", "chat", day)]
        told[f"b{i}"] = [("page", "chat", i / 80), ("page", "chat", i / 80)]
        if i % 2:
            told[f"a{i}"].append(("buy", "web", day + 5))
            told[f"b{i}"].append(("buy", "web", i / 80 + 5))
    found = handoff_loss(logged(told).journeys(goal="buy", inactivity=LIMIT))
    row = pair(found, "web", "chat")
    assert row["arrivals"] == 40
    if launched:
        assert np.isnan(row["loss"])
        assert any("could be followed" in note for note in found.notes)
    else:
        assert row["loss"] == pytest.approx(0)


def test_an_interval_rests_on_the_arrivals_whose_end_is_known():
    told = {f"o{i}": [("x", "app", 15), ("y", "web", 16)] for i in range(20)}
    told |= {f"lost{i}": [("x", "app", 1), ("y", "web", 2)] for i in range(3)}
    told |= {f"s{i}": [("y", "web", 1), ("y", "web", 2), ("buy", "web", 3)] for i in range(27)}
    told |= {f"t{i}": [("y", "web", 1), ("y", "web", 2)] for i in range(3)}
    row = pair(
        handoff_loss(logged(told).journeys(goal="buy", inactivity=LIMIT)), "app", "web"
    )  # fmt: skip
    # three of three lost against three of thirty; twenty more say nothing yet
    units = np.concatenate([np.full(3, 1 / 3**2), np.full(30, 1 / 30**2)])
    t = stats.t.ppf(0.975, units.sum() ** 2 / (units @ units) - 1)
    own = 3 / (3 + t**2)  # the lower end of Wilson's interval of three of three

    def wilson(p, n):
        return np.sort(np.roots([1 + t**2 / n, -2 * p - t**2 / n, p**2]))

    # p (1 - p) / Var of thirty customers is 29, with the (G - 1) / G of all thirty-three
    below, above = wilson(0.1, 29 * (29 / 30) / (32 / 33))
    low = 0.9 - np.hypot(1 - own, above - 0.1)
    high = min(1.0, 0.9 + (0.1 - below))
    assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_who_keeps_more_customers_is_no_alarm():
    told = {"x a": (990, 10), "y a": (500, 500), "a a": (700, 300)}
    found = handoff_loss(paths(told))
    assert pair(found, "x", "a")["adjusted_p"] < 0.001
    assert pair(found, "x", "a")["loss"] < 0
    assert list(found.alarms["from_channel"]) == ["y"]


def test_p_values_are_corrected_for_tests_that_depend_on_each_other():
    told = {f"{name} a": (800 - 15 * i, 200 + 15 * i) for i, name in enumerate("bcdefg")}
    found = handoff_loss(paths({**told, "a a": (800, 200)})).pairs
    order = np.argsort(found["p"])
    p = np.asarray(found["p"])[order]
    steps = p * 6 / np.arange(1, 7) * np.sum(1 / np.arange(1, 7))  # Benjamini and Yekutieli
    expected = np.minimum(1, np.minimum.accumulate(steps[::-1])[::-1])
    assert np.asarray(found["adjusted_p"])[order] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"web web": (3, 3)}, "There is one channel"),
        ({"web": (3, 3), "app": (1, 1)}, "No journey has two interactions"),
        ({"web web": (3, 3), "app": (1, 1)}, "Every journey stays at one channel"),
    ],
)
def test_no_switch_gives_an_empty_table_and_says_why(told, said):
    found = handoff_loss(paths(told))
    assert len(found.pairs) == len(found.alarms) == 0
    assert np.isnan(found.pooled.value)
    assert said in repr(found)


def test_an_empty_log_gives_an_empty_result():
    found = handoff_loss(cx.Journeys.from_paths([], converted=[], channels=True))
    assert len(found.pairs) == 0


def test_what_is_missing_is_named():
    log = logged(OPEN)
    with pytest.raises(OutcomeUndetermined, match="inactivity="):
        handoff_loss(log.journeys(goal="buy"))
    journeys = log.journeys(goal="buy", inactivity=LIMIT)
    with pytest.raises(UnknownName, match="the log has no owners: build it with owner="):
        handoff_loss(journeys, by="owner")
    with pytest.raises(InvalidValue, match="reference must be one of"):
        handoff_loss(journeys, reference="anyone")
    with pytest.raises(InvalidValue, match="by must be one of"):
        handoff_loss(journeys, strata="device")


def test_the_result_survives_a_dictionary():
    found = handoff_loss(paths(SHOP))
    again = HandoffLoss.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found


def test_within_customers_by_hand():
    # second visits at the phone, from the phone or from the web
    told = {}
    for who, how, lost, day in (
        ("frail", "web", True, 0), ("frail", "web", True, 10), ("frail", "phone", True, 20),
        ("frail", "phone", False, 30), ("frail", "web", False, 40),
        ("firm", "phone", False, 0), ("firm", "phone", False, 10), ("firm", "web", False, 20),
        ("firm", "phone", True, 30), ("firm", "phone", True, 40),
    ):  # fmt: skip
        touches = told.setdefault(who, [])
        touches += [("page", how, day), ("page", "phone", day + 0.1)]
        if not lost:
            touches.append(("buy", "web", day + 0.2))
    journeys = logged(told, until=200).journeys(goal="buy", inactivity=LIMIT)
    found = handoff_loss(journeys, within_customers=True)
    row = pair(found, "web", "phone")
    # the journeys of day 40 are the last: frail 2 of 2 against 1 of 2, firm 0 of 1 against 1 of 3
    weights = np.array([2 * 2 / 4, 1 * 3 / 4])
    assert row["loss"] == pytest.approx(weights @ [1 - 1 / 2, 0 - 1 / 3] / weights.sum())
    assert (row["compared"], row["stays"]) == (3, 5)
    assert found.pooled.value == pytest.approx(row["loss"])
    assert np.isnan(row["low"])  # two customers
    # 4 of 5 drop-offs and 4 of 5 purchases
    assert "80% of the drop-offs and 80% of the conversions are followed" in repr(found)
    assert any("2 journeys after which the customer was not seen" in n for n in found.notes)
    assert any("80% of the drop-offs are followed" in n for n in handoff_loss(journeys).notes)


def frail(rng, *, loss=0.0, returns=1.0, customers=250):
    """Return journeys of up to four visits by phone or on the web; who is frail switches more."""
    who, what, how, when = [], [], [], []
    for i in range(customers):
        is_frail = i % 2
        day = 0.0
        for _ in range(8):
            channel, lost = rng.integers(2), False
            for visit in range(4):
                switched = visit > 0 and rng.random() < (0.7 if is_frail else 0.3)
                channel = 1 - channel if switched else channel
                told = (i, "page", "web" if channel else "phone", day + visit / 10)
                for column, value in zip((who, what, how, when), told, strict=True):
                    column.append(value)
                lost = rng.random() < (0.4 if is_frail else 0.1) + loss * switched
                if lost:
                    break
            else:
                for column, value in zip(
                    (who, what, how, when), (i, "buy", "web", day + 1), strict=True
                ):
                    column.append(value)
            day += 10
            if lost and rng.random() >= returns:
                break
    log = cx.InteractionLog.from_frame(
        {
            "who": np.array(who).astype(str),
            "what": what,
            "how": how,
            "when": np.datetime64(BEGIN.replace(tzinfo=None))
            + (np.array(when) * 86_400e6).astype("timedelta64[us]"),
        },
        customer="who", touchpoint="what", channel="how", timestamp="when", tz="UTC",
        observed_until=BEGIN + timedelta(days=120),
    )  # fmt: skip
    return log.journeys(goal="buy", inactivity=LIMIT)


@pytest.mark.parametrize("loss", [0.0, 0.15])
def test_frail_customers_who_switch_more_make_no_loss_within_customers(loss):
    rng = np.random.default_rng(4)
    journeys = frail(rng, loss=loss)
    across = handoff_loss(journeys).pooled
    within = handoff_loss(journeys, within_customers=True).pooled
    assert across.low > loss  # the default takes the difference between people for a loss
    assert within.low <= loss <= within.high
    assert within.high - within.low < 0.2
    if loss:
        assert within.low > 0


def test_where_a_drop_off_ends_the_series_nothing_is_compared_within_customers():
    found = handoff_loss(frail(np.random.default_rng(4), returns=0.0), within_customers=True)
    assert np.isnan(found.pooled.value)
    assert np.isnan(np.asarray(found.pairs["loss"], dtype=float)).all()
    assert any("0% of the drop-offs" in note and "do not repeat" in note for note in found.notes)


def test_aggregated_paths_have_no_customers_to_compare_within():
    with pytest.raises(TimesRequired, match="within_customers="):
        handoff_loss(paths(SHOP), within_customers=True)
