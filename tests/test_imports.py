"""What importing loads, seen from a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"duckdb", "matplotlib", "networkx", "pandas", "polars", "pyarrow", "scipy"}

LOADED = "import json, sys; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"


def loaded_by(statement: str) -> set[str]:
    script = f"{statement}\n{LOADED}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("package", ["cxjourney", "cxjourney.metrics"])
def test_importing_loads_nothing_heavy(package):
    assert loaded_by(f"import {package}") & HEAVY == set()


def test_the_facade_alone_loads_not_even_numpy():
    assert "numpy" not in loaded_by("import cxjourney")


def test_the_command_can_say_what_it_takes_without_numpy():
    assert not loaded_by("import cxjourney.cli") & {"attr", "numpy"}


def test_importing_warns_of_nothing():
    subprocess.run([sys.executable, "-W", "error", "-c", "from cxjourney import *"], check=True)


def test_a_report_is_made_without_matplotlib():
    made = loaded_by(
        "import cxjourney as cx\n"
        "cx.report.build(cx.datasets.sample(seed=3, customers=60).journeys()).to_html()"
    )
    assert "cxjourney" in made
    assert "matplotlib" not in made
