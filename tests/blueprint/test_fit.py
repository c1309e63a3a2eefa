from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from itertools import product

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney._stats.buckets import (
    BucketFigures,
    bucket_of,
    difference_of_means,
    difference_of_shares,
)
from cxjourney.blueprint import BlueprintFit, fit
from cxjourney.blueprint._alignment import Design, align
from cxjourney.domain import BlueprintStep
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import newcombe

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

touch = st.tuples(st.sampled_from("abcx"), st.sampled_from(["web", "shop", None]))
walks = st.lists(st.lists(touch, max_size=5), min_size=1, max_size=5)
step = st.builds(
    BlueprintStep,
    st.sampled_from("abc"),
    channels=st.sampled_from([(), ("web",), ("web", "shop")]),
    optional=st.booleans(),
    repeatable=st.booleans(),
)
designs = st.builds(cx.JourneyBlueprint, st.just("b"), st.lists(step, min_size=1, max_size=4))


def cost_of(walk, steps, taken, reached: int) -> int | None:
    """Return the cost of a walk whose touches are the steps `taken`; None where that cannot be."""
    last = -1
    for (name, _), i in zip(walk, taken, strict=True):
        if i < 0:
            continue
        if steps[i].touchpoint != name or i >= reached or i < last:
            return None
        if i == last and not steps[i].repeatable:
            return None
        last = i
    wrong = sum(
        1
        for (_, channel), i in zip(walk, taken, strict=True)
        if i >= 0 and steps[i].channels and channel is not None and channel not in steps[i].channels
    )
    passed_over = sum(1 for i in range(reached) if not steps[i].optional and i not in taken)
    return passed_over + sum(i < 0 for i in taken) + wrong


def brute_force(walk, steps, *, unfinished: bool) -> int:
    """Try every way to say which touch is which step."""
    ends = range(len(steps) + 1) if unfinished else [len(steps)]
    ways = product(range(-1, len(steps)), repeat=len(walk))
    costs = [cost_of(walk, steps, taken, end) for taken in ways for end in ends]
    return min(c for c in costs if c is not None)


@given(walks, designs, st.data())
def test_alignments_are_the_cheapest_of_all(listed, blueprint, data):
    unfinished = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(listed), max_size=len(listed)))
    )
    symbols = tuple(dict.fromkeys(t for walk in listed for t in walk)) or (("a", None),)
    codes = np.array([symbols.index(t) for walk in listed for t in walk], dtype=np.int64)
    offsets = np.cumsum([0, *map(len, listed)])
    design = Design.of(blueprint, symbols)
    found = align(codes, offsets, unfinished, design)
    for i, walk in enumerate(listed):
        expected = brute_force(walk, blueprint.steps, unfinished=bool(unfinished[i]))
        assert found.cost[i] == expected
        taken = found.step[offsets[i] : offsets[i + 1]].tolist()
        assert cost_of(walk, blueprint.steps, taken, int(found.reached[i])) == expected


def of_paths(paths, converted=None, **how) -> cx.Journeys:
    converted = [1] * len(paths) if converted is None else converted
    return cx.Journeys.from_paths(paths, converted=converted, **how)


@given(designs, st.data())
def test_a_journey_as_designed_has_no_deviation(blueprint, data):
    walk = []
    for s in blueprint.steps:
        if s.optional and data.draw(st.booleans()):
            continue
        times = data.draw(st.integers(1, 3)) if s.repeatable else 1
        walk += [s.touchpoint] * times
    if not walk:
        return
    found = fit(of_paths([walk]), blueprint)
    assert (found.fitness.value, found.exact.value) == (1, 1)
    assert len(found.deviations) == 0
    assert found.per_journey.row(0) == {
        "fitness": 1.0,
        **dict.fromkeys(found.per_journey.column_names[1:], 0),
    }
    assert len(walk) < 2 or found.allowed.value == 1


