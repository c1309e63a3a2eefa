from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import md5

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, ReservedName, TimesRequired, UnknownName

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def at(customer: str, day: float, touchpoint: str, **more) -> cx.Interaction:
    return cx.Interaction(
        customer=customer, timestamp=START + day * DAY, touchpoint=touchpoint, **more
    )


def log_of(*interactions: cx.Interaction, **options) -> cx.InteractionLog:
    return cx.InteractionLog.from_interactions(interactions, **options)


def told(log: cx.InteractionLog) -> list[tuple[str, float, str]]:
    return [
        (i.customer.id, (i.timestamp - START) / DAY, i.touchpoint.name) for i in log.interactions()
    ]


@pytest.fixture
def log() -> cx.InteractionLog:
    north = cx.Customer("a", attributes={"region": "north", "vip": True})
    south = cx.Customer("b", attributes={"region": "south", "vip": 1})
    return log_of(
        at(north, 0, "ad", channel="web"),
        at(north, 1, "cart", channel="app", attributes={"page": 1}),
        at(north, 2, "cart", channel="app", attributes={"page": 2}),
        at(south, 3, "ad", channel="app"),
        at(south, 4, "shop", owner="retail"),
        at("c", 5, "shop"),
        observed_until=START + 30 * DAY,
        observed_from=START - 10 * DAY,
    )


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"customers": "a"}, [0, 1, 2]),
        ({"customers": ["c", "b"]}, [3, 4, 5]),
        ({"touchpoints": {"shop"}}, [4, 5]),
        ({"channels": ["app"], "touchpoints": "ad"}, [3]),
        ({"owners": "retail"}, [4]),
        ({"where": {"region": "north"}}, [0, 1, 2]),
        ({"where": {"region": ["north", None]}}, [0, 1, 2, 5]),
        ({"where": {"page": (1, 2)}}, [1, 2]),
        ({"where": {"vip": True}}, [0, 1, 2]),  # True is not 1
        ({"where": {"vip": 1}}, [3, 4]),
        ({"rows": np.array([True, False, False, False, False, True])}, [0, 5]),
        ({"touchpoints": []}, []),
        ({"customers": "a", "touchpoints": "cart", "invert": True}, [0, 3, 4, 5]),
    ],
)
def test_filter_keeps_what_meets_every_condition(log, conditions, rows):
    everything = told(log)
    kept = log.filter(**conditions)
    assert told(kept) == [everything[row] for row in rows]
    assert (kept.observed_from, kept.observed_until) == (log.observed_from, log.observed_until)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"customers": "z"}, "customer 'z' is not in the log"),
        ({"touchpoints": "crt"}, "touchpoint 'crt' is not in the log; did you mean 'cart'"),
        ({"channels": "wep"}, "did you mean 'web'"),
        ({"stages": "purchase"}, "column 'stage' is not in the log"),
        ({"where": {"regio": "north"}}, "attribute 'regio'.*did you mean 'region'"),
        ({"where": {"region": "norht"}}, "did you mean 'north'"),
        ({"rows": [True]}, "rows must hold 6 truth values"),
        ({"rows": np.arange(6)}, "rows must hold 6 truth values"),
    ],
)
def test_filter_refuses_what_the_log_does_not_know(log, conditions, message):
    with pytest.raises(InvalidValue, match=message):
        log.filter(**conditions)


def test_between_is_the_log_as_observed_in_a_shorter_window(log):
    part = log.between("2026-01-02", START + 4 * DAY)
    assert told(part) == [("a", 1, "cart"), ("a", 2, "cart"), ("b", 3, "ad")]
    assert (part.observed_from, part.observed_until) == (START + DAY, START + 4 * DAY)
    wider = log.between("2025-01-01", "2027-01-01")
    assert wider == log


def test_a_silence_that_is_the_cut_s_own_loses_nobody():
    log = log_of(*(at("a", day, "web") for day in range(20)))
    journeys = log.between(end=START + 10 * DAY).journeys(inactivity=2 * DAY)
    assert journeys.outcomes[cx.Outcome.IN_PROGRESS] == 1


