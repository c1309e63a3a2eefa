from __future__ import annotations

import itertools
import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from cxjourney import plot
from cxjourney.exceptions import MissingDependency
from cxjourney.plot._canvas import LINES, NAME_WIDTH, distinct, shown

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


# Machado, Oliveira & Fernandes (2009), severity 1, of linear RGB
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen_by_deuteranopes(tint):
    """Return CIELAB coordinates of a colour as it is seen without medium cones."""
    rgb = np.array(to_rgb(tint))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(DEUTERANOPIA @ linear, 0, 1) / (TO_XYZ @ np.ones(3))
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_colours_can_be_told_apart_without_medium_cones():
    assert np.linalg.norm(seen_by_deuteranopes("#FFFFFF") - [100, 0, 0]) < 0.5
    # pure red and a green are alike to them: what the simulation must find
    alike = np.linalg.norm(seen_by_deuteranopes("#B00000") - seen_by_deuteranopes("#6B6B00"))
    assert alike < 20
    seen = {tint: seen_by_deuteranopes(tint) for tint in LINES}
    distances = {
        (a, b): np.linalg.norm(seen[a] - seen[b]) for a, b in itertools.combinations(seen, 2)
    }
    # 15 is plainly visible side by side; marker, hatch or dashes are there as well
    assert min(distances.values()) > 15, min(distances, key=distances.get)


def test_long_names_stay_distinct():
    names = [f"help centre: article {k} about deliveries and returns" for k in range(30)]
    names += ["x" * 40 + end for end in ("", "y", "yy")] + [
        "a" * 20 + f"{k}" + "b" * 90 for k in "123"
    ]
    short = distinct(names)
    assert len(set(short)) == len(names)
    assert max(map(len, short)) <= NAME_WIDTH
    assert distinct(["web", "web", "app"]) == ["web", "web", "app"]
