"""Touchpoints whose names look like an end that is wished for."""

from __future__ import annotations

import re
from collections import Counter
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
    rows: Counter[str] = Counter()
    last: dict[int, int] = {}
    latest: dict[str, dict[int, int]] = {}
    if log is not None and log.columns.time is not None:
        names = log.columns.coded["touchpoint"].values()
        times = log.columns.time.tolist()
        for customer, us, name in zip(log.columns.customer.tolist(), times, names, strict=True):
            rows[name] += 1
            last[customer] = us  # the rows of a customer stand in the order of time
            if looks_like_goal(name):
                latest.setdefault(name, {})[customer] = us
    ending = {
        n: float(np.mean([us == last[c] for c, us in of.items()])) for n, of in latest.items()
    }
    wished = [n for n, of in latest.items() if len(of) < len(last) or ending[n]]  # no beginning

    def likeliest(name: str) -> tuple[int, bool, int, str]:
        return -looks_like_goal(name), ending[name] <= 0.5, -len(latest[name]), name

    found = sorted(wished, key=likeliest)
    found = found[:_MOST]
    return Table(
        {
            "touchpoint": found,
            "customers": np.array([len(latest[name]) / len(last) for name in found]),
            "rows": np.array([rows[name] for name in found], dtype=np.int64),
            "ending": np.array([ending[name] for name in found], dtype=np.float64),
        },
        formats={"customers": "percent", "ending": "percent"},
    )
