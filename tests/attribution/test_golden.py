"""Published and independently computed attributions, exactly."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.attribution import _shapley as shapley_value

T1 = (
    ("ad>web>cart", 1, 0),
    ("ad>web", 0, 1),
    ("web>cart>web>cart", 1, 0),
    ("web", 0, 1),
    ("ad", 0, 1),
    ("email>web>cart", 0, 1),
    ("email", 1, 0),
    ("web>store", 1, 0),
    ("ad>web>web", 0, 1),
    ("email>web>store", 0, 1),
)

MARKOV = {  # paths, P(conversion), removal effects; exact by hand and in print
    "M1": (
        (("C1>C2>C3", 1, 0), ("C1", 0, 1), ("C2>C3", 0, 1)),
        "1/3",
        {"C1": "1/2", "C2": "1", "C3": "1"},
    ),
    "M2": (
        (("A>B>A>B>B>A", 1, 0), ("A>B>B>A>A", 1, 0), ("A>A", 1, 0)),
        "1",
        {"A": "1", "B": "1/2"},
    ),
    "M3": ((("a>b", 3, 1), ("a>c", 1, 1)), "2/3", {"a": "1", "b": "3/4", "c": "1/4"}),
    "M4": (
        (("a>a>b", 2, 1), ("b>a", 1, 3), ("c>b", 0, 6)),
        "3/13",
        {"a": "19/39", "b": "6/7", "c": "36/79"},
    ),
    "M5": (
        tuple((p, 3, 0) for p in ("A", "A>B", "A>B>C", "B", "B>A", "B>C>A", "C", "C>A", "C>B>A")),
        "1",
        {"A": "2/3", "B": "8/15", "C": "28/57"},
    ),
}


def journeys_of(paths) -> cx.Journeys:
    names, converted, dropped = zip(*paths, strict=True)
    split = [p.split(">") if isinstance(p, str) else p for p in names]
    return cx.Journeys.from_paths(split, converted=converted, dropped=dropped, channels=True)


def fractions(values: dict[str, str]) -> dict[str, float]:
    return {name: float(Fraction(value)) for name, value in values.items()}


@pytest.mark.parametrize("name", MARKOV)
def test_markov_equals_the_exact_fractions(name):
    paths, base, effects = MARKOV[name]
    result = cx.attribution.markov(journeys_of(paths))
    assert result.base_rate == pytest.approx(float(Fraction(base)), abs=1e-12)
    assert dict(result.removal_effect) == pytest.approx(fractions(effects), abs=1e-12)
    total = sum(Fraction(v) for v in effects.values())
    conversions = sum(c for _, c, _ in paths)
    credit = {n: float(Fraction(v) / total * conversions) for n, v in effects.items()}
    assert dict(result.credit) == pytest.approx(credit, abs=1e-12)


def test_markov_of_the_golden_log():
    result = cx.attribution.markov(journeys_of(T1))
    golden = {
        "ad": 0.500773,
        "web": 1.335394,
        "cart": 0.939722,
        "email": 0.77898,
        "store": 0.445131,
    }
    assert dict(result.credit) == pytest.approx(golden, abs=1e-6)
    assert result.total == pytest.approx(4)
    assert result.base_rate == pytest.approx(0.4, abs=1e-12)


def test_shapley_of_the_golden_log():
    result = cx.attribution.shapley(journeys_of(T1))
    golden = {"ad": 1 / 3, "web": 4 / 3, "cart": 5 / 6, "email": 1.0, "store": 0.5}
    assert dict(result.credit) == pytest.approx(golden, abs=1e-12)


def test_markov_equals_the_published_oracles(shared):
    for case in json.loads((shared / "oracles" / "attribution_markov.json").read_text()):
        journeys = journeys_of(case["paths"])
        result = cx.attribution.markov(journeys)
        assert result.base_rate == pytest.approx(float(Fraction(case["base"])), abs=1e-12)
        effects, credit = fractions(case["removal_effect"]), fractions(case["credit"])
        assert dict(result.removal_effect) == pytest.approx(effects, abs=1e-12)
        assert dict(result.credit) == pytest.approx(credit, abs=1e-12)
        for rule in ("first_touch", "last_touch", "linear"):
            if rule in case:
                found = getattr(cx.attribution, rule)(journeys)
                assert dict(found.credit) == pytest.approx(fractions(case[rule]), abs=1e-12)


def test_shapley_equals_the_published_oracles(shared):
    cases = json.loads((shared / "oracles" / "attribution_shapley.json").read_text())
    shares = cases[0]["exact_set_conversion_shares"]
    paths = [(tuple(s.split("+")), round(100 * v), 0) for s, v in shares.items()]
    result = cx.attribution.shapley(journeys_of(paths))
    expected = {n: 100 * v for n, v in cases[0]["expected"].items()}
    assert dict(result.credit) == pytest.approx(expected, abs=1e-9)


def test_the_exact_sum_over_sets_is_shapleys_on_the_glove_game():
    # one left glove each for players 1 and 2, a right one for 3: a pair is worth 1. As journeys,
    # "sets within S" must then convert at v(S), which the kernel takes as won over count
    worth = {0b101: 1.0, 0b110: 1.0, 0b111: -1.0}  # Harsanyi dividends of the game
    member = np.array([[c >> i & 1 for i in range(3)] for c in worth], dtype=bool)
    always = np.vstack([member, np.zeros((1, 3), dtype=bool)])
    won, count = np.array([*worth.values(), 0.0]), np.array([0.0, 0.0, 0.0, 1.0])
    value = shapley_value._exact(always, won, count)
    assert value == pytest.approx([1 / 6, 1 / 6, 2 / 3], abs=1e-12)


def test_first_and_last_touch_of_the_teaching_set(shared):
    oracle = json.loads((shared / "oracles" / "first_last_touch_codecademy.json").read_text())
    paths, until_purchase = defaultdict(list), {}
    file = shared / "data" / "codecademy_page_visits" / "page_visits.csv"
    with file.open(newline="") as lines:
        rows = sorted(csv.DictReader(lines), key=lambda r: _moment(r["timestamp"]))
    for row in rows:
        paths[row["user_id"]].append(row["utm_campaign"])
        if row["page_name"] == "4 - purchase":
            until_purchase[row["user_id"]] = list(paths[row["user_id"]])
    everyone = cx.Journeys.from_paths(paths.values(), converted=[1] * len(paths), channels=True)
    buyers = until_purchase.values()
    purchases = cx.Journeys.from_paths(buyers, converted=[1] * len(buyers), channels=True)
    first = cx.attribution.first_touch(everyone)
    last = cx.attribution.last_touch(everyone)
    at_purchase = cx.attribution.last_touch(purchases)
    assert _positive(first) == oracle["first_touch"]
    assert _positive(last) == oracle["last_touch"]
    assert _positive(at_purchase) == oracle["last_touch_at_purchase"]


def _moment(text: str) -> tuple:
    day, clock = text.split(" ")
    return day, tuple(map(int, clock.split(":")))


def _positive(result) -> dict:
    return {name: int(credit) for name, credit in result.credit.items() if credit}


@pytest.fixture(scope="module")
def path_data(shared):
    file = shared / "data" / "channelattribution_pathdata" / "PathData.csv"
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    paths = [row["path"].split(" > ") for row in rows]
    converted = [int(row["total_conversions"]) for row in rows]
    dropped = [int(float(row["total_null"])) for row in rows]
    return paths, converted, dropped


@pytest.fixture(scope="module")
def path_journeys(path_data):
    paths, converted, dropped = path_data
    return cx.Journeys.from_paths(paths, converted=converted, dropped=dropped, channels=True)


def test_rules_equal_exact_counts_on_ten_thousand_paths(path_data, path_journeys):
    paths, converted, _ = path_data
    first, last, linear = Counter(), Counter(), defaultdict(Fraction)
    for path, n in zip(paths, converted, strict=True):
        first[path[0]] += n
        last[path[-1]] += n
        for name in path:
            linear[name] += Fraction(n, len(path))
    for function, expected in (
        (cx.attribution.first_touch, first),
        (cx.attribution.last_touch, last),
        (cx.attribution.linear, linear),
    ):
        result = function(path_journeys)
        for name, credit in result.credit.items():
            assert credit == pytest.approx(float(expected[name]), rel=1e-12)
        assert result.total == pytest.approx(19_785, abs=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_markov_of_any_order_converts_as_observed(path_data, path_journeys, order):
    _, converted, dropped = path_data
    result = cx.attribution.markov(path_journeys, order=order)
    rate = sum(converted) / (sum(converted) + sum(dropped))
    assert result.base_rate == pytest.approx(rate, abs=1e-10)
    assert sum(result.credit.values()) == pytest.approx(19_785, rel=1e-12)
