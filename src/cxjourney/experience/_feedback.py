"""Voices of customers: coded free answers, reasons of contact, ratings of items, invitations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.estimates import CLUSTERED
from cxjourney._stats.ratios import ratio_figures, ratio_of_sums
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_choice,
    check_duration,
    check_level,
    check_mapping,
    check_name,
    check_names,
    duration_us,
)
from cxjourney._support.words import counted, how_long
from cxjourney._time.calendar import period_index, period_label
from cxjourney._time.timestamps import read_timestamps
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.experience._answers import ANYWHERE, BOUND, NO_VALUE, REASONS, STRANGER, bound_rows
from cxjourney.journeys import check_log, units_of_customers
from cxjourney.log import (
    InteractionLog,
    columns_of,
    encode_ids,
    encode_numbers,
    encode_values,
    ids_as_in,
    moment,
    pseudonymised,
    refuse_strangers,
)
from cxjourney.metrics import Scale, check_scale, first_contact_resolution, resolution_time
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney.privacy import PseudonymKey

_DAY_US = 86_400_000_000
_FEWEST = 5
_OPEN = np.iinfo(np.int64).min
_EARLIER = ("0", "1", "2", "3 or more")
_PLACES = ("touchpoint", "channel", "stage", "owner")
_SHARES = frozenset({"share", "answered", "first_contact"})


@attrs.frozen(kw_only=True, repr=False)
class FeedbackFigures(Result):
    """Figures of the voices of customers, with their intervals.

    Attributes
    ----------
    table
        One row a figure; see the method of `Feedback` that returned it.
    figure
        Name of the column that is the figure: "share", "kappa", "mean", "first_contact" or
        "answered". `low` and `high` are the ends of its interval.
    level, caveats
        Confidence level of the intervals; what a reader must know.
    """

    title: ClassVar[str] = "What customers say"

    table: Table
    figure: str
    level: float
    caveats: tuple[str, ...]

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the figures with their intervals, in the order of the table.

        Parameters
        ----------
        max_rows
            Only so many of the first rows are drawn; None draws all.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        labels = [
            name
            for name in self.table.column_names
            if isinstance(self.table[name], tuple) and name != "unit"
        ]
        names = plot.joined(*(self.table[name] for name in labels), by=": ")
        table = self.table.take(range(len(names))[:max_rows])
        return plot.forest(
            names[:max_rows],
            table[self.figure],
            table["low"],
            table["high"],
            n=table["n"],
            percent=self.figure in _SHARES,
            label=f"{self.figure.replace('_', ' ')}, {100 * self.level:g}% interval",
            caption="Each with its interval; n is the number of answers behind it."
            + plot.drawn_of(len(table), len(names), "rows"),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"Intervals are of {100 * self.level:g}% ({CLUSTERED}).",
            "Those who answer are not everybody, and those who have left are no longer asked.",
            *self.caveats,
        )


@attrs.frozen(kw_only=True, repr=False, eq=False)
class Feedback:
    """Answers of customers in their own words, as people or tools have coded them.

    Made by `from_frame`. Words are kept for `words()` alone: no table, picture or message has
    them, and nothing here claims to understand them.

    Attributes
    ----------
    log
        The log to which the answers belong.
    customer, at_us, row
        Place of each answer's customer in `log.customer_ids`, its time [µs since 1970, UTC], and
        the row of the log that it is about, -1 for none.
    codes, reasons, items
        The names of codes, of reasons of contact, and of the ratings that were asked.
    outcomes
        What became of how many rows of the frame.
    """

    log: InteractionLog
    customer: Ints
    at_us: Ints
    row: Ints
    codes: tuple[str, ...]
    reasons: tuple[str, ...]
    items: tuple[str, ...]
    outcomes: Mapping[str, int]
    _coded: tuple[Ints, Ints, Bools]  # answer and code of each mention; which answers are coded
    _second: tuple[Ints, Ints, Bools] | None
    _reason: Ints
    _rating: Floats  # (answers, items)
    _dimension: Mapping[str, str]
    _closed: Ints | None  # [µs], the smallest integer where it is open
    _words: tuple[str | None, ...]

    def __repr__(self) -> str:
        said = [counted(len(self.customer), "answer")]
        for names, one in ((self.codes, "code"), (self.reasons, "reason"), (self.items, "item")):
            said += [counted(len(names), one)] if names else []
        return f"Feedback: {', '.join(said)}"

    def __len__(self) -> int:
        return len(self.customer)

    @classmethod
    @forgetting
    def from_frame(
        cls,
        log: InteractionLog,
        frame: Any,
        *,
        customer: str,
        timestamp: str,
        touchpoint: str | None = None,
        codes: str | None = None,
        second: str | None = None,
        separator: str = ";",
        reason: str | None = None,
        closed: str | None = None,
        items: Iterable[str] | Mapping[str, str] = (),
        words: str | None = None,
        max_lag: timedelta | str = timedelta(days=7),
        pseudonyms: PseudonymKey | None = None,
        tz: str = "UTC",
    ) -> Feedback:
        """Return the answers in a frame, bound to the contacts that they are about.

        Parameters
        ----------
        log
            The log.
        frame
            Any frame that `InteractionLog.from_frame` takes, hence Any: a row an answer.
        customer, timestamp
            Names of the columns of who answered (ids as in the log) and when.
        touchpoint
            Name of the column of what it is about: the customer's last visit there counts. None,
            or a missing value: the last contact of any kind.
        codes, second, separator
            Names of the columns of the codes that one coder gave, and a second one, for their
            agreement; several codes of an answer stand in one cell between separators. A missing
            cell was not coded: write a code such as "none" where none fits.
        reason, closed
            Names of the columns of the reason of contact (question, problem, complaint …) and of
            when the issue was closed; missing: not yet.
        items
            Columns of ratings, such as "feels valued"; a mapping gives each its dimension, such as
            {"easy": "rational", "pleasant": "emotional"}.
        words
            Name of the column of the words themselves.
        max_lag
            The longest time between a contact and an answer about it; positive.
        pseudonyms
            The key of the log, where it has pseudonyms and the frame has the ids behind them.
        tz
            The zone of times that have none.

        Returns
        -------
        Feedback
            Rows without customer or time, and those of customers who are not in the log, are left
            out and counted in `outcomes`. Answers about no contact stay, without a touchpoint.

        Raises
        ------
        UnknownName
            If a column is not there; the nearest names are in the message.
        InvalidValue
            If an argument breaks its rule, or the key is not that of the log.
        InvalidData
            If a time or a rating cannot be read.
        TimesRequired
            If the log has no times.

        Examples
        --------
        >>> import cxjourney as cx
        >>> log = cx.InteractionLog.from_frame(
        ...     {"who": ["a", "b"], "what": ["call", "web"], "when": ["2026-01-01"] * 2},
        ...     customer="who", touchpoint="what", timestamp="when",
        ... )
        >>> answers = {"who": ["a", "b"], "at": ["2026-01-02"] * 2, "codes": ["slow; rude", "slow"]}
        >>> voices = cx.experience.Feedback.from_frame(
        ...     log, answers, customer="who", timestamp="at", codes="codes"
        ... )
        >>> voices, voices.codes
        (Feedback: 2 answers, 2 codes, ('rude', 'slow'))
        """
        check_log(log)
        max_lag = check_duration(max_lag, "max_lag")
        if log.columns.time is None:
            raise TimesRequired("experience.Feedback needs times; aggregated paths have none")
        if not check_name(separator, "separator"):
            raise InvalidValue.of("separator", "be a character or more", separator)
        if second is not None and codes is None:
            raise InvalidValue.of("second", "come with codes=, the first coder's", second)
        if closed is not None and reason is None:
            raise InvalidValue.of("closed", "come with reason=", closed)
        dimension = dict(check_mapping(items, "items")) if isinstance(items, Mapping) else {}
        rated = check_names(items, "items")
        roles = {
            "customer": customer,
            "timestamp": timestamp,
            "touchpoint": touchpoint,
            "codes": codes,
            "second": second,
            "reason": reason,
            "closed": closed,
            "words": words,
        }
        roles |= {f"items: {name}": name for name in rated}
        columns, _ = columns_of(frame, {k: v for k, v in roles.items() if v is not None})
        key = ids_as_in(log, pseudonyms, "customer")
        ids = pseudonymised(encode_ids(columns["customer"]), key, "customer")
        who = _placed(ids.codes, ids.names, log.customer_ids)
        if (ids.codes >= 0).any() and (who < 0).all():
            refuse_strangers(log, key, "customer")
        when = read_timestamps(columns["timestamp"], tz=tz, fmt=None, unit=None, name="timestamp")
        where = np.full(len(who), ANYWHERE, dtype=np.int64)
        if touchpoint is not None:
            about = encode_ids(columns["touchpoint"])
            names = log.columns.coded["touchpoint"].names
            where = np.where(about.codes < 0, ANYWHERE, _placed(about.codes, about.names, names))
        row, _, fate = bound_rows(log, who, when.us, where, (ids.codes < 0) | when.missing, max_lag)
        kept = np.flatnonzero((fate != NO_VALUE) & (fate != STRANGER))
        names_of_codes, first, other = _codings(columns, kept, separator)
        of_reason = encode_values(columns["reason"]) if reason is not None else None
        ratings = [encode_numbers(columns[f"items: {name}"], name)[kept] for name in rated]
        said = encode_values(columns["words"]) if words is not None else None
        counts = np.bincount(fate, minlength=len(REASONS)).tolist()[: len(REASONS) - 1]
        end = (
            read_timestamps(columns["closed"], tz=tz, fmt=None, unit=None, name="closed")
            if closed is not None
            else None
        )
        return cls(
            log=log,
            customer=who[kept],
            at_us=when.us[kept],
            row=np.where(fate == BOUND, row, -1)[kept],
            codes=names_of_codes,
            reasons=() if of_reason is None else tuple(map(str, of_reason.names)),
            items=rated,
            outcomes=FrozenMapping(dict(zip(REASONS, counts, strict=False))),
            coded=first,
            second=other,
            reason=np.full(len(kept), -1)
            if of_reason is None
            else of_reason.codes[kept].astype(np.int64),
            rating=np.stack(ratings, axis=1) if ratings else np.zeros((len(kept), 0)),
            dimension=dimension,
            closed=None if end is None else np.where(end.missing, _OPEN, end.us)[kept],
            words=()
            if said is None
            else tuple(None if c < 0 else str(said.names[c]) for c in said.codes[kept].tolist()),
        )

    def frequencies(
        self,
        by: str | None = None,
        *,
        of: Literal["codes", "reasons"] = "codes",
        level: float = 0.95,
    ) -> FeedbackFigures:
        """Return how often each code or reason is given, the most frequent first.

        Parameters
        ----------
        by
            What divides the answers: "touchpoint", "channel", "stage" or "owner" of the contact
            that they are about, "reason", or an attribute of the log. None: nothing.
        of
            "codes" or "reasons".
        level
            Confidence level, in (0, 1).

        Returns
        -------
        FeedbackFigures
            One row a group and code, by group. Columns: `group` (where `by` is given), `code` (or
            `reason`), `n` (answers with it), `customers`, `answers` (of the group that are coded),
            `share` = n / answers with `low` and `high` [fraction], and `cumulative`: the share of
            all mentions of the group up to this row, as in a Pareto chart. Of fewer than five
            answers no share is told.

        Raises
        ------
        InvalidValue
            If the answers have no codes or reasons.
        UnknownName
            If the log has no such column.

        Notes
        -----
        An answer with several codes counts once for each: shares of answers add up to more than
        one, shares of mentions to one. Answers that nobody coded are left out and counted.
        """
        check_choice(of, "of", ("codes", "reasons"))
        check_level(level)
        names = self.codes if of == "codes" else self.reasons
        if not names:
            raise InvalidValue(f"there are no {of}: name their column where the answers are read")
        answer, code, coded = self._mentions(of)
        group, groups = self._groups(by)
        coded = coded & (group >= 0)
        some = coded[answer]
        answer, code = answer[some], code[some]
        k, n_groups = len(names), len(groups)
        units = units_of_customers(self.log)
        place = group[answer] * k + code
        y = units.sums(place, n_groups * k, item=self.customer[answer])
        x = units.sums(group[coded], n_groups, item=self.customer[coded])
        found = ratio_of_sums(y, np.repeat(x, k, axis=1))
        low, high = found.wilson(level)
        n, base = y.sum(axis=0), np.repeat(x.sum(axis=0), k)
        told = base >= _FEWEST
        people = np.unique(place * (int(self.customer.max(initial=0)) + 1) + self.customer[answer])
        people //= int(self.customer.max(initial=0)) + 1
        mentions = n.reshape(n_groups, k)
        rank = np.argsort(-mentions, axis=1, kind="stable")
        ordered = np.take_along_axis(mentions, rank, axis=1)
        total = np.maximum(mentions.sum(axis=1, keepdims=True), 1)
        order = (rank + k * np.arange(n_groups)[:, None]).ravel()
        table = Table(
            {
                **({} if by is None else {"group": [g for g in groups for _ in range(k)]}),
                "code" if of == "codes" else "reason": [*names] * n_groups,
                "n": n.astype(np.int64),
                "customers": np.bincount(people, minlength=n_groups * k),
                "answers": base.astype(np.int64),
                **{
                    name: np.where(told, values, np.nan)
                    for name, values in (("share", found.whole), ("low", low), ("high", high))
                },
            },
            formats=dict.fromkeys(("share", "low", "high"), "percent"),
            backend=self.log.backend,
        ).take(order)
        cumulative = (np.cumsum(ordered, axis=1) / total).ravel()
        columns = {name: table[name] for name in table.column_names} | {"cumulative": cumulative}
        table = Table(
            columns,
            formats={**table.formats, "cumulative": "percent"},
            backend=self.log.backend,
        ).take(np.flatnonzero(n[order] > 0))
        caveats = [*self._left(coded, by)]
        if by is not None:
            caveats.append("The highest share of many looks higher than it is.")
        return FeedbackFigures(table=table, figure="share", level=level, caveats=tuple(caveats))

    def agreement(self, *, level: float = 0.95) -> FeedbackFigures:
        """Return how far two coders agree, beyond what chance would make them.

        Parameters
        ----------
        level
            Confidence level, in (0, 1).

        Returns
        -------
        FeedbackFigures
            One row a code, the least agreement first: `n` (answers that both coded), `both`,
            `first_only`, `second_only`, `agreed` (share of answers on which they agree, with or
            without the code) and `kappa` with `low` and `high`, in [-1, 1]; NaN where one code
            is all that either gave. Where each answer has one code of each coder, the last row,
            "all codes", has the kappa of the codes together.

        Raises
        ------
        InvalidValue
            If the answers have no second coder.

        Notes
        -----
        Cohen's kappa (1960) is (p_o - p_e) / (1 - p_e), with the agreement observed and that
        expected of coders who give codes as often and at random. It is computed again without each
        bucket of customers for its interval, since answers of one customer may be alike.
        """
        check_level(level)
        if self._second is None:
            raise InvalidValue("there is no second coder: name second= where the answers are read")
        both = self._coded[2] & self._second[2]
        k, n = len(self.codes), len(self.customer)
        one, other = (
            np.bincount(answer * k + code, minlength=n * k).reshape(n, k) > 0
            for answer, code, _ in (self._coded, self._second)
        )
        units, who = units_of_customers(self.log), self.customer[both]
        one, other = one[both], other[both]
        cell = 2 * one.astype(np.int64) + other
        place = (4 * np.arange(k) + cell).ravel()
        cells = units.sums(place, 4 * k, item=np.repeat(who, k)).reshape(-1, k, 2, 2)
        found = [_kappa(cells[:, i]) for i in range(k)]
        names = [*self.codes]
        apart = cells.sum(axis=0)
        counts = np.array([[x[1, 1], x[1, 0], x[0, 1]] for x in apart]).reshape(-1, 3)
        agreed = [(x[0, 0] + x[1, 1]) / max(x.sum(), 1) for x in apart]
        order = np.argsort([np.nan_to_num(float(x.whole), nan=2.0) for x in found], kind="stable")
        if k and len(who) and (one.sum(axis=1) == 1).all() and (other.sum(axis=1) == 1).all():
            square = k * one.argmax(axis=1) + other.argmax(axis=1)
            together = units.sums(square, k * k, item=who).reshape(-1, k, k)
            same = float(np.trace(together.sum(axis=0)))
            found, names = [*found, _kappa(together)], [*names, "all codes"]
            less = len(who) - same
            counts = np.vstack([counts, [same, less, less]])
            agreed = [*agreed, same / len(who)]
            order = np.append(order, k)
        whole = np.array([float(x.whole) for x in found])
        ends = [[float(end) for end in x.student(level)] for x in found]
        low, high = np.clip(np.array(ends).reshape(-1, 2), -1, 1).T
        table = Table(
            {
                "code": names,
                "n": np.full(len(names), len(who)),
                **{
                    name: counts[:, i].astype(np.int64)
                    for i, name in enumerate(("both", "first_only", "second_only"))
                },
                "agreed": np.array(agreed, dtype=np.float64),
                "kappa": whole,
                "low": low,
                "high": high,
            },
            formats={"agreed": "percent"},
            backend=self.log.backend,
        ).take(order)
        caveat = "A rare code has a low kappa even where coders agree on most answers."
        return FeedbackFigures(table=table, figure="kappa", level=level, caveats=(caveat,))

    def profile(
        self,
        by: str | None = None,
        *,
        of: Literal["items", "dimensions"] = "items",
        scale: Scale | None = None,
        level: float = 0.95,
    ) -> FeedbackFigures:
        """Return the mean rating of each item or dimension.

        Parameters
        ----------
        by
            What divides the answers, as in `frequencies`.
        of
            "items", or "dimensions", whose rating by an answer is the mean of its items there.
        scale
            The scale of the ratings; means are then shares of it, from 0 to 1, so that items of
            several scales may stand side by side if each was read apart. None: points.
        level
            Confidence level, in (0, 1).

        Returns
        -------
        FeedbackFigures
            One row a group and item: `group` (where `by` is given), `item` (or `dimension`), `n`
            answers, `customers`, `mean` with `low` and `high`.

        Raises
        ------
        InvalidValue
            If the answers have no items, or the items no dimensions.
        OutOfScale
            If a rating is off the scale.
        UnknownName
            If the log has no such column.
        """
        check_choice(of, "of", ("items", "dimensions"))
        check_level(level)
        if not self.items:
            raise InvalidValue("there are no ratings: name items= where the answers are read")
        ratings, names = self._rating, self.items
        bounds = None
        if scale is not None:
            check_scale(scale)
            for rating, name in zip(ratings.T, names, strict=True):
                scale.check(rating, name)
            ratings = (ratings - scale.low) / (scale.high - scale.low)
            bounds = (0.0, 1.0)
        if of == "dimensions":
            if not self._dimension:
                raise InvalidValue("items have no dimensions: give items= a mapping to dimensions")
            ratings, names = self._of_dimensions(ratings)
        group, groups = self._groups(by)
        k = len(names)
        known = ~np.isnan(ratings) & (group >= 0)[:, None]
        answer, item = np.nonzero(known)
        place, who = group[answer] * k + item, self.customer[answer]
        found = ratio_figures(
            ratings[answer, item],
            None,
            group=place,
            n_groups=len(groups) * k,
            units=units_of_customers(self.log),
            item=who,
        )
        low, high = found.means(level, bounds)
        if bounds is not None:
            low, high = np.clip(low, *bounds), np.clip(high, *bounds)
        width = int(self.customer.max(initial=0)) + 1
        n = np.bincount(place, minlength=len(groups) * k)
        table = Table(
            {
                **({} if by is None else {"group": [g for g in groups for _ in range(k)]}),
                "item" if of == "items" else "dimension": [*names] * len(groups),
                "n": n,
                "customers": np.bincount(
                    np.unique(place * width + who) // width, minlength=len(groups) * k
                ),
                "mean": found.whole,
                "low": low,
                "high": high,
            },
            backend=self.log.backend,
        ).take(np.flatnonzero(n > 0))
        rated = (~np.isnan(ratings)).any(axis=1) & (group >= 0)
        return FeedbackFigures(
            table=table, figure="mean", level=level, caveats=self._left(rated, by)
        )

    def resolution(
        self, *, window: timedelta | str = timedelta(days=7), level: float = 0.95
    ) -> FeedbackFigures:
        """Return, by reason of contact, what one contact resolved, and how long closing takes.

        Parameters
        ----------
        window
            How long no second contact for the same reason may follow; positive.
        level
            Confidence level, in (0, 1).

        Returns
        -------
        FeedbackFigures
            One row a reason: `reason`, `n` (contacts), `issues` (whose window was observed to its
            end), `first_contact` (share that one contact resolved) with `low` and `high`, `repeat`
            (the rest), and `median_s`, `p90_s`: the time until an issue was closed [s], NaN without
            `closed`, or while too few are.

        Raises
        ------
        InvalidValue
            If the answers have no reasons.

        Notes
        -----
        `cxjourney.metrics.first_contact_resolution` and `resolution_time` of the contacts of each
        reason, open issues censored at the end of observation.
        """
        check_level(level)
        window = check_duration(window, "window")
        if not self.reasons:
            raise InvalidValue("there are no reasons: name reason= where the answers are read")
        until = moment(self._until_us())
        rows = []
        for place in range(len(self.reasons)):
            of_it = np.flatnonzero(self._reason == place)
            who, at = self.customer[of_it], self.at_us[of_it].astype("datetime64[us]")
            fcr = first_contact_resolution(
                at, customer=who, observed_until=until, window=window, level=level
            )
            median = p90 = np.nan
            if self._closed is not None and len(of_it):
                end = self._closed[of_it]
                took = resolution_time(
                    at,
                    end.astype("datetime64[us]"),
                    customer=who,
                    observed_until=until,
                    level=level,
                )
                median, p90 = took.median.value, took.p90.value
            rows.append((len(of_it), fcr.n, fcr.value, fcr.low, fcr.high, median, p90))
        columns = np.array(rows, dtype=np.float64).reshape(-1, 7).T
        table = Table(
            {
                "reason": [*self.reasons],
                "n": columns[0].astype(np.int64),
                "issues": columns[1].astype(np.int64),
                "first_contact": columns[2],
                "low": columns[3],
                "high": columns[4],
                "repeat": 1 - columns[2],
                "median_s": columns[5],
                "p90_s": columns[6],
            },
            formats=dict.fromkeys(("first_contact", "low", "high", "repeat"), "percent")
            | dict.fromkeys(("median_s", "p90_s"), "duration"),
            backend=self.log.backend,
        )
        caveat = f"A second contact for the same reason counts within {how_long(window)}."
        return FeedbackFigures(table=table, figure="first_contact", level=level, caveats=(caveat,))

    @forgetting
    def cadence(
        self,
        invitations: Any,
        *,
        customer: str,
        timestamp: str,
        within: timedelta | str = timedelta(days=14),
        by: Literal["earlier", "day", "week", "month", "quarter"] = "earlier",
        pseudonyms: PseudonymKey | None = None,
        tz: str = "UTC",
        level: float = 0.95,
    ) -> FeedbackFigures:
        """Return how often customers were asked, and whether they answer less the more they were.

        Parameters
        ----------
        invitations
            Any frame, hence Any: a row an invitation.
        customer, timestamp
            Names of its columns of who was asked and when.
        within
            How long after an invitation an answer is one to it; the latest invitation before an
            answer is taken. Invitations younger than this are left out.
        by
            "earlier": by how often the customer had been asked in the 90 days before. Or a period
            of the calendar: the trend of the response rate.
        pseudonyms, tz
            As in `from_frame`.
        level
            Confidence level, in (0, 1).

        Returns
        -------
        FeedbackFigures
            One row a number of earlier invitations, or a period: `n` invitations, `customers`, and
            `answered` with `low` and `high` [fraction].

        Raises
        ------
        UnknownName
            If a column is not there.
        InvalidValue
            If an argument breaks its rule, or the key is not that of the log.
        InvalidData
            If a time cannot be read.
        """
        check_choice(by, "by", ("earlier", "day", "week", "month", "quarter"))
        check_level(level)
        wait = duration_us(check_duration(within, "within"))
        roles = {"customer": customer, "timestamp": timestamp}
        columns, _ = columns_of(invitations, roles)
        key = ids_as_in(self.log, pseudonyms, "customer")
        ids = pseudonymised(encode_ids(columns["customer"]), key, "customer")
        who = _placed(ids.codes, ids.names, self.log.customer_ids)
        if (ids.codes >= 0).any() and (who < 0).all():
            refuse_strangers(self.log, key, "customer")
        when = read_timestamps(columns["timestamp"], tz=tz, fmt=None, unit=None, name="timestamp")
        usable = np.flatnonzero((who >= 0) & ~when.missing)
        usable = usable[np.lexsort((when.us[usable], who[usable]))]
        who, at = who[usable].astype(np.int64), when.us[usable]
        hit = _last_before(who, at, self.customer, self.at_us)
        lag = self.at_us - at[hit] if len(at) else np.zeros(len(hit), dtype=np.int64)
        answered = np.zeros(len(at), dtype=np.bool_)
        answered[hit[(hit >= 0) & (lag <= wait)]] = True
        earlier = np.arange(len(at)) - _first_since(who, at, 90 * _DAY_US)
        ripe = at <= self._until_us() - wait
        if by == "earlier":
            group, labels = np.minimum(earlier, len(_EARLIER) - 1), [*_EARLIER]
        else:
            index = period_index(at[ripe], by, tz)
            first, last = int(index.min(initial=2**62)), int(index.max(initial=-(2**62)))
            group = np.zeros(len(at), dtype=np.int64)
            group[ripe] = index - first if len(index) else 0
            labels = [period_label(i, by) for i in range(first, last + 1)]
        units = units_of_customers(self.log)
        found = ratio_figures(
            answered[ripe].astype(np.float64),
            None,
            group=group[ripe],
            n_groups=len(labels),
            units=units,
            item=who[ripe],
        )
        low, high = found.wilson(level)
        n = np.bincount(group[ripe], minlength=len(labels))
        width = int(who.max(initial=0)) + 1
        people = np.unique(group[ripe] * width + who[ripe]) // width
        table = Table(
            {
                "earlier" if by == "earlier" else by: labels,
                "n": n,
                "customers": np.bincount(people, minlength=len(labels)),
                "answered": found.whole,
                "low": low,
                "high": high,
            },
            formats=dict.fromkeys(("answered", "low", "high"), "percent"),
            backend=self.log.backend,
        ).take(np.flatnonzero(n > 0))
        caveats = [self._often(who, at)] if len(at) else []
        young, strange = int(np.count_nonzero(~ripe)), len(columns["customer"]) - len(usable)
        if young:
            caveats.append(f"Left out: {counted(young, 'invitation')} that may still be answered.")
        if strange:
            caveats.append(f"Left out: {counted(strange, 'invitation')} without a known customer.")
        if by == "earlier":
            caveats.append(
                "Those who are asked often differ from the others, so this is no effect of asking."
            )
        return FeedbackFigures(table=table, figure="answered", level=level, caveats=tuple(caveats))

    def words(self, code: str | None = None, *, touchpoint: str | None = None) -> tuple[str, ...]:
        """Return the words of customers with a code, or about a touchpoint, in order of time.

        Parameters
        ----------
        code, touchpoint
            What the answers must have; None takes all.

        Raises
        ------
        UnknownName
            If there is no such code or touchpoint.
        InvalidValue
            If the words were not read.
        """
        if not self._words and len(self):
            raise InvalidValue("there are no words: name words= where the answers are read")
        found = self._chosen(code, touchpoint)
        said = (self._words[i] for i in found[np.argsort(self.at_us[found], kind="stable")])
        return tuple(one for one in said if one is not None)

    def customers(self, code: str | None = None, *, touchpoint: str | None = None) -> list[str]:
        """Return the ids of customers who gave an answer with a code, or about a touchpoint.

        Parameters
        ----------
        code, touchpoint
            What an answer must have; None takes all.

        Raises
        ------
        UnknownName
            If there is no such code or touchpoint.
        """
        found = np.unique(self.customer[self._chosen(code, touchpoint)])
        return [self.log.customer_ids[i] for i in found.tolist()]

    def _chosen(self, code: str | None, touchpoint: str | None) -> Ints:
        chosen = np.ones(len(self), dtype=np.bool_)
        if code is not None:
            if code not in self.codes:
                raise UnknownName.among("code", code, self.codes, where="the answers")
            answer, which, _ = self._coded
            chosen[:] = False
            chosen[answer[which == self.codes.index(code)]] = True
        if touchpoint is not None:
            group, names = self._groups("touchpoint")
            if touchpoint not in names:
                raise UnknownName.among("touchpoint", touchpoint, names, where="the log")
            chosen &= group == names.index(touchpoint)
        return np.flatnonzero(chosen)

    def _mentions(self, of: str) -> tuple[Ints, Ints, Bools]:
        """Return the answer and the code of each mention, and which answers have any."""
        if of == "codes":
            return self._coded
        has = self._reason >= 0
        answer = np.flatnonzero(has)
        return answer, self._reason[answer], has

    def _groups(self, by: str | None) -> tuple[Ints, tuple[str, ...]]:
        """Return the group of each answer, -1 for none, and their names."""
        if by is None:
            return np.zeros(len(self), dtype=np.int64), ("all",)
        if by == "reason":
            return self._reason, self.reasons
        columns = self.log.columns
        if by in _PLACES:
            if by not in columns.coded:
                raise UnknownName.among("by=", by, tuple(columns.coded), where="the log")
            coded = columns.coded[by]
        else:
            known = (*_PLACES, "reason", *columns.attributes)
            if by not in columns.attributes:
                raise UnknownName.among("by=", by, known, where="the log")
            coded = columns.attributes[by]
        codes = np.append(coded.codes.astype(np.int64), -1)[self.row]
        return codes, tuple(map(str, coded.names))

    def _of_dimensions(self, ratings: Floats) -> tuple[Floats, tuple[str, ...]]:
        """Return the mean rating of each dimension by each answer."""
        names = tuple(dict.fromkeys(self._dimension[item] for item in self.items))
        member = np.array([[self._dimension[i] == name for name in names] for i in self.items])
        known = (~np.isnan(ratings)).astype(np.float64) @ member
        total = np.nan_to_num(ratings) @ member
        return np.where(known > 0, total / np.maximum(known, 1), np.nan), names

    def _left(self, taken: Bools, by: str | None) -> tuple[str, ...]:
        left = int(np.count_nonzero(~taken))
        if not left:
            return ()
        why = "say nothing of this" if by is None else "say nothing of this, or have no group"
        return (f"{left:,} of {counted(len(self), 'answer')} {why} and are left out.",)

    def _until_us(self) -> int:
        time, until = self.log.columns.time, self.log.observed_until_us
        assert time is not None  # noqa: S101 - `from_frame` has looked
        seen = int(time.max(initial=0)) if until is None else int(until)
        return max(seen, int(self.at_us.max(initial=0)))

    @staticmethod
    def _often(who: Ints, at: Ints) -> str:
        span = max(int(at.max() - at.min()), _DAY_US) / (90 * _DAY_US)
        often = len(at) / len(np.unique(who)) / max(span, 1.0)
        return f"A customer who is asked at all is asked {often:.2g} times in 90 days."


def _placed(codes: Ints, names: Iterable[Any], known: Iterable[str]) -> Ints:
    """Return the place of coded names among known ones, -1 for strangers and missing ones."""
    place = {name: i for i, name in enumerate(known)}
    lookup = np.array([*(place.get(str(name), -1) for name in names), -1], dtype=np.int64)
    return lookup[codes]


def _codings(
    columns: Mapping[str, Any], kept: Ints, separator: str
) -> tuple[tuple[str, ...], tuple[Ints, Ints, Bools], tuple[Ints, Ints, Bools] | None]:
    """Return the names of all codes, and the mentions of each coder."""
    cells = {role: encode_values(columns[role]) for role in ("codes", "second") if role in columns}
    parts = {
        role: [[one for x in str(cell).split(separator) if (one := x.strip())] for cell in c.names]
        for role, c in cells.items()
    }
    names = tuple(sorted({one for some in parts.values() for cell in some for one in cell}))
    place = {name: i for i, name in enumerate(names)}

    def mentions(role: str) -> tuple[Ints, Ints, Bools]:
        own = [sorted({place[one] for one in cell}) for cell in parts[role]]
        size = np.array([*map(len, own), 0])
        flat = np.array([one for cell in own for one in cell], dtype=np.int64)
        begin = np.cumsum(size) - size
        code = cells[role].codes[kept].astype(np.int64)
        n = size[code]
        answer = np.repeat(np.arange(len(kept)), n)
        within = np.arange(len(answer)) - np.repeat(np.cumsum(n) - n, n)
        return answer, flat[np.repeat(begin[code], n) + within], n > 0

    nothing = (
        np.zeros(0, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        np.zeros(len(kept), np.bool_),
    )
    first = mentions("codes") if "codes" in cells else nothing
    return names, first, mentions("second") if "second" in cells else None


def _kappa(cells: Floats) -> BucketFigures:
    """Return Cohen's kappa of tables of two coders, one a bucket: (buckets, k, k)."""

    def of(tables: Floats) -> Floats:
        n = tables.sum(axis=(-2, -1))
        with np.errstate(invalid="ignore", divide="ignore"):
            share = tables / n[..., None, None]
            seen = np.trace(share, axis1=-2, axis2=-1)
            chance = (share.sum(axis=-1) * share.sum(axis=-2)).sum(axis=-1)
            return np.where(chance < 1, (seen - chance) / (1 - chance), np.nan)

    total = cells.sum(axis=0)
    return BucketFigures(whole=of(total), without=of(total - cells), units=cells.sum(axis=(1, 2)))


def _last_before(who: Ints, at: Ints, customer: Ints, time: Ints) -> Ints:
    """Return the last of sorted invitations of each customer not later than a time; -1 for none."""
    n = len(who)
    order = np.lexsort(
        (
            np.concatenate([np.zeros(n), np.ones(len(time))]),
            np.concatenate([at, time]),
            np.concatenate([who, customer]),
        )
    )
    latest = np.maximum.accumulate(np.where(order < n, order, -1))
    found = np.full(len(time), -1, dtype=np.int64)
    answers = np.flatnonzero(order >= n)
    found[order[answers] - n] = latest[answers]
    own = (found >= 0) & (np.append(who, -1)[found] == customer)
    return np.where(own, found, -1)


def _first_since(who: Ints, at: Ints, span: int) -> Ints:
    """Return the first of each customer's sorted invitations that lies within a span before."""
    if not len(at):
        return np.zeros(0, dtype=np.int64)
    low = int(at.min())
    far = int(at.max()) - low + 2 * span + 2
    place = who * far + (at - low) + span + 1
    return np.searchsorted(place, place - span, side="left")
