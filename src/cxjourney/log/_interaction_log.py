"""`InteractionLog`: all interactions, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs

from cxjourney._support.memo import Memo
from cxjourney._support.words import counted
from cxjourney.log import _identities, _objects, _plain, _prepare, _sessions, _xes
from cxjourney.log._audit import audit as audit_log
from cxjourney.log._columns import Coded, Columns
from cxjourney.log._concat import concat as concat_logs
from cxjourney.log._frames import to_frame as log_frame
from cxjourney.log._ingest import Intake, log_of_columns, moment
from cxjourney.log._objects import Catalogue, log_of_interactions
from cxjourney.log._reading import Reading, check_no_column, column_names, columns_of
from cxjourney.metrics import Scale
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from cxjourney.domain import Interaction, JourneyBlueprint, Touchpoint
    from cxjourney.journeys import InactivitySuggestion, Journeys, TransitionGaps
    from cxjourney.privacy import PseudonymKey


@attrs.frozen(kw_only=True, repr=False, eq=False)
class InteractionLog:
    """All interactions of all customers, as read-only columns.

    Make one with `from_interactions`, `from_frame`, `cxjourney.read_csv`, `read_parquet` or
    `read_xes`. Preparing it returns a new log; both share the columns that did not change, and
    the observation window stays the one that was fixed when the log was built.

    Attributes
    ----------
    columns
        The rows, sorted by customer, then time, then `seq`, then input order.
    customer_ids
        Id of each customer, by its number.
    account
        Account of each customer; None where the data has none.
    customer_attributes
        Attributes of the customers, by name.
    catalogue
        What is known of touchpoints and channels beyond their names.
    currency
        Code of the currency of all values; None where unknown.
    scale
        What scores and expectations may be, which has been checked; None where nobody said it.
    key_id
        Id of the `PseudonymKey` whose pseudonyms the ids are; None where they are as they came.
    observed_from_us, observed_until_us
        The observation window in microseconds since the epoch, UTC; None where not known.
    intake
        What happened to the rows on their way in.
    backend
        The data-frame library of the input; results prefer it.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> import cxjourney as cx
    >>> day = lambda d: datetime(2026, 1, d, tzinfo=timezone.utc)
    >>> log = cx.InteractionLog.from_interactions([
    ...     cx.Interaction(customer="a", touchpoint="web", channel="web", timestamp=day(1)),
    ...     cx.Interaction(customer="a", touchpoint="buy", channel="store", timestamp=day(3)),
    ... ])
    >>> log
    InteractionLog: 2 interactions of 1 customer at 2 touchpoints in 2 channels, \
