"""The tracker against the batch: the same statistics, whatever comes in whatever order."""

from __future__ import annotations

import asyncio
import random
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.live import JourneyTracker

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATE = 6 * HOUR
NAMED = ["web", "cart", "buy", "help", "bye"]
COLUMNS = {"channel": "channel", "stage": "stage", "value": "value"}

pytestmark = pytest.mark.filterwarnings("ignore::cxjourney.exceptions.DataQualityWarning")


def interactions(rng, customers, n, days):
    return [
        cx.Interaction(
            customer=f"c{rng.randrange(customers)}", touchpoint=rng.choice(NAMED),
            timestamp=BEGIN + timedelta(microseconds=rng.randrange(days * 86_400_000_000)),
            channel=rng.choice([None, "app", "web"]), stage=rng.choice([None, "x", "y"]),
            value=rng.choice([None, 1.5, 2.0]), currency="EUR", id=f"i{i}",
        )
        for i in range(n)
    ]  # fmt: skip


def frame_of(items):
    kinds = {"when": pl.Datetime("us", "UTC"), "value": pl.Float64}
    return pl.DataFrame(
        {
            "id": [i.id for i in items],
            "who": [i.customer.id for i in items],
            "when": [i.timestamp for i in items],
            "where": [i.touchpoint.name for i in items],
            "channel": [i.channel and i.channel.name for i in items],
            "stage": [i.stage and i.stage.name for i in items],
            "value": [i.value for i in items],
        },
        schema_overrides=dict.fromkeys(("id", "who", "where", "channel", "stage"), pl.String)
        | kinds,
    )


def batch(items, until, rules, grains=None):
    log = cx.InteractionLog.from_frame(
        frame_of(items), customer="who", timestamp="when", touchpoint="where",
        currency="EUR", observed_until=until, **COLUMNS,
    )  # fmt: skip
    return log.journeys(touchpoints=["buy", "bye"], **rules).statistics(grains=grains)


def rules_of(rng):
    after = rng.choice(["new_journey", "discard", "keep"])
    return {"goal": "buy", "inactivity": "12h", "exit_touchpoints": ["bye"], "after_goal": after}


def tracker_of(rules, **more):
    more = {"max_lateness": LATE, "currency": "EUR"} | more
    return JourneyTracker(**rules, **more)


def comings(rng, items):
    """Return items about in the order of their times, some of them several times."""
    span = LATE.total_seconds()
    came = sorted(items, key=lambda i: i.timestamp.timestamp() + rng.random() * 1.2 * span)
    places = [(k, i) for k, i in enumerate(came)]
    places += [(k + rng.randrange(30), i) for k, i in enumerate(came) if rng.random() < 0.2]
    return [i for _, i in sorted(places, key=lambda place: place[0])]


@settings(max_examples=10)
@given(
    seed=st.integers(0, 2**32),
    customers=st.sampled_from([3, 70, 150, 400]),
    n=st.sampled_from([0, 1, 30, 900]),
    days=st.sampled_from([2, 30]),
)
def test_statistics_are_those_of_the_batch(seed, customers, n, days):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rules = rules_of(rng)
    grains = rng.choice([None, ["touchpoint", ("channel", "stage")], "stage"])
    tracker = tracker_of(rules, grains=grains)
    accepted, known, last = [], set(), None
    came = comings(rng, interactions(rng, customers, n, days))
    for k, one in enumerate(came):
        late = last is not None and one.timestamp < last - LATE
        expected = "late" if late else "repeated" if one.id in known else "added"
        assert tracker.add(one) == expected
        if expected == "added":
            accepted.append(one)
            known.add(one.id)
            last = one.timestamp if last is None else max(last, one.timestamp)
        if rng.random() < 3 / len(came):  # asked in between, kept, killed and continued
            until = last + rng.choice([0, 3, 500]) * HOUR
            found = tracker.statistics(now=until)
            assert found == batch(accepted, until, rules, grains)
            tracker = JourneyTracker.from_bytes(tracker.to_bytes())
            assert tracker.statistics(now=until) == found
            for again in came[max(0, k - 100) : k + 1]:
                assert tracker.add(again) != "added"
    assert tracker.n_added == len(accepted)
    if n:
        assert tracker.statistics() == batch(accepted, last, rules, grains)


@settings(max_examples=4)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([1, 40, 1_000]))
def test_frames_are_as_interactions_one_by_one(seed, size):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rules = rules_of(rng)
    # of frames all rows are there at once: what is late is so against the frames before
    items = sorted(interactions(rng, 120, 600, 30), key=lambda i: i.timestamp)
    items += rng.sample(items, 50)
    whole, single = tracker_of(rules), tracker_of(rules)
    columns = {"customer": "who", "timestamp": "when", "touchpoint": "where", **COLUMNS}
    told = {"added": 0, "repeated": 0, "late": 0}
    for begin in range(0, len(items), size):
        some = items[begin : begin + size]
        rng.shuffle(some)
        for key, number in whole.add_frame(frame_of(some), id="id", **columns).items():
            told[key] += number
    for one in items:
        single.add(one)
    assert sum(told.values()) == len(items)
    assert whole.n_added == single.n_added == told["added"] == 600
    assert whole.statistics() == single.statistics()


