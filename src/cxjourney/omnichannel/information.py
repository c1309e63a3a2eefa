"""How spread contacts are over channels, and how much one channel says about the next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level, check_rng
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._clustered import mean_estimate
from cxjourney.omnichannel._contacts import By, Contacts, Moves, contacts_of, moves_of, order_notes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.log import Journeys

__all__ = ["Entropy", "MutualInformation", "entropy", "mutual_information"]


@attrs.frozen(kw_only=True, repr=False)
class Entropy(Result):
    """How spread contacts are over channels.

    Attributes
    ----------
    by
        What contacts are spread over.
    contacts
        Entropy of the channel of a contact [bits], corrected for bias.
    transitions
        Entropy of the next channel given the present one [bits], corrected for bias.
    within_journeys
        Expected entropy of two contacts of one journey [bits]: the chance that they differ.
    normalised
        `contacts` over its largest possible value, in [0, 1]; NaN with one channel.
    n_channels
        Number of channels in use.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Entropy"

    by: By
    contacts: Estimate
    transitions: Estimate
    within_journeys: Estimate
    normalised: float
    n_channels: int
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        return _rows(self.contacts, self.transitions, self.within_journeys)

    def _notes(self) -> tuple[str, ...]:
        return (
            f"{self.n_channels} in use; Miller-Madow correction",
            f"{100 * self.level:g}% intervals, clustered by customer",
            *self.notes,
        )


@attrs.frozen(kw_only=True, repr=False)
class MutualInformation(Result):
    """How much a channel says about the next one.

    Attributes
    ----------
    by
        What moves are between.
    information
        Mutual information of consecutive channels [bits], corrected for bias.
    raw
        The plug-in value [bits].
    shuffled
        Mean plug-in value when the contacts of each journey are put in random order [bits]: what
        journeys that keep to their channels bring about without any order.
    p
        Probability that a random order within journeys reaches `raw`, in (0, 1].
    n_permutations
        Number of random orders.
    normalised
        `raw` over the geometric mean of both entropies, in [0, 1].
    theil_u
        `raw` over the entropy of the next channel: the share of it that the present one removes.
    level
        Confidence level of the interval.
    notes
        What a reader must know.
    """

    title = "Mutual information of consecutive contacts"

    by: By
    information: Estimate
    raw: float
    shuffled: float
    p: float
    n_permutations: int
    normalised: float
    theil_u: float
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        return Table(
            {
                "measure": [
                    "mutual information [bits]",
                    "plug-in [bits]",
                    "plug-in, order shuffled [bits]",
                    "p of the order",
                    "normalised",
                    "Theil's U",
                ],
                "value": [
                    self.information.value,
                    self.raw,
                    self.shuffled,
                    self.p,
                    self.normalised,
                    self.theil_u,
                ],
                "low": [self.information.low, *([math.nan] * 5)],
                "high": [self.information.high, *([math.nan] * 5)],
            }
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"{self.information.n:,} moves; {self.n_permutations:,} random orders within journeys",
            f"{100 * self.level:g}% interval, clustered by customer; near 0 it is p that decides",
            *self.notes,
        )


def entropy(
    journeys: Journeys, *, by: By = "channel", closing: bool = True, level: float = 0.95
) -> Entropy:
    """Return how spread contacts are: over all channels, after each other, within a journey.

    Parameters
    ----------
    journeys
        The journeys; aggregated paths count with their weights.
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    closing
        Whether the goal or exit that ends a journey counts as a contact in its channel.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Entropy
        0 bits with one channel; NaN without contacts.

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    H = -Σ p log₂ p + (K - 1) / (2 n ln 2) over the K channels that occur (Miller 1955), and
    -Σ p(a) p(b|a) log₂ p(b|a), corrected in each row. The entropy of a whole journey grows with its
    length, so it is rarefied to two contacts: long and short journeys compare. The correction takes
    contacts as independent, which within a customer they are not: it is a lower bound of the bias.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> journeys = Journeys.from_paths(
    ...     [["web", "app"], ["web", "web"]], converted=[500, 500], channels=True
    ... )
    >>> found = entropy(journeys)
    >>> round(found.contacts.value, 3), round(found.within_journeys.value, 3)
    (0.812, 0.5)
    """
    check_level(level)
    contacts = contacts_of(journeys, by, closing=closing)
    moves = moves_of(journeys, contacts)
    noun = "kind of channel" if by == "kind" else by
    k = len(contacts.names)
    p = _frequencies(contacts.node, contacts.weight, k)
    bound = math.log2(k) if k else math.nan
    found = _estimate(
        -np.log2(p, where=p > 0, out=np.zeros(k))[contacts.node],
        contacts.customer,
        contacts.weight,
        correction=k - 1,
        bound=bound,
        level=level,
        name=f"{noun} of a contact",
        definition="-Σ p log₂ p",
    )
    pairs, pair = np.unique(moves.source * max(1, k) + moves.target, return_inverse=True)
    joint = _frequencies(pair, moves.weight, len(pairs))
    source = pairs // max(1, k)
    row = np.bincount(source, joint, minlength=k)
    following = _estimate(
        -np.log2(joint / row[source])[pair],
        moves.customer,
        moves.weight,
        correction=len(pairs) - len(np.unique(source)),
        bound=bound,
        level=level,
        name=f"next {noun}, given the present one",
        definition="-Σ p(a) p(b|a) log₂ p(b|a)",
    )
    return Entropy(
        by=by,
        contacts=found,
        transitions=following,
        within_journeys=_rarefied(contacts, noun, level),
        normalised=found.value / bound if k > 1 else math.nan,
        n_channels=k,
        level=level,
        notes=order_notes(journeys, contacts, moves, by),
    )


