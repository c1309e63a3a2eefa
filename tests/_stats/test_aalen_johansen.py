"""Exit probabilities of raw waits, against a plain Kaplan-Meier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney._stats.aalen_johansen import (
    MOVED,
    OPEN,
    STAYED,
    left_out_probabilities,
    move_mass,
)
from cxjourney.metrics import kaplan_meier


def weighted_exit(wait, state, exits, weight):
    """1 - the incidence of going on, one visit and one time after the other."""
    survival, goes_on = 1.0, 0.0
    for time in sorted({t for t, s in zip(wait, state, strict=True) if s == MOVED}):
        at_risk = sum(
            w for t, s, w in zip(wait, state, weight, strict=True) if s == STAYED or t >= time
        )
        here = [
            (x, w)
            for t, s, x, w in zip(wait, state, exits, weight, strict=True)
            if s == MOVED and t == time
        ]
        goes_on += survival * sum(w for x, w in here if not x) / at_risk
        survival *= 1 - sum(w for _, w in here) / at_risk
    return 1 - goes_on


visits = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 6),
        st.sampled_from([MOVED, MOVED, STAYED, OPEN]),
        st.booleans(),
    ),
    min_size=1,
    max_size=25,
)


def columns(rows):
    node, wait, state, exits = (np.array(column) for column in zip(*rows, strict=True))
    return node, wait.astype(np.int64), state.astype(np.int8), exits & (state == MOVED)


@given(visits)
def test_masses_give_the_exit_probability_of_every_node(rows):
    node, wait, state, exits = columns(rows)
    mass = move_mass(node, wait, state, 3)
    for x in set(node.tolist()):
        here = node == x
        brute = weighted_exit(wait[here], state[here], exits[here], np.ones(here.sum()))
        goes_on = here & (state == MOVED) & ~exits
        assert 1 - mass[goes_on].sum() == pytest.approx(brute, abs=1e-12)


def test_visits_left_out_in_turn_have_nearly_the_variance_of_greenwood():
    rng = np.random.default_rng(1)
    wait = rng.integers(0, 40, 500)
    state = rng.choice([MOVED, OPEN], 500, p=[0.6, 0.4]).astype(np.int8)
    until = 30
    moved = (state == MOVED) & (wait <= until)
    capped = np.where(wait > until, until, wait)
    state[wait > until] = STAYED
    without = left_out_probabilities(
        np.zeros(500, dtype=np.int64),
        wait,
        state,
        np.where(state == MOVED, 0, -1),
        np.arange(500),
        source=np.zeros(1, dtype=np.int64),
        n_nodes=1,
        n_units=500,
    )[:, 0]
    curve = kaplan_meier(capped.astype("timedelta64[us]"), moved)
    jackknife = 499 / 500 * ((without - without.mean()) ** 2).sum()
    assert jackknife == pytest.approx(float(curve.std_error[-1]) ** 2, rel=0.02)


def test_no_visit_has_no_mass():
    empty = np.zeros(0, dtype=np.int64)
    assert len(move_mass(empty, empty, empty, 0)) == 0


@given(visits, st.lists(st.integers(0, 3), min_size=25, max_size=25))
def test_probabilities_without_a_unit_are_those_of_the_other_visits(rows, units):
    node, wait, state, exits = columns(rows)
    unit = np.array(units[: len(rows)])
    transition = np.where(state == MOVED, 2 * node + exits, -1)
    without = left_out_probabilities(
        node,
        wait,
        state,
        transition,
        unit,
        source=np.arange(6) // 2,
        n_nodes=3,
        n_units=4,
    )
    for left in range(4):
        others = unit != left
        mass = move_mass(node[others], wait[others], state[others], 3)
        for move in range(6):
            if not (others & (node == move // 2)).any():
                assert np.isnan(without[left, move])
                continue
            alone = mass[transition[others] == move].sum()
            assert without[left, move] == pytest.approx(alone, abs=1e-12)


@given(visits)
def test_without_times_censored_visits_are_left_out(rows):
    node, _, state, exits = columns(rows)
    transition = np.where(state == MOVED, 2 * node + exits, -1)
    without = left_out_probabilities(
        node,
        None,
        state,
        transition,
        np.zeros(len(node), dtype=np.int64),
        source=np.arange(6) // 2,
        n_nodes=3,
        n_units=2,
    )
    for move in range(6):
        known = (node == move // 2) & (state != OPEN)
        share = (transition[known] == move).mean() if known.any() else np.nan
        assert without[1, move] == pytest.approx(share, nan_ok=True)
        assert np.isnan(without[0, move])


def test_many_censoring_times_are_worked_through_in_blocks(monkeypatch):
    rng = np.random.default_rng(4)
    n = 3000
    node, unit = rng.integers(0, 3, n), rng.integers(0, 16, n)
    wait = rng.integers(0, 10_000, n)
    state = rng.choice(np.array([MOVED, STAYED, OPEN], dtype=np.int8), n, p=[0.5, 0.2, 0.3])
    transition = np.where(state == MOVED, node, -1)
    keywords = {"source": np.arange(3), "n_nodes": 3, "n_units": 16}
    whole = left_out_probabilities(node, wait, state, transition, unit, **keywords)
    monkeypatch.setattr("cxjourney._stats.aalen_johansen._BLOCK", 2500)
    parts = left_out_probabilities(node, wait, state, transition, unit, **keywords)
    assert parts == pytest.approx(whole, abs=1e-13)
