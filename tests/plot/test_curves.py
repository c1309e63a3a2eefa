from __future__ import annotations

import numpy as np
import pytest

from cxjourney import plot
from cxjourney.exceptions import InvalidValue

DAY = 86_400


def test_a_survival_curve_begins_at_one_and_steps_at_its_times():
    ax = plot.step_curve([DAY, 3 * DAY], [0.8, 0.4], [0.7, 0.3], [0.9, 0.5], start=1)
    (line,) = ax.get_lines()
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xdata().tolist() == [0, DAY, 3 * DAY]
    assert line.get_ydata().tolist() == [1, 0.8, 0.4]
    band = ax.collections[0].get_paths()[0].vertices
    assert {0.3, 0.5, 0.7, 0.9} <= set(band[:, 1].round(9))


def test_incidence_begins_at_zero():
    ax = plot.step_curve([DAY], [0.2], [0.1], [0.3], start=0)
    assert ax.get_lines()[0].get_ydata().tolist() == [0, 0.2]


def test_two_curves_on_the_same_axes_have_names_and_colours_of_their_own():
    ax = plot.step_curve([1, 2], [0.8, 0.4], [0.7, 0.3], [0.9, 0.5], start=1, name="web")
    plot.step_curve([9 * DAY], [0.5], [0.4], [0.6], start=1, name="$store$", ax=ax)
    first, second = ax.get_lines()
    assert first.get_color() != second.get_color()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["web", r"\$store\$"]
    # the unit follows the longest curve, and both are in seconds
    assert ax.get_xlabel() == "time [days]"
    assert ax.get_xlim()[1] >= 9 * DAY


@pytest.mark.parametrize(
    ("longest", "unit"),
    [(50, "seconds"), (600, "minutes"), (30_000, "hours"), (40 * DAY, "days"), (0, "seconds")],
)
def test_the_unit_suits_the_time(longest, unit):
    ax = plot.step_curve([longest], [0.5], [0.4], [0.6], start=1)
    assert ax.get_xlabel() == f"time [{unit}]"
    ticks = [t for t in ax.get_xticks() if 0 <= t <= ax.get_xlim()[1]]
    assert len(ticks) <= 10


def test_ticks_are_whole_numbers_of_the_unit():
    ax = plot.step_curve([40 * DAY], [0.5], [0.4], [0.6], start=1)
    ax.figure.draw_without_rendering()
    texts = [t.get_text() for t in ax.get_xticklabels()]
    assert texts[1:4] == ["0", "5", "10"]


def test_open_ends_are_ticked_while_they_can_be_told_apart():
    times = np.arange(1.0, 301.0)
    share = np.linspace(1, 0, 300)
    few = plot.step_curve(times, share, share, share, start=1, censored=times < 6)
    many = plot.step_curve(times, share, share, share, start=1, censored=times > 0)
    assert len(few.collections[-1].get_offsets()) == 5
    assert len(many.collections) == 1  # the band alone


def test_times_that_do_not_increase_are_refused():
    with pytest.raises(InvalidValue, match="increasing"):
        plot.step_curve([2, 2], [1, 1], [1, 1], [1, 1], start=1)


def test_an_empty_curve_is_an_empty_picture():
    ax = plot.step_curve([], [], [], [], start=1)
    assert ax.get_lines()[0].get_ydata().tolist() == [1]


def test_the_emotion_curve_has_its_means_band_and_promise():
    ax = plot.emotion_curve(
        ["search", "buy", "use"],
        [0.5, np.nan, -0.2],
        [0.3, np.nan, -0.4],
        [0.7, np.nan, 0.0],
        expected=[0.4, 0.4, 0.4],
        n=[120, 0, 30],
    )
    neutral, mean, promise = ax.get_lines()
    assert list(neutral.get_ydata()) == [0, 0]
    assert promise.get_ydata().tolist() == [0.4, 0.4, 0.4]
    np.testing.assert_array_equal(mean.get_ydata(), [0.5, np.nan, -0.2])
    labels = [t.get_text() for t in ax.get_xticklabels()]
    assert labels == ["search\nn = 120", "buy\nn = 0", "use\nn = 30"]
    whiskers = [s[:, 1].tolist() for s in ax.collections[1].get_segments() if len(s)]
    assert [0.3, 0.7] in whiskers
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "observed",
        "interval",
        "expected",
    ]


def test_a_valley_gets_a_ring():
    ax = plot.emotion_curve(["a", "b", "c"], [1, -1, 0], [1, -1, 0], [1, -1, 0], valley=[0, 1, 0])
    assert ax.collections[-1].get_offsets().tolist() == [[1, -1]]
    assert ax.get_legend().get_texts()[-1].get_text() == "valley"


def test_sixty_stages_stand_upright_and_apart(hostile):
    names = [*hostile, *(f"touchpoint {k}" for k in range(53))]
    ax = plot.emotion_curve(names, np.zeros(60), np.full(60, -0.1), np.full(60, 0.1))
    ax.figure.draw_without_rendering()
    labels = ax.get_xticklabels()
    assert len(labels) == 60
    assert {label.get_rotation() for label in labels} == {90}
    assert ax.figure.get_figwidth() / 60 > 8 / 72
