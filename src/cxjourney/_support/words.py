"""Counts and times in words."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import ROUND_CEILING, Context

from cxjourney._support.table import format_value


def counted(n: int, one: str, several: str = "") -> str:
    """Return "1 row" or "2 rows"; `several` is what follows any other number than 1."""
    return f"{n:,} {one if n == 1 else several or f'{one}s'}"


def how_long(time: timedelta | float) -> str:
    """Return a time, or so many seconds, as people say it: "1 day", "22.1 days", "90 minutes".

    It is told in a unit that it has exactly one of, else in the largest of which there are two, to
    three figures.
    """
    seconds = time.total_seconds() if isinstance(time, timedelta) else float(time)
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds == size:
            return f"1 {unit}"
        if abs(seconds) >= 2 * size:
            return f"{format_value(seconds / size)} {unit}s"
    return f"{format_value(seconds)} second{'s' * (seconds != 1)}"


def at_most(bound: float) -> str:
    """Return a bound to two figures, rounded up, so that it stays one."""
    return f"{float(Context(prec=2, rounding=ROUND_CEILING).create_decimal(bound)):.2g}"


def in_agreement(text: str) -> str:
    """Return a sentence in which "1 rows are" has become "1 row is"; quoted names stay.

    A share that is not known is "-", as in tables, and no share is less than none.
    """
    return _ONE.sub(_singular, _NO_SHARE.sub(lambda found: found[1] or "-", text))


def _singular(found: re.Match[str]) -> str:
    if found["noun"] is None:  # in quotes
        return found[0]
    noun = _IRREGULAR.get(found["noun"], found["noun"][:-1])
    verb = f" {_VERBS[found['verb']]}" if found["verb"] else ""
    there = found["there"].replace("are", "is").replace("were", "was") if found["there"] else ""
    return f"{there}1 {found['kind']}{noun}{found['between'] or ''}{verb}"


_NO_SHARE = re.compile(r"(?<![\w.,])(?:nan%|-(0(?:\.0+)?%))")
_IRREGULAR = {"strata": "stratum", "switches": "switch", "entries": "entry"}
_NOUNS = (
    "rows|journeys|interactions|customers|visits|touchpoints|answers|cases|transitions|paths|"
    "values|scores|contacts|channels|stages|edges|events|files|lines|cells|columns|buckets|pairs|"
    "records|sessions|groups|steps|times|bytes|names|purchases|tests|messages|ends|nodes|owners|"
    "deviations|conversions|arrivals|observations|gaps|emotions|stops|strata|switches|entries|lanes|limits|draws|segments|drop-offs|exits|"
    "durations|seconds|minutes|hours|days|weeks|months|years"
)
_VERBS = {
    "are": "is", "were": "was", "have": "has", "lie": "lies", "come": "comes", "count": "counts",
    "do": "does", "go": "goes", "stand": "stands", "begin": "begins", "end": "ends",
}  # fmt: skip
_ONE = re.compile(
    r"(?<!\w)'[^']*'|\"[^\"]*\"|"
    r"(?P<there>\b[Tt]here (?:are|were) )?(?<![\w.,-])(?<!step )(?<!order )1 "
    r"(?P<kind>(?:(?!of\b)[a-z-]+ ){0,2}?)"
    rf"(?P<noun>{_NOUNS})\b"
    rf"(?:(?P<between>(?: (?!(?:{_NOUNS}|of|and)\b)[\w-]+){{0,4}}?) "
    rf"(?P<verb>{'|'.join(_VERBS)})\b)?"
)
"""A quoted name, or a single thing in the plural, with its verb where that follows soon."""
