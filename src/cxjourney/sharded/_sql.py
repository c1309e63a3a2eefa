"""The text of the query for directly-follows counts with outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from cxjourney.domain import CONVERSION, DROPOFF, START, TERMINALS
from cxjourney.sharded._dialects import DAY_US, Dialect


@attrs.frozen(kw_only=True)
class Table:
    """Where the interactions lie.

    Attributes
    ----------
    parts
        The name of the table, in its parts.
    columns
        Name of the column of each role.
    tz
        Zone in which timestamps without a zone are read.
    """

    parts: tuple[str, ...]
    columns: Mapping[str, str]
    tz: str


def write_query(
    table: Table,
    dialect: Dialect,
    *,
    goal: tuple[str, ...],
    exits: tuple[str, ...],
    limit_us: int | None,
    until_us: int | None,
    all_closed: bool,
) -> str:
    """Return the query: each interaction with its neighbours, then counts of what follows what.

    An interaction begins a journey where none is before it, where the one before ended one, or
    after a silence; it ends one where it is a goal (1) or an exit touchpoint (2). All other
    interactions are visits, which lead to the next one, to an end, or are censored (NULL).
    """
    until = "last_us" if until_us is None else f"CAST({until_us} AS BIGINT)"
    silent = "FALSE" if limit_us is None else f"{{gap}} >= {limit_us}"
    names = (*goal, *exits, *sorted(TERMINALS))
    late = "FALSE" if until_us is None else f"us > {until_us}"
    lost = "TRUE" if all_closed else silent.format(gap=f"{until} - us")
    steps = {
        "cx_given": f"""\
SELECT {_LINES.join(given(table, dialect))}
  FROM {".".join(map(dialect.name, table.parts))} AS source""",
        "cx_cleaned": f"SELECT {_LINES.join(cleaned(table, dialect))}\n  FROM cx_given",
        "cx_facts": f"""\
SELECT {_LINES.join(facts(names, table.columns, dialect, late=late))}
  FROM cx_cleaned""",
        "cx_ordered": f"""\
SELECT customer, touchpoint, us, seq, ends,
    us - (LAG(us) OVER in_order) AS since, LAG(ends) OVER in_order AS ended,
    (LEAD(us) OVER in_order) - us AS wait, LEAD(ends) OVER in_order AS next_ends,
    LEAD(touchpoint) OVER in_order AS following
  FROM (
    SELECT customer, touchpoint, us, seq,
        CASE WHEN {_among("touchpoint", goal, dialect)} THEN 1
             WHEN {_among("touchpoint", exits, dialect)} THEN 2 ELSE 0 END AS ends
      FROM cx_cleaned
     WHERE {COMPLETE}
  ) AS complete
WINDOW in_order AS (PARTITION BY customer ORDER BY us, seq NULLS FIRST, touchpoint)""",
        "cx_cut": f"""\
SELECT customer, touchpoint, us, seq, ends,
    CASE WHEN since = 0 THEN 1 ELSE 0 END AS tied,
    CASE WHEN since IS NULL OR ended > 0 OR {silent.format(gap="since")} THEN 1 ELSE 0
      END AS begins,
    CASE WHEN ends > 0 THEN NULL
         WHEN wait IS NULL THEN CASE WHEN {lost} THEN '{DROPOFF}' END
         WHEN {silent.format(gap="wait")} THEN '{DROPOFF}'
         WHEN next_ends = 1 THEN '{CONVERSION}' WHEN next_ends = 2 THEN '{DROPOFF}'
         ELSE following END AS target
  FROM cx_ordered CROSS JOIN cx_facts""",
        "cx_numbered": """\
SELECT customer, touchpoint, ends, begins, tied, target,
    SUM(begins) OVER (PARTITION BY customer ORDER BY us, seq NULLS FIRST, touchpoint) AS journey
  FROM cx_cut""",
        "cx_seen": """\
