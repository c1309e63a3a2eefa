from __future__ import annotations

import math

import numpy as np
import pytest

from cxjourney.exceptions import InvalidValue
from cxjourney.graph import life_table


def test_golden_aalen_johansen_of_two_causes():
    # METHODS section 14: T = 1,2,2,3,3,4,5,5; E = 1,1,2,0,2,1,0,1, where 0 is open.
    times, ends = [1, 2, 2, 3, 3, 4, 5, 5], [1, 1, 2, 0, 2, 1, 0, 1]
    count = np.zeros((3, 6), dtype=int)
    np.add.at(count, (ends, times), 1)
    probability, silent = life_table([8], count[:1], count[1:], [0, 0])
    assert probability == pytest.approx([0.583333, 0.25], abs=5e-7)
    # With ties, open visits leave after the moves: the last one open keeps its mass.
    assert silent[0] == pytest.approx(1 - 0.583333 - 0.25, abs=1e-6)
    for until, first in ((1, 0.125), (2, 0.25), (3, 0.25), (4, 0.416667)):
        bins = slice(0, until + 1)
        late = life_table([8], count[:1, bins], count[1:, bins], [0, 0])[0]
        assert late[0] == pytest.approx(first, abs=5e-7)


def test_golden_kaplan_meier():
    # METHODS section 14: events at 1, 2, 3, 3; censored at 2, 4, 5; seven in all.
    moves = [[0, 1, 1, 2, 0, 0]]
    opened = [[0, 0, 1, 0, 1, 1]]
    for until, survival in ((1, 0.857143), (2, 0.714286), (5, 0.357143)):
        cut = slice(0, until + 1)
        _, silent = life_table([7], [opened[0][cut]], [moves[0][cut]], [0])
        assert silent[0] == pytest.approx(survival, abs=5e-7)


def test_without_open_visits_it_is_counting():
    probability, silent = life_table([10], [[0, 0]], [[1, 2], [3, 0]], [0, 0])
    assert probability == pytest.approx([0.3, 0.3])
    assert silent == pytest.approx([0.4])


def test_where_all_is_open_nothing_is_known():
    probability, silent = life_table([2, 0, 1], [[1, 1], [0, 0], [0, 0]], [[0, 1]], [2])
    assert math.isnan(silent[0])
    assert math.isnan(silent[1])
    assert probability == pytest.approx([1])


def test_no_nodes_and_no_edges_are_no_error():
    probability, silent = life_table([], np.zeros((0, 3)), np.zeros((0, 3)), [])
    assert probability.size == silent.size == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1], [[0, 0]], [[1]], [0]), "shapes"),
        (([1], [[0]], [[1]], [0, 0]), "shapes"),
        (([1], [[-1]], [[1]], [0]), "negative"),
        (([1], [[1]], [[1]], [0]), "2 ends and 1 visits"),
        (("one", [[0]], [[1]], [0]), "visits must be whole numbers; got 'one'"),
        (([1], None, [[1]], [0]), "censored_visits must be whole numbers; got None"),
        (([1], [[0]], [["x"]], [0]), "transitions must be whole numbers"),
        (([1], [[0]], [[1]], [None]), "source must be whole numbers"),
        (([1.5], [[0]], [[1]], [0]), "visits must be whole numbers"),
        (([1], [[float("nan")]], [[1]], [0]), "censored_visits must be whole numbers"),
    ],
    ids=range(10),
)
def test_wrong_counts_are_refused(arguments, message):
    with pytest.raises(InvalidValue, match=message):
        life_table(*arguments)
