from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime

import pytest

from cxjourney.domain import Account, Customer, Interaction
from cxjourney.exceptions import InvalidValue


@pytest.mark.parametrize("id_", ["NA", "007", "None", "😀", "\u202eabc", "__start__"])
def test_any_str_is_an_id(id_):
    assert Customer(id_).id == id_
    assert Account(id_).id == id_


@pytest.mark.parametrize("id_", ["", " ", "\t\n", "\u00a0"])
def test_a_blank_id_is_a_missing_one(id_):
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    for make in (Customer, Account):
        with pytest.raises(InvalidValue, match="must not be blank, which is a missing id"):
            make(id_)
    for field in ("customer", "journey", "issue"):
        with pytest.raises(InvalidValue, match=f"{field} must not be blank"):
            Interaction(**{"customer": "a", "touchpoint": "x", "timestamp": moment, field: id_})


@pytest.mark.parametrize("id_", [None, 7, b"x", 1.5])
def test_an_id_must_be_a_str(id_):
    with pytest.raises(InvalidValue, match="customer must be a str; got"):
        Customer(id_)
    with pytest.raises(InvalidValue, match="account must be a str; got"):
        Account(id_)


def test_an_account_is_made_of_its_id():
    assert Customer("anna", account="acme").account == Account("acme")
    assert Customer("anna").account is None
    with pytest.raises(InvalidValue, match="account must be a str; got 3"):
        Customer("anna", account=3)


def test_attributes_are_isolated_read_only_and_hashable():
    given = {"segment": "business", "age": 41, "score": 0.5, "vip": True}
    customer = Customer("anna", attributes=given)
    given["segment"] = "changed"
    assert customer.attributes == {"segment": "business", "age": 41, "score": 0.5, "vip": True}
    with pytest.raises(TypeError):
        customer.attributes["segment"] = "changed"
    with pytest.raises(AttributeError):
        customer.id = "berta"
    reordered = dict(reversed(list(customer.attributes.items())))
    assert hash(customer) == hash(Customer("anna", attributes=reordered))
    assert customer == Customer("anna", attributes=reordered)


def test_pickle_and_copies_are_equal_and_stay_read_only():
    customer = Customer(
        "anna", account=Account("acme", {"size": 12}), attributes={"segment": "business"}
    )
    for twin in (pickle.loads(pickle.dumps(customer)), copy.deepcopy(customer)):  # noqa: S301
        assert twin == customer
        assert hash(twin) == hash(customer)
        with pytest.raises(TypeError):
            twin.attributes["segment"] = "changed"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"a": None}, r"attributes\['a'\] must be a str, int, float or bool; got None"),
        ({"a": [1]}, r"attributes\['a'\] must be a str, int, float or bool; got \[1\]"),
        ({"a": float("nan")}, r"attributes\['a'\] must be finite .leave a missing"),
        ({"a": float("inf")}, r"attributes\['a'\] must be finite"),
        ({3: "a"}, "attributes must have non-empty str as names; got 3"),
        ({"": "a"}, "attributes must have non-empty str as names; got ''"),
        ([("a", 1)], "attributes must be a mapping from str; got"),
    ],
)
def test_attributes_are_checked(attributes, message):
    with pytest.raises(InvalidValue, match=message):
        Customer("anna", attributes=attributes)
