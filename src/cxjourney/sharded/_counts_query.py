"""The query for the counts of a journey graph, and the graph of the rows that it returns."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import attrs

from cxjourney._support.validation import check_choice, check_name, check_names, duration_us
from cxjourney._support.words import counted
from cxjourney._time.timestamps import utc_us
from cxjourney._time.zones import check_zone
from cxjourney.domain import TERMINALS, check_not_reserved
from cxjourney.exceptions import DataQualityWarning, InvalidData, InvalidValue, UnknownName
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import JourneyRules
from cxjourney.sharded._dialects import DIALECTS
from cxjourney.sharded._sql import Table, write_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = ("edge", "censored", "journeys", "fact", "missing", "name", "type")
_NEEDED = ("customer", "timestamp", "touchpoint")


@attrs.frozen(kw_only=True, repr=False)
class CountsQuery:
    """A query for the counts of a journey graph; `counts_query` writes it.

    Attributes
    ----------
    sql
        The text of the query. It returns four columns: `kind`, `source`, `target` and `n`.
    dialect
        The engine whose SQL it is.
    rules
        How journeys end.
    missing
        What becomes of rows without customer, timestamp or touchpoint.
    ordered
        Whether a column orders interactions of one customer at the same time.
    """

    sql: str
    dialect: str
    rules: JourneyRules
    missing: Literal["refuse", "drop"]
    ordered: bool

    def __str__(self) -> str:
        return self.sql

    def __repr__(self) -> str:
        return f"CountsQuery(dialect={self.dialect!r}, {len(self.sql):,} characters of SQL)"

    def graph(self, rows: Iterable[Sequence[object]]) -> JourneyGraph:
        """Return the journey graph of the rows that the query returned.

        Parameters
        ----------
        rows
            All rows, in any order: tuples, rows of Spark, or lists of strings as a CSV file has
            them.

        Returns
        -------
        JourneyGraph
            That of `JourneyGraph.from_counts`: counts, journeys and censored visits are those of
            `log.journeys(...).graph()`. The probabilities are shares of counts, since the times of
            transitions were not asked for.

        Raises
        ------
        InvalidData
            If interactions lack a customer, a timestamp or a touchpoint, unless `missing="drop"`.
        UnknownName
            If a goal or an exit touchpoint does not occur.
        ReservedName
            If a touchpoint has a name that the graph keeps for itself.
        InvalidValue
            If the rows are not those of the query, or a column is of a type of which SQL and the
            library do not make the same.
        NotAFlow
            If some of the rows are not there.

        Warns
        -----
        DataQualityWarning
            If there is no `seq=` and more than 1 % of the interactions have the customer and the
            timestamp of another one, or if interactions lie after `observed_until`.
        """
        counts = _by_kind(rows)
        self._check_types(counts["type"])
        self._check_missing(counts["missing"])
        self._check_names(counts)
        facts = {name: n for (name, _), n in counts["fact"].items()}
        self._warn(facts)
        until = facts.get("observed_until")
        return JourneyGraph.from_counts(
            counts["edge"],
            censored={touchpoint: n for (touchpoint, _), n in counts["censored"].items()},
            journeys={touchpoint: n for (touchpoint, _), n in counts["journeys"].items()},
            goal=self.rules.goal,
            inactivity=self.rules.inactivity,
            observed_until=None if until is None else _EPOCH + timedelta(microseconds=until),
            determined=self.rules.determined,
        )

    def _check_types(self, types: dict[tuple[str, str], int]) -> None:
        dialect = DIALECTS[self.dialect]
        for role, found in types:
            if found and not dialect.reads(role, found):
                rule = f"be of {_KIND_OF_ROLE[role]}: cast it in a view"
                raise InvalidValue.of(f"the column of {role}=", rule, found)

    def _check_missing(self, missing: dict[tuple[str, str], int]) -> None:
        for role in _NEEDED:
            n = missing.get((role, ""), 0)
            if n and self.missing == "refuse":
                raise InvalidData(
                    f'{role} is missing in {counted(n, "row")}; missing="drop" leaves such rows out'
                )

    def _check_names(self, counts: dict[str, dict[tuple[str, str], int]]) -> None:
        named = {name: n for (name, _), n in counts["name"].items()}
        for name in TERMINALS & {name for name, n in named.items() if n}:
            check_not_reserved(name, "touchpoint")
        known = {name for name, _ in counts["journeys"]} | {name for name, n in named.items() if n}
        if not known:  # an empty table knows no names to check against
            return
        rules = self.rules
        for kind, names in (("goal", rules.goal), ("exit_touchpoints", rules.exit_touchpoints)):
            for name in names:
                if name not in known:
                    raise UnknownName.among(kind, name, sorted(known), where="the table")

    def _warn(self, facts: dict[str, int]) -> None:
        doubts = []
        rows, ties = facts["rows"], facts.get("ties", 0)
        if ties > rows / 100 and not self.ordered:
            doubts.append(
                f"{ties:,} of {rows:,} interactions have the customer and the timestamp of an "
                "earlier one, and are in the order of their touchpoints' names: a seq= column "
                "would tell their order."
            )
        if late := facts.get("late", 0):
            lie = counted(late, "interaction lies", "interactions lie")
            doubts.append(f"{lie} after observed_until and still count: cut the data there")
        if doubts:
            warnings.warn(" ".join(doubts), DataQualityWarning, stacklevel=3)


_KIND_OF_ROLE = {
    "customer": "strings or whole numbers",
    "touchpoint": "strings or whole numbers",
    "seq": "whole numbers",
    "timestamp": "timestamps of at most microseconds, or dates",
}


def counts_query(
    table: str | Sequence[str],
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    seq: str | None = None,
    goal: str | Iterable[str] | None = None,
    inactivity: timedelta | None = None,
    exit_touchpoints: str | Iterable[str] = (),
    all_closed: bool = False,
    tz: str = "UTC",
    missing: Literal["refuse", "drop"] = "refuse",
    observed_until: date | str | None = None,
    dialect: Literal["duckdb", "postgresql", "spark"],
) -> CountsQuery:
    """Write the SQL that counts the transitions of journeys where the interactions lie.

    Parameters
    ----------
    table
        Name of the table or view; its parts where it has several: `("warehouse", "events")`.
    customer, timestamp, touchpoint
        Names of the columns that every log needs: strings or whole numbers, timestamps or dates.
    seq
        Name of a column of whole numbers that orders equal timestamps.
    goal, inactivity, exit_touchpoints, all_closed
        How journeys end; see `InteractionLog.journeys`. What follows a goal starts a new journey.
    tz
        IANA zone in which timestamps without a zone are read; the zone of the session is not.
    missing
        What becomes of rows without customer, timestamp or touchpoint: "refuse" raises when the
        rows of the answer are read, "drop" leaves them out.
    observed_until
        Until when the interactions were observed; None means their last timestamp.
    dialect
        The engine that will run it.

    Returns
    -------
    CountsQuery
        Its `sql` is run where the interactions lie, and its `graph(rows)` makes a `JourneyGraph`
        of what comes back.

    Raises
    ------
    InvalidValue
        If a name is empty, a choice is none, or an exit touchpoint is a goal.
    UnknownName
        If there is no zone `tz`.

    Notes
    -----
    Interactions of one customer are ordered by timestamp, `seq` (missing first) and the name of
    the touchpoint. The first two are the library's order as well; the third stands in for the order
    of the input, which tables do not have. Those that share customer and timestamp are counted, as
    `log.audit()` counts them.

    Names of tables and columns are quoted, and strings that are not plain are written as the
    digits of their bytes, so that nothing in them is read as SQL. Run the text as it is: a driver
    that is handed parameters too would look for placeholders in it.

    The clock of `tz` is read as the library reads it: of an hour that it shows twice the first is
    meant, and a time that it skips keeps the offset before the change. The engine's table of zones
    must know the zone.

    Examples
    --------
    >>> from datetime import timedelta
    >>> import cxjourney as cx
    >>> import duckdb
    >>> connection = duckdb.connect()
    >>> _ = connection.execute(
    ...     "CREATE TABLE hits AS SELECT * FROM (VALUES ('a', TIMESTAMP '2026-01-01', 'web'), "
    ...     "('a', TIMESTAMP '2026-01-02', 'buy'), ('b', TIMESTAMP '2026-01-01', 'web')) "
    ...     "AS rows(who, day, page)"
    ... )
    >>> query = cx.sharded.counts_query(
    ...     "hits", customer="who", timestamp="day", touchpoint="page", goal="buy",
    ...     inactivity=timedelta(days=7), observed_until="2026-01-20", dialect="duckdb",
    ... )
    >>> graph = query.graph(connection.execute(query.sql).fetchall())
    >>> graph.edges["web", cx.CONVERSION]["count"], graph.edges["web", cx.DROPOFF]["count"]
    (1, 1)
    """
    check_choice(dialect, "dialect", tuple(DIALECTS))
    check_choice(missing, "missing", ("refuse", "drop"))
    check_zone(tz)
    rules = JourneyRules(
        goal=goal, inactivity=inactivity, exit_touchpoints=exit_touchpoints, all_closed=all_closed
    )
    rules.check(())
    check_names(table, "table")
    parts = (table,) if isinstance(table, str) else tuple(table or ())
    if not parts:
        raise InvalidValue.of("table", "be the name of a table, or its parts", table)
    columns = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    if seq is not None:
        columns["seq"] = seq
    sql = write_query(
        Table(
            parts=parts,
            columns={role: check_name(name, f"{role}=") for role, name in columns.items()},
            tz=tz,
        ),
        DIALECTS[dialect],
        goal=rules.goal,
        exits=rules.exit_touchpoints,
        limit_us=None if inactivity is None else duration_us(inactivity),
        until_us=None if observed_until is None else utc_us(observed_until, "observed_until", tz),
        all_closed=all_closed,
    )
    return CountsQuery(
        sql=sql, dialect=dialect, rules=rules, missing=missing, ordered=seq is not None
    )


def _by_kind(rows: Iterable[Sequence[object]]) -> dict[str, dict[tuple[str, str], int]]:
    """Return the numbers of the query's rows by kind, source and target."""
    rule = "be those of the query, each (kind, source, target, n)"
    counts: dict[str, dict[tuple[str, str], int]] = {kind: {} for kind in _KINDS}
    for row in rows:
        try:
            kind, source, target, n = row
            if n is None or n == "":  # the end of the observation of an empty table
                continue
            # the types of its columns are not known either
            key = (str(source), "" if target is None else str(target))
            of_kind, number = counts[str(kind)], int(n)  # type: ignore[call-overload]  # or it raises
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidValue.of("rows", rule, row) from error
        if key in of_kind:
            raise InvalidValue(f"rows must hold each count once; got {kind} of {key} twice")
        of_kind[key] = number
    if ("rows", "") not in counts["fact"]:
        raise InvalidValue(
            f"rows must {rule}, all of them; the number of interactions is not there"
        )
    return counts
