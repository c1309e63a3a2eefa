"""Identities resolved at read time: the ids of a log give way to those that they stand for."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, TypeVar

import attrs
import numpy as np

from cxjourney._support.validation import check_kind
from cxjourney._support.words import counted
from cxjourney._time.timestamps import utc_us
from cxjourney.exceptions import DataQualityWarning, InvalidValue
from cxjourney.kernels import order_rows
from cxjourney.log._columns import Coded
from cxjourney.log._encode import narrow
from cxjourney.log._identity_links import IdentityLinks
from cxjourney.log._owners import ALWAYS, FOREVER, Owners, owners_of
from cxjourney.log._prepare import times_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from cxjourney.log._columns import Columns
    from cxjourney.log._interaction_log import InteractionLog

    Ints = NDArray[np.int64]

L = TypeVar("L", bound="InteractionLog")

_TORN = "interactions left where two known ids overlap"
ORIGINAL = "original_customer"
"""The attribute of interactions that keeps the id with which they came."""


def resolve_identities(
    log: L, links: IdentityLinks, *, known_at: datetime | str | None = None
) -> L:
    """Return the log in which ids give way to the known ids that they stand for at the time.

    Parameters
    ----------
    links
        Which id stands for which, since when and until when, as `cx.identity.links` returns them.
    known_at
        Only links that had been recorded by this moment count, so that a figure of then can be
        made again; None takes all of them. A moment without a zone is read in that of the log.

    Returns
    -------
    InteractionLog
        The id with which an interaction came stays, as its attribute "original_customer". What is
        said of customers is that of the known id, else of the first merged id of which it is said.
        `log.audit()` counts what each rule did.

    Raises
    ------
    InvalidValue
        If `links` are none, ids of links are no pseudonyms of the key of the log, or `known_at` is
        no moment.
    TimesRequired
        If the log was made of aggregated paths, or has an order but no times.

    Notes
    -----
    A span is [since, until). Links are followed to the end, at the time of the interaction. Ids
    whose links lead round in a circle are one customer with the smallest id of them. An id with
    two known ids at one time is resolved to neither while both hold, so that a shared device never
    merges two known customers; `links.conflicts()` lists such links. Of equal times an interaction
    of a linked id comes before one of the known id itself. What
    becomes of an interaction does not depend on others, nor on the order of rows.

    Examples
    --------
    >>> import cxjourney as cx
    >>> visits = {"who": ["d1", "d1", "ann"], "when": ["2026-01-01", "2026-01-02", "2026-01-03"]}
    >>> log = cx.InteractionLog.from_frame(
    ...     {**visits, "what": ["ad", "web", "buy"]},
    ...     customer="who", timestamp="when", touchpoint="what",
    ... )
    >>> links = cx.identity.links({"d": ["d1"], "u": ["ann"]}, anonymous="d", known="u")
    >>> resolved = log.resolve_identities(links)
    >>> [i.touchpoint.name for i in resolved.interactions("ann")]
    ['ad', 'web', 'buy']
    """
    check_kind(links, "links", IdentityLinks, "cx.identity.links()")
    time = times_of(log, "resolve_identities()")
    if len(links) and links.key_id != log.key_id:
        raise InvalidValue(
            f"links must have the ids of the log, which has {_key(log.key_id)}, while the links "
            f"have {_key(links.key_id)}: give both the same pseudonyms="
        )
    known_us = None if known_at is None else utc_us(known_at, "known_at", log.intake.tz)
    in_time = links.recorded <= (FOREVER if known_us is None else known_us)
    used = links.take(in_time)
    owners = owners_of(len(used.ids), used.anonymous, used.known, used.since, used.until)
    place = {one: i for i, one in enumerate(used.ids)}
    own = np.array([place.get(one, -1) for one in log.customer_ids], dtype=np.int64)
    counts = _of_links(links, used, owners, own)
    customer = log.columns.customer
    end, of_rows = _ends(used, owners, own[customer], time)
    if torn := of_rows[_TORN]:
        warnings.warn(
            f"{counted(torn, 'interaction stays', 'interactions stay')} with an id that had two "
            "known ids at the time: links.conflicts() lists such links.",
            DataQualityWarning,
            stacklevel=2,
        )
    moved = end != own[customer]
    ids, number = _united_ids(log.customer_ids, used.ids, own)
    owner = np.where(moved, np.append(number, -1)[end], customer)
    before = np.where(moved, own[customer], len(used.ids))
    resolved, disagree, most = _with_owners(log, owner, ids, before)
    counts |= of_rows | {"customers before": log.n_customers, "customers": resolved.n_customers}
    counts |= {"customers whose ids disagree on an attribute": disagree}
    counts |= {"most ids of one customer": most}
    intake = attrs.evolve(
        log.intake, identities={k: n for k, n in counts.items() if n}, known_at_us=known_us
    )
    return attrs.evolve(resolved, intake=intake)


def _key(key_id: str | None) -> str:
    return "no pseudonyms" if key_id is None else f"pseudonyms of key {key_id}"


def _of_links(
    links: IdentityLinks, used: IdentityLinks, owners: Owners, own: Ints
) -> dict[str, int]:
    """Return what there is to know of links before any row is looked at, and how often."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(used.ids)
    in_log = np.zeros(n + 1, dtype=np.bool_)
    in_log[own] = True
    pairs = np.unique(np.stack([used.anonymous, used.known]), axis=1)
    several = np.bincount(pairs[0], minlength=n) > 1
    tied = coo_array((np.ones(len(used), dtype=np.int8), (used.anonymous, used.known)), (n, n))
    label = connected_components(tied, directed=False)[1]
    known = np.zeros(n, dtype=np.bool_)
    known[used.known] = True
    largest = label == np.argmax(np.bincount(label)) if n else known
    late = (used.recorded > used.since) & (used.recorded != ALWAYS)
    return {
        "links": len(used),
        **links.counts,
        "links left out, recorded after known_at": len(links) - len(used),
        "links recorded after they took effect": int(np.count_nonzero(late)),
        "links of ids that are not in the log": int(np.count_nonzero(~in_log[used.anonymous])),
        "ids linked to several known ids": int(np.count_nonzero(several)),
        "ids with two known ids at one time": len(np.unique(owners.conflicts()[0])),
        "ids in a circle of links": owners.cycles,
        "ids in the largest group that links tie together": int(np.count_nonzero(largest)),
        "known ids in that group": int(np.count_nonzero(largest & known)),
    }


