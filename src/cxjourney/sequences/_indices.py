"""Turbulence, complexity and entropy of sequences of names.

Each takes one sequence, or journeys and then returns one number a journey.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral
from typing import TYPE_CHECKING, TypedDict, Unpack, overload

import attrs
import numpy as np

from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.validation import check_names
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import Journeys, Sequences, check_journeys, sequences_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cxjourney.journeys import By


class AlphabetOptions(TypedDict, total=False):
    """What measures of the frequencies of names take; see `entropy`."""

    alphabet: int | Collection[str] | None
    by: By


@overload
def turbulence(
    of: Sequence[str], *, durations: Sequence[float] | None = None, by: By = "touchpoint"
) -> float: ...
@overload
def turbulence(of: Journeys, *, durations: None = None, by: By = "touchpoint") -> Floats: ...
def turbulence(
    of: Sequence[str] | Journeys,
    *,
    durations: Sequence[float] | None = None,
    by: By = "touchpoint",
) -> float | Floats:
    """Return the turbulence of a sequence, or of each journey.

    It is high where many different orders can be read from the sequence, and where its spells are
    of like length.

    Parameters
    ----------
    of
        Names in order, or journeys.
    durations
        How long each element of a sequence lasts, at least 1 [any unit]; None counts every element
        as one unit, so that repeats that follow each other are a longer spell.
    by
        What a name is, for journeys.

    Returns
    -------
    float, or array of float64
        At least 1 [bits], no upper bound; NaN where there is no element.

    Raises
    ------
    InvalidValue
        If durations are of another length or below 1, or given with journeys.
    UnknownName
        If the log has no such column.

    Notes
    -----
    log₂(φ (s²max + 1) / (s² + 1)) (Elzinga and Liefbroer 2007): φ counts the distinct subsequences
    of the spells, the empty one included; s² is the population variance of their lengths and
    s²max = (d - 1)(1 - t̄)² that of d spells of mean length t̄ if all but one had length 1. For
    the order alone, log₂ φ, give equal durations of 1 and a sequence without repeats. It grows
    with length: compare journeys of like length.

    Examples
    --------
    >>> round(turbulence(["a", "b", "c"], durations=[1, 1, 2]), 6)
    3.0
    >>> round(turbulence("a b c a b c".split()), 6)  # log2 of 52 subsequences
    5.70044
    """
    spells, expand = _spells(of, durations, by)
    order = _subsequences_log2(spells)
    count = spells.sequences.lengths
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = spells.total / count
        spread = spells.per_sequence((spells.duration - mean[spells.owner]) ** 2) / count
    greatest = (count - 1) * (1 - mean) ** 2
    found = order + np.log2((greatest + 1) / (spread + 1))
    return expand(np.where(count > 0, found, np.nan))


@overload
def complexity(
    of: Sequence[str],
    *,
    durations: Sequence[float] | None = None,
    **options: Unpack[AlphabetOptions],
) -> float: ...
@overload
def complexity(
    of: Journeys, *, durations: None = None, **options: Unpack[AlphabetOptions]
) -> Floats: ...
def complexity(
    of: Sequence[str] | Journeys,
    *,
    durations: Sequence[float] | None = None,
    alphabet: int | Collection[str] | None = None,
    by: By = "touchpoint",
) -> float | Floats:
    """Return the complexity of a sequence, or of each journey.

    It is high where the name changes often and all names are about as frequent.

    Parameters
    ----------
    of, durations, by
        As for `turbulence`.
    alphabet
        The possible names, or how many there are; None takes those that occur in the sequence, or
        anywhere in the journeys. Fix it where values are compared: they depend on it.

    Returns
    -------
    float, or array of float64
        In [0, 1]; NaN where there is no element.

    Raises
    ------
    InvalidValue
        If durations are of another length or below 1, or given with journeys, or `alphabet` is
        too small.
    UnknownName
        If a name is not in the alphabet, or the log has no such column.

    Notes
    -----
    √(q/(ℓ - 1) · h/ln |A|) (Gabadinho et al. 2011) with q changes of name, length ℓ, entropy h
    and alphabet A; 0 for ℓ = 1.

    Examples
    --------
    >>> round(complexity(list("aabbcc")), 4)
    0.6325
    >>> complexity(list("aaaa"), alphabet=3)
    0.0
    """
    spells, expand = _spells(of, durations, by)
    size = _alphabet_size(alphabet, spells)
    count = spells.sequences.lengths
    with np.errstate(divide="ignore", invalid="ignore"):
        changes = np.where(spells.total > 1, (count - 1) / (spells.total - 1), 0.0)
    found = np.sqrt(changes * _relative_entropy(spells, size))
    return expand(np.where(count > 0, found, np.nan))


@overload
def entropy(
    of: Sequence[str],
    *,
    durations: Sequence[float] | None = None,
    **options: Unpack[AlphabetOptions],
) -> float: ...
@overload
def entropy(
    of: Journeys, *, durations: None = None, **options: Unpack[AlphabetOptions]
) -> Floats: ...
def entropy(
    of: Sequence[str] | Journeys,
    *,
    durations: Sequence[float] | None = None,
    alphabet: int | Collection[str] | None = None,
    by: By = "touchpoint",
) -> float | Floats:
    """Return the entropy of the names within a sequence, or within each journey.

    It is high where all names are about as frequent, in whatever order.

    Parameters
    ----------
    of, durations, alphabet, by
        As for `complexity`.

    Returns
    -------
    float, or array of float64
        In [0, 1], where 1 means all names of the alphabet equally often; NaN where there is no
        element.

    Raises
    ------
    InvalidValue
        If durations are of another length or below 1, or given with journeys, or `alphabet` is
        too small.
    UnknownName
        If a name is not in the alphabet, or the log has no such column.

    Notes
    -----
    -Σ p ln p / ln |A| with p the share of each name in the duration of the sequence, and alphabet
    A; 0 where A has one name. Times ln |A| it is in nats.

    Examples
    --------
    >>> round(entropy(list("aabc"), alphabet=3), 6)
    0.946395
    """
    spells, expand = _spells(of, durations, by)
    size = _alphabet_size(alphabet, spells)
    found = _relative_entropy(spells, size)
    return expand(np.where(spells.sequences.lengths > 0, found, np.nan))


@attrs.frozen(kw_only=True)
class _Spells:
    """Sequences in which no name follows itself, and how long each spell lasts."""

    sequences: Sequences
    duration: Floats

    @property
    def owner(self) -> Ints:
        """Sequence of each spell."""
        return np.repeat(np.arange(len(self.sequences)), self.sequences.lengths)

    @property
    def total(self) -> Floats:
        """Duration of each sequence."""
        return self.per_sequence(self.duration)

    def per_sequence(self, values: Floats) -> Floats:
        """Return the sum of values over the spells of each sequence."""
        return np.bincount(self.owner, values, minlength=len(self.sequences)).astype(np.float64)


class _Expand:
    """From values of distinct sequences to what the caller gets: one number, or one a journey."""

    def __init__(self, group: Ints | None) -> None:
        self.group = group

    def __call__(self, values: Floats) -> float | Floats:
        return float(values[0]) if self.group is None else values[self.group]


def _spells(
    of: Sequence[str] | Journeys, durations: Sequence[float] | None, by: By
) -> tuple[_Spells, _Expand]:
    if isinstance(of, Journeys):
        if durations is not None:
            raise InvalidValue.of("durations", "be left out with journeys", durations)
        sequences = sequences_of(of, by)
        group, first = sequences.slices.distinct()  # many journeys share a path
        sequences = sequences.take(first)
        return _merged(sequences, np.ones(len(sequences.codes))), _Expand(group)
    if isinstance(of, str):
        raise InvalidValue.of("of", "be a sequence of names or journeys, not one string", of)
    if hasattr(of, "columns"):  # a log or a data frame, whose elements are no names
        check_journeys(of, "of")
    try:
        names = tuple(dict.fromkeys(of))
    except TypeError:
        raise InvalidValue.of("of", "be a sequence of names or journeys", of) from None
    place = {name: code for code, name in enumerate(names)}
    codes = np.array([place[name] for name in of], dtype=np.int64)
    sequences = Sequences(
        names=names, codes=codes, offsets=np.array([0, len(codes)]), rows=np.arange(len(codes))
    )
    lasting = np.ones(len(codes)) if durations is None else _numbers(durations)
    if lasting.shape != codes.shape:
        given = len(lasting) if lasting.ndim else durations
        raise InvalidValue.of("durations", f"hold {len(codes)} numbers", given)
    if not np.all((lasting >= 1) & np.isfinite(lasting)):
        bad = int(np.flatnonzero(~((lasting >= 1) & np.isfinite(lasting)))[0])
        raise InvalidValue.of(f"durations[{bad}]", "be a number, at least 1", lasting[bad].item())
    return _merged(sequences, lasting), _Expand(None)


def _numbers(durations: Sequence[float]) -> Floats:
    try:
        return np.asarray(durations, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidValue.of("durations", "be numbers", durations) from None


def _merged(sequences: Sequences, lasting: Floats) -> _Spells:
    merged = sequences.collapsed()
    begin = np.searchsorted(sequences.rows, merged.rows)  # both ascend
    total = np.add.reduceat(lasting, begin) if len(begin) else lasting
    return _Spells(sequences=merged, duration=total)


def _alphabet_size(alphabet: int | Collection[str] | None, spells: _Spells) -> int:
    names = spells.sequences.names
    if alphabet is None:
        return len(names)
    if isinstance(alphabet, Integral) and not isinstance(alphabet, bool):
        if alphabet < len(names):
            raise InvalidValue.of("alphabet", f"be at least the {len(names)} names", alphabet)
        return int(alphabet)
    if isinstance(alphabet, (str, bool)) or not isinstance(alphabet, Iterable):
        raise InvalidValue.of("alphabet", "be a number or several names", alphabet)
    known = check_names(alphabet, "alphabet")
    for name in names:
        if name not in known:
            raise UnknownName.among("name", name, known, where="the alphabet")
    return len(known)


def _relative_entropy(spells: _Spells, size: int) -> Floats:
    if size < 2:
        return np.zeros(len(spells.sequences))
    n_names = len(spells.sequences.names)
    key, place = np.unique(spells.owner * n_names + spells.sequences.codes, return_inverse=True)
    owner = key // n_names if len(key) else key
    share = np.bincount(place, spells.duration, minlength=len(key)) / spells.total[owner]
    total = np.bincount(owner, -share * np.log(share), minlength=len(spells.sequences))
    return np.maximum(total, 0.0) / math.log(size)


def _subsequences_log2(spells: _Spells) -> Floats:
    """Return log₂ φ of each sequence: its distinct subsequences, the empty one included.

    φᵢ = 2 φᵢ₋₁ - φ before the last occurrence of element i, in logarithms since φ is up to 2^d.
    One step a position for all sequences together, the longest first.
    """
    sequences = spells.sequences
    lengths = sequences.lengths
    previous = _previous_occurrence(spells)
    by_length = np.argsort(-lengths, kind="stable")
    start = sequences.offsets[:-1][by_length]
    descending = -lengths[by_length]
    before = np.zeros(len(sequences.codes))
    current = np.zeros(len(lengths))
    for position in range(int(lengths.max(initial=0))):
        active = int(np.searchsorted(descending, -position, side="left"))
        row = start[:active] + position
        now = current[:active]
        before[row] = now
        seen = previous[row]
        ratio = np.where(seen >= 0, np.exp2(before[seen] - now), 0.0)
        current[:active] = now + np.log2(2 - ratio)
    found = np.empty(len(lengths))
    found[by_length] = current
    return found


def _previous_occurrence(spells: _Spells) -> Ints:
    """Return the place at which the same name stood before in its sequence; -1 for none."""
    codes = spells.sequences.codes
    key = spells.owner * max(1, len(spells.sequences.names)) + codes
    order = np.argsort(key, kind="stable")
    previous = np.full(len(codes), -1, dtype=np.int64)
    same = key[order][1:] == key[order][:-1]
    previous[order[1:][same]] = order[:-1][same]
    return previous