@given(st.lists(st.lists(st.sampled_from("abcx"), min_size=1, max_size=5), min_size=1), designs)
def test_fitness_is_one_only_without_deviations(paths, blueprint):
    found = fit(of_paths(paths, dropped=[1] * len(paths)), blueprint)
    counts = np.stack([found.per_journey[k] for k in found.per_journey.column_names[1:]])
    fitness = np.asarray(found.per_journey["fitness"])
    assert np.array_equal(fitness == 1, ~counts.any(axis=0))
    assert np.all((fitness >= 0) & (fitness <= 1))
    assert found.deviations["times"].sum() == counts.sum()


@given(
    st.lists(st.lists(st.sampled_from("abcx"), min_size=1, max_size=5), min_size=1, max_size=6),
    designs,
    st.permutations("abcx"),
)
def test_names_do_not_matter(paths, blueprint, other):
    renamed = dict(zip("abcx", other, strict=True))
    steps = [
        BlueprintStep(
            renamed[s.touchpoint], channels=s.channels, optional=s.optional, repeatable=s.repeatable
        )
        for s in blueprint.steps
    ]
    a = fit(of_paths(paths), blueprint)
    b = fit(of_paths([[renamed[n] for n in p] for p in paths]), cx.JourneyBlueprint("b", steps))
    assert a.per_journey == b.per_journey
    assert sorted(a.deviations["journeys"].tolist()) == sorted(b.deviations["journeys"].tolist())


SHOP = cx.JourneyBlueprint(
    "shop",
    [
        BlueprintStep("ad", optional=True),
        BlueprintStep("catalog", repeatable=True),
        BlueprintStep("cart", channels=["web", "app"]),
        BlueprintStep("delivery"),
    ],
)


def log_of(journeys: dict[str, list[tuple[str, str | None]]], *, apart=HOUR, **how):
    return cx.InteractionLog.from_interactions(
        (
            cx.Interaction(customer=c, touchpoint=t, channel=ch, timestamp=START + i * apart)
            for c, steps in journeys.items()
            for i, (t, ch) in enumerate(steps)
        ),
        **how,
    )


def kinds_of(found: BlueprintFit) -> set[tuple[str, str, int]]:
    return {(row["deviation"], row["step"], row["times"]) for row in found.deviations}


@pytest.mark.parametrize(
    ("walk", "expected", "fitness"),
    [
        ("catalog catalog cart delivery buy", set(), 1),
        ("ad catalog cart delivery buy", set(), 1),
        ("catalog delivery buy", {("skipped", "cart", 1)}, 1 - 1 / 5),
        ("catalog cart buy", {("skipped", "delivery", 1)}, 1 - 1 / 5),  # conversion went past it
        ("catalog cart", {("missing", "delivery", 1)}, 1 - 1 / 5),
        ("cart catalog delivery", {("out_of_order", "catalog", 1)}, 1 - 2 / 6),
        (
            "catalog cart chat delivery cart",
            {("ad_hoc", "chat", 1), ("repeated", "cart", 1)},
            1 - 2 / 8,
        ),
        ("catalog cart@shop delivery", {("wrong_channel", "cart", 1)}, 1 - 1 / 6),
        (
            "chat",
            {("ad_hoc", "chat", 1), *(("missing", s, 1) for s in ("catalog", "cart", "delivery"))},
            0,
        ),
    ],
)
def test_what_each_deviation_is_called(walk, expected, fitness):
    steps = [tuple(word.split("@")) if "@" in word else (word, "web") for word in walk.split()]
    others = {"z": [("buy", "web"), ("chat", "web"), ("cart", "shop")]}  # names that the log knows
    journeys = log_of({"a": steps, **others}).journeys(goal="buy", all_closed=True)
    found = fit(journeys.where(np.arange(len(journeys)) == 0), SHOP)
    assert kinds_of(found) == expected
    assert found.fitness.value == pytest.approx(fitness)


