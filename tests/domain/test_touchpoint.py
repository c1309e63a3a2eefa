from __future__ import annotations

import pytest

from cxjourney.domain import Channel, Stage, Touchpoint
from cxjourney.exceptions import InvalidValue, ReservedName


def test_names_become_objects():
    touchpoint = Touchpoint("cart", channel="web", stage="purchase", owner="shop")
    assert touchpoint == Touchpoint(
        "cart", channel=Channel("web"), stage=Stage("purchase"), owner="shop", frontstage=True
    )


def test_only_the_name_is_needed():
    touchpoint = Touchpoint("cart")
    assert (touchpoint.channel, touchpoint.stage, touchpoint.owner) == (None, None, None)
    assert touchpoint.frontstage


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "touchpoint must be a non-empty str; got ''"),
        ({"name": None}, "touchpoint must be a non-empty str; got None"),
        ({"name": "cart", "channel": ""}, "channel must be a non-empty str"),
        ({"name": "cart", "stage": 3}, "stage must be a non-empty str; got 3"),
        ({"name": "cart", "owner": ""}, "owner must be a non-empty str"),
        ({"name": "cart", "frontstage": 1}, "frontstage must be True or False; got 1"),
    ],
)
def test_a_broken_rule_names_field_rule_and_value(fields, message):
    with pytest.raises(InvalidValue, match=message):
        Touchpoint(**fields)


@pytest.mark.parametrize("field", ["name", "channel", "stage", "owner"])
def test_terminals_are_refused_everywhere(field):
    with pytest.raises(ReservedName, match="must not be '__start__'"):
        Touchpoint(**({"name": "cart"} | {field: "__start__"}))
