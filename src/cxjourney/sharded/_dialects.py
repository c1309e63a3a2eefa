"""Dialects of SQL: how each engine writes names, strings, times and types."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from cxjourney.exceptions import InvalidValue

DAY_US = 86_400_000_000
_WHOLE_FLOAT = "^-?(0|[1-9][0-9]{0,15})[.]0$"
_WHOLES = frozenset({"int", "tinyint", "smallint", "integer", "bigint", "hugeint", "uuid"})
_WHITE = "".join(c for c in map(chr, range(0x3001)) if c.isspace())
"""The characters that `str.strip` removes."""


@attrs.frozen(kw_only=True)
class Dialect:
    """How an engine writes what the query needs; what is not given is as in DuckDB and PostgreSQL.

    Attributes
    ----------
    quote
        The character around the names of tables and columns, doubled within one.
    text
        The type of strings.
    binary
        What is added to a string to compare it byte by byte, whatever the collation of its column.
    encoded
        Expression of the string with these bytes in UTF-8, in hexadecimal digits.
    matches
        Condition that a string matches a regular expression, given the literal of it.
    trimmed
        Expression of a string without certain characters at its ends.
    type_of
        Expression of the type of a column, in lower case.
    zoned
        The type of timestamps that are moments, as `type_of` has it.
    moment_us, wall_us
        Expression of the microseconds since 1970 of a moment, and of what a clock showed.
    placed_us
        Expression of the moment at which the clock of a zone showed the time of a column, in
        microseconds since 1970; where it showed it twice or never, the engine chooses.
    local_us
        Expression of what the clock of a zone showed at a moment, both in microseconds since 1970;
        None where the engine's choice is the library's: the first of two, the offset before a gap.
    names, wholes, times
        The types of strings, of whole numbers and of timestamps that are read as the library reads
        them.
    """

    quote: str = '"'
    text: str
    binary: str = ' COLLATE "C"'
    encoded: Callable[[str], str]
    matches: Callable[[str, str], str]
    trimmed: Callable[[str, str], str]
    type_of: Callable[[str], str]
    zoned: str = "timestamp with time zone"
    moment_us: Callable[[str], str]
    wall_us: Callable[[str], str]
    placed_us: Callable[[str, str], str]
    local_us: Callable[[str, str], str] | None
    names: frozenset[str]
    wholes: frozenset[str] = _WHOLES
    times: frozenset[str]

    def name(self, name: str) -> str:
        """Return the name of a table or a column, quoted.

        Raises
        ------
        InvalidValue
            If no engine has such a name.
        """
        if not name or "\0" in name:
            raise InvalidValue.of("a name in the query", "be a non-empty str without NUL", name)
        return f"{self.quote}{name.replace(self.quote, 2 * self.quote)}{self.quote}"

    def literal(self, text: str) -> str:
        """Return a string as a literal that no setting of the engine reads otherwise."""
        if text.isprintable() and not {"'", "\\"} & set(text):
            return f"'{text}'"
        return self.encoded(text.encode().hex())

    def reads(self, role: str, found: str) -> bool:
        """Return whether a column of a type says in SQL what it says to the library."""
        if role == "timestamp":
            return found == self.zoned or found in self.times
        if role == "seq":
            return found in self.wholes - {"uuid"}
        return found in self.names or found in self.wholes or found.startswith("enum(")

    def canonical(self, text: str) -> str:
        """Return the expression of an id or name as it counts: NULL where blank, 7.0 as 7."""
        whole = self.matches(text, self.literal(_WHOLE_FLOAT))
        # most begin with a plain character and end with no zero: the rest is looked at closely
        blank = f"{text} < '!' OR {text} > '~'"
        return (
            f"CASE WHEN ({blank}) AND {self.trimmed(text, self.literal(_WHITE))} = '' THEN NULL"
            f" WHEN {text} LIKE '%.0' AND {whole} THEN"
            f" CASE {text} WHEN '-0.0' THEN '0' ELSE SUBSTR({text}, 1, LENGTH({text}) - 2) END"
            f" ELSE {text} END"
        )


_DUCKDB = Dialect(
    text="VARCHAR",
    encoded=lambda digits: f"DECODE(UNHEX('{digits}'))",
    matches=lambda text, rule: f"REGEXP_FULL_MATCH({text}, {rule})",
    trimmed=lambda text, white: f"TRIM({text}, {white})",
    type_of=lambda column: f"LOWER(TYPEOF({column}))",
    moment_us=lambda column: f"EPOCH_US(CAST({column} AS TIMESTAMP WITH TIME ZONE))",
    wall_us=lambda column: f"EPOCH_US(CAST({column} AS TIMESTAMP))",
    placed_us=lambda column, zone: f"EPOCH_US(TIMEZONE({zone}, CAST({column} AS TIMESTAMP)))",
    local_us=lambda us, zone: f"EPOCH_US(TIMEZONE({zone}, TIMEZONE('UTC', MAKE_TIMESTAMP({us}))))",
    names=frozenset({"varchar"}),
    wholes=_WHOLES | {"utinyint", "usmallint", "uinteger", "ubigint"},
    times=frozenset({"date", "timestamp", "timestamp_s", "timestamp_ms"}),
)


def _postgresql_us(time: str) -> str:
    return f"CAST(EXTRACT(EPOCH FROM {time}) * 1000000 AS BIGINT)"


_EPOCH = "TIMESTAMP WITH TIME ZONE '1970-01-01 00:00:00+00'"
_POSTGRESQL = Dialect(
    text="TEXT",
    encoded=lambda digits: f"CONVERT_FROM(DECODE('{digits}', 'hex'), 'UTF8')",
    matches=lambda text, rule: f"{text} ~ {rule}",
    trimmed=lambda text, white: f"BTRIM({text}, {white})",
    type_of=lambda column: f"CAST(PG_TYPEOF({column}) AS TEXT)",
    moment_us=lambda column: _postgresql_us(f"CAST({column} AS TIMESTAMP WITH TIME ZONE)"),
    wall_us=lambda column: _postgresql_us(f"CAST({column} AS TIMESTAMP)"),
    placed_us=lambda column, zone: _postgresql_us(
        f"CAST({column} AS TIMESTAMP) AT TIME ZONE {zone}"
    ),
    local_us=lambda us, zone: _postgresql_us(
        f"({_EPOCH} + {us} * INTERVAL '1 microsecond') AT TIME ZONE {zone}"
    ),
    names=frozenset({"text", "character varying"}),
    times=frozenset({"date", "timestamp without time zone"}),
)


def _spark_clock(column: str) -> str:
    """Return the microseconds of what a clock shows: no function of Spark has them, whatever zone.

    Those that have them read it in the zone of the session.
    """
    return (
        f"(CAST(UNIX_DATE(CAST({column} AS DATE)) AS BIGINT) * {DAY_US}"
        f" + CAST(HOUR({column}) * 60 + MINUTE({column}) AS BIGINT) * 60000000"
        f" + CAST(EXTRACT(SECOND FROM {column}) * 1000000 AS BIGINT))"
    )


_SPARK = Dialect(
    quote="`",
    text="STRING",
    binary="",
    encoded=lambda digits: f"CAST(X'{digits}' AS STRING)",
    matches=lambda text, rule: f"{text} RLIKE {rule}",
    trimmed=lambda text, white: f"TRIM(BOTH {white} FROM {text})",
    type_of=lambda column: f"TYPEOF({column})",
    zoned="timestamp",
    moment_us=lambda column: f"UNIX_MICROS(CAST({column} AS TIMESTAMP))",
    wall_us=lambda column: _spark_clock(f"CAST({column} AS TIMESTAMP_NTZ)"),
    placed_us=lambda column, zone: _spark_clock(
        f"CONVERT_TIMEZONE({zone}, 'UTC', CAST({column} AS TIMESTAMP_NTZ))"
    ),
    local_us=None,
    names=frozenset({"string"}),
    times=frozenset({"date", "timestamp_ntz"}),
)

DIALECTS = {"duckdb": _DUCKDB, "postgresql": _POSTGRESQL, "spark": _SPARK}
