"""Statistics day by day: a folder that keeps what is counted, and counts again what changed."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Sized
from datetime import datetime, timedelta
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import attrs
import numpy as np

from cxjourney._support.words import how_long
from cxjourney.exceptions import DataQualityWarning, InputFileError, InvalidData, InvalidValue
from cxjourney.io import find_files, parquet_relation
from cxjourney.journeys import (
    JourneyStatistics,
    analyses_of,
    analyses_read,
    of_own_bytes,
    part_of,
    quick_bytes,
    text_of,
)
from cxjourney.log import moment
from cxjourney.sharded._counting import ROWS, Counting, Plan, add_to, depth_for
from cxjourney.sharded._dialects import DIALECTS
from cxjourney.sharded._duckdb import (
    COLUMNS,
    connected,
    facts_of,
    files_of,
    is_relation,
    part_in_sql,
    private_folder,
    read_query,
    shares_of,
    ties_of,
    touchpoints_of,
)
from cxjourney.sharded._facts import doubts_of
from cxjourney.sharded._store_folder import (
    Part,
    State,
    file_of,
    locked,
    made_private,
    read_state,
    swept,
    whole_of,
    write_state,
)
from cxjourney.sharded._store_parts import Renewal, make_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from os import PathLike

_DUCKDB = DIALECTS["duckdb"]
_ATTEMPTS = 64
_MICROSECOND = timedelta(microseconds=1)
_TIMES = ("inactivity", "carry_channels")
_NEEDED = ("customer", "timestamp", "touchpoint")


@attrs.frozen(kw_only=True)
class Erasure:
    """The receipt of an erasure, in which no id stands.

    Attributes
    ----------
    n_asked, n_erased
        Customers that were to be erased, and those of them that the store had.
    observed_until
        The end of the observation, which stays.
    """

    n_asked: int
    n_erased: int
    observed_until: datetime | None


class Store:
    """Statistics that are brought up to date, in a folder.

    Parameters
    ----------
    folder
        The folder, which is made where it is not there.
    **plan
        What `cx.sharded.parquet` takes but `observed_until`, `since` and `until`: `customer`,
        `timestamp`, `touchpoint`, further columns, rules and `grains`. Needed for a new store. Of
        another one they must be the same: all of them, or without one of these three columns only
        those that are given.

    Raises
    ------
    InvalidValue
        If the plan is not that of the store or breaks a rule, or the folder holds something else.
    InputFileError
        If the store is damaged, or of another release.

    Notes
    -----
    **The store holds the interactions of all customers, with their ids**, since it must be able to
    take out what a customer had contributed: keep it as safe as the log. Only the user that made
    it may read it.

    A customer is *settled* when the last interaction lies the inactivity limit back. The journeys
    of settled customers are kept as statistics, in which time changes only how long first visits
    were followed; the others are counted again at each update. Parts have about two million
    interactions.

    Examples
    --------
    >>> import cxjourney as cx
    >>> import duckdb
    >>> events = duckdb.sql(
    ...     "SELECT 'c' || i % 50 AS who, TIMESTAMP '2026-01-01' + INTERVAL 1 HOUR * i AS seen, "
    ...     "CASE WHEN i % 7 = 0 THEN 'buy' ELSE 'web' END AS page FROM range(1000) AS r(i)"
    ... )
    >>> store = cx.sharded.Store(
    ...     "nightly", customer="who", timestamp="seen", touchpoint="page", goal="buy",
    ...     inactivity="3d",
    ... )
    >>> store.update(events.filter("seen < '2026-02-01'"))
    >>> store.update(events, changed=[f"c{i}" for i in range(50)])
    >>> store.statistics()
    JourneyStatistics: 186 journeys of 50 customers (all customers), by touchpoint
    >>> store.erase(["c1"]).n_erased
    1
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        customer: str | None = None,
        timestamp: str | None = None,
        touchpoint: str | None = None,
        **plan: Unpack[Plan],
    ) -> None:
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay as they are
        columns = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
        given = {role: name for role, name in columns.items() if name is not None}
        state = read_state(self._folder)
        if state is None and len(given) < len(columns):
            rule = "hold a store, or come with customer=, timestamp= and touchpoint=, to make one"
            raise InvalidValue.of("folder", rule, str(folder))
        if given or plan:
            if plan.get("observed_until") is not None:
                raise InvalidValue(
                    "observed_until must be given to update(), since it is another one each day"
                )
            for name in ("since", "until"):
                if plan.get(name) is not None:
                    rule = (
                        "be None: a store counts all journeys, cx.sharded.parquet those of a period"
                    )
                    raise InvalidValue.of(name, rule, plan.get(name))
            rest = {} if state is None or len(given) == len(columns) else _arguments(state.plan)
            arguments = {**rest, **given, **plan}  # the rest is as the store has it
            wanted = _to_json(_counting_of(arguments))
            if state is None:
                made_private(self._folder)
                state = State(plan=wanted)
                write_state(self._folder, state)
            elif wanted != state.plan:
                name = next(x for x in (*state.plan, *wanted) if state.plan.get(x) != wanted.get(x))
                raise InvalidValue(
                    f"the plan must be that of the store, which has {_own(state.plan, name)}: give "
                    "the same, leave all arguments but the folder out, or make another store"
                )
        assert state is not None  # noqa: S101 - it was made
        self._counting = _counting_of(_arguments(state.plan))

    def __repr__(self) -> str:
        until = self._state().until_us
        day = "nothing yet" if until is None else f"until {moment(until):%Y-%m-%d}"
        return f"Store: {day}, {self._folder}"

    def statistics(self) -> JourneyStatistics:
        """Return the statistics of all customers as of the last update.

        Raises
        ------
        InvalidValue
            If nothing was counted yet, or the file is damaged.
        """
        for _ in range(_ATTEMPTS):
            state = self._state()
            if not state.generation:
                break
            try:
                return of_own_bytes(whole_of(self._folder, state).read_bytes())
            except FileNotFoundError:
                continue  # an update has just ended
        raise InvalidValue(f"{self._folder} holds no statistics yet: call update()")

    def update(
        self,
        source: str | PathLike[str] | Iterable[str | PathLike[str]] | Any,
        *,
        changed: Iterable[str] | None = None,
        observed_until: date | str | None = None,
        memory: str = "4GB",
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Bring the statistics up to date.

        Parameters
        ----------
        source
            Parquet files as of `cx.sharded.parquet`, or a relation of DuckDB as of
            `cx.sharded.relation`. It must have **all** interactions of the customers that changed,
            old ones too.
        changed
            Ids of the customers of whom something has come, gone or changed, new ones among them;
            only theirs are read. None reads everything, as the first update with interactions does:
            all customers must be in the source then.
        observed_until
            The end of the observation; None means the last interaction of all customers.
        memory
            About how much memory may be used where files are read, as of `cx.sharded.parquet`.
        progress
            Called with the number of parts that are done, and of all.

        Raises
        ------
        InputFileError, UnknownName, InvalidData, InvalidValue
            As of `cx.sharded.parquet`; also if another update runs, if a column is of another type
            than before, or if without `changed` the source lacks more than half of the customers of
            the store.

        Warns
        -----
        DataQualityWarning
            As of `cx.sharded.parquet`, of the interactions that are read.

        Notes
        -----
        The statistics are those of counting everything anew at this end of the observation, `==`.
        An update that is killed leaves the store as it was.
        """
        chosen = None if changed is None else _ids(changed, "changed")
        reading = self._counting.reading
        if observed_until is not None:
            reading = reading | {"observed_until": observed_until}
        counting = attrs.evolve(self._counting, reading=reading)
        _, until = counting.window_us
        limit, most = shares_of(memory, ROWS)
        with (
            locked(self._folder),
            private_folder() as temporary,
            connected("sharded.Store", temporary, limit) as own,
        ):
            state = self._state()
            swept(self._folder, state)
            if not state.types:
                chosen = None
            read = _Source(counting, self._relation(own, source), temporary, own, chosen)
            types = read.types(state)
            told, n_parts = read.copied(len(state.parts), most)
            if chosen is None:
                self._check_whole(own, state, read.copies)
            if not (told["rows"] or state.types):
                types = {}  # nothing has come yet
            if until is None:
                last = None if chosen is None else self._last(own, state, chosen)
                ends = (told.get("observed_until"), last)
                until = max((end for end in ends if end is not None), default=None)
            old = (None,) * n_parts if chosen is None else state.parts
            state = attrs.evolve(state, types=types, until_us=until)
            self._renewed(
                own, state, old, temporary=temporary, chosen=chosen, told=told, progress=progress
            )

    def erase(self, customers: Iterable[str]) -> Erasure:
        """Remove customers and all that they contributed.

        Parameters
        ----------
        customers
            Their ids; one that the store does not have is no error.

        Returns
        -------
        Erasure
            How many were asked for and erased, without ids. The end of the observation stays, even
            if the last interaction was theirs.

        Raises
        ------
        InvalidValue
            If another update runs.

        Notes
        -----
        The statistics become those of a log in which these customers never were, `==`. Their
        interactions are gone from the folder when this returns; a backup of it has them still. The
        store keeps no list of whom it has erased: an update that reads them in the source counts
        them again, so erase them there first.
        """
        chosen = _ids(customers, "customers")
        with (
            locked(self._folder),
            private_folder() as temporary,
            connected("sharded.Store", temporary, shares_of("4GB", ROWS)[0]) as own,
        ):
            state = self._state()
            swept(self._folder, state)
            if not state.generation:
                return Erasure(n_asked=len(chosen), n_erased=0, observed_until=None)
            _make_changed(own, chosen)
            n = 0
            for file in self._customers(state, _touched(chosen, len(state.parts))):
                known = f"SELECT id FROM ({read_query(file)}) SEMI JOIN cx_changed USING (id)"
                n += len(own.sql(known).fetchall())
            self._renewed(
                own, state, state.parts, temporary=temporary, chosen=chosen, told={"rows": 0}
            )
            until = None if state.until_us is None else moment(state.until_us)
            return Erasure(n_asked=len(chosen), n_erased=n, observed_until=until)

    # ------------------------------------------------------------------ behind

    def _state(self) -> State:
        state = read_state(self._folder)
        if state is None:
            raise InputFileError(f"{self._folder} is no store any more: its manifest is gone")
        return state

    def _relation(self, own: Any, source: Any) -> Any:
        if not is_relation(source):
            return parquet_relation(own, find_files(source), [*self._counting.columns.values()])
        self._counting.check_columns(source.columns)
        return source

    def _customers(self, state: State, numbers: Iterable[int]) -> list[Path]:
        """Return the files that list the customers of some parts."""
        return [file_of(self._folder, i, state.parts[i], "customers.parquet") for i in numbers]

    def _check_whole(self, own: Any, state: State, copies: str) -> None:
        """Raise where a source that should have all customers lacks most of those of the store."""
        if not state.parts:
            return
        files = self._customers(state, range(len(state.parts)))
        complete = '"timestamp" IS NOT NULL AND touchpoint IS NOT NULL'
        ((known, found),) = own.sql(
            f"SELECT COUNT(*), COUNT(customer) FROM ({read_query(*files)}) LEFT JOIN"
            f" (SELECT DISTINCT customer FROM ({copies}) WHERE {complete}) ON id = customer"
        ).fetchall()
        if 2 * found < known:
            raise InvalidData(
                f"the source has {found:,} of the {known:,} customers of the store, but without "
                "changed= everything must be in the source, all customers with all their "
                "interactions: give changed=, the ids of those who changed, or build another store "
                "in a new folder"
            )

    def _last(self, own: Any, state: State, chosen: list[str]) -> int | None:
        """Return when the last interaction of those who have not changed was."""
        touched = _touched(chosen, len(state.parts))
        found = [part.last_us for i, part in enumerate(state.parts) if i not in touched]
        for file in self._customers(state, touched):
            query = f"SELECT MAX(last) FROM ({read_query(file)}) ANTI JOIN cx_changed USING (id)"
            found += own.sql(query).fetchall()[0]
        return max((last for last in found if last is not None), default=None)

    def _renewed(
        self,
        own: Any,
        state: State,
        old: Sequence[Part | None],
        *,
        temporary: Path,
        chosen: list[str] | None,
        told: dict[str, int],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Renew all parts, and let the manifest name what has become of them."""
        until, reading = state.until_us, dict(self._counting.reading)
        reading |= {role: role for role in self._counting.columns}
        reading["observed_until"] = None if until is None else moment(until)
        renewal = Renewal(
            connection=own,
            counting=attrs.evolve(self._counting, reading=reading),
            until_us=until,
            folder=self._folder,
            generation=state.generation + 1,
            of=len(old),
        )
        touched = range(len(old)) if chosen is None else _touched(chosen, len(old))
        parts, ties = [], told.get("ties", 0)
        few: list[JourneyStatistics] = []
        for number, part in enumerate(old):
            columns, *fresh = files_of(temporary, number)
            if part is None:
                fresh = [columns, *fresh]
            new, counted, tied = renewal.renewed(number, part, fresh, changed=number in touched)
            parts.append(new)
            add_to(few, counted)
            ties += tied if chosen is None else 0  # else they are of customers not read now, too
            if progress is not None:
                progress(number + 1, len(old))
        state = attrs.evolve(state, generation=renewal.generation, parts=tuple(parts))
        whole_of(self._folder, state).write_bytes(quick_bytes(JourneyStatistics.total(few)))
        write_state(self._folder, state)
        if doubts := doubts_of(told, ties, ordered="seq" in self._counting.columns):
            warnings.warn(doubts, DataQualityWarning, stacklevel=3)


@attrs.frozen
class _Source:
    """What an update reads: all interactions of a relation, or those of chosen customers."""

    counting: Counting
    relation: Any
    folder: Path
    connection: Any
    chosen: list[str] | None

    def types(self, state: State) -> dict[str, str]:
        """Return the type of each column, which must stay while a part of the rows does."""
        known = dict(zip(self.relation.columns, map(str, self.relation.types), strict=True))
        found = {role: known[name] for role, name in self.counting.columns.items()}
        found = {role: "VARCHAR" if x.startswith("ENUM") else x for role, x in found.items()}
        if self.chosen is not None and found != state.types:
            role = next(role for role in found if found[role] != state.types[role])
            rule = f"be of the type {state.types[role]} that the store has: cast it, or read it all"
            raise InvalidValue.of(f"the column of {role}=", rule, found[role])
        return found

    def copied(self, n_parts: int, most: int) -> tuple[dict[str, int], int]:
        """Copy the interactions into one folder a part; return facts, and how many parts are."""
        _make_changed(self.connection, self.chosen or [])
        if self.chosen is not None:
            self._copy(n_parts)
            copies = self.connection.sql(self.copies)
            roles = {role: role for role in self.counting.columns}
            # that a goal occurs was checked with the whole
            rules = attrs.evolve(self.counting.rules, goal=(), exit_touchpoints=())
            reading = self.counting.reading | roles
            plain = attrs.evolve(self.counting, rules=rules, reading=reading)
            return _checked(plain, copies) | {"ties": ties_of(plain, copies)}, n_parts
        told = _checked(self.counting, self.relation)
        n_parts = 1 << depth_for(told["rows"], most)
        self._copy(n_parts)
        return told, n_parts

    @property
    def copies(self) -> str:
        """Query of what was copied."""
        return read_query(self.folder / COLUMNS, *self.folder.glob("parts/*/*.parquet"))

    def _copy(self, n_parts: int) -> None:
        columns = dict(self.counting.columns)
        # the id as it counts; no row without one belongs to anybody
        customer = f'CAST({_DUCKDB.name(columns.pop("customer"))} AS VARCHAR) COLLATE "C"'
        named = ", ".join(f"{_DUCKDB.name(name)} AS {role}" for role, name in columns.items())
        rows = f"SELECT {named}, {customer} AS cx_raw FROM cx_source"
        id_as_it_counts = f"{_DUCKDB.canonical('cx_raw')} AS customer"
        rows = f"SELECT * EXCLUDE (cx_raw), {id_as_it_counts} FROM ({rows}) AS r"
        wanted = "customer IS NOT NULL"
        if self.chosen is not None:
            ids = self.folder / "changed.parquet"
            self.connection.table("cx_changed").write_parquet(str(ids))
            wanted = f"customer IN ({read_query(ids)})"
        part = part_in_sql("customer", n_parts.bit_length() - 1)
        query = f"SELECT *, {part} AS cx_part FROM ({rows}) AS i WHERE {wanted}"
        found = self.relation.query("cx_source", query)
        found.write_parquet(str(self.folder / "parts"), partition_by=["cx_part"], overwrite=True)
        empty = self.relation.query("cx_source", f"{rows} LIMIT 0")
        empty.write_parquet(str(self.folder / COLUMNS))


def _checked(counting: Counting, relation: Any) -> dict[str, int]:
    """Return the facts of the interactions of a relation, which are checked."""
    told = facts_of(counting, relation)
    return counting.checked(told, _DUCKDB, lambda: touchpoints_of(counting, relation))[1]


def _make_changed(own: Any, ids: list[str]) -> None:
    make_table(own, "cx_changed", id=np.array(ids, dtype=object))


def _touched(ids: list[str], n_parts: int) -> set[int]:
    return set(part_of(ids, n_parts.bit_length() - 1).tolist())


def _ids(given: Any, argument: str) -> list[str]:
    """Return distinct ids as they count in a log."""
    try:
        ids = [] if isinstance(given, str) else list(given)
    except TypeError:
        ids = []
    good = all(isinstance(x, (str, Integral)) and not isinstance(x, bool) for x in ids)
    if isinstance(given, str) or not good or not (ids or isinstance(given, (Sized, Iterable))):
        # an id stands in no message
        rule = "be several ids, strings or whole numbers"
        raise InvalidValue.of(argument, rule, type(given).__name__)
    return list(dict.fromkeys(map(str, ids)))


def _to_json(counting: Counting) -> dict[str, Any]:
    """Return the plan of a store: columns, options, rules and grains."""
    rules = attrs.asdict(counting.rules, recurse=False)
    del rules["gaps"], rules["by_journey_column"], rules["truncated"], rules["unit"]
    for name in _TIMES:
        rules[name] = None if rules[name] is None else rules[name] // _MICROSECOND
    since, _ = counting.window_us
    grains = counting.grains
    if grains is not None:
        grains = list(grains) if isinstance(grains, list) else [grains]
    plan = {
        **counting.columns,
        "tz": counting.reading.get("tz", "UTC"),
        "missing": counting.reading.get("missing", "refuse"),
        "currency": counting.reading.get("currency"),
        "observed_from": since,
        **rules,
        "grains": grains,
        "analyses": [text_of(one) for one in analyses_of(counting.analyses, None)],
    }
    return json.loads(json.dumps(plan))  # type: ignore[no-any-return]  # tuples become lists


def _own(plan: dict[str, Any], name: str) -> str:
    """Return an argument of the plan of a store, in a message."""
    value = plan.get(name)
    if name in _TIMES and value is not None:
        return f"{name}={how_long(value * _MICROSECOND)}"
    if name == "observed_from" and value is not None:
        return f"{name}={moment(value)}"
    return f"{name}={value!r}"


def _arguments(plan: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that made a plan."""
    facts = dict(plan)
    for name in _TIMES:
        facts[name] = None if facts[name] is None else facts[name] * _MICROSECOND
    since, grains = facts["observed_from"], facts["grains"]
    facts["observed_from"] = None if since is None else moment(since)
    facts["grains"] = grains and [tuple(by) if isinstance(by, list) else by for by in grains]
    facts["analyses"] = analyses_read(facts["analyses"]) or None
    return facts


def _counting_of(arguments: Any) -> Counting:
    columns = {role: arguments[role] for role in _NEEDED}
    others = {name: value for name, value in arguments.items() if name not in columns}
    return Counting.of(columns, **others)
