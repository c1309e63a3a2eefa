"""A log as XES is read back equal, whatever stands in it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, TimesRequired

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1
).filter(lambda text: text.strip() == text and not text.endswith(".0"))
VALUES = st.none() | TEXT | st.integers(-5, 5) | st.booleans() | st.sampled_from([0.1, -2.5e300])
ROLES = {"customer": "who", "timestamp": "when", "touchpoint": "what"}
XES = {
    "channel": "channel",
    "stage": "stage",
    "issue": "issue",
    "journey": "journey",
    "score": "score",
    "value": "value",
    "duration": "duration_us",
    "duration_unit": timedelta(microseconds=1),
    "seq": "seq",
    "account": "case:account",
    "attributes": ["my key", "case:plan"],
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.integers(1, 6))
def test_it_is_read_back_equal(tmp_path, data, n):
    def column(values: st.SearchStrategy) -> list:
        return data.draw(st.lists(values, min_size=n, max_size=n))

    known = st.sampled_from(["a<b", "C & D", 'say "x"'])
    who = column(known)
    frame = {
        "who": who,
        "when": column(st.datetimes(min_value=cx_min(), max_value=cx_max())),
        "what": column(known),
        "owner": ["o'neill"] * n,
        "channel": [*column(known | st.none())[:-1], "web"],
        "stage": [*column(known | st.none())[:-1], "new"],
        "issue": [*column(known | st.none())[:-1], "i"],
        "journey": column(known),
        "score": [*column(st.floats(0, 10))[:-1], 0.1],
        "value": [*column(st.floats(-1e9, 1e9))[:-1], 0.25],
        "duration_us": [timedelta(microseconds=u) for u in column(st.integers(0, 10**12))],
        "seq": column(st.integers(-9, 9)),
        "firm": [f"{c} inc" for c in who],
        "my key": [*column(VALUES)[:-1], "x"],
        "case:plan": [f"{c} plan" for c in who],
    }
    names = ("channel", "stage", "owner", "issue", "journey", "score", "value", "seq")
    log = cx.InteractionLog.from_frame(
        frame,
        **ROLES,
        **{name: name for name in names},
        duration="duration_us",
        account="firm",
        attributes=["my key", "case:plan"],
    )
    path = tmp_path / "log.xes.gz"
    log.to_xes(path)
    assert cx.read_xes(path, **XES) == log


def cx_min():
    from datetime import datetime

    return datetime(1990, 1, 1)  # noqa: DTZ001 - read in UTC


def cx_max():
    from datetime import datetime

    return datetime(2020, 1, 1)  # noqa: DTZ001 - read in UTC


def frame_of(**more: list) -> dict:
    return {"who": ["a", "a"], "when": ["2026-01-01", "2026-01-02"], "what": ["x", "y"], **more}


def test_what_is_said_of_customers_stands_in_the_trace(tmp_path):
    log = cx.InteractionLog.from_frame(
        frame_of(), **ROLES, customers={"who": ["a"], "plan": ["pro"], "age": [7]}
    )
    log.to_xes(tmp_path / "log.xes")
    text = (tmp_path / "log.xes").read_text("utf-8")
    assert text.index('<int key="age" value="7"/>') < text.index("<event>")
    read = cx.read_xes(tmp_path / "log.xes", attributes=["case:plan", "case:age"])
    assert read.attribute("case:age").values() == [7, 7]


def test_what_xml_does_not_hold_is_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "log.xes"
    path.write_text("before")
    odd = cx.InteractionLog.from_frame(frame_of(k=["\x01", "b"]), **ROLES, attributes=["k"])
    with pytest.raises(InvalidValue, match="1 name or value has control characters, in 'k'"):
        odd.to_xes(path)
    twice = cx.InteractionLog.from_frame(
        frame_of(**{"concept:name": ["b", "c"]}), **ROLES, attributes=["concept:name"]
    )
    with pytest.raises(InvalidValue, match="'concept:name' is that of two"):
        twice.to_xes(path)
    moving = cx.InteractionLog.from_frame(
        frame_of(**{"case:k": ["b", "c"]}), **ROLES, attributes=["case:k"]
    )
    with pytest.raises(InvalidValue, match="one value a customer"):
        moving.to_xes(path)
    with pytest.raises(TimesRequired):
        cx.Journeys.from_paths([["web"]], converted=[1]).log.to_xes(path)
    assert path.read_text() == "before"


def test_a_log_of_nothing_is_read_as_one(tmp_path):
    log = cx.InteractionLog.from_frame(frame_of(), **ROLES).filter(touchpoints="x", invert=True)
    log.filter(touchpoints="y", invert=True).to_xes(tmp_path / "log.xes")
    assert len(cx.read_xes(tmp_path / "log.xes")) == 0
