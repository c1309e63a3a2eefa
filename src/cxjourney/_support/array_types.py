"""Array types that the annotations of all packages share."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
"""Numbers; NaN where a value is missing."""

Ints: TypeAlias = NDArray[np.int64]
"""Counts, codes, offsets or microseconds."""

Bools: TypeAlias = NDArray[np.bool_]
"""Flags, one a row."""
