"""Metrics that add up: shards and days give the whole, exactly, because only counts are kept."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics.estimate import Estimate
from cxjourney.metrics.promoters import NetPromoterScore
from cxjourney.metrics.rates import event_rate, proportion
from cxjourney.metrics.survey import AnswerShare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Tally", "pool"]

_PROPORTIONS = {
    "Wilson": "wilson",
    "Agresti-Coull": "agresti_coull",
    "Clopper-Pearson": "clopper_pearson",
    "Jeffreys": "jeffreys",
}
_SCORES = {"adjusted Wald": "adjusted_wald", "Wald": "wald"}

E = TypeVar("E", bound=Estimate)


def pool(parts: Iterable[E]) -> E:
    """Return the metric of all parts together, from the counts on their cards.

    Parameters
    ----------
    parts
        Estimates of one metric with one definition and the same choices, over units that do not
        overlap: shards, days, regions.

    Returns
    -------
    Estimate
        What the metric would be on all data at once, to the last digit.

    Raises
    ------
    InvalidValue
        If there are no parts, they differ in definition or choices, or their numbers are not
        functions of counts: weighted, clustered or bootstrapped estimates, means, quantiles.

    Notes
    -----
    A customer whose units are spread over parts does no harm to a share of units, but a share of
    *customers* needs each customer in one part. Averages of percentages and quantiles of quantiles
    are what this replaces.

    Examples
    --------
    >>> from cxjourney.metrics import nps
    >>> pool([nps([10, 9, 3]), nps([9, 7])]).value == nps([10, 9, 3, 9, 7]).value
    True
    """
    cards = list(parts)
    if not cards:
        raise InvalidValue.of("parts", "hold at least one estimate", cards)
    first = cards[0]
    for part in cards:
        _check_alike(first, part)
    if isinstance(first, NetPromoterScore):
        return first.pooled(cards, level=first.level, interval=_SCORES[first.method])  # type: ignore[return-value, arg-type]
    if isinstance(first, AnswerShare):
        return first.pooled(cards, level=first.level, interval=_PROPORTIONS[first.method])  # type: ignore[return-value, arg-type]
    return _pool_counts(cards)  # type: ignore[return-value]


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
    notes = tuple(dict.fromkeys(n for part in cards for n in part.notes if n != "empty"))
    card: dict[str, Any] = {
        "name": first.name,
        "definition": first.definition,
        "parameters": first.parameters,
        "exclusions": exclusions,
        "n_missing": sum(part.n_missing for part in cards),
        "notes": notes,
        "level": first.level,
    }
    count = sum(part.numerator or 0 for part in cards)
    total = sum(part.denominator or 0 for part in cards)
    if first.method == "Garwood":
        return event_rate(count, total, unit=first.unit, **card)
    return proportion(
        count,
        total,
        interval=_PROPORTIONS[first.method],  # type: ignore[arg-type]  # the keys are checked
        n_censored=sum(part.n_censored for part in cards),
        **card,
    )


class Tally(Generic[E]):
    """A metric that is fed in pieces: it keeps counts, and adds up exactly.

    Parameters
    ----------
    metric
        A metric whose number is a function of counts: `nps`, `csat`, `ces`, `conversion_rate`,
        `first_contact_resolution`, `contact_rate` …
    **options
        Its options, the same for every piece. Any is their type.

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
