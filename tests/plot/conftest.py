from __future__ import annotations

import matplotlib as mpl
import pytest

HOSTILE = (
    r"$\frac{1}{0}$ and \$5",
    "_private",
    "line\nbreak\x00\x1b[31m",
    "\u202egnp.exe",
    "<script>alert(1)</script>",
    "x" * 200,
    "",
)


@pytest.fixture
def hostile() -> tuple[str, ...]:
    return HOSTILE


@pytest.fixture(autouse=True)
def style_stays_as_it_is():
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
