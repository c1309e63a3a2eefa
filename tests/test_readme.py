"""The Python of the README and of the pages for people, run block by block, page by page."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import cxjourney as cx

ROOT = Path(__file__).resolve().parents[1]
# One block a match: what stands between ```python and ```, with the indentation of the fence.
BLOCK = re.compile(
    r"^(?P<indent> *)```python\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
# Tutorials are notebooks and run as such; the docstrings of the reference run as doctests.
PAGES = [
    page
    for page in (
        ROOT / "README.md",
        ROOT / "docs" / "index.md",
        *sorted((ROOT / "docs" / "how-to").rglob("*.md")),
        *sorted((ROOT / "docs" / "explanation").rglob("*.md")),
        *sorted((ROOT / "docs" / "reference").rglob("*.md")),
    )
    if BLOCK.search(page.read_text(encoding="utf-8"))
]


def dedent(match: re.Match[str]) -> str:
    indent = match["indent"]
    return "\n".join(line.removeprefix(indent) for line in match["code"].split("\n"))


@pytest.fixture
def reader_folder(tmp_path, monkeypatch) -> Path:
    """Return a working folder with the `events.csv` that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    paths = {
        "ana": [("catalog", "web", 0), ("cart", "web", 1), ("payment_done", "web", 2)],
        "bo": [("catalog", "app", 0), ("cart", "web", 3), ("catalog", "web", 4)],
        "cy": [("catalog", "web", 5), ("cart", "app", 6), ("payment_done", "app", 9)],
        "di": [("main", "web", 1), ("catalog", "web", 2)],
        "ed": [("main", "app", 70), ("catalog", "app", 71)],
    }
    with (tmp_path / "events.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "timestamp", "event", "channel"])
        for customer, visits in paths.items():
            for event, channel, day in visits:
                timestamp = start + timedelta(days=day)
                writer.writerow([customer, timestamp.isoformat(), event, channel])
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_python_of_a_page_runs(page, reader_folder, monkeypatch):
    # of the customers that the sample has unless a page says how many
    monkeypatch.setitem(cx.datasets.sample.__kwdefaults__, "customers", 800)
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        # blank lines in front, so that a traceback shows the line of the page
        exec(compile("\n" * line + dedent(match), str(page), "exec"), namespace)  # noqa: S102 - our own pages


def test_the_readme_prints_the_commands_that_continuous_integration_runs():
    commands = re.findall(
        r"^python -m pip install .*$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert commands == [
        'python -m pip install ".[report]" && cxjourney report --sample',
        'python -m pip install ".[test]" && python -m pytest',
    ]
