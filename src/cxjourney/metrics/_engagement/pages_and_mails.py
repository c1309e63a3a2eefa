"""Engagement: dwell times of pages and rates of e-mails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.estimate import ENDS, Estimate, estimates_table
from cxjourney._stats.intervals import quantile_type_7
from cxjourney._support.arrays import flags, refuse_rows, same_length
from cxjourney._support.result import Result
from cxjourney._support.validation import (
    check_duration,
    check_fraction,
    check_level,
    duration_us,
)
from cxjourney._time.calendar import instants
from cxjourney.metrics._rates import flag_share
from cxjourney.metrics._retention.activity import read_activity
from cxjourney.metrics._survival.kaplan_meier import kaplan_meier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from numpy.typing import NDArray

    from cxjourney._support.arrays import Values
    from cxjourney._support.table import Table

_SECOND = 1_000_000


def dwell_time(
    sessions: Values,
    timestamps: Values,
    *,
    of: Values | None = None,
    last_seen: Values | None = None,
    max_dwell: timedelta | str | None = None,
    q: float = 0.5,
    level: float = 0.95,
) -> Estimate:
    """Return how long visitors stay on a page: the time to the next view of the session.

    Parameters
    ----------
    sessions, timestamps
        Label of the session of each view, and when it began (naive timestamps are UTC).
    of
        True for the views whose dwell time is wanted, such as those of one page; the others still
        end them. None: all.
    last_seen
        When the visitor was last seen on the view (a heartbeat), missing where unknown: the last
        view of a session then lasted at least so long. None: nobody knows.
    max_dwell
        Longer ones are cut to this, as nobody reads for hours; the card says how many.
    q, level
        The quantile, and the confidence level, both in (0, 1).

    Returns
    -------
    Estimate
        The quantile [seconds]; NaN and "empty" without a view that has an end.

    Raises
    ------
    InvalidValue
        If columns differ in length or an option is outside its range.
    InvalidData
        If a heartbeat comes before its view; carries the positions.

    Notes
    -----
    The last view of a session has no next one. It is left out and counted, or censored at its
    heartbeat; never 0, which would make short sessions look hurried. Without heartbeats: type-7
    quantile with the order-statistic interval; with them: the Kaplan-Meier quantile. Means are not
    given: a few open tabs decide them. Views of one session are not independent, so with few
    sessions the interval is too short.

    Examples
    --------
    >>> from datetime import datetime
    >>> when = [datetime(2026, 1, 1, 12, 0, s) for s in (0, 10, 40, 5, 25)]
    >>> result = dwell_time(["a", "a", "a", "b", "b"], when)
    >>> result.value, result.n, result.exclusions["last views of unknown end"]
    (20.0, 3, 2)
    """
    check_level(level)
    check_fraction(q, "q")
    views = read_activity(sessions, timestamps)
    wanted = _wanted(of, views.n_rows)[views.rows]
    has_next = np.concatenate((~views.first[1:], [False]))[: len(views.us)]
    length = np.concatenate((np.diff(views.us), [0]))[: len(views.us)]
    heartbeat = np.zeros(len(views.us), dtype=bool)
    if last_seen is not None:
        seen, unknown = instants(last_seen, "last_seen")
        same_length(sessions=range(views.n_rows), last_seen=seen)
        seen, unknown = seen[views.rows], unknown[views.rows]
        early = np.zeros(views.n_rows, dtype=bool)
        early[views.rows] = ~unknown & (seen < views.us)
        refuse_rows(early, "last_seen lies before the view")
        heartbeat = ~has_next & ~unknown
        length = np.where(heartbeat, seen - views.us, length)
    known = has_next | heartbeat
    n_unknown = int(np.count_nonzero(wanted & ~known))
    ended, length = has_next[wanted & known], length[wanted & known]
    n_cut = 0
    if max_dwell is not None:
        max_dwell = check_duration(max_dwell, "max_dwell")
        cap = duration_us(max_dwell)
        n_cut = int(np.count_nonzero(length > cap))
        length = np.minimum(length, cap)
    n = len(length)
    if ended.all():
        value, low, high = quantile_type_7(length / _SECOND, q, level=level)
        method = "order statistics"
        notes: tuple[str, ...] = () if n else ("empty",)
    else:
        curve = kaplan_meier(length.astype("timedelta64[us]"), ended, level=level)
        found = curve.quantile(q)
        value, low, high, notes = found.value, found.low, found.high, found.notes
        method = "Kaplan-Meier, log-log"
    if n_cut:
        notes = (*notes, f"{100 * n_cut / n:.1f}% of the times are cut to max_dwell.")
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=n,
        n_missing=views.n_missing,
        n_censored=int(np.count_nonzero(~ended)),
        unit="seconds",
        method=method,
        notes=notes,
        name="dwell_time",
        definition="quantile of the time from a view to the next one of its session",
        parameters={
            "q": q,
            "max_dwell_s": None if max_dwell is None else max_dwell.total_seconds(),
            "cut": n_cut,
        },
        exclusions={"last views of unknown end": n_unknown},
    )


def _wanted(of: Values | None, n: int) -> NDArray[np.bool_]:
    if of is None:
        return np.ones(n, dtype=bool)
    wanted, _ = flags(of, "of")
    same_length(sessions=range(n), of=wanted)
    return wanted


@attrs.frozen(kw_only=True, repr=False)
class EmailRates(Result):
    """What became of the e-mails of a campaign.

    Attributes
    ----------
    bounce
        Bounced / sent.
    open, click
        Of those delivered, machine opens left out where they are flagged; clicks (CTR) are the
        figure to go by.
    click_to_open
        Clicked / opened (CTOR).
    unsubscribe, complaint, conversion
        Of those delivered; None where no column was given.
    """

    title = "E-mail rates"

    bounce: Estimate
    open: Estimate
    click: Estimate
    click_to_open: Estimate
    unsubscribe: Estimate | None
    complaint: Estimate | None
    conversion: Estimate | None

    def _table(self) -> Table:
        rows = {
            field.name: getattr(self, field.name)
            for field in attrs.fields(type(self))
            if getattr(self, field.name) is not None
        }
        return estimates_table(
            "rate", rows, {"count": "numerator", "of": "denominator", **ENDS}, kind="percent"
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"The intervals are {100 * self.click.level:g}% {self.click.method}.",
            *self.open.notes,
        )


def email_rates(
    bounced: Values,
    opened: Values,
    clicked: Values,
    *,
    unsubscribed: Values | None = None,
    complained: Values | None = None,
    converted: Values | None = None,
    machine_open: Values | None = None,
    customers: Values | None = None,
    level: float = 0.95,
) -> EmailRates:
    """Return open, click, click-to-open and the other rates of sent e-mails.

    Parameters
    ----------
    bounced, opened, clicked
        True where the e-mail bounced (hard or soft), was opened, was clicked: a row an e-mail, so
        that several opens of one count once.
    unsubscribed, complained, converted
        The same for what else may follow; None: not known.
    machine_open
        True where the open came from a machine (a privacy proxy that loads all pictures, a
        security scanner); such opens do not count. None: not known, and a note says so.
    customers
        Label of the recipient of each e-mail: intervals then allow for several e-mails to one.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    EmailRates
        One estimate a rate. An empty campaign gives NaN.

    Raises
    ------
    InvalidValue
        If columns differ in length.
    InvalidData
        If a value is neither true, false, 0, 1 nor missing.

    Notes
    -----
    Delivered is sent less bounced; a missing flag means that it did not happen, and is counted as
    missing; a click counts as an open even if no picture was loaded. Since September 2021 mail
    programs load pictures by themselves, so opens are inflated and click-to-open deflated: compare
    clicks. Scanners click, too: drop clicks within seconds of delivery before calling this. The
    rates of two campaigns are comparable only with the same treatment of machines.

    Examples
    --------
    >>> rates = email_rates([0, 0, 0, 0, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0])
    >>> rates.open.value, rates.click.value, rates.click_to_open.value
    (0.5, 0.25, 0.5)
    """
    check_level(level)
    bounce, no_bounce = flags(bounced, "bounced")
    opens, no_open = flags(opened, "opened")
    clicks, no_click = flags(clicked, "clicked")
    same_length(bounced=bounce, opened=opens, clicked=clicks)
    notes = ("Opens by machines are not known, so opens are inflated.",)
    if machine_open is not None:
        machine, _ = flags(machine_open, "machine_open")
        same_length(bounced=bounce, machine_open=machine)
        opens = opens & ~machine
        notes = ("Opens by machines are left out.",)
    opens = opens | clicks
    lost = {"bounced": bounce}

    def rate(
        hits: NDArray[np.bool_],
        name: str,
        definition: str,
        exclude: Mapping[str, NDArray[np.bool_]],
        *,
        n_missing: int = 0,
        notes: tuple[str, ...] = (),
    ) -> Estimate:
        estimate = flag_share(
            hits,
            argument=name,
            name=f"email_{name}",
            definition=definition,
            exclude=exclude,
            customer=customers,
            notes=notes,
            level=level,
        )
        return attrs.evolve(estimate, n_missing=n_missing)

    def optional(values: Values | None, name: str) -> Estimate | None:
        if values is None:
            return None
        hits, missing = flags(values, name)
        same_length(bounced=bounce, **{name: hits})
        return rate(hits, name, f"{name} / delivered", lost, n_missing=int(missing.sum()))

    opened_only = {**lost, "not opened": ~opens}
    return EmailRates(
        bounce=rate(bounce, "bounce", "bounced / sent", {}, n_missing=int(no_bounce.sum())),
        open=rate(
            opens, "open", "opened / delivered", lost, n_missing=int(no_open.sum()), notes=notes
        ),
        click=rate(clicks, "click", "clicked / delivered", lost, n_missing=int(no_click.sum())),
        click_to_open=rate(clicks, "click_to_open", "clicked / opened", opened_only),
        unsubscribe=optional(unsubscribed, "unsubscribed"),
        complaint=optional(complained, "complained"),
        conversion=optional(converted, "converted"),
    )
