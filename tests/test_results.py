"""What holds for every result class, found by walking the package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import typing

import attrs
import pytest

import cxjourney
from cxjourney import Estimate
from cxjourney._support.result import Result

# from the heading to the next one or the end
ATTRIBUTES = re.compile(r"^Attributes\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", re.DOTALL | re.MULTILINE)


def classes() -> list[type]:
    found = {Estimate}
    for module in pkgutil.walk_packages(cxjourney.__path__, "cxjourney."):
        if module.name.endswith((".__main__", ".native", ".native_strings")):
            continue
        members = vars(importlib.import_module(module.name)).values()
        found |= {c for c in members if inspect.isclass(c) and issubclass(c, Result)}
    return sorted(filter(attrs.has, found), key=lambda c: (c.__module__, c.__qualname__))


CLASSES = classes()
each_class = pytest.mark.parametrize("cls", CLASSES, ids=[c.__qualname__ for c in CLASSES])


@each_class
def test_a_result_is_frozen(cls):
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        object.__new__(cls).anything = 1


@each_class
def test_a_result_takes_its_fields_by_name(cls):
    assert all(field.kw_only for field in attrs.fields(cls))


@each_class
def test_the_types_of_a_result_resolve_at_run_time(cls):
    # cattrs needs them to read a result back
    hints = typing.get_type_hints(cls)
    assert {field.name for field in attrs.fields(cls)} <= set(hints)


@each_class
def test_every_field_of_a_result_is_documented(cls):
    text = inspect.cleandoc(vars(cls)["__doc__"])
    section = re.search(
        r"^Attributes\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", text, re.DOTALL | re.MULTILINE
    )
    entries = re.findall(r"^(\w.*)$", section[1], re.MULTILINE) if section else []
    documented = {name.strip() for entry in entries for name in entry.split(",")}
    missing = {f.name for f in attrs.fields(cls) if not f.name.startswith("_")} - documented
    assert not missing
