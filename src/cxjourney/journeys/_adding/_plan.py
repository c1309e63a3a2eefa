"""The plan of statistics: those with the same one add up."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._adding._analyses import (
    Analysis,
    analyses_of,
    analyses_read,
    axes_of,
    kinds_of,
    sizes_of,
    text_of,
)
from cxjourney.journeys._adding._grid import Grid
from cxjourney.journeys._adding._tables import Kind
from cxjourney.journeys._outcomes import JourneyRules
from cxjourney.journeys._visits import GRAINS, By, check_grain, grain_codes, grain_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney.journeys._journeys import Journeys

MOST_LATER = 2_048
"""More than the bins of times later on."""

TOUCH: Final = "touchpoint"
MEMBERS = ("channel", "stage", "owner")
_MICROSECOND = timedelta(microseconds=1)
_TIMES = ("inactivity", "carry_channels")


@attrs.frozen(kw_only=True)
class Plan:
    """The rules by which journeys were cut, the window that was observed, and what was counted.

    Attributes
    ----------
    grains
        What a node is, one or several.
    rules
        How the journeys were cut.
    observed_from_us, observed_until_us
        The window [µs since the epoch]; None where nothing was observed.
    currency
        Currency of the values; None where unknown.
    key_id
        Id of the key whose pseudonyms the ids are; None where they are as they came.
    members
        Columns of which the log knows the names at each node.
    analyses
        What is counted besides, in order, each once.
    """

    grains: tuple[By, ...]
    rules: JourneyRules
    observed_from_us: int | None
    observed_until_us: int | None
    currency: str | None
    key_id: str | None
    members: tuple[str, ...]
    analyses: tuple[Analysis, ...] = ()

    @classmethod
    def of(
        cls, journeys: Journeys, grains: Any, analyses: Any = None, *, whole: bool = True
    ) -> Plan:
        """Return the plan for journeys, all or a part, its grains and analyses checked."""
        log, coded = journeys.log, journeys.columns.coded
        members = tuple(name for name in MEMBERS if name in coded)
        if grains is None:
            chosen: tuple[Any, ...] = (TOUCH, *(name for name in members if name == "channel"))
        else:
            # a pair is one grain, several come as a list
            chosen = tuple(grains) if isinstance(grains, list) else (grains,)
        for by in chosen:
            grain_codes(journeys.columns, by, "grains")
        return cls(
            grains=tuple(dict.fromkeys(chosen)),
            rules=journeys.rules,
            observed_from_us=log.observed_from_us,
            observed_until_us=log.observed_until_us,
            currency=log.currency,
            key_id=log.key_id,
            members=members,
            analyses=analyses_of(analyses, journeys if whole else None),
        )

    @cached_property
    def grid(self) -> Grid:
        """The grid of waits."""
        limit = self.rules.inactivity
        return Grid(limit_us=None if limit is None else limit // _MICROSECOND)

    @property
    def silence_us(self) -> int:
        """How long after its last visit a journey is known as lost [µs]."""
        limit = self.rules.inactivity
        return 0 if limit is None or self.rules.all_closed else limit // _MICROSECOND

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """What each table holds."""
        kinds = {
            "outcomes": Kind(axes=("unit", "outcome", "origin")),
            "values": _money("unit", "visited"),
            "begun": Kind(axes=("unit", "later"), columns=("converted", "censored", "followed")),
            "lost": Kind(axes=("unit", "later"), columns=("dropped", "censored", "followed")),
        }
        for name in map(grain_name, self.grains):
            node, place = f"node {name}", f"place {name}"
            cell = (node,) if name == TOUCH else (node, f"node {TOUCH}")
            kinds |= {
                f"first {name}": Kind(axes=("unit", place)),
                f"unseen {name}": Kind(axes=("unit", place)),
                f"ends {name}": Kind(axes=("unit", *cell, "fine"), columns=("ended", "censored")),
                f"transitions {name}": Kind(axes=("unit", *cell, place, "coarse")),
                f"edges {name}": Kind(
                    axes=(node, place), columns=_EDGE, wide=((2, 5), (5, 11), (12, 16)), signed=True
                ),
                f"later {name}": Kind(
                    axes=("unit", *cell, "later"), columns=("converted", "censored", "followed")
                ),
                f"waits {name}": Kind(axes=("unit", node, "coarse"), columns=("steps",)),
                f"untimed {name}": Kind(axes=("unit", node)),
                f"spent {name}": Kind(axes=("unit", node), columns=_WAITS[:3], wide=((0, 3),)),
                f"nodes {name}": Kind(axes=("unit", node), columns=("journeys",)),
                f"touches {name}": _money("unit", node, "length", "edge"),
                f"touched {name}": _money("unit", node, "length"),
                **{
                    f"{member} of {name}": Kind(axes=(node, f"node {member}"))
                    for member in self.members
                },
            }
            if name != TOUCH:
                kinds[f"followed {name}"] = Kind(axes=cell)
            if name in GRAINS:
                pair = (f"from {name}", f"to {name}")
                kinds |= {
                    f"pairs {name}": Kind(axes=("unit", *pair, "closing")),
                    f"ends of journeys {name}": Kind(axes=("unit", *pair, "closing")),
                    f"customers {name}": Kind(axes=pair, columns=("all", "before the end")),
                    f"rows {name}": Kind(axes=("closing",), columns=_ROWS),
                    f"stays {name}": Kind(axes=("unit", pair[0], "closing"), columns=STAYS),
                    f"switches {name}": Kind(
                        axes=("unit", "closing"), columns=SWITCHES, wide=((2, 4), (6, 8))
                    ),
                }
        return kinds | kinds_of(self)

    @cached_property
    def own_axes(self) -> Mapping[str, list[str]]:
        """The axes that have the names of each vocabulary of an analysis."""
        return axes_of(self)

    @property
    def vocabularies(self) -> tuple[str, ...]:
        """The columns and grains whose names are held."""
        grains = (grain_name(by) for by in self.grains)
        single = (f"contacts {name}" for name in map(grain_name, self.grains) if name in GRAINS)
        return tuple(dict.fromkeys((TOUCH, *self.members, *grains, *single, *self.own_axes)))

    def sizes(self, names: Mapping[str, tuple[str, ...]]) -> Mapping[str, int]:
        """Return the size of each axis, given the names."""
        sizes = {"unit": 64, "outcome": 3, "origin": 3, "visited": 2, "length": 1 << 24, "edge": 4}
        sizes |= {"closing": 2, "later": MOST_LATER}
        sizes |= {"fine": self.grid.n_fine + 1, "coarse": self.grid.n_coarse}
        sizes |= sizes_of(self)
        for vocabulary, some in names.items():
            name = vocabulary.removeprefix("contacts ")
            if vocabulary in self.own_axes:
                sizes |= dict.fromkeys(self.own_axes[vocabulary], len(some))
            elif name == vocabulary:
                sizes |= {f"node {name}": len(some), f"place {name}": len(some) + 2}
            else:
                sizes |= {f"from {name}": len(some), f"to {name}": len(some)}
        return sizes

    def refuse_other(self, other: Plan) -> None:
        """Raise InvalidValue, naming what differs, unless another plan is the same."""
        if self == other:
            return
        both = [(f.name, getattr(self, f.name), getattr(other, f.name)) for f in attrs.fields(Plan)]
        name, mine, theirs = next(one for one in both if one[1] != one[2])
        how = {
            "observed_from_us": "give every part the observed_from= of the whole",
            "observed_until_us": "give every part the observed_until= of the whole",
            "grains": "ask every part for the same grains=",
            "analyses": "ask every part for the same analyses=",
            "rules": "cut every part by the same rules",
        }.get(name, "read every part alike")
        raise InvalidValue(
            f"statistics add up if they have the same plan, but {name} is {mine!r} in one and "
            f"{theirs!r} in another: {how}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON has it."""
        rules = attrs.asdict(self.rules, recurse=False)
        del rules["gaps"], rules["unit"], rules["truncated"]  # which are always the same
        for name in _TIMES:
            rules[name] = None if rules[name] is None else rules[name] // _MICROSECOND
        analyses = [text_of(one) for one in self.analyses]
        return {**attrs.asdict(self, recurse=False), "rules": rules, "analyses": analyses}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Return the plan that JSON has, or raise a ValueError, TypeError or KeyError."""
        facts, rules = dict(data), dict(data["rules"])
        for name in _TIMES:
            rules[name] = None if rules[name] is None else int(rules[name]) * _MICROSECOND
        for name in ("goal", "exit_touchpoints"):
            rules[name] = tuple(rules[name])
        found = JourneyRules(**rules)
        found.check(())
        grains = [tuple(by) if isinstance(by, list) else by for by in facts["grains"]]
        for by in grains:
            check_grain(by, "grains")
        members = tuple(facts["members"])
        times = [facts[name] for name in ("observed_from_us", "observed_until_us")]
        texts = [facts["currency"], facts["key_id"]]
        if (
            not set(members) <= set(MEMBERS)
            or not all(t is None or type(t) is int for t in times)
            or not all(t is None or isinstance(t, str) for t in texts)
        ):
            raise ValueError("the plan is damaged")
        facts |= {"rules": found, "grains": tuple(cast("list[By]", grains)), "members": members}
        facts["analyses"] = analyses_read(facts["analyses"])
        return cls(**facts)


def _money(*axes: str) -> Kind:
    """Return the kind of a table of counts and of the values that they come with."""
    return Kind(axes=axes, columns=("count", *_UNITS), wide=((1, 5),), signed=True)


_UNITS = ("units0", "units1", "units2", "units3")
_WAITS = ("wait0", "wait1", "wait2", *(f"square{i}" for i in range(6)))
STAYS = ("contacts", "contained", "in progress", "converted")
SWITCHES = (
    "moving", "still", "switched0", "switched1",
    "several", "single", "differing0", "differing1", "left", "back", "censored",
)  # fmt: skip
_ROWS = ("rows", "unknown", "pairs", "tied", "within a day", "longer")
_EDGE = ("journeys", "timed", *_WAITS, "known", *_UNITS)
