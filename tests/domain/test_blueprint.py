from __future__ import annotations

import json
import time

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.domain import BlueprintStep
from cxjourney.exceptions import InputFileError, InvalidValue, UnknownName

FIVE = cx.StageModel.FIVE
names = st.text(min_size=1, max_size=8).filter(lambda t: t.strip() and not t.startswith("__"))
steps = st.builds(
    BlueprintStep,
    names,
    stage=st.none() | st.sampled_from(FIVE.names),
    channels=st.lists(names, unique=True, max_size=3),
    optional=st.booleans(),
    repeatable=st.booleans(),
    emotion=st.none() | st.floats(-1, 1),
    expectation=st.none() | st.floats(-1e6, 1e6),
    promise=st.none() | st.text(max_size=20),
    owner=st.none() | names,
    frontstage=st.booleans(),
)
own_model = cx.StageModel("car", ["lead", "drive", "contract"]).with_mapping(
    cx.StageModel.THREE,
    {"lead": "information", "drive": "information", "contract": "purchase"},
)
blueprints = st.builds(
    cx.JourneyBlueprint,
    names,
    st.lists(steps, min_size=1, max_size=5),
    stages=st.sampled_from([None, FIVE]),
    persona=st.none() | st.text(max_size=10),
)


@given(blueprints)
def test_a_blueprint_comes_back_from_json_and_from_yaml(blueprint):
    as_json = json.loads(json.dumps(blueprint.to_dict()))
    assert cx.JourneyBlueprint.from_dict(as_json) == blueprint
    assert cx.JourneyBlueprint.from_yaml(blueprint.to_yaml()) == blueprint


def test_a_stage_model_of_ones_own_comes_back_with_its_mapping():
    blueprint = cx.JourneyBlueprint("car", [BlueprintStep("call", stage="lead")], stages=own_model)
    again = cx.JourneyBlueprint.from_dict(json.loads(json.dumps(blueprint.to_dict())))
    assert again == blueprint
    assert again.stages.mapping_to(cx.StageModel.THREE)["drive"] == "information"
    assert blueprint.to_dict()["stages"]["mappings"][0]["model"] == "three"
    assert cx.JourneyBlueprint("x", ["a"], stages=FIVE).to_dict()["stages"] == "five"


@pytest.mark.parametrize("ending", [".json", ".yaml", ".yml"])
def test_a_blueprint_comes_back_from_a_file(tmp_path, ending):
    blueprint = cx.JourneyBlueprint("Straße", ["Łódź", BlueprintStep("cart", emotion=0.5)])
    path = tmp_path / f"shop{ending}"
    blueprint.write(path)
    assert cx.JourneyBlueprint.read(path) == blueprint
    assert "Łódź" in path.read_text(encoding="utf-8")  # a diff must be readable


def test_typed_objects_give_their_names():
    step = BlueprintStep(
        cx.Touchpoint("cart"), stage=cx.Stage("purchase"), channels=[cx.Channel("web"), "app"]
    )
    assert step == BlueprintStep("cart", stage="purchase", channels=("web", "app"))
    assert BlueprintStep("cart", channels="web").channels == ("web",)
    assert eval(repr(step)) == step  # noqa: S307 - our own repr


def test_a_touchpoint_may_come_twice():
    blueprint = cx.JourneyBlueprint("order", ["mail", "door", "mail"])
    assert blueprint.labels() == ("mail", "door", "mail (2)")


def data(**changes: object) -> dict[str, object]:
    return {
        "schema": 1,
        "type": "JourneyBlueprint",
        "name": "shop",
        "stages": "five",
        "steps": [{"touchpoint": "ad"}, {"touchpoint": "cart", "stage": "purchase"}],
        **changes,
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"schema": 2}, "schema must be 1; got 2"),
        ({"schema": True}, "schema must be 1; got True"),
        ({"type": "Map"}, "type must be 'JourneyBlueprint'; got 'Map'"),
        ({"step": []}, "field 'step' is not in the blueprint; did you mean 'steps'"),
        ({"steps": []}, "steps must hold at least one step"),
        ({"steps": "ad"}, "steps must be a list of steps; got 'ad'"),
        ({"steps": [3]}, r"steps\[0\] must be a mapping of fields; got 3"),
        ({"steps": [{"stage": "x"}]}, r"steps\[0\].touchpoint must be given"),
        ({"steps": [{"touchpoint": False}]}, r"steps\[0\].touchpoint must .*False"),
        ({"steps": [{"touchpoint": "__start__"}]}, r"steps\[0\]\..*__start__"),
        (
            {"steps": ["ad", {"touchpoint": "x", "emotion": 2}]},
            r"steps\[1\].emotion must be a finite number in \[-1, 1\]; got 2",
        ),
        ({"steps": [{"touchpoint": "x", "optional": 1}]}, r"steps\[0\].optional must be True or"),
        (
            {"steps": [{"touchpoint": "x", "channels": ["web", 3]}]},
            r"steps\[0\].channels\[1\] must .*3",
        ),
        (
            {"steps": [{"touchpoint": "x", "repeatabel": True}]},
            r"field 'repeatabel' is not in steps\[0\]; did you mean 'repeatable'",
        ),
        (
            {"steps": [{"touchpoint": "x", "stage": "purchas"}]},
            r"steps\[0\].stage 'purchas' is not in stage model 'five'; did you mean 'purchase'",
        ),
        ({"stages": "fife"}, "stages 'fife' is not in the stage models of the library; did you"),
        ({"stages": {"name": "x", "stages": []}}, "stages must hold at least one stage"),
        ({"stages": {"name": 3, "stages": ["a"]}}, "stages: stage model must .*3"),
        (
            {"stages": {"name": "x", "stages": ["a"], "mappings": [{"model": "sixx"}]}},
            r"stages.mappings\[0\].model 'sixx' is not in the stage models",
        ),
        ({"persona": 3}, "persona must be a str; got 3"),
    ],
)
def test_an_error_names_path_and_value(wrong, message):
    with pytest.raises(InvalidValue, match=message):
        cx.JourneyBlueprint.from_dict(data(**wrong))


