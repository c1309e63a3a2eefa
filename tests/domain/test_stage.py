from __future__ import annotations

import pytest

from cxjourney.domain import Stage, StageModel
from cxjourney.domain._stage import stage_order
from cxjourney.exceptions import InvalidValue, ReservedName, UnknownName


def test_the_five_stages_are_those_of_the_field_in_order():
    assert StageModel.FIVE.names == (
        "awareness",
        "consideration",
        "purchase",
        "retention",
        "advocacy",
    )
    assert [StageModel.FIVE.index(stage) for stage in StageModel.FIVE] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("finer", "coarser", "expected"),
    [
        (
            StageModel.FIVE,
            StageModel.THREE,
            ["information", "information", "purchase", "post-purchase", "post-purchase"],
        ),
        (
            StageModel.FIVE,
            StageModel.FOUR,
            ["awareness", "consideration", "purchase", "after-sales", "after-sales"],
        ),
        (
            StageModel.FOUR,
            StageModel.THREE,
            ["information", "information", "purchase", "post-purchase"],
        ),
    ],
)
def test_the_usual_models_map_from_finer_to_coarser(finer, coarser, expected):
    mapping = finer.mapping_to(coarser)
    assert [mapping[name] for name in finer.names] == expected


@pytest.mark.parametrize(
    ("finer", "coarser"),
    [
        (StageModel.FIVE, StageModel.THREE),
        (StageModel.FIVE, StageModel.FOUR),
        (StageModel.FOUR, StageModel.THREE),
    ],
)
def test_a_mapping_onto_a_coarser_model_keeps_the_order(finer, coarser):
    mapping = finer.mapping_to(coarser)
    places = [coarser.index(mapping[name]) for name in finer.names]
    assert places == sorted(places)
    assert set(mapping.values()) == set(coarser.names)


def test_the_inverse_mapping_is_refused_with_its_reason():
    with pytest.raises(InvalidValue, match="'information' stands for 'awareness' and 'consid"):
        StageModel.THREE.mapping_to(StageModel.FIVE)
    with pytest.raises(InvalidValue, match="from 'five' onto 'three' only"):
        StageModel.THREE.with_mapping(
            StageModel.FIVE,
            {"information": "awareness", "purchase": "purchase", "post-purchase": "retention"},
        )


def test_a_model_maps_onto_itself():
    assert dict(StageModel.THREE.mapping_to(StageModel.THREE)) == {
        name: name for name in StageModel.THREE.names
    }


def test_an_own_model_has_only_the_mapping_that_it_was_given():
    own = StageModel("own", ["before", Stage("after")])
    with pytest.raises(InvalidValue, match="no mapping onto 'three'"):
        own.mapping_to(StageModel.THREE)
    mapped = own.with_mapping(StageModel.THREE, {"after": "post-purchase", "before": "information"})
    assert list(mapped.mapping_to(StageModel.THREE).items()) == [
        ("before", "information"),
        ("after", "post-purchase"),
    ]
    again = mapped.with_mapping(StageModel.THREE, {"before": "purchase", "after": "purchase"})
    assert set(again.mapping_to(StageModel.THREE).values()) == {"purchase"}


def test_a_mapping_must_be_total_and_name_stages_that_exist():
    own = StageModel("own", ["before", "after"])
    with pytest.raises(InvalidValue, match=r"left out: \['after'\]"):
        own.with_mapping(StageModel.THREE, {"before": "information"})
    with pytest.raises(UnknownName, match="did you mean 'information'"):
        own.with_mapping(StageModel.THREE, {"before": "informations", "after": "purchase"})
    with pytest.raises(UnknownName, match="'befor' is not in stage model 'own'"):
        own.with_mapping(StageModel.THREE, {"befor": "information", "after": "purchase"})


def test_lookup_takes_stages_and_names_and_answers_with_suggestions():
    model = StageModel.FIVE
    assert model.index(Stage("purchase")) == model.index("purchase") == 2
    assert model.stage("advocacy") == Stage("advocacy")
    assert "advocacy" in model
    assert Stage("advocacy") in model
    assert "information" not in model
    assert len(model) == 5
    with pytest.raises(UnknownName, match="did you mean 'purchase'"):
        model.index("purchaze")


def test_models_are_equal_by_value_and_hash():
    assert StageModel("m", ["a", "b"]) == StageModel("m", (Stage("a"), Stage("b")))
    assert hash(StageModel("m", ["a", "b"])) == hash(StageModel("m", ["a", "b"]))
    assert StageModel("m", ["a", "b"]) != StageModel("m", ["b", "a"])


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "hold at least one stage"),
        (["a", "a"], "differ from each other"),
        ("abc", "be several stages, not one str"),
        (["a", ""], "stage must be a non-empty str"),
    ],
)
def test_stages_of_a_model_are_checked(stages, message):
    with pytest.raises(InvalidValue, match=message):
        StageModel("m", stages)


def test_terminals_are_refused_as_stages():
    with pytest.raises(ReservedName, match="stage must not be '__dropoff__'"):
        Stage("__dropoff__")


def test_the_order_of_stages_is_the_given_one_or_that_of_a_standard_model():
    assert stage_order(["b", "a"], ["a", "b", "c"]) == ("a", "b", "c")
    assert stage_order(["purchase"], StageModel.THREE) == StageModel.THREE.names
    assert stage_order(["advocacy", "purchase"], None) == StageModel.FIVE.names
    assert stage_order(["post-purchase", "purchase"], None) == StageModel.THREE.names
    assert stage_order(["test drive"], None) is None
    with pytest.raises(UnknownName, match="stage 'd' is not in stages"):
        stage_order(["a", "d"], ["a", "b"])


@pytest.mark.parametrize("wrong", [3, object(), [None], [1]])
def test_stages_are_names(wrong):
    with pytest.raises(InvalidValue, match="stages must"):
        stage_order(["a"], wrong)
