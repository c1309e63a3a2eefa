"""The customers of one part of a store: who is settled, and who is counted again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney.journeys import (
    Ages,
    JourneyStatistics,
    Uses,
    added_uses,
    aged,
    ages_of,
    exchanged,
    of_own_bytes,
    quick_bytes,
    settled_customers,
    together,
    uses_of,
)
from cxjourney.kernels import md5_first_bytes
from cxjourney.sharded._counting import Counting
from cxjourney.sharded._dialects import DIALECTS
from cxjourney.sharded._duckdb import read_query
from cxjourney.sharded._store_folder import Part, file_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._support.array_types import Bools
    from cxjourney.journeys import By, Journeys
    from cxjourney.log import InteractionLog

_DUCKDB = DIALECTS["duckdb"]
_FEW = 64
"""Customers up to which statistics tell them apart: so few are always counted again."""


@attrs.frozen(kw_only=True, eq=False)
class Renewal:
    """An update of a store, of which one part after the other is renewed.

    Attributes
    ----------
    connection
        One of DuckDB, with the ids of all customers that changed in the table `cx_changed`.
    counting
        How interactions are counted, whose columns are named by their roles; with the end of the
        observation.
    until_us
        The end of the observation [µs since the epoch].
    folder
        That of the store.
    generation
        Number of the update.
    of
        Number of parts.
    """

    connection: Any
    counting: Counting
    until_us: int | None
    folder: Path
    generation: int
    of: int

    def renewed(
        self, number: int, part: Part | None, fresh: Sequence[Path], *, changed: bool
    ) -> tuple[Part, JourneyStatistics, int]:
        """Return the part with its new interactions, its statistics, and how many are tied.

        Parameters
        ----------
        number, part
            The part; None where nothing of it is to be kept.
        fresh
            Files with the interactions of the customers that changed.
        changed
            Whether a customer of the part has changed.
        """
        old = _Files(self, number, part)
        settled, gone = None, None
        uses: Uses = {}
        if part is not None and part.n_settled and _moved_on(part.until_us, self.until_us):
            settled, uses = old.statistics(), part.uses
            if changed:
                gone, less = self._gone(old, number)
                uses = added_uses(uses, less, -1)
            if settled.n_customers - (0 if gone is None else gone.n_customers) <= _FEW:
                settled, uses, gone = None, {}, None
        sources = [*old.query("live.parquet"), *map(read_query, fresh)]
        if settled is None:
            sources += old.query("settled.parquet")
        query = " UNION ALL BY NAME ".join(sources)
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE cx_rows AS {query}")
        log, ties = self.counting.read(self.connection.table("cx_rows"))
        journeys = self.counting.cut(log)
        done = settled_customers(journeys, analyses=bool(self.counting.analyses))
        if settled is None and np.count_nonzero(done) <= _FEW:
            done = np.zeros_like(done)
        if part is not None and not changed and 2 * np.count_nonzero(done) <= len(done):
            if settled is not None:
                settled = self._aged(settled, part, old.path("ages.parquet"))
            if settled is not None or not part.n_settled:
                live = self._statistics(journeys, number)
                return part, live if settled is None else together([settled, live]), ties
        return (*self._written(old, log, done, _Settled(settled, gone, uses)), ties)

    def _written(
        self, old: _Files, log: InteractionLog, done: Bools, before: _Settled
    ) -> tuple[Part, JourneyStatistics]:
        """Write the files of a part, and return it and its statistics.

        `log` holds the customers that were not settled, of whom those that are `done` are now.
        """
        number, settled, gone, uses = old.number, before.statistics, before.gone, before.uses
        part = Part(generation=self.generation, until_us=self.until_us, last_us=None)
        names = {} if settled is None or old.part is None else old.part.names
        ids = np.array(log.customer_ids, dtype=object)
        time = log.columns.time
        assert time is not None  # noqa: S101 - a log of rows has times
        last = time[log.columns.offsets[1:] - 1]
        make_table(self.connection, "cx_known", id=ids, last=last, settled=done)
        kept = [] if settled is None else old.query("customers.parquet", where="settled")
        self._write(number, part, "customers.parquet", [*kept, "SELECT * FROM cx_known"])
        rows = "SELECT * FROM cx_rows {} JOIN (FROM cx_known WHERE settled) AS d ON customer = d.id"
        kept = [] if settled is None else old.query("settled.parquet")
        self._write(number, part, "settled.parquet", [*kept, rows.format("SEMI")])
        self._write(number, part, "live.parquet", [rows.format("ANTI")])
        ages = [] if settled is None else old.query("ages.parquet")
        of_row = done[log.columns.customer]
        come = None
        if done.any():
            journeys = self.counting.cut(log.filter(rows=of_row))
            come = self._statistics(journeys, number)
            uses = added_uses(uses, uses_of(journeys, come))
            names = self._table_of_ages(journeys, come.grains, names)
            ages.append("SELECT * FROM cx_new")
        if settled is None:
            settled = come
        elif come is not None or gone is not None:
            settled = exchanged(settled, gone, come, uses)
        whole = []
        if settled is not None:
            part = attrs.evolve(part, n_settled=settled.n_customers, uses=uses, names=names)
            self._write(number, part, "ages.parquet", ages)
            path = file_of(self.folder, number, part, "ages.parquet")
            whole = [self._aged(settled, part, path)]
            file_of(self.folder, number, part, "statistics").write_bytes(quick_bytes(whole[0]))
        live = self._statistics(self.counting.cut(log.filter(rows=~of_row)), number)
        customers = read_query(file_of(self.folder, number, part, "customers.parquet"))
        ((last_us,),) = self.connection.sql(f"SELECT MAX(last) FROM ({customers})").fetchall()
        return attrs.evolve(part, last_us=last_us), together([*whole, live])

    def _statistics(self, journeys: Journeys, number: int) -> JourneyStatistics:
        return self.counting.statistics(journeys, (number, self.of))

    def _gone(self, old: _Files, number: int) -> tuple[JourneyStatistics | None, Uses]:
        """Return what the settled customers that changed had contributed, and the names."""
        (query,) = old.query("settled.parquet", "SEMI")
        log, _ = self.counting.read(self.connection.sql(query))
        if not log.n_customers:
            return None, {}
        journeys = self.counting.cut(log)
        statistics = self._statistics(journeys, number)
        return statistics, uses_of(journeys, statistics)

    def _aged(self, statistics: JourneyStatistics, part: Part, path: Path) -> JourneyStatistics:
        columns = self.connection.sql(
            f"SELECT * EXCLUDE (id) FROM ({read_query(path)})"
        ).fetchnumpy()
        nodes = {key: columns[f"n{i}"] for i, key in enumerate(sorted(part.names))}
        ages = Ages(
            customer=np.zeros(0, dtype=np.int64),
            time=columns["time"],
            converted=columns["converted"],
            begins=columns["begins"],
            nodes=nodes,
            names=part.names,
        )
        bucket = columns["bucket"].astype(np.int64)
        return aged(statistics, ages, bucket, self.until_us)

    def _table_of_ages(
        self, journeys: Journeys, grains: Sequence[By], names: dict[str, list[str]]
    ) -> dict[str, list[str]]:
        """Make the table of the ages of journeys; return the names, with new ones at the end."""
        ages = ages_of(journeys, grains)
        ids = np.array(journeys.log.customer_ids, dtype=object)
        bucket = md5_first_bytes(journeys.log.customer_ids).astype(np.uint8) >> 2
        names = {
            key: list(dict.fromkeys((*names.get(key, ()), *ages.names[key]))) for key in ages.names
        }
        columns = {}
        for i, key in enumerate(sorted(names)):
            place = {name: j for j, name in enumerate(names[key])}
            codes = np.array([*(place[name] for name in ages.names[key]), -1], dtype=np.int32)
            columns[f"n{i}"] = codes[ages.nodes[key]]
        make_table(
            self.connection,
            "cx_new",
            id=ids[ages.customer],
            bucket=bucket[ages.customer],
            time=ages.time,
            converted=ages.converted,
            begins=ages.begins,
            **columns,
        )
        return names

    def _write(self, number: int, part: Part, kind: str, queries: Sequence[str]) -> None:
        path = _DUCKDB.literal(str(file_of(self.folder, number, part, kind)))
        query = " UNION ALL BY NAME ".join(queries)
        self.connection.execute(f"COPY ({query}) TO {path} (FORMAT parquet)")


@attrs.frozen
class _Settled:
    """The settled customers of a part as they were, of whom some are gone, and names then used."""

    statistics: JourneyStatistics | None
    gone: JourneyStatistics | None
    uses: Uses


@attrs.frozen
class _Files:
    """The files of a part as an earlier update left them."""

    renewal: Renewal
    number: int
    part: Part | None

    def path(self, kind: str) -> Path:
        assert self.part is not None  # noqa: S101 - the caller knows
        return file_of(self.renewal.folder, self.number, self.part, kind)

    def statistics(self) -> JourneyStatistics:
        return of_own_bytes(self.path("statistics").read_bytes())

    def query(self, kind: str, join: str = "ANTI", where: str = "TRUE") -> list[str]:
        """Return the query of the rows of customers that have not changed, or have (SEMI).

        There is none where nothing is known of the part.
        """
        if self.part is None:
            return []
        name = "customer" if kind in {"live.parquet", "settled.parquet"} else "id"
        rows = f"(FROM ({read_query(self.path(kind))}) WHERE {where}) AS o"
        return [f"SELECT * FROM {rows} {join} JOIN cx_changed AS c ON o.{name} = c.id"]


def make_table(connection: Any, name: str, **columns: Any) -> None:
    """Make a table of arrays, of which the first holds ids."""
    first = next(iter(columns))
    connection.register("cx_arrays", columns)
    query = f"SELECT * REPLACE ({first}::VARCHAR AS {first}) FROM cx_arrays"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
    connection.unregister("cx_arrays")


def _moved_on(before: int | None, now: int | None) -> bool:
    """Return whether the end of the observation has not gone back."""
    return before is not None and now is not None and now >= before