def test_an_open_journey_is_compared_as_far_as_it_has_come():
    log = log_of(
        {"a": [("catalog", None), ("cart", None)], "b": [("cart", None)]},
        observed_until=START + timedelta(days=1),
    )
    found = fit(log.journeys(inactivity=timedelta(days=7)), SHOP)
    assert found.per_journey["fitness"].tolist() == pytest.approx([1, 1 - 1 / 3])
    assert kinds_of(found) == {("skipped", "catalog", 1)}
    assert found.fitness.n_censored == 2
    closed = fit(log.journeys(all_closed=True), SHOP)
    assert ("missing", "delivery", 2) in kinds_of(closed)


def test_goals_are_no_steps():
    with_goal = cx.JourneyBlueprint("s", ["catalog", "buy"])
    journeys = log_of({"a": [("catalog", None), ("buy", None)], "b": [("catalog", None)]}).journeys(
        goal="buy", all_closed=True
    )
    found = fit(journeys, with_goal)
    assert found.exact.value == 1
    assert "Goals and exits are outcomes and no steps: buy." in repr(found)


def test_moves_that_the_design_allows():
    # ad may be left out, cart may not: catalog → delivery passes it over; catalog may repeat
    paths = [["ad", "catalog", "catalog", "delivery"], ["catalog", "cart"], ["ad", "cart"]]
    found = fit(of_paths(paths), SHOP)
    assert (found.allowed.numerator, found.allowed.denominator) == (3, 5)


def test_differences_are_those_of_leaving_out_a_bucket_of_customers():
    blueprint = cx.JourneyBlueprint("s", ["a", "b", "c"])
    rows = (
        [("a b c", True)] * 60
        + [("a b c", False)] * 20
        + [("a c", True)] * 10
        + [("a c", False)] * 20
    )
    names = [f"{i:03}" for i in range(len(rows))]
    journeys = log_of(
        {
            name: [(w, None) for w in walk.split() + ["buy"] * won]
            for name, (walk, won) in zip(names, rows, strict=True)
        }
    ).journeys(goal="buy", all_closed=True)
    found = fit(journeys, blueprint)
    row = next(r for r in found.conversion if r["deviation"] == "skipped")
    time = next(r for r in found.duration if r["deviation"] == "skipped")
    bucket = bucket_of(names)
    skips, won = (
        np.array(column) for column in zip(*((w == "a c", x) for w, x in rows), strict=True)
    )
    # two hours with cart, one without; the goal an hour later
    hours = np.where(skips, 1, 2) + won

    def sides(values):
        return [
            BucketFigures(
                whole=np.array([values[rows].mean()]),
                without=np.array([[values[rows & (bucket != g)].mean()] for g in range(64)]),
                units=np.array([[np.sum(rows & (bucket == g))] for g in range(64)], dtype=float),
            )
            for rows in (skips, ~skips)
        ]

    for said, expected in (
        (row, difference_of_shares(*sides(won), level=0.95)),
        (time, difference_of_means(*sides(3600.0 * hours), level=0.95)),
    ):
        assert (said["low"], said["high"], said["p"]) == pytest.approx(np.ravel(expected))
    assert row["difference"] == pytest.approx(1 / 3 - 3 / 4)
    assert (row["n_with"], row["n_without"]) == (30, 80)
    assert time["with_it"] == pytest.approx((20 * 3600 + 10 * 7200) / 30)
    assert time["without_it"] == pytest.approx((20 * 7200 + 60 * 10800) / 80)


def test_weights_count_as_so_many_journeys():
    paths = [["a", "b", "c"], ["a", "c"], ["a", "x"]]
    blueprint = cx.JourneyBlueprint("s", ["a", "b", "c"])
    weighted = fit(of_paths(paths, [30, 10, 0], dropped=[20, 30, 10]), blueprint)
    single = [(p, w) for p, n in zip(paths, [30, 10, 0], strict=True) for w in [1] * n] + [
        (p, 0) for p, n in zip(paths, [20, 30, 10], strict=True) for _ in range(n)
    ]
    plain = fit(
        of_paths(
            [p for p, _ in single], [w for _, w in single], dropped=[1 - w for _, w in single]
        ),
        blueprint,
    )
    for name in ("fitness", "exact", "allowed"):
        one, other = (getattr(x, name) for x in (weighted, plain))
        assert (one.value, one.n) == pytest.approx((other.value, other.n))
        # journeys without customers are dealt to 64 buckets, which know an error to within 9 %
        assert one.high - one.low == pytest.approx(other.high - other.low, rel=0.4)
    counted = ("deviation", "step", "journeys", "times", "share", "difference", "n_with", "with_it")
    for name in ("deviations", "conversion"):
        for a, b in zip(getattr(weighted, name), getattr(plain, name), strict=True):
            for column in counted:
                assert a.get(column) == pytest.approx(b.get(column), nan_ok=True)


