"""`Journeys`: every customer's way toward a goal, with its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.frozen import read_only, seal
from cxjourney._support.memo import Memo
from cxjourney._support.validation import check_choice, check_flag
from cxjourney._support.words import counted
from cxjourney._time.timestamps import utc_us
from cxjourney._time.zones import FIRST_US, LAST_US
from cxjourney.domain import Journey, Outcome
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, TimesRequired, UnknownName
from cxjourney.journeys import _features, _frames
from cxjourney.journeys._kept import kept_rows
from cxjourney.journeys._members import with_members
from cxjourney.journeys._outcomes import (
    CONVERTED,
    DROPPED,
    OUTCOMES,
    JourneyRules,
    cut,
    left_truncated,
    outcomes,
    planned_touchpoints,
    undetermined,
    values,
)
from cxjourney.journeys._outcomes import (
    after_goal as begun_after_goal,
)
from cxjourney.journeys._patterns import Pattern, WithPatterns, labels_of
from cxjourney.log import (
    Coded,
    Columns,
    InteractionLog,
    by_account,
    channels_carried,
    check_free,
    customer_object,
    encode_values,
    interaction_objects,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime, timedelta

    from cxjourney.domain import JourneyBlueprint, Touchpoint
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys._adding import Analyses, JourneyStatistics
    from cxjourney.journeys._transition_gaps import TransitionGaps
    from cxjourney.journeys._visits import By


@attrs.frozen(kw_only=True, repr=False, eq=False)
class Journeys(WithPatterns):
    """All journeys of a log, as offsets into its columns; iterating gives `Journey` objects.

    Attributes
    ----------
    log
        The log that was cut.
    columns
        The rows that belong to journeys, journey by journey.
    offsets
        Rows of journey i are [offsets[i], offsets[i + 1]) of `columns`.
    customer
        Customer number of each journey.
    outcome
        Outcome of each journey: 0 converted, 1 dropped, 2 in progress.
    absorbed
        Whether the last row of each journey is the goal or exit itself, and no touchpoint.
    left_truncated
        Whether each journey may have begun before the observation did.
    rules
        How the journeys were cut and what their outcomes mean.
    origin
        Whether each journey begins after a goal (1), anew (0), or nobody knows (-1).
    number
        Number of each journey among all that were cut; None where these are all of them.
    weight
        How often each journey stands for; None where each stands for itself.
    value
        Value of each converted journey [currency of the log], NaN where unknown.
    memo
        What the analyses share: statistics that are computed once and kept.
    """

    log: InteractionLog
    columns: Columns
    offsets: NDArray[np.int64] = attrs.field(converter=read_only)
    customer: NDArray[np.int64] = attrs.field(converter=read_only)
    outcome: NDArray[np.int8] = attrs.field(converter=read_only)
    absorbed: NDArray[np.bool_] = attrs.field(converter=read_only)
    left_truncated: NDArray[np.bool_] = attrs.field(converter=read_only)
    rules: JourneyRules
    origin: NDArray[np.int8] = attrs.field(converter=read_only)
    number: NDArray[np.int64] | None = None
    weight: NDArray[np.int64] | None = None
    value: NDArray[np.float64] = attrs.field(converter=read_only)
    memo: Memo = attrs.field(init=False, factory=Memo)

    @classmethod
    def of_log(
        cls,
        log: InteractionLog,
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
    ) -> Self:
        """Return the journeys of a log; see `InteractionLog.journeys`."""
        if carry_channels is not None:
            log = channels_carried(log, carry_channels)
        if check_choice(unit, "unit", ("customer", "account")) == "account":
            log = by_account(log)
        elif roles is not None:
            raise InvalidValue.of("roles", 'be left out where unit= is not "account"', roles)
        rules = JourneyRules(
            goal=goal,
            inactivity=inactivity,
            exit_touchpoints=exit_touchpoints,
            after_goal=after_goal,
            all_closed=all_closed,
            by_journey_column="journey" in log.columns.coded,
            gaps=gaps,
            carry_channels=carry_channels,
            unit=unit,
        )
        planned = planned_touchpoints(touchpoints, blueprint)
        rules.check(log.columns.coded["touchpoint"].names, planned)
        rows, offsets, silent, customer = cut(log.columns, rules)
        columns = log.columns
        if rows is not None:
            counts = np.bincount(customer, np.diff(offsets), minlength=log.n_customers)
            columns = columns.take(rows, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
        if unit == "account":
            columns = with_members(columns, log, offsets, roles)
        outcome, absorbed = outcomes(columns, offsets, silent, rules, log.observed_until_us)
        first = offsets[:-1]
        truncated = left_truncated(log, columns, first, customer, rules)
        after = begun_after_goal(
            columns, offsets, customer, absorbed & (outcome == CONVERTED), rules
        )
        return cls(
            log=log,
            columns=columns,
            offsets=seal(offsets),
            customer=seal(customer),
            outcome=seal(outcome),
            absorbed=seal(absorbed),
            left_truncated=seal(truncated),
            rules=rules,
            origin=seal(np.where(truncated, -1, after).astype(np.int8)),
            value=seal(values(columns, offsets, rules)),
        )

    @classmethod
    def from_paths(
        cls,
        paths: Iterable[Sequence[str]],
        *,
        converted: Iterable[int] | None = None,
        dropped: Iterable[int] | None = None,
        value: Iterable[float] | None = None,
        channels: bool = False,
        currency: str | None = None,
    ) -> Self:
        """Return the journeys of aggregated paths.

        Parameters
        ----------
        paths
            The distinct paths: sequences of touchpoint names, neither goal nor exit among them.
        converted
            How many journeys took each path and converted; None means none.
        dropped
            How many took it and were lost; None means none. One of the two is given.
        value
            Total value of the converted journeys of each path [currency]; 0 or NaN where none did.
        channels
            Whether the names are those of channels too, so that `by="channel"` works.
        currency
            Code of the currency of `value`.

        Returns
        -------
        Journeys
            With frequencies as weights; what needs times raises `TimesRequired`.

        Raises
        ------
        InvalidValue
            If lengths differ, a path is one string, a count is negative or no whole number, or
            they come to more than sums of floats hold exactly.

        Examples
        --------
        >>> from cxjourney import Journeys
        >>> paths = [["ad", "web"], ["mail"]]
        >>> journeys = Journeys.from_paths(paths, converted=[3, 0], dropped=[1, 2])
        >>> {outcome.value: n for outcome, n in journeys.outcomes.items()}
        {'converted': 3, 'dropped': 3, 'in_progress': 0}
        """
        from cxjourney.journeys._paths import journeys_of_paths

        check_flag(channels, "channels")
        return journeys_of_paths(
            cls,
            paths,
            converted=converted,
            dropped=dropped,
            value=value,
            channels=channels,
            currency=currency,
        )

    # ------------------------------------------------------------------ looking at it

    def __len__(self) -> int:
        """Return the number of journeys, weights counted."""
        return len(self.outcome) if self.weight is None else int(self.weight.sum())

    @property
    def outcomes(self) -> Mapping[Outcome, int]:
        """Number of journeys by outcome, weights counted."""
        counts = np.bincount(self.outcome, weights=self.weight, minlength=len(OUTCOMES))
        numbers = (int(count) for count in counts)
        return MappingProxyType(dict(zip(OUTCOMES, numbers, strict=True)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of visits of each journey, the goal or exit that ends it left out."""
        return np.diff(self.offsets) - self.absorbed

    @property
    def converted(self) -> NDArray[np.bool_]:
        """Whether each journey converted."""
        won: NDArray[np.bool_] = self.outcome == CONVERTED
        return won

    @property
    def n_dropped_after_goal(self) -> int:
        """Number of journeys that dropped after a goal: served customers, not lost ones."""
        return int(np.count_nonzero((self.origin == 1) & (self.outcome == DROPPED)))

    def __iter__(self) -> Iterator[Journey]:
        if self.columns.time is None:
            raise TimesRequired("iterating over journeys needs times; aggregated paths have none")
        log = self.log
        customers = [
            customer_object(number, log.customer_ids, log.account, log.customer_attributes)
            for number in range(log.n_customers)
        ]
        rows = interaction_objects(self.columns, customers, log.catalogue, log.currency)
        for i, length in enumerate(np.diff(self.offsets).tolist()):
            yield Journey(
                customer=customers[int(self.customer[i])],
                interactions=tuple(next(rows) for _ in range(length)),
                outcome=OUTCOMES[self.outcome[i]],
                left_truncated=bool(self.left_truncated[i]),
                weight=1 if self.weight is None else int(self.weight[i]),
            )

    def __repr__(self) -> str:
        counts = ", ".join(f"{n:,} {outcome.value}" for outcome, n in self.outcomes.items())
        text = f"Journeys: {len(self):,} ({counts})"
        if self.rules.unit == "account" and self.log.account is not None:
            codes = self.log.account.codes[np.unique(self.customer)]
            alone = int(np.count_nonzero(codes < 0))
            text += f" of {counted(len(codes) - alone, 'account')}"
            text += f" and {counted(alone, 'customer')} without one" if alone else ""
        return text if self.rules.determined else f"{text}; outcomes undetermined"

    # ------------------------------------------------------------------ for the measures

    @property
    def backend(self) -> str | None:
        """The frame library of the input; None where it was none."""
        return self.log.backend

    def require_determined(self, caller: str) -> None:
        """Raise OutcomeUndetermined unless journeys without the goal can come to an end."""
        if self.rules.truncated:
            raise OutcomeUndetermined(
                f"{caller} needs what became of journeys, and truncate(end=) cut it off: "
                "take the journeys as they were, or cut their beginnings only"
            )
        if not self.rules.determined:
            raise undetermined(caller)

    def require_times(self, caller: str) -> None:
        """Raise TimesRequired where the journeys were made of aggregated paths."""
        if self.columns.time is None:
            raise TimesRequired(f"{caller} needs times; aggregated paths have none")

    def segment(self, name: str) -> Coded:
        """Return an attribute of customers or interactions, one value a journey: its first known.

        Raises
        ------
        UnknownName
            If neither customers nor interactions have such an attribute.
        """
        log = self.log
        try:
            per_row = attrs.evolve(log, columns=self.columns).attribute(name)
        except UnknownName as error:
            if name == "origin":  # a column of the user's of this name goes first
                return Coded(self.origin, ("new", "after a goal"))
            known = (*error.known, "origin")
            raise UnknownName.among("attribute", name, known, where="the log") from None
        return per_row.first_of_groups(self.offsets)

    def label(
        self,
        name: str,
        mask: Self | Pattern | Mapping[str, Pattern | str] | Sequence[Any] | NDArray[Any],
        *,
        replace: bool = False,
    ) -> Self:
        """Return the journeys with an attribute of their own, a segment for every analysis.

        Parameters
        ----------
        name
            What it is called.
        mask
            One truth value or string a journey, None where it is not known; or some of these
            journeys, such as those of a row of a result, against which the others stand. Truth
            values make the segments "yes" and "no", here as in attributes of the log. A `Pattern`
            says yes where it matches; a mapping of names to patterns gives the name of the first
            of them that matches, and "other" where none does.
        replace
            Whether it may take the place of an attribute of this name.

        Raises
        ------
        InvalidValue
            If the name is taken, values are not one a journey, or journeys are not among these.

        Examples
        --------
        >>> import cxjourney as cx
        >>> journeys = cx.datasets.sample(seed=1, customers=200).journeys()
        >>> left = cx.dropoff.exits(journeys).journeys("cart")
        >>> labelled = journeys.label("left at cart", left)
        >>> cx.sequences.paths(labelled, segment="left at cart").values
        ('no', 'yes')
        """
        check_free(name, self.columns, self.log.customer_attributes, replace=replace)
        given: Any = self._holds(mask) if isinstance(mask, Journeys) else mask
        if isinstance(given, Mapping | Pattern):
            given = labels_of(self, given)
        given = np.asarray(given)
        if given.shape != self.outcome.shape or given.dtype.kind not in "bUO":
            rule = f"be {len(self.outcome):,} truth values or strings, or some of the journeys"
            raise InvalidValue.of("mask", rule, f"{given.dtype} of shape {given.shape}")
        coded = encode_values(given)
        rows = Coded(np.repeat(coded.codes, np.diff(self.offsets)), coded.names)
        attributes = {**self.columns.attributes, name: rows}
        return attrs.evolve(self, columns=attrs.evolve(self.columns, attributes=attributes))

    def _holds(self, some: Journeys) -> NDArray[np.bool_]:
        """Return which journeys are among some of them."""
        own, other = (
            np.arange(len(j.outcome)) if j.number is None else j.number for j in (self, some)
        )
        if some.log is not self.log or some.rules != self.rules or not np.isin(other, own).all():
            raise InvalidValue("mask must be journeys that are among these, cut from the same log")
        return np.isin(own, other)

    def where(
        self,
        keep: NDArray[np.bool_] | None = None,
        *,
        since: datetime | date | str | None = None,
        until: datetime | date | str | None = None,
    ) -> Self:
        """Return the journeys that are asked for, outcomes and window as in the whole.

        Parameters
        ----------
        keep
            One truth value a journey; None keeps all.
        since, until
            Only journeys that begin at `since` or later, and before `until`; moments without a
            zone are read in that of the log.

        Raises
        ------
        InvalidValue
            If `keep` is not one truth value a journey, a moment is none, or `since` does not lie
            before `until`.
        TimesRequired
            If moments are given for aggregated paths.

        Examples
        --------
        >>> import cxjourney as cx
        >>> journeys = cx.datasets.sample(seed=1, customers=200).journeys()
        >>> len(journeys), len(journeys.where(since="2025-07-01"))
        (1063, 694)
        """
        if keep is None:
            keep = np.ones(len(self.outcome), dtype=np.bool_)
        shape = getattr(keep, "shape", None)
        if shape != self.outcome.shape:
            rule = f"be an array of {len(self.outcome):,} values"
            raise InvalidValue.of("keep", rule, keep if shape is None else shape)
        if since is not None or until is not None:
            keep = keep & self._begun_within(since, until)
        index = np.flatnonzero(keep)
        lengths = np.diff(self.offsets)
        rows = np.flatnonzero(np.repeat(keep, lengths))
        return kept_rows(self, index, rows, lengths[index])

    def _begun_within(
        self, since: datetime | date | str | None, until: datetime | date | str | None
    ) -> NDArray[np.bool_]:
        """Return which journeys begin in [since, until)."""
        time = self.columns.time
        if time is None:
            raise TimesRequired("where(since=, until=) needs times; aggregated paths have none")
        zone = self.log.intake.tz
        first = FIRST_US - 1 if since is None else utc_us(since, "since", zone)
        end = LAST_US + 1 if until is None else utc_us(until, "until", zone)
        if first >= end:
            raise InvalidValue.of("until", f"lie after since ({since})", until)
        begun = time[self.offsets[:-1]]
        return (begun >= first) & (begun < end)

    def statistics(
        self,
        *,
        grains: By | list[By] | None = None,
        analyses: Analyses | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> JourneyStatistics:
        """Return statistics that add up, and from which analyses are made without the rows.

        Parameters
        ----------
        grains
            What a node may be, one grain or a list of several; None means touchpoints and, where
            the log has them, channels.
        analyses
            What is counted besides, whose counts depend on options: a mapping from the name of a
            function to its options, or to a list of several, such as
            `{"funnel": {"steps": ["web", "order"], "within": "7d"}}`. The function is then called
            with the statistics and these options.
        part
            Which part of all customers the log holds, `(number, of)`, and all of these: those
            whose ids have an MD5 digest that begins with the bits of `number`. `of` is a power of
            2, up to 65,536; `(0, 1)` means that these are all customers.

        Returns
        -------
        JourneyStatistics
            Those of disjoint parts add up to exactly those of the whole.

        Raises
        ------
        InvalidValue
            If a customer belongs to another part, the journeys are aggregated paths or were cut
            with `gaps=`, a grain is none, or an analysis or an option cannot be counted.
        UnknownName
            If the log has no such column.

        Examples
        --------
        >>> import cxjourney as cx
        >>> statistics = cx.datasets.sample(seed=1, customers=300).journeys().statistics()
        >>> found = cx.dropoff.exits(statistics)
        >>> found.n_journeys, found.n_converted
        (1625, 465)
        """
        from cxjourney.journeys._adding import JourneyStatistics

        return JourneyStatistics.of(self, grains, part, analyses)

    features = _features.features
    to_frame = _frames.to_frame

    def graph(
        self, *, by: By = "touchpoint", times: bool = False, share: bool = False
    ) -> JourneyGraph:
        """Return the journey graph: the directly-follows graph with START, CONVERSION, DROPOFF.

        Parameters
        ----------
        by
            What a node is: "touchpoint", "channel", "stage", "owner", or a pair of them.
        times
            Whether edges carry a life table, so that the probabilities of merged graphs are
            those of the whole; needs `inactivity`.
        share
            Whether it is to leave the house, in any of its exports: nothing in it is about fewer
            than five customers, or all but fewer than five. What they did is part of "other".

        Returns
        -------
        JourneyGraph
            A `networkx.DiGraph`; every NetworkX algorithm works.

        Raises
        ------
        UnknownName
            If the log has no such column.
        InvalidValue
            If `share` is asked with a pair of grains, with `times`, which hold counts of single
            visits, of aggregated paths, or of too few customers.
        """
        check_flag(times, "times")
        from cxjourney.journeys._graph_building import build_graph, graph_of, shared_graph

        if check_flag(share, "share"):
            if times:
                raise InvalidValue.of("times", "be False where share=True", times)
            return shared_graph(self, by)

        if times:
            return build_graph(self, by=by, times=True)
        return graph_of(self, by).copy()  # the graph that analyses share stays as it is
