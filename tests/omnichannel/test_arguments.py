"""An argument of a wrong kind is refused by its name, before anything is computed."""

from __future__ import annotations

import pytest

import cxjourney as cx
from cxjourney import omnichannel
from cxjourney.exceptions import InvalidValue


@pytest.fixture(scope="module")
def journeys():
    return cx.datasets.sample(seed=3, customers=60).journeys()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("continuity", {"within": None}, "within must be a number; got None"),
        ("continuity", {"within": 2.5}, "within must be a whole number from 1; got 2.5"),
        ("continuity", {"redo": 3}, "redo must be a name or a list of names; got 3"),
        ("continuity", {"redo": "cort"}, "redo touchpoint 'cort' .* did you mean 'cart'"),
        ("continuity", {"stages": 3}, "stages must be a name or a list of names; got 3"),
        ("mutual_information", {"n_permutations": "99"}, "n_permutations must be a number; got"),
        ("mutual_information", {"n_permutations": 2.5}, "n_permutations must be a whole number"),
        ("consistency", {"score": ["score"]}, "score must be a name, which is a string; got"),
        ("consistency", {"adjust": ["region"]}, "adjust must be a name, which is a string; got"),
        ("consistency", {"outcome": {"a": 1}}, "outcome must be a name, which is a string; got"),
        (
            "cross_channel_cost",
            {"strata": ["region"]},
            "strata must be a name, which is a string; got",
        ),
        (
            "cross_channel_cost",
            {"score": ["score"]},
            "score must be a name, which is a string; got",
        ),
    ],
)
def test_what_an_argument_must_be_is_said(name, options, said, journeys):
    with pytest.raises(InvalidValue, match=said):
        getattr(omnichannel, name)(journeys, **options)