def test_a_missing_name_is_named():
    with pytest.raises(InvalidValue, match="name must be given"):
        cx.JourneyBlueprint.from_dict({k: v for k, v in data().items() if k != "name"})


def test_files_that_cannot_be_read_say_why(tmp_path):
    read = cx.JourneyBlueprint.read
    with pytest.raises(InputFileError, match=r"absent.json cannot be read"):
        read(tmp_path / "absent.json")
    with pytest.raises(InvalidValue, match=r"path must end in .json, .yaml or .yml"):
        read(tmp_path / "shop.toml")
    (tmp_path / "bad.json").write_text('{"a": 1,\n oops}')
    with pytest.raises(InvalidValue, match="no JSON at line 2, column 2"):
        read(tmp_path / "bad.json")
    (tmp_path / "bad.yaml").write_text("a: [1,\nb: }")
    with pytest.raises(InvalidValue, match="no YAML at line 2"):
        read(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- a\n- b")
    with pytest.raises(InvalidValue, match="the YAML text must be a mapping of fields"):
        read(tmp_path / "list.yaml")


def test_yaml_never_runs_code():
    with pytest.raises(InvalidValue, match="no YAML"):
        cx.JourneyBlueprint.from_yaml("name: !!python/object/apply:os.getcwd []")


def test_an_unknown_stage_in_code_is_named():
    with pytest.raises(
        UnknownName, match=r"steps\[1\].stage 'buying' is not in stage model 'five'"
    ):
        cx.JourneyBlueprint("x", ["ad", BlueprintStep("cart", stage="buying")], stages=FIVE)


def test_it_is_frozen_and_hashes():
    blueprint = cx.JourneyBlueprint("x", ["ad"])
    assert hash(blueprint) == hash(cx.JourneyBlueprint("x", ["ad"]))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        blueprint.name = "y"


def _billion(levels: int, line: str) -> str:
    text = 'a0: &a0 ["lol", "lol", "lol"]\n'
    return text + "".join(line.format(i=i, before=i - 1) for i in range(1, levels))


@pytest.mark.parametrize(
    "text",
    [
        _billion(30, "a{i}: &a{i} [*a{before}, *a{before}, *a{before}, *a{before}]\n"),
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 30)),
        "a: &a [*a, *a]\n",
        "&a *a",
        "[" * 20_000,
        "{" * 20_000,
        "- " * 20_000,
        "name: 2026-13-45\n",
        "? [1, 2]\n: 3\n",
        "name: !!python/object:os.system x\n",
        "0x" + "f" * 10_000,
        "\x00",
        "name: shop\nsteps: {a: 1}\nschema: 1\ntype: JourneyBlueprint\n",
        "1: 2\nb: 3\n",
    ],
    ids=range(14),
)
def test_a_yaml_text_that_explodes_or_is_odd_is_refused_at_once(text):
    begin = time.process_time()
    with pytest.raises(InvalidValue) as refused:
        cx.JourneyBlueprint.from_yaml(text)
    assert time.process_time() - begin < 30  # traced for coverage too; else it never ends
    assert len(str(refused.value)) < 700


def test_aliases_that_people_write_are_read():
    text = """
    schema: 1
    type: JourneyBlueprint
    name: shop
    steps:
      - {touchpoint: cart, channels: &digital [web, app]}
      - {touchpoint: buy, channels: *digital}
    """
    assert cx.JourneyBlueprint.from_yaml(text).steps[1].channels == ("web", "app")


def test_the_message_about_what_explodes_does_not_expand_it():
    bomb: list = ["x"]
    for _ in range(100):
        bomb = [bomb, bomb]
    with pytest.raises(InvalidValue) as refused:
        cx.JourneyBlueprint.from_dict({"schema": bomb})
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 10_000])
def test_json_beyond_what_python_reads_is_refused(tmp_path, text):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(InvalidValue):
        cx.JourneyBlueprint.read(path)
