from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest

import cxjourney as cx
from cxjourney.metrics import Scale
from cxjourney.report import build
from cxjourney.report._catalogue import date_in_words
from cxjourney.report._charts import Bar, Bars, Line, Matrix
from cxjourney.report._metrics_table import metrics_table
from cxjourney.report._steps import default_steps, stage_steps
from cxjourney.report._words import worth_of
from cxjourney.report._work import line_of

ANCHORS = (
    "findings",
    "map",
    "trend",
    "funnel",
    "exits",
    "graph",
    "channels",
    "feelings",
    "segments",
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


@pytest.fixture(scope="module")
def small() -> cx.datasets.Sample:
    return cx.datasets.sample(seed=2, customers=200)


@pytest.fixture(scope="module")
def found(sample):
    return cx.findings(sample.journeys())


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


def test_it_opens_with_the_findings(report, found):
    first = report.sections[0]
    assert [name for name, _ in first.ranked] == ["payment", "store advice", "app → web"]  # planted
    for (_, said), one in zip(first.ranked, found, strict=True):
        assert said.startswith(one.sentence)
        assert f"Without this, {one.gain.value:,.0f} more journeys would convert (between " in said
        assert f"(between {one.gain.low:,.0f} and {one.gain.high:,.0f})" in said
    assert first.remarks[0] == f"3 findings are sure, out of {sum(found.tests['tests']):,} tests."
    assert first.parts[0].table["gain_low"].tolist() == [one.gain.low for one in found]
    assert first.parts[1].caption.startswith("Worth watching")


@pytest.mark.parametrize(
    ("low", "value", "high", "said"),
    [
        (1.0, 1.2, 4.0, "Without this, 1 more journey would convert (between 1 and 4)."),
        (1.0, 2.2, 4.0, "Without this, 2 more journeys would convert (between 1 and 4)."),
        (0.9, 2.0, 4.0, "No gain can be shown: without this, at most 4 more journeys would"),
        (0.0, 0.5, 1.4, "No gain can be shown: without this, at most 1 more journey would"),
    ],
)
def test_a_gain_is_told_where_it_is_shown(found, low, value, high, said):
    one = next(iter(found))
    gain = attrs.evolve(one.gain, low=low, value=value, high=high)
    assert worth_of(attrs.evolve(one, gain=gain, money=None)).startswith(said)


def test_a_card_says_a_finding_in_words_and_draws_its_own_numbers(report, found):
    cards = report.sections[0].cards
    assert [card.exact for card in cards] == [said for _, said in report.sections[0].ranked]
    for card, one in zip(cards, found, strict=True):
        assert one.rate.name == "exit_rate"
        here, there = card.pictures[0].drawing.rows
        assert here.value == one.rate.value
        assert here.value - there.value == pytest.approx(one.effect.value)
        assert here.high - here.low == pytest.approx(one.effect.high - one.effect.low)
        assert card.pictures[1].drawing.rows[0].value == one.gain.value
        assert f"{one.n_customers:,} customers" in card.hit
    assert cards[0].sentence.startswith("About 22% of visits to payment end there")
    assert "about twice as many as at similar touchpoints" in cards[0].sentence
    assert "EUR" in cards[0].gain


def test_figures_have_the_course_of_the_trend(report, sample):
    found = cx.trend(sample.journeys(), "conversion_rate", by="month")
    trace = next(one.trace for one in report.figures if one.name == "Conversion rate")
    final = ~np.asarray(found.periods["censored"])
    np.testing.assert_array_equal(trace.values, np.asarray(found.periods["value"])[final])
    drawn = section(report, "trend").parts[0].drawing
    np.testing.assert_array_equal(drawn.low, np.asarray(found.periods["low"])[final])
    assert "not drawn" in section(report, "trend").parts[0].notes[1]


def test_segments_and_feelings_are_those_of_the_library(report, sample):
    journeys = sample.journeys()
    members = section(report, "segments").parts[0].drawing.rows
    assert [bar.name for bar in members] == ["no", "yes"]
    assert sum(int(bar.note.split()[0].replace(",", "")) for bar in members) == len(journeys)
    scores = cx.experience.scores(journeys)
    lowest = section(report, "feelings").parts[0].drawing.rows
    assert [bar.name for bar in lowest] == list(scores.table["touchpoint"][: len(lowest)])


def test_expected_exits_are_no_findings_and_stand_in_what_repeats_the_report(sample):
    made = build(sample.journeys(), expected_exits=["payment"])
    assert "payment" not in [name for name, _ in made.sections[0].ranked]
    assert made.parameters["expected exits"] == "payment"
    assert "expected_exits=['payment']" in made.python
    exits = section(made, "exits").parts[-1].table
    assert exits["touchpoint"][-1] == "payment"
    with pytest.raises(cx.exceptions.UnknownName, match="expected_exits"):
        build(sample.journeys(), expected_exits=["paiment"])


def test_the_same_journeys_make_the_same_report(small):
    assert build(small.journeys()).to_html() == build(small.journeys()).to_html()


def test_progress_is_told_step_by_step(sample):
    told: list[str] = []
    build(log_of([("a", 0, "web")]).journeys(inactivity=timedelta(days=1)), begin=told.append)
    assert told == [
        "what is wrong",
        "the journey map",
        "the trend",
        "the funnel",
        "exits",
        "the journey graph",
        "channels",
        "feelings",
        "segments",
        "metrics",
        "the audit",
        "caveats",
    ]


def test_no_line_in_a_terminal_is_too_long(report):
    assert repr(report) == report.to_text(full=False)
    assert max(map(len, repr(report).splitlines())) <= 100
    lines = report.to_text().splitlines()
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


def test_the_funnel_goes_along_the_stages_up_to_the_goal(sample, report):
    steps = stage_steps(sample.journeys())
    assert [step.label for step in steps] == ["awareness", "consideration", "purchase", "order"]
    assert "checkout" in steps[2].match
    assert "order" not in steps[2].match
    bars = section(report, "funnel").parts[0].drawing.rows
    found = cx.dropoff.funnel(sample.journeys(), steps)
    assert [bar.value for bar in bars] == list(found.rates)
    assert "most are lost between" in section(report, "funnel").remarks[0].lower()


@pytest.mark.parametrize("stages", [("", ""), ("one", "one"), ("one", "")])
def test_without_two_stages_there_are_no_steps_along_them(stages):
    rows = {
        "who": ["a", "a", "b"],
        "what": ["web", "buy", "web"],
        "when": ["2026-01-01", "2026-01-02", "2026-01-01"],
        "stage": [*stages, stages[0]],
    }
    roles = {"customer": "who", "touchpoint": "what", "timestamp": "when", "stage": "stage"}
    journeys = cx.InteractionLog.from_frame(rows, **roles).journeys(goal="buy", inactivity="2d")
    assert stage_steps(journeys) == ()
    assert build(journeys).to_html()


def test_given_steps_are_those_of_the_funnel(small):
    made = build(small.journeys(), steps=["cart", "checkout", "order"])
    bars = section(made, "funnel").parts[0].drawing
    assert [bar.name for bar in bars.rows] == ["cart", "checkout", "order"]
    with pytest.raises(cx.exceptions.UnknownName, match="did you mean 'cart'"):
        build(small.journeys(), steps=["carrt", "order"])


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
    assert 'class="bar" x="0.0" width="25.0"' in page
    assert 'd="M20.0 5H30.0' in page
    assert "<strong>25.0%</strong>" in page
    assert "between 20.0% and 30.0%" in page
    assert 'class="ground"' in page


def test_only_a_share_of_a_whole_has_a_rest_beside_its_bar():
    rows = (Bar(name="web", value=0.25), Bar(name="app", value=0.2))
    assert 'class="ground"' not in Bars(kind="percent", rows=rows).to_html()


def line(values, **more) -> Line:
    n = len(values)
    return Line(
        name="rate",
        periods=tuple(f"2026-{k:02}" for k in range(1, n + 1)),
        values=np.array(values),
        low=np.array(values) / 2,
        high=np.array(values) * 1.5,
        young=np.zeros(n, dtype=np.bool_),
        kind="percent",
        by="month",
        **more,
    )


def test_a_line_breaks_where_periods_are_left_out():
    page = line([0.1, 0.2, np.nan, 0.1, np.nan, 0.2]).to_html()
    (way,) = re.findall(r'class="way" d="([^"]*)"', page)
    assert way.count("M") == 3
    assert "nan" not in page
    assert "Jan 2026" in page
    assert "Jun 2026" in page


def test_the_scale_of_a_line_ends_at_a_round_number_and_holds_the_band():
    assert "<span>30%</span><span>0%</span>" in line([0.1, 0.19]).to_html()  # up to 28.5%
    assert "<span>100%</span>" in line([0.5, 0.66]).to_html()


def test_a_share_of_few_is_not_drawn():
    rows = [(f"{k}", 30 * (k % 3 > 0) + k % 20, "web") for k in range(60)]
    rows += [(f"{k}", 30 * (k % 3 > 0) + k % 20 + 1, "buy") for k in range(0, 60, 2)]
    rows += [("late", 200, "web"), ("last", 330, "web")]
    journeys = log_of(rows).journeys(goal="buy", inactivity=timedelta(days=10))
    by_month = cx.trend(journeys, "conversion_rate", by="month")
    drawn = line_of(by_month, "rate")
    few = np.asarray(by_month.periods["n"]) < 10
    assert 0 < few.sum() == drawn.few
    assert np.isnan(drawn.values[few]).all()
    assert not np.isnan(drawn.values[~few]).any()


def test_what_the_log_cannot_show_stands_together():
    rows = [(f"{k}", 1, "web") for k in range(30)] + [(f"{k}", 2, "buy") for k in range(12)]
    page = build(log_of(rows).journeys(goal="buy", inactivity=timedelta(days=3))).to_html()
    (absent,) = re.findall(r'<section id="absent".*?</section>', page, flags=re.DOTALL)
    assert re.findall(r'<div id="(\w+)">', absent) == ["channels", "feelings", "segments"]
    assert 'href="#channels"' not in page
    assert 'class="overview"><a href="#funnel"' in page  # a map of one stage says nothing


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("2026-02-03", "3 February 2026"),
        ("2026-12", "Dec 2026"),
        ("2026-Q1", "2026-Q1"),
        ("", ""),
    ],
)
def test_dates_are_told_in_words(date, words):
    assert date_in_words(date) == words


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
