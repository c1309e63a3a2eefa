"""The sensitivity of figures to links between ids that were missed, or are wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_count,
    check_fraction,
    check_kind,
    check_names,
    check_rng,
)
from cxjourney.attribution import linear
from cxjourney.exceptions import DataQualityWarning, InvalidValue
from cxjourney.journeys import check_log, conversion_rate_of
from cxjourney.log import IdentityLinks
from cxjourney.omnichannel import switching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys
    from cxjourney.log import InteractionLog

_MOST_CREDITS = 5


@attrs.frozen(kw_only=True, repr=False)
class IdentitySensitivity(Result):
    """How conversion, switches and attribution move if links between ids are missed or wrong.

    Attributes
    ----------
    table
        One row a figure, fault and share; see `sensitivity` for the columns.
    goal
        The goal.
    n_links
        Links of ids that are in the log: those of which a share is drawn.
    repeats
        How often each share was drawn.
    caveats
        What could not be computed, and why.
    """

    title: ClassVar[str] = "What depends on the links between ids"

    table: Table
    goal: tuple[str, ...]
    n_links: int
    repeats: int
    caveats: tuple[str, ...] = ()

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw each figure under every share of missed or wrong links, lowest to highest.

        Parameters
        ----------
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        table = self.table
        share = np.asarray(table["share"], dtype=np.float64)
        return plot.forest(
            list(table["figure"]),
            table["mean"],
            table["low"],
            table["high"],
            group=[f"{s:.0%} {f}" for s, f in zip(share, table["fault"], strict=True)],
            group_label="links",
            percent=True,
            label=f"mean, lowest and highest of {self.repeats} draws",
            caption="Where the points of a row lie far apart, the figure depends on the links.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        drawn = (
            f"Shares are of the {self.n_links:,} links of ids that are in the log; low and high "
            f"are the lowest and the highest of {self.repeats} draws, no confidence interval."
        )
        return (
            drawn,
            "Missed links are left out; wrong ones lead to a known id of another link.",
            "Credit is linear, as a share of all; the channels with most of it are shown.",
            *self.caveats,
        )


def sensitivity(
    log: InteractionLog,
    links: IdentityLinks,
    *,
    goal: str | Iterable[str],
    inactivity: timedelta | str | None = None,
    exit_touchpoints: str | Iterable[str] = (),
    after_goal: Literal["new_journey", "discard", "keep"] = "new_journey",
    all_closed: bool = False,
    shares: Sequence[float] = (0.05, 0.1, 0.2),
    repeats: int = 10,
    rng: np.random.Generator | int | None = 0,
) -> IdentitySensitivity:
    """Return how figures move if a share of the links was missed, or leads to the wrong customer.

    Parameters
    ----------
    log
        The log before its identities are resolved.
    links
        The links, as `links` returns them.
    goal, inactivity, exit_touchpoints, after_goal, all_closed
        As in `log.journeys`.
    shares
        Shares of the links that are drawn, each in [0, 1].
    repeats
        How often each share is drawn.
    rng
        A NumPy generator or the seed of one; None draws anew each time.

    Returns
    -------
    IdentitySensitivity
        One row a figure, fault and share, with the columns

        | column | what it is |
        |---|---|
        | `figure` | conversion rate, switches per transition, credit of a channel |
        | `fault` | "missed" or "wrong" |
        | `share` | share of the links that were drawn [fraction]; 1 is a log without links |
        | `value` | the figure with all links as they are [fraction] |
        | `mean`, `low`, `high` | over the draws: mean, lowest and highest [fraction] |

    Raises
    ------
    InvalidValue
        If a share is no fraction, `repeats` no number from 1, or no link is of an id in the log.
    UnknownName
        If a goal or exit touchpoint is not in the log.

    Notes
    -----
    Missed links split a customer: what was one journey becomes one that converts and one that is
    called lost, so that conversion looks too low and channels seem not to lead to each other. Wrong
    links join strangers and invent switches. How many links are wrong is not in the data, so that
    this is no interval: it says which figures can be told without knowing it. Each draw makes the
    journeys anew, which takes a multiple of one analysis.

    Examples
    --------
    >>> import cxjourney as cx
    >>> log = cx.InteractionLog.from_frame(
    ...     {"who": ["d", "ann", "e"], "what": ["ad", "buy", "ad"], "when": ["2026-01-01"] * 3},
    ...     customer="who", timestamp="when", touchpoint="what",
    ... )
    >>> links = cx.identity.links({"d": ["d"], "u": ["ann"]}, anonymous="d", known="u")
    >>> found = cx.identity.sensitivity(
    ...     log, links, goal="buy", all_closed=True, shares=[0], repeats=1
    ... )
    >>> missed = found.table.row(2)  # all links
    >>> missed["figure"], missed["value"], round(missed["mean"], 3)
    ('conversion rate', 0.5, 0.333)
    """
    check_log(log)
    check_kind(links, "links", IdentityLinks, "cx.identity.links()")
    check_count(repeats, "repeats")
    if isinstance(shares, str) or not isinstance(shares, Iterable):
        raise InvalidValue.of("shares", "be a list of fractions", shares)
    ordered = sorted({check_fraction(share, "shares") for share in shares} - {1.0})
    draw = check_rng(rng)
    here = set(log.customer_ids)
    occurs = np.array([one in here for one in links.ids], dtype=np.bool_)
    drawn = np.flatnonzero(occurs[links.anonymous])
    if not len(drawn):
        raise InvalidValue("links must be of ids that are in the log; none of them is")

    def figures_with(some: IdentityLinks) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataQualityWarning)
            resolved = log.resolve_identities(some)
        return _figures(
            resolved.journeys(
                goal=goal,
                inactivity=inactivity,
                exit_touchpoints=exit_touchpoints,
                after_goal=after_goal,
                all_closed=all_closed,
            )
        )

    whole = dict(list(figures_with(links).items())[: _MOST_CREDITS + 2])
    faulty: dict[str, Callable[[NDArray[np.intp]], IdentityLinks]] = {
        "missed": lambda rows: links.take(np.delete(np.arange(len(links)), rows)),
        "wrong": lambda rows: _rewired(links, rows, draw),
    }
    rows = []
    for fault, spoil in faulty.items():
        for share in (*ordered, 1.0) if fault == "missed" else ordered:
            n, times = round(share * len(drawn)), 1 if share == 1 else repeats
            found = [
                figures_with(spoil(draw.choice(drawn, size=n, replace=False))) for _ in range(times)
            ]
            rows += [
                (figure, fault, share, value, *_spread([f.get(figure, np.nan) for f in found]))
                for figure, value in whole.items()
            ]
    names = ("figure", "fault", "share", "value", "mean", "low", "high")
    columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=True))
    return IdentitySensitivity(
        table=Table(columns, formats=dict.fromkeys(names[2:], "percent"), backend=log.backend),
        goal=check_names(goal, "goal"),
        n_links=len(drawn),
        repeats=repeats,
        caveats=()
        if log.channels
        else ("The log has no channels: there are no switches, and credit is of touchpoints.",),
    )


def _spread(values: list[float]) -> tuple[float, float, float]:
    known = np.array(values)[~np.isnan(values)]
    if not len(known):
        return (np.nan,) * 3
    return float(known.mean()), float(known.min()), float(known.max())


def _figures(journeys: Journeys) -> dict[str, float]:
    """Return the figures of journeys, each as a fraction, by their names."""
    rate = conversion_rate_of(journeys)
    found = {"conversion rate": np.nan if rate is None else rate.value}
    by: Literal["channel", "touchpoint"] = "channel" if journeys.log.channels else "touchpoint"
    if by == "channel":
        found["switches per transition"] = switching(journeys).per_transition.value
    credit = linear(journeys, by=by).credit
    total = sum(credit.values())
    credited = sorted(credit.items(), key=lambda item: (-item[1], item[0]))
    return found | {f"credit of {name}": n / total for name, n in credited if total}


def _rewired(
    links: IdentityLinks, rows: NDArray[np.intp], draw: np.random.Generator
) -> IdentityLinks:
    """Return the links, of which these lead to the known id of another one, where there is one."""
    targets = np.unique(links.known)
    known = links.known.copy()
    if len(targets) > 1:
        own = np.searchsorted(targets, known[rows])
        other = draw.integers(len(targets) - 1, size=len(rows))
        known[rows] = targets[other + (other >= own)]
    return attrs.evolve(links, known=known)
