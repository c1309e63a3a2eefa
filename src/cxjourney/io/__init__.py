"""Readers of files and tables: CSV, Parquet, XES, wide tables, state sequences."""

from __future__ import annotations

from cxjourney.io._files import check_encoding as check_encoding
from cxjourney.io._files import find_files as find_files
from cxjourney.io._files import is_parquet as is_parquet
from cxjourney.io._read import empty_columns as empty_columns
from cxjourney.io._read import file_columns as file_columns
from cxjourney.io._read import read_csv, read_parquet
from cxjourney.io._shapes import StepColumn, from_sequences, from_wide
from cxjourney.io._xes import read_xes

__all__ = [
    "StepColumn",
    "from_sequences",
    "from_wide",
    "read_csv",
    "read_parquet",
    "read_xes",
]


def __dir__() -> list[str]:
    return list(__all__)
