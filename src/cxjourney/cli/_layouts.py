"""`cxjourney layouts`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

_ROWS = {
    "events": "an interaction",
    "cases": "a case, with a date for each step",
    "orders": "an order, or a line of one",
    "answers": "the answers of one respondent",
}


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "layouts",
        help="list the exports of other tools that can be read as they are",
        description="List the layouts: the exports of other tools that are read as they are, by "
        "what columns each is recognised, and what its goal could be.",
    )
    parser.set_defaults(run=_layouts)


def _layouts(_: argparse.Namespace) -> None:
    from cxjourney.io import layouts

    for layout in layouts():
        print(f"{layout.name}\n  {layout.title}")
        groups = [*layout.recognised, *(" or ".join(group) for group in layout.any_of)]
        lines = {
            "one row is": _ROWS[layout.form],
            "recognised by": ", ".join(groups),
            "goal": " or ".join(layout.goal),
            "exits": " or ".join(layout.exits),
        }
        for name, words in lines.items():
            if words:
                line = f"{name}: {words}"
                print(textwrap.fill(line, 100, initial_indent="  ", subsequent_indent="    "))
