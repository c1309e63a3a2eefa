"""Links between ids: which id stands for which customer, since when and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.frozen import read_only
from cxjourney._support.words import counted
from cxjourney.log._columns import Coded
from cxjourney.log._frames import backend_of, framed
from cxjourney.log._owners import ALWAYS, FOREVER, owners_of


@attrs.frozen(kw_only=True, repr=False, eq=False)
class IdentityLinks:
    """Which ids stand for which known id, since when and until when; made by `links`.

    Ids are in none of its texts; `to_frame` and `conflicts` hand them over where asked to.

    Attributes
    ----------
    ids
        All ids that the links name, sorted.
    anonymous, known
        Position in `ids` of the id that is resolved and of the one that it stands for, one a link.
    since, until
        The span [since, until) of each link, in microseconds since the epoch, UTC; the least and
        the greatest int64 where it is open.
    recorded
        When each link became known, in the same unit; the least int64 where nobody said it.
    source
        Where each link comes from; missing where nobody said it.
    counts
        What was found on the way in, and how often, in words.
    key_id
        Id of the `PseudonymKey` whose pseudonyms the ids are; None where they are as they came.
    backend
        The data-frame library of the input.
    """

    ids: Sequence[str]
    anonymous: NDArray[np.int64] = attrs.field(converter=read_only)
    known: NDArray[np.int64] = attrs.field(converter=read_only)
    since: NDArray[np.int64] = attrs.field(converter=read_only)
    until: NDArray[np.int64] = attrs.field(converter=read_only)
    recorded: NDArray[np.int64] = attrs.field(converter=read_only)
    source: Coded
    counts: Mapping[str, int]
    key_id: str | None = None
    backend: str | None = None

    def __len__(self) -> int:
        return len(self.anonymous)

    def __repr__(self) -> str:
        ids, known = (len(np.unique(codes)) for codes in (self.anonymous, self.known))
        text = f"IdentityLinks: {counted(len(self), 'link')} of {counted(ids, 'id')} to "
        text += counted(known, "known id")
        torn = len(np.unique(self._conflicts()[0]))
        if torn:
            text += f"; {counted(torn, 'id has', 'ids have')} two known ids at one time"
        return text

    def take(self, rows: NDArray[Any]) -> IdentityLinks:
        """Return these links, by their numbers or by whether each stays; the counts stay."""
        names = ("anonymous", "known", "since", "until", "recorded")
        return attrs.evolve(
            self,
            source=self.source.take(rows),
            **{name: getattr(self, name)[rows] for name in names},
        )

    def to_frame(self, backend: str | None = None) -> Any:
        """Return the links as a data frame with one row a link, its ids and aware times (UTC).

        The columns are `anonymous`, `known`, `since`, `until`, `recorded` and `source`, empty where
        open or not known. The type depends on what is installed, hence Any.

        Parameters
        ----------
        backend
            "pandas", "polars" or "pyarrow"; None takes the input's, else pandas or polars.

        Raises
        ------
        MissingDependency
            If no data-frame library is installed.
        """
        spans = {name: getattr(self, name) for name in ("since", "until", "recorded")}
        return self._frame(self.anonymous, self.known, spans, backend, self.source.values())

    def conflicts(self, backend: str | None = None) -> Any:
        """Return the links that contradict another, with the span in which they do.

        An id that has two known ids at one time is resolved to neither then. The columns are
        `anonymous`, `known`, `since` and `until`: from the first to the last moment at which this
        link stands against another one. The type depends on what is installed, hence Any.

        Parameters
        ----------
        backend
            As in `to_frame`.

        Raises
        ------
        MissingDependency
            If no data-frame library is installed.
        """
        anonymous, known, since, until = self._conflicts()
        return self._frame(anonymous, known, {"since": since, "until": until}, backend)

    def _conflicts(self) -> tuple[NDArray[np.int64], ...]:
        owners = owners_of(len(self.ids), self.anonymous, self.known, self.since, self.until)
        return owners.conflicts()

    def _frame(
        self,
        anonymous: NDArray[np.int64],
        known: NDArray[np.int64],
        spans: Mapping[str, NDArray[np.int64]],
        backend: str | None,
        source: list[Any] | None = None,
    ) -> Any:
        data: dict[str, Any] = {
            "anonymous": [self.ids[i] for i in anonymous.tolist()],
            "known": [self.ids[i] for i in known.tolist()],
        }
        for name, us in spans.items():
            nothing = (us == ALWAYS) | (us == FOREVER)
            data[name] = np.where(nothing, ALWAYS, us).view("M8[us]")  # the least one is NaT
        if source is not None:
            data["source"] = source
        return framed(data, backend_of(backend or self.backend), spans)
