"""The report on statistics that add up: what counts give, and what is left out."""

from __future__ import annotations

from datetime import timedelta
from hashlib import md5

import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue

LIMIT = timedelta(days=14)
NEED_ROWS = {"map", "trend", "funnel", "feelings", "segments", "metrics"}


@pytest.fixture(scope="module")
def log():
    return cx.datasets.sample(seed=4, customers=300).log


def statistics_of(log, **more):
    return log.journeys(goal="order", inactivity=LIMIT).statistics(**more)


def section(report, anchor):
    return next(one for one in report.sections if one.anchor == anchor)


def test_figures_are_those_of_the_report_on_the_journeys(log):
    journeys = log.journeys(goal="order", inactivity=LIMIT)
    found, whole = cx.report.build(journeys.statistics()), cx.report.build(journeys)
    figures = {one.name: one for one in whole.figures}
    del figures["Interactions"]
    assert {one.name: one.value for one in found.figures} == {
        name: one.value for name, one in figures.items()
    }
    for anchor in ("graph", "exits", "channels"):
        ours, theirs = (section(one, anchor) for one in (found, whole))
        assert not ours.absent
        assert ours.lead == theirs.lead
    assert section(found, "graph").parts[1].table == section(whole, "graph").parts[1].table
    assert dict(found.parameters) == dict(whole.parameters)
    assert [one.anchor for one in found.sections] == [one.anchor for one in whole.sections]
    assert "Credit for conversions" in [one.caption for one in section(found, "channels").parts]


def test_what_needs_rows_is_left_out_and_says_so(log, tmp_path):
    report = cx.report.build(statistics_of(log))
    for anchor in ("map", "feelings", "segments", "metrics"):
        assert section(report, anchor).absent.startswith("This needs the rows of journeys")
    facts = section(report, "audit").parts[0].table
    assert facts["value"][:2] == ("300", f"{len(statistics_of(log)):,}")
    page = report.write(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "needs the rows of journeys" in page
    assert "cx.report.build(statistics)" in report.python
    assert not any(one in page for one in log.customer_ids)


def test_the_report_on_a_sum_is_that_on_the_whole(log):
    def part(number):
        mine = [one for one in log.customer_ids if md5(one.encode()).digest()[0] >> 5 == number]  # noqa: S324 - no secret
        some = cx.InteractionLog.from_frame(
            log.filter(customers=mine).to_frame(),
            customer="customer",
            timestamp="timestamp",
            touchpoint="touchpoint",
            channel="channel",
            stage="stage",
            observed_until=log.observed_until,
        )
        journeys = some.journeys(goal="order", inactivity=LIMIT, touchpoints=["order"])
        return journeys.statistics(part=(number, 8))

    total = cx.JourneyStatistics.total(part(i) for i in (3, 1, 0, 2, 7, 6, 5, 4))
    read = cx.JourneyStatistics.from_bytes(total.to_bytes())
    assert cx.report.build(total).to_html() == cx.report.build(read).to_html()
    assert section(cx.report.build(total), "exits") == section(
        cx.report.build(statistics_of(log)), "exits"
    )


@pytest.mark.parametrize(
    ("rules", "absent"),
    [
        ({}, NEED_ROWS),
        ({"goal": "order"}, NEED_ROWS | {"exits"}),
        ({"inactivity": LIMIT}, NEED_ROWS),
        ({"goal": "order", "all_closed": True}, NEED_ROWS),
    ],
)
def test_whatever_the_rules_there_is_a_report(log, rules, absent):
    report = cx.report.build(log.journeys(**rules).statistics())
    assert {one.anchor for one in report.sections if one.absent} == absent
    assert report.to_html()


def test_without_customers_and_without_channels_there_is_a_report(log):
    empty = cx.InteractionLog.from_interactions([]).journeys(inactivity=LIMIT).statistics()
    assert cx.report.build(empty).window == "no times"
    plain = cx.report.build(statistics_of(log, grains="touchpoint"))
    assert section(plain, "channels").absent == "Channels were not counted."
    half = cx.report.build(
        statistics_of(log.filter(customers=log.customer_ids[:0]), part=(1, 4)),
    )
    assert section(half, "audit").parts[0].table["value"][3] == "part 1 of 4"


def test_what_a_report_on_statistics_does_not_take(log):
    statistics = statistics_of(log)
    with pytest.raises(InvalidValue, match="scale must be left out"):
        cx.report.build(statistics, scale=cx.metrics.Scale(1, 5))
    with pytest.raises(InvalidValue, match=r"funnel was not counted"):
        cx.report.build(statistics, steps=["cart", "order"])
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not JourneyGraph"):
        cx.report.build(statistics.graph())


def test_a_funnel_that_was_counted_is_that_of_the_journeys(log):
    steps = ["cart", "checkout", "order"]
    journeys = log.journeys(goal="order", inactivity=LIMIT)
    statistics = journeys.statistics(analyses={"funnel": {"steps": steps}})
    reports = [cx.report.build(one, steps=steps) for one in (statistics, journeys)]
    ours, theirs = (section(one, "funnel") for one in reports)
    bars = [
        [(bar.name, bar.value, bar.note) for bar in one.parts[0].drawing.rows]
        for one in (ours, theirs)
    ]
    assert bars[0] == bars[1]
    assert ours.lead == theirs.lead


def test_findings_that_were_counted_are_told(log):
    journeys = log.journeys(goal="order", inactivity=LIMIT)
    statistics = journeys.statistics(analyses={"findings": {}})
    found, told = cx.findings(statistics), section(cx.report.build(statistics), "findings")
    assert [name for name, _ in told.ranked] == [f"{one.where} {one.who}".strip() for one in found]
    assert set(found.notes) <= set(told.remarks)
    bare = section(cx.report.build(journeys.statistics()), "findings")
    assert "findings was not counted in these statistics" in bare.remarks[0]
