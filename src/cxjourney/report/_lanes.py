"""Cells of the journey map: each lane by stage, with counts and intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from cxjourney._support.table import format_value
from cxjourney._support.words import counted
from cxjourney.domain import MISSING
from cxjourney.exceptions import NotAbsorbing, OutcomeUndetermined, TimesRequired, UnknownName
from cxjourney.journeys import contacts_of, visits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from cxjourney._support.table import Table
    from cxjourney.critical import CriticalPoints
    from cxjourney.domain import JourneyBlueprint
    from cxjourney.journeys import Journeys, Visits
    from cxjourney.log import Coded

Lane = Literal[
    "touchpoints",
    "channels",
    "volume",
    "actions",
    "promise",
    "emotion",
    "expectation gap",
    "pain points",
    "moments of truth",
    "drop-off",
    "waiting",
    "opportunities",
    "owner",
]
LANES: tuple[Lane, ...] = Lane.__args__  # type: ignore[attr-defined]  # the parts of a Literal

LISTED = 6  # names that a cell lists before it sums up the rest
_FEW = 3  # pain points, moments and opportunities of a stage
_NOTABLE = 0.05  # the removal effect from which a touchpoint is a moment of truth
_UNDEFINED = (NotAbsorbing, OutcomeUndetermined, TimesRequired)


@attrs.frozen(kw_only=True)
class MapEntry:
    """One statement in a cell of a journey map.

    Attributes
    ----------
    lane, stage
        The cell.
    text
        What it says, or what the number is about.
    value, low, high
        The number with its interval; NaN where there is none.
    n
        Observations behind it; 0 for what is assumed.
    kind
        How numbers are shown: "percent", "number", "integer", "duration"; empty for no number.
    basis
        "data", or "assumed": it stands in a blueprint or was written by hand.
    touchpoint, channel
        The touchpoint that it is about, and the channel of most of its visits; "" for none.
    others
        The touchpoints or channels that an entry such as "and 3 more" sums up.
    """

    lane: Lane
    stage: str
    text: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    kind: str = ""
    basis: Literal["data", "assumed"] = "assumed"
    touchpoint: str = ""
    channel: str = ""
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [self.text] if self.text else []
        if self.kind:
            parts.append(format_value(self.value, self.kind))
        if not math.isnan(self.low):
            low, high = (format_value(end, self.kind) for end in (self.low, self.high))
            parts.append(f"[{low}, {high}]")
        if self.basis == "data" and self.n:
            parts.append(f"n={self.n:,}")
        return " ".join(parts)


def filled(
    journeys: Journeys,
    stages: tuple[str, ...],
    *,
    actions: str | None,
    points: CriticalPoints | None,
    level: float,
) -> tuple[tuple[MapEntry, ...], tuple[str, ...]]:
    """Return what the data say, and why a lane is empty where it is.

    Parameters
    ----------
    journeys
        The journeys, of a log with stages.
    stages
        The columns of the map.
    actions
        Name of the attribute that says what the customer does.
    points
        The critical points; None where they are not defined.
    level
        Confidence level.
    """
    visits, contacts = visits_of(journeys, "stage"), contacts_of(journeys, "stage")
    lanes: dict[Lane, Callable[[], Iterator[MapEntry]]] = {
        "touchpoints": lambda: _names(journeys, contacts, "touchpoint", "touchpoints"),
        "channels": lambda: _names(journeys, contacts, "channel", "channels"),
        "volume": lambda: _volume(journeys, visits, level),
        "emotion": lambda: _emotion(journeys, level),
        "expectation gap": lambda: _gap(journeys, level),
        "drop-off": lambda: _dropoff(journeys, level),
        "waiting": lambda: _waiting(journeys, level),
        "owner": lambda: _names(journeys, contacts, "owner", "owner"),
    }
    if actions is not None:
        lanes["actions"] = lambda: _names(journeys, contacts, actions, "actions")
    if points is not None:
        home = _home(journeys, contacts)
        lanes["pain points"] = lambda: _pain(journeys, points.table, home, level)
        lanes["moments of truth"] = lambda: _moments(points.table, home)
        lanes["opportunities"] = lambda: _opportunities(points.table, home)
    found: list[MapEntry] = []
    notes, unknown = [], []
    for lane in LANES:
        if lane not in lanes:
            continue
        try:
            found += [entry for entry in lanes[lane]() if entry.stage in stages]
        except UnknownName:
            unknown.append(lane)
        except _UNDEFINED as error:
            notes.append(f"The lane {lane!r} is empty: {str(error).partition(';')[0]}.")
    if unknown:
        lanes_are = counted(len(unknown), "lane is", "lanes are")
        notes.append(f"{lanes_are} empty, because the log has no such data: {', '.join(unknown)}.")
    return tuple(found), tuple(notes)


def _names(journeys: Journeys, visits: Visits, column: str, lane: Lane) -> Iterator[MapEntry]:
    """Yield the names of a column by visits within each stage, the rest of them summed up."""
    coded = journeys.log.attribute(column)
    if column in journeys.columns.coded:
        coded = journeys.columns.coded[column]
    elif column in journeys.columns.attributes:
        coded = journeys.columns.attributes[column]
    names = [*map(str, coded.names), MISSING]
    channels = _channels(journeys, coded) if lane == "touchpoints" else ()
    for stage, counts in zip(visits.names, _cross(visits, coded), strict=True):
        order = [k for k in np.argsort(-counts, kind="stable").tolist() if counts[k] > 0]
        for k in order[:LISTED]:
            entry = _count(lane, stage, names[k], int(counts[k]))
            if lane == "touchpoints":
                entry = attrs.evolve(entry, touchpoint=names[k], channel=channels[k])
            elif lane == "channels":
                entry = attrs.evolve(entry, channel=names[k])
            yield entry
        if rest := order[LISTED:]:
            summed = _count(lane, stage, f"and {len(rest)} more", int(counts[rest].sum()))
            others = tuple(names[k] for k in rest) if lane in {"touchpoints", "channels"} else ()
            yield attrs.evolve(summed, others=others)


def _channels(journeys: Journeys, touchpoint: Coded) -> list[str]:
    """Return the channel of most interactions of each touchpoint; "" where it is not known."""
    channel = journeys.columns.coded.get("channel")
    width = len(touchpoint.names)
    if channel is None or not channel.names:
        return [""] * (width + 1)
    known = (touchpoint.codes >= 0) & (channel.codes >= 0)
    places = touchpoint.codes[known].astype(np.int64) * len(channel.names) + channel.codes[known]
    counts = np.bincount(places, minlength=width * len(channel.names)).reshape(width, -1)
    found = [
        str(channel.names[k]) if most else ""
        for k, most in zip(counts.argmax(axis=1).tolist(), counts.max(axis=1).tolist(), strict=True)
    ]
    return [*found, ""]


def _cross(visits: Visits, coded: Coded) -> NDArray[np.float64]:
    """Return the visits by stage and by name, what has no name last."""
    width = len(coded.names) + 1
    code = coded.codes[visits.row].astype(np.int64)
    code[code < 0] = width - 1
    size = len(visits.names) * width
    counts = np.bincount(visits.node * width + code, visits.weight, minlength=size)
    return counts.astype(np.float64).reshape(len(visits.names), width)


def _count(lane: Lane, stage: str, text: str, n: int) -> MapEntry:
    return MapEntry(lane=lane, stage=stage, text=text, n=n, basis="data")


def _volume(journeys: Journeys, visits: Visits, level: float) -> Iterator[MapEntry]:
    """Yield the share of journeys that visit each stage, and the visits."""
    from cxjourney.critical import reach_figures, repeated

    again = repeated(visits)
    reach = reach_figures(journeys, visits, again)
    low, high = reach.wilson(level)
    total = np.bincount(visits.node, visits.weight, minlength=len(visits.names))
    weight = None if visits.weight is None else visits.weight[~again]
    coming_by = np.bincount(visits.node[~again], weight, minlength=len(visits.names))
    for k, stage in enumerate(visits.names):
        yield MapEntry(
            lane="volume",
            stage=stage,
            text="share of journeys",
            value=float(reach.whole[k]),
            low=float(low[k]),
            high=float(high[k]),
            n=int(coming_by[k]),
            kind="percent",
            basis="data",
        )
        yield _count("volume", stage, "visits", int(total[k]))


def _rows(
    table: Table, lane: Lane, *, by: str = "stage", value: str, n: str, kind: str, text: str = ""
) -> Iterator[MapEntry]:
    for row in table:
        number = float(row[value] or 0) if row[value] is not None else math.nan
        if math.isnan(number):
            continue
        yield MapEntry(
            lane=lane,
            stage=str(row[by]),
            text=text,
            value=number,
            low=float(row["low"] or 0),
            high=float(row["high"] or 0),
            n=int(row[n] or 0),
            kind=kind,
            basis="data",
        )


def _emotion(journeys: Journeys, level: float) -> Iterator[MapEntry]:
    from cxjourney.experience import scores

    found = scores(journeys, measure="emotion", by="stage", level=level)
    return _rows(found.table, "emotion", value="mean", n="n", kind="number")


def _gap(journeys: Journeys, level: float) -> Iterator[MapEntry]:
    from cxjourney.experience import expectation_gaps

    found = expectation_gaps(journeys, by="stage", level=level)
    return _rows(found.table, "expectation gap", value="gap", n="pairs", kind="number")


def _dropoff(journeys: Journeys, level: float) -> Iterator[MapEntry]:
    from cxjourney.dropoff import exits

    found = exits(journeys, by="stage", level=level)
    return _rows(found.table, "drop-off", value="exit_probability", n="at_risk", kind="percent")


def _waiting(journeys: Journeys, level: float) -> Iterator[MapEntry]:
    from cxjourney.critical import bottlenecks

    found = bottlenecks(journeys, by="stage", level=level)
    return _rows(
        found.table,
        "waiting",
        value="wait_s",
        n="moved",
        kind="duration",
        text="mean to the next interaction",
    )


# ---------------------------------------------------------------------- from critical points


def _home(journeys: Journeys, visits: Visits) -> dict[str, str]:
    """Return the stage in which each touchpoint has most of its visits."""
    coded = journeys.columns.coded["touchpoint"]
    if not visits.names:
        return {}
    best = _cross(visits, coded)[:, : len(coded.names)].argmax(axis=0).tolist()
    return {str(name): visits.names[k] for name, k in zip(coded.names, best, strict=True)}


def _pain(
    journeys: Journeys, table: Table, home: dict[str, str], level: float
) -> Iterator[MapEntry]:
    """Yield where more leave than at the peers, and where customers feel bad as nowhere else."""
    from cxjourney.experience import scores

    yield from _best(
        table,
        "pain points",
        home,
        wanted=np.asarray(table["excess_low"]) > 0,
        value="exit_probability",
        ends=("low", "high"),
        kind="percent",
        text="{}: exits",
    )
    if "emotion" not in journeys.columns.numeric:
        return
    felt = scores(journeys, measure="emotion", level=level).table
    yield from _best(
        felt,
        "pain points",
        home,
        wanted=np.asarray(felt["valley"]) & (np.asarray(felt["mean"]) < 0),
        value="mean",
        ends=("low", "high"),
        n="n",
        kind="number",
        text="{}: emotion",
        highest=False,
    )


def _moments(table: Table, home: dict[str, str]) -> Iterator[MapEntry]:
    """Yield the touchpoints that most conversions go through."""
    effect = np.asarray(table["removal_effect"], dtype=np.float64)
    return _best(
        table,
        "moments of truth",
        home,
        wanted=effect >= _NOTABLE,
        value="removal_effect",
        ends=("removal_low", "removal_high"),
        kind="percent",
        text="{}: share of conversions",
    )


def _opportunities(table: Table, home: dict[str, str]) -> Iterator[MapEntry]:
    """Yield what fixing would gain at most, where exits are clearly above those of the peers."""
    return _best(
        table,
        "opportunities",
        home,
        wanted=np.asarray(table["gain_low"]) > 0,
        value="gain",
        ends=("gain_low", "gain_high"),
        kind="number",
        text="{}: conversions to gain",
    )


def _best(
    table: Table,
    lane: Lane,
    home: dict[str, str],
    *,
    wanted: NDArray[np.bool_],
    value: str,
    n: str = "journeys",
    ends: tuple[str, str],
    kind: str,
    text: str,
    highest: bool = True,
) -> Iterator[MapEntry]:
    """Yield the few rows of each stage with the highest (or lowest) value."""
    numbers = np.asarray(table[value], dtype=np.float64)
    order = np.argsort(-numbers if highest else numbers, kind="stable")
    taken: dict[str, int] = {}
    for i in order[wanted[order] & ~np.isnan(numbers[order])].tolist():
        row = table.row(i)
        stage = home[str(row["touchpoint"])]
        taken[stage] = taken.get(stage, 0) + 1
        if taken[stage] <= _FEW:
            low, high = (np.asarray(table[end], dtype=np.float64)[i] for end in ends)
            yield MapEntry(
                lane=lane,
                stage=stage,
                text=text.format(row["touchpoint"]),
                value=float(numbers[i]),
                low=float(low),
                high=float(high),
                n=int(row[n] or 0),
                kind=kind,
                basis="data",
                touchpoint=str(row["touchpoint"]),
            )


# ---------------------------------------------------------------------- from a blueprint


def planned(
    blueprint: JourneyBlueprint, stages: tuple[str, ...], seen: tuple[MapEntry, ...]
) -> Iterator[MapEntry]:
    """Yield what a blueprint holds and the data do not show: expected, promised, designed."""
    known = {(e.lane, e.stage, text) for e in seen for text in (e.text, *e.others)}
    hopes: dict[str, list[float]] = {}
    for step in blueprint.steps:
        stage = step.stage if step.stage in stages else stages[0] if len(stages) == 1 else None
        if stage is None:
            continue
        backstage = "" if step.frontstage else " (backstage)"
        cells: list[tuple[Lane, str, str]] = [("touchpoints", step.touchpoint, backstage)]
        cells += [("channels", channel, "") for channel in step.channels]
        cells += [("owner", step.owner, "")] if step.owner else []
        cells += [("promise", f"{step.touchpoint}: {step.promise}", "")] if step.promise else []
        for lane, text, more in cells:
            if (lane, stage, text) not in known:
                known.add((lane, stage, text))
                about = step.touchpoint if lane in {"touchpoints", "promise"} else ""
                channel = next(iter(step.channels), "") if lane == "touchpoints" else ""
                if lane == "channels":
                    channel = text
                yield MapEntry(
                    lane=lane, stage=stage, text=text + more, touchpoint=about, channel=channel
                )
        if step.emotion is not None:
            hopes.setdefault(stage, []).append(step.emotion)
    for stage, emotions in hopes.items():
        mean = sum(emotions) / len(emotions)
        yield MapEntry(lane="emotion", stage=stage, text="expected", value=mean, kind="number")
