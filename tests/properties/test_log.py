"""What holds of every log, whatever its interactions."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby, pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney._support.result import Result
from cxjourney.testing._strategies import interaction_lists

WEEK = timedelta(days=7)
END = datetime(2026, 6, 1, tzinfo=UTC)

RULES = st.fixed_dictionaries(
    {
        "goal": st.sampled_from([None, "pay", ("pay", "cart")]),
        "inactivity": st.sampled_from([None, timedelta(hours=12), WEEK, timedelta(days=30)]),
        "exit_touchpoints": st.sampled_from([(), ("web",)]),
        "after_goal": st.sampled_from(["new_journey", "discard", "keep"]),
        "all_closed": st.booleans(),
    }
)


def simple_rows(max_size: int = 25):
    row = st.tuples(
        st.sampled_from("abcde"),
        st.sampled_from(["ad", "web", "cart", "pay"]),
        st.integers(0, 40).map(lambda d: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=d)),
    )
    return st.lists(row, max_size=max_size)


def log_of(rows, **options) -> cx.InteractionLog:
    return cx.InteractionLog.from_interactions(
        [cx.Interaction(customer=c, touchpoint=t, timestamp=w) for c, t, w in rows], **options
    )


def known_rules(log: cx.InteractionLog, rules: dict) -> dict:
    """Leave out goals and exits that the log does not have."""
    goal = rules["goal"]
    names = (goal,) if isinstance(goal, str) else goal or ()
    return {
        **rules,
        "goal": tuple(n for n in names if n in log.touchpoints),
        "exit_touchpoints": tuple(n for n in rules["exit_touchpoints"] if n in log.touchpoints),
    }


def edges(graph: cx.JourneyGraph, *names: str) -> dict:
    return {(u, v): tuple(d.get(n) for n in names) for u, v, d in graph.edges(data=True)}


@given(interaction_lists())
def test_the_round_trip_to_objects_is_exact(interactions):
    log = cx.InteractionLog.from_interactions(interactions)
    again = cx.InteractionLog.from_interactions(log.interactions())
    assert again == log
    assert Counter(log.interactions()) == Counter(interactions)


@given(interaction_lists())
def test_journeys_hold_every_interaction_once_and_in_order(interactions):
    log = cx.InteractionLog.from_interactions(interactions)
    journeys = list(log.journeys(inactivity=WEEK))
    assert sum(len(j) for j in journeys) == len(interactions)
    for journey in journeys:
        times = [i.timestamp for i in journey]
        assert times == sorted(times)


@given(simple_rows(), RULES)
def test_flow_is_conserved_at_every_node(rows, rules):
    log = log_of(rows, observed_until=END)
    graph = log.journeys(**known_rules(log, rules)).graph()
    graph.check_flow()
    out = Counter()
    for u, _, p in graph.edges(data="probability"):
        out[u] += p
    assert all(total == pytest.approx(1, abs=1e-9) for total in out.values())


@given(simple_rows(), st.randoms(use_true_random=False), RULES)
def test_neither_the_order_of_rows_nor_the_names_of_customers_matter(rows, random, rules):
    rows = list(dict.fromkeys(rows))  # equal timestamps keep input order, so make them distinct
    rows = [(c, t, w + timedelta(minutes=i)) for i, (c, t, w) in enumerate(rows)]
    log = log_of(rows)
    mixed = [("x" + c[::-1], t, w) for c, t, w in rows]
    random.shuffle(mixed)
    other = log_of(mixed)
    rules = known_rules(log, rules)
    names = ("count", "journeys", "dwell_sum_us", "dwell_median_s")
    a, b = log.journeys(**rules).graph(), other.journeys(**rules).graph()
    assert edges(a, *names) == edges(b, *names)
    assert dict(a.nodes(data=True)) == dict(b.nodes(data=True))
    for e, (p,) in edges(a, "probability").items():
        assert b.edges[e]["probability"] == pytest.approx(p, abs=1e-12)


@given(simple_rows())
def test_the_graph_of_a_log_is_the_sum_of_its_shards(rows):
    options = {"goal": ("pay",), "inactivity": timedelta(days=5)}
    whole = log_of(rows, observed_until=END)
    if "pay" not in whole.touchpoints:
        options["goal"] = ()
    shards = [[r for r in rows if (ord(r[0]) % 3) == k] for k in range(3)]
    parts = []
    for shard in shards:
        part = log_of(shard, observed_until=END)
        goal = tuple(g for g in options["goal"] if g in part.touchpoints)
        graph = part.journeys(goal=goal, inactivity=options["inactivity"]).graph(times=True)
        graph.graph["goal"] = whole.journeys(**options).graph().graph["goal"]
        parts.append(graph)
    merged = sum(parts)
    expected = whole.journeys(**options).graph(times=True)
    exact = ("count", "journeys", "dwell_sum_us", "value_sum", "gap_histogram")
    assert edges(merged, *exact) == edges(expected, *exact)
    assert {n: d["visits"] for n, d in merged.nodes(data=True)} == {
        n: d["visits"] for n, d in expected.nodes(data=True)
    }
    for e, (p,) in edges(expected, "probability").items():
        assert merged.edges[e]["probability"] == pytest.approx(p, abs=1e-12)


@given(simple_rows(), st.sets(st.sampled_from("abcde")), RULES)
def test_leaving_customers_out_changes_no_outcome_of_the_others(rows, stay, rules):
    log = log_of(rows)
    rules = known_rules(log, rules)
    journeys = log.journeys(**rules)
    kept = np.array([log.customer_ids[c] in stay for c in journeys.customer], dtype=bool)
    part = journeys.where(kept)
    expected = [j for j in journeys if j.customer.id in stay]
    assert list(part) == expected


def brute_force_journeys(rows, goal, limit, end):
    """Tell journeys by walking through each customer's touches, one at a time."""
    told = []
    ordered = sorted(enumerate(rows), key=lambda r: (r[1][0], r[1][2], r[0]))
    for customer, touches in groupby((r for _, r in ordered), key=lambda r: r[0]):
        journey: list = []
        for _, touchpoint, when in touches:
            if journey and when - journey[-1][1] >= limit:
                told.append((customer, tuple(t for t, _ in journey), "dropped"))
                journey = []
            journey.append((touchpoint, when))
            if touchpoint == goal:
                told.append((customer, tuple(t for t, _ in journey), "converted"))
                journey = []
        if journey:
            outcome = "dropped" if end - journey[-1][1] >= limit else "in_progress"
            told.append((customer, tuple(t for t, _ in journey), outcome))
    return told


