"""Every `plot` of a result draws the table that the result hands over."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from datetime import UTC, datetime, timedelta

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

import cxjourney as cx
from cxjourney import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import BySegment
from cxjourney.plot._axes import PictureAxes

DAY = 86_400
ONE_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def journeys():
    paths = [["ad", "web", "cart"], ["web"], ["ad", "web"], ["mail", "cart"]]
    return cx.Journeys.from_paths(
        paths, converted=[30, 5, 0, 8], dropped=[10, 45, 10, 4], channels=True
    )


@pytest.fixture(scope="module")
def log():
    def at(who, what, day):
        return cx.Interaction(
            customer=cx.Customer(who, attributes={"device": "app" if who < "c" else "web"}),
            touchpoint=what,
            timestamp=datetime(2026, 1, day, tzinfo=UTC),
        )

    rows = [at("a", "web", 1), at("a", "buy", 2), at("b", "web", 3), at("c", "web", 4)]
    rows += [at("c", "cart", 5), at("d", "web", 6), at("d", "cart", 7), at("d", "buy", 8)]
    return cx.InteractionLog.from_interactions(
        rows, observed_until=datetime(2026, 3, 1, tzinfo=UTC)
    )


def y_names(ax) -> list[str]:
    return [text.get_text() for text in ax.get_yticklabels()]


def plotting_classes() -> list[type]:
    found = set()
    for module in pkgutil.walk_packages(cx.__path__, "cxjourney."):
        if module.name.endswith((".__main__", ".native", ".native_strings")):
            continue
        members = vars(importlib.import_module(module.name)).values()
        found |= {c for c in members if inspect.isclass(c) and hasattr(c, "plot")}
    found -= {PictureAxes, BySegment}  # a protocol; panels, one a segment, have no axes to give
    return sorted(
        (c for c in found if c.__module__.startswith("cxjourney")), key=lambda c: c.__name__
    )


@pytest.mark.parametrize("cls", plotting_classes(), ids=lambda c: c.__name__)
def test_a_picture_takes_its_options_by_name_and_axes_if_wanted(cls):
    parameters = list(inspect.signature(cls.plot).parameters.values())[1:]
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    assert parameters[-1].name == "ax"
    assert parameters[-1].default is None


def test_exits_are_drawn_costliest_first(journeys):
    found = cx.dropoff.exits(journeys)
    ax = found.plot()
    assert y_names(ax) == list(found.table["touchpoint"])
    np.testing.assert_allclose(ax.get_lines()[0].get_xdata(), found.table["exit_probability"])
    assert y_names(found.plot(max_rows=2)) == list(found.table["touchpoint"][:2])


def test_exits_of_segments_have_a_panel_each(log):
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    app, web = cx.dropoff.exits(journeys, segment="device").plot()
    assert (app.get_title(loc="left"), web.get_title(loc="left")) == ("device: app", "device: web")
    assert {*y_names(app), *y_names(web)} == {"cart", "web"}


def test_exits_are_drawn_on_the_axes_of_the_caller(journeys):
    ax = Figure().add_subplot()
    assert cx.dropoff.exits(journeys).plot(ax=ax, title="mine") is ax
    assert ax.get_title(loc="left") == "mine"


def test_a_funnel_draws_its_rates_and_counts(log):
    found = cx.dropoff.funnel(log, ["web", "cart", "buy"])
    ax = found.plot()
    assert y_names(ax) == ["1  web", "2  cart", "3  buy"]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches[:3]], found.rates)
    assert [t.get_text() for t in ax.texts[:-1]] == [str(count) for count in found.counts]
    assert "lost between steps 1 and 2" in ax.texts[-1].get_text().replace("\n", " ")


def test_a_funnel_by_segment_draws_every_segment(log):
    found = cx.dropoff.funnel(log, ["web", "buy"], segment="device")
    for ax, (_, part) in zip(found.plot(), found, strict=True):
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches[:2]], part.rates)


def test_a_funnel_may_name_a_step_twice(log):
    assert y_names(cx.dropoff.funnel(log, ["web", "web"]).plot()) == ["1  web", "2  web"]


def test_transitions_are_drawn_from_row_to_column(journeys):
    found = cx.omnichannel.transitions(journeys)
    ax = found.plot(values="count")
    drawn = np.ma.filled(ax.get_images()[0].get_array(), np.nan)
    np.testing.assert_array_equal(drawn, found.matrix("count"))
    assert y_names(ax) == list(found.names)
    shares = np.ma.filled(found.plot().get_images()[0].get_array(), np.nan)
    np.testing.assert_array_equal(shares, found.matrix("probability"))


def test_credit_is_drawn_with_its_interval(journeys):
    found = cx.attribution.markov(journeys)
    ax = found.plot()
    assert y_names(ax) == list(found.table["channel"])
    widths = [bar.get_width() for bar in ax.patches[: len(found.table)]]
    np.testing.assert_allclose(widths, found.table["credit"])
    assert "Markov" in ax.get_title(loc="left")


def test_models_are_drawn_side_by_side_the_most_disputed_first(journeys):
    found = cx.attribution.compare_models(journeys)
    ax = found.plot(max_rows=2)
    assert y_names(ax) == list(found.table["channel"][:2])
    models = [t.get_text() for t in ax.get_legend().get_texts()]
    columns = list(found.table.column_names[1:-1])
    assert columns[-2:] == ["shapley", "markov_1"]
    assert models == [*columns[:-2], "Shapley", "Markov, order 1"]
    first = found.intervals.row(0)
    (bar,) = ax.containers[0][:1]
    assert bar.get_width() == first["share"] == found.table["first"][0]


def test_the_credit_of_each_segment_is_drawn_in_a_panel_of_its_own(log):
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    found = cx.attribution.linear(journeys, by="touchpoint", segment="device")
    axes = found.plot()
    assert len(axes) == len(found) > 1
    for ax, (value, part) in zip(axes, found, strict=True):
        assert ax.get_title(loc="left") == f"device: {value}"
        assert set(y_names(ax)) == set(part.table["touchpoint"])
        drawn = [bar.get_width() for bars in ax.containers for bar in bars]
        assert sorted(drawn) == pytest.approx(sorted(part.table["credit"]))


def test_critical_points_are_drawn_at_their_gain_and_confidence(journeys):
    found = cx.critical.points(journeys)
    ax = found.plot(labelled=1)
    rest, named = ax.collections[-2:]
    drawn = np.concatenate([named.get_offsets(), rest.get_offsets()])
    expected = np.stack([found.table["confidence"], found.table["gain"]], axis=1)
    np.testing.assert_allclose(drawn, expected)
    assert ax.get_legend().get_texts()[0].get_text() == f"1  {found.ranking[0]}"


def test_a_survival_curve_is_drawn_as_it_is():
    curve = cx.metrics.kaplan_meier([k * ONE_DAY for k in (1, 2, 4, 5)], [True, True, False, True])
    ax = curve.plot(name="all")
    (line,) = ax.get_lines()
    assert line.get_xdata().tolist() == [0, *curve.time_s]
    assert line.get_ydata().tolist() == [1, *curve.survival]
    assert ax.collections[-1].get_offsets()[:, 0].tolist() == [4 * DAY]


def test_every_cause_has_its_curve():
    found = cx.metrics.cumulative_incidence(
        [k * ONE_DAY for k in (1, 2, 3, 4)], ["bought", "left", "bought", None]
    )
    ax = found.plot()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == list(found.causes)
    for line, incidence in zip(ax.get_lines(), found.incidence, strict=True):
        assert line.get_ydata().tolist() == [0, *incidence]


def test_cohorts_are_drawn_with_blank_cells_where_no_window_has_elapsed():
    days = {"ann": [0, 1, 7], "ben": [0, 3], "cid": [2, 4]}
    who = [name for name, offsets in days.items() for _ in offsets]
    when = [datetime(2026, 1, 1) + timedelta(days=d) for ds in days.values() for d in ds]  # noqa: DTZ001
    found = cx.metrics.cohort_retention(
        who,
        when,
        periods=3,
        observed_until=datetime(2026, 1, 5),  # noqa: DTZ001
    )
    ax = found.plot()
    drawn = np.ma.filled(ax.get_images()[0].get_array(), np.nan)
    np.testing.assert_array_equal(drawn, found.rate[np.flatnonzero(found.size)])
    assert np.isnan(drawn).any()
    assert y_names(ax)[0] == "2026-01-01  n = 2"


def test_a_step_flow_draws_what_it_counts(journeys):
    ax = cx.sequences.step_flow(journeys, steps=2, top=2).plot()
    assert ax.texts[0].get_text() == f"start {len(journeys)}"


@pytest.fixture(scope="module")
def sample_journeys():
    return cx.datasets.sample(seed=1, customers=300).journeys()


def test_the_emotion_curve_is_drawn_over_the_stages(sample_journeys):
    curve = cx.experience.emotion_curve(sample_journeys)
    ax = curve.plot()
    rows = [row for row in curve.table if row["outcome"] == "all"]
    drawn = ax.get_lines()[1].get_ydata()
    np.testing.assert_array_equal(drawn, [row["mean"] for row in rows])
    labels = [t.get_text() for t in ax.get_xticklabels()]
    assert labels == [f"{row['stage']}\nn = {row['n']:,}" for row in rows]


def test_what_was_expected_is_drawn_beside_what_was_felt(sample_journeys):
    felt = cx.experience.emotion_curve(sample_journeys, measure="score")
    hoped = cx.experience.emotion_curve(sample_journeys, measure="expectation")
    ax = felt.plot(outcome="dropped", expected=hoped)
    wanted = [row["mean"] for row in hoped.table if row["outcome"] == "dropped"]
    np.testing.assert_array_equal(ax.get_lines()[-1].get_ydata(), wanted)
    by_position = cx.experience.emotion_curve(sample_journeys, over="position")
    with pytest.raises(InvalidValue, match="same points"):
        felt.plot(expected=by_position)
    with pytest.raises(InvalidValue, match="outcome must be one of 'all'"):
        felt.plot(outcome="lost")


def test_the_stages_of_a_standard_model_stand_in_its_order(sample_journeys):
    drawn = [t.get_text() for t in sample_journeys.graph().plot().texts]
    stages = list(cx.StageModel.FIVE.names)
    assert [text for text in drawn if text in stages] == stages


def test_touchpoints_are_drawn_worst_first_with_the_mean_of_all(sample_journeys):
    found = cx.experience.scores(sample_journeys)
    ax = found.plot(max_rows=5)
    assert y_names(ax) == list(found.table["touchpoint"][:5])
    assert list(ax.get_lines()[-1].get_xdata()) == [found.overall, found.overall]


def test_switches_are_drawn_with_what_they_lose(sample_journeys):
    found = cx.omnichannel.handoff_loss(sample_journeys)
    ax = found.plot(max_rows=3)
    first = found.pairs.row(0)
    assert y_names(ax)[0] == f"{first['from_channel']} → {first['to_channel']}"
    np.testing.assert_array_equal(ax.get_lines()[0].get_xdata(), found.pairs["loss"][:3])


def test_switches_are_drawn_with_their_lift(sample_journeys):
    found = cx.omnichannel.affinity(sample_journeys)
    ax = found.plot(max_rows=3)
    first = found.pairs.row(0)
    assert y_names(ax)[0] == f"{first['from_channel']} → {first['to_channel']}"
    np.testing.assert_array_equal(ax.get_lines()[0].get_xdata(), found.pairs["lift"][:3])


def test_paths_are_drawn_with_their_shares(sample_journeys):
    found = cx.sequences.paths(sample_journeys, by="stage", repeats="collapse")
    ax = found.plot(max_rows=4)
    widths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_array_equal(widths, found.table["share"][:4])
    assert found.plot(max_rows=None).get_title(loc="left") == "Paths"


def test_periods_are_drawn_by_who_was_new_and_who_came_back():
    days = np.array(["2026-01-05", "2026-01-12", "2026-01-26", "2026-01-12"], dtype="M8[us]")
    found = cx.metrics.lifecycle(["a", "a", "a", "b"], days, period="week")
    ax = found.plot(max_rows=3)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["new", "returning", "came back after a gap"]
    assert y_names(ax) == list(found.periods[-3:])
    widths = [bar.get_width() for bars in ax.containers for bar in bars]
    assert sum(widths) == found.active[-3:].sum()


def test_exits_are_drawn_under_every_limit():
    log = cx.datasets.sample(seed=1, customers=300).log
    limits = [timedelta(days=7), timedelta(days=30)]
    found = cx.dropoff.sensitivity(log, goal="order", limits=limits)
    ax = found.plot(max_rows=4)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["7 days", "30 days"]
    assert y_names(ax) == list(dict.fromkeys(found.exits["touchpoint"]))[:4]


def graph():
    return cx.JourneyGraph.from_counts(
        {
            (START, "web"): 5,
            ("web", "cart"): 3,
            ("web", DROPOFF): 2,
            ("cart", CONVERSION): 2,
            ("cart", DROPOFF): 1,
        },
        stage={"web": "look", "cart": "buy"},
    )


def boxes(ax) -> list[FancyBboxPatch]:
    """Return the boxes of the nodes from left to right."""
    found = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    return sorted(found, key=lambda box: box.get_x())


def captions(ax) -> list[str]:
    return [t.get_text() for t in ax.texts]


def test_a_graph_is_drawn_by_stage_and_coloured_by_exits():
    ax = graph().plot()
    assert {"look", "buy", "web\n5", "cart\n3", "start\n5"} <= set(captions(ax))
    assert ax.figure.axes[1].get_ylabel() == "exit probability"
    assert ax.figure.axes[1].get_ylim() == (0, pytest.approx(2 / 5))
    assert len({box.get_facecolor() for box in boxes(ax)}) == 4  # start, end, and 1/3 from 2/5


def test_a_graph_is_coloured_by_any_value_of_its_touchpoints():
    ax = graph().plot(shade={"web": -0.4}, shade_label="mean emotion")
    assert ax.figure.axes[1].get_ylim() == (-0.4, 0.4)
    web, cart = (box.get_facecolor() for box in boxes(ax)[1:3])
    assert web[:3] == pytest.approx(mpl.colormaps["PuOr"](0.0)[:3])
    assert cart[:3] == to_rgb("#DDDDDD")  # nothing is known of it
    with pytest.raises(UnknownName, match="did you mean 'web'"):
        graph().plot(shade={"wep": 1.0})


def test_a_graph_without_stages_or_colour_is_drawn_too():
    bare = graph()
    for _, node in bare.nodes(data=True):
        node.pop("stage", None)
    ax = bare.plot(shade=None)
    assert "look" not in captions(ax)
    assert len(ax.figure.axes) == 1


def test_an_empty_graph_is_drawn_empty():
    cx.JourneyGraph.from_counts({}).plot().figure.draw_without_rendering()


def test_a_graph_takes_the_feelings_of_all_touchpoints_the_goal_among_them():
    journeys = cx.datasets.sample(seed=1, customers=100).journeys()
    felt = cx.experience.scores(journeys).table
    emotion = dict(zip(felt["touchpoint"], felt["mean"], strict=True))
    assert "order" in emotion
    journeys.graph().plot(shade=emotion)
    with pytest.raises(UnknownName, match="ordre"):
        journeys.graph().plot(shade={"ordre": 1.0})
