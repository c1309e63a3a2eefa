"""The query for the counts of a journey graph, and the graph of the rows that it returns."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import attrs

from cxjourney._support.validation import check_choice, check_name, check_names, duration_us
from cxjourney._time.timestamps import utc_us
from cxjourney._time.zones import check_zone
from cxjourney.exceptions import DataQualityWarning, InvalidValue
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import JourneyRules
from cxjourney.log import moment
from cxjourney.sharded._dialects import DIALECTS
from cxjourney.sharded._facts import by_kind, check_facts, doubts_of
from cxjourney.sharded._sql import Table, write_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, timedelta


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
        counts = by_kind(rows)
        known = {name for name, _ in counts["journeys"]}
        check_facts(counts, DIALECTS[self.dialect], self.rules, self.missing, known=lambda: known)
        facts = {name: n for (name, _), n in counts["fact"].items()}
        if doubts := doubts_of(facts, facts.get("ties", 0), ordered=self.ordered):
            warnings.warn(doubts, DataQualityWarning, stacklevel=2)
        until = facts.get("observed_until")
        return JourneyGraph.from_counts(
            counts["edge"],
            censored={touchpoint: n for (touchpoint, _), n in counts["censored"].items()},
            journeys={touchpoint: n for (touchpoint, _), n in counts["journeys"].items()},
            goal=self.rules.goal,
            inactivity=self.rules.inactivity,
            observed_until=None if until is None else moment(until),
            determined=self.rules.determined,
        )


def counts_query(
    table: str | Sequence[str],
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    seq: str | None = None,
    goal: str | Iterable[str] | None = None,
    inactivity: timedelta | str | None = None,
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
        limit_us=None if rules.inactivity is None else duration_us(rules.inactivity),
        until_us=None if observed_until is None else utc_us(observed_until, "observed_until", tz),
        all_closed=all_closed,
    )
    return CountsQuery(
        sql=sql, dialect=dialect, rules=rules, missing=missing, ordered=seq is not None
    )
