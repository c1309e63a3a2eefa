"""The examples in the docstrings, run: one test a module."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re

import pytest

import cxjourney

MODULES = [
    "cxjourney",
    *(
        module.name
        for module in pkgutil.walk_packages(cxjourney.__path__, "cxjourney.")
        # importing __main__ is running the command; a compiled kernel has no examples
        if not module.name.endswith((".__main__", ".native", ".native_strings"))
    ),
]
# the site draws no formulas, and neither does `help`: they are written so that both can be read
FORMULA = re.compile(r'\$[^$\s"][^$\n"]*\$')
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=FLAGS, report=True)
    assert results.failed == 0, f"{results.failed} of {results.attempted} examples failed"


@pytest.mark.parametrize("folder", ["src", "docs"])
def test_no_formula_needs_a_renderer(project_root, folder):
    sources = [*(project_root / folder).rglob("*.py"), *(project_root / folder).rglob("*.md")]
    assert sources
    raw = {}
    for source in sources:  # the end of a journey in a pattern is $, which is code
        written = re.sub(r"`[^`\n]*`", "", source.read_text(encoding="utf-8"))
        raw[source.name] = FORMULA.findall(written)
    assert {name: found for name, found in raw.items() if found} == {}
