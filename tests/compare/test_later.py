"""What comes later, whole journeys, names of sides, and what tells those who leave apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.compare import between, segments
from cxjourney.exceptions import InvalidValue, UnknownName

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RULES = {"goal": "buy", "inactivity": timedelta(days=5)}


def log_of(rows, *, until=60.0, attributes=(), customer_attributes=None):
    """Return the log of rows (customer, case, touchpoint, day, attributes of the interaction)."""
    customer, case, touchpoint, day, *values = zip(*rows, strict=True)
    columns = {
        "customer": list(customer),
        "case": list(case),
        "touchpoint": list(touchpoint),
        "time": [str(BEGIN + timedelta(days=float(d))) for d in day],
    }
    columns |= dict(zip(attributes, map(list, values), strict=True))
    return cx.InteractionLog.from_frame(
        columns,
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
        journey="case",
        attributes=list(attributes),
        observed_until=BEGIN + timedelta(days=until),
    )


def walks(seed, n, *, loses=0.0, from_day=0.0, prefix="c"):
    """Return journeys start → web → cart → pay → buy; those of "faulty" may leave two steps later.

    Half of the journeys pass "faulty" in place of "web", and of these `loses` more leave at pay.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        day, faulty = float(rng.uniform(from_day, from_day + 40)), rng.random() < 0.5
        path = ["start", "faulty" if faulty else "web", "cart", "pay", "buy"]
        leaves = [0.2, 0.15, 0.15, 0.2 + (loses if faulty else 0.0)]
        for step, name in enumerate(path):
            rows.append((f"{prefix}{i % (n // 2)}", f"{prefix}{i}", name, day + step))
            if step < 4 and rng.random() < leaves[step]:
                break
    return rows


def test_a_fault_that_shows_two_steps_later_is_found_downstream_and_not_by_exits():
    where, at_exits, reached = [], [], []
    for seed in range(10):
        before = log_of(walks(seed, 1_500)).journeys(**RULES)
        after = log_of(walks(1_000 + seed, 1_500, loses=0.35, prefix="d")).journeys(**RULES)
        found = between(before, after, names=("before", "after"), reaching="pay")
        sure = found.discoveries
        where.append(
            next(c for c in found.ranking if c.kind == "downstream" and c.touchpoint != "pay")
        )
        at_exits += [c.touchpoint for c in sure if c.kind == "exit"]
        reached += [c.q_value <= 0.05 for c in found.ranking if c.to == "pay" and c.kind != "exit"]
        estimate = found.estimate("faulty", cx.CONVERSION, kind="downstream")
        # .85 · .85 of those who are there reach pay, where .8 and .45 of them go on
        assert estimate.low < -0.35 * 0.85 * 0.85 < estimate.high
    assert [c.touchpoint for c in where].count("faulty") >= 9
    assert all(c.q_value < 1e-3 and c.difference.high < 0 for c in where)
    assert np.mean(reached) <= 0.1  # the way to pay is as before
    # a one-step view names the touchpoint where they leave, never the one that made them
    assert set(at_exits) == {"pay"}


def test_the_whole_journeys_stand_first_with_second_minus_first():
    before = log_of(walks(1, 800)).journeys(**RULES)
    after = log_of(walks(2, 800, loses=0.35, prefix="d")).journeys(**RULES)
    found = between(before, after, names=("old shop", "new shop"), window=timedelta(days=10))
    lead = {row["figure"]: row for row in found.headline}
    assert list(lead) == ["conversion", "drop-off", "visits"]
    for name, side in (("value_against", before), ("value", after)):
        # all journeys take four days and all are followed for fifteen more
        won = (side.outcome == 0).mean()
        assert lead["conversion"][name] == pytest.approx(won)
        assert lead["drop-off"][name] == pytest.approx(1 - won)
        visits = (np.diff(side.offsets) - side.absorbed).mean()
        assert lead["visits"][name] == pytest.approx(visits)
    row = lead["conversion"]
    assert (row["against"], row["group"]) == ("old shop", "new shop")
    assert row["difference"] == row["value"] - row["value_against"] < 0
    assert row["low"] < row["difference"] < row["high"] < 0
    odds = [p / (1 - p) for p in (row["value"], row["value_against"])]
    assert row["odds_ratio"] == pytest.approx(odds[0] / odds[1])
    shown = repr(found).splitlines()
    assert shown[1].startswith("Conversion within 10 days:")
    assert "in old shop" in shown[1]
    assert shown[1].index("old shop") < shown[1].index("new shop")
    assert shown[2].split()[:2] == ["figure", "old"]
    assert any("Every difference is new shop minus old shop." in line for line in shown)
    assert found.table["probability"][0] - found.table["probability_against"][0] == pytest.approx(
        found.table["difference"][0]
    )