def test_between_reads_naive_moments_in_tz():
    log = log_of(at("a", 0, "web"))  # midnight UTC is one o'clock in Prague
    assert len(log.between("2026-01-01 01:00", tz="Europe/Prague")) == 1
    assert len(log.between("2026-01-01 01:00:01", tz="Europe/Prague")) == 0


def test_between_refuses_a_window_without_length(log):
    with pytest.raises(InvalidValue, match="end must lie after start"):
        log.between("2026-01-02", "2026-01-02")


def test_rename_merges_many_into_one_and_swaps(log):
    merged = log.rename({"cart": "shop"}, channels={"web": "online", "app": "online"})
    assert merged.touchpoints == ("ad", "shop")
    assert merged.channels == ("online",)
    assert [row[2] for row in told(merged)] == ["ad", "shop", "shop", "ad", "shop", "shop"]
    swapped = log.rename({"ad": "cart", "cart": "ad"})
    assert [row[2] for row in told(swapped)][:3] == ["cart", "ad", "ad"]
    assert swapped.rename({"ad": "cart", "cart": "ad"}) == log


def test_rename_keeps_what_is_known_where_all_agree():
    backstage = [cx.Touchpoint(name, frontstage=False) for name in ("pick", "pack")]
    log = log_of(at("a", 0, backstage[0]), at("a", 1, backstage[1]), at("a", 2, "shop"))
    both = log.rename({"pick": "warehouse", "pack": "warehouse"})
    assert [i.touchpoint.frontstage for i in both.interactions()] == [False, False, True]
    mixed = log.rename({"pack": "shop"})
    assert [i.touchpoint.frontstage for i in mixed.interactions()] == [False, True, True]


def test_rename_of_channels_keeps_their_kind():
    kiosk = cx.Channel("kiosk", "physical")
    log = log_of(at("a", 0, "x", channel=kiosk)).rename(channels={"kiosk": "terminal"})
    assert next(log.interactions()).channel == cx.Channel("terminal", "physical")


def test_rename_refuses_unknown_and_reserved_names(log):
    with pytest.raises(UnknownName, match=r"touchpoint 'shopp'.*did you mean 'shop'"):
        log.rename({"shopp": "store"})
    with pytest.raises(ReservedName, match="__dropoff__"):
        log.rename({"shop": "__dropoff__"})
    with pytest.raises(InvalidValue, match="non-empty"):
        log.rename({"shop": ""})


def test_collapse_keeps_the_first_of_each_run():
    log = log_of(
        at("a", 0, "web"),
        at("a", 1, "web", score=5),
        at("a", 2, "web", channel="app"),  # the same page in another channel is no repeat
        at("a", 3, "pay"),
        at("a", 4, "pay"),
        at("a", 5, "web"),
        at("b", 6, "web"),
    )
    everything = told(log)
    assert told(log.collapse_repeats()) == [everything[i] for i in (0, 2, 3, 5, 6)]
    assert told(log.collapse_repeats(touchpoints="web")) == [
        everything[i] for i in (0, 2, 3, 4, 5, 6)
    ]


def test_collapse_counts_only_quick_repeats_where_asked():
    log = log_of(*(at("a", day, "web") for day in (0, 0.5, 1.5, 1.6)))
    assert [row[1] for row in told(log.collapse_repeats(within=DAY))] == [0, 1.5]
    with pytest.raises(InvalidValue, match="within"):
        log.collapse_repeats(within=timedelta(0))


def test_collapse_does_not_reach_across_journeys():
    log = log_of(at("a", 0, "web", journey="1"), at("a", 1, "web", journey="2"))
    assert len(log.collapse_repeats()) == 2