def mutual_information(
    journeys: Journeys,
    *,
    by: By = "channel",
    closing: bool = True,
    n_permutations: int = 999,
    rng: np.random.Generator | int | None = None,
    level: float = 0.95,
) -> MutualInformation:
    """Return how much the present channel says about the next, and whether order matters at all.

    Parameters
    ----------
    journeys
        The journeys; aggregated paths count with their weights.
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    closing
        Whether the goal or exit that ends a journey counts as a contact in its channel.
    n_permutations
        Number of random orders of the contacts within journeys.
    rng
        Generator or seed; the same one gives the same p-value.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    MutualInformation
        NaN where no journey has two channels: that each case keeps its channel says much about the
        next contact and nothing about moves.

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    I = Σ p(a,b) log₂(p(a,b) / p(a) p(b)) - (R - 1)(C - 1) / (2 n ln 2). Comparing 2 n ln 2 · I with
    a χ² distribution takes moves as independent and finds order where there is none; shuffling the
    contacts of each journey keeps what customers bring along and destroys the order alone.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> paths = [["web", "web"], ["web", "app"], ["app", "web"], ["app", "app"]]
    >>> journeys = Journeys.from_paths(paths, converted=[30, 10, 5, 55], channels=True)
    >>> found = mutual_information(journeys, rng=1)
    >>> round(found.raw, 5), round(found.information.value, 5)
    (0.36127, 0.35405)
    """
    check_level(level)
    if isinstance(n_permutations, bool) or n_permutations < 1:
        raise InvalidValue.of("n_permutations", "be at least 1", n_permutations)
    generator = check_rng(rng)
    contacts = contacts_of(journeys, by, closing=closing)
    moves = moves_of(journeys, contacts)
    notes = order_notes(journeys, contacts, moves, by)
    noun = "kind of channel" if by == "kind" else by
    if not moves.switched.any():
        return MutualInformation(
            by=by,
            information=Estimate(
                value=math.nan, level=level, n=moves.total, unit="bits", notes=("no switch",)
            ),
            raw=math.nan,
            shuffled=math.nan,
            p=math.nan,
            n_permutations=0,
            normalised=math.nan,
            theil_u=math.nan,
            level=level,
            notes=notes,
        )
    k = len(contacts.names)
    counts = _square(moves.source, moves.target, moves.weight, k)
    raw = _information(counts)
    before, after = counts.sum(axis=1), counts.sum(axis=0)
    joint = counts / counts.sum()
    gain = np.log2(
        joint * counts.sum() ** 2 / np.outer(before, after).clip(1),
        where=counts > 0,
        out=np.zeros_like(joint),
    )
    by_chance = _shuffled(contacts, moves, counts, generator, n_permutations)
    reached = np.count_nonzero(by_chance >= raw - 1e-12)
    h_before, h_after = _bits(before), _bits(after)
    return MutualInformation(
        by=by,
        information=_estimate(
            gain[moves.source, moves.target],
            moves.customer,
            moves.weight,
            correction=-int((np.count_nonzero(before) - 1) * (np.count_nonzero(after) - 1)),
            bound=math.inf,
            level=level,
            name="mutual information",
            definition=f"of the {noun} of a contact and of the next",
        ),
        raw=raw,
        shuffled=float(by_chance.mean()),
        p=(1 + int(reached)) / (1 + n_permutations),
        n_permutations=n_permutations,
        normalised=raw / math.sqrt(h_before * h_after) if h_before * h_after > 0 else math.nan,
        theil_u=raw / h_after if h_after > 0 else math.nan,
        level=level,
        notes=notes,
    )


def _rows(*estimates: Estimate) -> Table:
    return Table(
        {
            "measure": [e.name for e in estimates],
            "bits": [e.value for e in estimates],
            "low": [e.low for e in estimates],
            "high": [e.high for e in estimates],
            "n": [e.n for e in estimates],
        }
    )


