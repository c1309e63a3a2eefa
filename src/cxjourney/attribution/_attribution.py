"""Credit for the conversions by name, with intervals and ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, TypedDict

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.figure_ranks import rank_ranges
from cxjourney._support.array_types import Floats
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import is_number
from cxjourney.exceptions import InvalidValue, UnknownName

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import timedelta

    from matplotlib.axes import Axes

    from cxjourney.journeys import By

Of = Literal["conversions", "value"]
"""What is credited: the number of conversions, or their value."""


class ModelOptions(TypedDict, total=False):
    """What every model takes; see `first_touch`."""

    by: By
    of: Of
    look_back: timedelta | str | None
    ignore: Collection[str]
    level: float


class RuleOptions(ModelOptions, total=False):
    """What every model takes that is not compared with others."""

    costs: Mapping[str, float] | None


@attrs.frozen(kw_only=True, repr=False)
class Attribution(Result):
    """Who is credited with the conversions.

    Attributes
    ----------
    model
        The rule or model that gave the credit.
    table
        One row a name, highest credit first. After the name come

        | column | what it is |
        |---|---|
        | `credit`, `low`, `high` | conversions or money, and its interval |
        | `share` | of the total [fraction] |
        | `rank_low`, `rank_high` | best and worst rank that customers leave open, 1 for the most |
        | `removal_effect`, `removal_low`, `removal_high` | conversions lost without it [fraction] |
        | `touch_share` | converting journeys that touch it [fraction] |
        | `cost`, `return_on_cost` | money spent, and credit per money spent |
        | `return_low`, `return_high` | ends of its interval, that of the credit over the money |
        | `sampling_error` | standard error of the orders drawn [conversions or money] |

        Removal effects and `touch_share` are Markov's alone, costs are there where they were given,
        and `sampling_error` where the orders of Shapley's value were drawn. Intervals are those of
        the credit in as many journeys; they are on the scale of logarithms but where credits may be
        negative, and NaN where a name rests on fewer than three customers or so. Ranks compare two
        names at a time.
    grain
        Name of the column of names.
    base_rate
        Probability that a journey converts [fraction]; for Markov that of the chain.
    total, unattributed, of
        What the credits sum to, and the conversions without any touch, which nobody is credited
        with [conversions or money, as `of` says].
    level, remarks
        Confidence level of the intervals; what a reader must know.
    """

    title: ClassVar[str] = "Attribution"

    model: str
    table: Table
    grain: str
    base_rate: float
    total: float
    unattributed: float
    of: str
    level: float
    remarks: tuple[str, ...] = ()

    @property
    def credit(self) -> Mapping[str, float]:
        """Credit by name [conversions or money]."""
        return self._column("credit")

    @property
    def removal_effect(self) -> Mapping[str, float]:
        """Removal effect by name [fraction].

        Raises
        ------
        UnknownName
            If the model is not Markov's.
        """
        return self._column("removal_effect")

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the credits as bars with their intervals, the largest on top.

        Parameters
        ----------
        max_rows
            Only so many names are drawn, those with the most credit; None draws all.
        title, ax
            The heading (None: the result and the model), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        table = self.table.take(range(len(self.table))[:max_rows])
        left_out = plot.drawn_of(len(table), len(self.table), f"{self.grain}s")
        return plot.bars(
            [str(name) for name in table[self.grain]],
            table["credit"],
            table["low"],
            table["high"],
            caption=f"How many {self.of} each {self.grain} is credited with, most on top; lines "
            f"are {100 * self.level:g}% intervals.{left_out}",
            label=f"credit [{self.of}]",
            title=f"{self.title}: {self.model}" if title is None else title,
            ax=ax,
        )

    def _column(self, name: str) -> Mapping[str, float]:
        if name not in self.table.column_names:
            raise UnknownName.among(
                "column", name, self.table.column_names, where=f"the {self.model} attribution"
            )
        values = np.asarray(self.table[name], dtype=np.float64).tolist()
        return FrozenMapping(dict(zip(map(str, self.table[self.grain]), values, strict=True)))

    def _notes(self) -> tuple[str, ...]:
        what = "conversions" if self.of == "conversions" else "value of the conversions"
        total = f"{self.total:,.6g}" if self.total == self.total else "-"
        notes = [
            f"{self.model}: {total} {what}, at a base rate of {self.base_rate:.1%}.",
        ]
        if not np.isnan(np.asarray(self.table["low"], dtype=np.float64)).all():
            notes.append(f"{100 * self.level:g}% intervals are clustered by customer.")
        if self.unattributed:
            notes.append(f"{self.unattributed:,.6g} of the {what} had no touch to credit.")
        return (*notes, *self.remarks, "Credit is an association: only tests tell effects.")


@attrs.frozen(kw_only=True)
class Credits:
    """Credits of K names and what belongs beside them, before they become a result.

    `extra` has further columns; `signed` credits may be negative; they are not `certain`, and have
    no interval, where the orders of Shapley's value were drawn, which is the larger error, or where
    there are no customers.
    """

    names: tuple[str, ...]
    figures: BucketFigures
    extra: Mapping[str, Floats] = attrs.field(factory=dict)
    signed: bool = False
    certain: bool = True

    @property
    def credit(self) -> Floats:
        """Credit of each, shape (K,)."""
        return self.figures.whole

    def columns(self, level: float) -> dict[str, Floats]:
        """Return both ends of each interval and of each range of ranks."""
        nothing = np.full(len(self.names), np.nan)
        if not self.certain:
            return dict.fromkeys(("low", "high", "rank_low", "rank_high"), nothing)
        ends = self.figures.student(level) if self.signed else self.figures.positive(level)
        ranks = rank_ranges(self.figures, level=level)
        names = ("low", "high", "rank_low", "rank_high")
        return dict(zip(names, (*ends, *ranks), strict=True))


def attribution(
    credited: Credits,
    *,
    model: str,
    grain: str,
    base_rate: float,
    unattributed: float,
    of: Of,
    level: float,
    costs: Mapping[str, float] | None,
    backend: str | None,
    remarks: tuple[str, ...] = (),
) -> Attribution:
    """Return the result, highest credit first."""
    total = float(np.nansum(credited.credit)) if len(credited.names) else 0.0
    known = not np.isnan(credited.credit).all() if len(credited.names) else True
    found = credited.columns(level)
    columns: dict[str, object] = {
        grain: credited.names,
        "credit": credited.credit,
        "share": credited.credit / total if total else np.full(len(credited.names), np.nan),
        **found,
        **credited.extra,
    }
    if costs is not None:
        columns |= _costs(credited, costs, found)
    order = sorted(
        range(len(credited.names)),
        key=lambda i: (-np.nan_to_num(credited.credit[i], nan=-np.inf), credited.names[i]),
    )
    ranks = ("rank_low", "rank_high")
    percent = ("share", "removal_effect", "removal_low", "removal_high", "touch_share")
    formats = dict.fromkeys(percent, "percent") | dict.fromkeys(ranks, "integer")
    return Attribution(
        model=model,
        table=Table(columns, formats=formats, backend=backend).take(order),
        grain=grain,
        base_rate=base_rate,
        total=total if known else float("nan"),
        unattributed=unattributed,
        of=of,
        level=level,
        remarks=remarks,
    )


def check_whole_costs(costs: Mapping[str, float] | None) -> None:
    """Raise unless costs are left out, as they must be by segment: nobody says how they divide."""
    if costs is not None:
        raise InvalidValue("costs are of all segments together: leave out costs= or segment=")


def _costs(
    credited: Credits, costs: Mapping[str, float], found: Mapping[str, Floats]
) -> dict[str, object]:
    if not hasattr(costs, "items"):
        raise InvalidValue.of("costs", "be a dict of money by name", costs)
    for name, cost in costs.items():
        if name not in credited.names:
            raise UnknownName.among("costs= name", name, credited.names, where="the attribution")
        if not is_number(cost) or not np.isfinite(cost) or cost < 0:
            raise InvalidValue.of(f"costs[{name!r}]", "be a finite number, not negative", cost)
    spent = np.array([costs.get(name, np.nan) for name in credited.names], dtype=np.float64)
    paid = np.where(spent > 0, spent, np.nan)
    return {
        "cost": spent,
        "return_on_cost": credited.credit / paid,
        "return_low": found["low"] / paid,
        "return_high": found["high"] / paid,
    }
