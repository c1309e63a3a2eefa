from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

import cxjourney as cx
from cxjourney._support.result import Result
from cxjourney._support.schema import schema_of


@pytest.fixture(scope="module")
def results():
    day = timedelta(days=1)
    journeys = cx.Journeys.from_paths(
        [["ad", "web", "cart"], ["web"]], converted=[30, 5], dropped=[10, 45], channels=True
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=who, touchpoint=what, timestamp=start + when * day)
            for who, what, when in [("a", "web", 0), ("a", "buy", 1), ("b", "web", 2)]
        ]
    )
    return [
        cx.metrics.nps([10, 9, 3]),
        cx.metrics.nps([]),
        cx.dropoff.exits(journeys),
        cx.dropoff.funnel(log, ["web", "buy"], within=7 * day),
        cx.omnichannel.transitions(journeys),
        cx.attribution.markov(journeys),
        cx.critical.points(journeys),
        cx.metrics.kaplan_meier([day, 2 * day], [True, False]),
        cx.metrics.cohort_retention(["a"], [start], periods=2),
        cx.sequences.step_flow(journeys),
        log.audit(),
    ]


def test_what_results_hand_over_follows_their_schema(results):
    for result in results:
        schema = schema_of(type(result))
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(result.to_dict())


def test_a_result_names_its_schema(results):
    assert results[2].json_schema()["title"] == "Exits"


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_journeys", "many"), ("table", []), ("type", "Funnel"), ("schema", 99), ("level", "95%")],
)
def test_what_is_not_as_promised_is_refused(results, field, value):
    exits = results[2]
    with pytest.raises(ValidationError):
        Draft202012Validator(exits.json_schema()).validate(exits.to_dict() | {field: value})


def test_a_missing_field_is_refused(results):
    exits = results[2].to_dict()
    del exits["level"]
    with pytest.raises(ValidationError, match="'level' is a required property"):
        Draft202012Validator(results[2].json_schema()).validate(exits)


def test_the_metadata_of_a_field_add_to_its_type():
    @attrs.frozen(kw_only=True)
    class Rated(Result):
        rate: float = attrs.field(metadata={"schema": {"minimum": 0, "description": "A rate."}})

    Rated.__annotations__["rate"] = float
    properties = schema_of(Rated)["properties"]
    assert properties == {
        "schema": {"const": 1},
        "type": {"const": "Rated"},
        "rate": {"type": ["number", "null"], "minimum": 0, "description": "A rate."},
    }


def test_no_docstring_is_read_where_a_schema_is_made(results, monkeypatch):
    before = results[2].json_schema()
    monkeypatch.setattr(type(results[2]), "__doc__", None)
    assert results[2].json_schema() == before


def test_a_type_that_json_cannot_say_is_named():
    @attrs.frozen(kw_only=True)
    class Odd(Result):
        what: complex

    Odd.__annotations__["what"] = complex
    with pytest.raises(TypeError, match="no JSON schema for a field of type <class 'complex'>"):
        schema_of(Odd)


def test_the_published_schema_tells_every_result_apart(results, project_root):
    pytest.importorskip("mkdocs", reason="the site is built with the docs extra")
    where = project_root / "docs" / "result_schemas.py"
    spec = importlib.util.spec_from_file_location("result_schemas", where)
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    schema = hook.published()
    Draft202012Validator.check_schema(schema)
    properties = schema["$defs"]["Exits.stamped"]["properties"]
    assert properties["level"]["description"] == "Confidence level of the intervals."
    assert properties["n_dropped"]["description"] == "The journeys by outcome."
    validator = Draft202012Validator(schema)
    for result in results:
        validator.validate(result.to_dict())
    with pytest.raises(ValidationError):
        validator.validate(results[2].to_dict() | {"type": "Funnel"})
