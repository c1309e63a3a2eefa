"""Importance of drivers against how well they are done, in four fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice
from cxjourney.critical._drivers import Drivers, check_drivers
from cxjourney.exceptions import InvalidData

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FIELDS = ("low priority", "possible overkill", "concentrate here", "keep up the good work")


@attrs.frozen(kw_only=True, repr=False)
class ImportancePerformance(Result):
    """Importance against performance, what to concentrate on first.

    Attributes
    ----------
    table
        One row a driver, what to concentrate on first; see `importance_performance` for the
        columns.
    importance_cut, performance_cut
        Where the fields meet.
    cut
        "mean" or "median".
    """

    title: ClassVar[str] = "Importance and performance"

    table: Table
    importance_cut: float
    performance_cut: float
    cut: str

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw importance against performance; what to concentrate on stands at the upper left.

        Parameters
        ----------
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        return plot.quadrants(
            [str(name) for name in self.table["driver"]],
            self.table["importance"],
            self.table["performance"],
            cuts=(self.importance_cut, self.performance_cut),
            caption="Concentrate on what stands at the upper left: it weighs much and does badly. "
            f"The dashed lines are the {self.cut}s.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"Importance is cut at its {self.cut}, {self.importance_cut:.2%}.",
            f"Performance is cut at its {self.cut}, {self.performance_cut:.3g}.",
            "Some drivers are always above the cut: the fields compare, they do not judge.",
        )


def importance_performance(
    found: Drivers, *, cut: Literal["mean", "median"] = "mean"
) -> ImportancePerformance:
    """Return which drivers matter and are done badly.

    Parameters
    ----------
    found
        The drivers, their scores on one scale.
    cut
        Where the fields meet: at the "mean" or the "median" of both.

    Returns
    -------
    ImportancePerformance
        One row a driver, what to concentrate on first. Columns:

        - `driver`: its name;
        - `importance`: derived from the data, its weight [fraction];
        - `performance`: its mean;
        - `field`: "concentrate here", "keep up the good work", "possible overkill" or "low
          priority";
        - `sure`: whether the interval of the importance lies on one side of the cut.

    Raises
    ------
    InvalidData
        If fewer than two drivers have answers.
    InvalidValue
        If `cut` is unknown.

    Notes
    -----
    Martilla and James (1977), with the importance derived from the data instead of asked for. Near
    the cut a field is a coin's toss: see `sure`.

    Examples
    --------
    >>> import numpy as np
    >>> from cxjourney.critical import drivers, importance_performance
    >>> rng = np.random.default_rng(1)
    >>> price, staff = rng.normal(5, 1, size=400), rng.normal(8, 1, size=400)
    >>> scores = {"price": price, "staff": staff}
    >>> found = drivers(scores, price + rng.normal(size=400))
    >>> importance_performance(found).table["field"]
    ('concentrate here', 'possible overkill')
    """
    check_drivers(found)
    check_choice(cut, "cut", ("mean", "median"))
    known = found.table.take(np.flatnonzero(np.asarray(found.table["n"]) > 0))
    if len(known) < 2:
        raise InvalidData("importance_performance() needs at least two drivers with answers")
    weight, mean = (np.asarray(known[name], dtype=np.float64) for name in ("weight", "mean"))
    middle = np.mean if cut == "mean" else np.median
    heavy, good = float(middle(weight)), float(middle(mean))
    place = 2 * (weight > heavy) + (mean > good)
    low, high = (np.asarray(known[name], dtype=np.float64) for name in ("low", "high"))
    table = Table(
        {
            "driver": known["driver"],
            "importance": weight,
            "performance": mean,
            "field": tuple(_FIELDS[i] for i in place.tolist()),
            "sure": (low > heavy) | (high < heavy),
        },
        formats={"importance": "percent"},
    )
    first = np.array([2, 3, 0, 1])[place]  # what to concentrate on stands first
    return ImportancePerformance(
        table=table.take(np.lexsort((-weight, first))),
        importance_cut=heavy,
        performance_cut=good,
        cut=cut,
    )
