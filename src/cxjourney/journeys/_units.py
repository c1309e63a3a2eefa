"""Units of variance: the bucket of each journey's customer."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from cxjourney._stats.buckets import N_BUCKETS, bucket_of, split_weights
from cxjourney._stats.units import Units
from cxjourney.kernels import md5_first_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Ints
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.log import InteractionLog


def units_of(journeys: Journeys) -> Units:
    """Return the units of variance of journeys: the buckets of their customers.

    The buckets are those of the whole log, so that segments and periods that share customers are
    compared bucket by bucket. Aggregated paths have no customers: each of their journeys counts
    as a customer of its own.
    """
    return journeys.memo.get("units", lambda: _units(journeys))


def bucket_of_each(journeys: Journeys) -> Ints:
    """Return the bucket of each journey of journeys with customers."""
    bucket = units_of(journeys).of
    assert bucket is not None  # noqa: S101 - the caller has refused aggregated paths
    return bucket


def units_of_customers(log: InteractionLog) -> Units:
    """Return the units of variance of all customers of a log, one item a customer."""
    return Units.of_buckets(log.memo.get("buckets", lambda: bucket_of(log.customer_ids)))


def first_bytes_of(log: InteractionLog) -> NDArray[np.uint8]:
    """Return the first byte of the MD5 digest of each customer's id: one of 256 buckets."""
    return log.memo.get("first bytes", lambda: md5_first_bytes(log.customer_ids))


def _units(journeys: Journeys) -> Units:
    if journeys.weight is not None:
        return Units(n=N_BUCKETS, split=_split(journeys, journeys.weight))
    return units_of_customers(journeys.log).take(journeys.customer)


def _split(journeys: Journeys, weight: Ints) -> Ints:
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
