"""Files that hold no table which can be read: what they are, and what to do about it."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any, NoReturn

from cxjourney.exceptions import InputFileError
from cxjourney.io._files import compression_of, format_of, is_json_array, opened, show_path

_HEAD = 65_536
_MOST_JSON = 64_000_000  # bytes that are parsed to say what is wrong
_EXPORT = "export the table behind it as CSV or .xlsx"
_SAVE = "open it in Excel or LibreOffice and save it as .xlsx or CSV"
_MAGIC = {
    b"%PDF": ("a PDF document, no table", _EXPORT),
    b"\x89PNG": ("a picture (PNG), no table", _EXPORT),
    b"\xff\xd8\xff": ("a picture (JPEG), no table", _EXPORT),
    b"GIF8": ("a picture (GIF), no table", _EXPORT),
    b"RIFF": ("a picture or a recording, no table", _EXPORT),
    b"SQLite format 3": ("a database of SQLite", "cx.read_sql(query, connection) reads it"),
}
_HTML = re.compile(r"(?i)\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|meta|body|table|style)")
_IN_OFFICE = {
    "EncryptedPackage": (
        "a workbook that is protected by a password",
        "open it in Excel, take the password off (File, Info, Protect) and save a copy",
    ),
    "WordDocument": ("a document of Word, no table", _EXPORT),
}


def refuse_no_table(file: str) -> None:
    """Raise InputFileError where a file holds no table, saying what it is and what to do."""
    with Path(file).open("rb") as stream:
        start = stream.read(_HEAD)
    for magic, (what, remedy) in _MAGIC.items():
        if start.startswith(magic):
            _refuse(file, what, remedy)
    if start.startswith(b"PK\x03\x04"):
        _refuse_archive(file)
    elif start.startswith(b"\xd0\xcf\x11\xe0"):
        content = Path(file).read_bytes()
        for part, (what, remedy) in _IN_OFFICE.items():
            if part.encode("utf-16-le") in content:
                _refuse(file, what, remedy)
    elif start and compression_of(file) == "none":
        _refuse_text(file, start)
    if start and format_of(file) == "json" and not is_json_array(file):
        _refuse_object(file)


def _refuse(file: str, what: str, remedy: str) -> NoReturn:
    raise InputFileError(f"{show_path(file)} is {what}: {remedy}")


def _refuse_archive(file: str) -> None:
    """Refuse an archive that is no workbook."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (OSError, zipfile.BadZipFile):
        _refuse(file, "a damaged ZIP archive or workbook", "copy or export it again")
    if {"xl/workbook.xml", "xl/workbook.bin", "content.xml"} & {*names}:
        return
    if {"word/document.xml", "ppt/presentation.xml"} & {*names}:
        _refuse(file, "a document of Word or PowerPoint, no table", _EXPORT)
    shown = ", ".join(map(repr, names[:3])) + ", …" * (len(names) > 3)
    remedy = "unpack it, and name what is in it; several files of the same columns as a glob"
    _refuse(file, f"a ZIP archive of {len(names):,} files ({shown or 'nothing'})", remedy)


def _refuse_text(file: str, start: bytes) -> None:
    """Refuse web pages, and what is no text."""
    text = start.decode("utf-8-sig", errors="replace")
    if _HTML.match(text):
        named = Path(file).suffix.lower()
        _refuse(file, "a web page" + f" that is named {named}" * (named != ".html"), _SAVE)
    if "Excel.Sheet" in text[:400]:
        _refuse(file, "a workbook in the XML of 2003", _SAVE)
    if start.startswith((b"\xff\xfe", b"\xfe\xff", b"PAR1")):
        return
    odd = sum(byte < 9 or 13 < byte < 32 for byte in start)
    in_utf16 = max(start[::2].count(0), start[1::2].count(0)) > 0.15 * len(start)
    if odd > 0.02 * len(start) and not in_utf16:
        _refuse(file, "binary, and of no kind that is known", _EXPORT)


def _refuse_object(file: str) -> None:
    """Refuse JSON that is one object around a table."""
    stream = opened(file, compression_of(file))
    if stream is None:
        return
    with stream:
        content = stream.read(_MOST_JSON)
    try:
        value: Any = json.loads(content)
    except ValueError:  # several objects, or one that is longer
        return
    parts = value if isinstance(value, dict) else {}
    lists = {name: inner for name, inner in parts.items() if isinstance(inner, list)}
    if lists and len(lists) == len(parts) and len(set(map(len, lists.values()))) == 1:
        remedy = "in Python, cx.InteractionLog.from_frame(json.load(open(path)), …) reads it"
        _refuse(file, "one JSON object of arrays, a column each", remedy)
    for name, inner in lists.items():
        if inner and all(isinstance(item, dict) for item in inner):
            remedy = f"write that list alone, as in: jq '.[{json.dumps(name)}]' old.json > new.json"
            _refuse(file, f"one JSON object that holds its rows as a list in {name!r}", remedy)
