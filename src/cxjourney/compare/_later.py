"""Figures of what comes after first visits, and of whole journeys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, difference_of_means, difference_of_shares
from cxjourney._support.array_types import Floats, Ints
from cxjourney.compare._evidence import Cells, odds_ratios, standardised
from cxjourney.domain import CONVERSION, START
from cxjourney.dropoff import FirstVisits
from cxjourney.journeys import LaterFigures

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_MEANS = ("visits", "value")


@attrs.frozen(kw_only=True, eq=False)
class FirstVisitsCounted:
    """What comes later, of statistics, in place of `dropoff.FirstVisits`.

    Attributes
    ----------
    names
        Names of the K nodes of both sides.
    node
        One entry a node, and one for the beginning: 0 … K.
    later
        The figures of each outcome: of whole journeys, and of nodes by `place`.
    place
        Where the side's own nodes are among all.
    """

    names: tuple[str, ...]
    node: Ints
    later: Mapping[str, tuple[LaterFigures, ...]]
    place: Ints

    def counts(self, cell: Ints, size: int) -> Floats:
        """Return the journeys of each node and of the beginning, as far as `cell` asks for them."""
        return self._spread([one.n for one in self.later["conversion"]], cell, size)

    def events(self, outcome: str, cell: Ints, size: int, window: float) -> Floats:  # noqa: ARG002 - counted for one window
        """Return how often each was seen to reach an outcome."""
        return self._spread([one.happened for one in self.later[outcome]], cell, size)

    def figures(self, figure: str, cell: Ints, size: int, window: float) -> BucketFigures:  # noqa: ARG002 - counted for one window
        """Return an outcome within the window that was counted."""
        some = [one.figures for one in self.later[figure]]
        return BucketFigures(
            whole=self._spread([one.whole for one in some], cell, size, np.nan),
            without=self._spread([one.without for one in some], cell, size, np.nan),
            units=self._spread([one.units for one in some], cell, size),
        )

    def _spread(
        self, some: Sequence[Floats | Ints], cell: Ints, size: int, missing: float = 0.0
    ) -> Floats:
        """Return values of the beginning, and then of the side's nodes, at the cells of all."""
        found = np.full((*some[0].shape[:-1], size), missing)
        beginning = np.array([len(self.names)])
        for values, place in zip(some, (beginning, self.place), strict=False):
            asked = cell[place] >= 0
            found[..., cell[place][asked]] = values[..., asked]
        return found


