"""Changes of a chain, and of the same chain without each bucket of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import attrs
import numpy as np

from cxjourney._support.validation import check_fraction
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.markov import bypassed, fewer_exits, removed, rerouted

if TYPE_CHECKING:
    from cxjourney.markov import AbsorbingChain
    from cxjourney.whatif._model import Stack


class Change(Protocol):
    """Something about the journey that would be different.

    `sign` is 1 if conversion and steps can only grow, -1 if they can only fall, 0 if either.
    """

    sign: ClassVar[int]

    @property
    def words(self) -> str:
        """What is changed."""

    @property
    def assumption(self) -> str:
        """What must be true for the numbers to hold."""

    @property
    def places(self) -> tuple[str, ...]:
        """Touchpoints and terminals that it names."""

    def chain(self, chain: AbsorbingChain) -> AbsorbingChain | None:
        """Return the changed chain; None where the data do not say what it would be."""

    def stack(self, stack: Stack) -> Stack:
        """Return the changed stack; NaN where the data do not say what it would be."""


@attrs.frozen
class ReduceExit:
    """A share of those who leave at a touchpoint is kept."""

    sign: ClassVar[int] = 1

    touchpoint: str
    relative: float
    to: str | None

    @property
    def places(self) -> tuple[str, ...]:
        return (self.touchpoint, *(() if self.to is None else (self.to,)))

    @property
    def words(self) -> str:
        toward = "" if self.to is None else f", who go to {self.to!r}"
        return f"{100 * self.relative:g}% fewer leave at {self.touchpoint!r}{toward}"

    @property
    def assumption(self) -> str:
        where = "where the others go" if self.to is None else f"to {self.to!r}"
        return (
            f"who is kept at {self.touchpoint!r} goes {where} and then does as those who stay "
            "on their own: an upper bound, since who leaves is usually a weaker prospect"
        )

    def chain(self, chain: AbsorbingChain) -> AbsorbingChain | None:
        check_fraction(self.relative, "relative")
        chain.code(self.touchpoint)
        exit_ = chain.exit_probability[self.touchpoint]
        if exit_ * self.relative == 0:
            return chain
        if self.to is not None:
            return rerouted(chain, self.touchpoint, away=DROPOFF, to=self.to, share=self.relative)
        if exit_ == 1:
            return None
        return fewer_exits(chain, {self.touchpoint: self.relative})

    def stack(self, stack: Stack) -> Stack:
        x, lost = stack.code(self.touchpoint), stack.code(DROPOFF)
        matrix = stack.matrix.copy()
        exits = matrix[:, x, lost].copy()
        freed = self.relative * exits
        if self.to is not None:
            matrix[:, x, stack.code(self.to)] += freed
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                growth = np.where(freed > 0, 1 + freed / (1 - exits), 1.0)
            growth[(freed > 0) & (exits >= 1 - 1e-12)] = np.nan
            matrix[:, x] *= growth[:, None]
        matrix[:, x, lost] = exits - freed
        return attrs.evolve(stack, matrix=matrix)


@attrs.frozen
class _OfTouchpoints:
    """A change of touchpoints that are no longer visited."""

    sign: ClassVar[int] = -1

    touchpoints: tuple[str, ...]

    @property
    def places(self) -> tuple[str, ...]:
        return self.touchpoints

    @property
    def named(self) -> str:
        return ", ".join(map(repr, self.touchpoints))


@attrs.frozen
class Remove(_OfTouchpoints):
    """Touchpoints are closed and who comes there is lost."""

    @property
    def words(self) -> str:
        return f"{self.named} removed"

    @property
    def assumption(self) -> str:
        return f"who comes to {self.named} is lost there and goes nowhere else"

    def chain(self, chain: AbsorbingChain) -> AbsorbingChain | None:
        return removed(chain, self.touchpoints)

    def stack(self, stack: Stack) -> Stack:
        matrix, lost = stack.matrix.copy(), stack.code(DROPOFF)
        for name in self.touchpoints:
            x = stack.code(name)
            matrix[:, :, lost] += matrix[:, :, x]
            matrix[:, :, x] = 0.0
        return attrs.evolve(stack, matrix=matrix)


@attrs.frozen
class Bypass(_OfTouchpoints):
    """Touchpoints are skipped and who came there goes on at once."""

    @property
    def words(self) -> str:
        return f"{self.named} bypassed"

    @property
    def assumption(self) -> str:
        return f"who came to {self.named} goes on, or leaves, as after it"

    def chain(self, chain: AbsorbingChain) -> AbsorbingChain | None:
        return bypassed(chain, self.touchpoints)

    def stack(self, stack: Stack) -> Stack:
        matrix = stack.matrix.copy()
        for name in self.touchpoints:  # one after the other is the same as together
            x = stack.code(name)
            onward = matrix[:, x].copy()
            again = onward[:, x].copy()
            onward[:, x] = 0.0
            with np.errstate(divide="ignore", invalid="ignore"):
                onward /= np.where(again < 1, 1 - again, np.nan)[:, None]
            arriving = matrix[:, :, x].copy()
            matrix[:, :, x] = 0.0
            matrix += arriving[:, :, None] * onward[:, None, :]
        return attrs.evolve(stack, matrix=matrix)


@attrs.frozen
class Reroute:
    """A share of those who would come to one place comes to another instead."""

    sign: ClassVar[int] = 0

    source: str
    target: str
    share: float
    at: str | None

    @property
    def places(self) -> tuple[str, ...]:
        return (self.source, self.target, *(() if self.at is None else (self.at,)))

    @property
    def words(self) -> str:
        coming = "" if self.at is None else f" after {self.at!r}"
        share = f"{100 * self.share:g}% of those who go to {self.source!r}{coming}"
        return f"{share} go to {self.target!r}"

    @property
    def assumption(self) -> str:
        return f"who is led to {self.target!r} does there as those who come on their own"

    def chain(self, chain: AbsorbingChain) -> AbsorbingChain | None:
        check_fraction(self.share, "share")
        if self.source == self.target:
            raise InvalidValue.of("target", "differ from source", self.target)
        for name, places in (
            (self.source, (CONVERSION, DROPOFF)),
            (self.target, (CONVERSION, DROPOFF)),
            (self.at, (START, None)),
        ):
            if name not in places and name not in chain.names:
                raise UnknownName.among("touchpoint", str(name), chain.names, where="the chain")
        labels = (*chain.names, START, CONVERSION, DROPOFF)
        into = chain.source[chain.target == labels.index(self.source)]
        comers = [labels[x] for x in np.unique(into).tolist()]
        if self.at is not None:
            comers = [name for name in comers if name == self.at]
        if not comers:
            coming = "" if self.at is None else f" from {self.at!r}"
            raise InvalidValue(
                f"nobody comes to {self.source!r}{coming}: there is nothing to lead elsewhere"
            )
        for name in comers:
            chain = rerouted(chain, name, away=self.source, to=self.target, share=self.share)
        return chain

    def stack(self, stack: Stack) -> Stack:
        matrix = stack.matrix.copy()
        rows = slice(None) if self.at is None else stack.code(self.at)
        away, to = stack.code(self.source), stack.code(self.target)
        moved = self.share * matrix[:, rows, away]
        matrix[:, rows, to] += moved
        matrix[:, rows, away] -= moved
        return attrs.evolve(stack, matrix=matrix)
