from __future__ import annotations

import os

import pytest

from . import patterns

PAIRS = int(os.environ.get("CXJOURNEY_DIFFERENTIAL_PATTERNS", "600"))


@pytest.mark.parametrize("compare", [patterns.compare, patterns.compare_times])
def test_patterns_match_as_two_other_matchers_say(compare):
    matched = compare(PAIRS, seed=19)
    assert PAIRS // 10 < matched < PAIRS  # neither all nor none
