from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.metrics import Scale
from cxjourney.report import build
from cxjourney.report._charts import Bar, Bars, Matrix
from cxjourney.report._metrics_table import default_steps, metrics_table

ANCHORS = (
    "findings",
    "map",
    "graph",
    "funnel",
    "exits",
    "channels",
    "metrics",
    "audit",
    "caveats",
)


@pytest.fixture(scope="module")
def sample() -> cx.datasets.Sample:
    return cx.datasets.sample(seed=2, customers=1_500)


@pytest.fixture(scope="module")
def report(sample):
    return build(sample.journeys(), source="a sample")


def section(report, anchor):
    return next(part for part in report.sections if part.anchor == anchor)


def log_of(rows, **more) -> cx.InteractionLog:
    """Return the log of (customer, day, touchpoint) or (customer, day, touchpoint, score)."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=who,
                timestamp=start + timedelta(days=day),
                touchpoint=what,
                score=score[0] if score else None,
            )
            for who, day, what, *score in rows
        ],
        **more,
    )


def test_it_has_all_sections_in_order(report):
    assert tuple(part.anchor for part in report.sections) == ANCHORS
    assert not any(part.absent for part in report.sections)


def test_it_opens_with_the_findings(report, sample):
    first, found = report.sections[0], cx.findings(sample.journeys())
    assert [name for name, _ in first.ranked] == ["payment", "store advice", "app → web"]  # planted
    for (_, said), one in zip(first.ranked, found, strict=True):
        assert said.startswith(one.sentence)
        assert f"{one.gain.value:,.0f} [{one.gain.low:,.0f}, {one.gain.high:,.0f}] more" in said
    assert first.remarks[0] == f"3 findings are sure, out of {sum(found.tests['tests']):,} tests."
    assert first.parts[0].table["gain_low"].tolist() == [one.gain.low for one in found]
    assert first.parts[1].caption.startswith("Worth watching")


def test_expected_exits_are_no_findings_and_stand_in_what_repeats_the_report(sample):
    made = build(sample.journeys(), expected_exits=["payment"])
    assert "payment" not in [name for name, _ in made.sections[0].ranked]
    assert made.parameters["expected exits"] == "payment"
    assert "expected_exits=['payment']" in made.python
    exits = section(made, "exits").parts[0].table
    assert exits["touchpoint"][-1] == "payment"
    with pytest.raises(cx.exceptions.UnknownName, match="expected_exits"):
        build(sample.journeys(), expected_exits=["paiment"])


def test_the_same_journeys_make_the_same_report(sample):
    journeys = sample.journeys()
    assert build(journeys).to_html() == build(journeys).to_html()


def test_progress_is_told_step_by_step(sample):
    told: list[str] = []
    build(log_of([("a", 0, "web")]).journeys(inactivity=timedelta(days=1)), begin=told.append)
    assert told == [
        "what is wrong",
        "the journey map",
        "the journey graph",
        "the funnel",
        "exits",
        "channels",
        "metrics",
        "the audit",
        "caveats",
    ]


def test_no_line_in_a_terminal_is_too_long(report):
    lines = repr(report).splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("on the page: ") for line in lines)  # columns that did not fit


def test_the_python_that_it_prints_makes_the_same_report(sample, report, tmp_path, monkeypatch):
    code = report.python.replace(
        "log = ...  # the InteractionLog",
        "log = cx.datasets.sample(seed=2, customers=1_500).log",
    )
    monkeypatch.chdir(tmp_path)
    exec(code, {})  # noqa: S102 - made here
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page == build(sample.journeys()).to_html()


def test_without_a_goal_and_without_channels_sections_say_why():
    made = build(log_of([("a", 0, "web"), ("b", 1, "app")]).journeys(inactivity=timedelta(days=1)))
    for anchor in ("channels", "funnel"):
        assert section(made, anchor).absent
    assert "cannot be told" in section(made, "findings").remarks[0]
    assert "no goal was named" in section(made, "findings").lead
    made.to_html()


def test_aggregated_paths_have_a_report():
    paths = cx.Journeys.from_paths(
        [["ad", "web"], ["web"], ["ad", "cart"]], converted=[30, 10, 20], dropped=[20, 60, 5]
    )
    made = build(paths)
    assert section(made, "metrics").absent
    assert not section(made, "exits").absent
    made.to_html()


def test_an_empty_log_has_a_report(tmp_path):
    frame = {"who": [], "when": [], "what": []}
    log = cx.InteractionLog.from_frame(frame, customer="who", timestamp="when", touchpoint="what")
    build(log.journeys(inactivity=timedelta(days=1))).write(tmp_path / "empty.html")


# ---------------------------------------------------------------------- funnel and metrics


def test_the_usual_way_is_that_of_most_who_converted():
    rows = [
        *(("a", 0, "ad"), ("a", 1, "web"), ("a", 2, "buy")),
        *(("b", 0, "web"), ("b", 1, "cart"), ("b", 2, "buy")),
        *(("c", 0, "web"), ("c", 1, "cart"), ("c", 2, "buy")),
        *(("d", 0, "help"), ("d", 1, "help")),
    ]
    journeys = log_of(rows).journeys(goal="buy", inactivity=timedelta(days=5))
    assert default_steps(journeys) == ("web", "cart", "buy")  # ad: one of three


def test_alternatives_do_not_stand_in_series():
    # most see both shelves, in either order, and pay by card or in cash
    paths = [
        ["web", "shoes", "hats", "cart", "card", "buy"],
        ["web", "shoes", "hats", "cart", "card", "buy"],
        ["web", "hats", "shoes", "cart", "cash", "buy"],
        ["web", "hats", "cart", "cash", "buy"],
        ["web", "hats", "cart", "card", "cash", "buy"],
    ]
    rows = [(f"c{i}", k, name) for i, path in enumerate(paths) for k, name in enumerate(path)]
    journeys = log_of(rows).journeys(goal="buy", inactivity=timedelta(days=9))
    steps = default_steps(journeys)
    assert {"web", "hats", "cart", "buy"} <= set(steps)
    assert "shoes" not in steps
    assert len({"card", "cash"} & set(steps)) <= 1
    assert steps[0] == "web"


def test_given_steps_are_those_of_the_funnel(sample):
    made = build(sample.journeys(), steps=["cart", "checkout", "order"])
    bars = section(made, "funnel").parts[0].drawing
    assert [bar.name for bar in bars.rows] == ["cart", "checkout", "order"]
    with pytest.raises(cx.exceptions.UnknownName, match="did you mean 'cart'"):
        build(sample.journeys(), steps=["carrt", "order"])


def metrics_of(scores, scale=None):
    rows = [(f"c{i}", 0, "web", score) for i, score in enumerate(scores)]
    table, notes = metrics_table(log_of(rows).journeys(inactivity=timedelta(days=1)), scale)
    return dict(zip(table["metric"], table["value"], strict=True)), notes


@pytest.mark.parametrize(
    ("scores", "metric"),
    [([0, 9, 10, 8, 10] * 8, "nps"), ([1, 5, 4, 5] * 10, "csat")],
)
def test_scores_whose_scale_is_plain_get_their_metric_and_it_is_said(scores, metric):
    found, notes = metrics_of(scores)
    assert metric in found
    assert "were read as a scale" in notes[0]


@pytest.mark.parametrize("scores", [[1, 10, 8] * 15, [0, 10], [1.5, 3.2] * 20, [2, 4] * 20])
def test_scores_whose_scale_is_not_plain_get_a_mean_alone(scores):
    found, notes = metrics_of(scores)
    assert {"nps", "csat"} & set(found) == set()
    assert "mean score" in found
    assert "does not tell their scale" in notes[0]


def test_a_named_scale_decides():
    # three promoters, one passive, one detractor of five
    assert metrics_of([9, 9, 10, 8, 1], Scale.ZERO_TO_TEN)[0]["nps"].startswith("40")
    assert metrics_of([5, 4, 1, 2], Scale.FIVE_POINT)[0]["csat"] == "50.0%"


# ---------------------------------------------------------------------- charts


def test_bars_are_as_long_as_their_values():
    bars = Bars(kind="percent", full=1.0, rows=(Bar(name="web", value=0.25, low=0.2, high=0.3),))
    page = bars.to_html()
    assert 'class="bar" width="25.0"' in page
    assert 'd="M20.0 5H30.0"' in page
    assert "25.0% [20.0%, 30.0%]" in page


def test_a_matrix_too_large_to_read_keeps_the_busiest_and_says_so():
    names = tuple(f"c{i:02}" for i in range(20))
    counts = np.diag(np.arange(20)) * 1.0
    page = Matrix(names=names, values=counts / counts.sum(), counts=counts).to_html()
    assert "c19" in page
    assert "c05" not in page
    assert "6 rare channels are not drawn" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": "web"}, "steps must be a list of steps or None; got 'web'"),
        ({"steps": 7}, "steps must be a list of steps or None; got 7"),
        ({"blueprint": ["web"]}, "blueprint must be a JourneyBlueprint"),
        ({"scale": 10}, "scale must be a cxjourney.metrics.Scale or None; got 10"),
        ({"python": None}, "python must be a string; got None"),
    ],
)
def test_arguments_of_a_wrong_kind_are_named(sample, options, message):
    begun = []
    with pytest.raises(cx.exceptions.InvalidValue, match=message):
        build(sample.journeys(), **options, begin=begun.append)
    assert not begun


def test_a_log_is_no_journeys(sample):
    with pytest.raises(cx.exceptions.InvalidValue, match="journeys must be Journeys, not"):
        build(sample.log)
