from __future__ import annotations

import importlib.metadata
import types

import pytest

import cxjourney as cx


def test_all_is_sorted_without_repeats():
    # constants, then classes, then functions and packages: the order that ruff keeps elsewhere
    groups = sorted(set(cx.__all__), key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    assert cx.__all__ == groups


def test_the_stub_says_in_one_form_where_each_name_lives(project_root):
    stub = (project_root / "src" / "cxjourney" / "__init__.pyi").read_text(encoding="utf-8")
    lines = [line for line in stub.splitlines() if line and not line.startswith("#")]
    *imports, version = lines
    assert version == "__version__: str"
    # type checkers take a name for public only in the form `name as name`
    for line in imports:
        source, _, alias = line.partition(" as ")
        assert source.startswith("from cxjourney"), line
        assert source.endswith(f" import {alias}"), line
    assert {line.rpartition(" ")[2] for line in imports} == set(cx.__all__)


@pytest.mark.parametrize("name", cx.__all__)
def test_a_name_is_the_object_of_its_home(name):
    value = getattr(cx, name)
    if isinstance(value, types.ModuleType):
        assert value.__name__ == f"cxjourney.{name}"
    else:
        home = importlib.import_module(cx._HOMES[name])
        assert value is getattr(home, name)
        assert name in home.__all__


def test_dir_lists_every_name_and_no_other():
    assert dir(cx) == sorted([*cx.__all__, "__version__"])


def test_an_unknown_name_says_so():
    with pytest.raises(AttributeError, match="module 'cxjourney' has no attribute 'nsp'"):
        cx.nsp  # noqa: B018 - the access is the test


def test_version_is_that_of_the_installed_package():
    assert cx.__version__ == importlib.metadata.version("cxjourney")
