"""Links between ids: read from a table of them, or found in rows that carry two ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cxjourney._support.mapping import FrozenMapping
from cxjourney._time.timestamps import read_timestamps
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.log import (
    ALWAYS,
    FOREVER,
    Coded,
    IdentityLinks,
    check_epoch_unit,
    columns_of,
    encode_ids,
    encode_values,
    pseudonymised,
    stacked,
)
from cxjourney.privacy import check_key, forgetting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from cxjourney.privacy import PseudonymKey

    Ints = NDArray[np.int64]


@forgetting
def links(
    frame: Any,
    *,
    anonymous: str,
    known: str,
    timestamp: str | None = None,
    logout: str | None = None,
    since: str | None = None,
    until: str | None = None,
    recorded: str | None = None,
    source: str | None = None,
    pseudonyms: PseudonymKey | None = None,
    tz: str = "UTC",
    timestamp_format: str | None = None,
    timestamp_unit: Literal["s", "ms", "us", "ns"] | None = None,
) -> IdentityLinks:
    """Return which ids stand for which known id, and when, for `log.resolve_identities`.

    Parameters
    ----------
    frame
        Any frame that `InteractionLog.from_frame` takes, hence Any. Without `timestamp` a row is a
        link, as in a table of aliases. With it a row is a sighting: something that happened on a
        device or in a browser, with the id of a customer where one was signed in.
    anonymous, known
        Names of the columns of the id that is resolved, and of the id that it stands for. Ids are
        text, as in a log.
    timestamp
        Name of the column of times of sightings; the spans of links are found from them.
    logout
        Name of a column of truth values, beside `timestamp`: after such a row nobody is signed in
        on the device.
    since, until
        Names of the columns of the span [since, until) of each link; where missing, it is open.
    recorded
        Name of the column that says when a link became known, which `known_at=` of
        `log.resolve_identities` compares. That of a sighting is its own time.
    source
        Name of the column that says where a link comes from.
    pseudonyms
        The key of the log, where it has pseudonyms and the frame has the ids behind them.
    tz, timestamp_format, timestamp_unit
        As in `InteractionLog.from_frame`, for all columns of times.

    Returns
    -------
    IdentityLinks

    Raises
    ------
    UnknownName
        If a column is not there; the nearest names are in the message.
    InvalidValue
        If `logout` is given without `timestamp`, spans beside it, or `logout` has no truth values.
    InvalidData
        If a time cannot be read, a sighting has none, or a link ends before it begins; the numbers
        of the rows are in the message.

    Notes
    -----
    A device belongs to whom it was last signed in by, until somebody else signs in or it is logged
    out. What comes before the first sign-in, or between a logout and the next sign-in, belongs to
    whoever signs in next; what comes after the last logout belongs to nobody. Two who sign in at
    one moment are two links that contradict each other. A device whose id is a known id of other
    rows makes no link: sightings never merge two known ids, which only a table of links does.

    Examples
    --------
    >>> import cxjourney as cx
    >>> seen = {"device": ["d", "d", "d"], "user": [None, "ann", "bob"], "day": ["2026-01-01",
    ...     "2026-01-02", "2026-01-09"]}
    >>> cx.identity.links(seen, anonymous="device", known="user", timestamp="day")
    IdentityLinks: 2 links of 1 id to 2 known ids
    """
    spans = {"since": since, "until": until, "recorded": recorded}
    if timestamp is None and logout is not None:
        raise InvalidValue.of("logout", "be left out where timestamp= is", logout)
    for name, column in spans.items():
        if timestamp is not None and column is not None:
            raise InvalidValue.of(name, "be left out beside timestamp=, which gives it", column)
    check_key(pseudonyms)
    check_epoch_unit(timestamp_unit, timestamp_format)
    given = {"anonymous": anonymous, "known": known, "timestamp": timestamp, "logout": logout}
    given |= spans | {"source": source}
    columns, backend = columns_of(frame, {k: v for k, v in given.items() if v is not None})

    def moments(role: str, absent: int) -> Ints:
        if role not in columns:
            return np.full(len(columns["anonymous"]), absent)
        found = read_timestamps(
            columns[role], tz=tz, fmt=timestamp_format, unit=timestamp_unit, name=role
        )
        return np.where(found.missing, absent, found.us)

    one, other = (encode_ids(columns[role]) for role in ("anonymous", "known"))
    one, other = (pseudonymised(ids, pseudonyms, "customer") for ids in (one, other))
    both = stacked([{"id": one}, {"id": other}], [len(one), len(other)])["id"]
    a, k = both.codes[: len(one)].astype(np.int64), both.codes[len(one) :].astype(np.int64)
    of_source = (
        encode_values(columns["source"]) if "source" in columns else Coded(np.full(len(a), -1), ())
    )
    rows, spans_found, counts = (
        _given(a, k, moments)
        if timestamp is None
        else _sighted(a, k, moments("timestamp", ALWAYS), _logouts(columns, len(a)))
    )
    return IdentityLinks(
        ids=both.names,
        anonymous=a[rows],
        known=k[rows],
        **spans_found,
        source=of_source.take(rows),
        counts=FrozenMapping({rule: n for rule, n in counts.items() if n}),
        key_id=None if pseudonyms is None else pseudonyms.key_id,
        backend=backend,
    )


def _given(
    a: Ints, k: Ints, moments: Callable[[str, int], Ints]
) -> tuple[Ints, dict[str, Ints], dict[str, int]]:
    """Return the rows of a table that are links, their spans, and what was left out."""
    since, until, recorded = (
        moments("since", ALWAYS),
        moments("until", FOREVER),
        moments("recorded", ALWAYS),
    )
    backward = np.flatnonzero(until <= since)
    if len(backward):
        raise InvalidData.at_rows("until does not lie after since", backward.tolist())
    whole = (a >= 0) & (k >= 0)
    link = np.flatnonzero(whole & (a != k))
    link = link[np.lexsort((recorded[link], until[link], since[link], k[link], a[link]))]
    same = np.ones(len(link), dtype=np.bool_)
    for column in (a, k, since, until):
        same[1:] &= column[link][1:] == column[link][:-1]
    same[:1] = False
    rows = link[~same]  # of equal links the one that was recorded first
    return (
        rows,
        {"since": since[rows], "until": until[rows], "recorded": recorded[rows]},
        {
            "rows without one of the two ids": int(np.count_nonzero(~whole)),
            "links of an id to itself": int(np.count_nonzero(whole & (a == k))),
            "links given again": int(np.count_nonzero(same)),
        },
    )


def _logouts(columns: Mapping[str, Any], n: int) -> NDArray[np.bool_]:
    if "logout" not in columns:
        return np.zeros(n, dtype=np.bool_)
    coded = encode_values(columns["logout"])
    if any(not isinstance(value, bool) for value in coded.names):
        raise InvalidValue.of("logout", "name a column of truth values", list(coded.names)[:3])
    true = np.array([*coded.names, False], dtype=np.bool_)
    found: NDArray[np.bool_] = true[coded.codes]
    return found


def _sighted(
    a: Ints, k: Ints, time: Ints, logout: NDArray[np.bool_]
) -> tuple[Ints, dict[str, Ints], dict[str, int]]:
    """Return the rows with which spans of sign-ins begin, the spans, and what was left out."""
    untimed = np.flatnonzero((time == ALWAYS) & (a >= 0))
    if len(untimed):
        raise InvalidData.at_rows("timestamp is missing", untimed.tolist())
    users = np.zeros(max(a.max(initial=-1), k.max(initial=-1)) + 2, dtype=np.bool_)
    users[k] = True
    users[-1] = False  # where an id is missing
    signed = (a >= 0) & (k >= 0)
    known_twice = signed & (a != k) & users[a]
    signs = np.flatnonzero(signed & ~users[a])
    outs = np.flatnonzero(logout & (a >= 0))
    # the customer of a row that logs out was signed in before it, others of its moment come after
    row = np.concatenate([signs, outs])
    out = np.arange(len(row)) >= len(signs)
    kind = np.where(out, 1, np.where(logout[row], 0, 2))
    order = np.lexsort((k[row], kind, time[row], a[row]))
    row, out = row[order], out[order]
    device, when = a[row], time[row]
    new_device = np.diff(device, prepend=-1) != 0
    begins = new_device | out
    stretch = np.cumsum(begins) - 1
    start = np.where(out, when, ALWAYS)[begins]
    last = np.append(new_device[begins][1:], True)
    end = np.where(last, FOREVER, np.append(start[1:], 0))
    keep = ~out
    row, when, stretch = row[keep], when[keep], stretch[keep]
    # all who signed in at one moment are a group, and hold until the next group
    first_of = np.diff(stretch, prepend=-1) != 0
    group = np.cumsum(first_of | (np.diff(when, prepend=ALWAYS) != 0)) - 1
    head = np.flatnonzero(np.diff(group, prepend=-1))
    since = np.where(first_of[head], start[stretch[head]], when[head])
    until = np.where(
        np.append(first_of[head][1:], True), end[stretch[head]], np.append(when[head][1:], 0)
    )
    order = np.lexsort((group, k[row], stretch))
    row, group, stretch = row[order], group[order], stretch[order]
    same = np.diff(stretch, prepend=-1) == 0
    same &= (np.diff(k[row], prepend=-1) == 0) & (np.diff(group, prepend=-2) <= 1)
    starts = np.flatnonzero(~same)
    ends = np.append(starts[1:], len(row))[: len(starts)] - 1
    found = {"since": since[group[starts]], "until": until[group[ends]]}
    rows, some = row[starts], found["since"] < found["until"]
    spans = {name: us[some] for name, us in (found | {"recorded": time[rows]}).items()}
    return rows[some], spans, {"rows whose two ids are known ids": int(known_twice.sum())}
