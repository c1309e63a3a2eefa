"""Times of transitions where journeys are in progress."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import t

import cxjourney as cx
from cxjourney.exceptions import TimesRequired

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY_S = 86_400


def logged(rows, until):
    return cx.InteractionLog.from_frame(
        {
            "who": [f"k{who}" for who, *_ in rows],
            "what": [what for _, what, _ in rows],
            "when": [BEGIN + timedelta(days=float(day)) for *_, day in rows],
        },
        customer="who",
        touchpoint="what",
        timestamp="when",
        observed_until=BEGIN + timedelta(days=until),
    )


def slow_second(seed, window, *, n=3000, limit=14):
    """A quick stop, then a slow one: 0.9 go on to it, of which 0.8 buy, over `window` days."""
    rng = np.random.default_rng(seed)
    begin = rng.uniform(0, window, n)
    quick, slow = (np.minimum(rng.exponential(mean, n), limit - 0.01) for mean in (1.0, 3.5))
    goes, buys = rng.random(n) < 0.9, rng.random(n) < 0.8
    rows = [(i, "quick", begin[i]) for i in range(n)]
    rows += [(i, "slow", begin[i] + quick[i]) for i in np.flatnonzero(goes)]
    done = np.flatnonzero(goes & buys)
    rows += [(i, "buy", begin[i] + quick[i] + slow[i]) for i in done]
    log = logged([row for row in rows if row[2] <= window], window)
    # means of an exponential that is cut at the limit
    of = {mean: mean * (1 - math.exp(-(limit - 0.01) / mean)) for mean in (1.0, 3.5)}
    truth = {"seconds": 0.9 * of[1.0] + 0.72 * of[3.5], "converted": of[1.0] + of[3.5]}
    truth["share"] = 0.72 * of[3.5] / truth["seconds"]
    truth["slow"] = of[3.5]
    return log.journeys(goal="buy", inactivity=timedelta(days=limit)), truth


@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("window", [200, 60, 25])
def test_times_do_not_depend_on_how_long_one_looks(window, times):
    journeys, truth = slow_second(1, window)
    graph = journeys.graph(times=times)
    chain = cx.AbsorbingChain.from_graph(graph)
    assert chain.restricted == 0
    near = 0.05
    assert chain.seconds.mean / DAY_S == pytest.approx(truth["seconds"], rel=near)
    assert chain.seconds_converted.mean / DAY_S == pytest.approx(truth["converted"], rel=near)
    assert chain.expected_time.total_seconds() / DAY_S == pytest.approx(truth["seconds"], rel=near)
    edge = graph.edges["slow", cx.CONVERSION]
    assert edge["dwell_mean_s"] / DAY_S == pytest.approx(truth["slow"], rel=near)
    median = -3.5 * math.log(1 - 0.5 * (1 - math.exp(-13.99 / 3.5)))
    assert edge["dwell_median_s"] / DAY_S == pytest.approx(median, rel=2 * near)
    # what was seen alone is short
    seen = edge["dwell_sum_us"] / edge["count"] / 1e6 / DAY_S
    assert window > 100 or seen < truth["slow"] * (0.97 if window == 60 else 0.88)


@pytest.mark.parametrize("window", [200, 60, 25])
def test_the_share_of_a_slow_node_that_comes_second_does_not_either(window):
    journeys, truth = slow_second(2, window)
    table = cx.critical.bottlenecks(journeys).table
    row = table.row(list(table["touchpoint"]).index("slow"))
    assert row["share"] == pytest.approx(truth["share"], abs=0.02)
    assert row["share_low"] < truth["share"] < row["share_high"]
    assert row["converted_s"] / DAY_S == pytest.approx(truth["slow"], rel=0.05)
    assert row["wait_s"] / DAY_S == pytest.approx(truth["slow"], rel=0.05)
    assert row["total_s"] / DAY_S == pytest.approx(3000 * 0.72 * truth["slow"], rel=0.07)
    assert math.isnan(row["followed_s"])


def test_where_nobody_was_followed_to_the_limit_times_are_restricted_and_say_so():
    journeys, _ = slow_second(3, 12)
    graph = journeys.graph()
    chain = cx.AbsorbingChain.from_graph(graph)
    assert math.isnan(chain.seconds.mean)
    assert math.isnan(chain.seconds_converted.mean)
    assert math.isnan(chain.seconds.mean_from["slow"])
    with pytest.raises(TimesRequired, match="outlast what was followed"):
        chain.expected_time  # noqa: B018 - the access is the test
    followed = graph.nodes["slow"]["followed_us"] / 1e6 / DAY_S
    assert 11 < followed < 12
    # all that has not moved on by then, lost or not, is what nobody saw the end of
    stays = 0.1 + 0.9 * 0.2 + 0.72 * math.exp(-followed / 3.5)
    assert chain.restricted == pytest.approx(stays, abs=0.03)
    cut = 3.5 - (followed + 3.5) * math.exp(-followed / 3.5)
    restricted = 0.9 * 1.0 + 0.72 * cut
    assert chain.seconds.restricted_mean / DAY_S == pytest.approx(restricted, rel=0.07)
    assert "restricted" in repr(chain)
    found = cx.critical.bottlenecks(journeys)
    row = found.table.row(list(found.table["touchpoint"]).index("slow"))
    assert row["followed_s"] == pytest.approx(followed * DAY_S)
    assert math.isnan(row["share"])
    assert math.isnan(row["converted_s"])
    assert "followed" in str(found)


def plain_masses(visits):
    """Masses of moves by the textbook: [(wait, target or None)] to [(wait, target, mass)]."""
    survival, masses = 1.0, []
    for time in sorted({wait for wait, to in visits if to is not None}):
        at_risk = sum(wait >= time for wait, _ in visits)
        moves = [to for wait, to in visits if wait == time and to is not None]
        masses += [(time, to, survival / at_risk) for to in moves]
        survival *= 1 - len(moves) / at_risk
    return masses


def random_rows(seed, customers=12):
    rng = np.random.default_rng(seed)
    rows = []
    for who in range(customers):
        day = rng.uniform(0, 20)
        for _ in range(rng.integers(1, 7)):
            rows.append(
                (who, str(rng.choice(["a", "b", "buy", "bye"], p=[0.4, 0.4, 0.1, 0.1])), day)
            )
            day += rng.exponential(2.0)
    return [row for row in rows if row[2] <= 20]


def cut(rows, until=20, limit=4):
    """Visits (node, wait, target or None) of (customer, touchpoint, day) rows, and journeys."""
    journeys = []
    for who in sorted({who for who, *_ in rows}):
        mine, current = sorted((day, what) for w, what, day in rows if w == who), []
        for day, what in mine:
            if current and (day - current[-1][0] >= limit or current[-1][1] in {"buy", "bye"}):
                journeys.append((current, current[-1][1] not in {"buy", "bye"}))
                current = []
            current.append((day, what))
        lost = until - current[-1][0] >= limit and current[-1][1] not in {"buy", "bye"}
        journeys.append((current, lost))
    visits = defaultdict(list)
    for journey, lost in journeys:
        for (day, node), (then, after) in itertools.pairwise(journey):
            visits[node].append((then - day, {"buy": "won", "bye": "exit"}.get(after, after)))
        day, node = journey[-1]
        if node not in {"buy", "bye"}:
            visits[node].append((math.inf if lost else until - day, None))
    return visits, len(journeys)


def expected_edges(rows):
    visits, _ = cut(rows)
    edges = defaultdict(list)
    for node, here in visits.items():
        for wait, to, mass in plain_masses(here):
            edges[node, to].append((wait * DAY_S, mass))
    return {
        edge: (
            sum(m for _, m in moves),
            sum(w * m for w, m in moves) / sum(m for _, m in moves),
            sum(w * w * m for w, m in moves) / sum(m for _, m in moves),
        )
        for edge, moves in edges.items()
    }


@pytest.mark.parametrize("seed", range(25))
def test_edges_weigh_their_times_as_the_textbook_does(seed):
    rows = random_rows(seed)
    names = {what for _, what, _ in rows}
    journeys = logged(rows, 20).journeys(
        goal="buy" if "buy" in names else None,
        exit_touchpoints="bye" if "bye" in names else (),
        inactivity=timedelta(days=4),
    )
    graph = journeys.graph()
    for (node, to), (mass, mean, square) in expected_edges(rows).items():
        edge = graph.edges[node, {"won": cx.CONVERSION, "exit": cx.DROPOFF}.get(to, to)]
        assert edge["dwell_mean_s"] == pytest.approx(mean, rel=1e-6)
        assert edge.get("dwell_probability", edge["probability"]) == pytest.approx(mass)
        spread = math.sqrt(max(square - mean**2, 0.0))
        found = edge.get("dwell_sd_s")
        if found is None:
            found = math.sqrt(edge["dwell_m2"] / edge.get("dwell_count", edge["count"]))
        assert found == pytest.approx(spread, rel=1e-4, abs=30)


def test_the_intervals_of_waits_and_shares_leave_out_customers_with_their_masses():
    rows = random_rows(7, customers=30)
    rows = [row for row in rows if row[1] != "bye"]
    journeys = logged(rows, 20).journeys(goal="buy", inactivity=timedelta(days=4))

    def figures(some):
        visits, _ = cut(some)
        starts = defaultdict(float)
        for who in {who for who, *_ in some}:
            for journey in journeys_of(some, who):
                starts[journey] += 1
        mean, spent, moves = {}, {}, {}
        for node, here in visits.items():
            masses = plain_masses(here)
            spent[node] = sum(w * m for w, _, m in masses)
            mean[node] = spent[node] / sum(m for *_, m in masses)
            moves[node] = {to: sum(m for _, x, m in masses if x == to) for to in ("a", "b")}
        total = sum(starts.values())
        q = np.array([[moves[x][y] for y in "ab"] for x in "ab"])
        v = np.linalg.solve((np.eye(2) - q).T, np.array([starts[x] / total for x in "ab"]))
        time = v * np.array([spent[x] for x in "ab"])
        return mean["a"] * DAY_S, time[0] / time.sum()

    def journeys_of(some, who):
        mine, last, firsts = sorted((day, what) for w, what, day in some if w == who), None, []
        for day, what in mine:
            if last is None or day - last[0] >= 4 or last[1] == "buy":
                firsts.append(what)
            last = (day, what)
        return firsts

    table = cx.critical.bottlenecks(journeys).table
    row = table.row(list(table["touchpoint"]).index("a"))
    customers = sorted({who for who, *_ in rows})
    wholes = figures(rows)
    without = np.array([figures([r for r in rows if r[0] != who]) for who in customers])
    assert (row["wait_s"], row["share"]) == pytest.approx(wholes, rel=1e-9)
    # the mean: plus or minus t standard errors, with the masses of customers as what it rests on
    own = np.zeros(len(customers))
    masses = {wait: mass for wait, _, mass in plain_masses(cut(rows)[0]["a"])}
    for i, who in enumerate(customers):
        mine = cut([r for r in rows if r[0] == who])[0]["a"]
        own[i] = sum(masses[wait] for wait, to in mine if to is not None)
    n = np.count_nonzero(own)
    spread = (n - 1) / n * ((without[own > 0, 0] - wholes[0]) ** 2).sum()
    half = t.ppf(0.975, own.sum() ** 2 / (own**2).sum() - 1) * np.sqrt(spread)
    assert row["high"] - row["wait_s"] == pytest.approx(half, rel=1e-6)


def test_explicit_exits_keep_their_time_beside_silent_ones():
    rows = [(i, "call", 0) for i in range(9)] + [(i, "cancel", 1) for i in range(3)]
    journeys = logged(rows, 40).journeys(exit_touchpoints="cancel", inactivity=timedelta(days=7))
    graph = journeys.graph()
    edge = graph.edges["call", cx.DROPOFF]
    assert (edge["count"], edge["dwell_count"]) == (9, 3)
    assert edge["dwell_mean_s"] == DAY_S  # not a third of it
    assert edge["dwell_probability"] == pytest.approx(1 / 3)
    assert cx.AbsorbingChain.from_graph(graph).seconds.mean == pytest.approx(DAY_S / 3)
    counted = (
        graph
        + logged([(99, "call", 0)], 40)
        .journeys(exit_touchpoints=(), inactivity=timedelta(days=7))
        .graph()
    )
    edge = counted.edges["call", cx.DROPOFF]
    assert (edge["count"], edge["dwell_count"], edge["dwell_mean_s"]) == (10, 3, DAY_S)
    assert cx.AbsorbingChain.from_graph(counted).seconds.mean == pytest.approx(0.3 * DAY_S)
    for again in (
        cx.JourneyGraph.from_json(graph.to_json()),
        cx.JourneyGraph.from_networkx(graph),
    ):
        assert again.edges["call", cx.DROPOFF] == graph.edges["call", cx.DROPOFF]


def test_without_a_limit_silent_ends_of_closed_cases_take_no_time_either():
    rows = [(i, "call", 0) for i in range(4)] + [(0, "cancel", 2)]
    graph = logged(rows, 9).journeys(exit_touchpoints="cancel", all_closed=True).graph()
    assert graph.edges["call", cx.DROPOFF]["dwell_mean_s"] == 2 * DAY_S
    assert cx.AbsorbingChain.from_graph(graph).seconds.mean == pytest.approx(DAY_S / 2)


@pytest.mark.filterwarnings("ignore:.*The timestamps span")
@pytest.mark.parametrize("n", [30, 60])
def test_sums_of_times_do_not_run_over(n):
    first, last = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=f"k{i}", touchpoint=what, timestamp=when)
            for i in range(n)
            for what, when in (("a", first), ("b", last))
        ]
    )
    edge = log.journeys(all_closed=True).graph().edges["a", "b"]
    each = (last - first) // timedelta(microseconds=1)
    assert edge["dwell_mean_s"] == pytest.approx(each / 1e6, rel=1e-12)
    assert edge["dwell_m2"] == pytest.approx(0, abs=1e-3 * each)
    assert edge.get("dwell_sum_us") == (n * each if n * each < 2**63 else None)
    half = log.journeys(all_closed=True).graph()
    both = half + half.copy()
    assert both.edges["a", "b"].get("dwell_sum_us", 0) >= 0
