"""Damaged and odd input at every door: it is read rightly or refused in the library's own words.

A case is a seed: `door:seed:number`. It is right if the library reads it as a plain reader does,
or refuses it in an error of its own of at most a thousand characters within twenty seconds.

`python -m pytest tests/fuzz` runs a few cases of each door, and so many times more as
`CXJOURNEY_FUZZ` says; `.ci/run fuzz` runs each door for 25 seconds. By hand, for as long as one
likes: `python -m tests.fuzz csv=50000 xes=20000 --seed 3`.
"""

from __future__ import annotations

from . import commands, files, frames, texts

DOORS = {
    door.__name__: door
    for door in (
        files.csv, files.parquet, files.xes, frames.frame, frames.wide, texts.graph_json,
        texts.graphml, texts.networkx, texts.result, texts.blueprint, commands.command,
        commands.process,
    )
}  # fmt: skip
"""The doors by name."""

SHARES = {
    "csv": 100, "parquet": 60, "xes": 200, "frame": 1_000, "wide": 300, "graph_json": 500,
    "graphml": 300, "networkx": 500, "result": 800, "blueprint": 300,
    "command": 30, "process": 2,
}  # fmt: skip
"""Cases of each door in the ordinary test run."""
