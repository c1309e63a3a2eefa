"""Consistency, convenience and personalisation of journeys, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney import metrics
from cxjourney._stats.buckets import student_interval
from cxjourney._stats.customer_sums import CustomerSums
from cxjourney._stats.estimates import CLUSTERED
from cxjourney._stats.landmark import usual_window
from cxjourney._stats.ratios import mean_figures
from cxjourney._stats.stratified import stratified_difference
from cxjourney._support.table import Table
from cxjourney._support.validation import check_mapping, check_number, duration_us
from cxjourney._time.calendar import DAY_US
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.experience._inferred_effort import inferred_effort
from cxjourney.journeys import units_of, until_goal_us, visits_of
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from cxjourney._support.array_types import Bools, Floats
    from cxjourney.journeys import Journeys

SPREAD = "spread between channels"
CES = "CES"
SHARE = "personalised contacts"
ASSOCIATION = "conversion after them (association)"
_LATEST = 20  # from this visit of a journey on all are one stratum
_COLUMNS = ("aspect", "measure", "value", "low", "high", "n", "unit")
Row = tuple[str, str, float, float, float, int, str]


def three_cs(
    journeys: Journeys,
    *,
    measure: str,
    effort: Floats | None,
    personalised: Bools | None,
    within: timedelta | None,
    level: float,
) -> tuple[Table, list[str]]:
    """Return one row a measure of the three, and what a reader must know."""
    said: list[str] = []
    rows = [
        *_consistency(journeys, measure, said, level),
        *_convenience(journeys, effort, level),
        *_personalisation(journeys, personalised, within, said, level),
    ]
    columns: dict[str, Any] = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
    return Table(columns, backend=journeys.log.backend), said


def _consistency(journeys: Journeys, measure: str, said: list[str], level: float) -> list[Row]:
    from cxjourney.omnichannel import consistency

    if "channel" not in journeys.columns.coded:
        said.append("Consistency needs channels, which the log does not have.")
        return []
    found = consistency(journeys, score=measure, level=level).spread
    return [("consistency", SPREAD, found.value, found.low, found.high, found.n, "points")]


def _convenience(journeys: Journeys, effort: Floats | None, level: float) -> list[Row]:
    found = inferred_effort(journeys, level=level)
    n = int(np.count_nonzero(~np.isnan(found.index)))
    rows: list[Row] = [
        (
            "convenience",
            str(row["component"]),
            float(row["mean"] or 0.0),
            float(row["low"] or 0.0),
            float(row["high"] or 0.0),
            n,
            "days" if row["component"] == "days" else "a journey",
        )
        for row in found.table
    ]
    if effort is not None:
        known = np.flatnonzero(~np.isnan(effort))
        owner = np.repeat(journeys.customer, np.diff(journeys.offsets))
        asked = metrics.ces(effort[known], customer=owner[known], level=level)
        rows.append(("convenience", CES, asked.value, asked.low, asked.high, asked.n, "fraction"))
    return rows


def _personalisation(
    journeys: Journeys,
    personalised: Bools | None,
    within: timedelta | None,
    said: list[str],
    level: float,
) -> list[Row]:
    if personalised is None:
        said.append("Personalisation is not looked at: personalised= says which contacts it is of.")
        return []
    visits = visits_of(journeys)
    mine = personalised[visits.row]
    share = mean_figures(mine.astype(np.float64), units_of(journeys), visits.journey)
    (low,), (high,) = share.wilson(level)
    rows: list[Row] = [
        ("personalisation", SHARE, float(share.whole[0]), low, high, len(mine), "fraction")
    ]
    if not journeys.rules.goal:
        said.append("Conversion after personalised contacts needs a goal.")
        return rows
    return [*rows, _conversion_after(journeys, mine, within, said, level)]


def _conversion_after(
    journeys: Journeys, mine: Bools, within: timedelta | None, said: list[str], level: float
) -> Row:
    """Return how much likelier a conversion is after personalised contacts than after others.

    Contacts are compared with those at the same touchpoint that are as many visits into a journey,
    and only those that were followed to the end of the window, whatever came of them.
    """
    visits, time = visits_of(journeys), np.asarray(journeys.columns.time)
    took = until_goal_us(journeys, visits.row, visits.journey)
    here = time[visits.row]
    until = journeys.log.observed_until_us
    end = int(time.max(initial=0) if until is None else until)
    span = float(max(end - int(time.min(initial=end)), DAY_US))
    window = (
        usual_window(took[np.isfinite(took)], span, day=float(DAY_US))
        if within is None
        else float(duration_us(within))
    )
    rows = np.flatnonzero(here + window <= end)
    number = np.arange(len(here)) - visits.first[visits.journey] if len(here) else here
    stratum = visits.node * (_LATEST + 1) + np.minimum(number, _LATEST)
    used, cell = np.unique(stratum[rows], return_inverse=True)
    event = (took[rows] <= window).astype(np.float64)
    exposed, others = (
        CustomerSums.of(np.where(side, cell, -1), visits.customer[rows], event, max(len(used), 1))
        for side in (mine[rows], ~mine[rows])
    )
    found = stratified_difference(exposed, others)
    n = int(exposed.trials[found.weights > 0].sum())
    low, high = student_interval(
        np.array(found.value),
        np.array(found.variance),
        np.array(found.units - 1 if found.units >= 3 else np.nan),
        level=level,
    )
    if np.isnan(found.value):
        said.append(
            "No touchpoint has contacts that are personalised and others that are not, so many "
            "visits into a journey: conversions are not compared."
        )
    said.append(
        f"Conversion within {window / DAY_US:.3g} days of a contact, personalised ones minus "
        "others at the same touchpoint, as many visits into a journey: an association, not an "
        "effect."
    )
    return (
        "personalisation",
        ASSOCIATION,
        found.value,
        max(float(low), -1.0) if np.isfinite(low) else float("nan"),
        min(float(high), 1.0) if np.isfinite(high) else float("nan"),
        n,
        "fraction",
    )


def weighted_total(weights: Mapping[str, float], cs: Table, wider: Table, level: float) -> Estimate:
    """Return the sum of measures times weights; `wider` has intervals at the level of each.

    With k measures at the level 1 - (1 - level) / k all of them are within their intervals at the
    level asked for (Bonferroni), and then so is their sum within the sum of the ends.
    """
    value = low = high = 0.0
    names = [str(name) for name in cs["measure"]]
    for name, weight in weights.items():
        if name not in names:
            raise UnknownName.among("measure of weights", name, names, where="the three Cs")
        row = wider.row(names.index(name))
        value += weight * float(row["value"] or 0.0)
        ends = sorted(weight * float(row[end] or 0.0) for end in ("low", "high"))
        low, high = low + ends[0], high + ends[1]
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=len(weights),
        unit="weighted",
        method=f"Bonferroni, {CLUSTERED}",
        name="weighted total",
        definition="sum of the measures of the three Cs times the weights that were given",
        parameters=dict(weights),
    )


def check_weights(weights: Mapping[str, float] | None) -> dict[str, float] | None:
    """Return weights of measures, each a finite number."""
    if weights is None:
        return None
    given = check_mapping(weights, "weights")
    if not given:
        raise InvalidValue.of("weights", "weigh at least one measure", weights)
    checked = {name: float(check_number(one, f"weights[{name!r}]")) for name, one in given.items()}
    for name, one in checked.items():
        if not np.isfinite(one):
            raise InvalidValue.of(f"weights[{name!r}]", "be finite", one)
    return checked
