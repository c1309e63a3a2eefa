"""Predictors: what they must be on simple worlds, in any order of rows, and read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, NotAbsorbing, OutcomeUndetermined, UnknownName

DAY = np.timedelta64(1, "D")


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    return cx.datasets.sample(seed=1, customers=300).journeys()


@pytest.fixture(scope="module")
def predictor(journeys) -> cx.predict.JourneyPredictor:
    return cx.predict.fit(journeys)


def typed(touchpoints: list[str], *, until, hours: float = 1.0) -> cx.Journey:
    touches = [
        cx.Interaction(
            customer="new",
            touchpoint=name,
            timestamp=until - timedelta(hours=hours * (len(touchpoints) - 1 - i)),
        )
        for i, name in enumerate(touchpoints)
    ]
    return cx.Journey(customer="new", interactions=touches, outcome="in_progress")


def small_log(order: list[int] | None = None) -> cx.InteractionLog:
    """Whoever came from an advert buys after a day, whoever came from a search is gone."""
    rows = []
    for i in range(120):
        day = np.datetime64("2026-01-01") + (i % 40) * DAY
        came = "advert" if i % 2 else "search"
        rows += [(f"c{i}", came, day), (f"c{i}", "shop", day + DAY)]
        if i % 2:
            rows.append((f"c{i}", "buy", day + 2 * DAY))
    rows = [rows[i] for i in order] if order is not None else rows
    who, what, when = zip(*rows, strict=True)
    return cx.InteractionLog.from_frame(
        {"who": list(who), "what": list(what), "when": np.array(when)},
        customer="who",
        touchpoint="what",
        timestamp="when",
        observed_until="2026-04-01",
    )


def test_what_came_two_visits_ago_decides():
    log = small_log()
    predictor = cx.predict.fit(log.journeys(goal="buy", inactivity="7d"))
    now = log.observed_until
    for came, low, high in (("advert", 0.85, 1.0), ("search", 0.0, 0.15)):
        found = predictor.of(typed([came, "shop"], until=now))
        assert low <= found["conversion"].value <= high
        assert found["conversion"].low <= found["conversion"].value <= found["conversion"].high
        assert found["conversion"].value + found["dropoff"].value == pytest.approx(1)
    row = predictor.predict(typed(["advert", "shop"], until=now)).row(0)
    assert row["next_touch"] == cx.CONVERSION
    assert row["wait_s"] == pytest.approx(86_400, rel=0.05)


def test_silence_is_evidence(journeys, predictor):
    journey = typed(["product page", "cart"], until=journeys.log.observed_until)
    end = journey.end
    table = [
        predictor.predict(journey, now=end + timedelta(days=days)).row(0)
        for days in (0, 1, 3, 13.9, 14, 20)
    ]
    converts = [row["conversion"] for row in table]
    assert converts == sorted(converts, reverse=True)
    assert converts[0] > 0.1 > converts[3]
    assert converts[-2:] == [0, 0]
    assert [row["dropoff"] for row in table[-2:]] == [1, 1]
    assert [row["next_touch"] for row in table[-2:]] == [cx.DROPOFF] * 2
    for days in (0, 3, 20):
        p = predictor.next_touch(journey, now=end + timedelta(days=days)).row(0)
        assert sum(p.values()) == pytest.approx(1)


def test_the_present_of_typed_journeys_may_be_a_string_without_a_zone(journeys, predictor):
    journey = typed(["product page", "cart"], until=journeys.log.observed_until)
    now = (journey.end + timedelta(days=2)).replace(tzinfo=None).isoformat()
    row = predictor.predict(journey, now=now).row(0)
    assert row == predictor.predict(journey, now=journey.end + timedelta(days=2)).row(0)
    with pytest.raises(cx.exceptions.InvalidValue, match="now must be a datetime or a string"):
        predictor.predict(journey, now="soon")


def test_a_horizon_grows_to_for_ever(journeys, predictor):
    whole = predictor.predict(journeys)
    before = np.zeros(len(whole))
    for horizon in ("1h", "1d", "7d", "60d", "5000d"):
        table = predictor.predict(journeys, horizon=horizon)
        now = np.asarray(table["conversion"])
        assert np.all(now >= before - 1e-12)
        before = now
    assert before == pytest.approx(np.asarray(whole["conversion"]))


def test_typed_journeys_frames_logs_and_customers_say_the_same(journeys, predictor):
    log = journeys.log
    running = [one for one in journeys if one.outcome == "in_progress"][:5]
    until = log.observed_until
    table = predictor.predict(running, now=until)
    for i, journey in enumerate(running):
        one = predictor.of(journeys, customer=journey.customer.id)
        assert one["conversion"].value == table["conversion"][i]
        assert one["remaining"].value == table["remaining_s"][i]
    rows = [(j.customer.id, t.touchpoint.name, t.timestamp) for j in running for t in j]
    who, what, when = zip(*rows, strict=True)
    frame = {
        "customer": list(who),
        "touchpoint": list(what),
        "timestamp": np.array([one.replace(tzinfo=None) for one in when], dtype="M8[us]"),
    }
    again = predictor.predict(frame, now=until)
    assert sorted(again["conversion"]) == sorted(table["conversion"])
    # the log itself is cut by the rules of the journeys
    assert predictor.predict(log) == predictor.predict(journeys)


def test_bytes_and_back(journeys, predictor):
    data = predictor.to_bytes()
    again = cx.predict.JourneyPredictor.from_bytes(data)
    assert again.predict(journeys) == predictor.predict(journeys)
    assert again.card() == predictor.card()
    assert again.to_bytes() == data
    assert journeys.log.customer_ids[0].encode() not in data


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 100, "text"])
def test_other_bytes_are_refused(data):
    with pytest.raises(InvalidValue, match="data must be"):
        cx.predict.JourneyPredictor.from_bytes(data)


def test_damaged_bytes_are_refused_or_harmless(predictor):
    data = predictor.to_bytes()
    for cut in (len(data) // 2, len(data) - 3):
        with pytest.raises(InvalidValue, match="data must be"):
            cx.predict.JourneyPredictor.from_bytes(data[:cut])


def test_the_order_of_rows_does_not_matter():
    order = np.random.default_rng(1).permutation(300).tolist()
    logs = small_log(), small_log(order)
    tables = [
        cx.predict.fit(log.journeys(goal="buy", inactivity="7d")).predict(
            [typed([came, "shop"], until=log.observed_until) for came in ("advert", "search")]
        )
        for log in logs
    ]
    for name in ("conversion", "next_probability", "wait_s", "remaining_s", "conversion_low"):
        assert np.asarray(tables[0][name]) == pytest.approx(np.asarray(tables[1][name]))


def test_other_names_change_nothing():
    log = small_log()
    now = log.observed_until
    other = log.rename({"advert": "zeppelin", "shop": "a shop"})
    one = cx.predict.fit(log.journeys(goal="buy", inactivity="7d"))
    two = cx.predict.fit(other.journeys(goal="buy", inactivity="7d"))
    p = one.predict(typed(["advert", "shop"], until=now)).row(0)
    q = two.predict(typed(["zeppelin", "a shop"], until=now)).row(0)
    assert q["node"] == "a shop"
    for name in ("conversion", "next_probability", "wait_s", "remaining_s", "conversion_low"):
        assert p[name] == pytest.approx(q[name])


def test_a_touchpoint_that_was_never_seen_is_answered_by_what_is_known_of_all(journeys, predictor):
    row = predictor.predict(typed(["never seen"], until=journeys.log.observed_until)).row(0)
    assert row["node"] == "(not known)"
    assert 0 < row["conversion"] < 1
    assert row["journeys"] == 0


def test_attributes_enter_and_undated_ones_stand_on_the_card(journeys):
    predictor = cx.predict.fit(journeys, attributes=["wait", "channel", "region"])
    card = predictor.card()
    assert card["attributes"] == ["wait", "channel", "region"]
    assert card["undated_attributes"] == ["region"]
    running = [one for one in journeys if one.outcome == "in_progress"][:20]
    until = journeys.log.observed_until
    table = predictor.predict(running, now=until)
    for i, journey in enumerate(running[:5]):
        own = predictor.of(journeys, customer=journey.customer.id)
        assert own["conversion"].value == table["conversion"][i]
    assert cx.predict.fit(journeys).card()["undated_attributes"] == []


def test_paths_without_times_are_learned_from_too():
    paths = [["advert", "shop"], ["search", "shop"]]
    journeys = cx.Journeys.from_paths(paths, converted=[90, 10], dropped=[10, 90])
    predictor = cx.predict.fit(journeys)
    until = datetime(2026, 1, 1, tzinfo=UTC)
    found = predictor.of(typed(["advert", "shop"], until=until))
    assert found["conversion"].value > 0.7  # of 90 in 100, drawn to the half of both
    assert np.isnan(found["wait"].value)
    with pytest.raises(cx.exceptions.TimesRequired):
        predictor.simulate(n=3)


def test_what_cannot_be_learned_from_is_refused(journeys):
    log = journeys.log
    with pytest.raises(OutcomeUndetermined):
        cx.predict.fit(log.journeys(goal="order"))
    with pytest.raises(OutcomeUndetermined, match="all are in progress"):
        cx.predict.fit(log.journeys())
    with pytest.raises(NotAbsorbing, match="after_goal"):
        cx.predict.fit(log.journeys(goal="order", inactivity="14d", after_goal="keep"))
    with pytest.raises(UnknownName, match="regoin"):
        cx.predict.fit(journeys, attributes=["regoin"])
    with pytest.raises(InvalidValue, match="order"):
        cx.predict.fit(journeys, order=0)
    with pytest.raises(InvalidValue, match="visits"):
        cx.predict.fit(journeys.where(np.zeros(len(journeys), dtype=bool)))


def test_the_present_does_not_lie_before_the_last_interaction(journeys, predictor):
    with pytest.raises(InvalidValue, match="now must not lie before"):
        predictor.predict(journeys, now="2025-06-01")
    with pytest.raises(InvalidValue, match="exactly one"):
        predictor.of(journeys)


# ------------------------------------------------------------------ simulation


def test_drawn_journeys_are_like_those_that_were_learned_from(predictor):
    log = predictor.simulate(n=4000, rng=3)
    again = cx.predict.fit(log.journeys(goal="order", inactivity="14d"))
    assert log == predictor.simulate(n=4000, rng=3)
    first, other = (one.model.outcome.prior[-1] for one in (predictor, again))
    assert first == pytest.approx(other, abs=0.03)
    one = dict(zip(predictor.words.names, predictor.model.begins, strict=True))
    for name, share in zip(again.words.names, again.model.begins, strict=True):
        assert share == pytest.approx(one[name], abs=0.03)


def test_prefixes_go_on_as_often_as_predicted(journeys, predictor):
    prefix = typed(["product page", "cart"], until=journeys.log.observed_until)
    log = predictor.simulate(prefix, 3000, rng=1)
    bought = sum(name == "order" for name in log.columns.coded["touchpoint"].values())
    expected = predictor.of(prefix)["conversion"].value
    assert bought / 3000 == pytest.approx(expected, abs=0.05)


def test_a_graph_draws_its_own_journeys(journeys):
    graph = journeys.graph()
    log = graph.simulate(3000, rng=2)
    drawn = log.journeys(goal="order", all_closed=True)
    won = drawn.outcomes[cx.Outcome.CONVERTED] / len(drawn)
    assert won == pytest.approx(
        cx.AbsorbingChain.from_graph(graph).conversion_probability, abs=0.03
    )
    with pytest.raises(InvalidValue, match="n must"):
        graph.simulate(0)


# ------------------------------------------------------------------ actions


def acted(seed: int, *, confounded: bool) -> cx.Journeys:
    """A call raises conversion from 30% to 50%, a mail does nothing; the keen are mailed."""
    rng = np.random.default_rng(seed)
    n = 3000
    keen = rng.random(n) < 0.5
    drawn = rng.random(n) < 0.5
    arm = rng.choice(3, n)
    chosen = np.where(
        keen, rng.choice(3, n, p=[0.1, 0.1, 0.8]), rng.choice(3, n, p=[0.5, 0.4, 0.1])
    )
    arm = np.where(drawn & (not confounded), arm, chosen)
    p = np.where(keen, 0.5, 0.1) + 0.2 * (arm == 1)
    won = rng.random(n) < p
    rows = []
    for i in range(n):
        when = np.datetime64("2026-01-01", "s") + np.timedelta64(i, "m")
        steps = ["web", *([], ["call"], ["mail"])[arm[i]], "site", *(["buy"] if won[i] else [])]
        rows += [(f"c{i}", step, when + k * np.timedelta64(1, "h"), bool(drawn[i]))
                 for k, step in enumerate(steps)]  # fmt: skip
    who, what, when, draw = zip(*rows, strict=True)
    log = cx.InteractionLog.from_frame(
        {"who": list(who), "what": list(what), "when": np.array(when), "trial": list(draw)},
        customer="who", touchpoint="what", timestamp="when", attributes=["trial"],
        observed_until="2026-03-01",
    )  # fmt: skip
    return log.journeys(goal="buy", inactivity="7d")


def test_the_action_that_was_drawn_and_helps_is_first_and_an_effect():
    journeys = acted(1, confounded=False)
    predictor = cx.predict.fit(journeys)
    prefix = typed(["web"], until=journeys.log.observed_until)
    found = predictor.next_best(prefix, ["call", "mail"], cost=1, value=100, randomised="trial")
    assert (found.kind, found.best) == ("effect", "call")
    rows = {row["action"]: row for row in found.table}
    assert rows["call"]["difference_low"] < 0.2 < rows["call"]["difference_high"]
    assert rows["mail"]["difference_low"] < 0.0 < rows["mail"]["difference_high"]
    assert rows["call"]["expected_value"] == pytest.approx(100 * rows["call"]["conversion"] - 1)
    again = cx.predict.JourneyPredictor.from_bytes(predictor.to_bytes())
    assert again.next_best(prefix, ["call", "mail"], cost=1, value=100, randomised="trial") == found
    assert cx.predict.Recommendations.from_dict(found.to_dict()) == found


def test_a_confounded_action_is_no_effect():
    journeys = acted(2, confounded=True)
    predictor = cx.predict.fit(journeys)
    prefix = typed(["web"], until=journeys.log.observed_until)
    found = predictor.next_best(prefix, ["call", "mail"])
    assert found.best == "mail"  # which does nothing
    assert found.kind == "association"
    assert "associations" in repr(found)
    assert "effects" not in repr(found)


def test_none_is_named_where_support_is_thin_or_it_costs_too_much(journeys, predictor):
    until = journeys.log.observed_until
    few = cx.predict.fit(journeys.where(np.arange(len(journeys)) < 15))
    thin = few.next_best(typed(["cart"], until=until), ["payment"])
    assert thin.best is None
    assert "No action is named" in repr(thin)
    dear = predictor.next_best(typed(["cart"], until=until), ["payment"], cost=1e9)
    assert dear.best is None


def test_wrong_actions_are_refused(journeys, predictor):
    prefix = typed(["cart"], until=journeys.log.observed_until)
    for actions in ("payment", [], [("a", "b", "c")], [1]):
        with pytest.raises(InvalidValue, match="actions"):
            predictor.next_best(prefix, actions)
    with pytest.raises(UnknownName, match="paymnt"):
        predictor.next_best(prefix, ["paymnt"])
    with pytest.raises(UnknownName, match="randomised"):
        predictor.next_best(prefix, ["payment"], randomised="trial")


def test_a_predictor_knows_no_ids(predictor):
    assert not any("customer" in name for name in attrs.asdict(predictor.words))
