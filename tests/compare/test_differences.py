"""Comparisons: against textbook tests where those apply, and where they do not."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from scipy.stats import t as student

import cxjourney as cx
from cxjourney._stats.aalen_johansen import MOVED
from cxjourney._stats.buckets import bucket_of
from cxjourney._stats.significance import false_discovery
from cxjourney._stats.units import Units
from cxjourney.compare import Differences, between, segments
from cxjourney.compare._contrast import contrast_of, contrast_of_graphs
from cxjourney.compare._evidence import adjusted
from cxjourney.compare._observations import Observations, observations_of
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, UnknownName
from cxjourney.journeys import IN_PROGRESS, units_of, visits_of
from cxjourney.metrics import newcombe

# random logs go on after their observation has ended, on purpose
pytestmark = pytest.mark.filterwarnings("ignore:.* after observed_until and still count")

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def closed_cases(rows) -> cx.Journeys:
    """Return journeys of one touch: (customer, stays, attributes); all cases are closed."""
    columns: dict[str, list] = {"customer": [], "time": [], "touchpoint": [], "case": []}
    attributes = list(rows[0][2]) if rows else []
    columns |= {name: [] for name in attributes}
    for case, (customer, stays, values) in enumerate(rows):
        for hour, touchpoint in enumerate(("web", "buy") if stays else ("web",)):
            columns["customer"].append(customer)
            columns["time"].append(BEGIN + timedelta(hours=24 * case + hour))
            columns["touchpoint"].append(touchpoint)
            columns["case"].append(str(case))
            for name in attributes:
                columns[name].append(values[name])
    log = cx.InteractionLog.from_frame(
        {name: np.array(values) for name, values in columns.items() if name != "time"}
        | {"time": [str(t) for t in columns["time"]]},
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
        journey="case",
        attributes=attributes,
    )
    return log.journeys(goal="buy", all_closed=True)


def arm(name, stratum, stays, n, *, each=1):
    return [
        (f"{name} {stratum} {i}", i < stays, {"group": name, "device": stratum})
        for i in range(n)
        for _ in range(each)
    ]


def paths(stays: int, leaves: int) -> cx.Journeys:
    return cx.Journeys.from_paths([["web"]], converted=[stays], dropped=[leaves])


def pooled_z(a, m, b, n):
    p = (a + b) / (m + n)
    return (a / m - b / n) / math.sqrt(p * (1 - p) * (1 / m + 1 / n))


def two_sided(z):
    return math.erfc(abs(z) / math.sqrt(2))


def test_simpsons_paradox_is_seen():
    # METHODS section 14: A 80/100 against 9/10, B 2/10 against 30/100
    journeys = closed_cases(
        [
            *arm("new", "phone", 80, 100),
            *arm("old", "phone", 9, 10),
            *arm("new", "desk", 2, 10),
            *arm("old", "desk", 30, 100),
        ]
    )
    found = segments(journeys, "group", strata="device")
    rows = {(row["touchpoint"], row["to"]): row for row in found.table}
    loss = rows["web", cx.DROPOFF]
    assert (loss["group"], loss["against"]) == ("old", "new")  # the second minus the first
    assert loss["difference"] == pytest.approx(0.3909, abs=5e-5)
    assert loss["adjusted"] == pytest.approx(-0.10, abs=1e-12)
    assert loss["reversed"]
    assert loss["adjusted_low"] < -0.10 < loss["adjusted_high"]
    # odds of leaving: 71/39 of the old, 28/82 of the new
    assert loss["odds_ratio"] == pytest.approx((71 / 39) / (28 / 82))
    assert loss["odds_low"] < loss["odds_ratio"] < loss["odds_high"]
    # the whole journey says so too, and the warning stands before all other notes
    lead = found.headline.row(0)
    assert (lead["figure"], lead["group"]) == ("conversion", "old")
    assert lead["difference"] == pytest.approx(-0.3909, abs=5e-5)
    assert lead["adjusted"] == pytest.approx(0.10, abs=1e-12)
    assert repr(found).split("\n* ")[1].count("Simpson") == 1
    # stratified by the groups themselves there is nothing to compare within a stratum
    alone = segments(journeys, "group", strata="group")
    assert np.isnan(alone.table["adjusted"]).all()


def test_a_reversal_that_may_be_chance_is_none():
    journeys = closed_cases(
        [
            *arm("new", "phone", 5, 8),
            *arm("old", "phone", 2, 3),
            *arm("new", "desk", 1, 3),
            *arm("old", "desk", 3, 8),
        ]
    )
    table = segments(journeys, "group", strata="device", min_count=1).table
    row = next(row for row in table if row["touchpoint"] == "web")
    assert row["difference"] * row["adjusted"] < 0
    assert row["adjusted_low"] < 0 < row["adjusted_high"]
    assert not row["reversed"]


def test_strata_weigh_as_mantel_and_haenszel_say():
    sizes = {"x": ((12, 30), (9, 40)), "y": ((50, 60), (3, 5)), "z": ((7, 7), (0, 0))}
    rows = []
    for stratum, ((a, m), (c, n)) in sizes.items():
        rows += [*arm("new", stratum, a, m), *arm("old", stratum, c, n)]
    journeys = closed_cases(rows)
    weights = {s: m * n / (m + n) for s, ((_, m), (_, n)) in sizes.items()}
    expected = sum(
        weights[s] * (a / m - c / n) for s, ((a, m), (c, n)) in sizes.items() if n
    ) / sum(weights.values())
    table = segments(journeys, "group", strata="device").table
    row = next(row for row in table if row["touchpoint"] == "web")
    assert (row["group"], row["to"]) == ("old", cx.DROPOFF)
    assert row["adjusted"] == pytest.approx(expected)  # of exits: what the others stay
    # what only the new ones have says nothing of the difference
    seen = observations_of(journeys, "touchpoint")
    group, device = (journeys.segment(name) for name in ("group", "device"))
    sides = [seen.take(group.codes[seen.journey] == group.names.index(x)) for x in ("new", "old")]
    strata = [device.codes[side.journey] for side in sides]
    contrast = contrast_of(*sides)
    found = adjusted(contrast, tuple(sides), tuple(strata), level=0.95)
    web = contrast.source == 0
    assert found.first.units.sum(axis=0)[web].tolist() == pytest.approx([90, 90])
    assert found.second.units.sum(axis=0)[web].tolist() == pytest.approx([45, 45])


def test_what_is_unknown_is_a_stratum_of_its_own():
    rows = [*arm("new", "x", 12, 30), *arm("old", "x", 9, 40)]
    known = segments(
        closed_cases([*rows, *arm("new", "y", 20, 25), *arm("old", "y", 3, 20)]),
        "group",
        strata="device",
    )
    unknown = segments(
        closed_cases([*rows, *arm("new", None, 20, 25), *arm("old", None, 3, 20)]),
        "group",
        strata="device",
    )
    assert unknown.table["adjusted"].tolist() == pytest.approx(known.table["adjusted"].tolist())


def test_one_stratum_changes_nothing():
    journeys = closed_cases([*arm("new", "all", 40, 60), *arm("old", "all", 20, 50)])
    table = segments(journeys, "group", strata="device").table
    np.testing.assert_allclose(table["adjusted"], table["difference"], atol=1e-12)
    assert not np.any(table["reversed"])


def test_the_interval_of_the_adjusted_difference_is_as_wide_as_it_scatters():
    rng = np.random.default_rng(6)
    sizes = {(0, 0): 200, (0, 1): 60, (1, 0): 40, (1, 1): 150}  # group, stratum
    p = {(0, 0): 0.7, (0, 1): 0.4, (1, 0): 0.6, (1, 1): 0.3}  # 10 points within each stratum
    group, stratum = (np.repeat([key[i] for key in sizes], list(sizes.values())) for i in (0, 1))
    n = len(group)
    buckets = bucket_of([f"c{i}" for i in range(n)])
    values, half = [], []
    for _ in range(400):
        stays = rng.random(n) < np.repeat([p[key] for key in sizes], list(sizes.values()))
        every = Observations(
            names=("web",),
            source=np.zeros(n, dtype=np.int64),
            target=np.where(stays, 2, 3),
            wait_us=np.zeros(n, dtype=np.int64),
            state=np.full(n, MOVED, dtype=np.int8),
            journey=np.arange(n),
            customer=np.arange(n),
            multiplicity=np.ones(n),
            customer_ids=None,
            units=Units.of_buckets(buckets),
        )
        groups = (every.take(group == 0), every.take(group == 1))
        strata = (stratum[group == 0], stratum[group == 1])
        result = adjusted(contrast_of(*groups), groups, strata, level=0.95)
        values.append(result.difference[0])
        half.append((result.high[0] - result.low[0]) / 2)
    assert np.mean(values) == pytest.approx(0.1, abs=0.01)
    assert np.mean(half) == pytest.approx(student.ppf(0.975, 60) * np.std(values), rel=0.1)


def test_golden_false_false_discovery():
    # METHODS section 14
    found = false_discovery(np.array([0.01, math.nan, 0.04, 0.03, 0.2]))
    assert found == pytest.approx([0.04, math.nan, 0.16 / 3, 0.16 / 3, 0.2], nan_ok=True)


def hybrid(rows, *, level=0.95):
    """Return the interval of a difference of shares and its p-value, over (side, bucket, hit)."""

    def share(side, without=None):
        hits = [hit for s, bucket, hit in rows if s == side and bucket != without]
        return sum(hits) / len(hits)

    def count(side, bucket):
        return sum(s == side and b == bucket for s, b, _ in rows)

    buckets = sorted({bucket for _, bucket, _ in rows})
    factor = (len(buckets) - 1) / len(buckets)
    total = [sum(count(side, b) for b in buckets) for side in (0, 1)]
    p = [share(0), share(1)]
    parts = [[share(side, b) - p[side] for b in buckets] for side in (0, 1)]
    v = [factor * sum(x * x for x in part) for part in parts]
    r = factor * sum(x * y for x, y in zip(*parts, strict=True)) / math.sqrt(v[0] * v[1])
    n = [p[side] * (1 - p[side]) / v[side] for side in (0, 1)]
    sizes = [sum(count(side, b) / total[side] ** 2 for side in (0, 1)) for b in buckets]
    freedom = sum(sizes) ** 2 / sum(x * x for x in sizes) - 1
    q = student.ppf(0.5 + level / 2, freedom)
    ends = []
    for side in (0, 1):
        centre = (p[side] + q * q / (2 * n[side])) / (1 + q * q / n[side])
        half = q * math.sqrt(p[side] * (1 - p[side]) / n[side] + q * q / (4 * n[side] ** 2))
        ends.append((centre - half / (1 + q * q / n[side]), centre + half / (1 + q * q / n[side])))

    def root(x, y):
        return math.sqrt(x * x + y * y - 2 * r * x * y)

    (l0, u0), (l1, u1) = ends
    low, high = (
        p[0] - p[1] - root(p[0] - l0, u1 - p[1]),
        p[0] - p[1] + root(u0 - p[0], p[1] - l1),
    )
    pooled = (n[0] * p[0] + n[1] * p[1]) / (n[0] + n[1])
    unit = math.sqrt(pooled * (1 - pooled))
    error = root(unit / math.sqrt(n[0]), unit / math.sqrt(n[1]))
    return low, high, 2 * student.sf(abs(p[0] - p[1]) / error, freedom)


@pytest.mark.parametrize("customers", [30, 200])
def test_intervals_and_tests_are_those_of_leaving_out_a_bucket_of_customers(customers):
    rng = np.random.default_rng(customers)
    rate = rng.beta(2, 2, customers)
    rows = []
    for i in rng.integers(0, customers, 400):
        group = "a" if rng.random() < 0.4 else "b"
        stays = bool(rng.random() < 0.3 * (group == "a") + 0.7 * rate[i])
        rows.append((f"c{i}", stays, {"group": group}))
    ids = sorted({name for name, *_ in rows})
    bucket = dict(zip(ids, bucket_of(ids).tolist(), strict=True))
    row = segments(closed_cases(rows), "group").table.row(0)
    against = row["against"]
    expected = hybrid([(int(v["group"] == against), bucket[c], not stays) for c, stays, v in rows])
    assert (row["touchpoint"], row["to"]) == ("web", cx.DROPOFF)
    assert (row["low"], row["high"], row["p_value"]) == pytest.approx(expected, rel=1e-9)


def test_a_customer_of_two_logs_is_left_out_of_both():
    # 50 customers in one log, 45 in the other, 35 in both: each log alone would have a bucket for
    # each of its customers, all of them together have not
    rng = np.random.default_rng(8)
    logs = []
    for number, names in enumerate((range(50), range(15, 60))):
        rows = [
            (f"c{i}", bool(rng.random() < (0.8 if i % 2 else 0.3) - 0.1 * number), {"group": "x"})
            for i in names
            for _ in range(3)
        ]
        logs.append(rows)
    for shift in (0, 100):  # with 60 customers in all, and with 95
        second = [(f"c{int(name[1:]) + shift}", *more) for name, *more in logs[1]]
        ids = sorted({name for rows in (logs[0], second) for name, *_ in rows})
        bucket = dict(zip(ids, bucket_of(ids).tolist(), strict=True))
        expected = hybrid(
            [
                (side, bucket[name], not stays)
                for side, rows in enumerate((logs[0], second))
                for name, stays, _ in rows
            ]
        )
        found = between(closed_cases(second), closed_cases(logs[0]))
        row = next(row for row in found.table if row["touchpoint"] == "web")
        assert (row["low"], row["high"], row["p_value"]) == pytest.approx(expected, rel=1e-9)
        lead = found.headline.row(0)  # conversions are what exits are not
        ends = (-lead["high"], -lead["low"], lead["p_value"])
        assert ends == pytest.approx(expected, rel=1e-9)


@given(st.tuples(*[st.integers(0, 60)] * 4))
def test_differences_are_those_of_shares_and_tested_where_there_is_something(counts):
    a, b, c, d = counts
    found = between(paths(c, d), paths(a, b), min_count=1)
    rows = [row for row in found.table if row["touchpoint"] == "web"]
    if not (a or c) or not (a + b and c + d):
        return
    (row,) = rows
    sign = -1 if row["to"] == cx.DROPOFF else 1
    assert sign * row["difference"] == pytest.approx(a / (a + b) - c / (c + d))
    if not b and not d:
        assert math.isnan(row["p_value"])  # nobody left: nothing was compared
    if min(a + b, c + d) >= 20 and (b or d):
        assert 0 <= row["p_value"] <= 1
        assert row["low"] <= row["difference"] <= row["high"]


def test_intervals_are_newcombes_on_independent_visits():
    row = between(paths(4800, 3200), paths(5600, 1400)).table.row(0)
    low, high = newcombe(5600, 7000, 4800, 8000)
    sign = 1 if row["to"] == cx.CONVERSION else -1
    ends = sorted((sign * row["low"], sign * row["high"]))
    # 64 buckets know a standard error to within 9 %
    assert ends == pytest.approx([low, high], abs=0.25 * (high - low) / 2)


def test_the_same_paths_on_both_sides_are_no_pairs():
    # were each path dealt to the same buckets twice, no difference would vary
    widths = []
    for a, b in ((paths(50, 50), paths(50, 50)), (paths(50, 50).graph(), paths(50, 50).graph())):
        estimate = between(a, b).estimate("web")
        widths.append(estimate.high - estimate.low)
    low, high = newcombe(50, 100, 50, 100)
    assert widths == pytest.approx([high - low] * 2, rel=0.25)


def test_repeating_what_a_customer_did_adds_no_evidence():
    once = closed_cases([*arm("a", "x", 30, 50), *arm("b", "x", 15, 50)])
    again = closed_cases([*arm("a", "x", 30, 50, each=6), *arm("b", "x", 15, 50, each=6)])
    for name in ("p_value", "low", "high"):
        expected = segments(once, "group").table[name]
        np.testing.assert_allclose(segments(again, "group").table[name], expected)
    naive = two_sided(pooled_z(180, 300, 90, 300))
    assert segments(again, "group").ranking[0].p_value > 100 * naive


def test_turning_the_comparison_round_turns_the_signs():
    rng = np.random.default_rng(3)
    rows = [(f"c{i % 40}", bool(rng.random() < 0.5), {"group": "a"}) for i in range(120)]
    journeys = closed_cases(rows)
    first = np.arange(120) % 3 == 0  # each customer has journeys on both sides
    one, other = journeys.where(first), journeys.where(~first)
    found, turned = between(one, other), between(other, one)
    assert found.estimate("web").value == pytest.approx(-turned.estimate("web").value)
    assert found.estimate("web").low == pytest.approx(-turned.estimate("web").high)
    np.testing.assert_allclose(found.table["p_value"], turned.table["p_value"])


def random_log(seed: int, n: int = 25) -> cx.InteractionLog:
    rng = np.random.default_rng(seed)
    columns: dict[str, list] = {"customer": [], "time": [], "touchpoint": [], "plan": []}
    for customer in range(n):
        when, plan = BEGIN + timedelta(days=float(rng.uniform(0, 12))), rng.choice(["x", "y"])
        for _ in range(rng.geometric(0.25)):
            columns["customer"].append(str(customer))
            columns["time"].append(when.isoformat())
            columns["touchpoint"].append(str(rng.choice(["ad", "web", "cart", "buy"])))
            columns["plan"].append(str(plan))
            when += timedelta(days=float(rng.exponential(2)))
    return cx.InteractionLog.from_frame(
        {name: np.array(values) for name, values in columns.items()},
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
        attributes=["plan"],
        observed_until=BEGIN + timedelta(days=16),
    )


@example(2415)  # the only visit of a touchpoint in one group is still open
@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_probabilities_are_those_of_the_graph_of_each_group(seed):
    journeys = random_log(seed).journeys(goal="buy", inactivity=timedelta(days=4))
    coded = journeys.segment("plan")
    graphs = {
        name: journeys.where(coded.codes == code).graph() for code, name in enumerate(coded.names)
    }
    found = segments(journeys, "plan")
    checked = 0
    for row in found.table:
        if row["kind"] == "downstream":
            continue
        for side, column in (("group", "probability"), ("against", "probability_against")):
            graph = graphs[row[side]]
            node = graph.nodes.get(row["touchpoint"], {})
            if node.get("exits"):  # somebody fell silent there
                visits = row["visits" if side == "group" else "visits_against"]
                assert visits == node["visits"] - node["censored"]
            edge = graph.get_edge_data(row["touchpoint"], row["to"])
            if edge is not None and "probability" in edge:
                assert row[column] == pytest.approx(edge["probability"], abs=1e-9)
                checked += 1
            else:
                assert math.isnan(row[column]) or row[column] == pytest.approx(0, abs=1e-9)
    assert checked or not len(found.table)


# with a limit of 15 of 16 days nobody is seen to be silent for so long
@pytest.mark.parametrize(("customers", "limit"), [(25, 4), (90, 4), (40, 15)])
def test_replicates_are_the_comparison_of_all_other_customers(customers, limit):
    log = random_log(customers, customers)
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=limit))
    assert (journeys.outcome == IN_PROGRESS).any()
    weekend = journeys.offsets[:-1] % 3  # a stratum that has nothing to do with customers

    def compared(kept):
        group = journeys.where(kept)
        seen, plan = observations_of(group, "touchpoint"), group.segment("plan").codes
        groups = tuple(seen.take(plan[seen.journey] == i) for i in (0, 1))
        strata = tuple(weekend[kept][side.journey] for side in groups)
        contrast = contrast_of(*groups)
        names = (
            [contrast.labels[i] for i in contrast.source],
            [contrast.labels[i] for i in contrast.target],
        )
        return (
            contrast,
            adjusted(contrast, groups, strata, level=0.9),
            list(zip(*names, strict=True)),
        )

    contrast, within, keys = compared(np.ones(len(journeys), dtype=bool))
    unit = units_of(journeys).of
    # a bucket takes part where it has a visit, be it censored
    visits = visits_of(journeys)
    codes = journeys.segment("plan").codes[visits.journey]
    for i, (source, _) in enumerate(keys):
        if source != cx.START:
            for group, figures in enumerate((contrast.first, contrast.second)):
                here = (visits.node == visits.names.index(source)) & (codes == group)
                there = np.flatnonzero(figures.present[:, i])
                assert there.tolist() == np.unique(unit[visits.journey[here]]).tolist()
    left = np.unique(unit)[::5]
    checked = 0
    for b in left.tolist():
        smaller, smaller_within, smaller_keys = compared(unit != b)
        for i, key in enumerate(keys):
            j = smaller_keys.index(key) if key in smaller_keys else None
            for name in ("first", "second"):
                for large, small in ((contrast, smaller), (within, smaller_within)):
                    found = getattr(large, name).without[b, i]
                    if j is not None:
                        expected = getattr(small, name).whole[j]
                        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)
                        checked += not math.isnan(found)
                    else:
                        assert math.isnan(found) or found == pytest.approx(0, abs=1e-9)
    assert checked > 100


def test_what_only_one_customer_tells_has_no_interval():
    # all but one of the visits of group b are censored
    rows = [(f"a{i}", 1, "web", "a") for i in range(9)] + [("b0", 1, "web", "b")]
    rows += [(f"a{i}", 2, "buy", "a") for i in range(4)] + [("b0", 2, "buy", "b")]
    rows += [(f"b{i}", 9, "web", "b") for i in range(1, 9)]
    who, day, what, plan = (list(column) for column in zip(*rows, strict=True))
    log = cx.InteractionLog.from_frame(
        {"who": who, "when": [f"2026-01-{d:02}" for d in day], "what": what, "plan": plan},
        customer="who",
        timestamp="when",
        touchpoint="what",
        attributes=["plan"],
        observed_until="2026-01-10",
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=5))
    observed = observations_of(journeys, "touchpoint")
    plan_of = journeys.segment("plan")
    code = plan_of.codes[observed.journey]
    groups = [observed.take(code == plan_of.names.index(name)) for name in "ab"]
    contrast = contrast_of(*groups)
    bucket = units_of(journeys).of[
        np.flatnonzero(journeys.customer == log.customer_ids.index("b0"))
    ]
    web = contrast.source == contrast.names.index("web")
    assert np.isnan(contrast.second.without[bucket[0], web]).all()
    strata = tuple(np.zeros(len(group.source), dtype=np.int64) for group in groups)
    for low in (
        adjusted(contrast, tuple(groups), strata, level=0.95).low,
        contrast.second.variance,
    ):
        assert np.isnan(low[web]).all()


def test_how_a_journey_began_before_the_observation_is_not_known():
    log = random_log(3, 40)
    cut = log.between(BEGIN + timedelta(days=5), None)
    parts = [x.journeys(goal="buy", inactivity=timedelta(days=4)) for x in (cut, log)]
    assert parts[0].left_truncated.any()
    found = between(*parts, min_count=1)
    row = next(row for row in found.table if row["touchpoint"] == cx.START)
    begun = int(np.count_nonzero(~parts[0].left_truncated))
    assert (row["visits_against"], row["visits"]) == (begun, len(parts[1]))


def test_graphs_compare_as_the_journeys_they_were_built_from():
    a, b = paths(40, 60), paths(70, 30)
    found, of_graphs = between(a, b), between(a.graph(), b.graph())
    assert not len(of_graphs.headline)
    np.testing.assert_allclose(found.table["difference"], of_graphs.table["difference"])
    for name in ("low", "high"):  # visits are dealt to other buckets
        np.testing.assert_allclose(found.table[name], of_graphs.table[name], atol=0.06)
    with pytest.raises(InvalidValue, match="both be journeys"):
        between(a, b.graph())
    for asked in ({"strata": "device"}, {"window": timedelta(days=1)}, {"reaching": "web"}):
        with pytest.raises(InvalidValue, match=next(iter(asked))):
            between(a.graph(), b.graph(), **asked)


def test_replicates_of_a_graph_are_about_its_own_probabilities():
    log = random_log(5, 150)
    graphs = [log.journeys(goal="buy", inactivity=timedelta(days=4)).graph() for _ in range(2)]
    contrast = contrast_of_graphs(*graphs)
    counted = contrast.count[0] / contrast.at_risk[0]
    assert np.abs(counted - contrast.first.whole).max() > 0.01  # it is not what was counted
    for figures in (contrast.first, contrast.second):
        many = contrast.at_risk[0] >= 30
        off = np.nanmean(figures.without, axis=0) - figures.whole
        assert np.abs(off[many]).max() < 0.004


def test_more_than_two_values_are_compared_with_the_rest_or_in_pairs():
    rows = [
        (f"{plan} {i}", i < stays, {"plan": plan})
        for plan, stays in (("x", 10), ("y", 20), ("z", 30))
        for i in range(40)
    ]
    journeys = closed_cases(rows)
    rest = segments(journeys, "plan")
    assert set(rest.table["against"]) == {"the rest"}
    assert rest.estimate("web", group="x").value == pytest.approx(30 / 40 - 30 / 80)
    pairs = segments(journeys, "plan", against="pairs")
    assert set(zip(pairs.table["group"], pairs.table["against"], strict=True)) == {
        ("y", "x"),
        ("z", "x"),
        ("z", "y"),
    }
    first = pairs.ranking[0]
    assert (first.group, first.against, first.touchpoint) == ("z", "x", "web")
    assert first.to == cx.DROPOFF


def test_what_only_one_group_knows_is_listed_and_not_tested():
    a = cx.Journeys.from_paths([["web"], ["app"]], converted=[10, 20], dropped=[20, 20])
    found = between(paths(20, 10), a)
    (row,) = (r for r in found.table if r["touchpoint"] == "app" and r["to"] == cx.DROPOFF)
    assert row["visits_against"] == 0
    assert all(math.isnan(row[name]) for name in ("difference", "low", "high", "p_value"))
    assert "a group has too few customers there" in repr(found)
    # that nobody came to it is known, and tested
    assert found.estimate(cx.START, "app").value == pytest.approx(40 / 70)


def test_nothing_to_compare_is_an_answer():
    one = closed_cases(arm("a", "x", 3, 5))
    found = segments(one, "group")
    assert (len(found.table), found.ranking, found.discoveries) == (0, (), ())
    assert "has 1 value: nothing to compare" in repr(found)
    empty = between(paths(0, 0), paths(0, 0))
    assert (len(empty.table), empty.n_comparisons) == (0, 0)
    against_nothing = between(paths(3, 4), paths(0, 0))
    assert against_nothing.n_comparisons == 0
    assert Differences.from_dict(found.to_dict()).to_dict() == found.to_dict()


def test_without_conversions_exits_still_compare():
    a = cx.Journeys.from_paths([["web"], ["web", "web"]], converted=[0, 0], dropped=[50, 10])
    b = cx.Journeys.from_paths([["web"], ["web", "web"]], converted=[0, 0], dropped=[20, 40])
    found = between(a, b)
    assert found.estimate("web").value == pytest.approx(60 / 100 - 60 / 70)
    assert found.n_discoveries == 1


def test_one_fact_is_one_row():
    found = between(paths(30, 10), paths(10, 30))
    rows = [(row["touchpoint"], row["to"]) for row in found.table]
    assert sorted(rows) == sorted([(cx.START, "web"), ("web", cx.DROPOFF)])
    assert found.n_discoveries == 1
    # two moves and the exit do not follow from one another
    a = cx.Journeys.from_paths([["web"], ["web", "cart"]], converted=[20, 9], dropped=[10, 1])
    b = cx.Journeys.from_paths([["web"], ["web", "cart"]], converted=[10, 9], dropped=[20, 1])
    targets = [
        row["to"]
        for row in between(a, b).table
        if row["touchpoint"] == "web" and row["kind"] != "downstream"
    ]
    assert sorted(targets) == sorted([cx.CONVERSION, cx.DROPOFF, "cart"])


def test_journeys_without_a_value_are_left_out_and_counted():
    rows = [*arm("a", "x", 30, 50), *arm("b", "x", 10, 50)]
    journeys = closed_cases(rows)
    whole = segments(journeys, "group")
    assert whole.n_missing == 0
    extra = closed_cases(
        [*rows, *((f"u{i}", True, {"group": None, "device": "x"}) for i in range(7))]
    )
    found = segments(extra, "group")
    assert found.n_missing == 7
    assert found.table == whole.table


def test_q_values_run_over_all_comparisons():
    journeys = random_log(4, 120).journeys(goal="buy", inactivity=timedelta(days=4))
    table = segments(journeys, "plan").table
    known = ~np.isnan(table["p_value"])
    expected = false_discovery_control(table["p_value"][known])
    assert known.sum() > 10
    np.testing.assert_allclose(table["q_value"][known], expected)


def test_the_ranking_is_made_of_estimates():
    found = between(paths(50, 10), paths(10, 50), names=("old", "new"))
    first = found.ranking[0]
    assert (first.group, first.against, first.touchpoint) == ("new", "old", "web")
    assert first.difference.n == 120
    assert first.q_value >= first.p_value
    assert found.discoveries == found.ranking[:2]
    assert Differences.from_dict(found.to_dict()) == found
    with pytest.raises(UnknownName, match="wbe"):
        found.estimate("wbe")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"fdr": 0}, "fdr"),
        ({"min_count": 0}, "min_count"),
        ({"level": 1}, "level"),
        ({"names": ("a", "a")}, "names"),
        ({"names": 7}, "names must be a name or a list of names; got 7"),
        ({"fdr": "5%"}, "fdr must be a fraction"),
        ({"min_count": "5"}, "min_count must be a whole number from 1"),
    ],
)
def test_arguments_out_of_range_are_refused(options, name):
    with pytest.raises(InvalidValue, match=name):
        between(paths(3, 4), paths(4, 5), **options)


def test_what_is_no_journeys_is_named():
    journeys = paths(3, 4)
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not InteractionLog"):
        segments(journeys.log, "group")
    with pytest.raises(InvalidValue, match="first must be Journeys, not dict"):
        between({}, journeys)
    with pytest.raises(InvalidValue, match="second must be Journeys, not InteractionLog"):
        between(journeys.graph(), journeys.log)
    with pytest.raises(InvalidValue, match="by must be a name or a list of names; got 7"):
        between(journeys.graph(), journeys.graph(), by=7)


def test_unlike_rules_are_refused():
    log = random_log(1)
    a, b = (log.journeys(goal="buy", inactivity=timedelta(days=d)) for d in (3, 4))
    with pytest.raises(InvalidValue, match="different rules"):
        between(a, b)
    with pytest.raises(InvalidValue, match="inactivity"):
        between(a.graph(), b.graph())
    with pytest.raises(OutcomeUndetermined):
        segments(log.journeys(goal="buy"), "plan")
    with pytest.raises(UnknownName, match="paln"):
        segments(a, "paln")


@pytest.mark.oracles("statsmodels")
def test_statsmodels_agrees():
    from scipy.stats import norm
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

    found = between(paths(5600, 1400), paths(5200, 1800))
    _, p = proportions_ztest([5600, 5200], [7000, 7000])
    # 64 buckets know a standard error to within 9 %
    z, expected_z = (norm.isf(value / 2) for value in (found.ranking[0].p_value, p))
    assert z == pytest.approx(expected_z, rel=0.2)
    low, high = confint_proportions_2indep(1800, 7000, 1400, 7000, method="newcomb")
    estimate = found.estimate("web")
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.2 * (high - low) / 2)
    values = np.random.default_rng(1).random(50) ** 3
    expected = multipletests(values, method="fdr_bh")[1]
    np.testing.assert_allclose(false_discovery(values), expected)


def test_each_pair_is_told_as_it_begins():
    rows = [(f"{plan} {i}", i < 20, {"plan": plan}) for plan in "xyz" for i in range(40)]
    begun: list[str] = []
    segments(closed_cases(rows), "plan", begin=begun.append)
    assert begun == ["x against the rest", "y against the rest", "z against the rest"]
