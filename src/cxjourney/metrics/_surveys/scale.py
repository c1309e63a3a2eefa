"""Scales of survey questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import attrs
import numpy as np

from cxjourney._support.arrays import check_alone, counts_of, weights_of
from cxjourney.exceptions import InvalidValue, OutOfScale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from cxjourney._support.arrays import Values

_CHUNK = 1 << 15
_SHOWN = 5


@attrs.frozen
class Scale:
    """The answers that a question allows.

    `Scale.FIVE_POINT` (1-5), `Scale.SEVEN_POINT` (1-7), `Scale.TEN_POINT` (1-10) and
    `Scale.ZERO_TO_TEN` (0-10) are the usual ones.

    Parameters
    ----------
    low, high
        Lowest and highest answer.
    integer, higher_is_better
        Whether only whole answers exist; whether the high end is the good one.
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

    FIVE_POINT: ClassVar[Scale]
    SEVEN_POINT: ClassVar[Scale]
    TEN_POINT: ClassVar[Scale]
    ZERO_TO_TEN: ClassVar[Scale]

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
        """The answers of an integer scale, from low to high; InvalidValue if it is continuous."""
        if not self.integer:
            raise InvalidValue.of("scale", "be an integer scale to list its answers", str(self))
        return tuple(range(int(self.low), int(self.high) + 1))

    def check(self, scores: NDArray[Any], name: str = "scores") -> int:
        """Return how many answers there are, all on the scale; NaN is missing and passes.

        Raises
        ------
        OutOfScale
            If an answer is off the scale; carries the positions, counted from 0.
        """
        return sum(present for _, present in self.pieces(scores, name))

    def pieces(
        self, scores: NDArray[Any], name: str = "scores"
    ) -> Iterator[tuple[NDArray[Any], int]]:
        """Yield the scores in checked pieces, and how many answers each has, as `check` does.

        A piece stays in the processor's cache: who counts it at once reads memory only once.
        """
        for start in range(0, len(scores), _CHUNK):
            piece = scores[start : start + _CHUNK]
            present = self._held(piece)
            if present is None:
                raise self._off(scores, name)
            yield piece, present

    def _off(self, scores: NDArray[Any], name: str) -> OutOfScale:
        present = ~np.isnan(scores)
        bad = present & ~((scores >= self.low) & (scores <= self.high))
        if self.integer:
            bad |= present & (scores != np.rint(scores))
        positions = tuple(np.flatnonzero(bad).tolist())
        shown = ", ".join(f"{scores[i]:g} at {i}" for i in positions[:_SHOWN])
        more = f" and {len(positions) - _SHOWN:,} more" if len(positions) > _SHOWN else ""
        kind = "whole numbers" if self.integer else "numbers"
        return OutOfScale(
            f"{name} must be {kind} on the scale {self}; got {shown}{more}", positions=positions
        )

    def _held(self, chunk: NDArray[Any]) -> int | None:
        """Return how many answers are present, or None if one is off the scale."""
        if chunk.dtype.kind == "i" and self.low == 0:
            # read as unsigned, a negative number is huge: one pass tells both ends
            unsigned = chunk.view(chunk.dtype.str.replace("i", "u"))
            return len(chunk) if unsigned.max() <= self.high else None
        if chunk.dtype.kind != "f":
            good = chunk.min() >= self.low and chunk.max() <= self.high
            return len(chunk) if good else None
        # fmin and fmax pass over NaN, and return it only where all is missing: False then
        if np.fmin.reduce(chunk) < self.low or np.fmax.reduce(chunk) > self.high:
            return None
        whole = int(np.count_nonzero(np.rint(chunk) == chunk)) if self.integer else 0
        if whole == len(chunk):
            return whole
        present = len(chunk) - int(np.count_nonzero(np.isnan(chunk)))
        return present if whole == present or not self.integer else None

    def good_end(self, boxes: int) -> tuple[float, float]:
        """Return the lowest and highest of the `boxes` best answers; InvalidValue if too many."""
        answers = self.answers
        if not isinstance(boxes, int) or not 1 <= boxes < len(answers):
            raise InvalidValue.of("boxes", f"lie between 1 and {len(answers) - 1}", boxes)
        best = answers[-boxes:] if self.higher_is_better else answers[:boxes]
        return best[0], best[-1]


Parts = TypeVar("Parts", bound="Sequence[float] | NDArray[Any]")


def tallied(
    array: NDArray[Any],
    scale: Scale,
    counts: Values | None,
    weights: Values | None,
    customer: Values | None,
    *,
    count: Callable[[NDArray[Any]], Parts],
    add: Callable[[NDArray[Any], NDArray[Any]], Parts],
) -> tuple[Parts, dict[str, Any]]:
    """Return how often answers occur, or what they add up to, and the numbers of answers.

    These are `n_missing` and, of weighted answers, `n` and Kish's effective number.
    """
    check_alone(counts, weights=weights, customer=customer)
    if counts is None and weights is None:
        parts = count(array)
        return parts, {"n_missing": len(array) - int(sum(parts))}
    n = scale.check(array)
    if counts is not None:
        size = counts_of(counts, len(array))
        return add(array, size), {"n_missing": int(size[np.isnan(array)].sum())}
    w = weights_of(weights, len(array))
    present = w[~np.isnan(array)]
    square = float(present @ present)
    n_effective = float(present.sum()) ** 2 / square if square else 0.0
    return add(array, w), {"n_missing": len(array) - n, "n": n, "n_effective": n_effective}


def check_scale(scale: Scale) -> Scale:
    """Return `scale` if it is one."""
    if not isinstance(scale, Scale):
        raise InvalidValue.of("scale", "be a Scale, such as Scale(1, 5)", scale)
    return scale


Scale.FIVE_POINT = Scale(1, 5)
Scale.SEVEN_POINT = Scale(1, 7)
Scale.TEN_POINT = Scale(1, 10)
Scale.ZERO_TO_TEN = Scale(0, 10)
