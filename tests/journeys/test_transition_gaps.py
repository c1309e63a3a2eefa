from __future__ import annotations

import csv
import math
import statistics
from datetime import UTC, datetime, timedelta
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._transition_gaps import TransitionGaps, _beyond, _Groups, pauses

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
TRUTH = pytest.mark.parametrize("delay", ["0.2", "1.0"])


def adjusted_rand(a: np.ndarray, b: np.ndarray) -> float:
    """Hubert and Arabie (1985), from the contingency table."""
    _, a = np.unique(a, return_inverse=True)
    _, b = np.unique(b, return_inverse=True)
    _, cells = np.unique(a * (b.max() + 1) + b, return_counts=True)

    def pairs(counts: np.ndarray) -> int:
        return sum(comb(int(n), 2) for n in counts)

    together, rows, columns = pairs(cells), pairs(np.bincount(a)), pairs(np.bincount(b))
    chance = rows * columns / comb(len(a), 2)
    return (together - chance) / ((rows + columns) / 2 - chance)


def of_shared(shared, delay: str):
    """Return the log of ten long histories, and the true journey of each interaction."""
    path = shared / "data" / "cjp_session_partition" / f"synthetic_1_delay{delay}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # the file does not name its unit
    time = np.array([round(float(row["timestamp"]) * 3_600e6) for row in rows])
    who = np.array([row["journey_id"] for row in rows])
    log = cx.InteractionLog.from_frame(
        {
            "who": who.tolist(),
            "when": time.astype("datetime64[us]"),
            "what": [row["event"] for row in rows],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
    )
    ids = np.array(log.customer_ids)[log.columns.customer]
    place = {
        (c, t): row["case"] for c, t, row in zip(who.tolist(), time.tolist(), rows, strict=True)
    }
    keys = zip(ids.tolist(), log.columns.time.tolist(), strict=True)
    return log, np.array([place[key] for key in keys])


def numbers(journeys: cx.Journeys) -> np.ndarray:
    return np.repeat(np.arange(len(journeys)), np.diff(journeys.offsets))


def best_global(log: cx.InteractionLog, truth: np.ndarray) -> float:
    """Return the best that any one limit reaches: 300 tried, over the whole range of gaps."""
    time = log.columns.time
    gap = np.diff(time)[np.diff(log.columns.customer) == 0]
    limits = np.unique(np.quantile(gap, np.linspace(0.3, 1, 300), method="higher"))
    return max(
        adjusted_rand(numbers(log.journeys(inactivity=timedelta(microseconds=int(x)))), truth)
        for x in limits
    )


@TRUTH
def test_own_gaps_find_true_journeys_better_than_any_global_gap(shared, delay):
    log, truth = of_shared(shared, delay)
    own = adjusted_rand(numbers(log.journeys(gaps=TransitionGaps())), truth)
    assert own > best_global(log, truth) + 0.1


@TRUTH
@pytest.mark.parametrize("slow", [0.75, 1, 1.25])
def test_the_default_lies_on_a_plateau(shared, delay, slow):
    log, truth = of_shared(shared, delay)
    assert adjusted_rand(numbers(log.journeys(gaps=TransitionGaps(slow=slow))), truth) > 0.69


@pytest.mark.oracles("sklearn")
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=40))
def test_the_index_of_agreement_is_that_of_scikit_learn(pairs):
    from sklearn.metrics import adjusted_rand_score

    a, b = np.array(pairs).T
    expected = adjusted_rand_score(a, b)
    if len(np.unique(a)) == len(np.unique(b)) == 1 or len(a) == len(np.unique(a)):
        return  # 0 / 0, where conventions differ
    assert adjusted_rand(a, b) == pytest.approx(expected)