def _frequencies(
    code: NDArray[np.int64], weight: NDArray[np.int64] | None, size: int
) -> NDArray[np.float64]:
    counts = np.bincount(code, weight, minlength=size).astype(np.float64)
    return counts / counts.sum() if counts.sum() else counts


def _estimate(
    surprise: NDArray[np.float64],
    customer: NDArray[np.int64],
    weight: NDArray[np.int64] | None,
    *,
    correction: int,
    bound: float,
    level: float,
    name: str,
    definition: str,
) -> Estimate:
    """Return a mean of surprises, corrected for bias, its interval by linearisation."""
    mean = mean_estimate(
        surprise, customer, weight, level=level, name=name, definition=definition, unit="bits"
    )
    if not mean.n:
        return mean
    shift = correction / (2 * mean.n * math.log(2))
    floor = 0.0 if math.isfinite(bound) else -math.inf

    def within(value: float) -> float:
        return value if math.isnan(value) else min(bound, max(floor, value))

    return attrs.evolve(
        mean,
        value=within(mean.value + shift),
        low=within(mean.low + shift),
        high=within(mean.high + shift),
        method="linearised, clustered by customer",
    )


def _rarefied(contacts: Contacts, noun: str, level: float) -> Estimate:
    """Return the chance that two contacts of a journey differ, averaged over journeys."""
    begins = contacts.first
    k = max(1, len(contacts.names))
    place = np.cumsum(begins) - 1
    size = np.bincount(place)
    cells, count = np.unique(place * k + contacts.node, return_counts=True)
    same = np.bincount(cells // k, count * (count - 1.0), minlength=len(size))
    some = size > 1
    alike = same[some] / (size[some] * (size[some] - 1.0))
    return mean_estimate(
        1 - alike,
        contacts.customer[begins][some],
        None if contacts.weight is None else contacts.weight[begins][some],
        level=level,
        name="two contacts of a journey",
        definition=f"chance that two contacts of a journey differ in {noun}",
        unit="bits",
        n_missing=int(np.count_nonzero(~some)),
    )


def _square(
    source: NDArray[np.int64], target: NDArray[np.int64], weight: NDArray[np.int64] | None, k: int
) -> NDArray[np.float64]:
    counts = np.bincount(source * k + target, weight, minlength=k * k)
    return counts.reshape(k, k).astype(np.float64)


def _bits(counts: NDArray[np.float64]) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p @ np.log2(p)))


def _information(counts: NDArray[np.float64]) -> float:
    return max(0.0, _bits(counts.sum(axis=1)) + _bits(counts.sum(axis=0)) - _bits(counts.ravel()))


def _shuffled(
    contacts: Contacts,
    moves: Moves,
    counts: NDArray[np.float64],
    rng: np.random.Generator,
    n_permutations: int,
) -> NDArray[np.float64]:
    """Return the plug-in information of random orders within journeys.

    Only journeys of two channels can be ordered otherwise; the moves of the others stay as they
    are. A path of weight w is w journeys, each in an order of its own.
    """
    k = len(contacts.names)
    mixed = np.zeros(int(contacts.journey[-1]) + 1, dtype=np.bool_)
    mixed[moves.journey[moves.switched]] = True
    some = mixed[contacts.journey]
    moved = mixed[moves.journey]
    weight = None if moves.weight is None else moves.weight[moved]
    fixed = counts - _square(moves.source[moved], moves.target[moved], weight, k)

    place = np.cumsum(some) - 1
    begin = place[moves.begin[moved]]
    node = contacts.node[some]
    journey = contacts.journey[some]
    if contacts.weight is not None:
        copies = contacts.weight[some]
        first = np.flatnonzero(np.append(True, journey[1:] != journey[:-1]))
        length = np.diff(np.append(first, len(node)))
        start = np.repeat(first, copies[first])
        size = np.repeat(length, copies[first])
        offset = np.cumsum(size) - size
        rows = np.repeat(start - offset, size) + np.arange(size.sum())
        # a path keeps all its moves: each contact but the last of a copy begins one
        last = np.zeros(len(rows), dtype=np.bool_)
        last[offset + size - 1] = True
        begin = np.flatnonzero(~last)
        node, journey = node[rows], np.repeat(np.arange(len(size)), size)
    else:
        journey = np.cumsum(np.append(False, journey[1:] != journey[:-1]))
    found = np.empty(n_permutations)
    for i in range(n_permutations):
        mixed_up = node[np.argsort(journey + rng.random(len(node)))]
        found[i] = _information(fixed + _square(mixed_up[begin], mixed_up[begin + 1], None, k))
    return found
