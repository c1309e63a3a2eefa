from __future__ import annotations

from datetime import UTC

from hypothesis import Phase, find, given, settings

import cxjourney.testing as cxst

FOUND = settings(phases=[Phase.generate], max_examples=2_000)  # how small one is, is of no matter


@given(cxst.interaction_lists())
def test_within_a_list_a_name_means_one_thing(interactions):
    for get in (
        lambda i: (i.customer.id, i.customer),
        lambda i: (i.touchpoint.name, i.touchpoint.frontstage),
        lambda i: (i.channel and i.channel.name, i.channel),
    ):
        pairs = {get(i) for i in interactions}
        assert len({name for name, _ in pairs}) == len(pairs)
    assert len({i.currency for i in interactions} - {None}) <= 1


@given(cxst.event_rows(min_size=1))
def test_rows_hold_aware_utc_timestamps(rows):
    assert all(row["timestamp"].tzinfo is UTC for row in rows)


def test_ties_within_a_customer_are_found():
    def tied(rows):
        keys = [(row["customer"], row["timestamp"]) for row in rows]
        return len(set(keys)) < len(keys)

    assert find(cxst.event_rows(), tied, settings=FOUND)


def test_interactions_that_override_their_touchpoint_are_found():
    assert find(
        cxst.interactions(),
        lambda i: i.touchpoint.channel is not None and i.channel != i.touchpoint.channel,
        settings=FOUND,
    )
