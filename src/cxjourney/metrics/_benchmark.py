"""Tests of a measured number against a benchmark.

Marketing repeats numbers: "45 % give up if nobody answers", "5 times as likely to recommend". Here
they are hypotheses. Data can contradict a benchmark or fail to; they never make it true.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate, fields_of
from cxjourney._stats.intervals import normal_quantile, wilson
from cxjourney._stats.ratio_score import miettinen_nurminen, ratio_z, restricted_shares
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_fraction, check_number, is_number
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._rates import is_share_of_counts

Alternative = Literal["two-sided", "less", "greater"]
Verdict = Literal["consistent", "not consistent", "too few data"]

_ALTERNATIVES = ("two-sided", "less", "greater")
_ENOUGH_POWER = 0.5
_SHARE_EFFECT = 0.1
_WIDEST = 1e50
_RATIO_EFFECT = 1.5


@attrs.frozen(kw_only=True, repr=False)
class BenchmarkTest(Result):
    """What data say about a benchmark.

    Attributes
    ----------
    benchmark, observed
        The number that was tested, and the estimate from the data, or the ratio of the two.
    p_value
        Probability, if the benchmark holds, of data at least as far from it.
    power, effect
        Probability of contradicting the benchmark if the truth were `effect` away from it: the
        difference (of a ratio: the factor) that must not go unnoticed.
    verdict
        "not consistent" if p < 1 - level; else "too few data" if the power is below one half;
        else "consistent".
    alternative
        On which side of the benchmark the truth is suspected.
    """

    title = "Benchmark test"

    benchmark: float
    observed: Estimate
    p_value: float
    power: float
    effect: float
    verdict: Verdict
    alternative: Alternative

    def _table(self) -> Table:
        return Table(
            {
                "benchmark": np.array([self.benchmark]),
                "observed": np.array([self.observed.value]),
                "low": np.array([self.observed.low]),
                "high": np.array([self.observed.high]),
                "p_value": np.array([self.p_value]),
                "power": np.array([self.power]),
                "verdict": (self.verdict,),
            }
        )

    def _notes(self) -> tuple[str, ...]:
        away = "by a factor of" if self.observed.unit == "ratio" else "by"
        return (
            f"The alternative is {self.alternative}.",
            f"The interval ({self.observed.method}) rests on {self.observed.n:,} observations.",
            f"The power is that of noticing a truth that differs {away} {self.effect:g}.",
            "Consistent does not mean true: other numbers are consistent with these data too.",
        )


def benchmark_test(
    observed: Estimate,
    benchmark: float,
    *,
    relative_to: Estimate | None = None,
    alternative: Alternative = "two-sided",
    effect: float | None = None,
) -> BenchmarkTest:
    """Test an estimate, or the ratio of two shares, against a benchmark.

    Parameters
    ----------
    observed
        What was measured: a share (`proportion(61, 100)`, `csat(…)`), a mean (`mean_score(…)`), a
        score (`nps(…)`) or any other estimate that has an interval. Its level is that of the test.
    benchmark
        The claimed number, in the unit of `observed`; with `relative_to` the claimed ratio.
    relative_to
        A second share: the benchmark is then how many times as large the first one is. None: it is
        a value of `observed` itself.
    alternative
        "two-sided", "greater" (as for a claim of "at most") or "less" (as for "at least").
    effect
        Difference from the benchmark that must not go unnoticed, above 0; for a ratio a factor
        above 1. None: 0.1 for shares, 1.5 for ratios; for other estimates it must be given.

    Returns
    -------
    BenchmarkTest
        The estimate with its interval, p-value, power and verdict.

    Raises
    ------
    InvalidValue
        If an argument lies outside its range, a ratio is asked for of anything but two shares of
        counts, or an estimate that is no share of counts has no interval.

    Notes
    -----
    A share of counts: the score test, with Wilson's interval, which holds exactly the shares that
    it does not reject. A ratio of two shares: Miettinen and Nurminen's score test and interval. Any
    other estimate, also weighted or clustered shares: z from the half of its interval that faces
    the benchmark (Altman and Bland 2011). The power is a normal approximation, the lower one of
    both sides where the test is two-sided.

    Trials of one customer are not independent: count customers, or cluster. A ratio of shares is
    not an odds ratio. Groups that chose themselves (the satisfied and the rest) differ in more than
    what divides them.

    Examples
    --------
    >>> from cxjourney.metrics import nps, proportion
    >>> benchmark_test(proportion(61, 100), 0.45).verdict
    'not consistent'
    >>> benchmark_test(proportion(4, 10), 0.45).verdict
    'too few data'
    >>> benchmark_test(proportion(60, 200), 5, relative_to=proportion(20, 200)).verdict
    'not consistent'
    >>> benchmark_test(nps([10, 8, 0], counts=[60, 20, 20]), 32, effect=20).verdict
    'consistent'
    """
    check_choice(alternative, "alternative", _ALTERNATIVES)
    check_number(benchmark, "benchmark")
    _check_estimate(observed, "observed")
    if relative_to is not None:
        _check_estimate(relative_to, "relative_to")
        return _ratio_test(observed, relative_to, float(benchmark), alternative, effect)
    if is_share_of_counts(observed):
        return _share_test(observed, float(benchmark), alternative, effect)
    return _interval_test(observed, float(benchmark), alternative, effect)


def _share_test(
    observed: Estimate, benchmark: float, alternative: Alternative, effect: float | None
) -> BenchmarkTest:
    check_fraction(benchmark, "benchmark")
    size = _SHARE_EFFECT if effect is None else effect
    if not is_number(size) or not 0 < size < 1:
        raise InvalidValue.of("effect", "be a difference in (0, 1)", effect)
    count, n = _counts(observed)
    low, high = wilson(count, n, level=observed.level)
    error = math.sqrt(benchmark * (1 - benchmark) / n) if n else math.nan
    z = _quotient(observed.value - benchmark, error)
    critical = _critical(observed.level, alternative)
    powers = []
    for truth in (benchmark + side * size for side in _sides(alternative)):
        if 0 <= truth <= 1 and n:
            spread = math.sqrt(truth * (1 - truth) / n)
            powers.append(_tail(_quotient(size - critical * error, spread)))
    return _result(
        observed,
        benchmark,
        alternative,
        changes={"low": low, "high": high, "method": "Wilson"},
        z=z,
        power=min(powers, default=math.nan),
        effect=float(size),
    )


def _ratio_test(
    observed: Estimate,
    relative_to: Estimate,
    benchmark: float,
    alternative: Alternative,
    effect: float | None,
) -> BenchmarkTest:
    if not 1 / _WIDEST < benchmark < _WIDEST:
        raise InvalidValue.of("benchmark", f"be a ratio above 0, below {_WIDEST:g}", benchmark)
    factor = _RATIO_EFFECT if effect is None else effect
    if not is_number(factor) or not factor > 1 or math.isinf(factor):
        raise InvalidValue.of("effect", "be a factor above 1", effect)
    for name, part in (("observed", observed), ("relative_to", relative_to)):
        if not is_share_of_counts(part):
            rule = "be a share of counts, neither weighted nor clustered, to test a ratio"
            raise InvalidValue.of(name, rule, part)
    (count1, n1), (count2, n2) = _counts(observed), _counts(relative_to)
    low, high = miettinen_nurminen(count1, n1, count2, n2, level=observed.level)
    known = n1 > 0 and n2 > 0 and count1 + count2 > 0
    z = ratio_z(count1, n1, count2, n2, benchmark) if known else math.nan
    critical = _critical(observed.level, alternative)
    powers = []
    for side in _sides(alternative):
        truth = benchmark * factor**side
        if known:  # what data would show on average, were this the truth
            p1, p2 = restricted_shares(count1, n1, count2, n2, truth)
            away = ratio_z(n1 * p1, n1, n2 * p2, n2, benchmark)
            powers.append(_tail(abs(away) - critical))
    notes = [] if known else ["empty"]
    if known and not count2:
        notes.append("The group compared with has no success: no ratio is too large.")
    ratio = Estimate(
        value=(count1 / n1) / (count2 / n2) if known and count2 else math.nan,
        n=observed.n + relative_to.n,
        level=observed.level,
        unit="ratio",
        notes=notes,
        name=f"{observed.name} ratio",
        definition="ratio of the two shares",
    )
    return _result(
        ratio,
        benchmark,
        alternative,
        changes={"low": low, "high": high, "method": "Miettinen-Nurminen"},
        z=z,
        power=min(powers, default=math.nan),
        effect=float(factor),
    )


def _interval_test(
    observed: Estimate, benchmark: float, alternative: Alternative, effect: float | None
) -> BenchmarkTest:
    if math.isinf(benchmark):
        raise InvalidValue.of("benchmark", "be finite", benchmark)
    if effect is None:
        rule = f"be given for an estimate in {observed.unit or 'this unit'}"
        raise InvalidValue.of("effect", rule, None)
    if not is_number(effect) or not 0 < effect < math.inf:
        raise InvalidValue.of("effect", "be a difference above 0", effect)
    end = observed.low if benchmark < observed.value else observed.high
    if observed.n and math.isnan(end):
        raise InvalidValue.of("observed", "have an interval on the benchmark's side", observed)
    error = abs(end - observed.value) / normal_quantile(observed.level)
    critical = _critical(observed.level, alternative)
    return _result(
        observed,
        benchmark,
        alternative,
        changes={},
        z=_quotient(observed.value - benchmark, error),
        power=_tail(_quotient(effect, error) - critical),
        effect=float(effect),
    )


def _result(
    observed: Estimate,
    benchmark: float,
    alternative: Alternative,
    *,
    changes: dict[str, object],
    z: float,
    power: float,
    effect: float,
) -> BenchmarkTest:
    p_value = {
        "less": _tail(z),
        "greater": _tail(-z),
        "two-sided": 2 * _tail(-abs(z)),
    }[alternative]
    verdict: Verdict = "consistent" if power >= _ENOUGH_POWER else "too few data"
    if math.isnan(p_value):
        verdict = "too few data"
    elif p_value < 1 - observed.level:
        verdict = "not consistent"
    return BenchmarkTest(
        benchmark=benchmark,
        observed=Estimate(**{**fields_of(observed), **changes}),
        p_value=p_value,
        power=power,
        effect=effect,
        verdict=verdict,
        alternative=alternative,
    )


def _check_estimate(value: object, name: str) -> None:
    if not isinstance(value, Estimate):
        raise InvalidValue.of(name, "be an Estimate, such as proportion(61, 100)", value)


def _counts(share: Estimate) -> tuple[float, float]:
    return share.numerator or 0.0, share.denominator or 0.0


def _sides(alternative: Alternative) -> tuple[int, ...]:
    return {"two-sided": (-1, 1), "less": (-1,), "greater": (1,)}[alternative]


def _critical(level: float, alternative: Alternative) -> float:
    """Return how many standard errors from the benchmark the test rejects."""
    return normal_quantile(level) if alternative == "two-sided" else NormalDist().inv_cdf(level)


def _quotient(difference: float, error: float) -> float:
    """Return a difference in standard errors; a certain one is infinitely many, 0 none."""
    if error == 0:
        return 0.0 if difference == 0 else math.copysign(math.inf, difference)
    return difference / error


def _tail(z: float) -> float:
    """Return the probability below z of the standard normal distribution."""
    return math.erfc(-z / math.sqrt(2)) / 2