def expected_cuts(touchpoint, time, within, gaps: TransitionGaps) -> list[bool]:
    """Cut with plain lists and the statistics module."""
    inner = [i for i, inside in enumerate(within) if inside]
    log_gap = {i: math.log(max(int(time[i] - time[i - 1]), 1)) for i in inner}
    by_pair: dict[tuple[int, int], list[float]] = {}
    for i in inner:
        by_pair.setdefault((touchpoint[i - 1], touchpoint[i]), []).append(log_gap[i])

    def robust(values: list[float]) -> tuple[float, float]:
        centre = statistics.median(values)
        away = [abs(v - centre) for v in values]
        return centre, 1.4826 * statistics.median(away) or 1.2533 * statistics.fmean(away)

    def pulled_in(values: list[float]) -> float:
        ordered = sorted(values)
        outer = int(0.1 * len(ordered))
        low, high = ordered[outer], ordered[-1 - outer]
        return statistics.fmean(min(max(v, low), high) for v in ordered)

    typical = {pair: pulled_in(values) for pair, values in by_pair.items()}
    middle, deviation = robust(
        [typical[pair] for pair, values in by_pair.items() for _ in values] or [0.0]
    )
    cut = [False] * len(time)
    for i in inner:
        pair = (touchpoint[i - 1], touchpoint[i])
        rare = len(by_pair[pair]) < gaps.min_gaps
        centre, spread = robust(list(log_gap.values()) if rare else by_pair[pair])
        slow = not rare and deviation > 0 and (typical[pair] - middle) / deviation >= gaps.slow
        cut[i] = slow or (spread > 0 and (log_gap[i] - centre) / spread >= gaps.pause)
    return cut


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 3, 10, 77, 900, 10**7]), st.booleans()),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from([0.7, 1.51, 3.52]),
    st.integers(2, 5),
)
def test_cuts_are_those_of_the_definition(rows, limit, min_gaps):
    touchpoint, gap, within = (np.array(column) for column in zip(*rows, strict=True))
    within[0] = False
    time = np.cumsum(gap)
    gaps = TransitionGaps(pause=limit, slow=limit, min_gaps=min_gaps)
    found = pauses(touchpoint, time, within, gaps)
    assert found.tolist() == expected_cuts(touchpoint, time, within, gaps)


def made(steps: list[tuple[str, int]], customer: str = "a") -> list[cx.Interaction]:
    return [
        cx.Interaction(customer=customer, touchpoint=t, timestamp=START + hour * timedelta(hours=1))
        for t, hour in steps
    ]


# one hour from web to web, but once 80
HISTORY = [("web", hour) for hour in (0, 1, 2, 4, 5, 7, 87, 88, 90, 91)]
FEW = TransitionGaps(min_gaps=3)


def test_a_journey_that_a_pause_ends_is_dropped_and_the_last_one_is_open():
    log = cx.InteractionLog.from_interactions(made(HISTORY), observed_until=START + 90 * DAY)
    assert log.journeys(goal="web", after_goal="keep", gaps=FEW).lengths.tolist() == [6, 4]
    both = log.journeys(gaps=FEW)
    assert both.outcome.tolist() == [1, 2]  # dropped, in progress: nothing says what silence means
    over = log.journeys(gaps=FEW, inactivity=30 * DAY)
    assert over.outcome.tolist() == [1, 1]


def test_what_follows_a_goal_is_no_gap_of_a_transition():
    # web after buy always comes late; it begins a journey anyway and must not count as slow
    steps = [("web", 0), ("web", 1), ("buy", 2), ("web", 500), ("web", 502), ("buy", 503)]
    log = cx.InteractionLog.from_interactions(made(steps))
    plain = log.journeys(goal="buy", all_closed=True)
    cut = log.journeys(goal="buy", all_closed=True, gaps=TransitionGaps(min_gaps=2))
    assert cut.offsets.tolist() == plain.offsets.tolist() == [0, 3, 6]


def test_a_slow_transition_always_ends_a_journey():
    rng = np.random.default_rng(5)
    steps, hour = [], 0.0
    for _ in range(30):
        for name, wait in (("ad", 400), ("web", 2), ("cart", 3), ("web", 2), ("mail", 4)):
            hour += wait * rng.uniform(0.5, 2)
            steps.append((name, hour))
    log = cx.InteractionLog.from_interactions(made(steps))
    cut = log.journeys(gaps=TransitionGaps())
    assert cut.lengths.tolist() == [5] * 30
    kept = log.journeys(gaps=TransitionGaps(slow=math.inf, pause=math.inf))
    assert len(kept) == 1


