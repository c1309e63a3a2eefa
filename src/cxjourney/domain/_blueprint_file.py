"""Blueprints as dictionaries, JSON and YAML, with errors that name the path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from cxjourney._support.optional import require
from cxjourney._support.writing import write_whole
from cxjourney.domain._stage import STANDARD_MODELS, StageModel
from cxjourney.exceptions import InputFileError, InvalidValue, UnknownName

if TYPE_CHECKING:
    from os import PathLike

    from cxjourney.domain._blueprint import BlueprintStep, JourneyBlueprint

SCHEMA = 1
TYPE = "JourneyBlueprint"
_MOST_NODES = 20_000  # of a YAML text, each time that an alias repeats them
_DEEPEST = 20  # models within models
_BREAKS = set("\r\x85\u2028\u2029\ufeff")

B = TypeVar("B", bound="JourneyBlueprint")

_MODELS = {model.name: model for model in STANDARD_MODELS}


def dict_of_blueprint(blueprint: JourneyBlueprint) -> dict[str, Any]:
    """Return a blueprint as a JSON-ready dictionary, without what is at its default."""
    data: dict[str, Any] = {"schema": SCHEMA, "type": TYPE, "name": blueprint.name}
    for field in ("persona", "scenario"):
        if getattr(blueprint, field) is not None:
            data[field] = getattr(blueprint, field)
    if blueprint.stages is not None:
        data["stages"] = _model_to_dict(blueprint.stages)
    data["steps"] = [_step_to_dict(step) for step in blueprint.steps]
    return data


def blueprint_of_dict(cls: type[B], step_class: type[BlueprintStep], data: Mapping[str, Any]) -> B:
    """Return the blueprint of a dictionary."""
    top = _fields_of(data, "the blueprint", ("schema", "type", *_names(cls)))
    if top.get("schema") != SCHEMA or isinstance(top["schema"], bool):
        raise InvalidValue.of("schema", f"be {SCHEMA}", top.get("schema"))
    if top.get("type") != TYPE:
        raise InvalidValue.of("type", f"be {TYPE!r}", top.get("type"))
    for needed in ("name", "steps"):
        if needed not in top:
            raise InvalidValue(f"{needed} must be given; the blueprint has {sorted(top)}")
    if not isinstance(top["steps"], (list, tuple)):
        raise InvalidValue.of("steps", "be a list of steps", top["steps"])
    steps = [_step(step_class, item, f"steps[{i}]") for i, item in enumerate(top["steps"])]
    stages = None
    if top.get("stages") is not None:
        stages = _model(top["stages"], "stages")
    return cls(
        top["name"],
        steps,
        stages=stages,
        persona=top.get("persona"),
        scenario=top.get("scenario"),
    )


def to_yaml(data: Mapping[str, Any]) -> str:
    """Return a dictionary as YAML in its own order."""
    yaml = require("yaml", extra="yaml", caller="to_yaml()")

    class Dumper(yaml.SafeDumper):  # type: ignore[name-defined,misc]  # imported above
        def represent_text(self, value: str) -> Any:
            # plain and single-quoted strings would lose these line breaks; double quotes escape
            # them
            style = '"' if _BREAKS & set(value) else None
            return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, Dumper.represent_text)
    text: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    return text


def mapping_of_yaml(text: str) -> Mapping[str, Any]:
    """Return the mapping that a YAML text holds."""
    yaml = require("yaml", extra="yaml", caller="from_yaml()")
    if not isinstance(text, str):
        raise InvalidValue.of("text", "be the text of a blueprint in YAML", text)

    class Loader(yaml.SafeLoader):  # type: ignore[name-defined,misc]  # imported above
        """A loader that counts what aliases stand for, and stops where they explode."""

        def __init__(self, stream: str) -> None:
            self.counted, self.sizes = 0, dict[int, int]()
            super().__init__(stream)

        def compose_node(self, parent: Any, index: Any) -> Any:
            before, alias = self.counted, self.check_event(yaml.AliasEvent)
            node = super().compose_node(parent, index)
            self.counted += self.sizes.get(id(node), _MOST_NODES) if alias else 1
            if self.counted > _MOST_NODES:  # an alias within itself has no size yet
                raise yaml.composer.ComposerError(None, None, "too many aliases", node.start_mark)
            if not alias:
                self.sizes[id(node)] = self.counted - before
            return node

    try:
        data = yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        place = getattr(error, "problem_mark", None)
        where = "" if place is None else f" at line {place.line + 1}, column {place.column + 1}"
        raise InvalidValue(f"the text is no YAML{where}: {error.__class__.__name__}") from error
    return _fields_of(data, "the YAML text", None)


def read_mapping(path: str | PathLike[str]) -> Mapping[str, Any]:
    """Return the mapping that a file holds."""
    file = Path(path)
    ending = _ending(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputFileError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputFileError(f"{file} is not in UTF-8") from error
    if ending != ".json":
        return mapping_of_yaml(text)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidValue(
            f"{file} is no JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond what Python reads
        raise InvalidValue(f"{file} is no JSON: {error}") from error
    return _fields_of(data, str(file), None)


def write_mapping(data: Mapping[str, Any], path: str | PathLike[str]) -> None:
    """Write a dictionary to a file of JSON or YAML."""
    file = Path(path)
    if _ending(file) == ".json":
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    else:
        text = to_yaml(data)
    write_whole(file, text.encode())


def _ending(file: Path) -> str:
    ending = file.suffix.lower()
    if ending not in {".json", ".yaml", ".yml"}:
        raise InvalidValue.of("path", "end in .json, .yaml or .yml", str(file))
    return ending


def _names(cls: type[attrs.AttrsInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(cls))


def _fields_of(data: Any, where: str, known: tuple[str, ...] | None) -> Mapping[str, Any]:
    """Return `data` if it is a mapping of known fields."""
    if not isinstance(data, Mapping):
        raise InvalidValue.of(where, "be a mapping of fields", data)
    for name in data:
        if known is not None and name not in known:
            raise UnknownName.among("field", name, known, where=where)
    return data


def _step_to_dict(step: BlueprintStep) -> dict[str, Any]:
    data = {}
    for field in attrs.fields(type(step)):
        value = getattr(step, field.name)
        if field.default is attrs.NOTHING or value != field.default:
            data[field.name] = list(value) if isinstance(value, tuple) else value
    return data


def _step(step_class: type[BlueprintStep], data: Any, path: str) -> BlueprintStep:
    if isinstance(data, str):
        data = {"touchpoint": data}
    fields = _fields_of(data, path, _names(step_class))
    if "touchpoint" not in fields:
        raise InvalidValue(f"{path}.touchpoint must be given; the step has {sorted(fields)}")
    try:
        return step_class(**fields)
    except InvalidValue as error:
        raise InvalidValue(f"{path}.{error}") from error


def _model_to_dict(model: StageModel) -> str | dict[str, Any]:
    if _MODELS.get(model.name) == model:
        return model.name
    data: dict[str, Any] = {"name": model.name, "stages": list(model.names)}
    mappings = [
        {"model": _model_to_dict(other), "mapping": dict(mapping)}
        for other, mapping in model._mappings  # noqa: SLF001 - one package
    ]
    return {**data, "mappings": mappings} if mappings else data


def _model(data: Any, path: str) -> StageModel:
    if isinstance(data, str):
        if data not in _MODELS:
            raise UnknownName.among(path, data, _MODELS, where="the stage models of the library")
        return _MODELS[data]
    fields = _fields_of(data, path, ("name", "stages", "mappings"))
    if path.count(".model") > _DEEPEST:
        raise InvalidValue(f"{path} must not be a model within so many others")
    for name in ("stages", "mappings"):
        if not isinstance(fields.get(name, ()), (list, tuple)):
            raise InvalidValue.of(f"{path}.{name}", "be a list", fields[name])
    try:
        model = StageModel(fields.get("name"), fields.get("stages", ()))  # type: ignore[arg-type]  # validated there
        for i, item in enumerate(fields.get("mappings", ())):
            place = f"{path}.mappings[{i}]"
            mapping = _fields_of(item, place, ("model", "mapping"))
            other = _model(mapping.get("model"), f"{place}.model")
            onto = _fields_of(mapping.get("mapping"), f"{place}.mapping", None)
            model = model.with_mapping(other, onto)
    except InvalidValue as error:
        if str(error).startswith(path):
            raise
        raise InvalidValue(f"{path}: {error}") from error
    return model
