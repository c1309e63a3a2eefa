"""Access to local files through private connections of DuckDB in memory."""

from __future__ import annotations

import difflib
import glob
import gzip
import importlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from cxjourney._support.optional import require
from cxjourney.exceptions import InputFileError, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    FilePath = str | os.PathLike[str]

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_UNREAD = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z"}
_OLD_WORKBOOK, _ZIP = b"\xd0\xcf\x11\xe0", b"PK\x03\x04"
_JSON = re.compile(r"""\[\s*[\[{\]"]|\{\s*["}]""")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@contextmanager
def connect(caller: str) -> Iterator[Any]:
    """Make a private DuckDB connection that loads no extension and fetches nothing.

    Any is the honest type: DuckDB is an optional package.

    Raises
    ------
    MissingDependency
        If DuckDB is not installed.
    """
    duckdb = require("duckdb", extra="files", caller=caller)
    config = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
        "temp_directory": "",  # rows of a file are never written to another one
    }
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            yield connection
        except RuntimeError as error:
            if str(error) != "Query interrupted":
                raise
            raise KeyboardInterrupt from None  # which DuckDB has taken for itself


def find_files(path: FilePath | Iterable[FilePath]) -> tuple[str, ...]:
    """Return the local files that a path, a glob or several of them name, globs in sorted order.

    A file that several of them name comes once, where it is named first.

    Raises
    ------
    InputFileError
        If a path is remote, is a directory, or matches no file; names files of similar name.
    InvalidValue
        If no path is given.
    """
    if isinstance(path, (str, os.PathLike)):
        path = [path]
    if isinstance(path, bytes) or not isinstance(path, Iterable):
        raise InvalidValue.of("path", "be a path, a glob or several of them", path)
    paths = [os.fspath(item) if isinstance(item, os.PathLike) else item for item in path]
    if not paths:
        raise InvalidValue.of("path", "name at least one file", paths)
    for item in paths:
        if not isinstance(item, str):
            raise InvalidValue.of("path", "hold paths only, each a str or a Path", item)
    found: dict[tuple[int, int], str] = {}
    for item in paths:
        for file in _matches(item):
            state = _state(file)
            found.setdefault((state.st_dev, state.st_ino), file)
    return tuple(found.values())


def _matches(path: str) -> list[str]:
    if _SCHEME.match(path):
        raise InputFileError(f"{path!r} is not a local file: download it first")
    if "\x00" in path:
        raise InputFileError(f"{path!r} is no path: it holds a null character")
    try:
        named = Path(path).expanduser()
        is_file = named.is_file()
    except (OSError, RuntimeError) as error:  # a name that is too long, an unknown ~user
        reason = getattr(error, "strerror", None) or str(error)
        raise InputFileError(f"{show_path(path)} cannot be read: {reason}") from None
    if is_file:  # a name with [ or * in it stands for itself
        return [str(named)]
    if named.is_dir():
        folder = glob.escape(str(named))
        held = glob.glob(f"{folder}/*")  # noqa: PTH207 - nothing where it is closed
        ends, below = sorted({Path(one).suffix for one in held if Path(one).is_file()} - {""}), ""
        if not ends:  # files may lie in folders of it
            deeper = map(Path, glob.iglob(f"{folder}/*/**/*.*", recursive=True))  # noqa: PTH207
            ends = [one.suffix for one in islice(filter(Path.is_file, deeper), 1)]
            below = "**/" if ends else ""
        example = f"{path.rstrip('/')}/{below}*{ends[0] if ends else '.csv'}"
        raise InputFileError(f"{path!r} is a directory: give a glob such as {example!r}")
    candidates = glob.glob(str(named), recursive=True)  # noqa: PTH207 - Path.glob is relative only
    found = sorted(name for name in candidates if Path(name).is_file())
    if not found:
        raise InputFileError(f"no file matches {path!r}{near_files(named)}")
    return found


