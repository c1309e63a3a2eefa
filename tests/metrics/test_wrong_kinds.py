"""Whoever gives a metric the wrong kind of thing is told which argument, and what it should be."""

from __future__ import annotations

import inspect
import math
from datetime import UTC, datetime, timedelta

import pytest

from cxjourney import dropoff, metrics
from cxjourney._stats.intervals import quantile_ranks
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._surveys.nps import score_of_groups

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
    if str(parameter.annotation).startswith("timedelta"):
        return timedelta(days=1)
    if parameter.annotation in {"float", "int"}:
        return 1
    if parameter.annotation == "float | Estimate":
        return 0.5
    return metrics.Scale.FIVE_POINT if parameter.annotation == "Scale" else [1, 0, 1, 1, 1]


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


@pytest.mark.parametrize(("name", "argument"), parameters("float"))
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


DAY = timedelta(days=1)
WHEN = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 15, 29)]
NOT_A_PAIR = [3, "ab", (1.0,), ("a", "b")]


def purchases() -> metrics.PurchaseSummary:
    return metrics.purchase_summary(["ann"] * 3, WHEN, [20.0, 25.0, 25.0])


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        *[("proportion", argument) for argument in ("parameters", "exclusions")],
        *[("event_rate", argument) for argument in ("parameters", "exclusions")],
        *[("elapsed_time", argument) for argument in ("parameters", "exclusions")],
        ("cost_to_serve", "unit_costs"),
    ],
)
@pytest.mark.parametrize("wrong", ["abc", 3, [None], object()])
def test_what_is_looked_up_by_name_is_a_dict(name, argument, wrong):
    good = {"elapsed": [DAY], "unit": "a month", "customers": ["a"], "channels": ["b"]}
    wanted = inspect.signature(getattr(metrics, name)).parameters
    counts = {"count": 1, "n": 2, "exposure": 2}
    given = {key: value for key, value in {**good, **counts}.items() if key in wanted}
    with pytest.raises(InvalidValue, match=f"{argument} must be a dict by name"):
        getattr(metrics, name)(**{**given, argument: wrong})


@pytest.mark.parametrize("n", [0, 2])
def test_notes_are_a_list(n):
    with pytest.raises(InvalidValue, match="notes must be a list of strings; got 3"):
        metrics.proportion(0, n, notes=3)


@pytest.mark.parametrize(
    ("rule", "call"),
    [
        ("summary must be a PurchaseSummary", lambda x: value_of(summary=x)),
        ("model must be a BgNbd, as fit_bg_nbd", lambda x: value_of(model=x)),
        ("spending must be a GammaGamma, as fit_gamma_gamma", lambda x: value_of(spending=x)),
        ("margin must be a number", lambda x: value_of(margin=x)),
        (
            "curve must be a SurvivalCurve, as kaplan_meier",
            lambda x: metrics.clv_curve(x, 1.0, 0.0, period=DAY, periods=2),
        ),
        ("statistic must be a function", lambda x: metrics.bootstrap([1.0, 2.0], x)),
        ("fixed must be a number", lambda x: metrics.cost_to_serve(["a"], ["b"], {}, fixed=x)),
        (
            r"unit_costs\['b'\] must be a number",
            lambda x: metrics.cost_to_serve(["a"], ["b"], {"b": x}),
        ),
        (
            "n_effective must be a number",
            lambda x: score_of_groups(1, 1, 1, n_effective=x),
        ),
        (
            "horizon must be a timedelta or a number with its unit",
            lambda x: metrics.repeat_purchase_rate(["a"], WHEN[:1], horizon=x),
        ),
        (
            "last_day must be a date",
            lambda x: metrics.stickiness(["a"], WHEN[:1], last_day=x),
        ),
        (
            "business_hours must be a BusinessHours or None",
            lambda x: metrics.first_response_time(WHEN[:1], WHEN[1:2], business_hours=x),
        ),
        ("change must be a number", lambda x: metrics.retention_value(0.8, 0.1, change=x)),
        (
            "claimed_gain must be a number",
            lambda x: metrics.retention_value(0.8, 0.1, claimed_gain=x),
        ),
    ],
)
@pytest.mark.parametrize("wrong", ["abc", [2.0], object()])
def test_what_comes_from_elsewhere_is_of_its_kind(rule, call, wrong):
    with pytest.raises(InvalidValue, match=rule):
        call(wrong)


@pytest.mark.parametrize("fit", [metrics.fit_bg_nbd, metrics.fit_gamma_gamma])
@pytest.mark.parametrize("wrong", [None, "abc", [2.0], object()])
def test_models_are_fitted_to_a_summary(fit, wrong):
    with pytest.raises(
        InvalidValue, match="summary must be a PurchaseSummary, as purchase_summary"
    ):
        fit(wrong)


def value_of(**changed: object) -> metrics.CustomerValues:
    good = {
        "model": metrics.BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426),
        "spending": metrics.GammaGamma(p=6.25, q=3.74, v=15.44),
        "summary": purchases(),
        "horizon": DAY,
    }
    return metrics.clv_purchases(**{**good, **changed})


@pytest.mark.parametrize("wrong", [None, "abc", 2.5, 0, [10]])
def test_resamples_are_counted(wrong):
    numbers = [float(i) for i in range(40)]
    for draw in (
        lambda: metrics.bootstrap(numbers, max, n_resamples=wrong),
        lambda: metrics.bootstrap(numbers, n_resamples=wrong),
        lambda: metrics.nps([9] * 40, interval="bootstrap", n_resamples=wrong),
    ):
        with pytest.raises(InvalidValue, match="n_resamples must be a whole number from 1"):
            draw()


@pytest.mark.parametrize("wrong", NOT_A_PAIR)
def test_pairs_are_pairs(wrong):
    with pytest.raises(InvalidValue, match="brackets must hold pairs 0 <= first <= last"):
        metrics.cohort_retention(["a", "b", "c"], WHEN, kind="bracket", brackets=[wrong])
    with pytest.raises(InvalidValue, match="brackets must"):
        metrics.cohort_retention(["a", "b", "c"], WHEN, brackets=7)


def test_counts_are_whole():
    with pytest.raises(InvalidValue, match=r"start must be a whole number from 0; got 2\.5"):
        metrics.retention_rate(2.5, 10, acquired=1)
    with pytest.raises(InvalidValue, match="n must be a whole number from 0; got nan"):
        quantile_ranks(math.nan, 0.5)
    with pytest.raises(InvalidValue, match=r"n_customers must be a whole number from 0; got 2\.5"):
        metrics.cost_to_serve(["a"], ["b"], {"b": 1.0}, n_customers=2.5)
    with pytest.raises(InvalidValue, match="n_missing must be a whole number from 0; got None"):
        metrics.elapsed_time([DAY], n_missing=None)
    with pytest.raises(InvalidValue, match="items must be a list of columns"):
        metrics.cronbach_alpha(3)


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
