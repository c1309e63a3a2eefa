"""Sentences of the report: the overview, what findings are worth, and the caveats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxjourney._findings import affected_by
from cxjourney._support.table import format_value
from cxjourney.domain import Outcome
from cxjourney.journeys import conversion_rate_of
from cxjourney.log import odd_times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxjourney._findings import Finding
    from cxjourney.journeys import Journeys

UNSURE = "This is not certain until the inactivity limit is chosen."


def overview(journeys: Journeys) -> str:
    """Return how journeys end and the conversion rate, after what is odd about the times."""
    counts, silent = journeys.outcomes, journeys.n_dropped_after_goal
    won, lost = counts[Outcome.CONVERTED], counts[Outcome.DROPPED] - silent
    still = counts[Outcome.IN_PROGRESS]
    goal = ", ".join(map(repr, journeys.rules.goal))
    reached = f"reached the goal {goal}" if goal else "converted (no goal was named)"
    said = [
        *odd_times(journeys.columns.time, journeys.log.observed_until_us),
        f"Of {len(journeys):,} journeys, {won:,} {reached} and {lost:,} dropped off.",
    ]
    if silent:
        said.append(
            f"{silent:,} more fell silent after a goal: their customers had been served and are "
            "not lost."
        )
    said.append(
        f"When the observation ended {still:,} {'was' if still == 1 else 'were'} still in "
        "progress, neither converted nor dropped."
    )
    rate = conversion_rate_of(journeys)
    if rate is not None:
        said.append(
            f"The conversion rate is {rate.value:.1%}: the probability that a journey reaches the "
            "goal, if those in progress go on like the others."
        )
    return " ".join(said)


def worth_of(finding: Finding) -> str:
    """Return what would be won if a finding were gone, and whom it affects, in two sentences."""
    gain, money = finding.gain, finding.money
    low, value, high = (format_value(end, "integer") for end in (gain.low, gain.value, gain.high))
    worth = "" if money is None else f", worth {money.value:,.0f} {money.unit}".rstrip()
    won = f"Without this, {value} [{low}, {high}] more journeys would convert{worth}."
    return f"{won} {affected_by(finding)}"


def caveats(journeys: Journeys) -> Iterator[str]:
    """Yield what an expert would ask before believing the numbers of this log."""
    rules, log = journeys.rules, journeys.log
    if rules.inactivity is not None:
        yield (
            "The inactivity limit defines drop-off: a journey counts as dropped when no "
            "interaction follows within the limit, even if the customer returns later. Try other "
            "limits: in Python, cx.dropoff.sensitivity() compares several."
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
            "Channels do not all recognise their customers equally well. Merging too many "
            "identities creates switches that did not happen; merging too few creates drop-offs."
        )
    if "score" in log.columns.numeric or "emotion" in log.columns.numeric:
        yield (
            "Scores and emotions are those of customers who answered. Customers who have left are "
            "no longer asked."
        )
    yield (
        "Totals hide differences between segments such as devices, issues and periods. Compare "
        "them before acting, with cxjourney compare or, in Python, cx.compare."
    )
    yield "Seasons and campaigns shift numbers over time, so compare like periods."
