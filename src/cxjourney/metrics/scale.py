"""The scale of a survey question: what may be answered, and which end is good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney.exceptions import InvalidValue, OutOfScale

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FIVE_POINT", "SEVEN_POINT", "TEN_POINT", "ZERO_TO_TEN", "Scale"]

_CHUNK = 1 << 16
_SHOWN = 5


@attrs.frozen
class Scale:
    """What may be answered to a question.

    Parameters
    ----------
    low, high
        Lowest and highest answer.
    integer
        Whether only whole answers exist; False for a slider.
    higher_is_better
        Whether the high end is the good one.
    labels
        Wording of each answer from low to high; none, or one each.

    Raises
    ------
    InvalidValue
        If `high` is not above `low`, an end of an integer scale is not whole, or there is not one
        label for each answer.

    Examples
    --------
    >>> Scale(1, 5).answers
    (1, 2, 3, 4, 5)
    """

    low: float
    high: float
    integer: bool = attrs.field(default=True, kw_only=True)
    higher_is_better: bool = attrs.field(default=True, kw_only=True)
    labels: tuple[str, ...] = attrs.field(default=(), converter=tuple, kw_only=True)

    def __attrs_post_init__(self) -> None:
        ends = (self.low, self.high)
        if any(isinstance(e, bool) or not np.isfinite(e) for e in ends) or self.high <= self.low:
            raise InvalidValue.of("scale", "run from a finite low to a higher, finite high", ends)
        if self.integer and any(e != int(e) for e in ends):
            raise InvalidValue.of("scale", "have whole ends if integer=True", ends)
        if self.labels and len(self.labels) != len(self.answers):
            raise InvalidValue.of("labels", f"be {len(self.answers)} wordings", self.labels)

    def __str__(self) -> str:
        return f"{self.low:g}-{self.high:g}"

    @property
    def answers(self) -> tuple[int, ...]:
        """The answers of an integer scale, from low to high.

        Raises
        ------
        InvalidValue
            If the scale is continuous.
        """
        if not self.integer:
            raise InvalidValue.of("scale", "be an integer scale to list its answers", str(self))
        return tuple(range(int(self.low), int(self.high) + 1))

    def check(self, scores: NDArray[Any], name: str = "scores") -> None:
        """Refuse answers that do not lie on the scale; NaN is missing and passes.

        Raises
        ------
        OutOfScale
            If an answer is off the scale; carries the positions, counted from 0.
        """
        # in pieces that stay in the processor's cache: the check of ten million costs milliseconds
        good = all(
            self._holds(scores[start : start + _CHUNK]) for start in range(0, len(scores), _CHUNK)
        )
        if good:
            return
        present = ~np.isnan(scores)
        bad = present & ~((scores >= self.low) & (scores <= self.high))
        if self.integer:
            bad |= present & (scores != np.rint(scores))
        positions = tuple(np.flatnonzero(bad).tolist())
        shown = ", ".join(f"{scores[i]:g} at {i}" for i in positions[:_SHOWN])
        more = f" and {len(positions) - _SHOWN:,} more" if len(positions) > _SHOWN else ""
        kind = "whole numbers" if self.integer else "numbers"
        raise OutOfScale(
            f"{name} must be {kind} on the scale {self}; got {shown}{more}", positions=positions
        )

    def _holds(self, chunk: NDArray[Any]) -> bool:
        if chunk.dtype.kind != "f":
            return bool(chunk.min() >= self.low and chunk.max() <= self.high)
        # NaN compares as False, so that a missing answer is neither off the scale nor whole
        off = np.count_nonzero(chunk < self.low) + np.count_nonzero(chunk > self.high)
        if off or not self.integer:
            return not off
        whole = np.count_nonzero(np.rint(chunk) == chunk)
        return bool(whole == len(chunk) or whole + np.count_nonzero(np.isnan(chunk)) == len(chunk))

    def good_end(self, boxes: int) -> tuple[float, float]:
        """Return the lowest and highest of the `boxes` best answers.

        Raises
        ------
        InvalidValue
            If there are not so many answers.
        """
        answers = self.answers
        if not 1 <= boxes < len(answers):
            raise InvalidValue.of("boxes", f"lie between 1 and {len(answers) - 1}", boxes)
        best = answers[-boxes:] if self.higher_is_better else answers[:boxes]
        return best[0], best[-1]


FIVE_POINT = Scale(1, 5)
SEVEN_POINT = Scale(1, 7)
TEN_POINT = Scale(1, 10)
ZERO_TO_TEN = Scale(0, 10)
