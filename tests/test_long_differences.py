"""Where two long values differ is said in a few lines, also where CI has pytest print all."""

from __future__ import annotations

import pytest

LONG = list(range(10_000))
CASES = [
    ([*LONG[:7], "other", *LONG[8:]], LONG, ["first at 7:", "['other']", "[7]"]),
    (LONG, LONG[:-1], ["10000 and 9999 entries", "first at 9999:", "[9999]", "[]"]),
    (tuple(LONG), (*LONG, 1), ["two of tuple", "first at 10000:", "(1,)"]),
    ("a" * 20_000, "a" * 500 + "b", ["20000 and 501", "first at 500:", "a" * 20 + "b"]),
    (
        dict.fromkeys(LONG) | {5: "x" * 9999, "new": 1},
        dict.fromkeys(LONG),
        ["keys that the left one alone has: 1, as 'new'", "first at 5:", "xxx … xxx", "None"],
    ),
    (LONG, list(map(str, LONG)), ["first at 0:", "[0]", "['0']"]),
]


@pytest.mark.parametrize(("left", "right", "words"), CASES)
def test_a_few_lines_say_where_long_values_first_differ(pytestconfig, left, right, words):
    said = [
        one
        for one in pytestconfig.hook.pytest_assertrepr_compare(
            config=pytestconfig, op="==", left=left, right=right
        )
        if one
    ]
    assert len(said) == 1
    assert len(said[0]) <= 5
    text = "\n".join(said[0])
    assert len(text) < 2000
    for word in words:
        assert word in text


@pytest.mark.parametrize(("op", "left", "right"), [("==", [1, 2], [1, 3]), ("in", 0, LONG)])
def test_short_values_and_other_comparisons_are_told_as_ever(pytestconfig, op, left, right):
    told = pytestconfig.hook.pytest_assertrepr_compare(
        config=pytestconfig, op=op, left=left, right=right
    )
    assert not any("two of list" in line for one in told if one for line in one)


def test_an_assertion_that_fails_is_told_so():
    with pytest.raises(AssertionError, match=r"(?s)two of list.*first at 3:"):
        assert [*LONG[:3], -1, *LONG[4:]] == LONG
