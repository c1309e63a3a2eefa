"""Every public name has a place in docs/reference, and every place there has a name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import pytest

import cxjourney

# the command has a page of its own words; the kernels are not promised to anyone
UNDOCUMENTED = {"__main__", "cli", "kernels"}

PUBLIC = [
    module.name
    for module in pkgutil.iter_modules(cxjourney.__path__)
    if not module.name.startswith("_") and module.name not in UNDOCUMENTED
]
DIRECTIVE = re.compile(r"^::: (cxjourney[\w.]*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def documented(project_root) -> set[str]:
    pages = (project_root / "docs" / "reference").rglob("*.md")
    return {name for page in pages for name in DIRECTIVE.findall(page.read_text(encoding="utf-8"))}


def resolve(path: str) -> object:
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            value = getattr(value, part)
        return value
    raise LookupError(path)


def shown_by(value: object) -> list[object]:
    if not inspect.ismodule(value):
        return [value]
    return [getattr(value, name) for name in getattr(value, "__all__", ())]


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_of_a_package_is_in_the_reference(package, documented):
    home = f"cxjourney.{package}"
    if home in documented:
        return
    module = importlib.import_module(home)
    names = {f"{home}.{name}" for name in module.__all__}
    # a page may show an object under the module that defines it, or that module as a whole
    shown = {id(value) for path in documented for value in shown_by(resolve(path))}
    missing = {path for path in names - documented if id(resolve(path)) not in shown}
    assert not missing


def test_the_facade_offers_nothing_undocumented():
    homes = {home.removeprefix("cxjourney.") for home in cxjourney._HOMES.values()}
    assert homes - {"cxjourney", "_versions"} <= set(PUBLIC)


def test_every_reference_directive_names_something(documented):
    assert documented
    for path in documented:
        resolve(path)
