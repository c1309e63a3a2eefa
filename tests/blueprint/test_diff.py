from __future__ import annotations

import json
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.blueprint import BlueprintDiff, diff
from cxjourney.domain import BlueprintStep
from cxjourney.exceptions import InvalidValue


def test_what_changed_is_named():
    old = cx.JourneyBlueprint(
        "shop", ["ad", BlueprintStep("cart", channels=["web"], emotion=0.5), "mail", "mail"]
    )
    new = cx.JourneyBlueprint(
        "shop 2",
        [BlueprintStep("cart", channels=["web", "app"]), "ad", "chat", "mail"],
        stages=cx.StageModel.THREE,
    )
    found = diff(old, new)
    assert (found.added, found.removed, found.moved) == (("chat",), ("mail (2)",), ("ad",))
    assert [tuple(row.values()) for row in found.changed] == [
        ("", "name", "shop", "shop 2"),
        ("", "stages", "-", "three: information, purchase, post-purchase"),
        ("cart", "channels", "web", "web, app"),
        ("cart", "emotion", "0.5", "-"),
    ]
    assert found
    again = BlueprintDiff.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert "removed" in repr(found)


def test_a_blueprint_does_not_differ_from_itself():
    shop = cx.JourneyBlueprint("shop", ["ad", "cart"])
    assert not diff(shop, shop)
    assert "Nothing changed." in repr(diff(shop, shop))


@given(st.integers(1, 6).flatmap(lambda n: st.permutations(range(n))))
def test_as_few_steps_as_can_be_are_said_to_have_moved(order):
    old = cx.JourneyBlueprint("b", [f"s{i}" for i in range(len(order))])
    new = cx.JourneyBlueprint("b", [f"s{i}" for i in order])
    longest = max(
        size
        for size in range(len(order) + 1)
        for kept in combinations(order, size)
        if list(kept) == sorted(kept)
    )
    found = diff(old, new)
    assert len(found.moved) == len(order) - longest
    staying = [name for name in new.touchpoints if name not in found.moved]
    assert staying == sorted(staying, key=old.touchpoints.index)


@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=6),
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=6),
)
def test_the_way_back_is_the_way_there_reversed(one, other):
    a, b = cx.JourneyBlueprint("x", one), cx.JourneyBlueprint("x", other)
    there, back = diff(a, b), diff(b, a)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert len(there.moved) == len(back.moved)


@pytest.mark.parametrize("wrong", ["old", "new"])
def test_what_is_no_blueprint_is_named(wrong):
    given = dict.fromkeys(("old", "new"), cx.JourneyBlueprint("shop", ["web"]))
    with pytest.raises(InvalidValue, match=f"{wrong} must be a JourneyBlueprint"):
        diff(**given | {wrong: ["web"]})
