"""The audit of a log: counts of its rows, and of what makes its data doubtful."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import duration_us, optional_duration
from cxjourney._time.timestamps import utc_us
from cxjourney.log._axis import odd_times
from cxjourney.log._ingest import NO_SEQ, OF_TABLE, moment
from cxjourney.log._ties import duplicate_rows, tied_rows

if TYPE_CHECKING:
    from cxjourney.log._columns import Columns
    from cxjourney.log._interaction_log import InteractionLog

_MANY_TIES = 0.01
_WITHOUT_ROWS = (
    "Statistics that add up hold counts of the interactions. Rows as they came in (left out, out "
    "of order, without a zone), the first and the last timestamp, the future and odd times need "
    "the rows: log.audit() of each part tells them."
)


def _counts(counts: Mapping[str, int]) -> FrozenMapping[int]:
    return FrozenMapping(counts)


@attrs.frozen(kw_only=True, repr=False)
class LogAudit(Result):
    """The counts of a log, of the rows that came in, and of what deserves a look.

    Attributes
    ----------
    rows
        Interactions in the log.
    customers, touchpoints, channels
        How many there are.
    first, last
        The first and the last timestamp (UTC); None for an empty log.
    observed_from, observed_until
        The observation window (UTC); None where not known.
    rows_received
        Rows that came in when the log was built; of a wide table the dated steps. None in the audit
        of statistics that add up, as are the other counts of rows as they came in, `first`, `last`
        and `future`.
    dropped
        Reason to number of rows left out then; of a wide table also rows of the table without any
        step, which are no share of the interactions.
    out_of_order
        Rows that came in before an earlier row of the same customer; they were sorted.
    naive
        Timestamps that came in without a zone, read in `tz`.
    tz
        The zone in which they were read.
    ambiguous, nonexistent
        Naive timestamps that the clock of `tz` showed twice, or skipped.
    duplicates
        Interactions that equal an earlier one in everything.
    tied
        Interactions that share customer and time with another before them.
    ordered
        Whether a `seq` column orders them.
    missing
        Column to number of interactions in which it is missing.
    future
        Timestamps later than the moment of the audit.
    after_observed_until
        Timestamps later than the end of the observation.
    one_interaction_customers
        Customers with a single interaction.
    odd
        What is odd about the times, in sentences: the future, days of 1970, centuries.
    left_truncated
        Customers whose first interaction comes within `inactivity` of `observed_from`, so that
        earlier ones may be missing; None where either is not known.
    without_account
        Customers without an account; None where no customer has one.
    identities
        What each rule of `log.resolve_identities` did, and how often.
    identities_known_at
        The moment up to which links were known then; None where all of them counted.
    """

    title: ClassVar[str] = "Audit of the log"

    rows: int
    customers: int
    touchpoints: int
    channels: int
    first: datetime | None = None
    last: datetime | None = None
    observed_from: datetime | None
    observed_until: datetime | None
    rows_received: int | None = None
    dropped: Mapping[str, int] = attrs.field(converter=_counts, factory=dict)
    out_of_order: int | None = None
    naive: int | None = None
    tz: str | None = None
    ambiguous: int | None = None
    nonexistent: int | None = None
    duplicates: int
    tied: int
    ordered: bool
    missing: Mapping[str, int] = attrs.field(converter=_counts)
    future: int | None = None
    after_observed_until: int
    one_interaction_customers: int
    left_truncated: int | None
    odd: tuple[str, ...] = ()
    without_account: int | None = None
    identities: Mapping[str, int] = attrs.field(converter=_counts, factory=dict)
    identities_known_at: datetime | None = None

    @property
    def ties(self) -> float:
        """Share of interactions that share customer and time with another before them."""
        return self.tied / self.rows if self.rows else np.nan

    def _table(self) -> Table:
        rows, received, dropped = self.rows, self.rows_received, self.dropped.items()
        facts: list[tuple[str, int | None, float]] = []
        if received is not None:
            facts = [
                ("rows received", received, np.nan),
                *((f"  left out: {x}", n, _share_left_out(x, n, received)) for x, n in dropped),
                ("  out of order", self.out_of_order, _share(self.out_of_order, received)),
                (f"  without a zone, read in {self.tz}", self.naive, _share(self.naive, received)),
            ]
            if self.ambiguous or self.nonexistent:
                twice, skipped = self.ambiguous, self.nonexistent
                facts += [
                    ("    shown twice by the clock", twice, _share(twice, received)),
                    ("    skipped by the clock", skipped, _share(skipped, received)),
                ]
        facts += [
            ("interactions", rows, np.nan),
            ("  duplicates", self.duplicates, _share(self.duplicates, rows)),
            ("  ties", self.tied, self.ties),
            ("  in the future", self.future, _share(self.future, rows)),
            (
                "  after observed_until",
                self.after_observed_until,
                _share(self.after_observed_until, rows),
            ),
            *((f"  missing: {name}", n, _share(n, rows)) for name, n in self.missing.items()),
            ("customers", self.customers, np.nan),
            (
                "  with one interaction",
                self.one_interaction_customers,
                _share(self.one_interaction_customers, self.customers),
            ),
        ]
        if self.left_truncated is not None:
            share = _share(self.left_truncated, self.customers)
            facts.append(("  left-truncated", self.left_truncated, share))
        if self.without_account is not None:
            share = _share(self.without_account, self.customers)
            facts.append(("  without an account", self.without_account, share))
        facts += [(f"identities: {rule}", n, np.nan) for rule, n in self.identities.items()]
        facts += [("touchpoints", self.touchpoints, np.nan), ("channels", self.channels, np.nan)]
        known = [fact for fact in facts if fact[1] is not None]
        names, counts, shares = zip(*known, strict=True)
        return Table(
            {"what": names, "count": np.array(counts), "share": np.array(shares)},
            formats={"share": "percent", "what": "sentence"},
        )

    def _notes(self) -> tuple[str, ...]:
        if not self.rows:
            return ("The log has no interactions.",)
        notes = [*self.odd]
        if self.first is None or self.last is None:
            notes.append(_WITHOUT_ROWS)
        else:
            notes.append(f"The timestamps run from {_shown(self.first)} to {_shown(self.last)}.")
        since = "" if self.observed_from is None else f"from {_shown(self.observed_from)} "
        if self.observed_until is not None:
            notes.append(f"The log was observed {since}until {_shown(self.observed_until)}.")
        if self.identities:
            known = self.identities_known_at
            which = "all links" if known is None else f"links recorded by {_shown(known)}"
            notes.append(f"Ids were resolved by {which}.")
        if self.ties > _MANY_TIES and not self.ordered:
            notes.append(
                f"{100 * self.ties:.1f}% of the interactions have the customer and the timestamp "
                "of an earlier one; a seq= column would tell their order, which is now that of the "
                "input."
            )
        if self.duplicates:
            notes.append("log.drop_duplicates() leaves the duplicates out.")
        return tuple(notes)


def audit(
    log: InteractionLog,
    *,
    inactivity: timedelta | str | None = None,
    now: datetime | str | None = None,
) -> LogAudit:
    """Count what a reader must know about the data before believing a result.

    Parameters
    ----------
    inactivity
        The inactivity limit, to count left-truncated customers where `observed_from` is known.
    now
        The moment after which a timestamp lies in the future; None means the present.

    Returns
    -------
    LogAudit
        The counts of rows as they came in stay those of the log as it was built.

    Raises
    ------
    InvalidValue
        If `inactivity` is no positive length of time, or `now` is no moment.

    Examples
    --------
    >>> from cxjourney import InteractionLog
    >>> log = InteractionLog.from_frame(
    ...     {"who": ["a", "a", "b"], "when": ["2026-01-01"] * 3, "what": ["web", "web", "app"]},
    ...     customer="who", timestamp="when", touchpoint="what",
    ... )
    >>> audit = log.audit(now="2026-02-01")
    >>> audit.naive, audit.duplicates, audit.tied, audit.one_interaction_customers
    (3, 1, 1, 1)
    """
    columns, intake = log.columns, log.intake
    present = utc_us(datetime.now(UTC) if now is None else now, "now", "UTC")
    time = np.zeros(0, dtype=np.int64) if columns.time is None else columns.time
    until = log.observed_until_us
    return LogAudit(
        rows=len(log),
        customers=log.n_customers,
        touchpoints=len(log.touchpoints),
        channels=len(log.channels),
        first=moment(int(time.min())) if len(time) else None,
        last=moment(int(time.max())) if len(time) else None,
        observed_from=log.observed_from,
        observed_until=log.observed_until,
        rows_received=intake.rows,
        dropped=intake.dropped,
        out_of_order=intake.out_of_order,
        naive=intake.naive,
        tz=intake.tz,
        ambiguous=intake.ambiguous,
        nonexistent=intake.nonexistent,
        duplicates=int(np.count_nonzero(duplicate_rows(columns))),
        tied=int(np.count_nonzero(tied_rows(columns))),
        ordered=columns.seq is not None,
        missing=_missing_counts(columns),
        future=int(np.count_nonzero(time > present)),
        after_observed_until=0 if until is None else int(np.count_nonzero(time > until)),
        one_interaction_customers=int(np.count_nonzero(np.diff(columns.offsets) == 1)),
        odd=odd_times(columns.time, until, present),
        left_truncated=_count_left_truncated(log, inactivity),
        without_account=None
        if log.account is None
        else int(np.count_nonzero(log.account.codes < 0)),
        identities=intake.identities,
        identities_known_at=None if intake.known_at_us is None else moment(intake.known_at_us),
    )


def _missing_counts(columns: Columns) -> dict[str, int]:
    """Return how often each column is missing, those that never are left out."""
    counts = {name: np.count_nonzero(coded.codes < 0) for name, coded in columns.coded.items()}
    counts |= {
        name.removesuffix("_us"): np.count_nonzero(np.isnan(values))
        for name, values in columns.numeric.items()
    }
    if columns.seq is not None:
        counts["seq"] = np.count_nonzero(columns.seq == NO_SEQ)
    counts |= {name: np.count_nonzero(c.codes < 0) for name, c in columns.attributes.items()}
    return {name: int(n) for name, n in counts.items() if n}


def _count_left_truncated(log: InteractionLog, inactivity: timedelta | str | None) -> int | None:
    limit = optional_duration(inactivity, "inactivity")
    if limit is None or log.observed_from_us is None or log.columns.time is None:
        return None
    first = log.columns.time[log.columns.offsets[:-1]]
    return int(np.count_nonzero(first - log.observed_from_us < duration_us(limit)))


def _share(count: int | None, total: int) -> float:
    return count / total if total and count is not None else np.nan


def _share_left_out(why: str, count: int, received: int) -> float:
    return np.nan if why.startswith(OF_TABLE) else _share(count, received)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
