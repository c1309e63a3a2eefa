"""Analyses whose counts depend on options: what they count into statistics, and where it lies."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import attrs
import numpy as np

from cxjourney._support.array_types import Ints
from cxjourney._support.validation import check_choice
from cxjourney._support.words import how_long
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._adding._plan import Plan
    from cxjourney.journeys._adding._tables import Counts, Kind
    from cxjourney.journeys._journeys import Journeys

Analyses: TypeAlias = Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]]
"""What is counted besides: the options of an analysis, or several sets of them, by its name."""

Rows: TypeAlias = tuple[Sequence[Ints], Sequence[Ints] | None]
"""The codes of rows on the axes of a table, and what each adds to its columns; None adds 1."""

_HOMES = {
    "audit": ("cxjourney.journeys", "AuditCounts"),
    "findings": ("cxjourney._findings", "FindingsCounts"),
    "cohort_retention": ("cxjourney.journeys", "RetentionCounts"),
    "funnel": ("cxjourney.dropoff", "FunnelCounts"),
    "lifecycle": ("cxjourney.journeys", "LifecycleCounts"),
    "shapley": ("cxjourney.attribution", "ShapleyCounts"),
    "suggest_inactivity": ("cxjourney.journeys", "SilenceCounts"),
    "trend": ("cxjourney._trend", "TrendCounts"),
    "time_decay": ("cxjourney.attribution", "TimeDecayCounts"),
    "handoff_loss": ("cxjourney.omnichannel", "HandoffCounts"),
}
"""Package and class of each: they stand on floors above, and are imported when asked for."""


@attrs.frozen(kw_only=True)
class Analysis:
    """What an analysis counts, of one set of options: the fields of its own class.

    Two with equal fields count the same, so what only the finishing reads is no field. The names of
    tables, axes and vocabularies are its own; the axes of other tables ("unit", "outcome",
    "origin", "fine", "node touchpoint") may be used too.
    """

    name: ClassVar[str]
    vocabularies: ClassVar[tuple[str, ...]] = ()
    """Sets of names that are found in the rows. An axis whose last word is one has its names."""

    @classmethod
    def of(cls, journeys: Journeys | None, **options: Any) -> Self:
        """Return the analysis of the options that a user gave, or raise InvalidValue.

        The journeys serve to check names, where all customers are there; nothing is kept of them.
        """
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the analysis again, or raise a ValueError, TypeError or KeyError."""
        return cls.of(None, **data)

    def kinds(self, plan: Plan) -> Mapping[str, Kind]:
        """Return what each table holds."""
        raise NotImplementedError

    def sizes(self, plan: Plan) -> Mapping[str, int]:
        """Return the size of each axis of its own that has no vocabulary."""
        raise NotImplementedError

    def counted(
        self, journeys: Journeys, plan: Plan
    ) -> tuple[Mapping[str, Sequence[str]], Mapping[str, Rows]]:
        """Return the names of each vocabulary, sorted, and the rows of each table."""
        raise NotImplementedError

    def agree(self, plan: Plan, found: Found, outcomes: Ints) -> bool:
        """Return whether tables that were read could be those of journeys.

        `outcomes` is how many there are by unit and outcome, shape (64, 3).
        """
        raise NotImplementedError


@attrs.frozen(kw_only=True, eq=False)
class Found:
    """The tables of one analysis.

    Attributes
    ----------
    names
        The names of each vocabulary.
    axes, values
        By table: the code of each row on each axis, and the numbers, shape (rows, columns).
    """

    names: Mapping[str, tuple[str, ...]]
    axes: Mapping[str, Mapping[str, Ints]]
    values: Mapping[str, Ints]

    def filled(self, table: str, *shape: int) -> Ints:
        """Return the numbers of a table whose axes have these sizes, 0 where there is no row.

        The last axis runs over the columns.
        """
        out = np.zeros((*shape, self.values[table].shape[1]), dtype=np.int64)
        out[tuple(self.axes[table].values())] = self.values[table]
        return out


def analyses_of(given: Any, journeys: Journeys | None) -> tuple[Analysis, ...]:
    """Return the analyses that a user asks for, in order, each once; raise InvalidValue."""
    if given is None:
        return ()
    if isinstance(given, tuple) and all(isinstance(one, Analysis) for one in given):
        return _in_order(given)  # as they were found before
    if not isinstance(given, Mapping):
        rule = "be a mapping from the name of an analysis to its options"
        raise InvalidValue.of("analyses", rule, given)
    found = []
    for name, several in given.items():
        check_choice(name, "analyses", tuple(_HOMES))
        every = [several] if isinstance(several, Mapping) else several
        if not isinstance(every, Sequence) or not all(isinstance(x, Mapping) for x in every):
            rule = "be its options, a mapping, or a list of them"
            raise InvalidValue.of(f"analyses[{name!r}]", rule, several)
        kind = _class_of(name)
        for options in every:
            try:
                inspect.signature(kind.of).bind(None, **options)
            except TypeError as error:
                rule = f"be the options of {name}() that can be counted: {error}"
                raise InvalidValue.of(f"analyses[{name!r}]", rule, dict(options)) from None
            found.append(kind.of(journeys, **options))
    return _in_order(found)


