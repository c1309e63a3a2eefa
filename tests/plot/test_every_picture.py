"""Every picture of every result, over logs of 5, 30 and 60 touchpoints with awkward names."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator

import cxjourney as cx
from cxjourney import Finding
from cxjourney._support.result import Result
from cxjourney.journeys import BySegment
from cxjourney.plot._canvas import CAPTION_GID
from cxjourney.report import JourneyMap

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (5, 30, 60)
GOAL = "order placed"
_STAGES = cx.StageModel.FIVE.names
_CHANNELS = (
    "web", "app", "store", "phone", "e-mail", "live chat with an advisor on the web site",
    "live chat with an advisor in the mobile app", "social media", "paid_search", "display",
    "partner", "letter post",
)  # fmt: skip


def touchpoint_names(n: int) -> list[str]:
    """Return distinct names: short ones, and long ones that differ in the middle or at the end."""
    kinds = (
        "page {}",
        "help centre: article {} about deliveries, returns and refunds",
        "advice in the store, department {}",
        "service call of the second level, hotline number {}",
        "newsletter_{}",
    )
    return [kinds[i % len(kinds)].format(i) for i in range(n)]


def log_of(n: int, *, customers: int = 400) -> cx.InteractionLog:
    """Return a log of half a year with `n` touchpoints, the goal not counted."""
    rng = np.random.default_rng(n)
    names = touchpoint_names(n)
    channels = _CHANNELS[: max(2, n // 5)]
    rows: list[dict[str, Any]] = []
    popular = 1 / (1 + np.arange(n))
    leaves = rng.uniform(0.05, 0.45, n)
    for who in range(customers):
        at = int(rng.choice(n, p=popular / popular.sum()))
        when = rng.uniform(0, 160)
        device = "mobile phone" if rng.random() < 0.5 else "desktop"
        for _ in range(12):
            felt = rng.normal(0.3 - leaves[at], 0.3)
            rows.append(
                {
                    "customer": f"c{who}",
                    "touchpoint": names[at],
                    "channel": channels[at % len(channels)],
                    "stage": _STAGES[at * len(_STAGES) // n],
                    "day": when,
                    "emotion": np.clip(felt, -1, 1) if rng.random() < 0.7 else np.nan,
                    "score": np.clip(np.round(7 + 3 * felt), 0, 10),
                    "expectation": np.clip(np.round(7 + rng.normal(0, 1.5)), 0, 10),
                    "device": device,
                }
            )
            when += rng.exponential(1.5)
            u = rng.random()
            # since May page 0 is worse, and worst on a mobile phone
            worse = 0.25 * (when > 120) * (at == 0) * (1 + (device == "mobile phone"))
            if u < leaves[at] + worse:
                break
            if u > 0.92 - 0.3 * at / n:
                rows.append({**rows[-1], "touchpoint": GOAL, "stage": "purchase", "day": when})
                break
            at = int(np.clip(at + rng.integers(-n // 4, n // 2 + 1), 0, n - 1))
    frame = pd.DataFrame(rows)
    frame["time"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(frame["day"], unit="D")
    return cx.InteractionLog.from_frame(
        frame,
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
        channel="channel",
        stage="stage",
        emotion="emotion",
        score="score",
        expectation="expectation",
        scale=cx.metrics.Scale(0, 10),
        attributes=["device"],
    )


def _steps() -> list[str]:
    return [*touchpoint_names(5)[:4], GOAL]


def _waits() -> list[timedelta]:
    return [timedelta(days=d) for d in np.random.default_rng(0).exponential(20, 400).tolist()]


def _causes() -> list[str | None]:
    names = "solved by a colleague of the second level", "withdrawn"
    days = [wait.days for wait in _waits()]
    return [None if d > 60 else names[d % 2] for d in days]


def _returns() -> tuple[list[str], list[datetime]]:
    rng = np.random.default_rng(1)
    days = rng.uniform(0, 182, 4000).tolist()
    who = [f"c{k}" for k in rng.integers(0, 300, 4000).tolist()]
    return who, [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=d) for d in days]


def _felt(journeys: cx.Journeys) -> dict[str, float]:
    table = cx.experience.scores(journeys).table
    return dict(zip(table["touchpoint"], table["mean"], strict=True))


def _rare(journeys: cx.Journeys) -> str:
    """Return a touchpoint that few come by."""
    table = cx.dropoff.exits(journeys).table
    return str(table["touchpoint"][int(np.argmin(table["visits"]))])


def _voices(journeys: cx.Journeys) -> cx.experience.Feedback:
    log, codes = journeys.log, ["waiting too long", "waiting too long;rude", "price", "none"]
    rows = range(0, len(log), 7)
    told = {
        "who": [log.customer_ids[log.columns.customer[i]] for i in rows],
        "when": [datetime.fromtimestamp(log.columns.time[i] / 1e6, UTC) for i in rows],
        "code": [codes[i % 4] for i in rows],
        "other": [codes[i % 3] for i in rows],
        "easy": [1 + i % 5 for i in rows],
        "why": ["question", "complaint"] * (len(rows) // 2) + ["problem"] * (len(rows) % 2),
    }
    return cx.experience.Feedback.from_frame(
        log,
        told,
        customer="who",
        timestamp="when",
        codes="code",
        second="other",
        reason="why",
        items=["easy"],
    )


# what a picture is called, and how it comes out of journeys
PICTURES: dict[str, Callable[[cx.Journeys], Any]] = {
    "exits": lambda j: cx.dropoff.exits(j).plot(),
    "exits of pairs": lambda j: cx.dropoff.exits(j, by=("touchpoint", "channel")).plot(),
    "exits by segment": lambda j: cx.dropoff.exits(j, segment="device").plot(),
    "funnel": lambda j: cx.dropoff.funnel(j.log, _steps()).plot(),
    "funnel by segment": lambda j: cx.dropoff.funnel(j.log, _steps(), segment="device").plot(),
    "sensitivity": lambda j: cx.dropoff.sensitivity(j.log, goal=GOAL).plot(),
    "attribution": lambda j: cx.attribution.markov(j).plot(),
    "attribution of touchpoints": lambda j: cx.attribution.linear(j, by="touchpoint").plot(),
    "models": lambda j: cx.attribution.compare_models(j).plot(),
    "models of touchpoints": lambda j: cx.attribution.compare_models(j, by="touchpoint").plot(),
    "transitions": lambda j: cx.omnichannel.transitions(j).plot(),
    "transitions of touchpoints": lambda j: cx.omnichannel.transitions(j, by="touchpoint").plot(
        values="count"
    ),
    "hand-off loss": lambda j: cx.omnichannel.handoff_loss(j).plot(),
    "affinity": lambda j: cx.omnichannel.affinity(j).plot(),
    "paths": lambda j: cx.sequences.paths(j).plot(),
    "scores": lambda j: cx.experience.scores(j).plot(),
    "voices": lambda j: _voices(j).frequencies().plot(),
    "voices by touchpoint": lambda j: _voices(j).frequencies("touchpoint").plot(),
    "two coders": lambda j: _voices(j).agreement().plot(),
    "ratings by touchpoint": lambda j: _voices(j).profile("touchpoint").plot(),
    "solved by one contact": lambda j: _voices(j).resolution().plot(),
    "coverage of offers": lambda j: cx.experience.exposures(j, _rare(j), within="7d").plot(),
    "coverage by segment": lambda j: cx.experience.exposures(
        j, _rare(j), within="7d", segment="device"
    ).plot(),
    "effect of offers": lambda j: cx.experience.exposures(
        j, _rare(j), within="7d", randomised="device", control="desktop", segment="device"
    ).plot(),
    "association of offers": lambda j: cx.experience.exposures(
        j, _rare(j), within="7d", landmark="1d"
    ).plot(),
    "history": lambda j: cx.experience.history(j, by="week", half_life="30d").plot(),
    "emotion by stage": lambda j: cx.experience.emotion_curve(j).plot(),
    "emotion by position": lambda j: cx.experience.emotion_curve(j, over="position").plot(),
    "score and expectation": lambda j: cx.experience.emotion_curve(j, measure="score").plot(
        expected=cx.experience.emotion_curve(j, measure="expectation")
    ),
    "critical points": lambda j: cx.critical.points(j).plot(),
    "differences": lambda j: cx.compare.segments(j, "device").plot(),
    "trend": lambda j: cx.trend(j, "conversion_rate").plot(),
    "trend with plans": lambda j: cx.trend(
        j,
        "conversion_rate",
        initiatives=[
            cx.experiments.Initiative(name, "2025-03-03", phases={"all": "2025-06-01"})
            for name in ("New checkout", "A longer name of something else")
        ],
        targets=cx.experiments.Target("conversion_rate", 0.3, by="2025-07-31"),
    ).plot(),
    "trend by day": lambda j: cx.trend(j, "journeys", by="day").plot(),
    "findings": lambda j: cx.findings(j).plot(),
    "step flow": lambda j: cx.sequences.step_flow(j).plot(),
    "step flow, large": lambda j: cx.sequences.step_flow(j, steps=8, top=15).plot(),
    "graph": lambda j: j.graph().plot(),
    "graph of feelings": lambda j: j.graph().plot(shade=_felt(j), shade_label="mean emotion"),
    "drivers": lambda j: cx.critical.drivers(j).plot(),
    "importance": lambda j: cx.critical.importance_performance(cx.critical.drivers(j)).plot(),
    "bottlenecks": lambda j: cx.critical.bottlenecks(j).plot(),
    "levers": lambda j: cx.whatif.levers(j).plot(),
    "gaps": lambda j: cx.experience.expectation_gaps(j).plot(),
    "survival": lambda _: cx.metrics.kaplan_meier(
        _waits(), [c is not None for c in _causes()]
    ).plot(name="all"),
    "incidence": lambda _: cx.metrics.cumulative_incidence(_waits(), _causes()).plot(),
    "retention": lambda _: cx.metrics.cohort_retention(
        *_returns(), unit="week", cohort="week", periods=20
    ).plot(),
    "lifecycle": lambda _: cx.metrics.lifecycle(*_returns(), period="week").plot(),
    "evaluation": lambda j: cx.predict.evaluate(j, at="2026-03-15", horizon="30d").plot(),
    "experiment": lambda j: cx.experiments.evaluate(
        j, "device", "visits_per_journey", control=j.segment("device").names[0]
    ).plot(),
    "representatives": lambda j: cx.sequences.representatives(j, 5).plot(),
    "personas": lambda j: cx.personas.discover(j, 2, by="channel").plot(),
    "identity": lambda j: _identity_sensitivity(j.log).plot(),
}


def _identity_sensitivity(log: cx.InteractionLog) -> Any:
    some = log.customer_ids[:20]
    links = cx.identity.links(
        pd.DataFrame({"anonymous": some, "known": [f"user {i}" for i in range(len(some))]}),
        anonymous="anonymous",
        known="known",
    )
    return cx.identity.sensitivity(log, links, goal=GOAL, inactivity="7d", repeats=3)


# pictures whose rows are sorted by the value that is drawn, the largest on top
SORTED = ("attribution", "attribution of touchpoints", "bottlenecks", "funnel")


@pytest.fixture(scope="module", params=SIZES)
def journeys(request):
    return log_of(request.param).journeys(goal=GOAL, inactivity=timedelta(days=7))


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_can_be_read(name, journeys, monkeypatch):
    drawn: list[tuple[str, Any]] = []

    def noted(text, renderer, *args, **kwargs):  # where it is, without a pixel of it
        if text.get_visible() and text.get_text().strip():
            drawn.append((text.get_text(), text.get_window_extent(renderer)))

    axes = np.ravel(PICTURES[name](journeys))
    figure = axes[0].figure
    monkeypatch.setattr(Text, "draw", noted)
    figure.draw_without_rendering()
    assert len(drawn) >= 6
    assert figure.get_figwidth() < 25
    outside = [
        text
        for text, box in drawn
        if box.x0 < -1 or box.y0 < -1 or box.x1 > figure.bbox.x1 + 1 or box.y1 > figure.bbox.y1 + 1
    ]
    assert not outside
    one_upon_another = [
        (a, b)
        for (a, box), (b, other) in itertools.combinations(drawn, 2)
        if min(box.x1, other.x1) - max(box.x0, other.x0) > 1
        and min(box.y1, other.y1) - max(box.y0, other.y0) > 1
    ]
    assert not one_upon_another

    for text, _ in drawn:  # names of the data may have underscores, words of the library do not
        assert "_" not in text or any(part in text for part in ("newsletter_", "paid_search")), text
        assert "nan" not in text.split()
    if name in SORTED:
        lengths = [bar.get_width() for bar in axes[0].containers[0]]
        assert lengths == sorted(lengths, reverse=True)
    if name == "exits":  # sorted by what stands beside the rows
        beside = [t.get_text() for t in axes[0].texts if t.get_text().startswith("n = ")]
        lost = [float(text.split()[-2]) for text in beside]
        assert len(lost) == min(20, len(journeys.log.touchpoints) - 1)
        assert lost == sorted(lost, reverse=True)
    for ax in axes:
        rows = [label.get_text() for label in ax.get_yticklabels()]
        if isinstance(ax.yaxis.get_major_locator(), FixedLocator):
            assert len(set(rows)) == len(rows)
        captions = [text.get_text() for text in ax.texts if text.get_gid() == CAPTION_GID]
        if name.startswith("graph"):  # which has no heading
            captions = [ax.get_title(loc="left")]
        assert [caption[-1] for caption in captions] == ["."]


def test_no_result_that_draws_itself_is_left_out(monkeypatch):
    # a map is a page of its own, with tests of its own; a finding is drawn as all of them are
    drawing = {cls for cls in _results() if "plot" in vars(cls)} - {JourneyMap, Finding, BySegment}
    drawn: set[str] = set()
    for cls in drawing:
        monkeypatch.setattr(cls, "plot", lambda self, **_: drawn.add(type(self).__name__))
    journeys = log_of(5, customers=100).journeys(goal=GOAL, inactivity=timedelta(days=7))
    for draw in PICTURES.values():
        draw(journeys)
    assert {cls.__name__ for cls in drawing} == drawn
    assert len(drawn) > 20


def _results() -> set[type]:
    for module in pkgutil.walk_packages(cx.__path__, "cxjourney."):
        if not module.name.endswith((".__main__", ".native", ".native_strings")):
            importlib.import_module(module.name)
    found, waiting = {cx.JourneyGraph}, [Result]
    while waiting:
        subclasses = waiting.pop().__subclasses__()
        found |= {cls for cls in subclasses if cls.__module__.startswith("cxjourney.")}
        waiting += subclasses
    return found
