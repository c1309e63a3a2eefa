"""Shards and days add up to the whole, to the last digit."""

from __future__ import annotations

import copy
import json
import math
import pickle
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import (
    NetPromoterScore,
    Tally,
    bounce_rate,
    ces,
    churn_hazard,
    cohort_retention,
    conversion_rate,
    csat,
    event_rate,
    mean_score,
    nps,
    peak_end_rule,
    pool,
    response_rate,
    retention_rate,
)

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)
FLAGS = st.none() | st.booleans()
METRICS = [
    (nps, st.none() | st.integers(0, 10)),
    (csat, st.none() | st.integers(1, 5)),
    (ces, st.none() | st.integers(1, 7)),
    (conversion_rate, FLAGS),
    (response_rate, FLAGS),
    (bounce_rate, st.none() | st.integers(1, 5)),
]


def card(estimate):
    """Return what an estimate says, but for a doubt that only the answers themselves can raise."""
    notes = tuple(note for note in estimate.notes if "was the question asked" not in note)
    return repr(attrs.evolve(estimate, notes=notes).to_dict())


@pytest.mark.parametrize(("metric", "values"), METRICS, ids=lambda x: getattr(x, "__name__", ""))
@given(data=st.data())
def test_the_parts_are_the_whole_in_any_order_and_grouping(metric, values, data):
    a, b, c = (data.draw(st.lists(values, max_size=40)) for _ in range(3))
    whole = card(metric(a + b + c))

    def tally(*pieces):
        total = Tally(metric)
        for piece in pieces:
            total.update(piece)
        return total

    assert card(tally(a, b, c).result()) == whole
    assert card(tally(a).merge(tally(b).merge(tally(c))).result()) == whole
    assert card(tally(c).merge(tally(b)).merge(tally(a)).result()) == whole
    assert card(tally(a, b, c).merge(Tally(metric)).result()) == whole
    assert card(Tally(metric).merge(tally(a, b, c)).result()) == whole
    assert card(pool([metric(a), metric(b), metric(c)])) == whole


EVENTS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 20)), max_size=30)


@pytest.mark.parametrize("options", [{}, {"membership": "recurring"}, {"kind": "unbounded"}])
@given(events=EVENTS)
def test_retention_matrices_of_shards_of_customers_add_up(options, events):
    def matrix(rows):
        return cohort_retention(
            [customer for customer, _ in rows],
            [DAY_0 + timedelta(days=day) for _, day in rows],
            observed_until=DAY_0 + timedelta(days=20),
            periods=4,
            **options,
        )

    shards = [[row for row in events if row[0] % 3 == shard] for shard in range(3)]
    whole = matrix(events)
    assert pool([matrix(shard) for shard in shards]).to_dict() == whole.to_dict()
    tally = Tally(matrix)
    for shard in shards:
        tally.update(shard)
    assert tally.result().to_dict() == whole.to_dict()


def test_retention_and_hazards_add_up_too():
    parts = [retention_rate(["a", "b"], ["a"]), retention_rate(["c"], ["c"])]
    assert pool(parts) == retention_rate(["a", "b", "c"], ["a", "c"])
    days = [timedelta(days=d) for d in (10, 20, 60)]
    hazards = [churn_hazard(days[:2], [True, False]), churn_hazard(days[2:], [True])]
    assert pool(hazards) == churn_hazard(days, [True, False, True])


def test_options_hold_for_every_piece():
    tally = Tally(csat, boxes=1, level=0.9, interval="jeffreys").update([5, 4]).update([1, 5])
    assert tally.result() == csat([5, 4, 1, 5], boxes=1, level=0.9, interval="jeffreys")
    tally = Tally(conversion_rate, unit="session")
    tally.update([1, 0], eligible=[1, 0]).update([1], eligible=[1])
    assert tally.result() == conversion_rate([1, 0, 1], eligible=[1, 0, 1], unit="session")


def test_merging_leaves_the_other_tally_alone():
    monday, tuesday = Tally(nps).update([10]), Tally(nps).update([0])
    monday.merge(tuesday)
    monday.update([10])
    assert tuesday.result() == nps([0])
    assert monday.result().n == 3


def test_days_can_be_stored_and_pooled():
    stored = [json.dumps(nps(day).to_dict()) for day in ([10, 9], [3, None], [7])]
    days = [NetPromoterScore.from_dict(json.loads(card)) for card in stored]
    assert pool(days) == nps([10, 9, 3, None, 7])


def test_a_tally_can_be_copied_and_sent_to_another_process():
    tally = Tally(nps).update([10, 3])
    for twin in (copy.deepcopy(tally), pickle.loads(pickle.dumps(tally))):  # noqa: S301 - our own
        assert twin.update([9]).result() == nps([10, 3, 9])
    assert tally.result() == nps([10, 3])


def test_event_rates_pool_too():
    days = [event_rate(3, 100, unit="per order"), event_rate(0, 20, unit="per order")]
    assert pool(days) == event_rate(3, 120, unit="per order")


def test_exclusions_and_open_units_add_up():
    parts = [conversion_rate([1, 0], eligible=[1, 0]), conversion_rate([1], eligible=[1])]
    pooled = pool(parts)
    assert dict(pooled.exclusions) == {"not eligible": 1}
    running = conversion_rate([0, 1], in_progress=[1, 0])
    assert pool([running, running]).n_censored == 2


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [nps([1]), csat([1])],
        [ces([5]), ces([5], version=1)],
        [csat([5]), csat([5], boxes=1)],
        [conversion_rate([1]), conversion_rate([1], unit="user")],
        [nps([1]), nps([1], level=0.9)],
        [nps([1], weights=[1.0])],
        [csat([1], weights=[1.0])],
        [nps([1] * 20, interval="bootstrap", rng=1)],
        [conversion_rate([1, 0], customer=["a", "b"])],
        [mean_score([1, 2])],
        [peak_end_rule([0.1])],
        [nps([1, None], nan_policy="propagate")],
        [csat([1, None], nan_policy="propagate")],
        [conversion_rate([1, None], nan_policy="propagate")],
    ],
)
def test_what_does_not_add_up_is_refused(parts):
    with pytest.raises(InvalidValue, match="parts"):
        pool(parts)


def test_tallies_of_different_metrics_do_not_merge():
    with pytest.raises(InvalidValue, match="tally of nps"):
        Tally(nps).merge(Tally(csat))
    with pytest.raises(InvalidValue, match="tally of nps"):
        Tally(nps).merge(nps([1]))


def test_an_empty_tally_says_so():
    empty = Tally(nps).result()
    assert math.isnan(empty.value)
    assert empty.notes == ("empty",)
    assert "Tally(nps" in repr(Tally(nps))
