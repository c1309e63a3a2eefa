"""An extension of griffe, which reads the sources for the reference: methods that are assigned.

A class may take its methods from functions of another module, as in `to_dot = _export.to_dot`. To a
reader of sources that is an attribute without a signature; here it becomes the method that it is.
"""

from __future__ import annotations

from typing import Any

from griffe import (
    Attribute,
    Class,
    Expr,
    Extension,
    Function,
    Module,
    Parameter,
    ParameterKind,
    Parameters,
)

SELF = Parameter("self", kind=ParameterKind.positional_or_keyword)


class AssignedMethods(Extension):
    """Give every class the methods that are assigned in its body."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:  # noqa: ARG002 - griffe's signature
        _visit(pkg, pkg)


def _visit(parent: Module | Class, package: Module) -> None:
    for name, member in list(parent.members.items()):
        if member.is_alias:
            continue
        if isinstance(member, (Module, Class)):
            _visit(member, package)
        elif isinstance(parent, Class) and isinstance(member, Attribute):
            function = _assigned(member, package)
            if function is not None:
                method = Function(
                    name,
                    lineno=function.lineno,
                    endlineno=function.endlineno,
                    parameters=Parameters(SELF, *list(function.parameters)[1:]),
                    returns=function.returns,
                    docstring=function.docstring,
                )
                parent.set_member(name, method)


def _assigned(member: Attribute, package: Module) -> Function | None:
    """Return the function of this package that the attribute is; None where it is none."""
    if not isinstance(member.value, Expr) or member.annotation is not None:
        return None  # what is annotated is a field, and its default may be a function
    path = member.value.canonical_path.removeprefix(f"{package.name}.")
    try:
        found = package[path]
    except KeyError:
        return None
    if found.is_alias:
        found = found.final_target
    return found if isinstance(found, Function) else None
