"""The environment chooses the kernels, and what is active is said."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cxjourney import kernels

CODE = "from cxjourney import kernels; print(kernels.ACTIVE)"


def active(choice: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CXJOURNEY_KERNELS": choice}
    return subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=False
    )


def test_the_reference_is_always_there():
    assert active("reference").stdout.strip() == "reference"


@pytest.mark.native
def test_the_compiled_ones_run_where_they_were_built():
    assert active("native").stdout.strip() == "native"


def test_an_unknown_choice_is_refused_by_name():
    result = active("fast")
    assert result.returncode != 0
    assert "CXJOURNEY_KERNELS must be 'native' or 'reference'; got 'fast'" in result.stderr


def test_what_runs_is_said():
    assert kernels.ACTIVE in {"native", "reference"}
