"""Rows of a pair of groups: what one comparison puts into the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.array_types import Ints
from cxjourney.compare._contrast import Contrast
from cxjourney.compare._evidence import UNFOLLOWED, adjusted, differences, odds_ratios
from cxjourney.compare._later import Later, joined, taken
from cxjourney.compare._observations import Observations

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True, eq=False)
class Part:
    """One pair of groups.

    Attributes
    ----------
    names
        Their names: the group, and that which it is held against.
    contrast
        Their probabilities; None where only what comes later is compared.
    groups
        The observations of both; None for graphs.
    later
        Their first visits; None for graphs.
    strata
        Stratum of each journey of both; None where there are no strata.
    step
        Whether only the exit of the one step that the observations are of is compared, or, without
        a contrast, only the conversion.
    """

    names: tuple[str, str]
    contrast: Contrast | None = None
    groups: tuple[Observations, Observations] | None = None
    later: Later | None = None
    strata: tuple[Ints, Ints] | None = None
    step: bool = False

    @property
    def n_short(self) -> int:
        """Rows without interval and test because a group was not followed up to the limit."""
        if self.contrast is None:
            return 0
        short = self.contrast.unfollowed.max(axis=0, initial=0.0) > UNFOLLOWED
        return int(np.count_nonzero(short[self._kept(self.contrast)]))

    def headline(self, *, level: float) -> dict[str, Any]:
        """Return the columns of whole journeys; none where they are not compared."""
        if self.later is None or self.step:
            return {}
        columns = self.later.headline(level)
        del columns["made"]
        return self._named(columns["figure"]) | columns

    def columns(self, *, level: float, min_count: int) -> dict[str, Any]:
        """Return the columns of the pair, without q-values, which need all pairs."""
        parts, ends = [], set()
        if self.contrast is not None:
            parts.append(self._transitions(self.contrast, level=level, min_count=min_count))
            k = len(self.contrast.names)
            on = set(self.contrast.source[self.contrast.target < k].tolist())
            ends = {name for i, name in enumerate(self.contrast.names) if i not in on}
        if self.later is not None:
            found = self.later.rows(level, least=min_count, start=self.step, left_out=ends)
            parts += [found] if found else []
        columns = joined(parts)
        if "adjusted" in columns:
            opposite = columns["adjusted"] * columns["difference"] < 0
            sure = (columns["low"] > 0) | (columns["high"] < 0)
            sure |= (columns["adjusted_low"] > 0) | (columns["adjusted_high"] < 0)
            columns["reversed"] = opposite & sure
        return self._named(columns["kind"]) | columns

    def _named(self, rows: tuple[str, ...]) -> dict[str, Any]:
        return {"against": (self.names[1],) * len(rows), "group": (self.names[0],) * len(rows)}

    def _kept(self, contrast: Contrast) -> list[int]:
        exits = contrast.target == len(contrast.names) + 2
        return np.flatnonzero(exits if self.step else ~_mirrors(contrast)).tolist()

    def _transitions(self, contrast: Contrast, *, level: float, min_count: int) -> dict[str, Any]:
        labels, dropoff = contrast.labels, len(contrast.names) + 2
        p, at_risk = contrast.probability, np.rint(contrast.at_risk).astype(np.int64)
        low, high, values = differences(contrast, level=level, min_count=min_count)
        target = contrast.target.tolist()
        columns: dict[str, Any] = {
            "kind": tuple("exit" if y == dropoff else "transition" for y in target),
            "touchpoint": tuple(labels[x] for x in contrast.source.tolist()),
            "to": tuple(labels[y] for y in target),
            "visits_against": at_risk[1],
            "visits": at_risk[0],
            "probability_against": p[1],
            "probability": p[0],
            "difference": p[0] - p[1],
            "low": low,
            "high": high,
            "p_value": values,
            **odds_ratios(contrast.first, contrast.second, level=level),
        }
        if self.groups is not None and self.strata is not None:
            first, second = (
                codes[group.journey] for group, codes in zip(self.groups, self.strata, strict=True)
            )
            columns |= adjusted(contrast, self.groups, (first, second), level=level).columns
        return taken(columns, self._kept(contrast))


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
