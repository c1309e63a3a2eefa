"""The models side by side: where they agree, and where the choice of model is the finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney.attribution.markov_chain import markov
from cxjourney.attribution.rules import first_touch, last_touch, linear, position_based, time_decay
from cxjourney.attribution.shapley_value import shapley

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from cxjourney.attribution.credit import Attribution, Of
    from cxjourney.log import Journeys
    from cxjourney.log.visits import By

__all__ = ["ModelComparison", "compare_models"]


@attrs.frozen(kw_only=True, repr=False)
class ModelComparison(Result):
    """Shares of the credit by model.

    Attributes
    ----------
    table
        One row a name: the share of the credit under each model [fraction], and `spread`, the
        largest minus the smallest [fraction]; the most disputed first.
    total
        What every model divides [conversions or money].
    """

    title: ClassVar[str] = "Attribution models side by side"

    table: Table
    total: float

    def _table(self) -> Table:
        return self.table

    def _notes(self) -> tuple[str, ...]:
        return (
            f"every model divides the same {self.total:,.6g}",
            "where the spread is wide, the choice of model decides, not the data",
        )


def compare_models(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    look_back: timedelta | None = None,
    orders: tuple[int, ...] = (1,),
) -> ModelComparison:
    """Return the share of each name under every model.

    Parameters
    ----------
    journeys
        The journeys, or aggregated paths.
    by
        What is credited.
    of
        Credit the number of "conversions" or their "value".
    look_back
        Leave out touches older than this before the conversion; None leaves out none.
    orders
        Orders of the Markov chains to compare.

    Returns
    -------
    ModelComparison
        First, last, linear, position-based, time decay (where there are times), Shapley, Markov.

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
    results: dict[str, Attribution] = {
        "first": first_touch(journeys, by=by, of=of, look_back=look_back, replicates=0),
        "last": last_touch(journeys, by=by, of=of, look_back=look_back, replicates=0),
        "linear": linear(journeys, by=by, of=of, look_back=look_back, replicates=0),
        "position": position_based(journeys, by=by, of=of, look_back=look_back, replicates=0),
    }
    if journeys.columns.time is not None:
        results["time_decay"] = time_decay(
            journeys, by=by, of=of, look_back=look_back, replicates=0
        )
    results["shapley"] = shapley(journeys, by=by, of=of, look_back=look_back, replicates=0)
    for order in orders:
        results[f"markov_{order}"] = markov(
            journeys, by=by, of=of, look_back=look_back, order=order, replicates=0
        )
    first = results["first"]
    names = sorted(first.credit)
    columns = {model: _shares(result, names) for model, result in results.items()}
    shares = np.stack(list(columns.values()))
    spread = shares.max(axis=0) - shares.min(axis=0) if names else np.zeros(0)
    table = Table(
        {first.grain: names, **columns, "spread": spread},
        formats=dict.fromkeys((*columns, "spread"), "percent"),
        backend=journeys.log.backend,
    )
    order_of = np.argsort(-np.nan_to_num(spread), kind="stable")
    return ModelComparison(table=table.take(order_of), total=first.total)


def _shares(result: Attribution, names: list[str]) -> np.ndarray:
    credit: Mapping[str, float] = result.credit
    total = result.total
    return np.array([credit[name] / total if total else np.nan for name in names])
