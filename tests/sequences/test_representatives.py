"""Representative journeys: the ground truths of others, edits by hand, and every choice tried."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.sequences import representatives
from cxjourney.sequences._representatives import _edits, _medoids


def edits(one, other):
    line = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, line = line, [i]
        for j, b in enumerate(other, 1):
            line.append(min(before[j] + 1, line[-1] + 1, before[j - 1] + (a != b)))
    return line[-1]


def paths(*texts, **ends):
    return cx.Journeys.from_paths(
        [list(text) for text in texts], **ends or {"dropped": [1] * len(texts)}
    )


def padded(texts):
    longest = max(map(len, texts), default=0)
    codes = np.full((len(texts), longest), -1, dtype=np.int64)
    for line, text in zip(codes, texts, strict=True):
        line[: len(text)] = [ord(letter) for letter in text]
    return codes, np.array([len(text) for text in texts], dtype=np.int64)


words = st.lists(st.text("abc", max_size=6), min_size=1, max_size=5)


@given(words, words)
def test_edits_are_those_of_the_textbook(one, other):
    found = _edits(*itertools.chain(padded(one), padded(other)))
    assert found.tolist() == [[edits(a, b) for b in other] for a in one]


def test_ground_truths_are_found_as_well_as_by_the_best_of_others(shared):
    known = json.loads((shared / "oracles" / "clustering.json").read_text())["cases"][1]
    folder = shared / "data" / "cjm_genetic_ground_truth"
    fitness, jaccard, worse = [], [], 0
    for case in known["answer"]:
        name = f"size{case['size']}__dataset-analysis__{case['setting']}__{case['repeat']}"
        rows = (folder / f"{name}.data").read_text().split()
        truth = set((folder / f"{name}.gt").read_text().split())
        found = representatives(
            cx.Journeys.from_paths([row.split("-") for row in rows], dropped=[1] * len(rows)),
            case["true_k"],
        )
        mine = {path.replace(" > ", "-") for path in found.table["path"]}
        fitness.append(found.fitness)
        jaccard.append(len(mine & truth) / len(mine | truth))
        worse += found.fitness < case["pam_edit_distance_true_k"]["fitness"] - 0.01
    said = known["summary"]
    assert worse == 0
    assert np.mean(fitness) >= said["pam_edit_distance_true_k"]["mean_fitness"] - 1e-3
    assert np.mean(fitness) > said["top_k_variants"]["mean_fitness"]
    best = max(said[one]["mean_jaccard"] for one in ("top_k_variants", "pam_edit_distance_true_k"))
    assert np.mean(jaccard) >= best - 0.05


def test_medoids_are_the_best_of_every_choice_of_small_worlds():
    rng = np.random.default_rng(3)
    best = 0
    for _ in range(40):
        far = rng.integers(0, 9, (7, 7))
        far = far + far.T
        np.fill_diagonal(far, 0)
        weight = rng.integers(1, 5, 7)
        chosen = _medoids(far, weight, 3)
        cost = min(
            int((far[:, list(some)].min(axis=1) * weight).sum())
            for some in itertools.combinations(range(7), 3)
        )
        mine = int((far[:, chosen].min(axis=1) * weight).sum())
        assert mine <= 1.25 * cost + 1
        best += mine == cost
    assert best >= 32  # swaps end in a local optimum now and then


def test_by_hand():
    journeys = paths("abc", "abc", "abx", "q", "qq")
    found = representatives(journeys, 2)
    assert set(found.table["path"]) == {"a > b > c", "q"} or "q > q" in found.table["path"]
    assert found.table["journeys"].tolist() == [3, 2]
    assert found.fitness == pytest.approx(1 - 2 / 12)
    assert found.coverage == pytest.approx(3 / 5)
    assert found.simplicity == pytest.approx(1 - 2 / 4)
    assert representatives(journeys, 20).fitness == 1


def test_journeys_lead_back_and_names_and_order_do_not_matter():
    log = cx.datasets.sample(seed=2, customers=150).log
    journeys = log.journeys(goal="order", inactivity="14d")
    found = representatives(journeys, 4)
    for i, n in enumerate(found.table["journeys"]):
        assert len(found.journeys(i, outcome="any")) == n
    assert found.table["journeys"].sum() == found.n_journeys
    some = journeys.where(np.arange(len(journeys)) % 2 == 0)
    assert representatives(some, 1).n_journeys == int((some.lengths > 0).sum())
    assert cx.load(found.to_dict()) == found


def test_nothing_has_none_and_odd_numbers_are_refused():
    with pytest.raises(InvalidValue, match="k must be"):
        representatives(paths("ab"), 0)
    nothing = representatives(cx.InteractionLog.from_interactions([]).journeys())
    assert len(nothing.table) == 0
    assert np.isnan(nothing.fitness)