def test_values_are_compared_where_conversions_have_them():
    paths = [["web"], ["web", "cart"]]
    one = cx.Journeys.from_paths(paths, converted=[10, 30], dropped=[30, 30], value=[100, 900])
    two = cx.Journeys.from_paths(paths, converted=[10, 30], dropped=[30, 30], value=[100, 1500])
    lead = {row["figure"]: row for row in between(one, two).headline}
    # a journey of the second is worth 1,600 / 100
    assert lead["value"]["value"] == pytest.approx(16)
    assert lead["value"]["difference"] == pytest.approx(6)
    assert np.isnan(lead["value"]["odds_ratio"])


def test_sides_are_named_by_what_tells_them_apart():
    log = log_of(walks(3, 400))
    cut = BEGIN + timedelta(days=20)
    periods = [part.journeys(**RULES) for part in (log.between(None, cut), log.between(cut, None))]
    found = between(*periods)
    days = (("2026-01-01", "2026-01-20"), ("2026-01-21", "2026-02-09"))
    assert set(found.table["against"]) == {" to ".join(days[0])}
    assert set(found.table["group"]) == {" to ".join(days[1])}
    rows = [(*row, "phone" if i % 2 else "desk") for i, row in enumerate(walks(4, 300))]
    rows = [(w, c, x, d, "phone" if int(c[1:]) % 2 else "desk") for w, c, x, d, _ in rows]
    journeys = log_of(rows, attributes=["device"]).journeys(**RULES)
    coded = journeys.segment("device")
    phone = coded.codes == coded.names.index("phone")
    sides = between(journeys.where(~phone), journeys.where(phone))
    assert (sides.table["against"][0], sides.table["group"][0]) == ("desk", "phone")
    # nothing tells them apart
    half = np.arange(len(journeys)) % 3 == 0
    mixed = between(journeys.where(half), journeys.where(~half))
    assert (mixed.table["against"][0], mixed.table["group"][0]) == ("first", "second")


def test_unequal_follow_up_shifts_nothing():
    rows = walks(5, 3_000)
    long = log_of(rows).journeys(**RULES)
    early = [row for row in walks(6, 3_000, prefix="d") if row[3] <= 22]
    short = log_of(early, until=22).journeys(**RULES)
    found = between(short, long, window=timedelta(days=6))
    for row in found.headline:
        assert row["low"] < 0 < row["high"]
    raw = [(side.outcome == 0).mean() for side in (short, long)]
    assert raw[1] - raw[0] > 0.05  # counted as they are
    estimate = found.estimate("web", cx.CONVERSION, kind="downstream")
    assert estimate.low < 0 < estimate.high