SELECT touchpoint, ends, begins, tied, target,
    CASE WHEN journey = LAG(journey) OVER (PARTITION BY customer, touchpoint ORDER BY journey)
      THEN 0 ELSE 1 END AS first_visit
  FROM cx_numbered""",
        "cx_counts": """\
SELECT touchpoint, ends, begins, target,
    COUNT(*) AS visits, SUM(first_visit) AS journeys, SUM(tied) AS tied
  FROM cx_seen GROUP BY touchpoint, ends, begins, target""",
    }
    ctes = ",\n".join(f"{name} AS (\n{body}\n)" for name, body in steps.items())
    return f"WITH {ctes}\n{_answer(dialect, rows_of_facts(names, table.columns, until))}"


def given(table: Table, dialect: Dialect) -> list[str]:
    """Return the columns as they are in the table `source`: strings, times in microseconds."""
    column = {role: f"source.{dialect.name(name)}" for role, name in table.columns.items()}
    at, zone = column["timestamp"], dialect.literal(table.tz)
    wall, local = dialect.wall_us(at), dialect.local_us
    if table.tz != "UTC" and local is None:
        wall = dialect.placed_us(at, zone)
    zoned = f"{dialect.type_of(at)} = '{dialect.zoned}'"
    found = [
        f"CAST({column['customer']} AS {dialect.text}){dialect.binary} AS customer",
        f"CAST({column['touchpoint']} AS {dialect.text}){dialect.binary} AS touchpoint",
        f"CASE WHEN {zoned} THEN {dialect.moment_us(at)} ELSE {wall} END AS us",
        f"CAST({column.get('seq', 'NULL')} AS BIGINT) AS seq",
        *(f"{dialect.type_of(c)} AS {role}_type" for role, c in column.items()),
    ]
    if table.tz != "UTC" and local is not None:
        found.append(f"{dialect.placed_us(at, zone)} AS placed")
    return found


def cleaned(table: Table, dialect: Dialect) -> list[str]:
    """Return the columns of a log, of those of `given`."""
    us, local = "us", dialect.local_us
    if table.tz != "UTC" and local is not None:
        # where the engine's reading is no time of the clock, or the offset of the day before gives
        # one as well, that offset holds: in an hour that is skipped or shown twice
        zone, before = dialect.literal(table.tz), f"(us - {DAY_US})"
        earlier = f"(us - ({local(before, zone)} - {before}))"
        us = (
            f"CASE WHEN timestamp_type = '{dialect.zoned}' THEN us"
            f" WHEN {local('placed', zone)} = us"
            f" AND {local(earlier, zone)} <> us THEN placed ELSE {earlier} END"
        )
    return [
        f"{dialect.canonical('customer')} AS customer",
        f"{dialect.canonical('touchpoint')} AS touchpoint",
        f"{us} AS us",
        "seq",
        *(f"{role}_type" for role in table.columns),
    ]


def last_us(table: Table, kind: str, dialect: Dialect) -> str | None:
    """Return the last time of all rows [µs since the epoch], given the type of their column.

    None where it takes more than the engine's reading of clocks; see `cleaned`.
    """
    at = dialect.name(table.columns["timestamp"])
    if kind == dialect.zoned:
        return dialect.moment_us(f"MAX({at})")
    if table.tz == "UTC":
        return dialect.wall_us(f"MAX({at})")
    if dialect.local_us is not None:
        return None
    return f"MAX({dialect.placed_us(at, dialect.literal(table.tz))})"  # clocks may be set back


def _among(column: str, names: Iterable[str], dialect: Dialect) -> str:
    listed = ", ".join(dialect.literal(name) for name in names)
    return f"{column} IN ({listed})" if listed else "FALSE"


COMPLETE = "customer IS NOT NULL AND us IS NOT NULL AND touchpoint IS NOT NULL"
_MISSING = {
    "customer": "customer IS NULL",
    "timestamp": "customer IS NOT NULL AND us IS NULL",
    "touchpoint": "customer IS NOT NULL AND us IS NOT NULL AND touchpoint IS NULL",
}


def facts(names: tuple[str, ...], roles: Iterable[str], d: Dialect, **outside: str) -> list[str]:
    """Return what is told of all rows of `cleaned`: the window, what is missing, names, types.

    `outside` has the condition of the rows that lie `late`, and of others.
    """
    conditions = {
        "n_rows": COMPLETE,
        **{f"n_{name}": f"{condition} AND {COMPLETE}" for name, condition in outside.items()},
        **{f"no_{role}": condition for role, condition in _MISSING.items()},
        **{f"name_{i}": _is_named(name, d) for i, name in enumerate(names)},
    }
    return [
        f"MAX(CASE WHEN {COMPLETE} THEN us END) AS last_us",
        *(f"COUNT(CASE WHEN {c} THEN 1 END) AS {name}" for name, c in conditions.items()),
        *(f"MAX({role}_type) AS {role}_type" for role in roles),
    ]


def _is_named(name: str, dialect: Dialect) -> str:
    condition = f"touchpoint = {dialect.literal(name)}"
    # a reserved name is refused in any row, as where a log is read
    return condition if name in TERMINALS else f"{condition} AND {COMPLETE}"


_LINES = ",\n    "


def rows_of_facts(
    names: tuple[str, ...], roles: Iterable[str], until: str
) -> list[tuple[str, str, str, str]]:
    """Return kind, source, target and number of each of the `facts`, as columns or constants."""
    return [
        ("fact", "rows", "", "n_rows"),
        ("fact", "late", "", "n_late"),
        ("fact", "observed_until", "", until),
        *(("missing", role, "", f"no_{role}") for role in _MISSING),
        *(("name", name, "", f"name_{i}") for i, name in enumerate(names)),
        *(("type", role, f"{role}_type", "0") for role in roles),
    ]


def _answer(dialect: Dialect, told: list[tuple[str, str, str, str]]) -> str:
    """Return the last step: the counts and the facts as rows of one form."""
    parts = " UNION ALL ".join(
        f"SELECT {i} AS part, '{kind}' AS kind, {dialect.literal(source)} AS source"
        for i, (kind, source, _, _) in enumerate(told)
    )
    targets = " ".join(f"WHEN {i} THEN {t}" for i, (_, _, t, _) in enumerate(told) if t)
    numbers = "\n      ".join(f"WHEN {i} THEN {n}" for i, (_, _, _, n) in enumerate(told))
    return f"""\
