"""Readers of files, databases and tables: CSV, Parquet, JSON, Excel, XES, SQL, wide tables."""

from __future__ import annotations

from cxjourney.io._csv_form import FileForm as FileForm
from cxjourney.io._encodings import check_encoding as check_encoding
from cxjourney.io._excel import read_excel
from cxjourney.io._files import connect as connect
from cxjourney.io._files import find_files as find_files
from cxjourney.io._files import format_of as format_of
from cxjourney.io._inspection import FileInspection, inspect_file
from cxjourney.io._json import read_json
from cxjourney.io._layout import Layout as Layout
from cxjourney.io._layout import layout_of as layout_of
from cxjourney.io._layout import layouts as layouts
from cxjourney.io._layout import recognise as recognise
from cxjourney.io._no_table import refuse_no_table as refuse_no_table
from cxjourney.io._parquet import parquet_relation as parquet_relation
from cxjourney.io._parquet import parquet_rows as parquet_rows
from cxjourney.io._read import columns_by_content as columns_by_content
from cxjourney.io._read import empty_columns as empty_columns
from cxjourney.io._read import file_columns as file_columns
from cxjourney.io._read import read_csv, read_parquet
from cxjourney.io._shapes import StepColumn, from_sequences, from_wide
from cxjourney.io._sql import read_sql
from cxjourney.io._xes import read_xes

__all__ = [
    "FileInspection",
    "StepColumn",
    "from_sequences",
    "from_wide",
    "inspect_file",
    "read_csv",
    "read_excel",
    "read_json",
    "read_parquet",
    "read_sql",
    "read_xes",
]


def __dir__() -> list[str]:
    return list(__all__)
