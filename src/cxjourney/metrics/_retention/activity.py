"""The activity of customers, read from a column of customers and one of timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.arrays import codes, same_length, to_array
from cxjourney._time.calendar import instant, instants

if TYPE_CHECKING:
    from datetime import datetime

    from cxjourney._support.arrays import Values


@attrs.frozen(kw_only=True, eq=False)
class Activity:
    """Complete rows up to the end of observation, sorted by customer (codes), then time [UTC µs].

    `rows` has the position of each in the input; `n_missing` are rows without a customer or a
    timestamp, `n_later` those after the end of observation.
    """

    customer: NDArray[np.int64]
    us: NDArray[np.int64]
    rows: NDArray[np.intp]
    end_us: int
    n_customers: int
    n_missing: int
    n_later: int
    n_rows: int

    @property
    def first(self) -> NDArray[np.bool_]:
        """Whether each row is the first of its customer."""
        return np.concatenate(([True], self.customer[1:] != self.customer[:-1]))[: len(self.us)]


def read_activity(
    customers: Values, timestamps: Values, *, observed_until: datetime | None = None
) -> Activity:
    """Read, clean and sort; the end of observation is the last timestamp unless given."""
    who, _, no_customer = codes(customers, "customers")
    us, no_timestamp = instants(timestamps, "timestamps")
    same_length(customers=who, timestamps=us)
    present = ~(no_customer | no_timestamp)
    if observed_until is None:
        end = int(us[present].max()) if present.any() else 0
    else:
        end = instant(observed_until, "observed_until")
    rows = np.flatnonzero(present & (us <= end))
    rows = rows[np.lexsort((us[rows], who[rows]))]
    kept, compact = np.unique(who[rows], return_inverse=True)
    return Activity(
        customer=compact.astype(np.int64),
        us=us[rows],
        rows=rows,
        end_us=end,
        n_customers=len(kept),
        n_missing=int(np.count_nonzero(~present)),
        n_later=int(np.count_nonzero(present & (us > end))),
        n_rows=len(us),
    )


def named_customers(customers: Values, activity: Activity) -> list[str]:
    """Return the label of each customer of an activity."""
    values, _ = to_array(customers, "customers")
    return [str(value) for value in values[activity.rows[activity.first]].tolist()]


def left_out(n_missing: int, n_later: int) -> str:
    """Return the part of a note that counts the rows that are not used."""
    return f"{n_missing:,} rows are missing and {n_later:,} lie after the end of observation"
