"""Exposures: offers, recommendations, messages and follow-ups that the company starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimates import CLUSTERED
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_choice,
    check_duration,
    check_level,
    duration_us,
    optional_duration,
)
from cxjourney._support.words import counted, how_long
from cxjourney.exceptions import InvalidValue
from cxjourney.experience._exposure_figures import (
    Compared,
    Divided,
    Timeline,
    by_arm,
    by_landmark,
    compared_table,
    delays,
    said_difference,
    share_table,
)
from cxjourney.journeys import (
    UNLIKELY,
    SegmentBy,
    arms_of,
    check_journeys,
    chosen_rows,
    goal_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools
    from cxjourney.journeys import Arms, Journeys, Pattern

Eligible = Literal["customer", "order"]


@attrs.frozen(kw_only=True, repr=False)
class Exposures(Result):
    """Who got an exposure and when, who accepted it, and what it brought as far as that is known.

    Attributes
    ----------
    coverage
        One row a segment, the whole first, which is called "all":

        | column | |
        |---|---|
        | `segment` | the segment |
        | `n`, `exposed` | customers or orders; those whose exposure in due time was seen |
        | `censored` | those not exposed so far, whose due time has not passed |
        | `coverage`, `low`, `high` | share that gets one in due time [fraction] |
        | `delay_days`, `delay_low`, `delay_high` | the time by which half of all have one [days] |

    acceptance
        One row a segment: `exposures`, `accepted` and `censored` as counts, then `acceptance`,
        `low` and `high`, the share that is accepted within the window [fraction].
    effect
        One row a segment and arm, the control first; empty unless `randomised` was given:

        | column | |
        |---|---|
        | `segment`, `arm` | the segment, and what its customers were assigned to |
        | `customers` | customers who were assigned to the arm, each once |
        | `exposed`, … | share of them that got an exposure in due time [fraction] |
        | `conversion`, `low`, `high` | share that reached the goal [fraction] |
        | `difference`, … | to the control, with its interval [fraction, -1 to 1] |
        | `p_value`, `q_value` | of no difference; the same, allowing for arms and segments |

    association
        One row a segment and group, those not yet exposed first; empty unless `landmark` was given.
        The columns are `segment`, `group`, `journeys`, and from `conversion` on those of `effect`.
        No difference of it is an effect.
    kind
        "effect" or "association", whichever of the two tables has rows; "none" where neither does.
    of
        "customer" or "order": what coverage and delay are counted of.
    sizes_p
        P-value of sizes of arms such as these if customers were dealt as planned; None where no
        plan was given.
    level, caveats
        Confidence level of the intervals; what a reader must know.
    """

    title: ClassVar[str] = "Exposures"

    coverage: Table
    acceptance: Table
    effect: Table
    association: Table
    kind: str
    of: str
    sizes_p: float | None
    level: float
    caveats: tuple[str, ...]

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw differences of conversion by arm or group; without any, the coverage by segment.

        Parameters
        ----------
        max_rows
            Only so many of the first rows are drawn; None draws all.
        title, ax
            The heading (None: what is drawn), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        table, figure, low, high = self.coverage, "coverage", "low", "high"
        names, n, heading = list(table["segment"]), "n", "Who got an exposure"
        said = f"Share of {self.of}s that got one in due time, with its interval."
        if self.kind != "none":
            by_arm = self.kind == "effect"
            whole, group = (self.effect, "arm") if by_arm else (self.association, "group")
            table = whole.take(np.flatnonzero(~np.isnan(whole["difference"])))
            figure, low, high = "difference", "difference_low", "difference_high"
            n = "customers" if by_arm else "journeys"
            names = plot.joined(table["segment"], table[group], by=": ")
            heading = "What exposures bring" if by_arm else "An association, not an effect"
            said = "Difference of conversion to those without, with its interval."
        shown = table.take(range(len(names))[:max_rows])
        return plot.forest(
            names[:max_rows],
            shown[figure],
            shown[low],
            shown[high],
            n=shown[n],
            reference=0.0 if self.kind != "none" else None,
            percent=True,
            label=f"{figure}, {100 * self.level:g}% interval",
            caption=said + plot.drawn_of(len(shown), len(names), "rows"),
            title=heading if title is None else title,
            ax=ax,
        )

    def _table(self) -> Table:
        return self.coverage

    def _lead(self) -> str:
        if self.kind == "effect":
            said = "; ".join(said_difference(self.effect, "arm", self.level))
            return f"Effect on conversion by assignment: {said or 'not known'}."
        if self.kind == "association":
            said = "; ".join(said_difference(self.association, "group", self.level))
            return (
                f"Association with conversion, not an effect: {said or 'not known'}. Who is "
                "exposed may have been likelier to convert anyway."
            )
        return (
            "Nothing is said of an effect: only arms that were dealt at random (randomised=) tell "
            "one."
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            *self.caveats,
            (
                f"Shares are those of Kaplan and Meier at the end of the window, with "
                f"{100 * self.level:g}% intervals ({CLUSTERED})."
            ),
        )

    def _further(self) -> tuple[tuple[str, Table], ...]:
        headings = {
            "acceptance": "Acceptance",
            "effect": "Effect by assignment",
            "association": "Association at the landmark, not an effect",
        }
        tables = ((heading, getattr(self, name)) for name, heading in headings.items())
        return tuple((heading, table) for heading, table in tables if len(table))


def exposures(
    journeys: Journeys,
    exposure: str | Iterable[str] | Pattern | NDArray[np.bool_],
    *,
    within: timedelta | str,
    accepted: str | Iterable[str] | Pattern | NDArray[np.bool_] | None = None,
    due: timedelta | str | None = None,
    of: Eligible = "customer",
    randomised: str | None = None,
    control: str | None = None,
    planned: Mapping[str, float] | None = None,
    landmark: timedelta | str | None = None,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Exposures:
    """Return how many got an offer, a message or a follow-up, who accepted, and what it brought.

    An exposure is an interaction that the company starts: an offer, a discount, a recommendation,
    a personalised message, a follow-up after a purchase.

    Parameters
    ----------
    journeys
        The journeys of all who are eligible; `journeys.where` leaves out the others.
    exposure
        Which interactions are exposures: touchpoints; attributes that say yes or no, of which yes
        is taken; a `cxjourney.Pattern`, of which every match is one at its point; or one truth
        value for each interaction of the journeys. A name that is both is the touchpoint.
    within
        How long after an exposure it may be accepted; after a landmark, how long a conversion may
        take. What needs longer does not count.
    accepted
        What accepts an exposure, given in the same ways; None for the goal. It accepts the last
        exposure of the customer before it, and none twice.
    due
        How long after the start, or after the order, an exposure counts; None for as long as
        `within`.
    of
        What coverage and delay are counted of: "customer", from the first interaction that was
        seen, which may be an exposure itself; or "order", from each goal until the next one.
    randomised
        The attribute that says which arm a customer was assigned to by chance. Only this tells an
        effect. Customers count in the arm they were assigned to, whatever they got (intention to
        treat), each once: from the first interaction with an arm that is no exposure, or from the
        first order, up to `due` and `within` together.
    control
        The arm that got no exposure; None takes the one that is called "control".
    planned
        The share of customers that each arm was to have. None: sizes are not looked at.
    landmark
        Compare, this long after the first interaction of each journey that is no exposure, those
        exposed by then with those not yet exposed. That is an association, and weaker than
        `randomised`.
    segment, level
        An attribute of customers or interactions, whose segments get rows of their own; of an
        effect it has to be known before customers are assigned. Confidence level, in (0, 1).

    Returns
    -------
    Exposures

    Raises
    ------
    TimesRequired
        If the journeys were made of aggregated paths.
    UnknownName
        If there is no such touchpoint, attribute or arm.
    InvalidValue
        If an argument breaks its rule, a goal is needed and there is none, or both `randomised` and
        `landmark` are given.

    Notes
    -----
    Who was not followed to the end of a window is censored there, and neither exposed nor refused:
    shares are one minus the Kaplan-Meier survival at its end. An order that another one follows
    before any exposure was not followed up. Variances are those over buckets of customers;
    intervals are Wilson's, those of differences Newcombe's (1998), those of delays log-log.
    q-values are Benjamini and Hochberg's, over all arms of the whole, and over all segments and
    arms at once.

    Who gets an offer differs from who does not, and who stays longer has longer to get one: the
    second is immortal time (Suissa 2008), which the landmark takes away (Anderson, Cain and Gelber
    1983): only journeys in progress at the landmark count, and what comes later does not change
    their group. The first it does not take away.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=400).journeys()
    >>> found = cx.experience.exposures(journeys, "newsletter", within="7d")
    >>> found.coverage["segment"], found.kind
    (('all',), 'none')
    """
    check_journeys(journeys)
    check_level(level)
    check_choice(of, "of", ("customer", "order"))
    window = check_duration(within, "within")
    due_time = optional_duration(due, "due") or window
    mark = optional_duration(landmark, "landmark")
    journeys.require_times("exposures")
    if randomised is not None and mark is not None:
        rule = "be left out where randomised= is given, which tells more"
        raise InvalidValue.of("landmark", rule, landmark)
    for name, value in (("control", control), ("planned", planned)):
        if value is not None and randomised is None:
            raise InvalidValue.of(name, "be left out without randomised=", value)
    for name, needed in (
        ("accepted", accepted is None),
        ("of", of == "order"),
        ("randomised", randomised is not None),
        ("landmark", mark is not None),
    ):
        _require_goal(journeys, name, needed=needed, of=of)
    shown = chosen_rows(journeys, exposure, "exposure")
    answers = goal_rows(journeys) if accepted is None else None
    if accepted is not None:
        answers = chosen_rows(journeys, accepted, "accepted")
    assert answers is not None  # noqa: S101 - one of both
    window_us, due_us = float(duration_us(window)), float(duration_us(due_time))
    divided, line = Divided.of(journeys, segment), Timeline.of(journeys)
    coverage, caveats = _coverage(line, divided, shown, due_us, of=of, level=level)
    acceptance = _acceptance(line, divided, shown, answers, window_us, level=level)
    if not len(journeys.columns):
        coverage, acceptance = coverage.take([]), acceptance.take([])
    nothing = Table({})
    sizes_p: float | None = None
    effect, association = nothing, nothing
    caveats += _said_windows(of, due_time, window, coverage, acceptance, accepted is None)
    if randomised is not None:
        arms = arms_of(journeys, randomised, control=control, argument="randomised")
        compared, before = by_arm(line, arms, shown, orders=of == "order")
        if planned is not None:
            sizes_p = arms.sizes_p(planned)
        effect = compared_table(
            journeys,
            compared,
            divided,
            window_us=due_us + window_us,
            due_us=due_us,
            group_name="arm",
            counted="customers",
            level=level,
        )
        caveats += _said_arms(arms, before, sizes_p, due_time + window, of)
    elif mark is not None:
        compared, left_out = by_landmark(line, shown, duration_us(mark))
        association = compared_table(
            journeys,
            compared,
            divided,
            window_us=window_us,
            due_us=due_us,
            group_name="group",
            counted="journeys",
            level=level,
        )
        caveats += _said_landmark(compared, left_out, mark, window)
    return Exposures(
        coverage=coverage,
        acceptance=acceptance,
        effect=effect,
        association=association,
        kind="effect" if randomised else "association" if mark else "none",
        of=of,
        sizes_p=sizes_p,
        level=level,
        caveats=tuple(caveats),
    )


def _require_goal(journeys: Journeys, name: str, *, needed: bool, of: str) -> None:
    """Raise where an argument needs a goal that the journeys do not have, or what follows it."""
    if not needed:
        return
    if not journeys.rules.goal and len(journeys.columns):
        rule = "have a goal to look for: give goal= where the journeys are made"
        if name == "accepted":
            rule = "say what accepts an exposure, since the journeys have no goal"
        raise InvalidValue(f"{name} must {rule}")
    if name == "of" and journeys.rules.after_goal == "discard":
        rule = 'be "customer", since after_goal="discard" has left out what follows an order'
        raise InvalidValue.of("of", rule, of)
    if journeys.rules.truncated:
        journeys.require_determined("exposures")


def _coverage(
    line: Timeline, divided: Divided, shown: Bools, due_us: float, *, of: str, level: float
) -> tuple[Table, list[str]]:
    """Return who got an exposure in due time, and when."""
    journeys, said = line.journeys, []
    exposures = line.places(shown)
    if of == "order":
        at = line.places(goal_rows(journeys))
        found = line.following(exposures, at)
        again = line.following(at, at)
        found = np.where(found < again, found, len(line.order))
    else:
        at = line.first_of_customers(np.ones(len(line.order), dtype=np.bool_))
        early = journeys.left_truncated[line.journey[at]]
        if early.any():
            n = counted(int(np.count_nonzero(early)), "customer")
            said.append(f"{n} may have started before the observation did and are left out.")
        at = at[~early]
        found = line.following(exposures, at, itself=True)
    items = line.items(at, line.after_us(found, at))
    columns: dict[str, Any] = share_table(
        journeys, items, divided, due_us, names=("n", "exposed", "coverage"), level=level
    )
    columns |= dict(
        zip(
            ("delay_days", "delay_low", "delay_high"),
            delays(journeys, items, divided, level),
            strict=True,
        )
    )
    percent: dict[str, str] = dict.fromkeys(("coverage", "low", "high"), "percent")
    return Table(columns, formats=percent, backend=journeys.log.backend), said


def _acceptance(
    line: Timeline,
    divided: Divided,
    shown: Bools,
    answers: Bools,
    window_us: float,
    *,
    level: float,
) -> Table:
    """Return how many exposures were accepted within the window."""
    journeys, at = line.journeys, line.places(shown)
    found = line.following(line.places(answers), at)
    again = line.following(at, at)
    found = np.where(found <= again, found, len(line.order))
    columns = share_table(
        journeys,
        line.items(at, line.after_us(found, at)),
        divided,
        window_us,
        names=("exposures", "accepted", "acceptance"),
        level=level,
    )
    percent: dict[str, str] = dict.fromkeys(("acceptance", "low", "high"), "percent")
    return Table(columns, formats=percent, backend=journeys.log.backend)


def _said_windows(  # noqa: PLR0917 - what the sentences are about, in their order
    of: str,
    due: timedelta,
    window: timedelta,
    coverage: Table,
    acceptance: Table,
    by_goal: bool,  # noqa: FBT001
) -> list[str]:
    what = "order" if of == "order" else "customer's start"
    answer = "the goal" if by_goal else "an acceptance"
    said = [
        (
            f"An exposure counts within {how_long(due)} of the {what}, and {answer} within "
            f"{how_long(window)} of the last exposure before it."
        )
    ]
    if len(coverage) and np.isnan(float(np.asarray(coverage["delay_days"])[0])):
        said.append("The delay is the time by which half of all have one: so many have not (yet).")
    for table, name in ((coverage, "coverage"), (acceptance, "acceptance")):
        n = np.asarray(table[table.column_names[1]])
        if np.any((n > 0) & np.isnan(np.asarray(table[name], dtype=np.float64))):
            said.append(f"No {name} is known where nobody was followed to the end of the window.")
    return said


def _said_arms(
    arms: Arms, before: int, sizes_p: float | None, span: timedelta, of: str
) -> list[str]:
    start = "first order" if of == "order" else "start"
    said = [
        (
            f"Conversion is the goal within {how_long(span)} of a customer's {start}; differences "
            f"are to {arms.names[0]!r}, by assignment, whoever got an exposure."
        )
    ]
    if arms.n_mixed:
        said.append(f"Customers in several arms, who are left out: {arms.n_mixed:,}.")
    if before:
        n = counted(before, "customer")
        said.append(
            f"{n} got an exposure before anything else was seen of them. Where an arm is in the "
            "log only because of its exposures, the arms are not alike: log the assignment of "
            "everybody as an interaction of its own."
        )
    if sizes_p is None:
        said.append("Sizes of the arms were not looked at: give planned= to do so.")
    elif sizes_p < UNLIKELY:
        said.append(
            f"The arms are not as large as planned (p < {UNLIKELY:g}): something sorts customers "
            "after they were dealt, and differences may come from that alone."
        )
    return said


def _said_landmark(
    compared: Compared, left_out: Mapping[str, int], mark: timedelta, window: timedelta
) -> list[str]:
    said = [
        (
            f"{counted(len(compared.group), 'journey')} in progress {how_long(mark)} after the "
            "start: those exposed by then against those not yet exposed; conversion is the goal "
            "within "
            f"{how_long(window)} of the landmark."
        ),
        "An association is no effect: whoever got an exposure may differ in other ways.",
    ]
    reasons = {
        "over": "were over by then",
        "young": "were not followed for so long",
        "only": "had nothing but exposures",
        "unknown": "may have begun before the observation did",
    }
    left = [f"{left_out[name]:,} {why}" for name, why in reasons.items() if left_out[name]]
    if left:
        said.append(f"Journeys left out: {', '.join(left)}.")
    return said
