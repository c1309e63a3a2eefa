"""Sizes of experiments, and the chance that they find a difference."""

from __future__ import annotations

import math

from cxjourney._support.validation import (
    check_choice,
    check_count,
    check_fraction,
    check_level,
    check_number,
)
from cxjourney.exceptions import InvalidValue

_KINDS = ("share", "mean", "rate")
_MOST = 10**12


def power(
    control: float,
    treated: float,
    *,
    n: int,
    kind: str = "share",
    sd: float | None = None,
    sides: int = 2,
    level: float = 0.95,
) -> float:
    """Return the chance that an experiment of n customers an arm finds a difference.

    Parameters
    ----------
    control, treated
        The figure in the control arm and in the other one, as it is expected to be.
    n
        Customers an arm, at least 2.
    kind
        "share": two shares in (0, 1); "mean": two means with a standard deviation; "rate": numbers
        of events a customer, above 0, that come by chance.
    sd
        Standard deviation of one customer's value, of a mean: above 0. For a Net Promoter Score
        it is 100 √(p + d - (p - d)²) points, p and d the shares of promoters and detractors.
    sides
        2 for a difference in either direction, 1 for one direction that was named before.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    float
        Probability, in [0, 1], of a p-value below 1 - level if the figures are as given.

    Raises
    ------
    InvalidValue
        If an argument breaks its rule, or the two figures are equal.

    Notes
    -----
    Shares: the normal approximation, whose variance without a difference is pooled, as
    `power.prop.test` of R (Fleiss, Levin and Paik 2003). Means: the noncentral t distribution, as
    `power.t.test`. Rates: the normal approximation for counts. Customers are independent of one
    another here: where several journeys of a customer count, take one value a customer.

    Examples
    --------
    >>> from cxjourney.experiments import power
    >>> round(power(0.10, 0.13, n=1000), 4)
    0.5568
    """
    test = _Test.of(control, treated, kind=kind, sd=sd, sides=sides, level=level)
    return test.power(check_count(n, "n", 2, _MOST))


def sample_size(
    control: float,
    treated: float,
    *,
    kind: str = "share",
    sd: float | None = None,
    power: float = 0.8,
    sides: int = 2,
    level: float = 0.95,
) -> int:
    """Return how many customers an arm an experiment takes to find a difference.

    Parameters
    ----------
    control, treated, kind, sd, sides, level
        As of `power`.
    power
        The chance to find the difference if it is there, in (0, 1).

    Returns
    -------
    int
        Customers an arm, rounded up.

    Raises
    ------
    InvalidValue
        If an argument breaks its rule, the figures are equal, or more than 10¹² customers would be
        needed.

    Notes
    -----
    The smallest number whose `power` is as asked; see there for the formulas. Decide on it before
    the experiment, and look at the result once: who looks daily and stops at the first small
    p-value finds differences where there are none.

    Examples
    --------
    >>> from cxjourney.experiments import sample_size
    >>> sample_size(0.10, 0.12)
    3841
    >>> sample_size(30, 35, kind="mean", sd=75)
    3533
    """
    test = _Test.of(control, treated, kind=kind, sd=sd, sides=sides, level=level)
    wanted = check_fraction(power, "power")
    if not 0 < wanted < 1:
        raise InvalidValue.of("power", "lie between 0 and 1", power)
    low, high = 1, 2
    while test.power(high) < wanted:
        low, high = high, 2 * high
        if high > _MOST:
            rule = f"differ from control by more: over {_MOST:,} customers would be needed"
            raise InvalidValue.of("treated", rule, treated)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if test.power(middle) >= wanted else (middle, high)
    return high


class _Test:
    """A test of a difference, whose power grows with n."""

    def __init__(self, gap: float, none: float, there: float, quantile: float, *, t: bool) -> None:
        self.gap, self.none, self.there, self.quantile, self.t = gap, none, there, quantile, t

    @classmethod
    def of(
        cls,
        control: float,
        treated: float,
        *,
        kind: str,
        sd: float | None,
        sides: int,
        level: float,
    ) -> _Test:
        """Return the test of some figures, which are checked."""
        check_choice(kind, "kind", _KINDS)
        check_level(level)
        if isinstance(sides, bool) or sides not in {1, 2}:
            raise InvalidValue.of("sides", "be 1 or 2", sides)
        pair = [
            check_number(value, name)
            for name, value in (("control", control), ("treated", treated))
        ]
        for name, value in zip(("control", "treated"), pair, strict=True):
            if kind == "share" and not 0 < value < 1:
                raise InvalidValue.of(name, "be a share between 0 and 1", value)
            if kind == "rate" and not value > 0:
                raise InvalidValue.of(name, "be a number of events above 0", value)
        if (sd is None) == (kind == "mean"):
            raise InvalidValue.of("sd", "be given for means, and for nothing else", sd)
        spread = 1.0 if sd is None else check_number(sd, "sd")
        if not spread > 0:
            raise InvalidValue.of("sd", "be above 0", sd)
        first, second = pair
        if first == second:
            raise InvalidValue.of("treated", f"differ from control ({first:g})", treated)
        quantile = (1 - level) / sides
        gap = abs(second - first)
        if kind == "mean":
            root = spread * math.sqrt(2)
            return cls(gap, root, root, quantile, t=True)
        if kind == "rate":
            root = math.sqrt(first + second)
            return cls(gap, root, root, quantile, t=False)
        middle = (first + second) / 2
        none = math.sqrt(2 * middle * (1 - middle))
        there = math.sqrt(first * (1 - first) + second * (1 - second))
        return cls(gap, none, there, quantile, t=False)

    def power(self, n: int) -> float:
        """Return the chance to find the difference with n customers an arm."""
        from scipy.special import nctdtr, ndtr, ndtri, stdtrit

        if self.t:
            freedom = 2.0 * (n - 1)
            centre = math.sqrt(n) * self.gap / self.there
            if freedom < 1:
                return 0.0
            critical = float(stdtrit(freedom, 1 - self.quantile))
            if centre > 30:  # where the noncentral distribution is the normal one to many digits
                return float(ndtr(centre - critical))
            return float(1 - nctdtr(freedom, centre, critical))
        critical = float(ndtri(1 - self.quantile))
        return float(ndtr((math.sqrt(n) * self.gap - critical * self.none) / self.there))