def near_files(path: Path, ending: str = "") -> str:
    """Return the question whether a file of similar name in its folder was meant; "" for none."""
    folder = path.parent
    siblings = [f.name for f in folder.iterdir()] if folder.is_dir() else []
    siblings = [name for name in siblings if name.endswith(ending)]
    near = difflib.get_close_matches(path.name, siblings, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


@contextmanager
def unchanged(files: Iterable[str]) -> Iterator[None]:
    """Refuse files that others wrote to while the block read them.

    Raises
    ------
    InputFileError
        If a file is another, or has another size or time of change, after the block.
    """
    before = {file: _state(file) for file in files}
    yield
    for file, state in before.items():
        now = _state(file)
        if any(
            getattr(now, key) != getattr(state, key)
            for key in ("st_dev", "st_ino", "st_size", "st_mtime_ns")
        ):
            raise InputFileError(f"{show_path(file)} changed while it was read: read it again")


def _state(file: str) -> os.stat_result:
    try:
        return Path(file).stat()
    except OSError as error:
        raise InputFileError(f"{show_path(file)} cannot be read: {error.strerror}") from None


def show_path(file: str) -> str:
    """Return a path as a message shows it: control characters escaped, in quotes."""
    return repr(file)


@contextmanager
def read_errors(file: str, compression: str) -> Iterator[None]:
    """Turn what Python says about a file that it reads into one line that names it.

    Raises
    ------
    InputFileError
        Instead of errors of the system and of decompression inside the block.
    """
    try:
        yield
    except InputFileError:
        raise
    except (EOFError, zlib.error, OSError) as error:
        if compression != "none":
            raise InputFileError(
                f"{show_path(file)} cannot be read: the compressed stream is truncated or damaged"
            ) from None
        raise InputFileError(f"{show_path(file)} cannot be read: {error}") from None


def compression_of(file: str) -> str:
    """Return what the first bytes say; names lie.

    Raises
    ------
    InputFileError
        If the file cannot be opened, or is compressed in another way.
    """
    start = _first_bytes(file)
    for magic, kind in _UNREAD.items():
        if start.startswith(magic):
            raise InputFileError(
                f"{show_path(file)} is compressed with {kind}: unpack it, or use gzip or Zstandard"
            )
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "none")


def opened(file: str, compression: str) -> IO[bytes] | None:
    """Return a file to be read without its compression; None where Python lacks what it takes.

    The standard library reads Zstandard from Python 3.14 on, and pyarrow does.
    """
    if compression == "none":
        return Path(file).open("rb")
    if compression == "gzip":
        return cast(IO[bytes], gzip.open(file))
    try:
        return cast(IO[bytes], importlib.import_module("compression.zstd").open(file))
    except ImportError:
        pass
    try:
        stream: Any = importlib.import_module("pyarrow").input_stream(file, compression="zstd")
    except ImportError:
        return None
    return cast(IO[bytes], stream)


def _first_bytes(file: str) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            start = stream.read(5)
    except OSError as error:
        raise InputFileError(f"{show_path(file)} cannot be read: {error.strerror}") from None
    if not start:
        raise InputFileError(f"{show_path(file)} is empty")
    return start


def format_of(file: str) -> Literal["csv", "excel", "json", "parquet", "xes"]:
    """Return the format that a file begins with, whatever its name.

    Raises
    ------
    InputFileError
        If the file cannot be opened.
    """
    start = _first_bytes(file)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(_OLD_WORKBOOK) or (start.startswith(_ZIP) and _is_workbook(file)):
        return "excel"
    text = _beginning(file)
    if _JSON.match(text):
        return "json"
    named_so = file.lower().endswith((".xes", ".xes.gz"))  # and is to be told that it is none
    return "xes" if named_so or text.startswith("<") else "csv"


def _is_workbook(file: str) -> bool:
    """Return whether an archive has the parts of a workbook, as ECMA-376 or ODF name them."""
    try:
        with zipfile.ZipFile(file) as archive:
            return bool(
                {"xl/workbook.xml", "xl/workbook.bin", "content.xml"} & {*archive.namelist()}
            )
    except (OSError, zipfile.BadZipFile):
        return False


def _beginning(file: str) -> str:
    """Return the first characters, blanks left out; "" where a compressed file is damaged."""
    try:
        stream = opened(file, compression_of(file))
        if stream is None:
            return ""
        with stream:
            start = stream.read(4_096)
    except (OSError, EOFError, zlib.error):
        return ""
    wide = "utf-32" if b"\x00\x00" in start[:4] else "utf-16"
    encoding = wide if start[:2] in {b"\xff\xfe", b"\xfe\xff"} or wide == "utf-32" else "utf-8-sig"
    return start.decode(encoding, errors="replace").lstrip()


def is_json_array(file: str) -> bool:
    """Return whether a file of JSON is one array."""
    return _beginning(file).startswith("[")