def test_what_is_over_leaves_the_memory_and_still_counts():
    rng = random.Random(1)  # noqa: S311 - rows, no secrets
    rules = rules_of(rng)
    tracker = tracker_of(rules)
    items = sorted(interactions(rng, 300, 6_000, 60), key=lambda i: i.timestamp)
    for one in items:
        tracker.add(one)
    before = len(tracker._rows.ids)
    statistics = tracker.statistics()
    assert statistics == batch(items, items[-1].timestamp, rules)
    assert len(tracker._rows.ids) < before
    # limit 12 h, lateness 6 h twice: 60 days have 60 times that
    assert tracker._rows.n < len(items) / 30
    assert statistics == tracker.statistics()
    ids = tracker._seen
    tracker._most_seen = 0
    tracker.add(items[-1])
    assert len(tracker._seen) < len(ids) / 30


def test_ended_journeys_and_those_at_risk_are_those_of_the_batch():
    rng = random.Random(3)  # noqa: S311 - rows, no secrets
    items = sorted(interactions(rng, 200, 2_000, 10), key=lambda i: i.timestamp)
    rules = rules_of(rng) | {"after_goal": "new_journey"}
    tracker = tracker_of(rules)
    for one in items:
        tracker.add(one)
    now = items[-1].timestamp + HOUR
    tracker.statistics(now=now)
    log = cx.InteractionLog.from_interactions(items, observed_until=now)
    journeys = list(log.journeys(**rules))
    running = [j for j in journeys if j.outcome == "in_progress"]
    found = tracker.at_risk(now=now, top=1_000)
    assert {s.customer for s in found} == {j.customer.id for j in running}
    assert [s.silence for s in found] == sorted((now - j.end for j in running), reverse=True)
    assert tracker.at_risk(now=now, top=3) == found[:3]
    since = items[-1].timestamp - 3 * HOUR

    def end(journey):
        absorbed = journey.touchpoints[-1] in {"buy", "bye"}
        return journey.end + (timedelta(0) if absorbed else 12 * HOUR)

    expected = [j for j in journeys if j.outcome != "in_progress" and since <= end(j) <= now]
    ended = tracker.ended(since, now=now)
    assert len(ended) == len(expected) > 5
    assert {(s.customer, s.begin, s.outcome) for s in ended} == {
        (j.customer.id, j.start, j.outcome) for j in expected
    }
    with pytest.raises(InvalidValue, match="since must lie after"):
        tracker.ended(BEGIN)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_a_state_is_the_last_journey_of_the_batch(seed):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    items = sorted(interactions(rng, 6, 60, 2), key=lambda i: i.timestamp)
    rules = rules_of(rng)
    tracker = tracker_of(rules)
    for one in items:
        tracker.add(one)
    now = items[-1].timestamp + rng.choice([0, 5, 20]) * HOUR
    log = cx.InteractionLog.from_interactions(items, observed_until=now)
    last = {j.customer.id: j for j in log.journeys(touchpoints=NAMED, **rules)}
    for customer, journey in last.items():
        state = tracker.state(customer, now=now)
        assert state.touchpoints == journey.touchpoints
        assert (state.begin, state.last) == (journey.start, journey.end)
        assert state.outcome == journey.outcome
        assert state.silence == now - journey.end
        assert customer not in repr(state)
        typed = [i.value for i in journey.interactions], journey.channels
        assert ([i.value for i in state.journey.interactions], state.journey.channels) == typed
        stages = [i.stage.name for i in journey.interactions if i.stage]
        assert state.stage == (stages[-1] if stages else None)
        assert state.to_dict()["touchpoints"] == list(journey.touchpoints)


class Half:
    """A predictor as the tracker asks one: journeys that are longer drop off for sure."""

    def predict(self, prefixes, *, now):
        journeys = [prefixes] if isinstance(prefixes, cx.Journey) else list(prefixes)
        assert all(j.outcome == "in_progress" and j.end <= now for j in journeys)
        rows = [1 - 1 / len(j) for j in journeys]
        from cxjourney._support.table import Table

        return Table({"dropoff": np.array(rows), "conversion": np.array(rows)})


def test_a_predictor_ranks_who_is_at_risk():
    tracker = JourneyTracker(goal="buy", inactivity="7d", predictor=Half())
    for i, customer in enumerate("aabbbcb"):
        tracker.add(cx.Interaction(customer=customer, touchpoint="web", timestamp=BEGIN + i * HOUR))
    assert [s.customer for s in tracker.at_risk(top=2)] == ["b", "a"]
    assert tracker.at_risk(top=1)[0].predictions["dropoff"] == 0.75
    state = tracker.state("a", now=BEGIN + 10 * HOUR)
    assert state.predictions == {"dropoff": 0.5, "conversion": 0.5}
    assert tracker.state("a", now=BEGIN + timedelta(days=30)).predictions is None


