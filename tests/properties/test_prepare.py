"""What preparing a log may never do, whatever its interactions."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.testing._strategies import ORIGIN, interaction_lists

WEEK = timedelta(days=7)
GAPS = st.sampled_from([timedelta(seconds=1), timedelta(hours=6), timedelta(days=1), WEEK])


def journeys_by_customer(log: cx.InteractionLog) -> dict[str, list]:
    told: dict[str, list] = {}
    for journey in log.journeys(inactivity=WEEK):
        told.setdefault(journey.customer.id, []).append((journey.interactions, journey.outcome))
    return told


@given(interaction_lists(), st.data())
def test_filtering_by_customer_never_changes_the_outcome_of_those_who_stay(items, data):
    log = cx.InteractionLog.from_interactions(items)
    chosen = data.draw(st.sets(st.sampled_from(sorted(log.customer_ids) or ["none"])))
    chosen &= set(log.customer_ids)
    whole = journeys_by_customer(log)
    kept = log.filter(customers=chosen)
    assert journeys_by_customer(kept) == {c: told for c, told in whole.items() if c in chosen}
    left = log.filter(customers=chosen, invert=True)
    assert len(kept) + len(left) == len(log)


@given(interaction_lists(), st.data())
def test_filter_equals_a_filter_of_the_objects(items, data):
    log = cx.InteractionLog.from_interactions(items)
    if not items:
        return
    touchpoints = data.draw(st.sets(st.sampled_from(log.touchpoints)))
    kept = log.filter(touchpoints=touchpoints)
    expected = [i for i in log.interactions() if i.touchpoint.name in touchpoints]
    assert list(kept.interactions()) == expected


@given(interaction_lists(), st.integers(-30 * 24, 60 * 24))
def test_two_windows_side_by_side_hold_every_interaction_once(items, hours):
    log = cx.InteractionLog.from_interactions(items)
    moment = ORIGIN + timedelta(hours=hours)
    before, after = log.between(end=moment), log.between(moment)
    assert all(i.timestamp < moment for i in before.interactions())
    assert all(i.timestamp >= moment for i in after.interactions())
    together = Counter(before.interactions()) + Counter(after.interactions())
    assert together == Counter(log.interactions())


@given(interaction_lists())
def test_collapsing_leaves_no_repeat_and_does_nothing_twice(items):
    log = cx.InteractionLog.from_interactions(items)
    once = log.collapse_repeats()
    assert once.collapse_repeats() == once
    key = lambda i: (i.customer.id, i.touchpoint.name, i.channel, i.journey)  # noqa: E731
    firsts = [next(run) for _, run in groupby(log.interactions(), key)]
    assert list(once.interactions()) == firsts


@given(interaction_lists())
def test_dropping_duplicates_leaves_each_interaction_once_and_in_order(items):
    import attrs

    log = cx.InteractionLog.from_interactions(items)
    seen = dict.fromkeys(attrs.evolve(i, seq=None) for i in log.interactions())
    left = [attrs.evolve(i, seq=None) for i in log.drop_duplicates().interactions()]
    assert left == list(seen)
    assert log.audit().duplicates == len(log) - len(left)


@given(interaction_lists(), GAPS)
def test_sessions_are_cut_exactly_at_the_silences(items, gap):
    log = cx.InteractionLog.from_interactions(items)
    cut = log.sessions(gap=gap)
    previous = None
    for now in cut.interactions():
        if previous is None or previous.customer != now.customer:
            assert now.journey == "1"
        elif now.timestamp - previous.timestamp >= gap:
            assert int(now.journey) == int(previous.journey) + 1
        else:
            assert now.journey == previous.journey
        previous = now


@given(interaction_lists())
def test_renaming_there_and_back_is_the_log(items):
    log = cx.InteractionLog.from_interactions(items)
    there = {name: f"{name}!" for name in log.touchpoints}
    back = {new: old for old, new in there.items()}
    assert log.rename(there).rename(back) == log


@given(interaction_lists(), GAPS)
def test_every_preparation_carries_the_observation_window(items, gap):
    until = datetime(2027, 1, 1, tzinfo=UTC)
    since = datetime(2025, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(items, observed_from=since, observed_until=until)
    half = np.arange(len(log)) % 2 == 0
    for prepared in (
        log.filter(rows=half),
        log.rename(dict.fromkeys(log.touchpoints, "x")),
        log.collapse_repeats(within=gap),
        log.drop_duplicates(),
        log.sessions(gap=gap),
        log.between("2024-01-01", "2028-01-01"),
    ):
        assert (prepared.observed_from, prepared.observed_until) == (since, until)
        assert not prepared.columns.coded["touchpoint"].codes.flags.writeable
