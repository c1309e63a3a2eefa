"""Members of journeys of accounts: how many there are, and in which roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.words import counted
from cxjourney.exceptions import InvalidValue
from cxjourney.log import ORIGINAL, Coded, encode_values, narrow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.log import Columns, InteractionLog

_MOST_ROLES = 62  # as many as an int64 has bits to set


def with_members(
    columns: Columns, log: InteractionLog, offsets: NDArray[np.int64], roles: str | None
) -> Columns:
    """Return the rows of journeys with "members" and, where asked for, "roles" as attributes.

    Raises
    ------
    UnknownName
        If neither customers nor interactions have the attribute `roles`.
    InvalidValue
        If it has too many values, or the log has attributes of these names.
    """
    added = ("members",) if roles is None else ("members", "roles")
    for name in added:
        if name in columns.attributes or name in log.customer_attributes:
            raise InvalidValue(
                f'unit="account" must have the name {name!r} free, which an attribute of the log '
                "bears: give it another name"
            )
    lengths = np.diff(offsets)
    journey = np.repeat(np.arange(len(lengths)), lengths)
    member = columns.attributes[ORIGINAL]
    pairs = np.unique(journey * np.int64(len(member.names)) + member.codes)
    number = np.bincount(pairs // max(len(member.names), 1), minlength=len(lengths))
    found = {"members": encode_values(number)}
    if roles is not None:
        found["roles"] = _roles(columns.attribute(roles, log.customer_attributes), offsets)
    of_rows = {name: Coded(np.repeat(c.codes, lengths), c.names) for name, c in found.items()}
    return attrs.evolve(columns, attributes={**columns.attributes, **of_rows})


def _roles(coded: Coded, offsets: NDArray[np.int64]) -> Coded:
    """Return the distinct values of each journey, such as "buyer + finance"."""
    coded = coded.compacted()
    names = sorted(coded.names, key=str)
    if len(names) > _MOST_ROLES:
        rule = f"name an attribute of at most {_MOST_ROLES} values"
        raise InvalidValue.of("roles", rule, f"{counted(len(names), 'value')}")
    place = {(type(name), name): i for i, name in enumerate(names)}
    bit = np.array([1 << place[type(name), name] for name in coded.names] + [0], dtype=np.int64)
    if len(offsets) < 2:
        return Coded(np.zeros(0, dtype=np.int64), ())
    masks, codes = np.unique(
        np.bitwise_or.reduceat(bit[coded.codes], offsets[:-1]), return_inverse=True
    )
    said = [
        " + ".join(str(name) for i, name in enumerate(names) if mask >> i & 1)
        for mask in masks.tolist()
    ]
    nothing = int(len(said) > 0 and not said[0])  # no bit is the smallest mask
    return Coded(narrow(codes - nothing, len(said)), tuple(said[nothing:]))
