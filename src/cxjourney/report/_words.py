"""Sentences of the report: the overview, findings as people say them, and the caveats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cxjourney._findings import SHOWN_GAIN, affected_by
from cxjourney._support.table import format_value
from cxjourney.domain import Outcome
from cxjourney.journeys import Journeys, conversion_rate_of
from cxjourney.log import odd_times
from cxjourney.report._catalogue import (
    date_in_words,
    has,
    percent,
    rounded,
    say,
    say_of,
    share_in_words,
    times_in_words,
)
from cxjourney.report._charts import Bar, Bars
from cxjourney.report._page import Card, Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxjourney._findings import Finding
    from cxjourney.journeys import JourneyStatistics


def overview(journeys: Journeys | JourneyStatistics) -> str:
    """Return how journeys end and the conversion rate, after what is odd about the times."""
    counts, silent = journeys.outcomes, journeys.n_dropped_after_goal
    won, lost = counts[Outcome.CONVERTED], counts[Outcome.DROPPED] - silent
    still = counts[Outcome.IN_PROGRESS]
    goal = ", ".join(f"“{name}”" for name in journeys.rules.goal)
    reached = say("overview.reached", goal=goal) if goal else say("overview.no_goal")
    odd: tuple[str, ...] = ()
    if isinstance(journeys, Journeys):
        odd = tuple(odd_times(journeys.columns.time, journeys.log.observed_until_us))
    said = [*odd, say("overview.ended", n=len(journeys), won=won, reached=reached, lost=lost)]
    if silent:
        said.append(say("overview.silent", silent=silent))
    if still:
        said.append(say_of("overview.still", still))
    rate = conversion_rate_of(journeys)
    if rate is not None:
        said.append(say("overview.rate", rate=format_value(rate.value, "percent")))
    return " ".join(said)


# ---------------------------------------------------------------------- findings

_LEAST_GAIN = 1.5  # conversions; less is told as "one more" or none


def worth_of(finding: Finding) -> str:
    """Return what would be won if a finding were gone, and whom it affects, in two sentences."""
    gain, money = finding.gain, finding.money
    low, value, high = (format_value(end, "integer") for end in (gain.low, gain.value, gain.high))
    worth = "" if money is None else f", worth {money.value:,.0f} {money.unit}".rstrip()
    between = "" if low == "-" else f" (between {low} and {high})"
    if gain.low < SHOWN_GAIN:
        more = "1 more journey" if high == "1" else f"{high} more journeys"
        won = f"No gain can be shown: without this, at most {more} would convert."
    else:
        more = "1 more journey" if value == "1" else f"{value} more journeys"
        won = f"Without this, {more} would convert{between}{worth}."
    return f"{won} {affected_by(finding)}"


def card_of(finding: Finding, *, goal: tuple[str, ...], unsure: bool, share: bool) -> Card:
    """Return a finding as the page shows it; numbers are told to two figures.

    What leaves the house says no more than the sentences do.
    """
    journeys = say_of("count.journeys", finding.n_journeys)
    customers = say_of("count.customers", finding.n_customers)
    hit = "hit_once" if finding.n_journeys == finding.n_customers else "hit"
    return Card(
        sentence=_sentence(finding),
        gain=_gain(finding, goal),
        hit=say(f"finding.{hit}", journeys=journeys, customers=customers),
        unsure=say("finding.unsure") if unsure else "",
        pictures=() if share else tuple(_pictures(finding)),
        exact=f"{finding.sentence} {worth_of(finding)}",
        reasons=() if share else finding.reasons,
        doubts=finding.doubts,
        next_steps=finding.next_steps,
    )


def _other(finding: Finding) -> float:
    """Return the share that the one of a finding is held against."""
    if finding.rate is None:
        return math.nan
    exits = finding.rate.name == "exit_rate"
    return finding.rate.value + (-1 if exits else 1) * finding.effect.value


def _sentence(finding: Finding) -> str:
    where = say("place.everywhere") if finding.where == "everywhere" else finding.where
    if finding.who:
        name, _, value = finding.who.partition(": ")
        where = say("place.who", where=where, name=name, value=value)
    dates = {"since": date_in_words(finding.since), "until": date_in_words(finding.until)}
    rate, kind = finding.rate, finding.kind
    if rate is None:
        return finding.sentence
    if rate.name != "exit_rate":
        if finding.who and not finding.since:
            kind = "segment that fares worse"
        if not has("later", kind):
            return finding.sentence
        shares = {"rate": percent(rate.value), "other": percent(_other(finding))}
        return say(f"later.{kind}", where=where, **shares, **dates)
    if not has("sentence", kind):
        return finding.sentence
    share, one = share_in_words(rate.value)
    return say_of(
        f"sentence.{kind}",
        1 if one else 2,
        share=share,
        share_in=share[0].lower() + share[1:],
        where=where,
        times=times_in_words(rate.value, _other(finding)),
        **dates,
    )


def _gain(finding: Finding, goal: tuple[str, ...]) -> str:
    gain, money = finding.gain, finding.money
    if math.isnan(gain.value):
        return ""
    won = say("finding.conversions")
    if len(goal) == 1:
        won = say("finding.orders", goal=goal[0])
    interval = worth = ""
    if not _is_shown(finding):
        return say("finding.gain_unshown", value=rounded(gain.high), conversions=won)
    if not math.isnan(gain.low):
        both = say("number.between", low=rounded(gain.low), high=rounded(gain.high))
        interval = say("finding.interval", between=both)
    if money is not None:
        unit = say("finding.money_by", value=rounded(money.value), unit=money.unit).strip()
        worth = say("finding.worth", money=unit)
    value = rounded(gain.value)
    return say("finding.gain", value=value, conversions=won, interval=interval, worth=worth)


def _is_shown(finding: Finding) -> bool:
    """Return whether a finding has a gain of more than a conversion."""
    return not (finding.gain.low < _LEAST_GAIN and finding.gain.value < _LEAST_GAIN)


def _pictures(finding: Finding) -> Iterator[Picture]:
    rate, effect, gain = finding.rate, finding.effect, finding.gain
    if rate is not None:
        other = _other(finding)
        sign = 1 if rate.name == "exit_rate" else -1
        against = finding.kind if has("against", finding.kind) else "before"
        here = Bar(
            name=say("finding.here"),
            value=rate.value,
            low=other + sign * (effect.low if sign > 0 else effect.high),
            high=other + sign * (effect.high if sign > 0 else effect.low),
        )
        there = Bar(name=say(f"against.{against}"), value=other, mute=True)
        caption = say("finding.exits" if sign > 0 else "finding.conversion")
        bars = Bars(rows=(here, there), kind="percent", reference=other)
        yield Picture(caption=caption, drawing=bars)
    if not math.isnan(gain.value) and _is_shown(finding):
        bar = Bar(name="", value=gain.value, low=gain.low, high=gain.high)
        bars = Bars(rows=(bar,), kind="integer")
        yield Picture(caption=say("finding.gain_picture"), drawing=bars)


# ---------------------------------------------------------------------- caveats


def caveats(journeys: Journeys | JourneyStatistics) -> Iterator[str]:
    """Yield what an expert would ask before believing the numbers of this log."""
    rules, numeric = journeys.rules, set[str]()
    if isinstance(journeys, Journeys):
        n_channels, numeric = len(journeys.log.channels), {*journeys.log.columns.numeric}
    else:
        n_channels = len(journeys.names.get("channel", ()))
    in_progress = journeys.outcomes[Outcome.IN_PROGRESS]
    holds = {
        "inactivity": rules.inactivity is not None,
        "censored": in_progress,
        "all_closed": rules.all_closed and not in_progress,
        "undetermined": not rules.determined,
        "causal": True,
        "gains": True,
        "winner": True,
        "intervals": True,
        "markov": True,
        "channels": n_channels > 1,
        "answers": numeric & {"score", "emotion"},
        "segments": True,
        "seasons": True,
    }
    for name, here in holds.items():
        if here:
            yield say(f"caveats.{name}")
