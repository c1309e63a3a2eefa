"""The planted sizes; `tests/calibration/sample_truths.py` looks at 200 seeds, this at a few."""

from __future__ import annotations

import importlib.util
import itertools

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.datasets import _retailer as retailer
from cxjourney.datasets import sample
from cxjourney.datasets._chain import build_chain
from cxjourney.datasets._simulation import draw_people, walk

SEEDS = 4


@pytest.fixture(scope="module")
def truths():
    return sample(customers=1).truths


@pytest.fixture(scope="module")
def measured(project_root):
    """Return what the calibration script finds in the data of a few seeds."""
    path = project_root / "tests" / "calibration" / "sample_truths.py"
    spec = importlib.util.spec_from_file_location("sample_truths", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return [script.measure(seed) for seed in range(SEEDS)]


def test_the_planted_sizes_are_those_of_the_specification(truths):
    assert truths.handoff.loss == pytest.approx(0.10, abs=0.001)
    assert 0.02 < truths.handoff.share < 0.03
    assert [c.touchpoint for c in truths.critical] == ["store advice", "payment"]
    assert [c.excess for c in truths.critical] == pytest.approx([0.08, 0.08], abs=0.001)
    assert truths.segment.difference == pytest.approx(0.08, abs=0.001)
    assert truths.segment.share == 0.2


def test_the_critical_touchpoints_are_not_those_with_the_highest_exit_rates(truths):
    ranked = sorted(truths.exits, key=truths.exits.get, reverse=True)
    assert not {c.touchpoint for c in truths.critical} & set(ranked[:10])


@pytest.mark.parametrize("on", list(itertools.product([True, False], repeat=3)))
def test_each_switch_turns_one_truth_off(on):
    handoff, critical, segment = on
    truths = sample(customers=1, handoff=handoff, critical=critical, segment=segment).truths
    assert (truths.handoff is not None) == handoff
    assert bool(truths.critical) == critical
    assert (truths.segment is not None) == segment
    assert str(truths)


def test_exits_computed_from_the_model_are_those_of_the_simulation(measured):
    # Errors in units of their binomial standard deviation; the mean of their squares over 41
    # touchpoints has standard deviation 0.22 and exceeds 1.7 in one of some 500 studies.
    squares = []
    for name in measured[0][2].exits:
        seeds = [covered[name] for _, covered, _ in measured]
        visits = sum(n for _, _, n in seeds)
        error = sum(e * n for _, e, n in seeds) / visits
        e = measured[0][2].exits[name]
        squares.append(error**2 * visits / (e * (1 - e)))
    assert np.mean(squares) < 1.7


def test_the_survival_estimate_at_the_limit_is_the_planted_exit_probability():
    data = sample(seed=11)
    graph = data.journeys().graph()
    z = []
    for name, e in data.truths.exits.items():
        estimate = graph.edges[name, cx.DROPOFF]["probability"]
        z.append((estimate - e) / np.sqrt(e * (1 - e) / graph.nodes[name]["visits"]))
    assert np.mean(np.square(z)) < 1.9
    assert abs(np.mean(z)) < 0.5


@pytest.mark.parametrize(
    ("name", "size", "error"),
    [
        # three standard errors of the mean over the seeds
        ("hand-off loss", 0.10, 0.017),
        ("excess at store advice", 0.08, 0.013),
        ("excess at payment", 0.08, 0.011),
        ("segment difference", 0.08, 0.018),
    ],
)
def test_the_planted_sizes_show_in_the_data(measured, name, size, error):
    assert np.mean([found[name] for found, _, _ in measured]) == pytest.approx(size, abs=error)


def test_the_handoff_carries_two_to_three_percent_of_arrivals(measured):
    for found, _, _ in measured:
        assert 0.02 < found["hand-off share"] < 0.03


def test_raw_rates_do_not_find_what_is_planted(measured):
    for found, _, _ in measured:
        assert not found["raw rate: one in top 3"]
        assert found["gain over peers: both in top 3"]


def test_episodes_begin_when_the_truths_assume(truths):
    rng = np.random.default_rng(0)
    chain = build_chain(handoff=True, critical=True, segment=True)
    contacts = walk(chain, draw_people(5_000, rng), rng)
    begins = np.append(True, contacts.left[:-1] | (np.diff(contacts.customer) != 0))
    assert contacts.year[begins].mean() == pytest.approx(retailer.MEAN_YEAR, abs=0.007)


def test_no_chance_exceeds_one_for_the_frailest_customer():
    chain = build_chain(handoff=True, critical=True, segment=True)
    assert 2 * chain.exits[:-1].max() <= 1
    web = chain.handoff.any(axis=0)
    assert 2 * (chain.exits[web].max() + chain.handoff_excess) <= 1


def test_customers_differ_as_declared():
    people = draw_people(100_000, np.random.default_rng(0))
    # 2 B with B ~ Beta(12, 12) has mean 1 and variance 4 / (4 * 25)
    assert people.frailty.mean() == pytest.approx(1, abs=0.004)
    assert people.frailty.var() == pytest.approx(1 / 25, abs=0.002)


def test_even_sample_leaves_touchpoints_of_a_stage_equally_often_all_year():
    plain = {"handoff": False, "critical": False, "segment": False}
    chain, usual = build_chain(**plain, even=True), build_chain(**plain)
    for stage in range(5):
        mine = [x for x in range(42) if chain.stage[x] == stage and x != len(chain.exits) - 1]
        assert len({round(rate, 12) for rate in chain.exits[mine].tolist()}) == 1
        assert chain.exits[mine].mean() == pytest.approx(usual.exits[mine].mean())
    assert chain.exits[-1] == usual.exits[-1]
    assert (chain.entries[0] == chain.entries[1]).all()
    assert chain.entries[0] == pytest.approx(usual.entries.mean(axis=0))
