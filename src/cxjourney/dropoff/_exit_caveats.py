"""Caveats of exits: what a reader of the rates must know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._stats.estimates import why_no_interval
from cxjourney._support.words import counted

if TYPE_CHECKING:
    from cxjourney.dropoff._rates import NodeRates

_CURSE = (
    "The highest rate of many is overstated, because it was picked for being high (winner's "
    "curse). In Python, the columns shrunken, rank_low and rank_high of `.table` allow for that."
)
_UNDERSTATES = "which understates exits where leaving takes longer to be seen than going on"
_UPPER_BOUND = (
    "Lost conversions assume that those who leave would go on like those who stay. They are an "
    "upper bound and no causal claim."
)


def exit_caveats(rates: NodeRates, *, timed: bool, limited: bool) -> tuple[str, ...]:
    """Return what must be said of rates.

    `timed` is whether censored visits count for as long as they were seen, and `limited` whether
    there is an inactivity limit.
    """
    caveats = [_CURSE, _UPPER_BOUND, *why_no_interval(rates.figures)]
    censored = int(rates.censored.sum())
    if censored:
        one, several = ("it counts", "they count") if timed else ("it is", "they are")
        visits = counted(censored, "visit", "visits")
        why = "the counts come without times" if limited else "there is no inactivity limit"
        used = "as censored" if timed else f"left out, because {why}, {_UNDERSTATES}"
        pronoun = one if censored == 1 else several
        caveats.insert(0, f"The end of {visits} is not known yet; {pronoun} {used}.")
    ceilings = int(np.count_nonzero(rates.ceiling))
    if ceilings:
        caveats.append(
            f"At {ceilings:,} nodes no visit was followed up to the limit, so that the exit "
            "probability is a ceiling."
        )
    if alike := _ended_alike(rates):
        caveats.append(alike)
    return tuple(caveats)


def _ended_alike(rates: NodeRates) -> str:
    """Return why the interval is wide at nodes where all of many visits, or none, were exits."""
    whole = rates.figures.whole
    alike = np.flatnonzero(((whole <= 0) | (whole >= 1)) & (rates.visits > N_BUCKETS))
    if not len(alike):
        return ""
    busiest = rates.names[int(alike[np.argmax(rates.visits[alike])])]
    return (
        f"Where all visits ended alike, as at {busiest!r}, nothing shows how customers differ: "
        f"however many visits there were, the interval is that of {N_BUCKETS} independent ones at "
        "most."
    )
