"""A hook of the site: the gallery, every picture drawn anew from the line that stands below it.

Pictures are drawn whenever the site is built, so that the page never shows what the library no
longer draws; nothing is written into the sources. The lines that a reader sees below a picture are
the body of its function here.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from datetime import timedelta
from functools import cache
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from mkdocs.structure.files import File, Files

import cxjourney as cx

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs.config.defaults import MkDocsConfig

FOLDER = "gallery"
DPI = 120
INTRO = """# Gallery

Every picture that the library draws, by the question that it answers, with the lines that make it.
All are of the [sample](explanation/sample.md), a simulated retailer with 42 touchpoints. Click on a
picture to see it in full size.

```python
from datetime import timedelta

import cxjourney as cx

log = cx.datasets.sample(customers=2000).log
journeys = log.journeys(goal="order", inactivity="30d")
```

Each picture is given back as matplotlib's axes: `.figure.savefig("picture.png")` keeps it. What
holds for all of them stands in the [reference](reference/plot.md).
"""


@cache
def journeys() -> cx.Journeys:
    """Return the journeys that are drawn."""
    log = cx.datasets.sample(customers=2000).log
    return log.journeys(goal="order", inactivity="30d")


def exits(journeys: cx.Journeys) -> Any:
    """Where do customers leave?"""
    return cx.dropoff.exits(journeys).plot(max_rows=12)


def exits_by_segment(journeys: cx.Journeys) -> Any:
    """Where do customers of each kind leave?"""
    return cx.dropoff.exits(journeys, segment="member", by="channel").plot()


def funnel(journeys: cx.Journeys) -> Any:
    """How many get from step to step?"""
    return cx.dropoff.funnel(journeys.log, ["product page", "cart", "checkout", "order"]).plot()


def sensitivity(journeys: cx.Journeys) -> Any:
    """Does the answer depend on the inactivity limit?"""
    limits = ["7d", "14d", "30d"]
    return cx.dropoff.sensitivity(journeys.log, goal="order", limits=limits).plot(max_rows=8)


def findings(journeys: cx.Journeys) -> Any:
    """What is wrong?"""
    return cx.findings(journeys).plot()


def critical(journeys: cx.Journeys) -> Any:
    """What should be fixed first?"""
    return cx.critical.points(journeys).plot()


def trend(journeys: cx.Journeys) -> Any:
    """Has a figure changed, and since when?"""
    return cx.trend(journeys, "conversion_rate").plot()


def experiment(journeys: cx.Journeys) -> Any:
    """Do the arms of an experiment differ?"""
    log = journeys.log
    arms = ["control", "short form", "new page"]
    dealt = dict(zip(log.customer_ids, arms * 2_000, strict=False))
    dealt_journeys = log.with_attribute("arm", dealt).journeys(goal="order", inactivity="30d")
    return cx.experiments.evaluate(dealt_journeys, "arm").plot()


def voices(journeys: cx.Journeys) -> Any:
    """What do customers say, and about what?"""
    log = journeys.log
    answers = log.to_frame("pandas").iloc[::40].copy()
    answers["codes"] = "helpful"
    answers.iloc[::3, -1] = "waiting; rude"
    answers.iloc[::4, -1] = "price"
    answers.loc[answers["stage"] == "retention", "codes"] = "waiting"
    columns = {"customer": "customer", "timestamp": "timestamp", "codes": "codes"}
    return cx.experience.Feedback.from_frame(log, answers, **columns).frequencies("stage").plot()


def exposed(journeys: cx.Journeys) -> Any:
    """Who gets a message in time?"""
    return cx.experience.exposures(journeys, "newsletter", within="7d", segment="region").plot()


def history(journeys: cx.Journeys) -> Any:
    """How does the experience of customers stand over time?"""
    return cx.experience.history(journeys, half_life="90d").plot()


def personas(journeys: cx.Journeys) -> Any:
    """Do customers fall into kinds, and what is special of each?"""
    return cx.personas.discover(journeys, 3, by="channel").plot(max_rows=4)


def representatives(journeys: cx.Journeys) -> Any:
    """Which few journeys stand for all?"""
    return cx.sequences.representatives(journeys, 5, by="stage").plot()


def drivers(journeys: cx.Journeys) -> Any:
    """What does the outcome hang on?"""
    return cx.critical.drivers(journeys).plot(max_rows=12)


def importance(journeys: cx.Journeys) -> Any:
    """What weighs much and does badly?"""
    return cx.critical.importance_performance(cx.critical.drivers(journeys)).plot()


def levers(journeys: cx.Journeys) -> Any:
    """What would fewer exits bring?"""
    return cx.whatif.levers(journeys).plot(max_rows=12)


def bottlenecks(journeys: cx.Journeys) -> Any:
    """Where does the time go?"""
    return cx.critical.bottlenecks(journeys).plot(max_rows=12)


def gaps(journeys: cx.Journeys) -> Any:
    """Where do they get less than they expected?"""
    return cx.experience.expectation_gaps(journeys).plot(max_rows=12)


def differences(journeys: cx.Journeys) -> Any:
    """Where do two segments differ?"""
    return cx.compare.segments(journeys, "member").plot(max_rows=12)


def journey_map(journeys: cx.Journeys) -> Any:
    """What is the journey like, on one page?"""
    return cx.report.journey_map(journeys).plot()


def graph(journeys: cx.Journeys) -> Any:
    """Which ways do customers take?"""
    return journeys.graph().plot()


def step_flow(journeys: cx.Journeys) -> Any:
    """What do they do first, second and third?"""
    return cx.sequences.step_flow(journeys, steps=4, top=6).plot()


def transitions(journeys: cx.Journeys) -> Any:
    """Between which channels do they go?"""
    return cx.omnichannel.transitions(journeys).plot()


def paths(journeys: cx.Journeys) -> Any:
    """Which paths are the most frequent?"""
    found = cx.sequences.paths(journeys, by="channel", repeats="collapse")
    return found.plot(max_rows=12)


def affinity(journeys: cx.Journeys) -> Any:
    """Which channels do customers switch between more often than chance would have it?"""
    return cx.omnichannel.affinity(journeys).plot(max_rows=12)


def handoffs(journeys: cx.Journeys) -> Any:
    """Which switches of channel lose customers?"""
    return cx.omnichannel.handoff_loss(journeys).plot(max_rows=12)


def markov(journeys: cx.Journeys) -> Any:
    """Which channels bring the conversions?"""
    return cx.attribution.markov(journeys).plot()


def models(journeys: cx.Journeys) -> Any:
    """Do the models of attribution agree?"""
    return cx.attribution.compare_models(journeys).plot(max_rows=6)


def emotion(journeys: cx.Journeys) -> Any:
    """How do customers feel along the stages?"""
    return cx.experience.emotion_curve(journeys).plot()


def expected(journeys: cx.Journeys) -> Any:
    """Is it as good as they expected?"""
    hoped = cx.experience.emotion_curve(journeys, measure="expectation")
    return cx.experience.emotion_curve(journeys, measure="score").plot(expected=hoped)


def scores(journeys: cx.Journeys) -> Any:
    """Where do they feel worst?"""
    return cx.experience.scores(journeys).plot(max_rows=12)


def felt_graph(journeys: cx.Journeys) -> Any:
    """Which ways lead through bad feelings?"""
    felt = cx.experience.scores(journeys).table
    emotion = dict(zip(felt["touchpoint"], felt["mean"], strict=True))
    return journeys.graph().plot(shade=emotion, shade_label="mean emotion")


def survival(_: cx.Journeys) -> Any:
    """How long does a case take, counting those that are not over?"""
    days = [timedelta(days=d) for d in (1, 2, 2, 3, 5, 6, 8, 9, 12, 14)]
    solved = [True, True, True, False, True, True, True, False, True, False]
    return cx.metrics.kaplan_meier(days, solved).plot(label="share not yet solved")


def incidence(_: cx.Journeys) -> Any:
    """How do cases end, and when?"""
    days = [timedelta(days=d) for d in (1, 2, 2, 3, 5, 6, 8, 9, 12, 14)]
    end = ["solved", "withdrawn", "solved", None, "solved"] * 2
    return cx.metrics.cumulative_incidence(days, end).plot()


def retention(journeys: cx.Journeys) -> Any:
    """Do customers come back?"""
    frame = journeys.log.to_frame("pandas")
    return cx.metrics.cohort_retention(
        frame["customer"], frame["timestamp"], unit="month", cohort="month"
    ).plot()


def lifecycle(journeys: cx.Journeys) -> Any:
    """Who is new, and who comes back?"""
    frame = journeys.log.to_frame("pandas")
    return cx.metrics.lifecycle(frame["customer"], frame["timestamp"], period="month").plot()


# what is asked, and the pictures that answer it
GROUPS: dict[str, tuple[Callable[[cx.Journeys], Any], ...]] = {
    "What is wrong, and what to fix first": (findings, critical, levers, trend),
    "What the outcome hangs on": (drivers, importance),
    "Where customers leave": (exits, exits_by_segment, funnel, sensitivity),
    "Which ways customers take": (journey_map, graph, step_flow, paths, transitions),
    "How channels work together": (handoffs, affinity, markov, models),
    "How customers feel, and what they say": (
        *(emotion, expected, gaps, scores, history, felt_graph, voices),
    ),
    "What the company does": (exposed, experiment),
    "Who differs": (differences, personas, representatives),
    "How long it takes, and who comes back": (
        *(bottlenecks, survival, incidence, retention, lifecycle),
    ),
}


def lines_of(picture: Callable[[cx.Journeys], Any]) -> str:
    """Return the lines of a picture as a reader would write them."""
    source = inspect.getsource(picture).partition('"""\n')[2]
    return re.sub(r"^return ", "", textwrap.dedent(source), flags=re.MULTILINE).strip()