@given(simple_rows(), st.integers(1, 20))
def test_cutting_equals_walking_through_the_touches(rows, days):
    limit = timedelta(days=days)
    log = log_of(rows)
    goal = "pay" if "pay" in log.touchpoints else None
    end = max((w for _, _, w in rows), default=END)
    told = Counter(
        (j.customer.id, j.touchpoints, j.outcome.value)
        for j in log.journeys(goal=goal, inactivity=limit)
    )
    assert told == Counter(brute_force_journeys(rows, goal, limit, end))


@given(simple_rows(), st.integers(1, 20))
def test_edges_equal_a_recount_of_the_journeys(rows, days):
    log = log_of(rows)
    goal = "pay" if "pay" in log.touchpoints else None
    journeys = log.journeys(goal=goal, inactivity=timedelta(days=days))
    counts: Counter = Counter()
    ends = {"converted": cx.CONVERSION, "dropped": cx.DROPOFF}
    for journey in journeys:
        names = [cx.START, *(t for t in journey.touchpoints if t != goal)]
        if journey.outcome.value in ends:
            names.append(ends[journey.outcome.value])
        counts.update(pairwise(names))
    graph = journeys.graph()
    assert {e: c for e, (c,) in edges(graph, "count").items() if c} == counts


@given(simple_rows())
def test_frames_of_every_library_and_objects_give_the_same_log(rows):
    data = {
        "who": [c for c, _, _ in rows],
        "what": [t for _, t, _ in rows],
        "when": [w for _, _, w in rows],
    }
    schema = {"who": pl.String, "what": pl.String, "when": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame(data, schema=schema)
    columns = {"customer": "who", "touchpoint": "what", "timestamp": "when"}
    expected = log_of(rows)
    frames = [frame, frame.to_pandas(), frame.to_arrow(), frame.lazy(), data]
    for one in frames:
        log = cx.InteractionLog.from_frame(one, **columns)
        assert Counter(log.interactions()) == Counter(expected.interactions())


def test_interleaved_cases_are_told_apart():
    rows = [
        ("a", "s1", "web", 0),
        ("a", "s2", "ad", 1),
        ("a", "s1", "cart", 2),
        ("a", "s2", "pay", 3),
    ]
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(customer=c, journey=j, touchpoint=t, timestamp=END - timedelta(days=10 - d))
        for c, j, t, d in rows
    )
    told = [(j.touchpoints, j.outcome.value) for j in log.journeys(goal="pay", all_closed=True)]
    assert told == [(("web", "cart"), "dropped"), (("ad", "pay"), "converted")]


