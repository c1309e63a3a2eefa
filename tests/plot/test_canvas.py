from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from cxjourney import plot
from cxjourney.exceptions import MissingDependency
from cxjourney.plot._canvas import LINES, shown

DRAW_ALL = """
import json, sys
from cxjourney import plot
plot.forest(["a"], [1], [0], [2])
plot.bars(["a"], [1])
plot.funnel(["a"], [1], [1], [1])
plot.heat_map([[1]], rows=["a"], columns=["b"])
plot.step_curve([1], [0], [0], [1], start=1)
plot.emotion_curve(["a"], [0], [0], [0])
plot.impact_confidence(["a"], [1], [1])
plot.journey_graph(["a"], ["touchpoint"], [1], source=[], target=[], count=[])
plot.step_sankey([], source=[], source_kind=[], target=[], target_kind=[], count=[])
print(json.dumps("matplotlib.pyplot" in sys.modules))
"""


def luminance(tint: str) -> float:
    red, green, blue = (int(tint[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def drawn_text(text: str) -> tuple[str, bool]:
    artist = Text(text=shown(text))
    return artist._preprocess_math(artist.get_text())


@pytest.mark.parametrize("text", ["$x$", r"\$x$", r"$\frac{1}{0}$", "5 $ or 6 $ or 7 $", "\\"])
def test_a_name_is_never_read_as_a_formula_and_drawn_letter_by_letter(text):
    assert drawn_text(text) == (text, False)


def test_what_cannot_be_seen_or_turns_the_line_is_made_visible():
    assert shown("a\nb\x00\u202e\u2028c") == "a�b���c"


def test_a_long_name_keeps_its_beginning_and_its_end():
    short = shown("checkout step " + "x" * 200 + " of the app")
    assert len(short) == 28
    assert short.startswith("checkout step ")
    assert short.endswith("the app")


def test_shortening_happens_before_escaping():
    assert drawn_text("$" * 200)[0].count("$") == 27


def test_no_picture_needs_pyplot_and_the_package_loads_no_matplotlib():
    script = "import cxjourney.plot, sys; assert 'matplotlib' not in sys.modules\n" + DRAW_ALL
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) is False


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        MissingDependency, match=r'plot.bars\(\) needs matplotlib.*"cxjourney\[plot'
    ):
        plot.bars(["a"], [1])


def test_axes_that_are_given_are_drawn_on_and_returned():
    left, right = Figure().subplots(1, 2)
    assert plot.bars(["a"], [1], ax=right) is right
    assert not left.patches
    assert len(right.patches) == 1


def test_a_notebook_shows_a_picture_of_its_own():
    assert plot.bars(["a"], [1])._repr_png_().startswith(b"\x89PNG")


def test_the_colours_of_the_first_series_differ_in_lightness_too():
    shades = sorted(luminance(tint) for tint in LINES[:3])
    assert min(b - a for a, b in pairwise(shades)) > 0.05
