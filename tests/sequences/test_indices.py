from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.sequences import complexity, entropy, turbulence

LOG = cx.Journeys.from_paths([["a"]], converted=[1]).log
words = st.lists(st.sampled_from("abcd"), min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("sequence", "h", "c", "t"),
    [
        ("AABC", 0.946395, 0.794311, 3.0),
        ("AAAA", 0.0, 0.0, 1.0),
        ("ABAB", 0.630930, 0.794311, 3.584963),
        ("ABCABC", 1.0, 1.0, 5.700440),
        ("AABBCC", 1.0, 0.632456, 4.584963),
    ],
)
def test_values_of_an_alphabet_of_three(sequence, h, c, t):
    """Sequence indices as in TraMineR, natural logarithm, |A| = 3."""
    assert entropy(list(sequence), alphabet=3) == pytest.approx(h, abs=1e-6)
    assert complexity(list(sequence), alphabet=["A", "B", "C"]) == pytest.approx(c, abs=1e-6)
    assert turbulence(list(sequence)) == pytest.approx(t, abs=1e-6)


@pytest.mark.parametrize(("sequence", "phi"), [("abc", 8), ("abab", 12), ("abacab", 46)])
def test_number_of_subsequences(sequence, phi):
    """Elzinga and Liefbroer (2007)."""
    assert turbulence(list(sequence)) == pytest.approx(math.log2(phi))


def test_spells_with_durations():
    assert turbulence(["a", "b", "c"], durations=[1, 1, 2]) == pytest.approx(3.0)
    assert turbulence(["a"], durations=[17]) == pytest.approx(1.0)
    # an element of duration t is t elements
    assert complexity(["a", "b"], durations=[3, 2], alphabet=4) == pytest.approx(
        complexity(list("aaabb"), alphabet=4)
    )
    assert entropy(["a", "b", "a"], durations=[1, 4, 3]) == pytest.approx(entropy(list("abab")))


@given(words)
def test_turbulence_counts_subsequences(word):
    spells = [name for i, name in enumerate(word) if i == 0 or word[i - 1] != name]
    seen = {
        tuple(spells[i] for i in chosen)
        for size in range(len(spells) + 1)
        for chosen in combinations(range(len(spells)), size)
    }
    assert turbulence(spells) == pytest.approx(math.log2(len(seen)))


def test_a_sequence_of_thousands_does_not_overflow():
    rng = np.random.default_rng(1)
    word = [f"t{i}" for i in rng.integers(0, 9, 3000)]
    spells = [name for i, name in enumerate(word) if i == 0 or word[i - 1] != name]
    phi, last = [1], {}
    for i, name in enumerate(spells, start=1):  # exact, with Python's integers
        phi.append(2 * phi[-1] - (phi[last[name] - 1] if name in last else 0))
        last[name] = i
    lengths = np.diff([i for i, n in enumerate(word) if i == 0 or word[i - 1] != n] + [len(word)])
    mean = lengths.mean()
    greatest = (len(spells) - 1) * (1 - mean) ** 2
    expected = math.log2(phi[-1]) + math.log2((greatest + 1) / (lengths.var() + 1))
    assert turbulence(word) == pytest.approx(expected, rel=1e-12)


@given(st.lists(words, min_size=1, max_size=8))
def test_journeys_give_what_each_sequence_gives(listed):
    journeys = cx.Journeys.from_paths(listed, converted=[1] * len(listed))
    names = sorted({name for word in listed for name in word})
    for measure in (complexity, entropy):
        one_by_one = [measure(word, alphabet=names) for word in listed]
        assert measure(journeys) == pytest.approx(one_by_one)
    assert turbulence(journeys) == pytest.approx([turbulence(word) for word in listed])


@given(words, st.permutations("abcd"))
def test_names_do_not_matter(word, other):
    renamed = [other["abcd".index(name)] for name in word]
    assert turbulence(renamed) == pytest.approx(turbulence(word))
    assert complexity(renamed, alphabet=4) == pytest.approx(complexity(word, alphabet=4))
    assert entropy(renamed, alphabet=4) == pytest.approx(entropy(word, alphabet=4))


@given(words)
def test_values_lie_in_their_ranges(word):
    assert turbulence(word) >= 1 - 1e-12
    assert 0 <= complexity(word, alphabet=4) <= 1 + 1e-12
    assert 0 <= entropy(word, alphabet=4) <= 1 + 1e-12


def test_an_empty_sequence_has_no_value():
    for measure in (turbulence, complexity, entropy):
        assert math.isnan(measure([]))


def test_a_journey_without_touches_has_no_value():
    log = cx.InteractionLog.from_frame(
        {
            "who": ["a", "b", "b"],
            "when": ["2026-01-01", "2026-01-01", "2026-01-02"],
            "what": ["buy", "web", "buy"],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
    )
    journeys = log.journeys(goal="buy", all_closed=True)
    for measure, of_one in ((turbulence, 1.0), (complexity, 0.0), (entropy, 0.0)):
        assert measure(journeys) == pytest.approx([math.nan, of_one], nan_ok=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: turbulence("abc"), "of must be a sequence of names or journeys"),
        (lambda: turbulence(["a", "b"], durations=[1]), "durations must hold 2 numbers; got 1"),
        (lambda: turbulence(["a", "b"], durations=[1, 0.5]), r"durations\[1\] must be a number"),
        (lambda: entropy(["a", "b"], alphabet=1), "alphabet must be at least the 2 names; got 1"),
        (lambda: entropy(["a"], alphabet="abc"), "alphabet must be a number or several names"),
        (lambda: entropy(["a"], alphabet=2.5), "several names; got 2.5"),
        (lambda: complexity(["a"], alphabet=[None]), "alphabet must hold names only"),
        (lambda: turbulence(7), "of must be a sequence of names or journeys; got 7"),
        (lambda: entropy(LOG), "of must be Journeys, not InteractionLog"),
        (lambda: turbulence(["a"], durations=["long"]), "durations must be numbers"),
        (lambda: turbulence(["a", "b"], durations=3), "durations must hold 2 numbers; got 3"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(InvalidValue, match=message):
        call()


def test_a_name_outside_the_alphabet_is_named():
    with pytest.raises(UnknownName, match="name 'webb' is not in the alphabet; did you mean 'web'"):
        complexity(["webb", "cart"], alphabet=["web", "cart"])


def test_an_alphabet_may_be_counted_by_numpy():
    assert entropy(["a", "b"], alphabet=np.int64(4)) == entropy(["a", "b"], alphabet=4)
