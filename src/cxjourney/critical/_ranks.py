"""How often each touchpoint comes at each rank when customers are resampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["rank_table"]

_SHOWN_RANKS = 5


def rank_table(
    names: tuple[str, ...],
    scores: Floats,
    *,
    classes: NDArray[np.int64],
    order: NDArray[np.intp],
    level: float,
    backend: str | None,
) -> Table:
    """Return how often each touchpoint came at each rank.

    Parameters
    ----------
    names
        The touchpoints.
    scores
        Priority of each in each replicate, shape (replicates, K); NaN comes last.
    classes
        Those of a higher class stand behind all of a lower one.
    order
        The observed ranking, which the rows follow.
    level
        Confidence level of the range of ranks.
    backend
        Data-frame library of the table.
    """
    kept = scores[~np.isnan(scores).all(axis=1)]
    k = len(names)
    ranks = np.full((len(kept), k), np.nan)
    for i, row in enumerate(kept):
        place = np.lexsort((np.nan_to_num(-row, nan=np.inf), classes))
        ranks[i, place] = np.arange(1, k + 1)
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
