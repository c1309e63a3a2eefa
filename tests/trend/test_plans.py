"""Initiatives as marks and targets as gaps on a trend."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.experiments import Initiative, Target
from cxjourney.metrics import Metric

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
UNTIL = BEGIN + timedelta(weeks=19, hours=36)  # the last journeys are too young


def shop(*, rate: float = 0.5, jump: float = 0.0, per_week: int = 100) -> cx.Journeys:
    """Return journeys ad, cart, of which a share buys a day later, another share from week 10."""
    rows: list[tuple[str, str, datetime]] = []
    for week in range(20):
        won = round(per_week * (rate + jump * (week >= 10)))
        for i in range(per_week):
            name, start = f"c{week}-{i}", BEGIN + timedelta(weeks=week, hours=i % 24)
            rows += [(name, "ad", start), (name, "cart", start + timedelta(hours=2))]
            if i < won:
                rows.append((name, "buy", start + timedelta(days=1)))
    rows = [row for row in rows if row[2] < UNTIL]
    customer, touchpoint, when = zip(*rows, strict=True)
    log = cx.InteractionLog.from_frame(
        {"c": customer, "t": touchpoint, "w": list(when)},
        customer="c",
        touchpoint="t",
        timestamp="w",
        observed_until=UNTIL,
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=3))


@pytest.fixture(scope="module")
def steady() -> cx.Journeys:
    return shop()


def verdict(journeys: cx.Journeys, target: Target) -> str:
    (row,) = cx.trend(journeys, target.figure, targets=target).targets
    return str(row["verdict"])


def test_verdict_is_that_of_the_interval_in_the_period_of_the_day(steady: cx.Journeys) -> None:
    day = "2026-03-18"  # a Wednesday: of the week from 03-16
    found = cx.trend(steady, "conversion_rate", targets=Target("conversion_rate", 0.3, by=day))
    at = found.periods["period"].index("2026-03-16")
    (row,) = found.targets
    assert row["period"] == row["due"] == "2026-03-16"
    for name in ("value", "low", "high"):
        assert row[name] == found.periods[name][at]
    assert row["gap"] == pytest.approx(0.2)
    low, high = (float(found.periods[name][at]) for name in ("low", "high"))
    for value, better, said in (
        (low, None, "reached"),
        (low - 1e-9, None, "reached"),
        (low + 1e-9, None, "too few to tell"),
        (high, None, "too few to tell"),
        (high + 1e-9, None, "not reached"),
        (high, "lower", "reached"),
        (high - 1e-9, "lower", "too few to tell"),
        (low, "lower", "too few to tell"),
        (low - 1e-9, "lower", "not reached"),
    ):
        target = Target("conversion_rate", value, by=day, better=better)  # type: ignore[arg-type]
        assert verdict(steady, target) == said, (value, better)


def test_exit_rates_are_better_lower_and_metrics_say_themselves(steady: cx.Journeys) -> None:
    assert verdict(steady, Target("exit_rate", 0.6, by="2026-03-18")) == "reached"
    assert verdict(steady, Target("exit_rate", 0.6, by="2026-03-18", better="higher")) != "reached"
    assert verdict(steady, Target("visits_per_journey", 2, by="2026-03-18")) == "reached"
    steps = Metric(
        name="steps",
        unit="steps",
        direction="lower",
        definition="interactions of a journey",
        per_journey=lambda journeys: journeys.lengths,
    )
    found = cx.trend(steady, steps, targets=[Target("steps", 1.5, by="2026-03-18")])
    assert [row["better"] for row in found.targets] == ["lower"]
    assert [row["verdict"] for row in found.targets] == ["not reached"]


def test_days_that_are_not_over_or_were_never_seen_get_no_verdict(steady: cx.Journeys) -> None:
    for day, said in (
        ("2026-05-24", "too early to tell"),  # its week was watched to its end, its journeys not
        ("2027-01-01", "too early to tell"),
        ("2025-12-31", "not observed"),
    ):
        assert verdict(steady, Target("conversion_rate", 0.1, by=day)) == said
    (row,) = cx.trend(
        steady, "conversion_rate", targets=Target("conversion_rate", 0.1, by="2027-01-01")
    ).targets
    assert row["due"] == "2026-12-28"
    assert row["period"] == "2026-05-11"  # the last final one
    assert row["gap"] == pytest.approx(0.4)


def test_weeks_without_anybody_are_not_observed() -> None:
    rows = [(f"c{i}", "ad", BEGIN + timedelta(weeks=w)) for w in (0, 4) for i in range(w, 200, 8)]
    customer, touchpoint, when = zip(*rows, strict=True)
    log = cx.InteractionLog.from_frame(
        {"c": customer, "t": touchpoint, "w": list(when)},
        customer="c",
        touchpoint="t",
        timestamp="w",
        observed_until=UNTIL,
    )
    journeys = log.journeys(inactivity="1d")
    assert verdict(journeys, Target("visits_per_journey", 1, by="2026-01-20")) == "not observed"


def test_targets_of_other_figures_are_left_out_and_counted(steady: cx.Journeys) -> None:
    all_of_them = [
        Target("conversion_rate", 0.4, by="2026-04-01"),
        Target("exit_rate:cart", 0.1, by="2026-04-01"),
        Target("conversion_rate", 0.3, by="2026-03-01"),
    ]
    found = cx.trend(steady, "conversion_rate", targets=all_of_them)
    assert found.targets["by"] == ("2026-03-01", "2026-04-01")
    assert "Not shown: 1 target of other figures." in found.notes
    assert len(cx.trend(steady, "exit_rate:cart", targets=all_of_them).targets) == 1


def test_change_is_named_after_what_began_then() -> None:
    journeys = shop(rate=0.3, jump=0.3)
    plans = [
        Initiative("New cart", "2026-03-16", phases={"all": "2026-03-18", "tv": "2026-04-20"}),
        Initiative("Old idea", date(2026, 1, 12), touchpoints=["ad"]),
    ]
    found = cx.trend(journeys, "conversion_rate", initiatives=plans)
    assert found.since_low <= "2026-03-16" <= found.since_high
    assert found.marks["date"] == ("2026-03-16", "2026-03-18", "2026-04-20", "2026-01-12")
    assert found.marks["period"] == ("2026-03-16", "2026-03-16", "2026-04-20", "2026-01-12")
    dated = [note for note in found.notes if note.startswith("The change is dated")]
    inside = [day for day in found.marks["date"] if found.since_low <= str(day) <= found.since_high]
    assert len(dated) == len(inside) >= 1
    assert "'New cart' began (2026-03-16)" in dated[0]
    assert not any("New cart" in note for note in cx.trend(shop(), "conversion_rate").notes)


def test_trends_of_other_touchpoints_do_not_mark_it(steady: cx.Journeys) -> None:
    plan = Initiative("New cart", "2026-03-16", touchpoints="cart")
    assert len(cx.trend(steady, "exit_rate:cart", initiatives=plan).marks) == 1
    elsewhere = cx.trend(steady, "exit_rate:ad", initiatives=plan)
    assert len(elsewhere.marks) == 0
    assert "Not shown: 1 initiative of other touchpoints." in elsewhere.notes


def test_segments_and_statistics_have_the_same_verdicts(steady: cx.Journeys) -> None:
    target = Target("conversion_rate", 0.3, by="2026-03-18")
    whole = cx.trend(steady, "conversion_rate", targets=target).targets
    counted = steady.statistics(analyses={"trend": {"figure": "conversion_rate"}})
    assert cx.trend(counted, "conversion_rate", targets=target).targets == whole


def test_result_goes_to_json_and_back_and_is_drawn(steady: cx.Journeys) -> None:
    found = cx.trend(
        steady,
        "conversion_rate",
        by="quarter",
        initiatives=[Initiative("<b>x</b>", "2026-03-16"), Initiative("y", "2019-03-16")],
        targets=[Target("conversion_rate", x, by="2026-03-18") for x in (0.3, 0.7)]
        + [Target("conversion_rate", 0.5, by="2031-03-18")],
    )
    back = cx.load(found.to_dict())
    assert isinstance(back, cx.Trend)
    assert (back.marks, back.targets, back.notes) == (found.marks, found.targets, found.notes)
    ax = found.plot()
    assert [text.get_text() for text in ax.texts if "point" not in text.get_text()] == ["<b>x</b>"]
    drawn = [x.get_offsets() for x in ax.collections if x.get_zorder() == 4]
    assert [y for _, y in np.concatenate(drawn)] == [0.3, 0.7]  # that of 2031 lies off the page


def test_messages_name_the_rule(steady: cx.Journeys) -> None:
    with pytest.raises(InvalidValue, match=r"by must be a date such as '2026-03-01'.*'June'"):
        Target("conversion_rate", 0.3, by="June")
    with pytest.raises(InvalidValue, match="value must be finite"):
        Target("conversion_rate", float("nan"), by="2026-03-18")
    with pytest.raises(InvalidValue, match="better must be one of 'higher', 'lower'"):
        Target("conversion_rate", 0.1, by="2026-03-18", better="up")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="begin no phase before the start, 2026-03-18"):
        Initiative("x", "2026-03-18", phases={"pilot": "2026-03-17"})
    with pytest.raises(InvalidValue, match=r"phases\['pilot'\] must be a date"):
        Initiative("x", "2026-03-18", phases={"pilot": 3})  # type: ignore[dict-item]
    with pytest.raises(UnknownName, match=r"'carts' .*initiative 'x'.*did you mean 'cart'"):
        cx.trend(steady, "visits", initiatives=Initiative("x", "2026-03-18", touchpoints="carts"))
    with pytest.raises(InvalidValue, match="targets must hold Targets only"):
        cx.trend(steady, "visits", targets=["visits"])  # type: ignore[list-item]
    with pytest.raises(InvalidValue, match="initiatives must be Initiatives"):
        cx.trend(steady, "visits", initiatives=3)  # type: ignore[call-overload]


@given(
    value=st.floats(0, 1),
    week=st.integers(-3, 30),
    better=st.sampled_from(["higher", "lower"]),
)
def test_verdict_never_contradicts_the_gap(value: float, week: int, better: str) -> None:
    found = cx.trend(
        STEADY,
        "conversion_rate",
        targets=Target(
            "conversion_rate",
            value,
            by=(BEGIN + timedelta(weeks=week)).date(),
            better=better,  # type: ignore[arg-type]
        ),
    )
    (row,) = found.targets
    gap = float(row["gap"]) * (1 if better == "higher" else -1)  # type: ignore[arg-type]
    if row["verdict"] == "reached":
        assert gap >= 0
    if row["verdict"] == "not reached":
        assert gap < 0
    assert (row["verdict"] == "not observed") == (week < 0)
    assert np.isnan(gap) == (row["period"] == "")
    assert attrs.evolve(found, targets=found.targets) == found or np.isnan(found.before)


STEADY = shop(per_week=40)
