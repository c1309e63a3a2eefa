"""`JourneyState`: where the last journey of a customer stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from cxjourney.domain import Interaction, Journey, Outcome
from cxjourney.journeys import OUTCOMES
from cxjourney.log import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._support.table import Table
    from cxjourney.journeys import JourneyRules, Journeys

_MICROSECOND = timedelta(microseconds=1)


class Predictor(Protocol):
    """What predicts running journeys, as `cxjourney.predict.JourneyPredictor` does."""

    def predict(self, prefixes: Journeys | Journey, /, *, now: datetime) -> Table:
        """Return a table with one row for each journey in progress, among others `dropoff`."""
        ...


@attrs.frozen(kw_only=True, repr=False)
class JourneyState:
    """Where a journey stands.

    Attributes
    ----------
    customer
        Id of the customer, which is not shown.
    now
        The moment of which it tells.
    outcome
        How the journey ended, or that it is in progress.
    touchpoints
        Names of the touchpoints so far, in order.
    stage
        The last stage that is known; None where none is.
    begin, last
        When it began, and when the last interaction was.
    predictions
        What the predictor says of it, by name; None without one, or where it has ended.
    """

    customer: str
    now: datetime
    outcome: Outcome
    touchpoints: tuple[str, ...]
    stage: str | None
    begin: datetime
    last: datetime
    predictions: Mapping[str, Any] | None = None
    _rows: tuple[dict[str, Any], ...] = attrs.field(eq=False)

    @property
    def silence(self) -> timedelta:
        """Time since the last interaction; nothing where that lies ahead of now."""
        return max(self.now - self.last, timedelta(0))

    @property
    def journey(self) -> Journey:
        """The journey as a typed object, with what the tracker keeps of its interactions."""
        return Journey(
            customer=self.customer,
            interactions=[Interaction(customer=self.customer, **row) for row in self._rows],
            outcome=self.outcome,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the state as a JSON-ready dictionary, the silence in seconds."""
        return {
            "customer": self.customer,
            "now": self.now.isoformat(),
            "outcome": self.outcome.value,
            "touchpoints": list(self.touchpoints),
            "stage": self.stage,
            "begin": self.begin.isoformat(),
            "last": self.last.isoformat(),
            "silence_s": self.silence.total_seconds(),
            "predictions": None if self.predictions is None else _finite(self.predictions),
        }

    def __repr__(self) -> str:
        path = " > ".join(self.touchpoints[-3:])
        more = "… > " if len(self.touchpoints) > 3 else ""
        return f"JourneyState: {more}{path}, {self.outcome.value}, silent for {self.silence}"


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in row.items()}  # noqa: PLR0124 - NaN


def last_journey(
    rows: Sequence[dict[str, Any]], rules: JourneyRules, now_us: int
) -> tuple[list[dict[str, Any]], Outcome]:
    """Return the last journey of a customer, and its outcome.

    Parameters
    ----------
    rows
        The interactions by time, as the fields of `Interaction`; "timestamp" in microseconds.
    rules
        How journeys are cut.
    now_us
        The present [µs since the epoch].
    """
    assert rules.inactivity is not None  # noqa: S101 - a tracker has a limit
    limit = rules.inactivity // _MICROSECOND
    ends = {*rules.exit_touchpoints, *(rules.goal if rules.absorbing else ())}
    own: list[dict[str, Any]] = []
    last_us = 0
    for row in rows:
        if not own or row["timestamp"] - last_us >= limit:
            own = [row]
        elif own[-1]["touchpoint"] not in ends:
            own.append(row)
        elif rules.after_goal != "discard":
            own = [row]
        last_us = row["timestamp"]
    if any(row["touchpoint"] in rules.goal for row in own):
        return own, Outcome.CONVERTED
    left = own[-1]["touchpoint"] in rules.exit_touchpoints
    dropped = left or now_us - own[-1]["timestamp"] >= limit
    return own, Outcome.DROPPED if dropped else Outcome.IN_PROGRESS


def state_of(
    customer: str, rows: Sequence[dict[str, Any]], outcome: Outcome, now_us: int
) -> JourneyState:
    """Return the state of a journey, given its interactions as those of `last_journey`."""
    told = tuple(row | {"timestamp": moment(row["timestamp"])} for row in rows)
    stages = [row["stage"] for row in told if row.get("stage") is not None]
    return JourneyState(
        customer=customer,
        now=moment(now_us),
        outcome=outcome,
        touchpoints=tuple(row["touchpoint"] for row in told),
        stage=stages[-1] if stages else None,
        begin=told[0]["timestamp"],
        last=told[-1]["timestamp"],
        rows=told,
    )


def state_at(journeys: Journeys, i: int, now_us: int) -> JourneyState:
    """Return the state of one of the journeys of a log of a tracker."""
    columns, (begin, stop) = journeys.columns, journeys.offsets[i : i + 2].tolist()
    assert columns.time is not None  # noqa: S101 - interactions have times
    rows: list[dict[str, Any]] = [{"timestamp": us} for us in columns.time[begin:stop].tolist()]
    for name, coded in columns.coded.items():
        names = (*coded.names, None)
        for row, code in zip(rows, coded.codes[begin:stop].tolist(), strict=True):
            row[name] = names[code]
    for row, value in zip(rows, columns.numeric.get("value", ())[begin:stop], strict=False):
        row |= {} if math.isnan(value) else {"value": value, "currency": journeys.log.currency}
    customer = journeys.log.customer_ids[journeys.customer[i]]
    return state_of(customer, rows, OUTCOMES[journeys.outcome[i]], now_us)
