"""Journeys as they may leave the house: no cell of them is about fewer than five customers.

What is about fewer is made part of "other" before anything is computed, so that everything that is
printed of these journeys is a function of what is left, and holds nothing of what was folded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.frozen import seal
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._outcomes import CONVERTED, DROPPED, IN_PROGRESS
from cxjourney.journeys._visits import GRAINS, visit_rows
from cxjourney.log import Coded, Columns, Intake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys._journeys import Journeys

FEWEST = 5
"""Customers of which a number may be shared."""

_NAMED = ("touchpoint", "channel")  # what is folded has a name of its own there, and none elsewhere


def shareable(journeys: Journeys) -> Journeys:
    """Return the journeys with all that is about fewer than five customers made part of "other".

    A visit keeps its touchpoint, channel, stage and owner where at least five customers made the
    same step, came again as often, and ended there in the same way. A journey is left out where it
    alone, with those of at most three further customers, did without what all others have. Scores
    and the like are left out where fewer than five customers gave or did not give them. Attributes,
    accounts, issues and labels are left out.

    Raises
    ------
    InvalidValue
        If the journeys are aggregated paths, which have no customers, or fewer than five customers
        converted, dropped or are there at all.
    """
    if journeys.weight is not None:
        raise InvalidValue(
            "aggregated paths have no customers, so that share=True cannot count them"
        )
    folding = _Folding(journeys)
    while folding.fold() or folding.leave_out():
        pass
    return folding.folded()


def few(cell: Ints, customer: Ints) -> Bools:
    """Return which items stand in a cell that is about fewer than five customers."""
    if not len(cell):
        return np.zeros(0, dtype=np.bool_)
    order, begins, n = _customers_of_cells(cell, customer)
    rare = np.empty(len(cell), dtype=np.bool_)
    rare[order] = np.repeat(n < FEWEST, np.diff(np.append(begins, len(cell))))
    return rare


def _customers_of_cells(cell: Ints, customer: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the order of the items by cell, where each cell begins in it, and its customers."""
    if (customer[1:] < customer[:-1]).any():
        order = np.lexsort((customer, cell))
    else:  # customers are in order already, and numbers of 16 bits are sorted in no time
        small = cell - cell.min()
        order = np.argsort(small.astype(np.uint16) if small.max() < 2**16 else small, kind="stable")
    other = np.append(True, np.diff(cell[order]) != 0)
    begins = np.flatnonzero(other)
    new = other | np.append(True, np.diff(customer[order]) != 0)
    return order, begins, np.add.reduceat(new.astype(np.int64), begins)


def is_few(customer: Ints) -> bool:
    """Return whether these are customers, and fewer than five."""
    return bool(0 < len(np.unique(customer)) < FEWEST)


