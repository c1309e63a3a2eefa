"""`cxjourney inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxjourney.cli._printing import print_json

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "inspect",
        help="say what a file is, what its columns could be, and which command reads it",
        description="Say what a file is, what its columns could be, and why; what is odd about it; "
        "then the command and the Python that read it. Ids and what was written freely are not "
        "printed. Nothing is changed or written.",
        epilog="example: cxjourney inspect events.csv",
    )
    parser.set_defaults(run=_inspect)
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a CSV, Excel, JSON, Parquet or XES file, compressed or not, or several files with "
        "the same columns",
    )
    parser.add_argument("--sheet", metavar="NAME", help="the sheet of a workbook to judge")
    parser.add_argument(
        "--encoding", metavar="NAME", help="the encoding of a CSV file (default: one that fits)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _inspect(arguments: argparse.Namespace) -> None:
    from cxjourney.io import inspect_file

    files = arguments.files
    path = files[0] if len(files) == 1 else files
    found = inspect_file(path, sheet=arguments.sheet, encoding=arguments.encoding)
    if arguments.json:
        print_json(found.to_dict())
    else:
        print(found)
