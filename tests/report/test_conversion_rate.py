"""One conversion rate on a page, which censoring does not move."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import networkx as nx
import numpy as np
import pytest

import cxjourney as cx
from cxjourney.dropoff import exits, sensitivity
from cxjourney.journeys import conversion_rate_of


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    return cx.datasets.sample(customers=1_000).journeys()


@pytest.fixture(scope="module")
def page(journeys) -> cx.report.Report:
    return cx.report.build(journeys)


def rate_by_hand(journeys: cx.Journeys) -> float:
    """Return the probability of CONVERSION from START in the graph, by a linear system."""
    graph = journeys.graph()
    names = list(graph.touchpoints)
    moves = nx.to_numpy_array(graph, [*names, cx.CONVERSION, cx.START], weight="probability")
    k = len(names)
    reach = np.linalg.solve(np.eye(k) - moves[:k, :k], moves[:k, k])
    return float(moves[k + 1, :k] @ reach + moves[k + 1, k])


def test_every_conversion_rate_on_the_page_is_the_same_number(journeys, page):
    number = f"{rate_by_hand(journeys):.1%}"
    html = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.to_html()))
    text = re.sub(r"\s+", " ", page.to_text())
    for shown in (html, text):
        # whatever stands within a few characters after the words
        found = re.findall(r"(?i)conversion rate\W+(?:is\W+)?(\d+\.\d%)", shown)
        assert len(found) >= 3, found  # at the top, in a sentence, among the metrics
        assert set(found) == {number}
    top = " ".join([*(f"{f.value} {f.note}" for f in page.figures), page.sections[0].lead])
    for base in (len(journeys.outcome), np.count_nonzero(journeys.outcome != 2)):
        assert f"{journeys.converted.sum() / base:.1%}" not in top
    assert set(re.findall(r"\d+\.\d%", top.split("between")[0])) == {number}


def test_other_results_tell_the_same_number(journeys):
    rate = conversion_rate_of(journeys)
    assert rate is not None
    assert rate.value == pytest.approx(rate_by_hand(journeys))
    assert rate.n == len(journeys)
    assert rate.n_censored == journeys.outcomes[cx.domain.Outcome.IN_PROGRESS]
    number = f"The conversion rate is {rate.value:.1%}"
    assert number in repr(cx.critical.points(journeys))
    assert number in repr(cx.whatif.levers(journeys))
    tried = sensitivity(
        journeys.log, limits=[journeys.rules.inactivity], goal=journeys.rules.goal[0]
    )
    assert tried.table["conversion"][0] == pytest.approx(rate.value)


@pytest.mark.parametrize("seed", [1, 3])
def test_an_early_end_of_the_observation_does_not_move_it(seed):
    sample = cx.datasets.sample(seed=seed)
    late = conversion_rate_of(sample.journeys())
    early = sample.log.between(None, "2025-05-01").journeys(
        goal="order", inactivity=timedelta(days=14)
    )
    rate = conversion_rate_of(early)
    assert rate.low < late.value < rate.high
    n, closed = len(early.outcome), np.count_nonzero(early.outcome != 2)
    assert early.converted.sum() / n < rate.low  # those in progress taken for dropped
    assert early.converted.sum() / closed > rate.high  # those in progress left out


def test_it_is_the_share_of_all_where_nothing_is_in_progress():
    whole = cx.Journeys.from_paths(
        [["ad", "web"], ["web", "web"], ["ad"]], converted=[30, 5, 0], dropped=[10, 45, 7]
    )
    assert conversion_rate_of(whole).value == pytest.approx(35 / 97)


def test_there_is_none_without_a_goal_or_an_end():
    log = cx.datasets.sample(seed=1, customers=50).log
    two_weeks = timedelta(days=14)
    assert conversion_rate_of(log.journeys(goal="order")) is None
    assert conversion_rate_of(log.journeys(inactivity=two_weeks)) is None
    kept = log.journeys(goal="order", inactivity=two_weeks, after_goal="keep")
    assert conversion_rate_of(kept) is None
    assert "conversion rate" not in cx.report.build(kept).to_text()


def test_served_customers_are_not_lost_ones(journeys, page):
    after = np.array(journeys.segment("origin").values()) == "after a goal"
    silent = int(np.count_nonzero(after & (journeys.outcome == 1)))
    lost = int(np.count_nonzero(~after & (journeys.outcome == 1)))
    assert silent > 200
    top = {figure.name: figure.value for figure in page.figures}
    assert top["Dropped"] == f"{lost:,}"
    assert top["Silent after a goal"] == f"{silent:,}"
    assert f"{silent:,} more fell silent after a goal" in page.sections[0].lead
    assert f"{lost:,} dropped; " in repr(exits(journeys))
    assert f"{silent:,} more journeys fell silent after a goal" in repr(exits(journeys))
    edges = journeys.graph().in_edges(cx.DROPOFF, data="count")
    dropped = sum(count for _, _, count in edges)
    assert dropped == lost + silent
    said = f"in the graph is {dropped:,} journeys: {lost:,} that dropped, and {silent:,} that fell"
    assert said in " ".join(page.to_text().split())
    first = cx.report.build(journeys.where(~after))
    assert "Silent after a goal" not in {figure.name for figure in first.figures}
    assert "that fell silent" not in " ".join(first.to_text().split())


def test_a_page_of_a_few_journeys():
    def at(who: str, what: str, day: int) -> cx.Interaction:
        moment = datetime(2026, 1, day, tzinfo=UTC)
        return cx.Interaction(customer=who, touchpoint=what, timestamp=moment)

    log = cx.InteractionLog.from_interactions(
        [at("a", "web", 1), at("a", "buy", 2), at("b", "web", 2), at("c", "web", 19)]
    )
    text = cx.report.build(log.journeys(goal="buy", inactivity=timedelta(days=7))).to_text()
    # two visits of web were followed for 7 days, and one of them went on after 1 day
    assert re.search("Conversion rate +50.0%", text)
