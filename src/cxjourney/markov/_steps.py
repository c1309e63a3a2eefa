"""Journeys as columns of touches, and the states that remember the last ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.validation import whole_numbers
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = ["Steps", "group", "listed"]


def listed(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the touchpoints in the order of their codes."""
    if not isinstance(names, Iterable):
        raise InvalidValue.of("names", "be the names of the touchpoints", names)
    return tuple(names)


@attrs.frozen(kw_only=True, eq=False)
class Steps:
    """Journeys as columns, empty ones and those of weight 0 left out."""

    codes: Ints
    weight: Floats
    begin: Ints
    first: Bools
    last: Bools

    @classmethod
    def of(cls, codes: ArrayLike, offsets: ArrayLike, weights: ArrayLike | None) -> Steps:
        """Return the columns of journeys, or raise InvalidValue where the arrays disagree."""
        every, bounds = whole_numbers(codes, "codes"), whole_numbers(offsets, "offsets")
        for name, array in (("codes", every), ("offsets", bounds)):
            if array.ndim != 1:
                raise InvalidValue.of(name, "be one row of whole numbers", array)
        length = np.diff(bounds)
        if bounds.size == 0 or bounds[0] != 0 or bounds[-1] != every.size or (length < 0).any():
            raise InvalidValue("offsets must run from 0 to the number of codes without falling")
        if every.size and every.min() < 0:
            raise InvalidValue.of("codes", "be whole numbers from 0", int(every.min()))
        try:
            weight = np.ones(length.size) if weights is None else np.asarray(weights, np.float64)
        except (TypeError, ValueError):
            raise InvalidValue.of("weights", "be numbers", weights) from None
        if weight.shape != length.shape or (weight < 0).any() or (weight % 1 != 0).any():
            raise InvalidValue("weights must be one whole number from 0 for each journey")
        keep = np.repeat(weight > 0, length)
        length, weight = length[weight > 0], weight[weight > 0]
        every = every[keep]
        ends = np.cumsum(length)
        begin = np.repeat(ends - length, length)
        position = np.arange(every.size)
        return cls(
            codes=every,
            weight=np.repeat(weight, length),
            begin=begin,
            first=position == begin,
            last=position == np.repeat(ends, length) - 1,
        )

    @property
    def n(self) -> int:
        """Number of moves."""
        return int(self.weight.sum())

    def touches(self, size: int) -> Bools:
        """Return where a code is a touch, 0 … size - 1; anything else must end its journey."""
        touch = self.codes < size
        if not (touch | self.last).all():
            raise InvalidValue(
                f"codes must be 0 … {size - 1} for touches; others may only end a journey"
            )
        return touch

    def previous(self, values: Ints, *, start: int) -> Ints:
        """Return the value one touch earlier, `start` at the beginning of a journey."""
        shifted = np.roll(values, 1)
        shifted[self.first] = start
        return shifted

    def states(self, shorter: Ints, order: int) -> Ints:
        """Return the code of the last `order` touches, given that of the last `order - 1`."""
        if order == 1:
            return self.codes
        before = self.previous(shorter + 1, start=0)
        return group(before, self.codes)[1]


def group(*keys: Ints) -> tuple[Ints, Ints]:
    """Return where each distinct combination occurs first, and the number of each one's."""
    packed = np.zeros(keys[0].size, dtype=np.int64)
    for key in keys:
        packed = np.unique(packed, return_inverse=True)[1] * (key.max(initial=0) + 1) + key
    _, at, number = np.unique(packed, return_index=True, return_inverse=True)
    return at, number
