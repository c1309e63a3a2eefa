"""The key of pseudonyms: what it computes, where it is kept, and what it never shows."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import pickle
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.privacy import PseudonymKey

KEY = bytes(range(32))


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """Return HMAC-SHA-256 as RFC 2104 writes it down, with the hash alone."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    inner, outer = (bytes(byte ^ pad for byte in key.ljust(64, b"\0")) for pad in (0x36, 0x5C))
    return hashlib.sha256(outer + hashlib.sha256(inner + text).digest()).digest()


LONG = (
    b"This is a test using a larger than block-size key and a larger than block-size data. "
    b"The key needs to be hashed before being used by the HMAC algorithm."
)


@pytest.mark.parametrize(
    ("key", "text", "digest"),
    [  # RFC 4231, test cases 1, 2, 3 and 7
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 20,
            b"\xdd" * 50,
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (b"\xaa" * 131, LONG, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ],
)
def test_the_oracle_is_hmac_sha256(key, text, digest):
    assert hmac_sha256(key, text).hex() == digest


@given(
    st.binary(min_size=32, max_size=200).filter(lambda key: len(set(key)) > 1),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
        lambda text: text.strip() and not text.endswith(".0")
    ),
    st.sampled_from(["customer", "account", "journey", "issue"]),
)
def test_a_pseudonym_is_the_beginning_of_the_hmac_in_base_32(key, text, kind):
    digest = hmac_sha256(key, f"{kind}:{text}".encode())[:16]
    expected = base64.b32encode(digest).decode("ascii").rstrip("=").lower()
    assert PseudonymKey(key).pseudonym(text, kind) == expected


def test_an_id_counts_as_in_a_log_and_in_its_own_role_only():
    key = PseudonymKey(KEY)
    assert key.pseudonym("7.0") == key.pseudonym("7") != key.pseudonym("07")
    assert key.pseudonym("anna") != key.pseudonym("Anna") != key.pseudonym(" Anna")
    assert len({key.pseudonym("7", kind) for kind in ("customer", "account", "journey")}) == 3


@pytest.mark.parametrize("wrong", ["", " ", None, 7])
def test_what_is_no_id_has_no_pseudonym(wrong):
    with pytest.raises(InvalidValue, match="not blank"):
        PseudonymKey(KEY).pseudonym(wrong)


def test_a_kind_of_id_that_there_is_not_is_refused():
    with pytest.raises(InvalidValue, match="did you mean 'customer'"):
        PseudonymKey(KEY).pseudonym("a", "customers")


@pytest.mark.parametrize("wrong", [b"", KEY[:31], "a" * 64, None, b"\0" * 32, memoryview(KEY)])
def test_a_short_or_constant_key_is_refused_with_the_way_to_make_one(wrong):
    with pytest.raises(InvalidValue, match="openssl rand -hex 32"):
        PseudonymKey(wrong)


def test_a_key_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    key, file = PseudonymKey.generate(), tmp_path / "key"
    key.to_file(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().strip()) == 64
    monkeypatch.setenv("CX_KEY", file.read_text())
    assert PseudonymKey.from_file(file) == key == PseudonymKey.from_environment("CX_KEY")
    assert PseudonymKey.generate() != key
    with pytest.raises(InputFileError, match="exists"):  # a key in use is never overwritten
        PseudonymKey.generate().to_file(file)
    assert PseudonymKey.from_file(file) == key


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"0a" * 31 + b"\n",
        KEY,
        b"a password of more than 64 letters" * 3,
        b"0" * 65,
        b"ab " * 40,
    ],
)
def test_what_holds_no_key_is_refused_and_not_shown(tmp_path, monkeypatch, content):
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(InvalidValue, match="openssl") as told:
        PseudonymKey.from_file(file)
    assert "password" not in str(told.value)
    assert told.value.__context__ is None
    text = content.decode("latin-1").replace("\0", "")
    monkeypatch.setenv("CX_KEY", text)
    with pytest.raises(InvalidValue, match="openssl"):
        PseudonymKey.from_environment("CX_KEY")


def test_where_there_is_no_key_that_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("CX_KEY", raising=False)
    with pytest.raises(InvalidValue, match="'CX_KEY' is not set"):
        PseudonymKey.from_environment("CX_KEY")
    with pytest.raises(InputFileError, match="No such file"):
        PseudonymKey.from_file(tmp_path / "none")


def test_nothing_shows_the_key():
    key = PseudonymKey(KEY)
    shown = [repr(key), str(key), f"{key}", key.key_id, str(hash(key))]
    assert not any(KEY.hex()[:16] in text or "\\x01" in text for text in shown)
    assert key.key_id == hmac_sha256(KEY, b"key id")[:8].hex()
    assert not hasattr(key, "__dict__")
    for take in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            take(key)


def test_keys_are_equal_by_what_they_are():
    key = PseudonymKey(KEY)
    assert key == PseudonymKey(KEY)
    assert len({key, PseudonymKey(KEY), PseudonymKey(KEY[::-1])}) == 2
    assert key != KEY
