"""What must hold of exit probabilities on any log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.dropoff import exits
from cxjourney.dropoff._rates import rates_of_journeys
from cxjourney.metrics import kaplan_meier

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMIT = 6

events = st.dictionaries(
    st.sampled_from([f"c{i}" for i in range(8)]),
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ABCGx")), min_size=1, max_size=12),
    min_size=1,
)


def journeys_of(rows, *, goal="G", left="x", until=32):
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=customer, touchpoint=name, timestamp=BEGIN + hour * HOUR)
            for customer, touches in rows.items()
            for hour, name in touches
        ],
        observed_until=BEGIN + until * HOUR,
    )
    return log.journeys(
        goal=goal if goal in log.touchpoints else None,
        exit_touchpoints=left if left in log.touchpoints else (),
        inactivity=LIMIT * HOUR,
    )


def by_name(found):
    return {row["touchpoint"]: row for row in found.table}


@given(events)
def test_journeys_and_their_graph_agree(rows):
    journeys = journeys_of(rows)
    mine, theirs = by_name(exits(journeys)), by_name(exits(journeys.graph()))
    assert mine.keys() == theirs.keys()
    for name, row in mine.items():
        for column in ("visits", "at_risk", "exits", "pending"):
            assert row[column] == theirs[name][column]
        for column in ("exit_probability", "lift", "lost_conversions"):
            expected = pytest.approx(theirs[name][column], abs=1e-9, nan_ok=True)
            assert row[column] == expected


@given(events)
def test_counts_and_intervals_hold_together(rows):
    journeys = journeys_of(rows)
    found = exits(journeys)
    table = found.table
    touched = int((journeys.lengths > 0).sum())
    if len(table):
        ends = table["exits"].sum() + table["pending"].sum()
        converted_after_a_touch = int((journeys.converted & (journeys.lengths > 0)).sum())
        assert ends + converted_after_a_touch == touched
        assert np.array_equal(table["visits"], table["at_risk"] + table["pending"])
    known = ~np.isnan(np.asarray(table["low"], dtype=float))
    e, low, high = (np.asarray(table[c])[known] for c in ("exit_probability", "low", "high"))
    assert np.all((low >= 0) & (low <= e + 1e-12) & (e <= high + 1e-12) & (high <= 1))
    lost = np.asarray(table["lost_conversions"], dtype=float)
    assert np.all(lost[~np.isnan(lost)] >= 0)
    assert np.all(table["rank_low"][known] <= table["rank_high"][known])


@given(events, st.permutations("ABC"))
def test_names_and_customers_do_not_matter(rows, letters):
    new = dict(zip("ABC", letters, strict=True)) | {"G": "G", "x": "x"}
    renamed = {
        f"k{99 - i}": [(hour, new[name]) for hour, name in touches]
        for i, touches in enumerate(rows.values())
    }
    mine, theirs = by_name(exits(journeys_of(rows))), by_name(exits(journeys_of(renamed)))
    for name, row in mine.items():
        for column in ("exit_probability", "low", "high", "lift_low", "shrunken"):
            expected = pytest.approx(theirs[new[name]][column], abs=1e-6, nan_ok=True)
            assert row[column] == expected


@given(events)
def test_variance_is_that_of_kaplan_and_meier_clustered_by_customer(rows):
    # no explicit exits: then it is the survival curve of the waits, estimated elsewhere
    journeys = journeys_of(rows, left="none")
    rates = rates_of_journeys(journeys, "touchpoint", variance="clustered", legitimate=frozenset())
    waits: dict[str, list] = {name: [] for name in rates.names}
    for journey in journeys:
        converted = journey.outcome is cx.Outcome.CONVERTED
        touches = list(journey.interactions)
        for here, after in zip(touches, [*touches[1:], None], strict=True):
            if after is None and converted:
                continue  # the goal itself
            end = after.timestamp if after else BEGIN + 32 * HOUR
            moved = after is not None
            wait = end - here.timestamp
            lost = not moved and journey.outcome is cx.Outcome.DROPPED
            wait = LIMIT * HOUR if lost else wait
            ended = moved or lost
            waits[here.touchpoint.name].append((wait, moved, journey.customer.id, ended))
    for k, name in enumerate(rates.names):
        duration, moved, customer, ended = zip(*waits[name], strict=True)
        if rates.at_risk[k] == 0:
            continue
        curve = kaplan_meier(duration, moved, customer=customer)
        assert rates.rate[k] == pytest.approx(curve.survival[-1], abs=1e-12)
        # ours corrects by the customers of whom any end is known, not by all of them
        n, known = len(set(customer)), len({c for c, e in zip(customer, ended, strict=True) if e})
        if known < 2:
            assert rates.effective[k] == known
            continue
        variance = float(curve.std_error[-1]) ** 2 * (n - 1) / n * known / (known - 1)
        e = rates.rate[k]
        if variance > 1e-15 and 0 < e < 1:
            trials = min(e * (1 - e) / variance, rates.visits[k])
            assert rates.effective[k] == pytest.approx(trials)
