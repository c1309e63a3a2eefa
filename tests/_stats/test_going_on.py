"""Probabilities to go on: those of Aalen and Johansen, from visits and from counts of them."""

from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney._stats import going_on as module
from cxjourney._stats.aalen_johansen import MOVED, OPEN, left_out_probabilities, move_mass
from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._stats.going_on import CENSORED, LOST, WENT_ON, Ends, going_on, reach_of

visit = st.tuples(
    st.integers(-1, 2), st.integers(0, 6), st.sampled_from([WENT_ON, LOST, CENSORED]),
    st.integers(0, N_BUCKETS - 1),
)  # fmt: skip


def ends_of(visits):
    group, wait, how, unit = np.array(visits, dtype=np.int64).T
    return Ends(group=group, wait=wait, how=how, unit=unit)


def every(visits):
    """Return the visits and one of each group, so that none is empty."""
    return [*visits, *((group, 3, WENT_ON, 5) for group in range(3))]


def test_by_hand():
    # moves at 1, 1 and 5 days, one censored at 4, two lost after 7: S(7) = (4/6)(2/3)
    waits = [(1, WENT_ON), (1, WENT_ON), (5, WENT_ON), (4, CENSORED), (7, LOST), (7, LOST)]
    found = going_on(ends_of([(0, wait, how, i) for i, (wait, how) in enumerate(waits)]), 1)
    assert found.whole == pytest.approx(1 - 4 / 9)
    assert found.without[3] == pytest.approx(3 / 5)  # nobody is censored then
    assert found.visits.sum() == 6
    assert found.censored[:, 0].tolist() == [float(unit == 3) for unit in range(N_BUCKETS)]


@pytest.mark.parametrize("room", [1 << 20, 8])
@given(visits=st.lists(visit, max_size=40).map(every))
def test_they_are_those_of_aalen_and_johansen(room, visits):
    ends = ends_of(visits)
    used = ends.group >= 0
    group, wait, unit = ends.group[used], ends.wait[used], ends.unit[used]
    state = np.where(ends.how[used] == CENSORED, OPEN, MOVED)
    went = ends.how[used] == WENT_ON
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CELLS", room)
        patch.setattr(module, "_ROWS", room)
        found = going_on(ends, 3)
    mass = np.where(went, move_mass(group, wait, state, 3), 0)
    without = left_out_probabilities(
        group,
        wait,
        state,
        np.where(went, group, -1),
        unit,
        source=np.arange(3),
        n_nodes=3,
        n_units=N_BUCKETS,
    )
    assert np.allclose(found.whole, np.bincount(group, mass, minlength=3), atol=1e-12)
    assert np.allclose(found.without, without, atol=1e-12, equal_nan=True)


@given(visits=st.lists(visit, max_size=40).map(every), times=st.integers(1, 3))
def test_rows_may_stand_for_several_visits(visits, times):
    rows, count = np.unique(np.array(visits * times), axis=0, return_counts=True)
    one, other = (
        going_on(ends, 3)
        for ends in (ends_of(visits * times), attrs.evolve(ends_of(rows), count=count))
    )
    for field in attrs.fields(module.GoingOn):
        values = [getattr(x, field.name) for x in (one, other)]
        assert np.array_equal(*values, equal_nan=True)


@given(visits=st.lists(visit, max_size=40).map(every))
def test_times_beyond_the_bits_of_a_key_keep_their_order(visits):
    ends = ends_of(visits)
    late = attrs.evolve(ends, wait=ends.wait << 58)
    assert np.array_equal(going_on(ends, 3).whole, going_on(late, 3).whole)


@given(visits=st.lists(st.tuples(st.just(0), st.integers(0, 1), st.integers(0, 2), st.just(0)),
                       min_size=1, max_size=5))  # fmt: skip
def test_no_order_of_equal_times_leads_further_than_is_said(visits):
    ends = ends_of(visits)
    reach, found = reach_of(ends, 1)[0], going_on(ends, 1).whole[0]
    for order in itertools.permutations(range(len(visits))):
        apart = attrs.evolve(ends, wait=ends.wait * len(visits) + np.array(order))
        assert abs(going_on(apart, 1).whole[0] - found) <= reach + 1e-12


def test_without_groups_there_is_nothing():
    nothing = np.zeros(0, dtype=np.int64)
    found = going_on(Ends(group=nothing, wait=nothing, how=nothing, unit=nothing), 0)
    assert found.without.shape == (N_BUCKETS, 0)
