"""Probabilities of the ranks of touchpoints when customers are resampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Floats, Ints


__all__ = ["rank_table", "ranked"]

_SHOWN_RANKS = 5


def ranked(priority: Floats, lost: Floats, classes: Ints) -> NDArray[np.intp]:
    """Return touchpoints in their order: by class, priority, then what is lost there at all.

    What is not known comes last in its class.
    """
    keys = (np.nan_to_num(-lost, nan=np.inf), np.nan_to_num(-priority, nan=np.inf), classes)
    return np.lexsort((np.arange(len(priority)), *keys))


def rank_table(
    names: tuple[str, ...],
    priority: Floats,
    lost: Floats,
    *,
    classes: Ints,
    order: NDArray[np.intp],
    level: float,
    backend: str | None,
) -> Table:
    """Return how often each touchpoint came at each rank.

    Parameters
    ----------
    names
        The touchpoints.
    priority, lost
        Of each in each replicate, shape (replicates, K); see `ranked`.
    classes
        Those of a higher class stand behind all of a lower one.
    order
        The observed ranking, which the rows follow.
    level
        Confidence level of the range of ranks.
    backend
        Data-frame library of the table.
    """
    kept = np.flatnonzero(~np.isnan(priority).all(axis=1))
    k = len(names)
    ranks = np.full((len(kept), k), np.nan)
    for i, replicate in enumerate(kept.tolist()):
        ranks[i, ranked(priority[replicate], lost[replicate], classes)] = np.arange(1, k + 1)
    ranks = ranks[:, order]
    tail = (1 - level) / 2
    columns: dict[str, Any] = {"touchpoint": tuple(names[i] for i in order.tolist())}
    empty = np.full(k, np.nan)
    for rank in range(1, _SHOWN_RANKS + 1):
        columns[f"rank_{rank}"] = (ranks == rank).mean(axis=0) if len(kept) else empty
    columns["later"] = (ranks > _SHOWN_RANKS).mean(axis=0) if len(kept) else empty
    columns["top_three"] = (ranks <= 3).mean(axis=0) if len(kept) else empty
    for name, at in (("rank_median", 0.5), ("rank_low", tail), ("rank_high", 1 - tail)):
        columns[name] = (
            np.quantile(ranks, at, axis=0, method="inverted_cdf") if len(kept) else empty
        )
    formats = {name: "percent" for name in columns if name.startswith(("rank_", "later", "top_"))}
    formats |= dict.fromkeys(("rank_median", "rank_low", "rank_high"), "integer")
    return Table(columns, formats=formats, backend=backend)
