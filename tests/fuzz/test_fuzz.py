from __future__ import annotations

import os

import pytest

from . import DOORS, SHARES
from .judge import run

TIMES = float(os.environ.get("CXJOURNEY_FUZZ", "0.5"))


@pytest.mark.parametrize("door", DOORS)
def test_every_case_is_read_rightly_or_refused(door, tmp_path):
    cases = max(1, round(SHARES[door] * TIMES))
    tally = run(DOORS[door], range(cases), seed=0, folder=tmp_path)
    print(f"{door}: {tally.cases:,} cases, {tally.read:,} read, {tally.refused:,} refused")
    assert not tally.faults, f"{tally.kinds()}\n{tally.faults[0][1]}"
    assert cases < 50 or tally.read
    assert cases < 50 or tally.refused
