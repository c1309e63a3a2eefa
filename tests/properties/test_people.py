"""What holds for the people of rows in any log: as many as the row counts, whatever the order."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.dropoff import Step, exits, funnel

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ["ad", "web", "help", "buy"]

# of each customer: touchpoint, channel, days since the one before
ways = st.lists(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(["app", "web"]), st.integers(0, 9)),
        min_size=1,
        max_size=7,
    ),
    min_size=1,
    max_size=7,
)


def journeys_of(people: list, names: list[str]) -> cx.Journeys:
    rows = []
    for who, way in zip(names, people, strict=True):
        day = 0
        for touchpoint, channel, wait in way:
            day += wait
            rows.append((who, touchpoint, channel, BEGIN + timedelta(days=day)))
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=a, touchpoint=b, channel=c, timestamp=d, seq=i)
            for i, (a, b, c, d) in enumerate(rows)
        ],
        observed_until=max(row[-1] for row in rows) + timedelta(days=2),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=5), touchpoints=NAMES)


def shown(table: object, *columns: str) -> list[tuple]:
    return list(zip(*(table[column] for column in columns), strict=True))


@settings(max_examples=8)
@given(ways)
def test_a_row_gives_as_many_as_it_counts(people):
    journeys = journeys_of(people, [f"c{k}" for k in range(len(people))])
    left = exits(journeys)
    for name, dropped, running in shown(left.table, "touchpoint", "exits", "censored"):
        assert len(left.journeys(name)) == dropped
        assert len(left.journeys(name, outcome="in progress")) == running
    steps = funnel(journeys, ["ad", Step("help", optional=True), "web", "buy"])
    table = shown(steps.table, "step", "count", "dropped", "censored")
    for name, count, dropped, running in table:
        assert len(steps.journeys(name)) == count
        assert len(steps.journeys(name, outcome="dropped")) == dropped
        assert len(steps.journeys(name, outcome="in progress")) == running
    ad, _, web, buy = table
    assert ad[1] == web[1] + web[2] + web[3]
    assert web[1] == buy[1] + buy[2] + buy[3]
    ways_taken = cx.sequences.paths(journeys)
    for steps_of, (count,) in zip(
        ways_taken.steps, shown(ways_taken.table, "journeys"), strict=True
    ):
        assert len(ways_taken.journeys(steps_of)) == count
    moves = cx.omnichannel.transitions(journeys)
    for a, b, customers in shown(moves.table, "from_channel", "to_channel", "customers"):
        assert len(moves.customers(a, b)) == customers
    design = cx.JourneyBlueprint("shop", ["ad", "web"])
    fit = cx.blueprint.fit(journeys, design)
    for kind, step, count in shown(fit.deviations, "deviation", "step", "journeys"):
        assert len(fit.journeys(kind, step)) == count


@settings(max_examples=8)
@given(ways, st.randoms(use_true_random=False))
def test_other_names_and_another_order_give_the_same_people(people, random):
    order = list(range(len(people)))
    random.shuffle(order)
    first = exits(journeys_of(people, [f"c{k}" for k in range(len(people))]))
    second = exits(journeys_of([people[k] for k in order], [f"x{k}" for k in order]))
    for name in first.table["touchpoint"]:
        ids = {f"x{one[1:]}" for one in first.customers(name, outcome="any")}
        assert set(second.customers(name, outcome="any")) == ids


@settings(max_examples=8)
@given(ways)
def test_what_follows_a_goal_without_a_silence_is_after_it(people):
    journeys = journeys_of(people, [f"c{k}" for k in range(len(people))])
    expected: Counter[tuple[str, str]] = Counter()
    for k, way in enumerate(people):
        ended, after = True, False  # whether a journey begins, and whether a goal ended the last
        for place, (name, _, wait) in enumerate(way):
            if place and wait >= 5:
                ended, after = True, False
            if ended:
                expected[f"c{k}", "after a goal" if after else "new"] += 1
            ended = after = name == "buy"
    found = Counter(
        (one.customer.id, value)
        for one, value in zip(journeys, journeys.segment("origin").values(), strict=True)
    )
    assert found == expected
