"""A hook of the site: publish the JSON schema of every result, read off the classes as they are."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from typing import TYPE_CHECKING, Any

import attrs
from mkdocs.structure.files import File, Files

import cxjourney
from cxjourney._support.result import Result
from cxjourney._support.schema import DIALECT, schema_of
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

PATH = "reference/results.schema.json"
SECTION = re.compile(r"^Attributes\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", re.DOTALL | re.MULTILINE)
ENTRY = re.compile(r"^(\w[\w, ]*)\n((?:[ ]+.*\n?|\n)+)", re.MULTILINE)


def result_classes() -> list[type]:
    """Return every class of estimates and results of the package, by name."""
    found: set[type] = set()
    for module in pkgutil.walk_packages(cxjourney.__path__, "cxjourney."):
        if not module.name.endswith((".__main__", ".native", ".native_strings")):
            members = vars(importlib.import_module(module.name)).values()
            found |= {
                c for c in members if inspect.isclass(c) and issubclass(c, (Estimate, Result))
            }
    return sorted(filter(attrs.has, found), key=lambda cls: cls.__name__)


def describe(schema: dict[str, Any], cls: type | None) -> None:
    """Add what the docstring of a class says of it and of its fields."""
    words = inspect.cleandoc((cls.__doc__ if cls else None) or "")
    schema["description"] = words.partition("\n")[0]
    section = SECTION.search(words)
    for names, text in ENTRY.findall(section[1] + "\n") if section else ():
        for name in names.split(","):
            if name.strip() in schema["properties"]:
                schema["properties"][name.strip()].setdefault("description", " ".join(text.split()))


def published() -> dict[str, Any]:
    """Return one schema for all results: a dictionary is of the class that its `type` names."""
    parts: dict[str, Any] = {}
    classes = {cls.__name__: cls for cls in result_classes()}
    for name, cls in classes.items():
        schema = schema_of(cls)
        parts |= schema.pop("$defs", {})
        del schema["$schema"]
        # a result within another one comes without version and type: it is kept apart
        parts[f"{name}.stamped"] = schema
    for name, part in parts.items():
        describe(part, classes.get(name.removesuffix(".stamped")))
    whole = [{"$ref": f"#/$defs/{name}"} for name in parts if name.endswith(".stamped")]
    return {
        "$schema": DIALECT,
        "title": "Results of cxjourney",
        "oneOf": whole,
        "$defs": dict(sorted(parts.items())),
    }


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the schema to the files of the site."""
    text = json.dumps(published(), indent=1, ensure_ascii=False) + "\n"
    files.append(File.generated(config, PATH, content=text))
    return files
