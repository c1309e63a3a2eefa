from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import LifeTable, kaplan_meier

HOUR = timedelta(hours=1)


def hours(values):
    return [timedelta(hours=float(v)) for v in values]


def test_durations_on_the_grid_give_the_exact_curve():
    length, ended = hours([1, 2, 3, 3, 2, 4, 5]), [1, 1, 1, 1, 0, 0, None]
    got, want = LifeTable(HOUR).update(length, ended).result(), kaplan_meier(length, ended)
    assert got.to_dict() == want.to_dict()
    assert (got.n, got.n_censored, got.n_missing) == (6, 2, 1)


def test_durations_off_the_grid_are_rounded_up():
    table = LifeTable(HOUR).update(hours([0, 0.1, 1, 1.01]), [True] * 4)
    assert (table.result().time_s / 3600).tolist() == [0, 1, 2]


def test_a_fine_grid_takes_no_more_room_than_its_counts():
    table = LifeTable(timedelta(microseconds=1)).update([timedelta(days=3650)], [True])
    assert len(table._rows) == 1


def test_nothing_counted_is_empty():
    assert LifeTable(HOUR).result().median.notes == ("empty",)
    assert LifeTable(HOUR).update([], []).merge(LifeTable(HOUR)).result().n == 0


def test_tables_of_other_steps_do_not_mix():
    with pytest.raises(InvalidValue, match="life table of step"):
        LifeTable(HOUR).merge(LifeTable(2 * HOUR))
    with pytest.raises(InvalidValue, match="step must be"):
        LifeTable(timedelta(0))


def test_negative_durations_are_refused_and_change_nothing():
    table = LifeTable(HOUR).update(hours([1]), [True])
    with pytest.raises(InvalidData):
        table.update(hours([1, -1]), [True, True])
    assert table.result().n == 1


def test_printing_says_what_was_counted():
    table = LifeTable(HOUR).update(np.array([1, 2], "m8[h]"), [True, False])
    assert repr(table) == "LifeTable(step=1:00:00, events=1, censored=1)"
