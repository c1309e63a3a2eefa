"""Sentences of findings: what was found, what speaks for it, what could make it wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cxjourney._findings._trials import DAY_US
from cxjourney._support.table import format_value

if TYPE_CHECKING:
    from cxjourney._findings._claims import Claim
    from cxjourney._findings._pipeline import Judged
    from cxjourney._findings._trials import Trials

_SLOW = "slow change"
_NAMES = {
    "excess": "more exits than at peers",
    "handoff": "hand-off that loses",
    "segment": "segment that fares worse",
    "change": "change since a date",
    "downstream": "fewer conversions later on",
    "incident": "incident",
}


def kind_of(claim: Claim, *, with_stages: bool) -> str:
    """Return the name of the kind of a claim."""
    return _SLOW if claim.slow else _name(claim.kind, with_stages=with_stages)


def family_of(kind: str, *, with_stages: bool) -> str:
    """Return the name of the tests of a kind."""
    name = _name(kind, with_stages=with_stages)
    return f"{name} or {_SLOW}" if kind == "incident" else name


def _name(kind: str, *, with_stages: bool) -> str:
    if kind == "excess" and not with_stages:  # there are no peers to exceed
        return "more exits than expected"
    return _NAMES[kind]


def date_of(trials: Trials, day: int) -> str:
    """Return the date of a day; "" for none."""
    if day < 0:
        return ""
    return datetime.fromtimestamp((trials.first_us + day * DAY_US) / 1e6, UTC).date().isoformat()


def place_of(trials: Trials, claim: Claim) -> str:
    """Return where a claim is: a touchpoint, a pair of channels, or everywhere."""
    if claim.pair is not None and trials.channels is not None:
        names = trials.channels[0]
        return f"{names[claim.pair[0]]} → {names[claim.pair[1]]}"
    return trials.names[claim.touchpoint] if claim.touchpoint >= 0 else "everywhere"


def segment_of(trials: Trials, claim: Claim) -> str:
    """Return the segment of a claim; "" for everybody."""
    if claim.attribute < 0:
        return ""
    attribute = trials.attributes[claim.attribute]
    return f"{attribute.name}: {attribute.values[claim.level]}"


def _those(trials: Trials, claim: Claim) -> str:
    """Return the customers of a claim; "" for everybody."""
    if claim.attribute < 0:
        return ""
    attribute = trials.attributes[claim.attribute]
    return f" of customers whose {attribute.name} is {attribute.values[claim.level]}"


def _points(value: float) -> str:
    return f"{100 * value:.1f} points"


def sentence_of(trials: Trials, judged: Judged, *, with_stages: bool) -> str:
    """Return a finding in a sentence."""
    claim = judged.claim
    where, those = place_of(trials, claim), _those(trials, claim)
    more, rate = _points(claim.effect), format_value(claim.rate, "percent")
    if claim.kind == "excess":
        peers = "at its peers" if with_stages else "at touchpoints equally near to the goal"
        return f"At {where}, {rate} of visits are exits, {more} more than {peers}."
    if claim.kind == "handoff":
        return (
            f"After the switch {where}, {rate} of visits are exits, {more} more than after "
            "arrivals from the same channel."
        )
    at = "At nearly all touchpoints" if where == "everywhere" else f"At {where}"
    lost, more = f"{rate} of visits{those} are exits", f"{more} more"
    if claim.outcome == "conversion":
        at, more = f"After {where}", f"{_points(claim.effect)} fewer"
        lost = f"{rate} of journeys{those} reach the goal within {trials.within}"
    if claim.kind in {"segment", "downstream"} and those:
        return f"{at}, {lost}, {more} than of the others."
    since = date_of(trials, claim.since)
    if claim.slow:
        return f"{at}, {lost}, {more} than before: a slow change, mostly since {since}."
    when, than = f"since {since}", "before"
    if claim.until >= 0:
        when, than = f"from {since} to {date_of(trials, claim.until)}", "expected"
    if claim.outcome == "conversion":  # the dates are those of visits, not of conversions
        return f"{at} {when}, {lost}, {more} than {than}."
    return f"{at}, {lost} {when}, {more} than {than}."


def reasons_of(trials: Trials, judged: Judged, explained: str, share: float) -> list[str]:
    """Return what speaks for a finding."""
    claim = judged.claim
    reasons = [
        (
            f"It rests on {claim.n:,} visits, which count as those of "
            f"{min(claim.units, claim.n):,.0f} equally active {trials.units}; "
            f"p = {claim.p:.2g}, or {judged.adjusted:.2g} when corrected for all tests."
        )
    ]
    if claim.kind == "excess":
        said = {
            "yes": "It is larger than the usual variation among touchpoints of its kind.",
            "no": "Touchpoints of its kind vary this much without anything being wrong.",
            "cannot tell": "The data cannot tell whether it is larger than the usual variation "
            "among touchpoints of its kind.",
        }
        reasons.append(said[judged.unusual])
    if claim.since_range[0] >= 0:
        low, high = (date_of(trials, day) for day in claim.since_range)
        reasons.append(f"It began between {low} and {high} (95% interval).")
    if explained:
        reasons.append(
            f"It explains {format_value(share, 'percent')} of the touchpoint's excess. {explained}"
        )
    if judged.also:
        names = ", ".join(trials.names[x] for x in judged.also)
        reasons.append(f"The same segment stands out at {names}.")
    return reasons


def doubts_of(judged: Judged, *, with_stages: bool) -> list[str]:
    """Return what could make a finding wrong."""
    kind = "change" if judged.claim.slow else judged.claim.kind
    alike = "of one stage" if with_stages else "as near to the goal"
    doubts = {
        "excess": f"Touchpoints {alike} may differ by nature, in who comes and what for.",
        "handoff": "Customers who switch may differ from those who do not in ways that no "
        "touchpoint shows.",
        "segment": "Segments are not experiments: their customers may differ in other ways too.",
        "change": "A campaign, a season or a different mix of customers since that date would look "
        "the same.",
        "downstream": "What happens between here and the goal may have changed as well.",
        "incident": "A holiday or a campaign of those days would look the same.",
    }
    return [doubts[kind]] if kind in doubts else ["No test of significance stands behind it."]


def next_of(trials: Trials, judged: Judged) -> list[str]:
    """Return what to look at next."""
    claim = judged.claim
    if claim.kind == "handoff":
        return [f"Follow journeys through {place_of(trials, claim)}: `finding.journeys()`."]
    if claim.slow:
        figure = "exit_rate" if claim.outcome == "exit" else "conversion_after"
        return [f"Follow it: `cx.trend(journeys, '{figure}:{place_of(trials, claim)}')`."]
    if claim.kind in {"change", "incident"}:
        return [f"Ask what was released or broke around {date_of(trials, claim.since)}."]
    if claim.outcome == "conversion":
        return ["See where these journeys end: `cx.dropoff.exits(finding.journeys())`."]
    return ["Compare these journeys with the others: `finding.journeys()`."]
