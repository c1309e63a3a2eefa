"""Every number that TraMineR 2.2-12 gives of its data, by the library or a few lines on it.

Indices that need an order of states (Ritschard 2021) are recipes on the columns of journeys.
"""

from __future__ import annotations

import csv
import json
import re
from datetime import timedelta
from itertools import cycle, islice
from typing import Any

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.omnichannel import transitions
from cxjourney.sequences import complexity, entropy, turbulence

SHORT = dict(zip(
    ("EM", "FE", "HE", "JL", "SC", "TR"),
    ("employment", "FE", "HE", "joblessness", "school", "training"),
    strict=True,
))  # fmt: skip
MVAD = "mvad columns 17..86 (Sep.93..Jun.99)"


def log_of(ids, table):
    """Return a log of states, a row of the table each."""
    states = [f"s{k}" for k in range(len(table[0]))]
    columns = dict(zip(states, map(list, zip(*table, strict=True)), strict=True))
    return cx.from_sequences(
        {"id": ids, **columns},
        customer="id",
        states=states,
        start="1993-09-01",
        step=timedelta(days=30),
    )


@pytest.fixture(scope="module")
def mvad(shared):
    """Return the journeys, the names of the months, and the weight of each journey."""
    with (shared / "data" / "tramine_mvad" / "mvad.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    months = list(rows[0])[16:]  # columns 17 to 86, as the oracle was computed
    assert (months[0], months[-1], len(months)) == ("Sep.93", "Jun.99", 70)
    log = log_of([row["id"] for row in rows], [[row[month] for month in months] for row in rows])
    journeys = log.journeys()
    weight = {row["id"]: float(row["weight"]) for row in rows}
    return journeys, months, np.array([weight[who] for who in ids_of(journeys)])


def ids_of(journeys):
    return [journeys.log.customer_ids[c] for c in journeys.customer.tolist()]


# ---------------------------------------------------------------------- indices without an order


@pytest.fixture(scope="module")
def measured(mvad):
    """Return all indices of the table of TraMineR, a value a journey."""
    journeys, *_ = mvad
    spells = journeys.log.collapse_repeats().journeys()
    assert ids_of(spells) == ids_of(journeys)
    most = turbulence(list(islice(cycle("abcdef"), 70)))
    return {
        "transn": spells.lengths - 1,
        "entropy_norm": entropy(journeys),
        "entropy_raw_nat": entropy(journeys) * np.log(6),
        "complexity": complexity(journeys),
        "turbulence": turbulence(journeys),
        "turbulence_norm": (turbulence(journeys) - 1) / (most - 1),
        "nsubseq": 2 ** turbulence(spells),  # spells that last equally long
        "dss_len": spells.lengths,
    }


def test_all_sequences_of_mvad_agree_with_traminer(shared, mvad, measured):
    path = shared / "oracles" / "traminer_mvad_17_86_indicators.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row.pop("id"): row for row in csv.DictReader(file)}
    ids = ids_of(mvad[0])
    assert len(ids) == len(rows) == 712
    assert set(measured) == set(rows[ids[0]])
    for name, values in measured.items():
        told = np.array([float(rows[who][name]) for who in ids])
        np.testing.assert_allclose(values, told, rtol=1e-10, atol=1e-11, err_msg=name)


# ---------------------------------------------------------------------- the printed reference


@pytest.fixture(scope="module")
def printed(shared):
    """Return the lines below each heading."""
    text = (shared / "oracles" / "traminer_reference_output.txt").read_text(encoding="utf-8")
    parts = text.split("\n## ")[1:]
    return {part.split("\n")[0]: part.split("\n")[1:] for part in parts}


HEADINGS = {  # what is told, and the test below that has it
    "mvad[,17:86] summary of indicators (unweighted)": "test_the_summary_of_mvad",
    "seqtrate mvad (unweighted seqdef)": "test_rates_of_transitions",
    "seqtrate mvad counts": "test_rates_of_transitions",
    "seqtrate mvad WEIGHTED (the published vignette table, rounded to 2)": (
        "test_rates_with_weights_and_states_by_month"
    ),
    "seqstatd weighted first 8 months": "test_rates_with_weights_and_states_by_month",
    "first 10 mvad, SPS": "test_spells_and_frequent_paths",
    "LCS distances, mvad first 6": "test_distances_by_the_frame_of_states",
    "OM distances, indel 1, constant sub 2, mvad first 6": "test_distances_by_the_frame_of_states",
    "Hamming, mvad first 6": "test_distances_by_the_frame_of_states",
    "10 most frequent mvad sequences": "test_spells_and_frequent_paths",
}


def test_every_part_of_the_reference_has_its_test(printed):
    assert set(printed) == set(HEADINGS)
    assert set(HEADINGS.values()) <= set(globals())


def numbers(lines, *, skip):
    """Return the numbers of a printed table, whose lines and columns have names."""
    return np.array([[float(x) for x in line.split()[skip:]] for line in lines if line.strip()])


def test_the_summary_of_mvad(printed, measured):
    told: dict[str, list[tuple[str, float, int]]] = {}
    names: list[str] = []
    for line in printed["mvad[,17:86] summary of indicators (unweighted)"]:
        if ":" not in line:
            names = line.split()
            continue
        cells = re.findall(r"([A-Z1-3][\w. ]*?)\.? *: *([\d.]+)", line)
        for name, (what, number) in zip(names, cells, strict=True):
            digits = len(number.partition(".")[2])
            told.setdefault(name, []).append((what, float(number), digits))
    assert set(told) == set(measured)
    functions = {
        "Min": np.min, "1st Qu": lambda x: np.quantile(x, 0.25), "Median": np.median,
        "Mean": np.mean, "3rd Qu": lambda x: np.quantile(x, 0.75), "Max": np.max,
    }  # fmt: skip
    for name, cells in told.items():
        assert [what for what, *_ in cells] == list(functions)
        for what, number, digits in cells:
            found = functions[what](measured[name])
            assert found == pytest.approx(number, abs=0.51 * 10**-digits), (name, what)


def matrix_of(moves, value):
    """Return a matrix of transitions in the order of TraMineR."""
    place = [moves.names.index(SHORT[name]) for name in SHORT]
    return moves.matrix(value)[np.ix_(place, place)]


def test_rates_of_transitions(printed, mvad):
    journeys, *_ = mvad
    moves = transitions(journeys, by="touchpoint", closing=False)
    counts = numbers(printed["seqtrate mvad counts"][1:], skip=2)
    np.testing.assert_array_equal(matrix_of(moves, "count"), counts)
    rates = numbers(printed["seqtrate mvad (unweighted seqdef)"][1:], skip=2)
    np.testing.assert_allclose(matrix_of(moves, "probability"), rates, rtol=1e-7)


def states_of(mvad):
    """Return the number of each state in the order of TraMineR, a row a journey."""
    journeys, *_ = mvad
    frame = journeys.to_frame("sts", by="touchpoint", backend="pandas")
    assert frame["customer"].tolist() == ids_of(journeys)
    number = {name: i for i, name in enumerate(SHORT.values())}
    return np.vectorize(number.get)(frame[frame.columns[2:]].to_numpy())


def test_rates_with_weights_and_states_by_month(printed, mvad):
    """Weights come with a sample; they are a factor of each row of the frame of states."""
    *_, months, weight = mvad
    states, k = states_of(mvad), len(SHORT)
    flows = np.bincount(
        (states[:, :-1] * k + states[:, 1:]).ravel(), np.repeat(weight, 69), k * k
    ).reshape(k, k)
    heading = "seqtrate mvad WEIGHTED (the published vignette table, rounded to 2)"
    rates = numbers(printed[heading][1:], skip=2)
    np.testing.assert_allclose(flows / flows.sum(1, keepdims=True), rates, rtol=1e-7)
    lines = printed["seqstatd weighted first 8 months"]
    assert lines[1].split() == months[:8]
    shares = np.stack([np.bincount(month, weight, k) for month in states.T[:8]], axis=1)
    shares /= weight.sum()
    np.testing.assert_allclose(shares, numbers(lines[2:8], skip=1), atol=5.1e-4)
    assert [line.split()[0] for line in lines[2:8]] == list(SHORT)
    valid = next(i for i, line in enumerate(lines) if "Valid states" in line)
    assert set(lines[valid + 2].split()[1:]) == {str(len(states))}
    with np.errstate(divide="ignore", invalid="ignore"):
        h = -np.nansum(shares * np.log(shares), axis=0) / np.log(k)
    index = next(i for i, line in enumerate(lines) if "Entropy index" in line)
    np.testing.assert_allclose(h, numbers([lines[index + 2]], skip=1)[0], atol=5.1e-3)


def spelt(text, between):
    """Return the states and their lengths that a text of TraMineR has."""
    pairs = (spell.strip("()").split(between) for spell in re.split(r"(?<=[\d)])-", text))
    return [(SHORT[name], int(n)) for name, n in pairs]


def test_spells_and_frequent_paths(printed, mvad):
    journeys, *_ = mvad
    frame = journeys.to_frame("spell", by="touchpoint", backend="pandas")
    for line in printed["first 10 mvad, SPS"][1:11]:
        who, text = line.split()
        mine = frame[frame["customer"] == who]
        lengths = mine["end"] - mine["begin"] + 1
        assert list(zip(mine["status"], lengths, strict=True)) == spelt(text, ",")
    found = cx.sequences.paths(journeys)
    counts = dict(zip(found.steps, found.counts.tolist(), strict=False))
    lines = printed["10 most frequent mvad sequences"][1:11]
    for line in lines:
        text, n, percent = line.split()
        path = tuple(name for name, length in spelt(text, "/") for _ in range(length))
        assert counts[path] == int(n)
        assert 100 * counts[path] / len(journeys) == pytest.approx(float(percent), abs=5.1e-3)
    assert found.counts[:10].tolist() == [int(line.split()[1]) for line in lines]


def test_distances_by_the_frame_of_states(printed, mvad):
    """Distances of pairs are no result here, but follow from the frame of states."""
    journeys, *_ = mvad
    place = [ids_of(journeys).index(str(i)) for i in range(1, 7)]
    states = states_of(mvad)[place]
    hamming = (states[:, None] != states).sum(axis=2)
    lines = printed["Hamming, mvad first 6"][1:]
    np.testing.assert_array_equal(hamming, numbers(lines, skip=1))
    n, length = states.shape
    common = np.zeros((length + 1, length + 1, n, n), dtype=int)  # the longest common subsequence
    for i in range(length):
        for j in range(length):
            same = states[:, None, i] == states[None, :, j]
            either = np.maximum(common[i, j + 1], common[i + 1, j])
            common[i + 1, j + 1] = np.where(same, common[i, j] + 1, either)
    apart = 2 * length - 2 * common[length, length]
    for heading in HEADINGS:
        if heading.startswith(("LCS", "OM")):  # with these costs they are the same
            np.testing.assert_array_equal(apart, numbers(printed[heading][1:], skip=1))


# ---------------------------------------------------------------------- indices with an order


def with_order(log, order):
    """Return the journeys, and indices of states that are better or worse, a value a journey."""
    journeys = log.journeys()
    coded, n, length = journeys.columns.coded["touchpoint"], len(journeys), journeys.lengths
    rank = {name: i / (len(order) - 1) for i, name in enumerate(order)}
    bad = np.array([rank[name] for name in coded.names])[coded.codes]  # 0 best, 1 worst
    of = np.repeat(np.arange(n), length)
    first = journeys.offsets[:-1]
    position = np.arange(len(of)) - first[of] + 1

    def by_journey(values, rows=slice(None)):
        return np.bincount(of[rows], values, minlength=n)

    new = np.diff(coded.codes, prepend=-1) != 0
    new[first] = False
    change = np.flatnonzero(new)
    starts = np.union1d(first, change)
    spell = np.searchsorted(starts, np.arange(len(of)), side="right") - 1
    later = np.bincount(spell, position) / (length * (length + 1) / 2)[of[starts]]
    share = np.bincount(spell) / length[of[starts]]
    worse = bad[change] - bad[change - 1]
    moves = transitions(log.collapse_repeats().journeys(), by="touchpoint", closing=False)
    place = np.array([moves.names.index(name) for name in coded.names])[coded.codes]
    likely = moves.matrix("probability")
    likely = likely * (0.9 if np.nanmax(likely) > 0.99 else 1.0)
    rare = 1 - likely[place[change - 1], place[change]]

    def net(weight):
        moved = by_journey(weight, change)
        down = by_journey(np.sign(worse) * weight, change)
        return np.divide(down, moved, out=np.zeros(n), where=moved > 0)

    n_changes = by_journey(np.ones(len(change)), change)
    visited = np.bincount(np.unique([of, coded.codes], axis=1)[0], minlength=n)
    k, c, begin = len(order), complexity(journeys), bad[first]
    moving = n_changes / (length - 1)
    by_rank, by_rarity = net(np.abs(worse)), net(rare)
    pushed = by_journey(worse * later[spell[change]], change)
    insecurity = begin * later[spell[first]] + c + pushed
    best, worst = np.minimum.reduceat(bad, first), np.maximum.reduceat(bad, first)
    return journeys, {
        "transn": n_changes,
        "visited": visited,
        "complexity": c,
        "volatility": 0.5 * (visited - 1) / (k - 1) + 0.5 * moving,
        "volatility_unadj": 0.5 * visited / k + 0.5 * moving,
        "volatility_w07": 0.7 * (visited - 1) / (k - 1) + 0.3 * moving,
        "degrad_rank_pow1": pushed,
        "degrad_rank_powF": by_rank,
        "degrad_tratedss_powF": by_rarity,
        "degrad_one_powF": net(np.ones(len(change))),
        "precarity": 0.2 * begin + 0.8 * c * (1 + by_rarity) ** 1.2,
        "precarity_rank": 0.2 * begin + 0.8 * c * (1 + by_rank) ** 1.2,
        "insecurity": insecurity,
        "insecurity_spow0": (
            begin * share[spell[first]] + c + by_journey(worse * share[spell[change]], change)
        ),
        "insecurity_bound": np.clip(insecurity, best, worst),
        "badness": by_journey(bad * position) / (length * (length + 1) / 2),
    }


@pytest.fixture(scope="module")
def ordered(shared) -> dict[str, Any]:
    text = (shared / "oracles" / "sequence_indicators.json").read_text(encoding="utf-8")
    return {case["name"]: case for case in json.loads(text)["cases"]}


def test_indices_of_ordered_states_of_tiny_sequences(ordered):
    assert set(ordered) == {"tiny", MVAD}
    case = ordered["tiny"]
    assert (case["alphabet"], case["order"]) == ("A,B,C", "A best, C worst")
    told = {str(i): one for i, one in enumerate(case["answer"])}
    log = log_of(list(told), [one["seq"].split("-") for one in told.values()])
    journeys, found = with_order(log, ["A", "B", "C"])
    ids = ids_of(journeys)
    assert {"seq", *found} == set(told["0"])
    for name, values in found.items():
        assert values == pytest.approx([told[who][name] for who in ids], abs=1e-13), name


def test_indices_of_ordered_states_of_mvad(ordered, mvad):
    case = ordered[MVAD]
    assert set(case["alphabet"].split(",")) == set(case["order"]) == set(SHORT.values())
    journeys, found = with_order(mvad[0].log, case["order"])
    place = {who: i for i, who in enumerate(ids_of(journeys))}
    assert set(found) == set(case["summary"])
    for name, values in found.items():
        summary = {what: getattr(values, what)() for what in case["summary"][name]}
        assert summary == pytest.approx(case["summary"][name], abs=1e-13), name
        for row in case["first_40_rows"]:
            assert values[place[str(row["id"])]] == pytest.approx(row[name], abs=1e-13)
            assert set(row) == {"id", *found}


def test_the_recipe_of_the_page_gives_these_indices(ordered, project_root):
    page = project_root / "docs" / "how-to" / "take-journeys-elsewhere.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    recipe = next(block for block in blocks if "badness = " in block)
    told = {str(i): one for i, one in enumerate(ordered["tiny"]["answer"])}
    journeys = log_of(list(told), [one["seq"].split("-") for one in told.values()]).journeys()
    found: dict[str, Any] = {"np": np, "cx": cx, "journeys": journeys}
    exec(recipe, found)  # noqa: S102 - our own page, whose order is that of the alphabet
    for name, key in (
        ("badness", "badness"),
        ("degradation", "degrad_rank_pow1"),
        ("insecurity", "insecurity"),
        ("volatility", "volatility"),
    ):
        assert found[name] == pytest.approx([told[who][key] for who in ids_of(journeys)])