SELECT kind, source, target, CAST(SUM(n) AS BIGINT) AS n
  FROM (
    SELECT CASE part WHEN 'start' THEN 'edge' ELSE part END AS kind,
        CASE part WHEN 'start' THEN '{START}' WHEN 'fact' THEN 'ties' ELSE touchpoint END AS source,
        CASE part WHEN 'edge' THEN target
                  WHEN 'start' THEN CASE ends WHEN 1 THEN '{CONVERSION}' WHEN 2 THEN '{DROPOFF}'
                                              ELSE touchpoint END
                  ELSE '' END AS target,
        CASE part WHEN 'journeys' THEN journeys WHEN 'fact' THEN tied ELSE visits END AS n
      FROM cx_counts
     CROSS JOIN (SELECT 'edge' AS part UNION ALL SELECT 'start' UNION ALL SELECT 'censored'
                 UNION ALL SELECT 'journeys' UNION ALL SELECT 'fact') AS parts
     WHERE part = 'fact' OR part = 'start' AND begins = 1 OR part = 'journeys' AND ends = 0
        OR part = 'edge' AND ends = 0 AND target IS NOT NULL
        OR part = 'censored' AND ends = 0 AND target IS NULL
  ) AS told
 GROUP BY kind, source, target
UNION ALL
SELECT kind, source, CASE part {targets} ELSE '' END AS target,
    CAST(CASE part
      {numbers} END AS BIGINT) AS n
  FROM cx_facts CROSS JOIN ({parts}) AS parts
"""
