"""Pseudonyms: keyed hashes that stand for ids, and the key that makes them."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, Self, TypeAlias, get_args

import numpy as np

from cxjourney._support.strings import Strings, canonical
from cxjourney._support.validation import check_choice
from cxjourney.exceptions import InputFileError, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Kind: TypeAlias = Literal["customer", "account", "journey", "issue"]
"""What an id is of: one id of two kinds has two pseudonyms that nothing links."""

_FEWEST = 32  # bytes of a key, the length of the hash: RFC 2104, section 3
_DIGITS = re.compile(rf"([0-9a-fA-F]{{2}}){{{_FEWEST},}}", re.ASCII)
_BYTES = 16  # of a pseudonym
_LETTERS = 26
_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)  # RFC 4648
_WEIGHTS = np.array([16, 8, 4, 2, 1], dtype=np.uint8)
_HOW = "make one with PseudonymKey.generate().to_file(path), or with: openssl rand -hex 32"


class PseudonymKey:
    """A secret key that turns ids into pseudonyms, always the same ones.

    Readers take it as `pseudonyms=`: the log then holds pseudonyms only. The key itself is never
    printed, pickled, or kept by a log, which knows its `key_id` alone.

    Parameters
    ----------
    key
        At least 32 bytes, drawn at random.

    Raises
    ------
    InvalidValue
        If the key is shorter, or repeats one byte.

    Notes
    -----
    A pseudonym is the beginning, 128 bits, of HMAC-SHA-256 of the key and the text
    `customer:ID` in UTF-8, in base 32 without padding: 26 small letters and digits. Accounts,
    cases or sessions, and issues have `account:`, `journey:` and `issue:` before them, so that
    one text in two roles has two pseudonyms. The text is the id as a log has it without a key:
    7, 7.0 and "7.0" are "7", and nothing else is changed.

    Who has the key can find the pseudonym of an id that they know, and by trying ids the id of a
    pseudonym; who has it not can do neither. That any two of a billion ids share a pseudonym has
    a probability below 10**-20.

    References
    ----------
    Krawczyk, Bellare & Canetti 1997, RFC 2104; test vectors in RFC 4231; base 32 in RFC 4648.

    Examples
    --------
    >>> import cxjourney as cx
    >>> key = cx.privacy.PseudonymKey(bytes(range(32)))  # yours is drawn: PseudonymKey.generate()
    >>> key
    PseudonymKey(key_id='865174565c84e8db')
    >>> key.pseudonym("anna")
    'jlxaxcuvcuxfbb3x677mypmfjy'
    >>> log = cx.InteractionLog.from_frame(
    ...     {"who": ["anna"], "when": ["2026-01-01"], "what": ["web"]},
    ...     customer="who", timestamp="when", touchpoint="what", pseudonyms=key,
    ... )
    >>> list(log.customer_ids), log.key_id
    (['jlxaxcuvcuxfbb3x677mypmfjy'], '865174565c84e8db')
    """

    __slots__ = ("_key", "key_id")

    key_id: str
    """What tells keys apart without telling anything of them: 16 hexadecimal digits."""

    def __init__(self, key: bytes) -> None:
        if not isinstance(key, (bytes, bytearray)):
            raise InvalidValue(f"key must be bytes, not {type(key).__name__}: {_HOW}")
        if len(key) < _FEWEST:
            rule = f"key must have at least {_FEWEST} bytes; got {len(key)}: {_HOW}"
            raise InvalidValue(rule)
        if len({*key}) == 1:
            raise InvalidValue(f"key must be drawn at random, not repeat one byte: {_HOW}")
        self._key = bytes(key)
        self.key_id = hmac.digest(self._key, b"key id", "sha256")[:8].hex()

    # ------------------------------------------------------------------ where it is kept

    @classmethod
    def generate(cls) -> Self:
        """Return a new key from the operating system's source of randomness.

        Without `to_file` it is gone with the process, and nobody can join its logs any more.
        """
        return cls(secrets.token_bytes(_FEWEST))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the key of a file: at least 64 hexadecimal digits, blanks around them allowed.

        Raises
        ------
        InputFileError
            If the file cannot be read.
        InvalidValue
            If it holds anything else; what it holds is not shown.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputFileError(f"{str(path)!r} cannot be read: {error.strerror}") from None
        return cls._of_text(content.decode("ascii", errors="replace"), f"the file {str(path)!r}")

    @classmethod
    def from_environment(cls, name: str) -> Self:
        """Return the key of an environment variable: at least 64 hexadecimal digits.

        Raises
        ------
        InvalidValue
            If there is no such variable, or it holds anything else; what it holds is not shown.
        """
        text = os.environ.get(name)
        if text is None:
            raise InvalidValue(f"the environment variable {name!r} is not set: {_HOW}")
        return cls._of_text(text, f"the environment variable {name!r}")

    @classmethod
    def _of_text(cls, text: str, where: str) -> Self:
        if not _DIGITS.fullmatch(text.strip()):
            least = 2 * _FEWEST
            rule = f"{where} must hold a key of {least} hexadecimal digits or more: {_HOW}"
            raise InvalidValue(rule)
        return cls(bytes.fromhex(text.strip()))

    def to_file(self, path: str | os.PathLike[str]) -> None:
        """Write the key to a new file that its owner alone can read.

        Raises
        ------
        InputFileError
            If the file cannot be written, or there is one already: the key in it may be in use.
        """
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise InputFileError(f"{str(path)!r} cannot be written: {error.strerror}") from None
        with os.fdopen(file, "w", encoding="ascii") as stream:
            stream.write(f"{self._key.hex()}\n")

    # ------------------------------------------------------------------ what it does

    def pseudonym(self, id: str, kind: Kind = "customer") -> str:  # noqa: A002 - what it is
        """Return the pseudonym of one id, to find a customer in a log or in a result.

        Parameters
        ----------
        id
            The id, as the data has it.
        kind
            What it is an id of: "customer", "account", "journey" (a case or a session) or "issue".

        Raises
        ------
        InvalidValue
            If the id is no str, or blank; it is not shown.
        """
        text = canonical(id) if isinstance(id, str) else None
        if text is None:
            raise InvalidValue("id must be a str that is not blank")
        return self.pseudonyms([text], kind)[0]

    def pseudonyms(self, ids: Sequence[str], kind: Kind) -> Strings:
        """Return the pseudonym of each of many ids, which are as a log has them (7, not "7.0")."""
        check_choice(kind, "kind", get_args(Kind))
        key, before, digest = self._key, f"{kind}:".encode(), hmac.digest
        hashed = b"".join([digest(key, before + text.encode(), "sha256")[:_BYTES] for text in ids])
        return _in_base_32(np.frombuffer(hashed, dtype=np.uint8).reshape(len(ids), _BYTES))

    # ------------------------------------------------------------------ how it is kept secret

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PseudonymKey):
            return NotImplemented
        return hmac.compare_digest(self._key, other._key)

    def __hash__(self) -> int:
        return hash(self.key_id)

    def __repr__(self) -> str:
        return f"PseudonymKey(key_id={self.key_id!r})"

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a PseudonymKey is neither copied nor pickled: read it where it is kept")


def check_key(key: PseudonymKey | None) -> PseudonymKey | None:
    """Return what an argument `pseudonyms=` is, unless it is no key: it is not shown then."""
    if key is not None and not isinstance(key, PseudonymKey):
        kind = type(key).__name__
        raise InvalidValue(f"pseudonyms must be a cxjourney.privacy.PseudonymKey; got a {kind}")
    return key


def _in_base_32(hashed: NDArray[np.uint8]) -> Strings:
    """Return rows of 16 bytes in base 32, small letters, without padding."""
    bits = np.unpackbits(np.pad(hashed, ((0, 0), (0, 1))), axis=1)[:, : 5 * _LETTERS]
    digits = bits.reshape(len(hashed), _LETTERS, 5) @ _WEIGHTS
    offsets = np.arange(len(hashed) + 1, dtype=np.int64) * _LETTERS
    return Strings(_ALPHABET[digits].reshape(-1), offsets)
