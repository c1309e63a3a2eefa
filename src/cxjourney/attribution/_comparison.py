"""Attribution models side by side."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Unpack, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count
from cxjourney.attribution._markov import markov
from cxjourney.attribution._rules import first_touch, last_touch, linear, position_based, time_decay
from cxjourney.attribution._shapley import shapley
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    BySegment,
    SegmentBy,
    by_segment,
    check_journeys,
    missing_note_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import timedelta

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cxjourney.attribution._attribution import Attribution, ModelOptions, Of
    from cxjourney.journeys import By, Journeys


@attrs.frozen(kw_only=True, repr=False)
class ModelComparison(Result):
    """Shares of the credit by model.

    Attributes
    ----------
    table
        One row a name: the share of the credit under each model [fraction], and `spread`, the
        largest minus the smallest [fraction]; the most disputed first.
    intervals
        One row a name and model, in the order of `table`: the name, `model`, and the `share` of the
        credit with its interval `low` to `high` [fractions].
    total, level, remarks
        What every model divides [conversions or money]; confidence level of the intervals; what a
        reader must know.
    """

    title: ClassVar[str] = "Attribution models side by side"

    table: Table
    intervals: Table
    total: float
    level: float
    remarks: tuple[str, ...] = ()

    def plot(
        self, *, max_rows: int | None = 10, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the shares under each model as bars with their intervals.

        Parameters
        ----------
        max_rows
            Only so many of the most disputed names are drawn; None draws all.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        grain, models = self.table.column_names[0], self.table.column_names[1:-1]
        last = None if max_rows is None else max_rows * len(models)
        table = self.intervals.take(range(len(self.intervals))[:last])
        left_out = plot.drawn_of(len(table) // len(models), len(self.table), f"{grain}s")
        return plot.bars(
            [str(name) for name in table[grain]],
            table["share"],
            table["low"],
            table["high"],
            group=[_in_words(str(model)) for model in table["model"]],
            group_label="model",
            percent=True,
            label=f"share of the credit, {100 * self.level:g}% interval",
            caption=f"Bars of one {grain} as long as each other: all models agree. Those on which "
            f"they agree least stand on top.{left_out}",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"Every model divides the same {self.total:,.6g}.",
            f"{100 * self.level:g}% intervals are clustered by customer; see intervals.",
            "Where the spread is wide, the choice of model decides, not the data.",
            *self.remarks,
        )


@overload
def compare_models(
    journeys: Journeys,
    *,
    orders: tuple[int, ...] = (1,),
    segment: None = None,
    **options: Unpack[ModelOptions],
) -> ModelComparison: ...
@overload
def compare_models(
    journeys: Journeys,
    *,
    orders: tuple[int, ...] = (1,),
    segment: SegmentBy,
    **options: Unpack[ModelOptions],
) -> BySegment[ModelComparison]: ...
def compare_models(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    look_back: timedelta | str | None = None,
    ignore: Collection[str] = (),
    orders: tuple[int, ...] = (1,),
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> ModelComparison | BySegment[ModelComparison]:
    """Return the share of each name under every model.

    Parameters
    ----------
    journeys, by, of, look_back, ignore, segment, level
        As for `first_touch`.
    orders
        Orders of the Markov chains to compare.

    Returns
    -------
    ModelComparison
        First, last, linear, position-based, time decay (where there are times), Shapley, Markov.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["ad", "mail"], ["mail"]], converted=[3, 1], dropped=[1, 5], channels=True)
    >>> cx.attribution.compare_models(journeys).table.column_names
    ('channel', 'first', 'last', 'linear', 'position', 'shapley', 'markov_1', 'spread')
    """
    check_journeys(journeys)
    options: ModelOptions = {
        "by": by, "of": of, "look_back": look_back, "ignore": ignore, "level": level
    }  # fmt: skip
    if segment is not None:
        return by_segment(
            journeys, segment, lambda part: compare_models(part, orders=orders, **options)
        )
    if not isinstance(orders, Iterable):
        raise InvalidValue.of("orders", "be several whole numbers, as in (1, 2)", orders)
    chain_orders = [check_count(order, "each of orders", most=100) for order in orders]

    models: dict[str, Callable[..., Attribution]] = {
        "first": first_touch,
        "last": last_touch,
        "linear": linear,
        "position": position_based,
    }
    if journeys.columns.time is not None:
        models["time_decay"] = time_decay
    models["shapley"] = shapley
    models |= {f"markov_{order}": partial(markov, order=order) for order in chain_orders}
    results = {name: model(journeys, **options) for name, model in models.items()}
    first = results["first"]
    names = sorted(first.credit)
    columns = {model: _shares(result, names, "credit") for model, result in results.items()}
    shares = np.stack(list(columns.values()))
    spread = shares.max(axis=0) - shares.min(axis=0) if names else np.zeros(0)
    order_of = np.argsort(-np.nan_to_num(spread), kind="stable")
    table = Table(
        {first.grain: names, **columns, "spread": spread},
        formats=dict.fromkeys((*columns, "spread"), "percent"),
        backend=journeys.log.backend,
    )
    return ModelComparison(
        table=table.take(order_of),
        intervals=_intervals(results, [names[i] for i in order_of], first.grain),
        total=first.total,
        level=level,
        remarks=missing_note_of(journeys, by),
    )


def _shares(result: Attribution, names: list[str], column: str) -> NDArray[np.float64]:
    """Return a column of credits as shares of the total, in the order of the names."""
    values = np.asarray(result.table[column], dtype=np.float64).tolist()
    of_name: Mapping[str, float] = dict(zip(result.table[result.grain], values, strict=True))
    total = result.total
    return np.array([of_name[name] / total if total else np.nan for name in names])


def _intervals(results: Mapping[str, Attribution], names: list[str], grain: str) -> Table:
    """Return one row a name and model."""
    columns = {
        column: np.stack([_shares(result, names, origin) for result in results.values()], axis=1)
        for column, origin in (("share", "credit"), ("low", "low"), ("high", "high"))
    }
    return Table(
        {
            grain: [name for name in names for _ in results],
            "model": list(results) * len(names),
            **{column: values.ravel() for column, values in columns.items()},
        },
        formats=dict.fromkeys(columns, "percent"),
    )


def _in_words(model: str) -> str:
    """Return the name of a model as it is read: that of a column has no spaces."""
    kind, _, order = model.partition("markov_")
    return f"Markov, order {order}" if order else kind.replace("_", " ").replace("shap", "Shap")
