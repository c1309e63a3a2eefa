"""`Attribution`: who is credited with the conversions, with error bars and ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney import plot
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import is_number
from cxjourney.exceptions import InvalidValue, UnknownName

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Attribution", "Of", "attribution"]

Of = Literal["conversions", "value"]
"""What is credited: the number of conversions, or their value."""


@attrs.frozen(kw_only=True, repr=False)
class Attribution(Result):
    """Who is credited with the conversions.

    Attributes
    ----------
    model
        The rule or model that gave the credit.
    table
        One row a name, highest credit first: `credit` [conversions or money], its `share`
        [fraction], `low` and `high` of the credit; for Markov `removal_effect` with
        `removal_low`, `removal_high` and `touch_share`, the share of converting journeys that
        touch it [fractions]; with costs `cost` and `return_on_cost` [credit per money spent].
    rank_probability
        One row a name: how often, over the replicates, it took rank 1, 2, … [fraction]; empty
        without replicates.
    grain
        Name of the column of names.
    base_rate
        Probability that a journey converts [fraction]; for Markov that of the chain.
    total
        What the credits sum to [conversions or money].
    unattributed
        Conversions without any touch, which nobody is credited with [conversions or money].
    of
        What is credited: "conversions" or "value".
    level
        Confidence level of the intervals.
    replicates
        Number of resampled replicates behind them.
    remarks
        What a reader must know.
    """

    title: ClassVar[str] = "Attribution"

    model: str
    table: Table
    rank_probability: Table
    grain: str
    base_rate: float
    total: float
    unattributed: float
    of: str
    level: float
    replicates: int
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

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the credits as bars with their intervals.

        Parameters
        ----------
        title
            The heading; None takes that of the result and the model.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        return plot.bars(
            [str(name) for name in self.table[self.grain]],
            self.table["credit"],
            self.table["low"],
            self.table["high"],
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

    def _table(self) -> Table:
        return self.table

    def _notes(self) -> tuple[str, ...]:
        what = "conversions" if self.of == "conversions" else "value of the conversions"
        notes = [f"{self.model}: {self.total:,.6g} {what}, base rate {self.base_rate:.1%}"]
        if self.unattributed:
            notes.append(f"{self.unattributed:,.6g} of the {what} had no touch to credit")
        if self.replicates:
            notes.append(
                f"{100 * self.level:g}% percentile intervals of {self.replicates} replicates, "
                "resampled by customer"
            )
        return (*notes, *self.remarks, "credit is association, not effect: only tests tell that")


@attrs.frozen(kw_only=True)
class Credits:
    """Credits and what belongs beside them, before they become a result.

    Attributes
    ----------
    names
        The K names.
    credit
        Credit of each, shape (K,).
    replicates
        Credits of each replicate, shape (replicates, K).
    extra
        Further columns, shape (K,) each.
    """

    names: tuple[str, ...]
    credit: NDArray[np.float64]
    replicates: NDArray[np.float64]
    extra: Mapping[str, NDArray[np.float64]] = attrs.field(factory=dict)


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
    low, high = _interval(credited.replicates, level, len(credited.names))
    columns: dict[str, object] = {
        grain: credited.names,
        "credit": credited.credit,
        "share": credited.credit / total if total else np.full(len(credited.names), np.nan),
        "low": low,
        "high": high,
        **credited.extra,
    }
    if costs is not None:
        columns |= _costs(credited, costs)
    order = sorted(
        range(len(credited.names)),
        key=lambda i: (-np.nan_to_num(credited.credit[i], nan=-np.inf), credited.names[i]),
    )
    percent = ("share", "removal_effect", "removal_low", "removal_high", "touch_share")
    formats = dict.fromkeys(percent, "percent")
    return Attribution(
        model=model,
        table=Table(columns, formats=formats, backend=backend).take(order),
        rank_probability=_ranks(credited, grain).take(order if len(credited.replicates) else []),
        grain=grain,
        base_rate=base_rate,
        total=total if known else float("nan"),
        unattributed=unattributed,
        of=of,
        level=level,
        replicates=len(credited.replicates),
        remarks=remarks,
    )


def _interval(
    replicates: NDArray[np.float64], level: float, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not len(replicates) or not n:
        return np.full(n, np.nan), np.full(n, np.nan)
    tail = (1 - level) / 2
    known = ~np.isnan(replicates).any(axis=1)
    if not known.any():
        return np.full(n, np.nan), np.full(n, np.nan)
    low, high = np.quantile(replicates[known], [tail, 1 - tail], axis=0)
    return low, high


def _ranks(credited: Credits, grain: str) -> Table:
    """Return how often each name took each rank; ties share a rank's place by name."""
    n = len(credited.names)
    if not len(credited.replicates):
        return Table({grain: ()})
    place = np.argsort(np.argsort(-credited.replicates, axis=1, kind="stable"), axis=1)
    columns: dict[str, object] = {grain: credited.names}
    for rank in range(n):
        columns[f"rank_{rank + 1}"] = (place == rank).mean(axis=0)
    return Table(columns, formats={f"rank_{r + 1}": "percent" for r in range(n)})


def _costs(credited: Credits, costs: Mapping[str, float]) -> dict[str, object]:
    if not hasattr(costs, "items"):
        raise InvalidValue.of("costs", "be a dict of money by name", costs)
    for name, cost in costs.items():
        if name not in credited.names:
            raise UnknownName.among("costs= name", name, credited.names, where="the attribution")
        if not is_number(cost) or not np.isfinite(cost) or cost < 0:
            raise InvalidValue.of(f"costs[{name!r}]", "be a finite number, not negative", cost)
    spent = np.array([costs.get(name, np.nan) for name in credited.names], dtype=np.float64)
    per_cost = np.full(len(spent), np.nan)
    paid = spent > 0
    per_cost[paid] = credited.credit[paid] / spent[paid]
    return {"cost": spent, "return_on_cost": per_cost}
