"""Differences of groups of journeys, ranked by how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney._stats.significance import false_discovery
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney.compare._divergence import Divergence
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import UnknownName
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from cxjourney.compare._rows import Part

__all__ = ["Change", "Differences", "differences_of"]

_PERCENT = ("probability", "probability_against", "difference", "low", "high")


@attrs.frozen(kw_only=True)
class Change:
    """One difference between two groups.

    Attributes
    ----------
    group, against
        The groups.
    touchpoint, to
        The transition: `to` is `cxjourney.DROPOFF` where it is the exit probability that differs.
    difference
        Probability in `group` minus that in `against`.
    p_value, q_value
        Of equal probabilities; the q-value is the share of false discoveries among all
        differences that are at least as sure.
    """

    group: str
    against: str
    touchpoint: str
    to: str
    difference: Estimate
    p_value: float
    q_value: float


@attrs.frozen(kw_only=True, repr=False)
class Differences(Result):
    """Where groups of journeys differ: one row a transition and pair of groups, the surest first.

    Attributes
    ----------
    table
        The rows; see `segments` for the columns.
    segment
        The attribute whose values are compared; None where two sets of journeys are.
    level
        Confidence level of the intervals.
    fdr
        Accepted share of false discoveries.
    n_comparisons
        Number of tests made; false discoveries are controlled over all of them.
    n_discoveries
        Rows with a q-value of at most `fdr`.
    min_count
        Transitions made, or not made, less often than this by both groups together were not
        tested.
    n_missing
        Journeys that belong to no group because their value is unknown.
    strata
        The attribute within whose values differences were compared too; None where none was.
    overall
        How different each pair of groups is as a whole.
    method
        How probabilities, intervals and tests were made.
    caveats
        What a reader must know.
    """

    title: ClassVar[str] = "What differs"

    table: Table
    segment: str | None
    level: float
    fdr: float
    n_comparisons: int
    n_discoveries: int
    min_count: int
    n_missing: int
    strata: str | None
    overall: tuple[Divergence, ...]
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

    def estimate(self, touchpoint: str, to: str = DROPOFF, *, group: str | None = None) -> Estimate:
        """Return one difference.

        Parameters
        ----------
        touchpoint
            Where the transition begins.
        to
            Where it goes: the default is the exit.
        group
            The group; None takes the surest row.

        Raises
        ------
        UnknownName
            If there is no such row.
        """
        columns = (self.table[name] for name in ("touchpoint", "to", "group"))
        rows = list(zip(*columns, strict=True))
        for i, (here, there, member) in enumerate(rows):
            if (here, there) == (touchpoint, to) and group in {None, member}:
                return self._change(i).difference
        wanted = ", ".join((touchpoint, to, *(() if group is None else (group,))))
        known = [", ".join(row if group is not None else row[:2]) for row in rows]
        raise UnknownName.among("row", wanted, known, where="the comparison")

    def _change(self, i: int) -> Change:
        row: dict[str, Any] = self.table.row(i)
        return Change(
            group=row["group"],
            against=row["against"],
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

    def _table(self) -> Table:
        return self.table

    def _shown(self) -> Table:
        hidden = {"kind", "visits", "visits_against", "adjusted_low", "adjusted_high"}
        shown = self.table.select([n for n in self.table.column_names if n not in hidden])
        return shown.renamed({START: "(start)", CONVERSION: "(converted)", DROPOFF: "(dropped)"})

    def _notes(self) -> tuple[str, ...]:
        found = f"{self.n_discoveries:,} of {self.n_comparisons:,} comparisons are discoveries"
        notes = [
            f"{found} at a false-discovery rate of {100 * self.fdr:g}%.",
            f"{self.method} The confidence level is {100 * self.level:g}%.",
        ]
        untested = len(self.table) - self.n_comparisons
        if untested:
            notes.append(
                f"{untested:,} rows were not tested: the transition was made, or not made, less "
                f"than {self.min_count} times, or a group has too few customers there."
            )
        for whole in self.overall:
            p = f"p = {whole.p_value:.3g}" if whole.p_value == whole.p_value else "not tested"
            notes.append(
                f"{whole.group} against {whole.against}: the groups differ by {whole.bits:.3g} "
                f"bits a transition ({p})."
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
    each = [part.columns(level=level, min_count=min_count) for part in parts]
    columns: dict[str, Any] = {}
    for name in each[0] if each else ():
        values = [part[name] for part in each]
        columns[name] = sum(values, ()) if isinstance(values[0], tuple) else np.concatenate(values)
    n_comparisons = n_discoveries = 0
    if columns:
        p = columns["p_value"]
        columns["q_value"] = false_discovery(p)
        n_comparisons = int(np.count_nonzero(~np.isnan(p)))
        n_discoveries = int(np.count_nonzero(columns["q_value"] <= fdr))
        turned = int(np.count_nonzero(columns.get("reversed", ())))
        if turned:
            simpson = (
                f"{turned:,} differences have the other sign within {strata!r} (Simpson's "
                "paradox); compare the column adjusted."
            )
            caveats = [simpson, *caveats]
        within = columns.get("adjusted", columns["difference"])
        unknown = int(np.count_nonzero(np.isnan(within) & ~np.isnan(columns["difference"])))
        if unknown:
            reason = "no stratum has both groups, or one was not followed up to the limit"
            caveats = [*caveats, f"In {unknown:,} rows adjusted is not known: {reason}."]
        short = sum(part.n_short for part in parts)
        if short:
            reason = "a group was not followed up to the limit there"
            caveats = [*caveats, f"{short:,} rows have no interval and no test: {reason}."]
    formats = dict.fromkeys((*_PERCENT, "adjusted", "adjusted_low", "adjusted_high"), "percent")
    table = Table(columns, formats=formats, backend=backend)
    if columns:
        size = np.nan_to_num(np.abs(columns["difference"]), nan=-1.0)
        table = table.take(np.lexsort((-size, columns["p_value"])))
    if n_missing:
        caveats = [*caveats, f"{n_missing:,} journeys have no known {segment!r} and are left out."]
    return Differences(
        table=table,
        segment=segment,
        level=level,
        fdr=fdr,
        n_comparisons=n_comparisons,
        n_discoveries=n_discoveries,
        min_count=min_count,
        n_missing=n_missing,
        strata=strata,
        overall=tuple(part.whole for part in parts),
        method=method,
        caveats=tuple(caveats),
    )