@pytest.mark.parametrize("factor", [7, 86_400])
def test_the_unit_of_time_changes_nothing(factor):
    def cuts(scale: int) -> list[int]:
        log = cx.InteractionLog.from_interactions(
            cx.Interaction(
                customer="a", touchpoint=t, timestamp=START + hour * scale * timedelta(seconds=1)
            )
            for t, hour in HISTORY
        )
        return log.journeys(gaps=FEW).offsets.tolist()

    assert cuts(1) == cuts(factor)


def test_a_journey_column_and_gaps_exclude_each_other():
    log = cx.InteractionLog.from_interactions(
        [cx.Interaction(customer="a", touchpoint="web", timestamp=START, journey="1")]
    )
    with pytest.raises(InvalidValue, match="gaps must be left out where the log has a journey"):
        log.journeys(gaps=TransitionGaps())


def test_gaps_without_times_and_nonsense_are_refused():
    log = cx.InteractionLog.from_interactions(made(HISTORY))
    with pytest.raises(InvalidValue, match="gaps must be a TransitionGaps or None; got 3"):
        log.journeys(gaps=3)
    with pytest.raises(InvalidValue, match="slow must be a positive number; got 0"):
        TransitionGaps(slow=0)
    with pytest.raises(InvalidValue, match="min_gaps must be a whole number, at least 2; got 1"):
        TransitionGaps(min_gaps=1)


def test_the_graph_says_by_which_gaps_its_journeys_were_cut_and_keeps_it():
    when = [START + DAY * day for day in (0, 1, 2)]
    log = cx.InteractionLog.from_frame(
        {"who": ["a", "a", "b"], "when": when, "what": ["web", "buy", "web"]},
        customer="who",
        timestamp="when",
        touchpoint="what",
    )
    rule = TransitionGaps(pause=4, slow=math.inf)
    plain = log.journeys(goal="buy", inactivity=7 * DAY).graph(times=True)
    cut = log.journeys(goal="buy", inactivity=7 * DAY, gaps=rule).graph(times=True)
    assert "gaps" not in plain.graph
    assert cut.graph["gaps"] == repr(rule)
    assert (cut + cut).graph["gaps"] == repr(rule)
    with pytest.raises(InvalidValue, match="gaps"):
        plain + cut


def test_a_value_as_far_as_the_limit_itself_is_beyond():
    found = _beyond(np.array([3.0, 2.9, 9.0]), 1.0, np.array([1.0, 1.0, 0.0]), 2.0)
    assert found.tolist() == [True, False, False]


def test_the_median_and_spread_of_an_even_group():
    groups = _Groups.of(np.array([9.0, 1.0, 4.0, 2.0]), np.zeros(4, dtype=np.int64), np.array([4]))
    centre, spread = groups.median_and_spread()
    assert centre.tolist() == [3]  # between 2 and 4
    assert spread.tolist() == pytest.approx([1.4826 * 1.5])  # away by 1, 1, 2, 6


def test_a_transition_of_few_gaps_is_never_slow():
    # three times 0 to 1 after days, amid many seconds; four would tell
    touchpoint = np.array([0, 0, 0, 0, 1] * 3)
    gap = np.array([1, 2, 3, 4, 10**11] * 3)
    within = np.array([True] * 15)
    within[0] = False
    for min_gaps, cuts in ((3, 3), (4, 0)):
        gaps = TransitionGaps(pause=math.inf, slow=1, min_gaps=min_gaps)
        assert pauses(touchpoint, np.cumsum(gap), within, gaps).sum() == cuts


def test_a_typical_gap_is_a_mean_with_two_of_twenty_pulled_in_at_each_side():
    values = np.array([*range(19), 1000.0])
    groups = _Groups.of(values, np.zeros(20, dtype=np.int64), np.array([20]))
    # 2, 2, 2, 3, 4 … 16, 17, 17, 17
    assert groups.winsorised_mean().tolist() == [(3 * 2 + sum(range(3, 17)) + 3 * 17) / 20]
