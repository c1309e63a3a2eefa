"""A hook of the site: publish the JSON schema of every result, read off the classes as they are."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

import cxjourney
from cxjourney._support.result import Result
from cxjourney._support.schema import DIALECT, schema_of
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

PATH = "reference/results.schema.json"


def result_classes() -> list[type]:
    """Return every class of estimates and results of the package, by name."""
    found: set[type] = set()
    for module in pkgutil.walk_packages(cxjourney.__path__, "cxjourney."):
        if not module.name.endswith((".__main__", ".native", ".native_text")):
            members = vars(importlib.import_module(module.name)).values()
            found |= {
                c for c in members if inspect.isclass(c) and issubclass(c, (Estimate, Result))
            }
    return sorted(found - {Result}, key=lambda cls: cls.__name__)


def published() -> dict[str, Any]:
    """Return one schema for all results: a dictionary is of the class that its `type` names."""
    parts: dict[str, Any] = {}
    for cls in result_classes():
        schema = schema_of(cls)
        parts |= schema.pop("$defs", {})
        del schema["$schema"]
        # a result within another one comes without version and type: it is kept apart
        parts[f"{cls.__name__}.stamped"] = schema
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
