"""Overlap of findings: shares explained, echoes of what was found before, gains after selection."""

from __future__ import annotations

from datetime import timedelta

import attrs
import numpy as np
import pytest

import cxjourney as cx
from cxjourney._findings import findings
from cxjourney._findings._claims import Claim, cell_of, retested
from cxjourney._findings._gains import gain_of, share_explained
from cxjourney._findings._pipeline import NOTHING, Judged, judge, loss_per_visit
from cxjourney._findings._trials import Trials


def one_visit_each(cells: list[tuple[str, str, int, int]]) -> Trials:
    """Return trials of customers who come once: touchpoint, segment, visits, exits."""
    rows, segment = [], {}
    for touchpoint, kind, n, exits in cells:
        for i in range(n):
            name = f"{touchpoint}-{kind}-{i}"
            day = i % 200
            rows.append((name, touchpoint, day))
            segment[name] = kind
            if i >= exits:
                rows.append((name, "buy", day + 1))
    # one who comes long after all others: everybody was followed
    rows += [("last", cells[0][0], 400), ("last", "buy", 401)]
    segment["last"] = "other"
    customer, touchpoint, day = zip(*rows, strict=True)
    log = cx.InteractionLog.from_frame(
        {
            "c": customer,
            "t": touchpoint,
            "s": ["shop"] * len(rows),
            "k": [segment[name] for name in customer],
            "w": np.datetime64("2026-01-01", "us") + np.array(day) * np.timedelta64(1, "D"),
        },
        customer="c",
        touchpoint="t",
        timestamp="w",
        stage="s",
        attributes=["k"],
        tz="UTC",
    )
    return Trials.of(log.journeys(goal="buy", inactivity=timedelta(days=7)), ["k"])


PEERS = [(name, "other", 1_000, 200) for name in ("form", "help", "list")]


@pytest.mark.parametrize(
    ("others", "share", "said"),
    [
        (160, 1.0, "no more often than at its peers"),
        (184, 0.5, "more often than at its peers, too"),
    ],
)
def test_share_of_the_excess_that_a_segment_explains(others: int, share: float, said: str) -> None:
    # 200 students leave half the time, peers a fifth; the others a fifth, or such that half is left
    students = 100 if others == 160 else 76
    trials = one_visit_each(
        [("cart", "student", 200, students), ("cart", "other", 800, others), *PEERS]
    )
    attribute = trials.attributes[0]
    claim = Claim(
        kind="segment",
        outcome="exit",
        touchpoint=trials.names.index("cart"),
        attribute=0,
        level=attribute.values.index("student"),
    )
    found = attrs.evolve(
        NOTHING, ends=np.zeros(4, dtype=bool), excess_tested=np.ones(4, dtype=bool)
    )
    judged = Judged(claim=claim, adjusted=0.0, cut=0.01, sure=True)
    explained = share_explained(trials, judged, found, level=0.95)
    assert explained is not None
    value, low, high, sentence = explained
    whole = (students + others) / 1_000 - 0.2
    rest = others / 800 - 0.2
    assert value == pytest.approx(1 - rest / whole, abs=2e-3)
    assert value == pytest.approx(share, abs=0.06)
    assert low < value <= high
    assert said in sentence


def test_a_cell_retested_is_that_of_the_rest() -> None:
    trials = one_visit_each([("cart", "student", 200, 100), ("cart", "other", 800, 160), *PEERS])
    level = trials.attributes[0].values.index("student")
    claim = Claim(
        kind="segment",
        outcome="exit",
        touchpoint=trials.names.index("cart"),
        attribute=0,
        level=level,
    )
    inside = cell_of(trials, claim)
    assert inside.sum() == 200
    effect, error, p = retested(trials, claim, np.ones(len(inside), dtype=bool))
    assert effect == pytest.approx(0.5 - 160 / 800)
    assert error == pytest.approx(np.sqrt(0.5 * 0.5 / 200 + 0.2 * 0.8 / 800), rel=0.1)
    assert p < 1e-10
    kept = ~inside | (np.cumsum(inside) > 190)  # of the students ten are left, none of whom exits
    assert retested(trials, claim, kept)[0] == pytest.approx(-160 / 800)


def test_gain_of_a_sure_finding_is_above_zero_and_below_the_raw_one() -> None:
    trials = one_visit_each([("cart", "student", 200, 100), ("cart", "other", 800, 160), *PEERS])
    claim = Claim(
        kind="segment",
        outcome="exit",
        touchpoint=trials.names.index("cart"),
        attribute=0,
        level=trials.attributes[0].values.index("student"),
        effect=0.3,
        error=0.075,
        units=200.0,
        p=3.2e-5,
    )  # z = 4
    inside = cell_of(trials, claim)
    raw = 200 * loss_per_visit(trials, claim, inside)
    assert raw == pytest.approx(200 * 0.3, rel=0.01)  # whoever goes on buys
    sure = Judged(claim=claim, adjusted=0.01, cut=1e-3, sure=True)
    value, low, high, error = gain_of(trials, sure, inside, level=0.95)
    assert error == pytest.approx(raw / 4, rel=0.01)
    assert 0 < low < value < raw < high
    easy = attrs.evolve(sure, cut=0.4)
    assert gain_of(trials, easy, inside, level=0.95)[0] == pytest.approx(raw, rel=0.01)
    watched = attrs.evolve(sure, sure=False)
    assert gain_of(trials, watched, inside, level=0.95)[0] < raw


def test_correlated_attribute_is_an_echo() -> None:
    """Whoever is a student is mostly young: one finding, not two."""
    rng = np.random.default_rng(3)
    rows = []
    for i in range(6_000):
        student = rng.random() < 0.25
        young = rng.random() < (0.85 if student else 0.15)
        day = int(rng.integers(0, 300))
        place = ("cart", "form", "help", "list")[int(rng.integers(0, 4))]
        lost = rng.random() < (0.5 if student and place == "cart" else 0.2)
        key = (f"c{i}", str(student), str(young))
        rows.append((*key, place, day))
        if not lost:
            rows.append((*key, "buy", day + 1))
    customer, student_, young_, touchpoint, day_ = zip(*rows, strict=True)
    log = cx.InteractionLog.from_frame(
        {
            "c": customer,
            "t": touchpoint,
            "s": ["shop"] * len(rows),
            "student": student_,
            "young": young_,
            "w": np.datetime64("2026-01-01", "us") + np.array(day_) * np.timedelta64(1, "D"),
        },
        customer="c",
        touchpoint="t",
        timestamp="w",
        stage="s",
        attributes=["student", "young"],
        tz="UTC",
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    found = findings(journeys, segments=["student", "young"])
    assert [(one.where, one.who) for one in found] == [("cart", "student: True")]
    assert any("explained by those above" in note for note in found.notes)
    # alone it is found: it was not too weak, but carried
    alone = findings(journeys, segments=["young"])
    assert ("cart", "young: True") in [(one.where, one.who) for one in alone]
    trials = Trials.of(journeys, ["student", "young"])
    judgement = judge(trials, ends=np.zeros(4, dtype=bool), rate=0.05)
    carried = [one for one in judgement.others if one.carried_by is not None]
    assert carried
    assert all(one.carried_by.attribute == 0 for one in carried if one.carried_by)
