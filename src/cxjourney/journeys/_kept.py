"""Journeys of some of the rows of others: what `where`, a cut and a prefix have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

if TYPE_CHECKING:
    from cxjourney._support.array_types import Ints
    from cxjourney.journeys._journeys import Journeys

J = TypeVar("J", bound="Journeys")


def kept_rows(journeys: J, index: Ints, rows: Ints, lengths: Ints, **changes: Any) -> J:
    """Return journeys of some rows.

    Parameters
    ----------
    journeys
        Where the rows are.
    index
        Of which of them each journey is, ascending; one may be there more than once.
    rows
        Their rows, one journey after the other.
    lengths
        How many rows each has.
    **changes
        Fields that are not those of the journeys of `index`.
    """
    customer = journeys.customer[index]
    counts = np.bincount(customer, weights=lengths, minlength=journeys.log.n_customers)
    own = journeys.number
    kept = {
        "columns": journeys.columns.take(
            rows, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        ),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]),
        "customer": customer,
        "outcome": journeys.outcome[index],
        "absorbed": journeys.absorbed[index],
        "left_truncated": journeys.left_truncated[index],
        "origin": journeys.origin[index],
        "number": index if own is None else own[index],
        "weight": None if journeys.weight is None else journeys.weight[index],
        "value": journeys.value[index],
    }
    return attrs.evolve(journeys, **{**kept, **changes})
