"""The examples in the docstrings, run: one test a module."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import cxjourney

MODULES = [
    "cxjourney",
    *(
        module.name
        for module in pkgutil.walk_packages(cxjourney.__path__, "cxjourney.")
        # importing __main__ is running the command; a compiled kernel has no examples
        if not module.name.endswith((".__main__", ".native"))
    ),
]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=FLAGS, report=True)
    assert results.failed == 0, f"{results.failed} of {results.attempted} examples failed"
