"""The public names: what `dir` shows of a package, and how many there are."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import cxjourney
from cxjourney._support.result import Result

PACKAGES = [
    f"cxjourney.{module.name}"
    for module in pkgutil.iter_modules(cxjourney.__path__)
    if module.ispkg and not module.name.startswith("_") and module.name != "kernels"
]
SOURCE = Path(cxjourney.__file__).parent


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_the_public_names_and_no_others(package):
    module = importlib.import_module(package)
    assert dir(module) == sorted(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)


def test_few_names_are_public():
    # classes of results and of errors are met, not looked for: nobody has to know them
    names = set()
    for module in ("cxjourney", "cxjourney.cli", "cxjourney.exceptions", *PACKAGES):
        public = importlib.import_module(module)
        for name in public.__all__:
            value = getattr(public, name)
            if not (inspect.isclass(value) and issubclass(value, Result | BaseException)):
                names.add(name)
    assert len(names) <= 231, sorted(names)


def test_functions_and_methods_bear_the_names_by_which_they_are_called():
    # Python's own errors, such as that of too many arguments, name a function as it was defined
    for module in ("cxjourney", *PACKAGES):
        public = importlib.import_module(module)
        for name in public.__all__:
            value = getattr(public, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                assert value.__name__ == name
            if not inspect.isclass(value):
                continue
            for method in filter(lambda one: not one.startswith("_"), dir(value)):
                found = inspect.getattr_static(value, method)
                found = getattr(found, "__func__", found)
                if inspect.isfunction(found) and found.__module__.startswith("cxjourney"):
                    assert found.__name__ == method, f"{module}.{name}.{method}"


def test_what_draws_repeats_by_default():
    drawing = {
        f"{package}.{name}": inspect.signature(value).parameters["rng"].default
        for package in PACKAGES
        for name, value in vars(importlib.import_module(package)).items()
        if inspect.isfunction(value)
        and "rng" in inspect.signature(value).parameters
        and name in importlib.import_module(package).__all__
    }
    assert len(drawing) >= 7
    assert set(drawing.values()) == {0}, drawing


def imported_modules(source: Path) -> set[str]:
    """Return what a file imports, within functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_private_modules_of_other_packages_are_not_imported_for_types_either():
    # import-linter holds the imports that run; those under TYPE_CHECKING it leaves out
    for source in SOURCE.rglob("*.py"):
        own = f"cxjourney.{source.relative_to(SOURCE).parts[0]}"
        for name in imported_modules(source):
            package, private, _ = name.partition("._")
            if private and package.startswith("cxjourney."):
                assert package == own, f"{source} imports {name}"