@cache
def drawn(picture: Callable[[cx.Journeys], Any]) -> tuple[bytes, str]:
    """Return a picture as PNG, and what it says to who cannot see it."""
    axes = np.ravel(picture(journeys()))
    image = BytesIO()
    axes[0].figure.savefig(image, format="png", dpi=DPI)
    words = [axes[0].get_title(loc="left")]
    words += [text.get_text() for text in axes[0].texts if text.get_gid() == "cxjourney-caption"]
    return image.getvalue(), ". ".join(" ".join(text.split()) for text in words if text)


def page() -> tuple[str, dict[str, bytes]]:
    """Return the page, and its pictures by name."""
    parts, pictures = [INTRO], {}
    for heading, group in GROUPS.items():
        parts.append(f"## {heading}\n")
        for picture in group:
            name = f"{FOLDER}/{picture.__name__}.png"
            pictures[name], said = drawn(picture)
            question = inspect.getdoc(picture)
            alt = escape(f"{question} {said}", quote=True)
            parts.append(
                f"### {question}\n\n"
                f'<a href="{name}"><img src="{name}" alt="{alt}" loading="lazy"></a>\n\n'
                f"```python\n{lines_of(picture)}\n```\n"
            )
    return "\n".join(parts), pictures


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the gallery and its pictures to the files of the site."""
    text, pictures = page()
    files.append(File.generated(config, "gallery.md", content=text))
    for name, image in pictures.items():
        files.append(File.generated(config, name, content=image))
    return files
