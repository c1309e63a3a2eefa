"""The log of accounts: the interactions of all members of an account as those of one customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs
import numpy as np

from cxjourney._support.mapping import FrozenMapping
from cxjourney.exceptions import UnknownName
from cxjourney.log._columns import Coded
from cxjourney.log._encode import encode_values, objects_of
from cxjourney.log._identities import regrouped, with_original
from cxjourney.log._prepare import times_of

if TYPE_CHECKING:
    from cxjourney.log._interaction_log import InteractionLog

L = TypeVar("L", bound="InteractionLog")


def by_account(log: L) -> L:
    """Return the log whose customers are accounts, in the order of time.

    A customer without an account stays one of its own. Who did what is the attribute
    "original_customer" of interactions, and what is said of customers becomes what is said of their
    interactions.

    Raises
    ------
    UnknownName
        If no customer has an account.
    TimesRequired
        If the log was made of aggregated paths, or has an order but no times.
    """
    times_of(log, 'journeys(unit="account")')
    account = log.account
    if account is None:
        known = (*log.columns.coded, *log.columns.attributes)
        raise UnknownName.among("column", "account", known, where="the log")
    return log.memo.get("accounts", lambda: _by_account(log, account))


def _by_account(log: L, account: Coded) -> L:
    names = [str(getattr(one, "id", one)) for one in account.names]
    alone = np.flatnonzero(account.codes < 0)
    code = account.codes.astype(np.int64)
    code[alone] = len(names) + np.arange(len(alone))
    taken = set(names)
    singles = [log.customer_ids[i] for i in alone.tolist()]
    ids = [*names, *(f"{one} (customer)" if one in taken else one for one in singles)]
    columns = with_original(log)
    of_rows = {
        name: Coded(coded.codes[columns.customer], coded.names)
        for name, coded in log.customer_attributes.items()
    }
    columns = attrs.evolve(columns, attributes={**of_rows, **columns.attributes})
    columns, stay, _ = regrouped(columns, code[columns.customer], len(ids))
    own = np.where(stay < len(names), stay, -1)
    return attrs.evolve(
        log,
        columns=columns,
        customer_ids=tuple(ids[i] for i in stay.tolist()),
        account=Coded(own, account.names),
        customer_attributes=FrozenMapping(_of_accounts(account, own, set(columns.attributes))),
    )


def _of_accounts(account: Coded, own: np.ndarray, taken: set[str]) -> dict[str, Coded]:
    """Return what is said of accounts, one value an account; what rows say goes first."""
    said = [dict(getattr(one, "attributes", {})) for one in account.names]
    names = dict.fromkeys(name for one in said for name in one if name not in taken)
    found = {}
    for name in names:
        coded = encode_values(objects_of([one.get(name) for one in said]))
        found[name] = Coded(np.append(coded.codes, -1)[own], coded.names)
    return found
