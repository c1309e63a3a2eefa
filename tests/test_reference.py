"""Every public name has one place in docs/reference, and every place there is of a public name."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter

import pytest

import cxjourney

# the command has a page of its own words; the kernels are not promised to anyone
UNDOCUMENTED = {"__main__", "cli", "kernels"}

# private packages whose names are public at the top only
OF_THE_FACADE = {
    "cxjourney._findings",
    "cxjourney._load",
    "cxjourney._trend",
    "cxjourney._versions",
}

PUBLIC = [
    f"cxjourney.{module.name}"
    for module in pkgutil.iter_modules(cxjourney.__path__)
    if not module.name.startswith("_") and module.name not in UNDOCUMENTED
]
DIRECTIVE = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)


def names_of(package: str) -> list[str]:
    return [f"{package}.{name}" for name in importlib.import_module(package).__all__]


@pytest.fixture(scope="module")
def directives(project_root) -> list[str]:
    pages = (project_root / "docs" / "reference").rglob("*.md")
    return [name for page in pages for name in DIRECTIVE.findall(page.read_text(encoding="utf-8"))]


def test_every_public_name_of_a_package_is_in_the_reference_once(directives):
    shown = Counter(
        name
        for directive in directives
        for name in (names_of(directive) if directive in PUBLIC else [directive])
    )
    public = Counter(name for package in PUBLIC for name in names_of(package))
    # the facade's other names are shown where they live
    own = [name for name, home in cxjourney._HOMES.items() if home in OF_THE_FACADE]
    assert shown == public + Counter(f"cxjourney.{name}" for name in own)


def test_the_facade_offers_nothing_undocumented():
    homes = {home for home in cxjourney._HOMES.values() if home != "cxjourney"}
    assert homes - OF_THE_FACADE <= set(PUBLIC)
