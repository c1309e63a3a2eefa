"""Presets of funnels, case by case: what the other tools' own tests say, on data of our own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import cxjourney as cx
from cxjourney.dropoff import Exclusion, funnel
from cxjourney.exceptions import InvalidValue

BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TWO, THREE = ["ask", "book"], ["ask", "book", "fly"]
FIVE = ["ask", "look", "book", "pack", "fly"]

# what it shows: events of customers (name and minute), steps, options, counts
POSTHOG = {
    "an exclusion voids its attempt, step 1 included": (
        [[("ask", 0), ("rain", 20), ("book", 50)], [("ask", 5), ("book", 9)]],
        TWO, 60, ["rain"], (1, 1),
    ),
    "also where nothing comes after it": ([[("ask", 0), ("rain", 20)]], TWO, 60, ["rain"], (0, 0)),
    "not once the window is over": ([[("ask", 0), ("rain", 61)]], TWO, 60, ["rain"], (1, 0)),
    "nor does a step after the window count": (
        [[("ask", 0), ("rain", 61), ("book", 62)]], TWO, 60, ["rain"], (1, 0),
    ),
    "not before the attempt": ([[("rain", 0), ("ask", 1), ("book", 2)]], TWO, 60, ["rain"], (1, 1)),
    "not after conversion": (
        [[("ask", 0), ("book", 2), ("rain", 3), ("book", 4)]], TWO, 60, ["rain"], (1, 1),
    ),
    "a later attempt counts": (
        [[("ask", 0), ("rain", 1), ("ask", 90)]], TWO, 60, ["rain"], (1, 0),
    ),
    "a later attempt within the window of the void one counts": (
        [[("ask", 0), ("rain", 1), ("ask", 5), ("book", 8)]], TWO, 60, ["rain"], (1, 1),
    ),
    "an earlier attempt whose window was over counts": (
        [[("ask", 0), ("ask", 90), ("rain", 91)]], TWO, 60, ["rain"], (1, 0),
    ),
    "all attempts under way are void": (
        [[("ask", 0), ("ask", 5), ("rain", 9)]], TWO, 60, ["rain"], (0, 0),
    ),
    "the first expired, the second is void": (
        [[("ask", 0), ("rain", 61), ("ask", 62), ("rain", 63), ("book", 64)]],
        TWO, 60, ["rain"], (1, 0),
    ),
    "only between the steps that it guards": (
        [
            [("ask", 0), ("rain", 1), ("book", 2), ("fly", 3)],
            [("ask", 0), ("book", 2), ("rain", 3), ("fly", 4)],
            [("ask", 0), ("book", 2), ("fly", 4), ("rain", 5)],
        ],
        THREE, 60, [Exclusion("rain", between=(2, 3))], (2, 2, 2),
    ),
    "several exclusions": (
        [
            [("ask", 0), ("book", 1), ("fly", 2)],
            [("ask", 0), ("rain", 1), ("book", 2), ("fly", 3)],
            [("ask", 0), ("book", 1), ("strike", 2), ("fly", 3)],
        ],
        THREE, 60,
        [Exclusion("rain", between=(1, 2)), Exclusion("strike", between=(2, 3))], (1, 1, 1),
    ),
    "at the timestamp of a step it is passed over": (
        [[("ask", 0), ("rain", 7), ("book", 7)], [("rain", 0), ("ask", 0), ("book", 3)]],
        TWO, 60, ["rain"], (2, 2),
    ),
}  # fmt: skip
POSTHOG_UNORDERED = {
    "what comes after the exclusion counts anew": (
        [
            [("ask", 0), ("book", 9)],
            [("ask", 0), ("rain", 5), ("book", 9)],
            [("book", 0), ("ask", 9)],
        ],
        TWO, ["rain"], (3, 2),
    ),
    "steps before an exclusion are void": ([[("ask", 0), ("rain", 5)]], TWO, ["rain"], (0, 0)),
    "not after everything is done": (
        [[("fly", 0), ("ask", 5), ("book", 6), ("rain", 7), ("fly", 8)]],
        THREE, ["rain"], (1, 1, 1),
    ),
    "not once the window is over": ([[("ask", 0), ("rain", 200)]], TWO, ["rain"], (1, 0)),
    "several exclusions": (
        [
            [("ask", 0), ("rain", 5), ("look", 6), ("book", 7), ("strike", 8), ("pack", 9),
             ("fly", 10)],
            [("ask", 0), ("strike", 1), ("look", 2), ("book", 3), ("strike", 4), ("pack", 5),
             ("rain", 6), ("fly", 7)],
            [("ask", 0), ("rain", 1), ("look", 2), ("book", 3), ("pack", 4), ("rain", 5),
             ("fly", 6)],
            [("ask", 0), ("look", 1), ("book", 2), ("pack", 3), ("fly", 4)],
            [("ask", 0), ("rain", 1), ("look", 2), ("rain", 3), ("book", 4), ("strike", 5),
             ("pack", 6), ("rain", 7), ("fly", 8)],
        ],
        FIVE, ["rain", "strike"], (5, 2, 1, 1, 1),
    ),
}  # fmt: skip


RETENTIONEERING = {
    "nobody converts": ([["ask"], ["ask"], ["fly"]], THREE, (2, 0, 0)),
    "one step": ([["ask"], ["book"], ["ask"]], ["ask"], (2,)),
    "a later step alone brings nobody there": ([["book", "ask", "fly"]], THREE, (1, 0, 0)),
    "a step again after the next": ([["ask", "book", "ask"]], TWO, (1, 1)),
    "a step named twice": (
        [["ask", "book", "ask"], ["ask", "book"]], ["ask", "book", "ask"], (2, 2, 1),
    ),
    "the wrong way round": ([["book", "ask"]], TWO, (1, 0)),
}  # fmt: skip


def log_of(customers):
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=f"c{i}", touchpoint=name, timestamp=BEGIN + minute * MINUTE)
            for i, rows in enumerate(customers)
            for name, minute in rows
        ],
        observed_until=BEGIN + timedelta(days=3),
    )


@pytest.mark.parametrize("case", POSTHOG)
def test_posthog(case):
    customers, steps, within, exclude, counts = POSTHOG[case]
    found = funnel(
        log_of(customers), steps, within=within * MINUTE, exclude=exclude, semantics="posthog"
    )
    assert found.counts == counts
    depths = [found.explain(f"c{i}").depth[0] for i in range(len(customers))]
    assert tuple(sum(d > k for d in depths) for k in range(len(steps))) == counts


@pytest.mark.parametrize("case", POSTHOG_UNORDERED)
def test_posthog_in_any_order(case):
    customers, steps, exclude, counts = POSTHOG_UNORDERED[case]
    found = funnel(
        log_of(customers),
        steps,
        within=90 * MINUTE,
        order="unordered",
        exclude=exclude,
        semantics="posthog",
    )
    assert found.counts == counts


@pytest.mark.parametrize("case", RETENTIONEERING)
def test_retentioneering(case):
    customers, steps, counts = RETENTIONEERING[case]
    log = log_of([[(name, i) for i, name in enumerate(names)] for names in customers])
    found = funnel(log, steps, semantics="retentioneering")
    assert found.counts == counts
    assert found.rates == tuple(count / len(customers) for count in counts)


def test_retentioneering_by_session_and_by_segment():
    log = log_of([[("ask", 0), ("book", 1), ("fly", 100), ("pay", 101)]])
    sessions = log.sessions(gap=30 * MINUTE).journeys(goal=(), all_closed=True)
    for steps, counts in ((["ask", "book"], (1, 1)), (["ask", "pay"], (1, 0))):
        assert funnel(sessions, steps, semantics="retentioneering").counts == counts
    some = [
        [("ask", 0), ("book", 1)],
        [("ask", 0)],
        [("ask", 0), ("book", 1), ("fly", 2)],
        [("ask", 0)],
    ]
    parts = log_of(some).with_attribute("part", {"c0": "x", "c1": "x", "c2": "y", "c3": "y"})
    found = funnel(parts, THREE, semantics="retentioneering", segment="part")
    assert (found["x"].counts, found["y"].counts) == ((2, 1, 0), (2, 1, 1))


def test_in_any_order_an_exclusion_guards_all_steps():
    log = log_of([[("ask", 0), ("book", 1)]])
    with pytest.raises(InvalidValue, match="guard all steps with order='unordered'"):
        funnel(log, THREE, order="unordered", exclude=[Exclusion("rain", between=(1, 2))])


def test_this_library_lets_the_attempt_keep_what_it_reached():
    customers = [[("ask", 0), ("rain", 20), ("book", 50)], [("book", 0), ("ask", 1), ("rain", 2)]]
    log = log_of(customers)
    assert funnel(log, TWO, exclude=["rain"], within=60 * MINUTE).counts == (2, 0)
    unordered = funnel(log, TWO, exclude=["rain"], within=60 * MINUTE, order="unordered")
    assert unordered.counts == (2, 1)
    assert unordered.n_excluded == 1


def test_explain_says_which_attempt_is_void():
    found = funnel(
        log_of([[("ask", 0), ("rain", 1), ("ask", 5), ("book", 8)]]),
        TWO,
        within=60 * MINUTE,
        exclude=["rain"],
        semantics="posthog",
    )
    assert found.explain("c0").table["verdict"] == (
        "not step 1: an exclusion voids the attempt",
        "exclusion between step 1 and step 2",
        "step 1: enters",
        "step 2",
    )
    assert found.n_excluded == 0


def test_many_attempts_of_one_customer_take_no_time():
    rows = [("ask", i / 1000) for i in range(20_000)] + [("rain", 21)]
    rows += [("ask", 22), ("book", 23)]
    log = log_of([rows])
    found = funnel(log, TWO, exclude=["rain"], semantics="posthog")
    assert found.counts == (1, 1)
    narrow = funnel(log, TWO, within=30 * MINUTE, exclude=["rain"], semantics="posthog")
    assert narrow.counts == (1, 1)
