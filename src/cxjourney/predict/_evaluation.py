"""`Evaluation`: how predictions fared on what came after a date, beside simple ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.result import Result
from cxjourney._support.table import Table, format_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney.journeys import Journeys


@runtime_checkable
class Recommender(Protocol):
    """Whatever says what comes next: `cxjourney.predict.evaluate` takes it beside a predictor."""

    def next_touch(self, prefixes: Journeys, /) -> Any:
        """Return what may come next of each prefix.

        Parameters
        ----------
        prefixes
            Journeys in progress, each at its last interaction.

        Returns
        -------
        Table or dict of str to array
            One column a touchpoint, and one row a prefix: probabilities, or scores from 0 that are
            divided by their sum. `cxjourney.CONVERSION` and `cxjourney.DROPOFF` are the ends.
        """
        ...


@attrs.frozen(kw_only=True, repr=False)
class Evaluation(Result):
    """How predictions fared on what came after a date.

    Attributes
    ----------
    scores
        One row a question, measure and model, the predictor first:

        | column | |
        |---|---|
        | `question` | "next touch", "conversion", "wait" or "remaining" |
        | `measure` | log loss [nats], Brier score, AUC, hit@1, hit@3, calibration slope, or mean \
absolute error [s] |
        | `model` | "predictor", or the simple prediction beside it |
        | `value`, `low`, `high` | of the measure |
        | `n` | visits of which the answer is known |
        | `difference`, … | of the predictor to this model; below 0 it is better, and above 0 of \
AUC and hits |
    calibration
        Classes of the predicted probability of conversion: `predicted`, `observed`, `low`, `high`
        [fraction] and `n`. Empty without a goal.
    by_length, by_period
        The same by the number of visits so far, and by time since the date: `log_loss` of the next
        touch with its interval, `order_1` of the chain, `predicted` and `observed` conversion, and
        their `gap` with its interval, which moves away from 0 where the world drifts.
    at
        The date, or the moment in UTC: what was known before it was learned from.
    n_journeys, n_visits
        Journeys that were learned from, and visits since then that were asked for.
    horizon_s
        Within what time conversions were asked for [s]; None for ever.
    level
        Confidence level of the intervals.
    """

    title: ClassVar[str] = "How predictions fared"

    scores: Table
    calibration: Table
    by_length: Table
    by_period: Table
    at: str
    n_journeys: int
    n_visits: int
    horizon_s: float | None
    level: float

    def _table(self) -> Table:
        return self.scores

    def _further(self) -> tuple[tuple[str, Table], ...]:
        tables = (
            ("By number of visits so far", self.by_length),
            ("By time since the date", self.by_period),
            ("Conversion as predicted and as observed", self.calibration),
        )
        return tuple((heading, table) for heading, table in tables if len(table))

    def _notes(self) -> tuple[str, ...]:
        learned = (
            f"Learned from what was known of {self.n_journeys:,} journeys at {self.at}, and asked "
            f"at {self.n_visits:,} visits since. Each visit is asked for when it was made."
        )
        censored = "Answers that are not known yet are censored: others weigh more instead."
        return (learned, censored, *self._drift())

    def _drift(self) -> tuple[str, ...]:
        """Return the note on periods in which the predicted conversion was off."""
        if "gap" not in self.by_period.column_names or not len(self.by_period):
            return ()
        low, high = (np.asarray(self.by_period[f"gap_{end}"]) for end in ("low", "high"))
        off = np.flatnonzero((low > 0) | (high < 0))
        if not len(off):
            return ()
        row = self.by_period.row(int(off[-1]))
        predicted, observed = (
            format_value(row[name], "percent") for name in ("predicted", "observed")
        )
        note = (
            f"In the period from {row['from']} on {predicted} were predicted to convert, and "
            f"{observed} did: fit anew."
        )
        return (note,)

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the calibration: what was observed, with its band, beside what was predicted.

        Parameters
        ----------
        title, ax
            Heading, and where to draw (None: a new figure).

        Returns
        -------
        matplotlib.axes.Axes
        """
        table = self.calibration
        predicted = np.asarray(table["predicted"], dtype=np.float64) if len(table) else np.zeros(0)
        return plot.emotion_curve(
            [format_value(one, "percent") for one in predicted],
            *(
                np.asarray(table[name]) if len(table) else []
                for name in ("observed", "low", "high")
            ),
            expected=predicted,
            neutral=None,
            label="observed to convert [fraction]",
            dashed="predicted",
            across="predicted to convert, mean of each class",
            caption="A predictor is calibrated where what happened lies on what was predicted.",
            title="Calibration" if title is None else title,
            ax=ax,
        )
