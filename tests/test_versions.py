from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

import cxjourney as cx
from cxjourney import kernels


def lines(text: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in text.splitlines())


def test_it_prints_the_versions_in_use(capsys):
    cx.show_versions()
    shown = lines(capsys.readouterr().out)
    assert shown["cxjourney"].startswith(cx.__version__)
    assert shown["numpy"] == np.__version__
    assert shown["python"].startswith(".".join(map(str, sys.version_info[:3])))


def test_it_names_the_kernels_that_run(capsys):
    cx.show_versions()
    assert lines(capsys.readouterr().out)["kernels"] == (
        "compiled" if kernels.ACTIVE == "native" else "NumPy"
    )
    environment = {**os.environ, "CXJOURNEY_KERNELS": "reference"}
    script = "import cxjourney as cx; cx.show_versions()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert lines(done.stdout)["kernels"] == "NumPy"
