"""A lasting table of ids and their codes: what it returns is defined here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


class IdTable:
    """Ids by code and codes by id; the code of an id that is forgotten goes to a new one.

    Parameters
    ----------
    seed
        Key of the hash of the compiled table, a secret of 128 bits: SipHash-1-3 [1]_, so that
        nobody who does not know it can make ids that collide.

    References
    ----------
    .. [1] Aumasson, J.-P. and Bernstein, D. J. (2012). SipHash: a fast short-input PRF.
       Progress in Cryptology, INDOCRYPT 2012.
    """

    def __init__(self, seed: int) -> None:
        del seed  # dictionaries have one of their own
        self._code_of: dict[str, int] = {}
        self._ids: list[str | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._code_of)

    @property
    def size(self) -> int:
        """How many codes there are, free ones among them."""
        return len(self._ids)

    def code(self, name: str, add: bool) -> int:  # noqa: FBT001 - as the compiled one takes it
        """Return the code of an id; -1 where it has none and none is added."""
        code = self._code_of.get(name)
        if code is None and add:
            if self._free:
                code = self._free.pop()
                self._ids[code] = name
            else:
                code = len(self._ids)
                self._ids.append(name)
            self._code_of[name] = code
        return -1 if code is None else code

    def codes(self, strings: Iterable[str]) -> NDArray[np.int32]:
        """Return the code of each id, int32; new ones are added."""
        return np.array([self.code(name, add=True) for name in strings], dtype=np.int32)

    def release(self, codes: NDArray[np.integer]) -> None:
        """Forget the ids of some codes, each of which is in use; the codes are free then."""
        for code in codes.tolist():
            gone = self._ids[code] if 0 <= code < len(self._ids) else None
            if gone is None:
                raise ValueError("a code is not in use")
            del self._code_of[gone]
            self._ids[code] = None
            self._free.append(code)

    def strings(self, codes: NDArray[np.integer]) -> Sequence[str]:
        """Return the ids of codes that are in use."""
        found = [self._ids[code] if 0 <= code < len(self._ids) else None for code in codes.tolist()]
        if None in found:
            raise ValueError("a code is not in use")
        return tuple(name for name in found if name is not None)
