"""A scale is named once: every door of scores checks it, and the log carries it on."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidData, InvalidValue, OutOfScale
from cxjourney.metrics import Scale

ROLES = {"customer": "who", "timestamp": "at", "touchpoint": "what"}
NPS, CSAT = Scale.ZERO_TO_TEN, Scale.FIVE_POINT


def table(*scores):
    n = len(scores)
    at = [f"2026-01-{1 + i:02}" for i in range(n)]
    return {"who": [f"c{i}" for i in range(n)], "at": at, "what": ["call"] * n, "score": [*scores]}


def from_frame(data, folder, **further):
    return cx.InteractionLog.from_frame(data, **ROLES, **further)


def from_interactions(data, folder, scale=None, **roles):
    items = [
        cx.Interaction(
            customer=who,
            touchpoint="call",
            timestamp=datetime.fromisoformat(f"{at}T00:00Z"),
            **{role: value},
        )
        for who, at, value in zip(data["who"], data["at"], data["score"], strict=True)
        for role in roles
    ]
    return cx.InteractionLog.from_interactions(items, scale=scale)


def read_csv(data, folder, **further):
    rows = zip(*data.values(), strict=True)
    lines = [",".join(data), *(",".join(map(str, row)) for row in rows)]
    (folder / "hits.csv").write_text("\n".join(lines))
    return cx.read_csv(folder / "hits.csv", **ROLES, **further)


@pytest.mark.parametrize("role", ["score", "expectation"])
@pytest.mark.parametrize("door", [from_frame, from_interactions, read_csv])
def test_every_door_refuses_what_is_off_the_scale_and_says_where(door, role, tmp_path):
    assert door(table(0, 10), tmp_path, **{role: "score"}, scale=NPS).scale == NPS
    with pytest.raises(OutOfScale, match=f"{role} must be whole numbers on the scale 0-10") as told:
        door(table(9, 11, 3, -1, 10), tmp_path, **{role: "score"}, scale=NPS)
    assert told.value.positions == (1, 3)
    assert door(table(9, 11), tmp_path, **{role: "score"}).scale is None


@pytest.mark.parametrize("door", [from_frame, from_interactions, read_csv])
def test_what_is_no_scale_is_refused(door, tmp_path):
    with pytest.raises(InvalidValue, match=r"scale must be a Scale, such as Scale\(1, 5\)"):
        door(table(9, 3), tmp_path, score="score", scale=(0, 10))


def test_the_scale_goes_with_the_log_and_is_the_one_of_the_report():
    data = table(*[1, 2, 3, 4, 5] * 5)
    log = from_frame(data, None, score="score", scale=NPS)
    some = log.filter(touchpoints="call").between("2026-01-02")
    assert some.scale == copy.deepcopy(some).scale == NPS
    journeys = log.journeys(all_closed=True, after_goal="discard")
    text = cx.report.build(journeys).to_text()
    assert "nps" in text  # which 1 to 5 alone would not have said
    assert "were read as a scale" not in text
    assert cx.report.build(journeys, scale=NPS).to_text() == text
    with pytest.raises(InvalidValue, match=r"be the one of the log \(0-10\)"):
        cx.report.build(journeys, scale=CSAT)


def test_a_report_on_a_scale_without_whole_numbers_is_made():
    log = from_frame(table(0.5, 2.25, 1.0), None, score="score")
    journeys = log.journeys(all_closed=True, after_goal="discard")
    assert "mean score" in cx.report.build(journeys, scale=Scale(0, 3, integer=False)).to_text()


def test_logs_are_put_together_on_one_scale():
    first = from_frame(table(9, 3), None, score="score", scale=NPS)
    other = from_frame(table(1, 5) | {"what": ["web"] * 2}, None, score="score", scale=CSAT)
    plain = from_frame(table(1, 11) | {"what": ["web"] * 2}, None)
    assert cx.InteractionLog.concat([first, plain]).scale == NPS
    with pytest.raises(InvalidData, match="several scales: 0-10, 1-5"):
        cx.InteractionLog.concat([first, other])
    wrong = from_frame(table(1, 11) | {"what": ["web"] * 2}, None, score="score")
    with pytest.raises(OutOfScale, match="got 11"):
        cx.InteractionLog.concat([first, wrong])


def bind(log, *values, **further):
    at = [datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=i) for i in range(len(values))]
    who = ["c0", "c1", "stranger", "c0", "c0", "c0", "c0"][: len(values)]
    return cx.experience.bind_answers(log, customer=who, answered_at=at, value=values, **further)


def test_answers_are_on_the_scale_of_the_log_or_name_it():
    plain = from_frame(table(1, 2), None)
    named = from_frame(table(1, 2), None, scale=NPS)
    assert bind(plain, 11).log.scale is None
    assert bind(plain, 9, scale=NPS).log.scale == bind(named, 9).log.scale == NPS
    for call in (lambda: bind(named, 9, 4, 12), lambda: bind(plain, 9, 4, 12, scale=NPS)):
        with pytest.raises(OutOfScale, match="on the scale 0-10; got 12 at 2"):
            call()  # of a stranger, and none the less
    with pytest.raises(InvalidValue, match=r"be the one of the log \(0-10\); got '1-5'"):
        bind(named, 3, scale=CSAT)
    scored = from_frame(table(1, 7), None, score="score")
    with pytest.raises(OutOfScale, match="on the scale 1-5; got 7"):
        bind(scored, 3, scale=CSAT)


def test_emotions_have_a_scale_of_their_own():
    log = from_frame(table(1, 2), None, scale=NPS)
    assert bind(log, -1, 0.5, measure="emotion").log.scale == NPS
    with pytest.raises(OutOfScale, match=r"got 1\.5 at 1"):
        bind(log, -1, 1.5, measure="emotion")
    with pytest.raises(InvalidValue, match="be left out of emotions"):
        bind(log, 1, measure="emotion", scale=NPS)


def test_a_mean_of_several_answers_lies_between_two_and_is_kept():
    log = from_frame(table(1), None, scale=NPS)
    bound = bind(log, 8, 9, several="mean", scale=NPS)
    assert bound.outcomes["bound"] == 1
    mean = cx.experience.bind_answers(
        log,
        customer=["c0", "c0"],
        answered_at=[datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)],
        value=[8, 9],
        several="mean",
    ).log
    assert mean.columns.numeric["score"].tolist() == [8.5]
    assert mean.scale == Scale(0, 10, integer=False)
    cx.report.build(mean.journeys(all_closed=True, after_goal="discard"))
