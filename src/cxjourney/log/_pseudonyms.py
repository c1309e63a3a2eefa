"""Pseudonyms in the place of ids, in the columns of a log and in what is joined to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cxjourney._support.strings import canonical
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.log._columns import Coded
from cxjourney.privacy import check_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cxjourney._support.strings import Strings
    from cxjourney.log._interaction_log import InteractionLog
    from cxjourney.privacy import Kind, PseudonymKey

_LOOKED_AT = 100  # rows, most columns are known by them to be no copy
PROTECTED: tuple[Kind, ...] = ("customer", "account", "journey", "issue")


def ranked(names: Sequence[str], key: PseudonymKey, kind: Kind) -> tuple[Strings, NDArray[np.intp]]:
    """Return the pseudonyms of distinct canonical names in sorted order, and the place of each.

    The order of names, which may be that of the ids, does not outlive them.
    """
    found = key.pseudonyms(names, kind)
    data, offsets = found.utf8()
    letters = data.reshape(len(names), -1) if len(names) else data.reshape(0, 1)
    order = np.argsort(np.ascontiguousarray(letters).view(f"S{letters.shape[1]}")[:, 0])
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return type(found)(letters[order].reshape(-1), offsets), place


def pseudonymised(coded: Coded, key: PseudonymKey | None, kind: Kind) -> Coded:
    """Return a column of ids with their pseudonyms for names; without a key the column itself."""
    if key is None:
        return coded
    names, place = ranked(coded.names, key, kind)
    codes = np.append(place, -1).astype(np.int32)[coded.codes]
    return Coded(codes, cast(tuple[str, ...], names))  # a tuple in all but the type


def check_protected(roles: Mapping[str, str], key: PseudonymKey | None) -> None:
    """Raise InvalidValue where a column of ids would be kept as something else as well."""
    check_key(key)
    ids = {roles[role] for role in PROTECTED if role in roles}
    for role, name in roles.items():
        if key is not None and role not in PROTECTED and name in ids:
            argument = "attributes" if role.startswith("attribute:") else role.partition(":")[0]
            rule = "not name a column of ids, which it would keep, where pseudonyms= is given"
            raise InvalidValue.of(argument, rule, name)


def refuse_copies(columns: Mapping[str, Coded], **ids_by_kind: Coded | None) -> None:
    """Raise InvalidData where a column repeats ids, row by row, under another name."""
    known = {kind: ids for kind, ids in ids_by_kind.items() if ids is not None}
    for kind, ids in known.items():
        for name, coded in columns.items():
            rows = np.flatnonzero((coded.codes >= 0) & (ids.codes >= 0))
            if len(rows) and _equal(coded, ids, rows[:_LOOKED_AT]) and _equal(coded, ids, rows):
                raise InvalidData(f"{name!r} repeats the ids of {kind}=, row by row: leave it out")


def _equal(coded: Coded, ids: Coded, rows: NDArray[np.intp]) -> bool:
    pairs = {*zip(coded.codes[rows].tolist(), ids.codes[rows].tolist(), strict=True)}
    return all(canonical(str(coded.names[one])) == ids.names[other] for one, other in pairs)


def ids_as_in(log: InteractionLog, key: PseudonymKey | None, argument: str) -> PseudonymKey | None:
    """Return the key if it is the one of the log, or None where none is given.

    Raises
    ------
    InvalidValue
        If it is another key, or the log has no pseudonyms.
    """
    check_key(key)
    if key is not None and key.key_id != log.key_id:
        has = "no pseudonyms" if log.key_id is None else f"pseudonyms of key {log.key_id}"
        raise InvalidValue(
            f"pseudonyms must be the key of the log, for the ids in {argument}: the log has {has}, "
            f"and this is key {key.key_id}"
        )
    return key


def refuse_strangers(log: InteractionLog, key: PseudonymKey | None, argument: str) -> None:
    """Raise InvalidValue, where none of the given ids is in a log of pseudonyms and no key is."""
    if log.key_id is not None and key is None:
        raise InvalidValue(
            f"{argument} must have ids of the log, which are pseudonyms of key {log.key_id}: give "
            "pseudonyms= that key where they are the ids behind them"
        )


def key_of(logs: Sequence[Any]) -> str | None:
    """Return the id of the key that logs (Any: of one class) share; refuse several."""
    keys = list(dict.fromkeys(log.key_id for log in logs))
    if len(keys) > 1:
        shown = " and ".join("no pseudonyms" if key is None else f"key {key}" for key in keys)
        raise InvalidData(
            f"logs know customers by pseudonyms of different keys ({shown}), so that one customer "
            "would be several: read all of them with the same pseudonyms="
        )
    return keys[0] if keys else None
