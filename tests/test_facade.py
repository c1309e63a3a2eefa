from __future__ import annotations

import ast
import importlib.metadata
import types
from pathlib import Path

import pytest

import cxjourney as cx

SOURCE = ast.parse(Path(cx.__file__).read_text(encoding="utf-8"))


def names_for_type_checkers() -> set[str]:
    (block,) = (
        node
        for node in SOURCE.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {
        alias.asname or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_all_is_sorted_without_repeats():
    # constants, then classes, then functions and modules: the order that ruff keeps
    groups = sorted(set(cx.__all__), key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    assert cx.__all__ == groups


def test_every_name_is_lazy_and_visible_to_type_checkers():
    assert set(cx.__all__) == set(cx._HOMES) == names_for_type_checkers()


@pytest.mark.parametrize("name", cx.__all__)
def test_a_name_is_the_object_of_its_home(name):
    value = getattr(cx, name)
    if isinstance(value, types.ModuleType):
        assert value.__name__ == f"cxjourney.{name}"
    else:
        home = importlib.import_module(f"cxjourney.{cx._HOMES[name]}")
        assert value is getattr(home, name)
        assert name in home.__all__


def test_dir_lists_every_name():
    assert {*cx.__all__, "__version__"} <= set(dir(cx))


def test_an_unknown_name_says_so():
    with pytest.raises(AttributeError, match="module 'cxjourney' has no attribute 'nsp'"):
        cx.nsp  # noqa: B018 - the access is the test


def test_version_is_that_of_the_installed_package():
    assert cx.__version__ == importlib.metadata.version("cxjourney")
