"""Names that get credit only where the journey has no other, under every model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import cxjourney as cx
from cxjourney import attribution
from cxjourney.exceptions import InvalidValue

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = {
    "first": attribution.first_touch,
    "last": attribution.last_touch,
    "linear": attribution.linear,
    "position": attribution.position_based,
    "time decay": attribution.time_decay,
    "participation": attribution.participation,
    "shapley": attribution.shapley,
    "shapley of rates": lambda *a, **k: attribution.shapley(*a, worth="rate", **k),
    "markov": attribution.markov,
    "markov 2": lambda *a, **k: attribution.markov(*a, order=2, **k),
}

# channels by customer, None where nobody recorded it; who buys
PATHS = [
    ((None, "search", None, "mail", None), True),
    (("social", None, "search"), True),
    ((None, None), True),
    ((None, "mail"), False),
    ((None,), False),
    (("search", None, "search"), False),
]


def journeys_of(paths):
    rows = []
    for number, (channels, buys) in enumerate(paths):
        steps = [*channels, *(["shop"] if buys else [])]
        for place, channel in enumerate(steps):
            goal = buys and place == len(steps) - 1
            rows.append(
                cx.Interaction(
                    customer=f"c{number}",
                    touchpoint="buy" if goal else "page",
                    channel=channel,
                    timestamp=BEGIN + timedelta(hours=place),
                )
            )
    log = cx.InteractionLog.from_interactions(rows)
    return log.journeys(goal="buy", all_closed=True)


@pytest.mark.parametrize("model", MODELS)
def test_what_was_not_recorded_takes_no_credit_where_something_was(model):
    credit = dict(MODELS[model](journeys_of(PATHS), ignore={cx.MISSING}).credit)
    # by hand: the same journeys without the touches to ignore, but for the one with no other
    kept = [
        (tuple(c for c in channels if c is not None) or channels, buys) for channels, buys in PATHS
    ]
    # time decay looks at hours, which the touches that are left keep
    times = model == "time decay"
    expected = None if times else dict(MODELS[model](journeys_of(kept)).credit)
    if times:
        half = [2 ** -((5 - at) / 168) for at in (1, 3)]
        other = [2 ** -((3 - at) / 168) for at in (0, 2)]
        expected = {
            cx.MISSING: 1.0,
            "search": half[0] / sum(half) + other[1] / sum(other),
            "mail": half[1] / sum(half),
            "social": other[0] / sum(other),
        }
    assert credit == pytest.approx(expected)
    assert MODELS[model](journeys_of(PATHS)).credit[cx.MISSING] > credit[cx.MISSING]


def test_models_are_compared_on_the_same_touches():
    found = attribution.compare_models(journeys_of(PATHS), ignore={cx.MISSING})
    rows = {row["channel"]: row for row in found.table}
    one = attribution.linear(journeys_of(PATHS), ignore={cx.MISSING})
    assert rows["search"]["linear"] == pytest.approx(one.credit["search"] / one.total)
    assert found.total == 3
    places = attribution.shapley_by_position(journeys_of(PATHS), ignore={cx.MISSING})
    assert places.total == 3
    by_name = [row["credit"] for row in places.table if row["channel"] == cx.MISSING]
    assert sum(by_name) == pytest.approx(1)


def test_look_back_and_ignore_go_together():
    recent = attribution.linear(
        journeys_of(PATHS), look_back=timedelta(hours=2), ignore={cx.MISSING}
    )
    # c0: mail alone; c1: search alone (social lies 3 h back); c2: nothing else
    assert dict(recent.credit) == pytest.approx({"mail": 1, "search": 1, cx.MISSING: 1})


@pytest.mark.parametrize("model", MODELS)
def test_ignore_takes_names(model):
    with pytest.raises(InvalidValue, match="ignore"):
        MODELS[model](journeys_of(PATHS), ignore=3)
