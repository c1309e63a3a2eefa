"""Sums of metrics over shards and days, exact because only counts are kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, cast, runtime_checkable

import attrs

from cxjourney._stats.estimate import Estimate
from cxjourney._stats.intervals import agresti_coull, clopper_pearson, garwood, jeffreys, wilson
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._surveys.nps import NetPromoterScore, NpsInterval
from cxjourney.metrics._surveys.scores import AnswerShare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxjourney.metrics._rates import Interval

_PROPORTIONS: dict[str, Interval] = {
    "Wilson": "wilson",
    "Agresti-Coull": "agresti_coull",
    "Clopper-Pearson": "clopper_pearson",
    "Jeffreys": "jeffreys",
}
_INTERVALS = {
    "Wilson": wilson,
    "Agresti-Coull": agresti_coull,
    "Clopper-Pearson": clopper_pearson,
    "Jeffreys": jeffreys,
    "Garwood": garwood,
}
_SCORES: dict[str, NpsInterval] = {"adjusted Wald": "adjusted_wald", "Wald": "wald"}


@runtime_checkable
class Mergeable(Protocol):
    """A result that adds up by itself, such as `CohortRetention`."""

    def merge(self, other: Any) -> Any:
        """Return the result of both; Any, since each merges with its own kind."""
        ...


E = TypeVar("E", bound=Estimate | Mergeable)


def pool(parts: Iterable[E]) -> E:
    """Return the metric of all parts together, from the counts on their cards.

    Parameters
    ----------
    parts
        Estimates of one metric with the same choices, over units that do not overlap (shards, days,
        regions), or results that `merge`, such as retention matrices of shards of customers.

    Returns
    -------
    Estimate, or the result that merges
        What the metric would be on all data at once, to the last digit.

    Raises
    ------
    InvalidValue
        If there are no parts, they differ in definition or choices, or their numbers are not
        functions of counts: weighted, clustered or bootstrapped estimates, means, quantiles.

    Notes
    -----
    It replaces averages of percentages and quantiles of quantiles. A share of *customers* needs
    each customer in one part.

    Examples
    --------
    >>> from cxjourney.metrics import nps
    >>> pool([nps([10, 9, 3]), nps([9, 7])]).value == nps([10, 9, 3, 9, 7]).value
    True
    """
    if not isinstance(parts, Iterable):
        raise InvalidValue.of("parts", "be a list of estimates", parts)
    cards = list(parts)
    if not cards:
        raise InvalidValue.of("parts", "hold at least one estimate", cards)
    return cast("E", _pooled(cards))


def _pooled(cards: Sequence[Any]) -> Estimate | Mergeable:
    first = cards[0]
    if isinstance(first, Mergeable):
        whole: Mergeable = reduce(lambda sum_, part: sum_.merge(part), cards)
        return whole
    for part in cards:
        if not isinstance(part, Estimate):
            raise InvalidValue.of("parts", "hold estimates only", part)
        _check_alike(first, part)
    if isinstance(first, NetPromoterScore):
        return first.pooled(cards, level=first.level, interval=_SCORES[first.method])
    if isinstance(first, AnswerShare):
        return first.pooled(cards, level=first.level, interval=_PROPORTIONS[first.method])
    return _pool_counts(cards)


def _check_alike(first: Estimate, part: Estimate) -> None:
    for field in ("name", "definition", "unit", "method", "level", "time_zone"):
        ours, theirs = getattr(first, field), getattr(part, field)
        if type(part) is not type(first) or ours != theirs:
            raise InvalidValue.of("parts", f"have one {field}", (ours, theirs))
    if dict(first.parameters) != dict(part.parameters):
        choices = dict(first.parameters), dict(part.parameters)
        raise InvalidValue.of("parts", "rest on the same choices", choices)
    if part.method not in {*_PROPORTIONS, *_SCORES, "Garwood"} or part.parameters.get("weighted"):
        raise InvalidValue.of(
            "parts", "be functions of counts (not weighted, clustered, resampled)", part.method
        )
    if part.numerator is None or part.denominator is None:
        raise InvalidValue.of("parts", "have a numerator and a denominator", part.name)


def _pool_counts(cards: Sequence[Estimate]) -> Estimate:
    first = cards[0]
    exclusions: Counter[str] = Counter()
    for part in cards:
        exclusions.update(part.exclusions)
    count = sum(part.numerator or 0 for part in cards)
    total = sum(part.denominator or 0 for part in cards)
    low, high = _INTERVALS[first.method](count, total, level=first.level)
    notes = dict.fromkeys(note for part in cards for note in part.notes if note != "empty")
    return attrs.evolve(
        first,
        value=count / total if total else math.nan,
        low=low,
        high=high,
        n=sum(part.n for part in cards),
        n_missing=sum(part.n_missing for part in cards),
        n_censored=sum(part.n_censored for part in cards),
        notes=(*notes,) if total else ("empty", *notes),
        numerator=count,
        denominator=total,
        exclusions=exclusions,
    )


class Tally(Generic[E]):
    """A metric that is fed in pieces: it keeps counts, and adds up exactly.

    Parameters
    ----------
    metric
        A metric whose number is a function of counts: `nps`, `csat`, `ces`, `conversion_rate`,
        `first_contact_resolution` …
    **options
        Its options, the same for every piece, such as `interval="garwood"` of `contact_rate`. Any
        is their type.

    Notes
    -----
    It never holds the data. Keep a day's `result().to_dict()` and `pool` the days later; or keep
    tallies and `merge` them. Merging is associative and commutative, and an empty tally changes
    nothing.

    Examples
    --------
    >>> from cxjourney.metrics import nps
    >>> monday, tuesday = Tally(nps).update([10, 9, 3]), Tally(nps).update([9, 7])
    >>> monday.merge(tuesday).result().value
    40.0
    """

    __slots__ = ("_metric", "_options", "_total")

    def __init__(self, metric: Callable[..., E], **options: Any) -> None:
        self._metric = metric
        self._options = options
        self._total: E | None = None

    def update(self, *columns: Any, **options: Any) -> Self:
        """Add a piece of data, given as the metric takes it; returns itself.

        Raises
        ------
        InvalidValue
            If the piece's number is not a function of counts, or its choices differ.
        """
        part = self._metric(*columns, **self._options, **options)
        self._total = pool([part] if self._total is None else [self._total, part])
        return self

    def merge(self, other: Tally[E]) -> Self:
        """Add what another tally of the same metric has counted; returns itself.

        Raises
        ------
        InvalidValue
            If the other tally is of another metric or rests on other choices.
        """
        if not isinstance(other, Tally) or other._metric is not self._metric:
            raise InvalidValue.of("other", f"be a tally of {self._name}", other)
        if other._total is not None:
            parts = [other._total] if self._total is None else [self._total, other._total]
            self._total = pool(parts)
        return self

    def result(self) -> E | Estimate:
        """Return the metric of everything counted so far; NaN, "empty", before the first piece."""
        if self._total is None:
            return Estimate(value=math.nan, notes=("empty",), name=self._name)
        return self._total

    @property
    def _name(self) -> str:
        return getattr(self._metric, "__name__", repr(self._metric))

    def __repr__(self) -> str:
        return f"Tally({self._name}: {self.result()!r})"
