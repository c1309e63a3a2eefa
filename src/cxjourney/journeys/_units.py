"""Units of variance: the bucket of each journey's customer."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import N_BUCKETS, bucket_of, split_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.journeys._journeys import Journeys

__all__ = ["journey_units", "split_of_paths"]


def journey_units(journeys: Journeys) -> NDArray[np.int64]:
    """Return the bucket of each journey's customer, 0 … 63.

    The buckets are those of the whole log, so that segments and periods that share customers are
    compared bucket by bucket. Aggregated paths have no customers: see `split_of_paths`.
    """
    return journeys.memo.get("units", lambda: _units(journeys))


def _units(journeys: Journeys) -> NDArray[np.int64]:
    log = journeys.log
    buckets = log.memo.get("buckets", lambda: bucket_of(log.customer_ids))
    return buckets[journeys.customer].astype(np.int64)


def split_of_paths(journeys: Journeys) -> NDArray[np.int64]:
    """Return how many journeys of each aggregated path fall into each bucket, shape (paths, 64).

    Each journey counts as a customer of its own.
    """
    return journeys.memo.get("split", lambda: _split(journeys))


def _split(journeys: Journeys) -> NDArray[np.int64]:
    weight = journeys.weight
    if weight is None:
        return np.zeros((0, N_BUCKETS), dtype=np.int64)
    names = journeys.columns.coded["touchpoint"]
    words = [str(names.names[code]) for code in names.codes.tolist()]
    bounds = pairwise(journeys.offsets.tolist())
    seen: Counter[str] = Counter()
    keys = []
    for (begin, end), outcome in zip(bounds, journeys.outcome.tolist(), strict=True):
        path = "\0".join((str(outcome), *words[begin:end]))
        keys.append(f"{path}\0\0{seen[path]}")  # a path that comes again is dealt anew
        seen[path] += 1
    return split_weights(keys, weight)
