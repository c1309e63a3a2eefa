"""Columns of critical points that other measures bring: visits, delays, feelings, drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.ratios import ratio_of_sums
from cxjourney.critical._bottlenecks import bottlenecks
from cxjourney.critical._drivers import FEWEST_ROWS, drivers, rows_of
from cxjourney.critical._grain import reach_figures, repeated
from cxjourney.critical._must_pass import must_pass
from cxjourney.critical._rework import rework_figures
from cxjourney.experience import scores
from cxjourney.journeys import Journeys, JourneyStatistics, by_unit, left_out, visits_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.table import Table

    Columns = dict[str, NDArray[np.float64]]


def _aligned(table: Table, names: tuple[str, ...], columns: dict[str, str]) -> Columns:
    """Return columns of a table in the order of `names`, under new names."""
    rows = list(table["touchpoint"])
    order = [rows.index(name) for name in names]
    return {new: np.asarray(table[old], dtype=np.float64)[order] for new, old in columns.items()}


def delay_columns(
    journeys: Journeys | JourneyStatistics, names: tuple[str, ...], level: float
) -> Columns:
    """Return mean wait and share of all waiting of each touchpoint; NaN without times."""
    columns = {
        "wait_s": "wait_s",
        "wait_low_s": "low",
        "wait_high_s": "high",
        "wait_share": "share",
        "wait_share_low": "share_low",
        "wait_share_high": "share_high",
    }
    if isinstance(journeys, Journeys) and journeys.columns.time is None:
        return {name: np.full(len(names), np.nan) for name in columns}
    return _aligned(bottlenecks(journeys, level=level).table, names, columns)


def visit_columns(
    journeys: Journeys | JourneyStatistics, names: tuple[str, ...], level: float
) -> Columns:
    """Return the share of the journeys that come by, and of the visits that are no first ones."""
    if isinstance(journeys, JourneyStatistics):
        left, found = left_out(journeys), by_unit(journeys, "nodes", "touchpoint", "node")
        come = found.astype(np.float64)
        everybody = np.broadcast_to(left.journeys[:, None], come.shape)
        reach = ratio_of_sums(come, everybody)
        rework = ratio_of_sums(left.visits - come, left.visits)
        order = list(range(len(names)))
    else:
        visits = visits_of(journeys)
        again = repeated(visits)
        order = [visits.names.index(name) for name in names]
        reach = reach_figures(journeys, visits, again)
        rework = rework_figures(visits, again)
    columns: Columns = {}
    for name, figures in (("reach", reach), ("rework", rework)):
        low, high = figures.wilson(level)
        rate = "rework_rate" if name == "rework" else name
        columns |= {
            rate: figures.whole[order],
            f"{name}_low": low[order],
            f"{name}_high": high[order],
        }
    return columns


def feeling_columns(
    journeys: Journeys | JourneyStatistics, names: tuple[str, ...], level: float
) -> Columns:
    """Return mean emotion and score with intervals, and whether each is a valley."""
    columns: Columns = {}
    for measure in ("emotion", "score"):
        wanted = {measure: "mean", f"{measure}_low": "low", f"{measure}_high": "high"}
        wanted[f"{measure}_valley"] = "valley"
        if isinstance(journeys, Journeys) and measure in journeys.columns.numeric:
            found = scores(journeys, measure=measure, level=level)
            columns |= _aligned(found.table, names, wanted)
        else:
            columns |= {name: np.full(len(names), np.nan) for name in wanted}
        columns[f"{measure}_valley"] = np.nan_to_num(columns[f"{measure}_valley"]).astype(np.bool_)
    return columns


def driver_columns(
    journeys: Journeys | JourneyStatistics, names: tuple[str, ...], level: float
) -> Columns:
    """Return how much of conversion hangs on the score given there; NaN without scores."""
    columns = {
        name: np.full(len(names), np.nan)
        for name in ("driver_weight", "driver_weight_low", "driver_weight_high")
    }
    if not isinstance(journeys, Journeys) or "score" not in journeys.columns.numeric:
        return columns
    converted = rows_of(journeys).y
    if len(converted) < FEWEST_ROWS or not 0 < converted.mean() < 1:
        return columns
    # of noise nothing is shown here: any seed does
    found = drivers(journeys, level=level).table
    place = {name: i for i, name in enumerate(found["driver"])}
    for i, name in enumerate(names):
        if name in place:
            for column, source in zip(columns, ("weight", "low", "high"), strict=True):
                columns[column][i] = found[source][place[name]]
    return columns


def must_pass_column(
    journeys: Journeys | JourneyStatistics, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Return whether every conversion, or nearly every one, goes through each touchpoint."""
    found = must_pass(journeys)
    every, nearly = set(found.conversions), set(found.nearly)
    return tuple(
        "every" if name in every else "nearly every" if name in nearly else "" for name in names
    )
