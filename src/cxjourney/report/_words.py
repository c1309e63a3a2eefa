"""Sentences of the report: the overview, what to fix first, and the caveats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cxjourney._support.table import format_value
from cxjourney.domain import Outcome
from cxjourney.log import odd_times

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cxjourney.critical import CriticalPoints
    from cxjourney.journeys import Journeys

__all__ = ["caveats", "chance", "first_to_fix", "overview"]

FIRST = 3
_UNSURE = "Whether it truly loses more is not sure before somebody chooses the inactivity limit."


def overview(journeys: Journeys) -> str:
    """Return how journeys end, in two sentences, after what is odd about the times."""
    counts = journeys.outcomes
    total = max(len(journeys), 1)
    won, lost = counts[Outcome.CONVERTED], counts[Outcome.DROPPED]
    still = counts[Outcome.IN_PROGRESS]
    goal = ", ".join(map(repr, journeys.rules.goal))
    reached = f" reached the goal {goal}" if goal else " converted (no goal was named)"
    odd = odd_times(journeys.columns.time, journeys.log.observed_until_us)
    return (
        " ".join(odd)
        + " " * bool(odd)
        + (
            f"Of {len(journeys):,} journeys, {won:,} ({won / total:.1%}){reached} and {lost:,} "
            f"({lost / total:.1%}) were dropped. When the observation ended {still:,} "
            f"({still / total:.1%}) {'was' if still == 1 else 'were'} still in progress, neither "
            "converted nor dropped."
        )
    )


def first_to_fix(
    points: CriticalPoints, currency: str | None, *, sure: bool = True
) -> Iterator[tuple[str, str]]:
    """Yield the touchpoints to fix first, each with the reasons and how certain they are."""
    ranks = {str(row["touchpoint"]): row for row in points.rank_probability}
    rows = {str(row["touchpoint"]): row for row in points.table}
    for name in points.ranking[:FIRST]:
        row, rank = rows[name], ranks[name]
        if row["mark"] or not _number(row["gain"]) > 0:
            continue
        certain = _certainty(row, rank) if sure else _UNSURE
        yield name, f"{_loss(row)} {_gain(row, points.n_journeys, currency)} {certain}"


def _loss(row: Mapping[str, object]) -> str:
    group = str(row["peer_group"])
    others = {
        "all": "at the other touchpoints",
        "nearness to the goal": "at touchpoints as near to the goal",
    }.get(group, f"at the other touchpoints of the stage {group!r}")
    return (
        f"{_percent(row['exit_probability'])} [{_percent(row['low'])}, {_percent(row['high'])}] of "
        f"the visits here are exits, compared with {_percent(row['peers'])} {others}."
    )


def _gain(row: Mapping[str, object], n_journeys: int, currency: str | None) -> str:
    low, high = (format_value(_number(row[end])) for end in ("gain_low", "gain_high"))
    money = _number(row["gain_value"])
    worth = "" if math.isnan(money) else f", worth {money:,.0f} {currency or ''}".rstrip()
    return (
        f"If only as many left here as there, up to {format_value(_number(row['gain']))} [{low}, "
        f"{high}] more of the {n_journeys:,} journeys would convert{worth}."
    )


def _certainty(row: Mapping[str, object], rank: Mapping[str, object]) -> str:
    sure = _number(row["confidence"])
    word = (
        "almost certain"
        if sure >= 0.95
        else "likely"
        if sure >= 0.8
        else "uncertain"
        if sure >= 0.6
        else "undecided"
    )
    top = _number(rank["top_three"])
    among = (
        ""
        if math.isnan(top)
        else f" It is among the first three with a probability of {chance(top)}."
    )
    staged = row["peer_group"] not in {"all", "nearness to the goal"}
    claim = (
        "loses more than its peers" if staged else "stands apart from how such touchpoints differ"
    )
    return f"This is {word}: it {claim} with a probability of {chance(sure)}.{among}"


def chance(value: object) -> str:
    """Return a probability from random draws, which is never quite 0 or 1."""
    share = _number(value)
    if share > 0.995:
        return "over 99%"
    return "under 1%" if share < 0.005 else format_value(share, "percent")


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def _percent(value: object) -> str:
    share = _number(value)
    return f"{100 * share:.2g}%" if 0 < share < 0.001 else format_value(share, "percent")


def caveats(journeys: Journeys) -> Iterator[str]:
    """Yield what an expert would ask before believing the numbers of this log."""
    rules, log = journeys.rules, journeys.log
    if rules.inactivity is not None:
        yield (
            "The inactivity limit defines drop-off: a journey counts as dropped when no "
            "interaction follows within the limit, even if the customer returns later. Try other "
            "limits with cx.dropoff.sensitivity()."
        )
    if journeys.outcomes[Outcome.IN_PROGRESS]:
        yield (
            "Journeys in progress are censored. Counting them as dropped would overstate drop-off, "
            "and leaving them out would understate it."
        )
    elif rules.all_closed:
        yield (
            "Every journey that did not convert counts as dropped, which is right only where all "
            "cases are closed."
        )
    if not rules.determined:
        yield (
            "Without an inactivity limit or exit touchpoints, nothing tells when a journey that "
            "did not convert is over, so there are no exits."
        )
    yield (
        "Nothing here is causal. Exits, removal effects and gains describe the customers who came; "
        "only an experiment shows what a change would do."
    )
    yield (
        "Gains assume that customers who are kept go on like those who stayed. They are usually "
        "weaker prospects, so a gain is an upper bound. Gains at several touchpoints do not add up."
    )
    yield (
        "A touchpoint that was picked because it looks worst is probably less bad than it looks "
        "(winner's curse), and will look better at the next measurement even if nothing changes."
    )
    yield (
        "Intervals allow for several visits of one customer. They do not allow for what was not "
        "recorded, such as customers without consent, offline interactions and bots."
    )
    yield (
        "The Markov chain ignores how customers came to where they are. Loops and repeats are kept "
        "as they were recorded."
    )
    if len(log.channels) > 1:
        yield (
            "Not every channel recognises its customers equally well. Too much merging of "
            "identities creates switches that did not happen; too little creates drop-offs."
        )
    if "score" in log.columns.numeric or "emotion" in log.columns.numeric:
        yield (
            "Scores and emotions are those of customers who answered. Customers who have left are "
            "no longer asked."
        )
    yield (
        "Totals hide differences between segments such as devices, issues and periods. Compare "
        "them with cx.compare before acting."
    )
    yield "Seasons and campaigns shift numbers over time, so compare like periods."
