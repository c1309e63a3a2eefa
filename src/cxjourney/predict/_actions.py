"""The next best action: what followed like visits, and how often these journeys converted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, difference_of_shares
from cxjourney._stats.ratios import ratio_of_sums
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_number
from cxjourney._support.words import counted
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import Journeys, grain_codes, is_visit, units_of, visits_of
from cxjourney.predict._prefixes import truth_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.predict._predictor import JourneyPredictor
    from cxjourney.predict._prefixes import Prefixes

_LEAST = 30
"""Like journeys that an action needs, and those without one."""

_PERCENT = ("conversion", "low", "high", "difference", "difference_low", "difference_high")


@attrs.frozen(kw_only=True, eq=False)
class Acted:
    """What was done after each visit, for `next_best`.

    Attributes
    ----------
    touchpoints, channels
        Names behind the codes.
    touchpoint, channel
        Of the interaction after each visit; -1 where none came.
    y
        Whether the journey converted; the probability where that is not known yet.
    journey, bucket
        Journey of each visit, and the bucket of its customer; empty for aggregated paths.
    cells
        Context of each visit at each level of outcomes.
    flags
        Attributes that say yes (1) or no (0) of each visit; -1 where missing.
    worth
        Mean value of a converted journey [currency]; NaN where unknown.
    """

    touchpoints: tuple[str, ...]
    channels: tuple[str, ...]
    touchpoint: Ints
    channel: Ints
    y: Floats
    journey: Ints
    bucket: Ints
    cells: tuple[Ints, ...]
    flags: Mapping[str, Ints]
    worth: float


def acted_in(journeys: Journeys, y: Floats, cells: Sequence[Ints]) -> Acted:
    """Return what was done after each visit of journeys."""
    nodes, columns = visits_of(journeys), journeys.columns
    row = np.flatnonzero(is_visit(journeys))
    last_row = journeys.offsets[1:][nodes.journey] - 1
    comes = row < last_row
    after = np.minimum(row + 1, max(len(columns) - 1, 0))
    found: dict[str, tuple[tuple[str, ...], Any]] = {}
    for name in ("touchpoint", "channel"):
        if name not in columns.coded:
            found[name] = ((), np.full(len(row), -1, dtype=np.int32))
            continue
        coded = grain_codes(columns, name)
        codes = np.where(comes, coded.codes[after], -1)
        found[name] = (coded.names, codes.astype(np.int32))
    unit = units_of(journeys).of
    value = journeys.value[journeys.converted]
    known = value[~np.isnan(value)]
    return Acted(
        touchpoints=found["touchpoint"][0],
        channels=found["channel"][0],
        touchpoint=found["touchpoint"][1],
        channel=found["channel"][1],
        y=y.astype(np.float32),
        journey=nodes.journey.astype(np.int32),
        bucket=np.zeros(0, dtype=np.uint8)
        if unit is None
        else unit[nodes.journey].astype(np.uint8),
        cells=tuple(cell.astype(np.int32) for cell in cells),
        flags=truth_values(journeys),
        worth=float(known.mean()) if len(known) else float("nan"),
    )


@attrs.frozen(kw_only=True, repr=False)
class Recommendations(Result):
    """What can be done next for a journey, the most worthwhile first.

    Attributes
    ----------
    table
        One row an action, and one for none of them:

        | column | |
        |---|---|
        | `action` | the touchpoint, "touchpoint @ channel", or "none of these" |
        | `journeys` | like journeys in which it came next |
        | `conversion`, `low`, `high` | how many of them convert [fraction] |
        | `difference`, … | to those in which none of the actions came next [fraction] |
        | `expected_value` | of the conversion, less the cost [currency] |
        | `cost` | of the action [currency] |
    best
        The action of the highest expected value; None where doing none of them is worth as much,
        or where too few like journeys had one to say anything.
    kind
        "effect" where the actions had been assigned at random, else "association".
    like
        What like journeys have in common with this one.
    value
        What a conversion is worth [currency].
    level
        Confidence level of the intervals.
    """

    title: ClassVar[str] = "Next best action"

    table: Table
    best: str | None
    kind: str
    like: str
    value: float
    level: float

    def _lead(self) -> str:
        if self.best is None:
            return "No action is named."
        return f"{self.best} has the highest expected value."

    def _notes(self) -> tuple[str, ...]:
        first = (
            "The actions had been assigned at random, so that differences are effects."
            if self.kind == "effect"
            else "Differences are associations: who got an action may have been likelier to "
            "convert anyway. Only actions that were assigned at random (randomised=) tell what "
            "they bring."
        )
        return (
            first,
            (
                f"Like journeys: {self.like}. An action that fewer than {_LEAST} of them had is "
                "not looked at."
            ),
            f"A conversion is worth {self.value:g}.",
        )


def next_best(
    predictor: JourneyPredictor,
    found: Prefixes,
    actions: Any,
    *,
    cost: Any,
    value: float | None,
    randomised: str | None,
    level: float,
) -> Recommendations:
    """Return the ranked actions; see `JourneyPredictor.next_best`."""
    acted = predictor.acted
    if len(found) != 1:
        rule = "hold exactly one journey in progress"
        raise InvalidValue.of("prefix", rule, counted(len(found), "journey"))
    names, arms = _arms(acted, actions)
    costs = _costs(cost, names)
    worth = 1.0 if np.isnan(acted.worth) else acted.worth
    worth = worth if value is None else float(check_number(value, "value"))
    drawn = _drawn(acted, randomised)
    own = [int(cell[0]) for cell in predictor.model.outcome_cells(found, predictor.words)]
    depth, rows, counts = _like(acted, own, drawn, arms, len(names))
    unit = Units.of_buckets(acted.bucket[rows])
    sums = [
        unit.sums(arms[rows], len(names) + 1, values=values)
        for values in (acted.y[rows].astype(np.float64), np.ones(len(rows)))
    ]
    share = ratio_of_sums(*sums)
    low, high = share.wilson(level)
    enough = counts >= _LEAST
    enough[:-1] &= enough[-1]  # without those who had none there is nothing to compare with
    base = _column(share, np.full(len(names) + 1, len(names)))
    gap_low, gap_high, _ = difference_of_shares(share, base, level=level)
    gap = share.whole - share.whole[-1]
    hidden = np.where(enough, 1.0, np.nan)
    net = (share.whole * worth - np.append(costs, 0.0)) * hidden
    order = np.argsort(np.where(enough, -net, np.inf), kind="stable")
    top = int(order[0])
    table = Table(
        {
            "action": [*names, _NONE],
            "journeys": counts,
            "conversion": share.whole * hidden,
            "low": low * hidden,
            "high": high * hidden,
            "difference": np.append((gap * hidden)[:-1], np.nan),
            "difference_low": np.append((gap_low * hidden)[:-1], np.nan),
            "difference_high": np.append((gap_high * hidden)[:-1], np.nan),
            "expected_value": net,
            "cost": np.append(costs, 0.0),
        },
        formats=dict.fromkeys(_PERCENT, "percent") | {"expected_value": "number"},
    ).take(order)
    named = [*names, None][top] if enough[top] else None
    return Recommendations(
        table=table,
        best=named,
        kind="association" if randomised is None else "effect",
        like=_said(depth, predictor),
        value=worth,
        level=level,
    )


_NONE = "none of these"


def _arms(acted: Acted, actions: Any) -> tuple[list[str], Ints]:
    """Return the names of actions, and which came after each visit; their number where none did."""
    if isinstance(actions, str) or not hasattr(actions, "__iter__"):
        raise InvalidValue.of(
            "actions", "be a list of touchpoints or (touchpoint, channel)", actions
        )
    names: list[str] = []
    actions = list(actions)
    arm = np.full(len(acted.touchpoint), len(actions), dtype=np.int64)
    for i, action in enumerate(actions):
        parts = (action,) if isinstance(action, str) else action
        if not isinstance(parts, tuple) or len(parts) not in {1, 2} or not all(
            isinstance(part, str) for part in parts
        ):  # fmt: skip
            raise InvalidValue.of("actions", "hold names or pairs (touchpoint, channel)", action)
        taken = acted.touchpoint == _code(acted.touchpoints, parts[0], "touchpoint")
        if len(parts) == 2:
            taken &= acted.channel == _code(acted.channels, parts[1], "channel")
        if np.any(taken & (arm < len(actions))) or " @ ".join(parts) in names:
            raise InvalidValue.of("actions", "not overlap", action)
        arm[taken] = i
        names.append(" @ ".join(parts))
    if not names:
        raise InvalidValue.of("actions", "name at least one action", actions)
    return names, arm


def _code(names: tuple[str, ...], name: str, kind: str) -> int:
    if name not in names:
        raise UnknownName.among(kind, name, names, where="what was learned from")
    return names.index(name)


def _costs(cost: Any, names: list[str]) -> Floats:
    """Return the cost of each action."""
    if not isinstance(cost, Mapping):
        return np.full(len(names), float(check_number(cost, "cost")))
    given = {key if isinstance(key, str) else " @ ".join(key): one for key, one in cost.items()}
    for name in given:
        if name not in names:
            raise UnknownName.among("action of cost", name, names, where="actions")
    return np.array([float(check_number(given.get(name, 0.0), "cost")) for name in names])


def _drawn(acted: Acted, randomised: str | None) -> Bools:
    """Return after which visits what came had been assigned at random; all where nobody says."""
    if randomised is None:
        return np.ones(len(acted.y), dtype=np.bool_)
    if randomised not in acted.flags:
        raise UnknownName.among(
            "randomised", randomised, tuple(acted.flags), where="attributes that say yes or no"
        )
    return np.asarray(acted.flags[randomised] == 1)


def _like(acted: Acted, own: list[int], drawn: Bools, arms: Ints, n: int) -> tuple[int, Ints, Ints]:
    """Return the longest context in which all actions that have enough journeys still have them."""
    depth, rows, counts = -1, np.zeros(0, dtype=np.int64), np.zeros(n + 1, dtype=np.int64)
    wanted: Bools | None = None
    for level, cell in enumerate(own):
        if cell < 0:
            break
        here = np.flatnonzero((acted.cells[level] == cell) & drawn)
        pair = np.unique(acted.journey[here].astype(np.int64) * (n + 1) + arms[here])
        found = np.bincount(pair % (n + 1), minlength=n + 1)
        if wanted is None:
            wanted = found >= _LEAST
        elif np.any(wanted & (found < _LEAST)):
            break
        depth, rows, counts = level, here, found
    return depth, rows, counts


def _column(figures: BucketFigures, places: Ints) -> BucketFigures:
    return BucketFigures(
        whole=figures.whole[places],
        without=figures.without[:, places],
        units=figures.units[:, places],
    )


def _said(depth: int, predictor: JourneyPredictor) -> str:
    """Return what journeys have in common in words."""
    if depth < 0:
        return "none, since none came by this node"
    told = ["the same node", *(f"the same {name}" for name in predictor.words.attributes)]
    told += ["about as many visits", "the same visit before", "the same two visits before"]
    return ", ".join(told[: depth + 1])
