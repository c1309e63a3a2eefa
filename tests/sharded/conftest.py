"""Sessions of Spark: the classic one, and one of Spark Connect."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", params=["classic", "connect"])
def spark(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Return a session in a zone that no test means."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # two cores, and two attempts at a task
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of imports and of a server that starts
        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        if request.param == "classic":
            folder = str(tmp_path_factory.mktemp("spark"))
            builder = builder.master("local[2, 2]").config("spark.sql.warehouse.dir", folder)
            builder = builder.config("spark.ui.enabled", "false")
            builder = builder.config("spark.ui.showConsoleProgress", "false")
        else:
            builder = builder.remote("local[2, 2]")
        session = builder.getOrCreate()
        session.conf.set("spark.sql.session.timeZone", "America/New_York")
        session.conf.set("spark.sql.shuffle.partitions", "3")
    yield session
    session.stop()
