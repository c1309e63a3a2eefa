"""Touchpoints whose names look like an end that is wished for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.table import Table
from cxjourney.io._column_roles import in_words

if TYPE_CHECKING:
    from cxjourney.io._column_facts import ColumnFacts
    from cxjourney.log import InteractionLog

_GOALS = (  # the surer first
    re.compile(
        r"(?i)purchas|\bpaid\b|payment|closed.?won|\bwon\b|\bbuy|bought|convert|conversion|kauf|"
        r"bezahl|zahlung|abschluss|order.?(?:placed|completed?|confirm)|^order(?:ed|s)?$|bestell"
    ),
    re.compile(
        r"(?i)order|sale|subscri|sign.?up|signed|booking|booked|contract|checkout.?comp|deliver|"
        r"resolved|solved|closed|complet|success|submitted|renew|approv|disburs|activat"
    ),
)
_NO_GOALS = re.compile(
    r"(?i)fail|cancel|refus|declin|abandon|return|refund|start|begin|\badd|view|lost|remove|error|"
    r"storno|unsub|click|initiat|pending|open|info|list|method|prepar"
)
_MOST = 5
_YES = frozenset({"1", "true", "yes", "y", "t", "ja"})
_NO = frozenset({"0", "false", "no", "n", "f", "nein"})
_STATUS = frozenset({"status", "state", "outcome", "result", "ergebnis"})


def looks_like_goal(name: str) -> int:
    """Return 2 where a name says that it is an end that is wished for, 1 where it may be, or 0."""
    plain = name.replace("_", " ")
    if _NO_GOALS.search(plain):
        return 0
    return next((2 - i for i, pattern in enumerate(_GOALS) if pattern.search(plain)), 0)


def goal_value(one: ColumnFacts) -> str | None:
    """Return the value of a flag or a status that says that the row led to a conversion."""
    if not 2 <= one.distinct <= 12:
        return None
    words = in_words(one.name)
    if {value.lower() for value in one.counts} <= _YES | _NO:
        yes = [value for value in one.counts if value.lower() in _YES]
        return yes[0] if yes and looks_like_goal(" ".join(words)) else None
    wished = [value for value in one.counts if looks_like_goal(value) == 2]
    return wished[0] if wished and _STATUS & {*words} else None


def goal_table(log: InteractionLog | None) -> Table:
    """Return the goals that suggest themselves; see `FileInspection.goals`."""
    found: list[tuple[str, float, int, float]] = []
    if log is not None and log.columns.time is not None:
        time, customer = log.columns.time, log.columns.customer
        last = time[log.columns.offsets[1:] - 1]  # a customer's rows stand in the order of time
        touchpoint = log.columns.coded["touchpoint"]
        order = np.argsort(touchpoint.codes, kind="stable")
        ends = np.searchsorted(touchpoint.codes[order], np.arange(len(touchpoint.names)), "right")
        for name, begin, end in zip(touchpoint.names, [0, *ends], ends, strict=False):
            if begin == end or not looks_like_goal(name):  # what was filtered out keeps its name
                continue
            rows = order[begin:end]
            latest = rows[np.append(np.diff(customer[rows]) > 0, True)]
            who = customer[latest]
            ending = float(np.mean(time[latest] == last[who]))
            if len(who) < len(last) or ending:  # else it is a beginning
                found.append((name, len(who) / len(last), len(rows), ending))
    found.sort(key=lambda goal: (-looks_like_goal(goal[0]), goal[3] <= 0.5, -goal[1], goal[0]))
    found = found[:_MOST]
    return Table(
        {
            "touchpoint": [name for name, *_ in found],
            "customers": np.array([share for _, share, _, _ in found]),
            "rows": np.array([n for _, _, n, _ in found], dtype=np.int64),
            "ending": np.array([ending for *_, ending in found], dtype=np.float64),
        },
        formats={"customers": "percent", "ending": "percent"},
    )