class _Folding:
    """Visits by their touchpoint, channel, stage and owner, of which ever more become "other"."""

    def __init__(self, journeys: Journeys) -> None:
        self.source = journeys
        self.rows = visit_rows(journeys)
        lengths = journeys.lengths
        self.journey = np.repeat(np.arange(len(lengths)), lengths)
        self.customer = journeys.customer[self.journey]
        self.grains = [name for name in GRAINS if name in journeys.columns.coded]
        codes = [journeys.columns.coded[name].codes[self.rows] for name in self.grains]
        combined, label = np.unique(np.stack(codes).astype(np.int64), axis=1, return_inverse=True)
        self.names = combined  # of each label, by grain
        self.label = label.reshape(-1).astype(np.int64)
        self.other = combined.shape[1]
        self.start = self.other + 1
        self.kept = np.ones(len(lengths), dtype=np.bool_)

    # -------------------------------------------------------------- into "other"

    def fold(self) -> bool:
        """Fold what is about few customers; return whether there was anything.

        What has a name and stands out by itself goes first: it may be the reason why what comes
        after "other" seems to be rare.
        """
        here = np.flatnonzero(self.kept[self.journey])
        label, journey, customer = self.label[here], self.journey[here], self.customer[here]
        begins = np.append(True, journey[1:] != journey[:-1])[: len(here)]
        before = np.where(begins, self.start, np.append(0, label[:-1])[: len(here)])
        last = here[np.append(begins[1:], True)[: len(here)]]
        named = label != self.other
        rare = few(before * (self.start + 1) + label, customer)
        if (some := few(label, customer) & named).any():
            self._fold_whole(label[some])
        elif self._fold_ends(last):
            pass
        elif (some := rare & named & (before != self.other)).any():
            follows = np.append(False, some[:-1])[: len(here)] & ~begins
            self.label[here[some & ~follows]] = self.other
        elif self._fold_running(last):
            pass
        elif (some := rare & named).any():
            self.label[here[some]] = self.other
        elif rare.any():
            self._join(here, before, rare)
        else:
            return self._fold_returns(here)
        return True

    def _join(self, here: Ints, before: Ints, rare: Bools) -> None:
        """Let the next smallest step go along where a step into "other" is rare."""
        label, customer = self.label[here], self.customer[here]
        named = label != self.other
        for origin in np.unique(before[rare]).tolist():
            onward = (before == origin) & named
            into = named & np.append(~named[1:] & (before[1:] != self.start), False)[: len(here)]
            if onward.any():
                self.label[here[onward & (label == _smallest(label[onward], customer[onward]))]] = (
                    self.other
                )
            elif origin < self.other:
                self._fold_whole(np.array([origin]))
            elif into.any():
                self._fold_whole(np.array([_smallest(label[into], customer[into])]))
            else:
                self.kept[self.journey[here[rare & (before == origin)]]] = False

    def _fold_ends(self, last: Ints) -> bool:
        """Fold all visits of a touchpoint at which few customers converted, or dropped."""
        outcome = self.source.outcome[self.journey[last]].astype(np.int64)
        return self._fold_last(last[outcome != IN_PROGRESS], whole=True)

    def _fold_running(self, last: Ints) -> bool:
        """Fold the last visits of journeys in progress that few customers have there."""
        running = self.source.outcome[self.journey[last]] == IN_PROGRESS
        return self._fold_last(last[running], whole=False)

    def _fold_last(self, last: Ints, *, whole: bool) -> bool:
        label, customer = self.label[last], self.customer[last]
        outcome = self.source.outcome[self.journey[last]].astype(np.int64)
        rare = few(label * 3 + outcome, customer)
        named = label != self.other
        if not rare.any():
            return False
        chosen = rare & named
        if not chosen.any():  # few end at "other": the next smallest goes along
            end = outcome[rare][0]
            alike = named & (outcome == end)
            if not alike.any():
                self.kept[self.journey[last[rare & (outcome == end)]]] = False
                return True
            chosen = alike & (label == _smallest(label[alike], customer[alike]))
        if whole:
            self._fold_whole(label[chosen])
        else:
            self.label[last[chosen]] = self.other
        return True

    def _fold_returns(self, here: Ints) -> bool:
        label, customer = self.label[here], self.customer[here]
        _, first = np.unique(self.journey[here] * self.start + label, return_index=True)
        again = np.ones(len(here), dtype=np.bool_)
        again[first] = False
        rare = np.zeros(len(here), dtype=np.bool_)
        rare[again] = few(label[again], customer[again])
        if not rare.any():
            return False
        if (named := rare & (label != self.other)).any():
            self.label[here[named]] = self.other
        elif (named := label != self.other).any():
            self._fold_whole(np.array([_smallest(label[named], customer[named])]))
        else:
            self.kept[self.journey[here[rare]]] = False
        return True

    def _fold_whole(self, labels: Ints) -> None:
        self.label[np.isin(self.label, labels)] = self.other

    # -------------------------------------------------------------- left out

    def leave_out(self) -> bool:
        """Leave out journeys that few customers differ by; return whether there were any."""
        before = np.count_nonzero(self.kept)
        source, some = self.source, np.flatnonzero(self.kept)
        for outcome, word in ((CONVERTED, "converted"), (DROPPED, "dropped")):
            if is_few(source.customer[some[source.outcome[some] == outcome]]):
                raise InvalidValue(
                    f"share=True needs {FEWEST} customers with journeys that {word}, or none: too "
                    "few are there to say anything of them"
                )
        if len(np.unique(source.customer[some])) < FEWEST:
            raise InvalidValue(
                f"share=True leaves nothing to report: without what fewer than {FEWEST} customers "
                f"did, journeys of fewer than {FEWEST} customers are left"
            )
        served = (source.origin[some] == 1) & (source.outcome[some] == DROPPED)
        empty = source.lengths[some] == 0
        ends = source.outcome[some].astype(np.int64) * 8 + source.absorbed[some] * 4
        for cell in (ends, ends * 8 + served * 2, ends * 8 + empty):
            self.kept[some[few(cell, source.customer[some])]] = False
        if np.count_nonzero(self.kept) == before:
            self._leave_out_complements()
        return bool(np.count_nonzero(self.kept) < before)

    def _leave_out_complements(self) -> None:
        for value in self._values():
            here = np.flatnonzero(self.kept[self.journey] & (value >= 0))
            order = here[np.argsort(value[here], kind="stable")]
            bounds = np.flatnonzero(np.diff(value[order])) + 1
            for visits in np.split(order, bounds):
                self._leave_out_without(visits)

    def _leave_out_without(self, visits: Ints) -> None:
        """Leave out the rest where few customers, or journeys of few, have none of some visits."""
        customer, others = self.source.customer, self.kept.copy()
        others[self.journey[visits]] = False
        if is_few(customer[others]):
            self.kept[others] = False
        others = self.kept & ~np.isin(customer, self.customer[visits])
        if is_few(customer[others]):
            self.kept[others] = False

    def _values(self) -> Iterator[Ints]:
        """Yield what is counted of each visit: its names, and from which channel to which."""
        yield self.label
        for i, grain in enumerate(self.grains):
            code = np.append(self.names[i], len(self.names[i]) + 1)[self.label] + 1
            yield code
            if grain == "channel":
                before = np.append(-1, code[:-1])[: len(code)]
                within = np.append(False, self.journey[1:] == self.journey[:-1])[: len(code)]
                yield np.where(within, before * (code.max(initial=0) + 1) + code, -1)

    # -------------------------------------------------------------- what is left

    def folded(self) -> Journeys:
        """Return the journeys that are left."""
        source = self.source
        journeys = source.where(self.kept)
        here = self.kept[self.journey]
        used, customer = np.unique(journeys.customer, return_inverse=True)
        offsets = np.concatenate([[0], np.diff(journeys.columns.offsets)[used].cumsum()])
        columns = self._columns(journeys, self.label[here], customer.reshape(-1), offsets)
        log = attrs.evolve(
            source.log,
            columns=columns,
            customer_ids=tuple(source.log.customer_ids[i] for i in used.tolist()),
            account=None,
            customer_attributes={},
            intake=Intake(tz=source.log.intake.tz),
        )
        value = journeys.value
        unknown = np.isnan(value[journeys.converted]).astype(np.int64)
        if few(unknown, customer.reshape(-1)[journeys.converted]).any():
            value = np.full(len(value), np.nan)
        return attrs.evolve(
            journeys,
            log=log,
            columns=columns,
            customer=seal(customer.reshape(-1).astype(np.int64)),
            number=None,
            value=seal(value),
        )

    def _columns(self, journeys: Journeys, label: Ints, customer: Ints, offsets: Ints) -> Columns:
        columns, rows = journeys.columns, visit_rows(journeys)
        whose = np.repeat(customer, np.diff(journeys.offsets))
        codes = {name: columns.coded[name].codes.astype(np.int64) for name in self.grains}
        names = {name: columns.coded[name].names for name in self.grains}
        cell = np.full(len(columns), -1, dtype=np.int64)
        cell[rows] = label
        ends = np.flatnonzero(cell < 0)  # goals and exits
        if len(ends):
            stacked = np.stack([code[ends] for code in codes.values()])
            _, cell[ends] = np.unique(stacked, axis=1, return_inverse=True)
            won = np.repeat(journeys.converted, np.diff(journeys.offsets))[ends]
            if few(cell[ends], whose[ends]).any():
                for name in self.grains[1:]:
                    codes[name][ends] = -1
                cell[ends] = codes["touchpoint"][ends]
                if few(cell[ends], whose[ends]).any():
                    for some in (ends[won], ends[~won]):
                        usual = np.bincount(cell[some]).argmax() if len(some) else 0
                        codes["touchpoint"][some] = cell[some] = usual
            cell[ends] += self.start
        folded = rows[label == self.other]
        word = "other" if all("other" not in known for known in names.values()) else "(other)"
        for name in self.grains:
            codes[name][folded] = len(names[name]) if name in _NAMED else -1
            names[name] = (*names[name], word)
        answers = {name: _answers(v, cell, whose) for name, v in columns.numeric.items()}
        return attrs.evolve(
            columns,
            offsets=seal(offsets.astype(np.int64)),
            coded={name: Coded(seal(codes[name]), names[name]).compacted() for name in self.grains},
            numeric={name: v for name, v in answers.items() if not np.isnan(v).all()},
            attributes={},
        )


def _answers(values: Floats, cell: Ints, customer: Ints) -> Floats:
    """Return numbers without those of cells where few customers gave, or did not give, one."""
    rare = few(cell * 2 + np.isnan(values), customer)
    values = np.where(np.isin(cell, cell[rare]), np.nan, values)
    known = np.flatnonzero(~np.isnan(values))
    whole = values[known]
    if len(whole) and np.array_equal(whole, np.round(whole)):  # a scale, of which shares are made
        answer = (whole > 6).astype(np.int64) + (whole > 8) if whole.max() > 7 else whole
        if few(answer.astype(np.int64), customer[known]).any():
            values = np.full(len(values), np.nan)
    return seal(values)


def _smallest(cell: Ints, customer: Ints) -> int:
    """Return the cell that is about the fewest customers."""
    order, begins, n = _customers_of_cells(cell, customer)
    return int(cell[order][begins][n.argmin()])
