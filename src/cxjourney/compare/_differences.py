"""Differences of groups of journeys, ranked by how sure they are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.significance import false_discovery
from cxjourney._support.result import Result
from cxjourney._support.table import Table, format_value
from cxjourney._support.validation import check_count
from cxjourney._support.words import counted, how_long
from cxjourney.compare._later import joined
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import UnknownName
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney.compare._rows import Part

_SHARES = ("probability_against", "probability", "difference", "low", "high", "adjusted")
_PERCENT = (*_SHARES, "adjusted_low", "adjusted_high")
_PRINTED = (*_SHARES[:5], "odds_ratio", "adjusted", "reversed", "p_value", "q_value")
_SECTIONS = {
    "exit": ("Exits", "at"),
    "transition": ("Transitions", "from"),
    "downstream": ("What comes later", "first visit of"),
}
_KINDS = {"visits": "number", "value": "money"}
_WORDS = {START: "(start)", CONVERSION: "(converted)", DROPOFF: "(dropped)"}
_MOST = 10  # rows of a kind that are printed


@attrs.frozen(kw_only=True)
class Change:
    """One difference between two groups.

    Attributes
    ----------
    group, against
        The groups.
    kind
        "exit", "transition" or "downstream".
    touchpoint, to
        The transition: `to` is `cxjourney.DROPOFF` where it is the exit probability that differs,
        and what is reached later on where it is "downstream".
    difference
        Probability in `group` minus that in `against`.
    p_value, q_value
        Of equal probabilities, and corrected for the number of comparisons.
    """

    group: str
    against: str
    kind: str
    touchpoint: str
    to: str
    difference: Estimate
    p_value: float
    q_value: float


def _points(*figures: float) -> str:
    """Return a difference in points with the ends of its interval, as far as they are known."""
    shown = [f"{round(100 * one, 1) + 0.0:.1f}" for one in figures if not np.isnan(one)]
    if len(shown) == len(figures):
        return f"{shown[0]} points ({shown[1]} to {shown[2]})"
    return f"{shown[0]} points, without an interval" if shown else "not known"


@attrs.frozen(kw_only=True, repr=False)
class Differences(Result):
    """Where groups of journeys differ, the surest first; every difference is group minus against.

    Attributes
    ----------
    headline
        Whole journeys: conversion, drop-off, visits and value of both groups, one row a figure and
        pair, with the columns of `table`. Empty for graphs, and where one step is looked at.
    table
        The rows; see `segments` for the columns.
    segment
        The attribute whose values are compared; None where two sets of journeys are.
    level
        Confidence level of the intervals.
    fdr
        Accepted share of false discoveries.
    window
        How long whole journeys, and what comes later, are followed; None for no limit.
    n_comparisons
        Number of tests in the table, over which its q-values run; those of the headline run over
        the rows of the headline.
    n_discoveries
        Rows with a q-value of at most `fdr`.
    min_count
        Transitions made, or not made, less often than this in all were not tested.
    n_missing
        Journeys that belong to no group because their value is unknown.
    strata
        The attribute within whose values differences were compared too; None where none was.
    method
        How probabilities, intervals and tests were made.
    caveats
        What a reader must know.
    """

    title: ClassVar[str] = "What differs"

    headline: Table
    table: Table
    segment: str | None
    window: timedelta | None
    level: float
    fdr: float
    n_comparisons: int
    n_discoveries: int
    min_count: int
    n_missing: int
    strata: str | None
    method: str
    caveats: tuple[str, ...]

    @property
    def ranking(self) -> tuple[Change, ...]:
        """All differences that were tested, the surest first."""
        return tuple(self._change(i) for i in range(self.n_comparisons))

    @property
    def discoveries(self) -> tuple[Change, ...]:
        """The differences of which at most a share of `fdr` is expected to be false."""
        return self.ranking[: self.n_discoveries]

    def estimate(
        self,
        touchpoint: str,
        to: str = DROPOFF,
        *,
        group: str | None = None,
        kind: str | None = None,
    ) -> Estimate:
        """Return one difference.

        Parameters
        ----------
        touchpoint
            Where the transition begins.
        to
            Where it goes: the default is the exit.
        group
            The group; None takes the surest row.
        kind
            "downstream" for what comes later; None for the next move.

        Raises
        ------
        UnknownName
            If there is no such row.
        """
        columns = (self.table[name] for name in ("touchpoint", "to", "group", "kind"))
        rows = list(zip(*columns, strict=True))
        for i, (here, there, member, sort) in enumerate(rows):
            wanted = sort != "downstream" if kind is None else sort == kind
            if wanted and (here, there) == (touchpoint, to) and group in {None, member}:
                return self._change(i).difference
        asked = ", ".join(part for part in (touchpoint, to, group, kind) if part is not None)
        known = [", ".join(row[: 2 + (group is not None)]) for row in rows]
        raise UnknownName.among("row", asked, known, where="the comparison")

    def plot(self, *, max_rows: int = 20, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the surest differences with their intervals; right of 0 the group has more.

        Parameters
        ----------
        max_rows
            Only so many rows are drawn.
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        check_count(max_rows, "max_rows", 0)
        table = self.table.take(range(min(max_rows, self.n_comparisons))).renamed(_WORDS)
        later = ["later " if kind == "downstream" else "" for kind in table["kind"]]
        names = plot.joined(table["touchpoint"], table["to"], by=" → ")
        names = [
            name.replace(" → ", f" → {more}", 1) for name, more in zip(names, later, strict=True)
        ]
        if not self._pair:
            names = plot.joined(names, table["group"], by=": ")
        one, other = self._pair or ("the group", "the others")
        sides, places = f"{one} minus {other}", f"in {one} than in {other}"
        if self._pair and self.segment:
            sides = f"{self.segment}: {sides}"
            places = f"where {self.segment} is {one} than where it is {other}"
        return plot.forest(
            names,
            table["difference"],
            table["low"],
            table["high"],
            reference=0.0,
            percent=True,
            label=f"{sides}, {100 * self.level:g}% interval",
            caption=f"Right of the dashed line it happens more often {places}. The surest "
            "differences stand on top."
            + plot.drawn_of(len(table), self.n_comparisons, "comparisons"),
            title=self.title if title is None else title,
            ax=ax,
        )

    @property
    def _pair(self) -> tuple[str, str] | None:
        """Names of the group and of that which it is held against, if there is one pair."""
        pairs = {(row["group"], row["against"]) for row in self.table}
        group, against = map(str, pairs.pop() if len(pairs) == 1 else ("", ""))
        columns = {*_PRINTED, "figure", "to", *(word for _, word in _SECTIONS.values())}
        return None if not group or {group, against} & columns else (group, against)

    def _change(self, i: int) -> Change:
        row: dict[str, Any] = self.table.row(i)
        return Change(
            group=row["group"],
            against=row["against"],
            kind=row["kind"],
            touchpoint=row["touchpoint"],
            to=row["to"],
            difference=Estimate(
                value=row["difference"],
                low=row["low"],
                high=row["high"],
                level=self.level,
                n=int(row["visits"] + row["visits_against"]),
                unit="fraction",
                method="Newcombe",
                name="difference",
                definition=f"probability of {row['to']} after {row['touchpoint']} in "
                f"{row['group']} minus that in {row['against']}",
            ),
            p_value=row["p_value"],
            q_value=row["q_value"],
        )

    def _lead(self) -> str:
        if self._pair is None or not len(self.headline):
            return ""
        row: dict[str, Any] = self.headline.row(0)
        told = [
            _points(row[name], row[low], row[high])
            for name, low, high in (("difference", "low", "high"), _PERCENT[5:])
            if name in row
        ]
        shares = [format_value(row[name], "percent") for name in ("value_against", "value")]
        within = "" if self.window is None else f" within {how_long(self.window)}"
        also = f", and {told[1]} within {self.strata!r}" if told[1:] else ""
        return (
            f"{str(row['figure']).capitalize()}{within}: {shares[0]} in {self._pair[1]}, "
            f"{shares[1]} in {self._pair[0]}. The difference is {told[0]}{also}."
        )

    def _shown(self) -> Table:
        return self._tables()[0][1]

    def _further(self) -> tuple[tuple[str, Table], ...]:
        return self._tables()[1:]

    def _tables(self) -> tuple[tuple[str, Table], ...]:
        tables = [("", self._printed(self.headline, "figure"))] if len(self.headline) else []
        for kind, (heading, _) in _SECTIONS.items():
            rows = [i for i, row in enumerate(self.table) if row["kind"] == kind]
            if rows:
                tables.append((heading, self._printed(self.table.take(rows[:_MOST]), kind)))
        return tuple(tables) or (("", Table({})),)

    def _printed(self, table: Table, kind: str) -> Table:
        """Return a table whose columns are named as the groups are."""
        words = dict(zip(_SHARES[:2], (self._pair or ())[::-1], strict=False))
        given = {name: table[name] for name in table.column_names}
        if kind == "figure":
            given |= {"probability_against": given["value_against"], "probability": given["value"]}
            for name in {*_SHARES} & {*given}:
                pairs = zip(given["figure"], given[name], strict=True)
                given[name] = tuple(format_value(x, _KINDS.get(of, "percent")) for of, x in pairs)
            columns: dict[str, Any] = {"figure": given["figure"]}
        else:
            columns = {_SECTIONS[kind][1]: given["touchpoint"], "to": given["to"]}
        columns |= {} if words else {"against": given["against"], "group": given["group"]}
        columns |= {words.get(name, name): given[name] for name in _PRINTED if name in given}
        if kind == "exit":
            del columns["to"]
        return Table(
            columns, formats=dict.fromkeys((*_PERCENT, *words.values()), "percent")
        ).renamed(_WORDS)

    def _notes(self) -> tuple[str, ...]:
        are = "is a discovery" if self.n_discoveries == 1 else "are discoveries"
        found = f"{self.n_discoveries:,} of {self.n_comparisons:,} comparisons {are}"
        sides = " minus ".join(self._pair or ("the column group", "the column against"))
        more = f" The {_MOST} surest of each kind are shown." if len(self.table) > _MOST else ""
        apart, means = "", f": a discovery has a q_value of at most {self.fdr:g}"
        if len(self.headline):
            rows = counted(len(self.headline), "row")
            apart = f" The q-values of whole journeys are corrected apart, over their {rows}."
        notes = []
        turned = "reversed" in self.table.column_names and np.count_nonzero(self.table["reversed"])
        if turned:
            notes.append(
                f"{turned:,} differences have the opposite sign within {self.strata!r} (Simpson's "
                "paradox): see the column adjusted."
            )
        notes += [
            f"Every difference is {sides}.{more}",
            f"{found} at a false-discovery rate of {100 * self.fdr:g}%{means}.{apart}",
            f"{self.method} The confidence level is {100 * self.level:g}%.",
        ]
        untested = len(self.table) - self.n_comparisons
        if untested:
            notes.append(
                f"{untested:,} rows were not tested: the transition was made, or not made, fewer "
                f"than {self.min_count} times, or a group has too few customers there."
            )
        if self.window is not None:
            notes.append(
                f"Figures of whole journeys cover the first {how_long(self.window)} of each; what "
                "comes later covers the same time after the first visit of the touchpoint."
            )
        return (*notes, *self.caveats)


def differences_of(
    parts: list[Part],
    *,
    segment: str | None,
    strata: str | None,
    level: float,
    fdr: float,
    min_count: int,
    n_missing: int,
    method: str,
    caveats: list[str],
    backend: str | None,
) -> Differences:
    """Return the differences of all pairs of groups, their p-values corrected together."""
    columns = joined([part.columns(level=level, min_count=min_count) for part in parts])
    lead = joined([found for part in parts if (found := part.headline(level=level))])
    if lead:
        lead["q_value"] = false_discovery(lead["p_value"])
    n_comparisons = n_discoveries = 0
    if columns:
        p = columns["p_value"]
        columns["q_value"] = false_discovery(p)
        n_comparisons = int(np.count_nonzero(~np.isnan(p)))
        n_discoveries = int(np.count_nonzero(columns["q_value"] <= fdr))
        within = columns.get("adjusted", columns["difference"])
        unknown = int(np.count_nonzero(np.isnan(within) & ~np.isnan(columns["difference"])))
        if unknown:
            reason = "no stratum has both groups, or one was not followed up to the limit"
            caveats = [
                *caveats,
                f"In {unknown:,} rows the adjusted difference is not known: {reason}.",
            ]
        short = sum(part.n_short for part in parts)
        if short:
            reason = "a group was not followed up to the limit there"
            caveats = [*caveats, f"{short:,} rows have no interval and no test: {reason}."]
    days = next((part.later.window for part in parts if part.later), np.inf)
    table = Table(columns, formats=dict.fromkeys(_PERCENT, "percent"), backend=backend)
    if columns:
        size = np.nan_to_num(np.abs(columns["difference"]), nan=-1.0)
        table = table.take(np.lexsort((-size, columns["p_value"])))
    if n_missing:
        caveats = [*caveats, f"{n_missing:,} journeys have no known {segment!r} and are left out."]
    return Differences(
        headline=Table(lead, backend=backend),
        table=table,
        segment=segment,
        window=timedelta(days=days) if np.isfinite(days) else None,
        level=level,
        fdr=fdr,
        n_comparisons=n_comparisons,
        n_discoveries=n_discoveries,
        min_count=min_count,
        n_missing=n_missing,
        strata=strata,
        method=method,
        caveats=tuple(caveats),
    )
