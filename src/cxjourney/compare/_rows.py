"""Rows of a pair of groups: what one comparison puts into the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.array_types import Ints
from cxjourney.compare._contrast import Contrast
from cxjourney.compare._divergence import Divergence
from cxjourney.compare._evidence import UNFOLLOWED, adjusted, differences
from cxjourney.compare._observations import Observations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.compare._evidence import Adjusted

__all__ = ["Part"]


@attrs.frozen(kw_only=True, eq=False)
class Part:
    """One pair of groups.

    Attributes
    ----------
    contrast
        Their probabilities.
    whole
        Their divergence.
    groups
        The observations of both; None for graphs.
    strata
        Stratum of each journey of both, -1 where it is unknown; None where there are no strata.
    """

    contrast: Contrast
    whole: Divergence
    groups: tuple[Observations, Observations] | None = None
    strata: tuple[Ints, Ints] | None = None

    def _within(self, level: float) -> Adjusted | None:
        if self.groups is None or self.strata is None:
            return None
        # what is unknown is a stratum of its own
        unknown = 1 + max(int(codes.max(initial=-1)) for codes in self.strata)
        codes = [
            np.where(stratum < 0, unknown, stratum)[group.journey]
            for group, stratum in zip(self.groups, self.strata, strict=True)
        ]
        return adjusted(self.contrast, self.groups, (codes[0], codes[1]), level=level)

    @property
    def n_short(self) -> int:
        """Rows without interval and test because a group was not followed up to the limit."""
        short = self.contrast.unfollowed.max(axis=0, initial=0.0) > UNFOLLOWED
        return int(np.count_nonzero(short & ~_mirrors(self.contrast)))

    def columns(self, *, level: float, min_count: int) -> dict[str, Any]:
        """Return the columns of the pair, without q-values, which need all pairs."""
        every = self._every_transition(level=level, min_count=min_count)
        kept = np.flatnonzero(~_mirrors(self.contrast)).tolist()
        return {
            name: tuple(column[i] for i in kept) if isinstance(column, tuple) else column[kept]
            for name, column in every.items()
        }

    def _every_transition(self, *, level: float, min_count: int) -> dict[str, Any]:
        contrast = self.contrast
        labels = contrast.labels
        n = len(contrast.source)
        p, at_risk = contrast.probability, np.rint(contrast.at_risk).astype(np.int64)
        low, high, values = differences(contrast, level=level, min_count=min_count)
        dropoff = len(contrast.names) + 2
        columns: dict[str, Any] = {
            "group": (self.whole.group,) * n,
            "against": (self.whole.against,) * n,
            "kind": tuple(
                "exit" if y == dropoff else "transition" for y in contrast.target.tolist()
            ),
            "touchpoint": tuple(labels[x] for x in contrast.source.tolist()),
            "to": tuple(labels[y] for y in contrast.target.tolist()),
            "visits": at_risk[0],
            "visits_against": at_risk[1],
            "probability": p[0],
            "probability_against": p[1],
            "difference": p[0] - p[1],
            "low": low,
            "high": high,
            "p_value": values,
            "q_value": np.full(n, np.nan),
        }
        within = self._within(level)
        if within is not None:
            opposite = within.difference * (p[0] - p[1]) < 0
            sure = (low > 0) | (high < 0) | (within.low > 0) | (within.high < 0)
            columns |= {
                "adjusted": within.difference,
                "adjusted_low": within.low,
                "adjusted_high": within.high,
                "reversed": opposite & sure,
            }
        return columns


def _mirrors(contrast: Contrast) -> NDArray[np.bool_]:
    """Return the transitions that only say again what the exit beside them says.

    Where a touchpoint has one transition and the exit, the two probabilities sum to one: the
    transition has the difference of the exit with the other sign, and a test of its own would count
    it twice.
    """
    n = len(contrast.names) + 3
    ways = np.bincount(contrast.source, minlength=n)
    is_exit = contrast.target == n - 1
    exits = np.bincount(contrast.source[is_exit], minlength=n)
    mirrored: NDArray[np.bool_] = ((ways == 2) & (exits == 1))[contrast.source] & ~is_exit
    return mirrored
