"""Spells: the columns of a survival analysis, one spell a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.buckets import bucket_of
from cxjourney._support.arrays import (
    check_alone,
    codes,
    counts_of,
    durations,
    flags,
    same_length,
    to_array,
    weights_of,
)
from cxjourney.exceptions import InvalidData

if TYPE_CHECKING:
    from cxjourney._support.arrays import Values


@attrs.frozen(kw_only=True, eq=False)
class Spells:
    """Complete rows: exit, cause (-1: censored), late entry, size, customer code, unit of variance.

    `sizes` are counts of equal rows (`counted`) or weights; with weights and no customers each row
    is a customer of its own.
    """

    exit_us: NDArray[np.int64]
    cause: NDArray[np.int64]
    causes: tuple[str, ...]
    entry_us: NDArray[np.int64] | None
    customer: NDArray[np.int64] | None
    bucket: NDArray[np.int64] | None
    sizes: NDArray[np.float64] | None
    counted: bool
    n_missing: int
    kept: NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Number of rows used, each as often as its count says."""
        return int(self._numbers.sum())

    @property
    def n_censored(self) -> int:
        """Number of censored rows, each as often as its count says."""
        return int(self._numbers[self.cause < 0].sum())

    @property
    def masses(self) -> NDArray[np.float64]:
        """How much each row weighs."""
        return np.ones(len(self.exit_us)) if self.sizes is None else self.sizes

    @property
    def _numbers(self) -> NDArray[np.float64]:
        return self.masses if self.counted else np.ones(len(self.exit_us))


def labelled(
    values: Values, name: str
) -> tuple[NDArray[np.int64], tuple[str, ...], NDArray[np.bool_]]:
    """Return codes in the order of the sorted labels, the labels as text, and the missing mask."""
    array, _ = to_array(values, name)
    code, n_distinct, missing = codes(values, name)
    present = np.flatnonzero(~missing)
    _, first = np.unique(code[present], return_index=True)
    labels = [str(array[i]) for i in present[first]]
    order = np.argsort(np.array(labels, dtype=object), kind="stable")
    rank = np.empty(n_distinct, dtype=np.int64)
    rank[order] = np.arange(n_distinct)
    out = np.full(len(code), -1, dtype=np.int64)
    out[present] = rank[code[present]]
    return out, tuple(labels[i] for i in order), missing


def read_spells(
    lengths: Values,
    *,
    observed: Values | None = None,
    cause: Values | None = None,
    entry: Values | None = None,
    customer: Values | None = None,
    counts: Values | None = None,
    weights: Values | None = None,
) -> Spells:
    """Read and check the columns; exactly one of `observed` and `cause` tells how a row ended."""
    check_alone(counts, customer=customer, weights=weights)
    exit_us, missing = durations(lengths, "durations")
    if cause is None:
        ended, unknown = flags(observed if observed is not None else (), "observed")
        kind = np.where(ended, 0, -1).astype(np.int64)
        labels: tuple[str, ...] = ("event",)
        same_length(durations=exit_us, observed=ended)
        missing = missing | unknown
    else:
        kind, labels, _ = labelled(cause, "cause")
        same_length(durations=exit_us, cause=kind)
    entry_us = who = size = bucket = None
    if entry is not None:
        entry_us, unknown = durations(entry, "entry")
        same_length(durations=exit_us, entry=entry_us)
        missing = missing | unknown
        late = np.flatnonzero(~missing & (entry_us >= exit_us))
        if late.size:
            raise InvalidData.at_rows("entry is not before the end", late.tolist())
    if customer is not None:
        who, names, unknown = labelled(customer, "customer")
        same_length(durations=exit_us, customer=who)
        bucket = bucket_of(names).astype(np.int64)[who] if names else who
        missing = missing | unknown
    if counts is not None:
        size = counts_of(counts, len(exit_us)).astype(np.float64)
    elif weights is not None:
        size = weights_of(weights, len(exit_us))
        who = np.arange(len(exit_us)) if who is None else who
    if size is not None:
        missing = missing | (size == 0)
    kept = ~missing
    return Spells(
        exit_us=exit_us[kept],
        cause=kind[kept],
        causes=labels,
        entry_us=None if entry_us is None else entry_us[kept],
        customer=None if who is None else who[kept],
        bucket=None if bucket is None else bucket[kept],
        sizes=None if size is None else size[kept],
        counted=counts is not None,
        n_missing=int(np.count_nonzero(missing)),
        kept=kept,
    )
