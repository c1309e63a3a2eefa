"""Whoever gives a metric the wrong kind of thing is told which argument, and what it should be."""

from __future__ import annotations

import inspect
from datetime import timedelta

import pytest

from cxjourney import dropoff, metrics
from cxjourney.exceptions import InvalidValue

NOT_COLUMNS = ["abc", 3, 2.5, timedelta(days=1), object()]


def parameters(kind: str) -> list[tuple[str, str]]:
    """Return every argument of a public metric that is annotated as this kind, and needed."""
    functions = {name: getattr(metrics, name) for name in metrics.__all__}
    return [
        (name, parameter.name)
        for name, function in functions.items()
        if inspect.isfunction(function)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.annotation == kind and parameter.default is parameter.empty
    ]


def of_right_kind(parameter: inspect.Parameter) -> object:
    if parameter.annotation == "timedelta":
        return timedelta(days=1)
    if parameter.annotation in {"float", "int"}:
        return 1
    if parameter.annotation == "float | Estimate":
        return 0.5
    return metrics.FIVE_POINT if parameter.annotation == "Scale" else [1, 0, 1, 1, 1]


def call(name: str, argument: str, value: object) -> object:
    function = getattr(metrics, name)
    needed = {
        p.name: of_right_kind(p)
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    }
    return function(**{**needed, argument: value})


def test_columns_and_numbers_are_found_to_be_tried():
    assert ("nps", "scores") in parameters("Values")
    assert ("wilson", "count") in parameters("float")


@pytest.mark.parametrize(("name", "argument"), parameters("Values"))
def test_what_is_no_column_is_refused_by_name(name, argument):
    pandas = pytest.importorskip("pandas")
    for wrong in (*NOT_COLUMNS, pandas.DataFrame({"a": [1, 2], "b": [3, 4]})):
        with pytest.raises(InvalidValue):
            call(name, argument, wrong)


@pytest.mark.parametrize(
    ("name", "argument"),
    [pair for pair in parameters("float") if pair not in {("mean_t", "mean"), ("mean_t", "sd")}],
)
def test_what_is_no_number_is_refused_by_name(name, argument):
    for wrong in ("abc", None, timedelta(days=1), [1.0], object()):
        with pytest.raises(InvalidValue, match=argument):
            call(name, argument, wrong)


def test_a_table_is_named_by_its_kind_and_never_shown():
    pandas = pytest.importorskip("pandas")
    customers = pandas.DataFrame({"customer": ["ana"], "score": [9]})
    with pytest.raises(InvalidValue, match=r"scores must be one column .* a DataFrame") as found:
        metrics.nps(customers)
    assert "ana" not in str(found.value)


@pytest.mark.parametrize("scale", [(1, 5), 5, "1-5", None])
def test_a_scale_is_a_scale(scale):
    with pytest.raises(InvalidValue, match=r"scale must be a Scale, such as Scale\(1, 5\)"):
        metrics.csat([5, 4], scale=scale)


def test_a_choice_is_a_word():
    with pytest.raises(InvalidValue, match="nan_policy must be one of"):
        metrics.nps([9], nan_policy=["omit"])


@pytest.mark.parametrize("limits", [timedelta(days=7), "7d", 7])
def test_limits_are_a_list(limits, three_journeys):
    with pytest.raises(InvalidValue, match="limits must be a list of timedeltas"):
        dropoff.sensitivity(three_journeys, goal="buy", limits=limits)


@pytest.fixture
def three_journeys():
    from cxjourney import InteractionLog

    columns = {
        "who": ["a", "a", "b"],
        "when": ["2026-01-01", "2026-01-02", "2026-01-01"],
        "what": ["web", "buy", "web"],
    }
    return InteractionLog.from_frame(columns, customer="who", timestamp="when", touchpoint="what")
