"""What must hold of exit probabilities on any log."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.dropoff import exits, rates_of_journeys
from cxjourney.journeys import chain_figures, chain_of
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


@given(events, st.sampled_from(["G", None]), st.booleans(), st.booleans())
def test_the_chain_is_that_of_the_graph_to_the_last_bit(rows, goal, closed, counted):
    journeys = journeys_of(rows, goal=goal)
    if closed:
        rules = {"goal": journeys.rules.goal or None, "all_closed": True}
        journeys = journeys.log.journeys(**rules)
    if counted:
        journeys = journeys.statistics()
    mine, graphs = chain_figures(journeys).chain, chain_of(journeys)
    assert mine.names == graphs.names

    def rows_of(chain):
        columns = (chain.source, chain.target, chain.probability)
        return sorted(zip(*(column.tolist() for column in columns), strict=True))

    assert rows_of(mine) == rows_of(graphs)
    assert mine.visits == graphs.visits
    assert mine.hitting == graphs.hitting
    assert mine.at_risk.tolist() == graphs.at_risk.tolist()
    assert np.isnan(mine.dwell_mean_s[mine.target < len(mine.names) + 3]).all()


@given(events)
def test_journeys_and_their_graph_agree(rows):
    journeys = journeys_of(rows)
    mine, theirs = by_name(exits(journeys)), by_name(exits(journeys.graph()))
    assert mine.keys() == theirs.keys()
    for name, row in mine.items():
        for column in ("visits", "at_risk", "exits", "censored"):
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
        ends = table["exits"].sum() + table["censored"].sum()
        converted_after_a_touch = int((journeys.converted & (journeys.lengths > 0)).sum())
        assert ends + converted_after_a_touch == touched
        assert np.array_equal(table["visits"], table["at_risk"] + table["censored"])
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
def test_variance_is_that_of_kaplan_and_meier_without_each_customer(rows):
    # no explicit exits: then it is the survival curve of the waits, estimated elsewhere
    journeys = journeys_of(rows, left="none")
    rates = rates_of_journeys(journeys, "touchpoint")
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
            waits[here.touchpoint.name].append((wait, moved, journey.customer.id, moved or lost))
    for k, name in enumerate(rates.names):
        whole = survival_of(waits[name])
        assert rates.rate[k] == pytest.approx(whole, abs=1e-12, nan_ok=True)
        customers = sorted({row[2] for row in waits[name]})
        without = np.array([survival_of([r for r in waits[name] if r[2] != c]) for c in customers])
        n = len(customers)
        variance = (n - 1) / n * ((without - whole) ** 2).sum()
        ended = np.array([sum(r[3] for r in waits[name] if r[2] == c) for c in customers], float)
        effective = ended.sum() ** 2 / (ended**2).sum() if ended.any() else 0.0
        if abs(effective - 3) < 1e-4:
            continue  # the line below which there is no interval
        expected = variance if effective > 3 else math.nan
        assert rates.figures.variance[k] == pytest.approx(expected, abs=1e-12, nan_ok=True)


def survival_of(rows):
    """Return the share without a touch by the limit; NaN where no wait has come to an end."""
    if not any(ended for *_, ended in rows):
        return math.nan
    wait, moved, _, _ = zip(*rows, strict=True)
    return kaplan_meier(wait, moved).survival[-1]
