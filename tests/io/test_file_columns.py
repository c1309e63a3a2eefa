from __future__ import annotations

import gzip

import polars as pl
import pytest

from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.io import file_columns

HEADER = ("user id", "who, exactly", "żółw", "timestamp")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_splits_the_first_line_most(delimiter, tmp_path):
    names = ("a", "b, c" if delimiter == "," else "b", "d")
    line = delimiter.join(f'"{name}"' for name in names)
    (tmp_path / "log.csv").write_text(f"{line}\n1{delimiter}2{delimiter}3\n")
    assert file_columns(tmp_path / "log.csv") == names


def test_a_compressed_csv_and_a_parquet_file_are_told_by_their_content(tmp_path):
    frame = pl.DataFrame({name: ["x"] for name in HEADER})
    frame.write_parquet(tmp_path / "a.bin")
    (tmp_path / "b.bin").write_bytes(gzip.compress(frame.write_csv().encode()))
    assert file_columns(tmp_path / "a.bin") == HEADER
    assert file_columns(tmp_path / "b.bin") == HEADER


def test_the_first_file_of_a_glob_speaks_for_all(tmp_path):
    (tmp_path / "log-2.csv").write_text("c,d\n")
    (tmp_path / "log-1.csv").write_text("a,b\n")
    assert file_columns(tmp_path / "log-*.csv") == ("a", "b")


def test_a_file_without_a_first_line_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("\n\n")
    with pytest.raises(InputFileError, match="names of its columns"):
        file_columns(tmp_path / "log.csv")


def test_a_delimiter_of_two_characters_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("a::b\n")
    with pytest.raises(InvalidValue, match="delimiter must be a single character"):
        file_columns(tmp_path / "log.csv", delimiter="::")
