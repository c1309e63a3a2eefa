"""Templates of the report: everything is escaped, and what could hide is made visible."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from cxjourney._support.optional import require
from cxjourney._support.table import Table, breakable, format_value
from cxjourney._support.text import visible
from cxjourney.domain import MISSING
from cxjourney.report._catalogue import say, without_code
from cxjourney.report._tables import table_html

if TYPE_CHECKING:
    from jinja2 import Environment

_CODE = re.compile(r"`([^`]*)`")


def render(template: str, *, caller: str, **values: Any) -> str:
    """Return a template filled with values, hence Any; each is escaped.

    Raises
    ------
    MissingDependency
        If jinja2 is not installed.
    """
    require("jinja2", extra="report", caller=caller)
    page: str = _environment().get_template(template).render(**values)
    return page


def asset(name: str) -> str:
    """Return a file that goes into the page as it is: the style and the script."""
    return (files("cxjourney.report") / "static" / name).read_text(encoding="utf-8")


def fingerprint(script: str) -> str:
    """Return the source by which a content security policy lets a script run: its hash."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _environment() -> Environment:
    import jinja2
    from markupsafe import Markup, escape

    def seen(value: object) -> object:
        return (
            value
            if isinstance(value, Markup)
            else visible(str(value)).replace(MISSING, say("page.missing"))
        )

    def table(value: Table, caption: str) -> Markup:
        return Markup(table_html(value, caption))  # noqa: S704 - a table escapes its cells

    def prose(value: str) -> Markup:
        text = str(escape(seen(without_code(value))))
        return Markup(_CODE.sub(r"<code>\1</code>", text))  # noqa: S704 - escaped

    def name(value: object) -> Markup:
        return Markup(breakable(str(escape(seen(value)))))  # noqa: S704 - escaped

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=seen,
    )
    environment.filters["table"] = table
    environment.filters["number"] = format_value
    environment.filters["name"] = name
    environment.filters["prose"] = prose
    environment.globals["say"] = say
    return environment


def _source(name: str) -> str:
    return (files("cxjourney.report") / "templates" / name).read_text(encoding="utf-8")
