"""Logs that do not fit into memory: they are counted in shards."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cxjourney import io, sharded
from cxjourney.cli._explaining import explained
from cxjourney.cli._input import Opened, chosen_rules, ends_of, opened, roles_of
from cxjourney.cli._options import in_units
from cxjourney.cli._printing import complain
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import InactivitySuggestion, JourneyStatistics

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

BYTES_A_ROW = 500
"""What an interaction takes at most while a report is made of a log in memory."""

_LEAST_MB = 400
_SHARE = 0.7
_SUFFIXES = ("parquet", "csv", "csv.gz", "json", "jsonl", "xlsx", "xes", "xes.gz")
_OF_ROWS = (
    "segment", "wide", "layout", "score", "emotion", "expectation", "scale", "answers",
    "pseudonym_key", "pseudonym_key_env", "timestamp_format", "timestamp_unit",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Counted:
    """What was counted of the files that the options name, and what is to be said of it.

    Attributes
    ----------
    journeys
        The statistics of the journeys.
    rules
        How the journeys were cut.
    said
        Remarks to print before anything else.
    source
        Name of the files.
    python
        The Python that counts the same.
    suggestion
        What the inactivity limit was taken from, where it was not given.
    """

    journeys: JourneyStatistics
    rules: dict[str, Any]
    said: list[str]
    source: str
    python: str
    suggestion: InactivitySuggestion | None


def opened_or_counted(
    arguments: argparse.Namespace,
    attributes: Sequence[str] = (),
    begin: Callable[[str], None] | None = None,
    analyses: Mapping[str, Any] | None = None,
) -> Opened | Counted:
    """Read the log that the options name as `opened` does, or count it where it would not fit.

    `begin` is called with how many shards are counted, to show progress; `analyses` are counted
    besides.
    """
    beyond = _beyond_memory(arguments)
    if beyond is None:
        return opened(arguments, attributes)
    return _counted(arguments, beyond, begin, analyses)


def opened_whole(arguments: argparse.Namespace, attributes: Sequence[str]) -> Opened:
    """Read the log that the options name as `opened` does; warn where it would not fit."""
    beyond = _beyond_memory(arguments)
    if beyond is not None:
        complain("warning", f"{beyond}; a report is made in shards, this needs the rows")
    return opened(arguments, attributes)


def _beyond_memory(arguments: argparse.Namespace) -> str | None:
    """Return why Parquet files would not fit into memory; None where they would, if known.

    A folder gives way to the glob of its files.
    """
    if arguments.file is None or arguments.sample:
        return None
    arguments.file = _of_folder(arguments.file)
    limit = arguments.memory or available()
    with explained(arguments):
        files = io.find_files(arguments.file)
        if limit is None or io.format_of(files[0]) != "parquet":
            return None
        rows = io.parquet_rows(files)
    if rows * BYTES_A_ROW <= limit:
        return None
    return (
        f"{rows:,} interactions would take about {_size(rows * BYTES_A_ROW)} of memory, of which "
        f"there are {_size(limit)} (--memory sets another limit)"
    )


def _size(n_bytes: int) -> str:
    unit, name = (10**9, "GB") if n_bytes >= 10**9 else (10**6, "MB")
    return f"{n_bytes / unit:,.1f} {name}"


def available() -> int | None:
    """Return how much memory is free, within what a container may take [bytes]; None if unknown."""
    found = []
    with suppress(OSError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        found += [
            int(kb) << 10 for kb in re.findall(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
        ]
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        most, used = (int((group / f"memory.{x}").read_text()) for x in ("max", "current"))
        found.append(max(most - used, 0))
    with suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found, default=None)


def _of_folder(file: str) -> str:
    """Return the glob of the files of a folder, where all that can be read are of one format."""
    folder = Path(file)
    if not folder.is_dir():
        return file
    there = [one for one in _SUFFIXES if any(folder.rglob(f"*.{one}"))]
    if len(there) > 1:
        globs = " or ".join(f"'{folder / '**' / ('*.' + one)}'" for one in there)
        raise InvalidValue(f"{file!r} holds files of several formats: give a glob such as {globs}")
    return str(folder / "**" / f"*.{there[0]}") if there else file


def _counted(
    arguments: argparse.Namespace,
    beyond: str,
    begin: Callable[[str], None] | None,
    analyses: Mapping[str, Any] | None,
) -> Counted:
    said = [f"counted in shards, without the rows: {beyond}"]
    for name in _OF_ROWS:
        if getattr(arguments, name, None):
            raise InvalidValue(f"--{name.replace('_', '-')} needs the rows, but {beyond}")
    present = io.file_columns(arguments.file)
    with explained(arguments):
        roles = roles_of(arguments, present, (), said)
    columns = {**roles, "currency": arguments.currency, "tz": arguments.tz}
    columns |= {"observed_until": arguments.observed_until}
    columns |= {"missing": "drop" if arguments.drop_missing else None}
    memory = int(_SHARE * (arguments.memory or available() or 0)) // 10**6
    columns["memory"] = f"{max(memory, _LEAST_MB)}MB"
    words: list[str] = []

    def told(done: int, n: int) -> None:
        if begin is not None:
            begin(f"counting: {done} of {n} shards")

    def count(name: str, **plan: Any) -> JourneyStatistics:
        plan = {
            key: one for key, one in (columns | plan).items() if one not in (None, (), False, {})
        }
        shown = {key: one if key != "inactivity" else in_units(one) for key, one in plan.items()}
        given = ", ".join([repr(arguments.file), *(f"{key}={one!r}" for key, one in shown.items())])
        words.append(f"{name} = cx.sharded.parquet({given})")
        return sharded.parquet(arguments.file, progress=told, **plan)

    def suggest() -> InactivitySuggestion:
        silences = count("silences", goal=arguments.goal, analyses={"suggest_inactivity": {}})
        words.append("suggestion = silences.suggest_inactivity()")
        return silences.suggest_inactivity()

    rules, suggestion = chosen_rules(arguments, suggest, None, said)
    statistics = count("statistics", **rules, analyses=analyses)
    return Counted(
        journeys=statistics,
        rules=rules,
        suggestion=suggestion,
        said=said + ends_of(statistics),
        source=Path(arguments.file).name,
        python="\n".join(words),
    )
