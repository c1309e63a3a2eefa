"""The entry point: one parser, the commands, and what becomes of errors."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from cxjourney.cli import _compare, _inspect, _layouts, _report, _trend
from cxjourney.cli._options import Parser
from cxjourney.cli._printing import (
    complain,
    one_line,
    print_whatever_the_terminal_can,
    warnings_as_lines,
)
from cxjourney.exceptions import CxJourneyError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    argv
        The arguments; None takes those of the process.

    Returns
    -------
    int
        0, or 2 for bad usage or input; the error is one line on standard error.
    """
    print_whatever_the_terminal_can()
    try:
        arguments = parsed(argv)
        with warnings_as_lines():
            arguments.run(arguments)
    except SystemExit as stop:  # argparse: help and version leave with 0, bad usage with 2
        return int(stop.code or 0)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (CxJourneyError, OSError) as error:
        complain("error", one_line(error))
        for note in getattr(error, "__notes__", ()):
            print(f"cxjourney: {note}", file=sys.stderr)
        return 2
    return 0


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments, and the words in which they were given."""
    words = sys.argv[1:] if argv is None else argv
    return _parser().parse_args(words, argparse.Namespace(words=list(words)))


def _parser() -> Parser:
    parser = Parser(prog="cxjourney", description="Customer journeys from event data.")
    parser.add_argument("--version", action="version", version=f"cxjourney {version('cxjourney')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for command in (_inspect, _report, _compare, _trend, _layouts):
        command.add(commands)
    return parser
