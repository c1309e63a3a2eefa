"""Journeys as sequences of codes, and the distinct ones among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney.journeys._visits import coded_visits, grain_codes, visit_rows
from cxjourney.kernels import group_sequences, ranges

if TYPE_CHECKING:
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By


@attrs.frozen(kw_only=True)
class Slices:
    """Sequences of codes where they stand, whatever lies between them.

    Attributes
    ----------
    names
        Name of each code.
    codes
        All codes.
    begin, stop
        Sequence i is codes[begin[i]:stop[i]]; it may be empty.
    """

    names: tuple[str, ...]
    codes: NDArray[np.signedinteger]
    begin: NDArray[np.int64]
    stop: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of codes of each sequence."""
        return self.stop - self.begin

    def path(self, i: int) -> tuple[str, ...]:
        """Return sequence `i` as names."""
        codes = self.codes[self.begin[i] : self.stop[i]]
        return tuple(self.names[code] for code in codes.tolist())

    def distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which sequences are the same.

        Returns
        -------
        group
            Number of the distinct sequence that each one is, in order of first appearance.
        first
            The first sequence of each group.
        """
        return group_sequences(self.codes, self.begin, self.stop)


@attrs.frozen(kw_only=True)
class Sequences:
    """Sequences of codes, one after the other.

    Attributes
    ----------
    names
        Name of each code.
    codes
        All codes, sequence by sequence.
    offsets
        Sequence i is codes[offsets[i]:offsets[i + 1]]; it may be empty.
    rows
        Place of each code in the columns of the journeys.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of codes of each sequence."""
        return np.diff(self.offsets)

    @property
    def slices(self) -> Slices:
        """The same sequences as slices of `codes`."""
        begin, stop = self.offsets[:-1], self.offsets[1:]
        return Slices(names=self.names, codes=self.codes, begin=begin, stop=stop)

    def collapsed(self) -> Sequences:
        """Return the sequences with repeats that follow each other as one."""
        keep = np.append(True, self.codes[1:] != self.codes[:-1])[: len(self.codes)]
        keep[self.offsets[:-1][self.lengths > 0]] = True
        kept = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
        return attrs.evolve(
            self, codes=self.codes[keep], offsets=kept[self.offsets], rows=self.rows[keep]
        )

    def take(self, which: NDArray[np.int64]) -> Sequences:
        """Return some of the sequences."""
        lengths = self.lengths[which]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        place = ranges(self.offsets[which], lengths)
        return attrs.evolve(self, codes=self.codes[place], offsets=offsets, rows=self.rows[place])


def sequences_of(journeys: Journeys, by: By = "touchpoint") -> Sequences:
    """Return the visits of each journey; the goal or exit that ends it is none."""
    coded = coded_visits(journeys, grain_codes(journeys.columns, by))
    offsets = np.concatenate([[0], np.cumsum(journeys.lengths)]).astype(np.int64)
    return Sequences(
        names=coded.names,
        codes=coded.codes.astype(np.int64),
        offsets=offsets,
        rows=visit_rows(journeys),
    )


def slices_of(journeys: Journeys, by: By = "touchpoint") -> Slices:
    """Return the visits of each journey where they stand in its columns; none is copied."""
    coded = grain_codes(journeys.columns, by)
    stop = journeys.offsets[1:]
    if journeys.absorbed.any():
        stop = stop - journeys.absorbed
    return Slices(names=coded.names, codes=coded.codes, begin=journeys.offsets[:-1], stop=stop)
