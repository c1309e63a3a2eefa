"""Arms of an experiment beside the control, after a look at how customers were dealt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import BucketFigures, difference_of_means, difference_of_shares
from cxjourney._stats.estimates import CLUSTERED
from cxjourney._stats.multiplicity import budget_of
from cxjourney._stats.ratios import ratio_figures
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney._trend import rows_of
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import UNLIKELY, arms_of, check_journeys, units_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from cxjourney.journeys import Journeys
    from cxjourney.metrics import Metric


@attrs.frozen(kw_only=True, repr=False)
class Experiment(Result):
    """A figure in each arm of an experiment, and its difference from the control.

    Attributes
    ----------
    table
        One row an arm, the control first; see `evaluate` for the columns.
    figure, unit
        Name of the figure, and what one of it is: "fraction" for a share.
    control
        The arm that the others are compared with.
    sizes_p
        P-value of sizes of arms such as these if customers were dealt as planned.
    n_mixed
        Customers who were in several arms, and are left out.
    level, caveats
        Confidence level of the intervals; what a reader must know.
    """

    title: ClassVar[str] = "Arms of the experiment"

    table: Table
    figure: str
    unit: str
    control: str
    sizes_p: float
    n_mixed: int
    level: float
    caveats: tuple[str, ...]

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the differences from the control with their intervals.

        Parameters
        ----------
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        others = self.table.take(range(1, len(self.table)))
        percent = self.unit == "fraction"
        return plot.forest(
            [str(arm) for arm in others["arm"]],
            *(np.asarray(others[x]) for x in ("difference", "difference_low", "difference_high")),
            n=others["customers"],
            reference=0.0,
            percent=percent,
            label=f"{self.figure.replace('_', ' ')} minus that of {self.control}, "
            f"{100 * self.level:g}% interval",
            caption="An interval that does not meet the dashed line tells the arm from the "
            "control; n is the number of customers.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        interval = f"{100 * self.level:g}% intervals ({CLUSTERED})"
        return (
            *self.caveats,
            f"Differences are those of each arm minus {self.control!r}, with {interval}.",
            "The q-value allows for several arms (Benjamini and Hochberg).",
        )


def evaluate(
    journeys: Journeys,
    arm: str,
    figure: str | Metric = "conversion_rate",
    *,
    control: str | None = None,
    planned: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> Experiment:
    """Compare the arms of an experiment whose customers were assigned at random.

    Parameters
    ----------
    journeys
        The journeys of all arms.
    arm
        The attribute that says in which arm a customer was. Who has no value took no part; who has
        several is left out and counted.
    figure
        What is compared: a headline figure as of `cxjourney.trend`, such as "conversion_rate",
        "exit_rate:payment" or "visits_per_journey", or a `cxjourney.metrics.Metric` with
        `per_journey`.
    control
        The arm that the others are compared with; None takes the one that is called "control".
    planned
        The share of customers that each arm was to have; None for equal shares.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Experiment
        Where the arms are not as large as planned, its caveats say so first.

        | column | |
        |---|---|
        | `arm`, `customers` | the arm, and its customers |
        | `n` | journeys or visits that the figure is taken of |
        | `value`, `low`, `high` | the figure, with its interval |
        | `difference`, `difference_low`, `difference_high` | from the control, with its interval |
        | `p_value`, `q_value` | of no difference; the same, allowing for several arms |

    Raises
    ------
    UnknownName
        If there is no such attribute, figure or arm.
    InvalidValue
        If an argument breaks its rule, there are fewer than two arms, or none is called "control"
        and `control` is not given.
    TimesRequired
        If the log was made of aggregated paths.

    Notes
    -----
    A journey counts once it has been followed long enough for its value to be final, whatever
    became of it: within the time in which nine of ten conversions come, or the inactivity limit.
    Younger ones of all arms are left out. Variances are those over buckets of customers, so that
    several journeys of a customer are no problem. Differences of shares have Newcombe's (1998)
    interval, others Student's.

    The sizes of the arms are held against `planned` by Pearson's chi-square (sample ratio
    mismatch; Fabijan and others 2019). A small p-value (below .001) means that something sorts
    customers after they were dealt, such as a page that robots do not load: mend that first, for
    no interval allows for it.

    Examples
    --------
    >>> import cxjourney as cx
    >>> log = cx.datasets.sample(seed=1, customers=400).log
    >>> dealt = {one: ["control", "new page"][i % 2] for i, one in enumerate(log.customer_ids)}
    >>> journeys = log.with_attribute("arm", dealt).journeys(goal="order", inactivity="14d")
    >>> found = cx.experiments.evaluate(journeys, "arm")
    >>> found.table["arm"], bool(found.table["p_value"][1] > 0.05)
    (('control', 'new page'), True)
    """
    check_journeys(journeys)
    check_level(level)
    arms = arms_of(journeys, arm, control=control)
    rows = rows_of(journeys, figure)
    names, group = arms.names, arms.group
    followed = rows.time_us + rows.horizon_us <= _until_us(journeys)
    followed |= rows.horizon_us == 0
    n_young = int(np.count_nonzero(~followed & (group[rows.journey] >= 0)))
    final = rows.take(followed)
    if final.counted:
        rule = "be a share or a mean: numbers a day are no figure of a customer"
        raise InvalidValue.of("figure", rule, figure)
    row_group = group[final.journey]
    found = ratio_figures(
        final.value,
        None,
        group=row_group,
        n_groups=len(names),
        units=units_of(journeys),
        item=final.journey,
    )
    share = rows.share
    low, high = found.wilson(level) if share else found.student(level)
    differ = difference_of_shares if share else difference_of_means
    apart = [differ(_one(found, i), _one(found, 0), level=level) for i in range(1, len(names))]
    d_low, d_high, p = (
        np.array([math.nan, *(float(one[k]) for one in apart)]) for k in range(3)
    )  # fmt: skip
    sizes_p = arms.sizes_p(planned)
    columns: dict[str, Any] = {
        "arm": names,
        "customers": arms.customers,
        "n": np.bincount(row_group[row_group >= 0], minlength=len(names)),
        "value": found.whole,
        "low": low,
        "high": high,
        "difference": np.append(math.nan, found.whole[1:] - found.whole[0]),
        "difference_low": d_low,
        "difference_high": d_high,
        "p_value": p,
        "q_value": np.append(math.nan, budget_of(p[1:]).adjusted),
    }
    percent = ("value", "low", "high", "difference", "difference_low", "difference_high")
    return Experiment(
        table=Table(columns, formats=dict.fromkeys(percent, "percent") if share else {}),
        figure=figure if isinstance(figure, str) else figure.name,
        unit=rows.unit,
        control=names[0],
        sizes_p=sizes_p,
        n_mixed=arms.n_mixed,
        level=level,
        caveats=_caveats(sizes_p, arms.n_mixed, n_young),
    )


def _until_us(journeys: Journeys) -> int:
    until = journeys.log.observed_until_us
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - the figure has asked for times
    return int(time.max(initial=0)) if until is None else int(until)


def _one(figures: BucketFigures, i: int) -> BucketFigures:
    return BucketFigures(
        whole=figures.whole[i], without=figures.without[:, i], units=figures.units[:, i]
    )


def _caveats(sizes_p: float, n_mixed: int, n_young: int) -> tuple[str, ...]:
    said = []
    if sizes_p < UNLIKELY:
        said.append(
            f"The arms are not as large as planned (p < {UNLIKELY:g}): something sorts customers "
            "after they were dealt, and differences may come from that alone."
        )
    if n_mixed:
        said.append(f"{n_mixed:,} customers were in several arms and are left out.")
    if n_young:
        said.append(f"{n_young:,} journeys or visits are too young to count.")
    return tuple(said)