def _ends(
    links: IdentityLinks, owners: Owners, code: Ints, time: Ints
) -> tuple[Ints, dict[str, int]]:
    """Return the id of each row in the end, -1 where links do not know it, and what happened."""
    end = code.copy()
    linked = np.zeros(len(links.ids) + 1, dtype=np.bool_)
    linked[links.anonymous] = True
    rows = np.flatnonzero(linked[code])
    n = len(owners.times) + 1
    asked, back = np.unique(code[rows] * n + owners.rank(time[rows]) + 1, return_inverse=True)
    ids, rank = asked // n, asked % n - 1
    start = owners.root[ids]
    to, steps, circle = owners.follow(start, rank)
    steps += start != ids
    torn = owners.torn(to, rank)
    end[rows] = to[back]
    often = np.bincount(back, minlength=len(asked))

    def interactions(which: NDArray[np.bool_]) -> int:
        return int(often[which].sum())

    return end, {
        "interactions moved to a known id": interactions(to != ids),
        "interactions moved over several links": interactions((to != ids) & (steps > 1)),
        "interactions in a circle of links with dates": interactions(circle),
        _TORN: interactions(torn),
        "interactions left outside the dates of their links": interactions(
            (to == ids) & ~torn & ~circle & (start == ids)
        ),
    }


def _united_ids(
    customers: Sequence[str], linked: Sequence[str], own: Ints
) -> tuple[tuple[str, ...], Ints]:
    """Return the ids of the log and of the links, and the number of each of the links in them."""
    number = np.full(len(linked), -1, dtype=np.int64)
    here = np.flatnonzero(own >= 0)
    number[own[here]] = here
    new = np.flatnonzero(number < 0)
    number[new] = len(customers) + np.arange(len(new))
    return (*customers, *(linked[i] for i in new.tolist())), number


def _with_owners(log: L, owner: Ints, ids: tuple[str, ...], before: Ints) -> tuple[L, int, int]:
    """Return the log of other owners; customers whose ids disagree, and the most ids of one."""
    old = log.columns.customer
    columns = with_original(log)
    columns, stay, order = regrouped(columns, owner, len(ids), before)
    old = old[order]
    disagree = np.zeros(len(stay), dtype=np.bool_)
    now = np.repeat(np.arange(len(stay)), np.diff(columns.offsets))

    def of_owners(coded: Coded) -> Coded:
        merged = Coded(coded.codes[old], coded.names)
        first = merged.first_of_groups(columns.offsets).codes
        own = np.append(coded.codes, np.full(len(ids) - len(coded), -1))[stay]
        chosen = np.where(own >= 0, own, first)
        disagree[now[(merged.codes >= 0) & (merged.codes != chosen[now])]] = True
        return Coded(narrow(chosen, len(coded.names)), coded.names)

    pairs = np.unique(now * np.int64(log.n_customers) + old) // max(log.n_customers, 1)
    resolved = attrs.evolve(
        log,
        columns=columns,
        customer_ids=tuple(ids[i] for i in stay.tolist()),
        account=None if log.account is None else of_owners(log.account),
        customer_attributes={name: of_owners(c) for name, c in log.customer_attributes.items()},
    )
    most = int(np.bincount(pairs).max(initial=0))
    return resolved, int(np.count_nonzero(disagree)), most


def with_original(log: InteractionLog) -> Columns:
    """Return the columns with the ids of customers as an attribute, unless they have it."""
    columns = log.columns
    if ORIGINAL in columns.attributes:
        return columns
    coded = Coded(narrow(columns.customer, log.n_customers), tuple(log.customer_ids))
    return attrs.evolve(columns, attributes={**columns.attributes, ORIGINAL: coded})


def regrouped(
    columns: Columns, owner: Ints, n: int, before: Ints | None = None
) -> tuple[Columns, Ints, Ints]:
    """Return the rows by another owner, the owners that have one, and the order of the rows.

    Rows of an owner are sorted by time, `seq`, `before` and the order in which they stood.
    """
    time = columns.time
    assert time is not None  # noqa: S101 - the caller has refused aggregated paths
    first = np.arange(len(owner)) if before is None else np.argsort(before, kind="stable")
    seq = None if columns.seq is None else columns.seq[first]
    taken, _, offsets, _ = order_rows(owner[first], time[first], n, seq)
    order = first if taken is None else first[taken]
    stay = np.flatnonzero(np.diff(offsets))
    return columns.take(order, np.append(0, offsets[stay + 1])), stay, order