def test_segments_are_fitted_each_on_its_own():
    rows = []
    for i in range(30):
        walk = ["a", "b"] if i % 3 else ["a"]
        plan = None if i < 4 else "x" if i % 2 else "y"
        rows += [
            cx.Interaction(
                customer=f"c{i}",
                touchpoint=name,
                timestamp=START + k * HOUR,
                attributes={} if plan is None else {"plan": plan},
            )
            for k, name in enumerate(walk)
        ]
    journeys = cx.InteractionLog.from_interactions(rows).journeys(all_closed=True)
    blueprint = cx.JourneyBlueprint("s", ["a", "b"])
    found = fit(journeys, blueprint, segment="plan")
    assert found.values == ("x", "y", cx.MISSING)
    code = np.array([journeys.log.customer_ids.index(f"c{i}") for i in range(1, 30, 2) if i > 3])
    alone = fit(journeys.where(np.isin(journeys.customer, code)), blueprint)
    assert found["x"].fitness == alone.fitness
    assert sum(one.fitness.n for _, one in found) == 30


def test_missing_steps_and_small_groups_are_not_compared():
    blueprint = cx.JourneyBlueprint("s", ["a", "b"])
    journeys = of_paths([["a", "b"], ["a"], ["a", "x", "b"]], [40, 0, 5], dropped=[20, 60, 4])
    found = fit(journeys, blueprint)
    values = {(r["deviation"], r["step"]): r["difference"] for r in found.conversion}
    assert math.isnan(values["missing", "b"])
    assert math.isnan(values["ad_hoc", "x"])  # nine journeys
    more = fit(journeys, blueprint, min_journeys=9)
    assert next(r for r in more.conversion if r["step"] == "x")["difference"] == pytest.approx(
        5 / 9 - 40 / 120
    )


def test_steps_out_of_order_are_compared_with_journeys_that_came_as_far():
    blueprint = cx.JourneyBlueprint("s", [BlueprintStep("a", repeatable=True), "b", "c"])
    paths = [["b", "a", "a", "c"], ["a", "b", "c"], ["b", "a", "a"], ["a", "b"]]
    found = fit(of_paths(paths, [6, 10, 0, 0], dropped=[6, 30, 50, 70]), blueprint)
    row = next(r for r in found.conversion if r["deviation"] == "out_of_order")
    # without the 50 and 70 that never came to c
    assert (row["step"], row["n_with"], row["n_without"]) == ("b", 12, 40)
    assert row["difference"] == pytest.approx(6 / 12 - 10 / 40)


def planted(rng: np.random.Generator, *, harm: float, unlike: float = 0.1) -> cx.InteractionLog:
    """Return customers with one to four journeys; those who skip b convert less often by `harm`."""
    rows = []
    for c in range(150):
        liking = rng.normal(0, unlike)
        skips = rng.random() < 0.5  # customers do it always or never
        for j in range(rng.integers(1, 5)):
            won = rng.random() < 0.5 + liking - harm * skips
            walk = ["a", "c"] if skips else ["a", "b", "c"]
            begin = START + timedelta(days=60 * j)
            for k, name in enumerate(walk + ["buy"] * bool(won)):
                score = 3.0 + liking + rng.normal() if name == "c" else None
                rows.append(
                    cx.Interaction(
                        customer=f"{c:03}", touchpoint=name, timestamp=begin + k * HOUR, score=score
                    )
                )
    return cx.InteractionLog.from_interactions(rows)