def _in_order(some: Iterable[Analysis]) -> tuple[Analysis, ...]:
    return tuple({text_of(one): one for one in sorted(some, key=text_of)}.values())


def text_of(analysis: Analysis) -> str:
    """Return an analysis as a line of text, the same for the same."""
    return json.dumps([analysis.name, analysis.to_json()], sort_keys=True)


def analyses_read(lines: Any) -> tuple[Analysis, ...]:
    """Return the analyses that `text_of` wrote, or raise a ValueError, TypeError or KeyError."""
    found = []
    for line in lines:
        name, data = json.loads(line)
        found.append(_class_of(name).from_json(data))
    if [text_of(one) for one in _in_order(found)] != list(lines):
        raise ValueError("analyses are not in order")
    return tuple(found)


def _class_of(name: str) -> type[Analysis]:
    package, kind = _HOMES[name]
    found: type[Analysis] = getattr(import_module(package), kind)
    return found


def keys_of(plan: Plan) -> dict[str, Analysis]:
    """Return the analyses of a plan by the first words of the names of their tables."""
    return {f"{one.name} {i}": one for i, one in enumerate(plan.analyses)}


def _own(key: str, analysis: Analysis, axis: str, plan: Plan) -> str:
    own = axis in analysis.sizes(plan) or axis.rsplit(" ", maxsplit=1)[-1] in analysis.vocabularies
    return f"{key} {axis}" if own else axis


def kinds_of(plan: Plan) -> dict[str, Kind]:
    """Return what the tables of all analyses hold, under their names in the statistics."""
    return {
        f"{key} {name}": attrs.evolve(
            kind, axes=tuple(_own(key, one, axis, plan) for axis in kind.axes)
        )
        for key, one in keys_of(plan).items()
        for name, kind in one.kinds(plan).items()
    }


def axes_of(plan: Plan) -> dict[str, list[str]]:
    """Return the axes that have the names of each vocabulary of an analysis."""
    return {
        f"{key} {vocabulary}": [
            f"{key} {axis}"
            for axis in sorted({axis for kind in one.kinds(plan).values() for axis in kind.axes})
            if axis.split(" ")[-1] == vocabulary
        ]
        for key, one in keys_of(plan).items()
        for vocabulary in one.vocabularies
    }


def sizes_of(plan: Plan) -> dict[str, int]:
    """Return the sizes of the axes without a vocabulary."""
    return {
        f"{key} {axis}": size
        for key, one in keys_of(plan).items()
        for axis, size in one.sizes(plan).items()
    }


def rows_of(journeys: Journeys, plan: Plan) -> tuple[dict[str, tuple[str, ...]], dict[str, Rows]]:
    """Return names and rows of all analyses."""
    names: dict[str, tuple[str, ...]] = {}
    rows: dict[str, Rows] = {}
    for key, one in keys_of(plan).items():
        words, tables = one.counted(journeys, plan)
        names |= {f"{key} {vocabulary}": tuple(some) for vocabulary, some in words.items()}
        rows |= {f"{key} {name}": table for name, table in tables.items()}
    return names, rows


def found_of(
    key: str,
    plan: Plan,
    names: Mapping[str, tuple[str, ...]],
    tables: Mapping[str, Counts],
) -> Found:
    """Return the tables of an analysis under its own names."""
    one, sizes = keys_of(plan)[key], plan.sizes(names)
    axes = {}
    for name, kind in one.kinds(plan).items():
        codes = tables[f"{key} {name}"].axis(plan.kinds[f"{key} {name}"], sizes)
        axes[name] = dict(zip(kind.axes, codes.values(), strict=True))
    return Found(
        names={vocabulary: names[f"{key} {vocabulary}"] for vocabulary in one.vocabularies},
        axes=axes,
        values={name: tables[f"{key} {name}"].values for name in axes},
    )


def counted_analysis(statistics: JourneyStatistics, wanted: Analysis) -> Found:
    """Return the tables of an analysis; raise InvalidValue where other options were counted."""
    plan = statistics.plan
    key = next((key for key, one in keys_of(plan).items() if one == wanted), None)
    if key is not None:
        return found_of(key, plan, statistics.names, statistics.tables)
    others = [_apart(one, wanted) for one in plan.analyses if one.name == wanted.name]
    why = f"was counted with {min(others, key=len)}" if others else "was not counted"
    raise InvalidValue(
        f"{wanted.name} {why} in these statistics: ask for it by "
        f'journeys.statistics(analyses={{"{wanted.name}": {{...}}}}), or by analyses= of '
        "cxjourney.sharded"
    )


def _apart(counted: Analysis, wanted: Analysis) -> str:
    """Return in words which options were counted, and what is wanted in their place."""
    here, there = counted.to_json(), wanted.to_json()
    apart = [name for name in there if here.get(name) != there[name]]
    said = [
        f"{name.removesuffix('_us')} {_told(name, here.get(name))}, not {_told(name, there[name])}"
        for name in apart
    ]
    return "; ".join(said)


def _told(name: str, value: Any) -> str:
    is_time = name.endswith("_us") and isinstance(value, int)
    return how_long(value / 1e6) if is_time else json.dumps(value, ensure_ascii=False)
