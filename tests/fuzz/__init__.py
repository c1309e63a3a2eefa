"""Damaged and odd input at every door: it is read rightly or refused in the library's own words.

`python -m tests.fuzz --help` runs many cases; `python -m pytest tests/fuzz` runs a few of each
door, and so many times more as `CXJOURNEY_FUZZ` says.
"""

from __future__ import annotations

from . import files, frames, texts

DOORS = {
    door.__name__: door
    for door in (
        files.csv, files.parquet, files.xes, frames.frame, frames.wide, texts.graph_json,
        texts.graphml, texts.networkx, texts.result, texts.blueprint,
    )
}  # fmt: skip
"""The doors by name."""

SHARES = {
    "csv": 100, "parquet": 60, "xes": 200, "frame": 1_000, "wide": 300, "graph_json": 1_000,
    "graphml": 300, "networkx": 500, "result": 1_500, "blueprint": 300,
}  # fmt: skip
"""Cases of each door in the ordinary test run."""
