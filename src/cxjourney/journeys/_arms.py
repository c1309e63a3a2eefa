"""Arms of an experiment: whom chance has dealt which, and whether the sizes are as planned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Ints
from cxjourney._support.validation import check_mapping, check_number
from cxjourney.exceptions import InvalidValue, UnknownName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.array_types import Floats
    from cxjourney.journeys._journeys import Journeys

UNLIKELY = 0.001
"""A p-value of the sizes of the arms below which something has sorted customers."""


@attrs.frozen(kw_only=True, eq=False)
class Arms:
    """The arm of each journey by that of its customer, the control first.

    Attributes
    ----------
    names
        The arms in use.
    group
        Arm of each journey, -1 where its customer took no part, or was in several arms.
    customers
        Customers of each arm.
    n_mixed
        Customers who were in several arms.
    """

    names: tuple[str, ...]
    group: Ints
    customers: Ints
    n_mixed: int

    def sizes_p(self, planned: Mapping[str, float] | None) -> float:
        """Return the p-value of the sizes by Pearson's chi-square; None: equal shares planned."""
        from scipy.special import chdtrc

        names = self.names
        share: Floats = np.full(len(names), 1 / len(names))
        if planned is not None:
            given = check_mapping(planned, "planned")
            for name in given:
                if name not in names:
                    raise UnknownName.among("arm of planned", name, names, where="the experiment")
            missing = [name for name in names if name not in given]
            if missing:
                rule = f"have a share of each arm, {missing[0]!r} too"
                raise InvalidValue.of("planned", rule, given)
            share = np.array([check_number(given[name], f"planned[{name!r}]") for name in names])
            if not (share > 0).all() or not math.isclose(float(share.sum()), 1, abs_tol=1e-6):
                raise InvalidValue.of("planned", "be shares above 0 that add up to 1", planned)
        expected = share / share.sum() * self.customers.sum()
        apart = float(((self.customers - expected) ** 2 / expected).sum())
        return float(chdtrc(len(names) - 1, apart))


def arms_of(
    journeys: Journeys, arm: str, *, control: str | None = None, argument: str = "arm"
) -> Arms:
    """Return the arms of journeys; `argument` is how the caller calls `arm`.

    Raises
    ------
    UnknownName
        If there is no such attribute or control.
    InvalidValue
        If there are fewer than two arms, or none is called "control" and `control` is not given.
    """
    coded = journeys.segment(arm)
    of_journey, n_mixed = _unmixed(journeys, np.asarray(coded.codes, dtype=np.int64))
    present = np.unique(of_journey[of_journey >= 0])
    names = [str(coded.names[code]) for code in present.tolist()]
    if len(names) < 2:
        rule = f"have at least two values among customers who were in one arm; it has {len(names)}"
        raise InvalidValue.of(argument, rule, arm)
    first = _control(names, control)
    order = [first, *(i for i in range(len(names)) if i != first)]
    rank = np.full(len(coded.names) + 1, -1, dtype=np.int64)
    rank[present[order]] = np.arange(len(order))
    group = rank[of_journey]
    customers = [len(np.unique(journeys.customer[group == i])) for i in range(len(names))]
    return Arms(
        names=tuple(names[i] for i in order),
        group=group,
        customers=np.array(customers),
        n_mixed=n_mixed,
    )


def _unmixed(journeys: Journeys, code: Ints) -> tuple[Ints, int]:
    """Return the arm of each journey by that of its customer, -1 where several, and how many."""
    n = journeys.log.n_customers
    least = np.full(n, np.iinfo(np.int64).max)
    most = np.full(n, -1, dtype=np.int64)
    known = code >= 0
    np.minimum.at(least, journeys.customer[known], code[known])
    np.maximum.at(most, journeys.customer[known], code[known])
    mixed = (most >= 0) & (least < most)
    arm = np.where(mixed, -1, most)
    return arm[journeys.customer], int(np.count_nonzero(mixed))


def _control(names: list[str], control: str | None) -> int:
    """Return which arm is the control."""
    if control is None:
        if "control" not in names:
            rule = f"name one of the arms ({', '.join(names[:5])}), since none is called 'control'"
            raise InvalidValue.of("control", rule, control)
        control = "control"
    if control not in names:
        raise UnknownName.among("control", control, names, where="the arms")
    return names.index(control)
