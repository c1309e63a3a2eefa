"""Changes since a date, incidents that nobody dated, limits of charts."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from cxjourney._stats.change_point import common_spread, rise_of
from cxjourney._stats.control_limits import limits_of_counts, limits_of_shares, reached_at_age
from cxjourney._stats.extremes import gumbel_p, tail_p
from cxjourney._stats.incident_scan import ScanData, deviance_root, expectation, scan


def test_maximum_and_deviance() -> None:
    draws = np.array([4.1 - 0.4, 4.1 + 0.4])
    assert gumbel_p(5.5, draws) == pytest.approx(0.0062869, abs=1e-7)
    assert gumbel_p(5.5, np.full(99, 3.0)) == 1
    root = deviance_root(np.array(12.0), np.array(4.0), np.array(20.0), np.array(0.1), 1.2)
    assert root == pytest.approx(3.540288, abs=1e-6)
    assert root**2 * 1.2 * 0.9 == pytest.approx(13.536328, abs=1e-5)
    for half, size in ((0.5, 3.23), (0.0, 3.79)):  # 15 of 15 at a rate of .62
        o, e = np.array(15.5 - half), np.array(15 * 0.62)
        got = deviance_root(o, e, np.array(15.0), np.array(0.0), 1.0)
        assert got == pytest.approx(size, abs=0.01)


def journeys_at_one_place(
    rng: np.random.Generator, *, n: int, people: int, days: int, jump: int, size: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    unit, day = rng.integers(0, people, n), rng.integers(0, days, n)
    frail = np.exp(rng.normal(0, 0.4, people))[unit]
    rate = np.clip(0.2 * frail / 1.08, 0, 0.8) + size * (day >= jump)
    return unit, day, (rng.random(n) < rate).astype(float)


def test_rise_is_found_at_its_date() -> None:
    rng = np.random.default_rng(11)
    unit, day, event = journeys_at_one_place(rng, n=4_000, people=900, days=364, jump=250, size=0.1)
    rise = rise_of(unit, day, event, n_units=900, n_periods=364, step=7)
    assert rise.p < 1e-4
    assert rise.earliest <= 250 <= rise.latest
    assert abs(rise.since - 250) < 20
    assert rise.after - rise.before == pytest.approx(0.1, abs=0.035)
    # the largest of the boundaries between weeks, computed step by step
    z = []
    rate = event.mean()
    for t in range(7, 364, 7):
        f = np.mean(day < t)
        if 0.05 <= f <= 0.95:
            s = (event[day < t] - rate).sum()
            z.append(-s / np.sqrt(4_000 * f * (1 - f) * rate * (1 - rate)))
    assert rise.z == pytest.approx(max(z))


def test_rise_without_a_rise_keeps_its_level() -> None:
    rng = np.random.default_rng(12)
    false = 0
    for _ in range(200):
        data = journeys_at_one_place(rng, n=800, people=200, days=180, jump=0, size=0.0)
        false += rise_of(*data, n_units=200, n_periods=180, step=7).p <= 0.05
    assert false <= 19  # 10 are to be expected; 20 or more has a probability of .003
    nothing = rise_of(*data[:2], np.zeros(800), n_units=200, n_periods=180)
    assert (nothing.p, nothing.since) == (1.0, -1)


def test_weeks_that_differ_for_everybody_are_no_change() -> None:
    rng = np.random.default_rng(16)
    plain, widened = 0, 0
    for _ in range(100):
        unit, day = rng.integers(0, 256, 6_000), rng.integers(0, 168, 6_000)
        rate = np.clip(0.4 + rng.normal(0, 0.06, 24), 0.05, 0.95)[day // 7]
        event = (rng.random(6_000) < rate).astype(float)
        size = {"n_units": 256, "n_periods": 168, "step": 7}
        common = common_spread(unit, day // 7, event)
        plain += rise_of(unit, day, event, **size).p <= 0.05
        widened += rise_of(unit, day, event, **size, common=common).p <= 0.05
    assert plain >= 20
    assert widened <= 12  # 5 are to be expected; 13 or more has a probability of .002


def test_spread_of_weeks_is_that_around_a_step() -> None:
    rng = np.random.default_rng(17)
    week = rng.integers(0, 12, 3_000)
    value = rng.normal(0, 1, 3_000) + rng.normal(0, 0.3, 12)[week] + 2.0 * (week >= 5)
    unit = np.arange(3_000)  # who comes once is like nobody else
    mean = np.array([value[week == w].mean() for w in range(12)])
    n = np.bincount(week)
    sides = [
        sum((n[s] * (mean[s] - np.average(mean[s], weights=n[s])) ** 2).sum() for s in parts)
        for parts in ((slice(0, cut), slice(cut, 12)) for cut in range(1, 12))
    ]
    spread, freedom = common_spread(unit, week, value)
    assert int(np.argmin(sides)) + 1 == 5
    assert freedom == 12 - 4
    assert spread == pytest.approx(np.sqrt(min(sides) / 8 / value.var()))
    assert common_spread(unit, week // 2, value) == (1.0, np.inf)  # six weeks tell nothing


def test_student_tail_of_a_spread_that_was_estimated() -> None:
    rng = np.random.default_rng(18)
    data = journeys_at_one_place(rng, n=4_000, people=256, days=364, jump=250, size=0.1)
    plain, wide, few = (
        rise_of(*data, n_units=256, n_periods=364, step=7, common=common)
        for common in ((1.0, np.inf), (1.5, np.inf), (1.5, 12.0))
    )
    assert plain.z == wide.z == few.z
    assert plain.p < wide.p < few.p
    assert wide.earliest <= plain.earliest
    assert wide.latest >= plain.latest
    # beyond the draws a p-value falls as that of a normal: log p is linear in its square
    assert np.log(wide.p / plain.p) == pytest.approx(plain.z**2 * (1 - 1 / 1.5**2) / 2, rel=0.02)
    as_normal = norm.isf(student.sf(plain.z / 1.5, 12))
    assert np.log(few.p / plain.p) == pytest.approx((plain.z**2 - as_normal**2) / 2, rel=0.02)


def scanned(
    rng: np.random.Generator, *, days: int = 180, n: int = 30_000, size: float = 0.0
) -> ScanData:
    place, day = rng.integers(0, 5, n), rng.integers(0, days, n)
    customer = rng.integers(0, 6_000, n)
    device = (customer % 4).astype(np.int64)
    rate = np.array([0.15, 0.2, 0.25, 0.3, 0.35])[place] + 0.05 * (day % 7 == 6)
    hit = (place == 2) & (device == 1) & (day >= 100) & (day < 114)
    event = (rng.random(n) < rate + size * hit).astype(float)
    return ScanData(
        place=place,
        day=day,
        bucket=customer % 256,
        strata=[(device, 4), (rng.integers(-1, 3, n), 3)],
        event=event,
        n_places=5,
        n_days=days,
    )


def test_incident_is_found_where_and_when_it_was() -> None:
    first, *others = scan(scanned(np.random.default_rng(13), size=0.45))
    assert (first.place, first.stratum) == (2, 2)  # all, then the four devices
    assert first.p < 0.001
    assert abs(first.first - 100) <= 2
    assert abs(first.last - 113) <= 2
    assert first.first_low <= 100 <= first.first_high
    assert first.last_low <= 113 <= first.last_high
    assert not first.slow
    assert first.events > first.expected + 20
    assert not others  # what is left is ordinary


def lost_at_times(rng: np.random.Generator, rate_of: list[tuple[int, float]]) -> ScanData:
    """Return trials of which more or fewer are lost at place 2 from some days on."""
    data = scanned(rng)
    event = data.event.copy()
    here = data.place == 2
    starts, rates = (np.array(part) for part in zip(*rate_of, strict=True))
    rate = rates[np.searchsorted(starts, data.day, side="right") - 1]
    event[here] = rng.random(here.sum()) < rate[here]
    return attrs.evolve(data, event=event)


@pytest.mark.parametrize(
    "rate_of",
    [
        [(0, 0.3), (110, 0.15)],  # better since a day
        [(0, 0.3), (60, 0.15), (120, 0.05)],  # twice
        [(0, 0.3), (20, 0.15)],  # worse when the record began
        [(0, 0.3), (90, 0.25), (120, 0.15), (150, 0.1)],  # a drift for the better
    ],
)
def test_what_becomes_better_is_no_incident(rate_of: list[tuple[int, float]]) -> None:
    p = []
    for seed in range(3):
        found = scan(lost_at_times(np.random.default_rng(seed), rate_of))
        p += [one.p for one in found if one.place == 2]
    assert min(p, default=1.0) > 0.01


@pytest.mark.parametrize(
    ("rate_of", "first", "last"),
    [
        ([(0, 0.15), (100, 0.45), (114, 0.15)], 100, 113),
        ([(0, 0.15), (150, 0.4)], 150, 179),  # worse since a day
        ([(0, 0.4), (60, 0.15), (100, 0.5), (114, 0.15)], 100, 113),  # after it was better
        ([(0, 0.15), (60, 0.5), (74, 0.15), (110, 0.05)], 60, 73),  # before it was
    ],
)
def test_what_becomes_worse_is_an_incident(
    rate_of: list[tuple[int, float]], first: int, last: int
) -> None:
    for seed in range(3):
        found = scan(lost_at_times(np.random.default_rng(seed), rate_of))
        (one, *others) = [one for one in found if one.p <= 0.05]
        assert one.place == 2
        assert not one.better_since
        assert abs(one.first - first) <= 4
        assert abs(one.last - last) <= 10
        assert not [other for other in others if other.place == 2]


def test_scan_of_ordinary_logs_keeps_its_level() -> None:
    rng = np.random.default_rng(14)
    p = [scan(scanned(rng, n=4_000, days=90))[0].p for _ in range(60)]
    assert np.sum(np.array(p) <= 0.05) <= 8  # 3 are to be expected; 9 has a probability of .002


def test_expectation_follows_weekday_and_trend() -> None:
    rng = np.random.default_rng(15)
    day = rng.integers(0, 364, 200_000)
    place = rng.integers(0, 2, 200_000)
    rate = 0.2 + 0.1 * (day % 7 == 2) + 0.2 * day / 364 * (place == 1)
    e = expectation(place, day, (rng.random(200_000) < rate).astype(float), 2)
    assert np.abs(e - rate).mean() < 0.006


def test_limits() -> None:
    k = np.array([31, 28, 40, 22, 35, 30, 52, 29.0])
    n = np.array([100, 110, 120, 90, 105, 100, 100, 95.0])
    found = limits_of_shares(k, n)
    assert found.center == pytest.approx(0.325610, abs=1e-6)
    assert found.spread == pytest.approx(2.107455, abs=1e-6)
    assert found.z[6] == pytest.approx(4.148300, abs=1e-6)
    assert [found.low[6], found.high[6]] == pytest.approx([0.029342, 0.621877], abs=1e-6)
    assert not found.outside.any()  # a p chart would alarm: 4.1 is above 3
    k, n = np.array([12, 15, 9, 20, 14, 40.0]), np.array([100, 120, 90, 130, 100, 110.0])
    counts = limits_of_counts(k, n)
    assert counts.center == pytest.approx(0.169231, abs=1e-6)
    assert counts.spread == pytest.approx(1.339781, abs=1e-6)
    assert counts.z[5] == pytest.approx(4.956390, abs=1e-6)
    assert np.isnan(counts.low).all()  # fewer than eight periods
    longer = limits_of_counts(
        np.append(k[:5], [15, 17, 14, 40.0]), np.append(n[:5], [90, 100, 80, 110.0])
    )
    assert np.flatnonzero(longer.outside).tolist() == [8]


def test_young_periods_are_held_against_what_others_had_reached() -> None:
    expected, variance = reached_at_age(np.array([0.5, 1.0, 0.25]), np.array([0, 0, 1]), 2, 0.4)
    assert expected == pytest.approx([0.2 + 0.4, 0.1])
    assert variance == pytest.approx([0.16 + 0.24, 0.09])


def test_tail_of_a_maximum_is_that_of_normal_statistics() -> None:
    rng = np.random.default_rng(16)

    # the largest of ten correlated statistics
    def maxima(n: int) -> np.ndarray:
        return (0.7 * rng.normal(size=(n, 1)) + np.sqrt(0.51) * rng.normal(size=(n, 10))).max(
            axis=1
        )

    many = maxima(400_000)
    p = np.mean([[tail_p(x, maxima(99)) for x in (2.5, 3.0, 3.5)] for _ in range(200)], axis=0)
    true = [np.mean(many >= x) for x in (2.5, 3.0, 3.5)]
    assert p == pytest.approx(true, rel=0.35)
    gumbel = np.mean([gumbel_p(3.5, maxima(99)) for _ in range(200)])
    assert gumbel > 3 * true[2]  # its tail is too heavy here
