"""The folder of a store: immutable files, a manifest that is replaced whole, and one lock."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs

from cxjourney._support.writing import write_whole
from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.journeys import Uses
from cxjourney.sharded._duckdb import only_here

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
_MANIFEST, _LOCK = "manifest.json", "lock"
_OWNER_ONLY = 0o700


@attrs.frozen(kw_only=True)
class Part:
    """What a manifest says of the customers of one part.

    Attributes
    ----------
    generation
        The update that wrote its files.
    until_us
        The end of the observation then [µs since the epoch].
    last_us
        When the last of its interactions was; None where there is none.
    n_settled
        How many of its customers are settled.
    uses
        How often those use each name.
    names
        Names of the nodes of the ages, by grain: a code is a place, and keeps it.
    """

    generation: int
    until_us: int | None
    last_us: int | None
    n_settled: int = 0
    uses: Uses = attrs.field(factory=dict)
    names: dict[str, list[str]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class State:
    """What a store holds after an update: the manifest.

    Attributes
    ----------
    plan
        What the store was made for, as JSON has it.
    generation
        Number of the update.
    types
        Type of each column in the source, by role; empty until there was an interaction.
    parts
        The parts, a power of 2.
    until_us
        The end of the observation [µs since the epoch].
    """

    plan: dict[str, Any]
    generation: int = 0
    types: dict[str, str] = attrs.field(factory=dict)
    parts: tuple[Part, ...] = ()
    until_us: int | None = None


def file_of(folder: Path, number: int, part: Part, kind: str) -> Path:
    """Return the path of a file of a part."""
    return folder / f"{number:05}-{part.generation:08}-{kind}"


def whole_of(folder: Path, state: State) -> Path:
    """Return the path of the statistics of all parts."""
    return folder / f"whole-{state.generation:08}-statistics"


def read_state(folder: Path) -> State | None:
    """Return what a store holds, None where there is none.

    Raises
    ------
    InputFileError
        If the manifest is damaged, or of another release.
    """
    try:
        facts = json.loads((folder / _MANIFEST).read_bytes())
        if facts.pop("format") == FORMAT:
            parts = tuple(Part(**one) for one in facts.pop("parts"))
            return State(**facts, parts=parts)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise InputFileError(
        f"{folder / _MANIFEST} is no manifest of a store in format {FORMAT}: build the store anew "
        "in another folder"
    )


def write_state(folder: Path, state: State) -> None:
    """Replace the manifest, and remove the files that it does not name."""
    for file in folder.iterdir():
        if file.name not in {_MANIFEST, _LOCK} and _is_of_generation(file, state.generation):
            _kept(file)
    facts = {"format": FORMAT, **attrs.asdict(state)}
    write_whole(folder / _MANIFEST, json.dumps(facts).encode())
    (folder / _MANIFEST).chmod(0o600)
    _synced(folder)
    swept(folder, state)


def swept(folder: Path, state: State | None) -> None:
    """Remove the files of a store that its manifest does not name, as a killed update leaves."""
    named = {_MANIFEST, _LOCK}
    if state is not None:
        named.add(whole_of(folder, state).name)
        for number, part in enumerate(state.parts):
            named |= {file_of(folder, number, part, kind).name for kind in KINDS}
    for file in folder.iterdir():
        own = file.name.startswith(_MANIFEST) or file.name.endswith(tuple(KINDS))
        if own and file.name not in named:
            with suppress(OSError):
                file.unlink()


KINDS = ("live.parquet", "settled.parquet", "customers.parquet", "ages.parquet", "statistics")


def made_private(folder: Path) -> None:
    """Make the folder of a store, which only this user may enter."""
    folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InvalidValue.of("folder", "be a store, empty, or not there yet", str(folder))
    folder.chmod(_OWNER_ONLY)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let nobody else change a store; a lock goes with the process that holds it.

    Raises
    ------
    InvalidValue
        If another update or erasure changes it.
    """
    with (folder / _LOCK).open("a+b") as file:
        (folder / _LOCK).chmod(0o600)
        if not only_here(file):
            file.seek(0)
            holder = file.read().decode(errors="replace")
            process = f" (process {holder})" if holder else ""
            raise InvalidValue(
                f"{folder} is being changed by another update{process}: wait until it has ended, "
                "since a store takes one update at a time"
            )
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


def _is_of_generation(file: Path, generation: int) -> bool:
    return file.name.split("-")[1:2] == [f"{generation:08}"]


def _kept(file: Path) -> None:
    file.chmod(0o600)
    _synced(file)


def _synced(path: Path) -> None:
    """Have what a path holds on the disk; a folder cannot be opened everywhere."""
    with suppress(PermissionError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
