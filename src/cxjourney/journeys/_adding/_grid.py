"""The grid of waits: fine where visits are at risk, coarse where moves are told apart."""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.frozen import seal
from cxjourney.kernels import count_before

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Ints

_SECOND = 1_000_000
_LONGEST = 3_650 * 86_400 * _SECOND
_COARSE, _GEOMETRIC, _EVEN = 48, 10, 21


@attrs.frozen(kw_only=True)
class Grid:
    """Bins of waits up to a limit: 96 coarse ones, each divided into fine ones, about 1,500.

    Half of the coarse bounds grow geometrically from a second on, half are even. Without a limit
    they end at ten years; what took longer is in the last bin.
    """

    limit_us: int | None

    @cached_property
    def fine(self) -> Ints:
        """Bounds of the fine bins [µs], from 0 to the limit."""
        return _bounds(self.limit_us, _GEOMETRIC, _EVEN)

    @cached_property
    def coarse(self) -> Ints:
        """Bounds of the coarse bins [µs], from 0 to the limit."""
        return _bounds(self.limit_us, 1, 1)

    @cached_property
    def coarse_of(self) -> NDArray[np.int64]:
        """The coarse bin of each fine one."""
        return np.searchsorted(self.coarse, self.fine[:-1], side="right") - 1

    @property
    def n_fine(self) -> int:
        """Number of fine bins."""
        return len(self.fine) - 1

    @property
    def n_coarse(self) -> int:
        """Number of coarse bins."""
        return len(self.coarse) - 1

    def bins(self, wait_us: Ints) -> Ints:
        """Return the fine bin of each wait."""
        return np.minimum(bounds_before(self.fine, wait_us + 1) - 1, self.n_fine - 1)


def bounds_before(bounds: Ints, values: Ints) -> Ints:
    """Return how many of the ascending bounds are below each value."""
    one = np.zeros(len(values), dtype=np.int8)
    return count_before(one, values, bounds, np.array([0, len(bounds)])).astype(np.int64)


@lru_cache(maxsize=16)
def _bounds(limit_us: int | None, geometric: int, even: int) -> Ints:
    top = _LONGEST if limit_us is None else limit_us
    first = min(_SECOND, max(top // 2, 1))
    steps = _COARSE * geometric
    with localcontext(prec=40):  # floats may differ by the machine, and with them the parts
        ratio = (Decimal(top) / first).ln() / steps
        grown = np.array([int(first * (ratio * i).exp()) for i in range(steps + 1)])
    level = np.arange(0, _COARSE * even + 1) * top // (_COARSE * even)
    bounds = np.union1d(grown, level)
    inner = bounds[(bounds > 0) & (bounds < top)]
    return seal(np.concatenate([[0], inner, [top]]).astype(np.int64))