2026-01-01 to 2026-01-03
    >>> log.touchpoints
    ('buy', 'web')
    """

    columns: Columns
    customer_ids: Sequence[str]
    account: Coded | None = None
    customer_attributes: Mapping[str, Coded] = attrs.field(factory=dict)
    catalogue: Catalogue = attrs.field(factory=Catalogue.empty)
    currency: str | None = None
    scale: Scale | None = None
    key_id: str | None = None
    observed_from_us: int | None = None
    observed_until_us: int | None = None
    intake: Intake = attrs.field(factory=Intake)
    backend: str | None = None
    memo: Memo = attrs.field(init=False, factory=Memo)

    # ------------------------------------------------------------------ making one

    @classmethod
    @forgetting
    def from_interactions(
        cls,
        interactions: Iterable[Interaction],
        *,
        scale: Scale | None = None,
        pseudonyms: PseudonymKey | None = None,
        observed_until: datetime | None = None,
        observed_from: datetime | None = None,
    ) -> Self:
        """Return the log of typed interactions, in any order.

        Parameters
        ----------
        interactions
            The interactions; `log.interactions()` gives them back.
        scale, pseudonyms
            As in `from_frame`.
        observed_until
            Until when the log was observed; None means its last timestamp.
        observed_from
            Since when the log was observed; None where it holds every customer's beginning.

        Raises
        ------
        InvalidValue
            If an item is no `Interaction`.
        InvalidData
            If a customer or channel is described in two ways, or currencies are mixed.
        OutOfScale
            If a score or an expectation is off the scale.
        """
        return log_of_interactions(
            cls,
            interactions,
            scale=scale,
            pseudonyms=pseudonyms,
            observed_from=observed_from,
            observed_until=observed_until,
        )

    @classmethod
    @forgetting
    def from_frame(
        cls,
        frame: Any,
        *,
        customer: str,
        timestamp: str | None,
        touchpoint: str,
        channel: str | None = None,
        stage: str | None = None,
        owner: str | None = None,
        account: str | None = None,
        journey: str | None = None,
        seq: str | None = None,
        score: str | None = None,
        scale: Scale | None = None,
        emotion: str | None = None,
        expectation: str | None = None,
        value: str | None = None,
        currency: str | None = None,
        duration: str | None = None,
        duration_unit: timedelta | str | None = None,
        issue: str | None = None,
        attributes: Sequence[str] = (),
        customers: Any = None,
        pseudonyms: PseudonymKey | None = None,
        tz: str = "UTC",
        timestamp_format: str | None = None,
        timestamp_unit: Literal["s", "ms", "us", "ns"] | None = None,
        missing: Literal["refuse", "drop"] = "refuse",
        observed_until: datetime | str | None = None,
        observed_from: datetime | str | None = None,
    ) -> Self:
        """Return the log of a data frame with one row an interaction, in any order.

        Parameters
        ----------
        frame
            A pandas or polars frame, a lazy one too, a pyarrow table, a DuckDB relation, or a
            mapping of column names to arrays; hence Any. Frames of Spark, Ibis and Dask, whose rows
            lie elsewhere, are refused.
        customer, timestamp, touchpoint
            Names of the columns that every log needs. Ids are text: 7 and "7" are the same.
        channel, stage, owner, account, journey, issue
            Names of further columns of names and ids. `journey` holds a case or session id.
        seq
            Name of a column of whole numbers that orders equal timestamps; or, with
            `timestamp=None`, all rows of a customer, where the data have an order but no times.
            What needs times raises `TimesRequired` then.
        score, emotion, expectation, value
            Names of numeric columns; emotion is a valence in [-1, 1].
        scale
            What `score` and `expectation` may be, such as `metrics.Scale.ZERO_TO_TEN`; others are
            refused, and the report takes the scale from here.
        currency
            The currency of `value`: a code such as "EUR", else the name of a column. A code that
            is the name of a column too is refused.
        duration
            Name of a column of durations.
        duration_unit
            What 1 means where that column holds numbers, such as `timedelta(seconds=1)`.
        attributes
            Names of further columns to keep, for `segment=`.
        customers
            A frame with one row a customer, its ids in a column named as `customer`; its other
            columns become attributes of the customers. Any frame as above, hence Any.
        pseudonyms
            The key whose pseudonyms take the place of the ids of customers, accounts, journeys and
            issues; None keeps the ids. Attributes are kept as they are: leave out what names a
            person.
        tz
            IANA zone in which timestamps without a zone are read.
        timestamp_format
            `strptime` format of timestamps given as text; None reads ISO 8601. %s, %Q and %q are
            seconds, milliseconds and microseconds since 1970; two directives share no digits.
        timestamp_unit
            What 1 means where timestamps are numbers, or strings of them, counted from 1970-01-01
            UTC; a number without a unit is refused.
        missing
            What becomes of rows without customer, timestamp or touchpoint: "refuse" raises with
            their numbers, "drop" leaves them out and counts them in the audit.
        observed_until
            Until when the log was observed; None means its last timestamp.
        observed_from
            Since when the log was observed; None where it holds every customer's beginning.

        Raises
        ------
        UnknownName
            If a column is not there; the nearest names are in the message.
        InvalidData
            If rows cannot be read; their numbers are in the message.
        OutOfScale
            If a score or an expectation is off the scale.
        ReservedName
            If a touchpoint, channel, stage or owner has a name that the graph keeps for itself.
        """
        reading = Reading.of(
            customer=customer,
            timestamp=timestamp,
            touchpoint=touchpoint,
            channel=channel,
            stage=stage,
            owner=owner,
            account=account,
            journey=journey,
            seq=seq,
            score=score,
            scale=scale,
            emotion=emotion,
            expectation=expectation,
            value=value,
            currency=currency,
            duration=duration,
            duration_unit=duration_unit,
            issue=issue,
            attributes=attributes,
            customers=customers,
            pseudonyms=pseudonyms,
            tz=tz,
            timestamp_format=timestamp_format,
            timestamp_unit=timestamp_unit,
            missing=missing,
            observed_until=observed_until,
            observed_from=observed_from,
        )
        if reading.currency is not None:
            check_no_column(reading.currency, "currency", column_names(frame, "frame"))
        columns, backend = columns_of(frame, reading.roles)
        return log_of_columns(cls, columns, reading, backend=backend)

    concat = classmethod(concat_logs)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the log whose `to_dict` is `data`.

        Raises
        ------
        InvalidValue
            If the dictionary is of another type or schema, or a column breaks its rule: lengths,
            order, codes and names are checked.
        OutOfScale
            If a score or an expectation is off the scale.
        """
        return _plain.log_of_dict(cls, data)

    # ------------------------------------------------------------------ looking at it

    def __len__(self) -> int:
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InteractionLog):
            return NotImplemented
        return (
            self.customer_ids == other.customer_ids
            and self.observed_from_us == other.observed_from_us
            and self.observed_until_us == other.observed_until_us
            and self.currency == other.currency
            and (self.scale, self.key_id) == (other.scale, other.key_id)
            and self.account == other.account
            and dict(self.customer_attributes) == dict(other.customer_attributes)
            and self.catalogue == other.catalogue
            and self.columns == other.columns
        )

    __hash__ = None  # type: ignore[assignment]  # equality is by value, and values are arrays

    def __repr__(self) -> str:
        text = (
            f"InteractionLog: {counted(len(self), 'interaction')} of "
            f"{counted(self.n_customers, 'customer')} at "
            f"{counted(len(self.touchpoints), 'touchpoint')}"
        )
        if self.channels:
            text += f" in {counted(len(self.channels), 'channel')}"
        time = self.columns.time
        if time is not None and len(time):
            first, last = moment(int(time.min())), moment(int(time.max()))
            text += f", {first:%Y-%m-%d} to {last:%Y-%m-%d}"
        return text

    def __getattr__(self, name: str) -> Any:
        # whoever asks a log for what its journeys have should learn how to make them
        if name in _OF_JOURNEYS:
            raise AttributeError(
                f"a log has no {name!r}, but its journeys have: make them first, as in "
                "log.journeys(goal=..., inactivity=timedelta(...))"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def n_customers(self) -> int:
        """Number of customers."""
        return self.columns.n_customers

    @property
    def touchpoints(self) -> tuple[str, ...]:
        """Names of the touchpoints that occur, sorted."""
        return self._names("touchpoint")

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, sorted; empty where the log has none."""
        return self._names("channel")

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, sorted; empty where the log has none."""
        return self._names("stage")

    @property
    def owners(self) -> tuple[str, ...]:
        """Names of the owners, sorted; empty where the log has none."""
        return self._names("owner")

    def _names(self, column: str) -> tuple[str, ...]:
        return self._names_in_use.get(column, ())

    @cached_property
    def _names_in_use(self) -> dict[str, tuple[str, ...]]:
        return {
            column: self.columns.coded[column].compacted().names
            for column in ("touchpoint", "channel", "stage", "owner")
            if column in self.columns.coded
        }

    @property
    def observed_until(self) -> datetime | None:
        """Until when the log was observed (UTC); None for an empty log."""
        return None if self.observed_until_us is None else moment(self.observed_until_us)

    @property
    def observed_from(self) -> datetime | None:
        """Since when the log was observed (UTC); None where not given."""
        return None if self.observed_from_us is None else moment(self.observed_from_us)

    customer_number = _objects.customer_number
    customer = _objects.customer
    interactions = _objects.interactions
    to_frame = log_frame
    to_xes = _xes.to_xes
    to_dict = _plain.to_dict

    def attribute(self, name: str) -> Coded:
        """Return an attribute of customers or interactions, one value a row.

        Also "channel", "stage", "owner", "account" and "touchpoint" where the log has them; another
        name raises `UnknownName`.
        """
        of_customers = dict(self.customer_attributes)
        if self.account is not None:
            ids = tuple(getattr(account, "id", account) for account in self.account.names)
            of_customers["account"] = Coded(self.account.codes, ids)
        return self.columns.attribute(name, of_customers)

    # ------------------------------------------------------------------ journeys

    def journeys(
        self,
        *,
        goal: str | Iterable[str] | None = None,
        inactivity: timedelta | str | None = None,
        exit_touchpoints: str | Iterable[str] = (),
        after_goal: Literal["new_journey", "discard", "keep"] = "new_journey",
        all_closed: bool = False,
        gaps: TransitionGaps | None = None,
        touchpoints: Iterable[str | Touchpoint] | None = None,
        blueprint: JourneyBlueprint | None = None,
        carry_channels: timedelta | str | None = None,
        unit: Literal["customer", "account"] = "customer",
        roles: str | None = None,
    ) -> Journeys:
        """Cut the log into journeys with an outcome.

        A silence of at least `inactivity` ends a journey; where the log has a `journey` column,
        its ids cut instead. A goal interaction ends it as converted, an exit touchpoint as
        dropped. Otherwise it is dropped if silent for `inactivity` before `observed_until`, else
        in progress.

        Parameters
        ----------
        goal
            Touchpoint, or several, with which a journey has converted.
        inactivity
            The silence after which a customer counts as lost: a timedelta, or a number with its
            unit such as "30d", "12h" or "90min"; None where nothing tells. See
            `suggest_inactivity`, and `gaps` where one limit does not fit every transition.
        exit_touchpoints
            Touchpoints with which a customer leaves explicitly.
        after_goal
            What follows the goal: "new_journey" begins a new journey, "discard" leaves it out
            until the next cut, "keep" leaves it in the journey, whose goal then absorbs nothing.
        all_closed
            Whether every case is known to be closed, so that a journey that did not convert was
            dropped, however short its silence. Then take `after_goal="discard"` too.
        gaps
            Cut also where a gap is unusual for its transition, as in `gaps=TransitionGaps()`; a
            journey that such a gap ends is dropped. The last journey of a customer has no gap after
            it: give `inactivity` too where drop-off matters. Not where there is a `journey` column.
        touchpoints, blueprint
            Touchpoints that there are, whether or not anybody reached them: a goal that nobody
            reached is then a result, no slip of the pen.
        carry_channels
            Where a channel is known at some interactions only, such as landings, the next ones take
            it over while silences are shorter than this; web sessions have 30 minutes.
        unit
            Whose journeys these are. With "account" all members of an account make them together,
            and the account is the customer of every result and its unit of variance; customers
            without an account stay by themselves, which `Journeys` prints. The journeys have the
            attribute "members", how many took part, and interactions "original_customer".
        roles
            With `unit="account"`, the attribute of customers or interactions that says who is who;
            the journeys then have the attribute "roles", such as "buyer + finance".

        Returns
        -------
        Journeys

        Raises
        ------
        UnknownName
            If a goal or exit touchpoint is not in the log, nor among `touchpoints` or the steps of
            `blueprint`, or the log has no accounts or no attribute `roles`.
        InvalidValue
            If `inactivity` or `carry_channels` is no positive length of time, a touchpoint is both
            goal and exit, or `gaps` is given where the log has a `journey` column.
        TimesRequired
            If `carry_channels` is given for aggregated paths.

        Examples
        --------
        >>> from datetime import datetime, timedelta, timezone
        >>> import cxjourney as cx
        >>> def at(customer, touchpoint, day):
        ...     timestamp = datetime(2026, 1, day, tzinfo=timezone.utc)
        ...     return cx.Interaction(customer=customer, touchpoint=touchpoint, timestamp=timestamp)
        >>> log = cx.InteractionLog.from_interactions(
        ...     [at("a", "web", 1), at("a", "buy", 2), at("b", "web", 1), at("c", "web", 19)]
        ... )
        >>> log.journeys(goal="buy", inactivity=timedelta(days=7))
        Journeys: 3 (1 converted, 1 dropped, 1 in_progress)
        """
        from cxjourney.journeys import Journeys

        return Journeys.of_log(
            self,
            goal=goal,
            inactivity=inactivity,
            exit_touchpoints=exit_touchpoints,
            after_goal=after_goal,
            all_closed=all_closed,
            gaps=gaps,
            touchpoints=touchpoints,
            blueprint=blueprint,
            carry_channels=carry_channels,
            unit=unit,
            roles=roles,
        )

    def suggest_inactivity(
        self,
        *,
        goal: str | Iterable[str] | None = None,
        exit_touchpoints: str | Iterable[str] = (),
        quantile: float | None = None,
        limits: Sequence[timedelta | str] | None = None,
        touchpoints: Iterable[str | Touchpoint] | None = None,
        blueprint: JourneyBlueprint | None = None,
    ) -> InactivitySuggestion:
        """Return the gaps between contacts, and what conversion and drop-off several limits mean.

        Parameters
        ----------
        goal, exit_touchpoints, touchpoints, blueprint
            As in `log.journeys`. What lies between a goal and the next contact is no gap.
        quantile
            Share of the gaps, in [0, 1], that the suggested limit shall cover: at least so many are
            shorter than it. None takes the longest valley of the gaps, and 0.99 where they have
            none.
        limits
            Limits to compare; None takes a quarter, half, once, twice and four times the one
            suggested, and where gaps have valleys the other plausible ones.

        Returns
        -------
        InactivitySuggestion

        Raises
        ------
        InvalidValue
            If `quantile` is no fraction or a limit no positive length of time.
        TimesRequired
            If the log was made of aggregated paths.

        Notes
        -----
        The limit defines what "lost" means; the data can only say what each choice costs. If the
        shares change much between limits, results on drop-off depend on the choice.

        Where customers come for sessions, and for several journeys, the logarithms of their gaps
        have valleys: at most half as high as the lower hill beside them, and deeper than chance
        makes them (four standard errors over buckets of customers). Journeys end after "at least"
        the limit, so that it is always above the gaps that it covers, and above the step of
        timestamps that carry dates or whole minutes only.

        One limit serves all touchpoints alike. Where an order waits a week and a search a minute,
        `log.journeys(gaps=TransitionGaps())` cuts each transition by its own gaps; on logs whose
        true cuts were known it found them better than any one limit.

        Examples
        --------
        >>> from cxjourney import InteractionLog
        >>> days = ["2026-01-01", "2026-01-02", "2026-01-05", "2026-01-20"]
        >>> log = InteractionLog.from_frame(
        ...     {"who": ["a", "a", "a", "b"], "when": days, "what": ["ad", "web", "buy", "web"]},
        ...     customer="who", timestamp="when", touchpoint="what",
        ... )
        >>> log.suggest_inactivity(goal="buy").suggested  # the longest gap is 3 days
        datetime.timedelta(days=4)
        """
        from cxjourney.journeys import suggest_inactivity

        return suggest_inactivity(
            self,
            goal=goal,
            exit_touchpoints=exit_touchpoints,
            quantile=quantile,
            limits=limits,
            touchpoints=touchpoints,
            blueprint=blueprint,
        )

    # ---------------------- preparing: functions that take the log first and return another one

    audit = audit_log
    filter = _prepare.filter
    sample = _prepare.sample
    between = _prepare.between
    rename = _prepare.rename
    collapse_repeats = _prepare.collapse_repeats
    drop_duplicates = _prepare.drop_duplicates
    sessions = _sessions.sessions
    paired = _sessions.paired
    with_attribute = _prepare.with_attribute
    resolve_identities = _identities.resolve_identities


_OF_JOURNEYS = {
    "converted", "graph", "lengths", "outcome", "outcomes", "require_determined", "require_times",
    "rules", "segment",
}  # fmt: skip
