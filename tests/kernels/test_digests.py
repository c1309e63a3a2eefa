"""First bytes of MD5 digests, against the test suite of RFC 1321 and the standard library."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from cxjourney import kernels
from cxjourney._support.strings import Strings

# RFC 1321, appendix A.5
PUBLISHED = {
    "": "d41d8cd98f00b204e9800998ecf8427e",
    "a": "0cc175b9c0f1b6a831c399e269772661",
    "abc": "900150983cd24fb0d6963f7d28e17f72",
    "message digest": "f96b697d7cb7938d525a2f31aaf161d0",
    "abcdefghijklmnopqrstuvwxyz": "c3fcd3d76192e4007dfb496cca67e13b",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": (
        "d174ab98d277d9f5a5611c2c9f419d9f"
    ),
    "1234567890" * 8: "57edf4a22be3c955ac49da2e2107b67a",
}


def test_published_digests():
    expected = [int(digest[:2], 16) for digest in PUBLISHED.values()]
    assert kernels.md5_first_bytes(list(PUBLISHED)).tolist() == expected
    assert kernels.reference.md5_first_bytes(list(PUBLISHED)).tolist() == expected


def test_every_length_about_the_ends_of_a_block():
    names = ["x" * length for length in range(260)]
    expected = [hashlib.md5(name.encode()).digest()[0] for name in names]  # noqa: S324
    assert kernels.md5_first_bytes(Strings.of(names)).tolist() == expected


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_strings(names):
    expected = [hashlib.md5(name.encode()).digest()[0] for name in names]  # noqa: S324
    assert kernels.md5_first_bytes(names).tolist() == expected
