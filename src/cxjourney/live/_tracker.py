"""`JourneyTracker`: interactions as they come, states and statistics at any time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs
import numpy as np

from cxjourney._support.validation import check_choice, check_count, check_duration, duration_us
from cxjourney._time.timestamps import utc_us
from cxjourney.domain import Interaction
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.journeys import (
    IN_PROGRESS,
    By,
    JourneyRules,
    Journeys,
    JourneyStatistics,
    Settled,
    check_grain,
)
from cxjourney.live import _snapshot
from cxjourney.live._rows import OpenRows, first_of_ids
from cxjourney.live._state import JourneyState, Predictor, last_journey, state_at, state_of
from cxjourney.log import NO_SEQ, InteractionLog, is_currency_code, moment

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from cxjourney._support.array_types import Bools

Verdict = Literal["added", "repeated", "late"]

_NAMED = ("channel", "stage", "owner")
_FEW = 64
_SLACK = 200_000
_WAITING = 1_000_000


class JourneyTracker:
    """Journeys as they run: add interactions, ask where a customer stands, and for statistics.

    Parameters
    ----------
    goal, exit_touchpoints, after_goal
        As of `InteractionLog.journeys`. Nobody need have reached them yet.
    inactivity
        The silence after which a customer counts as lost. It is needed: without it no journey would
        ever be over, and the memory would grow.
    max_lateness
        How much earlier than the latest interaction so far one may be when it comes. What is
        earlier than that is left out, and counted in `n_late`. So long ids are remembered.
    columns
        Which of "channel", "stage" and "owner" are kept of interactions.
    currency
        Code of the currency of values; without it values are not kept.
    grains
        What a node may be in `statistics()`, as of `Journeys.statistics`.
    observed_from
        Since when customers are followed; what is earlier is left out as late.
    predictor
        What predicts running journeys, such as `cxjourney.predict.fit(...)` returns: its
        `predict(journeys, now=...)` gives a table with one row a journey.

    Raises
    ------
    InvalidValue
        If an argument breaks its rule.

    Notes
    -----
    `statistics()` is that of the journeys of a log of all interactions that were added, `==`, in
    whatever order they came within the lateness. Equal timestamps of a customer stand in the order
    of `seq`, else in that in which they came, as in a log. The log has the `columns` of the
    tracker, whether or not anything is known in them.

    Interactions with an `id` count once, however often they come; those without one are never
    taken for another. The latest timestamp moves the time of all: refuse timestamps of the future
    before they get here.

    In memory are the interactions of journeys that have not been over for `max_lateness`, ids
    within it, the times of first visits of journeys that are over (about 25 bytes each), and 24
    bytes for each customer and for each transition that a customer made. All methods may be called
    from several threads. `add` and `state` are quick enough to be called from a coroutine; every
    200,000 interactions or more one `add` sorts them, which takes a tenth of a second a million.
    Run `statistics`, `at_risk` and `ended` in a thread, as `asyncio.to_thread` does: others may add
    while they count.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> import cxjourney as cx
    >>> tracker = cx.live.JourneyTracker(goal="order", inactivity="14d")
    >>> begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
    >>> for hour, where in enumerate(["web", "cart"]):
    ...     when = begin + timedelta(hours=hour)
    ...     tracker.add(
    ...         cx.Interaction(customer="ana", touchpoint=where, timestamp=when, id=f"e{hour}")
    ...     )
    'added'
    'added'
    >>> tracker.state("ana", now=begin + timedelta(days=2))
    JourneyState: web > cart, in_progress, silent for 1 day, 23:00:00
    >>> tracker.statistics()
    JourneyStatistics: 1 journeys of 1 customers (all customers), by touchpoint and channel
    """

    def __init__(
        self,
        *,
        goal: str | Iterable[str] | None = None,
        inactivity: timedelta | str,
        exit_touchpoints: str | Iterable[str] = (),
        after_goal: Literal["new_journey", "discard", "keep"] = "new_journey",
        max_lateness: timedelta | str = "1h",
        columns: Sequence[str] = ("channel", "stage"),
        currency: str | None = None,
        grains: By | list[By] | None = None,
        observed_from: datetime | str | None = None,
        predictor: Predictor | None = None,
    ) -> None:
        if inactivity is None:
            raise InvalidValue.of("inactivity", "be given, so that journeys come to an end", None)
        self._rules = JourneyRules(
            goal=goal,
            inactivity=inactivity,
            exit_touchpoints=exit_touchpoints,
            after_goal=after_goal,
        )
        self._rules.check(())
        self._lateness = check_duration(max_lateness, "max_lateness")
        if isinstance(columns, str) or not isinstance(columns, Iterable):
            raise InvalidValue.of("columns", "be several of 'channel', 'stage', 'owner'", columns)
        self._columns = tuple(check_choice(name, "columns", _NAMED) for name in columns)
        if currency is not None and not is_currency_code(currency):
            rule = "be a code of three capital letters like 'EUR'"
            raise InvalidValue.of("currency", rule, currency)
        if predictor is not None and not callable(getattr(predictor, "predict", None)):
            kind = type(predictor).__name__
            raise InvalidValue.of("predictor", "have predict(journeys, now=...)", kind)
        _check_grains(grains, self._columns)
        self._currency, self._grains, self._predictor = currency, grains, predictor
        self._since_us = None
        if observed_from is not None:
            self._since_us = utc_us(observed_from, "observed_from", "UTC")
        self._rows = OpenRows(("touchpoint", *self._columns), valued=currency is not None)
        self._seen: dict[str, int] = {}
        self._most_seen, self._most_rows = _SLACK, _SLACK
        self._settled = Settled()
        self._waiting: list[InteractionLog] = []
        self._last_us: int | None = None
        self._forgotten_us: int | None = None
        self._counts = dict.fromkeys(("added", "repeated", "late"), 0)
        self._lock, self._counting = threading.RLock(), threading.RLock()

    def __repr__(self) -> str:
        return (
            f"JourneyTracker: {self.n_added:,} interactions added, {self.n_repeated:,} repeated, "
            f"{self.n_late:,} late; {len(self._rows.ids):,} customers in memory"
        )

    @property
    def n_added(self) -> int:
        """How many interactions count."""
        return self._counts["added"]

    @property
    def n_repeated(self) -> int:
        """How many came again, by their ids."""
        return self._counts["repeated"]

    @property
    def n_late(self) -> int:
        """How many came too late and are left out."""
        return self._counts["late"]

    @property
    def last(self) -> datetime | None:
        """Time of the latest interaction; None where none has come."""
        return None if self._last_us is None else moment(self._last_us)

    # ------------------------------------------------------------------ adding

    def add(self, interaction: Interaction) -> Verdict:
        """Add an interaction.

        Parameters
        ----------
        interaction
            The interaction, with its `id` where it may come again.

        Returns
        -------
        {"added", "repeated", "late"}
            What became of it.

        Raises
        ------
        InvalidValue
            If it is no `Interaction`, or has the id of a case: silence cuts journeys here.
        InvalidData
            If its currency is another one.
        """
        if not isinstance(interaction, Interaction):
            kind = type(interaction).__name__
            raise InvalidValue.of("interaction", "be an Interaction", kind)
        if interaction.journey is not None:
            raise InvalidValue("interaction must have no journey: silence cuts journeys here")
        us = _us(interaction.timestamp)
        fields: dict[str, Any] = {
            "time": us,
            "seq": NO_SEQ if interaction.seq is None else interaction.seq,
            "touchpoint": interaction.touchpoint.name,
        }
        for name in self._columns:
            value = getattr(interaction, name)
            fields[name] = value if value is None or name == "owner" else value.name
        if self._currency is not None:
            if interaction.value is not None and interaction.currency not in {None, self._currency}:
                raise InvalidData(f"currency must be {self._currency}, that of the tracker")
            fields["value"] = np.nan if interaction.value is None else interaction.value
        key = interaction.id
        with self._lock:
            verdict: Verdict = "added"
            if us < self._floor_us():
                verdict = "late"
            elif key is not None and key in self._seen:
                verdict = "repeated"
            else:
                self._rows.append(interaction.customer.id, fields)
                if key is not None:
                    self._seen[key] = us
                if self._last_us is None or us > self._last_us:
                    self._last_us = us
            self._counts[verdict] += 1
            full = self._tidied()
        if full:
            self._count()
        return verdict

    def add_frame(
        self,
        frame: Any,
        *,
        customer: str,
        timestamp: str,
        touchpoint: str,
        id: str | None = None,  # noqa: A002 - as the field of Interaction
        channel: str | None = None,
        stage: str | None = None,
        owner: str | None = None,
        seq: str | None = None,
        value: str | None = None,
        **reading: Any,
    ) -> dict[Verdict, int]:
        """Add the interactions of a frame, all of which come at once.

        Parameters
        ----------
        frame
            Any frame that `InteractionLog.from_frame` takes; hence Any.
        customer, timestamp, touchpoint, channel, stage, owner, seq, value
            Names of columns, as there; those that the tracker does not keep cannot be named.
        id
            Name of the column of ids of interactions.
        **reading
            `tz`, `timestamp_format`, `timestamp_unit` and `missing` of `from_frame`.

        Returns
        -------
        dict
            How many were "added", "repeated" and "late".

        Raises
        ------
        UnknownName, InvalidData, InvalidValue, ReservedName
            As of `from_frame`; nothing is added then.
        """
        own = {"channel": channel, "stage": stage, "owner": owner, "value": value}
        given: dict[str, Any] = {name: x for name, x in own.items() if x is not None}
        kept = (*self._columns, *(("value",) if self._currency is not None else ()))
        if strange := [name for name in given if name not in kept]:
            raise InvalidValue(f"{strange[0]}= must be left out: the tracker does not keep it")
        for name in reading:
            check_choice(name, "an argument", _READING)
        log = InteractionLog.from_frame(
            frame,
            customer=customer,
            timestamp=timestamp,
            touchpoint=touchpoint,
            seq=seq,
            currency=None if value is None else self._currency,
            attributes=() if id is None else (id,),
            **given,
            **reading,
        )
        columns = log.columns
        time, n = columns.time, len(columns)
        if time is None or not n:
            return {"added": 0, "repeated": 0, "late": 0}
        with self._lock:
            keep = time >= self._floor_us()
            late = n - int(np.count_nonzero(keep))
            new: dict[str, int] = {}
            if id is not None:
                keep, new = first_of_ids(columns.attributes[id], time, keep, self._seen)
            added = int(np.count_nonzero(keep))
            counts = np.add.reduceat(keep.astype(np.int64), columns.offsets[:-1])
            if added < n:
                columns, time = columns.take(keep, columns.offsets), time[keep]
            fields: dict[str, Any] = {
                "time": time,
                "seq": NO_SEQ if columns.seq is None else columns.seq,
                **{name: columns.coded.get(name, -1) for name in ("touchpoint", *self._columns)},
            }
            if self._currency is not None:
                fields["value"] = columns.numeric.get("value", np.nan)
            if added:
                self._rows.extend(log.customer_ids, counts, fields)
                latest = int(time.max())
                self._last_us = latest if self._last_us is None else max(self._last_us, latest)
                self._seen.update(new)
            told: dict[Verdict, int] = {"added": added, "repeated": n - late - added, "late": late}
            for verdict, number in told.items():
                self._counts[verdict] += number
            full = self._tidied()
        if full:
            self._count()
        return told

    def _floor_us(self) -> int:
        """Return the time before which an interaction is late."""
        late = _EVER if self._last_us is None else self._last_us - duration_us(self._lateness)
        return late if self._since_us is None else max(late, self._since_us)

    # ------------------------------------------------------------------ asking

    def state(self, customer: str, *, now: datetime | str | None = None) -> JourneyState:
        """Return where the last journey of a customer stands.

        Parameters
        ----------
        customer
            Id of the customer.
        now
            The present; None means the time of the latest interaction, as does an earlier one.

        Returns
        -------
        JourneyState
            With the predictions of a journey in progress where the tracker has a predictor.

        Raises
        ------
        UnknownName
            If nothing of the customer is in memory: never seen, or over for long.
        """
        with self._lock:
            now_us = self._now_us(now)
            rows = self._rows.of(customer)
            if rows is None:
                raise UnknownName("the customer has no journey in memory")
            told = [self._fields(row) for row in rows]
        found = state_of(customer, *last_journey(told, self._rules, now_us), now_us)
        if self._predictor is None or found.outcome != "in_progress":
            return found
        table = self._predictor.predict(found.journey, now=found.now)
        return attrs.evolve(found, predictions=table.row(0))

    def at_risk(
        self, *, now: datetime | str | None = None, top: int = 10
    ) -> tuple[JourneyState, ...]:
        """Return the journeys in progress that are likeliest to drop off.

        Parameters
        ----------
        now
            As of `state`.
        top
            How many.

        Returns
        -------
        tuple of JourneyState
            By the `dropoff` of the predictor, and without one by the silence, longest first.
        """
        check_count(top, "top")
        journeys, now_us = self._running(now)
        running = np.flatnonzero(journeys.outcome == IN_PROGRESS)
        table = None
        if self._predictor is None or not len(running):
            time = journeys.columns.time
            assert time is not None  # noqa: S101 - interactions have times
            risk = -time[journeys.offsets[1:][running] - 1].astype(np.float64)
        else:
            some = journeys.where(journeys.outcome == IN_PROGRESS)
            table = self._predictor.predict(some, now=moment(now_us))
            risk = np.nan_to_num(np.asarray(table["dropoff"], dtype=np.float64), nan=-1.0)
        chosen = np.argsort(-risk, kind="stable")[:top].tolist()
        found = [state_at(journeys, int(running[i]), now_us) for i in chosen]
        if table is None:
            return tuple(found)
        return tuple(
            attrs.evolve(one, predictions=table.row(i))
            for one, i in zip(found, chosen, strict=True)
        )

    def ended(
        self, since: datetime | str, *, now: datetime | str | None = None
    ) -> tuple[JourneyState, ...]:
        """Return the journeys that have ended since a moment, in the order of their ends.

        A journey ends with its goal or exit, else when the silence has lasted for the limit; an
        interaction that comes late may still go on with it.

        Parameters
        ----------
        since
            The moment; the end itself may lie on it.
        now
            As of `state`.

        Raises
        ------
        InvalidValue
            If `since` lies so far back that journeys which ended then may be forgotten: they are
            remembered for `max_lateness`.
        """
        since_us = utc_us(since, "since", "UTC")
        journeys, now_us = self._running(now)
        if self._forgotten_us is not None and since_us <= self._forgotten_us:
            rule = f"lie after {moment(self._forgotten_us)}: earlier ends are in the statistics"
            raise InvalidValue.of("since", rule, since)
        time, limit = journeys.columns.time, self._rules.inactivity
        assert time is not None  # noqa: S101 - interactions have times
        assert limit is not None  # noqa: S101 - a tracker has one
        end = time[journeys.offsets[1:] - 1] + np.where(journeys.absorbed, 0, duration_us(limit))
        over = np.flatnonzero((end >= since_us) & (end <= now_us))
        order = over[np.argsort(end[over], kind="stable")]
        return tuple(state_at(journeys, i, now_us) for i in order.tolist())

    def statistics(self, *, now: datetime | str | None = None) -> JourneyStatistics:
        """Return the statistics of all journeys, for every analysis that takes them.

        Parameters
        ----------
        now
            The end of the observation, as of `state`.

        Returns
        -------
        JourneyStatistics
            Those of a log of all interactions that were added, `==`.
        """
        with self._counting:
            with self._lock:
                until = None if self._last_us is None else self._now_us(now)
                self._retired()
                log, waiting = self._log(until), len(self._waiting)
            self._count(waiting)  # what else waits by then is in the log
            return self._settled.with_running(self._of_log(log), self._grains)

    def _now_us(self, now: datetime | str | None) -> int:
        last = 0 if self._last_us is None else self._last_us
        return last if now is None else max(last, utc_us(now, "now", "UTC"))

    def _running(self, now: datetime | str | None) -> tuple[Journeys, int]:
        with self._lock:
            now_us = self._now_us(now)
            self._rows.sort()
            log = self._log(now_us)
        return self._of_log(log), now_us

    def _log(self, until_us: int | None, rows: Bools | None = None) -> InteractionLog:
        """Return some rows, or all, of those that are sorted."""
        return self._rows.log(self._since_us, until_us, self._currency, rows)

    def _of_log(self, log: InteractionLog) -> Journeys:
        rules = self._rules
        return log.journeys(
            goal=rules.goal,
            inactivity=rules.inactivity,
            exit_touchpoints=rules.exit_touchpoints,
            after_goal=rules.after_goal,
            touchpoints=(*rules.goal, *rules.exit_touchpoints),
        )

    def _fields(self, row: int) -> dict[str, Any]:
        """Return one interaction as the fields of `Interaction`, the time in microseconds."""
        columns = self._rows.columns
        found: dict[str, Any] = {"timestamp": int(columns["time"][row])}
        for name, known in self._rows.named.items():
            found[name] = known[columns[name][row]]
        if self._currency is not None and not np.isnan(value := float(columns["value"][row])):
            found |= {"value": value, "currency": self._currency}
        return found

    # ------------------------------------------------------------------ what is over

    def _tidied(self) -> bool:
        """Forget what need not be known any more; return whether much waits to be counted."""
        if len(self._seen) > self._most_seen:
            floor = self._floor_us()
            self._seen = {key: us for key, us in self._seen.items() if us >= floor}
            self._most_seen = 2 * len(self._seen) + _SLACK
        if self._rows.n > self._most_rows:
            self._retired()
        return sum(map(len, self._waiting)) > _WAITING

    def _retired(self) -> None:
        """Take out of the rows what is over, which waits to be counted; all are sorted then.

        What comes is so late at most that it cannot go on with any of it, and ends are told for as
        long as that again.
        """
        rows = self._rows
        rows.sort()
        if self._last_us is not None and self._rules.inactivity is not None:
            limit, late = duration_us(self._rules.inactivity), duration_us(self._lateness)
            over_us = self._last_us - late - limit - late
            time, customer = (rows.columns[name][: rows.n] for name in ("time", "customer"))
            stop = np.append(
                (customer[1:] != customer[:-1]) | (time[1:] - time[:-1] >= limit), True
            )[: rows.n]
            last = np.flatnonzero(stop)
            over = np.repeat(time[last] <= over_us, np.diff(last, prepend=-1))
            n = len(np.unique(customer[over]))
            if n > (_FEW if self._settled.statistics is None and not self._waiting else 0):
                self._waiting.append(self._log(self._last_us, over))
                rows.keep(~over)
                self._forgotten_us = over_us + limit
        self._most_rows = 2 * rows.n + _SLACK

    def _count(self, most: int | None = None) -> None:
        """Count what waits, all or the first so many, while others may add."""
        with self._counting:
            for _ in range(len(self._waiting) if most is None else most):
                self._settled.add(self._of_log(self._waiting[0]), self._grains)
                with self._lock:
                    del self._waiting[0]

    # ------------------------------------------------------------------ kept

    def to_bytes(self) -> bytes:
        """Return all that the tracker knows, but for the predictor, to be kept and continued.

        The ids of customers and interactions are in it.
        """
        with self._counting:
            self._count()
            with self._lock:
                for log in self._waiting:  # came while others were counted
                    self._settled.add(self._of_log(log), self._grains)
                self._waiting.clear()
                return _snapshot.written(self)

    @classmethod
    def from_bytes(cls, data: bytes, *, predictor: Predictor | None = None) -> Self:
        """Return the tracker that `to_bytes` wrote.

        What had been added since comes again from where it is kept; what was known already is
        recognised by its id, or is late.

        Parameters
        ----------
        data
            What it gave. Nothing in it is run.
        predictor
            As of the class, since it is not kept.

        Raises
        ------
        InvalidValue
            If the bytes are damaged, or those of something else or of another format.
        """
        return _snapshot.read(cls, data, predictor)


def _check_grains(grains: By | list[By] | None, columns: tuple[str, ...]) -> None:
    known = ("touchpoint", *columns)
    for by in grains if isinstance(grains, list) else [] if grains is None else [grains]:
        check_grain(by, "grains")
        for one in (by,) if isinstance(by, str) else by:
            if one not in known:
                raise UnknownName.among("grain", one, known, where="columns=")


def _us(when: datetime) -> int:
    """Return a moment of an interaction, which is in UTC, in microseconds since the epoch."""
    since = when - _EPOCH
    return since.days * _DAY_US + since.seconds * 1_000_000 + since.microseconds


_EPOCH, _DAY_US = moment(0), 86_400_000_000
_EVER = -(2**62)
_READING = ("tz", "timestamp_format", "timestamp_unit", "missing")
