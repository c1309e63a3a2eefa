"""An extension of griffe, which reads the sources for the reference: what attrs classes take.

Sources are read, not run, so the `__init__` that attrs writes is nowhere to be seen; without it the
tables of parameters would have no types and no defaults, and a misspelled one would go unnoticed.
"""

from __future__ import annotations

from typing import Any

from griffe import (
    Attribute,
    Class,
    Expr,
    ExprCall,
    ExprKeyword,
    Extension,
    Function,
    Module,
    Parameter,
    ParameterKind,
    Parameters,
)

DECORATORS = {"attrs.define", "attrs.frozen", "attrs.mutable"}


class AttrsClasses(Extension):
    """Give every class of attrs the `__init__` that it will have."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:  # noqa: ARG002 - griffe's signature
        _visit(pkg)


def _visit(parent: Module | Class) -> None:
    for member in list(parent.members.values()):
        if member.is_alias or not isinstance(member, (Module, Class)):
            continue
        _visit(member)
        if (
            isinstance(member, Class)
            and "__init__" not in member.members
            and _options(member) is not None
        ):
            takes = {p.name: p for base in reversed(member.mro()) for p in _parameters(base)}
            takes |= {p.name: p for p in _parameters(member)}
            this = Parameter("self", kind=ParameterKind.positional_or_keyword)
            parameters = Parameters(this, *sorted(takes.values(), key=_last_if_keyword))
            member.set_member("__init__", Function("__init__", parameters=parameters))


def _options(cls: Class) -> dict[str, str | Expr] | None:
    """Return the keywords of the decorator of attrs; None for a class of another kind."""
    for decorator in cls.decorators:
        if isinstance(decorator.value, Expr) and decorator.value.canonical_path in DECORATORS:
            return _keywords(decorator.value)
    return None


def _keywords(value: str | Expr | None) -> dict[str, str | Expr]:
    if not isinstance(value, ExprCall):
        return {}
    return {a.name: a.value for a in value.arguments if isinstance(a, ExprKeyword)}


def _parameters(cls: Class) -> list[Parameter]:
    options = _options(cls)
    if options is None:
        return []
    found = []
    for member in cls.members.values():
        if not isinstance(member, Attribute) or member.annotation is None:
            continue
        if "property" in member.labels or "instance-attribute" not in member.labels:
            continue  # a property or a ClassVar
        value = member.value
        is_field = isinstance(value, ExprCall) and value.canonical_path == "attrs.field"
        field = _keywords(value) if is_field else {}
        if str(field.get("init")) == "False":
            continue
        keyword = "True" in {str(options.get("kw_only")), str(field.get("kw_only"))}
        default = field.get("default") if is_field else value
        if "factory" in field:
            default = ExprCall(function=field["factory"], arguments=[])
        found.append(
            Parameter(
                str(field.get("alias", member.name)).strip("'\"").lstrip("_"),
                annotation=member.annotation,
                kind=ParameterKind.keyword_only if keyword else ParameterKind.positional_or_keyword,
                default=default,
            )
        )
    return found


def _last_if_keyword(parameter: Parameter) -> bool:
    return parameter.kind is ParameterKind.keyword_only
