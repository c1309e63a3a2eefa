"""A typed program that uses the library; checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

import cxjourney as cx
from cxjourney.log import LogAudit
from cxjourney.metrics import (
    CohortRetention,
    Estimate,
    NetPromoterScore,
    SurvivalCurve,
    cohort_retention,
    conversion_rate,
    csat,
    kaplan_meier,
    nps,
    wilson,
)

assert_type(wilson(1, 2), tuple[float, float])
assert_type(Estimate(value=1.0).value, float)

cart = cx.Touchpoint("cart", channel="web", stage=cx.StageModel.FIVE.stage("purchase"))
contact = cx.Interaction(
    customer="anna", touchpoint=cart, timestamp=datetime(2026, 1, 31, tzinfo=UTC), score=4
)
assert_type(contact.channel, cx.Channel | None)
assert_type(contact.score, float | None)
journey = cx.Journey(customer=contact.customer, interactions=[contact], outcome="dropped")
assert_type(journey.outcome, cx.Outcome)
assert_type(journey.interactions, tuple[cx.Interaction, ...])
assert_type(nps([10, None, 3]), NetPromoterScore)
assert_type(nps([10, 3]).promoters.value, float)
assert_type(csat([5, 4]).mean, Estimate)
assert_type(conversion_rate([True, False]), Estimate)
assert_type(kaplan_meier([timedelta(days=1), None], [True, False]), SurvivalCurve)
assert_type(kaplan_meier([timedelta(days=1)], [True]).median, Estimate)
assert_type(cohort_retention(["anna"], [contact.timestamp], unit="week"), CohortRetention)

paths = cx.Journeys.from_paths([["web", "store"]], converted=[1], channels=True)
assert_type(cx.omnichannel.transitions(paths), cx.omnichannel.Transitions)
assert_type(cx.omnichannel.handoff_loss(paths, by="kind").pooled, Estimate)
rates = cx.omnichannel.switching(paths, segment="region")
assert_type(rates["north"], cx.omnichannel.Switching)
assert_type(cx.attribution.linear(paths), cx.attribution.Attribution)
assert_type(cx.attribution.markov(paths, segment="region")["north"], cx.attribution.Attribution)
assert_type(cx.omnichannel.cross_channel_cost(paths).time.value, float)

log = cx.read_csv("events.csv", customer="id", timestamp="at", touchpoint="what", channel="how")
assert_type(log, cx.InteractionLog)
assert_type(log.filter(channels="web").rename({"a": "b"}), cx.InteractionLog)
assert_type(log.between("2026-01-01").drop_duplicates(), cx.InteractionLog)
assert_type(log.sessions(gap=timedelta(minutes=30)).collapse_repeats(), cx.InteractionLog)
assert_type(log.audit(), LogAudit)
assert_type(log.suggest_inactivity(goal="b").suggested, timedelta | None)
assert_type(cx.read_xes("log.xes", lifecycle=("complete",), score="stars"), cx.InteractionLog)
log = cx.InteractionLog.from_interactions([contact])
assert_type(log.touchpoints, tuple[str, ...])
journeys = log.journeys(goal="cart", inactivity=timedelta(days=30))
assert_type(journeys.outcomes, Mapping[cx.Outcome, int])
for one in journeys:
    assert_type(one, cx.Journey)
graph = journeys.graph(by=("touchpoint", "channel"))
assert_type(graph, cx.JourneyGraph)
assert_type(cx.journey_graph([contact], goal="cart"), cx.JourneyGraph)
assert_type(cx.dropoff.exits(journeys).estimate("cart"), Estimate)
assert_type(cx.critical.points(journeys).ranking, tuple[str, ...])
assert_type(cx.critical.points(journeys).why("cart"), cx.critical.Reason)
assert_type(cx.sequences.memory(journeys).best, int)
assert_type(cx.sequences.paths(journeys, segment="plan")["pro"], cx.sequences.Variants)
assert_type(cx.compare.segments(journeys, "plan").estimate("cart"), Estimate)
assert_type(cx.experience.scores(journeys), cx.experience.TouchpointScores)
assert_type(cx.experience.peak_end(journeys, segment="plan")["pro"], cx.experience.Remembered)
report = cx.report.build(journeys)
assert_type(report, cx.report.Report)
assert_type(report.write("report.html"), Path)
try:
    cx.read_csv("events.csv", customer="who", timestamp="when", touchpoint="what")
except cx.CxJourneyError as error:
    assert_type(str(error), str)
found = cx.dropoff.exits(journeys, by="channel")
assert_type(found, cx.dropoff.Exits)
assert_type(found.estimate("web"), Estimate)
assert_type(cx.dropoff.exits(journeys, segment="plan")["pro"], cx.dropoff.Exits)
assert_type(cx.dropoff.funnel(log, ["web"], segment=("age", (18, 65)))["pro"], cx.dropoff.Funnel)
walked = cx.dropoff.funnel(
    log,
    ["web", {"cart", "basket"}, cx.dropoff.Step("buy", within=timedelta(days=1))],
    within=timedelta(days=7),
    exclude=["help"],
)
assert_type(walked.counts, tuple[int, ...])
assert_type(walked.conversion, Estimate)
assert_type(walked.explain("anna"), cx.dropoff.Explanation)
assert_type(walked.time_to(2), SurvivalCurve)
assert_type(cx.dropoff.sensitivity(log, goal="cart"), cx.dropoff.Sensitivity)
differences = cx.compare.segments(journeys, "region", against="pairs", strata="device")
assert_type(differences, cx.compare.Differences)
assert_type(differences.ranking[0].difference, Estimate)
assert_type(cx.compare.between(graph, graph, window=timedelta(days=9)).window, timedelta | None)
scenario = cx.whatif.reduce_exit(graph, "cart", relative=0.1)
assert_type(scenario, cx.whatif.Scenario)
assert_type(scenario.remove("web").bypass(["ad"]).reroute("call", "chat", 0.3).conversion, Estimate)
assert_type(cx.whatif.levers(journeys).ranking, tuple[str, ...])
