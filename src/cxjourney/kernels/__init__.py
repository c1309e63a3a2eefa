"""Loops over integer columns: the few functions in which nearly all time is spent."""

from __future__ import annotations

from cxjourney.kernels.reference import order_rows, segment_starts, sort_pairs

__all__ = ["order_rows", "segment_starts", "sort_pairs"]
