"""Other tools can list the metrics of the library and add their own."""

from __future__ import annotations

import inspect

import pytest

import cxjourney.metrics as m
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import Estimate, Metric, all_metrics, pool
from cxjourney.metrics._catalogue import MetricLike


class Complaints:
    """A metric of another tool, which knows nothing of ours but the protocol."""

    name = "complaint_rate"
    unit = "per order"
    direction = "lower"
    definition = "complaints / orders"

    def compute(self, *columns, **options):
        return m.event_rate(*columns, unit=self.unit, name=self.name, **options)

    def merge(self, parts):
        return pool(parts)


def test_a_metric_of_another_tool_joins_the_list():
    metrics = all_metrics(Complaints())
    mine = metrics["complaint_rate"]
    assert isinstance(mine, MetricLike)
    assert mine.merge([mine.compute(1, 10), mine.compute(2, 10)]).value == pytest.approx(0.15)
    assert "complaint_rate" not in all_metrics()


def test_the_list_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        all_metrics()["nps"] = Complaints()


def test_names_are_unique_and_metrics_are_metrics():
    with pytest.raises(InvalidValue, match="be free"):
        all_metrics(Complaints(), Complaints())
    with pytest.raises(InvalidValue, match="compute and merge"):
        all_metrics(print)
    with pytest.raises(InvalidValue, match="direction"):
        Metric(name="x", unit="", direction="up", definition="", function=m.nps)


def test_the_list_says_what_the_functions_return():
    computed = {
        "nps": [9, 3],
        "csat": [5, 1],
        "ces": [7, 1],
        "conversion_rate": [1, 0],
        "bounce_rate": [1, 2],
        "abandonment_rate": [1, 0],
        "response_rate": [1, 0],
        "mean_score": [1, 2],
        "peak_end_rule": [0.1, 0.2],
        "average_order_value": [10.0, 20.0],
        "purchase_frequency": ["a", "a", "b"],
    }
    for name, column in computed.items():
        metric = all_metrics()[name]
        estimate = metric.compute(column)
        assert isinstance(estimate, Estimate)
        assert (estimate.name, estimate.unit) == (metric.name, metric.unit)


def test_every_listed_metric_is_public_under_its_name():
    for name, metric in all_metrics().items():
        assert getattr(m, name) is metric.function
        assert inspect.signature(metric.function).return_annotation


def test_every_metric_of_the_package_is_listed():
    helpers = {"proportion", "event_rate", "nps_difference"}
    functions = {
        name
        for name in m.__all__
        if inspect.isfunction(getattr(m, name))
        and getattr(m, name).__annotations__["return"] == "Estimate"
    }
    assert functions - helpers <= set(all_metrics())


def test_the_class_of_the_how_to_is_the_one_that_type_checkers_read(project_root):
    page = (project_root / "docs/how-to/extend-with-a-metric.md").read_text(encoding="utf-8")
    program = (project_root / "tests/typing/metric_of_another_tool.py").read_text(encoding="utf-8")
    shown = program.split('"""\n', 1)[1].replace("from __future__ import annotations\n\n", "")
    assert f"```python\n{shown.lstrip()}```" in page


def test_what_is_no_metric_is_refused():
    class Sideways:
        name, unit, direction, definition = "x", "y", "sideways", "z"

        def compute(self):
            return None

        def merge(self, parts):
            return parts

    with pytest.raises(InvalidValue, match="direction must be one of"):
        all_metrics(Sideways())