def test_the_predictor_of_the_library_fits():
    predict = pytest.importorskip("cxjourney.predict")
    journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    tracker = JourneyTracker(
        goal="order", inactivity="14d", columns=("channel", "stage", "owner"),
        predictor=predict.fit(journeys, horizon="7d"),
    )  # fmt: skip
    for one in journeys.log.interactions():
        tracker.add(one)
    found = tracker.at_risk(top=5)
    risks = [state.predictions["dropoff"] for state in found]
    assert risks == sorted(risks, reverse=True)
    one = tracker.state(found[0].customer).predictions
    assert one["dropoff"] == pytest.approx(risks[0])


def test_threads_and_coroutines_lose_nothing():
    rng = random.Random(5)  # noqa: S311 - rows, no secrets
    items = interactions(rng, 100, 3_000, 5)
    tracker = tracker_of(rules_of(rng), max_lateness="30d")
    errors = []

    def adds(part):
        try:
            for one in part:
                tracker.add(one)
        except Exception as error:  # noqa: BLE001 - seen below
            errors.append(error)

    threads = [threading.Thread(target=adds, args=(items[i::3],)) for i in range(3)]
    threads.append(threading.Thread(target=adds, args=(items[::2],)))

    async def asks():
        for _ in range(5):
            await asyncio.to_thread(tracker.statistics)
            tracker.state(items[0].customer.id)

    tracker.add(items[0])
    for thread in threads:
        thread.start()
    asyncio.run(asks())
    for thread in threads:
        thread.join()
    assert not errors
    assert (tracker.n_added, tracker.n_repeated) == (3_000, 1_501)
    assert len(tracker.statistics()) > 0


def test_what_is_no_interaction_of_the_tracker_is_refused():
    tracker = JourneyTracker(goal="buy", inactivity="7d", currency="EUR")
    one = cx.Interaction(customer="a", touchpoint="web", timestamp=BEGIN)
    with pytest.raises(InvalidValue, match="Interaction"):
        tracker.add("web")
    with pytest.raises(InvalidValue, match="silence"):
        tracker.add(cx.Interaction(customer="a", touchpoint="w", timestamp=BEGIN, journey="k"))
    dollars = cx.Interaction(
        customer="a", touchpoint="w", timestamp=BEGIN, value=1, currency="USD"
    )  # fmt: skip
    with pytest.raises(InvalidData, match="currency"):
        tracker.add(dollars)
    with pytest.raises(InvalidValue, match="owner"):
        tracker.add_frame(
            frame_of([one]), customer="who", timestamp="when", touchpoint="where", owner="id"
        )
    with pytest.raises(UnknownName, match="wher"):
        tracker.add_frame(frame_of([one]), customer="who", timestamp="when", touchpoint="wher")
    assert tracker.n_added == 0
    for stranger in ("a", "", "\ud800", "a\0"):
        with pytest.raises(UnknownName):
            tracker.state(stranger)
    assert tracker.at_risk() == ()
    assert len(tracker.statistics()) == 0
    for wrong in (
        {"inactivity": None}, {"max_lateness": "soon"}, {"columns": ["touch"]},
        {"columns": "stage"}, {"currency": "euro"}, {"grains": "owner"},
        {"predictor": 3}, {"goal": 3},
    ):  # fmt: skip
        with pytest.raises(InvalidValue):
            JourneyTracker(**{"goal": "buy", "inactivity": "7d"} | wrong)


def test_bytes_that_are_none_are_refused():
    rng = random.Random(7)  # noqa: S311 - rows, no secrets
    tracker = tracker_of(rules_of(rng))
    for one in sorted(interactions(rng, 120, 1_000, 20), key=lambda i: i.timestamp):
        tracker.add(one)
    data = tracker.to_bytes()
    assert JourneyTracker.from_bytes(data).statistics() == tracker.statistics()
    for _ in range(200):
        at = rng.randrange(len(data))
        damaged = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        try:
            JourneyTracker.from_bytes(damaged[: rng.choice([at, len(data)])])
        except InvalidValue:
            continue
    for wrong in (b"", b"x", b"PK", None, 3, tracker.statistics().to_bytes()):
        with pytest.raises(InvalidValue):
            JourneyTracker.from_bytes(wrong)


def test_interactions_before_the_observation_are_late():
    tracker = JourneyTracker(goal="buy", inactivity="7d", observed_from=BEGIN)
    early = cx.Interaction(customer="a", touchpoint="web", timestamp=BEGIN - HOUR)
    assert tracker.add(early) == "late"
    assert tracker.add(cx.Interaction(customer="a", touchpoint="web", timestamp=BEGIN)) == "added"
    log = cx.InteractionLog.from_frame(
        {"c": ["a"], "t": [BEGIN], "w": ["web"], "n": np.array([None], dtype=object)},
        customer="c", timestamp="t", touchpoint="w", channel="n", stage="n", observed_from=BEGIN,
    )  # fmt: skip
    batch_of_it = log.journeys(goal="buy", inactivity="7d", touchpoints=["buy"]).statistics()
    assert tracker.statistics() == batch_of_it
