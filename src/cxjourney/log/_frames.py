"""Conversion of a log to a data frame of the user's library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cxjourney._support.optional import require
from cxjourney._support.validation import check_choice
from cxjourney.exceptions import MissingDependency, TimesRequired
from cxjourney.log._ingest import NO_SEQ

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cxjourney.log._interaction_log import InteractionLog


_PM4PY = {
    "customer": "case:concept:name",
    "touchpoint": "concept:name",
    "timestamp": "time:timestamp",
    "owner": "org:resource",
}


def to_frame(
    log: InteractionLog, backend: str | None = None, *, shape: Literal["pm4py"] | None = None
) -> Any:
    """Return the log as a data frame with one row an interaction.

    The type depends on what is installed, hence Any. Timestamps are aware, in UTC.

    Parameters
    ----------
    backend
        "pandas", "polars" or "pyarrow"; None takes the input's, else pandas or polars.
    shape
        "pm4py" names the columns as pm4py expects them, a customer being a case; None keeps the
        names of the log. `journeys.to_frame` has further shapes.

    Raises
    ------
    InvalidValue
        If there is no such shape or library.
    MissingDependency
        If no data-frame library is installed.
    TimesRequired
        If the log was made of aggregated paths.
    """
    columns = log.columns
    if columns.time is None:
        raise TimesRequired("to_frame() needs times; aggregated paths have none")
    name = backend_of(backend or log.backend)
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
    if shape is None:
        return framed(data, name, ("timestamp",))
    check_choice(shape, "shape", ("pm4py",))
    data = {_PM4PY.get(role, role): values for role, values in data.items()}
    return framed(data, name, ("time:timestamp",))


def framed(data: Mapping[str, Any], backend: str, moments: Iterable[str] = ()) -> Any:
    """Return columns as a frame of a library that `backend_of` gave; `moments` are aware, UTC."""
    import narwhals as nw

    frame = nw.from_dict(dict(data), backend=backend)  # type: ignore[arg-type]  # checked before
    aware = [nw.col(name).dt.replace_time_zone("UTC") for name in moments]
    return frame.with_columns(*aware).to_native()


def backend_of(wanted: str | None) -> str:
    """Return the data-frame library that was asked for, else one that is installed."""
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