def test_customers_who_always_deviate_count_once_each():
    log = planted(np.random.default_rng(1), harm=0.2, unlike=0.4)
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7), all_closed=True)
    found = fit(journeys, cx.JourneyBlueprint("s", ["a", "b", "c"]))
    row = next(r for r in found.conversion if r["deviation"] == "skipped")
    n1, n0 = row["n_with"], row["n_without"]
    low, high = newcombe(round(row["with_it"] * n1), n1, round(row["without_it"] * n0), n0)
    assert row["high"] - row["low"] > high - low
    assert n1 + n0 == len(journeys) > log.n_customers == 150


def test_adjusted_p_values_count_all_outcomes():
    log = planted(np.random.default_rng(1), harm=0.3)
    journeys = log.journeys(goal="buy", all_closed=True)
    found = fit(journeys, cx.JourneyBlueprint("s", ["a", "b", "c"]))
    p = np.concatenate([found.conversion["p"], found.duration["p"], found.score["p"]])
    q = np.concatenate([t["adjusted_p"] for t in (found.conversion, found.duration, found.score)])
    known = ~np.isnan(p)
    assert np.count_nonzero(known) > 2
    assert np.all(q[known] >= p[known] * (1 - 1e-12))
    assert q[known].max() == pytest.approx(p[known].max())


def test_steps_that_nobody_visited_are_named():
    found = fit(of_paths([["a", "x"]]), cx.JourneyBlueprint("s", ["a", "b"]))
    assert found.never_observed == ("b",)


def test_no_journeys_fit_nothing():
    journeys = of_paths([["a"]]).where(np.array([False]))
    found = fit(journeys, cx.JourneyBlueprint("s", ["a", "b"]))
    assert math.isnan(found.fitness.value)
    assert found.fitness.notes == ("empty",)
    assert len(found.deviations) == 0


def test_the_fit_comes_back_from_a_dictionary():
    found = fit(
        of_paths([["a", "x"], ["a", "b"]], [30, 20], dropped=[10, 40]),
        cx.JourneyBlueprint("s", ["a", "b"]),
    )
    again = BlueprintFit.from_dict(json.loads(json.dumps(found.to_dict())))
    assert (again.fitness, again.exact) == (found.fitness, found.exact)
    assert again.deviations == found.deviations


def test_min_journeys_must_be_a_number():
    with pytest.raises(
        InvalidValue, match="min_journeys must be a whole number, at least 2; got 1"
    ):
        fit(of_paths([["a"]]), cx.JourneyBlueprint("s", ["a"]), min_journeys=1)
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not InteractionLog"):
        fit(of_paths([["a"]]).log, cx.JourneyBlueprint("s", ["a"]))
    with pytest.raises(InvalidValue, match="blueprint must be a JourneyBlueprint"):
        fit(of_paths([["a"]]), ["a"])


def test_rules_are_deviations_of_the_journeys_that_break_them():
    shop = cx.JourneyBlueprint("shop", ["catalog", "cart"])
    rows = [["catalog", "cart", "help"], ["cart", "catalog"], ["catalog"]]
    journeys = cx.Journeys.from_paths(rows, converted=[30, 10, 0], dropped=[0, 20, 40])
    found = fit(
        journeys,
        shop,
        must={"cart": "cart"},
        must_not={"cart first": "^ -> cart", "never": "help -> .* -> cart"},
    )
    broken = {r["step"]: r["journeys"] for r in found.deviations if r["deviation"] == "rule"}
    assert broken == {"cart": 40, "cart first": 30, "never": 0}
    assert len(found.journeys("rule", "cart first")) == 30
    in_progress = attrs.evolve(journeys, outcome=np.full(len(journeys.outcome), 2, dtype=np.int8))
    still = fit(in_progress, shop, must={"cart": "cart"})
    assert [r["journeys"] for r in still.deviations if r["deviation"] == "rule"] == [0]
    with pytest.raises(InvalidValue, match="not clear here"):
        fit(journeys, shop, must={"cart": "cart ->"})
