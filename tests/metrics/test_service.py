"""Transfers, reopenings and contact rates: who counts, who does not, and how sure they are."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest

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
    assert (rate.low, rate.high) == garwood(3, 120)
    assert rate.unit == "contacts per order"


def test_customers_who_call_again_and_again_are_said_to():
    quiet = contact_rate([0, 1] * 20)
    assert not quiet.notes
    loud = contact_rate([0] * 38 + [30, 40])
    assert any("too narrow" in note for note in loud.notes)
    honest = contact_rate([0] * 38 + [30, 40], interval="bootstrap", rng=1)
    assert honest.high - honest.low > 2 * (loud.high - loud.low)
    assert honest == contact_rate([0] * 38 + [30, 40], interval="bootstrap", rng=1)


def test_contact_rates_of_days_add_up():
    parts = [contact_rate([0, 1, 2]), contact_rate([0, 0])]
    assert pool(parts).value == contact_rate([0, 1, 2, 0, 0]).value == 0.6


def test_contact_rate_edges():
    assert math.isnan(contact_rate([]).value)
    assert contact_rate([0, 0]).high == pytest.approx(3.6889 / 2, abs=1e-4)
    assert contact_rate([1, None]).n_missing == 1
    assert math.isnan(contact_rate([1, None], nan_policy="propagate").value)
    assert math.isnan(contact_rate([1, 2], interval="bootstrap", rng=1).low)
    for bad in ([-1], [0.5]):
        with pytest.raises(InvalidData, match="whole and at least 0"):
            contact_rate(bad)
    with pytest.raises(InvalidData, match="exposure"):
        contact_rate([1], exposure=[-1])
    with pytest.raises(InvalidValue, match="booleans"):
        contact_rate(np.array([True]))
