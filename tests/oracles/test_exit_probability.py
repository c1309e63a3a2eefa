"""Exit probabilities against lifelines, node by node."""

from __future__ import annotations

import numpy as np
import pytest

from cxjourney._stats.aalen_johansen import MOVED, OPEN, STAYED, left_out_probabilities, move_mass

LIMIT = 40


def waits(seed):
    rng = np.random.default_rng(seed)
    n = 600
    node = rng.integers(0, 3, n)
    wait = rng.integers(1, 60, n)
    censor = rng.integers(1, 60, n)
    state = np.where(wait <= censor, MOVED, OPEN)
    shown = np.minimum(wait, censor)
    state = np.where(shown >= LIMIT, STAYED, state)
    exits = (state == MOVED) & (rng.random(n) < 0.2)
    return node, shown, state, exits


@pytest.mark.oracles("lifelines")
@pytest.mark.parametrize("seed", range(3))
def test_kaplan_meier_and_greenwood(seed):
    from lifelines import KaplanMeierFitter

    node, wait, state, _ = waits(seed)
    mass = move_mass(node, wait, state, 3)
    without = left_out_probabilities(
        node,
        wait,
        state,
        np.where(state == MOVED, node, -1),
        np.arange(len(node)),
        source=np.arange(3),
        n_nodes=3,
        n_units=len(node),
    )
    for x in range(3):
        here = node == x
        fit = KaplanMeierFitter().fit(np.minimum(wait[here], LIMIT), state[here] == MOVED)
        assert 1 - mass[here].sum() == pytest.approx(fit.predict(LIMIT))
        # lifelines keeps the sum of Greenwood, that is Var(S)/S²
        greenwood = float(fit._cumulative_sq_.iloc[-1]) * fit.predict(LIMIT) ** 2
        n = here.sum()  # leaving out a visit elsewhere changes nothing here
        jackknife = (n - 1) / n * ((without[here, x] - without[here, x].mean()) ** 2).sum()
        assert jackknife == pytest.approx(greenwood, rel=0.05)


@pytest.mark.oracles("lifelines")
@pytest.mark.parametrize("seed", range(3))
def test_aalen_johansen_where_customers_leave_explicitly(seed):
    from lifelines import AalenJohansenFitter

    node, wait, state, exits = waits(seed)
    mass = move_mass(node, wait, state, 3)
    for x in range(3):
        here = node == x
        cause = np.where(state[here] == MOVED, np.where(exits[here], 2, 1), 0)
        # lifelines shakes tied times by chance; a fixed, tiny order does the same without it
        order = np.lexsort((cause == 0, wait[here]))
        time = np.minimum(wait[here], LIMIT)[order] + np.arange(here.sum()) * 1e-7
        fit = AalenJohansenFitter(calculate_variance=False).fit(
            time, cause[order], event_of_interest=1
        )
        goes_on = mass[here & (state == MOVED) & ~exits].sum()
        assert goes_on == pytest.approx(float(fit.cumulative_density_.iloc[-1, 0]), abs=2e-3)