@given(simple_rows(), st.sets(st.sampled_from("abcde")))
def test_a_segment_knows_the_goal_of_the_whole_and_keeps_its_window(rows, stay):
    log = log_of(rows)
    if "pay" not in log.touchpoints:
        return
    part = log.filter(customers=stay & set(log.customer_ids))
    assert part.observed_until == log.observed_until
    outcomes = [j.outcome for j in part.journeys(goal="pay", inactivity=WEEK)]
    whole = log.journeys(goal="pay", inactivity=WEEK)
    assert outcomes == [j.outcome for j in whole if j.customer.id in stay]


@pytest.mark.parametrize(
    "measure",
    [
        cx.dropoff.exits,
        cx.critical.points,
        cx.omnichannel.transitions,
        cx.omnichannel.handoff_loss,
        cx.attribution.linear,
        cx.attribution.markov,
    ],
)
def test_a_result_of_no_rows_has_an_empty_table(measure):
    journeys = cx.InteractionLog.from_interactions([]).journeys(goal="pay", inactivity=WEEK)
    result = measure(journeys)
    assert repr(result)
    assert len(result.to_frame("polars")) == 0


def readers():
    """Yield every public function that needs a log or journeys and nothing else."""
    for module in pkgutil.iter_modules(cx.__path__):
        if not module.ispkg or module.name.startswith("_"):
            continue
        package = importlib.import_module(f"cxjourney.{module.name}")
        for name in package.__all__:
            function = getattr(package, name)
            if not inspect.isfunction(function):
                continue
            first, *others = [*inspect.signature(function).parameters.values(), None]
            needed = [
                p for p in others if p and p.default is p.empty and p.kind is not p.VAR_POSITIONAL
            ]
            if first and re.match("Journeys|InteractionLog", str(first.annotation)) and not needed:
                yield pytest.param(function, str(first.annotation), id=f"{module.name}.{name}")


@pytest.mark.parametrize(("function", "takes"), list(readers()))
@pytest.mark.parametrize("rows", ["dropped", "filtered"])
def test_every_result_bears_a_log_whose_rows_are_all_gone(function, takes, rows):
    if function in {cx.critical.drivers, cx.predict.fit}:
        pytest.skip("a regression, or a predictor, of nothing is refused by its own words")
    if function is cx.compare.segments:  # needs one of two
        function = partial(cx.compare.segments, segment="origin")
    table = {
        "who": ["", None], "when": ["2024-01-01", None], "what": ["x", None], "w": ["web", None],
        "score": [5.0, 3.0], "emotion": [0.5, 0.2], "expectation": [4.0, 3.0], "value": [1.0, 2.0],
    }  # fmt: skip
    if rows == "filtered":
        table |= {"who": ["a", "b"], "when": ["2024-01-01"] * 2, "what": ["x", "y"]}
    log = cx.InteractionLog.from_frame(
        table,
        customer="who",
        timestamp="when",
        touchpoint="what",
        channel="w",
        stage="w",
        owner="w",
        issue="w",
        account="w",
        score="score",
        emotion="emotion",
        expectation="expectation",
        value="value",
        missing="drop",
    )
    log = log.filter(rows=np.zeros(len(log), dtype=bool))
    assert len(log) == 0
    goal = "pay" if rows == "dropped" else "x"
    for rules in ({"inactivity": WEEK}, {"all_closed": True}, {"exit_touchpoints": [goal]}):
        wanted = {} if "exit_touchpoints" in rules else {"goal": goal}
        journeys = log.journeys(**wanted, **rules)
        result = function(log if "Journeys" not in takes else journeys)
        assert repr(result)
        if isinstance(result, Result):
            assert result.to_dict()
