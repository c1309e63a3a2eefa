"""Conversion of a log to a data frame of the user's library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.optional import require
from cxjourney._support.validation import check_choice
from cxjourney.exceptions import MissingDependency, TimesRequired
from cxjourney.log._ingest import NO_SEQ

if TYPE_CHECKING:
    from cxjourney.log._interaction_log import InteractionLog


def to_frame(log: InteractionLog, backend: str | None = None) -> Any:
    """Return the log as a data frame with one row an interaction.

    The type depends on what is installed, hence Any. Timestamps are aware, in UTC.

    Parameters
    ----------
    backend
        "pandas", "polars" or "pyarrow"; None takes the input's, else pandas or polars.

    Raises
    ------
    MissingDependency
        If no data-frame library is installed.
    TimesRequired
        If the log was made of aggregated paths.
    """
    import narwhals as nw

    columns = log.columns
    if columns.time is None:
        raise TimesRequired("to_frame() needs times; aggregated paths have none")
    name = _backend(backend or log.backend)
    ids = np.array([*log.customer_ids, None], dtype=object)
    data: dict[str, Any] = {
        "customer": ids[columns.customer].tolist(),
        "timestamp": columns.time.view("M8[us]"),
    }
    data |= {role: coded.values() for role, coded in columns.coded.items()}
    for role, values in columns.numeric.items():
        if role == "duration_us":
            missing = np.isnan(values)
            spans = np.where(missing, 0, values).astype(np.int64).view("m8[us]")
            spans[missing] = np.timedelta64("NaT")
            data["duration"] = spans
        else:
            data[role] = values
    if columns.seq is not None:
        data["seq"] = [None if s == NO_SEQ else s for s in columns.seq.tolist()]
        if name == "pandas":  # which would make floats of it where one is missing
            data["seq"] = require("pandas", extra="test", caller="to_frame()").array(
                data["seq"], dtype="Int64"
            )
    if log.account is not None:
        accounts = [*(getattr(a, "id", a) for a in log.account.names), None]
        data["account"] = [accounts[c] for c in log.account.codes[columns.customer].tolist()]
    data |= {name: coded.values() for name, coded in columns.attributes.items()}
    frame = nw.from_dict(data, backend=name)  # type: ignore[arg-type]  # checked by _backend
    aware = nw.col("timestamp").dt.replace_time_zone("UTC")
    return frame.with_columns(aware).to_native()


def _backend(wanted: str | None) -> str:
    if wanted is not None:
        check_choice(wanted, "backend", ("pandas", "polars", "pyarrow"))
        require(wanted, extra="test", caller="to_frame()")
        return wanted
    for name in ("pandas", "polars"):
        try:
            require(name, extra="test", caller="to_frame()")
        except MissingDependency:
            continue
        return name
    raise MissingDependency("to_frame() needs pandas or polars: python -m pip install pandas")
