"""Equal sequences without the compiled kernels: by fingerprints that decide nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.kernels import _reference_sequences as reference

sequences = st.lists(st.lists(st.integers(-1, 3), max_size=5), max_size=30)


def sliced(sequences: list[list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    codes = np.array([code for one in sequences for code in one], dtype=np.int8)
    stop = np.cumsum([len(one) for one in sequences], dtype=np.int64)
    return codes, stop - np.array([len(one) for one in sequences], dtype=np.int64), stop


@given(sequences)
def test_groups_are_numbered_by_appearance(sequences):
    group, first = reference.group_sequences(*sliced(sequences))
    distinct = list(dict.fromkeys(map(tuple, sequences)))
    assert [distinct[g] for g in group.tolist()] == [tuple(one) for one in sequences]
    assert first.tolist() == [list(map(tuple, sequences)).index(d) for d in distinct]


@given(sequences)
def test_a_collision_of_fingerprints_changes_nothing(sequences):
    arguments = sliced(sequences)
    expected = reference.group_sequences(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            reference, "_fingerprints", lambda _, lengths: np.zeros(len(lengths), dtype=np.uint64)
        )
        found = reference.group_sequences(*arguments)
    assert [x.tolist() for x in found] == [x.tolist() for x in expected]


def test_fingerprints_are_the_same_in_every_process(project_root):
    code = (
        "import numpy as np\n"
        "from cxjourney.kernels._reference_sequences import _fingerprints\n"
        "print(_fingerprints(np.array([0, 1, 1]), np.array([2, 1])).tolist())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": str(project_root / "src"), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
