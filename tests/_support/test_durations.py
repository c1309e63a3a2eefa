from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney._support.validation import check_duration
from cxjourney.cli import main
from cxjourney.cli._options import in_units
from cxjourney.exceptions import InvalidValue

LENGTHS = {
    "45s": timedelta(seconds=45),
    "90min": timedelta(minutes=90),
    "12h": timedelta(hours=12),
    "30d": timedelta(days=30),
    "2w": timedelta(weeks=2),
    "1.5h": timedelta(minutes=90),
    " 30 d ": timedelta(days=30),
}


@pytest.mark.parametrize("text", LENGTHS)
def test_a_number_with_its_unit_is_a_length_of_time(text):
    assert check_duration(text, "limit") == LENGTHS[text]
    assert check_duration(LENGTHS[text], "limit") == LENGTHS[text]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (30, "a bare number has none"),
        (30.0, "a bare number has none"),
        ("31", "a bare number has none"),
        ("", "number with its unit"),
        ("d", "number with its unit"),
        ("-3d", "number with its unit"),
        ("1e3d", "number with its unit"),
        ("30 days", "number with its unit"),
        ("30m", "number with its unit"),
        ("٣d", "number with its unit"),
        ("1d2h", "number with its unit"),
        ("0d", "be positive; got '0d'"),
        ("9" * 400 + "d", "at most 100,000,000 days"),
        ("100000001d", "at most 100,000,000 days"),
        (np.timedelta64(3, "D"), "number with its unit"),
        (True, "number with its unit"),
        (None, "number with its unit"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(wrong, why):
    with pytest.raises(InvalidValue, match=f"limit must .*{why}"):
        check_duration(wrong, "limit")


@given(st.integers(1, 10**7).map(lambda s: timedelta(seconds=s)))
def test_what_the_command_prints_is_read_again(length):
    assert check_duration(in_units(length), "limit") == length


@pytest.fixture(scope="module")
def log():
    rows = [("a", 1, "web"), ("a", 2, "buy"), ("b", 1, "web"), ("b", 9, "cart"), ("c", 20, "web")]
    who, when, what = zip(*rows, strict=True)
    frame = {
        "who": list(who),
        "when": [datetime(2026, 1, day) for day in when],  # noqa: DTZ001 - read as UTC
        "what": list(what),
        "took": [3.0] * 5,
    }
    return cx.InteractionLog.from_frame(
        frame,
        customer="who",
        timestamp="when",
        touchpoint="what",
        duration="took",
        duration_unit="2min",
    )


def test_every_door_takes_both_forms_alike(log):
    week, text = timedelta(days=7), "7d"
    journeys = log.journeys(goal="buy", inactivity=text)
    assert journeys.outcomes == log.journeys(goal="buy", inactivity=week).outcomes
    assert journeys.rules.inactivity == week
    assert [i.duration for i in log.interactions()] == [timedelta(minutes=6)] * 5
    for of in (
        lambda limit: log.sessions(gap=limit),
        lambda limit: log.collapse_repeats(within=limit),
        lambda limit: log.audit(inactivity=limit).to_dict(),
        lambda limit: log.suggest_inactivity(limits=[limit, "3d"]).to_dict(),
        lambda limit: cx.dropoff.funnel(log, ["web", "buy"], within=limit).to_dict(),
        lambda limit: cx.dropoff.funnel(log, ["web", cx.dropoff.Step("buy", within=limit)]).counts,
        lambda limit: cx.dropoff.exits(journeys, window=limit).to_dict(),
        lambda limit: cx.dropoff.sensitivity(log, goal="buy", limits=[limit]).to_dict(),
        lambda limit: cx.attribution.time_decay(
            journeys, by="touchpoint", half_life=limit
        ).to_dict(),
        lambda limit: cx.attribution.linear(journeys, by="touchpoint", look_back=limit).to_dict(),
        lambda limit: cx.omnichannel.transitions(
            journeys, by="touchpoint", max_lag=limit
        ).to_dict(),
        lambda limit: cx.metrics.sla_attainment([week, week * 2], limit).to_dict(),
        lambda limit: cx.metrics.churn_hazard([week, week * 2], [True, False], per=limit).to_dict(),
        lambda limit: cx.metrics.reopen_rate([True, False], age=[week * 2, week * 3], window=limit)
        .to_dict(),
        lambda limit: cx.metrics.kaplan_meier([week, week * 2], [True, False], horizon=limit)
        .to_dict(),
    ):  # fmt: skip
        assert of(text) == of(week)


def test_the_command_and_the_library_read_one_form(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text("customer,time,event\na,2026-01-01,web\na,2026-01-02,buy\n")
    assert main(["report", "log.csv", "--inactivity", "30"]) == 2
    said = capsys.readouterr().err
    assert "--inactivity: must be a number with its unit" in said
    assert "a bare number has none" in said
