"""A typed program that uses the library; checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import assert_type

from cxjourney.metrics import Estimate, wilson

assert_type(wilson(1, 2), tuple[float, float])
assert_type(Estimate(value=1.0).value, float)
