"""Figures of what comes after first visits, and of whole journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._stats.buckets import difference_of_means, difference_of_shares
from cxjourney._support.array_types import Floats, Ints
from cxjourney.compare._evidence import Cells, odds_ratios, standardised
from cxjourney.domain import CONVERSION, START
from cxjourney.dropoff import FirstVisits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_MEANS = ("visits", "value")


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

    sides: tuple[FirstVisits, FirstVisits]
    window: float
    strata: tuple[Ints, Ints] | None = None
    reaching: str | None = None
    goal: bool = True
    _memo: dict[str, Any] = attrs.field(factory=dict, init=False)

    def headline(self, level: float) -> dict[str, Any]:
        """Return the columns of whole journeys: conversion, drop-off, visits, known value."""
        known = self.goal and any(bool((~np.isnan(side.value)).any()) for side in self.sides)
        first, last = ("conversion",) if self.goal else (), ("value",) if known else ()
        figures = (*first, "drop-off", "visits", *last)
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
        k = len(first.names)
        anywhere = figure in {"conversion", "reaching"}
        cells = [s.node if anywhere else np.where(s.node == k, k, -1) for s in self.sides]
        one, other = (
            side.figures(figure, cell, k + 1, self.window)
            for side, cell in zip(self.sides, cells, strict=True)
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
        if self.strata is not None:
            n_strata = 1 + max(int(codes.max(initial=0)) for codes in self.strata)
            inner = [
                self._within(side, figure, cell, codes, n_strata)
                for side, cell, codes in zip(self.sides, cells, self.strata, strict=True)
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