def test_duplicates_equal_in_everything_but_seq():
    log = log_of(
        at("a", 0, "web", seq=1, score=5),
        at("a", 0, "web", seq=2, score=5),
        at("a", 0, "web", seq=3),
        at("a", 0, "web", seq=4),
        at("a", 0, "app", seq=5, score=5),
        at("a", 1, "web", score=5),
        at("b", 0, "web", score=5),
        at("a", 0, "web", seq=6, score=5, attributes={"page": 1}),
    )
    left = list(log.drop_duplicates().interactions())
    assert [(i.customer.id, i.seq) for i in left] == [
        ("a", 1),
        ("a", 3),
        ("a", 5),
        ("a", 6),
        ("a", None),
        ("b", None),
    ]


def test_sessions_are_cut_at_silences_of_the_gap_or_longer():
    log = log_of(*(at("a", day, "web", journey="old") for day in (0, 0.9, 1.9)), at("b", 2, "web"))
    cut = log.sessions(gap=DAY)
    assert [(i.customer.id, i.journey) for i in cut.interactions()] == [
        ("a", "1"),
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
    ]
    assert len(cut.journeys(all_closed=True)) == 3
    with pytest.raises(InvalidValue, match="timedelta"):
        log.sessions(gap=30)


def digest(text: str) -> bytes:
    return md5(text.encode(), usedforsecurity=False).digest()


def test_a_sample_takes_customers_by_the_hash_of_their_ids():
    log = cx.datasets.sample(seed=3, customers=500).log
    order = sorted(log.customer_ids, key=lambda one: digest(f"7:{one}"))
    drawn = log.sample(120, seed=7)
    assert set(drawn.customer_ids) == set(order[:120])
    assert drawn == log.filter(customers=order[:120])  # with all they did, and the window
    assert set(log.sample(40, seed=7).customer_ids) <= set(drawn.customer_ids)
    assert set(log.sample(120, seed=8).customer_ids) != set(drawn.customer_ids)
    # the draw has nothing to do with the buckets: as many are filled as by any other 120
    assert len({digest(one)[0] >> 2 for one in drawn.customer_ids}) > 48
    # whoever else is in the log, a customer is drawn or not
    half = log.filter(customers=order[:250])
    assert half.sample(120, seed=7) == drawn
    assert log.sample(500) is log
    assert log.sample(10**9) is log
    for wrong in ({"customers": 0}, {"customers": 0.5}, {"customers": 5, "seed": -1}):
        with pytest.raises(InvalidValue, match="must be a whole number from"):
            log.sample(**wrong)


def test_an_engine_draws_the_same_sample():
    log = cx.datasets.sample(seed=3, customers=500).log
    share = f"{2**128 // 10:032x}"
    ids = pa.table({"who": list(log.customer_ids)})
    found = duckdb.from_arrow(ids).filter(f"md5('0:' || who) < '{share}'")
    drawn = [who for (who,) in found.fetchall()]
    assert 25 < len(drawn) < 75
    assert set(log.sample(len(drawn)).customer_ids) == set(drawn)


def test_an_empty_log_stays_empty():
    empty = log_of()
    for prepared in (
        empty.filter(),
        empty.between("2026-01-01"),
        empty.rename({}),
        empty.collapse_repeats(within=DAY),
        empty.drop_duplicates(),
        empty.sessions(gap=DAY),
        empty.sample(5),
    ):
        assert (len(prepared), prepared.n_customers) == (0, 0)


def test_what_needs_times_says_so():
    log = cx.Journeys.from_paths([["ad", "web", "web"]], converted=[1]).log
    for needy in (
        lambda: log.between("2026-01-01"),
        lambda: log.sessions(gap=DAY),
        lambda: log.collapse_repeats(within=DAY),
    ):
        with pytest.raises(TimesRequired):
            needy()
    assert len(log.collapse_repeats()) == len(log) - 1


def test_moments_without_a_zone_are_read_in_that_of_the_log():
    columns = {
        "who": ["a", "b"],
        "when": ["2026-07-01 00:30", "2026-07-02 00:30"],
        "what": ["x"] * 2,
    }
    log = cx.InteractionLog.from_frame(
        columns, customer="who", timestamp="when", touchpoint="what", tz="Europe/Prague"
    )
    assert log.between("2026-07-02").customer_ids == ("b",)
    assert log.between("2026-07-02", tz="UTC").n_customers == 0