def with_traits(seed, n=1_500, *, planted=True):
    """Return journeys web → (help) → cart → buy with a trait of customers and one that comes late.

    Members, and those who visited help before, leave the cart more often. Everybody who stays at
    the cart is asked for a rating, and who buys is recorded as "buyer" at that moment.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        member = "yes" if (i % (n // 3)) % 4 == 0 else "no"
        day, helped = float(rng.uniform(0, 40)), rng.random() < 0.3
        path = ["web", *(["help"] if helped else []), "cart"]
        for step, name in enumerate(path):
            rows.append((f"c{i % (n // 3)}", f"{i}", name, day + step, member, None))
        extra = (0.15 * helped + 0.2 * (member == "yes")) if planted else 0.0
        if rng.random() < 0.3 + extra:
            continue
        for step, name in enumerate(["rating", "buy"]):
            rows.append((f"c{i % (n // 3)}", f"{i}", name, day + len(path) + step, member, "buyer"))
    return log_of(rows, attributes=["member", "label"]).journeys(**RULES)


def test_what_tells_those_who_leave_a_step_is_found_with_its_size():
    found = segments(with_traits(1), of="cart")
    rows = {row["group"]: row for row in found.table}
    assert {c.group for c in found.discoveries} == {"member = yes", "help before"}
    member = rows["member = yes"]
    assert (member["against"], member["touchpoint"], member["to"]) == (
        "member = no",
        "cart",
        cx.DROPOFF,
    )
    assert member["low"] < 0.2 < member["high"]
    assert rows["help before"]["low"] < 0.15 < rows["help before"]["high"]
    p = member["probability"], member["probability_against"]
    assert member["odds_ratio"] == pytest.approx(p[0] / (1 - p[0]) * (1 - p[1]) / p[1])
    assert member["odds_low"] > 1
    # the exit that it tells of is that of the step, and q-values run over all candidates
    assert set(found.table["touchpoint"]) == {"cart"}
    assert found.n_comparisons == len(found.table) == len(rows)


def test_what_happened_after_the_step_is_never_used():
    journeys = with_traits(2)
    for of in ("cart", cx.CONVERSION):
        found = segments(journeys, of=of)
        text = " ".join(found.table["group"])
        assert "label" not in text  # known only of those who stayed
        assert "rating" not in text
    # a label may know how a journey went: it is looked at only if asked for
    labelled = journeys.label("won", journeys.outcome == 0)
    assert "won = yes" not in segments(labelled, of="cart").table["group"]
    assert segments(labelled, "won", of="cart").table["group"] == ("won = yes",)
    # a later visit of the same journey does not say what came before an earlier one
    rows = []
    for i in range(200):
        rows += [(f"c{i}", f"{i}", "cart", 1.0), (f"c{i}", f"{i}", "help", 2.0)]
        rows += [(f"c{i}", f"{i}", "cart", 3.0)] * (i % 2)
    found = segments(
        log_of(rows).journeys(goal="buy", inactivity=timedelta(days=5), touchpoints=["buy"]),
        of="cart",
    )
    rows = {row["group"]: row for row in found.table}
    assert set(rows) == {"help before", "cart before"}
    assert (rows["help before"]["visits"], rows["help before"]["visits_against"]) == (100, 200)
    assert rows["help before"]["probability"] == 1
    assert rows["help before"]["probability_against"] == 0


def test_what_tells_those_who_convert():
    journeys = with_traits(3)
    found = segments(journeys, of=cx.CONVERSION, window=timedelta(days=9))
    (row,) = found.table
    assert row["group"] == "member = yes"
    assert (row["kind"], row["touchpoint"], row["to"]) == ("downstream", cx.START, cx.CONVERSION)
    member = journeys.segment("member")
    mine = member.codes == member.names.index("yes")
    won = journeys.outcome == 0
    assert row["probability"] == pytest.approx(won[mine].mean())
    assert row["probability_against"] == pytest.approx(won[~mine].mean())
    assert row["high"] < 0
    assert "Conversion" not in repr(found).splitlines()[1]


def test_where_nothing_is_planted_nothing_is_told():
    alarms = 0
    for seed in range(60):
        journeys = with_traits(100 + seed, 300, planted=False)
        alarms += segments(journeys, of="cart").n_discoveries > 0
    assert alarms <= 8  # 3 are to be expected; 9 or more has a probability of .003


def test_segments_and_strata_of_a_search():
    journeys = with_traits(4)
    alone = segments(journeys, "member", of="cart", strata="member")
    assert alone.table["group"] == ("member = yes",)
    assert np.isnan(alone.table["adjusted"]).all()  # within themselves there is nothing to compare
    begun: list[str] = []
    segments(journeys, ["member"], of="cart", begin=begun.append)
    assert begun == ["member = yes against member = no"]
    with pytest.raises(UnknownName, match="crat"):
        segments(journeys, of="crat")
    with pytest.raises(InvalidValue, match="segment must be an attribute where of= is not given"):
        segments(journeys)
    with pytest.raises(UnknownName, match="payy"):
        segments(journeys, "member", reaching="payy")


def test_downstream_within_strata_is_standardised():
    # within devices nothing differs, but the second period has more phones, which convert less
    rows = []
    for period, phones in ((0, 100), (1, 300)):
        for i in range(400):
            phone = i < phones
            buys = i % 10 < (2 if phone else 6)
            name = f"{period} {i}"
            base = (name, name, "phone" if phone else "desk")
            rows += [(*base[:2], "web", 1.0 + 20 * period, base[2])]
            rows += [(*base[:2], "app", 2.0 + 20 * period, base[2])]
            rows += [(*base[:2], "buy", 3.0 + 20 * period, base[2])] * buys
    log = log_of(rows, attributes=["device"])
    cut = BEGIN + timedelta(days=15)
    parts = [part.journeys(**RULES) for part in (log.between(None, cut), log.between(cut, None))]
    found = between(*parts, strata="device")
    later = next(r for r in found.table if r["kind"] == "downstream" and r["touchpoint"] == "web")
    for row in (later, found.headline.row(0)):
        assert row["difference"] == pytest.approx(-0.2)
        assert row["adjusted"] == pytest.approx(0, abs=1e-9)
        assert row["adjusted_low"] < 0 < row["adjusted_high"]
    assert "0.0 points" in repr(found).splitlines()[1]
    assert "within 'device'" in repr(found).splitlines()[1]


def test_it_is_drawn_with_the_group_to_the_right():
    pytest.importorskip("matplotlib")
    found = between(
        log_of(walks(1, 300)).journeys(**RULES),
        log_of(walks(2, 300, prefix="d")).journeys(**RULES),
        names=("before", "after"),
    )
    ax = found.plot(max_rows=5)
    assert "after minus before" in ax.get_xlabel()
    assert len(ax.get_yticklabels()) == 5
    assert cx.compare.Differences.from_dict(found.to_dict()).to_dict() == found.to_dict()


def test_without_a_goal_conversions_are_left_out_and_nothing_else():
    log = cx.datasets.sample(seed=1, customers=300).log
    journeys = log.journeys(inactivity=timedelta(days=14))
    found = segments(journeys, "segment", reaching="cart")
    assert set(found.headline["figure"]) == {"drop-off", "visits"}
    assert cx.CONVERSION not in found.table["to"]
    assert "cart" in found.table["to"]
    assert sum("conversions are not compared" in caveat for caveat in found.caveats) == 1
    with pytest.raises(InvalidValue, match="goal="):
        segments(journeys, of=cx.CONVERSION)
