"""Journeys as a service: FastAPI over `cx.live.JourneyTracker`, SQLite or PostgreSQL below.

    pip install cxjourney fastapi uvicorn            # and "psycopg[binary]" for PostgreSQL
    export CXJOURNEY_KEY=$(openssl rand -hex 32)     # the pseudonyms of customers; keep it safe
    uvicorn --factory app:make_app

`CXJOURNEY_DATABASE` is the path of a SQLite file, or the address of a PostgreSQL; `CXJOURNEY_GOAL`
and `CXJOURNEY_INACTIVITY` say when a journey ends. Run one process of it: the tracker is in memory.

What a client was told to be accepted is in the database, in the order in which the tracker got it.
After a crash the tracker is read from its last snapshot, and what came since is added again. A
client that got no answer sends its batch again: the same id counts once.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict

import cxjourney as cx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST = 10_000  # interactions of a batch
AHEAD = timedelta(minutes=5)  # how far a clock may be fast: one wrong date would make all late
EVERY = 5_000  # interactions from one snapshot to the next


class Event(BaseModel):
    """An interaction as it is sent; other fields are refused, since they might name somebody."""

    model_config = ConfigDict(extra="forbid")
    id: str
    customer: str
    touchpoint: str
    timestamp: AwareDatetime
    channel: str | None = None
    stage: str | None = None


class Database:
    """Interactions in the order in which they were accepted, and the last snapshot."""

    def __init__(self, address: str) -> None:
        self.connection: Any
        if address.startswith("postgres") or "host=" in address:
            import psycopg

            self.connection = psycopg.connect(address)
            number, data, self.mark = "BIGSERIAL", "BYTEA", "%s"
        else:
            self.connection = sqlite3.connect(address, check_same_thread=False)
            self.connection.execute("PRAGMA journal_mode=WAL")
            number, data, self.mark = "INTEGER", "BLOB", "?"
        with self.written() as connection:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS interactions (number {number} PRIMARY KEY,"
                " id TEXT NOT NULL UNIQUE, customer TEXT NOT NULL, touchpoint TEXT NOT NULL,"
                " at TEXT NOT NULL, channel TEXT, stage TEXT)"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS snapshots"
                f" (one INTEGER PRIMARY KEY, number BIGINT NOT NULL, data {data} NOT NULL)"
            )

    @contextmanager
    def written(self) -> Iterator[Any]:
        """Commit at the end, and take all back after an error."""
        try:
            yield self.connection
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise

    def insert(self, events: Sequence[cx.Interaction]) -> list[tuple[int, cx.Interaction]]:
        """Write what is new, all or nothing; return it with its numbers."""
        marks = ", ".join([self.mark] * 6)
        query = (
            "INSERT INTO interactions (id, customer, touchpoint, at, channel, stage)"
            f" VALUES ({marks}) ON CONFLICT (id) DO NOTHING RETURNING number"
        )
        new = []
        with self.written() as connection:
            for one in events:
                row = (
                    one.id, one.customer.id, one.touchpoint.name, one.timestamp.isoformat(),
                    one.channel and one.channel.name, one.stage and one.stage.name,
                )  # fmt: skip
                found = connection.execute(query, row).fetchall()
                new += [(number, one) for (number,) in found]
        return new

    def since(self, number: int) -> Iterator[tuple[int, cx.Interaction]]:
        """Yield the interactions with a greater number, in order."""
        query = (
            "SELECT number, id, customer, touchpoint, at, channel, stage FROM interactions"
            f" WHERE number > {self.mark} ORDER BY number"
        )
        for n, key, customer, touchpoint, at, channel, stage in self.connection.execute(
            query, (number,)
        ):
            yield n, cx.Interaction(
                id=key, customer=customer, touchpoint=touchpoint, channel=channel, stage=stage,
                timestamp=datetime.fromisoformat(at),
            )  # fmt: skip

    def snapshot(self) -> tuple[int, bytes] | None:
        """Return the last snapshot, and the number of the last interaction in it."""
        found = self.connection.execute("SELECT number, data FROM snapshots").fetchone()
        return None if found is None else (found[0], bytes(found[1]))

    def keep(self, number: int, data: bytes) -> None:
        """Replace the snapshot."""
        with self.written() as connection:
            connection.execute("DELETE FROM snapshots")
            marks = ", ".join([self.mark] * 3)
            connection.execute(f"INSERT INTO snapshots VALUES ({marks})", (1, number, data))


class Service:
    """The tracker and the database, which get the same interactions in the same order."""

    def __init__(self, database: Database, **rules: Any) -> None:
        self.database, self.lock, self.unkept = database, threading.Lock(), 0
        number, data = database.snapshot() or (0, None)
        self.number = number
        self.tracker = (
            cx.live.JourneyTracker(**rules)
            if data is None
            else cx.live.JourneyTracker.from_bytes(data)
        )
        for reached, one in database.since(number):
            self.tracker.add(one)
            self.number = reached

    def accept(self, events: Sequence[cx.Interaction]) -> dict[str, int]:
        """Write and add a batch; say what became of it."""
        with self.lock:
            new = self.database.insert(events)
            told = {"added": 0, "repeated": len(events) - len(new), "late": 0}
            for number, one in new:
                told[self.tracker.add(one)] += 1
                self.number = number
            self.unkept += len(new)
            if self.unkept >= EVERY:
                self.database.keep(self.number, self.tracker.to_bytes())
                self.unkept = 0
        return told


def make_app() -> FastAPI:
    """Return the service as the environment describes it."""
    key = cx.privacy.PseudonymKey.from_environment("CXJOURNEY_KEY")
    service = Service(
        Database(os.environ.get("CXJOURNEY_DATABASE", "journeys.db")),
        goal=os.environ.get("CXJOURNEY_GOAL", "order"),
        inactivity=os.environ.get("CXJOURNEY_INACTIVITY", "14d"),
        max_lateness=os.environ.get("CXJOURNEY_LATENESS", "1d"),
    )
    app = FastAPI(title="Journeys")

    @app.exception_handler(cx.CxJourneyError)
    def refused(_: Request, error: cx.CxJourneyError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=422)

    @app.post("/interactions")
    def add(events: Annotated[list[Event], Body(max_length=MOST)]) -> dict[str, int]:
        latest = datetime.now(UTC) + AHEAD
        if any(event.timestamp > latest for event in events):
            raise HTTPException(422, "a timestamp lies in the future")
        return service.accept(
            [
                cx.Interaction(**event.model_dump() | {"customer": key.pseudonym(event.customer)})
                for event in events
            ]
        )

    @app.get("/customers/{customer}")
    def state(customer: str) -> dict[str, Any]:
        try:
            return service.tracker.state(key.pseudonym(customer), now=datetime.now(UTC)).to_dict()
        except cx.exceptions.UnknownName:
            raise HTTPException(404, "the customer has no journey in memory") from None

    @app.get("/at-risk")
    def at_risk(top: Annotated[int, Query(ge=1, le=1_000)] = 10) -> list[dict[str, Any]]:
        found = service.tracker.at_risk(now=datetime.now(UTC), top=top)
        return [one.to_dict() for one in found]  # customers by their pseudonyms

    @app.get("/health")
    def health() -> dict[str, Any]:
        tracker = service.tracker
        return {"added": tracker.n_added, "late": tracker.n_late, "number": service.number}

    return app