@attrs.frozen(kw_only=True, eq=False)
class Later:
    """First visits of two groups, which have names in common.

    Attributes
    ----------
    sides
        The first visits and beginnings of both.
    window
        Days within which something counts.
    strata
        Stratum of each journey of both; None where there are none.
    reaching
        The node that is to be reached; None for none.
    goal
        Whether journeys can convert; else conversions are not compared.
    """

    sides: tuple[FirstVisits, FirstVisits] | tuple[FirstVisitsCounted, FirstVisitsCounted]
    window: float
    strata: tuple[Ints, Ints] | None = None
    reaching: str | None = None
    goal: bool = True
    _memo: dict[str, Any] = attrs.field(factory=dict, init=False)

    def headline(self, level: float) -> dict[str, Any]:
        """Return the columns of whole journeys: conversion, drop-off, visits, known value."""
        figures: tuple[str, ...] = ("conversion",) * self.goal + ("drop-off",)
        values = [side.value for side in self.sides if isinstance(side, FirstVisits)]
        known = self.goal and any(bool((~np.isnan(value)).any()) for value in values)
        figures += ("visits",) * bool(values) + ("value",) * known
        start = [len(self.sides[0].names)]
        rows = [taken(self._compared(figure, level), start) for figure in figures]
        return {"figure": figures, **joined(rows)}

    def rows(self, level: float, *, least: int, start: bool, left_out: Collection[str]) -> Any:
        """Return the columns of what comes after the first visit of each node, or the beginning.

        There is no test of fewer than `least` that convert, or do not. Nodes of which the exit says
        as much are left out.
        """
        labels, parts = (*self.sides[0].names, START), []
        outcomes = ("conversion",) if self.goal else ()
        for outcome in (*outcomes, *(() if self.reaching is None else ("reaching",))):
            found = self._compared(outcome, level)
            made, n = found.pop("made"), found["n"] + found["n_against"]
            enough = np.minimum(made, n - made) >= least
            to = str(self.reaching) if outcome == "reaching" else CONVERSION
            skipped = {to, *(left_out if to == CONVERSION else ())}
            found |= {
                "p_value": np.where(enough, found["p_value"], np.nan),
                "visits_against": np.rint(found.pop("n_against")).astype(np.int64),
                "visits": np.rint(found.pop("n")).astype(np.int64),
                "probability_against": found.pop("value_against"),
                "probability": found.pop("value"),
                "kind": ("downstream",) * len(labels),
                "touchpoint": labels,
                "to": (to,) * len(labels),
            }
            kept = [
                i
                for i, name in enumerate(labels)
                if n[i] > 0 and (name == START) == start and name not in skipped
            ]
            parts.append(taken(found, kept))
        return joined(parts)

    def _compared(self, figure: str, level: float) -> dict[str, Any]:
        """Return the columns of a figure, one row a node: the first side minus the second.

        What is asked of whole journeys alone is NaN everywhere but at their beginning.
        """
        if figure in self._memo:
            return dict(self._memo[figure])
        first, second = self.sides
        k, both = len(first.names), (first, second)
        anywhere = figure in {"conversion", "reaching"}
        cells = [s.node if anywhere else np.where(s.node == k, k, -1) for s in both]
        one, other = (
            side.figures(figure, cell, k + 1, self.window)
            for side, cell in zip(both, cells, strict=True)
        )
        means = figure in _MEANS
        differ = difference_of_means if means else difference_of_shares
        low, high, p = differ(one, other, level=level)
        columns = {
            "n_against": second.counts(cells[1], k + 1),
            "n": first.counts(cells[0], k + 1),
            "value_against": other.whole,
            "value": one.whole,
            "difference": one.whole - other.whole,
            "low": low,
            "high": high,
            "p_value": p,
            "made": first.events(figure, cells[0], k + 1, self.window)
            + second.events(figure, cells[1], k + 1, self.window),
            **odds_ratios(one, other, level=level, means=means),
        }
        if self.strata is not None and isinstance(first, FirstVisits):
            n_strata = 1 + max(int(codes.max(initial=0)) for codes in self.strata)
            inner = [
                self._within(side, figure, cell, codes, n_strata)
                for side, cell, codes in zip(both, cells, self.strata, strict=True)
                if isinstance(side, FirstVisits)
            ]
            columns |= standardised(inner[0], inner[1], level=level, means=means).columns
        self._memo[figure] = columns
        return dict(columns)

    def _within(
        self, side: FirstVisits, figure: str, cell: Ints, stratum: Ints, n_strata: int
    ) -> Cells:
        """Return a figure of a side within strata."""
        shape = (len(side.names) + 1, n_strata)
        inner = np.where(cell < 0, -1, cell * n_strata + stratum[side.journey])
        found = side.figures(figure, inner, shape[0] * n_strata, self.window)
        told = np.where(side.followed < 0, -1, inner)
        own = side.units.sums(told, shape[0] * n_strata, item=side.journey).reshape(-1, *shape)
        whole, without = found.whole.reshape(shape), found.without.reshape(-1, *shape)
        n: Floats = own.sum(axis=0)
        return Cells(
            whole=(np.nan_to_num(whole)[None], n[None]),
            without=(np.nan_to_num(without), np.where(np.isnan(without), 0.0, n - own)),
            units=found.units.reshape(-1, *shape),
            unfollowed=np.where(np.isnan(whole) & (n > 0), 1.0, 0.0),
        )


def taken(columns: Mapping[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """Return some rows of columns."""
    return {
        name: tuple(column[i] for i in rows) if isinstance(column, tuple) else column[list(rows)]
        for name, column in columns.items()
    }


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the columns of parts, one below the other; none where there are no parts."""
    return {
        name: sum((part[name] for part in parts), ())
        if isinstance(parts[0][name], tuple)
        else np.concatenate([part[name] for part in parts])
        for name in (parts[0] if parts else ())
    }
