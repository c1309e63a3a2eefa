from __future__ import annotations

import csv
import json
import math
from datetime import timedelta

import numpy as np
import pytest

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import logrank
from cxjourney.metrics._survival.logrank import LogrankTest


def days(values):
    return [timedelta(days=float(v)) for v in values]


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_small_oracles(shared):
    items = json.loads((shared / "oracles/survival_small.json").read_text())["items"]
    ran = 0
    for item in items:
        if "group" in item:
            test = logrank(days(item["T"]), item["E"], item["group"])
        elif "a_T" in item:
            first, second = item["a_T"], item["b_T"]
            test = logrank(
                days(first + second),
                [1] * len(first) + item["b_E"],
                ["a"] * len(first) + ["b"] * len(second),
            )
        else:
            continue
        ran += 1
        assert test.statistic == pytest.approx(item["chisq"], rel=3e-3)
        assert test.p_value == pytest.approx(item["p"], rel=2e-2)
    assert ran == 3


def test_rossi_and_waltons_equal_r(shared):
    rows = read(shared / "data/lifelines_survival/rossi.csv")
    test = logrank(
        days(r["week"] for r in rows), [int(r["arrest"]) for r in rows], [r["fin"] for r in rows]
    )
    assert test.statistic == pytest.approx(3.837569577, abs=1e-8)
    assert test.p_value == pytest.approx(0.05011611741, abs=1e-10)
    rows = read(shared / "data/lifelines_survival/waltons_dataset.csv")
    test = logrank(
        days(r["T"] for r in rows),
        [int(float(r["E"])) for r in rows],
        [r["group"] for r in rows],
    )
    assert test.statistic == pytest.approx(122.249125573, abs=1e-7)
    assert test.events.tolist() == [122, 34]
    assert test.expected == pytest.approx([148.92449, 7.07551], abs=1e-5)


def test_two_groups_equal_scipy():
    from scipy import stats

    rng = np.random.default_rng(4)
    length, open_ = rng.integers(1, 30, 120), rng.random(120) < 0.3
    group = rng.integers(0, 2, 120)
    parts = [
        stats.CensoredData(
            length[(group == g) & ~open_].astype(float),
            right=length[(group == g) & open_].astype(float),
        )
        for g in (0, 1)
    ]
    reference = stats.logrank(*parts)
    test = logrank(length * np.timedelta64(1, "h"), ~open_, group)
    assert test.statistic == pytest.approx(reference.statistic**2)
    assert test.p_value == pytest.approx(reference.pvalue)


def test_a_copied_stratum_adds_up():
    rng = np.random.default_rng(6)
    length, event = rng.integers(1, 30, 60) * np.timedelta64(1, "h"), rng.random(60) < 0.7
    group = rng.integers(0, 3, 60)
    one = logrank(length, event, group)
    two = logrank(
        np.concatenate((length, length)),
        np.concatenate((event, event)),
        np.concatenate((group, group)),
        strata=np.repeat(["x", "y"], 60),
    )
    assert one.df == two.df == 2
    assert two.statistic == pytest.approx(2 * one.statistic)


def test_groups_that_never_meet_lower_the_degrees_of_freedom():
    length = np.arange(1, 9) * np.timedelta64(1, "h")
    test = logrank(length, [True] * 8, list("ababcdcd"), strata=list("xxxxyyyy"))
    assert test.df == 2


def test_identical_groups_do_not_differ():
    length = days([1, 2, 3, 4, 5])
    test = logrank(length + length, [1] * 10, ["a"] * 5 + ["b"] * 5)
    assert test.statistic == pytest.approx(0, abs=1e-12)
    assert test.p_value == pytest.approx(1)


def test_without_events_there_is_no_test():
    test = logrank(days([1, 2]), [0, 0], ["a", "b"])
    assert test.df == 0
    assert math.isnan(test.p_value)
    assert logrank([], [], []).df == 0


def test_one_group_is_refused():
    with pytest.raises(InvalidValue, match="at least two groups"):
        logrank(days([1, 2]), [1, 1], ["a", "a"])


def test_missing_labels_are_left_out_and_counted():
    length = days([1, 2, 3, 4, 2])
    test = logrank(length, [1, 1, 1, 0, None], ["a", "b", "a", None, "a"])
    assert test.n.tolist() == [2, 1]
    assert test.n_missing == 2


def test_the_test_survives_json():
    test = logrank(days([1, 2, 3, 4]), [1, 1, 1, 0], list("abab"))
    assert LogrankTest.from_dict(json.loads(json.dumps(test.to_dict()))) == test
