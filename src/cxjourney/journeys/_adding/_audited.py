"""The audit of a log, of statistics that add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
import numpy as np

from cxjourney.journeys._adding._analyses import Analysis, counted_analysis
from cxjourney.journeys._adding._tables import Kind
from cxjourney.log import LogAudit, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney.journeys._adding._analyses import Found, Rows
    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._journeys import Journeys

_FACTS = (
    "rows",
    "customers",
    "tied",
    "duplicates",
    "after_observed_until",
    "one_interaction_customers",
    "left_truncated",
)
_UNORDERED = len(_FACTS)
_NAMED = ("touchpoint", "channel")


@attrs.frozen(kw_only=True)
class AuditCounts(Analysis):
    """What `log.audit` counts of the rows of a log: whole numbers that add up over customers."""

    name: ClassVar[str] = "audit"
    vocabularies: ClassVar[tuple[str, ...]] = (*_NAMED, "column")

    @classmethod
    def of(cls, journeys: Journeys | None) -> Self:  # type: ignore[override]  # no options
        """Return what is counted; the inactivity limit is that of the journeys."""
        del journeys
        return cls()

    def kinds(self, _plan: object) -> Mapping[str, Kind]:
        """Return what each table holds."""
        named = {name: Kind(axes=(name,)) for name in (*_NAMED, "column")}
        return {"facts": Kind(axes=("fact",)), **named}

    def sizes(self, _plan: object) -> Mapping[str, int]:
        """Return the size of each axis."""
        return {"fact": _UNORDERED + 1}

    def counted(
        self, journeys: Journeys, _plan: object
    ) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, Rows]]:
        """Return the names of touchpoints, channels and columns that miss something, and rows."""
        log = journeys.log
        found = log.audit(inactivity=journeys.rules.inactivity)
        unordered = 0 if found.ordered else found.rows
        facts = [getattr(found, name) or 0 for name in _FACTS]
        counts = {"column": dict(found.missing)}
        for name in _NAMED:
            counts[name] = {}
            if (coded := log.columns.coded.get(name)) is not None:
                n = np.bincount(coded.codes[coded.codes >= 0])
                counts[name] = {coded.names[i]: int(n[i]) for i in np.flatnonzero(n)}
        rows: dict[str, Rows] = {
            name: ([np.arange(len(some))], [np.array([some[x] for x in sorted(some)], dtype=int)])
            for name, some in counts.items()
        }
        rows["facts"] = [np.arange(_UNORDERED + 1)], [np.array([*facts, unordered])]
        return {name: tuple(sorted(some)) for name, some in counts.items()}, rows

    def agree(self, _plan: object, found: Found, outcomes: object) -> bool:
        """Return whether the tables could be those of a log."""
        del outcomes
        rows, customers, tied, duplicates, after, single, truncated, unordered = self._facts(found)
        missing = dict(zip(found.names["column"], found.values["column"][:, 0], strict=False))
        named = {name: int(found.values[name].sum()) for name in _NAMED}
        return bool(
            all(len(found.values[x]) == len(found.names[x]) for x in (*_NAMED, "column"))
            and duplicates <= tied <= rows - customers
            and max(single, truncated) <= customers
            and 2 * customers - single <= rows
            and max([after, unordered, *missing.values()]) <= rows
            and named["touchpoint"] + missing.get("touchpoint", 0) == rows
            and named["channel"] + missing.get("channel", 0) in {0, rows}
        )

    def _facts(self, found: Found) -> list[int]:
        counts: list[int] = found.filled("facts", _UNORDERED + 1)[:, 0].tolist()
        return counts

    def finished(self, statistics: JourneyStatistics) -> LogAudit:
        """Return the audit of statistics."""
        found = counted_analysis(statistics, self)
        *facts, unordered = self._facts(found)
        counts: dict[str, Any] = dict(zip(_FACTS, facts, strict=True))
        since, plan = statistics.plan.observed_from_us, statistics.plan
        unknown = since is None or plan.rules.inactivity is None
        missing = found.values["column"][:, 0].tolist()
        return LogAudit(
            **{**counts, "left_truncated": None if unknown else counts["left_truncated"]},
            touchpoints=len(found.names["touchpoint"]),
            channels=len(found.names["channel"]),
            observed_from=None if since is None else moment(since),
            observed_until=statistics.observed_until,
            ordered=counts["rows"] > unordered,
            missing=dict(zip(found.names["column"], missing, strict=True)),
        )
