"""Transfers, reopenings and contact rates: who counts, who does not, and how sure they are."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from cxjourney._stats.intervals import garwood
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import contact_rate, pool, reopen_rate, transfer_rate


def test_transfers_are_shares_of_contacts():
    rate = transfer_rate([1, 0, None, 0])
    assert (rate.numerator, rate.denominator, rate.n_missing) == (1, 3, 1)


def test_recently_closed_cases_may_still_be_reopened():
    ages = [timedelta(days=d) for d in (30, 7, 6, 1)]
    rate = reopen_rate([True, False, True, False], age=ages, window=timedelta(days=7))
    assert (rate.numerator, rate.denominator, rate.n_censored) == (1, 2, 2)
    assert reopen_rate([True, False]).value == 0.5
    with pytest.raises(InvalidValue, match="age must be given together with window"):
        reopen_rate([True], window=timedelta(1))
    with pytest.raises(InvalidData, match="negative"):
        reopen_rate([True], age=[-timedelta(1)], window=timedelta(1))


def test_contacts_per_exposure():
    rate = contact_rate([1, 0, 2], exposure=[40, 40, 40], per="order")
    assert rate.value == 0.025
    assert rate.unit == "contacts per order"
    plain = contact_rate([1, 0, 2], exposure=[40, 40, 40], per="order", interval="garwood")
    assert (plain.low, plain.high) == garwood(3, 120)


def test_the_rate_of_contacts_leaves_out_each_row():
    counts, orders = np.array([1.0, 0.0, 2.0, 5.0]), np.array([4.0, 4.0, 2.0, 3.0])
    rate = contact_rate(counts, exposure=orders)
    whole = math.log(8 / 13)
    logs = [math.log((8 - y) / (13 - x)) for y, x in zip(counts, orders, strict=True)]
    error = math.sqrt(3 / 4 * sum((log - whole) ** 2 for log in logs))
    freedom = 13**2 / (16 + 16 + 4 + 9) - 1  # as many rows of equal exposure, less 1
    half = stats.t.ppf(0.975, freedom) * error
    assert rate.low == pytest.approx(8 / 13 * math.exp(-half))
    assert rate.high == pytest.approx(8 / 13 * math.exp(half))


def test_customers_who_call_again_and_again_are_said_to():
    quiet = contact_rate([0, 1] * 20)
    assert not quiet.notes
    loud = contact_rate([0] * 38 + [30, 40], interval="garwood")
    assert any("too narrow" in note for note in loud.notes)
    wide = contact_rate([0] * 38 + [30, 40])
    assert wide.high > 3 * loud.high  # two customers say little
    alone = contact_rate([0] * 39 + [30])
    assert (alone.low, alone.high) == garwood(30, 40)
    assert any("as independent" in note for note in alone.notes)
    assert any("too narrow" in note for note in alone.notes)


def test_contact_rates_of_days_add_up():
    parts = [contact_rate(day, interval="garwood") for day in ([0, 1, 2], [0, 0])]
    assert pool(parts).value == contact_rate([0, 1, 2, 0, 0]).value == 0.6


def test_contact_rate_edges():
    assert math.isnan(contact_rate([]).value)
    assert contact_rate([0, 0]).high == pytest.approx(3.6889 / 2, abs=1e-4)
    assert contact_rate([1, None]).n_missing == 1
    assert math.isnan(contact_rate([1, None], nan_policy="propagate").value)
    for bad in ([-1], [0.5]):
        with pytest.raises(InvalidData, match="whole and at least 0"):
            contact_rate(bad)
    with pytest.raises(InvalidData, match="exposure"):
        contact_rate([1], exposure=[-1])
    with pytest.raises(InvalidValue, match="booleans"):
        contact_rate(np.array([True]))
